/* SPDX-License-Identifier: Apache-2.0 */
/* Arrow values become parameters:
 *  1. Dictionaries and run ends are followed to the value; a null on the way is null.
 *  2. Unsigned integers take the next wider signed type, UINT64 a DECIMAL(20,0).
 *  3. Decimals keep their digits; a negative scale becomes zeros, and a precision beyond
 *     38 is cut to 38 where the digits of the value allow it.
 *  4. Instants (with a zone) are TIMESTAMP in UTC, others TIMESTAMP_NTZ; Databricks
 *     counts microseconds, so a rest below is an error.
 *  5. Durations and intervals of days are INTERVAL DAY TO SECOND, months INTERVAL YEAR
 *     TO MONTH; a value with both has no SQL type. */
#include "wire/param.h"

#include <inttypes.h>
#include <stdio.h>

#include "wire/text_values.h"

#define MAX_PRECISION 38
#define DAY_MS INT64_C(86400000)
#define DAY_US INT64_C(86400000000)
/* A dictionary's values may have a dictionary or run ends themselves. */
#define MAX_INDIRECTIONS 8

static enum lb_status bad(const struct lb_param_column *column, struct lb_error *err,
                          const char *fmt, ...) LB_PRINTF(3, 4);
static enum lb_status bad(const struct lb_param_column *column, struct lb_error *err,
                          const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  enum lb_status status = lb_error_vset(err, LB_INVALID_ARGUMENT, fmt, args);
  va_end(args);
  lb_error_prefix(err, "%s: ", column->label);
  return status;
}

/* Types. */

static const struct {
  enum ArrowType arrow;
  struct lb_param_type type;
} types[] = {
    {NANOARROW_TYPE_NA, {LB_PARAM_VOID, 0, 0}},
    {NANOARROW_TYPE_BOOL, {LB_PARAM_BOOLEAN, 0, 0}},
    {NANOARROW_TYPE_INT8, {LB_PARAM_TINYINT, 0, 0}},
    {NANOARROW_TYPE_UINT8, {LB_PARAM_SMALLINT, 0, 0}},
    {NANOARROW_TYPE_INT16, {LB_PARAM_SMALLINT, 0, 0}},
    {NANOARROW_TYPE_UINT16, {LB_PARAM_INT, 0, 0}},
    {NANOARROW_TYPE_INT32, {LB_PARAM_INT, 0, 0}},
    {NANOARROW_TYPE_UINT32, {LB_PARAM_BIGINT, 0, 0}},
    {NANOARROW_TYPE_INT64, {LB_PARAM_BIGINT, 0, 0}},
    {NANOARROW_TYPE_UINT64, {LB_PARAM_DECIMAL, 20, 0}},
    {NANOARROW_TYPE_HALF_FLOAT, {LB_PARAM_FLOAT, 0, 0}},
    {NANOARROW_TYPE_FLOAT, {LB_PARAM_FLOAT, 0, 0}},
    {NANOARROW_TYPE_DOUBLE, {LB_PARAM_DOUBLE, 0, 0}},
    {NANOARROW_TYPE_DECIMAL32, {LB_PARAM_DECIMAL, 0, 0}},
    {NANOARROW_TYPE_DECIMAL64, {LB_PARAM_DECIMAL, 0, 0}},
    {NANOARROW_TYPE_DECIMAL128, {LB_PARAM_DECIMAL, 0, 0}},
    {NANOARROW_TYPE_DECIMAL256, {LB_PARAM_DECIMAL, 0, 0}},
    {NANOARROW_TYPE_STRING, {LB_PARAM_STRING, 0, 0}},
    {NANOARROW_TYPE_LARGE_STRING, {LB_PARAM_STRING, 0, 0}},
    {NANOARROW_TYPE_STRING_VIEW, {LB_PARAM_STRING, 0, 0}},
    {NANOARROW_TYPE_BINARY, {LB_PARAM_BINARY, 0, 0}},
    {NANOARROW_TYPE_LARGE_BINARY, {LB_PARAM_BINARY, 0, 0}},
    {NANOARROW_TYPE_BINARY_VIEW, {LB_PARAM_BINARY, 0, 0}},
    {NANOARROW_TYPE_FIXED_SIZE_BINARY, {LB_PARAM_BINARY, 0, 0}},
    {NANOARROW_TYPE_DATE32, {LB_PARAM_DATE, 0, 0}},
    {NANOARROW_TYPE_DATE64, {LB_PARAM_DATE, 0, 0}},
    {NANOARROW_TYPE_TIMESTAMP, {LB_PARAM_TIMESTAMP, 0, 0}},
    {NANOARROW_TYPE_DURATION, {LB_PARAM_DAY_TIME, 0, 0}},
    {NANOARROW_TYPE_INTERVAL_DAY_TIME, {LB_PARAM_DAY_TIME, 0, 0}},
    {NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO, {LB_PARAM_DAY_TIME, 0, 0}},
    {NANOARROW_TYPE_INTERVAL_MONTHS, {LB_PARAM_YEAR_MONTH, 0, 0}},
};

