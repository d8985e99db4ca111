/* SPDX-License-Identifier: Apache-2.0 */
/* Links: their order, their age by the server's clock, and their renewal. */
#include "result/cloud_test_support.h"

/* Order. */

struct link_row {
  int64_t first_row;
  int64_t rows;
};

static enum lb_status link_rows(const struct link_row *rows, int count, int64_t *out,
                                struct lb_error *err) {
  struct lb_t_spark_arrow_result_link links[8] = {0};
  for (int i = 0; i < count; i++) {
    links[i].start_row_offset = LB_T_I64(rows[i].first_row);
    links[i].row_count = LB_T_I64(rows[i].rows);
  }
  const struct lb_t_row_set row_set = {
      .result_links = {.set = true, .count = count, .items = links}};
  return lb_cloud_link_rows(&row_set, 100, out, err);
}

static void test_rows_of_links(void **state) {
  (void)state;
  static const struct link_row mixed[] = {
      {110, 5}, {100, 10}, {100, 0}, {115, 1}, {7, 0}};
  struct lb_error err = LB_ERROR_INIT;
  int64_t rows = -1;
  LB_TEST_OK(link_rows(mixed, 5, &rows, &err), &err);
  assert_int_equal(rows, 16);
  LB_TEST_OK(link_rows(mixed, 0, &rows, &err), &err);
  assert_int_equal(rows, 0);
}

static void test_rows_that_do_not_follow(void **state) {
  (void)state;
  static const struct link_row gap[] = {{100, 10}, {111, 5}};
  static const struct link_row overlap[] = {{100, 10}, {109, 5}};
  static const struct link_row twice[] = {{100, 10}, {100, 10}};
  static const struct link_row late[] = {{101, 10}};
  static const struct link_row huge[] = {{100, INT64_MAX - 50}};
  struct lb_error err = LB_ERROR_INIT;
  int64_t rows = -1;
  LB_TEST_FAILS(LB_INVALID_DATA, link_rows(gap, 2, &rows, &err), &err);
  LB_TEST_CONTAINS(err.message, "from 111 came where row 110 was next: rows were lost");
  LB_TEST_FAILS(LB_INVALID_DATA, link_rows(overlap, 2, &rows, &err), &err);
  LB_TEST_CONTAINS(err.message, "from 109 came where row 110 was next: rows were repeat");
  LB_TEST_FAILS(LB_INVALID_DATA, link_rows(twice, 2, &rows, &err), &err);
  LB_TEST_FAILS(LB_INVALID_DATA, link_rows(late, 1, &rows, &err), &err);
  LB_TEST_FAILS(LB_INVALID_DATA, link_rows(huge, 1, &rows, &err), &err);
  assert_int_equal(rows, -1);
}

static enum lb_status add_one(struct cloud_rig *c,
                              const struct lb_t_spark_arrow_result_link *link,
                              struct lb_error *err) {
  struct lb_t_spark_arrow_result_link copy = *link;
  const struct lb_t_row_set row_set = {
      .result_links = {.set = true, .count = 1, .items = &copy}};
  return lb_cloud_add(c->cloud, &row_set, link->start_row_offset.v, CLOUD_SERVER_MS, err);
}

static void test_links_that_cannot_be_used(void **state) {
  (void)state;
  static struct lb_str names[LB_LINK_HEADERS_MAX + 1];
  static char long_url[64 * 1024 + 2];
  struct cloud_rig c;
  struct lb_error err = LB_ERROR_INIT;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 1);
  struct lb_t_spark_arrow_result_link link = cloud_link(&c.files[0], CLOUD_SERVER_MS);
  link.file_link = (struct lb_str){0};
  LB_TEST_FAILS(LB_PROTOCOL, add_one(&c, &link, &err), &err);
  memset(long_url, 'u', sizeof long_url - 1);
  link.file_link = lb_str_from(long_url);
  LB_TEST_FAILS(LB_PROTOCOL, add_one(&c, &link, &err), &err);
  link = cloud_link(&c.files[0], CLOUD_SERVER_MS);
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) names[i] = LB_STR("a");
  link.http_headers.keys = link.http_headers.values = names;
  link.http_headers.count = LB_LINK_HEADERS_MAX + 1;
  LB_TEST_FAILS(LB_PROTOCOL, add_one(&c, &link, &err), &err);
  LB_TEST_CONTAINS(err.message, "17 headers; 16 are the most");
  assert_false(lb_cloud_pending(c.cloud));
  cloud_rig_reset(&c);
}

