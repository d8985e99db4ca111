/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test_support.h"

#include <stdlib.h>

#include "session/backend.h"
#include "session/thrift_status.h"
#include "wire/thrift_vectors.h"

static const struct lb_backend *backend = &lb_backend_thrift;

/* A request as it looks when its reply has come. */
struct exchange {
  struct lb_endpoint *endpoint;
  struct lb_request *req;
};

static void exchange_init(struct exchange *ex) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_endpoint_options options = {.url = "http://127.0.0.1:1/sql/1.0/warehouses/x",
                                        .user_agent = "test/1"};
  LB_TEST_OK(lb_endpoint_create(&options, &ex->endpoint, &err), &err);
  LB_TEST_OK(lb_request_create(ex->endpoint, &ex->req, &err), &err);
  ex->req->what = "GetOperationStatus";
}

static void exchange_reset(struct exchange *ex) {
  lb_request_release(ex->req);
  lb_endpoint_release(ex->endpoint);
}

static void answer(struct exchange *ex, int32_t http_status, const char *content_type,
                   const void *body, size_t len) {
  struct lb_request *req = ex->req;
  req->status = LB_OK;
  req->http_status = http_status;
  memset(&req->headers, 0, sizeof req->headers);
  req->headers.retry_after_ms = -1;
  lb_str_copy(req->headers.content_type, sizeof req->headers.content_type,
              lb_str_from(content_type));
  lb_buf_reset(&req->reply);
  lb_buf_init(&req->reply, LB_MEM_IO, 1024 * 1024);
  lb_buf_append(&req->reply, body, len);
  LB_TEST_OK(lb_buf_check(&req->reply, "a reply", NULL), NULL);
}

/* The message of a struct under a method's name, as a server would send it. */
static void answer_struct(struct exchange *ex, const char *method,
                          const struct lb_tstruct *desc, const void *msg) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_buf body;
  lb_buf_init(&body, LB_MEM_IO, 1024 * 1024);
  lb_buf_append_be32(&body, 0x80010002u);
  lb_buf_append_be32(&body, (uint32_t)strlen(method));
  lb_buf_append_text(&body, method);
  lb_buf_append_be32(&body, 1);
  lb_buf_append_u8(&body, LB_TT_STRUCT);
  lb_buf_append_be16(&body, 0);
  LB_TEST_OK(lb_thrift_write_struct(&body, desc, msg, &err), &err);
  lb_buf_append_u8(&body, 0);
  ex->req->what = method;
  answer(ex, 200, "application/x-thrift", body.data, body.len);
  lb_buf_reset(&body);
}

