/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include <stdatomic.h>

#include "io/io.h"

struct lb_auth {
  atomic_uint refs;
  bool sends_secret;
  struct lb_authorizer authorizer;
  size_t value_len;
  char *value;         /* the whole header value, NUL-terminated */
  uint64_t renewal_id; /* 0: cannot be renewed */
  struct lb_token_source source;
  struct {                  /* I/O thread */
    struct lb_list waiters; /* for the renewal that runs */
    struct lb_list ended;   /* ... and for the one whose end is being told */
    bool renewing;
  } owned;
};

static enum lb_status write_header(void *ctx, struct lb_buf *value,
                                   struct lb_error *err) {
  const struct lb_auth *auth = ctx;
  lb_buf_append(value, auth->value, auth->value_len);
  return lb_buf_check(value, "the Authorization header", err);
}

static char *make_value(struct lb_str prefix, struct lb_str secret, bool base64,
                        size_t *len) {
  size_t secret_len = base64 ? (secret.len + 2) / 3 * 4 : secret.len;
  char *value = lb_alloc_zero(LB_MEM_MISC, prefix.len + secret_len + 1);
  if (!value) return NULL;
  memcpy(value, prefix.data, prefix.len);
  char *at = value + prefix.len;
  if (base64) {
    lb_base64_encode(at, (const uint8_t *)secret.data, secret.len);
  } else if (secret.len > 0) {
    memcpy(at, secret.data, secret.len);
  }
  *len = prefix.len + secret_len;
  return value;
}

static enum lb_status create(struct lb_str prefix, struct lb_str secret, bool base64,
                             struct lb_auth **out, struct lb_error *err) {
  struct lb_auth *auth = lb_alloc_zero(LB_MEM_MISC, sizeof *auth);
  if (!auth) return lb_error_oom(err, "the credentials");
  auth->value = make_value(prefix, secret, base64, &auth->value_len);
  if (!auth->value) {
    lb_free(auth);
    return lb_error_oom(err, "the credentials");
  }
  atomic_init(&auth->refs, 1);
  lb_list_init(&auth->owned.waiters);
  lb_list_init(&auth->owned.ended);
  auth->sends_secret = prefix.len > 0;
  auth->authorizer = (struct lb_authorizer){write_header, auth};
  *out = auth;
  return LB_OK;
}

enum lb_status lb_auth_none(struct lb_auth **out, struct lb_error *err) {
  return create(LB_STR(""), LB_STR(""), false, out, err);
}

/* The token without the white space around it. */
static enum lb_status check_token(const char *token, struct lb_str *out,
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
  *out = secret;
  return LB_OK;
}

enum lb_status lb_auth_bearer(const char *token, struct lb_auth **out,
                              struct lb_error *err) {
  struct lb_str secret;
  LB_TRY(check_token(token, &secret, err));
  return create(LB_STR("Bearer "), secret, false, out, err);
}

enum lb_status lb_auth_renewable(const char *token, const struct lb_token_source *source,
                                 struct lb_auth **out, struct lb_error *err) {
  static _Atomic uint64_t made;
  struct lb_auth *auth;
  LB_TRY(lb_auth_bearer(token, &auth, err));
  auth->source = *source;
  auth->renewal_id = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;
  *out = auth;
  return LB_OK;
}

uint64_t lb_auth_renewal_id(const struct lb_auth *auth) { return auth->renewal_id; }

enum lb_status lb_auth_renew(struct lb_auth *auth, struct lb_io *io,
                             struct lb_token_waiter *waiter, struct lb_error *err) {
  if (auth->renewal_id == 0) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "the server refused the token, which cannot be renewed; open a "
                        "database with a newer databricks.access_token");
  }
  if (!auth->owned.renewing) {
    LB_TRY(auth->source.renew(auth->source.ctx, auth, io, err));
    auth->owned.renewing = true;
    lb_auth_retain(auth);
  }
  lb_list_init(&waiter->node);
  lb_list_push_back(&auth->owned.waiters, &waiter->node);
  return LB_OK;
}

/* The old token stays when the new one is none, or finds no memory. */
static enum lb_status replace(struct lb_auth *auth, const char *token,
                              struct lb_error *err) {
  struct lb_str secret;
  size_t len;
  LB_TRY(check_token(token, &secret, err));
  char *value = make_value(LB_STR("Bearer "), secret, false, &len);
  if (value == NULL) return lb_error_oom(err, "the renewed token");
  lb_wipe(auth->value, auth->value_len);
  lb_free(auth->value);
  auth->value = value;
  auth->value_len = len;
  return LB_OK;
}

void lb_auth_renewed(struct lb_auth *auth, struct lb_io *io, const char *token) {
  LB_ASSERT(auth->owned.renewing);
  if (!auth->owned.renewing) return;
  struct lb_error err = LB_ERROR_INIT;
  bool renewed = token != NULL && replace(auth, token, &err) == LB_OK;
  if (token != NULL && !renewed) {
    lb_log(io ? lb_io_log(io) : NULL, LB_LOG_WARN, "auth", "the former token stays: %s",
           err.message);
  }
  auth->owned.renewing = false;
  /* One who asks again from within done waits for the next renewal. */
  lb_list_splice(&auth->owned.ended, &auth->owned.waiters);
  for (struct lb_list *node; (node = lb_list_pop(&auth->owned.ended)) != NULL;) {
    struct lb_token_waiter *waiter = LB_CONTAINER_OF(node, struct lb_token_waiter, node);
    waiter->done(waiter, io, renewed);
  }
  lb_auth_release(auth);
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
  if (auth->source.destroy) auth->source.destroy(auth->source.ctx);
  lb_wipe(auth->value, auth->value_len);
  lb_free(auth->value);
  lb_free(auth);
}

const struct lb_authorizer *lb_auth_authorizer(const struct lb_auth *auth) {
  return auth->sends_secret ? &auth->authorizer : NULL;
}

bool lb_auth_sends_secret(const struct lb_auth *auth) { return auth->sends_secret; }
