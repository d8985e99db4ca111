/* SPDX-License-Identifier: Apache-2.0 */
/* TCLIService: the structs, enumerations and method descriptors of the Thrift service
 * that Databricks SQL and HiveServer2 engines offer.
 *
 * Names follow the IDL: TOpenSessionReq is struct lb_t_open_session_req and its
 * descriptor lb_t_open_session_req_desc; clientProtocol is client_protocol. How members
 * are represented and who owns what they point at is said in wire/thrift.h. Enumerations
 * travel as i32 and may hold numbers that the lists below do not know. Ids from 3329 on
 * are Databricks' own and delegation tokens belong to Kerberos; both are left out.
 * Constant data, any thread. */
#ifndef LB_WIRE_TCLI_H
#define LB_WIRE_TCLI_H

#include "wire/thrift.h"

/* TStatusCode. The outcome of a call, which is not the outcome of the query. */
enum lb_t_status_code {
  LB_T_STATUS_SUCCESS = 0,
  LB_T_STATUS_SUCCESS_WITH_INFO = 1,
  LB_T_STATUS_STILL_EXECUTING = 2,
  LB_T_STATUS_ERROR = 3,
  LB_T_STATUS_INVALID_HANDLE = 4
};

/* TOperationState. */
enum lb_t_operation_state {
  LB_T_STATE_INITIALIZED = 0,
  LB_T_STATE_RUNNING = 1,
  LB_T_STATE_FINISHED = 2,
  LB_T_STATE_CANCELED = 3,
  LB_T_STATE_CLOSED = 4,
  LB_T_STATE_ERROR = 5,
  LB_T_STATE_UNKNOWN = 6, /* UKNOWN_STATE in the IDL */
  LB_T_STATE_PENDING = 7,
  LB_T_STATE_TIMEDOUT = 8
};

/* TOperationType. */
enum lb_t_operation_type {
  LB_T_OPERATION_EXECUTE_STATEMENT = 0,
  LB_T_OPERATION_GET_TYPE_INFO = 1,
  LB_T_OPERATION_GET_CATALOGS = 2,
  LB_T_OPERATION_GET_SCHEMAS = 3,
  LB_T_OPERATION_GET_TABLES = 4,
  LB_T_OPERATION_GET_TABLE_TYPES = 5,
  LB_T_OPERATION_GET_COLUMNS = 6,
  LB_T_OPERATION_GET_FUNCTIONS = 7,
  LB_T_OPERATION_UNKNOWN = 8
};

/* TTypeId. */
enum lb_t_type_id {
  LB_T_TYPE_BOOLEAN = 0,
  LB_T_TYPE_TINYINT = 1,
  LB_T_TYPE_SMALLINT = 2,
  LB_T_TYPE_INT = 3,
  LB_T_TYPE_BIGINT = 4,
  LB_T_TYPE_FLOAT = 5,
  LB_T_TYPE_DOUBLE = 6,
  LB_T_TYPE_STRING = 7,
  LB_T_TYPE_TIMESTAMP = 8,
  LB_T_TYPE_BINARY = 9,
  LB_T_TYPE_ARRAY = 10,
  LB_T_TYPE_MAP = 11,
  LB_T_TYPE_STRUCT = 12,
  LB_T_TYPE_UNION = 13,
  LB_T_TYPE_USER_DEFINED = 14,
  LB_T_TYPE_DECIMAL = 15,
  LB_T_TYPE_NULL = 16,
  LB_T_TYPE_DATE = 17,
  LB_T_TYPE_VARCHAR = 18,
  LB_T_TYPE_CHAR = 19,
  LB_T_TYPE_INTERVAL_YEAR_MONTH = 20,
  LB_T_TYPE_INTERVAL_DAY_TIME = 21,
  LB_T_TYPE_TIMESTAMP_LOCAL_TZ = 22 /* Hive only */
};

/* TSparkRowSetType. A server that names none sends columns. */
enum lb_t_row_set_type {
  LB_T_ROW_SET_ARROW = 0,
  LB_T_ROW_SET_COLUMN = 1,
  LB_T_ROW_SET_ROW = 2,
  LB_T_ROW_SET_URL = 3
};

