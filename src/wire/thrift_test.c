/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the codec, on bytes made for the purpose. */
#include "wire/thrift.h"

#include "base/test_support.h"
#include "wire/tcli.h"

#define ARENA_MAX_BYTES (1024 * 1024)

/* A body under construction, a reader's arena and an error, in one. */
struct fixture {
  struct lb_buf buf;
  struct lb_arena arena;
  struct lb_error err;
};

static void fixture_init(struct fixture *fx) {
  lb_buf_init(&fx->buf, LB_MEM_TEST, ARENA_MAX_BYTES);
  lb_arena_init(&fx->arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  fx->err = (struct lb_error)LB_ERROR_INIT;
}

static void fixture_reset(struct fixture *fx) {
  lb_buf_reset(&fx->buf);
  lb_arena_reset(&fx->arena);
}

static void again(struct fixture *fx) {
  fixture_reset(fx);
  fixture_init(fx);
}

static void put_field(struct fixture *fx, enum lb_ttype type, int16_t id) {
  lb_buf_append_u8(&fx->buf, (uint8_t)type);
  lb_buf_append_be16(&fx->buf, (uint16_t)id);
}

static void put_i32(struct fixture *fx, int32_t value) {
  lb_buf_append_be32(&fx->buf, (uint32_t)value);
}

static void put_text(struct fixture *fx, const char *text) {
  put_i32(fx, (int32_t)strlen(text));
  lb_buf_append_text(&fx->buf, text);
}

static void put_list(struct fixture *fx, enum lb_ttype elem, int32_t count) {
  lb_buf_append_u8(&fx->buf, (uint8_t)elem);
  put_i32(fx, count);
}

static void put_map(struct fixture *fx, enum lb_ttype key, enum lb_ttype value,
                    int32_t count) {
  lb_buf_append_u8(&fx->buf, (uint8_t)key);
  put_list(fx, value, count);
}

static void put_stop(struct fixture *fx) { lb_buf_append_u8(&fx->buf, LB_TT_STOP); }

static void put_envelope(struct fixture *fx, uint32_t word, const char *method) {
  put_i32(fx, (int32_t)word);
  put_text(fx, method);
  put_i32(fx, 1);
}

/* The bytes so far, in memory of exactly their size, so that reads past them are found.
 */
static struct lb_str body_of(struct fixture *fx) {
  assert_int_equal(fx->buf.status, LB_OK);
  uint8_t *bytes = lb_realloc(LB_MEM_WIRE, fx->buf.data, fx->buf.len ? fx->buf.len : 1);
  assert_non_null(bytes);
  fx->buf.data = bytes;
  fx->buf.cap = fx->buf.len;
  return (struct lb_str){(const char *)bytes, fx->buf.len};
}

static enum lb_status read_struct(struct fixture *fx, const struct lb_tstruct *desc,
                                  void *msg) {
  return lb_thrift_read_struct(body_of(fx), desc, msg, &fx->arena, NULL, &fx->err);
}

static enum lb_status read_close_reply(struct fixture *fx) {
  struct lb_t_close_session_resp resp;
  return lb_thrift_read_reply(body_of(fx), "CloseSession", &lb_t_close_session_resp_desc,
                              &resp, &fx->arena, &fx->err);
}

static void assert_text(const char *expected, struct lb_str actual) {
  assert_int_equal(strlen(expected), actual.len);
  assert_memory_equal(expected, actual.data, actual.len);
}

/* A value of every type, nested in each other, under an id that no struct has. */
static void put_unknown_fields(struct fixture *fx, int16_t first_id) {
  put_field(fx, LB_TT_BOOL, first_id);
  lb_buf_append_u8(&fx->buf, 1);
  put_field(fx, LB_TT_BYTE, first_id);
  lb_buf_append_u8(&fx->buf, 1);
  put_field(fx, LB_TT_DOUBLE, first_id);
  lb_buf_append_be64(&fx->buf, 1);
  put_field(fx, LB_TT_I16, first_id);
  lb_buf_append_be16(&fx->buf, 1);
  put_field(fx, LB_TT_UUID, first_id);
  lb_buf_append(&fx->buf, "0123456789abcdef", 16);
  put_field(fx, LB_TT_SET, first_id);
  put_list(fx, LB_TT_I64, 2);
  lb_buf_append(&fx->buf, "0123456789abcdef", 16);
  put_field(fx, LB_TT_LIST, first_id);
  put_list(fx, LB_TT_STRING, 2);
  put_text(fx, "");
  put_text(fx, "two");
  put_field(fx, LB_TT_LIST, first_id);
  put_list(fx, LB_TT_STOP, 0);
  put_field(fx, LB_TT_MAP, first_id);
  put_map(fx, LB_TT_STOP, LB_TT_STOP, 0);
  put_field(fx, LB_TT_MAP, first_id);
  put_map(fx, LB_TT_I32, LB_TT_LIST, 1);
  put_i32(fx, 7);
  put_list(fx, LB_TT_STRUCT, 2);
  put_stop(fx);
  put_field(fx, LB_TT_STRUCT, 1);
  put_field(fx, LB_TT_STRING, 1);
  put_text(fx, "deep");
  put_stop(fx);
  put_stop(fx);
}

static void test_unknown_fields_are_skipped(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_status status;
  fixture_init(&fx);
  put_unknown_fields(&fx, -7);
  put_field(&fx, LB_TT_I32, 1);
  put_i32(&fx, LB_T_STATUS_ERROR);
  put_unknown_fields(&fx, 4000);
  put_field(&fx, LB_TT_STRING, 3);
  put_text(&fx, "42P01");
  put_unknown_fields(&fx, 7);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_status_desc, &status), &fx.err);
  assert_int_equal(status.status_code.v, LB_T_STATUS_ERROR);
  assert_text("42P01", status.sql_state);
  assert_null(status.error_message.data);
  fixture_reset(&fx);
}

