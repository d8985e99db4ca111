/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads: what is sent to a store, and what becomes of what it answers. */
#include "result/cloud_test_support.h"

#define TAGS "ETag: \"one\"\r\nAccept-Ranges: bytes\r\n"
/* Where bodies break off: within the second block of LZ4 or message. */
#define CUT 300

static const char *head(struct cloud_rig *c, int nth) {
  return http_server_head(c->io.server, nth);
}

static void expect_no_header(struct cloud_rig *c, int nth, const char *name) {
  if (rig_contains(head(c, nth), name)) fail_msg("%s in: %s", name, head(c, nth));
}

/* One file, for which the store's answers are the script. */
static void init(struct cloud_rig *c) {
  cloud_rig_init(c, true);
  cloud_make_files(c, 1);
}

static void play(struct cloud_rig *c, const struct http_step *steps, size_t count) {
  if (count > 0) http_server_script(c->io.server, steps, count);
  cloud_add(c, 0, 1, CLOUD_LIFE_MS);
  lb_cloud_last(c->cloud);
}

/* All rows come, by so many requests. */
static void expect_rows(struct cloud_rig *c, const struct http_step *steps,
                        size_t count) {
  play(c, steps, count);
  cloud_read_all(c);
  assert_int_equal(http_server_requests(c->io.server), count);
  assert_int_equal(cloud_counted(c, LB_CLOUD_downloads), count);
}

static void expect_failure(struct cloud_rig *c, enum lb_status wanted, const char *why) {
  cloud_read(c, INT64_MAX);
  LB_TEST_FAILS(wanted, c->reader.status, &c->reader.err);
  LB_TEST_CONTAINS(c->reader.err.message, "file 0 of the result (rows 100 to 109): ");
  LB_TEST_CONTAINS(c->reader.err.message, why);
  assert_false(rig_contains(c->reader.err.message, "sig="));
}

/* The head of a request. */

static void test_what_a_store_is_sent(void **state) {
  (void)state;
  struct cloud_rig c;
  struct http_step step;
  init(&c);
  step = cloud_gives(&c.files[0]);
  expect_rows(&c, &step, 1);
  LB_TEST_CONTAINS(head(&c, 0), "GET /store/0?" CLOUD_QUERY " HTTP/1.1\r\n");
  LB_TEST_CONTAINS(head(&c, 0), "x-of-the-link: its value\r\n");
  LB_TEST_CONTAINS(head(&c, 0), "User-Agent: lakebeat/test");
  expect_no_header(&c, 0, "Authorization");
  expect_no_header(&c, 0, "dapi-secret");
  expect_no_header(&c, 0, "Cookie");
  expect_no_header(&c, 0, "Content-Type");
  expect_no_header(&c, 0, "Range:");
  expect_no_header(&c, 0, "If-Match");
  cloud_rig_reset(&c);
}

/* Neither the log of a failure nor its error tells what was signed. */
static void test_the_url_stays_secret(void **state) {
  (void)state;
  struct cloud_rig c;
  struct http_step steps[6];
  init(&c);
  for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
    steps[i] = cloud_gives(&c.files[0]);
    steps[i].status = 503;
    steps[i].headers = "Set-Cookie: a=b\r\n";
    steps[i].body = "<Code>SlowDown</Code><Resource>sig=a%2Fb</Resource>";
    steps[i].body_len = 0;
  }
  play(&c, steps, LB_ARRAY_LEN(steps));
  expect_failure(&c, LB_UNAVAILABLE, "(6 attempts)");
  LB_TEST_CONTAINS(c.reader.err.message, "answered HTTP 503");
  /* Without memory for it the store's own word is left out. */
  if (!lb_mem_failed()) LB_TEST_CONTAINS(c.reader.err.message, " 503 SlowDown ");
  assert_int_equal(http_server_requests(c.io.server), 6);
  for (int i = 1; i < 6; i++) expect_no_header(&c, i, "Cookie");
  lb_io_test_round(c.io.io);
  assert_null(strstr(c.io.log.text, "sig="));
  assert_non_null(strstr(c.io.log.text, "file 0: again in"));
  cloud_rig_reset(&c);
}

/* Going on. */

static struct http_step cut_step(const struct cloud_rig *c, const char *headers) {
  struct http_step step = cloud_gives(&c->files[0]);
  step.kind = HTTP_HALF;
  step.sent = CUT;
  step.headers = headers;
  return step;
}

