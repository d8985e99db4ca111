/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the three objects, in four kinds each: what every one of the 24 functions
 * has to do is asked of all of them in the same way. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "conform.h"

enum object { DATABASE, CONNECTION, STATEMENT, OBJECTS };

struct all {
  struct session s;
};

#define CALL(kind, a, object, ...) \
  ((object) == DATABASE     ? e2e_driver.Database##kind(&(a)->s.db, __VA_ARGS__) \
   : (object) == CONNECTION ? e2e_driver.Connection##kind(&(a)->s.conn, __VA_ARGS__) \
                            : e2e_driver.Statement##kind(&(a)->s.stmt, __VA_ARGS__))
#define SET(a, o, key, value) CALL(SetOption, a, o, key, value, &e2e_error)
#define SET_BYTES(a, o, key, value, len) \
  CALL(SetOptionBytes, a, o, key, value, len, &e2e_error)
#define SET_INT(a, o, key, value) CALL(SetOptionInt, a, o, key, value, &e2e_error)
#define SET_DOUBLE(a, o, key, value) CALL(SetOptionDouble, a, o, key, value, &e2e_error)
#define GET(a, o, key, value, len) CALL(GetOption, a, o, key, value, len, &e2e_error)
#define GET_BYTES(a, o, key, value, len) \
  CALL(GetOptionBytes, a, o, key, value, len, &e2e_error)
#define GET_INT(a, o, key, value) CALL(GetOptionInt, a, o, key, value, &e2e_error)
#define GET_DOUBLE(a, o, key, value) CALL(GetOptionDouble, a, o, key, value, &e2e_error)

/* A text option that each kind of object takes at any time, and an integer one. */
#define WORD "databricks.heartbeat.probe"
#define NUMBER "databricks.max_rows_per_fetch"

static const uint8_t bytes[] = {'a', 0, 'b'};

static void expect_text(struct all *a, enum object o, const char *key,
                        const char *wanted) {
  char text[256];
  size_t len = sizeof(text);
  OK(GET(a, o, key, text, &len));
  if (strcmp(text, wanted) != 0) fprintf(stderr, "%s = '%s'\n", key, text);
  CHECK(strcmp(text, wanted) == 0 && len == strlen(wanted) + 1);
}

static void test_getting_an_unknown_option_is_not_found(void) {
  struct all a;
  session_open(&a.s, NULL);
  static const char *const keys[] = {"",        "no.such.option",      "databricks.",
                                     "profile", "adbc.statement.exec", "URI"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    for (enum object o = DATABASE; o < OBJECTS; o++) {
      char text[8] = "kept";
      size_t len = sizeof(text);
      int64_t number = 41;
      double real = 41;
      FAILS(NOT_FOUND, GET(&a, o, keys[i], text, &len));
      FAILS(NOT_FOUND, GET_BYTES(&a, o, keys[i], (uint8_t *)text, &len));
      FAILS(NOT_FOUND, GET_INT(&a, o, keys[i], &number));
      FAILS(NOT_FOUND, GET_DOUBLE(&a, o, keys[i], &real));
      CHECK(strcmp(text, "kept") == 0 && len == sizeof(text));
      CHECK(number == 41 && real == 41);
    }
  }
  session_close(&a.s);
}

static void set_unknown(struct all *a, const char *key) {
  static const double numbers[] = {1, 0.5, 1e300, -1e300};
  for (enum object o = DATABASE; o < OBJECTS; o++) {
    FAILS(NOT_IMPLEMENTED, SET(a, o, key, "value"));
    FAILS(NOT_IMPLEMENTED, SET(a, o, key, NULL));
    FAILS(NOT_IMPLEMENTED, SET_BYTES(a, o, key, bytes, sizeof(bytes)));
    FAILS(NOT_IMPLEMENTED, SET_BYTES(a, o, key, bytes, 1));
    FAILS(NOT_IMPLEMENTED, SET_BYTES(a, o, key, bytes, 0));
    FAILS(NOT_IMPLEMENTED, SET_BYTES(a, o, key, NULL, 0));
    FAILS(NOT_IMPLEMENTED, SET_INT(a, o, key, -1));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
      FAILS(NOT_IMPLEMENTED, SET_DOUBLE(a, o, key, numbers[i]));
    }
    FAILS(NOT_IMPLEMENTED, SET_DOUBLE(a, o, key, (double)NAN));
    FAILS(NOT_IMPLEMENTED, SET_DOUBLE(a, o, key, (double)INFINITY));
  }
}

