/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test_support.h"

#include "session/sql_text.h"

static void check_written(void (*write)(struct lb_buf *, struct lb_str), const char *text,
                          const char *expected) {
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_MISC, 256);
  write(&buf, lb_str_from(text));
  assert_string_equal(lb_buf_text(&buf), expected);
  lb_buf_reset(&buf);
}

static void names_are_quoted(void **state) {
  (void)state;
  check_written(lb_sql_append_name, "t", "`t`");
  check_written(lb_sql_append_name, "a b.c", "`a b.c`");
  check_written(lb_sql_append_name, "x`; DROP TABLE y --", "`x``; DROP TABLE y --`");
  check_written(lb_sql_append_name, "``", "``````");
}

static void texts_are_quoted(void **state) {
  (void)state;
  check_written(lb_sql_append_text, "it's", "'it\\'s'");
  check_written(lb_sql_append_text, "a\\' OR 1", "'a\\\\\\' OR 1'");
}

static void what_the_server_replaces_is_no_name(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_sql_check_name(LB_STR("a$b {c} `"), "table", &err), &err);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT,
                lb_sql_check_name(LB_STR("a${env:HOME}"), "table", &err), &err);
  LB_TEST_CONTAINS(err.message, "the table 'a${env:HOME}'");
}

static void check_body(const char *sql, const char *expected) {
  struct lb_str body = lb_sql_body(lb_str_from(sql));
  assert_int_equal(body.len, strlen(expected));
  assert_memory_equal(body.data, expected, body.len);
}

static void what_stands_around_a_statement_goes(void **state) {
  (void)state;
  check_body("SELECT 1", "SELECT 1");
  check_body(" ;; SELECT 1 ;; \n; ", "SELECT 1");
  check_body("SELECT 1 -- the end;\n;", "SELECT 1");
  check_body("/* a /* nested */ ; */ SELECT 1 /* b */;", "SELECT 1");
  check_body("SELECT ';' ;", "SELECT ';'");
  check_body("SELECT '--' AS a", "SELECT '--' AS a");
  check_body("SELECT 'it\\'s;' ; ", "SELECT 'it\\'s;'");
  check_body("SELECT 'it''s;' ; ", "SELECT 'it''s;'");
  check_body("SELECT `a``;--` FROM t;", "SELECT `a``;--` FROM t");
  check_body("SELECT 1; DROP TABLE t;", "SELECT 1; DROP TABLE t");
  check_body("SELECT 'open", "SELECT 'open");
  check_body("", "");
  check_body(" -- nothing", "");
}

static void queries_are_told_from_the_rest(void **state) {
  (void)state;
  static const char *const queries[] = {
      "SELECT 1",   "select(1)", "( (SELECT 1))",   "WITH a AS (b) c",
      "VALUES (1)", "TABLE t",   "from t select 1", "(-- x\nSELECT 1)"};
  static const char *const others[] = {"INSERT INTO t VALUES (1)",
                                       "DELETE FROM t",
                                       "SELECTED",
                                       "SHOW TABLES",
                                       "",
                                       "DROP TABLE t",
                                       "TABLES"};
  for (size_t i = 0; i < LB_ARRAY_LEN(queries); i++) {
    assert_true(lb_sql_is_query(lb_sql_body(lb_str_from(queries[i]))));
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(others); i++) {
    assert_false(lb_sql_is_query(lb_sql_body(lb_str_from(others[i]))));
  }
}

LB_TEST_MAIN(LB_TEST(names_are_quoted), LB_TEST(texts_are_quoted),
             LB_TEST(what_the_server_replaces_is_no_name),
             LB_TEST(what_stands_around_a_statement_goes),
             LB_TEST(queries_are_told_from_the_rest))
