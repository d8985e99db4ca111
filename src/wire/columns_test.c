/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_test_support.h"

#include <math.h>

#define MAX_COLUMNS 8

/* A page of columns with the metadata that describes it, built column by column. */
struct sheet {
  int count;
  struct lb_t_column columns[MAX_COLUMNS];
  struct lb_t_string_column parts[MAX_COLUMNS]; /* all column structs look alike */
  struct bytes raw[MAX_COLUMNS];
  struct lb_t_column_desc descs[MAX_COLUMNS];
  struct lb_t_type_desc type_descs[MAX_COLUMNS];
  struct lb_t_type_entry entries[MAX_COLUMNS];
  struct lb_t_primitive_type_entry types[MAX_COLUMNS];
  struct lb_t_type_qualifiers qualifiers[MAX_COLUMNS];
  struct lb_t_type_qualifier_value values[MAX_COLUMNS][2];
  struct lb_result_schema schema;
  struct ArrowArray array;
  struct ArrowArrayView view;
  int64_t rows;
  bool cut_nanoseconds;
  bool instants;
  struct lb_zone *zone_own; /* of the schema once it is made */
  struct lb_error err;
};

static void sheet_init(struct sheet *sheet) {
  memset(sheet, 0, sizeof(*sheet));
  lb_result_schema_init(&sheet->schema);
}

static void sheet_release(struct sheet *sheet) {
  if (sheet->array.release != NULL) {
    ArrowArrayViewReset(&sheet->view);
    sheet->array.release(&sheet->array);
  }
  lb_result_schema_reset(&sheet->schema);
}

static void sheet_free(struct sheet *sheet) {
  sheet_release(sheet);
  for (int i = 0; i < sheet->count; i++) bytes_free(&sheet->raw[i]);
}

_Static_assert(sizeof(struct lb_t_string_column) == sizeof(struct lb_t_i64_column),
               "alike");

/* Adds a column of a type whose values come in the given member of the union. */
#define SHEET_ADD(sheet, type_id, member) \
  (((sheet)->columns[(sheet)->count].member = (void *)&(sheet)->parts[(sheet)->count]), \
   sheet_add((sheet), (type_id)))

static struct bytes *sheet_add(struct sheet *sheet, int32_t type_id) {
  int i = sheet->count++;
  sheet->types[i].type = LB_T_I32(type_id);
  sheet->entries[i].primitive_entry = &sheet->types[i];
  sheet->type_descs[i].types =
      (struct lb_t_list){.set = true, .count = 1, .items = &sheet->entries[i]};
  sheet->descs[i].column_name = LB_STR("col");
  sheet->descs[i].type_desc = &sheet->type_descs[i];
  return &sheet->raw[i];
}

static void sheet_set_rows(struct sheet *sheet, int32_t rows) {
  for (int i = 0; i < sheet->count; i++) {
    sheet->parts[i].values = (struct lb_t_list){.set = true,
                                                .count = rows,
                                                .raw = sheet->raw[i].data,
                                                .raw_bytes = sheet->raw[i].len};
  }
}

static enum lb_status sheet_decode(struct sheet *sheet, int32_t rows) {
  struct lb_t_table_schema table = {
      .columns = {.set = true, .count = sheet->count, .items = sheet->descs}};
  struct lb_t_get_result_set_metadata_resp meta = {.schema = &table};
  struct lb_t_row_set row_set = {
      .columns = {.set = true, .count = sheet->count, .items = sheet->columns}};
  sheet_set_rows(sheet, rows);
  enum lb_status status =
      lb_result_schema_from_metadata(&meta, &sheet->schema, &sheet->err);
  if (status != LB_OK) return status;
  sheet->schema.cut_nanoseconds = sheet->cut_nanoseconds;
  if (sheet->zone_own != NULL) {
    struct lb_zone *zone = sheet->zone_own;
    sheet->zone_own = NULL;
    status =
        lb_result_schema_set_zone(&sheet->schema, sheet->instants, zone, &sheet->err);
    if (status != LB_OK) return status;
  }
  status = lb_columns_decode(&sheet->schema, &row_set, 500, &sheet->array, &sheet->rows,
                             &sheet->err);
  if (status != LB_OK) return status;
  if (sheet->array.release != NULL) {
    view_array(&sheet->view, &sheet->schema.arrow, &sheet->array);
  }
  return LB_OK;
}

static struct lb_str text_at(const struct sheet *sheet, int column, int64_t row) {
  struct ArrowStringView text =
      ArrowArrayViewGetStringUnsafe(sheet->view.children[column], row);
  return (struct lb_str){text.data, (size_t)text.size_bytes};
}

static int64_t int_at(const struct sheet *sheet, int column, int64_t row) {
  return ArrowArrayViewGetIntUnsafe(sheet->view.children[column], row);
}

static void test_int64_and_string(void **state) {
  (void)state;
  struct sheet sheet;
  sheet_init(&sheet);
  struct bytes *n = SHEET_ADD(&sheet, LB_T_TYPE_BIGINT, i64_val);
  struct bytes *s = SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val);
  for (int64_t i = 0; i < 1000; i++) {
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRId64, i * i * i * i);
    bytes_be(n, (uint64_t)(i * -1000000007), 8);
    bytes_text(s, text, (size_t)len);
  }
  LB_TEST_OK(sheet_decode(&sheet, 1000), &sheet.err);
  assert_int_equal(sheet.rows, 1000);
  for (int64_t i = 0; i < 1000; i++) {
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, i * i * i * i);
    assert_int_equal(int_at(&sheet, 0, i), i * -1000000007);
    assert_true(lb_str_equal(text_at(&sheet, 1, i), lb_str_from(text)));
  }
  assert_null(sheet.array.children[0]->buffers[0]);
  sheet_free(&sheet);
}

