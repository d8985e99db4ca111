/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test needs; header-only, for `*_test.c` files alone.
 *
 *   static void test_something(void **state) { (void)state; ... }
 *   LB_TEST_MAIN(LB_TEST(test_something), LB_TEST(test_other))
 *
 * With LAKEBEAT_TEST_FILTER in the environment only the tests of that name run (* and ?
 * as in file names). LB_TEST wraps a test in a fixture that fails it when blocks of the
 * lb_alloc family outlive it. The fakes (clock, random) are the caller's memory; the
 * clock may be read from any thread while one thread moves it. */
#ifndef LB_BASE_TEST_SUPPORT_H
#define LB_BASE_TEST_SUPPORT_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/os.h"
#include "base/random.h"
#include "base/str.h"
#include "base/test_torture.h"

static inline int64_t lb_test_live_blocks(void) {
  return lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks;
}

/* Where the fixture keeps its count; cmocka runs the tests of a program one by one. */
static inline int64_t *lb_test_blocks_before(void) {
  static int64_t before;
  return &before;
}

static inline int lb_test_setup(void **state) {
  (void)state;
  lb_mem_fail_nth(0, false);
  *lb_test_blocks_before() = lb_test_live_blocks();
  return 0;
}

static inline int lb_test_teardown(void **state) {
  (void)state;
  lb_mem_fail_nth(0, false);
  int64_t leaked = lb_test_live_blocks() - *lb_test_blocks_before();
  if (leaked == 0) return 0;
  print_error("%lld blocks were left behind\n", (long long)leaked);
  return -1;
}

