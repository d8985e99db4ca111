/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for files of time zones: whatever is read as a zone has an offset of
 * hours at every local time, the same one with and without a hint. */
#include "base/zone.h"

/* As zone.c has it, and an hour for the rule's own offsets. */
#define OFFSET_MAX_S ((int64_t)1000 * 3600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static void look(const struct lb_zone *zone, int64_t local_s, struct lb_zone_hint *hint) {
  struct lb_zone_hint fresh = {0};
  int64_t offset = lb_zone_offset(zone, local_s, &fresh);
  require(offset >= -OFFSET_MAX_S && offset <= OFFSET_MAX_S);
  require(lb_zone_offset(zone, local_s, hint) == offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int64_t years[] = {-62135596800, -2208988800, 0,           951782400,
                                  1711846800,   4102444800,  32503680000, 253402300799};
  struct lb_error err = LB_ERROR_INIT;
  struct lb_zone *zone = NULL;
  if (lb_zone_parse(LB_STR("Test/Zone"), data, size, &zone, &err) != LB_OK) {
    require(err.message[0] != '\0');
    return 0;
  }
  struct lb_zone_hint hint = {0};
  for (size_t i = 0; i < LB_ARRAY_LEN(years); i++) {
    for (int64_t day = 0; day < 366; day += 61) look(zone, years[i] + day * 86400, &hint);
  }
  look(zone, INT64_MIN, &hint);
  look(zone, INT64_MAX, &hint);
  lb_zone_destroy(zone);
  return 0;
}
