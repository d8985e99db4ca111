/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_stream.h"

#include "wire/arrow_test_support.h"

#include <lz4frame.h>

#include "base/os.h"
#include "wire/arrow_message.h"
#include "wire/lz4_scan.h"

#define MAX_ARRAYS 4096

static const struct field all[] = {
    {.name = "b", .type = NANOARROW_TYPE_BOOL},
    {.name = "i16", .type = NANOARROW_TYPE_INT16},
    {.name = "i64", .type = NANOARROW_TYPE_INT64},
    {.name = "d", .type = NANOARROW_TYPE_DOUBLE},
    {.name = "s", .type = NANOARROW_TYPE_STRING},
    {.name = "n1", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
    {.name = "day", .type = NANOARROW_TYPE_DATE32},
    {.name = "at", .type = NANOARROW_TYPE_TIMESTAMP},
    {.name = "void", .type = NANOARROW_TYPE_NA},
};
#define ALL_COUNT ((int)LB_ARRAY_LEN(all))

/* A stream with its schema and pool, over fields, and what it has handed out. */
struct rig {
  const struct field *fields;
  int count;
  struct ArrowSchema arrow;
  struct lb_result_schema schema;
  struct lb_pool *pool;
  atomic_int lean;
  struct lb_arrow_stream *stream;
  struct lb_error err;
  struct ArrowArray *out;
  int out_count;
  int refuse_from; /* the array that emit refuses; -1 none */
  bool drop;       /* release what comes at once */
};

static void rig_open(struct rig *rig, const struct field *fields, int count) {
  *rig = (struct rig){.fields = fields, .count = count, .refuse_from = -1};
  rig->out = lb_alloc(LB_MEM_TEST, sizeof(*rig->out) * MAX_ARRAYS);
  make_schema(&rig->arrow, fields, count);
  schema_from_arrow(&rig->schema, &rig->arrow);
  LB_TEST_OK(lb_pool_create(&rig->pool, &rig->err), &rig->err);
}

static struct lb_arrow_stream_options options(struct rig *rig, bool lz4, int64_t rows) {
  return (struct lb_arrow_stream_options){.schema = &rig->schema,
                                          .pool = rig->pool,
                                          .lz4 = lz4,
                                          .whole = true,
                                          .row_count = rows,
                                          .first_row = 1000,
                                          .lean = &rig->lean};
}

static void rig_release(struct rig *rig) {
  for (int i = 0; i < rig->out_count; i++) rig->out[i].release(&rig->out[i]);
  rig->out_count = 0;
}

static void rig_close(struct rig *rig) {
  rig_release(rig);
  lb_arrow_stream_destroy(rig->stream);
  rig->stream = NULL;
  assert_int_equal(lb_pool_stats(rig->pool).live_blocks, 0);
  lb_pool_release(rig->pool);
  lb_result_schema_reset(&rig->schema);
  ArrowSchemaRelease(&rig->arrow);
  lb_free(rig->out);
}

static enum lb_status keep(void *ctx, struct ArrowArray *array_own,
                           struct lb_error *err) {
  struct rig *rig = ctx;
  if (rig->out_count == rig->refuse_from) {
    array_own->release(array_own);
    return lb_error_set(err, LB_CANCELLED, "no more");
  }
  assert_true(rig->out_count < MAX_ARRAYS);
  if (rig->drop) {
    array_own->release(array_own);
  } else {
    rig->out[rig->out_count++] = *array_own;
  }
  return LB_OK;
}

static enum lb_status feed(struct rig *rig, const void *data, size_t len) {
  return lb_arrow_stream_feed(rig->stream, data, len, keep, rig, &rig->err);
}

/* All of it in pieces of step bytes, each of which ends where its memory ends. */
static enum lb_status feed_all(struct rig *rig, const struct bytes *data, size_t step) {
  for (size_t pos = 0; pos < data->len; pos += LB_MIN(step, data->len - pos)) {
    size_t len = LB_MIN(step, data->len - pos);
    struct bytes piece = bytes_exact(data->data + pos, len);
    enum lb_status status = feed(rig, piece.data, len);
    bytes_free(&piece);
    if (status != LB_OK) return status;
  }
  return lb_arrow_stream_end(rig->stream, &rig->err);
}

static enum lb_status decode(struct rig *rig, const struct bytes *data, bool lz4,
                             int64_t rows, size_t step) {
  struct lb_arrow_stream_options opts = options(rig, lz4, rows);
  lb_arrow_stream_destroy(rig->stream);
  rig->stream = NULL;
  enum lb_status status = lb_arrow_stream_create(&opts, &rig->stream, &rig->err);
  return status == LB_OK ? feed_all(rig, data, step) : status;
}

#define END_MARK "\xff\xff\xff\xff\0\0\0\0"

/* A file of so many batches. */
static struct bytes file(const struct rig *rig, int64_t batches, int64_t batch_rows) {
  struct bytes out = {NULL, 0};
  encode_schema(&out, &rig->arrow);
  for (int64_t i = 0; i < batches; i++) {
    add_rows_message(&out, &rig->arrow, rig->fields, rig->count, i * batch_rows,
                     batch_rows);
  }
  bytes_add(&out, END_MARK, 8);
  return out;
}

/* The same with heads of record batches of a multiple of 16 bytes, as Arrow's C++ has
 * them: padding of the metadata counts as metadata. */
static struct bytes as_by_arrow(const struct bytes *data) {
  struct bytes out = {NULL, 0};
  struct lb_error err;
  for (size_t pos = 0; pos < data->len;) {
    size_t bytes, head;
    uint8_t *at = data->data + pos;
    LB_TEST_OK(lb_arrow_message_measure(at, data->len - pos, &bytes, &head, &err), &err);
    size_t pad = head % 16 != 0 && bytes > head ? 8 : 0, from = out.len;
    bytes_add(&out, at, head);
    bytes_add(&out, "\0\0\0\0\0\0\0", pad);
    bytes_add(&out, at + head, bytes - head);
    uint32_t metadata = (uint32_t)(head - 8 + pad);
    memcpy(out.data + from + 4, &metadata, sizeof(metadata));
    pos += bytes;
  }
  return out;
}

struct packing {
  size_t frames;
  LZ4F_blockSizeID_t block;
  bool linked;
  bool sums;
};

static struct bytes pack(const struct bytes *data, struct packing how) {
  struct bytes out = {NULL, 0};
  for (size_t i = 0; i < how.frames; i++) {
    size_t from = data->len * i / how.frames;
    size_t len = data->len * (i + 1) / how.frames - from;
    LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
    prefs.frameInfo.blockSizeID = how.block;
    prefs.frameInfo.blockMode = how.linked ? LZ4F_blockLinked : LZ4F_blockIndependent;
    prefs.frameInfo.contentChecksumFlag = how.sums;
    prefs.frameInfo.blockChecksumFlag = how.sums;
    size_t cap = LZ4F_compressFrameBound(len, &prefs);
    uint8_t *buffer = lb_alloc(LB_MEM_TEST, cap);
    size_t used = LZ4F_compressFrame(buffer, cap, data->data + from, len, &prefs);
    assert_false(LZ4F_isError(used));
    bytes_add(&out, buffer, used);
    lb_free(buffer);
  }
  return out;
}

static void check_all_rows(const struct rig *rig, int64_t rows) {
  int64_t at = 0;
  for (int i = 0; i < rig->out_count; i++) {
    int64_t length = rig->out[i].length;
    check_rows(&rig->arrow, rig->fields, rig->count, &rig->out[i], at, length);
    at += length;
  }
  assert_int_equal(at, rows);
}

static void test_pieces_of_any_size(void **state) {
  (void)state;
  static const size_t steps[] = {1, 2, 7, 8, 100, 1000, 5000, SIZE_MAX};
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 5, 100);
  struct packing ways[] = {{1, LZ4F_max64KB, false, false},
                           {1, LZ4F_max4MB, true, true},
                           {3, LZ4F_max64KB, true, true},
                           {7, LZ4F_max256KB, false, true}};
  for (size_t way = 0; way <= LB_ARRAY_LEN(ways); way++) {
    struct bytes packed =
        way == 0 ? bytes_exact(data.data, data.len) : pack(&data, ways[way - 1]);
    for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
      LB_TEST_OK(decode(&rig, &packed, way > 0, 500, steps[i]), &rig.err);
      assert_int_equal(rig.out_count, 5);
      assert_int_equal(lb_arrow_stream_rows(rig.stream), 500);
      check_all_rows(&rig, 500);
      rig_release(&rig);
    }
    bytes_free(&packed);
  }
  bytes_free(&data);
  rig_close(&rig);
}

