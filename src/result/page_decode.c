/* SPDX-License-Identifier: Apache-2.0 */
/* 1. Batches are numbered. `started` of them have been taken up by a decoder, `handed` of
 *    them have been handed out; those between are in the ring, at most
 *    LB_PAGE_DECODE_AHEAD.
 * 2. A decoder takes the next batch, decodes it without the lock and marks its place
 *    done. A job is a decoder for one batch; after it, it goes to the end of the workers'
 *    queue again, so that other results have their turn.
 * 3. The reader waits for the first place of the ring, if a job is at it; if nobody has
 *    taken that batch up, the reader decodes it itself. So a page is read even when no
 *    worker could be had.
 * 4. A failure is handed out when its turn comes, after the rows before it; nothing is
 *    taken up after it. */
#include "result/page_decode.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/mutex.h"
#include "io/workers.h"
#include "wire/arrow_stream.h"
#include "wire/lz4.h"

/* Whoever decodes: a worker's job, or the reader. */
struct decoder {
  struct lb_job job;
  struct lb_page_decode *owner;
  struct lb_arrow_stream *stream; /* NULL until it is needed */
  bool posted LB_GUARDED_BY(owner->synced.mu);
};

enum place_state { EMPTY, AT_WORK, DONE };

struct place {
  enum place_state state;
  struct ArrowArray arrays[LB_PAGE_ARRAYS];
  int32_t count;
  enum lb_status status;
  struct lb_error err;
};

#define READER LB_WORKERS_MAX

struct lb_page_decode {
  atomic_uint refs; /* the owner's, and one for each job that is posted */
  struct lb_io *io;
  struct lb_pool *pool;
  const struct lb_result_schema *schema;
  bool lz4;
  atomic_int lean;
  struct decoder decoders[LB_WORKERS_MAX + 1];
  struct {
    struct lb_mutex mu;
    struct lb_cond changed; /* for the reader */
    bool active LB_GUARDED_BY(mu);
    bool failed LB_GUARDED_BY(mu);
    int32_t working LB_GUARDED_BY(mu); /* decoders that are at a batch */
    int32_t started LB_GUARDED_BY(mu);
    int32_t handed LB_GUARDED_BY(mu);
  } synced;
  /* The page; does not change while it is active. */
  const struct lb_t_spark_arrow_batch *batches;
  int64_t *first_rows; /* of each batch */
  int32_t count;
  struct place *ring; /* each by its state the decoder's or the reader's */
  /* The reader's. */
  bool begun;
  int32_t next_array; /* of the place that is being handed out */
};

static void release(struct lb_page_decode *dec) {
  if (atomic_fetch_sub_explicit(&dec->refs, 1, memory_order_acq_rel) != 1) return;
  lb_cond_destroy(&dec->synced.changed);
  lb_mutex_destroy(&dec->synced.mu);
  lb_pool_release(dec->pool);
  lb_free(dec);
}

static void run_job(struct lb_job *job);

enum lb_status lb_page_decode_create(struct lb_io *io,
                                     const struct lb_result_schema *schema, bool lz4,
                                     struct lb_page_decode **out, struct lb_error *err) {
  struct lb_page_decode *dec = lb_alloc_zero(LB_MEM_ARROW, sizeof(*dec));
  if (dec == NULL) return lb_error_oom(err, "a decoder of pages");
  enum lb_status status = lb_mutex_init(&dec->synced.mu, err);
  if (status != LB_OK) {
    lb_free(dec);
    return status;
  }
  status = lb_cond_init(&dec->synced.changed, err);
  if (status != LB_OK) {
    lb_mutex_destroy(&dec->synced.mu);
    lb_free(dec);
    return status;
  }
  atomic_init(&dec->refs, 1);
  dec->io = io;
  dec->pool = lb_io_pool(io);
  lb_pool_retain(dec->pool);
  dec->schema = schema;
  dec->lz4 = lz4;
  for (int i = 0; i <= READER; i++) {
    lb_job_init(&dec->decoders[i].job, run_job);
    dec->decoders[i].owner = dec;
  }
  *out = dec;
  return LB_OK;
}

void lb_page_decode_rest(struct lb_page_decode *dec) {
  LB_ASSERT(!dec->begun);
  for (int i = 0; i <= READER; i++) {
    lb_arrow_stream_destroy(dec->decoders[i].stream);
    dec->decoders[i].stream = NULL;
  }
}

void lb_page_decode_destroy(struct lb_page_decode *dec) {
  if (dec == NULL) return;
  lb_page_decode_stop(dec);
  lb_page_decode_rest(dec);
  release(dec);
}

/* Step 2. */

static enum lb_status keep(void *ctx, struct ArrowArray *array_own,
                           struct lb_error *err) {
  struct place *place = ctx;
  if (place->count == LB_PAGE_ARRAYS) {
    array_own->release(array_own);
    return lb_error_set(err, LB_PROTOCOL,
                        "the rows of a batch come in more than %d record batches",
                        LB_PAGE_ARRAYS);
  }
  place->arrays[place->count++] = *array_own;
  return LB_OK;
}

