/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_test_fixtures.h"
#include "wire/arrow_test_support.h"

/* The value of a field's metadata. */
static void check_metadata(const struct ArrowSchema *field, const char *key,
                           const char *wanted) {
  struct ArrowStringView value = {NULL, 0};
  NANO_OK(ArrowMetadataGetValue(field->metadata, ArrowCharView(key), &value));
  struct lb_str have = {value.data, (size_t)value.size_bytes};
  if (value.data == NULL || !lb_str_equal(have, lb_str_from(wanted))) {
    fail_msg("%s of %s is \"%.*s\"", key, field->name, (int)have.len, have.data);
  }
}

static const struct {
  int32_t id;
  const char *sql;
  const char *format;
} types[] = {{LB_T_TYPE_BOOLEAN, "BOOLEAN", "b"},
             {LB_T_TYPE_TINYINT, "TINYINT", "c"},
             {LB_T_TYPE_SMALLINT, "SMALLINT", "s"},
             {LB_T_TYPE_INT, "INT", "i"},
             {LB_T_TYPE_BIGINT, "BIGINT", "l"},
             {LB_T_TYPE_FLOAT, "FLOAT", "f"},
             {LB_T_TYPE_DOUBLE, "DOUBLE", "g"},
             {LB_T_TYPE_STRING, "STRING", "u"},
             {LB_T_TYPE_TIMESTAMP, "TIMESTAMP", "tsu:"},
             {LB_T_TYPE_BINARY, "BINARY", "z"},
             {LB_T_TYPE_ARRAY, "ARRAY", "u"},
             {LB_T_TYPE_MAP, "MAP", "u"},
             {LB_T_TYPE_STRUCT, "STRUCT", "u"},
             {LB_T_TYPE_UNION, "UNIONTYPE", "u"},
             {LB_T_TYPE_USER_DEFINED, "USER_DEFINED", "u"},
             {LB_T_TYPE_DECIMAL, "DECIMAL(10,0)", "d:10,0"},
             {LB_T_TYPE_NULL, "VOID", "n"},
             {LB_T_TYPE_DATE, "DATE", "tdD"},
             {LB_T_TYPE_VARCHAR, "VARCHAR", "u"},
             {LB_T_TYPE_CHAR, "CHAR", "u"},
             {LB_T_TYPE_INTERVAL_YEAR_MONTH, "INTERVAL YEAR TO MONTH", "tin"},
             {LB_T_TYPE_INTERVAL_DAY_TIME, "INTERVAL DAY TO SECOND", "tDu"},
             {LB_T_TYPE_TIMESTAMP_LOCAL_TZ, "TIMESTAMP WITH LOCAL TIME ZONE", "tsu:"},
             {99, "STRING", "u"}};
#define TYPE_COUNT ((int)LB_ARRAY_LEN(types))

/* Metadata of columns of the given types, all without qualifiers. */
struct described {
  struct lb_t_column_desc descs[TYPE_COUNT];
  struct lb_t_type_desc type_descs[TYPE_COUNT];
  struct lb_t_type_entry entries[TYPE_COUNT];
  struct lb_t_primitive_type_entry primitives[TYPE_COUNT];
  struct lb_t_table_schema table;
  struct lb_t_get_result_set_metadata_resp meta;
};

static void describe_types(struct described *out, int count) {
  memset(out, 0, sizeof(*out));
  for (int i = 0; i < count; i++) {
    out->primitives[i].type = LB_T_I32(types[i].id);
    out->entries[i].primitive_entry = &out->primitives[i];
    out->type_descs[i].types =
        (struct lb_t_list){.set = true, .count = 1, .items = &out->entries[i]};
    out->descs[i].column_name = LB_STR("name with \xc3\xa4");
    out->descs[i].type_desc = &out->type_descs[i];
  }
  out->table.columns =
      (struct lb_t_list){.set = true, .count = count, .items = out->descs};
  out->meta.schema = &out->table;
}

