/* SPDX-License-Identifier: Apache-2.0 */
/* adbc-connection-metadata: arguments, ownership and lives; test_metadata.py has the
 * contents. */
#include <errno.h>
#include <pthread.h>

#include "conform.h"

static AdbcStatusCode get_objects(struct session *s, int depth, const char **types,
                                  struct ArrowArrayStream *out) {
  return e2e_driver.ConnectionGetObjects(&s->conn, depth, NULL, "default", NULL, types,
                                         NULL, out, &e2e_error);
}

static void test_null_places_for_metadata(void) {
  struct session s;
  session_open(&s, NULL);
  const struct AdbcDriver *d = &e2e_driver;
  struct ArrowSchema schema = {0};
  FAILS(INVALID_ARGUMENT, d->ConnectionGetInfo(&s.conn, NULL, 0, NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT, get_objects(&s, 0, NULL, NULL));
  FAILS(INVALID_ARGUMENT, d->ConnectionGetTableTypes(&s.conn, NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT,
        d->ConnectionGetTableSchema(&s.conn, NULL, NULL, "t", NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT,
        d->ConnectionGetTableSchema(&s.conn, NULL, NULL, NULL, &schema, &e2e_error));
  CHECK(!schema.release);
  session_close(&s);
}

static void test_depths_that_do_not_exist(void) {
  struct session s;
  struct ArrowArrayStream stream = {0};
  session_open(&s, NULL);
  FAILS(INVALID_ARGUMENT, get_objects(&s, -1, NULL, &stream));
  FAILS(INVALID_ARGUMENT, get_objects(&s, 5, NULL, &stream));
  CHECK(!stream.release);
  session_close(&s);
}

static void test_info_codes_and_their_length(void) {
  struct session s;
  struct ArrowArrayStream stream;
  const uint32_t codes[] = {ADBC_INFO_DRIVER_NAME, 4711, ADBC_INFO_DRIVER_NAME};
  session_open(&s, NULL);
  OK(e2e_driver.ConnectionGetInfo(&s.conn, codes, 3, &stream, &e2e_error));
  CHECK(read_rows(&stream, NULL) == 2);
  e2e_release(&stream);
  OK(e2e_driver.ConnectionGetInfo(&s.conn, codes, 1, &stream, &e2e_error));
  CHECK(read_rows(&stream, NULL) == 1);
  e2e_release(&stream);
  /* The length counts for nothing without codes. */
  OK(e2e_driver.ConnectionGetInfo(&s.conn, NULL, 12345, &stream, &e2e_error));
  CHECK(read_rows(&stream, NULL) == 8);
  e2e_release(&stream);
  session_close(&s);
}

static void test_no_row_of_info_is_no_batch(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  const uint32_t code = 4711;
  session_open(&s, NULL);
  for (size_t count = 0; count < 2; count++) {
    OK(e2e_driver.ConnectionGetInfo(&s.conn, &code, count, &stream, &e2e_error));
    CHECK(read_rows(&stream, NULL) == 0);
    CHECK(stream.get_schema(&stream, &schema) == 0 && schema.n_children == 2);
    schema.release(&schema);
    e2e_release(&stream);
  }
  session_close(&s);
}

/* Rows of the only schema that is asked for: the catalog, with so many tables. */
static int64_t count_tables(struct session *s, const char **types) {
  struct ArrowArrayStream stream;
  int64_t tables = 0;
  OK(get_objects(s, ADBC_OBJECT_DEPTH_TABLES, types, &stream));
  for (;;) {
    struct ArrowArray batch = {0};
    CHECK(stream.get_next(&stream, &batch) == 0);
    if (!batch.release) break;
    const struct ArrowArray *schemas = batch.children[1];
    const struct ArrowArray *list = schemas->children[0]->children[1];
    tables += list->children[0]->length;
    batch.release(&batch);
  }
  e2e_release(&stream);
  return tables;
}

/* NULL is every type; a list ends at its NULL. */
static void test_table_types_end_with_null(void) {
  struct session s;
  session_open(&s, NULL);
  run_sql(&s.conn, "CREATE OR REPLACE TABLE conform_one (a INT)");
  run_sql(&s.conn, "CREATE OR REPLACE VIEW conform_two AS SELECT 1 AS a");
  const char *both[] = {"TABLE", "VIEW", NULL};
  const char *one[] = {"VIEW", NULL, "TABLE", NULL};
  int64_t all = count_tables(&s, NULL);
  CHECK(all >= 2 && count_tables(&s, both) == all);
  int64_t views = count_tables(&s, one);
  CHECK(views >= 1 && views < all);
  run_sql(&s.conn, "DROP VIEW conform_two");
  run_sql(&s.conn, "DROP TABLE conform_one");
  session_close(&s);
}

static void test_metadata_streams_outlive_their_connection(void) {
  struct session s;
  struct ArrowArrayStream streams[3];
  session_open(&s, NULL);
  OK(e2e_driver.ConnectionGetInfo(&s.conn, NULL, 0, &streams[0], &e2e_error));
  OK(e2e_driver.ConnectionGetTableTypes(&s.conn, &streams[1], &e2e_error));
  OK(get_objects(&s, ADBC_OBJECT_DEPTH_ALL, NULL, &streams[2]));
  session_close(&s);
  for (int i = 0; i < 3; i++) {
    CHECK(read_rows(&streams[i], NULL) > 0);
    struct ArrowArray end = {0};
    CHECK(streams[i].get_next(&streams[i], &end) == 0 && !end.release);
    struct ArrowArrayStream moved = streams[i];
    memset(&streams[i], 0xab, sizeof(streams[i]));
    e2e_release(&moved);
  }
}

static void test_metadata_streams_that_nobody_reads(void) {
  struct session s;
  struct ArrowArrayStream stream;
  session_open(&s, NULL);
  OK(get_objects(&s, ADBC_OBJECT_DEPTH_ALL, NULL, &stream));
  e2e_release(&stream);
  OK(e2e_driver.ConnectionGetTableTypes(&s.conn, &stream, &e2e_error));
  e2e_release(&stream);
  OK(e2e_driver.ConnectionGetInfo(&s.conn, NULL, 0, &stream, &e2e_error));
  e2e_release(&stream);
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

static void test_schema_of_a_missing_table(void) {
  struct session s;
  struct ArrowSchema schema = {0};
  session_open(&s, NULL);
  FAILS(NOT_FOUND, e2e_driver.ConnectionGetTableSchema(&s.conn, NULL, NULL, "nothing",
                                                       &schema, &e2e_error));
  FAILS(NOT_FOUND, e2e_driver.ConnectionGetTableSchema(&s.conn, "nowhere", "x", "t",
                                                       &schema, &e2e_error));
  FAILS(NOT_FOUND, e2e_driver.ConnectionGetTableSchema(&s.conn, NULL, "nowhere", "t",
                                                       &schema, &e2e_error));
  CHECK(!schema.release);
  session_close(&s);
}

/* A question that waits for the server, on a thread of its own. */
struct question {
  struct session *s;
  int which;
  AdbcStatusCode status;
};

static AdbcStatusCode ask(struct question *question, struct ArrowArrayStream *stream) {
  struct session *s = question->s;
  if (question->which == 0) {
    return e2e_driver.ConnectionGetTableTypes(&s->conn, stream, &e2e_error);
  }
  if (question->which == 1) {
    struct ArrowSchema schema = {0};
    AdbcStatusCode status = e2e_driver.ConnectionGetTableSchema(
        &s->conn, NULL, "default", "nothing", &schema, &e2e_error);
    CHECK(!schema.release);
    return status;
  }
  return get_objects(s, ADBC_OBJECT_DEPTH_ALL, NULL, stream);
}

static void *run_question(void *arg) {
  struct question *question = arg;
  struct ArrowArrayStream stream = {0};
  question->status = ask(question, &stream);
  if (e2e_error.release) e2e_error.release(&e2e_error);
  if (question->status != ADBC_STATUS_OK || !stream.release) return NULL;
  if (read_rows(&stream, NULL) < 0) question->status = e2e_stream_status(&stream);
  e2e_release(&stream);
  return NULL;
}

static void test_cancel_of_metadata(void) {
  static const char *const rpcs[] = {"GetTableTypes", "ExecuteStatement", "GetSchemas"};
  struct session s;
  session_open(&s, NULL);
  for (int which = 0; which < 3; which++) {
    char text[128];
    strcpy(text, "\"do\": \"hang\", \"where\": \"");
    strcat(text, rpcs[which]);
    strcat(text, "\"");
    fault(text);
    struct question question = {&s, which, ADBC_STATUS_OK};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_question, &question) == 0);
    e2e_wait("held", NULL, 1);
    OK(e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(question.status == ADBC_STATUS_CANCELLED);
    e2e_control("DELETE", "/faults", NULL);
    FAILS(INVALID_STATE, e2e_driver.ConnectionCancel(&s.conn, &e2e_error));
  }
  CHECK(run_sql(&s.conn, "SELECT 1") == -1);
  session_close(&s);
}

TEST_MAIN(TEST(test_null_places_for_metadata), TEST(test_depths_that_do_not_exist),
          TEST(test_info_codes_and_their_length), TEST(test_no_row_of_info_is_no_batch),
          TEST(test_table_types_end_with_null),
          TEST(test_metadata_streams_outlive_their_connection),
          TEST(test_metadata_streams_that_nobody_reads),
          TEST(test_schema_of_a_missing_table), TEST(test_cancel_of_metadata))
