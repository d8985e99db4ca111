/* SPDX-License-Identifier: Apache-2.0 */
/* Results in many files of a store: read whole, two in turn by one thread, beside one
 * that nobody reads, cancelled and closed while bytes come, in sixteen threads, and with
 * faults of the store and of links. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "e2e.h"

#define ROWS 20000
#define QUERY "SELECT id, CAST(id AS STRING) AS s FROM range(20000)"
#define LARGE "SELECT id, id * 7 AS a FROM range(0, 200000, 1, 1)"
#define LARGE_ROWS 200000
#define THREADS 16
#define CANCELS 16

static const char few_files[] =
    "{\"cloud_fetch_bytes\": 0, \"cloud_fetch_file_bytes\": 60000,"
    " \"cloud_fetch_page_files\": 4}";
static const char as_before[] =
    "{\"cloud_fetch_bytes\": 1048576, \"cloud_fetch_file_bytes\": 20971520,"
    " \"cloud_fetch_page_files\": 10}";

static int64_t counted(struct AdbcStatement *stmt, const char *name) {
  char key[80];
  int64_t value = -1;
  snprintf(key, sizeof(key), "databricks.cloudfetch.%s", name);
  OK(e2e_driver.StatementGetOptionInt(stmt, key, &value, &e2e_error));
  return value;
}

/* One result that is read. */
struct read {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  int64_t next;
  AdbcStatusCode status;
};

static void begin(struct read *read, struct AdbcConnection *connection, const char *sql) {
  *read = (struct read){0};
  e2e_statement(&read->stmt, connection, sql);
  OK(e2e_driver.StatementExecuteQuery(&read->stmt, &read->stream, NULL, &e2e_error));
}

static void read_to_end(struct read *read, int64_t rows) {
  struct ArrowArray end;
  if (!e2e_read_ids(&read->stream, &read->next, rows)) {
    e2e_fail(__FILE__, __LINE__, read->stream.get_last_error(&read->stream));
  }
  CHECK(read->next == rows);
  CHECK(read->stream.get_next(&read->stream, &end) == 0 && !end.release);
  CHECK(counted(&read->stmt, "rows_delivered") == rows);
  CHECK(counted(&read->stmt, "files_delivered") == counted(&read->stmt, "files"));
  CHECK(counted(&read->stmt, "in_flight") == 0);
}

static void finish(struct read *read) {
  e2e_release(&read->stream);
  e2e_close(&read->stmt, NULL, NULL);
}

static void whole(struct AdbcConnection *connection) {
  struct read read;
  begin(&read, connection, QUERY);
  read_to_end(&read, ROWS);
  CHECK(counted(&read.stmt, "files") > 4);
  CHECK(counted(&read.stmt, "bytes_received") > 0);
  finish(&read);
}

static void in_turn(struct AdbcConnection *connection) {
  struct read reads[2];
  begin(&reads[0], connection, QUERY);
  begin(&reads[1], connection, QUERY);
  for (int64_t n = 0; n < ROWS; n += 1000) {
    CHECK(e2e_read_ids(&reads[0].stream, &reads[0].next, n));
    CHECK(e2e_read_ids(&reads[1].stream, &reads[1].next, n));
  }
  read_to_end(&reads[0], ROWS);
  read_to_end(&reads[1], ROWS);
  finish(&reads[1]);
  finish(&reads[0]);
}

static void beside_one_unread(struct AdbcConnection *connection) {
  struct read unread, begun, read;
  begin(&unread, connection, LARGE);
  begin(&begun, connection, LARGE);
  CHECK(e2e_read_ids(&begun.stream, &begun.next, 1));
  for (int n = 0; n < 2; n++) {
    begin(&read, connection, QUERY);
    read_to_end(&read, ROWS);
    finish(&read);
  }
  finish(&unread);
  finish(&begun);
}

static void *read_on(void *arg) {
  struct read *read = arg;
  read->status = ADBC_STATUS_OK;
  if (!e2e_read_ids(&read->stream, &read->next, LARGE_ROWS)) {
    read->status = e2e_stream_status(&read->stream);
  }
  return NULL;
}

static void until_bytes_come(struct AdbcStatement *stmt) {
  for (int i = 0; counted(stmt, "bytes_received") == 0; i++) {
    CHECK(i < 100000);
    e2e_sleep_us(200);
  }
}

static void cancel(struct AdbcStatement *stmt) {
  AdbcStatusCode status = e2e_driver.StatementCancel(stmt, &e2e_error);
  CHECK(status == ADBC_STATUS_OK || status == ADBC_STATUS_INVALID_STATE);
  if (e2e_error.release) e2e_error.release(&e2e_error);
}

/* Bytes that arrive behind the cancel, in the same round of the loop, have nowhere to
 * go. */
static void cancelled_while_bytes_come(struct AdbcConnection *connection) {
  int cancelled = 0;
  for (int64_t n = 0; n < CANCELS; n++) {
    struct read read;
    pthread_t reader;
    begin(&read, connection, LARGE);
    CHECK(pthread_create(&reader, NULL, read_on, &read) == 0);
    until_bytes_come(&read.stmt);
    e2e_sleep_us(n % 8 * 500); /* not always at the same byte */
    cancel(&read.stmt);
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK(read.status == ADBC_STATUS_OK || read.status == ADBC_STATUS_CANCELLED);
    cancelled += read.status == ADBC_STATUS_CANCELLED;
    finish(&read);
  }
  CHECK(cancelled > 0);
}

