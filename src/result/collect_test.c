/* SPDX-License-Identifier: Apache-2.0 */
#include "result/collect.h"

#include "wire/arrow_test_support.h"

static const struct field fields[] = {{.name = "n", .type = NANOARROW_TYPE_INT64},
                                      {.name = "s", .type = NANOARROW_TYPE_STRING}};
#define FIELDS ((int)LB_ARRAY_LEN(fields))

enum { END = 0, WAIT = -1, FAIL = -2 };

/* A script of lengths: arrays of so many rows; WAIT: what follows is not at hand until it
 * is waited for; FAIL: an error, the last step; END: no more. */
struct rig {
  struct ArrowSchema schema;
  struct lb_collector *col;
  const int64_t *steps;
  int at;
  const void *made; /* the numbers of the first array since the last one was read */
  int64_t made_rows;
  int64_t read_rows;
  int waits;
  struct lb_error err;
};

static enum lb_status make_next(struct rig *rig, struct ArrowArray *out,
                                struct lb_error *err) {
  int64_t step = rig->steps[rig->at];
  out->release = NULL;
  if (step == FAIL) {
    rig->at++;
    return lb_error_set(err, LB_INVALID_DATA, "spoilt");
  }
  if (step <= 0) return LB_OK;
  make_array(out, &rig->schema, fields, FIELDS, rig->made_rows, step);
  rig->made_rows += step;
  if (rig->made == NULL) rig->made = out->children[0]->buffers[1];
  rig->at++;
  return LB_OK;
}

static enum lb_status next(void *ctx, struct ArrowArray *out, struct lb_error *err) {
  struct rig *rig = ctx;
  if (rig->steps[rig->at] == WAIT) rig->at++;
  rig->waits++;
  return make_next(rig, out, err);
}

static enum lb_status at_hand(void *ctx, struct ArrowArray *out, struct lb_error *err) {
  return make_next(ctx, out, err);
}

static void rig_open(struct rig *rig, int64_t target, const int64_t *steps) {
  *rig = (struct rig){.steps = steps};
  const struct lb_collect_source source = {.next = next, .at_hand = at_hand, .ctx = rig};
  make_schema(&rig->schema, fields, FIELDS);
  LB_TEST_OK(lb_collector_create(&rig->schema, target, &source, &rig->col, &rig->err),
             &rig->err);
}

static void rig_close(struct rig *rig) {
  lb_collector_destroy(rig->col);
  ArrowSchemaRelease(&rig->schema);
}

/* The next array has so many rows, the right ones; 0: there is none. */
static void gives_next(struct rig *rig, int64_t rows, bool untouched) {
  struct ArrowArray array = {0};
  LB_TEST_OK(lb_collector_next(rig->col, &array, &rig->err), &rig->err);
  if (rows == 0) {
    assert_null(array.release);
    return;
  }
  assert_non_null(array.release);
  assert_int_equal(array.length, rows);
  check_rows(&rig->schema, fields, FIELDS, &array, rig->read_rows, rows);
  assert_int_equal(untouched, array.children[0]->buffers[1] == rig->made);
  rig->read_rows += rows;
  rig->made = NULL;
  array.release(&array);
}

static void gives(struct rig *rig, int64_t rows) { gives_next(rig, rows, false); }

/* The very array of the source. */
static void gives_untouched(struct rig *rig, int64_t rows) {
  gives_next(rig, rows, true);
}

static void test_small_ones_become_one(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){10, 20, 30, 40, 10, 10, END});
  gives(&rig, 100);
  gives(&rig, 20);
  gives(&rig, 0);
  gives(&rig, 0);
  assert_int_equal(rig.waits, 4);
  rig_close(&rig);
}

/* What has to be waited for is never waited for to make an array larger. */
static void test_nothing_is_waited_for(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){10, WAIT, 20, 30, WAIT, 5, WAIT, END});
  gives_untouched(&rig, 10);
  lb_collector_rest(rig.col);
  assert_int_equal(rig.waits, 1);
  gives(&rig, 50);
  assert_int_equal(rig.waits, 2);
  lb_collector_rest(rig.col);
  gives_untouched(&rig, 5);
  gives(&rig, 0);
  rig_close(&rig);
}

