/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/objects_array.h"

#include "adbc/metadata.h"

#define TRY NANOARROW_RETURN_NOT_OK

/* Schema. */

struct field {
  const char *name;
  enum ArrowType type;
  bool required;
};

static const struct field column_fields[] = {
    {"column_name", NANOARROW_TYPE_STRING, true},
    {"ordinal_position", NANOARROW_TYPE_INT32, false},
    {"remarks", NANOARROW_TYPE_STRING, false},
    {"xdbc_data_type", NANOARROW_TYPE_INT16, false},
    {"xdbc_type_name", NANOARROW_TYPE_STRING, false},
    {"xdbc_column_size", NANOARROW_TYPE_INT32, false},
    {"xdbc_decimal_digits", NANOARROW_TYPE_INT16, false},
    {"xdbc_num_prec_radix", NANOARROW_TYPE_INT16, false},
    {"xdbc_nullable", NANOARROW_TYPE_INT16, false},
    {"xdbc_column_def", NANOARROW_TYPE_STRING, false},
    {"xdbc_sql_data_type", NANOARROW_TYPE_INT16, false},
    {"xdbc_datetime_sub", NANOARROW_TYPE_INT16, false},
    {"xdbc_char_octet_length", NANOARROW_TYPE_INT32, false},
    {"xdbc_is_nullable", NANOARROW_TYPE_STRING, false},
    {"xdbc_scope_catalog", NANOARROW_TYPE_STRING, false},
    {"xdbc_scope_schema", NANOARROW_TYPE_STRING, false},
    {"xdbc_scope_table", NANOARROW_TYPE_STRING, false},
    {"xdbc_is_autoincrement", NANOARROW_TYPE_BOOL, false},
    {"xdbc_is_generatedcolumn", NANOARROW_TYPE_BOOL, false},
};
static const struct field usage_fields[] = {
    {"fk_catalog", NANOARROW_TYPE_STRING, false},
    {"fk_db_schema", NANOARROW_TYPE_STRING, false},
    {"fk_table", NANOARROW_TYPE_STRING, true},
    {"fk_column_name", NANOARROW_TYPE_STRING, true},
};

static int set_fields(struct ArrowSchema *schema, const struct field *fields,
                      int64_t count) {
  TRY(ArrowSchemaSetTypeStruct(schema, count));
  for (int64_t i = 0; i < count; i++) {
    struct ArrowSchema *child = schema->children[i];
    TRY(fields[i].required ? lb_adbc_child_required(child, fields[i].type, fields[i].name)
                           : lb_adbc_child(child, fields[i].type, fields[i].name));
  }
  return NANOARROW_OK;
}

static int set_constraint(struct ArrowSchema *schema) {
  TRY(ArrowSchemaSetTypeStruct(schema, 4));
  struct ArrowSchema **c = schema->children;
  TRY(lb_adbc_child(c[0], NANOARROW_TYPE_STRING, "constraint_name"));
  TRY(lb_adbc_child_required(c[1], NANOARROW_TYPE_STRING, "constraint_type"));
  TRY(lb_adbc_child_required(c[2], NANOARROW_TYPE_LIST, "constraint_column_names"));
  TRY(ArrowSchemaSetType(c[2]->children[0], NANOARROW_TYPE_STRING));
  TRY(lb_adbc_child(c[3], NANOARROW_TYPE_LIST, "constraint_column_usage"));
  return set_fields(c[3]->children[0], usage_fields, LB_ARRAY_LEN(usage_fields));
}

static int set_table(struct ArrowSchema *schema) {
  TRY(ArrowSchemaSetTypeStruct(schema, 4));
  struct ArrowSchema **c = schema->children;
  TRY(lb_adbc_child_required(c[0], NANOARROW_TYPE_STRING, "table_name"));
  TRY(lb_adbc_child_required(c[1], NANOARROW_TYPE_STRING, "table_type"));
  TRY(lb_adbc_child(c[2], NANOARROW_TYPE_LIST, "table_columns"));
  TRY(set_fields(c[2]->children[0], column_fields, LB_ARRAY_LEN(column_fields)));
  TRY(lb_adbc_child(c[3], NANOARROW_TYPE_LIST, "table_constraints"));
  return set_constraint(c[3]->children[0]);
}

