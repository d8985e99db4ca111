/* SPDX-License-Identifier: Apache-2.0 */
#include "session/thrift_status.h"

#include "base/log.h"

#define SHOWN_BODY_BYTES 300u
/* Of a server's text: how much is looked at (a whole page of it would hold up the I/O
 * thread for seconds), and how much an error shows. */
#define READ_TEXT_BYTES 65536u
#define SHOWN_TEXT_BYTES 700u
#define JAVA_CLASS_MAX 200u
#define ERROR_CLASS_MAX 96u

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
  text.len = LB_MIN(text.len, READ_TEXT_BYTES);
  for (size_t i = 0; i < LB_ARRAY_LEN(lost_texts); i++) {
    if (lb_str_find_nocase(text, lost_texts[i].text) != SIZE_MAX)
      return lost_texts[i].status;
  }
  return LB_OK;
}

/* A statement may say anything in the text of its own failure (raise_error); its SQLSTATE
 * then is none of those that come with a lost handle: none, 08xxx, HY000 or XXxxx. */
static enum lb_status lost_by(struct lb_str text, struct lb_str sql_state) {
  static const char *const handles[] = {"08", "HY000", "XX"};
  bool may_be = sql_state.len != 5;
  for (size_t i = 0; i < LB_ARRAY_LEN(handles); i++) {
    if (lb_str_starts_with(sql_state, lb_str_from(handles[i]))) may_be = true;
  }
  return may_be ? lb_thrift_lost_text(text) : LB_OK;
}

/* "\n\tat org.apache.X.y(Z.java:1)": a line of a Java stack, seen from its newline. */
static bool begins_stack(struct lb_str s) {
  size_t i = 1;
  while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\t' || s.data[i] == '\r')) i++;
  s.data += i;
  s.len -= i;
  if (lb_str_starts_with(s, LB_STR("Caused by: "))) return true;
  if (!lb_str_starts_with(s, LB_STR("at "))) return false;
  size_t line = lb_str_find(s, LB_STR("\n"));
  if (line != SIZE_MAX) s.len = line;
  size_t call = lb_str_find(s, LB_STR("("));
  return call != SIZE_MAX && lb_str_find(s, LB_STR(".")) < call;
}

static struct lb_str without_stack(struct lb_str text) {
  for (size_t i = 0; i < text.len; i++) {
    struct lb_str rest = {text.data + i, text.len - i};
    if (text.data[i] == '\n' && begins_stack(rest)) text.len = i;
  }
  return text;
}

/* "org.apache.some.Exception: text" without its class. */
static struct lb_str without_java_class(struct lb_str text) {
  static const char *const ends[] = {"Exception", "Error"};
  size_t dots = 0, i = 0;
  for (; i < text.len && i < JAVA_CLASS_MAX; i++) {
    char c = text.data[i];
    bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (c >= '0' && c <= '9') || c == '_' || c == '$';
    if (c == '.') dots++;
    if (!word && c != '.') break;
  }
  if (dots < 2) return text;
  struct lb_str rest = {text.data + i, text.len - i};
  if (!lb_str_starts_with(rest, LB_STR(": "))) return text;
  for (size_t k = 0; k < LB_ARRAY_LEN(ends); k++) {
    struct lb_str end = lb_str_from(ends[k]);
    if (i <= end.len) continue;
    struct lb_str tail = {text.data + i - end.len, end.len};
    if (lb_str_equal(tail, end)) {
      return (struct lb_str){rest.data + 2, rest.len - 2};
    }
  }
  return text;
}

/* The part of a server's text that is meant for people: without the Java class in
 * front and the stack trace behind. */
static struct lb_str readable(struct lb_str text) {
  static const struct lb_str running = {"Error running query: ", 21};
  text.len = LB_MIN(text.len, READ_TEXT_BYTES);
  text = lb_str_trim(without_stack(text));
  text = without_java_class(text);
  if (lb_str_starts_with(text, running)) {
    text.data += running.len;
    text.len -= running.len;
  }
  text = lb_str_trim(without_java_class(text));
  /* "[CLASS] org.apache.SomeException: [CLASS] text" says everything twice. */
  size_t again = lb_str_find(text, LB_STR("Exception: ["));
  if (again != SIZE_MAX && text.data[0] == '[') {
    text.data += again + 11;
    text.len -= again + 11;
  }
  return text;
}

