/* SPDX-License-Identifier: Apache-2.0 */
/* 1. From the schema comes a list of shapes, one for each node of a tree of arrays,
 *    parents before their children.
 * 2. A merge walks the shapes twice with the ranges of its parts: the first walk counts
 *    bytes, the second one copies into one body of that size. The ranges of children
 *    follow from offsets, so nothing outside them is copied.
 * 3. So many parts are merged as come to the target's rows and to the most bytes. One
 *    that is large already, by rows or by bytes, goes out alone and untouched: its cost
 *    is spread over enough rows, or bytes, as it is.
 * 4. Merging is thrift: without memory for the copy the first part goes out alone. */
#include "wire/arrow_merge.h"

#include <string.h>

#include "base/alloc.h"
#include "nanoarrow/nanoarrow.h"
#include "wire/arrow_array.h"

enum kind { NOTHING, BITS, FIXED, TEXT, LIST, STRUCT };

struct shape {
  enum kind kind;
  size_t width; /* bytes of an element, or of an offset */
  int32_t children;
};

struct lb_arrow_merger {
  struct shape *shapes;
  struct lb_arrow_node *nodes; /* as many */
  int32_t node_count;
  int64_t target_rows;
  struct ArrowArray parts[LB_ARROW_MERGE_PARTS];
  size_t part_bytes[LB_ARROW_MERGE_PARTS];
  int32_t count;
  int64_t rows;
  size_t bytes;
  struct lb_arrow_merger_stats stats;
};

/* Step 1. */

static int64_t count_nodes(const struct ArrowSchema *schema) {
  int64_t count = 1;
  for (int64_t i = 0; i < schema->n_children; i++) {
    count += count_nodes(schema->children[i]);
  }
  return count;
}

static bool shape_of(const struct ArrowSchema *schema, struct shape *out) {
  struct ArrowSchemaView view = {0};
  struct ArrowLayout layout;
  if (schema->dictionary != NULL) return false;
  if (ArrowSchemaViewInit(&view, schema, NULL) != NANOARROW_OK) return false;
  ArrowLayoutInit(&layout, view.storage_type);
  size_t bits = (size_t)layout.element_size_bits[1];
  *out = (struct shape){.width = bits / 8, .children = (int32_t)schema->n_children};
  switch (view.storage_type) {
    case NANOARROW_TYPE_NA:
      out->kind = NOTHING;
      return true;
    case NANOARROW_TYPE_BOOL:
      out->kind = BITS;
      return true;
    case NANOARROW_TYPE_STRUCT:
      out->kind = STRUCT;
      return true;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_MAP:
      out->kind = LIST;
      return schema->n_children == 1;
    default:
      break;
  }
  bool offsets = layout.buffer_type[1] == NANOARROW_BUFFER_TYPE_DATA_OFFSET;
  bool data = layout.buffer_type[1] == NANOARROW_BUFFER_TYPE_DATA;
  out->kind = offsets ? TEXT : FIXED;
  return schema->n_children == 0 && bits > 0 && bits % 8 == 0 && (offsets || data);
}

static bool fill_shapes(const struct ArrowSchema *schema, struct shape *shapes,
                        int32_t *next) {
  if (!shape_of(schema, &shapes[(*next)++])) return false;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (!fill_shapes(schema->children[i], shapes, next)) return false;
  }
  return true;
}

enum lb_status lb_arrow_merger_create(const struct ArrowSchema *schema,
                                      int64_t target_rows, struct lb_arrow_merger **out,
                                      struct lb_error *err) {
  int64_t count = count_nodes(schema);
  int32_t next = 0;
  struct lb_arrow_merger *merger = lb_alloc_zero(LB_MEM_ARROW, sizeof(*merger));
  if (merger == NULL) return lb_error_oom(err, "a merger of arrays");
  merger->shapes = lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(struct shape));
  merger->nodes =
      lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(struct lb_arrow_node));
  if (merger->shapes == NULL || merger->nodes == NULL) {
    lb_arrow_merger_destroy(merger);
    return lb_error_oom(err, "a merger of arrays");
  }
  merger->node_count = (int32_t)count;
  /* What is not known is never merged. */
  merger->target_rows = fill_shapes(schema, merger->shapes, &next) ? target_rows : 0;
  *out = merger;
  return LB_OK;
}

void lb_arrow_merger_destroy(struct lb_arrow_merger *merger) {
  if (merger == NULL) return;
  for (int32_t i = 0; i < merger->count; i++) {
    merger->parts[i].release(&merger->parts[i]);
  }
  lb_free(merger->shapes);
  lb_free(merger->nodes);
  lb_free(merger);
}

/* Step 2. */

