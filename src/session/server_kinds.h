/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about each kind of server, as data: limits, which call resets which
 * clock, which probe works and which does harm. Every constant has its source and date in
 * server_kinds.c. Pure. */
#ifndef LB_SESSION_SERVER_KINDS_H
#define LB_SESSION_SERVER_KINDS_H

#include "base/error.h"
#include "base/str.h"
#include "wire/param.h"

enum lb_server_kind {
  LB_KIND_AUTO, /* not learned yet; also the option's default */
  LB_KIND_DATABRICKS,
  LB_KIND_SPARK,
  LB_KIND_HIVE,
  LB_KIND_KYUUBI,
  LB_KIND_COUNT
};
/* Words of the option databricks.server_kind: auto, databricks, spark, hive, kyuubi. */
bool lb_server_kind_parse(struct lb_str word, enum lb_server_kind *out);
const char *lb_server_kind_name(enum lb_server_kind kind);
/* From GetInfo(CLI_DBMS_NAME): "Spark SQL", "Apache Hive", ... Unknown names read as
 * SPARK. */
enum lb_server_kind lb_server_kind_from_dbms(struct lb_str dbms_name);

enum lb_probe_kind {
  LB_PROBE_AUTO,
  LB_PROBE_STATUS,   /* GetOperationStatus */
  LB_PROBE_METADATA, /* GetResultSetMetadata */
  LB_PROBE_FETCH0,   /* FetchResults NEXT, maxRows 0 */
  LB_PROBE_NONE
};
bool lb_probe_kind_parse(struct lb_str word,
                         enum lb_probe_kind *out); /* auto ... fetch0 */
const char *lb_probe_kind_name(enum lb_probe_kind probe);

/* What made the operation: it decides what keeps it alive on some servers. */
enum lb_op_origin { LB_OP_STATEMENT, LB_OP_METADATA };

/* Requests that name an operation. */
enum lb_op_rpc {
  LB_RPC_EXECUTE,
  LB_RPC_STATUS,
  LB_RPC_METADATA,
  LB_RPC_FETCH,
  LB_RPC_FETCH0,
  LB_RPC_CANCEL,
  LB_RPC_CLOSE,
  LB_RPC_COUNT
};

/* What a kind knows of catalogs, and how it is asked. Statements are whole, or end before
 * a quoted name. */
struct lb_catalog_facts {
  bool catalogs; /* objects live in catalogs; else in one that has no name */
  /* What SQL calls the catalog without a name, as a filter may too; NULL: nothing. */
  const char *only_catalog;
  bool catalog_in_names;   /* <catalog>.<schema>.<table> is understood */
  bool table_in_names;     /* SELECT * names a column <table>.<column> */
  bool keys;               /* <catalog>.information_schema holds keys */
  bool statistics;         /* DESCRIBE TABLE EXTENDED tells them */
  const char *ask_catalog; /* NULL: it has no name */
  const char *ask_schema;
  const char *use_catalog; /* NULL: there is one only */
  const char *use_schema;
};

struct lb_server_facts {
  int64_t idle_limit_ms; /* an idle operation is kept at least so long; 0 not known */
  int64_t
      evict_window_ms; /* ... and gone after so long at the latest; 25 min when unknown */
  bool long_poll;      /* status calls of running operations block in the server */
  bool direct_results;
  bool arrow_results;
  bool reliable_has_more; /* hasMoreRows can be believed */
  bool start_row_offset;  /* replies carry real offsets */
  bool ask_schema_after_finish_only;
  bool progress;   /* status replies tell how far an operation is, when asked */
  bool query_tags; /* statements carry tags of the user's */
  struct lb_catalog_facts catalog;
  /* Protocol version from which parameters travel beside a statement; 0: they have to be
   * written into its text. */
  int32_t parameters_from;
  int32_t max_parameters; /* of one statement, where they travel beside it */
  /* Protocol version from which large results may come as links to files; 0: never. */
  int32_t links_from;
  enum lb_param_dialect dialect;
  int64_t max_rows_cap;      /* pages are silently cut to so many rows; 0 no cap known */
  bool timestamp_is_instant; /* TIMESTAMP is printed in the session's zone; else it has
                                none */
  bool nanoseconds;          /* times may have nine digits behind the point */
  /* A statement whose one value ends with the name of the session's zone; NULL: none. */
  const char *zone_query;
};
const struct lb_server_facts *lb_server_facts(enum lb_server_kind kind);
/* True when parameters travel beside the statement, at most max_parameters of them. */
bool lb_server_takes_parameters(enum lb_server_kind kind, int32_t protocol);
/* True when a large result may come as links to files of a cloud store. */
bool lb_server_gives_links(enum lb_server_kind kind, int32_t protocol);
/* True when a confirmed rpc resets the operation's idle clock (rule 3.3). */
bool lb_server_is_contact(enum lb_server_kind kind, enum lb_op_origin origin,
                          enum lb_op_rpc rpc);
/* Resolves AUTO to the probe that works; a probe that does harm on this kind is
 * LB_INVALID_ARGUMENT naming option, value, kind and remedy. One that is merely useless
 * is allowed (it was asked for). */
enum lb_status lb_server_choose_probe(enum lb_server_kind kind, enum lb_op_origin origin,
                                      enum lb_probe_kind asked, enum lb_probe_kind *out,
                                      struct lb_error *err) LB_MUST_USE;
/* True when the probe would lose rows: fetch0 on Hive, on a kind that is not learned, and
 * where a server of kind Kyuubi or Spark sends Arrow (arrow_rows), which only Kyuubi does
 * and only the result itself shows. */
bool lb_server_probe_harms(enum lb_server_kind kind, enum lb_probe_kind probe,
                           bool arrow_rows);
/* Rule 3.8: an interval above half of the kind's limit is an error that names the limit;
 * above a third *warn is set. */
enum lb_status lb_server_check_interval(enum lb_server_kind kind, int64_t interval_ms,
                                        bool *warn, struct lb_error *err) LB_MUST_USE;

#endif
