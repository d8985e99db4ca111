/* SPDX-License-Identifier: Apache-2.0 */
/* adbc-database, adbc-connection, adbc-statement: what lives how long, in which order it
 * is made and released, and which thread may do it. */
#include <pthread.h>
#include <stdio.h>

#include "conform.h"

static void test_new_sets_and_release_clears_private_data(void) {
  struct session s = {0};
  OK(e2e_driver.DatabaseNew(&s.db, &e2e_error));
  CHECK(s.db.private_data);
  OK(e2e_driver.ConnectionNew(&s.conn, &e2e_error));
  CHECK(s.conn.private_data);
  e2e_close(NULL, &s.conn, &s.db);
  CHECK(!s.db.private_data && !s.conn.private_data);
  session_open(&s, NULL);
  CHECK(s.stmt.private_data);
  OK(e2e_driver.StatementRelease(&s.stmt, &e2e_error));
  CHECK(!s.stmt.private_data);
  session_close(&s);
  CHECK(!s.db.private_data && !s.conn.private_data);
}

/* private_driver belongs to the driver manager. */
static void test_private_driver_is_left_alone(void) {
  struct session s = {0};
  struct AdbcDriver mark;
  s.db.private_driver = s.conn.private_driver = s.stmt.private_driver = &mark;
  OK(e2e_driver.DatabaseNew(&s.db, &e2e_error));
  OK(e2e_driver.ConnectionNew(&s.conn, &e2e_error));
  CHECK(s.db.private_driver == &mark && s.conn.private_driver == &mark);
  e2e_close(NULL, &s.conn, &s.db);
  CHECK(s.db.private_driver == &mark && s.conn.private_driver == &mark);
}

static void test_release_twice(void) {
  struct session s;
  session_open(&s, NULL);
  session_close(&s);
  for (int i = 0; i < 2; i++) {
    FAILS(INVALID_STATE, e2e_driver.StatementRelease(&s.stmt, &e2e_error));
    FAILS(INVALID_STATE, e2e_driver.ConnectionRelease(&s.conn, &e2e_error));
    FAILS(INVALID_STATE, e2e_driver.DatabaseRelease(&s.db, &e2e_error));
  }
}

