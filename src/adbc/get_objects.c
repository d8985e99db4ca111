/* SPDX-License-Identifier: Apache-2.0 */
/* GetObjects and GetStatistics, catalog by catalog: each is asked for, built and handed
 * over before the next is begun, so that memory is that of the largest one. The list of
 * catalogs stays open on the server meanwhile, with a heartbeat, however slowly the
 * stream is read.
 *  1. GetCatalogs; where there are none, one without a name.
 *  2. The first batch is made before GetObjects returns, so that a question that the
 *     server refuses fails there.
 *  3. Each further batch is made when it is asked for. There is at least one, if an empty
 *     one. */
#include "adbc/metadata.h"
#include "adbc/name_filter.h"
#include "adbc/objects_array.h"
#include "adbc/objects_read.h"
#include "adbc/statistics.h"
#include "adbc/stream.h"
#include "result/rows.h"

#define FILTER_MAX_BYTES (1024u * 1024u)
#define TYPES_MAX 1024
/* What one catalog may need before it is Arrow: some five million columns. */
#define TREE_MAX_BYTES (1024u * 1024u * 1024u)
/* Catalogs of one batch when they are all that is asked for. */
#define CATALOGS_MAX 1024

struct arguments {
  int depth;
  const char *catalog;
  const char *schema;
  const char *table;
  const char **types;
  const char *column;
  bool statistics;
};

struct objects {
  struct lb_meta *meta;
  const struct lb_catalog_facts *facts;
  bool statistics; /* in place of the objects */
  int depth;
  const char *catalog; /* filter */
  struct lb_objects_filter filter;
  struct lb_arena arena; /* the filters' texts */
  struct ArrowSchema schema;
  struct lb_tree tree;
  struct lb_result *res; /* of GetCatalogs, or NULL */
  struct lb_rows rows;
  bool only_seen; /* the catalog without a name */
  struct ArrowArray first;
  bool begun; /* a batch was made */
  bool ended;
  struct lb_error failure; /* status LB_OK: none */
};

static void close_catalogs(struct objects *obj) {
  lb_rows_reset(&obj->rows);
  lb_meta_end(obj->meta, obj->res);
  obj->res = NULL;
}

static void release(void *self) {
  struct objects *obj = self;
  close_catalogs(obj);
  if (obj->first.release != NULL) obj->first.release(&obj->first);
  if (obj->schema.release != NULL) obj->schema.release(&obj->schema);
  lb_tree_reset(&obj->tree);
  lb_arena_reset(&obj->arena);
  if (obj->meta != NULL) lb_adbc_asking_end(obj->meta);
  lb_free(obj);
}

/* The next catalog that the filter lets through; data NULL: there is none. */
static enum lb_status next_catalog(struct objects *obj, struct lb_str *out,
                                   struct lb_error *err) {
  *out = (struct lb_str){NULL, 0};
  if (!obj->facts->catalogs) {
    struct lb_str alias = lb_str_from(obj->facts->only_catalog);
    bool wanted = lb_name_matches(obj->catalog, LB_STR("")) ||
                  (alias.data != NULL && lb_name_matches(obj->catalog, alias));
    if (wanted && !obj->only_seen) *out = LB_STR("");
    obj->only_seen = true;
    return LB_OK;
  }
  for (;;) {
    bool more;
    LB_TRY(lb_rows_next(&obj->rows, &more, err));
    if (!more) return LB_OK;
    struct lb_str name = lb_rows_text(&obj->rows, 0);
    if (name.len == 0 || !lb_name_matches(obj->catalog, name)) continue;
    *out = name;
    return LB_OK;
  }
}

static enum lb_status add_catalog(struct objects *obj, struct lb_str name,
                                  struct ArrowArray *array, struct lb_error *err) {
  enum lb_status status = LB_OK;
  lb_tree_reset(&obj->tree);
  if (obj->depth != 1) {
    status = lb_objects_read(obj->meta, name, obj->depth, &obj->filter, &obj->tree, err);
  }
  if (status == LB_OK && obj->statistics) {
    status = lb_statistics_append(obj->meta, name, &obj->tree, array, err);
  } else if (status == LB_OK &&
             lb_objects_append(array, name, &obj->tree, obj->depth) != NANOARROW_OK) {
    status = lb_error_oom(err, "the contents of a catalog");
  }
  lb_tree_reset(&obj->tree);
  return status;
}

static enum lb_status add_catalogs(struct objects *obj, struct ArrowArray *array,
                                   struct lb_error *err) {
  int64_t most = obj->depth == 1 ? CATALOGS_MAX : 1;
  while (array->length < most) {
    struct lb_str name;
    LB_TRY(next_catalog(obj, &name, err));
    if (name.data == NULL) {
      obj->ended = true;
      return LB_OK;
    }
    LB_TRY(add_catalog(obj, name, array, err));
  }
  return LB_OK;
}

