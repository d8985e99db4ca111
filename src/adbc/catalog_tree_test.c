/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/catalog_tree.h"

#include <stdio.h>

#include "adbc/objects_array.h"

#include "base/buf.h"
#include "base/test_support.h"

#define MAX_BYTES (16u * 1024u * 1024u)

static struct lb_error err;

static void add_table(struct lb_tree *tree, const char *schema, const char *table) {
  struct lb_tree_node *node = NULL;
  LB_TEST_OK(lb_tree_schema(tree, lb_str_from(schema), &node, &err), &err);
  LB_TEST_OK(lb_tree_table(tree, node, lb_str_from(table), LB_STR("TABLE"), &err), &err);
}

static void add_column(struct lb_tree *tree, const char *schema, const char *table,
                       const char *name, int64_t order) {
  struct lb_tree_table *found =
      lb_tree_find(tree, lb_str_from(schema), lb_str_from(table));
  assert_non_null(found);
  struct lb_tree_column column = {.base = {.name = lb_str_from(name), .order = order},
                                  .type_name = LB_STR("INT"),
                                  .auto_increment = -1};
  LB_TEST_OK(lb_tree_add_column(tree, found, &column, &err), &err);
}

/* "s1(t1(a,b),t2())" of the whole tree. */
static void write_list(struct lb_buf *out, const struct lb_tree_node *parent, int level) {
  for (const struct lb_tree_node *n = parent->first; n != NULL; n = n->next) {
    if (n != parent->first) lb_buf_append_text(out, ",");
    lb_buf_append_str(out, n->name.data != NULL ? n->name : LB_STR("NULL"));
    if (level == 3) continue;
    lb_buf_append_text(out, "(");
    write_list(out, n, level + 1);
    lb_buf_append_text(out, ")");
  }
}

static void check_tree(const struct lb_tree *tree, const char *expected) {
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_MISC, 4096);
  write_list(&text, &tree->root, 1);
  assert_string_equal(lb_buf_text(&text), expected);
  lb_buf_reset(&text);
}

static void rows_in_any_order(void **state) {
  (void)state;
  struct lb_tree tree;
  lb_tree_init(&tree, MAX_BYTES);
  add_table(&tree, "b", "t2");
  add_table(&tree, "a", "z");
  add_table(&tree, NULL, "view");
  add_table(&tree, "b", "t1");
  add_table(&tree, "b", "t2");
  add_table(&tree, "a", "t1");
  assert_int_equal(tree.table_count, 5);
  add_column(&tree, "b", "t2", "c", 3);
  add_column(&tree, "a", "t1", "x", 1);
  add_column(&tree, "b", "t2", "a", 1);
  add_column(&tree, "b", "t2", "b", 2);
  add_column(&tree, NULL, "view", "v", 1);
  assert_null(lb_tree_find(&tree, LB_STR("a"), LB_STR("t2")));
  assert_null(lb_tree_find(&tree, LB_STR("c"), LB_STR("t1")));
  assert_false(tree.counts_from_0);
  lb_tree_sort(&tree);
  check_tree(&tree, "NULL(view(v)),a(t1(x),z()),b(t1(),t2(a,b,c))");
  lb_tree_reset(&tree);
  check_tree(&tree, "");
  lb_tree_reset(&tree);
}