static void test_fields_in_any_order(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_status status;
  fixture_init(&fx);
  put_field(&fx, LB_TT_STRING, 1281);
  put_text(&fx, "{}");
  put_field(&fx, LB_TT_I32, 4);
  put_i32(&fx, -9);
  put_field(&fx, LB_TT_I32, 1);
  put_i32(&fx, LB_T_STATUS_SUCCESS_WITH_INFO);
  put_field(&fx, LB_TT_LIST, 2);
  put_list(&fx, LB_TT_STRING, 1);
  put_text(&fx, "careful");
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_status_desc, &status), &fx.err);
  assert_int_equal(status.status_code.v, LB_T_STATUS_SUCCESS_WITH_INFO);
  assert_int_equal(status.error_code.v, -9);
  assert_text("{}", status.error_details_json);
  assert_int_equal(status.info_messages.count, 1);
  assert_text("careful", *(const struct lb_str *)status.info_messages.items);
  fixture_reset(&fx);
}

/* A field of another type than its row counts as absent. */
static void test_unexpected_types_are_skipped(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_status status;
  fixture_init(&fx);
  put_field(&fx, LB_TT_I32, 1);
  put_i32(&fx, 0);
  put_field(&fx, LB_TT_LIST, 2);
  put_list(&fx, LB_TT_I64, 1);
  lb_buf_append_be64(&fx.buf, 1);
  put_field(&fx, LB_TT_I64, 3);
  lb_buf_append_be64(&fx.buf, 1);
  put_field(&fx, LB_TT_STRUCT, 5);
  put_stop(&fx);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_status_desc, &status), &fx.err);
  assert_false(status.info_messages.set);
  assert_null(status.sql_state.data);
  assert_null(status.error_message.data);

  struct lb_t_open_session_req req;
  again(&fx);
  put_field(&fx, LB_TT_MAP, 4);
  put_map(&fx, LB_TT_STRING, LB_TT_I32, 1);
  put_text(&fx, "key");
  put_i32(&fx, 1);
  put_field(&fx, LB_TT_MAP, 1283);
  put_map(&fx, LB_TT_I32, LB_TT_STRING, 1);
  put_i32(&fx, 1);
  put_text(&fx, "value");
  put_field(&fx, LB_TT_STRING, 2);
  put_text(&fx, "me");
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_open_session_req_desc, &req), &fx.err);
  assert_false(req.configuration.set);
  assert_false(req.connection_properties.set);
  assert_text("me", req.username);

  again(&fx);
  put_field(&fx, LB_TT_I16, 1);
  lb_buf_append_be16(&fx.buf, 0);
  put_stop(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, read_struct(&fx, &lb_t_status_desc, &status), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "TStatus.statusCode: this required field is missing");
  fixture_reset(&fx);
}

