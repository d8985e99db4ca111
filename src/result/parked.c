/* SPDX-License-Identifier: Apache-2.0 */
#include "result/parked.h"

#include <inttypes.h>

#include "session/session_internal.h"

/* A host name, a port, and the number of a sign-in. */
#define KEY_MAX 512

struct hb_service {
  struct lb_io_service base;
  struct lb_io *io;
  struct lb_hb_sched *sched;
  struct lb_hb_stats *stats; /* of the process */
  struct lb_timer timer;
};

/* What the state machine asks for. */

static void probe_answered(struct lb_request *req, struct lb_io *io);

/* Where a heartbeat is, there is the service. */
static struct hb_service *service_of(struct lb_io *io) {
  return LB_CONTAINER_OF(lb_io_get_service(io), struct hb_service, base);
}

static struct lb_io *io_of(const struct lb_parked *parked) {
  return lb_session_io(parked->op->sess);
}

static enum lb_status send_probe(struct lb_hb *hb, bool fresh, struct lb_error *err) {
  struct lb_parked *parked = lb_hb_owner(hb);
  struct lb_op *op = parked->op;
  struct lb_request *req;
  LB_TRY(lb_session_request(op->sess, &req, err));
  parked->params = (struct lb_probe_params){
      .probe = lb_hb_probe(hb),
      .confirmed_row = op->owned.confirmed_row,
      .asked_row = op->owned.asked_row,
      .real_offsets = lb_server_facts(lb_session_kind(op->sess))->start_row_offset,
  };
  enum lb_status status =
      op->sess->backend->build_probe(&op->handle, &parked->params, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  req->timeout_ms = lb_hb_request_timeout_ms(hb);
  req->timeout_option = "databricks.heartbeat.request_timeout_seconds";
  req->fresh_connection = fresh;
  req->ctx = parked;
  req->done = probe_answered;
  parked->retain(parked);
  lb_hb_retain(hb);
  parked->probe = req;
  parked->probe_hb = hb;
  lb_request_start(io_of(parked), req);
  return LB_OK;
}

static enum lb_hb_answer_kind kind_of(enum lb_probe_verdict verdict) {
  switch (verdict) {
    case LB_PROBE_ALIVE:
      return LB_HB_ALIVE;
    case LB_PROBE_ALIVE_NO_STATE:
      return LB_HB_ALIVE_STATE_UNKNOWN;
    case LB_PROBE_ENDED:
      return LB_HB_TERMINAL;
    case LB_PROBE_LOST:
      return LB_HB_LOST;
    case LB_PROBE_ROWS_GONE:
      return LB_HB_ROWS_LOST;
    case LB_PROBE_REFUSED:
      return LB_HB_UNAUTHORIZED;
    case LB_PROBE_BUSY:
      return LB_HB_BUSY;
    default:
      return LB_HB_FAILED;
  }
}

static void probe_answered(struct lb_request *req, struct lb_io *io) {
  struct lb_parked *parked = req->ctx;
  struct lb_hb *hb = parked->probe_hb;
  struct lb_probe_answer judged = {.verdict = LB_PROBE_FAILED};
  struct lb_hb_answer answer = {
      .kind = LB_HB_DROPPED,
      .retry_after_ms = req->headers.retry_after_ms,
      .sent_ms = req->sent_ms,
      .bytes = (int64_t)(req->body.len + req->reply.len),
  };
  if (req->status != LB_CANCELLED) {
    /* What was asked for since may have overtaken it. */
    const struct lb_op *op = parked->op;
    struct lb_probe_params *params = &parked->params;
    params->confirmed_row = LB_MIN(params->confirmed_row, op->owned.confirmed_row);
    params->asked_row = LB_MAX(params->asked_row, op->owned.asked_row);
    op->sess->backend->read_probe(req, &parked->params, &judged);
    answer.kind = kind_of(judged.verdict);
    answer.text = judged.err.message;
  }
  parked->probe = NULL;
  parked->probe_hb = NULL;
  int64_t now_ms = lb_io_now_ms(io);
  /* Failures right after a wake-up are the machine's, so it has to be known first. */
  lb_hb_sched_suspended(service_of(io)->sched, now_ms, lb_io_suspended_ms(io));
  lb_hb_answered(hb, &answer, now_ms);
  lb_hb_release(hb);
  lb_request_release(req);
  parked->release(parked);
}

static void drop_probe(struct lb_hb *hb) {
  struct lb_parked *parked = lb_hb_owner(hb);
  if (parked->probe) lb_request_cancel(io_of(parked), parked->probe);
}

static void close_abandoned(struct lb_hb *hb) {
  struct lb_parked *parked = lb_hb_owner(hb);
  lb_op_send_close(parked->op, io_of(parked));
}

/* Several gates may lead to one host. */
static void set_probe_limit(struct lb_hb_host *host, int32_t limit, void *ctx) {
  struct hb_service *service = ctx;
  char name[KEY_MAX];
  (void)limit;
  struct lb_str key = lb_str_from(lb_hb_host_key(host));
  size_t end = lb_str_find(key, LB_STR(" "));
  if (end != SIZE_MAX) key.len = end;
  lb_str_copy(name, sizeof name, key);
  lb_host_set_probe_limit(service->io, name,
                          lb_hb_sched_probe_limit(service->sched, key));
}

/* A renewal that heartbeats wait for. It holds the session, whose credentials are at
 * stake. */
struct renewal {
  struct lb_token_waiter base;
  struct lb_session *sess;
  struct lb_hb_host *host;
};

static void token_renewed(struct lb_token_waiter *base, struct lb_io *io, bool renewed) {
  struct renewal *renewal = LB_CONTAINER_OF(base, struct renewal, base);
  lb_hb_host_token(renewal->host, renewed, lb_io_now_ms(io));
  lb_session_drop(renewal->sess);
  lb_free(renewal);
}

static bool renew_token(struct lb_hb_host *host, void *ctx) {
  struct hb_service *service = ctx;
  struct lb_parked *parked = lb_hb_owner(lb_hb_host_refused(host));
  struct lb_session *sess = parked->op->sess;
  struct lb_error err = LB_ERROR_INIT;
  if (lb_auth_renewal_id(sess->auth) == 0) return false;
  struct renewal *renewal = lb_alloc_zero(LB_MEM_MISC, sizeof *renewal);
  enum lb_status status = renewal ? LB_OK : lb_error_oom(&err, "a renewal of the token");
  if (status == LB_OK) {
    *renewal = (struct renewal){.base.done = token_renewed, .sess = sess, .host = host};
    status = lb_auth_renew(sess->auth, service->io, &renewal->base, &err);
  }
  if (status == LB_OK) {
    lb_session_hold(sess);
    return true;
  }
  lb_log(lb_io_log(service->io), LB_LOG_WARN, "hb", "no newer token for %s: %s",
         lb_hb_host_key(host), err.message);
  lb_free(renewal);
  return false;
}

/* Who shares a gate shares a token that can be renewed, or has one that cannot. */
static enum lb_status gate_of(struct hb_service *service, const struct lb_session *sess,
                              struct lb_hb_host **out, struct lb_error *err) {
  struct lb_buf key;
  lb_buf_init(&key, LB_MEM_MISC, KEY_MAX);
  lb_buf_append_text(&key, lb_endpoint_host(sess->endpoint));
  uint64_t id = lb_auth_renewal_id(sess->auth);
  if (id != 0) lb_buf_appendf(&key, " %" PRIu64, id);
  lb_buf_append_u8(&key, '\0');
  enum lb_status status = lb_buf_check(&key, "the name of a host", err);
  if (status == LB_OK) {
    status = lb_hb_host_get(service->sched, (const char *)key.data, out, err);
  }
  lb_buf_reset(&key);
  return status;
}

/* The timer is always in the heap, with nothing due too, so that a heartbeat that begins
 * or goes on never lacks the memory for its place there. */
static void reschedule(struct lb_hb_sched *sched, int64_t due_ms, void *ctx) {
  (void)sched;
  struct hb_service *service = ctx;
  struct lb_error err = LB_ERROR_INIT;
  /* Moving cannot fail; while the loop is being drained there is nothing to be due. */
  enum lb_status status = lb_timer_set(service->io, &service->timer, due_ms, &err);
  LB_ASSERT(status == LB_OK || status == LB_CANCELLED);
  (void)status;
}

static void timer_fired(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct hb_service *service = LB_CONTAINER_OF(timer, struct hb_service, timer);
  /* Before anything else may take the place that it has just left. */
  reschedule(service->sched, LB_NEVER_MS, service);
  lb_hb_sched_run(service->sched, now_ms, lb_io_suspended_ms(io));
  reschedule(service->sched, lb_hb_sched_next_due(service->sched), service);
}

/* The service. */

static void service_stopping(struct lb_io_service *base, struct lb_io *io) {
  struct hb_service *service = LB_CONTAINER_OF(base, struct hb_service, base);
  lb_hb_sched_stop_all(service->sched, lb_io_now_ms(io));
}

static void service_destroy(struct lb_io_service *base) {
  struct hb_service *service = LB_CONTAINER_OF(base, struct hb_service, base);
  lb_timer_cancel(service->io, &service->timer);
  lb_hb_sched_destroy(service->sched);
  lb_hb_stats_release(service->stats);
  lb_free(service);
}

static enum lb_status service_get(struct lb_io *io, struct hb_service **out,
                                  struct lb_error *err) {
  struct lb_io_service *found = lb_io_get_service(io);
  if (found) {
    *out = LB_CONTAINER_OF(found, struct hb_service, base);
    return LB_OK;
  }
  struct hb_service *service = lb_alloc_zero(LB_MEM_MISC, sizeof *service);
  if (!service) return lb_error_oom(err, "the heartbeats' scheduler");
  service->base.stopping = service_stopping;
  service->base.destroy = service_destroy;
  service->io = io;
  lb_timer_init(&service->timer, timer_fired);
  struct lb_hb_ops ops = {
      .send = send_probe,
      .drop = drop_probe,
      .abandoned = close_abandoned,
      .renew_token = renew_token,
      .probe_limit = set_probe_limit,
      .reschedule = reschedule,
      .ctx = service,
  };
  enum lb_status status = lb_timer_set(io, &service->timer, LB_NEVER_MS, err);
  if (status == LB_OK) status = lb_hb_stats_create(NULL, &service->stats, err);
  if (status == LB_OK) {
    status =
        lb_hb_sched_create(&ops, lb_io_random(io), lb_io_log(io), &service->sched, err);
  }
  if (status != LB_OK) {
    lb_timer_cancel(io, &service->timer);
    lb_hb_stats_release(service->stats);
    lb_free(service);
    return status;
  }
  lb_io_set_service(io, &service->base);
  lb_hb_sched_suspended(service->sched, lb_io_now_ms(io), lb_io_suspended_ms(io));
  *out = service;
  return LB_OK;
}

struct stats_step {
  struct lb_io_task task;
  struct lb_hb_stats *stats; /* retained */
  enum lb_status status;
  struct lb_error *err;
};

static void find_stats(struct lb_io_task *task, struct lb_io *io) {
  struct stats_step *step = LB_CONTAINER_OF(task, struct stats_step, task);
  struct hb_service *service;
  step->status = service_get(io, &service, step->err);
  if (step->status != LB_OK) return;
  lb_hb_stats_retain(service->stats);
  step->stats = service->stats;
}

enum lb_status lb_parked_process_stats(struct lb_io *io, struct lb_hb_stats **out,
                                       struct lb_error *err) {
  struct stats_step step = {.task.run = find_stats, .err = err};
  lb_list_init(&step.task.node);
  lb_io_run(io, &step.task);
  if (step.status == LB_OK) *out = step.stats;
  return step.status;
}

/* What the operation tells. */

static void op_confirmed(void *ctx, enum lb_op_rpc rpc, int64_t sent_ms, int64_t now_ms) {
  struct lb_parked *parked = ctx;
  lb_hb_contact(parked->hb, rpc, sent_ms, now_ms);
}

static void op_all_local(void *ctx, int64_t now_ms) {
  struct lb_parked *parked = ctx;
  lb_hb_stop(parked->hb, LB_HB_ALL_LOCAL, now_ms);
}

void lb_parked_arm(struct lb_parked *parked, struct lb_io *io,
                   const struct lb_hb_options *options, enum lb_probe_kind probe,
                   struct lb_hb_stats *stats) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_op *op = parked->op;
  struct hb_service *service = NULL;
  struct lb_hb_setup setup = {
      .options = options,
      .kind = lb_session_kind(op->sess),
      .origin = op->origin,
      .probe = probe,
      .stats = stats,
      .query_id = op->query_id,
      .owner = parked,
      .contact_ms = atomic_load(&op->contact_ms),
  };
  enum lb_status status = service_get(io, &service, &err);
  if (status == LB_OK) status = gate_of(service, op->sess, &setup.host, &err);
  if (status == LB_OK) status = lb_hb_create(service->sched, &setup, &parked->hb, &err);
  if (status == LB_OK) status = lb_hb_arm(parked->hb, lb_io_now_ms(io), &err);
  if (status == LB_OK) {
    op->owned.watch = (struct lb_op_watch){op_confirmed, op_all_local, parked};
    return;
  }
  if (parked->hb) lb_hb_release(parked->hb);
  parked->hb = NULL;
  lb_hb_stats_set_not_armed(stats, LB_HB_FAILED_TO_ARM);
  lb_log(lb_io_log(io), LB_LOG_WARN, "hb", "statement %s has no heartbeat: %s",
         op->query_id, err.message);
}

void lb_parked_stop(struct lb_parked *parked, struct lb_io *io,
                    enum lb_hb_reason reason) {
  parked->op->owned.watch = (struct lb_op_watch){0};
  if (parked->hb) lb_hb_stop(parked->hb, reason, lb_io_now_ms(io));
}

void lb_parked_reader(struct lb_parked *parked, bool inside, int64_t now_ms) {
  if (parked->hb) lb_hb_reader(parked->hb, inside, now_ms);
}

void lb_parked_reset(struct lb_parked *parked, struct lb_io *io) {
  if (!parked->hb) return;
  lb_parked_stop(parked, io, LB_HB_RELEASED);
  lb_hb_release(parked->hb);
  parked->hb = NULL;
}