/* Renewal. */

/* Files of which none begins before it is waited for, whose links live so long. */
static void init(struct cloud_rig *c, int files, int64_t life_ms) {
  cloud_rig_init(c, true);
  c->options.prefetch = false;
  cloud_reopen(c);
  cloud_make_files(c, files);
  cloud_add(c, 0, files, life_ms);
}

/* A reply with new links of files from..from + count - 1 that live for life_ms. */
static struct http_step renewal(struct cloud_rig *c, int from, int count,
                                int64_t life_ms) {
  struct lb_t_spark_arrow_result_link links[CLOUD_FILES_MAX];
  for (int i = 0; i < count; i++) {
    links[i] = cloud_link(&c->files[from + i], CLOUD_SERVER_MS + life_ms);
  }
  return cloud_links(&c->links, links, count);
}

static bool is_fetch(struct cloud_rig *c, int nth) {
  return rig_contains(http_server_head(c->io.server, nth), "POST /path");
}

/* The row from which that fetch asks. */
static bool asks_from(struct cloud_rig *c, int nth, int64_t row) {
  size_t len;
  const char *body = http_server_body(c->io.server, nth, &len);
  struct lb_buf wanted;
  lb_buf_init(&wanted, LB_MEM_TEST, 64);
  lb_buf_append_be64(&wanted, (uint64_t)row);
  struct lb_str text = {(const char *)wanted.data, wanted.len};
  bool found = lb_str_find((struct lb_str){body, len}, text) != SIZE_MAX;
  lb_buf_reset(&wanted);
  return found;
}

/* The server's clock is five minutes behind the machine's: what counts is how long the
 * link lived by the server when it came. */
static void expect_age(int64_t life_ms, int64_t waited_ms, bool old) {
  struct cloud_rig c;
  init(&c, 1, life_ms);
  struct http_step steps[] = {cloud_gives(&c.files[0]), renewal(&c, 0, 1, CLOUD_LIFE_MS)};
  http_server_script(c.io.server, steps, 2);
  rig_advance(&c.io, waited_ms);
  cloud_read_all(&c);
  assert_int_equal(http_server_requests(c.io.server), old ? 2 : 1);
  assert_int_equal(is_fetch(&c, 0), old);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_renewals), old);
  cloud_rig_reset(&c);
}

static void test_a_link_is_old_a_minute_before_its_death(void **state) {
  (void)state;
  expect_age(900000, 839999, false);
  expect_age(900000, 840000, true);
}

static void test_a_short_life_has_a_short_margin(void **state) {
  (void)state;
  expect_age(30000, 19999, false);
  expect_age(30000, 20000, true);
  expect_age(0, 0, true);
  expect_age(-1000, 0, true);
}

/* Neither clock nor expiry is told: five minutes. */
static void test_a_link_without_expiry(void **state) {
  (void)state;
  for (int old = 0; old <= 1; old++) {
    struct cloud_rig c;
    cloud_rig_init(&c, true);
    c.options.prefetch = false;
    cloud_reopen(&c);
    cloud_make_files(&c, 1);
    struct lb_t_spark_arrow_result_link link = cloud_link(&c.files[0], 0);
    link.expiry_time = (struct lb_t_i64){0};
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OK(add_one(&c, &link, &err), &err);
    struct http_step steps[] = {cloud_gives(&c.files[0]), renewal(&c, 0, 1, 900000)};
    http_server_script(c.io.server, steps, 2);
    rig_advance(&c.io, old ? 240000 : 239999);
    cloud_read_all(&c);
    assert_int_equal(http_server_requests(c.io.server), old ? 2 : 1);
    cloud_rig_reset(&c);
  }
}

