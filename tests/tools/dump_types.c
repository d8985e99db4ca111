/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/TYPES.md from the table of SQL types; scripts/types_doc.py runs it. */
#include <stdio.h>

struct row {
  const char *sql;
  const char *arrow;
  const char *column;
  const char *note;
};
static const struct row table[] = {
#define LB_SQL_TYPE_ROW(id_, sql_, arrow_, arrow_text_, column_text_, note_) \
  {sql_, arrow_text_, column_text_, note_},
#include "wire/types.def"
};

static const char head[] =
    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
    "# Types\n"
    "\n"
    "<!-- Made from src/wire/types.def by scripts/types_doc.py --write. -->\n"
    "\n"
    "What a column of each SQL type is in Arrow. Databricks sends Arrow itself, unless\n"
    "`databricks.arrow` is `off` or the runtime is old; Spark and Hive send *columns*,\n"
    "in which many values are text that is parsed strictly: one that does not parse is "
    "an\n"
    "error that names column and row.\n"
    "\n"
    "| SQL | Arrow | in a column | |\n"
    "|---|---|---|---|\n";

static const char tail[] =
    "\n"
    "Every field has the SQL type's name in its metadata, under the server's own key\n"
    "`Spark:DataType:SqlName` and under `databricks.type_name`; what else the server "
    "says\n"
    "of a field is kept.\n"
    "\n"
    "## What columns do not tell\n"
    "\n"
    "The same value is the same in Arrow however it came, with these exceptions:\n"
    "\n"
    "- **The zone of TIMESTAMP.** A column holds local times of the session's zone and\n"
    "  does not say which. The driver asks the server (one small statement for a result\n"
    "  that has such a column) and takes the zone's rules from the system's time zone\n"
    "  database, package tzdata; without it only UTC and offsets such as `+02:00` can "
    "be\n"
    "  read. A local time that there was twice, when summer time ended, is taken as the\n"
    "  earlier one: the server does not say which it was.\n"
    "- **TIMESTAMP_NTZ** is described as TIMESTAMP and read as one.\n"
    "- **Arrays, maps and structs** are text: strict JSON from Databricks, what the "
    "engine\n"
    "  prints from Spark and Hive, where a string may hold quotes that are not escaped\n"
    "  (Spark). Use `to_json` in the query where that matters.\n"
    "- **VARIANT, GEOMETRY, GEOGRAPHY, CHAR and VARCHAR** are STRING by name where the\n"
    "  server says so.\n"
    "- **Nanoseconds**, which only Hive has, are cut to microseconds.\n"
    "\n"
    "Year-month intervals that Databricks sends as Arrow's interval of months are "
    "widened\n"
    "to month_day_nano, which more readers of Arrow understand.\n";

static void print_text(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '<') {
      fputs("&lt;", stdout);
    } else {
      putchar(*text);
    }
  }
}

int main(void) {
  fputs(head, stdout);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const char *cells[] = {table[i].sql, table[i].arrow, table[i].column, table[i].note};
    for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
      fputs("| ", stdout);
      print_text(cells[c]);
      putchar(' ');
    }
    fputs("|\n", stdout);
  }
  fputs(tail, stdout);
  return 0;
}
