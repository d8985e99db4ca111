/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one result's heartbeat, and what a probe's answer means. hb_host.c has the
 * procedure for hosts that fail.
 *
 * Procedure
 *
 *  1. A result that the server still holds rows of gets a heartbeat (lb_hb_eligible).
 *     Armed, it has exactly one timer, in the scheduler's heap, until it stops.
 *  2. The next probe is due one interval after the last contact (rules 3.3, 3.7), give
 *     or take the jitter. A contact is a confirmed request that resets the server's
 *     idle clock (server_kinds.c), at the time it was sent. So a reader that reads
 *     steadily causes no probe, and a fetch that lasts longer than an interval gets
 *     one beside it.
 *  3. When it is due the probe is sent, if the host allows; else it waits in the
 *     host's queue and its timer stands for step 8 alone. One probe is in flight at
 *     most (rule 3.5).
 *  4. Alive: the next one is due one interval after this probe was sent, yet not
 *     sooner than half an interval after its answer: delays are fixed, rates are not
 *     (rule 3.4).
 *  5. Handle unknown: the probe is repeated once on a fresh connection, since a
 *     balancer may have asked the wrong server. Unknown again: stopped, handle_lost. A
 *     terminal state stops at once, rows lost by the probe too (damaged).
 *  6. 401: a newer token is asked for, once for all that wait for it, and the probe is
 *     sent again. A second 401 in a row, or no newer token, is a failure.
 *  7. Anything else is one failure of the host (rule 4.1). The heartbeat itself tries
 *     again after an interval or FAILED_RETRY_MS, whichever comes first; when the gate
 *     has closed it waits in the queue, and may be the next canary.
 *  8. Idleness: while the reader is outside, a warning comes at IDLE_WARN_MS and then
 *     every IDLE_WARN_AGAIN_MS; at max_idle or max_lifetime the result is abandoned:
 *     stopped, and closed on the server (rule 5.5).
 *  9. Stopped, nothing is sent any more; a probe in flight is detached and its outcome
 *     dropped (rules 5.2, 5.3). A success on the operation arms it again after
 *     failures, handle_lost and terminal_state (rule 4.3).
 *
 * Constants
 *
 *  JITTER_DIVISOR      a tenth of the interval either way: results made together drift
 * apart within some ten rounds, and two jittered intervals stay below the shortest known
 * limit when the interval is at its largest allowed. CONFIRM_MS          2 s: long enough
 * for a balancer to notice a dead server, too short for a result to die of the wait.
 *  FAILED_RETRY_MS     30 s, the canaries' slowest pace: with the longest interval
 * allowed (half of the limit) one lost probe and a whole interval more would be the limit
 * itself. IDLE_WARN_MS        30 minutes: no reader pauses so long by accident often.
 *  IDLE_WARN_AGAIN_MS  an hour: a forgotten result shows, and fills no log. */
#include "result/heartbeat.h"

#include <inttypes.h>

#include "result/hb_internal.h"

#define JITTER_DIVISOR 10
#define CONFIRM_MS 2000
#define FAILED_RETRY_MS 30000
#define IDLE_WARN_MS (INT64_C(30) * 60 * 1000)
#define IDLE_WARN_AGAIN_MS (INT64_C(60) * 60 * 1000)

const struct lb_hb_options lb_hb_options_default = {
    .enabled = true,
    .interval_ms = 60000,
    .request_timeout_ms = 30000,
    .max_failures = 10,
    .max_idle_ms = 14400000,
    .probe = LB_PROBE_AUTO,
};

const char *lb_hb_state_name(enum lb_hb_state state) {
  static const char *const names[] = {"not_armed", "armed", "probing", "stopped"};
  return (unsigned)state < LB_ARRAY_LEN(names) ? names[state] : "unknown";
}

