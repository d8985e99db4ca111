/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding. Of each file:
 *  1. The I/O thread copies bytes as they come into blocks of the pool. It follows the
 *     framing of LZ4 without decompressing, so that a block ends where an LZ4 block does
 *     and the decoder joins nothing. A piece goes to the workers once it has PIECE_BYTES
 *     and they have nothing else of this file, or when its block is full.
 *  2. One worker at a time takes the pieces in order; different files are decoded at the
 *     same time. A worker never waits for bytes.
 *  3. Each array goes to the delivery as soon as it is whole.
 *  4. A strand that begins after rows of the file are out leaves those rows out: the
 *     bytes are the same (step 8 of cloud_download.c).
 *  5. A strand stops when LB_CLOUD_DECODE_AHEAD_BYTES are decoded that the reader has
 *     not taken, unless it is the reader's next file and has nothing for him: what waits
 *     is smaller compressed. The reader resumes it when he has taken enough.
 *  6. A strand that was replaced or stopped adds nothing any more; it may still be at
 *     work then, and sees it at the next piece or array. */
#include "io/workers.h"
#include "result/cloud_internal.h"
#include "wire/arrow_stream.h"
#include "wire/lz4_scan.h"

#define PIECE_BYTES ((size_t)1 << 20)

struct piece {
  struct lb_list node;
  struct lb_block *block;
  size_t len;
};

struct lb_cloud_strand {
  struct lb_job job;
  atomic_uint refs;
  struct lb_cloud_file *file; /* retained */
  struct lb_io_task told_task;

  /* I/O thread. */
  struct lb_lz4_scan scan;
  struct lb_block *block; /* that is being filled */
  size_t len;
  size_t cut; /* the last place where it may end */

  /* Under the cloud's mutex. */
  struct lb_list pieces;
  bool at_work;
  bool paused; /* has pieces, and waits for the reader */
  bool ended;  /* no more pieces will come */

  /* The worker's. */
  struct lb_arrow_stream *stream;
  int64_t skip_rows;
  int64_t seen_rows;
  int64_t counted_bytes; /* that arrays were made of */
  bool finished;
};

static void run(struct lb_job *job);

static void hold(const struct lb_cloud_strand *strand, size_t bytes) {
  lb_cloud_hold(strand->file->cloud->stats, (int64_t)bytes);
}

static void let_go(const struct lb_cloud_strand *strand, size_t bytes) {
  lb_cloud_hold(strand->file->cloud->stats, -(int64_t)bytes);
}

static void release_piece(const struct lb_cloud_strand *strand, struct piece *piece) {
  let_go(strand, piece->len);
  lb_block_release(piece->block);
  lb_free(piece);
}

/* A stream looks at the owner's schema as long as it lives. */
static void drop_stream(struct lb_cloud_strand *strand) {
  if (!strand->stream) return;
  lb_arrow_stream_destroy(strand->stream);
  strand->stream = NULL;
  const struct lb_cloud_owner *owner = &strand->file->cloud->owner;
  owner->drop(owner->ctx);
}

enum lb_status lb_cloud_strand_create(struct lb_cloud_file *file,
                                      struct lb_cloud_strand **out,
                                      struct lb_error *err) {
  struct lb_cloud *cloud = file->cloud;
  struct lb_io *io = lb_cloud_io(cloud);
  LB_TRY(lb_workers_start(io, err));
  struct lb_cloud_strand *strand = lb_alloc_zero(LB_MEM_MISC, sizeof *strand);
  if (!strand) return lb_error_oom(err, "decoding a file");
  const struct lb_arrow_stream_options options = {
      .schema = cloud->schema,
      .pool = lb_io_pool(io),
      .lz4 = cloud->lz4,
      .whole = true,
      .row_count = file->rows,
      .first_row = file->first_row,
      .raw_bytes = file->owned.link.raw_bytes,
      .lean = &cloud->lean,
  };
  enum lb_status status = lb_arrow_stream_create(&options, &strand->stream, err);
  if (status != LB_OK) {
    lb_free(strand);
    return status;
  }
  cloud->owner.hold(cloud->owner.ctx);
  atomic_init(&strand->refs, 1);
  lb_cloud_file_retain(file);
  strand->file = file;
  strand->job.run = run;
  lb_list_init(&strand->pieces);
  lb_lz4_scan_init(&strand->scan);
  lb_mutex_lock(&cloud->synced.mu);
  strand->skip_rows = file->synced.decoded_rows;
  lb_mutex_unlock(&cloud->synced.mu);
  *out = strand;
  return LB_OK;
}

