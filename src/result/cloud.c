/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery, in the reader's thread:
 *  1. Arrays are taken from the first file whose rows are not all handed out, so rows
 *     come in their order whatever the downloads do.
 *  2. What is handed out leaves the budget: the caller may keep it.
 *  3. With nothing there the reader waits, and says so: what he waits for is never held
 *     back by the budget, and further downloads begin if bytes are what he lacks
 *     (cloud_download.c).
 *  4. A file that failed hands out what was decoded before it did, then its error: never
 *     a row less without one.
 *  5. Every file is counted: its strand ends well only with as many rows as its link
 *     stated. */
#include "result/cloud_internal.h"

static void poke_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_cloud *cloud = LB_CONTAINER_OF(task, struct lb_cloud, poke_task);
  lb_mutex_lock(&cloud->synced.mu);
  cloud->synced.poke_posted = false;
  lb_mutex_unlock(&cloud->synced.mu);
  lb_cloud_pump(cloud, io);
  lb_cloud_release(cloud);
}

/* The I/O thread looks at what there is to do. */
static void tell_io(struct lb_cloud *cloud) {
  lb_mutex_lock(&cloud->synced.mu);
  bool post = !cloud->synced.poke_posted;
  cloud->synced.poke_posted = true;
  lb_mutex_unlock(&cloud->synced.mu);
  if (!post) return;
  lb_cloud_retain(cloud);
  lb_io_post(lb_cloud_io(cloud), &cloud->poke_task);
}

/* Life. */

static void last_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_cloud *cloud = LB_CONTAINER_OF(task, struct lb_cloud, last_task);
  cloud->owned.last = true;
  cloud->owned.holds_owner = !cloud->owned.closed;
  if (cloud->owned.closed) cloud->owner.drop(cloud->owner.ctx);
  lb_cloud_pump(cloud, io);
  lb_cloud_release(cloud);
}

void lb_cloud_last(struct lb_cloud *cloud) {
  if (!lb_cloud_use(cloud)) return;
  lb_cloud_retain(cloud);
  cloud->owner.hold(cloud->owner.ctx);
  lb_io_post(lb_cloud_io(cloud), &cloud->last_task);
}

static void close_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_cloud *cloud = LB_CONTAINER_OF(task, struct lb_cloud, close_task);
  cloud->owned.closed = cloud->owned.ended = true;
  lb_timer_cancel(io, &cloud->owned.grow_timer);
  lb_cloud_wait_end(cloud, io);
  lb_cloud_grant_return(cloud, io);
  lb_cloud_renewal_stop(cloud, io);
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    lb_list_remove(node);
    lb_cloud_download_stop(file, io);
    lb_cloud_file_release(file);
  }
  if (cloud->owned.holds_owner) cloud->owner.drop(cloud->owner.ctx);
  cloud->owned.holds_owner = false;
  lb_cloud_release(cloud);
}

static void release_files(struct lb_list *files) {
  for (struct lb_list *node = lb_list_pop(files); node; node = lb_list_pop(files)) {
    lb_cloud_file_release(LB_CONTAINER_OF(node, struct lb_cloud_file, synced.node));
  }
}

/* Takes the files that are still to be delivered out of the delivery. */
static void drop_delivery(struct lb_cloud *cloud) {
  struct lb_list files;
  lb_list_init(&files);
  lb_mutex_lock(&cloud->synced.mu);
  lb_list_splice(&files, &cloud->synced.files);
  lb_mutex_unlock(&cloud->synced.mu);
  release_files(&files);
}

bool lb_cloud_use(struct lb_cloud *cloud) {
  lb_mutex_lock(&cloud->synced.mu);
  bool open = !cloud->synced.closed;
  if (open) cloud->synced.used = true;
  lb_mutex_unlock(&cloud->synced.mu);
  return open;
}

