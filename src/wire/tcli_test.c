/* SPDX-License-Identifier: Apache-2.0 */
/* The tables as such: their order, their places in the structs, and every row of them
 * written and read back. That ids, types and names are the service's is tested from
 * outside (tests/test_tcli_tables.py). */
#include "wire/tcli.h"

#include "base/test_support.h"

#define ARENA_MAX_BYTES (16 * 1024 * 1024)

static size_t member_size(const struct lb_tfield *f) {
  switch ((enum lb_ttype)f->type) {
    case LB_TT_BOOL:
      return sizeof(struct lb_t_bool);
    case LB_TT_BYTE:
      return sizeof(struct lb_t_i8);
    case LB_TT_I16:
      return sizeof(struct lb_t_i16);
    case LB_TT_I32:
      return sizeof(struct lb_t_i32);
    case LB_TT_I64:
      return sizeof(struct lb_t_i64);
    case LB_TT_DOUBLE:
      return sizeof(struct lb_t_double);
    case LB_TT_STRING:
      return sizeof(struct lb_str);
    case LB_TT_STRUCT:
      return sizeof(void *);
    case LB_TT_LIST:
      return sizeof(struct lb_t_list);
    case LB_TT_MAP:
      return sizeof(struct lb_t_map);
    case LB_TT_SET:
    case LB_TT_UUID:
    case LB_TT_STOP:
      break;
  }
  fail_msg("%s has type %u", f->name, f->type);
  return 0;
}

/* Members stand in the order of their rows, with nothing but padding in between. */
static void check_places(const struct lb_tstruct *desc) {
  size_t end = 0;
  for (unsigned i = 0; i <= desc->field_count; i++) {
    bool last = i == desc->field_count;
    size_t begin = last ? desc->size : desc->fields[i].offset;
    if (begin < end || begin - end >= 8) {
      fail_msg("%s: %s begins at %zu, the member before ends at %zu", desc->name,
               last ? "the end" : desc->fields[i].name, begin, end);
    }
    if (!last) end = begin + member_size(&desc->fields[i]);
  }
}

static void test_rows(void **state) {
  (void)state;
  assert_true(lb_tcli_all_count > 80);
  for (size_t d = 0; d < lb_tcli_all_count; d++) {
    const struct lb_tstruct *desc = lb_tcli_all[d];
    assert_true(desc->field_count > 0);
    for (unsigned i = 0; i < desc->field_count; i++) {
      const struct lb_tfield *f = &desc->fields[i];
      if (i > 0) assert_true(f->id > desc->fields[i - 1].id);
      bool holds_structs = f->type == LB_TT_STRUCT || f->elem == LB_TT_STRUCT;
      assert_int_equal(f->sub != NULL, holds_structs);
      bool container = f->type == LB_TT_LIST || f->type == LB_TT_MAP;
      assert_int_equal(f->elem != LB_TT_STOP, container);
      if (f->elem == LB_TT_LIST) assert_true(f->flags & LB_TF_RAW);
    }
    check_places(desc);
  }
}

static void test_every_struct_is_listed_once(void **state) {
  (void)state;
  for (size_t d = 0; d < lb_tcli_all_count; d++) {
    for (size_t e = 0; e < d; e++) {
      assert_string_not_equal(lb_tcli_all[d]->name, lb_tcli_all[e]->name);
    }
    for (unsigned i = 0; i < lb_tcli_all[d]->field_count; i++) {
      const struct lb_tstruct *sub = lb_tcli_all[d]->fields[i].sub;
      bool found = sub == NULL;
      for (size_t e = 0; e < lb_tcli_all_count; e++) found |= lb_tcli_all[e] == sub;
      assert_true(found);
    }
  }
}

/* Sample messages: all members set, to a depth at which only the required ones are. */
#define SAMPLE_DEPTH 5
#define SAMPLE_COUNT 2

static void *room(struct lb_arena *arena, size_t count, size_t size) {
  void *array = lb_arena_array(arena, count, size);
  assert_non_null(array);
  return array;
}

static void fill(const struct lb_tstruct *desc, void *msg, struct lb_arena *arena,
                 int depth);

static void *fill_structs(const struct lb_tstruct *sub, size_t count,
                          struct lb_arena *arena, int depth) {
  uint8_t *items = room(arena, count, sub->size);
  for (size_t i = 0; i < count; i++) {
    fill(sub, items + i * sub->size, arena, depth + 1);
  }
  return items;
}

static struct lb_str *fill_strings(struct lb_arena *arena, const char *text) {
  struct lb_str *strings = room(arena, SAMPLE_COUNT, sizeof(*strings));
  strings[0] = lb_str_from(text);
  strings[1] = LB_STR("");
  return strings;
}