static size_t unhex(const char *hex, uint8_t *out) {
  size_t n = strlen(hex) / 2;
  for (size_t i = 0; i < n; i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return n;
}

static void answer_hex(struct exchange *ex, const char *what, const char *hex) {
  uint8_t bytes[1024];
  size_t len = unhex(hex, bytes);
  ex->req->what = what;
  answer(ex, 200, "application/x-thrift", bytes, len);
}

static struct lb_t_status success(void) {
  return (struct lb_t_status){.status_code = LB_T_I32(LB_T_STATUS_SUCCESS)};
}

static struct lb_t_status failed(const char *sql_state, const char *text) {
  return (struct lb_t_status){.status_code = LB_T_I32(LB_T_STATUS_ERROR),
                              .sql_state = lb_str_from(sql_state),
                              .error_message = lb_str_from(text)};
}

static struct lb_server server_of(int32_t protocol, bool databricks) {
  struct lb_server server = {.kind = databricks ? LB_KIND_DATABRICKS : LB_KIND_SPARK,
                             .protocol = protocol,
                             .databricks_protocol = databricks};
  for (uint8_t i = 0; i < 16; i++) {
    server.guid[i] = i;
    server.secret[i] = (uint8_t)(16 + i);
  }
  return server;
}

static struct lb_op_handle handle_of(void) {
  struct lb_op_handle handle = {.has_result_set = true};
  for (uint8_t i = 0; i < 16; i++) {
    handle.guid[i] = (uint8_t)(0x40 + i);
    handle.secret[i] = (uint8_t)(0x50 + i);
  }
  return handle;
}

/* Requests. */

/* Reads back what was built: the args struct has the request as its field 1. */
static void read_back(struct lb_request *req, const struct lb_tstruct *desc, void *msg,
                      struct lb_arena *arena) {
  struct lb_error err = LB_ERROR_INIT;
  size_t head = 8 + strlen(req->what) + 4 + 3, used = 0;
  struct lb_str body = {(const char *)req->body.data + head, req->body.len - head};
  lb_arena_init(arena, LB_MEM_WIRE, 1024 * 1024);
  LB_TEST_OK(lb_thrift_read_struct(body, desc, msg, arena, &used, &err), &err);
}

static void test_open_leaves_the_classic_version_out(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_t_open_session_req msg = {0};
  struct lb_conf conf = {LB_STR("ANSI_MODE"), LB_STR("true")};
  struct lb_open_params params = {.hive_protocol = -1,
                                  .confs = &conf,
                                  .conf_count = 1,
                                  .catalog = LB_STR("main"),
                                  .schema = {NULL, 0}};
  exchange_init(&ex);
  LB_TEST_OK(backend->build_open(&params, ex.req, &err), &err);
  read_back(ex.req, &lb_t_open_session_req_desc, &msg, &arena);
  assert_false(msg.client_protocol.set);
  assert_int_equal(msg.client_protocol_i64.v, LB_T_PROTOCOL_SPARK_V8);
  assert_true(msg.can_use_multiple_catalogs.v);
  assert_int_equal(msg.configuration.count, 2);
  assert_non_null(msg.initial_namespace);
  assert_true(lb_str_equal(msg.initial_namespace->catalog_name, LB_STR("main")));
  assert_null(msg.initial_namespace->schema_name.data);
  assert_int_equal(ex.req->repeat, LB_REPEAT_SAFE);
  lb_arena_reset(&arena);
  exchange_reset(&ex);
}

static void test_open_speaks_the_open_engines_form(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_t_open_session_req msg = {0};
  struct lb_conf confs[] = {{LB_STR("spark.sql.x"), LB_STR("1")},
                            {LB_STR("set:hivevar:a"), LB_STR("5")}};
  struct lb_open_params params = {.kind = LB_KIND_SPARK,
                                  .hive_protocol = LB_T_PROTOCOL_HIVE_V10,
                                  .confs = confs,
                                  .conf_count = 2,
                                  .schema = LB_STR("sales")};
  exchange_init(&ex);
  LB_TEST_OK(backend->build_open(&params, ex.req, &err), &err);
  read_back(ex.req, &lb_t_open_session_req_desc, &msg, &arena);
  assert_int_equal(msg.client_protocol.v, LB_T_PROTOCOL_HIVE_V10);
  assert_false(msg.client_protocol_i64.set);
  assert_null(msg.initial_namespace);
  const struct lb_str *keys = msg.configuration.keys;
  assert_int_equal(msg.configuration.count, 3);
  assert_true(lb_str_equal(keys[0], LB_STR("use:database")));
  assert_true(lb_str_equal(keys[1], LB_STR("set:hiveconf:spark.sql.x")));
  assert_true(lb_str_equal(keys[2], LB_STR("set:hivevar:a")));
  lb_arena_reset(&arena);
  exchange_reset(&ex);
}

static void check_execute(int32_t protocol, bool databricks, bool arrow,
                          bool wants_direct, bool wants_lz4, bool wants_native) {
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_t_execute_statement_req msg = {0};
  struct lb_server server = server_of(protocol, databricks);
  struct lb_execute_params params = {.sql = LB_STR("SELECT 1"),
                                     .query_timeout_s = 7,
                                     .arrow = arrow,
                                     .max_rows = 100,
                                     .max_bytes = 1000};
  exchange_init(&ex);
  LB_TEST_OK(backend->build_execute(&server, &params, ex.req, &err), &err);
  read_back(ex.req, &lb_t_execute_statement_req_desc, &msg, &arena);
  assert_true(lb_str_equal(msg.statement, LB_STR("SELECT 1")));
  assert_true(msg.run_async.v);
  assert_int_equal(msg.query_timeout.v, 7);
  assert_int_equal(msg.get_direct_results != NULL, wants_direct);
  if (wants_direct) assert_int_equal(msg.get_direct_results->max_rows.v, 100);
  assert_int_equal(msg.can_read_arrow_result.v, arrow && databricks);
  assert_int_equal(msg.can_decompress_lz4_result.v, wants_lz4);
  assert_int_equal(msg.use_arrow_native_types != NULL, wants_native);
  /* Links cannot be read, so they are never asked for. */
  assert_false(msg.can_download_result.v);
  /* A lost reply must not run a statement twice. */
  assert_int_equal(ex.req->repeat, LB_REPEAT_IF_NOT_RECEIVED);
  lb_arena_reset(&arena);
  exchange_reset(&ex);
}

/* A server may well give one identifier for both, or zeros for the secret. */
static void test_execute_again_names_the_new_session(void **state) {
  (void)state;
  static const struct {
    uint8_t guid, secret;
  } rows[] = {{1, 2}, {1, 1}, {1, 0}, {0, 0}};
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct exchange old, again, wanted;
    struct lb_error err = LB_ERROR_INIT;
    struct lb_server lost = server_of(LB_T_PROTOCOL_SPARK_V9, true), later = lost;
    struct lb_execute_params params = {.sql = LB_STR("SELECT 1"), .max_rows = 1};
    memset(lost.guid, rows[i].guid, sizeof lost.guid);
    memset(lost.secret, rows[i].secret, sizeof lost.secret);
    memset(later.guid, 3, sizeof later.guid);
    memset(later.secret, 4, sizeof later.secret);
    exchange_init(&old);
    exchange_init(&again);
    exchange_init(&wanted);
    LB_TEST_OK(backend->build_execute(&lost, &params, old.req, &err), &err);
    LB_TEST_OK(backend->build_execute(&later, &params, wanted.req, &err), &err);
    LB_TEST_OK(backend->build_again(old.req, &lost, &later, again.req, &err), &err);
    assert_int_equal(again.req->body.len, wanted.req->body.len);
    assert_memory_equal(again.req->body.data, wanted.req->body.data,
                        wanted.req->body.len);
    assert_int_equal(again.req->repeat, wanted.req->repeat);
    exchange_reset(&old);
    exchange_reset(&again);
    exchange_reset(&wanted);
  }
}

