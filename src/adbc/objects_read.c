/* SPDX-License-Identifier: Apache-2.0 */
/* A catalog in at most four questions, however many tables it has:
 *  1. GetSchemas, with the schema's pattern.
 *  2. GetTables, with the patterns and the types. A table whose schema was not named (it
 *     is a temporary view, or new) brings its schema along.
 *  3. GetColumns, with the patterns of schema and table. Not of the column: which column
 *     is the first, 0 or 1, is seen only when all are there.
 *  4. One query over information_schema for all keys, where there is one. Keys that
 *     refer to another catalog are not resolved there; for their tables alone
 *     GetCrossReference is asked. */
#include "adbc/objects_read.h"

#include "adbc/metadata.h"
#include "adbc/name_filter.h"
#include "result/rows.h"
#include "session/sql_text.h"

#define SQL_MAX_BYTES (64u * 1024u)

struct reader {
  struct lb_meta *meta;
  const struct lb_catalog_facts *facts;
  struct lb_str catalog;
  const struct lb_objects_filter *filter;
  struct lb_tree *tree;
};

typedef enum lb_status take_row(struct reader *r, const struct lb_rows *rows,
                                struct lb_error *err);

/* Every row of an answer of at least columns columns goes to take. */
static enum lb_status each_row(struct reader *r, struct lb_result *res_own, int columns,
                               const char *what, take_row *take, struct lb_error *err) {
  struct lb_rows rows;
  enum lb_status status = lb_rows_init(&rows, res_own, columns, what, err);
  bool more = true;
  while (status == LB_OK && more) {
    status = lb_rows_next(&rows, &more, err);
    if (status == LB_OK && more) status = take(r, &rows, err);
  }
  lb_rows_reset(&rows);
  lb_meta_end(r->meta, res_own);
  return status;
}

static enum lb_status call(struct reader *r, enum lb_catalog_call which, int columns,
                           const char *what, take_row *take, struct lb_error *err) {
  struct lb_catalog_params params = {
      .call = which,
      .schema = r->filter->schema_pattern,
      .table = r->filter->table_pattern,
  };
  if (r->facts->catalogs) params.catalog = r->catalog;
  if (which == LB_CATALOG_TABLES) {
    params.table_types = r->filter->types;
    params.table_type_count = r->filter->type_count;
  }
  struct lb_result *res = NULL;
  LB_TRY(lb_meta_call(r->meta, &params, &res, err));
  return each_row(r, res, columns, what, take, err);
}

/* Some servers take the name for a pattern. */
static bool of_catalog(const struct reader *r, struct lb_str name) {
  return !r->facts->catalogs || name.len == 0 || lb_str_equal_nocase(name, r->catalog);
}

/* A name that is empty is none. */
static struct lb_str name_of(const struct lb_rows *rows, int column) {
  struct lb_str name = lb_rows_text(rows, column);
  return name.len > 0 ? name : (struct lb_str){NULL, 0};
}

static enum lb_status take_schema(struct reader *r, const struct lb_rows *rows,
                                  struct lb_error *err) {
  struct lb_tree_node *schema;
  struct lb_str name = name_of(rows, 0);
  if (!of_catalog(r, lb_rows_text(rows, 1))) return LB_OK;
  if (!lb_name_matches(r->filter->schema, name)) return LB_OK;
  return lb_tree_schema(r->tree, name, &schema, err);
}

static bool type_wanted(const struct lb_objects_filter *filter, struct lb_str type) {
  if (filter->any_type) return true;
  for (int32_t i = 0; i < filter->type_count; i++) {
    if (lb_str_equal_nocase(filter->types[i], type)) return true;
  }
  return false;
}

