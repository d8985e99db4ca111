/* SPDX-License-Identifier: Apache-2.0 */
#include "session/server_kinds.h"

#include "base/test_support.h"

#define MINUTE INT64_C(60000)

/* Written from what was measured and read, not from the table under test. */
static void rule_1_0_what_resets_which_clock(void **state) {
  (void)state;
  enum { STATUS, METADATA, FETCH, FETCH0, COLUMNS };
  static const enum lb_op_rpc rpcs[COLUMNS] = {LB_RPC_STATUS, LB_RPC_METADATA,
                                               LB_RPC_FETCH, LB_RPC_FETCH0};
  static const struct {
    enum lb_server_kind kind;
    enum lb_op_origin origin;
    bool contact[COLUMNS];
  } rows[] = {
      {LB_KIND_DATABRICKS, LB_OP_STATEMENT, {true, true, true, true}},
      {LB_KIND_DATABRICKS, LB_OP_METADATA, {true, true, true, true}},
      {LB_KIND_SPARK, LB_OP_STATEMENT, {false, false, true, true}},
      {LB_KIND_SPARK, LB_OP_METADATA, {false, true, true, true}},
      {LB_KIND_HIVE, LB_OP_STATEMENT, {false, true, true, true}},
      {LB_KIND_HIVE, LB_OP_METADATA, {false, true, true, true}},
      {LB_KIND_KYUUBI, LB_OP_STATEMENT, {true, false, true, true}},
      {LB_KIND_KYUUBI, LB_OP_METADATA, {true, false, true, true}},
      {LB_KIND_AUTO, LB_OP_STATEMENT, {false, false, true, false}},
      {LB_KIND_AUTO, LB_OP_METADATA, {false, false, true, false}},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    for (size_t c = 0; c < COLUMNS; c++) {
      bool contact = lb_server_is_contact(rows[i].kind, rows[i].origin, rpcs[c]);
      if (contact == rows[i].contact[c]) continue;
      print_error("%s, origin %d, rpc %d\n", lb_server_kind_name(rows[i].kind),
                  (int)rows[i].origin, (int)rpcs[c]);
      fail();
    }
    assert_true(lb_server_is_contact(rows[i].kind, rows[i].origin, LB_RPC_EXECUTE));
    assert_false(lb_server_is_contact(rows[i].kind, rows[i].origin, LB_RPC_CANCEL));
    assert_false(lb_server_is_contact(rows[i].kind, rows[i].origin, LB_RPC_CLOSE));
  }
}

static void rule_1_0_auto_takes_the_probe_that_works(void **state) {
  (void)state;
  static const struct {
    enum lb_server_kind kind;
    enum lb_probe_kind probe;
    enum lb_op_rpc rpc;
  } rows[] = {
      {LB_KIND_DATABRICKS, LB_PROBE_STATUS, LB_RPC_STATUS},
      {LB_KIND_SPARK, LB_PROBE_FETCH0, LB_RPC_FETCH0},
      {LB_KIND_HIVE, LB_PROBE_METADATA, LB_RPC_METADATA},
      {LB_KIND_KYUUBI, LB_PROBE_STATUS, LB_RPC_STATUS},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    for (int origin = LB_OP_STATEMENT; origin <= LB_OP_METADATA; origin++) {
      enum lb_probe_kind probe = LB_PROBE_AUTO;
      LB_TEST_OK(lb_server_choose_probe(rows[i].kind, (enum lb_op_origin)origin,
                                        LB_PROBE_AUTO, &probe, NULL),
                 NULL);
      assert_int_equal(probe, rows[i].probe);
      assert_true(
          lb_server_is_contact(rows[i].kind, (enum lb_op_origin)origin, rows[i].rpc));
      assert_false(lb_server_probe_harms(rows[i].kind, probe, false));
    }
  }
  /* Nothing learned: better none than a harmful one. */
  enum lb_probe_kind probe = LB_PROBE_AUTO;
  LB_TEST_OK(
      lb_server_choose_probe(LB_KIND_AUTO, LB_OP_STATEMENT, LB_PROBE_AUTO, &probe, NULL),
      NULL);
  assert_int_equal(probe, LB_PROBE_NONE);
}