static const char *remedy_of(enum ArrowType type) {
  switch (type) {
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
      return "the server has no time of day; give a string, or a timestamp";
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP:
    case NANOARROW_TYPE_STRUCT:
      return "lists, maps and structs cannot be bound; give a JSON string and read it "
             "with from_json(?, '<type>')";
    default:
      return "no SQL type holds such values; cast them before they are bound";
  }
}

static void write_label(struct lb_param_column *column, const char *noun, int32_t number,
                        const char *name) {
  char shown[64];
  lb_str_copy(shown, sizeof shown, lb_str_from(name ? name : ""));
  lb_utf8_clean(shown, strlen(shown));
  if (shown[0] == '\0') {
    snprintf(column->label, sizeof column->label, "%s %d", noun, (int)number);
  } else {
    snprintf(column->label, sizeof column->label, "%s %d ('%s')", noun, (int)number,
             shown);
  }
}

/* Rule 3. */
static enum lb_status take_decimal(struct lb_param_column *column,
                                   const struct ArrowSchemaView *view,
                                   struct lb_error *err) {
  int64_t precision = view->decimal_precision;
  int64_t scale = view->decimal_scale;
  if (scale < 0) {
    precision -= scale;
    scale = 0;
  }
  if (scale > MAX_PRECISION) {
    return bad(column, err, "a decimal of scale %" PRId64 " is beyond DECIMAL(38,38)",
               scale);
  }
  column->decimal_scale = view->decimal_scale;
  column->type.scale = (int32_t)scale;
  column->type.precision =
      (int32_t)LB_MIN(LB_MAX(LB_MAX(precision, scale), 1), MAX_PRECISION);
  return LB_OK;
}

static const struct ArrowSchema *values_of(const struct ArrowSchema *schema) {
  for (int i = 0; i < MAX_INDIRECTIONS; i++) {
    if (schema->dictionary) {
      schema = schema->dictionary;
    } else if (schema->format && strcmp(schema->format, "+r") == 0 &&
               schema->n_children == 2) {
      schema = schema->children[1];
    } else {
      break;
    }
  }
  return schema;
}

enum lb_status lb_param_column_init(struct lb_param_column *out,
                                    const struct ArrowSchema *schema, const char *noun,
                                    int32_t number, struct lb_error *err) {
  struct lb_param_column made = {0};
  write_label(&made, noun, number, schema->name);
  struct ArrowSchemaView view;
  struct ArrowError reason = {{0}};
  if (ArrowSchemaViewInit(&view, values_of(schema), &reason) != NANOARROW_OK) {
    return bad(&made, err, "its Arrow schema is not valid: %.200s", reason.message);
  }
  size_t at = 0;
  while (at < LB_ARRAY_LEN(types) && types[at].arrow != view.type) at++;
  if (at == LB_ARRAY_LEN(types)) {
    const char *name = ArrowTypeString(view.type);
    return bad(&made, err, "Arrow type %s: %s", name ? name : "unknown",
               remedy_of(view.type));
  }
  made.type = types[at].type;
  made.arrow = view.type;
  made.unit = view.time_unit;
  made.varies = view.type == NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO;
  /* What a schema's view says of other types than its own is not set. */
  if (view.type == NANOARROW_TYPE_TIMESTAMP &&
      (!view.timezone || view.timezone[0] == '\0')) {
    made.type.kind = LB_PARAM_TIMESTAMP_NTZ;
  }
  if (made.type.kind == LB_PARAM_DECIMAL && view.type != NANOARROW_TYPE_UINT64) {
    LB_TRY(take_decimal(&made, &view, err));
  }
  *out = made;
  return LB_OK;
}

