/* SPDX-License-Identifier: Apache-2.0 */
/* Reads results through the driver's C interface and drops the batches.
 *
 *   consumer [--driver LIBRARY] [--sum] [--repeat N] [--threads N] [--pause SECONDS]
 *            [--parked N] URI SQL [KEY=VALUE...]
 *
 * The token is LAKEBEAT_BENCH_TOKEN of the environment. KEY=VALUE are options of the
 * database.
 *   --sum      adds up the first column, a BIGINT: a check, not to be timed
 *   --repeat   executes so often on one connection; the latencies are in the answer
 *   --threads  so many results at the same time, on one connection, one thread each
 *   --pause    after the first batch waits for the driver to come to rest, then so long;
 *              the CPU that is used meanwhile is in the answer
 *   --parked   before all this, executes so often, reads one batch of each, and leaves
 *              the rest unread to the end
 *
 * Built a second time with BENCH_LINKED, it contains the driver and tells its
 * allocations. */
#include <arrow-adbc/adbc.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#include "bench.h"

#ifdef BENCH_LINKED
#include "base/alloc.h"
AdbcStatusCode AdbcDriverInit(int version, void *driver, struct AdbcError *error);
#endif

#define MAX_THREADS 256
#define MAX_REPEAT 1000000
#define MAX_PARKED 64
/* Long enough for pages in flight to arrive and for idle memory to be given back. */
#define SETTLE_SECONDS 2.5

typedef AdbcStatusCode (*driver_init)(int, void *, struct AdbcError *);

struct options {
  const char *library;
  bool sum;
  long repeat, threads, parked;
  double pause;
  const char *uri, *sql;
  char **pairs;
};

struct reader {
  pthread_t thread;
  int64_t rows, batches, largest, sum;
  double first, done; /* seconds since the start */
  double idle_cpu;
  long threads;
};

static struct options opts = {.repeat = 1, .threads = 1};
static struct AdbcDriver drv;
static struct AdbcConnection connection;
static double begin;

static void ok(AdbcStatusCode status, struct AdbcError *error, const char *what) {
  if (status == ADBC_STATUS_OK) return;
  die("%s: %s", what, error->message ? error->message : "failed without a message");
}

static void doze(double seconds) {
  struct timespec time = {(time_t)seconds,
                          (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&time, &time) != 0) {
  }
}

static void pause_here(struct reader *reader) {
  doze(SETTLE_SECONDS);
  double cpu = cpu_seconds();
  doze(opts.pause);
  reader->idle_cpu = cpu_seconds() - cpu;
}

static void note_batch(struct reader *reader, const struct ArrowArray *batch) {
  reader->rows += batch->length;
  reader->batches++;
  if (batch->length > reader->largest) reader->largest = batch->length;
  if (!opts.sum) return;
  const struct ArrowArray *column = batch->children[0];
  const int64_t *values = (const int64_t *)column->buffers[1] + column->offset;
  for (int64_t i = 0; i < column->length; i++) reader->sum += values[i];
}

static void read_result(struct reader *reader, struct AdbcStatement *stmt) {
  struct AdbcError error = ADBC_ERROR_INIT;
  struct ArrowArrayStream stream = {.release = NULL};
  ok(drv.StatementExecuteQuery(stmt, &stream, NULL, &error), &error, "execute");
  for (;;) {
    struct ArrowArray batch = {.release = NULL};
    if (stream.get_next(&stream, &batch) != 0) {
      const char *text = stream.get_last_error(&stream);
      die("read: %s", text ? text : "failed without a message");
    }
    if (!batch.release) break;
    if (reader->batches == 0) {
      reader->first = now_seconds() - begin;
      reader->threads = status_kib("Threads:");
    }
    note_batch(reader, &batch);
    batch.release(&batch);
    if (opts.pause > 0 && reader->batches == 1) pause_here(reader);
  }
  stream.release(&stream);
}

static void *read_one(void *arg) {
  struct reader *reader = arg;
  struct AdbcError error = ADBC_ERROR_INIT;
  struct AdbcStatement stmt = {0};
  ok(drv.StatementNew(&connection, &stmt, &error), &error, "statement");
  ok(drv.StatementSetSqlQuery(&stmt, opts.sql, &error), &error, "query");
  read_result(reader, &stmt);
  reader->done = now_seconds() - begin;
  ok(drv.StatementRelease(&stmt, &error), &error, "release of the statement");
  return NULL;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a;
  double right = *(const double *)b;
  return (left > right) - (left < right);
}

