/* SPDX-License-Identifier: Apache-2.0 */
/* The Arrow form of GetStatistics, and the statistics themselves: what ANALYZE TABLE has
 * left in the catalog, as DESCRIBE TABLE EXTENDED tells it. There is no call that tells
 * them of many tables at once, so each table is one question, and of a table that was
 * analyzed each column one more. */
#ifndef LB_ADBC_STATISTICS_H
#define LB_ADBC_STATISTICS_H

#include "adbc/catalog_tree.h"
#include "nanoarrow/nanoarrow.h"
#include "result/metadata.h"

/* Beyond ADBC's own: the size of a table's files. */
#define LB_STATISTIC_TABLE_BYTES_KEY 1024
#define LB_STATISTIC_TABLE_BYTES_NAME "lakebeat.statistic.table_bytes"

/* nanoarrow's code; anything but NANOARROW_OK is want of memory. */
int lb_statistics_schema(struct ArrowSchema *out);
/* Asks about every table of the tree and appends a row for the catalog, unless there is
 * nothing to tell. LB_INVALID_ARGUMENT when there are too many tables to ask about one by
 * one. */
enum lb_status lb_statistics_append(struct lb_meta *meta, struct lb_str catalog,
                                    const struct lb_tree *tree, struct ArrowArray *array,
                                    struct lb_error *err) LB_MUST_USE;

/* "1024 bytes, 10 rows" or "1024 bytes": -1 for what is not told. Pure. */
void lb_statistics_parse(struct lb_str text, int64_t *bytes, int64_t *rows);

#endif
