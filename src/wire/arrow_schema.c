/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "wire/arrow_decode.h"
#include "wire/arrow_message.h"

#define SPARK_TYPE_NAME_KEY "Spark:DataType:SqlName"
#define RUST_TYPE_NAME_KEY "databricks.type_name"
#define TYPE_NAME_MAX_BYTES 64
#define MONTHS_FORMAT "tiM"
#define MONTH_DAY_NANO_FORMAT "tin"
#define DECIMAL_MAX_PRECISION 38
/* What Hive means by DECIMAL without qualifiers. */
#define DECIMAL_DEFAULT_PRECISION 10
#define DECIMAL_DEFAULT_SCALE 0
/* Tens of thousands of columns with long type names; a ceiling, not an expectation. */
#define NAMES_MAX_BYTES ((size_t)64 << 20)

struct type_row {
  int32_t id; /* TTypeId */
  const char *sql;
  enum ArrowType arrow;
};
static const struct type_row types[] = {
#define LB_SQL_TYPE_ROW(id_, sql_, arrow_, arrow_text_, column_text_, note_) \
  {LB_T_TYPE_##id_, sql_, NANOARROW_TYPE_##arrow_},
#include "wire/types.def"
};

/* What stands before the parameters of a type: "DECIMAL" of "DECIMAL(p,s)". */
static struct lb_str bare_name(const char *sql) {
  return (struct lb_str){sql, strcspn(sql, "(<")};
}

static const struct type_row *type_row(int32_t type_id) {
  /* A type that is newer than this list travels as text, as all the recent ones do. */
  static const struct type_row unknown = {-1, "STRING", NANOARROW_TYPE_STRING};
  for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
    if (types[i].id == type_id) return &types[i];
  }
  return &unknown;
}

void lb_result_schema_init(struct lb_result_schema *schema) {
  *schema = (struct lb_result_schema){.column_count = 0};
  lb_arena_init(&schema->arena, LB_MEM_WIRE, NAMES_MAX_BYTES);
}

void lb_result_schema_reset(struct lb_result_schema *schema) {
  if (schema->arrow.release != NULL) ArrowSchemaRelease(&schema->arrow);
  if (schema->sent.release != NULL) ArrowSchemaRelease(&schema->sent);
  lb_zone_destroy(schema->zone);
  lb_arena_reset(&schema->arena);
  lb_result_schema_init(schema);
}

/* nanoarrow fails here for want of memory, or for a format that we made wrong. */
static enum lb_status schema_error(int code, struct lb_error *err) {
  if (code == ENOMEM) return lb_error_oom(err, "the schema");
  return lb_error_set(err, LB_INTERNAL, "building the Arrow schema failed with errno %d",
                      code);
}

static enum lb_status alloc_columns(struct lb_result_schema *out, int64_t count,
                                    struct lb_error *err) {
  out->columns = lb_arena_array(&out->arena, (size_t)count, sizeof(struct lb_sql_column));
  if (out->columns == NULL) return lb_error_oom(err, "the schema");
  for (int64_t i = 0; i < count; i++) {
    out->columns[i] = (struct lb_sql_column){.name = "",
                                             .type_name = "",
                                             .type_id = -1,
                                             .precision = -1,
                                             .scale = -1,
                                             .length = -1};
  }
  out->column_count = (int32_t)count;
  return LB_OK;
}

/* The value of an integer qualifier; fallback when it is not there. */
static int32_t qualifier(const struct lb_t_primitive_type_entry *entry, const char *key,
                         int32_t fallback) {
  if (entry->type_qualifiers == NULL) return fallback;
  const struct lb_t_map *map = &entry->type_qualifiers->qualifiers;
  const struct lb_t_type_qualifier_value *values = map->values;
  for (int32_t i = 0; i < map->count; i++) {
    if (!lb_str_equal(map->keys[i], lb_str_from(key))) continue;
    if (values[i].i32_value.set) return values[i].i32_value.v;
    int64_t number;
    if (lb_str_to_i64(values[i].string_value, &number) && number >= INT32_MIN &&
        number <= INT32_MAX) {
      return (int32_t)number;
    }
  }
  return fallback;
}

