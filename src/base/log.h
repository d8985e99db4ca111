/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines. Off by default; switched on by LAKEBEAT_LOG=<level>[:<file>] or by option.
 * One line per call: `<UTC time> <level> <area> <text>`, written with one write(2) so
 * that lines of threads do not mix. Nothing is written anywhere unless a sink was asked
 * for.
 *
 * Redaction happens here and nowhere else and goes by form, so that nothing has to be
 * registered: lb_redact says what is hidden. What has no such form (the bytes of an
 * operation handle) must not be given to a log at all. Thread-safe; never called under a
 * lock of ours. */
#ifndef LB_BASE_LOG_H
#define LB_BASE_LOG_H

#include <stdarg.h>

#include "base/base.h"
#include "base/error.h"

enum lb_log_level { LB_LOG_OFF, LB_LOG_ERROR, LB_LOG_WARN, LB_LOG_INFO, LB_LOG_DEBUG };

/* A log is owned by the process's I/O object and shared by everything that hangs on it;
 * the caller's memory. */
struct lb_log {
  int level; /* atomic: enum lb_log_level */
  /* text is one redacted line without its newline. Called from any thread. */
  void (*write)(void *ctx, enum lb_log_level level, const char *line, size_t len);
  void *ctx;
};

/* Level from a word ("off", "error", "warn", "info", "debug"). */
bool lb_log_level_parse(const char *word, enum lb_log_level *out);
const char *lb_log_level_name(enum lb_log_level level);

/* Reads LAKEBEAT_LOG ("debug", "info:/path/of/file"); the sink is standard error or that
 * file. A wrong value is an error that names it. Without the variable the log stays off.
 */
enum lb_status lb_log_init_env(struct lb_log *log, struct lb_error *err) LB_MUST_USE;
/* Switches the log off and closes the file that lb_log_init_env opened. */
void lb_log_reset(struct lb_log *log);
void lb_log_set_level(struct lb_log *log, enum lb_log_level level);
bool lb_log_enabled(const struct lb_log *log,
                    enum lb_log_level level); /* NULL log: false */
/* area: "io", "hb", "session", ... A line is cut at 2 KiB, before the word that does not
 * fit (half a secret might no longer look like one), and then ends in "...". Control
 * characters become spaces. */
void lb_log(const struct lb_log *log, enum lb_log_level level, const char *area,
            const char *fmt, ...) LB_PRINTF(4, 5);

/* Replaces secrets in text in place by "***" (the result is never longer):
 * - what follows `Bearer`, `Basic` and `Negotiate`;
 * - the rest of the line after `Authorization:`, `Proxy-Authorization:`, `Cookie:` and
 *   `Set-Cookie:`;
 * - the userinfo, the query and a fragment with values of a URL;
 * - the value after a name that ends in password, passwd, pwd, secret, token, api_key,
 *   secret_key, access_key, account_key, signature, sig, credential, assertion, verifier
 *   or cookie, in the forms `name=value`, `name: value`, `"name": "value"` and
 *   `name 'value'` (only not the prose `token: x`);
 * - what looks like a Databricks token (dapi..., dose..., dkea...) or a JWT (eyJ...).
 * Used for log lines and for server texts that go into errors. */
void lb_redact(char *text);

#endif