const char *lb_hb_reason_name(enum lb_hb_reason reason) {
  static const char *const names[LB_HB_REASON_COUNT] = {
      [LB_HB_NO_REASON] = "",
      [LB_HB_DISABLED] = "disabled",
      [LB_HB_ALL_LOCAL] = "all_local",
      [LB_HB_CLOSED_BY_SERVER] = "closed_by_server",
      [LB_HB_NO_ROWS] = "no_rows",
      [LB_HB_INLINE] = "inline",
      [LB_HB_NO_HANDLE] = "no_handle",
      [LB_HB_NO_PROBE] = "no_probe",
      [LB_HB_FAILED_TO_ARM] = "failed_to_arm",
      [LB_HB_END_OF_RESULTS] = "end_of_results",
      [LB_HB_RELEASED] = "released",
      [LB_HB_CANCELED] = "canceled",
      [LB_HB_REEXECUTED] = "reexecuted",
      [LB_HB_TERMINAL_STATE] = "terminal_state",
      [LB_HB_HANDLE_LOST] = "handle_lost",
      [LB_HB_DAMAGED] = "damaged",
      [LB_HB_FAILURES] = "failures",
      [LB_HB_ABANDONED] = "abandoned",
      [LB_HB_SHUTDOWN] = "shutdown",
  };
  return (unsigned)reason < LB_HB_REASON_COUNT ? names[reason] : "unknown";
}

/* 1. Who gets one. The order is that of what the user can do about it. */
enum lb_hb_reason lb_hb_eligible(const struct lb_hb_facts *facts) {
  if (!facts->enabled) return LB_HB_DISABLED;
  if (!facts->has_result) return LB_HB_NO_ROWS;
  if (facts->inline_complete) return LB_HB_INLINE;
  if (facts->closed_by_server) return LB_HB_CLOSED_BY_SERVER;
  if (!facts->rows_on_server && !facts->links_outstanding) return LB_HB_ALL_LOCAL;
  if (!facts->has_handle) return LB_HB_NO_HANDLE;
  if (!facts->has_probe) return LB_HB_NO_PROBE;
  return LB_HB_NO_REASON;
}

/* --- states
 * ----------------------------------------------------------------------------- */

static bool is_live(const struct lb_hb *hb) {
  return hb->state == LB_HB_ARMED || hb->state == LB_HB_PROBING;
}

/* Rule 4.3: the server has the last word about these. */
static bool may_rearm(enum lb_hb_reason reason) {
  return reason == LB_HB_FAILURES || reason == LB_HB_HANDLE_LOST ||
         reason == LB_HB_TERMINAL_STATE;
}

static bool explains_errors(enum lb_hb_reason reason) {
  return may_rearm(reason) || reason == LB_HB_DAMAGED || reason == LB_HB_ABANDONED;
}

static void enter_life(struct lb_hb *hb) {
  struct lb_hb_sched *sched = hb->host->sched;
  /* lb_hb_create has reserved the room. */
  enum lb_status status = lb_heap_insert(&sched->timers, &hb->timer, LB_NEVER_MS, NULL);
  LB_ASSERT(status == LB_OK);
  (void)status;
  lb_hb_host_join(hb->host, hb);
}

static void leave_life(struct lb_hb *hb) {
  lb_heap_remove(&hb->host->sched->timers, &hb->timer);
  lb_hb_host_dequeue(hb);
  lb_hb_host_leave(hb->host, hb);
  hb->confirming = false;
  hb->renewed = false;
}

/* The one place where the state changes. Any other change is a bug: it stops debug builds
 * and does nothing in release builds. */
static bool move(struct lb_hb *hb, enum lb_hb_state to, enum lb_hb_reason reason) {
  static const unsigned allowed[] = {
      [LB_HB_NOT_ARMED] = 1u << LB_HB_ARMED,
      [LB_HB_ARMED] = 1u << LB_HB_PROBING | 1u << LB_HB_STOPPED,
      [LB_HB_PROBING] = 1u << LB_HB_ARMED | 1u << LB_HB_STOPPED,
      [LB_HB_STOPPED] = 1u << LB_HB_ARMED,
  };
  bool legal = (allowed[hb->state] >> to & 1u) != 0;
  if (hb->state == LB_HB_STOPPED)
    legal = legal && may_rearm((enum lb_hb_reason)hb->reason);
  if (to == LB_HB_PROBING) legal = legal && !hb->in_flight;
  if (to == LB_HB_STOPPED) legal = legal && reason != LB_HB_NO_REASON;
  LB_ASSERT(legal);
  if (!legal) return false;
  bool was_live = is_live(hb);
  hb->state = (uint8_t)to;
  hb->reason = (uint8_t)reason;
  if (is_live(hb) && !was_live) enter_life(hb);
  if (!is_live(hb) && was_live) leave_life(hb);
  lb_hb_stats_set_state(hb->stats, to, reason);
  return true;
}

