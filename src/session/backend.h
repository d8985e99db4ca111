/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between a protocol and everything above it. A backend is a const table:
 * each step of the life of a session and an operation is a pair, `build` fills a
 * request, `read` judges its reply. Both are pure: no I/O, no clock, no locks, any
 * thread. What a server can or cannot do is lb_server_facts and the flags of the
 * server, never the name of the backend.
 *
 * build: sets body, class, repeat, what and limits of a request whose endpoint is set.
 * read: req has status LB_OK, i.e. some HTTP status and a whole reply. A reply that
 * reports a failure becomes that failure's status and err. LB_RESULT_LOST and
 * LB_SESSION_LOST mean that the server does not know the handle (any more). */
#ifndef LB_SESSION_BACKEND_H
#define LB_SESSION_BACKEND_H

#include "io/request.h"
#include "session/server_kinds.h"
#include "wire/param.h"
#include "wire/tcli.h"

/* The server's side of a session; immutable once it is open. */
struct lb_server {
  enum lb_server_kind kind;
  int32_t protocol;
  bool databricks_protocol; /* a Databricks version was granted */
  uint8_t guid[16];
  uint8_t secret[16];
};

struct lb_conf {
  struct lb_str name;
  struct lb_str value;
};
struct lb_open_params {
  enum lb_server_kind kind; /* as stated, AUTO otherwise */
  int32_t hive_protocol;    /* -1: leave it to the server (first attempt) */
  const struct lb_conf *confs;
  int32_t conf_count;
  struct lb_str catalog; /* data NULL: none asked for */
  struct lb_str schema;
};

/* The copied handle of an operation; immutable once known. */
struct lb_op_handle {
  uint8_t guid[16];
  uint8_t secret[16];
  int32_t type;
  bool has_result_set;
};

enum lb_op_state {
  LB_OP_LIVE,     /* initialized, pending, running */
  LB_OP_FINISHED, /* rows can be fetched */
  LB_OP_FAILED,   /* err says why */
  LB_OP_CANCELED,
  LB_OP_CLOSED,
  LB_OP_TIMED_OUT,
  LB_OP_UNKNOWN
};

struct lb_execute_params {
  struct lb_str sql;
  bool own; /* made by the driver: an answer that nobody asked for by this text */
  int64_t query_timeout_s;
  bool arrow;
  bool links; /* large results as links to files; see lb_server_gives_links */
  struct lb_str query_tags; /* "key:value,..."; len 0: none */
  int64_t max_rows;         /* of a page that comes with the reply */
  int64_t max_bytes;
  /* Where lb_server_takes_parameters says so; NULL: none. */
  const struct lb_param *params;
  int32_t param_count;
};

/* A catalog call: a question about what the server holds, answered by a result set. */
enum lb_catalog_call {
  LB_CATALOG_CATALOGS,
  LB_CATALOG_SCHEMAS,
  LB_CATALOG_TABLES,
  LB_CATALOG_TABLE_TYPES,
  LB_CATALOG_COLUMNS,
  LB_CATALOG_CROSS_REFERENCE,
  LB_CATALOG_CALL_COUNT
};
/* Texts with data NULL are left out. catalog is a name (of tables a pattern on some
 * servers: see its answer through a filter); schema, table and column are patterns with
 * `%`, `_` and the escape `\`, except in calls about keys, where all are names. What a
 * call does not take is not looked at. */
struct lb_catalog_params {
  enum lb_catalog_call call;
  struct lb_str catalog; /* of a cross reference: those of the referring (foreign) side */
  struct lb_str schema;
  struct lb_str table;
  struct lb_str column;
  struct lb_str *table_types; /* none: all */
  int32_t table_type_count;
  int64_t max_rows; /* of a page that comes with the reply */
  int64_t max_bytes;
};

/* What the I/O thread needs of an execute or status reply; rows are not touched. */
struct lb_op_head {
  bool has_handle;
  struct lb_op_handle handle;
  bool has_state;
  enum lb_op_state state;
  struct lb_error failure; /* FAILED, CANCELED, CLOSED, TIMED_OUT, UNKNOWN */
  bool closed_by_server;   /* the reply holds all, and the handle is gone */
  bool has_metadata;
  bool has_rows;         /* a page of rows came along */
  int64_t modified_rows; /* -1 not told */
  double progress;       /* of a live operation, 0 to 1; below 0: not told */
};

/* Everything in an execute or fetch reply, as views on the body and the arena. */
struct lb_reply_data {
  const struct lb_t_get_result_set_metadata_resp *metadata; /* NULL: not told */
  const struct lb_t_row_set *row_set;                       /* NULL: no page */
  bool has_more_told;
  bool has_more;
};

struct lb_fetch_params {
  int64_t start_row;
  int64_t max_rows;
  int64_t max_bytes;
};