/* TFetchOrientation. */
enum lb_t_fetch_orientation {
  LB_T_FETCH_NEXT = 0,
  LB_T_FETCH_PRIOR = 1,
  LB_T_FETCH_RELATIVE = 2,
  LB_T_FETCH_ABSOLUTE = 3,
  LB_T_FETCH_FIRST = 4,
  LB_T_FETCH_LAST = 5
};

/* TCacheLookupResult. */
enum lb_t_cache_lookup_result {
  LB_T_CACHE_INELIGIBLE = 0,
  LB_T_CACHE_LOCAL_HIT = 1,
  LB_T_CACHE_REMOTE_HIT = 2,
  LB_T_CACHE_MISS = 3
};

/* TJobExecutionStatus. */
enum lb_t_job_execution_status {
  LB_T_JOB_IN_PROGRESS = 0,
  LB_T_JOB_COMPLETE = 1,
  LB_T_JOB_NOT_AVAILABLE = 2
};

/* TGetInfoType, as far as a driver asks. The numbers are those of SQLGetInfo. */
enum lb_t_get_info_type {
  LB_T_INFO_SERVER_NAME = 13,
  LB_T_INFO_DBMS_NAME = 17,
  LB_T_INFO_DBMS_VER = 18
};

/* TProtocolVersion. Hive's numbers are all below Databricks' ("Spark") ones. */
enum lb_t_protocol_version {
  LB_T_PROTOCOL_HIVE_V1 = 0,
  LB_T_PROTOCOL_HIVE_V2 = 1,
  LB_T_PROTOCOL_HIVE_V3 = 2,
  LB_T_PROTOCOL_HIVE_V4 = 3,
  LB_T_PROTOCOL_HIVE_V5 = 4,
  LB_T_PROTOCOL_HIVE_V6 = 5,
  LB_T_PROTOCOL_HIVE_V7 = 6,
  LB_T_PROTOCOL_HIVE_V8 = 7,
  LB_T_PROTOCOL_HIVE_V9 = 8,
  LB_T_PROTOCOL_HIVE_V10 = 9,
  LB_T_PROTOCOL_SPARK_V1 = 0xA501,
  LB_T_PROTOCOL_SPARK_V2 = 0xA502,
  LB_T_PROTOCOL_SPARK_V3 = 0xA503,
  LB_T_PROTOCOL_SPARK_V4 = 0xA504,
  LB_T_PROTOCOL_SPARK_V5 = 0xA505,
  LB_T_PROTOCOL_SPARK_V6 = 0xA506,
  LB_T_PROTOCOL_SPARK_V7 = 0xA507,
  LB_T_PROTOCOL_SPARK_V8 = 0xA508,
  LB_T_PROTOCOL_SPARK_V9 = 0xA509
};

struct lb_t_spark_direct_results;

/* Status, handles, namespace. */

struct lb_t_status {
  struct lb_t_i32 status_code;    /* TStatusCode */
  struct lb_t_list info_messages; /* list<string> */
  struct lb_str sql_state;
  struct lb_t_i32 error_code;
  struct lb_str error_message;
  struct lb_str display_message;
  struct lb_str error_details_json;
};

/* Both parts together are the right to use the handle: the secret never leaves in a log
 * line or an error. */
struct lb_t_handle_identifier {
  struct lb_str guid;   /* 16 bytes, in the order in which a UUID is printed */
  struct lb_str secret; /* 16 bytes */
};

struct lb_t_session_handle {
  struct lb_t_handle_identifier *session_id;
};

struct lb_t_operation_handle {
  struct lb_t_handle_identifier *operation_id;
  struct lb_t_i32 operation_type; /* TOperationType */
  struct lb_t_bool has_result_set;
  struct lb_t_double modified_row_count; /* no server fills it */
};

struct lb_t_namespace {
  struct lb_str catalog_name;
  struct lb_str schema_name;
};

/* Sessions. */