static void test_execute_asks_for_what_the_version_knows(void **state) {
  (void)state;
  check_execute(LB_T_PROTOCOL_SPARK_V8, true, true, true, true, true);
  check_execute(LB_T_PROTOCOL_SPARK_V5, true, true, true, false, true);
  check_execute(LB_T_PROTOCOL_SPARK_V4, true, true, true, false, false);
  check_execute(LB_T_PROTOCOL_SPARK_V8, true, false, true, false, false);
  check_execute(LB_T_PROTOCOL_HIVE_V10, false, true, false, false, false);
}

static void test_fetch_always_states_its_offset_on_databricks(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_handle handle = handle_of();
  struct lb_fetch_params params = {.start_row = 0, .max_rows = 10, .max_bytes = 1024};
  for (int databricks = 0; databricks <= 1; databricks++) {
    struct exchange ex;
    struct lb_arena arena;
    struct lb_t_fetch_results_req msg = {0};
    struct lb_server server = server_of(9, databricks == 1);
    exchange_init(&ex);
    LB_TEST_OK(backend->build_fetch(&server, &handle, &params, ex.req, &err), &err);
    read_back(ex.req, &lb_t_fetch_results_req_desc, &msg, &arena);
    assert_int_equal(msg.orientation.v, LB_T_FETCH_NEXT);
    assert_int_equal(msg.start_row_offset.set, databricks);
    assert_int_equal(msg.max_bytes.set, databricks);
    assert_int_equal(ex.req->req_class, LB_REQ_FETCH);
    assert_int_equal(ex.req->repeat, LB_REPEAT_IF_NOT_RECEIVED);
    lb_arena_reset(&arena);
    exchange_reset(&ex);
  }
}

static void rule_3_6_a_probe_is_one_request_of_its_own_class(void **state) {
  (void)state;
  static const struct {
    enum lb_probe_kind probe;
    const char *method;
  } rows[] = {{LB_PROBE_STATUS, "GetOperationStatus"},
              {LB_PROBE_METADATA, "GetResultSetMetadata"},
              {LB_PROBE_FETCH0, "FetchResults"}};
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_handle handle = handle_of();
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct exchange ex;
    struct lb_probe_params params = {.probe = rows[i].probe};
    exchange_init(&ex);
    LB_TEST_OK(backend->build_probe(&handle, &params, ex.req, &err), &err);
    assert_string_equal(ex.req->what, rows[i].method);
    assert_int_equal(ex.req->req_class, LB_REQ_PROBE);
    assert_int_equal(ex.req->repeat, LB_REPEAT_NEVER);
    assert_true(ex.req->heartbeat);
    exchange_reset(&ex);
  }
}

static void test_ends_hold_the_exit_and_may_be_repeated(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_handle handle = handle_of();
  struct lb_server server = server_of(9, false);
  struct exchange ex;
  exchange_init(&ex);
  LB_TEST_OK(backend->build_cancel(&handle, ex.req, &err), &err);
  assert_true(ex.req->holds_exit && ex.req->repeat == LB_REPEAT_SAFE);
  LB_TEST_OK(backend->build_close(&handle, ex.req, &err), &err);
  assert_true(ex.req->holds_exit && ex.req->repeat == LB_REPEAT_SAFE);
  LB_TEST_OK(backend->build_end(&server, ex.req, &err), &err);
  assert_true(ex.req->holds_exit && ex.req->repeat == LB_REPEAT_SAFE);
  exchange_reset(&ex);
}

/* Replies. */

static void test_open_reply_tells_the_kind(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_open_params params = {.hive_protocol = -1};
  struct lb_server server = {0};
  int32_t again = 0;
  exchange_init(&ex);
  answer_hex(&ex, "OpenSession", VECTOR_OPEN_SESSION_REPLY);
  LB_TEST_OK(backend->read_open(ex.req, &params, &server, &again, &err), &err);
  assert_int_equal(server.kind, LB_KIND_DATABRICKS);
  assert_int_equal(server.protocol, LB_T_PROTOCOL_SPARK_V8);
  assert_int_equal(server.guid[15], 15);
  assert_int_equal(server.secret[0], 16);
  assert_int_equal(again, -1);
  exchange_reset(&ex);
}