/* --- times
 * ------------------------------------------------------------------------------ */

int64_t lb_hb_idle_ms(const struct lb_hb *hb, int64_t now_ms) {
  return hb->inside ? 0 : LB_MAX(now_ms - hb->reader_ms, 0);
}

static int64_t interval_after(struct lb_hb *hb, int64_t from_ms) {
  int64_t spread_ms = hb->interval_ms / JITTER_DIVISOR;
  int64_t jitter_ms = lb_random_between(&hb->host->sched->rnd, -spread_ms, spread_ms);
  return lb_ms_add(from_ms, hb->interval_ms + jitter_ms);
}

static int64_t retry_after(const struct lb_hb *hb, int64_t now_ms) {
  return lb_ms_add(now_ms, LB_MIN(hb->interval_ms, FAILED_RETRY_MS));
}

static int64_t warning_due(const struct lb_hb *hb) {
  return lb_ms_add(hb->reader_ms, IDLE_WARN_MS + hb->warnings * IDLE_WARN_AGAIN_MS);
}

static int64_t abandon_due(const struct lb_hb *hb) {
  int64_t due_ms = LB_NEVER_MS;
  if (hb->max_lifetime_ms > 0) due_ms = lb_ms_add(hb->created_ms, hb->max_lifetime_ms);
  if (hb->max_idle_ms > 0 && !hb->inside) {
    due_ms = LB_MIN(due_ms, lb_ms_add(hb->reader_ms, hb->max_idle_ms));
  }
  return due_ms;
}

void lb_hb_retime(struct lb_hb *hb) {
  if (!is_live(hb)) return;
  int64_t key_ms = abandon_due(hb);
  if (!hb->inside) key_ms = LB_MIN(key_ms, warning_due(hb));
  bool waits = hb->in_flight || hb->queue != LB_HB_QUEUE_NONE;
  if (!waits) key_ms = LB_MIN(key_ms, hb->due_ms);
  if (hb->timer.key != key_ms)
    lb_heap_update(&hb->host->sched->timers, &hb->timer, key_ms);
}

void lb_hb_forgive(struct lb_hb *hb, int64_t gap_ms) {
  if (hb->inside) return;
  hb->reader_ms = lb_ms_add(hb->reader_ms, gap_ms);
  lb_hb_stats_set_reader(hb->stats, false, hb->reader_ms);
  lb_hb_retime(hb);
}

/* --- creation and the end of life
 * -------------------------------------------------------- */

static bool fits(int64_t value_ms) { return value_ms > 0 && value_ms <= INT32_MAX; }

static void fill(struct lb_hb *hb, const struct lb_hb_setup *setup) {
  const struct lb_hb_options *options = setup->options;
  lb_heap_node_init(&hb->timer);
  lb_list_init(&hb->member);
  lb_list_init(&hb->queued);
  hb->refs = 1;
  hb->host = setup->host;
  hb->stats = setup->stats;
  hb->owner = setup->owner;
  hb->base_ms = hb->created_ms = hb->reader_ms = setup->contact_ms;
  hb->interval_ms = (int32_t)options->interval_ms;
  hb->request_timeout_ms = (int32_t)options->request_timeout_ms;
  hb->max_failures = LB_MAX(options->max_failures, 1);
  hb->explicit_failures = options->max_failures_explicit;
  hb->max_idle_ms = options->max_idle_ms;
  hb->max_lifetime_ms = options->max_lifetime_ms;
  hb->kind = (uint8_t)setup->kind;
  hb->origin = (uint8_t)setup->origin;
  hb->probe = (uint8_t)setup->probe;
  lb_str_copy(hb->query_id, sizeof(hb->query_id), lb_str_from(setup->query_id));
}

