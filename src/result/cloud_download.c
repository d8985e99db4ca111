/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads; all of it on the I/O thread:
 *  1. Files are asked for in the order of their rows. One is under way at first; one more
 *     is allowed whenever the reader has waited for bytes for GROW_MS, up to
 *     LB_PARALLEL_MOST or the option, and never fewer again: many at a time cost memory
 *     and help over distance alone.
 *  2. What is fetched ahead is charged to the budget, compressed and decoded, and waits
 *     for it in line with all other results. What the reader waits for does neither;
 *     where more than one may be under way its charge is given back, so that another one
 *     begins. The charge ends as rows are handed out.
 *  3. Nothing begins ahead of a reader who was not here for IDLE_MS.
 *  4. An attempt is one plain GET of the URL as it came, with the link's own headers. An
 *     old link is renewed first.
 *  5. What becomes of a failed attempt is one table (lb_cloud_judge): a refusal asks for
 *     a new link, three times a file; what passes (408, 429, 5xx, a connection that
 *     breaks) is repeated TRIES_MOST times with pauses, by Retry-After where the store
 *     says so.
 *  6. A repetition goes on where the last attempt ended, when the store gave an ETag that
 *     is not weak, and gives parts; else from the beginning, with a strand of its own
 *     that leaves out the rows that are there.
 *  7. A body that cannot be decoded is fetched anew, REDONE_MOST times.
 *  8. A file whose length or ETag is another than before, when rows of it have been
 *     decoded or its link was renewed, is another file: an error. */
#include <stdio.h>

#include "result/cloud_judge.h"
#include "session/storage.h"

#define GROW_MS 20
#define IDLE_MS 60000
#define PARALLEL_MOST 16
#define LENGTH_MOST_BYTES (INT64_C(1) << 50) /* no body is so long */
/* A body may be twice as long as its link states and so much more, since files of a cache
 * hold more rows. */
#define SURPLUS_BYTES (64ll * 1024 * 1024)

static void attempt_done(struct lb_request *req, struct lb_io *io);

/* Budget. */

/* What counts of it as decoded. Over distance, where several are needed, no more than may
 * be: the rest waits compressed. Near, more files ahead would be of no use. */
static int64_t decoded_most(const struct lb_cloud_file *file) {
  int64_t raw = file->owned.link.raw_bytes;
  bool several = atomic_load(&file->cloud->allowed) > 1;
  return several ? LB_MIN(raw, LB_CLOUD_DECODE_AHEAD_BYTES) : raw;
}

/* Until a file has shown how much it shrinks, it is taken not to. */
static int64_t cost_of(const struct lb_cloud_file *file) {
  const struct lb_cloud *cloud = file->cloud;
  double raw = (double)file->owned.link.raw_bytes;
  double packed = cloud->lz4 && cloud->owned.packed > 0 ? cloud->owned.packed : 1.0;
  return (int64_t)(raw * packed) + decoded_most(file) + 1;
}

/* Its real length is known: what was charged too much goes back. */
static void recharge(struct lb_cloud_file *file) {
  struct lb_cloud *cloud = file->cloud;
  int64_t raw = file->owned.link.raw_bytes, length = file->owned.length;
  if (length < 0 || raw <= 0 || file->owned.weighed) return;
  file->owned.weighed = true;
  cloud->owned.packed = 1.1 * (double)length / (double)raw;
  int64_t charge = atomic_load(&file->charge), surplus;
  do {
    surplus = charge - (decoded_most(file) + length + 1);
    if (surplus <= 0) return;
  } while (!atomic_compare_exchange_weak(&file->charge, &charge, charge - surplus));
  lb_budget_return(lb_io_budget(lb_cloud_io(cloud)), surplus);
}

/* The body. */

static int64_t decoded_rows(struct lb_cloud_file *file) {
  lb_mutex_lock(&file->cloud->synced.mu);
  int64_t rows = file->synced.decoded_rows;
  lb_mutex_unlock(&file->cloud->synced.mu);
  return rows;
}

