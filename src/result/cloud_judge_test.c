/* SPDX-License-Identifier: Apache-2.0 */
#include "result/cloud_judge.h"

#include "base/test_support.h"

static struct lb_cloud_facts facts_of(enum lb_status status, int32_t http_status) {
  return (struct lb_cloud_facts){.status = status,
                                 .http_status = http_status,
                                 .whole = true,
                                 .answered = true,
                                 .retry_after_ms = -1};
}

static struct lb_cloud_verdict judge(const struct lb_cloud_facts *facts) {
  struct lb_random_state state;
  lb_random_seed(&state, 7);
  struct lb_random rnd = lb_random_from(&state);
  return lb_cloud_judge(facts, &rnd);
}

static void expect(enum lb_status status, int32_t http_status, enum lb_cloud_step step) {
  struct lb_cloud_facts facts = facts_of(status, http_status);
  struct lb_cloud_verdict verdict = judge(&facts);
  if (verdict.step != step) print_error("HTTP %d, status %d\n", http_status, (int)status);
  assert_int_equal(verdict.step, step);
}

static void test_answers(void **state) {
  (void)state;
  static const int32_t renewed[] = {400, 401, 403, 404, 410};
  static const int32_t repeated[] = {408, 429, 500, 502, 503, 504};
  static const int32_t final[] = {204, 301, 304, 307, 405, 418};
  expect(LB_OK, 200, LB_CLOUD_DECODE);
  expect(LB_OK, 206, LB_CLOUD_DECODE);
  for (size_t i = 0; i < LB_ARRAY_LEN(renewed); i++) {
    expect(LB_OK, renewed[i], LB_CLOUD_RENEW);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(repeated); i++) {
    expect(LB_OK, repeated[i], LB_CLOUD_AGAIN);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(final); i++) expect(LB_OK, final[i], LB_CLOUD_FAIL);
  expect(LB_OK, 412, LB_CLOUD_REDO);
  expect(LB_OK, 416, LB_CLOUD_REDO);
  expect(LB_CONNECTION, 0, LB_CLOUD_AGAIN);
  expect(LB_CONNECTION, 200, LB_CLOUD_AGAIN);
  expect(LB_TIMEOUT, 0, LB_CLOUD_AGAIN);
  expect(LB_OUT_OF_MEMORY, 200, LB_CLOUD_FAIL);
  expect(LB_INVALID_DATA, 200, LB_CLOUD_FAIL);
}

static void test_limits(void **state) {
  (void)state;
  struct lb_cloud_facts facts = facts_of(LB_OK, 403);
  for (facts.renewals = 0; facts.renewals < 3; facts.renewals++) {
    assert_int_equal(judge(&facts).step, LB_CLOUD_RENEW);
  }
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
  facts = facts_of(LB_OK, 503);
  for (facts.tries = 0; facts.tries < 5; facts.tries++) {
    assert_int_equal(judge(&facts).step, LB_CLOUD_AGAIN);
  }
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
  facts = facts_of(LB_OK, 200);
  facts.undecodable = true;
  for (facts.redone = 0; facts.redone < 2; facts.redone++) {
    assert_int_equal(judge(&facts).step, LB_CLOUD_REDO);
  }
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
  /* There may be no way to it at all. */
  facts = facts_of(LB_CONNECTION, 0);
  facts.answered = false;
  assert_int_equal(judge(&facts).step, LB_CLOUD_AGAIN);
  facts.tries = 1;
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
}

static void test_pauses(void **state) {
  (void)state;
  struct lb_cloud_facts facts = facts_of(LB_OK, 503);
  int64_t longest_ms = 200;
  for (facts.tries = 0; facts.tries < 5; facts.tries++, longest_ms *= 2) {
    int64_t wait_ms = judge(&facts).wait_ms;
    assert_in_range(wait_ms, longest_ms / 2, longest_ms);
  }
  facts.tries = 0;
  facts.retry_after_ms = 7000;
  assert_int_equal(judge(&facts).wait_ms, 7000);
  facts.retry_after_ms = 3600000;
  assert_int_equal(judge(&facts).wait_ms, 60000);
}

/* Nothing mends another file, and a part that does not fit only as long as no row of it
 * is out. */
static void test_another_file(void **state) {
  (void)state;
  struct lb_cloud_facts facts = facts_of(LB_OK, 200);
  facts.changed = facts.undecodable = true;
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
  facts = facts_of(LB_OK, 412);
  facts.settled = true;
  assert_int_equal(judge(&facts).step, LB_CLOUD_FAIL);
  facts = facts_of(LB_OK, 200);
  facts.whole = false;
  assert_int_equal(judge(&facts).step, LB_CLOUD_AGAIN);
}

LB_TEST_MAIN(LB_TEST(test_answers), LB_TEST(test_limits), LB_TEST(test_pauses),
             LB_TEST(test_another_file))
