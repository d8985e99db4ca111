/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to the heap. Each block carries a 16-byte header with its size and tag, so
 * that what lives can be counted per tag and a test can make the nth allocation fail.
 * Thread-safe. Blocks are aligned to 16 bytes. Requests for 0 bytes give a valid pointer.
 *
 * The counters and the hook are process-wide by nature (they watch the process's heap);
 * they carry no other state. */
#ifndef LB_BASE_ALLOC_H
#define LB_BASE_ALLOC_H

#include "base/base.h"

enum lb_mem_tag {
  LB_MEM_MISC,
  LB_MEM_IO,    /* requests, replies, curl bookkeeping of ours */
  LB_MEM_WIRE,  /* arenas, encoders */
  LB_MEM_ARROW, /* buffers that become Arrow arrays */
  LB_MEM_HB,    /* a parked result's heartbeat, heap slot included */
  LB_MEM_TEST,  /* what a test needs for itself: never made to fail */
  LB_MEM_TAG_COUNT
};

/* NULL when out of memory (or when the hook says so). */
void *lb_alloc(enum lb_mem_tag tag, size_t size);
void *lb_alloc_zero(enum lb_mem_tag tag, size_t size);
void *lb_alloc_array(enum lb_mem_tag tag, size_t count, size_t size); /* zeroed */
/* As realloc; ptr may be NULL. The old block stays valid when NULL is returned. */
void *lb_realloc(enum lb_mem_tag tag, void *ptr, size_t size);
void lb_free(void *ptr);
/* Whole pages from the system, for what is megabytes and often left half empty: a page
 * costs memory when it is first touched, and all go back at once, which the heap promises
 * of no size. Aligned to a page, zero. bytes is the same in both calls. */
void *lb_alloc_pages(enum lb_mem_tag tag, size_t bytes);
void lb_free_pages(enum lb_mem_tag tag, void *ptr, size_t bytes); /* NULL allowed */
/* Under AddressSanitizer: nobody may touch these bytes until they are lent again. Else
 * nothing. */
void lb_mem_forbid(const void *data, size_t bytes);
void lb_mem_allow(const void *data, size_t bytes);
/* Overwrites a secret so that the compiler cannot leave it out. */
void lb_wipe(void *data, size_t len);
char *lb_strdup(enum lb_mem_tag tag, const char *text);
char *lb_strndup(enum lb_mem_tag tag, const char *text, size_t len);

struct lb_mem_stats {
  int64_t live_blocks;
  int64_t live_bytes; /* as asked for, headers not counted */
  int64_t total_blocks;
};
/* tag LB_MEM_TAG_COUNT sums all tags. */
struct lb_mem_stats lb_mem_stats(enum lb_mem_tag tag);

/* Tests: the nth allocation from now (1 = the next) fails; 0 switches it off. With
 * `sticky` all later ones fail too. */
void lb_mem_fail_nth(int64_t nth, bool sticky);
/* Tests: true once the failure asked for has happened. */
bool lb_mem_failed(void);
/* Tests: how many allocations were made to fail since the process began. */
int64_t lb_mem_failures(void);
/* Tests: fn (or NULL) is called where an allocation is about to be made to fail, on its
 * thread, and may spare it by saying false. The next lb_mem_fail_nth forgets it. */
void lb_mem_on_failure(bool (*fn)(void));
/* lb_error calls it for LB_OUT_OF_MEMORY; tests ask whether a failure that they made was
 * told to anybody. */
void lb_mem_tell_failure(void);
bool lb_mem_failure_told(void);

#endif
