/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/param.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/test_support.h"

/* One column with one value, as an application would bind it. */
struct cell {
  struct ArrowSchema schema;
  struct ArrowArray array;
};

#define MUST(expr) assert_int_equal((expr), NANOARROW_OK)

static void begin(struct cell *cell, enum ArrowType type) {
  ArrowSchemaInit(&cell->schema);
  MUST(ArrowSchemaSetType(&cell->schema, type));
}

static void begin_time(struct cell *cell, enum ArrowType type, enum ArrowTimeUnit unit,
                       const char *zone) {
  ArrowSchemaInit(&cell->schema);
  MUST(ArrowSchemaSetTypeDateTime(&cell->schema, type, unit, zone));
}

static void start(struct cell *cell) {
  MUST(ArrowSchemaSetName(&cell->schema, "price"));
  MUST(ArrowArrayInitFromSchema(&cell->array, &cell->schema, NULL));
  MUST(ArrowArrayStartAppending(&cell->array));
}

/* Reads the value; text gets "TYPE|value" or the error's message. */
static void take(struct cell *cell, char *text, size_t cap, char *literal) {
  struct lb_arena arena;
  struct lb_param_column column;
  struct lb_param param;
  struct ArrowArrayView view;
  struct lb_error err = LB_ERROR_INIT;
  char type[LB_PARAM_TYPE_BYTES];
  MUST(ArrowArrayFinishBuildingDefault(&cell->array, NULL));
  MUST(ArrowArrayViewInitFromSchema(&view, &cell->schema, NULL));
  MUST(ArrowArrayViewSetArray(&view, &cell->array, NULL));
  lb_arena_init(&arena, LB_MEM_MISC, 1u << 20);
  enum lb_status status =
      lb_param_column_init(&column, &cell->schema, "parameter", 1, &err);
  if (status == LB_OK) status = lb_param_read(&column, &view, 0, &arena, &param, &err);
  struct lb_buf out;
  lb_buf_init(&out, LB_MEM_TEST, 4096);
  if (status != LB_OK) {
    assert_int_equal(status, LB_INVALID_ARGUMENT);
    LB_TEST_CONTAINS(err.message, "parameter 1 ('price')");
    lb_buf_append_text(&out, err.message);
  } else {
    lb_param_type_text(param.type, LB_DIALECT_SPARK, type);
    lb_buf_appendf(&out, "%s|", type);
    lb_buf_append_str(&out, param.null ? LB_STR("NULL") : param.value);
  }
  lb_str_copy(text, cap, (struct lb_str){(const char *)out.data, out.len});
  if (literal && status == LB_OK) {
    lb_buf_clear(&out);
    lb_param_append_literal(&param, LB_DIALECT_SPARK, &out);
    lb_str_copy(literal, cap, (struct lb_str){(const char *)out.data, out.len});
  }
  lb_buf_reset(&out);
  lb_arena_reset(&arena);
  ArrowArrayViewReset(&view);
  cell->array.release(&cell->array);
  cell->schema.release(&cell->schema);
}

static void expect(struct cell *cell, const char *wanted, const char *wanted_literal) {
  char text[512], literal[512] = "";
  take(cell, text, sizeof text, literal);
  assert_string_equal(text, wanted);
  if (wanted_literal) assert_string_equal(literal, wanted_literal);
}

static void refused(struct cell *cell, const char *says) {
  char text[512];
  take(cell, text, sizeof text, NULL);
  LB_TEST_CONTAINS(text, says);
}

static void expect_int(enum ArrowType type, int64_t value, const char *wanted,
                       const char *literal) {
  struct cell cell;
  begin(&cell, type);
  start(&cell);
  MUST(ArrowArrayAppendInt(&cell.array, value));
  expect(&cell, wanted, literal);
}

static void test_integers(void **state) {
  (void)state;
  expect_int(NANOARROW_TYPE_INT8, -128, "TINYINT|-128", "CAST('-128' AS TINYINT)");
  expect_int(NANOARROW_TYPE_INT8, 127, "TINYINT|127", "127Y");
  expect_int(NANOARROW_TYPE_UINT8, 255, "SMALLINT|255", "255S");
  expect_int(NANOARROW_TYPE_INT16, -32768, "SMALLINT|-32768", NULL);
  expect_int(NANOARROW_TYPE_UINT16, 65535, "INT|65535", "65535");
  expect_int(NANOARROW_TYPE_INT32, INT32_MIN, "INT|-2147483648", NULL);
  expect_int(NANOARROW_TYPE_UINT32, UINT32_MAX, "BIGINT|4294967295", "4294967295L");
  expect_int(NANOARROW_TYPE_INT64, INT64_MIN, "BIGINT|-9223372036854775808",
             "CAST('-9223372036854775808' AS BIGINT)");
  expect_int(NANOARROW_TYPE_BOOL, 1, "BOOLEAN|true", "true");
  expect_int(NANOARROW_TYPE_BOOL, 0, "BOOLEAN|false", "false");
  struct cell cell;
  begin(&cell, NANOARROW_TYPE_UINT64);
  start(&cell);
  MUST(ArrowArrayAppendUInt(&cell.array, UINT64_MAX));
  expect(&cell, "DECIMAL(20,0)|18446744073709551615",
         "CAST('18446744073709551615' AS DECIMAL(20,0))");
}

