/* SPDX-License-Identifier: Apache-2.0 */
/* A server that plays a script, an I/O thread with a clock that stands still until the
 * test moves it, and an endpoint between them. Header-only. */
#ifndef LB_TESTS_UNIT_IO_RIG_H
#define LB_TESTS_UNIT_IO_RIG_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "exchange.h"
#include "http_server.h"

static const uint64_t rig_middle[] = {LB_FAKE_RANDOM_MIDDLE};

/* A server, an I/O thread with a clock that stands still, an endpoint. */
struct rig {
  struct http_server *server;
  struct lb_fake_clock clock;
  struct lb_fake_random random;
  struct lb_clock clock_table;
  struct lb_random random_table;
  struct lb_fake_log log;
  struct lb_io *io;
  struct lb_endpoint *endpoint;
  struct lb_endpoint_options opts;
};

static inline void rig_init(struct rig *rig) {
  memset(rig, 0, sizeof(*rig));
  rig->server = http_server_start();
  rig->clock = (struct lb_fake_clock){
      .now_ms = 1000000, .awake_ms = 900000, .wall_ms = INT64_C(784111777000)};
  rig->clock_table = lb_fake_clock_from(&rig->clock);
  rig->random = (struct lb_fake_random){.values = rig_middle, .len = 1};
  rig->random_table = lb_fake_random_from(&rig->random);
  rig->opts = (struct lb_endpoint_options){
      .url = http_server_url(rig->server),
      .user_agent = "lakebeat/test",
      .extra_headers = {"Content-Type: application/x-thrift"},
      .connect_timeout_ms = 30000,
      .request_timeout_ms = 900000,
      .retry_timeout_ms = 900000,
  };
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_io_test_create(&rig->clock_table, &rig->random_table, &rig->io, &err),
             &err);
  lb_fake_log_init(&rig->log, LB_LOG_DEBUG);
  *lb_io_log(rig->io) = rig->log.log;
  LB_TEST_OK(lb_endpoint_create(&rig->opts, &rig->endpoint, &err), &err);
}

static inline void rig_reset(struct rig *rig) {
  lb_endpoint_release(rig->endpoint);
  lb_io_test_destroy(rig->io, 0);
  http_server_stop(rig->server);
  lb_fake_log_reset(&rig->log);
}

static inline void rig_script(struct rig *rig, struct http_step first,
                              struct http_step second) {
  struct http_step steps[] = {first, second};
  http_server_script(rig->server, steps, 2);
}

static inline bool rig_contains(const char *text, const char *part) {
  return lb_str_find_nocase(lb_str_from(text), lb_str_from(part)) != SIZE_MAX;
}

/* A port of 127.0.0.1 where nobody listens: bound and given back. */
static inline int rig_free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
  lb_os_close(fd);
  return ntohs(address.sin_port);
}

/* Moves the clock and lets the timers see it. */
static inline void rig_advance(struct rig *rig, int64_t step_ms) {
  lb_fake_clock_advance(&rig->clock, step_ms);
  lb_io_test_round(rig->io);
}

struct rig_due {
  struct lb_io_task task;
  int64_t due_ms;
};

static inline void rig_read_due(struct lb_io_task *task, struct lb_io *io) {
  const struct lb_heap_node *min = lb_heap_min(&io->owned.timers);
  LB_CONTAINER_OF(task, struct rig_due, task)->due_ms =
      min != NULL ? min->key : LB_NEVER_MS;
}

/* When the next timer fires. */
static inline int64_t rig_next_due_ms(struct lb_io *io) {
  struct rig_due due = {.task.run = rig_read_due};
  lb_list_init(&due.task.node);
  lb_io_run(io, &due.task);
  return due.due_ms;
}

/* Replaces the endpoint by one with the present options. */
static inline void rig_reconnect(struct rig *rig) {
  struct lb_error err = LB_ERROR_INIT;
  lb_endpoint_release(rig->endpoint);
  LB_TEST_OK(lb_endpoint_create(&rig->opts, &rig->endpoint, &err), &err);
}

#endif