/* The rest of the file from byte `from` on, as a part. */
static struct http_step part_step(const struct cloud_rig *c, size_t from,
                                  const char *headers) {
  struct http_step step = cloud_gives(&c->files[0]);
  step.status = 206;
  step.headers = headers;
  step.body += from;
  step.body_len -= from;
  return step;
}

static void test_it_goes_on_where_it_broke_off(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {cut_step(&c, TAGS),
                              part_step(&c, CUT, TAGS "Content-Range: bytes 300-/*\r\n")};
  expect_rows(&c, steps, 2);
  LB_TEST_CONTAINS(head(&c, 1), "Range: bytes=300-\r\n");
  LB_TEST_CONTAINS(head(&c, 1), "If-Match: \"one\"\r\n");
  LB_TEST_CONTAINS(head(&c, 1), "x-of-the-link: its value\r\n");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_resumed_bytes), CUT);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received), c.files[0].body.len);
  cloud_rig_reset(&c);
}

/* A part may break off, too. */
static void test_it_goes_on_twice(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {
      cut_step(&c, TAGS), part_step(&c, CUT, TAGS "Content-Range: bytes 300-/*\r\n"),
      part_step(&c, CUT + 50, TAGS "Content-Range: bytes 350-/*\r\n")};
  steps[1].kind = HTTP_HALF;
  steps[1].sent = 50;
  expect_rows(&c, steps, 3);
  LB_TEST_CONTAINS(head(&c, 2), "Range: bytes=350-\r\n");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received), c.files[0].body.len);
  cloud_rig_reset(&c);
}

/* Each of these stores is asked for the whole file again. */
static void test_no_parts(void **state) {
  (void)state;
  static const char *const headers[] = {
      "ETag: \"one\"\r\n",                           /* gives no parts */
      "Accept-Ranges: bytes\r\n",                    /* has no tag */
      "ETag: W/\"one\"\r\nAccept-Ranges: bytes\r\n", /* which matches nothing */
      "ETag: \"one\"\r\nAccept-Ranges: none\r\n",
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(headers); i++) {
    struct cloud_rig c;
    init(&c);
    struct http_step steps[] = {cut_step(&c, headers[i]), cloud_gives(&c.files[0])};
    steps[1].headers = headers[i];
    expect_rows(&c, steps, 2);
    expect_no_header(&c, 1, "Range:");
    expect_no_header(&c, 1, "If-Match");
    assert_int_equal(cloud_counted(&c, LB_CLOUD_resumed_bytes), 0);
    cloud_rig_reset(&c);
  }
}

/* A store that says it gives parts, and sends all again: what is known is left out. */
static void test_the_range_is_ignored(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {cut_step(&c, TAGS), cloud_gives(&c.files[0])};
  expect_rows(&c, steps, 2);
  LB_TEST_CONTAINS(head(&c, 1), "Range: bytes=300-\r\n");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received), c.files[0].body.len);
  cloud_rig_reset(&c);
}

/* Another part than was asked for, or one of which that is not known: from the
 * beginning. */
static void test_a_wrong_part(void **state) {
  (void)state;
  static const char *const headers[] = {TAGS "Content-Range: bytes 299-/*\r\n", TAGS};
  for (size_t i = 0; i < LB_ARRAY_LEN(headers); i++) {
    struct cloud_rig c;
    init(&c);
    struct http_step steps[] = {cut_step(&c, TAGS), part_step(&c, CUT - 1, headers[i]),
                                cloud_gives(&c.files[0])};
    expect_rows(&c, steps, 3);
    LB_TEST_CONTAINS(head(&c, 1), "Range: bytes=300-\r\n");
    expect_no_header(&c, 2, "Range:");
    cloud_rig_reset(&c);
  }
}

static void test_the_place_is_refused(void **state) {
  (void)state;
  static const int statuses[] = {412, 416};
  for (size_t i = 0; i < LB_ARRAY_LEN(statuses); i++) {
    struct cloud_rig c;
    init(&c);
    struct http_step steps[] = {cut_step(&c, TAGS),
                                {.path = "/store/0", .status = statuses[i]},
                                cloud_gives(&c.files[0])};
    expect_rows(&c, steps, 3);
    expect_no_header(&c, 2, "Range:");
    cloud_rig_reset(&c);
  }
}

/* Another file. */

/* No row of the former one is out: its successor is read from the beginning. */
static void test_another_file_before_any_row(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {cut_step(&c, TAGS), cloud_gives(&c.files[0])};
  steps[1].headers = "ETag: \"two\"\r\n";
  expect_rows(&c, steps, 2);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received),
                   (int64_t)c.files[0].body.len + CUT);
  cloud_rig_reset(&c);
}

