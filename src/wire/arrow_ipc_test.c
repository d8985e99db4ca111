/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_test_support.h"

#include <lz4frame.h>

#include "base/os.h"
#include "wire/arrow_array.h"

static const struct field two[] = {{.name = "n", .type = NANOARROW_TYPE_INT64},
                                   {.name = "s", .type = NANOARROW_TYPE_STRING}};
#define CAP 16

/* A decoder with its schema, over fields. */
struct rig {
  const struct field *fields;
  int count;
  struct ArrowSchema arrow;
  struct lb_result_schema schema;
  struct lb_arrow_decoder *dec;
  struct lb_error err;
  struct ArrowArray out[CAP];
  int32_t out_count;
};

static void rig_open(struct rig *rig, const struct field *fields, int count) {
  *rig = (struct rig){.fields = fields, .count = count};
  make_schema(&rig->arrow, fields, count);
  schema_from_arrow(&rig->schema, &rig->arrow);
  LB_TEST_OK(lb_arrow_decoder_create(&rig->schema, &rig->dec, &rig->err), &rig->err);
}

static void rig_release_arrays(struct rig *rig) {
  for (int32_t i = 0; i < rig->out_count; i++) rig->out[i].release(&rig->out[i]);
  rig->out_count = 0;
}

static void rig_close(struct rig *rig) {
  rig_release_arrays(rig);
  lb_arrow_decoder_destroy(rig->dec);
  lb_result_schema_reset(&rig->schema);
  ArrowSchemaRelease(&rig->arrow);
}

static enum lb_status rig_decode(struct rig *rig, const struct bytes *batch, bool lz4,
                                 int64_t rows) {
  return lb_arrow_decode_batch(rig->dec, bytes_str(batch), lz4, rows, 1000, rig->out, CAP,
                               &rig->out_count, &rig->err);
}

static void rig_rows(struct rig *rig, struct bytes *to, int64_t first, int64_t rows) {
  add_rows_message(to, &rig->arrow, rig->fields, rig->count, first, rows);
}

static void test_one_message(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  rig_rows(&rig, &batch, 0, 100);
  LB_TEST_OK(rig_decode(&rig, &batch, false, 100), &rig.err);
  /* The arrays own what they show. */
  memset(batch.data, 0xEE, batch.len);
  assert_int_equal(rig.out_count, 1);
  check_rows(&rig.arrow, two, 2, &rig.out[0], 0, 100);
  bytes_free(&batch);
  rig_close(&rig);
}

/* Every type that a result has, flat. */
static const struct field all[] = {
    {.name = "b", .type = NANOARROW_TYPE_BOOL},
    {.name = "i8", .type = NANOARROW_TYPE_INT8},
    {.name = "i16", .type = NANOARROW_TYPE_INT16},
    {.name = "i32", .type = NANOARROW_TYPE_INT32},
    {.name = "i64", .type = NANOARROW_TYPE_INT64},
    {.name = "f", .type = NANOARROW_TYPE_FLOAT},
    {.name = "d", .type = NANOARROW_TYPE_DOUBLE},
    {.name = "s", .type = NANOARROW_TYPE_STRING},
    {.name = "x", .type = NANOARROW_TYPE_BINARY},
    {.name = "n1", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
    {.name = "day", .type = NANOARROW_TYPE_DATE32},
    {.name = "at", .type = NANOARROW_TYPE_TIMESTAMP},
    {.name = "n2", .type = NANOARROW_TYPE_DECIMAL128, .precision = 38, .scale = 18},
    {.name = "void", .type = NANOARROW_TYPE_NA},
};
#define ALL_COUNT ((int)LB_ARRAY_LEN(all))

static void test_every_type(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, all, ALL_COUNT);
  rig_rows(&rig, &batch, 3, 1000);
  LB_TEST_OK(rig_decode(&rig, &batch, false, 1000), &rig.err);
  check_rows(&rig.arrow, all, ALL_COUNT, &rig.out[0], 3, 1000);
  assert_int_equal(rig.out[0].children[ALL_COUNT - 1]->null_count, 1000);
  bytes_free(&batch);
  rig_close(&rig);
}

/* Months are handed out as months, days and nanoseconds, beside other columns, cut at the
 * wanted number of rows, and again after another batch. */
