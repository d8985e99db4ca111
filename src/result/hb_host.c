/* SPDX-License-Identifier: Apache-2.0 */
/* One host: its gate, how many probes it gets at a time, and its tokens.
 *
 * Procedure
 *
 *  1. Failures belong to the host (rule 4.1): one counter of consecutive ones,
 *     whichever result's probe failed. Any success of a request to the host sets it to
 *     0.
 *  2. In the first RESUME_GRACE_MS after the machine has woken up, failures count
 *     once: they tell of this machine's network (rule 3.9).
 *  3. At GATE_FAILURES the gate closes. Failures of probes that were under way by then
 *     belong to the same incident and are not counted any more.
 *  4. Behind a closed gate due probes wait. One of them at a time goes out as a
 *     canary, after 1, 2, 4 ... s, at most CANARY_MAX_MS; a failed one goes to the end
 *     of the queue, so that no single result decides for all.
 *  5. A success, of a canary or of any other request, opens the gate; those who wait
 *     go out as step 8 allows.
 *  6. After each counted failure those who have had enough are stopped (failures):
 *     when the counter has reached their maximum, and the outage has lasted longer
 *     than the window within which the server may still have the result; the counter
 *     alone decides where the user has set it.
 *  7. Retry-After: nothing is sent to the host before (rule 4), canaries included.
 *  8. Pacing (rule 8.4): at most as many probes hold a place as hb_pace.c says. The rest
 *     waits, first come, first served. A probe that another one has overtaken by far,
 *     sent later and answered sooner, is slow or stuck for reasons of its own and holds
 *     no place any more: it tells nothing of what the server can take besides. All in
 *     all at most LB_HB_LIMIT_MAX are in flight.
 *  9. A 401 asks for a newer token, once for all who need it; then they probe again. A
 *     probe that was sent before the last renewal just probes again.
 *
 * Constants
 *
 *  GATE_FAILURES       3: one lost probe is an accident, three in a row are the host.
 *  CANARY_FIRST_MS     1 s, doubled up to
 *  CANARY_MAX_MS       30 s: 40 canaries in the shortest known limit (20 min), yet a host
 *                      that comes back is noticed early enough for every result.
 *  RETRY_AFTER_MAX_MS  25 min, the eviction window: after that there is nothing left to
 *                      be polite for, and one probe tells whether the results still are.
 *  RESUME_GRACE_MS     30 s: what a network needs to come up after a wake-up.
 *  LATE_QUIET_MS       one warning of lateness a minute: all results of a host are late
 *                      at the same time. */
#include <inttypes.h>

#include "base/str.h"
#include "result/hb_internal.h"

#define GATE_FAILURES 3
#define CANARY_FIRST_MS 1000
#define CANARY_MAX_MS 30000
#define RETRY_AFTER_MAX_MS (INT64_C(25) * 60 * 1000)
#define RESUME_GRACE_MS 30000
#define LATE_QUIET_MS 60000
/* Rates are kept as probes per so many ms: integers, so that what was added is taken away
 * exactly. */
#define RATE_UNIT_MS INT64_C(1000000000)

/* --- finding
 * ------------------------------------------------------------------------------ */

static struct lb_hb_host *find(struct lb_hb_sched *sched, const char *key) {
  LB_LIST_FOR_EACH_SAFE(node, next, &sched->hosts) {
    struct lb_hb_host *host = LB_CONTAINER_OF(node, struct lb_hb_host, node);
    if (lb_str_equal(lb_str_from(host->key), lb_str_from(key))) return host;
  }
  return NULL;
}

static void init(struct lb_hb_host *host, struct lb_hb_sched *sched, const char *key) {
  host->sched = sched;
  lb_heap_node_init(&host->timer);
  lb_list_init(&host->node);
  lb_list_init(&host->members);
  lb_list_init(&host->waiting);
  lb_list_init(&host->token);
  lb_list_init(&host->out);
  lb_hb_pace_init(&host->pace);
  host->opened_ms = INT64_MIN;
  host->hold_until_ms = INT64_MIN;
  host->token_ms = INT64_MIN;
  host->late_quiet_ms = INT64_MIN;
  lb_str_copy(host->key, strlen(key) + 1, lb_str_from(key));
}

