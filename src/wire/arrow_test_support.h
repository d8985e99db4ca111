/* SPDX-License-Identifier: Apache-2.0 */
/* Makers of Arrow and Thrift input for the tests of this folder; header-only. Memory is
 * from the C library, so that the fixtures of base/test_support.h count only what the
 * code under test allocates. */
#ifndef LB_WIRE_ARROW_TEST_SUPPORT_H
#define LB_WIRE_ARROW_TEST_SUPPORT_H

#include "base/test_support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nanoarrow/nanoarrow_ipc.h"
#include "wire/arrow_decode.h"

#define NANO_OK(expr) assert_int_equal((expr), NANOARROW_OK)

/* A growing piece of memory. */
struct bytes {
  uint8_t *data;
  size_t len;
};

static inline void bytes_add(struct bytes *to, const void *data, size_t len) {
  to->data = lb_realloc(LB_MEM_TEST, to->data, to->len + len + 1);
  assert_non_null(to->data);
  if (len > 0) memcpy(to->data + to->len, data, len);
  to->len += len;
}
static inline void bytes_free(struct bytes *it) {
  lb_free(it->data);
  *it = (struct bytes){NULL, 0};
}
static inline struct lb_str bytes_str(const struct bytes *it) {
  return (struct lb_str){(const char *)it->data, it->len};
}
static inline void bytes_be(struct bytes *to, uint64_t value, int width) {
  for (int i = width - 1; i >= 0; i--) {
    uint8_t byte = (uint8_t)(value >> (8 * i));
    bytes_add(to, &byte, 1);
  }
}
/* A length-prefixed text, as in a raw list of strings. */
static inline void bytes_text(struct bytes *to, const char *text, size_t len) {
  bytes_be(to, len, 4);
  bytes_add(to, text, len);
}
static inline struct bytes bytes_hex(const char *hex) {
  struct bytes out = {NULL, 0};
  for (size_t i = 0; hex[i] != '\0' && hex[i + 1] != '\0'; i += 2) {
    char pair[3] = {hex[i], hex[i + 1], '\0'};
    uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
    bytes_add(&out, &byte, 1);
  }
  return out;
}
/* A copy that ends where its allocation ends: sanitizers see reads beyond it. */
static inline struct bytes bytes_exact(const void *data, size_t len) {
  struct bytes out = {lb_alloc(LB_MEM_TEST, len > 0 ? len : 1), len};
  assert_non_null(out.data);
  if (len > 0) memcpy(out.data, data, len);
  return out;
}

/* One column of a schema. */
struct field {
  const char *name;
  enum ArrowType type;
  int32_t precision; /* decimals */
  int32_t scale;
};

static inline void make_schema(struct ArrowSchema *out, const struct field *fields,
                               int count) {
  ArrowSchemaInit(out);
  NANO_OK(ArrowSchemaSetTypeStruct(out, count));
  out->flags = 0;
  for (int i = 0; i < count; i++) {
    struct ArrowSchema *child = out->children[i];
    if (fields[i].type == NANOARROW_TYPE_DECIMAL128) {
      NANO_OK(ArrowSchemaSetTypeDecimal(child, fields[i].type, fields[i].precision,
                                        fields[i].scale));
    } else if (fields[i].type == NANOARROW_TYPE_TIMESTAMP) {
      NANO_OK(ArrowSchemaSetTypeDateTime(child, fields[i].type, NANOARROW_TIME_UNIT_MICRO,
                                         "Europe/Berlin"));
    } else {
      NANO_OK(ArrowSchemaSetType(child, fields[i].type));
    }
    NANO_OK(ArrowSchemaSetName(child, fields[i].name));
  }
}

