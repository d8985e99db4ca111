/* SPDX-License-Identifier: Apache-2.0 */
/* The driver through its table of entry points, as a driver manager uses it, as far as no
 * server is needed: versions and short structs, errors, order of calls, options. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "adbc/objects.h"
#include "base/os.h"
#include "base/test_support.h"
#include "io/budget.h"
#include "lakebeat/lakebeat.h"

#define SECRET "dapi0123456789abcdef"
/* Nothing listens on port 1. */
#define NOWHERE "http://127.0.0.1:1/cliservice"

static struct AdbcDriver load(void) {
  struct AdbcDriver driver = {0};
  assert_int_equal(AdbcDriverInit(ADBC_VERSION_1_1_0, &driver, NULL), ADBC_STATUS_OK);
  return driver;
}

/* Expects code with a message that contains says; frees the error. */
static void failed(AdbcStatusCode code, AdbcStatusCode wanted, struct AdbcError *error,
                   const char *says) {
  if (code != wanted) print_error("%s\n", error->message ? error->message : "(none)");
  assert_int_equal(code, wanted);
  assert_non_null(error->message);
  assert_non_null(error->release);
  LB_TEST_CONTAINS(error->message, says);
  assert_null(strstr(error->message, SECRET));
  for (int i = 0; i < 5; i++) assert_true(error->sqlstate[i] != '\0');
  /* What is not found here, where there is no server, is an option: never a table. */
  if (code == ADBC_STATUS_NOT_FOUND) assert_memory_equal(error->sqlstate, "HY092", 5);
  error->release(error);
  assert_null(error->message);
  assert_null(error->release);
}

static void ok(AdbcStatusCode code, const struct AdbcError *error) {
  if (code != ADBC_STATUS_OK) print_error("%s\n", error->message);
  assert_int_equal(code, ADBC_STATUS_OK);
  assert_null(error->message);
}

/* Versions. */

static void test_every_slot_is_filled(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  /* All members behind the first two are functions. */
  void *slots[sizeof(driver) / sizeof(void *)];
  memcpy(slots, &driver, sizeof(driver));
  for (size_t i = 2; i < LB_ARRAY_LEN(slots); i++) assert_non_null(slots[i]);
  struct AdbcError error = ADBC_ERROR_INIT;
  ok(driver.release(&driver, &error), &error);
  assert_null(driver.release);
}

static void test_short_driver_is_not_overrun(void **state) {
  (void)state;
  unsigned char memory[sizeof(struct AdbcDriver)];
  memset(memory, 0xa5, sizeof(memory));
  assert_int_equal(ADBC_DRIVER_1_0_0_SIZE, 232);
  assert_int_equal(AdbcDriverLakebeatInit(ADBC_VERSION_1_0_0, memory, NULL),
                   ADBC_STATUS_OK);
  for (size_t i = ADBC_DRIVER_1_0_0_SIZE; i < sizeof(memory); i++) {
    assert_int_equal(memory[i], 0xa5);
  }
  void *slots[ADBC_DRIVER_1_0_0_SIZE / sizeof(void *)];
  memcpy(slots, memory, sizeof(slots));
  for (size_t i = 2; i < LB_ARRAY_LEN(slots); i++) assert_non_null(slots[i]);
}

static void test_other_versions_are_refused(void **state) {
  (void)state;
  static const int versions[] = {0, 1000, 1000001, 1002000, 2000000, -1};
  for (size_t i = 0; i < LB_ARRAY_LEN(versions); i++) {
    struct AdbcDriver driver = {0};
    struct AdbcError error = ADBC_ERROR_INIT;
    failed(AdbcDriverInit(versions[i], &driver, &error), ADBC_STATUS_NOT_IMPLEMENTED,
           &error, "1000000");
    assert_null(driver.DatabaseNew);
    assert_int_equal(AdbcDriverInit(versions[i], &driver, NULL),
                     ADBC_STATUS_NOT_IMPLEMENTED);
  }
  struct AdbcError error = ADBC_ERROR_INIT;
  failed(AdbcDriverInit(ADBC_VERSION_1_1_0, NULL, &error), ADBC_STATUS_INVALID_ARGUMENT,
         &error, "NULL");
}

/* Errors. */

static void test_short_error_is_not_overrun(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  unsigned char memory[sizeof(struct AdbcError)];
  memset(memory, 0xa5, sizeof(memory));
  struct AdbcError *error = (struct AdbcError *)(void *)memory;
  memset(memory, 0, ADBC_ERROR_1_0_0_SIZE);
  assert_int_equal(driver.DatabaseInit(NULL, error), ADBC_STATUS_INVALID_STATE);
  assert_non_null(error->message);
  assert_int_equal(error->vendor_code, 0);
  assert_int_equal(driver.ErrorGetDetailCount(error), 0);
  /* Again, without releasing it: the driver does that. */
  assert_int_equal(driver.ConnectionRelease(NULL, error), ADBC_STATUS_INVALID_STATE);
  LB_TEST_CONTAINS(error->message, "connection");
  error->release(error);
  assert_null(error->message);
  for (size_t i = ADBC_ERROR_1_0_0_SIZE; i < sizeof(memory); i++) {
    assert_int_equal(memory[i], 0xa5);
  }
}

