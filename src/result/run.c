/* SPDX-License-Identifier: Apache-2.0 */
#include "result/run.h"

#include "result/fallback.h"
#include "result/verdict.h"
#include "result/volume.h"

static enum lb_status create_call(const struct lb_run *run, struct lb_execute_call **out,
                                  struct lb_error *err) {
  char *tags = NULL;
  enum lb_server_kind kind = lb_session_kind(run->sess);
  LB_TRY(lb_options_text(run->opts, LB_OPT_QUERY_TAGS, &tags, err));
  if (tags && tags[0] && !lb_server_facts(kind)->query_tags) {
    lb_free(tags);
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "option databricks.query_tags: servers of kind %s take no tags; "
                        "leave it out",
                        lb_server_kind_name(kind));
  }
  struct lb_execute_params params = {
      .sql = run->sql,
      .query_timeout_s = run->options->limit_s,
      .query_tags = {tags, tags ? strlen(tags) : 0},
      .arrow = !lb_options_word_is(run->opts, LB_OPT_ARROW, "off"),
      .links = run->options->cloud.enabled,
      .max_rows = run->options->max_rows,
      .max_bytes = LB_MIN(run->options->max_bytes, LB_FIRST_PAGE_BYTES),
      .params = run->params,
      .param_count = run->param_count,
      .own = run->own,
  };
  enum lb_status status = lb_execute_create(run->sess, &params, out, err);
  lb_free(tags);
  return status;
}

/* As parameters, or as literals in the text. */
static bool has_values(const struct lb_run *run) {
  struct lb_str shown = run->shown_sql;
  return run->param_count > 0 ||
         (shown.data && (shown.data != run->sql.data || shown.len != run->sql.len));
}

/* Bound values may be secrets, and a server's words are for logs. */
static void hide_values(const struct lb_run *run, struct lb_error *err) {
  if (!has_values(run)) return;
  lb_verdict_hide_echo(err);
  if (run->shown_sql.data) lb_verdict_hide_texts(run->sql, run->shown_sql, err);
  for (int32_t i = 0; i < run->param_count; i++) {
    lb_verdict_hide_value(run->params[i].value, err);
  }
}

static enum lb_status call_server(const struct lb_run *run, struct lb_execute_call **out,
                                  struct lb_error *err) {
  struct lb_execute_call *call;
  LB_TRY(create_call(run, &call, err));
  if (run->running) run->running(run->ctx, call, 0);
  enum lb_status status = lb_result_run(call, run->options->limit_s, run->slot, err);
  if (run->running) {
    double progress = atomic_load(&call->progress_ppm) / 1e6;
    run->running(run->ctx, NULL, status == LB_OK ? 1 : progress);
  }
  if (status != LB_OK) {
    hide_values(run, err);
    lb_verdict_name_statement(run->shown_sql.data ? run->shown_sql : run->sql, err);
    lb_call_release(&call->base);
    return status;
  }
  *out = call;
  return LB_OK;
}

static enum lb_status on_volume_row(const void *ctx, const struct ArrowSchema *schema,
                                    const struct ArrowArray *array,
                                    struct lb_error *err) {
  const struct lb_run *run = ctx;
  struct lb_volume_row row;
  char *allowed = NULL;
  struct lb_volume_params params = {
      .sql = run->sql, .slot = run->slot, .limit_s = run->options->limit_s};
  LB_TRY(lb_options_text(run->opts, LB_OPT_VOLUME_PATHS, &allowed, err));
  params.allowed = allowed;
  enum lb_status status = lb_volume_read_row(schema, array, &row, err);
  if (status == LB_OK) status = lb_volume_carry_out(run->sess, &params, &row, err);
  lb_buf_reset(&row.headers);
  lb_free(allowed);
  return status;
}

/* A statement on a volume has run when the transfer has. */
static enum lb_status carry_out(const struct lb_run *run, struct lb_result **res,
                                struct lb_error *err) {
  if (!lb_result_is_staging(*res)) return LB_OK;
  enum lb_status status = lb_result_take_row(*res, run->slot, on_volume_row, run, err);
  if (status == LB_OK) return LB_OK;
  lb_error_set_query_id(err, lb_result_query_id(*res));
  lb_result_close(*res, LB_HB_RELEASED);
  lb_result_release(*res);
  *res = NULL;
  return status;
}

static enum lb_status keep_rerun(const struct lb_run *run, struct lb_result **res,
                                 struct lb_error *err) {
  if (!lb_rerun_wanted(run, *res)) return LB_OK;
  struct lb_rerun *rerun;
  enum lb_status status = lb_rerun_create(run, &rerun, err);
  if (status == LB_OK) {
    lb_result_keep_rerun(*res, rerun);
    return LB_OK;
  }
  lb_error_set_query_id(err, lb_result_query_id(*res));
  lb_result_close(*res, LB_HB_RELEASED);
  lb_result_release(*res);
  *res = NULL;
  return status;
}

enum lb_status lb_run(const struct lb_run *asked, struct lb_ran *out,
                      struct lb_error *err) {
  struct lb_error local = LB_ERROR_INIT;
  if (!err) err = &local;
  struct lb_ran made = {.rows_affected = -1};
  struct lb_result_options options = *asked->options;
  struct lb_run changed = *asked;
  const struct lb_run *run = &changed;
  changed.options = &options;
  /* A result that nobody wants needs no heartbeat: it is closed at once. */
  if (!run->wanted) options.heartbeat.enabled = options.prefetch = false;
  /* What the driver reads itself is small. */
  if (!run->wanted || run->own) options.cloud.enabled = false;
  if (run->own) options.batch_target_rows = 0;
  options.hides_echo = has_values(run);
  LB_TRY(lb_hb_stats_create(run->parent_stats, &made.stats, err));
  struct lb_execute_call *call = NULL;
  enum lb_status status = call_server(run, &call, err);
  if (status == LB_OK) {
    made.rows_affected = call->head.modified_rows;
    status = lb_result_create(call, &options, made.stats, run->slot, &made.res, err);
    lb_call_release(&call->base);
    if (status == LB_OK) status = carry_out(run, &made.res, err);
    if (status == LB_OK) status = keep_rerun(run, &made.res, err);
  }
  const char *query_id = status == LB_OK ? lb_result_query_id(made.res) : err->query_id;
  lb_str_copy(made.query_id, sizeof made.query_id, lb_str_from(query_id));
  if (status != LB_OK) {
    hide_values(run, err);
    lb_hb_stats_release(made.stats);
    made.stats = NULL;
  } else if (!run->wanted) {
    lb_result_close(made.res, LB_HB_RELEASED);
    lb_result_release(made.res);
    made.res = NULL;
  }
  *out = made;
  return status;
}
