/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdatomic.h>

#include "base/os.h"
#include "base/test_support.h"

static struct lb_pool *open_pool(void) {
  struct lb_pool *pool = NULL;
  struct lb_error err;
  LB_TEST_OK(lb_pool_create(&pool, &err), &err);
  return pool;
}

static struct lb_block *take(struct lb_pool *pool, enum lb_block_kind kind,
                             size_t bytes) {
  struct lb_block *block = NULL;
  struct lb_error err;
  LB_TEST_OK(lb_pool_take(pool, kind, bytes, &block, &err), &err);
  return block;
}

static void test_what_is_released_is_used_again(void **state) {
  (void)state;
  struct lb_pool *pool = open_pool();
  struct lb_block *first = take(pool, LB_BLOCK_SLAB, 1);
  struct lb_block *second = take(pool, LB_BLOCK_SLAB, LB_BLOCK_SLAB_BYTES);
  struct lb_block *input = take(pool, LB_BLOCK_INPUT, 0);
  assert_int_equal(first->cap, LB_BLOCK_SLAB_BYTES);
  assert_int_equal(input->cap, LB_BLOCK_INPUT_BYTES);
  assert_int_equal((uintptr_t)first->data % 64, 0);
  memset(first->data, 1, first->cap);
  memset(input->data, 2, input->cap);
  assert_int_equal(lb_pool_stats(pool).live_bytes,
                   2 * LB_BLOCK_SLAB_BYTES + LB_BLOCK_INPUT_BYTES);
  lb_block_release(first);
  lb_block_release(second);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 2 * LB_BLOCK_SLAB_BYTES);
  /* The one released last comes first; kinds do not mix. */
  assert_ptr_equal(take(pool, LB_BLOCK_SLAB, 5), second);
  assert_ptr_equal(take(pool, LB_BLOCK_SLAB, 5), first);
  struct lb_block *third = take(pool, LB_BLOCK_INPUT, 5);
  assert_ptr_not_equal(third, input);
  struct lb_pool_stats stats = lb_pool_stats(pool);
  assert_int_equal(stats.fresh, 4);
  assert_int_equal(stats.recycled, 2);
  assert_int_equal(stats.idle_bytes, 0);
  lb_block_release(first);
  lb_block_release(second);
  lb_block_release(third);
  lb_block_release(input);
  lb_block_release(NULL);
  lb_pool_release(pool);
  lb_pool_release(NULL);
}

static void test_larger_ones_are_not_kept(void **state) {
  (void)state;
  struct lb_pool *pool = open_pool();
  struct lb_block *small = take(pool, LB_BLOCK_INPUT, 1);
  struct lb_block *large = take(pool, LB_BLOCK_INPUT, LB_BLOCK_INPUT_BYTES + 1);
  assert_int_equal(large->cap, LB_BLOCK_INPUT_BYTES + 1);
  large->data[large->cap - 1] = 1;
  lb_block_release(large);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
  lb_block_release(small);
  struct lb_block *none = NULL;
  struct lb_error err;
  LB_TEST_FAILS(LB_OUT_OF_MEMORY,
                lb_pool_take(pool, LB_BLOCK_SLAB, SIZE_MAX, &none, &err), &err);
  assert_null(none);
  lb_pool_release(pool);
}

/* A block may be the last that knows of its pool. */
static void test_a_block_outlives_its_pools_owner(void **state) {
  (void)state;
  struct lb_pool *pool = open_pool();
  struct lb_block *block = take(pool, LB_BLOCK_SLAB, 1);
  struct lb_block *other = take(pool, LB_BLOCK_SLAB, 1);
  lb_block_release(other);
  lb_pool_close(pool);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
  lb_pool_release(pool);
  block->data[0] = 1;
  lb_block_release(block);
}

static void test_a_closed_pool_keeps_nothing(void **state) {
  (void)state;
  struct lb_pool *pool = open_pool();
  lb_pool_close(pool);
  struct lb_block *block = take(pool, LB_BLOCK_INPUT, 1);
  lb_block_release(block);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
  assert_false(lb_pool_trim(pool, 5000));
  lb_pool_release(pool);
}

