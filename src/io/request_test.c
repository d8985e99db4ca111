/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the wire and comes back, and which requests are sent again. */
#include "io/request.h"

#include <io_rig.h>

/* Fills the buffer with a pattern that shows any shift. */
static void fill(struct lb_buf *buf, size_t len) {
  for (size_t i = 0; i < len; i++) lb_buf_append_u8(buf, (uint8_t)(i * 7 + i / 251));
  LB_TEST_OK(lb_buf_check(buf, "a pattern", NULL), NULL);
}

static void test_get(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  rig_script(
      &rig,
      (struct http_step){.status = 404,
                         .headers = "Content-Type: text/plain\r\n"
                                    "X-Request-Id: r1\r\n"
                                    "x-thriftserver-error-message: gone\r\n"
                                    "X-Databricks-Error-Or-Redirect-Message: moved\r\n"
                                    "x-databricks-reason-phrase: why\r\n",
                         .body = "nothing here"},
      (struct http_step){0});
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->http_status, 404);
  assert_int_equal(ex.req->attempts, 1);
  assert_int_equal(ex.req->sent_ms, rig.clock.now_ms);
  assert_false(ex.req->received_unknown);
  assert_string_equal(lb_buf_text(&ex.req->reply), "nothing here");
  assert_string_equal(ex.req->headers.content_type, "text/plain");
  assert_string_equal(ex.req->headers.request_id, "r1");
  assert_string_equal(ex.req->headers.thrift_error, "gone");
  assert_string_equal(ex.req->headers.databricks_error, "moved");
  assert_string_equal(ex.req->headers.reason_phrase, "why");
  assert_int_equal(ex.req->headers.retry_after_ms, -1);
  const char *head = http_server_head(rig.server, 0);
  assert_true(rig_contains(head, "GET /path?o=1 HTTP/1.1\r\n"));
  assert_true(rig_contains(head, "\r\nAccept-Encoding: identity\r\n"));
  assert_true(rig_contains(head, "\r\nUser-Agent: lakebeat/test\r\n"));
  assert_false(rig_contains(head, "Authorization"));
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_post_arrives_whole(void **state) {
  (void)state;
  static const enum lb_repeat repeats[] = {LB_REPEAT_NEVER, LB_REPEAT_IF_NOT_RECEIVED,
                                           LB_REPEAT_SAFE};
  static const size_t lengths[] = {1, 1500, 3 << 20};
  struct rig rig;
  int nth = 0;
  rig_init(&rig);
  for (size_t i = 0; i < LB_ARRAY_LEN(repeats); i++) {
    for (size_t j = 0; j < LB_ARRAY_LEN(lengths); j++, nth++) {
      struct exchange ex;
      size_t len;
      exchange_init(&ex, rig.io, rig.endpoint, repeats[i], NULL);
      fill(&ex.req->body, lengths[j]);
      exchange_run(&ex);
      LB_TEST_OK(ex.req->status, &ex.req->err);
      const char *body = http_server_body(rig.server, nth, &len);
      const char *head = http_server_head(rig.server, nth);
      assert_int_equal(len, lengths[j]);
      assert_memory_equal(body, ex.req->body.data, len);
      assert_true(rig_contains(head, "POST /path?o=1 HTTP/1.1\r\n"));
      assert_true(rig_contains(head, "\r\nContent-Type: application/x-thrift\r\n"));
      assert_false(rig_contains(head, "Expect"));
      assert_false(rig_contains(head, "chunked"));
      exchange_reset(&ex);
    }
  }
  assert_int_equal(http_server_connections(rig.server), 1);
  rig_reset(&rig);
}

static void test_methods(void **state) {
  (void)state;
  static const struct {
    enum lb_method method;
    const char *body, *line;
  } rows[] = {
      {LB_METHOD_AUTO, NULL, "GET /"},      {LB_METHOD_AUTO, "x", "POST /"},
      {LB_METHOD_POST, NULL, "POST /"},     {LB_METHOD_GET, NULL, "GET /"},
      {LB_METHOD_DELETE, NULL, "DELETE /"},
  };
  struct rig rig;
  rig_init(&rig);
  for (int i = 0; i < (int)LB_ARRAY_LEN(rows); i++) {
    struct exchange ex;
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, rows[i].body);
    ex.req->method = rows[i].method;
    exchange_run(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    const char *head = http_server_head(rig.server, i);
    assert_true(lb_str_starts_with(lb_str_from(head), lb_str_from(rows[i].line)));
    exchange_reset(&ex);
  }
  rig_reset(&rig);
}

