/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: downloads a result's bytes and decompresses them, nothing else.
 *
 *   floor inline THREADS URI < PLAN   two lines, the FetchResults calls in hex: the first
 *                                     page's, the next page's
 *   floor links THREADS < PLAN        a line per file: URL, then the headers that it
 *                                     needs, tab between them
 *   floor first URI < PLAN            a line, the ExecuteStatement call in hex; tells how
 *                                     long it takes to have the first 4 MiB of rows, or
 *                                     all of the first batch, decompressed as they come
 *
 * The token is LAKEBEAT_BENCH_TOKEN of the environment.
 *
 * Pages come one after another, so in `inline` one thread fetches while the others
 * decompress; in `links` each thread takes the next file, on a connection of its own.
 * Every buffer is used again. The Thrift reply is read by the driver's own reader: it
 * only looks for where the batches are. */
#include <curl/curl.h>
#include <lz4frame.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "bench.h"
#include "wire/tcli.h"

#define MAX_THREADS 16
#define MAX_FILES 4096
#define MAX_HEADERS 8
#define MAX_LINE 65536
/* Address space, not memory: only what is written to is there. */
#define AREA_BYTES ((size_t)1 << 30)
#define CURL_BUFFER_BYTES 262144L
#define SILENCE_SECONDS 30L
#define FIRST_BYTES ((size_t)4 << 20)

struct file {
  char *url;
  struct curl_slist *headers;
};

struct area {
  uint8_t *data;
  size_t len;
};

struct worker {
  pthread_t thread;
  CURL *easy; /* links: its own */
  struct area wire, raw;
  LZ4F_dctx *lz4;
  uint64_t raw_bytes, wire_bytes;
};

/* Inline: the connection and the place in the result; links: the next file. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static CURL *shared;
static struct area calls[2];
static int64_t pages, rows;
static bool over;
static struct file files[MAX_FILES];
static size_t file_count, next_file;

static struct area area_new(void) {
  void *data = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) die("no address space");
  return (struct area){data, 0};
}

static size_t take(char *data, size_t size, size_t count, void *user) {
  struct area *area = user;
  size_t len = size * count;
  if (len > AREA_BYTES - area->len) return 0;
  memcpy(area->data + area->len, data, len);
  area->len += len;
  return len;
}

static CURL *easy_new(void) {
  CURL *easy = curl_easy_init();
  if (!easy) die("no curl handle");
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, CURL_BUFFER_BYTES);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SILENCE_SECONDS);
  return easy;
}

static void perform(CURL *easy, struct worker *w) {
  w->wire.len = 0;
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &w->wire);
  CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) die("download: %s", curl_easy_strerror(code));
  w->wire_bytes += w->wire.len;
}

static struct worker *worker_new(bool own_connection) {
  struct worker *w = calloc(1, sizeof(*w));
  if (!w) die("out of memory");
  w->wire = area_new();
  w->raw = area_new();
  if (own_connection) w->easy = easy_new();
  if (LZ4F_isError(LZ4F_createDecompressionContext(&w->lz4, LZ4F_VERSION))) {
    die("no LZ4 context");
  }
  return w;
}

/* All frames of the bytes, each time to the start of the same area: it is as if a
 * consumer had dropped the batch before. */
static void decompress(struct worker *w, const uint8_t *data, size_t len) {
  size_t out = 0;
  size_t hint = 0;
  for (size_t at = 0; at < len;) {
    size_t room = AREA_BYTES - out;
    size_t used = len - at;
    hint = LZ4F_decompress(w->lz4, w->raw.data + out, &room, data + at, &used, NULL);
    if (LZ4F_isError(hint)) die("LZ4: %s", LZ4F_getErrorName(hint));
    at += used;
    out += room;
  }
  if (hint != 0) die("LZ4: the frame is cut off");
  w->raw_bytes += out;
}

/* --- inline ----------------------------------------------------------------------- */

static const struct lb_t_row_set *read_page(struct worker *w, struct lb_arena *arena) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_t_fetch_results_resp reply;
  struct lb_str body = {(const char *)w->wire.data, w->wire.len};
  if (lb_thrift_read_reply(body, "FetchResults", &lb_t_fetch_results_resp_desc, &reply,
                           arena, &err) != LB_OK) {
    die("FetchResults: %s", err.message);
  }
  if (!reply.results || !reply.results->arrow_batches.set) {
    die("FetchResults: no Arrow batches in the reply");
  }
  over = !(reply.has_more_rows.set && reply.has_more_rows.v);
  pages++;
  return reply.results;
}

