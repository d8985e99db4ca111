/* SPDX-License-Identifier: Apache-2.0 */
/* How a page of Thrift columns becomes arrays:
 *
 * 1. Each column's variant and sizes are taken from the reply and checked: equal
 *    lengths, bytes enough for the values.
 * 2. A large page is cut into pieces of equal rows, each about a block of the pool: what
 *    is written is still in the cache when it is read, and the block of a piece that was
 *    dropped takes the next one. Rows of a piece are a multiple of 8, so that its nulls
 *    begin with a byte. What an array needs follows from its part of the reply, so one
 *    body holds the buffers of a piece and no buffer ever grows.
 * 3. The null bitmap (1 = null, any length) becomes Arrow's validity (1 = valid), or
 *    nothing when there is no null among the rows.
 * 4. Values are decoded into their place: numbers are swapped, texts copied in one
 *    pass, and dates, timestamps and decimals parsed. A value in the place of a null
 *    is never looked at: servers put fillers there. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "wire/arrow_array.h"
#include "wire/arrow_decode.h"
#include "wire/text_values.h"

#define VALUE_IN_ERROR_BYTES 64
#define NAME_IN_ERROR_BYTES 64
#define MICROS_A_SECOND INT64_C(1000000)
/* Short texts are copied in steps of this size: faster than by their exact length. */
#define COPY_STEP_BYTES 16
/* Of the pool's block, the rest is for rows that are larger than others. */
#define PIECE_BYTES (LB_BLOCK_PIECE_BYTES / 16 * 15)
#define PIECE_ROWS 8 /* a piece's rows are a multiple of these */
/* What is smaller is not worth a block. */
#define HEAP_BYTES (LB_BLOCK_PIECE_BYTES / 8)

enum variant { V_NONE, V_BOOL, V_I8, V_I16, V_I32, V_I64, V_DOUBLE, V_TEXT, V_BYTES };
static const struct {
  const char *name; /* as in the IDL */
  size_t width;     /* of a value; of strings, their length */
} variants[] = {
    [V_NONE] = {"no column", 0},   [V_BOOL] = {"boolVal", 1},
    [V_I8] = {"byteVal", 1},       [V_I16] = {"i16Val", 2},
    [V_I32] = {"i32Val", 4},       [V_I64] = {"i64Val", 8},
    [V_DOUBLE] = {"doubleVal", 8}, [V_TEXT] = {"stringVal", 4},
    [V_BYTES] = {"binaryVal", 4},
};

struct column;
struct target {
  enum ArrowType type;
  size_t width; /* of an element of the data buffer; 0: bits, offsets or none */
  int32_t buffers;
  enum lb_status (*decode)(struct column *col, struct lb_error *err);
};

struct column {
  const struct target *target;
  const char *name;
  const char *type_name;
  int32_t index;
  int32_t precision;
  int32_t scale;
  int64_t first_row;
  const struct lb_zone *zone; /* NULL: times without zone */
  bool zone_in_text;          /* "... Europe/Berlin" behind each value */
  bool cut_nanoseconds;
  struct lb_zone_hint hint;

  enum variant variant;
  /* Of the piece; raw_bytes of texts may go on with those of the next. */
  int32_t rows;
  const uint8_t *raw;
  size_t raw_bytes;
  struct lb_str nulls;
  bool has_nulls;
  const uint8_t *end; /* of what was read */

  uint8_t *validity; /* NULL without nulls */
  int64_t null_count;
  uint8_t *data;  /* values, bits or offsets */
  uint8_t *chars; /* bytes of texts */
};

static bool is_texts(const struct column *col) {
  return col->variant == V_TEXT || col->variant == V_BYTES;
}

/* Errors. */

static enum lb_status wrong_variant(const struct column *col, struct lb_error *err) {
  return lb_error_set(err, LB_INVALID_DATA,
                      "column %" PRId32
                      " \"%.*s\" is %s in the result's metadata but %s in "
                      "its rows",
                      col->index, NAME_IN_ERROR_BYTES, col->name, col->type_name,
                      variants[col->variant].name);
}

static enum lb_status damaged(const struct column *col, struct lb_error *err) {
  return lb_error_set(err, LB_PROTOCOL,
                      "column %" PRId32 " \"%.*s\": %zu bytes do not hold %" PRId32
                      " values of %s",
                      col->index, NAME_IN_ERROR_BYTES, col->name, col->raw_bytes,
                      col->rows, variants[col->variant].name);
}

static enum lb_status bad_value(const struct column *col, int32_t row, struct lb_str text,
                                const char *why, struct lb_error *err) {
  char shown[VALUE_IN_ERROR_BYTES + 1];
  size_t len = lb_str_copy(shown, sizeof(shown), text);
  lb_utf8_clean(shown, len);
  return lb_error_set(err, LB_INVALID_DATA,
                      "column %" PRId32 " \"%.*s\", row %" PRId64 ": \"%s\"%s %s %s",
                      col->index, NAME_IN_ERROR_BYTES, col->name, col->first_row + row,
                      shown, text.len > len ? "..." : "", why, col->type_name);
}

