/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: tasks, timers, the service; its life in the process: uses, fork, exit. */
#include "io/io.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"

#include <io_rig.h>

/* ThreadSanitizer does not know how to start a thread in a forked child. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_HAS_THREADS false
#endif
#elif defined(__SANITIZE_THREAD__)
#define CHILD_HAS_THREADS false
#endif
#ifndef CHILD_HAS_THREADS
#define CHILD_HAS_THREADS true
#endif

#define TASKS_MAX 100

struct note {
  struct lb_io_task task;
  struct lb_timer timer;
  int number;
};

/* What has run, in its order; written by the I/O thread, read after a round. */
static int order[TASKS_MAX * 2];
static int order_len;

static void run_note(struct lb_io_task *task, struct lb_io *io) {
  (void)io;
  order[order_len++] = LB_CONTAINER_OF(task, struct note, task)->number;
}

static void fire_note(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  (void)io;
  (void)now_ms;
  order[order_len++] = LB_CONTAINER_OF(timer, struct note, timer)->number;
}

static void expect_order(const int *wanted, int len) {
  assert_int_equal(order_len, len);
  for (int i = 0; i < len; i++) assert_int_equal(order[i], wanted[i]);
  order_len = 0;
}

static void test_tasks_run_in_order(void **state) {
  (void)state;
  static struct note notes[TASKS_MAX];
  struct rig rig;
  rig_init(&rig);
  order_len = 0;
  for (int i = 0; i < TASKS_MAX; i++) {
    notes[i] = (struct note){.task.run = run_note, .number = i};
    lb_list_init(&notes[i].task.node);
    lb_io_post(rig.io, &notes[i].task);
  }
  lb_io_test_round(rig.io);
  assert_int_equal(order_len, TASKS_MAX);
  for (int i = 0; i < TASKS_MAX; i++) assert_int_equal(order[i], i);
  assert_false(lb_io_on_thread(rig.io));
  assert_int_equal(lb_io_now_ms(rig.io), rig.clock.now_ms);
  rig_reset(&rig);
}

/* A step of a test on the I/O thread. */
struct step {
  struct lb_io_task task;
  void (*step)(struct lb_io *io, struct note *notes);
  struct note *notes;
};

static void run_step(struct lb_io_task *task, struct lb_io *io) {
  struct step *step = LB_CONTAINER_OF(task, struct step, task);
  step->step(io, step->notes);
}

static void on_io(struct lb_io *io, void (*body)(struct lb_io *io, struct note *notes),
                  struct note *notes) {
  struct step step = {.task.run = run_step, .step = body, .notes = notes};
  lb_list_init(&step.task.node);
  lb_io_run(io, &step.task);
}

static void set_timer(struct lb_io *io, struct note *note, int64_t due_ms) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_timer_set(io, &note->timer, due_ms, &err), &err);
}

static void set_four_timers(struct lb_io *io, struct note *notes) {
  int64_t now_ms = lb_io_now_ms(io);
  for (int i = 0; i < 4; i++) {
    notes[i].number = i;
    lb_timer_init(&notes[i].timer, fire_note);
  }
  set_timer(io, &notes[0], now_ms + 300);
  set_timer(io, &notes[1], now_ms + 100);
  set_timer(io, &notes[2], now_ms + 100);
  set_timer(io, &notes[3], now_ms + 50);
  set_timer(io, &notes[3], now_ms + 200); /* moved */
  lb_timer_cancel(io, &notes[0].timer);
  lb_timer_cancel(io, &notes[0].timer);
}

static void test_timers(void **state) {
  (void)state;
  struct rig rig;
  struct note notes[4];
  rig_init(&rig);
  order_len = 0;
  on_io(rig.io, set_four_timers, notes);
  rig_advance(&rig, 99);
  expect_order(NULL, 0);
  rig_advance(&rig, 1);
  expect_order((const int[]){1, 2}, 2);
  rig_advance(&rig, 99);
  expect_order(NULL, 0);
  lb_fake_clock_suspend(&rig.clock, 3600000); /* due while the machine slept */
  lb_io_test_round(rig.io);
  expect_order((const int[]){3}, 1);
  rig_reset(&rig);
}

static void fire_again(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  fire_note(timer, io, now_ms);
  if (order_len < 3) set_timer(io, LB_CONTAINER_OF(timer, struct note, timer), now_ms);
}

