/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct lb_budget, for src/io alone. */
#ifndef LB_IO_BUDGET_INTERNAL_H
#define LB_IO_BUDGET_INTERNAL_H

#include <stdatomic.h>

#include "io/budget.h"

struct lb_budget {
  atomic_llong limit_bytes;
  atomic_llong used_bytes;
  atomic_llong peak_bytes;
  atomic_int waiting;      /* in line */
  atomic_bool task_posted; /* task is on its way */
  struct lb_io_task task;
  struct {
    struct lb_list line;            /* struct lb_budget_wait, first come first served */
    struct lb_list aside;           /* those that want more than the limit */
    struct lb_timer turn;           /* the end of the time of turn_of */
    struct lb_budget_wait *turn_of; /* the first in line, while its time runs */
  } owned;
};

void lb_budget_init(struct lb_budget *budget);

#endif
