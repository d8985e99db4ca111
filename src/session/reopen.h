/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an expired session anew, once for all that wait. I/O thread alone. */
#ifndef LB_SESSION_REOPEN_H
#define LB_SESSION_REOPEN_H

#include "session/backend.h"
#include "session/session.h"

struct lb_reopen {
  struct lb_list node;
  /* LB_OK: lb_session_server has a later handle. Called once, unless left before. */
  void (*done)(struct lb_reopen *wait, struct lb_io *io, enum lb_status status,
               struct lb_error *err);
};
/* lost: the handle that the server does not know. */
void lb_session_reopen(struct lb_session *sess, struct lb_io *io,
                       const struct lb_server *lost, struct lb_reopen *wait);
/* False: what a statement has changed of the session would be lost without a word; err
 * gets that said. own_changes: statements of the asker's that may be changing it. */
bool lb_session_may_reopen(const struct lb_session *sess, int32_t own_changes,
                           struct lb_error *err);
/* LB_PROTOCOL: what was opened in the place of an expired session is not like it. Any
 * thread. */
enum lb_status lb_session_check_usable(const struct lb_session *sess,
                                       struct lb_error *err) LB_MUST_USE;
void lb_session_reopen_leave(struct lb_session *sess, struct lb_io *io,
                             struct lb_reopen *wait);
void lb_reopened_free(struct lb_session *sess);

#endif