static void retain(struct lb_cloud_strand *strand) {
  atomic_fetch_add_explicit(&strand->refs, 1, memory_order_relaxed);
}

void lb_cloud_strand_release(struct lb_cloud_strand *strand) {
  if (!strand) return;
  if (atomic_fetch_sub_explicit(&strand->refs, 1, memory_order_acq_rel) != 1) return;
  struct lb_list *pieces = &strand->pieces;
  for (struct lb_list *node = lb_list_pop(pieces); node; node = lb_list_pop(pieces)) {
    release_piece(strand, LB_CONTAINER_OF(node, struct piece, node));
  }
  let_go(strand, strand->len);
  lb_block_release(strand->block);
  drop_stream(strand);
  lb_cloud_file_release(strand->file);
  lb_free(strand);
}

bool lb_cloud_strand_busy(const struct lb_cloud_strand *strand) {
  return strand->at_work;
}

/* Step 5. Whoever is the reader's next file and has nothing for him need not wait. */
static bool may_decode(const struct lb_cloud *cloud, const struct lb_cloud_file *file)
    LB_REQUIRES(cloud->synced.mu) {
  if (cloud->synced.ahead_bytes < LB_CLOUD_DECODE_AHEAD_BYTES) return true;
  return cloud->synced.files.next == &file->synced.node &&
         lb_list_empty(&file->synced.arrays);
}

struct lb_cloud_strand *lb_cloud_strand_resume(struct lb_cloud *cloud) {
  if (cloud->synced.paused == 0) return NULL;
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->synced.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, synced.node);
    if (!may_decode(cloud, file)) return NULL; /* nor any behind it */
    struct lb_cloud_strand *strand = file->synced.strand;
    if (strand == NULL || !strand->paused) continue;
    strand->paused = false;
    cloud->synced.paused--;
    strand->at_work = true;
    retain(strand);
    return strand;
  }
  return NULL;
}

void lb_cloud_strand_go_on(struct lb_cloud_strand *strand) {
  lb_workers_post(lb_cloud_io(strand->file->cloud), &strand->job);
}

/* The I/O thread's side. */

static void post(struct lb_cloud_strand *strand, struct piece *piece, bool end) {
  struct lb_cloud *cloud = strand->file->cloud;
  lb_mutex_lock(&cloud->synced.mu);
  if (piece) lb_list_push_back(&strand->pieces, &piece->node);
  if (end) strand->ended = true;
  bool begin = !strand->at_work && !strand->paused;
  if (begin) strand->at_work = true;
  lb_mutex_unlock(&cloud->synced.mu);
  if (!begin) return;
  retain(strand);
  lb_workers_post(lb_cloud_io(cloud), &strand->job);
}

/* Hands over the first keep bytes of the block; the rest goes to a new one. */
static enum lb_status hand_over(struct lb_cloud_strand *strand, size_t keep,
                                struct lb_error *err) {
  struct lb_block *block = NULL;
  size_t rest = strand->len - keep;
  struct piece *piece = lb_alloc_zero(LB_MEM_MISC, sizeof *piece);
  if (!piece) return lb_error_oom(err, "a piece of a file");
  if (rest > 0) {
    enum lb_status status = lb_pool_take(lb_io_pool(lb_cloud_io(strand->file->cloud)),
                                         LB_BLOCK_INPUT, 0, &block, err);
    if (status != LB_OK) {
      lb_free(piece);
      return status;
    }
    memcpy(block->data, strand->block->data + keep, rest);
  }
  piece->block = strand->block;
  piece->len = keep;
  strand->block = block;
  strand->len = rest;
  strand->cut = 0;
  post(strand, piece, false);
  return LB_OK;
}

static bool is_idle(struct lb_cloud_strand *strand) {
  lb_mutex_lock(&strand->file->cloud->synced.mu);
  bool idle = !strand->at_work && !strand->paused;
  lb_mutex_unlock(&strand->file->cloud->synced.mu);
  return idle;
}

