/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>

#include "base/os.h"
#include "base/test_support.h"

static bool parse(const char *text, int64_t *wall_ms) {
  return lb_http_date_parse(text, strlen(text), wall_ms);
}

static void test_the_three_forms(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t wall_ms;
  } cases[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000)},
      {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777000)},
      {"Sun Nov  6 08:49:37 1994", INT64_C(784111777000)},
      {"Wed Nov 16 08:49:37 1994", INT64_C(784975777000)},
      {" Thu, 01 Jan 1970 00:00:00 GMT\t", 0},
      {"Wed, 31 Dec 1969 23:59:59 GMT", -1000},
      {"Thu, 29 Feb 2024 12:00:00 GMT", INT64_C(1709208000000)},
      {"Tue, 29 Feb 2000 00:00:00 GMT", INT64_C(951782400000)},
      {"Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228800000)},
      {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799000)},
      {"Mon, 01 Jan 1900 00:00:00 GMT", INT64_C(-2208988800000)},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
    int64_t wall_ms = 1;
    assert_true(parse(cases[i].text, &wall_ms));
    assert_true(wall_ms == cases[i].wall_ms);
  }
}

static void test_what_is_no_date(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "120",
      "Sun",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 06 Nov 1994 08:49:37 GMT x",
      "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 06 nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 94 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT",
      "Sun, 31 Nov 1994 08:49:37 GMT",
      "Thu, 29 Feb 2023 12:00:00 GMT",
      "Thu, 29 Feb 1900 12:00:00 GMT",
      "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:60:37 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT",
      "Sun, 06 Nov 1994 08:49:3",
      "Sun, 06 Nov 1994 0a:49:37 GMT",
      "Sunday, 06 Nov 1994 08:49:37 GMT",
      "Sun Nov 6 08:49:37 1994",
      "Sun Nov  6 08:49:37 94",
      "Son, 06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov -994 08:49:37 GMT",
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
    int64_t wall_ms = 1;
    if (parse(bad[i], &wall_ms)) fail_msg("taken for a date: %s", bad[i]);
    assert_true(wall_ms == 1);
  }
}

static void test_a_date_is_bounded_by_its_length(void **state) {
  (void)state;
  static const char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
  int64_t wall_ms;
  for (size_t len = 0; len < sizeof(text) - 1; len++) {
    assert_false(lb_http_date_parse(text, len, &wall_ms));
  }
  assert_false(lb_http_date_parse(NULL, 0, &wall_ms));
}

static void test_two_digit_years_lie_at_most_50_ahead(void **state) {
  (void)state;
  int32_t this_year = lb_date_from_wall_ms(lb_os_wall_ms()).year;
  for (int32_t ahead = -49; ahead <= 50; ahead++) {
    char text[64];
    struct lb_date date = {.year = this_year + ahead, .month = 11, .day = 6, .hour = 8};
    snprintf(text, sizeof(text), "Sunday, 06-Nov-%02d 08:00:00 GMT",
             (int)(date.year % 100));
    int64_t wall_ms;
    assert_true(parse(text, &wall_ms));
    assert_true(wall_ms == lb_date_to_wall_ms(&date));
  }
}

static void test_every_day_there_and_back(void **state) {
  (void)state;
  const int64_t day_ms = 86400000;
  struct lb_date before = lb_date_from_wall_ms(INT64_MIN);
  assert_int_equal(before.year, 0);
  assert_int_equal(before.month, 1);
  assert_int_equal(before.day, 1);
  assert_int_equal(before.hour, 0);
  int64_t wall_ms = lb_date_to_wall_ms(&before);
  for (int64_t days = 1; days < 3652425; days++) {
    wall_ms += day_ms;
    struct lb_date date = lb_date_from_wall_ms(wall_ms);
    bool follows = (date.day == before.day + 1 && date.month == before.month) ||
                   (date.day == 1 && date.month == before.month + 1) ||
                   (date.day == 1 && date.month == 1 && date.year == before.year + 1);
    if (!follows || lb_date_to_wall_ms(&date) != wall_ms) {
      fail_msg("wrong at %d-%d-%d", (int)date.year, (int)date.month, (int)date.day);
    }
    before = date;
  }
  assert_int_equal(before.year, 9999);
  assert_int_equal(before.month, 12);
  assert_int_equal(before.day, 31);
  struct lb_date end = lb_date_from_wall_ms(INT64_MAX);
  assert_int_equal(end.year, 9999);
  assert_int_equal(end.ms, 999);
}

static void test_time_of_day(void **state) {
  (void)state;
  struct lb_date date = lb_date_from_wall_ms(-1);
  assert_int_equal(date.year, 1969);
  assert_int_equal(date.hour, 23);
  assert_int_equal(date.minute, 59);
  assert_int_equal(date.second, 59);
  assert_int_equal(date.ms, 999);
  assert_true(lb_date_to_wall_ms(&date) == -1);
}

static void test_sums_stop_at_never(void **state) {
  (void)state;
  assert_true(lb_ms_add(1, 2) == 3);
  assert_true(lb_ms_add(LB_NEVER_MS, 1) == LB_NEVER_MS);
  assert_true(lb_ms_add(LB_NEVER_MS - 5, 6) == LB_NEVER_MS);
  assert_true(lb_ms_add(-5, LB_NEVER_MS) == LB_NEVER_MS - 5);
}

static void test_system_clocks_run(void **state) {
  (void)state;
  const struct lb_clock *clock = &lb_clock_system;
  int64_t now_ms = clock->now_ms(clock->ctx);
  int64_t awake_ms = clock->awake_ms(clock->ctx);
  assert_true(now_ms > 0);
  assert_true(clock->now_ms(clock->ctx) >= now_ms);
  assert_true(clock->awake_ms(clock->ctx) >= awake_ms);
  assert_true(awake_ms <= clock->now_ms(clock->ctx));
  assert_true(clock->wall_ms(clock->ctx) > INT64_C(1700000000000));
}

static void test_fake_clock(void **state) {
  (void)state;
  struct lb_fake_clock fake = {.now_ms = 10, .awake_ms = 5, .wall_ms = 1000};
  struct lb_clock clock = lb_fake_clock_from(&fake);
  lb_fake_clock_advance(&fake, 100);
  lb_fake_clock_suspend(&fake, 1000);
  assert_true(clock.now_ms(clock.ctx) == 1110);
  assert_true(clock.awake_ms(clock.ctx) == 105);
  assert_true(clock.wall_ms(clock.ctx) == 2100);
}

LB_TEST_MAIN(LB_TEST(test_the_three_forms), LB_TEST(test_what_is_no_date),
             LB_TEST(test_a_date_is_bounded_by_its_length),
             LB_TEST(test_two_digit_years_lie_at_most_50_ahead),
             LB_TEST(test_every_day_there_and_back), LB_TEST(test_time_of_day),
             LB_TEST(test_sums_stop_at_never), LB_TEST(test_system_clocks_run),
             LB_TEST(test_fake_clock))
