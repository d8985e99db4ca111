/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/metadata.h"

#include "result/describe.h"
#include "result/rows.h"
#include "session/sql_text.h"

#define SQL_MAX_BYTES (64u * 1024u)
/* Of the kinds of table that a server may name, all together. */
#define TABLE_TYPES_MAX_BYTES (64u * 1024u)

static struct lb_adbc_connection *connection_of(struct lb_adbc_object *obj) {
  return LB_CONTAINER_OF(obj, struct lb_adbc_connection, base);
}

/* Takes the last one out that is finished, or any; NULL: there is none. */
static struct lb_meta *take_one(struct lb_adbc_connection *conn, bool finished) {
  struct lb_meta *taken = NULL;
  lb_mutex_lock(&conn->asking.mu);
  struct lb_meta **metas = conn->asking.metas;
  for (size_t i = conn->asking.count; i-- > 0 && taken == NULL;) {
    if (finished && !lb_meta_finished(metas[i])) continue;
    taken = metas[i];
    conn->asking.count--;
    memmove(metas + i, metas + i + 1, (conn->asking.count - i) * sizeof *metas);
  }
  lb_mutex_unlock(&conn->asking.mu);
  return taken;
}

static enum lb_status keep(struct lb_adbc_connection *conn, struct lb_meta *meta,
                           struct lb_error *err) {
  enum lb_status status = LB_OK;
  for (struct lb_meta *old; (old = take_one(conn, true)) != NULL;) lb_meta_release(old);
  lb_mutex_lock(&conn->asking.mu);
  if (conn->asking.count == conn->asking.cap) {
    size_t cap = conn->asking.cap > 0 ? conn->asking.cap * 2 : 4;
    struct lb_meta **more =
        lb_realloc(LB_MEM_MISC, conn->asking.metas, cap * sizeof *more);
    if (more == NULL) status = LB_OUT_OF_MEMORY;
    if (more != NULL) conn->asking.metas = more;
    if (more != NULL) conn->asking.cap = cap;
  }
  if (status == LB_OK) {
    lb_meta_retain(meta);
    conn->asking.metas[conn->asking.count++] = meta;
  }
  lb_mutex_unlock(&conn->asking.mu);
  return status == LB_OK ? LB_OK : lb_error_oom(err, "a question about the catalog");
}

void lb_adbc_asking_reset(struct lb_adbc_connection *conn) {
  for (struct lb_meta *old; (old = take_one(conn, false)) != NULL;) lb_meta_release(old);
  lb_mutex_lock(&conn->asking.mu);
  lb_free(conn->asking.metas);
  conn->asking.metas = NULL;
  conn->asking.cap = 0;
  lb_mutex_unlock(&conn->asking.mu);
}

/* From the last one down, since those behind one that is taken out move down. */
bool lb_adbc_asking_cancel(struct lb_adbc_connection *conn) {
  bool cancelled = false;
  for (size_t i = SIZE_MAX; i > 0;) {
    lb_mutex_lock(&conn->asking.mu);
    i = LB_MIN(i, conn->asking.count);
    struct lb_meta *meta = i > 0 ? conn->asking.metas[--i] : NULL;
    if (meta != NULL) lb_meta_retain(meta);
    lb_mutex_unlock(&conn->asking.mu);
    if (meta != NULL && lb_meta_cancel(meta)) cancelled = true;
    lb_meta_release(meta);
  }
  return cancelled;
}

enum lb_status lb_adbc_asking_begin(struct lb_adbc_connection *conn, struct lb_meta **out,
                                    struct lb_error *err) {
  struct lb_meta *meta;
  LB_TRY(lb_meta_create(conn->sess, conn->base.opts, conn->stats, &meta, err));
  enum lb_status status = keep(conn, meta, err);
  if (status != LB_OK) {
    lb_meta_release(meta);
    return status;
  }
  *out = meta;
  return LB_OK;
}

void lb_adbc_asking_end(struct lb_meta *meta) {
  lb_meta_finish(meta);
  lb_meta_release(meta);
}

int lb_adbc_child(struct ArrowSchema *schema, enum ArrowType type, const char *name) {
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetType(schema, type));
  return ArrowSchemaSetName(schema, name);
}

