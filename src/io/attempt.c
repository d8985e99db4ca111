/* SPDX-License-Identifier: Apache-2.0 */
/* How a request is put to curl:
 * 1. HTTP/1.1, no redirect, no Expect, identity encoding, the path as it is: what a
 *    server of ours expects, and nothing that changes a request on the way.
 * 2. A body comes from a read callback, so that each part that leaves counts as a sign
 *    of life, and so that one that may not be sent twice is not: its seek fails once a
 *    byte was given. curl repeats a request by itself when a reused connection dies
 *    before the first byte of the reply; this turns that into CURLE_SEND_FAIL_REWIND.
 *    A small body leaves together with the head, in one segment that wakes the server
 *    once; of what is handed over so nobody knows how much has left, so all of it counts
 *    as sent, and a repeat by curl is refused where it begins.
 * 3. A connection idle for more than 30 s is reused for idempotent requests only:
 *    proxies and load balancers drop idle ones, many after 60 s, and the loss shows
 *    only after the request has left. Idempotent ones may use it for curl's own 118 s.
 * 4. TCP keepalive after 60 s, every 15 s: a dead peer shows long before the request
 *    timeout.
 * 5. Receive buffers of 256 KiB where bodies are large (16 KiB would cost 10 to 20 %
 *    CPU), 16 KiB elsewhere, since there may be hundreds of probes.
 * 6. Loopback hosts are never reached through a proxy of the environment's. A proxy that
 *    an option names is used for every host, whatever NO_PROXY says. */
#include "io/attempt.h"

#include <sys/socket.h>

#include "base/log.h"
#include "io/receive.h"
#include "io/turns.h"

#define IDLE_MAX_S 30L
#define IDLE_MAX_IDEMPOTENT_S 118L
#define KEEPALIVE_IDLE_S 60L
#define KEEPALIVE_INTERVAL_S 15L
#define BUFFER_LARGE_BYTES (256L * 1024)
#define BUFFER_SMALL_BYTES (16L * 1024)
#define BODY_AT_ONCE_BYTES ((size_t)16 * 1024)

void lb_attempt_resume(void *ctx) {
  struct lb_transfer *t = ctx;
  if (t->easy == NULL || !t->paused) return;
  t->paused = false;
  lb_transfer_touch(t);
  lb_transfer_connected(t); /* the deadlines change */
  CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
  if (code != CURLE_OK) {
    lb_log(&t->io->log, LB_LOG_WARN, "io", "%s: going on failed: %s", t->req->what,
           curl_easy_strerror(code));
  }
}

static size_t on_read(char *dst, size_t size, size_t count, void *ctx) {
  struct lb_transfer *t = ctx;
  const struct lb_buf *body = &t->req->body;
  size_t len = LB_MIN(size * count, body->len - t->body_given);
  if (len > 0) memcpy(dst, body->data + t->body_given, len);
  t->body_given += len;
  t->attempt.body_whole = t->body_given == body->len;
  lb_transfer_touch(t);
  return len;
}

static size_t on_read_pipe(char *dst, size_t size, size_t count, void *ctx) {
  struct lb_transfer *t = ctx;
  bool end = false;
  size_t len = lb_pipe_pull(t->req->pipe, dst, size * count, &end);
  lb_transfer_touch(t);
  t->body_given += len;
  t->attempt.body_whole = (int64_t)t->body_given >= t->req->upload_bytes;
  if (len > 0) return len;
  if (!end) {
    t->paused = true;
    return CURL_READFUNC_PAUSE;
  }
  return t->attempt.body_whole ? 0 : CURL_READFUNC_ABORT;
}

static int on_seek(void *ctx, curl_off_t offset, int origin) {
  struct lb_transfer *t = ctx;
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  if (t->body_given > 0 && t->req->repeat != LB_REPEAT_SAFE) return CURL_SEEKFUNC_FAIL;
  if (lb_outcome_may_be_received(&t->attempt)) t->req->received_unknown = true;
  t->body_given = 0;
  t->attempt.body_whole = false;
  return CURL_SEEKFUNC_OK;
}

/* A second time within an attempt: curl is about to repeat the request by itself. */
static bool may_repeat(struct lb_transfer *t) {
  if (!t->attempt.sent || !t->body_at_once) return true;
  if (t->req->repeat != LB_REPEAT_SAFE) {
    t->repeat_refused = true;
    return false;
  }
  t->req->received_unknown = true;
  return true;
}

static int on_connected(void *ctx, char *ip, char *local_ip, int port, int local_port) {
  struct lb_transfer *t = ctx;
  (void)ip;
  (void)local_ip;
  (void)port;
  (void)local_port;
  if (!may_repeat(t)) return CURL_PREREQFUNC_ABORT;
  t->attempt.sent = true;
  t->req->sent_ms = lb_io_now_ms(t->io);
  lb_transfer_touch(t);
  lb_transfer_connected(t);
  return CURL_PREREQFUNC_OK;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  (void)ctx;
  (void)purpose;
  return lb_os_socket_cloexec(address->family, address->socktype, address->protocol);
}

