/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, cancellation, places per class, connections. */
#include "io/transfer.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <io_rig.h>

static void test_connect_timeout(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  char url[64];
  rig_init(&rig);
  /* The server never answers a TLS greeting, so that the connection never stands. */
  (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/path",
                 http_server_port(rig.server));
  rig.opts.url = url;
  rig_reconnect(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  exchange_start(&ex);
  http_server_wait_connections(rig.server, 1);
  rig_advance(&rig, 29999);
  assert_int_equal(exchange_state(&ex), LB_TRANSFER_RUNNING);
  rig_advance(&rig, 1);
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_CONNECTION, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message, "no connection to 127.0.0.1:");
  LB_TEST_CONTAINS(ex.req->err.message,
                   "within 30 s (databricks.connect_timeout_seconds)");
  assert_false(ex.req->received_unknown);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void expect_silence(enum http_step_kind kind, enum lb_repeat repeat,
                           bool unknown) {
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = kind, .body = "twelve bytes"};
  rig_init(&rig);
  rig.opts.request_timeout_ms = 5000; /* shorter than the connect timeout */
  rig.opts.retry_timeout_ms = 0;
  rig_reconnect(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, repeat, "q");
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  if (kind == HTTP_HALF_HANG) exchange_until_received(&ex, 6);
  rig_advance(&rig, 4999);
  assert_int_equal(exchange_state(&ex), LB_TRANSFER_RUNNING);
  rig_advance(&rig, 1);
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_TIMEOUT, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message, "for 5 s (databricks.request_timeout_seconds)");
  assert_true(rig_contains(ex.req->err.message, "is not known") == unknown);
  assert_true(ex.req->received_unknown);
  http_server_wait_hangups(rig.server, 1);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_silence_of_the_server(void **state) {
  (void)state;
  expect_silence(HTTP_HANG, LB_REPEAT_IF_NOT_RECEIVED, true);
  expect_silence(HTTP_HANG, LB_REPEAT_SAFE, false);
  expect_silence(HTTP_HANG, LB_REPEAT_NEVER, false);
  expect_silence(HTTP_HALF_HANG, LB_REPEAT_IF_NOT_RECEIVED, true);
}

/* A machine that slept for a day has not waited for the server. */
static void test_suspended_time_is_no_silence(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = HTTP_HOLD};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  lb_fake_clock_suspend(&rig.clock, INT64_C(86400000));
  lb_io_test_round(rig.io);
  assert_int_equal(exchange_state(&ex), LB_TRANSFER_RUNNING);
  rig_advance(&rig, 899999);
  assert_int_equal(exchange_state(&ex), LB_TRANSFER_RUNNING);
  http_server_release(rig.server);
  exchange_wait(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_exchange_timeout(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = HTTP_HANG};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "probe");
  ex.req->timeout_ms = 30000;
  ex.req->timeout_option = "databricks.heartbeat.request_timeout_seconds";
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  rig_advance(&rig, 30000);
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_TIMEOUT, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message,
                   "within 30 s (databricks.heartbeat.request_timeout_seconds)");
  assert_true(ex.req->received_unknown);
  http_server_wait_hangups(rig.server, 1);
  exchange_reset(&ex);
  rig_reset(&rig);
}

/* No wait begins that the time for the whole exchange would cut off. */
static void test_exchange_timeout_bounds_the_repeats(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.status = 503, .headers = "Retry-After: 10\r\n"};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, "q");
  ex.req->timeout_ms = 5000;
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->http_status, 503);
  assert_int_equal(ex.req->headers.retry_after_ms, 10000);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_refused_is_tried_for_ten_seconds(void **state) {
  (void)state;
  static const int64_t waits_ms[] = {750, 1500, 3000}; /* 6,000 more would be too long */
  struct rig rig;
  struct exchange ex;
  char url[64];
  rig_init(&rig);
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/path", rig_free_port());
  rig.opts.url = url;
  rig_reconnect(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  for (size_t i = 0; i < LB_ARRAY_LEN(waits_ms); i++) {
    exchange_until(&ex, LB_TRANSFER_WAITING);
    rig_advance(&rig, waits_ms[i]);
  }
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_CONNECTION, ex.req->status, &ex.req->err);
  LB_TEST_CONTAINS(ex.req->err.message, "TestCall: cannot connect to 127.0.0.1:");
  LB_TEST_CONTAINS(ex.req->err.message, "4 attempts in 5250 ms");
  LB_TEST_CONTAINS(ex.req->err.message, "databricks.retry_timeout_seconds");
  assert_true(ex.req->err.retryable);
  assert_false(ex.req->received_unknown);
  assert_int_equal(ex.req->attempts, 4);
  assert_int_equal(exchange_read(&ex, &ex.waiting), 0);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void expect_cancelled(struct exchange *ex) {
  exchange_wait(ex);
  LB_TEST_FAILS(LB_CANCELLED, ex->req->status, &ex->req->err);
  lb_request_cancel(ex->io, ex->req);
  lb_io_test_round(ex->io);
  assert_int_equal(exchange_read(ex, &ex->done), 1);
  exchange_reset(ex);
}

static void test_cancel_while_running(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = HTTP_HANG};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  lb_request_cancel(rig.io, ex.req);
  lb_request_cancel(rig.io, ex.req);
  exchange_wait(&ex);
  assert_true(ex.req->received_unknown);
  http_server_wait_hangups(rig.server, 1);
  expect_cancelled(&ex);
  rig_reset(&rig);
}

