/* SPDX-License-Identifier: Apache-2.0 */
/* The process's budget of bytes for what is fetched ahead of its reader. What a reader
 * waits for never asks it. Lock-free; any thread. */
#ifndef LB_IO_BUDGET_H
#define LB_IO_BUDGET_H

#include <stdatomic.h>

#include "base/base.h"

struct lb_io;

struct lb_budget {
  atomic_llong limit_bytes;
  atomic_llong used_bytes;
};

/* The one of the I/O object; valid as long as a use of it is held. */
struct lb_budget *lb_io_budget(struct lb_io *io);

static inline void lb_budget_set_limit(struct lb_budget *budget, int64_t limit_bytes) {
  atomic_store_explicit(&budget->limit_bytes, limit_bytes, memory_order_relaxed);
}

/* True when the bytes were granted; they are to be given back with lb_budget_return. */
static inline bool lb_budget_take(struct lb_budget *budget, int64_t bytes) {
  long long used =
      atomic_fetch_add_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
  if (used + bytes <= atomic_load_explicit(&budget->limit_bytes, memory_order_relaxed)) {
    return true;
  }
  atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
  return false;
}

static inline void lb_budget_return(struct lb_budget *budget, int64_t bytes) {
  atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
}

#endif
