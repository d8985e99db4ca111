/* SPDX-License-Identifier: Apache-2.0 */
/* The executions that one call of the application asks for: a statement for each row of
 * bound values. A query's results follow one another as one, and each is made when the
 * one before has been read to its end; anything else runs for all rows at once.
 *
 * Reference-counted: the stream that reads holds one, the statement shows its latest one.
 * One thread reads at a time; cancel, close, counters may come from any thread. Bound
 * data is read, and its callbacks are called, on the reader's thread alone. */
#ifndef LB_RESULT_SERIES_H
#define LB_RESULT_SERIES_H

#include "result/bind_sql.h"
#include "result/run.h"

struct lb_series;

/* The options are read once, here. stats may be NULL. */
enum lb_status lb_series_create(struct lb_session *sess, struct lb_options *opts,
                                struct lb_hb_stats *parent_stats, struct lb_series **out,
                                struct lb_error *err) LB_MUST_USE;
void lb_series_retain(struct lb_series *series);
void lb_series_release(struct lb_series *series); /* NULL is a no-op */

/* Begins to execute sql with the rows of binding. wanted false: runs all rows and keeps
 * no result. Else a query runs its first row, so that there is a schema, and anything
 * that is no query all its rows, of which the last one's result is kept. *rows_affected
 * (may be NULL): the sum, -1 when not known. LB_INVALID_ARGUMENT: columns and markers do
 * not go together; the binding is not used then. Once for a series. */
enum lb_status lb_series_start(struct lb_series *series, struct lb_str sql,
                               struct lb_binding *binding, bool wanted,
                               int64_t *rows_affected, struct lb_error *err) LB_MUST_USE;
/* Puts the rows of binding into the table that the options name, in place of
 * lb_series_start; there is nothing to be read. */
enum lb_status lb_series_ingest(struct lb_series *series, struct lb_binding *binding,
                                int64_t *rows, struct lb_error *err) LB_MUST_USE;
/* One execution of the series; its result is closed. For callers that make their texts
 * themselves. shown_sql: what errors show of it, without bound values. */
enum lb_status lb_series_execute(struct lb_series *series, struct lb_str sql,
                                 struct lb_str shown_sql, const struct lb_param *params,
                                 int32_t param_count, int64_t *rows_affected,
                                 struct lb_error *err) LB_MUST_USE;

/* After a failure: the statement was sent, so the server may have run it. */
bool lb_series_may_have_run(const struct lb_series *series, enum lb_status status);

/* LB_CANCELLED, or LB_INVALID_STATE, when somebody has ended the series. ctx: the series;
 * for lb_bound_rows. */
enum lb_status lb_series_check(void *ctx, struct lb_error *err) LB_MUST_USE;
/* How the columns of bound values go with markers, by the options and the server. */
struct lb_bind_rules lb_bind_rules_of(const struct lb_session *sess,
                                      struct lb_options *opts);

/* After lb_series_start with wanted. As lb_result_schema and lb_result_next. */
const struct lb_result_schema *lb_series_schema(const struct lb_series *series);
enum lb_status lb_series_next(struct lb_series *series, struct ArrowArray *out,
                              struct lb_error *err) LB_MUST_USE;
/* As lb_result_close and lb_result_cancel. */
void lb_series_close(struct lb_series *series, enum lb_hb_reason reason);
bool lb_series_cancel(struct lb_series *series);
/* The reader's own end: no execution follows, and the bound data goes. */
void lb_series_finish(struct lb_series *series);

/* Counters of the latest result (retained, or NULL) and id of the latest execution. */
struct lb_hb_stats *lb_series_stats(struct lb_series *series);
void lb_series_query_id(struct lb_series *series, char out[40]);

#endif
