/* SPDX-License-Identifier: Apache-2.0 */
#include "session/sql_state.h"

#include "base/test_support.h"

static void test_what_changes_a_session(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    bool changes;
  } rows[] = {
      {"SELECT 1", false},
      {"  \n(select 1) union (select 2)", false},
      {"-- USE x\n/* SET a = b */ values (1)", false},
      {"with t as (select 1) insert into x select * from t", false},
      {"INSERT INTO t VALUES (1)", false},
      {"create table t (a int)", false},
      {"drop table t", false},
      {"USE main", true},
      {"use", true},
      {"SET a = b", true},
      {"RESET", true},
      {"DECLARE VARIABLE x INT", true},
      {"CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1", true},
      {"create temp function f() returns int return 1", true},
      {"DROP TEMPORARY VARIABLE x", true},
      {"CACHE TABLE t", true},
      {"ADD JAR 'x'", true},
      {"BEGIN USE x; END", true},
      {"EXECUTE IMMEDIATE 'USE x'", true},
      {"SELECTED 1", true},
      {"", true},
      {"-- nothing", true},
      {"/* open", true},
      {"/* /* */ SELECT */ SET a = b", true},
      {"-- goes on \\\nSELECT\nUSE x", true},
      {"/* /* */ */ select 1", false},
      {"(", true},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    if (lb_sql_changes_session(lb_str_from(rows[i].sql)) == rows[i].changes) continue;
    print_error("%s\n", rows[i].sql);
    fail();
  }
}

LB_TEST_MAIN(LB_TEST(test_what_changes_a_session))
