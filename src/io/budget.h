/* SPDX-License-Identifier: Apache-2.0 */
/* The process's budget of bytes for what is fetched ahead of its reader. What a reader
 * waits for never asks it, so whoever waits here delays nobody.
 *
 * Bytes are taken at once, or by standing in line. A line of waiters is served in turn:
 * one grant each, then the end of the line again, so no result gets two before another
 * that waits gets one. The first in line keeps its turn for LB_BUDGET_TURN_MS: all that
 * is given back meanwhile is for it, however little the others want. When that was not
 * enough (results that nobody reads hold the rest), it goes to the end of the line. One
 * that wants more than the whole budget waits aside, until the limit allows it. */
#ifndef LB_IO_BUDGET_H
#define LB_IO_BUDGET_H

#include "io/io.h"

struct lb_budget;

#define LB_BUDGET_TURN_MS 1000

/* The one of the I/O object; valid as long as a use of it is held. */
struct lb_budget *lb_io_budget(struct lb_io *io);

/* 64 MiB where nothing was set. A lower limit takes nothing back. Any thread. */
void lb_budget_set_limit(struct lb_budget *budget, int64_t limit_bytes);

/* True when the bytes were granted; they are to be given back with lb_budget_return. Not
 * while others stand in line. bytes > 0. Any thread, no lock. */
bool lb_budget_take(struct lb_budget *budget, int64_t bytes);
/* Posts to the I/O thread if somebody waits and has not been told yet. Any thread that
 * keeps the I/O object; no lock of the caller's may be held that granted takes. */
void lb_budget_return(struct lb_budget *budget, int64_t bytes);

struct lb_budget_wait {
  struct lb_list node; /* lb_list_init before the first use */
  int64_t bytes;
  bool aside; /* the budget's own */
  /* I/O thread, never from within the functions below: the bytes are the waiter's. It
   * may wait again. */
  void (*granted)(struct lb_budget_wait *wait, struct lb_io *io);
};
/* True: granted now. False: granted is called when its turn has come. I/O thread. */
bool lb_budget_take_or_wait(struct lb_io *io, struct lb_budget_wait *wait);
/* Leaves the line; no-op for one that is not in it. Nobody is called when the I/O thread
 * ends, so owners leave then. I/O thread. */
void lb_budget_wait_cancel(struct lb_io *io, struct lb_budget_wait *wait);

/* Any thread; bytes. The peak never exceeds the largest limit there was. */
int64_t lb_budget_limit(const struct lb_budget *budget);
int64_t lb_budget_used(const struct lb_budget *budget);
int64_t lb_budget_peak(const struct lb_budget *budget);

#endif