/* More than a few slabs of numbers, in batches of some 800 KB. */
static const struct field numbers[] = {
    {.name = "a", .type = NANOARROW_TYPE_INT64},
    {.name = "b", .type = NANOARROW_TYPE_INT32},
};

static struct bytes numbers_file(struct rig *rig, int64_t batches, int64_t batch_rows) {
  struct bytes out = {NULL, 0};
  encode_schema(&out, &rig->arrow);
  for (int64_t i = 0; i < batches; i++) {
    struct ArrowArray array;
    NANO_OK(ArrowArrayInitFromSchema(&array, &rig->arrow, NULL));
    NANO_OK(ArrowArrayStartAppending(&array));
    NANO_OK(ArrowArrayReserve(&array, batch_rows));
    for (int64_t row = i * batch_rows; row < (i + 1) * batch_rows; row++) {
      NANO_OK(ArrowArrayAppendInt(array.children[0], row * 1234567891));
      NANO_OK(ArrowArrayAppendInt(array.children[1], row));
      NANO_OK(ArrowArrayFinishElement(&array));
    }
    NANO_OK(ArrowArrayFinishBuildingDefault(&array, NULL));
    encode_batch(&out, &rig->arrow, &array);
    ArrowArrayRelease(&array);
  }
  bytes_add(&out, END_MARK, 8);
  return out;
}

