/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a statement. What is bound becomes the driver's, also when it is
 * refused, and is released once. */
#include "adbc/objects.h"

static struct lb_stmt *stmt_of(struct lb_adbc_object *obj) {
  return LB_CONTAINER_OF(obj, struct lb_adbc_statement, base)->stmt;
}

AdbcStatusCode lb_adbc_statement_bind(struct AdbcStatement *statement,
                                      struct ArrowArray *values,
                                      struct ArrowSchema *schema,
                                      struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status != LB_OK) {
    if (values != NULL && values->release != NULL) values->release(values);
    if (schema != NULL && schema->release != NULL) schema->release(schema);
    return lb_adbc_finish(status, &err, error);
  }
  struct lb_binding *binding = NULL;
  status = lb_binding_create(values, schema, &binding, &err);
  if (status == LB_OK) lb_stmt_bind(stmt_of(obj), binding);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_statement_bind_stream(struct AdbcStatement *statement,
                                             struct ArrowArrayStream *stream,
                                             struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status != LB_OK) {
    if (stream != NULL && stream->release != NULL) stream->release(stream);
    return lb_adbc_finish(status, &err, error);
  }
  struct lb_binding *binding = NULL;
  status = lb_binding_create_stream(stream, &binding, &err);
  if (status == LB_OK) lb_stmt_bind(stmt_of(obj), binding);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_statement_get_parameter_schema(struct AdbcStatement *statement,
                                                      struct ArrowSchema *schema,
                                                      struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_adbc_object *obj = lb_adbc_of_statement(statement);
  enum lb_status status = lb_adbc_object_check(obj, "statement", &err);
  if (status == LB_OK && schema == NULL) {
    status = lb_error_set(&err, LB_INVALID_ARGUMENT, "the place for the schema is NULL");
  }
  if (status == LB_OK) status = lb_stmt_parameters(stmt_of(obj), schema, &err);
  return lb_adbc_finish(status, &err, error);
}
