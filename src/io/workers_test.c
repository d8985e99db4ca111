/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and the threads that run them; the life of these in the process. */
#include "io/workers.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include <exchange.h>

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

#define JOBS 500

struct work {
  struct lb_job job;
  struct lb_io *io;
  int number;
  struct work *next; /* posted by this one */
};

/* What has run; read after the end of the threads. */
static int order[4 * JOBS];
static atomic_int order_len;

static void run_work(struct lb_job *job) {
  struct work *work = LB_CONTAINER_OF(job, struct work, job);
  order[atomic_fetch_add(&order_len, 1)] = work->number;
  if (work->next != NULL) lb_workers_post(work->io, &work->next->job);
}

static void post(struct lb_io *io, struct work *work, int number) {
  work->io = io;
  work->number = number;
  work->next = NULL;
  lb_job_init(&work->job, run_work);
  lb_workers_post(io, &work->job);
}

static struct lb_io *open_io(int32_t count) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_io *io = NULL;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, &io, &err), &err);
  if (count > 0) lb_workers_set_count(io, count);
  atomic_store(&order_len, 0);
  return io;
}

static void start(struct lb_io *io) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_workers_start(io, &err), &err);
}

static void test_one_thread_runs_them_in_order(void **state) {
  (void)state;
  static struct work all[JOBS];
  struct lb_io *io = open_io(1);
  start(io);
  for (int i = 0; i < JOBS; i++) post(io, &all[i], i);
  lb_io_test_destroy(io, 0);
  assert_int_equal(atomic_load(&order_len), JOBS);
  for (int i = 0; i < JOBS; i++) assert_int_equal(order[i], i);
}

static void test_as_many_as_were_asked_for(void **state) {
  (void)state;
  static struct work all[JOBS];
  struct lb_io *io = open_io(0);
  int usual = LB_MIN(lb_os_processors(), 2);
  assert_int_equal(lb_workers_running(io), 0);
  lb_test_expect_threads("lakebeat-work", 0);
  start(io);
  assert_int_equal(lb_workers_running(io), usual);
  for (int i = 0; i < JOBS; i++) post(io, &all[i], i);
  start(io);
  lb_test_expect_threads("lakebeat-work", usual);
  lb_workers_set_count(io, 3);
  lb_workers_set_count(io, 1);
  assert_int_equal(lb_workers_running(io), usual);
  start(io);
  assert_int_equal(lb_workers_running(io), 3);
  lb_workers_set_count(io, 1000);
  start(io);
  lb_test_expect_threads("lakebeat-work", LB_WORKERS_MAX);
  lb_io_test_destroy(io, 0);
  lb_test_expect_threads("lakebeat-work", 0);
  assert_int_equal(atomic_load(&order_len), JOBS);
  io = open_io(-7);
  lb_workers_set_count(io, -7); /* one at least */
  start(io);
  assert_int_equal(lb_workers_running(io), 1);
  lb_io_test_destroy(io, 0);
}

/* Runs until as many as in the meeting are there. */
struct meeting {
  struct lb_mutex mu;
  struct lb_cond cond;
  int wanted, there;
  bool given_up;
};

struct guest {
  struct lb_job job;
  struct meeting *meeting;
};

static void run_guest(struct lb_job *job) {
  struct meeting *meeting = LB_CONTAINER_OF(job, struct guest, job)->meeting;
  int64_t until_ms = lb_os_boottime_ms() + 20000;
  lb_mutex_lock(&meeting->mu);
  meeting->there++;
  lb_cond_broadcast(&meeting->cond);
  while (meeting->there < meeting->wanted && !meeting->given_up) {
    meeting->given_up = !lb_cond_wait_until(&meeting->cond, &meeting->mu, until_ms);
  }
  lb_mutex_unlock(&meeting->mu);
}

static void test_side_by_side(void **state) {
  (void)state;
  struct guest guests[3];
  struct meeting meeting = {.wanted = 3};
  struct lb_io *io = open_io(3);
  LB_TEST_OK(lb_mutex_init(&meeting.mu, NULL), NULL);
  LB_TEST_OK(lb_cond_init(&meeting.cond, NULL), NULL);
  start(io);
  for (int i = 0; i < 3; i++) {
    guests[i].meeting = &meeting;
    lb_job_init(&guests[i].job, run_guest);
    lb_workers_post(io, &guests[i].job);
  }
  lb_io_test_destroy(io, 0);
  assert_false(meeting.given_up);
  lb_cond_destroy(&meeting.cond);
  lb_mutex_destroy(&meeting.mu);
}