static enum lb_status create(struct lb_hb_sched *sched, const struct lb_hb_setup *setup,
                             struct lb_hb **out, struct lb_error *err) {
  const struct lb_hb_options *options = setup->options;
  if (!fits(options->interval_ms) || !fits(options->request_timeout_ms)) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "a heartbeat needs an interval and a request timeout between 1 ms "
        "and 24 days: set databricks.heartbeat.interval_seconds and "
        "databricks.heartbeat.request_timeout_seconds");
  }
  /* From here on neither arming nor arming again can fail. */
  LB_TRY(lb_heap_reserve(&sched->timers, sched->hb_count + 1, err));
  struct lb_hb *hb = lb_alloc_zero(LB_MEM_HB, sizeof(*hb));
  if (hb == NULL) return lb_error_oom(err, "a heartbeat");
  fill(hb, setup);
  lb_hb_stats_retain(hb->stats);
  lb_hb_stats_set_contact(hb->stats, setup->contact_ms);
  lb_hb_stats_set_alive(hb->stats, setup->contact_ms);
  sched->hb_count++;
  *out = hb;
  return LB_OK;
}

enum lb_status lb_hb_create(struct lb_hb_sched *sched, const struct lb_hb_setup *setup,
                            struct lb_hb **out, struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  enum lb_status status = create(sched, setup, out, &local);
  if (status == LB_OK) return LB_OK;
  lb_hb_stats_set_not_armed(setup->stats, LB_HB_FAILED_TO_ARM);
  lb_log(sched->log, LB_LOG_WARN, "hb",
         "query %s gets no heartbeat (failed_to_arm): %s; read it without long pauses",
         setup->query_id ? setup->query_id : "", local.message);
  lb_error_copy(err, &local);
  return status;
}

void lb_hb_retain(struct lb_hb *hb) { hb->refs++; }

static void destroy(struct lb_hb *hb) {
  LB_ASSERT(!is_live(hb) && !hb->in_flight);
  struct lb_hb_sched *sched = hb->host->sched;
  lb_hb_stats_release(hb->stats);
  lb_free(hb);
  lb_hb_sched_leave(sched);
}

void lb_hb_release(struct lb_hb *hb) {
  if (hb == NULL) return;
  LB_ASSERT(hb->refs > 0);
  if (hb->refs > 1) {
    hb->refs--;
    return;
  }
  /* The reference is kept while stopping: the effects may report the end of the probe. */
  lb_hb_stop(hb, LB_HB_RELEASED, hb->host->sched->now_ms);
  hb->refs--;
  /* A probe in flight holds the object until its end is reported. */
  if (hb->refs == 0 && !hb->in_flight) destroy(hb);
}

void *lb_hb_owner(const struct lb_hb *hb) { return hb->owner; }
enum lb_hb_state lb_hb_state(const struct lb_hb *hb) {
  return (enum lb_hb_state)hb->state;
}
enum lb_hb_reason lb_hb_reason(const struct lb_hb *hb) {
  return (enum lb_hb_reason)hb->reason;
}
enum lb_probe_kind lb_hb_probe(const struct lb_hb *hb) {
  return (enum lb_probe_kind)hb->probe;
}
int64_t lb_hb_request_timeout_ms(const struct lb_hb *hb) {
  return hb->request_timeout_ms;
}

/* --- arming and stopping
 * ------------------------------------------------------------------ */

static enum lb_op_rpc probe_rpc(const struct lb_hb *hb) {
  if (hb->probe == LB_PROBE_METADATA) return LB_RPC_METADATA;
  return hb->probe == LB_PROBE_FETCH0 ? LB_RPC_FETCH0 : LB_RPC_STATUS;
}

static bool is_contact(const struct lb_hb *hb, enum lb_op_rpc rpc) {
  return lb_server_is_contact((enum lb_server_kind)hb->kind,
                              (enum lb_op_origin)hb->origin, rpc);
}

