/* SPDX-License-Identifier: Apache-2.0 */
/* How pieces become arrays:
 *
 * 1. A piece is decompressed block by block (or copied, when there is no LZ4) behind what
 *    is already in the slab. Room for a largest block is kept free, because liblz4 would
 *    otherwise decompress into memory of its own and copy.
 * 2. As soon as a message is whole, an array is built of it where it lies.
 * 3. When a slab has no room for another block, the message that has begun in it is
 *    carried to the start of the next slab: the only bytes that are copied. A message
 *    larger than a slab gets a block of its own size. Without LZ4 messages are not begun
 *    where they do not fit, so that hardly more than a header is carried.
 * 4. Decimals want addresses that are multiples of 16, messages promise multiples of 8.
 *    So a slab is begun 0 or 8 bytes behind an aligned address: as the head of its first
 *    message wants it, and as the decimals of earlier batches have lain ("lean"). What is
 *    misaligned all the same is copied and counted (wire/arrow_build.c).
 * 5. Linked blocks refer to the 64 KiB before them, so the slab before is kept until as
 *    much has been written to the next.
 * 6. After the last wanted row nothing is built, but a whole stream is still followed to
 *    its end: a body that was cut off or damaged is an error, not a shorter file. */
#include "wire/arrow_stream.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/arrow_build.h"
#include "wire/lz4.h"

#define PREFIX_BYTES 8
#define GAP_BYTES ((size_t)16) /* at most so many less one */
#define HISTORY_BYTES ((size_t)64 << 10)
/* What is smaller is not worth a slab. */
#define SMALL_BYTES ((int64_t)256 << 10)
/* So far the heads of record batches of all known writers lay: a multiple of 16 bytes. */
#define USUAL_HEAD_BYTES 0

struct lb_arrow_stream {
  struct lb_arrow_stream_options opts;
  struct lb_arrow_builder builder;
  struct lb_lz4 *lz4;         /* NULL: none */
  struct lb_arrow_body *body; /* being filled; its len is the fill. NULL: none so far */
  struct lb_arrow_body *history; /* the one before, NULL when no longer needed */
  size_t fresh; /* bytes decompressed into body; what was carried is not counted */
  size_t start; /* in body: where the message begins that is not whole */
  size_t need;  /* bytes of that message, as far as they are known */
  uint8_t first[PREFIX_BYTES]; /* of an LZ4 body, as far as they could be seen */
  size_t first_len;
  size_t head_bytes; /* of the last batch; USUAL_HEAD_BYTES before the first */
  int64_t produced;  /* bytes since the last restart */
  int64_t rows;
  bool schema_seen;
  bool ended;    /* the last message was an end mark */
  bool unpadded; /* the last message's body was not padded: it must be the last */
  int lean;      /* 0 or 8: when there is nobody to share it with */
  struct lb_error failure;
  struct lb_arrow_stream_stats stats;
};

static void forget_bytes(struct lb_arrow_stream *stream) {
  lb_arrow_body_release(stream->body);
  lb_arrow_body_release(stream->history);
  stream->body = stream->history = NULL;
}

void lb_arrow_stream_restart(struct lb_arrow_stream *stream, int64_t row_count,
                             int64_t first_row, int64_t raw_bytes) {
  lb_arrow_body_release(stream->history);
  stream->history = NULL;
  if (stream->lz4 != NULL) lb_lz4_restart(stream->lz4);
  stream->opts.row_count = row_count;
  stream->opts.first_row = first_row;
  stream->opts.raw_bytes = raw_bytes;
  stream->fresh = 0;
  stream->start = stream->body != NULL ? stream->body->len : 0;
  stream->need = PREFIX_BYTES;
  stream->produced = stream->rows = 0;
  stream->schema_seen = stream->ended = stream->unpadded = false;
  lb_error_reset(&stream->failure);
}

