/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/arrow_merge.h"

#include "wire/arrow_test_support.h"

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
    {.name = "n", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2},
    {.name = "day", .type = NANOARROW_TYPE_DATE32},
    {.name = "at", .type = NANOARROW_TYPE_TIMESTAMP},
    {.name = "void", .type = NANOARROW_TYPE_NA},
};
#define ALL_COUNT ((int)LB_ARRAY_LEN(all))

struct rig {
  struct ArrowSchema schema;
  struct lb_arrow_merger *merger;
  struct lb_error err;
};

static void rig_open(struct rig *rig, const struct field *fields, int count,
                     int64_t target) {
  *rig = (struct rig){0};
  make_schema(&rig->schema, fields, count);
  LB_TEST_OK(lb_arrow_merger_create(&rig->schema, target, &rig->merger, &rig->err),
             &rig->err);
}

static void rig_close(struct rig *rig) {
  lb_arrow_merger_destroy(rig->merger);
  ArrowSchemaRelease(&rig->schema);
}

static void add_rows(struct rig *rig, const struct field *fields, int count,
                     int64_t first, int64_t rows) {
  struct ArrowArray array;
  make_array(&array, &rig->schema, fields, count, first, rows);
  lb_arrow_merger_add(rig->merger, &array);
  assert_null(array.release);
}

/* Arrays of every length, so that bits meet at every place of a byte. */
static void test_every_type(void **state) {
  (void)state;
  for (int64_t step = 1; step < 40; step += 3) {
    struct rig rig;
    struct ArrowArray out;
    rig_open(&rig, all, ALL_COUNT, 100000);
    int64_t rows = 0;
    for (int64_t i = 0; i < 20; i++) {
      int64_t length = step + i % 5;
      assert_true(lb_arrow_merger_wants(rig.merger));
      add_rows(&rig, all, ALL_COUNT, rows, length);
      rows += length;
    }
    lb_arrow_merger_take(rig.merger, &out);
    assert_true(lb_arrow_merger_empty(rig.merger));
    check_rows(&rig.schema, all, ALL_COUNT, &out, 0, rows);
    assert_int_equal(out.children[ALL_COUNT - 1]->null_count, rows);
    assert_int_equal(lb_arrow_merger_stats(rig.merger).merged_arrays, 20);
    out.release(&out);
    lb_arrow_merger_take(rig.merger, &out);
    assert_null(out.release);
    rig_close(&rig);
  }
}

/* LIST<STRUCT<INT, STRING>> and MAP<STRING, INT>, with nulls on every level. */
static void nested_schema(struct ArrowSchema *out) {
  ArrowSchemaInit(out);
  NANO_OK(ArrowSchemaSetTypeStruct(out, 2));
  struct ArrowSchema *list = out->children[0], *map = out->children[1];
  NANO_OK(ArrowSchemaSetType(list, NANOARROW_TYPE_LIST));
  NANO_OK(ArrowSchemaSetName(list, "l"));
  NANO_OK(ArrowSchemaSetTypeStruct(list->children[0], 2));
  NANO_OK(ArrowSchemaSetType(list->children[0]->children[0], NANOARROW_TYPE_INT32));
  NANO_OK(ArrowSchemaSetType(list->children[0]->children[1], NANOARROW_TYPE_STRING));
  NANO_OK(ArrowSchemaSetType(map, NANOARROW_TYPE_MAP));
  NANO_OK(ArrowSchemaSetName(map, "m"));
  NANO_OK(ArrowSchemaSetType(map->children[0]->children[0], NANOARROW_TYPE_STRING));
  NANO_OK(ArrowSchemaSetType(map->children[0]->children[1], NANOARROW_TYPE_INT32));
}

static void nested_array(struct ArrowArray *out, const struct ArrowSchema *schema,
                         int64_t first, int64_t rows) {
  NANO_OK(ArrowArrayInitFromSchema(out, schema, NULL));
  NANO_OK(ArrowArrayStartAppending(out));
  for (int64_t row = first; row < first + rows; row++) {
    struct ArrowArray *list = out->children[0], *item = list->children[0];
    for (int64_t i = 0; i < row % 4; i++) {
      NANO_OK(ArrowArrayAppendInt(item->children[0], row * 10 + i));
      if (row % 7 == 0) {
        NANO_OK(ArrowArrayAppendNull(item->children[1], 1));
      } else {
        NANO_OK(ArrowArrayAppendString(item->children[1], ArrowCharView("ab")));
      }
      NANO_OK(ArrowArrayFinishElement(item));
    }
    NANO_OK(row % 5 == 4 && row % 4 == 0 ? ArrowArrayAppendNull(list, 1)
                                         : ArrowArrayFinishElement(list));
    struct ArrowArray *map = out->children[1], *pair = map->children[0];
    for (int64_t i = 0; i < row % 3; i++) {
      NANO_OK(ArrowArrayAppendString(pair->children[0], ArrowCharView("key")));
      NANO_OK(ArrowArrayAppendInt(pair->children[1], row - i));
      NANO_OK(ArrowArrayFinishElement(pair));
    }
    NANO_OK(ArrowArrayFinishElement(map));
    NANO_OK(ArrowArrayFinishElement(out));
  }
  NANO_OK(ArrowArrayFinishBuildingDefault(out, NULL));
}

