/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a result:
 *  1. A page at hand is decoded array by array; each array belongs to the caller. Small
 *     ones that are at hand are merged (collect.c).
 *  2. When a page is opened its rows are counted and the next page is asked for, if
 *     the server has more and the budget grants it, so that it travels while this one
 *     is read.
 *  3. A reader that has no page waits for the one in flight, or asks for one: that
 *     never waits for the budget.
 *  4. The last page at hand: the heartbeat has nothing to keep and stops; the
 *     operation is closed at once, since the server has nothing left that anybody
 *     needs.
 *  5. A page of links goes to the cloud (cloud.c), whose rows are read before anything
 *     behind them. The next page is asked for when few links are left.
 *  6. Where no file can be reached at all, and no row was handed out, a query is executed
 *     once more for rows from the server (fallback.c); its result is read in place of
 *     this one.
 *  7. A failed page ends the result: a fetch cannot be repeated without losing or
 *     doubling rows. The failure stays; there is never an end of data after it. A
 *     verdict of the heartbeat explains a loss, it never makes one. */
#include "io/budget.h"
#include "result/collect.h"
#include "result/fallback.h"
#include "result/result_internal.h"
#include "result/session_zone.h"
#include "result/verdict.h"
#include "session/fetch.h"
#include "session/session_internal.h"
#include "wire/arrow_schema.h"

/* The reader tells the heartbeat at most so often that it is there. */
#define READER_NEWS_MS 1000
/* Links are asked for when so many are left, beside those of downloads that may begin at
 * once, of which nothing was asked yet. */
#define LINKS_AT_HAND 2
/* A page without rows that others follow is legal; a server that goes on like this is
 * broken. */
#define EMPTY_PAGES_MOST 1000

struct lb_result {
  atomic_uint refs;
  struct lb_op *op;
  struct lb_hb_stats *stats;
  struct lb_call_slot slot;   /* the fetch that the reader waits for */
  struct lb_call_slot *maker; /* the statement's, while it makes this; NULL afterwards */
  struct lb_result_options options;
  struct lb_result_schema schema;
  bool lz4;
  bool last_told;  /* the server says truly whether rows are left */
  bool staging;    /* its row describes a transfer that is the client's */
  bool arrow_told; /* the metadata says that the rows are Arrow */
  bool gone;       /* the server closed it with its reply, in which all rows are */

  /* The reader's thread. */
  struct lb_arrow_decoder *dec;
  struct lb_collector *collector; /* NULL: nothing is merged */
  struct lb_page page;
  int64_t page_server_ms;      /* the server's clock when it made the page; -1 */
  struct lb_fetch_call *ahead; /* started, not yet taken */
  int64_t ahead_bytes;         /* what it costs the budget; 0 nothing */
  int64_t page_bytes;          /* size of the largest page so far: the next one's cost */
  int32_t empty_pages;         /* one behind the other, so far */
  int64_t next_row;            /* rows before it have been received */
  bool server_has_more;
  bool ended;
  bool armed; /* a heartbeat was armed, and its stop has not been waited for */
  struct lb_error failure; /* status LB_OK: none */
  struct lb_error late;    /* of a page behind rows that are still to be delivered */
  int64_t news_ms;         /* when the heartbeat was last told of the reader */
  int64_t last_read_ms;    /* when the reader last left a read */
  int64_t pause_ms;        /* its longest pause that no later fetch has made good */
  int64_t pause_end_ms;    /* when that ended */
  int64_t contact_ms;      /* the operation's, as the last fetch saw it */

  struct lb_cloud
      *cloud; /* NULL: no links were asked for; set once, before it is shown */
  bool made;  /* everything is there but what is read */
  struct lb_rerun *rerun; /* until the first row is there; NULL: not to be done */
  bool links_seen;        /* a page of them came */
  bool links_last;        /* the cloud knows that there are no more */

  /* Any thread. */
  _Atomic(struct lb_result *) again; /* in place of this one: rerun has been executed */
  atomic_int closed;                 /* enum lb_hb_reason; 0: open */
  atomic_int end_reason; /* why the heartbeat stops when nobody closed the result */
  atomic_bool cancelled;
  atomic_bool end_posted;
  atomic_bool cancel_posted;
  struct lb_io_task end_task;
  struct lb_io_task cancel_task;
  struct lb_io_task arm_task;
  struct {
    struct lb_mutex mu;
    bool posted LB_GUARDED_BY(mu);
    bool inside LB_GUARDED_BY(mu);
    bool seen LB_GUARDED_BY(mu);
  } reader;
  struct lb_io_task reader_task;

  struct lb_parked parked; /* I/O thread */
  bool left_session;       /* whoever ends it, then who releases it: is no user of it */
};

static struct lb_io *io_of(const struct lb_result *res) { return res->op->sess->io; }

void lb_result_retain(struct lb_result *res) {
  atomic_fetch_add_explicit(&res->refs, 1, memory_order_relaxed);
}

