/* SPDX-License-Identifier: Apache-2.0 */
/* How a URI is read:
 * 1. The scheme, in any case, says which form it is.
 * 2. The authority ends at the first '/', '?' or '#'; its userinfo ends at the last '@',
 *    so that a password with an unescaped '@' is still hidden and the host is right.
 * 3. Host and port are checked here, since later they stand in a URL that curl reads.
 * 4. A web URL keeps path and query as they are. Otherwise the query is a list of
 *    options; `o`, the workspace's number, goes back behind the path, where servers look
 *    for it.
 * 5. Only userinfo, keys and values are percent-decoded; a decoded NUL or control
 *    character is refused, as is a '%' without two digits. */
#include "session/options_uri.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443

void lb_uri_free_text(char *text) {
  if (text == NULL) return;
  lb_wipe(text, strlen(text));
  lb_free(text);
}

void lb_uri_reset(struct lb_uri *uri) {
  lb_uri_free_text(uri->host);
  lb_uri_free_text(uri->path);
  lb_uri_free_text(uri->token);
  lb_uri_free_text(uri->username);
  lb_uri_free_text(uri->password);
  for (int32_t i = 0; i < uri->option_count; i++) {
    lb_uri_free_text(uri->options[i].key);
    lb_uri_free_text(uri->options[i].value);
  }
  *uri = (struct lb_uri){0};
}

static enum lb_status refuse(struct lb_error *err, const char *why) {
  return lb_error_set(
      err, LB_INVALID_ARGUMENT,
      "option uri cannot be read: %s. Give "
      "https://host/sql/1.0/warehouses/<id>, http://host:10001/cliservice "
      "or lakebeat://token:<pat>@host/<path>?option=value",
      why);
}

static struct lb_str cut(struct lb_str s, size_t from, size_t to) {
  return (struct lb_str){s.data + from, to - from};
}

/* Position of the first of `set`, or the length. */
static size_t find_any(struct lb_str s, const char *set) {
  for (size_t i = 0; i < s.len; i++) {
    if (s.data[i] != '\0' && strchr(set, s.data[i]) != NULL) return i;
  }
  return s.len;
}

static bool is_plain(struct lb_str s) {
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.data[i];
    if (c <= ' ' || c == 0x7f) return false;
  }
  return true;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* A copy with %xx decoded. */
static enum lb_status decode(struct lb_str s, const char *what, char **out,
                             struct lb_error *err) {
  char *text = lb_alloc(LB_MEM_MISC, s.len + 1);
  if (text == NULL) return lb_error_oom(err, "a part of the uri");
  size_t len = 0;
  bool good = true;
  for (size_t i = 0; i < s.len && good; i++) {
    unsigned c = (unsigned char)s.data[i];
    if (c == '%') {
      bool room = s.len - i > 2;
      int high = room ? hex(s.data[i + 1]) : -1;
      int low = room ? hex(s.data[i + 2]) : -1;
      good = high >= 0 && low >= 0;
      c = good ? (unsigned)(high * 16 + low) : 0;
      i += 2;
    }
    good = good && c >= ' ' && c != 0x7f;
    text[len++] = (char)(unsigned char)c;
  }
  text[len] = '\0';
  if (good) {
    *out = text;
    return LB_OK;
  }
  lb_wipe(text, len);
  lb_free(text);
  return lb_error_set(
      err, LB_INVALID_ARGUMENT,
      "option uri cannot be read: %s holds a '%%' that is not followed by "
      "two hexadecimal digits, or a control character; write '%%' as %%25",
      what);
}

bool lb_uri_host_valid(struct lb_str host) {
  if (host.len == 0 || !is_plain(host)) return false;
  if (host.data[0] == '[') {
    if (host.len < 4 || host.data[host.len - 1] != ']') return false;
    struct lb_str inner = cut(host, 1, host.len - 1);
    for (size_t i = 0; i < inner.len; i++) {
      if (hex(inner.data[i]) < 0 && inner.data[i] != ':' && inner.data[i] != '.') {
        return false;
      }
    }
    return true;
  }
  return find_any(host, "/\\?#@:[]%\"<>{}|^`&=+,;!$'()*") == host.len;
}

