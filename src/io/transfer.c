/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request:
 * 1. Start: it stands in line for a place of its host and class.
 * 2. A place is free: an attempt begins; its connection has connect_timeout to stand.
 * 3. From then on the server may be silent for request_timeout; every byte in or out
 *    starts that anew, and only time during which the machine was awake counts.
 * 4. The attempt ends: the place is given back, and retry.c says whether the reply is
 *    delivered, the exchange fails, or it waits and goes back to 1.
 * 5. The exchange as a whole has timeout_ms, the time in line and waits included. One
 *    timer per transfer stands for the nearest of these; when it fires they are looked
 *    at again, so that a byte costs no heap operation. `done` is called from here
 *    only: from a task, a timer or the loop's own round, never from inside a function
 *    that others call. */
#include "io/transfer.h"

#include "base/log.h"
#include "io/attempt.h"

static struct lb_transfer *from_queue(struct lb_list *node) {
  return LB_CONTAINER_OF(node, struct lb_transfer, queue_node);
}

static void finish(struct lb_transfer *t, enum lb_status status) {
  struct lb_request *req = t->req;
  struct lb_io *io = t->io;
  LB_ASSERT(t->state != LB_TRANSFER_DONE && t->easy == NULL);
  t->state = LB_TRANSFER_DONE;
  lb_list_remove(&t->queue_node);
  lb_timer_cancel(io, &t->timer);
  if (lb_list_linked(&t->all_node)) {
    lb_list_remove(&t->all_node);
    if (req->holds_exit) io->owned.holding_exit--;
  }
  if (t->host != NULL) {
    req->host_answered = t->host->answered;
    lb_host_put(io, t->host);
  }
  t->host = NULL;
  req->status = status;
  req->received_ms = lb_loop_now_ms(io);
  if (status == LB_OK) {
    lb_error_reset(&req->err);
    req->received_unknown = false;
    req->unreached = false;
  } else {
    lb_buf_reset(&req->reply);
  }
  if (req->pipe != NULL) lb_pipe_close(req->pipe);
  req->done(req, io);
  lb_request_release(req);
}

static int64_t exchange_deadline_ms(const struct lb_transfer *t) {
  if (t->req->timeout_ms <= 0) return LB_NEVER_MS;
  return lb_ms_add(t->started_ms, t->req->timeout_ms);
}

/* When the silence of the server has lasted too long, if it goes on. By the round's
 * clocks, as the timers are: by a later one the deadline would always lie ahead. */
static int64_t silence_deadline_ms(const struct lb_transfer *t) {
  int64_t limit_ms = t->req->endpoint->request_timeout_ms;
  if (limit_ms <= 0 || t->paused) return LB_NEVER_MS;
  int64_t silent_ms = lb_loop_awake_ms(t->io) - t->active_ms;
  return lb_ms_add(lb_loop_now_ms(t->io), LB_MAX(limit_ms - silent_ms, 0));
}

static int64_t attempt_deadline_ms(const struct lb_transfer *t) {
  if (t->attempt.sent) return silence_deadline_ms(t);
  int64_t limit_ms = t->req->endpoint->connect_timeout_ms;
  return limit_ms > 0 ? lb_ms_add(t->attempt_ms, limit_ms) : LB_NEVER_MS;
}

static int64_t next_deadline_ms(const struct lb_transfer *t) {
  int64_t due_ms = exchange_deadline_ms(t);
  if (t->state == LB_TRANSFER_RUNNING) due_ms = LB_MIN(due_ms, attempt_deadline_ms(t));
  if (t->state == LB_TRANSFER_WAITING) due_ms = LB_MIN(due_ms, t->again_ms);
  return due_ms;
}

/* Always in the heap from start to done, even with nothing due, so that moving it cannot
 * fail. */
static enum lb_status arm(struct lb_transfer *t, struct lb_error *err) {
  return lb_timer_set(t->io, &t->timer, next_deadline_ms(t), err);
}

void lb_transfer_connected(struct lb_transfer *t) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = arm(t, &err);
  LB_ASSERT(status == LB_OK);
  (void)status;
}