/* An empty container may state any types. */
static void test_empty_containers(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_status status;
  struct lb_t_struct_type_entry entry;
  fixture_init(&fx);
  put_field(&fx, LB_TT_I32, 1);
  put_i32(&fx, 0);
  put_field(&fx, LB_TT_LIST, 2);
  put_list(&fx, LB_TT_STOP, 0);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_status_desc, &status), &fx.err);
  assert_true(status.info_messages.set);
  assert_int_equal(status.info_messages.count, 0);
  assert_null(status.info_messages.items);
  again(&fx);
  put_field(&fx, LB_TT_MAP, 1);
  put_map(&fx, LB_TT_STOP, LB_TT_STOP, 0);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_struct_type_entry_desc, &entry), &fx.err);
  assert_true(entry.name_to_type_ptr.set);
  assert_int_equal(entry.name_to_type_ptr.count, 0);
  fixture_reset(&fx);
}

static void test_maps(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_struct_type_entry entry;
  struct lb_t_type_qualifiers qualifiers;
  fixture_init(&fx);
  put_field(&fx, LB_TT_MAP, 1);
  put_map(&fx, LB_TT_STRING, LB_TT_I32, 2);
  put_text(&fx, "a");
  put_i32(&fx, 1);
  put_text(&fx, "b");
  put_i32(&fx, -2);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_struct_type_entry_desc, &entry), &fx.err);
  assert_int_equal(entry.name_to_type_ptr.count, 2);
  assert_text("b", entry.name_to_type_ptr.keys[1]);
  assert_int_equal(((const int32_t *)entry.name_to_type_ptr.values)[0], 1);
  assert_int_equal(((const int32_t *)entry.name_to_type_ptr.values)[1], -2);

  again(&fx);
  put_field(&fx, LB_TT_MAP, 1);
  put_map(&fx, LB_TT_STRING, LB_TT_STRUCT, 2);
  put_text(&fx, "precision");
  put_field(&fx, LB_TT_I32, 1);
  put_i32(&fx, 10);
  put_stop(&fx);
  put_text(&fx, "scale");
  put_field(&fx, LB_TT_STRING, 2);
  put_text(&fx, "two");
  put_stop(&fx);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_type_qualifiers_desc, &qualifiers), &fx.err);
  const struct lb_t_type_qualifier_value *values = qualifiers.qualifiers.values;
  assert_text("precision", qualifiers.qualifiers.keys[0]);
  assert_int_equal(values[0].i32_value.v, 10);
  assert_null(values[0].string_value.data);
  assert_false(values[1].i32_value.set);
  assert_text("two", values[1].string_value);
  fixture_reset(&fx);
}

/* Structs in structs under an unknown id; `levels` counts the outermost struct too. */
static enum lb_status read_nested_structs(struct fixture *fx, int levels) {
  struct lb_t_namespace ns;
  again(fx);
  for (int i = 1; i < levels; i++) put_field(fx, LB_TT_STRUCT, 99);
  for (int i = 0; i < levels; i++) put_stop(fx);
  return read_struct(fx, &lb_t_namespace_desc, &ns);
}

static enum lb_status read_nested_lists(struct fixture *fx, int levels) {
  struct lb_t_namespace ns;
  again(fx);
  put_field(fx, LB_TT_LIST, 99);
  for (int i = 2; i < levels; i++) put_list(fx, LB_TT_LIST, 1);
  put_list(fx, LB_TT_BOOL, 0);
  put_stop(fx);
  return read_struct(fx, &lb_t_namespace_desc, &ns);
}

/* TSparkParameterValueArg holds lists of itself: two levels each. */
static enum lb_status read_nested_arguments(struct fixture *fx, int levels) {
  struct lb_t_spark_parameter_value_arg arg;
  again(fx);
  for (int i = 2; i < levels; i += 2) {
    put_field(fx, LB_TT_LIST, 3);
    put_list(fx, LB_TT_STRUCT, 1);
  }
  for (int i = 0; i < levels; i += 2) put_stop(fx);
  return read_struct(fx, &lb_t_spark_parameter_value_arg_desc, &arg);
}

static void test_depth_is_bounded(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  LB_TEST_OK(read_nested_structs(&fx, LB_THRIFT_MAX_DEPTH), &fx.err);
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_structs(&fx, LB_THRIFT_MAX_DEPTH + 1), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "nested deeper than 64 levels");
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_structs(&fx, 100000), &fx.err);
  LB_TEST_OK(read_nested_lists(&fx, LB_THRIFT_MAX_DEPTH), &fx.err);
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_lists(&fx, LB_THRIFT_MAX_DEPTH + 1), &fx.err);
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_lists(&fx, 100000), &fx.err);
  LB_TEST_OK(read_nested_arguments(&fx, LB_THRIFT_MAX_DEPTH), &fx.err);
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_arguments(&fx, LB_THRIFT_MAX_DEPTH + 2),
                &fx.err);
  LB_TEST_FAILS(LB_PROTOCOL, read_nested_arguments(&fx, 100000), &fx.err);
  fixture_reset(&fx);
}