/* NULL is how functions that return a block say that there is no memory. */
#undef assert_non_null
#define assert_non_null(ptr) \
  do { \
    const void *lb_ptr_ = (ptr); \
    lb_torture_tell(lb_ptr_ == NULL); \
    _assert_true(cast_ptr_to_largest_integral_type(lb_ptr_), #ptr, __FILE__, __LINE__); \
  } while (0)

/* As is a text that is not there. */
#undef assert_string_equal
#define assert_string_equal(a, b) \
  do { \
    const char *lb_a_ = (a), *lb_b_ = (b); \
    lb_torture_tell(lb_a_ == NULL || lb_b_ == NULL); \
    if (lb_a_ == NULL || lb_b_ == NULL) _fail(__FILE__, __LINE__); \
    _assert_string_equal(lb_a_, lb_b_, __FILE__, __LINE__); \
  } while (0)

/* How often a test repeats what it does for the sake of many inputs or of races. Under
 * torture the test is run again for each of its allocations, so less has to do. */
static inline int lb_test_rounds(int full, int tortured) {
  return lb_torture()->on ? tortured : full;
}
/* The step from one of `count` inputs to the next; under torture at most `tortured` of
 * them are met. */
static inline size_t lb_test_step(size_t count, size_t tortured) {
  return lb_torture()->on ? (count + tortured - 1) / tortured : 1;
}
/* For what is random: another one each time, LAKEBEAT_TEST_SEED to repeat a run, and
 * under torture always the same. */
static inline uint64_t lb_test_seed(void) {
  int64_t seed = lb_torture()->on ? 1 : lb_os_boottime_ms();
  const char *given = lb_os_getenv("LAKEBEAT_TEST_SEED");
  if (given != NULL) assert_true(lb_str_to_i64(lb_str_from(given), &seed));
  print_message("LAKEBEAT_TEST_SEED=%lld\n", (long long)seed);
  return (uint64_t)seed;
}

#define LB_TEST(fn) cmocka_unit_test_setup_teardown(fn, lb_test_setup, lb_test_teardown)
#define LB_TEST_MAIN(...) \
  int main(int argc, char **argv) { \
    static const struct CMUnitTest tests[] = {__VA_ARGS__}; \
    LB_TEST_RUN(argc, argv, tests); \
  }
/* What main does with an array of tests: runs them, or with `--torture MOST` tortures
 * them. */
#define LB_TEST_RUN(argc, argv, tests) \
  do { \
    if ((argc) == 3 && strcmp((argv)[1], "--torture") == 0) { \
      return lb_torture_main((tests), LB_ARRAY_LEN(tests), (argv)[2]); \
    } \
    cmocka_set_test_filter(getenv("LAKEBEAT_TEST_FILTER")); \
    return cmocka_run_group_tests((tests), NULL, NULL); \
  } while (0)

/* Expects LB_OK and prints err->message otherwise. err may be NULL. */
#define LB_TEST_OK(expr, err) lb_test_check_ok((expr), (err), #expr, __FILE__, __LINE__)
/* Expects exactly this failure, with err (may be NULL) filled to match. */
#define LB_TEST_FAILS(wanted, expr, err) \
  lb_test_check_fails((wanted), (expr), (err), #expr, __FILE__, __LINE__)
/* For bodies of LB_TEST_TORTURE: out of memory if an allocation was made to fail, else
 * OK. */
#define LB_TEST_OOM_OR_OK(expr, err) \
  lb_test_check_oom_or_ok((expr), (err), #expr, __FILE__, __LINE__)
/* Expects that text (a C string) contains part. */
#define LB_TEST_CONTAINS(text, part) lb_test_contains((text), (part), __FILE__, __LINE__)

static inline void lb_test_check_ok(enum lb_status status, const struct lb_error *err,
                                    const char *expr, const char *file, int line) {
  if (status == LB_OK) return;
  lb_torture_tell(status == LB_OUT_OF_MEMORY);
  print_error("%s: %s: %s\n", expr, lb_status_name(status), err ? err->message : "");
  _fail(file, line);
}

static inline void lb_test_check_fails(enum lb_status wanted, enum lb_status status,
                                       const struct lb_error *err, const char *expr,
                                       const char *file, int line) {
  bool filled = err == NULL || (err->status == wanted && err->message[0] != '\0' &&
                                err->sqlstate[0] != '\0');
  if (status == wanted && filled) return;
  lb_torture_tell(status == LB_OUT_OF_MEMORY);
  print_error("%s: expected %s, got %s; error holds %s: %s\n", expr,
              lb_status_name(wanted), lb_status_name(status),
              err ? lb_status_name(err->status) : "nothing", err ? err->message : "");
  _fail(file, line);
}

static inline void lb_test_check_oom_or_ok(enum lb_status status,
                                           const struct lb_error *err, const char *expr,
                                           const char *file, int line) {
  if (lb_mem_failed()) {
    lb_test_check_fails(LB_OUT_OF_MEMORY, status, err, expr, file, line);
  } else {
    lb_test_check_ok(status, err, expr, file, line);
  }
}

static inline void lb_test_contains(const char *text, const char *part, const char *file,
                                    int line) {
  if (lb_str_find(lb_str_from(text), lb_str_from(part)) != SIZE_MAX) return;
  print_error("\"%s\" does not contain \"%s\"\n", text, part);
  _fail(file, line);
}

/* LB_TEST_TORTURE(body): runs body (a call or a block) again and again while the first,
 * second, third, ... allocation fails, until a run meets no failure; then once more with
 * all later allocations failing too. Fails when a run leaves blocks behind or when body
 * allocates nothing at all. Within body, lb_mem_failed() says whether a failure was met
 * so far; body must free what it made and must not return from the test. */
#define LB_TEST_TORTURE(...) \
  do { \
    for (int lb_sticky_ = 0; lb_sticky_ <= 1; lb_sticky_++) { \
      struct lb_test_torture lb_torture_ = lb_test_torture_begin(lb_sticky_ == 1); \
      while (lb_test_torture_next(&lb_torture_, __FILE__, __LINE__)) { \
        do { \
          __VA_ARGS__; \
        } while (0); \
      } \
    } \
  } while (0)

#define LB_TEST_TORTURE_MAX 1000000

struct lb_test_torture {
  int64_t nth; /* 0 before the first run */
  int64_t live_blocks;
  bool sticky;
};

static inline struct lb_test_torture lb_test_torture_begin(bool sticky) {
  return (struct lb_test_torture){.live_blocks = lb_test_live_blocks(), .sticky = sticky};
}

static inline bool lb_test_torture_next(struct lb_test_torture *run, const char *file,
                                        int line) {
  /* Under torture the body meets the failure of that, once. */
  if (lb_torture()->on) return !run->sticky && run->nth++ == 0;
  bool failed = lb_mem_failed();
  lb_mem_fail_nth(0, false);
  if (run->nth > 0 && lb_test_live_blocks() != run->live_blocks) {
    print_error("%lld blocks were left behind when allocation %lld failed\n",
                (long long)(lb_test_live_blocks() - run->live_blocks),
                (long long)run->nth);
    _fail(file, line);
  }
  if (run->nth > 0 && !failed) {
    if (run->nth == 1) {
      print_error("the tortured code allocates nothing\n");
      _fail(file, line);
    }
    return false;
  }
  if (++run->nth > LB_TEST_TORTURE_MAX) {
    print_error("still failing after %d runs\n", LB_TEST_TORTURE_MAX);
    _fail(file, line);
  }
  lb_mem_fail_nth(run->nth, run->sticky);
  return true;
}

/* Runs fn(ctx) in a child process and gives what that wrote to standard error (cut).
 * False when the child lived to return from fn. */
static inline bool lb_test_dies(void (*fn)(void *ctx), void *ctx, char *said,
                                size_t cap) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    (void)dup2(ends[1], STDERR_FILENO);
    fn(ctx);
    _exit(0);
  }
  close(ends[1]);
  size_t len = 0;
  char piece[256];
  for (;;) {
    ssize_t n = read(ends[0], piece, sizeof(piece));
    if (n <= 0) break;
    size_t room = cap - 1 - len;
    size_t taken = LB_MIN((size_t)n, room);
    memcpy(said + len, piece, taken);
    len += taken;
  }
  said[len] = '\0';
  close(ends[0]);
  int outcome = 0;
  assert_true(waitpid(pid, &outcome, 0) == pid);
  return !(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
}

/* Threads of this process with that name; NULL: all. */
static inline int lb_test_count_threads(const char *name) {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  if (dir == NULL) _exit(1);
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    char path[300], text[32] = "";
    if (entry->d_name[0] == '.') continue;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
    FILE *file = fopen(path, "re");
    if (file == NULL) continue;
    bool read = fgets(text, sizeof(text), file) != NULL;
    (void)fclose(file);
    struct lb_str found = lb_str_trim(lb_str_from(text));
    count += read && (name == NULL || lb_str_equal(found, lb_str_from(name)));
  }
  closedir(dir);
  return count;
}

/* The system forgets a thread a moment after it was joined, and knows the name of a new
 * one a moment after it was started. */
static inline void lb_test_expect_threads(const char *name, int wanted) {
  int64_t late_ms = lb_os_boottime_ms() + 20000;
  while (lb_test_count_threads(name) != wanted && lb_os_boottime_ms() < late_ms) {
    sched_yield();
  }
  assert_int_equal(lb_test_count_threads(name), wanted);
}

/* Runs body(ctx) in a child process; its exit status, or 1000 + signal. */
static inline int lb_test_in_child(void (*body)(void *ctx), void *ctx) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    (void)alarm(30); /* a child that hangs is a failure, not a hang */
    body(ctx);
    _exit(0);
  }
  int outcome = 0;
  assert_true(waitpid(pid, &outcome, 0) == pid);
  return WIFEXITED(outcome) ? WEXITSTATUS(outcome) : 1000 + WTERMSIG(outcome);
}

