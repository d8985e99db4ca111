/* SPDX-License-Identifier: Apache-2.0 */
/* How the columns of bound values go with the markers of a text, and what is sent for a
 * row: the text and parameters beside it, or the text with literals in it. Pure. */
#ifndef LB_RESULT_BIND_SQL_H
#define LB_RESULT_BIND_SQL_H

#include "result/bind.h"
#include "wire/sql_scan.h"

enum lb_bind_by {
  LB_BIND_BY_TEXT, /* names where the text has names */
  LB_BIND_BY_NAME, /* ... and nothing else will do */
  LB_BIND_BY_POSITION
};

/* What the markers of a text are given, by whom and how. */
struct lb_bind_rules {
  enum lb_bind_by by;
  int32_t max_params; /* as many may travel beside the text; 0: none */
  enum lb_param_dialect dialect;
};

struct lb_bound_sql {
  struct lb_buf sql; /* a copy of the text */
  struct lb_sql_scan scan;
  int32_t *columns; /* of each marker */
  bool native;      /* parameters travel beside the text */
  enum lb_param_dialect dialect;
  /* Of the latest row. */
  struct lb_arena arena;
  struct lb_buf text;
  struct lb_param *params;
  int32_t param_count;
};

/* Zeroed, so that it can be reset. */
void lb_bound_sql_init(struct lb_bound_sql *bound);
void lb_bound_sql_reset(struct lb_bound_sql *bound);
/* LB_INVALID_ARGUMENT: a marker without a column, or a column without a marker. */
enum lb_status lb_bound_sql_open(struct lb_bound_sql *bound, struct lb_str sql,
                                 const struct lb_bound_rows *rows,
                                 const struct lb_bind_rules *rules,
                                 struct lb_error *err) LB_MUST_USE;
/* Fills text, params and param_count for the row at hand. */
enum lb_status lb_bound_sql_row(struct lb_bound_sql *bound,
                                const struct lb_bound_rows *rows,
                                struct lb_error *err) LB_MUST_USE;

/* A field of type NA for each parameter of a text: named ones once, the others without a
 * name. */
enum lb_status lb_bound_sql_schema(struct lb_str sql, struct ArrowSchema *out,
                                   struct lb_error *err) LB_MUST_USE;

#endif
