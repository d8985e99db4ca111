/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to get the value of an Authorization header, one file each, behind one small
 * table. Reference-counted; the header is made on the I/O thread for each attempt of a
 * request, so that a renewed token is used at once. The secret is wiped when it is freed
 * or replaced; nothing but a renewal changes it. */
#ifndef LB_AUTH_AUTH_H
#define LB_AUTH_AUTH_H

#include "base/list.h"
#include "io/request.h"

struct lb_auth;

/* No Authorization header at all. */
enum lb_status lb_auth_none(struct lb_auth **out, struct lb_error *err) LB_MUST_USE;
/* "Bearer <token>". A token with control characters is LB_INVALID_ARGUMENT. */
enum lb_status lb_auth_bearer(const char *token, struct lb_auth **out,
                              struct lb_error *err) LB_MUST_USE;
/* "Basic <base64 of user:password>". A user name with a colon is LB_INVALID_ARGUMENT. */
enum lb_status lb_auth_basic(const char *username, const char *password,
                             struct lb_auth **out, struct lb_error *err) LB_MUST_USE;

/* Where newer tokens come from. */
struct lb_token_source {
  /* Starts to get a newer token; I/O thread, must not block. Its end is reported by
   * exactly one lb_auth_renewed, after this has returned and before the I/O thread ends.
   * A failure: nothing was started. */
  enum lb_status (*renew)(void *ctx, struct lb_auth *auth, struct lb_io *io,
                          struct lb_error *err);
  void (*destroy)(void *ctx); /* with the auth; NULL: nothing to free */
  void *ctx;
};
/* "Bearer <token>" until the source has a newer one. source is copied; its ctx belongs to
 * the auth from a success on. */
enum lb_status lb_auth_renewable(const char *token, const struct lb_token_source *source,
                                 struct lb_auth **out, struct lb_error *err) LB_MUST_USE;
/* Different for each auth that can be renewed; 0: it cannot. */
uint64_t lb_auth_renewal_id(const struct lb_auth *auth);

/* Waits for a renewal; the caller's memory until done has returned. */
struct lb_token_waiter {
  struct lb_list node;
  void (*done)(struct lb_token_waiter *waiter, struct lb_io *io, bool renewed);
};
/* I/O thread. One renewal at a time, whoever asks: those who ask while one runs get its
 * outcome. A failure: none could be started, and done is not called. */
enum lb_status lb_auth_renew(struct lb_auth *auth, struct lb_io *io,
                             struct lb_token_waiter *waiter,
                             struct lb_error *err) LB_MUST_USE;
/* I/O thread, called by the source. token NULL: there is no newer one. */
void lb_auth_renewed(struct lb_auth *auth, struct lb_io *io, const char *token);

void lb_auth_retain(struct lb_auth *auth);
void lb_auth_release(struct lb_auth *auth); /* NULL is a no-op */

/* For requests; valid as long as the auth. NULL for lb_auth_none. */
const struct lb_authorizer *lb_auth_authorizer(const struct lb_auth *auth);
bool lb_auth_sends_secret(const struct lb_auth *auth);

#endif