static void enqueue(struct lb_transfer *t) {
  t->state = LB_TRANSFER_QUEUED;
  lb_host_enqueue(t->io, t->host, t->req->req_class, &t->queue_node);
}

static struct lb_outcome_context context(const struct lb_transfer *t) {
  const struct lb_endpoint *endpoint = t->req->endpoint;
  return (struct lb_outcome_context){
      .what = t->req->what,
      .host = endpoint->host,
      .curl_text = t->curl_text,
      .repeat = t->req->repeat,
      .attempts = t->req->attempts,
      .elapsed_ms = lb_loop_now_ms(t->io) - t->started_ms,
      .connect_timeout_ms = endpoint->connect_timeout_ms,
      .request_timeout_ms = endpoint->request_timeout_ms,
      .loopback = endpoint->loopback,
      .store = endpoint->store,
  };
}

static struct lb_retry_decision decide(const struct lb_transfer *t) {
  const struct lb_request *req = t->req;
  int64_t budget_ms = req->endpoint->retry_timeout_ms;
  if (req->timeout_ms > 0) budget_ms = LB_MIN(budget_ms, req->timeout_ms);
  struct lb_retry_facts facts = {
      /* What the sink or pipe has got cannot be taken back. */
      .repeat = t->sunk_bytes > 0 ? LB_REPEAT_NEVER : req->repeat,
      .outcome = lb_outcome_of(&t->attempt),
      .attempts = req->attempts,
      .elapsed_ms = lb_loop_now_ms(t->io) - t->started_ms,
      .budget_ms = budget_ms,
      .retry_after_ms = req->headers.retry_after_ms,
      .host_answered = t->host->answered,
  };
  return lb_retry_decide(&facts, &t->io->random);
}

static void log_attempt(const struct lb_transfer *t,
                        const struct lb_retry_decision *next) {
  const struct lb_request *req = t->req;
  if (!lb_log_enabled(&t->io->log, LB_LOG_DEBUG)) return;
  int64_t took_ms = lb_loop_now_ms(t->io) - t->attempt_ms;
  const char *then = next->action == LB_RETRY_AGAIN ? ", to be repeated" : "";
  if (t->attempt.end == LB_ATTEMPT_CURL && t->attempt.code == CURLE_OK) {
    lb_log(&t->io->log, LB_LOG_DEBUG, "io",
           "%s: %s answered HTTP %d with %zu bytes after %lld ms%s", req->what,
           req->endpoint->host, (int)t->attempt.http_status,
           req->reply.len + t->sunk_bytes, (long long)took_ms, then);
  } else {
    lb_log(&t->io->log, LB_LOG_DEBUG, "io", "%s: no reply from %s after %lld ms (%s)%s",
           req->what, req->endpoint->host, (long long)took_ms,
           curl_easy_strerror(t->attempt.code), then);
  }
}

static void wait_then_repeat(struct lb_transfer *t, int64_t wait_ms) {
  struct lb_request *req = t->req;
  bool busy = lb_outcome_of(&t->attempt) == LB_OUTCOME_BUSY;
  t->state = LB_TRANSFER_WAITING;
  t->again_ms = lb_ms_add(lb_loop_now_ms(t->io), wait_ms);
  lb_buf_clear(&req->reply);
  if (req->pipe != NULL && req->method == LB_METHOD_PUT) lb_pipe_restart(req->pipe);
  enum lb_status status = arm(t, &req->err);
  if (status != LB_OK) {
    finish(t, status);
    return;
  }
  if (!busy) return;
  if (!t->told_waiting) {
    lb_log(&t->io->log, LB_LOG_INFO, "io",
           "%s: %s is not ready (HTTP %d%s), trying for up to %s", req->what,
           req->endpoint->host, (int)t->attempt.http_status,
           req->endpoint->store ? "" : "; a warehouse that starts takes minutes",
           lb_duration_text(req->endpoint->retry_timeout_ms).text);
    t->told_waiting = true;
  }
  if (req->waiting != NULL) req->waiting(req, t->io);
}

static void note_reach(struct lb_transfer *t) {
  t->reached = t->reached || t->attempt.sent;
  t->req->unreached = !t->reached && lb_outcome_is_unreached(&t->attempt);
}