static void same_view(const struct ArrowArrayView *a, const struct ArrowArrayView *b) {
  assert_int_equal(a->length, b->length);
  for (int64_t i = 0; i < a->length; i++) {
    int8_t null = ArrowArrayViewIsNull(a, i);
    assert_int_equal(null, ArrowArrayViewIsNull(b, i));
    if (null) continue;
    if (a->storage_type == NANOARROW_TYPE_INT32) {
      assert_int_equal(ArrowArrayViewGetIntUnsafe(a, i),
                       ArrowArrayViewGetIntUnsafe(b, i));
    } else if (a->storage_type == NANOARROW_TYPE_STRING) {
      struct ArrowStringView x = ArrowArrayViewGetStringUnsafe(a, i);
      struct ArrowStringView y = ArrowArrayViewGetStringUnsafe(b, i);
      assert_int_equal(x.size_bytes, y.size_bytes);
      assert_memory_equal(x.data, y.data, (size_t)x.size_bytes);
    } else if (a->n_children == 1) {
      assert_int_equal(a->buffer_views[1].data.as_int32[i + 1],
                       b->buffer_views[1].data.as_int32[i + 1]);
    }
  }
  for (int64_t i = 0; i < a->n_children; i++) same_view(a->children[i], b->children[i]);
}

/* The first `cut` rows of an array, or those behind, as views with offsets have them. */
static void test_nested_and_cut(void **state) {
  (void)state;
  for (int64_t cut = 1; cut < 30; cut++) {
    struct rig rig = {0};
    struct ArrowArray whole, out, parts[3];
    nested_schema(&rig.schema);
    LB_TEST_OK(lb_arrow_merger_create(&rig.schema, 1000, &rig.merger, &rig.err),
               &rig.err);
    nested_array(&whole, &rig.schema, 0, 60);
    nested_array(&parts[0], &rig.schema, 0, 30);
    nested_array(&parts[1], &rig.schema, cut, 30 - cut + 10);
    nested_array(&parts[2], &rig.schema, 40, 20);
    /* Cut by lengths, as surplus rows are, and by an offset, as a consumer might. */
    parts[0].length = cut;
    for (int i = 0; i < 2; i++) parts[0].children[i]->length = cut;
    for (int i = 0; i < 2; i++) parts[0].children[i]->null_count = -1;
    for (int i = 0; i < 3; i++) lb_arrow_merger_add(rig.merger, &parts[i]);
    lb_arrow_merger_take(rig.merger, &out);
    struct ArrowArrayView a, b;
    view_array(&a, &rig.schema, &whole);
    view_array(&b, &rig.schema, &out);
    same_view(&a, &b);
    ArrowArrayViewReset(&a);
    ArrowArrayViewReset(&b);
    out.release(&out);
    whole.release(&whole);
    rig_close(&rig);
  }
}

/* Of rows that were cut off only some may have been null. */
static void check_null_counts(const struct ArrowSchema *schema,
                              const struct ArrowArray *array) {
  struct ArrowArrayView view;
  view_array(&view, schema, array);
  for (int64_t i = 0; i < array->n_children; i++) {
    int64_t nulls = 0;
    for (int64_t row = 0; row < array->length; row++) {
      nulls += ArrowArrayViewIsNull(view.children[i], row);
    }
    if (array->children[i]->null_count >= 0) {
      assert_int_equal(array->children[i]->null_count, nulls);
    }
  }
  ArrowArrayViewReset(&view);
}

static void test_offsets(void **state) {
  (void)state;
  struct rig rig;
  struct ArrowArray out;
  rig_open(&rig, all, ALL_COUNT, 100000);
  for (int64_t i = 0; i < 5; i++) {
    struct ArrowArray array;
    make_array(&array, &rig.schema, all, ALL_COUNT, i * 10 - 3, 13);
    array.offset = 3; /* of the struct: its children are not cut */
    array.length = 10;
    lb_arrow_merger_add(rig.merger, &array);
  }
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 0, 50);
  check_null_counts(&rig.schema, &out);
  out.release(&out);
  rig_close(&rig);
}

