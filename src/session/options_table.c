/* SPDX-License-Identifier: Apache-2.0 */
#include "session/options_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

const struct lb_option_row lb_option_table[LB_OPT_COUNT] = {
#define LB_OPTION_ROW(id_, key_, aliases_, type_, scopes_, words_, min_, max_, def_, \
                      secret_, unit_, doc_) \
  [LB_OPT_##id_] = {.id = LB_OPT_##id_, \
                    .key = key_, \
                    .aliases = aliases_, \
                    .type = type_, \
                    .scopes = scopes_, \
                    .words = words_, \
                    .min = min_, \
                    .max = max_, \
                    .def = def_, \
                    .secret = secret_, \
                    .unit = unit_, \
                    .doc = doc_},
#include "session/options.def"
};

static struct lb_str next_word(struct lb_str *list) {
  size_t space = lb_str_find(*list, LB_STR(" "));
  size_t len = space == SIZE_MAX ? list->len : space;
  struct lb_str word = {list->data, len};
  size_t step = LB_MIN(len + 1, list->len);
  list->data += step;
  list->len -= step;
  return word;
}

const struct lb_option_row *lb_option_find(struct lb_str key) {
  if (key.len == 0) return NULL;
  for (size_t i = 0; i < LB_OPT_COUNT; i++) {
    const struct lb_option_row *row = &lb_option_table[i];
    if (lb_str_equal(key, lb_str_from(row->key))) return row;
    struct lb_str aliases = lb_str_from(row->aliases);
    while (aliases.len > 0) {
      if (lb_str_equal(key, next_word(&aliases))) return row;
    }
  }
  return NULL;
}

struct lb_option_shown lb_option_show(struct lb_str s) {
  /* Redacted before it is cut: what is left of a cut token is not known for one. */
  char whole[4 * LB_OPTION_SHOWN_MAX];
  size_t len = lb_str_copy(whole, sizeof(whole), s);
  lb_utf8_clean(whole, len);
  lb_redact(whole);
  struct lb_str clean = lb_str_from(whole);
  struct lb_option_shown shown;
  size_t at = lb_str_copy(shown.text, LB_OPTION_SHOWN_MAX, clean);
  if (at < clean.len || len < s.len) memcpy(shown.text + at, "...", 4);
  return shown;
}

enum lb_status lb_option_bad_value(const struct lb_option_row *row, struct lb_str value,
                                   const char *wanted, struct lb_error *err) {
  if (row->secret) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "option %s: %s", row->key, wanted);
  }
  return lb_error_set(err, LB_INVALID_ARGUMENT, "option %s = '%s': %s", row->key,
                      lb_option_show(value).text, wanted);
}

enum lb_status lb_option_copy(struct lb_str s, char **out, struct lb_error *err) {
  char *text = lb_strndup(LB_MEM_MISC, s.len > 0 ? s.data : "", s.len);
  if (text == NULL) return lb_error_oom(err, "an option");
  *out = text;
  return LB_OK;
}

static enum lb_status normal_int(const struct lb_option_row *row, struct lb_str value,
                                 char **out, struct lb_error *err) {
  int64_t number = 0;
  char text[128];
  if (!lb_str_to_i64(value, &number) || number < row->min || number > row->max) {
    snprintf(text, sizeof(text),
             "give a whole number from %" PRId64 " to %" PRId64 "%s%s", row->min,
             row->max, row->unit[0] ? " " : "", row->unit);
    return lb_option_bad_value(row, value, text, err);
  }
  snprintf(text, sizeof(text), "%" PRId64, number);
  return lb_option_copy(lb_str_from(text), out, err);
}

static enum lb_status normal_word(const struct lb_option_row *row, struct lb_str value,
                                  char **out, struct lb_error *err) {
  bool flag = false;
  struct lb_str words = lb_str_from(row->words);
  if (lb_str_equal(words, LB_STR("on off")) && lb_str_to_bool(value, &flag)) {
    value = flag ? LB_STR("on") : LB_STR("off");
  }
  while (words.len > 0) {
    struct lb_str word = next_word(&words);
    if (lb_str_equal_nocase(word, value)) return lb_option_copy(word, out, err);
  }
  char wanted[128] = "give one of: ";
  size_t len = strlen(wanted);
  lb_str_copy(wanted + len, sizeof(wanted) - len, lb_str_from(row->words));
  return lb_option_bad_value(row, value, wanted, err);
}

enum lb_status lb_option_normal_form(const struct lb_option_row *row, struct lb_str value,
                                     char **out, struct lb_error *err) {
  bool flag = false;
  if (value.len > LB_OPTION_VALUE_MAX_BYTES) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "option %s is longer than %d bytes",
                        row->key, LB_OPTION_VALUE_MAX_BYTES);
  }
  switch (row->type) {
    case LB_OPTION_BOOL:
      if (!lb_str_to_bool(value, &flag)) {
        return lb_option_bad_value(row, value, "give true or false", err);
      }
      return lb_option_copy(flag ? LB_STR("true") : LB_STR("false"), out, err);
    case LB_OPTION_INT:
      return normal_int(row, value, out, err);
    case LB_OPTION_WORD:
      return normal_word(row, value, out, err);
    case LB_OPTION_URI:
    case LB_OPTION_TEXT:
      break;
  }
  return lb_option_copy(value, out, err);
}
