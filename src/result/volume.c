/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure:
 *  1. The operation that the server names has to be the statement's first word, and the
 *     local file has to stand in the statement, in quotes and whole: a server does not
 *     choose which files of ours are read or written.
 *  2. The local file has to lie in a folder that the option allows; without the option
 *     nothing does. Its path is absolute and has no part `.`, `..` or of no length.
 *  3. The allowed folder is opened as it is, since the user named it. Every part below it
 *     is opened from the one above without following a link, so that what was checked is
 *     what is used. A file that is read has to be a regular one.
 *  4. PUT: the file's size when it is opened is what is announced; a file that is longer
 *     or shorter when it is read ends the transfer with an error.
 *  5. GET: the bytes go into a new file with a name of chance beside the target, which
 *     takes the target's place in one step when all have come, and which is removed
 *     otherwise. Like other clients' GET this replaces a file that is there.
 *  6. Whether a file of the volume may be replaced (OVERWRITE) is the server's decision.
 *  7. A store that is busy (429, 503) or cannot be reached is asked again, as long as the
 *     options allow: a PUT with the file from its beginning, a GET until the first byte
 *     has come. What the store may have done is not asked for twice: a second PUT would
 *     find the file there, a second REMOVE would not.
 */
#include "result/volume.h"

#include <inttypes.h>

#include "base/os.h"
#include "result/volume_path.h"
#include "session/session_internal.h"
#include "session/storage.h"
#include "wire/sql_scan.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

static enum lb_status file_failed(const char *doing, struct lb_str path, int code,
                                  struct lb_error *err) {
  char why[128];
  lb_os_error_text(code, why, sizeof why);
  return lb_error_set(err, LB_INVALID_ARGUMENT, "the local file %.*s cannot be %s: %s",
                      (int)LB_MIN(path.len, (size_t)512), path.data, doing, why);
}

/* Headers of the row, which are stored one behind the other. */
static enum lb_status list_headers(const struct lb_buf *headers,
                                   struct lb_storage_params *out, struct lb_error *err) {
  const char *at = (const char *)headers->data;
  const char *end = at + headers->len;
  while (headers->len > 0 && at < end) {
    if (out->header_count == LB_STORAGE_HEADERS_MAX) {
      return lb_error_set(err, LB_PROTOCOL,
                          "the server asks for more than %d headers for the store",
                          LB_STORAGE_HEADERS_MAX);
    }
    out->headers[out->header_count++] = at;
    at += strlen(at) + 1;
  }
  return LB_OK;
}

/* One exchange; move runs while it is under way and moves the bytes. */
struct exchange {
  struct lb_storage_call *call;
  struct lb_str path;
  int fd;
  int64_t size; /* PUT: announced; GET: written */
  enum lb_status status;
  struct lb_error err;
};

static void send_once(struct exchange *ex, uint8_t *chunk) {
  int64_t left = ex->size;
  for (;;) {
    int code = 0;
    int64_t n = lb_os_file_read(ex->fd, chunk, CHUNK_BYTES, &code);
    if (n < 0) ex->status = file_failed("read", ex->path, code, &ex->err);
    bool changed = n > left || (n == 0 && left > 0);
    if (n >= 0 && changed) {
      ex->status = lb_error_set(&ex->err, LB_INVALID_STATE,
                                "the local file %.*s has changed while it was being sent",
                                (int)LB_MIN(ex->path.len, (size_t)512), ex->path.data);
    }
    if (n <= 0 || changed) break;
    left -= n;
    if (!lb_pipe_write(ex->call->pipe, chunk, (size_t)n)) break;
  }
  lb_pipe_finish(ex->call->pipe);
}

static void send_file(struct exchange *ex, uint8_t *chunk) {
  int code = 0;
  send_once(ex, chunk);
  while (ex->status == LB_OK && lb_pipe_again(ex->call->pipe)) {
    if (lb_os_file_rewind(ex->fd, &code)) {
      send_once(ex, chunk);
    } else {
      ex->status = file_failed("read anew", ex->path, code, &ex->err);
    }
  }
  /* What is short ends the request: it does not wait for what will not come. */
  if (ex->status != LB_OK) (void)lb_call_cancel(&ex->call->base);
}

static void receive_file(struct exchange *ex, uint8_t *chunk) {
  size_t n;
  while ((n = lb_pipe_read(ex->call->pipe, chunk, CHUNK_BYTES)) > 0) {
    int code = 0;
    if (ex->status != LB_OK) continue;
    ex->size += (int64_t)n;
    if (lb_os_file_write(ex->fd, chunk, n, &code)) continue;
    ex->status = file_failed("written", ex->path, code, &ex->err);
    (void)lb_call_cancel(&ex->call->base);
  }
}