/* What a test asserts in a process of its own: it ends with code, which tells where. */
static inline void lb_test_check(bool condition, int code) {
  if (condition) return;
  lb_torture_tell(lb_mem_failure_told());
  if (lb_torture()->on) fail();
  _exit(code);
}

/* A clock that moves only when told. */
struct lb_fake_clock {
  int64_t now_ms;
  int64_t awake_ms;
  int64_t wall_ms;
};

static inline int64_t lb_fake_clock_now_ms(void *ctx) {
  struct lb_fake_clock *fake = ctx;
  return __atomic_load_n(&fake->now_ms, __ATOMIC_SEQ_CST);
}
static inline int64_t lb_fake_clock_awake_ms(void *ctx) {
  struct lb_fake_clock *fake = ctx;
  return __atomic_load_n(&fake->awake_ms, __ATOMIC_SEQ_CST);
}
static inline int64_t lb_fake_clock_wall_ms(void *ctx) {
  struct lb_fake_clock *fake = ctx;
  return __atomic_load_n(&fake->wall_ms, __ATOMIC_SEQ_CST);
}
static inline struct lb_clock lb_fake_clock_from(struct lb_fake_clock *fake) {
  return (struct lb_clock){.now_ms = lb_fake_clock_now_ms,
                           .awake_ms = lb_fake_clock_awake_ms,
                           .wall_ms = lb_fake_clock_wall_ms,
                           .ctx = fake};
}
/* The machine sleeps: boot and wall time go on, awake time stands still. */
static inline void lb_fake_clock_suspend(struct lb_fake_clock *fake, int64_t sleep_ms) {
  __atomic_fetch_add(&fake->now_ms, sleep_ms, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&fake->wall_ms, sleep_ms, __ATOMIC_SEQ_CST);
}
static inline void lb_fake_clock_advance(struct lb_fake_clock *fake, int64_t step_ms) {
  lb_fake_clock_suspend(fake, step_ms);
  __atomic_fetch_add(&fake->awake_ms, step_ms, __ATOMIC_SEQ_CST);
}