/* One fetch from the first row of the file that needs it names the links of all behind
 * it; the store is not told who asks for them, the server is. */
static void test_neighbours_are_renewed_at_once(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 3, 30000);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[2]), renewal(&c, 0, 3, CLOUD_LIFE_MS)};
  http_server_script(c.io.server, steps, 4);
  rig_advance(&c.io, 25000);
  cloud_read_all(&c);
  assert_int_equal(http_server_requests(c.io.server), 4);
  assert_true(is_fetch(&c, 0));
  assert_true(asks_from(&c, 0, 100));
  LB_TEST_CONTAINS(http_server_head(c.io.server, 0), "Authorization: Bearer dapi-secret");
  for (int i = 1; i < 4; i++) {
    assert_false(rig_contains(http_server_head(c.io.server, i), "Authorization"));
  }
  assert_int_equal(cloud_counted(&c, LB_CLOUD_renewals), 3);
  cloud_rig_reset(&c);
}

/* The new link counts, with its own headers. */
static void test_the_new_link_is_used(void **state) {
  (void)state;
  static struct lb_str keys[] = {LB_STR("x-second")};
  static struct lb_str values[] = {LB_STR("other")};
  struct cloud_rig c;
  char url[128];
  init(&c, 1, 30000);
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/store/new?sig=2",
                 http_server_port(c.io.server));
  struct lb_t_spark_arrow_result_link link =
      cloud_link(&c.files[0], CLOUD_SERVER_MS + CLOUD_LIFE_MS);
  link.file_link = lb_str_from(url);
  link.http_headers.keys = keys;
  link.http_headers.values = values;
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_links(&c.links, &link, 1)};
  steps[0].path = "/store/new";
  http_server_script(c.io.server, steps, 2);
  rig_advance(&c.io, 25000);
  cloud_read_all(&c);
  LB_TEST_CONTAINS(http_server_head(c.io.server, 1), "GET /store/new?sig=2 HTTP");
  LB_TEST_CONTAINS(http_server_head(c.io.server, 1), "x-second: other");
  assert_false(rig_contains(http_server_head(c.io.server, 1), "x-of-the-link"));
  cloud_rig_reset(&c);
}

/* A server whose clock makes no sense: each file costs a renewal, and all rows come. */
static void test_a_new_link_is_used_once_whatever_its_age(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, 30000);
  struct http_step steps[] = {cloud_gives(&c.files[0]), renewal(&c, 0, 1, -50000)};
  http_server_script(c.io.server, steps, 2);
  rig_advance(&c.io, 25000);
  cloud_read_all(&c);
  assert_int_equal(http_server_requests(c.io.server), 2);
  cloud_rig_reset(&c);
}

/* Refused by the store. */

static void test_a_refusal_asks_for_a_new_link(void **state) {
  (void)state;
  static const int refusals[] = {400, 401, 403, 404, 410};
  for (size_t i = 0; i < LB_ARRAY_LEN(refusals); i++) {
    struct cloud_rig c;
    init(&c, 1, CLOUD_LIFE_MS);
    struct http_step steps[] = {{.path = "/store/0", .status = refusals[i]},
                                cloud_gives(&c.files[0]),
                                renewal(&c, 0, 1, CLOUD_LIFE_MS)};
    http_server_script(c.io.server, steps, 3);
    cloud_read_all(&c);
    assert_int_equal(http_server_requests(c.io.server), 3);
    assert_true(is_fetch(&c, 1));
    cloud_rig_reset(&c);
  }
}

static void expect_failure(struct cloud_rig *c, enum lb_status wanted, const char *why) {
  cloud_read(c, INT64_MAX);
  LB_TEST_FAILS(wanted, c->reader.status, &c->reader.err);
  LB_TEST_CONTAINS(c->reader.err.message, "file 0 of the result (rows 100 to 109): ");
  LB_TEST_CONTAINS(c->reader.err.message, why);
  cloud_rig_reset(c);
}