bool lb_uri_path_valid(struct lb_str path) {
  return path.len > 0 && path.data[0] == '/' && is_plain(path) &&
         find_any(path, "#\"<>\\^`{|}") == path.len;
}

static enum lb_status copy(struct lb_str s, char **out, struct lb_error *err) {
  *out = lb_strndup(LB_MEM_MISC, s.data, s.len);
  return *out != NULL ? LB_OK : lb_error_oom(err, "a part of the uri");
}

/* host, host:port, [v6], [v6]:port */
static enum lb_status read_host(struct lb_str s, struct lb_uri *uri,
                                struct lb_error *err) {
  size_t end = 0;
  if (s.len > 0 && s.data[0] == '[') {
    end = find_any(s, "]");
    if (end < s.len) end++;
  } else {
    end = find_any(s, ":");
  }
  struct lb_str host = cut(s, 0, end);
  if (host.len == 0) return refuse(err, "it names no host");
  if (!lb_uri_host_valid(host)) {
    return refuse(err, "its host holds a character that no host name has");
  }
  if (end < s.len) {
    struct lb_str digits = cut(s, end + 1, s.len);
    int64_t port = 0;
    bool number = digits.len > 0 && digits.data[0] >= '0' && digits.data[0] <= '9' &&
                  lb_str_to_i64(digits, &port);
    if (s.data[end] != ':' || !number || port < 1 || port > 65535) {
      return refuse(err, "its port is not a number from 1 to 65535");
    }
    uri->port = (int32_t)port;
  }
  return copy(host, &uri->host, err);
}

static enum lb_status read_userinfo(struct lb_str s, struct lb_uri *uri,
                                    struct lb_error *err) {
  size_t colon = find_any(s, ":");
  if (colon == s.len) {
    return refuse(err, "before '@' it has to say token:<pat> or user:password");
  }
  struct lb_str password = cut(s, colon + 1, s.len);
  LB_TRY(decode(cut(s, 0, colon), "its user name", &uri->username, err));
  if (!lb_str_equal(lb_str_from(uri->username), LB_STR("token"))) {
    return decode(password, "its password", &uri->password, err);
  }
  lb_uri_free_text(uri->username);
  uri->username = NULL;
  if (password.len == 0) return refuse(err, "its token is empty");
  return decode(password, "its token", &uri->token, err);
}

static enum lb_status read_path(struct lb_str s, struct lb_uri *uri,
                                struct lb_error *err) {
  if (s.len == 0 || s.data[0] != '/' || (s.len == 1) || s.data[1] == '?') {
    return refuse(err, "it names no path; a warehouse's page in the workspace shows it "
                       "under connection details");
  }
  if (!lb_uri_path_valid(s)) {
    return refuse(err, "its path holds a space, a fragment or a character that has to be "
                       "percent-encoded");
  }
  return copy(s, &uri->path, err);
}

static bool has_query(const struct lb_uri *uri) {
  struct lb_str path = lb_str_from(uri->path);
  return find_any(path, "?") < path.len;
}

/* The path with the workspace's number behind it. */
static enum lb_status append_workspace(struct lb_str number, struct lb_uri *uri,
                                       struct lb_error *err) {
  for (size_t i = 0; i < number.len; i++) {
    if (number.data[i] < '0' || number.data[i] > '9') {
      return refuse(err, "the value of o is not a number");
    }
  }
  size_t len = lb_str_from(uri->path).len;
  char *path = lb_realloc(LB_MEM_MISC, uri->path, len + number.len + 4);
  if (path == NULL) return lb_error_oom(err, "a part of the uri");
  uri->path = path;
  memcpy(path + len, "?o=", 3);
  memcpy(path + len + 3, number.data, number.len);
  path[len + 3 + number.len] = '\0';
  return LB_OK;
}