/* Step 3. */

static bool is_null(const struct column *col, int32_t row) {
  return col->validity != NULL && (col->validity[row >> 3] >> (row & 7) & 1) == 0;
}

static size_t bit_bytes(int32_t rows) { return ((size_t)rows + 7) / 8; }

static uint8_t last_mask(int32_t rows) {
  unsigned odd = (unsigned)rows % 8;
  return (uint8_t)(odd == 0 ? 0xFFu : (1u << odd) - 1u);
}

static bool any_null(struct lb_str nulls, int32_t rows) {
  size_t bytes = LB_MIN(nulls.len, bit_bytes(rows));
  unsigned any = 0;
  for (size_t i = 0; i < bytes; i++) {
    unsigned byte = (unsigned char)nulls.data[i];
    any |= i + 1 == bit_bytes(rows) ? byte & last_mask(rows) : byte;
  }
  return any != 0;
}

static void fill_validity(struct column *col) {
  if (!col->has_nulls) return;
  size_t bytes = bit_bytes(col->rows);
  int64_t valid = 0;
  for (size_t i = 0; i < bytes; i++) {
    unsigned nulls = i < col->nulls.len ? (unsigned char)col->nulls.data[i] : 0;
    unsigned mask = i + 1 == bytes ? last_mask(col->rows) : 0xFF;
    col->validity[i] = (uint8_t)(~nulls & mask);
    valid += __builtin_popcount(col->validity[i]);
  }
  col->null_count = col->rows - valid;
}

/* Step 4: numbers. */

static uint16_t load_be16(const uint8_t *at) {
  uint16_t v;
  memcpy(&v, at, sizeof(v));
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(v) : v;
}

static uint32_t load_be32(const uint8_t *at) {
  uint32_t v;
  memcpy(&v, at, sizeof(v));
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v;
}