static void open_reply(struct exchange *ex, int32_t protocol) {
  static const char guid[16] = "guidguidguidguid", secret[16] = "secretsecretsecr";
  struct lb_t_status ok = success();
  struct lb_t_handle_identifier id = {{guid, 16}, {secret, 16}};
  struct lb_t_session_handle handle = {&id};
  struct lb_t_open_session_resp resp = {.status = &ok,
                                        .server_protocol_version = LB_T_I32(protocol),
                                        .session_handle = &handle};
  answer_struct(ex, "OpenSession", &lb_t_open_session_resp_desc, &resp);
}

static void test_open_engine_is_asked_for_its_name(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_open_params params = {.hive_protocol = -1};
  struct lb_server server = {0};
  int32_t again = 0;
  exchange_init(&ex);
  open_reply(&ex, LB_T_PROTOCOL_HIVE_V10);
  LB_TEST_OK(backend->read_open(ex.req, &params, &server, &again, &err), &err);
  assert_int_equal(server.kind, LB_KIND_AUTO);
  assert_false(server.databricks_protocol);
  /* A catalog that would be silently ignored is refused, and the session can be
   * closed. */
  params.catalog = LB_STR("main");
  memset(&server, 0, sizeof server);
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED,
                backend->read_open(ex.req, &params, &server, &again, &err), &err);
  LB_TEST_CONTAINS(err.message, "databricks.catalog");
  assert_memory_equal(server.guid, "guidguidguidguid", 16);
  exchange_reset(&ex);
}

static void test_old_engine_gets_older_versions(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_open_params params = {.hive_protocol = -1};
  struct lb_server server = {0};
  int32_t again = 0;
  struct lb_buf body;
  exchange_init(&ex);
  lb_buf_init(&body, LB_MEM_TEST, 1024);
  lb_buf_append_be32(&body, 0x80010003u);
  lb_buf_append_be32(&body, 11);
  lb_buf_append_text(&body, "OpenSession");
  lb_buf_append_be32(&body, 1);
  lb_buf_append_u8(&body, LB_TT_STRING);
  lb_buf_append_be16(&body, 1);
  const char *text = "Required field 'client_protocol' is unset!";
  lb_buf_append_be32(&body, (uint32_t)strlen(text));
  lb_buf_append_text(&body, text);
  lb_buf_append_u8(&body, 0);
  ex.req->what = "OpenSession";
  answer(&ex, 200, "application/x-thrift", body.data, body.len);
  lb_buf_reset(&body);
  for (int32_t offered = -1, wanted = LB_T_PROTOCOL_HIVE_V10;;) {
    params.hive_protocol = offered;
    LB_TEST_FAILS(LB_PROTOCOL, backend->read_open(ex.req, &params, &server, &again, &err),
                  &err);
    assert_int_equal(again, wanted);
    if (again < 0) break;
    offered = again;
    wanted = offered > LB_T_PROTOCOL_HIVE_V7 ? offered - 1 : -1;
  }
  exchange_reset(&ex);
}

static void test_execute_reply_still_running(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  exchange_init(&ex);
  answer_hex(&ex, "ExecuteStatement", VECTOR_EXECUTE_STATEMENT_REPLY);
  LB_TEST_OK(backend->read_execute(ex.req, &head, &err), &err);
  assert_true(head.has_handle && head.handle.has_result_set);
  assert_int_equal(head.handle.guid[0], 0x40);
  assert_int_equal(head.state, LB_OP_LIVE);
  assert_false(head.closed_by_server || head.has_rows || head.has_metadata);
  exchange_reset(&ex);
}

/* What the server has failed to close is still there, to be closed by us. */
static void test_only_a_close_that_succeeded_counts(void **state) {
  (void)state;
  static uint8_t id[16] = {1};
  const struct {
    struct lb_t_status status;
    bool handle, closed;
  } rows[] = {
      {success(), true, true},
      {failed("08000", "the file system is full"), true, false},
      {failed("08000", "Invalid OperationHandle: x"), true, true},
      {failed("08000", "the file system is full"), false, true},
  };
  struct exchange ex;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_op_head head;
    struct lb_t_status good = success(), ending = rows[i].status;
    struct lb_t_close_operation_resp closing = {&ending};
    struct lb_t_spark_direct_results direct = {.close_operation = &closing};
    struct lb_str bytes = {(const char *)id, sizeof id};
    struct lb_t_handle_identifier both = {.guid = bytes, .secret = bytes};
    struct lb_t_operation_handle handle = {.operation_id = &both,
                                           .operation_type = LB_T_I32(0),
                                           .has_result_set = LB_T_BOOL(true)};
    struct lb_t_execute_statement_resp resp = {
        .status = &good,
        .operation_handle = rows[i].handle ? &handle : NULL,
        .direct_results = &direct};
    answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
    LB_TEST_OK(backend->read_execute(ex.req, &head, &err), &err);
    assert_int_equal(head.closed_by_server, rows[i].closed);
  }
  exchange_reset(&ex);
}

