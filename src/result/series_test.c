/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the application, many executions: their order, their sum, their end. */
#include "result/series.h"

#include "result/run_test_support.h"

static const int64_t three[] = {7, 8, 9};
static const struct field one_int[] = {{.name = "n", .type = NANOARROW_TYPE_INT64}};
static const struct field one_text[] = {{.name = "n", .type = NANOARROW_TYPE_STRING}};

static struct lb_series *make_series(struct run_rig *r) {
  struct lb_series *series = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_series_create(r->c.sess, r->opts, NULL, &series, &err), &err);
  return series;
}

static enum lb_status start(struct lb_series *series, const char *sql, int64_t rows,
                            bool wanted, int64_t *affected, struct lb_error *err) {
  struct lb_binding *binding = bound_array("a", three, rows);
  enum lb_status status =
      lb_series_start(series, lb_str_from(sql), binding, wanted, affected, err);
  lb_binding_release(binding);
  return status;
}

/* What the changes of three rows add up to. */
static int64_t sum_of(int64_t first, int64_t second, int64_t third) {
  struct run_rig r;
  struct lb_error err = LB_ERROR_INIT;
  int64_t affected = -2;
  run_rig_init(&r);
  run_says_changed(&r, first);
  run_says_changed(&r, second);
  run_says_changed(&r, third);
  struct lb_series *series = make_series(&r);
  LB_TEST_OK(start(series, "DELETE FROM t WHERE a = ?", 3, false, &affected, &err), &err);
  assert_int_equal(run_calls(&r), 3);
  assert_true(run_asked(&r, 0, "DELETE FROM t WHERE a = ?"));
  lb_series_release(series);
  run_rig_reset(&r);
  return affected;
}

static void test_the_sum_of_all_rows(void **state) {
  (void)state;
  assert_int_equal(sum_of(1, 20, 300), 321);
  assert_int_equal(sum_of(1, -1, 300), -1);
  assert_int_equal(sum_of(1, INT64_MAX, 300), INT64_MAX);
}

static void test_no_rows_run_nothing(void **state) {
  (void)state;
  struct run_rig r;
  struct ArrowArray array = {0};
  struct lb_error err = LB_ERROR_INIT;
  int64_t affected = -2;
  run_rig_init(&r);
  struct lb_series *series = make_series(&r);
  LB_TEST_OK(start(series, "SELECT ?", 0, true, &affected, &err), &err);
  assert_int_equal(affected, 0);
  assert_int_equal(lb_series_schema(series)->arrow.n_children, 0);
  LB_TEST_OK(lb_series_next(series, &array, &err), &err);
  assert_null(array.release);
  assert_int_equal(run_calls(&r), 0);
  lb_series_release(series);
  run_rig_reset(&r);
}

static void test_a_failure_says_how_far_it_came(void **state) {
  (void)state;
  struct run_rig r;
  struct lb_error err = LB_ERROR_INIT;
  run_rig_init(&r);
  run_says_changed(&r, 1);
  run_says_error(&r, "42000", "no such thing");
  struct lb_series *series = make_series(&r);
  LB_TEST_FAILS(LB_SERVER,
                start(series, "DELETE FROM t WHERE a = ?", 3, false, NULL, &err), &err);
  LB_TEST_CONTAINS(err.message, "row 2 of the bound values: ");
  LB_TEST_CONTAINS(err.message, "has been executed for 1 rows before");
  assert_int_equal(run_calls(&r), 2);
  lb_series_release(series);
  run_rig_reset(&r);
}

static int64_t read_one(struct lb_series *series) {
  struct ArrowArray array = {0};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_series_next(series, &array, &err), &err);
  if (!array.release) return -1;
  int64_t rows = array.length;
  array.release(&array);
  return rows;
}

/* The next row is executed when the one before has been read, not earlier. */
static void test_results_follow_one_another(void **state) {
  (void)state;
  struct run_rig r;
  struct lb_error err = LB_ERROR_INIT;
  run_rig_init(&r);
  for (int64_t i = 0; i < 3; i++) run_says_rows(&r, one_int, 1, 10 * i, 4 + i);
  struct lb_series *series = make_series(&r);
  LB_TEST_OK(start(series, "SELECT ?", 3, true, NULL, &err), &err);
  assert_int_equal(run_calls(&r), 1);
  assert_int_equal(lb_series_schema(series)->arrow.n_children, 1);
  assert_int_equal(read_one(series), 4);
  assert_int_equal(run_calls(&r), 1);
  assert_int_equal(read_one(series), 5);
  assert_int_equal(run_calls(&r), 2);
  assert_int_equal(read_one(series), 6);
  assert_int_equal(read_one(series), -1);
  assert_int_equal(run_calls(&r), 3);
  assert_false(lb_series_cancel(series)); /* it is over */
  lb_series_release(series);
  run_rig_reset(&r);
}

static void test_results_of_other_columns(void **state) {
  (void)state;
  struct run_rig r;
  struct ArrowArray array = {0};
  struct lb_error err = LB_ERROR_INIT;
  run_rig_init(&r);
  run_says_rows(&r, one_int, 1, 0, 4);
  run_says_rows(&r, one_text, 1, 0, 4);
  struct lb_series *series = make_series(&r);
  LB_TEST_OK(start(series, "SELECT ?", 3, true, NULL, &err), &err);
  assert_int_equal(read_one(series), 4);
  for (int i = 0; i < 2; i++) { /* a failure stays one */
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_series_next(series, &array, &err), &err);
    LB_TEST_CONTAINS(err.message, "row 2 of the bound values: its result has other");
  }
  assert_null(array.release);
  assert_int_equal(run_calls(&r), 2);
  lb_series_release(series);
  run_rig_reset(&r);
}

static void test_an_end_between_rows(void **state) {
  (void)state;
  struct run_rig r;
  struct ArrowArray array = {0};
  struct lb_error err = LB_ERROR_INIT;
  for (int cancel = 0; cancel < 2; cancel++) {
    run_rig_init(&r);
    run_says_rows(&r, one_int, 1, 0, 4);
    struct lb_series *series = make_series(&r);
    LB_TEST_OK(start(series, "SELECT ?", 2, true, NULL, &err), &err);
    assert_int_equal(read_one(series), 4);
    if (cancel) {
      assert_true(lb_series_cancel(series));
      LB_TEST_FAILS(LB_CANCELLED, lb_series_next(series, &array, &err), &err);
    } else {
      lb_series_close(series, LB_HB_REEXECUTED);
      assert_false(lb_series_cancel(series));
      LB_TEST_FAILS(LB_INVALID_STATE, lb_series_next(series, &array, &err), &err);
      LB_TEST_CONTAINS(err.message, "was executed again");
    }
    assert_int_equal(run_calls(&r), 1);
    lb_series_release(series);
    run_rig_reset(&r);
  }
}

LB_TEST_MAIN(LB_TEST(test_the_sum_of_all_rows), LB_TEST(test_no_rows_run_nothing),
             LB_TEST(test_a_failure_says_how_far_it_came),
             LB_TEST(test_results_follow_one_another),
             LB_TEST(test_results_of_other_columns), LB_TEST(test_an_end_between_rows))
