/* SPDX-License-Identifier: Apache-2.0 */
/* adbc-statement: texts, executing, preparing, rows affected, and what an execution does
 * to results of the ones before. */
#include <errno.h>

#include "conform.h"

static void test_a_statement_without_text(void) {
  struct session s;
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  int64_t affected = 41;
  session_open(&s, NULL);
  FAILS(INVALID_STATE,
        e2e_driver.StatementExecuteQuery(&s.stmt, &stream, &affected, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementSetSqlQuery(&s.stmt, NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  CHECK(!stream.release && !schema.release && affected == 41);
  session_close(&s);
}

static int64_t first_value(struct AdbcStatement *stmt) {
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  execute(stmt, &stream);
  CHECK(stream.get_next(&stream, &batch) == 0 && batch.length > 0);
  const struct ArrowArray *column = batch.children[0];
  int64_t value = ((const int32_t *)column->buffers[1])[column->offset];
  batch.release(&batch);
  e2e_release(&stream);
  return value;
}

static void test_text_is_copied_and_can_be_replaced(void) {
  struct session s;
  char text[] = "SELECT 1";
  session_open(&s, text);
  memset(text, '#', sizeof(text) - 1);
  CHECK(first_value(&s.stmt) == 1);
  CHECK(first_value(&s.stmt) == 1);
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELECT 2", &e2e_error));
  CHECK(first_value(&s.stmt) == 2);
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementSetSqlQuery(&s.stmt, NULL, &e2e_error));
  CHECK(first_value(&s.stmt) == 2);
  session_close(&s);
}

static void test_a_prepared_statement_runs_many_times(void) {
  struct session s;
  session_open(&s, "SELECT 7");
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  for (int i = 0; i < 3; i++) CHECK(first_value(&s.stmt) == 7);
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELECT 8", &e2e_error));
  CHECK(first_value(&s.stmt) == 8);
  session_close(&s);
}

static void test_an_execution_that_failed_can_be_repeated(void) {
  struct session s;
  session_open(&s, "SELEC 1");
  for (int i = 0; i < 2; i++) {
    FAILS_WITH(INVALID_ARGUMENT, "SELEC",
               e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  }
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELECT 3", &e2e_error));
  CHECK(first_value(&s.stmt) == 3);
  session_close(&s);
}

static void test_rows_affected(void) {
  struct session s;
  struct ArrowArrayStream stream;
  int64_t affected = 41;
  session_open(&s, "SELECT 1");
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, &stream, &affected, &e2e_error));
  CHECK(affected == -1);
  e2e_release(&stream);
  CHECK(run_sql(&s.conn, "CREATE OR REPLACE TABLE conform_rows (a INT)") == -1);
  CHECK(run_sql(&s.conn, "INSERT INTO conform_rows VALUES (1), (2), (3)") == 3);
  CHECK(run_sql(&s.conn, "UPDATE conform_rows SET a = a + 1 WHERE a > 1") == 2);
  CHECK(run_sql(&s.conn, "DELETE FROM conform_rows WHERE a > 100") == 0);
  /* With a stream, too; NULL: nobody wants to know. */
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "DELETE FROM conform_rows WHERE a = 1",
                                     &e2e_error));
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, &stream, &affected, &e2e_error));
  CHECK(affected == 1);
  e2e_release(&stream);
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  run_sql(&s.conn, "DROP TABLE conform_rows");
  session_close(&s);
}

static void test_a_result_that_nobody_wants_is_run_and_closed(void) {
  struct session s;
  int64_t affected = 41;
  session_open(&s, "CREATE OR REPLACE TABLE conform_unwanted AS SELECT id FROM range(5)");
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, &affected, &e2e_error));
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELECT id FROM conform_unwanted",
                                     &e2e_error));
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, &affected, &e2e_error));
  CHECK(affected == -1);
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, SIXTY, &e2e_error));
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  e2e_wait_at_most("operations_open", 0);
  run_sql(&s.conn, "DROP TABLE conform_unwanted");
  session_close(&s);
}

