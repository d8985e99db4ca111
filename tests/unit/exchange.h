/* SPDX-License-Identifier: Apache-2.0 */
/* One request of a test: made, started, waited for. Header-only. exchange_wait gives up
 * when http_server_gives_up does, by failing the test. */
#ifndef LB_TESTS_UNIT_EXCHANGE_H
#define LB_TESTS_UNIT_EXCHANGE_H

#include "base/os.h"
#include "base/test_support.h"
#include "io/io_test_support.h"
#include "io/request.h"
#include "io/transfer.h"

#include "http_server.h"

struct exchange {
  struct lb_io *io;
  struct lb_request *req;
  struct lb_mutex mu;
  struct lb_cond cond;
  int done;                     /* guarded by mu */
  int waiting;                  /* guarded by mu */
  enum lb_transfer_state state; /* as last asked for */
  size_t received;              /* bytes of the reply, as last asked for */
  struct lb_io_task ask;
};

static inline void exchange_count(struct exchange *ex, int *count) {
  lb_mutex_lock(&ex->mu);
  (*count)++;
  lb_cond_broadcast(&ex->cond);
  lb_mutex_unlock(&ex->mu);
}

static inline void exchange_on_done(struct lb_request *req, struct lb_io *io) {
  struct exchange *ex = req->ctx;
  if (!lb_io_on_thread(io)) fail_msg("done was called on another thread");
  exchange_count(ex, &ex->done);
}

static inline void exchange_on_waiting(struct lb_request *req, struct lb_io *io) {
  struct exchange *ex = req->ctx;
  (void)io;
  exchange_count(ex, &ex->waiting);
}

/* The request may be changed until exchange_start. The endpoint's reference stays the
 * caller's. */
static inline enum lb_status exchange_try_init(struct exchange *ex, struct lb_io *io,
                                               struct lb_endpoint *endpoint,
                                               struct lb_error *err) {
  memset(ex, 0, sizeof(*ex));
  enum lb_status status = lb_request_create(endpoint, &ex->req, err);
  if (status != LB_OK) return status;
  LB_TEST_OK(lb_mutex_init(&ex->mu, NULL), NULL);
  LB_TEST_OK(lb_cond_init(&ex->cond, NULL), NULL);
  ex->io = io;
  ex->req->what = "TestCall";
  ex->req->ctx = ex;
  ex->req->done = exchange_on_done;
  ex->req->waiting = exchange_on_waiting;
  return LB_OK;
}

static inline void exchange_init(struct exchange *ex, struct lb_io *io,
                                 struct lb_endpoint *endpoint, enum lb_repeat repeat,
                                 const char *body) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(exchange_try_init(ex, io, endpoint, &err), &err);
  ex->req->repeat = repeat;
  if (body != NULL) lb_buf_append_text(&ex->req->body, body);
  LB_TEST_OK(lb_buf_check(&ex->req->body, "a body", &err), &err);
}

static inline void exchange_reset(struct exchange *ex) {
  lb_cond_destroy(&ex->cond);
  lb_mutex_destroy(&ex->mu);
  lb_request_release(ex->req);
}

static inline void exchange_start(struct exchange *ex) {
  lb_request_start(ex->io, ex->req);
}

static inline int exchange_read(struct exchange *ex, const int *count) {
  lb_mutex_lock(&ex->mu);
  int value = *count;
  lb_mutex_unlock(&ex->mu);
  return value;
}

static inline void exchange_wait_count(struct exchange *ex, const int *count,
                                       int wanted) {
  int64_t from_ms = lb_os_boottime_ms();
  bool given_up = false;
  lb_mutex_lock(&ex->mu);
  while (!given_up && *count < wanted) {
    int64_t now_ms = lb_os_boottime_ms();
    given_up = http_server_gives_up((int)(now_ms - from_ms));
    (void)lb_cond_wait_until(&ex->cond, &ex->mu, now_ms + HTTP_SERVER_SLICE_MS);
  }
  lb_mutex_unlock(&ex->mu);
  if (given_up) fail_msg("the exchange did not come to its end");
}

static inline void exchange_wait(struct exchange *ex) {
  exchange_wait_count(ex, &ex->done, 1);
  lb_io_test_round(ex->io); /* done has returned */
}

static inline void exchange_run(struct exchange *ex) {
  exchange_start(ex);
  exchange_wait(ex);
}

static inline void exchange_answer(struct lb_io_task *task, struct lb_io *io) {
  struct exchange *ex = LB_CONTAINER_OF(task, struct exchange, ask);
  (void)io;
  ex->state = ex->req->transfer->state;
  ex->received = ex->req->reply.len + ex->req->transfer->sunk_bytes;
}

static inline enum lb_transfer_state exchange_state(struct exchange *ex) {
  ex->ask.run = exchange_answer;
  lb_list_init(&ex->ask.node);
  lb_io_run(ex->io, &ex->ask);
  return ex->state;
}

/* Lets the loop go round until the transfer is in that state. */
static inline void exchange_until(struct exchange *ex, enum lb_transfer_state wanted) {
  int64_t from_ms = lb_os_boottime_ms();
  while (exchange_state(ex) != wanted) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms)))
      fail_msg("the transfer did not get that far");
  }
}

/* Lets the loop go round until that much of the reply has come. */
static inline void exchange_until_received(struct exchange *ex, size_t len) {
  int64_t from_ms = lb_os_boottime_ms();
  do {
    (void)exchange_state(ex);
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms)))
      fail_msg("the reply did not come");
  } while (ex->received < len);
}

#endif