static void fill_list(const struct lb_tfield *f, struct lb_t_list *list,
                      struct lb_arena *arena, int depth) {
  /* Two strings, two empty lists of strings, or two numbers of any width. */
  static const uint8_t strings[] = {0, 0, 0, 1, 'x', 0, 0, 0, 0};
  static const uint8_t lists[] = {LB_TT_STRING, 0, 0, 0, 0, LB_TT_STRING, 0, 0, 0, 0};
  static const uint8_t numbers[] = {1, 2,  3,  4,  5,  6,  7,  8,
                                    9, 10, 11, 12, 13, 14, 15, 16};
  *list = (struct lb_t_list){.set = true, .count = SAMPLE_COUNT};
  if (f->elem == LB_TT_STRUCT) {
    list->items = fill_structs(f->sub, SAMPLE_COUNT, arena, depth);
  } else if (f->elem == LB_TT_LIST) {
    list->raw = lists;
    list->raw_bytes = sizeof(lists);
  } else if (f->elem == LB_TT_STRING && f->flags & LB_TF_RAW) {
    list->raw = strings;
    list->raw_bytes = sizeof(strings);
  } else if (f->elem == LB_TT_STRING) {
    list->items = fill_strings(arena, f->name);
  } else {
    size_t wide = f->elem == LB_TT_I64 || f->elem == LB_TT_DOUBLE ? 8
                  : f->elem == LB_TT_I32                          ? 4
                  : f->elem == LB_TT_I16                          ? 2
                                                                  : 1;
    list->raw = numbers;
    list->raw_bytes = SAMPLE_COUNT * wide;
  }
}

static void fill_map(const struct lb_tfield *f, struct lb_t_map *map,
                     struct lb_arena *arena, int depth) {
  *map = (struct lb_t_map){.set = true, .count = SAMPLE_COUNT};
  map->keys = fill_strings(arena, "key");
  if (f->elem == LB_TT_STRUCT) {
    map->values = fill_structs(f->sub, SAMPLE_COUNT, arena, depth);
  } else if (f->elem == LB_TT_I32) {
    int32_t *numbers = room(arena, SAMPLE_COUNT, sizeof(*numbers));
    numbers[0] = f->id;
    numbers[1] = INT32_MIN;
    map->values = numbers;
  } else {
    map->values = fill_strings(arena, f->name);
  }
}

static void fill(const struct lb_tstruct *desc, void *msg, struct lb_arena *arena,
                 int depth) {
  for (unsigned i = 0; i < desc->field_count; i++) {
    const struct lb_tfield *f = &desc->fields[i];
    void *member = (uint8_t *)msg + f->offset;
    if (depth >= SAMPLE_DEPTH && !(f->flags & LB_TF_REQUIRED)) continue;
    if (f->type == LB_TT_BOOL) {
      *(struct lb_t_bool *)member = LB_T_BOOL(i % 2 == 0);
    } else if (f->type == LB_TT_BYTE) {
      *(struct lb_t_i8 *)member = (struct lb_t_i8){true, -5};
    } else if (f->type == LB_TT_I16) {
      *(struct lb_t_i16 *)member = LB_T_I16((int16_t)-f->id);
    } else if (f->type == LB_TT_I32) {
      *(struct lb_t_i32 *)member = LB_T_I32(-70000 - f->id);
    } else if (f->type == LB_TT_I64) {
      *(struct lb_t_i64 *)member = LB_T_I64(INT64_MIN + f->id);
    } else if (f->type == LB_TT_DOUBLE) {
      *(struct lb_t_double *)member = LB_T_DOUBLE(-1.5 * f->id);
    } else if (f->type == LB_TT_STRING) {
      *(struct lb_str *)member = lb_str_from(f->name);
    } else if (f->type == LB_TT_STRUCT) {
      *(void **)member = fill_structs(f->sub, 1, arena, depth);
    } else if (f->type == LB_TT_LIST) {
      fill_list(f, member, arena, depth);
    } else {
      fill_map(f, member, arena, depth);
    }
  }
}

static void check_same(const struct lb_tstruct *desc, const void *a, const void *b);

static void check_same_items(const struct lb_tfield *f, const void *a, const void *b) {
  for (size_t i = 0; i < SAMPLE_COUNT; i++) {
    if (f->elem == LB_TT_STRUCT) {
      check_same(f->sub, (const uint8_t *)a + i * f->sub->size,
                 (const uint8_t *)b + i * f->sub->size);
    } else if (f->elem == LB_TT_I32) {
      assert_int_equal(((const int32_t *)a)[i], ((const int32_t *)b)[i]);
    } else {
      assert_true(
          lb_str_equal(((const struct lb_str *)a)[i], ((const struct lb_str *)b)[i]));
    }
  }
}

static void check_same_list(const struct lb_tfield *f, const struct lb_t_list *a,
                            const struct lb_t_list *b) {
  assert_int_equal(a->set, b->set);
  assert_int_equal(a->count, b->count);
  assert_int_equal(a->raw_bytes, b->raw_bytes);
  if (a->raw) assert_memory_equal(a->raw, b->raw, a->raw_bytes);
  if (a->items) check_same_items(f, a->items, b->items);
}