/* Copies bytes; a full block is handed over wherever it ends. */
static enum lb_status append(struct lb_cloud_strand *strand, const uint8_t *data,
                             size_t len, struct lb_error *err) {
  while (len > 0) {
    if (strand->block && strand->len == strand->block->cap) {
      LB_TRY(hand_over(strand, strand->cut > 0 ? strand->cut : strand->len, err));
    }
    if (!strand->block) {
      LB_TRY(lb_pool_take(lb_io_pool(lb_cloud_io(strand->file->cloud)), LB_BLOCK_INPUT, 0,
                          &strand->block, err));
    }
    size_t n = LB_MIN(len, strand->block->cap - strand->len);
    memcpy(strand->block->data + strand->len, data, n);
    strand->len += n;
    hold(strand, n);
    data += n;
    len -= n;
  }
  return LB_OK;
}

enum lb_status lb_cloud_strand_data(struct lb_cloud_strand *strand, const uint8_t *data,
                                    size_t len, struct lb_error *err) {
  size_t cut = len, ahead = 0;
  if (strand->file->cloud->lz4) {
    LB_TRY(lb_lz4_scan_feed(&strand->scan, data, len, &cut, &ahead, err));
  }
  if (cut > 0) {
    LB_TRY(append(strand, data, cut, err));
    strand->cut = strand->len;
    if (strand->len >= PIECE_BYTES && is_idle(strand)) {
      LB_TRY(hand_over(strand, strand->len, err));
    }
  }
  /* What belongs together would not fit behind what is there. */
  if (strand->block && strand->cut > 0 && ahead > strand->block->cap - strand->cut) {
    LB_TRY(hand_over(strand, strand->cut, err));
  }
  return append(strand, data + cut, len - cut, err);
}

enum lb_status lb_cloud_strand_end(struct lb_cloud_strand *strand, struct lb_error *err) {
  if (strand->len > 0) LB_TRY(hand_over(strand, strand->len, err));
  post(strand, NULL, true);
  return LB_OK;
}

/* The workers' side. */

static void told_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_cloud_strand *strand =
      LB_CONTAINER_OF(task, struct lb_cloud_strand, told_task);
  struct lb_cloud_file *file = strand->file;
  lb_mutex_lock(&file->cloud->synced.mu);
  bool counts = file->synced.strand == strand;
  lb_mutex_unlock(&file->cloud->synced.mu);
  if (counts) lb_cloud_decoded(file, io);
  lb_cloud_strand_release(strand);
}

/* Once for each strand, well or not. */
static void finish(struct lb_cloud_strand *strand, const struct lb_error *err) {
  struct lb_cloud_file *file = strand->file;
  struct lb_cloud *cloud = file->cloud;
  struct lb_error wrong = LB_ERROR_INIT;
  strand->finished = true;
  drop_stream(strand);
  lb_mutex_lock(&cloud->synced.mu);
  bool counts = file->synced.strand == strand;
  if (counts && !err && file->synced.decoded_rows != file->rows) {
    lb_error_set(&wrong, LB_INVALID_DATA, "%lld rows came of it in place of %lld",
                 (long long)file->synced.decoded_rows, (long long)file->rows);
    err = &wrong;
  }
  if (counts && err) lb_error_copy(&file->synced.spoilt, err);
  if (counts && !err) file->synced.complete = true;
  if (counts && !err && cloud->synced.waiting) lb_cond_signal(&cloud->synced.cond);
  lb_mutex_unlock(&cloud->synced.mu);
  if (!counts) return;
  retain(strand);
  strand->told_task.run = told_on_io;
  lb_io_post(lb_cloud_io(cloud), &strand->told_task);
}

/* Of a batch the columns begin later; the batch itself has no offset, since readers of
 * record batches take none. */
static void cut_front(struct ArrowArray *array, int64_t rows) {
  array->length -= rows;
  for (int64_t i = 0; i < array->n_children; i++) {
    struct ArrowArray *column = array->children[i];
    column->offset += rows;
    column->length -= rows;
    if (column->n_buffers == 0) {
      column->null_count = column->length; /* of type null */
    } else if (column->null_count > 0) {
      column->null_count = -1;
    }
  }
}

