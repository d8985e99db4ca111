/* SPDX-License-Identifier: Apache-2.0 */
/* How a batch becomes arrays:
 *
 * 1. The bytes go once into a body: decompressed, or copied. Its start is placed so
 *    that the body of the first message begins on a 16-byte address; writers lay out
 *    buffers of 16-byte values (decimals) relative to that.
 * 2. Messages are taken from the body one by one and checked (wire/arrow_message.h).
 * 3. nanoarrow makes a view of a record batch and validates it fully. The view
 *    allocates nothing, and we build the array from it ourselves: nanoarrow's own way
 *    to an owned array reports success with a released array, which reads as "end of
 *    data", when it runs out of memory.
 * 4. Rows beyond the stated count are cut off by lengths alone.
 * 5. Buffers that are misaligned for their type, and buffers that nanoarrow had to
 *    decompress, are copied into a second body. The former are counted: there should
 *    be none.
 * 6. When most bytes of decimals were misaligned (a schema message went before, or the
 *    writer has ways of its own), the next batch is placed 8 bytes farther: the
 *    batches of a result are laid out alike. */
#include <errno.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "nanoarrow/nanoarrow_ipc.h"
#include "wire/arrow_array.h"
#include "wire/arrow_decode.h"
#include "wire/arrow_message.h"
#include "wire/arrow_schema.h"
#include "wire/lz4.h"

#define WIDE_ALIGN_BYTES 16
#define PREFIX_BYTES 8
#define MONTH_DAY_NANO_BYTES ((size_t)16)
/* Below this, room that spares liblz4 a copy costs more than the copy. */
#define SLACK_WORTH_BYTES ((size_t)256 << 10)

struct lb_arrow_decoder {
  const struct lb_result_schema *schema;
  struct ArrowIpcDecoder ipc;
  struct lb_lz4 *lz4; /* NULL until it is needed */
  struct lb_arrow_node *nodes;
  int32_t node_count;
  size_t shift; /* 0 or 8: added to the placement of bodies */
  struct lb_arrow_decoder_stats stats;
};

static const struct ArrowSchema *sent_schema(const struct lb_arrow_decoder *dec) {
  return dec->schema->sent.release != NULL ? &dec->schema->sent : &dec->schema->arrow;
}

static int64_t count_nodes(const struct ArrowSchema *schema) {
  int64_t count = 1;
  for (int64_t i = 0; i < schema->n_children; i++)
    count += count_nodes(schema->children[i]);
  return count;
}

static enum lb_status decoder_init(struct lb_arrow_decoder *dec, struct lb_error *err) {
  struct ArrowError text = {.message = ""};
  int64_t count = count_nodes(&dec->schema->arrow);
  if (count > INT32_MAX) {
    return lb_error_set(err, LB_PROTOCOL, "the result's type has too many parts");
  }
  dec->node_count = (int32_t)count;
  dec->nodes = lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(*dec->nodes));
  if (dec->nodes == NULL) return lb_error_oom(err, "an Arrow decoder");
  int code = ArrowIpcDecoderSetSchema(&dec->ipc, sent_schema(dec), &text);
  if (code != NANOARROW_OK)
    return lb_arrow_error(code, "the result's schema", &text, err);
  return LB_OK;
}

enum lb_status lb_arrow_decoder_create(const struct lb_result_schema *schema,
                                       struct lb_arrow_decoder **out,
                                       struct lb_error *err) {
  struct lb_arrow_decoder *dec = lb_alloc_zero(LB_MEM_ARROW, sizeof(*dec));
  if (dec == NULL) return lb_error_oom(err, "an Arrow decoder");
  dec->schema = schema;
  if (ArrowIpcDecoderInit(&dec->ipc) != NANOARROW_OK) {
    lb_free(dec);
    return lb_error_oom(err, "an Arrow decoder");
  }
  enum lb_status status = decoder_init(dec, err);
  if (status != LB_OK) {
    lb_arrow_decoder_destroy(dec);
    return status;
  }
  *out = dec;
  return LB_OK;
}

void lb_arrow_decoder_destroy(struct lb_arrow_decoder *dec) {
  if (dec == NULL) return;
  ArrowIpcDecoderReset(&dec->ipc);
  lb_lz4_destroy(dec->lz4);
  lb_free(dec->nodes);
  lb_free(dec);
}

void lb_arrow_decoder_rest(struct lb_arrow_decoder *dec) {
  lb_lz4_destroy(dec->lz4);
  dec->lz4 = NULL;
}