int lb_adbc_child_required(struct ArrowSchema *schema, enum ArrowType type,
                           const char *name) {
  NANOARROW_RETURN_NOT_OK(lb_adbc_child(schema, type, name));
  schema->flags &= ~ARROW_FLAG_NULLABLE;
  return NANOARROW_OK;
}

int lb_adbc_one_array(struct ArrowSchema *schema_own, struct ArrowArray *array_own,
                      struct ArrowArrayStream *out) {
  struct ArrowArrayStream stream = {0};
  int code = ArrowBasicArrayStreamInit(&stream, schema_own, 1);
  if (code == NANOARROW_OK) {
    ArrowBasicArrayStreamSetArray(&stream, 0, array_own);
    *out = stream;
  }
  if (schema_own->release != NULL) schema_own->release(schema_own);
  if (array_own->release != NULL) array_own->release(array_own);
  return code;
}

/* GetTableTypes. */

static int start_types(struct ArrowSchema *schema, struct ArrowArray *array) {
  ArrowSchemaInit(schema);
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetTypeStruct(schema, 1));
  NANOARROW_RETURN_NOT_OK(
      lb_adbc_child_required(schema->children[0], NANOARROW_TYPE_STRING, "table_type"));
  NANOARROW_RETURN_NOT_OK(ArrowArrayInitFromSchema(array, schema, NULL));
  return ArrowArrayStartAppending(array);
}

static int append_type(struct ArrowArray *array, struct lb_str word) {
  struct ArrowStringView view = {word.data, (int64_t)word.len};
  NANOARROW_RETURN_NOT_OK(ArrowArrayAppendString(array->children[0], view));
  return ArrowArrayFinishElement(array);
}

static bool is_listed(const struct lb_buf *seen, struct lb_str word) {
  const char *end = (const char *)seen->data + seen->len;
  for (const char *at = (const char *)seen->data; at < end; at += strlen(at) + 1) {
    if (lb_str_equal(word, lb_str_from(at))) return true;
  }
  return false;
}

/* Hive names TABLE twice. seen: the names so far, each ended by a NUL. */
static enum lb_status read_types(struct lb_rows *rows, struct lb_buf *seen,
                                 struct ArrowArray *array, struct lb_error *err) {
  for (;;) {
    bool more;
    LB_TRY(lb_rows_next(rows, &more, err));
    if (!more) return LB_OK;
    struct lb_str word = lb_rows_text(rows, 0);
    if (word.data == NULL || is_listed(seen, word)) continue;
    lb_buf_append_str(seen, word);
    lb_buf_append_u8(seen, 0);
    LB_TRY(lb_buf_check(seen, "the list of table types", err));
    if (append_type(array, word) != NANOARROW_OK) return lb_error_oom(err, "table types");
  }
}

static enum lb_status table_types(struct lb_meta *meta, struct ArrowArrayStream *out,
                                  struct lb_error *err) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct lb_rows rows = {0};
  struct lb_result *res = NULL;
  struct lb_buf seen;
  const struct lb_catalog_params params = {.call = LB_CATALOG_TABLE_TYPES};
  lb_buf_init(&seen, LB_MEM_MISC, TABLE_TYPES_MAX_BYTES);
  enum lb_status status = lb_meta_call(meta, &params, &res, err);
  if (status == LB_OK && start_types(&schema, &array) != NANOARROW_OK) {
    status = lb_error_oom(err, "table types");
  }
  if (status == LB_OK) status = lb_rows_init(&rows, res, 1, "GetTableTypes", err);
  if (status == LB_OK) status = read_types(&rows, &seen, &array, err);
  lb_buf_reset(&seen);
  lb_rows_reset(&rows);
  lb_meta_end(meta, res);
  if (status == LB_OK && (ArrowArrayFinishBuildingDefault(&array, NULL) != NANOARROW_OK ||
                          lb_adbc_one_array(&schema, &array, out) != NANOARROW_OK)) {
    status = lb_error_oom(err, "table types");
  }
  if (schema.release != NULL) schema.release(&schema);
  if (array.release != NULL) array.release(&array);
  return status;
}

AdbcStatusCode lb_adbc_connection_get_table_types(struct AdbcConnection *connection,
                                                  struct ArrowArrayStream *out,
                                                  struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  struct lb_meta *meta = NULL;
  enum lb_status status = lb_adbc_object_check_ready(obj, "connection", &err);
  if (status == LB_OK && out == NULL) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the stream is NULL");
  }
  if (status == LB_OK) status = lb_adbc_asking_begin(connection_of(obj), &meta, &err);
  if (status == LB_OK) {
    status = table_types(meta, out, &err);
    lb_adbc_asking_end(meta);
  }
  return lb_adbc_finish(status, &err, error);
}

