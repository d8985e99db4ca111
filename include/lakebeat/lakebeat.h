/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may want to know of lakebeat beyond adbc.h: the names of its options
 * (docs/OPTIONS.md says what they mean), of what can only be read, and of its entry
 * points. Nothing here needs lakebeat to be linked but the entry points. */
#ifndef LAKEBEAT_LAKEBEAT_H
#define LAKEBEAT_LAKEBEAT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where to connect and as whom; on the database. */
#define LAKEBEAT_OPTION_URI "uri"
#define LAKEBEAT_OPTION_SERVER_HOSTNAME "databricks.server_hostname"
#define LAKEBEAT_OPTION_HTTP_PATH "databricks.http_path"
#define LAKEBEAT_OPTION_PORT "databricks.port"
#define LAKEBEAT_OPTION_ACCESS_TOKEN "databricks.access_token"
#define LAKEBEAT_OPTION_USERNAME "username"
#define LAKEBEAT_OPTION_PASSWORD "password"
#define LAKEBEAT_OPTION_SERVER_KIND "databricks.server_kind"

/* How a session starts; on the database or the connection. The prefix is followed by the
 * name of a session setting. */
#define LAKEBEAT_OPTION_CATALOG "databricks.catalog"
#define LAKEBEAT_OPTION_SCHEMA "databricks.schema"
#define LAKEBEAT_OPTION_SESSION_CONF_PREFIX "databricks.session_conf."

/* Statements and their results; on the database, the connection or the statement. */
#define LAKEBEAT_OPTION_QUERY_TIMEOUT_SECONDS "databricks.query_timeout_seconds"
#define LAKEBEAT_OPTION_QUERY_TAGS "databricks.query_tags"
#define LAKEBEAT_OPTION_VOLUME_ALLOWED_LOCAL_PATHS "databricks.volume.allowed_local_paths"
#define LAKEBEAT_OPTION_ARROW "databricks.arrow"
#define LAKEBEAT_OPTION_MAX_ROWS_PER_FETCH "databricks.max_rows_per_fetch"
#define LAKEBEAT_OPTION_MAX_BYTES_PER_FETCH "databricks.max_bytes_per_fetch"
#define LAKEBEAT_OPTION_PREFETCH_PAGES "databricks.prefetch_pages"
#define LAKEBEAT_OPTION_BATCH_TARGET_ROWS "databricks.batch_target_rows"
#define LAKEBEAT_OPTION_MEMORY_BUDGET_BYTES "databricks.memory_budget_bytes"
#define LAKEBEAT_OPTION_CLOUDFETCH_ENABLED "databricks.cloudfetch.enabled"
#define LAKEBEAT_OPTION_CLOUDFETCH_PARALLEL_DOWNLOADS \
  "databricks.cloudfetch.parallel_downloads"
#define LAKEBEAT_OPTION_CLOUDFETCH_FALLBACK "databricks.cloudfetch.fallback"
#define LAKEBEAT_OPTION_DECODE_THREADS "databricks.decode_threads"

/* Deadlines and transport; on the database. */
#define LAKEBEAT_OPTION_CONNECT_TIMEOUT_SECONDS "databricks.connect_timeout_seconds"
#define LAKEBEAT_OPTION_REQUEST_TIMEOUT_SECONDS "databricks.request_timeout_seconds"
#define LAKEBEAT_OPTION_RETRY_TIMEOUT_SECONDS "databricks.retry_timeout_seconds"
#define LAKEBEAT_OPTION_CLOSE_TIMEOUT_SECONDS "databricks.close_timeout_seconds"
#define LAKEBEAT_OPTION_TLS_CA_FILE "databricks.tls.ca_file"
#define LAKEBEAT_OPTION_CLOUDFETCH_PROXY "databricks.cloudfetch.proxy"
#define LAKEBEAT_OPTION_CLOUDFETCH_CA_FILE "databricks.cloudfetch.ca_file"
#define LAKEBEAT_OPTION_TLS_INSECURE_SKIP_VERIFY "databricks.tls.insecure_skip_verify"
#define LAKEBEAT_OPTION_TLS_ALLOW_TOKEN_OVER_HTTP "databricks.tls.allow_token_over_http"
#define LAKEBEAT_OPTION_LOG_LEVEL "databricks.log_level"

