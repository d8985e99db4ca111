/* SPDX-License-Identifier: Apache-2.0 */
/* Literals:
 *  1. Numbers of 0 or more carry the type's suffix; all others are a cast of a text, so
 *     that no sign meets an operator and the smallest number needs no negation.
 *  2. A text without quote, backslash, dollar sign and control characters stands between
 *     quotes. Any other is made of its bytes, on Spark by a cast, since its VALUES take
 *     no decode() (4.3): how a backslash is read depends on
 *     spark.sql.parser.escapedStringLiterals, how a doubled quote on the version, and
 *     ${...} is replaced by a variable even within strings.
 *  3. Everything else is a cast of a text whose characters are digits, letters and
 *     `-:+. `. */
#include "wire/param.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_SECONDS INT64_C(86400)

static const char *const names[] = {
    [LB_PARAM_VOID] = "VOID",
    [LB_PARAM_BOOLEAN] = "BOOLEAN",
    [LB_PARAM_TINYINT] = "TINYINT",
    [LB_PARAM_SMALLINT] = "SMALLINT",
    [LB_PARAM_INT] = "INT",
    [LB_PARAM_BIGINT] = "BIGINT",
    [LB_PARAM_FLOAT] = "FLOAT",
    [LB_PARAM_DOUBLE] = "DOUBLE",
    [LB_PARAM_DECIMAL] = "DECIMAL",
    [LB_PARAM_STRING] = "STRING",
    [LB_PARAM_BINARY] = "BINARY",
    [LB_PARAM_DATE] = "DATE",
    [LB_PARAM_TIMESTAMP] = "TIMESTAMP",
    [LB_PARAM_TIMESTAMP_NTZ] = "TIMESTAMP_NTZ",
    [LB_PARAM_YEAR_MONTH] = "INTERVAL YEAR TO MONTH",
    [LB_PARAM_DAY_TIME] = "INTERVAL DAY TO SECOND",
};

void lb_param_type_text(struct lb_param_type type, enum lb_param_dialect dialect,
                        char out[LB_PARAM_TYPE_BYTES]) {
  const char *name = names[type.kind];
  if (dialect == LB_DIALECT_HIVE) {
    if (type.kind == LB_PARAM_TIMESTAMP) name = "TIMESTAMP WITH LOCAL TIME ZONE";
    if (type.kind == LB_PARAM_TIMESTAMP_NTZ) name = "TIMESTAMP";
  }
  if (type.kind == LB_PARAM_DECIMAL) {
    snprintf(out, LB_PARAM_TYPE_BYTES, "DECIMAL(%d,%d)", (int)type.precision,
             (int)type.scale);
  } else {
    snprintf(out, LB_PARAM_TYPE_BYTES, "%s", name);
  }
}

/* Literals. */

static bool is_plain(struct lb_str text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c < 0x20 || c == 0x7f || c == '\'' || c == '\\' || c == '$') return false;
  }
  return true;
}

static void write_hex(char *at, struct lb_str bytes) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < bytes.len; i++) {
    unsigned char c = (unsigned char)bytes.data[i];
    *at++ = digits[c >> 4];
    *at++ = digits[c & 15];
  }
}

enum lb_status lb_param_hex(struct lb_param *param, struct lb_arena *arena,
                            struct lb_error *err) {
  struct lb_str bytes = param->value;
  param->type.kind = LB_PARAM_STRING;
  if (param->null) return LB_OK;
  size_t len = SIZE_MAX;
  char *text = lb_size_mul(bytes.len, 2, &len) ? lb_arena_alloc(arena, len) : NULL;
  if (!text) return lb_arena_refused(arena, len, "a binary value in hexadecimal", err);
  write_hex(text, bytes);
  param->value = (struct lb_str){text, len};
  return LB_OK;
}

static void append_bytes(struct lb_buf *out, struct lb_str bytes,
                         enum lb_param_dialect dialect) {
  size_t len;
  if (!lb_size_mul(bytes.len, 2, &len)) len = SIZE_MAX;
  bool hive = dialect == LB_DIALECT_HIVE;
  lb_buf_append_text(out, hive ? "unhex('" : "X'");
  uint8_t *at = lb_buf_extend(out, len);
  if (at) write_hex((char *)at, bytes);
  lb_buf_append_text(out, hive ? "')" : "'");
}

static void append_string(struct lb_buf *out, struct lb_str text,
                          enum lb_param_dialect dialect) {
  bool hive = dialect == LB_DIALECT_HIVE;
  if (is_plain(text)) {
    lb_buf_append_u8(out, '\'');
    lb_buf_append_str(out, text);
    lb_buf_append_u8(out, '\'');
    return;
  }
  lb_buf_append_text(out, hive ? "decode(" : "CAST(");
  append_bytes(out, text, dialect);
  lb_buf_append_text(out, hive ? ", 'UTF-8')" : " AS STRING)");
}

static void append_cast(struct lb_buf *out, const char *quote, struct lb_str value,
                        const char *type) {
  lb_buf_append_text(out, "CAST(");
  lb_buf_append_text(out, quote);
  lb_buf_append_str(out, value);
  lb_buf_append_text(out, quote);
  lb_buf_append_text(out, " AS ");
  lb_buf_append_text(out, type);
  lb_buf_append_u8(out, ')');
}

