/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed text and the few string functions that the C library lacks or does badly. A
 * `struct lb_str` never owns and need not end in NUL. */
#ifndef LB_BASE_STR_H
#define LB_BASE_STR_H

#include <string.h>

#include "base/base.h"

struct lb_str {
  const char *data;
  size_t len;
};

#define LB_STR(literal) ((struct lb_str){(literal), sizeof(literal) - 1})
static inline struct lb_str lb_str_from(const char *text) {
  return (struct lb_str){text, text ? strlen(text) : 0};
}
bool lb_str_equal(struct lb_str a, struct lb_str b);
bool lb_str_equal_nocase(struct lb_str a, struct lb_str b); /* ASCII only */
/* As strcmp, ASCII letters without their case. */
int lb_str_compare_nocase(struct lb_str a, struct lb_str b);
bool lb_str_starts_with(struct lb_str s, struct lb_str prefix);
bool lb_str_starts_with_nocase(struct lb_str s, struct lb_str prefix);
/* Position of needle in s, or SIZE_MAX. */
size_t lb_str_find(struct lb_str s, struct lb_str needle);
size_t lb_str_find_nocase(struct lb_str s, struct lb_str needle);
struct lb_str lb_str_trim(struct lb_str s); /* ASCII white space at both ends */

/* Copies at most cap-1 bytes and a NUL, cutting before a broken UTF-8 sequence. Returns
 * the bytes copied. cap 0 writes nothing. */
size_t lb_str_copy(char *dst, size_t cap, struct lb_str src);

/* Whole-string number parsing, base 10, optional sign, no spaces. False when it is not a
 * number or does not fit. */
bool lb_str_to_i64(struct lb_str s, int64_t *out);
/* Locale-independent; also "NaN", "Infinity", "inf" in any case, with a sign. Texts of
 * more than 1,023 bytes and values beyond the range of a double are refused; what is too
 * small becomes 0. */
bool lb_str_to_double(struct lb_str s, double *out);
/* true/false/1/0/on/off/yes/no in any case. */
bool lb_str_to_bool(struct lb_str s, bool *out);

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool lb_utf8_valid(const char *data, size_t len);
/* Replaces in place every byte that is not part of a well-formed sequence by '?'. */
void lb_utf8_clean(char *data, size_t len);

/* 16 bytes to the 36-character UUID text in network order, NUL-terminated. */
void lb_uuid_text(const uint8_t uuid[16], char out[37]);

/* Base64 (RFC 4648, padded) of src into dst; dst needs 4*ceil(n/3)+1 bytes. Returns
 * length without the NUL. */
size_t lb_base64_encode(char *dst, const uint8_t *src, size_t n);

#endif
