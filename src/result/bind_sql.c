/* SPDX-License-Identifier: Apache-2.0 */
/*  1. Named markers take the column of their name (ASCII case does not matter), however
 *     often they stand in the text; `?` markers take the columns in order.
 *  2. Every marker needs a column and every column a marker.
 *  3. Where the server takes parameters, and not too many: they travel beside the text,
 *     a named one once. There is no form for binary values, so that such a marker
 *     becomes unhex(marker) and its value hexadecimal text.
 *  4. Else each marker is replaced by its value as a literal. A text is refused where it
 *     would become part of another literal: behind DATE or beside a text. */
#include "result/bind_sql.h"

#include <errno.h>

#define MAX_SQL_BYTES (128u * 1024u * 1024u)
#define MAX_VALUES_BYTES (256u * 1024u * 1024u)

void lb_bound_sql_init(struct lb_bound_sql *bound) {
  *bound = (struct lb_bound_sql){0};
  lb_buf_init(&bound->sql, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_init(&bound->text, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_arena_init(&bound->arena, LB_MEM_MISC, MAX_VALUES_BYTES);
}

void lb_bound_sql_reset(struct lb_bound_sql *bound) {
  lb_sql_scan_reset(&bound->scan);
  lb_free(bound->columns);
  lb_free(bound->params);
  lb_arena_reset(&bound->arena);
  lb_buf_reset(&bound->text);
  lb_buf_reset(&bound->sql);
  lb_bound_sql_init(bound);
}

static struct lb_str name_of(const struct lb_bound_rows *rows, int32_t column) {
  const struct ArrowSchema *schema = lb_binding_schema(rows->binding);
  return lb_str_from(schema->children[column]->name);
}

/* The first marker of the same name: it has its column and decides its spelling. */
static int32_t first_of(const struct lb_sql_scan *scan, int32_t marker) {
  int32_t first = scan->named ? 0 : marker;
  while (first < marker &&
         !lb_str_equal_nocase(scan->markers[first].name, scan->markers[marker].name)) {
    first++;
  }
  return first;
}

static enum lb_status match_positions(struct lb_bound_sql *bound,
                                      const struct lb_bound_rows *rows,
                                      struct lb_error *err) {
  int32_t wanted = 0;
  int32_t given = rows->column_count;
  for (int32_t i = 0; i < bound->scan.count; i++) {
    int32_t first = first_of(&bound->scan, i);
    bound->columns[i] = first == i ? wanted++ : bound->columns[first];
  }
  if (given < wanted) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "parameter %d has no value: the query has %d parameters, and %d "
                        "columns are bound",
                        (int)given + 1, (int)wanted, (int)given);
  }
  if (given > wanted) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "%s has no marker: the query has %d parameters, and %d columns "
                        "are bound",
                        rows->columns[wanted].label, (int)wanted, (int)given);
  }
  return LB_OK;
}

static enum lb_status match_name(struct lb_bound_sql *bound,
                                 const struct lb_bound_rows *rows, int32_t marker,
                                 struct lb_error *err) {
  struct lb_str name = bound->scan.markers[marker].name;
  int32_t found = -1;
  for (int32_t i = 0; i < rows->column_count; i++) {
    if (!lb_str_equal_nocase(name_of(rows, i), name)) continue;
    if (found >= 0) {
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "parameter :%.*s is bound twice, by columns %d and %d",
                          (int)LB_MIN(name.len, 100), name.data, (int)found + 1,
                          (int)i + 1);
    }
    found = i;
  }
  if (found < 0) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "parameter :%.*s has no value: no bound column has its name",
                        (int)LB_MIN(name.len, 100), name.data);
  }
  bound->columns[marker] = found;
  return LB_OK;
}

static enum lb_status match_names(struct lb_bound_sql *bound,
                                  const struct lb_bound_rows *rows,
                                  struct lb_error *err) {
  for (int32_t i = 0; i < bound->scan.count; i++) {
    LB_TRY(match_name(bound, rows, i, err));
  }
  for (int32_t column = 0; column < rows->column_count; column++) {
    int32_t marker = 0;
    while (marker < bound->scan.count && bound->columns[marker] != column) marker++;
    if (marker == bound->scan.count) {
      return lb_error_set(err, LB_INVALID_ARGUMENT, "%s has no marker in the query",
                          rows->columns[column].label);
    }
  }
  return LB_OK;
}