static enum lb_status say(void *ctx, struct lb_buf *value, struct lb_error *err) {
  const char *text = ctx;
  if (text == NULL) return lb_error_set(err, LB_TOKEN_EXPIRED, "the token is over");
  lb_buf_append_text(value, text);
  return LB_OK;
}

static void test_authorization(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct lb_authorizer good = {say, (void *)(uintptr_t)"Bearer sesame"};
  struct lb_authorizer bad = {say, (void *)(uintptr_t)"Bearer a\r\nX-Evil: 1"};
  struct lb_authorizer none = {say, NULL};
  rig_init(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  ex.req->authorizer = &good;
  ex.req->heartbeat = true;
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  const char *head = http_server_head(rig.server, 0);
  assert_true(rig_contains(head, "\r\nAuthorization: Bearer sesame\r\n"));
  assert_true(rig_contains(head, "\r\nUser-Agent: lakebeat/test heartbeat\r\n"));
  exchange_reset(&ex);

  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  ex.req->authorizer = &bad;
  exchange_run(&ex);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, ex.req->status, &ex.req->err);
  exchange_reset(&ex);

  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  ex.req->authorizer = &none;
  exchange_run(&ex);
  LB_TEST_FAILS(LB_TOKEN_EXPIRED, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message, "the token is over");
  exchange_reset(&ex);
  assert_int_equal(http_server_requests(rig.server), 1);
  rig_reset(&rig);
  assert_false(rig_contains(rig.log.text, "sesame"));
  assert_false(rig_contains(rig.log.text, "/path"));
}

