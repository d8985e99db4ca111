/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#define CAP_MIN 64

static bool before(const struct lb_heap_node *a, const struct lb_heap_node *b) {
  if (a->key != b->key) return a->key < b->key;
  /* The counter may wrap; what came within 2^31 inserts compares right. */
  return (int32_t)(a->seq - b->seq) < 0;
}

static void place(struct lb_heap *heap, struct lb_heap_node *node, uint32_t index) {
  heap->nodes[index] = node;
  node->index = index;
}

static void sift_up(struct lb_heap *heap, struct lb_heap_node *node, uint32_t index) {
  while (index > 0) {
    uint32_t parent = (index - 1) / 2;
    if (!before(node, heap->nodes[parent])) break;
    place(heap, heap->nodes[parent], index);
    index = parent;
  }
  place(heap, node, index);
}

static void sift_down(struct lb_heap *heap, struct lb_heap_node *node, uint32_t index) {
  for (;;) {
    uint64_t child = (uint64_t)index * 2 + 1;
    if (child >= heap->len) break;
    uint32_t least = (uint32_t)child;
    if (child + 1 < heap->len && before(heap->nodes[least + 1], heap->nodes[least]))
      least++;
    if (!before(heap->nodes[least], node)) break;
    place(heap, heap->nodes[least], index);
    index = least;
  }
  place(heap, node, index);
}

/* Puts node, whose key may be anything, where it belongs, beginning at index. */
static void settle(struct lb_heap *heap, struct lb_heap_node *node, uint32_t index) {
  if (index > 0 && before(node, heap->nodes[(index - 1) / 2])) {
    sift_up(heap, node, index);
  } else {
    sift_down(heap, node, index);
  }
}

void lb_heap_init(struct lb_heap *heap, enum lb_mem_tag tag) {
  *heap = (struct lb_heap){.tag = tag};
}

void lb_heap_reset(struct lb_heap *heap) {
  for (uint32_t i = 0; i < heap->len; i++) heap->nodes[i]->index = LB_HEAP_NONE;
  lb_free(heap->nodes);
  lb_heap_init(heap, heap->tag);
}

enum lb_status lb_heap_reserve(struct lb_heap *heap, uint32_t count,
                               struct lb_error *err) {
  if (count <= heap->cap) return LB_OK;
  uint64_t cap = LB_MAX((uint64_t)heap->cap * 2, (uint64_t)CAP_MIN);
  cap = LB_MIN(LB_MAX(cap, (uint64_t)count), (uint64_t)UINT32_MAX);
  size_t size;
  struct lb_heap_node **nodes = NULL;
  if (lb_size_mul((size_t)cap, sizeof(struct lb_heap_node *), &size)) {
    nodes = lb_realloc(heap->tag, heap->nodes, size);
  }
  if (nodes == NULL) return lb_error_oom(err, "room in a timer heap");
  heap->nodes = nodes;
  heap->cap = (uint32_t)cap;
  return LB_OK;
}

enum lb_status lb_heap_insert(struct lb_heap *heap, struct lb_heap_node *node,
                              int64_t key, struct lb_error *err) {
  LB_ASSERT(!lb_heap_contains(node));
  /* LB_HEAP_NONE is no place, so the array ends before it. */
  if (heap->len == LB_HEAP_NONE) return lb_error_oom(err, "room in a timer heap");
  LB_TRY(lb_heap_reserve(heap, heap->len + 1, err));
  node->key = key;
  node->seq = heap->next_seq++;
  sift_up(heap, node, heap->len++);
  return LB_OK;
}

void lb_heap_update(struct lb_heap *heap, struct lb_heap_node *node, int64_t key) {
  LB_ASSERT(node->index < heap->len && heap->nodes[node->index] == node);
  if (node->index >= heap->len) return;
  node->key = key;
  node->seq = heap->next_seq++;
  settle(heap, node, node->index);
}

void lb_heap_remove(struct lb_heap *heap, struct lb_heap_node *node) {
  if (!lb_heap_contains(node)) return;
  LB_ASSERT(node->index < heap->len && heap->nodes[node->index] == node);
  if (node->index >= heap->len) return;
  uint32_t hole = node->index;
  struct lb_heap_node *last = heap->nodes[--heap->len];
  node->index = LB_HEAP_NONE;
  if (last != node) settle(heap, last, hole);
}

struct lb_heap_node *lb_heap_min(const struct lb_heap *heap) {
  return heap->len == 0 ? NULL : heap->nodes[0];
}
