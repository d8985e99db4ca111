/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with a cloud store through a URL that carries its own permission: no
 * credentials, no cookies, and neither the URL nor what it holds in an error or a log.
 * Bytes go through a pipe, so that a file is never in memory as a whole and the I/O
 * thread touches no file. A GET is repeated until its first byte has come; a PUT or
 * DELETE only where the store provably did nothing, since a second one finds what the
 * first one did. Whoever writes a PUT's bytes asks lb_pipe_again. */
#ifndef LB_SESSION_STORAGE_H
#define LB_SESSION_STORAGE_H

#include "io/call.h"
#include "io/pipe.h"
#include "io/request.h"
#include "session/session.h"

#define LB_STORAGE_HEADERS_MAX 16

/* Where url leads, with the session's certificates and deadlines and none of its
 * credentials. Without TLS only where all is on this machine. what: for errors. */
enum lb_status lb_storage_endpoint(struct lb_session *sess, const char *what,
                                   const char *url, struct lb_endpoint **out,
                                   struct lb_error *err) LB_MUST_USE;
/* The code in a store's error (they answer XML), with a space before it; "" when there
 * is none. The other parts of it may hold what was signed. */
void lb_storage_error_code(const struct lb_request *req, char *out, size_t cap);

struct lb_storage_params {
  enum lb_method method; /* PUT, GET, DELETE */
  const char *what;      /* static: "PUT", for errors */
  const char *url;
  const char *headers[LB_STORAGE_HEADERS_MAX]; /* "Name: value"; copied */
  size_t header_count;
  int64_t upload_bytes; /* PUT: exactly so many are written to the pipe */
  int64_t limit_s;      /* databricks.query_timeout_seconds; 0: none */
};

struct lb_storage_call {
  struct lb_call base;
  struct lb_pipe *pipe;
  struct lb_request *req; /* I/O thread once started */
  struct lb_endpoint *endpoint;
  char *headers[LB_STORAGE_HEADERS_MAX];
};

/* Limits, certificates and all other deadlines are those of the session. */
enum lb_status lb_storage_create(struct lb_session *sess,
                                 const struct lb_storage_params *params,
                                 struct lb_storage_call **out,
                                 struct lb_error *err) LB_MUST_USE;

#endif