struct lb_arrow_decoder_stats lb_arrow_decoder_stats(const struct lb_arrow_decoder *dec) {
  return dec->stats;
}

/* Step 1. */

/* How far behind an aligned address a body begins whose first message starts with these
 * bytes: mark, size of the metadata. */
static size_t phase_after(const struct lb_arrow_decoder *dec,
                          const uint8_t prefix[PREFIX_BYTES]) {
  uint32_t metadata_bytes = prefix[4]; /* the low byte decides */
  return ((PREFIX_BYTES + metadata_bytes) & 8) ^ dec->shift;
}

static enum lb_status decompress(struct lb_arrow_decoder *dec, struct lb_str batch,
                                 struct lb_arrow_body **out, struct lb_error *err) {
  size_t bound;
  size_t len = 0;
  struct lb_arrow_body *body;
  if (dec->lz4 == NULL) LB_TRY(lb_lz4_create(&dec->lz4, err));
  LB_TRY(lb_lz4_measure(batch, LB_LZ4_MAX_RAW_BYTES, &bound, err));
  size_t cap = bound + (bound >= SLACK_WORTH_BYTES ? LB_LZ4_SLACK_BYTES : 0);
  uint8_t prefix[PREFIX_BYTES] = {0};
  lb_lz4_peek(batch, prefix, sizeof(prefix));
  LB_TRY(lb_arrow_body_create(cap, phase_after(dec, prefix), &body, err));
  enum lb_status status = lb_lz4_decode(dec->lz4, batch, body->data, cap, &len, err);
  if (status == LB_OK && len > (size_t)LB_LZ4_MAX_RAW_BYTES) {
    status =
        lb_error_set(err, LB_PROTOCOL,
                     "LZ4 data decompresses to more than the limit of %" PRId64 " bytes",
                     LB_LZ4_MAX_RAW_BYTES);
  }
  if (status != LB_OK) {
    lb_arrow_body_release(body);
    return status;
  }
  lb_arrow_body_trim(&body, len);
  *out = body;
  return LB_OK;
}

static enum lb_status load(struct lb_arrow_decoder *dec, struct lb_str batch, bool lz4,
                           struct lb_arrow_body **out, struct lb_error *err) {
  if (lz4) return decompress(dec, batch, out, err);
  uint8_t prefix[PREFIX_BYTES] = {0};
  if (batch.len >= sizeof(prefix)) memcpy(prefix, batch.data, sizeof(prefix));
  LB_TRY(lb_arrow_body_create(batch.len, phase_after(dec, prefix), out, err));
  if (batch.len > 0) memcpy((*out)->data, batch.data, batch.len);
  lb_arrow_body_trim(out, batch.len);
  return LB_OK;
}

/* Steps 4 and 5. */

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
  struct lb_arrow_decoder *dec;
  const struct lb_arrow_body *body;
  struct lb_arrow_body *extra; /* NULL in the first walk, which only counts */
  size_t extra_bytes;
  int64_t wide_bytes[2]; /* of 16-byte values: aligned ones, those 8 bytes off */
  int32_t next_node;
};