static void rule_1_0_a_harmful_probe_is_refused(void **state) {
  (void)state;
  static const bool refused[LB_KIND_COUNT][LB_PROBE_NONE] = {
      [LB_KIND_AUTO] = {[LB_PROBE_FETCH0] = true},
      [LB_KIND_HIVE] = {[LB_PROBE_FETCH0] = true},
  };
  for (int kind = 0; kind < LB_KIND_COUNT; kind++) {
    for (int asked = LB_PROBE_STATUS; asked < LB_PROBE_NONE; asked++) {
      struct lb_error err = LB_ERROR_INIT;
      enum lb_probe_kind probe = LB_PROBE_AUTO;
      enum lb_status status =
          lb_server_choose_probe((enum lb_server_kind)kind, LB_OP_STATEMENT,
                                 (enum lb_probe_kind)asked, &probe, &err);
      if (!refused[kind][asked]) {
        LB_TEST_OK(status, &err);
        assert_int_equal(probe, asked); /* useless ones too: it was asked for */
        continue;
      }
      LB_TEST_FAILS(LB_INVALID_ARGUMENT, status, &err);
      assert_int_equal(probe, LB_PROBE_AUTO);
      LB_TEST_CONTAINS(err.message, "databricks.heartbeat.probe=fetch0");
      LB_TEST_CONTAINS(err.message, lb_server_kind_name((enum lb_server_kind)kind));
      LB_TEST_CONTAINS(err.message, "use auto");
    }
  }
  /* What depends on the result shows only there. */
  assert_true(lb_server_probe_harms(LB_KIND_KYUUBI, LB_PROBE_FETCH0, true));
  assert_false(lb_server_probe_harms(LB_KIND_KYUUBI, LB_PROBE_FETCH0, false));
  assert_false(lb_server_probe_harms(LB_KIND_KYUUBI, LB_PROBE_STATUS, true));
  assert_true(lb_server_probe_harms(LB_KIND_HIVE, LB_PROBE_FETCH0, false));
  assert_false(lb_server_probe_harms(LB_KIND_HIVE, LB_PROBE_METADATA, false));
  assert_false(lb_server_probe_harms(LB_KIND_SPARK, LB_PROBE_FETCH0, false));
  assert_true(lb_server_probe_harms(LB_KIND_SPARK, LB_PROBE_FETCH0, true));
  assert_false(lb_server_probe_harms(LB_KIND_DATABRICKS, LB_PROBE_FETCH0, true));
}

static void rule_1_0_limits(void **state) {
  (void)state;
  static const struct {
    enum lb_server_kind kind;
    int64_t idle_limit_ms;
    int64_t evict_window_ms;
    int64_t max_rows_cap;
  } rows[] = {
      {LB_KIND_AUTO, 0, 25 * MINUTE, 0},
      {LB_KIND_DATABRICKS, 20 * MINUTE, 25 * MINUTE, 0},
      {LB_KIND_SPARK, 0, 25 * MINUTE, 0},
      {LB_KIND_HIVE, 0, 25 * MINUTE, 10000},
      {LB_KIND_KYUUBI, 180 * MINUTE, 185 * MINUTE, 0},
  };
  assert_int_equal(LB_ARRAY_LEN(rows), LB_KIND_COUNT);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    const struct lb_server_facts *facts = lb_server_facts(rows[i].kind);
    assert_int_equal(facts->idle_limit_ms, rows[i].idle_limit_ms);
    assert_int_equal(facts->evict_window_ms, rows[i].evict_window_ms);
    assert_int_equal(facts->max_rows_cap, rows[i].max_rows_cap);
  }
}

static void rule_1_0_capabilities(void **state) {
  (void)state;
  static const struct {
    enum lb_server_kind kind;
    bool long_poll, direct, arrow, has_more, offset, late_schema;
  } rows[] = {
      {LB_KIND_AUTO, false, false, false, false, false, true},
      {LB_KIND_DATABRICKS, true, true, true, true, true, false},
      {LB_KIND_SPARK, true, false, false, false, true, true},
      {LB_KIND_HIVE, true, false, false, false, false, false},
      {LB_KIND_KYUUBI, false, false, false, false, false, true},
  };
  assert_int_equal(LB_ARRAY_LEN(rows), LB_KIND_COUNT);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    const struct lb_server_facts *facts = lb_server_facts(rows[i].kind);
    assert_int_equal(facts->long_poll, rows[i].long_poll);
    assert_int_equal(facts->direct_results, rows[i].direct);
    assert_int_equal(facts->arrow_results, rows[i].arrow);
    assert_int_equal(facts->reliable_has_more, rows[i].has_more);
    assert_int_equal(facts->start_row_offset, rows[i].offset);
    assert_int_equal(facts->ask_schema_after_finish_only, rows[i].late_schema);
  }
}

static void rule_1_0_kind_is_learned_from_the_name(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum lb_server_kind kind;
  } rows[] = {
      {"Spark SQL", LB_KIND_SPARK},
      {"Apache Hive", LB_KIND_HIVE},
      {"Apache Kyuubi (Incubating)", LB_KIND_KYUUBI},
      {"Databricks SQL", LB_KIND_DATABRICKS},
      {"Something else", LB_KIND_SPARK},
      {"", LB_KIND_SPARK},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    assert_int_equal(lb_server_kind_from_dbms(lb_str_from(rows[i].name)), rows[i].kind);
  }
}

