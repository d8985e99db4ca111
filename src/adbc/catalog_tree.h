/* SPDX-License-Identifier: Apache-2.0 */
/* One catalog on its way from a server's flat rows to ADBC's nested ones: schemas, their
 * tables, and of these columns and keys. Rows may come in any order; texts are copied.
 * What is found is kept in one arena with a ceiling. One thread. */
#ifndef LB_ADBC_CATALOG_TREE_H
#define LB_ADBC_CATALOG_TREE_H

#include "base/arena.h"
#include "base/error.h"

/* A member of a list, and the list of what is within. */
struct lb_tree_node {
  struct lb_tree_node *next;
  struct lb_tree_node *parent;
  struct lb_tree_node *first;
  struct lb_tree_node *last;
  struct lb_str name; /* data NULL: none */
  int64_t order;      /* columns: as the server counts */
};

enum lb_tree_number {
  LB_TREE_DATA_TYPE,
  LB_TREE_SIZE,
  LB_TREE_DIGITS,
  LB_TREE_RADIX,
  LB_TREE_NULLABLE,
  LB_TREE_SQL_TYPE,
  LB_TREE_DATETIME_SUB,
  LB_TREE_OCTETS,
  LB_TREE_NUMBER_COUNT
};

struct lb_tree_column {
  struct lb_tree_node base;
  struct lb_str type_name; /* texts with data NULL: not told */
  struct lb_str remarks;
  struct lb_str def;
  struct lb_str is_nullable;
  int32_t numbers[LB_TREE_NUMBER_COUNT];
  uint8_t told;          /* bits of enum lb_tree_number */
  int8_t auto_increment; /* -1: not told */
};

/* A column of a key; base.name is the column's. */
struct lb_tree_key_column {
  struct lb_tree_node base;
  struct lb_str
      ref_catalog; /* of a foreign key: what it refers to; data NULL: not known */
  struct lb_str ref_schema;
  struct lb_str ref_table;
  struct lb_str ref_column;
};
struct lb_tree_key {
  struct lb_tree_node base; /* its list: struct lb_tree_key_column */
  struct lb_str type;       /* "PRIMARY KEY", "FOREIGN KEY" */
};

/* Children of its base: struct lb_tree_column. */
struct lb_tree_table {
  struct lb_tree_node base;
  struct lb_str type;
  struct lb_tree_node keys; /* its list: struct lb_tree_key */
};

struct lb_tree {
  struct lb_arena arena;
  struct lb_tree_node root; /* its list: schemas, whose lists are struct lb_tree_table */
  struct lb_tree_node **slots; /* hash of schemas and tables */
  size_t slot_count;           /* a power of two, or 0 */
  size_t node_count;
  int64_t table_count;
  bool counts_from_0; /* a column of order 0 was seen */
};

void lb_tree_init(struct lb_tree *tree, size_t max_bytes);
void lb_tree_reset(struct lb_tree *tree); /* frees; can be used again */

/* The schema or table of that name, made when there is none. */
enum lb_status lb_tree_schema(struct lb_tree *tree, struct lb_str name,
                              struct lb_tree_node **out,
                              struct lb_error *err) LB_MUST_USE;
enum lb_status lb_tree_table(struct lb_tree *tree, struct lb_tree_node *schema,
                             struct lb_str name, struct lb_str type,
                             struct lb_error *err) LB_MUST_USE;
/* NULL: there is none. */
struct lb_tree_table *lb_tree_find(const struct lb_tree *tree, struct lb_str schema,
                                   struct lb_str table);
/* Adds a copy of column (whose links are not looked at). */
enum lb_status lb_tree_add_column(struct lb_tree *tree, struct lb_tree_table *table,
                                  const struct lb_tree_column *column,
                                  struct lb_error *err) LB_MUST_USE;
/* Adds a copy of a column to the key of that name, which is made when there is none. */
enum lb_status lb_tree_add_key(struct lb_tree *tree, struct lb_tree_table *table,
                               struct lb_str name, struct lb_str type,
                               const struct lb_tree_key_column *column,
                               struct lb_error *err) LB_MUST_USE;
/* Fills in, if it is not known yet, what a column of a foreign key refers to. */
enum lb_status lb_tree_set_reference(struct lb_tree *tree,
                                     struct lb_tree_key_column *column,
                                     const struct lb_tree_key_column *told,
                                     struct lb_error *err) LB_MUST_USE;
/* Puts schemas, tables and keys in the order of their names, columns in theirs. */
void lb_tree_sort(struct lb_tree *tree);

#endif
