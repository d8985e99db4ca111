/* SPDX-License-Identifier: Apache-2.0 */
/* The table of entry points. Every slot is filled: a caller without a driver manager
 * would jump to NULL. What the driver does not do says so and what to do instead. */
#include <string.h>

#include "adbc/objects.h"
#include "adbc/stream.h"
#include "lakebeat/lakebeat.h"

_Static_assert(ADBC_DRIVER_1_0_0_SIZE == 29 * sizeof(void *),
               "callers of 1.0.0 own so much");
_Static_assert(ADBC_DRIVER_1_1_0_SIZE == 58 * sizeof(void *),
               "callers of 1.1.0 own so much");

/* The eight option entries of one object. */
#define OPTION_ENTRIES(type, name) \
  static AdbcStatusCode name##_set_option(struct type *object, const char *key, \
                                          const char *value, struct AdbcError *error) { \
    return lb_adbc_set_text(lb_adbc_of_##name(object), #name, key, value, error); \
  } \
  static AdbcStatusCode name##_set_bytes(struct type *object, const char *key, \
                                         const uint8_t *value, size_t len, \
                                         struct AdbcError *error) { \
    return lb_adbc_set_bytes(lb_adbc_of_##name(object), #name, key, value, len, error); \
  } \
  static AdbcStatusCode name##_set_int(struct type *object, const char *key, \
                                       int64_t value, struct AdbcError *error) { \
    return lb_adbc_set_int(lb_adbc_of_##name(object), #name, key, value, error); \
  } \
  static AdbcStatusCode name##_set_double(struct type *object, const char *key, \
                                          double value, struct AdbcError *error) { \
    return lb_adbc_set_double(lb_adbc_of_##name(object), #name, key, value, error); \
  } \
  static AdbcStatusCode name##_get_option(struct type *object, const char *key, \
                                          char *value, size_t *len, \
                                          struct AdbcError *error) { \
    return lb_adbc_get_text(lb_adbc_of_##name(object), #name, key, value, len, error); \
  } \
  static AdbcStatusCode name##_get_bytes(struct type *object, const char *key, \
                                         uint8_t *value, size_t *len, \
                                         struct AdbcError *error) { \
    return lb_adbc_get_bytes(lb_adbc_of_##name(object), #name, key, value, len, error); \
  } \
  static AdbcStatusCode name##_get_int(struct type *object, const char *key, \
                                       int64_t *value, struct AdbcError *error) { \
    return lb_adbc_get_int(lb_adbc_of_##name(object), #name, key, value, error); \
  } \
  static AdbcStatusCode name##_get_double(struct type *object, const char *key, \
                                          double *value, struct AdbcError *error) { \
    return lb_adbc_get_double(lb_adbc_of_##name(object), #name, key, value, error); \
  }

OPTION_ENTRIES(AdbcDatabase, database)
OPTION_ENTRIES(AdbcConnection, connection)
OPTION_ENTRIES(AdbcStatement, statement)

/* What is not offered. */

static AdbcStatusCode refuse(const struct lb_adbc_object *obj, const char *name,
                             const char *text, struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_adbc_object_check_ready(obj, name, &err);
  if (status == LB_OK) status = lb_error_set(&err, LB_NOT_IMPLEMENTED, "%s", text);
  return lb_adbc_finish(status, &err, error);
}

static AdbcStatusCode connection_read_partition(struct AdbcConnection *connection,
                                                const uint8_t *data, size_t len,
                                                struct ArrowArrayStream *out,
                                                struct AdbcError *error) {
  (void)data, (void)len, (void)out;
  return refuse(lb_adbc_of_connection(connection), "connection",
                "partitioned results are not offered; use ExecuteQuery", error);
}

static AdbcStatusCode statement_execute_partitions(struct AdbcStatement *statement,
                                                   struct ArrowSchema *schema,
                                                   struct AdbcPartitions *partitions,
                                                   int64_t *rows_affected,
                                                   struct AdbcError *error) {
  (void)schema, (void)partitions, (void)rows_affected;
  return refuse(lb_adbc_of_statement(statement), "statement",
                "partitioned results are not offered; use ExecuteQuery", error);
}

static AdbcStatusCode statement_set_substrait(struct AdbcStatement *statement,
                                              const uint8_t *plan, size_t len,
                                              struct AdbcError *error) {
  (void)plan, (void)len;
  return refuse(lb_adbc_of_statement(statement), "statement",
                "Substrait plans are not understood by the server; set an SQL query",
                error);
}

/* Objects outlive the driver struct; there is nothing that hangs on it. */
static AdbcStatusCode driver_release(struct AdbcDriver *driver, struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  if (driver == NULL || driver->release == NULL) {
    return lb_adbc_finish(
        lb_error_set(&err, LB_INVALID_STATE, "the driver has been released"), &err,
        error);
  }
  driver->private_data = NULL;
  driver->release = NULL;
  return ADBC_STATUS_OK;
}

static const struct AdbcDriver table = {
    .release = driver_release,

    .DatabaseInit = lb_adbc_database_init,
    .DatabaseNew = lb_adbc_database_new,
    .DatabaseSetOption = database_set_option,
    .DatabaseRelease = lb_adbc_database_release,

    .ConnectionCommit = lb_adbc_connection_commit,
    .ConnectionGetInfo = lb_adbc_connection_get_info,
    .ConnectionGetObjects = lb_adbc_connection_get_objects,
    .ConnectionGetTableSchema = lb_adbc_connection_get_table_schema,
    .ConnectionGetTableTypes = lb_adbc_connection_get_table_types,
    .ConnectionInit = lb_adbc_connection_init,
    .ConnectionNew = lb_adbc_connection_new,
    .ConnectionSetOption = connection_set_option,
    .ConnectionReadPartition = connection_read_partition,
    .ConnectionRelease = lb_adbc_connection_release,
    .ConnectionRollback = lb_adbc_connection_rollback,

    .StatementBind = lb_adbc_statement_bind,
    .StatementBindStream = lb_adbc_statement_bind_stream,
    .StatementExecuteQuery = lb_adbc_statement_execute,
    .StatementExecutePartitions = statement_execute_partitions,
    .StatementGetParameterSchema = lb_adbc_statement_get_parameter_schema,
    .StatementNew = lb_adbc_statement_new,
    .StatementPrepare = lb_adbc_statement_prepare,
    .StatementRelease = lb_adbc_statement_release,
    .StatementSetOption = statement_set_option,
    .StatementSetSqlQuery = lb_adbc_statement_set_sql,
    .StatementSetSubstraitPlan = statement_set_substrait,

    .ErrorGetDetailCount = lb_adbc_error_detail_count,
    .ErrorGetDetail = lb_adbc_error_detail,
    .ErrorFromArrayStream = lb_adbc_stream_error,

    .DatabaseGetOption = database_get_option,
    .DatabaseGetOptionBytes = database_get_bytes,
    .DatabaseGetOptionDouble = database_get_double,
    .DatabaseGetOptionInt = database_get_int,
    .DatabaseSetOptionBytes = database_set_bytes,
    .DatabaseSetOptionDouble = database_set_double,
    .DatabaseSetOptionInt = database_set_int,

    .ConnectionCancel = lb_adbc_connection_cancel,
    .ConnectionGetOption = connection_get_option,
    .ConnectionGetOptionBytes = connection_get_bytes,
    .ConnectionGetOptionDouble = connection_get_double,
    .ConnectionGetOptionInt = connection_get_int,
    .ConnectionGetStatistics = lb_adbc_connection_get_statistics,
    .ConnectionGetStatisticNames = lb_adbc_connection_get_statistic_names,
    .ConnectionSetOptionBytes = connection_set_bytes,
    .ConnectionSetOptionDouble = connection_set_double,
    .ConnectionSetOptionInt = connection_set_int,

    .StatementCancel = lb_adbc_statement_cancel,
    .StatementExecuteSchema = lb_adbc_statement_execute_schema,
    .StatementGetOption = statement_get_option,
    .StatementGetOptionBytes = statement_get_bytes,
    .StatementGetOptionDouble = statement_get_double,
    .StatementGetOptionInt = statement_get_int,
    .StatementSetOptionBytes = statement_set_bytes,
    .StatementSetOptionDouble = statement_set_double,
    .StatementSetOptionInt = statement_set_int,
};

static enum lb_status load(int version, void *raw_driver, struct lb_error *err) {
  if (version != ADBC_VERSION_1_0_0 && version != ADBC_VERSION_1_1_0) {
    return lb_error_set(
        err, LB_NOT_IMPLEMENTED,
        "ADBC version %d is not known to this driver; it speaks %d and %d", version,
        ADBC_VERSION_1_0_0, ADBC_VERSION_1_1_0);
  }
  if (raw_driver == NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the driver is NULL");
  }
  size_t size =
      version == ADBC_VERSION_1_0_0 ? ADBC_DRIVER_1_0_0_SIZE : ADBC_DRIVER_1_1_0_SIZE;
  memcpy(raw_driver, &table, size);
  return LB_OK;
}

uint8_t AdbcDriverLakebeatInit(int version, void *raw_driver, struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  return lb_adbc_finish(load(version, raw_driver, &err), &err, error);
}

uint8_t AdbcDriverInit(int version, void *raw_driver, struct AdbcError *error) {
  return AdbcDriverLakebeatInit(version, raw_driver, error);
}