/* The former one adds nothing any more, and what it has found does not count. */
static void set_strand(struct lb_cloud_file *file, struct lb_cloud_strand *strand) {
  lb_mutex_lock(&file->cloud->synced.mu);
  struct lb_cloud_strand *old = file->synced.strand;
  file->synced.strand = strand;
  lb_error_reset(&file->synced.spoilt);
  lb_mutex_unlock(&file->cloud->synced.mu);
  file->owned.strand = strand;
  lb_cloud_strand_release(old);
}

/* Step 6: from the beginning. The new strand leaves out the rows that are there, so none
 * may come from the former one once they have been counted. */
static enum lb_status begin_body(struct lb_cloud_file *file, struct lb_error *err) {
  struct lb_cloud_strand *strand;
  set_strand(file, NULL);
  LB_TRY(lb_cloud_strand_create(file, &strand, err));
  set_strand(file, strand);
  file->owned.received = 0;
  return LB_OK;
}

static enum lb_status changed(struct lb_cloud_file *file, const char *what,
                              struct lb_error *err) {
  file->owned.changed = true;
  return lb_error_set(err, LB_INVALID_DATA,
                      "the store has another file under its name: its %s is another than "
                      "before",
                      what);
}

static bool is_settled(struct lb_cloud_file *file) {
  return file->owned.renewed || decoded_rows(file) > 0;
}

/* Step 8. same_tag: the ETag is that of the attempts before. */
static enum lb_status check_same_file(struct lb_cloud_file *file, int64_t length,
                                      bool same_tag, bool part, struct lb_error *err) {
  bool same_length = file->owned.length < 0 || length < 0 || length == file->owned.length;
  bool known = file->owned.etag[0] != '\0' || file->owned.length >= 0;
  if (!known || (same_tag && same_length)) return LB_OK;
  set_strand(file, NULL); /* no row more of the former file */
  if (is_settled(file)) return changed(file, same_tag ? "length" : "ETag", err);
  if (part) return changed(file, "length", err);
  file->owned.received = 0;
  return LB_OK;
}

static enum lb_status check_part(struct lb_cloud_file *file,
                                 const struct lb_reply_headers *headers,
                                 struct lb_error *err) {
  if (headers->content_range_start == file->owned.received) return LB_OK;
  file->owned.ranges = false;
  return lb_error_set(
      err, LB_PROTOCOL,
      "the store sent bytes from %lld where those from %lld were asked for",
      (long long)headers->content_range_start, (long long)file->owned.received);
}

/* As damaged as any body that cannot be decoded, but that it can be said why. */
static enum lb_status check_encoding(struct lb_cloud_file *file,
                                     const struct lb_reply_headers *headers,
                                     struct lb_error *err) {
  struct lb_str encoding = lb_str_from(headers->content_encoding);
  if (encoding.len == 0 || lb_str_equal_nocase(encoding, LB_STR("identity"))) {
    return LB_OK;
  }
  file->owned.undecodable = true;
  lb_error_set(err, LB_PROTOCOL,
               "it came with Content-Encoding: %s, which was not asked for: the store or "
               "a proxy has changed it on the way",
               headers->content_encoding);
  lb_redact(err->message);
  return LB_PROTOCOL;
}

static enum lb_status begin_reply(struct lb_cloud_file *file, struct lb_request *req,
                                  struct lb_error *err) {
  const struct lb_reply_headers *headers = &req->headers;
  bool part = req->http_status == 206;
  file->owned.discard = 0;
  LB_TRY(check_encoding(file, headers, err));
  if (part) LB_TRY(check_part(file, headers, err));
  int64_t length = LB_MIN(headers->content_length, LENGTH_MOST_BYTES);
  if (part && length >= 0) length += file->owned.received;
  bool same_tag = strcmp(headers->etag, file->owned.etag) == 0;
  LB_TRY(check_same_file(file, length, same_tag, part, err));
  if (length >= 0) file->owned.length = length;
  lb_str_copy(file->owned.etag, sizeof file->owned.etag, lb_str_from(headers->etag));
  file->owned.ranges = headers->accept_ranges_bytes || part;
  recharge(file);
  if (part && file->owned.received > 0) return LB_OK;
  if (!file->owned.strand || (file->owned.received > 0 && !same_tag) ||
      file->owned.received == 0) {
    LB_TRY(begin_body(file, err));
  }
  file->owned.discard = file->owned.received; /* the store has sent all of it again */
  return LB_OK;
}

