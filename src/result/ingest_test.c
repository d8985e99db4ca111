/* SPDX-License-Identifier: Apache-2.0 */
/* Which statements bound data becomes. */
#include "result/ingest.h"

#include "result/run_test_support.h"

static const int64_t values[] = {7, 8, 9};

struct ingestion {
  struct run_rig r;
  struct lb_series *series;
  struct lb_error err;
  int64_t rows;
};

static void init(struct ingestion *in, const char *mode) {
  memset(in, 0, sizeof *in);
  run_rig_init(&in->r);
  run_set(&in->r, "adbc.ingest.target_table", "it`s");
  if (mode) run_set(&in->r, "adbc.ingest.mode", mode);
  in->rows = -1;
}

static enum lb_status ingest(struct ingestion *in, const char *names, int64_t rows) {
  struct lb_binding *binding = bound_array(names, values, rows);
  LB_TEST_OK(lb_series_create(in->r.c.sess, in->r.opts, NULL, &in->series, &in->err),
             &in->err);
  enum lb_status status = lb_series_ingest(in->series, binding, &in->rows, &in->err);
  lb_binding_release(binding);
  return status;
}

static void reset(struct ingestion *in) {
  lb_series_release(in->series);
  run_rig_reset(&in->r);
}

/* One ingestion of two columns and three rows; what it asks for, in this order. */
static void expect(const char *mode, int64_t rows, const char *const *asked, int count) {
  struct ingestion in;
  init(&in, mode);
  assert_true(lb_ingest_wanted(in.r.opts));
  for (int i = 0; i < count; i++) run_says_changed(&in.r, 0);
  LB_TEST_OK(ingest(&in, "a b", rows), &in.err);
  assert_int_equal(in.rows, rows);
  assert_int_equal(run_calls(&in.r), count);
  for (int i = 0; i < count; i++) {
    if (!run_asked(&in.r, i, asked[i])) fail_msg("call %d is not %s", i, asked[i]);
  }
  reset(&in);
}

#define CREATE "CREATE TABLE `it``s` (`a` BIGINT, `b` BIGINT)"
#define INSERT_THREE "INSERT INTO `it``s` (`a`, `b`) VALUES (?, ?), (?, ?), (?, ?)"

static void test_modes(void **state) {
  (void)state;
  static const char *const create[] = {CREATE, INSERT_THREE};
  static const char *const replace[] = {"DROP TABLE IF EXISTS `it``s`", CREATE,
                                        INSERT_THREE};
  static const char *const either[] = {
      "CREATE TABLE IF NOT EXISTS `it``s` (`a` BIGINT, `b` BIGINT)", INSERT_THREE};
  static const char *const append[] = {INSERT_THREE};
  static const char *const look[] = {"SELECT * FROM `it``s` LIMIT 0"};
  expect(NULL, 3, create, 2);
  expect("adbc.ingest.mode.create", 3, create, 2);
  expect("adbc.ingest.mode.replace", 3, replace, 3);
  expect("adbc.ingest.mode.create_append", 3, either, 2);
  expect("adbc.ingest.mode.append", 3, append, 1);
  expect("adbc.ingest.mode.append", 0, look, 1);
  expect("adbc.ingest.mode.create", 0, create, 1);
}

static void test_where_the_table_is(void **state) {
  (void)state;
  struct ingestion in;
  init(&in, "adbc.ingest.mode.append");
  run_set(&in.r, "adbc.ingest.target_catalog", "main");
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, ingest(&in, "a", 1), &in.err);
  LB_TEST_CONTAINS(in.err.message, "needs adbc.ingest.target_db_schema beside it");
  assert_int_equal(run_calls(&in.r), 0);
  reset(&in);
  init(&in, "adbc.ingest.mode.append");
  run_set(&in.r, "adbc.ingest.target_catalog", "main");
  run_set(&in.r, "adbc.ingest.target_db_schema", "a.b");
  run_says_changed(&in.r, 1);
  LB_TEST_OK(ingest(&in, "a", 1), &in.err);
  assert_true(run_asked(&in.r, 0, "INSERT INTO `main`.`a.b`.`it``s` (`a`) VALUES (?)"));
  reset(&in);
}

/* More values than the server takes parameters: they are in the text. */
static void test_many_values_are_literals(void **state) {
  (void)state;
  static int64_t many[300];
  struct ingestion in;
  init(&in, "adbc.ingest.mode.append");
  for (int64_t i = 0; i < 300; i++) many[i] = 1000 + i;
  run_says_changed(&in.r, 300);
  LB_TEST_OK(lb_series_create(in.r.c.sess, in.r.opts, NULL, &in.series, &in.err),
             &in.err);
  struct lb_binding *binding = bound_array("a", many, 300);
  LB_TEST_OK(lb_series_ingest(in.series, binding, &in.rows, &in.err), &in.err);
  lb_binding_release(binding);
  assert_int_equal(in.rows, 300);
  assert_int_equal(run_calls(&in.r), 1);
  assert_false(run_asked(&in.r, 0, "?"));
  assert_true(run_asked(&in.r, 0, "1299"));
  reset(&in);
}

/* Of a table that was there: it is not like the data. Of one that was just made, or for
 * another reason: what the server says. */
static void expect_refusal(const char *mode, const char *sqlstate,
                           enum lb_status wanted) {
  struct ingestion in;
  init(&in, mode);
  if (!strstr(mode, ".append")) run_says_changed(&in.r, 0);
  run_says_error(&in.r, sqlstate, "no");
  LB_TEST_FAILS(wanted, ingest(&in, "a", 3), &in.err);
  assert_int_equal(strstr(in.err.message, "the table is not like the data: ") != NULL,
                   wanted == LB_ALREADY_EXISTS);
  assert_int_equal(in.rows, -1);
  reset(&in);
}

static void test_a_table_that_is_not_like_the_data(void **state) {
  (void)state;
  expect_refusal("adbc.ingest.mode.append", "42K05", LB_ALREADY_EXISTS);
  expect_refusal("adbc.ingest.mode.append", "22003", LB_ALREADY_EXISTS);
  expect_refusal("adbc.ingest.mode.create_append", "21S01", LB_ALREADY_EXISTS);
  expect_refusal("adbc.ingest.mode.append", "42P01", LB_SERVER); /* not there */
  expect_refusal("adbc.ingest.mode.append", "42501", LB_SERVER); /* not allowed */
  expect_refusal("adbc.ingest.mode.append", "58030", LB_SERVER);
  expect_refusal("adbc.ingest.mode.create", "42K05", LB_SERVER);
}

static void test_columns_without_a_name(void **state) {
  (void)state;
  struct ingestion in;
  init(&in, NULL);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, ingest(&in, "a  c", 1), &in.err);
  LB_TEST_CONTAINS(in.err.message, "column 2 of the data to ingest has no name");
  assert_int_equal(run_calls(&in.r), 0);
  reset(&in);
}

LB_TEST_MAIN(LB_TEST(test_modes), LB_TEST(test_where_the_table_is),
             LB_TEST(test_many_values_are_literals),
             LB_TEST(test_a_table_that_is_not_like_the_data),
             LB_TEST(test_columns_without_a_name))
