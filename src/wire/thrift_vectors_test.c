/* SPDX-License-Identifier: Apache-2.0 */
/* Known messages: read field by field, written byte for byte, cut short at every byte and
 * with every byte changed. */
#include "wire/thrift_vectors.h"

#include "base/test_support.h"
#include "wire/tcli.h"

#define ARENA_MAX_BYTES (1024 * 1024)

static int nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* Memory of exactly the size of the message, so that reads past its end are found. */
static struct lb_str unhex(const char *hex, size_t len) {
  uint8_t *bytes = lb_alloc(LB_MEM_TEST, len);
  assert_non_null(bytes);
  for (size_t i = 0; i < len; i++) {
    bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  }
  return (struct lb_str){(const char *)bytes, len};
}

static void drop(struct lb_str bytes) { lb_free((void *)(uintptr_t)bytes.data); }

struct vector {
  const char *hex;
  const char *method;
  const struct lb_tstruct *desc;
  bool is_call;
  bool leads_to_ok;
};

static const struct vector vectors[] = {
    {VECTOR_OPEN_SESSION_CALL, "OpenSession", &lb_t_open_session_req_desc, true, true},
    {VECTOR_OPEN_SESSION_REPLY, "OpenSession", &lb_t_open_session_resp_desc, false, true},
    {VECTOR_EXECUTE_STATEMENT_CALL, "ExecuteStatement", &lb_t_execute_statement_req_desc,
     true, true},
    {VECTOR_EXECUTE_STATEMENT_REPLY, "ExecuteStatement",
     &lb_t_execute_statement_resp_desc, false, true},
    {VECTOR_GET_OPERATION_STATUS_CALL, "GetOperationStatus",
     &lb_t_get_operation_status_req_desc, true, true},
    {VECTOR_GET_OPERATION_STATUS_REPLY, "GetOperationStatus",
     &lb_t_get_operation_status_resp_desc, false, true},
    {VECTOR_FETCH_RESULTS_CALL, "FetchResults", &lb_t_fetch_results_req_desc, true, true},
    {VECTOR_FETCH_RESULTS_REPLY, "FetchResults", &lb_t_fetch_results_resp_desc, false,
     true},
    {VECTOR_CLOSE_OPERATION_REPLY, "CloseOperation", &lb_t_close_operation_resp_desc,
     false, true},
    {VECTOR_CLOSE_SESSION_CALL, "CloseSession", &lb_t_close_session_req_desc, true, true},
    {VECTOR_CLOSE_SESSION_REPLY, "CloseSession", &lb_t_close_session_resp_desc, false,
     true},
    {VECTOR_EXCEPTION_REPLY, "NoSuch", &lb_t_close_session_resp_desc, false, false},
};

/* The struct inside of a message: behind version, name, sequence id and the header of the
 * wrapper's field; before the wrapper's STOP. */
static struct lb_str inner(struct lb_str body, const char *method) {
  size_t head = 4 + 4 + strlen(method) + 4 + 3;
  assert_true(body.len > head + 1);
  return (struct lb_str){body.data + head, body.len - head - 1};
}

union any_message {
  struct lb_t_open_session_req open_session_req;
  struct lb_t_execute_statement_req execute_statement_req;
  struct lb_t_get_operation_status_resp get_operation_status_resp;
  struct lb_t_fetch_results_req fetch_results_req;
};

static enum lb_status read_vector(const struct vector *vec, struct lb_str body,
                                  union any_message *msg, struct lb_arena *arena,
                                  struct lb_error *err) {
  assert_true(vec->desc->size <= sizeof(*msg));
  if (!vec->is_call) {
    return lb_thrift_read_reply(body, vec->method, vec->desc, msg, arena, err);
  }
  return lb_thrift_read_struct(inner(body, vec->method), vec->desc, msg, arena, NULL,
                               err);
}

static void assert_bytes(struct lb_str expected, const struct lb_buf *actual) {
  assert_int_equal(expected.len, actual->len);
  assert_memory_equal(expected.data, actual->data, actual->len);
}

