/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/text_values.h"

#include "base/test_support.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void check_date(const char *text, int32_t wanted) {
  int32_t days = 12345;
  enum lb_text_result result = lb_text_to_date32(lb_str_from(text), &days);
  if (result != LB_TEXT_OK || days != wanted) {
    fail_msg("%s: result %d, %" PRId32 " days", text, (int)result, days);
  }
}

static void test_dates(void **state) {
  (void)state;
  /* Counted with java.time's LocalDate.toEpochDay and Python's date.toordinal. */
  check_date("1970-01-01", 0);
  check_date("1969-12-31", -1);
  check_date("2024-02-29", 19782);
  check_date("2000-02-29", 11016);
  check_date("1900-03-01", -25508);
  check_date("1582-10-04", -141438);
  check_date("0001-01-01", -719162);
  check_date("0000-01-01", -719528);
  check_date("0000-02-29", -719469);
  check_date("-0001-12-31", -719529);
  check_date("-0044-03-15", -735525);
  check_date("9999-12-31", 2932896);
  check_date("+12345-01-01", 3789391);
  check_date(" 2024-01-02 ", 19724);
}

/* Every day of 2800 years in a row: no formula error can hide. */
static void test_dates_in_a_row(void **state) {
  (void)state;
  static const int month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int32_t wanted = -719528 - 146097; /* -0400-01-01: one cycle before the year 0 */
  for (int year = -400; year < 2400; year++) {
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 1; month <= 12; month++) {
      int days = month_days[month - 1] + (leap && month == 2);
      for (int day = 1; day <= days; day++) {
        char text[32];
        snprintf(text, sizeof(text), "%s%04d-%02d-%02d", year < 0 ? "-" : "",
                 year < 0 ? -year : year, month, day);
        check_date(text, wanted++);
      }
    }
  }
}

static void test_bad_dates(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "2024",
                                      "2024-1-02",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2024-02-30",
                                      "2023-02-29",
                                      "1900-02-29",
                                      "2024-01-00",
                                      "2024-01-32",
                                      "24-01-01",
                                      "2024/01/01",
                                      "2024-01-01x",
                                      "x2024-01-01",
                                      "--2024-01-01",
                                      "+-2024-01-01",
                                      "2024-01",
                                      "2024-01-",
                                      "2024-01-1",
                                      "20/4-01-01",
                                      "202:-01-01",
                                      "2024-0/-01",
                                      "2024-01-0:",
                                      "2024--1-01",
                                      "2024-01-01 00:00:00",
                                      "NULL"};
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    int32_t days = 7;
    if (lb_text_to_date32(lb_str_from(texts[i]), &days) != LB_TEXT_MALFORMED ||
        days != 7) {
      fail_msg("\"%s\" was taken", texts[i]);
    }
  }
  int32_t days = 7;
  assert_int_equal(lb_text_to_date32(LB_STR("99999999-01-01"), &days), LB_TEXT_RANGE);
  assert_int_equal(lb_text_to_date32(LB_STR("6000000-01-01"), &days), LB_TEXT_RANGE);
  assert_int_equal(lb_text_to_date32(LB_STR("-6000000-01-01"), &days), LB_TEXT_RANGE);
  assert_int_equal(days, 7);
}

/* The common form has a way of its own, which a sign in front closes: both say the same
 * of whatever byte stands wherever. */
static void test_damaged_dates(void **state) {
  (void)state;
  static const char *const dates[] = {"2024-02-29", "1999-12-31", "0000-01-01"};
  for (size_t i = 0; i < LB_ARRAY_LEN(dates) * 10 * 256; i++) {
    char text[12] = "+";
    memcpy(text + 1, dates[i / 2560], 10);
    text[1 + i / 256 % 10] = (char)(i % 256);
    int32_t days = 7, wanted = 7;
    enum lb_text_result result = lb_text_to_date32((struct lb_str){text + 1, 10}, &days);
    if (text[1] == '-' || text[1] == '+' || text[1] == ' ')
      continue; /* no longer alike */
    enum lb_text_result slow = lb_text_to_date32((struct lb_str){text, 11}, &wanted);
    if (result != slow || days != wanted) fail_msg("%s: %d, %d", text, result, slow);
  }
}