static void set_again_timer(struct lb_io *io, struct note *notes) {
  notes[0].number = 7;
  lb_timer_init(&notes[0].timer, fire_again);
  set_timer(io, &notes[0], lb_io_now_ms(io));
}

/* A timer that is due again at once does not keep the loop from its other work. */
static void test_timer_that_is_due_again(void **state) {
  (void)state;
  struct rig rig;
  struct note notes[1];
  rig_init(&rig);
  order_len = 0;
  on_io(rig.io, set_again_timer, notes);
  for (int i = 0; i < 3; i++) lb_io_test_round(rig.io);
  expect_order((const int[]){7, 7, 7}, 3);
  rig_reset(&rig);
}

/* With the machine's clock, the descriptor wakes the loop. */
struct bell {
  struct lb_timer timer;
  struct lb_mutex mu;
  struct lb_cond cond;
  int64_t due_ms;
  int64_t rang_ms;
};

static void ring(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct bell *bell = LB_CONTAINER_OF(timer, struct bell, timer);
  (void)io;
  lb_mutex_lock(&bell->mu);
  bell->rang_ms = now_ms;
  lb_cond_broadcast(&bell->cond);
  lb_mutex_unlock(&bell->mu);
}

static struct bell bell;

static void set_bell(struct lb_io *io, struct note *notes) {
  (void)notes;
  lb_timer_init(&bell.timer, ring);
  bell.due_ms = lb_io_now_ms(io) + 5;
  LB_TEST_OK(lb_timer_set(io, &bell.timer, bell.due_ms, NULL), NULL);
}

static void test_real_timer_wakes_the_loop(void **state) {
  (void)state;
  struct lb_io *io = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, &io, &err), &err);
  LB_TEST_OK(lb_mutex_init(&bell.mu, NULL), NULL);
  LB_TEST_OK(lb_cond_init(&bell.cond, NULL), NULL);
  int64_t give_up_ms = lb_os_boottime_ms() + 20000;
  for (int i = 0; i < 3; i++) {
    bell.rang_ms = 0;
    on_io(io, set_bell, NULL);
    lb_mutex_lock(&bell.mu);
    while (bell.rang_ms == 0 && lb_cond_wait_until(&bell.cond, &bell.mu, give_up_ms)) {
    }
    assert_true(bell.rang_ms >= bell.due_ms);
    lb_mutex_unlock(&bell.mu);
  }
  lb_io_test_destroy(io, 0);
  lb_cond_destroy(&bell.cond);
  lb_mutex_destroy(&bell.mu);
}

/* Timers that are left at the end fire once and cannot be set again. */
static void fire_at_end(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct lb_error err = LB_ERROR_INIT;
  fire_note(timer, io, now_ms);
  LB_TEST_FAILS(LB_CANCELLED, lb_timer_set(io, timer, now_ms, &err), &err);
}

static void set_far_timer(struct lb_io *io, struct note *notes) {
  notes[0].number = 9;
  lb_timer_init(&notes[0].timer, fire_at_end);
  set_timer(io, &notes[0], LB_NEVER_MS);
}

struct service {
  struct lb_io_service base;
  int stopping, destroyed, order_at_stopping, order_at_destroy;
};

static void on_stopping(struct lb_io_service *base, struct lb_io *io) {
  struct service *service = LB_CONTAINER_OF(base, struct service, base);
  assert_true(lb_io_on_thread(io));
  service->stopping++;
  service->order_at_stopping = order_len;
}

static void on_destroy(struct lb_io_service *base) {
  struct service *service = LB_CONTAINER_OF(base, struct service, base);
  service->destroyed++;
  service->order_at_destroy = order_len;
}

static struct service service;

static void set_service(struct lb_io *io, struct note *notes) {
  (void)notes;
  assert_null(lb_io_get_service(io));
  lb_io_set_service(io, &service.base);
  assert_ptr_equal(lb_io_get_service(io), &service.base);
}

static void test_end_fires_timers_and_ends_the_service(void **state) {
  (void)state;
  struct rig rig;
  struct note notes[1];
  rig_init(&rig);
  order_len = 0;
  service = (struct service){.base = {.stopping = on_stopping, .destroy = on_destroy}};
  on_io(rig.io, set_service, NULL);
  on_io(rig.io, set_far_timer, notes);
  assert_int_equal(service.stopping, 0);
  rig_reset(&rig);
  expect_order((const int[]){9}, 1);
  assert_int_equal(service.stopping, 1);
  assert_int_equal(service.order_at_stopping, 0);
  assert_int_equal(service.destroyed, 1);
  assert_int_equal(service.order_at_destroy, 1);
}

