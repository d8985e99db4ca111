/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/test_support.h"

static void test_set_fills_from_the_table(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  memset(err.query_id, 'x', sizeof(err.query_id) - 1);
  err.native_code = 5;
  assert_int_equal(lb_error_set(&err, LB_CONNECTION, "host %s, try %d", "h", 3),
                   LB_CONNECTION);
  assert_int_equal(err.status, LB_CONNECTION);
  assert_string_equal(err.message, "host h, try 3");
  assert_string_equal(err.sqlstate, "08S01");
  assert_true(err.retryable);
  assert_string_equal(err.query_id, "");
  assert_int_equal(err.native_code, 0);
  lb_error_reset(&err);
  assert_int_equal(err.status, LB_OK);
  assert_string_equal(err.message, "");
}

static void test_null_is_accepted_everywhere(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  lb_error_reset(NULL);
  assert_int_equal(lb_error_set(NULL, LB_TIMEOUT, "x"), LB_TIMEOUT);
  assert_int_equal(lb_error_oom(NULL, "x"), LB_OUT_OF_MEMORY);
  lb_error_prefix(NULL, "x");
  lb_error_append(NULL, "x");
  lb_error_set_sqlstate(NULL, "42000", 5);
  lb_error_set_sqlstate(&err, NULL, 5);
  lb_error_set_class(NULL, "X", 1);
  lb_error_set_class(&err, NULL, 9);
  lb_error_set_query_id(NULL, "x");
  lb_error_set_query_id(&err, NULL);
  lb_error_copy(NULL, &err);
  lb_error_copy(&err, NULL);
  assert_int_equal(err.status, LB_OK);
  assert_int_equal(lb_error_adbc_status(NULL), 9);
}

static void test_message_may_quote_the_error_itself(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  (void)lb_error_set(&err, LB_HTTP, "inner");
  (void)lb_error_set(&err, LB_SERVER, "outer: %s", err.message);
  assert_string_equal(err.message, "outer: inner");
  lb_error_prefix(&err, "[%s] ", err.message);
  assert_string_equal(err.message, "[outer: inner] outer: inner");
  lb_error_append(&err, " (%s)", err.sqlstate);
  assert_string_equal(err.message, "[outer: inner] outer: inner (HY000)");
}

static void test_message_is_utf8_cut_at_a_character(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  char text[1400];
  memset(text, 'a', sizeof(text));
  memcpy(text + 1022, "\xE2\x82\xAC", 3);
  text[sizeof(text) - 1] = '\0';
  (void)lb_error_set(&err, LB_SERVER, "%s", text);
  assert_int_equal(strlen(err.message), 1022);
  lb_error_prefix(&err, "ab");
  assert_int_equal(strlen(err.message), 1023);
  assert_memory_equal(err.message, "abaa", 4);
  lb_error_append(&err, "more");
  assert_int_equal(strlen(err.message), 1023);
  (void)lb_error_set(&err, LB_SERVER, "bad \xFF byte\r\n\n");
  assert_string_equal(err.message, "bad ? byte");
}

static void test_prefix_and_append_leave_success_alone(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  lb_error_prefix(&err, "x");
  lb_error_append(&err, "x");
  assert_string_equal(err.message, "");
}

static void test_sqlstate_is_taken_only_when_well_formed(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  (void)lb_error_set(&err, LB_SERVER, "x");
  lb_error_set_sqlstate(&err, "42P01xyz", 5);
  assert_string_equal(err.sqlstate, "42P01");
  lb_error_set_sqlstate(&err, "4200", 4);
  lb_error_set_sqlstate(&err, "42p01", 5);
  lb_error_set_sqlstate(&err, "42 01", 5);
  lb_error_set_sqlstate(&err, "420011", 6);
  assert_string_equal(err.sqlstate, "42P01");
}

static void test_fields_are_cut(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  char text[200];
  memset(text, 'C', sizeof(text));
  lb_error_set_class(&err, text, sizeof(text));
  assert_int_equal(strlen(err.error_class), sizeof(err.error_class) - 1);
  lb_error_set_class(&err, "TABLE_OR_VIEW_NOT_FOUND: x", 23);
  assert_string_equal(err.error_class, "TABLE_OR_VIEW_NOT_FOUND");
  text[sizeof(text) - 1] = '\0';
  lb_error_set_query_id(&err, text);
  assert_int_equal(strlen(err.query_id), sizeof(err.query_id) - 1);
  lb_error_set_query_id(&err, "01ef");
  assert_string_equal(err.query_id, "01ef");
}

static void test_copy(void **state) {
  (void)state;
  struct lb_error a = LB_ERROR_INIT;
  struct lb_error b = LB_ERROR_INIT;
  (void)lb_error_set(&a, LB_RESULT_LOST, "gone");
  a.http_status = 404;
  lb_error_copy(&b, &a);
  lb_error_copy(&b, &b);
  assert_int_equal(b.status, LB_RESULT_LOST);
  assert_int_equal(b.http_status, 404);
  assert_string_equal(b.message, "gone");
}

