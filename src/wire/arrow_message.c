/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_message.h"

#include <errno.h>
#include <inttypes.h>

#include "nanoarrow/nanoarrow_ipc.h"
#include "wire/flatbuf.h"

#define CONTINUATION UINT32_C(0xFFFFFFFF)
#define PREFIX_BYTES 8

/* Field numbers of the tables in Arrow's Message.fbs and Schema.fbs. */
enum { MESSAGE_HEADER_TYPE = 1, MESSAGE_HEADER = 2, MESSAGE_BODY_LENGTH = 3 };
enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3 };
enum { BATCH_LENGTH = 0, BATCH_NODES = 1, BATCH_BUFFERS = 2, BATCH_COMPRESSION = 3 };
enum { SCHEMA_ENDIANNESS = 0, SCHEMA_FIELDS = 1, SCHEMA_METADATA = 2 };
enum {
  FIELD_TYPE_TYPE = 2,
  FIELD_TYPE = 3,
  FIELD_DICTIONARY = 4,
  FIELD_CHILDREN = 5,
  FIELD_METADATA = 6
};
enum { KEY_VALUE_KEY = 0, KEY_VALUE_VALUE = 1 };
/* The types that SQL results have: all up to struct, then map to large list. Left out are
 * unions, fixed-size binaries and lists, run-end encoding and views. */
enum { TYPE_NULL = 1, TYPE_STRUCT = 13, TYPE_MAP = 17, TYPE_LARGE_LIST = 21 };

/* A struct of lists of structs ... deeper than any SQL type; bounds every recursion. */
#define MAX_DEPTH 64
/* Java, which encodes the batches, has no longer arrays; bounds nanoarrow's products. */
#define MAX_ARRAY_LENGTH INT32_MAX
/* Compressed buffers say their size in their first 8 bytes; a batch may not have more. */
#define MAX_RAW_BUFFER_BYTES (INT64_C(1) << 31)

static enum lb_status malformed(struct lb_error *err, const char *what) {
  return lb_error_set(err, LB_PROTOCOL, "malformed Arrow data: %s", what);
}

enum lb_status lb_arrow_error(int code, const char *what, const struct ArrowError *text,
                              struct lb_error *err) {
  if (code == ENOMEM) return lb_error_oom(err, what);
  enum lb_status status = code == ENOTSUP ? LB_NOT_IMPLEMENTED : LB_PROTOCOL;
  return lb_error_set(err, status, "%s: %s", what,
                      text->message[0] != '\0' ? text->message : "malformed Arrow data");
}

static uint32_t load_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
         (uint32_t)at[3] << 24;
}

/* Lengths and null counts: pairs of i64. */
static enum lb_status check_nodes(const struct lb_fb_table *batch, struct lb_error *err) {
  int64_t rows;
  struct lb_fb_vector nodes;
  if (!lb_fb_i64(batch, BATCH_LENGTH, 0, &rows) ||
      !lb_fb_vector(batch, BATCH_NODES, 16, &nodes)) {
    return malformed(err, "broken record batch header");
  }
  if (rows < 0 || rows > MAX_ARRAY_LENGTH) {
    return lb_error_set(err, LB_PROTOCOL,
                        "malformed Arrow data: a record batch of %" PRId64 " rows", rows);
  }
  for (uint32_t i = 0; i < nodes.count; i++) {
    int64_t length = lb_fb_load_i64(nodes.data + 16 * (size_t)i);
    int64_t nulls = lb_fb_load_i64(nodes.data + 16 * (size_t)i + 8);
    if (length < 0 || length > MAX_ARRAY_LENGTH || nulls < -1 || nulls > length) {
      return lb_error_set(err, LB_PROTOCOL,
                          "malformed Arrow data: array %" PRIu32 " has length %" PRId64
                          " and %" PRId64 " nulls",
                          i, length, nulls);
    }
  }
  return LB_OK;
}

/* Offsets and lengths within the body: pairs of i64. */
static enum lb_status check_buffers(const struct lb_fb_table *batch,
                                    const struct lb_arrow_message *message,
                                    struct lb_error *err) {
  struct lb_fb_vector buffers;
  if (!lb_fb_vector(batch, BATCH_BUFFERS, 16, &buffers)) {
    return malformed(err, "broken record batch header");
  }
  bool compressed = lb_fb_has(batch, BATCH_COMPRESSION);
  int64_t raw_left = MAX_RAW_BUFFER_BYTES;
  for (uint32_t i = 0; i < buffers.count; i++) {
    int64_t offset = lb_fb_load_i64(buffers.data + 16 * (size_t)i);
    int64_t length = lb_fb_load_i64(buffers.data + 16 * (size_t)i + 8);
    int64_t body = (int64_t)message->body_bytes;
    if (length == 0) continue;
    if (offset < 0 || length < 0 || offset > body || length > body - offset ||
        offset % 8 != 0) {
      return lb_error_set(err, LB_PROTOCOL,
                          "malformed Arrow data: buffer %" PRIu32 " has offset %" PRId64
                          " and length %" PRId64 " in a body of %" PRId64 " bytes",
                          i, offset, length, body);
    }
    if (!compressed) continue;
    int64_t raw = length < 8 ? INT64_MAX : lb_fb_load_i64(message->body + offset);
    if (raw > raw_left) return malformed(err, "compressed buffers state senseless sizes");
    raw_left -= LB_MAX(raw, 0);
  }
  return LB_OK;
}

