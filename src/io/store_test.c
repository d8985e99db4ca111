/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to a store and which way, and how it is told that there is none. */
#include <io_rig.h>
#include <stdlib.h>

/* Derived from an endpoint with a header and an option for stores. */
static struct lb_endpoint *store_at(struct rig *rig, const char *url, const char *proxy) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_endpoint *store = NULL;
  rig->opts.extra_headers[1] = "x-databricks-org-id: 7";
  rig->opts.store_proxy = proxy;
  rig_reconnect(rig);
  LB_TEST_OK(lb_endpoint_derive(rig->endpoint, url, &store, &err), &err);
  return store;
}

static void start(struct exchange *ex, struct rig *rig, const char *url,
                  const char *proxy) {
  struct lb_endpoint *store = store_at(rig, url, proxy);
  exchange_init(ex, rig->io, store, LB_REPEAT_NEVER, NULL);
  ex->req->method = LB_METHOD_GET;
  ex->req->req_class = LB_REQ_DOWNLOAD;
  exchange_start(ex);
  lb_endpoint_release(store);
}

static void get(struct exchange *ex, struct rig *rig, const char *url,
                const char *proxy) {
  start(ex, rig, url, proxy);
  exchange_wait(ex);
}

static int count_lines(const char *head) {
  int count = 0;
  while ((head = strstr(head, "\r\n")) != NULL) {
    head += 2;
    count++;
  }
  return count;
}

/* The signature covers what is sent: nothing is encoded, decoded, cut or added. */
static void test_the_url_byte_for_byte_and_no_header_of_ours(void **state) {
  (void)state;
  static const char path[] =
      "/a%2Fb/%2b%7E~/../x//y;z=1/?X-Sig=a%2fB+c%20d&e=/../f&g=(*)'!$,:@|{}[]^&h&&i=";
  char url[256], line[256];
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", http_server_port(rig.server),
                 path);
  struct lb_endpoint *store = store_at(&rig, url, NULL);
  exchange_init(&ex, rig.io, store, LB_REPEAT_NEVER, NULL);
  static const char *const given[] = {"x-ms-version: 2020", "A: b"};
  ex.req->header_lines = given;
  ex.req->header_count = LB_ARRAY_LEN(given);
  ex.req->method = LB_METHOD_GET;
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  const char *head = http_server_head(rig.server, 0);
  (void)snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", path);
  assert_true(lb_str_starts_with(lb_str_from(head), lb_str_from(line)));
  static const char *const wanted[] = {
      "\r\nHost: 127.0.0.1:",       "\r\nUser-Agent: lakebeat/test\r\n",
      "\r\nAccept: */*\r\n",        "\r\nAccept-Encoding: identity\r\n",
      "\r\nx-ms-version: 2020\r\n", "\r\nA: b\r\n"};
  for (size_t i = 0; i < LB_ARRAY_LEN(wanted); i++) {
    assert_true(rig_contains(head, wanted[i]));
  }
  /* The line of the request, these, the empty one. */
  assert_int_equal(count_lines(head), LB_ARRAY_LEN(wanted) + 2);
  exchange_reset(&ex);
  lb_endpoint_release(store);
  rig_reset(&rig);
}

static void test_through_a_proxy_of_its_own(void **state) {
  (void)state;
  char proxy[64];
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  (void)snprintf(proxy, sizeof(proxy), "http://user:sesame@127.0.0.1:%d",
                 http_server_port(rig.server));
  assert_int_equal(setenv("NO_PROXY", "*", 1), 0);
  get(&ex, &rig, "http://store.example/a%2b?b=%7e", proxy);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  const char *head = http_server_head(rig.server, 0);
  assert_true(rig_contains(head, "GET http://store.example/a%2b?b=%7e HTTP/1.1\r\n"));
  assert_true(rig_contains(head, "\r\nProxy-Authorization: Basic dXNlcjpzZXNhbWU="));
  exchange_reset(&ex);
  /* An option counts for hosts of this machine too. */
  get(&ex, &rig, "http://127.0.0.1:1/x", proxy);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  assert_int_equal(unsetenv("NO_PROXY"), 0);
  assert_int_equal(http_server_requests(rig.server), 2);
  assert_false(rig_contains(rig.log.text, "sesame"));
  rig_reset(&rig);
}

/* The server itself is reached as before. */
static void test_the_server_has_no_part_in_it(void **state) {
  (void)state;
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  rig.opts.store_proxy = "http://127.0.0.1:1";
  rig.opts.store_ca_file = "/nowhere.pem";
  rig_reconnect(&rig);
  exchange_init(&ex, rig.io, rig.endpoint, LB_REPEAT_NEVER, NULL);
  exchange_run(&ex);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  exchange_reset(&ex);
  rig_reset(&rig);
}

