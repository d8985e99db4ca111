/* SPDX-License-Identifier: Apache-2.0 */
/* Where a value comes from, nearest first:
 * 1. what was set on the object itself;
 * 2. on a database, what its uri says (host, port, path, credentials, options);
 * 3. the same for the parent, and so on;
 * 4. the table's default. Texts are brought into normal form when they are set ("yes"
 *    becomes "true"), so that readers parse what cannot be wrong. A set's lock is held
 *    for copying only and never together with another's. */
#include "session/options.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/mutex.h"
#include "session/options_internal.h"
#include "session/options_uri.h"

#define CONF_PREFIX "databricks.session_conf."
#define CONFS_MAX 256
struct conf {
  char *name;
  char *value;
};

/* Values from one origin. */
struct values {
  char *texts[LB_OPT_COUNT]; /* NULL: not set */
  struct conf *confs;
  int32_t conf_count;
  int32_t conf_cap;
};

struct lb_options {
  atomic_uint refs;
  _Atomic(struct lb_options *) parent; /* retained; NULL: none */
  enum lb_option_scope scope;
  struct {
    struct lb_mutex mu;
    struct values own LB_GUARDED_BY(mu);
    struct values *uri LB_GUARDED_BY(mu); /* NULL: no uri was set */
    bool uri_tls LB_GUARDED_BY(mu);
  } synced;
};

static void values_reset(struct values *values) {
  for (size_t i = 0; i < LB_OPT_COUNT; i++) {
    lb_uri_free_text(values->texts[i]);
    values->texts[i] = NULL;
  }
  for (int32_t i = 0; i < values->conf_count; i++) {
    lb_uri_free_text(values->confs[i].name);
    lb_uri_free_text(values->confs[i].value);
  }
  lb_free(values->confs);
  values->confs = NULL;
  values->conf_count = values->conf_cap = 0;
}

static void values_destroy(struct values *values) {
  if (values == NULL) return;
  values_reset(values);
  lb_free(values);
}

/* The name behind databricks.session_conf.; len 0 when key is no such key. */
static struct lb_str conf_name(struct lb_str key) {
  const struct lb_str prefix = LB_STR(CONF_PREFIX);
  if (key.len <= prefix.len || !lb_str_starts_with(key, prefix)) {
    return (struct lb_str){NULL, 0};
  }
  return (struct lb_str){key.data + prefix.len, key.len - prefix.len};
}

/* Setting. */

static enum lb_status unknown_key(struct lb_str key, struct lb_error *err) {
  return lb_error_set(err, LB_NOT_IMPLEMENTED,
                      "there is no option '%s'; see docs/OPTIONS.md for the options that "
                      "there are",
                      lb_option_show(key).text);
}

static const char *scope_names(int scopes) {
  if (scopes == LB_SCOPE_DATABASE) return "a database";
  if (scopes == LB_SCOPE_STATEMENT) return "a statement";
  if (scopes == (LB_SCOPE_DATABASE | LB_SCOPE_CONNECTION)) {
    return "a database or a connection";
  }
  return "a database, a connection or a statement";
}

static enum lb_status check_scope(struct lb_options *opts, int scopes, const char *key,
                                  struct lb_error *err) {
  if ((scopes & (int)opts->scope) != 0) return LB_OK;
  return lb_error_set(err, LB_NOT_IMPLEMENTED,
                      "option %s cannot be set here: set it on %s, before it is used",
                      key, scope_names(scopes));
}

static struct conf *find_conf(struct values *values, struct lb_str name) {
  for (int32_t i = 0; i < values->conf_count; i++) {
    if (lb_str_equal(name, lb_str_from(values->confs[i].name))) return &values->confs[i];
  }
  return NULL;
}

static enum lb_status make_room(struct values *values, struct lb_error *err) {
  if (values->conf_count < values->conf_cap) return LB_OK;
  if (values->conf_count == CONFS_MAX) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "more than %d options " CONF_PREFIX "* are set", CONFS_MAX);
  }
  int32_t cap = LB_MIN(LB_MAX(2 * values->conf_cap, 4), CONFS_MAX);
  struct conf *confs =
      lb_realloc(LB_MEM_MISC, values->confs, (size_t)cap * sizeof(*confs));
  if (confs == NULL) return lb_error_oom(err, "the session settings");
  values->confs = confs;
  values->conf_cap = cap;
  return LB_OK;
}

