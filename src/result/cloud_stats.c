/* SPDX-License-Identifier: Apache-2.0 */
#include "result/cloud_stats.h"

#include "base/alloc.h"

struct lb_cloud_stats {
  atomic_uint refs;
  struct lb_cloud_stats *parent;
  _Atomic int64_t counts[LB_CLOUD_COUNTER_COUNT];
};

enum lb_status lb_cloud_stats_create(struct lb_cloud_stats *parent,
                                     struct lb_cloud_stats **out, struct lb_error *err) {
  struct lb_cloud_stats *stats = lb_alloc_zero(LB_MEM_MISC, sizeof *stats);
  if (!stats) return lb_error_oom(err, "statistics of cloud fetch");
  atomic_init(&stats->refs, 1);
  if (parent) lb_cloud_stats_retain(parent);
  stats->parent = parent;
  *out = stats;
  return LB_OK;
}

void lb_cloud_stats_retain(struct lb_cloud_stats *stats) {
  atomic_fetch_add_explicit(&stats->refs, 1, memory_order_relaxed);
}

void lb_cloud_stats_release(struct lb_cloud_stats *stats) {
  while (stats) {
    if (atomic_fetch_sub_explicit(&stats->refs, 1, memory_order_acq_rel) != 1) return;
    struct lb_cloud_stats *parent = stats->parent;
    lb_free(stats);
    stats = parent;
  }
}

void lb_cloud_count(struct lb_cloud_stats *stats, enum lb_cloud_counter counter,
                    int64_t n) {
  for (; stats; stats = stats->parent) {
    atomic_fetch_add_explicit(&stats->counts[counter], n, memory_order_relaxed);
  }
}

static void raise_to(_Atomic int64_t *most, int64_t value) {
  int64_t seen = atomic_load_explicit(most, memory_order_relaxed);
  while (seen < value &&
         !atomic_compare_exchange_weak_explicit(most, &seen, value, memory_order_relaxed,
                                                memory_order_relaxed)) {
  }
}

void lb_cloud_hold(struct lb_cloud_stats *stats, int64_t bytes) {
  for (; stats; stats = stats->parent) {
    _Atomic int64_t *held = &stats->counts[LB_CLOUD_held_bytes];
    int64_t before = atomic_fetch_add_explicit(held, bytes, memory_order_relaxed);
    raise_to(&stats->counts[LB_CLOUD_held_peak_bytes], before + bytes);
  }
}

int64_t lb_cloud_counted(struct lb_cloud_stats *stats, enum lb_cloud_counter counter) {
  return atomic_load_explicit(&stats->counts[counter], memory_order_relaxed);
}
