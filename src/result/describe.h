/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for a query's columns without running it: as a subquery of one that wants no
 * rows. Spark and Databricks plan that to nothing, Hive does not start it, and what comes
 * has the very types of the query's own result. It begins with SELECT, so it is a query
 * whatever stands within: a statement that changes something is a syntax error there.
 * Pure. */
#ifndef LB_RESULT_DESCRIBE_H
#define LB_RESULT_DESCRIBE_H

#include "base/buf.h"
#include "nanoarrow/nanoarrow.h"

#define LB_DESCRIBE_ALIAS "lakebeat_described"

/* Appends the statement to ask with. LB_NOT_IMPLEMENTED when sql is no query. */
enum lb_status lb_describe_query(struct lb_str sql, struct lb_buf *out,
                                 struct lb_error *err) LB_MUST_USE;
/* Takes `<table>.` off the names of columns (Hive puts it there for SELECT *). */
enum lb_status lb_describe_plain_names(struct ArrowSchema *schema, const char *table,
                                       struct lb_error *err) LB_MUST_USE;

#endif