enum lb_status lb_hb_host_get(struct lb_hb_sched *sched, const char *key,
                              struct lb_hb_host **out, struct lb_error *err) {
  struct lb_hb_host *host = find(sched, key);
  if (host != NULL) {
    *out = host;
    return LB_OK;
  }
  LB_TRY(lb_heap_reserve(&sched->host_timers, sched->host_count + 1, err));
  host = lb_alloc_zero(LB_MEM_MISC, sizeof(*host) + strlen(key) + 1);
  if (host == NULL) return lb_error_oom(err, "the heartbeat gate of a host");
  init(host, sched, key);
  enum lb_status status =
      lb_heap_insert(&sched->host_timers, &host->timer, LB_NEVER_MS, err);
  if (status != LB_OK) {
    lb_free(host);
    return status;
  }
  lb_list_push_back(&sched->hosts, &host->node);
  sched->host_count++;
  sched->ops.probe_limit(host, host->pace.limit, sched->ops.ctx);
  *out = host;
  return LB_OK;
}

static bool is_gate_of(const struct lb_hb_host *host, struct lb_str name) {
  struct lb_str key = lb_str_from(host->key);
  if (!lb_str_starts_with(key, name)) return false;
  return key.len == name.len || key.data[name.len] == ' ';
}

/* Those that hold no place have connections all the same. */
static int32_t connections(const struct lb_hb_host *host) {
  return LB_MIN(host->pace.limit + host->overtaken, LB_HB_LIMIT_MAX);
}

int32_t lb_hb_sched_probe_limit(const struct lb_hb_sched *sched, struct lb_str name) {
  int32_t sum = 0;
  LB_LIST_FOR_EACH_SAFE(node, next, &sched->hosts) {
    const struct lb_hb_host *host = LB_CONTAINER_OF(node, struct lb_hb_host, node);
    if (is_gate_of(host, name)) sum = LB_MIN(sum + connections(host), LB_HB_LIMIT_MAX);
  }
  return sum;
}

const char *lb_hb_host_key(const struct lb_hb_host *host) { return host->key; }

/* --- pacing
 * --------------------------------------------------------------------------------- */

static int64_t rate_per_s(const struct lb_hb_host *host) {
  return host->rate / (RATE_UNIT_MS / 1000);
}

static void tell_limit(struct lb_hb_host *host, int32_t before) {
  int32_t limit = connections(host);
  if (limit != before) host->sched->ops.probe_limit(host, limit, host->sched->ops.ctx);
}

void lb_hb_host_join(struct lb_hb_host *host, struct lb_hb *hb) {
  lb_list_push_back(&host->members, &hb->member);
  host->member_count++;
  host->rate += RATE_UNIT_MS / hb->interval_ms;
}

void lb_hb_host_leave(struct lb_hb_host *host, struct lb_hb *hb) {
  lb_list_remove(&hb->member);
  host->member_count--;
  host->rate -= RATE_UNIT_MS / hb->interval_ms;
  int32_t before = connections(host);
  lb_hb_pace_lower(&host->pace, rate_per_s(host));
  tell_limit(host, before);
}

bool lb_hb_host_may_send(const struct lb_hb_host *host, int64_t now_ms) {
  if (host->hold_until_ms > now_ms) return false;
  if (host->closed) return !host->canary_out && host->canary_ms <= now_ms;
  if (host->in_flight >= LB_HB_LIMIT_MAX) return false;
  return host->in_flight - host->overtaken < host->pace.limit;
}

/* The host's timer stands only for what no answer will bring: the next canary and the end
 * of Retry-After. */
