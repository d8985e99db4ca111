/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/str.h"

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {
    [LB_LOG_OFF] = "off",   [LB_LOG_ERROR] = "error", [LB_LOG_WARN] = "warn",
    [LB_LOG_INFO] = "info", [LB_LOG_DEBUG] = "debug",
};

bool lb_log_level_parse(const char *word, enum lb_log_level *out) {
  for (size_t i = 0; i < LB_ARRAY_LEN(level_names); i++) {
    if (!lb_str_equal_nocase(lb_str_from(word), lb_str_from(level_names[i]))) continue;
    *out = (enum lb_log_level)i;
    return true;
  }
  return false;
}

const char *lb_log_level_name(enum lb_log_level level) {
  return (unsigned)level < LB_ARRAY_LEN(level_names) ? level_names[level] : "unknown";
}

/* ctx is the descriptor itself. */
static void write_to_fd(void *ctx, enum lb_log_level level, const char *line,
                        size_t len) {
  (void)level;
  lb_os_write_line((int)(intptr_t)ctx, line, len);
}

static enum lb_status wrong_value(struct lb_error *err, const char *value) {
  return lb_error_set(
      err, LB_INVALID_ARGUMENT,
      "LAKEBEAT_LOG=%s is not a log setting: use off, error, warn, info or "
      "debug, with :<file> behind it to write to a file",
      value);
}

enum lb_status lb_log_init_env(struct lb_log *log, struct lb_error *err) {
  /* The sink stands ready for an option that sets the level later. */
  *log = (struct lb_log){
      .level = LB_LOG_OFF, .write = write_to_fd, .ctx = (void *)(intptr_t)LB_OS_STDERR};
  const char *value = lb_os_getenv("LAKEBEAT_LOG");
  if (value == NULL || value[0] == '\0') return LB_OK;
  const char *colon = strchr(value, ':');
  char word[16];
  size_t word_len = colon == NULL ? strlen(value) : (size_t)(colon - value);
  if (word_len >= sizeof(word)) return wrong_value(err, value);
  lb_str_copy(word, sizeof(word), (struct lb_str){value, word_len});
  enum lb_log_level level;
  if (!lb_log_level_parse(word, &level)) return wrong_value(err, value);
  if (colon != NULL && colon[1] == '\0') return wrong_value(err, value);
  if (level == LB_LOG_OFF) return LB_OK;
  int fd = LB_OS_STDERR;
  if (colon != NULL) {
    int code = 0;
    fd = lb_os_append_open(colon + 1, &code);
    if (fd < 0) {
      char text[128];
      lb_os_error_text(code, text, sizeof(text));
      return lb_error_set(err, LB_INVALID_ARGUMENT,
                          "cannot open the log file of LAKEBEAT_LOG=%s: %s", value, text);
    }
  }
  log->write = write_to_fd;
  log->ctx = (void *)(intptr_t)fd;
  lb_log_set_level(log, level);
  return LB_OK;
}

void lb_log_reset(struct lb_log *log) {
  lb_log_set_level(log, LB_LOG_OFF);
  if (log->write != write_to_fd) return;
  int fd = (int)(intptr_t)log->ctx;
  log->write = NULL;
  log->ctx = NULL;
  if (fd != LB_OS_STDERR) lb_os_close(fd);
}

void lb_log_set_level(struct lb_log *log, enum lb_log_level level) {
  __atomic_store_n(&log->level, (int)level, __ATOMIC_RELAXED);
}

bool lb_log_enabled(const struct lb_log *log, enum lb_log_level level) {
  if (log == NULL || log->write == NULL || level == LB_LOG_OFF) return false;
  return (int)level <= __atomic_load_n(&log->level, __ATOMIC_RELAXED);
}

static size_t put_head(char *line, size_t cap, enum lb_log_level level,
                       const char *area) {
  struct lb_date now = lb_date_from_wall_ms(lb_clock_system.wall_ms(lb_clock_system.ctx));
  int n = snprintf(line, cap, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %.32s ", now.year,
                   now.month, now.day, now.hour, now.minute, now.second, now.ms,
                   lb_log_level_name(level), area);
  return n < 0 ? 0 : LB_MIN((size_t)n, cap - 1);
}

/* The text was cut: its last word may be half a secret. */
static void drop_last_word(char *text) {
  static const char more[] = "...";
  char *space = strrchr(text, ' ');
  char *end = space == NULL ? text : space + 1;
  /* A word that is shorter than the mark leaves no room for it. */
  char *last = text + strlen(text) - (sizeof(more) - 1);
  memcpy(LB_MIN(end, last), more, sizeof(more));
}

void lb_log(const struct lb_log *log, enum lb_log_level level, const char *area,
            const char *fmt, ...) {
  if (!lb_log_enabled(log, level)) return;
  char line[LINE_MAX_BYTES + 1];
  size_t head = put_head(line, sizeof(line), level, area);
  char *text = line + head;
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof(line) - head, fmt, args);
  va_end(args);
  if (n < 0) return;
  for (char *p = text; *p != '\0'; p++) {
    if ((unsigned char)*p < ' ' || *p == '\x7f') *p = ' ';
  }
  if ((size_t)n >= sizeof(line) - head) drop_last_word(text);
  lb_redact(text);
  size_t len = head + strlen(text);
  lb_utf8_clean(line, len);
  log->write(log->ctx, level, line, len);
}