/* Posts and then asks for the end, as the last release does right after others. */
static void post_and_stop(struct lb_io *io, struct note *notes) {
  notes[0] = (struct note){.task.run = run_note, .number = 7};
  lb_io_post(io, &notes[0].task);
  lb_loop_stop(io, LB_IO_STOP_GENTLE, LB_NEVER_MS);
}

static void test_tasks_before_the_end_come_before_the_service_learns_of_it(void **state) {
  (void)state;
  struct rig rig;
  struct note notes[1];
  rig_init(&rig);
  order_len = 0;
  service = (struct service){.base = {.stopping = on_stopping, .destroy = on_destroy}};
  on_io(rig.io, set_service, NULL);
  on_io(rig.io, post_and_stop, notes);
  /* As rig_reset, which however ends in haste and leaves the task undone. */
  lb_endpoint_release(rig.endpoint);
  lb_io_test_destroy(rig.io, 1000);
  http_server_stop(rig.server);
  lb_fake_log_reset(&rig.log);
  expect_order((const int[]){7}, 1);
  assert_int_equal(service.stopping, 1);
  assert_int_equal(service.order_at_stopping, 1);
}

/* Idle blocks go as time goes by, and no timer runs while there are none. */
static void test_pool(void **state) {
  (void)state;
  struct rig rig;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_block *block = NULL, *kept = NULL;
  rig_init(&rig);
  struct lb_pool *pool = lb_io_pool(rig.io);
  for (int round = 0; round < 2; round++) {
    LB_TEST_OK(lb_pool_take(pool, LB_BLOCK_INPUT, 1, &block, &err), &err);
    lb_io_test_round(rig.io);
    lb_block_release(block);
    assert_true(lb_pool_stats(pool).idle_bytes > 0);
    rig_advance(&rig, LB_POOL_IDLE_MS - 1);
    assert_true(lb_pool_stats(pool).idle_bytes > 0);
    for (int i = 0; i < 3; i++) rig_advance(&rig, LB_POOL_IDLE_MS);
    assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
    assert_int_equal(lb_pool_stats(pool).fresh, round + 1);
    assert_int_equal(rig_next_due_ms(rig.io), LB_NEVER_MS);
  }
  /* What is still lent outlives the thread, and what is idle does not. */
  LB_TEST_OK(lb_pool_take(pool, LB_BLOCK_INPUT, 1, &kept, &err), &err);
  LB_TEST_OK(lb_pool_take(pool, LB_BLOCK_SLAB, 1, &block, &err), &err);
  lb_block_release(block);
  rig_reset(&rig);
  assert_int_equal(lb_pool_stats(kept->pool).idle_bytes, 0);
  kept->data[0] = 1;
  lb_block_release(kept);
}

/* A close that is pending holds the end; anything else is dropped with LB_CANCELLED. */
static void test_end_waits_for_closes_only(void **state) {
  (void)state;
  struct rig rig;
  struct exchange closing, other;
  struct http_step steps[] = {{.kind = HTTP_HANG}, {.kind = HTTP_HOLD}};
  rig_init(&rig);
  http_server_script(rig.server, steps, 2);
  exchange_init(&other, rig.io, rig.endpoint, LB_REPEAT_SAFE, "fetch");
  exchange_start(&other);
  http_server_wait_requests(rig.server, 1);
  exchange_init(&closing, rig.io, rig.endpoint, LB_REPEAT_SAFE, "close");
  closing.req->holds_exit = true;
  exchange_start(&closing);
  http_server_wait_requests(rig.server, 2);
  http_server_release(rig.server);
  lb_endpoint_release(rig.endpoint);
  lb_io_test_destroy(rig.io, 1000); /* of a clock that stands still */
  LB_TEST_OK(closing.req->status, &closing.req->err);
  LB_TEST_FAILS(LB_CANCELLED, other.req->status, &other.req->err);
  assert_int_equal(closing.done, 1);
  assert_int_equal(other.done, 1);
  exchange_reset(&closing);
  exchange_reset(&other);
  http_server_stop(rig.server);
  lb_fake_log_reset(&rig.log);
}