/* *out is left without release at the end. */
static enum lb_status make_batch(struct objects *obj, struct ArrowArray *out,
                                 struct lb_error *err) {
  struct ArrowArray array = {0};
  if (ArrowArrayInitFromSchema(&array, &obj->schema, NULL) != NANOARROW_OK) {
    return lb_error_oom(err, "an answer about catalogs");
  }
  enum lb_status status = LB_OK;
  if (ArrowArrayStartAppending(&array) != NANOARROW_OK) {
    status = lb_error_oom(err, "an answer about catalogs");
  }
  if (status == LB_OK) status = add_catalogs(obj, &array, err);
  if (status == LB_OK && ArrowArrayFinishBuildingDefault(&array, NULL) != NANOARROW_OK) {
    status = lb_error_oom(err, "an answer about catalogs");
  }
  if (status == LB_OK && (array.length > 0 || !obj->begun)) {
    *out = array;
    obj->begun = true;
    return LB_OK;
  }
  array.release(&array);
  return status;
}

static enum lb_status next(void *self, struct ArrowArray *out, struct lb_error *err) {
  struct objects *obj = self;
  *out = (struct ArrowArray){0};
  if (obj->failure.status != LB_OK) {
    lb_error_copy(err, &obj->failure);
    return obj->failure.status;
  }
  if (obj->first.release != NULL) {
    ArrowArrayMove(&obj->first, out);
    return LB_OK;
  }
  enum lb_status status = obj->ended ? LB_OK : make_batch(obj, out, err);
  if (status != LB_OK) {
    lb_error_copy(&obj->failure, err);
    obj->ended = true;
  }
  if (obj->ended) {
    close_catalogs(obj);
    lb_meta_finish(obj->meta);
  }
  return status;
}

static const struct ArrowSchema *schema_of(void *self) {
  return &((struct objects *)self)->schema;
}

/* Making. */

static enum lb_status copy_filter(struct objects *obj, const char *text, const char **out,
                                  struct lb_error *err) {
  *out = NULL;
  if (text == NULL) return LB_OK;
  *out = lb_arena_strdup(&obj->arena, lb_str_from(text));
  return *out != NULL ? LB_OK : lb_error_oom(err, "a filter");
}

static enum lb_status copy_pattern(struct objects *obj, const char *filter,
                                   struct lb_str *out, struct lb_error *err) {
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_MISC, FILTER_MAX_BYTES);
  enum lb_status status = LB_OK;
  if (lb_name_server_pattern(filter, &text)) {
    status = lb_buf_check(&text, "a filter", err);
    struct lb_str pattern = {(const char *)text.data, text.len};
    if (status == LB_OK) {
      *out = (struct lb_str){lb_arena_strdup(&obj->arena, pattern), pattern.len};
      if (out->data == NULL) status = lb_error_oom(err, "a filter");
    }
  }
  lb_buf_reset(&text);
  return status;
}

static enum lb_status copy_types(struct objects *obj, const char **types,
                                 struct lb_error *err) {
  struct lb_objects_filter *filter = &obj->filter;
  filter->any_type = types == NULL;
  size_t count = 0;
  while (types != NULL && types[count] != NULL && count <= TYPES_MAX) count++;
  if (count > TYPES_MAX) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "more than %d table types; end the list with a NULL", TYPES_MAX);
  }
  if (count == 0) return LB_OK;
  filter->types = lb_arena_array(&obj->arena, count, sizeof(*filter->types));
  if (filter->types == NULL) return lb_error_oom(err, "a filter");
  for (size_t i = 0; i < count; i++) {
    const char *copy;
    LB_TRY(copy_filter(obj, types[i], &copy, err));
    filter->types[i] = lb_str_from(copy);
    filter->type_count++;
  }
  return LB_OK;
}

static enum lb_status set_filters(struct objects *obj, const struct arguments *args,
                                  struct lb_error *err) {
  struct lb_objects_filter *filter = &obj->filter;
  LB_TRY(copy_filter(obj, args->catalog, &obj->catalog, err));
  LB_TRY(copy_filter(obj, args->schema, &filter->schema, err));
  LB_TRY(copy_filter(obj, args->table, &filter->table, err));
  LB_TRY(copy_filter(obj, args->column, &filter->column, err));
  LB_TRY(copy_types(obj, args->types, err));
  LB_TRY(copy_pattern(obj, filter->schema, &filter->schema_pattern, err));
  return copy_pattern(obj, filter->table, &filter->table_pattern, err);
}

static enum lb_status begin(struct objects *obj, struct lb_adbc_connection *conn,
                            const struct arguments *args, struct lb_error *err) {
  lb_arena_init(&obj->arena, LB_MEM_MISC, FILTER_MAX_BYTES * 8);
  lb_tree_init(&obj->tree, TREE_MAX_BYTES);
  obj->facts = &lb_server_facts(lb_session_kind(conn->sess))->catalog;
  obj->depth = args->depth == 4 ? 0 : args->depth;
  LB_TRY(set_filters(obj, args, err));
  obj->statistics = args->statistics;
  if ((obj->statistics ? lb_statistics_schema(&obj->schema)
                       : lb_objects_schema(&obj->schema)) != NANOARROW_OK) {
    return lb_error_oom(err, "an answer about catalogs");
  }
  LB_TRY(lb_adbc_asking_begin(conn, &obj->meta, err));
  if (obj->facts->catalogs) {
    const struct lb_catalog_params params = {.call = LB_CATALOG_CATALOGS};
    LB_TRY(lb_meta_call(obj->meta, &params, &obj->res, err));
    LB_TRY(lb_rows_init(&obj->rows, obj->res, 1, "GetCatalogs", err));
  }
  return make_batch(obj, &obj->first, err);
}

