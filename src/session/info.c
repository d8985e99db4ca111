/* SPDX-License-Identifier: Apache-2.0 */
/* What the server tells of itself: GetInfo, asked once for a session. A session that has
 * expired is opened anew, as for a statement (reopen.c). */
#include "session/session_internal.h"

struct info_call {
  struct lb_call base;
  struct lb_session *sess;
  struct lb_request *req;
  const struct lb_server *server; /* whose handle the request has */
  struct lb_reopen reopen;
  bool reopening; /* waits for it */
  bool reopened;  /* once is enough */
  bool refused;
  int32_t info;
  char text[64];
};

static struct info_call *info_of(struct lb_call *call) {
  return LB_CONTAINER_OF(call, struct info_call, base);
}

static void info_destroy(struct lb_call *base) {
  struct info_call *call = info_of(base);
  lb_session_release(call->sess);
  lb_free(call);
}

static void send(struct info_call *call, struct lb_io *io);

static void info_reopened(struct lb_reopen *wait, struct lb_io *io, enum lb_status status,
                          struct lb_error *err) {
  struct info_call *call = LB_CONTAINER_OF(wait, struct info_call, reopen);
  call->reopening = false;
  if (status == LB_OK) {
    send(call, io);
  } else {
    lb_call_finish(&call->base, status, err);
  }
}

/* True: the session is opened anew, and the call goes on after that. */
static bool reopen(struct info_call *call, struct lb_io *io, enum lb_status status,
                   const struct lb_request *req, struct lb_error *err) {
  bool lost =
      status == LB_SESSION_LOST || (status == LB_RESULT_LOST && req->http_status == 404);
  if (!lost || call->reopened || lb_call_abandoned(&call->base)) return false;
  if (!lb_session_may_reopen(call->sess, 0, err)) return false;
  call->reopened = call->reopening = true;
  call->reopen.done = info_reopened;
  lb_list_init(&call->reopen.node);
  lb_session_reopen(call->sess, io, call->server, &call->reopen);
  return true;
}

static void info_done(struct lb_request *req, struct lb_io *io) {
  struct info_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = req->status;
  call->req = NULL;
  if (status != LB_OK) {
    lb_error_copy(&err, &req->err);
  } else {
    status = call->sess->backend->read_info(req, call->text, sizeof call->text, &err);
  }
  bool waits = status != LB_OK && reopen(call, io, status, req, &err);
  bool failed =
      req->status != LB_OK || status == LB_SESSION_LOST || status == LB_OUT_OF_MEMORY;
  if (status != LB_OK && !failed) {
    /* Engines refuse what they do not know; that is no failure. Hive does so with HTTP
     * 500, for a session that it does not know as well: later it may tell. */
    call->text[0] = '\0';
    call->refused = true;
    status = LB_OK;
  }
  lb_request_release(req);
  if (!waits) lb_call_finish(&call->base, status, &err);
}

static void send(struct info_call *call, struct lb_io *io) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_request *req = NULL;
  call->server = lb_session_server(call->sess);
  enum lb_status status = lb_session_request(call->sess, &req, &err);
  if (status == LB_OK) {
    status = call->sess->backend->build_info(call->server, call->info, req, &err);
  }
  if (status != LB_OK) {
    lb_request_release(req);
    lb_call_finish(&call->base, status, &err);
    return;
  }
  req->ctx = call;
  req->done = info_done;
  call->req = req;
  lb_request_start(io, req);
}

static void info_begin(struct lb_call *base, struct lb_io *io) {
  send(info_of(base), io);
}

static void info_abandon(struct lb_call *base, struct lb_io *io) {
  struct info_call *call = info_of(base);
  if (call->reopening) {
    struct lb_error err = LB_ERROR_INIT;
    call->reopening = false;
    lb_session_reopen_leave(call->sess, io, &call->reopen);
    lb_error_set(&err, LB_CANCELLED, "the question to the server was cancelled");
    lb_call_finish(base, LB_CANCELLED, &err);
  } else if (call->req) {
    lb_request_cancel(io, call->req);
  }
}

static const struct lb_call_ops info_ops = {
    .name = "info",
    .begin = info_begin,
    .abandon = info_abandon,
    .destroy = info_destroy,
};

static enum lb_status ask_info(struct lb_session *sess, struct lb_call_slot *slot,
                               int32_t info, char out[64], bool *refused,
                               struct lb_error *err) {
  LB_TRY(lb_session_check_usable(sess, err));
  struct info_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof *call);
  if (!call) return lb_error_oom(err, "a question to the server");
  enum lb_status status = lb_call_init(&call->base, &info_ops, sess->io, err);
  if (status != LB_OK) {
    lb_free(call);
    return status;
  }
  lb_session_retain(sess);
  call->sess = sess;
  call->info = info;
  status = lb_call_run(slot, &call->base, LB_NEVER_MS, err);
  if (status == LB_OK) {
    memcpy(out, call->text, sizeof call->text);
    *refused = *refused || call->refused;
  }
  lb_call_release(&call->base);
  return status;
}

static enum lb_status ask_both(struct lb_session *sess, struct lb_call_slot *slot,
                               char name[64], char version[64], bool *refused,
                               struct lb_error *err) {
  uint64_t turn;
  LB_TRY(lb_call_slot_enter(slot, "info", &turn, err));
  enum lb_status status = ask_info(sess, slot, LB_T_INFO_DBMS_NAME, name, refused, err);
  if (status == LB_OK) {
    status = ask_info(sess, slot, LB_T_INFO_DBMS_VER, version, refused, err);
  }
  if (lb_call_slot_leave(slot) && status == LB_OK) {
    status = lb_error_set(err, LB_CANCELLED, "info was cancelled");
  }
  return status;
}

/* One thread asks; others that come meanwhile wait for what it learns, and the next of
 * them asks when it has learnt nothing. */
enum lb_status lb_session_server_info(struct lb_session *sess, struct lb_call_slot *slot,
                                      char name[64], char version[64],
                                      struct lb_error *err) {
  enum lb_status status = LB_OK;
  lb_mutex_lock(&sess->info.mu);
  while (sess->info.asking) lb_cond_wait(&sess->info.cond, &sess->info.mu);
  if (!sess->info.known) {
    sess->info.asking = true;
    lb_mutex_unlock(&sess->info.mu);
    char told[2][64] = {"", ""};
    bool refused = false;
    status = ask_both(sess, slot, told[0], told[1], &refused, err);
    lb_mutex_lock(&sess->info.mu);
    sess->info.asking = false;
    sess->info.known = status == LB_OK && !refused;
    memcpy(sess->info.name, told[0], sizeof sess->info.name);
    memcpy(sess->info.version, told[1], sizeof sess->info.version);
    lb_cond_broadcast(&sess->info.cond);
  }
  if (status == LB_OK) {
    memcpy(name, sess->info.name, sizeof sess->info.name);
    memcpy(version, sess->info.version, sizeof sess->info.version);
  }
  lb_mutex_unlock(&sess->info.mu);
  return status;
}
