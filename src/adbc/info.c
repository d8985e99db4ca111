/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/info.h"

#include "nanoarrow/nanoarrow.h"

/* Members of the dense union, in ADBC's order; the type code is the index. */
enum member { TEXT, BOOL, INT64, INT32, TEXT_LIST, MAP, MEMBER_COUNT };

static const uint32_t all_codes[] = {
    ADBC_INFO_VENDOR_NAME,          ADBC_INFO_VENDOR_VERSION,
    ADBC_INFO_VENDOR_SQL,           ADBC_INFO_VENDOR_SUBSTRAIT,
    ADBC_INFO_DRIVER_NAME,          ADBC_INFO_DRIVER_VERSION,
    ADBC_INFO_DRIVER_ARROW_VERSION, ADBC_INFO_DRIVER_ADBC_VERSION,
};

/* One row that is to be written. */
struct info {
  uint32_t code;
  enum member member;
  const char *text;
  int64_t number;
};

struct server {
  char name[64];
  char version[64];
};

/* False: the code is not known, or the server does not tell. */
static bool look_up(uint32_t code, const struct server *server, struct info *out) {
  switch (code) {
    case ADBC_INFO_VENDOR_NAME:
      *out = (struct info){code, TEXT, server->name, 0};
      return server->name[0] != '\0';
    case ADBC_INFO_VENDOR_VERSION:
      *out = (struct info){code, TEXT, server->version, 0};
      return server->version[0] != '\0';
    case ADBC_INFO_VENDOR_SQL:
      *out = (struct info){code, BOOL, NULL, 1};
      return true;
    case ADBC_INFO_VENDOR_SUBSTRAIT:
      *out = (struct info){code, BOOL, NULL, 0};
      return true;
    case ADBC_INFO_DRIVER_NAME:
      *out = (struct info){code, TEXT, "lakebeat", 0};
      return true;
    case ADBC_INFO_DRIVER_VERSION:
      *out = (struct info){code, TEXT, LAKEBEAT_VERSION, 0};
      return true;
    case ADBC_INFO_DRIVER_ARROW_VERSION:
      *out = (struct info){code, TEXT, "v" NANOARROW_VERSION, 0};
      return true;
    case ADBC_INFO_DRIVER_ADBC_VERSION:
      *out = (struct info){code, INT64, NULL, ADBC_VERSION_1_1_0};
      return true;
    default:
      return false;
  }
}

/* Schema. */

static int set_child(struct ArrowSchema *schema, enum ArrowType type, const char *name) {
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetType(schema, type));
  return ArrowSchemaSetName(schema, name);
}

static int make_map(struct ArrowSchema *schema) {
  NANOARROW_RETURN_NOT_OK(
      set_child(schema, NANOARROW_TYPE_MAP, "int32_to_int32_list_map"));
  struct ArrowSchema *entries = schema->children[0];
  NANOARROW_RETURN_NOT_OK(set_child(entries->children[0], NANOARROW_TYPE_INT32, "key"));
  entries->children[0]->flags &= ~ARROW_FLAG_NULLABLE;
  NANOARROW_RETURN_NOT_OK(set_child(entries->children[1], NANOARROW_TYPE_LIST, "value"));
  return ArrowSchemaSetType(entries->children[1]->children[0], NANOARROW_TYPE_INT32);
}