static uint64_t load_be64(const uint8_t *at) {
  uint64_t v;
  memcpy(&v, at, sizeof(v));
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static double load_double(const uint8_t *at) {
  uint64_t bits = load_be64(at);
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/* Sixteen bytes at a time, in registers that every machine of 64 bits has: compilers do
 * not make this of a loop of byte swaps. */
typedef uint16_t lanes __attribute__((vector_size(16)));
#define LANES 8

static bool is_swapped(void) { return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__; }

static lanes load_lanes(const uint8_t *raw) {
  lanes v;
  memcpy(&v, raw, sizeof(v));
  return is_swapped() ? v << 8 | v >> 8 : v;
}

static void swap16(const uint8_t *restrict raw, uint8_t *restrict out, size_t rows) {
  size_t i = 0;
  for (; i + LANES <= rows; i += LANES) {
    lanes v = load_lanes(raw + 2 * i);
    memcpy(out + 2 * i, &v, sizeof(v));
  }
  for (; i < rows; i++) {
    uint16_t v = load_be16(raw + 2 * i);
    memcpy(out + 2 * i, &v, sizeof(v));
  }
}

static void swap32(const uint8_t *restrict raw, uint8_t *restrict out, size_t rows) {
  size_t i = 0;
  for (; is_swapped() && i + LANES / 2 <= rows; i += LANES / 2) {
    lanes v = load_lanes(raw + 4 * i);
    v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
    memcpy(out + 4 * i, &v, sizeof(v));
  }
  for (; i < rows; i++) {
    uint32_t v = load_be32(raw + 4 * i);
    memcpy(out + 4 * i, &v, sizeof(v));
  }
}

static void swap64(const uint8_t *restrict raw, uint8_t *restrict out, size_t rows) {
  size_t i = 0;
  for (; is_swapped() && i + LANES / 4 <= rows; i += LANES / 4) {
    lanes v = load_lanes(raw + 8 * i);
    v = __builtin_shufflevector(v, v, 3, 2, 1, 0, 7, 6, 5, 4);
    memcpy(out + 8 * i, &v, sizeof(v));
  }
  for (; i < rows; i++) {
    uint64_t v = load_be64(raw + 8 * i);
    memcpy(out + 8 * i, &v, sizeof(v));
  }
}

static int64_t load_int(const struct column *col, int32_t row) {
  const uint8_t *at = col->raw + variants[col->variant].width * (size_t)row;
  switch (col->variant) {
    case V_I8:
      return (int8_t)*at;
    case V_I16:
      return (int16_t)load_be16(at);
    case V_I32:
      return (int32_t)load_be32(at);
    default:
      return (int64_t)load_be64(at);
  }
}

static bool is_int(enum variant variant) { return variant >= V_I8 && variant <= V_I64; }

static enum lb_status decode_int(struct column *col, struct lb_error *err) {
  size_t width = variants[col->variant].width;
  if (!is_int(col->variant) || width > col->target->width) return wrong_variant(col, err);
  if (width == col->target->width) {
    if (width == 1) memcpy(col->data, col->raw, (size_t)col->rows);
    if (width == 2) swap16(col->raw, col->data, (size_t)col->rows);
    if (width == 4) swap32(col->raw, col->data, (size_t)col->rows);
    if (width == 8) swap64(col->raw, col->data, (size_t)col->rows);
    return LB_OK;
  }
  for (int32_t i = 0; i < col->rows; i++) {
    int64_t value = load_int(col, i);
    int16_t narrow = (int16_t)value;
    int32_t medium = (int32_t)value;
    uint8_t *at = col->data + col->target->width * (size_t)i;
    if (col->target->width == 2) memcpy(at, &narrow, sizeof(narrow));
    if (col->target->width == 4) memcpy(at, &medium, sizeof(medium));
    if (col->target->width == 8) memcpy(at, &value, sizeof(value));
  }
  return LB_OK;
}

static enum lb_status decode_double(struct column *col, struct lb_error *err) {
  double *out = (double *)(void *)col->data;
  if (col->variant == V_DOUBLE) {
    swap64(col->raw, col->data, (size_t)col->rows);
    return LB_OK;
  }
  if (!is_int(col->variant) || col->variant == V_I64) return wrong_variant(col, err);
  for (int32_t i = 0; i < col->rows; i++) out[i] = (double)load_int(col, i);
  return LB_OK;
}

/* FLOAT travels as a double that a float can hold, up to rounding: engines print it in
 * decimal, where the largest one reads a little larger. One that rounds to infinity is
 * not a FLOAT. */
static bool too_large(double value) {
  return (value < 0 ? -value : value) <= DBL_MAX && isinf((float)value);
}

static enum lb_status decode_float(struct column *col, struct lb_error *err) {
  float *out = (float *)(void *)col->data;
  if (col->variant == V_I8 || col->variant == V_I16) {
    for (int32_t i = 0; i < col->rows; i++) out[i] = (float)load_int(col, i);
    return LB_OK;
  }
  if (col->variant != V_DOUBLE) return wrong_variant(col, err);
  unsigned suspect = 0;
  for (int32_t i = 0; i < col->rows; i++) {
    double value = load_double(col->raw + 8 * (size_t)i);
    double size = value < 0 ? -value : value;
    suspect |= (unsigned)((size > (double)FLT_MAX) & (size <= DBL_MAX));
    out[i] = (float)value;
  }
  for (int32_t i = 0; suspect != 0 && i < col->rows; i++) {
    double value = load_double(col->raw + 8 * (size_t)i);
    if (is_null(col, i) || !too_large(value)) continue;
    char text[32];
    int len = snprintf(text, sizeof(text), "%g", value);
    return bad_value(col, i, (struct lb_str){text, (size_t)len}, "is too large for", err);
  }
  return LB_OK;
}

static enum lb_status decode_bool(struct column *col, struct lb_error *err) {
  if (col->variant != V_BOOL) return wrong_variant(col, err);
  memset(col->data, 0, bit_bytes(col->rows));
  for (int32_t i = 0; i < col->rows; i++) {
    unsigned bit = col->raw[i] != 0;
    col->data[i >> 3] = (uint8_t)(col->data[i >> 3] | bit << (i & 7));
  }
  return LB_OK;
}

static enum lb_status decode_null(struct column *col, struct lb_error *err) {
  (void)err;
  col->null_count = col->rows;
  col->end = col->raw + col->raw_bytes;
  return LB_OK;
}

/* Step 4: texts. */

/* The next length-prefixed value; false when it does not lie within the column. */
static bool next_text(const uint8_t **at, const uint8_t *end, struct lb_str *out) {
  size_t left = (size_t)(end - *at);
  if (left < 4) return false;
  size_t len = load_be32(*at);
  if (len > left - 4) return false;
  *out = (struct lb_str){(const char *)*at + 4, len};
  *at += 4 + len;
  return true;
}

static bool is_ascii(const uint8_t *data, size_t len) {
  uint64_t any = 0;
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word;
    memcpy(&word, data + i, sizeof(word));
    any |= word;
  }
  for (; i < len; i++) any |= data[i];
  return (any & UINT64_C(0x8080808080808080)) == 0;
}

static enum lb_status check_utf8(const struct column *col, struct lb_error *err) {
  const int32_t *offsets = (const int32_t *)(const void *)col->data;
  if (is_ascii(col->chars, (size_t)offsets[col->rows])) return LB_OK;
  for (int32_t i = 0; i < col->rows; i++) {
    struct lb_str text = {(const char *)col->chars + offsets[i],
                          (size_t)(offsets[i + 1] - offsets[i])};
    if (lb_utf8_valid(text.data, text.len)) continue;
    return bad_value(col, i, text, "is not UTF-8 and so no", err);
  }
  return LB_OK;
}

static enum lb_status copy_texts(struct column *col, struct lb_error *err) {
  const uint8_t *at = col->raw;
  const uint8_t *end = col->raw + col->raw_bytes;
  int32_t *offsets = (int32_t *)(void *)col->data;
  int32_t used = 0;
  offsets[0] = 0;
  for (int32_t i = 0; i < col->rows; i++) {
    struct lb_str text;
    if (!next_text(&at, end, &text)) return damaged(col, err);
    if (!is_null(col, i)) {
      if (text.len <= COPY_STEP_BYTES &&
          end - (const uint8_t *)text.data >= COPY_STEP_BYTES) {
        memcpy(col->chars + used, text.data, COPY_STEP_BYTES);
      } else {
        memcpy(col->chars + used, text.data, text.len);
      }
      used += (int32_t)text.len;
    }
    offsets[i + 1] = used;
  }
  col->end = at;
  return LB_OK;
}

static enum lb_status decode_binary(struct column *col, struct lb_error *err) {
  if (!is_texts(col)) return wrong_variant(col, err);
  return copy_texts(col, err);
}

/* A schema of text alone stands in for one that the server could not tell; its rows still
 * hold what they are. */
static enum lb_status print_numbers(struct column *col) {
  int32_t *offsets = (int32_t *)(void *)col->data;
  int32_t used = 0;
  offsets[0] = 0;
  for (int32_t i = 0; i < col->rows; i++) {
    char *out = (char *)col->chars + used;
    size_t len = 0;
    if (is_null(col, i)) {
      len = 0;
    } else if (col->variant == V_BOOL) {
      struct lb_str word = col->raw[i] != 0 ? LB_STR("true") : LB_STR("false");
      memcpy(out, word.data, word.len);
      len = word.len;
    } else if (col->variant == V_DOUBLE) {
      len = lb_double_to_text(load_double(col->raw + 8 * (size_t)i), out);
    } else {
      len = lb_i64_to_text(load_int(col, i), out);
    }
    used += (int32_t)len;
    offsets[i + 1] = used;
  }
  return LB_OK;
}

static enum lb_status decode_string(struct column *col, struct lb_error *err) {
  if (!is_texts(col)) return print_numbers(col);
  LB_TRY(copy_texts(col, err));
  return check_utf8(col, err);
}

/* Step 4: texts that are values. */

typedef enum lb_text_result parse_fn(struct column *col, struct lb_str text,
                                     uint8_t *out);

static const char *why(enum lb_text_result result) {
  switch (result) {
    case LB_TEXT_RANGE:
      return "is too large for";
    case LB_TEXT_INEXACT:
      return "has too many digits for";
    default:
      return "is not a value of";
  }
}

static inline enum lb_status parse_texts(struct column *col, parse_fn *parse,
                                         struct lb_error *err) {
  if (!is_texts(col)) return wrong_variant(col, err);
  const uint8_t *at = col->raw;
  const uint8_t *end = col->raw + col->raw_bytes;
  size_t width = col->target->width;
  for (int32_t i = 0; i < col->rows; i++) {
    struct lb_str text;
    uint8_t *out = col->data + width * (size_t)i;
    if (!next_text(&at, end, &text)) return damaged(col, err);
    if (is_null(col, i)) {
      memset(out, 0, width);
      continue;
    }
    enum lb_text_result result = parse(col, text, out);
    if (result != LB_TEXT_OK) return bad_value(col, i, text, why(result), err);
  }
  col->end = at;
  return LB_OK;
}

static enum lb_text_result parse_date(struct column *col, struct lb_str text,
                                      uint8_t *out) {
  (void)col;
  return lb_text_to_date32(text, (int32_t *)(void *)out);
}

/* Takes the zone's name off the end. */
static bool take_zone(const struct column *col, struct lb_str *text) {
  struct lb_str name = lb_str_from(lb_zone_said(col->zone));
  if (text->len <= name.len) return false;
  size_t rest = text->len - name.len - 1;
  struct lb_str tail = {text->data + rest + 1, name.len};
  if (text->data[rest] != ' ' || !lb_str_equal(tail, name)) return false;
  text->len = rest;
  return true;
}

static enum lb_text_result parse_timestamp(struct column *col, struct lb_str text,
                                           uint8_t *out) {
  int64_t local;
  if (col->zone_in_text && !take_zone(col, &text)) return LB_TEXT_MALFORMED;
  if (col->cut_nanoseconds) text = lb_text_cut_nanoseconds(text);
  enum lb_text_result result = lb_text_to_timestamp_us(text, &local);
  if (result != LB_TEXT_OK) return result;
  if (col->zone != NULL) {
    int64_t second = local / MICROS_A_SECOND - (local % MICROS_A_SECOND < 0 ? 1 : 0);
    int64_t offset = lb_zone_offset(col->zone, second, &col->hint);
    if (__builtin_sub_overflow(local, offset * MICROS_A_SECOND, &local)) {
      return LB_TEXT_RANGE;
    }
  }
  memcpy(out, &local, sizeof local);
  return LB_TEXT_OK;
}

/* Months, days, nanoseconds. */
static enum lb_text_result parse_months(struct column *col, struct lb_str text,
                                        uint8_t *out) {
  (void)col;
  memset(out, 0, col->target->width);
  return lb_text_to_months(text, (int32_t *)(void *)out);
}

static enum lb_text_result parse_duration(struct column *col, struct lb_str text,
                                          uint8_t *out) {
  if (col->cut_nanoseconds) text = lb_text_cut_nanoseconds(text);
  return lb_text_to_duration_us(text, (int64_t *)(void *)out);
}

static enum lb_text_result parse_decimal(struct column *col, struct lb_str text,
                                         uint8_t *out) {
  return lb_text_to_decimal128(text, col->precision, col->scale, (__int128 *)(void *)out);
}

static enum lb_status decode_date(struct column *col, struct lb_error *err) {
  return parse_texts(col, parse_date, err);
}
static enum lb_status decode_timestamp(struct column *col, struct lb_error *err) {
  return parse_texts(col, parse_timestamp, err);
}
static enum lb_status decode_months(struct column *col, struct lb_error *err) {
  return parse_texts(col, parse_months, err);
}
static enum lb_status decode_duration(struct column *col, struct lb_error *err) {
  return parse_texts(col, parse_duration, err);
}
static enum lb_status decode_decimal(struct column *col, struct lb_error *err) {
  return parse_texts(col, parse_decimal, err);
}

static const struct target targets[] = {
    {NANOARROW_TYPE_NA, 0, 0, decode_null},
    {NANOARROW_TYPE_BOOL, 0, 2, decode_bool},
    {NANOARROW_TYPE_INT8, 1, 2, decode_int},
    {NANOARROW_TYPE_INT16, 2, 2, decode_int},
    {NANOARROW_TYPE_INT32, 4, 2, decode_int},
    {NANOARROW_TYPE_INT64, 8, 2, decode_int},
    {NANOARROW_TYPE_FLOAT, 4, 2, decode_float},
    {NANOARROW_TYPE_DOUBLE, 8, 2, decode_double},
    {NANOARROW_TYPE_STRING, 0, 3, decode_string},
    {NANOARROW_TYPE_BINARY, 0, 3, decode_binary},
    {NANOARROW_TYPE_DATE32, 4, 2, decode_date},
    {NANOARROW_TYPE_TIMESTAMP, 8, 2, decode_timestamp},
    {NANOARROW_TYPE_DECIMAL128, 16, 2, decode_decimal},
    {NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO, 16, 2, decode_months},
    {NANOARROW_TYPE_DURATION, 8, 2, decode_duration},
};

/* Step 1. */

/* A page's column as it came, as far as no piece has taken it. */
struct source {
  int32_t rows;
  const uint8_t *raw;
  size_t raw_bytes;
  struct lb_str nulls;
};

/* The union's members all have the same two parts. */
#define TAKE(member, of_variant) \
  if (from->member != NULL) { \
    variant = of_variant; \
    *src = (struct source){.rows = from->member->values.count, \
                           .raw = from->member->values.raw, \
                           .raw_bytes = from->member->values.raw_bytes, \
                           .nulls = from->member->nulls}; \
  }
static enum variant find_source(const struct lb_t_column *from, struct source *src) {
  enum variant variant = V_NONE;
  TAKE(bool_val, V_BOOL)
  TAKE(byte_val, V_I8)
  TAKE(i16_val, V_I16)
  TAKE(i32_val, V_I32)
  TAKE(i64_val, V_I64)
  TAKE(double_val, V_DOUBLE)
  TAKE(string_val, V_TEXT)
  TAKE(binary_val, V_BYTES)
  return variant;
}
#undef TAKE

/* What the texts of a column may take, at most. */
static size_t char_bytes(const struct column *col) {
  size_t rows = (size_t)col->rows;
  return is_texts(col) ? col->raw_bytes - 4 * rows : LB_NUMBER_TEXT_BYTES * rows;
}

static enum lb_status check_source(const struct column *col, struct lb_error *err) {
  size_t needed = variants[col->variant].width * (size_t)col->rows;
  bool enough = is_texts(col) ? col->raw_bytes >= needed : col->raw_bytes == needed;
  return col->rows < 0 || !enough ? damaged(col, err) : LB_OK;
}

static enum lb_status find_target(const struct lb_result_schema *schema,
                                  struct column *col, struct lb_error *err) {
  const struct ArrowSchema *field = schema->arrow.children[col->index];
  const struct lb_sql_column *sql = &schema->columns[col->index];
  struct ArrowSchemaView view;
  struct ArrowError text = {.message = ""};
  if (ArrowSchemaViewInit(&view, field, &text) != NANOARROW_OK) {
    return lb_error_set(err, LB_INTERNAL, "the schema is broken: %s", text.message);
  }
  bool timed =
      view.type == NANOARROW_TYPE_TIMESTAMP || view.type == NANOARROW_TYPE_DURATION;
  bool zoned = view.type == NANOARROW_TYPE_TIMESTAMP && view.timezone[0] != '\0';
  bool fits = (!timed || view.time_unit == NANOARROW_TIME_UNIT_MICRO) &&
              (!zoned || schema->zone != NULL);
  for (size_t i = 0; fits && i < LB_ARRAY_LEN(targets); i++) {
    if (targets[i].type == view.type) col->target = &targets[i];
  }
  if (col->target == NULL) {
    return lb_error_set(
        err, LB_NOT_IMPLEMENTED,
        "column %" PRId32 " \"%.*s\": the server sends %s as text although "
        "its Arrow type is \"%.32s\"; cast it to STRING in the query",
        col->index, NAME_IN_ERROR_BYTES, col->name, col->type_name, field->format);
  }
  col->precision = view.decimal_precision;
  col->scale = view.decimal_scale;
  col->cut_nanoseconds = schema->cut_nanoseconds;
  if (zoned) col->zone = schema->zone;
  col->zone_in_text = zoned && sql->type_id == LB_T_TYPE_TIMESTAMP_LOCAL_TZ;
  return LB_OK;
}

struct lb_columns {
  const struct lb_result_schema *schema;
  int32_t count;
  int32_t rows_left;
  int32_t piece_rows; /* of all pieces but the last; 0 before the first */
  int64_t next_row;
  struct source *sources;
  /* Of the piece. */
  struct column *columns;
  struct lb_arrow_node *nodes; /* root, then columns */
  struct lb_arrow_body *body;
};

static enum lb_status open_columns(struct lb_columns *page,
                                   const struct lb_t_row_set *row_set,
                                   struct lb_error *err) {
  const struct lb_t_column *from = row_set->columns.items;
  for (int32_t i = 0; i < page->count; i++) {
    struct column *col = &page->columns[i];
    struct source *src = &page->sources[i];
    *col = (struct column){.name = page->schema->columns[i].name,
                           .type_name = page->schema->columns[i].type_name,
                           .index = i};
    LB_TRY(find_target(page->schema, col, err));
    col->variant = find_source(&from[i], src);
    if (col->variant == V_NONE) return wrong_variant(col, err);
    if (i == 0) page->rows_left = src->rows;
    if (src->rows != page->rows_left) {
      return lb_error_set(err, LB_PROTOCOL,
                          "column %" PRId32 " \"%.*s\" has %" PRId32
                          " rows, the first column has %" PRId32,
                          i, NAME_IN_ERROR_BYTES, col->name, src->rows, page->rows_left);
    }
    col->rows = src->rows;
    col->raw_bytes = src->raw_bytes;
    LB_TRY(check_source(col, err));
  }
  return LB_OK;
}

/* Step 2. */

/* What one row takes in the arrays, on the average, in eighths of a byte. */
static size_t row_bits(const struct lb_columns *page) {
  size_t bits = 1;
  for (int32_t i = 0; i < page->count; i++) {
    const struct column *col = &page->columns[i];
    size_t rows = (size_t)page->rows_left;
    bits += col->target->width > 0 ? 8 * col->target->width + 1 : 2;
    if (col->target->buffers < 3) continue;
    size_t chars = is_texts(col) ? page->sources[i].raw_bytes / rows : 4;
    bits += 8 * LB_MIN(chars, (size_t)INT32_MAX);
    if (!is_texts(col)) bits += 8 * (size_t)LB_NUMBER_TEXT_BYTES;
  }
  return bits;
}

/* rows is positive. */
static int32_t cut_rows(const struct lb_columns *page) {
  size_t rows = (size_t)page->rows_left;
  size_t around = 3 * LB_ARROW_ALIGN_BYTES * (size_t)page->count;
  size_t room = PIECE_BYTES - LB_MIN(around, PIECE_BYTES / 2);
  size_t most = LB_MAX(room * 8 / row_bits(page), (size_t)1);
  size_t pieces = (rows + most - 1) / most;
  size_t each = (rows + pieces - 1) / pieces;
  return (int32_t)LB_MIN((each + PIECE_ROWS - 1) / PIECE_ROWS * PIECE_ROWS, rows);
}

/* Where the next so many values end. */
static enum lb_status measure_texts(struct column *col, struct lb_error *err) {
  const uint8_t *at = col->raw;
  const uint8_t *end = col->raw + col->raw_bytes;
  for (int32_t i = 0; i < col->rows; i++) {
    struct lb_str text;
    if (!next_text(&at, end, &text)) return damaged(col, err);
  }
  col->raw_bytes = (size_t)(at - col->raw);
  return LB_OK;
}

static struct lb_str nulls_of(const struct source *src, int32_t rows) {
  return (struct lb_str){src->nulls.data, LB_MIN(src->nulls.len, bit_bytes(rows))};
}

static enum lb_status take_piece(struct lb_columns *page, int32_t rows,
                                 struct lb_error *err) {
  for (int32_t i = 0; i < page->count; i++) {
    struct column *col = &page->columns[i];
    const struct source *src = &page->sources[i];
    bool last = rows == page->rows_left;
    col->first_row = page->next_row;
    col->rows = rows;
    col->raw = src->raw;
    col->raw_bytes =
        is_texts(col) ? src->raw_bytes : variants[col->variant].width * (size_t)rows;
    col->nulls = nulls_of(src, rows);
    col->has_nulls = col->target->buffers > 0 && any_null(col->nulls, rows);
    col->null_count = 0;
    col->validity = col->data = col->chars = NULL;
    if (col->target->buffers == 2) continue; /* its values are told when they are read */
    if (is_texts(col) && !last) LB_TRY(measure_texts(col, err));
    if (col->target->buffers == 3 && char_bytes(col) > INT32_MAX) {
      return lb_error_set(err, LB_INVALID_DATA,
                          "column %" PRId32
                          " \"%.*s\" has more than 2 GiB of text in one "
                          "page; lower the option databricks.max_bytes_per_fetch",
                          col->index, NAME_IN_ERROR_BYTES, col->name);
    }
  }
  return LB_OK;
}

/* What the next piece begins with. */
static enum lb_status leave_piece(struct lb_columns *page, int32_t rows,
                                  struct lb_error *err) {
  page->rows_left -= rows;
  page->next_row += rows;
  for (int32_t i = 0; i < page->count; i++) {
    struct column *col = &page->columns[i];
    struct source *src = &page->sources[i];
    size_t used = is_texts(col) ? (size_t)(col->end - src->raw) : col->raw_bytes;
    size_t bytes = LB_MIN(src->nulls.len, (size_t)rows / 8);
    src->raw += used;
    src->raw_bytes -= used;
    src->nulls.data += bytes;
    src->nulls.len -= bytes;
    if (page->rows_left == 0 && src->raw_bytes > 0) return damaged(col, err);
  }
  return LB_OK;
}

/* Takes bytes from the body, or only counts them while there is none. */
static uint8_t *carve(const struct lb_columns *page, size_t *used, size_t bytes) {
  size_t offset = *used;
  *used += (bytes + LB_ARROW_ALIGN_BYTES - 1) & ~(size_t)(LB_ARROW_ALIGN_BYTES - 1);
  return page->body == NULL ? NULL : page->body->data + offset;
}

/* No sum here can overflow: all is a small multiple of what the reply holds in memory. */
static size_t place_buffers(struct lb_columns *page) {
  size_t used = 0;
  for (int32_t i = 0; i < page->count; i++) {
    struct column *col = &page->columns[i];
    size_t rows = (size_t)col->rows;
    if (col->has_nulls) col->validity = carve(page, &used, bit_bytes(col->rows));
    if (col->target->buffers == 2) {
      size_t width = col->target->width;
      col->data = carve(page, &used, width > 0 ? width * rows : bit_bytes(col->rows));
    }
    if (col->target->buffers == 3) {
      col->data = carve(page, &used, sizeof(int32_t) * (rows + 1));
      col->chars = carve(page, &used, char_bytes(col) + COPY_STEP_BYTES);
    }
  }
  return used;
}

static enum lb_status decode_piece(struct lb_columns *page, int32_t rows,
                                   struct lb_error *err) {
  page->nodes[0] = (struct lb_arrow_node){
      .length = rows, .buffer_count = 1, .child_count = page->count};
  for (int32_t i = 0; i < page->count; i++) {
    struct column *col = &page->columns[i];
    col->end = col->raw;
    fill_validity(col);
    LB_TRY(col->target->decode(col, err));
    page->nodes[i + 1] =
        (struct lb_arrow_node){.length = col->rows,
                               .null_count = col->null_count,
                               .buffer_count = col->target->buffers,
                               .buffers = {col->validity, col->data, col->chars}};
  }
  return leave_piece(page, rows, err);
}

static enum lb_status make_body(struct lb_columns *page, struct lb_pool *pool,
                                size_t bytes, struct lb_error *err) {
  if (pool == NULL || bytes < HEAP_BYTES) {
    return lb_arrow_body_create(bytes, 0, &page->body, err);
  }
  return lb_arrow_body_take(pool, LB_BLOCK_PIECE, bytes, 0, &page->body, err);
}

static enum lb_status check_columns(const struct lb_result_schema *schema,
                                    const struct lb_t_row_set *row_set,
                                    struct lb_error *err) {
  int32_t count = row_set->columns.count;
  if (count != schema->column_count) {
    return lb_error_set(err, LB_PROTOCOL,
                        "a page has %" PRId32 " columns, the result has %" PRId32, count,
                        schema->column_count);
  }
  return LB_OK;
}

static enum lb_status reject_other_forms(const struct lb_t_row_set *row_set,
                                         struct lb_error *err) {
  if (row_set->binary_columns.len > 0) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "the server sends serialised column blobs; set "
                        "hive.server2.thrift.resultset.serialize.in.tasks=false on it");
  }
  if (row_set->rows.count > 0) {
    return lb_error_set(
        err, LB_NOT_IMPLEMENTED,
        "the server sends rows instead of columns; protocol versions before "
        "V6 are not supported");
  }
  return LB_OK;
}