/* Fills a column with the low bytes of numbers. */
static void add_ints(struct bytes *to, const int64_t *values, int count, int width) {
  for (int i = 0; i < count; i++) bytes_be(to, (uint64_t)values[i], width);
}

static void add_doubles(struct bytes *to, const double *values, int count) {
  for (int i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, &values[i], sizeof(bits));
    bytes_be(to, bits, 8);
  }
}

static void add_texts(struct bytes *to, const char *const *texts, int count) {
  for (int i = 0; i < count; i++) bytes_text(to, texts[i], strlen(texts[i]));
}

static void test_every_number(void **state) {
  (void)state;
  static const int64_t ints[5] = {0, -1, 127, -128, 5};
  static const int64_t wide[5] = {0, -1, INT64_MAX, INT64_MIN, 9000000000};
  static const double doubles[5] = {0, -1.5, 0.1, (double)INFINITY, 1e-7};
  struct sheet sheet;
  sheet_init(&sheet);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_TINYINT, byte_val), ints, 5, 1);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_SMALLINT, i16_val), ints, 5, 2);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val), ints, 5, 4);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_BIGINT, i64_val), wide, 5, 8);
  add_doubles(SHEET_ADD(&sheet, LB_T_TYPE_FLOAT, double_val), doubles, 5);
  add_doubles(SHEET_ADD(&sheet, LB_T_TYPE_DOUBLE, double_val), doubles, 5);
  bytes_add(SHEET_ADD(&sheet, LB_T_TYPE_BOOLEAN, bool_val), "\1\0\1\2\0", 5);
  LB_TEST_OK(sheet_decode(&sheet, 5), &sheet.err);
  for (int i = 0; i < 5; i++) {
    for (int c = 0; c < 3; c++) assert_int_equal(int_at(&sheet, c, i), ints[i]);
    assert_int_equal(int_at(&sheet, 3, i), wide[i]);
    assert_true(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[4], i) ==
                (double)(float)doubles[i]);
    assert_true(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[5], i) == doubles[i]);
    assert_int_equal(int_at(&sheet, 6, i), i == 0 || i == 2 || i == 3);
  }
  assert_string_equal(sheet.schema.arrow.children[4]->format, "f");
  sheet_free(&sheet);
}

static void test_float_specials(void **state) {
  (void)state;
  static const double doubles[4] = {(double)NAN, -(double)INFINITY, 3.4028234663852886e38,
                                    1e-320};
  struct sheet sheet;
  sheet_init(&sheet);
  add_doubles(SHEET_ADD(&sheet, LB_T_TYPE_FLOAT, double_val), doubles, 4);
  LB_TEST_OK(sheet_decode(&sheet, 4), &sheet.err);
  assert_true(isnan(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[0], 0)));
  assert_true(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[0], 1) ==
              -(double)INFINITY);
  assert_true(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[0], 2) == doubles[2]);
  sheet_free(&sheet);

  static const double large[2] = {1, 1e39};
  sheet_init(&sheet);
  add_doubles(SHEET_ADD(&sheet, LB_T_TYPE_FLOAT, double_val), large, 2);
  LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 2), &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "row 501: \"1e+39\" is too large for FLOAT");
  /* In the place of a null it means nothing. */
  sheet_release(&sheet);
  sheet.parts[0].nulls = LB_STR("\x02");
  LB_TEST_OK(sheet_decode(&sheet, 2), &sheet.err);
  sheet_free(&sheet);
}

/* Bitmaps that servers send: none, one zero byte, as short as possible, too long. */
static void test_null_bitmaps(void **state) {
  (void)state;
  static const struct {
    struct lb_str bitmap;
    int32_t rows;
    uint64_t nulls; /* bit i: row i, of the first 64 */
    int64_t count;
  } cases[] = {
      {{NULL, 0}, 20, 0, 0},
      {LB_STR(""), 20, 0, 0},
      {LB_STR("\0"), 20, 0, 0},
      {LB_STR("\x01"), 20, 1, 1},
      {LB_STR("\x80"), 20, 1u << 7, 1},
      {LB_STR("\x00\x01"), 20, 1u << 8, 1},
      {LB_STR("\x00\x00\x08"), 20, 1u << 19, 1},
      {LB_STR("\xff\xff\x0f"), 20, 0xFFFFF, 20},
      {LB_STR("\xff\xff\xff\xff\xff"), 20, 0xFFFFF, 20},
      {LB_STR("\x00\x00\xf0\xff\xff"), 20, 0, 0},
      {LB_STR("\x55\x55\x05"), 20, 0x55555, 10},
      {LB_STR("\0\0\0\0\0\0\0\0\x01"), 100, 0, 1},
      {LB_STR("\xff"), 8, 0xFF, 8},
      {LB_STR("\x01"), 1, 1, 1},
  };
  for (size_t k = 0; k < LB_ARRAY_LEN(cases); k++) {
    struct sheet sheet;
    sheet_init(&sheet);
    struct bytes *n = SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val);
    struct bytes *s = SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val);
    struct bytes *d = SHEET_ADD(&sheet, LB_T_TYPE_DATE, string_val);
    for (int32_t i = 0; i < cases[k].rows; i++) {
      bool null = i < 64 ? cases[k].nulls >> i & 1 : i == 64;
      bytes_be(n, (uint64_t)i, 4);
      bytes_text(s, null ? "\xff filler" : "x", null ? 8 : 1);
      bytes_text(d, null ? "" : "1970-01-02", null ? 0 : 10);
    }
    struct bytes exact = bytes_exact(cases[k].bitmap.data, cases[k].bitmap.len);
    for (int c = 0; c < 3; c++) sheet.parts[c].nulls = bytes_str(&exact);
    LB_TEST_OK(sheet_decode(&sheet, cases[k].rows), &sheet.err);
    bytes_free(&exact);
    for (int c = 0; c < 3; c++) {
      assert_int_equal(sheet.array.children[c]->null_count, cases[k].count);
      assert_true((sheet.array.children[c]->buffers[0] == NULL) == (cases[k].count == 0));
      for (int32_t i = 0; i < cases[k].rows; i++) {
        bool null = i < 64 ? cases[k].nulls >> i & 1 : i == 64;
        assert_int_equal(ArrowArrayViewIsNull(sheet.view.children[c], i), null);
        if (!null && c == 0) assert_int_equal(int_at(&sheet, 0, i), i);
        if (!null && c == 1)
          assert_true(lb_str_equal(text_at(&sheet, 1, i), LB_STR("x")));
        if (!null && c == 2) assert_int_equal(int_at(&sheet, 2, i), 1);
      }
    }
    sheet_free(&sheet);
  }
}

