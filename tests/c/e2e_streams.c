/* SPDX-License-Identifier: Apache-2.0 */
/* A stream outlives its statement, connection and database, and keeps its heartbeat; it
 * may be moved, as the interface allows; executing again ends the stream before. */
#include <string.h>

#include "e2e.h"

#define ROWS 60

static void open_all(struct AdbcDatabase *database, struct AdbcConnection *connection,
                     struct AdbcStatement *stmt) {
  e2e_database(database, "databricks.heartbeat.interval_seconds", "1",
               "databricks.max_rows_per_fetch", "10", NULL);
  e2e_connection(connection, database);
  e2e_statement(stmt, connection, "SELECT id FROM range(60)");
}

static void outlives_all(int64_t read_before, bool read_after) {
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  open_all(&database, &connection, &stmt);
  OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error));
  char operation[64];
  e2e_query_id(&stmt, operation);
  int64_t next = 0;
  CHECK(e2e_read_ids(&stream, &next, read_before));
  e2e_close(&stmt, &connection, &database);

  struct ArrowArrayStream moved = stream;
  memset(&stream, 0xab, sizeof(stream));
  e2e_wait("probe", operation, 2);
  if (read_after) {
    CHECK(e2e_read_ids(&moved, &next, ROWS));
    struct ArrowArray end;
    CHECK(moved.get_next(&moved, &end) == 0 && !end.release);
  }
  e2e_release(&moved);
  e2e_wait("closed", operation, 1);
  e2e_wait_at_most("sessions_open", 0);
}

/* The batches are the reader's own: they outlive even the stream. */
static void batch_outlives_the_stream(void) {
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  open_all(&database, &connection, &stmt);
  OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error));
  CHECK(stream.get_next(&stream, &batch) == 0 && batch.release);
  e2e_release(&stream);
  e2e_close(&stmt, &connection, &database);
  const struct ArrowArray *column = batch.children[0];
  const int64_t *ids = (const int64_t *)column->buffers[1] + column->offset;
  for (int64_t i = 0; i < column->length; i++) CHECK(ids[i] == i);
  batch.release(&batch);
}

static void executed_again(void) {
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  struct AdbcStatement stmt;
  struct ArrowArrayStream first;
  struct ArrowArrayStream second;
  open_all(&database, &connection, &stmt);
  OK(e2e_driver.StatementExecuteQuery(&stmt, &first, NULL, &e2e_error));
  int64_t next = 0;
  CHECK(e2e_read_ids(&first, &next, 1));
  OK(e2e_driver.StatementExecuteQuery(&stmt, &second, NULL, &e2e_error));
  struct ArrowArray batch;
  while (first.get_next(&first, &batch) == 0) {
    CHECK(batch.release && "an ended stream reads as a whole one");
    batch.release(&batch);
  }
  CHECK(e2e_stream_status(&first) == ADBC_STATUS_INVALID_STATE);
  next = 0;
  CHECK(e2e_read_ids(&second, &next, ROWS));
  e2e_close(&stmt, NULL, NULL);
  e2e_release(&first);
  e2e_release(&second);
  e2e_close(NULL, &connection, &database);
}

int main(void) {
  e2e_begin();
  outlives_all(0, false);
  outlives_all(0, true);
  outlives_all(10, true);
  outlives_all(25, false);
  batch_outlives_the_stream();
  executed_again();
  return e2e_end();
}