static void test_months_are_widened(void **state) {
  (void)state;
  static const struct field fields[] = {
      {.name = "n", .type = NANOARROW_TYPE_INT64},
      {.name = "m", .type = NANOARROW_TYPE_INTERVAL_MONTHS}};
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, fields, 2);
  assert_string_equal(rig.schema.arrow.children[1]->format, "tin");
  assert_string_equal(rig.schema.columns[1].type_name, "INTERVAL YEAR TO MONTH");
  rig_rows(&rig, &batch, 0, 100);
  rig_rows(&rig, &batch, 100, 50);
  LB_TEST_OK(rig_decode(&rig, &batch, false, 120), &rig.err);
  memset(batch.data, 0xEE, batch.len);
  assert_int_equal(rig.out_count, 2);
  for (int32_t part = 0; part < 2; part++) {
    struct ArrowArrayView view;
    view_array(&view, &rig.schema.arrow, &rig.out[part]);
    assert_int_equal(rig.out[part].length, part == 0 ? 100 : 20);
    for (int64_t i = 0; i < rig.out[part].length; i++) {
      int64_t row = i + 100 * part;
      struct ArrowInterval got;
      ArrowIntervalInit(&got, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
      assert_int_equal(ArrowArrayViewIsNull(view.children[1], i), row % 5 == 3);
      if (row % 5 == 3) continue;
      ArrowArrayViewGetIntervalUnsafe(view.children[1], i, &got);
      assert_true(got.months == row - 50 && got.days == 0 && got.ns == 0);
      assert_int_equal(ArrowArrayViewGetIntUnsafe(view.children[0], i), row % 100);
    }
    ArrowArrayViewReset(&view);
  }
  bytes_free(&batch);
  rig_close(&rig);
}

/* LZ4 frames of data, cut into so many frames, each with other settings. */
static struct bytes lz4_frames(const struct bytes *data, size_t frames) {
  struct bytes out = {NULL, 0};
  for (size_t i = 0; i < frames; i++) {
    size_t from = data->len * i / frames;
    size_t len = data->len * (i + 1) / frames - from;
    LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
    prefs.frameInfo.blockSizeID = i % 2 == 0 ? LZ4F_max4MB : LZ4F_max64KB;
    prefs.frameInfo.blockMode = i % 3 == 0 ? LZ4F_blockIndependent : LZ4F_blockLinked;
    prefs.frameInfo.contentChecksumFlag = i % 2 == 0;
    prefs.frameInfo.blockChecksumFlag = i % 2 == 0;
    prefs.frameInfo.contentSize = i % 4 == 3 ? len : 0;
    size_t cap = LZ4F_compressFrameBound(len, &prefs);
    uint8_t *buffer = lb_alloc(LB_MEM_TEST, cap);
    size_t used = LZ4F_compressFrame(buffer, cap, data->data + from, len, &prefs);
    assert_false(LZ4F_isError(used));
    bytes_add(&out, buffer, used);
    lb_free(buffer);
  }
  return out;
}

static void test_lz4(void **state) {
  (void)state;
  for (size_t frames = 1; frames <= 5; frames++) {
    struct rig rig;
    struct bytes batch = {NULL, 0};
    rig_open(&rig, all, ALL_COUNT);
    rig_rows(&rig, &batch, 0, 5000);
    struct bytes packed = lz4_frames(&batch, frames);
    /* A decoder is used again and again. */
    for (int round = 0; round < 3; round++) {
      LB_TEST_OK(rig_decode(&rig, &packed, true, 5000), &rig.err);
      check_rows(&rig.arrow, all, ALL_COUNT, &rig.out[0], 0, 5000);
      rig_release_arrays(&rig);
      if (round == 1) lb_arrow_decoder_rest(rig.dec);
    }
    bytes_free(&packed);
    bytes_free(&batch);
    rig_close(&rig);
  }
}

