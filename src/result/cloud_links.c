/* SPDX-License-Identifier: Apache-2.0 */
/* Links that do not die:
 *  1. A page of links states consecutive rows; anything else is an error. Pages are asked
 *     for when few links are left (result.c), not all at once: they would die together.
 *  2. When a link dies is the server's to say, so its clock counts: the time left is the
 *     difference between expiryTime and the Date of the reply that brought it. A link
 *     without expiryTime has ASSUMED_LIFE_MS.
 *  3. A link is old from MARGIN_MOST_MS before its death, or a third of its life if that
 *     is less. An old one is renewed before it is used: by a fetch that starts at its
 *     first row, which moves no rows but names fresh links from there on. All files whose
 *     links it names get them.
 *  4. One renewal of a result is under way at a time; who needs another waits for it.
 *  5. A renewed link is used once, whatever the clocks say.
 *  6. A link that names other rows or another size than the one before it is of another
 *     result: an error. */
#include "base/os.h"
#include "result/cloud_internal.h"

#define MARGIN_MOST_MS 60000
#define ASSUMED_LIFE_MS 300000
/* A page of links: a signed URL has one or two thousand bytes. */
#define RENEWAL_REPLY_BYTES (64u * 1024u * 1024u)
#define RENEWAL_ARENA_BYTES (64u * 1024u * 1024u)
/* What a link states beyond this is not believed: it is for the budget alone. */
#define RAW_MOST_BYTES (INT64_C(1) << 40)
#define URL_MOST_BYTES (64u * 1024u)

void lb_link_reset(struct lb_link *link) {
  if (link->url) lb_wipe(link->url, strlen(link->url));
  lb_free(link->url);
  for (size_t i = 0; i < link->header_count; i++) {
    lb_wipe(link->headers[i], strlen(link->headers[i]));
    lb_free(link->headers[i]);
  }
  *link = (struct lb_link){0};
}

static enum lb_status copy_headers(const struct lb_t_map *map, struct lb_link *out,
                                   struct lb_error *err) {
  const struct lb_str *values = map->values;
  if (map->count > LB_LINK_HEADERS_MAX) {
    return lb_error_set(err, LB_PROTOCOL,
                        "a link to a file comes with %d headers; %d are the most",
                        (int)map->count, LB_LINK_HEADERS_MAX);
  }
  for (int32_t i = 0; i < map->count; i++) {
    struct lb_buf line;
    lb_buf_init(&line, LB_MEM_IO, URL_MOST_BYTES);
    lb_buf_append_str(&line, map->keys[i]);
    lb_buf_append_text(&line, ": ");
    lb_buf_append_str(&line, values[i]);
    enum lb_status status = lb_buf_check(&line, "a header of a link", err);
    if (status == LB_OK) {
      out->headers[i] = lb_strndup(LB_MEM_IO, (const char *)line.data, line.len);
      if (!out->headers[i]) status = lb_error_oom(err, "a header of a link");
    }
    if (line.data) lb_wipe(line.data, line.len);
    lb_buf_reset(&line);
    if (status != LB_OK) return status;
    out->header_count++;
  }
  return LB_OK;
}

/* Steps 2 and 3. */
static int64_t old_from(const struct lb_t_i64 *expiry, int64_t server_ms,
                        int64_t now_ms) {
  int64_t life_ms = ASSUMED_LIFE_MS;
  if (server_ms < 0) server_ms = lb_os_wall_ms();
  if (expiry->set && __builtin_sub_overflow(expiry->v, server_ms, &life_ms)) {
    life_ms = ASSUMED_LIFE_MS;
  }
  if (life_ms <= 0) return now_ms;
  return lb_ms_add(now_ms, life_ms - LB_MIN(life_ms / 3, MARGIN_MOST_MS));
}

static enum lb_status copy_link(const struct lb_t_spark_arrow_result_link *from,
                                int64_t server_ms, int64_t now_ms, struct lb_link *out,
                                struct lb_error *err) {
  struct lb_link link = {
      .first_row = from->start_row_offset.v,
      .rows = from->row_count.v,
      .raw_bytes = LB_MIN(LB_MAX(from->bytes_num.v, 0), RAW_MOST_BYTES),
      .old_ms = old_from(&from->expiry_time, server_ms, now_ms),
  };
  if (from->file_link.len == 0 || from->file_link.len > URL_MOST_BYTES) {
    return lb_error_set(err, LB_PROTOCOL, "a link to a file is no URL");
  }
  link.url = lb_strndup(LB_MEM_IO, from->file_link.data, from->file_link.len);
  if (!link.url) return lb_error_oom(err, "a link to a file");
  enum lb_status status = copy_headers(&from->http_headers, &link, err);
  if (status != LB_OK) {
    lb_link_reset(&link);
    return status;
  }
  *out = link;
  return LB_OK;
}

