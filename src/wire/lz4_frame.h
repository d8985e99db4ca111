/* SPDX-License-Identifier: Apache-2.0 */
/* What the frames of LZ4 look like, for those that walk over them: descriptors and block
 * sizes. No state. */
#ifndef LB_WIRE_LZ4_FRAME_H
#define LB_WIRE_LZ4_FRAME_H

#include "base/error.h"

/* The longest head of anything in a body: magic number or size, before what it leads. */
#define LB_LZ4_HEAD_BYTES 4
#define LB_LZ4_MAGIC UINT32_C(0x184D2204)
#define LB_LZ4_MAGIC_SKIPPABLE UINT32_C(0x184D2A50) /* and the 15 that follow */
#define LB_LZ4_PLAIN_BLOCK UINT32_C(0x80000000)     /* flag in a block's size */

/* A frame as its descriptor has it. */
struct lb_lz4_frame {
  size_t block_max;         /* bytes of a block, compressed or not */
  size_t rest_bytes;        /* of the descriptor behind its first two bytes */
  size_t block_sum_bytes;   /* checksum behind each block */
  size_t content_sum_bytes; /* checksum behind the end mark */
};
/* From the two bytes behind the magic number. */
enum lb_status lb_lz4_frame_read(const uint8_t descriptor[2], struct lb_lz4_frame *out,
                                 struct lb_error *err) LB_MUST_USE;

/* That a block of so many bytes fits into its frame; offset is for the error. */
enum lb_status lb_lz4_block_check(const struct lb_lz4_frame *frame, size_t bytes,
                                  uint64_t offset, struct lb_error *err) LB_MUST_USE;
/* The error for bytes that begin no frame. */
enum lb_status lb_lz4_no_frame(uint64_t offset, struct lb_error *err) LB_MUST_USE;

static inline uint32_t lb_lz4_load_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
         (uint32_t)at[3] << 24;
}
static inline bool lb_lz4_is_skippable(uint32_t magic) {
  return (magic & ~UINT32_C(15)) == LB_LZ4_MAGIC_SKIPPABLE;
}

#endif