/* Many small batches take what they need, not what a largest block could need. */
static void test_small_batches_stay_small(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  rig_rows(&rig, &batch, 0, 500);
  struct bytes packed = lz4_frames(&batch, 1);
  assert_true(packed.len < 16384);
  LB_TEST_OK(rig_decode(&rig, &packed, true, 500), &rig.err);
  rig_release_arrays(&rig);
  int64_t before = lb_mem_stats(LB_MEM_ARROW).live_bytes;
  LB_TEST_OK(rig_decode(&rig, &packed, true, 500), &rig.err);
  int64_t kept = lb_mem_stats(LB_MEM_ARROW).live_bytes - before;
  assert_in_range(kept, batch.len, batch.len + 2000);
  check_rows(&rig.arrow, two, 2, &rig.out[0], 0, 500);
  bytes_free(&packed);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_lz4_failure_leaves_the_decoder_usable(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  rig_rows(&rig, &batch, 0, 5000);
  struct bytes packed = lz4_frames(&batch, 1);
  packed.data[packed.len / 2] ^= 0x40; /* the block checksum finds it */
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &packed, true, 5000), &rig.err);
  packed.data[packed.len / 2] ^= 0x40;
  LB_TEST_OK(rig_decode(&rig, &packed, true, 5000), &rig.err);
  bytes_free(&packed);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_several_messages(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  encode_schema(&batch, &rig.arrow);
  rig_rows(&rig, &batch, 0, 10);
  rig_rows(&rig, &batch, 10, 0);
  rig_rows(&rig, &batch, 10, 7);
  bytes_add(&batch, "\xff\xff\xff\xff\0\0\0\0", 8);
  rig_rows(&rig, &batch, 17, 3);
  bytes_add(&batch, "\xff\xff\xff\xff\0\0\0\0", 8);
  LB_TEST_OK(rig_decode(&rig, &batch, false, 20), &rig.err);
  assert_int_equal(rig.out_count, 3);
  check_rows(&rig.arrow, two, 2, &rig.out[0], 0, 10);
  check_rows(&rig.arrow, two, 2, &rig.out[1], 10, 7);
  check_rows(&rig.arrow, two, 2, &rig.out[2], 17, 3);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_more_rows_are_cut(void **state) {
  (void)state;
  for (int64_t rows = 0; rows <= 30; rows += lb_test_rounds(1, 7)) {
    struct rig rig;
    struct bytes batch = {NULL, 0};
    rig_open(&rig, all, ALL_COUNT);
    rig_rows(&rig, &batch, 0, 20);
    rig_rows(&rig, &batch, 20, 20);
    LB_TEST_OK(rig_decode(&rig, &batch, false, rows), &rig.err);
    assert_int_equal(rig.out_count, rows == 0 ? 0 : rows <= 20 ? 1 : 2);
    if (rows > 0) {
      check_rows(&rig.arrow, all, ALL_COUNT, &rig.out[0], 0, LB_MIN(rows, 20));
    }
    if (rows > 20) check_rows(&rig.arrow, all, ALL_COUNT, &rig.out[1], 20, rows - 20);
    bytes_free(&batch);
    rig_close(&rig);
  }
}

static void test_fewer_rows_are_an_error(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  rig_rows(&rig, &batch, 0, 20);
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &batch, false, 21), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "1 rows are missing");
  LB_TEST_CONTAINS(rig.err.message, "21 rows begin at row 1000, its data holds 20");
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &batch, false, -1), &rig.err);
  struct bytes empty = {NULL, 0};
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &empty, false, 1), &rig.err);
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &empty, true, 1), &rig.err);
  LB_TEST_OK(rig_decode(&rig, &empty, false, 0), &rig.err);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_too_many_messages(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  for (int i = 0; i <= CAP; i++) rig_rows(&rig, &batch, i, 1);
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &batch, false, CAP + 1), &rig.err);
  LB_TEST_OK(rig_decode(&rig, &batch, false, CAP), &rig.err);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_other_schema(void **state) {
  (void)state;
  static const struct field other[] = {{.name = "n", .type = NANOARROW_TYPE_INT64},
                                       {.name = "s", .type = NANOARROW_TYPE_BINARY}};
  static const struct field renamed[] = {{.name = "x", .type = NANOARROW_TYPE_INT64},
                                         {.name = "y", .type = NANOARROW_TYPE_STRING}};
  const struct field *kinds[] = {other, renamed};
  for (int kind = 0; kind < 3; kind++) {
    struct rig rig;
    struct bytes batch = {NULL, 0};
    struct ArrowSchema schema;
    rig_open(&rig, two, 2);
    make_schema(&schema, kinds[kind % 2], kind == 2 ? 1 : 2);
    encode_schema(&batch, &schema);
    rig_rows(&rig, &batch, 0, 5);
    enum lb_status status = rig_decode(&rig, &batch, false, 5);
    if (kind == 1) {
      LB_TEST_OK(status, &rig.err);
    } else {
      LB_TEST_FAILS(LB_PROTOCOL, status, &rig.err);
      LB_TEST_CONTAINS(rig.err.message, kind == 0 ? "column 1 \"s\"" : "has 2 columns");
    }
    ArrowSchemaRelease(&schema);
    bytes_free(&batch);
    rig_close(&rig);
  }
}

