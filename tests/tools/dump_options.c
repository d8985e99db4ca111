/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/OPTIONS.md from the table of options; scripts/options_doc.py runs it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "result/cloud_stats.h"
#include "session/options.h"

static const struct lb_option_row table[LB_OPT_COUNT] = {
#define LB_OPTION_ROW(id_, key_, aliases_, type_, scopes_, words_, min_, max_, def_, \
                      secret_, unit_, doc_) \
  {LB_OPT_##id_, key_, aliases_, type_,   scopes_, words_, \
   min_,         max_, def_,     secret_, unit_,   doc_},
#include "session/options.def"
};

static void print_text(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '|') putchar('\\');
    if (*text == '<') {
      fputs("&lt;", stdout);
    } else {
      putchar(*text);
    }
  }
}

static void print_list(const char *words, const char *between) {
  const char *at = words;
  while (*at != '\0') {
    size_t len = strcspn(at, " ");
    printf("`%.*s`", (int)len, at);
    at += len;
    if (*at == ' ') {
      at++;
      fputs(between, stdout);
    }
  }
}

static void print_values(const struct lb_option_row *row) {
  switch (row->type) {
    case LB_OPTION_BOOL:
      fputs("`true`, `false`", stdout);
      return;
    case LB_OPTION_INT:
      printf("%" PRId64 " to %" PRId64 "%s%s", row->min, row->max,
             row->unit[0] ? " " : "", row->unit);
      return;
    case LB_OPTION_WORD:
      print_list(row->words, ", ");
      return;
    case LB_OPTION_TEXT:
    case LB_OPTION_URI:
      fputs(row->secret ? "text (secret)" : "text", stdout);
      return;
  }
}

static void print_scopes(int scopes) {
  bool database = (scopes & LB_SCOPE_DATABASE) != 0;
  printf("%s%s%s", database ? "D" : "", scopes & LB_SCOPE_CONNECTION ? " C" : "",
         scopes & LB_SCOPE_STATEMENT ? &" S"[!database] : "");
}

static void print_row(const struct lb_option_row *row) {
  printf("| `%s`", row->key);
  if (row->aliases[0] != '\0') {
    fputs("<br>also ", stdout);
    print_list(row->aliases, ", ");
  }
  fputs(" | ", stdout);
  print_scopes(row->scopes);
  fputs(" | ", stdout);
  print_values(row);
  fputs(" | ", stdout);
  if (row->def != NULL) printf("`%s`", row->def);
  fputs(" | ", stdout);
  print_text(row->doc);
  fputs(" |\n", stdout);
}

static const char head[] =
    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
    "# Options\n"
    "\n"
    "<!-- Made from src/session/options.def by scripts/options_doc.py --write. -->\n"
    "\n"
    "An option can be set on a database (D), a connection (C) or a statement (S), as "
    "the\n"
    "table says. What is set nearest wins, and a change applies to the next session or\n"
    "execution. Options that a database alone has are set before it is initialised, but\n"
    "for `databricks.log_level`, `databricks.memory_budget_bytes`,\n"
    "`databricks.decode_threads` and "
    "`databricks.close_timeout_seconds`. Each can be given as a string; whole numbers "
    "also\n"
    "as an integer or a double, texts also as bytes. Booleans are `true` or `false`, "
    "and\n"
    "`1`, `0`, `on`, `off`, `yes` and `no` are understood. A NULL value takes an option\n"
    "back. All but secrets can be read, also those that have their default; `uri` reads "
    "as\n"
    "where it leads, without credentials and options.\n"
    "\n"
    "| option | on | values | default | meaning |\n"
    "|---|---|---|---|---|\n";