static void give_up_ahead(struct lb_result *res) {
  if (!res->ahead) return;
  lb_call_cancel(&res->ahead->base);
  lb_call_release(&res->ahead->base);
  res->ahead = NULL;
  lb_budget_return(lb_io_budget(io_of(res)), res->ahead_bytes);
  res->ahead_bytes = 0;
}

static void free_pages(struct lb_result *res) {
  give_up_ahead(res);
  if (res->cloud) lb_cloud_close(res->cloud);
  lb_collector_destroy(res->collector);
  res->collector = NULL;
  lb_page_end(&res->page);
  lb_arrow_decoder_destroy(res->dec);
  res->dec = NULL;
}

/* The last reference may go on the I/O thread (a probe's), where freeing is all that
 * is left: the end task has run. */
void lb_result_release(struct lb_result *res) {
  if (!res) return;
  if (atomic_fetch_sub_explicit(&res->refs, 1, memory_order_acq_rel) != 1) return;
  lb_collector_destroy(res->collector);
  lb_page_end(&res->page);
  lb_arrow_decoder_destroy(res->dec);
  lb_result_schema_reset(&res->schema);
  lb_hb_stats_release(res->stats);
  lb_cloud_release(res->cloud);
  lb_rerun_destroy(res->rerun);
  lb_result_release(atomic_load(&res->again));
  lb_call_slot_destroy(&res->slot);
  lb_mutex_destroy(&res->reader.mu);
  if (!res->left_session) lb_session_release(res->op->sess);
  lb_op_release(res->op);
  lb_free(res);
}

const struct lb_result_schema *lb_result_schema(const struct lb_result *res) {
  return &res->schema;
}

const char *lb_result_query_id(const struct lb_result *res) { return res->op->query_id; }

struct lb_hb_stats *lb_result_stats(const struct lb_result *res) { return res->stats; }

/* Messages to the I/O thread. Each holds a reference until it has run. */

static void arm_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_result *res = LB_CONTAINER_OF(task, struct lb_result, arm_task);
  lb_parked_arm(&res->parked, io, &res->options.heartbeat, res->options.probe,
                res->stats);
}

/* When the operation ends, and not when the last one lets go: a worker may hold the
 * result for longer than the I/O thread runs. */
static void leave_session(struct lb_result *res) {
  res->left_session = true;
  lb_session_release(res->op->sess);
}

static void end_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_result *res = LB_CONTAINER_OF(task, struct lb_result, end_task);
  enum lb_hb_reason reason = (enum lb_hb_reason)atomic_load(&res->closed);
  if (reason == LB_HB_NO_REASON)
    reason = (enum lb_hb_reason)atomic_load(&res->end_reason);
  lb_parked_stop(&res->parked, io, reason);
  lb_parked_reset(&res->parked, io);
  lb_op_send_close(res->op, io);
  leave_session(res);
  lb_result_release(res);
}

static void cancel_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_result *res = LB_CONTAINER_OF(task, struct lb_result, cancel_task);
  lb_parked_stop(&res->parked, io, LB_HB_CANCELED);
  lb_op_send_cancel(res->op, io);
  lb_op_send_close(res->op, io);
  lb_result_release(res);
}

/* Stops the heartbeat and closes the operation, in this order, once. Of an operation that
 * is gone there is neither, and the I/O thread is not woken. */
static void post_end(struct lb_result *res, enum lb_hb_reason reason) {
  if (atomic_exchange(&res->end_posted, true)) return;
  atomic_store(&res->end_reason, (int)reason);
  if (res->gone) {
    leave_session(res);
    return;
  }
  lb_result_retain(res);
  res->end_task.run = end_on_io;
  lb_io_post(io_of(res), &res->end_task);
}

static void reader_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_result *res = LB_CONTAINER_OF(task, struct lb_result, reader_task);
  lb_mutex_lock(&res->reader.mu);
  bool inside = res->reader.inside;
  bool seen = res->reader.seen;
  res->reader.posted = res->reader.seen = false;
  lb_mutex_unlock(&res->reader.mu);
  int64_t now_ms = lb_io_now_ms(io);
  if (inside || seen) lb_parked_reader(&res->parked, true, now_ms);
  if (!inside) lb_parked_reader(&res->parked, false, now_ms);
  lb_result_release(res);
}

static void tell_reader(struct lb_result *res, bool inside) {
  if (atomic_load_explicit(&res->end_posted, memory_order_relaxed)) return;
  lb_mutex_lock(&res->reader.mu);
  bool post = !res->reader.posted;
  res->reader.posted = true;
  res->reader.inside = inside;
  res->reader.seen = true;
  lb_mutex_unlock(&res->reader.mu);
  if (!post) return;
  lb_result_retain(res);
  res->reader_task.run = reader_on_io;
  lb_io_post(io_of(res), &res->reader_task);
}