/* The batch of one schema is not taken for one of another. */
static void test_batch_of_other_columns(void **state) {
  (void)state;
  static const struct field three[] = {{.name = "a", .type = NANOARROW_TYPE_INT64},
                                       {.name = "b", .type = NANOARROW_TYPE_INT64},
                                       {.name = "c", .type = NANOARROW_TYPE_INT64}};
  struct rig rig;
  struct rig other;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, two, 2);
  rig_open(&other, three, 3);
  rig_rows(&other, &batch, 0, 5);
  LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &batch, false, 5), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "field nodes");
  bytes_free(&batch);
  rig_close(&other);
  rig_close(&rig);
}

/* A batch cut anywhere is an error: never rows, never a read beyond its end. */
static void test_truncation(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, all, ALL_COUNT);
  rig_rows(&rig, &batch, 0, 6);
  struct bytes packed = lz4_frames(&batch, 2);
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    const struct bytes *whole = lz4 ? &packed : &batch;
    for (size_t len = 0; len < whole->len; len += lb_test_step(whole->len, 40)) {
      struct bytes part = bytes_exact(whole->data, len);
      LB_TEST_FAILS(LB_PROTOCOL, rig_decode(&rig, &part, lz4, 6), &rig.err);
      bytes_free(&part);
    }
  }
  bytes_free(&packed);
  bytes_free(&batch);
  rig_close(&rig);
}

/* Reads all values of what damaged input has given; sanitizers watch. */
static void touch(const struct rig *rig) {
  for (int32_t i = 0; i < rig->out_count; i++) {
    struct ArrowArrayView view;
    view_array(&view, &rig->schema.arrow, &rig->out[i]);
    int64_t sum = 0;
    for (int c = 0; c < rig->count; c++) {
      for (int64_t row = 0; row < view.length; row++) {
        if (ArrowArrayViewIsNull(view.children[c], row)) continue;
        struct ArrowBufferView bytes = {.size_bytes = 0};
        if (rig->fields[c].type == NANOARROW_TYPE_STRING) {
          bytes = ArrowArrayViewGetBytesUnsafe(view.children[c], row);
        }
        for (int64_t k = 0; k < bytes.size_bytes; k++) sum += bytes.data.as_uint8[k];
      }
    }
    assert_true(sum >= 0);
    ArrowArrayViewReset(&view);
  }
}

/* Every byte of the headers, every bit: an error or rows that can be read, never more. */
static void test_flipped_bits(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, all, ALL_COUNT);
  encode_schema(&batch, &rig.arrow);
  rig_rows(&rig, &batch, 0, 6);
  int failures = 0;
  size_t bits = batch.len * 8, step = lb_test_step(bits, 100);
  for (size_t i = 0; i < bits; i += step) {
    struct bytes copy = bytes_exact(batch.data, batch.len);
    copy.data[i / 8] = (uint8_t)(copy.data[i / 8] ^ 1u << i % 8);
    enum lb_status status = rig_decode(&rig, &copy, false, 6);
    if (status == LB_OK) {
      touch(&rig);
    } else {
      failures++;
      LB_TEST_FAILS(status, status, &rig.err);
    }
    bytes_free(&copy);
    rig_release_arrays(&rig);
  }
  assert_in_range(failures, bits / step / 50, bits / step);
  bytes_free(&batch);
  rig_close(&rig);
}

/* How many buffers the decoder had to copy for the sake of alignment. */
static int64_t realigned(const struct rig *rig) {
  struct lb_arrow_decoder_stats stats = lb_arrow_decoder_stats(rig->dec);
  assert_true((stats.realigned_buffers == 0) == (stats.realigned_bytes == 0));
  return stats.realigned_buffers;
}