static int make_schema(struct ArrowSchema *schema) {
  ArrowSchemaInit(schema);
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetTypeStruct(schema, 2));
  NANOARROW_RETURN_NOT_OK(
      set_child(schema->children[0], NANOARROW_TYPE_UINT32, "info_name"));
  schema->children[0]->flags &= ~ARROW_FLAG_NULLABLE;
  struct ArrowSchema *value = schema->children[1];
  NANOARROW_RETURN_NOT_OK(
      ArrowSchemaSetTypeUnion(value, NANOARROW_TYPE_DENSE_UNION, MEMBER_COUNT));
  NANOARROW_RETURN_NOT_OK(ArrowSchemaSetName(value, "info_value"));
  struct ArrowSchema **member = value->children;
  NANOARROW_RETURN_NOT_OK(set_child(member[TEXT], NANOARROW_TYPE_STRING, "string_value"));
  NANOARROW_RETURN_NOT_OK(set_child(member[BOOL], NANOARROW_TYPE_BOOL, "bool_value"));
  NANOARROW_RETURN_NOT_OK(set_child(member[INT64], NANOARROW_TYPE_INT64, "int64_value"));
  NANOARROW_RETURN_NOT_OK(
      set_child(member[INT32], NANOARROW_TYPE_INT32, "int32_bitmask"));
  NANOARROW_RETURN_NOT_OK(
      set_child(member[TEXT_LIST], NANOARROW_TYPE_LIST, "string_list"));
  NANOARROW_RETURN_NOT_OK(
      ArrowSchemaSetType(member[TEXT_LIST]->children[0], NANOARROW_TYPE_STRING));
  return make_map(member[MAP]);
}

/* Rows. */

static int append(struct ArrowArray *array, const struct info *info) {
  struct ArrowArray *value = array->children[1];
  struct ArrowArray *member = value->children[info->member];
  NANOARROW_RETURN_NOT_OK(ArrowArrayAppendUInt(array->children[0], info->code));
  if (info->member == TEXT) {
    NANOARROW_RETURN_NOT_OK(ArrowArrayAppendString(member, ArrowCharView(info->text)));
  } else {
    NANOARROW_RETURN_NOT_OK(ArrowArrayAppendInt(member, info->number));
  }
  NANOARROW_RETURN_NOT_OK(ArrowArrayFinishUnionElement(value, (int8_t)info->member));
  return ArrowArrayFinishElement(array);
}

static int fill(struct ArrowArray *array, const struct ArrowSchema *schema,
                const uint32_t *codes, size_t code_count, const struct server *server) {
  NANOARROW_RETURN_NOT_OK(ArrowArrayInitFromSchema(array, schema, NULL));
  NANOARROW_RETURN_NOT_OK(ArrowArrayStartAppending(array));
  for (size_t i = 0; i < code_count; i++) {
    struct info info;
    if (!look_up(codes[i], server, &info)) continue;
    NANOARROW_RETURN_NOT_OK(append(array, &info));
  }
  return ArrowArrayFinishBuildingDefault(array, NULL);
}

static int make_stream(const uint32_t *codes, size_t code_count,
                       const struct server *server, struct ArrowArrayStream *out) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  struct ArrowArrayStream stream = {0};
  int code = make_schema(&schema);
  if (code == NANOARROW_OK) code = fill(&array, &schema, codes, code_count, server);
  bool rows = array.length > 0; /* without any there is no batch */
  if (code == NANOARROW_OK) code = ArrowBasicArrayStreamInit(&stream, &schema, rows);
  if (code == NANOARROW_OK) {
    if (rows) ArrowBasicArrayStreamSetArray(&stream, 0, &array);
    *out = stream;
  }
  if (schema.release != NULL) schema.release(&schema);
  if (array.release != NULL) array.release(&array);
  return code;
}

static bool asks_server(const uint32_t *codes, size_t code_count) {
  for (size_t i = 0; i < code_count; i++) {
    if (codes[i] == ADBC_INFO_VENDOR_NAME || codes[i] == ADBC_INFO_VENDOR_VERSION) {
      return true;
    }
  }
  return false;
}

enum lb_status lb_adbc_info(struct lb_session *sess, struct lb_call_slot *slot,
                            const uint32_t *codes, size_t code_count,
                            struct ArrowArrayStream *out, struct lb_error *err) {
  struct server server = {"", ""};
  if (codes == NULL) {
    codes = all_codes;
    code_count = LB_ARRAY_LEN(all_codes);
  }
  if (asks_server(codes, code_count)) {
    LB_TRY(lb_session_server_info(sess, slot, server.name, server.version, err));
  }
  if (make_stream(codes, code_count, &server, out) != NANOARROW_OK) {
    return lb_error_oom(err, "the answer to GetInfo");
  }
  return LB_OK;
}
