/* SPDX-License-Identifier: Apache-2.0 */
#include "io/outcome.h"

#include "base/test_support.h"

static void test_what_was_proven(void **state) {
  (void)state;
  static const struct {
    enum lb_attempt_end end;
    CURLcode code;
    bool sent, body_whole;
    int32_t http_status;
    enum lb_outcome outcome;
  } rows[] = {
      {LB_ATTEMPT_CURL, CURLE_OK, true, true, 200, LB_OUTCOME_REPLY},
      {LB_ATTEMPT_CURL, CURLE_OK, true, true, 503, LB_OUTCOME_BUSY},
      {LB_ATTEMPT_CURL, CURLE_OK, true, true, 500, LB_OUTCOME_SERVER_FAULT},
      /* A reply may come before the whole body has gone. */
      {LB_ATTEMPT_CURL, CURLE_OK, true, false, 401, LB_OUTCOME_REPLY},
      {LB_ATTEMPT_CURL, CURLE_COULDNT_RESOLVE_HOST, false, true, 0, LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_CURL, CURLE_COULDNT_CONNECT, false, true, 0, LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_CURL, CURLE_SSL_CONNECT_ERROR, false, true, 0, LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_CURL, CURLE_SEND_ERROR, true, false, 0, LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_CURL, CURLE_SEND_ERROR, true, true, 0, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_RECV_ERROR, true, true, 0, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_GOT_NOTHING, true, true, 0, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_SEND_FAIL_REWIND, true, true, 0, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_PARTIAL_FILE, true, true, 200, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_WEIRD_SERVER_REPLY, true, true, 0, LB_OUTCOME_BROKEN},
      {LB_ATTEMPT_CURL, CURLE_PEER_FAILED_VERIFICATION, false, true, 0, LB_OUTCOME_FAULT},
      {LB_ATTEMPT_CURL, CURLE_SSL_CACERT_BADFILE, false, true, 0, LB_OUTCOME_FAULT},
      {LB_ATTEMPT_CURL, CURLE_OUT_OF_MEMORY, false, true, 0, LB_OUTCOME_FAULT},
      {LB_ATTEMPT_CONNECT, CURLE_OPERATION_TIMEDOUT, false, true, 0,
       LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_SILENCE, CURLE_OPERATION_TIMEDOUT, true, true, 0, LB_OUTCOME_SILENT},
      {LB_ATTEMPT_SILENCE, CURLE_OPERATION_TIMEDOUT, true, false, 0,
       LB_OUTCOME_UNREACHED},
      {LB_ATTEMPT_FAULT, CURLE_WRITE_ERROR, true, true, 200, LB_OUTCOME_FAULT},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_attempt attempt = {.end = rows[i].end,
                                 .code = rows[i].code,
                                 .sent = rows[i].sent,
                                 .body_whole = rows[i].body_whole,
                                 .http_status = rows[i].http_status};
    assert_int_equal(lb_outcome_of(&attempt), rows[i].outcome);
    assert_int_equal(lb_outcome_may_be_received(&attempt),
                     rows[i].sent && rows[i].body_whole);
  }
}

static void test_no_way_to_the_host(void **state) {
  (void)state;
  static const struct {
    enum lb_attempt_end end;
    CURLcode code;
    bool sent, unreached;
  } rows[] = {
      {LB_ATTEMPT_CURL, CURLE_COULDNT_RESOLVE_HOST, false, true},
      {LB_ATTEMPT_CURL, CURLE_COULDNT_RESOLVE_PROXY, false, true},
      {LB_ATTEMPT_CURL, CURLE_COULDNT_CONNECT, false, true},
      {LB_ATTEMPT_CURL, CURLE_PROXY, false, true},
      {LB_ATTEMPT_CURL, CURLE_RECV_ERROR, false, true}, /* the proxy says no */
      {LB_ATTEMPT_CURL, CURLE_SSL_CONNECT_ERROR, false, true},
      {LB_ATTEMPT_CURL, CURLE_PEER_FAILED_VERIFICATION, false, true},
      {LB_ATTEMPT_CONNECT, CURLE_OPERATION_TIMEDOUT, false, true},
      {LB_ATTEMPT_CURL, CURLE_OPERATION_TIMEDOUT, false, true},
      /* What the user has to correct, and what is ours. */
      {LB_ATTEMPT_CURL, CURLE_SSL_CACERT_BADFILE, false, false},
      {LB_ATTEMPT_CURL, CURLE_OUT_OF_MEMORY, false, false},
      {LB_ATTEMPT_FAULT, CURLE_OK, false, false},
      /* It was reached. */
      {LB_ATTEMPT_CURL, CURLE_RECV_ERROR, true, false},
      {LB_ATTEMPT_CURL, CURLE_SEND_ERROR, true, false},
      {LB_ATTEMPT_SILENCE, CURLE_OPERATION_TIMEDOUT, true, false},
      {LB_ATTEMPT_CURL, CURLE_OK, true, false},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_attempt attempt = {.end = rows[i].end,
                                 .code = rows[i].code,
                                 .sent = rows[i].sent,
                                 .body_whole = true,
                                 .http_status = rows[i].sent ? 200 : 0};
    assert_int_equal(lb_outcome_is_unreached(&attempt), rows[i].unreached);
  }
}

