/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/objects.h"
#include "io/budget.h"
#include "io/workers.h"
#include "result/parked.h"

static struct lb_adbc_database *database_of(struct lb_adbc_object *obj) {
  return LB_CONTAINER_OF(obj, struct lb_adbc_database, base);
}

/* Options of the process's I/O thread, which databases share: the last one that says
 * something is heard; of times to wait for closes, the longest. */
static const enum lb_option_id shared[] = {LB_OPT_CLOSE_TIMEOUT, LB_OPT_MEMORY_BUDGET,
                                           LB_OPT_DECODE_THREADS, LB_OPT_LOG_LEVEL};

static bool is_shared(enum lb_option_id id) {
  for (size_t i = 0; i < LB_ARRAY_LEN(shared); i++) {
    if (shared[i] == id) return true;
  }
  return false;
}

static enum lb_status apply_log_level(struct lb_options *opts, struct lb_io *io,
                                      struct lb_error *err) {
  char *word = NULL;
  LB_TRY(lb_options_text(opts, LB_OPT_LOG_LEVEL, &word, err));
  enum lb_log_level level;
  if (word != NULL && lb_log_level_parse(word, &level)) {
    lb_log_set_level(lb_io_log(io), level);
  }
  lb_free(word);
  return LB_OK;
}

/* A default is no wish: it would undo what another database, or LAKEBEAT_LOG, said. */
static enum lb_status apply_shared(struct lb_options *opts, enum lb_option_id id,
                                   struct lb_io *io, struct lb_error *err) {
  if (!lb_options_is_set(opts, id)) return LB_OK;
  if (id == LB_OPT_CLOSE_TIMEOUT) {
    lb_io_set_close_timeout(io, lb_options_int(opts, id) * 1000);
  } else if (id == LB_OPT_MEMORY_BUDGET) {
    lb_budget_set_limit(lb_io_budget(io), lb_options_int(opts, id));
  } else if (id == LB_OPT_DECODE_THREADS) {
    lb_workers_set_count(io, (int32_t)lb_options_int(opts, id));
  } else if (id == LB_OPT_LOG_LEVEL) {
    return apply_log_level(opts, io, err);
  }
  return LB_OK;
}

static enum lb_status apply_all_shared(struct lb_options *opts, struct lb_io *io,
                                       struct lb_error *err) {
  for (size_t i = 0; i < LB_ARRAY_LEN(shared); i++) {
    LB_TRY(apply_shared(opts, shared[i], io, err));
  }
  return LB_OK;
}

static bool settable_later(const struct lb_option_row *row) {
  return row->scopes != LB_SCOPE_DATABASE || is_shared(row->id);
}

static enum lb_status set(struct lb_adbc_object *obj, struct lb_str key,
                          const char *value, struct lb_error *err) {
  if (!atomic_load(&obj->ready)) return lb_options_set(obj->opts, key, value, err);
  const struct lb_option_row *row = lb_option_find(key);
  if (row != NULL && !settable_later(row)) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "option %s has to be set before the database is initialised; "
                        "open a new database for it",
                        row->key);
  }
  LB_TRY(lb_options_set(obj->opts, key, value, err));
  /* That option alone: what another database said since then stands. */
  return row == NULL ? LB_OK : apply_shared(obj->opts, row->id, obj->io, err);
}

static enum lb_status get(struct lb_adbc_object *obj, struct lb_str key,
                          struct lb_buf *out, struct lb_error *err) {
  bool ready = atomic_load(&obj->ready);
  if (lb_adbc_stats_get(ready ? database_of(obj)->stats : NULL, key, out)) {
    return lb_buf_check(out, "an option", err);
  }
  return lb_options_get(obj->opts, key, out, err);
}

static const struct lb_adbc_object_ops ops = {
    .name = "database",
    .scope = LB_SCOPE_DATABASE,
    .set = set,
    .get = get,
};

static enum lb_status create(struct lb_adbc_database **out, struct lb_error *err) {
  struct lb_adbc_database *db = lb_alloc_zero(LB_MEM_MISC, sizeof(*db));
  if (db == NULL) return lb_error_oom(err, "a database");
  enum lb_status status = lb_adbc_object_init(&db->base, &ops, NULL, err);
  if (status != LB_OK) {
    lb_free(db);
    return status;
  }
  *out = db;
  return LB_OK;
}

static enum lb_status new(struct AdbcDatabase *database, struct lb_error *err) {
  if (database == NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "the database is NULL");
  }
  if (database->private_data != NULL) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "this database is in use; release it before making another");
  }
  struct lb_adbc_database *db;
  LB_TRY(create(&db, err));
  database->private_data = &db->base;
  return LB_OK;
}

AdbcStatusCode lb_adbc_database_new(struct AdbcDatabase *database,
                                    struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = new(database, &err);
  return lb_adbc_finish(status, &err, error);
}

static enum lb_status create_stats(struct lb_io *io, struct lb_hb_stats **out,
                                   struct lb_error *err) {
  struct lb_hb_stats *process;
  LB_TRY(lb_parked_process_stats(io, &process, err));
  enum lb_status status = lb_hb_stats_create(process, out, err);
  lb_hb_stats_release(process);
  return status;
}

static enum lb_status init(struct lb_adbc_object *obj, struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, "database", err));
  if (atomic_load(&obj->ready)) {
    return lb_error_set(err, LB_INVALID_STATE, "this database is initialised already");
  }
  LB_TRY(lb_adbc_object_check_options(obj, err));
  /* Looked at now, so that a wrong address is told here and not by each connection. */
  struct lb_target target = {0};
  LB_TRY(lb_options_target(obj->opts, &target, err));
  lb_target_reset(&target);
  struct lb_io *io;
  LB_TRY(lb_io_acquire(&io, err));
  struct lb_adbc_database *db = database_of(obj);
  enum lb_status status = apply_all_shared(obj->opts, io, err);
  if (status == LB_OK) status = create_stats(io, &db->stats, err);
  if (status != LB_OK) {
    lb_io_release(io);
    return status;
  }
  lb_adbc_object_publish(obj, io, lb_hb_stats_root(db->stats));
  return LB_OK;
}

AdbcStatusCode lb_adbc_database_init(struct AdbcDatabase *database,
                                     struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = init(lb_adbc_of_database(database), &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_database_release(struct AdbcDatabase *database,
                                        struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_database(database);
  if (obj == NULL) {
    return lb_adbc_finish(lb_adbc_object_check(NULL, "database", &err), &err, error);
  }
  database->private_data = NULL;
  struct lb_adbc_database *db = database_of(obj);
  if (!lb_adbc_object_inherited(obj)) {
    lb_hb_stats_release(db->stats);
    lb_adbc_object_reset(obj);
  }
  lb_free(db);
  return ADBC_STATUS_OK;
}
