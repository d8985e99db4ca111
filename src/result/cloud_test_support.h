/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of cloud*.c: a result's files without a result. A server on 127.0.0.1
 * plays both the store and the warehouse by a script, the I/O thread has a clock that the
 * test moves, the reader is a thread. Header-only. */
#ifndef LB_RESULT_CLOUD_TEST_SUPPORT_H
#define LB_RESULT_CLOUD_TEST_SUPPORT_H

#include <lz4frame.h>

#include "result/cloud_internal.h"
#include "wire/arrow_test_support.h"
#include "wire/thrift.h"

#include <io_rig.h>

#define CLOUD_FILES_MAX 16
#define CLOUD_ARRAYS_MAX 64
#define CLOUD_FIRST_ROW 100
#define CLOUD_THRIFT "Content-Type: application/x-thrift\r\n"
/* The server's clock when it gives links; five minutes behind the machine's. */
#define CLOUD_SERVER_MS (INT64_C(784111777000) - 300000)
#define CLOUD_SERVER_DATE "Sun, 06 Nov 1994 08:44:37 GMT"
#define CLOUD_LIFE_MS 900000
/* Of the links: nothing in it may be written another way. */
#define CLOUD_QUERY "sig=a%2Fb+c%20d~&x=1&x=2"

static const struct field cloud_fields[] = {
    {.name = "n", .type = NANOARROW_TYPE_INT64},
    {.name = "s", .type = NANOARROW_TYPE_STRING},
};
#define CLOUD_FIELDS ((int)LB_ARRAY_LEN(cloud_fields))

/* One file of the result, as the store has it and as links state it. */
struct cloud_file {
  int64_t first_row;
  int64_t rows;
  int64_t raw_bytes;
  struct bytes body;
  char path[32];
  char url[160];
};

/* Whoever reads. What it has read is the test's once it was joined. */
struct cloud_reader {
  struct lb_thread thread;
  struct lb_cloud *cloud;
  int64_t most_rows; /* it ends when it has so many */
  atomic_bool ended;
  enum lb_status status;
  struct lb_error err;
  struct ArrowArray arrays[CLOUD_ARRAYS_MAX];
  int array_count;
  _Atomic int64_t rows;
  int waits;
};

struct cloud_rig {
  struct rig io;
  struct lb_session *sess;
  struct lb_op *op;
  struct ArrowSchema arrow;
  struct lb_result_schema schema;
  struct lb_cloud_stats *stats;
  struct lb_cloud_options options;
  struct lb_cloud *cloud;
  bool lz4;
  atomic_int holds; /* of the owner */
  atomic_int all_local;
  struct cloud_file files[CLOUD_FILES_MAX];
  int file_count;
  int64_t rows;       /* of these */
  struct bytes links; /* the last reply that cloud_links made */
  struct cloud_reader reader;
};

static inline void cloud_hold(void *ctx) {
  atomic_fetch_add(&((struct cloud_rig *)ctx)->holds, 1);
}
static inline void cloud_drop(void *ctx) {
  atomic_fetch_sub(&((struct cloud_rig *)ctx)->holds, 1);
}
static inline void cloud_all_local(void *ctx) {
  atomic_fetch_add(&((struct cloud_rig *)ctx)->all_local, 1);
}

/* Files. */

