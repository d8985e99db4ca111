/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a server what a catalog holds, by few and large questions, and filtering the
 * answers exactly: servers' patterns have an escape and alternatives of their own, and
 * some take a name for a pattern, so what they let through is looked at again. */
#ifndef LB_ADBC_OBJECTS_READ_H
#define LB_ADBC_OBJECTS_READ_H

#include "adbc/catalog_tree.h"
#include "result/metadata.h"

/* Filters as ADBC has them; texts are borrowed. */
struct lb_objects_filter {
  const char *schema;
  const char *table;
  const char *column;
  bool any_type; /* no list of types was given */
  struct lb_str *types;
  int32_t type_count;
  struct lb_str schema_pattern; /* for the server; data NULL: none */
  struct lb_str table_pattern;
};

/* Fills tree with what is in the catalog, down to depth (2 schemas, 3 tables, 0 all),
 * sorted. name is "" for the one catalog of a server that has no catalogs. */
enum lb_status lb_objects_read(struct lb_meta *meta, struct lb_str name, int depth,
                               const struct lb_objects_filter *filter,
                               struct lb_tree *tree, struct lb_error *err) LB_MUST_USE;

#endif
