/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define CONNECTIONS_MAX 1024
#define STEPS_MAX 64
#define KEPT_MAX 64
#define HEAD_MAX 16384
#define WAIT_MAX_MS 20000
#define WAIT_TORTURED_MS 5000 /* when nobody has told of a failure */

struct kept {
  char *head;
  char *body;
  size_t body_len;
  int connection;
};

struct connection {
  struct http_server *server;
  pthread_t thread;
  int fd;
  int number;
  size_t used; /* of buffer */
  char buffer[HEAD_MAX];
};

struct http_server {
  int fd;
  int port;
  char url[64];
  pthread_t acceptor;
  pthread_mutex_t mu;
  pthread_cond_t cond;
  bool stopping;
  int requests;
  int released; /* HTTP_HOLD steps of requests below this number go on */
  int hangups;
  struct http_step steps[STEPS_MAX];
  bool played[STEPS_MAX];
  size_t step_count;
  struct connection *connections[CONNECTIONS_MAX];
  int connection_count;
  struct kept kept[KEPT_MAX];
};

static void die(const char *what) {
  fprintf(stderr, "http_server: %s: %s\n", what, strerror(errno));
  abort();
}

static bool send_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    len -= (size_t)n;
  }
  return true;
}

static void wait_for_close(struct connection *c) {
  char scratch[4096];
  ssize_t n;
  do {
    n = recv(c->fd, scratch, sizeof(scratch), 0);
  } while (n > 0 || (n < 0 && errno == EINTR));
}

