/* SPDX-License-Identifier: Apache-2.0 */
/* ArrowArrayStream, and AdbcErrorFromArrayStream: what a result set's stream owes to who
 * reads it. */
#include <errno.h>

#include "conform.h"

/* Text pages and native Arrow are two decoders; both have to hold. */
static void open_with(struct session *s, const char *sql, bool arrow) {
  session_open(s, sql);
  e2e_set(&s->stmt, "databricks.arrow", arrow ? "on" : "off");
}

static void test_a_small_result_is_one_batch(void) {
  for (int arrow = 0; arrow < 2; arrow++) {
    for (int direct = 0; direct < 2; direct++) {
      struct session s;
      struct ArrowArrayStream stream;
      int64_t batches;
      e2e_control("POST", "/settings",
                  direct ? "{\"direct_results\": true}" : "{\"direct_results\": false}");
      open_with(&s, "SELECT id, CAST(id AS STRING) AS t FROM range(1000)", arrow);
      e2e_set(&s.stmt, "databricks.max_rows_per_fetch", "1000000");
      execute(&s.stmt, &stream);
      CHECK(read_rows(&stream, &batches) == 1000 && batches == 1);
      e2e_release(&stream);
      session_close(&s);
    }
  }
}

static void test_no_batch_is_empty(void) {
  static const char *const queries[] = {SIXTY, "SELECT id FROM range(61)",
                                        "SELECT id FROM range(0)",
                                        "SELECT id FROM range(9) WHERE id > 100"};
  static const int64_t rows[] = {60, 61, 0, 0};
  static const int64_t wanted[] = {6, 7, 0, 0};
  for (int arrow = 0; arrow < 2; arrow++) {
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
      struct session s;
      struct ArrowArrayStream stream;
      struct ArrowSchema schema;
      int64_t batches;
      open_with(&s, queries[i], arrow);
      execute(&s.stmt, &stream);
      CHECK(read_rows(&stream, &batches) == rows[i] && batches == wanted[i]);
      CHECK(stream.get_schema(&stream, &schema) == 0 && schema.n_children == 1);
      schema.release(&schema);
      e2e_release(&stream);
      session_close(&s);
    }
  }
}

static void test_the_end_stays_the_end(void) {
  struct session s;
  struct ArrowArrayStream stream;
  session_open(&s, SIXTY);
  execute(&s.stmt, &stream);
  CHECK(read_rows(&stream, NULL) == 60);
  for (int i = 0; i < 3; i++) {
    struct ArrowArray batch;
    memset(&batch, 0xab, sizeof(batch));
    CHECK(stream.get_next(&stream, &batch) == 0 && !batch.release);
  }
  e2e_release(&stream);
  session_close(&s);
}

static void test_schema_is_independent_of_the_stream(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowSchema schemas[3];
  session_open(&s, "SELECT id, 'x' AS name FROM range(60)");
  execute(&s.stmt, &stream);
  CHECK(stream.get_schema(&stream, &schemas[0]) == 0);
  CHECK(stream.get_schema(&stream, &schemas[1]) == 0);
  CHECK(read_rows(&stream, NULL) == 60);
  CHECK(stream.get_schema(&stream, &schemas[2]) == 0);
  e2e_release(&stream);
  session_close(&s);
  for (int i = 0; i < 3; i++) {
    CHECK(strcmp(schemas[i].format, "+s") == 0 && schemas[i].n_children == 2);
    CHECK(strcmp(schemas[i].children[0]->name, "id") == 0);
    CHECK(strcmp(schemas[i].children[0]->format, "l") == 0);
    CHECK(strcmp(schemas[i].children[1]->name, "name") == 0);
    CHECK(strcmp(schemas[i].children[1]->format, "u") == 0);
    schemas[i].release(&schemas[i]);
    CHECK(!schemas[i].release);
  }
}

