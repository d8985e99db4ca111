/* SPDX-License-Identifier: Apache-2.0 */
/* Everything known about kinds of servers. A constant here is worth what its source is
 * worth: "measured" was seen on the wire on the date given, "documented" stands in the
 * vendor's text, "read" was found in the engine's source and never seen running. Where
 * nothing is known the cautious value stands: 0 for a limit, false for a capability.
 *
 * Measured servers: Spark 4.3.0 and 3.5.9 and Hive 4.0.1 over HTTP, November 2026,
 * operation timeout 5 s, sweep 3 s, one call a second for 15 s, then a fetch. */
#include "session/server_kinds.h"

#include <inttypes.h>

#include "wire/tcli.h"

#define MINUTE_MS INT64_C(60000)

/* Where nothing is known: the one eviction window that is (Databricks: 20 minutes idle,
 * swept every 5). */
#define EVICT_WINDOW_DEFAULT_MS (25 * MINUTE_MS)

/* Documented: USE CATALOG, USE SCHEMA, current_catalog, current_schema, DESCRIBE TABLE
 * EXTENDED, and information_schema in each catalog. */
#define DATABRICKS_CATALOG \
  {.catalogs = true, \
   .catalog_in_names = true, \
   .keys = true, \
   .statistics = true, \
   .ask_catalog = "SELECT current_catalog()", \
   .ask_schema = "SELECT current_schema()", \
   .use_catalog = "USE CATALOG ", \
   .use_schema = "USE SCHEMA "}
/* Measured: GetCatalogs has no rows, and the catalog's name is empty in what the other
 * calls answer; they look into the session catalog alone. Documented: SET CATALOG (3.2),
 * current_catalog (3.1); without NAMESPACE a name in USE could be a catalog's. */
#define SPARK_CATALOG \
  {.only_catalog = "spark_catalog", \
   .catalog_in_names = true, \
   .statistics = true, \
   .ask_catalog = "SELECT current_catalog()", \
   .ask_schema = "SELECT current_database()", \
   .use_catalog = "SET CATALOG ", \
   .use_schema = "USE NAMESPACE "}

/* In Spark since 3.1 (measured), and documented for Databricks. */
#define CURRENT_ZONE "SELECT current_timezone()"

/* A row per kind; what a zero stands for is said in the header. */
static const struct {
  const char *word;
  struct lb_server_facts facts;
} kinds[LB_KIND_COUNT] = {
    [LB_KIND_AUTO] =
        {
            .word = "auto",
            .facts =
                {
                    .evict_window_ms = EVICT_WINDOW_DEFAULT_MS,
                    .ask_schema_after_finish_only = true,
                    .catalog = {.ask_schema = "SELECT current_database()",
                                .use_schema = "USE "},
                },
        },
    [LB_KIND_DATABRICKS] =
        {
            .word = "databricks",
            .facts =
                {
                    /* 20 minutes idle, swept every 5: documented in the tests of the
                     * vendor's C# driver and in the heartbeat changes of its Python and
                     * JDBC drivers (2025-2026). */
                    .idle_limit_ms = 20 * MINUTE_MS,
                    .evict_window_ms = 25 * MINUTE_MS,
                    /* Blocks up to 5 s while running: reported for the Python driver. */
                    .long_poll = true,
                    /* Seen in recorded traffic of the vendor's drivers, 2026. */
                    .direct_results = true,
                    .arrow_results = true,
                    .reliable_has_more = true,
                    .start_row_offset = true,
                    .catalog = DATABRICKS_CATALOG,
                    /* Read in five of the vendor's drivers, 2026: parameters from V8; an
                     * older server ignores the field. */
                    .parameters_from = LB_T_PROTOCOL_SPARK_V8,
                    /* Documented for the vendor's Python driver. */
                    .max_parameters = 255,
                    /* What the version is for in the vendor's C# driver, read 2026. */
                    .links_from = LB_T_PROTOCOL_SPARK_V3,
                    .timestamp_is_instant = true,
                    .zone_query = CURRENT_ZONE,
                    .query_tags = true, /* sent by the vendor's drivers, 2026 */
                },
        },
    [LB_KIND_SPARK] =
        {
            .word = "spark",
            .facts =
                {
                    /* hive.server2.idle.operation.timeout is the server's setting
                     * (default 5 d) and cannot be asked for. */
                    .evict_window_ms = EVICT_WINDOW_DEFAULT_MS,
                    .long_poll = true,        /* measured: 5.0 s a poll */
                    .start_row_offset = true, /* measured: the real position */
                    /* Measured: asked earlier, the reply is one column `Result` and stays
                     * so for the life of the operation. hasMoreRows is false in every
                     * reply. */
                    .ask_schema_after_finish_only = true,
                    .catalog = SPARK_CATALOG,
                    .timestamp_is_instant = true,
                    .zone_query = CURRENT_ZONE,
                },
        },
    [LB_KIND_HIVE] =
        {
            .word = "hive",
            .facts =
                {
                    /* The server's setting: 5 d by default in Hive 3, 2 h in Hive 4. */
                    .evict_window_ms = EVICT_WINDOW_DEFAULT_MS,
                    .long_poll = true, /* measured: 0.5 s a poll */
                    /* Measured: startRowOffset is 0 and hasMoreRows false in every reply;
                     * the schema is right while running; pages are cut to 10,000 rows
                     * (hive.server2.thrift.resultset.max.fetch.size). */
                    .max_rows_cap = 10000,
                    /* hive.resultset.use.unique.column.names is on by default. */
                    .catalog = {.table_in_names = true,
                                .ask_schema = "SELECT current_database()",
                                .use_schema = "USE "},
                    .dialect = LB_DIALECT_HIVE,
                    .nanoseconds = true,
                    /* Measured: "2026-11-21 14:04:55.4 Etc/UTC". TIMESTAMP has no zone
                     * there since 3.1; this is the type that has one. */
                    .zone_query = "SELECT CAST(CAST(current_timestamp() AS TIMESTAMP "
                                  "WITH LOCAL TIME ZONE) AS STRING)",
                    .progress = true, /* seen in replies of Hive 4.0.1 */
                },
        },
    [LB_KIND_KYUUBI] =
        {
            .word = "kyuubi",
            .facts =
                {
                    /* kyuubi.operation.idle.timeout 3 h, kyuubi.session.check.interval 5
                     * min: defaults of Kyuubi 1.9, read. */
                    .idle_limit_ms = 180 * MINUTE_MS,
                    .evict_window_ms = 185 * MINUTE_MS,
                    .ask_schema_after_finish_only =
                        true, /* as the Spark engine behind it */
                    .catalog = SPARK_CATALOG,
                    .timestamp_is_instant = true,
                    .zone_query = CURRENT_ZONE,
                },
        },
};

