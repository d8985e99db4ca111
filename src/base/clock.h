/* SPDX-License-Identifier: Apache-2.0 */
/* Time as integers with the unit in the name. `now_ms` everywhere means milliseconds of
 * CLOCK_BOOTTIME, which goes on while the machine sleeps; it is never wall-clock time.
 * Schedulers take it as an argument; only the loop that drives them owns a clock. */
#ifndef LB_BASE_CLOCK_H
#define LB_BASE_CLOCK_H

#include "base/base.h"

#define LB_NEVER_MS INT64_MAX

struct lb_clock {
  int64_t (*now_ms)(void *ctx);   /* boot time; never decreases */
  int64_t (*awake_ms)(void *ctx); /* as now_ms, but stands still while suspended */
  int64_t (*wall_ms)(void *ctx);  /* since 1970-01-01 UTC, for dates in headers only */
  void *ctx;
};
/* The machine's clocks. */
extern const struct lb_clock lb_clock_system;

/* a + b that stops at LB_NEVER_MS; b >= 0. */
static inline int64_t lb_ms_add(int64_t a_ms, int64_t b_ms) {
  int64_t sum;
  return __builtin_add_overflow(a_ms, b_ms, &sum) ? LB_NEVER_MS : sum;
}

/* A moment in UTC, proleptic Gregorian calendar. */
struct lb_date {
  int32_t year;  /* 0 = 1 BC */
  int32_t month; /* 1-12 */
  int32_t day;   /* 1-31 */
  int32_t hour;
  int32_t minute;
  int32_t second;
  int32_t ms;
};
/* wall_ms within the years 0 to 9999; beyond, the nearest end. */
struct lb_date lb_date_from_wall_ms(int64_t wall_ms);
/* The fields must be in range; a second of 60 counts as the next minute's 0. */
int64_t lb_date_to_wall_ms(const struct lb_date *date);

/* An HTTP date (RFC 9110 IMF-fixdate, also the obsolete forms) to ms since 1970 UTC. */
bool lb_http_date_parse(const char *text, size_t len, int64_t *wall_ms);

#endif
