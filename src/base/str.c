/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, strtod_l */
#endif
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

/* Long enough for every digit that can change a double (767) with its exponent. */
#define DOUBLE_TEXT_MAX 1023

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool same(const char *a, const char *b, size_t len) {
  return len == 0 || memcmp(a, b, len) == 0;
}

static bool same_nocase(const char *a, const char *b, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool lb_str_equal(struct lb_str a, struct lb_str b) {
  return a.len == b.len && same(a.data, b.data, a.len);
}

bool lb_str_equal_nocase(struct lb_str a, struct lb_str b) {
  return a.len == b.len && same_nocase(a.data, b.data, a.len);
}

int lb_str_compare_nocase(struct lb_str a, struct lb_str b) {
  for (size_t i = 0; i < a.len && i < b.len; i++) {
    unsigned char left = (unsigned char)lower(a.data[i]);
    unsigned char right = (unsigned char)lower(b.data[i]);
    if (left != right) return left < right ? -1 : 1;
  }
  return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

bool lb_str_starts_with(struct lb_str s, struct lb_str prefix) {
  return s.len >= prefix.len && same(s.data, prefix.data, prefix.len);
}

bool lb_str_starts_with_nocase(struct lb_str s, struct lb_str prefix) {
  return s.len >= prefix.len && same_nocase(s.data, prefix.data, prefix.len);
}

size_t lb_str_find(struct lb_str s, struct lb_str needle) {
  if (needle.len == 0) return 0;
  if (s.len < needle.len) return SIZE_MAX;
  const char *hit = memmem(s.data, s.len, needle.data, needle.len);
  return hit == NULL ? SIZE_MAX : (size_t)(hit - s.data);
}

size_t lb_str_find_nocase(struct lb_str s, struct lb_str needle) {
  if (needle.len == 0) return 0;
  if (s.len < needle.len) return SIZE_MAX;
  for (size_t i = 0; i <= s.len - needle.len; i++) {
    if (same_nocase(s.data + i, needle.data, needle.len)) return i;
  }
  return SIZE_MAX;
}

struct lb_str lb_str_trim(struct lb_str s) {
  while (s.len > 0 && is_space(s.data[0])) {
    s.data++;
    s.len--;
  }
  while (s.len > 0 && is_space(s.data[s.len - 1])) s.len--;
  return s;
}

/* Bytes that a lead byte announces, 0 for a byte that cannot lead. */
static size_t utf8_width(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

/* Length of the well-formed sequence at p, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t len) {
  size_t width = utf8_width(p[0]);
  if (width <= 1) return width;
  if (width > len) return 0;
  /* The second byte's range shuts out overlong forms, surrogates and what is > U+10FFFF.
   */
  unsigned char lo = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
  unsigned char hi = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < lo || p[1] > hi) return 0;
  for (size_t i = 2; i < width; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
  }
  return width;
}

/* len without an unfinished sequence at the end. */
static size_t without_partial(const char *data, size_t len) {
  for (size_t back = 1; back <= 3 && back <= len; back++) {
    unsigned char c = (unsigned char)data[len - back];
    if ((c & 0xC0) == 0x80) continue;
    return utf8_width(c) > back ? len - back : len;
  }
  return len;
}

size_t lb_str_copy(char *dst, size_t cap, struct lb_str src) {
  if (cap == 0) return 0;
  size_t len = src.len == 0 ? 0 : without_partial(src.data, LB_MIN(src.len, cap - 1));
  if (len > 0) memcpy(dst, src.data, len);
  dst[len] = '\0';
  return len;
}

bool lb_str_to_i64(struct lb_str s, int64_t *out) {
  bool negative = s.len > 0 && s.data[0] == '-';
  size_t i = negative || (s.len > 0 && s.data[0] == '+') ? 1 : 0;
  if (i == s.len) return false;
  int64_t value = 0;
  for (; i < s.len; i++) {
    if (!is_digit(s.data[i])) return false;
    /* Downwards, since INT64_MIN has no positive twin. */
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_sub_overflow(value, s.data[i] - '0', &value)) return false;
  }
  if (!negative && value == INT64_MIN) return false;
  *out = negative ? value : -value;
  return true;
}

static size_t skip_digits(struct lb_str s, size_t i) {
  while (i < s.len && is_digit(s.data[i])) i++;
  return i;
}

