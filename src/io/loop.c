/* SPDX-License-Identifier: Apache-2.0 */
/* One round of the loop:
 * 1. With no task at hand and no reason to stop: sleep in curl_multi_poll until a
 *    socket, the timer descriptor (CLOCK_BOOTTIME, so that it fires after a suspend)
 *    or a post wakes it.
 * 2. Run the tasks posted so far, in their order.
 * 3. Give free places to transfers in line, let curl work, end what has ended. This
 *    comes before the timers, so that bytes that came while the machine slept count
 *    before a deadline that passed meanwhile.
 * 4. Fire the timers that were due at the beginning of the round, each once. To stop:
 *    tell the service (when no task is left, if there is time), go on until nothing
 *    holds the exit or its time is over, leave the loop, drop every transfer, fire
 *    every timer once, run every task, until nothing is left; then end curl's handles.
 *    From then on a thread that posts a task runs it itself (that happens while the
 *    process exits, when the handler has stopped the thread). */
#include "io/io_internal.h"

#include "io/host.h"
#include "io/turns.h"

/* Longest sleep; a bound on what a lost wake-up could cost. */
#define SLEEP_MAX_MS 60000
/* Pause after curl_multi_poll failed, which it does when memory is short. */
#define POLL_FAILED_MS 10
/* Rounds of draining; each is a step of some owner's way to its end, so a handful is
 * used. */
#define DRAIN_ROUNDS_MAX 10000

/* Which object's I/O thread the running thread is. */
static _Thread_local const struct lb_io *current_io;

static void look_at_clock(struct lb_io *io) {
  io->owned.now_ms = io->clock.now_ms(io->clock.ctx);
  io->owned.awake_ms = io->clock.awake_ms(io->clock.ctx);
}

static bool stop_due(struct lb_io *io) LB_REQUIRES(io->synced.mu) {
  if (io->synced.stop == LB_IO_STOP_NOW) return true;
  if (io->synced.stop != LB_IO_STOP_GENTLE || !lb_list_empty(&io->synced.tasks))
    return false;
  return io->owned.holding_exit == 0 || io->synced.stop_deadline_ms <= io->owned.now_ms;
}

/* When the sleep has to end, as far as timers and the stop go. */
static int64_t next_due_ms(struct lb_io *io, int64_t stop_deadline_ms) {
  const struct lb_heap_node *min = lb_heap_min(&io->owned.timers);
  int64_t due_ms = min != NULL ? min->key : LB_NEVER_MS;
  return LB_MIN(due_ms, stop_deadline_ms);
}

static void pause_without_poll(struct lb_io *io) {
  lb_mutex_lock(&io->synced.mu);
  (void)lb_cond_wait_until(&io->synced.cond, &io->synced.mu,
                           lb_os_boottime_ms() + POLL_FAILED_MS);
  lb_mutex_unlock(&io->synced.mu);
}

static void poll_sockets(struct lb_io *io, int64_t due_ms, bool may_sleep) {
  bool wanted = lb_turns_wanted(io);
  int timeout_ms = wanted ? LB_TURNS_WINDOW_MS : SLEEP_MAX_MS;
  int64_t from_ns = wanted ? lb_os_monotonic_ns() : 0;
  if (!may_sleep || due_ms <= io->owned.now_ms ||
      !lb_list_empty(&io->owned.ready_hosts)) {
    timeout_ms = 0;
  } else if (io->real_time && due_ms < io->owned.armed_ms) {
    /* One that is set too early only wakes the loop once for nothing, while a system call
     * for each deadline that ends unneeded would be two per request. */
    lb_os_timer_set(io->owned.timer_fd, due_ms);
    io->owned.armed_ms = due_ms;
  }
  struct curl_waitfd extra = {.fd = io->owned.timer_fd, .events = CURL_WAIT_POLLIN};
  CURLMcode code = curl_multi_poll(io->multi, &extra, 1, timeout_ms, NULL);
  if (code != CURLM_OK) {
    lb_log(&io->log, LB_LOG_DEBUG, "io", "waiting for the network failed: %s",
           curl_multi_strerror(code));
    pause_without_poll(io);
  }
  if (extra.revents != 0) {
    lb_os_timer_drain(io->owned.timer_fd);
    io->owned.armed_ms = LB_NEVER_MS;
  }
  if (wanted) lb_turns_slept(io, from_ns, lb_os_monotonic_ns());
}