static void count_call(void *ctx) { (*(int *)ctx)++; }

static void test_trim(void **state) {
  (void)state;
  int warmed = 0;
  struct lb_pool *pool = open_pool();
  struct lb_block *blocks[4];
  lb_pool_on_warm(pool, count_call, &warmed);
  assert_false(lb_pool_trim(pool, 10000)); /* nothing has happened */
  for (int i = 0; i < 4; i++) blocks[i] = take(pool, LB_BLOCK_INPUT, 1);
  assert_int_equal(warmed, 1);
  assert_true(lb_pool_trim(pool, 11000));
  for (int i = 0; i < 4; i++) lb_block_release(blocks[i]);
  assert_true(lb_pool_trim(pool, 11500)); /* too early to say */
  assert_true(lb_pool_trim(pool, 12000)); /* were not idle all the time */
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 4 * LB_BLOCK_INPUT_BYTES);
  /* One of the four is in use now and then: three are too many. */
  blocks[0] = take(pool, LB_BLOCK_INPUT, 1);
  lb_block_release(blocks[0]);
  assert_true(lb_pool_trim(pool, 13000));
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 1 * LB_BLOCK_INPUT_BYTES);
  assert_ptr_equal(take(pool, LB_BLOCK_INPUT, 1), blocks[0]);
  lb_block_release(blocks[0]);
  assert_true(lb_pool_trim(pool, 14000));
  assert_false(lb_pool_trim(pool, 15000));
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
  assert_int_equal(warmed, 1);
  lb_pool_release(pool);
}

/* Idle blocks of one kind are not kept beside many of another that are made. */
static void test_growth_replaces_what_is_idle(void **state) {
  (void)state;
  enum { INPUTS = 6, SLABS = 8 };
  struct lb_pool *pool = open_pool();
  struct lb_block *inputs[INPUTS], *slabs[SLABS];
  for (int i = 0; i < INPUTS; i++) inputs[i] = take(pool, LB_BLOCK_INPUT, 1);
  for (int i = 0; i < INPUTS; i++) lb_block_release(inputs[i]);
  int64_t idle = INPUTS * (int64_t)LB_BLOCK_INPUT_BYTES;
  assert_int_equal(lb_pool_stats(pool).idle_bytes, idle);
  for (int i = 0; i < SLABS; i++) {
    slabs[i] = take(pool, LB_BLOCK_SLAB, 1);
    struct lb_pool_stats stats = lb_pool_stats(pool);
    bool keeps = stats.live_bytes + stats.idle_bytes <= (int64_t)LB_POOL_KEEP_BYTES;
    assert_true(keeps || stats.idle_bytes < idle || idle == 0);
    idle = stats.idle_bytes;
  }
  assert_int_equal(idle, 0);
  /* Its own kind is used again, however much there is. */
  for (int i = 0; i < SLABS; i++) lb_block_release(slabs[i]);
  for (int i = 0; i < SLABS; i++) slabs[i] = take(pool, LB_BLOCK_SLAB, 1);
  assert_int_equal(lb_pool_stats(pool).recycled, SLABS);
  for (int i = 0; i < SLABS; i++) lb_block_release(slabs[i]);
  lb_pool_release(pool);
}

/* Whoever holds blocks for long and then lets go leaves nothing idle behind. */
static void test_a_cold_pool_keeps_nothing(void **state) {
  (void)state;
  int warmed = 0;
  struct lb_pool *pool = open_pool();
  lb_pool_on_warm(pool, count_call, &warmed);
  struct lb_block *block = take(pool, LB_BLOCK_SLAB, 1);
  assert_true(lb_pool_trim(pool, 1000));
  assert_false(lb_pool_trim(pool, 2000));
  lb_block_release(block);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, 0);
  block = take(pool, LB_BLOCK_SLAB, 1);
  assert_int_equal(warmed, 2);
  lb_block_release(block);
  assert_int_equal(lb_pool_stats(pool).idle_bytes, LB_BLOCK_SLAB_BYTES);
  assert_true(lb_pool_trim(pool, 3000));
  lb_pool_release(pool);
}

