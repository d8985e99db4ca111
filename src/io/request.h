/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange: built by any thread, started by a post to the I/O thread, retried
 * there by the table in retry.c, finished by exactly one call of `done` on the I/O
 * thread.
 *
 * Requests queue per host and class; each class has connections of its own (control 16,
 * fetch 64, probe 16..512 as lb_host_set_probe_limit says, download 16), so a stuck probe
 * delays nothing else. HTTP/1.1, no redirects, no Expect, identity encoding; paused only
 * while a pipe is full or empty;
 * libcurl cannot repeat by itself what may not be repeated: attempt.c says how. */
#ifndef LB_IO_REQUEST_H
#define LB_IO_REQUEST_H

#include <stdatomic.h>

#include "base/buf.h"
#include "io/io.h"
#include "io/pipe.h"

enum lb_req_class {
  LB_REQ_CONTROL, /* open, execute, poll, metadata */
  LB_REQ_END, /* cancel, close: nobody waits for them, and none holds up a statement */
  LB_REQ_END_SESSION, /* ends all operations too, so it waits behind no close of one */
  LB_REQ_FETCH,
  LB_REQ_PROBE,
  LB_REQ_DOWNLOAD,
  LB_REQ_CLASS_COUNT
};

/* Largest body of a request or reply where nothing else is said. */
#define LB_REPLY_MAX_BYTES ((size_t)1 << 30)

/* What may be done when it is not known whether the server got the request. */
enum lb_repeat {
  LB_REPEAT_NEVER,           /* no retry of any kind: one request, one outcome (probes) */
  LB_REPEAT_IF_NOT_RECEIVED, /* only when provably not received, or 429/503 (execute,
                                fetch) */
  LB_REPEAT_SAFE, /* idempotent: also after transport errors and 5xx other than 501 */
};

enum lb_method {
  LB_METHOD_AUTO, /* POST with a body, else GET */
  LB_METHOD_GET,
  LB_METHOD_POST,
  LB_METHOD_PUT, /* of what comes through the pipe */
  LB_METHOD_DELETE,
};

/* Where requests go and how; immutable after creation, shared by reference count. */
struct lb_endpoint_options {
  const char *url;     /* "https://host[:port]/path[?query]"; no userinfo */
  const char *ca_file; /* NULL: the system's */
  bool insecure_skip_verify;
  const char *user_agent;       /* "lakebeat/0.1.0 ..." */
  const char *extra_headers[4]; /* "Name: value", NULL-terminated when fewer */
  int64_t connect_timeout_ms;
  int64_t request_timeout_ms; /* silence of the server */
  int64_t retry_timeout_ms;   /* total budget of an exchange, waits included */
  /* For the endpoints of stores, which lb_endpoint_derive makes. */
  const char *store_ca_file; /* NULL: as ca_file */
  const char *store_proxy;   /* "http://[user:password@]host:port", also https, socks5,
                                socks5h; "none": no proxy; NULL: what the environment
                                says, as for the server */
};
struct lb_endpoint;
enum lb_status lb_endpoint_create(const struct lb_endpoint_options *opts,
                                  struct lb_endpoint **out,
                                  struct lb_error *err) LB_MUST_USE;
/* A store: another URL, sent byte for byte, with base's deadlines and what base says for
 * stores, and without its headers. Errors do not tell the URL. */
enum lb_status lb_endpoint_derive(const struct lb_endpoint *base, const char *url,
                                  struct lb_endpoint **out,
                                  struct lb_error *err) LB_MUST_USE;
void lb_endpoint_retain(struct lb_endpoint *endpoint);
void lb_endpoint_release(struct lb_endpoint *endpoint);
const char *lb_endpoint_host(const struct lb_endpoint *endpoint); /* "host:port" */
bool lb_endpoint_is_tls(const struct lb_endpoint *endpoint);
bool lb_endpoint_is_loopback(
    const struct lb_endpoint *endpoint); /* 127/8, ::1, localhost */

/* Makes the Authorization header's value for each attempt ("Bearer x"). Called on the I/O
 * thread; must not block. */
struct lb_authorizer {
  enum lb_status (*header)(void *ctx, struct lb_buf *value, struct lb_error *err);
  void *ctx;
};

/* Response headers that decide anything; empty when absent. Views into the request. */
struct lb_reply_headers {
  char content_type[64];
  char content_encoding[32];   /* never asked for */
  char thrift_error[512];      /* x-thriftserver-error-message */
  char databricks_error[512];  /* x-databricks-error-or-redirect-message */
  char reason_phrase[128];     /* x-databricks-reason-phrase */
  char request_id[64];         /* x-request-id */
  char store_error[64];        /* x-ms-error-code */
  char etag[128];              /* with its quotes; empty when longer */
  bool accept_ranges_bytes;    /* the body of a GET may be asked for in parts */
  int64_t content_length;      /* -1 when absent */
  int64_t content_range_start; /* of a part; -1 when absent or unreadable */
  int64_t date_ms;             /* the server's clock, ms since 1970 UTC; -1 when absent */
  int64_t retry_after_ms;      /* -1 when absent or unreadable; seconds and HTTP date */
};
#define LB_REPLY_HEADERS_INIT \
  {.content_length = -1, .content_range_start = -1, .date_ms = -1, .retry_after_ms = -1}