static void test_text_types(void **state) {
  (void)state;
  static const char *const dates[3] = {"2024-02-29", "-0044-03-15", "+12345-01-01"};
  static const char *const times[3] = {"2024-02-29 12:34:56.789", "1970-01-01 00:00:00",
                                       "0001-01-01 00:00:00"};
  static const char *const decimals[3] = {"12.34", "-0.01", "99999999.99"};
  static const char *const texts[3] = {"", "h\xc3\xa9llo \xf0\x9f\x8c\x8d",
                                       "a text that is longer than sixteen bytes"};
  struct sheet sheet;
  sheet_init(&sheet);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_DATE, string_val), dates, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_TIMESTAMP, string_val), times, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_DECIMAL, string_val), decimals, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val), texts, 3);
  struct bytes *b = SHEET_ADD(&sheet, LB_T_TYPE_BINARY, binary_val);
  for (int i = 0; i < 3; i++) bytes_text(b, "\x00\xff\x41", (size_t)(i + 1));
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_ARRAY, string_val), texts, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_MAP, string_val), texts, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_NULL, string_val), texts, 3);
  struct lb_str keys[2] = {LB_STR("precision"), LB_STR("scale")};
  sheet.values[2][0].i32_value = LB_T_I32(10);
  sheet.values[2][1].i32_value = LB_T_I32(2);
  sheet.qualifiers[2].qualifiers =
      (struct lb_t_map){.set = true, .count = 2, .keys = keys, .values = sheet.values[2]};
  sheet.types[2].type_qualifiers = &sheet.qualifiers[2];
  LB_TEST_OK(sheet_decode(&sheet, 3), &sheet.err);
  assert_int_equal(int_at(&sheet, 0, 0), 19782);
  assert_int_equal(int_at(&sheet, 0, 1), -735525);
  assert_int_equal(int_at(&sheet, 0, 2), 3789391);
  assert_int_equal(int_at(&sheet, 1, 0), 1709210096789000);
  assert_int_equal(int_at(&sheet, 1, 1), 0);
  assert_int_equal(int_at(&sheet, 1, 2), -62135596800000000);
  const __int128 *values = sheet.array.children[2]->buffers[1];
  assert_int_equal((uintptr_t)values % 16, 0);
  assert_true(values[0] == 1234 && values[1] == -1 && values[2] == 9999999999);
  assert_string_equal(sheet.schema.arrow.children[2]->format, "d:10,2");
  assert_string_equal(sheet.schema.columns[2].type_name, "DECIMAL(10,2)");
  for (int c = 3; c <= 6; c++) {
    if (c == 4) continue;
    for (int i = 0; i < 3; i++) {
      assert_true(lb_str_equal(text_at(&sheet, c, i), lb_str_from(texts[i])));
    }
  }
  struct ArrowBufferView bytes = ArrowArrayViewGetBytesUnsafe(sheet.view.children[4], 2);
  assert_int_equal(bytes.size_bytes, 3);
  assert_memory_equal(bytes.data.data, "\x00\xff\x41", 3);
  assert_int_equal(sheet.array.children[7]->null_count, 3);
  assert_int_equal(sheet.array.children[7]->n_buffers, 0);
  sheet_free(&sheet);
}

/* One value of one type is refused with words. */
static void refuse(int32_t type_id, const char *text, size_t len, const char *words) {
  struct sheet sheet;
  sheet_init(&sheet);
  struct bytes *s = SHEET_ADD(&sheet, type_id, string_val);
  const char *good = type_id == LB_T_TYPE_DECIMAL  ? "1"
                     : type_id == LB_T_TYPE_STRING ? "x"
                                                   : "2024-01-01";
  bytes_text(s, good, strlen(good));
  bytes_text(s, text, len);
  LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 2), &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "column 0 \"col\", row 501: ");
  LB_TEST_CONTAINS(sheet.err.message, words);
  assert_null(sheet.array.release);
  sheet_free(&sheet);
}

