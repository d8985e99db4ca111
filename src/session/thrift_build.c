/* SPDX-License-Identifier: Apache-2.0 */
#include "session/thrift_backend_parts.h"

/* Nobody waits for a cancel or close, so it need not wait long for a server either. */
#define END_TIMEOUT_MS 30000

/* The highest Databricks version this code knows: parameters came with V8. */
#define CLIENT_PROTOCOL LB_T_PROTOCOL_SPARK_V8

struct wire_operation {
  struct lb_t_handle_identifier id;
  struct lb_t_operation_handle handle;
};

struct lb_t_session_handle *lb_thrift_session_handle(struct lb_thrift_session *wire,
                                                     const struct lb_server *server) {
  wire->id.guid = (struct lb_str){(const char *)server->guid, sizeof server->guid};
  wire->id.secret = (struct lb_str){(const char *)server->secret, sizeof server->secret};
  wire->handle.session_id = &wire->id;
  return &wire->handle;
}

static struct lb_t_operation_handle *operation_handle(struct wire_operation *wire,
                                                      const struct lb_op_handle *handle) {
  *wire = (struct wire_operation){0};
  wire->id.guid = (struct lb_str){(const char *)handle->guid, sizeof handle->guid};
  wire->id.secret = (struct lb_str){(const char *)handle->secret, sizeof handle->secret};
  wire->handle.operation_id = &wire->id;
  wire->handle.operation_type = LB_T_I32(handle->type);
  wire->handle.has_result_set = LB_T_BOOL(handle->has_result_set);
  return &wire->handle;
}

enum lb_status lb_thrift_write_request(struct lb_request *req, const char *method,
                                       const struct lb_tstruct *desc, const void *msg,
                                       struct lb_error *err) {
  req->what = method;
  lb_buf_reset(&req->body);
  lb_buf_init(&req->body, LB_MEM_IO, LB_THRIFT_MAX_REQUEST_BYTES);
  LB_TRY(lb_thrift_write_call(&req->body, method, 1, desc, msg, err));
  return lb_buf_check(&req->body, method, err);
}

void lb_thrift_as_control(struct lb_request *req, enum lb_repeat repeat) {
  req->req_class = LB_REQ_CONTROL;
  req->repeat = repeat;
  req->max_reply_bytes = LB_THRIFT_MAX_CONTROL_REPLY_BYTES;
}

static void as_end(struct lb_request *req) {
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  req->req_class = LB_REQ_END;
  req->holds_exit = true;
  req->timeout_ms = END_TIMEOUT_MS;
}

/* HiveServer2 engines take settings under these prefixes only. */
static bool has_hive_prefix(struct lb_str name) {
  return lb_str_starts_with(name, LB_STR("set:")) ||
         lb_str_starts_with(name, LB_STR("use:"));
}

struct conf_map {
  struct lb_t_map map;
  struct lb_arena arena;
};

static bool add_conf(struct lb_t_map *map, struct lb_str name, struct lb_str value) {
  map->keys[map->count] = name;
  ((struct lb_str *)map->values)[map->count] = value;
  map->count++;
  return name.data != NULL;
}

static bool fill_confs(const struct lb_open_params *params, bool hive,
                       struct conf_map *out) {
  size_t room = (size_t)params->conf_count + 2;
  struct lb_t_map *map = &out->map;
  map->set = true;
  map->keys = lb_arena_array(&out->arena, room, sizeof(struct lb_str));
  map->values = lb_arena_array(&out->arena, room, sizeof(struct lb_str));
  if (!map->keys || !map->values) return false;
  bool ok = true;
  if (!hive) {
    ok = add_conf(map, LB_STR("spark.thriftserver.arrowBasedRowSet.timestampAsString"),
                  LB_STR("false"));
  } else if (params->schema.data) {
    ok = add_conf(map, LB_STR("use:database"), params->schema);
  }
  for (int32_t i = 0; ok && i < params->conf_count; i++) {
    struct lb_str name = params->confs[i].name;
    if (hive && !has_hive_prefix(name)) {
      struct lb_buf text;
      lb_buf_init(&text, LB_MEM_WIRE, 4096);
      lb_buf_append_text(&text, "set:hiveconf:");
      lb_buf_append_str(&text, name);
      size_t len = text.len;
      const char *full =
          text.status == LB_OK
              ? lb_arena_strdup(&out->arena,
                                (struct lb_str){(const char *)text.data, len})
              : NULL;
      lb_buf_reset(&text);
      name = (struct lb_str){full, len};
    }
    ok = add_conf(map, name, params->confs[i].value);
  }
  return ok;
}

