/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a session:
 *  1. Send OpenSession with the Databricks version in its own field and field 1 left
 *     out: every kind of server takes that.
 *  2. An old engine that wants a number in field 1 gets one, newest first, V10 down to
 *     V7.
 *  3. A Databricks version in the reply makes the kind; else GetInfo(CLI_DBMS_NAME)
 *     does, unless the option states it.
 *  4. An open engine takes settings and schema only in HiveServer2's own form, which
 *     is not known to be right before step 3: when any were asked for, the session is
 *     closed and opened once more in that form. */
#include "session/session_internal.h"

struct open_call {
  struct lb_call base;
  struct lb_session *sess; /* becomes the caller's when the call succeeds */
  struct lb_options *opts;
  struct lb_request *req;
  enum lb_server_kind stated_kind;
};

enum lb_status lb_session_request(struct lb_session *sess, struct lb_request **out,
                                  struct lb_error *err) {
  struct lb_request *req;
  LB_TRY(lb_request_create(sess->endpoint, &req, err));
  req->authorizer = lb_auth_authorizer(sess->auth);
  *out = req;
  return LB_OK;
}

static void session_free(struct lb_session *sess) {
  lb_endpoint_release(sess->endpoint);
  lb_auth_release(sess->auth);
  lb_cond_destroy(&sess->info.cond);
  lb_mutex_destroy(&sess->info.mu);
  lb_arena_reset(&sess->recipe.arena);
  lb_reopened_free(sess);
  lb_wipe(&sess->server, sizeof sess->server);
  lb_free(sess);
}

static void end_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_session *sess = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = sess->backend->read_end(req, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  if (status != LB_OK) {
    lb_log(lb_io_log(io), LB_LOG_INFO, "session", "closing a session: %s", err.message);
  }
  lb_session_drop(sess);
}

void lb_session_send_end(struct lb_session *sess, struct lb_io *io) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_request *req = NULL;
  enum lb_status status = lb_session_request(sess, &req, &err);
  if (status == LB_OK) {
    status = sess->backend->build_end(lb_session_server(sess), req, &err);
  }
  if (status == LB_OK) {
    req->ctx = sess;
    req->done = end_answered;
    lb_request_start(io, req);
  } else {
    lb_log(lb_io_log(io), LB_LOG_WARN, "session",
           "a session could not be closed and stays until the server forgets it: %s",
           err.message);
    lb_session_drop(sess);
  }
  lb_request_release(req);
}

static void end_session(struct lb_io_task *task, struct lb_io *io) {
  struct lb_session *sess = LB_CONTAINER_OF(task, struct lb_session, end_task);
  sess->owned.ended = true;
  lb_session_send_end(sess, io);
}

void lb_session_hold(struct lb_session *sess) {
  atomic_fetch_add_explicit(&sess->refs, 1, memory_order_relaxed);
}

void lb_session_drop(struct lb_session *sess) {
  if (atomic_fetch_sub_explicit(&sess->refs, 1, memory_order_acq_rel) != 1) return;
  session_free(sess);
}

void lb_session_retain(struct lb_session *sess) {
  atomic_fetch_add_explicit(&sess->users, 1, memory_order_relaxed);
}

/* The users together hold one reference; it goes to the request that ends the session.
 * Closes of operations that are unanswered then are not waited for: the end of the
 * session ends them too. */
void lb_session_release(struct lb_session *sess) {
  if (!sess) return;
  if (atomic_fetch_sub_explicit(&sess->users, 1, memory_order_acq_rel) != 1) return;
  if (!sess->open) {
    lb_session_drop(sess);
    return;
  }
  sess->end_task.run = end_session;
  lb_io_post(sess->io, &sess->end_task);
}

enum lb_server_kind lb_session_kind(const struct lb_session *sess) {
  return sess->server.kind;
}

int32_t lb_session_protocol(const struct lb_session *sess) {
  return sess->server.protocol;
}

struct lb_io *lb_session_io(const struct lb_session *sess) { return sess->io; }