static struct AdbcErrorDetail detail(struct AdbcDriver *driver,
                                     const struct AdbcError *error, const char *key) {
  for (int i = 0; i < driver->ErrorGetDetailCount(error); i++) {
    struct AdbcErrorDetail found = driver->ErrorGetDetail(error, i);
    if (strcmp(found.key, key) == 0) return found;
  }
  return (struct AdbcErrorDetail){0};
}

static void expect_detail(struct AdbcDriver *driver, const struct AdbcError *error,
                          const char *key, const char *wanted) {
  struct AdbcErrorDetail found = detail(driver, error, key);
  assert_non_null(found.key);
  assert_int_equal(found.value_length, strlen(wanted));
  assert_memory_equal(found.value, wanted, strlen(wanted));
}

static void test_error_details(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  struct lb_error err = LB_ERROR_INIT;
  lb_error_set(&err, LB_SERVER, "no such table");
  lb_error_set_sqlstate(&err, "42P01", 5);
  lb_error_set_class(&err, "TABLE_OR_VIEW_NOT_FOUND", 23);
  lb_error_set_query_id(&err, "01ee-id");
  err.http_status = 404;
  err.native_code = 7;
  struct AdbcError error = ADBC_ERROR_INIT;
  struct AdbcDriver *manager = (struct AdbcDriver *)&driver;
  error.private_driver = manager;
  assert_int_equal(lb_adbc_finish(LB_SERVER, &err, &error), ADBC_STATUS_NOT_FOUND);
  assert_string_equal(error.message, "no such table");
  assert_memory_equal(error.sqlstate, "42P01", 5);
  assert_int_equal(error.vendor_code, ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA);
  assert_ptr_equal(error.private_driver, manager);
  assert_int_equal(driver.ErrorGetDetailCount(&error), 5);
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_QUERY_ID, "01ee-id");
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_HTTP_STATUS, "404");
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_ERROR_CLASS, "TABLE_OR_VIEW_NOT_FOUND");
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_RETRYABLE, "false");
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_NATIVE_CODE, "7");
  static const int none[] = {-1, 5, 1000, INT32_MIN};
  for (size_t i = 0; i < LB_ARRAY_LEN(none); i++) {
    struct AdbcErrorDetail found = driver.ErrorGetDetail(&error, none[i]);
    assert_null(found.key);
    assert_null(found.value);
    assert_int_equal(found.value_length, 0);
  }
  error.release(&error);
  assert_null(error.private_data);
  assert_int_equal(driver.ErrorGetDetailCount(&error), 0);
  assert_int_equal(driver.ErrorGetDetailCount(NULL), 0);

  /* The longest number there is; none is no detail. */
  err.native_code = INT32_MIN;
  assert_int_equal(lb_adbc_finish(LB_SERVER, &err, &error), ADBC_STATUS_NOT_FOUND);
  expect_detail(&driver, &error, LAKEBEAT_DETAIL_NATIVE_CODE, "-2147483648");
  err.native_code = 0;
  assert_int_equal(lb_adbc_finish(LB_SERVER, &err, &error), ADBC_STATUS_NOT_FOUND);
  assert_null(detail(&driver, &error, LAKEBEAT_DETAIL_NATIVE_CODE).key);
  error.release(&error);
  err.native_code = 7;

  /* An old struct gets the number in the field that is for it. */
  struct AdbcError old = {0};
  assert_int_equal(lb_adbc_finish(LB_SERVER, &err, &old), ADBC_STATUS_NOT_FOUND);
  assert_int_equal(old.vendor_code, 7);
  assert_int_equal(driver.ErrorGetDetailCount(&old), 0);
  old.release(&old);
  err.native_code = ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
  assert_int_equal(lb_adbc_finish(LB_SERVER, &err, &old), ADBC_STATUS_NOT_FOUND);
  assert_int_equal(old.vendor_code, 0);
  old.release(&old);
}

static void foreign_release(struct AdbcError *error) { memset(error, 0, sizeof(*error)); }

static void test_error_in_use_is_released_first(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  struct AdbcError error = ADBC_ERROR_INIT;
  char text[] = "another driver's";
  error.message = text;
  error.release = foreign_release;
  assert_int_equal(driver.DatabaseInit(NULL, &error), ADBC_STATUS_INVALID_STATE);
  assert_true(driver.ErrorGetDetailCount(&error) > 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(driver.StatementRelease(NULL, &error), ADBC_STATUS_INVALID_STATE);
  }
  failed(ADBC_STATUS_INVALID_STATE, ADBC_STATUS_INVALID_STATE, &error, "statement");
}

static void test_error_without_memory(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  struct AdbcError error = ADBC_ERROR_INIT;
  for (int nth = 1; nth <= 2; nth++) {
    lb_mem_fail_nth(nth, true);
    assert_int_equal(driver.DatabaseInit(NULL, &error), ADBC_STATUS_INVALID_STATE);
    assert_true(lb_mem_failed());
    lb_mem_fail_nth(0, false);
    LB_TEST_CONTAINS(error.message, nth == 1 ? "out of memory" : "never made");
    assert_int_equal(driver.ErrorGetDetailCount(&error), 0);
    error.release(&error);
    assert_null(error.release);
  }
}