static void test_cancel_while_waiting(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.status = 503};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  lb_request_cancel(rig.io, ex.req);
  expect_cancelled(&ex);
  rig_advance(&rig, 100000);
  assert_int_equal(http_server_requests(rig.server), 1);
  rig_reset(&rig);
}

static void test_cancel_before_start_and_never_started(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  lb_request_cancel(rig.io, ex.req);
  lb_io_test_round(rig.io);
  assert_int_equal(exchange_read(&ex, &ex.done), 0);
  exchange_start(&ex);
  expect_cancelled(&ex);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  lb_request_cancel(rig.io, ex.req);
  exchange_reset(&ex);
  rig_reset(&rig);
  assert_false(rig_contains(rig.log.text, "HTTP 200"));
}

struct orphan {
  struct lb_io_task task;
  struct lb_request *req;
  bool start_first;
};

static void run_orphan(struct lb_io_task *task, struct lb_io *io) {
  struct orphan *orphan = LB_CONTAINER_OF(task, struct orphan, task);
  if (orphan->start_first) lb_request_start(io, orphan->req);
  lb_request_orphan(io, orphan->req);
}

static void make_orphan(struct exchange *ex, bool start_first) {
  struct orphan orphan = {
      .task.run = run_orphan, .req = ex->req, .start_first = start_first};
  lb_list_init(&orphan.task.node);
  lb_io_run(ex->io, &orphan.task);
}

static void test_orphan_in_flight_is_waited_for(void **state) {
  (void)state;
  static const enum http_step_kind kinds[] = {HTTP_HOLD, HTTP_HANG};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct rig rig;
    struct exchange ex;
    struct http_step step = {.kind = kinds[i], .body = "handle"};
    rig_init(&rig);
    http_server_script(rig.server, &step, 1);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
    exchange_start(&ex);
    http_server_wait_requests(rig.server, 1);
    rig_advance(&rig, 1000);
    make_orphan(&ex, false);
    rig_advance(&rig, LB_ORPHAN_MS - 1);
    assert_int_equal(exchange_state(&ex), LB_TRANSFER_RUNNING);
    assert_true(ex.req->holds_exit);
    if (kinds[i] == HTTP_HOLD) http_server_release(rig.server);
    if (kinds[i] == HTTP_HANG) rig_advance(&rig, 1);
    exchange_wait(&ex);
    if (kinds[i] == HTTP_HOLD) assert_string_equal(lb_buf_text(&ex.req->reply), "handle");
    if (kinds[i] == HTTP_HANG) assert_int_equal(ex.req->status, LB_TIMEOUT);
    make_orphan(&ex, false); /* too late: nothing happens */
    exchange_reset(&ex);
    rig_reset(&rig);
  }
}

static void test_orphan_that_was_not_sent_is_cancelled(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.status = 503};
  rig_init(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  make_orphan(&ex, true);
  expect_cancelled(&ex);
  assert_int_equal(http_server_requests(rig.server), 0);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_start(&ex);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  make_orphan(&ex, false);
  expect_cancelled(&ex);
  assert_int_equal(http_server_requests(rig.server), 1);
  rig_reset(&rig);
}

#define HELD_MAX 100

struct crowd {
  struct exchange all[HELD_MAX];
  int count;
};

