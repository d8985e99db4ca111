/* SPDX-License-Identifier: Apache-2.0 */
/* Bound data goes into a table. */
#ifndef LB_RESULT_INGEST_H
#define LB_RESULT_INGEST_H

#include "result/series.h"

/* True when opts name a table. */
bool lb_ingest_wanted(struct lb_options *opts);
/* Makes the table as opts ask and inserts the rows of binding, each statement an
 * execution of series. *rows: how many were inserted. LB_ALREADY_EXISTS: the table is
 * there, or is not like the data. Bound data is read on the caller's thread. */
enum lb_status lb_ingest_run(struct lb_series *series, struct lb_session *sess,
                             struct lb_options *opts, struct lb_binding *binding,
                             int64_t *rows, struct lb_error *err) LB_MUST_USE;

#endif