/* The attempt is over and its place is given back. */
static void judge(struct lb_transfer *t) {
  struct lb_request *req = t->req;
  note_reach(t);
  req->http_status = t->attempt.http_status;
  if (t->attempt.http_status > 0) t->host->answered = true;
  if (lb_outcome_may_be_received(&t->attempt)) req->received_unknown = true;
  if (t->retry_after[0] != '\0') {
    req->headers.retry_after_ms =
        lb_retry_after_parse(lb_str_from(t->retry_after), lb_str_from(t->date),
                             t->io->clock.wall_ms(t->io->clock.ctx));
  }
  struct lb_retry_decision next = decide(t);
  log_attempt(t, &next);
  if (next.action == LB_RETRY_AGAIN) {
    wait_then_repeat(t, next.wait_ms);
  } else if (next.action == LB_RETRY_DELIVER) {
    finish(t, LB_OK);
  } else {
    struct lb_outcome_context ctx = context(t);
    finish(t, lb_outcome_error(&t->attempt, &ctx, &req->err));
  }
}

static void leave_place(struct lb_transfer *t) {
  lb_attempt_end(t);
  lb_host_leave(t->io, t->host, t->req->req_class);
}

static void end_attempt(struct lb_transfer *t, enum lb_attempt_end end, CURLcode code) {
  long http_status = 0;
  if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http_status) != CURLE_OK) {
    http_status = 0;
  }
  t->attempt.http_status = (int32_t)http_status;
  /* As curl ends a request whose body cannot be read again. */
  t->attempt.code = t->repeat_refused ? CURLE_SEND_FAIL_REWIND : code;
  if (t->repeat_refused) t->curl_text[0] = '\0';
  /* A callback that found a fault has said so already. */
  if (t->attempt.end == LB_ATTEMPT_CURL) t->attempt.end = end;
  leave_place(t);
  judge(t);
}

/* Its place is taken. */
static void begin(struct lb_io *io, struct lb_list *node) {
  struct lb_transfer *t = from_queue(node);
  struct lb_error *fault = &t->attempt.fault;
  t->state = LB_TRANSFER_RUNNING;
  t->req->attempts++;
  enum lb_status status = lb_attempt_begin(t, fault);
  if (status == LB_OK) status = arm(t, fault);
  if (status == LB_OK) return;
  (void)io;
  t->attempt.end = LB_ATTEMPT_FAULT;
  leave_place(t);
  judge(t);
}

static void cancel(struct lb_transfer *t) {
  if (t->state == LB_TRANSFER_RUNNING) {
    if (lb_outcome_may_be_received(&t->attempt)) t->req->received_unknown = true;
    leave_place(t);
  }
  t->req->unreached = false;
  finish(t, lb_error_set(&t->req->err, LB_CANCELLED, "%s was cancelled", t->req->what));
}

static void exchange_timed_out(struct lb_transfer *t) {
  struct lb_request *req = t->req;
  bool in_line = t->state == LB_TRANSFER_QUEUED;
  if (t->state == LB_TRANSFER_RUNNING) {
    if (lb_outcome_may_be_received(&t->attempt)) req->received_unknown = true;
    t->attempt.end = LB_ATTEMPT_CONNECT; /* if that is how far it came */
    note_reach(t);
    leave_place(t);
  }
  bool names = req->timeout_option != NULL;
  enum lb_status status = lb_error_set(
      &req->err, LB_TIMEOUT, "%s: no whole reply from %s within %s%s%s%s%s", req->what,
      req->endpoint->host, lb_duration_text(req->timeout_ms).text, names ? " (" : "",
      names ? req->timeout_option : "", names ? ")" : "",
      in_line ? "; it stood in line behind other requests to that host" : "");
  finish(t, status);
}

