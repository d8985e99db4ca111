/* SPDX-License-Identifier: Apache-2.0 */
/* How many probes of a gate may be in flight.
 *
 * Procedure
 *
 *  1. Wanted is twice what the due rate and the mean latency keep in flight by
 *     themselves, at least LIMIT_MIN, at most LIMIT_MAX.
 *  2. Answers are taken in rounds, and the limit changes at the end of one: single
 *     answers say little, since some servers answer most probes at once and a few a
 *     hundred times later. A round has `limit` answers, and either ROUND or ROUND_MS.
 *  3. Nobody has waited for a place: the limit falls to what is wanted, never rises.
 *  4. Somebody has waited most of the time: the limit is raised on trial, at most
 *     doubled and at most to what is wanted. It is on trial since a server that is busy
 *     answers the later the more it is asked, which would call for still more, while
 *     each probe in flight is a connection. Where probes are late by an eighth of their
 *     interval it may go beyond what is wanted, up to LIMIT_MAX: in doubt there are
 *     rather more in flight than too late ones.
 *  5. A trial passes over as many answers as were under way, and compares the next
 *     round with the better of the last two before. The raise has bought waiting
 *     instead of answers, when both say so: the typical latency (the geometric mean,
 *     which a few slow answers do not carry away) has grown by more than half of what
 *     the limit has, in doublings, and the answers per second by less than a quarter of
 *     it. Then it is taken back, and the next one waits PAUSE_MS, twice as long each
 *     time; but only PAUSE_LATE_MS while probes are late. A raise that has brought
 *     three quarters of what it could while answers were passed over needs no round.
 *  6. Chance now and then keeps a raise that should not have been kept. So each is also
 *     compared with where the raises began (the root), which may be long ago; where
 *     that speaks against it, or IN_VAIN raises were taken back one after the other, or
 *     LIMIT_MAX is reached, the next trial is one with half as much. It stays when it
 *     costs no answers by the measure of step 5, and the next one follows; else it is
 *     taken back, and what it has shown is the new root.
 *  7. A probe that was sent OVERTAKEN_MEANS mean latencies and OVERTAKEN_MS before
 *     another one that was answered is stuck: it does not count (hb_host.c, step 8). One
 *     queue, which answers in turn or nearly so, makes none of these.
 *
 * Constants
 *
 *  LIMIT_MIN        16: below, a single slow answer would delay everybody.
 *  LIMIT_MAX        512: the share of connections that probes have.
 *  ROUND            64: with fewer, chance would decide too often where latencies are
 *                   mixed.
 *  ROUND_MS         1 s: where answers are so slow that 64 of them last longer, `limit`
 *                   of them, one for each place, have to do.
 *  WEIGHT           256 answers make the mean latency; what chance leaves of its error
 *                   is less than the factor two of what is wanted.
 *  PAUSE_MS         30 s: a busy server sees twice the connections for a moment only.
 *  PAUSE_MAX_MS     8 min.
 *  PAUSE_LATE_MS    2 s: another try before the lateness grows by much.
 *  IN_VAIN          2: a trial with less, where more would be of use, costs a round at
 *                   half the speed; by chance alone two raises in a row are rarely
 *                   taken back.
 *  OVERTAKEN_MEANS  4: of a server that answers in no order at all, one in fifty.
 *  OVERTAKEN_MS     250 ms: short latencies waver by more than their mean. */
#include "result/hb_pace.h"

#include "base/base.h"
#include "base/clock.h"

#define ROUND 64
#define ROUND_MS 1000
#define WEIGHT 256
#define LATENCY_UNIT 16
#define LOG_UNIT 256
#define PAUSE_MS 30000
#define PAUSE_MAX_MS (8 * 60 * 1000)
#define PAUSE_LATE_MS 2000
#define IN_VAIN 2
#define OVERTAKEN_MEANS 4
#define OVERTAKEN_MS 250

void lb_hb_pace_init(struct lb_hb_pace *pace) {
  *pace = (struct lb_hb_pace){.limit = LB_HB_LIMIT_MIN,
                              .raise_ms = INT64_MIN,
                              .raise_late_ms = INT64_MIN,
                              .drop_ms = INT64_MIN,
                              .pause_ms = PAUSE_MS,
                              .round.begin_ms = INT64_MIN};
}