static void test_setting_an_unknown_option_is_not_implemented(void) {
  struct all a;
  session_open(&a.s, NULL);
  set_unknown(&a, "no.such.option");
  set_unknown(&a, "");
  set_unknown(&a, "URI");
  session_close(&a.s);
}

static void test_profile_is_left_to_driver_managers(void) {
  struct all a = {0};
  OK(e2e_driver.DatabaseNew(&a.s.db, &e2e_error));
  FAILS(NOT_IMPLEMENTED, SET(&a, DATABASE, "profile", "profile://default"));
  e2e_close(NULL, NULL, &a.s.db);
  session_open(&a.s, NULL);
  set_unknown(&a, "profile");
  session_close(&a.s);
}

static void check_buffers(struct all *a, enum object o) {
  const char wanted[] = "status";
  OK(SET(a, o, WORD, wanted));
  for (size_t room = 0; room <= sizeof(wanted) + 2; room++) {
    char *text = exactly(room > 0 ? room : 1);
    memset(text, '#', room > 0 ? room : 1);
    size_t len = room;
    OK(GET(a, o, WORD, text, &len));
    CHECK(len == sizeof(wanted));
    bool fits = room >= sizeof(wanted);
    CHECK(fits ? strcmp(text, wanted) == 0 : text[0] == '#');
    for (size_t i = fits ? sizeof(wanted) : 0; i < room; i++) CHECK(text[i] == '#');
    memset(text, '#', room > 0 ? room : 1);
    len = room;
    OK(GET_BYTES(a, o, WORD, (uint8_t *)text, &len));
    CHECK(len == sizeof(wanted) - 1);
    fits = room >= sizeof(wanted) - 1;
    CHECK(fits ? memcmp(text, wanted, len) == 0 : text[0] == '#');
    for (size_t i = fits ? len : 0; i < room; i++) CHECK(text[i] == '#');
    free(text);
  }
  size_t len = 0;
  OK(GET(a, o, WORD, NULL, &len));
  CHECK(len == sizeof(wanted));
  len = 0;
  OK(GET_BYTES(a, o, WORD, NULL, &len));
  CHECK(len == sizeof(wanted) - 1);
}

static void test_small_buffers_are_left_alone(void) {
  struct all a;
  session_open(&a.s, NULL);
  for (enum object o = DATABASE; o < OBJECTS; o++) check_buffers(&a, o);
  session_close(&a.s);
}

static void test_places_and_keys_that_are_null(void) {
  struct all a;
  session_open(&a.s, NULL);
  for (enum object o = DATABASE; o < OBJECTS; o++) {
    size_t len = 5;
    int64_t number = 0;
    double real = 0;
    char text[8];
    FAILS(INVALID_ARGUMENT, GET(&a, o, WORD, NULL, &len));
    FAILS(INVALID_ARGUMENT, GET(&a, o, WORD, text, NULL));
    FAILS(INVALID_ARGUMENT, GET(&a, o, NULL, text, &len));
    FAILS(INVALID_ARGUMENT, GET_BYTES(&a, o, WORD, NULL, &len));
    FAILS(INVALID_ARGUMENT, GET_BYTES(&a, o, WORD, (uint8_t *)text, NULL));
    FAILS(INVALID_ARGUMENT, GET_BYTES(&a, o, NULL, (uint8_t *)text, &len));
    FAILS(INVALID_ARGUMENT, GET_INT(&a, o, NUMBER, NULL));
    FAILS(INVALID_ARGUMENT, GET_INT(&a, o, NULL, &number));
    FAILS(INVALID_ARGUMENT, GET_DOUBLE(&a, o, NUMBER, NULL));
    FAILS(INVALID_ARGUMENT, GET_DOUBLE(&a, o, NULL, &real));
    FAILS(INVALID_ARGUMENT, SET(&a, o, NULL, "x"));
    FAILS(INVALID_ARGUMENT, SET_BYTES(&a, o, NULL, bytes, 1));
    FAILS(INVALID_ARGUMENT, SET_BYTES(&a, o, NULL, NULL, 1));
    FAILS(INVALID_ARGUMENT, SET_INT(&a, o, NULL, 1));
    FAILS(INVALID_ARGUMENT, SET_DOUBLE(&a, o, NULL, 1));
    FAILS(INVALID_ARGUMENT, SET_DOUBLE(&a, o, NULL, 0.5));
    FAILS(INVALID_ARGUMENT,
          SET_BYTES(&a, o, "databricks.query_timeout_seconds", NULL, 1));
    FAILS(INVALID_ARGUMENT, SET_DOUBLE(&a, o, "databricks.query_timeout_seconds", 0.5));
    CHECK(len == 5);
  }
  session_close(&a.s);
}