/* A job that posts the next, until long after the end has begun. */
static void test_a_chain_runs_to_its_end(void **state) {
  (void)state;
  static struct work all[JOBS];
  for (int32_t count = 1; count <= LB_WORKERS_MAX; count++) {
    struct lb_io *io = open_io(count);
    for (int i = 0; i < JOBS; i++) {
      all[i] = (struct work){.io = io, .number = i};
      lb_job_init(&all[i].job, run_work);
      if (i > 0) all[i - 1].next = &all[i];
    }
    start(io);
    lb_workers_post(io, &all[0].job);
    lb_io_test_destroy(io, 0);
    assert_int_equal(atomic_load(&order_len), JOBS);
    for (int i = 0; i < JOBS; i++) assert_int_equal(order[i], i);
  }
}

/* From job to task to job ..., across both kinds of thread, past their end. */
struct ball {
  struct lb_io *io;
  struct lb_job job;
  struct lb_io_task task;
  int left;
};

static void ball_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct ball *ball = LB_CONTAINER_OF(task, struct ball, task);
  if (--ball->left > 0) lb_workers_post(io, &ball->job);
}

static void ball_on_worker(struct lb_job *job) {
  struct ball *ball = LB_CONTAINER_OF(job, struct ball, job);
  if (--ball->left > 0) lb_io_post(ball->io, &ball->task);
}

static void test_jobs_and_tasks_end_together(void **state) {
  (void)state;
  struct ball ball = {.left = JOBS};
  struct lb_io *io = ball.io = open_io(2);
  lb_job_init(&ball.job, ball_on_worker);
  lb_list_init(&ball.task.node);
  ball.task.run = ball_on_io;
  start(io);
  lb_workers_post(io, &ball.job);
  lb_io_test_destroy(io, 0);
  assert_int_equal(ball.left, 0);
}

struct poster {
  struct lb_thread thread;
  struct lb_io *io;
  struct work all[JOBS];
  int number;
};

static void *post_all(void *arg) {
  struct poster *poster = arg;
  for (int i = 0; i < JOBS; i++) {
    post(poster->io, &poster->all[i], poster->number * JOBS + i);
  }
  return NULL;
}

static void test_many_posters(void **state) {
  (void)state;
  static struct poster posters[4];
  struct lb_io *io = open_io(1);
  int next[4] = {0};
  start(io);
  for (int i = 0; i < 4; i++) {
    posters[i].io = io;
    posters[i].number = i;
    LB_TEST_OK(
        lb_os_thread_start(&posters[i].thread, "poster", post_all, &posters[i], NULL),
        NULL);
  }
  for (int i = 0; i < 4; i++) lb_os_thread_join(&posters[i].thread);
  lb_io_test_destroy(io, 0);
  assert_int_equal(atomic_load(&order_len), 4 * JOBS);
  for (int i = 0; i < 4 * JOBS; i++) {
    assert_int_equal(order[i] % JOBS, next[order[i] / JOBS]++);
  }
}

/* Nobody made sure that there are threads: whoever ends the object runs them. */
static void test_without_threads(void **state) {
  (void)state;
  struct work all[3];
  struct lb_io *io = open_io(2);
  for (int i = 0; i < 3; i++) post(io, &all[i], i);
  assert_int_equal(atomic_load(&order_len), 0);
  lb_io_test_destroy(io, 0);
  assert_int_equal(atomic_load(&order_len), 3);
  for (int i = 0; i < 3; i++) assert_int_equal(order[i], i);
}

static int blocked;

static void read_mask(struct lb_job *job) {
  sigset_t set;
  (void)job;
  sigemptyset(&set);
  pthread_sigmask(SIG_SETMASK, NULL, &set);
  blocked = sigismember(&set, SIGINT) + sigismember(&set, SIGTERM) +
            sigismember(&set, SIGPROF) + sigismember(&set, SIGCHLD);
}

