/* SPDX-License-Identifier: Apache-2.0 */
/* The table, sets and their parents, session settings, and where a target comes from. */
#include "session/options.h"

#include <stdio.h>

#include "base/test_support.h"

#define SECRET "dapi0123456789abcdef"

static struct lb_options *create(struct lb_options *parent, enum lb_option_scope scope) {
  struct lb_options *opts = NULL;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_options_create(parent, scope, &opts, &err), &err);
  return opts;
}

static void set(struct lb_options *opts, const char *key, const char *value) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_options_set(opts, lb_str_from(key), value, &err), &err);
}

static void set_fails(enum lb_status wanted, struct lb_options *opts, const char *key,
                      const char *value, const char *says) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(wanted, lb_options_set(opts, lb_str_from(key), value, &err), &err);
  LB_TEST_CONTAINS(err.message, says);
  assert_null(strstr(err.message, SECRET));
  LB_TEST_FAILS(wanted, lb_options_set(opts, lb_str_from(key), value, NULL), NULL);
}

static void expect(struct lb_options *opts, const char *key, const char *wanted) {
  struct lb_buf buf;
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&buf, LB_MEM_MISC, 4096);
  enum lb_status status = lb_options_get(opts, lb_str_from(key), &buf, &err);
  if (wanted == NULL) {
    LB_TEST_FAILS(LB_NOT_FOUND, status, &err);
    assert_string_equal(err.sqlstate, "HY092");
    assert_null(strstr(err.message, SECRET));
  } else {
    LB_TEST_OK(status, &err);
    const char *text = lb_buf_text(&buf);
    assert_string_equal(text != NULL ? text : "", wanted);
  }
  lb_buf_reset(&buf);
}

/* The table is right by itself. */

static bool is_key_of_two_rows(const char *key) {
  int count = 0;
  for (size_t i = 0; i < LB_OPT_COUNT; i++) {
    if (strcmp(lb_option_table[i].key, key) == 0) count++;
  }
  return count > 1;
}

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_OPT_COUNT; i++) {
    const struct lb_option_row *row = &lb_option_table[i];
    assert_int_equal(row->id, i);
    assert_false(is_key_of_two_rows(row->key));
    assert_ptr_equal(lb_option_find(lb_str_from(row->key)), row);
    assert_true(row->scopes != 0);
    assert_true(row->doc[0] != '\0');
    assert_int_equal(row->type == LB_OPTION_WORD, row->words[0] != '\0');
    if (row->type == LB_OPTION_INT) assert_true(row->min < row->max);
    bool on_database = (row->scopes & LB_SCOPE_DATABASE) != 0;
    struct lb_options *db =
        create(NULL, on_database ? LB_SCOPE_DATABASE : LB_SCOPE_STATEMENT);
    /* A default is a value like any other: in range and in normal form. */
    if (row->def != NULL && row->type != LB_OPTION_URI) {
      set(db, row->key, row->def);
      expect(db, row->key, row->def);
    }
    lb_options_release(db);
  }
  assert_null(lb_option_find(LB_STR("")));
  assert_null(lb_option_find(LB_STR("databricks")));
  assert_null(lb_option_find(LB_STR("DATABRICKS.PORT")));
}