static const char tail[] =
    "| `databricks.session_conf.<name>` | D C | text |  | setting `<name>` of the "
    "session, as with `SET <name> = value` |\n"
    "\n"
    "## Options in a uri\n"
    "\n"
    "`https://` and `http://` name host, port, path and what belongs to the path; "
    "credentials are\n"
    "options of their own. `lakebeat://` and `databricks://` mean https and can carry "
    "everything:\n"
    "\n"
    "```\n"
    "lakebeat://token:<access token>@host[:port]/<path>?<option>=<value>&...\n"
    "lakebeat://<user>:<password>@host[:port]/<path>\n"
    "```\n"
    "\n"
    "Names in the query are those above, with or without `databricks.` before them\n"
    "(`catalog=main`, `heartbeat.interval_seconds=30`, `session_conf.ansi_mode=true`); "
    "`o`, "
    "the number\n"
    "of the workspace, stays with the path. `%`, `/`, `?`, `#`, `&`, `@` and `:` in "
    "credentials, names and\n"
    "values are written as `%25`, `%2F` and so on. What is set as an option wins over "
    "what "
    "the uri says.\n"
    "\n"
    "A token or password is never sent over plain HTTP to another machine, unless\n"
    "`databricks.tls.allow_token_over_http` allows it.\n"
    "\n"
    "## What can be read\n"
    "\n"
    "These cannot be set. On a statement they tell of its latest result, also after its "
    "end; on a\n"
    "connection and a database they are sums over all of theirs, streams that live on "
    "included. Any\n"
    "thread may read them at any time, as text and, but for the first two, as an "
    "integer.\n"
    "\n"
    "| key | meaning |\n"
    "|---|---|\n"
    "| `databricks.heartbeat.state` | `not_armed`, `armed`, `probing` or `stopped` |\n"
    "| `databricks.heartbeat.reason` | why it is not armed, or has stopped |\n"
    "| `databricks.heartbeat.armed` | results that are kept alive at this moment |\n"
    "| `databricks.heartbeat.oldest_idle_ms` | since the reader was last inside a read "
    "|\n"
    "| `databricks.heartbeat.probes_sent` | requests that were started |\n"
    "| `databricks.heartbeat.probes_succeeded` | that found the result alive |\n"
    "| `databricks.heartbeat.probes_failed` | without a useful answer, or the result was "
    "gone |\n"
    "| `databricks.heartbeat.probes_dropped` | under way when the heartbeat stopped |\n"
    "| `databricks.heartbeat.postponed` | that waited for the host or for pacing |\n"
    "| `databricks.heartbeat.bytes` | of requests and replies |\n"
    "| `databricks.heartbeat.late_max_ms` | the latest that one was sent after its time "
    "|\n"
    "| `databricks.heartbeat.since_contact_ms` | since the server last heard of the "
    "result "
    "|\n"
    "| `databricks.heartbeat.gates_closed` | how often heartbeats to a host had to pause "
    "|\n"
    "| `databricks.heartbeat.process.<counter>` | the sum over all databases of the "
    "process, released ones included, as long as something of the driver is open; "
    "`<counter>` is `armed`, `probes_sent`, `probes_succeeded`, `probes_failed`, "
    "`probes_dropped`, `postponed`, `bytes`, `late_max_ms` (the largest) or "
    "`gates_closed`; the same on every object |\n"
#define LB_CLOUD_COUNTER(name, meaning) \
  "| `databricks.cloudfetch." #name "` | " meaning " |\n"
    LB_CLOUD_COUNTERS(LB_CLOUD_COUNTER)
#undef LB_CLOUD_COUNTER
        "| `databricks.memory_budget.limit_bytes` | of the process, as the two below, "
        "and "
        "the same on every object: the budget that was set last |\n"
        "| `databricks.memory_budget.used_bytes` | what is fetched ahead of readers at "
        "this moment, as the budget is charged for it |\n"
        "| `databricks.memory_budget.peak_bytes` | the most that this was |\n"
        "| `databricks.query_id` | of a statement: the id of its latest execution |\n"
        "| `databricks.server_kind` | of a connection or statement: what the server is "
        "|\n"
        "| `adbc.statement.exec.progress` | of a statement, 0 to 1: how far its "
        "execution "
        "is, where the server tells it (Hive), else 0 until it is executed; reading does "
        "not change it, as ADBC has it. How far a reader of files is: "
        "`databricks.cloudfetch.rows_delivered` of the `databricks.cloudfetch.rows` that "
        "are known of so far |\n"
        "| `adbc.statement.exec.max_progress` | 1, the progress of what is executed |\n"
        "\n"
        "ADBC's own `adbc.connection.autocommit` is `true`, `adbc.connection.readonly` "
        "`false` and the\n"
        "isolation level the default; other values are refused. Details of errors are "
        "`query_id`,\n"
        "`http_status`, `error_class`, `retryable` and `native_code` (the server's own "
        "number of the error).\n"
        "\n"
        "In the environment, `LAKEBEAT_LOG=<level>[:<file>]` switches the log on, and\n"
        "`LAKEBEAT_HEARTBEAT=off` switches all heartbeats of the process off.\n";

int main(void) {
  fputs(head, stdout);
  for (size_t i = 0; i < LB_OPT_COUNT; i++) print_row(&table[i]);
  fputs(tail, stdout);
  return 0;
}
