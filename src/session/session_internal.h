/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of a session, for the files of this room. Immutable once open, but for the
 * cached server info (info.c), the handle (reopen.c) and what the I/O thread owns. */
#ifndef LB_SESSION_SESSION_INTERNAL_H
#define LB_SESSION_SESSION_INTERNAL_H

#include "auth/auth.h"
#include "base/mutex.h"
#include "session/backend.h"
#include "session/reopen.h"
#include "session/session.h"

#define LB_CONFS_MAX 256

struct lb_session {
  atomic_uint users; /* connections, statements, results: the last one closes it */
  atomic_uint refs;  /* users, operations, what is in flight: the last one frees it */
  struct lb_io *io;
  struct lb_endpoint *endpoint;
  struct lb_auth *auth;
  const struct lb_backend *backend;
  struct lb_server server; /* as it was opened first; its kind and protocol stay */
  _Atomic(const struct lb_server *) current; /* the same, or with a later handle */
  bool open;                                 /* the server has it */
  atomic_bool unlike; /* what was opened in its place is not like it (reopen.c) */
  struct {            /* how it was opened */
    struct lb_open_params params;
    struct lb_conf confs[LB_CONFS_MAX];
    struct lb_arena arena; /* texts of these */
  } recipe;
  struct {                  /* I/O thread */
    bool has_state;         /* a statement has changed what opening it anew would lose */
    int32_t changing;       /* statements under way that may do so */
    bool ended;             /* its end was sent */
    struct lb_list waiting; /* struct lb_reopen */
    struct lb_request *opening;
    struct lb_reopened *fresh; /* room for what comes of opening */
    struct lb_reopened *later; /* all handles but the first */
  } owned;
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
/* Its present handle; any thread. What it points to lives as long as the session. */
static inline const struct lb_server *lb_session_server(const struct lb_session *sess) {
  return atomic_load(&sess->current);
}
/* I/O thread. Closes the present handle; takes a reference of the caller's. */
void lb_session_send_end(struct lb_session *sess, struct lb_io *io);

/* A request to the session's server with its credentials. */
enum lb_status lb_session_request(struct lb_session *sess, struct lb_request **out,
                                  struct lb_error *err) LB_MUST_USE;

#endif
