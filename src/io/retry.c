/* SPDX-License-Identifier: Apache-2.0 */
/* 1. The table below says for each repeat class and outcome whether the reply is
 *    delivered, the exchange fails, or it is tried again. Probes and other single
 *    shots are never tried again: one request, one outcome. What may have run once (a
 *    statement, a fetch without a position) is tried again only where the server
 *    provably did nothing. Idempotent requests also after transport errors and after
 *    server faults, since those pass.
 * 2. The wait before attempt n+1 is what Retry-After asks for, plus up to a tenth, so
 *    that many clients told the same do not come back together. Without it, or when it
 *    asks for none, it is 1 s * 2^(n-1), of which a random part between half and all
 *    is taken.
 * 3. No wait is longer than 60 s: a warehouse that has started is noticed within a
 *    minute, whatever a proxy in front of it asks for.
 * 4. An attempt whose wait would end beyond the budget is not made; then a reply at
 *    hand is delivered, and anything else fails.
 * 5. A host that has never answered in this process has 10 s in place of the budget
 *    for transport errors: a wrong host name or port is to be reported while somebody
 *    still looks. One that has answered before is given all of it: networks come back. */
#include "io/retry.h"

#define FIRST_WAIT_MS 1000
#define WAIT_MAX_MS 60000
#define STRANGER_BUDGET_MS 10000

static const uint8_t actions[][LB_OUTCOME_COUNT] = {
    [LB_REPEAT_NEVER] =
        {
            [LB_OUTCOME_REPLY] = LB_RETRY_DELIVER,
            [LB_OUTCOME_BUSY] = LB_RETRY_DELIVER,
            [LB_OUTCOME_SERVER_FAULT] = LB_RETRY_DELIVER,
            [LB_OUTCOME_UNREACHED] = LB_RETRY_FAIL,
            [LB_OUTCOME_BROKEN] = LB_RETRY_FAIL,
            [LB_OUTCOME_SILENT] = LB_RETRY_FAIL,
            [LB_OUTCOME_FAULT] = LB_RETRY_FAIL,
        },
    [LB_REPEAT_IF_NOT_RECEIVED] =
        {
            [LB_OUTCOME_REPLY] = LB_RETRY_DELIVER,
            [LB_OUTCOME_BUSY] = LB_RETRY_AGAIN,
            [LB_OUTCOME_SERVER_FAULT] = LB_RETRY_DELIVER,
            [LB_OUTCOME_UNREACHED] = LB_RETRY_AGAIN,
            [LB_OUTCOME_BROKEN] = LB_RETRY_FAIL,
            [LB_OUTCOME_SILENT] = LB_RETRY_FAIL,
            [LB_OUTCOME_FAULT] = LB_RETRY_FAIL,
        },
    [LB_REPEAT_SAFE] =
        {
            [LB_OUTCOME_REPLY] = LB_RETRY_DELIVER,
            [LB_OUTCOME_BUSY] = LB_RETRY_AGAIN,
            [LB_OUTCOME_SERVER_FAULT] = LB_RETRY_AGAIN,
            [LB_OUTCOME_UNREACHED] = LB_RETRY_AGAIN,
            [LB_OUTCOME_BROKEN] = LB_RETRY_AGAIN,
            [LB_OUTCOME_SILENT] = LB_RETRY_AGAIN,
            [LB_OUTCOME_FAULT] = LB_RETRY_FAIL,
        },
};

enum lb_outcome lb_outcome_of_http(int32_t http_status) {
  if (http_status == 429 || http_status == 503) return LB_OUTCOME_BUSY;
  if (http_status == 408) return LB_OUTCOME_SERVER_FAULT;
  if (http_status >= 500 && http_status != 501) return LB_OUTCOME_SERVER_FAULT;
  return LB_OUTCOME_REPLY;
}

static int64_t backoff_ms(int32_t attempts, const struct lb_random *rnd) {
  int64_t wait_ms = FIRST_WAIT_MS;
  for (int32_t n = 1; n < attempts && wait_ms < WAIT_MAX_MS; n++) wait_ms *= 2;
  wait_ms = LB_MIN(wait_ms, WAIT_MAX_MS);
  return lb_random_between(rnd, wait_ms / 2, wait_ms);
}

static int64_t wait_before_next_ms(const struct lb_retry_facts *facts,
                                   const struct lb_random *rnd) {
  if (facts->retry_after_ms <= 0) return backoff_ms(facts->attempts, rnd);
  int64_t wait_ms = LB_MIN(facts->retry_after_ms, WAIT_MAX_MS);
  return LB_MIN(wait_ms + lb_random_between(rnd, 0, wait_ms / 10), WAIT_MAX_MS);
}

static int64_t budget_ms(const struct lb_retry_facts *facts) {
  bool transport =
      facts->outcome == LB_OUTCOME_UNREACHED || facts->outcome == LB_OUTCOME_BROKEN;
  if (!transport || facts->host_answered) return facts->budget_ms;
  return LB_MIN(facts->budget_ms, STRANGER_BUDGET_MS);
}

struct lb_retry_decision lb_retry_decide(const struct lb_retry_facts *facts,
                                         const struct lb_random *rnd) {
  enum lb_retry_action action =
      (enum lb_retry_action)actions[facts->repeat][facts->outcome];
  if (action != LB_RETRY_AGAIN) return (struct lb_retry_decision){action, 0};
  int64_t wait_ms = wait_before_next_ms(facts, rnd);
  if (lb_ms_add(facts->elapsed_ms, wait_ms) <= budget_ms(facts)) {
    return (struct lb_retry_decision){LB_RETRY_AGAIN, wait_ms};
  }
  bool reply =
      facts->outcome == LB_OUTCOME_BUSY || facts->outcome == LB_OUTCOME_SERVER_FAULT;
  return (struct lb_retry_decision){reply ? LB_RETRY_DELIVER : LB_RETRY_FAIL, 0};
}

int64_t lb_retry_after_parse(struct lb_str retry_after, struct lb_str date,
                             int64_t wall_ms) {
  int64_t seconds, at_ms, now_ms;
  struct lb_str text = lb_str_trim(retry_after);
  if (text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9') {
    if (!lb_str_to_i64(text, &seconds)) return -1;
    return seconds > LB_NEVER_MS / 1000 ? LB_NEVER_MS : seconds * 1000;
  }
  if (!lb_http_date_parse(text.data, text.len, &at_ms)) return -1;
  struct lb_str sent = lb_str_trim(date);
  if (!lb_http_date_parse(sent.data, sent.len, &now_ms)) now_ms = wall_ms;
  return LB_MAX(at_ms - now_ms, 0);
}
