/* SPDX-License-Identifier: Apache-2.0 */
/* Arrow data that was bound to a statement, and the rows of it.
 *
 * A binding owns what the application gave and releases it once, on the application's
 * thread. It is shared by the statement and the executions that read it; an array can be
 * read again by the next execution, a stream only once. */
#ifndef LB_RESULT_BIND_H
#define LB_RESULT_BIND_H

#include "wire/param.h"

struct lb_binding;

/* Take array (or stream) and schema whatever they return; those that were given are
 * released at once on failure. LB_INVALID_ARGUMENT: not the data of a record batch. */
enum lb_status lb_binding_create(struct ArrowArray *values, struct ArrowSchema *schema,
                                 struct lb_binding **out,
                                 struct lb_error *err) LB_MUST_USE;
enum lb_status lb_binding_create_stream(struct ArrowArrayStream *stream,
                                        struct lb_binding **out,
                                        struct lb_error *err) LB_MUST_USE;
void lb_binding_retain(struct lb_binding *binding);
void lb_binding_release(struct lb_binding *binding); /* NULL is a no-op */
const struct ArrowSchema *lb_binding_schema(const struct lb_binding *binding);
/* An execution has begun to read it. */
bool lb_binding_used(const struct lb_binding *binding);

/* The rows of a binding, from the first to the last. Caller's memory, one thread. */
struct lb_bound_rows {
  struct lb_binding *binding;
  struct lb_param_column *columns;
  int32_t column_count;
  struct ArrowArrayStream stream; /* of a stream's binding */
  struct ArrowArray batch;        /* ... and its batch at hand */
  struct ArrowArrayView view;
  int64_t row;    /* in the batch at hand */
  int64_t number; /* of rows so far, the present one included */
  bool nulls;     /* of lb_bound_rows_peek: there is no row to be seen */
  /* Asked before each batch of a stream; a failure ends the reading. NULL: nobody. */
  enum lb_status (*may_go_on)(void *ctx, struct lb_error *err);
  void *ctx;
};

/* Zeroed, so that it can be reset. */
void lb_bound_rows_init(struct lb_bound_rows *rows);
/* The columns, to be judged before a row is read. noun: what errors call a column.
 * LB_INVALID_STATE: the stream has been read. */
enum lb_status lb_bound_rows_open(struct lb_bound_rows *rows, struct lb_binding *binding,
                                  const char *noun, struct lb_error *err) LB_MUST_USE;
/* Takes the stream: from here on the binding is used. Once, after open. */
enum lb_status lb_bound_rows_begin(struct lb_bound_rows *rows,
                                   struct lb_error *err) LB_MUST_USE;
void lb_bound_rows_reset(struct lb_bound_rows *rows);
/* In place of begin and next: the first row, and the binding does not count as used. Of a
 * stream, and of an array without rows, every value is null. */
enum lb_status lb_bound_rows_peek(struct lb_bound_rows *rows,
                                  struct lb_error *err) LB_MUST_USE;
/* Goes to the next row; *found false behind the last. Calls a bound stream. */
enum lb_status lb_bound_rows_next(struct lb_bound_rows *rows, bool *found,
                                  struct lb_error *err) LB_MUST_USE;
enum lb_status lb_bound_rows_value(const struct lb_bound_rows *rows, int32_t column,
                                   struct lb_arena *arena, struct lb_param *out,
                                   struct lb_error *err) LB_MUST_USE;

#endif
