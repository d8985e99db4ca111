/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an attempt to download a file. Pure. */
#ifndef LB_RESULT_CLOUD_JUDGE_H
#define LB_RESULT_CLOUD_JUDGE_H

#include "base/random.h"
#include "result/cloud_internal.h"

struct lb_cloud_facts {
  enum lb_status status; /* of the exchange */
  int32_t http_status;   /* 0: no reply */
  bool whole;            /* as many bytes as the store said, where it said so */
  bool answered;         /* this or another file's store has answered at some time */
  bool changed;          /* it is another file now */
  bool undecodable;      /* what came of it cannot be decoded */
  bool settled;          /* rows of it are out, or its link was renewed */
  int32_t tries;         /* repeated so far */
  int32_t renewals;
  int32_t redone;
  int64_t retry_after_ms; /* -1 not told */
};

enum lb_cloud_step {
  LB_CLOUD_DECODE, /* the body is whole */
  LB_CLOUD_AGAIN,  /* where it ended, after wait_ms */
  LB_CLOUD_REDO,   /* from the beginning, after wait_ms */
  LB_CLOUD_RENEW,  /* with a new link */
  LB_CLOUD_FAIL,
};
struct lb_cloud_verdict {
  enum lb_cloud_step step;
  int64_t wait_ms;
};

struct lb_cloud_verdict lb_cloud_judge(const struct lb_cloud_facts *facts,
                                       const struct lb_random *rnd);
/* The status of a failure that a store's answer is. */
enum lb_status lb_cloud_http_status(int32_t http_status);

#endif