static void log_armed(struct lb_hb *hb, const char *how) {
  struct lb_hb_host *host = hb->host;
  struct lb_log *log = host->sched->log;
  const char *probe = lb_probe_kind_name((enum lb_probe_kind)hb->probe);
  const char *kind = lb_server_kind_name((enum lb_server_kind)hb->kind);
  lb_log(log, LB_LOG_DEBUG, "hb",
         "%s: query %s, result of a %s on %s, every %" PRId32 " ms, probe %s", how,
         hb->query_id, hb->origin == LB_OP_METADATA ? "metadata call" : "statement", kind,
         hb->interval_ms, probe);
  if (is_contact(hb, probe_rpc(hb)) || host->useless_warned) return;
  host->useless_warned = true;
  lb_log(
      log, LB_LOG_WARN, "hb",
      "databricks.heartbeat.probe=%s keeps no result alive on a server of kind %s (%s): "
      "use auto",
      probe, kind, host->key);
}

enum lb_status lb_hb_arm(struct lb_hb *hb, int64_t now_ms, struct lb_error *err) {
  struct lb_hb_sched *sched = hb->host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  if (is_live(hb)) return LB_OK;
  if (hb->state == LB_HB_STOPPED && !may_rearm((enum lb_hb_reason)hb->reason)) {
    return lb_error_set(
        err, LB_INVALID_STATE,
        "the heartbeat of query %s has ended (%s) and cannot be armed again: "
        "execute the statement again",
        hb->query_id, lb_hb_reason_name((enum lb_hb_reason)hb->reason));
  }
  if (hb->state == LB_HB_NOT_ARMED && !hb->inside) hb->reader_ms = now_ms;
  lb_hb_stats_clear_verdict(hb->stats);
  if (!move(hb, LB_HB_ARMED, LB_HB_NO_REASON)) {
    return lb_error_set(err, LB_INTERNAL,
                        "the heartbeat of query %s cannot be armed: "
                        "please report it",
                        hb->query_id);
  }
  hb->due_ms = interval_after(hb, hb->base_ms);
  lb_hb_stats_set_reader(hb->stats, hb->inside, hb->reader_ms);
  lb_hb_retime(hb);
  log_armed(hb, "armed");
  lb_hb_sched_settle(sched, hb->host);
  return LB_OK;
}

/* Rule 7.4. */
static enum lb_log_level stop_level(enum lb_hb_reason reason) {
  switch (reason) {
    case LB_HB_HANDLE_LOST:
    case LB_HB_DAMAGED:
    case LB_HB_FAILURES:
    case LB_HB_ABANDONED:
      return LB_LOG_WARN;
    case LB_HB_TERMINAL_STATE:
      return LB_LOG_INFO;
    default:
      return LB_LOG_DEBUG;
  }
}

static void log_stopped(const struct lb_hb *hb, enum lb_hb_reason reason,
                        int64_t idle_ms) {
  lb_log(hb->host->sched->log, stop_level(reason), "hb",
         "stopped (%s): query %s, probes sent %" PRId64 ", succeeded %" PRId64
         ", failed %" PRId64 ", dropped %" PRId64 ", reader idle for %" PRId64 " s",
         lb_hb_reason_name(reason), hb->query_id,
         lb_hb_stats_get(hb->stats, LB_HB_COUNT_SENT),
         lb_hb_stats_get(hb->stats, LB_HB_COUNT_SUCCEEDED),
         lb_hb_stats_get(hb->stats, LB_HB_COUNT_FAILED),
         lb_hb_stats_get(hb->stats, LB_HB_COUNT_DROPPED), idle_ms / 1000);
}

void lb_hb_halt(struct lb_hb *hb, enum lb_hb_reason reason, int64_t now_ms) {
  if (!is_live(hb)) return;
  int64_t idle_ms = lb_hb_idle_ms(hb, now_ms);
  if (explains_errors(reason)) lb_hb_stats_set_verdict(hb->stats, reason, idle_ms);
  if (!move(hb, LB_HB_STOPPED, reason)) return;
  log_stopped(hb, reason, idle_ms);
  if (!hb->in_flight || hb->detached) return;
  hb->detached = true;
  if (hb->canary) hb->host->canary_out = false;
  hb->canary = false;
  struct lb_hb_ops *ops = &hb->host->sched->ops;
  ops->drop(hb);
}