void lb_cloud_close(struct lb_cloud *cloud) {
  lb_mutex_lock(&cloud->synced.mu);
  cloud->synced.closed = true;
  bool used = cloud->synced.used;
  lb_cond_broadcast(&cloud->synced.cond);
  lb_mutex_unlock(&cloud->synced.mu);
  drop_delivery(cloud);
  if (!used || atomic_exchange(&cloud->close_posted, true)) return;
  lb_cloud_retain(cloud);
  lb_io_post(lb_cloud_io(cloud), &cloud->close_task);
}

enum lb_status lb_cloud_create(struct lb_op *op, const struct lb_cloud_options *options,
                               const struct lb_cloud_owner *owner,
                               const struct lb_result_schema *schema, bool lz4,
                               struct lb_cloud_stats *stats, struct lb_cloud **out,
                               struct lb_error *err) {
  struct lb_cloud *cloud = lb_alloc_zero(LB_MEM_MISC, sizeof *cloud);
  if (!cloud) return lb_error_oom(err, "the files of a result");
  enum lb_status status = lb_mutex_init(&cloud->synced.mu, err);
  if (status != LB_OK) {
    lb_free(cloud);
    return status;
  }
  status = lb_cond_init(&cloud->synced.cond, err);
  if (status != LB_OK) {
    lb_mutex_destroy(&cloud->synced.mu);
    lb_free(cloud);
    return status;
  }
  atomic_init(&cloud->refs, 1);
  lb_op_retain(op);
  cloud->op = op;
  cloud->options = *options;
  cloud->owner = *owner;
  cloud->schema = schema;
  cloud->lz4 = lz4;
  if (stats) lb_cloud_stats_retain(stats);
  cloud->stats = stats;
  cloud->poke_task.run = poke_on_io;
  cloud->last_task.run = last_on_io;
  cloud->close_task.run = close_on_io;
  atomic_init(&cloud->allowed, 1);
  cloud->owned.wait.granted = lb_cloud_granted;
  lb_list_init(&cloud->owned.wait.node);
  lb_list_init(&cloud->owned.files);
  lb_timer_init(&cloud->owned.grow_timer, lb_cloud_grow_fired);
  lb_mutex_lock(&cloud->synced.mu);
  lb_list_init(&cloud->synced.files);
  lb_mutex_unlock(&cloud->synced.mu);
  *out = cloud;
  return LB_OK;
}

void lb_cloud_retain(struct lb_cloud *cloud) {
  atomic_fetch_add_explicit(&cloud->refs, 1, memory_order_relaxed);
}

void lb_cloud_release(struct lb_cloud *cloud) {
  if (!cloud) return;
  if (atomic_fetch_sub_explicit(&cloud->refs, 1, memory_order_acq_rel) != 1) return;
  lb_cond_destroy(&cloud->synced.cond);
  lb_mutex_destroy(&cloud->synced.mu);
  lb_cloud_stats_release(cloud->stats);
  lb_op_release(cloud->op);
  lb_free(cloud);
}

/* Files. */

void lb_cloud_file_retain(struct lb_cloud_file *file) {
  atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
}

static void free_array(struct lb_cloud_array *item) {
  if (item->array.release) item->array.release(&item->array);
  lb_free(item);
}

/* Nobody else knows the file any more, so the mutex is not needed. */
void lb_cloud_file_release(struct lb_cloud_file *file) {
  if (!file) return;
  if (atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1) return;
  struct lb_list *arrays = &file->synced.arrays;
  for (struct lb_list *node = lb_list_pop(arrays); node; node = lb_list_pop(arrays)) {
    free_array(LB_CONTAINER_OF(node, struct lb_cloud_array, node));
  }
  lb_cloud_hold(file->cloud->stats,
                -lb_cloud_file_bytes(file, file->taken_rows, file->synced.decoded_rows));
  lb_cloud_file_left(file);
  int64_t charge = atomic_exchange(&file->charge, 0);
  if (charge > 0) lb_budget_return(lb_io_budget(lb_cloud_io(file->cloud)), charge);
  lb_link_reset(&file->owned.link);
  lb_endpoint_release(file->owned.endpoint);
  lb_cloud_release(file->cloud);
  lb_free(file);
}

