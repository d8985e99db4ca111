/* SPDX-License-Identifier: Apache-2.0 */
/* How a record batch becomes an array:
 *
 * 1. nanoarrow makes a view of it and validates it fully. The view allocates nothing, and
 *    we build the array from it ourselves: nanoarrow's own way to an owned array reports
 *    success with a released array, which reads as "end of data", when it runs out of
 *    memory.
 * 2. Rows beyond the stated count are cut off by lengths alone.
 * 3. Buffers that are misaligned for their type, and buffers that nanoarrow had to
 *    decompress, are copied into a second body. The former are counted: there should be
 *    none. */
#include "wire/arrow_build.h"

#include "base/alloc.h"
#include "wire/arrow_schema.h"

#define WIDE_ALIGN_BYTES 16
#define MONTH_DAY_NANO_BYTES ((size_t)16)

static const struct ArrowSchema *sent_schema(const struct lb_arrow_builder *builder) {
  return builder->schema->sent.release != NULL ? &builder->schema->sent
                                               : &builder->schema->arrow;
}

static int64_t count_nodes(const struct ArrowSchema *schema) {
  int64_t count = 1;
  for (int64_t i = 0; i < schema->n_children; i++)
    count += count_nodes(schema->children[i]);
  return count;
}

enum lb_status lb_arrow_builder_init(struct lb_arrow_builder *builder,
                                     const struct lb_result_schema *schema,
                                     struct lb_error *err) {
  struct ArrowError text = {.message = ""};
  int64_t count = count_nodes(&schema->arrow);
  if (count > INT32_MAX) {
    return lb_error_set(err, LB_PROTOCOL, "the result's type has too many parts");
  }
  struct lb_arrow_builder made = {.schema = schema, .node_count = (int32_t)count};
  made.nodes = lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(*made.nodes));
  if (made.nodes == NULL) return lb_error_oom(err, "an Arrow decoder");
  if (ArrowIpcDecoderInit(&made.ipc) != NANOARROW_OK) {
    lb_free(made.nodes);
    return lb_error_oom(err, "an Arrow decoder");
  }
  int code = ArrowIpcDecoderSetSchema(&made.ipc, sent_schema(&made), &text);
  if (code != NANOARROW_OK) {
    lb_arrow_builder_reset(&made);
    return lb_arrow_error(code, "the result's schema", &text, err);
  }
  *builder = made;
  return LB_OK;
}

void lb_arrow_builder_reset(struct lb_arrow_builder *builder) {
  ArrowIpcDecoderReset(&builder->ipc);
  lb_free(builder->nodes);
  builder->nodes = NULL;
}

enum lb_status lb_arrow_builder_check(const struct lb_arrow_builder *builder,
                                      const struct lb_arrow_message *message,
                                      struct lb_error *err) {
  struct ArrowSchema found;
  LB_TRY(lb_arrow_message_schema(message, &found, err));
  enum lb_status status = lb_arrow_schema_match(sent_schema(builder), &found, err);
  ArrowSchemaRelease(&found);
  return status;
}

/* Step 1. */

static int view_batch(struct lb_arrow_builder *builder,
                      const struct lb_arrow_message *message, struct ArrowArrayView **out,
                      struct ArrowError *text) {
  struct ArrowBufferView head = {.data = {message->head},
                                 .size_bytes = (int64_t)message->head_bytes};
  struct ArrowBufferView body = {.data = {message->body},
                                 .size_bytes = (int64_t)message->body_bytes};
  NANOARROW_RETURN_NOT_OK(ArrowIpcDecoderVerifyHeader(&builder->ipc, head, text));
  NANOARROW_RETURN_NOT_OK(ArrowIpcDecoderDecodeHeader(&builder->ipc, head, text));
  NANOARROW_RETURN_NOT_OK(
      ArrowIpcDecoderDecodeArrayView(&builder->ipc, body, -1, out, text));
  return ArrowArrayViewValidate(*out, NANOARROW_VALIDATION_LEVEL_FULL, text);
}

enum lb_status lb_arrow_builder_view(struct lb_arrow_builder *builder,
                                     const struct lb_arrow_message *message,
                                     struct ArrowArrayView **out, struct lb_error *err) {
  struct ArrowError text = {.message = ""};
  int code = view_batch(builder, message, out, &text);
  if (code != NANOARROW_OK) return lb_arrow_error(code, "a record batch", &text, err);
  return LB_OK;
}

/* Steps 2 and 3. */

/* What an address must be a multiple of, for buffer i of a view. */
static size_t alignment(const struct ArrowArrayView *view, int i) {
  switch (view->layout.buffer_data_type[i]) {
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
      return WIDE_ALIGN_BYTES;
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
      return 8;
    default: {
      int64_t bits = view->layout.element_size_bits[i];
      return bits == 16 || bits == 32 || bits == 64 ? (size_t)bits / 8 : 1;
    }
  }
}

