/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a cloud, for cloud*.c. Members called owned belong to the I/O thread,
 * synced ones are under the cloud's mutex. */
#ifndef LB_RESULT_CLOUD_INTERNAL_H
#define LB_RESULT_CLOUD_INTERNAL_H

#include "base/mutex.h"
#include "io/budget.h"
#include "io/request.h"
#include "result/cloud.h"
#include "session/session_internal.h"

#define LB_LINK_HEADERS_MAX 16
/* Two more for Range and If-Match. */
#define LB_CLOUD_LINES_MAX (LB_LINK_HEADERS_MAX + 2)

/* How a file is reached; renewed, its rows stay. */
struct lb_link {
  char *url;                          /* as secret as a password */
  char *headers[LB_LINK_HEADERS_MAX]; /* "Name: value" */
  size_t header_count;
  int64_t first_row;
  int64_t rows;
  int64_t raw_bytes; /* uncompressed */
  int64_t old_ms;    /* boot time from which it is to be renewed before it is used */
};
void lb_link_reset(struct lb_link *link);

enum lb_cloud_file_state {
  LB_FILE_QUEUED,
  LB_FILE_RENEWING,
  LB_FILE_DOWNLOADING,
  LB_FILE_WAITING, /* for its next attempt */
  LB_FILE_DECODING,
  LB_FILE_DONE,
};

struct lb_cloud_strand;

/* One file. Referenced by the window, by the delivery, by its request and its strand. */
struct lb_cloud_file {
  atomic_uint refs;
  struct lb_cloud *cloud; /* retained */
  int64_t index;          /* in the result, from 0 */
  int64_t first_row;
  int64_t rows;
  int64_t raw_bytes;      /* as its first link states */
  int64_t taken_rows;     /* reader's thread */
  _Atomic int64_t charge; /* what it costs the budget, bytes */
  atomic_bool uncharged;  /* begun without the budget, and not all handed out */

  struct {
    struct lb_list node; /* of the window, until it is decoded or given up */
    enum lb_cloud_file_state state;
    struct lb_link link;
    struct lb_endpoint *endpoint;
    struct lb_request *req;
    const char *lines[LB_CLOUD_LINES_MAX];
    char range[64];
    char if_match[160];
    struct lb_timer timer;
    int32_t tries;    /* attempts that failed, since the last renewal that mended them */
    int32_t renewals; /* asked for because the store refused the link */
    int32_t redone;   /* bodies that could not be decoded */
    bool fresh;       /* renewed just now: its clock is not asked again */
    /* The body as far as it came. */
    int64_t received;
    int64_t discard; /* bytes of the present reply that are there already */
    int64_t length;  /* of the whole, -1 not told */
    char etag[128];
    bool ranges; /* the store gives parts */
    struct lb_cloud_strand *strand;
    bool has_place;         /* counts as in flight */
    bool weighed;           /* its charge is that of its real length */
    bool renewed;           /* the store refused a link of it once */
    bool changed;           /* another file came under its name */
    bool undecodable;       /* what came of it */
    struct lb_error spoilt; /* how, when a strand found it */
  } owned;
  struct lb_sink sink;
  struct lb_io_task added_task;

  struct {
    struct lb_list node;   /* of the delivery */
    struct lb_list arrays; /* struct lb_cloud_array, decoded and not handed out */
    int64_t decoded_rows;
    struct lb_cloud_strand *strand; /* the one whose arrays count */
    bool complete;                  /* decoded to its end */
    struct lb_error spoilt;         /* the strand has failed */
    struct lb_error failure;        /* for the reader */
  } synced;                         /* of the cloud's mutex */
};

struct lb_cloud_array {
  struct lb_list node;
  struct ArrowArray array;
  int64_t bytes; /* decompressed for it */
};

/* So much is decoded and not handed out before decoding waits for the reader. Half a file
 * of usual size: then two workers lose nothing when a reader takes all at once. */
#define LB_CLOUD_DECODE_AHEAD_BYTES (INT64_C(8) << 20)

struct lb_cloud {
  atomic_uint refs;
  struct lb_op *op;
  struct lb_cloud_options options;
  struct lb_cloud_owner owner;
  const struct lb_result_schema *schema;
  bool lz4;
  struct lb_cloud_stats *stats;
  int64_t files;   /* so far; reader's thread */
  atomic_int lean; /* what its streams learn of each other */

  _Atomic int64_t reader_ms; /* when the reader was last here */
  atomic_int queued;
  atomic_int allowed;      /* downloads at a time; the I/O thread changes it */
  atomic_int uncharged;    /* files: the one at most that the reader waited for */
  atomic_bool delivered;   /* a row was handed out */
  atomic_bool not_reached; /* a file failed, and no store has answered */
  atomic_bool close_posted;
  struct lb_io_task poke_task;
  struct lb_io_task last_task;
  struct lb_io_task close_task;

  struct {
    struct lb_mutex mu;
    struct lb_cond cond;
    struct lb_list files LB_GUARDED_BY(mu); /* in the order of their rows */
    bool waiting LB_GUARDED_BY(mu);         /* the reader does */
    uint64_t waits LB_GUARDED_BY(mu);       /* so far */
    bool poked LB_GUARDED_BY(mu);
    bool poke_posted LB_GUARDED_BY(mu);
    bool closed LB_GUARDED_BY(mu);
    bool used LB_GUARDED_BY(mu); /* the I/O thread knows of it, and has to be told */
    int64_t ahead_bytes LB_GUARDED_BY(mu); /* decoded, not handed out */
    int32_t paused LB_GUARDED_BY(mu);      /* strands, at most so many */
  } synced;

