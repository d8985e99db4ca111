/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pipe.h"

#include <string.h>

#include "base/alloc.h"

static void run_wake(struct lb_io_task *task, struct lb_io *io) {
  struct lb_pipe *pipe = LB_CONTAINER_OF(task, struct lb_pipe, wake_task);
  (void)io;
  lb_mutex_lock(&pipe->synced.mu);
  pipe->synced.waking = false;
  lb_mutex_unlock(&pipe->synced.mu);
  if (pipe->wake != NULL) pipe->wake(pipe->wake_ctx);
  lb_pipe_release(pipe);
}

enum lb_status lb_pipe_create(struct lb_io *io, struct lb_pipe **out,
                              struct lb_error *err) {
  struct lb_pipe *pipe = lb_alloc_zero(LB_MEM_IO, sizeof(*pipe));
  uint8_t *data = lb_alloc(LB_MEM_IO, LB_PIPE_BYTES);
  enum lb_status status;
  bool has_mutex = false;
  if (pipe == NULL || data == NULL) {
    status = lb_error_oom(err, "a transfer's buffer");
    goto done;
  }
  status = lb_mutex_init(&pipe->synced.mu, err);
  if (status != LB_OK) goto done;
  has_mutex = true;
  status = lb_cond_init(&pipe->synced.cond, err);
  if (status != LB_OK) goto done;
  atomic_init(&pipe->refs, 1);
  pipe->io = io;
  pipe->wake_task.run = run_wake;
  lb_list_init(&pipe->wake_task.node);
  lb_mutex_lock(&pipe->synced.mu);
  pipe->synced.data = data;
  lb_mutex_unlock(&pipe->synced.mu);
  *out = pipe;
  return LB_OK;
done:
  if (has_mutex) lb_mutex_destroy(&pipe->synced.mu);
  lb_free(pipe);
  lb_free(data);
  return status;
}

void lb_pipe_retain(struct lb_pipe *pipe) {
  atomic_fetch_add_explicit(&pipe->refs, 1, memory_order_relaxed);
}

/* The last reference: nobody else looks any more. */
static void destroy(struct lb_pipe *pipe) LB_NO_TSA {
  lb_cond_destroy(&pipe->synced.cond);
  lb_mutex_destroy(&pipe->synced.mu);
  lb_free(pipe->synced.data);
  lb_free(pipe);
}

void lb_pipe_release(struct lb_pipe *pipe) {
  if (pipe == NULL) return;
  if (atomic_fetch_sub_explicit(&pipe->refs, 1, memory_order_acq_rel) == 1) {
    destroy(pipe);
  }
}

static size_t put(struct lb_pipe *pipe, const uint8_t *data, size_t len)
    LB_REQUIRES(pipe->synced.mu) {
  size_t taken = LB_MIN(len, LB_PIPE_BYTES - pipe->synced.len);
  size_t at = (pipe->synced.start + pipe->synced.len) % LB_PIPE_BYTES;
  size_t first = LB_MIN(taken, LB_PIPE_BYTES - at);
  if (first > 0) memcpy(pipe->synced.data + at, data, first);
  if (taken > first) memcpy(pipe->synced.data, data + first, taken - first);
  pipe->synced.len += taken;
  return taken;
}

static size_t take(struct lb_pipe *pipe, uint8_t *dst, size_t cap)
    LB_REQUIRES(pipe->synced.mu) {
  size_t taken = LB_MIN(cap, pipe->synced.len);
  size_t first = LB_MIN(taken, LB_PIPE_BYTES - pipe->synced.start);
  if (first > 0) memcpy(dst, pipe->synced.data + pipe->synced.start, first);
  if (taken > first) memcpy(dst + first, pipe->synced.data, taken - first);
  pipe->synced.start = (pipe->synced.start + taken) % LB_PIPE_BYTES;
  pipe->synced.len -= taken;
  return taken;
}

