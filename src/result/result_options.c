/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "result/result_internal.h"
#include "session/session_internal.h"

static bool switched_off(void) {
  const char *word = lb_os_getenv("LAKEBEAT_HEARTBEAT");
  bool on = true;
  return word && lb_str_to_bool(lb_str_from(word), &on) && !on;
}

static enum lb_status probe_option(struct lb_options *opts, enum lb_probe_kind *out,
                                   struct lb_error *err) {
  char *word = NULL;
  LB_TRY(lb_options_text(opts, LB_OPT_HB_PROBE, &word, err));
  *out = LB_PROBE_AUTO;
  if (word) lb_probe_kind_parse(lb_str_from(word), out);
  lb_free(word);
  return LB_OK;
}

/* A page of links costs a request and holds no rows, so it is larger than one of rows
 * unless somebody has set its size. */
#define LINK_PAGE_ROWS 8000000
#define LINK_PAGE_BYTES (128 * 1024 * 1024)

static void read_cloud(struct lb_session *sess, struct lb_options *opts,
                       enum lb_op_origin origin, struct lb_result_options *out) {
  bool rows_set = lb_options_is_set(opts, LB_OPT_MAX_ROWS_PER_FETCH);
  bool bytes_set = lb_options_is_set(opts, LB_OPT_MAX_BYTES_PER_FETCH);
  out->cloud = (struct lb_cloud_options){
      .enabled = origin == LB_OP_STATEMENT &&
                 lb_options_bool(opts, LB_OPT_CLOUD_ENABLED) &&
                 lb_server_gives_links(lb_session_kind(sess), lb_session_protocol(sess)),
      .prefetch = out->prefetch,
      .fallback = lb_options_word_is(opts, LB_OPT_CLOUD_FALLBACK, "auto"),
      .parallel = (int32_t)lb_options_int(opts, LB_OPT_CLOUD_PARALLEL),
      .max_rows = rows_set ? out->max_rows : LINK_PAGE_ROWS,
      .max_bytes = bytes_set ? out->max_bytes : LINK_PAGE_BYTES,
  };
}

/* Checks even when the heartbeat is off, so that a wrong option never waits for the
 * day on which it is switched on. */
enum lb_status lb_result_options_read(struct lb_session *sess, struct lb_options *opts,
                                      enum lb_op_origin origin,
                                      struct lb_result_options *out,
                                      struct lb_error *err) {
  struct lb_hb_options *hb = &out->heartbeat;
  enum lb_server_kind kind = lb_session_kind(sess);
  hb->enabled = lb_options_bool(opts, LB_OPT_HB_ENABLED) && !switched_off();
  hb->interval_ms = lb_options_int(opts, LB_OPT_HB_INTERVAL) * 1000;
  hb->request_timeout_ms = lb_options_int(opts, LB_OPT_HB_REQUEST_TIMEOUT) * 1000;
  hb->max_failures = (int32_t)lb_options_int(opts, LB_OPT_HB_MAX_FAILURES);
  hb->max_failures_explicit = lb_options_is_set(opts, LB_OPT_HB_MAX_FAILURES);
  hb->max_idle_ms = lb_options_int(opts, LB_OPT_HB_MAX_IDLE) * 1000;
  hb->max_lifetime_ms = lb_options_int(opts, LB_OPT_HB_MAX_LIFETIME) * 1000;
  LB_TRY(probe_option(opts, &hb->probe, err));
  LB_TRY(lb_server_choose_probe(kind, origin, hb->probe, &out->probe, err));
  bool warn = false;
  LB_TRY(lb_server_check_interval(kind, hb->interval_ms, &warn, err));
  if (warn) {
    lb_log(
        lb_io_log(sess->io), LB_LOG_WARN, "hb",
        "option databricks.heartbeat.interval_seconds = %lld is more than a third of the "
        "time after which the server forgets a result",
        (long long)(hb->interval_ms / 1000));
  }
  out->max_rows = lb_options_int(opts, LB_OPT_MAX_ROWS_PER_FETCH);
  out->max_bytes = lb_options_int(opts, LB_OPT_MAX_BYTES_PER_FETCH);
  out->limit_s = lb_options_int(opts, LB_OPT_QUERY_TIMEOUT);
  out->batch_target_rows = lb_options_int(opts, LB_OPT_BATCH_TARGET_ROWS);
  out->prefetch = lb_options_int(opts, LB_OPT_PREFETCH_PAGES) > 0;
  read_cloud(sess, opts, origin, out);
  return LB_OK;
}

enum lb_status lb_result_run(struct lb_execute_call *call, int64_t timeout_s,
                             struct lb_call_slot *slot, struct lb_error *err) {
  struct lb_io *io = call->base.io;
  int64_t deadline_ms = LB_NEVER_MS;
  if (timeout_s > 0) {
    deadline_ms = lb_ms_add(lb_io_now_ms(io), timeout_s * 1000 + LB_TIMEOUT_GRACE_MS);
  }
  enum lb_status status = lb_call_run(slot, &call->base, deadline_ms, err);
  /* A call that was given up goes on and may not be looked at. */
  bool gave_up = lb_io_now_ms(io) >= deadline_ms;
  if (status == LB_TIMEOUT && (gave_up || call->head.state == LB_OP_TIMED_OUT)) {
    lb_error_append(err, " (option databricks.query_timeout_seconds = %lld)",
                    (long long)timeout_s);
  }
  return status;
}