/* One field with a number that cannot be, in front of plenty of bytes. */
struct bad_number {
  const struct lb_tstruct *desc;
  enum lb_ttype type;
  int16_t id;
  enum lb_ttype elem; /* STOP: the number is a string's length */
  int32_t number;
  const char *says;
};

static void test_lengths_and_counts(void **state) {
  (void)state;
  static const struct bad_number rows[] = {
      {&lb_t_namespace_desc, LB_TT_STRING, 1, LB_TT_STOP, -1, "a string of -1 bytes"},
      {&lb_t_namespace_desc, LB_TT_STRING, 1, LB_TT_STOP, INT32_MIN, "bytes"},
      {&lb_t_namespace_desc, LB_TT_STRING, 1, LB_TT_STOP, INT32_MAX, "remain"},
      {&lb_t_namespace_desc, LB_TT_STRING, 99, LB_TT_STOP, -1, "a string of -1 bytes"},
      {&lb_t_namespace_desc, LB_TT_STRING, 99, LB_TT_STOP, 4096, "remain"},
      {&lb_t_namespace_desc, LB_TT_LIST, 99, LB_TT_I64, -1, "-1 elements"},
      {&lb_t_namespace_desc, LB_TT_LIST, 99, LB_TT_I64, INT32_MAX, "remain"},
      {&lb_t_namespace_desc, LB_TT_LIST, 99, LB_TT_I64, 64, "remain"},
      {&lb_t_namespace_desc, LB_TT_SET, 99, LB_TT_STRUCT, INT32_MAX, "remain"},
      {&lb_t_namespace_desc, LB_TT_LIST, 99, LB_TT_STOP, 1, "type 0 does not exist"},
      {&lb_t_namespace_desc, LB_TT_LIST, 99, 200, 1, "type 200 does not exist"},
      {&lb_t_status_desc, LB_TT_LIST, 2, LB_TT_STRING, -1, "-1 elements"},
      {&lb_t_status_desc, LB_TT_LIST, 2, LB_TT_STRING, INT32_MAX, "remain"},
      {&lb_t_status_desc, LB_TT_LIST, 2, LB_TT_STRING, 64, "TStatus.infoMessages"},
      {&lb_t_i64_column_desc, LB_TT_LIST, 1, LB_TT_I64, 64, "TI64Column.values"},
      {&lb_t_i64_column_desc, LB_TT_LIST, 1, LB_TT_I64, INT32_MIN, "elements"},
      {&lb_t_string_column_desc, LB_TT_LIST, 1, LB_TT_STRING, INT32_MAX, "remain"},
      {&lb_t_row_set_desc, LB_TT_LIST, 1281, LB_TT_STRUCT, INT32_MAX, "19 bytes or more"},
      {&lb_t_row_set_desc, LB_TT_LIST, 1281, LB_TT_STRUCT, 8, "19 bytes or more"},
  };
  struct fixture fx;
  union {
    struct lb_t_row_set row_set;
    struct lb_t_status status;
  } msg;
  fixture_init(&fx);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    again(&fx);
    put_field(&fx, rows[i].type, rows[i].id);
    if (rows[i].elem != LB_TT_STOP || rows[i].type != LB_TT_STRING) {
      lb_buf_append_u8(&fx.buf, (uint8_t)rows[i].elem);
    }
    put_i32(&fx, rows[i].number);
    for (int b = 0; b < 100; b++) lb_buf_append_u8(&fx.buf, 0);
    assert_true(rows[i].desc->size <= sizeof(msg));
    LB_TEST_FAILS(LB_PROTOCOL, read_struct(&fx, rows[i].desc, &msg), &fx.err);
    LB_TEST_CONTAINS(fx.err.message, rows[i].says);
    assert_int_equal(fx.arena.used, 0); /* nothing was taken on its word */
  }
  fixture_reset(&fx);
}

