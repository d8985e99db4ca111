/* SPDX-License-Identifier: Apache-2.0 */
/* Who wins:
 * 1. A call has one decision: finished, or given up (cancelled, deadline passed).
 *    Whoever takes the mutex first decides; the loser's outcome is dropped.
 *    lb_call_finish and lb_call_cancel tell their caller which it was.
 * 2. Giving up posts the abandon task, which stands in the queue behind the begin
 *    task. A call given up before begin has run never begins: the begin task drops it.
 * 3. References: the starter's; the I/O thread's, from start to finish (or to the
 *    begin task that drops it); the abandon task's. */
#include "io/call.h"

static void run_begin(struct lb_io_task *task, struct lb_io *io) {
  struct lb_call *call = LB_CONTAINER_OF(task, struct lb_call, begin_task);
  if (lb_call_abandoned(call)) {
    lb_call_release(call);
    return;
  }
  call->begun = true;
  call->ops->begin(call, io);
}

static void run_abandon(struct lb_io_task *task, struct lb_io *io) {
  struct lb_call *call = LB_CONTAINER_OF(task, struct lb_call, abandon_task);
  if (call->begun && !call->ended && call->ops->abandon != NULL) {
    call->ops->abandon(call, io);
  }
  lb_call_release(call);
}

enum lb_status lb_call_init(struct lb_call *call, const struct lb_call_ops *ops,
                            struct lb_io *io, struct lb_error *err) {
  LB_TRY(lb_mutex_init(&call->synced.mu, err));
  enum lb_status status = lb_cond_init(&call->synced.cond, err);
  if (status != LB_OK) {
    lb_mutex_destroy(&call->synced.mu);
    return status;
  }
  call->ops = ops;
  call->io = io;
  call->begun = false;
  call->ended = false;
  atomic_init(&call->refs, 1);
  atomic_init(&call->abandoned, false);
  lb_list_init(&call->begin_task.node);
  lb_list_init(&call->abandon_task.node);
  call->begin_task.run = run_begin;
  call->abandon_task.run = run_abandon;
  lb_mutex_lock(&call->synced.mu);
  call->synced.finished = false;
  call->synced.gave_up = false;
  call->synced.interrupted = false;
  call->synced.status = LB_OK;
  lb_error_reset(&call->synced.err);
  lb_mutex_unlock(&call->synced.mu);
  return LB_OK;
}

void lb_call_retain(struct lb_call *call) {
  atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
}

void lb_call_release(struct lb_call *call) {
  if (call == NULL) return;
  if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1) return;
  lb_cond_destroy(&call->synced.cond);
  lb_mutex_destroy(&call->synced.mu);
  call->ops->destroy(call);
}

void lb_call_start(struct lb_call *call) {
  lb_call_retain(call);
  lb_io_post(call->io, &call->begin_task);
}

bool lb_call_done(struct lb_call *call) {
  lb_mutex_lock(&call->synced.mu);
  bool decided = call->synced.finished || call->synced.gave_up;
  lb_mutex_unlock(&call->synced.mu);
  return decided;
}

/* Decides against the call, if nothing has been decided yet. True: post the abandon task.
 */
static bool give_up(struct lb_call *call) LB_REQUIRES(call->synced.mu) {
  if (call->synced.finished || call->synced.gave_up) return false;
  call->synced.gave_up = true;
  atomic_store(&call->abandoned, true);
  return true;
}

static void post_abandon(struct lb_call *call) {
  lb_call_retain(call);
  lb_io_post(call->io, &call->abandon_task);
}

enum lb_status lb_call_wait(struct lb_call *call, int64_t deadline_ms,
                            struct lb_error *err) {
  bool in_time = true;
  lb_mutex_lock(&call->synced.mu);
  while (in_time && !call->synced.finished && !call->synced.gave_up) {
    in_time = lb_cond_wait_until(&call->synced.cond, &call->synced.mu, deadline_ms);
  }
  bool mine = give_up(call);
  bool finished = call->synced.finished;
  bool interrupted = call->synced.interrupted;
  enum lb_status status = call->synced.status;
  if (finished && status != LB_OK) lb_error_copy(err, &call->synced.err);
  lb_mutex_unlock(&call->synced.mu);
  if (finished) return status;
  if (mine) post_abandon(call);
  if (interrupted)
    return lb_error_set(err, LB_CANCELLED, "%s was cancelled", call->ops->name);
  return lb_error_set(err, LB_TIMEOUT, "%s did not end in the time it was given",
                      call->ops->name);
}

bool lb_call_cancel(struct lb_call *call) {
  lb_mutex_lock(&call->synced.mu);
  bool mine = give_up(call);
  if (mine) {
    call->synced.interrupted = true;
    lb_cond_broadcast(&call->synced.cond);
  }
  lb_mutex_unlock(&call->synced.mu);
  if (mine) post_abandon(call);
  return mine;
}

