/* SPDX-License-Identifier: Apache-2.0 */
#include "result/bind_sql.h"

#include "result/bind_test_support.h"

#define NATIVE 255

struct rig {
  struct lb_binding *binding;
  struct lb_bound_rows rows;
  struct lb_bound_sql bound;
};

static enum lb_status try_open(struct rig *rig, const char *sql, const char *names,
                               enum lb_bind_by by, int32_t max_params,
                               struct lb_error *err) {
  static const int64_t values[] = {7, 0};
  const struct lb_bind_rules rules = {by, max_params, LB_DIALECT_SPARK};
  rig->binding = bound_array(names, values, 2);
  lb_bound_sql_init(&rig->bound);
  lb_bound_rows_init(&rig->rows);
  LB_TEST_OK(lb_bound_rows_open(&rig->rows, rig->binding, "parameter", err), err);
  return lb_bound_sql_open(&rig->bound, lb_str_from(sql), &rig->rows, &rules, err);
}

static void rig_reset(struct rig *rig) {
  lb_bound_sql_reset(&rig->bound);
  lb_bound_rows_reset(&rig->rows);
  lb_binding_release(rig->binding);
}

/* The text of the first row, and its parameters as name=value, each behind a bar. */
static void expect_sent(const char *sql, const char *names, enum lb_bind_by by,
                        int32_t max_params, const char *wanted) {
  struct rig rig;
  struct lb_error err = LB_ERROR_INIT;
  bool found = false;
  LB_TEST_OK(try_open(&rig, sql, names, by, max_params, &err), &err);
  LB_TEST_OK(lb_bound_rows_begin(&rig.rows, &err), &err);
  LB_TEST_OK(lb_bound_rows_next(&rig.rows, &found, &err), &err);
  LB_TEST_OK(lb_bound_sql_row(&rig.bound, &rig.rows, &err), &err);
  struct lb_buf sent;
  lb_buf_init(&sent, LB_MEM_TEST, 4096);
  lb_buf_append(&sent, rig.bound.text.data, rig.bound.text.len);
  for (int32_t i = 0; i < rig.bound.param_count; i++) {
    lb_buf_append_u8(&sent, '|');
    lb_buf_append_str(&sent, rig.bound.params[i].name);
    lb_buf_append_u8(&sent, '=');
    lb_buf_append_str(&sent, rig.bound.params[i].value);
  }
  assert_string_equal(lb_buf_text(&sent), wanted);
  lb_buf_reset(&sent);
  rig_reset(&rig);
}

static void expect_refused(const char *sql, const char *names, enum lb_bind_by by,
                           const char *says) {
  struct rig rig;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, try_open(&rig, sql, names, by, NATIVE, &err), &err);
  LB_TEST_CONTAINS(err.message, says);
  assert_false(lb_binding_used(rig.binding));
  rig_reset(&rig);
}

static void markers_take_columns_in_order(void **state) {
  (void)state;
  expect_sent("SELECT ?, '?', ?", "a b", LB_BIND_BY_TEXT, NATIVE,
              "SELECT ?, '?', ?|=7|=7");
  expect_refused("SELECT ?", "a b", LB_BIND_BY_TEXT, "parameter 2 ('b') has no marker");
  expect_refused("SELECT ?, ?, ?", "a b", LB_BIND_BY_TEXT, "parameter 3 has no value");
}

static void named_markers_take_the_column_of_their_name(void **state) {
  (void)state;
  expect_sent("SELECT :b, :A, :a", "a B", LB_BIND_BY_TEXT, NATIVE,
              "SELECT :b, :A, :A|b=7|A=7");
  expect_sent("SELECT :x, :y, :x", "a b", LB_BIND_BY_POSITION, NATIVE,
              "SELECT :x, :y, :x|x=7|y=7");
  expect_refused("SELECT :a", "a A", LB_BIND_BY_TEXT, "parameter :a is bound twice");
  expect_refused("SELECT :a, :c", "a", LB_BIND_BY_NAME, "parameter :c has no value");
  expect_refused("SELECT :a", "a b", LB_BIND_BY_NAME, "parameter 2 ('b') has no marker");
  expect_refused("SELECT ?", "a", LB_BIND_BY_NAME, "needs :name markers");
}

static void more_than_the_server_takes_become_literals(void **state) {
  (void)state;
  expect_sent("SELECT ?, ?", "a b", LB_BIND_BY_TEXT, 2, "SELECT ?, ?|=7|=7");
  expect_sent("SELECT ?, ?", "a b", LB_BIND_BY_TEXT, 1, "SELECT  7L ,  7L ");
  expect_sent("SELECT?FROM t", "a", LB_BIND_BY_TEXT, 0, "SELECT 7L FROM t");
}

