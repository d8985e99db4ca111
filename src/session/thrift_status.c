/* SPDX-License-Identifier: Apache-2.0 */
#include "session/thrift_status.h"

#include "base/log.h"

#define SHOWN_BODY_BYTES 300u

/* Texts by which servers say that they do not know a handle. No server has a code for
 * it: the open engines answer ERROR_STATUS without a SQLSTATE, Databricks HTTP 404. */
static const struct {
  struct lb_str text;
  enum lb_status status;
} lost_texts[] = {
    {{"RESOURCE_DOES_NOT_EXIST", 23}, LB_RESULT_LOST},
    {{"Invalid OperationHandle", 23}, LB_RESULT_LOST},
    {{"operation not found", 19}, LB_RESULT_LOST},
    {{"timed out due to inactivity", 27}, LB_RESULT_LOST},
    {{"cancelled part of cancelled job group", 37}, LB_RESULT_LOST},
    {{"Invalid SessionHandle", 21}, LB_SESSION_LOST},
    {{"Session does not exist", 22}, LB_SESSION_LOST},
};

enum lb_status lb_thrift_lost_text(struct lb_str text) {
  for (size_t i = 0; i < LB_ARRAY_LEN(lost_texts); i++) {
    if (lb_str_find_nocase(text, lost_texts[i].text) != SIZE_MAX)
      return lost_texts[i].status;
  }
  return LB_OK;
}

/* The part of a server's text that is meant for people: without the Java class in
 * front and the stack trace behind. */
static struct lb_str readable(struct lb_str text) {
  static const struct lb_str running = {"Error running query: ", 21};
  size_t at = lb_str_find(text, running);
  if (at != SIZE_MAX) {
    text.data += at + running.len;
    text.len -= at + running.len;
  }
  size_t trace = lb_str_find(text, LB_STR("\n\tat "));
  if (trace != SIZE_MAX) text.len = trace;
  text = lb_str_trim(text);
  /* "[CLASS] org.apache.SomeException: [CLASS] text" says everything twice. */
  size_t again = lb_str_find(text, LB_STR("Exception: ["));
  if (again != SIZE_MAX && text.data[0] == '[') {
    text.data += again + 11;
    text.len -= again + 11;
  }
  return text;
}

/* "[TABLE_OR_VIEW_NOT_FOUND] ..." carries its class in front. */
static struct lb_str class_of(struct lb_str text) {
  if (text.len < 3 || text.data[0] != '[') return (struct lb_str){NULL, 0};
  for (size_t i = 1; i < text.len && i < 96; i++) {
    char c = text.data[i];
    if (c == ']') return (struct lb_str){text.data + 1, i - 1};
    bool ok = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (!ok) break;
  }
  return (struct lb_str){NULL, 0};
}

static struct lb_str sqlstate_in(struct lb_str text) {
  size_t at = lb_str_find(text, LB_STR("SQLSTATE: "));
  if (at == SIZE_MAX || text.len - at < 15) return (struct lb_str){NULL, 0};
  return (struct lb_str){text.data + at + 10, 5};
}

static enum lb_status fill(struct lb_error *err, enum lb_status status, const char *what,
                           struct lb_str text, struct lb_str sql_state, int32_t code) {
  if (!err) return status;
  struct lb_str shown = readable(text);
  if (shown.len == 0) {
    lb_error_set(err, status, "%s: %s (the server gave no text)", what,
                 lb_status_text(status));
  } else {
    lb_error_set(err, status, "%s: %.*s", what,
                 (int)LB_MIN(shown.len, sizeof err->message), shown.data);
  }
  lb_redact(err->message);
  struct lb_str error_class = class_of(shown);
  lb_error_set_class(err, error_class.data, error_class.len);
  if (sql_state.len != 5) sql_state = sqlstate_in(text);
  /* A lost handle has one SQLSTATE, however a server words it. */
  bool lost = status == LB_RESULT_LOST || status == LB_SESSION_LOST;
  if (!lost) lb_error_set_sqlstate(err, sql_state.data, sql_state.len);
  err->native_code = code;
  return status;
}