static void test_bad_values(void **state) {
  (void)state;
  refuse(LB_T_TYPE_DATE, "2024-02-30", 10, "\"2024-02-30\" is not a value of DATE");
  refuse(LB_T_TYPE_DATE, "", 0, "\"\" is not a value of DATE");
  refuse(LB_T_TYPE_DATE, "9999999-01-01", 13, "is too large for DATE");
  refuse(LB_T_TYPE_TIMESTAMP, "2024-01-01 00:00:00.1234567", 27,
         "has too many digits for TIMESTAMP");
  refuse(LB_T_TYPE_DECIMAL, "12345678901", 11, "is too large for DECIMAL(10,0)");
  refuse(LB_T_TYPE_DECIMAL, "0.5", 3, "has too many digits for DECIMAL(10,0)");
  refuse(LB_T_TYPE_STRING, "a\xff", 2, "\"a?\" is not UTF-8");
  refuse(LB_T_TYPE_STRING, "\xed\xa0\x80", 3, "is not UTF-8");
  char long_text[200];
  memset(long_text, 'y', sizeof(long_text));
  refuse(LB_T_TYPE_DATE, long_text, sizeof(long_text), "yyyy\"... is not");
}

static void test_utf8_split_between_values(void **state) {
  (void)state;
  /* Each half is invalid although the halves together are a letter. */
  refuse(LB_T_TYPE_STRING, "\xc3", 1, "is not UTF-8");
  struct sheet sheet;
  sheet_init(&sheet);
  struct bytes *s = SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val);
  bytes_text(s, "\xc3", 1);
  bytes_text(s, "\xa9", 1);
  LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 2), &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "row 500");
  sheet_free(&sheet);
}

static void test_widening(void **state) {
  (void)state;
  static const int64_t ints[3] = {-128, 0, 127};
  struct sheet sheet;
  sheet_init(&sheet);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_SMALLINT, byte_val), ints, 3, 1);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_INT, i16_val), ints, 3, 2);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_BIGINT, i32_val), ints, 3, 4);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_DOUBLE, i32_val), ints, 3, 4);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_FLOAT, i16_val), ints, 3, 2);
  LB_TEST_OK(sheet_decode(&sheet, 3), &sheet.err);
  for (int c = 0; c < 5; c++) {
    for (int i = 0; i < 3; i++) {
      assert_true(ArrowArrayViewGetDoubleUnsafe(sheet.view.children[c], i) ==
                  (double)ints[i]);
    }
  }
  sheet_free(&sheet);
}

/* A number column of a type in a variant that may lose something. */
#define CHECK_WRONG(type_id, member, width, words) \
  do { \
    struct sheet sheet; \
    sheet_init(&sheet); \
    bytes_be(SHEET_ADD(&sheet, (type_id), member), 1, (width)); \
    LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 1), &sheet.err); \
    LB_TEST_CONTAINS(sheet.err.message, (words)); \
    sheet_free(&sheet); \
  } while (0)

static void test_wrong_variants(void **state) {
  (void)state;
  CHECK_WRONG(LB_T_TYPE_INT, i64_val, 8,
              "\"col\" is INT in the result's metadata but i64Val in its rows");
  CHECK_WRONG(LB_T_TYPE_BIGINT, double_val, 8, "BIGINT in");
  CHECK_WRONG(LB_T_TYPE_BIGINT, bool_val, 1, "boolVal");
  CHECK_WRONG(LB_T_TYPE_DOUBLE, i64_val, 8, "i64Val");
  CHECK_WRONG(LB_T_TYPE_FLOAT, i32_val, 4, "i32Val");
  CHECK_WRONG(LB_T_TYPE_BOOLEAN, byte_val, 1, "byteVal");
  CHECK_WRONG(LB_T_TYPE_DATE, i32_val, 4, "DATE in");
  CHECK_WRONG(LB_T_TYPE_TIMESTAMP, i64_val, 8, "TIMESTAMP in");
  CHECK_WRONG(LB_T_TYPE_DECIMAL, double_val, 8, "DECIMAL(10,0) in");
  CHECK_WRONG(LB_T_TYPE_BINARY, i64_val, 8, "BINARY in");
  struct sheet sheet;
  sheet_init(&sheet);
  sheet_add(&sheet, LB_T_TYPE_INT);
  LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 0), &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "no column");
  sheet_free(&sheet);
}

static void test_numbers_as_text(void **state) {
  (void)state;
  static const int64_t ints[2] = {-5, 77};
  static const double doubles[2] = {0.1, -(double)INFINITY};
  static const char *const texts[2] = {"{\"a\":1}", "1.5"};
  struct sheet sheet;
  sheet_init(&sheet);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val), texts, 2);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_STRING, i32_val), ints, 2, 4);
  add_doubles(SHEET_ADD(&sheet, LB_T_TYPE_STRING, double_val), doubles, 2);
  bytes_add(SHEET_ADD(&sheet, LB_T_TYPE_STRING, bool_val), "\1\0", 2);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_STRING, i64_val), ints, 2, 8);
  sheet.parts[4].nulls = LB_STR("\x01");
  sheet_set_rows(&sheet, 2);
  LB_TEST_OK(lb_result_schema_all_text(5, &sheet.schema, &sheet.err), &sheet.err);
  struct lb_t_row_set row_set = {
      .columns = {.set = true, .count = 5, .items = sheet.columns}};
  LB_TEST_OK(lb_columns_decode(&sheet.schema, &row_set, 0, &sheet.array, &sheet.rows,
                               &sheet.err),
             &sheet.err);
  view_array(&sheet.view, &sheet.schema.arrow, &sheet.array);
  static const char *const wanted[5][2] = {{"{\"a\":1}", "1.5"},
                                           {"-5", "77"},
                                           {"0.1", "-Infinity"},
                                           {"true", "false"},
                                           {"", "77"}};
  for (int c = 0; c < 5; c++) {
    for (int i = 0; i < 2; i++) {
      assert_true(lb_str_equal(text_at(&sheet, c, i), lb_str_from(wanted[c][i])));
    }
  }
  assert_true(ArrowArrayViewIsNull(sheet.view.children[4], 0));
  assert_string_equal(sheet.schema.arrow.children[3]->name, "_c3");
  sheet_free(&sheet);
}