/* The reader came by without having to wait. */
static void tell_news(struct lb_result *res) {
  int64_t now_ms = lb_io_now_ms(io_of(res));
  if (now_ms - res->last_read_ms > res->pause_ms) {
    res->pause_ms = now_ms - res->last_read_ms;
    res->pause_end_ms = now_ms;
  }
  if (now_ms - res->news_ms < READER_NEWS_MS) return;
  res->news_ms = now_ms;
  tell_reader(res, false);
}

/* Reading. */

/* Some other thread has ended the result. */
static enum lb_status check_ended(struct lb_result *res, struct lb_error *err) {
  if (atomic_load(&res->cancelled)) {
    return lb_error_set(err, LB_CANCELLED, "the statement was cancelled");
  }
  switch (atomic_load(&res->closed)) {
    case LB_HB_NO_REASON:
      return LB_OK;
    case LB_HB_REEXECUTED:
      return lb_error_set(
          err, LB_INVALID_STATE,
          "the statement was executed again: this earlier result has ended");
    default:
      return lb_error_set(err, LB_INVALID_STATE, "the result has been released");
  }
}

static enum lb_status check_open(struct lb_result *res, struct lb_error *err) {
  LB_TRY(check_ended(res, err));
  if (res->failure.status == LB_OK) return LB_OK;
  lb_error_copy(err, &res->failure);
  return res->failure.status;
}

static enum lb_status fail(struct lb_result *res, enum lb_status status,
                           struct lb_error *err) {
  /* Whoever ended it has broken off the read, so that is the reason. */
  enum lb_status ended = check_ended(res, err);
  if (ended != LB_OK) status = ended;
  const struct lb_verdict_facts facts = {
      .now_ms = lb_io_now_ms(io_of(res)),
      .contact_ms = atomic_load(&res->op->contact_ms),
      .idle_ms = res->pause_ms,
  };
  if (res->options.hides_echo) lb_verdict_hide_echo(err);
  lb_verdict_explain(res->stats, res->op->query_id, &res->options.heartbeat, &facts, err);
  lb_error_set_query_id(err, res->op->query_id);
  lb_error_copy(&res->failure, err);
  free_pages(res);
  bool lost = status == LB_RESULT_LOST || status == LB_SESSION_LOST;
  post_end(res, lost ? LB_HB_HANDLE_LOST : LB_HB_END_OF_RESULTS);
  return status;
}

/* The reader who waits for a file takes further links at once. */
static void page_came(void *ctx) { lb_cloud_poke(ctx); }

static void drop_cloud(void *ctx) { lb_cloud_release(ctx); }

static enum lb_status start_fetch(struct lb_result *res, struct lb_error *err) {
  struct lb_fetch_params params = {
      .start_row = res->next_row,
      .max_rows = res->options.max_rows,
      .max_bytes = res->options.max_bytes,
  };
  if (res->links_seen) {
    params.max_rows = res->options.cloud.max_rows;
    params.max_bytes = res->options.cloud.max_bytes;
  } else if (res->next_row == 0) {
    params.max_bytes = LB_MIN(params.max_bytes, LB_FIRST_PAGE_BYTES);
  }
  LB_TRY(lb_fetch_create(res->op, &params, &res->ahead, err));
  if (res->cloud) {
    lb_cloud_retain(res->cloud);
    res->ahead->told_ctx = res->cloud;
    res->ahead->told_drop = drop_cloud;
    res->ahead->told = page_came;
  }
  lb_call_start(&res->ahead->base);
  return LB_OK;
}

static bool wants_links(struct lb_cloud *cloud) {
  return lb_cloud_queued(cloud) < LINKS_AT_HAND + lb_cloud_parallel(cloud);
}

/* Step 2. What cannot be fetched ahead now is fetched when the reader waits for it, so a
 * failure here is no failure. */
static void fetch_ahead(struct lb_result *res) {
  if (!res->options.prefetch || !res->server_has_more || res->ahead) return;
  if (res->cloud && !wants_links(res->cloud)) return;
  struct lb_budget *budget = lb_io_budget(io_of(res));
  int64_t cost = LB_MAX(res->page_bytes, 1);
  if (!lb_budget_take(budget, cost)) return;
  if (start_fetch(res, NULL) == LB_OK) {
    res->ahead_bytes = cost;
  } else {
    lb_budget_return(budget, cost);
  }
}

/* Step 4: with files under way the operation lives until they are here. */
static void end_of_pages(struct lb_result *res, enum lb_hb_reason reason) {
  if (!res->links_seen || res->links_last) {
    if (!res->links_seen) post_end(res, reason);
    return;
  }
  res->links_last = true;
  lb_cloud_last(res->cloud);
}

/* How large the next page may be, going by the one at hand. The first one was asked for
 * smaller than those behind it. */