/* GetTableSchema: the schema of a query that reads nothing, so that it is the one that
 * reading the table gives. */

static bool given(const char *name) { return name != NULL && name[0] != '\0'; }

/* A catalog has a schema `default`, in which USE CATALOG lands as well. */
static enum lb_status append_table(struct lb_buf *sql,
                                   const struct lb_catalog_facts *facts,
                                   const char *catalog, const char *schema,
                                   const char *table, struct lb_error *err) {
  if (given(catalog) && !facts->catalog_in_names) {
    return lb_error_set(err, LB_NOT_FOUND,
                        "there is no catalog '%.128s': this server has one only, which "
                        "has no name; leave the catalog out",
                        catalog);
  }
  LB_TRY(lb_sql_check_name(lb_str_from(catalog), "catalog", err));
  LB_TRY(lb_sql_check_name(lb_str_from(schema), "schema", err));
  LB_TRY(lb_sql_check_name(lb_str_from(table), "table", err));
  if (given(catalog)) {
    lb_sql_append_name(sql, lb_str_from(catalog));
    lb_buf_append_u8(sql, '.');
  }
  if (given(schema) || given(catalog)) {
    lb_sql_append_name(sql, lb_str_from(given(schema) ? schema : "default"));
    lb_buf_append_u8(sql, '.');
  }
  lb_sql_append_name(sql, lb_str_from(table));
  return LB_OK;
}

/* Servers tell it by class, by SQLSTATE or, Hive, in words. */
bool lb_adbc_says_missing(const struct lb_error *err) {
  static const char *const classes[] = {"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND",
                                        "CATALOG_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION",
                                        "REQUIRES_SINGLE_PART_NAMESPACE"};
  static const char *const states[] = {"42P01", "42S02", "42704", "3F000", "3D000"};
  if (err->status == LB_NOT_FOUND) return true;
  for (size_t i = 0; i < LB_ARRAY_LEN(classes); i++) {
    if (strcmp(err->error_class, classes[i]) == 0) return true;
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(states); i++) {
    if (strcmp(err->sqlstate, states[i]) == 0) return true;
  }
  /* Hive's numbers for a table and a database that are not there. */
  struct lb_str text = lb_str_from(err->message);
  return lb_str_find(text, LB_STR("[Error 10001]")) != SIZE_MAX ||
         lb_str_find(text, LB_STR("[Error 10072]")) != SIZE_MAX;
}

static enum lb_status ask_schema(struct lb_meta *meta, struct lb_str sql,
                                 struct ArrowSchema *out, struct lb_error *err) {
  struct lb_result *res = NULL;
  LB_TRY(lb_meta_query(meta, sql, &res, err));
  enum lb_status status = LB_OK;
  if (ArrowSchemaDeepCopy(&lb_result_schema(res)->arrow, out) != NANOARROW_OK) {
    status = lb_error_oom(err, "a table's schema");
  }
  lb_meta_end(meta, res);
  return status;
}

static enum lb_status table_schema(struct lb_meta *meta, const char *catalog,
                                   const char *schema, const char *table,
                                   struct ArrowSchema *out, struct lb_error *err) {
  const struct lb_catalog_facts *facts =
      &lb_server_facts(lb_session_kind(lb_meta_session(meta)))->catalog;
  struct ArrowSchema found = {0};
  struct lb_buf sql;
  lb_buf_init(&sql, LB_MEM_MISC, SQL_MAX_BYTES);
  lb_buf_append_text(&sql, "SELECT * FROM ");
  enum lb_status status = append_table(&sql, facts, catalog, schema, table, err);
  lb_buf_append_text(&sql, " LIMIT 0");
  if (status == LB_OK) status = lb_buf_check(&sql, "a table's name", err);
  struct lb_str text = {(const char *)sql.data, sql.len};
  if (status == LB_OK) status = ask_schema(meta, text, &found, err);
  lb_buf_reset(&sql);
  if (status == LB_OK && facts->table_in_names) {
    status = lb_describe_plain_names(&found, table, err);
  }
  if (status == LB_OK) {
    *out = found;
    return LB_OK;
  }
  if (found.release != NULL) found.release(&found);
  if (!lb_adbc_says_missing(err)) return status;
  err->status = LB_NOT_FOUND;
  return LB_NOT_FOUND;
}

