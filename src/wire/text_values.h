/* SPDX-License-Identifier: Apache-2.0 */
/* Values that travel as text in Thrift columns, as numbers. Pure, no locale, no
 * allocation, any thread. Nothing is rounded: what does not fit exactly is refused. */
#ifndef LB_WIRE_TEXT_VALUES_H
#define LB_WIRE_TEXT_VALUES_H

#include "base/base.h"
#include "base/str.h"

enum lb_text_result {
  LB_TEXT_OK,
  LB_TEXT_MALFORMED, /* not such a value */
  LB_TEXT_RANGE,     /* such a value, but too large for the type */
  LB_TEXT_INEXACT    /* such a value, but with more digits than the type has */
};

/* Days since 1970-01-01, proleptic Gregorian: [+-]YYYY[Y...]-MM-DD; year 0 exists. */
enum lb_text_result lb_text_to_date32(struct lb_str text, int32_t *out);
/* Microseconds since 1970-01-01 00:00:00, no zone: a date, alone or followed by ' ' or
 * 'T' and HH:MM[:SS[.f...]] with at most 9 digits, those after the sixth 0. */
enum lb_text_result lb_text_to_timestamp_us(struct lb_str text, int64_t *out);
/* Where values may have nanoseconds: the digits beyond the sixth are left out
 * of what is returned, a part of text. */
struct lb_str lb_text_cut_nanoseconds(struct lb_str text);
/* Months of a year-month interval: [+-]Y-M. */
enum lb_text_result lb_text_to_months(struct lb_str text, int32_t *out);
/* Microseconds of a day-time interval: [+-]D HH:MM:SS[.f...], digits as above. */
enum lb_text_result lb_text_to_duration_us(struct lb_str text, int64_t *out);
/* out = number * 10^scale, at most `precision` (<= 38) digits:
 * [+-]digits[.digits][e[+-]n]. */
enum lb_text_result lb_text_to_decimal128(struct lb_str text, int32_t precision,
                                          int32_t scale, __int128 *out);

/* Numbers as text without a NUL; returns the bytes written. Doubles get the fewest digits
 * that read back as the same value; also NaN, Infinity and -Infinity. */
#define LB_NUMBER_TEXT_BYTES 24
size_t lb_i64_to_text(int64_t value, char *out);
size_t lb_double_to_text(double value, char *out);

#endif
