/* SPDX-License-Identifier: Apache-2.0 */
/* A session on a server, and what a front end needs of it. Reference-counted:
 * connections, statements, results and operations hold it; the server's session is
 * closed, without anybody waiting, when the last one lets go (so after its last
 * stream).
 *
 * Threads: any thread may start things on a session at the same time. */
#ifndef LB_SESSION_SESSION_H
#define LB_SESSION_SESSION_H

#include "io/call.h"
#include "io/request.h"
#include "session/options.h"
#include "session/server_kinds.h"

struct lb_session;

/* Opens a session as opts (a connection's) say; waits as long as the warehouse needs
 * to start. slot makes it cancellable. io is borrowed: the caller's use must last as
 * long as its own reference to the session. */
enum lb_status lb_session_open(struct lb_io *io, struct lb_options *opts,
                               struct lb_call_slot *slot, struct lb_session **out,
                               struct lb_error *err) LB_MUST_USE;
void lb_session_retain(struct lb_session *sess);
void lb_session_release(struct lb_session *sess); /* NULL is a no-op; any thread */

enum lb_server_kind lb_session_kind(const struct lb_session *sess);
int32_t lb_session_protocol(const struct lb_session *sess); /* as the server granted it */
struct lb_io *lb_session_io(const struct lb_session *sess);
/* DBMS name and version as the server tells; "" when it does not. Asked once, on first
 * use; several threads may come at once. */
enum lb_status lb_session_server_info(struct lb_session *sess, struct lb_call_slot *slot,
                                      char name[64], char version[64],
                                      struct lb_error *err) LB_MUST_USE;

#endif
