/* SPDX-License-Identifier: Apache-2.0 */
/* 1. What the last call left over comes first. With nothing left over the next array is
 *    waited for, as if nobody collected.
 * 2. While what was collected is small, arrays that are at hand are added. A merger is
 *    made when a second one comes, so that large batches and small results cost nothing;
 *    without memory for one, arrays go out one by one.
 * 3. A failure met then is kept until what was collected has been handed out: never a row
 *    less. The end of the data needs no such care: it is met again.
 * 4. The first rows go out as one array; an array that is alone goes out untouched. What
 *    is large or has no room is left over. */
#include "result/collect.h"

#include "base/alloc.h"

struct lb_collector {
  struct lb_collect_source source;
  const struct ArrowSchema *schema;
  int64_t target_rows;
  struct lb_arrow_merger *merger; /* NULL: nothing is in it */
  struct ArrowArray left;         /* over, without a merger; release NULL: none */
  struct lb_error failure;        /* status LB_OK: none */
};

enum lb_status lb_collector_create(const struct ArrowSchema *schema, int64_t target_rows,
                                   const struct lb_collect_source *source,
                                   struct lb_collector **out, struct lb_error *err) {
  struct lb_collector *col = lb_alloc_zero(LB_MEM_ARROW, sizeof(*col));
  if (col == NULL) return lb_error_oom(err, "a collector of arrays");
  col->source = *source;
  col->schema = schema;
  col->target_rows = target_rows;
  *out = col;
  return LB_OK;
}

void lb_collector_destroy(struct lb_collector *col) {
  if (col == NULL) return;
  if (col->left.release != NULL) col->left.release(&col->left);
  lb_arrow_merger_destroy(col->merger);
  lb_free(col);
}

void lb_collector_rest(struct lb_collector *col) {
  if (col == NULL || col->merger == NULL || !lb_arrow_merger_empty(col->merger)) return;
  lb_arrow_merger_destroy(col->merger);
  col->merger = NULL;
}

/* Step 2. out->release is NULL when nothing is at hand. */
static void look(struct lb_collector *col, struct ArrowArray *out) {
  out->release = NULL;
  if (col->failure.status != LB_OK) return;
  if (col->source.at_hand(col->source.ctx, out, &col->failure) == LB_OK) return;
  out->release = NULL;
}

static void collect(struct lb_collector *col) {
  while (lb_arrow_merger_wants(col->merger)) {
    struct ArrowArray array;
    look(col, &array);
    if (array.release == NULL) return;
    lb_arrow_merger_add(col->merger, &array);
  }
}

/* The first array of several; true when it is alone, and out is all there is. */
static bool is_alone(struct lb_collector *col, struct ArrowArray *out) {
  struct ArrowArray second;
  if (out->length >= (col->target_rows + 1) / 2) return true;
  look(col, &second);
  if (second.release == NULL) return true;
  if (col->merger == NULL && lb_arrow_merger_create(col->schema, col->target_rows,
                                                    &col->merger, NULL) != LB_OK) {
    col->left = second;
    return true;
  }
  lb_arrow_merger_add(col->merger, out);
  lb_arrow_merger_add(col->merger, &second);
  return false;
}

/* Step 1. Nothing is in the merger. */
static enum lb_status begin(struct lb_collector *col, struct ArrowArray *out,
                            struct lb_error *err) {
  if (col->left.release != NULL) {
    *out = col->left;
    col->left.release = NULL;
    return LB_OK;
  }
  if (col->failure.status == LB_OK) return col->source.next(col->source.ctx, out, err);
  lb_error_copy(err, &col->failure);
  return col->failure.status;
}

enum lb_status lb_collector_next(struct lb_collector *col, struct ArrowArray *out,
                                 struct lb_error *err) {
  if (col->merger == NULL || lb_arrow_merger_empty(col->merger)) {
    struct ArrowArray array = {0};
    LB_TRY(begin(col, &array, err));
    if (array.release == NULL || is_alone(col, &array)) {
      *out = array;
      return LB_OK;
    }
  }
  collect(col);
  lb_arrow_merger_take(col->merger, out);
  return LB_OK;
}
