/* SPDX-License-Identifier: Apache-2.0 */
/* What is skipped, and where it ends (the lexers of Spark 4 and Hive 4 agree unless
 * noted):
 *  1. '...' and "...": at the same quote; a backslash takes the next byte along, whatever
 *     spark.sql.parser.escapedStringLiterals says (that is about the value, not the
 *     end). A doubled quote ends one string and begins the next, which comes to the same.
 *  2. r'...' and r"..." (Spark): at the quote, backslashes mean nothing.
 *  3. `...`: at the backquote; a doubled one likewise.
 *  4. -- to the end of the line, unless a backslash stands right before it (Spark).
 *  5. Comments in slash and star, which nest (Spark; a nested one in Hive is an error
 *     anyway).
 *  6. $tag$ ... $tag$ with a tag of letters that may be empty: the body of a function.
 * A text that ends within one of these has no more markers; the server will say what is
 * wrong with it.
 *
 * `?` is a marker, unless `::` follows and a value stands before: `x?::INT` is the cast
 * that gives NULL (Databricks). A word is a value unless an expression may begin behind
 * it (value_may_follow). So is `:` with a name right behind it, unless it comes right
 * behind a name, a number or something closed: `col:field` takes a field out of a column.
 * `::` is a cast. */
#include "wire/sql_scan.h"

/* What came last, but for white space and comments. */
enum token { NOTHING, WORD, NUMBER, TEXT, NAME, MARKER, OTHER };

struct scanner {
  const char *at;
  const char *end;
  const char *begin;
  int32_t cap;
  int32_t depth; /* of parentheses */
  bool first_seen;
  bool reads;  /* SELECT, VALUES or TABLE outside of parentheses came first, */
  bool writes; /* or INSERT, UPDATE, DELETE or MERGE did */
  struct lb_str first;
  enum token last;
  struct lb_str last_text;
};

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (unsigned char)c >= 0x80;
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_letter(c) || is_digit(c); }

static bool looking_at(const struct scanner *s, struct lb_str what) {
  return (size_t)(s->end - s->at) >= what.len && memcmp(s->at, what.data, what.len) == 0;
}

static void skip_quoted(struct scanner *s, bool escapes) {
  char quote = *s->at++;
  while (s->at < s->end && *s->at != quote) {
    if (escapes && *s->at == '\\' && s->at + 1 < s->end) s->at++;
    s->at++;
  }
  if (s->at < s->end) s->at++;
}

static void skip_line(struct scanner *s) {
  while (s->at < s->end && *s->at != '\n' && *s->at != '\r') {
    if (s->end - s->at > 1 && s->at[0] == '\\' && s->at[1] == '\n') s->at++;
    s->at++;
  }
}

static void skip_comment(struct scanner *s) {
  int32_t depth = 0;
  while (s->at < s->end) {
    if (looking_at(s, LB_STR("/*"))) {
      depth++;
      s->at += 2;
    } else if (looking_at(s, LB_STR("*/"))) {
      s->at += 2;
      if (--depth == 0) return;
    } else {
      s->at++;
    }
  }
}

/* False: the dollar sign begins no body. */
static bool skip_dollars(struct scanner *s) {
  const char *tag_end = s->at + 1;
  while (tag_end < s->end && is_letter(*tag_end)) tag_end++;
  if (tag_end == s->end || *tag_end != '$') return false;
  struct lb_str tag = {s->at, (size_t)(tag_end + 1 - s->at)};
  struct lb_str rest = {tag_end + 1, (size_t)(s->end - tag_end - 1)};
  size_t found = lb_str_find(rest, tag);
  s->at = found == SIZE_MAX ? s->end : rest.data + found + tag.len;
  return true;
}

static bool is_one_of(struct lb_str word, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (lb_str_equal_nocase(word, lb_str_from(words[i]))) return true;
  }
  return false;
}

/* What stands here is a name, such as a column's, whatever word it is. */
static bool name_is_due(const struct scanner *s) {
  static const char *const words[] = {"AND", "AS", "BY",        "FROM",  "JOIN",
                                      "ON",  "OR", "RECURSIVE", "WHERE", "WITH"};
  if (s->last == WORD) return is_one_of(s->last_text, words, LB_ARRAY_LEN(words));
  return s->last == OTHER && strchr(")]", s->last_text.data[0]) == NULL;
}

/* Behind WITH or FROM: the first word outside of parentheses that begins a query or a
 * change tells which of them it is. */