static enum lb_status describe_primitive(const struct lb_t_primitive_type_entry *entry,
                                         struct lb_sql_column *col,
                                         struct lb_error *err) {
  col->type_id = entry->type.set ? entry->type.v : -1;
  if (col->type_id == LB_T_TYPE_CHAR || col->type_id == LB_T_TYPE_VARCHAR) {
    col->length = qualifier(entry, "characterMaximumLength", -1);
  }
  if (col->type_id != LB_T_TYPE_DECIMAL) return LB_OK;
  col->precision = qualifier(entry, "precision", DECIMAL_DEFAULT_PRECISION);
  col->scale = qualifier(entry, "scale", DECIMAL_DEFAULT_SCALE);
  if (col->precision < 1 || col->precision > DECIMAL_MAX_PRECISION || col->scale < 0 ||
      col->scale > col->precision) {
    return lb_error_set(err, LB_PROTOCOL,
                        "column \"%.64s\" is described as DECIMAL(%" PRId32 ",%" PRId32
                        "), which does not exist",
                        col->name, col->precision, col->scale);
  }
  return LB_OK;
}

/* Entry 0 is the root of the tree of types. */
static enum lb_status describe_type(const struct lb_t_type_desc *desc,
                                    struct lb_sql_column *col, struct lb_error *err) {
  if (desc == NULL || desc->types.count < 1) return LB_OK;
  const struct lb_t_type_entry *root = desc->types.items;
  if (root->primitive_entry != NULL) {
    return describe_primitive(root->primitive_entry, col, err);
  }
  if (root->array_entry != NULL) col->type_id = LB_T_TYPE_ARRAY;
  if (root->map_entry != NULL) col->type_id = LB_T_TYPE_MAP;
  if (root->struct_entry != NULL) col->type_id = LB_T_TYPE_STRUCT;
  if (root->union_entry != NULL) col->type_id = LB_T_TYPE_UNION;
  if (root->user_defined_type_entry != NULL) col->type_id = LB_T_TYPE_USER_DEFINED;
  return LB_OK;
}

static enum lb_status copy_text(struct lb_arena *arena, struct lb_str text,
                                const char **out, struct lb_error *err) {
  char *copy = lb_arena_strdup(arena, text);
  if (copy == NULL) return lb_error_oom(err, "the schema");
  lb_utf8_clean(copy, text.len);
  *out = copy;
  return LB_OK;
}

static enum lb_status name_type(struct lb_arena *arena, struct lb_sql_column *col,
                                struct lb_error *err) {
  char text[TYPE_NAME_MAX_BYTES];
  struct lb_str sql = bare_name(type_row(col->type_id)->sql);
  int len = (int)sql.len;
  if (col->type_id == LB_T_TYPE_DECIMAL) {
    snprintf(text, sizeof(text), "%.*s(%" PRId32 ",%" PRId32 ")", len, sql.data,
             col->precision, col->scale);
  } else if (col->length >= 0) {
    snprintf(text, sizeof(text), "%.*s(%" PRId32 ")", len, sql.data, col->length);
  } else {
    snprintf(text, sizeof(text), "%.*s", len, sql.data);
  }
  return copy_text(arena, lb_str_from(text), &col->type_name, err);
}

/* What the column descriptor says of a column. */
static enum lb_status describe(const struct lb_t_column_desc *desc,
                               struct lb_arena *arena, struct lb_sql_column *col,
                               struct lb_error *err) {
  LB_TRY(copy_text(arena, desc->column_name, &col->name, err));
  LB_TRY(describe_type(desc->type_desc, col, err));
  return name_type(arena, col, err);
}

static int set_field(struct ArrowSchema *field, const struct lb_sql_column *col) {
  enum ArrowType type = type_row(col->type_id)->arrow;
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetName(field, col->name));
  if (type == NANOARROW_TYPE_DECIMAL128) {
    return ArrowSchemaSetTypeDecimal(field, type, col->precision, col->scale);
  }
  if (type == NANOARROW_TYPE_TIMESTAMP || type == NANOARROW_TYPE_DURATION) {
    return ArrowSchemaSetTypeDateTime(field, type, NANOARROW_TIME_UNIT_MICRO, NULL);
  }
  return ArrowSchemaSetType(field, type);
}

