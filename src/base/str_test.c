/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <locale.h>
#include <math.h>

#include "base/test_support.h"

static void test_compare(void **state) {
  (void)state;
  struct lb_str null = lb_str_from(NULL);
  assert_int_equal(null.len, 0);
  assert_true(lb_str_equal(null, LB_STR("")));
  assert_true(lb_str_equal(LB_STR("a\0b"), LB_STR("a\0b")));
  assert_false(lb_str_equal(LB_STR("a\0b"), LB_STR("a\0c")));
  assert_false(lb_str_equal(LB_STR("a"), LB_STR("ab")));
  assert_true(lb_str_equal_nocase(LB_STR("Az[9"), LB_STR("aZ[9")));
  assert_false(lb_str_equal_nocase(LB_STR("["), LB_STR("{")));
  assert_false(lb_str_equal_nocase(LB_STR("\xC4"), LB_STR("\xE4")));
  assert_true(lb_str_starts_with(LB_STR("abc"), LB_STR("ab")));
  assert_true(lb_str_starts_with(LB_STR("abc"), LB_STR("")));
  assert_false(lb_str_starts_with(LB_STR("a"), LB_STR("ab")));
  assert_false(lb_str_starts_with(LB_STR("Abc"), LB_STR("ab")));
  assert_int_equal(lb_str_compare_nocase(LB_STR("Ab"), LB_STR("aB")), 0);
  assert_int_equal(lb_str_compare_nocase(LB_STR("ab"), LB_STR("ABC")), -1);
  assert_int_equal(lb_str_compare_nocase(LB_STR("b"), LB_STR("ABC")), 1);
  assert_int_equal(lb_str_compare_nocase(LB_STR("\xC4"), LB_STR("z")), 1);
  assert_true(lb_str_starts_with_nocase(LB_STR("ABc"), LB_STR("ab")));
  assert_false(lb_str_starts_with_nocase(LB_STR("A"), LB_STR("ab")));
}

static void test_find(void **state) {
  (void)state;
  assert_int_equal(lb_str_find(LB_STR("abcabd"), LB_STR("abd")), 3);
  assert_int_equal(lb_str_find(LB_STR("abc"), LB_STR("")), 0);
  assert_true(lb_str_find(LB_STR("abc"), LB_STR("abcd")) == SIZE_MAX);
  assert_true(lb_str_find(lb_str_from(NULL), LB_STR("a")) == SIZE_MAX);
  assert_true(lb_str_find(LB_STR("abc"), LB_STR("B")) == SIZE_MAX);
  assert_int_equal(lb_str_find_nocase(LB_STR("abcABD"), LB_STR("aBd")), 3);
  assert_int_equal(lb_str_find_nocase(LB_STR("abc"), LB_STR("")), 0);
  assert_true(lb_str_find_nocase(LB_STR("abc"), LB_STR("cd")) == SIZE_MAX);
  assert_true(lb_str_find_nocase(LB_STR("a"), LB_STR("ab")) == SIZE_MAX);
}

static void test_trim(void **state) {
  (void)state;
  assert_true(lb_str_equal(lb_str_trim(LB_STR(" \t\r\n\v\f a b \n")), LB_STR("a b")));
  assert_int_equal(lb_str_trim(LB_STR(" \n ")).len, 0);
  assert_int_equal(lb_str_trim(lb_str_from(NULL)).len, 0);
}

static void test_copy_cuts_at_a_character(void **state) {
  (void)state;
  char dst[8] = "xxxxxxx";
  assert_int_equal(lb_str_copy(dst, 0, LB_STR("a")), 0);
  assert_string_equal(dst, "xxxxxxx");
  assert_int_equal(lb_str_copy(dst, 1, LB_STR("abc")), 0);
  assert_string_equal(dst, "");
  assert_int_equal(lb_str_copy(dst, sizeof(dst), LB_STR("abcdefgh")), 7);
  assert_string_equal(dst, "abcdefg");
  assert_int_equal(lb_str_copy(dst, sizeof(dst), lb_str_from(NULL)), 0);
  /* U+1F600 has four bytes, of which one, two, three and four fit. */
  for (size_t cap = 4; cap <= 7; cap++) {
    size_t whole = cap == 7 ? 6 : 2;
    assert_int_equal(lb_str_copy(dst, cap, LB_STR("ab\xF0\x9F\x98\x80z")), whole);
  }
  assert_int_equal(lb_str_copy(dst, sizeof(dst), LB_STR("ab\xF0\x9F")), 2);
  /* Bytes that begin nothing are the caller's affair. */
  assert_int_equal(lb_str_copy(dst, sizeof(dst), LB_STR("\x80\x80\x80\x80")), 4);
}