AdbcStatusCode lb_adbc_connection_get_table_schema(struct AdbcConnection *connection,
                                                   const char *catalog,
                                                   const char *schema, const char *table,
                                                   struct ArrowSchema *out,
                                                   struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  struct lb_meta *meta = NULL;
  enum lb_status status = lb_adbc_object_check_ready(obj, "connection", &err);
  if (status == LB_OK && (out == NULL || !given(table))) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the %s is %s",
                          out == NULL ? "schema" : "table's name",
                          out == NULL ? "NULL" : "NULL or empty");
  }
  if (status == LB_OK) status = lb_adbc_asking_begin(connection_of(obj), &meta, &err);
  if (status == LB_OK) {
    status = table_schema(meta, catalog, schema, table, out, &err);
    lb_adbc_asking_end(meta);
  }
  return lb_adbc_finish(status, &err, error);
}

/* Where the session is: asked each time, since any statement may have moved it. */

static enum lb_status one_text(struct lb_meta *meta, const char *sql, struct lb_buf *out,
                               struct lb_error *err) {
  struct lb_result *res = NULL;
  struct lb_rows rows;
  bool more = false;
  LB_TRY(lb_meta_query(meta, lb_str_from(sql), &res, err));
  enum lb_status status = lb_rows_init(&rows, res, 1, sql, err);
  if (status == LB_OK) status = lb_rows_next(&rows, &more, err);
  if (status == LB_OK && !more) {
    status = lb_error_set(err, LB_PROTOCOL, "%s: the answer has no row", sql);
  }
  if (status == LB_OK) lb_buf_append_str(out, lb_rows_text(&rows, 0));
  lb_rows_reset(&rows);
  lb_meta_end(meta, res);
  return status;
}

enum lb_status lb_adbc_current_get(struct lb_adbc_connection *conn, bool catalog,
                                   struct lb_buf *out, struct lb_error *err) {
  const struct lb_catalog_facts *facts =
      &lb_server_facts(lb_session_kind(conn->sess))->catalog;
  const char *sql = catalog ? facts->ask_catalog : facts->ask_schema;
  if (sql == NULL) return LB_OK; /* the one without a name */
  /* Not put where Cancel looks: another thread may be asking for something long. */
  struct lb_meta *meta;
  LB_TRY(lb_meta_create(conn->sess, conn->base.opts, conn->stats, &meta, err));
  enum lb_status status = one_text(meta, sql, out, err);
  lb_adbc_asking_end(meta);
  return status;
}

enum lb_status lb_adbc_current_set(struct lb_adbc_connection *conn, bool catalog,
                                   const char *name, struct lb_error *err) {
  const struct lb_catalog_facts *facts =
      &lb_server_facts(lb_session_kind(conn->sess))->catalog;
  const char *word = catalog ? "catalog" : "schema";
  const char *use = catalog ? facts->use_catalog : facts->use_schema;
  if (use == NULL && !given(name)) return LB_OK;
  if (use == NULL) {
    return lb_error_set(err, LB_NOT_FOUND,
                        "there is no catalog '%.128s': this server has one only, which "
                        "has no name",
                        name);
  }
  if (!given(name)) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the current %s cannot be none; give a name", word);
  }
  LB_TRY(lb_sql_check_name(lb_str_from(name), word, err));
  struct lb_buf sql;
  struct lb_meta *meta = NULL;
  struct lb_result *res = NULL;
  lb_buf_init(&sql, LB_MEM_MISC, SQL_MAX_BYTES);
  lb_buf_append_text(&sql, use);
  lb_sql_append_name(&sql, lb_str_from(name));
  enum lb_status status = lb_buf_check(&sql, "a name", err);
  if (status == LB_OK) status = lb_adbc_asking_begin(conn, &meta, err);
  if (status == LB_OK) {
    struct lb_str text = {(const char *)sql.data, sql.len};
    status = lb_meta_query(meta, text, &res, err);
    lb_meta_end(meta, res);
    lb_adbc_asking_end(meta);
  }
  lb_buf_reset(&sql);
  if (status != LB_OK && lb_adbc_says_missing(err)) status = err->status = LB_NOT_FOUND;
  return status;
}
