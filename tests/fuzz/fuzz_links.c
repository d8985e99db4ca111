/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for pages of links: a FetchResults reply is taken as a page of links to
 * files, then as the reply to a renewal of them. Of the input the first byte says whether
 * the server told its clock, which files are to be renewed and whether the second reply
 * stands behind a mark (else it is the first one again); the rest is the reply. */
#include "base/alloc.h"
#include "result/cloud_internal.h"

#define ARENA_MAX_BYTES (4 * 1024 * 1024)
#define SERVER_MS INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

/* Made once: a thread each time would take longer than everything else. */
static struct lb_session session;
static struct lb_op *operation;
static const struct lb_result_schema schema;

static void make_session(void) {
  const struct lb_endpoint_options options = {
      .url = "http://127.0.0.1:1/sql/1.0/warehouses/x", .user_agent = "fuzz/1"};
  atomic_init(&session.users, 1);
  atomic_init(&session.refs, 1);
  require(lb_io_acquire(&session.io, NULL) == LB_OK);
  require(lb_endpoint_create(&options, &session.endpoint, NULL) == LB_OK);
  session.backend = &lb_backend_thrift;
  session.server.kind = LB_KIND_DATABRICKS;
  session.server.databricks_protocol = true;
  atomic_init(&session.current, &session.server);
  require(lb_op_create(&session, LB_OP_STATEMENT, &operation, NULL) == LB_OK);
}

static void nothing(void *ctx) { (void)ctx; }

static struct lb_cloud *make_cloud(struct lb_cloud_stats *stats) {
  const struct lb_cloud_owner owner = {nothing, nothing, nothing, NULL};
  /* Nothing begins before it is waited for, and nobody waits. */
  const struct lb_cloud_options options = {.enabled = true, .max_rows = 1};
  struct lb_cloud *cloud;
  require(lb_cloud_create(operation, &options, &owner, &schema, true, stats, &cloud,
                          NULL) == LB_OK);
  return cloud;
}

struct look {
  struct lb_io_task task;
  struct lb_cloud *cloud;
  uint8_t how;
  struct lb_request *req; /* NULL: only looks */
  struct lb_error err;
  enum lb_status status;
  int64_t files;
  int64_t rows;
};

static void check_link(const struct lb_cloud_file *file) {
  const struct lb_link *link = &file->owned.link;
  require(link->first_row == file->first_row && link->rows == file->rows);
  require(link->raw_bytes == file->raw_bytes && link->raw_bytes >= 0);
  require(link->raw_bytes <= INT64_C(1) << 40 && link->rows > 0);
  require(link->url != NULL && strlen(link->url) <= 64 * 1024);
  require(link->header_count <= LB_LINK_HEADERS_MAX);
  for (size_t i = 0; i < link->header_count; i++) {
    require(strlen(link->headers[i]) <= 64 * 1024);
  }
  int64_t half = lb_cloud_file_bytes(file, 0, file->rows / 2);
  require(half >= 0 && half <= file->raw_bytes);
  require(half + lb_cloud_file_bytes(file, file->rows / 2, file->rows) ==
          file->raw_bytes);
}

static void look_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct look *look = LB_CONTAINER_OF(task, struct look, task);
  int64_t next = -1;
  int at = 0;
  LB_LIST_FOR_EACH_SAFE(node, tmp, &look->cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    require(file->owned.state == LB_FILE_QUEUED && (next < 0 || file->first_row == next));
    check_link(file);
    next = file->first_row + file->rows;
    look->files++;
    look->rows += file->rows;
    if (!look->req) continue;
    bool renews = (look->how >> (at++ % 4) & 1) != 0;
    file->owned.state = renews ? LB_FILE_RENEWING : LB_FILE_DOWNLOADING;
  }
  if (!look->req) return;
  look->status = lb_cloud_read_renewal(look->cloud, look->req, io, &look->err);
  LB_LIST_FOR_EACH_SAFE(node, tmp, &look->cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    check_link(file);
    require(!file->owned.fresh || file->owned.state == LB_FILE_RENEWING);
    file->owned.state = LB_FILE_QUEUED; /* as it was, for its end */
  }
}

static struct look look_at(struct lb_cloud *cloud, uint8_t how, struct lb_request *req) {
  struct look look = {.cloud = cloud, .how = how, .req = req};
  look.task.run = look_on_io;
  lb_list_init(&look.task.node);
  lb_io_run(session.io, &look.task);
  return look;
}

static void check_error(enum lb_status status, const struct lb_error *err) {
  require(status == LB_OK || (err->status == status && err->message[0] != '\0'));
  require(lb_utf8_valid(err->message, strlen(err->message)));
}

static void renew(struct lb_cloud *cloud, uint8_t how, struct lb_str body) {
  struct lb_request *req;
  require(lb_request_create(session.endpoint, &req, NULL) == LB_OK);
  req->what = "FetchResults";
  req->http_status = 200;
  req->headers.date_ms = (how & 1) != 0 ? SERVER_MS : -1;
  lb_str_copy(req->headers.content_type, sizeof(req->headers.content_type),
              LB_STR("application/x-thrift"));
  lb_buf_append(&req->reply, body.data, body.len);
  struct look look = look_at(cloud, how >> 2, req);
  check_error(look.status, &look.err);
  lb_request_release(req);
}

static void take(uint8_t how, const struct lb_t_row_set *row_set, struct lb_str renewal) {
  struct lb_cloud_stats *stats;
  struct lb_error err = LB_ERROR_INIT;
  require(lb_cloud_stats_create(NULL, &stats, NULL) == LB_OK);
  struct lb_cloud *cloud = make_cloud(stats);
  int64_t first_row = LB_MAX(row_set->start_row_offset.v, 0), rows = -1;
  int64_t server_ms = (how & 1) != 0 ? SERVER_MS : -1;
  enum lb_status ordered = lb_cloud_link_rows(row_set, first_row, &rows, &err);
  check_error(ordered, &err);
  enum lb_status status = lb_cloud_add(cloud, row_set, first_row, server_ms, &err);
  check_error(status, &err);
  require(ordered == LB_OK || status == ordered);
  struct look look = look_at(cloud, 0, NULL);
  require(look.files == lb_cloud_counted(stats, LB_CLOUD_files));
  require(look.files == lb_cloud_queued(cloud));
  require(lb_cloud_pending(cloud) == (look.files > 0));
  require(status != LB_OK || look.rows == rows);
  renew(cloud, how, renewal);
  lb_cloud_close(cloud);
  (void)look_at(cloud, 0, NULL); /* its end has run */
  lb_cloud_release(cloud);
  lb_cloud_stats_release(stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  if (!session.io) make_session();
  int64_t blocks = (int64_t)lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks;
  struct lb_str body = {(const char *)data + 1, size - 1}, renewal = body;
  const struct lb_str mark = LB_STR("\n--\n");
  size_t end = (data[0] & 2) != 0 ? lb_str_find(body, mark) : SIZE_MAX;
  if (end != SIZE_MAX) {
    body.len = end;
    renewal.data += end + mark.len;
    renewal.len -= end + mark.len;
  }
  struct lb_arena arena;
  struct lb_reply_data reply;
  struct lb_error err = LB_ERROR_INIT;
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  enum lb_status status =
      lb_backend_thrift.read_data(body, "FetchResults", &arena, &reply, &err);
  check_error(status, &err);
  if (status == LB_OK && reply.row_set && reply.row_set->result_links.set) {
    take(data[0], reply.row_set, renewal);
  }
  lb_arena_reset(&arena);
  require((int64_t)lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == blocks);
  return 0;
}
