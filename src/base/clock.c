/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/os.h"
#include "base/str.h"

static int64_t system_now_ms(void *ctx) {
  (void)ctx;
  return lb_os_boottime_ms();
}

static int64_t system_awake_ms(void *ctx) {
  (void)ctx;
  return lb_os_monotonic_ms();
}

static int64_t system_wall_ms(void *ctx) {
  (void)ctx;
  return lb_os_wall_ms();
}

const struct lb_clock lb_clock_system = {
    .now_ms = system_now_ms, .awake_ms = system_awake_ms, .wall_ms = system_wall_ms};

#define MS_PER_DAY INT64_C(86400000)
/* 1 March of year 0 to 1 January 1970. */
#define EPOCH_DAYS 719468
#define DAYS_PER_400_YEARS 146097
#define YEAR_0_MS (INT64_C(-719528) * MS_PER_DAY)
#define YEAR_10000_MS (INT64_C(2932897) * MS_PER_DAY)

/* Days from 1970-01-01. The year is taken to begin in March: then the leap day comes last
 * and month lengths follow one line, (153 * month + 2) / 5. */
static int64_t days_of(const struct lb_date *date) {
  int64_t shift = date->month <= 2 ? 1 : 0;
  int64_t month = date->month + 12 * shift - 3; /* 0 = March */
  int64_t year = date->year - shift + 400;      /* never negative */
  int64_t leap_days = year / 4 - year / 100 + year / 400;
  int64_t days = 365 * year + leap_days + (153 * month + 2) / 5 + date->day - 1;
  return days - DAYS_PER_400_YEARS - EPOCH_DAYS;
}

struct lb_date lb_date_from_wall_ms(int64_t wall_ms) {
  wall_ms = LB_MAX(LB_MIN(wall_ms, YEAR_10000_MS - 1), YEAR_0_MS);
  /* From 1 March of the year -400, so that nothing is negative. */
  int64_t since_ms = wall_ms + (EPOCH_DAYS + DAYS_PER_400_YEARS) * MS_PER_DAY;
  int64_t days = since_ms / MS_PER_DAY;
  int64_t day = days % DAYS_PER_400_YEARS;
  int64_t century = LB_MIN(day / 36524, 3);
  day -= century * 36524;
  int64_t four = day / 1461;
  day -= four * 1461;
  int64_t single = LB_MIN(day / 365, 3);
  day -= single * 365;
  int64_t month = (5 * day + 2) / 153; /* 0 = March */
  int64_t year =
      days / DAYS_PER_400_YEARS * 400 + century * 100 + four * 4 + single - 400;
  int64_t ms = since_ms % MS_PER_DAY;
  return (struct lb_date){.year = (int32_t)(month < 10 ? year : year + 1),
                          .month = (int32_t)(month < 10 ? month + 3 : month - 9),
                          .day = (int32_t)(day - (153 * month + 2) / 5 + 1),
                          .hour = (int32_t)(ms / 3600000),
                          .minute = (int32_t)(ms / 60000 % 60),
                          .second = (int32_t)(ms / 1000 % 60),
                          .ms = (int32_t)(ms % 1000)};
}

int64_t lb_date_to_wall_ms(const struct lb_date *date) {
  int64_t seconds = (date->hour * INT64_C(60) + date->minute) * 60 + date->second;
  return days_of(date) * MS_PER_DAY + seconds * 1000 + date->ms;
}

/* What is left of a date text. Reads after a mismatch do nothing; `bad` is asked once. */
struct scan {
  struct lb_str left;
  bool bad;
};

static void skip(struct scan *scan, struct lb_str text) {
  if (!lb_str_starts_with(scan->left, text)) {
    scan->bad = true;
    return;
  }
  scan->left.data += text.len;
  scan->left.len -= text.len;
}

/* One of the names; its index, from 0. */
static int32_t name_of(struct scan *scan, const char *const *names, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    struct lb_str name = lb_str_from(names[i]);
    if (!lb_str_starts_with(scan->left, name)) continue;
    skip(scan, name);
    return i;
  }
  scan->bad = true;
  return 0;
}