/* What was posted before a gentle stop is run before the service learns of it. */
static bool tells_stopping(struct lb_io *io) LB_REQUIRES(io->synced.mu) {
  if (io->owned.stopping || io->synced.stop == LB_IO_RUN) return false;
  return io->synced.stop == LB_IO_STOP_NOW || lb_list_empty(&io->synced.tasks);
}

static void tell_stopping(struct lb_io *io) {
  if (io->owned.stopping) return;
  io->owned.stopping = true;
  struct lb_io_service *service = io->owned.service;
  if (service != NULL && service->stopping != NULL) service->stopping(service, io);
}

/* Sleeps if there is nothing to do and moves what was posted to tasks. False: stop. */
static bool wait_for_work(struct lb_io *io, struct lb_list *tasks) {
  bool may_sleep = false;
  look_at_clock(io);
  lb_mutex_lock(&io->synced.mu);
  if (tells_stopping(io)) {
    lb_mutex_unlock(&io->synced.mu);
    tell_stopping(io);
    lb_mutex_lock(&io->synced.mu);
  }
  if (stop_due(io)) {
    lb_mutex_unlock(&io->synced.mu);
    return false;
  }
  if (lb_list_empty(&io->synced.tasks)) may_sleep = io->synced.sleeping = true;
  int64_t due_ms = next_due_ms(io, io->synced.stop_deadline_ms);
  lb_mutex_unlock(&io->synced.mu);
  if (may_sleep) poll_sockets(io, due_ms, may_sleep);
  lb_mutex_lock(&io->synced.mu);
  io->synced.sleeping = false;
  lb_list_splice(tasks, &io->synced.tasks);
  lb_mutex_unlock(&io->synced.mu);
  return true;
}

static bool run_tasks(struct lb_io *io, struct lb_list *tasks) {
  bool any = false;
  struct lb_list *node;
  while ((node = lb_list_pop(tasks)) != NULL) {
    struct lb_io_task *task = LB_CONTAINER_OF(node, struct lb_io_task, node);
    task->run(task, io);
    any = true;
  }
  return any;
}

static bool fire_timers(struct lb_io *io, int64_t now_ms) {
  bool any = false;
  for (uint32_t left = io->owned.timers.len; left > 0; left--) {
    struct lb_heap_node *node = lb_heap_min(&io->owned.timers);
    if (node == NULL || node->key > now_ms) break;
    lb_heap_remove(&io->owned.timers, node);
    struct lb_timer *timer = LB_CONTAINER_OF(node, struct lb_timer, node);
    timer->fire(timer, io, io->owned.now_ms);
    any = true;
  }
  return any;
}

static bool take_tasks(struct lb_io *io, struct lb_list *tasks) {
  lb_mutex_lock(&io->synced.mu);
  lb_list_splice(tasks, &io->synced.tasks);
  lb_mutex_unlock(&io->synced.mu);
  return !lb_list_empty(tasks);
}

/* Ends everything that is left, as far as it is left to this thread. */
static void drain(struct lb_io *io) {
  struct lb_list tasks;
  lb_list_init(&tasks);
  look_at_clock(io);
  io->owned.draining = true;
  for (int round = 0; round < DRAIN_ROUNDS_MAX; round++) {
    lb_transfers_drop(io);
    bool any = fire_timers(io, LB_NEVER_MS);
    any = (take_tasks(io, &tasks) && run_tasks(io, &tasks)) || any;
    if (!any) return;
  }
  lb_log(&io->log, LB_LOG_ERROR, "io", "work that never ends was left behind");
}

