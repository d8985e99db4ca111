/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/statistics.h"

#include "base/test_support.h"

static void sizes_and_counts_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t bytes, rows;
  } lines[] = {
      {"1024 bytes, 10 rows", 1024, 10},
      {"1024 bytes", 1024, -1},
      {" 0 bytes,0 rows ", 0, 0},
      {"10 ROWS", -1, 10},
      {"-1 bytes, x rows", -1, -1},
      {"99999999999999999999 bytes, 1 rows", -1, 1},
      {"1024bytes", -1, -1},
      {"", -1, -1},
      {",", -1, -1},
      {NULL, -1, -1},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(lines); i++) {
    int64_t bytes = 7, rows = 7;
    lb_statistics_parse(lb_str_from(lines[i].text), &bytes, &rows);
    assert_int_equal(bytes, lines[i].bytes);
    assert_int_equal(rows, lines[i].rows);
  }
}

LB_TEST_MAIN(LB_TEST(sizes_and_counts_are_read))
