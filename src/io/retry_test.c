/* SPDX-License-Identifier: Apache-2.0 */
#include "io/retry.h"

#include "base/test_support.h"

#define D LB_RETRY_DELIVER
#define F LB_RETRY_FAIL
#define A LB_RETRY_AGAIN

static const uint64_t low[] = {LB_FAKE_RANDOM_LOW};
static const uint64_t high[] = {LB_FAKE_RANDOM_HIGH};

static struct lb_retry_decision decide(struct lb_retry_facts facts,
                                       const uint64_t *value) {
  struct lb_fake_random fake = {.values = value, .len = 1};
  struct lb_random rnd = lb_fake_random_from(&fake);
  return lb_retry_decide(&facts, &rnd);
}

static struct lb_retry_facts facts_of(enum lb_repeat repeat, enum lb_outcome outcome) {
  return (struct lb_retry_facts){.repeat = repeat,
                                 .outcome = outcome,
                                 .attempts = 1,
                                 .budget_ms = 900000,
                                 .retry_after_ms = -1,
                                 .host_answered = true};
}

static void test_every_class_and_outcome(void **state) {
  (void)state;
  static const struct {
    enum lb_outcome outcome;
    enum lb_retry_action never, if_not_received, safe;
  } rows[] = {
      {LB_OUTCOME_REPLY, D, D, D},        {LB_OUTCOME_BUSY, D, A, A},
      {LB_OUTCOME_SERVER_FAULT, D, D, A}, {LB_OUTCOME_UNREACHED, F, A, A},
      {LB_OUTCOME_BROKEN, F, F, A},       {LB_OUTCOME_SILENT, F, F, A},
      {LB_OUTCOME_FAULT, F, F, F},
  };
  assert_int_equal(LB_ARRAY_LEN(rows), LB_OUTCOME_COUNT);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    enum lb_outcome outcome = rows[i].outcome;
    assert_int_equal(decide(facts_of(LB_REPEAT_NEVER, outcome), low).action,
                     rows[i].never);
    assert_int_equal(decide(facts_of(LB_REPEAT_IF_NOT_RECEIVED, outcome), low).action,
                     rows[i].if_not_received);
    assert_int_equal(decide(facts_of(LB_REPEAT_SAFE, outcome), low).action, rows[i].safe);
  }
}

static void test_http_statuses(void **state) {
  (void)state;
  static const struct {
    int32_t http_status;
    enum lb_outcome outcome;
  } rows[] = {
      {200, LB_OUTCOME_REPLY},        {204, LB_OUTCOME_REPLY},
      {302, LB_OUTCOME_REPLY},        {400, LB_OUTCOME_REPLY},
      {401, LB_OUTCOME_REPLY},        {403, LB_OUTCOME_REPLY},
      {404, LB_OUTCOME_REPLY},        {408, LB_OUTCOME_SERVER_FAULT},
      {409, LB_OUTCOME_REPLY},        {429, LB_OUTCOME_BUSY},
      {500, LB_OUTCOME_SERVER_FAULT}, {501, LB_OUTCOME_REPLY},
      {502, LB_OUTCOME_SERVER_FAULT}, {503, LB_OUTCOME_BUSY},
      {504, LB_OUTCOME_SERVER_FAULT}, {599, LB_OUTCOME_SERVER_FAULT},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    assert_int_equal(lb_outcome_of_http(rows[i].http_status), rows[i].outcome);
  }
}

static void test_backoff_doubles_to_a_minute(void **state) {
  (void)state;
  static const int64_t full_ms[] = {1000,  2000,  4000,  8000, 16000,
                                    32000, 60000, 60000, 60000};
  for (size_t i = 0; i < LB_ARRAY_LEN(full_ms); i++) {
    struct lb_retry_facts facts = facts_of(LB_REPEAT_SAFE, LB_OUTCOME_BROKEN);
    facts.attempts = (int32_t)i + 1;
    assert_int_equal(decide(facts, high).wait_ms, full_ms[i]);
    assert_int_equal(decide(facts, low).wait_ms, full_ms[i] / 2);
  }
}

static void test_attempts_without_end_do_not_overflow(void **state) {
  (void)state;
  struct lb_retry_facts facts = facts_of(LB_REPEAT_SAFE, LB_OUTCOME_BUSY);
  facts.attempts = INT32_MAX;
  facts.budget_ms = LB_NEVER_MS;
  facts.elapsed_ms = LB_NEVER_MS - 1;
  assert_int_equal(decide(facts, high).action, A);
  assert_int_equal(decide(facts, high).wait_ms, 60000);
}

