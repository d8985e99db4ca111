/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a process form a tree: process, database, connection, result. What a
 * result counts is added to every block above it at once, so that a sum keeps what
 * results counted that are gone. What cannot be summed (idle time, time since contact) is
 * looked up in the blocks below when somebody asks; one mutex per tree guards the links,
 * never the numbers. */
#include "base/mutex.h"
#include "result/cloud_stats.h"
#include "result/hb_internal.h"

struct lb_hb_stats {
  atomic_int refs;
  _Atomic uint8_t state;
  _Atomic uint8_t reason;
  _Atomic uint8_t verdict_reason;
  struct lb_mutex *mu;        /* of the tree; the root's own */
  struct lb_hb_stats *parent; /* retained */
  struct lb_list sibling;     /* guarded by *mu, as the list it is in */
  struct lb_list children LB_GUARDED_BY(*mu);
  _Atomic int64_t counts[LB_HB_COUNTERS];
  _Atomic int64_t armed;
  _Atomic int64_t late_max_ms;
  _Atomic int64_t reader_ms; /* LB_NEVER_MS while the reader is inside */
  _Atomic int64_t contact_ms;
  _Atomic int64_t alive_ms;
  /* Even while the verdict is at rest. */
  atomic_uint verdict_version;
  uint32_t gate_mark; /* I/O thread only */
  struct lb_cloud_stats *cloud;
  _Atomic int64_t verdict_alive_ms;
  _Atomic int64_t verdict_idle_ms;
  _Atomic int64_t verdict_succeeded;
};

/* One thread writes, so that adding needs no locked instruction. */
static int64_t get(const _Atomic int64_t *number) {
  return atomic_load_explicit(number, memory_order_relaxed);
}

static void put(_Atomic int64_t *number, int64_t value) {
  atomic_store_explicit(number, value, memory_order_relaxed);
}

static enum lb_status root_init(struct lb_hb_stats *stats, struct lb_error *err) {
  struct lb_mutex *mu = lb_alloc_zero(LB_MEM_MISC, sizeof(*mu));
  if (mu == NULL) return lb_error_oom(err, "the mutex of heartbeat statistics");
  enum lb_status status = lb_mutex_init(mu, err);
  if (status != LB_OK) {
    lb_free(mu);
    return status;
  }
  stats->mu = mu;
  return LB_OK;
}

static void adopt(struct lb_hb_stats *parent, struct lb_hb_stats *stats) {
  lb_hb_stats_retain(parent);
  stats->parent = parent;
  stats->mu = parent->mu;
  lb_mutex_lock(parent->mu);
  lb_list_push_back(&parent->children, &stats->sibling);
  lb_mutex_unlock(parent->mu);
}

static void init_links(struct lb_hb_stats *stats) LB_NO_TSA {
  lb_list_init(&stats->sibling);
  lb_list_init(&stats->children);
}

enum lb_status lb_hb_stats_create(struct lb_hb_stats *parent, struct lb_hb_stats **out,
                                  struct lb_error *err) {
  struct lb_hb_stats *stats = lb_alloc_zero(LB_MEM_MISC, sizeof(*stats));
  if (stats == NULL) return lb_error_oom(err, "heartbeat statistics");
  enum lb_status made =
      lb_cloud_stats_create(parent != NULL ? parent->cloud : NULL, &stats->cloud, err);
  if (made != LB_OK) {
    lb_free(stats);
    return made;
  }
  atomic_store_explicit(&stats->refs, 1, memory_order_relaxed);
  put(&stats->reader_ms, LB_NEVER_MS);
  init_links(stats);
  if (parent != NULL) {
    adopt(parent, stats);
  } else {
    enum lb_status status = root_init(stats, err);
    if (status != LB_OK) {
      lb_cloud_stats_release(stats->cloud);
      lb_free(stats);
      return status;
    }
  }
  *out = stats;
  return LB_OK;
}

void lb_hb_stats_retain(struct lb_hb_stats *stats) {
  atomic_fetch_add_explicit(&stats->refs, 1, memory_order_relaxed);
}

void lb_hb_stats_release(struct lb_hb_stats *stats) {
  while (stats != NULL) {
    if (atomic_fetch_sub_explicit(&stats->refs, 1, memory_order_acq_rel) != 1) return;
    struct lb_hb_stats *parent = stats->parent;
    if (parent != NULL) {
      lb_mutex_lock(parent->mu);
      lb_list_remove(&stats->sibling);
      lb_mutex_unlock(parent->mu);
    } else {
      lb_mutex_destroy(stats->mu);
      lb_free(stats->mu);
    }
    lb_cloud_stats_release(stats->cloud);
    lb_free(stats);
    stats = parent;
  }
}