static void test_aliases(void **state) {
  (void)state;
  static const struct {
    const char *alias;
    enum lb_option_id id;
  } rows[] = {
      {"databricks.uri", LB_OPT_URI},
      {"adbc.databricks.access_token", LB_OPT_ACCESS_TOKEN},
      {"adbc.connection.catalog", LB_OPT_CATALOG},
      {"adbc.connection.db_schema", LB_OPT_SCHEMA},
      {"databricks.query.timeout", LB_OPT_QUERY_TIMEOUT},
      {"databricks.ssl_root_cert", LB_OPT_TLS_CA_FILE},
      {"enable_heartbeat", LB_OPT_HB_ENABLED},
      {"EnableHeartbeat", LB_OPT_HB_ENABLED},
      {"heartbeat_interval_seconds", LB_OPT_HB_INTERVAL},
      {"adbc.databricks.fetch_heartbeat_interval", LB_OPT_HB_INTERVAL},
      {"HeartbeatIntervalSeconds", LB_OPT_HB_INTERVAL},
      {"adbc.databricks.operation_status_request_timeout", LB_OPT_HB_REQUEST_TIMEOUT},
      {"HeartbeatRequestTimeoutSeconds", LB_OPT_HB_REQUEST_TIMEOUT},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    const struct lb_option_row *row = lb_option_find(lb_str_from(rows[i].alias));
    assert_non_null(row);
    assert_int_equal(row->id, rows[i].id);
  }
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  set(db, "HeartbeatIntervalSeconds", "7");
  expect(db, "databricks.heartbeat.interval_seconds", "7");
  set(db, "databricks.heartbeat.interval_seconds", NULL);
  expect(db, "heartbeat_interval_seconds", "60");
  lb_options_release(db);
}

static void test_normal_form(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  static const char *const yes[] = {"true", "TRUE", "1", "on", "Yes"};
  static const char *const no[] = {"false", "False", "0", "OFF", "no"};
  for (size_t i = 0; i < LB_ARRAY_LEN(yes); i++) {
    set(db, "databricks.heartbeat.enabled", no[i]);
    expect(db, "databricks.heartbeat.enabled", "false");
    assert_false(lb_options_bool(db, LB_OPT_HB_ENABLED));
    set(db, "databricks.heartbeat.enabled", yes[i]);
    expect(db, "databricks.heartbeat.enabled", "true");
    assert_true(lb_options_bool(db, LB_OPT_HB_ENABLED));
    set(db, "databricks.arrow", no[i]);
    assert_true(lb_options_word_is(db, LB_OPT_ARROW, "off"));
    set(db, "databricks.arrow", yes[i]);
    assert_true(lb_options_word_is(db, LB_OPT_ARROW, "on"));
  }
  set(db, "databricks.port", "+08443");
  expect(db, "databricks.port", "8443");
  assert_int_equal(lb_options_int(db, LB_OPT_PORT), 8443);
  set(db, "databricks.server_kind", "Spark");
  expect(db, "databricks.server_kind", "spark");
  assert_false(lb_options_word_is(db, LB_OPT_SERVER_KIND, "auto"));
  lb_options_release(db);
}

static void test_bad_values(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  const enum lb_status bad = LB_INVALID_ARGUMENT;
  set_fails(bad, db, "databricks.port", "0", "option databricks.port = '0': give a");
  set_fails(bad, db, "databricks.port", "65536", "from 1 to 65535");
  set_fails(bad, db, "databricks.port", "", "whole number");
  set_fails(bad, db, "databricks.port", " 1", "whole number");
  set_fails(bad, db, "databricks.port", "99999999999999999999", "whole number");
  set_fails(bad, db, "databricks.request_timeout_seconds", "x", "86400 seconds");
  set_fails(bad, db, "EnableHeartbeat", "maybe",
            "databricks.heartbeat.enabled = 'maybe': give true or false");
  set_fails(bad, db, "databricks.heartbeat.probe", "ping",
            "give one of: auto status metadata fetch0");
  set_fails(bad, db, "databricks.server_kind", "", "give one of: auto");
  set_fails(bad, db, "uri", "https://token:" SECRET "@h/p", "option uri");
  /* A secret in the wrong place is hidden by its form. */
  set_fails(bad, db, "databricks.port", SECRET, "***");
  set_fails(LB_NOT_IMPLEMENTED, db, "databricks.prot", "443",
            "no option 'databricks.prot'");
  set_fails(LB_NOT_IMPLEMENTED, db, "", "x", "no option ''");
  set_fails(LB_NOT_IMPLEMENTED, db, "databricks.session_conf.", "x", "no option");
  set_fails(LB_NOT_IMPLEMENTED, db, SECRET, "x", "***");
  /* Nor does one show where the text is cut. */
  struct lb_error err = LB_ERROR_INIT;
  const char *late =
      "01234567890123456789012345678901234567890123456789 dose0123456789abcdef0123";
  LB_TEST_FAILS(bad, lb_options_set(db, LB_STR("databricks.port"), late, &err), &err);
  assert_null(strstr(err.message, "dose"));
  /* What failed has changed nothing. */
  expect(db, "databricks.port", "443");
  expect(db, "databricks.heartbeat.enabled", "true");

  static char huge[65536 + 2];
  memset(huge, 'x', sizeof(huge) - 1);
  set_fails(bad, db, "databricks.catalog", huge, "longer than 65536 bytes");
  set_fails(bad, db, "databricks.session_conf.a", huge, "longer than 65536 bytes");
  set_fails(LB_NOT_IMPLEMENTED, db, huge, "1", "...");
  huge[65536] = '\0';
  set(db, "databricks.catalog", huge);
  lb_options_release(db);
}

