/* SPDX-License-Identifier: Apache-2.0 */
/* adbc-error-handling: the struct in its two sizes, who owns what of it, details, and
 * which status stands for what. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>

#include "conform.h"

static AdbcStatusCode fail_at_once(struct AdbcError *error) {
  struct AdbcDatabase db = {0};
  return e2e_driver.DatabaseInit(&db, error);
}

static void test_null_error_of_databases_and_connections(void) {
  const struct AdbcDriver *d = &e2e_driver;
  struct AdbcDatabase db = {0};
  struct AdbcConnection conn = {0};
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  int64_t number = 0;
  double real = 0;
  size_t len = 0;
  uint8_t byte = 0;
  GIVES(INVALID_STATE, d->DatabaseInit(&db, NULL));
  GIVES(INVALID_ARGUMENT, d->DatabaseNew(NULL, NULL));
  GIVES(INVALID_STATE, d->DatabaseSetOption(&db, "k", "v", NULL));
  GIVES(INVALID_STATE, d->DatabaseSetOptionBytes(&db, "k", &byte, 1, NULL));
  GIVES(INVALID_STATE, d->DatabaseSetOptionDouble(&db, "k", 0.5, NULL));
  GIVES(INVALID_STATE, d->DatabaseSetOptionInt(&db, "k", 1, NULL));
  GIVES(INVALID_STATE, d->DatabaseGetOption(&db, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->DatabaseGetOptionBytes(&db, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->DatabaseGetOptionDouble(&db, "k", &real, NULL));
  GIVES(INVALID_STATE, d->DatabaseGetOptionInt(&db, "k", &number, NULL));
  GIVES(INVALID_STATE, d->DatabaseRelease(&db, NULL));
  GIVES(INVALID_ARGUMENT, d->ConnectionNew(NULL, NULL));
  GIVES(INVALID_STATE, d->ConnectionInit(&conn, &db, NULL));
  GIVES(INVALID_STATE, d->ConnectionSetOption(&conn, "k", "v", NULL));
  GIVES(INVALID_STATE, d->ConnectionSetOptionBytes(&conn, "k", &byte, 1, NULL));
  GIVES(INVALID_STATE, d->ConnectionSetOptionDouble(&conn, "k", 0.5, NULL));
  GIVES(INVALID_STATE, d->ConnectionSetOptionInt(&conn, "k", 1, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetOption(&conn, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetOptionBytes(&conn, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetOptionDouble(&conn, "k", &real, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetOptionInt(&conn, "k", &number, NULL));
  GIVES(INVALID_STATE, d->ConnectionCancel(&conn, NULL));
  GIVES(INVALID_STATE, d->ConnectionCommit(&conn, NULL));
  GIVES(INVALID_STATE, d->ConnectionRollback(&conn, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetInfo(&conn, NULL, 0, &stream, NULL));
  GIVES(INVALID_STATE,
        d->ConnectionGetObjects(&conn, 0, NULL, NULL, NULL, NULL, NULL, &stream, NULL));
  GIVES(INVALID_STATE,
        d->ConnectionGetTableSchema(&conn, NULL, NULL, "t", &schema, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetTableTypes(&conn, &stream, NULL));
  GIVES(INVALID_STATE,
        d->ConnectionGetStatistics(&conn, NULL, NULL, NULL, 1, &stream, NULL));
  GIVES(INVALID_STATE, d->ConnectionGetStatisticNames(&conn, &stream, NULL));
  GIVES(INVALID_STATE, d->ConnectionReadPartition(&conn, &byte, 1, &stream, NULL));
  GIVES(INVALID_STATE, d->ConnectionRelease(&conn, NULL));
}

static void test_null_error_of_statements(void) {
  const struct AdbcDriver *d = &e2e_driver;
  struct AdbcConnection conn = {0};
  struct AdbcStatement stmt = {0};
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct AdbcPartitions partitions = {0};
  int64_t number = 0;
  double real = 0;
  size_t len = 0;
  uint8_t byte = 0;
  GIVES(INVALID_STATE, d->StatementNew(&conn, &stmt, NULL));
  GIVES(INVALID_STATE, d->StatementSetOption(&stmt, "k", "v", NULL));
  GIVES(INVALID_STATE, d->StatementSetOptionBytes(&stmt, "k", &byte, 1, NULL));
  GIVES(INVALID_STATE, d->StatementSetOptionDouble(&stmt, "k", 0.5, NULL));
  GIVES(INVALID_STATE, d->StatementSetOptionInt(&stmt, "k", 1, NULL));
  GIVES(INVALID_STATE, d->StatementGetOption(&stmt, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->StatementGetOptionBytes(&stmt, "k", NULL, &len, NULL));
  GIVES(INVALID_STATE, d->StatementGetOptionDouble(&stmt, "k", &real, NULL));
  GIVES(INVALID_STATE, d->StatementGetOptionInt(&stmt, "k", &number, NULL));
  GIVES(INVALID_STATE, d->StatementSetSqlQuery(&stmt, "SELECT 1", NULL));
  GIVES(INVALID_STATE, d->StatementSetSubstraitPlan(&stmt, &byte, 1, NULL));
  GIVES(INVALID_STATE, d->StatementPrepare(&stmt, NULL));
  GIVES(INVALID_STATE, d->StatementGetParameterSchema(&stmt, &schema, NULL));
  GIVES(INVALID_STATE, d->StatementBind(&stmt, &array, &schema, NULL));
  GIVES(INVALID_STATE, d->StatementBindStream(&stmt, &stream, NULL));
  GIVES(INVALID_STATE, d->StatementExecuteQuery(&stmt, &stream, NULL, NULL));
  GIVES(INVALID_STATE, d->StatementExecuteSchema(&stmt, &schema, NULL));
  GIVES(INVALID_STATE,
        d->StatementExecutePartitions(&stmt, &schema, &partitions, NULL, NULL));
  GIVES(INVALID_STATE, d->StatementCancel(&stmt, NULL));
  GIVES(INVALID_STATE, d->StatementRelease(&stmt, NULL));
}

/* The server's errors, too: they have most to tell. */
static void test_null_error_of_live_objects(void) {
  struct session s;
  struct ArrowArrayStream stream = {0};
  session_open(&s, "SELEC 1");
  GIVES(INVALID_ARGUMENT, e2e_driver.StatementExecuteQuery(&s.stmt, &stream, NULL, NULL));
  GIVES(INVALID_ARGUMENT, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, NULL));
  GIVES(INVALID_ARGUMENT, e2e_driver.StatementSetSqlQuery(&s.stmt, NULL, NULL));
  GIVES(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, NULL));
  GIVES(NOT_IMPLEMENTED, e2e_driver.ConnectionSetOption(&s.conn, "nil", "1", NULL));
  GIVES(INVALID_STATE, e2e_driver.ConnectionCommit(&s.conn, NULL));
  GIVES(INVALID_STATE, e2e_driver.DatabaseInit(&s.db, NULL));
  session_close(&s);
}