static void test_arrays_are_independent_of_the_stream(void) {
  for (int arrow = 0; arrow < 2; arrow++) {
    struct session s;
    struct ArrowArrayStream stream;
    struct ArrowArray batches[3];
    open_with(&s, SIXTY, arrow);
    execute(&s.stmt, &stream);
    for (int i = 0; i < 3; i++) CHECK(stream.get_next(&stream, &batches[i]) == 0);
    e2e_release(&stream);
    session_close(&s);
    for (int64_t i = 2; i >= 0; i--) {
      const struct ArrowArray *column = batches[i].children[0];
      const int64_t *ids = (const int64_t *)column->buffers[1] + column->offset;
      CHECK(batches[i].length == 10 && ids[0] == i * 10 && ids[9] == i * 10 + 9);
      batches[i].release(&batches[i]);
      CHECK(!batches[i].release);
    }
  }
}

static void move_stream(struct ArrowArrayStream *from, struct ArrowArrayStream *to) {
  *to = *from;
  memset(from, 0xab, sizeof(*from));
}

static void test_a_stream_may_be_moved(void) {
  struct session s;
  struct ArrowArrayStream places[4];
  int64_t next = 0;
  session_open(&s, SIXTY);
  execute(&s.stmt, &places[0]);
  for (int i = 0; i < 3; i++) {
    CHECK(e2e_read_ids(&places[i], &next, 10 * (i + 1)));
    move_stream(&places[i], &places[i + 1]);
  }
  e2e_control("POST", "/restart", "{}");
  struct ArrowArray batch = {0};
  while (places[3].get_next(&places[3], &batch) == 0) {
    CHECK(batch.release && "rows are missing and nobody says so");
    batch.release(&batch);
  }
  /* Its error moves with it. */
  struct ArrowArrayStream last;
  move_stream(&places[3], &last);
  CHECK(e2e_stream_status(&last) == ADBC_STATUS_IO && last.get_last_error(&last));
  e2e_release(&last);
  session_close(&s);
}

/* A stream that has delivered ten rows and fails from then on. */
static void open_failing(struct session *s, struct ArrowArrayStream *stream) {
  struct ArrowArray batch = {0};
  session_open(s, SIXTY);
  e2e_set(&s->stmt, "databricks.prefetch_pages", "0");
  execute(&s->stmt, stream);
  CHECK(stream->get_next(stream, &batch) == 0 && batch.release);
  batch.release(&batch);
  fault("\"where\": \"FetchResults\", \"do\": {\"kind\": \"error\", \"sqlstate\": "
        "\"22012\", \"message\": \"the disk is on fire\"}");
}

static void test_last_error_tells_the_failure(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  struct ArrowSchema schema;
  open_failing(&s, &stream);
  memset(&batch, 0xab, sizeof(batch));
  CHECK(stream.get_next(&stream, &batch) == EIO);
  CHECK(strstr(stream.get_last_error(&stream), "disk is on fire"));
  /* It is the same until the next operation. */
  const char *text = stream.get_last_error(&stream);
  CHECK(stream.get_last_error(&stream) == text && strstr(text, "disk is on fire"));
  /* A call that succeeds leaves no error behind. */
  CHECK(stream.get_schema(&stream, &schema) == 0);
  schema.release(&schema);
  CHECK(!e2e_driver.ErrorFromArrayStream(&stream, NULL));
  e2e_release(&stream);
  session_close(&s);
}

static void test_a_failed_stream_goes_on_failing(void) {
  struct session s;
  struct ArrowArrayStream stream;
  open_failing(&s, &stream);
  for (int i = 0; i < 4; i++) {
    struct ArrowArray batch = {0};
    CHECK(stream.get_next(&stream, &batch) == EIO && !batch.release);
    CHECK(strstr(stream.get_last_error(&stream), "disk is on fire"));
    CHECK(e2e_stream_status(&stream) == ADBC_STATUS_INVALID_DATA);
  }
  e2e_release(&stream);
  session_close(&s);
}