static void retime(struct lb_hb_host *host, int64_t now_ms) {
  int64_t key_ms = LB_NEVER_MS;
  if (!lb_list_empty(&host->waiting)) {
    if (host->closed && !host->canary_out) {
      key_ms = LB_MAX(host->canary_ms, host->hold_until_ms);
    } else if (!host->closed && host->hold_until_ms > now_ms) {
      key_ms = host->hold_until_ms;
    }
  }
  if (host->timer.key == key_ms) return;
  lb_heap_update(&host->sched->host_timers, &host->timer, key_ms);
}

void lb_hb_host_queue(struct lb_hb_host *host, struct lb_hb *hb, bool at_front) {
  lb_hb_host_dequeue(hb);
  hb->queue = LB_HB_QUEUE_WAITING;
  host->waiting_count++;
  if (at_front) {
    lb_list_push_front(&host->waiting, &hb->queued);
  } else {
    lb_list_push_back(&host->waiting, &hb->queued);
    lb_hb_stats_add(hb->stats, LB_HB_COUNT_POSTPONED, 1);
  }
}

void lb_hb_host_dequeue(struct lb_hb *hb) {
  if (hb->queue == LB_HB_QUEUE_WAITING) hb->host->waiting_count--;
  hb->queue = LB_HB_QUEUE_NONE;
  lb_list_remove(&hb->queued);
}

void lb_hb_host_sent(struct lb_hb_host *host, struct lb_hb *hb) {
  host->in_flight++;
  hb->queue = LB_HB_QUEUE_OUT;
  lb_list_push_back(&host->out, &hb->queued);
}

void lb_hb_host_returned(struct lb_hb_host *host, struct lb_hb *hb) {
  int32_t before = connections(host);
  host->in_flight--;
  if (hb->queue == LB_HB_QUEUE_OUT) lb_hb_host_dequeue(hb);
  if (hb->overtaken) host->overtaken--;
  hb->overtaken = false;
  tell_limit(host, before);
}

/* Step 8. The oldest come first. */
static void overtake(struct lb_hb_host *host, int64_t sent_ms) {
  int64_t before_ms = sent_ms - lb_hb_pace_overtaken_ms(&host->pace);
  while (!lb_list_empty(&host->out)) {
    struct lb_hb *hb = LB_CONTAINER_OF(host->out.next, struct lb_hb, queued);
    if (hb->sent_ms >= before_ms) return;
    lb_hb_host_dequeue(hb);
    hb->overtaken = true;
    host->overtaken++;
  }
}

void lb_hb_host_pump(struct lb_hb_host *host, int64_t now_ms) {
  while (!lb_list_empty(&host->waiting) && lb_hb_host_may_send(host, now_ms)) {
    struct lb_hb *hb = LB_CONTAINER_OF(host->waiting.next, struct lb_hb, queued);
    lb_hb_host_dequeue(hb);
    if (hb->in_flight) {
      /* A detached one is still out: its end takes care of the next. */
      lb_hb_retime(hb);
      continue;
    }
    lb_hb_launch(hb, now_ms);
  }
  retime(host, now_ms);
}

/* Waiting behind a gate has log lines of its own. */
static int64_t late_ms(const struct lb_hb_host *host, const struct lb_hb *hb,
                       int64_t now_ms) {
  int64_t from_ms = LB_MAX(hb->due_ms, host->sched->resumed_ms);
  return now_ms - LB_MAX(from_ms, LB_MAX(host->opened_ms, host->hold_until_ms));
}

void lb_hb_host_late(struct lb_hb_host *host, const struct lb_hb *hb, int64_t now_ms) {
  struct lb_hb_sched *sched = host->sched;
  /* A machine that sleeps is not late. */
  int64_t from_ms = LB_MAX(hb->due_ms, sched->resumed_ms);
  if (from_ms >= now_ms) return;
  lb_hb_stats_late(hb->stats, now_ms - from_ms);
  int64_t waited_ms = late_ms(host, hb, now_ms);
  if (host->closed || waited_ms <= hb->interval_ms) return;
  if (now_ms < host->late_quiet_ms) return;
  host->late_quiet_ms = lb_ms_add(now_ms, LATE_QUIET_MS);
  lb_log(sched->log, LB_LOG_WARN, "hb",
         "heartbeats to %s are late: %" PRId64
         " ms for query %s, more than its interval; "
         "%" PRId64 " results, %" PRId64 " wait, %" PRId32 " of at most %" PRId32
         " probes in flight",
         host->key, waited_ms, hb->query_id, host->member_count, host->waiting_count,
         host->in_flight, host->pace.limit);
}

