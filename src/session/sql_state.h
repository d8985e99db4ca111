/* SPDX-License-Identifier: Apache-2.0 */
/* What a statement's text says of the session's state. Pure; any thread. */
#ifndef LB_SESSION_SQL_STATE_H
#define LB_SESSION_SQL_STATE_H

#include "base/str.h"

/* True when running sql may leave something in the session that a new one would not have:
 * the current schema, settings, variables, temporary views. What is not known does. */
bool lb_sql_changes_session(struct lb_str sql);

#endif
