/* SPDX-License-Identifier: Apache-2.0 */
/* A binary min-heap of intrusive nodes by 64-bit key; equal keys leave in the order in
 * which they came (insertion counter). Each node knows its place, so removal is O(log n).
 * Grows by doubling from 64 (one pointer a node) and is limited by memory only. The array
 * shrinks only at reset: room that was reserved stays. Not thread-safe. */
#ifndef LB_BASE_HEAP_H
#define LB_BASE_HEAP_H

#include "base/alloc.h"
#include "base/error.h"

struct lb_heap_node {
  int64_t key;
  uint32_t seq;
  uint32_t index; /* LB_HEAP_NONE while in no heap */
};
#define LB_HEAP_NONE UINT32_MAX

struct lb_heap {
  struct lb_heap_node **nodes;
  uint32_t len;
  uint32_t cap;
  uint32_t next_seq;
  enum lb_mem_tag tag;
};

void lb_heap_init(struct lb_heap *heap, enum lb_mem_tag tag);
void lb_heap_reset(struct lb_heap *heap); /* frees the array; nodes are the caller's */
static inline void lb_heap_node_init(struct lb_heap_node *node) {
  node->key = 0;
  node->seq = 0;
  node->index = LB_HEAP_NONE;
}
static inline bool lb_heap_contains(const struct lb_heap_node *node) {
  return node->index != LB_HEAP_NONE;
}
/* Room for `count` nodes in all, so that the next inserts up to it cannot fail. */
enum lb_status lb_heap_reserve(struct lb_heap *heap, uint32_t count,
                               struct lb_error *err) LB_MUST_USE;
/* Fails only when out of memory; then the node is in no heap. */
enum lb_status lb_heap_insert(struct lb_heap *heap, struct lb_heap_node *node,
                              int64_t key, struct lb_error *err) LB_MUST_USE;
/* Changes the key of a node that is in the heap; never fails. Among equal keys the node
 * then counts as the last to come. */
void lb_heap_update(struct lb_heap *heap, struct lb_heap_node *node, int64_t key);
/* No-op for a node that is in no heap. */
void lb_heap_remove(struct lb_heap *heap, struct lb_heap_node *node);
struct lb_heap_node *lb_heap_min(const struct lb_heap *heap); /* NULL when empty */

#endif
