/* SPDX-License-Identifier: Apache-2.0 */
#include "result/page_decode.h"

#include "wire/arrow_test_support.h"

#include <lz4frame.h>

#include "base/os.h"
#include "base/pool.h"
#include "io/workers.h"

enum { BATCHES = 24, ROWS = 7000 };

static const struct field fields[] = {
    {.name = "n", .type = NANOARROW_TYPE_INT64},
    {.name = "s", .type = NANOARROW_TYPE_STRING},
    {.name = "d", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2}};
#define FIELDS ((int)LB_ARRAY_LEN(fields))

/* A page of batches, each an LZ4 frame; batch i begins with row i * ROWS. */
struct rig {
  struct lb_io *io;
  struct ArrowSchema arrow;
  struct lb_result_schema schema;
  struct bytes packed[BATCHES];
  struct lb_t_spark_arrow_batch batches[BATCHES];
  struct lb_page_decode *dec;
  struct lb_error err;
};

static void pack(struct bytes *out, const struct bytes *data) {
  LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
  prefs.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  size_t cap = LZ4F_compressFrameBound(data->len, &prefs);
  out->data = lb_alloc(LB_MEM_TEST, cap);
  assert_non_null(out->data);
  out->len = LZ4F_compressFrame(out->data, cap, data->data, data->len, &prefs);
  assert_false(LZ4F_isError(out->len));
}

static void rig_open_together(struct rig *rig, int64_t together_rows) {
  *rig = (struct rig){0};
  LB_TEST_OK(lb_io_acquire(&rig->io, &rig->err), &rig->err);
  make_schema(&rig->arrow, fields, FIELDS);
  schema_from_arrow(&rig->schema, &rig->arrow);
  for (int i = 0; i < BATCHES; i++) {
    struct bytes data = {NULL, 0};
    add_rows_message(&data, &rig->arrow, fields, FIELDS, i * ROWS, ROWS);
    pack(&rig->packed[i], &data);
    bytes_free(&data);
    rig->batches[i] = (struct lb_t_spark_arrow_batch){.batch = bytes_str(&rig->packed[i]),
                                                      .row_count = LB_T_I64(ROWS)};
  }
  LB_TEST_OK(lb_page_decode_create(rig->io, &rig->schema, true, together_rows, &rig->dec,
                                   &rig->err),
             &rig->err);
}

static void rig_open(struct rig *rig) { rig_open_together(rig, 0); }

static void rig_close(struct rig *rig) {
  lb_page_decode_destroy(rig->dec);
  for (int i = 0; i < BATCHES; i++) bytes_free(&rig->packed[i]);
  lb_result_schema_reset(&rig->schema);
  ArrowSchemaRelease(&rig->arrow);
  lb_io_release(rig->io);
}

static void begin(struct rig *rig) {
  bool begun = false;
  LB_TEST_OK(lb_page_decode_begin(rig->dec, rig->batches, BATCHES, 0, &begun, &rig->err),
             &rig->err);
  assert_true(begun);
  assert_true(lb_page_decode_active(rig->dec));
}

/* Batches from .. to - 1, which come one by one. */
static void read_batches(struct rig *rig, int from, int to) {
  for (int i = from; i < to; i++) {
    struct ArrowArray array = {0};
    LB_TEST_OK(lb_page_decode_next(rig->dec, &array, &rig->err), &rig->err);
    assert_non_null(array.release);
    check_rows(&rig->arrow, fields, FIELDS, &array, i * ROWS, ROWS);
    array.release(&array);
  }
}

static void test_in_order(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig);
  for (int round = 0; round < 3; round++) {
    struct ArrowArray array = {0};
    begin(&rig);
    assert_false(lb_page_decode_used_up(rig.dec));
    read_batches(&rig, 0, BATCHES);
    assert_true(lb_page_decode_used_up(rig.dec));
    LB_TEST_OK(lb_page_decode_next(rig.dec, &array, &rig.err), &rig.err);
    assert_null(array.release);
    lb_page_decode_stop(rig.dec);
    assert_false(lb_page_decode_active(rig.dec));
    if (round == 1) lb_page_decode_rest(rig.dec);
  }
  assert_in_range(lb_workers_running(rig.io), 1, LB_WORKERS_MAX);
  rig_close(&rig);
}

/* A page can be given up at any moment, and the next one begun at once. */
static void test_stop_anywhere(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig);
  for (int until = 0; until < BATCHES; until += lb_test_rounds(1, 9)) {
    begin(&rig);
    read_batches(&rig, 0, until);
    lb_page_decode_stop(rig.dec);
    lb_page_decode_stop(rig.dec);
    if (until % 3 == 0) lb_page_decode_rest(rig.dec);
  }
  begin(&rig); /* is destroyed as it is */
  rig_close(&rig);
}

