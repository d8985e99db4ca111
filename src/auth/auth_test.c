/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "base/test_support.h"

static void header_of(const struct lb_auth *auth, char *out, size_t cap) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_buf value;
  const struct lb_authorizer *authorizer = lb_auth_authorizer(auth);
  assert_non_null(authorizer);
  lb_buf_init(&value, LB_MEM_MISC, 4096);
  LB_TEST_OK(authorizer->header(authorizer->ctx, &value, &err), &err);
  lb_str_copy(out, cap, (struct lb_str){(const char *)value.data, value.len});
  lb_buf_reset(&value);
}

static void test_bearer(void **state) {
  (void)state;
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  char header[128];
  LB_TEST_OK(lb_auth_bearer(" dapi123\n", &auth, &err), &err);
  header_of(auth, header, sizeof(header));
  assert_string_equal(header, "Bearer dapi123");
  assert_true(lb_auth_sends_secret(auth));
  lb_auth_retain(auth);
  lb_auth_release(auth);
  header_of(auth, header, sizeof(header));
  lb_auth_release(auth);
  lb_auth_release(NULL);
}

static void test_bearer_refuses_what_is_no_token(void **state) {
  (void)state;
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_auth_bearer("  ", &auth, &err), &err);
  LB_TEST_CONTAINS(err.message, "databricks.access_token");
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_auth_bearer("dapi\r\nX: y", &auth, &err), &err);
  assert_null(strstr(err.message, "dapi"));
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_auth_bearer("da pi", &auth, &err), &err);
}

static void test_basic(void **state) {
  (void)state;
  static const struct {
    const char *user, *password, *header;
  } rows[] = {
      {"u", "p", "Basic dTpw"},
      {"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {"", "", "Basic Og=="},
      {"us", "p", "Basic dXM6cA=="},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_auth *auth;
    struct lb_error err = LB_ERROR_INIT;
    char header[128];
    LB_TEST_OK(lb_auth_basic(rows[i].user, rows[i].password, &auth, &err), &err);
    header_of(auth, header, sizeof(header));
    assert_string_equal(header, rows[i].header);
    lb_auth_release(auth);
  }
}

static void test_basic_refuses_a_colon_in_the_name(void **state) {
  (void)state;
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_auth_basic("a:b", "p", &auth, &err), &err);
  LB_TEST_CONTAINS(err.message, "username");
}

static void test_none_sends_nothing(void **state) {
  (void)state;
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_auth_none(&auth, &err), &err);
  assert_null(lb_auth_authorizer(auth));
  assert_false(lb_auth_sends_secret(auth));
  lb_auth_release(auth);
}

static void make_and_release(void) {
  struct lb_auth *auth = NULL;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_auth_basic("user", "password", &auth, &err);
  LB_TEST_OOM_OR_OK(status, &err);
  if (status == LB_OK) lb_auth_release(auth);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE(make_and_release());
}

LB_TEST_MAIN(LB_TEST(test_bearer), LB_TEST(test_bearer_refuses_what_is_no_token),
             LB_TEST(test_basic), LB_TEST(test_basic_refuses_a_colon_in_the_name),
             LB_TEST(test_none_sends_nothing), LB_TEST(test_out_of_memory))