static void check_numbers(const struct ArrowArray *array, int64_t first) {
  const int64_t *a = array->children[0]->buffers[1];
  const int32_t *b = array->children[1]->buffers[1];
  for (int64_t i = 0; i < array->length; i++) {
    if (a[i] != (first + i) * 1234567891 || b[i] != (int32_t)(first + i)) {
      fail_msg("row %lld is wrong", (long long)(first + i));
    }
  }
}

static void check_all_numbers(const struct rig *rig, int64_t rows) {
  int64_t at = 0;
  for (int i = 0; i < rig->out_count; i++) {
    check_numbers(&rig->out[i], at);
    at += rig->out[i].length;
  }
  assert_int_equal(at, rows);
}

/* Pieces as the I/O thread cuts them: whole blocks, of at least so many bytes. */
static enum lb_status feed_cut(struct rig *rig, const struct bytes *data, size_t piece) {
  struct lb_lz4_scan scan;
  size_t from = 0;
  lb_lz4_scan_init(&scan);
  for (size_t pos = 0; pos < data->len;) {
    size_t cut, ahead, len = LB_MIN((size_t)16384, data->len - pos);
    LB_TEST_OK(lb_lz4_scan_feed(&scan, data->data + pos, len, &cut, &ahead, &rig->err),
               &rig->err);
    pos += len;
    if (cut == 0 || (pos - len + cut - from < piece && pos < data->len)) continue;
    LB_TRY(feed(rig, data->data + from, pos - len + cut - from));
    from = pos - len + cut;
  }
  assert_int_equal(from, data->len);
  return lb_arrow_stream_end(rig->stream, &rig->err);
}