static void test_statement_errors_are_readable(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  exchange_init(&ex);
  struct lb_t_status status = failed(
      "42P01",
      "Error running query: [TABLE_OR_VIEW_NOT_FOUND] The table `x` cannot be "
      "found. SQLSTATE: 42P01\n\tat org.apache.Thing.run(Thing.java:1)\n\tat more");
  struct lb_t_execute_statement_resp resp = {.status = &status};
  answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
  LB_TEST_FAILS(LB_SERVER, backend->read_execute(ex.req, &head, &err), &err);
  assert_string_equal(err.sqlstate, "42P01");
  assert_string_equal(err.error_class, "TABLE_OR_VIEW_NOT_FOUND");
  assert_null(strstr(err.message, "Thing.java"));
  assert_null(strstr(err.message, "Error running query"));
  assert_null(strstr(err.message, "Exception"));
  /* The short text is preferred; a SQLSTATE that stands only in the text counts. */
  status = failed(NULL, "long");
  status.display_message = LB_STR("\n[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012");
  answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
  LB_TEST_FAILS(LB_SERVER, backend->read_execute(ex.req, &head, &err), &err);
  assert_string_equal(err.sqlstate, "22012");
  LB_TEST_CONTAINS(err.message, "[DIVIDE_BY_ZERO]");
  exchange_reset(&ex);
}

static void test_server_texts(void **state) {
  (void)state;
  static const struct {
    const char *sqlstate; /* as sent; "" none */
    const char *text;
    enum lb_status status;
    const char *shown;
    const char *found;
    const char *error_class;
  } rows[] = {
      {"",
       "org.apache.hive.service.cli.HiveSQLException: Error running query: "
       "[DIVIDE_BY_ZERO] org.apache.spark.SparkArithmeticException: [DIVIDE_BY_ZERO] "
       "Division by zero.\n\tat org.apache.X.y(X.java:1)\nCaused by: java.lang.Z",
       LB_SERVER, "statement failed: [DIVIDE_BY_ZERO] Division by zero.", "22012",
       "DIVIDE_BY_ZERO"},
      {"42000",
       "org.apache.hive.service.cli.HiveSQLException: Error while compiling "
       "statement: FAILED: ParseException line 1:0",
       LB_SERVER,
       "statement failed: Error while compiling statement: FAILED: ParseException line "
       "1:0",
       "42000", ""},
      {"", "PERMISSION_DENIED: User does not have SELECT", LB_SERVER,
       "statement failed: PERMISSION_DENIED: User does not have SELECT", "42501",
       "PERMISSION_DENIED"},
      {"", "FAILED: not a class", LB_SERVER, "statement failed: FAILED: not a class",
       "HY000", ""},
      {"", "a.b.c: no exception", LB_SERVER, "statement failed: a.b.c: no exception",
       "HY000", ""},
      {"", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column. SQLSTATE: 42703", LB_SERVER,
       "statement failed: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column. SQLSTATE: 42703",
       "42703", "UNRESOLVED_COLUMN.WITH_SUGGESTION"},
      {"42K09", "[DIVIDE_BY_ZERO] x SQLSTATE: 22012", LB_SERVER,
       "statement failed: [DIVIDE_BY_ZERO] x SQLSTATE: 22012", "42K09", "DIVIDE_BY_ZERO"},
      {"", "line\nat home\n  at a.b(c)\nmore", LB_SERVER,
       "statement failed: line\nat home", "HY000", ""},
      {"", "", LB_SERVER,
       "statement failed: the server refused the statement (the server gave no text)",
       "HY000", ""},
      {"", "Invalid SessionHandle: x", LB_SESSION_LOST,
       "statement failed: Invalid SessionHandle: x", "08003", ""},
      {"08000", "Invalid OperationHandle: x", LB_RESULT_LOST,
       "statement failed: Invalid OperationHandle: x", "24000", ""},
      /* What a statement says of itself. */
      {"P0001", "[USER_RAISED_EXCEPTION] operation not found", LB_SERVER,
       "statement failed: [USER_RAISED_EXCEPTION] operation not found", "P0001",
       "USER_RAISED_EXCEPTION"},
      {"", "copy with AWS_SECRET_KEY='abcd' failed", LB_SERVER,
       "statement failed: copy with AWS_SECRET_KEY='***' failed", "HY000", ""},
  };
  struct exchange ex;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_op_head head;
    struct lb_t_status status = failed(rows[i].sqlstate, rows[i].text);
    struct lb_t_execute_statement_resp resp = {.status = &status};
    answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
    LB_TEST_FAILS(rows[i].status, backend->read_execute(ex.req, &head, &err), &err);
    assert_string_equal(err.message, rows[i].shown);
    assert_string_equal(err.sqlstate, rows[i].found);
    assert_string_equal(err.error_class, rows[i].error_class);
  }
  exchange_reset(&ex);
}