static void check_timestamp(const char *text, int64_t wanted) {
  int64_t micros = 12345;
  enum lb_text_result result = lb_text_to_timestamp_us(lb_str_from(text), &micros);
  if (result != LB_TEXT_OK || micros != wanted) {
    fail_msg("%s: result %d, %" PRId64, text, result, micros);
  }
}

static void test_timestamps(void **state) {
  (void)state;
  check_timestamp("1970-01-01 00:00:00", 0);
  check_timestamp("1970-01-01 00:00:00.000001", 1);
  check_timestamp("1969-12-31 23:59:59.999999", -1);
  check_timestamp("2024-02-29 12:34:56.789", INT64_C(1709210096789000));
  check_timestamp("2024-02-29T12:34:56.789", INT64_C(1709210096789000));
  check_timestamp("2024-02-29 12:34:56", INT64_C(1709210096000000));
  check_timestamp("2024-02-29 12:34", INT64_C(1709210040000000));
  check_timestamp("2024-02-29 1:02:03", INT64_C(1709168523000000));
  check_timestamp("2024-02-29", INT64_C(1709164800000000));
  check_timestamp("2024-02-29 12:34:56.1", INT64_C(1709210096100000));
  check_timestamp("2024-02-29 12:34:56.123456000", INT64_C(1709210096123456));
  check_timestamp("0001-01-01 00:00:00", INT64_C(-62135596800000000));
  check_timestamp("9999-12-31 23:59:59.999999", INT64_C(253402300799999999));
  check_timestamp("-0044-03-15 00:00:00", INT64_C(-735525) * 86400 * 1000000);
  check_timestamp("+294247-01-10 04:00:54.775807", INT64_MAX);
}

static void test_bad_timestamps(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "2024-02-29x12:34:56",
                                      "2024-02-29 24:00:00",
                                      "2024-02-29 12:60:00",
                                      "2024-02-29 12:00:60",
                                      "2024-02-29 12:00:00.",
                                      "2024-02-29 12:00:00.1234567890",
                                      "2024-02-29 12:00:00Z",
                                      "2024-02-29 12:00:00 Europe/Berlin",
                                      "2024-02-29 12",
                                      "2024-02-29 12:0:00",
                                      "2024-02-29 123:00:00",
                                      "2024-02-29 :00:00",
                                      "2024-02-30 12:00:00"};
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    int64_t micros = 7;
    if (lb_text_to_timestamp_us(lb_str_from(texts[i]), &micros) != LB_TEXT_MALFORMED) {
      fail_msg("\"%s\" was taken", texts[i]);
    }
    assert_int_equal(micros, 7);
  }
  int64_t micros = 7;
  assert_int_equal(
      lb_text_to_timestamp_us(LB_STR("2024-01-01 00:00:00.1234567"), &micros),
      LB_TEXT_INEXACT);
  assert_int_equal(
      lb_text_to_timestamp_us(LB_STR("2024-01-01 00:00:00.000000001"), &micros),
      LB_TEXT_INEXACT);
  assert_int_equal(
      lb_text_to_timestamp_us(LB_STR("+294247-01-10 04:00:54.775808"), &micros),
      LB_TEXT_RANGE);
  assert_int_equal(lb_text_to_timestamp_us(LB_STR("-999999-01-01 00:00:00"), &micros),
                   LB_TEXT_RANGE);
  assert_int_equal(micros, 7);
}

static __int128 ten_to(int n) {
  __int128 value = 1;
  for (int i = 0; i < n; i++) value *= 10;
  return value;
}

static void check_decimal(const char *text, int precision, int scale, __int128 wanted) {
  __int128 value = 12345;
  enum lb_text_result result =
      lb_text_to_decimal128(lb_str_from(text), precision, scale, &value);
  if (result != LB_TEXT_OK || value != wanted) {
    fail_msg("%s: result %d, low half %" PRId64, text, result, (int64_t)value);
  }
}