static void test_decimals_need_no_copy(void **state) {
  (void)state;
  static const struct field decimals[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
      {.name = "b", .type = NANOARROW_TYPE_INT64},
      {.name = "c", .type = NANOARROW_TYPE_DECIMAL128, .precision = 38, .scale = 0},
      {.name = "d", .type = NANOARROW_TYPE_DECIMAL128, .precision = 18, .scale = 3},
  };
  for (int columns = 1; columns <= 4; columns++) {
    for (int lz4 = 0; lz4 <= 1; lz4++) {
      struct rig rig;
      struct bytes batch = {NULL, 0};
      rig_open(&rig, decimals, columns);
      rig_rows(&rig, &batch, 0, 1000);
      struct bytes packed = lz4_frames(&batch, 1);
      for (int round = 0; round < 3; round++) {
        LB_TEST_OK(rig_decode(&rig, lz4 ? &packed : &batch, lz4, 1000), &rig.err);
        check_rows(&rig.arrow, decimals, columns, &rig.out[0], 0, 1000);
        assert_int_equal((uintptr_t)rig.out[0].children[0]->buffers[1] % 16, 0);
        rig_release_arrays(&rig);
      }
      assert_int_equal(realigned(&rig), 0);
      bytes_free(&packed);
      bytes_free(&batch);
      rig_close(&rig);
    }
  }
}

/* 8 more bytes go before the rows: the first batch pays for it, the next do not. */
static void test_alignment_is_learnt(void **state) {
  (void)state;
  static const struct field one[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2}};
  struct rig rig;
  struct bytes batch = {NULL, 0};
  rig_open(&rig, one, 1);
  bytes_add(&batch, "\xff\xff\xff\xff\0\0\0\0", 8);
  rig_rows(&rig, &batch, 0, 100);
  /* The prefix of an end mark has no metadata: the guess is 8, as is the mark itself. */
  for (int round = 0; round < 4; round++) {
    LB_TEST_OK(rig_decode(&rig, &batch, false, 100), &rig.err);
    check_rows(&rig.arrow, one, 1, &rig.out[0], 0, 100);
    assert_int_equal((uintptr_t)rig.out[0].children[0]->buffers[1] % 16, 0);
    rig_release_arrays(&rig);
    assert_in_range(realigned(&rig), 0, 1);
  }
  int64_t first = realigned(&rig);
  struct bytes shifted = {NULL, 0};
  bytes_add(&shifted, "\xff\xff\xff\xff\0\0\0\0", 8);
  bytes_add(&shifted, batch.data, batch.len);
  for (int round = 0; round < 4; round++) {
    LB_TEST_OK(rig_decode(&rig, &shifted, false, 100), &rig.err);
    check_rows(&rig.arrow, one, 1, &rig.out[0], 0, 100);
    rig_release_arrays(&rig);
  }
  /* One of the two layouts cannot have been guessed. */
  assert_int_equal(realigned(&rig), first + 1);
  bytes_free(&shifted);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_out_of_memory(void **state) {
  (void)state;
  static const struct field fields[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
      {.name = "s", .type = NANOARROW_TYPE_STRING}};
  struct bytes batch = {NULL, 0};
  struct rig rig;
  rig_open(&rig, fields, 2);
  rig_rows(&rig, &batch, 0, 10);
  rig_rows(&rig, &batch, 10, 10);
  struct bytes packed = lz4_frames(&batch, 2);
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    LB_TEST_TORTURE({
      struct lb_arrow_decoder *dec = NULL;
      struct ArrowArray out[CAP];
      int32_t count = 0;
      struct lb_error err = LB_ERROR_INIT;
      enum lb_status status = lb_arrow_decoder_create(&rig.schema, &dec, &err);
      LB_TEST_OOM_OR_OK(status, &err);
      if (status == LB_OK) {
        status = lb_arrow_decode_batch(dec, bytes_str(lz4 ? &packed : &batch), lz4, 20, 0,
                                       out, CAP, &count, &err);
        /* That memory could not be given back is no failure. */
        if (status != LB_OK) LB_TEST_OOM_OR_OK(status, &err);
      }
      /* Out of memory never looks like fewer rows. */
      int64_t rows = 0;
      for (int32_t i = 0; i < count; i++) {
        assert_non_null(out[i].release);
        rows += out[i].length;
        out[i].release(&out[i]);
      }
      assert_int_equal(rows, status == LB_OK ? 20 : 0);
      lb_arrow_decoder_destroy(dec);
    });
  }
  bytes_free(&packed);
  bytes_free(&batch);
  rig_close(&rig);
}

static void *release_on_thread(void *arg) {
  struct ArrowArray *array = arg;
  array->release(array);
  return NULL;
}

