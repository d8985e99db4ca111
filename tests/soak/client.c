/* SPDX-License-Identifier: Apache-2.0 */
/* A program that holds many results open through the ADBC functions, and does what it
 * is told on stdin, a command a line; it answers each with a line of JSON on stdout. D
 * is the number of a database, 0 to 7.
 *
 *   database D KEY=VALUE...   a database and one connection
 *   open D COUNT SQL          runs SQL so often and reads one batch of each
 *   rest D                    reads all to their ends; ids have to count up to 60
 *   read D ROWS               reads on in each, by so many rows or to its end
 *   statistics D              the connection's databricks.heartbeat.* numbers
 *   reasons D                 how many results are in which state, and why
 *   release D                 releases streams and statements
 *   close D                   releases the connection and the database
 *   process                   memory, threads and sockets of this process
 *   fork D exit|use|own|exec  what a child does; answers what became of it
 *   exit                      exit(0) with everything open
 *   end                       ends when nothing is left
 *
 * What goes wrong in a command is its answer's "error"; what must never happen ends the
 * program with status 1. */
#include <arrow-adbc/adbc.h>

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define DATABASES 8
#define WORKERS 16
#define ROWS 60
#define OPTIONS_MAX 24

AdbcStatusCode AdbcDriverInit(int version, void *driver, struct AdbcError *error);

static struct AdbcDriver drv;

struct result {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  int64_t next;
};

struct db {
  bool open;
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  struct result *results;
  size_t count;
  char options[OPTIONS_MAX][2][256];
  size_t option_count;
};
static struct db dbs[DATABASES];

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) _Noreturn static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  _exit(1);
}

/* Text as it may stand in JSON. */
static void plain(char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ') *text = '\'';
  }
}

/* Takes the message out of the error. */
static void take_error(struct AdbcError *error, char *out, size_t cap) {
  snprintf(out, cap, "%.5s: %s", error->sqlstate, error->message ? error->message : "");
  plain(out);
  if (error->release) error->release(error);
  *error = (struct AdbcError)ADBC_ERROR_INIT;
}

/* --- many at a time --------------------------------------------------------------- */

struct job {
  struct db *db;
  const char *sql;
  int64_t rows; /* to read */
  void (*each)(struct job *job, struct result *res);
  atomic_size_t next;
  atomic_llong whole, lost, other, ended;
  atomic_flag has_text;
  char text[600];
  atomic_flag has_other_text;
  char other_text[600];
};

static void *work(void *arg) {
  struct job *job = arg;
  for (;;) {
    size_t at = atomic_fetch_add(&job->next, 1);
    if (at >= job->db->count) return NULL;
    job->each(job, &job->db->results[at]);
  }
}

static void run(struct job *job) {
  pthread_t threads[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    if (pthread_create(&threads[i], NULL, work, job) != 0) die("no thread");
  }
  for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
}

static void note_failure(struct job *job, const char *sqlstate, const char *message) {
  bool lost = strncmp(sqlstate, "24000", 5) == 0;
  atomic_fetch_add(lost ? &job->lost : &job->other, 1);
  if (atomic_flag_test_and_set(lost ? &job->has_text : &job->has_other_text)) return;
  char *out = lost ? job->text : job->other_text;
  snprintf(out, sizeof(job->text), "%.5s: %s", sqlstate, message ? message : "");
  plain(out);
}

static void note_error(struct job *job, struct AdbcError *error) {
  note_failure(job, error->sqlstate, error->message);
  if (error->release) error->release(error);
  *error = (struct AdbcError)ADBC_ERROR_INIT;
}

/* 1: a batch; 0: the end; -1: failed. */
static int read_batch(struct job *job, struct result *res) {
  struct ArrowArray batch = {0};
  int code = res->stream.get_next(&res->stream, &batch);
  if (code != 0) {
    AdbcStatusCode status = ADBC_STATUS_OK;
    const struct AdbcError *error = drv.ErrorFromArrayStream(&res->stream, &status);
    if (!error) die("a stream failed without an error");
    note_failure(job, error->sqlstate, error->message);
    return -1;
  }
  if (!batch.release) return 0;
  const int64_t *ids = batch.children[0]->buffers[1];
  for (int64_t i = 0; i < batch.length; i++) {
    int64_t id = ids[batch.children[0]->offset + i];
    if (id != res->next)
      die("row %lld came as %lld", (long long)res->next, (long long)id);
    res->next++;
  }
  batch.release(&batch);
  return 1;
}