static void judge_word(struct scanner *s, struct lb_str word) {
  static const char *const writing[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
  static const char *const reading[] = {"SELECT", "VALUES", "TABLE"};
  if (s->depth != 0 || s->reads || s->writes || name_is_due(s)) return;
  s->writes = is_one_of(word, writing, LB_ARRAY_LEN(writing));
  s->reads = is_one_of(word, reading, LB_ARRAY_LEN(reading));
}

static enum token take_word(struct scanner *s) {
  const char *begin = s->at;
  while (s->at < s->end && is_word(*s->at)) s->at++;
  struct lb_str word = {begin, (size_t)(s->at - begin)};
  if (!s->first_seen) {
    s->first_seen = true;
    s->first = word;
  }
  judge_word(s, word);
  bool raw = word.len == 1 && (*begin == 'r' || *begin == 'R') && s->at < s->end &&
             (*s->at == '\'' || *s->at == '"');
  if (raw) skip_quoted(s, false);
  return raw ? TEXT : WORD;
}

/* Words that make a literal of the text behind them. */
static bool types_a_text(struct lb_str word) {
  static const char *const words[] = {
      "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMPLOCALTZ",
      "X"};
  return is_one_of(word, words, LB_ARRAY_LEN(words));
}

static bool value_may_follow(struct lb_str word) {
  static const char *const words[] = {
      "ALL",      "AND",     "ANY",     "AS",      "BETWEEN",  "BOTH",      "BY",
      "CASE",     "DATE",    "DIV",     "DEFAULT", "DISTINCT", "ELSE",      "ESCAPE",
      "FOR",      "FROM",    "HAVING",  "IF",      "ILIKE",    "IN",        "INTERVAL",
      "IS",       "LEADING", "LIKE",    "LIMIT",   "NOT",      "OF",        "OFFSET",
      "ON",       "OR",      "QUALIFY", "RANGE",   "REGEXP",   "RETURN",    "RLIKE",
      "ROWS",     "SELECT",  "SET",     "SOME",    "THEN",     "TIMESTAMP", "TO",
      "TRAILING", "UNTIL",   "USING",   "VALUES",  "WHEN",     "WHERE",     "WHILE",
      "WITH"};
  return is_one_of(word, words, LB_ARRAY_LEN(words));
}

static enum lb_status add(struct scanner *s, struct lb_sql_scan *out, size_t len,
                          struct lb_str name, struct lb_error *err) {
  if (out->count > 0 && out->named != (name.data != NULL)) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the query has both ? and :name markers; use one kind");
  }
  int32_t most = name.data != NULL ? LB_SQL_MAX_NAMED : LB_SQL_MAX_MARKERS;
  if (out->count == most) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the query has more than %d %sparameter markers", (int)most,
                        name.data != NULL ? "named " : "");
  }
  if (out->count == s->cap) {
    int32_t cap = s->cap ? s->cap * 2 : 8;
    struct lb_sql_marker *more =
        lb_realloc(LB_MEM_WIRE, out->markers, (size_t)cap * sizeof *more);
    if (!more) return lb_error_oom(err, "the query's parameter markers");
    out->markers = more;
    s->cap = cap;
  }
  out->named = name.data != NULL;
  bool joins = s->last == TEXT || s->last == MARKER ||
               (s->last == WORD && types_a_text(s->last_text));
  out->markers[out->count++] = (struct lb_sql_marker){
      .at = (size_t)(s->at - s->begin), .len = len, .name = name, .joins = joins};
  s->at += len;
  return LB_OK;
}

static bool after_value(const struct scanner *s) {
  if (s->at == s->begin) return false;
  char before = s->at[-1];
  return is_word(before) || strchr(")]`'\"?", before) != NULL;
}

static bool at_try_cast(const struct scanner *s) {
  if (!looking_at(s, LB_STR("?::"))) return false;
  switch (s->last) {
    case NOTHING:
      return false;
    case WORD:
      return !value_may_follow(s->last_text);
    case OTHER:
      return strchr(")]", s->last_text.data[s->last_text.len - 1]) != NULL;
    default:
      return true;
  }
}

static enum lb_status take_colon(struct scanner *s, struct lb_sql_scan *out,
                                 struct lb_error *err) {
  const char *name = s->at + 1;
  if (name < s->end && *name == ':') {
    s->at += 2;
    return LB_OK;
  }
  const char *name_end = name;
  size_t quotes = 0;
  if (name < s->end && *name == '`') {
    name_end = memchr(name + 1, '`', (size_t)(s->end - name - 1));
    quotes = 1;
  } else if (name < s->end && is_letter(*name)) {
    while (name_end < s->end && is_word(*name_end)) name_end++;
  }
  if (!name_end || name_end == name || after_value(s)) {
    s->at++;
    return LB_OK;
  }
  name += quotes;
  size_t len = (size_t)(name_end - s->at) + quotes;
  return add(s, out, len, (struct lb_str){name, (size_t)(name_end - name)}, err);
}

/* Past white space or a comment. False: neither is here. */
static bool skip_blank(struct scanner *s) {
  if (looking_at(s, LB_STR("--"))) {
    skip_line(s);
  } else if (looking_at(s, LB_STR("/*"))) {
    skip_comment(s);
  } else if ((unsigned char)*s->at <= ' ') {
    s->at++;
  } else {
    return false;
  }
  return true;
}

