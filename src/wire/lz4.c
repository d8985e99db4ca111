/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz4.h"

#include <lz4.h>
#include <lz4frame.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/lz4_frame.h"

/* The format cannot do better: one byte of a length stands for at most 255. */
#define MAX_RATIO 255

/* Blocks up to this size are measured sequence by sequence: many small batches then take
 * what they need instead of the worst case. Of larger blocks that would cost time. */
#define EXACT_MAX_BYTES (16u << 10)

/* What can be asked for before anything is known: the least a frame header has. */
#define FIRST_STEP_BYTES 7
/* Size, end mark and checksum: a step of no more gives no data, or hardly any. */
#define MARKS_BYTES 8

struct lb_lz4 {
  LZ4F_dctx *context;
  /* Of decompression in steps. */
  size_t wanted;    /* bytes that the next step takes at most; 0 at the end of a frame */
  size_t block_max; /* of the frame; 0 not known */
  uint64_t pos;
};

enum lb_status lb_lz4_create(struct lb_lz4 **out, struct lb_error *err) {
  struct lb_lz4 *lz4 = lb_alloc_zero(LB_MEM_ARROW, sizeof(*lz4));
  if (lz4 == NULL) return lb_error_oom(err, "an LZ4 decoder");
  if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4->context, LZ4F_VERSION))) {
    lb_free(lz4);
    return lb_error_oom(err, "an LZ4 decoder");
  }
  *out = lz4;
  return LB_OK;
}

void lb_lz4_destroy(struct lb_lz4 *lz4) {
  if (lz4 == NULL) return;
  LZ4F_freeDecompressionContext(lz4->context);
  lb_free(lz4);
}

/* A walk over the headers. The status is sticky: after a failure nothing moves. */
struct walk {
  const uint8_t *data;
  size_t len;
  size_t pos;
  size_t bound;
  struct lb_error *err;
  enum lb_status status;
};

static const uint8_t *take(struct walk *at, size_t bytes) {
  if (at->status != LB_OK) return NULL;
  if (bytes > at->len - at->pos) {
    at->status =
        lb_error_set(at->err, LB_PROTOCOL,
                     "LZ4 data ends inside a frame: %zu bytes are wanted at offset %zu, "
                     "%zu are there",
                     bytes, at->pos, at->len - at->pos);
    return NULL;
  }
  const uint8_t *here = at->data + at->pos;
  at->pos += bytes;
  return here;
}

/* A length in a sequence: after 15 in the token bytes follow, up to one below 255. */
static bool sequence_length(const uint8_t *block, size_t len, size_t *pos,
                            size_t *value) {
  if (*value != 15) return true;
  while (*pos < len) {
    uint8_t more = block[(*pos)++];
    *value += more;
    if (more != 255) return true;
  }
  return false;
}

/* The decompressed size of a block by its sequences alone; false when it is malformed. */
static bool measure_block(const uint8_t *block, size_t len, size_t *size) {
  size_t pos = 0;
  *size = 0;
  while (pos < len) {
    uint8_t token = block[pos++];
    size_t literals = token >> 4;
    size_t match = token & 15;
    if (!sequence_length(block, len, &pos, &literals) || literals > len - pos)
      return false;
    pos += literals;
    *size += literals;
    if (pos == len) return true; /* the last sequence has no match */
    if (len - pos < 2) return false;
    pos += 2;
    if (!sequence_length(block, len, &pos, &match)) return false;
    *size += match + 4;
  }
  return false;
}

static size_t block_bound(const uint8_t *block, size_t len, size_t block_max) {
  size_t exact;
  if (len <= EXACT_MAX_BYTES && measure_block(block, len, &exact) && exact <= block_max) {
    return exact;
  }
  return LB_MIN(len * MAX_RATIO, block_max);
}

static void walk_blocks(struct walk *at, const struct lb_lz4_frame *frame) {
  for (;;) {
    const uint8_t *head = take(at, 4);
    if (head == NULL) return;
    uint32_t word = lb_lz4_load_u32(head);
    if (word == 0) break;
    size_t bytes = word & ~LB_LZ4_PLAIN_BLOCK;
    at->status = lb_lz4_block_check(frame, bytes, at->pos - 4, at->err);
    const uint8_t *block = take(at, bytes + frame->block_sum_bytes);
    if (block == NULL) return;
    bool plain = (word & LB_LZ4_PLAIN_BLOCK) != 0;
    at->bound += plain ? bytes : block_bound(block, bytes, frame->block_max);
  }
  take(at, frame->content_sum_bytes);
}