enum lb_status lb_thrift_build_open(const struct lb_open_params *params,
                                    struct lb_request *req, struct lb_error *err) {
  bool hive = params->kind != LB_KIND_AUTO && params->kind != LB_KIND_DATABRICKS;
  struct conf_map confs = {0};
  lb_arena_init(&confs.arena, LB_MEM_WIRE, 4u * 1024u * 1024u);
  struct lb_t_namespace names = {params->catalog, params->schema};
  struct lb_t_open_session_req msg = {0};
  enum lb_status status = LB_OK;
  if (!fill_confs(params, hive, &confs)) {
    status = lb_error_oom(err, "the session settings");
    goto done;
  }
  msg.configuration = confs.map;
  if (params->hive_protocol >= 0) msg.client_protocol = LB_T_I32(params->hive_protocol);
  if (!hive) {
    /* Field 1 stays out: an open engine fails on a number outside its enumeration, and
     * any engine takes its absence. */
    msg.client_protocol_i64 = LB_T_I64(CLIENT_PROTOCOL);
    msg.can_use_multiple_catalogs = LB_T_BOOL(true);
    if (params->catalog.data || params->schema.data) msg.initial_namespace = &names;
  }
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  status =
      lb_thrift_write_request(req, "OpenSession", &lb_t_open_session_req_desc, &msg, err);
done:
  lb_arena_reset(&confs.arena);
  return status;
}

enum lb_status lb_thrift_build_info(const struct lb_server *server, int32_t info,
                                    struct lb_request *req, struct lb_error *err) {
  struct lb_thrift_session wire = {0};
  struct lb_t_get_info_req msg = {
      .session_handle = lb_thrift_session_handle(&wire, server),
      .info_type = LB_T_I32(info),
  };
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  return lb_thrift_write_request(req, "GetInfo", &lb_t_get_info_req_desc, &msg, err);
}

/* Types of parameters; the values themselves stay where they are. */
#define MAX_PARAMS_BYTES (16u * 1024u * 1024u)

struct wire_params {
  struct lb_arena arena;
  struct lb_t_list list;
};

/* The list is in the order of the markers and counts them too: servers go by either. The
 * type of a null travels, its value does not. */
static enum lb_status fill_params(const struct lb_execute_params *params,
                                  struct wire_params *out, struct lb_error *err) {
  if (params->param_count == 0) return LB_OK;
  size_t count = (size_t)params->param_count;
  struct lb_t_spark_parameter *list =
      lb_arena_array(&out->arena, count, sizeof(struct lb_t_spark_parameter));
  struct lb_t_spark_parameter_value *values =
      lb_arena_array(&out->arena, count, sizeof(struct lb_t_spark_parameter_value));
  if (!list || !values) return lb_error_oom(err, "the parameters");
  for (size_t i = 0; i < count; i++) {
    const struct lb_param *param = &params->params[i];
    char *type = lb_arena_alloc(&out->arena, LB_PARAM_TYPE_BYTES);
    if (!type) return lb_error_oom(err, "the parameters");
    lb_param_type_text(param->type, LB_DIALECT_SPARK, type);
    list[i].type = lb_str_from(type);
    if (param->name.data) {
      list[i].name = param->name;
    } else {
      list[i].ordinal = LB_T_I32((int32_t)i + 1);
    }
    if (param->null) continue;
    values[i].string_value = param->value;
    list[i].value = &values[i];
  }
  out->list = (struct lb_t_list){.set = true, .count = params->param_count};
  out->list.items = list;
  return LB_OK;
}