static void test_every_type(void **state) {
  (void)state;
  struct described it;
  struct lb_result_schema schema;
  struct lb_error err;
  describe_types(&it, TYPE_COUNT);
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_int_equal(schema.column_count, TYPE_COUNT);
  assert_string_equal(schema.arrow.format, "+s");
  for (int i = 0; i < TYPE_COUNT; i++) {
    const struct ArrowSchema *field = schema.arrow.children[i];
    assert_string_equal(field->format, types[i].format);
    assert_string_equal(field->name, "name with \xc3\xa4");
    assert_int_equal(field->flags, ARROW_FLAG_NULLABLE);
    assert_string_equal(schema.columns[i].name, field->name);
    assert_string_equal(schema.columns[i].type_name, types[i].sql);
    assert_int_equal(schema.columns[i].type_id, types[i].id);
    check_metadata(field, "databricks.type_name", types[i].sql);
  }
  /* Used again, it forgets what it held. */
  describe_types(&it, 2);
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_int_equal(schema.column_count, 2);
  lb_result_schema_reset(&schema);
  lb_result_schema_reset(&schema);
}

static void test_qualifiers(void **state) {
  (void)state;
  struct described it;
  struct lb_result_schema schema;
  struct lb_error err;
  describe_types(&it, TYPE_COUNT);
  struct lb_str keys[3] = {LB_STR("scale"), LB_STR("precision"),
                           LB_STR("characterMaximumLength")};
  struct lb_t_type_qualifier_value values[3] = {{.i32_value = LB_T_I32(4)},
                                                {.string_value = LB_STR("20")},
                                                {.i32_value = LB_T_I32(30)}};
  struct lb_t_type_qualifiers qualifiers = {
      .qualifiers = {.set = true, .count = 3, .keys = keys, .values = values}};
  for (int i = 0; i < TYPE_COUNT; i++) it.primitives[i].type_qualifiers = &qualifiers;
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_string_equal(schema.columns[LB_T_TYPE_DECIMAL].type_name, "DECIMAL(20,4)");
  assert_string_equal(schema.arrow.children[LB_T_TYPE_DECIMAL]->format, "d:20,4");
  assert_string_equal(schema.columns[LB_T_TYPE_VARCHAR].type_name, "VARCHAR(30)");
  assert_string_equal(schema.columns[LB_T_TYPE_CHAR].type_name, "CHAR(30)");
  assert_int_equal(schema.columns[LB_T_TYPE_CHAR].length, 30);
  assert_int_equal(schema.columns[LB_T_TYPE_INT].length, -1);

  values[1] = (struct lb_t_type_qualifier_value){.i32_value = LB_T_I32(39)};
  LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&it.meta, &schema, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "DECIMAL(39,4)");
  values[0] = (struct lb_t_type_qualifier_value){.i32_value = LB_T_I32(21)};
  values[1] = (struct lb_t_type_qualifier_value){.i32_value = LB_T_I32(20)};
  LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&it.meta, &schema, &err),
                &err);
  /* The failure left the former schema whole. */
  assert_string_equal(schema.columns[LB_T_TYPE_DECIMAL].type_name, "DECIMAL(20,4)");
  lb_result_schema_reset(&schema);
}

/* Older descriptors name complex types by entries of their own. */
static void test_other_entries(void **state) {
  (void)state;
  struct described it;
  struct lb_result_schema schema;
  struct lb_error err;
  struct lb_t_array_type_entry array = {.object_type_ptr = LB_T_I32(1)};
  describe_types(&it, 2);
  it.entries[0] = (struct lb_t_type_entry){.array_entry = &array};
  it.type_descs[1].types.count = 0;
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_string_equal(schema.columns[0].type_name, "ARRAY");
  assert_string_equal(schema.arrow.children[1]->format, "u");
  it.descs[0].type_desc = NULL;
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_string_equal(schema.arrow.children[0]->format, "u");
  lb_result_schema_reset(&schema);
}