/* Arrays point into slabs; only what was begun at the end of one is copied. */
static void test_slabs(void **state) {
  (void)state;
  enum { BATCHES = 40, ROWS = 60000 };
  static const LZ4F_blockSizeID_t blocks[] = {LZ4F_max64KB, LZ4F_max4MB};
  struct rig rig;
  rig_open(&rig, numbers, 2);
  struct bytes data = numbers_file(&rig, BATCHES, ROWS);
  int64_t message = (int64_t)data.len / BATCHES;
  for (int way = 0; way < 6; way++) {
    bool lz4 = way > 0;
    struct bytes packed =
        lz4 ? pack(&data, (struct packing){1, blocks[way % 2], (way & 2) != 0, true})
            : bytes_exact(data.data, data.len);
    struct lb_arrow_stream_options opts = options(&rig, lz4, BATCHES * ROWS);
    rig.drop = (way & 4) != 0;
    lb_arrow_stream_destroy(rig.stream);
    LB_TEST_OK(lb_arrow_stream_create(&opts, &rig.stream, &rig.err), &rig.err);
    LB_TEST_OK(lz4 ? feed_cut(&rig, &packed, 1 << 20) : feed_all(&rig, &packed, 300001),
               &rig.err);
    struct lb_arrow_stream_stats stats = lb_arrow_stream_stats(rig.stream);
    assert_int_equal(stats.in_bytes, packed.len);
    assert_int_equal(stats.raw_bytes, data.len);
    assert_in_range(stats.slabs, 3, 5);
    /* Less than a message a slab; without LZ4 not more than its head. */
    int64_t most = (stats.slabs - 1) * (lz4 ? message : 400);
    assert_in_range(stats.carried_bytes, 0, most);
    assert_int_equal(stats.built.realigned_buffers, 0);
    if (!rig.drop) {
      check_all_numbers(&rig, BATCHES * ROWS);
      /* Nothing keeps the slabs but the arrays. */
      lb_arrow_stream_destroy(rig.stream);
      rig.stream = NULL;
      check_all_numbers(&rig, BATCHES * ROWS);
      assert_int_equal(lb_pool_stats(rig.pool).live_blocks, stats.slabs);
    }
    rig_release(&rig);
    bytes_free(&packed);
  }
  /* Whoever drops what comes needs few slabs for any amount. */
  assert_in_range(lb_pool_stats(rig.pool).fresh, 3, 5);
  bytes_free(&data);
  rig_close(&rig);
}

/* Released slabs are written over by others while a stream with linked blocks goes on. */
static void test_linked_blocks_across_slabs(void **state) {
  (void)state;
  enum { BATCHES = 40, ROWS = 60000 };
  struct rig rig;
  rig_open(&rig, numbers, 2);
  struct bytes data = numbers_file(&rig, BATCHES, ROWS);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, true, true});
  struct lb_arrow_stream_options opts = options(&rig, true, BATCHES * ROWS);
  LB_TEST_OK(lb_arrow_stream_create(&opts, &rig.stream, &rig.err), &rig.err);
  int64_t at = 0;
  for (size_t pos = 0; pos < packed.len; pos += 5000) {
    LB_TEST_OK(feed(&rig, packed.data + pos, LB_MIN((size_t)5000, packed.len - pos)),
               &rig.err);
    for (int i = 0; i < rig.out_count; i++) {
      check_numbers(&rig.out[i], at);
      at += rig.out[i].length;
    }
    rig_release(&rig);
    struct lb_block *other;
    LB_TEST_OK(lb_pool_take(rig.pool, LB_BLOCK_SLAB, 1, &other, &rig.err), &rig.err);
    if (pos % 100000 == 0) memset(other->data, 0xEE, other->cap);
    lb_block_release(other);
  }
  LB_TEST_OK(lb_arrow_stream_end(rig.stream, &rig.err), &rig.err);
  assert_int_equal(at, BATCHES * ROWS);
  assert_in_range(lb_pool_stats(rig.pool).fresh, 1, 3);
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

