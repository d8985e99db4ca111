/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sql_scan.h"

#include "base/test_support.h"

/* wanted: the markers in order, separated by one space. */
static void expect(const char *sql, const char *wanted) {
  struct lb_sql_scan scan = {0};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_sql_scan(lb_str_from(sql), &scan, &err), &err);
  struct lb_buf found;
  lb_buf_init(&found, LB_MEM_TEST, 4096);
  for (int32_t i = 0; i < scan.count; i++) {
    const struct lb_sql_marker *marker = &scan.markers[i];
    if (i > 0) lb_buf_append_u8(&found, ' ');
    lb_buf_append(&found, sql + marker->at, marker->len);
    assert_int_equal(scan.named, marker->name.data != NULL);
  }
  const char *text = lb_buf_text(&found);
  assert_string_equal(text ? text : "no memory", wanted);
  lb_buf_reset(&found);
  lb_sql_scan_reset(&scan);
}

static void test_markers(void **state) {
  (void)state;
  expect("", "");
  expect("SELECT 1", "");
  expect("SELECT ?, ?+?", "? ? ?");
  expect("SELECT?FROM", "?");
  expect("SELECT :a, (:b_1), -:c", ":a :b_1 :c");
  expect("SELECT :`a b`", ":`a b`");
  expect("LIMIT :n", ":n");
}

static void test_what_is_skipped(void **state) {
  (void)state;
  expect("'?' \"?\" `?` ?", "?");
  expect("'it''s ?' ?", "?");
  expect("'\\'?' ?", "?");
  expect("'\\\\' ? '?'", "?");
  expect("`a``?` ?", "?");
  expect("`\\` ?", "?");
  expect("r'\\' ? '?'", "?");
  expect("R\"\\\" ?", "?");
  expect("xr'\\' ?'", "");
  expect("-- ?\n?", "?");
  expect("-- \\\n?\n?", "?");
  expect("/* ? /* ? */ ? */ ?", "?");
  expect("/*? */ ? -", "?");
  expect("$$ ? $$ ?", "?");
  expect("$py$ $$ ? $py$ ?", "?");
  expect("${a} ?", "?");
}

static void test_what_never_ends(void **state) {
  (void)state;
  expect("? '?", "?");
  expect("? \"?\\", "?");
  expect("? `?", "?");
  expect("? /* ? /* */", "?");
  expect("? -- ?", "?");
  expect("? $$ ?", "?");
  expect("? :`a", "?");
}

static void test_other_colons(void **state) {
  (void)state;
  expect("raw:owner.name, f(x):a, a[0]:b, `c`:d", "");
  expect("x::int, ?::int", "?");
  /* Right behind a value it is the cast that gives NULL. */
  expect("'20'?::INT, x?::INT, f(x) ?::INT, 1?::INT, ? ?::INT", "?");
  /* A word is a value, too, unless a value may follow it. */
  expect("SELECT x ?::INT, t.y /* z */ ?::INT, 'a' ?::INT, `b` ?::INT, c[0] ?::INT", "");
  expect("SELECT ?::INT WHERE ?::INT = x AND ?::INT IN (?::INT, ?::INT)", "? ? ? ? ?");
  expect("SELECT?::INT", "?");
  expect("?::INT", "?");
  expect("STRUCT<a: INT>, 1:2, : x, :", "");
  expect("lbl: BEGIN", "");
}

static void test_both_kinds(void **state) {
  (void)state;
  struct lb_sql_scan scan = {0};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_sql_scan(LB_STR("SELECT ?, :a"), &scan, &err),
                &err);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_sql_scan(LB_STR(":a ?"), &scan, NULL), NULL);
  assert_null(scan.markers);
}

static bool is_query(const char *sql) {
  struct lb_sql_scan scan = {0};
  LB_TEST_OK(lb_sql_scan(lb_str_from(sql), &scan, NULL), NULL);
  bool query = scan.is_query;
  lb_sql_scan_reset(&scan);
  return query;
}