static void texts_array(struct ArrowArray *out, const struct ArrowSchema *schema,
                        const char *text, size_t bytes, int count) {
  NANO_OK(ArrowArrayInitFromSchema(out, schema, NULL));
  NANO_OK(ArrowArrayStartAppending(out));
  for (int i = 0; i < count; i++) {
    const struct ArrowStringView value = {text, (int64_t)bytes - i};
    NANO_OK(ArrowArrayAppendString(out->children[0], value));
    NANO_OK(ArrowArrayFinishElement(out));
  }
  NANO_OK(ArrowArrayFinishBuildingDefault(out, NULL));
}

static void test_wide_offsets(void **state) {
  (void)state;
  static const struct field one[] = {{.name = "s", .type = NANOARROW_TYPE_LARGE_STRING}};
  enum { PARTS = 3, ROWS = 5 };
  struct rig rig;
  struct ArrowArray part, out;
  struct ArrowArrayView view;
  rig_open(&rig, one, 1, 1000);
  for (int i = 0; i < PARTS; i++) {
    texts_array(&part, &rig.schema, &"abcdefghijkl"[i], 10, ROWS);
    lb_arrow_merger_add(rig.merger, &part);
  }
  lb_arrow_merger_take(rig.merger, &out);
  assert_int_equal(lb_arrow_merger_stats(rig.merger).merged_arrays, PARTS);
  view_array(&view, &rig.schema, &out);
  assert_int_equal(out.length, PARTS * ROWS);
  for (int row = 0; row < PARTS * ROWS; row++) {
    struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view.children[0], row);
    assert_int_equal(text.size_bytes, 10 - row % ROWS);
    assert_memory_equal(text.data, &"abcdefghijkl"[row / ROWS], (size_t)text.size_bytes);
  }
  ArrowArrayViewReset(&view);
  out.release(&out);
  rig_close(&rig);
}

/* Large arrays pass through as they are; the small ones before them come first. */
static void test_targets(void **state) {
  (void)state;
  struct rig rig;
  struct ArrowArray out;
  rig_open(&rig, all, ALL_COUNT, 100);
  assert_true(lb_arrow_merger_empty(rig.merger));
  add_rows(&rig, all, ALL_COUNT, 0, 30);
  add_rows(&rig, all, ALL_COUNT, 30, 30);
  assert_true(lb_arrow_merger_wants(rig.merger));
  add_rows(&rig, all, ALL_COUNT, 60, 500);
  assert_false(lb_arrow_merger_wants(rig.merger));
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 0, 60);
  out.release(&out);
  int64_t copied = lb_arrow_merger_stats(rig.merger).copied_bytes;
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 60, 500);
  assert_int_equal(lb_arrow_merger_stats(rig.merger).copied_bytes, copied);
  out.release(&out);
  rig_close(&rig);
  /* Without a target every array is one. */
  rig_open(&rig, all, ALL_COUNT, 0);
  assert_false(lb_arrow_merger_wants(rig.merger));
  add_rows(&rig, all, ALL_COUNT, 0, 5);
  lb_arrow_merger_take(rig.merger, &out);
  assert_int_equal(out.length, 5);
  out.release(&out);
  add_rows(&rig, all, ALL_COUNT, 0, 5); /* is never taken */
  rig_close(&rig);
}

/* By bytes: those of half as many as may be merged, though there is room for others. */
static void test_wide_rows_are_not_copied(void **state) {
  (void)state;
  static const struct field one[] = {{.name = "s", .type = NANOARROW_TYPE_STRING}};
  static const size_t bytes[] = {3 << 20, (size_t)5 << 17, 1 << 10, 3 << 20};
  struct rig rig;
  rig_open(&rig, one, 1, 1000);
  char *text = lb_alloc(LB_MEM_TEST, bytes[0]);
  assert_non_null(text);
  memset(text, 'w', bytes[0]);
  for (size_t i = 0; i < LB_ARRAY_LEN(bytes); i++) {
    struct ArrowArray array;
    texts_array(&array, &rig.schema, text, bytes[i], 1);
    lb_arrow_merger_add(rig.merger, &array);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(bytes); i++) {
    struct ArrowArray out;
    lb_arrow_merger_take(rig.merger, &out);
    assert_int_equal(out.length, 1);
    const int32_t *offsets = out.children[0]->buffers[1];
    assert_int_equal(offsets[1], bytes[i]);
    out.release(&out);
  }
  assert_int_equal(lb_arrow_merger_stats(rig.merger).copied_bytes, 0);
  lb_free(text);
  rig_close(&rig);
}

