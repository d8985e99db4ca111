/* SPDX-License-Identifier: Apache-2.0 */
/* Local times of a time zone as instants. Servers print TIMESTAMP in the session's
 * zone and do not show it; the rules come from the system's time zone database (TZif),
 * as for every program that uses libc, whose own functions know one zone a process.
 *
 * A zone is immutable once it is found: any thread may use it. */
#ifndef LB_BASE_ZONE_H
#define LB_BASE_ZONE_H

#include "base/error.h"
#include "base/str.h"

struct lb_zone;

/* Names: a region ("Europe/Berlin", "UTC"), or an offset as servers write it ("Z",
 * "+02:00", "-8", "UTC+5:30", "GMT+01:00:30"). LB_NOT_FOUND names the remedy when the
 * system has no such zone. */
enum lb_status lb_zone_find(struct lb_str name, struct lb_zone **out,
                            struct lb_error *err) LB_MUST_USE;
/* The bytes of a TZif file of version 2 or newer, RFC 8536; at most ZONE_FILE_MAX. */
#define LB_ZONE_FILE_MAX ((size_t)1 << 20)
enum lb_status lb_zone_parse(struct lb_str name, const uint8_t *data, size_t len,
                             struct lb_zone **out, struct lb_error *err) LB_MUST_USE;
void lb_zone_destroy(struct lb_zone *zone);

/* As Arrow wants it: the region, or "+HH:MM"; "UTC" for an offset that Arrow cannot name.
 * Belongs to the zone. */
const char *lb_zone_name(const struct lb_zone *zone);
/* As it was asked for. */
const char *lb_zone_said(const struct lb_zone *zone);

/* Where the last lookup ended; zeroed before the first one. Times of a column lie close
 * together, so most lookups are two comparisons. */
struct lb_zone_hint {
  int64_t from; /* local seconds [from, until) are `offset` east of UTC */
  int64_t until;
  int64_t offset;
};
/* Seconds east of UTC at a local time, in seconds since its 1970-01-01 00:00. A local
 * time that there was twice is taken as the earlier instant; one that was left out keeps
 * the offset before the gap, so that it moves on by the gap's length. */
int64_t lb_zone_offset(const struct lb_zone *zone, int64_t local_s,
                       struct lb_zone_hint *hint);

#endif
