/* SPDX-License-Identifier: Apache-2.0 */
/* Cancel from a second thread: while the reply of Execute is held, while polling, while
 * fetching, and at many moments of short lives; an execution that ends a result which is
 * being read. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "e2e.h"

#define ENDLESS "SELECT count(*) FROM range(100000000000)"
#define SIXTY "SELECT id FROM range(60)"
#define STORM 60
#define MEETINGS 200

struct run {
  struct AdbcStatement *stmt;
  struct ArrowArrayStream *stream; /* where it is made before */
  AdbcStatusCode status;
  int64_t ended_ms;
};

/* Executes and reads to the end; keeps the status of what failed first. */
static void *run_to_end(void *arg) {
  struct run *run = arg;
  struct ArrowArrayStream stream;
  int64_t next = 0;
  run->status = e2e_driver.StatementExecuteQuery(run->stmt, &stream, NULL, &e2e_error);
  if (run->status == ADBC_STATUS_OK) {
    if (!e2e_read_ids(&stream, &next, 60)) run->status = e2e_stream_status(&stream);
    e2e_release(&stream);
  } else if (e2e_error.release) {
    e2e_error.release(&e2e_error);
  }
  run->ended_ms = e2e_now_ms();
  return NULL;
}

/* True when there was something to cancel. */
static bool cancel(struct AdbcStatement *stmt) {
  AdbcStatusCode status = e2e_driver.StatementCancel(stmt, &e2e_error);
  CHECK(status == ADBC_STATUS_OK || status == ADBC_STATUS_INVALID_STATE);
  if (e2e_error.release) e2e_error.release(&e2e_error);
  return status == ADBC_STATUS_OK;
}

static void cancelled_at_once(struct AdbcConnection *connection, const char *sql,
                              const char *moment) {
  struct AdbcStatement stmt;
  e2e_statement(&stmt, connection, sql);
  struct run run = {.stmt = &stmt};
  pthread_t runner;
  CHECK(pthread_create(&runner, NULL, run_to_end, &run) == 0);
  e2e_wait(moment, NULL, 1);
  e2e_sleep_us(10000);
  int64_t since_ms = e2e_now_ms();
  CHECK(cancel(&stmt));
  CHECK(pthread_join(runner, NULL) == 0);
  CHECK(run.status == ADBC_STATUS_CANCELLED);
  CHECK(run.ended_ms - since_ms < 1000);
  e2e_wait("cancel", NULL, 1);
  e2e_wait_at_most("operations_open", 0);
  CHECK(!cancel(&stmt));
  e2e_close(&stmt, NULL, NULL);
  e2e_control("POST", "/reset", "{}");
}

static void storm(struct AdbcConnection *connection) {
  for (int64_t n = 0; n < STORM; n++) {
    struct AdbcStatement stmt;
    e2e_statement(&stmt, connection, SIXTY);
    struct run run = {.stmt = &stmt};
    pthread_t runner;
    CHECK(pthread_create(&runner, NULL, run_to_end, &run) == 0);
    e2e_sleep_us(n * 500);
    cancel(&stmt);
    CHECK(pthread_join(runner, NULL) == 0);
    CHECK(run.status == ADBC_STATUS_OK || run.status == ADBC_STATUS_CANCELLED);
    e2e_close(&stmt, NULL, NULL);
  }
}

static atomic_bool reading;

static void *read_all(void *arg) {
  struct run *run = arg;
  int64_t next = 0;
  atomic_store(&reading, true);
  run->status = ADBC_STATUS_OK;
  if (!e2e_read_ids(run->stream, &next, 60)) run->status = e2e_stream_status(run->stream);
  run->ended_ms = e2e_now_ms();
  return NULL;
}

/* The server answers no fetch, so a cancel that comes while the reader is on its way to
 * wait must not be lost. */
static void meet(struct AdbcConnection *connection) {
  for (int64_t n = 0; n < MEETINGS; n++) {
    struct AdbcStatement stmt;
    struct ArrowArrayStream stream;
    e2e_statement(&stmt, connection, SIXTY);
    e2e_set(&stmt, "databricks.prefetch_pages", "0");
    OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error));
    struct run run = {.stmt = &stmt, .stream = &stream};
    pthread_t runner;
    atomic_store(&reading, false);
    CHECK(pthread_create(&runner, NULL, read_all, &run) == 0);
    while (!atomic_load(&reading)) {
    }
    for (volatile int64_t spins = n * 1000; spins > 0; spins--) {
    }
    int64_t since_ms = e2e_now_ms();
    CHECK(cancel(&stmt));
    CHECK(pthread_join(runner, NULL) == 0);
    CHECK(run.status == ADBC_STATUS_CANCELLED);
    CHECK(run.ended_ms - since_ms < 3000);
    e2e_release(&stream);
    e2e_close(&stmt, NULL, NULL);
  }
}

/* Another thread waits for rows of a result when its statement is executed again. */
static void executed_again(struct AdbcConnection *connection) {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  e2e_statement(&stmt, connection, SIXTY);
  OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error));
  struct run run = {.stmt = &stmt, .stream = &stream};
  pthread_t runner;
  CHECK(pthread_create(&runner, NULL, read_all, &run) == 0);
  e2e_wait("held", NULL, 1);
  OK(e2e_driver.StatementExecuteQuery(&stmt, NULL, NULL, &e2e_error));
  CHECK(pthread_join(runner, NULL) == 0);
  CHECK(run.status == ADBC_STATUS_INVALID_STATE);
  e2e_release(&stream);
  e2e_close(&stmt, NULL, NULL);
}

int main(void) {
  e2e_begin();
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  e2e_database(&database, "databricks.max_rows_per_fetch", "10", NULL);
  e2e_connection(&connection, &database);
  e2e_control("POST", "/faults",
              "{\"do\": {\"kind\": \"hold\", \"ms\": 2000}, \"where\": "
              "\"ExecuteStatement\"}");
  cancelled_at_once(&connection, ENDLESS, "held");
  e2e_control("POST", "/settings", "{\"direct_wait_ms\": 0}");
  cancelled_at_once(&connection, ENDLESS, "status");
  e2e_control("POST", "/settings", "{\"direct_wait_ms\": 2000}");
  e2e_control("POST", "/faults",
              "{\"do\": \"hang\", \"where\": \"FetchResults\", \"when\": 3}");
  cancelled_at_once(&connection, SIXTY, "held");
  storm(&connection);
  e2e_control("POST", "/faults",
              "{\"do\": \"hang\", \"where\": \"FetchResults\", \"times\": 0}");
  meet(&connection);
  executed_again(&connection);
  e2e_control("POST", "/reset", "{}");
  e2e_close(NULL, &connection, &database);
  return e2e_end();
}