enum lb_status lb_thrift_build_execute(const struct lb_server *server,
                                       const struct lb_execute_params *params,
                                       struct lb_request *req, struct lb_error *err) {
  struct lb_thrift_session wire = {0};
  struct lb_t_spark_get_direct_results direct = {LB_T_I64(params->max_rows),
                                                 LB_T_I64(params->max_bytes)};
  struct lb_t_spark_arrow_types types = {
      .timestamp_as_arrow = LB_T_BOOL(true),
      .decimal_as_arrow = LB_T_BOOL(true),
      .complex_types_as_arrow = LB_T_BOOL(true),
      .interval_types_as_arrow = LB_T_BOOL(true),
      .null_type_as_arrow = LB_T_BOOL(true),
  };
  struct lb_t_execute_statement_req msg = {
      .session_handle = lb_thrift_session_handle(&wire, server),
      .statement = params->sql,
      .run_async = LB_T_BOOL(true),
  };
  struct lb_str tags_name = LB_STR("query_tags"), tags = params->query_tags;
  if (tags.len > 0) {
    msg.conf_overlay =
        (struct lb_t_map){.set = true, .count = 1, .keys = &tags_name, .values = &tags};
  }
  if (params->query_timeout_s > 0) msg.query_timeout = LB_T_I64(params->query_timeout_s);
  if (server->databricks_protocol) {
    msg.get_direct_results = &direct;
    msg.can_read_arrow_result = LB_T_BOOL(params->arrow);
    if (params->arrow && params->links) msg.can_download_result = LB_T_BOOL(true);
    if (params->arrow && server->protocol >= LB_T_PROTOCOL_SPARK_V6) {
      msg.can_decompress_lz4_result = LB_T_BOOL(true);
    }
    if (params->arrow && server->protocol >= LB_T_PROTOCOL_SPARK_V5) {
      msg.use_arrow_native_types = &types;
    }
  }
  lb_thrift_as_control(req, LB_REPEAT_IF_NOT_RECEIVED);
  req->max_reply_bytes = LB_THRIFT_MAX_DATA_REPLY_BYTES;
  struct wire_params wire_params = {0};
  lb_arena_init(&wire_params.arena, LB_MEM_WIRE, MAX_PARAMS_BYTES);
  enum lb_status status = fill_params(params, &wire_params, err);
  msg.parameters = wire_params.list;
  if (status == LB_OK) {
    status = lb_thrift_write_request(req, "ExecuteStatement",
                                     &lb_t_execute_statement_req_desc, &msg, err);
  }
  lb_arena_reset(&wire_params.arena);
  return status;
}

/* The handle stands in front of all else that may be of any length. */
#define HANDLE_WITHIN_BYTES 256u

enum lb_status lb_thrift_build_again(struct lb_request *old, const struct lb_server *lost,
                                     const struct lb_server *server,
                                     struct lb_request *req, struct lb_error *err) {
  struct lb_str head = {(const char *)old->body.data,
                        LB_MIN(old->body.len, (size_t)HANDLE_WITHIN_BYTES)};
  struct lb_str guid = {(const char *)lost->guid, sizeof lost->guid};
  struct lb_str secret = {(const char *)lost->secret, sizeof lost->secret};
  size_t guid_at = lb_str_find(head, guid);
  size_t behind = guid_at == SIZE_MAX ? head.len : guid_at + guid.len;
  struct lb_str rest = {head.data + behind, head.len - behind}; /* they may be equal */
  size_t secret_at = lb_str_find(rest, secret);
  if (guid_at == SIZE_MAX || secret_at == SIZE_MAX) {
    return lb_error_set(err, LB_INTERNAL, "%s: the request names no session", old->what);
  }
  memcpy(old->body.data + guid_at, server->guid, sizeof server->guid);
  memcpy(old->body.data + behind + secret_at, server->secret, sizeof server->secret);
  lb_buf_move(&req->body, &old->body);
  req->what = old->what;
  req->req_class = old->req_class;
  req->repeat = old->repeat;
  req->max_reply_bytes = old->max_reply_bytes;
  return LB_OK;
}

