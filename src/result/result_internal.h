/* SPDX-License-Identifier: Apache-2.0 */
/* Making a result set, for statement.c and metadata.c; the one place where heartbeats are
 * armed. */
#ifndef LB_RESULT_RESULT_INTERNAL_H
#define LB_RESULT_RESULT_INTERNAL_H

#include "result/cloud.h"
#include "result/page.h"
#include "result/parked.h"
#include "result/result.h"
#include "session/execute.h"

struct lb_result_options {
  struct lb_hb_options heartbeat;
  enum lb_probe_kind probe; /* resolved for the server's kind */
  int64_t max_rows;
  int64_t max_bytes;
  int64_t batch_target_rows; /* smaller arrays that are at hand are merged; 0: none */
  bool prefetch;
  bool hides_echo; /* of the statement and its plan: values were bound */
  struct lb_cloud_options cloud;
  int64_t limit_s; /* databricks.query_timeout_seconds; 0: none */
};

/* After the server's own time limit the client waits so much longer for it to say so. */
#define LB_TIMEOUT_GRACE_MS 5000

/* Rows can be handed out when their page is whole, so the first page is a small one,
 * whether it comes with the execution or is fetched. The price is one more request for
 * results of more than this. */
#define LB_FIRST_PAGE_BYTES (INT64_C(3) << 20)

/* What opts say of results of sess; origin decides the probe. */
enum lb_status lb_result_options_read(struct lb_session *sess, struct lb_options *opts,
                                      enum lb_op_origin origin,
                                      struct lb_result_options *out,
                                      struct lb_error *err) LB_MUST_USE;
/* Runs call in slot, for timeout_s (databricks.query_timeout_seconds; 0: no limit) and
 * the grace at most. */
enum lb_status lb_result_run(struct lb_execute_call *call, int64_t timeout_s,
                             struct lb_call_slot *slot, struct lb_error *err) LB_MUST_USE;

/* From an execution that has finished. stats is retained. A fetch that this needs waits
 * in the maker's slot. On failure the operation has been closed. */
enum lb_status lb_result_create(struct lb_execute_call *call,
                                const struct lb_result_options *options,
                                struct lb_hb_stats *stats, struct lb_call_slot *maker,
                                struct lb_result **out, struct lb_error *err) LB_MUST_USE;
/* The reader waits in this slot from now on, which outlives the result. */
void lb_result_wait_in(struct lb_result *res, struct lb_call_slot *slot);

struct lb_rerun;
/* Rows of it come in files. Before it is read. */
bool lb_result_has_files(const struct lb_result *res);
/* What to do when the files cannot be reached (fallback.h). Before it is read. */
void lb_result_keep_rerun(struct lb_result *res, struct lb_rerun *rerun_own);

/* True when the rows describe a transfer between the volume's store and a local file. */
bool lb_result_is_staging(const struct lb_result *res);
/* Reads the one row of such a result, shows it and leaves an empty result without
 * columns: what the row says is nobody else's business. Waits are in maker. */
enum lb_status lb_result_take_row(
    struct lb_result *res, struct lb_call_slot *maker,
    enum lb_status (*visit)(const void *ctx, const struct ArrowSchema *schema,
                            const struct ArrowArray *row, struct lb_error *err),
    const void *ctx, struct lb_error *err) LB_MUST_USE;

#endif
