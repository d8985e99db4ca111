/* SPDX-License-Identifier: Apache-2.0 */
/* ADBC's filters for names: NULL lets everything through, the empty text only what has no
 * name at that level, anything else is a pattern with `%` and `_` and without an escape.
 * Letters are compared without case (ASCII), as the engines do. Pure. */
#ifndef LB_ADBC_NAME_FILTER_H
#define LB_ADBC_NAME_FILTER_H

#include "base/buf.h"

/* name.data NULL: the object has none at this level. */
bool lb_name_matches(const char *filter, struct lb_str name);
/* The pattern that a server may be given in place of filter: it lets through at least
 * what filter does, in lower case, as names are kept. False, nothing appended: give none.
 * Texts with characters that mean more to some server than to ADBC have none. */
bool lb_name_server_pattern(const char *filter, struct lb_buf *out);

#endif
