/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/test_support.h"

static void break_invariant(void *ctx) {
  (void)ctx;
  lb_assert_failed("1 == 2", "some_file.c", 77);
}

static void ignore_and_break(void *ctx) {
  (void)signal(SIGABRT, SIG_IGN);
  break_invariant(ctx);
}

static void test_names_the_broken_invariant_and_ends(void **state) {
  (void)state;
  char said[4096];
  assert_true(lb_test_dies(break_invariant, NULL, said, sizeof(said)));
  LB_TEST_CONTAINS(said, "some_file.c:77: broken invariant: 1 == 2\n");
}

static void test_ends_although_abort_is_ignored(void **state) {
  (void)state;
  char said[4096];
  assert_true(lb_test_dies(ignore_and_break, NULL, said, sizeof(said)));
}

static void assert_false_claim(void *ctx) {
  int *calls = ctx;
  LB_ASSERT(++*calls == 0);
}

static void test_assert_is_checked_in_debug_builds_only(void **state) {
  (void)state;
  char said[4096];
  int calls = 0;
#if defined(LB_DEBUG) && LB_DEBUG
  assert_true(lb_test_dies(assert_false_claim, &calls, said, sizeof(said)));
  LB_TEST_CONTAINS(said, "broken invariant: ++*calls == 0");
#else
  assert_false(lb_test_dies(assert_false_claim, &calls, said, sizeof(said)));
  assert_false_claim(&calls);
  assert_int_equal(calls, 0);
#endif
}

static void test_size_arithmetic_notices_overflow(void **state) {
  (void)state;
  size_t out;
  assert_true(lb_size_add(SIZE_MAX - 1, 1, &out));
  assert_true(out == SIZE_MAX);
  assert_false(lb_size_add(SIZE_MAX, 1, &out));
  assert_true(lb_size_mul(3, 7, &out));
  assert_int_equal(out, 21);
  assert_false(lb_size_mul(SIZE_MAX / 2, 3, &out));
}

LB_TEST_MAIN(LB_TEST(test_names_the_broken_invariant_and_ends),
             LB_TEST(test_ends_although_abort_is_ignored),
             LB_TEST(test_assert_is_checked_in_debug_builds_only),
             LB_TEST(test_size_arithmetic_notices_overflow))