static int64_t expected_bytes(const struct lb_result *res) {
  int64_t bytes = (int64_t)res->page.body.len, most = res->options.max_bytes;
  if (res->page.first_row > 0 || res->page.rows == 0) return bytes;
  double by_bytes = (double)most / (double)LB_FIRST_PAGE_BYTES;
  double by_rows = (double)res->options.max_rows / (double)res->page.rows;
  double expected = (double)bytes * LB_MIN(by_bytes, by_rows);
  return LB_MAX(bytes, (int64_t)LB_MIN(expected, (double)most));
}

/* A page has been opened: what it says of the rest. */
static void account(struct lb_result *res) {
  const struct lb_page *page = &res->page;
  res->next_row += page->rows;
  res->page_bytes = LB_MAX(res->page_bytes, expected_bytes(res));
  if (res->last_told && page->data.has_more_told) {
    res->server_has_more = page->data.has_more;
  } else {
    res->server_has_more = page->rows > 0; /* only an empty page is the end */
  }
  res->empty_pages = page->rows > 0 ? 0 : res->empty_pages + 1;
  if (!res->server_has_more && !lb_page_has_links(page)) {
    end_of_pages(res, page->rows > 0 ? LB_HB_ALL_LOCAL : LB_HB_END_OF_RESULTS);
  }
}

/* The links of the page at hand go to the cloud, and the page with them. */
static enum lb_status take_links(struct lb_result *res, struct lb_error *err) {
  if (!lb_page_has_links(&res->page)) return LB_OK;
  if (!res->cloud) {
    return lb_error_set(err, LB_PROTOCOL,
                        "the server sent links to files although it was not asked to");
  }
  res->links_seen = true;
  LB_TRY(lb_cloud_add(res->cloud, res->page.data.row_set, res->page.first_row,
                      res->page_server_ms, err));
  lb_page_reset(&res->page);
  if (!res->server_has_more) end_of_pages(res, LB_HB_ALL_LOCAL);
  return LB_OK;
}

static int64_t read_deadline_ms(const struct lb_result *res) {
  int64_t limit_s = res->options.limit_s;
  if (limit_s <= 0) return LB_NEVER_MS;
  return lb_ms_add(lb_io_now_ms(io_of(res)), limit_s * 1000 + LB_TIMEOUT_GRACE_MS);
}

static void name_limit(const struct lb_result *res, enum lb_status status,
                       int64_t deadline_ms, struct lb_error *err) {
  if (status != LB_TIMEOUT || lb_io_now_ms(io_of(res)) < deadline_ms) return;
  lb_error_append(err, " (option databricks.query_timeout_seconds = %lld)",
                  (long long)res->options.limit_s);
}

static enum lb_status wait_ahead(struct lb_result *res, struct lb_error *err) {
  int64_t deadline_ms = read_deadline_ms(res);
  tell_reader(res, true);
  enum lb_status status = lb_call_slot_wait(res->maker ? res->maker : &res->slot,
                                            &res->ahead->base, deadline_ms, err);
  tell_reader(res, false);
  name_limit(res, status, deadline_ms, err);
  return status;
}

/* The one verdict that makes an error: a heartbeat has found that rows are gone. */
static enum lb_status check_damage(const struct lb_result *res, struct lb_error *err) {
  struct lb_hb_verdict verdict;
  if (!lb_hb_stats_verdict(res->stats, &verdict)) return LB_OK;
  if (verdict.reason != LB_HB_DAMAGED) return LB_OK;
  return lb_error_set(
      err, LB_INVALID_DATA,
      "rows of statement %s were lost on the server: a heartbeat found its "
      "cursor where no row of ours can be. Execute it again, with option "
      "databricks.heartbeat.probe set to auto",
      res->op->query_id);
}

/* Step 3: the next page becomes the page at hand. */
static enum lb_status turn_page(struct lb_result *res, struct lb_error *err) {
  lb_page_reset(&res->page);
  LB_TRY(check_damage(res, err));
  if (res->empty_pages >= EMPTY_PAGES_MOST) {
    return lb_error_set(
        err, LB_PROTOCOL,
        "the server says that rows are left and has sent none in %d pages",
        EMPTY_PAGES_MOST);
  }
  if (!res->ahead) LB_TRY(start_fetch(res, err));
  enum lb_status status = wait_ahead(res, err);
  /* These are statuses of a fetch that has ended, never of a wait that was given up. */
  if (status == LB_OK || status == LB_RESULT_LOST || status == LB_SESSION_LOST) {
    res->contact_ms = res->ahead->contact_ms;
  }
  if (status == LB_OK && res->contact_ms > res->pause_end_ms) res->pause_ms = 0;
  if (status == LB_OK) {
    res->page_server_ms = res->ahead->server_ms;
    status = lb_page_load(
        &res->page, res->op->sess->backend, "FetchResults", &res->ahead->reply,
        res->next_row, res->ahead->params.max_rows,
        lb_server_facts(lb_session_kind(res->op->sess))->start_row_offset, err);
  }
  lb_budget_return(lb_io_budget(io_of(res)), res->ahead_bytes);
  res->ahead_bytes = 0;
  lb_call_release(&res->ahead->base);
  res->ahead = NULL;
  if (status != LB_OK) return status;
  account(res);
  if (res->links_seen && res->page.rows == 0 && !res->server_has_more) {
    return lb_error_set(err, LB_INVALID_DATA,
                        "the server said that rows are left after row %lld, and sent "
                        "neither links nor rows",
                        (long long)res->next_row);
  }
  if (res->made) LB_TRY(take_links(res, err));
  fetch_ahead(res);
  return LB_OK;
}