struct placing {
  struct lb_arrow_builder *builder;
  const struct lb_arrow_message *message;
  struct lb_arrow_body *extra; /* NULL in the first walk, which only counts */
  size_t extra_bytes;
  int64_t wide_bytes[2]; /* of 16-byte values: aligned ones, those 8 bytes off */
  int32_t next_node;
};

static bool in_message(const struct placing *at, const uint8_t *data) {
  uintptr_t offset = (uintptr_t)data - (uintptr_t)at->message->body;
  return offset < at->message->body_bytes;
}

/* Room in the extra body; NULL in the first walk. */
static uint8_t *take_extra(struct placing *at, size_t bytes) {
  size_t offset = at->extra_bytes;
  at->extra_bytes +=
      (bytes + LB_ARROW_ALIGN_BYTES - 1) & ~(size_t)(LB_ARROW_ALIGN_BYTES - 1);
  return at->extra == NULL ? NULL : at->extra->data + offset;
}

/* Months as months, days and nanoseconds. */
static const void *widen_months(struct placing *at, const struct ArrowArrayView *view) {
  const uint8_t *data = view->buffer_views[1].data.as_uint8;
  size_t count = (size_t)view->buffer_views[1].size_bytes / sizeof(int32_t);
  if (count == 0 || data == NULL) return lb_arrow_zeros;
  uint8_t *out = take_extra(at, count * MONTH_DAY_NANO_BYTES);
  if (out == NULL) return data;
  for (size_t i = 0; i < count; i++) {
    memcpy(out + i * MONTH_DAY_NANO_BYTES, data + i * sizeof(int32_t), sizeof(int32_t));
    memset(out + i * MONTH_DAY_NANO_BYTES + sizeof(int32_t), 0,
           MONTH_DAY_NANO_BYTES - sizeof(int32_t));
  }
  return out;
}

/* The address that buffer i of the view gets in the array. */
static const void *place_buffer(struct placing *at, const struct ArrowArrayView *view,
                                int i) {
  const uint8_t *data = view->buffer_views[i].data.as_uint8;
  size_t bytes = (size_t)view->buffer_views[i].size_bytes;
  bool validity = view->layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_VALIDITY;
  if (bytes == 0 || data == NULL) return validity ? NULL : lb_arrow_zeros;
  size_t align = alignment(view, i);
  bool own = in_message(at, data);
  bool aligned = (uintptr_t)data % align == 0;
  if (own && align == WIDE_ALIGN_BYTES) {
    at->wide_bytes[(uintptr_t)data / 8 % 2] += (int64_t)bytes;
  }
  if (own && aligned) return data;
  uint8_t *copy = take_extra(at, bytes);
  if (copy == NULL) return data;
  memcpy(copy, data, bytes);
  if (own) {
    at->builder->stats.realigned_buffers++;
    at->builder->stats.realigned_bytes += (int64_t)bytes;
  }
  return copy;
}

static int64_t null_count(const struct ArrowArrayView *view, int64_t length,
                          const void *validity) {
  if (view->storage_type == NANOARROW_TYPE_NA) return length;
  if (validity == NULL) return 0;
  return view->null_count > 0 && length < view->length ? -1 : view->null_count;
}

/* length is what the parent leaves of the view. Children of a struct are cut with it; a
 * list's items stay, its offsets do not reach the surplus. */
static void place(struct placing *at, const struct ArrowArrayView *view, int64_t length) {
  struct lb_arrow_node *node = &at->builder->nodes[at->next_node++];
  *node =
      (struct lb_arrow_node){.length = length, .child_count = (int32_t)view->n_children};
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
    if (view->layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE) break;
    bool months = view->storage_type == NANOARROW_TYPE_INTERVAL_MONTHS && i == 1;
    node->buffers[i] = months ? widen_months(at, view) : place_buffer(at, view, i);
    node->buffer_count = i + 1;
  }
  node->null_count = null_count(view, length, node->buffers[0]);
  bool is_struct = view->storage_type == NANOARROW_TYPE_STRUCT;
  for (int64_t i = 0; i < view->n_children; i++) {
    const struct ArrowArrayView *child = view->children[i];
    place(at, child, is_struct ? length : child->length);
  }
}

enum lb_status lb_arrow_builder_array(struct lb_arrow_builder *builder,
                                      const struct lb_arrow_message *message,
                                      const struct ArrowArrayView *view, int64_t length,
                                      struct lb_arrow_body *body, int64_t wide_bytes[2],
                                      struct ArrowArray *out, struct lb_error *err) {
  struct placing at = {.builder = builder, .message = message};
  place(&at, view, length);
  wide_bytes[0] = at.wide_bytes[0];
  wide_bytes[1] = at.wide_bytes[1];
  if (at.extra_bytes > 0) {
    struct placing again = {.builder = builder, .message = message};
    LB_TRY(lb_arrow_body_create(at.extra_bytes, 0, &again.extra, err));
    place(&again, view, length);
    at.extra = again.extra;
  }
  enum lb_status status =
      lb_arrow_publish(builder->nodes, builder->node_count, body, at.extra, out, err);
  lb_arrow_body_release(at.extra);
  return status;
}
