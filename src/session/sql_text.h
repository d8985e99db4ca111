/* SPDX-License-Identifier: Apache-2.0 */
/* Writing SQL for the server. Pure. */
#ifndef LB_SESSION_SQL_TEXT_H
#define LB_SESSION_SQL_TEXT_H

#include "base/buf.h"

/* A name in backticks, those within doubled: every text that lb_sql_check_name lets
 * through is a name, nothing else. */
void lb_sql_append_name(struct lb_buf *out, struct lb_str name);
/* LB_INVALID_ARGUMENT: the server would read another name, since it replaces ${...} even
 * within backticks, and nothing escapes it. what: "table", "column", ... */
enum lb_status lb_sql_check_name(struct lb_str name, const char *what,
                                 struct lb_error *err) LB_MUST_USE;
/* Text between single quotes, for the servers' default of backslash escapes. */
void lb_sql_append_text(struct lb_buf *out, struct lb_str text);

#endif
