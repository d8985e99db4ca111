/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for the replies of a server, as each reading function of the backend
 * gets them. Of the input the first byte picks the function, the second HTTP status,
 * content type and whether a first line is the headers' texts; the rest is the body. */
#include "base/alloc.h"
#include "session/backend.h"

#define ARENA_MAX_BYTES (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static struct lb_request *make_request(void) {
  struct lb_endpoint_options options = {.url = "http://127.0.0.1:1/sql/1.0/warehouses/x",
                                        .user_agent = "fuzz/1"};
  struct lb_endpoint *endpoint = NULL;
  struct lb_request *req = NULL;
  require(lb_endpoint_create(&options, &endpoint, NULL) == LB_OK);
  require(lb_request_create(endpoint, &req, NULL) == LB_OK);
  lb_endpoint_release(endpoint);
  return req;
}

static void fill(struct lb_request *req, uint8_t how, struct lb_str rest) {
  static const int32_t statuses[] = {200, 200, 200, 200, 401, 403, 404, 429,
                                     503, 500, 302, 204, 200, 200, 404, 0};
  static const char *const types[] = {"application/x-thrift", "text/html", "",
                                      "application/vnd.apache.thrift.binary"};
  struct lb_reply_headers *headers = &req->headers;
  req->http_status = statuses[how % LB_ARRAY_LEN(statuses)];
  lb_str_copy(headers->content_type, sizeof(headers->content_type),
              lb_str_from(types[how / 64]));
  size_t end = how & 32 ? lb_str_find(rest, LB_STR("\n")) : SIZE_MAX;
  if (end != SIZE_MAX) {
    struct lb_str line = {rest.data, end};
    lb_str_copy(headers->thrift_error, sizeof(headers->thrift_error), line);
    lb_str_copy(headers->databricks_error, sizeof(headers->databricks_error), line);
    lb_str_copy(headers->reason_phrase, sizeof(headers->reason_phrase), line);
    rest.data += end + 1;
    rest.len -= end + 1;
  }
  lb_buf_append(&req->reply, rest.data, rest.len);
}

static enum lb_status read_open(struct lb_request *req, struct lb_error *err) {
  struct lb_open_params params = {.hive_protocol = -1, .catalog = LB_STR("main")};
  struct lb_server server = {0};
  int32_t again = -1;
  req->what = "OpenSession";
  enum lb_status status = lb_backend_thrift.read_open(req, &params, &server, &again, err);
  require(again >= -1);
  return status;
}

static enum lb_status read_info(struct lb_request *req, struct lb_error *err) {
  char text[64];
  req->what = "GetInfo";
  return lb_backend_thrift.read_info(req, text, sizeof(text), err);
}

static void check_head(const struct lb_op_head *head) {
  bool failed =
      head->has_state && head->state != LB_OP_LIVE && head->state != LB_OP_FINISHED;
  require(!failed || (head->failure.status != LB_OK && head->failure.message[0] != '\0'));
}

static enum lb_status read_execute(struct lb_request *req, struct lb_error *err) {
  struct lb_op_head head;
  req->what = "ExecuteStatement";
  enum lb_status status = lb_backend_thrift.read_execute(req, &head, err);
  if (status == LB_OK) check_head(&head);
  return status;
}

static enum lb_status read_poll(struct lb_request *req, struct lb_error *err) {
  struct lb_op_head head;
  req->what = "GetOperationStatus";
  enum lb_status status = lb_backend_thrift.read_poll(req, &head, err);
  if (status == LB_OK) check_head(&head);
  return status;
}

static enum lb_status read_fetch(struct lb_request *req, struct lb_error *err) {
  struct lb_fetch_head head;
  req->what = "FetchResults";
  return lb_backend_thrift.read_fetch(req, &head, err);
}

static enum lb_status read_metadata(struct lb_request *req, struct lb_error *err) {
  req->what = "GetResultSetMetadata";
  return lb_backend_thrift.read_metadata(req, err);
}

static enum lb_status read_end(struct lb_request *req, struct lb_error *err) {
  req->what = "CloseOperation";
  return lb_backend_thrift.read_end(req, err);
}

static enum lb_status read_probe(struct lb_request *req, struct lb_error *err) {
  static const enum lb_probe_kind probes[] = {LB_PROBE_STATUS, LB_PROBE_METADATA,
                                              LB_PROBE_FETCH0};
  static const char *const whats[] = {"GetOperationStatus", "GetResultSetMetadata",
                                      "FetchResults"};
  size_t which = req->reply.len % LB_ARRAY_LEN(probes);
  struct lb_probe_params params = {.probe = probes[which], .asked_row = 100};
  struct lb_probe_answer answer;
  req->what = whats[which];
  lb_backend_thrift.read_probe(req, &params, &answer);
  bool alive =
      answer.verdict == LB_PROBE_ALIVE || answer.verdict == LB_PROBE_ALIVE_NO_STATE;
  require(alive || answer.err.message[0] != '\0');
  *err = answer.err;
  return answer.err.status;
}

static enum lb_status read_data(struct lb_request *req, struct lb_error *err) {
  static const char *const whats[] = {"ExecuteStatement", "GetResultSetMetadata",
                                      "FetchResults"};
  struct lb_arena arena;
  struct lb_reply_data reply;
  struct lb_str body = {(const char *)req->reply.data, req->reply.len};
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  enum lb_status status = lb_backend_thrift.read_data(
      body, whats[req->reply.len % LB_ARRAY_LEN(whats)], &arena, &reply, err);
  lb_arena_reset(&arena);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static enum lb_status (*const readers[])(struct lb_request *, struct lb_error *) = {
      read_open,     read_info, read_execute, read_poll, read_fetch,
      read_metadata, read_end,  read_probe,   read_data};
  if (size < 2) return 0;
  struct lb_error err = LB_ERROR_INIT;
  struct lb_request *req = make_request();
  fill(req, data[1], (struct lb_str){(const char *)data + 2, size - 2});
  enum lb_status status = readers[data[0] % LB_ARRAY_LEN(readers)](req, &err);
  require(status == LB_OK || (err.status == status && err.message[0] != '\0'));
  require(lb_utf8_valid(err.message, strlen(err.message)));
  lb_request_release(req);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