static void end(struct lb_io *io) {
  struct lb_io_service *service = io->owned.service;
  io->owned.service = NULL;
  if (service != NULL && service->destroy != NULL) service->destroy(service);
  lb_hosts_reset(io);
  lb_pool_close(io->pool);
  curl_multi_cleanup(io->multi);
  curl_share_cleanup(io->share);
  io->multi = NULL;
  io->share = NULL;
}

/* Called with the mutex held and tasks queued; returns with it held and none. */
static void run_adopted(struct lb_io *io) LB_REQUIRES(io->synced.mu) {
  const struct lb_io *outer = current_io;
  io->synced.adopted = true;
  while (!lb_list_empty(&io->synced.tasks)) {
    lb_mutex_unlock(&io->synced.mu);
    current_io = io;
    drain(io);
    current_io = outer;
    lb_mutex_lock(&io->synced.mu);
  }
  io->synced.adopted = false;
}

static void *run(void *arg) {
  struct lb_io *io = arg;
  struct lb_list tasks;
  lb_list_init(&tasks);
  current_io = io;
  while (wait_for_work(io, &tasks)) {
    look_at_clock(io);
    (void)run_tasks(io, &tasks);
    lb_transfers_pump(io);
    lb_transfers_perform(io);
    (void)fire_timers(io, io->owned.now_ms);
    lb_transfers_pump(io);
  }
  tell_stopping(io);
  drain(io);
  end(io);
  lb_mutex_lock(&io->synced.mu);
  io->synced.ended = true;
  run_adopted(io);
  lb_cond_broadcast(&io->synced.cond);
  lb_mutex_unlock(&io->synced.mu);
  current_io = NULL;
  return NULL;
}

void lb_io_post(struct lb_io *io, struct lb_io_task *task) {
  if (lb_io_inherited(io)) return;
  lb_mutex_lock(&io->synced.mu);
  lb_list_push_back(&io->synced.tasks, &task->node);
  if (io->synced.sleeping) {
    /* Under the lock: the thread that sleeps takes it before it could end curl's handle.
     */
    io->synced.sleeping = false;
    (void)curl_multi_wakeup(io->multi);
  }
  if (io->synced.ended && !io->synced.adopted) run_adopted(io);
  lb_mutex_unlock(&io->synced.mu);
}

struct run_wait {
  struct lb_io_task task;
  struct lb_io_task *inner;
  bool served; /* guarded by the mutex of io */
};

static void serve(struct lb_io_task *task, struct lb_io *io) {
  struct run_wait *wait = LB_CONTAINER_OF(task, struct run_wait, task);
  wait->inner->run(wait->inner, io);
  lb_mutex_lock(&io->synced.mu);
  wait->served = true;
  lb_cond_broadcast(&io->synced.cond);
  lb_mutex_unlock(&io->synced.mu);
}

void lb_io_run(struct lb_io *io, struct lb_io_task *task) {
  LB_ASSERT(!lb_io_on_thread(io));
  if (lb_io_inherited(io)) return;
  struct run_wait wait = {.task = {.run = serve}, .inner = task};
  lb_list_init(&wait.task.node);
  lb_io_post(io, &wait.task);
  lb_mutex_lock(&io->synced.mu);
  while (!wait.served) lb_cond_wait(&io->synced.cond, &io->synced.mu);
  lb_mutex_unlock(&io->synced.mu);
}

struct lb_io_service *lb_io_get_service(struct lb_io *io) {
  LB_ASSERT(lb_io_on_thread(io));
  return io->owned.service;
}

void lb_io_set_service(struct lb_io *io, struct lb_io_service *service) {
  LB_ASSERT(lb_io_on_thread(io) && io->owned.service == NULL);
  io->owned.service = service;
  if (io->owned.stopping && service->stopping != NULL) service->stopping(service, io);
}

