/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/object.h"

#include <inttypes.h>
#include <stdio.h>

/* The longest option is 64 KiB; a buffer holds it twice, for texts put together. */
#define VALUE_MAX_BYTES (128 * 1024)

struct lb_adbc_option_failure {
  struct lb_adbc_option_failure *next;
  struct lb_error err;
  char key[];
};

enum lb_status lb_adbc_object_init(struct lb_adbc_object *obj,
                                   const struct lb_adbc_object_ops *ops,
                                   struct lb_options *parent, struct lb_error *err) {
  *obj = (struct lb_adbc_object){.ops = ops};
  atomic_init(&obj->ready, false);
  return lb_options_create(parent, ops->scope, &obj->opts, err);
}

void lb_adbc_object_publish(struct lb_adbc_object *obj, struct lb_io *io_own,
                            struct lb_hb_stats *process) {
  lb_hb_stats_retain(process);
  obj->process = process;
  obj->io = io_own;
  atomic_store_explicit(&obj->ready, true, memory_order_release);
}

void lb_adbc_object_reset(struct lb_adbc_object *obj) {
  lb_options_release(obj->opts);
  obj->opts = NULL;
  while (obj->failure != NULL) {
    struct lb_adbc_option_failure *failure = obj->failure;
    obj->failure = failure->next;
    lb_free(failure);
  }
  lb_hb_stats_release(obj->process);
  obj->process = NULL;
  struct lb_io *io = obj->io;
  obj->io = NULL;
  lb_io_release(io);
}

static bool is_ready(const struct lb_adbc_object *obj) {
  return atomic_load_explicit(&obj->ready, memory_order_acquire);
}

bool lb_adbc_object_inherited(const struct lb_adbc_object *obj) {
  return is_ready(obj) && lb_io_inherited(obj->io);
}

enum lb_status lb_adbc_object_check(const struct lb_adbc_object *obj, const char *name,
                                    struct lb_error *err) {
  if (obj == NULL) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "this %s was never made, or has been released", name);
  }
  if (lb_adbc_object_inherited(obj)) {
    return lb_error_set(err, LB_INVALID_STATE,
                        "this %s was opened before fork(); open a new database in the "
                        "child",
                        name);
  }
  return LB_OK;
}

enum lb_status lb_adbc_object_check_ready(const struct lb_adbc_object *obj,
                                          const char *name, struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, name, err));
  if (is_ready(obj)) return LB_OK;
  return lb_error_set(err, LB_INVALID_STATE,
                      "this %s is not initialised; call its Init first", name);
}

enum lb_status lb_adbc_object_check_options(const struct lb_adbc_object *obj,
                                            struct lb_error *err) {
  if (obj->failure_lost) {
    return lb_error_oom(err, "an option that could not be set");
  }
  if (obj->failure == NULL) return LB_OK;
  lb_error_copy(err, &obj->failure->err);
  return obj->failure->err.status;
}

/* Remembers a failure, or forgets that of a key which is right now. Without memory for
 * it the object cannot be initialised: it would come to life without the option. */
static void note(struct lb_adbc_object *obj, struct lb_str key, enum lb_status status,
                 const struct lb_error *err) {
  struct lb_adbc_option_failure **at = &obj->failure;
  while (*at != NULL && !lb_str_equal(lb_str_from((*at)->key), key)) at = &(*at)->next;
  struct lb_adbc_option_failure *failure = *at;
  if (status != LB_OK && failure == NULL) {
    failure = lb_alloc(LB_MEM_MISC, sizeof(*failure) + key.len + 1);
    if (failure == NULL) {
      obj->failure_lost = true;
      return;
    }
    failure->next = NULL;
    lb_str_copy(failure->key, key.len + 1, key);
    *at = failure;
  }
  if (status != LB_OK) {
    lb_error_copy(&failure->err, err);
  } else if (failure != NULL) {
    *at = failure->next;
    lb_free(failure);
  }
}

/* Setting. */

static enum lb_status check_key(const struct lb_adbc_object *obj, const char *name,
                                const char *key, struct lb_error *err) {
  LB_TRY(lb_adbc_object_check(obj, name, err));
  if (key != NULL) return LB_OK;
  return lb_error_set(err, LB_INVALID_ARGUMENT, "the option's key is NULL");
}

static enum lb_status set(struct lb_adbc_object *obj, const char *name, const char *key,
                          const char *value, struct lb_error *err) {
  LB_TRY(check_key(obj, name, key, err));
  struct lb_str text = lb_str_from(key);
  enum lb_status status = LB_OK;
  if (lb_adbc_stats_refuse(text, &status, err)) return status;
  if (lb_adbc_fixed_set(obj->ops->scope, text, value, &status, err)) return status;
  return obj->ops->set(obj, text, value, err);
}