void lb_columns_close(struct lb_columns *page) {
  if (page == NULL) return;
  lb_free(page->sources);
  lb_free(page->columns);
  lb_free(page->nodes);
  lb_free(page);
}

enum lb_status lb_columns_open(const struct lb_result_schema *schema,
                               const struct lb_t_row_set *row_set, int64_t first_row,
                               struct lb_columns **out, struct lb_error *err) {
  LB_TRY(reject_other_forms(row_set, err));
  if (row_set->columns.count > 0) LB_TRY(check_columns(schema, row_set, err));
  struct lb_columns *page = lb_alloc_zero(LB_MEM_ARROW, sizeof(*page));
  if (page == NULL) return lb_error_oom(err, "a page of columns");
  size_t count = (size_t)row_set->columns.count;
  page->schema = schema;
  page->count = row_set->columns.count;
  page->next_row = first_row;
  page->sources = lb_alloc_array(LB_MEM_ARROW, count, sizeof(*page->sources));
  page->columns = lb_alloc_array(LB_MEM_ARROW, count, sizeof(*page->columns));
  page->nodes = lb_alloc_array(LB_MEM_ARROW, count + 1, sizeof(*page->nodes));
  enum lb_status status = LB_OK;
  if (page->sources == NULL || page->columns == NULL || page->nodes == NULL) {
    status = lb_error_oom(err, "a page of columns");
  }
  if (status == LB_OK) status = open_columns(page, row_set, err);
  if (status != LB_OK) {
    lb_columns_close(page);
    return status;
  }
  *out = page;
  return LB_OK;
}