static inline void encode_schema(struct bytes *to, const struct ArrowSchema *schema) {
  struct ArrowIpcEncoder encoder;
  struct ArrowBuffer buffer;
  ArrowBufferInit(&buffer);
  NANO_OK(ArrowIpcEncoderInit(&encoder));
  NANO_OK(ArrowIpcEncoderEncodeSchema(&encoder, schema, NULL));
  NANO_OK(ArrowIpcEncoderFinalizeBuffer(&encoder, 1, &buffer));
  bytes_add(to, buffer.data, (size_t)buffer.size_bytes);
  ArrowBufferReset(&buffer);
  ArrowIpcEncoderReset(&encoder);
}

/* One encapsulated record batch message of the array. */
static inline void encode_batch(struct bytes *to, const struct ArrowSchema *schema,
                                const struct ArrowArray *array) {
  struct ArrowIpcEncoder encoder;
  struct ArrowArrayView view;
  struct ArrowBuffer head;
  struct ArrowBuffer body;
  ArrowBufferInit(&head);
  ArrowBufferInit(&body);
  NANO_OK(ArrowArrayViewInitFromSchema(&view, schema, NULL));
  NANO_OK(ArrowArrayViewSetArray(&view, array, NULL));
  NANO_OK(ArrowIpcEncoderInit(&encoder));
  NANO_OK(ArrowIpcEncoderEncodeSimpleRecordBatch(&encoder, &view, &body, NULL));
  NANO_OK(ArrowIpcEncoderFinalizeBuffer(&encoder, 1, &head));
  bytes_add(to, head.data, (size_t)head.size_bytes);
  bytes_add(to, body.data, (size_t)body.size_bytes);
  ArrowBufferReset(&head);
  ArrowBufferReset(&body);
  ArrowArrayViewReset(&view);
  ArrowIpcEncoderReset(&encoder);
}

static inline void append_value(struct ArrowArray *array, enum ArrowType type,
                                int64_t row, const struct field *field) {
  char text[32];
  if (type == NANOARROW_TYPE_NA || row % 5 == 3) {
    NANO_OK(ArrowArrayAppendNull(array, 1));
  } else if (type == NANOARROW_TYPE_STRING || type == NANOARROW_TYPE_BINARY) {
    snprintf(text, sizeof(text), "value %" PRId64, row);
    NANO_OK(ArrowArrayAppendBytes(
        array,
        (struct ArrowBufferView){.data = {text}, .size_bytes = (int64_t)strlen(text)}));
  } else if (type == NANOARROW_TYPE_DECIMAL128) {
    struct ArrowDecimal decimal;
    ArrowDecimalInit(&decimal, 128, field->precision, field->scale);
    ArrowDecimalSetInt(&decimal, row * 100 - 7);
    NANO_OK(ArrowArrayAppendDecimal(array, &decimal));
  } else if (type == NANOARROW_TYPE_FLOAT || type == NANOARROW_TYPE_DOUBLE) {
    NANO_OK(ArrowArrayAppendDouble(array, (double)row / 2));
  } else if (type == NANOARROW_TYPE_INTERVAL_MONTHS) {
    struct ArrowInterval interval = {.type = type, .months = (int32_t)row - 50};
    NANO_OK(ArrowArrayAppendInterval(array, &interval));
  } else {
    NANO_OK(
        ArrowArrayAppendInt(array, type == NANOARROW_TYPE_BOOL ? row % 2 : row % 100));
  }
}

/* Rows first .. first + rows - 1 of a table in which every fifth value is null. */
static inline void make_array(struct ArrowArray *out, const struct ArrowSchema *schema,
                              const struct field *fields, int count, int64_t first,
                              int64_t rows) {
  NANO_OK(ArrowArrayInitFromSchema(out, schema, NULL));
  NANO_OK(ArrowArrayStartAppending(out));
  for (int64_t row = first; row < first + rows; row++) {
    for (int i = 0; i < count; i++) {
      append_value(out->children[i], fields[i].type, row, &fields[i]);
    }
    NANO_OK(ArrowArrayFinishElement(out));
  }
  NANO_OK(ArrowArrayFinishBuildingDefault(out, NULL));
}

