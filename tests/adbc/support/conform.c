/* SPDX-License-Identifier: Apache-2.0 */
#include "conform.h"

#include <stdio.h>

static void wrong(const char *file, int line, const char *what, AdbcStatusCode wanted,
                  AdbcStatusCode got) {
  fprintf(stderr, "status %d where %d is right: ", got, wanted);
  e2e_fail(file, line, what);
}

void conform_gives(const char *file, int line, const char *what, AdbcStatusCode wanted,
                   AdbcStatusCode got) {
  if (got != wanted) wrong(file, line, what, wanted, got);
}

void conform_fails_with(const char *file, int line, const char *what,
                        AdbcStatusCode wanted, const char *text, AdbcStatusCode got) {
  if (got != wanted) wrong(file, line, what, wanted, got);
  if (!e2e_error.message || !e2e_error.message[0] || !e2e_error.release) {
    e2e_fail(file, line, "the error has no message, or no release callback");
  }
  if (text && !strstr(e2e_error.message, text)) e2e_fail(file, line, text);
  e2e_error.release(&e2e_error);
  if (e2e_error.message || e2e_error.release || e2e_error.private_data) {
    e2e_fail(file, line, "the error is released and still holds something");
  }
}

void conform_fails(const char *file, int line, const char *what, AdbcStatusCode wanted,
                   AdbcStatusCode got) {
  conform_fails_with(file, line, what, wanted, NULL, got);
}

int conform_main(const struct conform_test *tests, size_t count) {
  const char *only = getenv("CONFORM_TEST");
  e2e_begin();
  for (size_t i = 0; i < count; i++) {
    if (only && strcmp(only, tests[i].name) != 0) continue;
    int64_t began_ms = e2e_now_ms();
    printf("%s\n", tests[i].name);
    fflush(stdout);
    tests[i].run();
    int64_t took_ms = e2e_now_ms() - began_ms;
    if (took_ms > 1000) printf("    %lld ms\n", (long long)took_ms);
    e2e_control("POST", "/reset", "{}");
  }
  printf("%zu tests\n", count);
  return e2e_end();
}

void session_open(struct session *s, const char *sql) {
  memset(s, 0, sizeof(*s));
  e2e_database(&s->db, "databricks.heartbeat.enabled", "false",
               "databricks.max_rows_per_fetch", "10", NULL);
  e2e_connection(&s->conn, &s->db);
  OK(e2e_driver.StatementNew(&s->conn, &s->stmt, &e2e_error));
  if (sql) OK(e2e_driver.StatementSetSqlQuery(&s->stmt, sql, &e2e_error));
}

void session_close(struct session *s) {
  e2e_close(s->stmt.private_data ? &s->stmt : NULL,
            s->conn.private_data ? &s->conn : NULL, s->db.private_data ? &s->db : NULL);
}

int64_t run_sql(struct AdbcConnection *conn, const char *sql) {
  struct AdbcStatement stmt;
  int64_t affected = -2;
  e2e_statement(&stmt, conn, sql);
  OK(e2e_driver.StatementExecuteQuery(&stmt, NULL, &affected, &e2e_error));
  e2e_close(&stmt, NULL, NULL);
  return affected;
}

void execute(struct AdbcStatement *stmt, struct ArrowArrayStream *out) {
  memset(out, 0, sizeof(*out));
  OK(e2e_driver.StatementExecuteQuery(stmt, out, NULL, &e2e_error));
  CHECK(out->get_schema && out->get_next && out->get_last_error && out->release);
}

int64_t read_rows(struct ArrowArrayStream *stream, int64_t *batches) {
  int64_t rows = 0;
  if (batches) *batches = 0;
  for (;;) {
    struct ArrowArray batch = {0};
    if (stream->get_next(stream, &batch) != 0) return -1;
    if (!batch.release) return rows;
    CHECK(batch.length > 0);
    rows += batch.length;
    if (batches) ++*batches;
    batch.release(&batch);
  }
}

void *exactly(size_t size) {
  void *memory = calloc(1, size);
  CHECK(memory);
  return memory;
}

void fault(const char *json) {
  char body[1024];
  int length = snprintf(body, sizeof(body), "{%s}", json);
  CHECK(length > 0 && (size_t)length < sizeof(body));
  e2e_control("POST", "/faults", body);
}
