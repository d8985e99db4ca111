/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table (options.def) from which parsers, aliases, defaults, secrecy and
 * docs/OPTIONS.md are made. A set holds what was set on one object (database,
 * connection, statement) and asks its parent for the rest; the nearest wins and a
 * change applies to the next use. Thread-safe: reading from any thread is always
 * allowed.
 *
 * Errors name the key, the value (never of a secret) and what would be right. */
#ifndef LB_SESSION_OPTIONS_H
#define LB_SESSION_OPTIONS_H

#include "base/buf.h"
#include "base/error.h"

enum lb_option_id {
#define LB_OPTION_ROW(id, ...) LB_OPT_##id,
#include "session/options.def"
  LB_OPT_COUNT
};

enum lb_option_scope {
  LB_SCOPE_DATABASE = 1,
  LB_SCOPE_CONNECTION = 2,
  LB_SCOPE_STATEMENT = 4
};
enum lb_option_type {
  LB_OPTION_TEXT,
  LB_OPTION_BOOL,
  LB_OPTION_INT,
  LB_OPTION_WORD,
  LB_OPTION_URI
};

struct lb_option_row {
  enum lb_option_id id;
  const char *key;
  const char *aliases; /* separated by one space; "" none */
  enum lb_option_type type;
  int scopes;        /* where it may be set: bits of enum lb_option_scope */
  const char *words; /* LB_OPTION_WORD: allowed words, separated by one space */
  int64_t min, max;  /* LB_OPTION_INT */
  const char *def;   /* default as text; NULL: unset */
  bool secret;
  const char *unit; /* "seconds", "bytes", "rows" or "" */
  const char *doc;  /* one line */
};
extern const struct lb_option_row lb_option_table[LB_OPT_COUNT];
/* By key or alias; NULL when unknown. */
const struct lb_option_row *lb_option_find(struct lb_str key);

struct lb_options;
enum lb_status lb_options_create(struct lb_options *parent, enum lb_option_scope scope,
                                 struct lb_options **out,
                                 struct lb_error *err) LB_MUST_USE;
/* Gives a set that was made without one its parent. Readers on other threads may be at
 * work; a second call may not. */
void lb_options_adopt(struct lb_options *opts, struct lb_options *parent);
void lb_options_retain(struct lb_options *opts);
void lb_options_release(struct lb_options *opts);

/* Whether the key may be set on this kind of object; errors as of lb_options_set. */
enum lb_status lb_options_check_key(struct lb_options *opts, struct lb_str key,
                                    struct lb_error *err) LB_MUST_USE;
/* Sets, or unsets when value is NULL (of username and password, also when it is blank).
 * Unknown key: LB_NOT_IMPLEMENTED; a key that cannot be set on this kind of object:
 * LB_NOT_IMPLEMENTED naming where it can; bad value: LB_INVALID_ARGUMENT. Keys
 * `databricks.session_conf.<name>` (database, connection) are collected under their
 * names. */
enum lb_status lb_options_set(struct lb_options *opts, struct lb_str key,
                              const char *value, struct lb_error *err) LB_MUST_USE;
/* The text a reader sees: the nearest value or the default, in normal form ("true",
 * "60"); of a uri, where it leads. Unknown, unset and secret keys: LB_NOT_FOUND. */
enum lb_status lb_options_get(struct lb_options *opts, struct lb_str key,
                              struct lb_buf *out, struct lb_error *err) LB_MUST_USE;
/* LB_NOT_FOUND with SQLSTATE HY092, for what cannot be read under an option's key: the
 * state of the status itself would speak of a table. */
enum lb_status lb_option_not_found(struct lb_error *err, const char *fmt, ...)
    LB_PRINTF(2, 3);

bool lb_options_is_set(struct lb_options *opts, enum lb_option_id id); /* here or above */
int64_t lb_options_int(struct lb_options *opts, enum lb_option_id id);
bool lb_options_bool(struct lb_options *opts, enum lb_option_id id);
/* A copy (lb_free), NULL when unset; for TEXT, WORD and URI. */
enum lb_status lb_options_text(struct lb_options *opts, enum lb_option_id id, char **out,
                               struct lb_error *err) LB_MUST_USE;
bool lb_options_word_is(struct lb_options *opts, enum lb_option_id id, const char *word);

/* The collected session settings, parents first, each name once (nearest wins). Stops
 * when visit fails. */
enum lb_status lb_options_each_conf(struct lb_options *opts,
                                    enum lb_status (*visit)(void *ctx, struct lb_str name,
                                                            struct lb_str value,
                                                            struct lb_error *err),
                                    void *ctx, struct lb_error *err) LB_MUST_USE;

/* Where to connect, from `uri` or from host, port, path; checked as a whole. Explicit
 * options win over the URI's parts. Forms: https:// or http://host[:port]/path[?o=..]
 * (verbatim); lakebeat:// or
 * databricks://[token:<pat>|user:password]@host[:port]/path?key=value&... (https; keys
 * are option keys with or without `databricks.`). */
struct lb_target {
  char *url;      /* http(s)://host:port/path[?query], no userinfo */
  char *token;    /* bearer token, or NULL */
  char *username; /* basic, or NULL */
  char *password;
};
enum lb_status lb_options_target(struct lb_options *opts, struct lb_target *out,
                                 struct lb_error *err) LB_MUST_USE;
void lb_target_reset(struct lb_target *target); /* wipes secrets */

#endif