/* Its rows are out when it shows that it is damaged at its end; what comes then must be
 * the same file. */
static void expect_other_file(const struct http_step *second, const char *why) {
  struct cloud_rig c;
  init(&c);
  struct bytes bad = bytes_exact(c.files[0].body.data, c.files[0].body.len);
  bad.data[bad.len - 1] ^= 1;
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[0])};
  steps[0].body = (const char *)bad.data;
  steps[1].headers = second->headers;
  steps[1].body_len -= second->sent;
  play(&c, steps, 2);
  expect_failure(&c, LB_INVALID_DATA, why);
  cloud_check_rows(&c, 10);
  assert_int_equal(http_server_requests(c.io.server), 2);
  cloud_rig_reset(&c);
  bytes_free(&bad);
}

static void test_another_file_behind_its_rows(void **state) {
  (void)state;
  expect_other_file(&(struct http_step){.headers = "ETag: \"two\"\r\n"}, "its ETag is");
  expect_other_file(&(struct http_step){.headers = TAGS, .sent = 1}, "its length is");
}

/* Breaking off. */

static void test_it_breaks_off_anywhere(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {
      HTTP_RESET, HTTP_CLOSE, HTTP_HALF_CHUNKS, HTTP_HALF,
      HTTP_HALF,  HTTP_HALF,  HTTP_HALF,
  };
  static const size_t sent[] = {0, 0, 0, 1, 4, 19, 200};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct cloud_rig c;
    init(&c);
    struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[0])};
    steps[0].kind = kinds[i];
    steps[0].sent = sent[i];
    steps[0].headers = steps[1].headers = NULL;
    expect_rows(&c, steps, 2);
    assert_int_equal(cloud_counted(&c, LB_CLOUD_retries), 1);
    cloud_rig_reset(&c);
  }
}

/* A body without stated length looks whole wherever it ends: its content tells. */
static void test_a_body_that_ends_with_the_connection(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[0])};
  steps[0].kind = steps[1].kind = HTTP_UNTIL_CLOSE;
  steps[0].body_len = CUT;
  expect_rows(&c, steps, 2);
  cloud_rig_reset(&c);
}

static void test_chunks(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  step.kind = HTTP_CHUNKED;
  expect_rows(&c, &step, 1);
  cloud_rig_reset(&c);
}

static void test_a_body_beyond_all_limits(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  step.kind = HTTP_UNTIL_CLOSE;
  step.headers = "Content-Length: 999999999999\r\n";
  play(&c, &step, 1);
  expect_failure(&c, LB_INVALID_DATA, "is larger than the limit of");
  cloud_rig_reset(&c);
}

/* What the store sends is packed once more, by it or on the way. */
static void test_another_encoding(void **state) {
  (void)state;
  struct cloud_rig c;
  struct http_step steps[3];
  init(&c);
  for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
    steps[i] = cloud_gives(&c.files[0]);
    steps[i].headers = TAGS "Content-Encoding: gzip\r\n";
    steps[i].body = "\x1f\x8b\x08 and so on";
    steps[i].body_len = 0;
  }
  play(&c, steps, 3);
  expect_failure(&c, LB_PROTOCOL, "Content-Encoding: gzip");
  cloud_rig_reset(&c);
}

static void test_no_other_encoding(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  step.headers = TAGS "Content-Encoding: Identity\r\n";
  expect_rows(&c, &step, 1);
  cloud_rig_reset(&c);
}

/* Attempts. */

static void test_a_pause_by_retry_after(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step steps[] = {
      {.path = "/store/0", .status = 429, .headers = "Retry-After: 7\r\n"},
      cloud_gives(&c.files[0])};
  play(&c, steps, 2);
  int64_t from_ms = c.io.clock.now_ms;
  cloud_reader_start(&c, INT64_MAX);
  cloud_until_state(&c, LB_FILE_WAITING, 1);
  assert_int_equal(cloud_look(&c).retry_ms, from_ms + 7000);
  rig_advance(&c.io, 6999);
  assert_int_equal(cloud_look(&c).states[LB_FILE_WAITING], 1);
  rig_advance(&c.io, 1);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 10);
  cloud_rig_reset(&c);
}

