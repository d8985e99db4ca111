/* SPDX-License-Identifier: Apache-2.0 */
#include "result/series.h"

#include "result/ingest.h"
#include "session/session_internal.h"

struct lb_series {
  atomic_uint refs;
  struct lb_session *sess;
  struct lb_hb_stats *parent_stats;
  struct lb_options *opts;
  struct lb_result_options options;
  struct lb_bind_rules rules;
  struct lb_call_slot slot; /* the execution that runs */

  /* The reader's thread. */
  struct lb_bound_rows rows;
  struct lb_bound_sql bound;
  struct lb_result_schema empty; /* of a series without executions */
  struct lb_result *first;       /* for its schema; NULL: empty */
  struct lb_result *res;         /* at hand */
  bool ended;
  bool sent;               /* the last execution, which did not come to its end */
  struct lb_error failure; /* status LB_OK: none */

  struct {
    struct lb_mutex mu;
    struct lb_result *res LB_GUARDED_BY(mu);
    struct lb_hb_stats *stats LB_GUARDED_BY(mu);
    char query_id[40] LB_GUARDED_BY(mu);
    enum lb_hb_reason closed LB_GUARDED_BY(mu);
    bool cancelled LB_GUARDED_BY(mu);
    bool over LB_GUARDED_BY(mu); /* nothing is left to be cancelled */
  } synced;
};

static enum lb_bind_by bind_by_of(struct lb_options *opts) {
  if (!lb_options_bool(opts, LB_OPT_BIND_BY_NAME)) return LB_BIND_BY_POSITION;
  return lb_options_is_set(opts, LB_OPT_BIND_BY_NAME) ? LB_BIND_BY_NAME : LB_BIND_BY_TEXT;
}

struct lb_bind_rules lb_bind_rules_of(const struct lb_session *sess,
                                      struct lb_options *opts) {
  enum lb_server_kind kind = lb_session_kind(sess);
  const struct lb_server_facts *facts = lb_server_facts(kind);
  bool native = lb_server_takes_parameters(kind, lb_session_protocol(sess));
  return (struct lb_bind_rules){.by = bind_by_of(opts),
                                .max_params = native ? facts->max_parameters : 0,
                                .dialect = facts->dialect};
}

enum lb_status lb_series_create(struct lb_session *sess, struct lb_options *opts,
                                struct lb_hb_stats *parent_stats, struct lb_series **out,
                                struct lb_error *err) {
  struct lb_result_options options = {0};
  LB_TRY(lb_result_options_read(sess, opts, LB_OP_STATEMENT, &options, err));
  struct lb_series *series = lb_alloc_zero(LB_MEM_MISC, sizeof *series);
  if (!series) return lb_error_oom(err, "a series of executions");
  enum lb_status status = lb_call_slot_init(&series->slot, err);
  if (status != LB_OK) {
    lb_free(series);
    return status;
  }
  status = lb_mutex_init(&series->synced.mu, err);
  if (status != LB_OK) {
    lb_call_slot_destroy(&series->slot);
    lb_free(series);
    return status;
  }
  atomic_init(&series->refs, 1);
  lb_bound_rows_init(&series->rows);
  lb_bound_sql_init(&series->bound);
  lb_result_schema_init(&series->empty);
  series->options = options;
  lb_options_retain(opts);
  series->opts = opts;
  series->rules = lb_bind_rules_of(sess, opts);
  lb_session_retain(sess);
  series->sess = sess;
  if (parent_stats) lb_hb_stats_retain(parent_stats);
  series->parent_stats = parent_stats;
  *out = series;
  return LB_OK;
}

void lb_series_retain(struct lb_series *series) {
  atomic_fetch_add_explicit(&series->refs, 1, memory_order_relaxed);
}

static void drop_result(struct lb_result **res) {
  if (!*res) return;
  lb_result_close(*res, LB_HB_RELEASED);
  lb_result_release(*res);
  *res = NULL;
}

/* What cancel, close and the counters see from now on. */
static void show(struct lb_series *series, struct lb_result *res,
                 struct lb_hb_stats *stats) {
  if (res) lb_result_retain(res);
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_lock(&series->synced.mu);
  struct lb_result *old = series->synced.res;
  struct lb_hb_stats *old_stats = series->synced.stats;
  series->synced.res = res;
  series->synced.stats = stats;
  lb_mutex_unlock(&series->synced.mu);
  lb_result_release(old);
  lb_hb_stats_release(old_stats);
}

