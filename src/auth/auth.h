/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to get the value of an Authorization header, one file each, behind one small
 * table. Reference-counted and immutable; the header is made on the I/O thread for
 * each attempt of a request, so that a renewed token is used at once. The secret is
 * wiped when it is freed. */
#ifndef LB_AUTH_AUTH_H
#define LB_AUTH_AUTH_H

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

void lb_auth_retain(struct lb_auth *auth);
void lb_auth_release(struct lb_auth *auth); /* NULL is a no-op */

/* For requests; valid as long as the auth. NULL for lb_auth_none. */
const struct lb_authorizer *lb_auth_authorizer(const struct lb_auth *auth);
bool lb_auth_sends_secret(const struct lb_auth *auth);

#endif