static void test_end_does_not_wait_for_ever(void **state) {
  (void)state;
  struct rig rig;
  struct exchange closing;
  struct http_step step = {.kind = HTTP_HANG};
  rig_init(&rig);
  http_server_script(rig.server, &step, 1);
  exchange_init(&closing, rig.io, rig.endpoint, LB_REPEAT_SAFE, "close");
  closing.req->holds_exit = true;
  exchange_start(&closing);
  http_server_wait_requests(rig.server, 1);
  rig_reset(&rig); /* close timeout 0 */
  LB_TEST_FAILS(LB_CANCELLED, closing.req->status, &closing.req->err);
  exchange_reset(&closing);
}

/* done starts the next request: a chain of closes runs to its end. */
struct chain {
  struct exchange ex[3];
};

static void start_next(struct lb_request *req, struct lb_io *io) {
  struct exchange *ex = req->ctx;
  exchange_on_done(req, io);
  lb_request_start(io, ex[1].req);
}

static void test_end_waits_for_a_chain(void **state) {
  (void)state;
  struct rig rig;
  struct chain chain;
  rig_init(&rig);
  for (int i = 0; i < 3; i++) {
    exchange_init(&chain.ex[i], rig.io, rig.endpoint, LB_REPEAT_SAFE, "close");
    chain.ex[i].req->holds_exit = true;
    if (i < 2) chain.ex[i].req->done = start_next;
  }
  exchange_start(&chain.ex[0]);
  lb_endpoint_release(rig.endpoint);
  lb_io_test_destroy(rig.io, 1000);
  for (int i = 0; i < 3; i++) {
    LB_TEST_OK(chain.ex[i].req->status, &chain.ex[i].req->err);
    exchange_reset(&chain.ex[i]);
  }
  assert_int_equal(http_server_requests(rig.server), 3);
  http_server_stop(rig.server);
  lb_fake_log_reset(&rig.log);
}

static struct lb_io *acquire(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_io *io = NULL;
  LB_TEST_OK(lb_io_acquire(&io, &err), &err);
  return io;
}

static void test_one_object_per_process(void **state) {
  (void)state;
  int before = lb_test_count_threads(NULL);
  for (int i = 0; i < 3; i++) {
    struct lb_io *first = acquire(), *second = acquire();
    assert_ptr_equal(first, second);
    assert_false(lb_io_inherited(first));
    lb_io_retain(first);
    lb_test_expect_threads(NULL, before + 1);
    lb_io_set_close_timeout(first, 100);
    lb_io_set_close_timeout(first, 50);
    lb_io_release(first);
    lb_io_release(first);
    lb_test_expect_threads(NULL, before + 1);
    lb_io_release(second);
    lb_test_expect_threads(NULL, before);
  }
  lb_io_release(NULL);
}

static void *acquire_and_release(void *arg) {
  (void)arg;
  for (int i = 0; i < 100; i++) {
    struct lb_io *io = acquire();
    lb_io_test_round(io);
    lb_io_release(io);
  }
  return NULL;
}

static void test_acquire_during_stop_starts_anew(void **state) {
  (void)state;
  struct lb_thread threads[3];
  for (int i = 0; i < 3; i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "user", acquire_and_release, NULL, NULL),
               NULL);
  }
  for (int i = 0; i < 3; i++) lb_os_thread_join(&threads[i]);
}

/* Of several close timeouts the longest counts. */
static void test_last_release_waits_for_the_close_timeout(void **state) {
  (void)state;
  struct http_server *server = http_server_start();
  struct http_step step = {.kind = HTTP_HANG};
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = http_server_url(server)};
  struct exchange closing;
  http_server_script(server, &step, 1);
  struct lb_io *io = acquire();
  LB_TEST_OK(lb_endpoint_create(&opts, &endpoint, NULL), NULL);
  lb_io_set_close_timeout(io, 100);
  lb_io_set_close_timeout(io, 1);
  exchange_init(&closing, io, endpoint, LB_REPEAT_SAFE, "close");
  closing.req->holds_exit = true;
  exchange_start(&closing);
  http_server_wait_requests(server, 1);
  int64_t before_ms = lb_os_boottime_ms();
  lb_io_release(io);
  int64_t took_ms = lb_os_boottime_ms() - before_ms;
  assert_true(took_ms >= 99 && took_ms < 2000);
  LB_TEST_FAILS(LB_CANCELLED, closing.req->status, &closing.req->err);
  exchange_reset(&closing);
  lb_endpoint_release(endpoint);
  http_server_stop(server);
}

