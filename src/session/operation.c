/* SPDX-License-Identifier: Apache-2.0 */
#include "session/operation.h"

#include "session/session_internal.h"

enum lb_status lb_op_create(struct lb_session *sess, enum lb_op_origin origin,
                            struct lb_op **out, struct lb_error *err) {
  struct lb_op *op = lb_alloc_zero(LB_MEM_MISC, sizeof *op);
  if (!op) return lb_error_oom(err, "an operation");
  atomic_init(&op->refs, 1);
  lb_session_hold(sess);
  op->sess = sess;
  op->origin = origin;
  *out = op;
  return LB_OK;
}

void lb_op_retain(struct lb_op *op) {
  atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
}

void lb_op_release(struct lb_op *op) {
  if (!op) return;
  if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1) return;
  struct lb_session *sess = op->sess;
  lb_wipe(&op->handle, sizeof op->handle);
  lb_free(op);
  lb_session_drop(sess);
}

void lb_op_set_handle(struct lb_op *op, const struct lb_op_handle *handle) {
  op->handle = *handle;
  op->has_handle = true;
  lb_uuid_text(handle->guid, op->query_id);
}

void lb_op_confirmed(struct lb_op *op, enum lb_op_rpc rpc, int64_t sent_ms,
                     int64_t now_ms) {
  atomic_store(&op->contact_ms, LB_MAX(atomic_load(&op->contact_ms), sent_ms));
  const struct lb_op_watch *watch = &op->owned.watch;
  if (watch->confirmed) watch->confirmed(watch->ctx, rpc, sent_ms, now_ms);
}

static void send_end(struct lb_op *op, struct lb_io *io, bool close);

static void end_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_op *op = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = op->sess->backend->read_end(req, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  if (status != LB_OK) {
    lb_log(lb_io_log(io), LB_LOG_INFO, "session", "statement %s: %s", op->query_id,
           err.message);
  }
  if (op->owned.cancel_unanswered) {
    op->owned.cancel_unanswered = false;
    if (op->owned.close_wanted) send_end(op, io, true);
  }
  lb_op_release(op);
}

static void send_end(struct lb_op *op, struct lb_io *io, bool close) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_request *req = NULL;
  const struct lb_backend *backend = op->sess->backend;
  enum lb_status status = lb_session_request(op->sess, &req, &err);
  if (status == LB_OK) {
    status = close ? backend->build_close(&op->handle, req, &err)
                   : backend->build_cancel(&op->handle, req, &err);
  }
  if (status == LB_OK) {
    lb_op_retain(op);
    op->owned.cancel_unanswered = !close;
    req->ctx = op;
    req->done = end_answered;
    lb_request_start(io, req);
  } else {
    lb_log(lb_io_log(io), LB_LOG_WARN, "session",
           "statement %s could not be %s and stays until the server forgets it: %s",
           op->query_id, close ? "closed" : "cancelled", err.message);
  }
  lb_request_release(req);
}

void lb_op_send_cancel(struct lb_op *op, struct lb_io *io) {
  if (!op->has_handle || op->owned.gone || op->owned.cancel_sent) return;
  op->owned.cancel_sent = true;
  send_end(op, io, false);
}

void lb_op_send_close(struct lb_op *op, struct lb_io *io) {
  if (!op->has_handle || op->owned.gone) return;
  op->owned.gone = true;
  if (op->owned.cancel_unanswered) {
    op->owned.close_wanted = true;
  } else {
    send_end(op, io, true);
  }
}