/* A raw list of strings is checked string by string. */
static void test_raw_strings(void **state) {
  (void)state;
  static const int32_t bad[] = {-1, 4, INT32_MAX, INT32_MIN};
  struct fixture fx;
  struct lb_t_string_column column;
  fixture_init(&fx);
  for (size_t i = 0; i <= LB_ARRAY_LEN(bad); i++) {
    again(&fx);
    put_field(&fx, LB_TT_LIST, 1);
    put_list(&fx, LB_TT_STRING, 2);
    put_text(&fx, "first");
    put_i32(&fx, i < LB_ARRAY_LEN(bad) ? bad[i] : 3);
    lb_buf_append_text(&fx.buf, "abc");
    if (i < LB_ARRAY_LEN(bad)) {
      LB_TEST_FAILS(LB_PROTOCOL, read_struct(&fx, &lb_t_string_column_desc, &column),
                    &fx.err);
      LB_TEST_CONTAINS(fx.err.message, "TStringColumn.values");
      continue;
    }
    put_field(&fx, LB_TT_STRING, 2);
    put_text(&fx, "");
    put_stop(&fx);
    LB_TEST_OK(read_struct(&fx, &lb_t_string_column_desc, &column), &fx.err);
    assert_int_equal(column.values.count, 2);
    assert_int_equal(column.values.raw_bytes, 16);
    assert_non_null(column.nulls.data);
    assert_int_equal(fx.arena.used, 0);
  }
  fixture_reset(&fx);
}

static void test_arena_ceiling(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_row row;
  fixture_init(&fx);
  put_field(&fx, LB_TT_LIST, 1);
  put_list(&fx, LB_TT_STRUCT, 1000);
  for (int i = 0; i < 1000; i++) put_stop(&fx);
  put_stop(&fx);
  LB_TEST_OK(read_struct(&fx, &lb_t_row_desc, &row), &fx.err);
  assert_int_equal(row.col_vals.count, 1000);
  for (size_t max = 1; max < 40000; max += 13333) {
    lb_arena_reset(&fx.arena);
    lb_arena_init(&fx.arena, LB_MEM_WIRE, max);
    LB_TEST_FAILS(LB_PROTOCOL, read_struct(&fx, &lb_t_row_desc, &row), &fx.err);
    LB_TEST_CONTAINS(fx.err.message, "bytes of memory");
  }
  fixture_reset(&fx);
}

static void test_no_reply(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);

  lb_buf_append_text(&fx.buf, "<html><body>Sign in</body></html>");
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "the reply to CloseSession is not Thrift");
  LB_TEST_CONTAINS(fx.err.message, "check host and HTTP path");

  again(&fx); /* the older form without a version */
  put_text(&fx, "CloseSession");
  lb_buf_append_u8(&fx.buf, 2);
  put_i32(&fx, 1);
  put_stop(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "is not Thrift");

  static const uint32_t words[] = {0x80010001, 0x80010004, 0x80010000, 0x800100ff};
  for (size_t i = 0; i < LB_ARRAY_LEN(words); i++) {
    again(&fx);
    put_envelope(&fx, words[i], "CloseSession");
    put_stop(&fx);
    LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
    LB_TEST_CONTAINS(fx.err.message, "is no reply");
  }

  static const char *const names[] = {"", "CloseSessio", "CloseSession2", "closeSession"};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    again(&fx);
    put_envelope(&fx, 0x80010002, names[i]);
    put_stop(&fx);
    LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
    LB_TEST_CONTAINS(fx.err.message, "another method");
  }
  fixture_reset(&fx);
}

static void put_close_reply(struct fixture *fx) {
  put_envelope(fx, 0x80010002, "CloseSession");
  put_field(fx, LB_TT_STRUCT, 0);
  put_field(fx, LB_TT_STRUCT, 1);
  put_field(fx, LB_TT_I32, 1);
  put_i32(fx, 0);
  put_stop(fx);
  put_stop(fx);
}

static void test_result_wrapper(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  put_close_reply(&fx);
  put_unknown_fields(&fx, 1);
  put_stop(&fx);
  LB_TEST_OK(read_close_reply(&fx), &fx.err);

  lb_buf_append_u8(&fx.buf, 0);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "1 bytes follow its end");

  again(&fx);
  put_envelope(&fx, 0x80010002, "CloseSession");
  put_unknown_fields(&fx, 1);
  put_stop(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "there is no result in it");
  fixture_reset(&fx);
}

static void put_exception(struct fixture *fx, const char *message, int32_t type) {
  again(fx);
  put_envelope(fx, 0x80010003, "Anything");
  put_field(fx, LB_TT_STRING, 1);
  put_text(fx, message);
  put_field(fx, LB_TT_I32, 2);
  put_i32(fx, type);
  put_stop(fx);
}

