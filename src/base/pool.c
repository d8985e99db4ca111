/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/mutex.h"

/* On top of the stack of a pool that keeps nothing. Never taken, never freed. */
static struct lb_block cold;

struct stack {
  _Atomic(struct lb_block *) top;
  atomic_int_fast64_t idle; /* blocks in it; may run a step ahead of it */
  int64_t least_idle;       /* since the last trim; guarded by the pool's mutex */
};

struct lb_pool {
  atomic_uint refs;
  struct stack stacks[LB_BLOCK_KINDS];
  struct {
    struct lb_mutex mu; /* held by who takes from a stack */
    bool closed LB_GUARDED_BY(mu);
    bool taken LB_GUARDED_BY(mu); /* since the last trim */
    int64_t trimmed_ms LB_GUARDED_BY(mu);
  } synced;
  void (*warmed)(void *ctx);
  void *warmed_ctx;
  atomic_int_fast64_t fresh;
  atomic_int_fast64_t recycled;
  atomic_int_fast64_t live_bytes;
  atomic_int_fast64_t live_blocks;
};

static size_t kind_bytes(enum lb_block_kind kind) {
  static const size_t bytes[LB_BLOCK_KINDS] = {
      [LB_BLOCK_INPUT] = LB_BLOCK_INPUT_BYTES,
      [LB_BLOCK_SLAB] = LB_BLOCK_SLAB_BYTES,
      [LB_BLOCK_PIECE] = LB_BLOCK_PIECE_BYTES,
      [LB_BLOCK_REPLY] = LB_BLOCK_REPLY_BYTES,
  };
  return bytes[kind];
}

static void block_free(struct lb_block *block) {
  lb_free_pages(LB_MEM_ARROW, block->data, block->cap);
  lb_free(block);
}

static void free_chain(struct lb_block *block) {
  while (block != NULL) {
    struct lb_block *next = block->next;
    block_free(block);
    block = next;
  }
}

static int64_t chain_length(const struct lb_block *block) {
  int64_t length = 0;
  for (; block != NULL; block = block->next) length++;
  return length;
}

/* Puts first .. last, which are linked, on top; false when the stack is cold. */
static bool push(struct stack *stack, struct lb_block *first, struct lb_block *last) {
  struct lb_block *top = atomic_load_explicit(&stack->top, memory_order_relaxed);
  do {
    if (top == &cold) return false;
    last->next = top;
  } while (!atomic_compare_exchange_weak_explicit(
      &stack->top, &top, first, memory_order_acq_rel, memory_order_relaxed));
  return true;
}

/* Under the mutex, as all that takes away. */
static struct lb_block *pop(struct stack *stack) {
  struct lb_block *top = atomic_load_explicit(&stack->top, memory_order_acquire);
  do {
    if (top == NULL || top == &cold) return NULL;
  } while (!atomic_compare_exchange_weak_explicit(
      &stack->top, &top, top->next, memory_order_acq_rel, memory_order_acquire));
  int64_t left = atomic_fetch_sub_explicit(&stack->idle, 1, memory_order_relaxed) - 1;
  stack->least_idle = LB_MIN(stack->least_idle, left);
  return top;
}

/* Under the mutex: all of it, and what is to lie there instead. */
static struct lb_block *pop_all(struct stack *stack, struct lb_block *instead) {
  struct lb_block *all =
      atomic_exchange_explicit(&stack->top, instead, memory_order_acq_rel);
  return all == &cold ? NULL : all;
}

enum lb_status lb_pool_create(struct lb_pool **out, struct lb_error *err) {
  struct lb_pool *pool = lb_alloc_zero(LB_MEM_MISC, sizeof(*pool));
  if (pool == NULL) return lb_error_oom(err, "a pool of buffers");
  enum lb_status status = lb_mutex_init(&pool->synced.mu, err);
  if (status != LB_OK) {
    lb_free(pool);
    return status;
  }
  atomic_init(&pool->refs, 1);
  for (int i = 0; i < LB_BLOCK_KINDS; i++) atomic_init(&pool->stacks[i].top, &cold);
  *out = pool;
  return LB_OK;
}

void lb_pool_retain(struct lb_pool *pool) {
  atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
}

void lb_pool_release(struct lb_pool *pool) {
  if (pool == NULL) return;
  if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1) return;
  for (int i = 0; i < LB_BLOCK_KINDS; i++) free_chain(pop_all(&pool->stacks[i], &cold));
  lb_mutex_destroy(&pool->synced.mu);
  lb_free(pool);
}

