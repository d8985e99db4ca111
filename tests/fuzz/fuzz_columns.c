/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for Thrift columns. The first bytes of the input choose the columns,
 * the row count and the size of the null bitmaps; the rest is their values. What comes
 * out is read to the last byte. */
#include "wire/arrow_decode.h"

#define MAX_COLUMNS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static void read_array(const struct ArrowSchema *schema, struct ArrowArray *array) {
  struct ArrowArrayView view;
  uint64_t sum = 0;
  require(ArrowArrayViewInitFromSchema(&view, schema, NULL) == NANOARROW_OK);
  require(ArrowArrayViewSetArray(&view, array, NULL) == NANOARROW_OK);
  require(ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, NULL) ==
          NANOARROW_OK);
  for (int64_t c = 0; c < view.n_children; c++) {
    for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
      struct ArrowBufferView buffer = view.children[c]->buffer_views[i];
      for (int64_t k = 0; k < buffer.size_bytes; k++) sum += buffer.data.as_uint8[k];
    }
  }
  /* The sum is of no interest; that it could be read is. */
  __asm__ volatile("" ::"r"(sum));
  ArrowArrayViewReset(&view);
  array->release(array);
}

/* Bytes are taken from the front of the input; there are none behind its end. */
struct input {
  const uint8_t *at;
  size_t left;
};

static uint8_t next_byte(struct input *in) {
  if (in->left == 0) return 0;
  in->left--;
  return *in->at++;
}

/* A copy at the end of an allocation, so that sanitizers see each read beyond it. */
static uint8_t *next_block(struct input *in, size_t bytes, size_t *got) {
  *got = LB_MIN(bytes, in->left);
  uint8_t *copy = lb_alloc(LB_MEM_MISC, *got);
  require(copy != NULL);
  if (*got > 0) memcpy(copy, in->at, *got);
  in->at += *got;
  in->left -= *got;
  return copy;
}

struct made {
  struct lb_t_column_desc desc;
  struct lb_t_type_desc type_desc;
  struct lb_t_type_entry entry;
  struct lb_t_primitive_type_entry primitive;
  struct lb_t_string_column part; /* all column structs look alike */
  uint8_t *raw;
  uint8_t *nulls;
};

static void set_variant(struct lb_t_column *column, int variant, void *part) {
  if (variant == 0) column->bool_val = part;
  if (variant == 1) column->byte_val = part;
  if (variant == 2) column->i16_val = part;
  if (variant == 3) column->i32_val = part;
  if (variant == 4) column->i64_val = part;
  if (variant == 5) column->double_val = part;
  if (variant == 6) column->string_val = part;
  if (variant == 7) column->binary_val = part;
}

static void make(struct input *in, struct made *made, struct lb_t_column *column,
                 int32_t rows) {
  static const uint8_t widths[8] = {1, 1, 2, 4, 8, 8, 0, 0};
  int variant = next_byte(in) % 8;
  size_t nulls = next_byte(in) % 8;
  size_t got;
  made->primitive.type = LB_T_I32(next_byte(in) % 24);
  made->entry.primitive_entry = &made->primitive;
  made->type_desc.types =
      (struct lb_t_list){.set = true, .count = 1, .items = &made->entry};
  made->desc.column_name = LB_STR("c");
  made->desc.type_desc = &made->type_desc;
  set_variant(column, variant, &made->part);
  made->nulls = next_block(in, nulls, &got);
  made->part.nulls = (struct lb_str){(const char *)made->nulls, got};
  size_t bytes = widths[variant] > 0 ? widths[variant] * (size_t)rows : next_byte(in);
  made->raw = next_block(in, bytes, &got);
  made->part.values =
      (struct lb_t_list){.set = true, .count = rows, .raw = made->raw, .raw_bytes = got};
}

static void decode(const struct lb_t_table_schema *table, struct lb_t_column *columns,
                   int count, bool all_text) {
  struct lb_t_get_result_set_metadata_resp meta = {.schema = (void *)(uintptr_t)table};
  struct lb_t_row_set row_set = {
      .columns = {.set = true, .count = count, .items = columns}};
  struct lb_result_schema schema;
  struct ArrowArray array;
  struct lb_error err = LB_ERROR_INIT;
  int64_t rows = 0;
  lb_result_schema_init(&schema);
  enum lb_status status = all_text ? lb_result_schema_all_text(count, &schema, &err)
                                   : lb_result_schema_from_metadata(&meta, &schema, &err);
  require(status == LB_OK);
  status = lb_columns_decode(&schema, &row_set, 0, &array, &rows, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status == LB_OK && rows > 0) read_array(&schema.arrow, &array);
  lb_result_schema_reset(&schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  struct made made[MAX_COLUMNS];
  struct lb_t_column columns[MAX_COLUMNS];
  struct lb_t_column_desc descs[MAX_COLUMNS];
  memset(made, 0, sizeof(made));
  memset(columns, 0, sizeof(columns));
  int count = next_byte(&in) % (MAX_COLUMNS + 1);
  int32_t rows = next_byte(&in) % 40;
  bool all_text = next_byte(&in) % 4 == 0;
  for (int i = 0; i < count; i++) {
    make(&in, &made[i], &columns[i], rows);
    descs[i] = made[i].desc;
  }
  struct lb_t_table_schema table = {
      .columns = {.set = true, .count = count, .items = descs}};
  decode(&table, columns, count, all_text);
  for (int i = 0; i < count; i++) {
    lb_free(made[i].raw);
    lb_free(made[i].nulls);
  }
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
