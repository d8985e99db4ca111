/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP/1.1 server in the test's own process, on 127.0.0.1 and a port of its own.
 * It plays a script: the nth request (over all connections) gets the nth step, later ones
 * a plain 200. A step with a path is for requests of that path alone, so that several may
 * come in any order. One thread per connection. Nothing here waits for time to pass;
 * the functions that wait for an event give up after 20 s by ending the program. */
#ifndef LB_TESTS_UNIT_HTTP_SERVER_H
#define LB_TESTS_UNIT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum http_step_kind {
  HTTP_REPLY,       /* status, headers, body with its length */
  HTTP_CHUNKED,     /* the same as chunks of 7 bytes */
  HTTP_HALF,        /* states the whole length, sends half of the body, closes */
  HTTP_HALF_CHUNKS, /* chunks without the last one, then closes */
  HTTP_UNTIL_CLOSE, /* no length: the body ends with the connection */
  HTTP_RESET,       /* reads the request, then resets the connection */
  HTTP_RESET_EARLY, /* reads the head only, then resets */
  HTTP_CLOSE,       /* reads the request, then closes without a word */
  HTTP_HANG,        /* reads the request and waits until the client closes */
  HTTP_HOLD,        /* waits for http_server_release, then replies */
  HTTP_HALF_HANG, /* sends head and half of the body and waits for the client to close */
};

struct http_step {
  enum http_step_kind kind;
  int status;          /* 0: 200 */
  const char *headers; /* whole lines, each with \r\n; NULL: none */
  const char *body;    /* NULL: "ok" */
  size_t body_len;     /* 0: strlen(body) */
  size_t sent;         /* HTTP_HALF, HTTP_HALF_HANG: bytes of the body; 0: half of it */
  const char *path;    /* what the request line has to contain; NULL: anything */
  bool close;          /* close the connection after the reply, without saying so */
  bool lost; /* nothing is read from that connection any more, but it stays open */
};

struct http_server;

/* Whoever waits does so in slices, and asks after each whether to go on: for 20 s; under
 * torture (base/test_torture.h) not much longer than until a failure has been told. */
#define HTTP_SERVER_SLICE_MS 50
bool http_server_gives_up(int waited_ms);

struct http_server *http_server_start(void);
/* Closes every connection and joins every thread. */
void http_server_stop(struct http_server *s);
int http_server_port(const struct http_server *s);
/* "http://127.0.0.1:port/path?o=1"; valid until the server is stopped. */
const char *http_server_url(const struct http_server *s);
/* Copied, but for the texts; starts anew with the next request. */
void http_server_script(struct http_server *s, const struct http_step *steps,
                        size_t count);

int http_server_requests(struct http_server *s);
int http_server_connections(struct http_server *s);
/* Connections that the client has closed. */
int http_server_hangups(struct http_server *s);
void http_server_wait_requests(struct http_server *s, int count);
void http_server_wait_connections(struct http_server *s, int count);
void http_server_wait_hangups(struct http_server *s, int count);
void http_server_release(struct http_server *s); /* every HTTP_HOLD up to now */

/* Of the nth request, from 0; at most 64 are kept. */
const char *http_server_head(struct http_server *s, int nth);
const char *http_server_body(struct http_server *s, int nth, size_t *len);
int http_server_connection_of(struct http_server *s, int nth);

#endif