/* One statement, executed again and again; prints the latencies. */
static void read_repeatedly(struct reader *reader) {
  double *latency = calloc((size_t)opts.repeat, sizeof(*latency));
  if (!latency) die("out of memory");
  struct AdbcError error = ADBC_ERROR_INIT;
  struct AdbcStatement stmt = {0};
  ok(drv.StatementNew(&connection, &stmt, &error), &error, "statement");
  ok(drv.StatementSetSqlQuery(&stmt, opts.sql, &error), &error, "query");
  for (long i = 0; i < opts.repeat; i++) {
    double start = now_seconds();
    read_result(reader, &stmt);
    latency[i] = now_seconds() - start;
  }
  ok(drv.StatementRelease(&stmt, &error), &error, "release of the statement");
  qsort(latency, (size_t)opts.repeat, sizeof(*latency), by_size);
  printf("\"latency_median\": %.9f, \"latency_p99\": %.9f, ", latency[opts.repeat / 2],
         latency[opts.repeat * 99 / 100]);
  free(latency);
}

static void read_all(struct reader *readers) {
  if (opts.repeat > 1) {
    read_repeatedly(readers);
  } else if (opts.threads == 1) {
    read_one(readers);
  } else {
    for (long i = 0; i < opts.threads; i++) {
      if (pthread_create(&readers[i].thread, NULL, read_one, &readers[i]) != 0) {
        die("no thread");
      }
    }
    for (long i = 0; i < opts.threads; i++) pthread_join(readers[i].thread, NULL);
  }
}

static driver_init find_driver(void) {
#ifdef BENCH_LINKED
  return AdbcDriverInit;
#else
  void *library = opts.library ? dlopen(opts.library, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) die("--driver: %s", opts.library ? dlerror() : "is missing");
  union {
    void *object;
    driver_init function;
  } found = {dlsym(library, "AdbcDriverInit")};
  if (!found.object) die("no AdbcDriverInit in the library");
  return found.function;
#endif
}

static void open_database(struct AdbcDatabase *database) {
  struct AdbcError error = ADBC_ERROR_INIT;
  ok(find_driver()(ADBC_VERSION_1_1_0, &drv, &error), &error, "driver");
  ok(drv.DatabaseNew(database, &error), &error, "database");
  const char *token = getenv("LAKEBEAT_BENCH_TOKEN");
  ok(drv.DatabaseSetOption(database, "uri", opts.uri, &error), &error, "uri");
  ok(drv.DatabaseSetOption(database, "databricks.access_token", token, &error), &error,
     "token");
  for (char **pair = opts.pairs; *pair; pair++) {
    char *value = strchr(*pair, '=');
    if (!value) die("'%s' is not KEY=VALUE", *pair);
    *value = 0;
    ok(drv.DatabaseSetOption(database, *pair, value + 1, &error), &error, *pair);
  }
  ok(drv.DatabaseInit(database, &error), &error, "database");
  ok(drv.ConnectionNew(&connection, &error), &error, "connection");
  ok(drv.ConnectionInit(&connection, database, &error), &error, "connection");
}

/* What is loaded or connected with the first query is not part of the measurement. */
static void warm_up(void) {
  struct options real = opts;
  struct reader reader = {0};
  opts = (struct options){.sql = "SELECT 1", .repeat = 1, .threads = 1};
  read_one(&reader);
  opts = real;
}

static struct parked {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
} parked[MAX_PARKED];

static void park(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  for (long i = 0; i < opts.parked; i++) {
    struct parked *one = &parked[i];
    ok(drv.StatementNew(&connection, &one->stmt, &error), &error, "statement");
    ok(drv.StatementSetSqlQuery(&one->stmt, opts.sql, &error), &error, "query");
    ok(drv.StatementExecuteQuery(&one->stmt, &one->stream, NULL, &error), &error,
       "execute");
    struct ArrowArray batch = {.release = NULL};
    if (one->stream.get_next(&one->stream, &batch) != 0) die("parked: not readable");
    if (batch.release) batch.release(&batch);
  }
  if (opts.parked > 0) doze(SETTLE_SECONDS);
}

