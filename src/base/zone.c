/* SPDX-License-Identifier: Apache-2.0 */
/* How a zone is read:
 *
 * 1. A name that is an offset needs no file. Any other is a path below one of the
 *    folders; it comes from a server, so only letters, digits and "_+-/" are let through.
 * 2. Of the file the second, 64-bit part counts. Its transitions become boundaries in
 *    local time: before one the offset before it holds, from it on the one after it. At a
 *    transition T from offset a to offset b that boundary is T + max(a, b): in an overlap
 *    (b < a) the earlier instant is taken, and in a gap (b > a) the offset before it.
 * 3. After the last transition the rule of the file's last line goes on for ever. The
 *    calendar repeats every 400 years (146,097 days, whole weeks), so 400 years are
 *    written out, and later times are looked up as many cycles earlier. */
#include "base/zone.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/os.h"

#define DAY_S 86400
#define CYCLE_YEARS 400
#define CYCLE_S ((int64_t)146097 * DAY_S)
#define HEADER_BYTES 44
/* Real zones have a few hundred transitions and a dozen types. */
#define TRANSITIONS_MAX 4096
#define TYPES_MAX 256
#define OFFSET_MAX_S (26 * 3600)
#define RULE_TIME_MAX_S (167 * 3600)
#define NAME_MAX_BYTES 64
/* Before any instant there is a name for; far from overflow. */
#define LOCAL_MIN (INT64_MIN / 4)
#define LOCAL_MAX (INT64_MAX / 4)
/* No real file changes its offset after this (year 33658). */
#define INSTANT_MAX INT64_C(1000000000000)

struct boundary {
  int64_t local_s; /* from here on ... */
  int64_t offset;  /* ... this holds */
};

struct lb_zone {
  char name[NAME_MAX_BYTES + 1];
  char said[NAME_MAX_BYTES + 1];
  int64_t first_offset; /* before the first boundary */
  bool cycles;          /* the last 400 years repeat */
  int32_t count;
  struct boundary boundaries[];
};

/* A day of the year on which the clock is changed: month, week and weekday, or a day's
 * number with or without February 29. */
struct rule {
  char kind; /* 'M', 'J' or 'N' */
  int32_t month, week, weekday;
  int32_t day;
  int64_t time_s;
};
struct footer {
  int64_t standard;
  int64_t summer;
  bool has_summer;
  struct rule start, end;
};

/* The calendar. */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

static bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to January 1 of a year. */
static int64_t year_days(int64_t year) {
  int64_t y = year - 1;
  return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

static int64_t year_of(int64_t seconds) {
  int64_t days = floor_div(seconds, DAY_S);
  int64_t year = 1970 + floor_div(days * 400, 146097);
  while (year_days(year) > days) year--;
  while (year_days(year + 1) <= days) year++;
  return year;
}

/* The second, in the local time that the rule is written in, at which it applies. */
static int64_t rule_second(const struct rule *rule, int64_t year) {
  static const int16_t before[13] = {0,   31,  59,  90,  120, 151, 181,
                                     212, 243, 273, 304, 334, 365};
  int64_t first = year_days(year);
  int64_t day = rule->day;
  if (rule->kind == 'J' && (!is_leap(year) || rule->day < 60)) day--;
  if (rule->kind == 'M') {
    int32_t leap = is_leap(year) && rule->month > 2 ? 1 : 0;
    int64_t start = before[rule->month - 1] + leap;
    int64_t end = before[rule->month] + (is_leap(year) && rule->month >= 2 ? 1 : 0);
    int64_t weekday = (first + start + 4) % 7; /* 1970-01-01 was a Thursday */
    if (weekday < 0) weekday += 7;
    day = start + (rule->weekday - weekday + 7) % 7 + 7 * ((int64_t)rule->week - 1);
    while (day >= end) day -= 7;
  }
  return (first + day) * DAY_S + rule->time_s;
}

/* Offsets as text. */

struct scan {
  const char *at;
  const char *end;
};

static bool accept(struct scan *in, char wanted) {
  if (in->at == in->end || *in->at != wanted) return false;
  in->at++;
  return true;
}

static bool number(struct scan *in, int max_digits, int32_t *out) {
  int count = 0;
  *out = 0;
  while (count < max_digits && in->at < in->end && *in->at >= '0' && *in->at <= '9') {
    *out = *out * 10 + (*in->at++ - '0');
    count++;
  }
  return count > 0;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool clock_time(struct scan *in, int hour_digits, int64_t *out) {
  int32_t hours;
  int32_t minutes = 0;
  int32_t seconds = 0;
  bool negative = accept(in, '-');
  if (!negative) accept(in, '+');
  if (!number(in, hour_digits, &hours)) return false;
  if (accept(in, ':') && !number(in, 2, &minutes)) return false;
  if (accept(in, ':') && !number(in, 2, &seconds)) return false;
  if (minutes > 59 || seconds > 59) return false;
  *out = (int64_t)hours * 3600 + minutes * 60 + seconds;
  if (negative) *out = -*out;
  return true;
}

/* The name of an offset, without UTC, GMT or UT before it. */
static bool offset_of_name(struct lb_str name, int64_t *out) {
  static const struct lb_str prefixes[] = {LB_STR("UTC"), LB_STR("GMT"), LB_STR("UT"),
                                           LB_STR("Z")};
  bool prefixed = false;
  for (size_t i = 0; i < LB_ARRAY_LEN(prefixes) && !prefixed; i++) {
    if (!lb_str_starts_with(name, prefixes[i])) continue;
    prefixed = true;
    name.data += prefixes[i].len;
    name.len -= prefixes[i].len;
  }
  *out = 0;
  if (name.len == 0) return prefixed;
  if (name.data[0] != '+' && name.data[0] != '-') return false;
  struct scan in = {name.data, name.data + name.len};
  return clock_time(&in, 2, out) && in.at == in.end && *out >= -18 * 3600 &&
         *out <= 18 * 3600;
}

static enum lb_status alloc_zone(struct lb_str name, int32_t count, struct lb_zone **out,
                                 struct lb_error *err) {
  size_t bytes = sizeof(struct lb_zone) + sizeof(struct boundary) * (size_t)count;
  struct lb_zone *zone = lb_alloc_zero(LB_MEM_MISC, bytes);
  if (zone == NULL) return lb_error_oom(err, "a time zone");
  lb_str_copy(zone->name, sizeof zone->name, name);
  lb_str_copy(zone->said, sizeof zone->said, name);
  *out = zone;
  return LB_OK;
}

static enum lb_status fixed_zone(struct lb_str said, int64_t offset, struct lb_zone **out,
                                 struct lb_error *err) {
  struct lb_zone *zone;
  LB_TRY(alloc_zone(said, 0, &zone, err));
  lb_str_copy(zone->name, sizeof zone->name, LB_STR("UTC"));
  zone->first_offset = offset;
  int64_t minutes = (offset < 0 ? -offset : offset) / 60;
  if (offset != 0 && offset % 60 == 0) {
    struct lb_buf text;
    lb_buf_init(&text, LB_MEM_MISC, NAME_MAX_BYTES);
    lb_buf_appendf(&text, "%c%02" PRId64 ":%02" PRId64, offset < 0 ? '-' : '+',
                   minutes / 60, minutes % 60);
    enum lb_status status = lb_buf_check(&text, "a time zone", err);
    if (status == LB_OK) {
      lb_str_copy(zone->name, sizeof zone->name,
                  (struct lb_str){(const char *)text.data, text.len});
    }
    lb_buf_reset(&text);
    if (status != LB_OK) {
      lb_zone_destroy(zone);
      return status;
    }
  }
  *out = zone;
  return LB_OK;
}

/* Step 3: the last line, as of POSIX's TZ: std offset [dst [offset] , start , end]. */

static bool abbreviation(struct scan *in) {
  const char *first = in->at;
  if (accept(in, '<')) {
    while (in->at < in->end && *in->at != '>') in->at++;
    return accept(in, '>');
  }
  while (in->at < in->end &&
         ((*in->at >= 'A' && *in->at <= 'Z') || (*in->at >= 'a' && *in->at <= 'z'))) {
    in->at++;
  }
  return in->at - first >= 3;
}

static bool read_rule(struct scan *in, struct rule *rule) {
  *rule = (struct rule){.kind = 'N', .time_s = 2 * 3600};
  if (!accept(in, ',')) return false;
  if (accept(in, 'M')) {
    rule->kind = 'M';
    bool read = number(in, 2, &rule->month) && accept(in, '.') &&
                number(in, 1, &rule->week) && accept(in, '.') &&
                number(in, 1, &rule->weekday);
    if (!read || rule->month < 1 || rule->month > 12 || rule->week < 1 ||
        rule->week > 5 || rule->weekday > 6) {
      return false;
    }
  } else {
    if (accept(in, 'J')) rule->kind = 'J';
    if (!number(in, 3, &rule->day) || rule->day > 365) return false;
    if (rule->kind == 'J' && rule->day < 1) return false;
  }
  if (!accept(in, '/')) return true;
  return clock_time(in, 3, &rule->time_s) && rule->time_s >= -RULE_TIME_MAX_S &&
         rule->time_s <= RULE_TIME_MAX_S;
}

static bool read_footer(struct scan *in, struct footer *out) {
  *out = (struct footer){0};
  if (!abbreviation(in) || !clock_time(in, 3, &out->standard)) return false;
  out->standard = -out->standard; /* POSIX counts to the west */
  if (in->at == in->end) return true;
  out->has_summer = true;
  out->summer = out->standard + 3600;
  if (!abbreviation(in)) return false;
  if (in->at < in->end && *in->at != ',') {
    if (!clock_time(in, 3, &out->summer)) return false;
    out->summer = -out->summer;
  }
  return read_rule(in, &out->start) && read_rule(in, &out->end) && in->at == in->end;
}

/* Step 2. */

static uint32_t be32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t be64(const uint8_t *at) {
  return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

struct part {
  uint32_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
  const uint8_t *body;
  size_t bytes;
};

/* A header and the data that it announces, with times of `width` bytes. */
static bool read_part(const uint8_t *data, size_t len, size_t width, struct part *out) {
  if (len < HEADER_BYTES || memcmp(data, "TZif", 4) != 0 || data[4] < '2') return false;
  *out = (struct part){.utc_count = be32(data + 20),
                       .standard_count = be32(data + 24),
                       .leap_count = be32(data + 28),
                       .time_count = be32(data + 32),
                       .type_count = be32(data + 36),
                       .char_count = be32(data + 40),
                       .body = data + HEADER_BYTES};
  if (out->utc_count > TYPES_MAX || out->standard_count > TYPES_MAX ||
      out->leap_count > TRANSITIONS_MAX || out->time_count > TRANSITIONS_MAX ||
      out->type_count > TYPES_MAX || out->char_count > TRANSITIONS_MAX) {
    return false;
  }
  out->bytes = out->time_count * (width + 1) + out->type_count * 6 + out->char_count +
               out->leap_count * (width + 4) + out->standard_count + out->utc_count;
  return out->bytes <= len - HEADER_BYTES;
}

static enum lb_status broken(struct lb_str name, struct lb_error *err) {
  return lb_error_set(err, LB_INVALID_DATA,
                      "the system's description of the time zone \"%.*s\" is damaged, or "
                      "in a form that is not read here; install tzdata anew",
                      (int)LB_MIN(name.len, NAME_MAX_BYTES), name.data);
}

/* Adds what holds from an instant on. Boundaries never go backwards. */
static void add_boundary(struct lb_zone *zone, int64_t instant, int64_t before,
                         int64_t after) {
  int64_t local_s = LB_MIN(LB_MAX(instant, LOCAL_MIN), LOCAL_MAX) + LB_MAX(before, after);
  if (zone->count > 0) {
    local_s = LB_MAX(local_s, zone->boundaries[zone->count - 1].local_s);
  }
  zone->boundaries[zone->count++] = (struct boundary){local_s, after};
}

static bool add_file(struct lb_zone *zone, const struct part *part, int64_t *last_s) {
  const uint8_t *kinds = part->body + (size_t)part->time_count * 8;
  const uint8_t *types = kinds + part->time_count;
  if (part->type_count == 0 || part->leap_count > 0) return false;
  for (uint32_t i = 0; i < part->type_count; i++) {
    int32_t offset = (int32_t)be32(types + (size_t)i * 6);
    if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S) return false;
  }
  zone->first_offset = (int32_t)be32(types);
  int64_t before = zone->first_offset;
  *last_s = LOCAL_MIN;
  for (uint32_t i = 0; i < part->time_count; i++) {
    int64_t instant = be64(part->body + (size_t)i * 8);
    if (kinds[i] >= part->type_count || instant < *last_s || instant > INSTANT_MAX) {
      return false;
    }
    int64_t after = (int32_t)be32(types + (size_t)kinds[i] * 6);
    *last_s = instant;
    add_boundary(zone, instant, before, after);
    before = after;
  }
  return true;
}

/* Step 3. The year in which the file's own transitions end is gone through again. */
static void add_cycle(struct lb_zone *zone, const struct footer *footer, int64_t last_s) {
  int64_t first_year = last_s <= LOCAL_MIN / 2 ? 1970 : year_of(last_s);
  for (int64_t year = first_year; year <= first_year + CYCLE_YEARS; year++) {
    int64_t start = rule_second(&footer->start, year) - footer->standard;
    int64_t end = rule_second(&footer->end, year) - footer->summer;
    for (int i = 0; i < 2; i++) {
      bool summer = (i == 0) == (start < end);
      int64_t instant = summer ? start : end;
      if (instant <= last_s) continue;
      add_boundary(zone, instant, summer ? footer->standard : footer->summer,
                   summer ? footer->summer : footer->standard);
    }
  }
  zone->cycles = true;
}

enum lb_status lb_zone_parse(struct lb_str name, const uint8_t *data, size_t len,
                             struct lb_zone **out, struct lb_error *err) {
  struct part first;
  struct part second;
  if (len > LB_ZONE_FILE_MAX || !read_part(data, len, 4, &first)) {
    return broken(name, err);
  }
  size_t skipped = HEADER_BYTES + first.bytes;
  if (!read_part(data + skipped, len - skipped, 8, &second)) return broken(name, err);
  const uint8_t *line = second.body + second.bytes;
  size_t left = len - (size_t)(line - data);
  if (left < 2 || line[0] != '\n') return broken(name, err);
  const uint8_t *line_end = memchr(line + 1, '\n', left - 1);
  if (line_end == NULL) return broken(name, err);

  struct footer footer = {0};
  struct scan in = {(const char *)line + 1, (const char *)line_end};
  bool has_footer = in.at < in.end;
  if (has_footer && !read_footer(&in, &footer)) return broken(name, err);
  int32_t count = (int32_t)second.time_count + 2 * (CYCLE_YEARS + 1);
  struct lb_zone *zone;
  LB_TRY(alloc_zone(name, count, &zone, err));
  int64_t last_s;
  if (!add_file(zone, &second, &last_s)) {
    lb_zone_destroy(zone);
    return broken(name, err);
  }
  if (footer.has_summer) add_cycle(zone, &footer, last_s);
  *out = zone;
  return LB_OK;
}

/* Step 1. */

static bool is_safe_name(struct lb_str name) {
  if (name.len == 0 || name.len > NAME_MAX_BYTES || name.data[0] == '/') return false;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';
    if (!word) return false;
  }
  return true;
}

static enum lb_status not_found(struct lb_str name, struct lb_error *err) {
  char shown[NAME_MAX_BYTES + 1];
  size_t len = lb_str_copy(shown, sizeof shown, name);
  lb_utf8_clean(shown, len);
  return lb_error_set(
      err, LB_NOT_FOUND,
      "the session's time zone is \"%s\", which this system does not know, so that its "
      "TIMESTAMPs cannot be read: install tzdata, or choose another zone with option "
      "databricks.session_conf.spark.sql.session.timeZone, such as UTC",
      shown);
}

static enum lb_status read_zone(struct lb_str name, const char *folder,
                                struct lb_buf *out, struct lb_error *err) {
  char path[256];
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_MISC, sizeof path - 1);
  lb_buf_append_text(&text, folder);
  lb_buf_append_u8(&text, '/');
  lb_buf_append_str(&text, name);
  enum lb_status status = lb_buf_check(&text, "a time zone", err);
  if (status == LB_OK) {
    lb_str_copy(path, sizeof path, (struct lb_str){(const char *)text.data, text.len});
    status = lb_os_read_file(path, out, err);
  }
  lb_buf_reset(&text);
  return status;
}