static void test_every_row_is_complete(void **state) {
  (void)state;
  for (int i = 0; i < LB_STATUS_COUNT; i++) {
    enum lb_status status = (enum lb_status)i;
    assert_true(strlen(lb_status_name(status)) > 1);
    assert_true(strlen(lb_status_text(status)) > 1);
    assert_int_equal(strlen(lb_status_sqlstate(status)), 5);
    assert_true(lb_status_adbc(status) >= 0 && lb_status_adbc(status) <= 14);
    assert_true((lb_status_adbc(status) == 0) == (status == LB_OK));
  }
  assert_string_equal(lb_status_name(LB_RESULT_LOST), "RESULT_LOST");
  assert_string_equal(lb_status_text(LB_CANCELLED), "cancelled");
  assert_true(lb_status_retryable(LB_UNAVAILABLE));
  assert_false(lb_status_retryable(LB_UNKNOWN_OUTCOME));
  assert_string_equal(lb_status_name((enum lb_status)999), "INTERNAL");
  assert_string_equal(lb_status_sqlstate(LB_STATUS_COUNT), "HY000");
}

static void test_adbc_status_reads_the_servers_sqlstate(void **state) {
  (void)state;
  static const struct {
    const char *sqlstate;
    int adbc;
  } cases[] = {{"42P01", 3},  {"42704", 3},  {"42S02", 3},  {"42P07", 4},  {"42P08", 3},
               {"42703", 5},  {"42601", 5},  {"42000", 5},  {"23505", 8},  {"22012", 7},
               {"42501", 14}, {"57014", 11}, {"HY008", 11}, {"HYT00", 12}, {"57KD0", 12},
               {"0A000", 2},  {"28000", 13}, {"08000", 10}, {"HY000", 1},  {"XXKDA", 1},
               {"P0001", 1}};
  for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
    struct lb_error err = LB_ERROR_INIT;
    (void)lb_error_set(&err, LB_SERVER, "x");
    lb_error_set_sqlstate(&err, cases[i].sqlstate, 5);
    assert_int_equal(lb_error_adbc_status(&err), cases[i].adbc);
    /* The driver's own statuses speak for themselves. */
    err.status = LB_RESULT_LOST;
    assert_int_equal(lb_error_adbc_status(&err), 10);
  }
}

static void test_classes_have_states(void **state) {
  (void)state;
  static const struct {
    const char *error_class;
    const char *sqlstate;
  } cases[] = {{"TABLE_OR_VIEW_NOT_FOUND", "42P01"},
               {"UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"},
               {"UNRESOLVED_COLUMN", "42703"},
               {"UNRESOLVED", NULL},
               {"UNRESOLVED_COLUMNS", NULL},
               {".", NULL},
               {"", NULL}};
  for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
    const char *found = lb_error_class_sqlstate(lb_str_from(cases[i].error_class));
    if (cases[i].sqlstate == NULL) {
      assert_null(found);
    } else {
      assert_string_equal(found, cases[i].sqlstate);
    }
  }
  assert_null(lb_error_class_sqlstate((struct lb_str){NULL, 0}));
}

static enum lb_status try_it(enum lb_status first, int *reached) {
  LB_TRY(first);
  *reached = 1;
  return LB_OK;
}

static void test_try_returns_the_first_failure(void **state) {
  (void)state;
  int reached = 0;
  assert_int_equal(try_it(LB_HTTP, &reached), LB_HTTP);
  assert_int_equal(reached, 0);
  assert_int_equal(try_it(LB_OK, &reached), LB_OK);
  assert_int_equal(reached, 1);
}

static void test_oom_names_the_thing(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_OUT_OF_MEMORY, lb_error_oom(&err, "the reply buffer"), &err);
  LB_TEST_CONTAINS(err.message, "the reply buffer");
}

LB_TEST_MAIN(LB_TEST(test_set_fills_from_the_table),
             LB_TEST(test_null_is_accepted_everywhere),
             LB_TEST(test_message_may_quote_the_error_itself),
             LB_TEST(test_message_is_utf8_cut_at_a_character),
             LB_TEST(test_prefix_and_append_leave_success_alone),
             LB_TEST(test_sqlstate_is_taken_only_when_well_formed),
             LB_TEST(test_fields_are_cut), LB_TEST(test_copy),
             LB_TEST(test_every_row_is_complete),
             LB_TEST(test_adbc_status_reads_the_servers_sqlstate),
             LB_TEST(test_classes_have_states),
             LB_TEST(test_try_returns_the_first_failure),
             LB_TEST(test_oom_names_the_thing))