void lb_pool_close(struct lb_pool *pool) {
  struct lb_block *idle[LB_BLOCK_KINDS];
  lb_mutex_lock(&pool->synced.mu);
  pool->synced.closed = true;
  for (int i = 0; i < LB_BLOCK_KINDS; i++) {
    idle[i] = pop_all(&pool->stacks[i], &cold);
    atomic_fetch_sub_explicit(&pool->stacks[i].idle, chain_length(idle[i]),
                              memory_order_relaxed);
  }
  lb_mutex_unlock(&pool->synced.mu);
  for (int i = 0; i < LB_BLOCK_KINDS; i++) free_chain(idle[i]);
}

void lb_pool_on_warm(struct lb_pool *pool, void (*warmed)(void *ctx), void *ctx) {
  pool->warmed = warmed;
  pool->warmed_ctx = ctx;
}

/* True when the pool was cold: all its stacks turn warm at once. */
static bool warm_up(struct lb_pool *pool) LB_REQUIRES(pool->synced.mu) {
  bool was_cold = false;
  for (int i = 0; i < LB_BLOCK_KINDS && !pool->synced.closed; i++) {
    struct lb_block *top = &cold;
    if (atomic_compare_exchange_strong(&pool->stacks[i].top, &top, NULL)) {
      was_cold = true;
      pool->stacks[i].least_idle = 0;
    }
  }
  return was_cold;
}

static int64_t idle_bytes(const struct lb_pool *pool) {
  int64_t bytes = 0;
  for (int i = 0; i < LB_BLOCK_KINDS; i++) {
    int64_t idle = atomic_load_explicit(&pool->stacks[i].idle, memory_order_relaxed);
    bytes += idle * (int64_t)kind_bytes((enum lb_block_kind)i);
  }
  return bytes;
}

/* Under the mutex, where a fresh block is to be made: idle ones of other kinds that make
 * room for it, as a chain. */
static struct lb_block *take_back(struct lb_pool *pool, enum lb_block_kind kind)
    LB_REQUIRES(pool->synced.mu) {
  struct lb_block *chain = NULL, *block;
  int64_t live = atomic_load_explicit(&pool->live_bytes, memory_order_relaxed);
  int64_t made = (int64_t)kind_bytes(kind);
  /* No more than it needs: the other kinds are wanted again soon. */
  int64_t excess =
      LB_MIN(live + idle_bytes(pool) + made - (int64_t)LB_POOL_KEEP_BYTES, made);
  for (int i = 0; i < LB_BLOCK_KINDS; i++) {
    while (i != (int)kind && excess > 0 && (block = pop(&pool->stacks[i])) != NULL) {
      excess -= (int64_t)block->cap;
      block->next = chain;
      chain = block;
    }
  }
  return chain;
}

static enum lb_status block_create(struct lb_pool *pool, enum lb_block_kind kind,
                                   size_t bytes, struct lb_block **out,
                                   struct lb_error *err) {
  struct lb_block *block = lb_alloc_zero(LB_MEM_ARROW, sizeof(*block));
  if (block == NULL) return lb_error_oom(err, "a buffer");
  block->cap = LB_MAX(bytes, kind_bytes(kind));
  block->data = lb_alloc_pages(LB_MEM_ARROW, block->cap);
  if (block->data == NULL) {
    lb_free(block);
    return lb_error_oom(err, "a buffer");
  }
  block->kind = kind;
  block->kept = bytes <= kind_bytes(kind);
  atomic_fetch_add_explicit(&pool->fresh, 1, memory_order_relaxed);
  *out = block;
  return LB_OK;
}