static void expect_double(enum ArrowType type, double value, const char *wanted,
                          const char *literal) {
  struct cell cell;
  begin(&cell, type);
  start(&cell);
  MUST(ArrowArrayAppendDouble(&cell.array, value));
  expect(&cell, wanted, literal);
}

static void test_floats(void **state) {
  (void)state;
  expect_double(NANOARROW_TYPE_DOUBLE, 0.1, "DOUBLE|0.1", "CAST('0.1' AS DOUBLE)");
  expect_double(NANOARROW_TYPE_DOUBLE, -0.0, "DOUBLE|-0", NULL);
  expect_double(NANOARROW_TYPE_DOUBLE, (double)NAN, "DOUBLE|NaN",
                "CAST('NaN' AS DOUBLE)");
  expect_double(NANOARROW_TYPE_FLOAT, -(double)INFINITY, "FLOAT|-Infinity", NULL);
  expect_double(NANOARROW_TYPE_DOUBLE, DBL_MAX, "DOUBLE|1.7976931348623157e+308", NULL);
  expect_double(NANOARROW_TYPE_HALF_FLOAT, 1.5, "FLOAT|1.5", NULL);
}

static void decimal(struct cell *cell, enum ArrowType type, int32_t precision,
                    int32_t scale, const char *digits) {
  ArrowSchemaInit(&cell->schema);
  MUST(ArrowSchemaSetTypeDecimal(&cell->schema, type, precision, scale));
  start(cell);
  int32_t bits = type == NANOARROW_TYPE_DECIMAL256   ? 256
                 : type == NANOARROW_TYPE_DECIMAL128 ? 128
                 : type == NANOARROW_TYPE_DECIMAL64  ? 64
                                                     : 32;
  struct ArrowDecimal value;
  ArrowDecimalInit(&value, bits, precision, scale);
  MUST(ArrowDecimalSetDigits(&value, ArrowCharView(digits)));
  MUST(ArrowArrayAppendDecimal(&cell->array, &value));
}

static void test_decimals(void **state) {
  (void)state;
  struct cell cell;
  decimal(&cell, NANOARROW_TYPE_DECIMAL128, 10, 2, "-1230");
  expect(&cell, "DECIMAL(10,2)|-12.30", "CAST('-12.30' AS DECIMAL(10,2))");
  decimal(&cell, NANOARROW_TYPE_DECIMAL32, 5, 4, "7");
  expect(&cell, "DECIMAL(5,4)|0.0007", NULL);
  decimal(&cell, NANOARROW_TYPE_DECIMAL64, 10, 0, "0");
  expect(&cell, "DECIMAL(10,0)|0", NULL);
  decimal(&cell, NANOARROW_TYPE_DECIMAL128, 38, 38,
          "99999999999999999999999999999999999999");
  expect(&cell, "DECIMAL(38,38)|0.99999999999999999999999999999999999999", NULL);
  decimal(&cell, NANOARROW_TYPE_DECIMAL128, 3, -2, "123");
  expect(&cell, "DECIMAL(5,0)|12300", NULL);
  decimal(&cell, NANOARROW_TYPE_DECIMAL256, 76, 1, "-125");
  expect(&cell, "DECIMAL(38,1)|-12.5", NULL);
  decimal(&cell, NANOARROW_TYPE_DECIMAL256, 76, 1,
          "123456789012345678901234567890123456789");
  refused(&cell, "more digits than DECIMAL(38,1)");
  decimal(&cell, NANOARROW_TYPE_DECIMAL256, 76, 40, "1");
  refused(&cell, "scale 40");
}

static void expect_time(enum ArrowType type, enum ArrowTimeUnit unit, const char *zone,
                        int64_t value, const char *wanted) {
  struct cell cell;
  begin_time(&cell, type, unit, zone);
  start(&cell);
  MUST(ArrowArrayAppendInt(&cell.array, value));
  expect(&cell, wanted, NULL);
}

static void refused_time(enum ArrowType type, enum ArrowTimeUnit unit, int64_t value,
                         const char *says) {
  struct cell cell;
  begin_time(&cell, type, unit, NULL);
  start(&cell);
  MUST(ArrowArrayAppendInt(&cell.array, value));
  refused(&cell, says);
}