void lb_series_finish(struct lb_series *series) {
  drop_result(&series->res);
  lb_bound_rows_reset(&series->rows);
  lb_bound_sql_reset(&series->bound);
  series->ended = true;
  lb_mutex_lock(&series->synced.mu);
  series->synced.over = true;
  struct lb_result *old = series->synced.res;
  series->synced.res = NULL;
  lb_mutex_unlock(&series->synced.mu);
  lb_result_release(old);
}

void lb_series_release(struct lb_series *series) {
  if (!series) return;
  if (atomic_fetch_sub_explicit(&series->refs, 1, memory_order_acq_rel) != 1) return;
  lb_series_finish(series);
  show(series, NULL, NULL);
  lb_result_release(series->first);
  lb_result_schema_reset(&series->empty);
  lb_call_slot_destroy(&series->slot);
  lb_mutex_destroy(&series->synced.mu);
  lb_hb_stats_release(series->parent_stats);
  lb_options_release(series->opts);
  lb_session_release(series->sess);
  lb_free(series);
}

/* Another thread, or another execution, has ended the series. */
enum lb_status lb_series_check(void *ctx, struct lb_error *err) {
  struct lb_series *series = ctx;
  lb_mutex_lock(&series->synced.mu);
  bool cancelled = series->synced.cancelled;
  enum lb_hb_reason closed = series->synced.closed;
  lb_mutex_unlock(&series->synced.mu);
  if (cancelled) return lb_error_set(err, LB_CANCELLED, "the statement was cancelled");
  if (closed == LB_HB_NO_REASON) return LB_OK;
  return lb_error_set(err, LB_INVALID_STATE,
                      "the statement was executed again: this earlier result has ended");
}

static enum lb_status run(struct lb_series *series, struct lb_str sql,
                          struct lb_str shown, const struct lb_param *params,
                          int32_t param_count, bool wanted, struct lb_ran *out,
                          struct lb_error *err) {
  series->sent = false;
  LB_TRY(lb_series_check(series, err));
  series->sent = true;
  const struct lb_run run = {
      .sess = series->sess,
      .opts = series->opts,
      .slot = &series->slot,
      .options = &series->options,
      .parent_stats = series->parent_stats,
      .sql = sql,
      .shown_sql = shown,
      .params = params,
      .param_count = param_count,
      .wanted = wanted,
  };
  struct lb_ran ran = {0};
  enum lb_status status = lb_run(&run, &ran, err);
  lb_mutex_lock(&series->synced.mu);
  memcpy(series->synced.query_id, ran.query_id, sizeof ran.query_id);
  lb_mutex_unlock(&series->synced.mu);
  if (status != LB_OK) {
    /* Whoever ended the series has broken off the execution, so that is the reason. */
    enum lb_status ended = lb_series_check(series, err);
    return ended != LB_OK ? ended : status;
  }
  show(series, ran.res, ran.stats);
  lb_hb_stats_release(ran.stats);
  *out = ran;
  out->stats = NULL;
  /* A close or cancel may have come before the result could be seen. */
  status = lb_series_check(series, err);
  if (status != LB_OK) drop_result(&out->res);
  if (status == LB_OK) series->sent = false;
  return status;
}

bool lb_series_may_have_run(const struct lb_series *series, enum lb_status status) {
  switch (status) {
    case LB_CANCELLED:
    case LB_TIMEOUT:
    case LB_UNKNOWN_OUTCOME:
    case LB_INVALID_STATE: /* it was executed again */
    case LB_PROTOCOL:
    case LB_OUT_OF_MEMORY:
      return series->sent;
    default:
      return false;
  }
}

enum lb_status lb_series_execute(struct lb_series *series, struct lb_str sql,
                                 struct lb_str shown_sql, const struct lb_param *params,
                                 int32_t param_count, int64_t *rows_affected,
                                 struct lb_error *err) {
  struct lb_ran ran;
  LB_TRY(run(series, sql, shown_sql, params, param_count, false, &ran, err));
  if (rows_affected) *rows_affected = ran.rows_affected;
  return LB_OK;
}

/* Rows. */