/* Values. */

struct place {
  const struct ArrowArrayView *view;
  int64_t row;
  bool null;
};

static enum lb_status run_of(const struct lb_param_column *column, struct place *place,
                             struct lb_error *err) {
  const struct ArrowArrayView *ends = place->view->children[0];
  int64_t wanted = place->row + place->view->offset;
  int64_t low = 0, high = ends->length;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (ArrowArrayViewGetIntUnsafe(ends, middle) > wanted) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  place->view = place->view->children[1];
  place->row = low;
  if (low < place->view->length) return LB_OK;
  return bad(column, err, "its run ends stop before its last row");
}

/* Rule 1. */
static enum lb_status follow(const struct lb_param_column *column, struct place *place,
                             struct lb_error *err) {
  for (int i = 0; i < MAX_INDIRECTIONS; i++) {
    if (place->view->storage_type == NANOARROW_TYPE_RUN_END_ENCODED) {
      LB_TRY(run_of(column, place, err));
      continue;
    }
    place->null = place->view->storage_type == NANOARROW_TYPE_NA ||
                  ArrowArrayViewIsNull(place->view, place->row);
    if (place->null || !place->view->dictionary) return LB_OK;
    uint64_t index = ArrowArrayViewGetUIntUnsafe(place->view, place->row);
    if (index >= (uint64_t)place->view->dictionary->length) {
      return bad(column, err, "a value is not in its dictionary");
    }
    place->row = (int64_t)index;
    place->view = place->view->dictionary;
  }
  return bad(column, err, "dictionaries are nested too deeply");
}

/* digits: without leading zeros; scale of them stand behind the point. */
static void append_point(struct lb_buf *out, struct lb_str digits, size_t scale) {
  size_t whole = digits.len > scale ? digits.len - scale : 0;
  lb_buf_append(out, whole > 0 ? digits.data : "0", whole > 0 ? whole : 1);
  if (scale == 0) return;
  lb_buf_append_u8(out, '.');
  for (size_t i = digits.len; i < scale; i++) lb_buf_append_u8(out, '0');
  lb_buf_append(out, digits.data + whole, digits.len - whole);
}

static enum lb_status read_decimal(const struct lb_param_column *column,
                                   const struct place *place, struct lb_buf *out,
                                   struct lb_error *err) {
  struct ArrowDecimal decimal;
  int32_t bits = (int32_t)place->view->layout.element_size_bits[1];
  ArrowDecimalInit(&decimal, bits, MAX_PRECISION, column->decimal_scale);
  ArrowArrayViewGetDecimalUnsafe(place->view, place->row, &decimal);
  struct ArrowBuffer digits;
  ArrowBufferInit(&digits);
  if (ArrowDecimalAppendDigitsToBuffer(&decimal, &digits) != NANOARROW_OK) {
    ArrowBufferReset(&digits);
    return lb_error_oom(err, "a decimal");
  }
  struct lb_str text = {(const char *)digits.data, (size_t)digits.size_bytes};
  bool minus = text.len > 0 && text.data[0] == '-';
  text.data += minus;
  text.len -= minus;
  while (text.len > 0 && text.data[0] == '0') {
    text.data++;
    text.len--;
  }
  bool zero = text.len == 0;
  size_t zeros = column->decimal_scale < 0 && !zero ? (size_t)-column->decimal_scale : 0;
  bool fits = text.len + zeros <= (size_t)column->type.precision;
  if (fits) {
    if (minus && !zero) lb_buf_append_u8(out, '-');
    append_point(out, text, (size_t)column->type.scale);
    for (size_t i = 0; i < zeros; i++) lb_buf_append_u8(out, '0');
  }
  ArrowBufferReset(&digits);
  if (fits) return LB_OK;
  return bad(column, err, "a value has more digits than DECIMAL(%d,%d) holds",
             (int)column->type.precision, (int)column->type.scale);
}

