/* SPDX-License-Identifier: Apache-2.0 */
#include "io/endpoint.h"

#include "base/test_support.h"

static void test_url_is_read(void **state) {
  (void)state;
  static const struct {
    const char *url, *host;
    bool tls, loopback;
  } rows[] = {
      {"https://Example.COM/sql/1.0/warehouses/ab", "example.com:443", true, false},
      {"http://example.com/cliservice", "example.com:80", false, false},
      {"http://127.0.0.1:8080/x?o=1", "127.0.0.1:8080", false, true},
      {"http://127.3.2.1/", "127.3.2.1:80", false, true},
      {"https://LocalHost:1/", "localhost:1", true, true},
      {"http://dev.localhost/", "dev.localhost:80", false, true},
      {"http://[::1]:10001/cliservice", "[::1]:10001", false, true},
      {"http://[::2]/", "[::2]:80", false, false},
      {"http://127.0.0.1.example.com/", "127.0.0.1.example.com:80", false, false},
      {"http://localhost.example.com/", "localhost.example.com:80", false, false},
      {"http://notlocalhost/", "notlocalhost:80", false, false},
      {"http://128.0.0.1/", "128.0.0.1:80", false, false},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_endpoint *endpoint = NULL;
    struct lb_endpoint_options opts = {.url = rows[i].url};
    LB_TEST_OK(lb_endpoint_create(&opts, &endpoint, &err), &err);
    assert_string_equal(lb_endpoint_host(endpoint), rows[i].host);
    assert_string_equal(endpoint->url, rows[i].url);
    assert_int_equal(lb_endpoint_is_tls(endpoint), rows[i].tls);
    assert_int_equal(lb_endpoint_is_loopback(endpoint), rows[i].loopback);
    lb_endpoint_release(endpoint);
  }
}

static void test_wrong_url_is_refused_without_its_secrets(void **state) {
  (void)state;
  static const struct {
    const char *url, *part;
  } rows[] = {
      {"ftp://host/secret", "ftp://"},
      {"", "cannot be read"},
      {"host.example.com/secret", "cannot be read"},
      {"https://token:secret@host/", "user name or password"},
      {"https://token@host/?secret", "user name or password"},
      {"https://host:99999/secret", "cannot be read"},
      {"https://ho st/secret", "cannot be read"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_endpoint *endpoint = NULL;
    struct lb_endpoint_options opts = {.url = rows[i].url};
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_endpoint_create(&opts, &endpoint, &err), &err);
    LB_TEST_CONTAINS(err.message, rows[i].part);
    assert_true(lb_str_find(lb_str_from(err.message), LB_STR("secret")) == SIZE_MAX);
    assert_null(endpoint);
  }
}

static void test_headers(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {
      .url = "http://h/",
      .user_agent = "lakebeat/1",
      .extra_headers = {"content-type: application/x-thrift", "A: b"}};
  LB_TEST_OK(lb_endpoint_create(&opts, &endpoint, &err), &err);
  assert_true(endpoint->has_content_type);
  assert_string_equal(endpoint->headers[1], "A: b");
  assert_null(endpoint->headers[2]);
  assert_string_equal(endpoint->user_agent, "lakebeat/1");
  assert_string_equal(endpoint->user_agent_heartbeat, "lakebeat/1 heartbeat");
  lb_endpoint_release(endpoint);

  static const char *const wrong[] = {"A: b\r\nC: d", "no colon", ": empty name",
                                      "A: \x01"};
  for (size_t i = 0; i < LB_ARRAY_LEN(wrong); i++) {
    endpoint = NULL;
    opts.extra_headers[1] = wrong[i];
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_endpoint_create(&opts, &endpoint, &err), &err);
    LB_TEST_CONTAINS(err.message, "extra header 2");
    assert_null(endpoint);
  }
  opts.extra_headers[1] = NULL;
  opts.user_agent = "a\nb";
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_endpoint_create(&opts, &endpoint, &err), &err);
}

static void test_shared_by_count(void **state) {
  (void)state;
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = "http://h/"};
  LB_TEST_OK(lb_endpoint_create(&opts, &endpoint, NULL), NULL);
  lb_endpoint_retain(endpoint);
  lb_endpoint_release(endpoint);
  assert_string_equal(lb_endpoint_host(endpoint), "h:80");
  lb_endpoint_release(endpoint);
  lb_endpoint_release(NULL);
}