static void test_three_new_links_are_enough(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, CLOUD_LIFE_MS);
  struct http_step steps[7];
  for (size_t i = 0; i < 4; i++) {
    steps[i] = (struct http_step){.path = "/store/0", .status = 403};
  }
  steps[4] = steps[5] = steps[6] = renewal(&c, 0, 1, CLOUD_LIFE_MS);
  http_server_script(c.io.server, steps, 7);
  cloud_read(&c, INT64_MAX);
  assert_int_equal(http_server_requests(c.io.server), 7);
  expect_failure(&c, LB_UNAUTHORIZED, "answered HTTP 403 (also by 3 new links)");
}

/* What came of the file before the refusal is not fetched again. */
static void test_a_refusal_within_a_file(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, CLOUD_LIFE_MS);
  struct http_step steps[] = {cloud_gives(&c.files[0]),
                              {.path = "/store/0", .status = 403},
                              cloud_gives(&c.files[0]),
                              renewal(&c, 0, 1, CLOUD_LIFE_MS)};
  steps[0].kind = HTTP_HALF;
  steps[0].sent = 300;
  steps[2].status = 206;
  steps[2].headers = "ETag: \"one\"\r\nContent-Range: bytes 300-/*\r\n";
  steps[2].body += 300;
  steps[2].body_len -= 300;
  http_server_script(c.io.server, steps, 4);
  cloud_read_all(&c);
  LB_TEST_CONTAINS(http_server_head(c.io.server, 3), "Range: bytes=300-");
  assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received), c.files[0].body.len);
  cloud_rig_reset(&c);
}

/* ... unless the new link leads to another file. */
static void expect_other(const char *headers, size_t shorter, const char *why) {
  struct cloud_rig c;
  init(&c, 1, CLOUD_LIFE_MS);
  struct http_step steps[] = {cloud_gives(&c.files[0]),
                              {.path = "/store/0", .status = 403},
                              cloud_gives(&c.files[0]),
                              renewal(&c, 0, 1, CLOUD_LIFE_MS)};
  steps[0].kind = HTTP_HALF;
  steps[0].sent = 300;
  steps[2].headers = headers;
  steps[2].body_len -= shorter;
  http_server_script(c.io.server, steps, 4);
  expect_failure(&c, LB_INVALID_DATA, why);
}

static void test_the_new_link_leads_elsewhere(void **state) {
  (void)state;
  expect_other("ETag: \"two\"\r\n", 0, "its ETag is another than before");
  expect_other("ETag: \"one\"\r\n", 1, "its length is another than before");
}

/* The link of the first file has grown old, and this is what its renewal brings. */
static void expect_renewal_failure(struct cloud_rig *c, struct http_step brings,
                                   enum lb_status status, const char *why) {
  http_server_script(c->io.server, &brings, 1);
  rig_advance(&c->io, 25000);
  expect_failure(c, status, why);
}

static void test_the_new_link_states_something_else(void **state) {
  (void)state;
  for (int rows = 0; rows <= 1; rows++) {
    struct cloud_rig c;
    init(&c, 1, 30000);
    struct lb_t_spark_arrow_result_link link = cloud_link(&c.files[0], CLOUD_SERVER_MS);
    if (rows) {
      link.row_count.v++;
    } else {
      link.bytes_num.v++;
    }
    expect_renewal_failure(&c, cloud_links(&c.links, &link, 1), LB_INVALID_DATA,
                           "the result has changed on the server");
  }
}

/* Renewals that bring nothing. */

static void test_no_new_link(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 2, 30000);
  expect_renewal_failure(&c, renewal(&c, 1, 1, CLOUD_LIFE_MS), /* of the other file */
                         LB_INVALID_DATA, "the server gave no new link for it");
}

static void test_rows_in_place_of_links(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, 30000);
  expect_renewal_failure(&c, renewal(&c, 0, 0, CLOUD_LIFE_MS), LB_INVALID_DATA,
                         "the server gave no new link for it");
}

static void test_a_renewal_that_is_refused(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, 30000);
  expect_renewal_failure(&c, (struct http_step){.path = "/path", .status = 401},
                         LB_UNAUTHENTICATED, "401");
}