static void test_queries(void **state) {
  (void)state;
  assert_true(is_query("/* x */ select 1"));
  assert_true(is_query("(SELECT ?)"));
  assert_true(is_query("WITH a AS (SELECT 'INSERT') SELECT * FROM a"));
  assert_true(is_query("VALUES (?)"));
  assert_false(is_query("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a"));
  assert_false(is_query("FROM a INSERT INTO b SELECT *"));
  assert_false(is_query("WITH a AS (SELECT 1) MERGE INTO t USING a ON a.x = t.x WHEN "
                        "MATCHED THEN UPDATE SET *"));
  assert_false(
      is_query("WITH a AS (SELECT 1) DELETE FROM t WHERE x IN (SELECT * FROM a)"));
  assert_false(is_query("with a as (select 1) update t set x = 1"));
  assert_true(is_query("WITH a AS (SELECT update, merge FROM b) SELECT (delete) FROM a"));
  assert_true(is_query("WITH a AS (SELECT 1) SELECT update FROM a WHERE x = ?"));
  assert_true(is_query("WITH update AS (SELECT ?), merge AS (SELECT 2) VALUES (1)"));
  assert_true(is_query("FROM a JOIN insert ON delete = ? SELECT *"));
  assert_true(is_query("FROM s.update AS delete, merge TABLE t"));
  assert_false(is_query("WITH a AS (SELECT 1), update AS (SELECT 2) UPDATE t SET x = ?"));
  assert_false(is_query("FROM VALUES (1) AS t INSERT INTO a SELECT * INSERT INTO b "
                        "SELECT *"));
  assert_false(is_query("FROM a, update INSERT OVERWRITE TABLE b SELECT ?"));
  assert_false(is_query("WITH a AS (SELECT ?) FROM a INSERT INTO b SELECT *"));
  assert_false(is_query("INSERT INTO t SELECT ?"));
  assert_false(is_query("MERGE INTO t USING s"));
  assert_false(is_query(""));
}

