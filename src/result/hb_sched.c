/* SPDX-License-Identifier: Apache-2.0 */
/* The run over all heartbeats and hosts, and the machine's suspensions.
 *
 * Constants
 *
 *  SUSPENDED_MIN_MS  1 s: suspended time is the difference of two clocks read one after
 * the other, which wavers by some ms without any suspension. */
#include "result/hb_internal.h"

#define SUSPENDED_MIN_MS 1000

enum lb_status lb_hb_sched_create(const struct lb_hb_ops *ops,
                                  const struct lb_random *rnd, struct lb_log *log,
                                  struct lb_hb_sched **out, struct lb_error *err) {
  struct lb_hb_sched *sched = lb_alloc_zero(LB_MEM_MISC, sizeof(*sched));
  if (sched == NULL) return lb_error_oom(err, "the heartbeat scheduler");
  sched->ops = *ops;
  sched->rnd = *rnd;
  sched->log = log;
  lb_heap_init(&sched->timers, LB_MEM_HB);
  lb_heap_init(&sched->host_timers, LB_MEM_MISC);
  lb_list_init(&sched->hosts);
  sched->now_ms = INT64_MIN;
  sched->suspended_ms = -1;
  sched->resumed_ms = INT64_MIN;
  sched->announced_ms = LB_NEVER_MS;
  *out = sched;
  return LB_OK;
}

static void free_all(struct lb_hb_sched *sched) {
  lb_heap_reset(&sched->timers);
  lb_heap_reset(&sched->host_timers); /* it touches the hosts */
  LB_LIST_FOR_EACH_SAFE(node, next, &sched->hosts) {
    lb_free(LB_CONTAINER_OF(node, struct lb_hb_host, node));
  }
  lb_free(sched);
}

void lb_hb_sched_destroy(struct lb_hb_sched *sched) {
  if (sched == NULL) return;
  sched->stopping = true;
  sched->destroyed = true;
  if (sched->hb_count == 0) free_all(sched);
}

void lb_hb_sched_leave(struct lb_hb_sched *sched) {
  sched->hb_count--;
  if (sched->destroyed && sched->hb_count == 0) free_all(sched);
}

int64_t lb_hb_sched_advance(struct lb_hb_sched *sched, int64_t now_ms) {
  sched->now_ms = LB_MAX(sched->now_ms, now_ms);
  return sched->now_ms;
}

int64_t lb_hb_sched_next_due(const struct lb_hb_sched *sched) {
  int64_t due_ms = LB_NEVER_MS;
  const struct lb_heap_node *node = lb_heap_min(&sched->timers);
  if (node != NULL) due_ms = node->key;
  node = lb_heap_min(&sched->host_timers);
  return node == NULL ? due_ms : LB_MIN(due_ms, node->key);
}

static void announce(struct lb_hb_sched *sched, bool always) {
  int64_t due_ms = lb_hb_sched_next_due(sched);
  if (!always && due_ms == sched->announced_ms) return;
  sched->announced_ms = due_ms;
  sched->ops.reschedule(sched, due_ms, sched->ops.ctx);
}

void lb_hb_sched_settle(struct lb_hb_sched *sched, struct lb_hb_host *host) {
  if (sched->stopping) return;
  lb_hb_host_pump(host, sched->now_ms);
  if (!sched->running) announce(sched, false);
}

void lb_hb_sched_suspended(struct lb_hb_sched *sched, int64_t now_ms,
                           int64_t suspended_ms) {
  now_ms = lb_hb_sched_advance(sched, now_ms);
  if (sched->suspended_ms < 0) sched->suspended_ms = suspended_ms;
  int64_t gap_ms = suspended_ms - sched->suspended_ms;
  if (gap_ms < SUSPENDED_MIN_MS) return;
  sched->suspended_ms = suspended_ms;
  sched->resumed_ms = now_ms;
  sched->resumes++;
  LB_LIST_FOR_EACH_SAFE(node, next, &sched->hosts) {
    struct lb_hb_host *host = LB_CONTAINER_OF(node, struct lb_hb_host, node);
    LB_LIST_FOR_EACH_SAFE(member, next_member, &host->members) {
      lb_hb_forgive(LB_CONTAINER_OF(member, struct lb_hb, member), gap_ms);
    }
  }
}

void lb_hb_sched_run(struct lb_hb_sched *sched, int64_t now_ms, int64_t suspended_ms) {
  now_ms = lb_hb_sched_advance(sched, now_ms);
  lb_hb_sched_suspended(sched, now_ms, suspended_ms);
  sched->running = true;
  struct lb_heap_node *node = lb_heap_min(&sched->host_timers);
  while (node != NULL && node->key <= now_ms) {
    lb_hb_host_pump(LB_CONTAINER_OF(node, struct lb_hb_host, timer), now_ms);
    node = lb_heap_min(&sched->host_timers);
  }
  node = lb_heap_min(&sched->timers);
  while (node != NULL && node->key <= now_ms) {
    struct lb_hb *hb = LB_CONTAINER_OF(node, struct lb_hb, timer);
    struct lb_hb_host *host = hb->host;
    lb_hb_fire(hb, now_ms);
    lb_hb_host_pump(host, now_ms);
    node = lb_heap_min(&sched->timers);
  }
  sched->running = false;
  announce(sched, true);
}

void lb_hb_sched_stop_all(struct lb_hb_sched *sched, int64_t now_ms) {
  now_ms = lb_hb_sched_advance(sched, now_ms);
  sched->stopping = true;
  LB_LIST_FOR_EACH_SAFE(node, next, &sched->hosts) {
    struct lb_hb_host *host = LB_CONTAINER_OF(node, struct lb_hb_host, node);
    while (!lb_list_empty(&host->members)) {
      lb_hb_halt(LB_CONTAINER_OF(host->members.next, struct lb_hb, member),
                 LB_HB_SHUTDOWN, now_ms);
    }
  }
  sched->stopping = false;
  announce(sched, true);
}