/* Opening. */

static struct open_call *open_of(struct lb_call *call) {
  return LB_CONTAINER_OF(call, struct open_call, base);
}

static void open_destroy(struct lb_call *base) {
  struct open_call *call = open_of(base);
  lb_session_release(call->sess);
  lb_options_release(call->opts);
  lb_free(call);
}

static void open_answered(struct lb_request *req, struct lb_io *io);
static void info_answered(struct lb_request *req, struct lb_io *io);
static void reopen_answered(struct lb_request *req, struct lb_io *io);

/* Starts one more request of the call; done drops its reference. */
static enum lb_status open_send(struct open_call *call, struct lb_request *req,
                                void (*done)(struct lb_request *, struct lb_io *)) {
  req->ctx = call;
  req->done = done;
  call->req = req;
  lb_request_start(call->base.io, req);
  return LB_OK;
}

static enum lb_status send_open(struct open_call *call, struct lb_error *err) {
  struct lb_request *req;
  LB_TRY(lb_session_request(call->sess, &req, err));
  enum lb_status status =
      call->sess->backend->build_open(&call->sess->recipe.params, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  return open_send(call, req, open_answered);
}

static void open_begin(struct lb_call *base, struct lb_io *io) {
  (void)io;
  struct open_call *call = open_of(base);
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = send_open(call, &err);
  if (status != LB_OK) lb_call_finish(base, status, &err);
}

/* The request in flight ends soon; its done sees that nobody waits any more. An
 * OpenSession that may have reached the server is waited for, so that its session can
 * be closed. */
static void open_abandon(struct lb_call *base, struct lb_io *io) {
  struct open_call *call = open_of(base);
  /* What ends the session that was opened to learn the kind has to get through. */
  if (!call->req || call->req->done == reopen_answered) return;
  if (call->req->done == open_answered) {
    lb_request_orphan(io, call->req);
  } else {
    lb_request_cancel(io, call->req);
  }
}

static const struct lb_call_ops open_ops = {
    .name = "open",
    .begin = open_begin,
    .abandon = open_abandon,
    .destroy = open_destroy,
};

static bool wants_hive_form(const struct open_call *call) {
  return call->sess->server.kind != LB_KIND_DATABRICKS &&
         call->stated_kind == LB_KIND_AUTO &&
         call->sess->recipe.params.kind == LB_KIND_AUTO &&
         (call->sess->recipe.params.conf_count > 0 ||
          call->sess->recipe.params.schema.data);
}

/* Step 4: ends the session that was opened to learn the kind. */
static enum lb_status send_reopen(struct open_call *call, struct lb_error *err) {
  struct lb_request *req;
  LB_TRY(lb_session_request(call->sess, &req, err));
  enum lb_status status = call->sess->backend->build_end(&call->sess->server, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  return open_send(call, req, reopen_answered);
}

/* The kind is known: done, or once more in the engine's own form. */
static enum lb_status kind_known(struct open_call *call, struct lb_io *io,
                                 struct lb_error *err) {
  struct lb_session *sess = call->sess;
  if (wants_hive_form(call)) {
    call->sess->recipe.params.kind = sess->server.kind;
    return send_reopen(call, err);
  }
  lb_log(lb_io_log(io), LB_LOG_DEBUG, "session", "session open on %s: %s, protocol %d",
         lb_endpoint_host(sess->endpoint), lb_server_kind_name(sess->server.kind),
         (int)sess->server.protocol);
  lb_call_finish(&call->base, LB_OK, NULL);
  return LB_OK;
}

static enum lb_status send_info(struct open_call *call, struct lb_error *err) {
  struct lb_request *req;
  LB_TRY(lb_session_request(call->sess, &req, err));
  enum lb_status status =
      call->sess->backend->build_info(&call->sess->server, LB_T_INFO_DBMS_NAME, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  return open_send(call, req, info_answered);
}

static enum lb_status check_kind(struct open_call *call, struct lb_error *err) {
  enum lb_server_kind stated = call->stated_kind;
  bool databricks = call->sess->server.databricks_protocol;
  if (stated == LB_KIND_AUTO || databricks == (stated == LB_KIND_DATABRICKS))
    return LB_OK;
  return lb_error_set(
      err, LB_INVALID_ARGUMENT,
      "option databricks.server_kind is '%s', but the server speaks %s; set it "
      "to auto",
      lb_server_kind_name(stated),
      databricks ? "Databricks' protocol" : "HiveServer2's protocol");
}

static enum lb_status open_read(struct open_call *call, struct lb_request *req,
                                struct lb_io *io, struct lb_error *err) {
  struct lb_session *sess = call->sess;
  if (req->status != LB_OK) {
    lb_error_copy(err, &req->err);
    return req->status;
  }
  int32_t again = -1;
  struct lb_server server = {.kind = LB_KIND_AUTO};
  enum lb_status status =
      sess->backend->read_open(req, &call->sess->recipe.params, &server, &again, err);
  static const uint8_t none[16];
  if (memcmp(server.guid, none, sizeof none) != 0) {
    sess->server = server;
    sess->open = true;
  }
  if (lb_call_abandoned(&call->base)) return LB_CANCELLED;
  if (status == LB_PROTOCOL && again >= 0) {
    call->sess->recipe.params.hive_protocol = again;
    return send_open(call, err);
  }
  if (status != LB_OK) return status;
  LB_TRY(check_kind(call, err));
  if (sess->server.kind == LB_KIND_AUTO) return send_info(call, err);
  return kind_known(call, io, err);
}

static void open_step_done(struct open_call *call, struct lb_request *req,
                           enum lb_status status, const struct lb_error *err) {
  lb_request_release(req);
  if (status != LB_OK) lb_call_finish(&call->base, status, err);
}

static void open_answered(struct lb_request *req, struct lb_io *io) {
  struct open_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  call->req = NULL;
  enum lb_status status = open_read(call, req, io, &err);
  open_step_done(call, req, status, &err);
}

/* A server that cannot tell its name is taken for Spark: its probe is harmless
 * elsewhere but on Hive, and Hive tells its name. */
static void info_answered(struct lb_request *req, struct lb_io *io) {
  struct open_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  char name[64] = "";
  call->req = NULL;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    if (call->sess->backend->read_info(req, name, sizeof name, &err) != LB_OK)
      name[0] = '\0';
    call->sess->server.kind = lb_server_kind_from_dbms(lb_str_from(name));
    status = lb_call_abandoned(&call->base) ? LB_CANCELLED : kind_known(call, io, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  open_step_done(call, req, status, &err);
}

static void reopen_answered(struct lb_request *req, struct lb_io *io) {
  (void)io;
  struct open_call *call = req->ctx;
  struct lb_error err = LB_ERROR_INIT;
  call->req = NULL;
  enum lb_status status = req->status;
  if (status == LB_OK) {
    status = call->sess->backend->read_end(req, &err);
  } else {
    lb_error_copy(&err, &req->err);
  }
  /* Else it is closed once more when the call is destroyed. */
  if (status == LB_OK) call->sess->open = false;
  if (status == LB_OK) {
    status = lb_call_abandoned(&call->base) ? LB_CANCELLED : send_open(call, &err);
  }
  open_step_done(call, req, status, &err);
}

/* Preparing, on the caller's thread. */

static enum lb_status collect_conf(void *ctx, struct lb_str name, struct lb_str value,
                                   struct lb_error *err) {
  struct open_call *call = ctx;
  if (call->sess->recipe.params.conf_count == LB_CONFS_MAX) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "more than %d options databricks.session_conf.*", LB_CONFS_MAX);
  }
  struct lb_conf *conf = &call->sess->recipe.confs[call->sess->recipe.params.conf_count];
  char *name_copy = lb_arena_strdup(&call->sess->recipe.arena, name);
  char *value_copy = lb_arena_strdup(&call->sess->recipe.arena, value);
  if (!name_copy || !value_copy) return lb_error_oom(err, "the session settings");
  *conf = (struct lb_conf){{name_copy, name.len}, {value_copy, value.len}};
  call->sess->recipe.params.conf_count++;
  return LB_OK;
}

static enum lb_status option_str(struct open_call *call, enum lb_option_id id,
                                 struct lb_str *out, struct lb_error *err) {
  char *text = NULL;
  LB_TRY(lb_options_text(call->opts, id, &text, err));
  *out = (struct lb_str){NULL, 0};
  if (!text) return LB_OK;
  size_t len = strlen(text);
  char *copy = lb_arena_strdup(&call->sess->recipe.arena, (struct lb_str){text, len});
  lb_free(text);
  if (!copy) return lb_error_oom(err, "an option");
  if (len > 0) *out = (struct lb_str){copy, len};
  return LB_OK;
}

static enum lb_status make_auth(struct lb_options *opts, const struct lb_target *target,
                                const struct lb_endpoint *endpoint, struct lb_auth **out,
                                struct lb_error *err) {
  struct lb_auth *auth;
  if (target->token) {
    LB_TRY(lb_auth_bearer(target->token, &auth, err));
  } else if (target->username) {
    LB_TRY(lb_auth_basic(target->username, target->password ? target->password : "",
                         &auth, err));
  } else {
    LB_TRY(lb_auth_none(&auth, err));
  }
  if (lb_auth_sends_secret(auth) && !lb_endpoint_is_tls(endpoint) &&
      !lb_endpoint_is_loopback(endpoint) &&
      !lb_options_bool(opts, LB_OPT_TLS_TOKEN_OVER_HTTP)) {
    lb_auth_release(auth);
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "the uri is http:// and %s is not this machine: the token or password "
        "would travel in the clear. Use https://, or set option "
        "databricks.tls.allow_token_over_http to true",
        lb_endpoint_host(endpoint));
  }
  *out = auth;
  return LB_OK;
}

/* The workspace id of ?o=<id> has to be repeated as a header. */
static void org_header(const char *url, char *out, size_t cap) {
  const char *query = strchr(url, '?');
  out[0] = '\0';
  for (const char *at = query; at; at = strchr(at + 1, '&')) {
    if (strncmp(at + 1, "o=", 2) != 0) continue;
    size_t len = strcspn(at + 3, "&#");
    struct lb_buf text;
    lb_buf_init(&text, LB_MEM_MISC, cap - 1);
    lb_buf_append_text(&text, "x-databricks-org-id: ");
    lb_buf_append(&text, at + 3, len);
    lb_str_copy(out, cap, (struct lb_str){(const char *)text.data, text.len});
    lb_buf_reset(&text);
    return;
  }
}

static enum lb_status make_endpoint(struct lb_options *opts, const char *url,
                                    struct lb_endpoint **out, struct lb_error *err) {
  char *ca_file = NULL, *store_ca_file = NULL, *store_proxy = NULL;
  char org[128];
  org_header(url, org, sizeof org);
  enum lb_status status = lb_options_text(opts, LB_OPT_TLS_CA_FILE, &ca_file, err);
  if (status == LB_OK) {
    status = lb_options_text(opts, LB_OPT_CLOUDFETCH_CA_FILE, &store_ca_file, err);
  }
  if (status == LB_OK) {
    status = lb_options_text(opts, LB_OPT_CLOUDFETCH_PROXY, &store_proxy, err);
  }
  struct lb_endpoint_options endpoint = {
      .url = url,
      .ca_file = ca_file,
      .insecure_skip_verify = lb_options_bool(opts, LB_OPT_TLS_INSECURE),
      .user_agent = "lakebeat/" LAKEBEAT_VERSION,
      .extra_headers = {"Content-Type: application/x-thrift",
                        "Accept: application/x-thrift", org[0] ? org : NULL},
      .connect_timeout_ms = lb_options_int(opts, LB_OPT_CONNECT_TIMEOUT) * 1000,
      .request_timeout_ms = lb_options_int(opts, LB_OPT_REQUEST_TIMEOUT) * 1000,
      .retry_timeout_ms = lb_options_int(opts, LB_OPT_RETRY_TIMEOUT) * 1000,
      .store_ca_file = store_ca_file,
      .store_proxy = store_proxy,
  };
  if (status == LB_OK) status = lb_endpoint_create(&endpoint, out, err);
  if (store_proxy != NULL) lb_wipe(store_proxy, strlen(store_proxy));
  lb_free(store_proxy);
  lb_free(store_ca_file);
  lb_free(ca_file);
  return status;
}

static enum lb_status session_create(struct lb_io *io, struct lb_options *opts,
                                     struct lb_session **out, struct lb_error *err) {
  struct lb_session *sess = lb_alloc_zero(LB_MEM_MISC, sizeof *sess);
  if (!sess) return lb_error_oom(err, "a session");
  atomic_init(&sess->unlike, false);
  atomic_init(&sess->users, 1);
  atomic_init(&sess->refs, 1);
  sess->io = io;
  sess->backend = &lb_backend_thrift;
  atomic_init(&sess->current, &sess->server);
  lb_arena_init(&sess->recipe.arena, LB_MEM_MISC, 1024 * 1024);
  sess->recipe.params.confs = sess->recipe.confs;
  sess->recipe.params.hive_protocol = -1;
  lb_list_init(&sess->owned.waiting);
  struct lb_target target = {0};
  enum lb_status status = lb_mutex_init(&sess->info.mu, err);
  if (status == LB_OK) {
    status = lb_cond_init(&sess->info.cond, err);
    if (status != LB_OK) lb_mutex_destroy(&sess->info.mu);
  }
  if (status != LB_OK) {
    lb_free(sess);
    return status;
  }
  status = lb_options_target(opts, &target, err);
  if (status == LB_OK) status = make_endpoint(opts, target.url, &sess->endpoint, err);
  if (status == LB_OK)
    status = make_auth(opts, &target, sess->endpoint, &sess->auth, err);
  lb_target_reset(&target);
  if (status != LB_OK) {
    session_free(sess);
    return status;
  }
  *out = sess;
  return LB_OK;
}

static enum lb_status open_call_create(struct lb_io *io, struct lb_options *opts,
                                       struct open_call **out, struct lb_error *err) {
  struct open_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof *call);
  if (!call) return lb_error_oom(err, "the opening of a session");
  enum lb_status status = lb_call_init(&call->base, &open_ops, io, err);
  if (status != LB_OK) {
    lb_free(call);
    return status;
  }
  lb_options_retain(opts);
  call->opts = opts;
  status = session_create(io, opts, &call->sess, err);
  if (status == LB_OK) {
    status = option_str(call, LB_OPT_CATALOG, &call->sess->recipe.params.catalog, err);
  }
  if (status == LB_OK)
    status = option_str(call, LB_OPT_SCHEMA, &call->sess->recipe.params.schema, err);
  if (status == LB_OK) status = lb_options_each_conf(opts, collect_conf, call, err);
  struct lb_str kind = {NULL, 0};
  if (status == LB_OK) status = option_str(call, LB_OPT_SERVER_KIND, &kind, err);
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  if (!lb_server_kind_parse(kind, &call->stated_kind)) call->stated_kind = LB_KIND_AUTO;
  call->sess->recipe.params.kind = call->stated_kind;
  *out = call;
  return LB_OK;
}

enum lb_status lb_session_open(struct lb_io *io, struct lb_options *opts,
                               struct lb_call_slot *slot, struct lb_session **out,
                               struct lb_error *err) {
  struct open_call *call = NULL;
  LB_TRY(open_call_create(io, opts, &call, err));
  enum lb_status status = lb_call_run(slot, &call->base, LB_NEVER_MS, err);
  if (status == LB_OK) {
    *out = call->sess;
    call->sess = NULL;
  }
  lb_call_release(&call->base);
  return status;
}
