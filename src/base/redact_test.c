/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/test_support.h"

struct pair {
  const char *text;
  const char *wanted;
};

static void check(const struct pair *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char text[512];
    lb_str_copy(text, sizeof(text), lb_str_from(cases[i].text));
    lb_redact(text);
    assert_string_equal(text, cases[i].wanted);
    /* What was hidden stays as it is when an error text is logged. */
    lb_redact(text);
    assert_string_equal(text, cases[i].wanted);
    assert_true(strlen(text) <= strlen(cases[i].text));
  }
}

static void test_authorization(void **state) {
  (void)state;
  static const struct pair cases[] = {
      {"Bearer abc.def-ghi", "Bearer ***"},
      {"got bearer   QWxh/ZGR+pbg== back", "got bearer   *** back"},
      {"Basic dTpw", "Basic ***"},
      {"Negotiate YII", "Negotiate ***"},
      {"Authorization: Digest user=\"u\", x", "Authorization: ***"},
      {"authorization:xyz\nHost: h", "authorization:***\nHost: h"},
      {"Proxy-Authorization: Basic x y", "Proxy-Authorization: ***"},
      {"Cookie: a=b; c=d", "Cookie: ***"},
      {"Set-Cookie: a=b; Path=/", "Set-Cookie: ***"},
      {"{\"Authorization\": \"Bearer abc\"}", "{\"Authorization\": \"Bearer ***\"}"},
      {"Bearer x", "Bearer *"},
  };
  check(cases, LB_ARRAY_LEN(cases));
}

static void test_urls(void **state) {
  (void)state;
  static const struct pair cases[] = {
      {"https://u:p%40@host/a?b=c&d=e#f=g x?y", "https://***@host/a?*** x?y"},
      {"http://user@h", "http://***@h"},
      {"socks5h://u:p@ss@h:1080/", "socks5h://***@h:1080/"},
      {"(https://h/p?sig=abc)", "(https://h/p?***"},
      {"\"https://h/p?sig=abc\", next", "\"https://h/p?***\", next"},
      {"https://h/cb#access_token=abcdef&x=y ok", "https://h/cb#*** ok"},
      {"https://h/page#anchor ok", "https://h/page#anchor ok"},
      {"https://h/Users/me@example.com/x", "https://h/Users/me@example.com/x"},
      {"is it? yes: a://b", "is it? yes: a://b"},
      {"https://a?x1234 https://u:p1@b?y1234", "https://a?*** https://***@b?***"},
      {"https://h/?", "https://h/?"},
      {"https://@h/", "https://@h/"},
  };
  check(cases, LB_ARRAY_LEN(cases));
}

static void test_named_values(void **state) {
  (void)state;
  static const struct pair cases[] = {
      {"password=hunter2;x=1", "password=***;x=1"},
      {"PWD = hunter2, next", "PWD = ***, next"},
      {"{\"access_token\" : \"ab\\\"cd\", \"n\": 1}",
       "{\"access_token\" : \"***\", \"n\": 1}"},
      {"client_secret: s3cret more", "client_secret: *** more"},
      {"lakebeat.auth.token=abcd", "lakebeat.auth.token=***"},
      {"/path?X-Amz-Signature=0a1b2c&n=1", "/path?X-Amz-Signature=***&n=1"},
      {"code_verifier='a b c' z", "code_verifier='***' z"},
      {"token=ab", "token=**"},
      {"CREATE USER u PASSWORD 'a b' x", "CREATE USER u PASSWORD '***' x"},
      {"OPTIONS ('password' 'abcd', user 'u')", "OPTIONS ('password' '***', user 'u')"},
      {"AWS_SECRET_KEY = 'abcd'", "AWS_SECRET_KEY = '***'"},
      {"fs.account_key=abcd", "fs.account_key=***"},
      {"unexpected token 'SELECT'", "unexpected token 'SELECT'"},
      {"unexpected token: SELECT", "unexpected token: SELECT"},
      {"the password is wrong", "the password is wrong"},
      {"tokens=5 passwords: none", "tokens=5 passwords: none"},
      {"password=", "password="},
      {"\"password\":\"\"", "\"password\":\"\""},
      {"password=\"open end", "password=\"***"},
      {"token", "token"},
  };
  check(cases, LB_ARRAY_LEN(cases));
}

static void test_tokens(void **state) {
  (void)state;
  static const struct pair cases[] = {
      {"dapi0123456789abcdef0123456789abcdef-2 is bad", "*** is bad"},
      {"(dapi-secret)", "(***)"},
      {"mydapi0123456789 stays", "mydapi0123456789 stays"},
      {"a dapi stays", "a dapi stays"},
      {"dose0123456789abcdef0123456789abcdef", "***"},
      {"a dose of doses", "a dose of doses"},
      {"dkea0123456789abcdef0123456789abcdef", "***"},
      {"x eyJhbGciOi.eyJzdWIi.c2ln-_ y", "x *** y"},
      {"eyJ", "eyJ"},
      {"", ""},
      {"nothing to hide: 42P01, table `a`.`b`", "nothing to hide: 42P01, table `a`.`b`"},
  };
  check(cases, LB_ARRAY_LEN(cases));
}

/* Any bytes: no fault, never longer, and a planted token never survives. */
static void test_random_texts(void **state) {
  (void)state;
  static const char alphabet[] = "ab:/?#@=&\"' .;\n\\dapieyJtokenBearer \x80\xff";
  static const char secret[] = "dapiSECRETSECRET";
  struct lb_random_state seed;
  lb_random_seed(&seed, 11);
  struct lb_random rnd = lb_random_from(&seed);
  for (int round = 0; round < 20000; round++) {
    char text[128];
    size_t len = (size_t)lb_random_between(&rnd, 0, 90);
    for (size_t i = 0; i < len; i++) {
      text[i] = alphabet[lb_random_between(&rnd, 0, (int64_t)sizeof(alphabet) - 2)];
    }
    size_t at = (size_t)lb_random_between(&rnd, 0, (int64_t)len);
    text[at] = ' ';
    memcpy(text + at + 1, secret, sizeof(secret));
    size_t before = strlen(text);
    lb_redact(text);
    assert_true(strlen(text) <= before);
    assert_true(lb_str_find(lb_str_from(text), LB_STR("SECRET")) == SIZE_MAX);
  }
}

LB_TEST_MAIN(LB_TEST(test_authorization), LB_TEST(test_urls), LB_TEST(test_named_values),
             LB_TEST(test_tokens), LB_TEST(test_random_texts))
