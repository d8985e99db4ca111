/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/test_support.h"

#define COUNT 1000

static struct lb_heap_node *pop(struct lb_heap *heap) {
  struct lb_heap_node *node = lb_heap_min(heap);
  if (node != NULL) lb_heap_remove(heap, node);
  return node;
}

static void check_shape(const struct lb_heap *heap) {
  for (uint32_t i = 0; i < heap->len; i++) {
    assert_int_equal(heap->nodes[i]->index, i);
    if (i > 0) assert_true(heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key);
  }
}

static void test_leaves_in_order_of_key(void **state) {
  (void)state;
  struct lb_heap heap;
  struct lb_heap_node nodes[COUNT];
  struct lb_random_state seed;
  lb_random_seed(&seed, 7);
  struct lb_random rnd = lb_random_from(&seed);
  lb_heap_init(&heap, LB_MEM_HB);
  assert_null(lb_heap_min(&heap));
  for (int i = 0; i < COUNT; i++) {
    lb_heap_node_init(&nodes[i]);
    int64_t key = lb_random_between(&rnd, -500, 500);
    LB_TEST_OK(lb_heap_insert(&heap, &nodes[i], key, NULL), NULL);
  }
  check_shape(&heap);
  int64_t last = INT64_MIN;
  for (int i = 0; i < COUNT; i++) {
    struct lb_heap_node *node = pop(&heap);
    assert_true(node->key >= last);
    assert_false(lb_heap_contains(node));
    last = node->key;
  }
  assert_null(pop(&heap));
  lb_heap_reset(&heap);
}

static void test_equal_keys_leave_as_they_came(void **state) {
  (void)state;
  struct lb_heap heap;
  struct lb_heap_node nodes[100];
  lb_heap_init(&heap, LB_MEM_HB);
  /* The counter wraps on the way. */
  heap.next_seq = UINT32_MAX - 50;
  for (size_t i = 0; i < LB_ARRAY_LEN(nodes); i++) {
    lb_heap_node_init(&nodes[i]);
    LB_TEST_OK(lb_heap_insert(&heap, &nodes[i], 5, NULL), NULL);
  }
  lb_heap_update(&heap, &nodes[3], 5);
  for (size_t i = 0; i < LB_ARRAY_LEN(nodes); i++) {
    if (i != 3) assert_ptr_equal(pop(&heap), &nodes[i]);
  }
  assert_ptr_equal(pop(&heap), &nodes[3]);
  lb_heap_reset(&heap);
}

static void test_update_and_remove_anywhere(void **state) {
  (void)state;
  struct lb_heap heap;
  struct lb_heap_node nodes[COUNT];
  struct lb_random_state seed;
  lb_random_seed(&seed, 8);
  struct lb_random rnd = lb_random_from(&seed);
  lb_heap_init(&heap, LB_MEM_HB);
  for (int i = 0; i < COUNT; i++) {
    lb_heap_node_init(&nodes[i]);
    LB_TEST_OK(lb_heap_insert(&heap, &nodes[i], i, NULL), NULL);
  }
  for (int i = 0; i < 4000; i++) {
    struct lb_heap_node *node = &nodes[lb_random_between(&rnd, 0, COUNT - 1)];
    int64_t key = lb_random_between(&rnd, INT64_MIN, INT64_MAX);
    if (!lb_heap_contains(node)) {
      LB_TEST_OK(lb_heap_insert(&heap, node, key, NULL), NULL);
    } else if (key % 3 == 0) {
      lb_heap_remove(&heap, node);
      lb_heap_remove(&heap, node);
    } else {
      lb_heap_update(&heap, node, key);
    }
    if (i % 50 == 0) check_shape(&heap);
  }
  check_shape(&heap);
  uint32_t left = 0;
  for (int i = 0; i < COUNT; i++) left += lb_heap_contains(&nodes[i]) ? 1 : 0;
  assert_int_equal(left, heap.len);
  lb_heap_reset(&heap);
  for (int i = 0; i < COUNT; i++) assert_false(lb_heap_contains(&nodes[i]));
}

static void test_reserved_room_cannot_fail(void **state) {
  (void)state;
  struct lb_heap heap;
  struct lb_heap_node nodes[COUNT];
  lb_heap_init(&heap, LB_MEM_HB);
  LB_TEST_OK(lb_heap_reserve(&heap, COUNT, NULL), NULL);
  lb_mem_fail_nth(1, true);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < COUNT; i++) {
      lb_heap_node_init(&nodes[i]);
      LB_TEST_OK(lb_heap_insert(&heap, &nodes[i], -i, NULL), NULL);
    }
    while (pop(&heap) != NULL) continue;
  }
  assert_false(lb_mem_failed());
  lb_mem_fail_nth(0, false);
  lb_heap_reset(&heap);
}

static void fill(void) {
  struct lb_heap heap;
  struct lb_heap_node nodes[200];
  struct lb_error err = LB_ERROR_INIT;
  uint32_t in = 0;
  lb_heap_init(&heap, LB_MEM_HB);
  for (size_t i = 0; i < LB_ARRAY_LEN(nodes); i++) {
    lb_heap_node_init(&nodes[i]);
    enum lb_status status = lb_heap_insert(&heap, &nodes[i], (int64_t)i, &err);
    assert_true(lb_heap_contains(&nodes[i]) == (status == LB_OK));
    if (status == LB_OK) in++;
    if (status != LB_OK) assert_int_equal(err.status, LB_OUT_OF_MEMORY);
  }
  assert_int_equal(heap.len, in);
  assert_true((in == LB_ARRAY_LEN(nodes)) == !lb_mem_failed());
  check_shape(&heap);
  lb_heap_reset(&heap);
}

static void test_out_of_memory_leaves_the_heap_whole(void **state) {
  (void)state;
  LB_TEST_TORTURE(fill());
}

LB_TEST_MAIN(LB_TEST(test_leaves_in_order_of_key),
             LB_TEST(test_equal_keys_leave_as_they_came),
             LB_TEST(test_update_and_remove_anywhere),
             LB_TEST(test_reserved_room_cannot_fail),
             LB_TEST(test_out_of_memory_leaves_the_heap_whole))
