/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the process's one I/O object:
 * 1. States: off, running, stopping, exited; one mutex guards them and the count of
 *    uses. It is never held while a thread is joined.
 * 2. The first acquire checks libcurl, initializes it (once per process, never undone:
 *    others may use it), registers the fork handler and then the exit handler. Exit
 *    handlers run last in, first out, so ours runs before the one that OpenSSL
 *    registered meanwhile.
 * 3. The last release stops gently: what holds the exit has close_timeout, the rest is
 *    dropped, the thread is joined. An acquire that comes meanwhile waits and starts
 *    anew.
 * 4. The exit handler stops at once and waits for 500 ms at most: longer than dropping
 *    some thousand transfers takes, short enough for a program that is being ended.
 *    After that the memory is left to the system. The object stays usable: requests
 *    end as cancelled.
 * 5. In the child after fork() only plain stores happen: the lock may be held by a
 *    thread that does not exist there. The parent's object stays reachable and is
 *    never touched. */
#include "io/io.h"

#include "base/mutex.h"
#include "base/os.h"
#include "io/curl_check.h"
#include "io/io_internal.h"
#include "io/io_test_support.h"

#define CLOSE_TIMEOUT_MS 2000
#define EXIT_TIMEOUT_MS 500

enum state { OFF, RUNNING, STOPPING, EXITED };
enum ready { NOT_READY, BEING_READIED, READY };

static struct {
  atomic_int ready; /* enum ready: of mu and cond */
  atomic_int generation;
  struct lb_mutex mu;
  struct lb_cond cond; /* state has changed */
  enum state state LB_GUARDED_BY(mu);
  uint32_t users LB_GUARDED_BY(mu);
  bool pinned LB_GUARDED_BY(mu); /* an exit still uses io */
  struct lb_io *io LB_GUARDED_BY(mu);
  struct lb_io *inherited LB_GUARDED_BY(mu);
  bool has_fork_handler LB_GUARDED_BY(mu);
  bool has_curl LB_GUARDED_BY(mu);
  bool has_exit_handler LB_GUARDED_BY(mu);
} process;

static void forget_parent(void) LB_NO_TSA {
  if (process.io != NULL) process.inherited = process.io;
  process.io = NULL;
  process.users = 0;
  process.pinned = false;
  process.state = OFF;
  atomic_fetch_add(&process.generation, 1);
  atomic_store(&process.ready, NOT_READY);
}

static enum lb_status make_ready(struct lb_error *err) {
  int expected = NOT_READY;
  if (atomic_load(&process.ready) == READY) return LB_OK;
  if (!atomic_compare_exchange_strong(&process.ready, &expected, BEING_READIED)) {
    while (atomic_load(&process.ready) == BEING_READIED) {
    }
    return make_ready(err);
  }
  enum lb_status status = lb_mutex_init(&process.mu, err);
  if (status == LB_OK) {
    status = lb_cond_init(&process.cond, err);
    if (status != LB_OK) lb_mutex_destroy(&process.mu);
  }
  atomic_store(&process.ready, status == LB_OK ? READY : NOT_READY);
  return status;
}

static void wait_for_thread(struct lb_io *io) LB_EXCLUDES(process.mu) {
  int64_t timeout_ms = atomic_load(&io->close_timeout_ms);
  if (timeout_ms < 0) timeout_ms = CLOSE_TIMEOUT_MS;
  lb_loop_stop(io, LB_IO_STOP_GENTLE, lb_ms_add(lb_io_now_ms(io), timeout_ms));
  lb_os_thread_join(&io->thread);
  (void)lb_workers_stop(io->workers, LB_NEVER_MS);
}

static void at_exit(void) {
  if (atomic_load(&process.ready) != READY) return;
  int64_t deadline_ms = lb_os_boottime_ms() + EXIT_TIMEOUT_MS;
  lb_mutex_lock(&process.mu);
  if (process.state == STOPPING) {
    /* Whoever releases the last use has more patience. */
    struct lb_io *stopping = process.io;
    process.pinned = true;
    lb_mutex_unlock(&process.mu);
    lb_loop_stop(stopping, LB_IO_STOP_NOW, deadline_ms);
    lb_mutex_lock(&process.mu);
    process.pinned = false;
    lb_cond_broadcast(&process.cond);
  }
  while (process.state == STOPPING) {
    if (lb_cond_wait_until(&process.cond, &process.mu, deadline_ms)) continue;
    lb_mutex_unlock(&process.mu);
    return;
  }
  struct lb_io *io = process.state == RUNNING ? process.io : NULL;
  process.state = io != NULL ? STOPPING : EXITED;
  lb_mutex_unlock(&process.mu);
  if (io == NULL) return;
  lb_loop_stop(io, LB_IO_STOP_NOW, deadline_ms);
  if (lb_os_thread_join_until(&io->thread, deadline_ms)) {
    (void)lb_workers_stop(io->workers, deadline_ms);
  }
  lb_mutex_lock(&process.mu);
  process.state = EXITED;
  lb_cond_broadcast(&process.cond);
  lb_mutex_unlock(&process.mu);
}

