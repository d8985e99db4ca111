/* SPDX-License-Identifier: Apache-2.0 */
/* Cancels a long query from a second thread: ./cancel <uri> <token>
 *
 * StatementCancel may be called at any time and from any thread. The call that it ends
 * returns at once with ADBC_STATUS_CANCELLED; the server is told to cancel and close. */
#include <pthread.h>
#include <unistd.h>

#include "example.h"

static void *cancel_soon(void *arg) {
  struct example *ex = arg;
  struct AdbcError error = ADBC_ERROR_INIT; /* ex->error belongs to the other thread */
  sleep(1);
  if (ex->driver.StatementCancel(&ex->statement, &error) != ADBC_STATUS_OK) {
    fprintf(stderr, "cancel: %s\n", error.message ? error.message : "failed");
  }
  if (error.release) error.release(&error);
  return NULL;
}

static bool run_until_cancelled(struct example *ex) {
  struct ArrowArrayStream stream = {.release = NULL};
  pthread_t thread;
  if (pthread_create(&thread, NULL, cancel_soon, ex) != 0) return false;
  AdbcStatusCode status =
      ex->driver.StatementExecuteQuery(&ex->statement, &stream, NULL, &ex->error);
  pthread_join(thread, NULL);
  if (status == ADBC_STATUS_OK) {
    fprintf(stderr, "the query ended before it was cancelled\n");
    stream.release(&stream);
    return false;
  }
  ok(ex, status, "the query ended as it should");
  return status == ADBC_STATUS_CANCELLED;
}

int main(int argc, char **argv) {
  struct example ex;
  bool done = example_open(&ex, argc, argv,
                           "SELECT sum(a.id % 7) FROM range(10000000) a "
                           "CROSS JOIN range(10000000) b") &&
              run_until_cancelled(&ex);
  example_close(&ex);
  return done ? 0 : 1;
}
