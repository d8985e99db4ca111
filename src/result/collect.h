/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays on their way to the reader: small ones that are at hand go out as one, so that
 * he pays for rows and not for batches. Nothing is waited for or fetched to make an array
 * larger.
 *
 * Belongs to one result; all calls are its reader's, on its thread. It holds at most
 * LB_ARROW_MERGE_PARTS arrays, and between calls only what was too large, or too much,
 * for the last one. */
#ifndef LB_RESULT_COLLECT_H
#define LB_RESULT_COLLECT_H

#include "wire/arrow_merge.h"

/* Where arrays come from, in order. out->release is NULL when there is none. */
struct lb_collect_source {
  /* The next array; waits for it. None: the end, or nothing more yet. */
  enum lb_status (*next)(void *ctx, struct ArrowArray *out, struct lb_error *err);
  /* The next array if it is at hand; neither waits nor fetches. */
  enum lb_status (*at_hand)(void *ctx, struct ArrowArray *out, struct lb_error *err);
  void *ctx;
};

struct lb_collector;
/* source is copied; its ctx and the schema outlive the collector. */
enum lb_status lb_collector_create(const struct ArrowSchema *schema, int64_t target_rows,
                                   const struct lb_collect_source *source,
                                   struct lb_collector **out,
                                   struct lb_error *err) LB_MUST_USE;
/* Releases what was not handed out. NULL allowed. */
void lb_collector_destroy(struct lb_collector *col);

/* The next array; out->release is NULL where the source had none. A failure is told when
 * everything before it has been handed out, and again by every later call. */
enum lb_status lb_collector_next(struct lb_collector *col, struct ArrowArray *out,
                                 struct lb_error *err) LB_MUST_USE;
/* Gives memory back that is not needed at the moment: before a pause. NULL allowed. */
void lb_collector_rest(struct lb_collector *col);

#endif