static void test_errno(void **state) {
  (void)state;
  static const int wanted[] = {
      [ADBC_STATUS_OK] = 0,
      [ADBC_STATUS_UNKNOWN] = EIO,
      [ADBC_STATUS_NOT_IMPLEMENTED] = ENOTSUP,
      [ADBC_STATUS_NOT_FOUND] = ENOENT,
      [ADBC_STATUS_ALREADY_EXISTS] = EEXIST,
      [ADBC_STATUS_INVALID_ARGUMENT] = EINVAL,
      [ADBC_STATUS_INVALID_STATE] = EINVAL,
      [ADBC_STATUS_INVALID_DATA] = EIO,
      [ADBC_STATUS_INTEGRITY] = EIO,
      [ADBC_STATUS_INTERNAL] = EIO,
      [ADBC_STATUS_IO] = EIO,
      [ADBC_STATUS_CANCELLED] = ECANCELED,
      [ADBC_STATUS_TIMEOUT] = ETIMEDOUT,
      [ADBC_STATUS_UNAUTHENTICATED] = EACCES,
      [ADBC_STATUS_UNAUTHORIZED] = EACCES,
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(wanted); i++) {
    assert_int_equal(lb_adbc_errno((AdbcStatusCode)i), wanted[i]);
  }
}

/* Order of calls. */

struct session {
  struct AdbcDriver driver;
  struct AdbcDatabase db;
  struct AdbcConnection conn;
  struct AdbcStatement stmt;
  struct AdbcError error;
};

static void session_new(struct session *s) {
  memset(s, 0, sizeof(*s));
  s->driver = load();
  s->error = ADBC_ERROR_INIT;
  ok(s->driver.DatabaseNew(&s->db, &s->error), &s->error);
  ok(s->driver.ConnectionNew(&s->conn, &s->error), &s->error);
}

static void session_release(struct session *s) {
  ok(s->driver.ConnectionRelease(&s->conn, &s->error), &s->error);
  ok(s->driver.DatabaseRelease(&s->db, &s->error), &s->error);
  assert_null(s->conn.private_data);
  assert_null(s->db.private_data);
}

static void db_set(struct session *s, const char *key, const char *value) {
  ok(s->driver.DatabaseSetOption(&s->db, key, value, &s->error), &s->error);
}

static void expect_option(struct session *s, const char *key, const char *wanted) {
  char text[256] = "?";
  size_t len = sizeof(text);
  ok(s->driver.DatabaseGetOption(&s->db, key, text, &len, &s->error), &s->error);
  assert_string_equal(text, wanted);
  assert_int_equal(len, strlen(wanted) + 1);
}

#define STATE ADBC_STATUS_INVALID_STATE

static void test_objects_that_were_never_made(void **state) {
  (void)state;
  struct AdbcDriver d = load();
  struct AdbcError e = ADBC_ERROR_INIT;
  struct AdbcDatabase db = {0};
  struct AdbcConnection conn = {0};
  struct AdbcStatement stmt = {0};
  struct ArrowArrayStream stream = {0};
  int64_t number = 0;
  double real = 0;
  size_t len = 0;
  failed(d.DatabaseInit(&db, &e), STATE, &e, "database");
  failed(d.DatabaseRelease(&db, &e), STATE, &e, "never made, or has been released");
  failed(d.DatabaseSetOption(&db, "uri", SECRET, &e), STATE, &e, "database");
  failed(d.DatabaseSetOptionInt(&db, "databricks.port", 1, &e), STATE, &e, "database");
  failed(d.DatabaseGetOption(&db, "uri", NULL, &len, &e), STATE, &e, "database");
  failed(d.DatabaseGetOptionInt(&db, "uri", &number, &e), STATE, &e, "database");
  failed(d.DatabaseGetOptionDouble(&db, "uri", &real, &e), STATE, &e, "database");
  failed(d.ConnectionInit(&conn, &db, &e), STATE, &e, "connection");
  failed(d.ConnectionRelease(&conn, &e), STATE, &e, "connection");
  failed(d.ConnectionCancel(&conn, &e), STATE, &e, "connection");
  failed(d.ConnectionCommit(&conn, &e), STATE, &e, "connection");
  failed(d.ConnectionGetInfo(&conn, NULL, 0, &stream, &e), STATE, &e, "connection");
  failed(d.ConnectionGetTableTypes(&conn, &stream, &e), STATE, &e, "connection");
  failed(d.StatementNew(&conn, &stmt, &e), STATE, &e, "connection");
  failed(d.StatementRelease(&stmt, &e), STATE, &e, "statement");
  failed(d.StatementSetSqlQuery(&stmt, "SELECT 1", &e), STATE, &e, "statement");
  failed(d.StatementExecuteQuery(&stmt, &stream, NULL, &e), STATE, &e, "statement");
  failed(d.StatementPrepare(&stmt, &e), STATE, &e, "statement");
  failed(d.StatementCancel(&stmt, &e), STATE, &e, "statement");
  assert_int_equal(d.StatementCancel(NULL, NULL), STATE);
  assert_int_equal(d.ConnectionInit(NULL, NULL, NULL), STATE);
  assert_int_equal(d.DatabaseRelease(NULL, NULL), STATE);
  assert_int_equal(d.DatabaseNew(NULL, NULL), ADBC_STATUS_INVALID_ARGUMENT);
  assert_int_equal(d.ConnectionNew(NULL, NULL), ADBC_STATUS_INVALID_ARGUMENT);
  assert_null(d.ErrorFromArrayStream(&stream, NULL));
  assert_null(d.ErrorFromArrayStream(NULL, NULL));
}

