/* SPDX-License-Identifier: Apache-2.0 */
#include "result/statement.h"

#include "base/os.h"
#include "result/result_internal.h"
#include "session/session_internal.h"

/* After the server's own time limit the client waits so much longer for it to say so. */
#define TIMEOUT_GRACE_MS 5000
/* A first page that comes with the reply is smaller than later ones, so that the first
 * row is early; Databricks' own clients ask for as much. */
#define DIRECT_MAX_BYTES (10 * 1024 * 1024)

struct lb_stmt {
  struct lb_session *sess;
  struct lb_options *opts;
  struct lb_hb_stats *parent_stats;
  struct lb_buf sql;
  struct lb_call_slot slot;
  struct {
    struct lb_mutex mu;
    struct lb_result *latest LB_GUARDED_BY(mu);
    struct lb_hb_stats *stats LB_GUARDED_BY(mu);
    uint64_t latest_turn LB_GUARDED_BY(mu); /* of the execution that made latest */
    char query_id[40] LB_GUARDED_BY(mu);
  } synced;
};

/* SQL texts have no limit of their own but the request's. */
#define MAX_SQL_BYTES (128u * 1024u * 1024u)

enum lb_status lb_stmt_create(struct lb_session *sess, struct lb_options *opts,
                              struct lb_hb_stats *parent_stats, struct lb_stmt **out,
                              struct lb_error *err) {
  struct lb_stmt *stmt = lb_alloc_zero(LB_MEM_MISC, sizeof *stmt);
  if (!stmt) return lb_error_oom(err, "a statement");
  enum lb_status status = lb_call_slot_init(&stmt->slot, err);
  if (status != LB_OK) {
    lb_free(stmt);
    return status;
  }
  status = lb_mutex_init(&stmt->synced.mu, err);
  if (status != LB_OK) {
    lb_call_slot_destroy(&stmt->slot);
    lb_free(stmt);
    return status;
  }
  lb_buf_init(&stmt->sql, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_session_retain(sess);
  stmt->sess = sess;
  lb_options_retain(opts);
  stmt->opts = opts;
  if (parent_stats) lb_hb_stats_retain(parent_stats);
  stmt->parent_stats = parent_stats;
  *out = stmt;
  return LB_OK;
}

/* Puts the latest result and its counters in place of the former ones, which are let
 * go. */
static void replace_latest(struct lb_stmt *stmt, uint64_t turn, struct lb_result *res,
                           struct lb_hb_stats *stats) {
  if (res) lb_result_retain(res);
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_result *old = stmt->synced.latest;
  struct lb_hb_stats *old_stats = stmt->synced.stats;
  stmt->synced.latest = res;
  stmt->synced.latest_turn = turn;
  stmt->synced.stats = stats;
  lb_mutex_unlock(&stmt->synced.mu);
  lb_result_release(old);
  lb_hb_stats_release(old_stats);
}

void lb_stmt_destroy(struct lb_stmt *stmt) {
  if (!stmt) return;
  replace_latest(stmt, 0, NULL, NULL);
  lb_call_slot_destroy(&stmt->slot);
  lb_mutex_destroy(&stmt->synced.mu);
  lb_buf_reset(&stmt->sql);
  lb_hb_stats_release(stmt->parent_stats);
  lb_options_release(stmt->opts);
  lb_session_release(stmt->sess);
  lb_free(stmt);
}

enum lb_status lb_stmt_set_sql(struct lb_stmt *stmt, struct lb_str sql,
                               struct lb_error *err) {
  struct lb_buf copy;
  lb_buf_init(&copy, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_append_str(&copy, sql);
  enum lb_status status = lb_buf_check(&copy, "the statement's text", err);
  if (status == LB_OK) lb_buf_move(&stmt->sql, &copy);
  lb_buf_reset(&copy);
  return status;
}

static void set_query_id(struct lb_stmt *stmt, const char *query_id) {
  lb_mutex_lock(&stmt->synced.mu);
  lb_str_copy(stmt->synced.query_id, sizeof stmt->synced.query_id, lb_str_from(query_id));
  lb_mutex_unlock(&stmt->synced.mu);
}

static struct lb_result *latest_of(struct lb_stmt *stmt) {
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_result *res = stmt->synced.latest;
  if (res) lb_result_retain(res);
  lb_mutex_unlock(&stmt->synced.mu);
  return res;
}

static bool switched_off(void) {
  const char *word = lb_os_getenv("LAKEBEAT_HEARTBEAT");
  bool on = true;
  return word && lb_str_to_bool(lb_str_from(word), &on) && !on;
}

static enum lb_status probe_option(struct lb_stmt *stmt, enum lb_probe_kind *out,
                                   struct lb_error *err) {
  char *word = NULL;
  LB_TRY(lb_options_text(stmt->opts, LB_OPT_HB_PROBE, &word, err));
  *out = LB_PROBE_AUTO;
  if (word) lb_probe_kind_parse(lb_str_from(word), out);
  lb_free(word);
  return LB_OK;
}

/* Checks even when the heartbeat is off, so that a wrong option never waits for the
 * day on which it is switched on. */
static enum lb_status read_options(struct lb_stmt *stmt, struct lb_result_options *out,
                                   struct lb_error *err) {
  struct lb_options *opts = stmt->opts;
  struct lb_hb_options *hb = &out->heartbeat;
  enum lb_server_kind kind = lb_session_kind(stmt->sess);
  hb->enabled = lb_options_bool(opts, LB_OPT_HB_ENABLED) && !switched_off();
  hb->interval_ms = lb_options_int(opts, LB_OPT_HB_INTERVAL) * 1000;
  hb->request_timeout_ms = lb_options_int(opts, LB_OPT_HB_REQUEST_TIMEOUT) * 1000;
  hb->max_failures = (int32_t)lb_options_int(opts, LB_OPT_HB_MAX_FAILURES);
  hb->max_failures_explicit = lb_options_is_set(opts, LB_OPT_HB_MAX_FAILURES);
  hb->max_idle_ms = lb_options_int(opts, LB_OPT_HB_MAX_IDLE) * 1000;
  hb->max_lifetime_ms = lb_options_int(opts, LB_OPT_HB_MAX_LIFETIME) * 1000;
  LB_TRY(probe_option(stmt, &hb->probe, err));
  LB_TRY(lb_server_choose_probe(kind, LB_OP_STATEMENT, hb->probe, &out->probe, err));
  bool warn = false;
  LB_TRY(lb_server_check_interval(kind, hb->interval_ms, &warn, err));
  if (warn) {
    lb_log(
        lb_io_log(stmt->sess->io), LB_LOG_WARN, "hb",
        "option databricks.heartbeat.interval_seconds = %lld is more than a third of the "
        "time after which the server forgets a result",
        (long long)(hb->interval_ms / 1000));
  }
  out->max_rows = lb_options_int(opts, LB_OPT_MAX_ROWS_PER_FETCH);
  out->max_bytes = lb_options_int(opts, LB_OPT_MAX_BYTES_PER_FETCH);
  out->prefetch = lb_options_int(opts, LB_OPT_PREFETCH_PAGES) > 0;
  return LB_OK;
}

static void end_former(struct lb_stmt *stmt) {
  struct lb_result *res = latest_of(stmt);
  if (!res) return;
  lb_result_close(res, LB_HB_REEXECUTED);
  lb_result_release(res);
}

static enum lb_status run(struct lb_stmt *stmt, const struct lb_result_options *options,
                          struct lb_execute_call **out, struct lb_error *err) {
  int64_t timeout_s = lb_options_int(stmt->opts, LB_OPT_QUERY_TIMEOUT);
  struct lb_execute_params params = {
      .sql = {(const char *)stmt->sql.data, stmt->sql.len},
      .query_timeout_s = timeout_s,
      .arrow = !lb_options_word_is(stmt->opts, LB_OPT_ARROW, "off"),
      .max_rows = options->max_rows,
      .max_bytes = LB_MIN(options->max_bytes, DIRECT_MAX_BYTES),
  };
  struct lb_execute_call *call;
  LB_TRY(lb_execute_create(stmt->sess, &params, &call, err));
  int64_t deadline_ms = LB_NEVER_MS;
  if (timeout_s > 0) {
    deadline_ms =
        lb_ms_add(lb_io_now_ms(stmt->sess->io), timeout_s * 1000 + TIMEOUT_GRACE_MS);
  }
  enum lb_status status = lb_call_run(&stmt->slot, &call->base, deadline_ms, err);
  /* A call that was given up goes on and may not be looked at. */
  bool gave_up = lb_io_now_ms(stmt->sess->io) >= deadline_ms;
  if (status == LB_TIMEOUT && (gave_up || call->head.state == LB_OP_TIMED_OUT)) {
    lb_error_append(err, " (option databricks.query_timeout_seconds = %lld)",
                    (long long)timeout_s);
  }
  if (status != LB_OK) {
    lb_call_release(&call->base);
    return status;
  }
  *out = call;
  return LB_OK;
}

static enum lb_status execute(struct lb_stmt *stmt, uint64_t turn, struct lb_result **out,
                              int64_t *rows_affected, struct lb_error *err) {
  if (stmt->sql.len == 0) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "the statement has no text; set a query before executing it");
  }
  struct lb_result_options options = {0};
  LB_TRY(read_options(stmt, &options, err));
  end_former(stmt);
  struct lb_hb_stats *stats;
  LB_TRY(lb_hb_stats_create(stmt->parent_stats, &stats, err));
  struct lb_execute_call *call = NULL;
  struct lb_result *res = NULL;
  enum lb_status status = run(stmt, &options, &call, err);
  if (status == LB_OK) {
    *rows_affected = call->head.modified_rows;
    /* A result that nobody wants needs no heartbeat: it is closed at once. */
    if (!out) options.heartbeat.enabled = options.prefetch = false;
    status = lb_result_create(call, &options, stats, &stmt->slot, &res, err);
    lb_call_release(&call->base);
  }
  set_query_id(stmt, status == LB_OK ? lb_result_query_id(res)
                     : err           ? err->query_id
                                     : "");
  if (status == LB_OK) {
    replace_latest(stmt, turn, out ? res : NULL, stats);
    if (out) {
      *out = res;
    } else {
      lb_result_close(res, LB_HB_RELEASED);
      lb_result_release(res);
    }
  }
  lb_hb_stats_release(stats);
  return status;
}