static inline void cloud_pack(struct bytes *to, const struct bytes *raw) {
  const LZ4F_preferences_t prefs = {
      .frameInfo = {.blockSizeID = LZ4F_max64KB,
                    .blockMode = LZ4F_blockIndependent,
                    .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
  size_t cap = LZ4F_compressFrameBound(raw->len, &prefs);
  to->data = lb_alloc(LB_MEM_TEST, cap);
  assert_non_null(to->data);
  to->len = LZ4F_compressFrame(to->data, cap, raw->data, raw->len, &prefs);
  assert_false(LZ4F_isError(to->len));
}

/* A body of so many batches; end: with the mark that ends it. */
static inline void cloud_body(struct cloud_rig *c, struct bytes *to, int64_t *raw_bytes,
                              int64_t first_row, int batches, int64_t batch_rows,
                              bool end) {
  struct bytes raw = {NULL, 0};
  encode_schema(&raw, &c->arrow);
  for (int i = 0; i < batches; i++) {
    add_rows_message(&raw, &c->arrow, cloud_fields, CLOUD_FIELDS,
                     first_row + i * batch_rows, batch_rows);
  }
  if (end) bytes_add(&raw, "\xff\xff\xff\xff\0\0\0\0", 8);
  *raw_bytes = (int64_t)raw.len;
  if (!c->lz4) {
    *to = raw;
    return;
  }
  cloud_pack(to, &raw);
  bytes_free(&raw);
}

/* The next file of the result. */
static inline struct cloud_file *cloud_make_file(struct cloud_rig *c, int batches,
                                                 int64_t batch_rows) {
  assert_true(c->file_count < CLOUD_FILES_MAX);
  struct cloud_file *file = &c->files[c->file_count];
  file->first_row = CLOUD_FIRST_ROW + c->rows;
  file->rows = batches * batch_rows;
  (void)snprintf(file->path, sizeof file->path, "/store/%d?", c->file_count);
  (void)snprintf(file->url, sizeof file->url, "http://127.0.0.1:%d/store/%d?%s",
                 http_server_port(c->io.server), c->file_count, CLOUD_QUERY);
  cloud_body(c, &file->body, &file->raw_bytes, file->first_row, batches, batch_rows,
             true);
  c->file_count++;
  c->rows += file->rows;
  return file;
}

static inline void cloud_make_files(struct cloud_rig *c, int count) {
  for (int i = 0; i < count; i++) (void)cloud_make_file(c, 2, 5);
}

/* Links. */

static inline struct lb_t_spark_arrow_result_link cloud_link(
    const struct cloud_file *file, int64_t expiry_ms) {
  static struct lb_str keys[] = {LB_STR("x-of-the-link")};
  static struct lb_str values[] = {LB_STR("its value")};
  return (struct lb_t_spark_arrow_result_link){
      .file_link = lb_str_from(file->url),
      .expiry_time = LB_T_I64(expiry_ms),
      .start_row_offset = LB_T_I64(file->first_row),
      .row_count = LB_T_I64(file->rows),
      .bytes_num = LB_T_I64(file->raw_bytes),
      .http_headers = {.set = true, .count = 1, .keys = keys, .values = values},
  };
}

static inline enum lb_status cloud_try_add(struct cloud_rig *c, int from, int count,
                                           int64_t life_ms, struct lb_error *err) {
  struct lb_t_spark_arrow_result_link links[CLOUD_FILES_MAX];
  for (int i = 0; i < count; i++) {
    links[i] = cloud_link(&c->files[from + i], CLOUD_SERVER_MS + life_ms);
  }
  const struct lb_t_row_set row_set = {
      .result_links = {.set = true, .count = count, .items = links}};
  return lb_cloud_add(c->cloud, &row_set, c->files[from].first_row, CLOUD_SERVER_MS, err);
}

/* Links of files from..from + count - 1 come, and live so long. */
static inline void cloud_add(struct cloud_rig *c, int from, int count, int64_t life_ms) {
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(cloud_try_add(c, from, count, life_ms, &err), &err);
}

/* The server's answer to a call of that name; keep holds its bytes. */
static inline struct http_step cloud_reply(struct bytes *keep, const char *method,
                                           const struct lb_tstruct *desc,
                                           const void *resp) {
  struct lb_buf body;
  struct lb_error err = LB_ERROR_INIT;
  lb_buf_init(&body, LB_MEM_TEST, 1 << 20);
  lb_buf_append_be32(&body, 0x80010002u);
  lb_buf_append_be32(&body, (uint32_t)strlen(method));
  lb_buf_append_text(&body, method);
  lb_buf_append_be32(&body, 1);
  lb_buf_append_u8(&body, LB_TT_STRUCT);
  lb_buf_append_be16(&body, 0);
  LB_TEST_OK(lb_thrift_write_struct(&body, desc, resp, &err), &err);
  lb_buf_append_u8(&body, 0);
  bytes_free(keep);
  bytes_add(keep, body.data, body.len);
  lb_buf_reset(&body);
  return (struct http_step){.path = "/path",
                            .headers = CLOUD_THRIFT "Date: " CLOUD_SERVER_DATE "\r\n",
                            .body = (const char *)keep->data,
                            .body_len = keep->len};
}

/* The answer to FetchResults that names these links. */
static inline struct http_step cloud_links(struct bytes *keep,
                                           const struct lb_t_spark_arrow_result_link *all,
                                           int count) {
  struct lb_t_status ok = {.status_code = LB_T_I32(LB_T_STATUS_SUCCESS)};
  struct lb_t_row_set row_set = {
      .start_row_offset = LB_T_I64(count > 0 ? all[0].start_row_offset.v : 0),
      .rows = {.set = true},
      .result_links = {.set = true, .count = count, .items = (void *)(uintptr_t)all}};
  struct lb_t_fetch_results_resp resp = {
      .status = &ok, .has_more_rows = LB_T_BOOL(false), .results = &row_set};
  return cloud_reply(keep, "FetchResults", &lb_t_fetch_results_resp_desc, &resp);
}

/* The script's step that gives the whole file. */
static inline struct http_step cloud_gives(const struct cloud_file *file) {
  return (struct http_step){.path = file->path,
                            .headers = "ETag: \"one\"\r\nAccept-Ranges: bytes\r\n",
                            .body = (const char *)file->body.data,
                            .body_len = file->body.len};
}

/* The store gives each file as often as it is asked for. */
static inline void cloud_gives_all(struct cloud_rig *c) {
  struct http_step steps[CLOUD_FILES_MAX];
  for (int i = 0; i < c->file_count; i++) steps[i] = cloud_gives(&c->files[i]);
  http_server_script(c->io.server, steps, (size_t)c->file_count);
}

/* Life. */

static inline struct lb_session *cloud_session(struct cloud_rig *c) {
  struct lb_session *sess = lb_alloc_zero(LB_MEM_TEST, sizeof *sess);
  assert_non_null(sess);
  atomic_init(&sess->users, 1);
  atomic_init(&sess->refs, 1);
  LB_TEST_OK(lb_mutex_init(&sess->info.mu, NULL), NULL);
  LB_TEST_OK(lb_auth_bearer("dapi-secret", &sess->auth, NULL), NULL);
  lb_endpoint_retain(c->io.endpoint);
  sess->endpoint = c->io.endpoint;
  sess->io = c->io.io;
  sess->backend = &lb_backend_thrift;
  sess->server.kind = LB_KIND_DATABRICKS;
  sess->server.databricks_protocol = true;
  atomic_init(&sess->current, &sess->server);
  return sess;
}

static inline void cloud_open(struct cloud_rig *c) {
  struct lb_error err = LB_ERROR_INIT;
  const struct lb_cloud_owner owner = {cloud_hold, cloud_drop, cloud_all_local, c};
  LB_TEST_OK(lb_cloud_create(c->op, &c->options, &owner, &c->schema, c->lz4, c->stats,
                             &c->cloud, &err),
             &err);
}

static inline void cloud_rig_init(struct cloud_rig *c, bool lz4) {
  const struct lb_op_handle handle = {.guid = {1}, .secret = {2}, .has_result_set = true};
  memset(c, 0, sizeof *c);
  rig_init(&c->io);
  c->lz4 = lz4;
  c->options = (struct lb_cloud_options){
      .enabled = true, .prefetch = true, .max_rows = 1000, .max_bytes = 1 << 20};
  make_schema(&c->arrow, cloud_fields, CLOUD_FIELDS);
  schema_from_arrow(&c->schema, &c->arrow);
  c->sess = cloud_session(c);
  LB_TEST_OK(lb_op_create(c->sess, LB_OP_STATEMENT, &c->op, NULL), NULL);
  lb_op_set_handle(c->op, &handle);
  LB_TEST_OK(lb_cloud_stats_create(NULL, &c->stats, NULL), NULL);
  cloud_open(c);
}

/* What the I/O thread knows. */

struct cloud_look {
  struct lb_io_task task;
  struct cloud_rig *c;
  int64_t retry_ms; /* when the next attempt of a file begins; LB_NEVER_MS */
  int64_t grow_ms;  /* when another download may begin; LB_NEVER_MS */
  int files;        /* not decoded yet */
  int states[LB_FILE_DONE + 1];
  int64_t received;
  bool renewal_waits; /* for its next attempt */
};

static inline void cloud_look_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct cloud_look *look = LB_CONTAINER_OF(task, struct cloud_look, task);
  struct lb_cloud *cloud = look->c->cloud;
  const struct lb_request *renewal = cloud->owned.renewal;
  (void)io;
  look->renewal_waits = renewal != NULL && renewal->transfer != NULL &&
                        renewal->transfer->state == LB_TRANSFER_WAITING;
  if (lb_heap_contains(&cloud->owned.grow_timer.node)) {
    look->grow_ms = cloud->owned.grow_timer.node.key;
  }
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    look->files++;
    look->states[file->owned.state]++;
    look->received += file->owned.received;
    if (file->owned.state != LB_FILE_WAITING) continue;
    look->retry_ms = LB_MIN(look->retry_ms, file->owned.timer.node.key);
  }
}