void lb_hb_stop(struct lb_hb *hb, enum lb_hb_reason reason, int64_t now_ms) {
  struct lb_hb_host *host = hb->host;
  struct lb_hb_sched *sched = host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  if (!is_live(hb)) {
    /* Rule 4.4: with the last row here there is no error left to explain. */
    if (reason == LB_HB_END_OF_RESULTS || reason == LB_HB_ALL_LOCAL) {
      lb_hb_stats_clear_verdict(hb->stats);
    }
    return;
  }
  lb_hb_halt(hb, reason, now_ms);
  lb_hb_sched_settle(sched, host);
}

/* --- timer and probe
 * ---------------------------------------------------------------------- */

static void abandon(struct lb_hb *hb, int64_t now_ms) {
  lb_hb_retain(hb);
  lb_hb_halt(hb, LB_HB_ABANDONED, now_ms);
  hb->host->sched->ops.abandoned(hb);
  lb_hb_release(hb);
}

static void warn_idle(struct lb_hb *hb, int64_t now_ms) {
  hb->warnings++;
  lb_log(
      hb->host->sched->log, LB_LOG_WARN, "hb",
      "query %s: its reader has been idle for %" PRId64
      " minutes; heartbeats keep the result on the server until it is read, released or "
      "abandoned (databricks.heartbeat.max_idle_seconds=%" PRId64 ")",
      hb->query_id, lb_hb_idle_ms(hb, now_ms) / 60000, hb->max_idle_ms / 1000);
}

void lb_hb_fire(struct lb_hb *hb, int64_t now_ms) {
  if (abandon_due(hb) <= now_ms) {
    abandon(hb, now_ms);
    return;
  }
  if (!hb->inside && warning_due(hb) <= now_ms) warn_idle(hb, now_ms);
  bool waits = hb->in_flight || hb->queue != LB_HB_QUEUE_NONE;
  if (!waits && hb->due_ms <= now_ms) {
    /* Nobody waits while the host may send, so this one overtakes none. */
    if (lb_hb_host_may_send(hb->host, now_ms)) {
      lb_hb_launch(hb, now_ms);
    } else {
      lb_hb_host_queue(hb->host, hb, false);
    }
  }
  lb_hb_retime(hb);
}

void lb_hb_launch(struct lb_hb *hb, int64_t now_ms) {
  struct lb_hb_host *host = hb->host;
  struct lb_hb_sched *sched = host->sched;
  if (!move(hb, LB_HB_PROBING, LB_HB_NO_REASON)) return;
  lb_hb_host_late(host, hb, now_ms);
  hb->sent_ms = now_ms;
  hb->in_flight = true;
  hb->canary = host->closed;
  if (hb->canary) host->canary_out = true;
  lb_hb_host_sent(host, hb);
  struct lb_error err = LB_ERROR_INIT;
  if (sched->ops.send(hb, hb->confirming, &err) == LB_OK) {
    lb_hb_stats_add(hb->stats, LB_HB_COUNT_SENT, 1);
    lb_hb_retime(hb);
    return;
  }
  bool was_canary = hb->canary;
  hb->in_flight = false;
  hb->canary = false;
  lb_hb_host_returned(host, hb);
  lb_hb_fail(hb, was_canary, err.message, now_ms);
}

/* --- answers
 * ------------------------------------------------------------------------------ */

void lb_hb_fail(struct lb_hb *hb, bool was_canary, const char *text, int64_t now_ms) {
  struct lb_hb_host *host = hb->host;
  hb->renewed = false;
  lb_hb_stats_add(hb->stats, LB_HB_COUNT_FAILED, 1);
  lb_log(host->sched->log, LB_LOG_DEBUG, "hb", "probe of query %s failed: %s",
         hb->query_id, text != NULL && text[0] != '\0' ? text : "no reason given");
  lb_hb_host_failed(host, was_canary, text, now_ms);
  if (!is_live(hb)) return; /* the host has given up */
  if (hb->state == LB_HB_PROBING) move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
  hb->due_ms = retry_after(hb, now_ms);
  /* Behind a closed gate it is one of those who may be the next canary. */
  if (host->closed || host->hold_until_ms > now_ms) lb_hb_host_queue(host, hb, false);
  lb_hb_retime(hb);
}

