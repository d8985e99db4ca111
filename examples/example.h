/* SPDX-License-Identifier: Apache-2.0 */
/* What every C example starts and ends with: driver, database, connection, one statement.
 *
 * A program that is linked with the driver calls its init function itself, as here. With
 * the ADBC driver manager in between, AdbcDatabaseSetOption(&database, "driver",
 * "lakebeat", ...) takes the place of AdbcDriverLakebeatInit, and the rest is the same
 * without `driver.`. */
#ifndef LAKEBEAT_EXAMPLE_H
#define LAKEBEAT_EXAMPLE_H

#include <arrow-adbc/adbc.h>
#include <lakebeat/lakebeat.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct example {
  struct AdbcDriver driver;
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  struct AdbcStatement statement;
  struct AdbcError error;
};

/* Says what failed and forgets the error; true when status is none. */
static inline bool ok(struct example *ex, AdbcStatusCode status, const char *what) {
  if (status == ADBC_STATUS_OK) return true;
  fprintf(stderr, "%s: %s\n", what, ex->error.message ? ex->error.message : "failed");
  if (ex->error.release) ex->error.release(&ex->error);
  ex->error = (struct AdbcError)ADBC_ERROR_INIT;
  return false;
}

static inline bool set(struct example *ex, const char *key, const char *value) {
  AdbcStatusCode status =
      ex->driver.StatementSetOption(&ex->statement, key, value, &ex->error);
  return ok(ex, status, key);
}

/* Opens everything and gives the statement its text. False: said why; close all the same.
 */
static inline bool example_open(struct example *ex, int argc, char **argv,
                                const char *sql) {
  memset(ex, 0, sizeof(*ex));
  ex->error = (struct AdbcError)ADBC_ERROR_INIT;
  if (argc != 3) {
    fprintf(stderr, "usage: %s <uri> <token>\n", argv[0]);
    return false;
  }
  struct AdbcDriver *driver = &ex->driver;
  struct AdbcDatabase *database = &ex->database;
  struct AdbcConnection *connection = &ex->connection;
  struct AdbcError *error = &ex->error;
  const char *token_key = "databricks.access_token";
  return ok(ex, AdbcDriverLakebeatInit(ADBC_VERSION_1_1_0, driver, error), "driver") &&
         ok(ex, driver->DatabaseNew(database, error), "database") &&
         ok(ex, driver->DatabaseSetOption(database, "uri", argv[1], error), "uri") &&
         ok(ex, driver->DatabaseSetOption(database, token_key, argv[2], error),
            token_key) &&
         ok(ex, driver->DatabaseInit(database, error), "database") &&
         ok(ex, driver->ConnectionNew(connection, error), "connection") &&
         ok(ex, driver->ConnectionInit(connection, database, error), "connection") &&
         ok(ex, driver->StatementNew(connection, &ex->statement, error), "statement") &&
         ok(ex, driver->StatementSetSqlQuery(&ex->statement, sql, error), "query");
}

/* Releases what was made, in any state. */
static inline void example_close(struct example *ex) {
  struct AdbcDriver *driver = &ex->driver;
  struct AdbcError *error = &ex->error;
  if (ex->statement.private_data) {
    ok(ex, driver->StatementRelease(&ex->statement, error), "release of the statement");
  }
  if (ex->connection.private_data) {
    ok(ex, driver->ConnectionRelease(&ex->connection, error),
       "release of the connection");
  }
  if (ex->database.private_data) {
    ok(ex, driver->DatabaseRelease(&ex->database, error), "release of the database");
  }
  if (driver->release) ok(ex, driver->release(driver, error), "release of the driver");
}

/* Reads up to max_rows rows of ids that count up from *next. False: failed, said why. */
static inline bool read_ids(struct ArrowArrayStream *stream, int64_t max_rows,
                            int64_t *next) {
  int64_t stop = *next + max_rows;
  while (*next < stop) {
    struct ArrowArray batch;
    if (stream->get_next(stream, &batch) != 0) {
      const char *text = stream->get_last_error(stream);
      fprintf(stderr, "reading: %s\n", text ? text : "failed");
      return false;
    }
    if (!batch.release) return true; /* the end */
    const struct ArrowArray *column = batch.children[0];
    const int64_t *ids = (const int64_t *)column->buffers[1] + column->offset;
    bool in_order = true;
    for (int64_t i = 0; i < column->length; i++) in_order &= ids[i] == (*next)++;
    batch.release(&batch);
    if (!in_order) {
      fprintf(stderr, "reading: ids are out of order\n");
      return false;
    }
  }
  return true;
}

#endif