static inline struct cloud_look cloud_look(struct cloud_rig *c) {
  struct cloud_look look = {.c = c, .retry_ms = LB_NEVER_MS, .grow_ms = LB_NEVER_MS};
  look.task.run = cloud_look_on_io;
  lb_list_init(&look.task.node);
  lb_io_run(c->io.io, &look.task);
  return look;
}

/* Moves the clock to due_ms, if that is later. */
static inline void cloud_go_to(struct cloud_rig *c, int64_t due_ms) {
  int64_t now_ms = c->io.clock.now_ms;
  if (due_ms != LB_NEVER_MS && due_ms > now_ms) rig_advance(&c->io, due_ms - now_ms);
}

/* Reading. */

static inline void cloud_on_wait(void *ctx, bool waits) {
  struct cloud_reader *reader = ctx;
  if (waits) reader->waits++;
}

static inline bool cloud_read_one(struct cloud_reader *reader) {
  int64_t give_up_ms = lb_os_boottime_ms() + (lb_torture()->on ? 5000 : 20000);
  struct ArrowArray *array = &reader->arrays[reader->array_count];
  if (reader->array_count == CLOUD_ARRAYS_MAX ||
      atomic_load(&reader->rows) >= reader->most_rows) {
    return false;
  }
  reader->status = lb_cloud_next(reader->cloud, give_up_ms, cloud_on_wait, reader, array,
                                 &reader->err);
  if (reader->status != LB_OK || !array->release) return false;
  atomic_fetch_add(&reader->rows, array->length);
  reader->array_count++;
  return true;
}