static enum lb_status out_of_years(const struct lb_param_column *column,
                                   struct lb_error *err) {
  return bad(column, err, "a value is outside of the years 1 to 9999");
}

static enum lb_status read_date(const struct lb_param_column *column, int64_t value,
                                struct lb_buf *out, struct lb_error *err) {
  if (column->arrow == NANOARROW_TYPE_DATE64) {
    if (value % DAY_MS != 0) {
      return bad(column, err,
                 "a date64 is not a whole day; cast it to date32 or to a timestamp");
    }
    value /= DAY_MS;
  }
  return lb_param_append_date(out, value) ? LB_OK : out_of_years(column, err);
}

/* No error tells a value: it may be a secret. */
static enum lb_status below_micros(const struct lb_param_column *column,
                                   struct lb_error *err) {
  return bad(
      column, err,
      "a value is not a whole number of microseconds; round it before it is bound");
}

static int64_t units_per_second(enum ArrowTimeUnit unit) {
  return unit == NANOARROW_TIME_UNIT_SECOND  ? 1
         : unit == NANOARROW_TIME_UNIT_MILLI ? 1000
                                             : 1000000;
}

static enum lb_status read_timestamp(const struct lb_param_column *column, int64_t value,
                                     struct lb_buf *out, struct lb_error *err) {
  if (column->unit == NANOARROW_TIME_UNIT_NANO) {
    if (value % 1000 != 0) return below_micros(column, err);
    value /= 1000;
  }
  if (!lb_param_append_timestamp(out, value, units_per_second(column->unit))) {
    return out_of_years(column, err);
  }
  if (column->type.kind == LB_PARAM_TIMESTAMP) lb_buf_append_text(out, "+00:00");
  return LB_OK;
}

static enum lb_status too_long(const struct lb_param_column *column,
                               struct lb_error *err) {
  return bad(column, err, "a value is longer than INTERVAL DAY TO SECOND can be");
}

static enum lb_status read_duration(const struct lb_param_column *column, int64_t value,
                                    struct lb_buf *out, struct lb_error *err) {
  int64_t micros;
  if (column->unit == NANOARROW_TIME_UNIT_NANO) {
    if (value % 1000 != 0) return below_micros(column, err);
    micros = value / 1000;
  } else if (__builtin_mul_overflow(value, 1000000 / units_per_second(column->unit),
                                    &micros)) {
    return too_long(column, err);
  }
  lb_param_append_day_time(out, micros);
  return LB_OK;
}

/* Rule 5. */
static enum lb_status read_interval(const struct lb_param_column *column,
                                    const struct place *place, struct lb_param *param,
                                    struct lb_buf *out, struct lb_error *err) {
  struct ArrowInterval value = {0};
  ArrowArrayViewGetIntervalUnsafe(place->view, place->row, &value);
  if (value.months != 0 && (value.days != 0 || value.ns != 0)) {
    return bad(column, err,
               "an interval of both months and days has no SQL type; bind them as two "
               "parameters");
  }
  if (value.months != 0 || column->arrow == NANOARROW_TYPE_INTERVAL_MONTHS) {
    param->type.kind = LB_PARAM_YEAR_MONTH;
    lb_param_append_year_month(out, value.months);
    return LB_OK;
  }
  if (value.ns % 1000 != 0) return below_micros(column, err);
  int64_t micros;
  if (__builtin_mul_overflow((int64_t)value.days, DAY_US, &micros) ||
      __builtin_add_overflow(micros, value.ns / 1000 + (int64_t)value.ms * 1000,
                             &micros)) {
    return too_long(column, err);
  }
  lb_param_append_day_time(out, micros);
  return LB_OK;
}

