/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive, circular, doubly linked list. The node lives in the object; the list owns
 * nothing. A node that is in no list points to itself (after lb_list_init or
 * lb_list_remove), so removing twice is harmless. Not thread-safe. */
#ifndef LB_BASE_LIST_H
#define LB_BASE_LIST_H

#include "base/base.h"

struct lb_list {
  struct lb_list *next;
  struct lb_list *prev;
};

static inline void lb_list_init(struct lb_list *list) { list->next = list->prev = list; }
static inline bool lb_list_empty(const struct lb_list *list) {
  return list->next == list;
}
/* True when the node is a member of some list. */
static inline bool lb_list_linked(const struct lb_list *node) {
  return node->next != NULL && node->next != node;
}
static inline void lb_list_push_back(struct lb_list *list, struct lb_list *node) {
  node->prev = list->prev;
  node->next = list;
  list->prev->next = node;
  list->prev = node;
}
static inline void lb_list_push_front(struct lb_list *list, struct lb_list *node) {
  lb_list_push_back(list->next, node);
}
static inline void lb_list_remove(struct lb_list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  lb_list_init(node);
}
/* First node, removed; NULL when the list is empty. */
static inline struct lb_list *lb_list_pop(struct lb_list *list) {
  if (lb_list_empty(list)) return NULL;
  struct lb_list *node = list->next;
  lb_list_remove(node);
  return node;
}
/* Moves every node of src to the end of dst. */
static inline void lb_list_splice(struct lb_list *dst, struct lb_list *src) {
  if (lb_list_empty(src)) return;
  src->next->prev = dst->prev;
  dst->prev->next = src->next;
  src->prev->next = dst;
  dst->prev = src->prev;
  lb_list_init(src);
}
/* The body may remove `node`. */
#define LB_LIST_FOR_EACH_SAFE(node, tmp, list) \
  for (struct lb_list *node = (list)->next, *tmp = node->next; node != (list); \
       node = tmp, tmp = node->next)

#endif
