/* SPDX-License-Identifier: Apache-2.0 */
#include "result/verdict.h"

#include "base/test_support.h"

static const struct lb_hb_options options = {.interval_ms = 60000,
                                             .max_failures = 10,
                                             .max_idle_ms = 14400000,
                                             .max_lifetime_ms = 0};

static struct lb_error lost(void) {
  struct lb_error err = LB_ERROR_INIT;
  (void)lb_error_set(&err, LB_RESULT_LOST, "FetchResults: HTTP 404");
  return err;
}

static void explain_not_armed(enum lb_hb_reason reason, struct lb_error *err) {
  struct lb_hb_stats *stats;
  LB_TEST_OK(lb_hb_stats_create(NULL, &stats, NULL), NULL);
  lb_hb_stats_set_not_armed(stats, reason);
  const struct lb_verdict_facts facts = {
      .now_ms = 5000000, .contact_ms = 4980000, .idle_ms = 10000};
  lb_verdict_explain(stats, "41b41228-23d8-4d1e-8460-66fe976124e1", &options, &facts,
                     err);
  lb_hb_stats_release(stats);
}

static void test_rule_4_4_names_what_is_known(void **state) {
  (void)state;
  struct lb_error err = lost();
  explain_not_armed(LB_HB_DISABLED, &err);
  assert_int_equal(err.status, LB_RESULT_LOST);
  LB_TEST_CONTAINS(err.message, "HTTP 404");
  LB_TEST_CONTAINS(err.message, "41b41228-23d8-4d1e-8460-66fe976124e1");
  LB_TEST_CONTAINS(err.message, "last known alive 20 s ago");
  LB_TEST_CONTAINS(err.message, "idle for 10 s and 0 heartbeats had succeeded");
  LB_TEST_CONTAINS(err.message, "databricks.heartbeat.enabled");
}

