/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the framing of an LZ4 body as it arrives, without decompressing and without
 * keeping any of it, so that the body can be cut where a decoder loses nothing. Judges
 * as lb_lz4_measure does, wherever the data is split. Checksums are the decoder's
 * business. Caller's memory, one thread at a time. */
#ifndef LB_WIRE_LZ4_SCAN_H
#define LB_WIRE_LZ4_SCAN_H

#include "base/error.h"
#include "wire/lz4_frame.h"

struct lb_lz4_scan {
  int state;
  uint64_t want; /* bytes until the state is done */
  uint8_t head[LB_LZ4_HEAD_BYTES];
  size_t head_len; /* bytes of the state that are kept in head */
  struct lb_lz4_frame frame;
  uint64_t pos;       /* bytes seen */
  uint64_t cut;       /* the last place where a piece may end */
  uint64_t ahead_end; /* where what belongs together ends; at most cut: not known */
  bool any;           /* a frame has ended */
};
void lb_lz4_scan_init(struct lb_lz4_scan *scan);

/* Looks at the next len bytes. *cut (from the start of this data, 0 .. len) is the last
 * place in it where a piece may end: a block or frame has ended there; 0 when there is
 * none. *ahead: bytes from the last such place on, be it in this data or before, that
 * belong together, as the next block with its size and checksum does; 0 while that is
 * not known. A failure is final: init before the next use. */
enum lb_status lb_lz4_scan_feed(struct lb_lz4_scan *scan, const uint8_t *data, size_t len,
                                size_t *cut, size_t *ahead,
                                struct lb_error *err) LB_MUST_USE;
/* A frame has ended and no other has begun. */
bool lb_lz4_scan_complete(const struct lb_lz4_scan *scan);

#endif
