/* SPDX-License-Identifier: Apache-2.0 */
#include "session/storage.h"

#include "session/session_internal.h"

/* Of a store's error, for its code alone. */
#define ERROR_BODY_BYTES (64u * 1024u)

static struct lb_storage_call *storage_of(struct lb_call *call) {
  return LB_CONTAINER_OF(call, struct lb_storage_call, base);
}

static void storage_destroy(struct lb_call *base) {
  struct lb_storage_call *call = storage_of(base);
  for (size_t i = 0; i < LB_STORAGE_HEADERS_MAX; i++) {
    if (call->headers[i]) lb_wipe(call->headers[i], strlen(call->headers[i]));
    lb_free(call->headers[i]);
  }
  lb_request_release(call->req);
  lb_endpoint_release(call->endpoint);
  lb_pipe_release(call->pipe);
  lb_free(call);
}

void lb_storage_error_code(const struct lb_request *req, char *out, size_t cap) {
  struct lb_str body = {(const char *)req->reply.data, req->reply.len};
  size_t at = body.len > 0 ? lb_str_find(body, LB_STR("<Code>")) : SIZE_MAX;
  out[0] = '\0';
  if (at == SIZE_MAX) return;
  size_t len = 0;
  for (at += 6; at + len < body.len && len + 3 < cap; len++) {
    char c = body.data[at + len];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) break;
  }
  if (len == 0) return;
  out[0] = ' ';
  lb_str_copy(out + 1, cap - 1, (struct lb_str){body.data + at, len});
}

static enum lb_status judge(const struct lb_request *req, struct lb_error *err) {
  if (req->status != LB_OK) {
    lb_error_copy(err, &req->err);
    return req->status;
  }
  int32_t http = req->http_status;
  /* Of a download anything but 200 is not the whole file. */
  bool other =
      req->method != LB_METHOD_GET && (http == 201 || http == 202 || http == 204);
  if (http == 200 || other) return LB_OK;
  char code[64];
  lb_storage_error_code(req, code, sizeof code);
  enum lb_status status = LB_HTTP;
  const char *text = "";
  if (http == 404) status = LB_NOT_FOUND;
  if (http == 403) {
    status = LB_UNAUTHORIZED;
    text = "; its permission may have expired";
  }
  if ((http == 412 || http == 409) && req->method == LB_METHOD_PUT) {
    status = LB_ALREADY_EXISTS;
    text = "; the file exists: add OVERWRITE to replace it";
  }
  if (http == 429 || http >= 500) status = LB_UNAVAILABLE;
  lb_error_set(err, status, "%s: the store %s answered HTTP %d%s%s", req->what,
               lb_endpoint_host(req->endpoint), (int)http, code, text);
  if (req->attempts > 1) {
    lb_error_append(err, " (attempt %d, option databricks.retry_timeout_seconds)",
                    (int)req->attempts);
  }
  if (err) err->http_status = http;
  return status;
}

static void storage_done(struct lb_request *req, struct lb_io *io) {
  (void)io;
  struct lb_storage_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = judge(req, &err);
  lb_call_finish(&call->base, status, &err);
}

static void storage_begin(struct lb_call *base, struct lb_io *io) {
  lb_request_start(io, storage_of(base)->req);
}

static void storage_abandon(struct lb_call *base, struct lb_io *io) {
  lb_request_cancel(io, storage_of(base)->req);
}

static const struct lb_call_ops storage_ops = {
    .name = "transfer",
    .begin = storage_begin,
    .abandon = storage_abandon,
    .destroy = storage_destroy,
};

enum lb_status lb_storage_endpoint(struct lb_session *sess, const char *what,
                                   const char *url, struct lb_endpoint **out,
                                   struct lb_error *err) {
  struct lb_endpoint *endpoint;
  LB_TRY(lb_endpoint_derive(sess->endpoint, url, &endpoint, err));
  bool local =
      lb_endpoint_is_loopback(endpoint) && lb_endpoint_is_loopback(sess->endpoint);
  if (lb_endpoint_is_tls(endpoint) || local) {
    *out = endpoint;
    return LB_OK;
  }
  lb_error_set(err, LB_PROTOCOL,
               "%s: the server gave a URL without TLS for the store %s; it is not used",
               what, lb_endpoint_host(endpoint));
  lb_endpoint_release(endpoint);
  return LB_PROTOCOL;
}

static enum lb_status fill(struct lb_storage_call *call, struct lb_session *sess,
                           const struct lb_storage_params *params, struct lb_error *err) {
  LB_TRY(lb_storage_endpoint(sess, params->what, params->url, &call->endpoint, err));
  for (size_t i = 0; i < params->header_count; i++) {
    call->headers[i] = lb_strdup(LB_MEM_IO, params->headers[i]);
    if (!call->headers[i]) return lb_error_oom(err, "a request header");
  }
  LB_TRY(lb_pipe_create(sess->io, &call->pipe, err));
  LB_TRY(lb_request_create(call->endpoint, &call->req, err));
  struct lb_request *req = call->req;
  req->req_class = LB_REQ_DOWNLOAD;
  req->repeat =
      params->method == LB_METHOD_GET ? LB_REPEAT_SAFE : LB_REPEAT_IF_NOT_RECEIVED;
  req->method = params->method;
  req->what = params->what;
  req->max_reply_bytes = ERROR_BODY_BYTES;
  req->header_lines = (const char *const *)call->headers;
  req->header_count = params->header_count;
  lb_pipe_retain(call->pipe);
  req->pipe = call->pipe;
  req->upload_bytes = params->upload_bytes;
  if (params->limit_s > 0) {
    req->timeout_ms = params->limit_s * 1000;
    req->timeout_option = "databricks.query_timeout_seconds";
  }
  req->ctx = call;
  req->done = storage_done;
  return LB_OK;
}

enum lb_status lb_storage_create(struct lb_session *sess,
                                 const struct lb_storage_params *params,
                                 struct lb_storage_call **out, struct lb_error *err) {
  struct lb_storage_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof *call);
  if (!call) return lb_error_oom(err, "a transfer");
  enum lb_status status = lb_call_init(&call->base, &storage_ops, sess->io, err);
  if (status != LB_OK) {
    lb_free(call);
    return status;
  }
  status = fill(call, sess, params, err);
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  *out = call;
  return LB_OK;
}
