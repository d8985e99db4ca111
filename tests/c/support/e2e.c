/* SPDX-License-Identifier: Apache-2.0 */
#include "e2e.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

_Thread_local struct AdbcError e2e_error = ADBC_ERROR_INIT;
struct AdbcDriver e2e_driver;

AdbcStatusCode AdbcDriverInit(int version, void *driver, struct AdbcError *error);

_Noreturn void e2e_fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  if (e2e_error.message) fprintf(stderr, "last error: %s\n", e2e_error.message);
  _exit(1);
}

void e2e_ok(const char *file, int line, const char *what, AdbcStatusCode status,
            struct AdbcError *error) {
  if (status != ADBC_STATUS_OK) e2e_fail(file, line, what);
  if (error->release) error->release(error);
}

static const char *env(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    fprintf(stderr, "%s is not set: run through scripts/with_warehouse.py\n", name);
    exit(1);
  }
  return value;
}

static int count_threads(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  CHECK(dir);
  for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

#define WAIT_MS 20000

static int threads_at_begin;

static void *own_number(void *arg) {
  *(pid_t *)arg = gettid();
  return NULL;
}

/* The system forgets a thread a moment after it was joined. */
static void until_forgotten(pid_t thread) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/task/%d", (int)thread);
  for (int i = 0; access(path, F_OK) == 0; i++) {
    CHECK(i < WAIT_MS);
    e2e_sleep_us(1000);
  }
}

static void until_threads_are(int wanted) {
  for (int i = 0; count_threads() != wanted; i++) {
    CHECK(i < WAIT_MS);
    e2e_sleep_us(1000);
  }
}

void e2e_begin(void) {
  /* A sanitizer starts a thread of its own beside the first one of the program. */
  pthread_t first;
  pid_t number = 0;
  CHECK(pthread_create(&first, NULL, own_number, &number) == 0);
  CHECK(pthread_join(first, NULL) == 0);
  until_forgotten(number);
  threads_at_begin = count_threads();
  e2e_control("POST", "/reset", "{\"sessions\": true}");
  memset(&e2e_driver, 0, sizeof(e2e_driver));
  OK(AdbcDriverInit(ADBC_VERSION_1_1_0, &e2e_driver, &e2e_error));
}

int e2e_end(void) {
  OK(e2e_driver.release(&e2e_driver, &e2e_error));
  struct lb_mem_stats left = lb_mem_stats(LB_MEM_TAG_COUNT);
  if (left.live_blocks != 0) {
    fprintf(stderr, "%lld blocks, %lld bytes are left\n", (long long)left.live_blocks,
            (long long)left.live_bytes);
    return 1;
  }
  until_threads_are(threads_at_begin);
  e2e_wait_at_most("sessions_open", 0);
  e2e_wait_at_most("operations_open", 0);
  return 0;
}

void e2e_database(struct AdbcDatabase *database, ...) {
  memset(database, 0, sizeof(*database));
  const struct AdbcDriver *drv = &e2e_driver;
  OK(drv->DatabaseNew(database, &e2e_error));
  const char *ca_file = env("LAKEBEAT_TEST_CA_FILE");
  const char *fixed[][2] = {
      {"uri", env("LAKEBEAT_TEST_URI")},
      {"databricks.access_token", env("LAKEBEAT_TEST_TOKEN")},
      {"databricks.connect_timeout_seconds", "5"},
      {"databricks.request_timeout_seconds", "10"},
      {"databricks.retry_timeout_seconds", "3"},
      {"databricks.close_timeout_seconds", "5"},
      {"databricks.tls.ca_file", ca_file},
  };
  size_t count = sizeof(fixed) / sizeof(fixed[0]);
  if (!ca_file[0]) count--;
  for (size_t i = 0; i < count; i++) {
    OK(drv->DatabaseSetOption(database, fixed[i][0], fixed[i][1], &e2e_error));
  }
  va_list args;
  va_start(args, database);
  for (const char *key; (key = va_arg(args, const char *));) {
    OK(drv->DatabaseSetOption(database, key, va_arg(args, const char *), &e2e_error));
  }
  va_end(args);
  OK(drv->DatabaseInit(database, &e2e_error));
}

void e2e_connection(struct AdbcConnection *connection, struct AdbcDatabase *database) {
  memset(connection, 0, sizeof(*connection));
  OK(e2e_driver.ConnectionNew(connection, &e2e_error));
  OK(e2e_driver.ConnectionInit(connection, database, &e2e_error));
}

void e2e_statement(struct AdbcStatement *stmt, struct AdbcConnection *connection,
                   const char *sql) {
  memset(stmt, 0, sizeof(*stmt));
  OK(e2e_driver.StatementNew(connection, stmt, &e2e_error));
  OK(e2e_driver.StatementSetSqlQuery(stmt, sql, &e2e_error));
}