static void crowd_start(struct crowd *crowd, struct rig *rig, enum lb_req_class req_class,
                        int count) {
  for (int i = 0; i < count; i++) {
    struct exchange *ex = &crowd->all[crowd->count++];
    exchange_init(ex, rig->io, rig->endpoint, LB_REPEAT_NEVER, "q");
    ex->req->req_class = req_class;
    exchange_start(ex);
  }
}

static void crowd_end(struct crowd *crowd) {
  for (int i = 0; i < crowd->count; i++) {
    exchange_wait(&crowd->all[i]);
    LB_TEST_OK(crowd->all[i].req->status, &crowd->all[i].req->err);
    exchange_reset(&crowd->all[i]);
  }
}

static void hold_all(struct rig *rig) {
  struct http_step steps[64];
  for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
    steps[i] = (struct http_step){.kind = HTTP_HOLD};
  }
  http_server_script(rig->server, steps, LB_ARRAY_LEN(steps));
}

static void test_places_per_class(void **state) {
  (void)state;
  static const struct {
    enum lb_req_class req_class;
    int places;
  } rows[] = {{LB_REQ_CONTROL, 64}, {LB_REQ_END, 16},      {LB_REQ_END_SESSION, 16},
              {LB_REQ_PROBE, 16},   {LB_REQ_DOWNLOAD, 16}, {LB_REQ_FETCH, 64}};
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    static struct crowd crowd;
    struct rig rig;
    crowd.count = 0;
    rig_init(&rig);
    hold_all(&rig);
    crowd_start(&crowd, &rig, rows[i].req_class, rows[i].places + 3);
    http_server_wait_requests(rig.server, rows[i].places);
    assert_int_equal(exchange_state(&crowd.all[rows[i].places - 1]), LB_TRANSFER_RUNNING);
    assert_int_equal(exchange_state(&crowd.all[rows[i].places]), LB_TRANSFER_QUEUED);
    assert_int_equal(http_server_connections(rig.server), rows[i].places);
    http_server_release(rig.server);
    /* Whoever stood in line may be held in turn. */
    if (rows[i].places < 64) {
      http_server_wait_requests(rig.server, rows[i].places + 3);
      http_server_release(rig.server);
    }
    crowd_end(&crowd);
    assert_int_equal(http_server_requests(rig.server), rows[i].places + 3);
    /* Statements in line are told of, and once for all three. */
    const char *told = strstr(rig.log.text, "further ones wait");
    assert_true((told != NULL) == (rows[i].req_class == LB_REQ_CONTROL));
    if (told != NULL) assert_null(strstr(told + 1, "further ones wait"));
    rig_reset(&rig);
  }
}

/* A clock that never stands still: every look at it is later. */
static int64_t ticking_now_ms(void *ctx) {
  struct lb_fake_clock *fake = ctx;
  __atomic_fetch_add(&fake->awake_ms, 1, __ATOMIC_SEQ_CST);
  return __atomic_add_fetch(&fake->now_ms, 1, __ATOMIC_SEQ_CST);
}

/* The deadline and the loop go by one clock, so that it comes. */
static void test_silence_by_a_clock_that_goes_on(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = HTTP_HANG};
  rig_init(&rig);
  rig.opts.request_timeout_ms = 5000;
  rig.opts.retry_timeout_ms = 0;
  rig_reconnect(&rig);
  lb_io_test_destroy(rig.io, 0);
  rig.clock_table.now_ms = ticking_now_ms;
  LB_TEST_OK(lb_io_test_create(&rig.clock_table, &rig.random_table, &rig.io, NULL), NULL);
  *lb_io_log(rig.io) = rig.log.log;
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  for (int i = 0; i < 10000 && exchange_read(&ex, &ex.done) == 0; i++) {
    lb_io_test_round(rig.io);
  }
  assert_int_equal(exchange_read(&ex, &ex.done), 1);
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_TIMEOUT, ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_end_of_a_session_passes_closes(void **state) {
  (void)state;
  static struct crowd crowd;
  struct rig rig;
  struct exchange ex;
  crowd.count = 0;
  rig_init(&rig);
  struct http_step steps[20];
  for (int i = 0; i < 20; i++) {
    steps[i] = (struct http_step){.kind = i < 16 ? HTTP_HOLD : HTTP_REPLY};
  }
  http_server_script(rig.server, steps, 20);
  crowd_start(&crowd, &rig, LB_REQ_END, 18);
  http_server_wait_requests(rig.server, 16);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, "q");
  ex.req->req_class = LB_REQ_END_SESSION;
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  assert_int_equal(exchange_state(&crowd.all[17]), LB_TRANSFER_QUEUED);
  http_server_release(rig.server);
  crowd_end(&crowd);
  rig_reset(&rig);
}