/* A text is cut behind a whole word, and only when its secrets are hidden. */
static void test_long_server_texts_are_cut(void **state) {
  (void)state;
  static char text[4000];
  struct exchange ex;
  exchange_init(&ex);
  size_t step = (size_t)lb_test_rounds(7, 97);
  for (size_t filling = 600; filling < 2900; filling += step) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_op_head head;
    size_t len = 0;
    while (len < filling)
      len += lb_str_copy(text + len, sizeof text - len, LB_STR("ab "));
    lb_str_copy(text + len, sizeof text - len,
                LB_STR("dose0123456789abcdef0123456789abcdef and so on"));
    struct lb_t_status status = failed(NULL, text);
    struct lb_t_execute_statement_resp resp = {.status = &status};
    answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
    LB_TEST_FAILS(LB_SERVER, backend->read_execute(ex.req, &head, &err), &err);
    assert_null(strstr(err.message, "dose0"));
    assert_true(strlen(err.message) < 800);
    if (filling > 800) LB_TEST_CONTAINS(err.message, " ...");
  }
  exchange_reset(&ex);
}

/* A text as long as a page must not hold up the thread that reads it. */
static void test_endless_server_texts_are_not_searched(void **state) {
  (void)state;
  static char text[200000];
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  exchange_init(&ex);
  memset(text, 'a', sizeof text);
  lb_str_copy(text + 100000, 80, LB_STR(" Invalid OperationHandle SQLSTATE: 42P01 "));
  struct lb_t_status status = failed(NULL, text);
  status.error_message.len = sizeof text;
  struct lb_t_execute_statement_resp resp = {.status = &status};
  answer_struct(&ex, "ExecuteStatement", &lb_t_execute_statement_resp_desc, &resp);
  LB_TEST_FAILS(LB_SERVER, backend->read_execute(ex.req, &head, &err), &err);
  assert_string_equal(err.sqlstate, "HY000");
  exchange_reset(&ex);
}

static void test_success_status_with_failed_state_is_a_failure(void **state) {
  (void)state;
  static const struct {
    int32_t wire;
    enum lb_op_state state;
    enum lb_status failure;
  } rows[] = {
      {LB_T_STATE_INITIALIZED, LB_OP_LIVE, LB_OK},
      {LB_T_STATE_PENDING, LB_OP_LIVE, LB_OK},
      {LB_T_STATE_RUNNING, LB_OP_LIVE, LB_OK},
      {LB_T_STATE_FINISHED, LB_OP_FINISHED, LB_OK},
      {LB_T_STATE_CANCELED, LB_OP_CANCELED, LB_CANCELLED},
      {LB_T_STATE_CLOSED, LB_OP_CLOSED, LB_RESULT_LOST},
      {LB_T_STATE_ERROR, LB_OP_FAILED, LB_SERVER},
      {LB_T_STATE_UNKNOWN, LB_OP_UNKNOWN, LB_PROTOCOL},
      {LB_T_STATE_TIMEDOUT, LB_OP_TIMED_OUT, LB_TIMEOUT},
      {77, LB_OP_UNKNOWN, LB_PROTOCOL},
  };
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_t_status ok = success();
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_op_head head;
    struct lb_t_get_operation_status_resp resp = {
        .status = &ok, .operation_state = LB_T_I32(rows[i].wire)};
    answer_struct(&ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
    LB_TEST_OK(backend->read_poll(ex.req, &head, &err), &err);
    assert_int_equal(head.state, rows[i].state);
    assert_int_equal(head.failure.status, rows[i].failure);
  }
  exchange_reset(&ex);
}

static void test_http_failures(void **state) {
  (void)state;
  static const char gone[] =
      "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"no operation\"}";
  static const struct {
    int32_t http_status;
    const char *content_type;
    const char *body;
    enum lb_status status;
  } rows[] = {
      {404, "application/json", gone, LB_RESULT_LOST},
      {404, "text/html", "<html>nothing here</html>", LB_HTTP},
      {401, "application/json", "{}", LB_UNAUTHENTICATED},
      {403, "text/plain", "no", LB_UNAUTHORIZED},
      {503, "text/plain", "starting", LB_UNAVAILABLE},
      {429, "", "", LB_UNAVAILABLE},
      {500, "text/html", "oops", LB_HTTP},
      {200, "text/html", "<html>login</html>", LB_PROTOCOL},
  };
  struct exchange ex;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_op_head head;
    answer(&ex, rows[i].http_status, rows[i].content_type, rows[i].body,
           strlen(rows[i].body));
    LB_TEST_FAILS(rows[i].status, backend->read_poll(ex.req, &head, &err), &err);
    assert_int_equal(err.http_status, rows[i].http_status);
  }
  exchange_reset(&ex);
}

static void test_http_text_comes_from_the_headers_without_secrets(void **state) {
  (void)state;
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  exchange_init(&ex);
  answer(&ex, 401, "application/json", "{}", 2);
  lb_str_copy(ex.req->headers.thrift_error, sizeof ex.req->headers.thrift_error,
              LB_STR("Invalid access token dapi0123456789abcdef0123456789abcdef"));
  lb_str_copy(ex.req->headers.reason_phrase, sizeof ex.req->headers.reason_phrase,
              LB_STR("because"));
  LB_TEST_FAILS(LB_UNAUTHENTICATED, backend->read_poll(ex.req, &head, &err), &err);
  LB_TEST_CONTAINS(err.message, "Invalid access token");
  LB_TEST_CONTAINS(err.message, "because");
  LB_TEST_CONTAINS(err.message, "databricks.access_token");
  assert_null(strstr(err.message, "dapi0123"));
  exchange_reset(&ex);
}