static void test_wrong_order(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  struct AdbcStatement stmt = {0};
  failed(d->DatabaseNew(&s.db, e), STATE, e, "in use");
  failed(d->ConnectionNew(&s.conn, e), STATE, e, "in use");
  failed(d->ConnectionInit(&s.conn, &s.db, e), STATE, e, "database is not initialised");
  failed(d->StatementNew(&s.conn, &stmt, e), STATE, e, "connection is not initialised");
  failed(d->ConnectionCommit(&s.conn, e), STATE, e, "not initialised");
  failed(d->ConnectionCancel(&s.conn, e), STATE, e, "nothing runs");
  failed(d->DatabaseInit(&s.db, e), ADBC_STATUS_INVALID_ARGUMENT, e, "set option uri");
  db_set(&s, "uri", NOWHERE);
  ok(d->DatabaseInit(&s.db, e), e);
  failed(d->DatabaseInit(&s.db, e), STATE, e, "already");
  session_release(&s);
  failed(d->DatabaseRelease(&s.db, e), STATE, e, "has been released");
  failed(d->ConnectionRelease(&s.conn, e), STATE, e, "has been released");
}

static void test_connection_to_nowhere(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcStatement stmt = {0};
  db_set(&s, "uri", NOWHERE);
  db_set(&s, "databricks.retry_timeout_seconds", "0");
  ok(s.driver.DatabaseInit(&s.db, &s.error), &s.error);
  for (int i = 0; i < 2; i++) {
    AdbcStatusCode code = s.driver.ConnectionInit(&s.conn, &s.db, &s.error);
    failed(code, ADBC_STATUS_IO, &s.error, "127.0.0.1:1");
  }
  failed(s.driver.StatementNew(&s.conn, &stmt, &s.error), STATE, &s.error,
         "not initialised");
  /* The database may go first. */
  ok(s.driver.DatabaseRelease(&s.db, &s.error), &s.error);
  ok(s.driver.ConnectionRelease(&s.conn, &s.error), &s.error);
}

/* Options. */

static void test_options_in_any_order(void **state) {
  (void)state;
  static const char *const options[][2] = {
      {"uri", "lakebeat://token:" SECRET "@h:444/p"},
      {"databricks.heartbeat.interval_seconds", "5"},
      {"databricks.session_conf.a", "1"},
      {"databricks.port", "8443"},
  };
  const size_t count = LB_ARRAY_LEN(options);
  for (size_t first = 0; first < count; first++) {
    struct session s;
    session_new(&s);
    for (size_t i = 0; i < count; i++) {
      db_set(&s, options[(first + i) % count][0], options[(first + i) % count][1]);
    }
    ok(s.driver.DatabaseInit(&s.db, &s.error), &s.error);
    expect_option(&s, "databricks.port", "8443");
    expect_option(&s, "databricks.server_hostname", "h");
    expect_option(&s, "databricks.heartbeat.interval_seconds", "5");
    session_release(&s);
  }
}

static void test_options_of_all_kinds(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  const AdbcStatusCode bad = ADBC_STATUS_INVALID_ARGUMENT;
  int64_t number = 0;
  double real = 0;
  ok(d->DatabaseSetOptionInt(&s.db, "databricks.port", 8443, e), e);
  expect_option(&s, "databricks.port", "8443");
  ok(d->DatabaseGetOptionInt(&s.db, "databricks.port", &number, e), e);
  assert_int_equal(number, 8443);
  ok(d->DatabaseSetOptionDouble(&s.db, "databricks.port", 444.0, e), e);
  ok(d->DatabaseGetOptionDouble(&s.db, "databricks.port", &real, e), e);
  assert_true(real == 444.0);
  ok(d->DatabaseSetOptionInt(&s.db, "databricks.heartbeat.enabled", 0, e), e);
  expect_option(&s, "databricks.heartbeat.enabled", "false");
  ok(d->DatabaseGetOptionInt(&s.db, "databricks.heartbeat.enabled", &number, e), e);
  assert_int_equal(number, 0);
  ok(d->DatabaseSetOptionInt(&s.db, "databricks.session_conf.n", -3, e), e);
  expect_option(&s, "databricks.session_conf.n", "-3");
  ok(d->DatabaseSetOptionBytes(&s.db, "databricks.catalog", (const uint8_t *)"main", 4,
                               e),
     e);
  expect_option(&s, "databricks.catalog", "main");
  ok(d->DatabaseSetOptionBytes(&s.db, "databricks.catalog", NULL, 0, e), e);
  expect_option(&s, "databricks.catalog", "");

  const uint8_t bytes[] = {'1', 0};
  const char *port = "databricks.port", *catalog = "databricks.catalog";
  failed(d->DatabaseSetOptionBytes(&s.db, port, bytes, 1, e), bad, e, "as bytes");
  failed(d->DatabaseSetOptionBytes(&s.db, catalog, bytes, 2, e), bad, e, "byte 0");
  failed(d->DatabaseSetOptionBytes(&s.db, catalog, NULL, 1, e), bad, e, "NULL");
  failed(d->DatabaseSetOptionInt(&s.db, port, 0, e), bad, e, "databricks.port = '0'");
  failed(d->DatabaseSetOptionInt(&s.db, port, INT64_MIN, e), bad, e, "whole number");
  static const double odd[] = {0.5, 1e300, -1e300, 9007199254740994.0};
  for (size_t i = 0; i < LB_ARRAY_LEN(odd); i++) {
    failed(d->DatabaseSetOptionDouble(&s.db, port, odd[i], e), bad, e, "not whole");
  }
  failed(d->DatabaseSetOptionDouble(&s.db, port, (double)NAN, e), bad, e, "not whole");
  ok(d->DatabaseSetOptionDouble(&s.db, port, 1.0, e), e);
  assert_int_equal(d->DatabaseSetOptionDouble(&s.db, "password", 3.25, e), bad);
  assert_null(strstr(e->message, "3.25"));
  failed(d->DatabaseSetOption(&s.db, NULL, "x", e), bad, e, "key is NULL");
  failed(d->DatabaseSetOptionInt(&s.db, NULL, 1, e), bad, e, "key is NULL");
  failed(d->DatabaseSetOptionBytes(&s.db, NULL, bytes, 1, e), bad, e, "NULL");
  failed(d->DatabaseGetOptionInt(&s.db, "databricks.server_kind", &number, e),
         ADBC_STATUS_NOT_FOUND, e, "is no number");
  failed(d->DatabaseGetOptionInt(&s.db, port, NULL, e), bad, e, "NULL");
  failed(d->DatabaseGetOptionDouble(&s.db, port, NULL, e), bad, e, "NULL");
  session_release(&s);
}

