/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with a cloud store through a URL that carries its own permission: no
 * credentials, no cookies, no repetition, and neither the URL nor what it holds in an
 * error or a log. Bytes go through a pipe, so that a file is never in memory as a whole
 * and the I/O thread touches no file. */
#ifndef LB_SESSION_STORAGE_H
#define LB_SESSION_STORAGE_H

#include "io/call.h"
#include "io/pipe.h"
#include "io/request.h"
#include "session/session.h"

#define LB_STORAGE_HEADERS_MAX 16

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