/* Adds the SQL type name to what the server has said of the field, under the server's own
 * key, which servers leave out at times, and under that of the vendor's Rust driver. */
static int add_type_name(struct ArrowSchema *field, const char *type_name) {
  struct ArrowBuffer pairs;
  int code = ArrowMetadataBuilderInit(&pairs, field->metadata);
  static const char *const keys[] = {SPARK_TYPE_NAME_KEY, RUST_TYPE_NAME_KEY};
  for (size_t i = 0; i < LB_ARRAY_LEN(keys) && code == NANOARROW_OK; i++) {
    code =
        ArrowMetadataBuilderSet(&pairs, ArrowCharView(keys[i]), ArrowCharView(type_name));
  }
  if (code == NANOARROW_OK) {
    code = ArrowSchemaSetMetadata(field, (const char *)pairs.data);
  }
  ArrowBufferReset(&pairs);
  return code;
}

static enum lb_status add_type_names(struct lb_result_schema *out, struct lb_error *err) {
  for (int32_t i = 0; i < out->column_count; i++) {
    if (out->columns[i].type_name[0] == '\0') continue;
    int code = add_type_name(out->arrow.children[i], out->columns[i].type_name);
    if (code != NANOARROW_OK) return schema_error(code, err);
  }
  return LB_OK;
}

/* Arrow fields from column descriptions. */
static enum lb_status build_fields(struct lb_result_schema *out, struct lb_error *err) {
  ArrowSchemaInit(&out->arrow);
  int code = ArrowSchemaSetTypeStruct(&out->arrow, out->column_count);
  out->arrow.flags = 0;
  for (int32_t i = 0; code == NANOARROW_OK && i < out->column_count; i++) {
    code = set_field(out->arrow.children[i], &out->columns[i]);
  }
  if (code != NANOARROW_OK) return schema_error(code, err);
  return add_type_names(out, err);
}

static enum lb_status from_table(const struct lb_t_table_schema *table,
                                 struct lb_result_schema *out, struct lb_error *err) {
  out->from_columns = true;
  const struct lb_t_column_desc *descs = table->columns.items;
  LB_TRY(alloc_columns(out, table->columns.count, err));
  for (int32_t i = 0; i < out->column_count; i++) {
    LB_TRY(describe(&descs[i], &out->arena, &out->columns[i], err));
  }
  return build_fields(out, err);
}

/* The SQL type of an Arrow field of which no descriptor speaks. */
static void guess_type(const struct ArrowSchema *field, struct lb_sql_column *col) {
  struct ArrowSchemaView view;
  if (ArrowSchemaViewInit(&view, field, NULL) != NANOARROW_OK) return;
  if (view.type == NANOARROW_TYPE_DECIMAL128) {
    col->precision = view.decimal_precision;
    col->scale = view.decimal_scale;
  }
  if (col->type_id >= 0) return;
  for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
    if (types[i].arrow != view.type) continue;
    col->type_id = types[i].id;
    return;
  }
  if (view.type == NANOARROW_TYPE_INTERVAL_MONTHS) {
    col->type_id = LB_T_TYPE_INTERVAL_YEAR_MONTH;
  }
  if (view.type == NANOARROW_TYPE_LIST) col->type_id = LB_T_TYPE_ARRAY;
  if (view.type == NANOARROW_TYPE_MAP) col->type_id = LB_T_TYPE_MAP;
  if (view.type == NANOARROW_TYPE_STRUCT) col->type_id = LB_T_TYPE_STRUCT;
}

static enum lb_status describe_field(const struct ArrowSchema *field,
                                     struct lb_arena *arena, struct lb_sql_column *col,
                                     struct lb_error *err) {
  struct ArrowStringView spark = {NULL, 0};
  LB_TRY(copy_text(arena, lb_str_from(field->name), &col->name, err));
  guess_type(field, col);
  int code =
      ArrowMetadataGetValue(field->metadata, ArrowCharView(SPARK_TYPE_NAME_KEY), &spark);
  if (code == NANOARROW_OK && spark.data != NULL) {
    struct lb_str text = {spark.data, (size_t)spark.size_bytes};
    return copy_text(arena, text, &col->type_name, err);
  }
  return col->type_id < 0 ? LB_OK : name_type(arena, col, err);
}