/* Reads until the buffer holds a whole head. Its length; 0 when the client has closed. */
static size_t read_head(struct connection *c) {
  for (;;) {
    char *end = memmem(c->buffer, c->used, "\r\n\r\n", 4);
    if (end != NULL) return (size_t)(end - c->buffer) + 4;
    if (c->used == sizeof(c->buffer)) return 0;
    ssize_t n = recv(c->fd, c->buffer + c->used, sizeof(c->buffer) - c->used, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    c->used += (size_t)n;
  }
}

static size_t content_length(const char *head) {
  const char *line = strcasestr(head, "\r\nContent-Length:");
  return line != NULL ? strtoul(line + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* The body behind a head of head_len; NULL when the client has closed. */
static char *read_body(struct connection *c, size_t head_len, size_t len) {
  char *body = malloc(len + 1);
  size_t got = c->used - head_len < len ? c->used - head_len : len;
  if (body == NULL) die("malloc");
  memcpy(body, c->buffer + head_len, got);
  memmove(c->buffer, c->buffer + head_len + got, c->used - head_len - got);
  c->used -= head_len + got;
  while (got < len) {
    ssize_t n = recv(c->fd, body + got, len - got, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      free(body);
      return NULL;
    }
    got += (size_t)n;
  }
  body[len] = '\0';
  return body;
}

/* The first step that was not played and is for such a request; step_count: none. */
static size_t find_step(const struct http_server *s, const char *head) {
  size_t line_len = strcspn(head, "\r");
  for (size_t i = 0; i < s->step_count; i++) {
    const char *path = s->steps[i].path;
    if (s->played[i]) continue;
    if (path == NULL || memmem(head, line_len, path, strlen(path)) != NULL) return i;
  }
  return s->step_count;
}

/* Counts a request, keeps it, and says what to do with it. Takes head and body. */
static struct http_step arrived(struct connection *c, char *head, char *body, size_t len,
                                int *number) {
  struct http_server *s = c->server;
  struct http_step step = {.kind = HTTP_REPLY};
  pthread_mutex_lock(&s->mu);
  size_t nth = find_step(s, head);
  if (nth < s->step_count) {
    step = s->steps[nth];
    s->played[nth] = true;
  }
  *number = s->requests++;
  if (*number < KEPT_MAX) {
    s->kept[*number] = (struct kept){head, body, len, c->number};
  } else {
    free(head);
    free(body);
  }
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mu);
  return step;
}

static void hold(struct http_server *s, int number) {
  pthread_mutex_lock(&s->mu);
  while (!s->stopping && s->released <= number) pthread_cond_wait(&s->cond, &s->mu);
  pthread_mutex_unlock(&s->mu);
}

static bool send_chunks(int fd, const char *body, size_t len, bool whole) {
  for (size_t at = 0; at < len; at += 7) {
    size_t n = len - at < 7 ? len - at : 7;
    char line[16];
    int line_len = snprintf(line, sizeof(line), "%zx\r\n", n);
    if (!send_all(fd, line, (size_t)line_len) || !send_all(fd, body + at, n) ||
        !send_all(fd, "\r\n", 2)) {
      return false;
    }
  }
  return !whole || send_all(fd, "0\r\nX-Trailer: last\r\n\r\n", 22);
}

/* True: the connection stays. */
static bool reply(struct connection *c, const struct http_step *step) {
  const char *body = step->body != NULL ? step->body : "ok";
  size_t len = step->body_len > 0 ? step->body_len : strlen(body);
  bool half = step->kind == HTTP_HALF || step->kind == HTTP_HALF_HANG;
  size_t sent = step->sent > 0 ? step->sent : len / 2;
  bool chunked = step->kind == HTTP_CHUNKED || step->kind == HTTP_HALF_CHUNKS;
  char head[2048], length[64] = "";
  if (chunked) {
    snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
  } else if (step->kind != HTTP_UNTIL_CLOSE) {
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
  }
  int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Some Reason\r\n%s%s\r\n",
                   step->status != 0 ? step->status : 200, length,
                   step->headers != NULL ? step->headers : "");
  if (!send_all(c->fd, head, (size_t)n)) return false;
  if (chunked) {
    if (!send_chunks(c->fd, body, len, step->kind == HTTP_CHUNKED)) return false;
  } else if (!send_all(c->fd, body, half ? sent : len)) {
    return false;
  }
  if (step->kind == HTTP_HALF_HANG) wait_for_close(c);
  return step->kind == HTTP_REPLY || step->kind == HTTP_CHUNKED ||
         step->kind == HTTP_HOLD;
}

static void reset(struct connection *c) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The step that this request will get, for what happens before its body is read. */
static enum http_step_kind peek(struct http_server *s, const char *head) {
  pthread_mutex_lock(&s->mu);
  size_t nth = find_step(s, head);
  enum http_step_kind kind = nth < s->step_count ? s->steps[nth].kind : HTTP_REPLY;
  pthread_mutex_unlock(&s->mu);
  return kind;
}

/* True: the connection stays. */
static bool serve_one(struct connection *c, bool *gone) {
  size_t head_len = read_head(c);
  *gone = head_len == 0;
  if (head_len == 0) return false;
  char *head = strndup(c->buffer, head_len);
  if (head == NULL) die("strndup");
  bool early = peek(c->server, head) == HTTP_RESET_EARLY;
  size_t len = early ? 0 : content_length(head);
  char *body = read_body(c, head_len, len);
  *gone = body == NULL;
  if (body == NULL) {
    free(head);
    return false;
  }
  int number;
  struct http_step step = arrived(c, head, body, len, &number);
  switch (step.kind) {
    case HTTP_RESET:
    case HTTP_RESET_EARLY:
      reset(c);
      return false;
    case HTTP_CLOSE:
      return false;
    case HTTP_HANG:
      wait_for_close(c);
      *gone = true;
      return false;
    case HTTP_HOLD:
      hold(c->server, number);
      break;
    default:
      break;
  }
  if (!reply(c, &step)) {
    *gone = step.kind == HTTP_HALF_HANG;
    return false;
  }
  if (step.lost) {
    wait_for_close(c);
    *gone = true;
    return false;
  }
  return !step.close;
}

static void *run_connection(void *arg) {
  struct connection *c = arg;
  struct http_server *s = c->server;
  bool gone = false;
  while (serve_one(c, &gone)) {
  }
  pthread_mutex_lock(&s->mu);
  if (gone) s->hangups++;
  close(c->fd);
  c->fd = -1;
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mu);
  return NULL;
}

static void *run_acceptor(void *arg) {
  struct http_server *s = arg;
  for (;;) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return NULL;
    pthread_mutex_lock(&s->mu);
    if (s->stopping) {
      close(fd);
    } else {
      struct connection *c = calloc(1, sizeof(*c));
      int on = 1; /* head and body are sent one by one */
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      if (c == NULL || s->connection_count == CONNECTIONS_MAX) die("connection");
      c->server = s;
      c->fd = fd;
      c->number = s->connection_count;
      s->connections[s->connection_count++] = c;
      if (pthread_create(&c->thread, NULL, run_connection, c) != 0) die("pthread_create");
    }
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mu);
  }
}

