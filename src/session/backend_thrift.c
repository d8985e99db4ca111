/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Thrift replies, and the table of the Thrift backend at the foot. */
#include "session/thrift_backend_parts.h"
#include "session/thrift_status.h"
#include "wire/arrow_decode.h"

/* Replies that the I/O thread reads are decoded by tables that leave the rows out, so
 * that the work does not grow with the page. */
static const struct lb_tfield head_fetch_fields[] = {
    {.id = 1,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_fetch_results_resp, status),
     .sub = &lb_t_status_desc,
     .name = "status"},
};
static const struct lb_tstruct head_fetch_desc = {
    .name = "TFetchResultsResp",
    .fields = head_fetch_fields,
    .field_count = LB_ARRAY_LEN(head_fetch_fields),
    .size = sizeof(struct lb_t_fetch_results_resp)};

static const struct lb_tfield head_metadata_fields[] = {
    {.id = 1,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_get_result_set_metadata_resp, status),
     .sub = &lb_t_status_desc,
     .name = "status"},
};
static const struct lb_tstruct head_metadata_desc = {
    .name = "TGetResultSetMetadataResp",
    .fields = head_metadata_fields,
    .field_count = LB_ARRAY_LEN(head_metadata_fields),
    .size = sizeof(struct lb_t_get_result_set_metadata_resp)};

static const struct lb_tfield head_direct_fields[] = {
    {.id = 1,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_spark_direct_results, operation_status),
     .sub = &lb_t_get_operation_status_resp_desc,
     .name = "operationStatus"},
    {.id = 2,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_spark_direct_results, result_set_metadata),
     .sub = &head_metadata_desc,
     .name = "resultSetMetadata"},
    {.id = 3,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_spark_direct_results, result_set),
     .sub = &head_fetch_desc,
     .name = "resultSet"},
    {.id = 4,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_spark_direct_results, close_operation),
     .sub = &lb_t_close_operation_resp_desc,
     .name = "closeOperation"},
};
static const struct lb_tstruct head_direct_desc = {
    .name = "TSparkDirectResults",
    .fields = head_direct_fields,
    .field_count = LB_ARRAY_LEN(head_direct_fields),
    .size = sizeof(struct lb_t_spark_direct_results)};

static const struct lb_tfield head_execute_fields[] = {
    {.id = 1,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_execute_statement_resp, status),
     .sub = &lb_t_status_desc,
     .flags = LB_TF_REQUIRED,
     .name = "status"},
    {.id = 2,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_execute_statement_resp, operation_handle),
     .sub = &lb_t_operation_handle_desc,
     .name = "operationHandle"},
    {.id = 1281,
     .type = LB_TT_STRUCT,
     .offset = offsetof(struct lb_t_execute_statement_resp, direct_results),
     .sub = &head_direct_desc,
     .name = "directResults"},
};
static const struct lb_tstruct head_execute_desc = {
    .name = "TExecuteStatementResp",
    .fields = head_execute_fields,
    .field_count = LB_ARRAY_LEN(head_execute_fields),
    .size = sizeof(struct lb_t_execute_statement_resp)};

#define HEAD_ARENA_BYTES (1024u * 1024u)

static struct lb_str body_of(const struct lb_request *req) {
  return (struct lb_str){(const char *)req->reply.data, req->reply.len};
}

/* Judges HTTP and decodes the reply. */
static enum lb_status open_reply(const struct lb_request *req,
                                 const struct lb_tstruct *desc, void *resp,
                                 struct lb_arena *arena, struct lb_error *err) {
  LB_TRY(lb_thrift_judge_http(req, err));
  return lb_thrift_read_reply(body_of(req), req->what, desc, resp, arena, err);
}

static enum lb_status copy_id(const struct lb_t_handle_identifier *id, uint8_t guid[16],
                              uint8_t secret[16], const char *what,
                              struct lb_error *err) {
  if (!id || id->guid.len != 16 || id->secret.len != 16) {
    return lb_error_set(err, LB_PROTOCOL, "%s: the reply has no whole handle", what);
  }
  memcpy(guid, id->guid.data, 16);
  memcpy(secret, id->secret.data, 16);
  return LB_OK;
}

/* A granted version of Databricks is 0xA501 or more; open engines count from 0. */
static bool is_databricks(int32_t protocol) { return protocol >= LB_T_PROTOCOL_SPARK_V1; }

/* Very old engines want a number in field 1; each attempt offers an older one. */
static int32_t older_protocol(const struct lb_open_params *params,
                              const struct lb_error *why) {
  if (!strstr(why->message, "client_protocol")) return -1;
  if (params->hive_protocol < 0) return LB_T_PROTOCOL_HIVE_V10;
  if (params->hive_protocol > LB_T_PROTOCOL_HIVE_V7) return params->hive_protocol - 1;
  return -1;
}