static void release_parked(void) {
  struct AdbcError error = ADBC_ERROR_INIT;
  for (long i = 0; i < opts.parked; i++) {
    parked[i].stream.release(&parked[i].stream);
    ok(drv.StatementRelease(&parked[i].stmt, &error), &error, "release of the statement");
  }
}

static void read_options(int argc, char **argv) {
  int at = 1;
  for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
    const char *name = argv[at];
    if (strcmp(name, "--sum") == 0) {
      opts.sum = true;
      continue;
    }
    if (++at == argc) die("%s wants a value", name);
    if (strcmp(name, "--driver") == 0) {
      opts.library = argv[at];
    } else if (strcmp(name, "--repeat") == 0) {
      opts.repeat = strtol(argv[at], NULL, 10);
    } else if (strcmp(name, "--threads") == 0) {
      opts.threads = strtol(argv[at], NULL, 10);
    } else if (strcmp(name, "--parked") == 0) {
      opts.parked = strtol(argv[at], NULL, 10);
    } else if (strcmp(name, "--pause") == 0) {
      opts.pause = strtod(argv[at], NULL);
    } else {
      die("%s is not known", name);
    }
  }
  if (argc - at < 2) die("URI and SQL are missing");
  if (opts.repeat < 1 || opts.repeat > MAX_REPEAT) die("--repeat: 1 to %d", MAX_REPEAT);
  if (opts.threads < 1 || opts.threads > MAX_THREADS) {
    die("--threads: 1 to %d", MAX_THREADS);
  }
  if (opts.parked < 0 || opts.parked > MAX_PARKED) die("--parked: 0 to %d", MAX_PARKED);
  opts.uri = argv[at];
  opts.sql = argv[at + 1];
  opts.pairs = argv + at + 2;
}

static long long blocks_so_far(void) {
#ifdef BENCH_LINKED
  return lb_mem_stats(LB_MEM_TAG_COUNT).total_blocks;
#else
  return 0;
#endif
}

static void print_sums(const struct reader *readers) {
  struct reader all = {.first = readers[0].first, .done = readers[0].done};
  double last = readers[0].done;
  for (long i = 0; i < opts.threads; i++) {
    all.rows += readers[i].rows;
    all.batches += readers[i].batches;
    all.sum += readers[i].sum;
    all.idle_cpu += readers[i].idle_cpu;
    if (readers[i].largest > all.largest) all.largest = readers[i].largest;
    if (readers[i].threads > all.threads) all.threads = readers[i].threads;
    if (readers[i].first > all.first) all.first = readers[i].first;
    if (readers[i].done < all.done) all.done = readers[i].done;
    if (readers[i].done > last) last = readers[i].done;
  }
  long own = opts.threads > 1 ? opts.threads + 1 : 1;
  printf("\"rows\": %lld, \"batches\": %lld, \"largest_batch\": %lld, \"sum\": %lld, "
         "\"first\": %.6f, \"first_done\": %.6f, \"last_done\": %.6f, "
         "\"driver_threads\": %ld, \"idle_cpu\": %.6f}\n",
         (long long)all.rows, (long long)all.batches, (long long)all.largest,
         (long long)all.sum, all.first, all.done, last, all.threads - own, all.idle_cpu);
}

int main(int argc, char **argv) {
  static struct reader readers[MAX_THREADS];
  struct AdbcDatabase database = {0};
  struct AdbcError error = ADBC_ERROR_INIT;
  read_options(argc, argv);
  open_database(&database);
  warm_up();
  park();

  printf("{");
  long before_kib = start_of_peak_kib();
  long long blocks = blocks_so_far();
  double cpu = cpu_seconds();
  begin = now_seconds();
  read_all(readers);
  double wall = now_seconds() - begin;
  cpu = cpu_seconds() - cpu;
  printf("\"wall\": %.6f, \"cpu\": %.6f, \"peak_kib\": %ld, \"blocks\": %lld, ", wall,
         cpu, status_kib("VmHWM:") - before_kib, blocks_so_far() - blocks);
  print_sums(readers);
  release_parked();

  ok(drv.ConnectionRelease(&connection, &error), &error, "release of the connection");
  ok(drv.DatabaseRelease(&database, &error), &error, "release of the database");
  return 0;
}