/* 404 is a lost handle only when it says so: other 404s come from proxies and wrong
 * paths. */
static enum lb_status status_of_http(int32_t http_status, bool lost) {
  switch (http_status) {
    case 401:
      return LB_UNAUTHENTICATED;
    case 403:
      return LB_UNAUTHORIZED;
    case 404:
      return lost ? LB_RESULT_LOST : LB_HTTP;
    case 429:
    case 502:
    case 503:
    case 504:
      return LB_UNAVAILABLE;
    default:
      return LB_HTTP;
  }
}

static const char *remedy_of_http(int32_t http_status, bool lost) {
  switch (http_status) {
    case 401:
      return "; check databricks.access_token (or username and password)";
    case 403:
      return "; the user may not use this warehouse, or an IP access list refuses the "
             "client";
    case 404:
      return lost ? "" : "; check the path of the uri";
    default:
      return "";
  }
}

static bool is_thrift(const struct lb_request *req) {
  struct lb_str type = lb_str_from(req->headers.content_type);
  return lb_str_starts_with_nocase(type, LB_STR("application/x-thrift")) ||
         lb_str_starts_with_nocase(type, LB_STR("application/vnd.apache.thrift"));
}

/* Joins what the headers say as other clients do; the body only when they are silent. */
static void http_text(const struct lb_request *req, char *out, size_t cap) {
  const struct lb_reply_headers *headers = &req->headers;
  bool both = headers->thrift_error[0] && headers->databricks_error[0];
  bool any = headers->thrift_error[0] || headers->databricks_error[0];
  const char *parts[] = {
      headers->thrift_error, both ? " " : "", headers->databricks_error,
      any && headers->reason_phrase[0] ? ": " : "", headers->reason_phrase};
  size_t len = 0;
  for (size_t i = 0; i < LB_ARRAY_LEN(parts); i++) {
    len += lb_str_copy(out + len, cap - len, lb_str_from(parts[i]));
  }
  if (len > 0 || is_thrift(req)) return;
  struct lb_str body = {(const char *)req->reply.data,
                        LB_MIN(req->reply.len, SHOWN_BODY_BYTES)};
  lb_str_copy(out, cap, lb_str_trim(body));
}

enum lb_status lb_thrift_judge_http(const struct lb_request *req, struct lb_error *err) {
  if (req->http_status == 200) {
    if (is_thrift(req)) return LB_OK;
    enum lb_status status = lb_error_set(
        err, LB_PROTOCOL,
        "%s: %s answered with content type '%s' where a Thrift message was expected; a "
        "proxy "
        "or login page answers in place of the warehouse, or the path is wrong",
        req->what, lb_endpoint_host(req->endpoint), req->headers.content_type);
    if (err) err->http_status = 200;
    return status;
  }
  char text[1024];
  http_text(req, text, sizeof text);
  struct lb_str body = {(const char *)req->reply.data, LB_MIN(req->reply.len, 4096u)};
  bool lost =
      req->http_status == 404 && (lb_thrift_lost_text(lb_str_from(text)) != LB_OK ||
                                  (body.data && lb_thrift_lost_text(body) != LB_OK));
  enum lb_status status = status_of_http(req->http_status, lost);
  lb_error_set(err, status, "%s: HTTP %d from %s%s%s%s", req->what, (int)req->http_status,
               lb_endpoint_host(req->endpoint), text[0] ? ": " : "", text,
               remedy_of_http(req->http_status, lost));
  if (status == LB_UNAVAILABLE && req->repeat != LB_REPEAT_NEVER) {
    lb_error_append(err,
                    "; tried %d times, as option databricks.retry_timeout_seconds allows",
                    (int)req->attempts);
  }
  if (err) {
    lb_redact(err->message);
    err->http_status = req->http_status;
    if (lost) lb_error_set_class(err, "RESOURCE_DOES_NOT_EXIST", 23);
  }
  return status;
}

