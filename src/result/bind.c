/* SPDX-License-Identifier: Apache-2.0 */
#include "result/bind.h"

#include <errno.h>
#include <stdatomic.h>

struct lb_binding {
  atomic_uint refs;
  struct ArrowSchema schema;
  struct ArrowArray array;        /* release NULL: a stream was bound */
  struct ArrowArrayStream stream; /* release NULL: an array, or the stream was taken */
  bool used;
};

static void release_given(struct ArrowArray *values, struct ArrowSchema *schema,
                          struct ArrowArrayStream *stream) {
  if (values && values->release) values->release(values);
  if (schema && schema->release) schema->release(schema);
  if (stream && stream->release) stream->release(stream);
}

static enum lb_status create(struct lb_binding **out, struct lb_error *err) {
  struct lb_binding *binding = lb_alloc_zero(LB_MEM_MISC, sizeof *binding);
  if (!binding) return lb_error_oom(err, "bound values");
  atomic_init(&binding->refs, 1);
  *out = binding;
  return LB_OK;
}

void lb_binding_retain(struct lb_binding *binding) {
  atomic_fetch_add_explicit(&binding->refs, 1, memory_order_relaxed);
}

void lb_binding_release(struct lb_binding *binding) {
  if (!binding) return;
  if (atomic_fetch_sub_explicit(&binding->refs, 1, memory_order_acq_rel) != 1) return;
  release_given(&binding->array, &binding->schema, &binding->stream);
  lb_free(binding);
}

const struct ArrowSchema *lb_binding_schema(const struct lb_binding *binding) {
  return &binding->schema;
}

bool lb_binding_used(const struct lb_binding *binding) { return binding->used; }

static enum lb_status check_schema(const struct ArrowSchema *schema,
                                   struct lb_error *err) {
  struct ArrowSchemaView view;
  struct ArrowError reason = {{0}};
  if (ArrowSchemaViewInit(&view, schema, &reason) != NANOARROW_OK) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the schema of the bound values is not valid: %.200s",
                        reason.message);
  }
  if (view.type != NANOARROW_TYPE_STRUCT) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the bound values are no record batch but of Arrow type %s; bind "
                        "a struct with a field for each parameter",
                        ArrowTypeString(view.type));
  }
  return LB_OK;
}

/* The array has to be what its schema says: everything after this relies on it. */
static enum lb_status set_view(struct ArrowArrayView *view,
                               const struct ArrowSchema *schema,
                               const struct ArrowArray *array, struct lb_error *err) {
  struct ArrowError reason = {{0}};
  ArrowArrayViewReset(view);
  ArrowErrorCode code = ArrowArrayViewInitFromSchema(view, schema, &reason);
  if (code == NANOARROW_OK) code = ArrowArrayViewSetArray(view, array, &reason);
  if (code == NANOARROW_OK) {
    code = ArrowArrayViewValidate(view, NANOARROW_VALIDATION_LEVEL_FULL, &reason);
  }
  if (code == NANOARROW_OK) return LB_OK;
  if (code == ENOMEM) return lb_error_oom(err, "a view on the bound values");
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "the bound values do not match their schema: %.300s",
                      reason.message);
}

enum lb_status lb_binding_create(struct ArrowArray *values, struct ArrowSchema *schema,
                                 struct lb_binding **out, struct lb_error *err) {
  struct lb_binding *binding = NULL;
  enum lb_status status = LB_OK;
  if (!values || !values->release || !schema || !schema->release) {
    status = lb_error_set(err, LB_INVALID_ARGUMENT,
                          "the values to bind, or their schema, are NULL or released");
  }
  if (status == LB_OK) status = check_schema(schema, err);
  if (status == LB_OK) {
    struct ArrowArrayView view;
    ArrowArrayViewInitFromType(&view, NANOARROW_TYPE_UNINITIALIZED);
    status = set_view(&view, schema, values, err);
    ArrowArrayViewReset(&view);
  }
  if (status == LB_OK) status = create(&binding, err);
  if (status != LB_OK) {
    release_given(values, schema, NULL);
    return status;
  }
  ArrowArrayMove(values, &binding->array);
  ArrowSchemaMove(schema, &binding->schema);
  *out = binding;
  return LB_OK;
}

/* The failure of a callback that is not ours. */
static enum lb_status stream_failed(struct ArrowArrayStream *stream, int code,
                                    struct lb_error *err) {
  const char *text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
  enum lb_status status = code == ECANCELED ? LB_CANCELLED
                          : code == ENOMEM  ? LB_OUT_OF_MEMORY
                                            : LB_INVALID_DATA;
  return lb_error_set(err, status, "the bound stream failed (errno %d): %.600s", code,
                      text ? text : "it gives no reason");
}