/* Unlocks; wakes the transfer if it is paused. */
static void leave(struct lb_pipe *pipe) LB_RELEASE(pipe->synced.mu) {
  bool wake = pipe->synced.io_waits && !pipe->synced.waking;
  pipe->synced.io_waits = false;
  if (wake) pipe->synced.waking = true;
  lb_mutex_unlock(&pipe->synced.mu);
  if (!wake) return;
  lb_pipe_retain(pipe);
  lb_io_post(pipe->io, &pipe->wake_task);
}

bool lb_pipe_write(struct lb_pipe *pipe, const void *data, size_t len) {
  const uint8_t *from = data;
  bool open = true;
  while (open && len > 0) {
    lb_mutex_lock(&pipe->synced.mu);
    while (pipe->synced.len == LB_PIPE_BYTES && !pipe->synced.closed) {
      lb_cond_wait(&pipe->synced.cond, &pipe->synced.mu);
    }
    open = !pipe->synced.closed && !pipe->synced.again;
    size_t taken = open ? put(pipe, from, len) : 0;
    from += taken;
    len -= taken;
    leave(pipe);
  }
  return open;
}

void lb_pipe_finish(struct lb_pipe *pipe) {
  lb_mutex_lock(&pipe->synced.mu);
  pipe->synced.finished = !pipe->synced.again;
  leave(pipe);
}

bool lb_pipe_again(struct lb_pipe *pipe) {
  lb_mutex_lock(&pipe->synced.mu);
  while (!pipe->synced.again && !pipe->synced.closed) {
    lb_cond_wait(&pipe->synced.cond, &pipe->synced.mu);
  }
  bool again = pipe->synced.again && !pipe->synced.closed;
  pipe->synced.again = false;
  lb_mutex_unlock(&pipe->synced.mu);
  return again;
}

size_t lb_pipe_read(struct lb_pipe *pipe, void *dst, size_t cap) {
  lb_mutex_lock(&pipe->synced.mu);
  while (pipe->synced.len == 0 && !pipe->synced.closed) {
    lb_cond_wait(&pipe->synced.cond, &pipe->synced.mu);
  }
  size_t taken = take(pipe, dst, cap);
  leave(pipe);
  return taken;
}

size_t lb_pipe_pull(struct lb_pipe *pipe, void *dst, size_t cap, bool *end) {
  lb_mutex_lock(&pipe->synced.mu);
  size_t taken = take(pipe, dst, cap);
  *end = taken == 0 && pipe->synced.finished;
  if (taken == 0 && !*end) pipe->synced.io_waits = true;
  lb_cond_broadcast(&pipe->synced.cond);
  lb_mutex_unlock(&pipe->synced.mu);
  return taken;
}

bool lb_pipe_push(struct lb_pipe *pipe, const void *data, size_t len) {
  lb_mutex_lock(&pipe->synced.mu);
  bool room = len <= LB_PIPE_BYTES - pipe->synced.len;
  if (room) {
    (void)put(pipe, data, len);
    lb_cond_broadcast(&pipe->synced.cond);
  } else {
    pipe->synced.io_waits = true;
  }
  lb_mutex_unlock(&pipe->synced.mu);
  return room;
}

void lb_pipe_restart(struct lb_pipe *pipe) {
  lb_mutex_lock(&pipe->synced.mu);
  pipe->synced.again = true;
  pipe->synced.start = pipe->synced.len = 0;
  pipe->synced.finished = false;
  pipe->synced.io_waits = false;
  lb_cond_broadcast(&pipe->synced.cond);
  lb_mutex_unlock(&pipe->synced.mu);
}

void lb_pipe_close(struct lb_pipe *pipe) {
  pipe->wake = NULL;
  lb_mutex_lock(&pipe->synced.mu);
  pipe->synced.closed = true;
  pipe->synced.io_waits = false;
  lb_cond_broadcast(&pipe->synced.cond);
  lb_mutex_unlock(&pipe->synced.mu);
}
