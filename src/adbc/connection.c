/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/info.h"
#include "adbc/metadata.h"

static struct lb_adbc_connection *connection_of(struct lb_adbc_object *obj) {
  return LB_CONTAINER_OF(obj, struct lb_adbc_connection, base);
}

/* Settings make the session what it is when it begins. */
static enum lb_status refuse_late(struct lb_str key, const struct lb_option_row *row,
                                  struct lb_error *err) {
  const char *remedy = row == NULL ? "execute SET <name> = <value>"
                                   : "set it before, or open another connection";
  return lb_error_set(err, LB_NOT_IMPLEMENTED,
                      "option %.*s cannot be set once the connection is open; %s instead",
                      (int)LB_MIN(key.len, (size_t)128), key.data, remedy);
}

static bool is_place(const struct lb_option_row *row) {
  return row != NULL && (row->id == LB_OPT_CATALOG || row->id == LB_OPT_SCHEMA);
}

static enum lb_status set(struct lb_adbc_object *obj, struct lb_str key,
                          const char *value, struct lb_error *err) {
  if (atomic_load(&obj->ready)) {
    const struct lb_option_row *row = lb_option_find(key);
    if (is_place(row)) {
      return lb_adbc_current_set(connection_of(obj), row->id == LB_OPT_CATALOG, value,
                                 err);
    }
    bool conf = lb_str_starts_with(key, LB_STR("databricks.session_conf."));
    if (conf || (row != NULL && (row->scopes & LB_SCOPE_STATEMENT) == 0 &&
                 (row->scopes & LB_SCOPE_CONNECTION) != 0)) {
      return refuse_late(key, row, err);
    }
  }
  return lb_options_set(obj->opts, key, value, err);
}

static enum lb_status get(struct lb_adbc_object *obj, struct lb_str key,
                          struct lb_buf *out, struct lb_error *err) {
  struct lb_adbc_connection *conn = connection_of(obj);
  bool ready = atomic_load(&obj->ready);
  const struct lb_option_row *row = lb_option_find(key);
  if (lb_adbc_stats_get(ready ? conn->stats : NULL, key, out)) {
    return lb_buf_check(out, "an option", err);
  }
  if (ready && row != NULL && row->id == LB_OPT_SERVER_KIND) {
    lb_buf_append_text(out, lb_server_kind_name(lb_session_kind(conn->sess)));
    return lb_buf_check(out, "an option", err);
  }
  if (ready && is_place(row)) {
    LB_TRY(lb_adbc_current_get(conn, row->id == LB_OPT_CATALOG, out, err));
    return lb_buf_check(out, "an option", err);
  }
  return lb_options_get(obj->opts, key, out, err);
}

static const struct lb_adbc_object_ops ops = {
    .name = "connection",
    .scope = LB_SCOPE_CONNECTION,
    .set = set,
    .get = get,
};

static enum lb_status create(struct lb_adbc_connection **out, struct lb_error *err) {
  struct lb_adbc_connection *conn = lb_alloc_zero(LB_MEM_MISC, sizeof(*conn));
  if (conn == NULL) return lb_error_oom(err, "a connection");
  enum lb_status status = lb_adbc_object_init(&conn->base, &ops, NULL, err);
  if (status == LB_OK) {
    status = lb_call_slot_init(&conn->slot, err);
    if (status == LB_OK) {
      status = lb_mutex_init(&conn->asking.mu, err);
      if (status != LB_OK) lb_call_slot_destroy(&conn->slot);
    }
    if (status != LB_OK) lb_adbc_object_reset(&conn->base);
  }
  if (status != LB_OK) {
    lb_free(conn);
    return status;
  }
  *out = conn;
  return LB_OK;
}

static enum lb_status new(struct AdbcConnection *connection, struct lb_error *err) {
  if (connection == NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the connection is NULL");
  }
  if (connection->private_data != NULL) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "this connection is in use; release it before making another");
  }
  struct lb_adbc_connection *conn = NULL;
  LB_TRY(create(&conn, err));
  connection->private_data = &conn->base;
  return LB_OK;
}

AdbcStatusCode lb_adbc_connection_new(struct AdbcConnection *connection,
                                      struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = new(connection, &err);
  return lb_adbc_finish(status, &err, error);
}

