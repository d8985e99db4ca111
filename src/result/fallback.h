/* SPDX-License-Identifier: Apache-2.0 */
/* A query whose files cannot be reached at all is executed once more, for rows from the
 * server itself. What that takes is kept until the first row is there. */
#ifndef LB_RESULT_FALLBACK_H
#define LB_RESULT_FALLBACK_H

#include "result/run.h"

struct lb_rerun;

/* True for a result with files, of a statement that only reads, where the option allows
 * it. */
bool lb_rerun_wanted(const struct lb_run *run, const struct lb_result *res);
/* Copies what run says. */
enum lb_status lb_rerun_create(const struct lb_run *run, struct lb_rerun **out,
                               struct lb_error *err) LB_MUST_USE;
void lb_rerun_destroy(struct lb_rerun *rerun); /* NULL is a no-op */
/* Executes it without links; waits in slot. */
enum lb_status lb_rerun_execute(const struct lb_rerun *rerun, struct lb_call_slot *slot,
                                struct lb_result **out, struct lb_error *err) LB_MUST_USE;

#endif