enum lb_status lb_pool_take(struct lb_pool *pool, enum lb_block_kind kind,
                            size_t at_least_bytes, struct lb_block **out,
                            struct lb_error *err) {
  struct lb_block *block = NULL, *surplus = NULL;
  if (at_least_bytes <= kind_bytes(kind)) {
    lb_mutex_lock(&pool->synced.mu);
    bool warmed = warm_up(pool);
    pool->synced.taken = true;
    block = pop(&pool->stacks[kind]);
    if (block == NULL) surplus = take_back(pool, kind);
    lb_mutex_unlock(&pool->synced.mu);
    free_chain(surplus);
    if (warmed && pool->warmed != NULL) pool->warmed(pool->warmed_ctx);
  }
  if (block == NULL) {
    LB_TRY(block_create(pool, kind, at_least_bytes, &block, err));
  } else {
    lb_mem_allow(block->data, block->cap);
    atomic_fetch_add_explicit(&pool->recycled, 1, memory_order_relaxed);
  }
  lb_pool_retain(pool);
  block->pool = pool;
  block->next = NULL;
  atomic_fetch_add_explicit(&pool->live_bytes, (int64_t)block->cap, memory_order_relaxed);
  atomic_fetch_add_explicit(&pool->live_blocks, 1, memory_order_relaxed);
  *out = block;
  return LB_OK;
}

void lb_block_release(struct lb_block *block) {
  if (block == NULL) return;
  struct lb_pool *pool = block->pool;
  struct stack *stack = &pool->stacks[block->kind];
  atomic_fetch_sub_explicit(&pool->live_bytes, (int64_t)block->cap, memory_order_relaxed);
  atomic_fetch_sub_explicit(&pool->live_blocks, 1, memory_order_relaxed);
  bool kept = block->kept;
  if (kept) {
    lb_mem_forbid(block->data, block->cap);
    atomic_fetch_add_explicit(&stack->idle, 1, memory_order_relaxed);
    kept = push(stack, block, block);
    if (!kept) atomic_fetch_sub_explicit(&stack->idle, 1, memory_order_relaxed);
  }
  if (!kept) block_free(block);
  lb_pool_release(pool);
}

/* Under the mutex: what the stack has held all the time, from its bottom, where it is
 * longest. */
static struct lb_block *take_surplus(struct stack *stack) {
  struct lb_block *all = pop_all(stack, NULL), *last_kept = NULL, *rest = all;
  for (int64_t keep = chain_length(all) - stack->least_idle; keep > 0 && rest != NULL;
       keep--) {
    last_kept = rest;
    rest = rest->next;
  }
  int64_t freed = chain_length(rest);
  /* The stack is warm, and nobody but who holds the mutex makes it cold. */
  if (last_kept != NULL) (void)push(stack, all, last_kept);
  stack->least_idle =
      atomic_fetch_sub_explicit(&stack->idle, freed, memory_order_relaxed) - freed;
  return rest;
}

/* Under the mutex: true when nothing is idle, and nothing can become so any more. A
 * release may come in between; then all stacks stay warm. */
static bool cool_down(struct lb_pool *pool) {
  for (int i = 0; i < LB_BLOCK_KINDS; i++) {
    struct lb_block *top = NULL;
    if (atomic_compare_exchange_strong(&pool->stacks[i].top, &top, &cold)) continue;
    if (top == &cold) continue;
    while (--i >= 0) atomic_store(&pool->stacks[i].top, NULL);
    return false;
  }
  return true;
}

bool lb_pool_trim(struct lb_pool *pool, int64_t now_ms) {
  struct lb_block *surplus[LB_BLOCK_KINDS] = {NULL};
  bool again = true;
  lb_mutex_lock(&pool->synced.mu);
  if (pool->synced.closed) {
    again = false;
  } else if (now_ms - pool->synced.trimmed_ms >= LB_POOL_IDLE_MS) {
    pool->synced.trimmed_ms = now_ms;
    for (int i = 0; i < LB_BLOCK_KINDS; i++) {
      if (atomic_load(&pool->stacks[i].top) == &cold) continue;
      surplus[i] = take_surplus(&pool->stacks[i]);
    }
    again = pool->synced.taken || !cool_down(pool);
    pool->synced.taken = false;
  }
  lb_mutex_unlock(&pool->synced.mu);
  for (int i = 0; i < LB_BLOCK_KINDS; i++) free_chain(surplus[i]);
  return again;
}

struct lb_pool_stats lb_pool_stats(const struct lb_pool *pool) {
  struct lb_pool_stats stats = {
      .fresh = atomic_load_explicit(&pool->fresh, memory_order_relaxed),
      .recycled = atomic_load_explicit(&pool->recycled, memory_order_relaxed),
      .live_bytes = atomic_load_explicit(&pool->live_bytes, memory_order_relaxed),
      .live_blocks = atomic_load_explicit(&pool->live_blocks, memory_order_relaxed),
  };
  stats.idle_bytes = idle_bytes(pool);
  return stats;
}