static void test_every_kind_of_body(void **state) {
  (void)state;
  char text[1000];
  memset(text, 'x', sizeof(text));
  struct http_step steps[] = {
      {.kind = HTTP_CHUNKED, .body = text, .body_len = sizeof(text)},
      {.kind = HTTP_UNTIL_CLOSE, .body = text, .body_len = sizeof(text)},
      {.kind = HTTP_REPLY, .body = text, .body_len = sizeof(text)},
      {.kind = HTTP_REPLY, .body = ""},
  };
  static const size_t lengths[] = {1000, 1000, 1000, 0};
  struct rig rig;
  rig_init(&rig);
  http_server_script(rig.server, steps, LB_ARRAY_LEN(steps));
  for (size_t i = 0; i < LB_ARRAY_LEN(lengths); i++) {
    struct exchange ex;
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
    ex.req->req_class = LB_REQ_FETCH;
    exchange_run(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    assert_int_equal(ex.req->reply.len, lengths[i]);
    if (lengths[i] > 0) assert_memory_equal(ex.req->reply.data, text, lengths[i]);
    exchange_reset(&ex);
  }
  rig_reset(&rig);
}

static void test_fresh_connection(void **state) {
  (void)state;
  struct rig rig;
  rig_init(&rig);
  for (int i = 0; i < 3; i++) {
    struct exchange ex;
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
    ex.req->fresh_connection = i == 2;
    exchange_run(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    exchange_reset(&ex);
  }
  assert_int_equal(http_server_connection_of(rig.server, 1), 0);
  assert_int_equal(http_server_connection_of(rig.server, 2), 1);
  rig_reset(&rig);
}

/* An exchange that was sent back with 503 and comes through after `wait_ms`. */
static void expect_wait(struct rig *rig, const char *headers, int64_t wait_ms) {
  struct exchange ex;
  int before = http_server_requests(rig->server);
  rig_script(rig,
             (struct http_step){.status = 503, .headers = headers, .body = "starting"},
             (struct http_step){.body = "ready"});
  exchange_init(&ex, rig->io, rig->endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  exchange_wait_count(&ex, &ex.waiting, 1);
  lb_fake_clock_advance(&rig->clock, wait_ms - 1);
  lb_io_test_round(rig->io);
  assert_int_equal(exchange_state(&ex), LB_TRANSFER_WAITING);
  assert_int_equal(http_server_requests(rig->server), before + 1);
  lb_fake_clock_advance(&rig->clock, 1);
  lb_io_test_round(rig->io);
  exchange_wait(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->http_status, 200);
  assert_int_equal(ex.req->attempts, 2);
  assert_string_equal(lb_buf_text(&ex.req->reply), "ready");
  exchange_reset(&ex);
}

static void test_waits_for_a_warehouse_that_starts(void **state) {
  (void)state;
  struct rig rig;
  rig_init(&rig);
  expect_wait(&rig, "Retry-After: 10\r\n", 10500);
  expect_wait(&rig, "Retry-After: 600\r\n", 60000);
  expect_wait(&rig, NULL, 750);
  expect_wait(&rig,
              "Date: Sun, 06 Nov 1994 01:00:00 GMT\r\n"
              "Retry-After: Sun, 06 Nov 1994 01:00:20 GMT\r\n",
              21000);
  rig_reset(&rig);
  assert_true(rig_contains(rig.log.text, "is not ready (HTTP 503"));
}

static void test_waiting_is_told_once(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step steps[3] = {{.status = 503}, {.status = 429}, {.status = 503}};
  rig_init(&rig);
  lb_log_set_level(lb_io_log(rig.io), LB_LOG_INFO);
  http_server_script(rig.server, steps, 3);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  exchange_start(&ex);
  for (int i = 1; i <= 3; i++) {
    exchange_wait_count(&ex, &ex.waiting, i);
    lb_fake_clock_advance(&rig.clock, 60000);
    lb_io_test_round(rig.io);
  }
  exchange_wait(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->attempts, 4);
  exchange_reset(&ex);
  rig_reset(&rig);
  assert_int_equal(rig.log.lines, 1);
  assert_true(rig_contains(rig.log.text, " 127.0.0.1:"));
}

static void test_probe_is_one_request(void **state) {
  (void)state;
  static const struct {
    struct http_step step;
    enum lb_status status;
  } rows[] = {
      {{.status = 503, .headers = "Retry-After: 1\r\n"}, LB_OK},
      {{.status = 500}, LB_OK},
      {{.kind = HTTP_RESET}, LB_CONNECTION},
      {{.kind = HTTP_HALF}, LB_CONNECTION},
  };
  struct rig rig;
  rig_init(&rig);
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct exchange ex;
    http_server_script(rig.server, &rows[i].step, 1);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "probe");
    ex.req->req_class = LB_REQ_PROBE;
    exchange_run(&ex);
    assert_int_equal(ex.req->status, rows[i].status);
    assert_int_equal(ex.req->attempts, 1);
    assert_int_equal(http_server_requests(rig.server), (int)i + 1);
    if (i == 0) assert_int_equal(ex.req->headers.retry_after_ms, 1000);
    exchange_reset(&ex);
  }
  rig_reset(&rig);
}

static void expect_unknown(struct rig *rig, enum http_step_kind kind, int requests) {
  struct exchange ex;
  struct http_step step = {.kind = kind, .body = "twelve bytes"};
  http_server_script(rig->server, &step, 1);
  exchange_init(&ex, rig->io, rig->endpoint, LB_REPEAT_IF_NOT_RECEIVED, "INSERT");
  exchange_run(&ex);
  LB_TEST_FAILS(LB_UNKNOWN_OUTCOME, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message, "TestCall: the connection to 127.0.0.1:");
  LB_TEST_CONTAINS(ex.req->err.message, "whether the server executed it is not known");
  assert_false(rig_contains(ex.req->err.message, "/path"));
  assert_true(ex.req->received_unknown);
  assert_false(ex.req->err.retryable);
  assert_int_equal(ex.req->reply.len, 0);
  assert_int_equal(ex.req->attempts, 1);
  assert_int_equal(http_server_requests(rig->server), requests);
  exchange_reset(&ex);
}

static void test_broken_on_a_new_connection(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {HTTP_RESET, HTTP_CLOSE, HTTP_HALF,
                                              HTTP_HALF_CHUNKS};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct rig rig;
    rig_init(&rig);
    expect_unknown(&rig, kinds[i], 1);
    rig_reset(&rig);
  }
}

/* Without care libcurl sends the request a second time by itself. */
static void test_broken_on_a_reused_connection(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {HTTP_RESET, HTTP_CLOSE, HTTP_HALF};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct rig rig;
    struct exchange ex;
    rig_init(&rig);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
    exchange_run(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    exchange_reset(&ex);
    expect_unknown(&rig, kinds[i], 2);
    assert_int_equal(http_server_connection_of(rig.server, 1), 0);
    rig_reset(&rig);
  }
}

