/* SPDX-License-Identifier: Apache-2.0 */
#include "result/metadata.h"

#include "result/result_internal.h"
#include "session/session_internal.h"

/* Results that one caller has open at the same time. */
#define OPEN_MAX 2

struct lb_meta {
  atomic_uint refs;
  struct lb_session *sess;
  struct lb_options *opts;
  struct lb_hb_stats *parent_stats;
  struct lb_call_slot slot;
  atomic_bool finished; /* asked under the mutex of whoever keeps it */
  struct {
    struct lb_mutex mu;
    struct lb_result *open[OPEN_MAX] LB_GUARDED_BY(mu); /* retained */
    bool cancelled LB_GUARDED_BY(mu);
  } synced;
};

enum lb_status lb_meta_create(struct lb_session *sess, struct lb_options *opts,
                              struct lb_hb_stats *parent_stats, struct lb_meta **out,
                              struct lb_error *err) {
  struct lb_meta *meta = lb_alloc_zero(LB_MEM_MISC, sizeof *meta);
  if (!meta) return lb_error_oom(err, "a question about the catalog");
  atomic_init(&meta->refs, 1);
  enum lb_status status = lb_call_slot_init(&meta->slot, err);
  if (status != LB_OK) {
    lb_free(meta);
    return status;
  }
  status = lb_mutex_init(&meta->synced.mu, err);
  if (status != LB_OK) {
    lb_call_slot_destroy(&meta->slot);
    lb_free(meta);
    return status;
  }
  lb_session_retain(sess);
  meta->sess = sess;
  lb_options_retain(opts);
  meta->opts = opts;
  if (parent_stats) lb_hb_stats_retain(parent_stats);
  meta->parent_stats = parent_stats;
  *out = meta;
  return LB_OK;
}

void lb_meta_retain(struct lb_meta *meta) {
  atomic_fetch_add_explicit(&meta->refs, 1, memory_order_relaxed);
}

void lb_meta_release(struct lb_meta *meta) {
  if (!meta) return;
  if (atomic_fetch_sub_explicit(&meta->refs, 1, memory_order_acq_rel) != 1) return;
  lb_call_slot_destroy(&meta->slot);
  lb_mutex_destroy(&meta->synced.mu);
  lb_hb_stats_release(meta->parent_stats);
  lb_options_release(meta->opts);
  lb_session_release(meta->sess);
  lb_free(meta);
}

struct lb_session *lb_meta_session(const struct lb_meta *meta) { return meta->sess; }

/* From here on a cancel finds the result. False: it came before. */
static bool show(struct lb_meta *meta, struct lb_result *res) {
  bool shown = false;
  lb_mutex_lock(&meta->synced.mu);
  for (int i = 0; i < OPEN_MAX && !shown && !meta->synced.cancelled; i++) {
    if (meta->synced.open[i]) continue;
    lb_result_retain(res);
    meta->synced.open[i] = res;
    shown = true;
  }
  lb_mutex_unlock(&meta->synced.mu);
  return shown;
}

void lb_meta_end(struct lb_meta *meta, struct lb_result *res) {
  if (!res) return;
  bool shown = false;
  lb_mutex_lock(&meta->synced.mu);
  for (int i = 0; i < OPEN_MAX; i++) {
    if (meta->synced.open[i] != res) continue;
    meta->synced.open[i] = NULL;
    shown = true;
  }
  lb_mutex_unlock(&meta->synced.mu);
  lb_result_close(res, LB_HB_RELEASED);
  if (shown) lb_result_release(res);
  lb_result_release(res);
}

static enum lb_status answer(struct lb_meta *meta, struct lb_execute_call *call,
                             const struct lb_result_options *options,
                             struct lb_result **out, struct lb_error *err) {
  struct lb_hb_stats *stats = NULL;
  struct lb_result *res = NULL;
  enum lb_status status = lb_hb_stats_create(meta->parent_stats, &stats, err);
  int64_t timeout_s = lb_options_int(meta->opts, LB_OPT_QUERY_TIMEOUT);
  if (status == LB_OK) status = lb_result_run(call, timeout_s, &meta->slot, err);
  if (status == LB_OK)
    status = lb_result_create(call, options, stats, &meta->slot, &res, err);
  lb_call_release(&call->base);
  lb_hb_stats_release(stats);
  if (status != LB_OK) return status;
  if (!show(meta, res)) {
    lb_meta_end(meta, res);
    return lb_error_set(err, LB_CANCELLED,
                        "the question about the catalog was cancelled");
  }
  *out = res;
  return LB_OK;
}

enum lb_status lb_meta_call(struct lb_meta *meta, const struct lb_catalog_params *params,
                            struct lb_result **out, struct lb_error *err) {
  struct lb_result_options options = {0};
  LB_TRY(lb_result_options_read(meta->sess, meta->opts, LB_OP_METADATA, &options, err));
  struct lb_catalog_params filled = *params;
  filled.max_rows = options.max_rows;
  filled.max_bytes = LB_MIN(options.max_bytes, LB_FIRST_PAGE_BYTES);
  struct lb_execute_call *call;
  LB_TRY(lb_execute_create_catalog(meta->sess, &filled, &call, err));
  return answer(meta, call, &options, out, err);
}

enum lb_status lb_meta_query(struct lb_meta *meta, struct lb_str sql,
                             struct lb_result **out, struct lb_error *err) {
  struct lb_result_options options = {0};
  LB_TRY(lb_result_options_read(meta->sess, meta->opts, LB_OP_STATEMENT, &options, err));
  struct lb_execute_params params = {
      .sql = sql,
      .own = true,
      .query_timeout_s = lb_options_int(meta->opts, LB_OPT_QUERY_TIMEOUT),
      .arrow = !lb_options_word_is(meta->opts, LB_OPT_ARROW, "off"),
      .max_rows = options.max_rows,
      .max_bytes = LB_MIN(options.max_bytes, LB_FIRST_PAGE_BYTES),
  };
  struct lb_execute_call *call;
  LB_TRY(lb_execute_create(meta->sess, &params, &call, err));
  return answer(meta, call, &options, out, err);
}

void lb_meta_finish(struct lb_meta *meta) { atomic_store(&meta->finished, true); }

bool lb_meta_finished(struct lb_meta *meta) { return atomic_load(&meta->finished); }

bool lb_meta_cancel(struct lb_meta *meta) {
  struct lb_result *open[OPEN_MAX] = {NULL};
  lb_mutex_lock(&meta->synced.mu);
  bool finished = atomic_load(&meta->finished);
  if (!finished) meta->synced.cancelled = true;
  for (int i = 0; i < OPEN_MAX && !finished; i++) {
    open[i] = meta->synced.open[i];
    if (open[i]) lb_result_retain(open[i]);
  }
  lb_mutex_unlock(&meta->synced.mu);
  if (finished) return false;
  lb_call_slot_shut(&meta->slot);
  for (int i = 0; i < OPEN_MAX; i++) {
    if (!open[i]) continue;
    lb_result_cancel(open[i]);
    lb_result_release(open[i]);
  }
  return true;
}
