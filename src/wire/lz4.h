/* SPDX-License-Identifier: Apache-2.0 */
/* LZ4 frames to bytes: whole bodies of one or more concatenated frames, with or without
 * checksums and content sizes, linked or independent blocks, skippable frames.
 *
 * lb_lz4_measure walks the block headers without decompressing anything; it finds
 * truncated frames and trailing garbage, and says how much room decompression needs. A
 * context belongs to one thread at a time and is used again and again. */
#ifndef LB_WIRE_LZ4_H
#define LB_WIRE_LZ4_H

#include "base/error.h"
#include "base/str.h"

/* 2 GiB: Arrow's 32-bit offsets reach no farther within a column. */
#define LB_LZ4_MAX_RAW_BYTES (INT64_C(1) << 31)
/* Room that decompression wants behind the last byte: one largest block. With less,
 * liblz4 decodes into a buffer of its own and copies. */
#define LB_LZ4_SLACK_BYTES ((size_t)4 << 20)

struct lb_lz4;
enum lb_status lb_lz4_create(struct lb_lz4 **out, struct lb_error *err) LB_MUST_USE;
void lb_lz4_destroy(struct lb_lz4 *lz4);

/* *bound is at least the decompressed size, but never more than max_raw_bytes; no byte of
 * src counts for more than 255. For small blocks it is the very size. */
enum lb_status lb_lz4_measure(struct lb_str src, size_t max_raw_bytes, size_t *bound,
                              struct lb_error *err) LB_MUST_USE;
/* The first `bytes` of the decompressed data without decompressing, if they happen to
 * stand in clear at the head of the first block, as bytes that do not repeat always do.
 * False if not. */
bool lb_lz4_peek(struct lb_str src, uint8_t *out, size_t bytes);
/* Decompresses all of src, which must end with the end of a frame. More than dst_bytes is
 * an error. */
enum lb_status lb_lz4_decode(struct lb_lz4 *lz4, struct lb_str src, uint8_t *dst,
                             size_t dst_bytes, size_t *raw_bytes,
                             struct lb_error *err) LB_MUST_USE;

/* Decompression in steps, for bodies that come in pieces. restart begins a new body. */
void lb_lz4_restart(struct lb_lz4 *lz4);
/* Takes at most one block from *src and moves it on; *raw_bytes were written to dst. The
 * last 64 KiB written must stay where they are until as much has been written elsewhere.
 * With less room than lb_lz4_room says, bytes are held back for the next step, which may
 * have no src. False in *more when nothing is held back and src is used up. */
enum lb_status lb_lz4_step(struct lb_lz4 *lz4, struct lb_str *src, uint8_t *dst,
                           size_t dst_bytes, size_t *raw_bytes, bool *more,
                           struct lb_error *err) LB_MUST_USE;
/* Room that spares the next step a copy. */
size_t lb_lz4_room(const struct lb_lz4 *lz4);
/* Nothing of the body has been taken. */
bool lb_lz4_begins(const struct lb_lz4 *lz4);
/* At the end of a frame. */
bool lb_lz4_complete(const struct lb_lz4 *lz4);

#endif