/* The heartbeat; on the database, the connection or the statement. */
#define LAKEBEAT_OPTION_HEARTBEAT_ENABLED "databricks.heartbeat.enabled"
#define LAKEBEAT_OPTION_HEARTBEAT_INTERVAL_SECONDS "databricks.heartbeat.interval_seconds"
#define LAKEBEAT_OPTION_HEARTBEAT_REQUEST_TIMEOUT_SECONDS \
  "databricks.heartbeat.request_timeout_seconds"
#define LAKEBEAT_OPTION_HEARTBEAT_MAX_FAILURES "databricks.heartbeat.max_failures"
#define LAKEBEAT_OPTION_HEARTBEAT_MAX_IDLE_SECONDS "databricks.heartbeat.max_idle_seconds"
#define LAKEBEAT_OPTION_HEARTBEAT_MAX_LIFETIME_SECONDS \
  "databricks.heartbeat.max_lifetime_seconds"
#define LAKEBEAT_OPTION_HEARTBEAT_PROBE "databricks.heartbeat.probe"

/* To be read, from any thread, on a statement for its latest result, on a connection and
 * a database in sum: state and reason as text, the others also as integers. */
#define LAKEBEAT_HEARTBEAT_STATE "databricks.heartbeat.state"
#define LAKEBEAT_HEARTBEAT_REASON "databricks.heartbeat.reason"
#define LAKEBEAT_HEARTBEAT_ARMED "databricks.heartbeat.armed"
#define LAKEBEAT_HEARTBEAT_OLDEST_IDLE_MS "databricks.heartbeat.oldest_idle_ms"
#define LAKEBEAT_HEARTBEAT_PROBES_SENT "databricks.heartbeat.probes_sent"
#define LAKEBEAT_HEARTBEAT_PROBES_SUCCEEDED "databricks.heartbeat.probes_succeeded"
#define LAKEBEAT_HEARTBEAT_PROBES_FAILED "databricks.heartbeat.probes_failed"
#define LAKEBEAT_HEARTBEAT_PROBES_DROPPED "databricks.heartbeat.probes_dropped"
#define LAKEBEAT_HEARTBEAT_POSTPONED "databricks.heartbeat.postponed"
#define LAKEBEAT_HEARTBEAT_BYTES "databricks.heartbeat.bytes"
#define LAKEBEAT_HEARTBEAT_LATE_MAX_MS "databricks.heartbeat.late_max_ms"
#define LAKEBEAT_HEARTBEAT_SINCE_CONTACT_MS "databricks.heartbeat.since_contact_ms"
#define LAKEBEAT_HEARTBEAT_GATES_CLOSED "databricks.heartbeat.gates_closed"
/* Before the name of a counter: its sum over all databases of the process. */
#define LAKEBEAT_HEARTBEAT_PROCESS_PREFIX "databricks.heartbeat.process."
/* On a statement: the id of its latest execution as the server prints it. */
#define LAKEBEAT_QUERY_ID "databricks.query_id"

/* Keys of error details (AdbcErrorGetDetail), values as text. The native code is the
 * server's own number of the error: struct AdbcError has no room for it beside details.
 */
#define LAKEBEAT_DETAIL_QUERY_ID "query_id"
#define LAKEBEAT_DETAIL_HTTP_STATUS "http_status"
#define LAKEBEAT_DETAIL_ERROR_CLASS "error_class"
#define LAKEBEAT_DETAIL_RETRYABLE "retryable"
#define LAKEBEAT_DETAIL_NATIVE_CODE "native_code"

#if defined(__GNUC__)
#define LAKEBEAT_EXPORT __attribute__((visibility("default")))
#else
#define LAKEBEAT_EXPORT
#endif

struct AdbcError;

/* Fill the struct AdbcDriver at raw_driver for ADBC_VERSION_1_0_0 or ADBC_VERSION_1_1_0
 * and return an AdbcStatusCode. Both names are the same function. */
LAKEBEAT_EXPORT uint8_t AdbcDriverLakebeatInit(int version, void *raw_driver,
                                               struct AdbcError *error);
LAKEBEAT_EXPORT uint8_t AdbcDriverInit(int version, void *raw_driver,
                                       struct AdbcError *error);

#ifdef __cplusplus
}
#endif

#endif
