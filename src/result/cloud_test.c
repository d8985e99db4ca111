/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery: what the reader gets, in which order, and how it ends. */
#include "result/cloud.h"

#include "result/cloud_test_support.h"

static void test_files_become_rows(void **state) {
  (void)state;
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    struct cloud_rig c;
    cloud_rig_init(&c, lz4 == 1);
    cloud_make_files(&c, 3);
    cloud_gives_all(&c);
    cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
    lb_cloud_last(c.cloud);
    cloud_read_all(&c);
    assert_int_equal(http_server_requests(c.io.server), 3);
    assert_int_equal(cloud_counted(&c, LB_CLOUD_files_delivered), 3);
    assert_int_equal(cloud_counted(&c, LB_CLOUD_rows_delivered), 30);
    assert_int_equal(cloud_counted(&c, LB_CLOUD_bytes_received),
                     c.files[0].body.len + c.files[1].body.len + c.files[2].body.len);
    assert_false(lb_cloud_pending(c.cloud));
    assert_int_equal(lb_cloud_queued(c.cloud), 0);
    cloud_rig_reset(&c);
    assert_int_equal(atomic_load(&c.all_local), 1);
  }
}

/* The later files are decoded while the first one is held back by its store. */
static void test_files_out_of_order(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 3);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[2])};
  steps[0].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, 3);
  cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  cloud_reader_start(&c, INT64_MAX);
  cloud_until_requests(&c, 3);
  cloud_until_files(&c, 1);
  assert_false(atomic_load(&c.reader.ended));
  assert_int_equal(atomic_load(&c.reader.rows), 0);
  assert_int_equal(atomic_load(&c.all_local), 0);
  http_server_release(c.io.server);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 30);
  cloud_rig_reset(&c);
}

/* What is decoded, over the seams of files, and never a wait for what is not. */
static void test_what_is_at_hand(void **state) {
  (void)state;
  struct cloud_rig c;
  struct ArrowArray array;
  int64_t row = CLOUD_FIRST_ROW;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 3);
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[2])};
  steps[2].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, 3);
  lb_cloud_at_hand(c.cloud, &array);
  assert_null(array.release);
  cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  cloud_until_requests(&c, 3);
  cloud_until_files(&c, 1);
  for (int i = 0; i < 4; i++) {
    lb_cloud_at_hand(c.cloud, &array);
    assert_non_null(array.release);
    check_rows(&c.arrow, cloud_fields, CLOUD_FIELDS, &array, row, 5);
    row += 5;
    array.release(&array);
  }
  lb_cloud_at_hand(c.cloud, &array);
  assert_null(array.release);
  assert_true(lb_cloud_pending(c.cloud));
  assert_int_equal(cloud_counted(&c, LB_CLOUD_rows_delivered), 20);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_files_delivered), 2);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_stalls_network) +
                       cloud_counted(&c, LB_CLOUD_stalls_decode),
                   0);
  lb_cloud_close(c.cloud);
  lb_cloud_at_hand(c.cloud, &array);
  assert_null(array.release);
  http_server_release(c.io.server);
  cloud_rig_reset(&c);
}

/* Files of a cache hold more rows than their links state. */
static void expect_cut(bool lz4, int64_t stated) {
  struct cloud_rig c;
  cloud_rig_init(&c, lz4);
  struct cloud_file *first = cloud_make_file(&c, 3, 5);
  first->rows = c.rows = stated;
  (void)cloud_make_file(&c, 1, 5);
  cloud_gives_all(&c);
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  cloud_read_all(&c);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_rows_delivered), stated + 5);
  cloud_rig_reset(&c);
}

static void test_a_longer_file_is_cut(void **state) {
  (void)state;
  expect_cut(true, 10); /* between batches */
  expect_cut(true, 7);  /* within one */
  expect_cut(false, 7);
  expect_cut(false, 1);
}

/* Whatever is wrong with file 1 stays so: the rows of file 0, those of it that came, and
 * then the error that names it. */
