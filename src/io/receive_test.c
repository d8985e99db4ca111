/* SPDX-License-Identifier: Apache-2.0 */
/* What a sink gets of a reply, and what becomes of the request. */
#include "io/receive.h"

#include <io_rig.h>

struct bucket {
  struct lb_sink sink;
  struct lb_request *req;
  struct lb_buf got; /* written on the I/O thread, read after done */
  int begun;
  int32_t http_status;             /* at the last begin */
  struct lb_reply_headers headers; /* ... */
  bool refuses_begin;
  size_t refuses_at; /* once this much has come */
  bool says_why;
};

static bool refuse(struct bucket *bucket) {
  if (bucket->says_why) {
    (void)lb_error_set(&bucket->req->err, LB_INTEGRITY, "not what was asked for");
  }
  return false;
}

static bool bucket_begin(struct lb_sink *sink, struct lb_request *req) {
  struct bucket *bucket = LB_CONTAINER_OF(sink, struct bucket, sink);
  bucket->begun++;
  bucket->http_status = req->http_status;
  bucket->headers = req->headers;
  return bucket->refuses_begin ? refuse(bucket) : true;
}

static bool bucket_data(struct lb_sink *sink, const uint8_t *data, size_t len) {
  struct bucket *bucket = LB_CONTAINER_OF(sink, struct bucket, sink);
  if (!lb_io_on_thread(bucket->req->transfer->io)) return false;
  lb_buf_append(&bucket->got, data, len);
  return bucket->got.len < bucket->refuses_at ? true : refuse(bucket);
}

static void bucket_attach(struct bucket *bucket, struct exchange *ex) {
  *bucket = (struct bucket){.sink = {bucket_begin, bucket_data},
                            .req = ex->req,
                            .refuses_at = SIZE_MAX,
                            .says_why = true};
  lb_buf_init(&bucket->got, LB_MEM_TEST, (size_t)64 << 20);
  ex->req->method = LB_METHOD_GET;
  ex->req->req_class = LB_REQ_DOWNLOAD;
  ex->req->sink = &bucket->sink;
}

/* A rig with a script, a request to it and the sink of that. */
struct fetch {
  struct rig rig;
  struct exchange ex;
  struct bucket bucket;
};

static void fetch_init(struct fetch *fetch, enum lb_repeat repeat, struct http_step first,
                       struct http_step second) {
  rig_init(&fetch->rig);
  rig_script(&fetch->rig, first, second);
  exchange_init(&fetch->ex, fetch->rig.io, fetch->rig.endpoint, repeat, NULL);
  bucket_attach(&fetch->bucket, &fetch->ex);
}

static void fetch_reset(struct fetch *fetch) {
  exchange_reset(&fetch->ex);
  lb_buf_reset(&fetch->bucket.got);
  rig_reset(&fetch->rig);
}

static void expect_got(struct fetch *fetch, const char *wanted) {
  LB_TEST_OK(fetch->ex.req->status, &fetch->ex.req->err);
  assert_string_equal(lb_buf_text(&fetch->bucket.got), wanted);
  assert_int_equal(fetch->ex.req->reply.len, 0);
}

static void test_headers_are_known_at_begin(void **state) {
  (void)state;
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.headers = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                           "ETag: \"a-b\"\r\n"
                                           "Accept-Ranges: bytes\r\n",
                                .body = "the whole file"},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  expect_got(&fetch, "the whole file");
  const struct lb_reply_headers *headers = &fetch.bucket.headers;
  assert_int_equal(fetch.bucket.begun, 1);
  assert_int_equal(fetch.bucket.http_status, 200);
  assert_int_equal(headers->date_ms, INT64_C(784111777000));
  assert_string_equal(headers->etag, "\"a-b\"");
  assert_true(headers->accept_ranges_bytes);
  assert_int_equal(headers->content_length, 14);
  assert_int_equal(headers->content_range_start, -1);
  assert_string_equal(headers->store_error, "");
  assert_int_equal(fetch.ex.req->http_status, 200);
  fetch_reset(&fetch);
}