static enum lb_status check_namespace(const struct lb_open_params *params,
                                      const struct lb_t_open_session_resp *resp,
                                      struct lb_error *err) {
  if (params->catalog.data == NULL) return LB_OK;
  bool known = is_databricks(resp->server_protocol_version.v) &&
               resp->can_use_multiple_catalogs.set && resp->can_use_multiple_catalogs.v;
  if (known) return LB_OK;
  return lb_error_set(
      err, LB_NOT_IMPLEMENTED,
      "option databricks.catalog: this server takes no catalog when a session "
      "opens; leave it out and run a USE statement");
}

static enum lb_status read_open(const struct lb_request *req,
                                const struct lb_open_params *params,
                                struct lb_server *server, int32_t *again,
                                struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_t_open_session_resp resp = {0};
  struct lb_error why = LB_ERROR_INIT;
  *again = -1;
  enum lb_status status =
      open_reply(req, &lb_t_open_session_resp_desc, &resp, &arena, &why);
  if (status == LB_PROTOCOL) *again = older_protocol(params, &why);
  if (status == LB_OK) status = lb_thrift_judge_status(resp.status, "OpenSession", &why);
  if (status == LB_OK) {
    status = copy_id(resp.session_handle ? resp.session_handle->session_id : NULL,
                     server->guid, server->secret, "OpenSession", &why);
  }
  if (status == LB_OK) {
    server->protocol = resp.server_protocol_version.v;
    server->databricks_protocol = is_databricks(server->protocol);
    server->kind = server->databricks_protocol ? LB_KIND_DATABRICKS : params->kind;
    /* The session exists from here on, so a failure must leave its handle filled in. */
    status = check_namespace(params, &resp, &why);
  }
  lb_arena_reset(&arena);
  if (status != LB_OK) lb_error_copy(err, &why);
  return status;
}

static enum lb_status read_info(const struct lb_request *req, char *out, size_t cap,
                                struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_t_get_info_resp resp = {0};
  enum lb_status status = open_reply(req, &lb_t_get_info_resp_desc, &resp, &arena, err);
  if (status == LB_OK) status = lb_thrift_judge_status(resp.status, "GetInfo", err);
  if (status == LB_OK) {
    struct lb_str text = {NULL, 0};
    if (resp.info_value) text = resp.info_value->string_value;
    lb_str_copy(out, cap, text);
  }
  lb_arena_reset(&arena);
  return status;
}

/* Whether the server has closed the operation itself. Without a handle we cannot, so that
 * nothing is to be made of a failure. */
static bool is_closed(const struct lb_t_close_operation_resp *closing, bool has_handle) {
  if (!closing) return false;
  enum lb_status status = lb_thrift_judge_status(closing->status, "CloseOperation", NULL);
  return !has_handle || status == LB_OK || status == LB_RESULT_LOST;
}

static void read_direct(const struct lb_t_spark_direct_results *direct,
                        struct lb_op_head *out) {
  if (direct->operation_status) lb_thrift_judge_operation(direct->operation_status, out);
  out->closed_by_server = is_closed(direct->close_operation, out->has_handle);
  out->has_metadata = direct->result_set_metadata != NULL;
  out->has_rows = direct->result_set != NULL;
}

/* Parts of direct results carry a status of their own; a failed part counts as absent,
 * so that its own request is made and tells the error. */
static void drop_failed_parts(const struct lb_t_spark_direct_results *direct,
                              struct lb_op_head *out) {
  if (out->has_metadata && lb_thrift_judge_status(direct->result_set_metadata->status,
                                                  "metadata", NULL) != LB_OK) {
    out->has_metadata = false;
  }
  if (out->has_rows &&
      lb_thrift_judge_status(direct->result_set->status, "rows", NULL) != LB_OK) {
    out->has_rows = false;
  }
}

static enum lb_status read_execute(const struct lb_request *req, struct lb_op_head *out,
                                   struct lb_error *err) {
  *out = (struct lb_op_head){.modified_rows = -1, .progress = -1, .state = LB_OP_LIVE};
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_t_execute_statement_resp resp = {0};
  enum lb_status status = open_reply(req, &head_execute_desc, &resp, &arena, err);
  bool statement = strcmp(req->what, "ExecuteStatement") == 0;
  if (status == LB_OK)
    status = lb_thrift_judge_status(resp.status,
                                    statement ? "statement failed" : req->what, err);
  if (status != LB_OK) goto done;
  if (resp.operation_handle) {
    status = copy_id(resp.operation_handle->operation_id, out->handle.guid,
                     out->handle.secret, req->what, err);
    if (status != LB_OK) goto done;
    out->has_handle = true;
    out->handle.type = resp.operation_handle->operation_type.v;
    out->handle.has_result_set = resp.operation_handle->has_result_set.v;
  }
  if (resp.direct_results) {
    read_direct(resp.direct_results, out);
    drop_failed_parts(resp.direct_results, out);
  }
  if (!out->has_handle && !out->closed_by_server) {
    status = lb_error_set(err, LB_PROTOCOL, "%s: the reply has no handle", req->what);
  }
done:
  lb_arena_reset(&arena);
  return status;
}

