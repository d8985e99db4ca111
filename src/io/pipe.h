/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between an application's thread and a request on the I/O thread: the body of an
 * upload or of a download that is larger than memory should be. Holds LB_PIPE_BYTES at
 * most. The application's side blocks; the I/O side never does, it pauses the transfer
 * and is woken. Reference-counted: both sides hold one. */
#ifndef LB_IO_PIPE_H
#define LB_IO_PIPE_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "io/io.h"

#define LB_PIPE_BYTES ((size_t)1 << 20)

struct lb_pipe {
  atomic_uint refs;
  struct lb_io *io;
  struct lb_io_task wake_task;
  void (*wake)(void *ctx); /* I/O thread only: goes on with the transfer; NULL: none */
  void *wake_ctx;
  struct {
    struct lb_mutex mu;
    struct lb_cond cond;
    uint8_t *data LB_GUARDED_BY(mu); /* a ring of LB_PIPE_BYTES */
    size_t start LB_GUARDED_BY(mu);
    size_t len LB_GUARDED_BY(mu);
    bool finished LB_GUARDED_BY(mu); /* whoever writes has written all */
    bool closed LB_GUARDED_BY(mu);   /* the request has ended */
    bool again LB_GUARDED_BY(mu); /* it is repeated, and the writer does not know yet */
    bool io_waits LB_GUARDED_BY(mu); /* the transfer is paused */
    bool waking LB_GUARDED_BY(mu);   /* wake_task is on its way */
  } synced;
};

enum lb_status lb_pipe_create(struct lb_io *io, struct lb_pipe **out,
                              struct lb_error *err) LB_MUST_USE;
void lb_pipe_retain(struct lb_pipe *pipe);
void lb_pipe_release(struct lb_pipe *pipe); /* NULL is a no-op */

/* The application's side. Waits for room; false when the request has ended or is to be
 * repeated: ask lb_pipe_again which. */
bool lb_pipe_write(struct lb_pipe *pipe, const void *data, size_t len);
void lb_pipe_finish(struct lb_pipe *pipe);
/* After what was written last: waits for the end of the request (false), or until it is
 * to be repeated (true): then everything has to be written once more, and finished. */
bool lb_pipe_again(struct lb_pipe *pipe);
/* Waits for bytes; 0: the request has ended and everything was read. */
size_t lb_pipe_read(struct lb_pipe *pipe, void *dst, size_t cap);

/* The I/O side. 0 with *end false: nothing yet, wake will be called. */
size_t lb_pipe_pull(struct lb_pipe *pipe, void *dst, size_t cap, bool *end);
/* All or nothing; false: no room yet, wake will be called. len is at most
 * LB_PIPE_BYTES. */
bool lb_pipe_push(struct lb_pipe *pipe, const void *data, size_t len);
/* The request is to be repeated: what was written is forgotten, and comes anew. */
void lb_pipe_restart(struct lb_pipe *pipe);
/* The request has ended: both sides are told. */
void lb_pipe_close(struct lb_pipe *pipe);

#endif