static enum lb_status init_process(struct lb_error *err) LB_REQUIRES(process.mu) {
  if (!process.has_fork_handler) LB_TRY(lb_os_at_fork(forget_parent, err));
  process.has_fork_handler = true;
  if (!process.has_curl) {
    LB_TRY(lb_curl_check(curl_version_info(CURLVERSION_NOW), err));
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
      return lb_error_set(err, LB_INTERNAL, "libcurl cannot be initialized: %s",
                          curl_easy_strerror(code));
    }
  }
  process.has_curl = true;
  if (!process.has_exit_handler) LB_TRY(lb_os_at_exit(at_exit, err));
  process.has_exit_handler = true;
  return LB_OK;
}

static enum lb_status start(struct lb_error *err) LB_REQUIRES(process.mu) {
  struct lb_io *io;
  LB_TRY(init_process(err));
  LB_TRY(lb_loop_create(NULL, NULL, &io, err));
  io->generation = atomic_load(&process.generation);
  io->inherited = process.inherited;
  process.io = io;
  process.state = RUNNING;
  return LB_OK;
}

enum lb_status lb_io_acquire(struct lb_io **out, struct lb_error *err) {
  LB_TRY(make_ready(err));
  enum lb_status status = LB_OK;
  lb_mutex_lock(&process.mu);
  while (process.state == STOPPING) lb_cond_wait(&process.cond, &process.mu);
  if (process.state == EXITED) {
    status = lb_error_set(err, LB_INVALID_STATE,
                          "the process is exiting: no new connection can be opened");
  } else if (process.state == OFF) {
    status = start(err);
  }
  if (status == LB_OK) {
    process.users++;
    *out = process.io;
  }
  lb_mutex_unlock(&process.mu);
  return status;
}

void lb_io_retain(struct lb_io *io) {
  if (io->standalone || lb_io_inherited(io)) return;
  lb_mutex_lock(&process.mu);
  LB_ASSERT(process.users > 0 && process.io == io);
  process.users++;
  lb_mutex_unlock(&process.mu);
}

void lb_io_release(struct lb_io *io) {
  if (io == NULL || lb_io_inherited(io) || io->standalone) return;
  LB_ASSERT(!lb_io_on_thread(io));
  lb_mutex_lock(&process.mu);
  LB_ASSERT(process.users > 0 && process.io == io);
  bool last = --process.users == 0 && process.state == RUNNING;
  if (last) process.state = STOPPING;
  lb_mutex_unlock(&process.mu);
  if (!last) return;
  wait_for_thread(io);
  lb_mutex_lock(&process.mu);
  while (process.pinned) lb_cond_wait(&process.cond, &process.mu);
  process.io = NULL;
  process.state = OFF;
  lb_cond_broadcast(&process.cond);
  lb_mutex_unlock(&process.mu);
  lb_loop_destroy(io);
}

void lb_io_set_close_timeout(struct lb_io *io, int64_t close_timeout_ms) {
  long long before = atomic_load(&io->close_timeout_ms);
  while (
      before < close_timeout_ms &&
      !atomic_compare_exchange_weak(&io->close_timeout_ms, &before, close_timeout_ms)) {
  }
}

bool lb_io_inherited(const struct lb_io *io) {
  return io->generation != atomic_load(&process.generation);
}

enum lb_status lb_io_test_create(const struct lb_clock *clock,
                                 const struct lb_random *random, struct lb_io **out,
                                 struct lb_error *err) {
  struct lb_io *io;
  LB_TRY(make_ready(err));
  lb_mutex_lock(&process.mu);
  enum lb_status status = init_process(err);
  lb_mutex_unlock(&process.mu);
  if (status != LB_OK) return status;
  LB_TRY(lb_loop_create(clock, random, &io, err));
  io->generation = atomic_load(&process.generation);
  io->standalone = true;
  *out = io;
  return LB_OK;
}

void lb_io_test_destroy(struct lb_io *io, int64_t close_timeout_ms) {
  int64_t deadline_ms = lb_ms_add(lb_io_now_ms(io), close_timeout_ms);
  lb_loop_stop(io, close_timeout_ms > 0 ? LB_IO_STOP_GENTLE : LB_IO_STOP_NOW,
               deadline_ms);
  lb_os_thread_join(&io->thread);
  (void)lb_workers_stop(io->workers, LB_NEVER_MS);
  lb_loop_destroy(io);
}

static void do_nothing(struct lb_io_task *task, struct lb_io *io) {
  (void)task;
  (void)io;
}

void lb_io_test_round(struct lb_io *io) {
  /* A task runs at the beginning of a round; when the second one has run, the round of
   * the first is over. */
  for (int i = 0; i < 2; i++) {
    struct lb_io_task task = {.run = do_nothing};
    lb_list_init(&task.node);
    lb_io_run(io, &task);
  }
}