static void walk_frame(struct walk *at) {
  struct lb_lz4_frame frame = {0};
  const uint8_t *head = take(at, 2);
  if (head == NULL) return;
  at->status = lb_lz4_frame_read(head, &frame, at->err);
  if (take(at, frame.rest_bytes) != NULL) walk_blocks(at, &frame);
}

static void walk_next(struct walk *at) {
  size_t start = at->pos;
  const uint8_t *head = take(at, 4);
  if (head == NULL) return;
  uint32_t magic = lb_lz4_load_u32(head);
  if (magic == LB_LZ4_MAGIC) {
    walk_frame(at);
  } else if (lb_lz4_is_skippable(magic)) {
    const uint8_t *size = take(at, 4);
    if (size != NULL) take(at, lb_lz4_load_u32(size));
  } else {
    at->status = lb_lz4_no_frame(start, at->err);
  }
}

enum lb_status lb_lz4_measure(struct lb_str src, size_t max_raw_bytes, size_t *bound,
                              struct lb_error *err) {
  struct walk at = {
      .data = (const uint8_t *)src.data, .len = src.len, .err = err, .status = LB_OK};
  if (src.len == 0) return lb_error_set(err, LB_PROTOCOL, "LZ4 data is empty");
  while (at.status == LB_OK && at.pos < at.len) walk_next(&at);
  if (at.status != LB_OK) return at.status;
  *bound = LB_MIN(at.bound, max_raw_bytes);
  return LB_OK;
}

/* A compressed block begins with a token whose upper half is the number of literals; 15
 * means that more bytes of the number follow. */
bool lb_lz4_peek(struct lb_str src, uint8_t *out, size_t bytes) {
  struct walk at = {.data = (const uint8_t *)src.data, .len = src.len, .status = LB_OK};
  struct lb_lz4_frame frame;
  const uint8_t *head = take(&at, 6);
  if (head == NULL || lb_lz4_load_u32(head) != LB_LZ4_MAGIC) return false;
  if (lb_lz4_frame_read(head + 4, &frame, NULL) != LB_OK) return false;
  if (take(&at, frame.rest_bytes) == NULL) return false;
  const uint8_t *block = take(&at, sizeof(uint32_t));
  if (block == NULL) return false;
  uint32_t word = lb_lz4_load_u32(block);
  if ((word & LB_LZ4_PLAIN_BLOCK) == 0) {
    const uint8_t *token = take(&at, 1);
    if (token == NULL) return false;
    size_t literals = token[0] >> 4;
    if (literals < LB_MIN(bytes, (size_t)15)) return false;
    if (literals == 15) {
      const uint8_t *more = take(&at, 1);
      if (more == NULL || more[0] == 255 || literals + more[0] < bytes) return false;
    }
  }
  const uint8_t *first = take(&at, bytes);
  if (first == NULL) return false;
  memcpy(out, first, bytes);
  return true;
}

static enum lb_status failed(struct lb_lz4 *lz4, size_t code, size_t pos,
                             struct lb_error *err) {
  /* A context that has failed must be reset before it is used again. */
  LZ4F_resetDecompressionContext(lz4->context);
  /* The stable interface of liblz4 tells its errors apart by name only. */
  const char *name = LZ4F_getErrorName(code);
  if (strcmp(name, "ERROR_allocation_failed") == 0) {
    return lb_error_oom(err, "LZ4 decompression");
  }
  return lb_error_set(err, LB_PROTOCOL, "LZ4 data is damaged near offset %zu: %s", pos,
                      name);
}

/* A frame of one block without checksums, as small batches come. LZ4F would take memory
 * for two blocks of the frame's size first, usually 8 MiB. False: it is another one, or
 * damaged, which LZ4F tells. */
static bool decode_one_block(struct lb_lz4 *lz4, struct lb_str src, uint8_t *dst,
                             size_t dst_bytes, size_t *raw_bytes) {
  LZ4F_frameInfo_t info = LZ4F_INIT_FRAMEINFO;
  struct lb_lz4_frame frame;
  size_t head = src.len;
  if (src.len > EXACT_MAX_BYTES) return false;
  size_t code = LZ4F_getFrameInfo(lz4->context, &info, src.data, &head);
  LZ4F_resetDecompressionContext(lz4->context);
  if (LZ4F_isError(code) || info.frameType != LZ4F_frame) return false;
  const uint8_t *data = (const uint8_t *)src.data;
  if (lb_lz4_frame_read(data + 4, &frame, NULL) != LB_OK) return false;
  if (frame.block_sum_bytes + frame.content_sum_bytes > 0) return false;
  if (info.dictID != 0 || src.len - head < MARKS_BYTES) return false;
  uint32_t word = lb_lz4_load_u32(data + head);
  size_t bytes = word & ~LB_LZ4_PLAIN_BLOCK;
  if (bytes == 0 || bytes != src.len - head - MARKS_BYTES) return false;
  if (lb_lz4_load_u32(data + src.len - 4) != 0) return false;
  size_t cap = LB_MIN(dst_bytes, frame.block_max);
  size_t len = bytes;
  if ((word & LB_LZ4_PLAIN_BLOCK) != 0) {
    if (bytes > cap) return false;
    memcpy(dst, data + head + 4, bytes);
  } else {
    int got = LZ4_decompress_safe(src.data + head + 4, (char *)dst, (int)bytes,
                                  (int)LB_MIN(cap, (size_t)INT32_MAX));
    if (got < 0) return false;
    len = (size_t)got;
  }
  if (info.contentSize != 0 && info.contentSize != len) return false;
  *raw_bytes = len;
  return true;
}

