/* SPDX-License-Identifier: Apache-2.0 */
/* Writing Thrift: the rows in their order, a member that is absent not at all. Failures
 * of the buffer stick to the buffer, those of the message to the writer; both are looked
 * at once, at the end. */
#include "wire/thrift.h"

#include "wire/thrift_type.h"

struct writer {
  struct lb_buf *buf;
  struct lb_error *err;
  enum lb_status status;
};

/* Every scalar begins with its `set`. */
_Static_assert(offsetof(struct lb_t_bool, set) == 0, "set comes first");
_Static_assert(offsetof(struct lb_t_i8, set) == 0, "set comes first");
_Static_assert(offsetof(struct lb_t_i16, set) == 0, "set comes first");
_Static_assert(offsetof(struct lb_t_i32, set) == 0, "set comes first");
_Static_assert(offsetof(struct lb_t_i64, set) == 0, "set comes first");
_Static_assert(offsetof(struct lb_t_double, set) == 0, "set comes first");

static void LB_PRINTF(3, 4)
    fail(struct writer *w, enum lb_status status, const char *fmt, ...) {
  if (w->status != LB_OK) return;
  va_list args;
  va_start(args, fmt);
  w->status = lb_error_vset(w->err, status, fmt, args);
  va_end(args);
}

static bool is_present(const struct lb_tfield *f, const void *member) {
  switch ((enum lb_ttype)f->type) {
    case LB_TT_STRING:
      return ((const struct lb_str *)member)->data != NULL;
    case LB_TT_STRUCT:
      return *(void *const *)member != NULL;
    case LB_TT_LIST: {
      const struct lb_t_list *list = member;
      return list->set || list->count > 0;
    }
    case LB_TT_MAP: {
      const struct lb_t_map *map = member;
      return map->set || map->count > 0;
    }
    default:
      return *(const bool *)member;
  }
}

static void put_string(struct writer *w, struct lb_str s) {
  if (s.len > INT32_MAX) {
    fail(w, LB_INVALID_ARGUMENT,
         "a text of %zu bytes is too long to send; the limit is %d", s.len, INT32_MAX);
    return;
  }
  lb_buf_append_be32(w->buf, (uint32_t)s.len);
  lb_buf_append_str(w->buf, s);
}

static void put_double(struct writer *w, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  lb_buf_append_be64(w->buf, bits);
}

static void write_fields(struct writer *w, const struct lb_tstruct *desc, const void *msg,
                         int depth);

static bool count_fits(struct writer *w, const struct lb_tfield *f, int32_t count,
                       bool has_memory) {
  if (count >= 0 && (count == 0 || has_memory)) return true;
  fail(w, LB_INTERNAL, "%s states %d elements without memory for them", f->name, count);
  return false;
}

static void write_raw(struct writer *w, const struct lb_tfield *f,
                      const struct lb_t_list *list) {
  size_t fixed = fixed_size_of(f->elem);
  if (!count_fits(w, f, list->count, list->raw != NULL)) return;
  if (fixed > 0 && list->count > 0 && list->raw_bytes != (size_t)list->count * fixed) {
    fail(w, LB_INTERNAL, "%s states %d elements of %zu bytes in %zu bytes", f->name,
         list->count, fixed, list->raw_bytes);
    return;
  }
  lb_buf_append_be32(w->buf, (uint32_t)list->count);
  if (list->count > 0) lb_buf_append(w->buf, list->raw, list->raw_bytes);
}

static void write_list(struct writer *w, const struct lb_tfield *f,
                       const struct lb_t_list *list, int depth) {
  lb_buf_append_u8(w->buf, f->elem);
  if (f->elem != LB_TT_STRUCT && (f->elem != LB_TT_STRING || f->flags & LB_TF_RAW)) {
    write_raw(w, f, list);
    return;
  }
  if (!count_fits(w, f, list->count, list->items != NULL)) return;
  if (list->items == NULL) {
    lb_buf_append_be32(w->buf, 0);
    return;
  }
  lb_buf_append_be32(w->buf, (uint32_t)list->count);
  for (int32_t i = 0; i < list->count && w->status == LB_OK; i++) {
    if (f->elem == LB_TT_STRING) {
      put_string(w, ((const struct lb_str *)list->items)[i]);
    } else {
      write_fields(w, f->sub, (const uint8_t *)list->items + (size_t)i * f->sub->size,
                   depth);
    }
  }
}