/* A column's bytes do not hold what its count says. */
static void check_damaged(int32_t type_id, bool texts, const char *raw, size_t len,
                          int32_t rows) {
  struct sheet sheet;
  sheet_init(&sheet);
  struct bytes *to = texts ? SHEET_ADD(&sheet, type_id, string_val)
                           : SHEET_ADD(&sheet, type_id, i32_val);
  *to = bytes_exact(raw, len);
  LB_TEST_FAILS(LB_PROTOCOL, sheet_decode(&sheet, rows), &sheet.err);
  sheet_free(&sheet);
}

static void test_damaged_columns(void **state) {
  (void)state;
  check_damaged(LB_T_TYPE_INT, false, "\0\0\0\1\0\0\0", 7, 2);
  check_damaged(LB_T_TYPE_INT, false, "\0\0\0\1\0\0\0\1", 8, 1);
  check_damaged(LB_T_TYPE_INT, false, "", 0, INT32_MAX);
  check_damaged(LB_T_TYPE_INT, false, "\0\0\0\1", 4, -1);
  static const int32_t types[] = {LB_T_TYPE_STRING, LB_T_TYPE_BINARY, LB_T_TYPE_DECIMAL};
  for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
    check_damaged(types[i], true, "\0\0\0\1", 4, 1);
    check_damaged(types[i], true,
                  "\0\0\0\2"
                  "1",
                  5, 1);
    check_damaged(types[i], true,
                  "\xff\xff\xff\xff"
                  "1",
                  5, 1);
    check_damaged(types[i], true,
                  "\x7f\xff\xff\xff"
                  "1",
                  5, 1);
    check_damaged(types[i], true,
                  "\0\0\0\1"
                  "1\0\0\0\1"
                  "1",
                  10, 1);
    check_damaged(types[i], true,
                  "\0\0\0\1"
                  "1\0\0\0",
                  8, 2);
    check_damaged(types[i], true, "", 0, 1);
    check_damaged(types[i], true, "", 0, INT32_MAX);
  }
}

static void test_shapes(void **state) {
  (void)state;
  struct sheet sheet;
  sheet_init(&sheet);
  bytes_be(SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val), 1, 4);
  bytes_be(SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val), 1, 4);
  LB_TEST_OK(sheet_decode(&sheet, 1), &sheet.err);
  ArrowArrayViewReset(&sheet.view);
  sheet.array.release(&sheet.array);

  struct lb_t_row_set row_set = {.columns = {.set = true, .count = 0}};
  struct ArrowArray out = {.length = 77};
  int64_t rows = 77;
  LB_TEST_OK(lb_columns_decode(&sheet.schema, &row_set, 0, &out, &rows, &sheet.err),
             &sheet.err);
  assert_true(rows == 0 && out.release == NULL);

  row_set.columns.items = sheet.columns;
  row_set.columns.count = 1;
  LB_TEST_FAILS(LB_PROTOCOL,
                lb_columns_decode(&sheet.schema, &row_set, 0, &out, &rows, &sheet.err),
                &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "1 columns, the result has 2");

  row_set.columns.count = 2;
  sheet.parts[1].values.count = 0;
  sheet.parts[1].values.raw_bytes = 0;
  LB_TEST_FAILS(LB_PROTOCOL,
                lb_columns_decode(&sheet.schema, &row_set, 0, &out, &rows, &sheet.err),
                &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "has 0 rows, the first column has 1");

  sheet.parts[0].values.count = 0;
  sheet.parts[0].values.raw_bytes = 0;
  LB_TEST_OK(lb_columns_decode(&sheet.schema, &row_set, 0, &out, &rows, &sheet.err),
             &sheet.err);
  assert_true(rows == 0 && out.release == NULL);
  sheet_free(&sheet);
}

static void test_other_forms(void **state) {
  (void)state;
  struct lb_result_schema schema;
  struct lb_error err;
  struct ArrowArray out;
  int64_t rows = 0;
  lb_result_schema_init(&schema);
  struct lb_t_row_set blobs = {.binary_columns = LB_STR("xyz")};
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED,
                lb_columns_decode(&schema, &blobs, 0, &out, &rows, &err), &err);
  LB_TEST_CONTAINS(err.message, "hive.server2.thrift.resultset.serialize.in.tasks");
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_row_set_rows(&blobs, &rows, &err), &err);
  struct lb_t_row_set listed = {.rows = {.set = true, .count = 3}};
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED,
                lb_columns_decode(&schema, &listed, 0, &out, &rows, &err), &err);
  lb_result_schema_reset(&schema);
}