static void append_number(struct lb_buf *out, const struct place *place,
                          enum ArrowType arrow) {
  char text[LB_NUMBER_TEXT_BYTES];
  size_t len;
  if (arrow == NANOARROW_TYPE_UINT64) {
    lb_buf_appendf(out, "%" PRIu64, ArrowArrayViewGetUIntUnsafe(place->view, place->row));
    return;
  }
  if (arrow == NANOARROW_TYPE_HALF_FLOAT || arrow == NANOARROW_TYPE_FLOAT ||
      arrow == NANOARROW_TYPE_DOUBLE) {
    len = lb_double_to_text(ArrowArrayViewGetDoubleUnsafe(place->view, place->row), text);
  } else {
    len = lb_i64_to_text(ArrowArrayViewGetIntUnsafe(place->view, place->row), text);
  }
  lb_buf_append(out, text, len);
}

static enum lb_status read_scalar(const struct lb_param_column *column,
                                  const struct place *place, struct lb_param *param,
                                  struct lb_buf *out, struct lb_error *err) {
  const struct ArrowArrayView *view = place->view;
  switch (param->type.kind) {
    case LB_PARAM_BOOLEAN:
      lb_buf_append_text(
          out, ArrowArrayViewGetIntUnsafe(view, place->row) != 0 ? "true" : "false");
      return LB_OK;
    case LB_PARAM_DATE:
      /* The accessor knows dates and times by their storage only. */
      return read_date(column, ArrowArrayViewGetIntUnsafe(view, place->row), out, err);
    case LB_PARAM_TIMESTAMP:
    case LB_PARAM_TIMESTAMP_NTZ:
      return read_timestamp(column, ArrowArrayViewGetIntUnsafe(view, place->row), out,
                            err);
    case LB_PARAM_DAY_TIME:
    case LB_PARAM_YEAR_MONTH:
      if (column->arrow == NANOARROW_TYPE_DURATION) {
        return read_duration(column, ArrowArrayViewGetIntUnsafe(view, place->row), out,
                             err);
      }
      return read_interval(column, place, param, out, err);
    case LB_PARAM_DECIMAL:
      if (column->arrow != NANOARROW_TYPE_UINT64) {
        return read_decimal(column, place, out, err);
      }
      append_number(out, place, column->arrow);
      return LB_OK;
    default:
      append_number(out, place, column->arrow);
      return LB_OK;
  }
}

static enum lb_status copy_value(const struct lb_param_column *column,
                                 struct lb_arena *arena, struct lb_str value,
                                 struct lb_param *param, struct lb_error *err) {
  const char *copy = lb_arena_strdup(arena, value);
  if (!copy) return lb_arena_refused(arena, value.len + 1, column->label, err);
  param->value = (struct lb_str){copy, value.len};
  return LB_OK;
}

static enum lb_status read_bytes(const struct lb_param_column *column,
                                 const struct place *place, struct lb_arena *arena,
                                 struct lb_param *param, struct lb_error *err) {
  struct ArrowBufferView view = ArrowArrayViewGetBytesUnsafe(place->view, place->row);
  struct lb_str value = {view.data.as_char, (size_t)view.size_bytes};
  if (value.len == 0) value.data = "";
  if (param->type.kind == LB_PARAM_STRING && !lb_utf8_valid(value.data, value.len)) {
    return bad(column, err, "a string is not valid UTF-8; bind it as binary");
  }
  return copy_value(column, arena, value, param, err);
}

enum lb_status lb_param_read(const struct lb_param_column *column,
                             const struct ArrowArrayView *view, int64_t row,
                             struct lb_arena *arena, struct lb_param *out,
                             struct lb_error *err) {
  struct place place = {view, row, false};
  struct lb_param param = {.type = column->type};
  LB_TRY(follow(column, &place, err));
  if (place.null) {
    param.null = true;
    *out = param;
    return LB_OK;
  }
  if (param.type.kind == LB_PARAM_STRING || param.type.kind == LB_PARAM_BINARY) {
    LB_TRY(read_bytes(column, &place, arena, &param, err));
    *out = param;
    return LB_OK;
  }
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_WIRE, 256);
  enum lb_status status = read_scalar(column, &place, &param, &text, err);
  if (status == LB_OK) status = lb_buf_check(&text, "a parameter's value", err);
  if (status == LB_OK) {
    struct lb_str value = {(const char *)text.data, text.len};
    status = copy_value(column, arena, value, &param, err);
  }
  lb_buf_reset(&text);
  if (status == LB_OK) *out = param;
  return status;
}