static void test_short_error_is_not_overrun(void) {
  struct AdbcError *error = exactly(ADBC_ERROR_1_0_0_SIZE);
  struct session s;
  session_open(&s, "SELECT * FROM no_such_table");
  GIVES(NOT_FOUND, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, error));
  CHECK(error->message && memcmp(error->sqlstate, "42P01", 5) == 0);
  CHECK(error->vendor_code != ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA);
  CHECK(e2e_driver.ErrorGetDetailCount(error) == 0);
  CHECK(!e2e_driver.ErrorGetDetail(error, 0).key);
  error->release(error);
  CHECK(!error->message && !error->release);
  /* Again with what the first use has left in it, and with another vendor code. */
  error->vendor_code = 7;
  GIVES(INVALID_STATE, fail_at_once(error));
  error->release(error);
  session_close(&s);
  free(error);
}

static void test_private_fields_only_with_the_vendor_code(void) {
  struct AdbcError error = {0};
  error.private_data = &error;
  error.private_driver = &e2e_driver;
  GIVES(INVALID_STATE, fail_at_once(&error));
  CHECK(error.private_data == &error && error.private_driver == &e2e_driver);
  CHECK(e2e_driver.ErrorGetDetailCount(&error) == 0);
  error.release(&error);
  CHECK(error.private_data == &error && error.private_driver == &e2e_driver);
}

static void test_private_data_while_in_use(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  error.private_driver = &e2e_driver;
  GIVES(INVALID_STATE, fail_at_once(&error));
  CHECK(error.private_data && error.message && error.release);
  CHECK(error.vendor_code == ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA);
  CHECK(error.private_driver == &e2e_driver);
  error.release(&error);
  CHECK(!error.private_data && !error.message && !error.release);
  CHECK(error.private_driver == &e2e_driver);
}

static int foreign_releases;
static void foreign_release(struct AdbcError *error) {
  foreign_releases++;
  CHECK(strcmp(error->message, "of another driver") == 0);
  memset(error, 0, sizeof(*error));
}

