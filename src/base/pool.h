/* SPDX-License-Identifier: Apache-2.0 */
/* Large blocks of memory that are used again, since the first touch of fresh pages costs
 * more than the work done in them.
 *
 * A pool is counted by references, and each block that was taken holds one: a block may
 * be released on any thread, long after the pool's owner has gone. Idle blocks wait in a
 * stack per kind, the one released last on top. A release is one compare-and-swap, and
 * takes no lock and posts nothing; takers take turns under a mutex, so that no block can
 * leave the stack and come back behind a taker's back.
 *
 * Idle blocks of one kind make room for fresh ones of another once the pool is large, so
 * that its size is that of the moment when most was in use, not the sum of such moments.
 *
 * A pool is warm from the first block that is taken until lb_pool_trim finds that nobody
 * has taken any for a while and none is idle. Only a warm pool keeps what is released; a
 * cold one frees it at once. So nothing idle is left behind when nobody trims it. */
#ifndef LB_BASE_POOL_H
#define LB_BASE_POOL_H

#include "base/error.h"

enum lb_block_kind {
  LB_BLOCK_INPUT, /* bytes as they come from the network */
  LB_BLOCK_SLAB,  /* bytes that arrays point into */
  LB_BLOCK_PIECE, /* the same, a piece of a page of columns */
  LB_BLOCK_REPLY, /* a large reply in one */
  LB_BLOCK_KINDS
};
/* One largest block of an LZ4 frame with its size and checksum fits into an input. */
#define LB_BLOCK_INPUT_BYTES (((size_t)4 << 20) + ((size_t)64 << 10))
/* Two largest blocks of LZ4, and one more which is the slack that it wants. */
#define LB_BLOCK_SLAB_BYTES ((size_t)12 << 20)
/* Stays in a processor's cache from being written to being read. */
#define LB_BLOCK_PIECE_BYTES ((size_t)2 << 20)
/* Twice what servers are asked for in a page; what a reply leaves untouched costs only
 * addresses. */
#define LB_BLOCK_REPLY_BYTES ((size_t)32 << 20)
/* What nobody has needed for so long is freed. */
#define LB_POOL_IDLE_MS 1000
/* Beyond so many bytes in all, live and idle, no block is made while one of another kind
 * lies idle: that one is freed instead. */
#define LB_POOL_KEEP_BYTES ((size_t)48 << 20)

struct lb_pool;
struct lb_block {
  uint8_t *data; /* aligned to a page; holds anything */
  size_t cap;
  /* The pool's own. */
  struct lb_pool *pool;
  struct lb_block *next;
  enum lb_block_kind kind;
  bool kept;
};

/* With one reference. */
enum lb_status lb_pool_create(struct lb_pool **out, struct lb_error *err) LB_MUST_USE;
void lb_pool_retain(struct lb_pool *pool);
void lb_pool_release(struct lb_pool *pool); /* NULL allowed; any thread */
/* Frees what is idle and keeps nothing from then on: for an owner that will not trim any
 * more. Blocks can still be taken and released. */
void lb_pool_close(struct lb_pool *pool);

/* A block of its kind's size; a larger one is made for the occasion and not kept. Any
 * thread. */
enum lb_status lb_pool_take(struct lb_pool *pool, enum lb_block_kind kind,
                            size_t at_least_bytes, struct lb_block **out,
                            struct lb_error *err) LB_MUST_USE;
void lb_block_release(struct lb_block *block); /* NULL allowed; any thread, no lock */

/* warmed(ctx) is called by lb_pool_take, on its thread and without a lock, whenever the
 * pool turns warm: lb_pool_trim must be called from then on, LB_POOL_IDLE_MS apart, until
 * it returns false. Set before the pool is shared. */
void lb_pool_on_warm(struct lb_pool *pool, void (*warmed)(void *ctx), void *ctx);
/* Frees the blocks that were idle all the time since the last call, if that was
 * LB_POOL_IDLE_MS ago. False: the pool is cold, and needs no further call until it is
 * warm again. */
bool lb_pool_trim(struct lb_pool *pool, int64_t now_ms);

struct lb_pool_stats {
  int64_t fresh;      /* blocks made */
  int64_t recycled;   /* takes that needed no new one */
  int64_t live_bytes; /* of blocks taken */
  int64_t idle_bytes; /* of blocks kept */
  int64_t live_blocks;
};
/* Any thread; the numbers need not be of one moment. */
struct lb_pool_stats lb_pool_stats(const struct lb_pool *pool);

#endif
