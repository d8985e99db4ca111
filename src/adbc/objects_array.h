/* SPDX-License-Identifier: Apache-2.0 */
/* The nested Arrow form of GetObjects: its schema, and a row for one catalog. */
#ifndef LB_ADBC_OBJECTS_ARRAY_H
#define LB_ADBC_OBJECTS_ARRAY_H

#include "adbc/catalog_tree.h"
#include "nanoarrow/nanoarrow.h"

/* Both return nanoarrow's codes; anything but NANOARROW_OK is want of memory. */
int lb_objects_schema(struct ArrowSchema *out);
/* Appends a row; array was made from the schema. depth as ADBC counts it, 0 for all; the
 * levels below are null. tree may be NULL when depth is 1. */
int lb_objects_append(struct ArrowArray *array, struct lb_str catalog,
                      const struct lb_tree *tree, int depth);

#endif