static void test_each_reason_names_its_option(void **state) {
  (void)state;
  static const struct {
    enum lb_hb_reason reason;
    const char *text;
  } rows[] = {
      {LB_HB_FAILED_TO_ARM, "could not be started"},
      {LB_HB_NO_PROBE, "no request that keeps it alive"},
      {LB_HB_NO_REASON, "databricks.heartbeat.interval_seconds = 60"},
      {LB_HB_ABANDONED, "databricks.heartbeat.max_idle_seconds = 14400"},
      {LB_HB_FAILURES, "databricks.heartbeat.max_failures = 10"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = lost();
    explain_not_armed(rows[i].reason, &err);
    LB_TEST_CONTAINS(err.message, rows[i].text);
  }
}

static void test_rule_4_4_never_makes_an_error(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  explain_not_armed(LB_HB_ABANDONED, &err);
  assert_int_equal(err.status, LB_OK);
  assert_string_equal(err.message, "");
  (void)lb_error_set(&err, LB_CONNECTION, "refused");
  explain_not_armed(LB_HB_ABANDONED, &err);
  assert_string_equal(err.message, "refused");
  explain_not_armed(LB_HB_ABANDONED, NULL);
}

static void test_an_error_names_its_statement(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  char sql[4000];
  lb_verdict_name_statement(LB_STR("SELECT 1"), &err);
  lb_verdict_name_statement(LB_STR("SELECT 1"), NULL);
  assert_string_equal(err.message, "");
  (void)lb_error_set(&err, LB_SERVER, "no");
  lb_verdict_name_statement(LB_STR(" SELECT\n\t 1\r\n"), &err);
  assert_string_equal(err.message, "no (statement: SELECT 1)");
  (void)lb_error_set(&err, LB_SERVER, "no");
  lb_error_set_query_id(&err, "01f0-id");
  lb_verdict_name_statement(LB_STR("CREATE USER u PASSWORD 'abcd'"), &err);
  assert_string_equal(err.message,
                      "no (query id 01f0-id, statement: CREATE USER u PASSWORD '***')");
  memset(sql, 'x', sizeof(sql));
  memcpy(sql, "SELECT ", 7);
  (void)lb_error_set(&err, LB_SERVER, "no");
  lb_verdict_name_statement((struct lb_str){sql, sizeof(sql)}, &err);
  LB_TEST_CONTAINS(err.message, "no (statement: SELECT xxx");
  LB_TEST_CONTAINS(err.message, "xxx ...)");
  assert_true(strlen(err.message) < 200);
  (void)lb_error_set(&err, LB_SERVER, "no");
  lb_verdict_name_statement(LB_STR("SELECT \xff\xe2\x82"), &err);
  assert_string_equal(err.message, "no (statement: SELECT \?\?\?)");
  static const char *const quoted[] = {"'4711'", "'47\\'11'", "\"47''11\"",
                                       "'47",    "'47\\",     "''"};
  for (size_t i = 0; i < LB_ARRAY_LEN(quoted); i++) {
    struct lb_str text = lb_str_from(quoted[i]);
    (void)lb_error_set(&err, LB_SERVER, "no");
    lb_verdict_name_statement(text, &err);
    assert_string_equal(err.message, text.data[0] == '"' ? "no (statement: \"...\")"
                                                         : "no (statement: '...')");
  }
}

/* What a quote means depends on what stands around it. */
static void test_no_quoted_value_is_shown(void **state) {
  (void)state;
  static const struct {
    const char *sql, *shown;
  } rows[] = {
      {"-- it's\nSELECT 'hunter2'", "-- it's SELECT '...'"},
      {"/* don't */ SELECT 'hunter2', `it's`, 'hunter2'",
       "/* don't */ SELECT '...', `it's`, '...'"},
      {"SELECT r'hunter2\\', 'hunter2'", "SELECT r'...', '...'"},
      {"SELECT R\"hunter2\", $$hunter2 '$$, 'hunter2", "SELECT R\"...\", $...$, '...'"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    char wanted[128];
    (void)lb_error_set(&err, LB_SERVER, "no");
    lb_verdict_name_statement(lb_str_from(rows[i].sql), &err);
    (void)snprintf(wanted, sizeof wanted, "no (statement: %s)", rows[i].shown);
    assert_string_equal(err.message, wanted);
  }
}

static void test_an_echo_of_the_statement_is_cut(void **state) {
  (void)state;
  static const char *const echoes[] = {
      "\n\n== SQL ==\nSELECT 'hunter2'\n----^^^\n",
      "\n== SQL (line 1, position 4) ==\nSELECT 'hunter2'",
      ";\n'Project [hunter2 AS x]\n+- OneRowRelation\n",
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(echoes); i++) {
    struct lb_error err = LB_ERROR_INIT;
    (void)lb_error_set(&err, LB_SERVER, "no: syntax error (pos 4)%s", echoes[i]);
    lb_verdict_hide_echo(&err);
    assert_string_equal(err.message, "no: syntax error (pos 4)");
  }
  struct lb_error err = LB_ERROR_INIT;
  lb_verdict_hide_echo(&err);
  lb_verdict_hide_echo(NULL);
  (void)lb_error_set(&err, LB_SERVER, "two\nlines");
  lb_verdict_hide_echo(&err);
  assert_string_equal(err.message, "two\nlines");
}

static void test_bound_values_are_hidden(void **state) {
  (void)state;
  static const struct {
    const char *value, *says, *wanted;
  } rows[] = {
      {"hunter2", "near ''hunter2''", "near ''...''"},
      {"hunter2", "'hunter2' and \"hunter2\", hunter2", "'...' and \"...\", hunter2"},
      {"x", "the value 'x' of 'xy'", "the value '...' of 'xy'"},
      {"it's", "the value 'it's' is", "the value '...' is"},
      {"", "the value '' is", "the value '' is"},
      {"hunter2", "'hunter", "'hunter"},
  };
  struct lb_error err = LB_ERROR_INIT;
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    (void)lb_error_set(&err, LB_SERVER, "%s", rows[i].says);
    lb_verdict_hide_value(lb_str_from(rows[i].value), &err);
    assert_string_equal(err.message, rows[i].wanted);
  }
  /* At the end of what a message holds: cut, and grown. */
  char text[sizeof err.message];
  for (size_t room = 1; room < 16; room++) {
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memcpy(text + sizeof text - 1 - room, "'secret of mine'", room);
    (void)lb_error_set(&err, LB_SERVER, "%s", text);
    lb_verdict_hide_value(LB_STR("secret of mine"), &err);
    assert_null(strstr(err.message, "'s"));
    text[2] = text[0] = '\'';
    text[1] = '1';
    (void)lb_error_set(&err, LB_SERVER, "%s", text);
    lb_verdict_hide_value(LB_STR("1"), &err);
    assert_memory_equal(err.message, "'...'x", 6);
  }
  lb_verdict_hide_value(LB_STR("x"), NULL);
}

static void test_literals_are_hidden(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  (void)lb_error_set(&err, LB_SERVER, "near 'a\\'b' or 'a'b' or 'own', '5' 'raw'");
  lb_verdict_hide_texts(LB_STR("SELECT 'a\\'b', 'own', DATE '5', r'raw', ''"),
                        LB_STR("SELECT ?, 'own', ?, ?"), &err);
  assert_string_equal(err.message, "near '...' or '...' or 'own', '...' '...'");
  lb_error_reset(&err);
  lb_verdict_hide_texts(LB_STR("SELECT 'a'"), LB_STR("SELECT ?"), &err);
  lb_verdict_hide_texts(LB_STR("SELECT 'a'"), LB_STR("SELECT ?"), NULL);
  assert_string_equal(err.message, "");
}

LB_TEST_MAIN(LB_TEST(test_bound_values_are_hidden), LB_TEST(test_literals_are_hidden),
             LB_TEST(test_an_error_names_its_statement),
             LB_TEST(test_an_echo_of_the_statement_is_cut),
             LB_TEST(test_no_quoted_value_is_shown),
             LB_TEST(test_rule_4_4_names_what_is_known),
             LB_TEST(test_each_reason_names_its_option),
             LB_TEST(test_rule_4_4_never_makes_an_error))
