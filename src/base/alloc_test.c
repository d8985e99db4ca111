/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include "base/os.h"
#include "base/test_support.h"

static void test_counts_by_tag(void **state) {
  (void)state;
  struct lb_mem_stats io = lb_mem_stats(LB_MEM_IO);
  struct lb_mem_stats all = lb_mem_stats(LB_MEM_TAG_COUNT);
  void *a = lb_alloc(LB_MEM_IO, 100);
  void *b = lb_alloc(LB_MEM_HB, 7);
  assert_non_null(a);
  assert_non_null(b);
  assert_int_equal(lb_mem_stats(LB_MEM_IO).live_blocks - io.live_blocks, 1);
  assert_int_equal(lb_mem_stats(LB_MEM_IO).live_bytes - io.live_bytes, 100);
  assert_int_equal(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks - all.live_blocks, 2);
  assert_int_equal(lb_mem_stats(LB_MEM_TAG_COUNT).live_bytes - all.live_bytes, 107);
  lb_free(a);
  lb_free(b);
  assert_int_equal(lb_mem_stats(LB_MEM_IO).live_blocks, io.live_blocks);
  assert_int_equal(lb_mem_stats(LB_MEM_IO).live_bytes, io.live_bytes);
  assert_int_equal(lb_mem_stats(LB_MEM_IO).total_blocks - io.total_blocks, 1);
  lb_free(NULL);
}

static void test_blocks_are_aligned_and_zero_bytes_are_a_block(void **state) {
  (void)state;
  for (size_t size = 0; size < 40; size++) {
    void *p = lb_alloc(LB_MEM_MISC, size);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    lb_free(p);
  }
}

static void test_zeroed_forms(void **state) {
  (void)state;
  static const char zeros[64];
  char *a = lb_alloc_zero(LB_MEM_MISC, sizeof(zeros));
  char *b = lb_alloc_array(LB_MEM_MISC, 16, 4);
  assert_non_null(a);
  assert_non_null(b);
  assert_memory_equal(a, zeros, sizeof(zeros));
  assert_memory_equal(b, zeros, sizeof(zeros));
  lb_free(a);
  lb_free(b);
}

static void test_impossible_sizes_are_refused(void **state) {
  (void)state;
  char *kept = lb_alloc(LB_MEM_MISC, 4);
  assert_non_null(kept);
  assert_null(lb_alloc(LB_MEM_MISC, SIZE_MAX));
  assert_null(lb_alloc(LB_MEM_MISC, (size_t)PTRDIFF_MAX));
  assert_null(lb_alloc_zero(LB_MEM_MISC, SIZE_MAX - 3));
  assert_null(lb_alloc_array(LB_MEM_MISC, SIZE_MAX / 2, 3));
  assert_null(lb_realloc(LB_MEM_MISC, kept, SIZE_MAX));
  assert_null(lb_strndup(LB_MEM_MISC, "x", SIZE_MAX));
  lb_free(kept);
}

static void test_realloc_keeps_content_and_books(void **state) {
  (void)state;
  struct lb_mem_stats misc = lb_mem_stats(LB_MEM_MISC);
  struct lb_mem_stats wire = lb_mem_stats(LB_MEM_WIRE);
  static char *p; /* a block in use is found by the leak checker */
  p = lb_realloc(LB_MEM_MISC, NULL, 3);
  assert_non_null(p);
  memcpy(p, "ab", 3);
  char *moved = lb_realloc(LB_MEM_WIRE, p, 100000);
  assert_non_null(moved);
  p = moved;
  assert_string_equal(p, "ab");
  assert_int_equal(lb_mem_stats(LB_MEM_MISC).live_bytes, misc.live_bytes);
  assert_int_equal(lb_mem_stats(LB_MEM_WIRE).live_bytes - wire.live_bytes, 100000);
  moved = lb_realloc(LB_MEM_WIRE, p, 2);
  assert_non_null(moved);
  p = moved;
  assert_int_equal(lb_mem_stats(LB_MEM_WIRE).live_bytes - wire.live_bytes, 2);
  lb_mem_fail_nth(1, false);
  assert_null(lb_realloc(LB_MEM_WIRE, p, 200));
  assert_memory_equal(p, "ab", 2);
  lb_free(p);
  assert_int_equal(lb_mem_stats(LB_MEM_WIRE).live_blocks, wire.live_blocks);
}

static void test_copies_of_text(void **state) {
  (void)state;
  char *a = lb_strdup(LB_MEM_MISC, "lake");
  char *b = lb_strndup(LB_MEM_MISC, "lakebeat", 4);
  char *c = lb_strndup(LB_MEM_MISC, NULL, 0);
  assert_string_equal(a, "lake");
  assert_string_equal(b, "lake");
  assert_string_equal(c, "");
  lb_free(a);
  lb_free(b);
  lb_free(c);
}

static void test_wipe_leaves_nothing(void **state) {
  (void)state;
  char secret[] = "--dapi--";
  lb_wipe(secret + 2, 4);
  assert_memory_equal(secret, "--\0\0\0\0--", sizeof(secret));
  lb_wipe(NULL, 0);
}

static void test_the_nth_allocation_fails(void **state) {
  (void)state;
  lb_mem_fail_nth(2, false);
  void *a = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(a);
  assert_false(lb_mem_failed());
  assert_null(lb_alloc_zero(LB_MEM_MISC, 1));
  assert_true(lb_mem_failed());
  void *b = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(b);
  lb_mem_fail_nth(2, true);
  assert_false(lb_mem_failed());
  void *c = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(c);
  assert_null(lb_strdup(LB_MEM_MISC, "x"));
  assert_null(lb_alloc_array(LB_MEM_MISC, 1, 1));
  lb_mem_fail_nth(0, true);
  void *d = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(d);
  lb_free(a);
  lb_free(b);
  lb_free(c);
  lb_free(d);
}