static void test_exceptions(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  put_exception(&fx, "Required field 'x' is unset! Struct:T(guid:61, secret:62 63)", 7);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  assert_string_equal(fx.err.message,
                      "the server could not serve CloseSession: Required field 'x' is "
                      "unset! (Thrift exception 7, PROTOCOL_ERROR)");
  assert_int_equal(fx.err.native_code, 7);
  put_exception(&fx, "two\nlines", 99);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "two lines (Thrift exception 99, not a known one)");
  put_exception(&fx, "\xff\xfe", -1);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "a text not in UTF-8");
  again(&fx);
  put_envelope(&fx, 0x80010003, "");
  put_stop(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, read_close_reply(&fx), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "no text (Thrift exception 0, UNKNOWN)");
  LB_TEST_FAILS(LB_PROTOCOL,
                lb_thrift_read_reply(body_of(&fx), "M", &lb_t_status_desc,
                                     &(struct lb_t_status){.error_code = LB_T_I32(1)},
                                     &fx.arena, NULL),
                NULL);
  fixture_reset(&fx);
}

/* Reading takes memory in many places; each may be the one that gets none. */
static void test_read_without_memory(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  put_field(&fx, LB_TT_LIST, 1);
  put_list(&fx, LB_TT_STRUCT, 300);
  for (int i = 0; i < 300; i++) {
    put_field(&fx, LB_TT_STRUCT, 7);
    put_field(&fx, LB_TT_STRING, 1);
    put_text(&fx, "value");
    put_stop(&fx);
    put_stop(&fx);
  }
  put_stop(&fx);
  struct lb_str body = body_of(&fx);
  LB_TEST_TORTURE({
    struct lb_error err = LB_ERROR_INIT;
    struct lb_t_row row;
    LB_TEST_OOM_OR_OK(
        lb_thrift_read_struct(body, &lb_t_row_desc, &row, &fx.arena, NULL, &err), &err);
    if (lb_mem_failed()) assert_null(row.col_vals.items);
    lb_arena_reset(&fx.arena);
  });
  fixture_reset(&fx);
}

static void test_maps_without_memory(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  put_field(&fx, LB_TT_MAP, 4);
  put_map(&fx, LB_TT_STRING, LB_TT_STRING, 500);
  for (int i = 0; i < 500; i++) {
    put_text(&fx, "key");
    put_text(&fx, "value");
  }
  put_field(&fx, LB_TT_LIST, 1281);
  put_list(&fx, LB_TT_I32, 0);
  put_stop(&fx);
  struct lb_str body = body_of(&fx);
  LB_TEST_TORTURE({
    struct lb_error err = LB_ERROR_INIT;
    struct lb_t_open_session_req req;
    LB_TEST_OOM_OR_OK(lb_thrift_read_struct(body, &lb_t_open_session_req_desc, &req,
                                            &fx.arena, NULL, &err),
                      &err);
    lb_arena_reset(&fx.arena);
  });
  fixture_reset(&fx);
}

static void test_write_without_memory(void **state) {
  (void)state;
  static char text[5000];
  memset(text, 'x', sizeof(text));
  struct lb_t_open_session_req req = {.username = {text, sizeof(text)}};
  LB_TEST_TORTURE({
    struct lb_buf buf;
    struct lb_error err = LB_ERROR_INIT;
    lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
    LB_TEST_OOM_OR_OK(
        lb_thrift_write_call(&buf, "M", 1, &lb_t_open_session_req_desc, &req, &err),
        &err);
    if (lb_mem_failed()) assert_int_equal(buf.len, 0);
    lb_buf_reset(&buf);
  });
}

