/* SPDX-License-Identifier: Apache-2.0 */
/* Mutex and condition variable with clang's thread-safety attributes. Debug builds check
 * that a mutex is taken by one thread once and released by the same, and that no thread
 * holds two.
 *
 * Deadlines are boot time, but the system can wait on the monotonic clock only, which
 * stands still while the machine sleeps: a wait that a suspend interrupts ends late by
 * the time slept. Wake-ups may be spurious, so callers wait in a loop that looks at its
 * condition again. */
#ifndef LB_BASE_MUTEX_H
#define LB_BASE_MUTEX_H

#include <pthread.h>

#include "base/base.h"
#include "base/error.h"

struct LB_CAPABILITY("mutex") lb_mutex {
  pthread_mutex_t raw;
};

enum lb_status lb_mutex_init(struct lb_mutex *mu, struct lb_error *err) LB_MUST_USE;
void lb_mutex_destroy(struct lb_mutex *mu);
void lb_mutex_lock(struct lb_mutex *mu) LB_ACQUIRE(mu);
void lb_mutex_unlock(struct lb_mutex *mu) LB_RELEASE(mu);

struct lb_cond {
  pthread_cond_t raw;
};

enum lb_status lb_cond_init(struct lb_cond *cond, struct lb_error *err) LB_MUST_USE;
void lb_cond_destroy(struct lb_cond *cond);
void lb_cond_signal(struct lb_cond *cond);
void lb_cond_broadcast(struct lb_cond *cond);
void lb_cond_wait(struct lb_cond *cond, struct lb_mutex *mu) LB_REQUIRES(mu);
/* False when deadline_ms (clock of lb_clock_system.now_ms; LB_NEVER_MS = none) has
 * passed. */
bool lb_cond_wait_until(struct lb_cond *cond, struct lb_mutex *mu, int64_t deadline_ms)
    LB_REQUIRES(mu);

#endif
