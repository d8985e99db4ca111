/* SPDX-License-Identifier: Apache-2.0 */
#include "result/bind.h"

#include <errno.h>

#include "result/bind_test_support.h"

static void the_values_of_an_array(void **state) {
  (void)state;
  const int64_t values[] = {7, 0, -1};
  struct lb_binding *binding = bound_array("a", values, LB_ARRAY_LEN(values));
  for (int round = 0; round < 2; round++) {
    struct lb_bound_rows rows;
    struct lb_error err = LB_ERROR_INIT;
    lb_bound_rows_init(&rows);
    LB_TEST_OK(lb_bound_rows_open(&rows, binding, "parameter", &err), &err);
    assert_int_equal(lb_binding_used(binding), round > 0);
    assert_string_equal(rows.columns[0].label, "parameter 1 ('a')");
    LB_TEST_OK(lb_bound_rows_begin(&rows, &err), &err);
    assert_true(lb_binding_used(binding));
    expect_row(&rows, "7");
    expect_row(&rows, NULL); /* 0 stands for a null */
    expect_row(&rows, "-1");
    expect_end(&rows);
    expect_end(&rows);
    assert_int_equal(rows.number, 3);
    lb_bound_rows_reset(&rows);
  }
  lb_binding_release(binding);
}

static void a_null_row_is_a_null_in_every_column(void **state) {
  (void)state;
  const int64_t values[] = {7, 8};
  struct ArrowSchema schema;
  struct ArrowArray array;
  make_batch("a", values, 2, &schema, &array);
  static uint8_t valid[] = {0x02};
  array.buffers[0] = valid;
  array.null_count = 1;
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_binding_create(&array, &schema, &binding, &err), &err);
  struct lb_bound_rows rows;
  begin_rows(&rows, binding);
  expect_row(&rows, NULL);
  expect_row(&rows, "8");
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
}

/* What is refused is released all the same, and once. */
static void what_is_no_batch_is_refused(void **state) {
  (void)state;
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  struct ArrowSchema schema;
  struct ArrowArray array;
  const int64_t values[] = {7, 8};
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_binding_create(NULL, NULL, &binding, &err), &err);

  make_batch("a", values, 2, &schema, &array);
  array.release(&array);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_binding_create(&array, &schema, &binding, &err),
                &err);
  assert_null(schema.release);

  make_batch("a", values, 2, &schema, &array);
  schema.release(&schema);
  ArrowSchemaInit(&schema);
  assert_int_equal(ArrowSchemaSetType(&schema, NANOARROW_TYPE_INT64), NANOARROW_OK);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_binding_create(&array, &schema, &binding, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "no record batch but of Arrow type int64");
  assert_null(array.release);
  assert_null(schema.release);

  make_batch("a", values, 2, &schema, &array);
  array.length = 3; /* one more than its column has */
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_binding_create(&array, &schema, &binding, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "do not match their schema");
  assert_null(array.release);
  assert_null(binding);
}

static void the_values_of_a_stream(void **state) {
  (void)state;
  struct source source = {.sizes = {0, 2, 0, 1}, .batches = 4};
  struct lb_binding *binding = bound_stream(&source);
  struct lb_bound_rows rows;
  struct lb_error err = LB_ERROR_INIT;
  begin_rows(&rows, binding);
  expect_row(&rows, "1");
  expect_row(&rows, "2");
  expect_row(&rows, "1");
  assert_int_equal(source.released, 0);
  expect_end(&rows);
  assert_int_equal(source.released, 1);
  expect_end(&rows);
  assert_int_equal(rows.number, 3);
  lb_bound_rows_reset(&rows);
  assert_true(lb_binding_used(binding));
  LB_TEST_FAILS(LB_INVALID_STATE, lb_bound_rows_open(&rows, binding, "column", &err),
                &err);
  LB_TEST_CONTAINS(err.message, "read by an earlier execution");
  lb_binding_release(binding);
  assert_int_equal(source.released, 1);
}

static void a_stream_that_is_not_begun_can_be_begun_later(void **state) {
  (void)state;
  struct source source = {.sizes = {1}, .batches = 1};
  struct lb_binding *binding = bound_stream(&source);
  struct lb_bound_rows rows;
  struct lb_error err = LB_ERROR_INIT;
  lb_bound_rows_init(&rows);
  LB_TEST_OK(lb_bound_rows_open(&rows, binding, "parameter", &err), &err);
  lb_bound_rows_reset(&rows);
  assert_false(lb_binding_used(binding));
  begin_rows(&rows, binding);
  lb_binding_release(binding); /* the rows hold it */
  expect_row(&rows, "1");
  lb_bound_rows_reset(&rows);
  assert_int_equal(source.released, 1);
}

