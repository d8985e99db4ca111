/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/statistics.h"

#include "adbc/metadata.h"
#include "result/rows.h"
#include "session/sql_text.h"

#define TRY NANOARROW_RETURN_NOT_OK
#define SQL_MAX_BYTES (64u * 1024u)
/* Questions that one catalog may take; some seconds on a warehouse. */
#define TABLES_MAX 1000

/* Members of the dense union, in ADBC's order; the type code is the index. */
enum member { INT64, UINT64, FLOAT64, BINARY, MEMBER_COUNT };

/* Schema. */

static int set_value(struct ArrowSchema *value) {
  TRY(ArrowSchemaSetTypeUnion(value, NANOARROW_TYPE_DENSE_UNION, MEMBER_COUNT));
  TRY(lb_adbc_child(value->children[INT64], NANOARROW_TYPE_INT64, "int64"));
  TRY(lb_adbc_child(value->children[UINT64], NANOARROW_TYPE_UINT64, "uint64"));
  TRY(lb_adbc_child(value->children[FLOAT64], NANOARROW_TYPE_DOUBLE, "float64"));
  TRY(lb_adbc_child(value->children[BINARY], NANOARROW_TYPE_BINARY, "binary"));
  TRY(ArrowSchemaSetName(value, "statistic_value"));
  value->flags &= ~ARROW_FLAG_NULLABLE;
  return NANOARROW_OK;
}

static int set_statistic(struct ArrowSchema *schema) {
  TRY(ArrowSchemaSetTypeStruct(schema, 5));
  struct ArrowSchema **c = schema->children;
  TRY(lb_adbc_child_required(c[0], NANOARROW_TYPE_STRING, "table_name"));
  TRY(lb_adbc_child(c[1], NANOARROW_TYPE_STRING, "column_name"));
  TRY(lb_adbc_child_required(c[2], NANOARROW_TYPE_INT16, "statistic_key"));
  TRY(set_value(c[3]));
  return lb_adbc_child_required(c[4], NANOARROW_TYPE_BOOL, "statistic_is_approximate");
}

int lb_statistics_schema(struct ArrowSchema *out) {
  ArrowSchemaInit(out);
  TRY(ArrowSchemaSetTypeStruct(out, 2));
  TRY(lb_adbc_child(out->children[0], NANOARROW_TYPE_STRING, "catalog_name"));
  TRY(lb_adbc_child_required(out->children[1], NANOARROW_TYPE_LIST,
                             "catalog_db_schemas"));
  struct ArrowSchema *schemas = out->children[1]->children[0];
  TRY(ArrowSchemaSetTypeStruct(schemas, 2));
  TRY(lb_adbc_child(schemas->children[0], NANOARROW_TYPE_STRING, "db_schema_name"));
  TRY(lb_adbc_child_required(schemas->children[1], NANOARROW_TYPE_LIST,
                             "db_schema_statistics"));
  return set_statistic(schemas->children[1]->children[0]);
}

/* Rows. */

struct value {
  int16_t key;
  enum member member;
  int64_t integer;
  double number;
  struct lb_str bytes;
};

struct writer {
  struct lb_meta *meta;
  struct lb_str catalog;
  struct lb_str schema;
  struct lb_str table;
  struct ArrowArray *list; /* of the schema's statistics */
};

static int append_view(struct ArrowArray *array, struct lb_str text) {
  if (text.data == NULL) return ArrowArrayAppendNull(array, 1);
  struct ArrowStringView view = {text.data, (int64_t)text.len};
  return ArrowArrayAppendString(array, view);
}