static void note_before_init(struct lb_adbc_object *obj, const char *key,
                             enum lb_status status, const struct lb_error *err) {
  if (obj != NULL && key != NULL && !is_ready(obj)) {
    note(obj, lb_str_from(key), status, err);
  }
}

static AdbcStatusCode set_and_note(struct lb_adbc_object *obj, const char *name,
                                   const char *key, const char *value,
                                   struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = set(obj, name, key, value, &err);
  note_before_init(obj, key, status, &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_set_text(struct lb_adbc_object *obj, const char *name,
                                const char *key, const char *value,
                                struct AdbcError *error) {
  return set_and_note(obj, name, key, value, error);
}

/* A value that no option takes. Whether the object lives and the key is known is told
 * first. The value is not shown: it may be what somebody has for a password. */
static enum lb_status refuse_value(struct lb_adbc_object *obj, const char *name,
                                   const char *key, const char *why,
                                   struct lb_error *err) {
  LB_TRY(check_key(obj, name, key, err));
  struct lb_str text = lb_str_from(key);
  enum lb_status status = LB_OK;
  if (lb_adbc_stats_refuse(text, &status, err)) return status;
  if (lb_adbc_fixed_set(obj->ops->scope, text, "", &status, err)) return status;
  LB_TRY(lb_options_check_key(obj->opts, text, err));
  return lb_error_set(err, LB_INVALID_ARGUMENT, "option %.128s: %s", key, why);
}

static AdbcStatusCode refuse_and_note(struct lb_adbc_object *obj, const char *name,
                                      const char *key, const char *why,
                                      struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = refuse_value(obj, name, key, why, &err);
  note_before_init(obj, key, status, &err);
  return lb_adbc_finish(status, &err, error);
}

/* NULL: the bytes are a text. */
static const char *unfit_bytes(const char *key, const uint8_t *value, size_t len) {
  if (value == NULL && len > 0) return "its value is NULL";
  if (len > 0 && memchr(value, 0, len) != NULL) {
    return "its value holds a byte 0; options are texts";
  }
  const struct lb_option_row *row = lb_option_find(lb_str_from(key));
  if (row == NULL || row->type == LB_OPTION_TEXT || row->type == LB_OPTION_URI) {
    return NULL;
  }
  return row->type == LB_OPTION_INT
             ? "it is not given as bytes; give it as a string or an integer"
             : "it is not given as bytes; give it as a string";
}

AdbcStatusCode lb_adbc_set_bytes(struct lb_adbc_object *obj, const char *name,
                                 const char *key, const uint8_t *value, size_t len,
                                 struct AdbcError *error) {
  const char *unfit = unfit_bytes(key, value, len);
  if (unfit != NULL) return refuse_and_note(obj, name, key, unfit, error);
  char *text = lb_strndup(LB_MEM_MISC, len > 0 ? (const char *)value : "", len);
  if (text == NULL) {
    struct lb_error err = LB_ERROR_INIT;
    enum lb_status status = lb_error_oom(&err, "an option");
    note_before_init(obj, key, status, &err);
    return lb_adbc_finish(status, &err, error);
  }
  AdbcStatusCode code = set_and_note(obj, name, key, text, error);
  lb_wipe(text, len);
  lb_free(text);
  return code;
}

AdbcStatusCode lb_adbc_set_int(struct lb_adbc_object *obj, const char *name,
                               const char *key, int64_t value, struct AdbcError *error) {
  char text[32];
  snprintf(text, sizeof(text), "%" PRId64, value);
  return set_and_note(obj, name, key, text, error);
}

AdbcStatusCode lb_adbc_set_double(struct lb_adbc_object *obj, const char *name,
                                  const char *key, double value,
                                  struct AdbcError *error) {
  /* Beyond 2^53 a double does not say which integer it means. */
  const double limit = 9007199254740992.0;
  if (value >= -limit && value <= limit && (double)(int64_t)value == value) {
    return lb_adbc_set_int(obj, name, key, (int64_t)value, error);
  }
  return refuse_and_note(obj, name, key,
                         "no option takes a number that is not whole or is beyond 2^53",
                         error);
}

/* Getting. */

static enum lb_status get(struct lb_adbc_object *obj, const char *name, const char *key,
                          struct lb_buf *out, struct lb_error *err) {
  LB_TRY(check_key(obj, name, key, err));
  struct lb_str text = lb_str_from(key);
  if (lb_adbc_fixed_get(obj->ops->scope, text, out)) {
    return lb_buf_check(out, "an option", err);
  }
  bool ready = is_ready(obj);
  if (lb_adbc_process_get(ready ? obj->io : NULL, ready ? obj->process : NULL, text,
                          out)) {
    return lb_buf_check(out, "an option", err);
  }
  return obj->ops->get(obj, text, out, err);
}

/* Copies what was got, and `more` bytes of NUL; room that is too small is left alone. */
static enum lb_status copy_out(struct lb_adbc_object *obj, const char *name,
                               const char *key, void *value, size_t *len, size_t more,
                               struct lb_error *err) {
  if (len == NULL || (value == NULL && *len > 0)) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "the room for the option's value, or its length, is NULL");
  }
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_MISC, VALUE_MAX_BYTES);
  enum lb_status status = get(obj, name, key, &buf, err);
  if (status == LB_OK) {
    for (size_t i = 0; i < more; i++) lb_buf_append_u8(&buf, 0);
    status = lb_buf_check(&buf, "an option", err);
  }
  if (status == LB_OK) {
    if (buf.len > 0 && *len >= buf.len) memcpy(value, buf.data, buf.len);
    *len = buf.len;
  }
  lb_buf_reset(&buf);
  return status;
}