/* --- gate
 * ----------------------------------------------------------------------------------- */

static void close_gate(struct lb_hb_host *host, int64_t now_ms) {
  struct lb_hb_sched *sched = host->sched;
  host->closed = true;
  host->canary_out = false;
  host->backoff_ms = CANARY_FIRST_MS;
  host->canary_ms = lb_ms_add(now_ms, host->backoff_ms);
  sched->closings++;
  LB_LIST_FOR_EACH_SAFE(node, next, &host->members) {
    struct lb_hb *hb = LB_CONTAINER_OF(node, struct lb_hb, member);
    lb_hb_stats_gate_closed(hb->stats, sched->closings);
  }
  lb_log(sched->log, LB_LOG_INFO, "hb",
         "gate of %s closed after %" PRId32 " failures: heartbeats of %" PRId64
         " results wait; last error: %s",
         host->key, host->failures, host->member_count, host->last_error);
}

static void open_gate(struct lb_hb_host *host, int64_t now_ms) {
  host->closed = false;
  host->canary_out = false;
  host->opened_ms = now_ms;
  lb_log(host->sched->log, LB_LOG_INFO, "hb",
         "gate of %s opened after %" PRId64 " s: heartbeats of %" PRId64
         " results go on; last error: %s",
         host->key, (now_ms - host->outage_ms) / 1000, host->member_count,
         host->last_error);
}

static void measure(struct lb_hb_host *host, int64_t latency_ms, int64_t now_ms) {
  struct lb_hb_load load = {.rate_per_s = rate_per_s(host)};
  if (!lb_list_empty(&host->waiting) && !host->closed && host->hold_until_ms <= now_ms) {
    const struct lb_hb *hb = LB_CONTAINER_OF(host->waiting.next, struct lb_hb, queued);
    load.waiting = true;
    load.late = late_ms(host, hb, now_ms) > hb->interval_ms / 8;
  }
  int32_t before = connections(host);
  lb_hb_pace_answer(&host->pace, &load, latency_ms, now_ms);
  overtake(host, now_ms - latency_ms);
  tell_limit(host, before);
}

void lb_hb_host_answered(struct lb_hb_host *host, int64_t latency_ms, int64_t now_ms) {
  if (latency_ms >= 0) measure(host, latency_ms, now_ms);
  host->failures = 0;
  if (host->closed) open_gate(host, now_ms);
}

void lb_hb_host_success(struct lb_hb_host *host, int64_t now_ms) {
  now_ms = lb_hb_sched_advance(host->sched, now_ms);
  lb_hb_host_answered(host, -1, now_ms);
  lb_hb_sched_settle(host->sched, host);
}

/* True for the second and later failures of the first seconds after a wake-up. */
static bool is_echo_of_resume(struct lb_hb_host *host, int64_t now_ms) {
  const struct lb_hb_sched *sched = host->sched;
  if (sched->resumes == 0 || now_ms - sched->resumed_ms >= RESUME_GRACE_MS) return false;
  if (host->resume_counted == sched->resumes) return true;
  host->resume_counted = sched->resumes;
  return false;
}

static bool has_had_enough(const struct lb_hb_host *host, const struct lb_hb *hb,
                           int64_t now_ms) {
  if (host->failures < hb->max_failures) return false;
  if (hb->explicit_failures) return true;
  int64_t window_ms = lb_server_facts((enum lb_server_kind)hb->kind)->evict_window_ms;
  return now_ms - host->outage_ms > window_ms;
}