enum lb_status lb_thrift_build_poll(const struct lb_op_handle *handle, bool progress,
                                    struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  struct lb_t_get_operation_status_req msg = {.operation_handle =
                                                  operation_handle(&wire, handle)};
  if (progress) msg.get_progress_update = LB_T_BOOL(true);
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  return lb_thrift_write_request(req, "GetOperationStatus",
                                 &lb_t_get_operation_status_req_desc, &msg, err);
}

enum lb_status lb_thrift_build_metadata(const struct lb_op_handle *handle,
                                        struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  struct lb_t_get_result_set_metadata_req msg = {.operation_handle =
                                                     operation_handle(&wire, handle)};
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  return lb_thrift_write_request(req, "GetResultSetMetadata",
                                 &lb_t_get_result_set_metadata_req_desc, &msg, err);
}

enum lb_status lb_thrift_build_fetch(const struct lb_server *server,
                                     const struct lb_op_handle *handle,
                                     const struct lb_fetch_params *params,
                                     struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  struct lb_t_fetch_results_req msg = {
      .operation_handle = operation_handle(&wire, handle),
      .orientation = LB_T_I32(LB_T_FETCH_NEXT),
      .max_rows = LB_T_I64(params->max_rows),
  };
  if (server->databricks_protocol) {
    msg.max_bytes = LB_T_I64(params->max_bytes);
    msg.start_row_offset = LB_T_I64(params->start_row);
  }
  lb_thrift_as_control(req, LB_REPEAT_IF_NOT_RECEIVED);
  req->req_class = LB_REQ_FETCH;
  req->max_reply_bytes = LB_THRIFT_MAX_DATA_REPLY_BYTES;
  return lb_thrift_write_request(req, "FetchResults", &lb_t_fetch_results_req_desc, &msg,
                                 err);
}

enum lb_status lb_thrift_build_probe(const struct lb_op_handle *handle,
                                     const struct lb_probe_params *params,
                                     struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  enum lb_status status;
  switch (params->probe) {
    case LB_PROBE_STATUS:
      status = lb_thrift_build_poll(handle, false, req, err);
      break;
    case LB_PROBE_METADATA:
      status = lb_thrift_build_metadata(handle, req, err);
      break;
    case LB_PROBE_FETCH0: {
      struct lb_t_fetch_results_req msg = {
          .operation_handle = operation_handle(&wire, handle),
          .orientation = LB_T_I32(LB_T_FETCH_NEXT),
          .max_rows = LB_T_I64(0),
      };
      status = lb_thrift_write_request(req, "FetchResults", &lb_t_fetch_results_req_desc,
                                       &msg, err);
      break;
    }
    default:
      return lb_error_set(err, LB_INTERNAL, "no probe was chosen");
  }
  lb_thrift_as_control(req, LB_REPEAT_NEVER);
  req->req_class = LB_REQ_PROBE;
  req->heartbeat = true;
  return status;
}

enum lb_status lb_thrift_build_cancel(const struct lb_op_handle *handle,
                                      struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  struct lb_t_cancel_operation_req msg = {.operation_handle =
                                              operation_handle(&wire, handle)};
  as_end(req);
  return lb_thrift_write_request(req, "CancelOperation", &lb_t_cancel_operation_req_desc,
                                 &msg, err);
}

enum lb_status lb_thrift_build_close(const struct lb_op_handle *handle,
                                     struct lb_request *req, struct lb_error *err) {
  struct wire_operation wire;
  struct lb_t_close_operation_req msg = {.operation_handle =
                                             operation_handle(&wire, handle)};
  as_end(req);
  return lb_thrift_write_request(req, "CloseOperation", &lb_t_close_operation_req_desc,
                                 &msg, err);
}

enum lb_status lb_thrift_build_end(const struct lb_server *server, struct lb_request *req,
                                   struct lb_error *err) {
  struct lb_thrift_session wire = {0};
  struct lb_t_close_session_req msg = {.session_handle =
                                           lb_thrift_session_handle(&wire, server)};
  as_end(req);
  req->req_class = LB_REQ_END_SESSION;
  return lb_thrift_write_request(req, "CloseSession", &lb_t_close_session_req_desc, &msg,
                                 err);
}
