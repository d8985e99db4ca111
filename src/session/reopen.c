/* SPDX-License-Identifier: Apache-2.0 */
/* A server has forgotten the session:
 *  1. Whoever is told so, by the refusal of a request that began an operation, and so
 *     knows that nothing has run, waits here. Somebody whose request had an older handle
 *     than the present one goes on at once.
 *  2. The first one opens a session in the very form in which the lost one was opened in
 *     the end (catalog, schema and settings included); the others wait for it.
 *  3. A session whose state a statement has changed is not opened anew: the state would
 *     be lost without a word. Who asks looks at has_state first.
 *  4. Handles are replaced, never changed: others may be reading them.
 *  5. One that turns out to be unlike the lost one (of another protocol version, in
 *     another schema) is kept to be closed, and nothing runs in it.
 *  6. When all have given up, the reply is waited for all the same, and when the session
 *     has ended meanwhile, what was opened is closed. */
#include "session/session_internal.h"

struct lb_reopened {
  struct lb_reopened *next;
  struct lb_server server;
};

void lb_reopened_free(struct lb_session *sess) {
  struct lb_reopened *later;
  while ((later = sess->owned.later) != NULL) {
    sess->owned.later = later->next;
    lb_wipe(&later->server, sizeof later->server);
    lb_free(later);
  }
  lb_free(sess->owned.fresh);
}

static void tell_all(struct lb_session *sess, struct lb_io *io, enum lb_status status,
                     const struct lb_error *err) {
  struct lb_list *node;
  while ((node = lb_list_pop(&sess->owned.waiting)) != NULL) {
    struct lb_reopen *wait = LB_CONTAINER_OF(node, struct lb_reopen, node);
    struct lb_error copy = LB_ERROR_INIT;
    if (status != LB_OK) lb_error_copy(&copy, err);
    wait->done(wait, io, status, &copy);
  }
}

static enum lb_status take(struct lb_session *sess, const struct lb_request *req,
                           struct lb_error *err) {
  struct lb_reopened *later = sess->owned.fresh;
  int32_t again;
  enum lb_status status =
      sess->backend->read_open(req, &sess->recipe.params, &later->server, &again, err);
  static const uint8_t none[16];
  if (memcmp(later->server.guid, none, sizeof none) == 0) return status;
  later->server.kind = sess->server.kind;
  sess->owned.fresh = NULL;
  later->next = sess->owned.later;
  sess->owned.later = later;
  bool unlike = status != LB_OK || later->server.protocol != sess->server.protocol;
  atomic_store(&sess->unlike, unlike);
  atomic_store(&sess->current, &later->server);
  return status == LB_OK ? lb_session_check_usable(sess, err) : status;
}

static void reopened(struct lb_request *req, struct lb_io *io) {
  struct lb_session *sess = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = req->status;
  sess->owned.opening = NULL;
  if (status == LB_OK) {
    status = take(sess, req, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  if (status == LB_OK) {
    lb_log(lb_io_log(io), LB_LOG_INFO, "session",
           "the session on %s had expired and was opened anew",
           lb_endpoint_host(sess->endpoint));
  }
  tell_all(sess, io, status, &err);
  if (sess->owned.ended) {
    lb_session_hold(sess);
    lb_session_send_end(sess, io);
  }
  lb_request_release(req);
  lb_session_drop(sess);
}

static enum lb_status send_open(struct lb_session *sess, struct lb_io *io,
                                struct lb_error *err) {
  struct lb_request *req;
  if (!sess->owned.fresh) {
    sess->owned.fresh = lb_alloc(LB_MEM_MISC, sizeof *sess->owned.fresh);
  }
  if (!sess->owned.fresh) return lb_error_oom(err, "a session");
  *sess->owned.fresh = (struct lb_reopened){.server.kind = LB_KIND_AUTO};
  LB_TRY(lb_session_request(sess, &req, err));
  enum lb_status status = sess->backend->build_open(&sess->recipe.params, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  lb_session_hold(sess);
  req->ctx = sess;
  req->done = reopened;
  sess->owned.opening = req;
  lb_request_start(io, req);
  return LB_OK;
}

enum lb_status lb_session_check_usable(const struct lb_session *sess,
                                       struct lb_error *err) {
  if (!atomic_load(&sess->unlike)) return LB_OK;
  return lb_error_set(err, LB_PROTOCOL,
                      "the session had expired, and the one that the server opened in "
                      "its place is not like it (of another protocol version, or in "
                      "another schema): open a new connection");
}

bool lb_session_may_reopen(const struct lb_session *sess, int32_t own_changes,
                           struct lb_error *err) {
  /* What is under way may have changed the session while it was still there. */
  if (!sess->owned.has_state && sess->owned.changing <= own_changes) return true;
  lb_error_append(err,
                  "; the session has expired and is not opened anew, because a "
                  "statement has changed its state (USE, SET, a temporary view or the "
                  "like): open a new connection");
  return false;
}

void lb_session_reopen(struct lb_session *sess, struct lb_io *io,
                       const struct lb_server *lost, struct lb_reopen *wait) {
  struct lb_error err = LB_ERROR_INIT;
  if (lb_session_server(sess) != lost) {
    enum lb_status status = lb_session_check_usable(sess, &err);
    wait->done(wait, io, status, &err);
    return;
  }
  lb_list_push_back(&sess->owned.waiting, &wait->node);
  if (sess->owned.opening) return;
  enum lb_status status = send_open(sess, io, &err);
  if (status != LB_OK) tell_all(sess, io, status, &err);
}

void lb_session_reopen_leave(struct lb_session *sess, struct lb_io *io,
                             struct lb_reopen *wait) {
  lb_list_remove(&wait->node);
  if (lb_list_empty(&sess->owned.waiting) && sess->owned.opening) {
    lb_request_orphan(io, sess->owned.opening);
  }
}