/* A number of exactly so many digits. */
static int32_t number(struct scan *scan, size_t digits) {
  int32_t value = 0;
  if (scan->left.len < digits) scan->bad = true;
  for (size_t i = 0; i < digits && !scan->bad; i++) {
    char c = scan->left.data[i];
    if (c < '0' || c > '9') scan->bad = true;
    value = value * 10 + (c - '0');
  }
  if (scan->bad) return 0;
  scan->left.data += digits;
  scan->left.len -= digits;
  return value;
}

static int32_t month_name(struct scan *scan) {
  static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return name_of(scan, names, LB_ARRAY_LEN(names)) + 1;
}

static void time_of_day(struct scan *scan, struct lb_date *date) {
  date->hour = number(scan, 2);
  skip(scan, LB_STR(":"));
  date->minute = number(scan, 2);
  skip(scan, LB_STR(":"));
  date->second = number(scan, 2);
}

/* "06 Nov 1994 08:49:37 GMT", what follows "Sun, ". */
static void fixed_date(struct scan *scan, struct lb_date *date) {
  date->day = number(scan, 2);
  skip(scan, LB_STR(" "));
  date->month = month_name(scan);
  skip(scan, LB_STR(" "));
  date->year = number(scan, 4);
  skip(scan, LB_STR(" "));
  time_of_day(scan, date);
  skip(scan, LB_STR(" GMT"));
}

/* RFC 9110: two digits that would lie more than 50 years ahead mean the past century. */
static int32_t full_year(int32_t two_digits) {
  int32_t this_year = lb_date_from_wall_ms(lb_os_wall_ms()).year;
  int32_t year = this_year - this_year % 100 + two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

/* "06-Nov-94 08:49:37 GMT", what follows "Sunday, ". */
static void rfc850_date(struct scan *scan, struct lb_date *date) {
  date->day = number(scan, 2);
  skip(scan, LB_STR("-"));
  date->month = month_name(scan);
  skip(scan, LB_STR("-"));
  date->year = full_year(number(scan, 2));
  skip(scan, LB_STR(" "));
  time_of_day(scan, date);
  skip(scan, LB_STR(" GMT"));
}

/* "Nov  6 08:49:37 1994", what follows "Sun ". */
static void asctime_date(struct scan *scan, struct lb_date *date) {
  date->month = month_name(scan);
  skip(scan, LB_STR(" "));
  if (lb_str_starts_with(scan->left, LB_STR(" "))) {
    skip(scan, LB_STR(" "));
    date->day = number(scan, 1);
  } else {
    date->day = number(scan, 2);
  }
  skip(scan, LB_STR(" "));
  time_of_day(scan, date);
  skip(scan, LB_STR(" "));
  date->year = number(scan, 4);
}

static bool in_range(const struct lb_date *date) {
  if (date->hour > 23 || date->minute > 59 || date->second > 60 || date->day < 1)
    return false;
  struct lb_date first = {.year = date->year, .month = date->month, .day = 1};
  struct lb_date next = first;
  if (first.month == 12) next.year++;
  next.month = first.month % 12 + 1;
  return date->day <= days_of(&next) - days_of(&first);
}

bool lb_http_date_parse(const char *text, size_t len, int64_t *wall_ms) {
  /* Long names first: "Sun" begins "Sunday" too. */
  static const char *const days[] = {
      "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
      "Mon",    "Tue",     "Wed",       "Thu",      "Fri",    "Sat",      "Sun"};
  const int32_t long_names = 7;
  struct scan scan = {.left = lb_str_trim((struct lb_str){text, len})};
  struct lb_date date = {0};
  int32_t day_name = name_of(&scan, days, LB_ARRAY_LEN(days));
  if (scan.bad) return false;
  if (day_name < long_names) {
    skip(&scan, LB_STR(", "));
    rfc850_date(&scan, &date);
  } else if (lb_str_starts_with(scan.left, LB_STR(","))) {
    skip(&scan, LB_STR(", "));
    fixed_date(&scan, &date);
  } else {
    skip(&scan, LB_STR(" "));
    asctime_date(&scan, &date);
  }
  if (scan.bad || scan.left.len > 0 || !in_range(&date)) return false;
  *wall_ms = lb_date_to_wall_ms(&date);
  return true;
}
