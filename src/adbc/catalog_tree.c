/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/catalog_tree.h"

#include "base/alloc.h"

#define FIRST_SLOTS 64

void lb_tree_init(struct lb_tree *tree, size_t max_bytes) {
  *tree = (struct lb_tree){0};
  lb_arena_init(&tree->arena, LB_MEM_MISC, max_bytes);
}

void lb_tree_reset(struct lb_tree *tree) {
  size_t max_bytes = tree->arena.max;
  lb_arena_reset(&tree->arena);
  lb_free(tree->slots);
  lb_tree_init(tree, max_bytes);
}

static enum lb_status no_room(const struct lb_tree *tree, struct lb_error *err) {
  /* A block that does not fit any more is small, or one name has megabytes. */
  if (tree->arena.used < tree->arena.max - tree->arena.max / 8) {
    return lb_error_oom(err, "a catalog's contents");
  }
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "a catalog holds more than the %zu MiB that one answer may need; "
                      "narrow the filters for schema, table or column, or ask less deep",
                      tree->arena.max / (1024 * 1024));
}

static bool copy_text(struct lb_tree *tree, struct lb_str *text) {
  if (text->data == NULL) return true;
  text->data = lb_arena_strdup(&tree->arena, *text);
  return text->data != NULL;
}

static void append(struct lb_tree_node *parent, struct lb_tree_node *node) {
  node->next = NULL;
  node->parent = parent;
  if (parent->last != NULL) {
    parent->last->next = node;
  } else {
    parent->first = node;
  }
  parent->last = node;
}

/* Hashing: FNV-1a over the name, begun with the parent's address. */

static size_t hash_of(const struct lb_tree_node *parent, struct lb_str name) {
  uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)(uintptr_t)parent;
  for (size_t i = 0; i < name.len; i++) {
    hash = (hash ^ (unsigned char)name.data[i]) * UINT64_C(1099511628211);
  }
  return (size_t)(hash ^ hash >> 32);
}

static bool same_name(struct lb_str a, struct lb_str b) {
  return (a.data == NULL) == (b.data == NULL) && lb_str_equal(a, b);
}

/* The slot of the node, or the empty one where it belongs. */
static struct lb_tree_node **slot_of(const struct lb_tree *tree,
                                     const struct lb_tree_node *parent,
                                     struct lb_str name) {
  size_t mask = tree->slot_count - 1;
  size_t i = hash_of(parent, name) & mask;
  while (tree->slots[i] != NULL &&
         (tree->slots[i]->parent != parent || !same_name(tree->slots[i]->name, name))) {
    i = (i + 1) & mask;
  }
  return &tree->slots[i];
}

/* At most half full, so that a search ends soon. */
static bool grow(struct lb_tree *tree) {
  if (tree->node_count * 2 < tree->slot_count) return true;
  struct lb_tree old = *tree;
  size_t count = old.slot_count > 0 ? old.slot_count * 2 : FIRST_SLOTS;
  struct lb_tree_node **slots = lb_alloc_array(LB_MEM_MISC, count, sizeof(*slots));
  if (slots == NULL) return false;
  tree->slots = slots;
  tree->slot_count = count;
  for (size_t i = 0; i < old.slot_count; i++) {
    struct lb_tree_node *node = old.slots[i];
    if (node != NULL) *slot_of(tree, node->parent, node->name) = node;
  }
  lb_free(old.slots);
  return true;
}

static struct lb_tree_node *find(const struct lb_tree *tree,
                                 const struct lb_tree_node *parent, struct lb_str name) {
  return tree->slot_count > 0 ? *slot_of(tree, parent, name) : NULL;
}