static enum lb_status from_hex(const char *hex, struct lb_t_table_schema *table,
                               struct lb_result_schema *out, struct lb_error *err) {
  struct bytes message = bytes_hex(hex);
  struct lb_t_get_result_set_metadata_resp meta = {.schema = table,
                                                   .arrow_schema = bytes_str(&message)};
  enum lb_status status = lb_result_schema_from_metadata(&meta, out, err);
  bytes_free(&message);
  return status;
}

/* Columns without zone that hold times of one get it; others stay as they are. */
static void test_zone(void **state) {
  (void)state;
  struct described it;
  struct lb_result_schema schema;
  struct lb_error err;
  for (int instants = 0; instants < 2; instants++) {
    struct lb_zone *zone;
    describe_types(&it, TYPE_COUNT);
    lb_result_schema_init(&schema);
    LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
    assert_true(lb_result_schema_wants_zone(&schema, instants == 1));
    LB_TEST_OK(lb_zone_find(LB_STR("GMT+2"), &zone, &err), &err);
    LB_TEST_OK(lb_result_schema_set_zone(&schema, instants == 1, zone, &err), &err);
    for (int i = 0; i < TYPE_COUNT; i++) {
      const char *wanted = types[i].format;
      bool zoned = types[i].id == LB_T_TYPE_TIMESTAMP_LOCAL_TZ ||
                   (instants == 1 && types[i].id == LB_T_TYPE_TIMESTAMP);
      if (zoned) wanted = "tsu:+02:00";
      assert_string_equal(schema.arrow.children[i]->format, wanted);
    }
    lb_result_schema_reset(&schema);
  }
  describe_types(&it, TYPE_COUNT - 2);
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&it.meta, &schema, &err), &err);
  assert_true(lb_result_schema_wants_zone(&schema, true));
  assert_false(lb_result_schema_wants_zone(&schema, false));
  lb_result_schema_reset(&schema);
  /* An Arrow schema says itself what has a zone. */
  LB_TEST_OK(from_hex(pyarrow_schema, NULL, &schema, &err), &err);
  assert_false(lb_result_schema_wants_zone(&schema, true));
  lb_result_schema_reset(&schema);
}

static void test_pyarrow_schema(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const char *format;
    const char *sql;
  } wanted[] = {{"id", "l", "BIGINT"},
                {"price", "d:10,2", "DECIMAL(10,2)"},
                {"name", "u", "STRING"},
                {"at", "tsu:Europe/Berlin", "TIMESTAMP"},
                {"day", "tdD", "DATE"},
                {"tags", "+l", "ARRAY<STRING>"},
                {"point", "+s", "STRUCT<x: DOUBLE, y: FLOAT>"},
                {"attrs", "+m", "MAP<STRING, INT>"},
                {"span", "tDu", "INTERVAL DAY TO SECOND"},
                {"ok", "b", "BOOLEAN"}};
  struct lb_result_schema schema;
  struct lb_error err;
  lb_result_schema_init(&schema);
  LB_TEST_OK(from_hex(pyarrow_schema, NULL, &schema, &err), &err);
  assert_int_equal(schema.column_count, LB_ARRAY_LEN(wanted));
  for (int i = 0; i < schema.column_count; i++) {
    const struct ArrowSchema *field = schema.arrow.children[i];
    assert_string_equal(field->name, wanted[i].name);
    assert_string_equal(field->format, wanted[i].format);
    assert_string_equal(schema.columns[i].type_name, wanted[i].sql);
    check_metadata(field, "Spark:DataType:SqlName", wanted[i].sql);
    check_metadata(field, "Spark:DataType:JsonType", "\"x\"");
    check_metadata(field, "databricks.type_name", wanted[i].sql);
    assert_int_equal(field->flags & ARROW_FLAG_NULLABLE,
                     i == 0 ? 0 : ARROW_FLAG_NULLABLE);
  }
  assert_int_equal(schema.columns[1].precision, 10);
  assert_int_equal(schema.columns[1].scale, 2);
  assert_int_equal(schema.columns[5].type_id, LB_T_TYPE_ARRAY);
  assert_int_equal(schema.columns[8].type_id, LB_T_TYPE_INTERVAL_DAY_TIME);
  lb_result_schema_reset(&schema);
}