static void failures_of_a_stream(void **state) {
  (void)state;
  static const struct {
    int code;
    enum lb_status status;
  } kinds[] = {
      {EIO, LB_INVALID_DATA}, {ECANCELED, LB_CANCELLED}, {ENOMEM, LB_OUT_OF_MEMORY}};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct source source = {.sizes = {1}, .batches = 1, .code = kinds[i].code};
    struct lb_binding *binding = bound_stream(&source);
    struct lb_bound_rows rows;
    struct lb_error err = LB_ERROR_INIT;
    bool found = true;
    begin_rows(&rows, binding);
    expect_row(&rows, "1");
    LB_TEST_FAILS(kinds[i].status, lb_bound_rows_next(&rows, &found, &err), &err);
    LB_TEST_CONTAINS(err.message, "the bound stream failed");
    LB_TEST_CONTAINS(err.message, "the source is dry");
    lb_bound_rows_reset(&rows);
    lb_binding_release(binding);
    assert_int_equal(source.released, 1);
  }
  struct source source = {.schema_code = EIO};
  struct ArrowArrayStream stream = stream_of(&source);
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_DATA, lb_binding_create_stream(&stream, &binding, &err), &err);
  assert_int_equal(source.released, 1);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_binding_create_stream(&stream, &binding, &err),
                &err);
}

static enum lb_status count_down(void *ctx, struct lb_error *err) {
  int *left = ctx;
  if ((*left)-- > 0) return LB_OK;
  return lb_error_set(err, LB_CANCELLED, "enough");
}

static void empty_batches_without_end_can_be_ended(void **state) {
  (void)state;
  struct source source = {.endless = true};
  struct lb_binding *binding = bound_stream(&source);
  struct lb_bound_rows rows;
  struct lb_error err = LB_ERROR_INIT;
  bool found = true;
  int left = 100;
  begin_rows(&rows, binding);
  rows.may_go_on = count_down;
  rows.ctx = &left;
  LB_TEST_FAILS(LB_CANCELLED, lb_bound_rows_next(&rows, &found, &err), &err);
  assert_int_equal(source.given, 100);
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
}

static void peek(struct lb_binding *binding, const char *wanted) {
  struct lb_bound_rows rows;
  struct lb_error err = LB_ERROR_INIT;
  lb_bound_rows_init(&rows);
  LB_TEST_OK(lb_bound_rows_open(&rows, binding, "parameter", &err), &err);
  LB_TEST_OK(lb_bound_rows_peek(&rows, &err), &err);
  check_value(&rows, wanted);
  lb_bound_rows_reset(&rows);
  assert_false(lb_binding_used(binding));
}

static void a_peek_uses_nothing_up(void **state) {
  (void)state;
  const int64_t values[] = {7, 8};
  struct lb_binding *binding = bound_array("a", values, 2);
  peek(binding, "7");
  lb_binding_release(binding);
  binding = bound_array("a", values, 0);
  peek(binding, NULL);
  lb_binding_release(binding);
  struct source source = {.sizes = {1}, .batches = 1};
  binding = bound_stream(&source);
  peek(binding, NULL);
  assert_int_equal(source.given, 0);
  struct lb_bound_rows rows;
  begin_rows(&rows, binding);
  expect_row(&rows, "1");
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
}

static void a_value_over_the_limit_is_told(void **state) {
  (void)state;
  const int64_t values[] = {123456789};
  struct lb_binding *binding = bound_array("a", values, 1);
  struct lb_bound_rows rows;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_param param;
  bool found = false;
  lb_arena_init(&arena, LB_MEM_WIRE, 0);
  begin_rows(&rows, binding);
  LB_TEST_OK(lb_bound_rows_next(&rows, &found, &err), &err);
  LB_TEST_FAILS(LB_INVALID_DATA, lb_bound_rows_value(&rows, 0, &arena, &param, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "parameter 1 ('a') needs 10 bytes");
  lb_arena_reset(&arena);
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
}

static void read_all(void) {
  struct source source = {.sizes = {1, 1}, .batches = 2};
  struct ArrowArrayStream stream = stream_of(&source);
  struct lb_binding *binding = NULL;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_binding_create_stream(&stream, &binding, &err);
  struct lb_bound_rows rows;
  lb_bound_rows_init(&rows);
  if (status == LB_OK) status = lb_bound_rows_open(&rows, binding, "parameter", &err);
  if (status == LB_OK) status = lb_bound_rows_begin(&rows, &err);
  for (bool found = true; status == LB_OK && found;) {
    status = lb_bound_rows_next(&rows, &found, &err);
  }
  LB_TEST_OOM_OR_OK(status, &err);
  lb_bound_rows_reset(&rows);
  lb_binding_release(binding);
  assert_int_equal(source.released, 1);
}

static void without_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(read_all());
}

LB_TEST_MAIN(LB_TEST(the_values_of_an_array),
             LB_TEST(a_null_row_is_a_null_in_every_column),
             LB_TEST(what_is_no_batch_is_refused), LB_TEST(the_values_of_a_stream),
             LB_TEST(a_stream_that_is_not_begun_can_be_begun_later),
             LB_TEST(failures_of_a_stream),
             LB_TEST(empty_batches_without_end_can_be_ended),
             LB_TEST(a_peek_uses_nothing_up), LB_TEST(a_value_over_the_limit_is_told),
             LB_TEST(without_memory))