int lb_objects_schema(struct ArrowSchema *out) {
  ArrowSchemaInit(out);
  TRY(ArrowSchemaSetTypeStruct(out, 2));
  TRY(lb_adbc_child(out->children[0], NANOARROW_TYPE_STRING, "catalog_name"));
  TRY(lb_adbc_child(out->children[1], NANOARROW_TYPE_LIST, "catalog_db_schemas"));
  struct ArrowSchema *schemas = out->children[1]->children[0];
  TRY(ArrowSchemaSetTypeStruct(schemas, 2));
  TRY(lb_adbc_child(schemas->children[0], NANOARROW_TYPE_STRING, "db_schema_name"));
  TRY(lb_adbc_child(schemas->children[1], NANOARROW_TYPE_LIST, "db_schema_tables"));
  return set_table(schemas->children[1]->children[0]);
}

/* Rows. */

static int append_text(struct ArrowArray *array, struct lb_str text) {
  if (text.data == NULL) return ArrowArrayAppendNull(array, 1);
  struct ArrowStringView view = {text.data, (int64_t)text.len};
  return ArrowArrayAppendString(array, view);
}

/* A text that may not be null. */
static int append_name(struct ArrowArray *array, struct lb_str text) {
  return append_text(array, text.data != NULL ? text : LB_STR(""));
}

/* Null too when it does not fit the field. */
static int append_number(struct ArrowArray *array, const struct lb_tree_column *column,
                         enum lb_tree_number number, int32_t limit) {
  int32_t value = column->numbers[number];
  bool told = (column->told >> number & 1u) != 0 && value <= limit && value >= -limit - 1;
  return told ? ArrowArrayAppendInt(array, value) : ArrowArrayAppendNull(array, 1);
}

static int append_column(struct ArrowArray *array, const struct lb_tree_column *column,
                         int64_t base) {
  struct ArrowArray **c = array->children;
  const int32_t small = INT16_MAX, large = INT32_MAX;
  bool placed = column->base.order >= 0 && column->base.order <= INT32_MAX - base;
  TRY(append_name(c[0], column->base.name));
  TRY(placed ? ArrowArrayAppendInt(c[1], column->base.order + base)
             : ArrowArrayAppendNull(c[1], 1));
  TRY(append_text(c[2], column->remarks));
  TRY(append_number(c[3], column, LB_TREE_DATA_TYPE, small));
  TRY(append_text(c[4], column->type_name));
  TRY(append_number(c[5], column, LB_TREE_SIZE, large));
  TRY(append_number(c[6], column, LB_TREE_DIGITS, small));
  TRY(append_number(c[7], column, LB_TREE_RADIX, small));
  TRY(append_number(c[8], column, LB_TREE_NULLABLE, small));
  TRY(append_text(c[9], column->def));
  TRY(append_number(c[10], column, LB_TREE_SQL_TYPE, small));
  TRY(append_number(c[11], column, LB_TREE_DATETIME_SUB, small));
  TRY(append_number(c[12], column, LB_TREE_OCTETS, large));
  TRY(append_text(c[13], column->is_nullable));
  for (int i = 14; i <= 16; i++) TRY(ArrowArrayAppendNull(c[i], 1)); /* no references */
  TRY(column->auto_increment < 0 ? ArrowArrayAppendNull(c[17], 1)
                                 : ArrowArrayAppendInt(c[17], column->auto_increment));
  TRY(ArrowArrayAppendNull(c[18], 1)); /* no server tells it */
  return ArrowArrayFinishElement(array);
}