static void check_body(const char *sql, const char *expected) {
  struct lb_sql_scan scan = {0};
  LB_TEST_OK(lb_sql_scan(lb_str_from(sql), &scan, NULL), NULL);
  assert_int_equal(scan.body.len, strlen(expected));
  assert_memory_equal(scan.body.data, expected, scan.body.len);
  lb_sql_scan_reset(&scan);
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

static bool is_relation(const char *sql) {
  struct lb_sql_scan scan = {0};
  LB_TEST_OK(lb_sql_scan(lb_str_from(sql), &scan, NULL), NULL);
  bool relation = scan.is_relation;
  lb_sql_scan_reset(&scan);
  return relation;
}

static void test_relations(void **state) {
  (void)state;
  static const char *const relations[] = {
      "SELECT 1",        "select(1)",        "( (SELECT 1))",
      "WITH a AS (b) c", "VALUES (1)",       "TABLE t",
      "from t select 1", "(-- x\nSELECT 1)", "SELECT insert FROM t"};
  static const char *const others[] = {"INSERT INTO t VALUES (1)",
                                       "DELETE FROM t",
                                       "SELECTED",
                                       "SHOW TABLES",
                                       "",
                                       "DROP TABLE t",
                                       "TABLES",
                                       "WITH a AS (b) INSERT INTO t SELECT * FROM a"};
  for (size_t i = 0; i < LB_ARRAY_LEN(relations); i++) {
    assert_true(is_relation(relations[i]));
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(others); i++) assert_false(is_relation(others[i]));
}

/* Which of the markers join what stands beside them, as text of 0 and 1. */
static void expect_joins(const char *sql, const char *wanted) {
  struct lb_sql_scan scan = {0};
  LB_TEST_OK(lb_sql_scan(lb_str_from(sql), &scan, NULL), NULL);
  char found[16] = "";
  for (int32_t i = 0; i < scan.count; i++) found[i] = scan.markers[i].joins ? '1' : '0';
  assert_string_equal(found, wanted);
  lb_sql_scan_reset(&scan);
}

static void test_markers_that_join(void **state) {
  (void)state;
  expect_joins("SELECT ?, DATE ?, date = ?, f(DATE(?))", "0100");
  expect_joins("SELECT timestamp /* x */ -- y\n :a, X :b", "11");
  expect_joins("SELECT 'a' ?, ? 'b', r'c' ?, 'd', ?", "1110");
  expect_joins("SELECT ? r'a', ? R\"b\", ? r, TIME ?", "1101");
  expect_joins("SELECT ? ?, ? `a`, `b`, ?", "0100");
}

/* The quoted texts of sql, one behind the other. */
static void expect_texts(const char *sql, const char *wanted) {
  struct lb_str all = lb_str_from(sql), text;
  struct lb_buf found;
  size_t from = 0;
  lb_buf_init(&found, LB_MEM_TEST, 4096);
  while ((text = lb_sql_next_text(all, from)).len > 0) {
    lb_buf_append_str(&found, text);
    from = (size_t)(text.data - all.data) + text.len;
  }
  const char *texts = lb_buf_text(&found);
  assert_string_equal(texts ? texts : "", wanted);
  lb_buf_reset(&found);
}

static void test_texts(void **state) {
  (void)state;
  expect_texts("", "");
  expect_texts("SELECT a, `b'c`, 1 -- 'x'\n /* 'y' */", "");
  expect_texts("SELECT 'a' \"b\", 'c\\'d', r'e\\', 'f'", "'a'\"b\"'c\\'d'r'e\\''f'");
  expect_texts("-- it's\n'a' /* it's */ 'b' $$ it's $$ 'c", "'a''b'$$ it's $$'c");
}

static void test_too_many(void **state) {
  (void)state;
  struct lb_buf sql;
  struct lb_sql_scan scan = {0};
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&sql, LB_MEM_TEST, 1u << 20);
  for (int i = 0; i < LB_SQL_MAX_MARKERS; i++) lb_buf_append_u8(&sql, '?');
  struct lb_str text = {(const char *)sql.data, sql.len};
  LB_TEST_OK(lb_sql_scan(text, &scan, &err), &err);
  assert_int_equal(scan.count, LB_SQL_MAX_MARKERS);
  lb_sql_scan_reset(&scan);
  lb_buf_append_u8(&sql, '?');
  text = (struct lb_str){(const char *)sql.data, sql.len};
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_sql_scan(text, &scan, &err), &err);
  lb_buf_clear(&sql);
  for (int i = 0; i < LB_SQL_MAX_NAMED; i++) lb_buf_append_text(&sql, ":a,");
  text = (struct lb_str){(const char *)sql.data, sql.len};
  LB_TEST_OK(lb_sql_scan(text, &scan, &err), &err);
  lb_sql_scan_reset(&scan);
  lb_buf_append_text(&sql, ":a");
  text = (struct lb_str){(const char *)sql.data, sql.len};
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_sql_scan(text, &scan, &err), &err);
  lb_buf_reset(&sql);
}

static void test_without_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE({
    struct lb_sql_scan scan = {0};
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OOM_OR_OK(lb_sql_scan(LB_STR("? ? ? ? ? ? ? ? ? ?"), &scan, &err), &err);
    lb_sql_scan_reset(&scan);
  });
}

LB_TEST_MAIN(LB_TEST(test_markers), LB_TEST(test_what_is_skipped),
             LB_TEST(test_what_never_ends), LB_TEST(test_other_colons),
             LB_TEST(test_both_kinds), LB_TEST(test_queries), LB_TEST(test_relations),
             LB_TEST(test_markers_that_join), LB_TEST(test_texts),
             LB_TEST(what_stands_around_a_statement_goes), LB_TEST(test_too_many),
             LB_TEST(test_without_memory))