/* A union: one member is set. */
struct lb_t_get_info_value {
  struct lb_str string_value;
  struct lb_t_i16 small_int_value;
  struct lb_t_i32 integer_bitmask;
  struct lb_t_i32 integer_flag;
  struct lb_t_i32 binary_value;
  struct lb_t_i64 len_value;
};

struct lb_t_open_session_req {
  struct lb_t_i32 client_protocol; /* TProtocolVersion; what HiveServer2 reads */
  struct lb_str username;
  struct lb_str password;
  struct lb_t_map configuration;         /* map<string,string> */
  struct lb_t_list get_infos;            /* list<i32 TGetInfoType> */
  struct lb_t_i64 client_protocol_i64;   /* what Databricks reads */
  struct lb_t_map connection_properties; /* map<string,string> */
  struct lb_t_namespace *initial_namespace;
  struct lb_t_bool can_use_multiple_catalogs;
};

struct lb_t_open_session_resp {
  struct lb_t_status *status;
  struct lb_t_i32 server_protocol_version; /* TProtocolVersion */
  struct lb_t_session_handle *session_handle;
  struct lb_t_map configuration; /* map<string,string> */
  struct lb_t_list get_infos;    /* list<TGetInfoValue> */
  struct lb_t_namespace *initial_namespace;
  struct lb_t_bool can_use_multiple_catalogs;
};

struct lb_t_close_session_req {
  struct lb_t_session_handle *session_handle;
};

struct lb_t_close_session_resp {
  struct lb_t_status *status;
};

struct lb_t_get_info_req {
  struct lb_t_session_handle *session_handle;
  struct lb_t_i32 info_type; /* TGetInfoType */
};

struct lb_t_get_info_resp {
  struct lb_t_status *status;
  struct lb_t_get_info_value *info_value;
};

/* Statements. */

struct lb_t_spark_get_direct_results {
  struct lb_t_i64 max_rows;
  struct lb_t_i64 max_bytes;
};

struct lb_t_spark_arrow_types {
  struct lb_t_bool timestamp_as_arrow;
  struct lb_t_bool decimal_as_arrow;
  struct lb_t_bool complex_types_as_arrow;
  struct lb_t_bool interval_types_as_arrow;
  struct lb_t_bool null_type_as_arrow;
};

struct lb_t_statement_conf {
  struct lb_t_bool sessionless;
  struct lb_t_namespace *initial_namespace;
  struct lb_t_i32 client_protocol; /* TProtocolVersion */
  struct lb_t_i64 client_protocol_i64;
};

/* A union: one member is set. */
struct lb_t_spark_parameter_value {
  struct lb_str string_value;
  struct lb_t_double double_value;
  struct lb_t_bool boolean_value;
};

struct lb_t_spark_parameter_value_arg {
  struct lb_str type;
  struct lb_str value;
  struct lb_t_list arguments; /* list<TSparkParameterValueArg> */
};

struct lb_t_spark_parameter {
  struct lb_t_i32 ordinal;                  /* from 1 */
  struct lb_str name;                       /* without the colon */
  struct lb_str type;                       /* "DECIMAL(10,2)" */
  struct lb_t_spark_parameter_value *value; /* absent: NULL */
  struct lb_t_list arguments;               /* list<TSparkParameterValueArg> */
};

struct lb_t_execute_statement_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str statement;
  struct lb_t_map conf_overlay; /* map<string,string> */
  struct lb_t_bool run_async;
  struct lb_t_i64 query_timeout; /* seconds; 0: none */
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool can_read_arrow_result;
  struct lb_t_bool can_download_result;
  struct lb_t_bool can_decompress_lz4_result;
  struct lb_t_i64 max_bytes_per_file;
  struct lb_t_spark_arrow_types *use_arrow_native_types;
  struct lb_t_i64 result_row_limit;
  struct lb_t_list parameters; /* list<TSparkParameter> */
  struct lb_t_i64 max_bytes_per_batch;
  struct lb_t_statement_conf *statement_conf;
};

/* Also the reply to every catalog call (lb_t_get_tables_resp_desc and so on read into
 * it), so that one function can take up any operation that a server has started. */
struct lb_t_execute_statement_resp {
  struct lb_t_status *status;
  struct lb_t_operation_handle *operation_handle;
  struct lb_t_spark_direct_results *direct_results;
};

