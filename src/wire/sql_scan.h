/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the parameter markers of an SQL text of Databricks, Spark or Hive, and what kind
 * of statement it is, without parsing it: only strings, quoted names, comments and bodies
 * between dollar signs have to be known, since a question mark or colon in them is none.
 * Pure, any thread. */
#ifndef LB_WIRE_SQL_SCAN_H
#define LB_WIRE_SQL_SCAN_H

#include "base/buf.h"

/* More markers than this are refused; of named ones fewer, since each name is compared
 * with all before it. */
#define LB_SQL_MAX_MARKERS 65536
#define LB_SQL_MAX_NAMED 4096

struct lb_sql_marker {
  size_t at;          /* first byte in the text */
  size_t len;         /* of the whole marker */
  struct lb_str name; /* of `:name`, a view on the text; data NULL for `?` */
  /* A quoted text in its place would be read together with what stands beside it: behind
   * DATE or TIMESTAMP, or beside another text. */
  bool joins;
};

struct lb_sql_scan {
  struct lb_sql_marker *markers; /* in the order of the text */
  int32_t count;
  bool named;    /* the markers are `:name`, not `?` */
  bool is_query; /* it only reads: SELECT, VALUES, SHOW, ...; WITH and FROM unless
                    INSERT, UPDATE, DELETE or MERGE follows outside of parentheses, before
                    any SELECT, and is no name */
  /* It can stand in parentheses behind FROM: SELECT, WITH, VALUES, TABLE or FROM, without
   * such a word. */
  bool is_relation;
  /* The text without white space, comments and semicolons around it; a view on it. */
  struct lb_str body;
};

/* LB_INVALID_ARGUMENT: `?` and `:name` in one text, or too many markers. The text must
 * outlive the scan. */
enum lb_status lb_sql_scan(struct lb_str sql, struct lb_sql_scan *out,
                           struct lb_error *err) LB_MUST_USE;
void lb_sql_scan_reset(struct lb_sql_scan *scan);

/* The next quoted text, or body between dollar signs, at from or behind it: a view with
 * its quotes, and the r before raw ones. One that does not end reaches to the end of sql.
 * data NULL: there is none. */
struct lb_str lb_sql_next_text(struct lb_str sql, size_t from);

/* The first word, without comments and parentheses before it; len 0: there is none. */
struct lb_str lb_sql_first_word(struct lb_str sql);

#endif