static inline void *cloud_reader_run(void *arg) {
  struct cloud_reader *reader = arg;
  while (cloud_read_one(reader)) {
  }
  atomic_store(&reader->ended, true);
  return NULL;
}

/* Reads on, until there are most_rows in all, the end or a failure. */
static inline void cloud_reader_start(struct cloud_rig *c, int64_t most_rows) {
  struct lb_error err = LB_ERROR_INIT;
  struct cloud_reader *reader = &c->reader;
  reader->cloud = c->cloud;
  reader->most_rows = most_rows;
  reader->status = LB_OK;
  atomic_store(&reader->ended, false);
  LB_TEST_OK(
      lb_os_thread_start(&reader->thread, "reader", cloud_reader_run, reader, &err),
      &err);
}

/* Lets pauses between attempts pass until the reader has ended. */
static inline void cloud_reader_join(struct cloud_rig *c) {
  while (!atomic_load(&c->reader.ended)) cloud_go_to(c, cloud_look(c).retry_ms);
  lb_os_thread_join(&c->reader.thread);
}

static inline void cloud_read(struct cloud_rig *c, int64_t most_rows) {
  cloud_reader_start(c, most_rows);
  cloud_reader_join(c);
}

/* The reader has the first so many rows, each once and in order. */
static inline void cloud_check_rows(struct cloud_rig *c, int64_t rows) {
  int64_t at = CLOUD_FIRST_ROW;
  for (int i = 0; i < c->reader.array_count; i++) {
    struct ArrowArray *array = &c->reader.arrays[i];
    check_rows(&c->arrow, cloud_fields, CLOUD_FIELDS, array, at, array->length);
    at += array->length;
  }
  assert_int_equal(at - CLOUD_FIRST_ROW, rows);
}

