/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct lb_endpoint, for src/io alone. Immutable after creation, so every
 * thread may read it. */
#ifndef LB_IO_ENDPOINT_H
#define LB_IO_ENDPOINT_H

#include <stdatomic.h>

#include "io/request.h"

#define LB_ENDPOINT_HEADERS_MAX 4

struct lb_endpoint {
  atomic_uint refs;
  bool tls;
  bool loopback;
  bool insecure_skip_verify;
  bool has_content_type; /* one of headers says Content-Type */
  int64_t connect_timeout_ms;
  int64_t request_timeout_ms;
  int64_t retry_timeout_ms;
  char *url;
  char *host; /* "host:port", lower case */
  char *ca_file;
  char *proxy; /* NULL: the environment's; "": none */
  bool store;  /* made by lb_endpoint_derive */
  char *store_ca_file;
  char *store_proxy; /* as proxy */
  char *user_agent;
  char *user_agent_heartbeat;
  char *headers[LB_ENDPOINT_HEADERS_MAX]; /* NULL beyond the last */
};

/* True when text can stand in a header line: no control character but a tab. */
bool lb_endpoint_header_safe(const char *text, size_t len);

#endif