/* Takes name and value when it succeeds. */
static enum lb_status put_conf(struct values *values, char *name_own, char *value_own,
                               struct lb_error *err) {
  struct conf *conf = find_conf(values, lb_str_from(name_own));
  if (conf == NULL) {
    LB_TRY(make_room(values, err));
    values->confs[values->conf_count++] = (struct conf){name_own, value_own};
    return LB_OK;
  }
  lb_uri_free_text(conf->value);
  conf->value = value_own;
  lb_uri_free_text(name_own);
  return LB_OK;
}

static void remove_conf(struct values *values, struct lb_str name) {
  struct conf *conf = find_conf(values, name);
  if (conf == NULL) return;
  lb_uri_free_text(conf->name);
  lb_uri_free_text(conf->value);
  struct conf *last = &values->confs[--values->conf_count];
  /* The order of the others stays: later settings may build on earlier ones. */
  memmove(conf, conf + 1, (size_t)(last - conf) * sizeof(*conf));
}

static enum lb_status new_conf(struct lb_str name, const char *value, char **name_out,
                               char **value_out, struct lb_error *err) {
  struct lb_str text = lb_str_from(value);
  if (text.len > LB_OPTION_VALUE_MAX_BYTES || name.len > LB_OPTION_VALUE_MAX_BYTES) {
    return lb_error_set(err, LB_INVALID_ARGUMENT,
                        "option " CONF_PREFIX "%s is longer than %d bytes",
                        lb_option_show(name).text, LB_OPTION_VALUE_MAX_BYTES);
  }
  char *name_copy = NULL;
  LB_TRY(lb_option_copy(name, &name_copy, err));
  enum lb_status status = lb_option_copy(text, value_out, err);
  if (status != LB_OK) {
    lb_uri_free_text(name_copy);
    return status;
  }
  *name_out = name_copy;
  return LB_OK;
}

static enum lb_status set_conf(struct lb_options *opts, struct lb_str name,
                               const char *value, struct lb_error *err) {
  char *name_copy = NULL, *value_copy = NULL;
  if (value != NULL) LB_TRY(new_conf(name, value, &name_copy, &value_copy, err));
  enum lb_status status = LB_OK;
  lb_mutex_lock(&opts->synced.mu);
  if (value == NULL) {
    remove_conf(&opts->synced.own, name);
  } else {
    status = put_conf(&opts->synced.own, name_copy, value_copy, err);
  }
  lb_mutex_unlock(&opts->synced.mu);
  if (status != LB_OK) {
    lb_uri_free_text(name_copy);
    lb_uri_free_text(value_copy);
  }
  return status;
}

/* An option from the query of a uri: its key with or without "databricks.". */
static const struct lb_option_row *find_short(struct lb_str key) {
  const struct lb_option_row *row = lb_option_find(key);
  if (row != NULL) return row;
  char full[128] = "databricks.";
  size_t len = strlen(full);
  if (key.len == 0 || key.len >= sizeof(full) - len) return NULL;
  lb_str_copy(full + len, sizeof(full) - len, key);
  return lb_option_find(lb_str_from(full));
}

static enum lb_status take_uri_option(const struct lb_uri_option *option,
                                      struct values *values, struct lb_error *err) {
  const struct lb_str short_prefix = LB_STR("session_conf.");
  struct lb_str key = lb_str_from(option->key);
  struct lb_str name = conf_name(key);
  if (lb_str_starts_with(key, short_prefix) && key.len > short_prefix.len) {
    name = (struct lb_str){key.data + short_prefix.len, key.len - short_prefix.len};
  }
  if (name.len > 0) {
    char *name_copy = NULL, *value_copy = NULL;
    LB_TRY(new_conf(name, option->value, &name_copy, &value_copy, err));
    enum lb_status status = put_conf(values, name_copy, value_copy, err);
    if (status == LB_OK) return LB_OK;
    lb_uri_free_text(name_copy);
    lb_uri_free_text(value_copy);
    return status;
  }
  const struct lb_option_row *row = find_short(key);
  if (row == NULL) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "option uri carries '%s', which is no option of this driver; see "
                        "docs/OPTIONS.md for the options that there are",
                        lb_option_show(key).text);
  }
  if (row->type == LB_OPTION_URI) {
    return lb_error_set(err, LB_INVALID_ARGUMENT, "option uri carries another uri");
  }
  char *text = NULL;
  LB_TRY(lb_option_normal_form(row, lb_str_from(option->value), &text, err));
  lb_uri_free_text(values->texts[row->id]);
  values->texts[row->id] = text;
  return LB_OK;
}

