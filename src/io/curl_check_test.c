/* SPDX-License-Identifier: Apache-2.0 */
#include "io/curl_check.h"

#include "base/test_support.h"

static const char *const both[] = {"file", "http", "https", NULL};
static const char *const plain[] = {"http", NULL};
static const char *const tls[] = {"https", NULL};

static curl_version_info_data good(void) {
  return (curl_version_info_data){
      .age = CURLVERSION_NOW,
      .version = "7.88.1",
      .version_num = 0x075801,
      .features = CURL_VERSION_THREADSAFE | CURL_VERSION_ASYNCHDNS | CURL_VERSION_SSL,
      .protocols = both};
}

static void test_the_one_at_hand_is_good(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_curl_check(curl_version_info(CURLVERSION_NOW), &err), &err);
  curl_version_info_data info = good();
  LB_TEST_OK(lb_curl_check(&info, &err), &err);
  info.version_num = 0x075700;
  LB_TEST_OK(lb_curl_check(&info, &err), &err);
}

static void test_too_old(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  curl_version_info_data info = good();
  info.version = "7.86.0";
  info.version_num = 0x075600;
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_curl_check(&info, &err), &err);
  LB_TEST_CONTAINS(err.message, "libcurl 7.86.0 was found at run time");
  LB_TEST_CONTAINS(err.message, "7.87.0 or later");
}

static void test_each_lack_is_named(void **state) {
  (void)state;
  static const struct {
    int feature;
    const char *name;
  } rows[] = {{CURL_VERSION_THREADSAFE, "THREADSAFE"},
              {CURL_VERSION_ASYNCHDNS, "ASYNCHDNS"},
              {CURL_VERSION_SSL, "SSL"}};
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_error err = LB_ERROR_INIT;
    curl_version_info_data info = good();
    info.features &= ~rows[i].feature;
    LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_curl_check(&info, &err), &err);
    LB_TEST_CONTAINS(err.message, rows[i].name);
    LB_TEST_CONTAINS(err.message, "7.88.1");
  }
}

static void test_protocols(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  curl_version_info_data info = good();
  info.protocols = plain;
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_curl_check(&info, &err), &err);
  LB_TEST_CONTAINS(err.message, "https");
  info.protocols = tls;
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_curl_check(&info, &err), &err);
  LB_TEST_CONTAINS(err.message, "protocol http,");
}

LB_TEST_MAIN(LB_TEST(test_the_one_at_hand_is_good), LB_TEST(test_too_old),
             LB_TEST(test_each_lack_is_named), LB_TEST(test_protocols))