static void test_buffers_of_get_option(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  const char *key = "databricks.heartbeat.probe"; /* "auto" */
  for (size_t room = 0; room < 8; room++) {
    char text[8] = "#######";
    size_t len = room;
    ok(d->DatabaseGetOption(&s.db, key, text, &len, e), e);
    assert_int_equal(len, 5);
    assert_string_equal(text, room >= 5 ? "auto" : "#######");
    memset(text, '#', 7);
    len = room;
    ok(d->DatabaseGetOptionBytes(&s.db, key, (uint8_t *)text, &len, e), e);
    assert_int_equal(len, 4);
    assert_string_equal(text, room >= 4 ? "auto###" : "#######");
  }
  size_t len = 0;
  ok(d->DatabaseGetOption(&s.db, key, NULL, &len, e), e);
  assert_int_equal(len, 5);
  failed(d->DatabaseGetOption(&s.db, key, NULL, &len, e), ADBC_STATUS_INVALID_ARGUMENT, e,
         "NULL");
  char text[8];
  failed(d->DatabaseGetOption(&s.db, key, text, NULL, e), ADBC_STATUS_INVALID_ARGUMENT, e,
         "NULL");
  len = sizeof(text);
  failed(d->DatabaseGetOption(&s.db, "no.such.key", text, &len, e), ADBC_STATUS_NOT_FOUND,
         e, "no.such.key");
  failed(d->DatabaseGetOption(&s.db, NULL, text, &len, e), ADBC_STATUS_INVALID_ARGUMENT,
         e, "key is NULL");
  db_set(&s, "uri", "lakebeat://token:" SECRET "@h/p");
  failed(d->DatabaseGetOption(&s.db, "password", text, &len, e), ADBC_STATUS_NOT_FOUND, e,
         "secret");
  failed(d->DatabaseGetOptionBytes(&s.db, "databricks.access_token", (uint8_t *)text,
                                   &len, e),
         ADBC_STATUS_NOT_FOUND, e, "secret");
  session_release(&s);
}

/* A driver manager may forget that an option failed. */
static void test_failed_option_is_repeated_by_init(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  db_set(&s, "uri", NOWHERE);
  failed(d->DatabaseSetOption(&s.db, "databricks.prot", "1", e),
         ADBC_STATUS_NOT_IMPLEMENTED, e, "databricks.prot");
  ok(d->DatabaseSetOptionInt(&s.db, "databricks.port", 1, e), e);
  for (int i = 0; i < 2; i++) {
    failed(d->DatabaseInit(&s.db, e), ADBC_STATUS_NOT_IMPLEMENTED, e, "databricks.prot");
  }
  session_release(&s);

  /* Setting it rightly makes it good. */
  session_new(&s);
  db_set(&s, "uri", NOWHERE);
  failed(d->DatabaseSetOptionInt(&s.db, "databricks.port", 0, e),
         ADBC_STATUS_INVALID_ARGUMENT, e, "databricks.port");
  failed(d->DatabaseSetOptionDouble(&s.db, "databricks.port", 0.5, e),
         ADBC_STATUS_INVALID_ARGUMENT, e, "databricks.port");
  failed(d->DatabaseSetOption(&s.db, "databricks.arrow", "maybe", e),
         ADBC_STATUS_INVALID_ARGUMENT, e, "databricks.arrow");
  failed(d->DatabaseInit(&s.db, e), ADBC_STATUS_INVALID_ARGUMENT, e, "not whole");
  ok(d->DatabaseSetOptionInt(&s.db, "databricks.port", 1, e), e);
  failed(d->DatabaseInit(&s.db, e), ADBC_STATUS_INVALID_ARGUMENT, e, "databricks.arrow");
  ok(d->DatabaseSetOption(&s.db, "databricks.arrow", "off", e), e);
  ok(d->DatabaseInit(&s.db, e), e);
  failed(d->ConnectionSetOption(&s.conn, ADBC_CONNECTION_OPTION_AUTOCOMMIT, "false", e),
         ADBC_STATUS_NOT_IMPLEMENTED, e, "leave autocommit on");
  failed(d->ConnectionInit(&s.conn, &s.db, e), ADBC_STATUS_NOT_IMPLEMENTED, e,
         "autocommit");
  session_release(&s);
}