static void open_one(struct job *job, struct result *res) {
  struct AdbcError error = ADBC_ERROR_INIT;
  if (drv.StatementNew(&job->db->connection, &res->stmt, &error) != ADBC_STATUS_OK ||
      drv.StatementSetSqlQuery(&res->stmt, job->sql, &error) != ADBC_STATUS_OK ||
      drv.StatementExecuteQuery(&res->stmt, &res->stream, NULL, &error) !=
          ADBC_STATUS_OK) {
    note_error(job, &error);
  } else if (read_batch(job, res) == 1) {
    atomic_fetch_add(&job->whole, 1);
  }
}

static void finish_one(struct job *job, struct result *res) {
  int got;
  if (!res->stream.release) return;
  do {
    got = read_batch(job, res);
  } while (got == 1);
  if (got == 0 && res->next != ROWS)
    die("a result ended after %lld rows", (long long)res->next);
  if (got == 0) atomic_fetch_add(&job->whole, 1);
}

static void read_on(struct job *job, struct result *res) {
  int64_t until = res->next + job->rows;
  int got = 1;
  while (got == 1 && res->next < until) got = read_batch(job, res);
  if (got >= 0) atomic_fetch_add(&job->whole, 1);
  if (got == 0) atomic_fetch_add(&job->ended, 1);
}

static void release_one(struct job *job, struct result *res) {
  struct AdbcError error = ADBC_ERROR_INIT;
  if (res->stream.release) res->stream.release(&res->stream);
  if (res->stmt.private_data &&
      drv.StatementRelease(&res->stmt, &error) != ADBC_STATUS_OK) {
    note_error(job, &error);
  }
}

static void answer_job(struct job *job, int64_t began_ms) {
  printf("{\"whole\": %lld, \"lost\": %lld, \"other\": %lld, \"ended\": %lld, "
         "\"ms\": %lld, \"text\": \"%s\", \"other_text\": \"%s\"}\n",
         atomic_load(&job->whole), atomic_load(&job->lost), atomic_load(&job->other),
         atomic_load(&job->ended), (long long)(now_ms() - began_ms), job->text,
         job->other_text);
}

static void do_job(struct db *db, const char *sql, int64_t rows,
                   void (*each)(struct job *, struct result *)) {
  static struct job job;
  memset(&job, 0, sizeof(job));
  job.db = db;
  job.sql = sql;
  job.rows = rows;
  job.each = each;
  atomic_flag_clear(&job.has_text);
  atomic_flag_clear(&job.has_other_text);
  int64_t began_ms = now_ms();
  run(&job);
  answer_job(&job, began_ms);
}

/* --- commands --------------------------------------------------------------------- */

static bool open_database(struct db *db, struct AdbcError *error) {
  memset(&db->database, 0, sizeof(db->database));
  memset(&db->connection, 0, sizeof(db->connection));
  if (drv.DatabaseNew(&db->database, error) != ADBC_STATUS_OK) return false;
  for (size_t i = 0; i < db->option_count; i++) {
    if (drv.DatabaseSetOption(&db->database, db->options[i][0], db->options[i][1],
                              error) != ADBC_STATUS_OK) {
      return false;
    }
  }
  return drv.DatabaseInit(&db->database, error) == ADBC_STATUS_OK &&
         drv.ConnectionNew(&db->connection, error) == ADBC_STATUS_OK &&
         drv.ConnectionInit(&db->connection, &db->database, error) == ADBC_STATUS_OK;
}

static void answer(bool ok, struct AdbcError *error) {
  char text[600];
  if (ok) {
    printf("{}\n");
    return;
  }
  take_error(error, text, sizeof(text));
  printf("{\"error\": \"%s\"}\n", text);
}

static void do_database(struct db *db, char *pairs) {
  struct AdbcError error = ADBC_ERROR_INIT;
  char *rest = NULL;
  db->option_count = 0;
  for (char *pair = strtok_r(pairs, " ", &rest); pair;
       pair = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(pair, '=');
    if (!value || db->option_count == OPTIONS_MAX) die("cannot read option %s", pair);
    *value++ = '\0';
    snprintf(db->options[db->option_count][0], 256, "%s", pair);
    snprintf(db->options[db->option_count][1], 256, "%s", value);
    db->option_count++;
  }
  db->open = open_database(db, &error);
  answer(db->open, &error);
}

