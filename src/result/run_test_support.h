/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of executions: a session whose server answers each call with the next reply
 * that the test has said, so that what was asked for can be looked at. Header-only. */
#ifndef LB_RESULT_RUN_TEST_SUPPORT_H
#define LB_RESULT_RUN_TEST_SUPPORT_H

#include "result/bind_test_support.h"
#include "result/cloud_test_support.h"
#include "session/options.h"

#define RUN_REPLIES_MAX 16

struct run_rig {
  struct cloud_rig c;
  struct lb_options *opts;
  struct bytes replies[RUN_REPLIES_MAX];
  struct http_step steps[RUN_REPLIES_MAX];
  int count;
};

static inline void run_set(struct run_rig *r, const char *key, const char *value) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_options_set(r->opts, lb_str_from(key), value, &err), &err);
}

static inline void run_rig_init(struct run_rig *r) {
  struct lb_error err = LB_ERROR_INIT;
  memset(r, 0, sizeof *r);
  cloud_rig_init(&r->c, false);
  LB_TEST_OK(lb_options_create(NULL, LB_SCOPE_STATEMENT, &r->opts, &err), &err);
  r->c.sess->server.protocol = LB_T_PROTOCOL_SPARK_V8; /* it takes parameters */
  run_set(r, "databricks.heartbeat.enabled", "false");
}

static inline void run_rig_reset(struct run_rig *r) {
  lb_options_release(r->opts);
  cloud_rig_reset(&r->c);
  for (int i = 0; i < r->count; i++) bytes_free(&r->replies[i]);
}

/* Replies, in the order of the calls. */

static inline void run_says(struct run_rig *r,
                            const struct lb_t_execute_statement_resp *resp) {
  assert_true(r->count < RUN_REPLIES_MAX);
  r->steps[r->count] = cloud_reply(&r->replies[r->count], "ExecuteStatement",
                                   &lb_t_execute_statement_resp_desc, resp);
  r->count++;
  http_server_script(r->c.io.server, r->steps, (size_t)r->count);
}

/* The statement has finished, and the server has closed its operation. meta NULL: it has
 * no result. rows: those that it changed, -1 not told. */
static inline void run_says_done(struct run_rig *r, int64_t rows,
                                 struct lb_t_get_result_set_metadata_resp *meta,
                                 struct lb_t_fetch_results_resp *page) {
  struct lb_t_status ok = {.status_code = LB_T_I32(LB_T_STATUS_SUCCESS)};
  char secret[16] = {2}, guid[16] = {1};
  struct lb_t_handle_identifier id = {.guid = {guid, 16}, .secret = {secret, 16}};
  struct lb_t_operation_handle handle = {.operation_id = &id,
                                         .operation_type = LB_T_I32(0),
                                         .has_result_set = LB_T_BOOL(meta != NULL)};
  struct lb_t_get_operation_status_resp state = {
      .status = &ok, .operation_state = LB_T_I32(LB_T_STATE_FINISHED)};
  if (rows >= 0) state.num_modified_rows = LB_T_I64(rows);
  struct lb_t_close_operation_resp closed = {.status = &ok};
  struct lb_t_spark_direct_results direct = {.operation_status = &state,
                                             .result_set_metadata = meta,
                                             .result_set = page,
                                             .close_operation = &closed};
  const struct lb_t_execute_statement_resp resp = {
      .status = &ok, .operation_handle = &handle, .direct_results = &direct};
  if (meta) meta->status = &ok;
  if (page) page->status = &ok;
  run_says(r, &resp);
}

static inline void run_says_changed(struct run_rig *r, int64_t rows) {
  run_says_done(r, rows, NULL, NULL);
}

static inline void run_says_error(struct run_rig *r, const char *sqlstate,
                                  const char *message) {
  struct lb_t_status failed = {.status_code = LB_T_I32(LB_T_STATUS_ERROR),
                               .sql_state = lb_str_from(sqlstate),
                               .error_message = lb_str_from(message)};
  const struct lb_t_execute_statement_resp resp = {.status = &failed};
  run_says(r, &resp);
}

/* Rows first..first + rows - 1 of the columns of schema (NULL: those of the rig). */
static inline void run_says_rows(struct run_rig *r, const struct field *fields, int count,
                                 int64_t first, int64_t rows) {
  struct ArrowSchema arrow;
  struct bytes schema = {NULL, 0}, batch = {NULL, 0};
  make_schema(&arrow, fields, count);
  encode_schema(&schema, &arrow);
  add_rows_message(&batch, &arrow, fields, count, first, rows);
  struct lb_t_spark_arrow_batch item = {.batch = bytes_str(&batch),
                                        .row_count = LB_T_I64(rows)};
  struct lb_t_get_result_set_metadata_resp meta = {
      .result_format = LB_T_I32(LB_T_ROW_SET_ARROW), .arrow_schema = bytes_str(&schema)};
  struct lb_t_row_set row_set = {
      .start_row_offset = LB_T_I64(0),
      .rows = {.set = true},
      .arrow_batches = {.set = true, .count = 1, .items = &item}};
  struct lb_t_fetch_results_resp page = {.has_more_rows = LB_T_BOOL(false),
                                         .results = &row_set};
  run_says_done(r, -1, &meta, &page);
  bytes_free(&schema);
  bytes_free(&batch);
  ArrowSchemaRelease(&arrow);
}

/* What was asked for. */

static inline int run_calls(struct run_rig *r) {
  return http_server_requests(r->c.io.server);
}

static inline bool run_asked(struct run_rig *r, int nth, const char *text) {
  size_t len;
  const char *body = http_server_body(r->c.io.server, nth, &len);
  return lb_str_find((struct lb_str){body, len}, lb_str_from(text)) != SIZE_MAX;
}

#endif