static void nothing(struct lb_io_task *task, struct lb_io *io) {
  (void)task;
  (void)io;
}

static enum lb_status run(struct lb_session *sess, const struct lb_volume_params *params,
                          const struct lb_storage_params *storage, struct exchange *ex,
                          struct lb_error *err) {
  uint8_t *chunk = lb_alloc(LB_MEM_IO, CHUNK_BYTES);
  if (!chunk) return lb_error_oom(err, "a part of a file");
  enum lb_status status = lb_storage_create(sess, storage, &ex->call, err);
  if (status != LB_OK) goto done;
  status = lb_call_slot_begin(params->slot, &ex->call->base, err);
  if (status == LB_OK) {
    /* A call that was cancelled before it began has nobody who would end the pipe. */
    struct lb_io_task begun = {.run = nothing};
    lb_list_init(&begun.node);
    lb_io_run(sess->io, &begun);
    bool ended_early = lb_call_abandoned(&ex->call->base) && !ex->call->base.begun;
    if (!ended_early && storage->method == LB_METHOD_PUT) send_file(ex, chunk);
    if (!ended_early && storage->method == LB_METHOD_GET) receive_file(ex, chunk);
    status = lb_call_slot_end(params->slot, &ex->call->base, LB_NEVER_MS, err);
  }
  lb_call_release(&ex->call->base);
  if (ex->status != LB_OK) {
    lb_error_copy(err, &ex->err);
    status = ex->status;
  }
done:
  lb_free(chunk);
  return status;
}

static enum lb_status put(struct lb_session *sess, const struct lb_volume_params *params,
                          struct lb_storage_params *storage, struct lb_str path,
                          struct lb_error *err) {
  struct lb_volume_place place;
  int code = 0;
  LB_TRY(lb_volume_place_open(params->allowed, path, &place, err));
  struct exchange ex = {.path = path};
  ex.fd = lb_os_file_open_at(place.folder, place.name, &ex.size, &code);
  enum lb_status status;
  if (ex.fd < 0) {
    status = file_failed("opened for reading as a regular file", path, code, err);
  } else {
    storage->upload_bytes = ex.size;
    status = run(sess, params, storage, &ex, err);
    lb_os_close(ex.fd);
  }
  lb_os_close(place.folder);
  return status;
}

static enum lb_status get(struct lb_session *sess, const struct lb_volume_params *params,
                          struct lb_storage_params *storage, struct lb_str path,
                          struct lb_error *err) {
  struct lb_volume_place place;
  int code = 0;
  uint64_t chance = 0;
  char part[64];
  LB_TRY(lb_volume_place_open(params->allowed, path, &place, err));
  (void)lb_os_random_bytes(&chance, sizeof chance);
  struct lb_buf name;
  lb_buf_init(&name, LB_MEM_MISC, sizeof part - 1);
  lb_buf_appendf(&name, ".lakebeat-%016" PRIx64 ".part", chance);
  lb_str_copy(part, sizeof part, (struct lb_str){(const char *)name.data, name.len});
  lb_buf_reset(&name);
  struct exchange ex = {.path = path};
  ex.fd = lb_os_file_create_at(place.folder, part, &code);
  enum lb_status status;
  if (ex.fd < 0) {
    status = file_failed("created", path, code, err);
  } else {
    status = run(sess, params, storage, &ex, err);
    bool closed = lb_os_file_close(ex.fd, &code);
    if (status == LB_OK && !closed) status = file_failed("written", path, code, err);
    if (status == LB_OK && !lb_os_rename_at(place.folder, part, place.name, &code)) {
      status = file_failed("put in its place", path, code, err);
    }
    if (status != LB_OK) lb_os_unlink_at(place.folder, part);
  }
  lb_os_close(place.folder);
  return status;
}

/* The whole of a quoted text of the statement is the name. */
static bool names_file(struct lb_str sql, struct lb_str name) {
  struct lb_str text = lb_sql_next_text(sql, 0);
  while (text.len > 0) {
    char quote = text.data[0];
    bool whole = text.len >= 2 && text.data[text.len - 1] == quote;
    if (whole && (quote == '\'' || quote == '"') &&
        lb_str_equal((struct lb_str){text.data + 1, text.len - 2}, name)) {
      return true;
    }
    text = lb_sql_next_text(sql, (size_t)(text.data - sql.data) + text.len);
  }
  return false;
}