/* Remembers the first failure; later settings are skipped. */
#define SET(option, value) \
  if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)

static CURLcode set_callbacks(struct lb_transfer *t, CURL *easy) {
  CURLcode code = CURLE_OK;
  SET(CURLOPT_PRIVATE, (char *)t);
  SET(CURLOPT_ERRORBUFFER, t->curl_text);
  SET(CURLOPT_WRITEFUNCTION, lb_receive_body);
  SET(CURLOPT_WRITEDATA, (void *)t);
  SET(CURLOPT_HEADERFUNCTION, lb_receive_header);
  SET(CURLOPT_HEADERDATA, (void *)t);
  SET(CURLOPT_PREREQFUNCTION, on_connected);
  SET(CURLOPT_PREREQDATA, (void *)t);
  SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  return code;
}

static CURLcode set_connection(struct lb_transfer *t, CURL *easy) {
  const struct lb_endpoint *endpoint = t->req->endpoint;
  bool safe = t->req->repeat == LB_REPEAT_SAFE;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_URL, endpoint->url);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_SHARE, t->io->share);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_TCP_NODELAY, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
  SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
  SET(CURLOPT_MAXAGE_CONN, safe ? IDLE_MAX_IDEMPOTENT_S : IDLE_MAX_S);
  SET(CURLOPT_FRESH_CONNECT, t->req->fresh_connection ? 1L : 0L);
  /* 0 would be curl's own limit of 300 s. */
  int64_t connect_ms = endpoint->connect_timeout_ms;
  SET(CURLOPT_CONNECTTIMEOUT_MS,
      connect_ms > 0 && connect_ms < INT32_MAX ? (long)connect_ms : (long)INT32_MAX);
  if (endpoint->proxy != NULL) {
    SET(CURLOPT_PROXY, endpoint->proxy);
    SET(CURLOPT_NOPROXY, "");
  } else if (endpoint->loopback) {
    SET(CURLOPT_PROXY, "");
  }
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_VERIFYPEER, endpoint->insecure_skip_verify ? 0L : 1L);
  SET(CURLOPT_SSL_VERIFYHOST, endpoint->insecure_skip_verify ? 0L : 2L);
  SET(CURLOPT_PROXY_SSL_VERIFYPEER, endpoint->insecure_skip_verify ? 0L : 1L);
  SET(CURLOPT_PROXY_SSL_VERIFYHOST, endpoint->insecure_skip_verify ? 0L : 2L);
  if (endpoint->ca_file != NULL) {
    SET(CURLOPT_CAINFO, endpoint->ca_file);
    SET(CURLOPT_PROXY_CAINFO, endpoint->ca_file);
  }
  return code;
}

static CURLcode set_http(struct lb_transfer *t, CURL *easy) {
  const struct lb_request *req = t->req;
  bool large = req->req_class == LB_REQ_FETCH || req->req_class == LB_REQ_DOWNLOAD;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_BUFFERSIZE, large ? BUFFER_LARGE_BYTES : BUFFER_SMALL_BYTES);
  SET(CURLOPT_USERAGENT,
      req->heartbeat ? req->endpoint->user_agent_heartbeat : req->endpoint->user_agent);
  SET(CURLOPT_HTTPHEADER, t->headers);
  bool post = req->method == LB_METHOD_POST ||
              (req->method == LB_METHOD_AUTO && req->body.len > 0);
  if (req->method == LB_METHOD_DELETE) SET(CURLOPT_CUSTOMREQUEST, "DELETE");
  if (req->method == LB_METHOD_PUT) {
    t->attempt.body_whole = req->upload_bytes == 0;
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->upload_bytes);
    SET(CURLOPT_READFUNCTION, on_read_pipe);
    SET(CURLOPT_READDATA, (void *)t);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, (void *)t);
    return code;
  }
  if (!post) return code;
  SET(CURLOPT_POST, 1L);
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
  if (req->body.len == 0) {
    SET(CURLOPT_POSTFIELDS, "");
    return code;
  }
  t->body_at_once = req->body.len <= BODY_AT_ONCE_BYTES;
  if (t->body_at_once) {
    SET(CURLOPT_POSTFIELDS, (char *)req->body.data);
    return code;
  }
  t->attempt.body_whole = false;
  SET(CURLOPT_READFUNCTION, on_read);
  SET(CURLOPT_READDATA, (void *)t);
  SET(CURLOPT_SEEKFUNCTION, on_seek);
  SET(CURLOPT_SEEKDATA, (void *)t);
  return code;
}