static enum lb_status read_pair(struct lb_str pair, struct lb_uri *uri,
                                struct lb_error *err) {
  size_t equals = find_any(pair, "=");
  /* Without '=' it may be a secret: it is not shown. */
  if (equals == pair.len || equals == 0) {
    return refuse(err, "a part of its query is not of the form option=value");
  }
  struct lb_str value = cut(pair, equals + 1, pair.len);
  if (equals == 1 && pair.data[0] == 'o' && !has_query(uri)) {
    return append_workspace(value, uri, err);
  }
  if (uri->option_count == LB_URI_OPTIONS_MAX) {
    return refuse(err, "it carries more than 64 options");
  }
  struct lb_uri_option *option = &uri->options[uri->option_count++];
  *option = (struct lb_uri_option){NULL, NULL};
  LB_TRY(decode(cut(pair, 0, equals), "an option's name", &option->key, err));
  return decode(value, "an option's value", &option->value, err);
}

static enum lb_status read_query(struct lb_str s, struct lb_uri *uri,
                                 struct lb_error *err) {
  while (s.len > 0) {
    size_t end = find_any(s, "&");
    if (end > 0) LB_TRY(read_pair(cut(s, 0, end), uri, err));
    s = cut(s, end < s.len ? end + 1 : end, s.len);
  }
  return LB_OK;
}

static enum lb_status parse_web(struct lb_str authority, struct lb_str rest,
                                struct lb_uri *uri, struct lb_error *err) {
  if (find_any(authority, "@") < authority.len) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option uri holds credentials: with http:// and https:// give "
                        "them as options databricks.access_token, or username and "
                        "password, or write lakebeat://token:<pat>@host/<path>");
  }
  LB_TRY(read_host(authority, uri, err));
  return read_path(rest, uri, err);
}

static enum lb_status parse_own(struct lb_str authority, struct lb_str rest,
                                struct lb_uri *uri, struct lb_error *err) {
  size_t at = authority.len;
  for (size_t i = 0; i < authority.len; i++) {
    if (authority.data[i] == '@') at = i;
  }
  if (at < authority.len) {
    LB_TRY(read_userinfo(cut(authority, 0, at), uri, err));
    authority = cut(authority, at + 1, authority.len);
  }
  LB_TRY(read_host(authority, uri, err));
  size_t mark = find_any(rest, "?");
  LB_TRY(read_path(cut(rest, 0, mark), uri, err));
  if (mark == rest.len) return LB_OK;
  struct lb_str query = cut(rest, mark + 1, rest.len);
  if (!is_plain(query) || find_any(query, "#") < query.len) {
    return refuse(err, "its query holds a space, a control character or a fragment");
  }
  return read_query(query, uri, err);
}

enum lb_status lb_uri_parse(struct lb_str text, struct lb_uri *out,
                            struct lb_error *err) {
  static const struct {
    const char *scheme;
    bool web;
    bool tls;
  } forms[] = {{"https://", true, true},
               {"http://", true, false},
               {"lakebeat://", false, true},
               {"databricks://", false, true}};
  text = lb_str_trim(text);
  if (text.len > LB_URI_MAX_BYTES) return refuse(err, "it is longer than 16 KiB");
  for (size_t i = 0; i < LB_ARRAY_LEN(forms); i++) {
    struct lb_str scheme = lb_str_from(forms[i].scheme);
    if (!lb_str_starts_with_nocase(text, scheme)) continue;
    struct lb_uri uri = {.tls = forms[i].tls,
                         .port = forms[i].tls ? HTTPS_PORT : HTTP_PORT};
    struct lb_str rest = cut(text, scheme.len, text.len);
    size_t end = find_any(rest, "/?#");
    struct lb_str authority = cut(rest, 0, end);
    rest = cut(rest, end, rest.len);
    enum lb_status status = forms[i].web ? parse_web(authority, rest, &uri, err)
                                         : parse_own(authority, rest, &uri, err);
    if (status != LB_OK) {
      lb_uri_reset(&uri);
      return status;
    }
    *out = uri;
    return LB_OK;
  }
  return refuse(
      err, "it begins with none of https://, http://, lakebeat:// and databricks://");
}