static int64_t bytes_before(const struct lb_cloud_file *file, int64_t row) {
  return (int64_t)((double)file->raw_bytes * ((double)row / (double)file->rows));
}

int64_t lb_cloud_file_bytes(const struct lb_cloud_file *file, int64_t from,
                            int64_t upto) {
  return bytes_before(file, upto) - bytes_before(file, from);
}

void lb_cloud_file_name(const struct lb_cloud_file *file, struct lb_error *err) {
  lb_error_prefix(
      err, "file %lld of the result (rows %lld to %lld): ", (long long)file->index,
      (long long)file->first_row, (long long)(file->first_row + file->rows - 1));
}

void lb_cloud_file_fail(struct lb_cloud_file *file, const struct lb_error *err) {
  struct lb_cloud *cloud = file->cloud;
  struct lb_error named;
  lb_error_copy(&named, err);
  lb_cloud_file_name(file, &named);
  lb_mutex_lock(&cloud->synced.mu);
  lb_error_copy(&file->synced.failure, &named);
  if (cloud->synced.waiting) lb_cond_signal(&cloud->synced.cond);
  lb_mutex_unlock(&cloud->synced.mu);
}

void lb_cloud_file_left(struct lb_cloud_file *file) {
  if (atomic_exchange(&file->uncharged, false)) {
    atomic_fetch_sub(&file->cloud->uncharged, 1);
  }
}

void lb_cloud_uncharge(struct lb_cloud_file *file, int64_t rows_left, int64_t rows) {
  int64_t charge = atomic_load(&file->charge), part;
  do {
    part = rows >= rows_left
               ? charge
               : (int64_t)((double)charge * (double)rows / (double)rows_left);
  } while (!atomic_compare_exchange_weak(&file->charge, &charge, charge - part));
  if (part > 0) lb_budget_return(lb_io_budget(lb_cloud_io(file->cloud)), part);
}

/* Reading. */

static struct lb_cloud_file *head_of(struct lb_cloud *cloud)
    LB_REQUIRES(cloud->synced.mu) {
  if (lb_list_empty(&cloud->synced.files)) return NULL;
  return LB_CONTAINER_OF(cloud->synced.files.next, struct lb_cloud_file, synced.node);
}

const struct lb_cloud_file *lb_cloud_wanted(struct lb_cloud *cloud, bool *bytes,
                                            uint64_t *wait) {
  lb_mutex_lock(&cloud->synced.mu);
  const struct lb_cloud_file *file = cloud->synced.waiting ? head_of(cloud) : NULL;
  *bytes = file && !(file->synced.strand && lb_cloud_strand_busy(file->synced.strand));
  *wait = cloud->synced.waits;
  lb_mutex_unlock(&cloud->synced.mu);
  return file;
}

int64_t lb_cloud_waive(struct lb_cloud_file *file) {
  struct lb_cloud *cloud = file->cloud;
  int64_t charge = 0;
  lb_mutex_lock(&cloud->synced.mu);
  /* The reader waits, so it hands out nothing meanwhile. */
  if (cloud->synced.waiting && head_of(cloud) == file &&
      atomic_load(&cloud->uncharged) == 0) {
    charge = atomic_exchange(&file->charge, 0);
  }
  if (charge > 0) {
    atomic_store(&file->uncharged, true);
    atomic_fetch_add(&cloud->uncharged, 1);
  }
  lb_mutex_unlock(&cloud->synced.mu);
  return charge;
}

bool lb_cloud_pending(struct lb_cloud *cloud) {
  lb_mutex_lock(&cloud->synced.mu);
  bool pending = !lb_list_empty(&cloud->synced.files);
  lb_mutex_unlock(&cloud->synced.mu);
  return pending;
}

int32_t lb_cloud_parallel(struct lb_cloud *cloud) { return atomic_load(&cloud->allowed); }