static void check_same(const struct lb_tstruct *desc, const void *a, const void *b) {
  for (unsigned i = 0; i < desc->field_count; i++) {
    const struct lb_tfield *f = &desc->fields[i];
    const void *one = (const uint8_t *)a + f->offset;
    const void *two = (const uint8_t *)b + f->offset;
    if (f->type == LB_TT_LIST) {
      check_same_list(f, one, two);
    } else if (f->type == LB_TT_MAP) {
      const struct lb_t_map *map = one;
      const struct lb_t_map *other = two;
      assert_int_equal(map->set, other->set);
      assert_int_equal(map->count, other->count);
      for (int32_t k = 0; k < map->count; k++) {
        assert_true(lb_str_equal(map->keys[k], other->keys[k]));
      }
      if (map->count > 0) check_same_items(f, map->values, other->values);
    } else if (f->type == LB_TT_STRING) {
      const struct lb_str *text = one;
      assert_int_equal(text->data != NULL, ((const struct lb_str *)two)->data != NULL);
      assert_true(lb_str_equal(*text, *(const struct lb_str *)two));
    } else if (f->type == LB_TT_STRUCT) {
      const void *sub = *(void *const *)one;
      assert_int_equal(sub != NULL, *(void *const *)two != NULL);
      if (sub) check_same(f->sub, sub, *(void *const *)two);
    } else {
      /* A scalar is its `set`, padding, and its value in the second half. */
      size_t half = member_size(f) / 2;
      assert_memory_equal(one, two, 1);
      assert_memory_equal((const uint8_t *)one + half, (const uint8_t *)two + half, half);
    }
  }
}

static void test_every_struct_comes_back(void **state) {
  (void)state;
  for (size_t d = 0; d < lb_tcli_all_count; d++) {
    const struct lb_tstruct *desc = lb_tcli_all[d];
    struct lb_arena arena;
    struct lb_buf buf;
    struct lb_error err = LB_ERROR_INIT;
    lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
    lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
    void *msg = room(&arena, 1, desc->size);
    void *back = room(&arena, 1, desc->size);
    fill(desc, msg, &arena, 0);
    LB_TEST_OK(lb_thrift_write_struct(&buf, desc, msg, &err), &err);
    struct lb_str body = {(const char *)buf.data, buf.len};
    size_t consumed = 0;
    LB_TEST_OK(lb_thrift_read_struct(body, desc, back, &arena, &consumed, &err), &err);
    assert_int_equal(consumed, buf.len);
    check_same(desc, msg, back);
    lb_buf_reset(&buf);
    lb_arena_reset(&arena);
  }
}

/* A required member that is absent is named, in the writer and in the reader. */
static void test_every_required_row(void **state) {
  (void)state;
  int required = 0;
  for (size_t d = 0; d < lb_tcli_all_count; d++) {
    const struct lb_tstruct *desc = lb_tcli_all[d];
    struct lb_tfield optional[64];
    struct lb_tstruct lax = *desc;
    assert_true(desc->field_count <= LB_ARRAY_LEN(optional));
    lax.fields = optional;
    for (unsigned i = 0; i < desc->field_count; i++) {
      optional[i] = desc->fields[i];
      optional[i].flags &= (uint8_t)~LB_TF_REQUIRED;
    }
    for (unsigned i = 0; i < desc->field_count; i++) {
      if (!(desc->fields[i].flags & LB_TF_REQUIRED)) continue;
      required++;
      struct lb_arena arena;
      struct lb_buf buf;
      struct lb_error err = LB_ERROR_INIT;
      lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
      lb_buf_init(&buf, LB_MEM_WIRE, ARENA_MAX_BYTES);
      uint8_t *msg = room(&arena, 1, desc->size);
      fill(desc, msg, &arena, SAMPLE_DEPTH - 1);
      memset(msg + desc->fields[i].offset, 0, member_size(&desc->fields[i]));
      LB_TEST_FAILS(LB_INTERNAL, lb_thrift_write_struct(&buf, desc, msg, &err), &err);
      LB_TEST_CONTAINS(err.message, desc->fields[i].name);
      LB_TEST_OK(lb_thrift_write_struct(&buf, &lax, msg, &err), &err);
      struct lb_str body = {(const char *)buf.data, buf.len};
      LB_TEST_FAILS(LB_PROTOCOL,
                    lb_thrift_read_struct(body, desc, msg, &arena, NULL, &err), &err);
      LB_TEST_CONTAINS(err.message, desc->fields[i].name);
      lb_buf_reset(&buf);
      lb_arena_reset(&arena);
    }
  }
  assert_true(required > 80);
}

LB_TEST_MAIN(LB_TEST(test_rows), LB_TEST(test_every_struct_is_listed_once),
             LB_TEST(test_every_struct_comes_back), LB_TEST(test_every_required_row))
