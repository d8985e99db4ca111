/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#define ALIGNMENT 16
/* A status reply fits into the first block; a large reply soon takes few calls a
 * megabyte. */
#define BLOCK_MIN_BYTES 4096
#define BLOCK_MAX_BYTES (256 * 1024)

struct lb_arena_block {
  _Alignas(ALIGNMENT) struct lb_arena_block *next;
  size_t size; /* of the room behind this header */
  size_t used;
};
_Static_assert(sizeof(struct lb_arena_block) % ALIGNMENT == 0, "room must be aligned");

void lb_arena_init(struct lb_arena *arena, enum lb_mem_tag tag, size_t max_bytes) {
  *arena = (struct lb_arena){.max = max_bytes, .tag = tag};
}

void lb_arena_reset(struct lb_arena *arena) {
  struct lb_arena_block *block = arena->head;
  while (block != NULL) {
    struct lb_arena_block *next = block->next;
    lb_free(block);
    block = next;
  }
  lb_arena_init(arena, arena->tag, arena->max);
}

static void *take(struct lb_arena *arena, struct lb_arena_block *block, size_t size) {
  void *room = (char *)(block + 1) + block->used;
  block->used += size;
  arena->used += size;
  return room;
}

static struct lb_arena_block *new_block(enum lb_mem_tag tag, size_t size) {
  size_t total;
  if (!lb_size_add(size, sizeof(struct lb_arena_block), &total)) return NULL;
  struct lb_arena_block *block = lb_alloc_zero(tag, total);
  if (block != NULL) block->size = size;
  return block;
}

void *lb_arena_alloc(struct lb_arena *arena, size_t size) {
  size_t padded;
  if (!lb_size_add(LB_MAX(size, (size_t)1), ALIGNMENT - 1, &padded)) return NULL;
  padded &= ~(size_t)(ALIGNMENT - 1);
  if (padded > arena->max - arena->used) return NULL;
  struct lb_arena_block *head = arena->head;
  if (head != NULL && padded <= head->size - head->used) return take(arena, head, padded);

  size_t wanted =
      head == NULL ? BLOCK_MIN_BYTES : LB_MIN(head->size * 2, BLOCK_MAX_BYTES);
  struct lb_arena_block *block = new_block(arena->tag, LB_MAX(padded, wanted));
  if (block == NULL) return NULL;
  if (head != NULL && padded > wanted) {
    /* Full from birth: the head keeps what room it has left. */
    block->next = head->next;
    head->next = block;
  } else {
    block->next = head;
    arena->head = block;
  }
  return take(arena, block, padded);
}

enum lb_status lb_arena_refused(const struct lb_arena *arena, size_t size,
                                const char *what, struct lb_error *err) {
  size_t padded;
  bool fits = lb_size_add(LB_MAX(size, (size_t)1), ALIGNMENT - 1, &padded) &&
              (padded & ~(size_t)(ALIGNMENT - 1)) <= arena->max - arena->used;
  if (fits) return lb_error_oom(err, what);
  return lb_error_set(err, LB_INVALID_DATA,
                      "%s needs %zu bytes, and the limit of %zu bytes leaves %zu", what,
                      size, arena->max, arena->max - arena->used);
}

void *lb_arena_array(struct lb_arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (!lb_size_mul(count, size, &bytes)) return NULL;
  return lb_arena_alloc(arena, bytes);
}

char *lb_arena_strdup(struct lb_arena *arena, struct lb_str s) {
  size_t size;
  if (!lb_size_add(s.len, 1, &size)) return NULL;
  char *copy = lb_arena_alloc(arena, size);
  if (copy != NULL && s.len > 0) memcpy(copy, s.data, s.len);
  return copy;
}
