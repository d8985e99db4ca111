/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of a session, for the files of this room. Immutable once open, but for the
 * cached server info. */
#ifndef LB_SESSION_SESSION_INTERNAL_H
#define LB_SESSION_SESSION_INTERNAL_H

#include "auth/auth.h"
#include "base/mutex.h"
#include "session/backend.h"
#include "session/session.h"

struct lb_session {
  atomic_uint users; /* connections, statements, results: the last one closes it */
  atomic_uint refs;  /* users, operations, what is in flight: the last one frees it */
  struct lb_io *io;
  struct lb_endpoint *endpoint;
  struct lb_auth *auth;
  const struct lb_backend *backend;
  struct lb_server server;
  bool open; /* the server has it */
  struct lb_io_task end_task;
  struct {
    struct lb_mutex mu;
    struct lb_cond cond; /* asking has ended */
    bool asking LB_GUARDED_BY(mu);
    bool known LB_GUARDED_BY(mu);
    char name[64] LB_GUARDED_BY(mu);
    char version[64] LB_GUARDED_BY(mu);
  } info;
};

/* The memory alone, for what may outlive the server's session. */
void lb_session_hold(struct lb_session *sess);
void lb_session_drop(struct lb_session *sess);
/* A request to the session's server with its credentials. */
enum lb_status lb_session_request(struct lb_session *sess, struct lb_request **out,
                                  struct lb_error *err) LB_MUST_USE;

#endif
