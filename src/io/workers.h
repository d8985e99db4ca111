/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that decode pages and files, so that the I/O thread need not: a small fixed
 * number for the whole process, whatever the number of results. They belong to the I/O
 * object: the first lb_workers_start makes all of them, they wait without a timer while
 * there is nothing to do, and end after the I/O thread has.
 *
 * A job is memory of its poster's and runs once, in the order of posting, with no lock
 * held. It must not wait for the network, for another job or for the application, since
 * all results share these few threads. */
#ifndef LB_IO_WORKERS_H
#define LB_IO_WORKERS_H

#include "io/io.h"

#define LB_WORKERS_MAX 4

struct lb_job {
  struct lb_list node;
  void (*run)(struct lb_job *job); /* the memory of job is run's from here on */
};
static inline void lb_job_init(struct lb_job *job, void (*run)(struct lb_job *)) {
  lb_list_init(&job->node);
  job->run = run;
}

/* How many, 1 to LB_WORKERS_MAX: the largest value set since the acquire that made io
 * counts; without one 2, or 1 on a machine of one processor. More than run already are
 * made by the next lb_workers_start. Any thread. */
void lb_workers_set_count(struct lb_io *io, int32_t count);
/* Makes sure that they run. LB_OK with fewer than wanted, if at least one does. Any
 * thread. */
enum lb_status lb_workers_start(struct lb_io *io, struct lb_error *err) LB_MUST_USE;
/* After lb_workers_start. Any thread that keeps io, jobs included; hold no lock that a
 * job takes. Every job runs before io ends. Once the workers have ended, while the
 * process exits, the poster runs it itself before this returns. */
void lb_workers_post(struct lb_io *io, struct lb_job *job);
/* Threads that run now. */
int32_t lb_workers_running(struct lb_io *io);

#endif
