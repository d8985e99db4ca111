/* SPDX-License-Identifier: Apache-2.0 */
#include "session/fetch.h"

#include "session/session_internal.h"

static struct lb_fetch_call *fetch_of(struct lb_call *call) {
  return LB_CONTAINER_OF(call, struct lb_fetch_call, base);
}

static void fetch_destroy(struct lb_call *base) {
  struct lb_fetch_call *call = fetch_of(base);
  lb_request_release(call->req);
  lb_op_release(call->op);
  lb_buf_reset(&call->reply);
  if (call->told) call->told_drop(call->told_ctx);
  lb_free(call);
}

static void fetch_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_fetch_call *call = req->ctx;
  struct lb_op *op = call->op;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_fetch_head head = {0};
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = op->sess->backend->read_fetch(req, &head, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  op->owned.confirmed_row = call->params.start_row;
  if (status == LB_OK) {
    int64_t now_ms = lb_io_now_ms(io);
    lb_op_confirmed(op, LB_RPC_FETCH, req->sent_ms, now_ms);
    const struct lb_server_facts *facts = lb_server_facts(lb_session_kind(op->sess));
    const struct lb_op_watch *watch = &op->owned.watch;
    if (head.has_links) op->owned.gave_links = true;
    bool local = head.last_page && !op->owned.gave_links;
    if (local && facts->reliable_has_more && watch->all_local) {
      watch->all_local(watch->ctx, now_ms);
    }
    lb_buf_move(&call->reply, &req->reply);
  } else {
    lb_error_set_query_id(&err, op->query_id);
  }
  call->contact_ms = atomic_load(&op->contact_ms);
  call->server_ms = req->headers.date_ms;
  lb_call_retain(&call->base);
  lb_call_finish(&call->base, status, &err);
  if (call->told) call->told(call->told_ctx);
  lb_call_release(&call->base);
}

static void fetch_begin(struct lb_call *base, struct lb_io *io) {
  struct lb_fetch_call *call = fetch_of(base);
  struct lb_op *op = call->op;
  op->owned.confirmed_row = call->params.start_row;
  op->owned.asked_row = lb_ms_add(call->params.start_row, call->params.max_rows);
  lb_request_start(io, call->req);
}

static void fetch_abandon(struct lb_call *base, struct lb_io *io) {
  lb_request_cancel(io, fetch_of(base)->req);
}

static const struct lb_call_ops fetch_ops = {
    .name = "fetch",
    .begin = fetch_begin,
    .abandon = fetch_abandon,
    .destroy = fetch_destroy,
};

enum lb_status lb_fetch_create(struct lb_op *op, const struct lb_fetch_params *params,
                               struct lb_fetch_call **out, struct lb_error *err) {
  struct lb_session *sess = op->sess;
  struct lb_fetch_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof *call);
  if (!call) return lb_error_oom(err, "a fetch");
  lb_buf_init(&call->reply, LB_MEM_IO, SIZE_MAX);
  enum lb_status status = lb_call_init(&call->base, &fetch_ops, sess->io, err);
  if (status != LB_OK) {
    lb_free(call);
    return status;
  }
  lb_op_retain(op);
  call->op = op;
  call->params = *params;
  status = lb_session_request(sess, &call->req, err);
  if (status == LB_OK) {
    status = sess->backend->build_fetch(lb_session_server(sess), &op->handle, params,
                                        call->req, err);
  }
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  call->req->ctx = call;
  call->req->done = fetch_answered;
  *out = call;
  return LB_OK;
}