/* What goes before a damaged batch is handed out, then its error, again and again. */
static void test_failures_have_their_turn(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig);
  for (int bad = 0; bad < BATCHES; bad += 5) {
    struct bytes *packed = &rig.packed[bad];
    packed->data[packed->len / 2] ^= 0x10;
    begin(&rig);
    read_batches(&rig, 0, bad);
    for (int i = 0; i < 2; i++) {
      struct ArrowArray array = {0};
      lb_error_reset(&rig.err);
      LB_TEST_FAILS(LB_PROTOCOL, lb_page_decode_next(rig.dec, &array, &rig.err),
                    &rig.err);
      LB_TEST_CONTAINS(rig.err.message, "LZ4 data is damaged");
      assert_null(array.release);
    }
    lb_page_decode_stop(rig.dec);
    packed->data[packed->len / 2] ^= 0x10;
  }
  rig.batches[3].row_count = LB_T_I64(ROWS + 1);
  begin(&rig);
  read_batches(&rig, 0, 3);
  struct ArrowArray array = {0};
  LB_TEST_FAILS(LB_PROTOCOL, lb_page_decode_next(rig.dec, &array, &rig.err), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "7001 rows begin at row 21000");
  rig_close(&rig);
}

/* Batches of no rows are passed over, those of several messages come in parts. */
static void test_empty_batches_and_parts(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig);
  for (int i = 0; i < BATCHES; i += 2) rig.batches[i].row_count = LB_T_I64(0);
  struct bytes data = {NULL, 0}, packed;
  add_rows_message(&data, &rig.arrow, fields, FIELDS, 0, 100);
  add_rows_message(&data, &rig.arrow, fields, FIELDS, 100, 200);
  pack(&packed, &data);
  rig.batches[0] = (struct lb_t_spark_arrow_batch){.batch = bytes_str(&packed),
                                                   .row_count = LB_T_I64(300)};
  begin(&rig);
  for (int part = 0; part < 2; part++) {
    struct ArrowArray array = {0};
    LB_TEST_OK(lb_page_decode_next(rig.dec, &array, &rig.err), &rig.err);
    check_rows(&rig.arrow, fields, FIELDS, &array, part * 100, (part + 1) * 100);
    array.release(&array);
  }
  for (int i = 1; i < BATCHES; i += 2) read_batches(&rig, i, i + 1);
  struct ArrowArray array = {0};
  LB_TEST_OK(lb_page_decode_next(rig.dec, &array, &rig.err), &rig.err);
  assert_null(array.release);
  assert_true(lb_page_decode_used_up(rig.dec));
  lb_page_decode_stop(rig.dec);
  bytes_free(&packed);
  bytes_free(&data);
  rig_close(&rig);
}

/* After the first array of a unit the others are at hand, whatever the workers do. */
static void test_small_batches_are_at_hand_together(void **state) {
  (void)state;
  enum { TOGETHER = 5 };
  struct rig rig;
  rig_open_together(&rig, TOGETHER * ROWS + ROWS / 2);
  begin(&rig);
  for (int first = 0; first < BATCHES; first += TOGETHER) {
    read_batches(&rig, first, first + 1);
    for (int i = first + 1; i < LB_MIN(first + TOGETHER, BATCHES); i++) {
      struct ArrowArray array;
      lb_page_decode_at_hand(rig.dec, &array);
      assert_non_null(array.release);
      check_rows(&rig.arrow, fields, FIELDS, &array, i * ROWS, ROWS);
      array.release(&array);
    }
  }
  assert_true(lb_page_decode_used_up(rig.dec));
  struct ArrowArray none = {0};
  lb_page_decode_at_hand(rig.dec, &none);
  assert_null(none.release);
  lb_page_decode_stop(rig.dec);
  /* Given up in the midst of a unit. */
  begin(&rig);
  read_batches(&rig, 0, TOGETHER + 2);
  lb_page_decode_stop(rig.dec);
  /* What goes before a damaged batch of a unit is handed out, then its error. */
  rig.packed[7].data[rig.packed[7].len / 2] ^= 0x10;
  begin(&rig);
  read_batches(&rig, 0, 7);
  lb_page_decode_at_hand(rig.dec, &none);
  assert_null(none.release);
  LB_TEST_FAILS(LB_PROTOCOL, lb_page_decode_next(rig.dec, &none, &rig.err), &rig.err);
  LB_TEST_CONTAINS(rig.err.message, "LZ4 data is damaged");
  assert_false(lb_page_decode_used_up(rig.dec));
  rig_close(&rig);
}

/* A slab that batches share is not filled to its end, so that the same memory is written
 * again and again. */