struct http_server *http_server_start(void) {
  struct http_server *s = calloc(1, sizeof(*s));
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof(address);
  if (s == NULL) die("calloc");
  pthread_mutex_init(&s->mu, NULL);
  pthread_cond_init(&s->cond, NULL);
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, len) != 0 ||
      listen(s->fd, 512) != 0 ||
      getsockname(s->fd, (struct sockaddr *)&address, &len) != 0) {
    die("listen");
  }
  s->port = ntohs(address.sin_port);
  snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/path?o=1", s->port);
  if (pthread_create(&s->acceptor, NULL, run_acceptor, s) != 0) die("pthread_create");
  return s;
}

void http_server_stop(struct http_server *s) {
  pthread_mutex_lock(&s->mu);
  s->stopping = true;
  shutdown(s->fd, SHUT_RDWR);
  for (int i = 0; i < s->connection_count; i++) {
    if (s->connections[i]->fd >= 0) shutdown(s->connections[i]->fd, SHUT_RDWR);
  }
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mu);
  pthread_join(s->acceptor, NULL);
  for (int i = 0; i < s->connection_count; i++) {
    pthread_join(s->connections[i]->thread, NULL);
    free(s->connections[i]);
  }
  for (int i = 0; i < KEPT_MAX; i++) {
    free(s->kept[i].head);
    free(s->kept[i].body);
  }
  close(s->fd);
  pthread_cond_destroy(&s->cond);
  pthread_mutex_destroy(&s->mu);
  free(s);
}

int http_server_port(const struct http_server *s) { return s->port; }

const char *http_server_url(const struct http_server *s) { return s->url; }

void http_server_script(struct http_server *s, const struct http_step *steps,
                        size_t count) {
  if (count > STEPS_MAX) die("too many steps");
  pthread_mutex_lock(&s->mu);
  memcpy(s->steps, steps, count * sizeof(*steps));
  memset(s->played, 0, sizeof(s->played));
  s->step_count = count;
  pthread_mutex_unlock(&s->mu);
}

static int read_count(struct http_server *s, const int *count) {
  pthread_mutex_lock(&s->mu);
  int value = *count;
  pthread_mutex_unlock(&s->mu);
  return value;
}

static bool tortured(void) { return getenv("LAKEBEAT_TEST_TORTURE") != NULL; }

bool http_server_gives_up(int waited_ms) {
  if (!tortured()) return waited_ms > WAIT_MAX_MS;
  return waited_ms > WAIT_TORTURED_MS ||
         (waited_ms > 4 * HTTP_SERVER_SLICE_MS && lb_mem_failure_told());
}

static void wait_count(struct http_server *s, const int *count, int wanted,
                       const char *what) {
  int waited_ms = 0;
  pthread_mutex_lock(&s->mu);
  while (*count < wanted) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HTTP_SERVER_SLICE_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    errno = pthread_cond_timedwait(&s->cond, &s->mu, &until);
    if (errno != 0) waited_ms += HTTP_SERVER_SLICE_MS;
    if (errno == 0 || !http_server_gives_up(waited_ms)) continue;
    /* What torture keeps from coming is no crash. */
    if (tortured()) exit(-1);
    die(what);
  }
  pthread_mutex_unlock(&s->mu);
}

int http_server_requests(struct http_server *s) { return read_count(s, &s->requests); }

int http_server_connections(struct http_server *s) {
  return read_count(s, &s->connection_count);
}

int http_server_hangups(struct http_server *s) { return read_count(s, &s->hangups); }

void http_server_wait_requests(struct http_server *s, int count) {
  wait_count(s, &s->requests, count, "waiting for requests");
}

void http_server_wait_connections(struct http_server *s, int count) {
  wait_count(s, &s->connection_count, count, "waiting for connections");
}

void http_server_wait_hangups(struct http_server *s, int count) {
  wait_count(s, &s->hangups, count, "waiting for the client to close");
}

void http_server_release(struct http_server *s) {
  pthread_mutex_lock(&s->mu);
  s->released = s->requests;
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mu);
}

/* What is kept does not change any more, so it may be read without the lock. */
static struct kept *kept(struct http_server *s, int nth) {
  pthread_mutex_lock(&s->mu);
  if (nth < 0 || nth >= s->requests || nth >= KEPT_MAX) die("no such request");
  struct kept *request = &s->kept[nth];
  pthread_mutex_unlock(&s->mu);
  return request;
}

const char *http_server_head(struct http_server *s, int nth) {
  return kept(s, nth)->head;
}

const char *http_server_body(struct http_server *s, int nth, size_t *len) {
  struct kept *request = kept(s, nth);
  *len = request->body_len;
  return request->body;
}

int http_server_connection_of(struct http_server *s, int nth) {
  return kept(s, nth)->connection;
}
