/* SPDX-License-Identifier: Apache-2.0 */
/* How a batch becomes arrays:
 *
 * 1. The bytes go once into a body: decompressed, or copied. Its start is placed so
 *    that the body of the first message begins on a 16-byte address; writers lay out
 *    buffers of 16-byte values (decimals) relative to that.
 * 2. Messages are taken from the body one by one and checked (wire/arrow_message.h).
 * 3. Of a record batch an array is built (wire/arrow_build.c), as long as rows are
 *    wanted.
 * 4. When most bytes of decimals were misaligned (a schema message went before, or the
 *    writer has ways of its own), the next batch is placed 8 bytes farther: the
 *    batches of a result are laid out alike. */
#include <inttypes.h>

#include "base/alloc.h"
#include "wire/arrow_build.h"
#include "wire/arrow_decode.h"
#include "wire/lz4.h"

#define PREFIX_BYTES 8
/* Below this, room that spares liblz4 a copy costs more than the copy. */
#define SLACK_WORTH_BYTES ((size_t)256 << 10)

struct lb_arrow_decoder {
  struct lb_arrow_builder builder;
  struct lb_lz4 *lz4; /* NULL until it is needed */
  size_t shift;       /* 0 or 8: added to the placement of bodies */
};

enum lb_status lb_arrow_decoder_create(const struct lb_result_schema *schema,
                                       struct lb_arrow_decoder **out,
                                       struct lb_error *err) {
  struct lb_arrow_decoder *dec = lb_alloc_zero(LB_MEM_ARROW, sizeof(*dec));
  if (dec == NULL) return lb_error_oom(err, "an Arrow decoder");
  enum lb_status status = lb_arrow_builder_init(&dec->builder, schema, err);
  if (status != LB_OK) {
    lb_free(dec);
    return status;
  }
  *out = dec;
  return LB_OK;
}

void lb_arrow_decoder_destroy(struct lb_arrow_decoder *dec) {
  if (dec == NULL) return;
  lb_arrow_builder_reset(&dec->builder);
  lb_lz4_destroy(dec->lz4);
  lb_free(dec);
}

void lb_arrow_decoder_rest(struct lb_arrow_decoder *dec) {
  lb_lz4_destroy(dec->lz4);
  dec->lz4 = NULL;
}

struct lb_arrow_decoder_stats lb_arrow_decoder_stats(const struct lb_arrow_decoder *dec) {
  return dec->builder.stats;
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
  int64_t wide_bytes[2];
  LB_TRY(lb_arrow_builder_view(&at->dec->builder, message, &view, err));
  int64_t length = LB_MIN(view->length, at->row_count - at->rows);
  if (length == 0) return LB_OK;
  if (at->count == at->cap) {
    return lb_error_set(err, LB_PROTOCOL,
                        "%" PRId64 " rows come in more than %" PRId32 " record batches",
                        at->row_count, at->cap);
  }
  LB_TRY(lb_arrow_builder_array(&at->dec->builder, message, view, length, at->body,
                                wide_bytes, &at->out[at->count], err));
  if (wide_bytes[1] > wide_bytes[0]) at->dec->shift ^= 8;
  at->count++;
  at->rows += length;
  return LB_OK;
}

/* Step 2. What follows the last wanted row is not looked at. */
static enum lb_status take_messages(struct batch *at, struct lb_error *err) {
  size_t pos = 0;
  while (pos < at->body->len && at->rows < at->row_count) {
    struct lb_arrow_message message;
    LB_TRY(lb_arrow_message_next(at->body->data, at->body->len, &pos, &message, err));
    if (message.kind == LB_ARROW_MESSAGE_SCHEMA) {
      LB_TRY(lb_arrow_builder_check(&at->dec->builder, &message, err));
    }
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
