/* SPDX-License-Identifier: Apache-2.0 */
/* A result's heartbeat in the real world: the state machine of heartbeat.h wired to
 * operations and requests. Everything here runs on the I/O thread. The scheduler is
 * one per process; it is made with the first database and goes with the I/O thread.
 *
 * A struct lb_parked is embedded in a result. The scheduler points to it without
 * holding the result; only a probe in flight does (retain/release), so that a result
 * that nobody reads can go at any time. */
#ifndef LB_RESULT_PARKED_H
#define LB_RESULT_PARKED_H

#include "result/heartbeat.h"
#include "session/operation.h"

/* The sums of all that this I/O thread has looked after; retained for the caller, who
 * makes the blocks of databases below it. Any thread but the I/O thread. */
enum lb_status lb_parked_process_stats(struct lb_io *io, struct lb_hb_stats **out,
                                       struct lb_error *err) LB_MUST_USE;

struct lb_parked {
  struct lb_hb *hb;         /* NULL: not armed */
  struct lb_op *op;         /* the result's; borrowed */
  struct lb_request *probe; /* in flight, or NULL */
  struct lb_hb *probe_hb;   /* whose it is; retained */
  struct lb_probe_params params;
  void (*retain)(struct lb_parked *parked);
  void (*release)(struct lb_parked *parked);
};

/* Arms; contact is the operation's. On failure the stats say failed_to_arm, with a
 * WARN. */
void lb_parked_arm(struct lb_parked *parked, struct lb_io *io,
                   const struct lb_hb_options *options, enum lb_probe_kind probe,
                   struct lb_hb_stats *stats);
/* No-op when it was never armed. */
void lb_parked_stop(struct lb_parked *parked, struct lb_io *io, enum lb_hb_reason reason);
void lb_parked_reader(struct lb_parked *parked, bool inside, int64_t now_ms);
/* Frees the heartbeat; after the last stop. */
void lb_parked_reset(struct lb_parked *parked, struct lb_io *io);

#endif