enum lb_status lb_arrow_stream_create(const struct lb_arrow_stream_options *opts,
                                      struct lb_arrow_stream **out,
                                      struct lb_error *err) {
  struct lb_arrow_stream *stream = lb_alloc_zero(LB_MEM_ARROW, sizeof(*stream));
  if (stream == NULL) return lb_error_oom(err, "an Arrow stream");
  stream->opts = *opts;
  stream->head_bytes = USUAL_HEAD_BYTES;
  enum lb_status status = lb_arrow_builder_init(&stream->builder, opts->schema, err);
  if (status != LB_OK) {
    lb_free(stream);
    return status;
  }
  if (opts->lz4) status = lb_lz4_create(&stream->lz4, err);
  if (status != LB_OK) {
    lb_arrow_stream_destroy(stream);
    return status;
  }
  lb_arrow_stream_restart(stream, opts->row_count, opts->first_row, opts->raw_bytes);
  *out = stream;
  return LB_OK;
}

void lb_arrow_stream_rest(struct lb_arrow_stream *stream) { forget_bytes(stream); }

size_t lb_arrow_stream_fill(const struct lb_arrow_stream *stream) {
  return stream->body != NULL ? stream->body->len : 0;
}

void lb_arrow_stream_destroy(struct lb_arrow_stream *stream) {
  if (stream == NULL) return;
  forget_bytes(stream);
  lb_lz4_destroy(stream->lz4);
  lb_arrow_builder_reset(&stream->builder);
  lb_free(stream);
}

/* Step 4. */

static int get_lean(const struct lb_arrow_stream *stream) {
  if (stream->opts.lean == NULL) return stream->lean;
  return atomic_load_explicit(stream->opts.lean, memory_order_relaxed);
}

/* Where decimals lay in a batch, relative to the start of its body. */
static void learn_lean(struct lb_arrow_stream *stream,
                       const struct lb_arrow_message *message,
                       const int64_t wide_bytes[2]) {
  if (wide_bytes[0] == wide_bytes[1]) return;
  int where = wide_bytes[1] > wide_bytes[0] ? 8 : 0;
  stream->lean = where ^ (int)((uintptr_t)message->body & 8);
  if (stream->opts.lean != NULL) {
    atomic_store_explicit(stream->opts.lean, stream->lean, memory_order_relaxed);
  }
}

/* How far behind an aligned address bytes have to begin, `before` bytes after which the
 * body of a batch begins. */
static size_t phase_of(const struct lb_arrow_stream *stream, size_t before) {
  return (before & 8) ^ (size_t)get_lean(stream);
}

/* For the message at the start of a slab, as far as its head is known. */
static size_t phase_of_message(const struct lb_arrow_stream *stream, const uint8_t *data,
                               size_t len) {
  if (len < PREFIX_BYTES) return phase_of(stream, stream->head_bytes);
  size_t head = PREFIX_BYTES + data[4]; /* the low byte decides */
  bool schema_first = stream->opts.whole && !stream->schema_seen;
  return phase_of(stream, schema_first ? head + stream->head_bytes : head);
}

/* Step 3. */

static bool is_small(const struct lb_arrow_stream *stream) {
  int64_t expected = stream->opts.raw_bytes;
  return expected > 0 && expected <= SMALL_BYTES && stream->produced <= expected;
}

/* Room for the next step of so many bytes; of a small stream, for all that is to come. */
static size_t room_for(const struct lb_arrow_stream *stream, size_t step) {
  if (!is_small(stream)) return step;
  return (size_t)LB_MAX(stream->opts.raw_bytes - stream->produced, 1);
}

/* A stream that says how long it is begins no more than it needs: where nothing of it has
 * to be carried, and in a smaller block if that will do. */
static size_t size_for(const struct lb_arrow_stream *stream, size_t bytes) {
  int64_t left = stream->opts.raw_bytes - stream->produced;
  bool told = left > 0 && left <= (int64_t)LB_BLOCK_SLAB_BYTES / 2;
  return told ? LB_MAX(bytes, (size_t)left + GAP_BYTES) : bytes;
}