static void test_headers_that_are_absent_or_odd(void **state) {
  (void)state;
  static char long_tag[256];
  struct fetch fetch;
  (void)snprintf(long_tag, sizeof(long_tag),
                 "Date: yesterday\r\nAccept-Ranges: none\r\nContent-Range: bytes */9\r\n"
                 "ETag: \"%0150d\"\r\n",
                 1);
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.kind = HTTP_CHUNKED, .headers = long_tag},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  expect_got(&fetch, "ok");
  const struct lb_reply_headers *headers = &fetch.bucket.headers;
  assert_int_equal(headers->date_ms, -1);
  assert_string_equal(headers->etag, "");
  assert_false(headers->accept_ranges_bytes);
  assert_int_equal(headers->content_length, -1);
  assert_int_equal(headers->content_range_start, -1);
  fetch_reset(&fetch);
}

/* What one header line says of the body. */
static struct lb_reply_headers headers_of(const char *line) {
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE, (struct http_step){.headers = line},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  expect_got(&fetch, "ok");
  struct lb_reply_headers headers = fetch.bucket.headers;
  fetch_reset(&fetch);
  return headers;
}

static void test_one_header_at_a_time(void **state) {
  (void)state;
  static const struct {
    const char *line;
    int64_t start;
  } ranges[] = {
      {"Content-Range: bytes 100-199/300\r\n", 100},
      {"content-range:BYTES  7 -9/*\r\n", 7},
      {"Content-Range: bytes 0-\r\n", 0},
      {"Content-Range: bytes 9223372036854775807-9223372036854775807/*\r\n", INT64_MAX},
      {"Content-Range: bytes 9223372036854775808-9/*\r\n", -1},
      {"Content-Range: bytes -5/9\r\n", -1},
      {"Content-Range: bytes=4-8\r\n", -1},
      {"Content-Range: bytes 4\r\n", -1},
      {"Content-Range: rows 4-8/9\r\n", -1},
      {"Content-Range: bytes 4x-8/9\r\n", -1},
      {"Content-Range:\r\n", -1},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(ranges); i++) {
    assert_int_equal(headers_of(ranges[i].line).content_range_start, ranges[i].start);
  }
  assert_string_equal(headers_of("Content-Encoding: GZip\r\n").content_encoding, "GZip");
  assert_string_equal(headers_of("X-Content-Encoding: br\r\n").content_encoding, "");
  assert_int_equal(headers_of("Date: Sun, 06 Nov 1994 08:49:37 +0000\r\n").date_ms, -1);
  assert_int_equal(headers_of("Date: Sun, 06 Nov 1994 08:49:37 GMT, x\r\n").date_ms, -1);
  assert_int_equal(headers_of("Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n").date_ms, -1);
  assert_true(headers_of("Accept-Ranges: none, Bytes\r\n").accept_ranges_bytes);
  assert_int_equal(headers_of("Retry-After: 7\r\n").retry_after_ms, -1); /* 200 */
}

static void test_a_part_of_a_file(void **state) {
  (void)state;
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.status = 206,
                                .headers = "Content-Range: bytes 4-13/14\r\n",
                                .body = "whole file"},
             (struct http_step){0});
  static const char *const lines[] = {"Range: bytes=4-", "If-Match: \"a-b\""};
  fetch.ex.req->header_lines = lines;
  fetch.ex.req->header_count = LB_ARRAY_LEN(lines);
  exchange_run(&fetch.ex);
  expect_got(&fetch, "whole file");
  assert_int_equal(fetch.bucket.http_status, 206);
  assert_int_equal(fetch.bucket.headers.content_range_start, 4);
  const char *head = http_server_head(fetch.rig.server, 0);
  assert_true(rig_contains(head, "\r\nRange: bytes=4-\r\n"));
  assert_true(rig_contains(head, "\r\nIf-Match: \"a-b\"\r\n"));
  fetch_reset(&fetch);
}