static void give_up(struct lb_hb_host *host, int64_t now_ms) {
  int64_t stopped = 0;
  LB_LIST_FOR_EACH_SAFE(node, next, &host->members) {
    struct lb_hb *hb = LB_CONTAINER_OF(node, struct lb_hb, member);
    if (!has_had_enough(host, hb, now_ms)) continue;
    lb_hb_halt(hb, LB_HB_FAILURES, now_ms);
    stopped++;
  }
  if (stopped == 0) return;
  lb_log(host->sched->log, LB_LOG_WARN, "hb",
         "gave up the heartbeats of %" PRId64 " results on %s after %" PRId32
         " failures in %" PRId64 " s, %" PRId64 " results wait on; last error: %s",
         stopped, host->key, host->failures, (now_ms - host->outage_ms) / 1000,
         host->member_count, host->last_error);
}

void lb_hb_host_failed(struct lb_hb_host *host, bool was_canary, const char *text,
                       int64_t now_ms) {
  struct lb_str reason = lb_str_from(text != NULL ? text : "no reason given");
  lb_str_copy(host->last_error, sizeof(host->last_error), reason);
  if (host->closed && was_canary) {
    host->canary_out = false;
    host->backoff_ms = LB_MIN(host->backoff_ms * 2, CANARY_MAX_MS);
    host->canary_ms = lb_ms_add(now_ms, host->backoff_ms);
  }
  if (host->closed && !was_canary) return;
  if (is_echo_of_resume(host, now_ms)) return;
  if (host->failures == 0) host->outage_ms = now_ms;
  if (host->failures < INT32_MAX) host->failures++;
  if (!host->closed && host->failures >= GATE_FAILURES) close_gate(host, now_ms);
  give_up(host, now_ms);
}

void lb_hb_host_hold(struct lb_hb_host *host, int64_t retry_after_ms, int64_t now_ms) {
  if (retry_after_ms <= 0) return;
  int64_t until_ms = lb_ms_add(now_ms, LB_MIN(retry_after_ms, RETRY_AFTER_MAX_MS));
  host->hold_until_ms = LB_MAX(host->hold_until_ms, until_ms);
}

/* --- tokens
 * ----------------------------------------------------------------------------------- */

static void probe_again(struct lb_hb_host *host, struct lb_hb *hb, int64_t now_ms) {
  hb->renewed = true;
  hb->due_ms = now_ms;
  lb_hb_host_queue(host, hb, true);
  lb_hb_retime(hb);
}

bool lb_hb_host_renew(struct lb_hb_host *host, struct lb_hb *hb, int64_t sent_ms,
                      int64_t now_ms) {
  struct lb_hb_ops *ops = &host->sched->ops;
  if (hb->renewed) return false;
  if (sent_ms <= host->token_ms) {
    probe_again(host, hb, now_ms);
    return true;
  }
  /* Queued before asking: the answer may come at once. */
  lb_hb_host_dequeue(hb);
  hb->queue = LB_HB_QUEUE_TOKEN;
  lb_list_push_back(&host->token, &hb->queued);
  if (host->renewing) return true;
  host->renewing = true;
  if (ops->renew_token != NULL && ops->renew_token(host, ops->ctx)) return true;
  host->renewing = false;
  lb_hb_host_dequeue(hb);
  return false;
}

struct lb_hb *lb_hb_host_refused(const struct lb_hb_host *host) {
  return LB_CONTAINER_OF(host->token.next, struct lb_hb, queued);
}

void lb_hb_host_token(struct lb_hb_host *host, bool renewed, int64_t now_ms) {
  struct lb_hb_sched *sched = host->sched;
  now_ms = lb_hb_sched_advance(sched, now_ms);
  host->renewing = false;
  if (renewed) host->token_ms = now_ms;
  while (!lb_list_empty(&host->token)) {
    struct lb_hb *hb = LB_CONTAINER_OF(host->token.next, struct lb_hb, queued);
    lb_hb_host_dequeue(hb);
    if (renewed) {
      probe_again(host, hb, now_ms);
    } else {
      lb_hb_fail(hb, false, "the token was refused and no newer one could be had",
                 now_ms);
    }
  }
  lb_hb_sched_settle(sched, host);
}
