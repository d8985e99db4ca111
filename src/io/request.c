/* SPDX-License-Identifier: Apache-2.0 */
#include "io/request.h"

#include "io/transfer.h"

enum lb_status lb_request_create(struct lb_endpoint *endpoint, struct lb_request **out,
                                 struct lb_error *err) {
  struct lb_request *req = lb_alloc_zero(LB_MEM_IO, sizeof(*req));
  struct lb_transfer *transfer = lb_alloc_zero(LB_MEM_IO, sizeof(*transfer));
  if (req == NULL || transfer == NULL) {
    lb_free(transfer);
    lb_free(req);
    return lb_error_oom(err, "an HTTP request");
  }
  atomic_init(&req->refs, 1);
  atomic_init(&transfer->asked_to_cancel, false);
  lb_endpoint_retain(endpoint);
  req->endpoint = endpoint;
  req->what = "request";
  req->max_reply_bytes = LB_REPLY_MAX_BYTES;
  lb_buf_init(&req->body, LB_MEM_IO, LB_REPLY_MAX_BYTES);
  lb_buf_init(&req->reply, LB_MEM_IO, LB_REPLY_MAX_BYTES);
  req->headers = (struct lb_reply_headers)LB_REPLY_HEADERS_INIT;
  lb_list_init(&req->task.node);
  lb_list_init(&req->cancel_task.node);
  transfer->req = req;
  req->transfer = transfer;
  *out = req;
  return LB_OK;
}

void lb_request_retain(struct lb_request *req) {
  atomic_fetch_add_explicit(&req->refs, 1, memory_order_relaxed);
}

void lb_request_release(struct lb_request *req) {
  if (req == NULL) return;
  if (atomic_fetch_sub_explicit(&req->refs, 1, memory_order_acq_rel) != 1) return;
  lb_pipe_release(req->pipe);
  lb_buf_reset(&req->body);
  lb_buf_reset(&req->reply);
  lb_endpoint_release(req->endpoint);
  lb_free(req->transfer);
  lb_free(req);
}

static void run_start(struct lb_io_task *task, struct lb_io *io) {
  lb_transfer_start(io, LB_CONTAINER_OF(task, struct lb_request, task));
}

void lb_request_start(struct lb_io *io, struct lb_request *req) {
  lb_request_retain(req); /* given back when done has returned */
  req->task.run = run_start;
  lb_io_post(io, &req->task);
}

static void run_cancel(struct lb_io_task *task, struct lb_io *io) {
  struct lb_request *req = LB_CONTAINER_OF(task, struct lb_request, cancel_task);
  lb_transfer_cancel(io, req);
  lb_request_release(req);
}

void lb_request_cancel(struct lb_io *io, struct lb_request *req) {
  /* A task may stand in the queue once only. */
  if (atomic_exchange(&req->transfer->asked_to_cancel, true)) return;
  lb_request_retain(req);
  req->cancel_task.run = run_cancel;
  lb_io_post(io, &req->cancel_task);
}

void lb_request_orphan(struct lb_io *io, struct lb_request *req) {
  LB_ASSERT(lb_io_on_thread(io));
  lb_transfer_orphan(io, req);
}