static void test_a_large_body_comes_in_order(void **state) {
  (void)state;
  enum { LEN = 9 << 20 };
  struct fetch fetch;
  char *body = lb_alloc(LB_MEM_TEST, LEN);
  assert_non_null(body);
  for (size_t i = 0; i < LEN; i++) body[i] = (char)(i * 7 + i / 251);
  fetch_init(&fetch, LB_REPEAT_SAFE, (struct http_step){.body = body, .body_len = LEN},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  LB_TEST_OK(fetch.ex.req->status, &fetch.ex.req->err);
  assert_int_equal(fetch.bucket.got.len, LEN);
  assert_memory_equal(fetch.bucket.got.data, body, LEN);
  assert_int_equal(fetch.ex.req->reply.len, 0);
  fetch_reset(&fetch);
  lb_free(body);
}

static void test_a_refusal_of_the_store_is_kept(void **state) {
  (void)state;
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.status = 403,
                                .headers = "x-ms-error-code: AuthenticationFailed\r\n",
                                .body = "<Error/>"},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  LB_TEST_OK(fetch.ex.req->status, &fetch.ex.req->err);
  assert_int_equal(fetch.ex.req->http_status, 403);
  assert_int_equal(fetch.bucket.begun, 0);
  assert_int_equal(fetch.bucket.got.len, 0);
  assert_string_equal(lb_buf_text(&fetch.ex.req->reply), "<Error/>");
  assert_string_equal(fetch.ex.req->headers.store_error, "AuthenticationFailed");
  fetch_reset(&fetch);
}

/* However long it is. */
static void test_a_long_refusal_is_cut(void **state) {
  (void)state;
  enum { LEN = 1 << 20 };
  struct fetch fetch;
  char *body = lb_alloc_zero(LB_MEM_TEST, LEN);
  assert_non_null(body);
  memset(body, 'x', LEN);
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.status = 403, .body = body, .body_len = LEN},
             (struct http_step){0});
  fetch.ex.req->max_reply_bytes = 1 << 19;
  exchange_run(&fetch.ex);
  LB_TEST_OK(fetch.ex.req->status, &fetch.ex.req->err);
  lb_torture_tell(fetch.ex.req->reply.status == LB_OUT_OF_MEMORY);
  assert_int_equal(fetch.ex.req->reply.len, 64 << 10);
  fetch_reset(&fetch);
  lb_free(body);
}

static void test_repeated_before_the_first_byte(void **state) {
  (void)state;
  static const struct http_step rows[] = {
      {.status = 503, .body = "busy"},
      {.status = 500, .body = "fault"},
      {.kind = HTTP_RESET},
      {.kind = HTTP_CLOSE},
      {.kind = HTTP_HALF, .body = "x"} /* the head and no byte of the body */
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct fetch fetch;
    fetch_init(&fetch, LB_REPEAT_SAFE, rows[i],
               (struct http_step){.body = "the whole file"});
    exchange_start(&fetch.ex);
    exchange_until(&fetch.ex, LB_TRANSFER_WAITING);
    rig_advance(&fetch.rig, 1000);
    exchange_wait(&fetch.ex);
    expect_got(&fetch, "the whole file");
    assert_int_equal(fetch.bucket.begun, rows[i].kind == HTTP_HALF ? 2 : 1);
    assert_int_equal(fetch.ex.req->attempts, 2);
    fetch_reset(&fetch);
  }
}

static void test_not_repeated_after_it(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {HTTP_HALF, HTTP_HALF_CHUNKS,
                                              HTTP_HALF_HANG};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct fetch fetch;
    fetch_init(&fetch, LB_REPEAT_SAFE,
               (struct http_step){.kind = kinds[i], .body = "the whole file"},
               (struct http_step){0});
    exchange_start(&fetch.ex);
    if (kinds[i] == HTTP_HALF_HANG) {
      exchange_until_received(&fetch.ex, 7);
      rig_advance(&fetch.rig, 900000);
    }
    exchange_wait(&fetch.ex);
    LB_TEST_FAILS(kinds[i] == HTTP_HALF_HANG ? LB_TIMEOUT : LB_CONNECTION,
                  fetch.ex.req->status, &fetch.ex.req->err);
    assert_int_equal(fetch.ex.req->attempts, 1);
    assert_int_equal(fetch.bucket.begun, 1);
    assert_true(fetch.bucket.got.len >= 7);
    assert_int_equal(http_server_requests(fetch.rig.server), 1);
    fetch_reset(&fetch);
  }
}

