/* SPDX-License-Identifier: Apache-2.0 */
/* The three objects of ADBC as this driver keeps them, and their entry points.
 *
 * Each holds all that it needs by references of its own (options, session, a use of the
 * I/O thread), so that they and the streams may be released in any order. */
#ifndef LB_ADBC_OBJECTS_H
#define LB_ADBC_OBJECTS_H

#include "adbc/object.h"
#include "result/metadata.h"
#include "result/statement.h"
#include "session/session.h"

struct lb_adbc_database {
  struct lb_adbc_object base;
  struct lb_hb_stats *stats; /* set before ready */
};

struct lb_adbc_connection {
  struct lb_adbc_object base;
  struct lb_call_slot slot;  /* Init and GetInfo, for Cancel; the rest is in asking */
  struct lb_session *sess;   /* set before ready */
  struct lb_hb_stats *stats; /* set before ready */
  struct {
    struct lb_mutex mu;
    /* What Cancel is meant for; retained. Those that are finished leave with the next. */
    struct lb_meta **metas LB_GUARDED_BY(mu);
    size_t count LB_GUARDED_BY(mu);
    size_t cap LB_GUARDED_BY(mu);
  } asking;
};

struct lb_adbc_statement {
  struct lb_adbc_object base; /* ready from the beginning */
  struct lb_stmt *stmt;
  struct lb_session *sess; /* borrowed from stmt */
  bool has_sql;
};

AdbcStatusCode lb_adbc_database_new(struct AdbcDatabase *database,
                                    struct AdbcError *error);
AdbcStatusCode lb_adbc_database_init(struct AdbcDatabase *database,
                                     struct AdbcError *error);
AdbcStatusCode lb_adbc_database_release(struct AdbcDatabase *database,
                                        struct AdbcError *error);

AdbcStatusCode lb_adbc_connection_new(struct AdbcConnection *connection,
                                      struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_init(struct AdbcConnection *connection,
                                       struct AdbcDatabase *database,
                                       struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_release(struct AdbcConnection *connection,
                                          struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_cancel(struct AdbcConnection *connection,
                                         struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_commit(struct AdbcConnection *connection,
                                         struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_rollback(struct AdbcConnection *connection,
                                           struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_get_info(struct AdbcConnection *connection,
                                           const uint32_t *codes, size_t code_count,
                                           struct ArrowArrayStream *out,
                                           struct AdbcError *error);

AdbcStatusCode lb_adbc_connection_get_table_types(struct AdbcConnection *connection,
                                                  struct ArrowArrayStream *out,
                                                  struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_get_objects(struct AdbcConnection *connection,
                                              int depth, const char *catalog,
                                              const char *schema, const char *table,
                                              const char **types, const char *column,
                                              struct ArrowArrayStream *out,
                                              struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_get_statistics(struct AdbcConnection *connection,
                                                 const char *catalog, const char *schema,
                                                 const char *table, char approximate,
                                                 struct ArrowArrayStream *out,
                                                 struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_get_statistic_names(struct AdbcConnection *connection,
                                                      struct ArrowArrayStream *out,
                                                      struct AdbcError *error);
AdbcStatusCode lb_adbc_connection_get_table_schema(struct AdbcConnection *connection,
                                                   const char *catalog,
                                                   const char *schema, const char *table,
                                                   struct ArrowSchema *out,
                                                   struct AdbcError *error);

AdbcStatusCode lb_adbc_statement_new(struct AdbcConnection *connection,
                                     struct AdbcStatement *statement,
                                     struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_release(struct AdbcStatement *statement,
                                         struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_set_sql(struct AdbcStatement *statement,
                                         const char *query, struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_prepare(struct AdbcStatement *statement,
                                         struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_bind(struct AdbcStatement *statement,
                                      struct ArrowArray *values,
                                      struct ArrowSchema *schema,
                                      struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_bind_stream(struct AdbcStatement *statement,
                                             struct ArrowArrayStream *stream,
                                             struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_get_parameter_schema(struct AdbcStatement *statement,
                                                      struct ArrowSchema *schema,
                                                      struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_execute(struct AdbcStatement *statement,
                                         struct ArrowArrayStream *out,
                                         int64_t *rows_affected, struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_execute_schema(struct AdbcStatement *statement,
                                                struct ArrowSchema *out,
                                                struct AdbcError *error);
AdbcStatusCode lb_adbc_statement_cancel(struct AdbcStatement *statement,
                                        struct AdbcError *error);

/* NULL when database is, or when it has no private data. */
static inline struct lb_adbc_object *lb_adbc_of_database(struct AdbcDatabase *database) {
  return database != NULL ? database->private_data : NULL;
}
static inline struct lb_adbc_object *lb_adbc_of_connection(
    struct AdbcConnection *connection) {
  return connection != NULL ? connection->private_data : NULL;
}
static inline struct lb_adbc_object *lb_adbc_of_statement(
    struct AdbcStatement *statement) {
  return statement != NULL ? statement->private_data : NULL;
}

#endif