static void expect_failed(struct exchange *ex, struct rig *rig, bool unreached,
                          bool answered) {
  LB_TEST_FAILS(LB_CONNECTION, ex->req->status, &ex->req->err);
  assert_int_equal(ex->req->unreached, unreached);
  assert_int_equal(ex->req->host_answered, answered);
  assert_false(rig_contains(ex->req->err.message, "sesame"));
  assert_false(rig_contains(ex->req->err.message, "/path"));
  assert_false(rig_contains(rig->log.text, "sesame"));
  exchange_reset(ex);
}

static void test_no_way_to_the_store(void **state) {
  (void)state;
  char closed[64], open[64], tls[64], proxy[64], refusing[64];
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  int port = http_server_port(rig.server), nobody = rig_free_port();
  (void)snprintf(closed, sizeof(closed), "http://127.0.0.1:%d/path?sesame", nobody);
  (void)snprintf(open, sizeof(open), "http://127.0.0.1:%d/path?sesame", port);
  (void)snprintf(tls, sizeof(tls), "https://127.0.0.1:%d/path?sesame", port);
  (void)snprintf(proxy, sizeof(proxy), "http://u:sesame@127.0.0.1:%d", nobody);
  (void)snprintf(refusing, sizeof(refusing), "http://u:sesame@127.0.0.1:%d", port);
  get(&ex, &rig, closed, NULL);
  LB_TEST_CONTAINS(ex.req->err.message, "databricks.cloudfetch.proxy");
  expect_failed(&ex, &rig, true, false);
  get(&ex, &rig, open, proxy); /* nobody listens there */
  expect_failed(&ex, &rig, true, false);
  /* A proxy that lets nobody through. */
  rig_script(&rig, (struct http_step){.status = 403}, (struct http_step){0});
  get(&ex, &rig, "https://store.example/path?sesame", refusing);
  expect_failed(&ex, &rig, true, false);
  /* A server that never answers to TLS: what a firewall may look like. */
  int before = http_server_connections(rig.server);
  start(&ex, &rig, tls, "none");
  http_server_wait_connections(rig.server, before + 1);
  rig_advance(&rig, 30000);
  exchange_wait(&ex);
  expect_failed(&ex, &rig, true, false);
  /* It is reached, and fails then. */
  rig_script(&rig, (struct http_step){.kind = HTTP_CLOSE}, (struct http_step){0});
  get(&ex, &rig, open, "none");
  expect_failed(&ex, &rig, false, false);
  /* It has answered, and is gone now. */
  get(&ex, &rig, open, NULL);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_false(ex.req->unreached);
  assert_true(ex.req->host_answered);
  exchange_reset(&ex);
  get(&ex, &rig, open, proxy);
  expect_failed(&ex, &rig, true, true);
  rig_reset(&rig);
}

/* The proxy of the environment's is not asked when the option says so. */
static void test_no_proxy(void **state) {
  (void)state;
  char url[64], proxy[64];
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  /* This machine, by an address that is not taken for it. */
  (void)snprintf(url, sizeof(url), "http://0.0.0.0:%d/path", rig_free_port());
  (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d",
                 http_server_port(rig.server));
  assert_int_equal(setenv("http_proxy", proxy, 1), 0);
  get(&ex, &rig, url, "none");
  expect_failed(&ex, &rig, true, false);
  assert_int_equal(http_server_requests(rig.server), 0);
  get(&ex, &rig, url, NULL);
  LB_TEST_OK(ex.req->status, &ex.req->err);
  assert_int_equal(http_server_requests(rig.server), 1);
  exchange_reset(&ex);
  assert_int_equal(unsetenv("http_proxy"), 0);
  rig_reset(&rig);
}

/* One attempt that reached it is enough to know that there is a way. */
static void test_reached_once(void **state) {
  (void)state;
  char url[64];
  struct rig rig;
  struct exchange ex;
  rig_init(&rig);
  rig_script(&rig, (struct http_step){.kind = HTTP_CLOSE}, (struct http_step){0});
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/path",
                 http_server_port(rig.server));
  struct lb_endpoint *store = store_at(&rig, url, NULL);
  exchange_init(&ex, rig.io, store, LB_REPEAT_SAFE, NULL);
  exchange_start(&ex);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  http_server_stop(rig.server);
  rig_advance(&rig, 1000);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  rig_advance(&rig, 2000);
  exchange_until(&ex, LB_TRANSFER_WAITING);
  rig_advance(&rig, 100000);
  exchange_wait(&ex);
  rig.server = http_server_start(); /* for the end */
  expect_failed(&ex, &rig, false, false);
  lb_endpoint_release(store);
  rig_reset(&rig);
}

LB_TEST_MAIN(LB_TEST(test_the_url_byte_for_byte_and_no_header_of_ours),
             LB_TEST(test_through_a_proxy_of_its_own),
             LB_TEST(test_the_server_has_no_part_in_it),
             LB_TEST(test_no_way_to_the_store), LB_TEST(test_no_proxy),
             LB_TEST(test_reached_once))