enum lb_status lb_thrift_judge_failure(const struct lb_thrift_failure *failure,
                                       const char *what, struct lb_error *err) {
  switch (failure->status_code) {
    case LB_T_STATUS_SUCCESS:
    case LB_T_STATUS_SUCCESS_WITH_INFO:
    case LB_T_STATUS_STILL_EXECUTING:
      return LB_OK;
    default:
      break;
  }
  struct lb_str text = failure->display_message.len > 0 ? failure->display_message
                                                        : failure->error_message;
  enum lb_status status = lb_thrift_lost_text(text);
  if (status == LB_OK && failure->error_message.len > 0) {
    status = lb_thrift_lost_text(failure->error_message);
  }
  if (status == LB_OK && failure->status_code == LB_T_STATUS_INVALID_HANDLE) {
    status = LB_RESULT_LOST;
  }
  if (status == LB_OK) status = LB_SERVER;
  return fill(err, status, what, text, failure->sql_state, failure->error_code);
}

enum lb_status lb_thrift_judge_status(const struct lb_t_status *status, const char *what,
                                      struct lb_error *err) {
  if (!status || !status->status_code.set) {
    return lb_error_set(err, LB_PROTOCOL, "%s: the reply has no status", what);
  }
  struct lb_thrift_failure failure = {
      .status_code = status->status_code.v,
      .sql_state = status->sql_state,
      .error_code = status->error_code.v,
      .display_message = status->display_message,
      .error_message = status->error_message,
  };
  return lb_thrift_judge_failure(&failure, what, err);
}

static enum lb_op_state state_of(int32_t state) {
  switch (state) {
    case LB_T_STATE_INITIALIZED:
    case LB_T_STATE_RUNNING:
    case LB_T_STATE_PENDING:
      return LB_OP_LIVE;
    case LB_T_STATE_FINISHED:
      return LB_OP_FINISHED;
    case LB_T_STATE_CANCELED:
      return LB_OP_CANCELED;
    case LB_T_STATE_CLOSED:
      return LB_OP_CLOSED;
    case LB_T_STATE_ERROR:
      return LB_OP_FAILED;
    case LB_T_STATE_TIMEDOUT:
      return LB_OP_TIMED_OUT;
    default:
      return LB_OP_UNKNOWN;
  }
}

void lb_thrift_judge_operation(const struct lb_t_get_operation_status_resp *resp,
                               struct lb_op_head *out) {
  struct lb_str text =
      resp->display_message.len > 0 ? resp->display_message : resp->error_message;
  out->modified_rows = resp->num_modified_rows.set ? resp->num_modified_rows.v : -1;
  out->has_state = resp->operation_state.set;
  out->state = out->has_state ? state_of(resp->operation_state.v) : LB_OP_UNKNOWN;
  if (out->state == LB_OP_LIVE || out->state == LB_OP_FINISHED) return;

  struct lb_error *err = &out->failure;
  enum lb_status lost = lb_thrift_lost_text(text);
  switch (out->state) {
    case LB_OP_CANCELED:
      lb_error_set(err, LB_CANCELLED, "the statement was cancelled");
      return;
    case LB_OP_TIMED_OUT:
      fill(err, LB_TIMEOUT, "the statement ran into its time limit", text,
           resp->sql_state, resp->error_code.v);
      return;
    case LB_OP_CLOSED:
      fill(err, LB_RESULT_LOST, "the server has closed the operation", text,
           resp->sql_state, resp->error_code.v);
      return;
    case LB_OP_FAILED:
      fill(err, lost != LB_OK ? lost : LB_SERVER, "statement failed", text,
           resp->sql_state, resp->error_code.v);
      return;
    default:
      fill(err, LB_PROTOCOL, "the operation is in no known state", text, resp->sql_state,
           resp->error_code.v);
      return;
  }
}
