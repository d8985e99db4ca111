/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_getname_np, setenv */
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/os.h"
#include "base/test_support.h"

static void test_random_bytes(void **state) {
  (void)state;
  uint8_t a[300] = {0};
  uint8_t b[300] = {0};
  assert_true(lb_os_random_bytes(a, sizeof(a)));
  assert_true(lb_os_random_bytes(b, sizeof(b)));
  assert_memory_not_equal(a, b, sizeof(a));
  assert_true(lb_os_random_bytes(NULL, 0));
}

static void test_environment_and_pid(void **state) {
  (void)state;
  setenv("LAKEBEAT_OS_TEST", "here", 1);
  assert_string_equal(lb_os_getenv("LAKEBEAT_OS_TEST"), "here");
  unsetenv("LAKEBEAT_OS_TEST");
  assert_null(lb_os_getenv("LAKEBEAT_OS_TEST"));
  assert_int_equal(lb_os_pid(), getpid());
}

static void test_error_texts(void **state) {
  (void)state;
  char text[64];
  lb_os_error_text(ENOENT, text, sizeof(text));
  assert_string_equal(text, "No such file or directory");
  lb_os_error_text(ENOENT, text, 8);
  assert_string_equal(text, "No such");
  lb_os_error_text(99999, text, sizeof(text));
  assert_string_equal(text, "unknown error");
}

static void test_refusals_become_errors(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INTERNAL, lb_os_refused(&err, "a timer", EMFILE), &err);
  assert_string_equal(err.message, "the system refused a timer: Too many open files");
  LB_TEST_FAILS(LB_OUT_OF_MEMORY, lb_os_refused(&err, "a timer", ENOMEM), &err);
  LB_TEST_CONTAINS(err.message, "a timer");
}

struct seen {
  sigset_t blocked;
  void *arg;
};

static void *look_around(void *ctx) {
  struct seen *seen = ctx;
  seen->arg = ctx;
  (void)pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
  return NULL;
}