/* "[TABLE_OR_VIEW_NOT_FOUND] ..." carries its class in front, as does
 * "PERMISSION_DENIED: ...", if it is one that is known. */
static struct lb_str class_of(struct lb_str text) {
  bool bracket = text.len > 0 && text.data[0] == '[';
  size_t from = bracket ? 1 : 0;
  for (size_t i = from; i < text.len && i < ERROR_CLASS_MAX; i++) {
    char c = text.data[i];
    bool ok = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (ok) continue;
    struct lb_str found = {text.data + from, i - from};
    if (bracket && c == ']' && found.len > 0) return found;
    if (!bracket && c == ':' && lb_error_class_sqlstate(found)) return found;
    break;
  }
  return (struct lb_str){NULL, 0};
}

static struct lb_str sqlstate_in(struct lb_str text) {
  text.len = LB_MIN(text.len, READ_TEXT_BYTES);
  size_t at = lb_str_find(text, LB_STR("SQLSTATE: "));
  if (at == SIZE_MAX || text.len - at < 15) return (struct lb_str){NULL, 0};
  return (struct lb_str){text.data + at + 10, 5};
}

/* As an error shows it. Secrets are hidden before the text is cut, and a word that was
 * cut goes away whole: half a secret might no longer look like one. */
static size_t show(struct lb_str text, char out[SHOWN_TEXT_BYTES]) {
  char whole[4 * SHOWN_TEXT_BYTES];
  size_t len = lb_str_copy(whole, sizeof whole, text);
  lb_utf8_clean(whole, len);
  if (len < text.len) {
    while (len > 0 && strchr(" \t\r\n", whole[len - 1]) == NULL) len--;
    whole[len] = '\0';
  }
  lb_redact(whole);
  size_t shown = lb_str_copy(out, SHOWN_TEXT_BYTES, lb_str_from(whole));
  if (shown + 1 >= SHOWN_TEXT_BYTES - 4 || len < text.len) {
    shown = lb_str_copy(out, SHOWN_TEXT_BYTES - 4, lb_str_from(whole));
    shown += lb_str_copy(out + shown, 5, LB_STR(" ..."));
  }
  return shown;
}

/* What a server gave, else what its class stands for, else what the text says. */
static void set_sqlstate(struct lb_error *err, struct lb_str text, struct lb_str given,
                         struct lb_str error_class) {
  lb_error_set_sqlstate(err, lb_error_class_sqlstate(error_class), 5);
  struct lb_str told = sqlstate_in(text);
  lb_error_set_sqlstate(err, told.data, told.len);
  lb_error_set_sqlstate(err, given.data, given.len);
}

static enum lb_status fill(struct lb_error *err, enum lb_status status, const char *what,
                           struct lb_str text, struct lb_str sql_state, int32_t code) {
  if (!err) return status;
  char shown[SHOWN_TEXT_BYTES];
  struct lb_str read = readable(text);
  if (show(read, shown) == 0) {
    lb_error_set(err, status, "%s: %s (the server gave no text)", what,
                 lb_status_text(status));
  } else {
    lb_error_set(err, status, "%s: %s", what, shown);
  }
  struct lb_str error_class = class_of(read);
  lb_error_set_class(err, error_class.data, error_class.len);
  /* A lost handle has one SQLSTATE, however a server words it. */
  bool lost = status == LB_RESULT_LOST || status == LB_SESSION_LOST;
  if (!lost) set_sqlstate(err, text, sql_state, error_class);
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
  char whole[2048], text[SHOWN_TEXT_BYTES];
  http_text(req, whole, sizeof whole);
  show(lb_str_from(whole), text);
  struct lb_str body = {(const char *)req->reply.data, LB_MIN(req->reply.len, 4096u)};
  bool lost =
      req->http_status == 404 && (lb_thrift_lost_text(lb_str_from(whole)) != LB_OK ||
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
  enum lb_status status = lost_by(text, failure->sql_state);
  if (status == LB_OK && failure->error_message.len > 0) {
    status = lost_by(failure->error_message, failure->sql_state);
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
  out->progress = -1;
  if (resp->progress_update_response) {
    out->progress = resp->progress_update_response->progressed_percentage.v;
  }
  out->state = out->has_state ? state_of(resp->operation_state.v) : LB_OP_UNKNOWN;
  if (out->state == LB_OP_LIVE || out->state == LB_OP_FINISHED) return;

  struct lb_error *err = &out->failure;
  enum lb_status lost = lost_by(text, resp->sql_state);
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