int64_t lb_columns_rows_left(const struct lb_columns *page) { return page->rows_left; }

enum lb_status lb_columns_next(struct lb_columns *page, struct lb_pool *pool,
                               struct ArrowArray *out, struct lb_error *err) {
  out->release = NULL;
  if (page->rows_left == 0) return LB_OK;
  if (page->piece_rows == 0) {
    page->piece_rows = pool != NULL ? cut_rows(page) : page->rows_left;
  }
  int32_t rows = LB_MIN(page->piece_rows, page->rows_left);
  LB_TRY(take_piece(page, rows, err));
  size_t bytes = place_buffers(page);
  LB_TRY(make_body(page, pool, bytes, err));
  place_buffers(page);
  enum lb_status status = decode_piece(page, rows, err);
  if (status == LB_OK) {
    lb_arrow_body_trim(&page->body, bytes);
    status = lb_arrow_publish(page->nodes, page->count + 1, page->body, NULL, out, err);
  }
  lb_arrow_body_release(page->body);
  page->body = NULL;
  return status;
}

enum lb_status lb_columns_decode(const struct lb_result_schema *schema,
                                 const struct lb_t_row_set *row_set, int64_t first_row,
                                 struct ArrowArray *out, int64_t *rows,
                                 struct lb_error *err) {
  struct lb_columns *page;
  struct ArrowArray array = {.release = NULL};
  LB_TRY(lb_columns_open(schema, row_set, first_row, &page, err));
  int64_t found = page->rows_left;
  enum lb_status status = lb_columns_next(page, NULL, &array, err);
  lb_columns_close(page);
  if (status != LB_OK) return status;
  *out = array;
  *rows = found;
  return LB_OK;
}