static void found_alive(struct lb_hb *hb, int64_t sent_ms, int64_t now_ms) {
  if (hb->confirming) {
    lb_log(hb->host->sched->log, LB_LOG_DEBUG, "hb",
           "query %s is known to the server after all", hb->query_id);
  }
  hb->confirming = false;
  hb->renewed = false;
  lb_hb_stats_add(hb->stats, LB_HB_COUNT_SUCCEEDED, 1);
  lb_hb_stats_set_alive(hb->stats, sent_ms);
  if (is_contact(hb, probe_rpc(hb))) lb_hb_stats_set_contact(hb->stats, sent_ms);
  hb->base_ms = LB_MAX(hb->base_ms, sent_ms);
  move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
  hb->due_ms = LB_MAX(interval_after(hb, hb->base_ms), now_ms + hb->interval_ms / 2);
}

static void found_alive_stateless(struct lb_hb *hb, int64_t sent_ms, int64_t now_ms) {
  struct lb_hb_host *host = hb->host;
  if (!host->state_unknown_warned) {
    host->state_unknown_warned = true;
    lb_log(host->sched->log, LB_LOG_WARN, "hb",
           "%s answers probes without an operation state (query %s): taken as alive",
           host->key, hb->query_id);
  }
  found_alive(hb, sent_ms, now_ms);
}

static void found_unknown(struct lb_hb *hb, const char *text, int64_t now_ms) {
  lb_hb_stats_add(hb->stats, LB_HB_COUNT_FAILED, 1);
  if (hb->confirming) {
    lb_hb_halt(hb, LB_HB_HANDLE_LOST, now_ms);
    return;
  }
  lb_log(hb->host->sched->log, LB_LOG_DEBUG, "hb",
         "query %s is unknown to the server, asking once more: %s", hb->query_id,
         text != NULL ? text : "no reason given");
  hb->confirming = true;
  hb->renewed = false;
  move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
  hb->due_ms = lb_ms_add(now_ms, CONFIRM_MS);
}

static void refused(struct lb_hb *hb, int64_t sent_ms, bool was_canary, const char *text,
                    int64_t now_ms) {
  move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
  hb->due_ms = now_ms;
  if (!lb_hb_host_renew(hb->host, hb, sent_ms, now_ms)) {
    lb_hb_fail(hb, was_canary, text, now_ms);
  }
}

static void judge(struct lb_hb *hb, const struct lb_hb_answer *answer, bool was_canary,
                  int64_t now_ms) {
  struct lb_hb_host *host = hb->host;
  int64_t sent_ms = LB_MIN(LB_MAX(answer->sent_ms, hb->sent_ms), now_ms);
  int64_t latency_ms = now_ms - sent_ms;
  switch (answer->kind) {
    case LB_HB_ALIVE:
      found_alive(hb, sent_ms, now_ms);
      lb_hb_host_answered(host, latency_ms, now_ms);
      return;
    case LB_HB_ALIVE_STATE_UNKNOWN:
      found_alive_stateless(hb, sent_ms, now_ms);
      lb_hb_host_answered(host, latency_ms, now_ms);
      return;
    case LB_HB_LOST:
      found_unknown(hb, answer->text, now_ms);
      lb_hb_host_answered(host, latency_ms, now_ms);
      return;
    case LB_HB_TERMINAL:
    case LB_HB_ROWS_LOST:
      lb_hb_stats_add(hb->stats, LB_HB_COUNT_FAILED, 1);
      lb_hb_halt(hb,
                 answer->kind == LB_HB_TERMINAL ? LB_HB_TERMINAL_STATE : LB_HB_DAMAGED,
                 now_ms);
      lb_hb_host_answered(host, latency_ms, now_ms);
      return;
    case LB_HB_UNAUTHORIZED:
      refused(hb, sent_ms, was_canary, answer->text, now_ms);
      return;
    case LB_HB_BUSY:
      lb_hb_host_hold(host, answer->retry_after_ms, now_ms);
      lb_hb_fail(hb, was_canary, answer->text, now_ms);
      return;
    case LB_HB_FAILED:
    case LB_HB_DROPPED:
      break;
  }
  lb_hb_fail(hb, was_canary, answer->text, now_ms);
}