/* Whatever way it was set: that way it can be got. */
static void test_what_was_set_can_be_got(void) {
  struct all a;
  session_open(&a.s, NULL);
  for (enum object o = DATABASE; o < OBJECTS; o++) {
    int64_t number = 0;
    double real = 0;
    OK(SET(&a, o, WORD, "metadata"));
    expect_text(&a, o, WORD, "metadata");
    OK(SET_INT(&a, o, NUMBER, 77 + o));
    OK(GET_INT(&a, o, NUMBER, &number));
    CHECK(number == 77 + (int64_t)o);
    OK(SET_DOUBLE(&a, o, NUMBER, 99));
    OK(GET_DOUBLE(&a, o, NUMBER, &real));
    CHECK(real == 99);
    expect_text(&a, o, NUMBER, "99");
    OK(SET(&a, o, NUMBER, "123"));
    OK(GET_INT(&a, o, NUMBER, &number));
    OK(GET_DOUBLE(&a, o, NUMBER, &real));
    CHECK(number == 123 && real == 123);
  }
  /* The nearest value counts: each object has kept its own. */
  OK(SET_INT(&a, DATABASE, NUMBER, 5));
  expect_text(&a, STATEMENT, NUMBER, "123");
  session_close(&a.s);
}

static void test_bytes_that_were_set_can_be_got(void) {
  struct all a = {0};
  OK(e2e_driver.DatabaseNew(&a.s.db, &e2e_error));
  OK(e2e_driver.ConnectionNew(&a.s.conn, &e2e_error));
  for (enum object o = DATABASE; o < STATEMENT; o++) {
    const char *key = "databricks.session_conf.conform";
    uint8_t got[8] = "#######";
    size_t len = sizeof(got);
    OK(SET_BYTES(&a, o, key, (const uint8_t *)"xyz", 3));
    OK(GET_BYTES(&a, o, key, got, &len));
    CHECK(len == 3 && memcmp(got, "xyz#", 4) == 0);
    expect_text(&a, o, key, "xyz");
    FAILS(INVALID_ARGUMENT, SET_BYTES(&a, o, key, bytes, sizeof(bytes)));
    OK(SET_BYTES(&a, o, key, NULL, 0));
    len = sizeof(got);
    OK(GET_BYTES(&a, o, key, got, &len));
    CHECK(len == 0);
  }
  e2e_close(NULL, &a.s.conn, &a.s.db);
}

static void test_standard_options_of_databases(void) {
  struct all a = {0};
  OK(e2e_driver.DatabaseNew(&a.s.db, &e2e_error));
  OK(SET(&a, DATABASE, ADBC_OPTION_URI, "https://example.com/sql/1.0/warehouses/1"));
  expect_text(&a, DATABASE, ADBC_OPTION_URI, "https://example.com/sql/1.0/warehouses/1");
  OK(SET(&a, DATABASE, ADBC_OPTION_URI, "lakebeat://token:dapi00000000@host/path"));
  expect_text(&a, DATABASE, ADBC_OPTION_URI, "https://host/path");
  OK(SET(&a, DATABASE, ADBC_OPTION_USERNAME, "reader"));
  expect_text(&a, DATABASE, ADBC_OPTION_USERNAME, "reader");
  /* A password goes in and never comes out. */
  OK(SET(&a, DATABASE, ADBC_OPTION_PASSWORD, "hidden"));
  char text[64] = "";
  size_t len = sizeof(text);
  FAILS(NOT_FOUND, GET(&a, DATABASE, ADBC_OPTION_PASSWORD, text, &len));
  CHECK(!text[0]);
  e2e_close(NULL, NULL, &a.s.db);
}

static void test_standard_options_of_connections(void) {
  struct all a;
  session_open(&a.s, NULL);
  expect_text(&a, CONNECTION, ADBC_CONNECTION_OPTION_AUTOCOMMIT, "true");
  OK(SET(&a, CONNECTION, ADBC_CONNECTION_OPTION_AUTOCOMMIT, ADBC_OPTION_VALUE_ENABLED));
  FAILS(NOT_IMPLEMENTED, SET(&a, CONNECTION, ADBC_CONNECTION_OPTION_AUTOCOMMIT,
                             ADBC_OPTION_VALUE_DISABLED));
  expect_text(&a, CONNECTION, ADBC_CONNECTION_OPTION_AUTOCOMMIT, "true");
  expect_text(&a, CONNECTION, ADBC_CONNECTION_OPTION_READ_ONLY, "false");
  OK(SET(&a, CONNECTION, ADBC_CONNECTION_OPTION_READ_ONLY, ADBC_OPTION_VALUE_DISABLED));
  FAILS(NOT_IMPLEMENTED,
        SET(&a, CONNECTION, ADBC_CONNECTION_OPTION_READ_ONLY, ADBC_OPTION_VALUE_ENABLED));
  session_close(&a.s);
}

