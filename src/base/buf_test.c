/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/test_support.h"

static void test_appends_in_network_order(void **state) {
  (void)state;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, 1000);
  lb_buf_append_u8(&buf, 1);
  lb_buf_append_be16(&buf, 0x0203);
  lb_buf_append_be32(&buf, 0x04050607);
  lb_buf_append_be64(&buf, UINT64_C(0x08090a0b0c0d0e0f));
  LB_TEST_OK(lb_buf_check(&buf, "x", NULL), NULL);
  for (size_t i = 0; i < 15; i++) assert_int_equal(buf.data[i], i + 1);
  assert_int_equal(buf.len, 15);
  lb_buf_reset(&buf);
  assert_null(buf.data);
  assert_int_equal(buf.max, 1000);
}

static void test_text_forms(void **state) {
  (void)state;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, 1000);
  assert_string_equal(lb_buf_text(&buf), "");
  lb_buf_append_text(&buf, "a");
  lb_buf_append_str(&buf, (struct lb_str){"bcd", 2});
  lb_buf_append_str(&buf, lb_str_from(NULL));
  lb_buf_appendf(&buf, "-%d-%s", 7, "x");
  lb_buf_appendf(&buf, "%s", "");
  assert_string_equal(lb_buf_text(&buf), "abc-7-x");
  assert_int_equal(buf.len, 7);
  lb_buf_append_u8(&buf, '!');
  assert_string_equal(lb_buf_text(&buf), "abc-7-x!");
  lb_buf_reset(&buf);
}

static void test_grows_and_keeps_content(void **state) {
  (void)state;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, SIZE_MAX);
  for (size_t i = 0; i < 10000; i++) lb_buf_appendf(&buf, "%04d,", (int)i);
  LB_TEST_OK(lb_buf_check(&buf, "x", NULL), NULL);
  assert_int_equal(buf.len, 50000);
  assert_memory_equal(buf.data, "0000,0001,", 10);
  assert_memory_equal(buf.data + 49995, "9999,", 5);
  size_t cap = buf.cap;
  lb_buf_clear(&buf);
  assert_int_equal(buf.len, 0);
  assert_int_equal(buf.cap, cap);
  lb_buf_reset(&buf);
}

static void test_ceiling_is_exact_and_sticky(void **state) {
  (void)state;
  struct lb_buf buf;
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&buf, LB_MEM_WIRE, 4);
  lb_buf_append_text(&buf, "abcd");
  assert_string_equal(lb_buf_text(&buf), "abcd");
  lb_buf_append(&buf, NULL, 0);
  LB_TEST_OK(lb_buf_check(&buf, "the request", &err), &err);
  lb_buf_append_u8(&buf, 'e');
  assert_int_equal(buf.len, 4);
  LB_TEST_FAILS(LB_INVALID_DATA, lb_buf_check(&buf, "the request", &err), &err);
  LB_TEST_CONTAINS(err.message, "the request is larger than the limit of 4 bytes");
  assert_null(lb_buf_text(&buf));
  assert_null(lb_buf_extend(&buf, 0));
  lb_buf_appendf(&buf, "x");
  lb_buf_clear(&buf);
  lb_buf_appendf(&buf, "%s", "wxyz");
  assert_string_equal(lb_buf_text(&buf), "wxyz");
  lb_buf_appendf(&buf, "%s", "0");
  assert_int_equal(buf.status, LB_INVALID_DATA);
  lb_buf_reset(&buf);
  lb_buf_append(&buf, "12345", 5);
  assert_int_equal(buf.status, LB_INVALID_DATA);
  lb_buf_reset(&buf);
  lb_buf_reserve(&buf, SIZE_MAX);
  assert_int_equal(buf.status, LB_INVALID_DATA);
  lb_buf_reset(&buf);
}

static void test_extend_and_reserve(void **state) {
  (void)state;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, 100);
  assert_non_null(lb_buf_extend(&buf, 0));
  lb_buf_reserve(&buf, 100);
  LB_TEST_OK(lb_buf_check(&buf, "x", NULL), NULL);
  uint8_t *data = buf.data;
  assert_true(buf.cap >= 100);
  uint8_t *room = lb_buf_extend(&buf, 3);
  assert_non_null(room);
  memcpy(room, "abc", 3);
  room = lb_buf_extend(&buf, 97);
  assert_non_null(room);
  memset(room, 'z', 97);
  assert_ptr_equal(buf.data, data);
  assert_int_equal(buf.len, 100);
  assert_memory_equal(buf.data, "abcz", 4);
  lb_buf_reset(&buf);
}

static void test_move(void **state) {
  (void)state;
  struct lb_buf a, b;
  lb_buf_init(&a, LB_MEM_WIRE, 10);
  lb_buf_init(&b, LB_MEM_IO, 20);
  lb_buf_append_text(&a, "old");
  lb_buf_append_text(&b, "new");
  LB_TEST_OK(lb_buf_check(&a, "a", NULL), NULL);
  LB_TEST_OK(lb_buf_check(&b, "b", NULL), NULL);
  lb_buf_move(&a, &b);
  assert_string_equal(lb_buf_text(&a), "new");
  assert_int_equal(a.max, 20);
  assert_null(b.data);
  assert_int_equal(b.len, 0);
  lb_buf_move(&a, &a);
  assert_string_equal(lb_buf_text(&a), "new");
  lb_buf_append_text(&b, "again");
  lb_buf_reset(&a);
  lb_buf_reset(&b);
}