static void test_options_after_init(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  db_set(&s, "uri", NOWHERE);
  ok(d->DatabaseInit(&s.db, e), e);
  static const char *const late[] = {"uri", "databricks.access_token", "databricks.port",
                                     "databricks.tls.ca_file",
                                     "databricks.request_timeout_seconds"};
  for (size_t i = 0; i < LB_ARRAY_LEN(late); i++) {
    failed(d->DatabaseSetOption(&s.db, late[i], SECRET, e), STATE, e, late[i]);
  }
  db_set(&s, "HeartbeatIntervalSeconds", "9");
  expect_option(&s, "databricks.heartbeat.interval_seconds", "9");
  db_set(&s, "databricks.max_rows_per_fetch", "10");
  db_set(&s, "databricks.memory_budget_bytes", "1000");
  db_set(&s, "databricks.close_timeout_seconds", "3");
  db_set(&s, "databricks.log_level", "off");
  failed(d->DatabaseSetOption(&s.db, "no.such.key", "1", e), ADBC_STATUS_NOT_IMPLEMENTED,
         e, "no.such.key");
  session_release(&s);
}

/* Log level and memory budget are the process's: who set one last is heard. */
static void test_options_that_databases_share(void **state) {
  (void)state;
  struct session first, second;
  session_new(&first);
  session_new(&second);
  db_set(&first, "uri", NOWHERE);
  db_set(&first, "databricks.log_level", "off");
  db_set(&first, "databricks.memory_budget_bytes", "1000");
  db_set(&second, "uri", NOWHERE);
  ok(first.driver.DatabaseInit(&first.db, &first.error), &first.error);
  struct lb_io *io = lb_adbc_of_database(&first.db)->io;
  assert_false(lb_log_enabled(lb_io_log(io), LB_LOG_ERROR));
  assert_int_equal(lb_budget_limit(lb_io_budget(io)), 1000);

  ok(second.driver.DatabaseInit(&second.db, &second.error), &second.error);
  db_set(&second, "databricks.log_level", "error");
  db_set(&second, "databricks.memory_budget_bytes", "2000");
  assert_true(lb_log_enabled(lb_io_log(io), LB_LOG_ERROR));
  assert_int_equal(lb_budget_limit(lb_io_budget(io)), 2000);

  db_set(&first, "databricks.heartbeat.interval_seconds", "9");
  db_set(&first, "databricks.session_conf.a", "1");
  assert_true(lb_log_enabled(lb_io_log(io), LB_LOG_ERROR));
  assert_int_equal(lb_budget_limit(lb_io_budget(io)), 2000);
  db_set(&first, "databricks.memory_budget_bytes", "3000");
  assert_true(lb_log_enabled(lb_io_log(io), LB_LOG_ERROR));
  assert_int_equal(lb_budget_limit(lb_io_budget(io)), 3000);
  session_release(&first);
  session_release(&second);
}

static void test_fixed_keys(void **state) {
  (void)state;
  static const struct {
    const char *key;
    const char *good;
    const char *bad;
  } rows[] = {
      {ADBC_CONNECTION_OPTION_AUTOCOMMIT, "true", "false"},
      {ADBC_CONNECTION_OPTION_READ_ONLY, "false", "true"},
      {ADBC_CONNECTION_OPTION_ISOLATION_LEVEL, ADBC_OPTION_ISOLATION_LEVEL_DEFAULT,
       ADBC_OPTION_ISOLATION_LEVEL_SERIALIZABLE},
  };
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    char text[128];
    size_t len = sizeof(text);
    ok(d->ConnectionSetOption(&s.conn, rows[i].key, rows[i].good, e), e);
    failed(d->ConnectionSetOption(&s.conn, rows[i].key, rows[i].bad, e),
           ADBC_STATUS_NOT_IMPLEMENTED, e, rows[i].key);
    ok(d->ConnectionGetOption(&s.conn, rows[i].key, text, &len, e), e);
    assert_string_equal(text, rows[i].good);
    /* They are no database's. */
    failed(d->DatabaseSetOption(&s.db, rows[i].key, rows[i].good, e),
           ADBC_STATUS_NOT_IMPLEMENTED, e, rows[i].key);
  }
  session_release(&s);
}