/* The reader may now pause for hours: what is left of a page and of its decoding goes. */
static void rest(struct lb_result *res) {
  lb_page_rest(&res->page);
  lb_arrow_decoder_rest(res->dec);
}

static void on_wait(void *ctx, bool waits) { tell_reader(ctx, waits); }

/* What the cloud has. *more: it was disturbed, or has more than this. A page that came
 * meanwhile is opened as soon as the last one's links are with the cloud, so that
 * downloads go on from one page to the next. */
static enum lb_status read_cloud(struct lb_result *res, struct ArrowArray *out,
                                 bool *more, struct lb_error *err) {
  *more = false;
  if (!res->cloud || !lb_cloud_pending(res->cloud)) return LB_OK;
  *more = true;
  fetch_ahead(res);
  if (res->ahead && !res->page.loaded && lb_call_done(&res->ahead->base)) {
    /* The rows before it come first. */
    if (turn_page(res, &res->late) != LB_OK) res->server_has_more = false;
  }
  int64_t deadline_ms = read_deadline_ms(res);
  enum lb_status status = lb_cloud_next(res->cloud, deadline_ms, on_wait, res, out, err);
  name_limit(res, status, deadline_ms, err);
  return status;
}

static enum lb_status read_next(void *ctx, struct ArrowArray *out, struct lb_error *err) {
  struct lb_result *res = ctx;
  for (;;) {
    bool more;
    LB_TRY(read_cloud(res, out, &more, err));
    if (more && out->release) return LB_OK;
    if (more) continue;
    if (res->late.status != LB_OK) {
      lb_error_copy(err, &res->late);
      return err->status;
    }
    LB_TRY(lb_page_next(&res->page, &res->schema, res->dec, res->lz4, out, err));
    if (out->release) {
      if (lb_page_used_up(&res->page)) rest(res);
      return LB_OK;
    }
    if (!res->server_has_more) {
      /* Somebody else may have taken away what was still to come. */
      LB_TRY(check_ended(res, err));
      res->ended = true;
      post_end(res, LB_HB_END_OF_RESULTS);
      return LB_OK;
    }
    LB_TRY(turn_page(res, err));
  }
}

/* The next array of what read_next would hand out without waiting and without a page to
 * be turned, which asks for another one. */
static enum lb_status read_at_hand(void *ctx, struct ArrowArray *out,
                                   struct lb_error *err) {
  struct lb_result *res = ctx;
  out->release = NULL;
  if (res->cloud && lb_cloud_pending(res->cloud)) {
    lb_cloud_at_hand(res->cloud, out);
    return LB_OK;
  }
  if (res->late.status != LB_OK) return LB_OK;
  LB_TRY(lb_page_at_hand(&res->page, res->dec, res->lz4, out, err));
  if (out->release && lb_page_used_up(&res->page)) rest(res);
  return LB_OK;
}

static enum lb_status read_merged(struct lb_result *res, struct ArrowArray *out,
                                  struct lb_error *err) {
  if (!res->collector) return read_next(res, out, err);
  LB_TRY(lb_collector_next(res->collector, out, err));
  if (!res->links_seen && !res->page.loaded) lb_collector_rest(res->collector);
  return LB_OK;
}

static void nothing_on_io(struct lb_io_task *task, struct lb_io *io) {
  (void)task;
  (void)io;
}

/* The end was reached: whoever asks from now on sees the heartbeat stopped. */
static void settle(struct lb_result *res) {
  free_pages(res);
  if (!res->armed) return;
  res->armed = false;
  struct lb_io_task task = {.run = nothing_on_io};
  lb_io_run(io_of(res), &task);
}

bool lb_result_has_files(const struct lb_result *res) { return res->links_seen; }

void lb_result_keep_rerun(struct lb_result *res, struct lb_rerun *rerun_own) {
  res->rerun = rerun_own;
}

static void forget_rerun(struct lb_result *res) {
  lb_rerun_destroy(res->rerun);
  res->rerun = NULL;
}