/* Reads an ended stream: rows that it had, then the error; never an end. */
static void expect_ended(struct ArrowArrayStream *stream) {
  struct ArrowArray batch;
  int code;
  while ((code = stream->get_next(stream, &batch)) == 0) {
    CHECK(batch.release && "an ended stream reads as a whole one");
    batch.release(&batch);
  }
  CHECK(code == EINVAL && e2e_stream_status(stream) == INVALID_STATE);
}

static void test_execution_ends_the_stream_before(void) {
  struct session s;
  struct ArrowArrayStream old[4];
  struct ArrowArrayStream latest;
  int64_t next = 0;
  session_open(&s, SIXTY);
  for (int i = 0; i < 4; i++) {
    execute(&s.stmt, &old[i]);
    next = 0;
    CHECK(e2e_read_ids(&old[i], &next, i));
  }
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  execute(&s.stmt, &latest);
  for (int i = 0; i < 4; i++) expect_ended(&old[i]);
  CHECK(read_rows(&latest, NULL) == 60);
  e2e_close(&s.stmt, NULL, NULL);
  for (int i = 3; i >= 0; i--) {
    expect_ended(&old[i]);
    e2e_release(&old[i]);
  }
  e2e_release(&latest);
  session_close(&s);
}

/* An execution that fails has ended the result before all the same. */
static void test_failed_execution_and_the_stream_before(void) {
  struct session s;
  struct ArrowArrayStream old;
  session_open(&s, SIXTY);
  execute(&s.stmt, &old);
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELEC 1", &e2e_error));
  FAILS(INVALID_ARGUMENT,
        e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  expect_ended(&old);
  e2e_release(&old);
  session_close(&s);
}

/* Whether a former result ends with it is the driver's choice; that it never reads as a
 * whole one with rows missing is not. */
static void test_preparing_and_the_stream_before(void) {
  struct session s;
  struct ArrowArrayStream old;
  session_open(&s, SIXTY);
  execute(&s.stmt, &old);
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  int64_t rows = read_rows(&old, NULL);
  CHECK(rows == 60 || e2e_stream_status(&old) == INVALID_STATE);
  e2e_release(&old);
  session_close(&s);
}

static void test_releasing_an_unread_stream_ends_its_operation(void) {
  for (int64_t read = 0; read <= 40; read += 20) {
    struct session s;
    struct ArrowArrayStream stream;
    char operation[64];
    int64_t next = 0;
    session_open(&s, SIXTY);
    execute(&s.stmt, &stream);
    e2e_query_id(&s.stmt, operation);
    CHECK(e2e_read_ids(&stream, &next, read));
    e2e_release(&stream);
    e2e_wait("closed", operation, 1);
    FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
    CHECK(run_sql(&s.conn, "SELECT 1") == -1);
    session_close(&s);
  }
}

static void test_substrait_is_not_implemented(void) {
  struct session s;
  const uint8_t plan[] = {1, 2, 3};
  session_open(&s, "SELECT 5");
  FAILS(NOT_IMPLEMENTED,
        e2e_driver.StatementSetSubstraitPlan(&s.stmt, plan, sizeof(plan), &e2e_error));
  FAILS(NOT_IMPLEMENTED,
        e2e_driver.StatementSetSubstraitPlan(&s.stmt, NULL, 0, &e2e_error));
  /* The text that was there still is. */
  CHECK(first_value(&s.stmt) == 5);
  session_close(&s);
}

TEST_MAIN(TEST(test_a_statement_without_text),
          TEST(test_text_is_copied_and_can_be_replaced),
          TEST(test_a_prepared_statement_runs_many_times),
          TEST(test_an_execution_that_failed_can_be_repeated), TEST(test_rows_affected),
          TEST(test_a_result_that_nobody_wants_is_run_and_closed),
          TEST(test_execution_ends_the_stream_before),
          TEST(test_failed_execution_and_the_stream_before),
          TEST(test_preparing_and_the_stream_before),
          TEST(test_releasing_an_unread_stream_ends_its_operation),
          TEST(test_substrait_is_not_implemented))