#define SECOND NANOARROW_TIME_UNIT_SECOND
#define MILLI NANOARROW_TIME_UNIT_MILLI
#define MICRO NANOARROW_TIME_UNIT_MICRO
#define NANO NANOARROW_TIME_UNIT_NANO

static void test_dates(void **state) {
  (void)state;
  expect_int(NANOARROW_TYPE_DATE32, 0, "DATE|1970-01-01", "CAST('1970-01-01' AS DATE)");
  expect_int(NANOARROW_TYPE_DATE32, -719162, "DATE|0001-01-01", NULL);
  expect_int(NANOARROW_TYPE_DATE32, 2932896, "DATE|9999-12-31", NULL);
  expect_int(NANOARROW_TYPE_DATE32, 11016, "DATE|2000-02-29", NULL);
  expect_int(NANOARROW_TYPE_DATE64, -86400000, "DATE|1969-12-31", NULL);
  struct cell cell;
  begin(&cell, NANOARROW_TYPE_DATE32);
  start(&cell);
  MUST(ArrowArrayAppendInt(&cell.array, 2932897));
  refused(&cell, "years 1 to 9999");
  begin(&cell, NANOARROW_TYPE_DATE64);
  start(&cell);
  MUST(ArrowArrayAppendInt(&cell.array, 1));
  refused(&cell, "whole day");
}

static void test_timestamps(void **state) {
  (void)state;
  const enum ArrowType type = NANOARROW_TYPE_TIMESTAMP;
  expect_time(type, SECOND, NULL, -1, "TIMESTAMP_NTZ|1969-12-31 23:59:59");
  expect_time(type, MILLI, "", 1, "TIMESTAMP_NTZ|1970-01-01 00:00:00.001000");
  expect_time(type, MICRO, "UTC", -1, "TIMESTAMP|1969-12-31 23:59:59.999999+00:00");
  expect_time(type, NANO, "Asia/Tokyo", 1000,
              "TIMESTAMP|1970-01-01 00:00:00.000001+00:00");
  expect_time(type, SECOND, NULL, INT64_C(253402300799),
              "TIMESTAMP_NTZ|9999-12-31 23:59:59");
  expect_time(type, SECOND, NULL, INT64_C(-62135596800),
              "TIMESTAMP_NTZ|0001-01-01 00:00:00");
  refused_time(type, NANO, 1, "whole number of microseconds");
  refused_time(type, SECOND, INT64_MAX, "years 1 to 9999");
  refused_time(type, MICRO, INT64_MIN, "years 1 to 9999");
  refused_time(NANOARROW_TYPE_TIME64, MICRO, 1, "no time of day");
}

static void test_intervals(void **state) {
  (void)state;
  const enum ArrowType type = NANOARROW_TYPE_DURATION;
  expect_time(type, SECOND, NULL, 90061, "INTERVAL DAY TO SECOND|1 01:01:01");
  expect_time(type, MICRO, NULL, -1, "INTERVAL DAY TO SECOND|-0 00:00:00.000001");
  expect_time(type, MICRO, NULL, INT64_MIN,
              "INTERVAL DAY TO SECOND|-106751991 04:00:54.775808");
  refused_time(type, NANO, 999, "parameter 1 ('price'): a value is not a whole number");
  refused_time(type, SECOND, INT64_MAX, "longer than");
  struct cell cell;
  struct ArrowInterval months;
  ArrowIntervalInit(&months, NANOARROW_TYPE_INTERVAL_MONTHS);
  months.months = -14;
  begin(&cell, NANOARROW_TYPE_INTERVAL_MONTHS);
  start(&cell);
  MUST(ArrowArrayAppendInterval(&cell.array, &months));
  expect(&cell, "INTERVAL YEAR TO MONTH|-1-2", "INTERVAL '-1-2' YEAR TO MONTH");
}