/* Step 6. err says why the files cannot be had, and then why that failed as well. */
static enum lb_status execute_again(struct lb_result *res, struct lb_error *err) {
  struct lb_result *again = NULL;
  struct lb_error why = *err;
  free_pages(res);
  post_end(res, LB_HB_END_OF_RESULTS);
  lb_log(lb_io_log(io_of(res)), LB_LOG_WARN, "cloud",
         "statement %s is executed once more, for rows from the server itself, because "
         "its files cannot be reached: %s. Option databricks.cloudfetch.enabled=false "
         "asks for such rows at once",
         res->op->query_id, why.message);
  enum lb_status status =
      lb_rerun_execute(res->rerun, res->maker ? res->maker : &res->slot, &again, err);
  if (status == LB_OK) {
    status = lb_arrow_schema_match(&res->schema.arrow, &again->schema.arrow, err);
    if (status != LB_OK) {
      lb_result_close(again, LB_HB_RELEASED);
      lb_result_release(again);
    }
  }
  forget_rerun(res);
  if (status != LB_OK) {
    lb_error_append(err, " (executed once more because its files cannot be reached: %s)",
                    why.message);
    return status;
  }
  again->maker = res->maker;
  atomic_store(&res->again, again);
  /* Whoever ended this one meanwhile did not see the other. */
  if (atomic_load(&res->cancelled)) lb_result_cancel(again);
  int closed = atomic_load(&res->closed);
  if (closed != LB_HB_NO_REASON) lb_result_close(again, (enum lb_hb_reason)closed);
  return LB_OK;
}

enum lb_status lb_result_next(struct lb_result *res, struct ArrowArray *out,
                              struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  if (!err) err = &local;
  struct ArrowArray array = {0};
  if (atomic_load(&res->again)) return lb_result_next(atomic_load(&res->again), out, err);
  LB_TRY(check_open(res, err));
  tell_news(res);
  if (!res->ended) {
    enum lb_status status = read_merged(res, &array, err);
    bool store = status != LB_OK && status != LB_TIMEOUT && status != LB_CANCELLED &&
                 status != LB_OUT_OF_MEMORY;
    if (store && res->rerun && lb_cloud_unreachable(res->cloud)) {
      status = execute_again(res, err);
      if (status == LB_OK) return lb_result_next(atomic_load(&res->again), out, err);
    }
    if (status != LB_OK) return fail(res, status, err);
    forget_rerun(res);
    res->last_read_ms = lb_io_now_ms(io_of(res));
  }
  if (res->ended) settle(res);
  *out = array;
  return LB_OK;
}

bool lb_result_is_staging(const struct lb_result *res) { return res->staging; }

enum lb_status lb_result_take_row(
    struct lb_result *res, struct lb_call_slot *maker,
    enum lb_status (*visit)(const void *ctx, const struct ArrowSchema *schema,
                            const struct ArrowArray *row, struct lb_error *err),
    const void *ctx, struct lb_error *err) {
  struct ArrowArray array = {0}, none = {0};
  res->maker = maker;
  enum lb_status status = lb_result_next(res, &array, err);
  if (status == LB_OK && array.release) status = lb_result_next(res, &none, err);
  res->maker = NULL;
  if (status == LB_OK && (!array.release || none.release)) {
    status = lb_error_set(err, LB_PROTOCOL,
                          "the server describes a transfer in other than one row");
  }
  if (status == LB_OK) status = visit(ctx, &res->schema.arrow, &array, err);
  if (array.release) array.release(&array);
  if (none.release) none.release(&none);
  if (status != LB_OK) return status;
  lb_result_schema_reset(&res->schema);
  lb_result_schema_init(&res->schema);
  return lb_result_schema_all_text(0, &res->schema, err);
}

/* Ending. */

void lb_result_close(struct lb_result *res, enum lb_hb_reason reason) {
  int open = LB_HB_NO_REASON;
  atomic_compare_exchange_strong(&res->closed, &open, (int)reason);
  lb_call_slot_shut(&res->slot);
  if (res->cloud) lb_cloud_close(res->cloud);
  struct lb_result *again = atomic_load(&res->again);
  if (again) lb_result_close(again, reason);
  post_end(res, reason);
  /* Only the reader's own close may touch what the reader uses. */
  if (reason == LB_HB_RELEASED) free_pages(res);
}

bool lb_result_cancel(struct lb_result *res) {
  struct lb_result *again = atomic_load(&res->again);
  if (again) return lb_result_cancel(again);
  if (atomic_load(&res->closed) != LB_HB_NO_REASON) return false;
  /* Everything has been received: there is nothing to cancel but a reader that waits. */
  if (atomic_load(&res->end_posted)) return lb_call_slot_cancel(&res->slot, NULL);
  atomic_store(&res->cancelled, true);
  /* Before the reader wakes: its own end would close the operation without cancelling. */
  if (!atomic_exchange(&res->cancel_posted, true)) {
    lb_result_retain(res);
    res->cancel_task.run = cancel_on_io;
    lb_io_post(io_of(res), &res->cancel_task);
  }
  lb_call_slot_shut(&res->slot);
  if (res->cloud) lb_cloud_close(res->cloud);
  return true;
}

/* Making. */

void lb_result_wait_in(struct lb_result *res, struct lb_call_slot *slot) {
  res->maker = slot;
}