static enum token take_number(struct scanner *s) {
  /* `1e5` and `2x` are one token each: no word begins within. */
  while (s->at < s->end && is_word(*s->at)) s->at++;
  return NUMBER;
}

static enum token take_other(struct scanner *s) {
  if (*s->at == '(') s->depth++;
  if (*s->at == ')') s->depth--;
  s->at++;
  return OTHER;
}

/* One token; a marker goes to out. */
static enum lb_status step(struct scanner *s, struct lb_sql_scan *out, enum token *token,
                           struct lb_error *err) {
  char c = *s->at;
  int32_t markers = out->count;
  *token = OTHER;
  if (is_letter(c)) {
    *token = take_word(s);
  } else if (c == '\'' || c == '"') {
    skip_quoted(s, true);
    *token = TEXT;
  } else if (c == '`') {
    skip_quoted(s, false);
    *token = NAME;
  } else if (c == '$' && skip_dollars(s)) {
    *token = TEXT;
  } else if (c == '?' && at_try_cast(s)) {
    s->at += strlen("?::");
  } else if (c == '?') {
    LB_TRY(add(s, out, 1, (struct lb_str){NULL, 0}, err));
  } else if (c == ':') {
    LB_TRY(take_colon(s, out, err));
  } else if (is_digit(c)) {
    *token = take_number(s);
  } else {
    *token = take_other(s);
  }
  if (out->count > markers) *token = MARKER;
  if (*token == TEXT && s->last == MARKER && markers > 0) {
    out->markers[markers - 1].joins = true;
  }
  return LB_OK;
}

static bool is_relation(const struct scanner *s) {
  static const char *const always[] = {"SELECT", "VALUES", "TABLE"};
  static const char *const unless_it_writes[] = {"WITH", "FROM"};
  return is_one_of(s->first, always, LB_ARRAY_LEN(always)) ||
         (!s->writes &&
          is_one_of(s->first, unless_it_writes, LB_ARRAY_LEN(unless_it_writes)));
}

static bool reads_only(const struct scanner *s) {
  static const char *const words[] = {"SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST"};
  return is_one_of(s->first, words, LB_ARRAY_LEN(words)) || is_relation(s);
}

enum lb_status lb_sql_scan(struct lb_str sql, struct lb_sql_scan *out,
                           struct lb_error *err) {
  struct scanner s = {.at = sql.data, .begin = sql.data, .end = sql.data + sql.len};
  struct lb_sql_scan made = {.body = {sql.data, 0}};
  while (s.at < s.end) {
    if (skip_blank(&s)) continue;
    const char *begin = s.at;
    enum token token;
    enum lb_status status = step(&s, &made, &token, err);
    if (status != LB_OK) {
      lb_sql_scan_reset(&made);
      return status;
    }
    s.last = token;
    s.last_text = (struct lb_str){begin, (size_t)(s.at - begin)};
    if (*begin == ';') continue;
    if (made.body.len == 0) made.body.data = begin;
    made.body.len = (size_t)(s.at - made.body.data);
  }
  made.is_query = s.first_seen && reads_only(&s);
  made.is_relation = s.first_seen && is_relation(&s);
  *out = made;
  return LB_OK;
}

struct lb_str lb_sql_next_text(struct lb_str sql, size_t from) {
  struct scanner s = {
      .at = sql.data + from, .begin = sql.data, .end = sql.data + sql.len};
  while (s.at < s.end) {
    if (skip_blank(&s)) continue;
    const char *begin = s.at;
    char c = *begin;
    bool text = c == '\'' || c == '"';
    if (is_letter(c)) {
      text = take_word(&s) == TEXT;
    } else if (text || c == '`') {
      skip_quoted(&s, text);
    } else if (is_digit(c)) {
      (void)take_number(&s);
    } else {
      text = c == '$' && skip_dollars(&s);
      if (!text) s.at++;
    }
    if (text) return (struct lb_str){begin, (size_t)(s.at - begin)};
  }
  return (struct lb_str){NULL, 0};
}

struct lb_str lb_sql_first_word(struct lb_str sql) {
  struct scanner s = {.at = sql.data, .begin = sql.data, .end = sql.data + sql.len};
  while (s.at < s.end && (*s.at == '(' || skip_blank(&s))) {
    if (s.at < s.end && *s.at == '(') s.at++;
  }
  const char *begin = s.at;
  while (s.at < s.end && is_word(*s.at)) s.at++;
  return (struct lb_str){begin, (size_t)(s.at - begin)};
}

void lb_sql_scan_reset(struct lb_sql_scan *scan) {
  lb_free(scan->markers);
  *scan = (struct lb_sql_scan){0};
}
