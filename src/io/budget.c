/* SPDX-License-Identifier: Apache-2.0 */
/* 1. The bytes in use are one atomic number, so that taking and giving back need no lock.
 * 2. Whoever gives back looks for waiters afterwards, and who begins to wait says so
 *    before it tries once more: one of the two sees the other.
 * 3. Waiters belong to the I/O thread. They are served by a task, of which one is on its
 *    way at most: first the one whose turn it is, as long as there is enough for it. Each
 *    waiter is looked at once per task, so that one that waits again at once cannot keep
 *    the loop.
 * 4. A turn of LB_BUDGET_TURN_MS begins when the first in line cannot be served and
 *    another one behind it could. A second is long enough for a reader that reads to take
 *    over what was fetched for it, and nobody is delayed by more than that per waiter
 *    that cannot be helped. While nobody can be served no timer runs: the next return
 *    looks again. */
#include "io/budget.h"

#include "io/budget_internal.h"
#include "io/io_internal.h"

/* A few large pages, unless an option says otherwise. */
#define DEFAULT_BYTES (INT64_C(64) << 20)

static struct lb_io *io_of(struct lb_budget *budget) {
  return LB_CONTAINER_OF(budget, struct lb_io, budget);
}

static struct lb_budget_wait *first_of(struct lb_list *list) {
  return lb_list_empty(list) ? NULL
                             : LB_CONTAINER_OF(list->next, struct lb_budget_wait, node);
}

static void note_peak(struct lb_budget *budget, long long used) {
  long long peak = atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed);
  while (peak < used && !atomic_compare_exchange_weak_explicit(&budget->peak_bytes, &peak,
                                                               used, memory_order_relaxed,
                                                               memory_order_relaxed)) {
  }
}

static bool take(struct lb_budget *budget, int64_t bytes) {
  LB_ASSERT(bytes > 0);
  long long used = atomic_load(&budget->used_bytes);
  do {
    if (bytes > atomic_load(&budget->limit_bytes) - used) return false;
  } while (!atomic_compare_exchange_weak(&budget->used_bytes, &used, used + bytes));
  note_peak(budget, used + bytes);
  return true;
}

bool lb_budget_take(struct lb_budget *budget, int64_t bytes) {
  return atomic_load(&budget->waiting) == 0 && take(budget, bytes);
}

static void serve_soon(struct lb_budget *budget) {
  if (atomic_exchange(&budget->task_posted, true)) return;
  lb_io_post(io_of(budget), &budget->task);
}

void lb_budget_return(struct lb_budget *budget, int64_t bytes) {
  if (bytes == 0) return;
  long long before = atomic_fetch_sub(&budget->used_bytes, bytes);
  LB_ASSERT(bytes > 0 && before >= bytes);
  (void)before;
  if (atomic_load(&budget->waiting) > 0) serve_soon(budget);
}

void lb_budget_set_limit(struct lb_budget *budget, int64_t limit_bytes) {
  atomic_store(&budget->limit_bytes, limit_bytes);
  serve_soon(budget); /* waiters may fit now, or not any more */
}

static void leave_line(struct lb_budget *budget, struct lb_budget_wait *wait) {
  lb_list_remove(&wait->node);
  atomic_fetch_sub(&budget->waiting, 1);
}

static bool any_could_be_served(struct lb_budget *budget) {
  int64_t left = atomic_load(&budget->limit_bytes) - atomic_load(&budget->used_bytes);
  LB_LIST_FOR_EACH_SAFE(node, tmp, &budget->owned.line) {
    if (LB_CONTAINER_OF(node, struct lb_budget_wait, node)->bytes <= left) return true;
  }
  return false;
}

/* Begins or ends the time of the first in line, as the line is. */
static void set_turn(struct lb_budget *budget) {
  struct lb_io *io = io_of(budget);
  struct lb_budget_wait *first = first_of(&budget->owned.line);
  bool blocks = any_could_be_served(budget);
  if (blocks && budget->owned.turn_of == first) return;
  budget->owned.turn_of = NULL;
  lb_timer_cancel(io, &budget->owned.turn);
  if (!blocks) return;
  int64_t until_ms = lb_ms_add(lb_loop_now_ms(io), LB_BUDGET_TURN_MS);
  /* Without memory the turn ends with the next change of the line. */
  if (lb_timer_set(io, &budget->owned.turn, until_ms, NULL) == LB_OK) {
    budget->owned.turn_of = first;
  }
}