static enum lb_status init(struct lb_adbc_object *obj, struct lb_adbc_object *db_obj,
                           struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, "connection", err));
  LB_TRY(lb_adbc_object_check_ready(db_obj, "database", err));
  if (atomic_load(&obj->ready)) {
    return lb_error_set(err, LB_INVALID_STATE, "this connection is open already");
  }
  LB_TRY(lb_adbc_object_check_options(obj, err));
  struct lb_adbc_connection *conn = connection_of(obj);
  struct lb_adbc_database *db = LB_CONTAINER_OF(db_obj, struct lb_adbc_database, base);
  lb_options_adopt(obj->opts, db_obj->opts);
  struct lb_hb_stats *stats;
  LB_TRY(lb_hb_stats_create(db->stats, &stats, err));
  struct lb_io *io = db_obj->io;
  lb_io_retain(io);
  enum lb_status status = lb_session_open(io, obj->opts, &conn->slot, &conn->sess, err);
  if (status != LB_OK) {
    lb_hb_stats_release(stats);
    lb_io_release(io);
    return status;
  }
  conn->stats = stats;
  lb_adbc_object_publish(obj, io, lb_hb_stats_root(stats));
  return LB_OK;
}

AdbcStatusCode lb_adbc_connection_init(struct AdbcConnection *connection,
                                       struct AdbcDatabase *database,
                                       struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status =
      init(lb_adbc_of_connection(connection), lb_adbc_of_database(database), &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_connection_release(struct AdbcConnection *connection,
                                          struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  if (obj == NULL) {
    return lb_adbc_finish(lb_adbc_object_check(NULL, "connection", &err), &err, error);
  }
  connection->private_data = NULL;
  struct lb_adbc_connection *conn = connection_of(obj);
  if (!lb_adbc_object_inherited(obj)) {
    lb_adbc_asking_reset(conn);
    lb_mutex_destroy(&conn->asking.mu);
    lb_session_release(conn->sess);
    lb_hb_stats_release(conn->stats);
    lb_call_slot_destroy(&conn->slot);
    lb_adbc_object_reset(obj);
  }
  lb_free(conn);
  return ADBC_STATUS_OK;
}

AdbcStatusCode lb_adbc_connection_cancel(struct AdbcConnection *connection,
                                         struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  enum lb_status status = lb_adbc_object_check(obj, "connection", &err);
  if (status == LB_OK && !lb_call_slot_cancel(&connection_of(obj)->slot, NULL) &&
      !lb_adbc_asking_cancel(connection_of(obj))) {
    status = lb_error_set(&err, LB_INVALID_STATE,
                          "nothing runs on this connection itself that could be "
                          "cancelled; cancel its statements one by one");
  }
  return lb_adbc_finish(status, &err, error);
}

static AdbcStatusCode no_transaction(struct AdbcConnection *connection,
                                     struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status =
      lb_adbc_object_check_ready(lb_adbc_of_connection(connection), "connection", &err);
  if (status == LB_OK) {
    status = lb_error_set(&err, LB_INVALID_STATE,
                          "there is no transaction: autocommit is on, and each statement "
                          "commits by itself");
  }
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_connection_commit(struct AdbcConnection *connection,
                                         struct AdbcError *error) {
  return no_transaction(connection, error);
}

AdbcStatusCode lb_adbc_connection_rollback(struct AdbcConnection *connection,
                                           struct AdbcError *error) {
  return no_transaction(connection, error);
}

AdbcStatusCode lb_adbc_connection_get_info(struct AdbcConnection *connection,
                                           const uint32_t *codes, size_t code_count,
                                           struct ArrowArrayStream *out,
                                           struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_connection(connection);
  enum lb_status status = lb_adbc_object_check_ready(obj, "connection", &err);
  if (status == LB_OK && out == NULL) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the stream is NULL");
  }
  if (status == LB_OK) {
    struct lb_adbc_connection *conn = connection_of(obj);
    status = lb_adbc_info(conn->sess, &conn->slot, codes, code_count, out, &err);
  }
  return lb_adbc_finish(status, &err, error);
}
