/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come as links to files in a cloud store: links, downloads, decoding and
 * delivery in order.
 *
 * Reference-counted; a result holds one, and so does each file of it that is under way.
 * The reader's thread adds links and takes arrays; links and downloads belong to the I/O
 * thread, decoding to the workers; what they share is under the mutex of the cloud, which
 * is never held while another one is taken. Closing may come from any thread. */
#ifndef LB_RESULT_CLOUD_H
#define LB_RESULT_CLOUD_H

#include "result/cloud_stats.h"
#include "session/operation.h"
#include "wire/arrow_decode.h"

struct lb_cloud;

struct lb_cloud_options {
  bool enabled;
  bool prefetch;    /* false: a download starts when the reader waits for it */
  bool fallback;    /* a query whose store cannot be reached is run again */
  int32_t parallel; /* most downloads at a time; 0: as many as help */
  int64_t max_rows; /* of a page of links */
  int64_t max_bytes;
};

/* Whoever the files are read for; it outlives the cloud's own use of it by hold and
 * drop. */
struct lb_cloud_owner {
  void (*hold)(void *ctx);
  void (*drop)(void *ctx);
  /* Everything has been received and decoded after lb_cloud_last: no link can need
   * renewal any more. I/O thread, once. */
  void (*all_local)(void *ctx);
  void *ctx;
};

/* op is retained, schema and stats are the owner's. */
enum lb_status lb_cloud_create(struct lb_op *op, const struct lb_cloud_options *options,
                               const struct lb_cloud_owner *owner,
                               const struct lb_result_schema *schema, bool lz4,
                               struct lb_cloud_stats *stats, struct lb_cloud **out,
                               struct lb_error *err) LB_MUST_USE;
void lb_cloud_retain(struct lb_cloud *cloud);
void lb_cloud_release(struct lb_cloud *cloud); /* NULL is a no-op */

/* The rest down to the line is for the reader's thread. */

/* The rows of a page of links that begins at first_row. Links are sorted by row; a gap,
 * an overlap or a link without a URL is LB_INVALID_DATA. Links without rows count as
  * none. */
enum lb_status lb_cloud_link_rows(const struct lb_t_row_set *row_set, int64_t first_row,
                                  int64_t *rows, struct lb_error *err) LB_MUST_USE;
/* Takes the links of such a page; nothing of it is needed afterwards. server_ms: the
 * server's clock (ms since 1970) when it made the page, -1 not told. */
enum lb_status lb_cloud_add(struct lb_cloud *cloud, const struct lb_t_row_set *row_set,
                            int64_t first_row, int64_t server_ms,
                            struct lb_error *err) LB_MUST_USE;
/* No more links will come. */
void lb_cloud_last(struct lb_cloud *cloud);
/* Files that were added and whose rows are not all handed out. */
bool lb_cloud_pending(struct lb_cloud *cloud);
/* Files of which nothing has been asked for yet. */
int32_t lb_cloud_queued(struct lb_cloud *cloud);
/* Downloads that may run beside each other. */
int32_t lb_cloud_parallel(struct lb_cloud *cloud);
/* The next array; out->release NULL when none is pending, or when lb_cloud_poke was
 * called meanwhile. wait_news: called before and after a wait. LB_TIMEOUT after
 * deadline_ms (boot time); LB_CANCELLED when it was closed. */
enum lb_status lb_cloud_next(struct lb_cloud *cloud, int64_t deadline_ms,
                             void (*wait_news)(void *ctx, bool waits), void *ctx,
                             struct ArrowArray *out, struct lb_error *err) LB_MUST_USE;
/* The next array if it is decoded; never waits. out->release NULL: nothing as yet, which
 * lb_cloud_next tells apart. */
void lb_cloud_at_hand(struct lb_cloud *cloud, struct ArrowArray *out);
/* After a failure: the store has never answered at all, and no row was handed out. */
bool lb_cloud_unreachable(struct lb_cloud *cloud);

/* Any thread. */

/* A reader who waits looks at what else there is. */
void lb_cloud_poke(struct lb_cloud *cloud);
/* Ends what is under way, without waiting for it. */
void lb_cloud_close(struct lb_cloud *cloud);

#endif
