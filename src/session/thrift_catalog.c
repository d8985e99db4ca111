/* SPDX-License-Identifier: Apache-2.0 */
/* Building catalog calls. What they have in common (session, direct results,
 * asynchronous running) is set through the offsets of a table, so that a call is its row
 * and the arguments of its own. */
#include "session/thrift_backend_parts.h"

/* The largest request struct; one of them is built at a time. */
union catalog_msg {
  struct lb_t_get_catalogs_req catalogs;
  struct lb_t_get_schemas_req schemas;
  struct lb_t_get_tables_req tables;
  struct lb_t_get_table_types_req table_types;
  struct lb_t_get_columns_req columns;
  struct lb_t_get_cross_reference_req cross_reference;
};

struct row {
  const char *method;
  const struct lb_tstruct *desc;
  size_t direct;
  size_t async;
};

#define ROW(idl, s) \
  {"Get" idl, &lb_t_get_##s##_req_desc, \
   offsetof(struct lb_t_get_##s##_req, get_direct_results), \
   offsetof(struct lb_t_get_##s##_req, run_async)}
static const struct row rows[LB_CATALOG_CALL_COUNT] = {
    [LB_CATALOG_CATALOGS] = ROW("Catalogs", catalogs),
    [LB_CATALOG_SCHEMAS] = ROW("Schemas", schemas),
    [LB_CATALOG_TABLES] = ROW("Tables", tables),
    [LB_CATALOG_TABLE_TYPES] = ROW("TableTypes", table_types),
    [LB_CATALOG_COLUMNS] = ROW("Columns", columns),
    [LB_CATALOG_CROSS_REFERENCE] = ROW("CrossReference", cross_reference),
};
#undef ROW

/* The session handle is the first member of each. */
_Static_assert(offsetof(struct lb_t_get_tables_req, session_handle) == 0 &&
                   offsetof(struct lb_t_get_columns_req, session_handle) == 0,
               "catalog requests begin with the session");

static void set_arguments(union catalog_msg *msg,
                          const struct lb_catalog_params *params) {
  switch (params->call) {
    case LB_CATALOG_SCHEMAS:
      msg->schemas.catalog_name = params->catalog;
      msg->schemas.schema_name = params->schema;
      return;
    case LB_CATALOG_TABLES:
      msg->tables.catalog_name = params->catalog;
      msg->tables.schema_name = params->schema;
      msg->tables.table_name = params->table;
      if (params->table_type_count == 0) return;
      msg->tables.table_types = (struct lb_t_list){
          .set = true, .count = params->table_type_count, .items = params->table_types};
      return;
    case LB_CATALOG_COLUMNS:
      msg->columns.catalog_name = params->catalog;
      msg->columns.schema_name = params->schema;
      msg->columns.table_name = params->table;
      msg->columns.column_name = params->column;
      return;
    case LB_CATALOG_CROSS_REFERENCE:
      msg->cross_reference.foreign_catalog_name = params->catalog;
      msg->cross_reference.foreign_schema_name = params->schema;
      msg->cross_reference.foreign_table_name = params->table;
      return;
    default:
      return;
  }
}

enum lb_status lb_thrift_build_catalog(const struct lb_server *server,
                                       const struct lb_catalog_params *params,
                                       struct lb_request *req, struct lb_error *err) {
  if ((unsigned)params->call >= LB_CATALOG_CALL_COUNT) {
    return lb_error_set(err, LB_INTERNAL, "no such catalog call");
  }
  const struct row *row = &rows[params->call];
  struct lb_thrift_session wire = {0};
  struct lb_t_spark_get_direct_results direct = {LB_T_I64(params->max_rows),
                                                 LB_T_I64(params->max_bytes)};
  union catalog_msg msg = {0};
  msg.catalogs.session_handle = lb_thrift_session_handle(&wire, server);
  set_arguments(&msg, params);
  if (server->databricks_protocol) {
    struct lb_t_spark_get_direct_results *place = &direct;
    memcpy((char *)&msg + row->direct, &place, sizeof(void *));
    /* Below V6 a catalog call is finished when its reply comes. */
    struct lb_t_bool async = LB_T_BOOL(server->protocol >= LB_T_PROTOCOL_SPARK_V6);
    memcpy((char *)&msg + row->async, &async, sizeof async);
  }
  /* A repetition may leave an operation behind, which the server forgets by itself. */
  lb_thrift_as_control(req, LB_REPEAT_SAFE);
  req->max_reply_bytes = LB_THRIFT_MAX_DATA_REPLY_BYTES;
  return lb_thrift_write_request(req, row->method, row->desc, &msg, err);
}
