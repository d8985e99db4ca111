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
void lb_session_reopen_leave(struct lb_session *sess, struct lb_io *io,
                             struct lb_reopen *wait);
void lb_reopened_free(struct lb_session *sess);

#endif