static void test_a_message_larger_than_a_slab(void **state) {
  (void)state;
  enum { ROWS = 1150000 };
  struct rig rig;
  rig_open(&rig, numbers, 2);
  struct bytes data = {NULL, 0};
  struct bytes small = numbers_file(&rig, 1, 10), large = numbers_file(&rig, 1, ROWS);
  /* Ten rows, many rows, ten rows. */
  struct bytes schema = {NULL, 0};
  encode_schema(&schema, &rig.arrow);
  bytes_add(&data, small.data, small.len - 8);
  bytes_add(&data, large.data + schema.len, large.len - 8 - schema.len);
  bytes_add(&data, small.data + schema.len, small.len - schema.len);
  assert_true(data.len > LB_BLOCK_SLAB_BYTES + 1000000);
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    struct bytes packed =
        lz4 ? pack(&data, (struct packing){1, LZ4F_max4MB, false, false})
            : bytes_exact(data.data, data.len);
    LB_TEST_OK(decode(&rig, &packed, lz4, ROWS + 20, 1 << 20), &rig.err);
    assert_int_equal(rig.out_count, 3);
    check_numbers(&rig.out[0], 0);
    check_numbers(&rig.out[1], 0);
    check_numbers(&rig.out[2], 0);
    assert_int_equal(lb_arrow_stream_stats(rig.stream).slabs, lz4 ? 2 : 3);
    rig_release(&rig);
    bytes_free(&packed);
  }
  bytes_free(&schema);
  bytes_free(&small);
  bytes_free(&large);
  bytes_free(&data);
  rig_close(&rig);
}

/* A small file takes memory of its own size, and one that says so but is not, slabs. */
static void test_small_streams(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 5, 100);
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    struct bytes packed = lz4 ? pack(&data, (struct packing){2, LZ4F_max64KB, true, true})
                              : bytes_exact(data.data, data.len);
    static const size_t steps[] = {100, SIZE_MAX};
    for (size_t i = 0; i < 2; i++) {
      for (int lie = 0; lie <= 1; lie++) {
        struct lb_arrow_stream_options opts = options(&rig, lz4, 500);
        opts.raw_bytes = (int64_t)data.len - lie * (int64_t)data.len / 3;
        lb_arrow_stream_destroy(rig.stream);
        LB_TEST_OK(lb_arrow_stream_create(&opts, &rig.stream, &rig.err), &rig.err);
        int64_t before = lb_mem_stats(LB_MEM_ARROW).live_bytes;
        LB_TEST_OK(feed_all(&rig, &packed, steps[i]), &rig.err);
        int64_t kept = lb_mem_stats(LB_MEM_ARROW).live_bytes - before;
        check_all_rows(&rig, 500);
        assert_int_equal(lb_pool_stats(rig.pool).live_blocks, lie);
        if (!lie) assert_in_range(kept, data.len, data.len + 20000);
        rig_release(&rig);
      }
    }
    bytes_free(&packed);
  }
  bytes_free(&data);
  rig_close(&rig);
}

static void test_rows_are_counted(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 3, 20);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, false, true});
  for (int64_t rows = 0; rows <= 60; rows += 5) {
    for (int lz4 = 0; lz4 <= 1; lz4++) {
      LB_TEST_OK(decode(&rig, lz4 ? &packed : &data, lz4, rows, 333), &rig.err);
      assert_int_equal(rig.out_count, (rows + 19) / 20);
      check_all_rows(&rig, rows);
      rig_release(&rig);
    }
  }
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &data, false, 61, 333), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "1 rows are missing");
  LB_TEST_CONTAINS(rig.err.message, "61 rows begin at row 1000, its data holds 60");
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

/* Cut anywhere, with or without surplus rows: an error that says what is missing. */
static void test_truncation(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 2, 6);
  struct bytes packed = pack(&data, (struct packing){2, LZ4F_max64KB, false, true});
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    const struct bytes *whole = lz4 ? &packed : &data;
    for (size_t len = 0; len < whole->len; len += lb_test_step(whole->len, 30)) {
      struct bytes part = bytes_exact(whole->data, len);
      for (int64_t rows = 6; rows <= 12; rows += 6) {
        LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &part, lz4, rows, SIZE_MAX), &rig.err);
        rig_release(&rig);
      }
      bytes_free(&part);
    }
  }
  struct bytes part = bytes_exact(data.data, data.len - 8);
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &part, false, 12, 100), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "lacks its end mark");
  part.len -= 8;
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &part, false, 12, 100), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "is cut off");
  bytes_free(&part);
  part = bytes_exact(packed.data, packed.len - 1);
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &part, true, 12, 100), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "ends inside a frame");
  bytes_free(&part);
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &part, true, 12, 100), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "is empty");
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

