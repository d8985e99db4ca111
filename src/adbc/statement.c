/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/objects.h"
#include "adbc/stream.h"
#include "lakebeat/lakebeat.h"

static struct lb_adbc_statement *statement_of(struct lb_adbc_object *obj) {
  return LB_CONTAINER_OF(obj, struct lb_adbc_statement, base);
}

static enum lb_status set(struct lb_adbc_object *obj, struct lb_str key,
                          const char *value, struct lb_error *err) {
  bool names_table =
      value != NULL && lb_str_equal(key, LB_STR(ADBC_INGEST_OPTION_TARGET_TABLE));
  if (names_table && value[0] == '\0') {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option " ADBC_INGEST_OPTION_TARGET_TABLE
                        " is empty; name the table to ingest into");
  }
  LB_TRY(lb_options_set(obj->opts, key, value, err));
  /* A table to ingest into takes the place of the query. */
  if (names_table) {
    statement_of(obj)->has_sql = false;
    return lb_stmt_set_sql(statement_of(obj)->stmt, LB_STR(""), err);
  }
  return LB_OK;
}

static enum lb_status get(struct lb_adbc_object *obj, struct lb_str key,
                          struct lb_buf *out, struct lb_error *err) {
  struct lb_adbc_statement *statement = statement_of(obj);
  const struct lb_option_row *row = lb_option_find(key);
  struct lb_hb_stats *stats = lb_stmt_stats(statement->stmt);
  bool found = lb_adbc_stats_get(stats, key, out);
  lb_hb_stats_release(stats);
  if (found) return lb_buf_check(out, "an option", err);
  if (lb_str_equal(key, LB_STR(LAKEBEAT_QUERY_ID))) {
    char query_id[40];
    lb_stmt_query_id(statement->stmt, query_id);
    if (query_id[0] == '\0') {
      return lb_option_not_found(
          err, "this statement has no query id: the server has not told one");
    }
    lb_buf_append_text(out, query_id);
    return lb_buf_check(out, "an option", err);
  }
  bool progress = lb_str_equal(key, LB_STR(ADBC_STATEMENT_OPTION_PROGRESS));
  if (progress || lb_str_equal(key, LB_STR(ADBC_STATEMENT_OPTION_MAX_PROGRESS))) {
    int ppm = progress ? (int)(lb_stmt_progress(statement->stmt) * 1e6) : 1000000;
    lb_buf_appendf(out, "%d.%06d", ppm / 1000000, ppm % 1000000);
    return lb_buf_check(out, "an option", err);
  }
  if (row != NULL && row->id == LB_OPT_SERVER_KIND) {
    lb_buf_append_text(out, lb_server_kind_name(lb_session_kind(statement->sess)));
    return lb_buf_check(out, "an option", err);
  }
  return lb_options_get(obj->opts, key, out, err);
}

static const struct lb_adbc_object_ops ops = {
    .name = "statement",
    .scope = LB_SCOPE_STATEMENT,
    .set = set,
    .get = get,
};

static enum lb_status create(struct lb_adbc_connection *conn,
                             struct lb_adbc_statement **out, struct lb_error *err) {
  struct lb_adbc_statement *statement = lb_alloc_zero(LB_MEM_MISC, sizeof(*statement));
  if (statement == NULL) return lb_error_oom(err, "a statement");
  enum lb_status status =
      lb_adbc_object_init(&statement->base, &ops, conn->base.opts, err);
  if (status == LB_OK) {
    status = lb_stmt_create(conn->sess, statement->base.opts, conn->stats,
                            &statement->stmt, err);
    if (status != LB_OK) lb_adbc_object_reset(&statement->base);
  }
  if (status != LB_OK) {
    lb_free(statement);
    return status;
  }
  statement->sess = conn->sess;
  lb_io_retain(conn->base.io);
  lb_adbc_object_publish(&statement->base, conn->base.io, conn->base.process);
  *out = statement;
  return LB_OK;
}

static enum lb_status new(struct lb_adbc_object *conn_obj,
                          struct AdbcStatement *statement, struct lb_error *err) {
  LB_TRY(lb_adbc_object_check_ready(conn_obj, "connection", err));
  if (statement == NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the statement is NULL");
  }
  if (statement->private_data != NULL) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "this statement is in use; release it before making another");
  }
  struct lb_adbc_statement *made;
  LB_TRY(create(LB_CONTAINER_OF(conn_obj, struct lb_adbc_connection, base), &made, err));
  statement->private_data = &made->base;
  return LB_OK;
}

