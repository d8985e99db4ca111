/* SPDX-License-Identifier: Apache-2.0 */
/* Values of Arrow arrays as parameters of a statement: an SQL type and the value as text.
 * A parameter either travels beside the statement or is written into it as a literal.
 * Pure, any thread.
 *
 * Nothing is rounded: what the SQL type cannot hold exactly is LB_INVALID_ARGUMENT, and
 * every error names the parameter. */
#ifndef LB_WIRE_PARAM_H
#define LB_WIRE_PARAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "nanoarrow/nanoarrow.h"

enum lb_param_kind {
  LB_PARAM_VOID,
  LB_PARAM_BOOLEAN,
  LB_PARAM_TINYINT,
  LB_PARAM_SMALLINT,
  LB_PARAM_INT,
  LB_PARAM_BIGINT,
  LB_PARAM_FLOAT,
  LB_PARAM_DOUBLE,
  LB_PARAM_DECIMAL,
  LB_PARAM_STRING,
  LB_PARAM_BINARY,
  LB_PARAM_DATE,
  LB_PARAM_TIMESTAMP,
  LB_PARAM_TIMESTAMP_NTZ,
  LB_PARAM_YEAR_MONTH,
  LB_PARAM_DAY_TIME
};

/* Whose words types and literals are written in. */
enum lb_param_dialect {
  LB_DIALECT_SPARK, /* Databricks, Spark, Kyuubi */
  LB_DIALECT_HIVE   /* TIMESTAMP has no zone there */
};

struct lb_param_type {
  enum lb_param_kind kind;
  int32_t precision; /* DECIMAL */
  int32_t scale;
};

struct lb_param {
  struct lb_str name; /* data NULL: it goes by its position */
  struct lb_param_type type;
  bool null;
  /* BINARY: the bytes themselves. TIMESTAMP: in UTC with "+00:00" behind it. */
  struct lb_str value;
};

#define LB_PARAM_LABEL_BYTES 112

/* What is known of a column before its first value. */
struct lb_param_column {
  char label[LB_PARAM_LABEL_BYTES]; /* "parameter 2 ('price')", for errors */
  struct lb_param_type type;
  enum ArrowType arrow; /* of the values, behind dictionary and run ends */
  enum ArrowTimeUnit unit;
  int32_t decimal_scale; /* as Arrow has it; may be negative */
  bool varies; /* months or days, as each value has it: there is no one SQL type */
};

/* noun: "parameter" or "column"; number counts from 1. LB_INVALID_ARGUMENT: no SQL type
 * holds such values. */
enum lb_status lb_param_column_init(struct lb_param_column *out,
                                    const struct ArrowSchema *schema, const char *noun,
                                    int32_t number, struct lb_error *err) LB_MUST_USE;

/* The value in a row. view is of a validated array of the column's schema; row does not
 * count its offset. What *out points to lives as long as the arena. */
enum lb_status lb_param_read(const struct lb_param_column *column,
                             const struct ArrowArrayView *view, int64_t row,
                             struct lb_arena *arena, struct lb_param *out,
                             struct lb_error *err) LB_MUST_USE;

/* "DECIMAL(10,2)", NUL-terminated. */
#define LB_PARAM_TYPE_BYTES 40
void lb_param_type_text(struct lb_param_type type, enum lb_param_dialect dialect,
                        char out[LB_PARAM_TYPE_BYTES]);

/* Appends the value as an expression that cannot be read as anything else, whatever
 * stands around it and whatever the session's settings are. */
void lb_param_append_literal(const struct lb_param *param, enum lb_param_dialect dialect,
                             struct lb_buf *out);
/* Servers take no binary parameters: makes of one a STRING of hexadecimal digits, for
 * unhex(). */
enum lb_status lb_param_hex(struct lb_param *param, struct lb_arena *arena,
                            struct lb_error *err) LB_MUST_USE;

/* Texts of values. False: outside of years 1 to 9999. */
bool lb_param_append_date(struct lb_buf *out, int64_t days);
/* units: of a second: 1, 1,000 or 1,000,000. */
bool lb_param_append_timestamp(struct lb_buf *out, int64_t value, int64_t units);
void lb_param_append_day_time(struct lb_buf *out, int64_t value_us);
void lb_param_append_year_month(struct lb_buf *out, int32_t months);

#endif
