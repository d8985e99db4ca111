/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#define CAP_MIN 64

void lb_buf_init(struct lb_buf *buf, enum lb_mem_tag tag, size_t max_bytes) {
  *buf = (struct lb_buf){.max = max_bytes, .tag = tag};
}

static void free_memory(struct lb_buf *buf) {
  if (buf->block == NULL) lb_free(buf->data);
  lb_block_release(buf->block);
}

void lb_buf_reset(struct lb_buf *buf) {
  struct lb_pool *pool = buf->pool;
  free_memory(buf);
  lb_buf_init(buf, buf->tag, buf->max);
  buf->pool = pool;
}

void lb_buf_use_pool(struct lb_buf *buf, struct lb_pool *pool) { buf->pool = pool; }

void lb_buf_clear(struct lb_buf *buf) {
  buf->len = 0;
  buf->status = LB_OK;
}

/* A block takes what there is. */
static bool move_to_block(struct lb_buf *buf, size_t need) {
  enum lb_block_kind kind =
      need <= LB_BLOCK_INPUT_BYTES ? LB_BLOCK_INPUT : LB_BLOCK_REPLY;
  struct lb_block *block;
  if (lb_pool_take(buf->pool, kind, need, &block, NULL) != LB_OK) return false;
  if (buf->len > 0) memcpy(block->data, buf->data, buf->len);
  free_memory(buf);
  buf->block = block;
  buf->data = block->data;
  buf->cap = block->cap;
  return true;
}

/* The heap takes it. */
static bool move_to_heap(struct lb_buf *buf, size_t cap) {
  uint8_t *data =
      buf->block == NULL ? lb_realloc(buf->tag, buf->data, cap) : lb_alloc(buf->tag, cap);
  if (data == NULL) return false;
  if (buf->block != NULL) {
    memcpy(data, buf->data, buf->len);
    lb_block_release(buf->block);
    buf->block = NULL;
  }
  buf->data = data;
  buf->cap = cap;
  return true;
}

/* Makes cap at least `need`. */
static bool grow(struct lb_buf *buf, size_t need) {
  if (need <= buf->cap) return true;
  size_t cap = LB_MAX(buf->cap, (size_t)CAP_MIN / 2);
  cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  /* No more than the ceiling and a NUL can ever be used. */
  if (buf->max < SIZE_MAX) cap = LB_MIN(cap, buf->max + 1);
  cap = LB_MAX(cap, need);
  bool fits = need >= LB_BUF_BLOCK_MIN_BYTES && need <= LB_BLOCK_REPLY_BYTES;
  if (buf->pool != NULL && fits ? move_to_block(buf, need) : move_to_heap(buf, cap)) {
    return true;
  }
  buf->status = LB_OUT_OF_MEMORY;
  return false;
}

/* True when `more` bytes can be written at len. */
static bool make_room(struct lb_buf *buf, size_t more) {
  if (buf->status != LB_OK) return false;
  if (more > buf->max - buf->len) {
    buf->status = LB_INVALID_DATA;
    return false;
  }
  return grow(buf, buf->len + more);
}

void lb_buf_reserve(struct lb_buf *buf, size_t more) { (void)make_room(buf, more); }

uint8_t *lb_buf_extend(struct lb_buf *buf, size_t len) {
  /* At least one byte of memory: NULL is kept for failures. */
  if (!make_room(buf, len) || !grow(buf, LB_MAX(buf->len + len, (size_t)1))) return NULL;
  uint8_t *room = buf->data + buf->len;
  buf->len += len;
  return room;
}

void lb_buf_append(struct lb_buf *buf, const void *data, size_t len) {
  if (len == 0 || !make_room(buf, len)) return;
  memcpy(buf->data + buf->len, data, len);
  buf->len += len;
}

void lb_buf_append_str(struct lb_buf *buf, struct lb_str s) {
  lb_buf_append(buf, s.data, s.len);
}

void lb_buf_append_text(struct lb_buf *buf, const char *text) {
  lb_buf_append(buf, text, strlen(text));
}

void lb_buf_append_u8(struct lb_buf *buf, uint8_t value) {
  lb_buf_append(buf, &value, 1);
}

void lb_buf_append_be16(struct lb_buf *buf, uint16_t value) {
  uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
  lb_buf_append(buf, bytes, sizeof(bytes));
}

void lb_buf_append_be32(struct lb_buf *buf, uint32_t value) {
  uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 8), (uint8_t)value};
  lb_buf_append(buf, bytes, sizeof(bytes));
}

void lb_buf_append_be64(struct lb_buf *buf, uint64_t value) {
  uint8_t bytes[8];
  for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(value >> (56 - 8 * i));
  lb_buf_append(buf, bytes, sizeof(bytes));
}

void lb_buf_appendf(struct lb_buf *buf, const char *fmt, ...) {
  if (buf->status != LB_OK) return;
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (len < 0) {
    buf->status = LB_INVALID_DATA;
    return;
  }
  if (!make_room(buf, (size_t)len) || !grow(buf, buf->len + (size_t)len + 1)) return;
  va_start(args, fmt);
  vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, fmt, args);
  va_end(args);
  buf->len += (size_t)len;
}

const char *lb_buf_text(struct lb_buf *buf) {
  if (buf->status != LB_OK) return NULL;
  size_t need;
  if (!lb_size_add(buf->len, 1, &need) || !grow(buf, need)) return NULL;
  buf->data[buf->len] = '\0';
  return (const char *)buf->data;
}

enum lb_status lb_buf_check(const struct lb_buf *buf, const char *what,
                            struct lb_error *err) {
  if (buf->status == LB_OK) return LB_OK;
  if (buf->status == LB_OUT_OF_MEMORY) return lb_error_oom(err, what);
  return lb_error_set(err, buf->status, "%s is larger than the limit of %zu bytes", what,
                      buf->max);
}

void lb_buf_move(struct lb_buf *dst, struct lb_buf *src) {
  if (dst == src) return;
  struct lb_pool *pool = src->pool;
  lb_buf_reset(dst);
  *dst = *src;
  dst->pool = NULL;
  lb_buf_init(src, src->tag, src->max);
  src->pool = pool;
}
