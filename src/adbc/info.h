/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to GetInfo. The server is asked for its name and version only when these are
 * wanted. */
#ifndef LB_ADBC_INFO_H
#define LB_ADBC_INFO_H

#include "arrow-adbc/adbc.h"
#include "session/session.h"

/* codes NULL: all; unknown ones are left out. */
enum lb_status lb_adbc_info(struct lb_session *sess, struct lb_call_slot *slot,
                            const uint32_t *codes, size_t code_count,
                            struct ArrowArrayStream *out,
                            struct lb_error *err) LB_MUST_USE;

#endif