static void test_decimals(void **state) {
  (void)state;
  check_decimal("12.340", 10, 3, 12340);
  check_decimal("12.34", 10, 3, 12340);
  check_decimal("-0.000000001", 38, 9, -1);
  check_decimal("1.000000000000000000", 38, 18, ten_to(18));
  check_decimal("10000000000", 11, 0, 10000000000);
  check_decimal("10000000000", 13, 2, 1000000000000);
  check_decimal("0", 1, 0, 0);
  check_decimal("-0.00", 3, 2, 0);
  check_decimal("0E-18", 38, 2, 0);
  check_decimal("+5", 1, 0, 5);
  check_decimal(".5", 2, 1, 5);
  check_decimal("5.", 2, 1, 50);
  check_decimal("007.10", 2, 1, 71);
  check_decimal("1.5e3", 4, 0, 1500);
  check_decimal("15E-1", 2, 1, 15);
  check_decimal("1500e-2", 2, 0, 15);
  check_decimal("1e37", 38, 0, ten_to(37));
  check_decimal("12345678901234567890123456789012345678", 38, 0,
                (__int128)1234567890123456789 * ten_to(19) + 123456789012345678);
  check_decimal("99999999999999999999999999999999999999", 38, 0, ten_to(38) - 1);
  check_decimal("-99999999999999999999999999999999999999", 38, 0, 1 - ten_to(38));
  check_decimal("0.99999999999999999999999999999999999999", 38, 38, ten_to(38) - 1);
  check_decimal("1.00000000000000000000000000000000000000000000000000", 5, 2, 100);
  check_decimal("0000000000000000000000000000000000000000000000000001", 5, 2, 100);
  /* Arrow knows negative scales, though SQL does not. */
  check_decimal("500", 10, -2, 5);
  check_decimal("0", 10, -2, 0);
}

static void check_bad_decimal(const char *text, int precision, int scale,
                              enum lb_text_result wanted) {
  __int128 value = 7;
  enum lb_text_result result =
      lb_text_to_decimal128(lb_str_from(text), precision, scale, &value);
  if (result != wanted || value != 7) fail_msg("\"%s\": result %d", text, (int)result);
}

static void test_bad_decimals(void **state) {
  (void)state;
  static const char *const texts[] = {"",    "-",   ".",  "1.2.3", "1,5", "abc",
                                      "1e",  "1e+", "e5", "--1",   "+-1", "0x10",
                                      "NaN", "1 2", "-.", "1e5x"};
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    check_bad_decimal(texts[i], 38, 10, LB_TEXT_MALFORMED);
  }
  check_bad_decimal("100", 2, 0, LB_TEXT_RANGE);
  check_bad_decimal("1.5", 5, 0, LB_TEXT_INEXACT);
  check_bad_decimal("0.001", 5, 2, LB_TEXT_INEXACT);
  check_bad_decimal("100000000000000000000000000000000000000", 38, 0, LB_TEXT_RANGE);
  check_bad_decimal("123456789012345678901234567890123456789", 38, 0, LB_TEXT_RANGE);
  check_bad_decimal("1e38", 38, 0, LB_TEXT_RANGE);
  check_bad_decimal("1e999999999999999999999", 38, 0, LB_TEXT_RANGE);
  check_bad_decimal("1e-999999999999999999999", 38, 0, LB_TEXT_INEXACT);
}

static void check_double(double value, const char *wanted) {
  char text[LB_NUMBER_TEXT_BYTES];
  size_t len = lb_double_to_text(value, text);
  if (!lb_str_equal((struct lb_str){text, len}, lb_str_from(wanted))) {
    fail_msg("%s: got %.*s", wanted, (int)len, text);
  }
}

static void test_numbers_to_text(void **state) {
  (void)state;
  static const struct {
    int64_t value;
    const char *text;
  } ints[] = {{0, "0"},
              {-1, "-1"},
              {1234567890, "1234567890"},
              {INT64_MAX, "9223372036854775807"},
              {INT64_MIN, "-9223372036854775808"}};
  for (size_t i = 0; i < LB_ARRAY_LEN(ints); i++) {
    char text[LB_NUMBER_TEXT_BYTES];
    size_t len = lb_i64_to_text(ints[i].value, text);
    assert_true(lb_str_equal((struct lb_str){text, len}, lb_str_from(ints[i].text)));
  }
  check_double(0.1, "0.1");
  check_double(1.5, "1.5");
  check_double(-3, "-3");
  check_double(1e-7, "1e-07");
  check_double(0.1 + 0.2, "0.30000000000000004");
  check_double(-1.7976931348623157e308, "-1.7976931348623157e+308");
  check_double(-2.2250738585072014e-308, "-2.2250738585072014e-308");
  check_double((double)INFINITY, "Infinity");
  check_double(-(double)INFINITY, "-Infinity");
  check_double((double)NAN, "NaN");
}

