/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for text: UTF-8, numbers, redaction, and the error that a server's text
 * becomes. A secret that is put into the middle of the input must never come out. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "session/thrift_status.h"

#define SECRET "Zq8SeCrEtXyZ9w"
#define INPUT_MAX 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer learns the secret from comparisons; an input that has it proves nothing. */
static bool knows_secret(const uint8_t *data, size_t size) {
  struct lb_str input = {(const char *)data, size};
  return lb_str_find_nocase(input, LB_STR("SeCrE")) != SIZE_MAX;
}

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static bool shows(const char *text) {
  return lb_str_find(lb_str_from(text), LB_STR(SECRET)) != SIZE_MAX;
}

static void check_utf8(const char *data, size_t size) {
  char cut[64];
  char *copy = lb_alloc(LB_MEM_MISC, size);
  require(copy != NULL);
  if (size > 0) memcpy(copy, data, size);
  bool valid = lb_utf8_valid(copy, size);
  lb_utf8_clean(copy, size);
  require(lb_utf8_valid(copy, size));
  require(!valid || size == 0 || memcmp(copy, data, size) == 0);
  size_t len = lb_str_copy(cut, sizeof(cut), (struct lb_str){copy, size});
  require(len < sizeof(cut) && lb_utf8_valid(cut, len));
  lb_free(copy);
}

static void check_numbers(struct lb_str s) {
  int64_t i = 0;
  double d = 0;
  bool b = false;
  if (lb_str_to_i64(s, &i)) require(lb_str_to_double(s, &d));
  (void)lb_str_to_double(s, &d);
  (void)lb_str_to_bool(s, &b);
}

/* text = head, a secret in one of its forms, tail. */
static size_t with_secret(char *text, struct lb_str head, uint8_t form,
                          struct lb_str tail) {
  static const char *const forms[] = {
      "\npassword=" SECRET " ",        "\n\"client_secret\": \"" SECRET "\" ",
      "\nAuthorization: " SECRET "\n", "\nBearer " SECRET " ",
      "\nCookie: a=" SECRET "\n",      "\nhttps://u:" SECRET "@h/p ",
      "\nhttps://h/p?x=" SECRET " ",   "\ndapi" SECRET "0123456789 "};
  struct lb_str parts[] = {head, lb_str_from(forms[form % LB_ARRAY_LEN(forms)]), tail};
  size_t len = 0;
  for (size_t i = 0; i < LB_ARRAY_LEN(parts); i++) {
    for (size_t k = 0; k < parts[i].len; k++) {
      text[len++] = parts[i].data[k] != '\0' ? parts[i].data[k] : '~';
    }
  }
  text[len] = '\0';
  return len;
}

static void check_error(const char *text, size_t len, uint8_t mode) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_str s = {text, len};
  struct lb_thrift_failure failure = {.status_code = LB_T_STATUS_ERROR,
                                      .error_code = mode};
  if (mode & 1) failure.display_message = s;
  if (!(mode & 1) || mode & 2) failure.error_message = s;
  require(lb_thrift_judge_failure(&failure, "statement failed", &err) != LB_OK);
  require(err.message[0] != '\0' && !shows(err.message) && !shows(err.error_class));
  require(lb_utf8_valid(err.message, strlen(err.message)));
  require(strlen(err.sqlstate) == 5);
  require(lb_error_adbc_status(&err) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char text[2 * INPUT_MAX];
  if (size < 3 || size > INPUT_MAX || knows_secret(data, size)) return 0;
  struct lb_str rest = {(const char *)data + 3, size - 3};
  size_t middle = rest.len * data[0] / 256;
  struct lb_str head = {rest.data, middle};
  struct lb_str tail = {rest.data + middle, rest.len - middle};
  check_utf8(rest.data, rest.len);
  check_numbers(rest);
  size_t len = with_secret(text, head, data[1], tail);
  check_error(text, len, data[2]);
  bool valid = lb_utf8_valid(text, len);
  lb_redact(text);
  require(strlen(text) <= len && !shows(text));
  require(!valid || lb_utf8_valid(text, strlen(text)));
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