/* Nobody there at all: one attempt more, and then the rows may come another way. */
static void test_no_way_to_the_store(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  (void)snprintf(c.files[0].url, sizeof c.files[0].url,
                 "http://127.0.0.1:%d/store/0?sig=", rig_free_port());
  play(&c, NULL, 0);
  expect_failure(&c, LB_CONNECTION, "databricks.cloudfetch.enabled=false");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_downloads), 2);
  assert_true(lb_cloud_unreachable(c.cloud));
  cloud_rig_reset(&c);
}

/* It has answered, badly: that is no missing way. */
static void test_a_store_that_answers_is_reached(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step step = {.path = "/store/0", .status = 405};
  play(&c, &step, 1);
  expect_failure(&c, LB_HTTP, "answered HTTP 405");
  assert_false(lb_cloud_unreachable(c.cloud));
  cloud_rig_reset(&c);
}

/* Rows were handed out: they cannot be had a second time. */
static void test_a_way_that_is_lost_later(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  (void)snprintf(c.files[1].url, sizeof c.files[1].url,
                 "http://127.0.0.1:%d/store/1?sig=", rig_free_port());
  cloud_gives_all(&c);
  cloud_add(&c, 0, 1, CLOUD_LIFE_MS);
  cloud_read(&c, 10);
  cloud_add(&c, 1, 1, CLOUD_LIFE_MS);
  cloud_read(&c, INT64_MAX);
  LB_TEST_FAILS(LB_CONNECTION, c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 10);
  assert_false(lb_cloud_unreachable(c.cloud));
  assert_int_equal(cloud_counted(&c, LB_CLOUD_downloads), 7);
  cloud_rig_reset(&c);
}

static void test_a_store_without_tls_elsewhere(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  (void)snprintf(c.files[0].url, sizeof c.files[0].url, "http://192.0.2.1/store/0?sig=");
  play(&c, NULL, 0);
  expect_failure(&c, LB_PROTOCOL, "without TLS");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_downloads), 0);
  cloud_rig_reset(&c);
}

/* Ends: at each stage, and nothing of it is left. */

static void expect_end(enum http_step_kind kind, int status,
                       enum lb_cloud_file_state stage) {
  struct cloud_rig c;
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  step.kind = kind;
  step.status = status;
  play(&c, &step, 1);
  cloud_reader_start(&c, INT64_MAX);
  http_server_wait_requests(c.io.server, 1);
  cloud_until_state(&c, stage, 1);
  if (kind == HTTP_HALF_HANG) cloud_until_received(&c, 1);
  lb_cloud_close(c.cloud);
  cloud_reader_join(&c);
  LB_TEST_FAILS(LB_CANCELLED, c.reader.status, &c.reader.err);
  if (kind == HTTP_HANG || kind == HTTP_HALF_HANG) {
    http_server_wait_hangups(c.io.server, 1);
  }
  rig_advance(&c.io, 60000);
  assert_int_equal(http_server_requests(c.io.server), 1);
  cloud_rig_reset(&c);
  assert_int_equal(atomic_load(&c.all_local), 0);
}

static void test_an_end_at_each_stage(void **state) {
  (void)state;
  expect_end(HTTP_HANG, 200, LB_FILE_DOWNLOADING);
  expect_end(HTTP_HALF_HANG, 200, LB_FILE_DOWNLOADING);
  expect_end(HTTP_REPLY, 503, LB_FILE_WAITING);
}

static void test_an_end_before_anything_began(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  c.options.prefetch = false;
  cloud_reopen(&c);
  play(&c, NULL, 0);
  lb_io_test_round(c.io.io);
  assert_int_equal(cloud_look(&c).states[LB_FILE_QUEUED], 1);
  lb_cloud_close(c.cloud);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 0);
  cloud_rig_reset(&c);
}

/* Decoded, charged, and wanted by nobody any more. */
static void test_an_end_with_rows_unread(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  play(&c, &step, 1);
  cloud_until_files(&c, 0);
  assert_true(lb_budget_used(lb_io_budget(c.io.io)) > 0);
  assert_int_equal(atomic_load(&c.all_local), 1);
  cloud_rig_reset(&c);
}

/* A request that was cancelled ends in the loop's next round: what comes of it before is
 * given to nobody. */
struct late {
  struct lb_io_task task;
  struct cloud_rig *c;
  bool began, took;
  enum lb_status status;
};

