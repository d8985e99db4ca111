/* SPDX-License-Identifier: Apache-2.0 */
/*  1. create: CREATE TABLE. replace: DROP TABLE IF EXISTS, then CREATE TABLE; whatever
 *     is known to keep CREATE TABLE from working is found before the table is dropped.
 *     create_append: CREATE TABLE IF NOT EXISTS. append: nothing; without rows the table
 *     is asked for, since no INSERT would miss it.
 *  2. Types of columns are those that parameters of the same Arrow type have; a column
 *     of nulls alone (Arrow type null) is a STRING.
 *  3. Rows are gathered, across the batches of the data, up to BATCH_ROWS, BATCH_CELLS
 *     and BATCH_BYTES, so that memory is bounded and a statement stays far below what
 *     servers parse. Each INSERT is a commit of its own on most tables: few large ones
 *     are better than many small ones.
 *  4. What fits into the server's limit of parameters travels as such, anything larger as
 *     literals.
 *  5. An INSERT that the server refuses for its columns or types, into a table that is
 *     not ours, is ADBC's "does not match the schema": LB_ALREADY_EXISTS. */
#include "result/ingest.h"

#include "session/sql_text.h"

#define BATCH_ROWS 4000
#define BATCH_CELLS 60000
#define BATCH_BYTES (1024u * 1024u)
/* A single row may be larger than a batch. */
#define MAX_BATCH_BYTES (256u * 1024u * 1024u)
#define MAX_SQL_BYTES (128u * 1024u * 1024u)

enum mode { CREATE, APPEND, REPLACE, CREATE_APPEND };

struct ingest {
  struct lb_series *series;
  struct lb_bound_rows rows;
  enum mode mode;
  int32_t max_params;
  enum lb_param_dialect dialect;
  struct lb_buf target;  /* the table's name, quoted */
  struct lb_buf columns; /* (`a`, `b`) */
  struct lb_buf create;  /* CREATE TABLE; empty for append */
  struct lb_buf sql;
  size_t shown_bytes;    /* of sql, in errors; 0: all */
  struct lb_arena arena; /* values of the batch */
  struct lb_param *params;
  int32_t param_count;
  int32_t param_cap;
  int64_t inserted;
};

static struct lb_str text_of(const struct lb_buf *buf) {
  return (struct lb_str){(const char *)buf->data, buf->len};
}

bool lb_ingest_wanted(struct lb_options *opts) {
  return lb_options_is_set(opts, LB_OPT_INGEST_TABLE);
}

static enum mode mode_of(struct lb_options *opts) {
  if (lb_options_word_is(opts, LB_OPT_INGEST_MODE, "adbc.ingest.mode.append")) {
    return APPEND;
  }
  if (lb_options_word_is(opts, LB_OPT_INGEST_MODE, "adbc.ingest.mode.replace")) {
    return REPLACE;
  }
  if (lb_options_word_is(opts, LB_OPT_INGEST_MODE, "adbc.ingest.mode.create_append")) {
    return CREATE_APPEND;
  }
  return CREATE;
}

static enum lb_status append_part(struct ingest *in, struct lb_options *opts,
                                  enum lb_option_id id, const char *what,
                                  struct lb_error *err) {
  char *name = NULL;
  LB_TRY(lb_options_text(opts, id, &name, err));
  if (!name || !name[0]) {
    lb_free(name);
    return LB_OK;
  }
  enum lb_status status = lb_sql_check_name(lb_str_from(name), what, err);
  if (in->target.len > 0) lb_buf_append_u8(&in->target, '.');
  lb_sql_append_name(&in->target, lb_str_from(name));
  lb_free(name);
  return status;
}

static enum lb_status read_target(struct ingest *in, struct lb_options *opts,
                                  struct lb_error *err) {
  LB_TRY(append_part(in, opts, LB_OPT_INGEST_CATALOG, "catalog", err));
  size_t catalog_bytes = in->target.len;
  LB_TRY(append_part(in, opts, LB_OPT_INGEST_SCHEMA, "schema", err));
  LB_TRY(lb_buf_check(&in->target, "the target table's name", err));
  if (catalog_bytes > 0 && in->target.len == catalog_bytes) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option adbc.ingest.target_catalog needs "
                        "adbc.ingest.target_db_schema beside it");
  }
  LB_TRY(append_part(in, opts, LB_OPT_INGEST_TABLE, "table", err));
  return lb_buf_check(&in->target, "the target table's name", err);
}