/* Made of size bytes, of which the node is the first. *made false: it was there. */
static enum lb_status find_or_add(struct lb_tree *tree, struct lb_tree_node *parent,
                                  struct lb_str name, size_t size,
                                  struct lb_tree_node **out, bool *made,
                                  struct lb_error *err) {
  *made = false;
  *out = find(tree, parent, name);
  if (*out != NULL) return LB_OK;
  struct lb_tree_node *node = lb_arena_alloc(&tree->arena, size);
  if (node == NULL || !copy_text(tree, &name) || !grow(tree)) return no_room(tree, err);
  node->name = name;
  append(parent, node);
  *slot_of(tree, parent, name) = node;
  tree->node_count++;
  *out = node;
  *made = true;
  return LB_OK;
}

enum lb_status lb_tree_schema(struct lb_tree *tree, struct lb_str name,
                              struct lb_tree_node **out, struct lb_error *err) {
  bool made;
  return find_or_add(tree, &tree->root, name, sizeof(**out), out, &made, err);
}

enum lb_status lb_tree_table(struct lb_tree *tree, struct lb_tree_node *schema,
                             struct lb_str name, struct lb_str type,
                             struct lb_error *err) {
  bool made;
  struct lb_tree_node *node;
  if (!copy_text(tree, &type)) return no_room(tree, err);
  LB_TRY(
      find_or_add(tree, schema, name, sizeof(struct lb_tree_table), &node, &made, err));
  if (!made) return LB_OK;
  LB_CONTAINER_OF(node, struct lb_tree_table, base)->type = type;
  tree->table_count++;
  return LB_OK;
}

struct lb_tree_table *lb_tree_find(const struct lb_tree *tree, struct lb_str schema,
                                   struct lb_str table) {
  const struct lb_tree_node *parent = find(tree, &tree->root, schema);
  struct lb_tree_node *node = parent != NULL ? find(tree, parent, table) : NULL;
  return node != NULL ? LB_CONTAINER_OF(node, struct lb_tree_table, base) : NULL;
}

/* Neighbours mostly have the same type and the same words. */
static bool copy_shared(struct lb_tree *tree, struct lb_str *text,
                        const struct lb_str *neighbour) {
  if (neighbour != NULL && text->data != NULL && same_name(*text, *neighbour)) {
    *text = *neighbour;
    return true;
  }
  return copy_text(tree, text);
}

enum lb_status lb_tree_add_column(struct lb_tree *tree, struct lb_tree_table *table,
                                  const struct lb_tree_column *column,
                                  struct lb_error *err) {
  struct lb_tree_column *copy = lb_arena_alloc(&tree->arena, sizeof(*copy));
  if (copy == NULL) return no_room(tree, err);
  *copy = *column;
  const struct lb_tree_column *last =
      table->base.last != NULL
          ? LB_CONTAINER_OF(table->base.last, struct lb_tree_column, base)
          : NULL;
  if (!copy_text(tree, &copy->base.name) || !copy_text(tree, &copy->remarks) ||
      !copy_text(tree, &copy->def) ||
      !copy_shared(tree, &copy->type_name, last != NULL ? &last->type_name : NULL) ||
      !copy_shared(tree, &copy->is_nullable, last != NULL ? &last->is_nullable : NULL)) {
    return no_room(tree, err);
  }
  copy->base.first = copy->base.last = NULL;
  append(&table->base, &copy->base);
  if (copy->base.order == 0) tree->counts_from_0 = true;
  return LB_OK;
}

static struct lb_tree_key *find_key(struct lb_tree_table *table, struct lb_str name) {
  for (struct lb_tree_node *n = table->keys.first; n != NULL; n = n->next) {
    if (same_name(n->name, name)) return LB_CONTAINER_OF(n, struct lb_tree_key, base);
  }
  return NULL;
}

