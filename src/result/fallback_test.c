/* SPDX-License-Identifier: Apache-2.0 */
/* A query whose store cannot be reached is executed once more, and nothing else is. */
#include "result/fallback.h"

#include "result/run_test_support.h"

#define ROWS 6
#define PAUSE_MOST_MS 10000

struct rerun_case {
  const char *sql;
  bool off; /* databricks.cloudfetch.fallback */
  bool runs_again;
};

struct reader {
  struct lb_thread thread;
  struct lb_result *res;
  enum lb_status status;
  struct lb_error err;
  int64_t rows;
  atomic_bool ended;
};

static void *read_all(void *arg) {
  struct reader *reader = arg;
  for (;;) {
    struct ArrowArray array = {0};
    reader->status = lb_result_next(reader->res, &array, &reader->err);
    if (reader->status != LB_OK || !array.release) break;
    reader->rows += array.length;
    array.release(&array);
  }
  atomic_store(&reader->ended, true);
  return NULL;
}

/* Reads while the pauses between attempts pass. */
static void read_on(struct run_rig *r, struct reader *reader) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_os_thread_start(&reader->thread, "reader", read_all, reader, &err), &err);
  int64_t from_ms = lb_os_boottime_ms();
  while (!atomic_load(&reader->ended)) {
    int64_t due_ms = rig_next_due_ms(r->c.io.io);
    /* No time limit of a request is so short. */
    if (due_ms - r->c.io.clock.now_ms <= PAUSE_MOST_MS) cloud_go_to(&r->c, due_ms);
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("the result was not read");
    }
  }
  lb_os_thread_join(&reader->thread);
}

/* A result of one file in a store that nobody is. */
static void says_files(struct run_rig *r, int port) {
  struct bytes schema = {NULL, 0};
  struct cloud_file file = {.first_row = 0, .rows = ROWS, .raw_bytes = 1000};
  (void)snprintf(file.url, sizeof file.url, "http://127.0.0.1:%d/gone", port);
  struct lb_t_spark_arrow_result_link link =
      cloud_link(&file, CLOUD_SERVER_MS + CLOUD_LIFE_MS);
  encode_schema(&schema, &r->c.arrow);
  struct lb_t_get_result_set_metadata_resp meta = {
      .result_format = LB_T_I32(LB_T_ROW_SET_URL), .arrow_schema = bytes_str(&schema)};
  struct lb_t_row_set row_set = {
      .start_row_offset = LB_T_I64(0),
      .rows = {.set = true},
      .result_links = {.set = true, .count = 1, .items = &link}};
  struct lb_t_fetch_results_resp page = {.has_more_rows = LB_T_BOOL(false),
                                         .results = &row_set};
  run_says_done(r, -1, &meta, &page);
  bytes_free(&schema);
}

/* The field canDownloadResult of that request is true. */
static bool asks_for_files(struct run_rig *r, int nth) {
  static const char field[] = {LB_TT_BOOL, 0x05, 0x03, 1};
  size_t len;
  const char *body = http_server_body(r->c.io.server, nth, &len);
  struct lb_str wanted = {field, sizeof field};
  return lb_str_find((struct lb_str){body, len}, wanted) != SIZE_MAX;
}

static void expect(const struct rerun_case *asked) {
  struct run_rig r;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_result_options options = {0};
  struct lb_call_slot slot;
  struct lb_ran ran = {0};
  run_rig_init(&r);
  run_set(&r, "databricks.cloudfetch.fallback", asked->off ? "off" : "auto");
  run_set(&r, "databricks.prefetch_pages", "0");
  says_files(&r, rig_free_port());
  run_says_rows(&r, cloud_fields, CLOUD_FIELDS, 0, ROWS);
  LB_TEST_OK(lb_call_slot_init(&slot, &err), &err);
  LB_TEST_OK(lb_result_options_read(r.c.sess, r.opts, LB_OP_STATEMENT, &options, &err),
             &err);
  options.cloud.enabled = true;
  char *sql = lb_strndup(LB_MEM_TEST, asked->sql, strlen(asked->sql));
  char *value = lb_strndup(LB_MEM_TEST, "bound", 5);
  assert_true(sql != NULL && value != NULL);
  const struct lb_param param = {.type = {.kind = LB_PARAM_STRING},
                                 .value = lb_str_from(value)};
  const struct lb_run run = {.sess = r.c.sess,
                             .opts = r.opts,
                             .slot = &slot,
                             .options = &options,
                             .sql = lb_str_from(sql),
                             .params = &param,
                             .param_count = 1,
                             .wanted = true};
  LB_TEST_OK(lb_run(&run, &ran, &err), &err);
  assert_int_equal(lb_rerun_wanted(&run, ran.res), asked->runs_again);
  /* What is executed again is a copy. */
  memset(sql, '#', strlen(sql));
  memset(value, '#', strlen(value));
  struct reader reader = {.res = ran.res};
  lb_result_wait_in(ran.res, &slot);
  read_on(&r, &reader);
  if (asked->runs_again) {
    LB_TEST_OK(reader.status, &reader.err);
    assert_int_equal(reader.rows, ROWS);
    assert_true(run_asked(&r, 1, asked->sql) && run_asked(&r, 1, "bound"));
    assert_true(asks_for_files(&r, 0) && !asks_for_files(&r, 1));
  } else {
    LB_TEST_FAILS(LB_CONNECTION, reader.status, &reader.err);
    assert_int_equal(reader.rows, 0);
  }
  assert_int_equal(run_calls(&r), asked->runs_again ? 2 : 1);
  lb_result_close(ran.res, LB_HB_RELEASED);
  lb_result_release(ran.res);
  lb_hb_stats_release(ran.stats);
  lb_call_slot_destroy(&slot);
  lb_free(sql);
  lb_free(value);
  run_rig_reset(&r);
}

static void test_a_query_runs_again(void **state) {
  (void)state;
  expect(&(struct rerun_case){.sql = "SELECT ? AS n", .runs_again = true});
}

static void test_what_may_change_something_does_not(void **state) {
  (void)state;
  expect(&(struct rerun_case){.sql = "CALL p(?)"});
  expect(&(struct rerun_case){.sql = "INSERT INTO t VALUES (?)"});
}

static void test_not_where_it_is_switched_off(void **state) {
  (void)state;
  expect(&(struct rerun_case){.sql = "SELECT ? AS n", .off = true});
}

LB_TEST_MAIN(LB_TEST(test_a_query_runs_again),
             LB_TEST(test_what_may_change_something_does_not),
             LB_TEST(test_not_where_it_is_switched_off))
