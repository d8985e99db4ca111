/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure, each step on the I/O thread:
 *  1. Send ExecuteStatement. It is never repeated unless the server provably did not
 *     get it or refused it (429, 503). A catalog call takes the same way, and may be
 *     repeated. A server that does not know the session has not run it: where no
 *     statement has changed the session, it is opened anew (reopen.c) and the statement
 *     sent again, once.
 *  2. While the operation lives, poll. Servers block in a status call for some
 *     seconds, so the next poll follows at once; from one that answers at once the
 *     polls back off from POLL_FIRST_MS, doubling, to POLL_MOST_MS.
 *  3. A failed operation is closed, and its failure is the call's.
 *  4. Finished without metadata: ask for it, now and not earlier (Spark keeps a wrong
 *     schema for ever when it is asked too early). A server without result set has
 *     none.
 *  5. When the caller has given up: the Execute in flight is waited for
 *     (LB_ORPHAN_MS), any other request is dropped; then cancel and close. */
#include "session/execute.h"

#include "session/session_internal.h"
#include "session/sql_state.h"

#define POLL_FIRST_MS 10
#define POLL_MOST_MS 1000
/* A status call that took longer than this has waited in the server. */
#define LONG_POLL_MS 100

static struct lb_execute_call *exec_of(struct lb_call *call) {
  return LB_CONTAINER_OF(call, struct lb_execute_call, base);
}

static const struct lb_backend *backend_of(const struct lb_execute_call *call) {
  return call->op->sess->backend;
}

static void exec_destroy(struct lb_call *base) {
  struct lb_execute_call *call = exec_of(base);
  lb_request_release(call->req);
  lb_op_release(call->op);
  lb_buf_reset(&call->execute_reply);
  lb_buf_reset(&call->metadata_reply);
  lb_free(call);
}

/* What it does to the session is known, or nothing. */
static void leave_changing(struct lb_execute_call *call) {
  if (call->changing) call->op->sess->owned.changing--;
  call->changing = false;
}

/* Ends the call. Unless it succeeded for a caller who still waits, nothing stays on the
 * server. */
static void exec_end(struct lb_execute_call *call, struct lb_io *io,
                     enum lb_status status, struct lb_error *err) {
  bool abandoned = lb_call_abandoned(&call->base);
  leave_changing(call);
  if (abandoned || status != LB_OK) {
    if (abandoned || call->head.state == LB_OP_LIVE) lb_op_send_cancel(call->op, io);
    lb_op_send_close(call->op, io);
  }
  if (status != LB_OK) lb_error_set_query_id(err, call->op->query_id);
  if (status != LB_OK && call->op->own && call->op->origin == LB_OP_STATEMENT) {
    lb_error_append(err, " (in a statement that the driver made itself)");
  }
  struct lb_op *op = call->op;
  lb_op_retain(op);
  bool taken = lb_call_finish(&call->base, status, err);
  /* The caller may have given up at this very moment. */
  if (!taken && status == LB_OK) {
    lb_op_send_cancel(op, io);
    lb_op_send_close(op, io);
  }
  lb_op_release(op);
}

static void exec_answered(struct lb_request *req, struct lb_io *io);
static void poll_answered(struct lb_request *req, struct lb_io *io);
static void metadata_answered(struct lb_request *req, struct lb_io *io);

static void start_request(struct lb_execute_call *call, struct lb_io *io,
                          struct lb_request *req,
                          void (*done)(struct lb_request *, struct lb_io *)) {
  lb_request_release(call->req);
  req->ctx = call;
  req->done = done;
  call->req = req;
  lb_request_start(io, req);
}

static void send_step(struct lb_execute_call *call, struct lb_io *io, bool metadata) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_request *req = NULL;
  enum lb_status status = lb_session_request(call->op->sess, &req, &err);
  if (status == LB_OK) {
    status = metadata ? backend_of(call)->build_metadata(&call->op->handle, req, &err)
                      : backend_of(call)->build_poll(
                            &call->op->handle,
                            lb_server_facts(lb_session_kind(call->op->sess))->progress,
                            req, &err);
  }
  if (status != LB_OK) {
    lb_request_release(req);
    exec_end(call, io, status, &err);
    return;
  }
  start_request(call, io, req, metadata ? metadata_answered : poll_answered);
}

static void poll_due(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  (void)now_ms;
  send_step(LB_CONTAINER_OF(timer, struct lb_execute_call, timer), io, false);
}