static enum lb_status read_poll(const struct lb_request *req, struct lb_op_head *out,
                                struct lb_error *err) {
  *out = (struct lb_op_head){.modified_rows = -1, .progress = -1, .state = LB_OP_UNKNOWN};
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_t_get_operation_status_resp resp = {0};
  enum lb_status status =
      open_reply(req, &lb_t_get_operation_status_resp_desc, &resp, &arena, err);
  if (status == LB_OK)
    status = lb_thrift_judge_status(resp.status, "GetOperationStatus", err);
  if (status == LB_OK) lb_thrift_judge_operation(&resp, out);
  lb_arena_reset(&arena);
  return status;
}

static enum lb_status read_metadata(const struct lb_request *req, struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_t_get_result_set_metadata_resp resp = {0};
  enum lb_status status = open_reply(req, &head_metadata_desc, &resp, &arena, err);
  if (status == LB_OK) status = lb_thrift_judge_status(resp.status, req->what, err);
  lb_arena_reset(&arena);
  return status;
}

static enum lb_status judge_fetch_head(const struct lb_t_fetch_head *head,
                                       struct lb_error *err) {
  if (!head->status_code.set) {
    return lb_error_set(err, LB_PROTOCOL, "FetchResults: the reply has no status");
  }
  struct lb_thrift_failure failure = {
      .status_code = head->status_code.v,
      .sql_state = head->sql_state,
      .display_message = head->display_message,
      .error_message = head->error_message,
  };
  return lb_thrift_judge_failure(&failure, "FetchResults", err);
}

static enum lb_status read_fetch(const struct lb_request *req, struct lb_fetch_head *out,
                                 struct lb_error *err) {
  LB_TRY(lb_thrift_judge_http(req, err));
  struct lb_t_fetch_head head = {0};
  LB_TRY(lb_thrift_read_fetch_head(body_of(req), &head, err));
  LB_TRY(judge_fetch_head(&head, err));
  out->last_page = head.has_more_rows.set && !head.has_more_rows.v;
  out->has_links = head.has_links;
  return LB_OK;
}

static enum lb_status read_end(const struct lb_request *req, struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  /* The replies of cancel, close and end have the same layout: a status and nothing
   * else. */
  struct lb_t_close_operation_resp resp = {0};
  enum lb_status status =
      open_reply(req, &lb_t_close_operation_resp_desc, &resp, &arena, err);
  if (status == LB_OK) status = lb_thrift_judge_status(resp.status, req->what, err);
  lb_arena_reset(&arena);
  return status == LB_RESULT_LOST || status == LB_SESSION_LOST ? LB_OK : status;
}

static enum lb_status read_data(struct lb_str body, const char *what,
                                struct lb_arena *arena, struct lb_reply_data *out,
                                struct lb_error *err) {
  *out = (struct lb_reply_data){0};
  const struct lb_t_fetch_results_resp *page = NULL;
  bool metadata = strcmp(what, "GetResultSetMetadata") == 0;
  if (!metadata && strcmp(what, "FetchResults") != 0) {
    /* The replies of catalog calls have the layout of an execution's. */
    struct lb_t_execute_statement_resp resp = {0};
    LB_TRY(lb_thrift_read_reply(body, what, &lb_t_execute_statement_resp_desc, &resp,
                                arena, err));
    if (!resp.direct_results) return LB_OK;
    out->metadata = resp.direct_results->result_set_metadata;
    page = resp.direct_results->result_set;
  } else if (metadata) {
    struct lb_t_get_result_set_metadata_resp *resp = lb_arena_alloc(arena, sizeof *resp);
    if (!resp) return lb_error_oom(err, "the result's metadata");
    LB_TRY(lb_thrift_read_reply(body, what, &lb_t_get_result_set_metadata_resp_desc, resp,
                                arena, err));
    LB_TRY(lb_thrift_judge_status(resp->status, what, err));
    out->metadata = resp;
    return LB_OK;
  } else {
    struct lb_t_fetch_results_resp *resp = lb_arena_alloc(arena, sizeof *resp);
    if (!resp) return lb_error_oom(err, "a page of rows");
    LB_TRY(lb_thrift_read_reply(body, what, &lb_t_fetch_results_resp_desc, resp, arena,
                                err));
    page = resp;
  }
  if (!page) return LB_OK;
  LB_TRY(lb_thrift_judge_status(page->status, what, err));
  out->row_set = page->results;
  out->has_more_told = page->has_more_rows.set;
  out->has_more = page->has_more_rows.v;
  return LB_OK;
}