static void test_small_batches_stay_in_the_cache(void **state) {
  (void)state;
  enum { ROUNDS = 12 };
  struct rig rig;
  const void *seen[ROUNDS];
  int32_t count = 0;
  int distinct = 0;
  rig_open_together(&rig, (int64_t)BATCHES * ROWS);
  for (int64_t bytes = 0; bytes < LB_PAGE_DECODE_MIN_BYTES; count++) {
    bytes += (int64_t)rig.packed[count].len;
    assert_true(bytes <= LB_PAGE_TOGETHER_BYTES);
  }
  for (int round = 0; round < ROUNDS; round++) {
    bool begun = false, known = false;
    struct ArrowArray array = {0};
    LB_TEST_OK(lb_page_decode_begin(rig.dec, rig.batches, count, 0, &begun, &rig.err),
               &rig.err);
    assert_true(begun);
    LB_TEST_OK(lb_page_decode_next(rig.dec, &array, &rig.err), &rig.err);
    const void *where = array.children[0]->buffers[1];
    for (int i = 0; i < distinct; i++) known = known || seen[i] == where;
    if (!known) seen[distinct++] = where;
    array.release(&array);
    read_batches(&rig, 1, count);
    lb_page_decode_stop(rig.dec);
  }
  assert_in_range(distinct, 1, 3);
  rig_close(&rig);
}

static void test_small_pages_are_left_alone(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig);
  assert_true((int64_t)rig.packed[0].len < LB_PAGE_DECODE_MIN_BYTES);
  bool begun = true;
  LB_TEST_OK(lb_page_decode_begin(rig.dec, rig.batches, 1, 0, &begun, &rig.err),
             &rig.err);
  assert_false(begun);
  assert_false(lb_page_decode_active(rig.dec));
  rig_close(&rig);
}

/* Many results at once share the few workers; some give up. */
struct reader {
  const struct rig *rig;
  bool failed;
};

static bool read_page(struct lb_page_decode *dec, const struct rig *rig, int until) {
  bool right = false;
  if (lb_page_decode_begin(dec, rig->batches, BATCHES, 0, &right, NULL) != LB_OK) {
    return false;
  }
  for (int i = 0; i < until && right; i++) {
    struct ArrowArray array = {0};
    struct lb_error err = LB_ERROR_INIT;
    right = lb_page_decode_next(dec, &array, &err) == LB_OK && array.release != NULL &&
            array.length == ROWS;
    if (array.release == NULL) break;
    const int64_t *numbers = array.children[0]->buffers[1];
    right = right && numbers[1] == ((int64_t)i * ROWS + 1) % 100;
    array.release(&array);
  }
  lb_page_decode_stop(dec);
  return right;
}

static void *read_pages(void *ctx) {
  struct reader *reader = ctx;
  const struct rig *rig = reader->rig;
  struct lb_page_decode *dec;
  if (lb_page_decode_create(rig->io, &rig->schema, true, 0, &dec, NULL) != LB_OK) {
    reader->failed = true;
    return NULL;
  }
  int rounds = lb_test_rounds(6, 2);
  for (int round = 0; round < rounds; round++) {
    int until = round % 2 == 0 ? BATCHES : round * 3;
    if (!read_page(dec, rig, until)) reader->failed = true;
  }
  lb_page_decode_destroy(dec);
  return NULL;
}

static void test_many_results(void **state) {
  (void)state;
  enum { READERS = 8 };
  struct rig rig;
  struct reader readers[READERS];
  struct lb_thread threads[READERS];
  int count = lb_test_rounds(READERS, 2);
  rig_open(&rig);
  for (int i = 0; i < count; i++) {
    readers[i] = (struct reader){.rig = &rig};
    LB_TEST_OK(lb_os_thread_start(&threads[i], "reader", read_pages, &readers[i], NULL),
               NULL);
  }
  for (int i = 0; i < count; i++) {
    lb_os_thread_join(&threads[i]);
    assert_false(readers[i].failed);
  }
  /* The number of slabs does not grow with the pages. */
  assert_in_range(lb_pool_stats(lb_io_pool(rig.io)).fresh, 1,
                  READERS * (LB_WORKERS_MAX + 1) * 3);
  rig_close(&rig);
}

LB_TEST_MAIN(LB_TEST(test_in_order), LB_TEST(test_stop_anywhere),
             LB_TEST(test_failures_have_their_turn),
             LB_TEST(test_empty_batches_and_parts),
             LB_TEST(test_small_batches_are_at_hand_together),
             LB_TEST(test_small_batches_stay_in_the_cache),
             LB_TEST(test_small_pages_are_left_alone), LB_TEST(test_many_results))