/* Tables may be referred to from many places, so that a few bytes could describe a tree
 * without end. An honest writer spends at least four bytes on each field and pair; so
 * many steps has the walk. */
struct budget {
  size_t steps;
};

static bool spend(struct budget *budget) {
  if (budget->steps == 0) return false;
  budget->steps--;
  return true;
}

/* nanoarrow takes the length of these texts without asking whether they are there. */
static enum lb_status check_metadata(const struct lb_fb_table *owner, uint16_t field,
                                     struct budget *budget, struct lb_error *err) {
  struct lb_fb_vector pairs;
  if (!lb_fb_vector(owner, field, 4, &pairs)) return malformed(err, "broken metadata");
  for (uint32_t i = 0; i < pairs.count; i++) {
    struct lb_fb_table pair;
    if (!spend(budget) || !lb_fb_table_at(owner, &pairs, i, &pair) ||
        !lb_fb_has(&pair, KEY_VALUE_KEY) || !lb_fb_has(&pair, KEY_VALUE_VALUE)) {
      return malformed(err, "broken metadata");
    }
  }
  return LB_OK;
}

static enum lb_status check_fields(const struct lb_fb_table *owner, uint16_t vector,
                                   int depth, struct budget *budget,
                                   struct lb_error *err);

static enum lb_status check_field(const struct lb_fb_table *field, int depth,
                                  struct budget *budget, struct lb_error *err) {
  uint8_t type;
  if (!lb_fb_u8(field, FIELD_TYPE_TYPE, 0, &type) || !lb_fb_has(field, FIELD_TYPE)) {
    return malformed(err, "a field has no type");
  }
  if (lb_fb_has(field, FIELD_DICTIONARY)) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "Arrow dictionaries are not supported; no server sends them");
  }
  bool known = (type >= TYPE_NULL && type <= TYPE_STRUCT) ||
               (type >= TYPE_MAP && type <= TYPE_LARGE_LIST);
  if (!known) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "Arrow type number %u (Schema.fbs) is not supported; cast the "
                        "column in the query",
                        type);
  }
  LB_TRY(check_metadata(field, FIELD_METADATA, budget, err));
  return check_fields(field, FIELD_CHILDREN, depth + 1, budget, err);
}

static enum lb_status check_fields(const struct lb_fb_table *owner, uint16_t vector,
                                   int depth, struct budget *budget,
                                   struct lb_error *err) {
  struct lb_fb_vector fields;
  if (depth > MAX_DEPTH) return malformed(err, "types are nested too deeply");
  if (!lb_fb_vector(owner, vector, 4, &fields)) return malformed(err, "broken fields");
  for (uint32_t i = 0; i < fields.count; i++) {
    struct lb_fb_table field;
    if (!spend(budget) || !lb_fb_table_at(owner, &fields, i, &field))
      return malformed(err, "broken fields");
    LB_TRY(check_field(&field, depth, budget, err));
  }
  return LB_OK;
}

static enum lb_status check_schema(const struct lb_fb_table *schema,
                                   struct lb_error *err) {
  int16_t endianness;
  if (!lb_fb_i16(schema, SCHEMA_ENDIANNESS, 0, &endianness)) {
    return malformed(err, "broken schema");
  }
  if (endianness != 0) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "big-endian Arrow data is not supported; no server sends it");
  }
  struct budget budget = {.steps = schema->len / 4};
  LB_TRY(check_metadata(schema, SCHEMA_METADATA, &budget, err));
  return check_fields(schema, SCHEMA_FIELDS, 0, &budget, err);
}

static enum lb_status check_header(struct lb_arrow_message *message, uint8_t type,
                                   const struct lb_fb_table *header,
                                   struct lb_error *err) {
  switch (type) {
    case HEADER_SCHEMA:
      message->kind = LB_ARROW_MESSAGE_SCHEMA;
      return check_schema(header, err);
    case HEADER_BATCH:
      message->kind = LB_ARROW_MESSAGE_BATCH;
      LB_TRY(check_nodes(header, err));
      return check_buffers(header, message, err);
    case HEADER_DICTIONARY:
      return lb_error_set(err, LB_NOT_IMPLEMENTED,
                          "Arrow dictionaries are not supported; no server sends them");
    default:
      return lb_error_set(err, LB_PROTOCOL,
                          "malformed Arrow data: message of unknown kind %u", type);
  }
}