static enum lb_status read_columns(struct ingest *in, struct lb_error *err) {
  const struct ArrowSchema *schema = lb_binding_schema(in->rows.binding);
  if (in->rows.column_count == 0) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the data to ingest has no columns");
  }
  for (int32_t i = 0; i < in->rows.column_count; i++) {
    struct lb_str name = lb_str_from(schema->children[i]->name);
    if (name.len == 0) {
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "column %d of the data to ingest has no name", (int)i + 1);
    }
    LB_TRY(lb_sql_check_name(name, "column", err));
    lb_buf_append_text(&in->columns, i == 0 ? "(" : ", ");
    lb_sql_append_name(&in->columns, name);
  }
  lb_buf_append_u8(&in->columns, ')');
  return lb_buf_check(&in->columns, "the names of the columns", err);
}

/* Statements. */

static enum lb_status execute(struct ingest *in, const struct lb_param *params,
                              int32_t count, struct lb_error *err) {
  LB_TRY(lb_buf_check(&in->sql, "a statement of the ingestion", err));
  struct lb_str shown = text_of(&in->sql);
  if (in->shown_bytes > 0) shown.len = in->shown_bytes;
  in->shown_bytes = 0;
  return lb_series_execute(in->series, text_of(&in->sql), shown, params, count, NULL,
                           err);
}

static enum lb_status drop_table(struct ingest *in, struct lb_error *err) {
  lb_buf_clear(&in->sql);
  lb_buf_append_text(&in->sql, "DROP TABLE IF EXISTS ");
  lb_buf_append_str(&in->sql, text_of(&in->target));
  return execute(in, NULL, 0, err);
}

static int by_name(const void *a, const void *b) {
  const struct ArrowSchema *left = *(struct ArrowSchema *const *)a;
  const struct ArrowSchema *right = *(struct ArrowSchema *const *)b;
  return lb_str_compare_nocase(lb_str_from(left->name), lb_str_from(right->name));
}

/* Servers take no two columns whose names differ in case alone, or not at all. */
static enum lb_status check_twins(const struct ArrowSchema *schema,
                                  struct lb_error *err) {
  size_t count = (size_t)schema->n_children;
  struct ArrowSchema **sorted = lb_alloc_array(LB_MEM_MISC, count, sizeof *sorted);
  if (!sorted) return lb_error_oom(err, "the names of the columns");
  memcpy(sorted, schema->children, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, by_name);
  enum lb_status status = LB_OK;
  for (size_t i = 1; i < count && status == LB_OK; i++) {
    if (by_name(&sorted[i - 1], &sorted[i]) != 0) continue;
    status = lb_error_set(err, LB_INVALID_ARGUMENT,
                          "columns '%s' and '%s' of the data to ingest have the same "
                          "name to the server; rename one",
                          sorted[i - 1]->name, sorted[i]->name);
  }
  lb_free(sorted);
  return status;
}

static enum lb_status write_create(struct ingest *in, struct lb_error *err) {
  const struct ArrowSchema *schema = lb_binding_schema(in->rows.binding);
  if (in->mode == APPEND) return LB_OK;
  if (in->mode == REPLACE) LB_TRY(check_twins(schema, err));
  lb_buf_append_text(&in->create, in->mode == CREATE_APPEND
                                      ? "CREATE TABLE IF NOT EXISTS "
                                      : "CREATE TABLE ");
  lb_buf_append_str(&in->create, text_of(&in->target));
  for (int32_t i = 0; i < in->rows.column_count; i++) {
    const struct lb_param_column *column = &in->rows.columns[i];
    struct lb_param_type type = column->type;
    if (column->varies) {
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "%s: intervals of months, days and nanoseconds have no one SQL "
                          "type; cast them to durations or to months",
                          column->label);
    }
    if (type.kind == LB_PARAM_VOID) type.kind = LB_PARAM_STRING;
    char name[LB_PARAM_TYPE_BYTES];
    lb_param_type_text(type, in->dialect, name);
    lb_buf_append_text(&in->create, i == 0 ? " (" : ", ");
    lb_sql_append_name(&in->create, lb_str_from(schema->children[i]->name));
    lb_buf_append_u8(&in->create, ' ');
    lb_buf_append_text(&in->create, name);
  }
  lb_buf_append_u8(&in->create, ')');
  return lb_buf_check(&in->create, "the statement that makes the table", err);
}