/* Many take, others release, one trims; a block is never with two at a time. */
enum { THREADS = 4, PLACES = 8 };
#define ROUNDS lb_test_rounds(3000, 40)
struct traffic {
  struct lb_pool *pool;
  _Atomic(struct lb_block *) places[PLACES];
  atomic_int failures;
};

static void hand_over(struct traffic *it, int place, struct lb_block *block) {
  struct lb_block *found = atomic_exchange(&it->places[place], block);
  if (found == NULL) return;
  if (found->data[0] != 7 || found->data[found->cap - 1] != 7) {
    atomic_fetch_add(&it->failures, 1);
  }
  found->data[0] = found->data[found->cap - 1] = 0;
  lb_block_release(found);
}

static void *take_and_release(void *ctx) {
  struct traffic *it = ctx;
  struct lb_error err;
  for (int i = 0; i < ROUNDS; i++) {
    struct lb_block *block = NULL;
    enum lb_block_kind kind = i % 3 == 0 ? LB_BLOCK_SLAB : LB_BLOCK_INPUT;
    if (lb_pool_take(it->pool, kind, 1, &block, &err) != LB_OK) {
      atomic_fetch_add(&it->failures, 1);
      continue;
    }
    /* Fresh pages are zero, and each releaser leaves zeros: a 7 is somebody else's. */
    if (block->data[0] != 0 || block->data[block->cap - 1] != 0) {
      atomic_fetch_add(&it->failures, 1);
    }
    block->data[0] = block->data[block->cap - 1] = 7;
    hand_over(it, i % PLACES, block);
  }
  return NULL;
}

static void *trim_often(void *ctx) {
  struct traffic *it = ctx;
  for (int i = 1; i < ROUNDS; i++) (void)lb_pool_trim(it->pool, i * LB_POOL_IDLE_MS);
  return NULL;
}

static void test_many_threads(void **state) {
  (void)state;
  struct traffic it = {.pool = open_pool()};
  struct lb_thread threads[THREADS + 1];
  for (int i = 0; i <= THREADS; i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "pool",
                                  i < THREADS ? take_and_release : trim_often, &it, NULL),
               NULL);
  }
  for (int i = 0; i <= THREADS; i++) lb_os_thread_join(&threads[i]);
  for (int i = 0; i < PLACES; i++) hand_over(&it, i, NULL);
  struct lb_pool_stats stats = lb_pool_stats(it.pool);
  assert_int_equal(atomic_load(&it.failures), 0);
  assert_int_equal(stats.live_bytes, 0);
  assert_int_equal(stats.live_blocks, 0);
  assert_int_equal(stats.fresh + stats.recycled, THREADS * ROUNDS);
  assert_true(stats.recycled > 0);
  assert_true(stats.idle_bytes >= 0);
  lb_pool_close(it.pool);
  assert_int_equal(lb_pool_stats(it.pool).idle_bytes, 0);
  lb_pool_release(it.pool);
}

static void test_out_of_memory(void **state) {
  (void)state;
  LB_TEST_TORTURE({
    struct lb_pool *pool = NULL;
    struct lb_block *block = NULL;
    struct lb_error err = LB_ERROR_INIT;
    enum lb_status status = lb_pool_create(&pool, &err);
    if (status == LB_OK) status = lb_pool_take(pool, LB_BLOCK_SLAB, 1, &block, &err);
    LB_TEST_OOM_OR_OK(status, &err);
    lb_block_release(block);
    lb_pool_release(pool);
  });
}

LB_TEST_MAIN(LB_TEST(test_what_is_released_is_used_again),
             LB_TEST(test_larger_ones_are_not_kept),
             LB_TEST(test_a_block_outlives_its_pools_owner),
             LB_TEST(test_a_closed_pool_keeps_nothing), LB_TEST(test_trim),
             LB_TEST(test_growth_replaces_what_is_idle),
             LB_TEST(test_a_cold_pool_keeps_nothing), LB_TEST(test_many_threads),
             LB_TEST(test_out_of_memory))