enum lb_status lb_tree_add_key(struct lb_tree *tree, struct lb_tree_table *table,
                               struct lb_str name, struct lb_str type,
                               const struct lb_tree_key_column *column,
                               struct lb_error *err) {
  struct lb_tree_key *key = find_key(table, name);
  if (key == NULL) {
    key = lb_arena_alloc(&tree->arena, sizeof(*key));
    if (key == NULL || !copy_text(tree, &name) || !copy_text(tree, &type)) {
      return no_room(tree, err);
    }
    key->base.name = name;
    key->type = type;
    append(&table->keys, &key->base);
  }
  struct lb_tree_key_column *copy = lb_arena_alloc(&tree->arena, sizeof(*copy));
  if (copy == NULL) return no_room(tree, err);
  *copy = *column;
  if (!copy_text(tree, &copy->base.name) || !copy_text(tree, &copy->ref_catalog) ||
      !copy_text(tree, &copy->ref_schema) || !copy_text(tree, &copy->ref_table) ||
      !copy_text(tree, &copy->ref_column)) {
    return no_room(tree, err);
  }
  append(&key->base, &copy->base);
  return LB_OK;
}

enum lb_status lb_tree_set_reference(struct lb_tree *tree,
                                     struct lb_tree_key_column *column,
                                     const struct lb_tree_key_column *told,
                                     struct lb_error *err) {
  if (column->ref_table.data != NULL) return LB_OK;
  struct lb_tree_key_column copy = *told;
  if (!copy_text(tree, &copy.ref_catalog) || !copy_text(tree, &copy.ref_schema) ||
      !copy_text(tree, &copy.ref_table) || !copy_text(tree, &copy.ref_column)) {
    return no_room(tree, err);
  }
  column->ref_catalog = copy.ref_catalog;
  column->ref_schema = copy.ref_schema;
  column->ref_table = copy.ref_table;
  column->ref_column = copy.ref_column;
  return LB_OK;
}

/* Sorting: a merge sort of the list, which needs no memory. */

static int by_name(const struct lb_tree_node *a, const struct lb_tree_node *b) {
  size_t len = LB_MIN(a->name.len, b->name.len);
  int order = len > 0 ? memcmp(a->name.data, b->name.data, len) : 0;
  if (order != 0) return order;
  return a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
}

static int by_order(const struct lb_tree_node *a, const struct lb_tree_node *b) {
  return a->order < b->order ? -1 : a->order > b->order;
}

typedef int compare_nodes(const struct lb_tree_node *, const struct lb_tree_node *);

/* The first count nodes of *rest, sorted and ended by NULL; *rest is what comes after. */
static struct lb_tree_node *sorted(struct lb_tree_node **rest, int64_t count,
                                   compare_nodes *compare) {
  if (count == 1) {
    struct lb_tree_node *node = *rest;
    *rest = node->next;
    node->next = NULL;
    return node;
  }
  struct lb_tree_node *a = sorted(rest, count / 2, compare);
  struct lb_tree_node *b = sorted(rest, count - count / 2, compare);
  struct lb_tree_node *first = NULL, **end = &first;
  while (a != NULL && b != NULL) {
    struct lb_tree_node **lesser = compare(b, a) < 0 ? &b : &a;
    *end = *lesser;
    end = &(*lesser)->next;
    *lesser = *end;
  }
  *end = a != NULL ? a : b;
  return first;
}

static void sort_children(struct lb_tree_node *parent, compare_nodes *compare) {
  int64_t count = 0;
  bool in_order = true;
  for (struct lb_tree_node *n = parent->first; n != NULL; n = n->next) {
    count++;
    if (n->next != NULL && compare(n->next, n) < 0) in_order = false;
  }
  if (in_order) return;
  struct lb_tree_node *rest = parent->first;
  parent->first = sorted(&rest, count, compare);
  for (parent->last = parent->first; parent->last->next != NULL;) {
    parent->last = parent->last->next;
  }
}

void lb_tree_sort(struct lb_tree *tree) {
  sort_children(&tree->root, by_name);
  for (struct lb_tree_node *s = tree->root.first; s != NULL; s = s->next) {
    sort_children(s, by_name);
    for (struct lb_tree_node *t = s->first; t != NULL; t = t->next) {
      struct lb_tree_table *table = LB_CONTAINER_OF(t, struct lb_tree_table, base);
      sort_children(t, by_order);
      sort_children(&table->keys, by_name);
      for (struct lb_tree_node *k = table->keys.first; k != NULL; k = k->next) {
        sort_children(k, by_order);
      }
    }
  }
}