static void assert_text(const char *expected, struct lb_str actual) {
  assert_int_equal(strlen(expected), actual.len);
  assert_memory_equal(expected, actual.data, actual.len);
}

/* An identifier of 16 bytes counting up from guid, and 16 from secret. */
static void assert_handle(const struct lb_t_handle_identifier *id, uint8_t guid,
                          uint8_t secret) {
  assert_non_null(id);
  assert_int_equal(id->guid.len, 16);
  assert_int_equal(id->secret.len, 16);
  for (uint8_t i = 0; i < 16; i++) {
    assert_int_equal((uint8_t)id->guid.data[i], guid + i);
    assert_int_equal((uint8_t)id->secret.data[i], secret + i);
  }
}

/* Whatever is read is written as the same bytes. */
static void test_read_then_write(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(vectors); i++) {
    const struct vector *vec = &vectors[i];
    if (!vec->leads_to_ok) continue;
    struct lb_str body = unhex(vec->hex, strlen(vec->hex) / 2);
    struct lb_arena arena;
    struct lb_buf buf;
    struct lb_error err = LB_ERROR_INIT;
    union any_message msg;
    lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
    lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
    LB_TEST_OK(read_vector(vec, body, &msg, &arena, &err), &err);
    LB_TEST_OK(lb_thrift_write_struct(&buf, vec->desc, &msg, &err), &err);
    assert_bytes(inner(body, vec->method), &buf);
    lb_buf_reset(&buf);
    lb_arena_reset(&arena);
    drop(body);
  }
}

static void test_every_prefix_fails(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(vectors); i++) {
    const struct vector *vec = &vectors[i];
    size_t len = strlen(vec->hex) / 2;
    size_t first = vec->is_call ? 4 + 4 + strlen(vec->method) + 4 + 3 + 2 : 0;
    for (size_t cut = first; cut < len; cut += lb_test_step(len, 20)) {
      struct lb_str body = unhex(vec->hex, cut);
      struct lb_arena arena;
      struct lb_error err = LB_ERROR_INIT;
      union any_message msg;
      lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
      memset(&msg, 0xaa, sizeof(msg));
      LB_TEST_FAILS(LB_PROTOCOL, read_vector(vec, body, &msg, &arena, &err), &err);
      for (size_t b = 0; b < vec->desc->size; b++) {
        assert_int_equal(((const uint8_t *)&msg)[b], 0);
      }
      lb_arena_reset(&arena);
      drop(body);
    }
  }
}

static void check_changed(const struct vector *vec, size_t at, uint8_t value) {
  struct lb_str body = unhex(vec->hex, strlen(vec->hex) / 2);
  ((uint8_t *)(uintptr_t)body.data)[at] = value;
  struct lb_arena arena;
  struct lb_error err = LB_ERROR_INIT;
  union any_message msg;
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  enum lb_status status = read_vector(vec, body, &msg, &arena, &err);
  if (status != LB_OK) assert_int_equal(status, LB_PROTOCOL);
  if (status == LB_OK) {
    struct lb_buf buf;
    lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
    LB_TEST_OK(lb_thrift_write_struct(&buf, vec->desc, &msg, &err), &err);
    lb_buf_reset(&buf);
  }
  struct lb_t_fetch_head head;
  status = lb_thrift_read_fetch_head(body, &head, &err);
  if (status != LB_OK) assert_int_equal(status, LB_PROTOCOL);
  lb_arena_reset(&arena);
  drop(body);
}

/* With one byte changed a message is read or refused; the sanitizers see to the rest. */
static void test_every_byte_changed(void **state) {
  (void)state;
  static const uint8_t values[] = {0,  1,  2,  3,  4,  8,  10,   11,
                                   12, 13, 14, 15, 16, 17, 0x7f, 0xff};
  for (size_t i = 0; i < LB_ARRAY_LEN(vectors); i++) {
    const struct vector *vec = &vectors[i];
    size_t len = strlen(vec->hex) / 2;
    for (size_t at = 0; at < len; at += lb_test_step(len, 4)) {
      for (size_t v = 0; v < LB_ARRAY_LEN(values); v++) check_changed(vec, at, values[v]);
    }
  }
}