/* A renewal moves no rows, so it may be asked for again. */
static void test_a_renewal_is_repeated(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, 30000);
  struct http_step steps[] = {{.path = "/path", .kind = HTTP_RESET},
                              renewal(&c, 0, 1, CLOUD_LIFE_MS),
                              cloud_gives(&c.files[0])};
  http_server_script(c.io.server, steps, 3);
  rig_advance(&c.io, 25000);
  cloud_reader_start(&c, INT64_MAX);
  int64_t from_ms = lb_os_boottime_ms();
  while (!cloud_look(&c).renewal_waits) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) fail_msg("no pause");
  }
  rig_advance(&c.io, 2000); /* more than the pause */
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 10);
  cloud_rig_reset(&c);
}

/* Single flight. */

/* Two files are refused one after the other while one renewal is held back: the second
 * waits for it, and for a renewal of its own only if that does not name it. */
static void expect_single_flight(bool named) {
  struct cloud_rig c;
  struct bytes more = {NULL, 0};
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  struct http_step steps[6] = {{.path = "/store/0", .status = 403},
                               {.path = "/store/1", .status = 403},
                               cloud_gives(&c.files[0]),
                               cloud_gives(&c.files[1]),
                               renewal(&c, 0, named ? 2 : 1, CLOUD_LIFE_MS)};
  const struct lb_t_spark_arrow_result_link second =
      cloud_link(&c.files[1], CLOUD_SERVER_MS + CLOUD_LIFE_MS);
  steps[5] = cloud_links(&more, &second, 1);
  steps[4].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, 6);
  cloud_add(&c, 0, 1, CLOUD_LIFE_MS);
  cloud_reader_start(&c, INT64_MAX);
  http_server_wait_requests(c.io.server, 2);
  cloud_add(&c, 1, 1, CLOUD_LIFE_MS);
  cloud_until_requests(&c, 3);
  cloud_until_state(&c, LB_FILE_RENEWING, 2);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 3);
  http_server_release(c.io.server);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 20);
  assert_int_equal(http_server_requests(c.io.server), named ? 5 : 6);
  assert_true(is_fetch(&c, 1) && asks_from(&c, 1, 100));
  cloud_rig_reset(&c);
  bytes_free(&more);
}

static void test_one_renewal_at_a_time(void **state) {
  (void)state;
  expect_single_flight(true);
  expect_single_flight(false);
}

static void test_an_end_while_a_link_is_renewed(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1, 30000);
  struct http_step step = {.path = "/path", .kind = HTTP_HANG};
  http_server_script(c.io.server, &step, 1);
  rig_advance(&c.io, 25000);
  cloud_reader_start(&c, INT64_MAX);
  http_server_wait_requests(c.io.server, 1);
  lb_cloud_close(c.cloud);
  cloud_reader_join(&c);
  LB_TEST_FAILS(LB_CANCELLED, c.reader.status, &c.reader.err);
  http_server_wait_hangups(c.io.server, 1);
  cloud_rig_reset(&c);
}

LB_TEST_MAIN(
    LB_TEST(test_rows_of_links), LB_TEST(test_rows_that_do_not_follow),
    LB_TEST(test_links_that_cannot_be_used),
    LB_TEST(test_a_link_is_old_a_minute_before_its_death),
    LB_TEST(test_a_short_life_has_a_short_margin), LB_TEST(test_a_link_without_expiry),
    LB_TEST(test_neighbours_are_renewed_at_once), LB_TEST(test_the_new_link_is_used),
    LB_TEST(test_a_new_link_is_used_once_whatever_its_age),
    LB_TEST(test_a_refusal_asks_for_a_new_link), LB_TEST(test_three_new_links_are_enough),
    LB_TEST(test_a_refusal_within_a_file), LB_TEST(test_the_new_link_leads_elsewhere),
    LB_TEST(test_the_new_link_states_something_else), LB_TEST(test_no_new_link),
    LB_TEST(test_rows_in_place_of_links), LB_TEST(test_a_renewal_that_is_refused),
    LB_TEST(test_a_renewal_is_repeated), LB_TEST(test_one_renewal_at_a_time),
    LB_TEST(test_an_end_while_a_link_is_renewed))
