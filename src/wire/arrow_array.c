/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_array.h"

#include <string.h>

#include "base/alloc.h"

/* Behind the last byte, so that a wide load at the end of a buffer stays inside. */
#define TAIL_BYTES 64
/* Less than this is not worth a call of realloc. */
#define TRIM_MIN_BYTES 4096

_Alignas(LB_ARROW_ALIGN_BYTES) const uint8_t lb_arrow_zeros[LB_ARROW_ALIGN_BYTES];

static void retain(int32_t *refs) { __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED); }

static bool drop(int32_t *refs) {
  return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

enum lb_status lb_arrow_body_create(size_t cap, size_t phase, struct lb_arrow_body **out,
                                    struct lb_error *err) {
  size_t total;
  size_t around =
      sizeof(struct lb_arrow_body) + LB_ARROW_ALIGN_BYTES + phase + TAIL_BYTES;
  if (!lb_size_add(cap, around, &total)) {
    return lb_error_oom(err, "an Arrow buffer");
  }
  struct lb_arrow_body *body = lb_alloc(LB_MEM_ARROW, total);
  if (body == NULL) return lb_error_oom(err, "an Arrow buffer");
  uint8_t *first = (uint8_t *)(body + 1);
  size_t gap = (size_t)(-(uintptr_t)first & (LB_ARROW_ALIGN_BYTES - 1));
  *body = (struct lb_arrow_body){.refs = 1, .cap = cap, .data = first + gap + phase};
  *out = body;
  return LB_OK;
}

enum lb_status lb_arrow_body_take(struct lb_pool *pool, enum lb_block_kind kind,
                                  size_t at_least, size_t phase,
                                  struct lb_arrow_body **out, struct lb_error *err) {
  size_t total;
  if (!lb_size_add(at_least, phase + TAIL_BYTES, &total)) {
    return lb_error_oom(err, "an Arrow buffer");
  }
  struct lb_arrow_body *body = lb_alloc_zero(LB_MEM_ARROW, sizeof(*body));
  if (body == NULL) return lb_error_oom(err, "an Arrow buffer");
  enum lb_status status = lb_pool_take(pool, kind, total, &body->block, err);
  if (status != LB_OK) {
    lb_free(body);
    return status;
  }
  body->refs = 1;
  body->data = body->block->data + phase;
  body->cap = body->block->cap - phase - TAIL_BYTES;
  *out = body;
  return LB_OK;
}

void lb_arrow_body_trim(struct lb_arrow_body **body, size_t len) {
  LB_ASSERT(len <= (*body)->cap);
  (*body)->len = len;
  memset((*body)->data + len, 0, TAIL_BYTES);
  if ((*body)->block != NULL || (*body)->cap - len < TRIM_MIN_BYTES) return;
  size_t offset = (size_t)((*body)->data - (uint8_t *)*body);
  struct lb_arrow_body *smaller =
      lb_realloc(LB_MEM_ARROW, *body, offset + len + TAIL_BYTES);
  if (smaller == NULL) return;
  smaller->cap = len;
  smaller->data = (uint8_t *)smaller + offset;
  *body = smaller;
}

void lb_arrow_body_release(struct lb_arrow_body *body) {
  if (body == NULL || !drop(&body->refs)) return;
  lb_block_release(body->block);
  lb_free(body);
}

/* The block of a tree. A child may outlive its parent (consumers may move it out), so the
 * block lives until every node is released. */
struct tree {
  int32_t refs; /* atomic: nodes that are not released */
  struct lb_arrow_body *body;
  struct lb_arrow_body *extra;
};

static struct tree *tree_of(const struct ArrowArray *array) {
  return array->private_data;
}

static void node_release(struct ArrowArray *array) {
  struct tree *tree = tree_of(array);
  for (int64_t i = 0; i < array->n_children; i++) {
    struct ArrowArray *child = array->children[i];
    if (child->release != NULL) child->release(child);
  }
  array->release = NULL;
  array->private_data = NULL;
  if (!drop(&tree->refs)) return;
  lb_arrow_body_release(tree->body);
  lb_arrow_body_release(tree->extra);
  lb_free(tree);
}

/* Where the parts of the block are: tree, nodes below the root, pointers to children,
 * pointers to buffers. */
struct layout {
  struct ArrowArray *arrays;
  struct ArrowArray **children;
  const void **buffers;
};

static struct tree *tree_create(int32_t node_count, struct layout *out) {
  size_t count = (size_t)node_count;
  size_t arrays = sizeof(struct ArrowArray) * (count - 1);
  size_t children = sizeof(struct ArrowArray *) * (count - 1);
  size_t buffers = sizeof(void *) * NANOARROW_MAX_FIXED_BUFFERS * count;
  struct tree *tree =
      lb_alloc_zero(LB_MEM_ARROW, sizeof(struct tree) + arrays + children + buffers);
  if (tree == NULL) return NULL;
  out->arrays = (struct ArrowArray *)(void *)(tree + 1);
  out->children = (struct ArrowArray **)(void *)(out->arrays + count - 1);
  out->buffers = (const void **)(void *)(out->children + count - 1);
  return tree;
}

struct cursor {
  const struct lb_arrow_node *nodes;
  int32_t next_node;
  struct layout layout;
  int32_t next_array;
  int32_t next_child;
  struct tree *tree;
};

/* Recursion is bounded by the depth of the schema, which its decoder has bounded. */
static void fill(struct cursor *at, struct ArrowArray *array) {
  int32_t index = at->next_node++;
  const struct lb_arrow_node *node = &at->nodes[index];
  const void **buffers = at->layout.buffers + NANOARROW_MAX_FIXED_BUFFERS * index;
  for (int32_t i = 0; i < node->buffer_count; i++) buffers[i] = node->buffers[i];
  struct ArrowArray **children = at->layout.children + at->next_child;
  at->next_child += node->child_count;
  *array = (struct ArrowArray){.length = node->length,
                               .null_count = node->null_count,
                               .n_buffers = node->buffer_count,
                               .n_children = node->child_count,
                               .buffers = buffers,
                               .children = node->child_count > 0 ? children : NULL,
                               .release = node_release,
                               .private_data = at->tree};
  for (int32_t i = 0; i < node->child_count; i++) {
    children[i] = &at->layout.arrays[at->next_array++];
    fill(at, children[i]);
  }
}

enum lb_status lb_arrow_publish(const struct lb_arrow_node *nodes, int32_t node_count,
                                struct lb_arrow_body *body, struct lb_arrow_body *extra,
                                struct ArrowArray *out, struct lb_error *err) {
  struct cursor at = {.nodes = nodes};
  at.tree = tree_create(node_count, &at.layout);
  if (at.tree == NULL) return lb_error_oom(err, "an Arrow array");
  at.tree->refs = node_count;
  at.tree->body = body;
  at.tree->extra = extra;
  if (body != NULL) retain(&body->refs);
  if (extra != NULL) retain(&extra->refs);
  fill(&at, out);
  LB_ASSERT(at.next_node == node_count);
  return LB_OK;
}