static void test_statistics_without_a_result(void **state) {
  (void)state;
  static const char *const names[] = {
      LAKEBEAT_HEARTBEAT_ARMED,         LAKEBEAT_HEARTBEAT_OLDEST_IDLE_MS,
      LAKEBEAT_HEARTBEAT_PROBES_SENT,   LAKEBEAT_HEARTBEAT_PROBES_SUCCEEDED,
      LAKEBEAT_HEARTBEAT_PROBES_FAILED, LAKEBEAT_HEARTBEAT_PROBES_DROPPED,
      LAKEBEAT_HEARTBEAT_POSTPONED,     LAKEBEAT_HEARTBEAT_BYTES,
      LAKEBEAT_HEARTBEAT_LATE_MAX_MS,   LAKEBEAT_HEARTBEAT_SINCE_CONTACT_MS,
      LAKEBEAT_HEARTBEAT_GATES_CLOSED,
  };
  struct session s;
  session_new(&s);
  struct AdbcDriver *d = &s.driver;
  struct AdbcError *e = &s.error;
  expect_option(&s, LAKEBEAT_HEARTBEAT_STATE, "not_armed");
  expect_option(&s, LAKEBEAT_HEARTBEAT_REASON, "");
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    int64_t number = -1;
    expect_option(&s, names[i], "0");
    ok(d->DatabaseGetOptionInt(&s.db, names[i], &number, e), e);
    assert_int_equal(number, 0);
    number = -1;
    ok(d->ConnectionGetOptionInt(&s.conn, names[i], &number, e), e);
    assert_int_equal(number, 0);
    failed(d->DatabaseSetOption(&s.db, names[i], "1", e), ADBC_STATUS_NOT_IMPLEMENTED, e,
           "can be read, not set");
  }
  failed(d->ConnectionSetOption(&s.conn, LAKEBEAT_QUERY_ID, "1", e),
         ADBC_STATUS_NOT_IMPLEMENTED, e, "can be read, not set");
  session_release(&s);
}

/* lakebeat.h names what the table has, and all of it. */
static void test_names_in_the_header(void **state) {
  (void)state;
  static const char *const keys[] = {
      LAKEBEAT_OPTION_URI,
      LAKEBEAT_OPTION_SERVER_HOSTNAME,
      LAKEBEAT_OPTION_HTTP_PATH,
      LAKEBEAT_OPTION_PORT,
      LAKEBEAT_OPTION_ACCESS_TOKEN,
      LAKEBEAT_OPTION_USERNAME,
      LAKEBEAT_OPTION_PASSWORD,
      LAKEBEAT_OPTION_CATALOG,
      LAKEBEAT_OPTION_SCHEMA,
      LAKEBEAT_OPTION_SERVER_KIND,
      LAKEBEAT_OPTION_QUERY_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_ARROW,
      LAKEBEAT_OPTION_MAX_ROWS_PER_FETCH,
      LAKEBEAT_OPTION_MAX_BYTES_PER_FETCH,
      LAKEBEAT_OPTION_PREFETCH_PAGES,
      LAKEBEAT_OPTION_BATCH_TARGET_ROWS,
      LAKEBEAT_OPTION_MEMORY_BUDGET_BYTES,
      LAKEBEAT_OPTION_CLOUDFETCH_ENABLED,
      LAKEBEAT_OPTION_CLOUDFETCH_PARALLEL_DOWNLOADS,
      LAKEBEAT_OPTION_CLOUDFETCH_FALLBACK,
      LAKEBEAT_OPTION_DECODE_THREADS,
      LAKEBEAT_OPTION_CONNECT_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_REQUEST_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_RETRY_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_CLOSE_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_TLS_CA_FILE,
      LAKEBEAT_OPTION_CLOUDFETCH_PROXY,
      LAKEBEAT_OPTION_CLOUDFETCH_CA_FILE,
      LAKEBEAT_OPTION_TLS_INSECURE_SKIP_VERIFY,
      LAKEBEAT_OPTION_TLS_ALLOW_TOKEN_OVER_HTTP,
      LAKEBEAT_OPTION_LOG_LEVEL,
      LAKEBEAT_OPTION_QUERY_TAGS,
      LAKEBEAT_OPTION_VOLUME_ALLOWED_LOCAL_PATHS,
      LAKEBEAT_OPTION_HEARTBEAT_ENABLED,
      LAKEBEAT_OPTION_HEARTBEAT_INTERVAL_SECONDS,
      LAKEBEAT_OPTION_HEARTBEAT_REQUEST_TIMEOUT_SECONDS,
      LAKEBEAT_OPTION_HEARTBEAT_MAX_FAILURES,
      LAKEBEAT_OPTION_HEARTBEAT_MAX_IDLE_SECONDS,
      LAKEBEAT_OPTION_HEARTBEAT_MAX_LIFETIME_SECONDS,
      LAKEBEAT_OPTION_HEARTBEAT_PROBE,
  };
  bool named[LB_OPT_COUNT] = {false};
  for (size_t i = 0; i < LB_ARRAY_LEN(keys); i++) {
    const struct lb_option_row *row = lb_option_find(lb_str_from(keys[i]));
    assert_non_null(row);
    assert_string_equal(row->key, keys[i]);
    named[row->id] = true;
  }
  for (size_t i = 0; i < LB_OPT_COUNT; i++) {
    /* ADBC's own keys are named in its header. */
    bool adbc = strncmp(lb_option_table[i].key, "adbc.", 5) == 0;
    if (!named[i] && !adbc) print_error("%s\n", lb_option_table[i].key);
    assert_true(named[i] || adbc);
  }
}

/* What is bound is taken, whatever becomes of it. */

static int released;
static void note_array(struct ArrowArray *array) {
  array->release = NULL;
  released++;
}
static void note_schema(struct ArrowSchema *schema) {
  schema->release = NULL;
  released++;
}
static void note_stream(struct ArrowArrayStream *stream) {
  stream->release = NULL;
  released++;
}