/* At most so many bytes come out of a batch; 0 not known. */
static int64_t raw_bytes(const struct lb_page_decode *dec, struct lb_str batch) {
  size_t bound = batch.len;
  if (dec->lz4 && lb_lz4_measure(batch, SIZE_MAX, &bound, NULL) != LB_OK) return 0;
  return (int64_t)LB_MIN(bound, (size_t)INT64_MAX);
}

static enum lb_status ready_stream(struct decoder *by,
                                   const struct lb_t_spark_arrow_batch *batch,
                                   int64_t first_row, struct lb_error *err) {
  const struct lb_arrow_stream_options opts = {
      .schema = by->owner->schema,
      .pool = by->owner->pool,
      .lz4 = by->owner->lz4,
      .row_count = batch->row_count.v,
      .first_row = first_row,
      .raw_bytes = raw_bytes(by->owner, batch->batch),
      .lean = &by->owner->lean};
  if (by->stream == NULL) return lb_arrow_stream_create(&opts, &by->stream, err);
  lb_arrow_stream_restart(by->stream, opts.row_count, first_row, opts.raw_bytes);
  return LB_OK;
}

static void decode(struct decoder *by, int32_t index, struct place *place) {
  const struct lb_t_spark_arrow_batch *batch = &by->owner->batches[index];
  struct lb_error *err = &place->err;
  place->count = 0;
  lb_error_reset(err);
  place->status = ready_stream(by, batch, by->owner->first_rows[index], err);
  if (place->status == LB_OK) {
    place->status = lb_arrow_stream_feed(by->stream, (const uint8_t *)batch->batch.data,
                                         batch->batch.len, keep, place, err);
  }
  if (place->status == LB_OK) place->status = lb_arrow_stream_end(by->stream, err);
}

static void drop_arrays(struct place *place, int32_t from) {
  for (int32_t i = from; i < place->count; i++) {
    place->arrays[i].release(&place->arrays[i]);
  }
  place->count = 0;
}

/* There is a batch that may be taken up. */
static bool has_work(const struct lb_page_decode *dec) LB_REQUIRES(dec->synced.mu) {
  return dec->synced.active && !dec->synced.failed && dec->synced.started < dec->count &&
         dec->synced.started < dec->synced.handed + LB_PAGE_DECODE_AHEAD;
}

/* Takes the lock away while it decodes. */
static void decode_next(struct lb_page_decode *dec, struct decoder *by)
    LB_REQUIRES(dec->synced.mu) {
  int32_t index = dec->synced.started++;
  struct place *place = &dec->ring[index % LB_PAGE_DECODE_AHEAD];
  LB_ASSERT(place->state == EMPTY);
  place->state = AT_WORK;
  dec->synced.working++;
  lb_mutex_unlock(&dec->synced.mu);
  decode(by, index, place);
  lb_mutex_lock(&dec->synced.mu);
  place->state = DONE;
  dec->synced.working--;
  if (place->status != LB_OK) dec->synced.failed = true;
  lb_cond_signal(&dec->synced.changed);
}

static void run_job(struct lb_job *job) {
  struct decoder *by = LB_CONTAINER_OF(job, struct decoder, job);
  struct lb_page_decode *dec = by->owner;
  lb_mutex_lock(&dec->synced.mu);
  if (has_work(dec)) decode_next(dec, by);
  bool again = has_work(dec);
  by->posted = again;
  struct lb_io *io = dec->io;
  lb_mutex_unlock(&dec->synced.mu);
  if (again) {
    lb_workers_post(io, job);
  } else {
    release(dec);
  }
}

/* Jobs that are to be posted for the batches that may be taken up, one each. */
static int32_t wake_jobs(struct lb_page_decode *dec, int32_t limit,
                         struct lb_job *jobs[LB_WORKERS_MAX])
    LB_REQUIRES(dec->synced.mu) {
  int32_t count = 0;
  int32_t end = LB_MIN(dec->count, dec->synced.handed + LB_PAGE_DECODE_AHEAD);
  int32_t left = has_work(dec) ? end - dec->synced.started : 0;
  for (int32_t i = 0; i < limit; i++) {
    struct decoder *by = &dec->decoders[i];
    if (by->posted) left--;
    if (by->posted || left <= 0) continue;
    by->posted = true;
    left--;
    atomic_fetch_add_explicit(&dec->refs, 1, memory_order_relaxed);
    jobs[count++] = &by->job;
  }
  return count;
}

static void post_jobs(struct lb_page_decode *dec) LB_EXCLUDES(dec->synced.mu) {
  struct lb_job *jobs[LB_WORKERS_MAX];
  int32_t workers = LB_MIN(lb_workers_running(dec->io), LB_WORKERS_MAX);
  lb_mutex_lock(&dec->synced.mu);
  int32_t count = wake_jobs(dec, workers, jobs);
  lb_mutex_unlock(&dec->synced.mu);
  for (int32_t i = 0; i < count; i++) lb_workers_post(dec->io, jobs[i]);
}