/* What ANALYZE has counted is as old as that, so it is always approximate. */
static int append_value(const struct writer *w, struct lb_str column,
                        const struct value *value) {
  struct ArrowArray *row = w->list->children[0];
  struct ArrowArray *member = row->children[3]->children[value->member];
  TRY(append_view(row->children[0], w->table));
  TRY(append_view(row->children[1], column));
  TRY(ArrowArrayAppendInt(row->children[2], value->key));
  if (value->member == INT64) {
    TRY(ArrowArrayAppendInt(member, value->integer));
  } else if (value->member == FLOAT64) {
    TRY(ArrowArrayAppendDouble(member, value->number));
  } else {
    struct ArrowBufferView bytes = {{value->bytes.data}, (int64_t)value->bytes.len};
    TRY(ArrowArrayAppendBytes(member, bytes));
  }
  TRY(ArrowArrayFinishUnionElement(row->children[3], (int8_t)value->member));
  TRY(ArrowArrayAppendInt(row->children[4], 1));
  return ArrowArrayFinishElement(row);
}

static enum lb_status tell(const struct writer *w, struct lb_str column,
                           const struct value *value, struct lb_error *err) {
  if (append_value(w, column, value) == NANOARROW_OK) return LB_OK;
  return lb_error_oom(err, "the answer to GetStatistics");
}

void lb_statistics_parse(struct lb_str text, int64_t *bytes, int64_t *rows) {
  *bytes = *rows = -1;
  size_t comma = lb_str_find(text, LB_STR(","));
  struct lb_str parts[2] = {{text.data, LB_MIN(comma, text.len)}, {NULL, 0}};
  if (comma != SIZE_MAX) {
    parts[1] = (struct lb_str){text.data + comma + 1, text.len - comma - 1};
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(parts); i++) {
    struct lb_str part = lb_str_trim(parts[i]);
    size_t space = lb_str_find(part, LB_STR(" "));
    int64_t value;
    if (space == SIZE_MAX) continue;
    struct lb_str unit = {part.data + space + 1, part.len - space - 1};
    if (!lb_str_to_i64((struct lb_str){part.data, space}, &value) || value < 0) continue;
    if (lb_str_equal_nocase(unit, LB_STR("bytes"))) *bytes = value;
    if (lb_str_equal_nocase(unit, LB_STR("rows"))) *rows = value;
  }
}

/* A listed name may be one in whose place the server would read another: nothing is known
 * of such a table or column. */
static bool can_be_asked(const struct writer *w, struct lb_str column) {
  const struct lb_str names[] = {w->catalog, w->schema, w->table, column};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    if (lb_sql_check_name(names[i], "name", NULL) != LB_OK) return false;
  }
  return true;
}

static enum lb_status ask(const struct writer *w, struct lb_str column,
                          struct lb_result **out, struct lb_error *err) {
  struct lb_buf sql;
  lb_buf_init(&sql, LB_MEM_MISC, SQL_MAX_BYTES);
  lb_buf_append_text(&sql, "DESCRIBE TABLE EXTENDED ");
  const struct lb_str names[] = {w->catalog, w->schema, w->table};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    if (names[i].len == 0) continue;
    lb_sql_append_name(&sql, names[i]);
    if (i + 1 < LB_ARRAY_LEN(names)) lb_buf_append_u8(&sql, '.');
  }
  if (column.data != NULL) {
    lb_buf_append_u8(&sql, ' ');
    lb_sql_append_name(&sql, column);
  }
  enum lb_status status = lb_buf_check(&sql, "a question about statistics", err);
  struct lb_str text = {(const char *)sql.data, sql.len};
  if (status == LB_OK) status = lb_meta_query(w->meta, text, out, err);
  lb_buf_reset(&sql);
  return status;
}

static bool is_number(struct lb_str type, bool *integral) {
  static const struct lb_str whole[] = {LB_STR("tinyint"), LB_STR("smallint"),
                                        LB_STR("int"), LB_STR("bigint")};
  for (size_t i = 0; i < LB_ARRAY_LEN(whole); i++) {
    *integral = lb_str_equal_nocase(type, whole[i]);
    if (*integral) return true;
  }
  return lb_str_equal_nocase(type, LB_STR("float")) ||
         lb_str_equal_nocase(type, LB_STR("double"));
}