/* One row of one text column. */
static enum lb_status put_text(const char *sql, const char *value, int32_t max_params,
                               struct lb_bound_sql *bound, struct lb_error *err) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  make_batch("a", NULL, 0, &schema, &array);
  array.release(&array);
  assert_int_equal(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_STRING), 0);
  assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), 0);
  assert_int_equal(ArrowArrayStartAppending(&array), 0);
  assert_int_equal(ArrowArrayAppendString(array.children[0], ArrowCharView(value)), 0);
  assert_int_equal(ArrowArrayFinishElement(&array), 0);
  assert_int_equal(ArrowArrayFinishBuildingDefault(&array, NULL), 0);
  struct lb_binding *binding = NULL;
  struct lb_bound_rows rows;
  const struct lb_bind_rules rules = {LB_BIND_BY_TEXT, max_params, LB_DIALECT_SPARK};
  bool found = false;
  LB_TEST_OK(lb_binding_create(&array, &schema, &binding, err), err);
  begin_rows(&rows, binding);
  LB_TEST_OK(lb_bound_sql_open(bound, lb_str_from(sql), &rows, &rules, err), err);
  LB_TEST_OK(lb_bound_rows_next(&rows, &found, err), err);
  enum lb_status status = lb_bound_sql_row(bound, &rows, err);
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
  return status;
}

static void a_text_does_not_join_what_stands_beside_it(void **state) {
  (void)state;
  static const char *const texts[] = {"SELECT DATE ?", "SELECT timestamp/* x */?",
                                      "SELECT 'a' ?", "SELECT ? 'a'", "SELECT X ?"};
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    struct lb_bound_sql bound;
    struct lb_error err = LB_ERROR_INIT;
    lb_bound_sql_init(&bound);
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, put_text(texts[i], "2020-01-01", 0, &bound, &err),
                  &err);
    LB_TEST_CONTAINS(err.message, "parameter 1 ('a'): right behind");
    lb_bound_sql_reset(&bound);
    /* The server judges its own parameters. */
    LB_TEST_OK(put_text(texts[i], "2020-01-01", NATIVE, &bound, &err), &err);
    lb_bound_sql_reset(&bound);
  }
  struct lb_bound_sql bound;
  struct lb_error err = LB_ERROR_INIT;
  lb_bound_sql_init(&bound);
  LB_TEST_OK(put_text("SELECT date = ?", "2020-01-01", 0, &bound, &err), &err);
  assert_string_equal(lb_buf_text(&bound.text), "SELECT date =  '2020-01-01' ");
  lb_bound_sql_reset(&bound);
}

static void the_schema_of_parameters(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_bound_sql_schema(LB_STR("SELECT :b, :a, :B"), &schema, &err), &err);
  assert_int_equal(schema.n_children, 2);
  assert_string_equal(schema.children[0]->name, "b");
  assert_string_equal(schema.children[1]->name, "a");
  assert_string_equal(schema.children[1]->format, "n");
  schema.release(&schema);
  LB_TEST_OK(lb_bound_sql_schema(LB_STR("SELECT ?, ?"), &schema, &err), &err);
  assert_int_equal(schema.n_children, 2);
  assert_string_equal(schema.children[0]->name, "");
  schema.release(&schema);
}

static void bind_a_row(const char *sql, int32_t max_params) {
  struct lb_bound_sql bound;
  struct lb_error err = LB_ERROR_INIT;
  const struct lb_bind_rules rules = {LB_BIND_BY_TEXT, max_params, LB_DIALECT_SPARK};
  static const int64_t values[] = {7};
  struct lb_bound_rows rows;
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct lb_binding *binding = NULL;
  make_batch("a", values, 1, &schema, &array);
  enum lb_status status = lb_binding_create(&array, &schema, &binding, &err);
  lb_bound_rows_init(&rows);
  lb_bound_sql_init(&bound);
  if (status == LB_OK) status = lb_bound_rows_open(&rows, binding, "parameter", &err);
  if (status == LB_OK) {
    status = lb_bound_sql_open(&bound, lb_str_from(sql), &rows, &rules, &err);
  }
  if (status == LB_OK) status = lb_bound_rows_peek(&rows, &err);
  if (status == LB_OK) status = lb_bound_sql_row(&bound, &rows, &err);
  LB_TEST_OOM_OR_OK(status, &err);
  lb_bound_sql_reset(&bound);
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
}

static void without_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(bind_a_row("SELECT ?", NATIVE));
  LB_TEST_TORTURE(bind_a_row("SELECT :a, :a", 0));
}

LB_TEST_MAIN(LB_TEST(markers_take_columns_in_order),
             LB_TEST(named_markers_take_the_column_of_their_name),
             LB_TEST(more_than_the_server_takes_become_literals),
             LB_TEST(a_text_does_not_join_what_stands_beside_it),
             LB_TEST(the_schema_of_parameters), LB_TEST(without_memory))