static void test_secrets_cannot_be_read(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  set(db, "databricks.access_token", SECRET);
  set(db, "password", SECRET);
  set(db, "uri", "lakebeat://token:" SECRET "@h/p");
  expect(db, "databricks.access_token", NULL);
  expect(db, "adbc.databricks.access_token", NULL);
  expect(db, "password", NULL);
  expect(db, "uri", "https://h/p");
  assert_true(lb_options_is_set(db, LB_OPT_ACCESS_TOKEN));
  assert_true(lb_options_is_set(db, LB_OPT_URI));
  expect(db, "databricks.server_hostname", "h");
  lb_options_release(db);
}

static void test_uri_reads_as_where_it_leads(void **state) {
  (void)state;
  static const char *const uris[][2] = {
      {"https://h/p?o=7", "https://h/p?o=7"},
      {"https://h:443/p", "https://h/p"},
      {"https://[::1]:8443/p", "https://[::1]:8443/p"},
      {"http://h:10001/cliservice", "http://h:10001/cliservice"},
      {"http://h:80/p", "http://h/p"},
      {"databricks://u:" SECRET "@h:444/p?password=" SECRET "&schema=s",
       "https://h:444/p"},
  };
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_options *conn = create(db, LB_SCOPE_CONNECTION);
  expect(db, "uri", NULL);
  for (size_t i = 0; i < LB_ARRAY_LEN(uris); i++) {
    set(db, "uri", uris[i][0]);
    expect(db, "uri", uris[i][1]);
    expect(conn, "databricks.uri", uris[i][1]);
  }
  set(db, "uri", NULL);
  expect(db, "uri", NULL);
  lb_options_release(conn);
  lb_options_release(db);
}

static void test_nearest_wins(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_options *conn = create(NULL, LB_SCOPE_CONNECTION);
  lb_options_adopt(conn, db);
  struct lb_options *stmt = create(conn, LB_SCOPE_STATEMENT);
  const char *key = "databricks.heartbeat.interval_seconds";
  expect(stmt, key, "60");
  assert_false(lb_options_is_set(stmt, LB_OPT_HB_INTERVAL));
  set(db, key, "10");
  expect(stmt, key, "10");
  assert_true(lb_options_is_set(stmt, LB_OPT_HB_INTERVAL));
  set(stmt, key, "30");
  set(conn, key, "20");
  assert_int_equal(lb_options_int(db, LB_OPT_HB_INTERVAL), 10);
  assert_int_equal(lb_options_int(conn, LB_OPT_HB_INTERVAL), 20);
  assert_int_equal(lb_options_int(stmt, LB_OPT_HB_INTERVAL), 30);
  set(stmt, key, NULL);
  expect(stmt, key, "20");
  set(conn, key, NULL);
  expect(stmt, key, "10");
  /* Parents live as long as their children. */
  lb_options_release(db);
  lb_options_release(conn);
  expect(stmt, key, "10");
  lb_options_release(stmt);
  lb_options_release(NULL);
}