static void test_retry_after_decides_within_a_minute(void **state) {
  (void)state;
  static const struct {
    int64_t asked_ms, least_ms, most_ms;
  } rows[] = {
      {1000, 1000, 1100},    {10000, 10000, 11000},  {59000, 59000, 60000},
      {60000, 60000, 60000}, {300000, 60000, 60000}, {LB_NEVER_MS, 60000, 60000},
      {0, 500, 1000},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_retry_facts facts = facts_of(LB_REPEAT_IF_NOT_RECEIVED, LB_OUTCOME_BUSY);
    facts.retry_after_ms = rows[i].asked_ms;
    assert_int_equal(decide(facts, low).wait_ms, rows[i].least_ms);
    assert_int_equal(decide(facts, high).wait_ms, rows[i].most_ms);
  }
}

static void test_budget_ends_it(void **state) {
  (void)state;
  struct lb_retry_facts facts = facts_of(LB_REPEAT_SAFE, LB_OUTCOME_BUSY);
  facts.retry_after_ms = 5000;
  facts.elapsed_ms = 895000;
  assert_int_equal(decide(facts, low).action, A);
  facts.elapsed_ms = 895001;
  assert_int_equal(decide(facts, low).action, D);
  facts.outcome = LB_OUTCOME_SERVER_FAULT;
  assert_int_equal(decide(facts, low).action, D);
  facts.outcome = LB_OUTCOME_BROKEN;
  assert_int_equal(decide(facts, low).action, F);
  facts.budget_ms = 0;
  facts.elapsed_ms = 0;
  assert_int_equal(decide(facts, low).action, F);
}

static void test_stranger_is_given_ten_seconds(void **state) {
  (void)state;
  static const enum lb_outcome transport[] = {LB_OUTCOME_UNREACHED, LB_OUTCOME_BROKEN};
  for (size_t i = 0; i < LB_ARRAY_LEN(transport); i++) {
    struct lb_retry_facts facts = facts_of(LB_REPEAT_SAFE, transport[i]);
    facts.host_answered = false;
    facts.elapsed_ms = 9500;
    assert_int_equal(decide(facts, low).action, A);
    facts.elapsed_ms = 9501;
    assert_int_equal(decide(facts, low).action, F);
    facts.host_answered = true;
    assert_int_equal(decide(facts, low).action, A);
  }
  struct lb_retry_facts facts = facts_of(LB_REPEAT_SAFE, LB_OUTCOME_BUSY);
  facts.host_answered = false;
  facts.elapsed_ms = 100000;
  assert_int_equal(decide(facts, low).action, A);
}

static int64_t parse(const char *text, const char *date, int64_t wall_ms) {
  return lb_retry_after_parse(lb_str_from(text), lb_str_from(date), wall_ms);
}

static void test_retry_after_in_seconds(void **state) {
  (void)state;
  assert_int_equal(parse("120", "", 0), 120000);
  assert_int_equal(parse(" 7 ", "", 0), 7000);
  assert_int_equal(parse("0", "", 0), 0);
  assert_int_equal(parse("9223372036854775807", "", 0), LB_NEVER_MS);
  assert_int_equal(parse("99999999999999999999", "", 0), -1);
  assert_int_equal(parse("1.5", "", 0), -1);
  assert_int_equal(parse("-5", "", 0), -1);
  assert_int_equal(parse("soon", "", 0), -1);
  assert_int_equal(parse("", "", 0), -1);
}

static void test_retry_after_as_date(void **state) {
  (void)state;
  const char *at = "Sun, 06 Nov 1994 08:49:37 GMT"; /* 784111777 */
  assert_int_equal(parse(at, "", INT64_C(784111757000)), 20000);
  assert_int_equal(parse(at, "", INT64_C(784111778000)), 0);
  /* The server's clock is hours off; what counts is its own difference. */
  assert_int_equal(parse(at, "Sun, 06 Nov 1994 08:49:07 GMT", INT64_C(999999999999)),
                   30000);
  assert_int_equal(parse(at, "nonsense", INT64_C(784111776000)), 1000);
}

LB_TEST_MAIN(LB_TEST(test_every_class_and_outcome), LB_TEST(test_http_statuses),
             LB_TEST(test_backoff_doubles_to_a_minute),
             LB_TEST(test_attempts_without_end_do_not_overflow),
             LB_TEST(test_retry_after_decides_within_a_minute),
             LB_TEST(test_budget_ends_it), LB_TEST(test_stranger_is_given_ten_seconds),
             LB_TEST(test_retry_after_in_seconds), LB_TEST(test_retry_after_as_date))
