/* SPDX-License-Identifier: Apache-2.0 */
/* Rule 4.4: what the heartbeat knows, put into the error of a read that the server
 * refused. A verdict explains an error and never makes one. Pure; any thread. */
#ifndef LB_RESULT_VERDICT_H
#define LB_RESULT_VERDICT_H

#include "result/heartbeat.h"

/* What the reader's side knows at the moment of the failure. */
struct lb_verdict_facts {
  int64_t now_ms;
  int64_t contact_ms; /* when the last confirmed request was sent; 0 not known */
  int64_t idle_ms;    /* the reader's longest pause since then */
};

/* Appends to err, when it says that the result is lost: which statement, when it was
 * last known alive, how long the client had been idle, how many heartbeats had
 * succeeded, and which option governs it. Leaves other errors as they are. */
void lb_verdict_explain(const struct lb_hb_stats *stats, const char *query_id,
                        const struct lb_hb_options *options,
                        const struct lb_verdict_facts *facts, struct lb_error *err);

/* Bound values may be secrets. Both before lb_verdict_name_statement.
 * Cuts off what a server repeats of the statement, in which values stand as literals. */
void lb_verdict_hide_echo(struct lb_error *err);
/* Puts "..." for the value where a server's words have it in quotes. */
void lb_verdict_hide_value(struct lb_str value, struct lb_error *err);
/* The same for every quoted text of sql that shown_sql has not. */
void lb_verdict_hide_texts(struct lb_str sql, struct lb_str shown_sql,
                           struct lb_error *err);
/* Appends the query id, if the error has one, and the beginning of the statement, on one
 * line and without what stands in quotes, to the error of an execution. */
void lb_verdict_name_statement(struct lb_str sql, struct lb_error *err);

#endif