  struct {
    struct lb_list files; /* in the order of their rows, not decoded yet */
    int32_t in_flight;
    bool last;  /* no more links will come */
    bool ended; /* closed, failed, or all local */
    bool closed;
    bool holds_owner;
    bool answered; /* a store has */
    struct lb_request *renewal;
    int64_t renewal_row; /* for which it was made */
    double packed;       /* compressed bytes of one uncompressed, as files so far had */
    struct lb_budget_wait wait;
    int64_t wait_from_ms; /* since when the budget holds a download back */
    int64_t grant;        /* bytes of the budget that no file has taken yet */
    struct lb_timer grow_timer;
    uint64_t grow_wait; /* the wait during which it was set */
  } owned;
};

static inline struct lb_io *lb_cloud_io(const struct lb_cloud *cloud) {
  return cloud->op->sess->io;
}
/* Before the I/O thread learns of it. False: it is closed, and nothing is to be posted
 * any more. One that was never used ends without the I/O thread. */
bool lb_cloud_use(struct lb_cloud *cloud);
void lb_cloud_file_retain(struct lb_cloud_file *file);
void lb_cloud_file_release(struct lb_cloud_file *file);

/* cloud.c. The failure is the reader's when it comes to this file. I/O thread. */
void lb_cloud_file_fail(struct lb_cloud_file *file, const struct lb_error *err);
/* Puts "file 3 of the result (rows 10 to 19): " in front. */
void lb_cloud_file_name(const struct lb_cloud_file *file, struct lb_error *err);
/* Bytes of its rows [from, upto), not compressed. */
int64_t lb_cloud_file_bytes(const struct lb_cloud_file *file, int64_t from, int64_t upto);
/* The file that the reader waits for, NULL when he does not wait; whether he waits for
 * its bytes (else for its decoding), and which wait of his it is. Borrowed for the
 * comparison alone. */
const struct lb_cloud_file *lb_cloud_wanted(struct lb_cloud *cloud, bool *bytes,
                                            uint64_t *wait);

/* cloud_links.c. */
bool lb_cloud_link_is_old(const struct lb_cloud_file *file, int64_t now_ms);
/* I/O thread. The file gets a new link, then lb_cloud_download_go. */
void lb_cloud_renew(struct lb_cloud_file *file, struct lb_io *io);
/* I/O thread. What a renewal brought, for the files that wait for it or are queued. */
enum lb_status lb_cloud_read_renewal(struct lb_cloud *cloud, struct lb_request *req,
                                     struct lb_io *io, struct lb_error *err) LB_MUST_USE;
void lb_cloud_renewal_stop(struct lb_cloud *cloud, struct lb_io *io);

/* cloud_download.c. I/O thread. */
void lb_cloud_pump(struct lb_cloud *cloud, struct lb_io *io);
/* Begins the next attempt of a file that has its place. */
void lb_cloud_download_go(struct lb_cloud_file *file, struct lb_io *io);
/* Its rows cannot be had: the reader's failure when he comes to it. Nothing new
 * begins. */
void lb_cloud_give_up(struct lb_cloud_file *file, struct lb_io *io,
                      const struct lb_error *err);
/* Ends whatever the file does. */
void lb_cloud_download_stop(struct lb_cloud_file *file, struct lb_io *io);
/* A strand of it has ended, well or not. */
void lb_cloud_decoded(struct lb_cloud_file *file, struct lb_io *io);
void lb_cloud_grow_fired(struct lb_timer *timer, struct lb_io *io, int64_t now_ms);
void lb_cloud_download_timer_fired(struct lb_timer *timer, struct lb_io *io,
                                   int64_t now_ms);
/* The budget is not waited for any more. */
void lb_cloud_wait_end(struct lb_cloud *cloud, struct lb_io *io);
void lb_cloud_granted(struct lb_budget_wait *wait, struct lb_io *io);
void lb_cloud_grant_return(struct lb_cloud *cloud, struct lb_io *io);
/* Gives back what the budget was charged for so many rows of it. Any thread. */
void lb_cloud_uncharge(struct lb_cloud_file *file, int64_t rows_left, int64_t rows);
/* The file that the reader waits for needs no part of the budget, unless another one has
 * none already: its charge, to be given back, or 0. I/O thread. */
int64_t lb_cloud_waive(struct lb_cloud_file *file);
/* Nothing of it is in the pipeline any more. Any thread; more than once is harmless. */
void lb_cloud_file_left(struct lb_cloud_file *file);

/* cloud_decode.c. A strand decodes one file's body from its beginning; a body that has
 * to begin anew gets a new strand, which leaves out the rows that are there. */
enum lb_status lb_cloud_strand_create(struct lb_cloud_file *file,
                                      struct lb_cloud_strand **out,
                                      struct lb_error *err) LB_MUST_USE;
void lb_cloud_strand_release(struct lb_cloud_strand *strand);
/* I/O thread: bytes of the body in order; end: there are no more. */
enum lb_status lb_cloud_strand_data(struct lb_cloud_strand *strand, const uint8_t *data,
                                    size_t len, struct lb_error *err) LB_MUST_USE;
enum lb_status lb_cloud_strand_end(struct lb_cloud_strand *strand,
                                   struct lb_error *err) LB_MUST_USE;
/* True while bytes of it wait for a worker, or one is at work. Under the mutex. */
bool lb_cloud_strand_busy(const struct lb_cloud_strand *strand);
/* The first strand that waited for the reader and need not any more, NULL if there is
 * none. The caller lets it go on with lb_cloud_strand_go_on, without the mutex. */
struct lb_cloud_strand *lb_cloud_strand_resume(struct lb_cloud *cloud)
    LB_REQUIRES(cloud->synced.mu);
void lb_cloud_strand_go_on(struct lb_cloud_strand *strand);

#endif
