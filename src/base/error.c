/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

struct row {
  const char *name;
  const char *text;
  char sqlstate[6];
  int adbc;
  bool retryable;
};

static const struct row rows[LB_STATUS_COUNT] = {
#define LB_ERROR_ROW(name, adbc_status, sqlstate, retryable, text, cause, remedy) \
  [LB_##name] = {#name, text, sqlstate, adbc_status, retryable},
#include "base/errors.def"
};

static const struct {
  const char *prefix;
  enum lb_status like;
} server_states[] = {
#define LB_ERROR_STATE(prefix, like, meaning) {prefix, LB_##like},
#include "base/errors.def"
};

static const struct {
  const char *error_class;
  const char *sqlstate;
} server_classes[] = {
#define LB_ERROR_CLASS(error_class, sqlstate) {error_class, sqlstate},
#include "base/errors.def"
};

static const struct row *row_of(enum lb_status status) {
  if ((unsigned)status >= LB_STATUS_COUNT) status = LB_INTERNAL;
  return &rows[status];
}

/* Formats into dst, cut at a character boundary; the result is UTF-8 without white space
 * at its end. */
static void LB_PRINTF(3, 0) format(char *dst, size_t cap, const char *fmt, va_list args) {
  int n = vsnprintf(dst, cap, fmt, args);
  size_t len = n < 0 ? 0 : LB_MIN((size_t)n, cap - 1);
  while (len > 0 && strchr(" \t\r\n", dst[len - 1]) != NULL) len--;
  dst[len] = '\0';
}

/* message = a followed by b. */
static void set_message(struct lb_error *err, const char *a, const char *b) {
  char *dst = err->message;
  size_t cap = sizeof(err->message);
  size_t used = lb_str_copy(dst, cap, lb_str_from(a));
  used += lb_str_copy(dst + used, cap - used, lb_str_from(b));
  lb_utf8_clean(dst, used);
}

void lb_error_reset(struct lb_error *err) {
  if (err == NULL) return;
  *err = (struct lb_error)LB_ERROR_INIT;
}

enum lb_status lb_error_vset(struct lb_error *err, enum lb_status status, const char *fmt,
                             va_list args) {
  LB_ASSERT(status != LB_OK);
  if (status == LB_OUT_OF_MEMORY) lb_mem_tell_failure();
  if (err == NULL) return status;
  /* Aside first: an argument may be a part of *err. */
  char text[sizeof(err->message)];
  format(text, sizeof(text), fmt, args);
  const struct row *row = row_of(status);
  lb_error_reset(err);
  err->status = status;
  err->retryable = row->retryable;
  memcpy(err->sqlstate, row->sqlstate, sizeof(err->sqlstate));
  set_message(err, text, "");
  return status;
}

/* In brackets, since the name is a macro for analyzers. */
enum lb_status(lb_error_set)(struct lb_error *err, enum lb_status status, const char *fmt,
                             ...) {
  va_list args;
  va_start(args, fmt);
  lb_error_vset(err, status, fmt, args);
  va_end(args);
  return status;
}

void lb_error_note_oom(struct lb_error *err, const char *what) {
  (void)lb_error_set(err, LB_OUT_OF_MEMORY, "out of memory while allocating %s", what);
}

void lb_error_prefix(struct lb_error *err, const char *fmt, ...) {
  if (err == NULL || err->status == LB_OK) return;
  char old[sizeof(err->message)];
  char text[sizeof(err->message)];
  memcpy(old, err->message, sizeof(old));
  va_list args;
  va_start(args, fmt);
  /* Not format(): a prefix ends in ": ". */
  int n = vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if (n > 0) set_message(err, text, old);
}

void lb_error_append(struct lb_error *err, const char *fmt, ...) {
  if (err == NULL || err->status == LB_OK) return;
  char old[sizeof(err->message)];
  char text[sizeof(err->message)];
  memcpy(old, err->message, sizeof(old));
  va_list args;
  va_start(args, fmt);
  format(text, sizeof(text), fmt, args);
  va_end(args);
  set_message(err, old, text);
}

void lb_error_set_sqlstate(struct lb_error *err, const char *sqlstate, size_t len) {
  if (err == NULL || sqlstate == NULL || len != 5) return;
  for (size_t i = 0; i < len; i++) {
    char c = sqlstate[i];
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))) return;
  }
  memcpy(err->sqlstate, sqlstate, len);
  err->sqlstate[len] = '\0';
}

static void set_field(char *dst, size_t cap, struct lb_str src) {
  size_t len = lb_str_copy(dst, cap, src);
  lb_utf8_clean(dst, len);
}

void lb_error_set_class(struct lb_error *err, const char *error_class, size_t len) {
  if (err == NULL) return;
  struct lb_str src = {error_class, error_class == NULL ? 0 : len};
  set_field(err->error_class, sizeof(err->error_class), src);
}

void lb_error_set_query_id(struct lb_error *err, const char *query_id) {
  if (err == NULL) return;
  set_field(err->query_id, sizeof(err->query_id), lb_str_from(query_id));
}

void lb_error_copy(struct lb_error *dst, const struct lb_error *src) {
  if (dst == NULL || src == NULL || dst == src) return;
  *dst = *src;
}

const char *lb_status_name(enum lb_status status) { return row_of(status)->name; }

const char *lb_status_text(enum lb_status status) { return row_of(status)->text; }

const char *lb_status_sqlstate(enum lb_status status) { return row_of(status)->sqlstate; }

int lb_status_adbc(enum lb_status status) { return row_of(status)->adbc; }

bool lb_status_retryable(enum lb_status status) { return row_of(status)->retryable; }

const char *lb_error_class_sqlstate(struct lb_str error_class) {
  size_t dot = lb_str_find(error_class, LB_STR("."));
  if (dot != SIZE_MAX) error_class.len = dot;
  for (size_t i = 0; i < LB_ARRAY_LEN(server_classes); i++) {
    struct lb_str known = lb_str_from(server_classes[i].error_class);
    if (lb_str_equal(error_class, known)) return server_classes[i].sqlstate;
  }
  return NULL;
}

int lb_error_adbc_status(const struct lb_error *err) {
  if (err == NULL) return lb_status_adbc(LB_INTERNAL);
  if (err->status != LB_SERVER) return lb_status_adbc(err->status);
  for (size_t i = 0; i < LB_ARRAY_LEN(server_states); i++) {
    const char *prefix = server_states[i].prefix;
    if (strncmp(err->sqlstate, prefix, strlen(prefix)) == 0) {
      return lb_status_adbc(server_states[i].like);
    }
  }
  return lb_status_adbc(LB_SERVER);
}
