/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Thrift.
 *
 * 1. The first failure sticks: it fills err once and moves the cursor to the end, so that
 *    every later read gives 0, which is STOP where a field begins. Loops over counts look
 *    at the status; nothing else has to.
 * 2. A field is found at the row after the last one found, where well-behaved servers put
 *    it, else by binary search. A field without a row, or of another type than its row
 *    says, is skipped by its own type.
 * 3. A count is believed only when that many elements of the least possible size fit into
 *    what remains, and only then is memory taken; the arena's ceiling bounds the rest.
 * 4. A struct is complete when every required row has been seen. */
#include "wire/thrift.h"

#include "wire/thrift_type.h"

struct reader {
  const uint8_t *start;
  const uint8_t *p;
  const uint8_t *end;
  struct lb_arena *arena;
  struct lb_error *err;
  enum lb_status status;
  const char *what; /* method or struct, for error texts */
  const struct lb_tstruct *desc;
  const struct lb_tfield *field; /* NULL between fields */
};

static void init(struct reader *r, struct lb_str body, const char *what,
                 struct lb_arena *arena, struct lb_error *err) {
  *r = (struct reader){.arena = arena, .err = err, .status = LB_OK, .what = what};
  r->start = (const uint8_t *)(body.data ? body.data : "");
  r->p = r->start;
  r->end = r->start + body.len;
}

static size_t remaining(const struct reader *r) { return (size_t)(r->end - r->p); }

static void stop(struct reader *r, enum lb_status status) {
  r->status = status;
  r->p = r->end;
}

static void LB_PRINTF(2, 3) fail(struct reader *r, const char *fmt, ...) {
  if (r->status != LB_OK) return;
  size_t at = (size_t)(r->p - r->start);
  va_list args;
  va_start(args, fmt);
  stop(r, lb_error_vset(r->err, LB_PROTOCOL, fmt, args));
  va_end(args);
  lb_error_prefix(r->err, "malformed Thrift in %s at byte %zu%s%s%s%s: ", r->what, at,
                  r->desc ? ", " : "", r->desc ? r->desc->name : "", r->field ? "." : "",
                  r->field ? r->field->name : "");
}

static const uint8_t *take(struct reader *r, size_t len) {
  if (len > remaining(r)) {
    fail(r, "%zu bytes are wanted and %zu remain", len, remaining(r));
    return NULL;
  }
  const uint8_t *p = r->p;
  r->p += len;
  return p;
}

static uint8_t get_u8(struct reader *r) {
  const uint8_t *p = take(r, 1);
  return p ? *p : 0;
}

static int16_t get_i16(struct reader *r) {
  const uint8_t *p = take(r, 2);
  return p ? (int16_t)load_be16(p) : 0;
}

static int32_t get_i32(struct reader *r) {
  const uint8_t *p = take(r, 4);
  return p ? (int32_t)load_be32(p) : 0;
}

static int64_t get_i64(struct reader *r) {
  const uint8_t *p = take(r, 8);
  return p ? (int64_t)load_be64(p) : 0;
}

