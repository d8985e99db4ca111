/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mutex.h"

#include "base/clock.h"
#include "base/os.h"
#include "base/test_support.h"

struct shared {
  struct lb_mutex mu;
  struct lb_cond cond;
  int count LB_GUARDED_BY(mu);
  bool go LB_GUARDED_BY(mu);
};

static void init(struct shared *shared) LB_NO_TSA {
  LB_TEST_OK(lb_mutex_init(&shared->mu, NULL), NULL);
  LB_TEST_OK(lb_cond_init(&shared->cond, NULL), NULL);
  shared->count = 0;
  shared->go = false;
}

static void reset(struct shared *shared) {
  lb_cond_destroy(&shared->cond);
  lb_mutex_destroy(&shared->mu);
}

static void *add_many(void *ctx) {
  struct shared *shared = ctx;
  for (int i = 0; i < 5000; i++) {
    lb_mutex_lock(&shared->mu);
    shared->count++;
    lb_mutex_unlock(&shared->mu);
  }
  return NULL;
}

static void test_mutex_excludes(void **state) {
  (void)state;
  struct shared shared;
  struct lb_thread threads[4];
  init(&shared);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "add", add_many, &shared, NULL), NULL);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) lb_os_thread_join(&threads[i]);
  lb_mutex_lock(&shared.mu);
  int count = shared.count;
  lb_mutex_unlock(&shared.mu);
  assert_int_equal(count, 20000);
  reset(&shared);
}

/* Waits for go in each way there is, then counts itself. */
static void *wait_for_go(void *ctx) {
  struct shared *shared = ctx;
  lb_mutex_lock(&shared->mu);
  int way = shared->count++;
  lb_cond_broadcast(&shared->cond);
  while (!shared->go) {
    if (way == 0) lb_cond_wait(&shared->cond, &shared->mu);
    if (way == 1) (void)lb_cond_wait_until(&shared->cond, &shared->mu, LB_NEVER_MS);
    if (way == 2) (void)lb_cond_wait_until(&shared->cond, &shared->mu, LB_NEVER_MS - 1);
  }
  shared->count += 10;
  lb_mutex_unlock(&shared->mu);
  return NULL;
}

static void test_broadcast_wakes_every_kind_of_wait(void **state) {
  (void)state;
  struct shared shared;
  struct lb_thread threads[3];
  init(&shared);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "wait", wait_for_go, &shared, NULL), NULL);
  }
  lb_mutex_lock(&shared.mu);
  while (shared.count < 3) lb_cond_wait(&shared.cond, &shared.mu);
  shared.go = true;
  lb_cond_broadcast(&shared.cond);
  lb_mutex_unlock(&shared.mu);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) lb_os_thread_join(&threads[i]);
  lb_mutex_lock(&shared.mu);
  int count = shared.count;
  lb_mutex_unlock(&shared.mu);
  assert_int_equal(count, 33);
  reset(&shared);
}

static void *signal_go(void *ctx) {
  struct shared *shared = ctx;
  lb_mutex_lock(&shared->mu);
  shared->go = true;
  lb_cond_signal(&shared->cond);
  lb_mutex_unlock(&shared->mu);
  return NULL;
}

static void test_signal_ends_a_wait_before_its_deadline(void **state) {
  (void)state;
  struct shared shared;
  struct lb_thread thread;
  init(&shared);
  int64_t deadline_ms = lb_os_boottime_ms() + 60000;
  bool in_time = true;
  lb_mutex_lock(&shared.mu);
  /* The other thread cannot signal before this one waits. */
  LB_TEST_OK(lb_os_thread_start(&thread, "signal", signal_go, &shared, NULL), NULL);
  while (!shared.go && in_time) {
    in_time = lb_cond_wait_until(&shared.cond, &shared.mu, deadline_ms);
  }
  lb_mutex_unlock(&shared.mu);
  assert_true(in_time);
  lb_os_thread_join(&thread);
  reset(&shared);
}

static void test_deadlines_end_waits(void **state) {
  (void)state;
  struct shared shared;
  init(&shared);
  lb_mutex_lock(&shared.mu);
  assert_false(lb_cond_wait_until(&shared.cond, &shared.mu, lb_os_boottime_ms()));
  assert_false(lb_cond_wait_until(&shared.cond, &shared.mu, INT64_MIN));
  int64_t deadline_ms = lb_os_boottime_ms() + 2;
  while (lb_cond_wait_until(&shared.cond, &shared.mu, deadline_ms)) continue;
  assert_true(lb_os_boottime_ms() >= deadline_ms);
  lb_mutex_unlock(&shared.mu);
  reset(&shared);
}

#if defined(LB_DEBUG) && LB_DEBUG
static void lock_twice(void *ctx) LB_NO_TSA {
  struct shared *shared = ctx;
  lb_mutex_lock(&shared->mu);
  lb_mutex_lock(&shared->mu);
}

static void lock_two(void *ctx) LB_NO_TSA {
  struct shared *shared = ctx;
  struct lb_mutex other;
  LB_TEST_OK(lb_mutex_init(&other, NULL), NULL);
  lb_mutex_lock(&shared->mu);
  lb_mutex_lock(&other);
}

static void unlock_unlocked(void *ctx) LB_NO_TSA {
  struct shared *shared = ctx;
  lb_mutex_unlock(&shared->mu);
}

/* ThreadSanitizer sees the wrong unlock before our own check does, and stops as well. */
static void check_stopped(void (*misuse)(void *), struct shared *shared) {
  char said[65536];
  assert_true(lb_test_dies(misuse, shared, said, sizeof(said)));
  if (strstr(said, "ThreadSanitizer: unlock of an unlocked mutex") != NULL) return;
  LB_TEST_CONTAINS(said, "broken invariant");
}

static void test_debug_builds_stop_at_misuse(void **state) {
  (void)state;
  struct shared shared;
  init(&shared);
  check_stopped(lock_twice, &shared);
  check_stopped(lock_two, &shared);
  check_stopped(unlock_unlocked, &shared);
  reset(&shared);
}
#define MISUSE_TESTS , LB_TEST(test_debug_builds_stop_at_misuse)
#else
#define MISUSE_TESTS
#endif

LB_TEST_MAIN(LB_TEST(test_mutex_excludes),
             LB_TEST(test_broadcast_wakes_every_kind_of_wait),
             LB_TEST(test_signal_ends_a_wait_before_its_deadline),
             LB_TEST(test_deadlines_end_waits) MISUSE_TESTS)