static enum lb_status take_table(struct reader *r, const struct lb_rows *rows,
                                 struct lb_error *err) {
  struct lb_str schema_name = name_of(rows, 1), name = name_of(rows, 2);
  struct lb_str type = name_of(rows, 3);
  if (type.data == NULL) type = LB_STR("TABLE");
  if (!of_catalog(r, lb_rows_text(rows, 0))) return LB_OK;
  if (!lb_name_matches(r->filter->schema, schema_name)) return LB_OK;
  if (!lb_name_matches(r->filter->table, name) || name.data == NULL) return LB_OK;
  if (!type_wanted(r->filter, type)) return LB_OK;
  struct lb_tree_node *schema;
  LB_TRY(lb_tree_schema(r->tree, schema_name, &schema, err));
  return lb_tree_table(r->tree, schema, name, type, err);
}

static void take_number(const struct lb_rows *rows, int at, struct lb_tree_column *column,
                        enum lb_tree_number number) {
  int64_t value;
  if (!lb_rows_int(rows, at, &value)) return;
  if (value < INT32_MIN || value > INT32_MAX) return;
  column->numbers[number] = (int32_t)value;
  column->told |= (uint8_t)(1u << number);
}

/* DECIMAL(10,2), CHAR(3): servers tell the storage size or nothing in the numbers. */
static void size_from_name(struct lb_tree_column *column) {
  struct lb_str name = column->type_name;
  size_t open = lb_str_find(name, LB_STR("("));
  if (open == SIZE_MAX || name.data[name.len - 1] != ')') return;
  bool decimal = lb_str_starts_with_nocase(name, LB_STR("DECIMAL("));
  bool text = lb_str_starts_with_nocase(name, LB_STR("CHAR(")) ||
              lb_str_starts_with_nocase(name, LB_STR("VARCHAR("));
  struct lb_str inner = {name.data + open + 1, name.len - open - 2};
  size_t comma = lb_str_find(inner, LB_STR(","));
  struct lb_str first = {inner.data, LB_MIN(comma, inner.len)};
  int64_t size, digits = 0;
  if (!(decimal || text) || !lb_str_to_i64(lb_str_trim(first), &size)) return;
  if (size < 0 || size > INT32_MAX) return;
  column->numbers[LB_TREE_SIZE] = (int32_t)size;
  column->told |= 1u << LB_TREE_SIZE;
  if (!decimal) return;
  if (comma != SIZE_MAX) {
    struct lb_str second = {inner.data + comma + 1, inner.len - comma - 1};
    if (!lb_str_to_i64(lb_str_trim(second), &digits)) return;
  }
  if (digits < 0 || digits > size) return;
  column->numbers[LB_TREE_DIGITS] = (int32_t)digits;
  column->told |= 1u << LB_TREE_DIGITS;
}

static enum lb_status take_column(struct reader *r, const struct lb_rows *rows,
                                  struct lb_error *err) {
  static const int places[LB_TREE_NUMBER_COUNT] = {
      [LB_TREE_DATA_TYPE] = 4,     [LB_TREE_SIZE] = 6,      [LB_TREE_DIGITS] = 8,
      [LB_TREE_RADIX] = 9,         [LB_TREE_NULLABLE] = 10, [LB_TREE_SQL_TYPE] = 13,
      [LB_TREE_DATETIME_SUB] = 14, [LB_TREE_OCTETS] = 15,
  };
  if (!of_catalog(r, lb_rows_text(rows, 0))) return LB_OK;
  struct lb_tree_table *table =
      lb_tree_find(r->tree, name_of(rows, 1), lb_rows_text(rows, 2));
  if (table == NULL) return LB_OK;
  struct lb_tree_column column = {
      .base.name = lb_rows_text(rows, 3),
      .type_name = lb_rows_text(rows, 5),
      .remarks = lb_rows_text(rows, 11),
      .def = lb_rows_text(rows, 12),
      .is_nullable = lb_rows_text(rows, 17),
      .auto_increment = -1,
  };
  for (int n = 0; n < LB_TREE_NUMBER_COUNT; n++) {
    take_number(rows, places[n], &column, (enum lb_tree_number)n);
  }
  size_from_name(&column);
  if (!lb_rows_int(rows, 16, &column.base.order)) column.base.order = -1;
  if (column.base.order == 0) r->tree->counts_from_0 = true;
  struct lb_str automatic = lb_rows_text(rows, 22);
  if (automatic.len > 0) {
    column.auto_increment = lb_str_equal_nocase(automatic, LB_STR("YES"));
  }
  if (!lb_name_matches(r->filter->column, column.base.name)) return LB_OK;
  return lb_tree_add_column(r->tree, table, &column, err);
}

