/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "base/test_support.h"

static void test_known_sequence(void **state) {
  (void)state;
  /* The published reference: state 1, 2, 3, 4 begins with these. */
  struct lb_random_state seed = {{1, 2, 3, 4}};
  struct lb_random rnd = lb_random_from(&seed);
  assert_true(rnd.next(rnd.ctx) == UINT64_C(11520));
  assert_true(rnd.next(rnd.ctx) == UINT64_C(0));
  assert_true(rnd.next(rnd.ctx) == UINT64_C(1509978240));
  assert_true(rnd.next(rnd.ctx) == UINT64_C(1215971899390074240));
}

static void test_seeds_differ_and_repeat(void **state) {
  (void)state;
  struct lb_random_state a, b, c;
  lb_random_seed(&a, 0);
  lb_random_seed(&b, 1);
  lb_random_seed(&c, 0);
  assert_memory_equal(&a, &c, sizeof(a));
  assert_memory_not_equal(&a, &b, sizeof(a));
  assert_true((a.s[0] | a.s[1] | a.s[2] | a.s[3]) != 0);
  lb_random_seed_os(&a);
  lb_random_seed_os(&b);
  assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_between_covers_the_range(void **state) {
  (void)state;
  struct lb_random_state seed;
  lb_random_seed(&seed, 3);
  struct lb_random rnd = lb_random_from(&seed);
  int seen[7] = {0};
  for (int i = 0; i < 7000; i++) {
    int64_t n = lb_random_between(&rnd, -3, 3);
    assert_true(n >= -3 && n <= 3);
    seen[n + 3]++;
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(seen); i++) assert_in_range(seen[i], 850, 1150);
}

static void test_between_ends(void **state) {
  (void)state;
  static const uint64_t draws[] = {LB_FAKE_RANDOM_LOW, LB_FAKE_RANDOM_MIDDLE,
                                   LB_FAKE_RANDOM_HIGH};
  struct lb_fake_random fake = {.values = draws, .len = LB_ARRAY_LEN(draws)};
  struct lb_random rnd = lb_fake_random_from(&fake);
  assert_true(lb_random_between(&rnd, 100, 200) == 100);
  assert_true(lb_random_between(&rnd, 100, 200) == 150);
  assert_true(lb_random_between(&rnd, 100, 200) == 200);
  assert_true(lb_random_between(&rnd, INT64_MIN, INT64_MAX) == INT64_MIN);
  assert_true(lb_random_between(&rnd, INT64_MIN, INT64_MAX) == 0);
  assert_true(lb_random_between(&rnd, INT64_MIN, INT64_MAX) == INT64_MAX);
  assert_true(lb_random_between(&rnd, 9, 9) == 9);
  assert_int_equal(fake.used, 6);
}

LB_TEST_MAIN(LB_TEST(test_known_sequence), LB_TEST(test_seeds_differ_and_repeat),
             LB_TEST(test_between_covers_the_range), LB_TEST(test_between_ends))