/* What is alone, or large, is handed out as it came: no byte is copied. */
static void test_large_ones_pass(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){50, 70, 500, WAIT, 10, WAIT, END});
  gives_untouched(&rig, 50);
  gives_untouched(&rig, 70);
  gives_untouched(&rig, 500);
  gives_untouched(&rig, 10);
  gives(&rig, 0);
  rig_close(&rig);
  rig_open(&rig, 100, (int64_t[]){10, 10, 60, 10, 10, WAIT, END});
  gives(&rig, 20);
  gives(&rig, 60); /* was left over */
  gives(&rig, 20);
  gives(&rig, 0);
  rig_close(&rig);
}

static void test_what_has_no_room_is_left_over(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){40, 40, 40, 40, 15, WAIT, 1, END});
  gives(&rig, 80);
  gives(&rig, 95);
  gives_untouched(&rig, 1);
  gives(&rig, 0);
  rig_close(&rig);
}

/* Never a row less: the error comes behind the rows before it, and again. */
static void test_failures_have_their_turn(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){40, 40, 40, FAIL, END});
  gives(&rig, 80);
  gives(&rig, 40);
  for (int i = 0; i < 3; i++) {
    struct ArrowArray array = {0};
    lb_error_reset(&rig.err);
    LB_TEST_FAILS(LB_INVALID_DATA, lb_collector_next(rig.col, &array, &rig.err),
                  &rig.err);
    LB_TEST_CONTAINS(rig.err.message, "spoilt");
    assert_null(array.release);
  }
  rig_close(&rig);
  rig_open(&rig, 100, (int64_t[]){WAIT, FAIL, END});
  struct ArrowArray array = {0};
  LB_TEST_FAILS(LB_INVALID_DATA, lb_collector_next(rig.col, &array, &rig.err), &rig.err);
  assert_null(array.release);
  rig_close(&rig);
}

/* What was not handed out is released. */
static void test_given_up(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){40, 40, 40, 40, END});
  gives(&rig, 80);
  rig_close(&rig);
}

static void test_rest_keeps_what_is_left_over(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, 100, (int64_t[]){40, 40, 40, 40, WAIT, END});
  gives(&rig, 80);
  lb_collector_rest(rig.col);
  gives(&rig, 80);
  lb_collector_rest(rig.col);
  gives(&rig, 0);
  rig_close(&rig);
}

/* Without memory for a copy arrays go out one by one, and what is left over when the
 * reader gives up is released. */
static void read_without_memory(int64_t rows) {
  LB_TEST_TORTURE({
    struct rig rig = {.steps = (int64_t[]){10, 20, 30, 80, END}};
    const struct lb_collect_source source = {
        .next = next, .at_hand = at_hand, .ctx = &rig};
    make_schema(&rig.schema, fields, FIELDS);
    enum lb_status status =
        lb_collector_create(&rig.schema, 100, &source, &rig.col, &rig.err);
    if (status != LB_OK) LB_TEST_OOM_OR_OK(status, &rig.err);
    while (status == LB_OK && rig.read_rows < rows) {
      struct ArrowArray array = {0};
      LB_TEST_OK(lb_collector_next(rig.col, &array, &rig.err), &rig.err);
      check_rows(&rig.schema, fields, FIELDS, &array, rig.read_rows, array.length);
      rig.read_rows += array.length;
      array.release(&array);
    }
    rig_close(&rig);
  });
}

static void test_out_of_memory(void **state) {
  (void)state;
  read_without_memory(140);
  read_without_memory(1);
}

LB_TEST_MAIN(LB_TEST(test_small_ones_become_one), LB_TEST(test_nothing_is_waited_for),
             LB_TEST(test_large_ones_pass), LB_TEST(test_what_has_no_room_is_left_over),
             LB_TEST(test_failures_have_their_turn), LB_TEST(test_given_up),
             LB_TEST(test_rest_keeps_what_is_left_over), LB_TEST(test_out_of_memory))