static enum lb_block_kind kind_for(const struct lb_arrow_stream *stream, size_t bytes) {
  bool fits = stream->opts.raw_bytes > 0 && bytes <= (size_t)LB_LZ4_SLACK_BYTES + 256;
  return fits && stream->produced < stream->opts.raw_bytes ? LB_BLOCK_INPUT
                                                           : LB_BLOCK_SLAB;
}

static enum lb_status take_body(struct lb_arrow_stream *stream, size_t bytes,
                                size_t phase, struct lb_arrow_body **out,
                                struct lb_error *err) {
  if (!is_small(stream)) {
    bytes = size_for(stream, bytes);
    LB_TRY(lb_arrow_body_take(stream->opts.pool, kind_for(stream, bytes), bytes, phase,
                              out, err));
  } else {
    LB_TRY(lb_arrow_body_create(bytes, phase, out, err));
  }
  stream->stats.slabs++;
  return LB_OK;
}

/* A slab with so much room behind what is carried. first: what comes next, when nothing
 * is. */
static enum lb_status turn_slab(struct lb_arrow_stream *stream, size_t room,
                                struct lb_str first, struct lb_error *err) {
  struct lb_arrow_body *old = stream->body, *next;
  const uint8_t *begun = old != NULL ? old->data + stream->start : NULL;
  size_t carried = old != NULL ? old->len - stream->start : 0, bytes;
  size_t phase = carried > 0
                     ? phase_of_message(stream, begun, carried)
                     : phase_of_message(stream, (const uint8_t *)first.data, first.len);
  if (!lb_size_add(carried, room, &bytes)) {
    return lb_error_oom(err, "an Arrow buffer");
  }
  LB_TRY(take_body(stream, bytes, phase, &next, err));
  if (carried > 0) memcpy(next->data, begun, carried);
  next->len = carried;
  lb_arrow_body_release(stream->history);
  stream->history = stream->lz4 != NULL ? old : NULL;
  if (stream->lz4 == NULL) lb_arrow_body_release(old);
  stream->body = next;
  stream->start = 0;
  stream->fresh = 0;
  stream->stats.carried_bytes += (int64_t)carried;
  return LB_OK;
}

/* Of the message that has begun, as far as it is known; 0: nothing, or not known. */
static size_t missing(const struct lb_arrow_stream *stream) {
  size_t here = stream->body != NULL ? stream->body->len - stream->start : 0;
  return stream->need > here ? stream->need - here : 0;
}

static size_t room_left(const struct lb_arrow_stream *stream) {
  return stream->body != NULL ? stream->body->cap - stream->body->len : 0;
}

static void add_fill(struct lb_arrow_stream *stream, size_t bytes) {
  stream->body->len += bytes;
  stream->fresh += bytes;
  stream->produced += (int64_t)bytes;
  stream->stats.raw_bytes += (int64_t)bytes;
  if (stream->history == NULL || stream->fresh < HISTORY_BYTES) return;
  lb_arrow_body_release(stream->history);
  stream->history = NULL;
}

/* Step 2. */

struct outlet {
  lb_arrow_emit *emit;
  void *ctx;
};

static enum lb_status take_batch(struct lb_arrow_stream *stream,
                                 const struct lb_arrow_message *message,
                                 const struct outlet *to, struct lb_error *err) {
  struct ArrowArrayView *view;
  struct ArrowArray array;
  int64_t wide_bytes[2];
  if (stream->opts.whole && !stream->schema_seen) {
    return lb_error_set(err, LB_PROTOCOL, "rows come before a schema in the Arrow data");
  }
  stream->head_bytes = message->head_bytes;
  int64_t wanted = stream->opts.row_count - stream->rows;
  if (wanted <= 0) return LB_OK;
  LB_TRY(lb_arrow_builder_view(&stream->builder, message, &view, err));
  int64_t length = LB_MIN(view->length, wanted);
  if (length == 0) return LB_OK;
  LB_TRY(lb_arrow_builder_array(&stream->builder, message, view, length, stream->body,
                                wide_bytes, &array, err));
  learn_lean(stream, message, wide_bytes);
  stream->rows += length;
  return to->emit(to->ctx, &array, err);
}