static struct lb_cloud_file *file_of(struct lb_sink *sink) {
  return LB_CONTAINER_OF(sink, struct lb_cloud_file, sink);
}

/* A cancelled request ends in the loop's next round: its bytes may still come in this
 * one, when the file has no strand any more. */
static bool is_over(const struct lb_cloud_file *file, struct lb_error *err) {
  if (file->owned.state == LB_FILE_DOWNLOADING) return false;
  (void)lb_error_set(err, LB_CANCELLED, "cloud fetch was cancelled");
  return true;
}

static bool on_begin(struct lb_sink *sink, struct lb_request *req) {
  struct lb_cloud_file *file = file_of(sink);
  return !is_over(file, &req->err) && begin_reply(file, req, &req->err) == LB_OK;
}

static enum lb_status take_bytes(struct lb_cloud_file *file, const uint8_t *data,
                                 size_t len, struct lb_error *err) {
  size_t known = (size_t)LB_MIN((int64_t)len, file->owned.discard);
  file->owned.discard -= (int64_t)known;
  data += known;
  len -= known;
  lb_cloud_count(file->cloud->stats, LB_CLOUD_bytes_received, (int64_t)len);
  if (len == 0) return LB_OK;
  file->owned.received += (int64_t)len;
  enum lb_status status = lb_cloud_strand_data(file->owned.strand, data, len, err);
  if (status != LB_OK) file->owned.undecodable = true;
  return status;
}

static bool on_data(struct lb_sink *sink, const uint8_t *data, size_t len) {
  struct lb_cloud_file *file = file_of(sink);
  struct lb_error *err = &file->owned.req->err;
  return !is_over(file, err) && take_bytes(file, data, len, err) == LB_OK;
}

/* Attempts. */

static size_t fill_lines(struct lb_cloud_file *file) {
  size_t count = 0;
  for (size_t i = 0; i < file->owned.link.header_count; i++) {
    file->owned.lines[count++] = file->owned.link.headers[i];
  }
  if (file->owned.received > 0) {
    (void)snprintf(file->owned.range, sizeof file->owned.range, "Range: bytes=%lld-",
                   (long long)file->owned.received);
    (void)snprintf(file->owned.if_match, sizeof file->owned.if_match, "If-Match: %s",
                   file->owned.etag);
    file->owned.lines[count++] = file->owned.range;
    file->owned.lines[count++] = file->owned.if_match;
  }
  return count;
}

/* If-Match never matches a weak tag. */
static bool is_strong(const char *etag) {
  return etag[0] != '\0' && !lb_str_starts_with_nocase(lb_str_from(etag), LB_STR("W/"));
}