void e2e_set(struct AdbcStatement *stmt, const char *key, const char *value) {
  OK(e2e_driver.StatementSetOption(stmt, key, value, &e2e_error));
}

void e2e_close(struct AdbcStatement *stmt, struct AdbcConnection *connection,
               struct AdbcDatabase *database) {
  if (stmt) {
    OK(e2e_driver.StatementRelease(stmt, &e2e_error));
    CHECK(!stmt->private_data);
  }
  if (connection) {
    OK(e2e_driver.ConnectionRelease(connection, &e2e_error));
    CHECK(!connection->private_data);
  }
  if (database) {
    OK(e2e_driver.DatabaseRelease(database, &e2e_error));
    CHECK(!database->private_data);
  }
}

int64_t e2e_heartbeat(struct AdbcStatement *stmt, const char *name) {
  char key[80];
  int64_t value = -1;
  snprintf(key, sizeof(key), "databricks.heartbeat.%s", name);
  OK(e2e_driver.StatementGetOptionInt(stmt, key, &value, &e2e_error));
  return value;
}

void e2e_query_id(struct AdbcStatement *stmt, char *out) {
  size_t length = 64;
  OK(e2e_driver.StatementGetOption(stmt, "databricks.query_id", out, &length,
                                   &e2e_error));
  CHECK(length == 37);
}

bool e2e_read_ids(struct ArrowArrayStream *stream, int64_t *next, int64_t stop) {
  while (*next < stop) {
    struct ArrowArray batch;
    if (stream->get_next(stream, &batch) != 0) {
      CHECK(stream->get_last_error(stream));
      return false;
    }
    CHECK(batch.release && "the stream has ended early");
    CHECK(batch.n_children >= 1);
    const struct ArrowArray *column = batch.children[0];
    const int64_t *ids = (const int64_t *)column->buffers[1] + column->offset;
    for (int64_t i = 0; i < column->length; i++) CHECK(ids[i] == (*next)++);
    batch.release(&batch);
  }
  return true;
}

void e2e_release(struct ArrowArrayStream *stream) {
  stream->release(stream);
  CHECK(!stream->release);
}

AdbcStatusCode e2e_stream_status(struct ArrowArrayStream *stream) {
  AdbcStatusCode status = ADBC_STATUS_OK;
  const struct AdbcError *error = e2e_driver.ErrorFromArrayStream(stream, &status);
  CHECK(error && error->message);
  return status;
}

/* The control port: one connection a request, so that no state has to be kept. */

static int dial(const char *url) {
  const char *colon = strrchr(url, ':');
  CHECK(colon);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  CHECK(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
  return fd;
}

void e2e_control(const char *method, const char *path, const char *body) {
  char text[2048];
  if (!body) body = "";
  int length = snprintf(text, sizeof(text),
                        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        method, path, strlen(body), body);
  CHECK(length > 0 && (size_t)length < sizeof(text));
  int fd = dial(env("LAKEBEAT_TEST_CONTROL"));
  CHECK(send(fd, text, (size_t)length, MSG_NOSIGNAL) == length);
  char reply[4096];
  size_t got = 0;
  for (ssize_t part; got < sizeof(reply) - 1; got += (size_t)part) {
    part = recv(fd, reply + got, sizeof(reply) - 1 - got, 0);
    if (part <= 0) break;
  }
  close(fd);
  reply[got] = '\0';
  if (strncmp(reply, "HTTP/1.1 200", 12) != 0) {
    fprintf(stderr, "%s %s %s: %s\n", method, path, body, reply);
    e2e_fail(__FILE__, __LINE__, "the control port refused");
  }
}

static void wait_for(const char *what, const char *operation, int64_t count, bool most) {
  char body[256];
  char named[80] = "null";
  if (operation && operation[0]) snprintf(named, sizeof(named), "\"%s\"", operation);
  snprintf(body, sizeof(body),
           "{\"what\": \"%s\", \"operation\": %s, \"count\": %lld, \"at_most\": %s, "
           "\"timeout_seconds\": 20}",
           what, named, (long long)count, most ? "true" : "false");
  e2e_control("POST", "/wait", body);
}

void e2e_wait(const char *what, const char *operation, int64_t count) {
  wait_for(what, operation, count, false);
}

void e2e_wait_at_most(const char *what, int64_t count) {
  wait_for(what, NULL, count, true);
}

int64_t e2e_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void e2e_sleep_us(int64_t us) {
  struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
  nanosleep(&pause, NULL);
}
