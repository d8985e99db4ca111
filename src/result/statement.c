/* SPDX-License-Identifier: Apache-2.0 */
#include "result/statement.h"

#include "result/bind_sql.h"
#include "result/describe.h"
#include "result/ingest.h"
#include "result/run.h"
#include "session/session_internal.h"

struct lb_stmt {
  struct lb_session *sess;
  struct lb_options *opts;
  struct lb_hb_stats *parent_stats;
  struct lb_buf sql;
  struct lb_call_slot slot;
  struct lb_binding *binding; /* NULL: nothing is bound */
  bool binding_tried; /* an execution has asked for it, and may have been refused */
  bool binding_gone;  /* it went with the text before this one */
  struct {
    struct lb_mutex mu;
    struct lb_result *latest LB_GUARDED_BY(mu);
    struct lb_series *series LB_GUARDED_BY(mu); /* in place of latest, stats, query_id */
    struct lb_hb_stats *stats LB_GUARDED_BY(mu);
    uint64_t latest_turn LB_GUARDED_BY(mu); /* of the execution that made latest */
    struct lb_execute_call *running LB_GUARDED_BY(mu);
    double progress LB_GUARDED_BY(mu);
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
                           struct lb_hb_stats *stats, struct lb_series *series) {
  if (res) lb_result_retain(res);
  if (series) lb_series_retain(series);
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_result *old = stmt->synced.latest;
  struct lb_hb_stats *old_stats = stmt->synced.stats;
  struct lb_series *old_series = stmt->synced.series;
  stmt->synced.latest = res;
  stmt->synced.series = series;
  stmt->synced.latest_turn = turn;
  stmt->synced.stats = stats;
  lb_mutex_unlock(&stmt->synced.mu);
  lb_series_release(old_series);
  lb_result_release(old);
  lb_hb_stats_release(old_stats);
}

void lb_stmt_destroy(struct lb_stmt *stmt) {
  if (!stmt) return;
  replace_latest(stmt, 0, NULL, NULL, NULL);
  lb_binding_release(stmt->binding);
  lb_call_slot_destroy(&stmt->slot);
  lb_mutex_destroy(&stmt->synced.mu);
  lb_buf_reset(&stmt->sql);
  lb_hb_stats_release(stmt->parent_stats);
  lb_options_release(stmt->opts);
  lb_session_release(stmt->sess);
  lb_free(stmt);
}

static struct lb_str text_of(const struct lb_stmt *stmt) {
  return (struct lb_str){(const char *)stmt->sql.data, stmt->sql.len};
}

static enum lb_status has_markers(const struct lb_stmt *stmt, bool *out,
                                  struct lb_error *err) {
  struct lb_sql_scan scan = {0};
  LB_TRY(lb_sql_scan(text_of(stmt), &scan, err));
  *out = scan.count > 0;
  lb_sql_scan_reset(&scan);
  return LB_OK;
}

/* Whether what is bound is meant for a new text, too:
 *  1. It is when no execution has been tried with it.
 *  2. It is not once an execution has used it.
 *  3. After an execution that was refused it still is, unless the new text wants nothing:
 *     its owner was told, and has no other way to take it back.
 * What is not meant for it goes, and a text with markers says so (check_gone). */
static void settle_binding(struct lb_stmt *stmt) {
  if (!stmt->binding || !stmt->binding_tried) return;
  bool wants = true;
  if (!lb_binding_used(stmt->binding)) {
    /* Where markers cannot be told, executing says why. No text: it is ingested. */
    if (stmt->sql.len == 0 || has_markers(stmt, &wants, NULL) != LB_OK || wants) return;
  }
  lb_stmt_bind(stmt, NULL);
  stmt->binding_gone = true;
}

enum lb_status lb_stmt_set_sql(struct lb_stmt *stmt, struct lb_str sql,
                               struct lb_error *err) {
  struct lb_buf copy;
  lb_buf_init(&copy, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_append_str(&copy, sql);
  enum lb_status status = lb_buf_check(&copy, "the statement's text", err);
  if (status == LB_OK) lb_buf_move(&stmt->sql, &copy);
  lb_buf_reset(&copy);
  if (status == LB_OK) settle_binding(stmt);
  return status;
}

void lb_stmt_bind(struct lb_stmt *stmt, struct lb_binding *binding_own) {
  lb_binding_release(stmt->binding);
  stmt->binding = binding_own;
  stmt->binding_tried = stmt->binding_gone = false;
}

bool lb_stmt_makes_series(const struct lb_stmt *stmt) {
  return stmt->binding != NULL || lb_ingest_wanted(stmt->opts);
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

static struct lb_series *series_of(struct lb_stmt *stmt) {
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_series *series = stmt->synced.series;
  if (series) lb_series_retain(series);
  lb_mutex_unlock(&stmt->synced.mu);
  return series;
}

static void end_former(struct lb_stmt *stmt) {
  struct lb_result *res = latest_of(stmt);
  struct lb_series *series = series_of(stmt);
  if (res) lb_result_close(res, LB_HB_REEXECUTED);
  if (series) lb_series_close(series, LB_HB_REEXECUTED);
  lb_result_release(res);
  lb_series_release(series);
}

/* What runs, for whoever asks how far it is; NULL: nothing does. */
static void set_running(void *ctx, struct lb_execute_call *call, double progress) {
  struct lb_stmt *stmt = ctx;
  if (call) lb_call_retain(&call->base);
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_execute_call *old = stmt->synced.running;
  stmt->synced.running = call;
  stmt->synced.progress = progress;
  lb_mutex_unlock(&stmt->synced.mu);
  if (old) lb_call_release(&old->base);
}

double lb_stmt_progress(struct lb_stmt *stmt) {
  lb_mutex_lock(&stmt->synced.mu);
  double progress = stmt->synced.progress;
  if (stmt->synced.running) {
    progress = atomic_load(&stmt->synced.running->progress_ppm) / 1e6;
  }
  lb_mutex_unlock(&stmt->synced.mu);
  return progress;
}

static enum lb_status check_text(const struct lb_stmt *stmt, struct lb_error *err) {
  if (stmt->sql.len > 0) return LB_OK;
  return lb_error_set(err, LB_INVALID_STATE,
                      "the statement has no text; set a query before executing it");
}

static enum lb_status check_gone(const struct lb_stmt *stmt, struct lb_error *err) {
  if (!stmt->binding_gone) return LB_OK;
  bool wants = false;
  LB_TRY(has_markers(stmt, &wants, err));
  if (!wants) return LB_OK;
  return lb_error_set(err, LB_INVALID_STATE,
                      "the query has parameters, and what was bound went with the text "
                      "before it; bind values again");
}

static enum lb_status execute(struct lb_stmt *stmt, uint64_t turn, struct lb_result **out,
                              int64_t *rows_affected, struct lb_error *err) {
  LB_TRY(check_text(stmt, err));
  LB_TRY(check_gone(stmt, err));
  struct lb_result_options options = {0};
  LB_TRY(lb_result_options_read(stmt->sess, stmt->opts, LB_OP_STATEMENT, &options, err));
  end_former(stmt);
  const struct lb_run run = {
      .sess = stmt->sess,
      .opts = stmt->opts,
      .slot = &stmt->slot,
      .options = &options,
      .parent_stats = stmt->parent_stats,
      .sql = text_of(stmt),
      .wanted = out != NULL,
      .running = set_running,
      .ctx = stmt,
  };
  struct lb_ran ran = {0};
  enum lb_status status = lb_run(&run, &ran, err);
  set_query_id(stmt, ran.query_id);
  if (status != LB_OK) return status;
  replace_latest(stmt, turn, ran.res, ran.stats, NULL);
  lb_hb_stats_release(ran.stats);
  if (out) *out = ran.res;
  *rows_affected = ran.rows_affected;
  return LB_OK;
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

static enum lb_status begin_series(struct lb_stmt *stmt, uint64_t turn,
                                   struct lb_series **out, struct lb_error *err) {
  if (!lb_ingest_wanted(stmt->opts)) {
    LB_TRY(check_text(stmt, err));
  } else if (!stmt->binding) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "nothing is bound to be ingested; bind an array or a stream");
  }
  LB_TRY(lb_series_create(stmt->sess, stmt->opts, stmt->parent_stats, out, err));
  end_former(stmt);
  /* Before it runs, so that it can be cancelled. */
  replace_latest(stmt, turn, NULL, NULL, *out);
  stmt->binding_tried = true;
  set_running(stmt, NULL, 0);
  return LB_OK;
}

enum lb_status lb_stmt_execute_bound(struct lb_stmt *stmt, struct lb_series **out,
                                     int64_t *rows_affected, struct lb_error *err) {
  struct lb_series *series = NULL;
  int64_t rows = -1;
  uint64_t turn;
  LB_TRY(lb_call_slot_enter(&stmt->slot, "execute", &turn, err));
  enum lb_status status = begin_series(stmt, turn, &series, err);
  if (status == LB_OK) {
    struct lb_str sql = text_of(stmt);
    status = lb_ingest_wanted(stmt->opts)
                 ? lb_series_ingest(series, stmt->binding, &rows, err)
                 : lb_series_start(series, sql, stmt->binding, out != NULL, &rows, err);
  }
  if (status == LB_OK) set_running(stmt, NULL, 1);
  if (lb_call_slot_leave(&stmt->slot)) {
    if (series) {
      lb_series_cancel(series);
      lb_series_finish(series);
    }
    status = take_back(stmt, status, NULL, err);
  }
  if (status != LB_OK || !out) {
    lb_series_release(series);
  } else {
    *out = series;
  }
  if (status == LB_OK && rows_affected) *rows_affected = rows;
  return status;
}

enum lb_status lb_stmt_parameters(const struct lb_stmt *stmt, struct ArrowSchema *out,
                                  struct lb_error *err) {
  LB_TRY(check_text(stmt, err));
  struct lb_str sql = text_of(stmt);
  return lb_bound_sql_schema(sql, out, err);
}

static enum lb_status describe(struct lb_stmt *stmt, struct lb_str sql,
                               const struct lb_bound_sql *bound, struct ArrowSchema *out,
                               struct lb_error *err) {
  struct lb_result_options options = {0};
  LB_TRY(lb_result_options_read(stmt->sess, stmt->opts, LB_OP_STATEMENT, &options, err));
  options.heartbeat.enabled = options.prefetch = false;
  const struct lb_run run = {
      .sess = stmt->sess,
      .opts = stmt->opts,
      .slot = &stmt->slot,
      .options = &options,
      .parent_stats = stmt->parent_stats,
      .sql =
          bound ? (struct lb_str){(const char *)bound->text.data, bound->text.len} : sql,
      .shown_sql = sql,
      .params = bound ? bound->params : NULL,
      .param_count = bound ? bound->param_count : 0,
      .own = true,
      .wanted = true,
  };
  struct lb_ran ran = {0};
  LB_TRY(lb_run(&run, &ran, err));
  enum lb_status status = LB_OK;
  if (ArrowSchemaDeepCopy(&lb_result_schema(ran.res)->arrow, out) != NANOARROW_OK) {
    status = lb_error_oom(err, "a schema");
  }
  lb_result_close(ran.res, LB_HB_RELEASED);
  lb_result_release(ran.res);
  lb_hb_stats_release(ran.stats);
  return status;
}

/* With what is bound in the places of the markers, or nulls of its types: a stream cannot
 * be read twice. */
static enum lb_status describe_bound(struct lb_stmt *stmt, struct lb_str sql,
                                     struct ArrowSchema *out, struct lb_error *err) {
  if (!stmt->binding) return describe(stmt, sql, NULL, out, err);
  const struct lb_bind_rules rules = lb_bind_rules_of(stmt->sess, stmt->opts);
  struct lb_bound_rows rows;
  struct lb_bound_sql bound;
  lb_bound_rows_init(&rows);
  lb_bound_sql_init(&bound);
  enum lb_status status = lb_bound_rows_open(&rows, stmt->binding, "parameter", err);
  if (status == LB_OK) status = lb_bound_sql_open(&bound, sql, &rows, &rules, err);
  if (status == LB_OK) status = lb_bound_rows_peek(&rows, err);
  if (status == LB_OK) status = lb_bound_sql_row(&bound, &rows, err);
  if (status == LB_OK) status = describe(stmt, sql, &bound, out, err);
  lb_bound_sql_reset(&bound);
  lb_bound_rows_reset(&rows);
  return status;
}

enum lb_status lb_stmt_execute_schema(struct lb_stmt *stmt, struct ArrowSchema *out,
                                      struct lb_error *err) {
  struct ArrowSchema found = {0};
  struct lb_buf text;
  uint64_t turn;
  LB_TRY(check_text(stmt, err));
  LB_TRY(check_gone(stmt, err));
  lb_buf_init(&text, LB_MEM_MISC, MAX_SQL_BYTES + 1024);
  struct lb_str sql = text_of(stmt);
  enum lb_status status = lb_describe_query(sql, &text, err);
  if (status == LB_OK) {
    status = lb_call_slot_enter(&stmt->slot, "execute schema", &turn, err);
  }
  if (status != LB_OK) {
    lb_buf_reset(&text);
    return status;
  }
  end_former(stmt);
  sql = (struct lb_str){(const char *)text.data, text.len};
  status = describe_bound(stmt, sql, &found, err);
  lb_buf_reset(&text);
  bool cancelled = lb_call_slot_leave(&stmt->slot);
  if (status == LB_OK &&
      lb_server_facts(lb_session_kind(stmt->sess))->catalog.table_in_names) {
    status = lb_describe_plain_names(&found, LB_DESCRIBE_ALIAS, err);
  }
  if (cancelled && status != LB_CANCELLED) {
    status = lb_error_set(err, LB_CANCELLED, "the statement was cancelled");
  }
  if (status == LB_OK) {
    *out = found;
  } else if (found.release) {
    found.release(&found);
  }
  return status;
}

/* An execution is found by its turn in the slot. When none was under way, the result of
 * the latest turn is meant, and not one that was made since. */
bool lb_stmt_cancel(struct lb_stmt *stmt) {
  uint64_t turn;
  bool cancelled = lb_call_slot_cancel(&stmt->slot, &turn);
  lb_mutex_lock(&stmt->synced.mu);
  bool meant = stmt->synced.latest_turn <= turn;
  struct lb_result *res = meant && !cancelled ? stmt->synced.latest : NULL;
  struct lb_series *series = meant ? stmt->synced.series : NULL;
  if (res) lb_result_retain(res);
  if (series) lb_series_retain(series);
  lb_mutex_unlock(&stmt->synced.mu);
  /* A series runs in a slot of its own, within the turn and after it. */
  if (series && lb_series_cancel(series)) cancelled = true;
  if (res && lb_result_cancel(res)) cancelled = true;
  lb_series_release(series);
  lb_result_release(res);
  return cancelled;
}

struct lb_hb_stats *lb_stmt_stats(struct lb_stmt *stmt) {
  struct lb_series *series = series_of(stmt);
  if (series) {
    struct lb_hb_stats *latest = lb_series_stats(series);
    lb_series_release(series);
    return latest;
  }
  lb_mutex_lock(&stmt->synced.mu);
  struct lb_hb_stats *stats = stmt->synced.stats;
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_unlock(&stmt->synced.mu);
  return stats;
}

void lb_stmt_query_id(struct lb_stmt *stmt, char out[40]) {
  struct lb_series *series = series_of(stmt);
  if (series) {
    lb_series_query_id(series, out);
    lb_series_release(series);
    return;
  }
  lb_mutex_lock(&stmt->synced.mu);
  memcpy(out, stmt->synced.query_id, sizeof stmt->synced.query_id);
  lb_mutex_unlock(&stmt->synced.mu);
}