static void test_old_message_is_released(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  struct session s;
  session_open(&s, "SELEC 1");
  for (int i = 0; i < 3; i++) GIVES(INVALID_STATE, fail_at_once(&error));
  GIVES(INVALID_ARGUMENT, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &error));
  CHECK(strstr(error.message, "SELEC"));
  GIVES(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &error));
  CHECK(!strstr(error.message, "SELEC"));
  error.release(&error);
  session_close(&s);
  char text[] = "of another driver";
  error = (struct AdbcError)ADBC_ERROR_INIT;
  error.message = text;
  error.release = foreign_release;
  GIVES(INVALID_STATE, fail_at_once(&error));
  CHECK(foreign_releases == 1 && e2e_driver.ErrorGetDetailCount(&error) > 0);
  error.release(&error);
}

static void test_success_leaves_the_error_alone(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  const struct AdbcError before = error;
  struct AdbcDatabase db = {0};
  GIVES(ADBC_STATUS_OK, e2e_driver.DatabaseNew(&db, &error));
  GIVES(ADBC_STATUS_OK, e2e_driver.DatabaseRelease(&db, &error));
  CHECK(memcmp(&error, &before, sizeof(error)) == 0);
}

static void check_sqlstate(const struct AdbcError *error, const char *wanted) {
  if (!wanted) wanted = "\0\0\0\0\0";
  CHECK(memcmp(error->sqlstate, wanted, 5) == 0);
}

static void test_sqlstate_is_five_zeros_when_not_set(void) {
  struct session s;
  struct AdbcError error = ADBC_ERROR_INIT;
  session_open(&s, "SELECT 1");
  memset(error.sqlstate, 'x', 5);
  fault("\"where\": \"ExecuteStatement\", \"do\": {\"kind\": \"error\", \"sqlstate\": "
        "\"23505\"}");
  GIVES(ADBC_STATUS_INTEGRITY,
        e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &error));
  check_sqlstate(&error, "23505");
  error.release(&error);
  memset(error.sqlstate, 'x', 5);
  fault("\"where\": \"ExecuteStatement\", \"do\": {\"kind\": \"error\", \"sqlstate\": "
        "\"\"}");
  CHECK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &error) != 0);
  bool unset = memcmp(error.sqlstate, "\0\0\0\0\0", 5) == 0;
  for (int i = 0; i < 5; i++) CHECK(unset || isalnum((unsigned char)error.sqlstate[i]));
  error.release(&error);
  session_close(&s);
}

static void test_details_have_bounds(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  CHECK(e2e_driver.ErrorGetDetailCount(&error) == 0);
  CHECK(e2e_driver.ErrorGetDetailCount(NULL) == 0);
  GIVES(INVALID_STATE, fail_at_once(&error));
  int count = e2e_driver.ErrorGetDetailCount(&error);
  CHECK(count > 0);
  const int wrong[] = {-1, count, count + 1, INT_MIN, INT_MAX};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    struct AdbcErrorDetail none = e2e_driver.ErrorGetDetail(&error, wrong[i]);
    CHECK(!none.key && !none.value && none.value_length == 0);
    none = e2e_driver.ErrorGetDetail(NULL, wrong[i]);
    CHECK(!none.key && !none.value && none.value_length == 0);
  }
  error.release(&error);
  CHECK(e2e_driver.ErrorGetDetailCount(&error) == 0);
  CHECK(!e2e_driver.ErrorGetDetail(&error, 0).key);
}

static void test_details_live_until_release(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  struct session s;
  session_open(&s, "SELECT * FROM no_such_table");
  GIVES(NOT_FOUND, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &error));
  session_close(&s);
  int count = e2e_driver.ErrorGetDetailCount(&error);
  bool query_id = false;
  for (int i = 0; i < count; i++) {
    struct AdbcErrorDetail detail = e2e_driver.ErrorGetDetail(&error, i);
    struct AdbcErrorDetail again = e2e_driver.ErrorGetDetail(&error, i);
    CHECK(detail.key && detail.value && detail.value_length > 0);
    CHECK(again.key == detail.key && again.value == detail.value);
    query_id =
        query_id || (strcmp(detail.key, "query_id") == 0 && detail.value_length == 36);
  }
  CHECK(count > 1 && query_id);
  error.release(&error);
}

