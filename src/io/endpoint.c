/* SPDX-License-Identifier: Apache-2.0 */
#include "io/endpoint.h"

#include <curl/curl.h>

bool lb_endpoint_header_safe(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

static bool is_ipv4_loopback(const char *host) {
  if (!lb_str_starts_with(lb_str_from(host), LB_STR("127."))) return false;
  for (const char *p = host; *p != '\0'; p++) {
    if ((*p < '0' || *p > '9') && *p != '.') return false;
  }
  return true;
}

static bool is_loopback(const char *host) {
  struct lb_str name = lb_str_from(host);
  const struct lb_str suffix = LB_STR(".localhost");
  if (lb_str_equal_nocase(name, LB_STR("localhost"))) return true;
  if (name.len > suffix.len) {
    struct lb_str tail = {name.data + name.len - suffix.len, suffix.len};
    if (lb_str_equal_nocase(tail, suffix)) return true;
  }
  return lb_str_equal(name, LB_STR("[::1]")) || is_ipv4_loopback(host);
}

static void lower(char *text) {
  for (; *text != '\0'; text++) {
    if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
  }
}

/* "a" + "b" + "c" on the heap; NULL when out of memory. */
static char *concat(const char *a, const char *b, const char *c) {
  size_t a_len = strlen(a), b_len = strlen(b), c_len = strlen(c);
  char *text = lb_alloc(LB_MEM_IO, a_len + b_len + c_len + 1);
  if (text == NULL) return NULL;
  memcpy(text, a, a_len);
  memcpy(text + a_len, b, b_len);
  memcpy(text + a_len + b_len, c, c_len + 1);
  return text;
}

static enum lb_status url_refused(CURLUcode code, struct lb_error *err) {
  if (code == CURLUE_OUT_OF_MEMORY) return lb_error_oom(err, "a URL");
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "the server's URL cannot be read (%s): give "
                      "https://host[:port]/path",
                      curl_url_strerror(code));
}

/* What the URL says, in curl's memory; freed by the caller with url_parts_reset. */
struct url_parts {
  CURLU *url;
  char *scheme;
  char *host;
  char *port;
  char *user;
};

static void url_parts_reset(struct url_parts *parts) {
  curl_free(parts->scheme);
  curl_free(parts->host);
  curl_free(parts->port);
  curl_free(parts->user);
  curl_url_cleanup(parts->url);
}

static CURLUcode part(struct url_parts *parts, CURLUPart what, char **out,
                      unsigned int flags) {
  CURLUcode code = curl_url_get(parts->url, what, out, flags);
  return code == CURLUE_OK && *out == NULL ? CURLUE_OUT_OF_MEMORY : code;
}

static CURLUcode url_parts_read(struct url_parts *parts, const char *url) {
  parts->url = curl_url();
  if (parts->url == NULL) return CURLUE_OUT_OF_MEMORY;
  CURLUcode code = curl_url_set(parts->url, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
  if (code == CURLUE_OK) code = part(parts, CURLUPART_SCHEME, &parts->scheme, 0);
  if (code == CURLUE_OK) code = part(parts, CURLUPART_HOST, &parts->host, 0);
  if (code != CURLUE_OK) return code;
  code = part(parts, CURLUPART_USER, &parts->user, 0);
  if (code != CURLUE_OK && code != CURLUE_NO_USER) return code;
  code = part(parts, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT);
  /* A scheme that curl does not know has no port; it is refused for what it is. */
  return code == CURLUE_NO_PORT ? CURLUE_OK : code;
}

static enum lb_status check_parts(const struct url_parts *parts, struct lb_error *err) {
  struct lb_str scheme = lb_str_from(parts->scheme);
  if (!lb_str_equal_nocase(scheme, LB_STR("http")) &&
      !lb_str_equal_nocase(scheme, LB_STR("https"))) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "the server's URL begins with %.32s://; only https:// and http:// "
        "are understood",
        parts->scheme);
  }
  if (parts->user != NULL) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the server's URL holds a user name or password: give them as "
                        "options, not in the URL");
  }
  return LB_OK;
}