static void test_ends_accept_a_handle_that_is_gone(void **state) {
  (void)state;
  static const char *const texts[] = {
      "Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT]",
      "Invalid SessionHandle: SessionHandle [x]", "Session does not exist!"};
  struct exchange ex;
  struct lb_error err = LB_ERROR_INIT;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    struct lb_t_status status = failed("08000", texts[i]);
    struct lb_t_close_operation_resp resp = {&status};
    answer_struct(&ex, "CloseOperation", &lb_t_close_operation_resp_desc, &resp);
    LB_TEST_OK(backend->read_end(ex.req, &err), &err);
  }
  struct lb_t_status status = failed("HY000", "something else");
  struct lb_t_close_operation_resp resp = {&status};
  answer_struct(&ex, "CloseOperation", &lb_t_close_operation_resp_desc, &resp);
  LB_TEST_FAILS(LB_SERVER, backend->read_end(ex.req, &err), &err);
  exchange_reset(&ex);
}

/* Probes. */

static enum lb_probe_verdict probe_verdict(struct exchange *ex, enum lb_probe_kind probe,
                                           int64_t confirmed, int64_t asked) {
  struct lb_probe_params params = {.probe = probe,
                                   .confirmed_row = confirmed,
                                   .asked_row = asked,
                                   .real_offsets = true};
  struct lb_probe_answer out;
  backend->read_probe(ex->req, &params, &out);
  return out.verdict;
}

static void status_reply(struct exchange *ex, bool has_state, int32_t wire,
                         const char *text) {
  struct lb_t_status ok = success();
  struct lb_t_get_operation_status_resp resp = {.status = &ok,
                                                .error_message = lb_str_from(text)};
  if (has_state) resp.operation_state = LB_T_I32(wire);
  answer_struct(ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
}

static void rule_4_0_answers_of_a_status_probe(void **state) {
  (void)state;
  struct exchange ex;
  exchange_init(&ex);
  static const int32_t alive[] = {LB_T_STATE_INITIALIZED, LB_T_STATE_PENDING,
                                  LB_T_STATE_RUNNING, LB_T_STATE_FINISHED};
  for (size_t i = 0; i < LB_ARRAY_LEN(alive); i++) {
    status_reply(&ex, true, alive[i], NULL);
    assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_ALIVE);
  }
  status_reply(&ex, false, 0, NULL);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_ALIVE_NO_STATE);
  static const int32_t ended[] = {LB_T_STATE_CANCELED, LB_T_STATE_CLOSED,
                                  LB_T_STATE_ERROR, LB_T_STATE_TIMEDOUT,
                                  LB_T_STATE_UNKNOWN};
  for (size_t i = 0; i < LB_ARRAY_LEN(ended); i++) {
    status_reply(&ex, true, ended[i], NULL);
    assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_ENDED);
  }
  /* The text decides before the state does. */
  status_reply(&ex, true, LB_T_STATE_ERROR, "operation timed out due to inactivity");
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_LOST);
  struct lb_t_status lost = failed(NULL, "Invalid OperationHandle: x");
  struct lb_t_get_operation_status_resp resp = {.status = &lost};
  answer_struct(&ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_LOST);
  exchange_reset(&ex);
}

static void rule_4_0_each_text_of_a_lost_handle(void **state) {
  (void)state;
  static const char *const texts[] = {
      "RESOURCE_DOES_NOT_EXIST: gone",
      "Invalid OperationHandle: OperationHandle [x]",
      "java.lang.X: Operation not found",
      "closed: timed out due to inactivity",
      "Invalid SessionHandle: SessionHandle [x]",
      "Session does not exist!",
      "Job 3 cancelled part of cancelled job group 9",
  };
  struct exchange ex;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    struct lb_t_status lost = failed(NULL, texts[i]);
    struct lb_t_get_operation_status_resp resp = {.status = &lost};
    answer_struct(&ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
    assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_LOST);
  }
  struct lb_t_status invalid = {.status_code = LB_T_I32(LB_T_STATUS_INVALID_HANDLE)};
  struct lb_t_get_operation_status_resp resp = {.status = &invalid};
  answer_struct(&ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_LOST);
  struct lb_t_status busy = failed(NULL, "the metastore is busy");
  resp.status = &busy;
  answer_struct(&ex, "GetOperationStatus", &lb_t_get_operation_status_resp_desc, &resp);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_FAILED);
  exchange_reset(&ex);
}