static enum lb_status take_message(struct lb_arrow_stream *stream,
                                   const struct outlet *to, struct lb_error *err) {
  struct lb_arrow_message message;
  size_t pos = 0;
  if (stream->unpadded) {
    return lb_error_set(err, LB_PROTOCOL, "malformed Arrow data: a body is not padded");
  }
  LB_TRY(lb_arrow_message_next(stream->body->data + stream->start, stream->need, &pos,
                               &message, err));
  stream->ended = message.kind == LB_ARROW_MESSAGE_EOS;
  stream->unpadded = stream->need % 8 != 0;
  if (message.kind == LB_ARROW_MESSAGE_BATCH)
    return take_batch(stream, &message, to, err);
  if (message.kind != LB_ARROW_MESSAGE_SCHEMA) return LB_OK;
  stream->schema_seen = true;
  return lb_arrow_builder_check(&stream->builder, &message, err);
}

/* Nothing behind the last wanted row of an inline batch is of interest. */
static bool is_done(const struct lb_arrow_stream *stream) {
  return !stream->opts.whole && stream->rows >= stream->opts.row_count;
}

static enum lb_status take_messages(struct lb_arrow_stream *stream,
                                    const struct outlet *to, struct lb_error *err) {
  if (stream->body == NULL) return LB_OK;
  for (;;) {
    size_t head, here = stream->body->len - stream->start;
    if (is_done(stream)) stream->start = stream->body->len;
    if (is_done(stream) || here < stream->need) return LB_OK;
    LB_TRY(lb_arrow_message_measure(stream->body->data + stream->start, here,
                                    &stream->need, &head, err));
    if (here < stream->need) return LB_OK;
    LB_TRY(take_message(stream, to, err));
    stream->start += stream->need;
    stream->need = PREFIX_BYTES;
  }
}

/* Step 1. */

/* Step 4 within a slab, for a message whose first bytes are in src. What a stream before
 * has left there may end anywhere. */
static void leave_gap(struct lb_arrow_stream *stream, struct lb_str src) {
  struct lb_arrow_body *body = stream->body;
  size_t wanted = phase_of_message(stream, (const uint8_t *)src.data, src.len);
  uintptr_t end = (uintptr_t)body->data + body->len;
  size_t gap = (wanted - (size_t)end) & (GAP_BYTES - 1);
  body->len += gap;
  stream->start += gap;
}

/* For the next step. The first bytes may be seen before they are decompressed. */
static enum lb_status make_room(struct lb_arrow_stream *stream, struct lb_str src,
                                struct lb_error *err) {
  size_t room = room_for(stream, lb_lz4_room(stream->lz4));
  bool begins = lb_lz4_begins(stream->lz4);
  if (begins) {
    bool seen = lb_lz4_peek(src, stream->first, PREFIX_BYTES);
    stream->first_len = seen ? PREFIX_BYTES : 0;
  }
  struct lb_str first = {(const char *)stream->first,
                         stream->produced == 0 ? stream->first_len : 0};
  if (room_left(stream) < room + (begins ? GAP_BYTES : 0)) {
    return turn_slab(stream, missing(stream) + room, first, err);
  }
  if (begins) leave_gap(stream, first);
  return LB_OK;
}

static enum lb_status feed_lz4(struct lb_arrow_stream *stream, struct lb_str src,
                               const struct outlet *to, struct lb_error *err) {
  bool more = src.len > 0;
  while (more) {
    size_t raw = 0, before = src.len;
    LB_TRY(make_room(stream, src, err));
    LB_TRY(lb_lz4_step(stream->lz4, &src, stream->body->data + stream->body->len,
                       room_left(stream), &raw, &more, err));
    if (more && raw == 0 && src.len == before) {
      return lb_error_set(err, LB_PROTOCOL, "LZ4 data is damaged: it leads nowhere");
    }
    add_fill(stream, raw);
    LB_TRY(take_messages(stream, to, err));
  }
  return LB_OK;
}

