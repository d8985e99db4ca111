/* SPDX-License-Identifier: Apache-2.0 */
/* Small arrays of one schema to larger ones, so that a consumer pays for rows and not for
 * batches. Arrays are collected, then taken: as they came when there is one, copied into
 * one when there are several. Merging never looks for more arrays by itself.
 *
 * All types that a result can have, offsets and nested ones included. One thread at a
 * time. What is copied is counted. */
#ifndef LB_WIRE_ARROW_MERGE_H
#define LB_WIRE_ARROW_MERGE_H

#include "wire/arrow_decode.h"

/* Arrays collected at a time. */
#define LB_ARROW_MERGE_PARTS 64
/* No more bytes are copied into one array. */
#define LB_ARROW_MERGE_MAX_BYTES ((size_t)1 << 20)

struct lb_arrow_merger;
/* target_rows: merged arrays have at most so many, and no array of half as many is
 * copied; 0: nothing is ever merged. schema is read now and not needed later. */
enum lb_status lb_arrow_merger_create(const struct ArrowSchema *schema,
                                      int64_t target_rows, struct lb_arrow_merger **out,
                                      struct lb_error *err) LB_MUST_USE;
/* Releases what was not taken. NULL allowed. */
void lb_arrow_merger_destroy(struct lb_arrow_merger *merger);

/* Rows collected do not come to the target, nor to the most bytes, and one more small
 * array has room. */
bool lb_arrow_merger_wants(const struct lb_arrow_merger *merger);
bool lb_arrow_merger_empty(const struct lb_arrow_merger *merger);
/* Only where it wants more, or is empty. */
void lb_arrow_merger_add(struct lb_arrow_merger *merger, struct ArrowArray *array_own);
/* The first rows that were collected, as one array; what is large or has no room stays
 * behind for the next take. out->release is NULL when there are none. Where memory for a
 * copy is not to be had, the first array goes out alone. */
void lb_arrow_merger_take(struct lb_arrow_merger *merger, struct ArrowArray *out);

struct lb_arrow_merger_stats {
  int64_t merged_arrays; /* that were copied */
  int64_t copied_bytes;
};
struct lb_arrow_merger_stats lb_arrow_merger_stats(const struct lb_arrow_merger *merger);

#endif
