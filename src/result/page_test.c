/* SPDX-License-Identifier: Apache-2.0 */
#include "result/page.h"

#include "base/test_support.h"

#define LIMIT 10

/* A reply of so many batches, or with none of so many rows of a column. */
static struct lb_t_row_set row_set;
static struct lb_t_spark_arrow_batch batches[3];
static int8_t bytes[LIMIT + 1];
static struct lb_t_byte_column numbers = {.values = {.set = true, .items = bytes}};
static struct lb_t_column column = {.byte_val = &numbers};

static enum lb_status read_data(struct lb_str body, const char *what,
                                struct lb_arena *arena, struct lb_reply_data *out,
                                struct lb_error *err) {
  (void)body;
  (void)what;
  (void)arena;
  (void)err;
  *out = (struct lb_reply_data){.row_set = &row_set};
  return LB_OK;
}

static const struct lb_backend backend = {.name = "fake", .read_data = read_data};

static enum lb_status load_at(int64_t first_row, int64_t *rows, struct lb_error *err) {
  struct lb_page page;
  struct lb_buf body;
  lb_buf_init(&body, LB_MEM_IO, 100);
  lb_page_init(&page);
  enum lb_status status =
      lb_page_load(&page, &backend, "FetchResults", &body, first_row, LIMIT, true, err);
  *rows = page.rows;
  lb_page_reset(&page);
  return status;
}

static enum lb_status load(int64_t *rows, struct lb_error *err) {
  return load_at(0, rows, err);
}

static enum lb_status load_batches(int64_t *rows, struct lb_error *err, int32_t count,
                                   const int64_t counts[]) {
  for (int32_t i = 0; i < count; i++) {
    batches[i] = (struct lb_t_spark_arrow_batch){.row_count = LB_T_I64(counts[i])};
  }
  row_set = (struct lb_t_row_set){
      .arrow_batches = {.set = true, .count = count, .items = batches}};
  return load(rows, err);
}

static void test_batches_beyond_the_limit(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  int64_t rows = 0;
  LB_TEST_OK(load_batches(&rows, &err, 2, (int64_t[]){5, 5}), &err);
  assert_int_equal(rows, 10);
  /* The last batch reaches the limit and is sent whole. */
  LB_TEST_OK(load_batches(&rows, &err, 2, (int64_t[]){9, 6}), &err);
  assert_int_equal(rows, 15);
  LB_TEST_OK(load_batches(&rows, &err, 2, (int64_t[]){10, 0}), &err);
  LB_TEST_FAILS(LB_INVALID_DATA, load_batches(&rows, &err, 3, (int64_t[]){5, 5, 5}),
                &err);
  LB_TEST_CONTAINS(err.message, "databricks.max_rows_per_fetch");
  LB_TEST_CONTAINS(err.message, "15");
  LB_TEST_FAILS(LB_INVALID_DATA, load_batches(&rows, &err, 2, (int64_t[]){10, 1}), &err);
}

static void test_columns_beyond_the_limit(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  int64_t rows = 0;
  row_set = (struct lb_t_row_set){.columns = {.set = true, .count = 1, .items = &column}};
  numbers.values.count = LIMIT;
  LB_TEST_OK(load(&rows, &err), &err);
  assert_int_equal(rows, LIMIT);
  numbers.values.count = LIMIT + 1;
  LB_TEST_FAILS(LB_INVALID_DATA, load(&rows, &err), &err);
}

/* A page at such a row, with so many rows, where row 50 is next. */
static enum lb_status load_offset(int64_t offset, int32_t count, struct lb_error *err) {
  int64_t rows = 0;
  batches[0] = (struct lb_t_spark_arrow_batch){.row_count = LB_T_I64(5)};
  row_set = (struct lb_t_row_set){
      .start_row_offset = LB_T_I64(offset),
      .arrow_batches = {.set = true, .count = count, .items = batches}};
  return load_at(50, &rows, err);
}

/* An empty page may be the end; one that stands behind rows that never came is none. */
static void test_pages_that_are_not_next(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(load_offset(50, 1, &err), &err);
  LB_TEST_OK(load_offset(50, 0, &err), &err);
  LB_TEST_OK(load_offset(0, 0, &err), &err);
  LB_TEST_FAILS(LB_INVALID_DATA, load_offset(0, 1, &err), &err);
  LB_TEST_CONTAINS(err.message, "repeated");
  for (int32_t count = 0; count < 2; count++) {
    LB_TEST_FAILS(LB_INVALID_DATA, load_offset(60, count, &err), &err);
    LB_TEST_CONTAINS(err.message, "starts at row 60 came where row 50 was next");
    LB_TEST_CONTAINS(err.message, "lost");
  }
}

LB_TEST_MAIN(LB_TEST(test_pages_that_are_not_next),
             LB_TEST(test_batches_beyond_the_limit),
             LB_TEST(test_columns_beyond_the_limit))