struct lb_request;
/* Where the body of a good reply (200, 206) to a GET goes in place of memory, as it
 * comes. Borrowed until done; called on the I/O thread, from within curl: it neither
 * blocks nor cancels its request there. Who returns false has set req->err, with which
 * the request ends. */
struct lb_sink {
  /* req->http_status and headers are known. Called again by each attempt that gets this
   * far: until the first byte was given, the request may be repeated. */
  bool (*begin)(struct lb_sink *sink, struct lb_request *req);
  /* The next len bytes, in curl's buffer: to be copied or looked at before it returns.
   * From the first byte on the request is not repeated; it may break off, so the end of
   * the body is done with status LB_OK. A body without stated length that ends with the
   * connection ends so, too, wherever it was cut. */
  bool (*data)(struct lb_sink *sink, const uint8_t *data, size_t len);
};

struct lb_request {
  /* Set by the maker before start; not changed afterwards. */
  struct lb_endpoint *endpoint; /* retained by the request */
  const struct lb_authorizer
      *authorizer; /* borrowed: outlives the request; may be NULL */
  enum lb_req_class req_class;
  enum lb_repeat repeat;
  enum lb_method method;
  const char *what;      /* static text for errors and logs: "ExecuteStatement" */
  struct lb_buf body;    /* owned */
  bool heartbeat;        /* adds "heartbeat" to the User-Agent */
  bool fresh_connection; /* never on a reused connection */
  bool holds_exit;       /* a close: the last lb_io_release waits for it */
  int64_t timeout_ms;    /* of the whole exchange, 0 = only the endpoint's limits */
  const char
      *timeout_option; /* static: the option behind timeout_ms, for errors, or NULL */
  /* Further headers "Name: value"; borrowed until done. */
  const char *const *header_lines;
  size_t header_count;
  /* Where the body of a PUT comes from, upload_bytes in all, and where that of a good
   * reply to a GET goes; retained. NULL: memory. A PUT is repeated with what is written
   * anew (lb_pipe_again), so that its writer asks for that unless it is LB_REPEAT_NEVER;
   * a GET only until the first byte has come. */
  struct lb_pipe *pipe;
  int64_t upload_bytes;
  struct lb_sink *sink;   /* of a GET without a pipe; NULL: memory */
  size_t max_reply_bytes; /* LB_REPLY_MAX_BYTES unless the maker says less or more */
  void *ctx;              /* the maker's, for done and waiting */
  void (*done)(struct lb_request *req, struct lb_io *io);
  /* While a retry waits (a warehouse that starts): optional, I/O thread. */
  void (*waiting)(struct lb_request *req, struct lb_io *io);

  /* Result, valid in done. status is LB_OK for *any* HTTP status with a whole reply; the
   * backend judges http_status. Otherwise err says what failed. */
  enum lb_status status;
  struct lb_error err;
  int32_t http_status;
  struct lb_reply_headers headers;
  struct lb_buf reply; /* whole body; done may move it away */
  int64_t sent_ms;     /* when the last attempt was handed to the network */
  int64_t received_ms;
  int32_t attempts;
  bool received_unknown; /* failed after the server may have got it */
  bool unreached; /* failed, and no attempt found a way to the host: its name, a proxy,
                         a refusal, a firewall, TLS */
  bool host_answered; /* a reply of that host has come at some time in this process */

  atomic_uint refs;
  struct lb_io_task task; /* for posting start and cancel */
  struct lb_io_task cancel_task;
  struct lb_transfer *transfer; /* I/O thread */
};

/* One reference, the caller's. body is empty; fill the fields, then start. */
enum lb_status lb_request_create(struct lb_endpoint *endpoint, struct lb_request **out,
                                 struct lb_error *err) LB_MUST_USE;
void lb_request_retain(struct lb_request *req);
void lb_request_release(struct lb_request *req);

/* Takes a reference of its own until done has returned. Any thread. */
void lb_request_start(struct lb_io *io, struct lb_request *req);
/* Ends it soon with LB_CANCELLED; done is still called exactly once. Any thread; harmless
 * after done. The connection is dropped when a reply was outstanding. */
void lb_request_cancel(struct lb_io *io, struct lb_request *req);

/* I/O thread. Nobody waits for it any more, but its reply still matters (it may have made
 * something on the server that has to be ended): gives it at most LB_ORPHAN_MS from
 * now, stops its retries and lets it hold the exit. One that has not been sent is
 * cancelled. */
#define LB_ORPHAN_MS 60000
void lb_request_orphan(struct lb_io *io, struct lb_request *req);

/* Probes allowed in flight to the endpoint's host, 1..512. I/O thread. */
void lb_host_set_probe_limit(struct lb_io *io, const char *host_name, int32_t limit);

#endif