int64_t lb_hb_pace_overtaken_ms(const struct lb_hb_pace *pace) {
  return OVERTAKEN_MEANS * pace->mean_16 / LATENCY_UNIT + OVERTAKEN_MS;
}

static int32_t wanted(const struct lb_hb_pace *pace, int64_t rate_per_s) {
  int64_t limit = 2 * rate_per_s * pace->mean_16 / (1000 * LATENCY_UNIT);
  return (int32_t)LB_MIN(LB_MAX(limit, LB_HB_LIMIT_MIN), LB_HB_LIMIT_MAX);
}

/* The logarithm to base 2 in units of 1/LOG_UNIT, straight between powers of two. */
static int64_t log_of(int64_t value) {
  int64_t whole = 0;
  while (value >> whole > 1) whole++;
  return whole * LOG_UNIT + value * LOG_UNIT / (INT64_C(1) << whole) - LOG_UNIT;
}

static void begin_round(struct lb_hb_pace *pace, int32_t passed_over, int64_t now_ms) {
  pace->round = (struct lb_hb_round){.begin_ms = now_ms, .count = -passed_over};
}

static void set_limit(struct lb_hb_pace *pace, int32_t limit) {
  if (limit != pace->limit) pace->last.per_ks = 0;
  pace->limit = limit;
  pace->before = 0;
}

void lb_hb_pace_lower(struct lb_hb_pace *pace, int64_t rate_per_s) {
  int32_t limit = wanted(pace, rate_per_s);
  if (limit < pace->limit) set_limit(pace, limit);
}

static void smooth(struct lb_hb_pace *pace, int64_t latency_ms) {
  if (pace->samples < WEIGHT) pace->samples++;
  pace->mean_16 += (latency_ms * LATENCY_UNIT - pace->mean_16) / pace->samples;
}

/* At least `quarters` of what more places would bring were they all of use. */
static bool has_bought_answers(int32_t less, int64_t less_per_ks, int32_t more,
                               int64_t more_per_ks, int quarters) {
  return more_per_ks * less >= less_per_ks * (less + (more - less) * quarters / 4);
}

/* Step 5. */
static bool buys_waiting(int32_t low, const struct lb_hb_figures *less, int32_t high,
                         const struct lb_hb_figures *more) {
  return more->log - less->log > (log_of(high) - log_of(low)) / 2 &&
         !has_bought_answers(low, less->per_ks, high, more->per_ks, 1);
}

static void set_root(struct lb_hb_pace *pace, const struct lb_hb_figures *figures) {
  pace->root = *figures;
  pace->root_limit = pace->limit;
}

static void try_limit(struct lb_hb_pace *pace, int32_t limit, int64_t now_ms) {
  int32_t before = pace->limit;
  set_limit(pace, limit);
  pace->before = before;
  begin_round(pace, LB_MAX(limit, before), now_ms);
}

static void take_back(struct lb_hb_pace *pace, int64_t now_ms) {
  int32_t passed_over = LB_MAX(pace->limit, pace->before);
  set_limit(pace, pace->before);
  begin_round(pace, passed_over, now_ms);
}

static void keep_raise(struct lb_hb_pace *pace, int64_t now_ms) {
  pace->before = 0;
  pace->in_vain = 0;
  pace->raise_ms = now_ms;
  pace->pause_ms = PAUSE_MS;
  pace->drop_ms = lb_ms_add(now_ms, PAUSE_MS);
}

static int64_t next_pause(struct lb_hb_pace *pace, int64_t now_ms) {
  int64_t until_ms = lb_ms_add(now_ms, pace->pause_ms);
  pace->pause_ms = LB_MIN(2 * pace->pause_ms, PAUSE_MAX_MS);
  return until_ms;
}

/* Both return true when the limit was changed for it. */
static bool end_raise(struct lb_hb_pace *pace, const struct lb_hb_figures *now,
                      int64_t now_ms) {
  if (buys_waiting(pace->before, &pace->base, pace->limit, now)) {
    pace->in_vain++;
    pace->raise_ms = next_pause(pace, now_ms);
    pace->raise_late_ms = lb_ms_add(now_ms, PAUSE_LATE_MS);
    pace->drop_ms = now_ms;
    take_back(pace, now_ms);
    return true;
  }
  keep_raise(pace, now_ms);
  if (buys_waiting(pace->root_limit, &pace->root, pace->limit, now)) {
    pace->in_vain = IN_VAIN;
    pace->drop_ms = now_ms;
  }
  return false;
}