static enum lb_status send(struct lb_cloud_file *file, struct lb_io *io,
                           struct lb_error *err) {
  struct lb_cloud *cloud = file->cloud;
  struct lb_session *sess = cloud->op->sess;
  if (!file->owned.endpoint) {
    LB_TRY(lb_storage_endpoint(sess, "cloud fetch", file->owned.link.url,
                               &file->owned.endpoint, err));
  }
  bool resume = file->owned.received > 0 && file->owned.ranges && file->owned.strand &&
                is_strong(file->owned.etag) && !file->owned.undecodable;
  if (!resume) file->owned.received = 0;
  lb_cloud_count(cloud->stats, LB_CLOUD_resumed_bytes, file->owned.received);
  struct lb_request *req;
  LB_TRY(lb_request_create(file->owned.endpoint, &req, err));
  req->req_class = LB_REQ_DOWNLOAD;
  req->repeat = LB_REPEAT_NEVER;
  req->method = LB_METHOD_GET;
  req->what = "cloud fetch";
  req->max_reply_bytes =
      (size_t)LB_MIN(file->owned.link.raw_bytes, (INT64_MAX - SURPLUS_BYTES) / 2) * 2 +
      SURPLUS_BYTES;
  req->header_count = fill_lines(file);
  req->header_lines = file->owned.lines;
  file->sink = (struct lb_sink){.begin = on_begin, .data = on_data};
  req->sink = &file->sink;
  req->ctx = file;
  req->done = attempt_done;
  file->owned.req = req;
  file->owned.fresh = file->owned.undecodable = false;
  file->owned.spoilt = (struct lb_error)LB_ERROR_INIT;
  lb_cloud_file_retain(file);
  lb_cloud_count(cloud->stats, LB_CLOUD_downloads, 1);
  lb_request_start(io, req);
  return LB_OK;
}

static void take_place(struct lb_cloud_file *file) {
  if (file->owned.has_place) return;
  file->owned.has_place = true;
  file->cloud->owned.in_flight++;
  lb_cloud_count(file->cloud->stats, LB_CLOUD_in_flight, 1);
}

static void leave_place(struct lb_cloud_file *file) {
  if (!file->owned.has_place) return;
  file->owned.has_place = false;
  file->cloud->owned.in_flight--;
  lb_cloud_count(file->cloud->stats, LB_CLOUD_in_flight, -1);
}

void lb_cloud_download_go(struct lb_cloud_file *file, struct lb_io *io) {
  struct lb_error err = LB_ERROR_INIT;
  take_place(file);
  if (lb_cloud_link_is_old(file, lb_io_now_ms(io))) {
    lb_cloud_renew(file, io);
    return;
  }
  file->owned.state = LB_FILE_DOWNLOADING;
  if (send(file, io, &err) != LB_OK) lb_cloud_give_up(file, io, &err);
}

void lb_cloud_download_stop(struct lb_cloud_file *file, struct lb_io *io) {
  if (file->owned.state == LB_FILE_QUEUED) atomic_fetch_sub(&file->cloud->queued, 1);
  file->owned.state = LB_FILE_DONE;
  lb_timer_cancel(io, &file->owned.timer);
  if (file->owned.req) lb_request_cancel(io, file->owned.req);
  leave_place(file);
  set_strand(file, NULL);
}

void lb_cloud_give_up(struct lb_cloud_file *file, struct lb_io *io,
                      const struct lb_error *err) {
  struct lb_cloud *cloud = file->cloud;
  cloud->owned.ended = true;
  lb_cloud_download_stop(file, io);
  lb_list_remove(&file->owned.node);
  lb_cloud_file_fail(file, err);
  lb_cloud_file_release(file);
}

static void again_after(struct lb_cloud_file *file, struct lb_io *io, int64_t wait_ms,
                        const struct lb_error *why) {
  struct lb_error err = LB_ERROR_INIT;
  int64_t due_ms = lb_ms_add(lb_io_now_ms(io), wait_ms);
  lb_cloud_count(file->cloud->stats, LB_CLOUD_retries, 1);
  lb_log(lb_io_log(io), LB_LOG_DEBUG, "cloud",
         "statement %s, file %lld: again in %lld ms: %s", file->cloud->op->query_id,
         (long long)file->index, (long long)wait_ms, why->message);
  file->owned.state = LB_FILE_WAITING;
  if (lb_timer_set(io, &file->owned.timer, due_ms, &err) != LB_OK) {
    lb_cloud_give_up(file, io, &err);
  }
}

void lb_cloud_download_timer_fired(struct lb_timer *timer, struct lb_io *io,
                                   int64_t now_ms) {
  (void)now_ms;
  struct lb_cloud_file *file = LB_CONTAINER_OF(timer, struct lb_cloud_file, owned.timer);
  if (file->owned.state == LB_FILE_WAITING) lb_cloud_download_go(file, io);
}