/* A flipped bit in an LZ4 frame with checksums is always found, and never more than a
 * valid array is seen of one without. */
static void test_flipped_bits(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 2, 6);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, false, true});
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    const struct bytes *whole = lz4 ? &packed : &data;
    size_t bits = whole->len * 8;
    for (size_t i = 0; i < bits; i += 3 * lb_test_step(bits / 3, 60)) {
      struct bytes copy = bytes_exact(whole->data, whole->len);
      copy.data[i / 8] = (uint8_t)(copy.data[i / 8] ^ 1u << i % 8);
      enum lb_status status = decode(&rig, &copy, lz4, 12, 1000);
      if (lz4) assert_int_not_equal(status, LB_OK);
      if (status != LB_OK) LB_TEST_FAILS(status, status, &rig.err);
      for (int k = 0; k < rig.out_count; k++) {
        struct ArrowArrayView view;
        view_array(&view, &rig.schema.arrow, &rig.out[k]);
        ArrowArrayViewReset(&view);
      }
      rig_release(&rig);
      bytes_free(&copy);
    }
  }
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

static void test_schemas(void **state) {
  (void)state;
  static const struct field renamed[] = {{.name = "x", .type = NANOARROW_TYPE_INT64},
                                         {.name = "y", .type = NANOARROW_TYPE_INT32}};
  static const struct field other[] = {{.name = "a", .type = NANOARROW_TYPE_INT64},
                                       {.name = "b", .type = NANOARROW_TYPE_STRING}};
  const struct field *kinds[] = {renamed, other};
  struct rig rig;
  rig_open(&rig, numbers, 2);
  for (int kind = 0; kind < 3; kind++) {
    struct bytes data = {NULL, 0};
    struct ArrowSchema schema;
    make_schema(&schema, kinds[kind % 2], 2);
    if (kind < 2) encode_schema(&data, &schema);
    add_rows_message(&data, &rig.arrow, numbers, 2, 0, 5);
    bytes_add(&data, END_MARK, 8);
    enum lb_status status = decode(&rig, &data, false, 5, 50);
    static const char *const words[] = {"", "column 1 \"b\"",
                                        "rows come before a schema"};
    if (kind == 0) {
      LB_TEST_OK(status, &rig.err);
      check_all_rows(&rig, 5);
    } else {
      LB_TEST_FAILS(LB_PROTOCOL, status, &rig.err);
      LB_TEST_CONTAINS(rig.err.message, words[kind]);
      assert_int_equal(rig.out_count, 0);
    }
    rig_release(&rig);
    bytes_free(&data);
    ArrowSchemaRelease(&schema);
  }
  struct bytes mark = bytes_exact(END_MARK, 8);
  LB_TEST_FAILS(LB_PROTOCOL, decode(&rig, &mark, false, 0, 8), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "holds no schema");
  bytes_free(&mark);
  rig_close(&rig);
}

/* An inline batch: no schema, no end mark, what follows the last row is not looked at. */
static void test_inline_batches(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = {NULL, 0};
  add_rows_message(&data, &rig.arrow, all, ALL_COUNT, 0, 50);
  add_rows_message(&data, &rig.arrow, all, ALL_COUNT, 50, 50);
  bytes_add(&data, "what is this", 12);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, false, true});
  struct lb_arrow_stream_options opts = options(&rig, true, 100);
  opts.whole = false;
  LB_TEST_OK(lb_arrow_stream_create(&opts, &rig.stream, &rig.err), &rig.err);
  for (size_t step = 1; step <= 4096; step *= 8) {
    lb_arrow_stream_restart(rig.stream, 100, 7, 0);
    LB_TEST_OK(feed_all(&rig, &packed, step), &rig.err);
    check_all_rows(&rig, 100);
    rig_release(&rig);
  }
  lb_arrow_stream_restart(rig.stream, 101, 7, 0);
  LB_TEST_FAILS(LB_PROTOCOL, feed_all(&rig, &packed, 100), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "no message where one should begin");
  rig_release(&rig);
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