static bool end_drop(struct lb_hb_pace *pace, const struct lb_hb_figures *now,
                     int64_t now_ms) {
  if (buys_waiting(pace->limit, now, pace->before, &pace->base)) {
    pace->before = 0;
    return false;
  }
  set_root(pace, now);
  pace->in_vain = 0;
  pace->drop_ms = next_pause(pace, now_ms);
  take_back(pace, now_ms);
  return true;
}

/* With somebody waiting most of the time. */
static void want_more(struct lb_hb_pace *pace, const struct lb_hb_load *load,
                      int64_t now_ms) {
  bool in_vain = pace->in_vain >= IN_VAIN || pace->limit == LB_HB_LIMIT_MAX;
  if (in_vain && pace->limit > LB_HB_LIMIT_MIN) {
    if (now_ms < pace->drop_ms) return;
    try_limit(pace, LB_MAX(pace->limit / 2, LB_HB_LIMIT_MIN), now_ms);
    return;
  }
  int32_t limit = load->late ? LB_HB_LIMIT_MAX : wanted(pace, load->rate_per_s);
  if (limit <= pace->limit) return;
  if (now_ms < (load->late ? pace->raise_late_ms : pace->raise_ms)) return;
  if (pace->root_limit == 0 || pace->limit <= pace->root_limit)
    set_root(pace, &pace->base);
  try_limit(pace, LB_MIN(limit, 2 * pace->limit), now_ms);
}

static void adjust(struct lb_hb_pace *pace, const struct lb_hb_load *load,
                   const struct lb_hb_figures *now, int64_t now_ms) {
  int32_t queued = pace->round.queued;
  bool mostly = 2 * queued >= pace->round.count;
  begin_round(pace, 0, now_ms);
  if (queued == 0) lb_hb_pace_lower(pace, load->rate_per_s);
  if (!mostly) {
    pace->last.per_ks = 0;
    return;
  }
  pace->base = *now;
  if (pace->last.per_ks > 0) {
    pace->base.log = LB_MIN(now->log, pace->last.log);
    pace->base.per_ks = LB_MAX(now->per_ks, pace->last.per_ks);
  }
  pace->last = *now;
  want_more(pace, load, now_ms);
}

static int64_t per_ks(int64_t count, int64_t span_ms) {
  return count * 1000000 / LB_MAX(span_ms, 1);
}

static void end_round(struct lb_hb_pace *pace, const struct lb_hb_load *load,
                      int64_t now_ms) {
  const struct lb_hb_round *round = &pace->round;
  struct lb_hb_figures now = {.log = round->logs / round->count,
                              .per_ks = per_ks(round->count, now_ms - round->begin_ms)};
  if (pace->before > pace->limit && end_drop(pace, &now, now_ms)) return;
  if (pace->before > 0 && end_raise(pace, &now, now_ms)) return;
  adjust(pace, load, &now, now_ms);
}

/* Passed over; a raise may have shown by then that it is of use. */
static void begin_counting(struct lb_hb_pace *pace, int64_t now_ms) {
  int64_t since = per_ks(pace->limit, now_ms - pace->round.begin_ms);
  if (pace->before > 0 && pace->limit > pace->before &&
      has_bought_answers(pace->before, pace->base.per_ks, pace->limit, since, 3) &&
      has_bought_answers(pace->root_limit, pace->root.per_ks, pace->limit, since, 1)) {
    keep_raise(pace, now_ms);
  }
  begin_round(pace, 0, now_ms);
}

static bool is_over(const struct lb_hb_pace *pace, int64_t now_ms) {
  const struct lb_hb_round *round = &pace->round;
  if (round->count < pace->limit) return false;
  return round->count >= ROUND || now_ms - round->begin_ms >= ROUND_MS;
}

void lb_hb_pace_answer(struct lb_hb_pace *pace, const struct lb_hb_load *load,
                       int64_t latency_ms, int64_t now_ms) {
  struct lb_hb_round *round = &pace->round;
  smooth(pace, latency_ms);
  if (round->begin_ms == INT64_MIN) round->begin_ms = now_ms - latency_ms;
  round->count++;
  if (round->count == 0) begin_counting(pace, now_ms);
  if (round->count <= 0) return;
  round->logs += log_of((latency_ms + 1) * LATENCY_UNIT);
  if (load->waiting) round->queued++;
  if (is_over(pace, now_ms)) end_round(pace, load, now_ms);
}