/* The message must be aligned and is therefore copied; the arena frees the copy. */
static enum lb_status read_message(struct lb_str bytes, struct lb_arena *arena,
                                   struct ArrowSchema *out, struct lb_error *err) {
  struct lb_arrow_message message;
  size_t pos = 0;
  uint8_t *copy = lb_arena_alloc(arena, bytes.len);
  if (copy == NULL) return lb_error_oom(err, "the Arrow schema");
  memcpy(copy, bytes.data, bytes.len);
  LB_TRY(lb_arrow_message_next(copy, bytes.len, &pos, &message, err));
  if (message.kind != LB_ARROW_MESSAGE_SCHEMA) {
    return lb_error_set(err, LB_PROTOCOL, "arrowSchema does not hold an Arrow schema");
  }
  return lb_arrow_message_schema(&message, out, err);
}

static bool has_months(const struct ArrowSchema *schema) {
  if (strcmp(schema->format, MONTHS_FORMAT) == 0) return true;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (has_months(schema->children[i])) return true;
  }
  return false;
}

static int widen_months(struct ArrowSchema *schema) {
  if (strcmp(schema->format, MONTHS_FORMAT) == 0) {
    NANOARROW_RETURN_NOT_OK(ArrowSchemaSetFormat(schema, MONTH_DAY_NANO_FORMAT));
  }
  for (int64_t i = 0; i < schema->n_children; i++) {
    NANOARROW_RETURN_NOT_OK(widen_months(schema->children[i]));
  }
  return NANOARROW_OK;
}

/* Months become the interval that Arrow's implementations can all read; `sent` stays what
 * the batches are. */
static enum lb_status replace_months(struct lb_result_schema *out, struct lb_error *err) {
  if (!has_months(&out->arrow)) return LB_OK;
  int code = ArrowSchemaDeepCopy(&out->arrow, &out->sent);
  if (code == NANOARROW_OK) code = widen_months(&out->arrow);
  return code == NANOARROW_OK ? LB_OK : schema_error(code, err);
}

bool lb_result_schema_wants_zone(const struct lb_result_schema *schema, bool instants) {
  if (!schema->from_columns) return false;
  for (int32_t i = 0; i < schema->column_count; i++) {
    int32_t id = schema->columns[i].type_id;
    if (id == LB_T_TYPE_TIMESTAMP_LOCAL_TZ) return true;
    if (instants && id == LB_T_TYPE_TIMESTAMP) return true;
  }
  return false;
}

enum lb_status lb_result_schema_set_zone(struct lb_result_schema *schema, bool instants,
                                         struct lb_zone *zone_own, struct lb_error *err) {
  lb_zone_destroy(schema->zone);
  schema->zone = zone_own;
  for (int32_t i = 0; i < schema->column_count; i++) {
    int32_t id = schema->columns[i].type_id;
    bool local = id == LB_T_TYPE_TIMESTAMP_LOCAL_TZ;
    if (!local && !(instants && id == LB_T_TYPE_TIMESTAMP)) continue;
    int code =
        ArrowSchemaSetTypeDateTime(schema->arrow.children[i], NANOARROW_TYPE_TIMESTAMP,
                                   NANOARROW_TIME_UNIT_MICRO, lb_zone_name(zone_own));
    if (code != NANOARROW_OK) return schema_error(code, err);
  }
  return LB_OK;
}

static enum lb_status from_arrow(const struct lb_t_get_result_set_metadata_resp *meta,
                                 struct lb_result_schema *out, struct lb_error *err) {
  LB_TRY(read_message(meta->arrow_schema, &out->arena, &out->arrow, err));
  LB_TRY(alloc_columns(out, out->arrow.n_children, err));
  const struct lb_t_table_schema *table = meta->schema;
  /* For DDL the descriptors have a column `Result` which the Arrow schema has not. */
  bool described = table != NULL && table->columns.count == out->column_count;
  for (int32_t i = 0; i < out->column_count; i++) {
    const struct lb_t_column_desc *descs = described ? table->columns.items : NULL;
    if (descs != NULL) LB_TRY(describe(&descs[i], &out->arena, &out->columns[i], err));
    LB_TRY(describe_field(out->arrow.children[i], &out->arena, &out->columns[i], err));
  }
  LB_TRY(replace_months(out, err));
  return add_type_names(out, err);
}