/* Moves what a uri says into values, options of its query last. */
static enum lb_status take_uri(struct lb_uri *uri, struct values *values,
                               struct lb_error *err) {
  char port[16];
  snprintf(port, sizeof(port), "%d", (int)uri->port);
  LB_TRY(lb_option_copy(lb_str_from(port), &values->texts[LB_OPT_PORT], err));
  struct {
    enum lb_option_id id;
    char **from;
  } parts[] = {{LB_OPT_HOST, &uri->host},
               {LB_OPT_HTTP_PATH, &uri->path},
               {LB_OPT_ACCESS_TOKEN, &uri->token},
               {LB_OPT_USERNAME, &uri->username},
               {LB_OPT_PASSWORD, &uri->password}};
  for (size_t i = 0; i < LB_ARRAY_LEN(parts); i++) {
    values->texts[parts[i].id] = *parts[i].from;
    *parts[i].from = NULL;
  }
  for (int32_t i = 0; i < uri->option_count; i++) {
    LB_TRY(take_uri_option(&uri->options[i], values, err));
  }
  return LB_OK;
}

static enum lb_status read_uri(const char *text, struct values **out, bool *tls,
                               struct lb_error *err) {
  struct lb_uri uri = {0};
  LB_TRY(lb_uri_parse(lb_str_from(text), &uri, err));
  *tls = uri.tls;
  enum lb_status status = LB_OK;
  struct values *values = lb_alloc_zero(LB_MEM_MISC, sizeof(*values));
  if (values == NULL) {
    status = lb_error_oom(err, "the options of the uri");
  } else {
    status = take_uri(&uri, values, err);
  }
  lb_uri_reset(&uri);
  if (status != LB_OK) {
    values_destroy(values);
    return status;
  }
  *out = values;
  return LB_OK;
}

static enum lb_status set_uri(struct lb_options *opts, const char *value,
                              struct lb_error *err) {
  struct values *fresh = NULL;
  bool tls = true;
  if (value != NULL) LB_TRY(read_uri(value, &fresh, &tls, err));
  lb_mutex_lock(&opts->synced.mu);
  struct values *old = opts->synced.uri;
  opts->synced.uri = fresh;
  opts->synced.uri_tls = tls;
  lb_mutex_unlock(&opts->synced.mu);
  values_destroy(old);
  return LB_OK;
}

/* Programs pass on fields that nobody filled in: a login's blank half is none. */
static bool is_blank_login(const struct lb_option_row *row, const char *value) {
  bool login = row->id == LB_OPT_USERNAME || row->id == LB_OPT_PASSWORD;
  return login && value[0] == '\0';
}

enum lb_status lb_options_check_key(struct lb_options *opts, struct lb_str key,
                                    struct lb_error *err) {
  if (conf_name(key).len > 0) {
    const int scopes = LB_SCOPE_DATABASE | LB_SCOPE_CONNECTION;
    return check_scope(opts, scopes, CONF_PREFIX "*", err);
  }
  const struct lb_option_row *row = lb_option_find(key);
  if (row == NULL) return unknown_key(key, err);
  return check_scope(opts, row->scopes, row->key, err);
}

enum lb_status lb_options_set(struct lb_options *opts, struct lb_str key,
                              const char *value, struct lb_error *err) {
  LB_TRY(lb_options_check_key(opts, key, err));
  struct lb_str name = conf_name(key);
  if (name.len > 0) return set_conf(opts, name, value, err);
  const struct lb_option_row *row = lb_option_find(key);
  if (row->type == LB_OPTION_URI) return set_uri(opts, value, err);
  if (value != NULL && is_blank_login(row, value)) value = NULL;
  char *text = NULL;
  if (value != NULL) LB_TRY(lb_option_normal_form(row, lb_str_from(value), &text, err));
  lb_mutex_lock(&opts->synced.mu);
  char *old = opts->synced.own.texts[row->id];
  opts->synced.own.texts[row->id] = text;
  lb_mutex_unlock(&opts->synced.mu);
  lb_uri_free_text(old);
  return LB_OK;
}

/* Life. */

enum lb_status lb_options_create(struct lb_options *parent, enum lb_option_scope scope,
                                 struct lb_options **out, struct lb_error *err) {
  struct lb_options *opts = lb_alloc_zero(LB_MEM_MISC, sizeof(*opts));
  if (opts == NULL) return lb_error_oom(err, "a set of options");
  enum lb_status status = lb_mutex_init(&opts->synced.mu, err);
  if (status != LB_OK) {
    lb_free(opts);
    return status;
  }
  atomic_init(&opts->refs, 1);
  opts->scope = scope;
  if (parent != NULL) lb_options_retain(parent);
  atomic_init(&opts->parent, parent);
  *out = opts;
  return LB_OK;
}