static void write_map(struct writer *w, const struct lb_tfield *f,
                      const struct lb_t_map *map, int depth) {
  if (!count_fits(w, f, map->count, map->keys != NULL && map->values != NULL)) return;
  lb_buf_append_u8(w->buf, LB_TT_STRING);
  lb_buf_append_u8(w->buf, f->elem);
  lb_buf_append_be32(w->buf, (uint32_t)map->count);
  if (map->keys == NULL || map->values == NULL) return; /* count is 0 */
  for (int32_t i = 0; i < map->count && w->status == LB_OK; i++) {
    put_string(w, map->keys[i]);
    if (f->elem == LB_TT_STRUCT) {
      write_fields(w, f->sub, (const uint8_t *)map->values + (size_t)i * f->sub->size,
                   depth);
    } else if (f->elem == LB_TT_I32) {
      lb_buf_append_be32(w->buf, (uint32_t)((const int32_t *)map->values)[i]);
    } else {
      put_string(w, ((const struct lb_str *)map->values)[i]);
    }
  }
}

static void write_value(struct writer *w, const struct lb_tfield *f, const void *member,
                        int depth) {
  switch ((enum lb_ttype)f->type) {
    case LB_TT_BOOL:
      lb_buf_append_u8(w->buf, ((const struct lb_t_bool *)member)->v);
      break;
    case LB_TT_BYTE:
      lb_buf_append_u8(w->buf, (uint8_t)((const struct lb_t_i8 *)member)->v);
      break;
    case LB_TT_I16:
      lb_buf_append_be16(w->buf, (uint16_t)((const struct lb_t_i16 *)member)->v);
      break;
    case LB_TT_I32:
      lb_buf_append_be32(w->buf, (uint32_t)((const struct lb_t_i32 *)member)->v);
      break;
    case LB_TT_I64:
      lb_buf_append_be64(w->buf, (uint64_t)((const struct lb_t_i64 *)member)->v);
      break;
    case LB_TT_DOUBLE:
      put_double(w, ((const struct lb_t_double *)member)->v);
      break;
    case LB_TT_STRING:
      put_string(w, *(const struct lb_str *)member);
      break;
    case LB_TT_STRUCT:
      write_fields(w, f->sub, *(void *const *)member, depth);
      break;
    case LB_TT_LIST:
      write_list(w, f, member, depth + 1);
      break;
    case LB_TT_MAP:
      write_map(w, f, member, depth + 1);
      break;
    case LB_TT_SET:
    case LB_TT_UUID:
    case LB_TT_STOP:
      LB_ASSERT(false); /* no row has such a type */
      break;
  }
}

static void write_fields(struct writer *w, const struct lb_tstruct *desc, const void *msg,
                         int depth) {
  if (depth >= LB_THRIFT_MAX_DEPTH) {
    fail(w, LB_INVALID_ARGUMENT, "%s is nested deeper than %d levels", desc->name,
         LB_THRIFT_MAX_DEPTH);
    return;
  }
  for (uint16_t i = 0; i < desc->field_count && w->status == LB_OK; i++) {
    const struct lb_tfield *f = &desc->fields[i];
    const void *member = (const uint8_t *)msg + f->offset;
    if (is_present(f, member)) {
      lb_buf_append_u8(w->buf, f->type);
      lb_buf_append_be16(w->buf, (uint16_t)f->id);
      write_value(w, f, member, depth + 1);
    } else if (f->flags & LB_TF_REQUIRED) {
      fail(w, LB_INTERNAL, "%s.%s is required and was not set", desc->name, f->name);
    }
  }
  lb_buf_append_u8(w->buf, LB_TT_STOP);
}

static enum lb_status finish(struct writer *w, size_t start, const char *what) {
  if (w->status == LB_OK) w->status = lb_buf_check(w->buf, what, w->err);
  if (w->status != LB_OK) w->buf->len = LB_MIN(start, w->buf->len);
  return w->status;
}

enum lb_status lb_thrift_write_struct(struct lb_buf *buf, const struct lb_tstruct *desc,
                                      const void *msg, struct lb_error *err) {
  struct writer w = {buf, err, LB_OK};
  size_t start = buf->len;
  write_fields(&w, desc, msg, 0);
  return finish(&w, start, desc->name);
}

enum lb_status lb_thrift_write_call(struct lb_buf *buf, const char *method, int32_t seqid,
                                    const struct lb_tstruct *req_desc, const void *req,
                                    struct lb_error *err) {
  struct writer w = {buf, err, LB_OK};
  size_t start = buf->len;
  lb_buf_append_be32(buf, 0x80010001); /* strict binary protocol, a call */
  put_string(&w, lb_str_from(method));
  lb_buf_append_be32(buf, (uint32_t)seqid);
  lb_buf_append_u8(buf, LB_TT_STRUCT);
  lb_buf_append_be16(buf, 1); /* the one argument */
  write_fields(&w, req_desc, req, 1);
  lb_buf_append_u8(buf, LB_TT_STOP);
  return finish(&w, start, method);
}