enum lb_status lb_lz4_decode(struct lb_lz4 *lz4, struct lb_str src, uint8_t *dst,
                             size_t dst_bytes, size_t *raw_bytes, struct lb_error *err) {
  /* dst is one piece that stays where it is, so linked blocks need no copy of their past.
   */
  const LZ4F_decompressOptions_t options = {.stableDst = 1};
  size_t in = 0;
  size_t out = 0;
  size_t wanted = 0;
  if (decode_one_block(lz4, src, dst, dst_bytes, raw_bytes)) return LB_OK;
  while (in < src.len) {
    size_t in_step = src.len - in;
    size_t out_step = dst_bytes - out;
    wanted = LZ4F_decompress(lz4->context, dst + out, &out_step, src.data + in, &in_step,
                             &options);
    if (LZ4F_isError(wanted)) return failed(lz4, wanted, in, err);
    if (in_step == 0 && out_step == 0) {
      LZ4F_resetDecompressionContext(lz4->context);
      return lb_error_set(err, LB_PROTOCOL,
                          "LZ4 data decompresses to more than the limit of %zu bytes",
                          dst_bytes);
    }
    in += in_step;
    out += out_step;
  }
  if (wanted != 0) {
    LZ4F_resetDecompressionContext(lz4->context);
    return lb_error_set(err, LB_PROTOCOL, "LZ4 data ends inside a frame after %zu bytes",
                        src.len);
  }
  *raw_bytes = out;
  return LB_OK;
}

void lb_lz4_restart(struct lb_lz4 *lz4) {
  LZ4F_resetDecompressionContext(lz4->context);
  lz4->wanted = lz4->block_max = 0;
  lz4->pos = 0;
}

size_t lb_lz4_room(const struct lb_lz4 *lz4) {
  if (lz4->wanted <= MARKS_BYTES) return 1;
  return lz4->block_max != 0 ? lz4->block_max : LB_LZ4_SLACK_BYTES;
}

bool lb_lz4_begins(const struct lb_lz4 *lz4) { return lz4->pos == 0; }

bool lb_lz4_complete(const struct lb_lz4 *lz4) {
  return lz4->wanted == 0 && lz4->pos > 0;
}

/* The context knows the frame when it has read the header; before that it refuses. */
static void learn_frame(struct lb_lz4 *lz4) {
  LZ4F_frameInfo_t info;
  size_t none = 0;
  if (LZ4F_isError(LZ4F_getFrameInfo(lz4->context, &info, NULL, &none))) return;
  if (info.blockSizeID < LZ4F_max64KB || info.blockSizeID > LZ4F_max4MB) return;
  lz4->block_max = (size_t)1 << (8 + 2 * (unsigned)info.blockSizeID);
}

enum lb_status lb_lz4_step(struct lb_lz4 *lz4, struct lb_str *src, uint8_t *dst,
                           size_t dst_bytes, size_t *raw_bytes, bool *more,
                           struct lb_error *err) {
  const LZ4F_decompressOptions_t options = {.stableDst = 1};
  size_t limit = lz4->wanted != 0 ? lz4->wanted : FIRST_STEP_BYTES;
  size_t in = LB_MIN(src->len, limit), out = dst_bytes;
  bool begins = lz4->wanted == 0;
  if (begins) lz4->block_max = 0;
  size_t wanted = LZ4F_decompress(lz4->context, dst, &out, src->data, &in, &options);
  if (LZ4F_isError(wanted)) return failed(lz4, wanted, (size_t)lz4->pos, err);
  lz4->wanted = wanted;
  lz4->pos += in;
  *src = (struct lb_str){src->data + in, src->len - in};
  *raw_bytes = out;
  *more = src->len > 0 || out == dst_bytes;
  if (lz4->block_max == 0 && wanted != 0) learn_frame(lz4);
  return LB_OK;
}