static void parked_retain(struct lb_parked *parked) {
  lb_result_retain(LB_CONTAINER_OF(parked, struct lb_result, parked));
}

static void parked_release(struct lb_parked *parked) {
  lb_result_release(LB_CONTAINER_OF(parked, struct lb_result, parked));
}

static enum lb_status allocate(struct lb_execute_call *call,
                               const struct lb_result_options *options,
                               struct lb_hb_stats *stats, struct lb_result **out,
                               struct lb_error *err) {
  struct lb_result *res = lb_alloc_zero(LB_MEM_MISC, sizeof *res);
  if (!res) return lb_error_oom(err, "a result set");
  atomic_init(&res->refs, 1);
  lb_page_init(&res->page);
  lb_result_schema_init(&res->schema);
  res->options = *options;
  enum lb_status status = lb_call_slot_init(&res->slot, err);
  if (status != LB_OK) {
    lb_free(res);
    return status;
  }
  status = lb_mutex_init(&res->reader.mu, err);
  if (status != LB_OK) {
    lb_call_slot_destroy(&res->slot);
    lb_free(res);
    return status;
  }
  lb_op_retain(call->op);
  res->op = call->op;
  res->page.io = io_of(res);
  res->page.together_rows = options->batch_target_rows;
  lb_session_retain(call->op->sess);
  lb_hb_stats_retain(stats);
  res->stats = stats;
  res->parked = (struct lb_parked){
      .op = call->op, .retain = parked_retain, .release = parked_release};
  res->last_told = lb_server_facts(lb_session_kind(call->op->sess))->reliable_has_more;
  *out = res;
  return LB_OK;
}

/* Values that are text hold local times of a zone that only the server knows. */
static enum lb_status take_zone(struct lb_result *res, struct lb_error *err) {
  const struct lb_server_facts *facts = lb_server_facts(lb_session_kind(res->op->sess));
  struct lb_zone *zone;
  res->schema.cut_nanoseconds = facts->nanoseconds;
  if (!facts->zone_query || !res->maker) return LB_OK;
  bool instants = facts->timestamp_is_instant;
  if (!lb_result_schema_wants_zone(&res->schema, instants)) return LB_OK;
  LB_TRY(
      lb_session_zone_ask(res->op->sess, res->options.limit_s, res->maker, &zone, err));
  return lb_result_schema_set_zone(&res->schema, instants, zone, err);
}

static enum lb_status take_schema(struct lb_result *res,
                                  const struct lb_t_get_result_set_metadata_resp *meta,
                                  struct lb_error *err) {
  res->staging = meta->is_staging_operation.v;
  res->lz4 = meta->lz4_compressed.v;
  res->arrow_told =
      meta->result_format.set && meta->result_format.v == LB_T_ROW_SET_ARROW;
  LB_TRY(lb_result_schema_from_metadata(meta, &res->schema, err));
  return take_zone(res, err);
}

static enum lb_status schema_of_reply(struct lb_result *res, struct lb_buf *reply,
                                      struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, 256u * 1024u * 1024u);
  struct lb_reply_data data;
  struct lb_str body = {(const char *)reply->data, reply->len};
  enum lb_status status =
      res->op->sess->backend->read_data(body, "GetResultSetMetadata", &arena, &data, err);
  if (status == LB_OK) status = take_schema(res, data.metadata, err);
  lb_arena_reset(&arena);
  return status;
}

/* The schema, and the page that came with the execution. */
static enum lb_status take_reply(struct lb_result *res, struct lb_execute_call *call,
                                 struct lb_error *err) {
  const struct lb_op_head *head = &call->head;
  if (head->has_rows || head->has_metadata) {
    res->page_server_ms = call->server_ms;
    LB_TRY(lb_page_load(&res->page, res->op->sess->backend, call->what,
                        &call->execute_reply, 0, res->options.max_rows, true, err));
  }
  if (head->has_metadata) return take_schema(res, res->page.data.metadata, err);
  if (call->metadata_reply.len > 0)
    return schema_of_reply(res, &call->metadata_reply, err);
  if (!call->metadata_failed) return lb_result_schema_all_text(0, &res->schema, err);
  /* The engine cannot describe a column's type, but sends the rows as text: the first
   * page tells how many columns there are. */
  res->server_has_more = true;
  if (turn_page(res, err) != LB_OK || !res->page.data.row_set) {
    lb_error_copy(err, &call->metadata_err);
    return call->metadata_err.status;
  }
  return lb_result_schema_all_text(res->page.data.row_set->columns.count, &res->schema,
                                   err);
}

static bool has_result(const struct lb_result *res, const struct lb_op_head *head) {
  if (lb_session_kind(res->op->sess) == LB_KIND_HIVE) return head->handle.has_result_set;
  return true;
}