static void test_row_set_rows(void **state) {
  (void)state;
  struct lb_error err;
  int64_t rows = -1;
  struct lb_t_row_set row_set = {.columns = {.set = true}};
  LB_TEST_OK(lb_row_set_rows(&row_set, &rows, &err), &err);
  assert_int_equal(rows, 0);
  struct lb_t_spark_arrow_batch batches[2] = {{.row_count = LB_T_I64(5)},
                                              {.row_count = LB_T_I64(7)}};
  row_set.arrow_batches = (struct lb_t_list){.set = true, .count = 2, .items = batches};
  LB_TEST_OK(lb_row_set_rows(&row_set, &rows, &err), &err);
  assert_int_equal(rows, 12);
  batches[1].row_count.v = -1;
  LB_TEST_FAILS(LB_PROTOCOL, lb_row_set_rows(&row_set, &rows, &err), &err);
  batches[1].row_count.v = INT64_MAX;
  LB_TEST_FAILS(LB_PROTOCOL, lb_row_set_rows(&row_set, &rows, &err), &err);
  assert_int_equal(rows, 12);
  struct lb_t_spark_arrow_result_link link = {.row_count = LB_T_I64(9)};
  row_set =
      (struct lb_t_row_set){.result_links = {.set = true, .count = 1, .items = &link}};
  LB_TEST_OK(lb_row_set_rows(&row_set, &rows, &err), &err);
  assert_int_equal(rows, 9);
  struct lb_t_bool_column bools = {.values = {.set = true, .count = 4}};
  struct lb_t_column column = {.bool_val = &bools};
  row_set = (struct lb_t_row_set){.columns = {.set = true, .count = 1, .items = &column}};
  LB_TEST_OK(lb_row_set_rows(&row_set, &rows, &err), &err);
  assert_int_equal(rows, 4);
  /* Both forms at once, with a count that leaves no room for the other. */
  link.row_count.v = INT64_MAX;
  row_set.result_links = (struct lb_t_list){.set = true, .count = 1, .items = &link};
  LB_TEST_FAILS(LB_PROTOCOL, lb_row_set_rows(&row_set, &rows, &err), &err);
}

static void test_out_of_memory(void **state) {
  (void)state;
  static const char *const dates[2] = {"2024-02-29", "1970-01-01"};
  static const int64_t ints[2] = {1, 2};
  struct sheet sheet;
  sheet_init(&sheet);
  add_ints(SHEET_ADD(&sheet, LB_T_TYPE_BIGINT, i64_val), ints, 2, 8);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_DATE, string_val), dates, 2);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_STRING, string_val), dates, 2);
  sheet.parts[1].nulls = LB_STR("\x01");
  LB_TEST_TORTURE({
    enum lb_status status = sheet_decode(&sheet, 2);
    LB_TEST_OOM_OR_OK(status, &sheet.err);
    assert_true((status == LB_OK) == (sheet.array.release != NULL));
    sheet_release(&sheet);
  });
  sheet_free(&sheet);
}

/* Consumers may move columns out of an array, which then outlive it. */
static void test_moved_child(void **state) {
  (void)state;
  struct sheet sheet;
  sheet_init(&sheet);
  bytes_be(SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val), 42, 4);
  bytes_be(SHEET_ADD(&sheet, LB_T_TYPE_INT, i32_val), 43, 4);
  LB_TEST_OK(sheet_decode(&sheet, 1), &sheet.err);
  struct ArrowArray child;
  ArrowArrayMove(sheet.array.children[1], &child);
  sheet_free(&sheet);
  assert_int_equal(((const int32_t *)child.buffers[1])[0], 43);
  child.release(&child);
  assert_null(child.release);
}

static void test_intervals(void **state) {
  (void)state;
  static const char *const months[3] = {"1-2", "-0-1", "178956970-7"};
  static const char *const times[3] = {"0 00:00:01.500000000", "-1 00:00:00.000000000",
                                       "0 00:00:00.000000000"};
  struct sheet sheet;
  sheet_init(&sheet);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_INTERVAL_YEAR_MONTH, string_val), months, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_INTERVAL_DAY_TIME, string_val), times, 3);
  LB_TEST_OK(sheet_decode(&sheet, 3), &sheet.err);
  static const int32_t wanted[3] = {14, -1, INT32_MAX};
  for (int64_t i = 0; i < 3; i++) {
    struct ArrowInterval it;
    ArrowIntervalInit(&it, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
    ArrowArrayViewGetIntervalUnsafe(sheet.view.children[0], i, &it);
    assert_true(it.months == wanted[i] && it.days == 0 && it.ns == 0);
  }
  assert_int_equal(int_at(&sheet, 1, 0), 1500000);
  assert_int_equal(int_at(&sheet, 1, 1), INT64_C(-86400000000));
  assert_int_equal(int_at(&sheet, 1, 2), 0);
  sheet_free(&sheet);
}

static void test_times_of_a_zone(void **state) {
  (void)state;
  static const char *const times[3] = {
      "2024-07-01 12:00:00", "1969-12-31 23:59:59.999999", "0001-01-01 00:00:00"};
  static const char *const named[3] = {"2024-07-01 12:00:00.0 UTC-3:30",
                                       "1969-12-31 23:59:59.999999 UTC-3:30",
                                       "0001-01-01 00:00:00.0 UTC-3:30"};
  static const int64_t local[3] = {INT64_C(1719835200000000), -1,
                                   INT64_C(-62135596800000000)};
  struct sheet sheet;
  sheet_init(&sheet);
  sheet.instants = true;
  LB_TEST_OK(lb_zone_find(LB_STR("UTC-3:30"), &sheet.zone_own, &sheet.err), &sheet.err);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_TIMESTAMP, string_val), times, 3);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_TIMESTAMP_LOCAL_TZ, string_val), named, 3);
  LB_TEST_OK(sheet_decode(&sheet, 3), &sheet.err);
  assert_string_equal(sheet.schema.arrow.children[0]->format, "tsu:-03:30");
  for (int64_t i = 0; i < 3; i++) {
    assert_int_equal(int_at(&sheet, 0, i), local[i] + INT64_C(12600000000));
    assert_int_equal(int_at(&sheet, 1, i), local[i] + INT64_C(12600000000));
  }
  sheet_free(&sheet);
}

