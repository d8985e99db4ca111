/* SPDX-License-Identifier: Apache-2.0 */
#include "result/statement.h"

#include "result/result_internal.h"
#include "session/session_internal.h"

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

static void end_former(struct lb_stmt *stmt) {
  struct lb_result *res = latest_of(stmt);
  if (!res) return;
  lb_result_close(res, LB_HB_REEXECUTED);
  lb_result_release(res);
}

static enum lb_status run(struct lb_stmt *stmt, const struct lb_result_options *options,
                          struct lb_execute_call **out, struct lb_error *err) {
  struct lb_execute_params params = {
      .sql = {(const char *)stmt->sql.data, stmt->sql.len},
      .query_timeout_s = lb_options_int(stmt->opts, LB_OPT_QUERY_TIMEOUT),
      .arrow = !lb_options_word_is(stmt->opts, LB_OPT_ARROW, "off"),
      .max_rows = options->max_rows,
      .max_bytes = LB_MIN(options->max_bytes, LB_DIRECT_MAX_BYTES),
  };
  struct lb_execute_call *call;
  LB_TRY(lb_execute_create(stmt->sess, &params, &call, err));
  enum lb_status status = lb_result_run(call, stmt->opts, &stmt->slot, err);
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
  LB_TRY(lb_result_options_read(stmt->sess, stmt->opts, LB_OP_STATEMENT, &options, err));
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
