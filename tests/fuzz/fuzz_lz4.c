/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for LZ4 frames: what is measured has room for what is decompressed, and
 * what can be seen in clear is what decompression gives. The first byte is the limit. */
#include "base/alloc.h"
#include "wire/lz4.h"

#define PEEK_BYTES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static void decode(struct lb_lz4 *lz4, struct lb_str src, size_t bound) {
  struct lb_error err = LB_ERROR_INIT;
  uint8_t head[PEEK_BYTES];
  size_t raw = 0;
  uint8_t *dst = lb_alloc(LB_MEM_MISC, bound);
  require(dst != NULL);
  /* Twice: a context is used again, also after a failure. */
  enum lb_status first = lb_lz4_decode(lz4, src, dst, bound, &raw, &err);
  require(first == LB_OK || err.message[0] != '\0');
  size_t raw_first = raw;
  enum lb_status second = lb_lz4_decode(lz4, src, dst, bound, &raw, &err);
  require(first == second);
  if (first == LB_OK) {
    require(raw <= bound && raw == raw_first);
    if (lb_lz4_peek(src, head, sizeof(head))) {
      require(raw >= sizeof(head) && memcmp(head, dst, sizeof(head)) == 0);
    }
  }
  lb_free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct lb_str src = {(const char *)data + 1, size - 1};
  size_t limit = (size_t)1 << (data[0] % 21);
  struct lb_error err = LB_ERROR_INIT;
  struct lb_lz4 *lz4 = NULL;
  size_t bound = 0;
  require(lb_lz4_create(&lz4, &err) == LB_OK);
  enum lb_status status = lb_lz4_measure(src, limit, &bound, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status == LB_OK) {
    require(bound <= limit);
    decode(lz4, src, bound);
  }
  lb_lz4_destroy(lz4);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