static enum lb_status set_target(struct lb_endpoint *endpoint, const char *url,
                                 struct lb_error *err) {
  struct url_parts parts = {0};
  enum lb_status status;
  CURLUcode code = url_parts_read(&parts, url);
  if (code != CURLUE_OK) {
    status = url_refused(code, err);
    goto done;
  }
  status = check_parts(&parts, err);
  if (status != LB_OK) goto done;
  endpoint->tls = lb_str_equal_nocase(lb_str_from(parts.scheme), LB_STR("https"));
  endpoint->loopback = is_loopback(parts.host);
  endpoint->host = concat(parts.host, ":", parts.port != NULL ? parts.port : "");
  endpoint->url = lb_strdup(LB_MEM_IO, url);
  if (endpoint->host == NULL || endpoint->url == NULL) {
    status = lb_error_oom(err, "an endpoint");
    goto done;
  }
  lower(endpoint->host);
done:
  url_parts_reset(&parts);
  return status;
}

static enum lb_status set_headers(struct lb_endpoint *endpoint,
                                  const struct lb_endpoint_options *opts,
                                  struct lb_error *err) {
  const char *agent = opts->user_agent != NULL ? opts->user_agent : "lakebeat";
  if (!lb_endpoint_header_safe(agent, strlen(agent))) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the User-Agent holds a line break or control character");
  }
  endpoint->user_agent = lb_strdup(LB_MEM_IO, agent);
  endpoint->user_agent_heartbeat = concat(agent, " ", "heartbeat");
  if (endpoint->user_agent == NULL || endpoint->user_agent_heartbeat == NULL) {
    return lb_error_oom(err, "an endpoint");
  }
  for (size_t i = 0; i < LB_ENDPOINT_HEADERS_MAX && opts->extra_headers[i] != NULL; i++) {
    const char *line = opts->extra_headers[i];
    struct lb_str text = lb_str_from(line);
    size_t colon = lb_str_find(text, LB_STR(":"));
    if (colon == 0 || colon == SIZE_MAX || !lb_endpoint_header_safe(line, text.len)) {
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "extra header %zu is not of the form 'Name: value'", i + 1);
    }
    struct lb_str name = {line, colon};
    if (lb_str_equal_nocase(name, LB_STR("Content-Type")))
      endpoint->has_content_type = true;
    endpoint->headers[i] = lb_strdup(LB_MEM_IO, line);
    if (endpoint->headers[i] == NULL) return lb_error_oom(err, "an endpoint");
  }
  return LB_OK;
}

static bool has_proxy_scheme(const char *scheme) {
  static const char *const known[] = {"http", "https", "socks5", "socks5h"};
  for (size_t i = 0; i < LB_ARRAY_LEN(known); i++) {
    if (lb_str_equal_nocase(lb_str_from(scheme), lb_str_from(known[i]))) return true;
  }
  return false;
}

/* Its own port has to be named: curl would take 1080. */
static enum lb_status check_proxy(const char *proxy, struct lb_error *err) {
  struct url_parts parts = {.url = curl_url()};
  CURLUcode code = CURLUE_OUT_OF_MEMORY;
  if (parts.url != NULL) {
    code = curl_url_set(parts.url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME);
  }
  if (code == CURLUE_OK) code = part(&parts, CURLUPART_SCHEME, &parts.scheme, 0);
  if (code == CURLUE_OK) code = part(&parts, CURLUPART_HOST, &parts.host, 0);
  if (code == CURLUE_OK) code = part(&parts, CURLUPART_PORT, &parts.port, 0);
  bool known = code == CURLUE_OK && has_proxy_scheme(parts.scheme);
  url_parts_reset(&parts);
  if (known) return LB_OK;
  if (code == CURLUE_OUT_OF_MEMORY) return lb_error_oom(err, "a URL");
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "databricks.cloudfetch.proxy is not of the form "
                      "http://[user:password@]host:port (or https, socks5, socks5h), "
                      "nor 'none'");
}

static enum lb_status copy(char **dst, const char *src, struct lb_error *err) {
  if (src == NULL) return LB_OK;
  *dst = lb_strdup(LB_MEM_IO, src);
  return *dst != NULL ? LB_OK : lb_error_oom(err, "an endpoint");
}