static void test_scopes(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_options *conn = create(db, LB_SCOPE_CONNECTION);
  struct lb_options *stmt = create(conn, LB_SCOPE_STATEMENT);
  const enum lb_status wrong = LB_NOT_IMPLEMENTED;
  set_fails(wrong, conn, "uri", "https://h/p", "set it on a database");
  set_fails(wrong, stmt, "databricks.port", "1", "set it on a database");
  set_fails(wrong, db, "adbc.statement.bind_by_name", "false", "set it on a statement");
  set_fails(wrong, stmt, "databricks.catalog", "c", "a database or a connection");
  set_fails(wrong, stmt, "databricks.session_conf.a", "1", "a database or a connection");
  set(conn, "databricks.catalog", "c");
  set(stmt, "databricks.query_timeout_seconds", "5");
  lb_options_release(stmt);
  lb_options_release(conn);
  lb_options_release(db);
}

static void test_text(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_error err = LB_ERROR_INIT;
  char *text = NULL;
  LB_TEST_OK(lb_options_text(db, LB_OPT_CATALOG, &text, &err), &err);
  assert_null(text);
  expect(db, "databricks.catalog", NULL);
  set(db, "databricks.catalog", "");
  expect(db, "databricks.catalog", "");
  set(db, "databricks.catalog", "m\xc3\xa4in");
  LB_TEST_OK(lb_options_text(db, LB_OPT_CATALOG, &text, &err), &err);
  assert_string_equal(text, "m\xc3\xa4in");
  lb_free(text);
  LB_TEST_OK(lb_options_text(db, LB_OPT_HB_PROBE, &text, &err), &err);
  assert_string_equal(text, "auto");
  lb_free(text);
  lb_options_release(db);
}

/* Session settings. */

struct seen {
  char text[4096];
  int left; /* visits until failure; -1 never */
};

static enum lb_status see(void *ctx, struct lb_str name, struct lb_str value,
                          struct lb_error *err) {
  struct seen *seen = ctx;
  if (seen->left == 0) return lb_error_set(err, LB_INTERNAL, "seen enough");
  seen->left--;
  size_t len = strlen(seen->text);
  snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s=%.*s;", (int)name.len,
           name.data, (int)value.len, value.data);
  return LB_OK;
}

static void expect_confs(struct lb_options *opts, const char *wanted) {
  struct seen seen = {"", -1};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_options_each_conf(opts, see, &seen, &err), &err);
  assert_string_equal(seen.text, wanted);
}

static void test_session_confs(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_options *conn = create(db, LB_SCOPE_CONNECTION);
  expect_confs(conn, "");
  set(db, "databricks.session_conf.b", "1");
  set(db, "databricks.session_conf.a", "2");
  set(conn, "databricks.session_conf.c", "3");
  set(conn, "databricks.session_conf.b", "4");
  set(conn, "databricks.session_conf.Case.Kept", "");
  expect_confs(conn, "b=4;a=2;c=3;Case.Kept=;");
  expect_confs(db, "b=1;a=2;");
  expect(conn, "databricks.session_conf.b", "4");
  expect(conn, "databricks.session_conf.a", "2");
  expect(conn, "databricks.session_conf.none", NULL);
  set(conn, "databricks.session_conf.b", NULL);
  set(conn, "databricks.session_conf.b", NULL);
  set(db, "databricks.session_conf.a", "5");
  expect_confs(conn, "b=1;a=5;c=3;Case.Kept=;");
  struct seen seen = {"", 2};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INTERNAL, lb_options_each_conf(conn, see, &seen, &err), &err);
  assert_string_equal(seen.text, "b=1;a=5;");
  for (int i = 0; i < 254; i++) {
    char key[64];
    snprintf(key, sizeof(key), "databricks.session_conf.n%d", i);
    set(db, key, "x");
  }
  set_fails(LB_INVALID_ARGUMENT, db, "databricks.session_conf.one_more", "x",
            "more than 256");
  set(db, "databricks.session_conf.n7", "y");
  lb_options_release(conn);
  lb_options_release(db);
}

