/* SPDX-License-Identifier: Apache-2.0 */
/* AdbcStatementCancel and AdbcConnectionCancel, from another thread and with nothing to
 * cancel. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "conform.h"

/* A call on a thread of its own. */
struct call {
  AdbcStatusCode (*run)(struct call *call);
  struct session *s;
  struct ArrowArrayStream stream;
  AdbcStatusCode status;
  pthread_t thread;
};

static void *run_call(void *arg) {
  struct call *call = arg;
  call->status = call->run(call);
  if (e2e_error.release) e2e_error.release(&e2e_error);
  return NULL;
}

static void start(struct call *call) {
  CHECK(pthread_create(&call->thread, NULL, run_call, call) == 0);
}
static AdbcStatusCode finish(struct call *call) {
  CHECK(pthread_join(call->thread, NULL) == 0);
  return call->status;
}

static AdbcStatusCode do_execute(struct call *call) {
  return e2e_driver.StatementExecuteQuery(&call->s->stmt, &call->stream, NULL,
                                          &e2e_error);
}
static AdbcStatusCode do_read(struct call *call) {
  struct ArrowArray batch = {0};
  int code;
  while ((code = call->stream.get_next(&call->stream, &batch)) == 0 && batch.release) {
    batch.release(&batch);
  }
  if (code == 0) return ADBC_STATUS_OK;
  CHECK(code == ECANCELED);
  return e2e_stream_status(&call->stream);
}
static AdbcStatusCode do_get_info(struct call *call) {
  return e2e_driver.ConnectionGetInfo(&call->s->conn, NULL, 0, &call->stream, &e2e_error);
}
static AdbcStatusCode do_init(struct call *call) {
  return e2e_driver.ConnectionInit(&call->s->conn, &call->s->db, &e2e_error);
}

#define HANG(rpc) "\"where\": \"" rpc "\", \"do\": \"hang\""

static void test_nothing_to_cancel_in_a_statement(void) {
  struct session s;
  struct ArrowArrayStream stream;
  session_open(&s, NULL);
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, SIXTY, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  /* Executed without a wish for rows: over. */
  OK(e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  /* Read to its end: over. */
  execute(&s.stmt, &stream);
  CHECK(read_rows(&stream, NULL) == 60);
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  /* And that has not spoilt the end. */
  CHECK(read_rows(&stream, NULL) == 0);
  e2e_release(&stream);
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  /* Failed: over. */
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, "SELEC 1", &e2e_error));
  FAILS(INVALID_ARGUMENT,
        e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  session_close(&s);
}

