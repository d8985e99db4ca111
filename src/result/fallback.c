/* SPDX-License-Identifier: Apache-2.0 */
/* 1. Only what cannot change anything is run twice: wire/sql_scan.h tells.
 * 2. Only before the first row was handed out: the second execution may give other rows,
 *    or the same ones in another order.
 * 3. Once: the second execution asks for no files. */
#include "result/fallback.h"

#include "wire/sql_scan.h"

struct lb_rerun {
  struct lb_session *sess;
  struct lb_options *opts;
  struct lb_hb_stats *parent_stats;
  struct lb_result_options options;
  struct lb_buf sql;
  struct lb_buf shown_sql;
  bool has_shown_sql;
  struct lb_arena arena; /* texts of params */
  struct lb_param *params;
  int32_t param_count;
};

/* As for the text of the statement itself. */
#define MAX_SQL_BYTES (128u * 1024u * 1024u)
#define MAX_PARAM_BYTES ((size_t)1 << 30)

static bool only_reads(struct lb_str sql) {
  struct lb_sql_scan scan = {0};
  if (lb_sql_scan(sql, &scan, NULL) != LB_OK) return false;
  bool query = scan.is_query;
  lb_sql_scan_reset(&scan);
  return query;
}

bool lb_rerun_wanted(const struct lb_run *run, const struct lb_result *res) {
  return run->options->cloud.enabled && run->options->cloud.fallback && !run->own &&
         lb_result_has_files(res) && only_reads(run->sql);
}

static enum lb_status copy_text(struct lb_arena *arena, struct lb_str *text,
                                struct lb_error *err) {
  if (!text->data) return LB_OK;
  const char *copy = lb_arena_strdup(arena, *text);
  if (!copy) return lb_error_oom(err, "the parameters");
  text->data = copy;
  return LB_OK;
}

static enum lb_status copy_params(struct lb_rerun *rerun, const struct lb_run *run,
                                  struct lb_error *err) {
  if (run->param_count == 0) return LB_OK;
  size_t count = (size_t)run->param_count;
  rerun->params = lb_arena_array(&rerun->arena, count, sizeof *rerun->params);
  if (!rerun->params) return lb_error_oom(err, "the parameters");
  for (size_t i = 0; i < count; i++) {
    rerun->params[i] = run->params[i];
    LB_TRY(copy_text(&rerun->arena, &rerun->params[i].name, err));
    LB_TRY(copy_text(&rerun->arena, &rerun->params[i].value, err));
  }
  rerun->param_count = run->param_count;
  return LB_OK;
}

enum lb_status lb_rerun_create(const struct lb_run *run, struct lb_rerun **out,
                               struct lb_error *err) {
  struct lb_rerun *rerun = lb_alloc_zero(LB_MEM_MISC, sizeof *rerun);
  if (!rerun) return lb_error_oom(err, "what a second execution needs");
  lb_session_retain(run->sess);
  rerun->sess = run->sess;
  lb_options_retain(run->opts);
  rerun->opts = run->opts;
  if (run->parent_stats) lb_hb_stats_retain(run->parent_stats);
  rerun->parent_stats = run->parent_stats;
  rerun->options = *run->options;
  rerun->options.cloud.enabled = false;
  lb_arena_init(&rerun->arena, LB_MEM_MISC, MAX_PARAM_BYTES);
  lb_buf_init(&rerun->sql, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_init(&rerun->shown_sql, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_append_str(&rerun->sql, run->sql);
  rerun->has_shown_sql = run->shown_sql.data != NULL;
  if (rerun->has_shown_sql) lb_buf_append_str(&rerun->shown_sql, run->shown_sql);
  enum lb_status status = lb_buf_check(&rerun->sql, "the statement's text", err);
  if (status == LB_OK) {
    status = lb_buf_check(&rerun->shown_sql, "the statement's text", err);
  }
  if (status == LB_OK) status = copy_params(rerun, run, err);
  if (status != LB_OK) {
    lb_rerun_destroy(rerun);
    return status;
  }
  *out = rerun;
  return LB_OK;
}

void lb_rerun_destroy(struct lb_rerun *rerun) {
  if (!rerun) return;
  lb_arena_reset(&rerun->arena);
  lb_buf_reset(&rerun->sql);
  lb_buf_reset(&rerun->shown_sql);
  lb_hb_stats_release(rerun->parent_stats);
  lb_options_release(rerun->opts);
  lb_session_release(rerun->sess);
  lb_free(rerun);
}

enum lb_status lb_rerun_execute(const struct lb_rerun *rerun, struct lb_call_slot *slot,
                                struct lb_result **out, struct lb_error *err) {
  struct lb_run run = {
      .sess = rerun->sess,
      .opts = rerun->opts,
      .slot = slot,
      .options = &rerun->options,
      .parent_stats = rerun->parent_stats,
      .sql = {(const char *)rerun->sql.data, rerun->sql.len},
      .params = rerun->params,
      .param_count = rerun->param_count,
      .wanted = true,
  };
  if (rerun->has_shown_sql) {
    run.shown_sql =
        (struct lb_str){(const char *)rerun->shown_sql.data, rerun->shown_sql.len};
  }
  struct lb_ran ran = {0};
  LB_TRY(lb_run(&run, &ran, err));
  lb_hb_stats_release(ran.stats);
  *out = ran.res;
  return LB_OK;
}
