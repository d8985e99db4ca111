/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/name_filter.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Past the character (a code point) at i. */
static size_t step(struct lb_str text, size_t i) {
  for (i++; i < text.len && ((unsigned char)text.data[i] & 0xC0) == 0x80;) i++;
  return i;
}

/* Two pointers and the place of the latest `%`: linear for most, never exponential. */
static bool like(struct lb_str pattern, struct lb_str name) {
  size_t p = 0, n = 0, back_p = SIZE_MAX, back_n = 0;
  while (n < name.len) {
    char c = p < pattern.len ? pattern.data[p] : '\0';
    if (p < pattern.len && c == '%') {
      back_p = ++p;
      back_n = n;
    } else if (p < pattern.len && c == '_') {
      p++;
      n = step(name, n);
    } else if (p < pattern.len && lower(c) == lower(name.data[n])) {
      p++;
      n++;
    } else if (back_p != SIZE_MAX) {
      p = back_p;
      n = back_n = step(name, back_n);
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.data[p] == '%') p++;
  return p == pattern.len;
}

bool lb_name_matches(const char *filter, struct lb_str name) {
  if (filter == NULL) return true;
  if (filter[0] == '\0') return name.len == 0;
  return name.data != NULL && like(lb_str_from(filter), name);
}

bool lb_name_server_pattern(const char *filter, struct lb_buf *out) {
  if (filter == NULL || filter[0] == '\0') return false;
  for (const char *c = filter; *c != '\0'; c++) {
    /* The servers' escape; Hive's own wildcards; ${variables}, which are replaced even
     * within quotes; what has upper case of its own. */
    if (strchr("\\*|$", *c) != NULL || (unsigned char)*c >= 0x80) return false;
  }
  for (const char *c = filter; *c != '\0'; c++) lb_buf_append_u8(out, (uint8_t)lower(*c));
  return true;
}