/* A message is copied as far as it is known to reach, so that the next one can be begun
 * elsewhere. */
static enum lb_status feed_plain(struct lb_arrow_stream *stream, struct lb_str src,
                                 const struct outlet *to, struct lb_error *err) {
  while (src.len > 0 && !is_done(stream)) {
    size_t want = missing(stream);
    if (room_left(stream) < want + GAP_BYTES) {
      size_t room = LB_MAX(room_for(stream, want), want) + GAP_BYTES;
      LB_TRY(turn_slab(stream, room, src, err));
    }
    if (stream->start == stream->body->len) leave_gap(stream, src);
    size_t step = LB_MIN(want, src.len);
    memcpy(stream->body->data + stream->body->len, src.data, step);
    src = (struct lb_str){src.data + step, src.len - step};
    add_fill(stream, step);
    LB_TRY(take_messages(stream, to, err));
  }
  return LB_OK;
}

static enum lb_status settle(struct lb_arrow_stream *stream, enum lb_status status,
                             struct lb_error *err) {
  if (status == LB_OK) return LB_OK;
  lb_error_copy(&stream->failure, err);
  stream->failure.status = status;
  forget_bytes(stream);
  return status;
}

enum lb_status lb_arrow_stream_feed(struct lb_arrow_stream *stream, const uint8_t *piece,
                                    size_t len, lb_arrow_emit *emit, void *ctx,
                                    struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  struct outlet to = {emit, ctx};
  struct lb_str src = {(const char *)piece, len};
  if (err == NULL) err = &local;
  if (stream->failure.status != LB_OK) {
    lb_error_copy(err, &stream->failure);
    return stream->failure.status;
  }
  stream->stats.in_bytes += (int64_t)len;
  enum lb_status status = stream->lz4 != NULL ? feed_lz4(stream, src, &to, err)
                                              : feed_plain(stream, src, &to, err);
  return settle(stream, status, err);
}

static enum lb_status check_end(const struct lb_arrow_stream *stream,
                                struct lb_error *err) {
  size_t left = stream->body != NULL ? stream->body->len - stream->start : 0;
  if (stream->lz4 != NULL && !lb_lz4_complete(stream->lz4)) {
    return lb_error_set(err, LB_PROTOCOL,
                        stream->produced == 0 ? "LZ4 data is empty or ends in its head"
                                              : "LZ4 data ends inside a frame");
  }
  if (left > 0) {
    return lb_error_set(
        err, LB_PROTOCOL,
        "Arrow data is cut off: it ends after %zu of the %s%zu bytes of a "
        "message",
        left, stream->need <= left ? "more than " : "", stream->need);
  }
  if (stream->opts.whole && !stream->schema_seen) {
    return lb_error_set(err, LB_PROTOCOL, "Arrow data holds no schema");
  }
  if (stream->opts.whole && !stream->ended) {
    return lb_error_set(err, LB_PROTOCOL,
                        "Arrow data lacks its end mark: it may have been cut off");
  }
  if (stream->rows >= stream->opts.row_count) return LB_OK;
  return lb_error_set(err, LB_PROTOCOL,
                      "%" PRId64 " rows are missing: the server says that %" PRId64
                      " rows begin at row %" PRId64 ", its data holds %" PRId64,
                      stream->opts.row_count - stream->rows, stream->opts.row_count,
                      stream->opts.first_row, stream->rows);
}

enum lb_status lb_arrow_stream_end(struct lb_arrow_stream *stream, struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  if (err == NULL) err = &local;
  if (stream->failure.status != LB_OK) {
    lb_error_copy(err, &stream->failure);
    return stream->failure.status;
  }
  return settle(stream, check_end(stream, err), err);
}

int64_t lb_arrow_stream_rows(const struct lb_arrow_stream *stream) {
  return stream->rows;
}

struct lb_arrow_stream_stats lb_arrow_stream_stats(const struct lb_arrow_stream *stream) {
  struct lb_arrow_stream_stats stats = stream->stats;
  stats.built = stream->builder.stats;
  return stats;
}