/* Targets. */

static void expect_target(struct lb_options *db, const char *url, const char *token,
                          const char *username, const char *password) {
  struct lb_target target = {0};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_options_target(db, &target, &err), &err);
  assert_string_equal(target.url, url);
  assert_string_equal(target.token ? target.token : "-", token);
  assert_string_equal(target.username ? target.username : "-", username);
  assert_string_equal(target.password ? target.password : "-", password);
  lb_target_reset(&target);
  assert_null(target.url);
}

static void target_fails(struct lb_options *db, const char *says) {
  struct lb_target target = {0};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_options_target(db, &target, &err), &err);
  LB_TEST_CONTAINS(err.message, says);
  assert_null(strstr(err.message, SECRET));
  assert_null(target.url);
}

static void test_target_of_uri(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  target_fails(db, "set option uri");
  set(db, "uri", "http://h:10001/cliservice");
  expect_target(db, "http://h:10001/cliservice", "-", "-", "-");
  set(db, "uri", "http://h/x");
  expect_target(db, "http://h:80/x", "-", "-", "-");
  set(db, "uri", "https://h/p?o=1&q=%41");
  expect_target(db, "https://h:443/p?o=1&q=%41", "-", "-", "-");
  set(db, "username", "anna");
  set(db, "password", "p");
  expect_target(db, "https://h:443/p?o=1&q=%41", "-", "anna", "p");
  set(db, "uri", "lakebeat://token:" SECRET "@h:444/p?o=1");
  set(db, "username", NULL);
  set(db, "password", NULL);
  expect_target(db, "https://h:444/p?o=1", SECRET, "-", "-");
  set(db, "uri", "databricks://anna:s@h/p");
  expect_target(db, "https://h:443/p", "-", "anna", "s");
  set(db, "uri", NULL);
  target_fails(db, "set option uri");
  lb_options_release(db);
}

static void test_target_of_parts(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  set(db, "databricks.server_hostname", "h.example");
  target_fails(db, "option databricks.http_path is not set");
  set(db, "databricks.http_path", "sql/1.0/warehouses/x");
  expect_target(db, "https://h.example:443/sql/1.0/warehouses/x", "-", "-", "-");
  set(db, "databricks.port", "8443");
  set(db, "databricks.access_token", SECRET);
  set(db, "databricks.server_hostname", " https://h.example/ ");
  expect_target(db, "https://h.example:8443/sql/1.0/warehouses/x", SECRET, "-", "-");
  static const char *const hosts[] = {"http://h", "h:443", "h/p", "a b",
                                      "u@h",      "h?x",   "h%41"};
  for (size_t i = 0; i < LB_ARRAY_LEN(hosts); i++) {
    set(db, "databricks.server_hostname", hosts[i]);
    target_fails(db, "give a host name alone");
  }
  struct lb_target target = {0};
  struct lb_error err = LB_ERROR_INIT;
  set(db, "databricks.server_hostname", "anna:hunter2@h");
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_options_target(db, &target, &err), &err);
  assert_null(strstr(err.message, "hunter2"));
  set(db, "databricks.server_hostname", "");
  target_fails(db, "databricks.server_hostname is not set");
  set(db, "databricks.server_hostname", "h");
  set(db, "databricks.http_path", "/a b");
  target_fails(db, "databricks.http_path = '/a b'");
  set(db, "databricks.http_path", "/p#x");
  target_fails(db, "databricks.http_path");
  lb_options_release(db);
}

