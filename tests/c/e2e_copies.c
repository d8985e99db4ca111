/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver copies of a result on its way from libcurl to the reader, counted: this
 * program contains the driver, and the linker leads its calls of memcpy and memmove here.
 * docs/internals/WIRE.md says how many copies there may be; the rows compress to a tenth,
 * so that a copy of what was decompressed cannot be taken for one of what was received.
 *
 * Copies of less than COUNTED_BYTES are heads and structs, and not counted. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "e2e.h"

#define COUNTED_BYTES 64
#define ROWS 100000
#define TEXT_BYTES 100

static atomic_llong copied;

void *count_memcpy(void *to, const void *from, size_t bytes) __asm__("__wrap_memcpy");
void *count_memmove(void *to, const void *from, size_t bytes) __asm__("__wrap_memmove");
void *real_memcpy(void *to, const void *from, size_t bytes) __asm__("__real_memcpy");
void *real_memmove(void *to, const void *from, size_t bytes) __asm__("__real_memmove");

static void count(size_t bytes) {
  if (bytes >= COUNTED_BYTES) atomic_fetch_add(&copied, (long long)bytes);
}

void *count_memcpy(void *to, const void *from, size_t bytes) {
  count(bytes);
  return real_memcpy(to, from, bytes);
}

void *count_memmove(void *to, const void *from, size_t bytes) {
  count(bytes);
  return real_memmove(to, from, bytes);
}

static const char texts[] =
    "SELECT id, repeat('lakebeat, ', 10) AS s FROM range(0, 100000, 1, 1)";
static const char numbers[] =
    "SELECT id, id * 7 AS a, CAST(id AS DOUBLE) AS x FROM range(0, 100000, 1, 1)";

/* Copied, in percent of what the reader is given. */
static const struct {
  const char *name;
  const char *sql;
  const char *arrow;
  const char *files;
  const char *target;
  const char *server;
  int64_t row_bytes;
  int64_t least;
  int64_t most;
} ways[] = {
    /* What was received, once. */
    {"inline", texts, "on", "false", "4096", "{\"batch_rows\": 5000}", 8 + 4 + TEXT_BYTES,
     2, 20},
    /* The same, and what is carried from one slab to the next. */
    {"files", texts, "on", "true", "4096", "{\"batch_rows\": 5000}", 8 + 4 + TEXT_BYTES,
     2, 20},
    {"not merged", texts, "on", "false", "0", "{\"batch_rows\": 500}", 8 + 4 + TEXT_BYTES,
     2, 20},
    /* All of it once more, and never twice. */
    {"merged", texts, "on", "false", "4096", "{\"batch_rows\": 500}", 8 + 4 + TEXT_BYTES,
     90, 120},
    /* What was received; swapping it into place is no copy. */
    {"columns of numbers", numbers, "off", "false", "4096", "{\"batch_rows\": 0}",
     8 + 8 + 8, 95, 115},
    /* What was received, and texts once. */
    {"columns of texts", texts, "off", "false", "4096", "{\"batch_rows\": 0}",
     8 + 4 + TEXT_BYTES, 95 + 85, 115 + 90},
};

static void read_by(struct AdbcConnection *connection, size_t way) {
  struct AdbcStatement stmt;
  struct ArrowArrayStream stream;
  int64_t next = 0;
  e2e_control("POST", "/settings", ways[way].server);
  e2e_statement(&stmt, connection, ways[way].sql);
  e2e_set(&stmt, "databricks.arrow", ways[way].arrow);
  e2e_set(&stmt, "databricks.cloudfetch.enabled", ways[way].files);
  e2e_set(&stmt, "databricks.batch_target_rows", ways[way].target);
  atomic_store(&copied, 0);
  OK(e2e_driver.StatementExecuteQuery(&stmt, &stream, NULL, &e2e_error));
  CHECK(e2e_read_ids(&stream, &next, ROWS));
  int64_t percent = atomic_load(&copied) * 100 / (ROWS * ways[way].row_bytes);
  printf("e2e_copies: %s: %lld %% of the rows' bytes\n", ways[way].name,
         (long long)percent);
  CHECK(percent >= ways[way].least);
  CHECK(percent <= ways[way].most);
  e2e_release(&stream);
  e2e_close(&stmt, NULL, NULL);
}

int main(void) {
  struct AdbcDatabase database;
  struct AdbcConnection connection;
  e2e_begin();
  e2e_control("POST", "/settings", "{\"cloud_fetch_bytes\": 0}");
  e2e_database(&database, NULL);
  e2e_connection(&connection, &database);
  for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) read_by(&connection, i);
  e2e_control("POST", "/settings", "{\"cloud_fetch_bytes\": 1048576, \"batch_rows\": 0}");
  e2e_close(NULL, &connection, &database);
  return e2e_end();
}