static void do_open(struct db *db, char *rest) {
  char *sql = NULL;
  long count = strtol(rest, &sql, 10);
  if (count <= 0 || db->results) die("cannot open %s", rest);
  db->results = calloc((size_t)count, sizeof(struct result));
  if (!db->results) die("out of memory");
  db->count = (size_t)count;
  do_job(db, sql + strspn(sql, " "), 0, open_one);
}

static void do_statistics(struct db *db) {
  static const char *const names[] = {
      "armed",     "probes_sent", "probes_succeeded", "probes_failed", "probes_dropped",
      "postponed", "bytes",       "late_max_ms",      "gates_closed"};
  struct AdbcError error = ADBC_ERROR_INIT;
  printf("{");
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char key[80];
    int64_t value = -1;
    snprintf(key, sizeof(key), "databricks.heartbeat.%s", names[i]);
    if (drv.ConnectionGetOptionInt(&db->connection, key, &value, &error) !=
        ADBC_STATUS_OK) {
      die("%s: %s", key, error.message);
    }
    printf("%s\"%s\": %lld", i == 0 ? "" : ", ", names[i], (long long)value);
  }
  printf("}\n");
}

static void do_reasons(struct db *db) {
  struct {
    char name[64];
    long long count;
  } seen[16] = {0};
  struct AdbcError error = ADBC_ERROR_INIT;
  for (size_t i = 0; i < db->count; i++) {
    char state[32], reason[32], both[64];
    size_t state_len = sizeof(state), reason_len = sizeof(reason);
    struct AdbcStatement *stmt = &db->results[i].stmt;
    if (drv.StatementGetOption(stmt, "databricks.heartbeat.state", state, &state_len,
                               &error) != ADBC_STATUS_OK ||
        drv.StatementGetOption(stmt, "databricks.heartbeat.reason", reason, &reason_len,
                               &error) != ADBC_STATUS_OK) {
      die("%s", error.message);
    }
    snprintf(both, sizeof(both), "%s%s%s", state, reason[0] ? " " : "", reason);
    size_t at = 0;
    while (seen[at].name[0] && strcmp(seen[at].name, both) != 0) at++;
    if (at == 15) die("too many states");
    snprintf(seen[at].name, sizeof(seen[at].name), "%s", both);
    seen[at].count++;
  }
  printf("{");
  for (size_t at = 0; seen[at].name[0]; at++) {
    printf("%s\"%s\": %lld", at == 0 ? "" : ", ", seen[at].name, seen[at].count);
  }
  printf("}\n");
}

static void do_release(struct db *db) {
  do_job(db, NULL, 0, release_one);
  free(db->results);
  db->results = NULL;
  db->count = 0;
}

static void do_close(struct db *db) {
  struct AdbcError error = ADBC_ERROR_INIT;
  int64_t began_ms = now_ms();
  bool ok = drv.ConnectionRelease(&db->connection, &error) == ADBC_STATUS_OK &&
            drv.DatabaseRelease(&db->database, &error) == ADBC_STATUS_OK;
  db->open = false;
  if (ok) {
    printf("{\"ms\": %lld}\n", (long long)(now_ms() - began_ms));
  } else {
    answer(ok, &error);
  }
}

static long long status_field(const char *name) {
  char line[128];
  long long value = -1;
  FILE *status = fopen("/proc/self/status", "re");
  if (!status) return -1;
  while (fgets(line, sizeof(line), status)) {
    if (strncmp(line, name, strlen(name)) == 0) value = atoll(line + strlen(name) + 1);
  }
  fclose(status);
  return value;
}