/* Step 1. The links by their rows; those without rows are left out. */
typedef const struct lb_t_spark_arrow_result_link *link_view;

static int by_row(const void *a, const void *b) {
  int64_t left = (*(const link_view *)a)->start_row_offset.v;
  int64_t right = (*(const link_view *)b)->start_row_offset.v;
  return left < right ? -1 : left > right;
}

static enum lb_status sorted(const struct lb_t_row_set *row_set, link_view **out,
                             int32_t *count, struct lb_error *err) {
  const struct lb_t_spark_arrow_result_link *links = row_set->result_links.items;
  size_t room = (size_t)row_set->result_links.count;
  link_view *views = lb_alloc_array(LB_MEM_MISC, LB_MAX(room, 1), sizeof *views);
  if (!views) return lb_error_oom(err, "the links of a page");
  *count = 0;
  for (size_t i = 0; i < room; i++) {
    if (links[i].row_count.v > 0) views[(*count)++] = &links[i];
  }
  qsort(views, (size_t)*count, sizeof *views, by_row);
  *out = views;
  return LB_OK;
}

static enum lb_status check_order(const link_view *views, int32_t count,
                                  int64_t first_row, int64_t *rows,
                                  struct lb_error *err) {
  int64_t next = first_row;
  for (int32_t i = 0; i < count; i++) {
    int64_t at = views[i]->start_row_offset.v, n = views[i]->row_count.v;
    if (at != next) {
      return lb_error_set(
          err, LB_INVALID_DATA,
          "a link to a file of rows from %lld came where row %lld was next: rows were "
          "%s on the way",
          (long long)at, (long long)next, at > next ? "lost" : "repeated");
    }
    if (__builtin_add_overflow(next, n, &next)) {
      return lb_error_set(err, LB_INVALID_DATA, "a link states %lld rows", (long long)n);
    }
  }
  *rows = next - first_row;
  return LB_OK;
}

enum lb_status lb_cloud_link_rows(const struct lb_t_row_set *row_set, int64_t first_row,
                                  int64_t *rows, struct lb_error *err) {
  link_view *views;
  int32_t count;
  LB_TRY(sorted(row_set, &views, &count, err));
  enum lb_status status = check_order(views, count, first_row, rows, err);
  lb_free(views);
  return status;
}

/* Adding. */

static void added_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct lb_cloud_file *file = LB_CONTAINER_OF(task, struct lb_cloud_file, added_task);
  struct lb_cloud *cloud = file->cloud;
  cloud->op->owned.gave_links = true;
  if (cloud->owned.closed) {
    lb_cloud_file_release(file);
    return;
  }
  lb_list_push_back(&cloud->owned.files, &file->owned.node); /* takes the reference */
  lb_cloud_pump(cloud, io);
}

static enum lb_status make_file(struct lb_cloud *cloud, link_view view, int64_t server_ms,
                                struct lb_cloud_file **out, struct lb_error *err) {
  struct lb_cloud_file *file = lb_alloc_zero(LB_MEM_MISC, sizeof *file);
  if (!file) return lb_error_oom(err, "a file of the result");
  int64_t now_ms = lb_io_now_ms(lb_cloud_io(cloud));
  enum lb_status status = copy_link(view, server_ms, now_ms, &file->owned.link, err);
  if (status != LB_OK) {
    lb_free(file);
    return status;
  }
  atomic_init(&file->refs, 1);
  lb_cloud_retain(cloud);
  file->cloud = cloud;
  file->first_row = file->owned.link.first_row;
  file->rows = file->owned.link.rows;
  file->raw_bytes = file->owned.link.raw_bytes;
  file->owned.length = -1;
  lb_list_init(&file->owned.node);
  lb_list_init(&file->synced.node);
  lb_list_init(&file->synced.arrays);
  lb_timer_init(&file->owned.timer, lb_cloud_download_timer_fired);
  file->added_task.run = added_on_io;
  *out = file;
  return LB_OK;
}