enum lb_status lb_timer_set(struct lb_io *io, struct lb_timer *timer, int64_t due_ms,
                            struct lb_error *err) {
  LB_ASSERT(lb_io_on_thread(io));
  if (io->owned.draining) {
    return lb_error_set(err, LB_CANCELLED, "the driver is being shut down");
  }
  if (lb_heap_contains(&timer->node)) {
    lb_heap_update(&io->owned.timers, &timer->node, due_ms);
    return LB_OK;
  }
  return lb_heap_insert(&io->owned.timers, &timer->node, due_ms, err);
}

void lb_timer_cancel(struct lb_io *io, struct lb_timer *timer) {
  LB_ASSERT(lb_io_on_thread(io));
  lb_heap_remove(&io->owned.timers, &timer->node);
}

bool lb_io_on_thread(const struct lb_io *io) { return current_io == io; }

struct lb_pool *lb_io_pool(struct lb_io *io) { return io->pool; }

struct lb_log *lb_io_log(struct lb_io *io) { return &io->log; }

int64_t lb_io_now_ms(const struct lb_io *io) { return io->clock.now_ms(io->clock.ctx); }

const struct lb_random *lb_io_random(struct lb_io *io) { return &io->random; }

int64_t lb_io_suspended_ms(const struct lb_io *io) {
  return io->clock.now_ms(io->clock.ctx) - io->clock.awake_ms(io->clock.ctx);
}

void lb_loop_stop(struct lb_io *io, enum lb_io_stop stop, int64_t deadline_ms) {
  lb_mutex_lock(&io->synced.mu);
  io->synced.stop = LB_MAX(io->synced.stop, stop);
  io->synced.stop_deadline_ms = LB_MIN(io->synced.stop_deadline_ms, deadline_ms);
  if (io->synced.sleeping) {
    io->synced.sleeping = false;
    (void)curl_multi_wakeup(io->multi);
  }
  lb_mutex_unlock(&io->synced.mu);
}