static enum lb_status check_statement(const struct lb_volume_params *params,
                                      const struct lb_volume_row *row,
                                      struct lb_error *err) {
  struct lb_str word = lb_sql_first_word(params->sql);
  bool named = row->local_file.len == 0 || names_file(params->sql, row->local_file);
  if (lb_str_equal_nocase(word, row->operation) && named) return LB_OK;
  return lb_error_set(err, LB_PROTOCOL,
                      "the server asks for a transfer that the statement does not: no "
                      "local file was touched");
}

enum lb_status lb_volume_carry_out(struct lb_session *sess,
                                   const struct lb_volume_params *params,
                                   const struct lb_volume_row *row,
                                   struct lb_error *err) {
  static const struct {
    struct lb_str word;
    enum lb_method method;
    const char *what;
  } operations[] = {
      {{"PUT", 3}, LB_METHOD_PUT, "PUT"},
      {{"GET", 3}, LB_METHOD_GET, "GET"},
      {{"REMOVE", 6}, LB_METHOD_DELETE, "REMOVE"},
  };
  LB_TRY(check_statement(params, row, err));
  struct lb_storage_params storage = {.limit_s = params->limit_s};
  for (size_t i = 0; i < LB_ARRAY_LEN(operations); i++) {
    if (!lb_str_equal_nocase(row->operation, operations[i].word)) continue;
    storage.method = operations[i].method;
    storage.what = operations[i].what;
  }
  if (!storage.what) {
    return lb_error_set(err, LB_PROTOCOL,
                        "the server asks for a transfer that is neither PUT, GET nor "
                        "REMOVE");
  }
  LB_TRY(list_headers(&row->headers, &storage, err));
  char *url = lb_strndup(LB_MEM_MISC, row->url.data, row->url.len);
  if (!url) return lb_error_oom(err, "a URL");
  storage.url = url;
  enum lb_status status;
  if (storage.method == LB_METHOD_PUT) {
    status = put(sess, params, &storage, row->local_file, err);
  } else if (storage.method == LB_METHOD_GET) {
    status = get(sess, params, &storage, row->local_file, err);
  } else {
    struct exchange ex = {.fd = -1};
    status = run(sess, params, &storage, &ex, err);
  }
  lb_wipe(url, strlen(url));
  lb_free(url);
  return status;
}

/* Reading the row. */

static enum lb_status unreadable(const char *what, struct lb_error *err) {
  return lb_error_set(err, LB_PROTOCOL,
                      "the server's description of a transfer cannot be read: %s", what);
}

static int32_t column_named(const struct ArrowSchema *schema, const char *name) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    const char *found = schema->children[i]->name;
    if (found && lb_str_equal_nocase(lb_str_from(found), lb_str_from(name))) {
      return (int32_t)i;
    }
  }
  return -1;
}

static struct lb_str text_at(const struct ArrowArrayView *column, int64_t row) {
  struct lb_str none = {NULL, 0};
  if (column->storage_type != NANOARROW_TYPE_STRING) return none;
  if (ArrowArrayViewIsNull(column, row)) return none;
  struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(column, row);
  return (struct lb_str){text.data, (size_t)text.size_bytes};
}

static void append_header(struct lb_buf *out, struct lb_str name, struct lb_str value) {
  lb_buf_append_str(out, name);
  lb_buf_append_text(out, ": ");
  lb_buf_append_str(out, value);
  lb_buf_append_u8(out, 0);
}

/* The ASCII character of \u0000, at the u. 0: there is none. */
static char json_unicode(struct lb_str json, size_t at) {
  unsigned code = 0;
  if (json.len - at < 5) return 0;
  for (size_t i = at + 1; i < at + 5; i++) {
    const char *digits = "0123456789abcdefABCDEF";
    const char *digit = json.data[i] ? strchr(digits, json.data[i]) : NULL;
    if (!digit) return 0;
    unsigned value = (unsigned)(digit - digits);
    code = code * 16 + (value < 16 ? value : value - 6);
  }
  return code >= ' ' && code < 0x7f ? (char)code : 0;
}

/* One text of JSON at *at with the escapes that stand in names and values of headers;
 * some writers put \u003d for an equals sign. */
static bool json_text(struct lb_str json, size_t *at, struct lb_buf *out) {
  lb_buf_clear(out);
  if (*at >= json.len || json.data[*at] != '"') return false;
  for (size_t i = *at + 1; i < json.len; i++) {
    char c = json.data[i];
    if (c == '"') {
      *at = i + 1;
      return true;
    }
    if (c == '\\') {
      i++;
      c = i < json.len ? json.data[i] : 0;
      if (c == 'u') {
        c = json_unicode(json, i);
        i += 4;
      } else if (c && !strchr("\"\\/", c)) {
        return false;
      }
      if (!c) return false;
    }
    lb_buf_append_u8(out, (uint8_t)c);
  }
  return false;
}