void lb_options_adopt(struct lb_options *opts, struct lb_options *parent) {
  lb_options_retain(parent);
  lb_options_release(atomic_exchange(&opts->parent, parent));
}

void lb_options_retain(struct lb_options *opts) {
  atomic_fetch_add_explicit(&opts->refs, 1, memory_order_relaxed);
}

void lb_options_release(struct lb_options *opts) {
  while (opts != NULL) {
    if (atomic_fetch_sub_explicit(&opts->refs, 1, memory_order_acq_rel) != 1) return;
    struct lb_options *parent = opts->parent;
    values_reset(&opts->synced.own);
    values_destroy(opts->synced.uri);
    lb_mutex_destroy(&opts->synced.mu);
    lb_free(opts);
    opts = parent;
  }
}

/* Reading. */

static const char *nearest_locked(struct lb_options *opts, enum lb_option_id id)
    LB_REQUIRES(opts->synced.mu) {
  const char *text = opts->synced.own.texts[id];
  if (text == NULL && opts->synced.uri != NULL) text = opts->synced.uri->texts[id];
  return text;
}

/* Calls found with the nearest text, under its set's lock; false: there is none. */
static bool with_text(struct lb_options *opts, enum lb_option_id id,
                      void (*found)(void *ctx, const char *text), void *ctx) {
  for (; opts != NULL; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    const char *text = nearest_locked(opts, id);
    if (text != NULL) found(ctx, text);
    lb_mutex_unlock(&opts->synced.mu);
    if (text != NULL) return true;
  }
  if (lb_option_table[id].def == NULL) return false;
  found(ctx, lb_option_table[id].def);
  return true;
}

bool lb_options_is_set(struct lb_options *opts, enum lb_option_id id) {
  for (; opts != NULL; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    bool set = nearest_locked(opts, id) != NULL ||
               (id == LB_OPT_URI && opts->synced.uri != NULL);
    lb_mutex_unlock(&opts->synced.mu);
    if (set) return true;
  }
  return false;
}

static void to_int(void *ctx, const char *text) {
  (void)lb_str_to_i64(lb_str_from(text), (int64_t *)ctx);
}

int64_t lb_options_int(struct lb_options *opts, enum lb_option_id id) {
  int64_t value = 0;
  (void)with_text(opts, id, to_int, &value);
  return value;
}

static void to_bool(void *ctx, const char *text) {
  (void)lb_str_to_bool(lb_str_from(text), (bool *)ctx);
}

bool lb_options_bool(struct lb_options *opts, enum lb_option_id id) {
  bool value = false;
  (void)with_text(opts, id, to_bool, &value);
  return value;
}

struct copy_to {
  char *text; /* stays NULL when out of memory */
};

static void to_copy(void *ctx, const char *text) {
  struct copy_to *to = ctx;
  to->text = lb_strdup(LB_MEM_MISC, text);
}

enum lb_status lb_options_text(struct lb_options *opts, enum lb_option_id id, char **out,
                               struct lb_error *err) {
  struct copy_to to = {NULL};
  if (with_text(opts, id, to_copy, &to) && to.text == NULL) {
    return lb_error_oom(err, "an option");
  }
  *out = to.text;
  return LB_OK;
}

struct word_test {
  const char *word;
  bool equal;
};

static void to_test(void *ctx, const char *text) {
  struct word_test *test = ctx;
  test->equal = lb_str_equal(lb_str_from(text), lb_str_from(test->word));
}

bool lb_options_word_is(struct lb_options *opts, enum lb_option_id id, const char *word) {
  struct word_test test = {word, false};
  (void)with_text(opts, id, to_test, &test);
  return test.equal;
}

static void to_buf(void *ctx, const char *text) { lb_buf_append_text(ctx, text); }

enum lb_status lb_option_not_found(struct lb_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  enum lb_status status = lb_error_vset(err, LB_NOT_FOUND, fmt, args);
  va_end(args);
  lb_error_set_sqlstate(err, "HY092", 5);
  return status;
}

static enum lb_status not_set(struct lb_str key, struct lb_error *err) {
  return lb_option_not_found(err, "option %s is not set", lb_option_show(key).text);
}

static bool get_conf(struct lb_options *opts, struct lb_str name, struct lb_buf *out) {
  for (; opts != NULL; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    struct conf *conf = find_conf(&opts->synced.own, name);
    if (conf == NULL && opts->synced.uri != NULL) {
      conf = find_conf(opts->synced.uri, name);
    }
    if (conf != NULL) lb_buf_append_text(out, conf->value);
    lb_mutex_unlock(&opts->synced.mu);
    if (conf != NULL) return true;
  }
  return false;
}

