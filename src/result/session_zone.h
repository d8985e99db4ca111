/* SPDX-License-Identifier: Apache-2.0 */
/* The zone in which a session's TIMESTAMPs are printed. */
#ifndef LB_RESULT_SESSION_ZONE_H
#define LB_RESULT_SESSION_ZONE_H

#include "base/zone.h"
#include "result/result_internal.h"

/* Asks the server, with the statement of its facts (zone_query, not NULL), and waits for
 * the answer in the slot of whoever makes a result, for limit_s at most (0: for ever).
 * *out is the caller's. */
enum lb_status lb_session_zone_ask(struct lb_session *sess, int64_t limit_s,
                                   struct lb_call_slot *maker, struct lb_zone **out,
                                   struct lb_error *err) LB_MUST_USE;

#endif