static void rule_3_8_interval_against_the_limit(void **state) {
  (void)state;
  static const struct {
    enum lb_server_kind kind;
    int64_t seconds;
    bool refused;
    bool warned;
  } rows[] = {
      {LB_KIND_DATABRICKS, 1, false, false},    {LB_KIND_DATABRICKS, 60, false, false},
      {LB_KIND_DATABRICKS, 400, false, false},  {LB_KIND_DATABRICKS, 401, false, true},
      {LB_KIND_DATABRICKS, 600, false, true},   {LB_KIND_DATABRICKS, 601, true, false},
      {LB_KIND_DATABRICKS, 86400, true, false}, {LB_KIND_KYUUBI, 3600, false, false},
      {LB_KIND_KYUUBI, 3601, false, true},      {LB_KIND_KYUUBI, 5400, false, true},
      {LB_KIND_KYUUBI, 5401, true, false},      {LB_KIND_SPARK, 86400, false, false},
      {LB_KIND_HIVE, 86400, false, false},      {LB_KIND_AUTO, 86400, false, false},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    bool warn = !rows[i].warned;
    enum lb_status status =
        lb_server_check_interval(rows[i].kind, rows[i].seconds * 1000, &warn, &err);
    if (rows[i].refused) {
      LB_TEST_FAILS(LB_INVALID_ARGUMENT, status, &err);
      LB_TEST_CONTAINS(err.message, "databricks.heartbeat.interval_seconds=");
      LB_TEST_CONTAINS(err.message, lb_server_kind_name(rows[i].kind));
      LB_TEST_CONTAINS(err.message,
                       rows[i].kind == LB_KIND_KYUUBI ? "10800 s" : "1200 s");
      LB_TEST_CONTAINS(err.message, rows[i].kind == LB_KIND_KYUUBI ? "5400" : "600");
    } else {
      LB_TEST_OK(status, &err);
      assert_int_equal(warn, rows[i].warned);
    }
  }
}

static void rule_3_8_interval_is_whole_seconds(void **state) {
  (void)state;
  static const int64_t wrong_ms[] = {0, -1, -60000, 999, 1500, INT64_MIN};
  for (size_t i = 0; i < LB_ARRAY_LEN(wrong_ms); i++) {
    for (int kind = 0; kind < LB_KIND_COUNT; kind++) {
      struct lb_error err = LB_ERROR_INIT;
      bool warn;
      LB_TEST_FAILS(
          LB_INVALID_ARGUMENT,
          lb_server_check_interval((enum lb_server_kind)kind, wrong_ms[i], &warn, &err),
          &err);
      LB_TEST_CONTAINS(err.message, "databricks.heartbeat.interval_seconds");
      LB_TEST_CONTAINS(err.message, "databricks.heartbeat.enabled=false");
    }
  }
}

static void words(void **state) {
  (void)state;
  static const char *const kinds[LB_KIND_COUNT] = {"auto", "databricks", "spark", "hive",
                                                   "kyuubi"};
  for (int i = 0; i < LB_KIND_COUNT; i++) {
    enum lb_server_kind kind = LB_KIND_COUNT;
    assert_true(lb_server_kind_parse(lb_str_from(kinds[i]), &kind));
    assert_int_equal(kind, i);
    assert_string_equal(lb_server_kind_name(kind), kinds[i]);
  }
  static const char *const probes[LB_PROBE_NONE] = {"auto", "status", "metadata",
                                                    "fetch0"};
  for (int i = 0; i < LB_PROBE_NONE; i++) {
    enum lb_probe_kind probe = LB_PROBE_NONE;
    assert_true(lb_probe_kind_parse(lb_str_from(probes[i]), &probe));
    assert_int_equal(probe, i);
    assert_string_equal(lb_probe_kind_name(probe), probes[i]);
  }
  enum lb_server_kind kind = LB_KIND_HIVE;
  enum lb_probe_kind probe = LB_PROBE_STATUS;
  assert_false(lb_server_kind_parse(LB_STR("presto"), &kind));
  assert_false(lb_server_kind_parse(LB_STR(""), &kind));
  assert_false(lb_probe_kind_parse(LB_STR("none"), &probe));
  assert_int_equal(kind, LB_KIND_HIVE);
  assert_int_equal(probe, LB_PROBE_STATUS);
  assert_true(lb_server_kind_parse(LB_STR("Spark"), &kind));
  /* Values that no enumeration has are survived. */
  assert_string_equal(lb_server_kind_name((enum lb_server_kind)99), "unknown");
  assert_string_equal(lb_probe_kind_name((enum lb_probe_kind)99), "unknown");
  assert_ptr_equal(lb_server_facts((enum lb_server_kind)99),
                   lb_server_facts(LB_KIND_AUTO));
  assert_false(
      lb_server_is_contact((enum lb_server_kind)99, LB_OP_STATEMENT, LB_RPC_FETCH));
}

LB_TEST_MAIN(LB_TEST(rule_1_0_what_resets_which_clock),
             LB_TEST(rule_1_0_auto_takes_the_probe_that_works),
             LB_TEST(rule_1_0_a_harmful_probe_is_refused), LB_TEST(rule_1_0_limits),
             LB_TEST(rule_1_0_capabilities),
             LB_TEST(rule_1_0_kind_is_learned_from_the_name),
             LB_TEST(rule_3_8_interval_against_the_limit),
             LB_TEST(rule_3_8_interval_is_whole_seconds), LB_TEST(words))