static bool in_body(const struct placing *at, const uint8_t *data) {
  uintptr_t offset = (uintptr_t)data - (uintptr_t)at->body->data;
  return offset < at->body->len;
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
  bool own = in_body(at, data);
  bool aligned = (uintptr_t)data % align == 0;
  if (own && align == WIDE_ALIGN_BYTES) {
    at->wide_bytes[(uintptr_t)data / 8 % 2] += (int64_t)bytes;
  }
  if (own && aligned) return data;
  uint8_t *copy = take_extra(at, bytes);
  if (copy == NULL) return data;
  memcpy(copy, data, bytes);
  if (own) {
    at->dec->stats.realigned_buffers++;
    at->dec->stats.realigned_bytes += (int64_t)bytes;
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
  struct lb_arrow_node *node = &at->dec->nodes[at->next_node++];
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

static enum lb_status build(struct lb_arrow_decoder *dec,
                            const struct ArrowArrayView *view, int64_t length,
                            struct lb_arrow_body *body, struct ArrowArray *out,
                            struct lb_error *err) {
  struct placing at = {.dec = dec, .body = body};
  place(&at, view, length);
  if (at.wide_bytes[1] > at.wide_bytes[0]) dec->shift ^= 8;
  if (at.extra_bytes > 0) {
    struct placing again = {.dec = dec, .body = body};
    LB_TRY(lb_arrow_body_create(at.extra_bytes, 0, &again.extra, err));
    place(&again, view, length);
    at.extra = again.extra;
  }
  enum lb_status status =
      lb_arrow_publish(dec->nodes, dec->node_count, body, at.extra, out, err);
  lb_arrow_body_release(at.extra);
  return status;
}

/* Step 3. */

static int view_batch(struct lb_arrow_decoder *dec,
                      const struct lb_arrow_message *message, struct ArrowArrayView **out,
                      struct ArrowError *text) {
  struct ArrowBufferView head = {.data = {message->head},
                                 .size_bytes = (int64_t)message->head_bytes};
  struct ArrowBufferView body = {.data = {message->body},
                                 .size_bytes = (int64_t)message->body_bytes};
  NANOARROW_RETURN_NOT_OK(ArrowIpcDecoderVerifyHeader(&dec->ipc, head, text));
  NANOARROW_RETURN_NOT_OK(ArrowIpcDecoderDecodeHeader(&dec->ipc, head, text));
  NANOARROW_RETURN_NOT_OK(ArrowIpcDecoderDecodeArrayView(&dec->ipc, body, -1, out, text));
  return ArrowArrayViewValidate(*out, NANOARROW_VALIDATION_LEVEL_FULL, text);
}

/* The batch being decoded, and the arrays it has given so far. */
struct batch {
  struct lb_arrow_decoder *dec;
  struct lb_arrow_body *body;
  int64_t rows; /* in out */
  int64_t row_count;
  int64_t first_row;
  struct ArrowArray *out;
  int32_t cap;
  int32_t count;
};

static enum lb_status take_record_batch(struct batch *at,
                                        const struct lb_arrow_message *message,
                                        struct lb_error *err) {
  struct ArrowArrayView *view;
  struct ArrowError text = {.message = ""};
  int code = view_batch(at->dec, message, &view, &text);
  if (code != NANOARROW_OK) return lb_arrow_error(code, "a record batch", &text, err);
  int64_t length = LB_MIN(view->length, at->row_count - at->rows);
  if (length == 0) return LB_OK;
  if (at->count == at->cap) {
    return lb_error_set(err, LB_PROTOCOL,
                        "%" PRId64 " rows come in more than %" PRId32 " record batches",
                        at->row_count, at->cap);
  }
  LB_TRY(build(at->dec, view, length, at->body, &at->out[at->count], err));
  at->count++;
  at->rows += length;
  return LB_OK;
}

static enum lb_status take_schema(struct batch *at,
                                  const struct lb_arrow_message *message,
                                  struct lb_error *err) {
  struct ArrowSchema found;
  LB_TRY(lb_arrow_message_schema(message, &found, err));
  enum lb_status status = lb_arrow_schema_match(sent_schema(at->dec), &found, err);
  ArrowSchemaRelease(&found);
  return status;
}

/* Step 2. What follows the last wanted row is not looked at. */
static enum lb_status take_messages(struct batch *at, struct lb_error *err) {
  size_t pos = 0;
  while (pos < at->body->len && at->rows < at->row_count) {
    struct lb_arrow_message message;
    LB_TRY(lb_arrow_message_next(at->body->data, at->body->len, &pos, &message, err));
    if (message.kind == LB_ARROW_MESSAGE_SCHEMA) LB_TRY(take_schema(at, &message, err));
    if (message.kind == LB_ARROW_MESSAGE_BATCH)
      LB_TRY(take_record_batch(at, &message, err));
  }
  if (at->rows == at->row_count) return LB_OK;
  return lb_error_set(err, LB_PROTOCOL,
                      "%" PRId64 " rows are missing: the server says that %" PRId64
                      " rows begin at row %" PRId64 ", its data holds %" PRId64,
                      at->row_count - at->rows, at->row_count, at->first_row, at->rows);
}

enum lb_status lb_arrow_decode_batch(struct lb_arrow_decoder *dec, struct lb_str batch,
                                     bool lz4, int64_t row_count, int64_t first_row,
                                     struct ArrowArray *out, int32_t cap, int32_t *count,
                                     struct lb_error *err) {
  struct batch at = {
      .dec = dec, .row_count = row_count, .first_row = first_row, .out = out, .cap = cap};
  if (row_count < 0) {
    return lb_error_set(err, LB_PROTOCOL, "a batch of %" PRId64 " rows", row_count);
  }
  LB_TRY(load(dec, batch, lz4, &at.body, err));
  enum lb_status status = take_messages(&at, err);
  lb_arrow_body_release(at.body);
  if (status != LB_OK) {
    while (at.count > 0) {
      struct ArrowArray *array = &out[--at.count];
      array->release(array);
    }
    return status;
  }
  *count = at.count;
  return LB_OK;
}
