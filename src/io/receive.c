/* SPDX-License-Identifier: Apache-2.0 */
/* 1. Headers that decide something are kept; those of an interim reply and trailers are
 *    not.
 * 2. The body of a good reply (200, 206) to a GET goes where the maker wants it: to its
 *    sink, to its pipe, or to memory. What refuses a byte ends the attempt.
 * 3. The body of any other reply to a request with a sink or pipe is kept for its error,
 *    as far as there is room.
 * 4. No body is longer than max_reply_bytes: a stated length ends the attempt before the
 *    first byte, any other at the byte that is too much. Pipes have no limit, since they
 *    hold nothing.
 * 5. A body that ends with the connection looks whole wherever it is cut. A pipe does not
 *    take one; a sink does, since its owner knows from the content what has to come. */
#include "io/receive.h"

#include "base/log.h"
#include "io/turns.h"

/* Kept of a reply that is no good. */
#define ERROR_BODY_MAX_BYTES ((size_t)64 << 10)

/* Callbacks give this to stop a transfer; fault says why. */
static size_t stop_with_fault(struct lb_transfer *t) {
  t->attempt.end = LB_ATTEMPT_FAULT;
  return 0;
}

static size_t too_large(struct lb_transfer *t) {
  (void)lb_error_set(&t->attempt.fault, LB_INVALID_DATA,
                     "%s: the reply of %s is larger than the limit of %zu bytes",
                     t->req->what, t->req->endpoint->host, t->req->max_reply_bytes);
  return stop_with_fault(t);
}

static size_t endless(struct lb_transfer *t) {
  (void)lb_error_set(&t->attempt.fault, LB_INVALID_DATA,
                     "%s: %s does not say how long its reply is, so a part of it could "
                     "not be told from the whole",
                     t->req->what, t->req->endpoint->host);
  return stop_with_fault(t);
}

/* 0 when there is none. */
static long http_status_of(const struct lb_transfer *t) {
  long http_status = 0;
  CURLcode code = curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http_status);
  return code == CURLE_OK ? http_status : 0;
}

/* The sink or pipe gets the body. */
static bool is_download(const struct lb_request *req, long http_status) {
  if (req->method != LB_METHOD_GET) return false;
  if (req->sink != NULL) return http_status == 200 || http_status == 206;
  return req->pipe != NULL && http_status == 200;
}

static size_t sink_refused(struct lb_transfer *t) {
  struct lb_error *fault = &t->attempt.fault;
  if (t->req->err.status != LB_OK) {
    lb_error_copy(fault, &t->req->err);
  } else {
    (void)lb_error_set(fault, LB_CANCELLED, "%s was ended by its receiver", t->req->what);
  }
  return stop_with_fault(t);
}

static size_t keep_for_error(struct lb_transfer *t, const char *data, size_t len) {
  struct lb_buf *reply = &t->req->reply;
  size_t max = LB_MIN(reply->max, ERROR_BODY_MAX_BYTES);
  lb_buf_append(reply, data, LB_MIN(len, max - LB_MIN(max, reply->len)));
  return len;
}

static size_t to_sink(struct lb_transfer *t, const char *data, size_t len) {
  struct lb_sink *sink = t->req->sink;
  if (len > t->req->max_reply_bytes - t->sunk_bytes) return too_large(t);
  t->sunk_bytes += len;
  if (sink->data(sink, (const uint8_t *)data, len)) return len;
  return sink_refused(t);
}

static size_t to_pipe(struct lb_transfer *t, const char *data, size_t len) {
  if (len > LB_PIPE_BYTES) { /* curl's buffers are smaller */
    (void)lb_error_set(&t->attempt.fault, LB_INTERNAL, "%s: %zu bytes at once",
                       t->req->what, len);
    return stop_with_fault(t);
  }
  if (lb_pipe_push(t->req->pipe, data, len)) {
    t->sunk_bytes += len;
    return len;
  }
  t->paused = true;
  return CURL_WRITEFUNC_PAUSE;
}

static size_t to_memory(struct lb_transfer *t, const char *data, size_t len) {
  struct lb_buf *reply = &t->req->reply;
  lb_buf_use_pool(reply, lb_io_pool(t->io));
  if (reply->len == 0 && t->req->headers.content_length > 0) {
    /* The length was compared with the limit when it came. */
    lb_buf_reserve(reply, (size_t)t->req->headers.content_length);
  }
  lb_buf_append(reply, data, len);
  if (reply->status == LB_OK) return len;
  if (reply->status == LB_INVALID_DATA) return too_large(t);
  (void)lb_error_oom(&t->attempt.fault, "a reply");
  return stop_with_fault(t);
}

size_t lb_receive_body(char *data, size_t size, size_t count, void *ctx) {
  struct lb_transfer *t = ctx;
  size_t len = size * count;
  lb_transfer_touch(t);
  if (!lb_turns_may_receive(t, len)) return CURL_WRITEFUNC_PAUSE;
  if (t->req->sink == NULL && t->req->pipe == NULL) return to_memory(t, data, len);
  if (!t->download) return keep_for_error(t, data, len);
  return t->req->sink != NULL ? to_sink(t, data, len) : to_pipe(t, data, len);
}