static void test_isolation_levels(void) {
  struct all a;
  session_open(&a.s, NULL);
  const char *key = ADBC_CONNECTION_OPTION_ISOLATION_LEVEL;
  static const char *const others[] = {
      ADBC_OPTION_ISOLATION_LEVEL_READ_UNCOMMITTED,
      ADBC_OPTION_ISOLATION_LEVEL_READ_COMMITTED,
      ADBC_OPTION_ISOLATION_LEVEL_REPEATABLE_READ,
      ADBC_OPTION_ISOLATION_LEVEL_SNAPSHOT,
      ADBC_OPTION_ISOLATION_LEVEL_SERIALIZABLE,
      ADBC_OPTION_ISOLATION_LEVEL_LINEARIZABLE,
      "nonsense",
  };
  expect_text(&a, CONNECTION, key, ADBC_OPTION_ISOLATION_LEVEL_DEFAULT);
  OK(SET(&a, CONNECTION, key, ADBC_OPTION_ISOLATION_LEVEL_DEFAULT));
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    FAILS(NOT_IMPLEMENTED, SET(&a, CONNECTION, key, others[i]));
  }
  expect_text(&a, CONNECTION, key, ADBC_OPTION_ISOLATION_LEVEL_DEFAULT);
  session_close(&a.s);
}

static void test_incremental_is_off(void) {
  struct all a;
  session_open(&a.s, "SELECT 1");
  const char *key = ADBC_STATEMENT_OPTION_INCREMENTAL;
  expect_text(&a, STATEMENT, key, ADBC_OPTION_VALUE_DISABLED);
  OK(SET(&a, STATEMENT, key, ADBC_OPTION_VALUE_DISABLED));
  FAILS(NOT_IMPLEMENTED, SET(&a, STATEMENT, key, ADBC_OPTION_VALUE_ENABLED));
  expect_text(&a, STATEMENT, key, ADBC_OPTION_VALUE_DISABLED);
  session_close(&a.s);
}

static void test_truth_values_are_canonical(void) {
  struct all a;
  const char *key = "databricks.heartbeat.enabled";
  session_open(&a.s, NULL);
  for (enum object o = DATABASE; o < OBJECTS; o++) {
    OK(SET(&a, o, key, ADBC_OPTION_VALUE_ENABLED));
    expect_text(&a, o, key, ADBC_OPTION_VALUE_ENABLED);
    OK(SET(&a, o, key, ADBC_OPTION_VALUE_DISABLED));
    expect_text(&a, o, key, ADBC_OPTION_VALUE_DISABLED);
    FAILS(INVALID_ARGUMENT, SET(&a, o, key, "perhaps"));
    expect_text(&a, o, key, ADBC_OPTION_VALUE_DISABLED);
  }
  session_close(&a.s);
}

/* Driver managers keep options in hash maps: no order may matter. */
static void test_options_before_init_in_any_order(void) {
  const char *const options[3][2] = {
      {"uri", getenv("LAKEBEAT_TEST_URI")},
      {"databricks.access_token", getenv("LAKEBEAT_TEST_TOKEN")},
      {NUMBER, "10"},
  };
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int i = 0; i < 6; i++) {
    struct all a = {0};
    OK(e2e_driver.DatabaseNew(&a.s.db, &e2e_error));
    for (int k = 0; k < 3; k++) {
      const char *const *option = options[orders[i][k]];
      OK(SET(&a, DATABASE, option[0], option[1]));
    }
    OK(e2e_driver.DatabaseInit(&a.s.db, &e2e_error));
    OK(e2e_driver.ConnectionNew(&a.s.conn, &e2e_error));
    OK(SET_INT(&a, CONNECTION, NUMBER, 20));
    OK(e2e_driver.ConnectionInit(&a.s.conn, &a.s.db, &e2e_error));
    CHECK(run_sql(&a.s.conn, "SELECT 1") == -1);
    e2e_close(NULL, &a.s.conn, &a.s.db);
  }
}

static int64_t batches_of(struct all *a) {
  struct ArrowArrayStream stream;
  int64_t batches;
  execute(&a->s.stmt, &stream);
  CHECK(read_rows(&stream, &batches) == 60);
  e2e_release(&stream);
  return batches;
}