static AdbcStatusCode get_into(struct lb_adbc_object *obj, const char *name,
                               const char *key, void *value, size_t *len, size_t more,
                               struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = copy_out(obj, name, key, value, len, more, &err);
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_get_text(struct lb_adbc_object *obj, const char *name,
                                const char *key, char *value, size_t *len,
                                struct AdbcError *error) {
  return get_into(obj, name, key, value, len, 1, error);
}

AdbcStatusCode lb_adbc_get_bytes(struct lb_adbc_object *obj, const char *name,
                                 const char *key, uint8_t *value, size_t *len,
                                 struct AdbcError *error) {
  return get_into(obj, name, key, value, len, 0, error);
}

static enum lb_status get_number(struct lb_adbc_object *obj, const char *name,
                                 const char *key, int64_t *out, struct lb_error *err) {
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_MISC, VALUE_MAX_BYTES);
  enum lb_status status = get(obj, name, key, &buf, err);
  struct lb_str text = {(const char *)buf.data, buf.len};
  int64_t value = 0;
  bool found = status == LB_OK && lb_str_to_i64(text, &value);
  if (status == LB_OK && !found) {
    bool yes = lb_str_equal(text, LB_STR("true"));
    found = yes || lb_str_equal(text, LB_STR("false"));
    value = yes;
  }
  if (found) {
    *out = value;
  } else if (status == LB_OK) {
    status = lb_option_not_found(err, "option %s is no number; read it as a string", key);
  }
  lb_buf_reset(&buf);
  return status;
}

static AdbcStatusCode no_place(struct AdbcError *error) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status =
      lb_error_set(&err, LB_INVALID_ARGUMENT, "the place for the option's value is NULL");
  return lb_adbc_finish(status, &err, error);
}

AdbcStatusCode lb_adbc_get_int(struct lb_adbc_object *obj, const char *name,
                               const char *key, int64_t *value, struct AdbcError *error) {
  if (value == NULL) return no_place(error);
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = get_number(obj, name, key, value, &err);
  return lb_adbc_finish(status, &err, error);
}

static enum lb_status get_fraction(struct lb_adbc_object *obj, const char *name,
                                   const char *key, double *out, struct lb_error *err) {
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_MISC, VALUE_MAX_BYTES);
  enum lb_status status = get(obj, name, key, &buf, err);
  bool found = status == LB_OK &&
               lb_str_to_double((struct lb_str){(const char *)buf.data, buf.len}, out);
  lb_buf_reset(&buf);
  if (status != LB_OK || found) return status;
  int64_t number = 0;
  LB_TRY(get_number(obj, name, key, &number, err));
  *out = (double)number;
  return LB_OK;
}

AdbcStatusCode lb_adbc_get_double(struct lb_adbc_object *obj, const char *name,
                                  const char *key, double *value,
                                  struct AdbcError *error) {
  if (value == NULL) return no_place(error);
  struct lb_error err = LB_ERROR_INIT;
  double number = 0;
  enum lb_status status = get_fraction(obj, name, key, &number, &err);
  if (status == LB_OK) *value = number;
  return lb_adbc_finish(status, &err, error);
}