static void test_year_month_intervals(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum lb_text_result result;
    int32_t months;
  } rows[] = {
      {"1-2", LB_TEXT_OK, 14},
      {"-1-2", LB_TEXT_OK, -14},
      {"0-5", LB_TEXT_OK, 5},
      {"-0-5", LB_TEXT_OK, -5},
      {"3-0", LB_TEXT_OK, 36},
      {"+0-0", LB_TEXT_OK, 0},
      {"178956970-7", LB_TEXT_OK, INT32_MAX},
      {"-178956970-8", LB_TEXT_OK, INT32_MIN},
      {"178956970-8", LB_TEXT_RANGE, 0},
      {"9999999999999999999-0", LB_TEXT_MALFORMED, 0},
      {"1-12", LB_TEXT_MALFORMED, 0},
      {"1", LB_TEXT_MALFORMED, 0},
      {"1-", LB_TEXT_MALFORMED, 0},
      {"-", LB_TEXT_MALFORMED, 0},
      {"1-2-3", LB_TEXT_MALFORMED, 0},
      {"", LB_TEXT_MALFORMED, 0},
      {"1 02:03:04", LB_TEXT_MALFORMED, 0},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    int32_t months = 0;
    assert_int_equal(lb_text_to_months(lb_str_from(rows[i].text), &months),
                     rows[i].result);
    assert_int_equal(months, rows[i].months);
  }
}

static void test_day_time_intervals(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum lb_text_result result;
    int64_t micros;
  } rows[] = {
      {"1 02:03:04.500000000", LB_TEXT_OK, INT64_C(93784500000)},
      {"-1 02:03:04.000001000", LB_TEXT_OK, INT64_C(-93784000001)},
      {"0 00:10:00.000000000", LB_TEXT_OK, INT64_C(600000000)},
      {"-0 00:00:00.000001", LB_TEXT_OK, -1},
      {"106751991 04:00:54.775807000", LB_TEXT_OK, INT64_MAX},
      {"-106751991 04:00:54.775808000", LB_TEXT_OK, INT64_MIN},
      {"106751991 04:00:54.775808000", LB_TEXT_RANGE, 0},
      {"106751992 00:00:00", LB_TEXT_RANGE, 0},
      {"0 00:00:00.000000001", LB_TEXT_INEXACT, 0},
      {"1", LB_TEXT_MALFORMED, 0},
      {"1-2", LB_TEXT_MALFORMED, 0},
      {"0 24:00:00", LB_TEXT_MALFORMED, 0},
      {"0 00:00:00 x", LB_TEXT_MALFORMED, 0},
      {"", LB_TEXT_MALFORMED, 0},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    int64_t micros = 0;
    assert_int_equal(lb_text_to_duration_us(lb_str_from(rows[i].text), &micros),
                     rows[i].result);
    assert_int_equal(micros, rows[i].micros);
  }
}

static void test_nanoseconds_are_cut(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"2024-01-02 03:04:05.123456789", "2024-01-02 03:04:05.123456"},
      {"2024-01-02 03:04:05.1234567", "2024-01-02 03:04:05.123456"},
      {"2024-01-02 03:04:05.123456", "2024-01-02 03:04:05.123456"},
      {"2024-01-02 03:04:05", "2024-01-02 03:04:05"},
      {"20240102", "20240102"},
      {".1234567", ".123456"},
      {"", ""},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_str cut = lb_text_cut_nanoseconds(lb_str_from(rows[i][0]));
    assert_true(lb_str_equal(cut, lb_str_from(rows[i][1])));
  }
}

LB_TEST_MAIN(LB_TEST(test_year_month_intervals), LB_TEST(test_day_time_intervals),
             LB_TEST(test_nanoseconds_are_cut), LB_TEST(test_dates),
             LB_TEST(test_dates_in_a_row), LB_TEST(test_bad_dates),
             LB_TEST(test_damaged_dates), LB_TEST(test_timestamps),
             LB_TEST(test_bad_timestamps), LB_TEST(test_decimals),
             LB_TEST(test_bad_decimals), LB_TEST(test_numbers_to_text))