/* Rule 5.3: neither a success nor a failure. */
static void forget(struct lb_hb *hb, int64_t now_ms) {
  lb_hb_stats_add(hb->stats, LB_HB_COUNT_DROPPED, 1);
  lb_log(hb->host->sched->log, LB_LOG_DEBUG, "hb", "probe of query %s was dropped",
         hb->query_id);
  if (hb->state != LB_HB_PROBING) return;
  move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
  hb->due_ms = retry_after(hb, now_ms);
}

void lb_hb_answered(struct lb_hb *hb, const struct lb_hb_answer *answer, int64_t now_ms) {
  LB_ASSERT(hb->in_flight);
  if (!hb->in_flight) return;
  struct lb_hb_host *host = hb->host;
  struct lb_hb_sched *sched = host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  bool was_canary = hb->canary;
  bool dropped = hb->detached || answer->kind == LB_HB_DROPPED;
  hb->in_flight = false;
  hb->detached = false;
  hb->canary = false;
  lb_hb_host_returned(host, hb);
  if (was_canary) host->canary_out = false;
  lb_hb_stats_add(hb->stats, LB_HB_COUNT_BYTES, LB_MAX(answer->bytes, 0));
  hb->refs++; /* effects of the judgement may release it */
  if (dropped) {
    forget(hb, now_ms);
  } else {
    judge(hb, answer, was_canary, now_ms);
  }
  lb_hb_retime(hb);
  lb_hb_sched_settle(sched, host);
  hb->refs--;
  if (hb->refs == 0 && !hb->in_flight) destroy(hb);
}

/* --- what the result tells
 * ---------------------------------------------------------------- */

void lb_hb_contact(struct lb_hb *hb, enum lb_op_rpc rpc, int64_t sent_ms,
                   int64_t now_ms) {
  /* The success of these says nothing about the rows. */
  if (rpc == LB_RPC_CANCEL || rpc == LB_RPC_CLOSE) return;
  struct lb_hb_host *host = hb->host;
  struct lb_hb_sched *sched = host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  sent_ms = LB_MIN(sent_ms, now_ms);
  bool later = is_contact(hb, rpc) && sent_ms > hb->base_ms;
  bool was_confirming = hb->confirming;
  hb->confirming = false;
  lb_hb_stats_set_alive(hb->stats, sent_ms);
  if (is_contact(hb, rpc)) lb_hb_stats_set_contact(hb->stats, sent_ms);
  if (later) hb->base_ms = sent_ms;
  bool again = hb->state == LB_HB_STOPPED && may_rearm((enum lb_hb_reason)hb->reason);
  if (again) {
    lb_hb_stats_clear_verdict(hb->stats);
    move(hb, LB_HB_ARMED, LB_HB_NO_REASON);
    log_armed(hb, "armed again");
  }
  if (again || (is_live(hb) && (later || was_confirming))) {
    lb_hb_host_dequeue(hb);
    hb->due_ms = interval_after(hb, hb->base_ms);
    lb_hb_retime(hb);
  }
  lb_hb_host_answered(host, -1, now_ms);
  lb_hb_sched_settle(sched, host);
}

void lb_hb_reader(struct lb_hb *hb, bool inside, int64_t now_ms) {
  struct lb_hb_sched *sched = hb->host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  hb->inside = inside;
  hb->reader_ms = now_ms;
  hb->warnings = 0;
  lb_hb_stats_set_reader(hb->stats, inside, now_ms);
  lb_hb_retime(hb);
  lb_hb_sched_settle(sched, hb->host);
}