static enum lb_status make_curl(struct lb_io *io, struct lb_error *err) {
  io->multi = curl_multi_init();
  io->share = curl_share_init();
  if (io->multi == NULL || io->share == NULL) return lb_error_oom(err, "the I/O thread");
  /* Idle connections of all hosts and classes together. */
  CURLMcode code = curl_multi_setopt(io->multi, CURLMOPT_MAXCONNECTS, 128L);
  if (code == CURLM_OK) {
    code = curl_multi_setopt(io->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  }
  /* One thread uses the share, so it needs no lock functions. */
  CURLSHcode shared =
      curl_share_setopt(io->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  if (code != CURLM_OK || shared != CURLSHE_OK) {
    return lb_error_set(err, LB_INTERNAL, "libcurl %s refused its settings: %s, %s",
                        curl_version_info(CURLVERSION_NOW)->version,
                        curl_multi_strerror(code), curl_share_strerror(shared));
  }
  return LB_OK;
}

static void init_fields(struct lb_io *io, const struct lb_clock *clock,
                        const struct lb_random *random) {
  io->clock = clock != NULL ? *clock : lb_clock_system;
  io->real_time = clock == NULL;
  if (random != NULL) {
    io->random = *random;
  } else {
    lb_random_seed_os(&io->random_state);
    io->random = lb_random_from(&io->random_state);
  }
  atomic_init(&io->close_timeout_ms, -1);
  lb_budget_init(&io->budget);
  lb_heap_init(&io->owned.timers, LB_MEM_IO);
  io->owned.timer_fd = -1;
  io->owned.armed_ms = LB_NEVER_MS;
  lb_list_init(&io->owned.hosts);
  lb_list_init(&io->owned.ready_hosts);
  lb_list_init(&io->owned.transfers);
  lb_list_init(&io->owned.turn_line);
}

/* Before the thread runs nobody else can see these. */
static void init_synced(struct lb_io *io) LB_NO_TSA {
  lb_list_init(&io->synced.tasks);
  io->synced.stop = LB_IO_RUN;
  io->synced.stop_deadline_ms = LB_NEVER_MS;
}

/* The timer is always in the heap but while it fires, so only the end can refuse it. */
static void set_pool_trim(struct lb_io *io, int64_t due_ms) {
  enum lb_status status = lb_timer_set(io, &io->owned.pool_trim, due_ms, NULL);
  LB_ASSERT(status == LB_OK || io->owned.draining);
  (void)status;
}

static void trim_pool(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  bool again = lb_pool_trim(io->pool, now_ms);
  (void)timer;
  set_pool_trim(io, again ? lb_ms_add(now_ms, LB_POOL_IDLE_MS) : LB_NEVER_MS);
}

static void run_pool_warmed(struct lb_io_task *task, struct lb_io *io) {
  (void)task;
  set_pool_trim(io, lb_ms_add(io->owned.now_ms, LB_POOL_IDLE_MS));
}

/* Once until the pool is cold again, so the task is not on its way already. */
static void on_pool_warm(void *ctx) {
  struct lb_io *io = ctx;
  lb_io_post(io, &io->pool_warmed);
}

static enum lb_status make_pool(struct lb_io *io, struct lb_error *err) {
  LB_TRY(lb_pool_create(&io->pool, err));
  io->pool_warmed.run = run_pool_warmed;
  lb_list_init(&io->pool_warmed.node);
  lb_timer_init(&io->owned.pool_trim, trim_pool);
  lb_pool_on_warm(io->pool, on_pool_warm, io);
  return lb_heap_insert(&io->owned.timers, &io->owned.pool_trim.node, LB_NEVER_MS, err);
}

static enum lb_status start_thread(struct lb_io *io, struct lb_error *err) {
  LB_TRY(lb_log_init_env(&io->log, err));
  LB_TRY(make_curl(io, err));
  LB_TRY(make_pool(io, err));
  LB_TRY(lb_workers_create(&io->workers, err));
  io->owned.timer_fd = lb_os_timer_open();
  if (io->owned.timer_fd < 0) {
    return lb_error_set(err, LB_INTERNAL,
                        "the system refused a timer descriptor: raise the limit on open "
                        "files (ulimit -n)");
  }
  return lb_os_thread_start(&io->thread, "lakebeat-io", run, io, err);
}

static void destroy_fields(struct lb_io *io) {
  if (io->multi != NULL) curl_multi_cleanup(io->multi);
  if (io->share != NULL) curl_share_cleanup(io->share);
  if (io->owned.timer_fd >= 0) lb_os_close(io->owned.timer_fd);
  lb_log_reset(&io->log);
  lb_pool_release(io->pool);
  lb_workers_destroy(io->workers);
  lb_heap_reset(&io->owned.timers);
}

enum lb_status lb_loop_create(const struct lb_clock *clock,
                              const struct lb_random *random, struct lb_io **out,
                              struct lb_error *err) {
  struct lb_io *io = lb_alloc_zero(LB_MEM_IO, sizeof(*io));
  if (io == NULL) return lb_error_oom(err, "the I/O thread");
  enum lb_status status;
  bool has_mutex = false, has_cond = false;
  init_fields(io, clock, random);
  init_synced(io);
  status = lb_mutex_init(&io->synced.mu, err);
  if (status != LB_OK) goto done;
  has_mutex = true;
  status = lb_cond_init(&io->synced.cond, err);
  if (status != LB_OK) goto done;
  has_cond = true;
  status = start_thread(io, err);
  if (status != LB_OK) goto done;
  *out = io;
  io = NULL;
done:
  if (io != NULL) {
    destroy_fields(io);
    if (has_cond) lb_cond_destroy(&io->synced.cond);
    if (has_mutex) lb_mutex_destroy(&io->synced.mu);
    lb_free(io);
  }
  return status;
}

void lb_loop_destroy(struct lb_io *io) {
  destroy_fields(io);
  lb_cond_destroy(&io->synced.cond);
  lb_mutex_destroy(&io->synced.mu);
  lb_free(io);
}
