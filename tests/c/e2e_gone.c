/* SPDX-License-Identifier: Apache-2.0 */
/* The server is restarted, cuts replies off, or falls silent, in the middle of each call;
 * and everything is given back, whatever became of it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "e2e.h"

#define ROWS 60

/* What to do, and how often: a restart once, the others each time. */
static const struct {
  const char *do_what;
  int times;
} ends[] = {
    {"\"restart\"", 1},  {"{\"kind\": \"reset\", \"bytes\": 3}", 0},
    {"\"refuse\"", 0},   {"\"hang\"", 0},
    {"\"garbage\"", 0},  {"\"html\"", 0},
    {"\"truncate\"", 0}, {"{\"kind\": \"status\", \"code\": 503}", 0},
};
static const char *const rpcs[] = {
    "OpenSession",  "ExecuteStatement", "GetOperationStatus",
    "FetchResults", "CloseOperation",   "CloseSession",
};

/* The call has succeeded, or said why not. */
static bool worked(AdbcStatusCode status) {
  if (status == ADBC_STATUS_OK) return true;
  CHECK(e2e_error.message && e2e_error.message[0]);
  CHECK(e2e_error.sqlstate[0]);
  e2e_error.release(&e2e_error);
  return false;
}

static bool execute(struct AdbcConnection *connection) {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  bool whole = false;
  e2e_statement(&stmt, connection, "SELECT id FROM range(60)");
  if (worked(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error))) {
    int64_t next = 0;
    whole = e2e_read_ids(&stream, &next, ROWS);
    if (!whole) CHECK(e2e_stream_status(&stream) != ADBC_STATUS_OK);
    e2e_release(&stream);
  }
  e2e_close(&stmt, NULL, NULL);
  return whole;
}

/* Reads as far as it goes, and gives everything back. */
static bool read_all(struct AdbcDatabase *database) {
  struct AdbcConnection connection;
  memset(&connection, 0, sizeof(connection));
  OK(e2e_driver.ConnectionNew(&connection, &e2e_error));
  bool whole = worked(e2e_driver.ConnectionInit(&connection, database, &e2e_error)) &&
               execute(&connection);
  e2e_close(NULL, &connection, NULL);
  return whole;
}

static void end_in(const char *rpc, const char *do_what, int times) {
  struct AdbcDatabase database;
  char fault[160];
  snprintf(fault, sizeof(fault), "{\"do\": %s, \"where\": \"%s\", \"times\": %d}",
           do_what, rpc, times);
  e2e_database(&database, "databricks.max_rows_per_fetch", "10",
               "databricks.request_timeout_seconds", "1",
               "databricks.retry_timeout_seconds", "1",
               "databricks.close_timeout_seconds", "1", NULL);
  e2e_control("POST", "/faults", fault);
  int64_t since_ms = e2e_now_ms();
  bool whole = read_all(&database);
  /* What only closes has been read by then. */
  if (strncmp(rpc, "Close", 5) == 0 && times == 0) CHECK(whole);
  e2e_close(NULL, NULL, &database);
  CHECK(e2e_now_ms() - since_ms < 6000);
  e2e_control("POST", "/reset", "{\"sessions\": true}");
}

int main(void) {
  e2e_begin();
  e2e_control("POST", "/settings", "{\"direct_wait_ms\": 0}");
  for (size_t i = 0; i < sizeof(rpcs) / sizeof(rpcs[0]); i++) {
    for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
      end_in(rpcs[i], ends[k].do_what, ends[k].times);
    }
  }
  e2e_control("POST", "/settings", "{\"direct_wait_ms\": 2000}");
  return e2e_end();
}
