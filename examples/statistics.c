/* SPDX-License-Identifier: Apache-2.0 */
/* Watches a heartbeat while its reader pauses: ./statistics <uri> <token>
 *
 * The figures can be asked for at any time and from any thread: of a statement (its
 * latest result, also after the end), of a connection or a database (sums). */
#include <unistd.h>

#include "example.h"

#define PAGE_ROWS 5000
#define PAUSE_SECONDS 4

static bool show(struct example *ex) {
  static const char *const keys[] = {
      "databricks.heartbeat.probes_sent",      "databricks.heartbeat.probes_succeeded",
      "databricks.heartbeat.probes_failed",    "databricks.heartbeat.bytes",
      "databricks.heartbeat.since_contact_ms", "databricks.heartbeat.oldest_idle_ms",
  };
  char state[32];
  size_t len = sizeof(state);
  AdbcStatusCode status = ex->driver.StatementGetOption(
      &ex->statement, "databricks.heartbeat.state", state, &len, &ex->error);
  if (!ok(ex, status, "databricks.heartbeat.state")) return false;
  printf("%-10s", state);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    int64_t value = 0;
    status =
        ex->driver.StatementGetOptionInt(&ex->statement, keys[i], &value, &ex->error);
    if (!ok(ex, status, keys[i])) return false;
    printf(" %s=%lld", strrchr(keys[i], '.') + 1, (long long)value);
  }
  printf("\n");
  return true;
}

static bool watch(struct example *ex) {
  struct ArrowArrayStream stream = {.release = NULL};
  int64_t next = 0;
  AdbcStatusCode status =
      ex->driver.StatementExecuteQuery(&ex->statement, &stream, NULL, &ex->error);
  if (!ok(ex, status, "execute")) return false;
  bool good = read_ids(&stream, PAGE_ROWS, &next);
  for (int second = 0; good && second < PAUSE_SECONDS; second++) {
    good = show(ex);
    sleep(1);
  }
  stream.release(&stream);
  return good && show(ex);
}

int main(int argc, char **argv) {
  struct example ex;
  bool done = example_open(&ex, argc, argv, "SELECT id FROM range(50000) ORDER BY id") &&
              set(&ex, "databricks.max_rows_per_fetch", "5000") &&
              set(&ex, "databricks.heartbeat.interval_seconds", "1") && watch(&ex);
  example_close(&ex);
  return done ? 0 : 1;
}
