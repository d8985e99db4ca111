/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define LB_WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LB_WITH_ASAN 1
#endif
#endif
#ifdef LB_WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define MAGIC_LIVE UINT32_C(0x6c62616c)
#define MAGIC_FREED UINT32_C(0x66726565)

struct header {
  size_t size;
  uint32_t tag;
  uint32_t magic;
};
_Static_assert(sizeof(struct header) == 16,
               "the header must keep the alignment of malloc");

/* One cache line a tag: threads that use different tags do not slow each other. */
struct counters {
  _Alignas(64) _Atomic int64_t live_blocks;
  _Atomic int64_t live_bytes;
  _Atomic int64_t total_blocks;
};
static struct counters counts[LB_MEM_TAG_COUNT];

/* The hook in one word, so that a call sees count and stickiness together: 0 = off, 1 =
 * every call fails, 2n and 2n+1 = the nth call from now fails, alone or with all after
 * it. */
static _Atomic int64_t fail_state;
static _Atomic bool fail_happened;
static _Atomic int64_t failures;
static _Atomic bool failure_told;
static bool (*_Atomic on_failure)(void);

void lb_mem_forbid(const void *data, size_t bytes) {
#ifdef LB_WITH_ASAN
  ASAN_POISON_MEMORY_REGION(data, bytes);
#else
  (void)data, (void)bytes;
#endif
}

void lb_mem_allow(const void *data, size_t bytes) {
#ifdef LB_WITH_ASAN
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
#else
  (void)data, (void)bytes;
#endif
}

/* A write just before a block is found under ASan. */
static void guard(struct header *head) { lb_mem_forbid(head, sizeof(*head)); }

static void unguard(struct header *head) { lb_mem_allow(head, sizeof(*head)); }

static bool note_failure(void) {
  bool (*fn)(void) = atomic_load(&on_failure);
  if (fn != NULL && !fn()) return false;
  atomic_store(&fail_happened, true);
  atomic_fetch_add(&failures, 1);
  return true;
}

static bool must_fail(enum lb_mem_tag tag) {
  if (tag == LB_MEM_TEST) return false;
  int64_t state = atomic_load_explicit(&fail_state, memory_order_relaxed);
  while (state > 1) {
    if (!atomic_compare_exchange_weak(&fail_state, &state, state - 2)) continue;
    return state <= 3 && note_failure();
  }
  return state == 1 && note_failure();
}

static bool total_size(size_t size, size_t *total) {
  return lb_size_add(size, sizeof(struct header), total) && *total <= PTRDIFF_MAX;
}

static void tally(uint32_t tag, int64_t blocks, int64_t bytes) {
  LB_ASSERT(tag < LB_MEM_TAG_COUNT);
  struct counters *c = &counts[tag];
  atomic_fetch_add_explicit(&c->live_blocks, blocks, memory_order_relaxed);
  atomic_fetch_add_explicit(&c->live_bytes, bytes, memory_order_relaxed);
  if (blocks > 0) {
    atomic_fetch_add_explicit(&c->total_blocks, blocks, memory_order_relaxed);
  }
}

static void *publish(struct header *head, enum lb_mem_tag tag, size_t size) {
  if (head == NULL) return NULL;
  *head = (struct header){.size = size, .tag = (uint32_t)tag, .magic = MAGIC_LIVE};
  guard(head);
  tally((uint32_t)tag, 1, (int64_t)size);
  return head + 1;
}

/* Takes a live block out of the books and gives its header. */
static struct header *withdraw(void *ptr) {
  struct header *head = (struct header *)ptr - 1;
  unguard(head);
  LB_ASSERT(head->magic == MAGIC_LIVE);
  tally(head->tag, -1, -(int64_t)head->size);
  return head;
}

void *lb_alloc(enum lb_mem_tag tag, size_t size) {
  size_t total;
  if (must_fail(tag) || !total_size(size, &total)) return NULL;
  return publish(malloc(total), tag, size);
}