static int count_sockets(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return -1;
  for (struct dirent *entry; (entry = readdir(dir));) {
    char path[300], target[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    count += len > 7 && memcmp(target, "socket:", 7) == 0;
  }
  closedir(dir);
  return count;
}

static void do_process(void) {
  struct lb_mem_stats hb = lb_mem_stats(LB_MEM_HB);
  struct lb_mem_stats all = lb_mem_stats(LB_MEM_TAG_COUNT);
  printf("{\"rss_kib\": %lld, \"peak_kib\": %lld, \"threads\": %lld, \"sockets\": %d, "
         "\"hb_bytes\": %lld, "
         "\"blocks\": %lld, \"bytes\": %lld}\n",
         status_field("VmRSS:"), status_field("VmHWM:"), status_field("Threads:"),
         count_sockets(), (long long)(hb.live_bytes + 16 * hb.live_blocks),
         (long long)all.live_blocks, (long long)all.live_bytes);
}

/* --- fork ------------------------------------------------------------------------- */

/* 0: as it should be. */
static int child_uses(struct db *db) {
  struct AdbcError error = ADBC_ERROR_INIT;
  struct job job = {0};
  struct ArrowArray batch = {0};
  struct result *res = &db->results[0];
  if (res->stream.get_next(&res->stream, &batch) == 0) return 10;
  AdbcStatusCode status = ADBC_STATUS_OK;
  const struct AdbcError *why = drv.ErrorFromArrayStream(&res->stream, &status);
  if (!why || !why->message || !strstr(why->message, "fork")) return 11;
  if (drv.StatementExecuteQuery(&res->stmt, NULL, NULL, &error) == ADBC_STATUS_OK)
    return 12;
  if (!error.message || !strstr(error.message, "fork")) return 13;
  note_error(&job, &error);
  release_one(&job, res);
  return 0;
}

static int child_owns(const struct db *db) {
  static struct db own;
  struct AdbcError error = ADBC_ERROR_INIT;
  struct job job = {.db = &own, .sql = "SELECT id FROM range(60)"};
  own.option_count = db->option_count;
  memcpy(own.options, db->options, sizeof(own.options));
  if (!open_database(&own, &error)) return 20;
  struct result res = {0};
  open_one(&job, &res);
  finish_one(&job, &res);
  release_one(&job, &res);
  if (res.next != ROWS) return 21;
  if (drv.ConnectionRelease(&own.connection, &error) != ADBC_STATUS_OK) return 22;
  if (drv.DatabaseRelease(&own.database, &error) != ADBC_STATUS_OK) return 23;
  return 0;
}

static void do_fork(struct db *db, const char *what) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(30);
    if (strcmp(what, "exec") == 0) execl("/bin/true", "true", (char *)NULL);
    int status = strcmp(what, "use") == 0   ? child_uses(db)
                 : strcmp(what, "own") == 0 ? child_owns(db)
                                            : 0;
    exit(status);
  }
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) die("fork failed");
  printf("{\"status\": %d}\n",
         WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

/* --- the loop --------------------------------------------------------------------- */

static void end(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  for (int i = 0; i < DATABASES; i++) {
    if (dbs[i].open) die("database %d is open", i);
  }
  if (drv.release(&drv, &error) != ADBC_STATUS_OK) die("release failed");
  struct lb_mem_stats all = lb_mem_stats(LB_MEM_TAG_COUNT);
  int64_t threads;
  /* The system forgets a thread a moment after it was joined. */
  for (int i = 0; (threads = status_field("Threads:")) != 1 && i < 10000; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  printf("{\"blocks\": %lld, \"threads\": %lld, \"sockets\": %d}\n",
         (long long)all.live_blocks, (long long)threads, count_sockets());
  exit(all.live_blocks == 0 && threads == 1 ? 0 : 1);
}

static void command(char *line) {
  char *rest = NULL;
  const char *verb = strtok_r(line, " \n", &rest);
  if (!verb) die("an empty command");
  if (strcmp(verb, "process") == 0) return do_process();
  if (strcmp(verb, "exit") == 0) exit(0);
  if (strcmp(verb, "end") == 0) end();
  const char *number = strtok_r(NULL, " \n", &rest);
  if (!number || number[0] < '0' || number[0] >= '0' + DATABASES)
    die("no database: %s", verb);
  struct db *db = &dbs[number[0] - '0'];
  rest[strcspn(rest, "\n")] = '\0';
  if (strcmp(verb, "database") == 0) return do_database(db, rest);
  if (!db->open) die("database %s is not open", number);
  if (strcmp(verb, "open") == 0) return do_open(db, rest);
  if (strcmp(verb, "rest") == 0) return do_job(db, NULL, 0, finish_one);
  if (strcmp(verb, "read") == 0)
    return do_job(db, NULL, strtoll(rest, NULL, 10), read_on);
  if (strcmp(verb, "statistics") == 0) return do_statistics(db);
  if (strcmp(verb, "reasons") == 0) return do_reasons(db);
  if (strcmp(verb, "release") == 0) return do_release(db);
  if (strcmp(verb, "close") == 0) return do_close(db);
  if (strcmp(verb, "fork") == 0) return do_fork(db, rest);
  die("unknown command: %s", verb);
}

int main(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  if (AdbcDriverInit(ADBC_VERSION_1_1_0, &drv, &error) != ADBC_STATUS_OK) {
    die("%s", error.message);
  }
  static char line[8192];
  while (fgets(line, sizeof(line), stdin)) {
    command(line);
    fflush(stdout);
  }
  return 1; /* whoever gave the commands is gone */
}
