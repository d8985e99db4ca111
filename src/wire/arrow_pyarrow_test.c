/* SPDX-License-Identifier: Apache-2.0 */
/* What pyarrow has written, decoded. */
#include "wire/arrow_test_fixtures.h"
#include "wire/arrow_test_support.h"

struct rig {
  struct lb_result_schema schema;
  struct lb_arrow_decoder *dec;
  struct ArrowArray array;
  struct ArrowArrayView view;
  int32_t count;
  struct lb_error err;
};

/* Decodes a batch of so many rows, which gives one array. */
static void rig_open(struct rig *rig, const struct bytes *schema,
                     const struct bytes *batch, int64_t rows) {
  *rig = (struct rig){.count = 0};
  struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes_str(schema)};
  lb_result_schema_init(&rig->schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&meta, &rig->schema, &rig->err), &rig->err);
  LB_TEST_OK(lb_arrow_decoder_create(&rig->schema, &rig->dec, &rig->err), &rig->err);
  LB_TEST_OK(lb_arrow_decode_batch(rig->dec, bytes_str(batch), false, rows, 0,
                                   &rig->array, 1, &rig->count, &rig->err),
             &rig->err);
  assert_int_equal(rig->count, 1);
  view_array(&rig->view, &rig->schema.arrow, &rig->array);
}

static void rig_close(struct rig *rig) {
  ArrowArrayViewReset(&rig->view);
  rig->array.release(&rig->array);
  lb_arrow_decoder_destroy(rig->dec);
  lb_result_schema_reset(&rig->schema);
}

static void check_text(const struct ArrowArrayView *view, int64_t row,
                       const char *wanted) {
  struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view, row);
  struct lb_str have = {text.data, (size_t)text.size_bytes};
  assert_true(lb_str_equal(have, lb_str_from(wanted)));
}

static void check_first_row(const struct rig *rig) {
  struct ArrowArrayView **columns = rig->view.children;
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[0], 0), 1);
  const __int128 *prices = rig->array.children[1]->buffers[1];
  assert_true((uintptr_t)prices % 16 == 0 && prices[0] == 1234);
  check_text(columns[2], 0, "\xc3\xa4");
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[3], 0), 1709210096789000);
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[4], 0), 19782);
  assert_int_equal(ArrowArrayViewListChildOffset(columns[5], 1), 3);
  check_text(columns[5]->children[0], 0, "a");
  assert_true(ArrowArrayViewIsNull(columns[5]->children[0], 1));
  check_text(columns[5]->children[0], 2, "b");
  assert_true(ArrowArrayViewGetDoubleUnsafe(columns[6]->children[0], 0) == 1.5);
  assert_true(ArrowArrayViewGetDoubleUnsafe(columns[6]->children[1], 0) == 2.5);
  check_text(columns[7]->children[0]->children[0], 0, "k");
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[7]->children[0]->children[1], 0),
                   7);
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[8], 0), 1000000);
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[9], 0), 1);
}

static void test_values(void **state) {
  (void)state;
  struct bytes schema = bytes_hex(pyarrow_schema);
  struct bytes batch = bytes_hex(pyarrow_batch);
  struct rig rig;
  rig_open(&rig, &schema, &batch, 3);
  assert_int_equal(rig.array.length, 3);
  check_first_row(&rig);
  struct ArrowArrayView **columns = rig.view.children;
  for (int c = 1; c < 10; c++) {
    assert_true(ArrowArrayViewIsNull(columns[c], 1));
    assert_int_equal(rig.array.children[c]->null_count, 1);
  }
  const __int128 *prices = rig.array.children[1]->buffers[1];
  assert_true(prices[2] == -1);
  check_text(columns[2], 2, "");
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[4], 2), -719162);
  assert_true(ArrowArrayViewIsNull(columns[6]->children[0], 2));
  assert_true(ArrowArrayViewGetDoubleUnsafe(columns[6]->children[1], 2) == -1);
  assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[8], 2), -86400000000);
  assert_int_equal(lb_arrow_decoder_stats(rig.dec).realigned_buffers, 0);
  rig_close(&rig);
  bytes_free(&batch);
  bytes_free(&schema);
}