static enum lb_status add(struct lb_cloud *cloud, const link_view *views, int32_t count,
                          int64_t server_ms, struct lb_error *err) {
  for (int32_t i = 0; i < count; i++) {
    struct lb_cloud_file *file;
    LB_TRY(make_file(cloud, views[i], server_ms, &file, err));
    file->index = cloud->files++;
    lb_cloud_file_retain(file); /* one for the window, one for the delivery */
    atomic_fetch_add(&cloud->queued, 1);
    lb_cloud_count(cloud->stats, LB_CLOUD_files, 1);
    lb_cloud_count(cloud->stats, LB_CLOUD_rows, file->rows);
    lb_mutex_lock(&cloud->synced.mu);
    bool closed = cloud->synced.closed;
    if (!closed) {
      cloud->synced.used = true;
      lb_list_push_back(&cloud->synced.files, &file->synced.node);
    }
    lb_mutex_unlock(&cloud->synced.mu);
    if (closed) {
      lb_cloud_file_release(file);
      lb_cloud_file_release(file);
      continue;
    }
    lb_io_post(lb_cloud_io(cloud), &file->added_task);
  }
  return LB_OK;
}

enum lb_status lb_cloud_add(struct lb_cloud *cloud, const struct lb_t_row_set *row_set,
                            int64_t first_row, int64_t server_ms, struct lb_error *err) {
  link_view *views;
  int32_t count;
  int64_t rows;
  atomic_store(&cloud->reader_ms, lb_io_now_ms(lb_cloud_io(cloud)));
  LB_TRY(sorted(row_set, &views, &count, err));
  enum lb_status status = check_order(views, count, first_row, &rows, err);
  if (status == LB_OK) status = add(cloud, views, count, server_ms, err);
  lb_free(views);
  return status;
}

/* Renewing; I/O thread. */

bool lb_cloud_link_is_old(const struct lb_cloud_file *file, int64_t now_ms) {
  return !file->owned.fresh && now_ms >= file->owned.link.old_ms;
}

static struct lb_cloud_file *first_renewing(struct lb_cloud *cloud) {
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    if (file->owned.state == LB_FILE_RENEWING) return file;
  }
  return NULL;
}

static enum lb_status take_link(struct lb_cloud_file *file, struct lb_link *link_own,
                                struct lb_error *err) {
  const struct lb_link *old = &file->owned.link;
  if (old->rows != link_own->rows || old->raw_bytes != link_own->raw_bytes) {
    lb_error_set(err, LB_INVALID_DATA,
                 "its new link is of %lld rows and %lld bytes where the first one was of "
                 "%lld and %lld: the result has changed on the server",
                 (long long)link_own->rows, (long long)link_own->raw_bytes,
                 (long long)old->rows, (long long)old->raw_bytes);
    lb_link_reset(link_own);
    return LB_INVALID_DATA;
  }
  lb_link_reset(&file->owned.link);
  file->owned.link = *link_own;
  lb_endpoint_release(file->owned.endpoint);
  file->owned.endpoint = NULL;
  file->owned.fresh = file->owned.state == LB_FILE_RENEWING;
  lb_cloud_count(file->cloud->stats, LB_CLOUD_renewals, 1);
  return LB_OK;
}

/* Step 3: every file that is named and not under way gets its link. */
static enum lb_status spread(struct lb_cloud *cloud, const struct lb_t_row_set *row_set,
                             const struct lb_request *req, int64_t now_ms,
                             struct lb_error *err) {
  const struct lb_t_spark_arrow_result_link *links = row_set->result_links.items;
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    bool waits = file->owned.state == LB_FILE_QUEUED ||
                 file->owned.state == LB_FILE_RENEWING ||
                 file->owned.state == LB_FILE_WAITING;
    for (int32_t i = 0; waits && i < row_set->result_links.count; i++) {
      if (links[i].row_count.v <= 0) continue;
      if (links[i].start_row_offset.v != file->first_row) continue;
      struct lb_link link;
      enum lb_status status =
          copy_link(&links[i], req->headers.date_ms, now_ms, &link, err);
      if (status == LB_OK) status = take_link(file, &link, err);
      if (status != LB_OK) return status;
      break;
    }
  }
  return LB_OK;
}