/* Keys. */

static void append_like(struct lb_buf *sql, const char *column, struct lb_str pattern) {
  if (pattern.data == NULL) return;
  lb_buf_appendf(sql, " AND lower(t.%s) LIKE ", column);
  lb_sql_append_text(sql, pattern);
}

static void write_key_query(const struct reader *r, struct lb_buf *sql) {
  static const char *const views[] = {
      "table_constraints t JOIN ",
      "key_column_usage k ON k.constraint_schema = t.constraint_schema AND "
      "k.constraint_name = t.constraint_name AND k.table_name = t.table_name LEFT JOIN ",
      "referential_constraints r ON r.constraint_schema = t.constraint_schema AND "
      "r.constraint_name = t.constraint_name AND t.constraint_type = 'FOREIGN KEY' "
      "LEFT JOIN ",
      "key_column_usage u ON u.constraint_catalog = r.unique_constraint_catalog AND "
      "u.constraint_schema = r.unique_constraint_schema AND u.constraint_name = "
      "r.unique_constraint_name AND u.ordinal_position = "
      "k.position_in_unique_constraint",
  };
  lb_buf_append_text(
      sql, "SELECT t.table_schema, t.table_name, t.constraint_name, "
           "t.constraint_type, k.column_name, k.ordinal_position, "
           "u.table_catalog, u.table_schema, u.table_name, u.column_name FROM ");
  for (size_t i = 0; i < LB_ARRAY_LEN(views); i++) {
    lb_sql_append_name(sql, r->catalog);
    lb_buf_append_text(sql, ".information_schema.");
    lb_buf_append_text(sql, views[i]);
  }
  lb_buf_append_text(sql, " WHERE t.constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')");
  append_like(sql, "table_schema", r->filter->schema_pattern);
  append_like(sql, "table_name", r->filter->table_pattern);
}

static enum lb_status take_key(struct reader *r, const struct lb_rows *rows,
                               struct lb_error *err) {
  struct lb_tree_table *table =
      lb_tree_find(r->tree, name_of(rows, 0), lb_rows_text(rows, 1));
  struct lb_tree_key_column column = {
      .base.name = lb_rows_text(rows, 4),
      .ref_catalog = lb_rows_text(rows, 6),
      .ref_schema = lb_rows_text(rows, 7),
      .ref_table = lb_rows_text(rows, 8),
      .ref_column = lb_rows_text(rows, 9),
  };
  if (table == NULL || column.base.name.data == NULL) return LB_OK;
  if (!lb_rows_int(rows, 5, &column.base.order)) column.base.order = 0;
  return lb_tree_add_key(r->tree, table, lb_rows_text(rows, 2), lb_rows_text(rows, 3),
                         &column, err);
}

/* A row of GetCrossReference fills in what a column of a foreign key refers to. */
static enum lb_status take_reference(struct reader *r, const struct lb_rows *rows,
                                     struct lb_error *err) {
  struct lb_tree_table *table =
      lb_tree_find(r->tree, name_of(rows, 5), lb_rows_text(rows, 6));
  struct lb_str column = lb_rows_text(rows, 7), name = lb_rows_text(rows, 11);
  const struct lb_tree_key_column told = {.ref_catalog = lb_rows_text(rows, 0),
                                          .ref_schema = lb_rows_text(rows, 1),
                                          .ref_table = lb_rows_text(rows, 2),
                                          .ref_column = lb_rows_text(rows, 3)};
  if (table == NULL) return LB_OK;
  for (struct lb_tree_node *k = table->keys.first; k != NULL; k = k->next) {
    if (!lb_str_equal_nocase(k->name, name)) continue;
    for (struct lb_tree_node *c = k->first; c != NULL; c = c->next) {
      if (!lb_str_equal_nocase(c->name, column)) continue;
      LB_TRY(lb_tree_set_reference(
          r->tree, LB_CONTAINER_OF(c, struct lb_tree_key_column, base), &told, err));
    }
  }
  return LB_OK;
}

