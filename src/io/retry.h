/* SPDX-License-Identifier: Apache-2.0 */
/* May a request be sent again, and when? Pure: time, chance and facts are arguments. */
#ifndef LB_IO_RETRY_H
#define LB_IO_RETRY_H

#include "base/random.h"
#include "base/str.h"
#include "io/request.h"

/* How one attempt ended. */
enum lb_outcome {
  LB_OUTCOME_REPLY,        /* a whole reply that speaks for itself */
  LB_OUTCOME_BUSY,         /* 429 or 503: the server says that it did nothing */
  LB_OUTCOME_SERVER_FAULT, /* 408 or another 5xx, 501 apart */
  LB_OUTCOME_UNREACHED,    /* provably not received: not the whole request left */
  LB_OUTCOME_BROKEN,       /* sent; then the connection broke, or the reply is no reply */
  LB_OUTCOME_SILENT,       /* sent; then nothing came */
  LB_OUTCOME_FAULT,        /* what no repetition can mend: certificate, memory, limits */
  LB_OUTCOME_COUNT
};

enum lb_outcome lb_outcome_of_http(int32_t http_status);

struct lb_retry_facts {
  enum lb_repeat repeat;
  enum lb_outcome outcome;
  int32_t attempts;       /* made so far, at least 1 */
  int64_t elapsed_ms;     /* since the exchange began */
  int64_t budget_ms;      /* all attempts and waits together */
  int64_t retry_after_ms; /* as the server asked, -1: it did not */
  bool host_answered;     /* some HTTP reply has come from this host in this process */
};

enum lb_retry_action {
  LB_RETRY_DELIVER, /* hand the reply to the caller */
  LB_RETRY_FAIL,
  LB_RETRY_AGAIN, /* after wait_ms */
};

struct lb_retry_decision {
  enum lb_retry_action action;
  int64_t wait_ms;
};

struct lb_retry_decision lb_retry_decide(const struct lb_retry_facts *facts,
                                         const struct lb_random *rnd);

/* Retry-After as milliseconds from now: whole seconds or an HTTP date. A date is compared
 * with the reply's own Date header, so that the server's clock need not be right; without
 * one with wall_ms. -1 when it cannot be read; a date in the past is 0. */
int64_t lb_retry_after_parse(struct lb_str retry_after, struct lb_str date,
                             int64_t wall_ms);

#endif