enum lb_status lb_cloud_read_renewal(struct lb_cloud *cloud, struct lb_request *req,
                                     struct lb_io *io, struct lb_error *err) {
  const struct lb_backend *backend = cloud->op->sess->backend;
  struct lb_fetch_head head = {0};
  if (req->status != LB_OK) {
    lb_error_copy(err, &req->err);
    return req->status;
  }
  LB_TRY(backend->read_fetch(req, &head, err));
  int64_t now_ms = lb_io_now_ms(io);
  lb_op_confirmed(cloud->op, LB_RPC_FETCH, req->sent_ms, now_ms);
  struct lb_arena arena;
  struct lb_reply_data data;
  struct lb_str body = {(const char *)req->reply.data, req->reply.len};
  lb_arena_init(&arena, LB_MEM_WIRE, RENEWAL_ARENA_BYTES);
  enum lb_status status = LB_OK;
  if (!head.has_links) {
    status = lb_error_set(err, LB_INVALID_DATA, "the server gave no new link for it");
  } else {
    status = backend->read_data(body, "FetchResults", &arena, &data, err);
  }
  if (status == LB_OK) status = spread(cloud, data.row_set, req, now_ms, err);
  lb_arena_reset(&arena);
  return status;
}

static void renew_next(struct lb_cloud *cloud, struct lb_io *io);

/* Those that wait go on with their new links. A renewal that failed, or left out the file
 * for which it was made, is the end of it. */
static void settle(struct lb_cloud *cloud, struct lb_io *io, enum lb_status status,
                   struct lb_error *err) {
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    if (file->owned.state != LB_FILE_RENEWING) continue;
    if (file->owned.fresh) {
      lb_cloud_download_go(file, io);
    } else if (status != LB_OK) {
      lb_cloud_give_up(file, io, err);
    } else if (file->first_row == cloud->owned.renewal_row) {
      struct lb_error missing = LB_ERROR_INIT;
      lb_error_set(&missing, LB_INVALID_DATA, "the server gave no new link for it");
      lb_cloud_give_up(file, io, &missing);
    }
  }
}

static void renewed(struct lb_request *req, struct lb_io *io) {
  struct lb_cloud *cloud = req->ctx;
  cloud->owned.renewal = NULL;
  if (!cloud->owned.closed) {
    struct lb_error err = LB_ERROR_INIT;
    enum lb_status status = lb_cloud_read_renewal(cloud, req, io, &err);
    settle(cloud, io, status, &err);
    renew_next(cloud, io);
    lb_cloud_pump(cloud, io);
  }
  lb_request_release(req);
  lb_cloud_release(cloud);
}

static enum lb_status send_renewal(struct lb_cloud *cloud, struct lb_io *io,
                                   int64_t first_row, struct lb_error *err) {
  struct lb_op *op = cloud->op;
  struct lb_session *sess = op->sess;
  struct lb_request *req = NULL;
  const struct lb_fetch_params params = {
      .start_row = first_row,
      .max_rows = cloud->options.max_rows,
      .max_bytes = cloud->options.max_bytes,
  };
  LB_TRY(lb_session_request(sess, &req, err));
  enum lb_status status =
      sess->backend->build_fetch(lb_session_server(sess), &op->handle, &params, req, err);
  if (status != LB_OK) {
    lb_request_release(req);
    return status;
  }
  /* It names links by their rows and moves none, so it may be repeated. */
  req->repeat = LB_REPEAT_SAFE;
  req->max_reply_bytes = RENEWAL_REPLY_BYTES;
  req->ctx = cloud;
  req->done = renewed;
  /* The server's place in the result goes back to there until the next page. */
  op->owned.confirmed_row = LB_MIN(op->owned.confirmed_row, first_row);
  cloud->owned.renewal = req;
  cloud->owned.renewal_row = first_row;
  lb_cloud_retain(cloud);
  lb_request_start(io, req);
  return LB_OK;
}

/* Step 4. */
static void renew_next(struct lb_cloud *cloud, struct lb_io *io) {
  struct lb_cloud_file *file;
  while (!cloud->owned.renewal && (file = first_renewing(cloud)) != NULL) {
    struct lb_error err = LB_ERROR_INIT;
    if (send_renewal(cloud, io, file->first_row, &err) == LB_OK) return;
    lb_cloud_give_up(file, io, &err);
  }
}

void lb_cloud_renew(struct lb_cloud_file *file, struct lb_io *io) {
  file->owned.state = LB_FILE_RENEWING;
  file->owned.fresh = false;
  renew_next(file->cloud, io);
}

void lb_cloud_renewal_stop(struct lb_cloud *cloud, struct lb_io *io) {
  if (cloud->owned.renewal) lb_request_cancel(io, cloud->owned.renewal);
}