/* The batches of a page, one after the other: they share slabs, and none is copied. */
static void test_batches_share_slabs(void **state) {
  (void)state;
  static const struct field fields[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
      {.name = "s", .type = NANOARROW_TYPE_STRING}};
  enum { BATCHES = 30 };
  struct rig rig;
  rig_open(&rig, fields, 2);
  for (int lz4 = 0; lz4 <= 1; lz4++) {
    struct lb_arrow_stream_options opts = options(&rig, lz4, 0);
    opts.whole = false;
    lb_arrow_stream_destroy(rig.stream);
    LB_TEST_OK(lb_arrow_stream_create(&opts, &rig.stream, &rig.err), &rig.err);
    for (int i = 0; i < BATCHES; i++) {
      struct bytes data = {NULL, 0};
      add_rows_message(&data, &rig.arrow, fields, 2, i * 1000, 1000 + i);
      /* Of an odd length, so that the next one has to be moved. */
      if (i % 4 == 1) bytes_add(&data, "odd", 3);
      struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, true, true});
      lb_arrow_stream_restart(rig.stream, 1000 + i, 0, 0);
      LB_TEST_OK(feed_all(&rig, lz4 ? &packed : &data, SIZE_MAX), &rig.err);
      assert_int_equal(rig.out_count, i + 1);
      bytes_free(&packed);
      bytes_free(&data);
    }
    for (int i = 0; i < BATCHES; i++) {
      check_rows(&rig.arrow, fields, 2, &rig.out[i], i * 1000, 1000 + i);
    }
    struct lb_arrow_stream_stats stats = lb_arrow_stream_stats(rig.stream);
    assert_int_equal(stats.slabs, 1);
    assert_int_equal(stats.carried_bytes, 0);
    /* But of the first, before anything is known of the writer, and where bitmaps of
     * other lengths place them otherwise. */
    assert_in_range(stats.built.realigned_buffers, 0, BATCHES / 2);
    lb_arrow_stream_rest(rig.stream);
    rig_release(&rig);
    assert_int_equal(lb_pool_stats(rig.pool).live_blocks, 0);
  }
  rig_close(&rig);
}

/* A failure is told again and again; restart makes the stream usable. */
static void test_failures_stay(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 4, 20);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, false, true});
  rig.refuse_from = 2;
  LB_TEST_FAILS(LB_CANCELLED, decode(&rig, &packed, true, 80, 500), &rig.err);
  assert_string_equal(rig.err.message, "no more");
  lb_error_reset(&rig.err);
  LB_TEST_FAILS(LB_CANCELLED, feed(&rig, packed.data, packed.len), &rig.err);
  LB_TEST_FAILS(LB_CANCELLED, feed(&rig, packed.data, packed.len), NULL);
  LB_TEST_FAILS(LB_CANCELLED, lb_arrow_stream_end(rig.stream, &rig.err), &rig.err);
  assert_string_equal(rig.err.message, "no more");
  check_all_rows(&rig, 40);
  rig_release(&rig);
  rig.refuse_from = -1;
  lb_arrow_stream_restart(rig.stream, 80, 0, 0);
  LB_TEST_OK(feed_all(&rig, &packed, 500), &rig.err);
  check_all_rows(&rig, 80);
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

/* Decimals in every place of a row, behind bitmaps of a multiple of 16 bytes: none of
 * them is copied, from the first batch on. */
