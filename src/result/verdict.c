/* SPDX-License-Identifier: Apache-2.0 */
#include "result/verdict.h"

#include "base/log.h"
#include "wire/sql_scan.h"

/* So much of a statement tells which one it is. */
#define SHOWN_SQL_BYTES 160u
/* Secrets are hidden before the text is cut. */
#define READ_SQL_BYTES 2048u
/* Texts in quotes are left out, however long, but not looked through for ever. */
#define SCANNED_SQL_BYTES ((size_t)1024 * 1024)

static void append_reason(enum lb_hb_reason reason, const struct lb_hb_options *options,
                          struct lb_error *err) {
  switch (reason) {
    case LB_HB_DISABLED:
      lb_error_append(
          err, "; it had no heartbeat, since option databricks.heartbeat.enabled is "
               "false (or LAKEBEAT_HEARTBEAT=off)");
      return;
    case LB_HB_ABANDONED:
      lb_error_append(err,
                      "; the driver had closed it as abandoned (options "
                      "databricks.heartbeat.max_idle_seconds = %lld, "
                      "databricks.heartbeat.max_lifetime_seconds = %lld)",
                      (long long)(options->max_idle_ms / 1000),
                      (long long)(options->max_lifetime_ms / 1000));
      return;
    case LB_HB_FAILURES:
      lb_error_append(err,
                      "; heartbeats had been given up after repeated failures (option "
                      "databricks.heartbeat.max_failures = %d)",
                      (int)options->max_failures);
      return;
    case LB_HB_TERMINAL_STATE:
      lb_error_append(err,
                      "; a heartbeat had found it ended (cancelled, failed or closed by "
                      "somebody else)");
      return;
    case LB_HB_FAILED_TO_ARM:
      lb_error_append(err, "; its heartbeat could not be started");
      return;
    case LB_HB_NO_PROBE:
      lb_error_append(err, "; this kind of server has no request that keeps it alive");
      return;
    default:
      lb_error_append(
          err,
          "; option databricks.heartbeat.interval_seconds = %lld has to be less "
          "than the time after which the server forgets a result",
          (long long)(options->interval_ms / 1000));
      return;
  }
}

/* Verdicts that explain failures of other kinds too: the operation had ended before. */
static bool ends_operations(enum lb_hb_reason reason) {
  return reason == LB_HB_TERMINAL_STATE || reason == LB_HB_HANDLE_LOST ||
         reason == LB_HB_ABANDONED;
}

void lb_verdict_explain(const struct lb_hb_stats *stats, const char *query_id,
                        const struct lb_hb_options *options,
                        const struct lb_verdict_facts *facts, struct lb_error *err) {
  struct lb_hb_snapshot seen;
  struct lb_hb_verdict verdict = {.reason = LB_HB_NO_REASON};
  if (!err || err->status == LB_OK || err->status == LB_CANCELLED) return;
  lb_hb_stats_read(stats, facts->now_ms, &seen);
  bool judged = lb_hb_stats_verdict(stats, &verdict);
  bool lost = err->status == LB_RESULT_LOST || err->status == LB_SESSION_LOST;
  if (!lost && !(judged && ends_operations(verdict.reason))) return;
  int64_t alive_ms = LB_MAX(facts->contact_ms, verdict.last_alive_ms);
  lb_error_append(err, " -- the server has %s statement %s%s",
                  lost ? "thrown the result of" : "ended",
                  query_id[0] ? query_id : "(unknown)", lost ? " away" : "");
  if (alive_ms > 0) {
    lb_error_append(err, "; last known alive %lld s ago",
                    (long long)((facts->now_ms - alive_ms) / 1000));
  }
  lb_error_append(
      err, "; the client had been idle for %lld s and %lld heartbeats had succeeded",
      (long long)(facts->idle_ms / 1000),
      (long long)(judged ? verdict.succeeded : seen.probes_succeeded));
  append_reason(judged ? verdict.reason : seen.reason, options, err);
}

/* One line; every run of white space is one space. What stands in quotes is left out:
 * values, which may be secrets, and those of parameters too. */
static size_t flatten(struct lb_str sql, char *out, size_t cap) {
  size_t len = 0;
  bool space = false;
  struct lb_str text = lb_sql_next_text(sql, 0);
  for (size_t i = 0; i < sql.len && len + 7 < cap; i++) {
    unsigned char c = (unsigned char)sql.data[i];
    if (c <= ' ' || c == 0x7f) {
      space = len > 0;
      continue;
    }
    if (space) out[len++] = ' ';
    space = false;
    out[len++] = (char)c;
    if (text.data != sql.data + i) continue;
    char quote = (char)c;
    if (c == 'r' || c == 'R') out[len++] = quote = sql.data[i + 1];
    memcpy(out + len, "...", 3);
    len += 3;
    out[len++] = quote;
    i += text.len - 1;
    text = lb_sql_next_text(sql, i + 1);
  }
  out[len] = '\0';
  return len;
}