bool lb_server_kind_parse(struct lb_str word, enum lb_server_kind *out) {
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    if (!lb_str_equal_nocase(word, lb_str_from(kinds[i].word))) continue;
    *out = (enum lb_server_kind)i;
    return true;
  }
  return false;
}

const char *lb_server_kind_name(enum lb_server_kind kind) {
  return (unsigned)kind < LB_KIND_COUNT ? kinds[kind].word : "unknown";
}

enum lb_server_kind lb_server_kind_from_dbms(struct lb_str dbms_name) {
  /* Measured: "Apache Hive" and "Spark SQL". Kyuubi passes its engine's "Spark SQL" on
   * unless kyuubi.server.info.provider says otherwise (read). */
  static const struct {
    struct lb_str part;
    enum lb_server_kind kind;
  } names[] = {
      {LB_STR("databricks"), LB_KIND_DATABRICKS},
      {LB_STR("kyuubi"), LB_KIND_KYUUBI},
      {LB_STR("hive"), LB_KIND_HIVE},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
    if (lb_str_find_nocase(dbms_name, names[i].part) != SIZE_MAX) return names[i].kind;
  }
  return LB_KIND_SPARK;
}

static const char *const probe_words[] = {
    [LB_PROBE_AUTO] = "auto",         [LB_PROBE_STATUS] = "status",
    [LB_PROBE_METADATA] = "metadata", [LB_PROBE_FETCH0] = "fetch0",
    [LB_PROBE_NONE] = "none",
};

bool lb_probe_kind_parse(struct lb_str word, enum lb_probe_kind *out) {
  for (size_t i = 0; i < LB_PROBE_NONE; i++) {
    if (!lb_str_equal_nocase(word, lb_str_from(probe_words[i]))) continue;
    *out = (enum lb_probe_kind)i;
    return true;
  }
  return false;
}

const char *lb_probe_kind_name(enum lb_probe_kind probe) {
  return (unsigned)probe < LB_ARRAY_LEN(probe_words) ? probe_words[probe] : "unknown";
}

const struct lb_server_facts *lb_server_facts(enum lb_server_kind kind) {
  return &kinds[(unsigned)kind < LB_KIND_COUNT ? kind : LB_KIND_AUTO].facts;
}

bool lb_server_takes_parameters(enum lb_server_kind kind, int32_t protocol) {
  int32_t from = lb_server_facts(kind)->parameters_from;
  return from > 0 && protocol >= from;
}

bool lb_server_gives_links(enum lb_server_kind kind, int32_t protocol) {
  int32_t from = lb_server_facts(kind)->links_from;
  return from > 0 && protocol >= from;
}

#define BIT(rpc) (1u << LB_RPC_##rpc)
#define EXECUTE_AND_FETCH (BIT(EXECUTE) | BIT(FETCH) | BIT(FETCH0))

/* Which confirmed requests reset the idle clock. Execution is one everywhere: the clock
 * starts with it. Cancel and close are nowhere: after them there is nothing to keep
 * (measured on Spark and Hive: a finished operation dies in spite of cancels). A fetch of
 * no rows resets the clock of Hive too; that it ends the result there is the business of
 * probe_harms. */