static void test_stores(void **state) {
  (void)state;
  static const struct {
    const char *ca_file, *proxy, *wanted_ca_file, *wanted_proxy;
  } rows[] = {
      {NULL, NULL, "/ca.pem", NULL},
      {"/store.pem", "none", "/store.pem", ""},
      {NULL, "http://u:p@proxy:3128", "/ca.pem", "http://u:p@proxy:3128"},
      {NULL, "socks5h://[::1]:1080/", "/ca.pem", "socks5h://[::1]:1080/"},
      {NULL, "HTTPS://proxy:1", "/ca.pem", "HTTPS://proxy:1"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_endpoint *base = NULL, *store = NULL;
    struct lb_endpoint_options opts = {
        .url = "https://h/p",
        .ca_file = "/ca.pem",
        .user_agent = "u",
        .extra_headers = {"x-databricks-org-id: 7"},
        .connect_timeout_ms = 1,
        .request_timeout_ms = 2,
        .retry_timeout_ms = 3,
        .store_ca_file = rows[i].ca_file,
        .store_proxy = rows[i].proxy,
    };
    LB_TEST_OK(lb_endpoint_create(&opts, &base, &err), &err);
    assert_null(base->proxy);
    assert_string_equal(base->ca_file, "/ca.pem");
    enum lb_status status =
        lb_endpoint_derive(base, "https://S:1/a%2b?b=%7e", &store, &err);
    lb_endpoint_release(base); /* the store stays */
    LB_TEST_OK(status, &err);
    assert_true(store->store);
    assert_string_equal(store->url, "https://S:1/a%2b?b=%7e");
    assert_string_equal(store->host, "s:1");
    assert_null(store->headers[0]);
    assert_string_equal(store->ca_file, rows[i].wanted_ca_file);
    if (rows[i].wanted_proxy == NULL) assert_null(store->proxy);
    if (rows[i].wanted_proxy != NULL) {
      assert_string_equal(store->proxy, rows[i].wanted_proxy);
    }
    assert_int_equal(store->connect_timeout_ms, 1);
    assert_int_equal(store->request_timeout_ms, 2);
    assert_int_equal(store->retry_timeout_ms, 3);
    lb_endpoint_release(store);
  }
}

static void test_wrong_proxy_is_refused_without_its_secrets(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "",
      "secret",
      "secret:80",
      "http://secret",
      "http://u:secret@proxy",
      "ftp://u:secret@proxy:1",
      "http://u:secret@proxy:99999",
      "NONE",
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(wrong); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct lb_endpoint *endpoint = NULL;
    struct lb_endpoint_options opts = {.url = "https://h/", .store_proxy = wrong[i]};
    LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_endpoint_create(&opts, &endpoint, &err), &err);
    LB_TEST_CONTAINS(err.message, "databricks.cloudfetch.proxy");
    assert_true(lb_str_find(lb_str_from(err.message), LB_STR("secret")) == SIZE_MAX);
    assert_null(endpoint);
  }
}

static void create_once(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_endpoint *endpoint = NULL;
  struct lb_endpoint_options opts = {.url = "https://h/p",
                                     .ca_file = "/ca.pem",
                                     .user_agent = "u",
                                     .extra_headers = {"A: b", "C: d", "E: f", "G: h"},
                                     .store_ca_file = "/store.pem",
                                     .store_proxy = "http://proxy:1"};
  struct lb_endpoint *store = NULL;
  LB_TEST_OOM_OR_OK(lb_endpoint_create(&opts, &endpoint, &err), &err);
  if (endpoint != NULL) {
    LB_TEST_OOM_OR_OK(lb_endpoint_derive(endpoint, "https://s/", &store, &err), &err);
  }
  lb_endpoint_release(store);
  lb_endpoint_release(endpoint);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(create_once());
}

LB_TEST_MAIN(LB_TEST(test_url_is_read),
             LB_TEST(test_wrong_url_is_refused_without_its_secrets),
             LB_TEST(test_headers), LB_TEST(test_stores),
             LB_TEST(test_wrong_proxy_is_refused_without_its_secrets),
             LB_TEST(test_shared_by_count), LB_TEST(test_out_of_memory))