static void append_typed(struct lb_buf *out, const struct lb_param *param,
                         enum lb_param_dialect dialect) {
  char type[LB_PARAM_TYPE_BYTES];
  lb_param_type_text(param->type, dialect, type);
  if (dialect == LB_DIALECT_HIVE && param->type.kind == LB_PARAM_TIMESTAMP) {
    struct lb_buf zoned;
    lb_buf_init(&zoned, LB_MEM_WIRE, 64);
    lb_buf_append(&zoned, param->value.data, param->value.len - strlen("+00:00"));
    lb_buf_append_text(&zoned, " UTC");
    if (zoned.status != LB_OK) out->status = zoned.status;
    append_cast(out, "'", (struct lb_str){(const char *)zoned.data, zoned.len}, type);
    lb_buf_reset(&zoned);
    return;
  }
  append_cast(out, "'", param->value, type);
}

static void append_interval(struct lb_buf *out, const struct lb_param *param) {
  const char *fields =
      param->type.kind == LB_PARAM_YEAR_MONTH ? "YEAR TO MONTH" : "DAY TO SECOND";
  lb_buf_append_text(out, "INTERVAL '");
  lb_buf_append_str(out, param->value);
  lb_buf_append_text(out, "' ");
  lb_buf_append_text(out, fields);
}

static void append_null(struct lb_buf *out, struct lb_param_type type,
                        enum lb_param_dialect dialect) {
  bool interval = type.kind == LB_PARAM_YEAR_MONTH || type.kind == LB_PARAM_DAY_TIME;
  /* Hive has no name for the types of intervals. */
  if (type.kind == LB_PARAM_VOID || (interval && dialect == LB_DIALECT_HIVE)) {
    lb_buf_append_text(out, "NULL");
    return;
  }
  char name[LB_PARAM_TYPE_BYTES];
  lb_param_type_text(type, dialect, name);
  append_cast(out, "", LB_STR("NULL"), name);
}

static const char *suffix_of(enum lb_param_kind kind) {
  switch (kind) {
    case LB_PARAM_TINYINT:
      return "Y";
    case LB_PARAM_SMALLINT:
      return "S";
    case LB_PARAM_INT:
      return "";
    case LB_PARAM_BIGINT:
      return "L";
    default:
      return NULL;
  }
}

void lb_param_append_literal(const struct lb_param *param, enum lb_param_dialect dialect,
                             struct lb_buf *out) {
  if (param->null || param->type.kind == LB_PARAM_VOID) {
    append_null(out, param->type, dialect);
    return;
  }
  const char *suffix = suffix_of(param->type.kind);
  if (suffix && param->value.len > 0 && param->value.data[0] != '-') {
    lb_buf_append_str(out, param->value);
    lb_buf_append_text(out, suffix);
    return;
  }
  switch (param->type.kind) {
    case LB_PARAM_BOOLEAN:
      lb_buf_append_str(out, param->value);
      return;
    case LB_PARAM_STRING:
      append_string(out, param->value, dialect);
      return;
    case LB_PARAM_BINARY:
      append_bytes(out, param->value, dialect);
      return;
    case LB_PARAM_YEAR_MONTH:
    case LB_PARAM_DAY_TIME:
      append_interval(out, param);
      return;
    default:
      append_typed(out, param, dialect);
      return;
  }
}

/* Values. */

bool lb_param_append_date(struct lb_buf *out, int64_t days) {
  /* 0001-01-01 and 9999-12-31. */
  if (days < -719162 || days > 2932896) return false;
  /* Years that begin in March put the leap day last; 400 of them are an era. */
  int64_t shifted = days + 719468;
  int64_t era = shifted / 146097;
  int64_t of_era = shifted % 146097;
  int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * of_year + 2) / 153;
  int64_t day = of_year - (153 * month_from_march + 2) / 5 + 1;
  int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
  lb_buf_appendf(out, "%04d-%02d-%02d", (int)year, (int)month, (int)day);
  return true;
}

static void append_clock(struct lb_buf *out, int64_t seconds, int64_t micros) {
  lb_buf_appendf(out, " %02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
  if (micros > 0) lb_buf_appendf(out, ".%06d", (int)micros);
}

bool lb_param_append_timestamp(struct lb_buf *out, int64_t value, int64_t units) {
  int64_t per_day = DAY_SECONDS * units;
  int64_t days = value / per_day;
  int64_t left = value % per_day;
  if (left < 0) {
    days--;
    left += per_day;
  }
  if (!lb_param_append_date(out, days)) return false;
  append_clock(out, left / units, left % units * (1000000 / units));
  return true;
}

void lb_param_append_day_time(struct lb_buf *out, int64_t value_us) {
  uint64_t left = value_us < 0 ? 0 - (uint64_t)value_us : (uint64_t)value_us;
  uint64_t seconds = left / 1000000;
  if (value_us < 0) lb_buf_append_u8(out, '-');
  lb_buf_appendf(out, "%" PRIu64, seconds / (uint64_t)DAY_SECONDS);
  append_clock(out, (int64_t)(seconds % (uint64_t)DAY_SECONDS),
               (int64_t)(left % 1000000));
}

void lb_param_append_year_month(struct lb_buf *out, int32_t months) {
  int64_t left = months < 0 ? -(int64_t)months : months;
  lb_buf_appendf(out, "%s%" PRId64 "-%" PRId64, months < 0 ? "-" : "", left / 12,
                 left % 12);
}