int32_t lb_cloud_queued(struct lb_cloud *cloud) { return atomic_load(&cloud->queued); }

bool lb_cloud_unreachable(struct lb_cloud *cloud) {
  return !atomic_load(&cloud->delivered) && atomic_load(&cloud->not_reached);
}

void lb_cloud_poke(struct lb_cloud *cloud) {
  lb_mutex_lock(&cloud->synced.mu);
  cloud->synced.poked = true;
  if (cloud->synced.waiting) lb_cond_signal(&cloud->synced.cond);
  lb_mutex_unlock(&cloud->synced.mu);
}

enum taken { TAKEN_NOTHING, TAKEN_ARRAY, TAKEN_ALL, TAKEN_FAILURE };

/* What is there, without waiting. *file_out is the file whose array was taken, retained;
 * files that have been read to their end go to done, to be released without the
 * mutex. */
static enum taken take(struct lb_cloud *cloud, struct ArrowArray *out,
                       struct lb_cloud_file **file_out, struct lb_list *done,
                       struct lb_error *err) LB_REQUIRES(cloud->synced.mu) {
  for (;;) {
    struct lb_cloud_file *file = head_of(cloud);
    if (!file) return TAKEN_ALL;
    struct lb_list *node = lb_list_pop(&file->synced.arrays);
    if (node) {
      struct lb_cloud_array *item = LB_CONTAINER_OF(node, struct lb_cloud_array, node);
      *out = item->array;
      cloud->synced.ahead_bytes -= item->bytes;
      lb_free(item);
      lb_cloud_file_retain(file);
      *file_out = file;
      return TAKEN_ARRAY;
    }
    if (file->synced.complete) {
      lb_list_remove(&file->synced.node);
      lb_list_push_back(done, &file->synced.node);
      lb_cloud_count(cloud->stats, LB_CLOUD_files_delivered, 1);
      continue;
    }
    if (file->synced.failure.status == LB_OK) return TAKEN_NOTHING;
    lb_error_copy(err, &file->synced.failure);
    return TAKEN_FAILURE;
  }
}

/* Takes, and lets go on what waited for that. Gives the mutex away meanwhile; what comes
 * then wakes nobody, so who got nothing looks again. */
static enum taken take_on(struct lb_cloud *cloud, struct ArrowArray *out,
                          struct lb_cloud_file **file_out, struct lb_list *done,
                          struct lb_error *err) LB_REQUIRES(cloud->synced.mu) {
  enum taken taken;
  struct lb_cloud_strand *strand;
  do {
    taken = take(cloud, out, file_out, done, err);
    strand = lb_cloud_strand_resume(cloud);
    if (!strand) break;
    lb_mutex_unlock(&cloud->synced.mu);
    lb_cloud_strand_go_on(strand);
    lb_mutex_lock(&cloud->synced.mu);
  } while (taken == TAKEN_NOTHING);
  return taken;
}

/* Step 3. False when the deadline has passed. */
static bool wait_for_it(struct lb_cloud *cloud, int64_t deadline_ms)
    LB_REQUIRES(cloud->synced.mu) {
  const struct lb_cloud_file *file = head_of(cloud);
  bool decoding = file->synced.strand && lb_cloud_strand_busy(file->synced.strand);
  bool post = !cloud->synced.poke_posted;
  int64_t from_ms = lb_io_now_ms(lb_cloud_io(cloud));
  lb_cloud_count(cloud->stats,
                 decoding ? LB_CLOUD_stalls_decode : LB_CLOUD_stalls_network, 1);
  cloud->synced.waiting = true;
  cloud->synced.waits++;
  cloud->synced.poke_posted = true;
  if (post) {
    lb_mutex_unlock(&cloud->synced.mu);
    lb_cloud_retain(cloud);
    lb_io_post(lb_cloud_io(cloud), &cloud->poke_task);
    lb_mutex_lock(&cloud->synced.mu);
  }
  bool in_time = true;
  struct lb_cloud_file *head = head_of(cloud);
  while (in_time && !cloud->synced.poked && !cloud->synced.closed && head &&
         lb_list_empty(&head->synced.arrays) && !head->synced.complete &&
         head->synced.failure.status == LB_OK) {
    in_time = lb_cond_wait_until(&cloud->synced.cond, &cloud->synced.mu, deadline_ms);
    head = head_of(cloud);
  }
  cloud->synced.waiting = false;
  lb_cloud_count(cloud->stats,
                 decoding ? LB_CLOUD_stalls_decode_ms : LB_CLOUD_stalls_network_ms,
                 lb_io_now_ms(lb_cloud_io(cloud)) - from_ms);
  return in_time;
}