static void test_another_zone_in_the_text_is_an_error(void **state) {
  (void)state;
  static const char *const texts[1] = {"2024-07-01 12:00:00.0 Etc/UTC"};
  struct sheet sheet;
  sheet_init(&sheet);
  LB_TEST_OK(lb_zone_find(LB_STR("+01:00"), &sheet.zone_own, &sheet.err), &sheet.err);
  add_texts(SHEET_ADD(&sheet, LB_T_TYPE_TIMESTAMP_LOCAL_TZ, string_val), texts, 1);
  LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 1), &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "row 500");
  LB_TEST_CONTAINS(sheet.err.message, "Etc/UTC");
  sheet_free(&sheet);
}

static void test_nanoseconds(void **state) {
  (void)state;
  static const char *const times[1] = {"1970-01-01 00:00:00.123456789"};
  static const char *const spans[1] = {"0 00:00:00.123456789"};
  for (int cut = 0; cut < 2; cut++) {
    struct sheet sheet;
    sheet_init(&sheet);
    sheet.cut_nanoseconds = cut == 1;
    add_texts(SHEET_ADD(&sheet, LB_T_TYPE_TIMESTAMP, string_val), times, 1);
    add_texts(SHEET_ADD(&sheet, LB_T_TYPE_INTERVAL_DAY_TIME, string_val), spans, 1);
    if (cut == 0) {
      LB_TEST_FAILS(LB_INVALID_DATA, sheet_decode(&sheet, 1), &sheet.err);
      LB_TEST_CONTAINS(sheet.err.message, "too many digits");
    } else {
      LB_TEST_OK(sheet_decode(&sheet, 1), &sheet.err);
      assert_int_equal(int_at(&sheet, 0, 0), 123456);
      assert_int_equal(int_at(&sheet, 1, 0), 123456);
    }
    sheet_free(&sheet);
  }
}

/* Printed with nine digits the largest float reads a little larger than it is. */
static void test_largest_float(void **state) {
  (void)state;
  struct sheet sheet;
  sheet_init(&sheet);
  struct bytes *raw = SHEET_ADD(&sheet, LB_T_TYPE_FLOAT, double_val);
  double value = 3.4028235e38;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bytes_be(raw, bits, 8);
  LB_TEST_OK(sheet_decode(&sheet, 1), &sheet.err);
  double read = ArrowArrayViewGetDoubleUnsafe(sheet.view.children[0], 0);
  assert_true(read > 3.4028234e38 && read < 3.4028235e38);
  sheet_free(&sheet);
}

/* A page of 200,000 rows: number, text, date, truth, number as text. Texts are long in
 * the middle, and the bitmap of nulls ends before the rows do. */
#define LARGE_ROWS 200000
#define LARGE_NULLS 150000
#define LARGE_FIRST 1000

static bool is_null_here(int64_t i) { return i < LARGE_NULLS && i % 7 == 3; }

static size_t large_text(int64_t i, char *out) {
  size_t len = i >= 90000 && i < 90200 ? 20000 : (size_t)(i % 23);
  memset(out, 'a' + (int)(i % 26), len);
  return len;
}

static struct bytes *large_be(struct bytes *to, uint64_t value, int width) {
  for (int i = 0; i < width; i++) {
    to->data[to->len++] = (uint8_t)(value >> 8 * (width - 1 - i));
  }
  return to;
}

static void large_put(struct bytes *to, const char *text, size_t len) {
  large_be(to, len, 4);
  memcpy(to->data + to->len, text, len);
  to->len += len;
}

static void large_fill(struct sheet *sheet, uint8_t *nulls) {
  struct bytes *columns[5] = {SHEET_ADD(sheet, LB_T_TYPE_BIGINT, i64_val),
                              SHEET_ADD(sheet, LB_T_TYPE_STRING, string_val),
                              SHEET_ADD(sheet, LB_T_TYPE_DATE, string_val),
                              SHEET_ADD(sheet, LB_T_TYPE_BOOLEAN, bool_val),
                              SHEET_ADD(sheet, LB_T_TYPE_STRING, i32_val)};
  char *text = lb_alloc(LB_MEM_TEST, 32768);
  for (int c = 0; c < 5; c++) {
    columns[c]->data = lb_alloc(LB_MEM_TEST, (size_t)16 << 20);
    assert_non_null(columns[c]->data);
  }
  for (int64_t i = 0; i < LARGE_ROWS; i++) {
    static const char *const dates[2] = {"1970-01-02", "1970-01-11"};
    large_be(columns[0], (uint64_t)(i * -1000000007), 8);
    large_put(columns[1], text, large_text(i, text));
    large_put(columns[2], is_null_here(i) ? "?" : dates[i % 2], is_null_here(i) ? 1 : 10);
    columns[3]->data[columns[3]->len++] = i % 3 == 0;
    large_be(columns[4], (uint64_t)(i * 3), 4);
    if (is_null_here(i)) nulls[i / 8] = (uint8_t)(nulls[i / 8] | 1 << i % 8);
  }
  for (int c = 0; c < 5; c++) {
    sheet->parts[c].nulls = (struct lb_str){(const char *)nulls, LARGE_NULLS / 8};
  }
  lb_free(text);
}