static void test_write_refuses(void **state) {
  (void)state;
  struct fixture fx;
  fixture_init(&fx);
  lb_buf_append_text(&fx.buf, "before");
  struct lb_t_close_session_req close_req = {NULL};
  LB_TEST_FAILS(LB_INTERNAL,
                lb_thrift_write_call(&fx.buf, "CloseSession", 1,
                                     &lb_t_close_session_req_desc, &close_req, &fx.err),
                &fx.err);
  assert_string_equal(fx.err.message,
                      "TCloseSessionReq.sessionHandle is required and was not set");
  assert_int_equal(fx.buf.len, 6);

  struct lb_t_open_session_req req = {.get_infos = {.set = true, .count = 2}};
  const struct lb_tstruct *desc = &lb_t_open_session_req_desc;
  LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  req.get_infos.raw = (const uint8_t *)"1234567";
  req.get_infos.raw_bytes = 7;
  LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "getInfos states 2 elements of 4 bytes in 7 bytes");
  req.get_infos = (struct lb_t_list){.set = true, .count = -1};
  LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  req.get_infos = (struct lb_t_list){.count = 1}; /* present although not set */
  LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  req = (struct lb_t_open_session_req){.configuration = {.count = 1}};
  LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  req = (struct lb_t_open_session_req){.username = {"", (size_t)INT32_MAX + 1}};
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "2147483648 bytes is too long");
  assert_int_equal(fx.buf.len, 6);
  fixture_reset(&fx);

  lb_buf_init(&fx.buf, LB_MEM_WIRE, 20);
  req = (struct lb_t_open_session_req){.username = LB_STR("longer than the ceiling")};
  LB_TEST_FAILS(LB_INVALID_DATA, lb_thrift_write_struct(&fx.buf, desc, &req, &fx.err),
                &fx.err);
  assert_int_equal(fx.buf.len, 0);
  fixture_reset(&fx);
}

static void test_write_depth_is_bounded(void **state) {
  (void)state;
  enum { COUNT = LB_THRIFT_MAX_DEPTH / 2 + 1 };
  struct lb_t_spark_parameter_value_arg args[COUNT];
  struct fixture fx;
  fixture_init(&fx);
  memset(args, 0, sizeof(args));
  for (int i = 0; i + 1 < COUNT; i++) {
    args[i].arguments =
        (struct lb_t_list){.set = true, .count = 1, .items = &args[i + 1]};
  }
  const struct lb_tstruct *desc = &lb_t_spark_parameter_value_arg_desc;
  LB_TEST_OK(lb_thrift_write_struct(&fx.buf, desc, &args[1], &fx.err), &fx.err);
  struct lb_t_spark_parameter_value_arg back;
  LB_TEST_OK(read_struct(&fx, desc, &back), &fx.err);
  again(&fx);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT,
                lb_thrift_write_struct(&fx.buf, desc, &args[0], &fx.err), &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "nested deeper than 64 levels");
  fixture_reset(&fx);
}

static void put_status(struct fixture *fx, int32_t code) {
  put_field(fx, LB_TT_STRUCT, 1);
  put_unknown_fields(fx, 3329);
  put_field(fx, LB_TT_I32, 1);
  put_i32(fx, code);
  put_field(fx, LB_TT_LIST, 2);
  put_list(fx, LB_TT_STRING, 1);
  put_text(fx, "*trace");
  put_field(fx, LB_TT_STRING, 3);
  put_text(fx, "HY000");
  put_field(fx, LB_TT_STRING, 5);
  put_text(fx, "long");
  put_field(fx, LB_TT_STRING, 6);
  put_text(fx, "short");
  put_stop(fx);
}

/* A row set with an empty list of rows and one batch that is cut off within. */
static void put_row_set(struct fixture *fx) {
  put_field(fx, LB_TT_STRUCT, 3);
  put_field(fx, LB_TT_I64, 1);
  lb_buf_append_be64(&fx->buf, 12345678901);
  put_field(fx, LB_TT_LIST, 2);
  put_list(fx, LB_TT_STRUCT, 0);
  put_field(fx, LB_TT_LIST, 1281);
  put_list(fx, LB_TT_STRUCT, 1);
  put_field(fx, LB_TT_STRING, 1);
  put_text(fx, "batch");
}

static void test_fetch_head(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_fetch_head head;
  fixture_init(&fx);
  put_envelope(&fx, 0x80010002, "FetchResults");
  put_field(&fx, LB_TT_STRUCT, 0);
  put_unknown_fields(&fx, 1);
  put_status(&fx, LB_T_STATUS_ERROR);
  put_field(&fx, LB_TT_BOOL, 2);
  lb_buf_append_u8(&fx.buf, 1);
  size_t before_rows = fx.buf.len;
  put_row_set(&fx);
  LB_TEST_OK(lb_thrift_read_fetch_head(body_of(&fx), &head, &fx.err), &fx.err);
  assert_int_equal(head.status_code.v, LB_T_STATUS_ERROR);
  assert_text("HY000", head.sql_state);
  assert_text("long", head.error_message);
  assert_text("short", head.display_message);
  assert_true(head.has_more_rows.set && head.has_more_rows.v);
  assert_true(head.start_row_offset.set && head.start_row_offset.v == 12345678901);
  /* Whatever is cut off before the first batch is a failure that leaves head alone. */
  for (size_t len = 0; len < before_rows + 12; len++) {
    struct lb_str body = {(const char *)fx.buf.data, len};
    head.sql_state = LB_STR("mine");
    LB_TEST_FAILS(LB_PROTOCOL, lb_thrift_read_fetch_head(body, &head, &fx.err), &fx.err);
    assert_text("mine", head.sql_state);
  }
  fixture_reset(&fx);
}