/* Rows may be left on the server unless something said that there are none. */
static void first_account(struct lb_result *res, const struct lb_op_head *head) {
  if (res->next_row > 0 || res->ahead) return; /* a page was turned already */
  if (res->page.loaded && head->has_rows) {
    account(res);
  } else {
    res->server_has_more = !head->closed_by_server && has_result(res, head);
  }
}

static void hold_result(void *ctx) { lb_result_retain(ctx); }

static void drop_result(void *ctx) { lb_result_release(ctx); }

static void all_files_local(void *ctx) { post_end(ctx, LB_HB_ALL_LOCAL); }

static enum lb_status make_cloud(struct lb_result *res, struct lb_error *err) {
  if (!res->options.cloud.enabled) return LB_OK;
  const struct lb_cloud_owner owner = {
      .hold = hold_result, .drop = drop_result, .all_local = all_files_local, .ctx = res};
  return lb_cloud_create(res->op, &res->options.cloud, &owner, &res->schema, res->lz4,
                         lb_hb_stats_cloud(res->stats), &res->cloud, err);
}

/* The one row of a staging operation is read as it comes. */
static enum lb_status make_collector(struct lb_result *res, struct lb_error *err) {
  const struct lb_collect_source source = {
      .next = read_next, .at_hand = read_at_hand, .ctx = res};
  int64_t target_rows = res->options.batch_target_rows;
  if (target_rows == 0 || res->staging) return LB_OK;
  return lb_collector_create(&res->schema.arrow, target_rows, &source, &res->collector,
                             err);
}

static bool has_arrow_rows(const struct lb_result *res) {
  const struct lb_t_row_set *row_set = res->page.data.row_set;
  return res->arrow_told || (row_set && row_set->arrow_batches.count > 0);
}

/* A probe that was right for the kind of server may be wrong for the form of the rows,
 * which only the result shows; it has run by now, so another probe is taken. */
static void check_probe(struct lb_result *res) {
  enum lb_server_kind kind = lb_session_kind(res->op->sess);
  bool arrow = has_arrow_rows(res);
  enum lb_probe_kind asked = res->options.probe;
  if (!lb_server_probe_harms(kind, asked, arrow)) return;
  res->options.probe = lb_server_probe_harms(kind, LB_PROBE_STATUS, arrow)
                           ? LB_PROBE_NONE
                           : LB_PROBE_STATUS;
  lb_log(
      lb_io_log(io_of(res)), LB_LOG_WARN, "hb",
      "statement %s: databricks.heartbeat.probe=%s would lose Arrow rows on a server of "
      "kind %s; %s is used for this result",
      res->op->query_id, lb_probe_kind_name(asked), lb_server_kind_name(kind),
      lb_probe_kind_name(res->options.probe));
}

/* The one place where a heartbeat begins, for every result set of every protocol. */
static void arm(struct lb_result *res, const struct lb_op_head *head) {
  check_probe(res);
  struct lb_hb_facts facts = {
      .enabled = res->options.heartbeat.enabled,
      .has_result = has_result(res, head),
      .has_handle = res->op->has_handle,
      .has_probe = res->options.probe != LB_PROBE_NONE,
      .closed_by_server = head->closed_by_server,
      .rows_on_server = res->server_has_more || lb_page_has_links(&res->page),
  };
  enum lb_hb_reason reason = lb_hb_eligible(&facts);
  if (reason != LB_HB_NO_REASON) {
    lb_hb_stats_set_not_armed(res->stats, reason);
    return;
  }
  res->arm_task.run = arm_on_io;
  res->armed = true;
  lb_io_run(io_of(res), &res->arm_task);
}

enum lb_status lb_result_create(struct lb_execute_call *call,
                                const struct lb_result_options *options,
                                struct lb_hb_stats *stats, struct lb_call_slot *maker,
                                struct lb_result **out, struct lb_error *err) {
  struct lb_result *res;
  LB_TRY(allocate(call, options, stats, &res, err));
  res->maker = maker;
  enum lb_status status = take_reply(res, call, err);
  res->maker = NULL;
  if (status == LB_OK) status = lb_arrow_decoder_create(&res->schema, &res->dec, err);
  if (status == LB_OK) status = make_collector(res, err);
  if (status == LB_OK) status = make_cloud(res, err);
  if (status != LB_OK) {
    lb_result_close(res, LB_HB_RELEASED);
    lb_result_release(res);
    return status;
  }
  res->last_read_ms = lb_io_now_ms(io_of(res));
  res->gone = call->head.closed_by_server && !lb_page_has_links(&res->page);
  first_account(res, &call->head);
  arm(res, &call->head);
  res->made = true;
  status = take_links(res, err);
  if (status != LB_OK) {
    lb_result_close(res, LB_HB_RELEASED);
    lb_result_release(res);
    return status;
  }
  if (res->server_has_more) {
    fetch_ahead(res);
  } else {
    end_of_pages(res, LB_HB_END_OF_RESULTS);
  }
  *out = res;
  return LB_OK;
}