static void test_a_full_class_delays_no_other(void **state) {
  (void)state;
  static struct crowd crowd;
  struct rig rig;
  struct exchange ex;
  crowd.count = 0;
  rig_init(&rig);
  struct http_step steps[20];
  for (int i = 0; i < 20; i++) {
    steps[i] = (struct http_step){.kind = i < 16 ? HTTP_HOLD : HTTP_REPLY};
  }
  http_server_script(rig.server, steps, 20);
  crowd_start(&crowd, &rig, LB_REQ_PROBE, 17);
  http_server_wait_requests(rig.server, 16);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, "q");
  ex.req->req_class = LB_REQ_FETCH;
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  assert_int_equal(exchange_state(&crowd.all[16]), LB_TRANSFER_QUEUED);
  http_server_release(rig.server);
  crowd_end(&crowd);
  rig_reset(&rig);
}

struct set_limit {
  struct lb_io_task task;
  struct lb_endpoint *endpoint;
  int32_t limit;
};

static void run_set_limit(struct lb_io_task *task, struct lb_io *io) {
  struct set_limit *set = LB_CONTAINER_OF(task, struct set_limit, task);
  lb_host_set_probe_limit(io, lb_endpoint_host(set->endpoint), set->limit);
  lb_torture_tell(true); /* without memory the former limit stays, which is no error */
}

/* Whoever has many in line passes nobody, and is not passed. */
static void test_places_are_given_in_turn(void **state) {
  (void)state;
  static const char of[] = "AAABACAB"; /* results, in the order in which they ask */
  enum { COUNT = sizeof(of) - 1 };
  static char lines[COUNT][32];
  static const char *line_of[COUNT];
  static struct exchange all[COUNT];
  struct rig rig;
  struct http_step steps[COUNT];
  rig_init(&rig);
  for (int i = 0; i < COUNT; i++) {
    steps[i] = (struct http_step){.kind = i == 0 ? HTTP_HOLD : HTTP_REPLY};
  }
  http_server_script(rig.server, steps, COUNT);
  struct set_limit one = {
      .task.run = run_set_limit, .endpoint = rig.endpoint, .limit = 1};
  lb_list_init(&one.task.node);
  lb_io_run(rig.io, &one.task);
  for (int i = 0; i < COUNT; i++) {
    exchange_init(&all[i], rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
    (void)snprintf(lines[i], sizeof(lines[i]), "X-Result: %c%d", of[i], i);
    line_of[i] = lines[i];
    all[i].req->header_lines = &line_of[i];
    all[i].req->header_count = 1;
    all[i].req->req_class = LB_REQ_PROBE;
    exchange_start(&all[i]);
  }
  http_server_wait_requests(rig.server, 1);
  assert_int_equal(exchange_state(&all[COUNT - 1]), LB_TRANSFER_QUEUED);
  http_server_release(rig.server);
  for (int i = 0; i < COUNT; i++) {
    exchange_wait(&all[i]);
    assert_true(rig_contains(http_server_head(rig.server, i), lines[i]));
    exchange_reset(&all[i]);
  }
  rig_reset(&rig);
}

static void test_probe_limit_moves(void **state) {
  (void)state;
  static struct crowd crowd;
  struct rig rig;
  struct set_limit set = {.task.run = run_set_limit, .limit = 20};
  crowd.count = 0;
  rig_init(&rig);
  set.endpoint = rig.endpoint;
  lb_list_init(&set.task.node);
  hold_all(&rig);
  crowd_start(&crowd, &rig, LB_REQ_PROBE, 24);
  http_server_wait_requests(rig.server, 16);
  lb_io_run(rig.io, &set.task);
  http_server_wait_requests(rig.server, 20);
  assert_int_equal(exchange_state(&crowd.all[20]), LB_TRANSFER_QUEUED);
  set.limit = 1000000;
  lb_list_init(&set.task.node);
  lb_io_run(rig.io, &set.task);
  http_server_wait_requests(rig.server, 24);
  http_server_release(rig.server);
  crowd_end(&crowd);
  rig_reset(&rig);
}

static void test_cancel_and_deadline_in_line(void **state) {
  (void)state;
  static struct crowd crowd;
  struct rig rig;
  struct exchange ex, late;
  crowd.count = 0;
  rig_init(&rig);
  hold_all(&rig);
  crowd_start(&crowd, &rig, LB_REQ_END, 16);
  http_server_wait_requests(rig.server, 16);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "q");
  exchange_init(&late, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  late.req->timeout_ms = 1000;
  ex.req->req_class = late.req->req_class = LB_REQ_END;
  exchange_start(&ex);
  exchange_start(&late);
  assert_int_equal(exchange_state(&late), LB_TRANSFER_QUEUED);
  lb_request_cancel(rig.io, ex.req);
  rig_advance(&rig, 1000);
  exchange_wait(&late);
  LB_TEST_FAILS(LB_TIMEOUT, late.req->status, &late.req->err);
  LB_TEST_CONTAINS(late.req->err.message, "stood in line");
  assert_false(late.req->received_unknown);
  assert_false(ex.req->received_unknown);
  expect_cancelled(&ex);
  exchange_reset(&late);
  http_server_release(rig.server);
  crowd_end(&crowd);
  assert_int_equal(http_server_requests(rig.server), 16);
  rig_reset(&rig);
}

/* Sockets of this process connected to the port; each is to be closed on exec. */
static int count_sockets(int port) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL) _exit(1);
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    int fd = (int)strtol(entry->d_name, NULL, 10);
    struct sockaddr_in peer = {0};
    socklen_t len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    count++;
  }
  closedir(dir);
  return count;
}

