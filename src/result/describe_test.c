/* SPDX-License-Identifier: Apache-2.0 */
#include "result/describe.h"

#include "base/test_support.h"

static void a_query_becomes_a_subquery(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_buf out;
  lb_buf_init(&out, LB_MEM_MISC, 1024);
  LB_TEST_OK(lb_describe_query(LB_STR(" SELECT 1 -- one;\n ;;"), &out, &err), &err);
  assert_string_equal(lb_buf_text(&out),
                      "SELECT * FROM (\nSELECT 1\n) " LB_DESCRIBE_ALIAS " LIMIT 0");
  lb_buf_reset(&out);
}

static void what_is_no_query_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"INSERT INTO t VALUES (1)", "DROP TABLE t", "", ";",
                                      "/* SELECT */ DELETE FROM t"};
  struct lb_buf out;
  lb_buf_init(&out, LB_MEM_MISC, 1024);
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    struct lb_error err = LB_ERROR_INIT;
    assert_int_equal(lb_describe_query(lb_str_from(texts[i]), &out, &err),
                     LB_NOT_IMPLEMENTED);
    assert_int_equal(out.len, 0);
  }
  lb_buf_reset(&out);
}

static void a_table_in_front_goes(void **state) {
  (void)state;
  static const char *const names[][2] = {{"t.a", "a"}, {"T.b", "b"}, {"tt.c", "tt.c"},
                                         {"t", "t"},   {"t.", ""},   {"d", "d"}};
  struct lb_error err = LB_ERROR_INIT;
  struct ArrowSchema schema;
  int64_t count = LB_ARRAY_LEN(names);
  ArrowSchemaInit(&schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(&schema, count), 0);
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(ArrowSchemaSetType(schema.children[i], NANOARROW_TYPE_INT32), 0);
    assert_int_equal(ArrowSchemaSetName(schema.children[i], names[i][0]), 0);
  }
  LB_TEST_OK(lb_describe_plain_names(&schema, "t", &err), &err);
  for (int64_t i = 0; i < count; i++) {
    assert_string_equal(schema.children[i]->name, names[i][1]);
  }
  schema.release(&schema);
}

LB_TEST_MAIN(LB_TEST(a_query_becomes_a_subquery), LB_TEST(what_is_no_query_is_refused),
             LB_TEST(a_table_in_front_goes))
