/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/text_values.h"

#include <math.h>
#include <stdio.h>

#define SECONDS_A_DAY 86400
#define MICROS_A_SECOND 1000000
#define YEAR_MAX_DIGITS 7
#define DECIMAL_MAX_DIGITS 38
/* Exponents beyond this are all alike: the value is 0, too large or too fine. */
#define EXPONENT_MAX 100000

/* A cursor over the text; at the end peek gives -1. */
struct scan {
  const char *at;
  const char *end;
};

static int peek(const struct scan *in) {
  return in->at < in->end ? (unsigned char)*in->at : -1;
}

static bool accept(struct scan *in, char wanted) {
  if (peek(in) != wanted) return false;
  in->at++;
  return true;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

/* At most max digits; how many there were. */
static int digits(struct scan *in, int max, int32_t *out) {
  int count = 0;
  int32_t value = 0;
  while (count < max && is_digit(peek(in))) {
    value = value * 10 + (*in->at++ - '0');
    count++;
  }
  *out = value;
  return count;
}

static bool two_digits(struct scan *in, int32_t *out) { return digits(in, 2, out) == 2; }

static bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int32_t month_days(int64_t year, int32_t month) {
  static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/* Years begin in March here, so that the leap day is the last of its year: the days
 * before a month are then (153 m + 2) / 5 for m = 0 (March) to 11. */
static int64_t days_of(int64_t year, int32_t month, int32_t day) {
  int64_t y = month <= 2 ? year - 1 : year;
  int64_t m = month <= 2 ? month + 9 : month - 3;
  int64_t leap_days = floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400);
  /* 719468 days lie between 0000-03-01 and 1970-01-01. */
  return y * 365 + leap_days + (153 * m + 2) / 5 + day - 1 - 719468;
}

static enum lb_text_result date(struct scan *in, int64_t *days) {
  int32_t year;
  int32_t month;
  int32_t day;
  bool negative = accept(in, '-');
  if (!negative) accept(in, '+');
  if (digits(in, YEAR_MAX_DIGITS, &year) < 4) return LB_TEXT_MALFORMED;
  if (is_digit(peek(in))) return LB_TEXT_RANGE;
  if (!accept(in, '-') || !two_digits(in, &month)) return LB_TEXT_MALFORMED;
  if (!accept(in, '-') || !two_digits(in, &day)) return LB_TEXT_MALFORMED;
  int64_t signed_year = negative ? -(int64_t)year : year;
  if (month < 1 || month > 12) return LB_TEXT_MALFORMED;
  if (day < 1 || day > month_days(signed_year, month)) return LB_TEXT_MALFORMED;
  *days = days_of(signed_year, month, day);
  return LB_TEXT_OK;
}

static struct scan scan_of(struct lb_str text) {
  text = lb_str_trim(text);
  return (struct scan){text.data, text.data + text.len};
}

static uint64_t pair(const char *at) {
  return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[1] << 8;
}

/* days_of for years of four digits, in 32 bits: 400 years are 146097 days. */
static int32_t days_of_plain(uint32_t year, uint32_t month, uint32_t day) {
  uint32_t y = year + 400 - (month <= 2);
  uint32_t m = month <= 2 ? month + 9 : month - 3;
  uint32_t century = y / 100;
  uint32_t days = y * 365 + y / 4 - century + century / 4 + (153 * m + 2) / 5 + day;
  return (int32_t)days - 1 - 719468 - 146097;
}

/* The common form, YYYY-MM-DD: eight digits in one word. False: look closer. */
static bool plain_date(struct lb_str text, int32_t *days) {
  const char *at = text.data;
  if (text.len != 10 || at[4] != '-' || at[7] != '-') return false;
  uint64_t v = pair(at) | pair(at + 2) << 16 | pair(at + 5) << 32 | pair(at + 8) << 48;
  v ^= UINT64_C(0x3030303030303030);
  /* 9 + 0x76 is 0x7F. A carry comes from a byte that has its high bit set already. */
  uint64_t high = (v + UINT64_C(0x7676767676767676)) | v;
  if ((high & UINT64_C(0x8080808080808080)) != 0) return false;
  v = v * 10 + (v >> 8); /* each pair's number, in the lower byte of the two */
  uint32_t year = (uint32_t)((v & 0xFF) * 100 + (v >> 16 & 0xFF));
  uint32_t month = (uint32_t)(v >> 32 & 0xFF);
  uint32_t day = (uint32_t)(v >> 48 & 0xFF);
  if (month < 1 || month > 12 || day < 1) return false;
  if (day > 28 && day > (uint32_t)month_days(year, (int32_t)month)) return false;
  *days = days_of_plain(year, month, day);
  return true;
}

enum lb_text_result lb_text_to_date32(struct lb_str text, int32_t *out) {
  if (plain_date(text, out)) return LB_TEXT_OK;
  int64_t days;
  struct scan in = scan_of(text);
  enum lb_text_result result = date(&in, &days);
  if (result != LB_TEXT_OK) return result;
  if (in.at != in.end) return LB_TEXT_MALFORMED;
  if (days < INT32_MIN || days > INT32_MAX) return LB_TEXT_RANGE;
  *out = (int32_t)days;
  return LB_TEXT_OK;
}

/* What follows the point: up to nine digits, as microseconds. */
static enum lb_text_result fraction(struct scan *in, int32_t *micros) {
  int count = digits(in, 6, micros);
  if (count == 0) return LB_TEXT_MALFORMED;
  for (int i = count; i < 6; i++) *micros *= 10;
  int32_t finer;
  digits(in, 3, &finer);
  return finer == 0 ? LB_TEXT_OK : LB_TEXT_INEXACT;
}

static enum lb_text_result time_of_day(struct scan *in, int64_t *micros) {
  int32_t hour;
  int32_t minute;
  int32_t second = 0;
  int32_t part = 0;
  enum lb_text_result result = LB_TEXT_OK;
  int hour_digits = digits(in, 2, &hour);
  if (hour_digits == 0 || !accept(in, ':') || !two_digits(in, &minute)) {
    return LB_TEXT_MALFORMED;
  }
  if (accept(in, ':')) {
    if (!two_digits(in, &second)) return LB_TEXT_MALFORMED;
    if (accept(in, '.')) result = fraction(in, &part);
  }
  if (hour > 23 || minute > 59 || second > 59) return LB_TEXT_MALFORMED;
  *micros = ((int64_t)hour * 3600 + minute * 60 + second) * MICROS_A_SECOND + part;
  return result;
}

enum lb_text_result lb_text_to_timestamp_us(struct lb_str text, int64_t *out) {
  struct scan in = scan_of(text);
  int64_t days;
  int64_t micros = 0;
  enum lb_text_result result = date(&in, &days);
  if (result != LB_TEXT_OK) return result;
  if (in.at != in.end) {
    if (!accept(&in, ' ') && !accept(&in, 'T')) return LB_TEXT_MALFORMED;
    result = time_of_day(&in, &micros);
    if (result == LB_TEXT_MALFORMED || in.at != in.end) return LB_TEXT_MALFORMED;
    if (result != LB_TEXT_OK) return result;
  }
  int64_t midnight;
  if (__builtin_mul_overflow(days, (int64_t)SECONDS_A_DAY * MICROS_A_SECOND, &midnight) ||
      __builtin_add_overflow(midnight, micros, &micros)) {
    return LB_TEXT_RANGE;
  }
  *out = micros;
  return LB_TEXT_OK;
}

struct lb_str lb_text_cut_nanoseconds(struct lb_str text) {
  size_t digit_count = 0;
  while (digit_count < text.len && is_digit(text.data[text.len - 1 - digit_count])) {
    digit_count++;
  }
  bool fraction = digit_count < text.len && text.data[text.len - 1 - digit_count] == '.';
  if (fraction && digit_count > 6) text.len -= digit_count - 6;
  return text;
}

/* Digits up to something else, at most what 64 bits hold. */
static bool count_of(struct scan *in, int64_t *out) {
  const char *first = in->at;
  *out = 0;
  while (is_digit(peek(in))) {
    if (__builtin_mul_overflow(*out, 10, out) ||
        __builtin_add_overflow(*out, *in->at - '0', out)) {
      return false;
    }
    in->at++;
  }
  return in->at > first;
}

static bool minus(struct scan *in) {
  bool negative = accept(in, '-');
  if (!negative) accept(in, '+');
  return negative;
}

enum lb_text_result lb_text_to_months(struct lb_str text, int32_t *out) {
  struct scan in = scan_of(text);
  int64_t years;
  int32_t months;
  int64_t total;
  bool negative = minus(&in);
  if (!count_of(&in, &years) || !accept(&in, '-')) return LB_TEXT_MALFORMED;
  if (digits(&in, 2, &months) == 0 || in.at != in.end || months > 11) {
    return LB_TEXT_MALFORMED;
  }
  if (__builtin_mul_overflow(years, 12, &total) ||
      __builtin_add_overflow(total, months, &total)) {
    return LB_TEXT_RANGE;
  }
  if (negative) total = -total;
  if (total < INT32_MIN || total > INT32_MAX) return LB_TEXT_RANGE;
  *out = (int32_t)total;
  return LB_TEXT_OK;
}

enum lb_text_result lb_text_to_duration_us(struct lb_str text, int64_t *out) {
  struct scan in = scan_of(text);
  int64_t days;
  int64_t micros;
  int64_t total;
  bool negative = minus(&in);
  if (!count_of(&in, &days) || !accept(&in, ' ')) return LB_TEXT_MALFORMED;
  enum lb_text_result result = time_of_day(&in, &micros);
  if (result == LB_TEXT_MALFORMED || in.at != in.end) return LB_TEXT_MALFORMED;
  if (result != LB_TEXT_OK) return result;
  /* Below zero throughout: the least value has no positive twin. */
  if (__builtin_mul_overflow(-days, (int64_t)SECONDS_A_DAY * MICROS_A_SECOND, &total) ||
      __builtin_sub_overflow(total, micros, &total)) {
    return LB_TEXT_RANGE;
  }
  if (!negative && total == INT64_MIN) return LB_TEXT_RANGE;
  *out = negative ? total : -total;
  return LB_TEXT_OK;
}

/* A decimal while it is read: mantissa * 10^(zeros - fraction). Zeros are counted and not
 * multiplied in until a digit follows, so that trailing ones never make it too long. */
struct decimal {
  unsigned __int128 mantissa;
  int digits;       /* of the mantissa */
  int64_t zeros;    /* trailing zeros that are not in it */
  int64_t fraction; /* digits read behind the point */
  bool too_long;
};

static const uint64_t powers[20] = {1ULL,
                                    10ULL,
                                    100ULL,
                                    1000ULL,
                                    10000ULL,
                                    100000ULL,
                                    1000000ULL,
                                    10000000ULL,
                                    100000000ULL,
                                    1000000000ULL,
                                    10000000000ULL,
                                    100000000000ULL,
                                    1000000000000ULL,
                                    10000000000000ULL,
                                    100000000000000ULL,
                                    1000000000000000ULL,
                                    10000000000000000ULL,
                                    100000000000000000ULL,
                                    1000000000000000000ULL,
                                    10000000000000000000ULL};

static unsigned __int128 power(int64_t exponent) {
  if (exponent < 20) return powers[exponent];
  return (unsigned __int128)powers[19] * power(exponent - 19);
}

static void add_digit(struct decimal *value, int digit) {
  if (digit == 0) {
    if (value->mantissa != 0) value->zeros++;
    return;
  }
  int64_t step = value->mantissa == 0 ? 1 : value->zeros + 1;
  if (value->digits + step > DECIMAL_MAX_DIGITS) {
    value->too_long = true;
    return;
  }
  value->mantissa = value->mantissa * power(step) + (unsigned)digit;
  value->digits += (int)step;
  value->zeros = 0;
}

/* Digits up to something else; how many. */
static int64_t add_digits(struct decimal *value, struct scan *in) {
  const char *first = in->at;
  while (is_digit(peek(in))) add_digit(value, *in->at++ - '0');
  return in->at - first;
}

static bool exponent(struct scan *in, int64_t *out) {
  *out = 0;
  if (!accept(in, 'e') && !accept(in, 'E')) return true;
  bool negative = accept(in, '-');
  if (!negative) accept(in, '+');
  if (!is_digit(peek(in))) return false;
  while (is_digit(peek(in))) {
    int64_t next = *out * 10 + (*in->at++ - '0');
    *out = LB_MIN(next, EXPONENT_MAX);
  }
  if (negative) *out = -*out;
  return true;
}

/* The common form: an optional minus and at most 18 digits, with or without a point, that
 * fit. False: look closer. */
static bool plain_decimal(struct lb_str text, int32_t precision, int32_t scale,
                          __int128 *out) {
  bool negative = text.len > 0 && text.data[0] == '-';
  size_t first = negative ? 1 : 0;
  size_t point = text.len;
  uint64_t mantissa = 0;
  if (text.len - first > 19) return false;
  for (size_t i = first; i < text.len; i++) {
    unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
    if (digit <= 9) {
      mantissa = mantissa * 10 + digit;
    } else if (text.data[i] == '.' && point == text.len) {
      point = i;
    } else {
      return false;
    }
  }
  size_t digit_count = text.len - first - (point < text.len ? 1 : 0);
  size_t behind = point < text.len ? text.len - point - 1 : 0;
  if (digit_count == 0 || digit_count > 18 || behind > (size_t)scale) return false;
  unsigned __int128 magnitude = (unsigned __int128)mantissa;
  int64_t shift = scale - (int64_t)behind;
  if (shift < 0 || (int64_t)digit_count + shift > DECIMAL_MAX_DIGITS) return false;
  magnitude *= power(shift);
  if (magnitude >= power(precision)) return false;
  *out = negative ? -(__int128)magnitude : (__int128)magnitude;
  return true;
}

enum lb_text_result lb_text_to_decimal128(struct lb_str text, int32_t precision,
                                          int32_t scale, __int128 *out) {
  if (plain_decimal(text, precision, scale, out)) return LB_TEXT_OK;
  struct scan in = scan_of(text);
  struct decimal value = {.digits = 0};
  int64_t power_of_ten;
  bool negative = minus(&in);
  int64_t count = add_digits(&value, &in);
  if (accept(&in, '.')) {
    value.fraction = add_digits(&value, &in);
    count += value.fraction;
  }
  if (count == 0 || !exponent(&in, &power_of_ten) || in.at != in.end) {
    return LB_TEXT_MALFORMED;
  }
  if (value.mantissa == 0) {
    *out = 0;
    return LB_TEXT_OK;
  }
  if (value.too_long) return LB_TEXT_RANGE;
  int64_t shift = scale + value.zeros + power_of_ten - value.fraction;
  if (shift < 0) return LB_TEXT_INEXACT;
  if (value.digits + shift > precision) return LB_TEXT_RANGE;
  unsigned __int128 magnitude = value.mantissa * power(shift);
  *out = negative ? -(__int128)magnitude : (__int128)magnitude;
  return LB_TEXT_OK;
}

size_t lb_i64_to_text(int64_t value, char *out) {
  char reversed[LB_NUMBER_TEXT_BYTES];
  size_t count = 0;
  size_t len = 0;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    reversed[count++] = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0) out[len++] = '-';
  while (count > 0) out[len++] = reversed[--count];
  return len;
}

/* Prints with so many digits. The C library takes the point from the locale, where
 * it may be any bytes; here it is a point. */
static size_t print_double(double value, int precision, char *out) {
  char text[64];
  size_t len = 0;
  bool foreign = false;
  int printed = snprintf(text, sizeof(text), "%.*g", precision, value);
  for (int i = 0; i < printed && len < LB_NUMBER_TEXT_BYTES; i++) {
    char c = text[i];
    bool known = is_digit(c) || c == '-' || c == '+' || c == 'e';
    if (known || !foreign) out[len++] = known ? c : '.';
    foreign = !known;
  }
  return len;
}

size_t lb_double_to_text(double value, char *out) {
  struct lb_str special = {NULL, 0};
  if (isnan(value)) special = LB_STR("NaN");
  if (isinf(value)) special = value > 0 ? LB_STR("Infinity") : LB_STR("-Infinity");
  if (special.len > 0) {
    memcpy(out, special.data, special.len);
    return special.len;
  }
  size_t len = 0;
  for (int precision = 15; precision <= 17; precision++) {
    double back;
    len = print_double(value, precision, out);
    if (lb_str_to_double((struct lb_str){out, len}, &back) && back == value) break;
  }
  return len;
}