/* Step 4. False: nothing is left of it. */
static bool cut_known(struct lb_cloud_strand *strand, struct ArrowArray *array) {
  int64_t known = LB_MIN(LB_MAX(strand->skip_rows - strand->seen_rows, 0), array->length);
  strand->seen_rows += array->length;
  if (known > 0) cut_front(array, known);
  return array->length > 0;
}

static enum lb_status on_array(void *ctx, struct ArrowArray *array_own,
                               struct lb_error *err) {
  struct lb_cloud_strand *strand = ctx;
  struct lb_cloud_file *file = strand->file;
  struct lb_cloud *cloud = file->cloud;
  struct lb_cloud_array *item = NULL;
  bool counts = cut_known(strand, array_own);
  if (counts) {
    item = lb_alloc_zero(LB_MEM_MISC, sizeof *item);
    if (!item) {
      array_own->release(array_own);
      return lb_error_oom(err, "an array of the result");
    }
    int64_t bytes = lb_arrow_stream_stats(strand->stream).raw_bytes;
    item->array = *array_own;
    item->bytes = bytes - strand->counted_bytes;
    strand->counted_bytes = bytes;
    lb_mutex_lock(&cloud->synced.mu);
    counts = file->synced.strand == strand && !cloud->synced.closed;
    if (counts) {
      int64_t row = file->synced.decoded_rows;
      lb_list_push_back(&file->synced.arrays, &item->node);
      file->synced.decoded_rows += item->array.length;
      lb_cloud_hold(cloud->stats,
                    lb_cloud_file_bytes(file, row, file->synced.decoded_rows));
      cloud->synced.ahead_bytes += item->bytes;
      if (cloud->synced.waiting) lb_cond_signal(&cloud->synced.cond);
    }
    lb_mutex_unlock(&cloud->synced.mu);
  }
  if (counts) return LB_OK;
  array_own->release(array_own);
  lb_free(item);
  return LB_OK;
}

/* Step 5. Under the mutex. */
static bool must_pause(const struct lb_cloud_strand *strand, struct lb_cloud *cloud)
    LB_REQUIRES(cloud->synced.mu) {
  const struct lb_cloud_file *file = strand->file;
  bool counts = file->synced.strand == strand && !strand->finished;
  return counts && !cloud->synced.closed && !lb_list_empty(&strand->pieces) &&
         !may_decode(cloud, file);
}

/* The next piece; NULL and *end: there are no more. Neither: nothing to do now. */
static struct piece *next_piece(struct lb_cloud_strand *strand, bool *end) {
  struct lb_cloud *cloud = strand->file->cloud;
  lb_mutex_lock(&cloud->synced.mu);
  strand->paused = must_pause(strand, cloud);
  if (strand->paused) cloud->synced.paused++;
  struct lb_list *node = strand->paused ? NULL : lb_list_pop(&strand->pieces);
  *end = !node && !strand->paused && strand->ended;
  if (!node) strand->at_work = false;
  lb_mutex_unlock(&cloud->synced.mu);
  return node ? LB_CONTAINER_OF(node, struct piece, node) : NULL;
}

static bool is_current(struct lb_cloud_strand *strand) {
  struct lb_cloud *cloud = strand->file->cloud;
  lb_mutex_lock(&cloud->synced.mu);
  bool current = strand->file->synced.strand == strand && !cloud->synced.closed;
  lb_mutex_unlock(&cloud->synced.mu);
  return current;
}

static void run(struct lb_job *job) {
  struct lb_cloud_strand *strand = LB_CONTAINER_OF(job, struct lb_cloud_strand, job);
  struct lb_error err = LB_ERROR_INIT;
  bool end = false;
  struct piece *piece;
  while ((piece = next_piece(strand, &end)) != NULL) {
    enum lb_status status = LB_OK;
    if (!strand->finished && is_current(strand)) {
      status = lb_arrow_stream_feed(strand->stream, piece->block->data, piece->len,
                                    on_array, strand, &err);
    }
    release_piece(strand, piece);
    if (status != LB_OK) finish(strand, &err);
  }
  if (end && !strand->finished && is_current(strand)) {
    bool good = lb_arrow_stream_end(strand->stream, &err) == LB_OK;
    finish(strand, good ? NULL : &err);
  }
  lb_cloud_strand_release(strand);
}
