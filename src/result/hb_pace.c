/* SPDX-License-Identifier: Apache-2.0 */
/* How many probes of a gate may be in flight.
 *
 * Procedure
 *
 *  1. Wanted is twice what the due rate and the measured latency keep in flight by
 *     themselves, at least LIMIT_MIN, at most LIMIT_MAX.
 *  2. Less than now: at once.
 *  3. More than now: on trial, at most doubled at a time. A server that is busy answers
 *     the later the more it is asked, which would call for still more: each probe in
 *     flight is a connection, and none of them would be answered sooner.
 *  4. A trial passes over `limit` answers, most of which were under way before it, and
 *     compares the mean latency of the next `limit` with that of the last round before.
 *     Where it has grown by more than half of what the limit has, the raise has bought
 *     waiting instead of answers: it is taken back, and the next one waits PAUSE_MS.
 *
 * Constants
 *
 *  LIMIT_MIN       16: below, a single slow answer would delay everybody.
 *  LIMIT_MAX       512: the share of connections that probes have.
 *  LATENCY_WEIGHT  8: an answer weighs one eighth; some ten answers turn the estimate.
 *  PAUSE_MS        30 s: two trials in the shortest interval that servers need, and a
 *                  busy server sees twice the connections for a moment only. */
#include "result/hb_pace.h"

#include "base/base.h"
#include "base/clock.h"

#define LATENCY_WEIGHT 8
#define LATENCY_UNIT 16
#define PAUSE_MS 30000

void lb_hb_pace_init(struct lb_hb_pace *pace) {
  *pace = (struct lb_hb_pace){
      .latency_16 = -1, .limit = LB_HB_LIMIT_MIN, .mean_16 = -1, .pause_ms = INT64_MIN};
}

static int32_t wanted(const struct lb_hb_pace *pace, int64_t rate_per_s) {
  if (pace->latency_16 <= 0) return LB_HB_LIMIT_MIN;
  int64_t limit = 2 * rate_per_s * pace->latency_16 / (1000 * LATENCY_UNIT);
  return (int32_t)LB_MIN(LB_MAX(limit, LB_HB_LIMIT_MIN), LB_HB_LIMIT_MAX);
}

static void begin_round(struct lb_hb_pace *pace, int32_t passed_over) {
  pace->count = -passed_over;
  pace->sum_ms = 0;
}

static void lower(struct lb_hb_pace *pace, int32_t limit) {
  pace->limit = limit;
  pace->before = 0;
  begin_round(pace, 0);
}

void lb_hb_pace_lower(struct lb_hb_pace *pace, int64_t rate_per_s) {
  int32_t limit = wanted(pace, rate_per_s);
  if (limit < pace->limit) lower(pace, limit);
}

static void smooth(struct lb_hb_pace *pace, int64_t latency_ms) {
  int64_t sample_16 = latency_ms * LATENCY_UNIT;
  if (pace->latency_16 < 0) {
    pace->latency_16 = sample_16;
  } else {
    pace->latency_16 += (sample_16 - pace->latency_16) / LATENCY_WEIGHT;
  }
}

/* before_16 -> now_16 against before -> limit, as in step 4. */
static bool has_bought_waiting(const struct lb_hb_pace *pace, int64_t now_16) {
  int64_t allowed = pace->before + (pace->limit - pace->before) / 2;
  return now_16 * pace->before > pace->mean_16 * allowed;
}

static void end_round(struct lb_hb_pace *pace, int64_t now_ms) {
  int64_t mean_16 = pace->sum_ms * LATENCY_UNIT / pace->count;
  if (pace->before > 0 && has_bought_waiting(pace, mean_16)) {
    lower(pace, pace->before);
    pace->pause_ms = lb_ms_add(now_ms, PAUSE_MS);
    return;
  }
  pace->before = 0;
  pace->mean_16 = mean_16;
  begin_round(pace, 0);
}

void lb_hb_pace_answer(struct lb_hb_pace *pace, int64_t rate_per_s, int64_t latency_ms,
                       int64_t now_ms) {
  smooth(pace, latency_ms);
  if (pace->count >= 0) pace->sum_ms += latency_ms;
  pace->count++;
  if (pace->count >= pace->limit) end_round(pace, now_ms);
  int32_t limit = wanted(pace, rate_per_s);
  if (limit < pace->limit) {
    lower(pace, limit);
  } else if (limit > pace->limit && pace->before == 0 && pace->mean_16 >= 0 &&
             now_ms >= pace->pause_ms) {
    pace->before = pace->limit;
    pace->limit = LB_MIN(limit, 2 * pace->limit);
    begin_round(pace, pace->limit);
  }
}
