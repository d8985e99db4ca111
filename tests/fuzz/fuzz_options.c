/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for options. The first byte picks: a URI, a URI with credentials before
 * the input, or keys and values (one pair a line, `key=value`). What is taken must be
 * readable and take its own normal form; no error shows the secret. */
#include "base/alloc.h"
#include "session/options.h"
#include "session/options_uri.h"

#define SECRET "Zq8SeCrEtXyZ9w"
#define TEXT_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer learns the secret from comparisons; an input that has it proves nothing. */
static bool knows_secret(const uint8_t *data, size_t size) {
  struct lb_str input = {(const char *)data, size};
  return lb_str_find_nocase(input, LB_STR("SeCrE")) != SIZE_MAX;
}

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static void check(enum lb_status status, const struct lb_error *err) {
  if (status == LB_OK) return;
  require(err->status == status && err->message[0] != '\0');
  require(lb_str_find(lb_str_from(err->message), LB_STR(SECRET)) == SIZE_MAX);
}

static void parse_uri(const char *text) {
  struct lb_uri uri;
  struct lb_error err = LB_ERROR_INIT;
  memset(&uri, 0, sizeof(uri));
  enum lb_status status = lb_uri_parse(lb_str_from(text), &uri, &err);
  check(status, &err);
  if (status != LB_OK) return;
  require(lb_uri_host_valid(lb_str_from(uri.host)));
  require(lb_uri_path_valid(lb_str_from(uri.path)));
  require(uri.port >= 1 && uri.port <= 65535);
  lb_uri_reset(&uri);
}

static enum lb_status visit(void *ctx, struct lb_str name, struct lb_str value,
                            struct lb_error *err) {
  (void)err;
  require(name.len > 0 && value.data != NULL);
  *(int *)ctx += 1;
  return LB_OK;
}

/* What is set can be read (unless it is secret), and can be set again as it reads. */
static void set_one(struct lb_options *opts, struct lb_str key, const char *value) {
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_options_set(opts, key, value, &err);
  check(status, &err);
  const struct lb_option_row *row = lb_option_find(key);
  if (status != LB_OK || row == NULL || row->secret) return;
  struct lb_buf text;
  lb_buf_init(&text, LB_MEM_MISC, 1024 * 1024);
  status = lb_options_get(opts, key, &text, &err);
  if (status == LB_OK) {
    lb_buf_append_u8(&text, 0);
    require(lb_options_set(opts, key, (const char *)text.data, &err) == LB_OK);
  } else {
    check(status, &err);
  }
  lb_buf_reset(&text);
}

static void set_lines(struct lb_options *opts[3], char *text) {
  int turn = 0;
  while (*text != '\0') {
    size_t len = strcspn(text, "\n");
    bool last = text[len] == '\0';
    text[len] = '\0';
    size_t key_len = strcspn(text, "=");
    bool pair = text[key_len] == '=';
    set_one(opts[turn++ % 3], (struct lb_str){text, key_len},
            pair ? text + key_len + 1 : NULL);
    if (last) break;
    text += len + 1;
  }
}

static void use_sets(char *text, bool uri) {
  static const enum lb_option_scope scopes[] = {LB_SCOPE_DATABASE, LB_SCOPE_CONNECTION,
                                                LB_SCOPE_STATEMENT};
  struct lb_options *opts[3] = {NULL, NULL, NULL};
  struct lb_target target = {0};
  struct lb_error err = LB_ERROR_INIT;
  int confs = 0;
  for (int i = 0; i < 3; i++) {
    struct lb_options *parent = i > 0 ? opts[i - 1] : NULL;
    require(lb_options_create(parent, scopes[i], &opts[i], &err) == LB_OK);
  }
  if (uri) {
    set_one(opts[0], LB_STR("uri"), text);
  } else {
    set_lines(opts, text);
  }
  enum lb_status status = lb_options_target(opts[0], &target, &err);
  check(status, &err);
  if (status == LB_OK) {
    require(lb_str_find(lb_str_from(target.url), LB_STR(SECRET)) == SIZE_MAX);
    lb_target_reset(&target);
  }
  require(lb_options_each_conf(opts[1], visit, &confs, &err) == LB_OK);
  for (int i = 2; i >= 0; i--) lb_options_release(opts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const heads[] = {"", "lakebeat://token:" SECRET "@",
                                      "databricks://user:" SECRET "@", ""};
  static char text[TEXT_MAX + 64];
  if (size == 0 || size > TEXT_MAX || knows_secret(data, size)) return 0;
  int mode = data[0] % 4;
  size_t len = lb_str_copy(text, sizeof(text), lb_str_from(heads[mode]));
  memcpy(text + len, data + 1, size - 1);
  text[len + size - 1] = '\0';
  if (mode < 3) parse_uri(text);
  use_sets(text, mode < 3);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