enum lb_status lb_binding_create_stream(struct ArrowArrayStream *stream,
                                        struct lb_binding **out, struct lb_error *err) {
  if (!stream || !stream->release) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the stream to bind is NULL or released");
  }
  struct lb_binding *binding = NULL;
  enum lb_status status = create(&binding, err);
  if (status != LB_OK) {
    release_given(NULL, NULL, stream);
    return status;
  }
  ArrowArrayStreamMove(stream, &binding->stream);
  int code = binding->stream.get_schema(&binding->stream, &binding->schema);
  status = code == 0 ? check_schema(&binding->schema, err)
                     : stream_failed(&binding->stream, code, err);
  if (status != LB_OK) {
    lb_binding_release(binding);
    return status;
  }
  *out = binding;
  return LB_OK;
}

/* Rows. */

void lb_bound_rows_init(struct lb_bound_rows *rows) {
  *rows = (struct lb_bound_rows){0};
  ArrowArrayViewInitFromType(&rows->view, NANOARROW_TYPE_UNINITIALIZED);
}

void lb_bound_rows_reset(struct lb_bound_rows *rows) {
  ArrowArrayViewReset(&rows->view);
  release_given(&rows->batch, NULL, &rows->stream);
  lb_free(rows->columns);
  lb_binding_release(rows->binding);
  lb_bound_rows_init(rows);
}

static enum lb_status open_columns(struct lb_bound_rows *rows, const char *noun,
                                   struct lb_error *err) {
  const struct ArrowSchema *schema = &rows->binding->schema;
  if (schema->n_children > INT32_MAX) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "too many columns are bound");
  }
  rows->column_count = (int32_t)schema->n_children;
  rows->columns =
      lb_alloc_array(LB_MEM_MISC, (size_t)rows->column_count, sizeof *rows->columns);
  if (!rows->columns) return lb_error_oom(err, "the columns of bound values");
  for (int32_t i = 0; i < rows->column_count; i++) {
    LB_TRY(
        lb_param_column_init(&rows->columns[i], schema->children[i], noun, i + 1, err));
  }
  return LB_OK;
}

enum lb_status lb_bound_rows_open(struct lb_bound_rows *rows, struct lb_binding *binding,
                                  const char *noun, struct lb_error *err) {
  bool is_stream = binding->array.release == NULL;
  if (is_stream && !binding->stream.release) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "the bound stream has been read by an earlier execution; bind "
                        "another one");
  }
  lb_binding_retain(binding);
  rows->binding = binding;
  enum lb_status status = open_columns(rows, noun, err);
  if (status != LB_OK) lb_bound_rows_reset(rows);
  return status;
}

enum lb_status lb_bound_rows_begin(struct lb_bound_rows *rows, struct lb_error *err) {
  struct lb_binding *binding = rows->binding;
  if (binding->array.release) {
    LB_TRY(set_view(&rows->view, &binding->schema, &binding->array, err));
  } else {
    ArrowArrayStreamMove(&binding->stream, &rows->stream);
  }
  binding->used = true;
  rows->row = -1;
  return LB_OK;
}

enum lb_status lb_bound_rows_peek(struct lb_bound_rows *rows, struct lb_error *err) {
  struct lb_binding *binding = rows->binding;
  rows->nulls = !binding->array.release || binding->array.length == 0;
  if (rows->nulls) return LB_OK;
  return set_view(&rows->view, &binding->schema, &binding->array, err);
}

static enum lb_status next_batch(struct lb_bound_rows *rows, bool *found,
                                 struct lb_error *err) {
  *found = false;
  release_given(&rows->batch, NULL, NULL);
  if (!rows->stream.release) return LB_OK;
  if (rows->may_go_on) LB_TRY(rows->may_go_on(rows->ctx, err));
  int code = rows->stream.get_next(&rows->stream, &rows->batch);
  if (code != 0) return stream_failed(&rows->stream, code, err);
  if (!rows->batch.release) {
    rows->stream.release(&rows->stream);
    return LB_OK;
  }
  *found = true;
  rows->row = -1;
  return set_view(&rows->view, &rows->binding->schema, &rows->batch, err);
}

enum lb_status lb_bound_rows_next(struct lb_bound_rows *rows, bool *found,
                                  struct lb_error *err) {
  rows->row++;
  /* The view is empty, of length 0, until there is a batch. */
  while (rows->row >= rows->view.length) {
    bool more = false;
    enum lb_status status = next_batch(rows, &more, err);
    if (status != LB_OK) return status;
    if (!more) {
      rows->row = rows->view.length;
      *found = false;
      return LB_OK;
    }
    rows->row = 0;
  }
  rows->number++;
  *found = true;
  return LB_OK;
}

enum lb_status lb_bound_rows_value(const struct lb_bound_rows *rows, int32_t column,
                                   struct lb_arena *arena, struct lb_param *out,
                                   struct lb_error *err) {
  if (rows->nulls || ArrowArrayViewIsNull(&rows->view, rows->row)) {
    *out = (struct lb_param){.type = rows->columns[column].type, .null = true};
    return LB_OK;
  }
  return lb_param_read(&rows->columns[column], rows->view.children[column],
                       rows->row + rows->view.offset, arena, out, err);
}
