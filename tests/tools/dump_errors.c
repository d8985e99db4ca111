/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/ERRORS.md from the tables of errors; scripts/errors_doc.py runs it. */
#include <stdio.h>
#include <string.h>

enum status {
#define LB_ERROR_ROW(name, ...) name,
#include "base/errors.def"
};

static const struct {
  const char *name;
  int adbc;
  const char *sqlstate;
  int retryable;
  const char *text;
  const char *cause;
  const char *remedy;
} rows[] = {
#define LB_ERROR_ROW(name, ...) {#name, __VA_ARGS__},
#include "base/errors.def"
};

static const struct {
  const char *prefix;
  enum status like;
  const char *meaning;
} states[] = {
#define LB_ERROR_STATE(prefix, like, meaning) {prefix, like, meaning},
#include "base/errors.def"
};

static const struct {
  const char *error_class;
  const char *sqlstate;
} classes[] = {
#define LB_ERROR_CLASS(error_class, sqlstate) {error_class, sqlstate},
#include "base/errors.def"
};

static const char *const adbc_names[] = {
    "OK",
    "UNKNOWN",
    "NOT_IMPLEMENTED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "INVALID_ARGUMENT",
    "INVALID_STATE",
    "INVALID_DATA",
    "INTEGRITY",
    "INTERNAL",
    "IO",
    "CANCELLED",
    "TIMEOUT",
    "UNAUTHENTICATED",
    "UNAUTHORIZED",
};

static const char head[] =
    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
    "# Errors\n"
    "\n"
    "<!-- Made from src/base/errors.def by scripts/errors_doc.py --write. -->\n"
    "\n"
    "An error has an ADBC status, a SQLSTATE, a message that names the option, value or\n"
    "statement and what to do, and details: `query_id`, `http_status`, `error_class` "
    "(the\n"
    "server's, such as `TABLE_OR_VIEW_NOT_FOUND`), `retryable` (the same call may "
    "succeed\n"
    "later) and `native_code`. Secrets are replaced by `***`; of a server's text the "
    "Java\n"
    "stack is left out.\n"
    "\n"
    "| error | ADBC status | SQLSTATE | retryable | cause | remedy |\n"
    "|---|---|---|---|---|---|\n";

static const char states_head[] =
    "\n"
    "## What a server's SQLSTATE means\n"
    "\n"
    "The SQLSTATE and the error class that a server sends are passed through. The first\n"
    "line that fits the SQLSTATE gives the ADBC status; where none does, it is UNKNOWN.\n"
    "\n"
    "| SQLSTATE | ADBC status | meaning |\n"
    "|---|---|---|\n";

static const char classes_head[] =
    "\n"
    "## Error classes without a SQLSTATE\n"
    "\n"
    "Older engines send the class alone. Of these the SQLSTATE is known:\n"
    "\n"
    "| error class | SQLSTATE |\n"
    "|---|---|\n";

static const char tail[] =
    "\n"
    "## Keys that are not known\n"
    "\n"
    "Setting an option of an unknown name is NOT_IMPLEMENTED, reading one NOT_FOUND, as\n"
    "ADBC wants it. Errors of a stream are an `errno` value, and "
    "`AdbcErrorFromArrayStream`\n"
    "gives the whole error.\n";

int main(void) {
  fputs(head, stdout);
  for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
    printf("| %s | %s | `%s` | %s | %s | %s |\n", rows[i].text, adbc_names[rows[i].adbc],
           rows[i].sqlstate, rows[i].retryable ? "yes" : "no", rows[i].cause,
           rows[i].remedy);
  }
  fputs(states_head, stdout);
  for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
    const char *more = strlen(states[i].prefix) < 5 ? "..." : "";
    printf("| `%s%s` | %s | %s |\n", states[i].prefix, more,
           adbc_names[rows[states[i].like].adbc], states[i].meaning);
  }
  fputs(classes_head, stdout);
  for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
    printf("| `%s` | `%s` |\n", classes[i].error_class, classes[i].sqlstate);
  }
  fputs(tail, stdout);
  return 0;
}