/* What the I/O thread needs of a fetch reply. */
struct lb_fetch_head {
  bool last_page; /* told: the server has no rows beyond this page */
  bool has_links; /* its rows are in files, and links to them can need renewal */
};

/* A probe's answer, judged; never rows (rule 3.10). */
enum lb_probe_verdict {
  LB_PROBE_ALIVE,
  LB_PROBE_ALIVE_NO_STATE,
  LB_PROBE_ENDED, /* a terminal state other than finished */
  LB_PROBE_LOST,
  LB_PROBE_ROWS_GONE, /* fetch0 brought rows or moved the cursor */
  LB_PROBE_REFUSED,   /* 401 */
  LB_PROBE_BUSY,      /* 429, 503 */
  LB_PROBE_FAILED
};
struct lb_probe_params {
  enum lb_probe_kind probe;
  int64_t confirmed_row; /* rows [0, confirmed_row) are known to have been sent */
  int64_t asked_row;     /* ... and at most up to here, with the fetch in flight */
  bool real_offsets;     /* the server states where its cursor is */
};
struct lb_probe_answer {
  enum lb_probe_verdict verdict;
  struct lb_error err; /* text for the log, where the verdict is not ALIVE */
};

struct lb_backend {
  const char *name;
  enum lb_status (*build_open)(const struct lb_open_params *params,
                               struct lb_request *req, struct lb_error *err);
  /* Fills server but for the kind when it has to be asked for (KIND stays AUTO).
   * *again: the server wants an older protocol in params->hive_protocol; open once
   * more with it. */
  enum lb_status (*read_open)(const struct lb_request *req,
                              const struct lb_open_params *params,
                              struct lb_server *server, int32_t *again,
                              struct lb_error *err);
  /* info: 17 name, 18 version of the DBMS. */
  enum lb_status (*build_info)(const struct lb_server *server, int32_t info,
                               struct lb_request *req, struct lb_error *err);
  enum lb_status (*read_info)(const struct lb_request *req, char *out, size_t cap,
                              struct lb_error *err);
  enum lb_status (*build_execute)(const struct lb_server *server,
                                  const struct lb_execute_params *params,
                                  struct lb_request *req, struct lb_error *err);
  enum lb_status (*build_catalog)(const struct lb_server *server,
                                  const struct lb_catalog_params *params,
                                  struct lb_request *req, struct lb_error *err);
  /* The reply of an execution or of a catalog call. */
  enum lb_status (*read_execute)(const struct lb_request *req, struct lb_op_head *out,
                                 struct lb_error *err);
  /* progress: the reply should tell it. */
  enum lb_status (*build_poll)(const struct lb_op_handle *handle, bool progress,
                               struct lb_request *req, struct lb_error *err);
  enum lb_status (*read_poll)(const struct lb_request *req, struct lb_op_head *out,
                              struct lb_error *err);
  /* Makes req what old was, of whose session the server knows nothing (any more), for
   * another session; takes old's body. */
  enum lb_status (*build_again)(struct lb_request *old, const struct lb_server *lost,
                                const struct lb_server *server, struct lb_request *req,
                                struct lb_error *err);
  enum lb_status (*build_metadata)(const struct lb_op_handle *handle,
                                   struct lb_request *req, struct lb_error *err);
  /* Whether the reply holds metadata; the data itself is read by read_data. */
  enum lb_status (*read_metadata)(const struct lb_request *req, struct lb_error *err);
  enum lb_status (*build_fetch)(const struct lb_server *server,
                                const struct lb_op_handle *handle,
                                const struct lb_fetch_params *params,
                                struct lb_request *req, struct lb_error *err);
  enum lb_status (*read_fetch)(const struct lb_request *req, struct lb_fetch_head *out,
                               struct lb_error *err);
  /* probe is resolved, never AUTO or NONE. */
  enum lb_status (*build_probe)(const struct lb_op_handle *handle,
                                const struct lb_probe_params *params,
                                struct lb_request *req, struct lb_error *err);
  void (*read_probe)(const struct lb_request *req, const struct lb_probe_params *params,
                     struct lb_probe_answer *out);
  enum lb_status (*build_cancel)(const struct lb_op_handle *handle,
                                 struct lb_request *req, struct lb_error *err);
  enum lb_status (*build_close)(const struct lb_op_handle *handle, struct lb_request *req,
                                struct lb_error *err);
  enum lb_status (*build_end)(const struct lb_server *server, struct lb_request *req,
                              struct lb_error *err);
  /* Replies of cancel, close and end: a handle that is gone is success. */
  enum lb_status (*read_end)(const struct lb_request *req, struct lb_error *err);
  /* The data of an execute, catalog, metadata or fetch reply; what is the request's. Not
   * on the I/O thread. The views live as long as body and arena. */
  enum lb_status (*read_data)(struct lb_str body, const char *what,
                              struct lb_arena *arena, struct lb_reply_data *out,
                              struct lb_error *err);
};

extern const struct lb_backend lb_backend_thrift;

#endif
