/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for the framing of LZ4 bodies as they arrive: wherever the data is
 * split, the verdict is that of lb_lz4_measure on all of it, and the places where it may
 * be cut are the same. The first byte says how to split. */
#include "base/alloc.h"
#include "wire/lz4.h"
#include "wire/lz4_scan.h"

#define MAX_PLACES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct places {
  size_t at[MAX_PLACES];
  size_t count;
};

/* With `all`, each place is noted; else each that is told is one of them. */
static enum lb_status scan(const uint8_t *data, size_t len, size_t step, bool *whole,
                           bool all, struct places *places) {
  struct lb_lz4_scan at;
  struct lb_error err = LB_ERROR_INIT;
  lb_lz4_scan_init(&at);
  *whole = false;
  for (size_t pos = 0; pos < len;) {
    size_t cut = SIZE_MAX, ahead = SIZE_MAX;
    size_t part = LB_MIN(step, len - pos);
    enum lb_status status = lb_lz4_scan_feed(&at, data + pos, part, &cut, &ahead, &err);
    if (status != LB_OK) {
      require(err.message[0] != '\0' && err.status == status);
      return status;
    }
    require(cut <= part);
    bool known = cut == 0;
    if (all && cut > 0 && places->count < MAX_PLACES) {
      places->at[places->count++] = pos + cut;
    }
    for (size_t i = 0; i < places->count; i++) known |= places->at[i] == pos + cut;
    require(known || places->count == MAX_PLACES);
    pos += part;
  }
  *whole = lb_lz4_scan_complete(&at);
  return LB_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct lb_str src = {(const char *)data + 1, size - 1};
  struct lb_error err = LB_ERROR_INIT;
  struct places places = {.count = 0};
  size_t bound;
  bool whole_of[3];
  enum lb_status status[3];
  size_t steps[3] = {1, (size_t)data[0] + 1, SIZE_MAX};
  enum lb_status measured = lb_lz4_measure(src, SIZE_MAX, &bound, &err);
  for (int i = 0; i < 3; i++) {
    status[i] = scan(data + 1, size - 1, steps[i], &whole_of[i], i == 0, &places);
    require(status[i] == status[0] && whole_of[i] == whole_of[0]);
  }
  if (measured == LB_OK) require(status[0] == LB_OK && whole_of[0]);
  if (measured != LB_OK) require(status[0] == measured || !whole_of[0]);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