/* A call is written as the bytes that other clients send. */
static void check_call(const char *hex, const char *method, int32_t seqid,
                       const struct lb_tstruct *desc, const void *req) {
  struct lb_str expected = unhex(hex, strlen(hex) / 2);
  struct lb_buf buf;
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
  LB_TEST_OK(lb_thrift_write_call(&buf, method, seqid, desc, req, &err), &err);
  assert_bytes(expected, &buf);
  lb_buf_reset(&buf);
  drop(expected);
}

static const char session_bytes[] =
    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
    "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
static const char operation_bytes[] =
    "\x40\x41\x42\x43\x44\x45\x46\x47\x48\x49\x4a\x4b\x4c\x4d\x4e\x4f"
    "\x50\x51\x52\x53\x54\x55\x56\x57\x58\x59\x5a\x5b\x5c\x5d\x5e\x5f";

static struct lb_t_handle_identifier identifier(const char *bytes) {
  return (struct lb_t_handle_identifier){.guid = {bytes, 16}, .secret = {bytes + 16, 16}};
}

static void test_write_session_calls(void **state) {
  (void)state;
  struct lb_t_open_session_req open = {
      .configuration = {.set = true},
      .client_protocol_i64 = LB_T_I64(LB_T_PROTOCOL_SPARK_V7),
      .can_use_multiple_catalogs = LB_T_BOOL(true),
  };
  check_call(VECTOR_OPEN_SESSION_CALL, "OpenSession", 1, &lb_t_open_session_req_desc,
             &open);
  struct lb_t_handle_identifier id = identifier(session_bytes);
  struct lb_t_session_handle session = {&id};
  struct lb_t_close_session_req close_req = {&session};
  check_call(VECTOR_CLOSE_SESSION_CALL, "CloseSession", 6, &lb_t_close_session_req_desc,
             &close_req);
}

static void test_write_statement_calls(void **state) {
  (void)state;
  struct lb_t_handle_identifier session_id = identifier(session_bytes);
  struct lb_t_session_handle session = {&session_id};
  struct lb_t_spark_get_direct_results direct = {LB_T_I64(10000), LB_T_I64(1 << 20)};
  struct lb_t_execute_statement_req execute = {
      .session_handle = &session,
      .statement = LB_STR("SELECT 1"),
      .run_async = LB_T_BOOL(true),
      .get_direct_results = &direct,
      .can_read_arrow_result = LB_T_BOOL(true),
      .can_download_result = LB_T_BOOL(false),
      .can_decompress_lz4_result = LB_T_BOOL(true),
  };
  check_call(VECTOR_EXECUTE_STATEMENT_CALL, "ExecuteStatement", 2,
             &lb_t_execute_statement_req_desc, &execute);
  struct lb_t_handle_identifier id = identifier(operation_bytes);
  struct lb_t_operation_handle operation = {
      .operation_id = &id,
      .operation_type = LB_T_I32(LB_T_OPERATION_EXECUTE_STATEMENT),
      .has_result_set = LB_T_BOOL(true),
  };
  struct lb_t_get_operation_status_req ask = {&operation, LB_T_BOOL(false)};
  check_call(VECTOR_GET_OPERATION_STATUS_CALL, "GetOperationStatus", 3,
             &lb_t_get_operation_status_req_desc, &ask);
  struct lb_t_fetch_results_req fetch = {
      .operation_handle = &operation,
      .orientation = LB_T_I32(LB_T_FETCH_NEXT),
      .max_rows = LB_T_I64(100000),
      .start_row_offset = LB_T_I64(0),
      .include_result_set_metadata = LB_T_BOOL(true),
  };
  check_call(VECTOR_FETCH_RESULTS_CALL, "FetchResults", 4, &lb_t_fetch_results_req_desc,
             &fetch);
}