static void test_parts_win_over_uri(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  set(db, "databricks.port", "1");
  set(db, "uri", "lakebeat://token:uri@h:2/p?catalog=c&heartbeat.enabled=off&o=9");
  expect_target(db, "https://h:1/p?o=9", "uri", "-", "-");
  set(db, "databricks.server_hostname", "other");
  set(db, "databricks.http_path", "/q");
  set(db, "databricks.access_token", "own");
  expect_target(db, "https://other:1/q", "own", "-", "-");
  /* A user name of one's own takes the place of the uri's token ... */
  set(db, "databricks.access_token", NULL);
  set(db, "username", "anna");
  set(db, "password", "p");
  expect_target(db, "https://other:1/q", "-", "anna", "p");
  /* ... but not of a token of one's own: that is a contradiction. */
  set(db, "databricks.access_token", SECRET);
  target_fails(db, "both set");
  /* A blank user name or password is none, beside either token. */
  set(db, "username", "");
  set(db, "password", "");
  expect_target(db, "https://other:1/q", SECRET, "-", "-");
  expect(db, "username", NULL);
  set(db, "databricks.access_token", NULL);
  expect_target(db, "https://other:1/q", "uri", "-", "-");
  set(db, "username", "anna");
  expect_target(db, "https://other:1/q", "-", "anna", "-");
  set(db, "password", "p");
  /* The user name `token` says that the password is one. */
  set(db, "databricks.access_token", NULL);
  set(db, "username", "token");
  expect_target(db, "https://other:1/q", "p", "-", "-");
  set(db, "password", NULL);
  target_fails(db, "option password");
  /* A blank token is none beside a user name; alone it is a token that was forgotten. */
  set(db, "databricks.access_token", "");
  set(db, "username", "anna");
  set(db, "password", "p");
  expect_target(db, "https://other:1/q", "-", "anna", "p");
  set(db, "username", NULL);
  set(db, "password", NULL);
  expect_target(db, "https://other:1/q", "", "-", "-");
  set(db, "databricks.access_token", NULL);
  /* A password that would be sent to nobody. */
  set(db, "uri", "lakebeat://h/p");
  set(db, "username", NULL);
  set(db, "password", SECRET);
  target_fails(db, "option username is not");
  set(db, "password", NULL);
  expect_target(db, "https://other:1/q", "-", "-", "-");
  set(db, "uri", "lakebeat://token:uri@h:2/p?catalog=c&heartbeat.enabled=off&o=9");
  /* Options of the query stand behind those of one's own, too. */
  expect(db, "databricks.catalog", "c");
  expect(db, "databricks.heartbeat.enabled", "false");
  set(db, "databricks.catalog", "d");
  expect(db, "databricks.catalog", "d");
  set(db, "databricks.catalog", NULL);
  expect(db, "databricks.catalog", "c");
  lb_options_release(db);
}

static void test_options_of_a_uri(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  set(db, "databricks.session_conf.own", "1");
  set(db, "uri",
      "lakebeat://h/p?databricks.schema=s&EnableHeartbeat=0&password=" SECRET
      "&session_conf.ansi_mode=true&databricks.session_conf.own=2&schema=t");
  expect(db, "databricks.schema", "t");
  expect(db, "databricks.heartbeat.enabled", "false");
  expect_confs(db, "ansi_mode=true;own=1;");
  expect(db, "databricks.session_conf.ansi_mode", "true");
  set_fails(LB_NOT_IMPLEMENTED, db, "uri", "lakebeat://h/p?authType=" SECRET,
            "carries 'authType'");
  set_fails(LB_NOT_IMPLEMENTED, db, "uri", "lakebeat://h/p?" SECRET "=x",
            "carries '***'");
  set_fails(LB_INVALID_ARGUMENT, db, "uri", "lakebeat://h/p?uri=https://" SECRET "/",
            "another uri");
  set_fails(LB_INVALID_ARGUMENT, db, "uri", "lakebeat://h/p?port=0", "databricks.port");
  /* A uri that is refused leaves the former one as it was. */
  expect(db, "databricks.schema", "t");
  /* A new one takes all of the former's values away. */
  set(db, "uri", "lakebeat://h/p");
  expect(db, "databricks.schema", NULL);
  expect_confs(db, "own=1;");
  lb_options_release(db);
}

