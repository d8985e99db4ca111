/* SPDX-License-Identifier: Apache-2.0 */
/* What the end-to-end programs share: the driver through its init function, the
 * warehouse's control port, and checks. The warehouse comes from the environment:
 * LAKEBEAT_TEST_URI, _TOKEN, _CONTROL and _CA_FILE (empty without TLS).
 *
 * A check that fails prints where and what, and ends the program with status 1. Any
 * thread may check. Everything is the caller's; nothing is shared between programs. */
#ifndef LAKEBEAT_TESTS_E2E_H
#define LAKEBEAT_TESTS_E2E_H

#include <arrow-adbc/adbc.h>

#include <stdbool.h>
#include <stdint.h>

#define CHECK(condition) \
  do { \
    if (!(condition)) e2e_fail(__FILE__, __LINE__, #condition); \
  } while (0)
/* The ADBC call has to succeed; else its error is printed. */
#define OK(status) \
  do { \
    e2e_ok(__FILE__, __LINE__, #status, (status), &e2e_error); \
  } while (0)

_Noreturn void e2e_fail(const char *file, int line, const char *what);
void e2e_ok(const char *file, int line, const char *what, AdbcStatusCode status,
            struct AdbcError *error);

/* Each thread has one: an AdbcError belongs to one call at a time. */
extern _Thread_local struct AdbcError e2e_error;
extern struct AdbcDriver e2e_driver;

/* Loads the driver and forgets what earlier programs left in the warehouse. */
void e2e_begin(void);
/* Ends the program: checks that neither an allocation nor a thread is left. */
int e2e_end(void);

/* A database with short deadlines, then the pairs of options, NULL at the end. */
void e2e_database(struct AdbcDatabase *database, ...);
void e2e_connection(struct AdbcConnection *connection, struct AdbcDatabase *database);
void e2e_statement(struct AdbcStatement *stmt, struct AdbcConnection *connection,
                   const char *sql);
void e2e_set(struct AdbcStatement *stmt, const char *key, const char *value);
void e2e_close(struct AdbcStatement *stmt, struct AdbcConnection *connection,
               struct AdbcDatabase *database); /* each may be NULL */

/* databricks.heartbeat.<name> of a statement. */
int64_t e2e_heartbeat(struct AdbcStatement *stmt, const char *name);
/* databricks.query_id of a statement; out has 64 bytes. */
void e2e_query_id(struct AdbcStatement *stmt, char *out);

/* Reads ids that count up from *next until `stop` have been read, batch by batch; false:
 * the stream failed (get_last_error says how). */
bool e2e_read_ids(struct ArrowArrayStream *stream, int64_t *next, int64_t stop);
void e2e_release(struct ArrowArrayStream *stream);
/* Status of the stream's last failure. */
AdbcStatusCode e2e_stream_status(struct ArrowArrayStream *stream);

/* One request to the control port; fails when the answer is not 200. body is JSON or
 * NULL. */
void e2e_control(const char *method, const char *path, const char *body);
/* Waits until `what` of the operation ("" all) has reached count. */
void e2e_wait(const char *what, const char *operation, int64_t count);
void e2e_wait_at_most(const char *what, int64_t count);

int64_t e2e_now_ms(void);
void e2e_sleep_us(int64_t us);

#endif