/* Reads the message of `hex` into a variable `name` of the reply's type, runs the checks
 * that follow, and frees. */
#define READ_REPLY(hex, method, desc, msg) \
  struct lb_str body = unhex(hex, strlen(hex) / 2); \
  struct lb_arena arena; \
  struct lb_error err = LB_ERROR_INIT; \
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES); \
  LB_TEST_OK(lb_thrift_read_reply(body, method, desc, &(msg), &arena, &err), &err)
#define READ_DONE() \
  lb_arena_reset(&arena); \
  drop(body)

static void assert_plain_success(const struct lb_t_status *status) {
  assert_non_null(status);
  assert_true(status->status_code.set);
  assert_int_equal(status->status_code.v, LB_T_STATUS_SUCCESS);
  assert_false(status->info_messages.set);
  assert_null(status->sql_state.data);
  assert_false(status->error_code.set);
  assert_null(status->error_message.data);
  assert_null(status->display_message.data);
  assert_null(status->error_details_json.data);
}

static void test_open_session_reply(void **state) {
  (void)state;
  struct lb_t_open_session_resp resp;
  READ_REPLY(VECTOR_OPEN_SESSION_REPLY, "OpenSession", &lb_t_open_session_resp_desc,
             resp);
  assert_plain_success(resp.status);
  assert_true(resp.server_protocol_version.set);
  assert_int_equal(resp.server_protocol_version.v, LB_T_PROTOCOL_SPARK_V8);
  assert_handle(resp.session_handle->session_id, 0x00, 0x10);
  assert_false(resp.configuration.set);
  assert_false(resp.get_infos.set);
  assert_null(resp.initial_namespace);
  assert_true(resp.can_use_multiple_catalogs.set);
  assert_true(resp.can_use_multiple_catalogs.v);
  READ_DONE();
}

static void test_execute_statement_reply(void **state) {
  (void)state;
  struct lb_t_execute_statement_resp resp;
  READ_REPLY(VECTOR_EXECUTE_STATEMENT_REPLY, "ExecuteStatement",
             &lb_t_execute_statement_resp_desc, resp);
  assert_plain_success(resp.status);
  assert_handle(resp.operation_handle->operation_id, 0x40, 0x50);
  assert_true(resp.operation_handle->operation_type.set);
  assert_int_equal(resp.operation_handle->operation_type.v,
                   LB_T_OPERATION_EXECUTE_STATEMENT);
  assert_true(resp.operation_handle->has_result_set.v);
  assert_false(resp.operation_handle->modified_row_count.set);
  const struct lb_t_spark_direct_results *direct = resp.direct_results;
  assert_non_null(direct);
  assert_plain_success(direct->operation_status->status);
  assert_int_equal(direct->operation_status->operation_state.v, LB_T_STATE_RUNNING);
  assert_null(direct->result_set_metadata);
  assert_null(direct->result_set);
  assert_null(direct->close_operation);
  READ_DONE();
}

static void test_get_operation_status_reply(void **state) {
  (void)state;
  struct lb_t_get_operation_status_resp resp;
  READ_REPLY(VECTOR_GET_OPERATION_STATUS_REPLY, "GetOperationStatus",
             &lb_t_get_operation_status_resp_desc, resp);
  assert_plain_success(resp.status);
  assert_true(resp.operation_state.set);
  assert_int_equal(resp.operation_state.v, LB_T_STATE_FINISHED);
  assert_null(resp.sql_state.data);
  assert_false(resp.num_modified_rows.set);
  assert_null(resp.progress_update_response);
  assert_null(resp.display_message.data);
  READ_DONE();
}

