/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O thread: one per process, over curl's multi interface. It owns every transfer,
 * timer and heartbeat; other threads only post tasks to it. It never blocks, never
 * decodes data pages and never calls foreign code.
 *
 * Lifetime: lb_io_acquire starts it (or counts one more user), lb_io_release gives the
 * use back. Uses are held by databases, sessions and streams, never by requests or tasks,
 * and are released only on callers' threads. The last release alone may wait: at most the
 * close timeout for requests of class close that are still pending, then sockets are
 * dropped and the thread is joined. A later acquire starts a new one.
 *
 * After fork the child must not touch the parent's object: lb_io_inherited tells. */
#ifndef LB_IO_IO_H
#define LB_IO_IO_H

#include "base/clock.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/random.h"

struct lb_io;
struct lb_pool;

/* Fails when the libcurl found at run time is too old or lacks THREADSAFE/ASYNCHDNS, or
 * when no thread or memory can be had. */
enum lb_status lb_io_acquire(struct lb_io **out, struct lb_error *err) LB_MUST_USE;
void lb_io_retain(struct lb_io *io);
/* Any thread but the I/O thread. NULL is a no-op. In a forked child it forgets the object
 * without touching it. */
void lb_io_release(struct lb_io *io);
/* How long the last release waits for pending closes: the largest value set since the
 * acquire that started the thread, whoever set it; 2,000 when none was. A smaller value
 * set later changes nothing. */
void lb_io_set_close_timeout(struct lb_io *io, int64_t close_timeout_ms);

/* True in a process that got io by fork(): every API entry checks it and fails. */
bool lb_io_inherited(const struct lb_io *io);
bool lb_io_on_thread(const struct lb_io *io);
struct lb_log *lb_io_log(struct lb_io *io);
/* The process's large blocks of memory; what of them is idle for a while is freed as long
 * as the I/O thread runs. Retain it to keep it longer than a use of io. Any thread. */
struct lb_pool *lb_io_pool(struct lb_io *io);
int64_t lb_io_now_ms(const struct lb_io *io); /* any thread */
/* I/O thread only. */
const struct lb_random *lb_io_random(struct lb_io *io);
/* ms of boot time minus awake time: grows while the machine is suspended. I/O thread
 * only. */
int64_t lb_io_suspended_ms(const struct lb_io *io);

/* A task runs once on the I/O thread, in the order of posting. The memory is the poster's
 * until run is called, and run's from then on. Posting never fails and never blocks.
 * Tasks posted after the thread has begun to stop run all the same, before it ends. */
struct lb_io_task {
  struct lb_list node;
  void (*run)(struct lb_io_task *task, struct lb_io *io);
};
void lb_io_post(struct lb_io *io, struct lb_io_task *task);

/* Posts task and waits until it has run. Not on the I/O thread; the task must not wait
 * for the network. For reading state that belongs to the I/O thread. */
void lb_io_run(struct lb_io *io, struct lb_io_task *task);

/* One object of a higher room that lives on the I/O thread (the heartbeats' scheduler).
 * stopping runs on the I/O thread when the thread begins to stop (no new probes from then
 * on); destroy runs on the I/O thread after the last task, request and timer. I/O thread
 * only. */
struct lb_io_service {
  void (*stopping)(struct lb_io_service *service, struct lb_io *io);
  void (*destroy)(struct lb_io_service *service);
};
struct lb_io_service *lb_io_get_service(struct lb_io *io); /* NULL: none was set */
void lb_io_set_service(struct lb_io *io, struct lb_io_service *service);

/* A timer fires once on the I/O thread at or after due_ms. All calls on the I/O thread.
 */
struct lb_timer {
  struct lb_heap_node node;
  void (*fire)(struct lb_timer *timer, struct lb_io *io, int64_t now_ms);
};
static inline void lb_timer_init(struct lb_timer *timer,
                                 void (*fire)(struct lb_timer *, struct lb_io *,
                                              int64_t)) {
  lb_heap_node_init(&timer->node);
  timer->fire = fire;
}
/* Sets or moves; moving never fails while the thread runs. LB_OUT_OF_MEMORY, or
 * LB_CANCELLED once the thread has begun its end: then each timer that is still set fires
 * once, early, so that its owner can finish. */
enum lb_status lb_timer_set(struct lb_io *io, struct lb_timer *timer, int64_t due_ms,
                            struct lb_error *err) LB_MUST_USE;
void lb_timer_cancel(struct lb_io *io, struct lb_timer *timer); /* no-op when not set */

#endif
