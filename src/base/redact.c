/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the text, rewriting it in place:
 * 1. At each position the forms are tried in turn; a form that matches says how many
 *    bytes to keep (a name, "https://") and how many to hide after them.
 * 2. What is kept is copied, what is hidden becomes at most three stars, and the pass
 *    goes on behind both, so that nothing hidden is looked at again.
 * 3. Where no form matches, one byte is copied. Words count only where they begin:
 *    "mydapi..." is no token. A form that is in doubt hides: a lost word of a message
 *    is cheaper than a leaked secret. */
#include "base/log.h"
#include "base/str.h"

/* Tokens shorter than these are words of the language ("dose", "dapibus"). */
#define TOKEN_TAIL_MIN 4   /* behind dapi, which begins no usual word */
#define SECRET_TAIL_MIN 16 /* behind dose and dkea; the real ones have 32 hex digits */
#define JWT_TAIL_MIN 8

#define STARS "***"

struct match {
  size_t keep;
  size_t hide; /* 0: no match */
};

static bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Characters of names and of tokens; '.' joins the parts of a JWT and of option names. */
static bool is_word(char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; }

/* RFC 6750's and base64's alphabets. */
static bool is_credential(char c) { return is_word(c) || strchr("~+/=", c) != NULL; }

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static bool ends_line(char c) { return c == '\r' || c == '\n' || c == '\0'; }

/* Ends a URL inside prose, JSON, XML or a list. */
static bool ends_url(char c) {
  return (unsigned char)c <= ' ' || c == '\x7f' || strchr("\"'<>`|{}\\^", c) != NULL;
}

static size_t run(struct lb_str s, size_t from, bool (*belongs)(char)) {
  size_t i = from;
  while (i < s.len && belongs(s.data[i])) i++;
  return i - from;
}

static bool not_line_end(char c) { return !ends_line(c); }
static bool not_url_end(char c) { return !ends_url(c); }

/* "Bearer x" */
static struct match scheme(struct lb_str s) {
  static const char *const names[] = {"bearer", "basic", "negotiate"};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    struct lb_str name = lb_str_from(names[i]);
    if (!lb_str_starts_with_nocase(s, name)) continue;
    size_t spaces = run(s, name.len, is_space);
    if (spaces == 0) continue;
    size_t keep = name.len + spaces;
    return (struct match){keep, run(s, keep, is_credential)};
  }
  return (struct match){0, 0};
}

/* "Cookie: x; y" */
static struct match header_line(struct lb_str s) {
  static const char *const names[] = {
      "authorization:", "proxy-authorization:", "cookie:", "set-cookie:"};
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    struct lb_str name = lb_str_from(names[i]);
    if (!lb_str_starts_with_nocase(s, name)) continue;
    size_t keep = name.len + run(s, name.len, is_space);
    return (struct match){keep, run(s, keep, not_line_end)};
  }
  return (struct match){0, 0};
}

static bool ends_with_nocase(struct lb_str s, struct lb_str end) {
  if (s.len < end.len) return false;
  s.data += s.len - end.len;
  s.len = end.len;
  return lb_str_equal_nocase(s, end);
}

static bool names_secret(struct lb_str name) {
  static const char *const ends[] = {
      "password", "passwd",     "pwd",        "secret",     "token",       "api_key",
      "apikey",   "api-key",    "secret_key", "access_key", "account_key", "signature",
      "sig",      "credential", "assertion",  "verifier",   "cookie"};
  for (size_t i = 0; i < LB_ARRAY_LEN(ends); i++) {
    if (ends_with_nocase(name, lb_str_from(ends[i]))) return true;
  }
  return false;
}

/* A value ends at its quote, or without one where the next item of a list begins. */
static size_t value_len(struct lb_str s, size_t from, char quote) {
  size_t i = from;
  for (; i < s.len && !ends_line(s.data[i]); i++) {
    char c = s.data[i];
    if (quote == '\0' && (is_space(c) || strchr("\"';,&)]}", c) != NULL)) break;
    if (quote != '\0' && c == quote) break;
    if (quote != '\0' && c == '\\' && i + 1 < s.len && !ends_line(s.data[i + 1])) i++;
  }
  return i - from;
}

static char at(struct lb_str s, size_t i) { return i < s.len ? s.data[i] : '\0'; }