/* So many parts as come to the target, or to the most bytes; the rest follows. */
static void test_what_has_no_room_follows(void **state) {
  (void)state;
  struct rig rig;
  struct ArrowArray out;
  rig_open(&rig, all, ALL_COUNT, 100);
  for (int64_t i = 0; i < 3; i++) add_rows(&rig, all, ALL_COUNT, i * 40, 40);
  assert_false(lb_arrow_merger_wants(rig.merger));
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 0, 80);
  out.release(&out);
  assert_true(lb_arrow_merger_wants(rig.merger));
  add_rows(&rig, all, ALL_COUNT, 120, 50); /* half of the target is large */
  assert_false(lb_arrow_merger_wants(rig.merger));
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 80, 40);
  out.release(&out);
  lb_arrow_merger_take(rig.merger, &out);
  check_rows(&rig.schema, all, ALL_COUNT, &out, 120, 50);
  out.release(&out);
  assert_int_equal(lb_arrow_merger_stats(rig.merger).merged_arrays, 2);
  rig_close(&rig);
}

static void test_most_bytes(void **state) {
  (void)state;
  static const struct field one[] = {
      {.name = "n", .type = NANOARROW_TYPE_DECIMAL128, .precision = 10, .scale = 2}};
  enum { ROWS = LB_ARROW_MERGE_MAX_BYTES / 16 * 2 / 9 }; /* four have room */
  struct rig rig;
  struct ArrowArray out;
  rig_open(&rig, one, 1, INT64_C(1) << 30);
  int64_t added = 0, taken = 0;
  for (; lb_arrow_merger_wants(rig.merger); added += ROWS) {
    add_rows(&rig, one, 1, added, ROWS);
  }
  assert_int_equal(added, 5 * ROWS);
  while (!lb_arrow_merger_empty(rig.merger)) {
    lb_arrow_merger_take(rig.merger, &out);
    check_rows(&rig.schema, one, 1, &out, taken, out.length);
    assert_int_equal(out.length, taken == 0 ? 4 * ROWS : ROWS);
    taken += out.length;
    out.release(&out);
  }
  assert_int_equal(taken, added);
  assert_true(lb_arrow_merger_stats(rig.merger).copied_bytes > 0);
  rig_close(&rig);
}

/* Codes without their dictionary would be other values. */
static void test_dictionaries_are_left_alone(void **state) {
  (void)state;
  static const struct field one[] = {{.name = "c", .type = NANOARROW_TYPE_INT32}};
  struct rig rig = {0};
  make_schema(&rig.schema, one, 1);
  NANO_OK(ArrowSchemaAllocateDictionary(rig.schema.children[0]));
  ArrowSchemaInit(rig.schema.children[0]->dictionary);
  NANO_OK(ArrowSchemaSetType(rig.schema.children[0]->dictionary, NANOARROW_TYPE_STRING));
  LB_TEST_OK(lb_arrow_merger_create(&rig.schema, 100, &rig.merger, &rig.err), &rig.err);
  assert_false(lb_arrow_merger_wants(rig.merger));
  rig_close(&rig);
}

/* Without memory for the copy the arrays go out one by one. */
static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE({
    struct rig rig = {0};
    make_schema(&rig.schema, all, 1);
    enum lb_status status =
        lb_arrow_merger_create(&rig.schema, 100, &rig.merger, &rig.err);
    for (int64_t i = 0; status == LB_OK && i < 3; i++) add_rows(&rig, all, 1, i * 5, 5);
    int64_t rows = 0;
    while (status == LB_OK && !lb_arrow_merger_empty(rig.merger)) {
      struct ArrowArray out;
      lb_arrow_merger_take(rig.merger, &out);
      check_rows(&rig.schema, all, 1, &out, rows, out.length);
      rows += out.length;
      out.release(&out);
    }
    if (status == LB_OK) {
      assert_int_equal(rows, 15);
    } else {
      LB_TEST_OOM_OR_OK(status, &rig.err);
    }
    rig_close(&rig);
  });
}

LB_TEST_MAIN(LB_TEST(test_every_type), LB_TEST(test_nested_and_cut),
             LB_TEST(test_offsets), LB_TEST(test_wide_offsets), LB_TEST(test_targets),
             LB_TEST(test_wide_rows_are_not_copied),
             LB_TEST(test_what_has_no_room_follows), LB_TEST(test_most_bytes),
             LB_TEST(test_dictionaries_are_left_alone), LB_TEST(test_out_of_memory))