static inline void add_rows_message(struct bytes *to, const struct ArrowSchema *schema,
                                    const struct field *fields, int count, int64_t first,
                                    int64_t rows) {
  struct ArrowArray array;
  make_array(&array, schema, fields, count, first, rows);
  encode_batch(to, schema, &array);
  ArrowArrayRelease(&array);
}

/* A result schema made the way a result makes it: from an arrowSchema. */
static inline void schema_from_arrow(struct lb_result_schema *out,
                                     const struct ArrowSchema *schema) {
  struct lb_error err = LB_ERROR_INIT;
  struct bytes message = {NULL, 0};
  encode_schema(&message, schema);
  struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes_str(&message)};
  lb_result_schema_init(out);
  LB_TEST_OK(lb_result_schema_from_metadata(&meta, out, &err), &err);
  bytes_free(&message);
}

/* A view of an array that the test may ask for values; reset it. */
static inline void view_array(struct ArrowArrayView *view,
                              const struct ArrowSchema *schema,
                              const struct ArrowArray *array) {
  struct ArrowError text = {.message = ""};
  NANO_OK(ArrowArrayViewInitFromSchema(view, schema, &text));
  if (ArrowArrayViewSetArray(view, array, &text) != NANOARROW_OK)
    fail_msg("%s", text.message);
  if (ArrowArrayViewValidate(view, NANOARROW_VALIDATION_LEVEL_FULL, &text) !=
      NANOARROW_OK) {
    fail_msg("%s", text.message);
  }
}

/* That array holds rows first .. first + rows - 1 of what make_array makes. */
static inline void check_rows(const struct ArrowSchema *schema,
                              const struct field *fields, int count,
                              const struct ArrowArray *array, int64_t first,
                              int64_t rows) {
  struct ArrowArray expected;
  struct ArrowArrayView want;
  struct ArrowArrayView have;
  make_array(&expected, schema, fields, count, first, rows);
  view_array(&want, schema, &expected);
  view_array(&have, schema, array);
  assert_int_equal(array->length, rows);
  for (int i = 0; i < count; i++) {
    assert_int_equal(have.children[i]->length, rows);
    for (int64_t row = 0; row < rows; row++) {
      int8_t null = ArrowArrayViewIsNull(want.children[i], row);
      assert_int_equal(ArrowArrayViewIsNull(have.children[i], row), null);
      if (null) continue;
      if (fields[i].type == NANOARROW_TYPE_STRING ||
          fields[i].type == NANOARROW_TYPE_BINARY) {
        struct ArrowBufferView a = ArrowArrayViewGetBytesUnsafe(want.children[i], row);
        struct ArrowBufferView b = ArrowArrayViewGetBytesUnsafe(have.children[i], row);
        assert_int_equal(a.size_bytes, b.size_bytes);
        assert_memory_equal(a.data.data, b.data.data, (size_t)a.size_bytes);
      } else if (fields[i].type == NANOARROW_TYPE_DECIMAL128) {
        assert_memory_equal(want.children[i]->buffer_views[1].data.as_uint8 + 16 * row,
                            have.children[i]->buffer_views[1].data.as_uint8 + 16 * row,
                            16);
      } else if (fields[i].type == NANOARROW_TYPE_FLOAT ||
                 fields[i].type == NANOARROW_TYPE_DOUBLE) {
        assert_true(ArrowArrayViewGetDoubleUnsafe(want.children[i], row) ==
                    ArrowArrayViewGetDoubleUnsafe(have.children[i], row));
      } else {
        assert_int_equal(ArrowArrayViewGetIntUnsafe(want.children[i], row),
                         ArrowArrayViewGetIntUnsafe(have.children[i], row));
      }
    }
  }
  ArrowArrayViewReset(&want);
  ArrowArrayViewReset(&have);
  ArrowArrayRelease(&expected);
}

#endif
