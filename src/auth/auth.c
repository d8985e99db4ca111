/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include <stdatomic.h>

struct lb_auth {
  atomic_uint refs;
  bool sends_secret;
  struct lb_authorizer authorizer;
  size_t value_len;
  char value[]; /* the whole header value, NUL-terminated */
};

static enum lb_status write_header(void *ctx, struct lb_buf *value,
                                   struct lb_error *err) {
  const struct lb_auth *auth = ctx;
  lb_buf_append(value, auth->value, auth->value_len);
  return lb_buf_check(value, "the Authorization header", err);
}

static enum lb_status create(struct lb_str prefix, struct lb_str secret, bool base64,
                             struct lb_auth **out, struct lb_error *err) {
  size_t secret_len = base64 ? (secret.len + 2) / 3 * 4 : secret.len;
  struct lb_auth *auth =
      lb_alloc_zero(LB_MEM_MISC, sizeof *auth + prefix.len + secret_len + 1);
  if (!auth) return lb_error_oom(err, "the credentials");
  atomic_init(&auth->refs, 1);
  auth->sends_secret = prefix.len > 0;
  auth->authorizer = (struct lb_authorizer){write_header, auth};
  memcpy(auth->value, prefix.data, prefix.len);
  char *at = auth->value + prefix.len;
  if (base64) {
    lb_base64_encode(at, (const uint8_t *)secret.data, secret.len);
  } else if (secret.len > 0) {
    memcpy(at, secret.data, secret.len);
  }
  auth->value_len = prefix.len + secret_len;
  *out = auth;
  return LB_OK;
}

enum lb_status lb_auth_none(struct lb_auth **out, struct lb_error *err) {
  return create(LB_STR(""), LB_STR(""), false, out, err);
}

enum lb_status lb_auth_bearer(const char *token, struct lb_auth **out,
                              struct lb_error *err) {
  struct lb_str secret = lb_str_trim(lb_str_from(token));
  if (secret.len == 0) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option databricks.access_token is empty; give a personal access "
                        "token or an OAuth access token");
  }
  for (size_t i = 0; i < secret.len; i++) {
    unsigned char c = (unsigned char)secret.data[i];
    if (c <= ' ' || c >= 0x7f) {
      return lb_error_set(
          err, LB_INVALID_ARGUMENT,
          "option databricks.access_token holds a character that no token "
          "has (position %zu); check for line breaks and quotes",
          i);
    }
  }
  return create(LB_STR("Bearer "), secret, false, out, err);
}

enum lb_status lb_auth_basic(const char *username, const char *password,
                             struct lb_auth **out, struct lb_error *err) {
  if (strchr(username, ':')) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "option username holds a colon, which basic authentication cannot "
        "carry");
  }
  struct lb_buf pair;
  lb_buf_init(&pair, LB_MEM_MISC, 64 * 1024);
  lb_buf_append_text(&pair, username);
  lb_buf_append_u8(&pair, ':');
  lb_buf_append_text(&pair, password);
  enum lb_status status = lb_buf_check(&pair, "the credentials", err);
  if (status == LB_OK) {
    struct lb_str secret = {(const char *)pair.data, pair.len};
    status = create(LB_STR("Basic "), secret, true, out, err);
  }
  if (pair.data) lb_wipe(pair.data, pair.len);
  lb_buf_reset(&pair);
  return status;
}

void lb_auth_retain(struct lb_auth *auth) {
  atomic_fetch_add_explicit(&auth->refs, 1, memory_order_relaxed);
}

void lb_auth_release(struct lb_auth *auth) {
  if (!auth) return;
  if (atomic_fetch_sub_explicit(&auth->refs, 1, memory_order_acq_rel) != 1) return;
  lb_wipe(auth->value, auth->value_len);
  lb_free(auth);
}

const struct lb_authorizer *lb_auth_authorizer(const struct lb_auth *auth) {
  return auth->sends_secret ? &auth->authorizer : NULL;
}

bool lb_auth_sends_secret(const struct lb_auth *auth) { return auth->sends_secret; }