static void expect_spoilt(struct cloud_rig *c, int64_t rows, const char *why) {
  struct http_step steps[] = {cloud_gives(&c->files[0]), cloud_gives(&c->files[1]),
                              cloud_gives(&c->files[1]), cloud_gives(&c->files[1])};
  http_server_script(c->io.server, steps, 4);
  cloud_add(c, 0, 2, CLOUD_LIFE_MS);
  lb_cloud_last(c->cloud);
  cloud_read(c, INT64_MAX);
  LB_TEST_FAILS(LB_PROTOCOL, c->reader.status, &c->reader.err);
  LB_TEST_CONTAINS(c->reader.err.message, "file 1 of the result (rows 110 to ");
  LB_TEST_CONTAINS(c->reader.err.message, why);
  cloud_check_rows(c, rows);
  assert_int_equal(http_server_requests(c->io.server), 4); /* twice more */
  assert_int_equal(atomic_load(&c->all_local), 0);
  cloud_rig_reset(c);
}

static void test_a_shorter_file(void **state) {
  (void)state;
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    struct cloud_rig c;
    cloud_rig_init(&c, lz4 == 1);
    cloud_make_files(&c, 2);
    c.files[1].rows = 12;
    expect_spoilt(&c, 20, "2 rows are missing");
  }
}

static void test_a_file_without_its_end(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  bytes_free(&c.files[1].body);
  cloud_body(&c, &c.files[1].body, &c.files[1].raw_bytes, 110, 2, 5, false);
  expect_spoilt(&c, 20, "lacks its end mark");
}

static void test_a_body_that_is_no_lz4(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  memcpy(c.files[1].body.data, "<htm", 4);
  expect_spoilt(&c, 10, "LZ4");
}

static void test_a_damaged_block(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  c.files[1].body.data[c.files[1].body.len - 1] ^= 1; /* of the checksum */
  expect_spoilt(&c, 20, "LZ4");
}

static void test_a_damaged_message(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, false);
  cloud_make_files(&c, 2);
  memset(c.files[1].body.data + 8, 0x7f, 16);
  expect_spoilt(&c, 10, "malformed Arrow data");
}

/* What was damaged on the way once: no row twice, none lost. */
static void test_a_damage_that_is_gone(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  struct bytes bad = bytes_exact(c.files[1].body.data, c.files[1].body.len);
  bad.data[bad.len - 1] ^= 1;
  struct http_step steps[] = {cloud_gives(&c.files[0]), cloud_gives(&c.files[1]),
                              cloud_gives(&c.files[1])};
  steps[1].body = (const char *)bad.data;
  http_server_script(c.io.server, steps, 3);
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  cloud_read_all(&c);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_downloads), 3);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_retries), 1);
  cloud_rig_reset(&c);
  assert_int_equal(atomic_load(&c.all_local), 1);
  bytes_free(&bad);
}

static void test_links_of_another_schema(void **state) {
  (void)state;
  static const struct field other[] = {{.name = "d", .type = NANOARROW_TYPE_DOUBLE},
                                       {.name = "s", .type = NANOARROW_TYPE_STRING}};
  struct cloud_rig c;
  struct ArrowSchema schema;
  cloud_rig_init(&c, false);
  cloud_make_files(&c, 2);
  bytes_free(&c.files[1].body);
  make_schema(&schema, other, 2);
  encode_schema(&c.files[1].body, &schema);
  add_rows_message(&c.files[1].body, &schema, other, 2, 0, 10);
  bytes_add(&c.files[1].body, "\xff\xff\xff\xff\0\0\0\0", 8);
  ArrowSchemaRelease(&schema);
  expect_spoilt(&c, 10, "column 0");
}

/* Waiting. */

static void start_waiting(struct cloud_rig *c, enum http_step_kind kind) {
  cloud_rig_init(c, true);
  cloud_make_files(c, 1);
  struct http_step step = cloud_gives(&c->files[0]);
  step.kind = kind;
  http_server_script(c->io.server, &step, 1);
  cloud_add(c, 0, 1, CLOUD_LIFE_MS);
  cloud_reader_start(c, INT64_MAX);
  cloud_until_waiting(c);
}

