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
  /* Set before it starts; told NULL: none. Called on the I/O thread when the call has
   * finished; drop when the call is freed. */
  void (*told)(void *ctx);
  void (*told_drop)(void *ctx);
  void *told_ctx;

  /* After the call has finished with LB_OK, for its starter only. */
  struct lb_buf reply;
  int64_t server_ms;  /* the server's clock, ms since 1970; -1 not told */
  int64_t contact_ms; /* the operation's; also after a failure */

  struct lb_request *req; /* I/O thread once started */
};

enum lb_status lb_fetch_create(struct lb_op *op, const struct lb_fetch_params *params,
                               struct lb_fetch_call **out,
                               struct lb_error *err) LB_MUST_USE;

#endif
