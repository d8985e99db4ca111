/* SPDX-License-Identifier: Apache-2.0 */
/* Each form of a uri, each way in which one can be wrong, and that no error shows a
 * secret. */
#include "session/options_uri.h"

#include "base/buf.h"
#include "base/test_support.h"

#define SECRET "dapi0123456789abcdef"
#define PATH "/sql/1.0/warehouses/1a2b"

struct good {
  const char *text;
  bool tls;
  int port;
  const char *host;
  const char *path;
  const char *token;
  const char *username;
  const char *password;
};

static const struct good goods[] = {
    {"https://h.example" PATH, true, 443, "h.example", PATH, NULL, NULL, NULL},
    {"HTTPS://H.example:8443" PATH, true, 8443, "H.example", PATH, NULL, NULL, NULL},
    {"http://127.0.0.1:10001/cliservice", false, 10001, "127.0.0.1", "/cliservice", NULL,
     NULL, NULL},
    {"http://h/p", false, 80, "h", "/p", NULL, NULL, NULL},
    {"  https://h/p\n", true, 443, "h", "/p", NULL, NULL, NULL},
    {"https://[2001:db8::1]:9/p", true, 9, "[2001:db8::1]", "/p", NULL, NULL, NULL},
    {"https://[::1]/p", true, 443, "[::1]", "/p", NULL, NULL, NULL},
    /* A web URL's path and query are kept as they are. */
    {"https://h/sql/protocolv1/o/0/c?o=12&x=%41", true, 443, "h",
     "/sql/protocolv1/o/0/c?o=12&x=%41", NULL, NULL, NULL},
    {"lakebeat://token:" SECRET "@h.example" PATH, true, 443, "h.example", PATH, SECRET,
     NULL, NULL},
    {"databricks://token:a%40b%25@h:444/p", true, 444, "h", "/p", "a@b%", NULL, NULL},
    {"Lakebeat://h/p", true, 443, "h", "/p", NULL, NULL, NULL},
    {"lakebeat://anna:se%3Acret@h/p", true, 443, "h", "/p", NULL, "anna", "se:cret"},
    {"lakebeat://anna:@h/p", true, 443, "h", "/p", NULL, "anna", ""},
    /* The last '@' ends the credentials. */
    {"lakebeat://anna:p@ss@h/p", true, 443, "h", "/p", NULL, "anna", "p@ss"},
    {"lakebeat://h/p?o=123", true, 443, "h", "/p?o=123", NULL, NULL, NULL},
    {"lakebeat://h/p?&", true, 443, "h", "/p", NULL, NULL, NULL},
    {"lakebeat://h/a%20b", true, 443, "h", "/a%20b", NULL, NULL, NULL},
};

static void expect_text(const char *found, const char *wanted) {
  if (wanted == NULL) {
    assert_null(found);
  } else {
    assert_non_null(found);
    assert_string_equal(found, wanted);
  }
}

static void test_good_forms(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(goods); i++) {
    struct lb_uri uri = {0};
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_OK(lb_uri_parse(lb_str_from(goods[i].text), &uri, &err), &err);
    assert_int_equal(uri.tls, goods[i].tls);
    assert_int_equal(uri.port, goods[i].port);
    expect_text(uri.host, goods[i].host);
    expect_text(uri.path, goods[i].path);
    expect_text(uri.token, goods[i].token);
    expect_text(uri.username, goods[i].username);
    expect_text(uri.password, goods[i].password);
    assert_int_equal(uri.option_count, 0);
    lb_uri_reset(&uri);
  }
}

static const struct {
  const char *text;
  const char *says;
} bads[] = {
    {"", "begins with none of"},
    {"h.example" PATH, "begins with none of"},
    {"ftp://h/p", "begins with none of"},
    {"https:/h/p", "begins with none of"},
    {"https://", "names no host"},
    {"https:///p", "names no host"},
    {"https://:443/p", "names no host"},
    {"https://h", "names no path"},
    {"https://h/", "names no path"},
    {"https://h?x=1", "names no path"},
    {"https://h/?o=1", "names no path"},
    {"https://h:0/p", "port"},
    {"https://h:65536/p", "port"},
    {"https://h:/p", "port"},
    {"https://h:+443/p", "port"},
    {"https://h:44x/p", "port"},
    {"https://[::1/p", "character that no host name has"},
    {"https://[::1]443/p", "port"},
    {"https://[host]/p", "character that no host name has"},
    {"https://h h/p", "character that no host name has"},
    {"https://h%20h/p", "character that no host name has"},
    {"https://h\x01/p", "character that no host name has"},
    {"https://h/a b", "its path"},
    {"https://h/a#b", "its path"},
    {"https://h/a\nb", "its path"},
    {"https://token:" SECRET "@h/p", "databricks.access_token"},
    {"https://" SECRET "@h/p", "databricks.access_token"},
    {"lakebeat://" SECRET "@h/p", "token:<pat>"},
    {"lakebeat://token:@h/p", "its token is empty"},
    {"lakebeat://token:" SECRET "%2@h/p", "its token holds a '%'"},
    {"lakebeat://token:" SECRET "%@h/p", "its token holds a '%'"},
    {"lakebeat://token:" SECRET "%zz@h/p", "its token holds a '%'"},
    {"lakebeat://token:" SECRET "%00@h/p", "its token holds a '%'"},
    {"lakebeat://token:" SECRET "%0a@h/p", "its token holds a '%'"},
    {"lakebeat://an%ff%x:" SECRET "@h/p", "its user name holds a '%'"},
    {"lakebeat://anna:" SECRET "%9@h/p", "its password holds a '%'"},
    /* A token with a slash that was not encoded. */
    {"lakebeat://token:" SECRET "/x@h/p", "port"},
    {"lakebeat://token:" SECRET "?x@h/p", "port"},
    {"lakebeat://h/p?" SECRET, "not of the form option=value"},
    {"lakebeat://h/p?=" SECRET, "not of the form option=value"},
    {"lakebeat://h/p?access_token=" SECRET "%", "an option's value holds a '%'"},
    {"lakebeat://h/p?a=" SECRET " ", NULL}, /* white space around is cut off */
    {"lakebeat://h/p?a=" SECRET " b", "its query"},
    {"lakebeat://h/p?a=" SECRET "#b", "its query"},
    {"lakebeat://h/p?o=" SECRET, "not a number"},
};