enum lb_status lb_bound_sql_open(struct lb_bound_sql *bound, struct lb_str sql,
                                 const struct lb_bound_rows *rows,
                                 const struct lb_bind_rules *rules,
                                 struct lb_error *err) {
  lb_buf_append_str(&bound->sql, sql);
  LB_TRY(lb_buf_check(&bound->sql, "the statement's text", err));
  struct lb_str copy = {(const char *)bound->sql.data, bound->sql.len};
  LB_TRY(lb_sql_scan(copy, &bound->scan, err));
  size_t count = (size_t)bound->scan.count;
  bound->columns = lb_alloc_array(LB_MEM_MISC, count, sizeof *bound->columns);
  bound->params = lb_alloc_array(LB_MEM_MISC, count, sizeof *bound->params);
  if (!bound->columns || !bound->params) return lb_error_oom(err, "the parameters");
  bound->native = bound->scan.count <= rules->max_params;
  bound->dialect = rules->dialect;
  if (rules->by == LB_BIND_BY_NAME && !bound->scan.named && count > 0) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option adbc.statement.bind_by_name = true needs :name markers, "
                        "and the query has ? ones");
  }
  if (bound->scan.named && rules->by != LB_BIND_BY_POSITION) {
    return match_names(bound, rows, err);
  }
  return match_positions(bound, rows, err);
}

/* Appends what stands for a marker. */
static enum lb_status put_native(struct lb_bound_sql *bound, int32_t marker,
                                 struct lb_param *param, struct lb_error *err) {
  int32_t first = first_of(&bound->scan, marker);
  const struct lb_sql_marker *at = &bound->scan.markers[first];
  struct lb_buf *text = &bound->text;
  bool binary = param->type.kind == LB_PARAM_BINARY;
  if (binary) lb_buf_append_text(text, " unhex(");
  /* Servers heed the case of names. */
  lb_buf_append(text, bound->sql.data + at->at, at->len);
  if (binary) lb_buf_append_text(text, ")");
  if (first != marker) return LB_OK;
  param->name = at->name;
  if (binary) LB_TRY(lb_param_hex(param, &bound->arena, err));
  bound->params[bound->param_count++] = *param;
  return LB_OK;
}

static enum lb_status put_literal(struct lb_bound_sql *bound, int32_t marker,
                                  const struct lb_bound_rows *rows,
                                  const struct lb_param *param, struct lb_error *err) {
  if (bound->scan.markers[marker].joins && param->type.kind == LB_PARAM_STRING) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "%s: right behind a word like DATE, or beside a text, its value "
                        "would become part of a literal; write CAST(? AS DATE) or the "
                        "like",
                        rows->columns[bound->columns[marker]].label);
  }
  /* A marker may stand right beside a word. */
  lb_buf_append_u8(&bound->text, ' ');
  lb_param_append_literal(param, bound->dialect, &bound->text);
  lb_buf_append_u8(&bound->text, ' ');
  return LB_OK;
}

enum lb_status lb_bound_sql_row(struct lb_bound_sql *bound,
                                const struct lb_bound_rows *rows, struct lb_error *err) {
  lb_arena_reset(&bound->arena);
  lb_buf_clear(&bound->text);
  bound->param_count = 0;
  size_t at = 0;
  for (int32_t i = 0; i < bound->scan.count; i++) {
    const struct lb_sql_marker *marker = &bound->scan.markers[i];
    struct lb_param param;
    LB_TRY(lb_bound_rows_value(rows, bound->columns[i], &bound->arena, &param, err));
    lb_buf_append(&bound->text, bound->sql.data + at, marker->at - at);
    at = marker->at + marker->len;
    if (bound->native) {
      LB_TRY(put_native(bound, i, &param, err));
    } else {
      LB_TRY(put_literal(bound, i, rows, &param, err));
    }
  }
  lb_buf_append(&bound->text, bound->sql.data + at, bound->sql.len - at);
  return lb_buf_check(&bound->text, "the statement's text with its parameters", err);
}

static ArrowErrorCode set_field(struct ArrowSchema *field, struct lb_str name) {
  char *text = lb_strndup(LB_MEM_MISC, name.data ? name.data : "", name.len);
  if (!text) return ENOMEM;
  ArrowErrorCode code = ArrowSchemaSetType(field, NANOARROW_TYPE_NA);
  if (code == NANOARROW_OK) code = ArrowSchemaSetName(field, text);
  lb_free(text);
  return code;
}

static ArrowErrorCode fill_schema(const struct lb_sql_scan *scan,
                                  struct ArrowSchema *out) {
  int64_t count = 0;
  for (int32_t i = 0; i < scan->count; i++) count += first_of(scan, i) == i;
  ArrowSchemaInit(out);
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetTypeStruct(out, count));
  int64_t at = 0;
  for (int32_t i = 0; i < scan->count; i++) {
    if (first_of(scan, i) != i) continue;
    NANOARROW_RETURN_NOT_OK(set_field(out->children[at++], scan->markers[i].name));
  }
  return NANOARROW_OK;
}

enum lb_status lb_bound_sql_schema(struct lb_str sql, struct ArrowSchema *out,
                                   struct lb_error *err) {
  struct lb_sql_scan scan = {0};
  LB_TRY(lb_sql_scan(sql, &scan, err));
  struct ArrowSchema made = {0};
  enum lb_status status = LB_OK;
  if (fill_schema(&scan, &made) == NANOARROW_OK) {
    *out = made;
  } else {
    if (made.release) made.release(&made);
    status = lb_error_oom(err, "the schema of the parameters");
  }
  lb_sql_scan_reset(&scan);
  return status;
}
