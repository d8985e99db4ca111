/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for Arrow: a result's schema and its batches, with and without LZ4. The
 * input is an IPC stream (schema, then record batches) behind three bytes of choices; the
 * schema is decoded from it and the whole of it, as a batch, with that schema. What comes
 * out is read to the last byte. */
#include "wire/arrow_decode.h"

#define CAP 8
#define MAX_ROWS 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static uint64_t read_view(const struct ArrowArrayView *view) {
  uint64_t sum = 0;
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
    const uint8_t *bytes = view->buffer_views[i].data.as_uint8;
    for (int64_t k = 0; k < view->buffer_views[i].size_bytes; k++) sum += bytes[k];
  }
  for (int64_t i = 0; i < view->n_children; i++) sum += read_view(view->children[i]);
  return sum;
}

static void read_array(const struct ArrowSchema *schema, struct ArrowArray *array) {
  struct ArrowArrayView view;
  require(array->release != NULL && array->length > 0);
  require(ArrowArrayViewInitFromSchema(&view, schema, NULL) == NANOARROW_OK);
  require(ArrowArrayViewSetArray(&view, array, NULL) == NANOARROW_OK);
  require(ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, NULL) ==
          NANOARROW_OK);
  /* The sum is of no interest; that it could be read is. */
  __asm__ volatile("" ::"r"(read_view(&view)));
  ArrowArrayViewReset(&view);
  array->release(array);
}

static void decode(const struct lb_result_schema *schema, struct lb_str batch, bool lz4,
                   int64_t rows) {
  struct lb_arrow_decoder *dec;
  struct ArrowArray out[CAP];
  struct lb_error err = LB_ERROR_INIT;
  int32_t count = 0;
  int64_t sum = 0;
  enum lb_status status = lb_arrow_decoder_create(schema, &dec, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status != LB_OK) return;
  for (int round = 0; round < 2; round++) {
    status = lb_arrow_decode_batch(dec, batch, lz4, rows, 0, out, CAP, &count, &err);
    require(status == LB_OK || err.message[0] != '\0');
    if (status != LB_OK) break;
    for (int32_t i = 0; i < count; i++) sum += out[i].length;
    require(sum == rows * (round + 1));
    for (int32_t i = 0; i < count; i++) read_array(&schema->arrow, &out[i]);
  }
  lb_arrow_decoder_destroy(dec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4) return 0;
  bool lz4 = (data[0] & 1) != 0;
  int64_t rows = ((int64_t)data[1] << 8 | data[2]) % MAX_ROWS;
  struct lb_str bytes = {(const char *)data + 3, size - 3};
  struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes};
  struct lb_result_schema schema;
  struct lb_error err = LB_ERROR_INIT;
  lb_result_schema_init(&schema);
  enum lb_status status = lz4 ? lb_result_schema_all_text(data[1] % 4, &schema, &err)
                              : lb_result_schema_from_metadata(&meta, &schema, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status == LB_OK) decode(&schema, bytes, lz4, rows);
  lb_result_schema_reset(&schema);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