/* The page. */

static int64_t bytes_of(const struct lb_t_spark_arrow_batch *batches, int32_t count) {
  int64_t bytes = 0;
  for (int32_t i = 0; i < count; i++) bytes += (int64_t)batches[i].batch.len;
  return bytes;
}

enum lb_status lb_page_decode_begin(struct lb_page_decode *dec,
                                    const struct lb_t_spark_arrow_batch *batches,
                                    int32_t count, int64_t first_row, bool *begun,
                                    struct lb_error *err) {
  LB_ASSERT(!dec->begun);
  *begun = bytes_of(batches, count) >= LB_PAGE_DECODE_MIN_BYTES;
  if (!*begun) return LB_OK;
  int64_t *first_rows = lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(*first_rows));
  struct place *ring = lb_alloc_array(LB_MEM_ARROW, LB_PAGE_DECODE_AHEAD, sizeof(*ring));
  if (first_rows == NULL || ring == NULL) {
    lb_free(first_rows);
    lb_free(ring);
    *begun = false;
    return lb_error_oom(err, "a page's decoding");
  }
  for (int32_t i = 0; i < count; i++) {
    first_rows[i] = first_row;
    first_row += batches[i].row_count.v;
  }
  dec->batches = batches;
  dec->first_rows = first_rows;
  dec->ring = ring;
  dec->count = count;
  dec->next_array = 0;
  dec->begun = true;
  lb_mutex_lock(&dec->synced.mu);
  dec->synced.started = dec->synced.handed = 0;
  dec->synced.failed = false;
  dec->synced.active = true;
  lb_mutex_unlock(&dec->synced.mu);
  /* Without workers the reader does it all. */
  if (count > 1 && lb_workers_start(dec->io, NULL) == LB_OK) post_jobs(dec);
  return LB_OK;
}

bool lb_page_decode_active(const struct lb_page_decode *dec) {
  return dec != NULL && dec->begun;
}

/* Step 3: the first place of the ring, done. NULL at the end of the page. */
static struct place *first_place(struct lb_page_decode *dec) {
  struct place *place = NULL;
  lb_mutex_lock(&dec->synced.mu);
  if (dec->synced.handed < dec->count) {
    place = &dec->ring[dec->synced.handed % LB_PAGE_DECODE_AHEAD];
    if (place->state == EMPTY) decode_next(dec, &dec->decoders[READER]);
    while (place->state != DONE) lb_cond_wait(&dec->synced.changed, &dec->synced.mu);
  }
  lb_mutex_unlock(&dec->synced.mu);
  return place;
}

static void leave_place(struct lb_page_decode *dec, struct place *place) {
  lb_mutex_lock(&dec->synced.mu);
  place->state = EMPTY;
  place->count = 0;
  dec->synced.handed++;
  lb_mutex_unlock(&dec->synced.mu);
  dec->next_array = 0;
  post_jobs(dec);
}

enum lb_status lb_page_decode_next(struct lb_page_decode *dec, struct ArrowArray *out,
                                   struct lb_error *err) {
  out->release = NULL;
  for (;;) {
    struct place *place = first_place(dec);
    if (place == NULL) return LB_OK;
    if (place->status != LB_OK) {
      lb_error_copy(err, &place->err);
      return place->status;
    }
    if (dec->next_array < place->count) {
      *out = place->arrays[dec->next_array++];
      if (dec->next_array == place->count) leave_place(dec, place);
      return LB_OK;
    }
    leave_place(dec, place); /* a batch of no rows */
  }
}

bool lb_page_decode_used_up(const struct lb_page_decode *dec) {
  struct lb_page_decode *at = (struct lb_page_decode *)(uintptr_t)dec;
  lb_mutex_lock(&at->synced.mu);
  bool used_up = at->synced.handed == at->count;
  lb_mutex_unlock(&at->synced.mu);
  return used_up;
}

void lb_page_decode_stop(struct lb_page_decode *dec) {
  if (!lb_page_decode_active(dec)) return;
  lb_mutex_lock(&dec->synced.mu);
  dec->synced.active = false;
  while (dec->synced.working > 0) lb_cond_wait(&dec->synced.changed, &dec->synced.mu);
  lb_mutex_unlock(&dec->synced.mu);
  for (int32_t i = dec->synced.handed; i < dec->synced.started; i++) {
    struct place *place = &dec->ring[i % LB_PAGE_DECODE_AHEAD];
    drop_arrays(place, i == dec->synced.handed ? dec->next_array : 0);
    place->state = EMPTY;
  }
  lb_free(dec->first_rows);
  lb_free(dec->ring);
  dec->first_rows = NULL;
  dec->ring = NULL;
  dec->begun = false;
}
