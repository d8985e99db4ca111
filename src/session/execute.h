/* SPDX-License-Identifier: Apache-2.0 */
/* Executing a statement or a catalog call: sent, polled until it ends, its metadata
 * fetched, all on the I/O thread, while the caller waits or not. Start, done, wait and
 * cancel are those of lb_call; a caller that gives up leaves an orphan behind that
 * cancels and closes whatever the server makes of it. */
#ifndef LB_SESSION_EXECUTE_H
#define LB_SESSION_EXECUTE_H

#include "io/call.h"
#include "session/operation.h"
#include "session/reopen.h"

struct lb_execute_call {
  struct lb_call base;
  struct lb_op *op; /* retained */
  const char *what; /* the method: "ExecuteStatement", "GetTables" */

  /* After the call has finished with LB_OK, for its starter only. */
  struct lb_op_head head;
  struct lb_buf execute_reply; /* with direct results, when head says so */
  int64_t server_ms; /* the server's clock when it made that, ms since 1970; -1 */
  struct lb_buf metadata_reply; /* when the metadata came by itself */
  bool metadata_failed; /* metadata_err says why; rows may be readable all the same */
  struct lb_error metadata_err;

  atomic_int progress_ppm; /* of the whole, in millionths; any thread */

  /* I/O thread. */
  const struct lb_server *server; /* the session's handle that the request names */
  struct lb_reopen reopen;
  bool reopening; /* waits for the session to be opened anew */
  bool reopened;  /* once is enough */
  bool changes_session;
  bool changing; /* ... and is counted in the session */
  struct lb_request *req;
  struct lb_timer timer;
  int64_t poll_delay_ms;
};

/* Prepares; params' text is copied into the request. */
enum lb_status lb_execute_create(struct lb_session *sess,
                                 const struct lb_execute_params *params,
                                 struct lb_execute_call **out,
                                 struct lb_error *err) LB_MUST_USE;
/* The same for a catalog call: an operation of origin LB_OP_METADATA. */
enum lb_status lb_execute_create_catalog(struct lb_session *sess,
                                         const struct lb_catalog_params *params,
                                         struct lb_execute_call **out,
                                         struct lb_error *err) LB_MUST_USE;
/* lb_call_run(slot, &call->base, ...) executes; lb_call_release(&call->base) frees. */

#endif