/* Lets the loop go round until so many files are not decoded yet. */
static inline void cloud_until_files(struct cloud_rig *c, int count) {
  int64_t from_ms = lb_os_boottime_ms();
  while (cloud_look(c).files != count) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("files were not decoded");
    }
  }
}

static inline void cloud_read_all(struct cloud_rig *c) {
  cloud_read(c, INT64_MAX);
  LB_TEST_OK(c->reader.status, &c->reader.err);
  cloud_check_rows(c, c->rows);
  cloud_until_files(c, 0);
}

/* Lets the clock go on while the reader waits, until the server has got that many
 * requests. */
static inline void cloud_until_requests(struct cloud_rig *c, int count) {
  int64_t from_ms = lb_os_boottime_ms();
  while (http_server_requests(c->io.server) < count) {
    struct cloud_look look = cloud_look(c);
    cloud_go_to(c, LB_MIN(look.grow_ms, look.retry_ms));
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("%d requests came in place of %d", http_server_requests(c->io.server),
               count);
    }
  }
}

/* The reader waits for bytes. */
static inline void cloud_until_waiting(struct cloud_rig *c) {
  cloud_until_requests(c, 1);
  bool bytes;
  uint64_t wait;
  int64_t from_ms = lb_os_boottime_ms();
  while (!lb_cloud_wanted(c->cloud, &bytes, &wait)) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) fail_msg("no wait");
  }
  assert_true(bytes);
}

/* ... until so many files are in that state. */
static inline void cloud_until_state(struct cloud_rig *c, enum lb_cloud_file_state state,
                                     int count) {
  int64_t from_ms = lb_os_boottime_ms();
  while (cloud_look(c).states[state] != count) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("no file came to state %d", (int)state);
    }
  }
}

/* ... until so many bytes of files that are under way have come. */
static inline void cloud_until_received(struct cloud_rig *c, int64_t bytes) {
  int64_t from_ms = lb_os_boottime_ms();
  while (cloud_look(c).received < bytes) {
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("bytes did not come");
    }
  }
}

static inline int64_t cloud_counted(struct cloud_rig *c, enum lb_cloud_counter counter) {
  return lb_cloud_counted(c->stats, counter);
}

/* Makes the cloud anew, by the options as they are now. */
static inline void cloud_reopen(struct cloud_rig *c) {
  lb_cloud_release(c->cloud);
  cloud_open(c);
}

/* Closes; nothing may be left: no charge, no use of the owner. */
static inline void cloud_rig_reset(struct cloud_rig *c) {
  int64_t from_ms = lb_os_boottime_ms();
  lb_cloud_close(c->cloud);
  while (atomic_load(&c->holds) != 0 || lb_budget_used(lb_io_budget(c->io.io)) != 0) {
    lb_io_test_round(c->io.io);
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("%d holds and %lld bytes of the budget were left", atomic_load(&c->holds),
               (long long)lb_budget_used(lb_io_budget(c->io.io)));
    }
  }
  assert_int_equal(cloud_counted(c, LB_CLOUD_in_flight), 0);
  lb_cloud_release(c->cloud);
  for (int i = 0; i < c->reader.array_count; i++) {
    c->reader.arrays[i].release(&c->reader.arrays[i]);
  }
  lb_op_release(c->op);
  lb_session_release(c->sess);
  rig_reset(&c->io);
  lb_cloud_stats_release(c->stats);
  for (int i = 0; i < c->file_count; i++) bytes_free(&c->files[i].body);
  bytes_free(&c->links);
  lb_result_schema_reset(&c->schema);
  ArrowSchemaRelease(&c->arrow);
}

#endif