static int append_usage(struct ArrowArray *list, const struct lb_tree_key *key) {
  struct ArrowArray *usage = list->children[0];
  for (struct lb_tree_node *n = key->base.first; n != NULL; n = n->next) {
    const struct lb_tree_key_column *column =
        LB_CONTAINER_OF(n, struct lb_tree_key_column, base);
    if (column->ref_table.data == NULL) continue;
    TRY(append_text(usage->children[0], column->ref_catalog));
    TRY(append_text(usage->children[1], column->ref_schema));
    TRY(append_name(usage->children[2], column->ref_table));
    TRY(append_name(usage->children[3], column->ref_column));
    TRY(ArrowArrayFinishElement(usage));
  }
  return ArrowArrayFinishElement(list);
}

static int append_key(struct ArrowArray *array, const struct lb_tree_key *key) {
  struct ArrowArray **c = array->children;
  TRY(append_text(c[0], key->base.name));
  TRY(append_name(c[1], key->type));
  for (struct lb_tree_node *n = key->base.first; n != NULL; n = n->next) {
    TRY(append_name(c[2]->children[0], n->name));
  }
  TRY(ArrowArrayFinishElement(c[2]));
  if (lb_str_equal(key->type, LB_STR("FOREIGN KEY"))) {
    TRY(append_usage(c[3], key));
  } else {
    TRY(ArrowArrayAppendNull(c[3], 1));
  }
  return ArrowArrayFinishElement(array);
}

static int append_table(struct ArrowArray *array, const struct lb_tree_table *table,
                        bool deep, int64_t base) {
  struct ArrowArray **c = array->children;
  TRY(append_name(c[0], table->base.name));
  TRY(append_name(c[1], table->type));
  if (!deep) {
    TRY(ArrowArrayAppendNull(c[2], 1));
    TRY(ArrowArrayAppendNull(c[3], 1));
    return ArrowArrayFinishElement(array);
  }
  for (struct lb_tree_node *n = table->base.first; n != NULL; n = n->next) {
    TRY(append_column(c[2]->children[0], LB_CONTAINER_OF(n, struct lb_tree_column, base),
                      base));
  }
  TRY(ArrowArrayFinishElement(c[2]));
  for (struct lb_tree_node *n = table->keys.first; n != NULL; n = n->next) {
    TRY(append_key(c[3]->children[0], LB_CONTAINER_OF(n, struct lb_tree_key, base)));
  }
  TRY(ArrowArrayFinishElement(c[3]));
  return ArrowArrayFinishElement(array);
}

static int append_schema(struct ArrowArray *array, const struct lb_tree_node *schema,
                         int depth, int64_t base) {
  struct ArrowArray *tables = array->children[1];
  TRY(append_text(array->children[0], schema->name));
  if (depth == 2) {
    TRY(ArrowArrayAppendNull(tables, 1));
    return ArrowArrayFinishElement(array);
  }
  for (struct lb_tree_node *n = schema->first; n != NULL; n = n->next) {
    TRY(append_table(tables->children[0], LB_CONTAINER_OF(n, struct lb_tree_table, base),
                     depth == 0, base));
  }
  TRY(ArrowArrayFinishElement(tables));
  return ArrowArrayFinishElement(array);
}

int lb_objects_append(struct ArrowArray *array, struct lb_str catalog,
                      const struct lb_tree *tree, int depth) {
  struct ArrowArray *schemas = array->children[1];
  TRY(append_text(array->children[0], catalog));
  if (depth == 1 || tree == NULL) {
    TRY(ArrowArrayAppendNull(schemas, 1));
    return ArrowArrayFinishElement(array);
  }
  /* ADBC counts columns from 1. */
  int64_t base = tree->counts_from_0 ? 1 : 0;
  for (struct lb_tree_node *n = tree->root.first; n != NULL; n = n->next) {
    TRY(append_schema(schemas->children[0], n, depth, base));
  }
  TRY(ArrowArrayFinishElement(schemas));
  return ArrowArrayFinishElement(array);
}