static enum lb_status judge_fetch0(const struct lb_request *req,
                                   const struct lb_probe_params *params, bool *damaged,
                                   struct lb_error *err) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, HEAD_ARENA_BYTES);
  struct lb_reply_data data;
  int64_t rows = 0;
  enum lb_status status = read_data(body_of(req), "FetchResults", &arena, &data, err);
  if (status == LB_OK && data.row_set) status = lb_row_set_rows(data.row_set, &rows, err);
  if (status == LB_OK && data.row_set) {
    bool told = params->real_offsets && data.row_set->start_row_offset.set;
    int64_t at = told ? data.row_set->start_row_offset.v : params->confirmed_row;
    *damaged = rows > 0 || at < params->confirmed_row || at > params->asked_row;
    if (*damaged) {
      lb_error_set(
          err, LB_INVALID_DATA,
          "a heartbeat of 0 rows got %lld rows at row %lld where row %lld was next",
          (long long)rows, (long long)at, (long long)params->confirmed_row);
    }
  }
  lb_arena_reset(&arena);
  return status;
}

static enum lb_probe_verdict verdict_of_status(const struct lb_request *req,
                                               enum lb_status status) {
  if (status == LB_RESULT_LOST || status == LB_SESSION_LOST) return LB_PROBE_LOST;
  if (req->http_status == 401) return LB_PROBE_REFUSED;
  if (req->http_status == 429 || req->http_status == 503) return LB_PROBE_BUSY;
  return LB_PROBE_FAILED;
}

static enum lb_probe_verdict verdict_of_state(const struct lb_op_head *head) {
  if (!head->has_state) return LB_PROBE_ALIVE_NO_STATE;
  if (head->state == LB_OP_LIVE || head->state == LB_OP_FINISHED) return LB_PROBE_ALIVE;
  /* The server's text decides before the state does. */
  return lb_thrift_lost_text(lb_str_from(head->failure.message)) == LB_OK ? LB_PROBE_ENDED
                                                                          : LB_PROBE_LOST;
}

static void read_probe(const struct lb_request *req, const struct lb_probe_params *params,
                       struct lb_probe_answer *out) {
  *out = (struct lb_probe_answer){.verdict = LB_PROBE_FAILED};
  if (req->status != LB_OK) {
    lb_error_copy(&out->err, &req->err);
    return;
  }
  enum lb_status status;
  struct lb_op_head head = {0};
  bool damaged = false;
  switch (params->probe) {
    case LB_PROBE_STATUS:
      status = read_poll(req, &head, &out->err);
      break;
    case LB_PROBE_METADATA:
      status = read_metadata(req, &out->err);
      break;
    default:
      status = lb_thrift_judge_http(req, &out->err);
      if (status == LB_OK) status = judge_fetch0(req, params, &damaged, &out->err);
      break;
  }
  if (status != LB_OK) {
    out->verdict = verdict_of_status(req, status);
  } else if (damaged) {
    out->verdict = LB_PROBE_ROWS_GONE;
  } else if (params->probe == LB_PROBE_STATUS) {
    out->verdict = verdict_of_state(&head);
    lb_error_copy(&out->err, &head.failure);
  } else {
    out->verdict = LB_PROBE_ALIVE;
  }
}

const struct lb_backend lb_backend_thrift = {
    .name = "thrift",
    .build_open = lb_thrift_build_open,
    .read_open = read_open,
    .build_info = lb_thrift_build_info,
    .read_info = read_info,
    .build_execute = lb_thrift_build_execute,
    .build_catalog = lb_thrift_build_catalog,
    .read_execute = read_execute,
    .build_again = lb_thrift_build_again,
    .build_poll = lb_thrift_build_poll,
    .read_poll = read_poll,
    .build_metadata = lb_thrift_build_metadata,
    .read_metadata = read_metadata,
    .build_fetch = lb_thrift_build_fetch,
    .read_fetch = read_fetch,
    .build_probe = lb_thrift_build_probe,
    .read_probe = read_probe,
    .build_cancel = lb_thrift_build_cancel,
    .build_close = lb_thrift_build_close,
    .build_end = lb_thrift_build_end,
    .read_end = read_end,
    .read_data = read_data,
};