/* DDL: the Arrow schema has no fields, the descriptors have one. */
static void test_no_fields(void **state) {
  (void)state;
  struct described it;
  struct lb_result_schema schema;
  struct lb_error err;
  describe_types(&it, 1);
  lb_result_schema_init(&schema);
  LB_TEST_OK(from_hex(pyarrow_no_fields, &it.table, &schema, &err), &err);
  assert_int_equal(schema.column_count, 0);
  assert_int_equal(schema.arrow.n_children, 0);
  assert_non_null(schema.arrow.release);
  lb_result_schema_reset(&schema);
}

static void test_unsupported(void **state) {
  (void)state;
  struct lb_result_schema schema;
  struct lb_error err;
  lb_result_schema_init(&schema);
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, from_hex(pyarrow_dictionary, NULL, &schema, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "dictionaries");
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, from_hex(pyarrow_union, NULL, &schema, &err), &err);
  LB_TEST_CONTAINS(err.message, "type number 14");
  LB_TEST_FAILS(LB_PROTOCOL, from_hex(pyarrow_batch, NULL, &schema, &err), &err);
  LB_TEST_FAILS(LB_PROTOCOL, from_hex("ffffffff00000000", NULL, &schema, &err), &err);
  struct lb_t_get_result_set_metadata_resp nothing = {.schema = NULL};
  LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&nothing, &schema, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "no schema");
  assert_null(schema.arrow.release);
  lb_result_schema_reset(&schema);
}

static void test_damaged_schema(void **state) {
  (void)state;
  struct bytes whole = bytes_hex(pyarrow_schema);
  struct lb_error err;
  for (size_t len = 1; len < whole.len; len += lb_test_step(whole.len, 30)) {
    struct bytes part = bytes_exact(whole.data, len);
    struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes_str(&part)};
    struct lb_result_schema schema;
    lb_result_schema_init(&schema);
    LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&meta, &schema, &err),
                  &err);
    bytes_free(&part);
    lb_result_schema_reset(&schema);
  }
  size_t bits = whole.len * 8;
  for (size_t i = 0; i < bits; i += lb_test_step(bits, 60)) {
    struct bytes copy = bytes_exact(whole.data, whole.len);
    copy.data[i / 8] = (uint8_t)(copy.data[i / 8] ^ 1u << i % 8);
    struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes_str(&copy)};
    struct lb_result_schema schema;
    lb_result_schema_init(&schema);
    enum lb_status status = lb_result_schema_from_metadata(&meta, &schema, &err);
    if (status != LB_OK) LB_TEST_FAILS(status, status, &err);
    bytes_free(&copy);
    lb_result_schema_reset(&schema);
  }
  bytes_free(&whole);
}