static void test_sockets_do_not_pass_on_exec(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  struct http_step step = {.kind = HTTP_HOLD};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  exchange_start(&ex);
  http_server_wait_requests(rig.server, 1);
  assert_int_equal(count_sockets(http_server_port(rig.server)), 1);
  http_server_release(rig.server);
  exchange_wait(&ex);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void test_proxy_is_not_asked_for_loopback(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
  rig_init(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  rig_reset(&rig);
  assert_int_equal(unsetenv("http_proxy"), 0);
}

static void test_hosts_are_forgotten(void **state) {
  (void)state;
  struct rig rig;
  struct http_server *servers[3];
  rig_init(&rig);
  for (int i = 0; i < 3; i++) servers[i] = http_server_start();
  int hosts = lb_test_rounds(2 * LB_HOSTS_IDLE_MAX, LB_HOSTS_IDLE_MAX + 6);
  for (int i = 0; i < hosts; i++) {
    struct exchange ex;
    struct lb_endpoint *endpoint = NULL;
    char url[64];
    /* All of 127/8 is this machine, but the server listens on 127.0.0.1 alone. */
    (void)snprintf(url, sizeof(url), "http://127.0.1.%d:%d/", i + 1,
                   http_server_port(servers[i % 3]));
    rig.opts.url = url;
    LB_TEST_OK(lb_endpoint_create(&rig.opts, &endpoint, NULL), NULL);
    exchange_init(&ex, rig.io, endpoint, LB_REPEAT_NEVER, "q");
    exchange_run(&ex);
    assert_int_equal(ex.req->status, LB_CONNECTION);
    exchange_reset(&ex);
    lb_endpoint_release(endpoint);
  }
  struct exchange ex;
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "q");
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  for (int i = 0; i < 3; i++) http_server_stop(servers[i]);
  /* 64 hosts of ours, the allocator's other blocks, and not 128. */
  assert_true(lb_mem_stats(LB_MEM_IO).live_blocks < LB_HOSTS_IDLE_MAX + 20);
  rig_reset(&rig);
}

/* A body that ends with the connection may be cut anywhere. */
static void test_download_says_where_it_ends(void **state) {
  (void)state;
  static const struct {
    enum http_step_kind kind;
    const char *body;
    enum lb_status status;
  } rows[] = {
      {HTTP_REPLY, "the whole file", LB_OK},
      {HTTP_CHUNKED, "the whole file", LB_OK},
      {HTTP_UNTIL_CLOSE, "the whole file", LB_INVALID_DATA},
      {HTTP_UNTIL_CLOSE, "", LB_INVALID_DATA},
      {HTTP_HALF_CHUNKS, "the whole file", LB_CONNECTION},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct rig rig;
    struct exchange ex;
    struct http_step step = {.kind = rows[i].kind, .body = rows[i].body};
    char got[32] = "";
    rig_init(&rig);
    http_server_script(rig.server, &step, 1);
    exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, "");
    ex.req->method = LB_METHOD_GET;
    LB_TEST_OK(lb_pipe_create(rig.io, &ex.req->pipe, NULL), NULL);
    exchange_run(&ex);
    if (rows[i].status == LB_OK) {
      LB_TEST_OK(ex.req->status, &ex.req->err);
      assert_int_equal(lb_pipe_read(ex.req->pipe, got, sizeof got), strlen(rows[i].body));
      assert_string_equal(got, rows[i].body);
    } else {
      LB_TEST_FAILS(rows[i].status, ex.req->status, &ex.req->err);
    }
    exchange_reset(&ex);
    rig_reset(&rig);
  }
}

