/* SPDX-License-Identifier: Apache-2.0 */
/* 1. What we ended for a reason of our own (memory, a limit) cannot be mended by
 *    repeating. Nor can a certificate that is not trusted or a setting that curl
 *    refuses.
 * 2. A request whose connection never stood, or whose body was not handed over to its
 *    last byte, was not received: a server cannot run half a request.
 * 3. Everything else that is not a whole reply leaves open what the server did. That
 *    the connection was a reused one proves nothing: it may have died after the
 *    request arrived. */
#include "io/outcome.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

struct lb_duration_text lb_duration_text(int64_t duration_ms) {
  struct lb_duration_text out;
  if (duration_ms % 1000 == 0) {
    (void)snprintf(out.text, sizeof(out.text), "%" PRId64 " s", duration_ms / 1000);
  } else {
    (void)snprintf(out.text, sizeof(out.text), "%" PRId64 " ms", duration_ms);
  }
  return out;
}

static bool is_certificate(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR ||
         code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
}

static bool is_hopeless(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WRITE_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
      return true;
    default:
      return is_certificate(code);
  }
}

bool lb_outcome_may_be_received(const struct lb_attempt *attempt) {
  return attempt->sent && attempt->body_whole;
}

bool lb_outcome_is_unreached(const struct lb_attempt *attempt) {
  if (attempt->sent || attempt->end == LB_ATTEMPT_FAULT) return false;
  if (attempt->end == LB_ATTEMPT_CURL && is_certificate(attempt->code)) return true;
  return lb_outcome_of(attempt) == LB_OUTCOME_UNREACHED;
}

enum lb_outcome lb_outcome_of(const struct lb_attempt *attempt) {
  bool received = lb_outcome_may_be_received(attempt);
  switch (attempt->end) {
    case LB_ATTEMPT_FAULT:
      return LB_OUTCOME_FAULT;
    case LB_ATTEMPT_CONNECT:
      return LB_OUTCOME_UNREACHED;
    case LB_ATTEMPT_SILENCE:
      return received ? LB_OUTCOME_SILENT : LB_OUTCOME_UNREACHED;
    case LB_ATTEMPT_CURL:
      break;
  }
  if (attempt->code == CURLE_OK) return lb_outcome_of_http(attempt->http_status);
  if (is_hopeless(attempt->code)) return LB_OUTCOME_FAULT;
  return received ? LB_OUTCOME_BROKEN : LB_OUTCOME_UNREACHED;
}

static enum lb_status unreached(const struct lb_attempt *attempt,
                                const struct lb_outcome_context *ctx, const char *text,
                                struct lb_error *err) {
  const char *listens = ctx->loopback ? "; check that a server listens there" : "";
  const char *proxy = ctx->store ? "; a proxy for stores can be named with "
                                   "databricks.cloudfetch.proxy"
                                 : "";
  bool late =
      attempt->end == LB_ATTEMPT_CONNECT || attempt->code == CURLE_OPERATION_TIMEDOUT;
  if (!attempt->sent && late) {
    return lb_error_set(
        err, LB_CONNECTION,
        "%s: no connection to %s within %s "
        "(databricks.connect_timeout_seconds); check host, port and network%s",
        ctx->what, ctx->host, lb_duration_text(ctx->connect_timeout_ms).text, proxy);
  }
  if (!attempt->sent) {
    return lb_error_set(err, LB_CONNECTION, "%s: cannot connect to %s: %s%s%s", ctx->what,
                        ctx->host, text, listens, proxy);
  }
  return lb_error_set(
      err, LB_CONNECTION,
      "%s: the connection to %s broke before the whole request was sent: %s", ctx->what,
      ctx->host, text);
}

static void add_not_known(const struct lb_outcome_context *ctx, struct lb_error *err) {
  if (ctx->repeat != LB_REPEAT_IF_NOT_RECEIVED) return;
  lb_error_append(
      err, "; whether the server executed it is not known. Look at what it has done "
           "before you repeat it");
}

static enum lb_status hopeless(const struct lb_attempt *attempt,
                               const struct lb_outcome_context *ctx, const char *text,
                               struct lb_error *err) {
  if (attempt->end == LB_ATTEMPT_FAULT) {
    lb_error_copy(err, &attempt->fault);
    return attempt->fault.status;
  }
  if (attempt->code == CURLE_OUT_OF_MEMORY) return lb_error_oom(err, "an HTTP request");
  enum lb_status status;
  const char *option =
      ctx->store ? "databricks.cloudfetch.ca_file" : "databricks.tls.ca_file";
  if (is_certificate(attempt->code)) {
    status =
        lb_error_set(err, LB_CONNECTION,
                     "%s: the TLS certificate of %s is not accepted: %s. If it comes "
                     "from an authority of your own, name that one's certificate with "
                     "%s",
                     ctx->what, ctx->host, text, option);
  } else if (attempt->code == CURLE_SSL_CACERT_BADFILE) {
    status = lb_error_set(err, LB_INVALID_ARGUMENT,
                          "%s: the certificates to trust cannot be read: %s; correct "
                          "%s",
                          ctx->what, text, option);
  } else {
    status = lb_error_set(err, LB_PROTOCOL, "%s: the exchange with %s failed: %s",
                          ctx->what, ctx->host, text);
  }
  if (err != NULL) err->retryable = false;
  if (lb_outcome_may_be_received(attempt)) add_not_known(ctx, err);
  return status;
}

static void add_attempts(const struct lb_outcome_context *ctx, struct lb_error *err) {
  if (ctx->attempts < 2) return;
  lb_error_append(err, " (%d attempts in %s, see databricks.retry_timeout_seconds)",
                  (int)ctx->attempts, lb_duration_text(ctx->elapsed_ms).text);
}

enum lb_status lb_outcome_error(const struct lb_attempt *attempt,
                                const struct lb_outcome_context *ctx,
                                struct lb_error *err) {
  char text[CURL_ERROR_SIZE];
  const char *words =
      ctx->curl_text[0] != '\0' ? ctx->curl_text : curl_easy_strerror(attempt->code);
  lb_str_copy(text, sizeof(text), lb_str_trim(lb_str_from(words)));
  lb_redact(text); /* curl may name a proxy by its URL */
  enum lb_status status;
  switch (lb_outcome_of(attempt)) {
    case LB_OUTCOME_UNREACHED:
      status = unreached(attempt, ctx, text, err);
      break;
    case LB_OUTCOME_BROKEN:
      status = lb_error_set(
          err,
          ctx->repeat == LB_REPEAT_IF_NOT_RECEIVED ? LB_UNKNOWN_OUTCOME : LB_CONNECTION,
          "%s: the connection to %s broke after the request was sent (%s)", ctx->what,
          ctx->host, text);
      add_not_known(ctx, err);
      break;
    case LB_OUTCOME_SILENT:
      status = lb_error_set(err, LB_TIMEOUT,
                            "%s: nothing came from %s for %s "
                            "(databricks.request_timeout_seconds)",
                            ctx->what, ctx->host,
                            lb_duration_text(ctx->request_timeout_ms).text);
      add_not_known(ctx, err);
      break;
    default:
      return hopeless(attempt, ctx, text, err);
  }
  add_attempts(ctx, err);
  if (err != NULL) err->http_status = attempt->http_status;
  return status;
}