static void describe(struct lb_cloud_file *file, const struct lb_request *req,
                     struct lb_error *err) {
  char code[64];
  if (file->owned.spoilt.status != LB_OK) {
    lb_error_copy(err, &file->owned.spoilt);
    return;
  }
  if (req->status != LB_OK) {
    lb_error_copy(err, &req->err);
    return;
  }
  if (req->http_status == 200 || req->http_status == 206) {
    lb_error_set(err, LB_CONNECTION, "the store %s sent %lld bytes of %lld",
                 lb_endpoint_host(req->endpoint), (long long)file->owned.received,
                 (long long)file->owned.length);
    return;
  }
  lb_storage_error_code(req, code, sizeof code);
  if (code[0] == '\0' && req->headers.store_error[0] != '\0') {
    code[0] = ' ';
    lb_str_copy(code + 1, sizeof code - 1, lb_str_from(req->headers.store_error));
  }
  lb_error_set(err, lb_cloud_http_status(req->http_status),
               "the store %s answered HTTP %d%s", lb_endpoint_host(req->endpoint),
               (int)req->http_status, code);
  err->http_status = req->http_status;
}

static struct lb_cloud_verdict judge(struct lb_cloud_file *file, struct lb_io *io,
                                     const struct lb_request *req) {
  int32_t http_status = req ? req->http_status : 200;
  bool good = http_status == 200 || http_status == 206;
  const struct lb_cloud_facts facts = {
      .status = req ? req->status : LB_OK,
      .http_status = http_status,
      .whole =
          good && (file->owned.length < 0 || file->owned.received == file->owned.length),
      .answered = file->cloud->owned.answered,
      .changed = file->owned.changed,
      .undecodable = file->owned.undecodable,
      .settled = is_settled(file),
      .tries = file->owned.tries,
      .renewals = file->owned.renewals,
      .redone = file->owned.redone,
      .retry_after_ms = req ? req->headers.retry_after_ms : -1,
  };
  return lb_cloud_judge(&facts, lb_io_random(io));
}

static void give_up_attempt(struct lb_cloud_file *file, struct lb_io *io, bool unreached,
                            struct lb_error *err) {
  struct lb_cloud *cloud = file->cloud;
  if (file->owned.renewals > 0) {
    lb_error_append(err, " (also by %d new links)", (int)file->owned.renewals);
  } else if (file->owned.tries > 0) {
    lb_error_append(err, " (%d attempts)", (int)file->owned.tries + 1);
  }
  if (unreached) {
    atomic_store(&cloud->not_reached, true);
    lb_error_append(err, "; option databricks.cloudfetch.enabled=false asks for results "
                         "that need no store");
  }
  lb_cloud_give_up(file, io, err);
}

/* No store of this result has ever answered: there is no way to it, or nobody there. */
static bool is_unreached(const struct lb_cloud_file *file, const struct lb_request *req) {
  return !file->cloud->owned.answered && (req->unreached || req->status == LB_CONNECTION);
}

/* req NULL: the whole body came, and could not be decoded. */
static void ended(struct lb_cloud_file *file, struct lb_io *io,
                  const struct lb_request *req) {
  struct lb_error err = LB_ERROR_INIT;
  if (req && req->http_status > 0) file->cloud->owned.answered = true;
  struct lb_cloud_verdict verdict = judge(file, io, req);
  if (verdict.step != LB_CLOUD_DECODE) describe(file, req, &err);
  switch (verdict.step) {
    case LB_CLOUD_DECODE:
      file->owned.state = LB_FILE_DECODING;
      leave_place(file);
      if (lb_cloud_strand_end(file->owned.strand, &err) != LB_OK) {
        lb_cloud_give_up(file, io, &err);
      }
      return;
    case LB_CLOUD_AGAIN:
      file->owned.tries++;
      again_after(file, io, verdict.wait_ms, &err);
      return;
    case LB_CLOUD_REDO:
      file->owned.redone++;
      file->owned.received = 0;
      again_after(file, io, verdict.wait_ms, &err);
      return;
    case LB_CLOUD_RENEW:
      file->owned.renewals++;
      file->owned.renewed = true;
      lb_cloud_renew(file, io);
      return;
    case LB_CLOUD_FAIL:
      give_up_attempt(file, io, req && is_unreached(file, req), &err);
      return;
  }
}