static void many_tables_and_columns_in_reverse(void **state) {
  (void)state;
  struct lb_tree tree;
  char name[32];
  lb_tree_init(&tree, MAX_BYTES);
  for (int i = 5000; i > 0; i--) {
    struct lb_str text = {name, (size_t)snprintf(name, sizeof name, "t%05d", i)};
    struct lb_tree_node *schema = NULL;
    LB_TEST_OK(lb_tree_schema(&tree, LB_STR("s"), &schema, &err), &err);
    LB_TEST_OK(lb_tree_table(&tree, schema, text, LB_STR("VIEW"), &err), &err);
  }
  for (int i = 5000; i >= 0; i--) add_column(&tree, "s", "t00001", "c", i);
  assert_true(tree.counts_from_0);
  lb_tree_sort(&tree);
  const struct lb_tree_node *schema = tree.root.first;
  int at = 1;
  for (const struct lb_tree_node *t = schema->first; t != NULL; t = t->next) {
    snprintf(name, sizeof name, "t%05d", at++);
    assert_true(lb_str_equal(t->name, lb_str_from(name)));
  }
  assert_int_equal(at, 5001);
  int64_t order = 0;
  const struct lb_tree_node *first = schema->first;
  for (const struct lb_tree_node *c = first->first; c != NULL; c = c->next) {
    assert_int_equal(c->order, order++);
  }
  assert_int_equal(order, 5001);
  lb_tree_reset(&tree);
}

static void keys_are_put_together(void **state) {
  (void)state;
  struct lb_tree tree;
  lb_tree_init(&tree, MAX_BYTES);
  add_table(&tree, "s", "t");
  struct lb_tree_table *table = lb_tree_find(&tree, LB_STR("s"), LB_STR("t"));
  struct lb_tree_key_column b = {.base = {.name = LB_STR("b"), .order = 2}};
  struct lb_tree_key_column a = {.base = {.name = LB_STR("a"), .order = 1}};
  struct lb_tree_key_column f = {.base = {.name = LB_STR("f"), .order = 1}};
  struct lb_str pk = LB_STR("PRIMARY KEY"), fk = LB_STR("FOREIGN KEY");
  LB_TEST_OK(lb_tree_add_key(&tree, table, LB_STR("pk"), pk, &b, &err), &err);
  LB_TEST_OK(lb_tree_add_key(&tree, table, LB_STR("fk"), fk, &f, &err), &err);
  LB_TEST_OK(lb_tree_add_key(&tree, table, LB_STR("pk"), pk, &a, &err), &err);
  lb_tree_sort(&tree);
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_MISC, 4096);
  write_list(&text, &table->keys, 2);
  assert_string_equal(lb_buf_text(&text), "fk(f),pk(a,b)");
  lb_buf_reset(&text);

  struct lb_tree_key_column *column =
      LB_CONTAINER_OF(table->keys.first->first, struct lb_tree_key_column, base);
  const struct lb_tree_key_column told = {
      .ref_schema = LB_STR("s2"), .ref_table = LB_STR("t2"), .ref_column = LB_STR("id")};
  const struct lb_tree_key_column late = {.ref_table = LB_STR("other")};
  LB_TEST_OK(lb_tree_set_reference(&tree, column, &told, &err), &err);
  LB_TEST_OK(lb_tree_set_reference(&tree, column, &late, &err), &err);
  assert_true(lb_str_equal(column->ref_table, LB_STR("t2")));
  assert_null(column->ref_catalog.data);
  lb_tree_reset(&tree);
}

static void too_much_names_the_remedy(void **state) {
  (void)state;
  struct lb_tree tree;
  struct lb_tree_node *schema = NULL;
  enum lb_status status = LB_OK;
  char name[32];
  lb_tree_init(&tree, 64 * 1024);
  LB_TEST_OK(lb_tree_schema(&tree, LB_STR("s"), &schema, &err), &err);
  for (int i = 0; status == LB_OK && i < 10000; i++) {
    struct lb_str text = {name, (size_t)snprintf(name, sizeof name, "t%d", i)};
    status = lb_tree_table(&tree, schema, text, LB_STR("TABLE"), &err);
  }
  assert_int_equal(status, LB_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "narrow the filters"));
  lb_tree_reset(&tree);
}

