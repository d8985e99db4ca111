/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over a result's rows, for answers that the driver reads itself. Columns are
 * named by position, since servers spell their names differently, and values are read by
 * what is asked for, not by how the server sent them. Caller's memory, one thread. */
#ifndef LB_RESULT_ROWS_H
#define LB_RESULT_ROWS_H

#include "result/result.h"

struct lb_rows {
  struct lb_result *res; /* borrowed */
  struct ArrowArray array;
  struct ArrowArrayView view;
  int64_t row; /* in array; -1 before the first */
};

/* At least columns columns, else LB_PROTOCOL naming what. */
enum lb_status lb_rows_init(struct lb_rows *rows, struct lb_result *res, int columns,
                            const char *what, struct lb_error *err) LB_MUST_USE;
void lb_rows_reset(struct lb_rows *rows); /* also after a failed init */
/* *more false: there is no further row. */
enum lb_status lb_rows_next(struct lb_rows *rows, bool *more,
                            struct lb_error *err) LB_MUST_USE;
/* The text of a text column, valid until the next lb_rows_next; data NULL for a null, a
 * column of another type, and one that is not there. */
struct lb_str lb_rows_text(const struct lb_rows *rows, int column);
/* The number of a number or text column. False: null, no number, not there. */
bool lb_rows_int(const struct lb_rows *rows, int column, int64_t *out);

#endif