static void test_bad_forms(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(bads); i++) {
    struct lb_uri uri = {0};
    struct lb_error err = LB_ERROR_INIT;
    enum lb_status status = lb_uri_parse(lb_str_from(bads[i].text), &uri, &err);
    if (bads[i].says == NULL) {
      LB_TEST_OK(status, &err);
      lb_uri_reset(&uri);
      continue;
    }
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, status, &err);
    LB_TEST_CONTAINS(err.message, bads[i].says);
    LB_TEST_CONTAINS(err.message, "option uri");
    assert_null(strstr(err.message, SECRET));
    LB_TEST_FAILS(LB_INVALID_ARGUMENT,
                  lb_uri_parse(lb_str_from(bads[i].text), &uri, NULL), NULL);
    assert_null(uri.host);
  }
}

static void test_options_of_the_query(void **state) {
  (void)state;
  struct lb_uri uri = {0};
  struct lb_error err = LB_ERROR_INIT;
  struct lb_str text =
      LB_STR("lakebeat://h/p?o=77&catalog=main&heartbeat.interval_seconds=5&"
             "session_conf.a%3Db=c%26d%3D%25&schema=");
  LB_TEST_OK(lb_uri_parse(text, &uri, &err), &err);
  expect_text(uri.path, "/p?o=77");
  static const char *const wanted[][2] = {{"catalog", "main"},
                                          {"heartbeat.interval_seconds", "5"},
                                          {"session_conf.a=b", "c&d=%"},
                                          {"schema", ""}};
  assert_int_equal(uri.option_count, LB_ARRAY_LEN(wanted));
  for (size_t i = 0; i < LB_ARRAY_LEN(wanted); i++) {
    expect_text(uri.options[i].key, wanted[i][0]);
    expect_text(uri.options[i].value, wanted[i][1]);
  }
  lb_uri_reset(&uri);
  lb_uri_reset(&uri);
}

static void test_limits(void **state) {
  (void)state;
  struct lb_uri uri = {0};
  struct lb_error err = LB_ERROR_INIT;
  static char text[LB_URI_MAX_BYTES + 2];
  lb_str_copy(text, sizeof(text), LB_STR("https://h/"));
  memset(text + strlen("https://h/"), 'a', sizeof(text) - strlen("https://h/") - 1);
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_uri_parse(lb_str_from(text), &uri, &err), &err);
  LB_TEST_CONTAINS(err.message, "longer than 16 KiB");
  text[LB_URI_MAX_BYTES] = '\0';
  LB_TEST_OK(lb_uri_parse(lb_str_from(text), &uri, &err), &err);
  lb_uri_reset(&uri);

  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_TEST, 4096);
  lb_buf_append_text(&buf, "lakebeat://h/p?");
  for (int i = 0; i < LB_URI_OPTIONS_MAX; i++) lb_buf_append_text(&buf, "catalog=c&");
  struct lb_str whole = {(const char *)buf.data, buf.len};
  LB_TEST_OK(lb_uri_parse(whole, &uri, &err), &err);
  assert_int_equal(uri.option_count, LB_URI_OPTIONS_MAX);
  lb_uri_reset(&uri);
  lb_buf_append_text(&buf, "schema=s");
  whole = (struct lb_str){(const char *)buf.data, buf.len};
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_uri_parse(whole, &uri, &err), &err);
  LB_TEST_CONTAINS(err.message, "more than 64 options");
  lb_buf_reset(&buf);
}

static void test_out_of_memory(void **state) {
  (void)state;
  static const char *const texts[] = {"https://h/p",
                                      "lakebeat://token:t@h/p?o=1&catalog=main&schema=s",
                                      "lakebeat://u:p@h/p?catalog=main"};
  for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
    LB_TEST_TORTURE({
      struct lb_uri uri = {0};
      struct lb_error err = LB_ERROR_INIT;
      LB_TEST_OOM_OR_OK(lb_uri_parse(lb_str_from(texts[i]), &uri, &err), &err);
      lb_uri_reset(&uri);
    });
  }
}

LB_TEST_MAIN(LB_TEST(test_good_forms), LB_TEST(test_bad_forms),
             LB_TEST(test_options_of_the_query), LB_TEST(test_limits),
             LB_TEST(test_out_of_memory))
