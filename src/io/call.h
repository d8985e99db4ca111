/* SPDX-License-Identifier: Apache-2.0 */
/* Every core call is start, done, wait, cancel. A call is started by an application
 * thread, its steps run on the I/O thread, and any thread may wait for it or cancel it.
 * Blocking calls are start and wait, so asynchronous use, Ctrl-C and deadlines need no
 * second path.
 *
 * A call is embedded in its own struct (struct open_call { struct lb_call base; ... }),
 * reference-counted: the starter holds one reference, the I/O thread one until it has
 * finished. A caller that gives up (cancel or deadline) leaves at once; the steps go on
 * as an orphan and see lb_call_abandoned, so that nothing is left running on the server.
 */
#ifndef LB_IO_CALL_H
#define LB_IO_CALL_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "io/io.h"

struct lb_call;

struct lb_call_ops {
  const char *name; /* "execute", for logs */
  /* First step, on the I/O thread. Not called when the caller gave up before its turn
   * came: then lb_call_finish is not to be called either. */
  void (*begin)(struct lb_call *call, struct lb_io *io);
  /* The caller gave up, on the I/O thread, at most once, only between begin and finish.
   * NULL: the steps look at lb_call_abandoned by themselves. */
  void (*abandon)(struct lb_call *call, struct lb_io *io);
  /* Frees the embedding struct; called once with the last reference, on any thread. */
  void (*destroy)(struct lb_call *call);
};

struct lb_call {
  const struct lb_call_ops *ops;
  struct lb_io *io; /* borrowed: the starter's use outlives the call's caller side */
  atomic_uint refs;
  atomic_bool abandoned;
  bool begun; /* I/O thread: begin was called */
  bool ended; /* I/O thread: lb_call_finish was called */
  struct lb_io_task begin_task;
  struct lb_io_task abandon_task;
  struct {
    struct lb_mutex mu;
    struct lb_cond cond;
    bool finished LB_GUARDED_BY(mu);
    bool gave_up LB_GUARDED_BY(mu);
    bool interrupted LB_GUARDED_BY(mu); /* gave up because of lb_call_cancel */
    enum lb_status status LB_GUARDED_BY(mu);
    struct lb_error err LB_GUARDED_BY(mu);
  } synced;
};

enum lb_status lb_call_init(struct lb_call *call, const struct lb_call_ops *ops,
                            struct lb_io *io, struct lb_error *err) LB_MUST_USE;
void lb_call_retain(struct lb_call *call);
void lb_call_release(struct lb_call *call);

void lb_call_start(struct lb_call *call);
/* True when lb_call_wait would not wait. Any thread, never blocks. */
bool lb_call_done(struct lb_call *call);
/* Waits for the end, cancel or deadline_ms (boot time, LB_NEVER_MS = none). When the call
 * finished first its own status is returned; else LB_CANCELLED or LB_TIMEOUT, and the
 * call is abandoned. Once at most: what was decided stays. */
enum lb_status lb_call_wait(struct lb_call *call, int64_t deadline_ms,
                            struct lb_error *err) LB_MUST_USE;
/* Makes the waiter return LB_CANCELLED, now or when it comes, and abandons the call at
 * once. Any thread that holds a reference. False when the call had finished or was given
 * up already; true is a promise: a finish that comes later is dropped. */
bool lb_call_cancel(struct lb_call *call);

/* I/O thread, once for every begin: reports the end. err may be NULL when status is
 * LB_OK. Wakes the waiter and drops the I/O thread's reference: do not touch the call
 * afterwards. False when the caller had given up, so that nobody takes what the call has
 * made: hold it in a variable of your own and close it. */
bool lb_call_finish(struct lb_call *call, enum lb_status status,
                    const struct lb_error *err);
/* I/O thread: nobody waits any more. */
bool lb_call_abandoned(const struct lb_call *call);

/* The place where a statement or connection keeps its running call, so that cancel from
 * any thread finds it and a late cancel never hits the next one.
 *
 * An operation of several calls, or with work of its own around them, is a turn: from
 * lb_call_slot_enter to lb_call_slot_leave a cancel finds it at every moment. What is
 * cancelled between two calls ends the next one as it comes, and leave tells. */
struct lb_call_slot {
  struct lb_mutex mu;
  struct lb_call *call LB_GUARDED_BY(mu); /* retained; NULL: nothing runs */
  bool shut LB_GUARDED_BY(mu);
  bool entered LB_GUARDED_BY(mu);
  bool cancelled LB_GUARDED_BY(mu); /* the turn */
  uint64_t turns LB_GUARDED_BY(mu); /* begun so far */
};
enum lb_status lb_call_slot_init(struct lb_call_slot *slot,
                                 struct lb_error *err) LB_MUST_USE;
void lb_call_slot_destroy(struct lb_call_slot *slot);
/* Begins a turn and gives its number, from 1. LB_INVALID_STATE while another one or a
 * call of another thread is under way; what names the newcomer. */
enum lb_status lb_call_slot_enter(struct lb_call_slot *slot, const char *what,
                                  uint64_t *turn, struct lb_error *err) LB_MUST_USE;
/* Ends the turn. True: it was cancelled, and whoever did so was promised that it fails
 * with LB_CANCELLED. */
bool lb_call_slot_leave(struct lb_call_slot *slot) LB_MUST_USE;
/* start + wait with the slot filled meanwhile; the starter's reference stays the
 * caller's. LB_INVALID_STATE when another call is in the slot; then nothing was started.
 */
enum lb_status lb_call_run(struct lb_call_slot *slot, struct lb_call *call,
                           int64_t deadline_ms, struct lb_error *err) LB_MUST_USE;
/* The two halves of lb_call_run, for a caller who has something to do in between. After
 * a begin that succeeded the end has to follow. */
enum lb_status lb_call_slot_begin(struct lb_call_slot *slot, struct lb_call *call,
                                  struct lb_error *err) LB_MUST_USE;
enum lb_status lb_call_slot_end(struct lb_call_slot *slot, struct lb_call *call,
                                int64_t deadline_ms, struct lb_error *err) LB_MUST_USE;
/* As lb_call_run for a call that was started before. */
enum lb_status lb_call_slot_wait(struct lb_call_slot *slot, struct lb_call *call,
                                 int64_t deadline_ms, struct lb_error *err) LB_MUST_USE;
/* True when something ran and was cancelled. Any thread. turn (may be NULL) gets the
 * number of the turn that was the latest one at that moment. */
bool lb_call_slot_cancel(struct lb_call_slot *slot, uint64_t *turn);
/* As lb_call_slot_cancel, for good: each call that comes later is cancelled as it comes.
 * For an owner that ends while its user is about to wait. */
void lb_call_slot_shut(struct lb_call_slot *slot);

#endif