static void test_to_i64(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value;
  } good[] = {{"0", 0},
              {"-0", 0},
              {"+17", 17},
              {"-17", -17},
              {"007", 7},
              {"9223372036854775807", INT64_MAX},
              {"-9223372036854775808", INT64_MIN}};
  static const char *const bad[] = {"",
                                    "-",
                                    "+",
                                    " 1",
                                    "1 ",
                                    "1.0",
                                    "0x1",
                                    "1_",
                                    "--1",
                                    "1e3",
                                    "9223372036854775808",
                                    "-9223372036854775809",
                                    "99999999999999999999"};
  for (size_t i = 0; i < LB_ARRAY_LEN(good); i++) {
    int64_t value = 99;
    assert_true(lb_str_to_i64(lb_str_from(good[i].text), &value));
    assert_true(value == good[i].value);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
    int64_t value = 99;
    assert_false(lb_str_to_i64(lb_str_from(bad[i]), &value));
    assert_int_equal(value, 99);
  }
}

static void check_doubles(void) {
  static const struct {
    const char *text;
    double value;
  } good[] = {{"0", 0},
              {"1.5", 1.5},
              {"-1.5e3", -1500},
              {"+.5", 0.5},
              {"5.", 5},
              {"1E-2", 0.01},
              {"1e+2", 100},
              {"0.1", 0.1},
              {"1.7976931348623157e308", 1.7976931348623157e308},
              {"5e-324", 5e-324},
              {"1e-999", 0}};
  static const char *const bad[] = {"",     ".",    "-",     "1e",     "1e+",    "e5",
                                    "0x10", "1,5",  " 1",    "1 ",     "1f",     "--1",
                                    "na",   "infi", "1e999", "-1e999", "nan(1)", "1.2.3"};
  for (size_t i = 0; i < LB_ARRAY_LEN(good); i++) {
    double value = 99;
    assert_true(lb_str_to_double(lb_str_from(good[i].text), &value));
    assert_memory_equal(&value, &good[i].value, sizeof(value));
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
    double value = 99;
    assert_false(lb_str_to_double(lb_str_from(bad[i]), &value));
    assert_true(value > 98 && value < 100);
  }
}

static void test_to_double(void **state) {
  (void)state;
  check_doubles();
}

static void test_to_double_ignores_the_locale(void **state) {
  (void)state;
  /* Which ones are installed differs; all but the first write 1,5. */
  static const char *const locales[] = {"C.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE",
                                        "nl_NL.UTF-8"};
  for (size_t i = 0; i < LB_ARRAY_LEN(locales); i++) {
    if (setlocale(LC_ALL, locales[i]) == NULL) continue;
    check_doubles();
  }
  assert_non_null(setlocale(LC_ALL, "C"));
}

static void test_to_double_special_values(void **state) {
  (void)state;
  static const char *const infinite[] = {"Infinity", "inf", "+INF", "-Infinity", "-inf"};
  double value = 0;
  for (size_t i = 0; i < LB_ARRAY_LEN(infinite); i++) {
    assert_true(lb_str_to_double(lb_str_from(infinite[i]), &value));
    assert_true(isinf(value));
    assert_true((value < 0) == (infinite[i][0] == '-'));
  }
  assert_true(lb_str_to_double(LB_STR("NaN"), &value));
  assert_true(isnan(value));
  assert_true(lb_str_to_double(LB_STR("nan"), &value));
  assert_true(isnan(value));
}

static void test_to_double_long_texts(void **state) {
  (void)state;
  char text[1100];
  memset(text, '0', sizeof(text));
  text[1022] = '7';
  double value = 0;
  assert_true(lb_str_to_double((struct lb_str){text, 1023}, &value));
  assert_true(value > 6.5 && value < 7.5);
  assert_false(lb_str_to_double((struct lb_str){text, 1024}, &value));
}