/* A line of a column's description: what it is called and which key that is. */
static bool value_of(struct lb_str name, struct lb_str text, struct lb_str type,
                     struct value *out) {
  static const struct {
    struct lb_str name;
    int16_t key;
    bool of_type; /* min and max have the column's own type */
  } lines[] = {
      {LB_STR("min"), ADBC_STATISTIC_MIN_VALUE_KEY, true},
      {LB_STR("max"), ADBC_STATISTIC_MAX_VALUE_KEY, true},
      {LB_STR("num_nulls"), ADBC_STATISTIC_NULL_COUNT_KEY, false},
      {LB_STR("distinct_count"), ADBC_STATISTIC_DISTINCT_COUNT_KEY, false},
      {LB_STR("avg_col_len"), ADBC_STATISTIC_AVERAGE_BYTE_WIDTH_KEY, false},
      {LB_STR("max_col_len"), ADBC_STATISTIC_MAX_BYTE_WIDTH_KEY, false},
  };
  if (text.data == NULL || lb_str_equal_nocase(text, LB_STR("NULL"))) return false;
  for (size_t i = 0; i < LB_ARRAY_LEN(lines); i++) {
    if (!lb_str_equal_nocase(name, lines[i].name)) continue;
    bool integral = false;
    bool number = !lines[i].of_type || is_number(type, &integral);
    *out = (struct value){.key = lines[i].key,
                          .member = !number    ? BINARY
                                    : integral ? INT64
                                               : FLOAT64,
                          .bytes = text};
    if (integral) return lb_str_to_i64(text, &out->integer);
    return !number || lb_str_to_double(text, &out->number);
  }
  return false;
}

/* The lines name, value; the type comes before the numbers. */
static enum lb_status read_column(const struct writer *w, struct lb_rows *rows,
                                  struct lb_str column, struct lb_error *err) {
  char type[64] = "";
  for (;;) {
    bool more;
    struct value value;
    LB_TRY(lb_rows_next(rows, &more, err));
    if (!more) return LB_OK;
    struct lb_str name = lb_rows_text(rows, 0), text = lb_rows_text(rows, 1);
    if (lb_str_equal_nocase(name, LB_STR("data_type"))) {
      lb_str_copy(type, sizeof(type), text);
    }
    if (!value_of(name, text, lb_str_from(type), &value)) continue;
    LB_TRY(tell(w, column, &value, err));
  }
}

static enum lb_status describe_column(const struct writer *w, struct lb_str column,
                                      struct lb_error *err) {
  struct lb_result *res = NULL;
  struct lb_rows rows;
  if (!can_be_asked(w, column)) return LB_OK;
  LB_TRY(ask(w, column, &res, err));
  enum lb_status status = lb_rows_init(&rows, res, 2, "DESCRIBE", err);
  if (status == LB_OK) status = read_column(w, &rows, column, err);
  lb_rows_reset(&rows);
  lb_meta_end(w->meta, res);
  return status;
}

/* Of the lines name, type, comment: columns until an empty or a headline, and later the
 * line of the statistics. The names go to names, each ended by a NUL. */
static enum lb_status read_table(struct lb_rows *rows, struct lb_buf *names,
                                 int64_t *bytes, int64_t *row_count,
                                 struct lb_error *err) {
  bool columns = true;
  *bytes = *row_count = -1;
  for (;;) {
    bool more;
    LB_TRY(lb_rows_next(rows, &more, err));
    if (!more) return lb_buf_check(names, "the columns of a table", err);
    struct lb_str name = lb_rows_text(rows, 0);
    if (name.len == 0 || name.data[0] == '#') columns = false;
    if (columns) {
      lb_buf_append_str(names, name);
      lb_buf_append_u8(names, 0);
    } else if (lb_str_equal(name, LB_STR("Statistics"))) {
      lb_statistics_parse(lb_rows_text(rows, 1), bytes, row_count);
    }
  }
}