static void test_release_of_what_was_never_made(void) {
  struct session s = {0};
  FAILS(INVALID_STATE, e2e_driver.StatementRelease(&s.stmt, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionRelease(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.DatabaseRelease(&s.db, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementRelease(NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionRelease(NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.DatabaseRelease(NULL, &e2e_error));
}

static void test_released_objects_do_nothing(void) {
  struct session s;
  struct ArrowArrayStream stream = {0};
  session_open(&s, "SELECT 1");
  session_close(&s);
  const struct AdbcDriver *d = &e2e_driver;
  FAILS(INVALID_STATE, d->DatabaseInit(&s.db, &e2e_error));
  FAILS(INVALID_STATE, d->DatabaseSetOption(&s.db, "uri", "x", &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionInit(&s.conn, &s.db, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionGetInfo(&s.conn, NULL, 0, &stream, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionCancel(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, d->StatementNew(&s.conn, &s.stmt, &e2e_error));
  FAILS(INVALID_STATE, d->StatementSetSqlQuery(&s.stmt, "SELECT 1", &e2e_error));
  FAILS(INVALID_STATE, d->StatementExecuteQuery(&s.stmt, &stream, NULL, &e2e_error));
  FAILS(INVALID_STATE, d->StatementCancel(&s.stmt, &e2e_error));
  CHECK(!stream.release && !s.stmt.private_data);
}

static void test_wrong_order(void) {
  struct session s = {0};
  const struct AdbcDriver *d = &e2e_driver;
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  OK(d->DatabaseNew(&s.db, &e2e_error));
  FAILS(INVALID_STATE, d->DatabaseNew(&s.db, &e2e_error));
  OK(d->ConnectionNew(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionNew(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionInit(&s.conn, &s.db, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionInit(&s.conn, NULL, &e2e_error));
  FAILS(INVALID_STATE, d->StatementNew(&s.conn, &s.stmt, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionGetInfo(&s.conn, NULL, 0, &stream, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionGetObjects(&s.conn, 0, NULL, NULL, NULL, NULL, NULL,
                                               &stream, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionGetTableTypes(&s.conn, &stream, &e2e_error));
  FAILS(INVALID_STATE,
        d->ConnectionGetTableSchema(&s.conn, NULL, NULL, "t", &schema, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionGetStatisticNames(&s.conn, &stream, &e2e_error));
  FAILS(INVALID_STATE,
        d->ConnectionGetStatistics(&s.conn, NULL, NULL, NULL, 1, &stream, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionCommit(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionRollback(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, d->ConnectionCancel(&s.conn, &e2e_error));
  CHECK(!stream.release && !schema.release && !s.stmt.private_data);
  e2e_close(NULL, &s.conn, &s.db);
}

static void test_init_twice(void) {
  struct session s;
  session_open(&s, NULL);
  FAILS(INVALID_STATE, e2e_driver.DatabaseInit(&s.db, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionInit(&s.conn, &s.db, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementNew(&s.conn, &s.stmt, &e2e_error));
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static void test_null_places_for_objects(void) {
  struct session s;
  session_open(&s, NULL);
  FAILS(INVALID_ARGUMENT, e2e_driver.DatabaseNew(NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT, e2e_driver.ConnectionNew(NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementNew(&s.conn, NULL, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.StatementNew(NULL, &s.stmt, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionInit(&s.conn, NULL, &e2e_error));
  session_close(&s);
}

/* After a failure an object is as it was: it can be mended, or released. */
static void test_init_that_failed_can_be_repeated(void) {
  struct session s;
  session_open(&s, NULL);
  struct AdbcConnection conn = {0};
  OK(e2e_driver.ConnectionNew(&conn, &e2e_error));
  fault("\"where\": \"OpenSession\", \"do\": {\"kind\": \"status\", \"code\": 403}");
  FAILS(ADBC_STATUS_UNAUTHORIZED, e2e_driver.ConnectionInit(&conn, &s.db, &e2e_error));
  FAILS(INVALID_STATE,
        e2e_driver.StatementNew(&conn, &(struct AdbcStatement){0}, &e2e_error));
  OK(e2e_driver.ConnectionInit(&conn, &s.db, &e2e_error));
  CHECK(run_sql(&conn, "SELECT 1") == -1);
  e2e_close(NULL, &conn, NULL);
  session_close(&s);
}

enum part { STREAM, STMT, CONN, DB, PARTS };

static void release_part(struct session *s, struct ArrowArrayStream *stream,
                         enum part part, int64_t *next) {
  if (part == STREAM) {
    CHECK(e2e_read_ids(stream, next, 60));
    e2e_release(stream);
  } else {
    e2e_close(part == STMT ? &s->stmt : NULL, part == CONN ? &s->conn : NULL,
              part == DB ? &s->db : NULL);
  }
}

/* Every order in which stream, statement, connection and database can be released: the
 * header asks applications for one of them; programs do all. */
static void test_release_in_every_order(void) {
  for (int code = 0; code < 256; code++) {
    enum part order[PARTS];
    unsigned seen = 0;
    for (int i = 0; i < PARTS; i++) {
      order[i] = (enum part)(code >> (2 * i) & 3);
      seen |= 1U << order[i];
    }
    if (seen != 15) continue;
    struct session s;
    struct ArrowArrayStream stream;
    int64_t next = 0;
    session_open(&s, SIXTY);
    execute(&s.stmt, &stream);
    CHECK(e2e_read_ids(&stream, &next, 10));
    for (int i = 0; i < PARTS; i++) {
      if (stream.release) CHECK(e2e_read_ids(&stream, &next, next + 1));
      release_part(&s, &stream, order[i], &next);
    }
    CHECK(next == 60);
  }
  e2e_wait_at_most("sessions_open", 0);
}

static void test_connection_goes_on_after_its_database(void) {
  struct session s;
  session_open(&s, NULL);
  e2e_close(NULL, NULL, &s.db);
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  struct AdbcStatement other;
  e2e_statement(&other, &s.conn, SIXTY);
  e2e_close(NULL, &s.conn, NULL);
  struct ArrowArrayStream stream;
  execute(&other, &stream);
  CHECK(read_rows(&stream, NULL) == 60);
  e2e_release(&stream);
  e2e_close(&other, NULL, NULL);
  session_close(&s);
}

/* Several statements of one connection, each with an open result, read in turns. */
static void test_statements_of_one_connection(void) {
  struct session s;
  struct AdbcStatement stmts[4];
  struct ArrowArrayStream streams[4];
  int64_t next[4] = {0};
  session_open(&s, NULL);
  for (int i = 0; i < 4; i++) {
    e2e_statement(&stmts[i], &s.conn, SIXTY);
    execute(&stmts[i], &streams[i]);
  }
  for (int64_t stop = 10; stop <= 60; stop += 10) {
    for (int i = 0; i < 4; i++) CHECK(e2e_read_ids(&streams[i], &next[i], stop));
  }
  for (int i = 0; i < 4; i++) {
    e2e_release(&streams[i]);
    e2e_close(&stmts[i], NULL, NULL);
  }
  session_close(&s);
}

/* Serialised use from several threads: each step is done by a new one. */
struct step {
  void (*run)(struct session *s, struct ArrowArrayStream *stream);
  struct session *s;
  struct ArrowArrayStream *stream;
};

static void step_open(struct session *s, struct ArrowArrayStream *stream) {
  (void)stream;
  session_open(s, SIXTY);
}
static void step_execute(struct session *s, struct ArrowArrayStream *stream) {
  execute(&s->stmt, stream);
}
static void step_read(struct session *s, struct ArrowArrayStream *stream) {
  struct ArrowArray batch;
  (void)s;
  CHECK(stream->get_next(stream, &batch) == 0 && batch.length == 10);
  batch.release(&batch);
}
static void step_release(struct session *s, struct ArrowArrayStream *stream) {
  (void)s;
  e2e_release(stream);
}
static void step_close(struct session *s, struct ArrowArrayStream *stream) {
  (void)stream;
  session_close(s);
}

static void *run_step(void *arg) {
  struct step *step = arg;
  step->run(step->s, step->stream);
  return NULL;
}

static void test_threads_take_turns(void) {
  struct session s;
  struct ArrowArrayStream stream;
  void (*const steps[])(struct session *, struct ArrowArrayStream *) = {
      step_open,    step_execute, step_read, step_read,    step_execute,
      step_execute, step_read,    step_read, step_release, step_close};
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    struct step step = {steps[i], &s, &stream};
    pthread_t thread;
    /* A former stream is released by whoever executes anew. */
    if (steps[i] == step_execute && i > 1) e2e_release(&stream);
    CHECK(pthread_create(&thread, NULL, run_step, &step) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
}

static void *own_connection(void *arg) {
  struct session own = {0};
  own.db = *(const struct AdbcDatabase *)arg;
  for (int i = 0; i < 3; i++) {
    struct ArrowArrayStream stream;
    e2e_connection(&own.conn, &own.db);
    e2e_statement(&own.stmt, &own.conn, SIXTY);
    execute(&own.stmt, &stream);
    CHECK(read_rows(&stream, NULL) == 60);
    e2e_release(&stream);
    e2e_close(&own.stmt, &own.conn, NULL);
  }
  return NULL;
}

static void test_connections_of_one_database_in_parallel(void) {
  struct session s;
  pthread_t threads[6];
  session_open(&s, NULL);
  for (int i = 0; i < 6; i++) {
    CHECK(pthread_create(&threads[i], NULL, own_connection, &s.db) == 0);
  }
  for (int i = 0; i < 6; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  session_close(&s);
}

static void test_transactions_are_refused_in_auto_commit_mode(void) {
  struct session s;
  session_open(&s, NULL);
  FAILS(INVALID_STATE, e2e_driver.ConnectionCommit(&s.conn, &e2e_error));
  FAILS(INVALID_STATE, e2e_driver.ConnectionRollback(&s.conn, &e2e_error));
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static void test_partitions_are_not_implemented(void) {
  struct session s;
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  struct AdbcPartitions partitions = {0};
  int64_t affected = 41;
  const uint8_t token[] = "x";
  session_open(&s, "SELECT 1");
  FAILS(NOT_IMPLEMENTED, e2e_driver.ConnectionReadPartition(&s.conn, token, sizeof(token),
                                                            &stream, &e2e_error));
  FAILS(NOT_IMPLEMENTED, e2e_driver.StatementExecutePartitions(
                             &s.stmt, &schema, &partitions, &affected, &e2e_error));
  CHECK(!stream.release && !schema.release && !partitions.release && affected == 41);
  session_close(&s);
}

TEST_MAIN(TEST(test_new_sets_and_release_clears_private_data),
          TEST(test_private_driver_is_left_alone), TEST(test_release_twice),
          TEST(test_release_of_what_was_never_made),
          TEST(test_released_objects_do_nothing), TEST(test_wrong_order),
          TEST(test_init_twice), TEST(test_null_places_for_objects),
          TEST(test_init_that_failed_can_be_repeated), TEST(test_release_in_every_order),
          TEST(test_connection_goes_on_after_its_database),
          TEST(test_statements_of_one_connection), TEST(test_threads_take_turns),
          TEST(test_connections_of_one_database_in_parallel),
          TEST(test_transactions_are_refused_in_auto_commit_mode),
          TEST(test_partitions_are_not_implemented))
