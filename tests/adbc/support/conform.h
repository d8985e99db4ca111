/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the conformance suite share, beside e2e.h: named tests, calls that
 * have to fail, and objects that are ready for use.
 *
 * Each program is one part of adbc.h; each test stands for sentences of it, which
 * tests/adbc/sentences.txt tells. A check that fails ends the program. */
#ifndef LAKEBEAT_TESTS_CONFORM_H
#define LAKEBEAT_TESTS_CONFORM_H

#include <stdlib.h>
#include <string.h>

#include "e2e.h"

#define SIXTY "SELECT id FROM range(60)"
#define ENDLESS "SELECT count(*) FROM range(100000000000)"

#define INVALID_STATE ADBC_STATUS_INVALID_STATE
#define INVALID_ARGUMENT ADBC_STATUS_INVALID_ARGUMENT
#define NOT_IMPLEMENTED ADBC_STATUS_NOT_IMPLEMENTED
#define NOT_FOUND ADBC_STATUS_NOT_FOUND

/* The call, whose last argument is &e2e_error, has to give the code, which is not OK,
 * with a message and a release callback; the error is released. */
#define FAILS(code, call) conform_fails(__FILE__, __LINE__, #call, (code), (call))
/* As FAILS, and the message contains the text. */
#define FAILS_WITH(code, text, call) \
  conform_fails_with(__FILE__, __LINE__, #call, (code), (text), (call))
/* The call got NULL for its error. */
#define GIVES(code, call) conform_gives(__FILE__, __LINE__, #call, (code), (call))

void conform_fails(const char *file, int line, const char *what, AdbcStatusCode wanted,
                   AdbcStatusCode got);
void conform_fails_with(const char *file, int line, const char *what,
                        AdbcStatusCode wanted, const char *text, AdbcStatusCode got);
void conform_gives(const char *file, int line, const char *what, AdbcStatusCode wanted,
                   AdbcStatusCode got);

struct conform_test {
  const char *name;
  void (*run)(void);
};
#define TEST(function) {#function, function}
/* Runs them one after the other on a warehouse without faults, and ends the program. */
#define TEST_MAIN(...) \
  int main(void) { \
    const struct conform_test tests[] = {__VA_ARGS__}; \
    return conform_main(tests, sizeof(tests) / sizeof(tests[0])); \
  }
int conform_main(const struct conform_test *tests, size_t count);

/* A database and a connection that pages by ten rows, without heartbeat; and a statement
 * with a text, which may be NULL. */
struct session {
  struct AdbcDatabase db;
  struct AdbcConnection conn;
  struct AdbcStatement stmt;
};
void session_open(struct session *s, const char *sql);
/* Releases what is left of it. */
void session_close(struct session *s);

/* Sets the text, executes, expects success and no rows; gives the rows affected. */
int64_t run_sql(struct AdbcConnection *conn, const char *sql);
/* Executes the statement that is ready; the stream is valid. */
void execute(struct AdbcStatement *stmt, struct ArrowArrayStream *out);
/* Reads to the end: rows, and batches unless NULL; no batch is empty. -1: it failed. */
int64_t read_rows(struct ArrowArrayStream *stream, int64_t *batches);

/* So many bytes from the heap, no more: a sanitizer sees the byte behind. */
void *exactly(size_t size);

/* {"where": where, "do": action, ...}: a JSON text without the braces. */
void fault(const char *json);

#endif