static void put_u32(uint8_t *at, size_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* Here each field has the next one as a child twice: 40 levels make a tree of a million
 * million fields out of 1,400 bytes. */
static void test_schema_without_end(void **state) {
  (void)state;
  enum { LEVELS = 40, FIRST = 80, STEP = 32, TYPE = FIRST + STEP * (LEVELS + 1) };
  uint8_t message[8 + TYPE + 8] = {0xFF, 0xFF, 0xFF, 0xFF};
  uint8_t *fb = message + 8;
  put_u32(message + 4, TYPE + 8);
  put_u32(fb, 48);
  memcpy(fb + 4, "\x0c\0\x10\0\0\0\x08\0\x04\0\0\0", 12);            /* Message */
  memcpy(fb + 16, "\x08\0\x08\0\0\0\x04\0", 8);                      /* Schema */
  memcpy(fb + 24, "\x10\0\x10\0\0\0\0\0\x0c\0\x08\0\0\0\x04\0", 16); /* Field */
  memcpy(fb + 40, "\x04\0\x04\0", 4);                                /* Struct_ */
  put_u32(fb + 48, 48 - 4);
  put_u32(fb + 52, 64 - 52);
  fb[56] = 1;
  put_u32(fb + 64, 64 - 16);
  put_u32(fb + 68, 72 - 68);
  put_u32(fb + 72, 1);
  put_u32(fb + 76, FIRST - 76);
  for (size_t i = 0; i <= LEVELS; i++) {
    size_t field = FIRST + STEP * i;
    put_u32(fb + field, field - 24);
    put_u32(fb + field + 4, 12);
    put_u32(fb + field + 8, TYPE - (field + 8));
    fb[field + 12] = 13;
    put_u32(fb + field + 16, i < LEVELS ? 2 : 0);
    put_u32(fb + field + 20, 12);
    put_u32(fb + field + 24, 8);
  }
  put_u32(fb + TYPE, TYPE - 40);
  struct lb_t_get_result_set_metadata_resp meta = {
      .arrow_schema = {(const char *)message, sizeof(message)}};
  struct lb_result_schema schema;
  struct lb_error err;
  lb_result_schema_init(&schema);
  LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&meta, &schema, &err), &err);
  LB_TEST_CONTAINS(err.message, "broken fields");
  /* The same with one child each is a schema, but for its version. */
  for (size_t i = 0; i < LEVELS; i++) put_u32(fb + FIRST + STEP * i + 16, 1);
  LB_TEST_FAILS(LB_PROTOCOL, lb_result_schema_from_metadata(&meta, &schema, &err), &err);
  LB_TEST_CONTAINS(err.message, "version");
  lb_result_schema_reset(&schema);
}

static void test_all_text(void **state) {
  (void)state;
  struct lb_result_schema schema;
  struct lb_error err;
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_all_text(3, &schema, &err), &err);
  assert_int_equal(schema.column_count, 3);
  assert_string_equal(schema.arrow.children[2]->format, "u");
  assert_string_equal(schema.columns[2].name, "_c2");
  assert_string_equal(schema.columns[2].type_name, "STRING");
  LB_TEST_OK(lb_result_schema_all_text(0, &schema, &err), &err);
  assert_int_equal(schema.column_count, 0);
  LB_TEST_FAILS(LB_INTERNAL, lb_result_schema_all_text(-1, &schema, &err), &err);
  lb_result_schema_reset(&schema);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct described it;
  describe_types(&it, TYPE_COUNT);
  struct bytes message = bytes_hex(pyarrow_schema);
  struct lb_t_get_result_set_metadata_resp arrow = {.arrow_schema = bytes_str(&message)};
  LB_TEST_TORTURE({
    for (int kind = 0; kind < 2; kind++) {
      struct lb_result_schema schema;
      struct lb_error err = LB_ERROR_INIT;
      lb_result_schema_init(&schema);
      enum lb_status status =
          lb_result_schema_from_metadata(kind == 0 ? &it.meta : &arrow, &schema, &err);
      if (kind == 0 || status != LB_OK) LB_TEST_OOM_OR_OK(status, &err);
      lb_result_schema_reset(&schema);
    }
  });
  bytes_free(&message);
}

LB_TEST_MAIN(LB_TEST(test_every_type), LB_TEST(test_qualifiers),
             LB_TEST(test_other_entries), LB_TEST(test_zone),
             LB_TEST(test_pyarrow_schema), LB_TEST(test_no_fields),
             LB_TEST(test_unsupported), LB_TEST(test_damaged_schema),
             LB_TEST(test_schema_without_end), LB_TEST(test_all_text),
             LB_TEST(test_out_of_memory))