static enum lb_status get_objects(struct lb_adbc_object *base,
                                  const struct arguments *args,
                                  struct ArrowArrayStream *out, struct lb_error *err) {
  static const struct lb_adbc_source source = {schema_of, next, release};
  LB_TRY(lb_adbc_object_check_ready(base, "connection", err));
  if (out == NULL) return lb_error_set(err, LB_INVALID_ARGUMENT, "the stream is NULL");
  if (args->depth < 0 || args->depth > 4) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "depth %d is none of 0 (all), 1 (catalogs), 2 (schemas), 3 "
                        "(tables)",
                        args->depth);
  }
  struct lb_adbc_stream *stream;
  LB_TRY(lb_adbc_stream_create(&stream, err));
  struct objects *obj = lb_alloc_zero(LB_MEM_MISC, sizeof(*obj));
  enum lb_status status =
      obj != NULL
          ? begin(obj, LB_CONTAINER_OF(base, struct lb_adbc_connection, base), args, err)
          : lb_error_oom(err, "an answer about catalogs");
  if (status != LB_OK) {
    if (obj != NULL) release(obj);
    lb_adbc_stream_destroy(stream);
    return status;
  }
  lb_adbc_stream_publish_source(stream, &source, obj, base->io, out);
  return LB_OK;
}

AdbcStatusCode lb_adbc_connection_get_objects(struct AdbcConnection *connection,
                                              int depth, const char *catalog,
                                              const char *schema, const char *table,
                                              const char **types, const char *column,
                                              struct ArrowArrayStream *out,
                                              struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  const struct arguments args = {depth, catalog, schema, table, types, column, false};
  enum lb_status status =
      get_objects(lb_adbc_of_connection(connection), &args, out, &err);
  return lb_adbc_finish(status, &err, error);
}

/* There are no exact ones: what the catalog has is as old as the last ANALYZE. */
AdbcStatusCode lb_adbc_connection_get_statistics(struct AdbcConnection *connection,
                                                 const char *catalog, const char *schema,
                                                 const char *table, char approximate,
                                                 struct ArrowArrayStream *out,
                                                 struct AdbcError *error) {
  (void)approximate;
  struct lb_error err = LB_ERROR_INIT;
  const struct arguments args = {3, catalog, schema, table, NULL, NULL, true};
  enum lb_status status =
      get_objects(lb_adbc_of_connection(connection), &args, out, &err);
  return lb_adbc_finish(status, &err, error);
}

static int names_stream(struct ArrowArrayStream *out) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ArrowSchemaInit(&schema);
  int code = ArrowSchemaSetTypeStruct(&schema, 2);
  if (code == NANOARROW_OK) {
    code = lb_adbc_child_required(schema.children[0], NANOARROW_TYPE_STRING,
                                  "statistic_name");
  }
  if (code == NANOARROW_OK) {
    code =
        lb_adbc_child_required(schema.children[1], NANOARROW_TYPE_INT16, "statistic_key");
  }
  if (code == NANOARROW_OK) code = ArrowArrayInitFromSchema(&array, &schema, NULL);
  if (code == NANOARROW_OK) code = ArrowArrayStartAppending(&array);
  if (code == NANOARROW_OK) {
    code = ArrowArrayAppendString(array.children[0],
                                  ArrowCharView(LB_STATISTIC_TABLE_BYTES_NAME));
  }
  if (code == NANOARROW_OK) {
    code = ArrowArrayAppendInt(array.children[1], LB_STATISTIC_TABLE_BYTES_KEY);
  }
  if (code == NANOARROW_OK) code = ArrowArrayFinishElement(&array);
  if (code == NANOARROW_OK) code = ArrowArrayFinishBuildingDefault(&array, NULL);
  if (code == NANOARROW_OK) return lb_adbc_one_array(&schema, &array, out);
  if (schema.release != NULL) schema.release(&schema);
  if (array.release != NULL) array.release(&array);
  return code;
}

AdbcStatusCode lb_adbc_connection_get_statistic_names(struct AdbcConnection *connection,
                                                      struct ArrowArrayStream *out,
                                                      struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  enum lb_status status = lb_adbc_object_check_ready(obj, "connection", &err);
  if (status == LB_OK && out == NULL) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the stream is NULL");
  }
  if (status == LB_OK && names_stream(out) != NANOARROW_OK) {
    status = lb_error_oom(&err, "the names of statistics");
  }
  return lb_adbc_finish(status, &err, error);
}
