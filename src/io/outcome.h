/* SPDX-License-Identifier: Apache-2.0 */
/* What one attempt proved, and the words for it when it is the last. Pure. */
#ifndef LB_IO_OUTCOME_H
#define LB_IO_OUTCOME_H

#include <curl/curl.h>

#include "io/retry.h"

enum lb_attempt_end {
  LB_ATTEMPT_CURL,    /* curl ended it: code */
  LB_ATTEMPT_CONNECT, /* the connect timeout passed */
  LB_ATTEMPT_SILENCE, /* the request timeout passed without a byte */
  LB_ATTEMPT_FAULT,   /* we ended it: fault says why */
};

struct lb_attempt {
  enum lb_attempt_end end;
  CURLcode code;
  bool sent;           /* a connection stood and the request began to leave */
  bool body_whole;     /* every byte of the body was handed to the network */
  int32_t http_status; /* 0: no status line came */
  struct lb_error fault;
};

enum lb_outcome lb_outcome_of(const struct lb_attempt *attempt);
/* It found no way to the host: neither a name nor a connection nor trust. */
bool lb_outcome_is_unreached(const struct lb_attempt *attempt);
/* The server may have got the whole request. */
bool lb_outcome_may_be_received(const struct lb_attempt *attempt);

/* What the words need. */
struct lb_outcome_context {
  const char *what;
  const char *host;
  const char *curl_text; /* curl's own description, "" when it has none */
  enum lb_repeat repeat;
  int32_t attempts;
  int64_t elapsed_ms;
  int64_t connect_timeout_ms;
  int64_t request_timeout_ms;
  bool loopback;
  bool store; /* its proxy and certificates are options of their own */
};

/* Fills err for an attempt without a whole reply and returns its status, never LB_OK.
 * Names the option behind a limit; never a path, a query or a header. */
enum lb_status lb_outcome_error(const struct lb_attempt *attempt,
                                const struct lb_outcome_context *ctx,
                                struct lb_error *err);

/* "30 s", "250 ms". */
struct lb_duration_text {
  char text[32];
};
struct lb_duration_text lb_duration_text(int64_t duration_ms);

#endif