static void expect_body(struct rig *rig, int nth, const char *wanted) {
  size_t len = 0;
  const char *body = http_server_body(rig->server, nth, &len);
  assert_int_equal(len, strlen(wanted));
  assert_memory_equal(body, wanted, len);
}

/* A store that is busy gets the upload once more, from its beginning. */
static void test_upload_is_written_anew(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  rig_script(&rig, (struct http_step){.status = 503}, (struct http_step){.status = 201});
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_IF_NOT_RECEIVED, "");
  ex.req->method = LB_METHOD_PUT;
  ex.req->upload_bytes = 8;
  LB_TEST_OK(lb_pipe_create(rig.io, &ex.req->pipe, NULL), NULL);
  exchange_start(&ex);
  assert_true(lb_pipe_write(ex.req->pipe, "the file", 8));
  lb_pipe_finish(ex.req->pipe);
  assert_true(lb_pipe_again(ex.req->pipe));
  assert_true(lb_pipe_write(ex.req->pipe, "the ", 4));
  rig_advance(&rig, 2000);
  assert_true(lb_pipe_write(ex.req->pipe, "file", 4));
  lb_pipe_finish(ex.req->pipe);
  assert_false(lb_pipe_again(ex.req->pipe));
  exchange_wait(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->http_status, 201);
  assert_int_equal(ex.req->attempts, 2);
  expect_body(&rig, 0, "the file");
  expect_body(&rig, 1, "the file");
  exchange_reset(&ex);
  rig_reset(&rig);
}

/* From a pipe nothing can be taken back: the second attempt would be appended. */
static void test_download_that_has_begun_is_not_repeated(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  char got[32] = "";
  rig_init(&rig);
  rig_script(&rig, (struct http_step){.kind = HTTP_CLOSE},
             (struct http_step){.kind = HTTP_HALF, .body = "the whole file"});
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_SAFE, "");
  ex.req->method = LB_METHOD_GET;
  LB_TEST_OK(lb_pipe_create(rig.io, &ex.req->pipe, NULL), NULL);
  exchange_start(&ex);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  rig_advance(&rig, 2000);
  exchange_wait(&ex);
  LB_TEST_FAILS(LB_CONNECTION, ex.req->status, &ex.req->err);
  assert_int_equal(ex.req->attempts, 2);
  assert_int_equal(lb_pipe_read(ex.req->pipe, got, sizeof got), 7);
  assert_string_equal(got, "the who");
  exchange_reset(&ex);
  rig_reset(&rig);
}

LB_TEST_MAIN(LB_TEST(test_connect_timeout), LB_TEST(test_silence_of_the_server),
             LB_TEST(test_suspended_time_is_no_silence), LB_TEST(test_exchange_timeout),
             LB_TEST(test_exchange_timeout_bounds_the_repeats),
             LB_TEST(test_refused_is_tried_for_ten_seconds),
             LB_TEST(test_cancel_while_running), LB_TEST(test_cancel_while_waiting),
             LB_TEST(test_cancel_before_start_and_never_started),
             LB_TEST(test_orphan_in_flight_is_waited_for),
             LB_TEST(test_orphan_that_was_not_sent_is_cancelled),
             LB_TEST(test_silence_by_a_clock_that_goes_on),
             LB_TEST(test_end_of_a_session_passes_closes),
             LB_TEST(test_places_are_given_in_turn), LB_TEST(test_places_per_class),
             LB_TEST(test_a_full_class_delays_no_other), LB_TEST(test_probe_limit_moves),
             LB_TEST(test_cancel_and_deadline_in_line),
             LB_TEST(test_sockets_do_not_pass_on_exec),
             LB_TEST(test_proxy_is_not_asked_for_loopback),
             LB_TEST(test_download_says_where_it_ends),
             LB_TEST(test_upload_is_written_anew),
             LB_TEST(test_download_that_has_begun_is_not_repeated),
             LB_TEST(test_hosts_are_forgotten))