static enum lb_status describe_table(const struct writer *w, struct lb_buf *names,
                                     int64_t *bytes, int64_t *row_count,
                                     struct lb_error *err) {
  struct lb_result *res = NULL;
  struct lb_rows rows;
  *bytes = *row_count = -1;
  if (!can_be_asked(w, (struct lb_str){NULL, 0})) return LB_OK;
  enum lb_status status = ask(w, (struct lb_str){NULL, 0}, &res, err);
  if (status != LB_OK && lb_adbc_says_missing(err)) {
    lb_error_reset(err); /* dropped since it was listed */
    return LB_OK;
  }
  if (status != LB_OK) return status;
  status = lb_rows_init(&rows, res, 2, "DESCRIBE", err);
  if (status == LB_OK) status = read_table(&rows, names, bytes, row_count, err);
  lb_rows_reset(&rows);
  lb_meta_end(w->meta, res);
  return status;
}

static enum lb_status add_table(const struct writer *w, struct lb_error *err) {
  const struct lb_str whole = {NULL, 0};
  struct lb_buf names;
  int64_t bytes, rows;
  lb_buf_init(&names, LB_MEM_MISC, 16u * 1024u * 1024u);
  enum lb_status status = describe_table(w, &names, &bytes, &rows, err);
  if (status == LB_OK && bytes >= 0) {
    const struct value value = {LB_STATISTIC_TABLE_BYTES_KEY, INT64, bytes, 0, {NULL, 0}};
    status = tell(w, whole, &value, err);
  }
  if (status == LB_OK && rows >= 0) {
    const struct value value = {
        ADBC_STATISTIC_ROW_COUNT_KEY, FLOAT64, 0, (double)rows, {NULL, 0}};
    status = tell(w, whole, &value, err);
  }
  /* Without a row count nobody has analyzed the columns either. */
  const char *end = (const char *)names.data + names.len;
  for (const char *at = (const char *)names.data;
       status == LB_OK && rows >= 0 && at < end; at += strlen(at) + 1) {
    status = describe_column(w, lb_str_from(at), err);
  }
  lb_buf_reset(&names);
  return status;
}

static enum lb_status add_schemas(struct writer *w, const struct lb_tree *tree,
                                  struct ArrowArray *schemas, struct lb_error *err) {
  for (const struct lb_tree_node *s = tree->root.first; s != NULL; s = s->next) {
    struct ArrowArray *row = schemas->children[0];
    w->schema = s->name;
    w->list = row->children[1];
    int64_t before = w->list->children[0]->length;
    for (const struct lb_tree_node *t = s->first; t != NULL; t = t->next) {
      w->table = t->name;
      LB_TRY(add_table(w, err));
    }
    if (w->list->children[0]->length == before) continue;
    if (append_view(row->children[0], s->name) != NANOARROW_OK ||
        ArrowArrayFinishElement(w->list) != NANOARROW_OK ||
        ArrowArrayFinishElement(row) != NANOARROW_OK) {
      return lb_error_oom(err, "the answer to GetStatistics");
    }
  }
  return LB_OK;
}

enum lb_status lb_statistics_append(struct lb_meta *meta, struct lb_str catalog,
                                    const struct lb_tree *tree, struct ArrowArray *array,
                                    struct lb_error *err) {
  const struct lb_catalog_facts *facts =
      &lb_server_facts(lb_session_kind(lb_meta_session(meta)))->catalog;
  struct writer w = {.meta = meta, .catalog = catalog};
  struct ArrowArray *schemas = array->children[1];
  if (!facts->statistics || tree->table_count == 0) return LB_OK;
  if (tree->table_count > TABLES_MAX) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "statistics are asked for table by table, and the filters let "
        "%lld tables of catalog '%.*s' through; narrow them to at most %d",
        (long long)tree->table_count, (int)LB_MIN(catalog.len, 128u), catalog.data,
        TABLES_MAX);
  }
  int64_t before = schemas->children[0]->length;
  LB_TRY(add_schemas(&w, tree, schemas, err));
  if (schemas->children[0]->length == before) return LB_OK;
  if (append_view(array->children[0], catalog) != NANOARROW_OK ||
      ArrowArrayFinishElement(schemas) != NANOARROW_OK ||
      ArrowArrayFinishElement(array) != NANOARROW_OK) {
    return lb_error_oom(err, "the answer to GetStatistics");
  }
  return LB_OK;
}