static bool is_sign(struct lb_str s, size_t i) {
  return i < s.len && (s.data[i] == '-' || s.data[i] == '+');
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before or after the point. */
static bool is_decimal(struct lb_str s) {
  size_t start = is_sign(s, 0) ? 1 : 0;
  size_t i = skip_digits(s, start);
  size_t digits = i - start;
  if (i < s.len && s.data[i] == '.') {
    size_t end = skip_digits(s, i + 1);
    digits += end - i - 1;
    i = end;
  }
  if (digits == 0) return false;
  if (i == s.len) return true;
  if (lower(s.data[i]) != 'e') return false;
  i += is_sign(s, i + 1) ? 2 : 1;
  return i < s.len && skip_digits(s, i) == s.len;
}

static bool special_double(struct lb_str s, double *out) {
  bool negative = s.len > 0 && s.data[0] == '-';
  if (is_sign(s, 0)) s = (struct lb_str){s.data + 1, s.len - 1};
  double value;
  if (lb_str_equal_nocase(s, LB_STR("nan"))) {
    value = (double)NAN;
  } else if (lb_str_equal_nocase(s, LB_STR("inf")) ||
             lb_str_equal_nocase(s, LB_STR("infinity"))) {
    value = (double)INFINITY;
  } else {
    return false;
  }
  *out = negative ? -value : value;
  return true;
}

bool lb_str_to_double(struct lb_str s, double *out) {
  if (special_double(s, out)) return true;
  char text[DOUBLE_TEXT_MAX + 1];
  if (s.len > DOUBLE_TEXT_MAX || !is_decimal(s)) return false;
  memcpy(text, s.data, s.len);
  text[s.len] = '\0';
  /* The whole "C" locale is a constant of the C library: nothing is allocated. */
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) return false;
  double value = strtod_l(text, NULL, c_locale);
  freelocale(c_locale);
  if (isinf(value)) return false;
  *out = value;
  return true;
}

bool lb_str_to_bool(struct lb_str s, bool *out) {
  static const char *const words[][2] = {
      {"false", "true"}, {"0", "1"}, {"off", "on"}, {"no", "yes"}};
  for (size_t i = 0; i < LB_ARRAY_LEN(words); i++) {
    for (int value = 0; value <= 1; value++) {
      if (!lb_str_equal_nocase(s, lb_str_from(words[i][value]))) continue;
      *out = value == 1;
      return true;
    }
  }
  return false;
}

/* Bytes of plain ASCII at the start, eight at a time as far as that goes. */
static size_t ascii_run(const char *data, size_t len) {
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word;
    memcpy(&word, data + i, sizeof(word));
    if ((word & UINT64_C(0x8080808080808080)) != 0) break;
  }
  while (i < len && (unsigned char)data[i] < 0x80) i++;
  return i;
}

bool lb_utf8_valid(const char *data, size_t len) {
  if (len == 0) return true;
  for (size_t i = 0; (i += ascii_run(data + i, len - i)) < len;) {
    size_t width = utf8_sequence((const unsigned char *)data + i, len - i);
    if (width == 0) return false;
    i += width;
  }
  return true;
}

void lb_utf8_clean(char *data, size_t len) {
  for (size_t i = 0; (i += ascii_run(data + i, len - i)) < len;) {
    size_t width = utf8_sequence((const unsigned char *)data + i, len - i);
    if (width == 0) data[i] = '?';
    i += width == 0 ? 1 : width;
  }
}

void lb_uuid_text(const uint8_t uuid[16], char out[37]) {
  static const char hex[] = "0123456789abcdef";
  char *p = out;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
    *p++ = hex[uuid[i] >> 4];
    *p++ = hex[uuid[i] & 15];
  }
  *p = '\0';
}

size_t lb_base64_encode(char *dst, const uint8_t *src, size_t n) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *p = dst;
  for (size_t i = 0; i < n; i += 3) {
    size_t left = n - i;
    uint32_t v = (uint32_t)src[i] << 16;
    if (left > 1) v |= (uint32_t)src[i + 1] << 8;
    if (left > 2) v |= src[i + 2];
    *p++ = digits[v >> 18];
    *p++ = digits[(v >> 12) & 63];
    *p++ = left > 1 ? digits[(v >> 6) & 63] : '=';
    *p++ = left > 2 ? digits[v & 63] : '=';
  }
  *p = '\0';
  return (size_t)(p - dst);
}