static void handed_out(struct lb_cloud *cloud, struct lb_cloud_file *file, int64_t rows) {
  int64_t left = file->rows - file->taken_rows;
  int64_t bytes = lb_cloud_file_bytes(file, file->taken_rows, file->taken_rows + rows);
  file->taken_rows += rows;
  lb_cloud_hold(cloud->stats, -bytes);
  lb_cloud_count(cloud->stats, LB_CLOUD_bytes_delivered, bytes);
  lb_cloud_uncharge(file, left, rows);
  if (left == rows) lb_cloud_file_left(file);
  lb_cloud_file_release(file);
  atomic_store(&cloud->delivered, true);
  lb_cloud_count(cloud->stats, LB_CLOUD_rows_delivered, rows);
  if (left == rows) tell_io(cloud); /* there is room for another */
}

enum lb_status lb_cloud_next(struct lb_cloud *cloud, int64_t deadline_ms,
                             void (*wait_news)(void *ctx, bool waits), void *ctx,
                             struct ArrowArray *out, struct lb_error *err) {
  struct lb_cloud_file *file = NULL;
  struct lb_list done;
  bool in_time = true, waited = false;
  lb_list_init(&done);
  out->release = NULL;
  atomic_store(&cloud->reader_ms, lb_io_now_ms(lb_cloud_io(cloud)));
  lb_mutex_lock(&cloud->synced.mu);
  enum taken taken = take_on(cloud, out, &file, &done, err);
  while (taken == TAKEN_NOTHING && in_time && !cloud->synced.poked &&
         !cloud->synced.closed) {
    if (waited) {
      in_time = wait_for_it(cloud, deadline_ms);
    } else {
      waited = true;
      lb_mutex_unlock(&cloud->synced.mu);
      wait_news(ctx, true);
      lb_mutex_lock(&cloud->synced.mu);
    }
    taken = take_on(cloud, out, &file, &done, err);
  }
  cloud->synced.poked = false;
  bool closed = cloud->synced.closed;
  lb_mutex_unlock(&cloud->synced.mu);
  atomic_store(&cloud->reader_ms, lb_io_now_ms(lb_cloud_io(cloud)));
  release_files(&done);
  if (waited) wait_news(ctx, false);
  if (taken == TAKEN_ARRAY) {
    handed_out(cloud, file, out->length);
    return LB_OK;
  }
  if (closed) return lb_error_set(err, LB_CANCELLED, "the result has ended");
  if (taken == TAKEN_FAILURE) return err->status;
  if (in_time) return LB_OK;
  return lb_error_set(err, LB_TIMEOUT, "no rows came from the store in time");
}

void lb_cloud_at_hand(struct lb_cloud *cloud, struct ArrowArray *out) {
  struct lb_cloud_file *file = NULL;
  struct lb_list done;
  enum taken taken = TAKEN_NOTHING;
  lb_list_init(&done);
  out->release = NULL;
  lb_mutex_lock(&cloud->synced.mu);
  if (!cloud->synced.closed) taken = take_on(cloud, out, &file, &done, NULL);
  lb_mutex_unlock(&cloud->synced.mu);
  release_files(&done);
  if (taken == TAKEN_ARRAY) handed_out(cloud, file, out->length);
}