static void test_thread_handles_no_signal_of_the_host(void **state) {
  (void)state;
  struct seen seen = {.arg = NULL};
  struct lb_thread thread;
  sigset_t before, after;
  (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
  LB_TEST_OK(lb_os_thread_start(&thread, "look", look_around, &seen, NULL), NULL);
  lb_os_thread_join(&thread);
  (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
  assert_ptr_equal(seen.arg, &seen);
  static const int blocked[] = {SIGINT,  SIGTERM, SIGHUP,  SIGCHLD, SIGALRM,
                                SIGPIPE, SIGPROF, SIGUSR1, SIGABRT};
  static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (size_t i = 0; i < LB_ARRAY_LEN(blocked); i++) {
    assert_int_equal(sigismember(&seen.blocked, blocked[i]), 1);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(open); i++) {
    assert_int_equal(sigismember(&seen.blocked, open[i]), 0);
  }
  for (int sig = 1; sig < 32; sig++) {
    assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
  }
}

/* Held by the test until the thread may end. */
struct gate {
  struct lb_mutex mu;
};

static void *pass_gate(void *ctx) {
  struct gate *gate = ctx;
  lb_mutex_lock(&gate->mu);
  lb_mutex_unlock(&gate->mu);
  return NULL;
}

static void test_thread_has_its_name(void **state) {
  (void)state;
  struct gate gate;
  struct lb_thread thread;
  char name[32] = "";
  LB_TEST_OK(lb_mutex_init(&gate.mu, NULL), NULL);
  lb_mutex_lock(&gate.mu);
  LB_TEST_OK(lb_os_thread_start(&thread, "lakebeat-a-long-name", pass_gate, &gate, NULL),
             NULL);
  int code = pthread_getname_np(thread.raw, name, sizeof(name));
  lb_mutex_unlock(&gate.mu);
  lb_os_thread_join(&thread);
  lb_mutex_destroy(&gate.mu);
  assert_int_equal(code, 0);
  assert_string_equal(name, "lakebeat-a-long");
}

static void test_join_with_a_deadline(void **state) {
  (void)state;
  struct gate gate;
  struct lb_thread thread;
  LB_TEST_OK(lb_mutex_init(&gate.mu, NULL), NULL);
  lb_mutex_lock(&gate.mu);
  LB_TEST_OK(lb_os_thread_start(&thread, "gate", pass_gate, &gate, NULL), NULL);
  int64_t deadline_ms = lb_os_boottime_ms() + 2;
  bool joined = lb_os_thread_join_until(&thread, deadline_ms);
  int64_t now_ms = lb_os_boottime_ms();
  bool joined_late = lb_os_thread_join_until(&thread, 0);
  lb_mutex_unlock(&gate.mu);
  bool joined_then = lb_os_thread_join_until(&thread, LB_NEVER_MS - 1);
  LB_TEST_OK(lb_os_thread_start(&thread, "gate", pass_gate, &gate, NULL), NULL);
  bool joined_at_last = lb_os_thread_join_until(&thread, LB_NEVER_MS);
  lb_mutex_destroy(&gate.mu);
  assert_false(joined);
  assert_true(now_ms >= deadline_ms);
  assert_false(joined_late);
  assert_true(joined_then);
  assert_true(joined_at_last);
}

static bool readable(int fd, int timeout_ms) {
  struct pollfd item = {.fd = fd, .events = POLLIN};
  return poll(&item, 1, timeout_ms) == 1;
}

static void test_timer(void **state) {
  (void)state;
  int fd = lb_os_timer_open();
  assert_true(fd >= 0);
  assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  assert_false(readable(fd, 0));
  lb_os_timer_drain(fd); /* nothing fired: returns at once */
  lb_os_timer_set(fd, lb_os_boottime_ms() + 60000);
  assert_false(readable(fd, 0));
  /* What is due already fires at once, time 0 and earlier too. */
  static const int64_t due_ms[] = {0, -5, 1};
  for (size_t i = 0; i < LB_ARRAY_LEN(due_ms); i++) {
    lb_os_timer_set(fd, due_ms[i]);
    assert_true(readable(fd, 10000));
    lb_os_timer_drain(fd);
    assert_false(readable(fd, 0));
  }
  int64_t soon_ms = lb_os_boottime_ms() + 2;
  lb_os_timer_set(fd, soon_ms);
  assert_true(readable(fd, 10000));
  assert_true(lb_os_boottime_ms() >= soon_ms);
  lb_os_timer_set(fd, LB_NEVER_MS);
  assert_false(readable(fd, 0));
  lb_os_timer_set(fd, LB_NEVER_MS - 1);
  assert_false(readable(fd, 0));
  lb_os_close(fd);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
  lb_os_close(-1);
}

static void test_sockets_are_closed_on_exec(void **state) {
  (void)state;
  int fd = lb_os_socket_cloexec(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  lb_os_close(fd);
  assert_int_equal(lb_os_socket_cloexec(-1, SOCK_STREAM, 0), -1);
}

static void test_append_open_reports_why(void **state) {
  (void)state;
  int code = 0;
  assert_int_equal(lb_os_append_open("no_such_folder/file", &code), -1);
  assert_int_equal(code, ENOENT);
}

static void test_a_line_is_one_write(void **state) {
  (void)state;
  int ends[2];
  char text[16] = "";
  assert_int_equal(pipe(ends), 0);
  lb_os_write_line(ends[1], "abcdef", 3);
  assert_int_equal(read(ends[0], text, sizeof(text)), 4);
  assert_string_equal(text, "abc\n");
  lb_os_close(ends[0]);
  lb_os_close(ends[1]);
  lb_os_write_line(-1, "lost", 4);
}

static void say_child(void) { lb_os_write_line(LB_OS_STDERR, "in the child", 12); }

/* Runs in a child of the test, so that the handler does not stay with the other tests. */
static void register_and_fork(void *ctx) {
  (void)ctx;
  if (lb_os_at_fork(say_child, NULL) != LB_OK) return;
  lb_os_write_line(LB_OS_STDERR, "before", 6);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  (void)waitpid(pid, NULL, 0);
  lb_os_write_line(LB_OS_STDERR, "after", 5);
}

static void test_fork_handler_runs_in_the_child(void **state) {
  (void)state;
  char said[4096];
  assert_false(lb_test_dies(register_and_fork, NULL, said, sizeof(said)));
  LB_TEST_CONTAINS(said, "before\nin the child\nafter\n");
}

static void say_bye(void) {
  lb_os_write_line(LB_OS_STDERR, "bye", 3);
  _exit(0);
}

static void register_and_leave(void *ctx) {
  (void)ctx;
  if (lb_os_at_exit(say_bye, NULL) == LB_OK) exit(3);
}

static void test_exit_handler_runs(void **state) {
  (void)state;
  char said[4096];
  assert_false(lb_test_dies(register_and_leave, NULL, said, sizeof(said)));
  assert_string_equal(said, "bye\n");
}

/* Those that this thread may use, not those of the machine. */
static void test_processors(void **state) {
  (void)state;
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
  assert_int_equal(lb_os_processors(), CPU_COUNT(&before));
  size_t first = 0;
  while (!CPU_ISSET(first, &before)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
  assert_int_equal(lb_os_processors(), 1);
  assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

LB_TEST_MAIN(LB_TEST(test_random_bytes), LB_TEST(test_processors),
             LB_TEST(test_environment_and_pid), LB_TEST(test_error_texts),
             LB_TEST(test_refusals_become_errors),
             LB_TEST(test_thread_handles_no_signal_of_the_host),
             LB_TEST(test_thread_has_its_name), LB_TEST(test_join_with_a_deadline),
             LB_TEST(test_timer), LB_TEST(test_sockets_are_closed_on_exec),
             LB_TEST(test_append_open_reports_why), LB_TEST(test_a_line_is_one_write),
             LB_TEST(test_fork_handler_runs_in_the_child),
             LB_TEST(test_exit_handler_runs))