static enum lb_status set_stores(struct lb_endpoint *endpoint,
                                 const struct lb_endpoint_options *opts,
                                 struct lb_error *err) {
  const char *proxy = opts->store_proxy;
  if (proxy != NULL && strcmp(proxy, "none") == 0) {
    proxy = "";
  } else if (proxy != NULL) {
    LB_TRY(check_proxy(proxy, err));
  }
  LB_TRY(copy(&endpoint->store_proxy, proxy, err));
  return copy(&endpoint->store_ca_file, opts->store_ca_file, err);
}

static void destroy(struct lb_endpoint *endpoint) {
  for (size_t i = 0; i < LB_ENDPOINT_HEADERS_MAX; i++) lb_free(endpoint->headers[i]);
  lb_free(endpoint->user_agent_heartbeat);
  lb_free(endpoint->user_agent);
  lb_free(endpoint->ca_file);
  if (endpoint->proxy != NULL) lb_wipe(endpoint->proxy, strlen(endpoint->proxy));
  lb_free(endpoint->proxy);
  if (endpoint->store_proxy != NULL) {
    lb_wipe(endpoint->store_proxy, strlen(endpoint->store_proxy));
  }
  lb_free(endpoint->store_proxy);
  lb_free(endpoint->store_ca_file);
  lb_free(endpoint->host);
  if (endpoint->url != NULL) lb_wipe(endpoint->url, strlen(endpoint->url)); /* signed */
  lb_free(endpoint->url);
  lb_free(endpoint);
}

enum lb_status lb_endpoint_create(const struct lb_endpoint_options *opts,
                                  struct lb_endpoint **out, struct lb_error *err) {
  struct lb_endpoint *endpoint = lb_alloc_zero(LB_MEM_IO, sizeof(*endpoint));
  if (endpoint == NULL) return lb_error_oom(err, "an endpoint");
  enum lb_status status;
  atomic_init(&endpoint->refs, 1);
  endpoint->insecure_skip_verify = opts->insecure_skip_verify;
  endpoint->connect_timeout_ms = opts->connect_timeout_ms;
  endpoint->request_timeout_ms = opts->request_timeout_ms;
  endpoint->retry_timeout_ms = opts->retry_timeout_ms;
  status = set_target(endpoint, opts->url, err);
  if (status != LB_OK) goto done;
  status = set_headers(endpoint, opts, err);
  if (status != LB_OK) goto done;
  status = copy(&endpoint->ca_file, opts->ca_file, err);
  if (status != LB_OK) goto done;
  status = set_stores(endpoint, opts, err);
  if (status != LB_OK) goto done;
  *out = endpoint;
  endpoint = NULL;
done:
  if (endpoint != NULL) destroy(endpoint);
  return status;
}

enum lb_status lb_endpoint_derive(const struct lb_endpoint *base, const char *url,
                                  struct lb_endpoint **out, struct lb_error *err) {
  struct lb_endpoint_options options = {
      .url = url,
      .ca_file = base->store_ca_file != NULL ? base->store_ca_file : base->ca_file,
      .insecure_skip_verify = base->insecure_skip_verify,
      .user_agent = base->user_agent,
      .connect_timeout_ms = base->connect_timeout_ms,
      .request_timeout_ms = base->request_timeout_ms,
      .retry_timeout_ms = base->retry_timeout_ms,
  };
  struct lb_endpoint *endpoint = NULL;
  LB_TRY(lb_endpoint_create(&options, &endpoint, err));
  endpoint->store = true;
  enum lb_status status = copy(&endpoint->proxy, base->store_proxy, err);
  if (status != LB_OK) {
    destroy(endpoint);
    return status;
  }
  *out = endpoint;
  return LB_OK;
}

void lb_endpoint_retain(struct lb_endpoint *endpoint) {
  atomic_fetch_add_explicit(&endpoint->refs, 1, memory_order_relaxed);
}

void lb_endpoint_release(struct lb_endpoint *endpoint) {
  if (endpoint == NULL) return;
  if (atomic_fetch_sub_explicit(&endpoint->refs, 1, memory_order_acq_rel) == 1) {
    destroy(endpoint);
  }
}

const char *lb_endpoint_host(const struct lb_endpoint *endpoint) {
  return endpoint->host;
}

bool lb_endpoint_is_tls(const struct lb_endpoint *endpoint) { return endpoint->tls; }

bool lb_endpoint_is_loopback(const struct lb_endpoint *endpoint) {
  return endpoint->loopback;
}