enum lb_status lb_zone_find(struct lb_str name, struct lb_zone **out,
                            struct lb_error *err) {
  static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                        "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};
  int64_t offset;
  if (offset_of_name(name, &offset)) return fixed_zone(name, offset, out, err);
  if (!is_safe_name(name)) return not_found(name, err);
  struct lb_buf file;
  lb_buf_init(&file, LB_MEM_MISC, LB_ZONE_FILE_MAX);
  enum lb_status status = LB_NOT_FOUND;
  for (size_t i = 0; i < LB_ARRAY_LEN(folders) && status == LB_NOT_FOUND; i++) {
    status = read_zone(name, folders[i], &file, err);
  }
  if (status == LB_OK) status = lb_zone_parse(name, file.data, file.len, out, err);
  if (status == LB_NOT_FOUND) status = not_found(name, err);
  lb_buf_reset(&file);
  return status;
}

void lb_zone_destroy(struct lb_zone *zone) { lb_free(zone); }

const char *lb_zone_name(const struct lb_zone *zone) { return zone->name; }

const char *lb_zone_said(const struct lb_zone *zone) { return zone->said; }

/* The boundaries around a time within what is written out. */
static void look_up(const struct lb_zone *zone, int64_t local_s,
                    struct lb_zone_hint *out) {
  int32_t low = 0;
  int32_t high = zone->count;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (zone->boundaries[middle].local_s <= local_s) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  out->offset = low == 0 ? zone->first_offset : zone->boundaries[low - 1].offset;
  out->from = low == 0 ? INT64_MIN : zone->boundaries[low - 1].local_s;
  out->until = low == zone->count ? INT64_MAX : zone->boundaries[low].local_s;
}

int64_t lb_zone_offset(const struct lb_zone *zone, int64_t local_s,
                       struct lb_zone_hint *hint) {
  if (local_s >= hint->from && local_s < hint->until) return hint->offset;
  local_s = LB_MIN(LB_MAX(local_s, LOCAL_MIN), LOCAL_MAX);
  int64_t last_s = zone->count > 0 ? zone->boundaries[zone->count - 1].local_s : 0;
  if (!zone->cycles || local_s < last_s) {
    look_up(zone, local_s, hint);
    return hint->offset;
  }
  int64_t cycles = (local_s - last_s) / CYCLE_S + 1;
  look_up(zone, local_s - cycles * CYCLE_S, hint);
  if (hint->from != INT64_MIN) hint->from += cycles * CYCLE_S;
  hint->until += cycles * CYCLE_S;
  return hint->offset;
}