static void test_nothing_to_cancel_on_a_connection(void) {
  struct session s = {0};
  OK(e2e_driver.ConnectionNew(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  e2e_close(NULL, &s.conn, NULL);
  session_open(&s, "SELECT 1");
  FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  struct ArrowArrayStream stream;
  OK(e2e_driver.ConnectionGetInfo(&s.conn, NULL, 0, &stream, &e2e_error));
  CHECK(read_rows(&stream, NULL) > 0);
  FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  e2e_release(&stream);
  FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static void test_cancel_of_an_execution(void) {
  struct session s;
  session_open(&s, ENDLESS);
  for (int i = 0; i < 2; i++) {
    struct call call = {.run = do_execute, .s = &s};
    e2e_control("POST", "/settings",
                i == 0 ? "{\"direct_wait_ms\": 2000}" : "{\"direct_wait_ms\": 0}");
    start(&call);
    e2e_wait("operations_open", NULL, 1);
    while (e2e_driver.StatementCancel(&s.stmt, NULL) == INVALID_STATE) e2e_sleep_us(1000);
    CHECK(finish(&call) == ADBC_STATUS_CANCELLED && !call.stream.release);
    e2e_wait_at_most("operations_open", 0);
    FAILS(INVALID_STATE, e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  }
  e2e_control("POST", "/settings", "{\"direct_wait_ms\": 2000}");
  /* The statement is as good as before. */
  OK(e2e_driver.StatementSetSqlQuery(&s.stmt, SIXTY, &e2e_error));
  struct ArrowArrayStream stream;
  execute(&s.stmt, &stream);
  CHECK(read_rows(&stream, NULL) == 60);
  e2e_release(&stream);
  session_close(&s);
}

static void test_cancel_while_a_stream_is_read(void) {
  struct session s;
  session_open(&s, SIXTY);
  e2e_set(&s.stmt, "databricks.prefetch_pages", "0");
  struct call call = {.run = do_read, .s = &s};
  execute(&s.stmt, &call.stream);
  fault(HANG("FetchResults"));
  start(&call);
  e2e_wait("held", NULL, 1);
  OK(e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  CHECK(finish(&call) == ADBC_STATUS_CANCELLED);
  /* It goes on failing so, and never ends. */
  struct ArrowArray batch = {0};
  CHECK(call.stream.get_next(&call.stream, &batch) == ECANCELED && !batch.release);
  CHECK(e2e_stream_status(&call.stream) == ADBC_STATUS_CANCELLED);
  e2e_release(&call.stream);
  session_close(&s);
}

static void test_cancel_between_two_reads(void) {
  struct session s;
  struct ArrowArrayStream stream;
  int64_t next = 0;
  session_open(&s, SIXTY);
  execute(&s.stmt, &stream);
  CHECK(e2e_read_ids(&stream, &next, 10));
  OK(e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  struct ArrowArray batch = {0};
  CHECK(stream.get_next(&stream, &batch) == ECANCELED && !batch.release);
  CHECK(e2e_stream_status(&stream) == ADBC_STATUS_CANCELLED);
  e2e_release(&stream);
  e2e_wait_at_most("operations_open", 0);
  session_close(&s);
}

/* A cancel hits its own statement alone. */
static void test_cancel_leaves_other_statements_alone(void) {
  struct session s;
  struct AdbcStatement other;
  struct ArrowArrayStream stream, kept;
  int64_t next = 0;
  session_open(&s, SIXTY);
  e2e_statement(&other, &s.conn, SIXTY);
  execute(&s.stmt, &stream);
  execute(&other, &kept);
  OK(e2e_driver.StatementCancel(&s.stmt, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  CHECK(e2e_read_ids(&kept, &next, 60));
  e2e_release(&stream);
  e2e_release(&kept);
  e2e_close(&other, NULL, NULL);
  session_close(&s);
}

static void test_cancel_of_connecting(void) {
  struct session s = {0};
  e2e_database(&s.db, NULL);
  OK(e2e_driver.ConnectionNew(&s.conn, &e2e_error));
  fault(HANG("OpenSession"));
  struct call call = {.run = do_init, .s = &s};
  start(&call);
  e2e_wait("held", NULL, 1);
  OK(e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  CHECK(finish(&call) == ADBC_STATUS_CANCELLED);
  e2e_control("DELETE", "/faults", NULL);
  OK(e2e_driver.ConnectionInit(&s.conn, &s.db, &e2e_error));
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static void test_cancel_of_get_info(void) {
  struct session s;
  session_open(&s, NULL);
  fault(HANG("GetInfo"));
  struct call call = {.run = do_get_info, .s = &s};
  start(&call);
  e2e_wait("held", NULL, 1);
  OK(e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  CHECK(finish(&call) == ADBC_STATUS_CANCELLED && !call.stream.release);
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static atomic_bool over;

static void *cancel_often(void *arg) {
  struct session *s = arg;
  while (!atomic_load(&over)) {
    AdbcStatusCode code = e2e_driver.StatementCancel(&s->stmt, NULL);
    CHECK(code == ADBC_STATUS_OK || code == INVALID_STATE);
    code = e2e_driver.ConnectionCancel(&s->conn, NULL);
    CHECK(code == ADBC_STATUS_OK || code == INVALID_STATE);
    e2e_sleep_us(2000);
  }
  return NULL;
}

/* Thread-safe at every moment of a life: what is not cancelled is whole. */
static void test_cancels_at_any_moment(void) {
  struct session s;
  pthread_t cancellers[2];
  session_open(&s, SIXTY);
  atomic_store(&over, false);
  for (int i = 0; i < 2; i++) {
    CHECK(pthread_create(&cancellers[i], NULL, cancel_often, &s) == 0);
  }
  for (int i = 0; i < 60; i++) {
    struct ArrowArrayStream stream = {0};
    AdbcStatusCode code =
        e2e_driver.StatementExecuteQuery(&s.stmt, &stream, NULL, &e2e_error);
    CHECK(code == ADBC_STATUS_OK || code == ADBC_STATUS_CANCELLED);
    if (e2e_error.release) e2e_error.release(&e2e_error);
    if (code != ADBC_STATUS_OK) continue;
    int64_t rows = read_rows(&stream, NULL);
    CHECK(rows == 60 || e2e_stream_status(&stream) == ADBC_STATUS_CANCELLED);
    e2e_release(&stream);
  }
  atomic_store(&over, true);
  for (int i = 0; i < 2; i++) CHECK(pthread_join(cancellers[i], NULL) == 0);
  session_close(&s);
}

TEST_MAIN(TEST(test_nothing_to_cancel_in_a_statement),
          TEST(test_nothing_to_cancel_on_a_connection), TEST(test_cancel_of_an_execution),
          TEST(test_cancel_while_a_stream_is_read), TEST(test_cancel_between_two_reads),
          TEST(test_cancel_leaves_other_statements_alone),
          TEST(test_cancel_of_connecting), TEST(test_cancel_of_get_info),
          TEST(test_cancels_at_any_moment))