static void stop_and_go_on(struct lb_io_task *task, struct lb_io *io) {
  struct late *late = LB_CONTAINER_OF(task, struct late, task);
  struct lb_list *files = &late->c->cloud->owned.files;
  struct lb_cloud_file *file =
      LB_CONTAINER_OF(files->next, struct lb_cloud_file, owned.node);
  struct lb_request *req = file->owned.req;
  lb_cloud_download_stop(file, io);
  late->began = file->sink.begin(&file->sink, req);
  late->took = file->sink.data(&file->sink, (const uint8_t *)"late", 4);
  late->status = req->err.status;
}

static void test_bytes_behind_a_cancel(void **state) {
  (void)state;
  struct cloud_rig c;
  struct late late = {.task.run = stop_and_go_on, .c = &c, .began = true, .took = true};
  init(&c);
  struct http_step step = cloud_gives(&c.files[0]);
  step.kind = HTTP_HALF_HANG;
  play(&c, &step, 1);
  cloud_until_received(&c, 1);
  lb_list_init(&late.task.node);
  lb_io_run(c.io.io, &late.task);
  assert_false(late.began);
  assert_false(late.took);
  assert_int_equal(late.status, LB_CANCELLED);
  http_server_wait_hangups(c.io.server, 1);
  cloud_rig_reset(&c);
}

/* What begins. */

static void test_nothing_begins_without_a_reader(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  c.options.prefetch = false;
  cloud_reopen(&c);
  cloud_make_files(&c, 3);
  cloud_gives_all(&c);
  cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 0);
  cloud_read(&c, 10);
  assert_int_equal(http_server_requests(c.io.server), 1);
  assert_int_equal(lb_cloud_queued(c.cloud), 2);
  cloud_read_all(&c);
  assert_int_equal(lb_budget_peak(lb_io_budget(c.io.io)), 0);
  cloud_rig_reset(&c);
}

/* Nothing new for a reader who was away for a minute; what he waits for comes. */
static void test_a_reader_who_went_away(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  c.options.parallel = 1;
  cloud_reopen(&c);
  cloud_make_files(&c, 4);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[2]), cloud_gives(&c.files[3])};
  steps[1].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, 4);
  cloud_add(&c, 0, 4, CLOUD_LIFE_MS);
  cloud_read(&c, 10);
  http_server_wait_requests(c.io.server, 2);
  rig_advance(&c.io, 60000);
  http_server_release(c.io.server);
  cloud_until_files(&c, 2);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 2);
  assert_int_equal(cloud_look(&c).states[LB_FILE_QUEUED], 2);
  cloud_read_all(&c);
  cloud_rig_reset(&c);
}

/* Up to that it is still his. */
static void test_a_reader_who_takes_his_time(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  c.options.parallel = 1;
  cloud_reopen(&c);
  cloud_make_files(&c, 3);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[2])};
  steps[1].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, 3);
  cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
  cloud_read(&c, 10);
  http_server_wait_requests(c.io.server, 2);
  rig_advance(&c.io, 59999);
  http_server_release(c.io.server);
  cloud_until_files(&c, 0);
  assert_int_equal(http_server_requests(c.io.server), 3);
  cloud_rig_reset(&c);
}

LB_TEST_MAIN(
    LB_TEST(test_what_a_store_is_sent), LB_TEST(test_the_url_stays_secret),
    LB_TEST(test_it_goes_on_where_it_broke_off), LB_TEST(test_it_goes_on_twice),
    LB_TEST(test_no_parts), LB_TEST(test_the_range_is_ignored),
    LB_TEST(test_a_wrong_part), LB_TEST(test_the_place_is_refused),
    LB_TEST(test_another_file_before_any_row), LB_TEST(test_another_file_behind_its_rows),
    LB_TEST(test_it_breaks_off_anywhere),
    LB_TEST(test_a_body_that_ends_with_the_connection), LB_TEST(test_chunks),
    LB_TEST(test_a_body_beyond_all_limits), LB_TEST(test_another_encoding),
    LB_TEST(test_no_other_encoding), LB_TEST(test_a_pause_by_retry_after),
    LB_TEST(test_no_way_to_the_store), LB_TEST(test_a_store_that_answers_is_reached),
    LB_TEST(test_a_way_that_is_lost_later), LB_TEST(test_a_store_without_tls_elsewhere),
    LB_TEST(test_an_end_at_each_stage), LB_TEST(test_an_end_before_anything_began),
    LB_TEST(test_an_end_with_rows_unread), LB_TEST(test_bytes_behind_a_cancel),
    LB_TEST(test_nothing_begins_without_a_reader), LB_TEST(test_a_reader_who_went_away),
    LB_TEST(test_a_reader_who_takes_his_time))