AdbcStatusCode lb_adbc_statement_new(struct AdbcConnection *connection,
                                     struct AdbcStatement *statement,
                                     struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = new(lb_adbc_of_connection(connection), statement, &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_statement_release(struct AdbcStatement *statement,
                                         struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  if (obj == NULL) {
    return lb_adbc_finish(lb_adbc_object_check(NULL, "statement", &err), &err, error);
  }
  statement->private_data = NULL;
  struct lb_adbc_statement *own = statement_of(obj);
  if (!lb_adbc_object_inherited(obj)) {
    lb_stmt_destroy(own->stmt);
    lb_adbc_object_reset(obj);
  }
  lb_free(own);
  return ADBC_STATUS_OK;
}

static enum lb_status set_sql(struct lb_adbc_object *obj, const char *query,
                              struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, "statement", err));
  if (query == NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the query is NULL");
  }
  struct lb_adbc_statement *statement = statement_of(obj);
  LB_TRY(lb_stmt_set_sql(statement->stmt, lb_str_from(query), err));
  statement->has_sql = query[0] != '\0';
  return lb_options_set(obj->opts, LB_STR(ADBC_INGEST_OPTION_TARGET_TABLE), NULL, err);
}

AdbcStatusCode lb_adbc_statement_set_sql(struct AdbcStatement *statement,
                                         const char *query, struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = set_sql(lb_adbc_of_statement(statement), query, &err);
  return lb_adbc_finish(status, &err, error);
}

/* The server plans a statement whenever it runs it: there is nothing to be done before,
 * but a missing query is told here. */
AdbcStatusCode lb_adbc_statement_prepare(struct AdbcStatement *statement,
                                         struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status == LB_OK && !statement_of(obj)->has_sql) {
    status = lb_error_set(&err, LB_INVALID_STATE,
                          "the statement has no text; set a query before preparing it");
  }
  return lb_adbc_finish(status, &err, error);
}

static enum lb_status execute(struct lb_adbc_object *obj, struct ArrowArrayStream *out,
                              int64_t *rows_affected, struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, "statement", err));
  struct lb_stmt *stmt = statement_of(obj)->stmt;
  if (out == NULL) {
    return lb_stmt_makes_series(stmt)
               ? lb_stmt_execute_bound(stmt, NULL, rows_affected, err)
               : lb_stmt_execute(stmt, NULL, rows_affected, err);
  }
  struct lb_adbc_stream *stream;
  LB_TRY(lb_adbc_stream_create(&stream, err));
  struct lb_result *res = NULL;
  struct lb_series *series = NULL;
  bool bound = lb_stmt_makes_series(stmt);
  enum lb_status status = bound ? lb_stmt_execute_bound(stmt, &series, rows_affected, err)
                                : lb_stmt_execute(stmt, &res, rows_affected, err);
  if (status != LB_OK) {
    lb_adbc_stream_destroy(stream);
    return status;
  }
  if (bound) {
    lb_adbc_stream_publish_series(stream, series, obj->io, out);
  } else {
    lb_adbc_stream_publish(stream, res, obj->io, out);
  }
  return LB_OK;
}

AdbcStatusCode lb_adbc_statement_execute(struct AdbcStatement *statement,
                                         struct ArrowArrayStream *out,
                                         int64_t *rows_affected,
                                         struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status =
      execute(lb_adbc_of_statement(statement), out, rows_affected, &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_statement_execute_schema(struct AdbcStatement *statement,
                                                struct ArrowSchema *out,
                                                struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status == LB_OK && out == NULL) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the schema is NULL");
  }
  if (status == LB_OK) {
    status = lb_stmt_execute_schema(statement_of(obj)->stmt, out, &err);
  }
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_statement_cancel(struct AdbcStatement *statement,
                                        struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status == LB_OK && !lb_stmt_cancel(statement_of(obj)->stmt)) {
    status = lb_error_set(&err, LB_INVALID_STATE,
                          "nothing runs in this statement, and it has no open result: "
                          "there is nothing to cancel");
  }
  return lb_adbc_finish(status, &err, error);
}
