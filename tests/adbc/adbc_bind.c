/* SPDX-License-Identifier: Apache-2.0 */
/* AdbcStatementBind and AdbcStatementBindStream: who owns what was bound, and how often
 * it is released. */
#include <errno.h>

#include "conform.h"

/* A batch of one row with one int32 column, whose parts count their releases. */
struct bound {
  struct ArrowArray array;
  struct ArrowArray column;
  struct ArrowArray *columns[1];
  const void *array_buffers[1];
  const void *column_buffers[2];
  int32_t value;
  struct ArrowSchema schema;
  struct ArrowSchema field;
  struct ArrowSchema *fields[1];
  bool sent;
};

static int arrays_released;
static int schemas_released;
static int streams_released;

static void release_column(struct ArrowArray *array) { array->release = NULL; }
static void release_field(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_array(struct ArrowArray *array) {
  arrays_released++;
  if (array->children[0]->release) array->children[0]->release(array->children[0]);
  array->release = NULL;
}
static void release_schema(struct ArrowSchema *schema) {
  schemas_released++;
  if (schema->children[0]->release) schema->children[0]->release(schema->children[0]);
  schema->release = NULL;
}

static void make_bound(struct bound *b, int32_t value) {
  memset(b, 0, sizeof(*b));
  b->value = value;
  b->column_buffers[1] = &b->value;
  b->column = (struct ArrowArray){.length = 1,
                                  .n_buffers = 2,
                                  .buffers = b->column_buffers,
                                  .release = release_column};
  b->columns[0] = &b->column;
  b->array = (struct ArrowArray){.length = 1,
                                 .n_buffers = 1,
                                 .buffers = b->array_buffers,
                                 .n_children = 1,
                                 .children = b->columns,
                                 .release = release_array};
  b->field = (struct ArrowSchema){
      .format = "i", .name = "a", .flags = ARROW_FLAG_NULLABLE, .release = release_field};
  b->fields[0] = &b->field;
  b->schema = (struct ArrowSchema){.format = "+s",
                                   .name = "",
                                   .n_children = 1,
                                   .children = b->fields,
                                   .release = release_schema};
  arrays_released = schemas_released = streams_released = 0;
}

/* What a stream hands out is released on its own and not counted. */
static void release_handed(struct ArrowSchema *schema) { schema->release = NULL; }
static void release_handed_array(struct ArrowArray *array) { array->release = NULL; }

static int bound_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  struct bound *b = self->private_data;
  *out = b->schema;
  out->release = release_handed;
  return 0;
}
static int bound_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  struct bound *b = self->private_data;
  *out = b->array;
  out->release = b->sent ? NULL : release_handed_array;
  b->sent = true;
  return 0;
}
static const char *bound_error(struct ArrowArrayStream *self) {
  (void)self;
  return NULL;
}
static void bound_release(struct ArrowArrayStream *self) {
  streams_released++;
  self->release = NULL;
}

static struct ArrowArrayStream stream_of(struct bound *b) {
  return (struct ArrowArrayStream){bound_schema, bound_next, bound_error, bound_release,
                                   b};
}

static void bind(struct session *s, struct bound *b) {
  OK(e2e_driver.StatementBind(&s->stmt, &b->array, &b->schema, &e2e_error));
}
static void bind_stream(struct session *s, struct bound *b) {
  struct ArrowArrayStream stream = stream_of(b);
  OK(e2e_driver.StatementBindStream(&s->stmt, &stream, &e2e_error));
}

static int32_t only_value(struct AdbcStatement *stmt) {
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  execute(stmt, &stream);
  CHECK(stream.get_next(&stream, &batch) == 0 && batch.length == 1);
  const struct ArrowArray *column = batch.children[0];
  int32_t value = ((const int32_t *)column->buffers[1])[column->offset];
  batch.release(&batch);
  CHECK(stream.get_next(&stream, &batch) == 0 && !batch.release);
  e2e_release(&stream);
  return value;
}

/* The driver calls the callback itself, at the latest when the statement is released. */
static void test_bound_values_are_released_once(void) {
  struct session s;
  struct bound b;
  for (int executed = 0; executed < 2; executed++) {
    session_open(&s, "SELECT ?");
    make_bound(&b, 7);
    bind(&s, &b);
    if (executed) CHECK(only_value(&s.stmt) == 7);
    e2e_close(&s.stmt, NULL, NULL);
    CHECK(arrays_released == 1 && schemas_released == 1);
    session_close(&s);
    session_open(&s, "SELECT ?");
    make_bound(&b, 8);
    bind_stream(&s, &b);
    if (executed) CHECK(only_value(&s.stmt) == 8);
    e2e_close(&s.stmt, NULL, NULL);
    CHECK(streams_released == 1);
    session_close(&s);
    CHECK(streams_released == 1);
  }
}

