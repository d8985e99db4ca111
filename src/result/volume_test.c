/* SPDX-License-Identifier: Apache-2.0 */
#include "result/volume.h"

#include "base/test_support.h"

/* What comes of a server's wish: LB_PROTOCOL when the statement does not ask for it. No
 * folder is allowed, so that nothing comes of any other. */
static enum lb_status wish(const char *sql, const char *operation, const char *local,
                           struct lb_error *err) {
  const struct lb_volume_params params = {.sql = lb_str_from(sql)};
  struct lb_volume_row row = {.operation = lb_str_from(operation),
                              .url = LB_STR("https://store/x"),
                              .local_file = lb_str_from(local)};
  return lb_volume_carry_out(NULL, &params, &row, err);
}

static void test_the_statement_names_the_file(void **state) {
  (void)state;
  static const struct {
    const char *sql, *operation, *local;
  } good[] =
      {
          {"PUT '/d/a' INTO '/Volumes/m/s/v/a'", "PUT", "/d/a"},
          {"put \"/d/it's\" into '/Volumes/m/s/v/a'", "PUT", "/d/it's"},
          {"-- it's\nGET '/Volumes/m/s/v/a' TO '/d/a b';", "GET", "/d/a b"},
      },
    bad[] = {
        {"PUT '/d/a' INTO '/Volumes/m/s/v/a'", "GET", "/d/a"},
        {"PUT '/d/a' INTO '/Volumes/m/s/v/a'", "PUT", "/d/b"},
        /* A part of what it names, and what only ends like it. */
        {"PUT '/d/a.csv' INTO '/Volumes/m/s/v/a'", "PUT", "/d/a"},
        {"PUT '/d/a' INTO '/Volumes/m/s/v/d/secret'", "PUT", "/d/secret"},
        {"GET '/Volumes/m/s/v/a' TO '/d/sub/a'", "GET", "/d/sub"},
        {"GET '/Volumes/m/s/v/a' TO '/d/a' -- /d/b", "GET", "/d/b"},
        {"GET '/Volumes/m/s/v/a' TO '/d/a' -- '/d/b'", "GET", "/d/b"},
        {"GET '/Volumes/m/s/v/a' TO '/d/a\"", "GET", "/d/a"},
        {"PUT", "PUT", "PUT"},
        {"PUT '", "PUT", "/d/a"},
    };
  struct lb_error err = LB_ERROR_INIT;
  for (size_t i = 0; i < LB_ARRAY_LEN(good); i++) {
    LB_TEST_FAILS(LB_INVALID_ARGUMENT,
                  wish(good[i].sql, good[i].operation, good[i].local, &err), &err);
    LB_TEST_CONTAINS(err.message, "databricks.volume.allowed_local_paths");
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
    LB_TEST_FAILS(LB_PROTOCOL, wish(bad[i].sql, bad[i].operation, bad[i].local, &err),
                  &err);
    LB_TEST_CONTAINS(err.message, "no local file was touched");
  }
}

/* A row as servers give it, with these headers. */
static void make_row(const char *headers, struct ArrowSchema *schema,
                     struct ArrowArray *array) {
  static const char *const names[] = {"operation", "presignedUrl", "headers",
                                      "localFile"};
  const char *values[] = {"PUT", "https://store/x", headers, "/d/a"};
  ArrowSchemaInit(schema);
  assert_int_equal(ArrowSchemaSetTypeStruct(schema, 4), NANOARROW_OK);
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    struct ArrowSchema *child = schema->children[i];
    assert_int_equal(ArrowSchemaSetType(child, NANOARROW_TYPE_STRING), NANOARROW_OK);
    assert_int_equal(ArrowSchemaSetName(child, names[i]), NANOARROW_OK);
  }
  assert_int_equal(ArrowArrayInitFromSchema(array, schema, NULL), NANOARROW_OK);
  assert_int_equal(ArrowArrayStartAppending(array), NANOARROW_OK);
  for (size_t i = 0; i < LB_ARRAY_LEN(values); i++) {
    struct ArrowArray *child = array->children[i];
    int done = values[i] ? ArrowArrayAppendString(child, ArrowCharView(values[i]))
                         : ArrowArrayAppendNull(child, 1);
    assert_int_equal(done, NANOARROW_OK);
  }
  assert_int_equal(ArrowArrayFinishElement(array), NANOARROW_OK);
  assert_int_equal(ArrowArrayFinishBuildingDefault(array, NULL), NANOARROW_OK);
}

/* The lines that come of such headers, each ended by '|'; wanted NULL: an error. */
static void expect_headers(const char *headers, const char *wanted) {
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct lb_volume_row row;
  struct lb_error err = LB_ERROR_INIT;
  make_row(headers, &schema, &array);
  enum lb_status status = lb_volume_read_row(&schema, &array, &row, &err);
  if (wanted) {
    LB_TEST_OK(status, &err);
    assert_int_equal(row.headers.len, strlen(wanted));
    for (size_t i = 0; i < row.headers.len; i++) {
      assert_int_equal(wanted[i] == '|' ? 0 : wanted[i], row.headers.data[i]);
    }
  } else {
    LB_TEST_FAILS(LB_PROTOCOL, status, &err);
    LB_TEST_CONTAINS(err.message, "its headers");
  }
  lb_buf_reset(&row.headers);
  ArrowArrayRelease(&array);
  ArrowSchemaRelease(&schema);
}

static void test_headers(void **state) {
  (void)state;
  expect_headers(NULL, "");
  expect_headers(" ", "");
  expect_headers("{}", "");
  expect_headers("{\"a\": \"1\" , \"b/\\\"\\/\\\\\":\"\"} ", "a: 1|b/\"/\\: |");
  expect_headers("{\"a\":\"x\\u003dy\\u003D\\u0026\"}", "a: x=y=&|");
  static const char *const bad[] = {"x",
                                    "{",
                                    "{\"a\"}",
                                    "{\"a\":1}",
                                    "{\"a\":\"b\"",
                                    "{\"a\":\"b\"}x",
                                    "{\"a\":\"b\",}",
                                    "{\"a\":\"\\",
                                    "{\"a\":\"\\n\"}",
                                    "{\"a\":\"\\u00",
                                    "{\"a\":\"\\u000a\"}",
                                    "{\"a\":\"\\u12g4\"}",
                                    "{\"a\":\"\\u00fc\"}"};
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) expect_headers(bad[i], NULL);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct ArrowSchema schema;
  struct ArrowArray array;
  make_row("{\"a\": \"1\", \"b\": \"2\"}", &schema, &array);
  LB_TEST_TORTURE({
    struct lb_volume_row row;
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OOM_OR_OK(lb_volume_read_row(&schema, &array, &row, &err), &err);
    lb_buf_reset(&row.headers);
  });
  ArrowArrayRelease(&array);
  ArrowSchemaRelease(&schema);
}

LB_TEST_MAIN(LB_TEST(test_the_statement_names_the_file), LB_TEST(test_headers),
             LB_TEST(test_out_of_memory))