static bool is_quote(char c) { return c == '"' || c == '\''; }

/* `password=x`, `client_secret: x`, `"access_token" : "x"` */
static struct match named_value(struct lb_str s) {
  const struct match none = {0, 0};
  struct lb_str name = {s.data, run(s, 0, is_word)};
  if (!names_secret(name)) return none;
  size_t i = name.len;
  bool quoted = is_quote(at(s, i));
  if (quoted) i++;
  i += run(s, i, is_space);
  char sep = at(s, i);
  /* SQL writes PASSWORD 'x' and OPTIONS ('password' 'x'). */
  bool bare = is_quote(sep) && is_space(at(s, i - 1));
  if (sep != '=' && sep != ':' && !bare) return none;
  /* "unexpected token: SELECT" is prose of a parser. */
  if (sep != '=' && !quoted && lb_str_equal_nocase(name, LB_STR("token"))) return none;
  if (!bare) i++;
  i += run(s, i, is_space);
  char quote = is_quote(at(s, i)) ? at(s, i) : '\0';
  if (quote != '\0') i++;
  return (struct match){i, value_len(s, i, quote)};
}

static struct match token(struct lb_str s) {
  static const struct {
    const char *head;
    size_t tail_min;
  } forms[] = {{"dapi", TOKEN_TAIL_MIN},
               {"dose", SECRET_TAIL_MIN},
               {"dkea", SECRET_TAIL_MIN},
               {"eyJ", JWT_TAIL_MIN}};
  for (size_t i = 0; i < LB_ARRAY_LEN(forms); i++) {
    struct lb_str head = lb_str_from(forms[i].head);
    size_t len = run(s, 0, is_word);
    if (!lb_str_starts_with(s, head) || len < head.len + forms[i].tail_min) continue;
    return (struct match){0, len};
  }
  return (struct match){0, 0};
}

/* At "://": the userinfo, which ends at the last '@' before the path. */
static struct match userinfo(struct lb_str s) {
  const size_t mark = strlen("://");
  size_t hide = 0;
  for (size_t i = mark; i < s.len && !ends_url(s.data[i]); i++) {
    if (strchr("/?#", s.data[i]) != NULL) break;
    if (s.data[i] == '@') hide = i - mark;
  }
  return (struct match){mark, hide};
}

/* At '?' or '#' of a URL. A fragment without '=' is an anchor of a page. */
static struct match url_tail(struct lb_str s) {
  size_t len = run(s, 0, not_url_end);
  struct lb_str tail = {s.data, len};
  if (s.data[0] == '#' && lb_str_find(tail, LB_STR("=")) == SIZE_MAX) {
    return (struct match){0, 0};
  }
  return (struct match){1, len - 1};
}

static struct match find(struct lb_str s, bool word_begins, bool in_url) {
  struct match m = {0, 0};
  if (s.data[0] == ':' && lb_str_starts_with(s, LB_STR("://"))) return userinfo(s);
  if (in_url && (s.data[0] == '?' || s.data[0] == '#')) return url_tail(s);
  if (!word_begins) return m;
  static struct match (*const forms[])(struct lb_str) = {header_line, scheme, named_value,
                                                         token};
  for (size_t i = 0; i < LB_ARRAY_LEN(forms) && m.hide == 0; i++) m = forms[i](s);
  return m;
}

void lb_redact(char *text) {
  struct lb_str left = lb_str_from(text);
  char *out = text;
  char before = ' ';
  bool in_url = false;
  while (left.len > 0) {
    if (lb_str_starts_with(left, LB_STR("://"))) in_url = true;
    if (ends_url(left.data[0])) in_url = false;
    struct match m = find(left, !is_word(before), in_url);
    /* Looked at once: a text of many '#' must not cost the square of its length. */
    if (left.data[0] == '#') in_url = false;
    size_t keep = m.hide == 0 ? 1 : m.keep;
    size_t stars = LB_MIN(m.hide, strlen(STARS));
    before = left.data[keep + m.hide - 1];
    memmove(out, left.data, keep);
    memcpy(out + keep, STARS, stars);
    out += keep + stars;
    left.data += keep + m.hide;
    left.len -= keep + m.hide;
  }
  *out = '\0';
}
