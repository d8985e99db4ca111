/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "base/test_support.h"

struct item {
  int value;
  struct lb_list node;
};

static int value_of(struct lb_list *node) {
  return LB_CONTAINER_OF(node, struct item, node)->value;
}

/* The values as digits of one number, first to last. */
static int digits(struct lb_list *list) {
  int sum = 0;
  LB_LIST_FOR_EACH_SAFE(node, tmp, list) sum = sum * 10 + value_of(node);
  int back = 0;
  int scale = 1;
  for (struct lb_list *node = list->prev; node != list; node = node->prev) {
    back += scale * value_of(node);
    scale *= 10;
  }
  assert_int_equal(sum, back);
  return sum;
}

static void test_push_pop_and_order(void **state) {
  (void)state;
  struct lb_list list;
  struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
  lb_list_init(&list);
  assert_true(lb_list_empty(&list));
  assert_null(lb_list_pop(&list));
  lb_list_push_back(&list, &items[0].node);
  lb_list_push_back(&list, &items[1].node);
  lb_list_push_front(&list, &items[2].node);
  assert_int_equal(digits(&list), 312);
  assert_int_equal(value_of(lb_list_pop(&list)), 3);
  assert_int_equal(digits(&list), 12);
  assert_false(lb_list_empty(&list));
}

static void test_remove_twice_is_harmless(void **state) {
  (void)state;
  struct lb_list list;
  struct item items[2] = {{.value = 1}, {.value = 2}};
  lb_list_init(&list);
  assert_false(lb_list_linked(&items[0].node));
  lb_list_push_back(&list, &items[0].node);
  lb_list_push_back(&list, &items[1].node);
  assert_true(lb_list_linked(&items[0].node));
  lb_list_remove(&items[0].node);
  lb_list_remove(&items[0].node);
  assert_false(lb_list_linked(&items[0].node));
  assert_int_equal(digits(&list), 2);
}

static void test_splice(void **state) {
  (void)state;
  struct lb_list a, b;
  struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
  lb_list_init(&a);
  lb_list_init(&b);
  lb_list_splice(&a, &b);
  assert_true(lb_list_empty(&a));
  for (int i = 0; i < 4; i++) lb_list_push_back(i < 2 ? &a : &b, &items[i].node);
  lb_list_splice(&a, &b);
  assert_int_equal(digits(&a), 1234);
  assert_true(lb_list_empty(&b));
  lb_list_splice(&b, &a);
  assert_int_equal(digits(&b), 1234);
  assert_true(lb_list_empty(&a));
}

static void test_loop_may_remove(void **state) {
  (void)state;
  struct lb_list list;
  struct item items[5];
  lb_list_init(&list);
  for (int i = 0; i < 5; i++) {
    items[i].value = i + 1;
    lb_list_push_back(&list, &items[i].node);
  }
  LB_LIST_FOR_EACH_SAFE(node, tmp, &list) {
    if (value_of(node) % 2 == 1) lb_list_remove(node);
  }
  assert_int_equal(digits(&list), 24);
}

LB_TEST_MAIN(LB_TEST(test_push_pop_and_order), LB_TEST(test_remove_twice_is_harmless),
             LB_TEST(test_splice), LB_TEST(test_loop_may_remove))
