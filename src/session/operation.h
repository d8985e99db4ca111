/* SPDX-License-Identifier: Apache-2.0 */
/* The operation: a statement or metadata call on the server, by its copied handle.
 * Fetch, status, probe, cancel and close are requests on it, and its heartbeat is a
 * timer on it. One object with one state, owned by the I/O thread.
 *
 * Reference-counted (result, running calls and probes hold it); it holds its session.
 * The handle is written once, on the I/O thread, before the call that made it
 * finishes, and is constant afterwards. */
#ifndef LB_SESSION_OPERATION_H
#define LB_SESSION_OPERATION_H

#include "session/backend.h"
#include "session/session.h"

/* Told of what happens to the operation; on the I/O thread. */
struct lb_op_watch {
  /* A request on it was confirmed by the server; sent_ms is when it was sent. */
  void (*confirmed)(void *ctx, enum lb_op_rpc rpc, int64_t sent_ms, int64_t now_ms);
  /* Every row has been received: the server is no longer needed for them. */
  void (*all_local)(void *ctx, int64_t now_ms);
  void *ctx;
};

struct lb_op {
  atomic_uint refs;
  struct lb_session *sess;
  enum lb_op_origin origin;
  bool own; /* the driver's: a catalog call, or a statement that it made itself */
  bool has_handle;
  struct lb_op_handle handle;
  char query_id[40];          /* the guid as text; "" without a handle */
  _Atomic int64_t contact_ms; /* when the last confirmed request was sent; written by
                               * the I/O thread */
  struct {                    /* I/O thread only */
    struct lb_op_watch watch; /* no confirmed: nobody watches */
    bool gone;                /* closed by the server, or our close was sent */
    bool gave_links;          /* rows are in files whose links may need renewal */
    bool cancel_sent;
    bool cancel_unanswered;
    bool close_wanted;     /* as soon as the cancel is answered */
    int64_t confirmed_row; /* rows before this one have been received */
    int64_t asked_row;     /* ... and at most up to here with what is in flight */
  } owned;
};

enum lb_status lb_op_create(struct lb_session *sess, enum lb_op_origin origin,
                            struct lb_op **out, struct lb_error *err) LB_MUST_USE;
void lb_op_retain(struct lb_op *op);
void lb_op_release(struct lb_op *op); /* NULL is a no-op; closes nothing on the server */

/* I/O thread. Sets the handle that a reply brought. */
void lb_op_set_handle(struct lb_op *op, const struct lb_op_handle *handle);
/* I/O thread. The server answered a request on it. */
void lb_op_confirmed(struct lb_op *op, enum lb_op_rpc rpc, int64_t sent_ms,
                     int64_t now_ms);
/* I/O thread. Sends CancelOperation / CloseOperation once, if there is something to
 * cancel or close; nobody waits for the answer, and a handle that is gone is no
 * failure. A close that comes while a cancel is unanswered is sent after it, so that
 * the server sees both. */
void lb_op_send_cancel(struct lb_op *op, struct lb_io *io);
void lb_op_send_close(struct lb_op *op, struct lb_io *io);

#endif
