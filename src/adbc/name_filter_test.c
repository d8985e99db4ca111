/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/name_filter.h"

#include "base/test_support.h"

static void matches_as_adbc_says(void **state) {
  (void)state;
  static const struct {
    const char *filter;
    const char *name; /* NULL: none */
    bool matches;
  } rows[] = {
      {NULL, "a", true},
      {NULL, NULL, true},
      {"", NULL, true},
      {"", "", true},
      {"", "a", false},
      {"a", NULL, false},
      {"%", NULL, false},
      {"%", "", true},
      {"%", "anything", true},
      {"abc", "abc", true},
      {"abc", "ABC", true},
      {"ABC", "abc", true},
      {"abc", "ab", false},
      {"abc", "abcd", false},
      {"a%", "abc", true},
      {"%c", "abc", true},
      {"%b%", "abc", true},
      {"%b", "abc", false},
      {"a_c", "abc", true},
      {"a_c", "ac", false},
      {"_", "\xc3\xa4", true}, /* one character of two bytes */
      {"__", "\xc3\xa4", false},
      {"%_", "\xc3\xa4", true},
      {"%\xa4", "\xc3\xa4", false}, /* half a character is none */
      {"a\\_c", "a\\bc", true},     /* there is no escape */
      {"a\\_c", "a_c", false},
      {"%a%a%a%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"a%%b", "ab", true},
      {"*", "abc", false},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    if (lb_name_matches(rows[i].filter, lb_str_from(rows[i].name)) == rows[i].matches) {
      continue;
    }
    print_error("row %zu: '%s' and '%s'\n", i, rows[i].filter ? rows[i].filter : "NULL",
                rows[i].name ? rows[i].name : "NULL");
    fail();
  }
}

static void server_gets_no_narrower_pattern(void **state) {
  (void)state;
  static const char *const none[] = {NULL, "", "a\\b", "a*", "a|b", "${a}", "\xc3\x84"};
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_MISC, 64);
  for (size_t i = 0; i < LB_ARRAY_LEN(none); i++) {
    assert_false(lb_name_server_pattern(none[i], &buf));
    assert_int_equal(buf.len, 0);
  }
  assert_true(lb_name_server_pattern("My_%Table", &buf));
  assert_string_equal(lb_buf_text(&buf), "my_%table");
  lb_buf_reset(&buf);
}

LB_TEST_MAIN(LB_TEST(matches_as_adbc_says), LB_TEST(server_gets_no_narrower_pattern))