/* Adds a stated row count. */
static enum lb_status add_rows(struct lb_t_i64 count, int64_t *rows,
                               struct lb_error *err) {
  if (!count.set || count.v < 0 || __builtin_add_overflow(*rows, count.v, rows)) {
    return lb_error_set(err, LB_PROTOCOL, "a batch or link states %" PRId64 " rows",
                        count.v);
  }
  return LB_OK;
}

enum lb_status lb_row_set_rows(const struct lb_t_row_set *row_set, int64_t *rows,
                               struct lb_error *err) {
  int64_t sum = 0;
  LB_TRY(reject_other_forms(row_set, err));
  const struct lb_t_spark_arrow_batch *batches = row_set->arrow_batches.items;
  for (int32_t i = 0; i < row_set->arrow_batches.count; i++) {
    LB_TRY(add_rows(batches[i].row_count, &sum, err));
  }
  const struct lb_t_spark_arrow_result_link *links = row_set->result_links.items;
  for (int32_t i = 0; i < row_set->result_links.count; i++) {
    LB_TRY(add_rows(links[i].row_count, &sum, err));
  }
  if (row_set->columns.count > 0) {
    struct source src = {.rows = 0};
    (void)find_source(row_set->columns.items, &src);
    LB_TRY(add_rows(LB_T_I64(src.rows), &sum, err));
  }
  *rows = sum;
  return LB_OK;
}
