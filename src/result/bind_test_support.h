/* SPDX-License-Identifier: Apache-2.0 */
/* Bound data for unit tests: batches with columns of int64 in which 0 stands for a null,
 * and a stream of batches that counts what is done with it. Header-only. */
#ifndef LB_RESULT_BIND_TEST_SUPPORT_H
#define LB_RESULT_BIND_TEST_SUPPORT_H

#include "base/test_support.h"

#include "result/bind.h"

/* names: one word for each column, separated by blanks; the same values in each. */
static inline void make_batch(const char *names, const int64_t *values, int64_t count,
                              struct ArrowSchema *schema, struct ArrowArray *array) {
  int64_t columns = 1;
  for (const char *at = names; *at; at++) columns += *at == ' ';
  ArrowSchemaInit(schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(schema, columns), NANOARROW_OK);
  for (int64_t i = 0; i < columns; i++) {
    char name[64];
    size_t len = strcspn(names, " ");
    lb_str_copy(name, sizeof name, (struct lb_str){names, len});
    assert_int_equal(ArrowSchemaSetType(schema->children[i], NANOARROW_TYPE_INT64),
                     NANOARROW_OK);
    assert_int_equal(ArrowSchemaSetName(schema->children[i], name), NANOARROW_OK);
    names += len + (names[len] ? 1 : 0);
  }
  assert_int_equal(ArrowArrayInitFromSchema(array, schema, NULL), NANOARROW_OK);
  assert_int_equal(ArrowArrayStartAppending(array), NANOARROW_OK);
  for (int64_t row = 0; row < count; row++) {
    for (int64_t i = 0; i < columns; i++) {
      ArrowErrorCode code = values[row] == 0
                                ? ArrowArrayAppendNull(array->children[i], 1)
                                : ArrowArrayAppendInt(array->children[i], values[row]);
      assert_int_equal(code, NANOARROW_OK);
    }
    assert_int_equal(ArrowArrayFinishElement(array), NANOARROW_OK);
  }
  assert_int_equal(ArrowArrayFinishBuildingDefault(array, NULL), NANOARROW_OK);
}

static inline struct lb_binding *bound_array(const char *names, const int64_t *values,
                                             int64_t count) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  make_batch(names, values, count, &schema, &array);
  LB_TEST_OK(lb_binding_create(&array, &schema, &binding, &err), &err);
  return binding;
}

/* A stream whose batches hold 1, 2, ... each. */
struct source {
  int64_t sizes[8];
  int batches;
  bool endless;    /* of empty batches */
  int code;        /* get_next's, behind the last batch; 0: the end */
  int schema_code; /* get_schema's */
  int given;
  int released;
};

static inline int source_schema(struct ArrowArrayStream *stream,
                                struct ArrowSchema *out) {
  struct source *source = stream->private_data;
  struct ArrowArray array;
  if (source->schema_code != 0) return source->schema_code;
  make_batch("a", NULL, 0, out, &array);
  array.release(&array);
  return 0;
}

static inline int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  static const int64_t values[] = {1, 2, 3, 4};
  struct source *source = stream->private_data;
  *out = (struct ArrowArray){0};
  if (!source->endless && source->given == source->batches) return source->code;
  int64_t size = source->endless ? 0 : source->sizes[source->given];
  struct ArrowSchema schema;
  make_batch("a", values, size, &schema, out);
  schema.release(&schema);
  source->given++;
  return 0;
}

static inline const char *source_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return "the source is dry";
}

static inline void source_release(struct ArrowArrayStream *stream) {
  struct source *source = stream->private_data;
  source->released++;
  stream->release = NULL;
}

static inline struct ArrowArrayStream stream_of(struct source *source) {
  return (struct ArrowArrayStream){.get_schema = source_schema,
                                   .get_next = source_next,
                                   .get_last_error = source_error,
                                   .release = source_release,
                                   .private_data = source};
}

static inline struct lb_binding *bound_stream(struct source *source) {
  struct ArrowArrayStream stream = stream_of(source);
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_binding_create_stream(&stream, &binding, &err), &err);
  assert_null(stream.release);
  return binding;
}

static inline void begin_rows(struct lb_bound_rows *rows, struct lb_binding *binding) {
  struct lb_error err = LB_ERROR_INIT;
  lb_bound_rows_init(rows);
  LB_TEST_OK(lb_bound_rows_open(rows, binding, "parameter", &err), &err);
  LB_TEST_OK(lb_bound_rows_begin(rows, &err), &err);
}

/* The first column's value in the row at hand; NULL: null. */
static inline void check_value(struct lb_bound_rows *rows, const char *wanted) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_param param;
  lb_arena_init(&arena, LB_MEM_TEST, 4096);
  LB_TEST_OK(lb_bound_rows_value(rows, 0, &arena, &param, &err), &err);
  assert_int_equal(param.type.kind, LB_PARAM_BIGINT);
  assert_int_equal(param.null, wanted == NULL);
  if (wanted) assert_true(lb_str_equal(param.value, lb_str_from(wanted)));
  lb_arena_reset(&arena);
}

static inline void expect_row(struct lb_bound_rows *rows, const char *wanted) {
  struct lb_error err = LB_ERROR_INIT;
  bool found = false;
  LB_TEST_OK(lb_bound_rows_next(rows, &found, &err), &err);
  assert_true(found);
  check_value(rows, wanted);
}

static inline void expect_end(struct lb_bound_rows *rows) {
  struct lb_error err = LB_ERROR_INIT;
  bool found = true;
  LB_TEST_OK(lb_bound_rows_next(rows, &found, &err), &err);
  assert_false(found);
}

#endif