bool lb_call_finish(struct lb_call *call, enum lb_status status,
                    const struct lb_error *err) {
  LB_ASSERT(lb_io_on_thread(call->io) && call->begun && !call->ended);
  call->ended = true;
  lb_mutex_lock(&call->synced.mu);
  bool taken = !call->synced.gave_up;
  if (taken) {
    call->synced.finished = true;
    call->synced.status = status;
    if (status != LB_OK && err != NULL) {
      lb_error_copy(&call->synced.err, err);
    } else if (status != LB_OK) {
      (void)lb_error_set(&call->synced.err, status, "%s failed", call->ops->name);
    }
  }
  lb_mutex_unlock(&call->synced.mu);
  /* Whoever wakes takes the mutex at once, so it is free by then. */
  if (taken) lb_cond_broadcast(&call->synced.cond);
  lb_call_release(call);
  return taken;
}

bool lb_call_abandoned(const struct lb_call *call) {
  return atomic_load(&call->abandoned);
}

enum lb_status lb_call_slot_init(struct lb_call_slot *slot, struct lb_error *err) {
  LB_TRY(lb_mutex_init(&slot->mu, err));
  lb_mutex_lock(&slot->mu);
  slot->call = NULL;
  slot->shut = false;
  slot->entered = false;
  slot->cancelled = false;
  slot->turns = 0;
  lb_mutex_unlock(&slot->mu);
  return LB_OK;
}

void lb_call_slot_destroy(struct lb_call_slot *slot) { lb_mutex_destroy(&slot->mu); }

static enum lb_status slot_occupied(const char *what, struct lb_error *err) {
  return lb_error_set(err, LB_INVALID_STATE,
                      "%s: another call is running on the same object; wait for its end "
                      "or cancel it",
                      what);
}

enum lb_status lb_call_slot_enter(struct lb_call_slot *slot, const char *what,
                                  uint64_t *turn, struct lb_error *err) {
  lb_mutex_lock(&slot->mu);
  bool taken = slot->entered || slot->call != NULL;
  if (!taken) {
    slot->entered = true;
    slot->cancelled = false;
    *turn = ++slot->turns;
  }
  lb_mutex_unlock(&slot->mu);
  return taken ? slot_occupied(what, err) : LB_OK;
}

bool lb_call_slot_leave(struct lb_call_slot *slot) {
  lb_mutex_lock(&slot->mu);
  LB_ASSERT(slot->entered && slot->call == NULL);
  bool cancelled = slot->cancelled;
  slot->entered = slot->cancelled = false;
  lb_mutex_unlock(&slot->mu);
  return cancelled;
}

/* Fills the slot, which keeps a reference. */
static enum lb_status slot_take(struct lb_call_slot *slot, struct lb_call *call,
                                struct lb_error *err) {
  lb_call_retain(call);
  lb_mutex_lock(&slot->mu);
  bool taken = slot->call != NULL;
  bool ends = slot->shut || slot->cancelled;
  if (!taken) slot->call = call;
  lb_mutex_unlock(&slot->mu);
  if (taken) {
    lb_call_release(call);
    return slot_occupied(call->ops->name, err);
  }
  if (ends) (void)lb_call_cancel(call);
  return LB_OK;
}

static void slot_empty(struct lb_call_slot *slot) {
  lb_mutex_lock(&slot->mu);
  struct lb_call *call = slot->call;
  slot->call = NULL;
  lb_mutex_unlock(&slot->mu);
  lb_call_release(call);
}

enum lb_status lb_call_slot_begin(struct lb_call_slot *slot, struct lb_call *call,
                                  struct lb_error *err) {
  LB_TRY(slot_take(slot, call, err));
  lb_call_start(call);
  return LB_OK;
}

enum lb_status lb_call_slot_end(struct lb_call_slot *slot, struct lb_call *call,
                                int64_t deadline_ms, struct lb_error *err) {
  enum lb_status status = lb_call_wait(call, deadline_ms, err);
  slot_empty(slot);
  return status;
}

enum lb_status lb_call_run(struct lb_call_slot *slot, struct lb_call *call,
                           int64_t deadline_ms, struct lb_error *err) {
  LB_TRY(lb_call_slot_begin(slot, call, err));
  return lb_call_slot_end(slot, call, deadline_ms, err);
}

enum lb_status lb_call_slot_wait(struct lb_call_slot *slot, struct lb_call *call,
                                 int64_t deadline_ms, struct lb_error *err) {
  LB_TRY(slot_take(slot, call, err));
  enum lb_status status = lb_call_wait(call, deadline_ms, err);
  slot_empty(slot);
  return status;
}

bool lb_call_slot_cancel(struct lb_call_slot *slot, uint64_t *turn) {
  lb_mutex_lock(&slot->mu);
  struct lb_call *call = slot->call;
  if (call != NULL) lb_call_retain(call);
  bool cancelled = slot->cancelled = slot->entered;
  if (turn != NULL) *turn = slot->turns;
  lb_mutex_unlock(&slot->mu);
  if (call == NULL) return cancelled;
  cancelled = lb_call_cancel(call) || cancelled;
  lb_call_release(call);
  return cancelled;
}

void lb_call_slot_shut(struct lb_call_slot *slot) {
  lb_mutex_lock(&slot->mu);
  slot->shut = true;
  lb_mutex_unlock(&slot->mu);
  (void)lb_call_slot_cancel(slot, NULL);
}