/* The prefix: 0xFFFFFFFF, i32 size of the metadata, which is padded to 8 bytes. */
static enum lb_status read_prefix(const uint8_t *at, size_t *head_bytes,
                                  struct lb_error *err) {
  if (load_u32(at) != CONTINUATION) {
    return malformed(err, "no message where one should begin");
  }
  size_t bytes = load_u32(at + 4);
  if (bytes > INT32_MAX || bytes % 8 != 0) {
    return lb_error_set(err, LB_PROTOCOL,
                        "malformed Arrow data: a message header of %zu bytes", bytes);
  }
  *head_bytes = PREFIX_BYTES + bytes;
  return LB_OK;
}

/* What a message header says: kind, the table of that kind, bytes of the body. */
static enum lb_status read_root(const uint8_t *head, size_t head_bytes, uint8_t *type,
                                struct lb_fb_table *header, int64_t *body,
                                struct lb_error *err) {
  struct lb_fb_table root;
  if (!lb_fb_root(head + PREFIX_BYTES, head_bytes - PREFIX_BYTES, &root) ||
      !lb_fb_u8(&root, MESSAGE_HEADER_TYPE, 0, type) ||
      !lb_fb_table(&root, MESSAGE_HEADER, header) ||
      !lb_fb_i64(&root, MESSAGE_BODY_LENGTH, 0, body)) {
    return malformed(err, "broken message header");
  }
  return LB_OK;
}

enum lb_status lb_arrow_message_measure(const uint8_t *data, size_t len, size_t *bytes,
                                        size_t *head_bytes, struct lb_error *err) {
  struct lb_fb_table header;
  uint8_t type;
  int64_t body;
  size_t head = 0;
  *bytes = PREFIX_BYTES;
  *head_bytes = 0;
  if (len < PREFIX_BYTES) return LB_OK;
  LB_TRY(read_prefix(data, &head, err));
  *bytes = *head_bytes = head;
  if (len < head || head == PREFIX_BYTES) return LB_OK;
  LB_TRY(read_root(data, head, &type, &header, &body, err));
  if (body < 0 || body > LB_ARROW_MAX_MESSAGE_BYTES) {
    return lb_error_set(err, LB_PROTOCOL,
                        "malformed Arrow data: a message body of %" PRId64 " bytes",
                        body);
  }
  *bytes = head + (size_t)body;
  return LB_OK;
}

enum lb_status lb_arrow_message_next(const uint8_t *data, size_t len, size_t *pos,
                                     struct lb_arrow_message *out, struct lb_error *err) {
  struct lb_arrow_message found = {.head = data + *pos};
  size_t left = len - *pos;
  if (left < PREFIX_BYTES) return malformed(err, "no message where one should begin");
  LB_TRY(read_prefix(found.head, &found.head_bytes, err));
  if (found.head_bytes > left) {
    return lb_error_set(err, LB_PROTOCOL,
                        "malformed Arrow data: a message header of %zu bytes where %zu "
                        "are left",
                        found.head_bytes - PREFIX_BYTES, left - PREFIX_BYTES);
  }
  size_t next = *pos + found.head_bytes;
  if (found.head_bytes == PREFIX_BYTES) {
    found.kind = LB_ARROW_MESSAGE_EOS;
  } else {
    struct lb_fb_table header;
    uint8_t type;
    int64_t body;
    LB_TRY(read_root(found.head, found.head_bytes, &type, &header, &body, err));
    if (body < 0 || (uint64_t)body > len - next) {
      return lb_error_set(err, LB_PROTOCOL,
                          "Arrow data is cut off: a message body of %" PRId64
                          " bytes where %zu are left",
                          body, len - next);
    }
    found.body = data + next;
    found.body_bytes = (size_t)body;
    next += (size_t)body;
    if (next % 8 != 0 && next != len) return malformed(err, "a body is not padded");
    LB_TRY(check_header(&found, type, &header, err));
  }
  *out = found;
  *pos = next;
  return LB_OK;
}

static int decode_schema(struct ArrowIpcDecoder *ipc,
                         const struct lb_arrow_message *message, struct ArrowSchema *out,
                         struct ArrowError *text) {
  struct ArrowBufferView view = {.data = {message->head},
                                 .size_bytes = (int64_t)message->head_bytes};
  int code = ArrowIpcDecoderVerifyHeader(ipc, view, text);
  if (code == NANOARROW_OK) code = ArrowIpcDecoderDecodeHeader(ipc, view, text);
  if (code == NANOARROW_OK) code = ArrowIpcDecoderDecodeSchema(ipc, out, text);
  return code;
}

enum lb_status lb_arrow_message_schema(const struct lb_arrow_message *message,
                                       struct ArrowSchema *out, struct lb_error *err) {
  struct ArrowIpcDecoder ipc;
  struct ArrowError text = {.message = ""};
  if (ArrowIpcDecoderInit(&ipc) != NANOARROW_OK) {
    return lb_error_oom(err, "an Arrow decoder");
  }
  int code = decode_schema(&ipc, message, out, &text);
  ArrowIpcDecoderReset(&ipc);
  if (code != NANOARROW_OK) return lb_arrow_error(code, "the Arrow schema", &text, err);
  return LB_OK;
}
