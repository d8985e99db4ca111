/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_condattr_setclock */
#endif
#include "base/mutex.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/os.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Release builds have no use for the outcome: with valid arguments these calls cannot
 * fail. */
static void expect_success(int code) {
  LB_ASSERT(code == 0);
  (void)code;
}

/* Nobody holds two of them at once, so there is no order to keep among them and no
 * deadlock to run into. Debug builds stop who tries. */
#if defined(LB_DEBUG) && LB_DEBUG
static _Thread_local const struct lb_mutex *held;

static void note_locked(const struct lb_mutex *mu) { held = mu; }

static void check_none_held(void) { LB_ASSERT(held == NULL); }
#else
static void note_locked(const struct lb_mutex *mu) { (void)mu; }

static void check_none_held(void) {}
#endif

enum lb_status lb_mutex_init(struct lb_mutex *mu, struct lb_error *err) {
  pthread_mutexattr_t attr;
  int code = pthread_mutexattr_init(&attr);
  if (code != 0) return lb_os_refused(err, "a mutex", code);
#if defined(LB_DEBUG) && LB_DEBUG
  expect_success(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
#endif
  code = pthread_mutex_init(&mu->raw, &attr);
  expect_success(pthread_mutexattr_destroy(&attr));
  return code == 0 ? LB_OK : lb_os_refused(err, "a mutex", code);
}

void lb_mutex_destroy(struct lb_mutex *mu) {
  expect_success(pthread_mutex_destroy(&mu->raw));
}

void lb_mutex_lock(struct lb_mutex *mu) LB_NO_TSA {
  check_none_held();
  expect_success(pthread_mutex_lock(&mu->raw));
  note_locked(mu);
}

void lb_mutex_unlock(struct lb_mutex *mu) LB_NO_TSA {
  expect_success(pthread_mutex_unlock(&mu->raw));
  note_locked(NULL);
}

enum lb_status lb_cond_init(struct lb_cond *cond, struct lb_error *err) {
  pthread_condattr_t attr;
  int code = pthread_condattr_init(&attr);
  if (code != 0) return lb_os_refused(err, "a condition variable", code);
  code = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  if (code == 0) code = pthread_cond_init(&cond->raw, &attr);
  expect_success(pthread_condattr_destroy(&attr));
  return code == 0 ? LB_OK : lb_os_refused(err, "a condition variable", code);
}

void lb_cond_destroy(struct lb_cond *cond) {
  expect_success(pthread_cond_destroy(&cond->raw));
}

void lb_cond_signal(struct lb_cond *cond) {
  expect_success(pthread_cond_signal(&cond->raw));
}

void lb_cond_broadcast(struct lb_cond *cond) {
  expect_success(pthread_cond_broadcast(&cond->raw));
}

void lb_cond_wait(struct lb_cond *cond, struct lb_mutex *mu) {
  expect_success(pthread_cond_wait(&cond->raw, &mu->raw));
}

bool lb_cond_wait_until(struct lb_cond *cond, struct lb_mutex *mu, int64_t deadline_ms) {
  if (deadline_ms == LB_NEVER_MS) {
    lb_cond_wait(cond, mu);
    return true;
  }
  int64_t now_ms = lb_os_boottime_ms();
  if (deadline_ms <= now_ms) return false;
  int64_t left_ms = deadline_ms - now_ms;
  struct timespec until;
  expect_success(clock_gettime(CLOCK_MONOTONIC, &until));
  int64_t until_ns = until.tv_nsec + left_ms % 1000 * NS_PER_MS;
  until.tv_sec += (time_t)(left_ms / 1000 + until_ns / NS_PER_S);
  until.tv_nsec = (long)(until_ns % NS_PER_S);
  int code = pthread_cond_timedwait(&cond->raw, &mu->raw, &until);
  if (code == 0) return true;
  LB_ASSERT(code == ETIMEDOUT);
  return lb_os_boottime_ms() < deadline_ms;
}