static void closed_while_bytes_come(struct AdbcConnection *connection) {
  for (int64_t n = 0; n < CANCELS; n++) {
    struct read read;
    struct ArrowArray batch;
    begin(&read, connection, LARGE);
    bool reads = n % 2 == 0;
    if (reads) CHECK(read.stream.get_next(&read.stream, &batch) == 0 && batch.release);
    e2e_sleep_us(n % 8 * 300);
    finish(&read);
    if (reads) batch.release(&batch); /* what was handed out outlives the result */
  }
}

static void *read_many(void *arg) {
  for (int n = 0; n < 2; n++) {
    struct read read;
    begin(&read, arg, QUERY);
    read_to_end(&read, ROWS);
    finish(&read);
  }
  return NULL;
}

static void in_threads(struct AdbcConnection *connection) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, read_many, connection) == 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* A fault that is mended, and how the driver counts the mending. */
static const struct {
  const char *fault;
  const char *counter;
} mended[] = {
    {"{\"where\": {\"storage\": \"GET\", \"file\": 1},"
     " \"do\": {\"kind\": \"truncate\", \"bytes\": 3000}}",
     "resumed_bytes"},
    {"{\"where\": {\"storage\": \"GET\", \"file\": 2},"
     " \"do\": {\"kind\": \"reset\", \"bytes\": 9000}}",
     "retries"},
    {"{\"where\": {\"storage\": \"GET\", \"file\": 1},"
     " \"do\": {\"kind\": \"status\", \"code\": 403}}",
     "renewals"},
    {"{\"where\": {\"storage\": \"GET\", \"file\": 3}, \"do\": \"expired_link\"}",
     "renewals"},
    {"{\"where\": \"links\", \"do\": \"expired_links\"}", "renewals"},
};

static void with_faults(struct AdbcConnection *connection) {
  for (size_t i = 0; i < sizeof(mended) / sizeof(mended[0]); i++) {
    struct read read;
    e2e_control("POST", "/faults", mended[i].fault);
    begin(&read, connection, QUERY);
    read_to_end(&read, ROWS);
    CHECK(counted(&read.stmt, mended[i].counter) > 0);
    finish(&read);
    e2e_control("DELETE", "/faults", NULL);
  }
  /* In many threads, and no more often than one file survives. */
  e2e_control(
      "POST", "/faults",
      "{\"where\": {\"storage\": \"GET\"}, \"times\": 3, \"when\": {\"every\": 5},"
      " \"do\": {\"kind\": \"truncate\", \"bytes\": 3000}}");
  e2e_control(
      "POST", "/faults",
      "{\"where\": {\"storage\": \"GET\"}, \"times\": 3, \"when\": {\"every\": 7},"
      " \"do\": \"expired_link\"}");
  in_threads(connection);
  e2e_control("DELETE", "/faults", NULL);
}

static void a_file_that_cannot_be_had(struct AdbcConnection *connection) {
  struct read read;
  e2e_control("POST", "/faults",
              "{\"where\": {\"storage\": \"GET\", \"file\": 2}, \"times\": 0,"
              " \"do\": {\"kind\": \"status\", \"code\": 403}}");
  begin(&read, connection, QUERY);
  CHECK(!e2e_read_ids(&read.stream, &read.next, ROWS));
  CHECK(read.next > 0);
  CHECK(strstr(read.stream.get_last_error(&read.stream), "file 2 of the result (rows "));
  finish(&read);
  e2e_control("DELETE", "/faults", NULL);
}

static void links_that_die(struct AdbcConnection *connection) {
  struct read read;
  e2e_statement(&read.stmt, connection, QUERY);
  e2e_set(&read.stmt, "databricks.prefetch_pages", "0");
  read.next = 0;
  OK(e2e_driver.StatementExecuteQuery(&read.stmt, &read.stream, NULL, &e2e_error));
  CHECK(e2e_read_ids(&read.stream, &read.next, 1));
  e2e_control("POST", "/clock/advance", "{\"by\": \"16m\"}"); /* a link lives for 15 */
  read_to_end(&read, ROWS);
  CHECK(counted(&read.stmt, "renewals") > 0);
  finish(&read);
}

/* With a small budget files are fetched for a reader who waits alone. */
static void with_budget(const char *budget_bytes) {
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  e2e_database(&database, "databricks.memory_budget_bytes", budget_bytes, NULL);
  e2e_connection(&connection, &database);
  whole(&connection);
  in_turn(&connection);
  beside_one_unread(&connection);
  closed_while_bytes_come(&connection);
  in_threads(&connection);
  a_file_that_cannot_be_had(&connection);
  e2e_close(NULL, &connection, &database);
}

int main(void) {
  e2e_begin();
  e2e_control("POST", "/settings", few_files);
  with_budget("100000");
  with_budget("67108864");
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  e2e_database(&database, NULL);
  e2e_connection(&connection, &database);
  cancelled_while_bytes_come(&connection);
  with_faults(&connection);
  links_that_die(&connection);
  e2e_close(NULL, &connection, &database);
  e2e_control("POST", "/settings", as_before);
  return e2e_end();
}