static enum lb_status check_table(struct ingest *in, struct lb_error *err) {
  lb_buf_clear(&in->sql);
  lb_buf_append_text(&in->sql, "SELECT * FROM ");
  lb_buf_append_str(&in->sql, text_of(&in->target));
  lb_buf_append_text(&in->sql, " LIMIT 0");
  return execute(in, NULL, 0, err);
}

/* Step 1. */
static enum lb_status prepare_table(struct ingest *in, struct lb_error *err) {
  if (in->mode == APPEND) return LB_OK;
  if (in->mode == REPLACE) LB_TRY(drop_table(in, err));
  lb_buf_clear(&in->sql);
  lb_buf_append_str(&in->sql, text_of(&in->create));
  return execute(in, NULL, 0, err);
}

/* Rows. */

static enum lb_status put_native(struct ingest *in, struct lb_param *param,
                                 struct lb_error *err) {
  bool binary = param->type.kind == LB_PARAM_BINARY;
  lb_buf_append_text(&in->sql, binary ? "unhex(?)" : "?");
  return binary ? lb_param_hex(param, &in->arena, err) : LB_OK;
}

/* Step 4. */
static enum lb_status insert(struct ingest *in, struct lb_error *err) {
  int32_t columns = in->rows.column_count;
  bool native = in->param_count <= in->max_params;
  lb_buf_clear(&in->sql);
  lb_buf_append_text(&in->sql, "INSERT INTO ");
  lb_buf_append_str(&in->sql, text_of(&in->target));
  lb_buf_append_u8(&in->sql, ' ');
  lb_buf_append_str(&in->sql, text_of(&in->columns));
  lb_buf_append_text(&in->sql, " VALUES ");
  in->shown_bytes = in->sql.len;
  for (int32_t i = 0; i < in->param_count; i++) {
    lb_buf_append_text(&in->sql, i % columns != 0 ? ", " : i == 0 ? "(" : "), (");
    if (native) {
      LB_TRY(put_native(in, &in->params[i], err));
    } else {
      lb_param_append_literal(&in->params[i], in->dialect, &in->sql);
    }
  }
  lb_buf_append_u8(&in->sql, ')');
  return execute(in, native ? in->params : NULL, native ? in->param_count : 0, err);
}

/* Step 5. */
static enum lb_status judge(const struct ingest *in, enum lb_status status,
                            struct lb_error *err) {
  if (status == LB_SERVER && in->mode != CREATE && in->mode != REPLACE) {
    static const char *const states[] = {"42", "21", "KD000", "22018", "22003"};
    int number = lb_error_adbc_status(err);
    bool about_names = number == lb_status_adbc(LB_NOT_FOUND) ||
                       number == lb_status_adbc(LB_UNAUTHORIZED);
    for (size_t i = 0; !about_names && i < LB_ARRAY_LEN(states); i++) {
      if (strncmp(err->sqlstate, states[i], strlen(states[i])) != 0) continue;
      lb_error_prefix(err, "the table is not like the data: ");
      err->status = status = LB_ALREADY_EXISTS;
      break;
    }
  }
  int32_t perhaps = 0;
  if (lb_series_may_have_run(in->series, status)) {
    perhaps = in->param_count / in->rows.column_count;
  }
  if (perhaps > 0) {
    lb_error_append(err,
                    " (%lld rows have been inserted before, and %d more may have been)",
                    (long long)in->inserted, (int)perhaps);
  } else if (in->inserted > 0) {
    lb_error_append(err, " (%lld rows have been inserted before)",
                    (long long)in->inserted);
  }
  return status;
}

