/* SPDX-License-Identifier: Apache-2.0 */
/* The error object: a status plus everything a caller may want to know about it.
 *
 * Owned by the caller, fixed size, no allocation, so it can always be filled. Every
 * function that accepts a `struct lb_error *err` accepts NULL and fills it on every
 * failure. Not thread-safe: one error object belongs to one call. */
#ifndef LB_BASE_ERROR_H
#define LB_BASE_ERROR_H

#include <stdarg.h>

#include "base/base.h"
#include "base/str.h"

enum lb_status {
#define LB_ERROR_ROW(name, ...) LB_##name,
#include "base/errors.def"
  LB_STATUS_COUNT
};

struct lb_error {
  enum lb_status status;
  int32_t native_code;  /* vendor code as the server sent it, 0 when it sent none */
  int32_t http_status;  /* 0 when no HTTP reply was involved */
  bool retryable;       /* repeating the same call later can succeed */
  char sqlstate[6];     /* five characters and a NUL; never empty after a failure */
  char error_class[96]; /* Databricks error class ("TABLE_OR_VIEW_NOT_FOUND"), or "" */
  char query_id[40];    /* statement id as the server prints it, or "" */
  char message[1024];   /* UTF-8, no trailing newline, cut at a character boundary */
};

#define LB_ERROR_INIT {.status = LB_OK}

/* Runs `expr`; returns its status from the current function unless it is LB_OK. Legal
 * only while the current function owns nothing. */
#define LB_TRY(expr) \
  do { \
    enum lb_status lb_try_status_ = (expr); \
    if (lb_try_status_ != LB_OK) return lb_try_status_; \
  } while (0)

void lb_error_reset(struct lb_error *err);

/* Fills err (when not NULL) with status, the table's SQLSTATE and retryable flag and the
 * formatted message; clears the other fields. Returns status, so that callers can write
 * `return lb_error_set(err, LB_INVALID_ARGUMENT, "...")`. status must not be LB_OK. */
enum lb_status lb_error_set(struct lb_error *err, enum lb_status status, const char *fmt,
                            ...) LB_PRINTF(3, 4);
enum lb_status lb_error_vset(struct lb_error *err, enum lb_status status, const char *fmt,
                             va_list args) LB_PRINTF(3, 0);

/* Tells static analyzers what they cannot see: the status that was given is returned. */
#ifdef __clang_analyzer__
#define lb_error_set(err, status, ...) \
  ((void)(lb_error_set)((err), (status), __VA_ARGS__), (status))
#endif

/* Shorthand for LB_OUT_OF_MEMORY; what says what was to be allocated ("the reply
 * buffer"). */
void lb_error_note_oom(struct lb_error *err, const char *what);
/* Inline, so that analyzers see that it never returns LB_OK. */
static inline enum lb_status lb_error_oom(struct lb_error *err, const char *what) {
  lb_error_note_oom(err, what);
  return LB_OUT_OF_MEMORY;
}

/* Puts text in front of / behind the message, cutting at the limit. No-ops on NULL or OK.
 */
void lb_error_prefix(struct lb_error *err, const char *fmt, ...) LB_PRINTF(2, 3);
void lb_error_append(struct lb_error *err, const char *fmt, ...) LB_PRINTF(2, 3);

/* Sets single fields; NULL and over-long values are cut. sqlstate is taken only when it
 * has exactly five characters of [0-9A-Z]. No-ops when err is NULL. */
void lb_error_set_sqlstate(struct lb_error *err, const char *sqlstate, size_t len);
void lb_error_set_class(struct lb_error *err, const char *error_class, size_t len);
void lb_error_set_query_id(struct lb_error *err, const char *query_id);

/* Copies src to dst; either may be NULL. */
void lb_error_copy(struct lb_error *dst, const struct lb_error *src);

/* What the table says of a status. Any value is accepted; unknown ones read as INTERNAL.
 */
const char *lb_status_name(enum lb_status status); /* "RESULT_LOST" */
const char *lb_status_text(enum lb_status status);
const char *lb_status_sqlstate(enum lb_status status);
int lb_status_adbc(enum lb_status status);
bool lb_status_retryable(enum lb_status status);

/* The SQLSTATE of a server's error class, NULL when it is not in the table. Of a class
 * with a subclass ("UNRESOLVED_COLUMN.WITH_SUGGESTION") its first part counts. */
const char *lb_error_class_sqlstate(struct lb_str error_class);

/* The ADBC status number for err: of a server error its SQLSTATE decides, by the table
 * of states in errors.def, where it says more. */
int lb_error_adbc_status(const struct lb_error *err);

#endif