static void test_bound_values_are_released(void **state) {
  (void)state;
  struct AdbcDriver driver = load();
  struct AdbcStatement stmt = {0};
  struct ArrowArray array = {.release = note_array};
  struct ArrowSchema schema = {.release = note_schema};
  struct ArrowArrayStream stream = {.release = note_stream};
  released = 0;
  assert_int_equal(driver.StatementBind(&stmt, &array, &schema, NULL), STATE);
  assert_int_equal(driver.StatementBindStream(&stmt, &stream, NULL), STATE);
  assert_int_equal(released, 3);
  assert_int_equal(driver.StatementBind(&stmt, NULL, NULL, NULL), STATE);
}

/* fork() */

static void use_inherited(void *ctx) {
  struct session *s = ctx;
  struct AdbcDriver *d = &s->driver;
  struct AdbcError e = ADBC_ERROR_INIT;
  struct AdbcDatabase own = {0};
  int64_t number = 0;
  lb_mem_fail_nth(0,
                  false); /* what fails is the parent's: nobody is told of the child's */
  AdbcStatusCode code = d->DatabaseSetOption(&s->db, "HeartbeatIntervalSeconds", "1", &e);
  lb_test_check(code == STATE, 1);
  lb_test_check(strstr(e.message, "before fork(); open a new database") != NULL, 2);
  code = d->DatabaseGetOptionInt(&s->db, LAKEBEAT_HEARTBEAT_ARMED, &number, &e);
  lb_test_check(code == STATE, 3);
  lb_test_check(d->ConnectionInit(&s->conn, &s->db, &e) == STATE, 4);
  e.release(&e);
  lb_test_check(d->DatabaseRelease(&s->db, &e) == ADBC_STATUS_OK, 5);
  lb_test_check(s->db.private_data == NULL, 6);
  lb_test_check(d->DatabaseNew(&own, &e) == ADBC_STATUS_OK, 7);
  lb_test_check(d->DatabaseSetOption(&own, "uri", NOWHERE, &e) == ADBC_STATUS_OK, 8);
  lb_test_check(d->DatabaseRelease(&own, &e) == ADBC_STATUS_OK, 9);
}

static void test_inherited_objects(void **state) {
  (void)state;
  struct session s;
  session_new(&s);
  db_set(&s, "uri", NOWHERE);
  ok(s.driver.DatabaseInit(&s.db, &s.error), &s.error);
  assert_int_equal(lb_test_in_child(use_inherited, &s), 0);
  session_release(&s);
}

/* Out of memory, with and without the thread. */

static void use_database(bool init) {
  struct AdbcDriver d = load();
  struct AdbcError e = ADBC_ERROR_INIT;
  struct AdbcDatabase db = {0};
  struct AdbcConnection conn = {0};
  AdbcStatusCode code = d.DatabaseNew(&db, &e);
  if (code == ADBC_STATUS_OK) code = d.DatabaseSetOption(&db, "uri", NOWHERE, &e);
  if (code == ADBC_STATUS_OK)
    code = d.DatabaseSetOptionInt(&db, "databricks.port", 7, &e);
  if (code == ADBC_STATUS_OK) {
    char text[16];
    size_t len = sizeof(text);
    code = d.DatabaseGetOption(&db, "databricks.port", text, &len, &e);
  }
  if (code == ADBC_STATUS_OK) code = d.ConnectionNew(&conn, &e);
  if (code == ADBC_STATUS_OK) {
    code = d.ConnectionSetOption(&conn, "databricks.session_conf.a", "1", &e);
  }
  if (code == ADBC_STATUS_OK && init) code = d.DatabaseInit(&db, &e);
  bool met = lb_mem_failed();
  assert_int_equal(code, met ? ADBC_STATUS_INTERNAL : ADBC_STATUS_OK);
  assert_int_equal(e.message != NULL, met);
  if (e.release != NULL) e.release(&e);
  if (conn.private_data != NULL) assert_int_equal(d.ConnectionRelease(&conn, NULL), 0);
  if (db.private_data != NULL) assert_int_equal(d.DatabaseRelease(&db, NULL), 0);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(use_database(false));
  LB_TEST_TORTURE(use_database(true));
}

LB_TEST_MAIN(LB_TEST(test_every_slot_is_filled),
             LB_TEST(test_short_driver_is_not_overrun),
             LB_TEST(test_other_versions_are_refused),
             LB_TEST(test_short_error_is_not_overrun), LB_TEST(test_error_details),
             LB_TEST(test_error_in_use_is_released_first),
             LB_TEST(test_error_without_memory), LB_TEST(test_errno),
             LB_TEST(test_objects_that_were_never_made), LB_TEST(test_wrong_order),
             LB_TEST(test_connection_to_nowhere), LB_TEST(test_options_in_any_order),
             LB_TEST(test_options_of_all_kinds), LB_TEST(test_buffers_of_get_option),
             LB_TEST(test_failed_option_is_repeated_by_init),
             LB_TEST(test_options_after_init), LB_TEST(test_options_that_databases_share),
             LB_TEST(test_fixed_keys), LB_TEST(test_statistics_without_a_result),
             LB_TEST(test_names_in_the_header), LB_TEST(test_bound_values_are_released),
             LB_TEST(test_inherited_objects), LB_TEST(test_out_of_memory))