static double get_double(struct reader *r) {
  int64_t bits = get_i64(r);
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static struct lb_str get_string(struct reader *r) {
  int32_t len = get_i32(r);
  if (len < 0) {
    fail(r, "a string of %d bytes", len);
    return (struct lb_str){NULL, 0};
  }
  const uint8_t *p = take(r, (size_t)len);
  return (struct lb_str){(const char *)p, p ? (size_t)len : 0};
}

/* An element count; each element takes at least min_size bytes. */
static int32_t get_count(struct reader *r, size_t min_size) {
  int32_t count = get_i32(r);
  if (count < 0) {
    fail(r, "%d elements", count);
  } else if ((size_t)count > remaining(r) / min_size) {
    fail(r, "%d elements of %zu bytes or more, and %zu bytes remain", count, min_size,
         remaining(r));
  }
  return r->status == LB_OK ? count : 0;
}

static size_t least_size(struct reader *r, uint8_t type) {
  size_t size = least_size_of(type);
  if (size == 0) fail(r, "type %u does not exist", type);
  return size;
}

static bool enter(struct reader *r, int depth) {
  if (depth < LB_THRIFT_MAX_DEPTH) return true;
  fail(r, "nested deeper than %d levels", LB_THRIFT_MAX_DEPTH);
  return false;
}

/* Skipping */

static void skip(struct reader *r, uint8_t type, int depth);

static void skip_string_list(struct reader *r, int32_t count) {
  const uint8_t *p = r->p;
  const uint8_t *end = r->end;
  int32_t i = 0;
  for (; i < count; i++) {
    if (end - p < 4) break;
    uint32_t len = load_be32(p);
    if (len > INT32_MAX || len > (size_t)(end - p) - 4) break;
    p += 4 + (size_t)len;
  }
  r->p = p;
  if (i < count) (void)get_string(r); /* the one that does not fit says why */
}

static void skip_elements(struct reader *r, uint8_t type, int32_t count, int depth) {
  size_t fixed = fixed_size_of(type);
  if (fixed > 0) {
    (void)take(r, (size_t)count * fixed);
  } else if (type == LB_TT_STRING) {
    skip_string_list(r, count);
  } else {
    for (int32_t i = 0; i < count && r->status == LB_OK; i++) skip(r, type, depth);
  }
}

static void skip_struct(struct reader *r, int depth) {
  for (uint8_t type = get_u8(r); type != LB_TT_STOP; type = get_u8(r)) {
    (void)get_i16(r);
    skip(r, type, depth);
  }
}

/* Type bytes of an empty container mean nothing: some writers leave them 0. */
static void skip_list(struct reader *r, int depth) {
  uint8_t type = get_u8(r);
  int32_t count = get_count(r, 1);
  if (count == 0 || least_size(r, type) == 0) return;
  skip_elements(r, type, count, depth);
}

static void skip_pairs(struct reader *r, uint8_t key, uint8_t value, int32_t count,
                       int depth) {
  if (count == 0 || least_size(r, key) == 0 || least_size(r, value) == 0) return;
  for (int32_t i = 0; i < count && r->status == LB_OK; i++) {
    skip(r, key, depth);
    skip(r, value, depth);
  }
}

static void skip(struct reader *r, uint8_t type, int depth) {
  size_t fixed = fixed_size_of(type);
  if (fixed > 0) {
    (void)take(r, fixed);
  } else if (type == LB_TT_STRING) {
    (void)get_string(r);
  } else if (least_size(r, type) == 0 || !enter(r, depth)) {
    return;
  } else if (type == LB_TT_STRUCT) {
    skip_struct(r, depth + 1);
  } else if (type == LB_TT_MAP) {
    uint8_t key = get_u8(r);
    uint8_t value = get_u8(r);
    skip_pairs(r, key, value, get_count(r, 2), depth + 1);
  } else {
    skip_list(r, depth + 1);
  }
}

/* Structs, lists and maps with rows */

static void read_fields(struct reader *r, const struct lb_tstruct *desc, void *msg,
                        int depth);

static void *arena_array(struct reader *r, int32_t count, size_t size) {
  if (r->status != LB_OK) return NULL;
  struct lb_arena *arena = r->arena;
  void *array = lb_arena_array(arena, (size_t)count, size);
  if (array) return array;
  size_t room =
      (arena->max - arena->used) / 16 * 16; /* arenas hand out multiples of 16 */
  if ((size_t)count > room / size) {
    fail(r, "the decoded reply would take more than %zu bytes of memory", arena->max);
  } else {
    stop(r, lb_error_oom(r->err, "a decoded reply"));
  }
  return NULL;
}

/* The fewest bytes that a struct can take on the wire: its STOP and its required fields.
 */
static size_t least_struct_size(const struct lb_tstruct *desc) {
  size_t size = 1;
  for (uint16_t i = 0; i < desc->field_count; i++) {
    const struct lb_tfield *f = &desc->fields[i];
    if (f->flags & LB_TF_REQUIRED) size += 3 + least_size_of(f->type);
  }
  return size;
}

static size_t least_element_size(const struct lb_tfield *f) {
  return f->elem == LB_TT_STRUCT ? least_struct_size(f->sub) : least_size_of(f->elem);
}

static void *read_structs(struct reader *r, const struct lb_tstruct *sub, int32_t count,
                          int depth) {
  uint8_t *items = arena_array(r, count, sub->size);
  for (int32_t i = 0; i < count && r->status == LB_OK; i++) {
    read_fields(r, sub, items + (size_t)i * sub->size, depth);
  }
  return items;
}

static bool read_list(struct reader *r, const struct lb_tfield *f, struct lb_t_list *list,
                      int depth) {
  uint8_t elem = get_u8(r);
  bool expected = elem == f->elem;
  int32_t count = get_count(r, expected ? least_element_size(f) : 1);
  if (r->status != LB_OK) return false;
  if (!expected && count > 0) {
    if (least_size(r, elem) > 0) skip_elements(r, elem, count, depth);
    return false;
  }
  struct lb_t_list out = {.set = true, .count = count};
  if (count > 0 && elem == LB_TT_STRUCT) {
    out.items = read_structs(r, f->sub, count, depth);
  } else if (count > 0 && elem == LB_TT_STRING && !(f->flags & LB_TF_RAW)) {
    struct lb_str *strings = arena_array(r, count, sizeof(*strings));
    for (int32_t i = 0; i < count && r->status == LB_OK; i++) strings[i] = get_string(r);
    out.items = strings;
  } else if (count > 0) {
    out.raw = r->p;
    skip_elements(r, elem, count, depth);
    out.raw_bytes = (size_t)(r->p - out.raw);
  }
  *list = out;
  return true;
}

static bool read_map(struct reader *r, const struct lb_tfield *f, struct lb_t_map *map,
                     int depth) {
  uint8_t key = get_u8(r);
  uint8_t value = get_u8(r);
  bool expected = key == LB_TT_STRING && value == f->elem;
  int32_t count = get_count(r, expected ? 4 + least_element_size(f) : 2);
  if (r->status != LB_OK) return false;
  if (!expected && count > 0) {
    skip_pairs(r, key, value, count, depth);
    return false;
  }
  struct lb_t_map out = {.set = true, .count = count};
  if (count > 0) {
    size_t size = value == LB_TT_STRUCT ? f->sub->size
                  : value == LB_TT_I32  ? sizeof(int32_t)
                                        : sizeof(struct lb_str);
    out.keys = arena_array(r, count, sizeof(*out.keys));
    out.values = arena_array(r, count, size);
    for (int32_t i = 0; i < count && r->status == LB_OK; i++) {
      out.keys[i] = get_string(r);
      void *at = (uint8_t *)out.values + (size_t)i * size;
      if (value == LB_TT_STRUCT) {
        read_fields(r, f->sub, at, depth);
      } else if (value == LB_TT_I32) {
        *(int32_t *)at = get_i32(r);
      } else {
        *(struct lb_str *)at = get_string(r);
      }
    }
  }
  *map = out;
  return true;
}

static void read_substruct(struct reader *r, const struct lb_tfield *f, void **member,
                           int depth) {
  void *sub = arena_array(r, 1, f->sub->size);
  if (sub) read_fields(r, f->sub, sub, depth);
  *member = sub;
}

/* Reads a value whose type is that of the row. False when what is in it is not. */
static bool read_value(struct reader *r, const struct lb_tfield *f, void *member,
                       int depth) {
  switch ((enum lb_ttype)f->type) {
    case LB_TT_BOOL:
      *(struct lb_t_bool *)member = LB_T_BOOL(get_u8(r) != 0);
      return true;
    case LB_TT_BYTE:
      *(struct lb_t_i8 *)member = (struct lb_t_i8){true, (int8_t)get_u8(r)};
      return true;
    case LB_TT_I16:
      *(struct lb_t_i16 *)member = LB_T_I16(get_i16(r));
      return true;
    case LB_TT_I32:
      *(struct lb_t_i32 *)member = LB_T_I32(get_i32(r));
      return true;
    case LB_TT_I64:
      *(struct lb_t_i64 *)member = LB_T_I64(get_i64(r));
      return true;
    case LB_TT_DOUBLE:
      *(struct lb_t_double *)member = LB_T_DOUBLE(get_double(r));
      return true;
    case LB_TT_STRING:
      *(struct lb_str *)member = get_string(r);
      return true;
    case LB_TT_STRUCT:
      read_substruct(r, f, member, depth);
      return true;
    case LB_TT_LIST:
      return enter(r, depth) && read_list(r, f, member, depth + 1);
    case LB_TT_MAP:
      return enter(r, depth) && read_map(r, f, member, depth + 1);
    case LB_TT_SET:
    case LB_TT_UUID:
    case LB_TT_STOP:
      break;
  }
  LB_ASSERT(false); /* no row has such a type */
  skip(r, f->type, depth);
  return false;
}

static const struct lb_tfield *find_row(const struct lb_tstruct *desc, int16_t id,
                                        unsigned next) {
  if (next < desc->field_count && desc->fields[next].id == id) return &desc->fields[next];
  unsigned low = 0;
  unsigned high = desc->field_count;
  while (low < high) {
    unsigned mid = (low + high) / 2;
    if (desc->fields[mid].id == id) return &desc->fields[mid];
    if (desc->fields[mid].id < id) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  return NULL;
}

static void check_required(struct reader *r, const struct lb_tstruct *desc,
                           uint64_t seen) {
  for (unsigned i = 0; i < desc->field_count; i++) {
    if (!(desc->fields[i].flags & LB_TF_REQUIRED) || (seen >> i & 1)) continue;
    r->field = &desc->fields[i];
    fail(r, "this required field is missing");
    return;
  }
}

static void read_fields(struct reader *r, const struct lb_tstruct *desc, void *msg,
                        int depth) {
  if (!enter(r, depth)) return;
  uint64_t seen = 0;
  unsigned next = 0;
  for (;;) {
    r->desc = desc;
    r->field = NULL;
    uint8_t type = get_u8(r);
    if (type == LB_TT_STOP) break;
    int16_t id = get_i16(r);
    const struct lb_tfield *row = find_row(desc, id, next);
    if (row) next = (unsigned)(row - desc->fields) + 1;
    r->field = row;
    if (!row || row->type != type) {
      skip(r, type, depth + 1);
    } else if (read_value(r, row, (uint8_t *)msg + row->offset, depth + 1)) {
      seen |= UINT64_C(1) << (next - 1);
    }
  }
  if (r->status == LB_OK) check_required(r, desc, seen);
  r->desc = NULL;
  r->field = NULL;
}

/* Messages */

enum { VERSION_1 = 0x8001, MESSAGE_REPLY = 2, MESSAGE_EXCEPTION = 3 };

struct application_exception {
  struct lb_str message;
  struct lb_t_i32 type;
};
static const struct lb_tfield application_exception_fields[] = {
    {.id = 1,
     .type = LB_TT_STRING,
     .offset = offsetof(struct application_exception, message),
     .name = "message"},
    {.id = 2,
     .type = LB_TT_I32,
     .offset = offsetof(struct application_exception, type),
     .name = "type"},
};
static const struct lb_tstruct application_exception_desc = {
    .name = "TApplicationException",
    .fields = application_exception_fields,
    .field_count = LB_ARRAY_LEN(application_exception_fields),
    .size = sizeof(struct application_exception),
};
static const char *const exception_names[] = {
    "UNKNOWN",           "UNKNOWN_METHOD",          "INVALID_MESSAGE_TYPE",
    "WRONG_METHOD_NAME", "BAD_SEQUENCE_ID",         "MISSING_RESULT",
    "INTERNAL_ERROR",    "PROTOCOL_ERROR",          "INVALID_TRANSFORM",
    "INVALID_PROTOCOL",  "UNSUPPORTED_CLIENT_TYPE",
};

/* The server's words in one line. Java prints the request behind " Struct:", handles with
 * their secrets included, so the text ends there. */
static void exception_text(struct lb_str message, char *out, size_t cap) {
  if (!message.data) message = LB_STR("");
  size_t cut = lb_str_find(message, LB_STR("Struct:"));
  if (cut < message.len) message.len = cut;
  message = lb_str_trim(message);
  if (!lb_utf8_valid(message.data, message.len)) message = LB_STR("a text not in UTF-8");
  if (message.len == 0) message = LB_STR("no text");
  size_t len = lb_str_copy(out, cap, message);
  for (size_t i = 0; i < len; i++) {
    if ((uint8_t)out[i] < ' ') out[i] = ' ';
  }
}

static void read_exception(struct reader *r) {
  struct application_exception exc = {0};
  read_fields(r, &application_exception_desc, &exc, 0);
  if (r->status != LB_OK) return;
  char text[512];
  exception_text(exc.message, text, sizeof(text));
  bool known = exc.type.v >= 0 && (size_t)exc.type.v < LB_ARRAY_LEN(exception_names);
  stop(r, lb_error_set(r->err, LB_PROTOCOL,
                       "the server could not serve %s: %s (Thrift exception %d, %s)",
                       r->what, text, exc.type.v,
                       known ? exception_names[exc.type.v] : "not a known one"));
  if (r->err) r->err->native_code = exc.type.v;
}

/* Reads the envelope. True when a reply to `method` follows. */
static bool begin_reply(struct reader *r, const char *method) {
  uint32_t word = (uint32_t)get_i32(r);
  if (r->status == LB_OK && word >> 16 != VERSION_1) {
    stop(r,
         lb_error_set(r->err, LB_PROTOCOL,
                      "the reply to %s is not Thrift: it begins with 0x%08x instead of "
                      "0x8001; check host and HTTP path",
                      method, word));
    return false;
  }
  struct lb_str name = get_string(r);
  (void)get_i32(r);
  if (r->status != LB_OK) return false;
  if ((word & 0xff) == MESSAGE_EXCEPTION) {
    read_exception(r);
  } else if ((word & 0xff) != MESSAGE_REPLY) {
    fail(r, "a message of type %u is no reply", word & 0xff);
  } else if (!lb_str_equal(name, lb_str_from(method))) {
    fail(r, "it answers another method, whose name has %zu bytes", name.len);
  }
  return r->status == LB_OK;
}

/* Finds field 0 of the result wrapper and leaves the cursor in front of its struct. */
static bool find_result(struct reader *r) {
  for (uint8_t type = get_u8(r); type != LB_TT_STOP; type = get_u8(r)) {
    int16_t id = get_i16(r);
    if (id == 0 && type == LB_TT_STRUCT) return true;
    skip(r, type, 1);
  }
  fail(r, "there is no result in it");
  return false;
}

enum lb_status lb_thrift_read_reply(struct lb_str body, const char *method,
                                    const struct lb_tstruct *resp_desc, void *resp,
                                    struct lb_arena *arena, struct lb_error *err) {
  struct reader r;
  init(&r, body, method, arena, err);
  memset(resp, 0, resp_desc->size);
  if (begin_reply(&r, method) && find_result(&r)) {
    read_fields(&r, resp_desc, resp, 1);
    skip_struct(&r, 1); /* what is left of the wrapper */
    if (remaining(&r) > 0) fail(&r, "%zu bytes follow its end", remaining(&r));
  }
  if (r.status != LB_OK) memset(resp, 0, resp_desc->size);
  return r.status;
}

enum lb_status lb_thrift_read_struct(struct lb_str body, const struct lb_tstruct *desc,
                                     void *msg, struct lb_arena *arena, size_t *consumed,
                                     struct lb_error *err) {
  struct reader r;
  init(&r, body, desc->name, arena, err);
  memset(msg, 0, desc->size);
  read_fields(&r, desc, msg, 0);
  if (r.status != LB_OK) {
    memset(msg, 0, desc->size);
    return r.status;
  }
  if (consumed) *consumed = (size_t)(r.p - r.start);
  return LB_OK;
}

/* The head of a fetch */

enum {
  RESP_STATUS = 1,
  RESP_HAS_MORE_ROWS = 2,
  RESP_RESULTS = 3,
  ROW_SET_START_ROW_OFFSET = 1,
  ROW_SET_ROWS = 2,
  ROW_SET_COLUMNS = 3,
  ROW_SET_BINARY_COLUMNS = 4,
  ROW_SET_ARROW_BATCHES = 1281,
  ROW_SET_RESULT_LINKS = 1282
};

static const struct lb_tfield head_status_fields[] = {
    {.id = 1,
     .type = LB_TT_I32,
     .flags = LB_TF_REQUIRED,
     .offset = offsetof(struct lb_t_fetch_head, status_code),
     .name = "statusCode"},
    {.id = 3,
     .type = LB_TT_STRING,
     .offset = offsetof(struct lb_t_fetch_head, sql_state),
     .name = "sqlState"},
    {.id = 5,
     .type = LB_TT_STRING,
     .offset = offsetof(struct lb_t_fetch_head, error_message),
     .name = "errorMessage"},
    {.id = 6,
     .type = LB_TT_STRING,
     .offset = offsetof(struct lb_t_fetch_head, display_message),
     .name = "displayMessage"},
};
static const struct lb_tstruct head_status_desc = {
    .name = "TStatus",
    .fields = head_status_fields,
    .field_count = LB_ARRAY_LEN(head_status_fields),
    .size = sizeof(struct lb_t_fetch_head),
};

static bool is_list_of_rows(int16_t id) {
  return id == ROW_SET_ROWS || id == ROW_SET_COLUMNS || id == ROW_SET_ARROW_BATCHES ||
         id == ROW_SET_RESULT_LINKS;
}

/* True while nothing with rows in it has come. */
static bool read_row_set_head(struct reader *r, struct lb_t_fetch_head *head) {
  for (uint8_t type = get_u8(r); type != LB_TT_STOP; type = get_u8(r)) {
    int16_t id = get_i16(r);
    if (type == LB_TT_I64 && id == ROW_SET_START_ROW_OFFSET) {
      head->start_row_offset = LB_T_I64(get_i64(r));
    } else if (type == LB_TT_STRING && id == ROW_SET_BINARY_COLUMNS) {
      return false;
    } else if (type == LB_TT_LIST && is_list_of_rows(id)) {
      (void)get_u8(r);
      if (get_count(r, 1) > 0) {
        head->has_links = id == ROW_SET_RESULT_LINKS;
        return false;
      }
    } else {
      skip(r, type, 3);
    }
  }
  return true;
}

static void read_head(struct reader *r, struct lb_t_fetch_head *head) {
  bool status_seen = false;
  for (uint8_t type = get_u8(r); type != LB_TT_STOP; type = get_u8(r)) {
    int16_t id = get_i16(r);
    if (type == LB_TT_STRUCT && id == RESP_STATUS) {
      read_fields(r, &head_status_desc, head, 2);
      status_seen = true;
    } else if (type == LB_TT_BOOL && id == RESP_HAS_MORE_ROWS) {
      head->has_more_rows = LB_T_BOOL(get_u8(r) != 0);
    } else if (type == LB_TT_STRUCT && id == RESP_RESULTS) {
      const uint8_t *row_set = r->p;
      if (read_row_set_head(r, head)) continue;
      if (status_seen) return;
      r->p = row_set; /* an odd order of fields: the rows have to be stepped over */
      skip_struct(r, 3);
    } else {
      skip(r, type, 2);
    }
  }
  if (!status_seen) fail(r, "its status is missing");
}

enum lb_status lb_thrift_read_fetch_head(struct lb_str body, struct lb_t_fetch_head *out,
                                         struct lb_error *err) {
  struct reader r;
  struct lb_t_fetch_head head = {0};
  init(&r, body, "FetchResults", NULL, err);
  if (begin_reply(&r, "FetchResults") && find_result(&r)) read_head(&r, &head);
  if (r.status == LB_OK) *out = head;
  return r.status;
}