/* Rows start .. start + length - 1 of an array. */
struct part {
  const struct ArrowArray *array;
  int64_t start;
  int64_t length;
};

struct walk {
  const struct shape *shapes;
  struct lb_arrow_node *nodes;
  int32_t next;
  uint8_t *base; /* NULL in the first walk */
  size_t used;
  bool too_large; /* for offsets of 32 bits */
};

static uint8_t *take_room(struct walk *at, size_t bytes) {
  size_t offset = at->used;
  at->used += (bytes + LB_ARROW_ALIGN_BYTES - 1) & ~(size_t)(LB_ARROW_ALIGN_BYTES - 1);
  return at->base == NULL ? NULL : at->base + offset;
}

static int64_t index_of(const struct part *part) {
  return part->array->offset + part->start;
}

/* Up to 8 bits from bit `from` on; no byte is read that holds none of them. */
static unsigned get_bits(const uint8_t *bits, int64_t from, int count) {
  int shift = (int)(from & 7);
  unsigned value = (unsigned)bits[from / 8] >> shift;
  if (shift + count > 8) value |= (unsigned)bits[from / 8 + 1] << (8 - shift);
  return value & ((1u << count) - 1);
}

static void or_bits(uint8_t *bits, int64_t to, unsigned value, int count) {
  int shift = (int)(to & 7);
  unsigned wide = value << shift;
  bits[to / 8] |= (uint8_t)(wide & 0xff);
  if (shift + count > 8) bits[to / 8 + 1] |= (uint8_t)(wide >> 8);
}

/* NULL is all ones. */
static void append_bits(uint8_t *out, int64_t to, const uint8_t *bits, int64_t from,
                        int64_t count) {
  for (int64_t i = 0; i < count; i += 8) {
    int step = (int)LB_MIN(count - i, 8);
    unsigned value = bits == NULL ? (1u << step) - 1 : get_bits(bits, from + i, step);
    or_bits(out, to + i, value, step);
  }
}

static const void *merge_bits(struct walk *at, const struct part *parts, int32_t count,
                              int64_t rows, int buffer) {
  size_t bytes = (size_t)(rows + 7) / 8;
  uint8_t *out = take_room(at, bytes);
  if (out == NULL) return lb_arrow_zeros;
  memset(out, 0, bytes);
  int64_t to = 0;
  for (int32_t i = 0; i < count; i++) {
    append_bits(out, to, parts[i].array->buffers[buffer], index_of(&parts[i]),
                parts[i].length);
    to += parts[i].length;
  }
  return out;
}

static const void *merge_validity(struct walk *at, struct lb_arrow_node *node,
                                  const struct part *parts, int32_t count) {
  bool any = false;
  node->null_count = 0;
  for (int32_t i = 0; i < count; i++) {
    const struct ArrowArray *array = parts[i].array;
    bool all = parts[i].start == 0 && parts[i].length == array->length;
    if (array->buffers[0] == NULL || array->null_count == 0) continue;
    any = true;
    if (!all || array->null_count < 0) node->null_count = -1;
    if (node->null_count >= 0) node->null_count += array->null_count;
  }
  return any ? merge_bits(at, parts, count, node->length, 0) : NULL;
}

static const void *merge_fixed(struct walk *at, const struct part *parts, int32_t count,
                               int64_t rows, size_t width) {
  uint8_t *out = take_room(at, (size_t)rows * width);
  if (out == NULL) return lb_arrow_zeros;
  uint8_t *to = out;
  for (int32_t i = 0; i < count; i++) {
    size_t bytes = (size_t)parts[i].length * width;
    const uint8_t *from = parts[i].array->buffers[1];
    if (bytes > 0) memcpy(to, from + (size_t)index_of(&parts[i]) * width, bytes);
    to += bytes;
  }
  return out;
}

static int64_t offset_at(const struct part *part, size_t width, int64_t row) {
  const uint8_t *offsets = part->array->buffers[1];
  offsets += (size_t)(index_of(part) + row) * width;
  int64_t wide;
  int32_t narrow;
  if (width == sizeof(wide)) {
    memcpy(&wide, offsets, sizeof(wide));
    return wide;
  }
  memcpy(&narrow, offsets, sizeof(narrow));
  return narrow;
}

/* What the rows of a part cover of its texts or items. */
static void span_of(const struct part *part, size_t width, int64_t *start,
                    int64_t *length) {
  *start = *length = 0;
  if (part->length == 0) return;
  *start = offset_at(part, width, 0);
  *length = offset_at(part, width, part->length) - *start;
}

/* Sixteen bytes at a time: at -O2 compilers do not make this of a loop. */
typedef uint32_t quad __attribute__((vector_size(16)));
#define QUAD 4