/* Whoever cancelled was promised this, at whatever step the execution was. */
static enum lb_status take_back(struct lb_stmt *stmt, enum lb_status status,
                                struct lb_result *res, struct lb_error *err) {
  bool ran = status == LB_OK;
  if (res) {
    lb_result_cancel(res);
    lb_result_close(res, LB_HB_RELEASED);
    lb_result_release(res);
  }
  if (status == LB_CANCELLED) return status;
  status = lb_error_set(err, LB_CANCELLED, "the statement was cancelled%s",
                        ran ? " when the server had already run it" : "");
  char query_id[40];
  lb_stmt_query_id(stmt, query_id);
  lb_error_set_query_id(err, query_id);
  return status;
}

enum lb_status lb_stmt_execute(struct lb_stmt *stmt, struct lb_result **out,
                               int64_t *rows_affected, struct lb_error *err) {
  struct lb_result *res = NULL;
  int64_t rows = -1;
  uint64_t turn;
  LB_TRY(lb_call_slot_enter(&stmt->slot, "execute", &turn, err));
  enum lb_status status = execute(stmt, turn, out ? &res : NULL, &rows, err);
  if (lb_call_slot_leave(&stmt->slot)) return take_back(stmt, status, res, err);
  if (status != LB_OK) return status;
  if (out) *out = res;
  if (rows_affected) *rows_affected = rows;
  return LB_OK;
}

/* An execution is found by its turn in the slot. When none was under way, the result of
 * the latest turn is meant, and not one that was made since. */
bool lb_stmt_cancel(struct lb_stmt *stmt) {
  uint64_t turn;
  if (lb_call_slot_cancel(&stmt->slot, &turn)) return true;
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_result *res = stmt->synced.latest_turn <= turn ? stmt->synced.latest : NULL;
  if (res) lb_result_retain(res);
  lb_mutex_unlock(&stmt->synced.mu);
  if (!res) return false;
  bool cancelled = lb_result_cancel(res);
  lb_result_release(res);
  return cancelled;
}

struct lb_hb_stats *lb_stmt_stats(struct lb_stmt *stmt) {
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_hb_stats *stats = stmt->synced.stats;
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_unlock(&stmt->synced.mu);
  return stats;
}

void lb_stmt_query_id(struct lb_stmt *stmt, char out[40]) {
  lb_mutex_lock(&stmt->synced.mu);
  memcpy(out, stmt->synced.query_id, sizeof stmt->synced.query_id);
  lb_mutex_unlock(&stmt->synced.mu);
}