static bool fetch_page(struct worker *w, struct lb_arena *arena,
                       const struct lb_t_row_set **out) {
  pthread_mutex_lock(&turn);
  bool there = !over;
  if (there) {
    const struct area *call = &calls[pages > 0];
    curl_easy_setopt(shared, CURLOPT_POSTFIELDS, call->data);
    curl_easy_setopt(shared, CURLOPT_POSTFIELDSIZE, (long)call->len);
    perform(shared, w);
    *out = read_page(w, arena);
    const struct lb_t_spark_arrow_batch *batches = (*out)->arrow_batches.items;
    for (int32_t i = 0; i < (*out)->arrow_batches.count; i++) {
      rows += batches[i].row_count.v;
    }
  }
  pthread_mutex_unlock(&turn);
  return there;
}

static void *inline_worker(void *arg) {
  struct worker *w = arg;
  for (;;) {
    struct lb_arena arena;
    lb_arena_init(&arena, LB_MEM_TEST, AREA_BYTES);
    const struct lb_t_row_set *set = NULL;
    bool there = fetch_page(w, &arena, &set);
    if (there) {
      const struct lb_t_spark_arrow_batch *batches = set->arrow_batches.items;
      for (int32_t i = 0; i < set->arrow_batches.count; i++) {
        decompress(w, (const uint8_t *)batches[i].batch.data, batches[i].batch.len);
      }
    }
    lb_arena_reset(&arena);
    if (!there) return NULL;
  }
}

static struct area read_hex(char *line) {
  struct area area = area_new();
  for (char *at = line; at[0] && at[1] && at[0] != '\n'; at += 2) {
    char byte[3] = {at[0], at[1], 0};
    area.data[area.len++] = (uint8_t)strtoul(byte, NULL, 16);
  }
  return area;
}

static void prepare_calls(const char *uri, int count) {
  static char line[MAX_LINE];
  for (int i = 0; i < count; i++) {
    if (!fgets(line, sizeof(line), stdin)) die("the plan is cut off");
    calls[i] = read_hex(line);
  }
  shared = easy_new();
  const char *token = getenv("LAKEBEAT_BENCH_TOKEN");
  snprintf(line, sizeof(line), "Authorization: Bearer %s", token ? token : "");
  struct curl_slist *headers = curl_slist_append(NULL, line);
  headers = curl_slist_append(headers, "Content-Type: application/x-thrift");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(shared, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(shared, CURLOPT_URL, uri);
}

/* --- links ------------------------------------------------------------------------ */

static void *links_worker(void *arg) {
  struct worker *w = arg;
  for (;;) {
    pthread_mutex_lock(&turn);
    size_t at = next_file++;
    pthread_mutex_unlock(&turn);
    if (at >= file_count) return NULL;
    curl_easy_setopt(w->easy, CURLOPT_URL, files[at].url);
    curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, files[at].headers);
    perform(w->easy, w);
    decompress(w, w->wire.data, w->wire.len);
  }
}

static void prepare_links(void) {
  static char line[MAX_LINE];
  while (fgets(line, sizeof(line), stdin)) {
    if (file_count == MAX_FILES) die("more than %d files", MAX_FILES);
    line[strcspn(line, "\n")] = 0;
    struct file *file = &files[file_count++];
    char *at = line;
    file->url = strdup(strsep(&at, "\t"));
    while (at) file->headers = curl_slist_append(file->headers, strsep(&at, "\t"));
  }
  if (file_count == 0) die("the plan names no file");
}

/* --- first ------------------------------------------------------------------------ */

struct first {
  struct worker *w;
  size_t out;
  bool found, done;
};

static void feed_first(struct first *first, const uint8_t *data, size_t len) {
  for (size_t at = 0; at < len && !first->done;) {
    size_t room = FIRST_BYTES;
    size_t used = len - at;
    uint8_t *raw = first->w->raw.data + first->out;
    size_t hint = LZ4F_decompress(first->w->lz4, raw, &room, data + at, &used, NULL);
    if (LZ4F_isError(hint)) die("LZ4: %s", LZ4F_getErrorName(hint));
    at += used;
    first->out += room;
    first->done = hint == 0 || first->out >= FIRST_BYTES;
  }
}

/* Rows begin where the first LZ4 frame does; what comes before is kept. */
static size_t take_first(char *data, size_t size, size_t count, void *user) {
  static const uint8_t magic[] = {0x04, 0x22, 0x4D, 0x18};
  struct first *first = user;
  struct area *head = &first->w->wire;
  size_t len = size * count;
  if (first->found) {
    feed_first(first, (const uint8_t *)data, len);
  } else {
    size_t from = head->len < sizeof(magic) ? 0 : head->len - sizeof(magic);
    if (take(data, size, count, head) != len) return 0;
    const uint8_t *at = memmem(head->data + from, head->len - from, magic, sizeof(magic));
    first->found = at != NULL;
    if (at) feed_first(first, at, (size_t)(head->data + head->len - at));
  }
  return first->done ? 0 : len;
}