void *lb_alloc_zero(enum lb_mem_tag tag, size_t size) {
  size_t total;
  if (must_fail(tag) || !total_size(size, &total)) return NULL;
  return publish(calloc(1, total), tag, size);
}

void *lb_alloc_array(enum lb_mem_tag tag, size_t count, size_t size) {
  size_t bytes;
  if (!lb_size_mul(count, size, &bytes)) return NULL;
  return lb_alloc_zero(tag, bytes);
}

void *lb_realloc(enum lb_mem_tag tag, void *ptr, size_t size) {
  if (ptr == NULL) return lb_alloc(tag, size);
  size_t total;
  if (must_fail(tag) || !total_size(size, &total)) return NULL;
  struct header *head = (struct header *)ptr - 1;
  unguard(head);
  LB_ASSERT(head->magic == MAGIC_LIVE);
  struct header old = *head;
  struct header *moved = realloc(head, total);
  if (moved == NULL) {
    guard(head);
    return NULL;
  }
  tally(old.tag, -1, -(int64_t)old.size);
  return publish(moved, tag, size);
}

void lb_free(void *ptr) {
  if (ptr == NULL) return;
  struct header *head = withdraw(ptr);
  head->magic = MAGIC_FREED;
  free(head);
}

void *lb_alloc_pages(enum lb_mem_tag tag, size_t bytes) {
  if (must_fail(tag) || bytes == 0 || bytes > PTRDIFF_MAX) return NULL;
  void *pages =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return NULL;
  tally((uint32_t)tag, 1, (int64_t)bytes);
  return pages;
}

void lb_free_pages(enum lb_mem_tag tag, void *ptr, size_t bytes) {
  if (ptr == NULL) return;
  lb_mem_allow(ptr, bytes); /* what comes to this address next is not ours */
  tally((uint32_t)tag, -1, -(int64_t)bytes);
  int rc = munmap(ptr, bytes);
  LB_ASSERT(rc == 0);
  (void)rc;
}

char *lb_strdup(enum lb_mem_tag tag, const char *text) {
  return lb_strndup(tag, text, strlen(text));
}

char *lb_strndup(enum lb_mem_tag tag, const char *text, size_t len) {
  size_t size;
  if (!lb_size_add(len, 1, &size)) return NULL;
  char *copy = lb_alloc(tag, size);
  if (copy == NULL) return NULL;
  if (len > 0) memcpy(copy, text, len);
  copy[len] = '\0';
  return copy;
}

struct lb_mem_stats lb_mem_stats(enum lb_mem_tag tag) {
  struct lb_mem_stats sum = {0};
  for (int i = 0; i < LB_MEM_TAG_COUNT; i++) {
    if (tag != LB_MEM_TAG_COUNT && (int)tag != i) continue;
    sum.live_blocks += atomic_load_explicit(&counts[i].live_blocks, memory_order_relaxed);
    sum.live_bytes += atomic_load_explicit(&counts[i].live_bytes, memory_order_relaxed);
    sum.total_blocks +=
        atomic_load_explicit(&counts[i].total_blocks, memory_order_relaxed);
  }
  return sum;
}

void lb_mem_fail_nth(int64_t nth, bool sticky) {
  atomic_store(&fail_state, 0);
  atomic_store(&on_failure, NULL);
  atomic_store(&fail_happened, false);
  if (nth > 0) atomic_store(&fail_state, nth * 2 + (sticky ? 1 : 0));
}

bool lb_mem_failed(void) { return atomic_load(&fail_happened); }

int64_t lb_mem_failures(void) { return atomic_load(&failures); }

void lb_mem_on_failure(bool (*fn)(void)) { atomic_store(&on_failure, fn); }

void lb_mem_tell_failure(void) {
  if (lb_mem_failures() > 0) atomic_store(&failure_told, true);
}

bool lb_mem_failure_told(void) { return atomic_load(&failure_told); }

void lb_wipe(void *data, size_t len) {
  volatile uint8_t *at = data;
  for (size_t i = 0; i < len; i++) at[i] = 0;
}