/* Randomness from a list, round and round. lb_random_between grows with the bits drawn:
 * these give its lower end, its middle and its upper end. */
#define LB_FAKE_RANDOM_LOW UINT64_C(0)
#define LB_FAKE_RANDOM_MIDDLE (UINT64_C(1) << 63)
#define LB_FAKE_RANDOM_HIGH UINT64_MAX
struct lb_fake_random {
  const uint64_t *values;
  size_t len;  /* at least 1 */
  size_t used; /* numbers drawn so far */
};

static inline uint64_t lb_fake_random_next(void *ctx) {
  struct lb_fake_random *fake = ctx;
  return fake->values[fake->used++ % fake->len];
}
static inline struct lb_random lb_fake_random_from(struct lb_fake_random *fake) {
  return (struct lb_random){.next = lb_fake_random_next, .ctx = fake};
}

/* A log that keeps its lines, each ended by a newline. Any thread may write; read `text`
 * when they are done. What does not fit is dropped. */
struct lb_fake_log {
  struct lb_log log;
  struct lb_mutex mu;
  size_t len;
  size_t lines;
  char text[16384];
};

static inline void lb_fake_log_write(void *ctx, enum lb_log_level level, const char *line,
                                     size_t len) {
  struct lb_fake_log *fake = ctx;
  (void)level;
  lb_mutex_lock(&fake->mu);
  fake->lines++;
  if (len + 2 <= sizeof(fake->text) - fake->len) {
    memcpy(fake->text + fake->len, line, len);
    fake->len += len;
    fake->text[fake->len++] = '\n';
    fake->text[fake->len] = '\0';
  }
  lb_mutex_unlock(&fake->mu);
}
static inline void lb_fake_log_init(struct lb_fake_log *fake, enum lb_log_level level) {
  memset(fake, 0, sizeof(*fake));
  LB_TEST_OK(lb_mutex_init(&fake->mu, NULL), NULL);
  fake->log =
      (struct lb_log){.level = (int)level, .write = lb_fake_log_write, .ctx = fake};
}
static inline void lb_fake_log_reset(struct lb_fake_log *fake) {
  lb_mutex_destroy(&fake->mu);
}

#endif
