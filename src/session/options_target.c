/* SPDX-License-Identifier: Apache-2.0 */
/* Where to connect, put together from options. Host, port and path of a uri are values
 * like any other by now; only its scheme is not. */
#include <inttypes.h>

#include "session/options_internal.h"
#include "session/options_uri.h"

void lb_target_reset(struct lb_target *target) {
  lb_uri_free_text(target->url);
  lb_uri_free_text(target->token);
  lb_uri_free_text(target->username);
  lb_uri_free_text(target->password);
  *target = (struct lb_target){0};
}

/* A host name as people paste it: https:// before it and a slash behind it do no harm. */
static enum lb_status clean_host(struct lb_str *host, struct lb_error *err) {
  const struct lb_str scheme = LB_STR("https://");
  *host = lb_str_trim(*host);
  struct lb_str given = *host;
  if (lb_str_starts_with_nocase(*host, scheme)) {
    host->data += scheme.len;
    host->len -= scheme.len;
  }
  if (host->len > 0 && host->data[host->len - 1] == '/') host->len--;
  if (lb_uri_host_valid(*host)) return LB_OK;
  /* What stands before '@' may be a password, and has no form that tells. */
  if (lb_str_find(given, LB_STR("@")) != SIZE_MAX) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option databricks.server_hostname holds '@': give a host name "
                        "alone; credentials go into databricks.access_token, or username "
                        "and password");
  }
  return lb_option_bad_value(
      &lb_option_table[LB_OPT_HOST], given,
      "give a host name alone; a port goes into databricks.port, a path into "
      "databricks.http_path",
      err);
}

static enum lb_status check_path(const struct lb_str *path, struct lb_error *err) {
  if (lb_uri_path_valid(*path)) return LB_OK;
  return lb_option_bad_value(
      &lb_option_table[LB_OPT_HTTP_PATH], *path,
      "give a path such as /sql/1.0/warehouses/<id>, without spaces", err);
}

static enum lb_status missing(struct lb_options *opts, const char *host,
                              struct lb_error *err) {
  if (host == NULL && !lb_options_is_set(opts, LB_OPT_HTTP_PATH)) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "it is not said where to connect: set option uri, or options "
                        "databricks.server_hostname and databricks.http_path");
  }
  return lb_error_set(
      err, LB_INVALID_ARGUMENT, "option %s is not set: give it, or a whole uri",
      host == NULL ? "databricks.server_hostname" : "databricks.http_path");
}

static enum lb_status make_url(struct lb_options *opts, struct lb_str host,
                               struct lb_str path, char **out, struct lb_error *err) {
  LB_TRY(clean_host(&host, err));
  path = lb_str_trim(path);
  bool slash = path.len > 0 && path.data[0] != '/';
  struct lb_buf url;
  lb_buf_init(&url, LB_MEM_MISC, 2 * LB_OPTION_VALUE_MAX_BYTES);
  lb_buf_append_text(&url, lb_options_uri_is_plain(opts) ? "http://" : "https://");
  lb_buf_append_str(&url, host);
  lb_buf_appendf(&url, ":%" PRId64, lb_options_int(opts, LB_OPT_PORT));
  size_t at = url.len;
  if (slash) lb_buf_append_text(&url, "/");
  lb_buf_append_str(&url, path);
  enum lb_status status = lb_buf_check(&url, "the server's URL", err);
  if (status == LB_OK) {
    struct lb_str whole = {(const char *)url.data + at, url.len - at};
    status = check_path(&whole, err);
  }
  if (status == LB_OK) {
    status = lb_option_copy((struct lb_str){(const char *)url.data, url.len}, out, err);
  }
  lb_buf_reset(&url);
  return status;
}

static bool is_blank(const char *text) { return text == NULL || text[0] == '\0'; }

static enum lb_status target_url(struct lb_options *opts, char **out,
                                 struct lb_error *err) {
  char *host = NULL, *path = NULL;
  enum lb_status status = lb_options_text(opts, LB_OPT_HOST, &host, err);
  if (status == LB_OK) status = lb_options_text(opts, LB_OPT_HTTP_PATH, &path, err);
  if (status == LB_OK && (is_blank(host) || is_blank(path))) {
    status = missing(opts, is_blank(host) ? NULL : host, err);
  }
  if (status == LB_OK) {
    status = make_url(opts, lb_str_from(host), lb_str_from(path), out, err);
  }
  lb_free(host);
  lb_free(path);
  return status;
}

/* A token wins over a user name, unless only the latter was set outside the uri; the
 * user name `token` says that the password is one. */
static enum lb_status target_login(struct lb_options *opts, struct lb_target *target,
                                   struct lb_error *err) {
  LB_TRY(lb_options_text(opts, LB_OPT_ACCESS_TOKEN, &target->token, err));
  LB_TRY(lb_options_text(opts, LB_OPT_USERNAME, &target->username, err));
  LB_TRY(lb_options_text(opts, LB_OPT_PASSWORD, &target->password, err));
  /* Settings made from a template leave blank what is not meant. */
  bool has_name = !is_blank(target->username);
  if (has_name && target->token != NULL && is_blank(target->token)) {
    lb_uri_free_text(target->token);
    target->token = NULL;
  }
  bool named_token = target->username != NULL && strcmp(target->username, "token") == 0;
  bool own_token = lb_options_is_own(opts, LB_OPT_ACCESS_TOKEN);
  bool own_name = lb_options_is_own(opts, LB_OPT_USERNAME);
  if (own_token && own_name && target->token != NULL && !named_token) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "options databricks.access_token and username are both set: take "
                        "one of them away");
  }
  if (target->token != NULL && own_name && !own_token) {
    lb_uri_free_text(target->token);
    target->token = NULL;
  }
  if (target->token == NULL && named_token) {
    target->token = target->password;
    target->password = NULL;
    if (is_blank(target->token)) {
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "option username is 'token', but option password, which then "
                          "is the token, is not set");
    }
  }
  if (target->token == NULL && target->username == NULL && !is_blank(target->password)) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option password is set, but option username is not: set it "
                        "too, to 'token' if the password is a token");
  }
  if (target->token != NULL) {
    lb_uri_free_text(target->username);
    lb_uri_free_text(target->password);
    target->username = target->password = NULL;
  }
  return LB_OK;
}

enum lb_status lb_options_target(struct lb_options *opts, struct lb_target *out,
                                 struct lb_error *err) {
  struct lb_target target = {0};
  enum lb_status status = target_url(opts, &target.url, err);
  if (status == LB_OK) status = target_login(opts, &target, err);
  if (status != LB_OK) {
    lb_target_reset(&target);
    return status;
  }
  *out = target;
  return LB_OK;
}