static enum lb_status add_header(struct lb_transfer *t, const char *line,
                                 struct lb_error *err) {
  struct curl_slist *longer = curl_slist_append(t->headers, line);
  if (longer == NULL) return lb_error_oom(err, "a request header");
  t->headers = longer;
  return LB_OK;
}

static enum lb_status add_authorization(struct lb_transfer *t, struct lb_error *err) {
  const struct lb_authorizer *authorizer = t->req->authorizer;
  if (authorizer == NULL) return LB_OK;
  struct lb_buf line;
  lb_buf_init(&line, LB_MEM_IO, 64 * 1024);
  lb_buf_append_text(&line, "Authorization: ");
  enum lb_status status = authorizer->header(authorizer->ctx, &line, err);
  if (status != LB_OK) goto done;
  const char *text = lb_buf_text(&line);
  status = lb_buf_check(&line, "the Authorization header", err);
  if (status != LB_OK) goto done;
  if (!lb_endpoint_header_safe(text, line.len)) {
    status =
        lb_error_set(err, LB_INVALID_ARGUMENT,
                     "the token or password holds a line break or control character");
    goto done;
  }
  status = add_header(t, text, err);
done:
  if (line.data != NULL) explicit_bzero(line.data, line.len);
  lb_buf_reset(&line);
  return status;
}

static enum lb_status add_headers(struct lb_transfer *t, struct lb_error *err) {
  const struct lb_endpoint *endpoint = t->req->endpoint;
  LB_TRY(add_header(t, "Expect:", err));
  LB_TRY(add_header(t, "Accept-Encoding: identity", err));
  if (!endpoint->has_content_type && t->req->header_count == 0)
    LB_TRY(add_header(t, "Content-Type:", err));
  for (size_t i = 0; i < LB_ENDPOINT_HEADERS_MAX && endpoint->headers[i] != NULL; i++) {
    LB_TRY(add_header(t, endpoint->headers[i], err));
  }
  for (size_t i = 0; i < t->req->header_count; i++) {
    const char *line = t->req->header_lines[i];
    size_t colon = lb_str_find(lb_str_from(line), LB_STR(":"));
    if (colon == 0 || colon == SIZE_MAX || !lb_endpoint_header_safe(line, strlen(line))) {
      return lb_error_set(err, LB_PROTOCOL, "%s: a header that was asked for is none",
                          t->req->what);
    }
    LB_TRY(add_header(t, line, err));
  }
  return add_authorization(t, err);
}

static void clear_attempt(struct lb_transfer *t) {
  t->attempt = (struct lb_attempt){.end = LB_ATTEMPT_CURL, .body_whole = true};
  t->curl_text[0] = '\0';
  t->body_given = 0;
  t->paused = false;
  t->body_at_once = false;
  t->repeat_refused = false;
  if (t->req->pipe != NULL) {
    t->req->pipe->wake = lb_attempt_resume;
    t->req->pipe->wake_ctx = t;
  }
  t->attempt_ms = lb_loop_now_ms(t->io);
  t->req->sent_ms = t->attempt_ms;
  lb_transfer_touch(t);
  lb_receive_reset(t);
  lb_error_reset(&t->req->err);
  t->req->http_status = 0;
  lb_buf_clear(&t->req->reply);
  t->req->reply.max = t->req->max_reply_bytes;
}

enum lb_status lb_attempt_begin(struct lb_transfer *t, struct lb_error *err) {
  enum lb_status status;
  clear_attempt(t);
  CURL *easy = t->easy = curl_easy_init();
  if (easy == NULL) return lb_error_oom(err, "an HTTP request");
  status = add_headers(t, err);
  if (status != LB_OK) goto done;
  CURLcode code = set_callbacks(t, easy);
  if (code == CURLE_OK) code = set_connection(t, easy);
  if (code == CURLE_OK) code = set_http(t, easy);
  CURLMcode added = CURLM_OK;
  if (code == CURLE_OK) added = curl_multi_add_handle(t->io->multi, easy);
  if (code == CURLE_OUT_OF_MEMORY || added == CURLM_OUT_OF_MEMORY) {
    status = lb_error_oom(err, "an HTTP request");
  } else if (code != CURLE_OK) {
    status = lb_error_set(err, LB_INTERNAL, "%s: libcurl refused a setting: %s",
                          t->req->what, curl_easy_strerror(code));
  } else if (added != CURLM_OK) {
    status = lb_error_set(err, LB_INTERNAL, "%s: libcurl refused the request: %s",
                          t->req->what, curl_multi_strerror(added));
  }
done:
  if (status != LB_OK) lb_attempt_end(t);
  return status;
}

void lb_attempt_end(struct lb_transfer *t) {
  if (t->easy != NULL) {
    /* No-op when the handle was never added. */
    (void)curl_multi_remove_handle(t->io->multi, t->easy);
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
    lb_turns_leave(t);
  }
  curl_slist_free_all(t->headers);
  t->headers = NULL;
}
