/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching one page of rows: one request, its reply judged on the I/O thread and
 * handed over whole, to be decoded by the reader. */
#ifndef LB_SESSION_FETCH_H
#define LB_SESSION_FETCH_H

#include "io/call.h"
#include "session/operation.h"

struct lb_fetch_call {
  struct lb_call base;
  struct lb_op *op; /* retained */
  struct lb_fetch_params params;

  /* After the call has finished with LB_OK, for its starter only. */
  struct lb_buf reply;
  int64_t contact_ms; /* the operation's; also after a failure */

  struct lb_request *req; /* I/O thread once started */
};

enum lb_status lb_fetch_create(struct lb_op *op, const struct lb_fetch_params *params,
                               struct lb_fetch_call **out,
                               struct lb_error *err) LB_MUST_USE;

#endif
