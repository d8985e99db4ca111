/* SPDX-License-Identifier: Apache-2.0 */
/* A connection URI taken apart. Two forms: http:// and https:// give host, port and path
 * and nothing else; lakebeat:// and databricks:// (both mean https) may carry
 * credentials, and options in their query. Pure; any thread. Errors say what is wrong and
 * where but never show a part of the URI that could be a secret. */
#ifndef LB_SESSION_OPTIONS_URI_H
#define LB_SESSION_OPTIONS_URI_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

#define LB_URI_MAX_BYTES 16384
#define LB_URI_OPTIONS_MAX 64

struct lb_uri_option {
  char *key; /* as written, percent-decoded */
  char *value;
};

struct lb_uri {
  bool tls;
  int32_t port;   /* the scheme's default when the URI names none */
  char *host;     /* as written; IPv6 addresses in brackets */
  char *path;     /* begins with '/', as written, with `?query` behind it if any */
  char *token;    /* of token:<pat>@; NULL none */
  char *username; /* of user:password@; NULL none */
  char *password;
  struct lb_uri_option options[LB_URI_OPTIONS_MAX];
  int32_t option_count;
};

enum lb_status lb_uri_parse(struct lb_str text, struct lb_uri *out,
                            struct lb_error *err) LB_MUST_USE;
void lb_uri_reset(struct lb_uri *uri); /* wipes and frees; an empty one is legal */

/* Host names and addresses as they may stand in a URL: no space, no control character,
 * no '/', '@', '?', '#', ':' outside brackets. */
bool lb_uri_host_valid(struct lb_str host);
/* A path with its query: begins with '/', no space, no control character, no '#'. */
bool lb_uri_path_valid(struct lb_str path);

/* lb_free of a text that may be a secret; NULL is a no-op. */
void lb_uri_free_text(char *text);

#endif