static void read_mask(struct lb_io *io, struct note *notes) {
  sigset_t set;
  (void)io;
  sigemptyset(&set);
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  notes[0].number = sigismember(&set, SIGINT) + sigismember(&set, SIGTERM) +
                    sigismember(&set, SIGPROF) + sigismember(&set, SIGCHLD);
}

static void test_thread_takes_no_signals(void **state) {
  (void)state;
  struct lb_io *io = acquire();
  struct note note = {0};
  on_io(io, read_mask, &note);
  assert_int_equal(note.number, 4);
  lb_io_release(io);
}

struct family {
  struct lb_io *io;
  struct http_server *server;
};

static void get_once(struct lb_io *io, const char *url, int code) {
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = url};
  struct exchange ex;
  lb_test_check(lb_endpoint_create(&opts, &endpoint, NULL) == LB_OK, code);
  exchange_init(&ex, io, endpoint, LB_REPEAT_SAFE, NULL);
  exchange_run(&ex);
  lb_test_check(ex.req->status == LB_OK && ex.req->http_status == 200, code + 1);
  exchange_reset(&ex);
  lb_endpoint_release(endpoint);
}

static void child_of_fork(void *ctx) {
  struct family *family = ctx;
  struct lb_io *own = NULL;
  struct note note = {.task.run = run_note};
  lb_test_check(lb_io_inherited(family->io), 11);
  lb_list_init(&note.task.node);
  lb_io_post(family->io, &note.task);
  lb_io_run(family->io, &note.task);
  lb_io_retain(family->io);
  lb_io_release(family->io);
  lb_io_release(family->io);
  if (!CHILD_HAS_THREADS) _exit(0);
  lb_test_check(lb_io_acquire(&own, NULL) == LB_OK && own != family->io, 12);
  lb_test_check(!lb_io_inherited(own), 13);
  get_once(own, http_server_url(family->server), 14);
  lb_io_release(own);
  exit(0); /* with the exit handlers that it has inherited */
}

static void test_fork(void **state) {
  (void)state;
  struct family family = {.server = http_server_start()};
  family.io = acquire();
  get_once(family.io, http_server_url(family.server), 1);
  assert_int_equal(lb_test_in_child(child_of_fork, &family), 0);
  get_once(family.io, http_server_url(family.server), 1);
  /* The child's use of the parent's connection would have shown here. */
  assert_int_equal(http_server_connection_of(family.server, 0),
                   http_server_connection_of(family.server, CHILD_HAS_THREADS ? 2 : 1));
  lb_io_release(family.io);
  http_server_stop(family.server);
}

/* Programs of their own, started anew: what they do at exit is what counts. Their server
 * lives in the test. */
#define LEFT_RUNNING 50

static struct lb_io *alone_io;
static const char *alone_url;
static struct exchange alone_ex[LEFT_RUNNING];

static void leave_running(void) {
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = alone_url};
  lb_test_check(lb_io_acquire(&alone_io, NULL) == LB_OK, 21);
  lb_test_check(lb_endpoint_create(&opts, &endpoint, NULL) == LB_OK, 22);
  for (int i = 0; i < LEFT_RUNNING; i++) {
    exchange_init(&alone_ex[i], alone_io, endpoint, LB_REPEAT_SAFE, "q");
    alone_ex[i].req->holds_exit = true;
    exchange_start(&alone_ex[i]);
  }
  lb_io_test_round(alone_io);
}

/* An exit handler of the program that runs after ours and still uses the driver. */
static void use_after_exit(void) {
  struct lb_io *another = NULL;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = alone_url};
  struct exchange ex;
  struct note note = {.task.run = run_note, .number = 5};
  lb_test_check(lb_io_acquire(&another, &err) == LB_INVALID_STATE, 31);
  order_len = 0;
  lb_list_init(&note.task.node);
  lb_io_run(alone_io, &note.task);
  lb_test_check(order_len == 1 && order[0] == 5, 32);
  lb_test_check(lb_endpoint_create(&opts, &endpoint, NULL) == LB_OK, 33);
  exchange_init(&ex, alone_io, endpoint, LB_REPEAT_SAFE, "q");
  exchange_run(&ex);
  lb_test_check(ex.req->status == LB_CANCELLED, 34);
  exchange_reset(&ex);
  lb_endpoint_release(endpoint);
  lb_io_release(alone_io);
  lb_test_check(lb_io_acquire(&another, &err) == LB_INVALID_STATE, 35);
}

