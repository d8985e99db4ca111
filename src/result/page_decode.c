/* SPDX-License-Identifier: Apache-2.0 */
/* 1. A page is cut into units: a batch, or small ones in a row, which are cheaper
 *    together, and are at hand together, so that what is merged does not depend on how
 *    far the workers are. Units are numbered. `started` of them have been taken up by a
 *    decoder, `handed` of them have been handed out; those between are in the ring, at
 *    most LB_PAGE_DECODE_AHEAD.
 * 2. A decoder takes the next unit, decodes it without the lock and marks its place
 *    done. A job is a decoder for one unit; after it, it goes to the end of the workers'
 *    queue again, so that other results have their turn.
 * 3. The reader waits for the first place of the ring, if a job is at it; if nobody has
 *    taken that unit up, the reader decodes it itself. So a page is read even when no
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

struct unit {
  int32_t first_batch;
  int32_t count;
  int64_t first_row;
};

struct place {
  enum place_state state;
  struct ArrowArray *arrays;
  int32_t count;
  int32_t cap;
  int32_t batch_from; /* where the arrays of the batch begin that is being decoded */
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
  int64_t together_rows;
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
  struct unit *units;
  int32_t count;      /* of units */
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
                                     int64_t together_rows, struct lb_page_decode **out,
                                     struct lb_error *err) {
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
  dec->together_rows = together_rows;
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

/* At most LB_PAGE_TOGETHER_MOST times LB_PAGE_ARRAYS. */
static enum lb_status grow(struct place *place, struct lb_error *err) {
  int32_t cap = LB_MAX(2 * place->cap, LB_PAGE_ARRAYS);
  struct ArrowArray *arrays =
      lb_realloc(LB_MEM_ARROW, place->arrays, (size_t)cap * sizeof(*arrays));
  if (arrays == NULL) return lb_error_oom(err, "the arrays of a page");
  place->arrays = arrays;
  place->cap = cap;
  return LB_OK;
}

static enum lb_status keep(void *ctx, struct ArrowArray *array_own,
                           struct lb_error *err) {
  struct place *place = ctx;
  enum lb_status status = LB_OK;
  if (place->count - place->batch_from == LB_PAGE_ARRAYS) {
    status = lb_error_set(err, LB_PROTOCOL,
                          "the rows of a batch come in more than %d record batches",
                          LB_PAGE_ARRAYS);
  } else if (place->count == place->cap) {
    status = grow(place, err);
  }
  if (status == LB_OK) {
    place->arrays[place->count++] = *array_own;
  } else {
    array_own->release(array_own);
  }
  return status;
}

/* At most so many bytes come out of a batch; 0 not known. */
static int64_t raw_bytes(const struct lb_page_decode *dec, struct lb_str batch) {
  size_t bound = batch.len;
  if (dec->lz4 && lb_lz4_measure(batch, SIZE_MAX, &bound, NULL) != LB_OK) return 0;
  return (int64_t)LB_MIN(bound, (size_t)INT64_MAX);
}

/* Batches that are decoded together share a slab, so that the size of each needs not be
 * known. */
static enum lb_status ready_stream(struct decoder *by,
                                   const struct lb_t_spark_arrow_batch *batch,
                                   int64_t first_row, bool alone, struct lb_error *err) {
  const struct lb_arrow_stream_options opts = {
      .schema = by->owner->schema,
      .pool = by->owner->pool,
      .lz4 = by->owner->lz4,
      .row_count = batch->row_count.v,
      .first_row = first_row,
      .raw_bytes = alone ? raw_bytes(by->owner, batch->batch) : 0,
      .lean = &by->owner->lean};
  if (by->stream == NULL) return lb_arrow_stream_create(&opts, &by->stream, err);
  lb_arrow_stream_restart(by->stream, opts.row_count, first_row, opts.raw_bytes);
  return LB_OK;
}

static enum lb_status decode_batch(struct decoder *by,
                                   const struct lb_t_spark_arrow_batch *batch,
                                   int64_t first_row, bool alone, struct place *place) {
  struct lb_error *err = &place->err;
  place->batch_from = place->count;
  LB_TRY(ready_stream(by, batch, first_row, alone, err));
  LB_TRY(lb_arrow_stream_feed(by->stream, (const uint8_t *)batch->batch.data,
                              batch->batch.len, keep, place, err));
  return lb_arrow_stream_end(by->stream, err);
}

static void drop_arrays(struct place *place, int32_t from) {
  for (int32_t i = from; i < place->count; i++) {
    place->arrays[i].release(&place->arrays[i]);
  }
  place->count = from;
}

/* A slab that small batches share is not filled to its end: the one that was released
 * last takes the next ones, and what was written to it is still in the cache. */
static void ready_slab(struct decoder *by) {
  if (by->stream == NULL) return;
  if (lb_arrow_stream_fill(by->stream) < LB_PAGE_TOGETHER_SLAB_BYTES) return;
  lb_arrow_stream_rest(by->stream);
}

/* What goes before a batch that fails stays. */
static void decode(struct decoder *by, int32_t index, struct place *place) {
  const struct unit *unit = &by->owner->units[index];
  const struct lb_t_spark_arrow_batch *batch = &by->owner->batches[unit->first_batch];
  int64_t first_row = unit->first_row;
  place->count = 0;
  place->status = LB_OK;
  lb_error_reset(&place->err);
  if (unit->count > 1) ready_slab(by);
  for (int32_t i = 0; i < unit->count && place->status == LB_OK; i++, batch++) {
    place->status = decode_batch(by, batch, first_row, unit->count == 1, place);
    first_row += batch->row_count.v;
  }
  if (place->status != LB_OK) drop_arrays(place, place->batch_from);
}

/* There is a unit that may be taken up. */
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

/* Jobs that are to be posted for the units that may be taken up, one each. */
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

/* How many of the first batches make a unit. */
static int32_t count_together(const struct lb_page_decode *dec,
                              const struct lb_t_spark_arrow_batch *batches,
                              int32_t count) {
  int32_t most = LB_MIN(count, LB_PAGE_TOGETHER_MOST), together = 0;
  int64_t rows = 0, bytes = 0;
  for (; together < most; together++) {
    const struct lb_t_spark_arrow_batch *batch = &batches[together];
    bytes += (int64_t)batch->batch.len;
    if (bytes > LB_PAGE_TOGETHER_BYTES) break;
    if (batch->row_count.v > dec->together_rows - rows) break;
    rows += batch->row_count.v;
  }
  return LB_MAX(together, 1);
}

static void cut_into_units(struct lb_page_decode *dec, int32_t batch_count,
                           int64_t first_row) {
  dec->count = 0;
  for (int32_t i = 0; i < batch_count;) {
    struct unit *unit = &dec->units[dec->count++];
    int32_t together = count_together(dec, &dec->batches[i], batch_count - i);
    *unit = (struct unit){.first_batch = i, .count = together, .first_row = first_row};
    for (; together > 0; together--) first_row += dec->batches[i++].row_count.v;
  }
}

enum lb_status lb_page_decode_begin(struct lb_page_decode *dec,
                                    const struct lb_t_spark_arrow_batch *batches,
                                    int32_t count, int64_t first_row, bool *begun,
                                    struct lb_error *err) {
  LB_ASSERT(!dec->begun);
  *begun = bytes_of(batches, count) >= LB_PAGE_DECODE_MIN_BYTES;
  if (!*begun) return LB_OK;
  struct unit *units = lb_alloc_array(LB_MEM_ARROW, (size_t)count, sizeof(*units));
  struct place *ring = lb_alloc_array(LB_MEM_ARROW, LB_PAGE_DECODE_AHEAD, sizeof(*ring));
  if (units == NULL || ring == NULL) {
    lb_free(units);
    lb_free(ring);
    *begun = false;
    return lb_error_oom(err, "a page's decoding");
  }
  dec->batches = batches;
  dec->units = units;
  dec->ring = ring;
  cut_into_units(dec, count, first_row);
  dec->next_array = 0;
  dec->begun = true;
  lb_mutex_lock(&dec->synced.mu);
  dec->synced.started = dec->synced.handed = 0;
  dec->synced.failed = false;
  dec->synced.active = true;
  lb_mutex_unlock(&dec->synced.mu);
  /* Without workers the reader does it all. */
  if (dec->count > 1 && lb_workers_start(dec->io, NULL) == LB_OK) post_jobs(dec);
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

/* False: there is none left in the place. */
static bool take_array(struct lb_page_decode *dec, struct place *place,
                       struct ArrowArray *out) {
  if (dec->next_array == place->count) return false;
  *out = place->arrays[dec->next_array++];
  bool last = dec->next_array == place->count && place->status == LB_OK;
  if (last) leave_place(dec, place);
  return true;
}

enum lb_status lb_page_decode_next(struct lb_page_decode *dec, struct ArrowArray *out,
                                   struct lb_error *err) {
  out->release = NULL;
  for (;;) {
    struct place *place = first_place(dec);
    if (place == NULL) return LB_OK;
    if (take_array(dec, place, out)) return LB_OK;
    if (place->status != LB_OK) {
      lb_error_copy(err, &place->err);
      return place->status;
    }
    leave_place(dec, place); /* batches of no rows */
  }
}

void lb_page_decode_at_hand(struct lb_page_decode *dec, struct ArrowArray *out) {
  struct place *place = NULL;
  out->release = NULL;
  lb_mutex_lock(&dec->synced.mu);
  if (dec->synced.handed < dec->count) {
    place = &dec->ring[dec->synced.handed % LB_PAGE_DECODE_AHEAD];
    if (place->state != DONE) place = NULL;
  }
  lb_mutex_unlock(&dec->synced.mu);
  if (place != NULL) take_array(dec, place, out);
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
  for (int32_t i = 0; i < LB_PAGE_DECODE_AHEAD; i++) lb_free(dec->ring[i].arrays);
  lb_free(dec->units);
  lb_free(dec->ring);
  dec->units = NULL;
  dec->ring = NULL;
  dec->begun = false;
}