/* Spark and Databricks repeat the statement behind a headline, and Spark its plan. */
void lb_verdict_hide_echo(struct lb_error *err) {
  static const char *const begin[] = {"\n== SQL", ";\n"};
  if (!err || err->status == LB_OK) return;
  struct lb_str text = lb_str_from(err->message);
  for (size_t i = 0; i < LB_ARRAY_LEN(begin); i++) {
    text.len = LB_MIN(text.len, lb_str_find(text, lb_str_from(begin[i])));
  }
  text = lb_str_trim(text);
  err->message[(size_t)(text.data - err->message) + text.len] = '\0';
}

/* How much of the value is at text: all of it and a quote, or as much as a message has
 * that was cut. 0: none. */
static size_t value_at(const char *text, struct lb_str value, bool cut) {
  size_t left = strlen(text);
  size_t len = LB_MIN(left, value.len);
  if (len == 0 || memcmp(text, value.data, len) != 0) return 0;
  if (left > value.len) return strchr("'\"", text[len]) ? len : 0;
  return cut ? len : 0;
}

void lb_verdict_hide_value(struct lb_str value, struct lb_error *err) {
  static const char dots[] = "...";
  if (!err || err->status == LB_OK || value.len == 0) return;
  const size_t cap = sizeof err->message;
  /* A sequence that was cut in two was left out. */
  bool cut = strlen(err->message) + 4 >= cap;
  char *at = err->message;
  while ((at = strpbrk(at, "'\"")) != NULL) {
    at++;
    size_t len = value_at(at, value, cut);
    if (len == 0) continue;
    size_t room = (size_t)(err->message + cap - at) - 1;
    size_t shown = LB_MIN(sizeof dots - 1, room);
    size_t rest = LB_MIN(strlen(at + len), room - shown);
    memmove(at + shown, at + len, rest);
    memcpy(at, dots, shown);
    at += shown;
    at[rest] = '\0';
  }
}

/* What stands between the quotes, as it is and as it is meant: a quote or a backslash
 * stands behind a backslash or a quote. */
static void hide_text(struct lb_str text, struct lb_error *err) {
  char meant[sizeof err->message];
  size_t len = 0;
  if (text.len > 0 && (text.data[0] == 'r' || text.data[0] == 'R')) {
    text = (struct lb_str){text.data + 1, text.len - 1};
  }
  if (text.len < 3) return;
  char quote = text.data[0];
  text = (struct lb_str){text.data + 1, text.len - 2};
  lb_verdict_hide_value(text, err);
  for (size_t i = 0; i < text.len && len < sizeof meant; i++) {
    bool escapes = text.data[i] == '\\' || text.data[i] == quote;
    if (escapes && i + 1 < text.len) i++;
    meant[len++] = text.data[i];
  }
  lb_verdict_hide_value((struct lb_str){meant, len}, err);
}

void lb_verdict_hide_texts(struct lb_str sql, struct lb_str shown_sql,
                           struct lb_error *err) {
  if (!err || err->status == LB_OK) return;
  struct lb_str text;
  for (size_t at = 0; (text = lb_sql_next_text(sql, at)).data;
       at = (size_t)(text.data - sql.data) + text.len) {
    if (lb_str_find(shown_sql, text) == SIZE_MAX) hide_text(text, err);
  }
}

void lb_verdict_name_statement(struct lb_str sql, struct lb_error *err) {
  if (!err || err->status == LB_OK || sql.len == 0) return;
  char whole[READ_SQL_BYTES], shown[SHOWN_SQL_BYTES];
  struct lb_str scanned = {sql.data, LB_MIN(sql.len, SCANNED_SQL_BYTES)};
  size_t len = flatten(scanned, whole, sizeof whole);
  lb_utf8_clean(whole, len);
  lb_redact(whole);
  size_t all = strlen(whole);
  size_t kept = lb_str_copy(shown, sizeof shown, (struct lb_str){whole, all});
  bool cut = kept < all || len + 7 >= sizeof whole || scanned.len < sql.len;
  lb_error_append(err, " (%s%s%sstatement: %s%s)", err->query_id[0] ? "query id " : "",
                  err->query_id, err->query_id[0] ? ", " : "", shown, cut ? " ..." : "");
}