static void move_offsets32(const uint8_t *restrict from, uint8_t *restrict to,
                           size_t count, uint32_t by) {
  size_t i = 0;
  for (; i + QUAD <= count; i += QUAD) {
    quad v;
    memcpy(&v, from + i * sizeof(by), sizeof(v));
    v += by;
    memcpy(to + i * sizeof(by), &v, sizeof(v));
  }
  for (; i < count; i++) {
    uint32_t v;
    memcpy(&v, from + i * sizeof(by), sizeof(v));
    v += by;
    memcpy(to + i * sizeof(by), &v, sizeof(v));
  }
}

static void move_offsets64(const uint8_t *restrict from, uint8_t *restrict to,
                           size_t count, uint64_t by) {
  for (size_t i = 0; i < count; i++) {
    uint64_t v;
    memcpy(&v, from + i * sizeof(by), sizeof(v));
    v += by;
    memcpy(to + i * sizeof(by), &v, sizeof(v));
  }
}

static const void *merge_offsets(struct walk *at, const struct part *parts, int32_t count,
                                 int64_t rows, size_t width, int64_t *reach) {
  uint8_t *out = take_room(at, (size_t)(rows + 1) * width);
  int64_t pos = 0, row = 0;
  if (out != NULL) memset(out, 0, width);
  for (int32_t i = 0; i < count; i++) {
    int64_t start, length;
    span_of(&parts[i], width, &start, &length);
    if (out != NULL && parts[i].length > 0) {
      const uint8_t *from = parts[i].array->buffers[1];
      from += (size_t)(index_of(&parts[i]) + 1) * width;
      uint8_t *to = out + (size_t)(row + 1) * width;
      size_t offsets = (size_t)parts[i].length;
      if (width == sizeof(uint32_t)) {
        move_offsets32(from, to, offsets, (uint32_t)(pos - start));
      } else {
        move_offsets64(from, to, offsets, (uint64_t)(pos - start));
      }
    }
    row += parts[i].length;
    pos += length;
  }
  if (width == sizeof(int32_t) && pos > INT32_MAX) at->too_large = true;
  *reach = pos;
  return out != NULL ? out : lb_arrow_zeros;
}

static const void *merge_texts(struct walk *at, const struct part *parts, int32_t count,
                               size_t width, int64_t bytes) {
  uint8_t *out = take_room(at, (size_t)bytes);
  if (out == NULL) return lb_arrow_zeros;
  uint8_t *to = out;
  for (int32_t i = 0; i < count; i++) {
    int64_t start, length;
    span_of(&parts[i], width, &start, &length);
    const uint8_t *from = parts[i].array->buffers[2];
    if (length > 0) memcpy(to, from + start, (size_t)length);
    to += length;
  }
  return out;
}

static void merge(struct walk *at, const struct part *parts, int32_t count);

static void merge_child(struct walk *at, const struct shape *shape,
                        const struct part *parts, int32_t count, int32_t child) {
  struct part inner[LB_ARROW_MERGE_PARTS];
  for (int32_t i = 0; i < count; i++) {
    inner[i] = (struct part){.array = parts[i].array->children[child],
                             .start = index_of(&parts[i]),
                             .length = parts[i].length};
    if (shape->kind == LIST) {
      span_of(&parts[i], shape->width, &inner[i].start, &inner[i].length);
    }
  }
  merge(at, inner, count);
}

/* Recursion is bounded by the depth of the schema, which its decoder has bounded. */
static void merge(struct walk *at, const struct part *parts, int32_t count) {
  const struct shape *shape = &at->shapes[at->next];
  struct lb_arrow_node *node = &at->nodes[at->next++];
  int64_t reach;
  *node = (struct lb_arrow_node){.child_count = shape->children};
  for (int32_t i = 0; i < count; i++) node->length += parts[i].length;
  if (shape->kind == NOTHING) {
    node->null_count = node->length;
    return;
  }
  node->buffers[0] = merge_validity(at, node, parts, count);
  node->buffer_count = 1;
  if (shape->kind == BITS) {
    node->buffers[node->buffer_count++] = merge_bits(at, parts, count, node->length, 1);
  } else if (shape->kind == FIXED) {
    node->buffers[node->buffer_count++] =
        merge_fixed(at, parts, count, node->length, shape->width);
  } else if (shape->kind == TEXT || shape->kind == LIST) {
    node->buffers[node->buffer_count++] =
        merge_offsets(at, parts, count, node->length, shape->width, &reach);
    if (shape->kind == TEXT) {
      node->buffers[node->buffer_count++] =
          merge_texts(at, parts, count, shape->width, reach);
    }
  }
  for (int32_t i = 0; i < shape->children; i++) merge_child(at, shape, parts, count, i);
}

