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

LB_TEST_MAIN(LB_TEST(names_are_quoted), LB_TEST(texts_are_quoted),
             LB_TEST(what_the_server_replaces_is_no_name))
