/* SPDX-License-Identifier: Apache-2.0 */
#include "io/workers.h"

#include "base/mutex.h"
#include "base/os.h"
#include "io/io_internal.h"

/* A third one on two processors is slower than two: they only take turns. */
#define DEFAULT_COUNT 2

struct lb_workers {
  atomic_int wanted; /* -1: nobody has said */
  struct lb_thread threads[LB_WORKERS_MAX];
  struct {
    struct lb_mutex mu;
    struct lb_cond cond; /* a job for one that is idle; the end for all */
    struct lb_list jobs LB_GUARDED_BY(mu);
    int32_t started LB_GUARDED_BY(mu); /* of threads */
    int32_t running LB_GUARDED_BY(mu); /* ... and not on the way to their end */
    int32_t idle LB_GUARDED_BY(mu);
    bool stopping LB_GUARDED_BY(mu); /* they end when no job is left */
    bool adopted LB_GUARDED_BY(mu);  /* some other thread runs the jobs */
  } synced;
};

static struct lb_job *pop(struct lb_workers *workers) LB_REQUIRES(workers->synced.mu) {
  struct lb_list *node = lb_list_pop(&workers->synced.jobs);
  return node != NULL ? LB_CONTAINER_OF(node, struct lb_job, node) : NULL;
}

/* The next job; NULL: the thread ends. */
static struct lb_job *next_job(struct lb_workers *workers) {
  struct lb_job *job;
  lb_mutex_lock(&workers->synced.mu);
  while ((job = pop(workers)) == NULL && !workers->synced.stopping) {
    workers->synced.idle++;
    lb_cond_wait(&workers->synced.cond, &workers->synced.mu);
    workers->synced.idle--;
  }
  /* From here on a poster knows that nobody here would see its job. */
  if (job == NULL) workers->synced.running--;
  lb_mutex_unlock(&workers->synced.mu);
  return job;
}

static void *run(void *arg) {
  struct lb_workers *workers = arg;
  struct lb_job *job;
  while ((job = next_job(workers)) != NULL) job->run(job);
  return NULL;
}

/* Called with the mutex held; returns with it held and no job left. */
static void run_adopted(struct lb_workers *workers) LB_REQUIRES(workers->synced.mu) {
  struct lb_job *job;
  workers->synced.adopted = true;
  while ((job = pop(workers)) != NULL) {
    lb_mutex_unlock(&workers->synced.mu);
    job->run(job);
    lb_mutex_lock(&workers->synced.mu);
  }
  workers->synced.adopted = false;
}

void lb_workers_post(struct lb_io *io, struct lb_job *job) {
  struct lb_workers *workers = io->workers;
  if (lb_io_inherited(io)) return;
  lb_mutex_lock(&workers->synced.mu);
  lb_list_push_back(&workers->synced.jobs, &job->node);
  bool wake = workers->synced.idle > 0;
  if (workers->synced.stopping && workers->synced.running == 0 &&
      !workers->synced.adopted) {
    run_adopted(workers);
  }
  lb_mutex_unlock(&workers->synced.mu);
  if (wake) lb_cond_signal(&workers->synced.cond);
}

void lb_workers_set_count(struct lb_io *io, int32_t count) {
  atomic_int *wanted = &io->workers->wanted;
  int before = atomic_load(wanted);
  int value = LB_MAX(1, LB_MIN(count, LB_WORKERS_MAX));
  while (before < value && !atomic_compare_exchange_weak(wanted, &before, value)) {
  }
}

enum lb_status lb_workers_start(struct lb_io *io, struct lb_error *err) {
  struct lb_workers *workers = io->workers;
  struct lb_error refused = LB_ERROR_INIT;
  enum lb_status status = LB_OK;
  if (lb_io_inherited(io)) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "threads of the parent process do not exist after fork()");
  }
  int wanted = atomic_load(&workers->wanted);
  if (wanted < 0) wanted = LB_MIN(DEFAULT_COUNT, lb_os_processors());
  lb_mutex_lock(&workers->synced.mu);
  while (workers->synced.started < wanted && !workers->synced.stopping) {
    struct lb_thread *thread = &workers->threads[workers->synced.started];
    status = lb_os_thread_start(thread, "lakebeat-work", run, workers, &refused);
    if (status != LB_OK) break;
    workers->synced.started++;
    workers->synced.running++;
  }
  if (workers->synced.started > 0) status = LB_OK;
  lb_mutex_unlock(&workers->synced.mu);
  if (status != LB_OK) lb_error_copy(err, &refused);
  return status;
}

int32_t lb_workers_running(struct lb_io *io) {
  lb_mutex_lock(&io->workers->synced.mu);
  int32_t running = io->workers->synced.running;
  lb_mutex_unlock(&io->workers->synced.mu);
  return running;
}

bool lb_workers_stop(struct lb_workers *workers, int64_t deadline_ms) {
  lb_mutex_lock(&workers->synced.mu);
  workers->synced.stopping = true;
  int32_t started = workers->synced.started;
  lb_mutex_unlock(&workers->synced.mu);
  lb_cond_broadcast(&workers->synced.cond);
  for (int32_t i = 0; i < started; i++) {
    if (!lb_os_thread_join_until(&workers->threads[i], deadline_ms)) return false;
  }
  lb_mutex_lock(&workers->synced.mu);
  run_adopted(workers); /* jobs for which no thread was ever started */
  lb_mutex_unlock(&workers->synced.mu);
  return true;
}

/* Before it is shared. */
static void init_synced(struct lb_workers *workers) LB_NO_TSA {
  lb_list_init(&workers->synced.jobs);
}

enum lb_status lb_workers_create(struct lb_workers **out, struct lb_error *err) {
  struct lb_workers *workers = lb_alloc_zero(LB_MEM_IO, sizeof(*workers));
  if (workers == NULL) return lb_error_oom(err, "the threads that decode");
  enum lb_status status = lb_mutex_init(&workers->synced.mu, err);
  if (status == LB_OK) {
    status = lb_cond_init(&workers->synced.cond, err);
    if (status != LB_OK) lb_mutex_destroy(&workers->synced.mu);
  }
  if (status != LB_OK) {
    lb_free(workers);
    return status;
  }
  atomic_init(&workers->wanted, -1);
  init_synced(workers);
  *out = workers;
  return LB_OK;
}

void lb_workers_destroy(struct lb_workers *workers) {
  if (workers == NULL) return;
  lb_cond_destroy(&workers->synced.cond);
  lb_mutex_destroy(&workers->synced.mu);
  lb_free(workers);
}