/* The program returns while another thread of it waits in the last release. */
static atomic_bool alone_stops;
static struct lb_thread alone_releaser;

static void *release_alone(void *arg) {
  lb_io_release(alone_io);
  return arg;
}

static void alone_is_stopping(struct lb_io_service *base, struct lb_io *io) {
  (void)base;
  (void)io;
  atomic_store(&alone_stops, true);
}

static void watch_alone(struct lb_io *io, struct note *notes) {
  static struct lb_io_service watch = {.stopping = alone_is_stopping};
  (void)notes;
  lb_io_set_service(io, &watch);
}

/* After our exit handler: nothing runs any more, and the patience was not used up. */
static void check_all_dropped(void) {
  for (int i = 0; i < LEFT_RUNNING; i++) {
    lb_test_check(exchange_read(&alone_ex[i], &alone_ex[i].done) == 1, 41);
  }
  lb_os_thread_join(&alone_releaser);
}

static void release_beside(void) {
  lb_io_set_close_timeout(alone_io, 60000);
  on_io(alone_io, watch_alone, NULL);
  lb_test_check(
      lb_os_thread_start(&alone_releaser, "release", release_alone, NULL, NULL) == LB_OK,
      42);
  while (!atomic_load(&alone_stops)) {
  }
}

static int run_program(const char *name, const char *url) {
  alone_url = url;
  if (strcmp(name, "late") == 0) lb_test_check(atexit(use_after_exit) == 0, 30);
  if (strcmp(name, "beside") == 0) lb_test_check(atexit(check_all_dropped) == 0, 40);
  leave_running();
  if (strcmp(name, "beside") == 0) release_beside();
  return 0;
}

static void start_program(void *ctx) {
  const char *const *args = ctx;
  (void)execl("/proc/self/exe", "io_test", args[0], args[1], (char *)NULL);
  _exit(99);
}

static void expect_exit(const char *name) {
  struct http_server *server = http_server_start();
  struct http_step steps[LEFT_RUNNING];
  const char *args[] = {name, http_server_url(server)};
  for (int i = 0; i < LEFT_RUNNING; i++) steps[i] = (struct http_step){.kind = HTTP_HANG};
  http_server_script(server, steps, LEFT_RUNNING);
  int64_t before_ms = lb_os_boottime_ms();
  assert_int_equal(lb_test_in_child(start_program, args), 0);
  /* Two seconds are what a program that exits may take; sanitizers need some more. */
  assert_true(lb_os_boottime_ms() - before_ms < 10000);
  http_server_stop(server);
}

static void test_exit_with_requests_running(void **state) {
  (void)state;
  expect_exit("exit");
}

static void test_use_after_the_exit_handler(void **state) {
  (void)state;
  expect_exit("late");
}

static void test_exit_while_the_last_release_waits(void **state) {
  (void)state;
  expect_exit("beside");
}

int main(int argc, char **argv) {
  if (argc == 3 && argv[1][0] != '-') return run_program(argv[1], argv[2]);
  static const struct CMUnitTest tests[] = {
      LB_TEST(test_tasks_run_in_order),
      LB_TEST(test_timers),
      LB_TEST(test_timer_that_is_due_again),
      LB_TEST(test_real_timer_wakes_the_loop),
      LB_TEST(test_end_fires_timers_and_ends_the_service),
      LB_TEST(test_tasks_before_the_end_come_before_the_service_learns_of_it),
      LB_TEST(test_pool),
      LB_TEST(test_end_waits_for_closes_only),
      LB_TEST(test_end_does_not_wait_for_ever),
      LB_TEST(test_end_waits_for_a_chain),
      LB_TEST(test_one_object_per_process),
      LB_TEST(test_acquire_during_stop_starts_anew),
      LB_TEST(test_last_release_waits_for_the_close_timeout),
      LB_TEST(test_thread_takes_no_signals),
      LB_TEST(test_fork),
      LB_TEST(test_exit_with_requests_running),
      LB_TEST(test_use_after_the_exit_handler),
      LB_TEST(test_exit_while_the_last_release_waits),
  };
  LB_TEST_RUN(argc, argv, tests);
}