struct lb_hb_stats *lb_hb_stats_root(struct lb_hb_stats *stats) {
  while (stats->parent != NULL) stats = stats->parent;
  return stats;
}

struct lb_cloud_stats *lb_hb_stats_cloud(const struct lb_hb_stats *stats) {
  return stats->cloud;
}

static bool is_live(uint8_t state) {
  return state == LB_HB_ARMED || state == LB_HB_PROBING;
}

/* Takes the longest times of the block itself and of all below it. The tree has four
 * levels, so the recursion is short. */
static void longest(const struct lb_hb_stats *stats, int64_t now_ms,
                    struct lb_hb_snapshot *out) LB_NO_TSA {
  if (is_live(atomic_load_explicit(&stats->state, memory_order_relaxed))) {
    int64_t reader_ms = get(&stats->reader_ms);
    if (reader_ms < now_ms) {
      out->oldest_idle_ms = LB_MAX(out->oldest_idle_ms, now_ms - reader_ms);
    }
    int64_t contact_ms = get(&stats->contact_ms);
    out->since_contact_ms = LB_MAX(out->since_contact_ms, now_ms - contact_ms);
  }
  LB_LIST_FOR_EACH_SAFE(node, next, &stats->children) {
    longest(LB_CONTAINER_OF(node, struct lb_hb_stats, sibling), now_ms, out);
  }
}

void lb_hb_stats_read(const struct lb_hb_stats *stats, int64_t now_ms,
                      struct lb_hb_snapshot *out) {
  *out = (struct lb_hb_snapshot){
      .state = atomic_load_explicit(&stats->state, memory_order_relaxed),
      .reason = atomic_load_explicit(&stats->reason, memory_order_relaxed),
      .armed = get(&stats->armed),
      .probes_sent = get(&stats->counts[LB_HB_COUNT_SENT]),
      .probes_succeeded = get(&stats->counts[LB_HB_COUNT_SUCCEEDED]),
      .probes_failed = get(&stats->counts[LB_HB_COUNT_FAILED]),
      .probes_dropped = get(&stats->counts[LB_HB_COUNT_DROPPED]),
      .postponed = get(&stats->counts[LB_HB_COUNT_POSTPONED]),
      .bytes = get(&stats->counts[LB_HB_COUNT_BYTES]),
      .gates_closed = get(&stats->counts[LB_HB_COUNT_GATES]),
      .late_max_ms = get(&stats->late_max_ms),
  };
  lb_mutex_lock(stats->mu);
  longest(stats, now_ms, out);
  lb_mutex_unlock(stats->mu);
  if (out->state == LB_HB_NOT_ARMED && out->armed > 0) out->state = LB_HB_ARMED;
  /* One that has stopped still tells how long ago the server last heard of its result. */
  int64_t contact_ms = get(&stats->contact_ms);
  if (out->state == LB_HB_STOPPED && contact_ms > 0) {
    out->since_contact_ms = LB_MAX(now_ms - contact_ms, 0);
  }
}

bool lb_hb_stats_verdict(const struct lb_hb_stats *stats, struct lb_hb_verdict *out) {
  for (;;) {
    unsigned version =
        atomic_load_explicit(&stats->verdict_version, memory_order_acquire);
    uint8_t reason = atomic_load_explicit(&stats->verdict_reason, memory_order_acquire);
    struct lb_hb_verdict verdict = {
        .reason = (enum lb_hb_reason)reason,
        .last_alive_ms =
            atomic_load_explicit(&stats->verdict_alive_ms, memory_order_acquire),
        .idle_ms = atomic_load_explicit(&stats->verdict_idle_ms, memory_order_acquire),
        .succeeded =
            atomic_load_explicit(&stats->verdict_succeeded, memory_order_acquire),
    };
    unsigned after = atomic_load_explicit(&stats->verdict_version, memory_order_acquire);
    if (version != after || (version & 1u) != 0) continue;
    if (reason == LB_HB_NO_REASON) return false;
    *out = verdict;
    return true;
  }
}