static void attempt_done(struct lb_request *req, struct lb_io *io) {
  struct lb_cloud_file *file = req->ctx;
  struct lb_cloud *cloud = file->cloud;
  file->owned.req = NULL;
  if (file->owned.state == LB_FILE_DOWNLOADING) {
    ended(file, io, req);
    lb_cloud_pump(cloud, io);
  }
  lb_request_release(req);
  lb_cloud_file_release(file);
}

/* Step 7. */
void lb_cloud_decoded(struct lb_cloud_file *file, struct lb_io *io) {
  struct lb_cloud *cloud = file->cloud;
  if (file->owned.state == LB_FILE_DONE) return;
  lb_mutex_lock(&cloud->synced.mu);
  bool complete = file->synced.complete;
  lb_error_copy(&file->owned.spoilt, &file->synced.spoilt);
  lb_mutex_unlock(&cloud->synced.mu);
  if (complete) {
    lb_cloud_download_stop(file, io);
    lb_list_remove(&file->owned.node);
    lb_cloud_file_release(file);
    lb_cloud_pump(cloud, io);
    return;
  }
  if (file->owned.spoilt.status == LB_OK) return; /* of a strand that was replaced */
  file->owned.undecodable = true;
  if (file->owned.state == LB_FILE_DOWNLOADING) {
    lb_request_cancel(io, file->owned.req); /* the rest is of no use */
  } else if (file->owned.state == LB_FILE_DECODING) {
    ended(file, io, NULL);
    lb_cloud_pump(cloud, io);
  }
}

/* Which files begin. */

/* The bound of all results: the budget, and one file of each reader that waited. */
static void check_bound(struct lb_cloud_file *file) {
  if (atomic_load(&file->charge) > 0) return;
  int32_t others = atomic_fetch_add(&file->cloud->uncharged, 1);
  atomic_store(&file->uncharged, true);
  LB_ASSERT(others == 0);
  (void)others;
}

static void begin(struct lb_cloud_file *file, struct lb_io *io) {
  check_bound(file);
  atomic_fetch_sub(&file->cloud->queued, 1);
  lb_cloud_download_go(file, io);
}

static bool reader_is_near(const struct lb_cloud *cloud, struct lb_io *io) {
  return lb_io_now_ms(io) - atomic_load(&cloud->reader_ms) < IDLE_MS;
}

/* Step 2: the grant that has come, or one that is to be had at once. */
static bool pay(struct lb_cloud_file *file, struct lb_io *io) {
  struct lb_cloud *cloud = file->cloud;
  struct lb_budget_wait *wait = &cloud->owned.wait;
  int64_t cost = cost_of(file);
  if (lb_list_linked(&wait->node)) {
    if (wait->bytes <= cost) return false;
    lb_cloud_wait_end(cloud, io); /* files shrink more than was thought */
  }
  if (cloud->owned.grant < cost) {
    lb_cloud_grant_return(cloud, io);
    wait->bytes = cost;
    if (!lb_budget_take_or_wait(io, wait)) {
      cloud->owned.wait_from_ms = lb_io_now_ms(io);
      lb_cloud_count(cloud->stats, LB_CLOUD_stalls_consumer, 1);
      return false;
    }
    cloud->owned.grant = cost;
  }
  atomic_store(&file->charge, cloud->owned.grant);
  cloud->owned.grant = 0;
  return true;
}

void lb_cloud_grant_return(struct lb_cloud *cloud, struct lb_io *io) {
  int64_t grant = cloud->owned.grant;
  cloud->owned.grant = 0;
  if (grant > 0) lb_budget_return(lb_io_budget(io), grant);
}