static enum lb_status flush(struct ingest *in, struct lb_error *err) {
  if (in->param_count == 0) return LB_OK;
  LB_TRY(insert(in, err));
  in->inserted += in->param_count / in->rows.column_count;
  in->param_count = 0;
  lb_arena_reset(&in->arena);
  return LB_OK;
}

static enum lb_status take_row(struct ingest *in, struct lb_error *err) {
  for (int32_t i = 0; i < in->rows.column_count; i++) {
    struct lb_param *param = &in->params[in->param_count];
    enum lb_status status = lb_bound_rows_value(&in->rows, i, &in->arena, param, err);
    if (status != LB_OK) {
      lb_error_prefix(err,
                      "row %lld of the data to ingest: ", (long long)in->rows.number);
      return status;
    }
    in->param_count++;
  }
  return LB_OK;
}

static bool is_full(const struct ingest *in) {
  return in->param_count + in->rows.column_count > in->param_cap ||
         in->arena.used >= BATCH_BYTES;
}

/* Step 3. */
static enum lb_status insert_rows(struct ingest *in, struct lb_error *err) {
  for (;;) {
    bool found = false;
    LB_TRY(lb_bound_rows_next(&in->rows, &found, err));
    if (!found) break;
    LB_TRY(take_row(in, err));
    if (is_full(in)) LB_TRY(flush(in, err));
  }
  LB_TRY(flush(in, err));
  if (in->mode == APPEND && in->inserted == 0) return check_table(in, err);
  return LB_OK;
}

static enum lb_status begin(struct ingest *in, struct lb_options *opts,
                            struct lb_binding *binding, struct lb_error *err) {
  LB_TRY(lb_bound_rows_open(&in->rows, binding, "column", err));
  LB_TRY(read_target(in, opts, err));
  LB_TRY(read_columns(in, err));
  LB_TRY(write_create(in, err));
  int32_t columns = in->rows.column_count;
  int64_t cells = LB_MIN((int64_t)columns * BATCH_ROWS, BATCH_CELLS);
  in->param_cap = (int32_t)LB_MAX(cells, (int64_t)columns);
  in->params = lb_alloc_array(LB_MEM_MISC, (size_t)in->param_cap, sizeof *in->params);
  if (!in->params) return lb_error_oom(err, "the rows to ingest");
  return lb_bound_rows_begin(&in->rows, err);
}

enum lb_status lb_ingest_run(struct lb_series *series, struct lb_session *sess,
                             struct lb_options *opts, struct lb_binding *binding,
                             int64_t *rows, struct lb_error *err) {
  const struct lb_bind_rules rules = lb_bind_rules_of(sess, opts);
  struct lb_error local = LB_ERROR_INIT;
  if (!err) err = &local;
  struct ingest in = {
      .series = series,
      .mode = mode_of(opts),
      .max_params = rules.max_params,
      .dialect = rules.dialect,
  };
  lb_bound_rows_init(&in.rows);
  in.rows.may_go_on = lb_series_check;
  in.rows.ctx = series;
  lb_buf_init(&in.target, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_init(&in.columns, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_init(&in.create, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_buf_init(&in.sql, LB_MEM_MISC, MAX_SQL_BYTES);
  lb_arena_init(&in.arena, LB_MEM_MISC, MAX_BATCH_BYTES);
  enum lb_status status = begin(&in, opts, binding, err);
  if (status == LB_OK) status = prepare_table(&in, err);
  if (status == LB_OK) {
    status = insert_rows(&in, err);
    if (status != LB_OK) status = judge(&in, status, err);
  }
  if (status == LB_OK) *rows = in.inserted;
  lb_free(in.params);
  lb_arena_reset(&in.arena);
  lb_buf_reset(&in.sql);
  lb_buf_reset(&in.create);
  lb_buf_reset(&in.columns);
  lb_buf_reset(&in.target);
  lb_bound_rows_reset(&in.rows);
  return status;
}
