/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer that is born with a ceiling and has a sticky error: after a
 * failed append (out of memory or over the ceiling) every later append is a no-op and
 * lb_buf_status says why, so that a writer appends freely and checks once. One that was
 * given a pool takes a block of it when it becomes large. Caller's memory, one owner, not
 * thread-safe. */
#ifndef LB_BASE_BUF_H
#define LB_BASE_BUF_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "base/str.h"

/* From this size on a block of a pool is worth it. */
#define LB_BUF_BLOCK_MIN_BYTES ((size_t)256 << 10)

struct lb_buf {
  uint8_t *data; /* NULL while empty */
  size_t len;
  size_t cap;
  size_t max; /* ceiling of len */
  enum lb_mem_tag tag;
  enum lb_status
      status; /* LB_OK, LB_OUT_OF_MEMORY or LB_INVALID_DATA (over the ceiling) */
  struct lb_pool *pool;   /* to grow from, NULL none */
  struct lb_block *block; /* whose memory data is, NULL: the heap's */
};

void lb_buf_init(struct lb_buf *buf, enum lb_mem_tag tag, size_t max_bytes);
void lb_buf_reset(struct lb_buf *buf); /* frees; max, tag and pool stay */
/* It may grow from there, while it is where it is; the caller keeps the pool as long. */
void lb_buf_use_pool(struct lb_buf *buf, struct lb_pool *pool);
void lb_buf_clear(struct lb_buf *buf); /* len 0 and status OK, memory kept */
/* Makes room for `more` bytes beyond len. */
void lb_buf_reserve(struct lb_buf *buf, size_t more);
void lb_buf_append(struct lb_buf *buf, const void *data, size_t len);
void lb_buf_append_str(struct lb_buf *buf, struct lb_str s);
void lb_buf_append_text(struct lb_buf *buf, const char *text);
void lb_buf_append_u8(struct lb_buf *buf, uint8_t value);
void lb_buf_append_be16(struct lb_buf *buf, uint16_t value);
void lb_buf_append_be32(struct lb_buf *buf, uint32_t value);
void lb_buf_append_be64(struct lb_buf *buf, uint64_t value);
void lb_buf_appendf(struct lb_buf *buf, const char *fmt, ...) LB_PRINTF(2, 3);
/* Uninitialised room for len bytes, counted as appended; NULL after an error. */
uint8_t *lb_buf_extend(struct lb_buf *buf, size_t len);
/* Appends a NUL that is not counted in len and returns the text, or NULL after an error.
 */
const char *lb_buf_text(struct lb_buf *buf);
/* The sticky status as an error: what names the thing that was being built. */
enum lb_status lb_buf_check(const struct lb_buf *buf, const char *what,
                            struct lb_error *err) LB_MUST_USE;
/* dst takes src's memory, but not its pool (dst is reset first); src is left empty. */
void lb_buf_move(struct lb_buf *dst, struct lb_buf *src);

#endif
