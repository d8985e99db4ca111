/* SPDX-License-Identifier: Apache-2.0 */
/* A statement: text, options, and the results that its executions made, the same for
 * every front end. One thread uses it at a time, except lb_stmt_cancel and the readers
 * of statistics, which any thread may call at any time. */
#ifndef LB_RESULT_STATEMENT_H
#define LB_RESULT_STATEMENT_H

#include "result/series.h"
#include "session/session.h"

/* What a process, database or connection counts: sums of heartbeats (rule 7.3). */
struct lb_stmt;

enum lb_status lb_stmt_create(struct lb_session *sess, struct lb_options *opts,
                              struct lb_hb_stats *parent_stats, struct lb_stmt **out,
                              struct lb_error *err) LB_MUST_USE;
/* Streams of it live on. */
void lb_stmt_destroy(struct lb_stmt *stmt);

enum lb_status lb_stmt_set_sql(struct lb_stmt *stmt, struct lb_str sql,
                               struct lb_error *err) LB_MUST_USE;
/* Runs it and waits until the server has finished it. out NULL: the result is not
 * wanted; it is run to the end and closed. *rows_affected (may be NULL): -1 when not
 * known. An earlier result of this statement is stopped and closed first.
 * LB_INVALID_STATE without a text. */
enum lb_status lb_stmt_execute(struct lb_stmt *stmt, struct lb_result **out,
                               int64_t *rows_affected, struct lb_error *err) LB_MUST_USE;
/* Takes what is bound in place of what was; NULL: nothing is. A binding that was used
 * goes when another text is set, and executing a text with markers then fails with
 * LB_INVALID_STATE; one that no execution could use goes for a text without markers. */
void lb_stmt_bind(struct lb_stmt *stmt, struct lb_binding *binding_own);
/* True when execution is for lb_stmt_execute_bound: something is bound, or is to be. */
bool lb_stmt_makes_series(const struct lb_stmt *stmt);
/* As lb_stmt_execute, once for each row that is bound; or puts what is bound into the
 * table that the options name. */
enum lb_status lb_stmt_execute_bound(struct lb_stmt *stmt, struct lb_series **out,
                                     int64_t *rows_affected,
                                     struct lb_error *err) LB_MUST_USE;
/* A field for each parameter, of type NA, named as in the text; "" by position. */
enum lb_status lb_stmt_parameters(const struct lb_stmt *stmt, struct ArrowSchema *out,
                                  struct lb_error *err) LB_MUST_USE;
/* The columns that executing it would give, without running it (result/describe.h). Ends
 * an earlier result of this statement. out is the caller's. */
enum lb_status lb_stmt_execute_schema(struct lb_stmt *stmt, struct ArrowSchema *out,
                                      struct lb_error *err) LB_MUST_USE;
/* Cancels what runs, or the latest result. False: there was nothing to cancel. Any
 * thread. */
bool lb_stmt_cancel(struct lb_stmt *stmt);
/* Counters of the latest result, also after its end (retained; NULL before the first
 * execution). Any thread. */
struct lb_hb_stats *lb_stmt_stats(struct lb_stmt *stmt);
/* How far the latest execution is, 0 to 1, as the server tells; of one that does not tell
 * 0 until it has finished. Any thread. */
double lb_stmt_progress(struct lb_stmt *stmt);
/* Id of the latest execution, also of a failed one; "" while none is known. Any
 * thread. */
void lb_stmt_query_id(struct lb_stmt *stmt, char out[40]);

#endif