static void test_fetch_results_reply(void **state) {
  (void)state;
  struct lb_t_fetch_results_resp resp;
  READ_REPLY(VECTOR_FETCH_RESULTS_REPLY, "FetchResults", &lb_t_fetch_results_resp_desc,
             resp);
  assert_plain_success(resp.status);
  assert_true(resp.has_more_rows.set);
  assert_false(resp.has_more_rows.v);
  assert_null(resp.result_set_metadata);
  const struct lb_t_row_set *rows = resp.results;
  assert_true(rows->start_row_offset.set);
  assert_int_equal(rows->start_row_offset.v, 0);
  assert_true(rows->rows.set);
  assert_int_equal(rows->rows.count, 0);
  assert_false(rows->arrow_batches.set);
  assert_false(rows->result_links.set);
  assert_int_equal(rows->columns.count, 2);
  const struct lb_t_column *columns = rows->columns.items;
  assert_null(columns[0].string_val);
  assert_null(columns[1].i32_val);
  const struct lb_t_list *ints = &columns[0].i32_val->values;
  assert_int_equal(ints->count, 3);
  assert_int_equal(ints->raw_bytes, 12);
  assert_memory_equal(ints->raw, "\0\0\0\7\0\0\0\0\xff\xff\xff\xff", 12);
  assert_text("\2", columns[0].i32_val->nulls);
  const struct lb_t_list *strings = &columns[1].string_val->values;
  assert_int_equal(strings->count, 3);
  assert_int_equal(strings->raw_bytes, 15);
  assert_memory_equal(strings->raw,
                      "\0\0\0\1"
                      "a\0\0\0\0\0\0\0\2\xc3\xa9",
                      15);
  assert_true((const char *)strings->raw > body.data); /* a view, not a copy */
  assert_true((const char *)strings->raw < body.data + body.len);
  assert_text("\2", columns[1].string_val->nulls);
  READ_DONE();
}

static void test_close_replies(void **state) {
  (void)state;
  {
    struct lb_t_close_operation_resp resp;
    READ_REPLY(VECTOR_CLOSE_OPERATION_REPLY, "CloseOperation",
               &lb_t_close_operation_resp_desc, resp);
    assert_int_equal(resp.status->status_code.v, LB_T_STATUS_ERROR);
    assert_text("08000", resp.status->sql_state);
    assert_true(resp.status->error_code.set);
    assert_int_equal(resp.status->error_code.v, 0);
    assert_text("Invalid OperationHandle", resp.status->error_message);
    assert_null(resp.status->display_message.data);
    READ_DONE();
  }
  {
    struct lb_t_close_session_resp resp;
    READ_REPLY(VECTOR_CLOSE_SESSION_REPLY, "CloseSession", &lb_t_close_session_resp_desc,
               resp);
    assert_plain_success(resp.status);
    READ_DONE();
  }
}

static void test_exception_reply(void **state) {
  (void)state;
  struct lb_str body = unhex(VECTOR_EXCEPTION_REPLY, strlen(VECTOR_EXCEPTION_REPLY) / 2);
  struct lb_error err = LB_ERROR_INIT;
  struct lb_t_close_session_resp resp;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  LB_TEST_FAILS(LB_PROTOCOL,
                lb_thrift_read_reply(body, "NoSuch", &lb_t_close_session_resp_desc, &resp,
                                     &arena, &err),
                &err);
  assert_string_equal(err.message,
                      "the server could not serve NoSuch: Invalid method name: 'NoSuch' "
                      "(Thrift exception 1, UNKNOWN_METHOD)");
  assert_int_equal(err.native_code, 1);
  lb_arena_reset(&arena);
  drop(body);
}

LB_TEST_MAIN(LB_TEST(test_read_then_write), LB_TEST(test_every_prefix_fails),
             LB_TEST(test_every_byte_changed), LB_TEST(test_write_session_calls),
             LB_TEST(test_write_statement_calls), LB_TEST(test_open_session_reply),
             LB_TEST(test_execute_statement_reply),
             LB_TEST(test_get_operation_status_reply), LB_TEST(test_fetch_results_reply),
             LB_TEST(test_close_replies), LB_TEST(test_exception_reply))