static size_t walk_parts(struct lb_arrow_merger *merger, int32_t from, int32_t count,
                         uint8_t *base, bool *too_large) {
  struct part parts[LB_ARROW_MERGE_PARTS];
  struct walk at = {.shapes = merger->shapes, .nodes = merger->nodes, .base = base};
  for (int32_t i = 0; i < count; i++) {
    const struct ArrowArray *array = &merger->parts[from + i];
    parts[i] = (struct part){.array = array, .length = array->length};
  }
  merge(&at, parts, count);
  *too_large = at.too_large || at.used > LB_ARROW_MERGE_MAX_BYTES;
  return at.used;
}

static enum lb_status merge_into(struct lb_arrow_merger *merger, int32_t count,
                                 size_t bytes, struct ArrowArray *out) {
  struct lb_arrow_body *body;
  bool too_large;
  LB_TRY(lb_arrow_body_create(bytes, 0, &body, NULL));
  walk_parts(merger, 0, count, body->data, &too_large);
  lb_arrow_body_trim(&body, bytes);
  enum lb_status status =
      lb_arrow_publish(merger->nodes, merger->node_count, body, NULL, out, NULL);
  lb_arrow_body_release(body);
  return status;
}

/* Collecting. */

/* Step 3. */
static bool is_large(const struct lb_arrow_merger *merger, int32_t part) {
  return merger->parts[part].length >= (merger->target_rows + 1) / 2 ||
         merger->part_bytes[part] >= LB_ARROW_MERGE_MAX_BYTES / 2;
}

bool lb_arrow_merger_wants(const struct lb_arrow_merger *merger) {
  return merger->rows < merger->target_rows && merger->count < LB_ARROW_MERGE_PARTS &&
         merger->bytes < LB_ARROW_MERGE_MAX_BYTES &&
         (merger->count == 0 || !is_large(merger, merger->count - 1));
}

bool lb_arrow_merger_empty(const struct lb_arrow_merger *merger) {
  return merger->count == 0;
}

void lb_arrow_merger_add(struct lb_arrow_merger *merger, struct ArrowArray *array_own) {
  LB_ASSERT(merger->count < LB_ARROW_MERGE_PARTS);
  int32_t part = merger->count++;
  bool too_large;
  merger->parts[part] = *array_own;
  array_own->release = NULL;
  bool small = merger->parts[part].length < merger->target_rows;
  merger->part_bytes[part] = small ? walk_parts(merger, part, 1, NULL, &too_large) : 0;
  merger->rows += merger->parts[part].length;
  merger->bytes += merger->part_bytes[part];
}

/* The first parts have been handed out, or copied. */
static void forget_parts(struct lb_arrow_merger *merger, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    struct ArrowArray *part = &merger->parts[i];
    merger->rows -= part->length;
    merger->bytes -= merger->part_bytes[i];
    if (part->release != NULL) part->release(part);
  }
  merger->count -= count;
  size_t left = (size_t)merger->count;
  memmove(merger->parts, merger->parts + count, left * sizeof(merger->parts[0]));
  memmove(merger->part_bytes, merger->part_bytes + count,
          left * sizeof(merger->part_bytes[0]));
}

/* Parts that go together; none is a single one. */
static int32_t count_mergeable(const struct lb_arrow_merger *merger) {
  int64_t rows = 0;
  size_t bytes = 0;
  int32_t count = 0;
  for (; count < merger->count && !is_large(merger, count); count++) {
    rows += merger->parts[count].length;
    bytes += merger->part_bytes[count];
    if (rows > merger->target_rows || bytes > LB_ARROW_MERGE_MAX_BYTES) break;
  }
  return count;
}

void lb_arrow_merger_take(struct lb_arrow_merger *merger, struct ArrowArray *out) {
  out->release = NULL;
  if (merger->count == 0) return;
  int32_t count = count_mergeable(merger);
  bool too_large = false;
  size_t bytes = count > 1 ? walk_parts(merger, 0, count, NULL, &too_large) : 0;
  /* A bitmap of nulls that only some parts have may make it larger than its parts. */
  while (count > 1 && too_large) {
    count--;
    bytes = walk_parts(merger, 0, count, NULL, &too_large);
  }
  if (count > 1 && merge_into(merger, count, bytes, out) == LB_OK) {
    merger->stats.merged_arrays += count;
    merger->stats.copied_bytes += (int64_t)bytes;
    forget_parts(merger, count);
    return;
  }
  *out = merger->parts[0];
  merger->parts[0].release = NULL;
  forget_parts(merger, 1);
}

struct lb_arrow_merger_stats lb_arrow_merger_stats(const struct lb_arrow_merger *merger) {
  return merger->stats;
}