static void count_wait(struct lb_cloud *cloud, struct lb_io *io) {
  lb_cloud_count(cloud->stats, LB_CLOUD_stalls_consumer_ms,
                 lb_io_now_ms(io) - cloud->owned.wait_from_ms);
}

void lb_cloud_wait_end(struct lb_cloud *cloud, struct lb_io *io) {
  if (!lb_list_linked(&cloud->owned.wait.node)) return;
  lb_budget_wait_cancel(io, &cloud->owned.wait);
  count_wait(cloud, io);
}

void lb_cloud_granted(struct lb_budget_wait *wait, struct lb_io *io) {
  struct lb_cloud *cloud = LB_CONTAINER_OF(wait, struct lb_cloud, owned.wait);
  count_wait(cloud, io);
  cloud->owned.grant += wait->bytes;
  lb_cloud_retain(cloud);
  lb_cloud_pump(cloud, io);
  lb_cloud_grant_return(cloud, io); /* nothing is to begin any more */
  lb_cloud_release(cloud);
}

/* Steps 1 to 3. */
static bool may_begin(struct lb_cloud_file *file, struct lb_io *io, bool wanted,
                      bool waiting) {
  struct lb_cloud *cloud = file->cloud;
  if (wanted) return true;
  if (cloud->owned.in_flight >= atomic_load(&cloud->allowed)) return false;
  if (!cloud->options.prefetch) return false;
  if (!waiting && !reader_is_near(cloud, io)) return false;
  return pay(file, io);
}

static void all_local(struct lb_cloud *cloud) {
  if (!cloud->owned.last || !cloud->owned.holds_owner) return;
  if (!lb_list_empty(&cloud->owned.files) || cloud->owned.ended) return;
  cloud->owned.holds_owner = false;
  cloud->owner.all_local(cloud->owner.ctx);
  cloud->owner.drop(cloud->owner.ctx);
}

static int32_t most_parallel(const struct lb_cloud *cloud) {
  return cloud->options.parallel > 0 ? cloud->options.parallel : PARALLEL_MOST;
}

static void grow_later(struct lb_cloud *cloud, struct lb_io *io, uint64_t wait) {
  if (atomic_load(&cloud->allowed) >= most_parallel(cloud)) return;
  if (lb_heap_contains(&cloud->owned.grow_timer.node)) return;
  struct lb_error err = LB_ERROR_INIT;
  cloud->owned.grow_wait = wait;
  /* Without it there are fewer downloads at a time, and nothing else. */
  enum lb_status status =
      lb_timer_set(io, &cloud->owned.grow_timer, lb_io_now_ms(io) + GROW_MS, &err);
  (void)status;
}

void lb_cloud_grow_fired(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  struct lb_cloud *cloud = LB_CONTAINER_OF(timer, struct lb_cloud, owned.grow_timer);
  bool bytes;
  uint64_t wait;
  (void)now_ms;
  const struct lb_cloud_file *wanted = lb_cloud_wanted(cloud, &bytes, &wait);
  if (cloud->owned.closed || cloud->owned.ended || !wanted || !bytes) return;
  if (wait == cloud->owned.grow_wait) atomic_fetch_add(&cloud->allowed, 1);
  lb_cloud_pump(cloud, io);
}

void lb_cloud_pump(struct lb_cloud *cloud, struct lb_io *io) {
  if (cloud->owned.closed) return;
  all_local(cloud);
  bool bytes;
  uint64_t wait;
  const struct lb_cloud_file *wanted = lb_cloud_wanted(cloud, &bytes, &wait);
  if (wanted && bytes && !cloud->owned.ended) grow_later(cloud, io, wait);
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    if (cloud->owned.ended) return;
    if (file == wanted && bytes && atomic_load(&cloud->allowed) > 1) {
      lb_budget_return(lb_io_budget(io), lb_cloud_waive(file));
    }
    if (file->owned.state != LB_FILE_QUEUED) continue;
    if (!may_begin(file, io, file == wanted, wanted != NULL)) return;
    begin(file, io);
  }
}
