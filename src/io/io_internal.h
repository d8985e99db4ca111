/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct lb_io, for src/io alone. `owned` belongs to the I/O thread,
 * `synced` to its mutex, the rest does not change after creation. */
#ifndef LB_IO_IO_INTERNAL_H
#define LB_IO_IO_INTERNAL_H

#include <stdatomic.h>

#include <curl/curl.h>

#include "base/heap.h"
#include "base/mutex.h"
#include "base/os.h"
#include "base/pool.h"
#include "io/budget_internal.h"
#include "io/io.h"
#include "io/workers.h"

enum lb_io_stop {
  LB_IO_RUN,
  LB_IO_STOP_GENTLE, /* once nothing holds the exit, at the latest at stop_deadline_ms */
  LB_IO_STOP_NOW,
};

struct lb_io {
  int generation;  /* of the process that created it: fork() starts a new one */
  bool standalone; /* made for a test: not counted by lb_io_retain/release */
  bool real_time;  /* clock is the machine's, so the timer descriptor may be armed */
  CURLM *multi;    /* I/O thread; curl_multi_wakeup: any thread, see lb_io_post */
  CURLSH *share;   /* TLS sessions; I/O thread */
  struct lb_thread thread;
  struct lb_log log;
  struct lb_clock clock;
  struct lb_random random;
  struct lb_random_state random_state;
  struct lb_io *inherited; /* a parent process's object: kept reachable, never touched */
  atomic_llong close_timeout_ms; /* -1: nobody has set one */
  struct lb_budget budget;
  struct lb_workers *workers;
  struct lb_pool *pool;
  struct lb_io_task pool_warmed;

  struct {
    struct lb_heap timers;
    struct lb_timer pool_trim; /* while the pool is warm */
    int timer_fd;
    int64_t armed_ms; /* what timer_fd is set to: the next deadline or earlier */
    int64_t now_ms;   /* of this round of the loop */
    int64_t awake_ms; /* the same of the clock that stands still in a suspend */
    struct lb_list hosts;
    struct lb_list ready_hosts; /* those whose queues are to be looked at */
    uint32_t host_count;
    struct lb_list transfers; /* started and not done */
    uint32_t holding_exit;    /* of these, with holds_exit */
    struct lb_list turn_line; /* of these, large replies whose turn is to come */
    int32_t turns;            /* of these, large replies that are being received */
    int64_t turn_from_ns;     /* since when its sleep is added up; 0 not yet */
    int64_t turn_slept_ns;
    struct lb_io_service *service;
    bool stopping; /* the service has been told */
    bool draining; /* every request that starts ends at once */
  } owned;

  struct {
    struct lb_mutex mu;
    struct lb_cond cond; /* ended, or a lb_io_run has been served */
    struct lb_list tasks LB_GUARDED_BY(mu);
    bool sleeping LB_GUARDED_BY(mu); /* in, or on its way into, curl_multi_poll */
    enum lb_io_stop stop LB_GUARDED_BY(mu);
    int64_t stop_deadline_ms LB_GUARDED_BY(mu);
    bool ended LB_GUARDED_BY(mu);   /* the thread runs no task any more */
    bool adopted LB_GUARDED_BY(mu); /* ... and some other thread does */
  } synced;
};

/* Starts the thread. clock and random NULL: the machine's. */
enum lb_status lb_loop_create(const struct lb_clock *clock,
                              const struct lb_random *random, struct lb_io **out,
                              struct lb_error *err) LB_MUST_USE;
/* Any thread. A gentle stop may be followed by an immediate one, not the other way round.
 */
void lb_loop_stop(struct lb_io *io, enum lb_io_stop stop, int64_t deadline_ms);
/* After the thread has ended: the workers run what is left and end too. False when they
 * have not by deadline_ms. */
bool lb_workers_stop(struct lb_workers *workers, int64_t deadline_ms);
enum lb_status lb_workers_create(struct lb_workers **out,
                                 struct lb_error *err) LB_MUST_USE;
void lb_workers_destroy(struct lb_workers *workers); /* NULL is a no-op */
/* After the thread was joined and the workers stopped. */
void lb_loop_destroy(struct lb_io *io);
/* The time of this round; I/O thread. */
static inline int64_t lb_loop_now_ms(const struct lb_io *io) { return io->owned.now_ms; }
static inline int64_t lb_loop_awake_ms(const struct lb_io *io) {
  return io->owned.awake_ms;
}

#endif