static void rule_4_0_answers_by_http_status(void **state) {
  (void)state;
  static const struct {
    int32_t http_status;
    const char *body;
    enum lb_probe_verdict verdict;
  } rows[] = {
      {404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}", LB_PROBE_LOST},
      {404, "<html>a proxy</html>", LB_PROBE_FAILED},
      {401, "", LB_PROBE_REFUSED},
      {429, "", LB_PROBE_BUSY},
      {503, "", LB_PROBE_BUSY},
      {500, "", LB_PROBE_FAILED},
      {200, "not thrift", LB_PROBE_FAILED},
  };
  struct exchange ex;
  exchange_init(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    answer(&ex, rows[i].http_status, "text/html", rows[i].body, strlen(rows[i].body));
    assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), rows[i].verdict);
  }
  /* A truncated Thrift body is a failure, not a loss. */
  answer(&ex, 200, "application/x-thrift", "\x80\x01", 2);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_FAILED);
  ex.req->status = lb_error_set(&ex.req->err, LB_CONNECTION, "refused");
  assert_int_equal(probe_verdict(&ex, LB_PROBE_STATUS, 0, 0), LB_PROBE_FAILED);
  exchange_reset(&ex);
}

static void fetch0_reply(struct exchange *ex, int64_t offset, int32_t rows) {
  struct lb_t_status ok = success();
  uint8_t values[8] = {0};
  struct lb_t_byte_column bytes = {
      .values = {.set = true, .count = rows, .raw = values, .raw_bytes = (size_t)rows},
      .nulls = LB_STR("")};
  struct lb_t_column column = {.byte_val = &bytes};
  struct lb_t_row_set row_set = {
      .start_row_offset = LB_T_I64(offset),
      .rows = {.set = true},
      .columns = {.set = true, .count = 1, .items = &column},
  };
  struct lb_t_fetch_results_resp resp = {
      .status = &ok, .has_more_rows = LB_T_BOOL(false), .results = &row_set};
  answer_struct(ex, "FetchResults", &lb_t_fetch_results_resp_desc, &resp);
}

static void rule_4_0_fetch0_notices_lost_rows(void **state) {
  (void)state;
  struct exchange ex;
  exchange_init(&ex);
  fetch0_reply(&ex, 20, 0);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_FETCH0, 20, 20), LB_PROBE_ALIVE);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_FETCH0, 10, 30), LB_PROBE_ALIVE);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_FETCH0, 21, 30), LB_PROBE_ROWS_GONE);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_FETCH0, 0, 19), LB_PROBE_ROWS_GONE);
  fetch0_reply(&ex, 20, 3);
  assert_int_equal(probe_verdict(&ex, LB_PROBE_FETCH0, 20, 20), LB_PROBE_ROWS_GONE);
  /* A server that states no offsets may write anything there; rows are rows. */
  struct lb_probe_params params = {
      .probe = LB_PROBE_FETCH0, .confirmed_row = 20, .asked_row = 20};
  struct lb_probe_answer out;
  fetch0_reply(&ex, 0, 0);
  backend->read_probe(ex.req, &params, &out);
  assert_int_equal(out.verdict, LB_PROBE_ALIVE);
  fetch0_reply(&ex, 0, 3);
  backend->read_probe(ex.req, &params, &out);
  assert_int_equal(out.verdict, LB_PROBE_ROWS_GONE);
  exchange_reset(&ex);
}

static void read_under_torture(struct exchange *ex) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  LB_TEST_OOM_OR_OK(backend->read_execute(ex->req, &head, &err), &err);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct exchange ex;
  exchange_init(&ex);
  answer_hex(&ex, "ExecuteStatement", VECTOR_EXECUTE_STATEMENT_REPLY);
  LB_TEST_TORTURE(read_under_torture(&ex));
  exchange_reset(&ex);
}

LB_TEST_MAIN(LB_TEST(test_open_leaves_the_classic_version_out),
             LB_TEST(test_open_speaks_the_open_engines_form),
             LB_TEST(test_execute_asks_for_what_the_version_knows),
             LB_TEST(test_execute_again_names_the_new_session),
             LB_TEST(test_fetch_always_states_its_offset_on_databricks),
             LB_TEST(rule_3_6_a_probe_is_one_request_of_its_own_class),
             LB_TEST(test_ends_hold_the_exit_and_may_be_repeated),
             LB_TEST(test_open_reply_tells_the_kind),
             LB_TEST(test_open_engine_is_asked_for_its_name),
             LB_TEST(test_old_engine_gets_older_versions),
             LB_TEST(test_execute_reply_still_running),
             LB_TEST(test_only_a_close_that_succeeded_counts),
             LB_TEST(test_statement_errors_are_readable), LB_TEST(test_server_texts),
             LB_TEST(test_long_server_texts_are_cut),
             LB_TEST(test_endless_server_texts_are_not_searched),
             LB_TEST(test_success_status_with_failed_state_is_a_failure),
             LB_TEST(test_http_failures),
             LB_TEST(test_http_text_comes_from_the_headers_without_secrets),
             LB_TEST(test_ends_accept_a_handle_that_is_gone),
             LB_TEST(rule_4_0_answers_of_a_status_probe),
             LB_TEST(rule_4_0_answers_by_http_status),
             LB_TEST(rule_4_0_each_text_of_a_lost_handle),
             LB_TEST(rule_4_0_fetch0_notices_lost_rows), LB_TEST(test_out_of_memory))