static void check_large(struct sheet *sheet, int64_t first, int64_t rows) {
  char *text = lb_alloc(LB_MEM_TEST, 32768);
  for (int64_t i = first, at = 0; at < rows; i++, at++) {
    for (int c = 0; c < 5; c++) {
      bool null = ArrowArrayViewIsNull(sheet->view.children[c], at);
      if (null != is_null_here(i)) fail_msg("column %d, row %" PRId64, c, i);
    }
    if (is_null_here(i)) continue;
    char number[16];
    int digits = snprintf(number, sizeof number, "%" PRId64, 3 * i);
    struct lb_str long_text = {text, large_text(i, text)};
    bool same =
        int_at(sheet, 0, at) == i * -1000000007 &&
        lb_str_equal(text_at(sheet, 1, at), long_text) &&
        int_at(sheet, 2, at) == (i % 2 == 0 ? 1 : 10) &&
        int_at(sheet, 3, at) == (i % 3 == 0) &&
        lb_str_equal(text_at(sheet, 4, at), (struct lb_str){number, (size_t)digits});
    if (!same) fail_msg("row %" PRId64, i);
  }
  lb_free(text);
}

/* Reads it piece by piece; how many there were. All that a piece holds is checked. */
static int read_pieces(struct sheet *sheet, const struct lb_t_row_set *row_set,
                       struct lb_pool *pool, int64_t *rows, enum lb_status *status) {
  struct lb_columns *page = NULL;
  int pieces = 0;
  *rows = 0;
  *status = lb_columns_open(&sheet->schema, row_set, LARGE_FIRST, &page, &sheet->err);
  while (*status == LB_OK) {
    struct ArrowArray piece;
    *status = lb_columns_next(page, pool, &piece, &sheet->err);
    if (*status != LB_OK || piece.release == NULL) break;
    view_array(&sheet->view, &sheet->schema.arrow, &piece);
    check_large(sheet, *rows, piece.length);
    *rows += piece.length;
    pieces++;
    assert_int_equal(lb_columns_rows_left(page), LARGE_ROWS - *rows);
    ArrowArrayViewReset(&sheet->view);
    piece.release(&piece);
  }
  lb_columns_close(page);
  return pieces;
}

static void test_large_pages_come_in_pieces(void **state) {
  (void)state;
  struct sheet sheet;
  struct lb_pool *pool;
  enum lb_status status;
  int64_t rows;
  sheet_init(&sheet);
  LB_TEST_OK(lb_pool_create(&pool, &sheet.err), &sheet.err);
  uint8_t *nulls = lb_alloc_zero(LB_MEM_TEST, LARGE_NULLS / 8);
  large_fill(&sheet, nulls);
  LB_TEST_OK(sheet_decode(&sheet, LARGE_ROWS), &sheet.err);
  assert_int_equal(sheet.array.length, LARGE_ROWS);
  check_large(&sheet, 0, LARGE_ROWS);
  ArrowArrayViewReset(&sheet.view);
  sheet.array.release(&sheet.array);

  struct lb_t_row_set row_set = {
      .columns = {.set = true, .count = sheet.count, .items = sheet.columns}};
  assert_in_range(read_pieces(&sheet, &row_set, pool, &rows, &status), 4, 12);
  LB_TEST_OK(status, &sheet.err);
  assert_int_equal(rows, LARGE_ROWS);
  /* One block for all of them, and one larger for the long texts. */
  assert_in_range(lb_pool_stats(pool).fresh, 1, 2);
  assert_int_equal(lb_pool_stats(pool).live_blocks, 0);

  /* A bad value fails its own piece, by the number that its row has in the result. */
  struct bytes *dates = &sheet.raw[2];
  memcpy(dates->data + dates->len - 10, "1970-13-01", 10);
  int before = read_pieces(&sheet, &row_set, pool, &rows, &status);
  LB_TEST_FAILS(LB_INVALID_DATA, status, &sheet.err);
  LB_TEST_CONTAINS(sheet.err.message, "row 200999: \"1970-13-01\"");
  assert_true(before > 1 && rows < LARGE_ROWS);
  assert_int_equal(lb_pool_stats(pool).live_blocks, 0);
  sheet_free(&sheet);
  lb_free(nulls);
  lb_pool_release(pool);
}

LB_TEST_MAIN(LB_TEST(test_intervals), LB_TEST(test_times_of_a_zone),
             LB_TEST(test_another_zone_in_the_text_is_an_error),
             LB_TEST(test_nanoseconds), LB_TEST(test_largest_float),
             LB_TEST(test_int64_and_string), LB_TEST(test_every_number),
             LB_TEST(test_float_specials), LB_TEST(test_null_bitmaps),
             LB_TEST(test_text_types), LB_TEST(test_bad_values),
             LB_TEST(test_utf8_split_between_values), LB_TEST(test_widening),
             LB_TEST(test_wrong_variants), LB_TEST(test_numbers_as_text),
             LB_TEST(test_damaged_columns), LB_TEST(test_shapes),
             LB_TEST(test_other_forms), LB_TEST(test_row_set_rows),
             LB_TEST(test_out_of_memory), LB_TEST(test_moved_child),
             LB_TEST(test_large_pages_come_in_pieces))