/* Catalog calls. */

struct lb_t_get_type_info_req {
  struct lb_t_session_handle *session_handle;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_catalogs_req {
  struct lb_t_session_handle *session_handle;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_schemas_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str catalog_name;
  struct lb_str schema_name;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_tables_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str catalog_name;
  struct lb_str schema_name;
  struct lb_str table_name;
  struct lb_t_list table_types; /* list<string> */
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_table_types_req {
  struct lb_t_session_handle *session_handle;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_columns_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str catalog_name;
  struct lb_str schema_name;
  struct lb_str table_name;
  struct lb_str column_name;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_functions_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str catalog_name;
  struct lb_str schema_name;
  struct lb_str function_name;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_primary_keys_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str catalog_name;
  struct lb_str schema_name;
  struct lb_str table_name;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

struct lb_t_get_cross_reference_req {
  struct lb_t_session_handle *session_handle;
  struct lb_str parent_catalog_name;
  struct lb_str parent_schema_name;
  struct lb_str parent_table_name;
  struct lb_str foreign_catalog_name;
  struct lb_str foreign_schema_name;
  struct lb_str foreign_table_name;
  struct lb_t_spark_get_direct_results *get_direct_results;
  struct lb_t_bool run_async;
};

/* Operation status, cancel, close. */

struct lb_t_progress_update_resp {
  struct lb_t_list header_names;            /* list<string> */
  struct lb_t_list rows;                    /* list<list<string>>, raw */
  struct lb_t_double progressed_percentage; /* 0 to 1 */
  struct lb_t_i32 status;                   /* TJobExecutionStatus */
  struct lb_str footer_summary;
  struct lb_t_i64 start_time;
};

struct lb_t_get_operation_status_req {
  struct lb_t_operation_handle *operation_handle;
  struct lb_t_bool get_progress_update;
};

struct lb_t_get_operation_status_resp {
  struct lb_t_status *status;
  struct lb_t_i32 operation_state; /* TOperationState */
  struct lb_str sql_state;
  struct lb_t_i32 error_code;
  struct lb_str error_message;
  struct lb_str task_status;
  struct lb_t_i64 operation_started;   /* ms since 1970 */
  struct lb_t_i64 operation_completed; /* ms since 1970 */
  struct lb_t_bool has_result_set;
  struct lb_t_progress_update_resp *progress_update_response;
  struct lb_t_i64 num_modified_rows;
  struct lb_str display_message;
  struct lb_str diagnostic_info;
  struct lb_str error_details_json;
};

struct lb_t_cancel_operation_req {
  struct lb_t_operation_handle *operation_handle;
};

struct lb_t_cancel_operation_resp {
  struct lb_t_status *status;
};

struct lb_t_close_operation_req {
  struct lb_t_operation_handle *operation_handle;
};

struct lb_t_close_operation_resp {
  struct lb_t_status *status;
};

/* Result metadata and schema. */

/* A union: one member is set. */
struct lb_t_type_qualifier_value {
  struct lb_t_i32 i32_value;
  struct lb_str string_value;
};

struct lb_t_type_qualifiers {
  struct lb_t_map qualifiers; /* map<string,TTypeQualifierValue> */
};

struct lb_t_primitive_type_entry {
  struct lb_t_i32 type; /* TTypeId */
  struct lb_t_type_qualifiers *type_qualifiers;
};

struct lb_t_array_type_entry {
  struct lb_t_i32 object_type_ptr;
};

struct lb_t_map_type_entry {
  struct lb_t_i32 key_type_ptr;
  struct lb_t_i32 value_type_ptr;
};

struct lb_t_struct_type_entry {
  struct lb_t_map name_to_type_ptr; /* map<string,i32> */
};

struct lb_t_union_type_entry {
  struct lb_t_map name_to_type_ptr; /* map<string,i32> */
};

struct lb_t_user_defined_type_entry {
  struct lb_str type_class_name;
};

/* A union: one member is set. The ..._ptr numbers are indexes into TTypeDesc.types. */
struct lb_t_type_entry {
  struct lb_t_primitive_type_entry *primitive_entry;
  struct lb_t_array_type_entry *array_entry;
  struct lb_t_map_type_entry *map_entry;
  struct lb_t_struct_type_entry *struct_entry;
  struct lb_t_union_type_entry *union_entry;
  struct lb_t_user_defined_type_entry *user_defined_type_entry;
};

struct lb_t_type_desc {
  struct lb_t_list types; /* list<TTypeEntry> */
};

struct lb_t_column_desc {
  struct lb_str column_name;
  struct lb_t_type_desc *type_desc;
  struct lb_t_i32 position; /* from 1 */
  struct lb_str comment;
};

struct lb_t_table_schema {
  struct lb_t_list columns; /* list<TColumnDesc> */
};

struct lb_t_get_result_set_metadata_req {
  struct lb_t_operation_handle *operation_handle;
};

struct lb_t_get_result_set_metadata_resp {
  struct lb_t_status *status;
  struct lb_t_table_schema *schema;
  struct lb_t_i32 result_format; /* TSparkRowSetType */
  struct lb_t_bool lz4_compressed;
  struct lb_str arrow_schema;          /* an encapsulated Arrow IPC schema message */
  struct lb_t_i32 cache_lookup_result; /* TCacheLookupResult */
  struct lb_t_i64 uncompressed_bytes;
  struct lb_t_i64 compressed_bytes;
  struct lb_t_bool is_staging_operation;
};

/* Fetching: columns. */

/* All columns keep their values as raw views. A bit of nulls that is 1 marks a null,
 * least significant bit first; bytes that are missing mean "not null". */
struct lb_t_bool_column {
  struct lb_t_list values; /* list<bool> */
  struct lb_str nulls;
};

struct lb_t_byte_column {
  struct lb_t_list values; /* list<byte> */
  struct lb_str nulls;
};

struct lb_t_i16_column {
  struct lb_t_list values; /* list<i16> */
  struct lb_str nulls;
};

struct lb_t_i32_column {
  struct lb_t_list values; /* list<i32> */
  struct lb_str nulls;
};

struct lb_t_i64_column {
  struct lb_t_list values; /* list<i64> */
  struct lb_str nulls;
};

struct lb_t_double_column {
  struct lb_t_list values; /* list<double> */
  struct lb_str nulls;
};

struct lb_t_string_column {
  struct lb_t_list values; /* list<string>, raw */
  struct lb_str nulls;
};

struct lb_t_binary_column {
  struct lb_t_list values; /* list<binary>, raw */
  struct lb_str nulls;
};

/* A union: one member is set. */
struct lb_t_column {
  struct lb_t_bool_column *bool_val;
  struct lb_t_byte_column *byte_val;
  struct lb_t_i16_column *i16_val;
  struct lb_t_i32_column *i32_val;
  struct lb_t_i64_column *i64_val;
  struct lb_t_double_column *double_val;
  struct lb_t_string_column *string_val;
  struct lb_t_binary_column *binary_val;
};

/* Fetching: rows of servers older than columns. */

/* value absent: NULL. */
struct lb_t_bool_value {
  struct lb_t_bool value;
};

struct lb_t_byte_value {
  struct lb_t_i8 value;
};

struct lb_t_i16_value {
  struct lb_t_i16 value;
};

struct lb_t_i32_value {
  struct lb_t_i32 value;
};

struct lb_t_i64_value {
  struct lb_t_i64 value;
};

struct lb_t_double_value {
  struct lb_t_double value;
};

struct lb_t_string_value {
  struct lb_str value;
};

/* A union: one member is set. */
struct lb_t_column_value {
  struct lb_t_bool_value *bool_val;
  struct lb_t_byte_value *byte_val;
  struct lb_t_i16_value *i16_val;
  struct lb_t_i32_value *i32_val;
  struct lb_t_i64_value *i64_val;
  struct lb_t_double_value *double_val;
  struct lb_t_string_value *string_val;
};

struct lb_t_row {
  struct lb_t_list col_vals; /* list<TColumnValue> */
};

/* Fetching: Arrow, links and the row set. */

struct lb_t_spark_arrow_batch {
  struct lb_str
      batch; /* Arrow IPC messages, LZ4 frames of them when the metadata says so */
  struct lb_t_i64 row_count;
};

struct lb_t_spark_arrow_result_link {
  struct lb_str file_link;     /* a signed URL: as secret as a password */
  struct lb_t_i64 expiry_time; /* ms since 1970 */
  struct lb_t_i64 start_row_offset;
  struct lb_t_i64 row_count;
  struct lb_t_i64 bytes_num;    /* uncompressed */
  struct lb_t_map http_headers; /* map<string,string> */
};

struct lb_t_row_set {
  struct lb_t_i64 start_row_offset;
  struct lb_t_list rows;        /* list<TRow> */
  struct lb_t_list columns;     /* list<TColumn> */
  struct lb_str binary_columns; /* compact-protocol columns of Hive, never asked for */
  struct lb_t_i32 column_count;
  struct lb_t_list arrow_batches; /* list<TSparkArrowBatch> */
  struct lb_t_list result_links;  /* list<TSparkArrowResultLink> */
};

struct lb_t_fetch_results_req {
  struct lb_t_operation_handle *operation_handle;
  struct lb_t_i32 orientation; /* TFetchOrientation */
  struct lb_t_i64 max_rows;
  struct lb_t_i16 fetch_type; /* 0 rows, 1 the operation log */
  struct lb_t_i64 max_bytes;
  struct lb_t_i64 start_row_offset;
  struct lb_t_bool include_result_set_metadata;
};

struct lb_t_fetch_results_resp {
  struct lb_t_status *status;
  struct lb_t_bool has_more_rows;
  struct lb_t_row_set *results;
  struct lb_t_get_result_set_metadata_resp *result_set_metadata;
};

/* Direct results. */

struct lb_t_spark_direct_results {
  struct lb_t_get_operation_status_resp *operation_status;
  struct lb_t_get_result_set_metadata_resp *result_set_metadata;
  struct lb_t_fetch_results_resp *result_set;
  struct lb_t_close_operation_resp *close_operation; /* set: closed by the server */
};

/* Descriptors. */

extern const struct lb_tstruct lb_t_status_desc;
extern const struct lb_tstruct lb_t_handle_identifier_desc;
extern const struct lb_tstruct lb_t_session_handle_desc;
extern const struct lb_tstruct lb_t_operation_handle_desc;
extern const struct lb_tstruct lb_t_namespace_desc;
extern const struct lb_tstruct lb_t_get_info_value_desc;
extern const struct lb_tstruct lb_t_open_session_req_desc;
extern const struct lb_tstruct lb_t_open_session_resp_desc;
extern const struct lb_tstruct lb_t_close_session_req_desc;
extern const struct lb_tstruct lb_t_close_session_resp_desc;
extern const struct lb_tstruct lb_t_get_info_req_desc;
extern const struct lb_tstruct lb_t_get_info_resp_desc;
extern const struct lb_tstruct lb_t_spark_get_direct_results_desc;
extern const struct lb_tstruct lb_t_spark_arrow_types_desc;
extern const struct lb_tstruct lb_t_statement_conf_desc;
extern const struct lb_tstruct lb_t_spark_parameter_value_desc;
extern const struct lb_tstruct lb_t_spark_parameter_value_arg_desc;
extern const struct lb_tstruct lb_t_spark_parameter_desc;
extern const struct lb_tstruct lb_t_execute_statement_req_desc;
extern const struct lb_tstruct lb_t_execute_statement_resp_desc;
extern const struct lb_tstruct lb_t_get_type_info_req_desc;
extern const struct lb_tstruct lb_t_get_catalogs_req_desc;
extern const struct lb_tstruct lb_t_get_schemas_req_desc;
extern const struct lb_tstruct lb_t_get_tables_req_desc;
extern const struct lb_tstruct lb_t_get_table_types_req_desc;
extern const struct lb_tstruct lb_t_get_columns_req_desc;
extern const struct lb_tstruct lb_t_get_functions_req_desc;
extern const struct lb_tstruct lb_t_get_primary_keys_req_desc;
extern const struct lb_tstruct lb_t_get_cross_reference_req_desc;
extern const struct lb_tstruct lb_t_progress_update_resp_desc;
extern const struct lb_tstruct lb_t_get_operation_status_req_desc;
extern const struct lb_tstruct lb_t_get_operation_status_resp_desc;
extern const struct lb_tstruct lb_t_cancel_operation_req_desc;
extern const struct lb_tstruct lb_t_cancel_operation_resp_desc;
extern const struct lb_tstruct lb_t_close_operation_req_desc;
extern const struct lb_tstruct lb_t_close_operation_resp_desc;
extern const struct lb_tstruct lb_t_type_qualifier_value_desc;
extern const struct lb_tstruct lb_t_type_qualifiers_desc;
extern const struct lb_tstruct lb_t_primitive_type_entry_desc;
extern const struct lb_tstruct lb_t_array_type_entry_desc;
extern const struct lb_tstruct lb_t_map_type_entry_desc;
extern const struct lb_tstruct lb_t_struct_type_entry_desc;
extern const struct lb_tstruct lb_t_union_type_entry_desc;
extern const struct lb_tstruct lb_t_user_defined_type_entry_desc;
extern const struct lb_tstruct lb_t_type_entry_desc;
extern const struct lb_tstruct lb_t_type_desc_desc;
extern const struct lb_tstruct lb_t_column_desc_desc;
extern const struct lb_tstruct lb_t_table_schema_desc;
extern const struct lb_tstruct lb_t_get_result_set_metadata_req_desc;
extern const struct lb_tstruct lb_t_get_result_set_metadata_resp_desc;
extern const struct lb_tstruct lb_t_bool_column_desc;
extern const struct lb_tstruct lb_t_byte_column_desc;
extern const struct lb_tstruct lb_t_i16_column_desc;
extern const struct lb_tstruct lb_t_i32_column_desc;
extern const struct lb_tstruct lb_t_i64_column_desc;
extern const struct lb_tstruct lb_t_double_column_desc;
extern const struct lb_tstruct lb_t_string_column_desc;
extern const struct lb_tstruct lb_t_binary_column_desc;
extern const struct lb_tstruct lb_t_column_desc;
extern const struct lb_tstruct lb_t_bool_value_desc;
extern const struct lb_tstruct lb_t_byte_value_desc;
extern const struct lb_tstruct lb_t_i16_value_desc;
extern const struct lb_tstruct lb_t_i32_value_desc;
extern const struct lb_tstruct lb_t_i64_value_desc;
extern const struct lb_tstruct lb_t_double_value_desc;
extern const struct lb_tstruct lb_t_string_value_desc;
extern const struct lb_tstruct lb_t_column_value_desc;
extern const struct lb_tstruct lb_t_row_desc;
extern const struct lb_tstruct lb_t_spark_arrow_batch_desc;
extern const struct lb_tstruct lb_t_spark_arrow_result_link_desc;
extern const struct lb_tstruct lb_t_row_set_desc;
extern const struct lb_tstruct lb_t_fetch_results_req_desc;
extern const struct lb_tstruct lb_t_fetch_results_resp_desc;
extern const struct lb_tstruct lb_t_spark_direct_results_desc;
extern const struct lb_tstruct lb_t_get_type_info_resp_desc;
extern const struct lb_tstruct lb_t_get_catalogs_resp_desc;
extern const struct lb_tstruct lb_t_get_schemas_resp_desc;
extern const struct lb_tstruct lb_t_get_tables_resp_desc;
extern const struct lb_tstruct lb_t_get_table_types_resp_desc;
extern const struct lb_tstruct lb_t_get_columns_resp_desc;
extern const struct lb_tstruct lb_t_get_functions_resp_desc;
extern const struct lb_tstruct lb_t_get_primary_keys_resp_desc;
extern const struct lb_tstruct lb_t_get_cross_reference_resp_desc;

/* Every descriptor above, for tests that walk the tables. */
extern const struct lb_tstruct *const lb_tcli_all[];
extern const size_t lb_tcli_all_count;

#endif