void lb_hb_stats_set_not_armed(struct lb_hb_stats *stats, enum lb_hb_reason reason) {
  LB_ASSERT(!is_live(atomic_load_explicit(&stats->state, memory_order_relaxed)));
  atomic_store_explicit(&stats->state, (uint8_t)LB_HB_NOT_ARMED, memory_order_relaxed);
  atomic_store_explicit(&stats->reason, (uint8_t)reason, memory_order_relaxed);
}

void lb_hb_stats_add(struct lb_hb_stats *stats, enum lb_hb_counter which,
                     int64_t amount) {
  for (; stats != NULL; stats = stats->parent) {
    put(&stats->counts[which], get(&stats->counts[which]) + amount);
  }
}

int64_t lb_hb_stats_get(const struct lb_hb_stats *stats, enum lb_hb_counter which) {
  return get(&stats->counts[which]);
}

void lb_hb_stats_set_state(struct lb_hb_stats *stats, enum lb_hb_state state,
                           enum lb_hb_reason reason) {
  bool was_live = is_live(atomic_load_explicit(&stats->state, memory_order_relaxed));
  atomic_store_explicit(&stats->state, (uint8_t)state, memory_order_relaxed);
  atomic_store_explicit(&stats->reason, (uint8_t)reason, memory_order_relaxed);
  int64_t change = (is_live((uint8_t)state) ? 1 : 0) - (was_live ? 1 : 0);
  if (change == 0) return;
  for (; stats != NULL; stats = stats->parent)
    put(&stats->armed, get(&stats->armed) + change);
}

void lb_hb_stats_set_reader(struct lb_hb_stats *stats, bool inside, int64_t reader_ms) {
  put(&stats->reader_ms, inside ? LB_NEVER_MS : reader_ms);
}

void lb_hb_stats_set_contact(struct lb_hb_stats *stats, int64_t sent_ms) {
  if (sent_ms > get(&stats->contact_ms)) put(&stats->contact_ms, sent_ms);
}

void lb_hb_stats_set_alive(struct lb_hb_stats *stats, int64_t sent_ms) {
  if (sent_ms > get(&stats->alive_ms)) put(&stats->alive_ms, sent_ms);
}

int64_t lb_hb_stats_contact_ms(const struct lb_hb_stats *stats) {
  return get(&stats->contact_ms);
}

void lb_hb_stats_late(struct lb_hb_stats *stats, int64_t late_ms) {
  for (; stats != NULL && late_ms > get(&stats->late_max_ms); stats = stats->parent) {
    put(&stats->late_max_ms, late_ms);
  }
}

void lb_hb_stats_gate_closed(struct lb_hb_stats *stats, uint32_t closing) {
  for (; stats != NULL && stats->gate_mark != closing; stats = stats->parent) {
    stats->gate_mark = closing;
    put(&stats->counts[LB_HB_COUNT_GATES], get(&stats->counts[LB_HB_COUNT_GATES]) + 1);
  }
}

/* A reader that sees one of the new values sees the odd version before it, and tries
 * again: each release store below carries it. */
static void write_verdict(struct lb_hb_stats *stats,
                          const struct lb_hb_verdict *verdict) {
  atomic_fetch_add_explicit(&stats->verdict_version, 1, memory_order_relaxed);
  atomic_store_explicit(&stats->verdict_reason, (uint8_t)verdict->reason,
                        memory_order_release);
  atomic_store_explicit(&stats->verdict_alive_ms, verdict->last_alive_ms,
                        memory_order_release);
  atomic_store_explicit(&stats->verdict_idle_ms, verdict->idle_ms, memory_order_release);
  atomic_store_explicit(&stats->verdict_succeeded, verdict->succeeded,
                        memory_order_release);
  atomic_fetch_add_explicit(&stats->verdict_version, 1, memory_order_release);
}

void lb_hb_stats_set_verdict(struct lb_hb_stats *stats, enum lb_hb_reason reason,
                             int64_t idle_ms) {
  struct lb_hb_verdict verdict = {
      .reason = reason,
      .last_alive_ms = get(&stats->alive_ms),
      .idle_ms = idle_ms,
      .succeeded = get(&stats->counts[LB_HB_COUNT_SUCCEEDED]),
  };
  write_verdict(stats, &verdict);
}

void lb_hb_stats_clear_verdict(struct lb_hb_stats *stats) {
  if (atomic_load_explicit(&stats->verdict_reason, memory_order_relaxed) == 0) return;
  write_verdict(stats, &(struct lb_hb_verdict){.reason = LB_HB_NO_REASON});
}
