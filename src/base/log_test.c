/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* setenv */
#endif
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/os.h"
#include "base/test_support.h"

static void test_level_words(void **state) {
  (void)state;
  for (int i = LB_LOG_OFF; i <= LB_LOG_DEBUG; i++) {
    enum lb_log_level level = LB_LOG_OFF;
    assert_true(lb_log_level_parse(lb_log_level_name((enum lb_log_level)i), &level));
    assert_int_equal(level, i);
  }
  enum lb_log_level level = LB_LOG_INFO;
  assert_true(lb_log_level_parse("WARN", &level));
  assert_int_equal(level, LB_LOG_WARN);
  assert_false(lb_log_level_parse("loud", &level));
  assert_false(lb_log_level_parse("", &level));
  assert_string_equal(lb_log_level_name((enum lb_log_level)77), "unknown");
}

static void test_levels_gate_lines(void **state) {
  (void)state;
  struct lb_fake_log fake;
  lb_fake_log_init(&fake, LB_LOG_WARN);
  assert_true(lb_log_enabled(&fake.log, LB_LOG_ERROR));
  assert_true(lb_log_enabled(&fake.log, LB_LOG_WARN));
  assert_false(lb_log_enabled(&fake.log, LB_LOG_INFO));
  assert_false(lb_log_enabled(&fake.log, LB_LOG_OFF));
  assert_false(lb_log_enabled(NULL, LB_LOG_ERROR));
  lb_log(NULL, LB_LOG_ERROR, "io", "to nobody");
  lb_log(&fake.log, LB_LOG_INFO, "io", "too quiet");
  assert_int_equal(fake.lines, 0);
  lb_log_set_level(&fake.log, LB_LOG_DEBUG);
  lb_log(&fake.log, LB_LOG_DEBUG, "io", "heard");
  assert_int_equal(fake.lines, 1);
  lb_log_reset(&fake.log);
  lb_log(&fake.log, LB_LOG_ERROR, "io", "after the end");
  assert_int_equal(fake.lines, 1);
  struct lb_log unset = {.level = LB_LOG_DEBUG};
  lb_log(&unset, LB_LOG_ERROR, "io", "no sink");
  lb_fake_log_reset(&fake);
}

static void test_shape_of_a_line(void **state) {
  (void)state;
  struct lb_fake_log fake;
  lb_fake_log_init(&fake, LB_LOG_DEBUG);
  int64_t before_ms = lb_os_wall_ms();
  lb_log(&fake.log, LB_LOG_WARN, "hb", "probe %d\nlate\x7f \xFF", 3);
  int64_t after_ms = lb_os_wall_ms();
  struct lb_date date = {0};
  int end = 0;
  assert_int_equal(
      sscanf(fake.text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &date.year, &date.month,
             &date.day, &date.hour, &date.minute, &date.second, &date.ms, &end),
      7);
  assert_true(lb_date_to_wall_ms(&date) >= before_ms);
  assert_true(lb_date_to_wall_ms(&date) <= after_ms);
  assert_string_equal(fake.text + end, "warn hb probe 3 late  ?\n");
  lb_fake_log_reset(&fake);
}

static void test_lines_are_redacted(void **state) {
  (void)state;
  struct lb_fake_log fake;
  lb_fake_log_init(&fake, LB_LOG_DEBUG);
  lb_log(&fake.log, LB_LOG_DEBUG, "io", "GET https://h/?sig=%s with Bearer %s",
         "topsecret", "topsecret");
  LB_TEST_CONTAINS(fake.text, "GET https://h/?*** with Bearer ***");
  lb_fake_log_reset(&fake);
}

/* A cut must not leave half of a secret that the rules no longer know. */
static void test_long_lines_are_cut_before_a_word(void **state) {
  (void)state;
  for (size_t room = 1900; room < 2100; room++) {
    struct lb_fake_log fake;
    char text[4096];
    lb_fake_log_init(&fake, LB_LOG_DEBUG);
    memset(text, 'x', sizeof(text));
    for (size_t i = 9; i < room; i += 10) text[i] = ' ';
    lb_str_copy(
        text + room, sizeof(text) - room,
        LB_STR(" https://user:hunter2hunter2@host/ and more text to fill the line"));
    lb_log(&fake.log, LB_LOG_DEBUG, "io", "%s", text);
    assert_true(fake.len - 1 <= 2048);
    assert_true(lb_str_find(lb_str_from(fake.text), LB_STR("hunt")) == SIZE_MAX);
    if (room >= 2048) LB_TEST_CONTAINS(fake.text, " ...\n");
    lb_fake_log_reset(&fake);
  }
}

static void test_one_endless_word_is_dropped(void **state) {
  (void)state;
  struct lb_fake_log fake;
  char text[3000];
  lb_fake_log_init(&fake, LB_LOG_DEBUG);
  memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  lb_log(&fake.log, LB_LOG_DEBUG, "io", "%s", text);
  LB_TEST_CONTAINS(fake.text, "debug io ...\n");
  lb_fake_log_reset(&fake);
}