static void skip_space(struct lb_str json, size_t *at) {
  while (*at < json.len && strchr(" \t\r\n", json.data[*at]) && json.data[*at]) (*at)++;
}

static bool json_char(struct lb_str json, size_t *at, char c) {
  skip_space(json, at);
  if (*at >= json.len || json.data[*at] != c) return false;
  (*at)++;
  skip_space(json, at);
  return true;
}

/* {"name": "value", ...} */
static enum lb_status read_json(struct lb_str json, struct lb_buf *out,
                                struct lb_error *err) {
  struct lb_buf name, value;
  size_t at = 0;
  lb_buf_init(&name, LB_MEM_MISC, 4096);
  lb_buf_init(&value, LB_MEM_MISC, 16384);
  bool ok = json_char(json, &at, '{');
  bool empty = ok && json_char(json, &at, '}');
  while (ok && !empty) {
    ok = json_text(json, &at, &name) && json_char(json, &at, ':') &&
         json_text(json, &at, &value);
    if (!ok || name.status != LB_OK || value.status != LB_OK) break;
    append_header(out, (struct lb_str){(const char *)name.data, name.len},
                  (struct lb_str){(const char *)value.data, value.len});
    if (json_char(json, &at, '}')) break;
    ok = json_char(json, &at, ',');
  }
  enum lb_status status = lb_buf_check(&name, "a header's name", err);
  if (status == LB_OK) status = lb_buf_check(&value, "a header's value", err);
  lb_buf_reset(&name);
  lb_buf_reset(&value);
  if (status != LB_OK) return status;
  skip_space(json, &at);
  return ok && at == json.len ? LB_OK : unreadable("its headers", err);
}

/* A map of texts, or a text of JSON. */
static enum lb_status read_headers(const struct ArrowArrayView *column,
                                   struct lb_buf *out, struct lb_error *err) {
  if (ArrowArrayViewIsNull(column, 0)) return LB_OK;
  if (column->storage_type == NANOARROW_TYPE_STRING) {
    struct lb_str json = lb_str_trim(text_at(column, 0));
    return json.len == 0 ? LB_OK : read_json(json, out, err);
  }
  if (column->storage_type != NANOARROW_TYPE_MAP) return unreadable("its headers", err);
  const struct ArrowArrayView *entries = column->children[0];
  int64_t from = ArrowArrayViewListChildOffset(column, 0);
  int64_t to = ArrowArrayViewListChildOffset(column, 1);
  for (int64_t i = from; i < to; i++) {
    append_header(out, text_at(entries->children[0], i),
                  text_at(entries->children[1], i));
  }
  return LB_OK;
}

static enum lb_status take_row(const struct ArrowSchema *schema,
                               const struct ArrowArrayView *view,
                               struct lb_volume_row *row, struct lb_error *err) {
  int32_t operation = column_named(schema, "operation");
  int32_t url = column_named(schema, "presignedUrl");
  int32_t file = column_named(schema, "localFile");
  int32_t headers = column_named(schema, "headers");
  if (operation < 0 || url < 0) return unreadable("columns are missing", err);
  row->operation = text_at(view->children[operation], 0);
  row->url = text_at(view->children[url], 0);
  if (file >= 0) row->local_file = text_at(view->children[file], 0);
  if (row->operation.len == 0 || row->url.len == 0) {
    return unreadable("values are missing", err);
  }
  if (headers >= 0) LB_TRY(read_headers(view->children[headers], &row->headers, err));
  return lb_buf_check(&row->headers, "the store's headers", err);
}

enum lb_status lb_volume_read_row(const struct ArrowSchema *schema,
                                  const struct ArrowArray *array,
                                  struct lb_volume_row *row, struct lb_error *err) {
  struct ArrowArrayView view;
  *row = (struct lb_volume_row){0};
  lb_buf_init(&row->headers, LB_MEM_MISC, 64 * 1024);
  if (array->length != 1) return unreadable("it has not one row", err);
  if (ArrowArrayViewInitFromSchema(&view, schema, NULL) != NANOARROW_OK) {
    return lb_error_oom(err, "a view on a row");
  }
  enum lb_status status;
  if (ArrowArrayViewSetArray(&view, array, NULL) == NANOARROW_OK) {
    status = take_row(schema, &view, row, err);
  } else {
    status = unreadable("its columns", err);
  }
  ArrowArrayViewReset(&view);
  return status;
}
