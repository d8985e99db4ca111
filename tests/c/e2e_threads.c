/* SPDX-License-Identifier: Apache-2.0 */
/* Eight threads with statements of their own on one connection, a ninth that asks for the
 * connection's counters, a tenth that cancels one statement after the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "e2e.h"

#define THREADS 8
#define ROUNDS 12
#define ROWS 300

static struct AdbcDatabase database;
static struct AdbcConnection connection;
static atomic_int running;
/* What each thread runs; the mutex keeps it from being released under a cancel. */
static struct {
  pthread_mutex_t mu;
  struct AdbcStatement *stmt;
} slots[THREADS];
static atomic_bool disturbed;
static atomic_int whole;
static atomic_int cancelled;

static void publish(int at, struct AdbcStatement *stmt) {
  CHECK(pthread_mutex_lock(&slots[at].mu) == 0);
  slots[at].stmt = stmt;
  CHECK(pthread_mutex_unlock(&slots[at].mu) == 0);
}

static void read_once(int at, const char *arrow, int64_t stop) {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  e2e_statement(&stmt, &connection, "SELECT id FROM range(300)");
  e2e_set(&stmt, "databricks.arrow", arrow);
  publish(at, &stmt);
  AdbcStatusCode status =
      e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error);
  if (status == ADBC_STATUS_OK) {
    int64_t next = 0;
    if (!e2e_read_ids(&stream, &next, stop)) status = e2e_stream_status(&stream);
    e2e_release(&stream);
  } else if (e2e_error.release) {
    e2e_error.release(&e2e_error);
  }
  CHECK(status == ADBC_STATUS_OK ||
        (atomic_load(&disturbed) && status == ADBC_STATUS_CANCELLED));
  atomic_fetch_add(status == ADBC_STATUS_OK ? &whole : &cancelled, 1);
  publish(at, NULL);
  e2e_close(&stmt, NULL, NULL);
}

static void *read_many(void *arg) {
  int at = *(const int *)arg;
  for (int i = 0; i < ROUNDS; i++) {
    read_once(at, i % 3 == 0 ? "off" : "on", i % 4 == 3 ? 50 : ROWS);
  }
  atomic_fetch_sub(&running, 1);
  return NULL;
}

static void *watch(void *arg) {
  (void)arg;
  while (atomic_load(&running) > 0) {
    int64_t armed = -1;
    OK(e2e_driver.ConnectionGetOptionInt(&connection, "databricks.heartbeat.armed",
                                         &armed, &e2e_error));
    CHECK(armed >= 0 && armed <= THREADS);
    e2e_sleep_us(500);
  }
  return NULL;
}

static void cancel_one(int at) {
  CHECK(pthread_mutex_lock(&slots[at].mu) == 0);
  if (slots[at].stmt) {
    AdbcStatusCode status = e2e_driver.StatementCancel(slots[at].stmt, &e2e_error);
    CHECK(status == ADBC_STATUS_OK || status == ADBC_STATUS_INVALID_STATE);
    if (e2e_error.release) e2e_error.release(&e2e_error);
  }
  CHECK(pthread_mutex_unlock(&slots[at].mu) == 0);
}

static void *disturb(void *arg) {
  (void)arg;
  for (int at = 0; atomic_load(&running) > 0; at = (at + 1) % THREADS) {
    cancel_one(at);
    e2e_sleep_us(3000);
  }
  return NULL;
}

static void round_of_threads(bool with_cancels) {
  pthread_t readers[THREADS];
  pthread_t watcher;
  pthread_t canceller;
  int numbers[THREADS];
  atomic_store(&disturbed, with_cancels);
  atomic_store(&running, THREADS);
  CHECK(pthread_create(&watcher, NULL, watch, NULL) == 0);
  if (with_cancels) CHECK(pthread_create(&canceller, NULL, disturb, NULL) == 0);
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    CHECK(pthread_create(&readers[i], NULL, read_many, &numbers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(readers[i], NULL) == 0);
  CHECK(pthread_join(watcher, NULL) == 0);
  if (with_cancels) CHECK(pthread_join(canceller, NULL) == 0);
}

int main(void) {
  e2e_begin();
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_mutex_init(&slots[i].mu, NULL) == 0);
  }
  e2e_database(&database, "databricks.heartbeat.interval_seconds", "1",
               "databricks.max_rows_per_fetch", "40", NULL);
  e2e_connection(&connection, &database);
  round_of_threads(false);
  CHECK(atomic_load(&whole) == THREADS * ROUNDS);
  round_of_threads(true);
  CHECK(atomic_load(&cancelled) > 0);
  e2e_close(NULL, &connection, &database);
  return e2e_end();
}
