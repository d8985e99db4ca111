/* SPDX-License-Identifier: Apache-2.0 */
#include "session/sql_text.h"

void lb_sql_append_name(struct lb_buf *out, struct lb_str name) {
  lb_buf_append_u8(out, '`');
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == '`') lb_buf_append_u8(out, '`');
    lb_buf_append_u8(out, (uint8_t)name.data[i]);
  }
  lb_buf_append_u8(out, '`');
}

void lb_sql_append_text(struct lb_buf *out, struct lb_str text) {
  lb_buf_append_u8(out, '\'');
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '\'' || c == '\\') lb_buf_append_u8(out, '\\');
    lb_buf_append_u8(out, (uint8_t)c);
  }
  lb_buf_append_u8(out, '\'');
}

enum lb_status lb_sql_check_name(struct lb_str name, const char *what,
                                 struct lb_error *err) {
  if (lb_str_find(name, LB_STR("${")) == SIZE_MAX) return LB_OK;
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "the %s '%.*s' has ${ in it, in place of which the server would "
                      "put a variable; choose another name",
                      what, (int)LB_MIN(name.len, 128), name.data);
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static char at(struct lb_str sql, size_t i) { return i < sql.len ? sql.data[i] : '\0'; }

/* Past a comment that begins at i; i itself when none does. Bracketed comments nest, as
 * Spark's do. */
static size_t skip_comment(struct lb_str sql, size_t i) {
  if (at(sql, i) == '-' && at(sql, i + 1) == '-') {
    while (i < sql.len && sql.data[i] != '\n') i++;
    return i;
  }
  if (at(sql, i) != '/' || at(sql, i + 1) != '*') return i;
  size_t depth = 1;
  i += 2;
  while (i < sql.len && depth > 0) {
    bool open = at(sql, i) == '/' && at(sql, i + 1) == '*';
    bool close = at(sql, i) == '*' && at(sql, i + 1) == '/';
    if (open) depth++;
    if (close) depth--;
    i += open || close ? 2 : 1;
  }
  return LB_MIN(i, sql.len);
}

/* Past a quoted text that begins at i; i itself when none does. */
static size_t skip_quoted(struct lb_str sql, size_t i) {
  char quote = at(sql, i);
  if (quote != '\'' && quote != '"' && quote != '`') return i;
  for (i++; i < sql.len; i++) {
    if (sql.data[i] == '\\' && quote != '`') {
      i++;
    } else if (sql.data[i] == quote) {
      return i + 1; /* a doubled quote goes on as a quoted text of its own */
    }
  }
  return sql.len;
}

static size_t skip_blank(struct lb_str sql, size_t i, bool semicolons) {
  for (;;) {
    size_t before = i;
    while (i < sql.len && (is_space(sql.data[i]) || (semicolons && sql.data[i] == ';')))
      i++;
    i = skip_comment(sql, i);
    if (i == before) return i;
  }
}

struct lb_str lb_sql_body(struct lb_str sql) {
  size_t start = skip_blank(sql, 0, true);
  size_t end = start;
  for (size_t i = start; i < sql.len;) {
    size_t next = skip_blank(sql, i, true);
    if (next > i) {
      i = next;
      continue;
    }
    next = skip_quoted(sql, i);
    i = next > i ? next : i + 1;
    end = i;
  }
  return (struct lb_str){sql.data + start, end - start};
}

bool lb_sql_is_query(struct lb_str body) {
  static const struct lb_str words[] = {LB_STR("SELECT"), LB_STR("WITH"),
                                        LB_STR("VALUES"), LB_STR("TABLE"),
                                        LB_STR("FROM")};
  size_t i = skip_blank(body, 0, false);
  while (at(body, i) == '(') i = skip_blank(body, i + 1, false);
  struct lb_str rest = {body.data + i, body.len - i};
  for (size_t w = 0; w < LB_ARRAY_LEN(words); w++) {
    if (!lb_str_starts_with_nocase(rest, words[w])) continue;
    char after = at(rest, words[w].len);
    bool word = (after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z') ||
                (after >= '0' && after <= '9') || after == '_';
    if (!word) return true;
  }
  return false;
}
