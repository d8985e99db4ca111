/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the arrays that we hand out, and the making of them.
 *
 * A body is one block of bytes, of the heap or of a pool, counted by references; buffers
 * of arrays point into it.
 * An array tree is one more block that holds all its nodes and a reference to its bodies.
 * Releasing a tree, or any child that was moved out of it, is a few atomic decrements and
 * at most three lb_free or returns to a pool: no lock, no message, any thread, at any
 * time. A body is written by its creator alone, and never where a published array is. */
#ifndef LB_WIRE_ARROW_ARRAY_H
#define LB_WIRE_ARROW_ARRAY_H

#include "base/error.h"
#include "base/pool.h"
#include "nanoarrow/nanoarrow.h"

#define LB_ARROW_ALIGN_BYTES 64

struct lb_arrow_body {
  int32_t refs; /* atomic */
  size_t len;   /* bytes that buffers may point into; 64 more can be read */
  size_t cap;
  uint8_t *data;
  struct lb_block *block; /* whose memory it is; NULL: it is behind this */
};

/* Room for cap bytes that starts `phase` bytes behind a 64-byte boundary; len is 0. */
enum lb_status lb_arrow_body_create(size_t cap, size_t phase, struct lb_arrow_body **out,
                                    struct lb_error *err) LB_MUST_USE;
/* The same in a block of the pool, of at least so many bytes: cap is what that has. */
enum lb_status lb_arrow_body_take(struct lb_pool *pool, enum lb_block_kind kind,
                                  size_t at_least, size_t phase,
                                  struct lb_arrow_body **out,
                                  struct lb_error *err) LB_MUST_USE;
/* Sets len (<= cap) and gives back what lies behind if that is much and not of a pool's
 * block; moves the body at most to an address of the same alignment modulo 16. Only while
 * the creator's reference is the only one. */
void lb_arrow_body_trim(struct lb_arrow_body **body, size_t len);
void lb_arrow_body_release(struct lb_arrow_body *body); /* NULL allowed */

/* One array of a tree. Trees are lists of nodes, parents before their children. */
struct lb_arrow_node {
  int64_t length;
  int64_t null_count; /* -1 unknown */
  int32_t buffer_count;
  int32_t child_count;
  const void *buffers[NANOARROW_MAX_FIXED_BUFFERS];
};

/* Buffers of nodes point into body, extra (NULL allowed) or constant memory; each is
 * retained for the tree. Buffers other than validity must not be NULL. */
enum lb_status lb_arrow_publish(const struct lb_arrow_node *nodes, int32_t node_count,
                                struct lb_arrow_body *body, struct lb_arrow_body *extra,
                                struct ArrowArray *out, struct lb_error *err) LB_MUST_USE;

/* 64 zero bytes, for buffers of empty arrays. */
extern const uint8_t lb_arrow_zeros[LB_ARROW_ALIGN_BYTES];

#endif
