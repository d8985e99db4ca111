/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator with a ceiling: one per reply, freed as a whole. Nobody frees a field.
 * Caller's memory, one owner, not thread-safe. */
#ifndef LB_BASE_ARENA_H
#define LB_BASE_ARENA_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"

struct lb_arena_block;

struct lb_arena {
  struct lb_arena_block *head;
  size_t used; /* bytes handed out, all blocks */
  size_t max;  /* ceiling of used */
  enum lb_mem_tag tag;
};

void lb_arena_init(struct lb_arena *arena, enum lb_mem_tag tag, size_t max_bytes);
void lb_arena_reset(struct lb_arena *arena); /* frees everything; can be used again */
/* 16-byte aligned, zeroed; NULL when out of memory or over the ceiling. */
void *lb_arena_alloc(struct lb_arena *arena, size_t size);
void *lb_arena_array(struct lb_arena *arena, size_t count, size_t size);
/* NUL-terminated copy. */
char *lb_arena_strdup(struct lb_arena *arena, struct lb_str s);
/* Why size bytes were not to be had: LB_INVALID_DATA when the ceiling forbids them, else
 * LB_OUT_OF_MEMORY. what begins the message: "the reply". */
enum lb_status lb_arena_refused(const struct lb_arena *arena, size_t size,
                                const char *what, struct lb_error *err) LB_MUST_USE;

#endif
