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

LB_TEST_MAIN(LB_TEST(test_the_statement_names_the_file))