static bool unresolved(const struct lb_tree_table *table) {
  for (struct lb_tree_node *k = table->keys.first; k != NULL; k = k->next) {
    const struct lb_tree_key *key = LB_CONTAINER_OF(k, struct lb_tree_key, base);
    if (!lb_str_equal(key->type, LB_STR("FOREIGN KEY"))) continue;
    for (struct lb_tree_node *c = k->first; c != NULL; c = c->next) {
      if (LB_CONTAINER_OF(c, struct lb_tree_key_column, base)->ref_table.data == NULL) {
        return true;
      }
    }
  }
  return false;
}

static enum lb_status resolve(struct reader *r, struct lb_str schema, struct lb_str table,
                              struct lb_error *err) {
  struct lb_catalog_params params = {.call = LB_CATALOG_CROSS_REFERENCE,
                                     .catalog = r->catalog,
                                     .schema = schema,
                                     .table = table};
  struct lb_result *res = NULL;
  LB_TRY(lb_meta_call(r->meta, &params, &res, err));
  return each_row(r, res, 12, "GetCrossReference", take_reference, err);
}

static enum lb_status read_keys(struct reader *r, struct lb_error *err) {
  struct lb_buf sql;
  struct lb_result *res = NULL;
  /* The question cannot be put. */
  if (lb_sql_check_name(r->catalog, "catalog", NULL) != LB_OK) return LB_OK;
  lb_buf_init(&sql, LB_MEM_MISC, SQL_MAX_BYTES);
  write_key_query(r, &sql);
  enum lb_status status = lb_buf_check(&sql, "a question about keys", err);
  struct lb_str text = {(const char *)sql.data, sql.len};
  if (status == LB_OK) status = lb_meta_query(r->meta, text, &res, err);
  lb_buf_reset(&sql);
  if (status != LB_OK && lb_adbc_says_missing(err)) {
    lb_error_reset(err); /* a catalog of the old kind has no keys */
    return LB_OK;
  }
  if (status != LB_OK) return status;
  LB_TRY(each_row(r, res, 10, "information_schema", take_key, err));
  for (struct lb_tree_node *s = r->tree->root.first; s != NULL; s = s->next) {
    for (struct lb_tree_node *t = s->first; t != NULL; t = t->next) {
      if (!unresolved(LB_CONTAINER_OF(t, struct lb_tree_table, base))) continue;
      LB_TRY(resolve(r, s->name, t->name, err));
    }
  }
  return LB_OK;
}

enum lb_status lb_objects_read(struct lb_meta *meta, struct lb_str name, int depth,
                               const struct lb_objects_filter *filter,
                               struct lb_tree *tree, struct lb_error *err) {
  struct reader r = {
      .meta = meta,
      .facts = &lb_server_facts(lb_session_kind(lb_meta_session(meta)))->catalog,
      .catalog = name,
      .filter = filter,
      .tree = tree,
  };
  /* Where there are catalogs nothing is without a schema. */
  bool nameless = filter->schema != NULL && filter->schema[0] == '\0';
  if (nameless && r.facts->catalogs) return LB_OK;
  if (!nameless) {
    LB_TRY(call(&r, LB_CATALOG_SCHEMAS, 2, "GetSchemas", take_schema, err));
  }
  bool none = !filter->any_type && filter->type_count == 0;
  if (depth != 2 && !none) {
    LB_TRY(call(&r, LB_CATALOG_TABLES, 4, "GetTables", take_table, err));
  }
  if (depth == 0 && tree->table_count > 0) {
    LB_TRY(call(&r, LB_CATALOG_COLUMNS, 17, "GetColumns", take_column, err));
    if (r.facts->keys) LB_TRY(read_keys(&r, err));
  }
  lb_tree_sort(tree);
  return LB_OK;
}