#define LARGE ((size_t)3000000)

static void fill_large(struct lb_buf *buf, size_t bytes) {
  static const char chunk[1000] = "what was there stays";
  for (size_t done = 0; done < bytes; done += LB_MIN(sizeof chunk, bytes - done)) {
    lb_buf_append(buf, chunk, LB_MIN(sizeof chunk, bytes - done));
  }
}

/* From the heap to a small block, to a large one, and back to the heap. */
static void test_large_ones_take_blocks(void **state) {
  (void)state;
  struct lb_buf buf, other;
  struct lb_pool *pool;
  struct lb_error err;
  LB_TEST_OK(lb_pool_create(&pool, &err), &err);
  lb_buf_init(&buf, LB_MEM_IO, 3 * LB_BLOCK_REPLY_BYTES);
  lb_buf_init(&other, LB_MEM_IO, SIZE_MAX);
  lb_buf_use_pool(&buf, pool);
  static const struct {
    size_t bytes;
    enum lb_block_kind kind;
    bool block;
  } steps[] = {{1000, LB_BLOCK_INPUT, false},
               {LARGE, LB_BLOCK_INPUT, true},
               {3 * LARGE, LB_BLOCK_REPLY, true},
               {LB_BLOCK_REPLY_BYTES + 1000, LB_BLOCK_REPLY, false}};
  for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
    fill_large(&buf, steps[i].bytes - buf.len);
    LB_TEST_OK(lb_buf_check(&buf, "it", &err), &err);
    assert_int_equal(buf.len, steps[i].bytes);
    assert_int_equal(buf.block != NULL, steps[i].block);
    if (buf.block != NULL) assert_int_equal(buf.block->kind, steps[i].kind);
    assert_int_equal(lb_pool_stats(pool).live_blocks, steps[i].block);
    for (size_t at = 0; at < buf.len; at += 1000) {
      assert_int_equal(buf.data[at], 'w');
    }
  }
  lb_buf_reset(&buf);
  lb_buf_reserve(&buf, LARGE);
  assert_int_equal(lb_pool_stats(pool).recycled, 1);
  lb_buf_append_text(&buf, "moved");
  lb_buf_move(&other, &buf);
  assert_null(buf.data);
  assert_string_equal(lb_buf_text(&other), "moved");
  assert_int_equal(lb_pool_stats(pool).live_blocks, 1);
  lb_buf_reserve(&other, LB_BLOCK_REPLY_BYTES); /* it has no pool any more */
  LB_TEST_OK(lb_buf_check(&other, "it", &err), &err);
  assert_null(other.block);
  assert_string_equal(lb_buf_text(&other), "moved");
  assert_int_equal(lb_pool_stats(pool).live_blocks, 0);
  lb_buf_reset(&other);
  lb_buf_reset(&buf);
  lb_pool_release(pool);
}

static void write_to_a_pool(void) {
  struct lb_pool *pool;
  struct lb_error err = LB_ERROR_INIT;
  if (lb_pool_create(&pool, &err) != LB_OK) return;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, SIZE_MAX);
  lb_buf_use_pool(&buf, pool);
  lb_buf_append_text(&buf, "small");
  lb_buf_reserve(&buf, LARGE);
  lb_buf_reserve(&buf, 3 * LARGE);
  LB_TEST_OOM_OR_OK(lb_buf_check(&buf, "a test", &err), &err);
  if (buf.len > 0) assert_memory_equal(buf.data, "small", buf.len);
  lb_buf_reset(&buf);
  lb_pool_release(pool);
}

static void write_all(void) {
  struct lb_buf buf;
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&buf, LB_MEM_WIRE, SIZE_MAX);
  lb_buf_append_be32(&buf, 1);
  lb_buf_appendf(&buf, "%0200d", 1);
  uint8_t *room = lb_buf_extend(&buf, 1000);
  assert_true((room == NULL) == lb_mem_failed());
  if (room != NULL) memset(room, 0, 1000);
  lb_buf_reserve(&buf, 5000);
  const char *text = lb_buf_text(&buf);
  assert_true((text == NULL) == lb_mem_failed());
  LB_TEST_OOM_OR_OK(lb_buf_check(&buf, "a test", &err), &err);
  lb_buf_reset(&buf);
}

static void test_out_of_memory_is_sticky(void **state) {
  (void)state;
  LB_TEST_TORTURE(write_all());
  LB_TEST_TORTURE(write_to_a_pool());
}

static void test_huge_growth_is_out_of_memory(void **state) {
  (void)state;
  struct lb_buf buf;
  lb_buf_init(&buf, LB_MEM_WIRE, SIZE_MAX);
  lb_buf_append_u8(&buf, 1);
  lb_buf_reserve(&buf, SIZE_MAX - 1);
  assert_int_equal(buf.status, LB_OUT_OF_MEMORY);
  lb_buf_reset(&buf);
}

LB_TEST_MAIN(LB_TEST(test_appends_in_network_order), LB_TEST(test_text_forms),
             LB_TEST(test_grows_and_keeps_content),
             LB_TEST(test_ceiling_is_exact_and_sticky), LB_TEST(test_extend_and_reserve),
             LB_TEST(test_move), LB_TEST(test_large_ones_take_blocks),
             LB_TEST(test_out_of_memory_is_sticky),
             LB_TEST(test_huge_growth_is_out_of_memory))