/* Nested columns are cut, too: children of structs, but not the items of lists. */
static void test_cut(void **state) {
  (void)state;
  struct bytes schema = bytes_hex(pyarrow_schema);
  struct bytes batch = bytes_hex(pyarrow_batch);
  struct rig rig;
  rig_open(&rig, &schema, &batch, 1);
  assert_int_equal(rig.array.length, 1);
  check_first_row(&rig);
  for (int c = 0; c < 10; c++) {
    assert_int_equal(rig.array.children[c]->length, 1);
    assert_in_range(rig.array.children[c]->null_count + 1, 0, 1);
  }
  assert_int_equal(rig.array.children[6]->children[0]->length, 1);
  rig_close(&rig);
  bytes_free(&batch);
  bytes_free(&schema);
}

/* Compressed inside the messages, which is not the LZ4 around them. The fixture
 * is a whole stream: schema, rows, end mark. */
static void check_compressed(const char *hex) {
  struct bytes stream = bytes_hex(hex);
  struct rig rig;
  rig_open(&rig, &stream, &stream, 200);
  const __int128 *decimals = rig.array.children[1]->buffers[1];
  assert_true((uintptr_t)decimals % 16 == 0);
  for (int i = 0; i < 200; i++) {
    assert_int_equal(ArrowArrayViewGetIntUnsafe(rig.view.children[0], i), 7);
    assert_int_equal(ArrowArrayViewIsNull(rig.view.children[1], i), i % 2 == 0);
    if (i % 2) assert_true(decimals[i] == i % 4 * 25);
  }
  assert_int_equal(lb_arrow_decoder_stats(rig.dec).realigned_buffers, 0);
  rig_close(&rig);
  bytes_free(&stream);
}

static void test_compressed_bodies(void **state) {
  (void)state;
  check_compressed(pyarrow_lz4);
  check_compressed(pyarrow_zstd);
}

/* Every step-th bit of messages: an error, or rows that can be read. */
static void flip_bits(const char *schema_hex, const char *batch_hex, int64_t rows,
                      size_t step) {
  struct bytes message = bytes_hex(schema_hex);
  struct bytes batch = bytes_hex(batch_hex);
  struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes_str(&message)};
  struct lb_result_schema schema;
  struct lb_arrow_decoder *dec;
  struct lb_error err = LB_ERROR_INIT;
  lb_result_schema_init(&schema);
  LB_TEST_OK(lb_result_schema_from_metadata(&meta, &schema, &err), &err);
  LB_TEST_OK(lb_arrow_decoder_create(&schema, &dec, &err), &err);
  size_t bits = batch.len * 8;
  for (size_t i = 0; i < bits; i += step * lb_test_step(bits / step, 60)) {
    struct bytes copy = bytes_exact(batch.data, batch.len);
    struct ArrowArray array;
    int32_t count = 0;
    copy.data[i / 8] = (uint8_t)(copy.data[i / 8] ^ 1u << i % 8);
    enum lb_status status = lb_arrow_decode_batch(dec, bytes_str(&copy), false, rows, 0,
                                                  &array, 1, &count, &err);
    if (status == LB_OK && count == 1) {
      struct ArrowArrayView view;
      view_array(&view, &schema.arrow, &array);
      ArrowArrayViewReset(&view);
      array.release(&array);
    }
    if (status != LB_OK) LB_TEST_FAILS(status, status, &err);
    bytes_free(&copy);
  }
  lb_arrow_decoder_destroy(dec);
  lb_result_schema_reset(&schema);
  bytes_free(&batch);
  bytes_free(&message);
}

static void test_flipped_bits(void **state) {
  (void)state;
  flip_bits(pyarrow_schema, pyarrow_batch, 3, 1);
  flip_bits(pyarrow_lz4, pyarrow_lz4, 200, 9);
  flip_bits(pyarrow_zstd, pyarrow_zstd, 200, 9);
}

LB_TEST_MAIN(LB_TEST(test_values), LB_TEST(test_cut), LB_TEST(test_compressed_bodies),
             LB_TEST(test_flipped_bits))