static void test_error_of_a_stream_belongs_to_it(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowArray batch = {0};
  AdbcStatusCode status = 77;
  open_failing(&s, &stream);
  CHECK(!e2e_driver.ErrorFromArrayStream(&stream, &status) && status == 77);
  CHECK(stream.get_next(&stream, &batch) != 0);
  const struct AdbcError *error = e2e_driver.ErrorFromArrayStream(&stream, &status);
  CHECK(error && status == ADBC_STATUS_INVALID_DATA);
  CHECK(memcmp(error->sqlstate, "22012", 5) == 0);
  CHECK(strcmp(error->message, stream.get_last_error(&stream)) == 0);
  CHECK(e2e_driver.ErrorFromArrayStream(&stream, NULL) == error);
  int count = e2e_driver.ErrorGetDetailCount(error);
  CHECK(count > 0 && e2e_driver.ErrorGetDetail(error, 0).key);
  CHECK(!e2e_driver.ErrorGetDetail(error, count).key);
  /* Releasing the stream releases it: the leak check at the end sees to that. */
  session_close(&s);
  CHECK(strstr(error->message, "disk is on fire"));
  e2e_release(&stream);
}

/* Consumers are told not to release that error. Some do. */
static void test_error_of_a_stream_released_by_mistake(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowArray batch = {0};
  open_failing(&s, &stream);
  CHECK(stream.get_next(&stream, &batch) != 0);
  const struct AdbcError *error = e2e_driver.ErrorFromArrayStream(&stream, NULL);
  struct AdbcError *writable;
  memcpy(&writable, &error, sizeof(writable));
  writable->release(writable);
  CHECK(stream.get_next(&stream, &batch) != 0 && stream.get_last_error(&stream));
  e2e_release(&stream);
  session_close(&s);
}

static int foreign_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  (void)self, (void)out;
  return EIO;
}
static int foreign_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  (void)self, (void)out;
  return EIO;
}
static const char *foreign_error(struct ArrowArrayStream *self) {
  (void)self;
  return "foreign";
}
static void foreign_release(struct ArrowArrayStream *self) { self->release = NULL; }

static void test_streams_of_others_have_no_error(void) {
  AdbcStatusCode status = 77;
  int unrelated = 0;
  struct ArrowArrayStream foreign = {foreign_schema, foreign_next, foreign_error,
                                     foreign_release, &unrelated};
  struct ArrowArrayStream released = {0};
  CHECK(!e2e_driver.ErrorFromArrayStream(&foreign, &status));
  CHECK(!e2e_driver.ErrorFromArrayStream(&released, &status));
  CHECK(!e2e_driver.ErrorFromArrayStream(NULL, &status));
  CHECK(!e2e_driver.ErrorFromArrayStream(&foreign, NULL));
  CHECK(status == 77);
}

static void test_release_marks_the_stream_released(void) {
  struct session s;
  struct ArrowArrayStream stream;
  session_open(&s, SIXTY);
  for (int i = 0; i < 3; i++) {
    execute(&s.stmt, &stream);
    if (i == 1) CHECK(read_rows(&stream, NULL) == 60);
    stream.release(&stream);
    CHECK(!stream.release);
    CHECK(!e2e_driver.ErrorFromArrayStream(&stream, NULL));
  }
  session_close(&s);
}

static void test_failed_execution_makes_no_stream(void) {
  struct session s;
  struct ArrowArrayStream stream;
  struct ArrowArrayStream before;
  session_open(&s, "SELEC 1");
  memset(&stream, 0xab, sizeof(stream));
  before = stream;
  FAILS(INVALID_ARGUMENT,
        e2e_driver.StatementExecuteQuery(&s.stmt, &stream, NULL, &e2e_error));
  CHECK(memcmp(&stream, &before, sizeof(stream)) == 0);
  session_close(&s);
}

TEST_MAIN(TEST(test_a_small_result_is_one_batch), TEST(test_no_batch_is_empty),
          TEST(test_the_end_stays_the_end),
          TEST(test_schema_is_independent_of_the_stream),
          TEST(test_arrays_are_independent_of_the_stream),
          TEST(test_a_stream_may_be_moved), TEST(test_last_error_tells_the_failure),
          TEST(test_a_failed_stream_goes_on_failing),
          TEST(test_error_of_a_stream_belongs_to_it),
          TEST(test_error_of_a_stream_released_by_mistake),
          TEST(test_streams_of_others_have_no_error),
          TEST(test_release_marks_the_stream_released),
          TEST(test_failed_execution_makes_no_stream))