static void test_safe_one_is_sent_again(void **state) {
  (void)state;
  static const struct http_step steps[] = {
      {.kind = HTTP_RESET}, {.kind = HTTP_CLOSE},
      {.kind = HTTP_HALF},  {.kind = HTTP_HALF_CHUNKS},
      {.status = 500},      {.status = 502},
      {.status = 408},
  };
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
  exchange_run(&ex); /* the host has answered */
  exchange_reset(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
    int before = http_server_requests(rig.server);
    http_server_script(rig.server, &steps[i], 1);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, "status");
    ex.req->fresh_connection = true; /* libcurl does not repeat on those */
    exchange_start(&ex);
    exchange_until(&ex, LB_TRANSFER_WAITING);
    assert_int_equal(http_server_requests(rig.server), before + 1);
    lb_fake_clock_advance(&rig.clock, 1000);
    lb_io_test_round(rig.io);
    exchange_wait(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    assert_string_equal(lb_buf_text(&ex.req->reply), "ok");
    assert_int_equal(ex.req->attempts, 2);
    assert_false(ex.req->received_unknown);
    assert_int_equal(http_server_requests(rig.server), before + 2);
    exchange_reset(&ex);
  }
  rig_reset(&rig);
}

/* The server has read the head and can not have the body. */
static void test_half_a_request_was_not_received(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  rig_script(&rig, (struct http_step){.kind = HTTP_RESET_EARLY}, (struct http_step){0});
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, NULL);
  fill(&ex.req->body, 32 << 20);
  exchange_start(&ex);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  lb_fake_clock_advance(&rig.clock, 1000);
  lb_io_test_round(rig.io);
  exchange_wait(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->attempts, 2);
  size_t len;
  const char *body = http_server_body(rig.server, 1, &len);
  assert_int_equal(len, 32 << 20);
  assert_memory_equal(body, ex.req->body.data, len);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_reply_over_the_limit(void **state) {
  (void)state;
  char text[2000];
  memset(text, 'x', sizeof(text));
  static const enum http_step_kind kinds[] = {HTTP_REPLY, HTTP_CHUNKED};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct rig rig;
    struct exchange ex;
    struct http_step step = {.kind = kinds[i], .body = text, .body_len = sizeof(text)};
    rig_init(&rig);
    http_server_script(rig.server, &step, 1);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
    ex.req->max_reply_bytes = sizeof(text) - 1;
    exchange_run(&ex);
    LB_TEST_FAILS(LB_INVALID_DATA, ex.req->status, &ex.req->err);
    LB_TEST_CONTAINS(ex.req->err.message, "larger than the limit of 1999 bytes");
    assert_int_equal(ex.req->attempts, 1);
    exchange_reset(&ex);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, NULL);
    http_server_script(rig.server, &step, 1);
    ex.req->max_reply_bytes = sizeof(text);
    exchange_run(&ex);
    LB_TEST_OK(ex.req->status, &ex.req->err);
    exchange_reset(&ex);
    rig_reset(&rig);
  }
}

/* An I/O thread, one exchange, the end; any allocation may fail. */
static void whole_life(struct http_server *server) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_io *io = NULL;
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = http_server_url(server)};
  struct lb_authorizer authorizer = {say, (void *)(uintptr_t)"Bearer sesame"};
  struct exchange ex;
  enum lb_status status = lb_io_test_create(NULL, NULL, &io, &err);
  if (status == LB_OK) status = lb_endpoint_create(&opts, &endpoint, &err);
  if (status == LB_OK) status = exchange_try_init(&ex, io, endpoint, &err);
  if (status == LB_OK) {
    lb_buf_append_text(&ex.req->body, "q");
    ex.req->authorizer = &authorizer;
    if (ex.req->body.status == LB_OK) exchange_run(&ex);
    status = ex.req->body.status != LB_OK ? ex.req->body.status : ex.req->status;
    if (status == LB_OUT_OF_MEMORY) (void)lb_error_oom(&err, "something");
    if (status == LB_OK) assert_int_equal(ex.req->http_status, 200);
    exchange_reset(&ex);
  }
  LB_TEST_OOM_OR_OK(status, &err);
  lb_endpoint_release(endpoint);
  if (io != NULL) lb_io_test_destroy(io, 0);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct http_server *server = http_server_start();
  LB_TEST_TORTURE(whole_life(server));
  http_server_stop(server);
}

LB_TEST_MAIN(LB_TEST(test_get), LB_TEST(test_post_arrives_whole), LB_TEST(test_methods),
             LB_TEST(test_authorization), LB_TEST(test_every_kind_of_body),
             LB_TEST(test_fresh_connection),
             LB_TEST(test_waits_for_a_warehouse_that_starts),
             LB_TEST(test_waiting_is_told_once), LB_TEST(test_probe_is_one_request),
             LB_TEST(test_broken_on_a_new_connection),
             LB_TEST(test_broken_on_a_reused_connection),
             LB_TEST(test_safe_one_is_sent_again),
             LB_TEST(test_half_a_request_was_not_received),
             LB_TEST(test_reply_over_the_limit), LB_TEST(test_out_of_memory))