/* Executes the row at hand. */
static enum lb_status run_row(struct lb_series *series, bool wanted, struct lb_ran *out,
                              struct lb_error *err) {
  struct lb_bound_sql *bound = &series->bound;
  enum lb_status status = lb_bound_sql_row(bound, &series->rows, err);
  if (status == LB_OK) {
    struct lb_str sql = {(const char *)bound->text.data, bound->text.len};
    /* Not the literals: a bound value may be a secret. */
    struct lb_str shown = {(const char *)bound->sql.data, bound->sql.len};
    status = run(series, sql, shown, bound->params, bound->param_count, wanted, out, err);
  }
  if (status != LB_OK && series->rows.number > 1) {
    lb_error_prefix(err,
                    "row %lld of the bound values: ", (long long)series->rows.number);
  }
  return status;
}

static enum lb_status run_next(struct lb_series *series, bool wanted, bool *found,
                               struct lb_ran *out, struct lb_error *err) {
  series->sent = false;
  LB_TRY(lb_bound_rows_next(&series->rows, found, err));
  if (!*found) return LB_OK;
  drop_result(&series->res);
  LB_TRY(run_row(series, wanted, out, err));
  series->res = out->res;
  return LB_OK;
}

/* For whoever goes on behind the last row that is there. */
static void tell_done(const struct lb_series *series, enum lb_status status, int64_t done,
                      struct lb_error *err) {
  bool perhaps = lb_series_may_have_run(series, status);
  if (done > 0) {
    lb_error_append(err, " (the statement has been executed for %lld rows before%s)",
                    (long long)done, perhaps ? ", and may have been for this one" : "");
  } else if (perhaps) {
    lb_error_append(err, " (the statement may have been executed for this row)");
  }
}

/* Every row now; the last one's result is kept when one is wanted. */
static enum lb_status run_all(struct lb_series *series, bool wanted,
                              int64_t *rows_affected, struct lb_error *err) {
  int64_t sum = 0, done = 0;
  for (;;) {
    bool found = false;
    struct lb_ran ran;
    enum lb_status status = run_next(series, wanted, &found, &ran, err);
    if (status != LB_OK) {
      tell_done(series, status, done, err);
      return status;
    }
    if (!found) break;
    done++;
    if (sum < 0 || ran.rows_affected < 0) {
      sum = -1;
    } else if (__builtin_add_overflow(sum, ran.rows_affected, &sum)) {
      sum = INT64_MAX;
    }
  }
  *rows_affected = sum;
  return LB_OK;
}

static enum lb_status run_first(struct lb_series *series, bool wanted,
                                int64_t *rows_affected, struct lb_error *err) {
  if (wanted && series->bound.scan.is_query) {
    bool found = false;
    struct lb_ran ran;
    LB_TRY(run_next(series, true, &found, &ran, err));
    if (!found) *rows_affected = 0;
  } else {
    LB_TRY(run_all(series, wanted, rows_affected, err));
  }
  if (!wanted) return LB_OK;
  if (!series->res) return lb_result_schema_all_text(0, &series->empty, err);
  lb_result_retain(series->res);
  series->first = series->res;
  return LB_OK;
}

enum lb_status lb_series_start(struct lb_series *series, struct lb_str sql,
                               struct lb_binding *binding, bool wanted,
                               int64_t *rows_affected, struct lb_error *err) {
  int64_t rows = -1;
  enum lb_status status = lb_bound_rows_open(&series->rows, binding, "parameter", err);
  if (status == LB_OK) {
    status = lb_bound_sql_open(&series->bound, sql, &series->rows, &series->rules, err);
  }
  series->rows.may_go_on = lb_series_check;
  series->rows.ctx = series;
  if (status == LB_OK) status = lb_bound_rows_begin(&series->rows, err);
  if (status == LB_OK) status = run_first(series, wanted, &rows, err);
  if (status != LB_OK || !wanted) lb_series_finish(series);
  if (status != LB_OK) return status;
  if (rows_affected) *rows_affected = rows;
  return LB_OK;
}

enum lb_status lb_series_ingest(struct lb_series *series, struct lb_binding *binding,
                                int64_t *rows, struct lb_error *err) {
  enum lb_status status =
      lb_ingest_run(series, series->sess, series->opts, binding, rows, err);
  lb_series_finish(series);
  if (status == LB_OK) status = lb_result_schema_all_text(0, &series->empty, err);
  return status;
}

/* Reading. */

const struct lb_result_schema *lb_series_schema(const struct lb_series *series) {
  return series->first ? lb_result_schema(series->first) : &series->empty;
}

static bool same_type(const struct ArrowSchema *a, const struct ArrowSchema *b);