/* Build aside, publish last: out is reset only once the new schema is whole. */
static enum lb_status publish(enum lb_status status, struct lb_result_schema *built,
                              struct lb_result_schema *out) {
  if (status != LB_OK) {
    lb_result_schema_reset(built);
    return status;
  }
  lb_result_schema_reset(out);
  *out = *built;
  return LB_OK;
}

enum lb_status lb_result_schema_from_metadata(
    const struct lb_t_get_result_set_metadata_resp *meta, struct lb_result_schema *out,
    struct lb_error *err) {
  struct lb_result_schema built;
  lb_result_schema_init(&built);
  enum lb_status status;
  if (meta->arrow_schema.data != NULL && meta->arrow_schema.len > 0) {
    status = from_arrow(meta, &built, err);
  } else if (meta->schema != NULL) {
    status = from_table(meta->schema, &built, err);
  } else {
    status = lb_error_set(err, LB_PROTOCOL, "the result's metadata holds no schema");
  }
  return publish(status, &built, out);
}

static enum lb_status build_all_text(int32_t count, struct lb_result_schema *out,
                                     struct lb_error *err) {
  LB_TRY(alloc_columns(out, count, err));
  for (int32_t i = 0; i < count; i++) {
    char name[24];
    snprintf(name, sizeof(name), "_c%" PRId32, i);
    LB_TRY(copy_text(&out->arena, lb_str_from(name), &out->columns[i].name, err));
    out->columns[i].type_id = LB_T_TYPE_STRING;
    out->columns[i].type_name = type_row(LB_T_TYPE_STRING)->sql;
  }
  return build_fields(out, err);
}

enum lb_status lb_result_schema_all_text(int32_t column_count,
                                         struct lb_result_schema *out,
                                         struct lb_error *err) {
  if (column_count < 0) {
    return lb_error_set(err, LB_INTERNAL, "a schema of %" PRId32 " columns",
                        column_count);
  }
  struct lb_result_schema built;
  lb_result_schema_init(&built);
  return publish(build_all_text(column_count, &built, err), &built, out);
}

/* True when the storage is the same; children are compared by the caller. */
static bool same_storage(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  /* What a type does not have is left as it was. */
  struct ArrowSchemaView x = {0}, y = {0};
  if (ArrowSchemaViewInit(&x, a, NULL) != NANOARROW_OK) return false;
  if (ArrowSchemaViewInit(&y, b, NULL) != NANOARROW_OK) return false;
  return x.type == y.type && x.time_unit == y.time_unit &&
         x.decimal_precision == y.decimal_precision &&
         x.decimal_scale == y.decimal_scale && a->n_children == b->n_children;
}

static bool same_tree(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  if (!same_storage(a, b)) return false;
  for (int64_t i = 0; i < a->n_children; i++) {
    if (!same_tree(a->children[i], b->children[i])) return false;
  }
  return true;
}

enum lb_status lb_arrow_schema_match(const struct ArrowSchema *wanted,
                                     const struct ArrowSchema *found,
                                     struct lb_error *err) {
  if (wanted->n_children != found->n_children) {
    return lb_error_set(err, LB_PROTOCOL,
                        "the result has %" PRId64 " columns, a file of it has %" PRId64,
                        wanted->n_children, found->n_children);
  }
  for (int64_t i = 0; i < wanted->n_children; i++) {
    const struct ArrowSchema *a = wanted->children[i];
    const struct ArrowSchema *b = found->children[i];
    if (same_tree(a, b)) continue;
    return lb_error_set(err, LB_PROTOCOL,
                        "column %" PRId64 " \"%.64s\" is of Arrow type \"%.32s\" in the "
                        "result and \"%.32s\" in a file of it",
                        i, a->name, a->format, b->format);
  }
  return LB_OK;
}