/* Step 2: the pause before the next poll. */
static void schedule_poll(struct lb_execute_call *call, struct lb_io *io, bool waited) {
  call->poll_delay_ms =
      waited ? 0 : LB_MIN(LB_MAX(call->poll_delay_ms * 2, POLL_FIRST_MS), POLL_MOST_MS);
  if (call->poll_delay_ms == 0) {
    send_step(call, io, false);
    return;
  }
  struct lb_error err = LB_ERROR_INIT;
  int64_t due_ms = lb_ms_add(lb_io_now_ms(io), call->poll_delay_ms);
  enum lb_status status = lb_timer_set(io, &call->timer, due_ms, &err);
  if (status != LB_OK) exec_end(call, io, status, &err);
}

static bool needs_metadata(const struct lb_execute_call *call) {
  if (call->head.has_metadata || call->head.closed_by_server) return false;
  /* Hive says truly whether there are rows, and fails when asked for metadata of none. */
  return call->head.handle.has_result_set ||
         lb_session_kind(call->op->sess) != LB_KIND_HIVE;
}

/* Steps 2 to 4, by the state of the head. */
static void advance(struct lb_execute_call *call, struct lb_io *io, bool waited) {
  if (lb_call_abandoned(&call->base)) {
    exec_end(call, io, LB_CANCELLED, &call->head.failure);
    return;
  }
  switch (call->head.state) {
    case LB_OP_LIVE:
      schedule_poll(call, io, waited);
      return;
    case LB_OP_FINISHED:
      if (needs_metadata(call)) {
        send_step(call, io, true);
      } else {
        exec_end(call, io, LB_OK, NULL);
      }
      return;
    default:
      exec_end(call, io, call->head.failure.status, &call->head.failure);
      return;
  }
}

/* The session is there again, or cannot be had. */
static void session_reopened(struct lb_reopen *wait, struct lb_io *io,
                             enum lb_status status, struct lb_error *err) {
  struct lb_execute_call *call = LB_CONTAINER_OF(wait, struct lb_execute_call, reopen);
  struct lb_session *sess = call->op->sess;
  struct lb_request *req = NULL;
  call->reopening = false;
  if (status == LB_OK) status = lb_session_request(sess, &req, err);
  if (status == LB_OK) {
    const struct lb_server *lost = call->server;
    call->server = lb_session_server(sess);
    status = backend_of(call)->build_again(call->req, lost, call->server, req, err);
  }
  if (status != LB_OK) {
    lb_request_release(req);
    exec_end(call, io, status, err);
    return;
  }
  start_request(call, io, req, exec_answered);
}

/* The server does not know the session, so nothing has run. True: it is opened anew, and
 * the call goes on after that. */
static bool reopen(struct lb_execute_call *call, struct lb_io *io, enum lb_status status,
                   struct lb_error *err) {
  bool lost = status == LB_SESSION_LOST ||
              (status == LB_RESULT_LOST && call->req->http_status == 404);
  if (!lost || call->head.has_handle || call->reopened) return false;
  if (lb_call_abandoned(&call->base)) return false;
  if (!lb_session_may_reopen(call->op->sess, call->changing ? 1 : 0, err)) return false;
  call->reopened = call->reopening = true;
  call->reopen.done = session_reopened;
  lb_list_init(&call->reopen.node);
  lb_session_reopen(call->op->sess, io, call->server, &call->reopen);
  return true;
}

static void exec_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_execute_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = backend_of(call)->read_execute(req, &call->head, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  if (status != LB_OK && reopen(call, io, status, &err)) return;
  bool refused = status != LB_OK && !call->head.has_handle && !req->received_unknown;
  if (call->changes_session && !refused) call->op->sess->owned.has_state = true;
  leave_changing(call);
  /* The handle counts even when the rest of the reply could not be read. */
  if (call->head.has_handle) {
    lb_op_set_handle(call->op, &call->head.handle);
    call->op->owned.gone = call->head.closed_by_server;
  }
  if (status != LB_OK) {
    exec_end(call, io, status, &err);
    return;
  }
  lb_op_confirmed(call->op, LB_RPC_EXECUTE, req->sent_ms, lb_io_now_ms(io));
  lb_buf_move(&call->execute_reply, &req->reply);
  call->server_ms = req->headers.date_ms;
  /* Direct results wait in the server, so the first poll follows at once. */
  call->poll_delay_ms = 0;
  advance(call, io, true);
}

static void poll_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_execute_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op_head head;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = backend_of(call)->read_poll(req, &head, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  if (status != LB_OK) {
    exec_end(call, io, status, &err);
    return;
  }
  int64_t now_ms = lb_io_now_ms(io);
  lb_op_confirmed(call->op, LB_RPC_STATUS, req->sent_ms, now_ms);
  call->head.state = head.state;
  call->head.failure = head.failure;
  if (head.progress >= 0) {
    atomic_store(&call->progress_ppm, (int)(LB_MIN(head.progress, 1.0) * 1e6));
  }
  if (head.modified_rows >= 0) call->head.modified_rows = head.modified_rows;
  advance(call, io, now_ms - req->sent_ms > LONG_POLL_MS);
}

