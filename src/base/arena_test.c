/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/test_support.h"

static void test_rooms_are_aligned_zeroed_and_apart(void **state) {
  (void)state;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, SIZE_MAX);
  uint8_t *rooms[200];
  for (size_t i = 0; i < LB_ARRAY_LEN(rooms); i++) {
    size_t size = i * 13;
    rooms[i] = lb_arena_alloc(&arena, size);
    assert_non_null(rooms[i]);
    assert_int_equal((uintptr_t)rooms[i] % 16, 0);
    for (size_t k = 0; k < size; k++) assert_int_equal(rooms[i][k], 0);
    memset(rooms[i], (int)i, size);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(rooms); i++) {
    for (size_t k = 0; k < i * 13; k++) assert_int_equal(rooms[i][k], i);
  }
  lb_arena_reset(&arena);
  assert_int_equal(arena.used, 0);
  assert_non_null(lb_arena_alloc(&arena, 1));
  lb_arena_reset(&arena);
}

static void test_a_large_room_leaves_the_head_in_use(void **state) {
  (void)state;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, SIZE_MAX);
  char *small = lb_arena_alloc(&arena, 16);
  char *large = lb_arena_alloc(&arena, 1000000);
  char *next = lb_arena_alloc(&arena, 16);
  assert_non_null(small);
  assert_non_null(large);
  large[999999] = 'x';
  assert_non_null(next);
  assert_ptr_equal(next, small + 16);
  lb_arena_reset(&arena);
}

static void test_small_rooms_share_blocks(void **state) {
  (void)state;
  struct lb_arena arena;
  int64_t blocks = lb_test_live_blocks();
  lb_arena_init(&arena, LB_MEM_WIRE, SIZE_MAX);
  for (int i = 0; i < 100000; i++) assert_non_null(lb_arena_alloc(&arena, 16));
  assert_true(lb_test_live_blocks() - blocks <= 16);
  assert_int_equal(arena.used, 1600000);
  lb_arena_reset(&arena);
}

static void test_ceiling(void **state) {
  (void)state;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, 64);
  assert_non_null(lb_arena_alloc(&arena, 33));
  assert_null(lb_arena_alloc(&arena, 17));
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_DATA, lb_arena_refused(&arena, 17, "a text", &err), &err);
  LB_TEST_CONTAINS(err.message, "a text needs 17 bytes, and the limit of 64 bytes");
  LB_TEST_FAILS(LB_INVALID_DATA, lb_arena_refused(&arena, SIZE_MAX, "a text", &err),
                &err);
  LB_TEST_FAILS(LB_OUT_OF_MEMORY, lb_arena_refused(&arena, 16, "a text", &err), &err);
  assert_non_null(lb_arena_alloc(&arena, 16));
  assert_null(lb_arena_alloc(&arena, 0));
  assert_null(lb_arena_strdup(&arena, LB_STR("")));
  lb_arena_reset(&arena);
  assert_non_null(lb_arena_alloc(&arena, 64));
  lb_arena_reset(&arena);
}

static void test_impossible_sizes(void **state) {
  (void)state;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, SIZE_MAX);
  assert_null(lb_arena_alloc(&arena, SIZE_MAX));
  assert_null(lb_arena_alloc(&arena, SIZE_MAX - 31));
  assert_null(lb_arena_array(&arena, SIZE_MAX / 2, 3));
  assert_null(lb_arena_strdup(&arena, (struct lb_str){"x", SIZE_MAX}));
  assert_non_null(lb_arena_array(&arena, 3, 5));
  lb_arena_reset(&arena);
}

static void test_strdup(void **state) {
  (void)state;
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, 1000);
  assert_string_equal(lb_arena_strdup(&arena, (struct lb_str){"lakebeat", 4}), "lake");
  assert_string_equal(lb_arena_strdup(&arena, lb_str_from(NULL)), "");
  lb_arena_reset(&arena);
}

static void fill(void) {
  struct lb_arena arena;
  lb_arena_init(&arena, LB_MEM_WIRE, SIZE_MAX);
  bool all = lb_arena_alloc(&arena, 100) != NULL;
  all = lb_arena_array(&arena, 100, 100) != NULL && all;
  all = lb_arena_strdup(&arena, LB_STR("x")) != NULL && all;
  for (int i = 0; i < 10; i++) all = lb_arena_alloc(&arena, 4000) != NULL && all;
  assert_true(all == !lb_mem_failed());
  lb_arena_reset(&arena);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(fill());
}

LB_TEST_MAIN(LB_TEST(test_rooms_are_aligned_zeroed_and_apart),
             LB_TEST(test_a_large_room_leaves_the_head_in_use),
             LB_TEST(test_small_rooms_share_blocks), LB_TEST(test_ceiling),
             LB_TEST(test_impossible_sizes), LB_TEST(test_strdup),
             LB_TEST(test_out_of_memory))
