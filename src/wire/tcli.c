/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcli.h"

#define REQUIRED LB_TF_REQUIRED
#define OPTIONAL 0

/* The offset of a member, which does not compile when the member has not the C type that
 * the row's wire type asks for. */
#define MEMBER(s, m, ctype) \
  (offsetof(struct lb_t_##s, m) + \
   0 * sizeof(struct { \
     _Static_assert( \
         __builtin_types_compatible_p(__typeof__(((struct lb_t_##s *)0)->m), ctype), \
         "lb_t_" #s "." #m " is no " #ctype); \
     int unused; \
   }))

#define ROW(s, num, m, idl, ctype, wire, element, bits, substruct) \
  {.id = (num), \
   .type = LB_TT_##wire, \
   .elem = LB_TT_##element, \
   .flags = (bits), \
   .offset = MEMBER(s, m, ctype), \
   .sub = (substruct), \
   .name = (idl)}

/* One macro per kind of member: struct, id, member, name in the IDL, REQUIRED or
 * OPTIONAL, and what the elements are. */
#define BOOL(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_t_bool, BOOL, STOP, req, NULL)
#define I8(s, id, m, idl, req) ROW(s, id, m, idl, struct lb_t_i8, BYTE, STOP, req, NULL)
#define I16(s, id, m, idl, req) ROW(s, id, m, idl, struct lb_t_i16, I16, STOP, req, NULL)
#define I32(s, id, m, idl, req) ROW(s, id, m, idl, struct lb_t_i32, I32, STOP, req, NULL)
#define I64(s, id, m, idl, req) ROW(s, id, m, idl, struct lb_t_i64, I64, STOP, req, NULL)
#define DOUBLE(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_t_double, DOUBLE, STOP, req, NULL)
#define STRING(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_str, STRING, STOP, req, NULL)
#define BINARY(s, id, m, idl, req) STRING(s, id, m, idl, req)
#define STRUCT(s, id, m, idl, req, of) \
  ROW(s, id, m, idl, struct lb_t_##of *, STRUCT, STOP, req, &lb_t_##of##_desc)
#define STRUCTS(s, id, m, idl, req, of) \
  ROW(s, id, m, idl, struct lb_t_list, LIST, STRUCT, req, &lb_t_##of##_desc)
#define STRINGS(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_t_list, LIST, STRING, req, NULL)
#define NUMBERS(s, id, m, idl, req, of) \
  ROW(s, id, m, idl, struct lb_t_list, LIST, of, req, NULL)
#define RAW_LIST(s, id, m, idl, req, of) \
  ROW(s, id, m, idl, struct lb_t_list, LIST, of, (req) | LB_TF_RAW, NULL)
#define STRING_MAP(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_t_map, MAP, STRING, req, NULL)
#define I32_MAP(s, id, m, idl, req) \
  ROW(s, id, m, idl, struct lb_t_map, MAP, I32, req, NULL)
#define STRUCT_MAP(s, id, m, idl, req, of) \
  ROW(s, id, m, idl, struct lb_t_map, MAP, STRUCT, req, &lb_t_##of##_desc)

/* The descriptor `desc` of the struct `s`, whose rows are s_fields. The reader keeps the
 * rows that it has seen in a 64-bit mask. */
#define DESC_AS(idl, desc, s) \
  _Static_assert(sizeof(struct lb_t_##s) <= UINT16_MAX, idl " is too large"); \
  _Static_assert(LB_ARRAY_LEN(s##_fields) <= 64, idl " has too many fields"); \
  const struct lb_tstruct lb_t_##desc##_desc = { \
      .name = (idl), \
      .fields = s##_fields, \
      .field_count = LB_ARRAY_LEN(s##_fields), \
      .size = sizeof(struct lb_t_##s), \
  }
#define DESC(idl, s) DESC_AS(idl, s, s)

/* Status, handles, namespace. */

static const struct lb_tfield status_fields[] = {
    I32(status, 1, status_code, "statusCode", REQUIRED),
    STRINGS(status, 2, info_messages, "infoMessages", OPTIONAL),
    STRING(status, 3, sql_state, "sqlState", OPTIONAL),
    I32(status, 4, error_code, "errorCode", OPTIONAL),
    STRING(status, 5, error_message, "errorMessage", OPTIONAL),
    STRING(status, 6, display_message, "displayMessage", OPTIONAL),
    STRING(status, 1281, error_details_json, "errorDetailsJson", OPTIONAL),
};
DESC("TStatus", status);

static const struct lb_tfield handle_identifier_fields[] = {
    BINARY(handle_identifier, 1, guid, "guid", REQUIRED),
    BINARY(handle_identifier, 2, secret, "secret", REQUIRED),
};
DESC("THandleIdentifier", handle_identifier);

static const struct lb_tfield session_handle_fields[] = {
    STRUCT(session_handle, 1, session_id, "sessionId", REQUIRED, handle_identifier),
};
DESC("TSessionHandle", session_handle);

static const struct lb_tfield operation_handle_fields[] = {
    STRUCT(operation_handle, 1, operation_id, "operationId", REQUIRED, handle_identifier),
    I32(operation_handle, 2, operation_type, "operationType", REQUIRED),
    BOOL(operation_handle, 3, has_result_set, "hasResultSet", REQUIRED),
    DOUBLE(operation_handle, 4, modified_row_count, "modifiedRowCount", OPTIONAL),
};
DESC("TOperationHandle", operation_handle);

static const struct lb_tfield namespace_fields[] = {
    STRING(namespace, 1, catalog_name, "catalogName", OPTIONAL),
    STRING(namespace, 2, schema_name, "schemaName", OPTIONAL),
};
DESC("TNamespace", namespace);

/* Sessions. */

static const struct lb_tfield get_info_value_fields[] = {
    STRING(get_info_value, 1, string_value, "stringValue", OPTIONAL),
    I16(get_info_value, 2, small_int_value, "smallIntValue", OPTIONAL),
    I32(get_info_value, 3, integer_bitmask, "integerBitmask", OPTIONAL),
    I32(get_info_value, 4, integer_flag, "integerFlag", OPTIONAL),
    I32(get_info_value, 5, binary_value, "binaryValue", OPTIONAL),
    I64(get_info_value, 6, len_value, "lenValue", OPTIONAL),
};
DESC("TGetInfoValue", get_info_value);

static const struct lb_tfield open_session_req_fields[] = {
    I32(open_session_req, 1, client_protocol, "client_protocol", OPTIONAL),
    STRING(open_session_req, 2, username, "username", OPTIONAL),
    STRING(open_session_req, 3, password, "password", OPTIONAL),
    STRING_MAP(open_session_req, 4, configuration, "configuration", OPTIONAL),
    NUMBERS(open_session_req, 1281, get_infos, "getInfos", OPTIONAL, I32),
    I64(open_session_req, 1282, client_protocol_i64, "client_protocol_i64", OPTIONAL),
    STRING_MAP(open_session_req, 1283, connection_properties, "connectionProperties",
               OPTIONAL),
    STRUCT(open_session_req, 1284, initial_namespace, "initialNamespace", OPTIONAL,
           namespace),
    BOOL(open_session_req, 1285, can_use_multiple_catalogs, "canUseMultipleCatalogs",
         OPTIONAL),
};
DESC("TOpenSessionReq", open_session_req);

static const struct lb_tfield open_session_resp_fields[] = {
    STRUCT(open_session_resp, 1, status, "status", REQUIRED, status),
    I32(open_session_resp, 2, server_protocol_version, "serverProtocolVersion", REQUIRED),
    STRUCT(open_session_resp, 3, session_handle, "sessionHandle", OPTIONAL,
           session_handle),
    STRING_MAP(open_session_resp, 4, configuration, "configuration", OPTIONAL),
    STRUCTS(open_session_resp, 1281, get_infos, "getInfos", OPTIONAL, get_info_value),
    STRUCT(open_session_resp, 1284, initial_namespace, "initialNamespace", OPTIONAL,
           namespace),
    BOOL(open_session_resp, 1285, can_use_multiple_catalogs, "canUseMultipleCatalogs",
         OPTIONAL),
};
DESC("TOpenSessionResp", open_session_resp);

static const struct lb_tfield close_session_req_fields[] = {
    STRUCT(close_session_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
};
DESC("TCloseSessionReq", close_session_req);

static const struct lb_tfield close_session_resp_fields[] = {
    STRUCT(close_session_resp, 1, status, "status", REQUIRED, status),
};
DESC("TCloseSessionResp", close_session_resp);

static const struct lb_tfield get_info_req_fields[] = {
    STRUCT(get_info_req, 1, session_handle, "sessionHandle", REQUIRED, session_handle),
    I32(get_info_req, 2, info_type, "infoType", REQUIRED),
};
DESC("TGetInfoReq", get_info_req);

static const struct lb_tfield get_info_resp_fields[] = {
    STRUCT(get_info_resp, 1, status, "status", REQUIRED, status),
    STRUCT(get_info_resp, 2, info_value, "infoValue", REQUIRED, get_info_value),
};
DESC("TGetInfoResp", get_info_resp);

/* Statements. */

static const struct lb_tfield spark_get_direct_results_fields[] = {
    I64(spark_get_direct_results, 1, max_rows, "maxRows", REQUIRED),
    I64(spark_get_direct_results, 2, max_bytes, "maxBytes", OPTIONAL),
};
DESC("TSparkGetDirectResults", spark_get_direct_results);

static const struct lb_tfield spark_arrow_types_fields[] = {
    BOOL(spark_arrow_types, 1, timestamp_as_arrow, "timestampAsArrow", OPTIONAL),
    BOOL(spark_arrow_types, 2, decimal_as_arrow, "decimalAsArrow", OPTIONAL),
    BOOL(spark_arrow_types, 3, complex_types_as_arrow, "complexTypesAsArrow", OPTIONAL),
    BOOL(spark_arrow_types, 4, interval_types_as_arrow, "intervalTypesAsArrow", OPTIONAL),
    BOOL(spark_arrow_types, 5, null_type_as_arrow, "nullTypeAsArrow", OPTIONAL),
};
DESC("TSparkArrowTypes", spark_arrow_types);

static const struct lb_tfield statement_conf_fields[] = {
    BOOL(statement_conf, 1, sessionless, "sessionless", OPTIONAL),
    STRUCT(statement_conf, 2, initial_namespace, "initialNamespace", OPTIONAL, namespace),
    I32(statement_conf, 3, client_protocol, "client_protocol", OPTIONAL),
    I64(statement_conf, 4, client_protocol_i64, "client_protocol_i64", OPTIONAL),
};
DESC("TStatementConf", statement_conf);

static const struct lb_tfield spark_parameter_value_fields[] = {
    STRING(spark_parameter_value, 1, string_value, "stringValue", OPTIONAL),
    DOUBLE(spark_parameter_value, 2, double_value, "doubleValue", OPTIONAL),
    BOOL(spark_parameter_value, 3, boolean_value, "booleanValue", OPTIONAL),
};
DESC("TSparkParameterValue", spark_parameter_value);

static const struct lb_tfield spark_parameter_value_arg_fields[] = {
    STRING(spark_parameter_value_arg, 1, type, "type", OPTIONAL),
    STRING(spark_parameter_value_arg, 2, value, "value", OPTIONAL),
    STRUCTS(spark_parameter_value_arg, 3, arguments, "arguments", OPTIONAL,
            spark_parameter_value_arg),
};
DESC("TSparkParameterValueArg", spark_parameter_value_arg);

static const struct lb_tfield spark_parameter_fields[] = {
    I32(spark_parameter, 1, ordinal, "ordinal", OPTIONAL),
    STRING(spark_parameter, 2, name, "name", OPTIONAL),
    STRING(spark_parameter, 3, type, "type", OPTIONAL),
    STRUCT(spark_parameter, 4, value, "value", OPTIONAL, spark_parameter_value),
    STRUCTS(spark_parameter, 5, arguments, "arguments", OPTIONAL,
            spark_parameter_value_arg),
};
DESC("TSparkParameter", spark_parameter);

static const struct lb_tfield execute_statement_req_fields[] = {
    STRUCT(execute_statement_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRING(execute_statement_req, 2, statement, "statement", REQUIRED),
    STRING_MAP(execute_statement_req, 3, conf_overlay, "confOverlay", OPTIONAL),
    BOOL(execute_statement_req, 4, run_async, "runAsync", OPTIONAL),
    I64(execute_statement_req, 5, query_timeout, "queryTimeout", OPTIONAL),
    STRUCT(execute_statement_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(execute_statement_req, 1282, can_read_arrow_result, "canReadArrowResult",
         OPTIONAL),
    BOOL(execute_statement_req, 1283, can_download_result, "canDownloadResult", OPTIONAL),
    BOOL(execute_statement_req, 1284, can_decompress_lz4_result, "canDecompressLZ4Result",
         OPTIONAL),
    I64(execute_statement_req, 1285, max_bytes_per_file, "maxBytesPerFile", OPTIONAL),
    STRUCT(execute_statement_req, 1286, use_arrow_native_types, "useArrowNativeTypes",
           OPTIONAL, spark_arrow_types),
    I64(execute_statement_req, 1287, result_row_limit, "resultRowLimit", OPTIONAL),
    STRUCTS(execute_statement_req, 1288, parameters, "parameters", OPTIONAL,
            spark_parameter),
    I64(execute_statement_req, 1289, max_bytes_per_batch, "maxBytesPerBatch", OPTIONAL),
    STRUCT(execute_statement_req, 1296, statement_conf, "statementConf", OPTIONAL,
           statement_conf),
};
DESC("TExecuteStatementReq", execute_statement_req);

static const struct lb_tfield execute_statement_resp_fields[] = {
    STRUCT(execute_statement_resp, 1, status, "status", REQUIRED, status),
    STRUCT(execute_statement_resp, 2, operation_handle, "operationHandle", OPTIONAL,
           operation_handle),
    STRUCT(execute_statement_resp, 1281, direct_results, "directResults", OPTIONAL,
           spark_direct_results),
};
DESC("TExecuteStatementResp", execute_statement_resp);
DESC_AS("TGetTypeInfoResp", get_type_info_resp, execute_statement_resp);
DESC_AS("TGetCatalogsResp", get_catalogs_resp, execute_statement_resp);
DESC_AS("TGetSchemasResp", get_schemas_resp, execute_statement_resp);
DESC_AS("TGetTablesResp", get_tables_resp, execute_statement_resp);
DESC_AS("TGetTableTypesResp", get_table_types_resp, execute_statement_resp);
DESC_AS("TGetColumnsResp", get_columns_resp, execute_statement_resp);
DESC_AS("TGetFunctionsResp", get_functions_resp, execute_statement_resp);
DESC_AS("TGetPrimaryKeysResp", get_primary_keys_resp, execute_statement_resp);
DESC_AS("TGetCrossReferenceResp", get_cross_reference_resp, execute_statement_resp);

/* Catalog calls. */

static const struct lb_tfield get_type_info_req_fields[] = {
    STRUCT(get_type_info_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRUCT(get_type_info_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_type_info_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetTypeInfoReq", get_type_info_req);

static const struct lb_tfield get_catalogs_req_fields[] = {
    STRUCT(get_catalogs_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRUCT(get_catalogs_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_catalogs_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetCatalogsReq", get_catalogs_req);

static const struct lb_tfield get_schemas_req_fields[] = {
    STRUCT(get_schemas_req, 1, session_handle, "sessionHandle", REQUIRED, session_handle),
    STRING(get_schemas_req, 2, catalog_name, "catalogName", OPTIONAL),
    STRING(get_schemas_req, 3, schema_name, "schemaName", OPTIONAL),
    STRUCT(get_schemas_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_schemas_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetSchemasReq", get_schemas_req);

static const struct lb_tfield get_tables_req_fields[] = {
    STRUCT(get_tables_req, 1, session_handle, "sessionHandle", REQUIRED, session_handle),
    STRING(get_tables_req, 2, catalog_name, "catalogName", OPTIONAL),
    STRING(get_tables_req, 3, schema_name, "schemaName", OPTIONAL),
    STRING(get_tables_req, 4, table_name, "tableName", OPTIONAL),
    STRINGS(get_tables_req, 5, table_types, "tableTypes", OPTIONAL),
    STRUCT(get_tables_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_tables_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetTablesReq", get_tables_req);

static const struct lb_tfield get_table_types_req_fields[] = {
    STRUCT(get_table_types_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRUCT(get_table_types_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_table_types_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetTableTypesReq", get_table_types_req);

static const struct lb_tfield get_columns_req_fields[] = {
    STRUCT(get_columns_req, 1, session_handle, "sessionHandle", REQUIRED, session_handle),
    STRING(get_columns_req, 2, catalog_name, "catalogName", OPTIONAL),
    STRING(get_columns_req, 3, schema_name, "schemaName", OPTIONAL),
    STRING(get_columns_req, 4, table_name, "tableName", OPTIONAL),
    STRING(get_columns_req, 5, column_name, "columnName", OPTIONAL),
    STRUCT(get_columns_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_columns_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetColumnsReq", get_columns_req);

static const struct lb_tfield get_functions_req_fields[] = {
    STRUCT(get_functions_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRING(get_functions_req, 2, catalog_name, "catalogName", OPTIONAL),
    STRING(get_functions_req, 3, schema_name, "schemaName", OPTIONAL),
    STRING(get_functions_req, 4, function_name, "functionName", REQUIRED),
    STRUCT(get_functions_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_functions_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetFunctionsReq", get_functions_req);

static const struct lb_tfield get_primary_keys_req_fields[] = {
    STRUCT(get_primary_keys_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRING(get_primary_keys_req, 2, catalog_name, "catalogName", OPTIONAL),
    STRING(get_primary_keys_req, 3, schema_name, "schemaName", OPTIONAL),
    STRING(get_primary_keys_req, 4, table_name, "tableName", OPTIONAL),
    STRUCT(get_primary_keys_req, 1281, get_direct_results, "getDirectResults", OPTIONAL,
           spark_get_direct_results),
    BOOL(get_primary_keys_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetPrimaryKeysReq", get_primary_keys_req);

static const struct lb_tfield get_cross_reference_req_fields[] = {
    STRUCT(get_cross_reference_req, 1, session_handle, "sessionHandle", REQUIRED,
           session_handle),
    STRING(get_cross_reference_req, 2, parent_catalog_name, "parentCatalogName",
           OPTIONAL),
    STRING(get_cross_reference_req, 3, parent_schema_name, "parentSchemaName", OPTIONAL),
    STRING(get_cross_reference_req, 4, parent_table_name, "parentTableName", OPTIONAL),
    STRING(get_cross_reference_req, 5, foreign_catalog_name, "foreignCatalogName",
           OPTIONAL),
    STRING(get_cross_reference_req, 6, foreign_schema_name, "foreignSchemaName",
           OPTIONAL),
    STRING(get_cross_reference_req, 7, foreign_table_name, "foreignTableName", OPTIONAL),
    STRUCT(get_cross_reference_req, 1281, get_direct_results, "getDirectResults",
           OPTIONAL, spark_get_direct_results),
    BOOL(get_cross_reference_req, 1282, run_async, "runAsync", OPTIONAL),
};
DESC("TGetCrossReferenceReq", get_cross_reference_req);

/* Operation status, cancel, close. */

static const struct lb_tfield progress_update_resp_fields[] = {
    STRINGS(progress_update_resp, 1, header_names, "headerNames", REQUIRED),
    RAW_LIST(progress_update_resp, 2, rows, "rows", REQUIRED, LIST),
    DOUBLE(progress_update_resp, 3, progressed_percentage, "progressedPercentage",
           REQUIRED),
    I32(progress_update_resp, 4, status, "status", REQUIRED),
    STRING(progress_update_resp, 5, footer_summary, "footerSummary", REQUIRED),
    I64(progress_update_resp, 6, start_time, "startTime", REQUIRED),
};
DESC("TProgressUpdateResp", progress_update_resp);

static const struct lb_tfield get_operation_status_req_fields[] = {
    STRUCT(get_operation_status_req, 1, operation_handle, "operationHandle", REQUIRED,
           operation_handle),
    BOOL(get_operation_status_req, 2, get_progress_update, "getProgressUpdate", OPTIONAL),
};
DESC("TGetOperationStatusReq", get_operation_status_req);

static const struct lb_tfield get_operation_status_resp_fields[] = {
    STRUCT(get_operation_status_resp, 1, status, "status", REQUIRED, status),
    I32(get_operation_status_resp, 2, operation_state, "operationState", OPTIONAL),
    STRING(get_operation_status_resp, 3, sql_state, "sqlState", OPTIONAL),
    I32(get_operation_status_resp, 4, error_code, "errorCode", OPTIONAL),
    STRING(get_operation_status_resp, 5, error_message, "errorMessage", OPTIONAL),
    STRING(get_operation_status_resp, 6, task_status, "taskStatus", OPTIONAL),
    I64(get_operation_status_resp, 7, operation_started, "operationStarted", OPTIONAL),
    I64(get_operation_status_resp, 8, operation_completed, "operationCompleted",
        OPTIONAL),
    BOOL(get_operation_status_resp, 9, has_result_set, "hasResultSet", OPTIONAL),
    STRUCT(get_operation_status_resp, 10, progress_update_response,
           "progressUpdateResponse", OPTIONAL, progress_update_resp),
    I64(get_operation_status_resp, 11, num_modified_rows, "numModifiedRows", OPTIONAL),
    STRING(get_operation_status_resp, 1281, display_message, "displayMessage", OPTIONAL),
    STRING(get_operation_status_resp, 1282, diagnostic_info, "diagnosticInfo", OPTIONAL),
    STRING(get_operation_status_resp, 1283, error_details_json, "errorDetailsJson",
           OPTIONAL),
};
DESC("TGetOperationStatusResp", get_operation_status_resp);

static const struct lb_tfield cancel_operation_req_fields[] = {
    STRUCT(cancel_operation_req, 1, operation_handle, "operationHandle", REQUIRED,
           operation_handle),
};
DESC("TCancelOperationReq", cancel_operation_req);

static const struct lb_tfield cancel_operation_resp_fields[] = {
    STRUCT(cancel_operation_resp, 1, status, "status", REQUIRED, status),
};
DESC("TCancelOperationResp", cancel_operation_resp);

static const struct lb_tfield close_operation_req_fields[] = {
    STRUCT(close_operation_req, 1, operation_handle, "operationHandle", REQUIRED,
           operation_handle),
};
DESC("TCloseOperationReq", close_operation_req);

static const struct lb_tfield close_operation_resp_fields[] = {
    STRUCT(close_operation_resp, 1, status, "status", REQUIRED, status),
};
DESC("TCloseOperationResp", close_operation_resp);

/* Result metadata and schema. */

static const struct lb_tfield type_qualifier_value_fields[] = {
    I32(type_qualifier_value, 1, i32_value, "i32Value", OPTIONAL),
    STRING(type_qualifier_value, 2, string_value, "stringValue", OPTIONAL),
};
DESC("TTypeQualifierValue", type_qualifier_value);

static const struct lb_tfield type_qualifiers_fields[] = {
    STRUCT_MAP(type_qualifiers, 1, qualifiers, "qualifiers", REQUIRED,
               type_qualifier_value),
};
DESC("TTypeQualifiers", type_qualifiers);

static const struct lb_tfield primitive_type_entry_fields[] = {
    I32(primitive_type_entry, 1, type, "type", REQUIRED),
    STRUCT(primitive_type_entry, 2, type_qualifiers, "typeQualifiers", OPTIONAL,
           type_qualifiers),
};
DESC("TPrimitiveTypeEntry", primitive_type_entry);

static const struct lb_tfield array_type_entry_fields[] = {
    I32(array_type_entry, 1, object_type_ptr, "objectTypePtr", REQUIRED),
};
DESC("TArrayTypeEntry", array_type_entry);

static const struct lb_tfield map_type_entry_fields[] = {
    I32(map_type_entry, 1, key_type_ptr, "keyTypePtr", REQUIRED),
    I32(map_type_entry, 2, value_type_ptr, "valueTypePtr", REQUIRED),
};
DESC("TMapTypeEntry", map_type_entry);

static const struct lb_tfield struct_type_entry_fields[] = {
    I32_MAP(struct_type_entry, 1, name_to_type_ptr, "nameToTypePtr", REQUIRED),
};
DESC("TStructTypeEntry", struct_type_entry);

static const struct lb_tfield union_type_entry_fields[] = {
    I32_MAP(union_type_entry, 1, name_to_type_ptr, "nameToTypePtr", REQUIRED),
};
DESC("TUnionTypeEntry", union_type_entry);

static const struct lb_tfield user_defined_type_entry_fields[] = {
    STRING(user_defined_type_entry, 1, type_class_name, "typeClassName", REQUIRED),
};
DESC("TUserDefinedTypeEntry", user_defined_type_entry);

static const struct lb_tfield type_entry_fields[] = {
    STRUCT(type_entry, 1, primitive_entry, "primitiveEntry", OPTIONAL,
           primitive_type_entry),
    STRUCT(type_entry, 2, array_entry, "arrayEntry", OPTIONAL, array_type_entry),
    STRUCT(type_entry, 3, map_entry, "mapEntry", OPTIONAL, map_type_entry),
    STRUCT(type_entry, 4, struct_entry, "structEntry", OPTIONAL, struct_type_entry),
    STRUCT(type_entry, 5, union_entry, "unionEntry", OPTIONAL, union_type_entry),
    STRUCT(type_entry, 6, user_defined_type_entry, "userDefinedTypeEntry", OPTIONAL,
           user_defined_type_entry),
};
DESC("TTypeEntry", type_entry);

static const struct lb_tfield type_desc_fields[] = {
    STRUCTS(type_desc, 1, types, "types", REQUIRED, type_entry),
};
DESC("TTypeDesc", type_desc);

static const struct lb_tfield column_desc_fields[] = {
    STRING(column_desc, 1, column_name, "columnName", REQUIRED),
    STRUCT(column_desc, 2, type_desc, "typeDesc", REQUIRED, type_desc),
    I32(column_desc, 3, position, "position", REQUIRED),
    STRING(column_desc, 4, comment, "comment", OPTIONAL),
};
DESC("TColumnDesc", column_desc);

static const struct lb_tfield table_schema_fields[] = {
    STRUCTS(table_schema, 1, columns, "columns", REQUIRED, column_desc),
};
DESC("TTableSchema", table_schema);

static const struct lb_tfield get_result_set_metadata_req_fields[] = {
    STRUCT(get_result_set_metadata_req, 1, operation_handle, "operationHandle", REQUIRED,
           operation_handle),
};
DESC("TGetResultSetMetadataReq", get_result_set_metadata_req);

static const struct lb_tfield get_result_set_metadata_resp_fields[] = {
    STRUCT(get_result_set_metadata_resp, 1, status, "status", REQUIRED, status),
    STRUCT(get_result_set_metadata_resp, 2, schema, "schema", OPTIONAL, table_schema),
    I32(get_result_set_metadata_resp, 1281, result_format, "resultFormat", OPTIONAL),
    BOOL(get_result_set_metadata_resp, 1282, lz4_compressed, "lz4Compressed", OPTIONAL),
    BINARY(get_result_set_metadata_resp, 1283, arrow_schema, "arrowSchema", OPTIONAL),
    I32(get_result_set_metadata_resp, 1284, cache_lookup_result, "cacheLookupResult",
        OPTIONAL),
    I64(get_result_set_metadata_resp, 1285, uncompressed_bytes, "uncompressedBytes",
        OPTIONAL),
    I64(get_result_set_metadata_resp, 1286, compressed_bytes, "compressedBytes",
        OPTIONAL),
    BOOL(get_result_set_metadata_resp, 1287, is_staging_operation, "isStagingOperation",
         OPTIONAL),
};
DESC("TGetResultSetMetadataResp", get_result_set_metadata_resp);

/* Fetching: columns. */

static const struct lb_tfield bool_column_fields[] = {
    NUMBERS(bool_column, 1, values, "values", REQUIRED, BOOL),
    BINARY(bool_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TBoolColumn", bool_column);

static const struct lb_tfield byte_column_fields[] = {
    NUMBERS(byte_column, 1, values, "values", REQUIRED, BYTE),
    BINARY(byte_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TByteColumn", byte_column);

static const struct lb_tfield i16_column_fields[] = {
    NUMBERS(i16_column, 1, values, "values", REQUIRED, I16),
    BINARY(i16_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TI16Column", i16_column);

static const struct lb_tfield i32_column_fields[] = {
    NUMBERS(i32_column, 1, values, "values", REQUIRED, I32),
    BINARY(i32_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TI32Column", i32_column);

static const struct lb_tfield i64_column_fields[] = {
    NUMBERS(i64_column, 1, values, "values", REQUIRED, I64),
    BINARY(i64_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TI64Column", i64_column);

static const struct lb_tfield double_column_fields[] = {
    NUMBERS(double_column, 1, values, "values", REQUIRED, DOUBLE),
    BINARY(double_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TDoubleColumn", double_column);

static const struct lb_tfield string_column_fields[] = {
    RAW_LIST(string_column, 1, values, "values", REQUIRED, STRING),
    BINARY(string_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TStringColumn", string_column);

static const struct lb_tfield binary_column_fields[] = {
    RAW_LIST(binary_column, 1, values, "values", REQUIRED, STRING),
    BINARY(binary_column, 2, nulls, "nulls", REQUIRED),
};
DESC("TBinaryColumn", binary_column);

static const struct lb_tfield column_fields[] = {
    STRUCT(column, 1, bool_val, "boolVal", OPTIONAL, bool_column),
    STRUCT(column, 2, byte_val, "byteVal", OPTIONAL, byte_column),
    STRUCT(column, 3, i16_val, "i16Val", OPTIONAL, i16_column),
    STRUCT(column, 4, i32_val, "i32Val", OPTIONAL, i32_column),
    STRUCT(column, 5, i64_val, "i64Val", OPTIONAL, i64_column),
    STRUCT(column, 6, double_val, "doubleVal", OPTIONAL, double_column),
    STRUCT(column, 7, string_val, "stringVal", OPTIONAL, string_column),
    STRUCT(column, 8, binary_val, "binaryVal", OPTIONAL, binary_column),
};
DESC("TColumn", column);

/* Fetching: rows of servers older than columns. */

static const struct lb_tfield bool_value_fields[] = {
    BOOL(bool_value, 1, value, "value", OPTIONAL),
};
DESC("TBoolValue", bool_value);

static const struct lb_tfield byte_value_fields[] = {
    I8(byte_value, 1, value, "value", OPTIONAL),
};
DESC("TByteValue", byte_value);

static const struct lb_tfield i16_value_fields[] = {
    I16(i16_value, 1, value, "value", OPTIONAL),
};
DESC("TI16Value", i16_value);

static const struct lb_tfield i32_value_fields[] = {
    I32(i32_value, 1, value, "value", OPTIONAL),
};
DESC("TI32Value", i32_value);

static const struct lb_tfield i64_value_fields[] = {
    I64(i64_value, 1, value, "value", OPTIONAL),
};
DESC("TI64Value", i64_value);

static const struct lb_tfield double_value_fields[] = {
    DOUBLE(double_value, 1, value, "value", OPTIONAL),
};
DESC("TDoubleValue", double_value);

static const struct lb_tfield string_value_fields[] = {
    STRING(string_value, 1, value, "value", OPTIONAL),
};
DESC("TStringValue", string_value);

static const struct lb_tfield column_value_fields[] = {
    STRUCT(column_value, 1, bool_val, "boolVal", OPTIONAL, bool_value),
    STRUCT(column_value, 2, byte_val, "byteVal", OPTIONAL, byte_value),
    STRUCT(column_value, 3, i16_val, "i16Val", OPTIONAL, i16_value),
    STRUCT(column_value, 4, i32_val, "i32Val", OPTIONAL, i32_value),
    STRUCT(column_value, 5, i64_val, "i64Val", OPTIONAL, i64_value),
    STRUCT(column_value, 6, double_val, "doubleVal", OPTIONAL, double_value),
    STRUCT(column_value, 7, string_val, "stringVal", OPTIONAL, string_value),
};
DESC("TColumnValue", column_value);

static const struct lb_tfield row_fields[] = {
    STRUCTS(row, 1, col_vals, "colVals", REQUIRED, column_value),
};
DESC("TRow", row);

/* Fetching: Arrow, links and the row set. */

static const struct lb_tfield spark_arrow_batch_fields[] = {
    BINARY(spark_arrow_batch, 1, batch, "batch", REQUIRED),
    I64(spark_arrow_batch, 2, row_count, "rowCount", REQUIRED),
};
DESC("TSparkArrowBatch", spark_arrow_batch);

static const struct lb_tfield spark_arrow_result_link_fields[] = {
    STRING(spark_arrow_result_link, 1, file_link, "fileLink", REQUIRED),
    I64(spark_arrow_result_link, 2, expiry_time, "expiryTime", REQUIRED),
    I64(spark_arrow_result_link, 3, start_row_offset, "startRowOffset", REQUIRED),
    I64(spark_arrow_result_link, 4, row_count, "rowCount", REQUIRED),
    I64(spark_arrow_result_link, 5, bytes_num, "bytesNum", REQUIRED),
    STRING_MAP(spark_arrow_result_link, 6, http_headers, "httpHeaders", OPTIONAL),
};
DESC("TSparkArrowResultLink", spark_arrow_result_link);

static const struct lb_tfield row_set_fields[] = {
    I64(row_set, 1, start_row_offset, "startRowOffset", REQUIRED),
    STRUCTS(row_set, 2, rows, "rows", REQUIRED, row),
    STRUCTS(row_set, 3, columns, "columns", OPTIONAL, column),
    BINARY(row_set, 4, binary_columns, "binaryColumns", OPTIONAL),
    I32(row_set, 5, column_count, "columnCount", OPTIONAL),
    STRUCTS(row_set, 1281, arrow_batches, "arrowBatches", OPTIONAL, spark_arrow_batch),
    STRUCTS(row_set, 1282, result_links, "resultLinks", OPTIONAL,
            spark_arrow_result_link),
};
DESC("TRowSet", row_set);

static const struct lb_tfield fetch_results_req_fields[] = {
    STRUCT(fetch_results_req, 1, operation_handle, "operationHandle", REQUIRED,
           operation_handle),
    I32(fetch_results_req, 2, orientation, "orientation", REQUIRED),
    I64(fetch_results_req, 3, max_rows, "maxRows", REQUIRED),
    I16(fetch_results_req, 4, fetch_type, "fetchType", OPTIONAL),
    I64(fetch_results_req, 1281, max_bytes, "maxBytes", OPTIONAL),
    I64(fetch_results_req, 1282, start_row_offset, "startRowOffset", OPTIONAL),
    BOOL(fetch_results_req, 1283, include_result_set_metadata, "includeResultSetMetadata",
         OPTIONAL),
};
DESC("TFetchResultsReq", fetch_results_req);

static const struct lb_tfield fetch_results_resp_fields[] = {
    STRUCT(fetch_results_resp, 1, status, "status", REQUIRED, status),
    BOOL(fetch_results_resp, 2, has_more_rows, "hasMoreRows", OPTIONAL),
    STRUCT(fetch_results_resp, 3, results, "results", OPTIONAL, row_set),
    STRUCT(fetch_results_resp, 1281, result_set_metadata, "resultSetMetadata", OPTIONAL,
           get_result_set_metadata_resp),
};
DESC("TFetchResultsResp", fetch_results_resp);

/* Direct results. */

static const struct lb_tfield spark_direct_results_fields[] = {
    STRUCT(spark_direct_results, 1, operation_status, "operationStatus", OPTIONAL,
           get_operation_status_resp),
    STRUCT(spark_direct_results, 2, result_set_metadata, "resultSetMetadata", OPTIONAL,
           get_result_set_metadata_resp),
    STRUCT(spark_direct_results, 3, result_set, "resultSet", OPTIONAL,
           fetch_results_resp),
    STRUCT(spark_direct_results, 4, close_operation, "closeOperation", OPTIONAL,
           close_operation_resp),
};
DESC("TSparkDirectResults", spark_direct_results);

const struct lb_tstruct *const lb_tcli_all[] = {
    &lb_t_status_desc,
    &lb_t_handle_identifier_desc,
    &lb_t_session_handle_desc,
    &lb_t_operation_handle_desc,
    &lb_t_namespace_desc,
    &lb_t_get_info_value_desc,
    &lb_t_open_session_req_desc,
    &lb_t_open_session_resp_desc,
    &lb_t_close_session_req_desc,
    &lb_t_close_session_resp_desc,
    &lb_t_get_info_req_desc,
    &lb_t_get_info_resp_desc,
    &lb_t_spark_get_direct_results_desc,
    &lb_t_spark_arrow_types_desc,
    &lb_t_statement_conf_desc,
    &lb_t_spark_parameter_value_desc,
    &lb_t_spark_parameter_value_arg_desc,
    &lb_t_spark_parameter_desc,
    &lb_t_execute_statement_req_desc,
    &lb_t_execute_statement_resp_desc,
    &lb_t_get_type_info_req_desc,
    &lb_t_get_catalogs_req_desc,
    &lb_t_get_schemas_req_desc,
    &lb_t_get_tables_req_desc,
    &lb_t_get_table_types_req_desc,
    &lb_t_get_columns_req_desc,
    &lb_t_get_functions_req_desc,
    &lb_t_get_primary_keys_req_desc,
    &lb_t_get_cross_reference_req_desc,
    &lb_t_progress_update_resp_desc,
    &lb_t_get_operation_status_req_desc,
    &lb_t_get_operation_status_resp_desc,
    &lb_t_cancel_operation_req_desc,
    &lb_t_cancel_operation_resp_desc,
    &lb_t_close_operation_req_desc,
    &lb_t_close_operation_resp_desc,
    &lb_t_type_qualifier_value_desc,
    &lb_t_type_qualifiers_desc,
    &lb_t_primitive_type_entry_desc,
    &lb_t_array_type_entry_desc,
    &lb_t_map_type_entry_desc,
    &lb_t_struct_type_entry_desc,
    &lb_t_union_type_entry_desc,
    &lb_t_user_defined_type_entry_desc,
    &lb_t_type_entry_desc,
    &lb_t_type_desc_desc,
    &lb_t_column_desc_desc,
    &lb_t_table_schema_desc,
    &lb_t_get_result_set_metadata_req_desc,
    &lb_t_get_result_set_metadata_resp_desc,
    &lb_t_bool_column_desc,
    &lb_t_byte_column_desc,
    &lb_t_i16_column_desc,
    &lb_t_i32_column_desc,
    &lb_t_i64_column_desc,
    &lb_t_double_column_desc,
    &lb_t_string_column_desc,
    &lb_t_binary_column_desc,
    &lb_t_column_desc,
    &lb_t_bool_value_desc,
    &lb_t_byte_value_desc,
    &lb_t_i16_value_desc,
    &lb_t_i32_value_desc,
    &lb_t_i64_value_desc,
    &lb_t_double_value_desc,
    &lb_t_string_value_desc,
    &lb_t_column_value_desc,
    &lb_t_row_desc,
    &lb_t_spark_arrow_batch_desc,
    &lb_t_spark_arrow_result_link_desc,
    &lb_t_row_set_desc,
    &lb_t_fetch_results_req_desc,
    &lb_t_fetch_results_resp_desc,
    &lb_t_spark_direct_results_desc,
    &lb_t_get_type_info_resp_desc,
    &lb_t_get_catalogs_resp_desc,
    &lb_t_get_schemas_resp_desc,
    &lb_t_get_tables_resp_desc,
    &lb_t_get_table_types_resp_desc,
    &lb_t_get_columns_resp_desc,
    &lb_t_get_functions_resp_desc,
    &lb_t_get_primary_keys_resp_desc,
    &lb_t_get_cross_reference_resp_desc,
};
const size_t lb_tcli_all_count = LB_ARRAY_LEN(lb_tcli_all);
