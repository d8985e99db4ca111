/* SPDX-License-Identifier: Apache-2.0 */
/* One execution from its text to its result. Statements and series of executions run
 * theirs through here. */
#ifndef LB_RESULT_RUN_H
#define LB_RESULT_RUN_H

#include "result/result_internal.h"
#include "session/options.h"

struct lb_run {
  struct lb_session *sess;
  struct lb_options *opts;
  struct lb_call_slot *slot; /* where cancel finds the call */
  const struct lb_result_options *options;
  struct lb_hb_stats *parent_stats; /* may be NULL */
  struct lb_str sql;
  struct lb_str shown_sql; /* what errors show in its place; data NULL: sql */
  const struct lb_param *params;
  int32_t param_count;
  bool own;    /* the driver made the statement itself */
  bool wanted; /* false: the result is closed at once and *res stays NULL */
  /* Told what runs, for whoever asks how far it is, and with call NULL how far it came.
   * NULL: nobody asks. */
  void (*running)(void *ctx, struct lb_execute_call *call, double progress);
  void *ctx;
};

struct lb_ran {
  struct lb_result *res;
  struct lb_hb_stats *stats;
  int64_t rows_affected; /* -1 not known */
  char query_id[40];     /* also of a failure; "" not known */
};
/* Executes and waits until the server has finished. The caller owns what *out holds;
 * after a failure that is the query id at most. */
enum lb_status lb_run(const struct lb_run *asked, struct lb_ran *out,
                      struct lb_error *err) LB_MUST_USE;

#endif