/* A row set without rows does not hide what comes after it. */
static void test_fetch_head_behind_no_rows(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_fetch_head head;
  fixture_init(&fx);
  put_envelope(&fx, 0x80010002, "FetchResults");
  put_field(&fx, LB_TT_STRUCT, 0);
  put_status(&fx, LB_T_STATUS_SUCCESS);
  put_field(&fx, LB_TT_STRUCT, 3);
  put_field(&fx, LB_TT_LIST, 2);
  put_list(&fx, LB_TT_STRUCT, 0);
  put_field(&fx, LB_TT_LIST, 1282);
  put_list(&fx, LB_TT_STRUCT, 0);
  put_unknown_fields(&fx, 99);
  put_stop(&fx);
  put_field(&fx, LB_TT_BOOL, 2);
  lb_buf_append_u8(&fx.buf, 1);
  put_stop(&fx);
  LB_TEST_OK(lb_thrift_read_fetch_head(body_of(&fx), &head, &fx.err), &fx.err);
  assert_false(head.start_row_offset.set);
  assert_true(head.has_more_rows.set && head.has_more_rows.v);
  fixture_reset(&fx);
}

static void test_fetch_head_in_odd_order(void **state) {
  (void)state;
  struct fixture fx;
  struct lb_t_fetch_head head;
  fixture_init(&fx);
  put_envelope(&fx, 0x80010002, "FetchResults");
  put_field(&fx, LB_TT_STRUCT, 0);
  put_row_set(&fx);
  put_field(&fx, LB_TT_I64, 2);
  lb_buf_append_be64(&fx.buf, 5);
  put_stop(&fx); /* of the batch */
  put_stop(&fx); /* of the row set */
  put_status(&fx, LB_T_STATUS_SUCCESS);
  put_field(&fx, LB_TT_BOOL, 2);
  lb_buf_append_u8(&fx.buf, 0);
  put_stop(&fx);
  LB_TEST_OK(lb_thrift_read_fetch_head(body_of(&fx), &head, &fx.err), &fx.err);
  assert_true(head.status_code.set);
  assert_int_equal(head.status_code.v, LB_T_STATUS_SUCCESS);
  assert_true(head.has_more_rows.set && !head.has_more_rows.v);
  assert_int_equal(head.start_row_offset.v, 12345678901);

  put_exception(&fx, "gone", 6);
  LB_TEST_FAILS(LB_PROTOCOL, lb_thrift_read_fetch_head(body_of(&fx), &head, &fx.err),
                &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "INTERNAL_ERROR");
  again(&fx);
  put_envelope(&fx, 0x80010002, "FetchResults");
  put_field(&fx, LB_TT_STRUCT, 0);
  put_stop(&fx);
  put_stop(&fx);
  LB_TEST_FAILS(LB_PROTOCOL, lb_thrift_read_fetch_head(body_of(&fx), &head, &fx.err),
                &fx.err);
  LB_TEST_CONTAINS(fx.err.message, "its status is missing");
  fixture_reset(&fx);
}

LB_TEST_MAIN(LB_TEST(test_unknown_fields_are_skipped), LB_TEST(test_fields_in_any_order),
             LB_TEST(test_unexpected_types_are_skipped), LB_TEST(test_empty_containers),
             LB_TEST(test_maps), LB_TEST(test_depth_is_bounded),
             LB_TEST(test_lengths_and_counts), LB_TEST(test_raw_strings),
             LB_TEST(test_arena_ceiling), LB_TEST(test_no_reply),
             LB_TEST(test_result_wrapper), LB_TEST(test_exceptions),
             LB_TEST(test_read_without_memory), LB_TEST(test_maps_without_memory),
             LB_TEST(test_write_without_memory), LB_TEST(test_write_refuses),
             LB_TEST(test_write_depth_is_bounded), LB_TEST(test_fetch_head),
             LB_TEST(test_fetch_head_behind_no_rows),
             LB_TEST(test_fetch_head_in_odd_order))
