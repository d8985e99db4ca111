/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a page, pauses, reads the rest: ./slow_read <uri> <token>
 *
 * The pause is 3 s here. It may be hours: as long as it lasts, the heartbeat keeps the
 * rows alive on the server. */
#include <unistd.h>

#include "example.h"

#define ROWS 50000
#define PAGE_ROWS 5000
#define PAUSE_SECONDS 3

static bool slow_read(struct example *ex) {
  struct ArrowArrayStream stream = {.release = NULL};
  int64_t next = 0;
  AdbcStatusCode status =
      ex->driver.StatementExecuteQuery(&ex->statement, &stream, NULL, &ex->error);
  if (!ok(ex, status, "execute")) return false;
  bool read = read_ids(&stream, PAGE_ROWS, &next);
  if (read) {
    printf("%lld rows read, pausing for %d s\n", (long long)next, PAUSE_SECONDS);
    sleep(PAUSE_SECONDS);
    read = read_ids(&stream, ROWS, &next);
  }
  stream.release(&stream);
  if (read) printf("%lld of %d rows read\n", (long long)next, ROWS);
  return read && next == ROWS;
}

int main(int argc, char **argv) {
  struct example ex;
  bool done = example_open(&ex, argc, argv, "SELECT id FROM range(50000) ORDER BY id") &&
              set(&ex, "databricks.max_rows_per_fetch", "5000") &&
              set(&ex, "databricks.heartbeat.interval_seconds", "1") && slow_read(&ex);
  example_close(&ex);
  return done ? 0 : 1;
}