static void expect_refused(struct fetch *fetch, enum lb_status status) {
  exchange_run(&fetch->ex);
  LB_TEST_FAILS(status, fetch->ex.req->status, &fetch->ex.req->err);
  assert_int_equal(fetch->ex.req->attempts, 1);
  assert_int_equal(fetch->ex.req->http_status, 200);
  if (status == LB_INTEGRITY) {
    assert_string_equal(fetch->ex.req->err.message, "not what was asked for");
  } else {
    LB_TEST_CONTAINS(fetch->ex.req->err.message, "TestCall");
  }
  http_server_wait_hangups(fetch->rig.server, 1);
  fetch_reset(fetch);
}

static void test_refused_by_the_sink(void **state) {
  (void)state;
  const struct http_step step = {.kind = HTTP_HALF_HANG, .body = "the whole file"};
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE, step, step);
  fetch.bucket.refuses_begin = true;
  expect_refused(&fetch, LB_INTEGRITY);

  fetch_init(&fetch, LB_REPEAT_SAFE, step, step);
  fetch.bucket.refuses_at = 1;
  expect_refused(&fetch, LB_INTEGRITY);

  fetch_init(&fetch, LB_REPEAT_SAFE, step, step);
  fetch.bucket.refuses_at = 1;
  fetch.bucket.says_why = false;
  expect_refused(&fetch, LB_CANCELLED);
}

static void test_no_more_than_the_limit(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {HTTP_REPLY, HTTP_CHUNKED, HTTP_UNTIL_CLOSE};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct fetch fetch;
    const struct http_step step = {.kind = kinds[i], .body = "the whole file"};
    fetch_init(&fetch, LB_REPEAT_SAFE, step, step);
    fetch.ex.req->max_reply_bytes = 13;
    exchange_run(&fetch.ex);
    LB_TEST_FAILS(LB_INVALID_DATA, fetch.ex.req->status, &fetch.ex.req->err);
    LB_TEST_CONTAINS(fetch.ex.req->err.message, "limit of 13 bytes");
    assert_true(fetch.bucket.got.len <= 13);
    if (kinds[i] == HTTP_REPLY) assert_int_equal(fetch.bucket.begun, 0);
    fetch_reset(&fetch);
    fetch_init(&fetch, LB_REPEAT_SAFE, step, step);
    fetch.ex.req->max_reply_bytes = 14;
    exchange_run(&fetch.ex);
    expect_got(&fetch, "the whole file");
    fetch_reset(&fetch);
  }
}

/* Headers of interim replies, and trailers, say nothing about the file. */
static void test_only_the_head_counts(void **state) {
  (void)state;
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE,
             (struct http_step){.kind = HTTP_UNTIL_CLOSE,
                                .status = 103,
                                .headers = "ETag: early\r\n",
                                .body = "HTTP/1.1 200 OK\r\n"
                                        "Transfer-Encoding: chunked\r\n\r\n"
                                        "2\r\nok\r\n0\r\nETag: late\r\n\r\n"},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  expect_got(&fetch, "ok");
  assert_int_equal(fetch.bucket.begun, 1);
  assert_string_equal(fetch.bucket.headers.etag, "");
  assert_string_equal(fetch.ex.req->headers.etag, "");
  fetch_reset(&fetch);
}

static void test_an_empty_file(void **state) {
  (void)state;
  struct fetch fetch;
  fetch_init(&fetch, LB_REPEAT_SAFE, (struct http_step){.body = ""},
             (struct http_step){0});
  exchange_run(&fetch.ex);
  expect_got(&fetch, "");
  assert_int_equal(fetch.bucket.begun, 1);
  assert_int_equal(fetch.bucket.headers.content_length, 0);
  fetch_reset(&fetch);
}

LB_TEST_MAIN(LB_TEST(test_headers_are_known_at_begin),
             LB_TEST(test_headers_that_are_absent_or_odd),
             LB_TEST(test_one_header_at_a_time), LB_TEST(test_a_part_of_a_file),
             LB_TEST(test_a_large_body_comes_in_order),
             LB_TEST(test_a_refusal_of_the_store_is_kept),
             LB_TEST(test_a_long_refusal_is_cut),
             LB_TEST(test_repeated_before_the_first_byte),
             LB_TEST(test_not_repeated_after_it), LB_TEST(test_refused_by_the_sink),
             LB_TEST(test_no_more_than_the_limit), LB_TEST(test_only_the_head_counts),
             LB_TEST(test_an_empty_file))