static const unsigned contacts[LB_KIND_COUNT][2] = {
    /* Nothing learned: what holds for all kinds. */
    [LB_KIND_AUTO] = {[LB_OP_STATEMENT] = BIT(EXECUTE) | BIT(FETCH),
                      [LB_OP_METADATA] = BIT(EXECUTE) | BIT(FETCH)},
    /* Documented: any request that names the operation. */
    [LB_KIND_DATABRICKS] = {[LB_OP_STATEMENT] =
                                EXECUTE_AND_FETCH | BIT(STATUS) | BIT(METADATA),
                            [LB_OP_METADATA] =
                                EXECUTE_AND_FETCH | BIT(STATUS) | BIT(METADATA)},
    /* Measured: status keeps nothing alive; the schema only a metadata call's operation.
     */
    [LB_KIND_SPARK] = {[LB_OP_STATEMENT] = EXECUTE_AND_FETCH,
                       [LB_OP_METADATA] = EXECUTE_AND_FETCH | BIT(METADATA)},
    /* Measured: the schema keeps every operation alive, status none. */
    [LB_KIND_HIVE] = {[LB_OP_STATEMENT] = EXECUTE_AND_FETCH | BIT(METADATA),
                      [LB_OP_METADATA] = EXECUTE_AND_FETCH | BIT(METADATA)},
    /* Read: status resets the server's clock, a fetch that and the engine's, the schema
     * neither. */
    [LB_KIND_KYUUBI] = {[LB_OP_STATEMENT] = EXECUTE_AND_FETCH | BIT(STATUS),
                        [LB_OP_METADATA] = EXECUTE_AND_FETCH | BIT(STATUS)},
};

bool lb_server_is_contact(enum lb_server_kind kind, enum lb_op_origin origin,
                          enum lb_op_rpc rpc) {
  if ((unsigned)kind >= LB_KIND_COUNT || (unsigned)rpc >= LB_RPC_COUNT) return false;
  return (contacts[kind][origin == LB_OP_METADATA] >> rpc & 1u) != 0;
}

/* The probe of `auto`. Spark's metadata calls may take either; fetch0 is the one probe
 * there that is right for both. */
static const enum lb_probe_kind auto_probes[LB_KIND_COUNT] = {
    [LB_KIND_AUTO] = LB_PROBE_NONE,     [LB_KIND_DATABRICKS] = LB_PROBE_STATUS,
    [LB_KIND_SPARK] = LB_PROBE_FETCH0,  [LB_KIND_HIVE] = LB_PROBE_METADATA,
    [LB_KIND_KYUUBI] = LB_PROBE_STATUS,
};

bool lb_server_probe_harms(enum lb_server_kind kind, enum lb_probe_kind probe,
                           bool arrow_rows) {
  if (probe != LB_PROBE_FETCH0) return false;
  /* Measured on Hive: the fetch task forgets its place when it got no row, and the result
   * ends early without an error. A server that is not known may be one. */
  if (kind == LB_KIND_HIVE || kind == LB_KIND_AUTO) return true;
  /* Read: with kyuubi.operation.result.format=arrow the row count is ignored and the
   * probe swallows a batch. Kyuubi may give its engine's name for its own. */
  return (kind == LB_KIND_KYUUBI || kind == LB_KIND_SPARK) && arrow_rows;
}

enum lb_status lb_server_choose_probe(enum lb_server_kind kind, enum lb_op_origin origin,
                                      enum lb_probe_kind asked, enum lb_probe_kind *out,
                                      struct lb_error *err) {
  (void)origin;
  if (asked == LB_PROBE_AUTO) {
    *out = (unsigned)kind < LB_KIND_COUNT ? auto_probes[kind] : LB_PROBE_NONE;
    return LB_OK;
  }
  if (lb_server_probe_harms(kind, asked, false)) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "databricks.heartbeat.probe=%s would end results early on a server of kind %s: "
        "use "
        "auto%s",
        lb_probe_kind_name(asked), lb_server_kind_name(kind),
        kind == LB_KIND_HIVE ? " or metadata" : ", or state databricks.server_kind");
  }
  *out = asked;
  return LB_OK;
}

enum lb_status lb_server_check_interval(enum lb_server_kind kind, int64_t interval_ms,
                                        bool *warn, struct lb_error *err) {
  if (interval_ms < 1000 || interval_ms % 1000 != 0) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "databricks.heartbeat.interval_seconds must be a whole number of "
                        "seconds and at least 1; to switch heartbeats off set "
                        "databricks.heartbeat.enabled=false");
  }
  int64_t limit_ms = lb_server_facts(kind)->idle_limit_ms;
  if (limit_ms > 0 && interval_ms > limit_ms / 2) {
    return lb_error_set(
        err, LB_INVALID_ARGUMENT,
        "databricks.heartbeat.interval_seconds=%" PRId64 " is above half of the %" PRId64
        " s after which a server of kind %s forgets an idle result: use at "
        "most %" PRId64,
        interval_ms / 1000, limit_ms / 1000, lb_server_kind_name(kind), limit_ms / 2000);
  }
  *warn = limit_ms > 0 && interval_ms > limit_ms / 3;
  return LB_OK;
}