void lb_receive_reset(struct lb_transfer *t) {
  t->req->headers = (struct lb_reply_headers)LB_REPLY_HEADERS_INIT;
  t->chunked = false;
  t->head_ended = false;
  t->download = false;
  t->sunk_bytes = 0;
  t->retry_after[0] = '\0';
  t->date[0] = '\0';
}

/* "bytes 100-199/300". */
static int64_t range_start(struct lb_str value) {
  const struct lb_str unit = LB_STR("bytes ");
  int64_t start;
  if (!lb_str_starts_with_nocase(value, unit)) return -1;
  struct lb_str rest = {value.data + unit.len, value.len - unit.len};
  size_t dash = lb_str_find(rest, LB_STR("-"));
  if (dash == SIZE_MAX) return -1;
  struct lb_str number = lb_str_trim((struct lb_str){rest.data, dash});
  return lb_str_to_i64(number, &start) && start >= 0 ? start : -1;
}

static bool keep_number(struct lb_transfer *t, struct lb_str name, struct lb_str value) {
  struct lb_reply_headers *to = &t->req->headers;
  if (lb_str_equal_nocase(name, LB_STR("content-length"))) {
    int64_t length;
    if (lb_str_to_i64(value, &length) && length >= 0) to->content_length = length;
  } else if (lb_str_equal_nocase(name, LB_STR("content-range"))) {
    to->content_range_start = range_start(value);
  } else if (lb_str_equal_nocase(name, LB_STR("accept-ranges"))) {
    to->accept_ranges_bytes = lb_str_find_nocase(value, LB_STR("bytes")) != SIZE_MAX;
  } else if (lb_str_equal_nocase(name, LB_STR("transfer-encoding"))) {
    t->chunked = true;
  } else {
    return false;
  }
  return true;
}

static void keep_text(struct lb_transfer *t, struct lb_str name, struct lb_str value) {
  struct lb_reply_headers *to = &t->req->headers;
  const struct {
    struct lb_str name;
    char *dst;
    size_t cap;
  } kept[] = {
      {LB_STR("content-type"), to->content_type, sizeof(to->content_type)},
      {LB_STR("content-encoding"), to->content_encoding, sizeof(to->content_encoding)},
      {LB_STR("x-thriftserver-error-message"), to->thrift_error,
       sizeof(to->thrift_error)},
      {LB_STR("x-databricks-error-or-redirect-message"), to->databricks_error,
       sizeof(to->databricks_error)},
      {LB_STR("x-databricks-reason-phrase"), to->reason_phrase,
       sizeof(to->reason_phrase)},
      {LB_STR("x-request-id"), to->request_id, sizeof(to->request_id)},
      {LB_STR("x-ms-error-code"), to->store_error, sizeof(to->store_error)},
      {LB_STR("retry-after"), t->retry_after, sizeof(t->retry_after)},
      {LB_STR("date"), t->date, sizeof(t->date)},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(kept); i++) {
    if (!lb_str_equal_nocase(name, kept[i].name)) continue;
    lb_str_copy(kept[i].dst, kept[i].cap, value);
    return;
  }
  /* Half a tag would be another one. */
  if (lb_str_equal_nocase(name, LB_STR("etag")) && value.len < sizeof(to->etag)) {
    lb_str_copy(to->etag, sizeof(to->etag), value);
  }
}

/* False: the attempt ends here. */
static bool end_head(struct lb_transfer *t) {
  struct lb_request *req = t->req;
  struct lb_reply_headers *headers = &req->headers;
  long http_status = http_status_of(t);
  if (http_status < 200) return true; /* an interim reply */
  t->head_ended = true;
  t->download = is_download(req, http_status);
  if (!lb_http_date_parse(t->date, strlen(t->date), &headers->date_ms)) {
    headers->date_ms = -1;
  }
  bool limited = req->sink != NULL ? t->download : req->pipe == NULL;
  if (limited && headers->content_length > 0 &&
      (uint64_t)headers->content_length > req->max_reply_bytes) {
    (void)too_large(t);
    return false;
  }
  if (!t->download) return true;
  if (req->pipe != NULL && headers->content_length < 0 && !t->chunked) {
    (void)endless(t);
    return false;
  }
  if (req->sink == NULL) return true;
  req->http_status = (int32_t)http_status;
  if (req->sink->begin(req->sink, req)) return true;
  (void)sink_refused(t);
  return false;
}

size_t lb_receive_header(char *data, size_t size, size_t count, void *ctx) {
  struct lb_transfer *t = ctx;
  struct lb_str line = {data, size * count};
  lb_transfer_touch(t);
  if (t->head_ended) return line.len; /* a trailer */
  if (lb_str_starts_with_nocase(line, LB_STR("HTTP/"))) {
    lb_receive_reset(t); /* those of an interim reply do not count */
    return line.len;
  }
  size_t colon = lb_str_find(line, LB_STR(":"));
  if (colon == SIZE_MAX) {
    if (lb_str_trim(line).len > 0) return line.len;
    return end_head(t) ? line.len : 0;
  }
  struct lb_str name = {line.data, colon};
  struct lb_str value =
      lb_str_trim((struct lb_str){data + colon + 1, line.len - colon - 1});
  if (!keep_number(t, name, value)) keep_text(t, name, value);
  return line.len;
}
