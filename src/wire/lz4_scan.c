/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz4_scan.h"

#include <string.h>

/* What is being read. The bytes of the first ones are kept in `head`, the others are
 * passed over. */
enum {
  MAGIC,
  DESCRIPTOR,
  BLOCK_SIZE,
  SKIP_SIZE,
  LAST_KEPT = SKIP_SIZE,
  REST,
  BLOCK,
  END
};

static void enter(struct lb_lz4_scan *scan, int state, uint64_t bytes) {
  scan->state = state;
  scan->want = bytes;
  scan->head_len = 0;
}

void lb_lz4_scan_init(struct lb_lz4_scan *scan) {
  *scan = (struct lb_lz4_scan){0};
  enter(scan, MAGIC, 4);
}

/* What is ahead is known as soon as its size is. */
static void enter_sized(struct lb_lz4_scan *scan, int state, uint64_t bytes) {
  enter(scan, state, bytes);
  scan->ahead_end = scan->pos + bytes;
}

static enum lb_status take_magic(struct lb_lz4_scan *scan, struct lb_error *err) {
  uint32_t magic = lb_lz4_load_u32(scan->head);
  if (magic == LB_LZ4_MAGIC) {
    enter(scan, DESCRIPTOR, 2);
  } else if (lb_lz4_is_skippable(magic)) {
    enter(scan, SKIP_SIZE, 4);
  } else {
    return lb_lz4_no_frame(scan->pos - 4, err);
  }
  return LB_OK;
}

static enum lb_status take_block_size(struct lb_lz4_scan *scan, struct lb_error *err) {
  uint32_t word = lb_lz4_load_u32(scan->head);
  if (word == 0) {
    enter_sized(scan, END, scan->frame.content_sum_bytes);
    return LB_OK;
  }
  size_t bytes = word & ~LB_LZ4_PLAIN_BLOCK;
  LB_TRY(lb_lz4_block_check(&scan->frame, bytes, scan->pos - 4, err));
  enter_sized(scan, BLOCK, bytes + scan->frame.block_sum_bytes);
  return LB_OK;
}

/* All bytes of a state are here: what comes next? */
static enum lb_status finish(struct lb_lz4_scan *scan, struct lb_error *err) {
  switch (scan->state) {
    case MAGIC:
      return take_magic(scan, err);
    case DESCRIPTOR:
      LB_TRY(lb_lz4_frame_read(scan->head, &scan->frame, err));
      enter(scan, REST, scan->frame.rest_bytes);
      return LB_OK;
    case SKIP_SIZE:
      enter_sized(scan, END, lb_lz4_load_u32(scan->head));
      return LB_OK;
    case BLOCK_SIZE:
      return take_block_size(scan, err);
    case REST:
      enter(scan, BLOCK_SIZE, 4);
      return LB_OK;
    case BLOCK:
      scan->cut = scan->pos;
      enter(scan, BLOCK_SIZE, 4);
      return LB_OK;
    default:
      scan->cut = scan->pos;
      scan->any = true;
      enter(scan, MAGIC, 4);
      return LB_OK;
  }
}

enum lb_status lb_lz4_scan_feed(struct lb_lz4_scan *scan, const uint8_t *data, size_t len,
                                size_t *cut, size_t *ahead, struct lb_error *err) {
  uint64_t from = scan->pos;
  size_t pos = 0;
  while (pos < len) {
    size_t step = (size_t)LB_MIN(scan->want, (uint64_t)(len - pos));
    if (scan->state <= LAST_KEPT) {
      memcpy(scan->head + scan->head_len, data + pos, step);
      scan->head_len += step;
    }
    pos += step;
    scan->pos += step;
    scan->want -= step;
    while (scan->want == 0) LB_TRY(finish(scan, err));
  }
  *cut = scan->cut > from ? (size_t)(scan->cut - from) : 0;
  *ahead = scan->ahead_end > scan->cut ? (size_t)(scan->ahead_end - scan->cut) : 0;
  return LB_OK;
}

bool lb_lz4_scan_complete(const struct lb_lz4_scan *scan) {
  return scan->any && scan->state == MAGIC && scan->head_len == 0;
}
