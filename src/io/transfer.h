/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way: its place in a queue, its attempts with curl, its deadlines. Made
 * with the request, lives as long, used by the I/O thread only (asked_to_cancel apart).
 */
#ifndef LB_IO_TRANSFER_H
#define LB_IO_TRANSFER_H

#include <curl/curl.h>

#include "io/endpoint.h"
#include "io/host.h"
#include "io/io_internal.h"
#include "io/outcome.h"

enum lb_transfer_state {
  LB_TRANSFER_NEW,
  LB_TRANSFER_QUEUED,  /* in line for a place */
  LB_TRANSFER_RUNNING, /* has a place and an easy handle */
  LB_TRANSFER_WAITING, /* until the next attempt */
  LB_TRANSFER_DONE,
};

struct lb_transfer {
  struct lb_request *req;      /* the owner */
  atomic_bool asked_to_cancel; /* the cancel task was posted: at most once */
  bool cancelled;              /* ... and has run */
  enum lb_transfer_state state;
  struct lb_io *io;     /* from start to done */
  struct lb_host *host; /* from start to done */
  struct lb_list queue_node;
  struct lb_list all_node;
  struct lb_timer timer; /* the nearest of this transfer's deadlines */
  int64_t started_ms;
  int64_t again_ms;  /* while WAITING */
  bool reached;      /* a connection stood in some attempt */
  bool told_waiting; /* the log has its line */

  /* Of the present attempt. */
  CURL *easy;
  struct curl_slist *headers;
  int64_t attempt_ms;
  int64_t active_ms; /* last byte in or out, in time awake */
  bool paused;       /* waits for its pipe or its turn, so nobody is silent */
  bool has_turn;     /* to receive a large body: turns.h */
  struct lb_list turn_node;
  size_t body_given;   /* bytes of the body handed to curl */
  bool body_at_once;   /* all of it was handed to curl before the request began */
  bool repeat_refused; /* curl wanted to send it again by itself */
  size_t sunk_bytes;   /* bytes of the reply's body handed to the sink or pipe */
  bool chunked;        /* the reply says where it ends by its encoding */
  bool head_ended;     /* all headers of the reply are known */
  bool download;       /* ... and its body goes to the sink or pipe */
  struct lb_attempt attempt;
  char retry_after[64];
  char date[64];
  char curl_text[CURL_ERROR_SIZE];
};

/* A byte came or went: the server is not silent. */
static inline void lb_transfer_touch(struct lb_transfer *t) {
  t->active_ms = t->io->clock.awake_ms(t->io->clock.ctx);
}
/* The pipe of ctx, a struct lb_transfer, has bytes or room again, or its turn has come.
 * I/O thread. */
void lb_attempt_resume(void *ctx);
/* Begin; called by the start task. */
void lb_transfer_start(struct lb_io *io, struct lb_request *req);
/* End with LB_CANCELLED, whatever the state; no-op when done. */
void lb_transfer_cancel(struct lb_io *io, struct lb_request *req);
/* Nobody waits for it: see lb_request_orphan. */
void lb_transfer_orphan(struct lb_io *io, struct lb_request *req);
/* One round: gives places to those in line; lets curl read and write; ends what has
 * ended. */
void lb_transfers_pump(struct lb_io *io);
void lb_transfers_perform(struct lb_io *io);
/* Cancels every transfer. */
void lb_transfers_drop(struct lb_io *io);

#endif