static void test_they_take_no_signals(void **state) {
  (void)state;
  struct lb_job job;
  struct lb_io *io = open_io(1);
  lb_job_init(&job, read_mask);
  start(io);
  lb_workers_post(io, &job);
  lb_io_test_destroy(io, 0);
  assert_int_equal(blocked, 4);
}

static void child_of_fork(void *ctx) {
  struct lb_io *parents = ctx, *own = NULL;
  struct lb_error err = LB_ERROR_INIT;
  struct work work = {.number = 1}, lost = {.number = 2};
  lb_job_init(&work.job, run_work);
  lb_job_init(&lost.job, run_work);
  lb_workers_post(parents, &lost.job);
  lb_test_check(lb_workers_start(parents, &err) == LB_INVALID_STATE, 11);
  if (!CHILD_HAS_THREADS) return;
  atomic_store(&order_len, 0);
  lb_test_check(lb_io_acquire(&own, &err) == LB_OK && lb_workers_running(own) == 0, 12);
  lb_test_check(lb_workers_start(own, &err) == LB_OK && lb_workers_running(own) > 0, 13);
  lb_workers_post(own, &work.job);
  lb_io_release(own);
  lb_test_check(atomic_load(&order_len) == 1 && order[0] == 1, 14);
}

static void do_nothing(struct lb_io_task *task, struct lb_io *io) {
  (void)task;
  (void)io;
}

/* The allocator of a sanitizer does not survive a fork while another thread is inside, so
 * both threads have to be past their beginnings. */
static void test_fork(void **state) {
  (void)state;
  struct lb_io *io = NULL;
  struct work work;
  struct lb_io_task task = {.run = do_nothing};
  LB_TEST_OK(lb_io_acquire(&io, NULL), NULL);
  atomic_store(&order_len, 0);
  lb_workers_set_count(io, 1);
  start(io);
  post(io, &work, 7);
  while (atomic_load(&order_len) == 0) sched_yield();
  lb_io_run(io, &task);
  assert_int_equal(lb_test_in_child(child_of_fork, io), 0);
  lb_io_release(io);
  assert_int_equal(atomic_load(&order_len), 1);
  lb_test_expect_threads("lakebeat-work", 0);
}

/* A program of its own, started anew: it exits while jobs run, and posts one more after
 * the exit handler, which then runs at once. */
static struct lb_io *alone_io;
static struct work alone_work[JOBS];

static void post_after_exit(void) {
  struct work late;
  lb_test_check(atomic_load(&order_len) == JOBS, 31);
  lb_test_check(lb_workers_running(alone_io) == 0, 32);
  post(alone_io, &late, 5);
  lb_test_check(atomic_load(&order_len) == JOBS + 1 && order[JOBS] == 5, 33);
  lb_test_check(lb_workers_start(alone_io, NULL) == LB_OK, 34);
  lb_io_release(alone_io);
}

static int run_alone(void) {
  lb_test_check(atexit(post_after_exit) == 0, 30);
  lb_test_check(lb_io_acquire(&alone_io, NULL) == LB_OK, 21);
  lb_test_check(lb_workers_start(alone_io, NULL) == LB_OK, 22);
  for (int i = 0; i < JOBS; i++) post(alone_io, &alone_work[i], i);
  return 0;
}

static void start_program(void *ctx) {
  (void)ctx;
  (void)execl("/proc/self/exe", "workers_test", "alone", (char *)NULL);
  _exit(99);
}

static void test_exit(void **state) {
  (void)state;
  assert_int_equal(lb_test_in_child(start_program, NULL), 0);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "alone") == 0) return run_alone();
  static const struct CMUnitTest tests[] = {
      LB_TEST(test_one_thread_runs_them_in_order),
      LB_TEST(test_as_many_as_were_asked_for),
      LB_TEST(test_side_by_side),
      LB_TEST(test_a_chain_runs_to_its_end),
      LB_TEST(test_jobs_and_tasks_end_together),
      LB_TEST(test_many_posters),
      LB_TEST(test_without_threads),
      LB_TEST(test_they_take_no_signals),
      LB_TEST(test_fork),
      LB_TEST(test_exit),
  };
  LB_TEST_RUN(argc, argv, tests);
}
