/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/errors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "lakebeat/lakebeat.h"

#define DETAILS_MAX 5

struct detail {
  const char *key;
  size_t len;
  char value[sizeof(((struct lb_error *)0)->error_class)];
};

/* private_data of an error that we filled in. */
struct details {
  int count;
  struct detail rows[DETAILS_MAX];
};

static void release_short(struct AdbcError *error) {
  lb_free(error->message);
  error->message = NULL;
  error->release = NULL;
}

static void release_full(struct AdbcError *error) {
  lb_free(error->private_data);
  error->private_data = NULL;
  release_short(error);
}

/* For a message that could not be allocated and so lives in the library. */
static void release_constant(struct AdbcError *error) {
  error->message = NULL;
  error->release = NULL;
}

static void add(struct details *details, const char *key, const char *value) {
  if (value[0] == '\0') return;
  struct detail *row = &details->rows[details->count++];
  row->key = key;
  row->len = lb_str_copy(row->value, sizeof(row->value), lb_str_from(value));
}

/* NULL when out of memory: an error without details is better than none. */
static struct details *make_details(const struct lb_error *err) {
  struct details *details = lb_alloc_zero(LB_MEM_MISC, sizeof(*details));
  if (details == NULL) {
    lb_mem_tell_failure();
    return NULL;
  }
  char http[16] = "", native[16] = "";
  if (err->http_status != 0) snprintf(http, sizeof(http), "%d", (int)err->http_status);
  if (err->native_code != 0) {
    snprintf(native, sizeof(native), "%d", (int)err->native_code);
  }
  add(details, LAKEBEAT_DETAIL_QUERY_ID, err->query_id);
  add(details, LAKEBEAT_DETAIL_HTTP_STATUS, http);
  add(details, LAKEBEAT_DETAIL_ERROR_CLASS, err->error_class);
  add(details, LAKEBEAT_DETAIL_RETRYABLE, err->retryable ? "true" : "false");
  add(details, LAKEBEAT_DETAIL_NATIVE_CODE, native);
  return details;
}

static void fill(struct AdbcError *error, const struct lb_error *err) {
  bool full = error->vendor_code == ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
  if (error->release != NULL) error->release(error);
  memcpy(error->sqlstate, err->sqlstate, sizeof(error->sqlstate));
  if (full) {
    error->vendor_code = ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
    error->private_data = NULL;
  } else {
    /* The one number that would claim fields that are not there. */
    bool reserved = err->native_code == ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
    error->vendor_code = reserved ? 0 : err->native_code;
  }
  error->message = lb_strdup(LB_MEM_MISC, err->message);
  if (error->message == NULL) {
    lb_mem_tell_failure();
    static char no_memory[] = "out of memory while an error was to be described";
    error->message = no_memory;
    error->release = release_constant;
    return;
  }
  error->release = full ? release_full : release_short;
  if (full) error->private_data = make_details(err);
}

AdbcStatusCode lb_adbc_finish(enum lb_status status, const struct lb_error *err,
                              struct AdbcError *error) {
  if (status == LB_OK) return ADBC_STATUS_OK;
  struct lb_error bare = LB_ERROR_INIT;
  LB_ASSERT(err->status != LB_OK);
  if (err->status == LB_OK) {
    lb_error_set(&bare, status, "%s", lb_status_text(status));
    err = &bare;
  }
  if (error != NULL) fill(error, err);
  return (AdbcStatusCode)lb_error_adbc_status(err);
}

static const struct details *details_of(const struct AdbcError *error) {
  if (error == NULL || error->vendor_code != ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA) {
    return NULL;
  }
  return error->release == release_full ? error->private_data : NULL;
}

int lb_adbc_error_detail_count(const struct AdbcError *error) {
  const struct details *details = details_of(error);
  return details == NULL ? 0 : details->count;
}

struct AdbcErrorDetail lb_adbc_error_detail(const struct AdbcError *error, int index) {
  const struct details *details = details_of(error);
  if (details == NULL || index < 0 || index >= details->count) {
    return (struct AdbcErrorDetail){0};
  }
  const struct detail *row = &details->rows[index];
  return (struct AdbcErrorDetail){
      .key = row->key, .value = (const uint8_t *)row->value, .value_length = row->len};
}

int lb_adbc_errno(AdbcStatusCode code) {
  switch (code) {
    case ADBC_STATUS_OK:
      return 0;
    case ADBC_STATUS_NOT_IMPLEMENTED:
      return ENOTSUP;
    case ADBC_STATUS_NOT_FOUND:
      return ENOENT;
    case ADBC_STATUS_ALREADY_EXISTS:
      return EEXIST;
    case ADBC_STATUS_INVALID_ARGUMENT:
    case ADBC_STATUS_INVALID_STATE:
      return EINVAL;
    case ADBC_STATUS_CANCELLED:
      return ECANCELED;
    case ADBC_STATUS_TIMEOUT:
      return ETIMEDOUT;
    case ADBC_STATUS_UNAUTHENTICATED:
    case ADBC_STATUS_UNAUTHORIZED:
      return EACCES;
    default:
      return EIO;
  }
}
