/* SPDX-License-Identifier: Apache-2.0 */
/* Making a result set, for statement.c; the one place where heartbeats are armed. */
#ifndef LB_RESULT_RESULT_INTERNAL_H
#define LB_RESULT_RESULT_INTERNAL_H

#include "result/page.h"
#include "result/parked.h"
#include "result/result.h"
#include "session/execute.h"

struct lb_result_options {
  struct lb_hb_options heartbeat;
  enum lb_probe_kind probe; /* resolved for the server's kind */
  int64_t max_rows;
  int64_t max_bytes;
  bool prefetch;
};

/* From an execution that has finished. stats is retained. A fetch that this needs waits
 * in the maker's slot. On failure the operation has been closed. */
enum lb_status lb_result_create(struct lb_execute_call *call,
                                const struct lb_result_options *options,
                                struct lb_hb_stats *stats, struct lb_call_slot *maker,
                                struct lb_result **out, struct lb_error *err) LB_MUST_USE;

#endif