static int asked;

static bool only_the_second(void) { return ++asked == 2; }

static void test_a_failure_may_be_spared(void **state) {
  (void)state;
  asked = 0;
  lb_mem_fail_nth(1, true);
  lb_mem_on_failure(only_the_second);
  void *a = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(a);
  assert_false(lb_mem_failed());
  assert_null(lb_alloc(LB_MEM_MISC, 1));
  assert_true(lb_mem_failed());
  void *b = lb_realloc(LB_MEM_MISC, a, 2);
  assert_non_null(b);
  lb_mem_fail_nth(1, false); /* nobody is asked any more */
  assert_null(lb_alloc(LB_MEM_MISC, 1));
  assert_int_equal(asked, 3);
  lb_free(b);
}

#define ROUNDS lb_test_rounds(2000, 20)

static void *churn(void *ctx) {
  _Atomic int *failures = ctx;
  for (int i = 0; i < ROUNDS; i++) {
    void *p = lb_alloc(LB_MEM_MISC, (size_t)i % 100);
    if (p == NULL) ++*failures;
    lb_free(p);
  }
  return NULL;
}

static void test_threads_share_counters_and_hook(void **state) {
  (void)state;
  _Atomic int failures = 0;
  struct lb_thread threads[4];
  lb_mem_fail_nth(ROUNDS, false);
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "churn", churn, &failures, NULL), NULL);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(threads); i++) lb_os_thread_join(&threads[i]);
  assert_int_equal(failures, 1);
  assert_int_equal(lb_test_live_blocks(), *lb_test_blocks_before());
}

#if defined(LB_DEBUG) && LB_DEBUG
static void overrun_backwards(void *ctx) {
  char *p = lb_alloc(LB_MEM_MISC, 8);
  (void)ctx;
  memset(p - 4, 'x', 4); /* the header's mark */
  lb_free(p);
}

static void test_a_write_before_a_block_is_found(void **state) {
  (void)state;
  char said[65536];
  assert_true(lb_test_dies(overrun_backwards, NULL, said, sizeof(said)));
}
#define DEBUG_TESTS , LB_TEST(test_a_write_before_a_block_is_found)
#else
#define DEBUG_TESTS
#endif

static void test_the_fixture_counts_what_is_left_behind(void **state) {
  void *p = lb_alloc(LB_MEM_MISC, 1);
  assert_non_null(p);
  assert_int_equal(lb_test_live_blocks() - *lb_test_blocks_before(), 1);
  lb_free(p);
  assert_int_equal(lb_test_teardown(state), 0);
}

static enum lb_status make_pair(struct lb_error *err) {
  char *a = lb_strdup(LB_MEM_MISC, "a");
  char *b = a == NULL ? NULL : lb_strdup(LB_MEM_MISC, "b");
  enum lb_status status = b == NULL ? lb_error_oom(err, "a pair") : LB_OK;
  lb_free(a);
  lb_free(b);
  return status;
}

static void test_torture_fails_each_allocation_once(void **state) {
  (void)state;
  /* Within torture the macro runs its body once, for the failure of that. */
  if (lb_torture()->on) return;
  int runs = 0;
  int failed = 0;
  LB_TEST_TORTURE({
    struct lb_error err = LB_ERROR_INIT;
    runs++;
    LB_TEST_OOM_OR_OK(make_pair(&err), &err);
    if (lb_mem_failed()) failed++;
  });
  /* Two allocations and the run that meets no failure, alone and sticky. */
  assert_int_equal(runs, 6);
  assert_int_equal(failed, 4);
}

static void test_pages(void **state) {
  (void)state;
  size_t bytes = 5000;
  int64_t before = lb_mem_stats(LB_MEM_ARROW).live_bytes;
  uint8_t *pages = lb_alloc_pages(LB_MEM_ARROW, bytes);
  assert_non_null(pages);
  assert_int_equal((uintptr_t)pages % 4096, 0);
  assert_int_equal(lb_mem_stats(LB_MEM_ARROW).live_bytes - before, bytes);
  for (size_t i = 0; i < bytes; i++) assert_int_equal(pages[i], 0);
  lb_mem_forbid(pages, bytes);
  lb_mem_allow(pages, bytes);
  pages[bytes - 1] = 1;
  lb_free_pages(LB_MEM_ARROW, pages, bytes);
  lb_free_pages(LB_MEM_ARROW, NULL, bytes);
  assert_int_equal(lb_mem_stats(LB_MEM_ARROW).live_bytes, before);
  assert_null(lb_alloc_pages(LB_MEM_ARROW, 0));
  assert_null(lb_alloc_pages(LB_MEM_ARROW, SIZE_MAX));
  lb_mem_fail_nth(1, false);
  assert_null(lb_alloc_pages(LB_MEM_ARROW, bytes));
}

LB_TEST_MAIN(LB_TEST(test_counts_by_tag), LB_TEST(test_pages),
             LB_TEST(test_blocks_are_aligned_and_zero_bytes_are_a_block),
             LB_TEST(test_zeroed_forms), LB_TEST(test_impossible_sizes_are_refused),
             LB_TEST(test_realloc_keeps_content_and_books), LB_TEST(test_copies_of_text),
             LB_TEST(test_wipe_leaves_nothing), LB_TEST(test_the_nth_allocation_fails),
             LB_TEST(test_a_failure_may_be_spared),
             LB_TEST(test_threads_share_counters_and_hook),
             LB_TEST(test_the_fixture_counts_what_is_left_behind),
             LB_TEST(test_torture_fails_each_allocation_once) DEBUG_TESTS)