static void test_a_poke_ends_the_wait(void **state) {
  (void)state;
  struct cloud_rig c;
  start_waiting(&c, HTTP_HOLD);
  lb_cloud_poke(c.cloud);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  assert_int_equal(c.reader.array_count, 0);
  assert_int_equal(c.reader.waits, 1);
  assert_true(lb_cloud_pending(c.cloud));
  http_server_release(c.io.server);
  cloud_read_all(&c);
  cloud_rig_reset(&c);
}

static void test_a_close_ends_the_wait(void **state) {
  (void)state;
  struct cloud_rig c;
  start_waiting(&c, HTTP_HANG);
  lb_cloud_close(c.cloud);
  cloud_reader_join(&c);
  LB_TEST_FAILS(LB_CANCELLED, c.reader.status, &c.reader.err);
  http_server_wait_hangups(c.io.server, 1); /* the download ends with it */
  cloud_rig_reset(&c);
}

static void test_a_deadline_ends_the_wait(void **state) {
  (void)state;
  struct cloud_rig c;
  struct ArrowArray array;
  struct lb_error err = LB_ERROR_INIT;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 1);
  struct http_step step = cloud_gives(&c.files[0]);
  step.kind = HTTP_HOLD;
  http_server_script(c.io.server, &step, 1);
  cloud_add(&c, 0, 1, CLOUD_LIFE_MS);
  LB_TEST_FAILS(
      LB_TIMEOUT,
      lb_cloud_next(c.cloud, lb_os_boottime_ms(), cloud_on_wait, &c.reader, &array, &err),
      &err);
  assert_null(array.release);
  /* It is no end: the rows come to whoever asks again. */
  cloud_reader_start(&c, INT64_MAX);
  cloud_until_waiting(&c);
  http_server_release(c.io.server);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 10);
  cloud_rig_reset(&c);
}

/* Closed by somebody else between two arrays of one file. */
static void test_a_close_within_a_file(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  cloud_gives_all(&c);
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  cloud_read(&c, 5);
  cloud_check_rows(&c, 5);
  lb_cloud_close(c.cloud);
  lb_cloud_close(c.cloud);
  cloud_read(&c, INT64_MAX);
  LB_TEST_FAILS(LB_CANCELLED, c.reader.status, &c.reader.err);
  cloud_check_rows(&c, 5);
  cloud_rig_reset(&c);
}

/* Links that come behind the close are nobody's. */
static void test_links_behind_a_close(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  cloud_make_files(&c, 2);
  lb_cloud_close(c.cloud);
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  lb_io_test_round(c.io.io);
  assert_false(lb_cloud_pending(c.cloud));
  assert_int_equal(http_server_requests(c.io.server), 0);
  /* The I/O thread was not woken for what it never knew. */
  assert_false(atomic_load(&c.cloud->close_posted));
  cloud_rig_reset(&c);
  assert_int_equal(atomic_load(&c.all_local), 0);
}

LB_TEST_MAIN(LB_TEST(test_files_become_rows), LB_TEST(test_what_is_at_hand),
             LB_TEST(test_files_out_of_order), LB_TEST(test_a_longer_file_is_cut),
             LB_TEST(test_a_shorter_file), LB_TEST(test_a_file_without_its_end),
             LB_TEST(test_a_body_that_is_no_lz4), LB_TEST(test_a_damaged_block),
             LB_TEST(test_a_damaged_message), LB_TEST(test_a_damage_that_is_gone),
             LB_TEST(test_links_of_another_schema), LB_TEST(test_a_poke_ends_the_wait),
             LB_TEST(test_a_close_ends_the_wait), LB_TEST(test_a_deadline_ends_the_wait),
             LB_TEST(test_a_close_within_a_file), LB_TEST(test_links_behind_a_close))