static void perform_first(CURL *easy, struct first *first) {
  first->w->wire.len = 0;
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_first);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, first);
  CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK && !first->done) die("first: %s", curl_easy_strerror(code));
}

/* Where the first file is, from the reply to ExecuteStatement. */
static void read_first_link(struct worker *w, CURL *easy) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_arena arena;
  struct lb_t_execute_statement_resp reply;
  struct lb_str body = {(const char *)w->wire.data, w->wire.len};
  lb_arena_init(&arena, LB_MEM_TEST, AREA_BYTES);
  if (lb_thrift_read_reply(body, "ExecuteStatement", &lb_t_execute_statement_resp_desc,
                           &reply, &arena, &err) != LB_OK) {
    die("ExecuteStatement: %s", err.message);
  }
  const struct lb_t_fetch_results_resp *set =
      reply.direct_results ? reply.direct_results->result_set : NULL;
  if (!set || !set->results || set->results->result_links.count == 0) {
    die("ExecuteStatement: neither rows nor links in the reply");
  }
  const struct lb_t_spark_arrow_result_link *link = set->results->result_links.items;
  static char text[MAX_LINE];
  snprintf(text, sizeof(text), "%.*s", (int)link->file_link.len, link->file_link.data);
  curl_easy_setopt(easy, CURLOPT_URL, text);
  struct curl_slist *headers = NULL;
  const struct lb_str *values = link->http_headers.values;
  for (int32_t i = 0; i < link->http_headers.count; i++) {
    const struct lb_str *key = &link->http_headers.keys[i];
    snprintf(text, sizeof(text), "%.*s: %.*s", (int)key->len, key->data,
             (int)values[i].len, values[i].data);
    headers = curl_slist_append(headers, text);
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  lb_arena_reset(&arena);
}

static void run_first(const char *uri) {
  prepare_calls(uri, 1);
  struct worker *w = worker_new(true);
  struct first first = {.w = w};
  curl_easy_setopt(shared, CURLOPT_POSTFIELDS, calls[0].data);
  curl_easy_setopt(shared, CURLOPT_POSTFIELDSIZE, (long)calls[0].len);
  double begin = now_seconds();
  perform_first(shared, &first);
  if (!first.found) {
    read_first_link(w, w->easy);
    perform_first(w->easy, &first);
  }
  printf("{\"wall\": %.6f, \"raw_bytes\": %zu}\n", now_seconds() - begin, first.out);
}

/* ---------------------------------------------------------------------------------- */

static void run_all(bool links, int threads) {
  struct worker *workers[MAX_THREADS];
  for (int i = 0; i < threads; i++) workers[i] = worker_new(links);
  long before_kib = start_of_peak_kib();
  double cpu = cpu_seconds();
  double begin = now_seconds();
  for (int i = 0; i < threads; i++) {
    void *(*run)(void *) = links ? links_worker : inline_worker;
    if (pthread_create(&workers[i]->thread, NULL, run, workers[i]) != 0) die("no thread");
  }
  uint64_t raw_bytes = 0;
  uint64_t wire_bytes = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i]->thread, NULL);
    raw_bytes += workers[i]->raw_bytes;
    wire_bytes += workers[i]->wire_bytes;
  }
  double wall = now_seconds() - begin;
  cpu = cpu_seconds() - cpu;
  printf("{\"wall\": %.6f, \"cpu\": %.6f, \"peak_kib\": %ld, \"raw_bytes\": %llu, "
         "\"wire_bytes\": %llu, \"rows\": %lld, \"pieces\": %lld}\n",
         wall, cpu, status_kib("VmHWM:") - before_kib, (unsigned long long)raw_bytes,
         (unsigned long long)wire_bytes, (long long)rows,
         links ? (long long)file_count : (long long)pages);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (strcmp(mode, "first") == 0 && argc == 3) {
    run_first(argv[2]);
    return 0;
  }
  bool links = strcmp(mode, "links") == 0 && argc == 3;
  if (!links && !(strcmp(mode, "inline") == 0 && argc == 4)) {
    die("usage: floor inline THREADS URI | links THREADS | first URI; the plan on stdin");
  }
  int threads = atoi(argv[2]);
  if (threads < 1 || threads > MAX_THREADS) die("1 to %d threads", MAX_THREADS);
  if (links) {
    prepare_links();
  } else {
    prepare_calls(argv[3], 2);
  }
  run_all(links, threads);
  return 0;
}