static void metadata_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_execute_call *call = req->ctx;
  enum lb_status status = req->status;
  if (status != LB_OK) {
    exec_end(call, io, status, &req->err);
    return;
  }
  status = backend_of(call)->read_metadata(req, &call->metadata_err);
  call->metadata_failed = status != LB_OK;
  if (status == LB_OK) {
    lb_op_confirmed(call->op, LB_RPC_METADATA, req->sent_ms, lb_io_now_ms(io));
    lb_buf_move(&call->metadata_reply, &req->reply);
  }
  /* Only a refusal of the metadata alone leaves rows that can be read without it. */
  bool readable = status == LB_OK || status == LB_SERVER;
  exec_end(call, io, readable ? LB_OK : status, &call->metadata_err);
}

static void exec_begin(struct lb_call *base, struct lb_io *io) {
  struct lb_execute_call *call = exec_of(base);
  call->changing = call->changes_session;
  if (call->changing) call->op->sess->owned.changing++;
  lb_request_start(io, call->req);
}

static void exec_abandon(struct lb_call *base, struct lb_io *io) {
  struct lb_execute_call *call = exec_of(base);
  if (call->reopening) {
    struct lb_error err = LB_ERROR_INIT;
    lb_session_reopen_leave(call->op->sess, io, &call->reopen);
    lb_error_set(&err, LB_CANCELLED, "the statement was cancelled");
    exec_end(call, io, LB_CANCELLED, &err);
    return;
  }
  if (call->req->done == exec_answered && !call->op->has_handle) {
    lb_request_orphan(io, call->req);
    return;
  }
  if (lb_heap_contains(&call->timer.node)) {
    struct lb_error err = LB_ERROR_INIT;
    lb_timer_cancel(io, &call->timer);
    lb_error_set(&err, LB_CANCELLED, "the statement was cancelled");
    exec_end(call, io, LB_CANCELLED, &err);
    return;
  }
  lb_request_cancel(io, call->req);
}

static const struct lb_call_ops exec_ops = {
    .name = "execute",
    .begin = exec_begin,
    .abandon = exec_abandon,
    .destroy = exec_destroy,
};

/* The call without its request's body. */
static enum lb_status exec_create(struct lb_session *sess, enum lb_op_origin origin,
                                  struct lb_execute_call **out, struct lb_error *err) {
  LB_TRY(lb_session_check_usable(sess, err));
  struct lb_execute_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof *call);
  if (!call) return lb_error_oom(err, "the execution of a statement");
  lb_buf_init(&call->execute_reply, LB_MEM_IO, SIZE_MAX);
  lb_buf_init(&call->metadata_reply, LB_MEM_IO, SIZE_MAX);
  lb_timer_init(&call->timer, poll_due);
  atomic_init(&call->progress_ppm, 0);
  call->head = (struct lb_op_head){.state = LB_OP_LIVE, .modified_rows = -1};
  enum lb_status status = lb_call_init(&call->base, &exec_ops, sess->io, err);
  if (status != LB_OK) {
    lb_free(call);
    return status;
  }
  status = lb_op_create(sess, origin, &call->op, err);
  if (status == LB_OK) status = lb_session_request(sess, &call->req, err);
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  call->server = lb_session_server(sess);
  *out = call;
  return LB_OK;
}

static enum lb_status exec_built(struct lb_execute_call *call, enum lb_status status,
                                 struct lb_execute_call **out) {
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  call->req->ctx = call;
  call->req->done = exec_answered;
  call->what = call->req->what;
  *out = call;
  return LB_OK;
}

enum lb_status lb_execute_create(struct lb_session *sess,
                                 const struct lb_execute_params *params,
                                 struct lb_execute_call **out, struct lb_error *err) {
  struct lb_execute_call *call;
  LB_TRY(exec_create(sess, LB_OP_STATEMENT, &call, err));
  call->op->own = params->own;
  call->changes_session = lb_sql_changes_session(params->sql);
  enum lb_status status =
      sess->backend->build_execute(call->server, params, call->req, err);
  return exec_built(call, status, out);
}

enum lb_status lb_execute_create_catalog(struct lb_session *sess,
                                         const struct lb_catalog_params *params,
                                         struct lb_execute_call **out,
                                         struct lb_error *err) {
  struct lb_execute_call *call;
  LB_TRY(exec_create(sess, LB_OP_METADATA, &call, err));
  call->op->own = true;
  enum lb_status status =
      sess->backend->build_catalog(call->server, params, call->req, err);
  return exec_built(call, status, out);
}