/* Arrays of one body are released on several threads after their decoder is gone. */
static void test_release_anywhere(void **state) {
  (void)state;
  struct rig rig;
  struct bytes batch = {NULL, 0};
  struct lb_thread threads[4];
  struct ArrowArray arrays[4];
  rig_open(&rig, two, 2);
  for (int i = 0; i < 4; i++) rig_rows(&rig, &batch, 10 * i, 10);
  LB_TEST_OK(rig_decode(&rig, &batch, false, 40), &rig.err);
  for (int i = 0; i < 4; i++) {
    /* Half of them are columns that were moved out. */
    ArrowArrayMove(i % 2 ? rig.out[i].children[1] : &rig.out[i], &arrays[i]);
    if (i % 2) rig.out[i].release(&rig.out[i]);
  }
  rig.out_count = 0;
  bytes_free(&batch);
  rig_close(&rig);
  for (int i = 0; i < 4; i++) {
    LB_TEST_OK(
        lb_os_thread_start(&threads[i], "release", release_on_thread, &arrays[i], NULL),
        NULL);
  }
  for (int i = 0; i < 4; i++) {
    lb_os_thread_join(&threads[i]);
    assert_null(arrays[i].release);
  }
}

static void test_big_strings(void **state) {
  (void)state;
  enum { TEXT_BYTES = 9 << 20 };
  struct rig rig;
  struct bytes batch = {NULL, 0};
  struct ArrowArray array;
  rig_open(&rig, two, 2);
  char *text = lb_alloc(LB_MEM_TEST, TEXT_BYTES);
  memset(text, 'z', TEXT_BYTES);
  NANO_OK(ArrowArrayInitFromSchema(&array, &rig.arrow, NULL));
  NANO_OK(ArrowArrayStartAppending(&array));
  NANO_OK(ArrowArrayAppendInt(array.children[0], 1));
  NANO_OK(ArrowArrayAppendString(array.children[1],
                                 (struct ArrowStringView){text, (int64_t)TEXT_BYTES}));
  NANO_OK(ArrowArrayFinishElement(&array));
  NANO_OK(ArrowArrayFinishBuildingDefault(&array, NULL));
  encode_batch(&batch, &rig.arrow, &array);
  ArrowArrayRelease(&array);
  struct bytes packed = lz4_frames(&batch, 1);
  assert_true(packed.len < TEXT_BYTES / 100);
  int64_t before = lb_mem_stats(LB_MEM_ARROW).live_bytes;
  LB_TEST_OK(rig_decode(&rig, &packed, true, 1), &rig.err);
  /* The room for the worst case was given back, unless the smaller block failed. */
  int64_t kept = lb_mem_stats(LB_MEM_ARROW).live_bytes - before;
  if (!lb_mem_failed()) assert_in_range(kept, TEXT_BYTES, TEXT_BYTES + 100000);
  const char *data = rig.out[0].children[1]->buffers[2];
  assert_memory_equal(data, text, TEXT_BYTES);
  lb_free(text);
  bytes_free(&packed);
  bytes_free(&batch);
  rig_close(&rig);
}

static void test_no_columns(void **state) {
  (void)state;
  struct rig rig;
  struct bytes empty = {NULL, 0};
  rig_open(&rig, two, 0);
  assert_int_equal(rig.schema.column_count, 0);
  LB_TEST_OK(rig_decode(&rig, &empty, false, 0), &rig.err);
  assert_int_equal(rig.out_count, 0);
  rig_close(&rig);
}

LB_TEST_MAIN(LB_TEST(test_one_message), LB_TEST(test_every_type),
             LB_TEST(test_months_are_widened), LB_TEST(test_lz4),
             LB_TEST(test_small_batches_stay_small),
             LB_TEST(test_lz4_failure_leaves_the_decoder_usable),
             LB_TEST(test_several_messages), LB_TEST(test_more_rows_are_cut),
             LB_TEST(test_fewer_rows_are_an_error), LB_TEST(test_too_many_messages),
             LB_TEST(test_other_schema), LB_TEST(test_batch_of_other_columns),
             LB_TEST(test_truncation), LB_TEST(test_flipped_bits),
             LB_TEST(test_decimals_need_no_copy), LB_TEST(test_alignment_is_learnt),
             LB_TEST(test_out_of_memory), LB_TEST(test_release_anywhere),
             LB_TEST(test_big_strings), LB_TEST(test_no_columns))
