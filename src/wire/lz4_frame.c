/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz4_frame.h"

#include <inttypes.h>

#define FLAG_BLOCK_CHECKSUM 0x10
#define FLAG_CONTENT_SIZE 0x08
#define FLAG_CONTENT_CHECKSUM 0x04
#define FLAG_DICTIONARY 0x01
#define CHECKSUM_BYTES ((size_t)4)
#define CONTENT_SIZE_BYTES ((size_t)8)
#define HEADER_CHECKSUM_BYTES ((size_t)1) /* which liblz4 verifies */

enum lb_status lb_lz4_frame_read(const uint8_t descriptor[2], struct lb_lz4_frame *out,
                                 struct lb_error *err) {
  static const size_t block_sizes[8] = {0,         0,          0,        0,
                                        64u << 10, 256u << 10, 1u << 20, 4u << 20};
  uint8_t flags = descriptor[0];
  size_t block_max = block_sizes[(descriptor[1] >> 4) & 7];
  if (flags >> 6 != 1 || block_max == 0) {
    return lb_error_set(err, LB_PROTOCOL,
                        "an LZ4 frame has unknown flags 0x%02X or block size 0x%02X",
                        flags, descriptor[1]);
  }
  if ((flags & FLAG_DICTIONARY) != 0) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "an LZ4 frame needs a dictionary, which results never have");
  }
  *out = (struct lb_lz4_frame){
      .block_max = block_max,
      .rest_bytes = ((flags & FLAG_CONTENT_SIZE) != 0 ? CONTENT_SIZE_BYTES : 0) +
                    HEADER_CHECKSUM_BYTES,
      .block_sum_bytes = (flags & FLAG_BLOCK_CHECKSUM) != 0 ? CHECKSUM_BYTES : 0,
      .content_sum_bytes = (flags & FLAG_CONTENT_CHECKSUM) != 0 ? CHECKSUM_BYTES : 0,
  };
  return LB_OK;
}

enum lb_status lb_lz4_block_check(const struct lb_lz4_frame *frame, size_t bytes,
                                  uint64_t offset, struct lb_error *err) {
  if (bytes <= frame->block_max) return LB_OK;
  return lb_error_set(err, LB_PROTOCOL,
                      "an LZ4 block at offset %" PRIu64
                      " has %zu bytes, its frame allows %zu",
                      offset, bytes, frame->block_max);
}

enum lb_status lb_lz4_no_frame(uint64_t offset, struct lb_error *err) {
  return lb_error_set(err, LB_PROTOCOL, "no LZ4 frame begins at offset %" PRIu64, offset);
}