static void test_environment_off(void **state) {
  (void)state;
  static const char *const values[] = {NULL, "", "off", "off:some_file"};
  for (size_t i = 0; i < LB_ARRAY_LEN(values); i++) {
    struct lb_log log = {.level = LB_LOG_DEBUG};
    unsetenv("LAKEBEAT_LOG");
    if (values[i] != NULL) setenv("LAKEBEAT_LOG", values[i], 1);
    LB_TEST_OK(lb_log_init_env(&log, NULL), NULL);
    assert_false(lb_log_enabled(&log, LB_LOG_ERROR));
    lb_log_reset(&log);
  }
  unsetenv("LAKEBEAT_LOG");
}

static void test_environment_with_wrong_values(void **state) {
  (void)state;
  static const char *const values[] = {"loud", "debug:", ":file", "debugdebugdebugdebug",
                                       "info:no_such_folder/x"};
  for (size_t i = 0; i < LB_ARRAY_LEN(values); i++) {
    struct lb_log log;
    struct lb_error err = LB_ERROR_INIT;
    setenv("LAKEBEAT_LOG", values[i], 1);
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_log_init_env(&log, &err), &err);
    LB_TEST_CONTAINS(err.message, values[i]);
    assert_false(lb_log_enabled(&log, LB_LOG_ERROR));
  }
  unsetenv("LAKEBEAT_LOG");
}

static size_t read_all(const char *path, char *dst, size_t cap) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(dst, 1, cap - 1, file);
  dst[len] = '\0';
  (void)fclose(file);
  return len;
}

static void test_environment_with_a_file(void **state) {
  (void)state;
  char path[64];
  char value[96];
  char text[1024];
  snprintf(path, sizeof(path), "log_test.%lld.log", (long long)lb_os_pid());
  snprintf(value, sizeof(value), "Info:%s", path);
  setenv("LAKEBEAT_LOG", value, 1);
  for (int round = 1; round <= 2; round++) {
    struct lb_log log;
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OK(lb_log_init_env(&log, &err), &err);
    lb_log(&log, LB_LOG_INFO, "session", "round %d", round);
    lb_log(&log, LB_LOG_DEBUG, "session", "unheard");
    int fd = (int)(intptr_t)log.ctx;
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    lb_log_reset(&log);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
  }
  read_all(path, text, sizeof(text));
  LB_TEST_CONTAINS(text, " info session round 1\n");
  LB_TEST_CONTAINS(text, " info session round 2\n");
  assert_null(strstr(text, "unheard"));
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_int_equal(unlink(path), 0);
  unsetenv("LAKEBEAT_LOG");
}

static void log_to_stderr(void *ctx) {
  struct lb_log log;
  (void)ctx;
  setenv("LAKEBEAT_LOG", "error", 1);
  if (lb_log_init_env(&log, NULL) != LB_OK) return;
  lb_log(&log, LB_LOG_ERROR, "io", "to standard error");
  lb_log_reset(&log);
  lb_os_write_line(LB_OS_STDERR, "still open", 10);
}

static void test_environment_with_standard_error(void **state) {
  (void)state;
  char said[4096];
  assert_false(lb_test_dies(log_to_stderr, NULL, said, sizeof(said)));
  LB_TEST_CONTAINS(said, "Z error io to standard error\nstill open\n");
}

static void *write_lines(void *ctx) {
  const struct lb_log *log = ctx;
  for (int i = 0; i < 50; i++) lb_log(log, LB_LOG_INFO, "io", "line %d", i);
  return NULL;
}

static void test_threads_share_a_log(void **state) {
  (void)state;
  struct lb_fake_log fake;
  struct lb_thread threads[3];
  lb_fake_log_init(&fake, LB_LOG_INFO);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "log", write_lines, &fake.log, NULL),
               NULL);
  }
  /* Written while others read: a race is for the thread sanitizer to see. */
  lb_log_set_level(&fake.log, LB_LOG_INFO);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) lb_os_thread_join(&threads[i]);
  assert_int_equal(fake.lines, 150);
  lb_fake_log_reset(&fake);
}

LB_TEST_MAIN(LB_TEST(test_level_words), LB_TEST(test_levels_gate_lines),
             LB_TEST(test_shape_of_a_line), LB_TEST(test_lines_are_redacted),
             LB_TEST(test_long_lines_are_cut_before_a_word),
             LB_TEST(test_one_endless_word_is_dropped), LB_TEST(test_environment_off),
             LB_TEST(test_environment_with_wrong_values),
             LB_TEST(test_environment_with_a_file),
             LB_TEST(test_environment_with_standard_error),
             LB_TEST(test_threads_share_a_log))