static struct lb_outcome_context context(enum lb_repeat repeat, const char *curl_text) {
  return (struct lb_outcome_context){.what = "ExecuteStatement",
                                     .host = "h:443",
                                     .curl_text = curl_text,
                                     .repeat = repeat,
                                     .attempts = 1,
                                     .connect_timeout_ms = 30000,
                                     .request_timeout_ms = 1500};
}

static struct lb_error explain(enum lb_attempt_end end, CURLcode code, bool sent,
                               struct lb_outcome_context ctx, enum lb_status wanted) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_attempt attempt = {
      .end = end, .code = code, .sent = sent, .body_whole = true};
  (void)lb_error_set(&attempt.fault, LB_INVALID_DATA, "a fault of ours");
  LB_TEST_FAILS(wanted, lb_outcome_error(&attempt, &ctx, &err), &err);
  assert_int_equal(lb_outcome_error(&attempt, &ctx, NULL), wanted);
  return err;
}

static void test_words(void **state) {
  (void)state;
  struct lb_error err =
      explain(LB_ATTEMPT_CURL, CURLE_RECV_ERROR, true,
              context(LB_REPEAT_IF_NOT_RECEIVED, "Recv failure\n"), LB_UNKNOWN_OUTCOME);
  assert_string_equal(
      err.message,
      "ExecuteStatement: the connection to h:443 broke after the request was "
      "sent (Recv failure); whether the server executed it is not known. Look "
      "at what it has done before you repeat it");
  err = explain(LB_ATTEMPT_CURL, CURLE_RECV_ERROR, true, context(LB_REPEAT_NEVER, ""),
                LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, curl_easy_strerror(CURLE_RECV_ERROR));
  assert_true(err.retryable);
  err = explain(LB_ATTEMPT_SILENCE, CURLE_OPERATION_TIMEDOUT, true,
                context(LB_REPEAT_SAFE, ""), LB_TIMEOUT);
  LB_TEST_CONTAINS(err.message, "nothing came from h:443 for 1500 ms "
                                "(databricks.request_timeout_seconds)");
  /* curl's own connect timer says the same as ours. */
  err = explain(LB_ATTEMPT_CURL, CURLE_OPERATION_TIMEDOUT, false,
                context(LB_REPEAT_SAFE, ""), LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, "within 30 s (databricks.connect_timeout_seconds)");
  err = explain(LB_ATTEMPT_CURL, CURLE_PEER_FAILED_VERIFICATION, false,
                context(LB_REPEAT_SAFE, "self-signed"), LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, "databricks.tls.ca_file");
  assert_false(err.retryable);
  err = explain(LB_ATTEMPT_CURL, CURLE_SSL_CACERT_BADFILE, false,
                context(LB_REPEAT_SAFE, "bad file"), LB_INVALID_ARGUMENT);
  LB_TEST_CONTAINS(err.message, "databricks.tls.ca_file");
  /* Stores have options of their own. */
  struct lb_outcome_context store = context(LB_REPEAT_SAFE, "a reason");
  store.store = true;
  err = explain(LB_ATTEMPT_CURL, CURLE_PEER_FAILED_VERIFICATION, false, store,
                LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, "databricks.cloudfetch.ca_file");
  err = explain(LB_ATTEMPT_CURL, CURLE_SSL_CACERT_BADFILE, false, store,
                LB_INVALID_ARGUMENT);
  LB_TEST_CONTAINS(err.message, "databricks.cloudfetch.ca_file");
  err = explain(LB_ATTEMPT_CURL, CURLE_COULDNT_CONNECT, false, store, LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, "databricks.cloudfetch.proxy");
  err = explain(LB_ATTEMPT_CONNECT, CURLE_OK, false, store, LB_CONNECTION);
  LB_TEST_CONTAINS(err.message, "databricks.cloudfetch.proxy");
  err = explain(LB_ATTEMPT_FAULT, CURLE_WRITE_ERROR, true, context(LB_REPEAT_SAFE, ""),
                LB_INVALID_DATA);
  assert_string_equal(err.message, "a fault of ours");
  (void)explain(LB_ATTEMPT_CURL, CURLE_OUT_OF_MEMORY, true, context(LB_REPEAT_SAFE, ""),
                LB_OUT_OF_MEMORY);
  err = explain(LB_ATTEMPT_CURL, CURLE_UNSUPPORTED_PROTOCOL, true,
                context(LB_REPEAT_IF_NOT_RECEIVED, "HTTP/0.9"), LB_PROTOCOL);
  LB_TEST_CONTAINS(err.message, "is not known");
}

static void test_a_proxy_password_stays_secret(void **state) {
  (void)state;
  struct lb_error err =
      explain(LB_ATTEMPT_CURL, CURLE_COULDNT_RESOLVE_PROXY, false,
              context(LB_REPEAT_SAFE, "Unsupported proxy 'http://user:sesame@proxy/'"),
              LB_CONNECTION);
  assert_true(lb_str_find(lb_str_from(err.message), LB_STR("sesame")) == SIZE_MAX);
}

static void test_durations(void **state) {
  (void)state;
  assert_string_equal(lb_duration_text(30000).text, "30 s");
  assert_string_equal(lb_duration_text(250).text, "250 ms");
  assert_string_equal(lb_duration_text(0).text, "0 s");
  assert_string_equal(lb_duration_text(LB_NEVER_MS).text, "9223372036854775807 ms");
}

LB_TEST_MAIN(LB_TEST(test_what_was_proven), LB_TEST(test_no_way_to_the_host),
             LB_TEST(test_words), LB_TEST(test_a_proxy_password_stays_secret),
             LB_TEST(test_durations))