/* What the limit does not allow any more goes aside; what it allows again comes back. */
static void sort_by_limit(struct lb_budget *budget) {
  int64_t limit_bytes = atomic_load(&budget->limit_bytes);
  LB_LIST_FOR_EACH_SAFE(node, tmp, &budget->owned.aside) {
    if (LB_CONTAINER_OF(node, struct lb_budget_wait, node)->bytes > limit_bytes) continue;
    lb_list_remove(node);
    LB_CONTAINER_OF(node, struct lb_budget_wait, node)->aside = false;
    lb_list_push_back(&budget->owned.line, node);
    atomic_fetch_add(&budget->waiting, 1);
  }
  LB_LIST_FOR_EACH_SAFE(node, tmp, &budget->owned.line) {
    struct lb_budget_wait *wait = LB_CONTAINER_OF(node, struct lb_budget_wait, node);
    if (wait->bytes <= limit_bytes) continue;
    leave_line(budget, wait);
    wait->aside = true;
    lb_list_push_back(&budget->owned.aside, &wait->node);
  }
}

static void serve(struct lb_budget *budget) {
  struct lb_io *io = io_of(budget);
  sort_by_limit(budget);
  int32_t left = atomic_load(&budget->waiting);
  struct lb_budget_wait *first;
  while ((first = first_of(&budget->owned.line)) != NULL && take(budget, first->bytes)) {
    leave_line(budget, first);
    first->granted(first, io);
    if (--left > 0) continue;
    if (!lb_list_empty(&budget->owned.line)) serve_soon(budget);
    break;
  }
  set_turn(budget);
}

static void run_task(struct lb_io_task *task, struct lb_io *io) {
  struct lb_budget *budget = LB_CONTAINER_OF(task, struct lb_budget, task);
  (void)io;
  atomic_store(&budget->task_posted, false); /* before looking: what comes posts anew */
  serve(budget);
}

static void end_turn(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct lb_budget *budget = LB_CONTAINER_OF(timer, struct lb_budget, owned.turn);
  struct lb_budget_wait *first = first_of(&budget->owned.line);
  (void)io;
  (void)now_ms;
  LB_ASSERT(first != NULL && budget->owned.turn_of == first);
  budget->owned.turn_of = NULL;
  if (first != NULL) {
    lb_list_remove(&first->node);
    lb_list_push_back(&budget->owned.line, &first->node);
  }
  serve(budget);
}

bool lb_budget_take_or_wait(struct lb_io *io, struct lb_budget_wait *wait) {
  struct lb_budget *budget = &io->budget;
  LB_ASSERT(lb_io_on_thread(io) && wait->bytes > 0 && !lb_list_linked(&wait->node));
  wait->aside = wait->bytes > atomic_load(&budget->limit_bytes);
  if (wait->aside) {
    lb_list_push_back(&budget->owned.aside, &wait->node);
    return false;
  }
  bool alone = lb_list_empty(&budget->owned.line);
  atomic_fetch_add(&budget->waiting, 1);
  if (alone && take(budget, wait->bytes)) {
    atomic_fetch_sub(&budget->waiting, 1);
    return true;
  }
  lb_list_push_back(&budget->owned.line, &wait->node);
  set_turn(budget);
  return false;
}

void lb_budget_wait_cancel(struct lb_io *io, struct lb_budget_wait *wait) {
  struct lb_budget *budget = &io->budget;
  LB_ASSERT(lb_io_on_thread(io));
  if (!lb_list_linked(&wait->node)) return;
  if (wait->aside) {
    lb_list_remove(&wait->node);
    return;
  }
  leave_line(budget, wait);
  set_turn(budget);
  if (!lb_list_empty(&budget->owned.line)) serve_soon(budget);
}

int64_t lb_budget_limit(const struct lb_budget *budget) {
  return atomic_load_explicit(&budget->limit_bytes, memory_order_relaxed);
}

int64_t lb_budget_used(const struct lb_budget *budget) {
  return atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
}

int64_t lb_budget_peak(const struct lb_budget *budget) {
  return atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed);
}

void lb_budget_init(struct lb_budget *budget) {
  atomic_init(&budget->limit_bytes, DEFAULT_BYTES);
  atomic_init(&budget->used_bytes, 0);
  atomic_init(&budget->peak_bytes, 0);
  atomic_init(&budget->waiting, 0);
  atomic_init(&budget->task_posted, false);
  budget->task.run = run_task;
  lb_list_init(&budget->task.node);
  lb_list_init(&budget->owned.line);
  lb_list_init(&budget->owned.aside);
  lb_timer_init(&budget->owned.turn, end_turn);
  budget->owned.turn_of = NULL;
}

struct lb_budget *lb_io_budget(struct lb_io *io) { return &io->budget; }
