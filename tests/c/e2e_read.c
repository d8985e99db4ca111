/* SPDX-License-Identifier: Apache-2.0 */
/* A slow read: a page, a pause of thirty minutes of the warehouse's time (one second of
 * ours a minute, cut short to five), the rest; a second thread asks for the heartbeat's
 * counters all the time. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "e2e.h"

#define ROWS 60

static atomic_bool done;

static void *watch(void *arg) {
  struct AdbcStatement *stmt = arg;
  int64_t last = 0;
  while (!atomic_load(&done)) {
    int64_t sent = e2e_heartbeat(stmt, "probes_sent");
    CHECK(sent >= last);
    last = sent;
    CHECK(e2e_heartbeat(stmt, "probes_succeeded") <= e2e_heartbeat(stmt, "probes_sent"));
    char state[16];
    size_t length = sizeof(state);
    OK(e2e_driver.StatementGetOption(stmt, "databricks.heartbeat.state", state, &length,
                                     &e2e_error));
    CHECK(length > 1 && length <= sizeof(state));
    e2e_sleep_us(200);
  }
  return NULL;
}

static void slow_read(struct AdbcConnection *connection, const char *arrow) {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  e2e_statement(&stmt, connection, "SELECT id FROM range(60)");
  e2e_set(&stmt, "databricks.arrow", arrow);
  int64_t affected = 0;
  OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, &affected, &e2e_error));
  CHECK(affected == -1 || affected == ROWS);
  CHECK(stream.get_schema(&stream, &schema) == 0);
  CHECK(schema.n_children == 1 && strcmp(schema.children[0]->name, "id") == 0);
  schema.release(&schema);

  atomic_store(&done, false);
  pthread_t watcher;
  CHECK(pthread_create(&watcher, NULL, watch, &stmt) == 0);
  char operation[64];
  e2e_query_id(&stmt, operation);
  int64_t next = 0;
  CHECK(e2e_read_ids(&stream, &next, 1));
  for (int64_t n = 1; n <= 5; n++) {
    e2e_control("POST", "/clock/advance", "{\"by\": \"10m\"}");
    e2e_wait("probe", operation, n);
  }
  CHECK(e2e_read_ids(&stream, &next, ROWS));
  struct ArrowArray end;
  CHECK(stream.get_next(&stream, &end) == 0 && !end.release);
  CHECK(stream.get_next(&stream, &end) == 0 && !end.release);
  CHECK(e2e_heartbeat(&stmt, "probes_sent") >= 5);
  CHECK(e2e_heartbeat(&stmt, "armed") == 0);
  atomic_store(&done, true);
  CHECK(pthread_join(watcher, NULL) == 0);
  e2e_release(&stream);
  e2e_close(&stmt, NULL, NULL);
}

int main(void) {
  e2e_begin();
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  e2e_database(&database, "databricks.heartbeat.interval_seconds", "1",
               "databricks.max_rows_per_fetch", "10", NULL);
  e2e_connection(&connection, &database);
  slow_read(&connection, "on");
  slow_read(&connection, "off");
  e2e_close(NULL, &connection, &database);
  return e2e_end();
}