/* An error that somebody moved by assignment still knows its details. */
static void test_error_may_be_moved(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  GIVES(INVALID_STATE, fail_at_once(&error));
  struct AdbcError moved = error;
  memset(&error, 0xab, sizeof(error));
  CHECK(e2e_driver.ErrorGetDetailCount(&moved) > 0);
  moved.release(&moved);
  CHECK(!moved.message && !moved.private_data);
}

struct meaning {
  const char *sql;
  const char *fault; /* or NULL */
  AdbcStatusCode code;
  const char *sqlstate;
};

#define SERVER_ERROR(state) \
  "\"where\": \"ExecuteStatement\", \"do\": {\"kind\": \"error\", \"sqlstate\": " \
  "\"" state "\", \"message\": \"no\"}"
static const struct meaning meanings[] = {
    {"SELEC 1", NULL, ADBC_STATUS_INVALID_ARGUMENT, "42601"},
    {"SELECT nope FROM range(1)", NULL, ADBC_STATUS_INVALID_ARGUMENT, "42703"},
    {"SELECT * FROM no_such_table", NULL, ADBC_STATUS_NOT_FOUND, "42P01"},
    {"CREATE TABLE conform_twice (a INT)", NULL, ADBC_STATUS_ALREADY_EXISTS, "42P07"},
    {"SELECT 1 / 0", NULL, ADBC_STATUS_INVALID_DATA, "22012"},
    {"SELECT 1", SERVER_ERROR("23505"), ADBC_STATUS_INTEGRITY, "23505"},
    {"SELECT 1", SERVER_ERROR("42501"), ADBC_STATUS_UNAUTHORIZED, "42501"},
};

static void test_statuses_mean_what_they_say(void) {
  struct session s;
  session_open(&s, NULL);
  run_sql(&s.conn, "CREATE OR REPLACE TABLE conform_twice (a INT)");
  for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
    const struct meaning *m = &meanings[i];
    if (m->fault) fault(m->fault);
    OK(e2e_driver.StatementSetSqlQuery(&s.stmt, m->sql, &e2e_error));
    struct AdbcError error = ADBC_ERROR_INIT;
    GIVES(m->code, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &error));
    check_sqlstate(&error, m->sqlstate);
    error.release(&error);
    e2e_control("DELETE", "/faults", NULL);
  }
  run_sql(&s.conn, "DROP TABLE conform_twice");
  session_close(&s);
}

static AdbcStatusCode connect_with(const char *key, const char *value) {
  struct AdbcDatabase db;
  struct AdbcConnection conn = {0};
  e2e_database(&db, "databricks.retry_timeout_seconds", "1",
               "databricks.request_timeout_seconds", "1", key, value, NULL);
  OK(e2e_driver.ConnectionNew(&conn, &e2e_error));
  AdbcStatusCode code = e2e_driver.ConnectionInit(&conn, &db, &e2e_error);
  struct AdbcError kept = e2e_error;
  e2e_error = (struct AdbcError)ADBC_ERROR_INIT;
  e2e_close(NULL, &conn, &db);
  e2e_error = kept;
  return code;
}

static void test_statuses_of_connecting(void) {
  FAILS(ADBC_STATUS_UNAUTHENTICATED,
        connect_with("databricks.access_token", "dapi0000000000000000"));
  FAILS(ADBC_STATUS_IO, connect_with("uri", "http://127.0.0.1:1/sql/1.0/warehouses/x"));
  fault("\"where\": \"OpenSession\", \"do\": {\"kind\": \"status\", \"code\": 403}");
  FAILS(ADBC_STATUS_UNAUTHORIZED, connect_with("databricks.heartbeat.enabled", "false"));
  fault("\"where\": \"OpenSession\", \"do\": \"hang\", \"times\": 0");
  FAILS(ADBC_STATUS_TIMEOUT, connect_with("databricks.connect_timeout_seconds", "1"));
}

TEST_MAIN(TEST(test_null_error_of_databases_and_connections),
          TEST(test_null_error_of_statements), TEST(test_null_error_of_live_objects),
          TEST(test_short_error_is_not_overrun),
          TEST(test_private_fields_only_with_the_vendor_code),
          TEST(test_private_data_while_in_use), TEST(test_old_message_is_released),
          TEST(test_success_leaves_the_error_alone),
          TEST(test_sqlstate_is_five_zeros_when_not_set), TEST(test_details_have_bounds),
          TEST(test_details_live_until_release), TEST(test_error_may_be_moved),
          TEST(test_statuses_mean_what_they_say), TEST(test_statuses_of_connecting))
