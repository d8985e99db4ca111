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

/* A source that does nothing by itself, and those who wait for it. */
struct fake_source {
  int asked;
  int destroyed;
  enum lb_status answer;
  struct lb_auth *auth;
};

static enum lb_status fake_renew(void *ctx, struct lb_auth *auth, struct lb_io *io,
                                 struct lb_error *err) {
  struct fake_source *source = ctx;
  (void)io;
  source->asked++;
  source->auth = auth;
  if (source->answer == LB_OK) return LB_OK;
  return lb_error_set(err, source->answer, "the fake source is closed");
}

static void fake_destroy(void *ctx) { ((struct fake_source *)ctx)->destroyed++; }

static struct lb_token_source source_of(struct fake_source *fake) {
  *fake = (struct fake_source){.answer = LB_OK};
  return (struct lb_token_source){fake_renew, fake_destroy, fake};
}

struct waiter {
  struct lb_token_waiter base;
  int renewed;
  int refused;
  struct lb_auth *again; /* asks once more from within done */
};

static void waiter_done(struct lb_token_waiter *base, struct lb_io *io, bool renewed) {
  struct waiter *waiter = LB_CONTAINER_OF(base, struct waiter, base);
  if (renewed) {
    waiter->renewed++;
  } else {
    waiter->refused++;
  }
  struct lb_auth *again = waiter->again;
  waiter->again = NULL;
  if (again) LB_TEST_OK(lb_auth_renew(again, io, base, NULL), NULL);
}

static void test_one_renewal_for_all_who_ask(void **state) {
  (void)state;
  struct fake_source fake;
  struct lb_token_source source = source_of(&fake);
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  char header[128];
  LB_TEST_OK(lb_auth_renewable("first", &source, &auth, &err), &err);
  assert_true(lb_auth_renewal_id(auth) != 0);
  struct waiter waiters[3] = {0};
  for (int i = 0; i < 3; i++) {
    waiters[i].base.done = waiter_done;
    LB_TEST_OK(lb_auth_renew(auth, NULL, &waiters[i].base, &err), &err);
  }
  assert_int_equal(fake.asked, 1);
  header_of(auth, header, sizeof(header));
  assert_string_equal(header, "Bearer first");
  waiters[1].again = auth;
  lb_auth_renewed(auth, NULL, "second\n");
  lb_torture_tell(waiters[0].refused > 0);
  header_of(auth, header, sizeof(header));
  assert_string_equal(header, "Bearer second");
  for (int i = 0; i < 3; i++) assert_int_equal(waiters[i].renewed, 1);
  assert_int_equal(fake.asked, 2); /* by the one who asked again */
  lb_auth_renewed(auth, NULL, NULL);
  assert_int_equal(waiters[1].refused, 1);
  assert_int_equal(waiters[0].refused + waiters[2].refused, 0);
  assert_int_equal(fake.destroyed, 0);
  lb_auth_release(auth);
  assert_int_equal(fake.destroyed, 1);
}

static void test_the_old_token_stays_when_there_is_no_newer(void **state) {
  (void)state;
  struct fake_source fake;
  struct lb_token_source source = source_of(&fake);
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  char header[128];
  LB_TEST_OK(lb_auth_renewable("first", &source, &auth, &err), &err);
  struct waiter waiter = {.base.done = waiter_done};
  static const char *const none[] = {NULL, "", "to ken", "to\r\nX: y"};
  for (size_t i = 0; i < LB_ARRAY_LEN(none); i++) {
    LB_TEST_OK(lb_auth_renew(auth, NULL, &waiter.base, &err), &err);
    lb_auth_renewed(auth, NULL, none[i]);
    assert_int_equal(waiter.refused, i + 1);
    header_of(auth, header, sizeof(header));
    assert_string_equal(header, "Bearer first");
  }
  fake.answer = LB_CONNECTION;
  LB_TEST_FAILS(LB_CONNECTION, lb_auth_renew(auth, NULL, &waiter.base, &err), &err);
  assert_int_equal(waiter.refused, LB_ARRAY_LEN(none));
  lb_auth_release(auth);
}

static void test_released_while_a_renewal_runs(void **state) {
  (void)state;
  struct fake_source fake;
  struct lb_token_source source = source_of(&fake);
  struct lb_auth *auth;
  LB_TEST_OK(lb_auth_renewable("first", &source, &auth, NULL), NULL);
  struct waiter waiter = {.base.done = waiter_done};
  LB_TEST_OK(lb_auth_renew(auth, NULL, &waiter.base, NULL), NULL);
  lb_auth_release(auth);
  assert_int_equal(fake.destroyed, 0);
  lb_auth_renewed(fake.auth, NULL, "second");
  lb_torture_tell(waiter.refused > 0);
  assert_int_equal(waiter.renewed, 1);
  assert_int_equal(fake.destroyed, 1);
}

static void test_a_plain_token_cannot_be_renewed(void **state) {
  (void)state;
  struct lb_auth *auth;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_auth_bearer("dapi123", &auth, &err), &err);
  assert_int_equal(lb_auth_renewal_id(auth), 0);
  struct waiter waiter = {.base.done = waiter_done};
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, lb_auth_renew(auth, NULL, &waiter.base, &err), &err);
  LB_TEST_CONTAINS(err.message, "databricks.access_token");
  assert_int_equal(waiter.renewed + waiter.refused, 0);
  lb_auth_release(auth);
}

static void renew_once(void) {
  struct fake_source fake;
  struct lb_token_source source = source_of(&fake);
  struct lb_auth *auth = NULL;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_auth_renewable("first", &source, &auth, &err);
  LB_TEST_OOM_OR_OK(status, &err);
  if (status != LB_OK) return;
  struct waiter waiter = {.base.done = waiter_done};
  LB_TEST_OK(lb_auth_renew(auth, NULL, &waiter.base, &err), &err);
  lb_auth_renewed(auth, NULL, "second"); /* without memory the old one stays */
  assert_int_equal(waiter.renewed + waiter.refused, 1);
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
  LB_TEST_TORTURE(renew_once());
}

LB_TEST_MAIN(LB_TEST(test_bearer), LB_TEST(test_bearer_refuses_what_is_no_token),
             LB_TEST(test_basic), LB_TEST(test_basic_refuses_a_colon_in_the_name),
             LB_TEST(test_none_sends_nothing), LB_TEST(test_one_renewal_for_all_who_ask),
             LB_TEST(test_the_old_token_stays_when_there_is_no_newer),
             LB_TEST(test_released_while_a_renewal_runs),
             LB_TEST(test_a_plain_token_cannot_be_renewed), LB_TEST(test_out_of_memory))