/* Each allocation in turn fails: an error, no crash, no leak. */
static void out_of_memory_at_any_place(void **state) {
  (void)state;
  for (int64_t nth = 1;; nth++) {
    struct lb_tree tree;
    struct lb_tree_node *schema = NULL;
    struct lb_tree_column column = {.base.name = LB_STR("c"), .auto_increment = -1};
    struct lb_tree_key_column key = {.base.name = LB_STR("c")};
    enum lb_status status = LB_OK;
    char name[32];
    lb_tree_init(&tree, MAX_BYTES);
    lb_mem_fail_nth(nth, false);
    for (int i = 0; status == LB_OK && i < 400; i++) {
      struct lb_str text = {name, (size_t)snprintf(name, sizeof name, "t%d", i)};
      status = lb_tree_schema(&tree, text, &schema, &err);
      if (status == LB_OK) status = lb_tree_table(&tree, schema, text, text, &err);
      if (status != LB_OK) break;
      struct lb_tree_table *table = lb_tree_find(&tree, text, text);
      assert_non_null(table);
      status = lb_tree_add_column(&tree, table, &column, &err);
      if (status == LB_OK) status = lb_tree_add_key(&tree, table, text, text, &key, &err);
    }
    bool failed = lb_mem_failed();
    lb_mem_fail_nth(0, false);
    assert_int_equal(status, failed ? LB_OUT_OF_MEMORY : LB_OK);
    lb_tree_reset(&tree);
    if (!failed) break;
  }
}

/* Arrow: depth decides which levels are null, which empty. */

static struct ArrowArray *list_item(struct ArrowArray *list) { return list->children[0]; }

static void depth_decides_what_is_null(void **state) {
  (void)state;
  struct lb_tree tree;
  lb_tree_init(&tree, MAX_BYTES);
  add_table(&tree, "s", "t");
  add_column(&tree, "s", "t", "c", 0);
  add_column(&tree, "s", "t", "far", INT64_MAX);
  struct lb_tree_node *empty = NULL;
  LB_TEST_OK(lb_tree_schema(&tree, LB_STR("zz"), &empty, &err), &err);
  for (int depth = 0; depth <= 3; depth++) {
    struct ArrowSchema schema = {0};
    struct ArrowArray array = {0};
    assert_int_equal(lb_objects_schema(&schema), 0);
    assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), 0);
    assert_int_equal(ArrowArrayStartAppending(&array), 0);
    assert_int_equal(lb_objects_append(&array, LB_STR("cat"), &tree, depth), 0);
    assert_int_equal(ArrowArrayFinishBuildingDefault(&array, NULL), 0);
    assert_int_equal(array.length, 1);
    struct ArrowArray *schemas = array.children[1];
    assert_int_equal(schemas->null_count, depth == 1 ? 1 : 0);
    assert_int_equal(list_item(schemas)->length, depth == 1 ? 0 : 2);
    struct ArrowArray *tables = list_item(schemas)->children[1];
    assert_int_equal(tables->null_count, depth == 2 ? 2 : 0);
    assert_int_equal(list_item(tables)->length, depth == 1 || depth == 2 ? 0 : 1);
    struct ArrowArray *columns = list_item(tables)->children[2];
    struct ArrowArray *keys = list_item(tables)->children[3];
    assert_int_equal(columns->null_count, depth == 3 ? 1 : 0);
    assert_int_equal(keys->null_count, depth == 3 ? 1 : 0);
    assert_int_equal(list_item(columns)->length, depth == 0 ? 2 : 0);
    if (depth == 0) {
      const int32_t *ordinals = list_item(columns)->children[1]->buffers[1];
      assert_int_equal(ordinals[0], 1); /* the server counts from 0, ADBC from 1 */
      assert_int_equal(list_item(columns)->children[1]->null_count, 1);
    }
    array.release(&array);
    schema.release(&schema);
  }
  lb_tree_reset(&tree);
}

LB_TEST_MAIN(LB_TEST(rows_in_any_order), LB_TEST(many_tables_and_columns_in_reverse),
             LB_TEST(keys_are_put_together), LB_TEST(too_much_names_the_remedy),
             LB_TEST(out_of_memory_at_any_place), LB_TEST(depth_decides_what_is_null))