static void mixed(struct cell *cell, int32_t months, int32_t days, int64_t ns) {
  struct ArrowInterval value;
  ArrowIntervalInit(&value, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
  value.months = months;
  value.days = days;
  value.ns = ns;
  begin(cell, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
  start(cell);
  MUST(ArrowArrayAppendInterval(&cell->array, &value));
}

static void test_mixed_intervals(void **state) {
  (void)state;
  struct cell cell;
  mixed(&cell, 13, 0, 0);
  expect(&cell, "INTERVAL YEAR TO MONTH|1-1", NULL);
  mixed(&cell, 0, 2, -1000);
  expect(&cell, "INTERVAL DAY TO SECOND|1 23:59:59.999999",
         "INTERVAL '1 23:59:59.999999' DAY TO SECOND");
  mixed(&cell, 1, 1, 0);
  refused(&cell, "both months and days");
  mixed(&cell, 0, INT32_MAX, 0);
  refused(&cell, "longer than");
}

static void expect_text(enum ArrowType type, const char *value, const char *wanted,
                        const char *literal) {
  struct cell cell;
  begin(&cell, type);
  start(&cell);
  if (type == NANOARROW_TYPE_BINARY) {
    struct ArrowBufferView bytes = {.data.data = value,
                                    .size_bytes = (int64_t)strlen(value)};
    MUST(ArrowArrayAppendBytes(&cell.array, bytes));
  } else {
    MUST(ArrowArrayAppendString(&cell.array, ArrowCharView(value)));
  }
  expect(&cell, wanted, literal);
}

static void test_texts(void **state) {
  (void)state;
  expect_text(NANOARROW_TYPE_STRING, "plain ? :x --", "STRING|plain ? :x --",
              "'plain ? :x --'");
  expect_text(NANOARROW_TYPE_LARGE_STRING, "", "STRING|", "''");
  expect_text(NANOARROW_TYPE_STRING_VIEW, "it's", "STRING|it's",
              "CAST(X'69742773' AS STRING)");
  expect_text(NANOARROW_TYPE_STRING, "\\", "STRING|\\", "CAST(X'5C' AS STRING)");
  expect_text(NANOARROW_TYPE_STRING, "${x}", "STRING|${x}",
              "CAST(X'247B787D' AS STRING)");
  expect_text(NANOARROW_TYPE_STRING, "\n", "STRING|\n", "CAST(X'0A' AS STRING)");
  expect_text(NANOARROW_TYPE_BINARY, "\x01\xff", "BINARY|\x01\xff", "X'01FF'");
  struct cell cell;
  begin(&cell, NANOARROW_TYPE_STRING);
  start(&cell);
  MUST(ArrowArrayAppendString(&cell.array, ArrowCharView("\xff")));
  refused(&cell, "not valid UTF-8");
}

static void expect_null(enum ArrowType type, const char *wanted, const char *literal) {
  struct cell cell;
  begin(&cell, type);
  start(&cell);
  MUST(ArrowArrayAppendNull(&cell.array, 1));
  expect(&cell, wanted, literal);
}

static void test_nulls(void **state) {
  (void)state;
  expect_null(NANOARROW_TYPE_NA, "VOID|NULL", "NULL");
  expect_null(NANOARROW_TYPE_INT32, "INT|NULL", "CAST(NULL AS INT)");
  expect_null(NANOARROW_TYPE_STRING, "STRING|NULL", "CAST(NULL AS STRING)");
}

static void test_other_types(void **state) {
  (void)state;
  struct cell cell;
  ArrowSchemaInit(&cell.schema);
  MUST(ArrowSchemaSetTypeStruct(&cell.schema, 1));
  MUST(ArrowSchemaSetType(cell.schema.children[0], NANOARROW_TYPE_INT32));
  start(&cell);
  refused(&cell, "from_json");
}

static void test_hive(void **state) {
  (void)state;
  struct lb_buf out;
  lb_buf_init(&out, LB_MEM_TEST, 4096);
  struct lb_param instant = {.type = {LB_PARAM_TIMESTAMP, 0, 0},
                             .value = LB_STR("2020-01-01 00:00:00+00:00")};
  lb_param_append_literal(&instant, LB_DIALECT_HIVE, &out);
  assert_string_equal(
      lb_buf_text(&out),
      "CAST('2020-01-01 00:00:00 UTC' AS TIMESTAMP WITH LOCAL TIME ZONE)");
  lb_buf_clear(&out);
  struct lb_param interval = {.type = {LB_PARAM_DAY_TIME, 0, 0}, .null = true};
  lb_param_append_literal(&interval, LB_DIALECT_HIVE, &out);
  assert_string_equal(lb_buf_text(&out), "NULL");
  lb_buf_clear(&out);
  struct lb_param text = {.type = {LB_PARAM_STRING, 0, 0}, .value = LB_STR("'")};
  lb_param_append_literal(&text, LB_DIALECT_HIVE, &out);
  assert_string_equal(lb_buf_text(&out), "decode(unhex('27'), 'UTF-8')");
  lb_buf_reset(&out);
}

LB_TEST_MAIN(LB_TEST(test_integers), LB_TEST(test_floats), LB_TEST(test_decimals),
             LB_TEST(test_dates), LB_TEST(test_timestamps), LB_TEST(test_intervals),
             LB_TEST(test_mixed_intervals), LB_TEST(test_texts), LB_TEST(test_nulls),
             LB_TEST(test_other_types), LB_TEST(test_hive))