static void use_everything(struct lb_error *err) {
  struct lb_options *db = NULL, *conn = NULL;
  struct lb_target target = {0};
  struct seen seen = {"", -1};
  enum lb_status status = lb_options_create(NULL, LB_SCOPE_DATABASE, &db, err);
  if (status == LB_OK) status = lb_options_create(db, LB_SCOPE_CONNECTION, &conn, err);
  struct lb_str uri = LB_STR("uri"), conf = LB_STR("databricks.session_conf.a");
  if (status == LB_OK) {
    status = lb_options_set(
        db, uri, "lakebeat://token:t@h/p?catalog=c&session_conf.a=1&port=7", err);
  }
  if (status == LB_OK) status = lb_options_set(conn, conf, "2", err);
  if (status == LB_OK) {
    status = lb_options_set(conn, LB_STR("HeartbeatIntervalSeconds"), "5", err);
  }
  if (status == LB_OK) status = lb_options_target(conn, &target, err);
  if (status == LB_OK) status = lb_options_each_conf(conn, see, &seen, err);
  char *text = NULL;
  if (status == LB_OK) status = lb_options_text(conn, LB_OPT_CATALOG, &text, err);
  LB_TEST_OOM_OR_OK(status, err);
  lb_free(text);
  lb_target_reset(&target);
  lb_options_release(conn);
  lb_options_release(db);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE({
    struct lb_error err = LB_ERROR_INIT;
    use_everything(&err);
  });
}

/* Readers on another thread while a thread sets; for the sanitizers to watch. */

#define ROUNDS lb_test_rounds(2000, 30)

static void *read_on(void *arg) {
  struct lb_options *opts = arg;
  for (int i = 0; i < ROUNDS; i++) {
    int64_t port = lb_options_int(opts, LB_OPT_PORT);
    if (port != 443 && port != 1 && port != 2) return opts;
    struct seen seen = {"", -1};
    if (lb_options_each_conf(opts, see, &seen, NULL) != LB_OK) return opts;
  }
  return NULL;
}

static void test_readers_on_other_threads(void **state) {
  (void)state;
  struct lb_options *db = create(NULL, LB_SCOPE_DATABASE);
  struct lb_options *conn = create(NULL, LB_SCOPE_CONNECTION);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, read_on, conn), 0);
  lb_options_adopt(conn, db);
  for (int i = 0; i < ROUNDS; i++) {
    set(db, "databricks.port", i % 2 ? "1" : NULL);
    set(db, "uri", i % 3 ? "lakebeat://h:2/p?session_conf.a=1" : NULL);
    set(conn, "databricks.session_conf.b", i % 2 ? "1" : NULL);
  }
  void *failed = NULL;
  pthread_join(thread, &failed);
  assert_null(failed);
  lb_options_release(conn);
  lb_options_release(db);
}

LB_TEST_MAIN(LB_TEST(test_table), LB_TEST(test_aliases), LB_TEST(test_normal_form),
             LB_TEST(test_bad_values), LB_TEST(test_secrets_cannot_be_read),
             LB_TEST(test_uri_reads_as_where_it_leads), LB_TEST(test_nearest_wins),
             LB_TEST(test_scopes), LB_TEST(test_text), LB_TEST(test_session_confs),
             LB_TEST(test_target_of_uri), LB_TEST(test_target_of_parts),
             LB_TEST(test_parts_win_over_uri), LB_TEST(test_options_of_a_uri),
             LB_TEST(test_out_of_memory), LB_TEST(test_readers_on_other_threads))