static void test_binding_again_releases_what_was_bound(void) {
  struct session s;
  struct bound first, second, third;
  session_open(&s, "SELECT ?");
  make_bound(&first, 1);
  make_bound(&second, 2);
  make_bound(&third, 3);
  bind(&s, &first);
  bind(&s, &second);
  CHECK(arrays_released == 1 && schemas_released == 1);
  bind_stream(&s, &third);
  CHECK(arrays_released == 2 && schemas_released == 2 && streams_released == 0);
  CHECK(only_value(&s.stmt) == 3);
  make_bound(&first, 4);
  bind(&s, &first);
  CHECK(only_value(&s.stmt) == 4);
  session_close(&s);
  CHECK(arrays_released == 1 && schemas_released == 1);
}

/* The owner passes to the driver also where it refuses what it gets. */
static void test_what_is_refused_is_released(void) {
  struct AdbcStatement stmt = {0};
  struct session s;
  struct bound b;
  make_bound(&b, 1);
  FAILS(INVALID_STATE, e2e_driver.StatementBind(&stmt, &b.array, &b.schema, &e2e_error));
  CHECK(arrays_released == 1 && schemas_released == 1);
  make_bound(&b, 1);
  struct ArrowArrayStream stream = stream_of(&b);
  FAILS(INVALID_STATE, e2e_driver.StatementBindStream(&stmt, &stream, &e2e_error));
  CHECK(streams_released == 1);
  session_open(&s, "SELECT ?");
  make_bound(&b, 1);
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementBind(&s.stmt, &b.array, NULL, &e2e_error));
  CHECK(arrays_released == 1);
  make_bound(&b, 1);
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementBind(&s.stmt, NULL, &b.schema, &e2e_error));
  CHECK(schemas_released == 1);
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementBindStream(&s.stmt, NULL, &e2e_error));
  FAILS(INVALID_ARGUMENT, e2e_driver.StatementBind(&s.stmt, NULL, NULL, &e2e_error));
  /* A schema that is no struct. */
  make_bound(&b, 1);
  b.schema.format = "i";
  CHECK(e2e_driver.StatementBind(&s.stmt, &b.array, &b.schema, &e2e_error) != 0);
  e2e_error.release(&e2e_error);
  CHECK(arrays_released == 1 && schemas_released == 1);
  session_close(&s);
}

static void test_wrong_number_of_bound_columns(void) {
  static const char *const texts[] = {"SELECT ?, ?", "SELECT 1"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct session s;
    struct bound b;
    session_open(&s, texts[i]);
    make_bound(&b, 1);
    bind(&s, &b);
    FAILS(INVALID_ARGUMENT,
          e2e_driver.StatementExecuteQuery(&s.stmt, NULL, NULL, &e2e_error));
    session_close(&s);
    CHECK(arrays_released == 1 && schemas_released == 1);
  }
}

/* Before or after Prepare, and for each of many executions. */
static void test_binding_a_prepared_statement(void) {
  struct session s;
  struct bound bounds[4];
  session_open(&s, "SELECT ? + 1");
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  for (int32_t i = 0; i < 4; i++) make_bound(&bounds[i], i);
  for (int32_t i = 0; i < 3; i++) {
    bind(&s, &bounds[i]);
    CHECK(only_value(&s.stmt) == i + 1);
  }
  bind(&s, &bounds[3]);
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  CHECK(only_value(&s.stmt) == 4);
  session_close(&s);
  CHECK(arrays_released == 4 && schemas_released == 4);
}

static void check_fields(const char *sql, int64_t count, const char *const *names) {
  struct session s;
  struct ArrowSchema schema;
  session_open(&s, sql);
  OK(e2e_driver.StatementPrepare(&s.stmt, &e2e_error));
  OK(e2e_driver.StatementGetParameterSchema(&s.stmt, &schema, &e2e_error));
  CHECK(strcmp(schema.format, "+s") == 0 && schema.n_children == count);
  for (int64_t i = 0; i < count; i++) {
    CHECK(strcmp(schema.children[i]->name, names[i]) == 0);
    CHECK(strcmp(schema.children[i]->format, "n") == 0);
  }
  session_close(&s);
  schema.release(&schema);
}

static void test_parameter_schema(void) {
  static const char *const unnamed[] = {"", "", ""};
  static const char *const named[] = {"b", "a"};
  check_fields("SELECT ?, ? + ?", 3, unnamed);
  check_fields("SELECT :b, :a + :b", 2, named);
  check_fields("SELECT '?', `:x` /* ? */ FROM (SELECT 1 AS `:x`) -- :y", 0, NULL);
  struct session s;
  struct ArrowSchema schema = {0};
  session_open(&s, "SELECT ?");
  FAILS(INVALID_ARGUMENT,
        e2e_driver.StatementGetParameterSchema(&s.stmt, NULL, &e2e_error));
  session_close(&s);
  session_open(&s, NULL);
  FAILS(INVALID_STATE,
        e2e_driver.StatementGetParameterSchema(&s.stmt, &schema, &e2e_error));
  CHECK(!schema.release);
  session_close(&s);
}

TEST_MAIN(TEST(test_bound_values_are_released_once),
          TEST(test_binding_again_releases_what_was_bound),
          TEST(test_what_is_refused_is_released),
          TEST(test_wrong_number_of_bound_columns),
          TEST(test_binding_a_prepared_statement), TEST(test_parameter_schema))