static void test_decimals_need_no_copy(void **state) {
  (void)state;
  static const struct field fields[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
      {.name = "bb", .type = NANOARROW_TYPE_INT64},
      {.name = "ccccc", .type = NANOARROW_TYPE_DECIMAL128, .precision = 38, .scale = 0},
      {.name = "d", .type = NANOARROW_TYPE_DECIMAL128, .precision = 18, .scale = 3},
      {.name = "eeeeeeeeee", .type = NANOARROW_TYPE_INT64},
  };
  for (int columns = 1; columns <= 5; columns++) {
    for (int lz4 = 0; lz4 <= 1; lz4++) {
      struct rig rig;
      rig_open(&rig, fields, columns);
      struct bytes made = file(&rig, 4, 10240);
      struct bytes data = as_by_arrow(&made);
      struct bytes packed =
          lz4 ? pack(&data, (struct packing){1, LZ4F_max4MB, false, false})
              : bytes_exact(data.data, data.len);
      for (int round = 0; round < 2; round++) {
        LB_TEST_OK(decode(&rig, &packed, lz4, 40960, SIZE_MAX), &rig.err);
        assert_int_equal((uintptr_t)rig.out[0].children[0]->buffers[1] % 16, 0);
        struct lb_arrow_stream_stats stats = lb_arrow_stream_stats(rig.stream);
        assert_int_equal(stats.built.realigned_buffers, 0);
        assert_int_equal(stats.built.realigned_bytes, 0);
        if (round == 1) check_all_rows(&rig, 40960);
        rig_release(&rig);
      }
      bytes_free(&packed);
      bytes_free(&data);
      bytes_free(&made);
      rig_close(&rig);
    }
  }
}

/* Behind a bitmap of 1256 bytes decimals lie 8 bytes off, in each batch: the first one
 * pays for it, and tells the others, also those of other files. */
static void test_alignment_is_learnt(void **state) {
  (void)state;
  static const struct field one[] = {
      {.name = "a", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2}};
  struct rig rig;
  rig_open(&rig, one, 1);
  struct bytes data = file(&rig, 4, 10000);
  for (int round = 0; round < 3; round++) {
    LB_TEST_OK(decode(&rig, &data, false, 40000, 70000), &rig.err);
    struct lb_arrow_stream_stats stats = lb_arrow_stream_stats(rig.stream);
    assert_int_equal(stats.built.realigned_buffers, round == 0 ? 1 : 0);
    for (int i = 0; i < rig.out_count; i++) {
      assert_int_equal((uintptr_t)rig.out[i].children[0]->buffers[1] % 16, 0);
    }
    if (round == 2) check_all_rows(&rig, 40000);
    rig_release(&rig);
  }
  bytes_free(&data);
  rig_close(&rig);
}

static void *release_on_thread(void *ctx) {
  struct ArrowArray *array = ctx;
  array->release(array);
  return NULL;
}

static void test_release_anywhere(void **state) {
  (void)state;
  struct rig rig;
  struct lb_thread threads[4];
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 4, 1000);
  LB_TEST_OK(decode(&rig, &data, false, 4000, SIZE_MAX), &rig.err);
  for (int i = 0; i < 4; i++) {
    LB_TEST_OK(
        lb_os_thread_start(&threads[i], "release", release_on_thread, &rig.out[i], NULL),
        NULL);
  }
  lb_arrow_stream_destroy(rig.stream);
  rig.stream = NULL;
  for (int i = 0; i < 4; i++) lb_os_thread_join(&threads[i]);
  rig.out_count = 0;
  bytes_free(&data);
  rig_close(&rig);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, all, ALL_COUNT);
  struct bytes data = file(&rig, 3, 20);
  struct bytes packed = pack(&data, (struct packing){1, LZ4F_max64KB, true, true});
  LB_TEST_TORTURE({
    LB_TEST_OOM_OR_OK(decode(&rig, &packed, true, 60, 700), &rig.err);
    rig_release(&rig);
    lb_arrow_stream_destroy(rig.stream);
    rig.stream = NULL;
    lb_pool_close(rig.pool);
  });
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

LB_TEST_MAIN(LB_TEST(test_pieces_of_any_size), LB_TEST(test_slabs),
             LB_TEST(test_linked_blocks_across_slabs),
             LB_TEST(test_a_message_larger_than_a_slab), LB_TEST(test_small_streams),
             LB_TEST(test_rows_are_counted), LB_TEST(test_truncation),
             LB_TEST(test_flipped_bits), LB_TEST(test_schemas),
             LB_TEST(test_inline_batches), LB_TEST(test_batches_share_slabs),
             LB_TEST(test_failures_stay), LB_TEST(test_decimals_need_no_copy),
             LB_TEST(test_alignment_is_learnt), LB_TEST(test_release_anywhere),
             LB_TEST(test_out_of_memory))
