/* SPDX-License-Identifier: Apache-2.0 */
#include "result/rows.h"

enum lb_status lb_rows_init(struct lb_rows *rows, struct lb_result *res, int columns,
                            const char *what, struct lb_error *err) {
  *rows = (struct lb_rows){.res = res, .row = -1};
  const struct ArrowSchema *schema = &lb_result_schema(res)->arrow;
  if (schema->n_children < columns) {
    return lb_error_set(err, LB_PROTOCOL,
                        "%s: the answer has %lld columns where %d were expected", what,
                        (long long)schema->n_children, columns);
  }
  if (ArrowArrayViewInitFromSchema(&rows->view, schema, NULL) != NANOARROW_OK) {
    return lb_error_oom(err, what);
  }
  return LB_OK;
}

static void drop_array(struct lb_rows *rows) {
  if (rows->array.release) rows->array.release(&rows->array);
  rows->row = -1;
}

void lb_rows_reset(struct lb_rows *rows) {
  drop_array(rows);
  ArrowArrayViewReset(&rows->view);
}

enum lb_status lb_rows_next(struct lb_rows *rows, bool *more, struct lb_error *err) {
  while (!rows->array.release || rows->row + 1 >= rows->array.length) {
    drop_array(rows);
    LB_TRY(lb_result_next(rows->res, &rows->array, err));
    if (!rows->array.release) {
      *more = false;
      return LB_OK;
    }
    if (ArrowArrayViewSetArray(&rows->view, &rows->array, NULL) != NANOARROW_OK) {
      return lb_error_set(err, LB_INVALID_DATA,
                          "the answer's rows do not fit its schema");
    }
  }
  rows->row++;
  *more = true;
  return LB_OK;
}

static const struct ArrowArrayView *value_at(const struct lb_rows *rows, int column) {
  if (column < 0 || column >= rows->view.n_children) return NULL;
  const struct ArrowArrayView *view = rows->view.children[column];
  return ArrowArrayViewIsNull(view, rows->row) ? NULL : view;
}

struct lb_str lb_rows_text(const struct lb_rows *rows, int column) {
  const struct ArrowArrayView *view = value_at(rows, column);
  if (!view) return (struct lb_str){NULL, 0};
  switch (view->storage_type) {
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
      break;
    default:
      return (struct lb_str){NULL, 0};
  }
  struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view, rows->row);
  return (struct lb_str){text.data ? text.data : "", (size_t)text.size_bytes};
}

bool lb_rows_int(const struct lb_rows *rows, int column, int64_t *out) {
  const struct ArrowArrayView *view = value_at(rows, column);
  if (!view) return false;
  switch (view->storage_type) {
    case NANOARROW_TYPE_BOOL:
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_INT64:
      *out = ArrowArrayViewGetIntUnsafe(view, rows->row);
      return true;
    default:
      return lb_str_to_i64(lb_rows_text(rows, column), out);
  }
}