static void test_to_bool(void **state) {
  (void)state;
  static const char *const yes[] = {"true", "TRUE", "1", "on", "Yes"};
  static const char *const no[] = {"false", "False", "0", "OFF", "no"};
  static const char *const bad[] = {"", "2", "t", "truee", "o", "disabled"};
  bool value;
  for (size_t i = 0; i < LB_ARRAY_LEN(yes); i++) {
    value = false;
    assert_true(lb_str_to_bool(lb_str_from(yes[i]), &value) && value);
    value = true;
    assert_true(lb_str_to_bool(lb_str_from(no[i]), &value) && !value);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
    assert_false(lb_str_to_bool(lb_str_from(bad[i]), &value));
  }
}

static const struct {
  const char *text;
  size_t len;
  bool valid;
  const char *cleaned;
} utf8_cases[] = {
    {"", 0, true, ""},
    {"plain ascii, more than eight", 28, true, "plain ascii, more than eight"},
    {"a\0b", 3, true, "a\0b"},
    {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9, true,
     "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", 10, true,
     "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"},
    {"\x80", 1, false, "?"},
    {"\xC3", 1, false, "?"},
    {"\xC3(", 2, false, "?("},
    {"\xC0\xAF", 2, false, "??"},
    {"\xC1\xBF", 2, false, "??"},
    {"\xE0\x9F\xBF", 3, false, "???"},
    {"\xF0\x8F\xBF\xBF", 4, false, "????"},
    {"\xED\xA0\x80", 3, false, "???"},
    {"\xF4\x90\x80\x80", 4, false, "????"},
    {"\xF5\x80\x80\x80", 4, false, "????"},
    {"\xFF", 1, false, "?"},
    {"\xE2\x82", 2, false, "??"},
    {"\xE2\x82z", 3, false, "??z"},
    {"\xF0\x9F\x98", 3, false, "???"},
    {"12345678\xE2\x82\xAC\x80tail", 16, false, "12345678\xE2\x82\xAC?tail"},
};

static void test_utf8(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(utf8_cases); i++) {
    char copy[32];
    size_t len = utf8_cases[i].len;
    assert_true(lb_utf8_valid(utf8_cases[i].text, len) == utf8_cases[i].valid);
    memcpy(copy, utf8_cases[i].text, len);
    lb_utf8_clean(copy, len);
    if (len > 0) assert_memory_equal(copy, utf8_cases[i].cleaned, len);
    assert_true(lb_utf8_valid(copy, len));
  }
}

static void test_utf8_at_every_offset(void **state) {
  (void)state;
  for (size_t at = 0; at < 20; at++) {
    char text[24];
    memset(text, 'a', sizeof(text));
    text[at] = (char)0xC3;
    assert_false(lb_utf8_valid(text, sizeof(text)));
    text[at + 1] = (char)0xA4;
    assert_true(lb_utf8_valid(text, sizeof(text)));
    assert_false(lb_utf8_valid(text, at + 1));
  }
}

static void test_uuid(void **state) {
  (void)state;
  uint8_t uuid[16];
  for (size_t i = 0; i < sizeof(uuid); i++) uuid[i] = (uint8_t)(i * 17);
  char text[37];
  lb_uuid_text(uuid, text);
  assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
}

static void test_base64(void **state) {
  (void)state;
  static const struct {
    const char *plain;
    const char *coded;
  } cases[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xFB\xFF\xFE", "+//+"}};
  for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
    char text[16];
    size_t len = strlen(cases[i].plain);
    size_t coded = lb_base64_encode(text, (const uint8_t *)cases[i].plain, len);
    assert_string_equal(text, cases[i].coded);
    assert_int_equal(coded, strlen(text));
  }
}

LB_TEST_MAIN(LB_TEST(test_compare), LB_TEST(test_find), LB_TEST(test_trim),
             LB_TEST(test_copy_cuts_at_a_character), LB_TEST(test_to_i64),
             LB_TEST(test_to_double), LB_TEST(test_to_double_ignores_the_locale),
             LB_TEST(test_to_double_special_values), LB_TEST(test_to_double_long_texts),
             LB_TEST(test_to_bool), LB_TEST(test_utf8),
             LB_TEST(test_utf8_at_every_offset), LB_TEST(test_uuid), LB_TEST(test_base64))