static void test_options_after_init_count(void) {
  struct all a;
  session_open(&a.s, SIXTY);
  CHECK(batches_of(&a) == 6);
  OK(SET(&a, CONNECTION, NUMBER, "20"));
  CHECK(batches_of(&a) == 3);
  OK(SET_INT(&a, STATEMENT, NUMBER, 30));
  CHECK(batches_of(&a) == 2);
  OK(SET_DOUBLE(&a, STATEMENT, NUMBER, 60));
  CHECK(batches_of(&a) == 1);
  /* What cannot be heard any more is refused. */
  FAILS(INVALID_STATE, SET(&a, DATABASE, "uri", "https://elsewhere.example.com/"));
  CHECK(SET(&a, CONNECTION, "databricks.session_conf.ansi_mode", "true") != 0);
  if (e2e_error.release) e2e_error.release(&e2e_error);
  session_close(&a.s);
}

/* A driver manager may forget it; the driver does not. */
static void test_failed_option_fails_init(void) {
  struct all a = {0};
  OK(e2e_driver.DatabaseNew(&a.s.db, &e2e_error));
  OK(SET(&a, DATABASE, "uri", getenv("LAKEBEAT_TEST_URI")));
  OK(SET(&a, DATABASE, "databricks.access_token", "x"));
  FAILS(NOT_IMPLEMENTED, SET(&a, DATABASE, "databricks.nonsense", "1"));
  FAILS(INVALID_ARGUMENT, SET_DOUBLE(&a, DATABASE, "databricks.port", 0.5));
  OK(SET_INT(&a, DATABASE, "databricks.port", 443));
  FAILS_WITH(NOT_IMPLEMENTED, "databricks.nonsense",
             e2e_driver.DatabaseInit(&a.s.db, &e2e_error));
  e2e_close(NULL, NULL, &a.s.db);
}

static void *get_options(void *arg) {
  struct all *a = arg;
  for (int i = 0; i < 200; i++) {
    for (enum object o = DATABASE; o < OBJECTS; o++) {
      char text[64];
      size_t len = sizeof(text);
      int64_t number = 0;
      double real = 0;
      OK(GET(a, o, WORD, text, &len));
      len = sizeof(text);
      OK(GET_BYTES(a, o, WORD, (uint8_t *)text, &len));
      OK(GET_INT(a, o, NUMBER, &number));
      OK(GET_DOUBLE(a, o, NUMBER, &real));
      OK(GET_INT(a, o, "databricks.heartbeat.armed", &number));
      CHECK(number == 0);
      FAILS(NOT_FOUND, GET(a, o, "no.such.option", text, &len));
    }
  }
  return NULL;
}

static void test_getting_options_while_fetching(void) {
  struct all a;
  session_open(&a.s, SIXTY);
  struct ArrowArrayStream stream;
  fault("\"where\": \"FetchResults\", \"do\": {\"kind\": \"delay\", \"ms\": 30}, "
        "\"times\": 0");
  pthread_t asker;
  CHECK(pthread_create(&asker, NULL, get_options, &a) == 0);
  for (int i = 0; i < 3; i++) {
    execute(&a.s.stmt, &stream);
    CHECK(read_rows(&stream, NULL) == 60);
    e2e_release(&stream);
  }
  CHECK(pthread_join(asker, NULL) == 0);
  session_close(&a.s);
}

/* One thread sets while another gets. */
static void test_getting_options_while_setting(void) {
  struct all a;
  session_open(&a.s, SIXTY);
  pthread_t asker;
  CHECK(pthread_create(&asker, NULL, get_options, &a) == 0);
  for (int i = 0; i < 200; i++) {
    for (enum object o = DATABASE; o < OBJECTS; o++) {
      OK(SET(&a, o, WORD, i % 2 ? "auto" : "metadata"));
      OK(SET_INT(&a, o, NUMBER, 10 + i));
    }
  }
  CHECK(pthread_join(asker, NULL) == 0);
  session_close(&a.s);
}

TEST_MAIN(TEST(test_getting_an_unknown_option_is_not_found),
          TEST(test_setting_an_unknown_option_is_not_implemented),
          TEST(test_profile_is_left_to_driver_managers),
          TEST(test_small_buffers_are_left_alone),
          TEST(test_places_and_keys_that_are_null), TEST(test_what_was_set_can_be_got),
          TEST(test_bytes_that_were_set_can_be_got),
          TEST(test_standard_options_of_databases),
          TEST(test_standard_options_of_connections), TEST(test_isolation_levels),
          TEST(test_incremental_is_off), TEST(test_truth_values_are_canonical),
          TEST(test_options_before_init_in_any_order),
          TEST(test_options_after_init_count), TEST(test_failed_option_fails_init),
          TEST(test_getting_options_while_fetching),
          TEST(test_getting_options_while_setting))