/* Where a uri leads. What else it carried is not part of it: options have keys of their
 * own, and credentials are never read back. */
static void append_uri(const struct values *values, bool tls, struct lb_buf *out) {
  const char *port = values->texts[LB_OPT_PORT];
  lb_buf_append_text(out, tls ? "https://" : "http://");
  lb_buf_append_text(out, values->texts[LB_OPT_HOST]);
  if (!lb_str_equal(lb_str_from(port), tls ? LB_STR("443") : LB_STR("80"))) {
    lb_buf_append_text(out, ":");
    lb_buf_append_text(out, port);
  }
  lb_buf_append_text(out, values->texts[LB_OPT_HTTP_PATH]);
}

static bool get_uri(struct lb_options *opts, struct lb_buf *out) {
  bool found = false;
  for (; opts != NULL && !found; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    found = opts->synced.uri != NULL;
    if (found) append_uri(opts->synced.uri, opts->synced.uri_tls, out);
    lb_mutex_unlock(&opts->synced.mu);
  }
  return found;
}

enum lb_status lb_options_get(struct lb_options *opts, struct lb_str key,
                              struct lb_buf *out, struct lb_error *err) {
  struct lb_str name = conf_name(key);
  if (name.len > 0) {
    if (!get_conf(opts, name, out)) return not_set(key, err);
    return lb_buf_check(out, "an option", err);
  }
  const struct lb_option_row *row = lb_option_find(key);
  if (row == NULL) {
    return lb_option_not_found(err, "there is no option '%s'", lb_option_show(key).text);
  }
  if (row->type == LB_OPTION_URI) {
    if (!get_uri(opts, out)) return not_set(key, err);
    return lb_buf_check(out, "an option", err);
  }
  if (row->secret) {
    return lb_option_not_found(err, "option %s is a secret: it cannot be read back",
                               row->key);
  }
  if (!with_text(opts, row->id, to_buf, out)) return not_set(key, err);
  return lb_buf_check(out, "an option", err);
}

bool lb_options_is_own(struct lb_options *opts, enum lb_option_id id) {
  bool set = false;
  for (; opts != NULL && !set; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    set = opts->synced.own.texts[id] != NULL;
    lb_mutex_unlock(&opts->synced.mu);
  }
  return set;
}

bool lb_options_uri_is_plain(struct lb_options *opts) {
  bool plain = false;
  for (; opts != NULL && !plain; opts = opts->parent) {
    lb_mutex_lock(&opts->synced.mu);
    plain = opts->synced.uri != NULL && !opts->synced.uri_tls;
    lb_mutex_unlock(&opts->synced.mu);
  }
  return plain;
}

/* Session settings. */

/* Puts copies of what values holds into all; a name that is there gets the new value. */
static enum lb_status merge_confs(struct values *all, const struct values *values,
                                  struct lb_error *err) {
  for (int32_t i = 0; values != NULL && i < values->conf_count; i++) {
    const struct conf *conf = &values->confs[i];
    char *name = NULL, *value = NULL;
    LB_TRY(new_conf(lb_str_from(conf->name), conf->value, &name, &value, err));
    enum lb_status status = put_conf(all, name, value, err);
    if (status == LB_OK) continue;
    lb_uri_free_text(name);
    lb_uri_free_text(value);
    return status;
  }
  return LB_OK;
}

/* Depth is that of the scopes: a statement's set, a connection's, a database's. */
static enum lb_status collect_confs(struct lb_options *opts, struct values *all,
                                    struct lb_error *err) {
  if (opts->parent != NULL) LB_TRY(collect_confs(opts->parent, all, err));
  lb_mutex_lock(&opts->synced.mu);
  enum lb_status status = merge_confs(all, opts->synced.uri, err);
  if (status == LB_OK) status = merge_confs(all, &opts->synced.own, err);
  lb_mutex_unlock(&opts->synced.mu);
  return status;
}

enum lb_status lb_options_each_conf(struct lb_options *opts,
                                    enum lb_status (*visit)(void *ctx, struct lb_str name,
                                                            struct lb_str value,
                                                            struct lb_error *err),
                                    void *ctx, struct lb_error *err) {
  struct values *all = lb_alloc_zero(LB_MEM_MISC, sizeof(*all));
  if (all == NULL) return lb_error_oom(err, "the session settings");
  enum lb_status status = collect_confs(opts, all, err);
  for (int32_t i = 0; status == LB_OK && i < all->conf_count; i++) {
    status = visit(ctx, lb_str_from(all->confs[i].name), lb_str_from(all->confs[i].value),
                   err);
  }
  values_destroy(all);
  return status;
}