static void on_timer(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct lb_transfer *t = LB_CONTAINER_OF(timer, struct lb_transfer, timer);
  if (exchange_deadline_ms(t) <= now_ms) {
    exchange_timed_out(t);
    return;
  }
  if (t->state == LB_TRANSFER_WAITING && t->again_ms <= now_ms) enqueue(t);
  if (t->state == LB_TRANSFER_RUNNING) {
    bool connecting = !t->attempt.sent;
    if (attempt_deadline_ms(t) <= now_ms) {
      end_attempt(t, connecting ? LB_ATTEMPT_CONNECT : LB_ATTEMPT_SILENCE,
                  CURLE_OPERATION_TIMEDOUT);
      return;
    }
  }
  (void)io;
  enum lb_status status = arm(t, &t->req->err);
  if (status == LB_OK) return;
  /* The heap has just given up a place, so this is the loop being drained. */
  cancel(t);
}

void lb_transfer_start(struct lb_io *io, struct lb_request *req) {
  struct lb_transfer *t = req->transfer;
  enum lb_status status = LB_OK;
  LB_ASSERT(t->state == LB_TRANSFER_NEW && req->done != NULL && req->what != NULL);
  LB_ASSERT(req->sink == NULL || (req->method == LB_METHOD_GET && req->pipe == NULL));
  t->io = io;
  t->started_ms = lb_loop_now_ms(io);
  lb_timer_init(&t->timer, on_timer);
  lb_list_init(&t->queue_node);
  lb_list_init(&t->turn_node);
  lb_list_init(&t->all_node);
  if (t->cancelled || io->owned.draining) {
    cancel(t);
    return;
  }
  t->host = lb_host_get(io, req->endpoint);
  if (t->host == NULL) status = lb_error_oom(&req->err, "a host's queue");
  if (status == LB_OK) status = arm(t, &req->err);
  if (status != LB_OK) {
    finish(t, status);
    return;
  }
  lb_list_push_back(&io->owned.transfers, &t->all_node);
  if (req->holds_exit) io->owned.holding_exit++;
  enqueue(t);
}

void lb_transfer_cancel(struct lb_io *io, struct lb_request *req) {
  struct lb_transfer *t = req->transfer;
  (void)io;
  t->cancelled = true;
  if (t->state == LB_TRANSFER_NEW || t->state == LB_TRANSFER_DONE) return;
  cancel(t);
}

void lb_transfer_orphan(struct lb_io *io, struct lb_request *req) {
  struct lb_transfer *t = req->transfer;
  if (t->state == LB_TRANSFER_DONE) return;
  if (t->state != LB_TRANSFER_RUNNING) {
    /* Its start is still in the queue, or it is in line, or it waits after a refusal: the
     * server has nothing of it. */
    lb_request_cancel(io, req);
    return;
  }
  int64_t until_ms = lb_loop_now_ms(io) - t->started_ms + LB_ORPHAN_MS;
  if (req->timeout_ms <= 0 || req->timeout_ms > until_ms) req->timeout_ms = until_ms;
  req->repeat = LB_REPEAT_NEVER;
  if (!req->holds_exit) {
    req->holds_exit = true;
    io->owned.holding_exit++;
  }
  struct lb_error err = LB_ERROR_INIT;
  /* The timer is in the heap already, so this moves it and cannot fail. */
  enum lb_status status = arm(t, &err);
  LB_ASSERT(status == LB_OK || io->owned.draining);
  (void)status;
}

void lb_transfers_pump(struct lb_io *io) { lb_hosts_pump(io, begin); }

void lb_transfers_perform(struct lb_io *io) {
  int running = 0, left = 0;
  CURLMcode status = curl_multi_perform(io->multi, &running);
  if (status != CURLM_OK) {
    lb_log(&io->log, LB_LOG_DEBUG, "io", "driving transfers failed: %s",
           curl_multi_strerror(status));
  }
  const CURLMsg *message;
  while ((message = curl_multi_info_read(io->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    char *private = NULL;
    if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK) {
      continue;
    }
    end_attempt((struct lb_transfer *)(void *)private, LB_ATTEMPT_CURL, code);
  }
}

void lb_transfers_drop(struct lb_io *io) {
  while (!lb_list_empty(&io->owned.transfers)) {
    struct lb_list *node = io->owned.transfers.next;
    cancel(LB_CONTAINER_OF(node, struct lb_transfer, all_node));
  }
}