static bool same_children(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  if (a->n_children != b->n_children) return false;
  for (int64_t i = 0; i < a->n_children; i++) {
    const char *a_name = a->children[i]->name, *b_name = b->children[i]->name;
    if (strcmp(a_name ? a_name : "", b_name ? b_name : "") != 0) return false;
    if (!same_type(a->children[i], b->children[i])) return false;
  }
  return true;
}

static bool same_type(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  if (!a || !b) return a == b;
  return strcmp(a->format, b->format) == 0 && same_children(a, b) &&
         same_type(a->dictionary, b->dictionary);
}

/* A column without an alias may be called by its value, so that names of columns may
 * differ; those of fields in it may not. */
static enum lb_status check_schema(struct lb_series *series, struct lb_error *err) {
  const struct ArrowSchema *first = &lb_result_schema(series->first)->arrow;
  const struct ArrowSchema *given = &lb_result_schema(series->res)->arrow;
  int64_t at = 0;
  int64_t columns = LB_MIN(first->n_children, given->n_children);
  while (at < columns && same_type(first->children[at], given->children[at])) at++;
  if (at == columns && first->n_children == given->n_children) return LB_OK;
  return lb_error_set(
      err, LB_INVALID_ARGUMENT,
      "row %lld of the bound values: its result has other columns than the first row's, "
      "from column %lld on; cast the parameters in the query, or execute it for each row",
      (long long)series->rows.number, (long long)at + 1);
}

static enum lb_status turn(struct lb_series *series, struct lb_error *err) {
  bool found = false;
  struct lb_ran ran;
  LB_TRY(run_next(series, true, &found, &ran, err));
  if (found) return check_schema(series, err);
  lb_series_finish(series);
  return LB_OK;
}

static enum lb_status read_next(struct lb_series *series, struct ArrowArray *out,
                                struct lb_error *err) {
  while (!series->ended) {
    if (series->res) {
      LB_TRY(lb_result_next(series->res, out, err));
      if (out->release) return LB_OK;
      drop_result(&series->res);
    }
    LB_TRY(turn(series, err));
  }
  return LB_OK;
}

enum lb_status lb_series_next(struct lb_series *series, struct ArrowArray *out,
                              struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  if (!err) err = &local;
  if (series->failure.status != LB_OK) {
    lb_error_copy(err, &series->failure);
    return series->failure.status;
  }
  struct ArrowArray array = {0};
  enum lb_status status = series->ended ? LB_OK : lb_series_check(series, err);
  if (status == LB_OK) status = read_next(series, &array, err);
  if (status != LB_OK) {
    lb_error_copy(&series->failure, err);
    lb_series_finish(series);
    return status;
  }
  *out = array;
  return LB_OK;
}

/* Ending. */

static struct lb_result *shown(struct lb_series *series) LB_REQUIRES(series->synced.mu) {
  if (series->synced.res) lb_result_retain(series->synced.res);
  return series->synced.res;
}

void lb_series_close(struct lb_series *series, enum lb_hb_reason reason) {
  lb_mutex_lock(&series->synced.mu);
  if (series->synced.closed == LB_HB_NO_REASON) series->synced.closed = reason;
  struct lb_result *res = shown(series);
  lb_mutex_unlock(&series->synced.mu);
  lb_call_slot_shut(&series->slot);
  /* The pages are the reader's own to free. */
  if (res && reason != LB_HB_RELEASED) lb_result_close(res, reason);
  lb_result_release(res);
}

bool lb_series_cancel(struct lb_series *series) {
  lb_mutex_lock(&series->synced.mu);
  bool alive = !series->synced.over && series->synced.closed == LB_HB_NO_REASON;
  if (alive) series->synced.cancelled = true;
  struct lb_result *res = shown(series);
  lb_mutex_unlock(&series->synced.mu);
  if (alive) {
    lb_call_slot_shut(&series->slot);
    if (res) lb_result_cancel(res);
  }
  lb_result_release(res);
  return alive;
}

struct lb_hb_stats *lb_series_stats(struct lb_series *series) {
  lb_mutex_lock(&series->synced.mu);
  struct lb_hb_stats *stats = series->synced.stats;
  if (stats) lb_hb_stats_retain(stats);
  lb_mutex_unlock(&series->synced.mu);
  return stats;
}

void lb_series_query_id(struct lb_series *series, char out[40]) {
  lb_mutex_lock(&series->synced.mu);
  memcpy(out, series->synced.query_id, sizeof series->synced.query_id);
  lb_mutex_unlock(&series->synced.mu);
}
