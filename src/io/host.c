/* SPDX-License-Identifier: Apache-2.0 */
/* Places per host:
 * 1. control 64: a statement that runs holds one, since servers answer late on
 *    purpose; fewer would make statements wait for one another.
 * 2. end 16: cancels and closes, which nobody waits for; a server that does not answer
 *    them must not hold up statements.
 * 3. end of a session 16, apart from those: it ends the operations too, so closes that
 *    are stuck must not keep it until the process has no more time for it.
 * 4. fetch 64: one page per blocked reader and its prefetch.
 * 5. probe 16 at first; the heartbeat scheduler moves it between 1 and 512 with the
 *    load, so that many parked results do not open hundreds of sockets at once.
 * 6. download 16: more do not make a cloud store faster. A class never uses the places
 *    of another, so a stuck probe delays no fetch.
 * 7. Statements that wait because 64 others run are told of, once until none waits. */
#include "io/host.h"

#include "io/endpoint.h"

#define PROBES_MAX 512

static const int32_t limits[LB_REQ_CLASS_COUNT] = {
    [LB_REQ_CONTROL] = 64, [LB_REQ_END] = 16,   [LB_REQ_END_SESSION] = 16,
    [LB_REQ_FETCH] = 64,   [LB_REQ_PROBE] = 16, [LB_REQ_DOWNLOAD] = 16,
};

static struct lb_host *from_node(struct lb_list *node) {
  return LB_CONTAINER_OF(node, struct lb_host, node);
}

static void destroy(struct lb_io *io, struct lb_host *host) {
  lb_list_remove(&host->node);
  lb_list_remove(&host->ready_node);
  io->owned.host_count--;
  lb_free(host);
}

/* Oldest first: a host that is used moves to the end of the list. */
static void forget_idle(struct lb_io *io) {
  LB_LIST_FOR_EACH_SAFE(node, tmp, &io->owned.hosts) {
    if (io->owned.host_count <= LB_HOSTS_IDLE_MAX) return;
    struct lb_host *host = from_node(node);
    if (host->users == 0) destroy(io, host);
  }
}

static struct lb_host *create(struct lb_io *io, const char *name) {
  size_t len = strlen(name);
  struct lb_host *host = lb_alloc_zero(LB_MEM_IO, sizeof(*host) + len + 1);
  if (host == NULL) return NULL;
  memcpy(host->name, name, len + 1);
  for (size_t i = 0; i < LB_REQ_CLASS_COUNT; i++) {
    lb_list_init(&host->classes[i].queue);
    host->classes[i].limit = limits[i];
  }
  lb_list_init(&host->ready_node);
  lb_list_push_back(&io->owned.hosts, &host->node);
  io->owned.host_count++;
  return host;
}

static struct lb_host *get(struct lb_io *io, const char *name) {
  struct lb_host *found = NULL;
  LB_LIST_FOR_EACH_SAFE(node, tmp, &io->owned.hosts) {
    struct lb_host *host = from_node(node);
    if (strcmp(host->name, name) != 0) continue;
    found = host;
    break;
  }
  if (found == NULL) found = create(io, name);
  if (found == NULL) return NULL;
  lb_list_remove(&found->node);
  lb_list_push_back(&io->owned.hosts, &found->node);
  found->users++;
  return found;
}

struct lb_host *lb_host_get(struct lb_io *io, const struct lb_endpoint *endpoint) {
  return get(io, endpoint->host);
}

void lb_host_put(struct lb_io *io, struct lb_host *host) {
  LB_ASSERT(host->users > 0);
  host->users--;
  if (host->users == 0) forget_idle(io);
}

static void make_ready(struct lb_io *io, struct lb_host *host) {
  if (!lb_list_linked(&host->ready_node)) {
    lb_list_push_back(&io->owned.ready_hosts, &host->ready_node);
  }
}

void lb_host_enqueue(struct lb_io *io, struct lb_host *host, enum lb_req_class req_class,
                     struct lb_list *node) {
  lb_list_push_back(&host->classes[req_class].queue, node);
  make_ready(io, host);
}

void lb_host_leave(struct lb_io *io, struct lb_host *host, enum lb_req_class req_class) {
  LB_ASSERT(host->classes[req_class].in_flight > 0);
  host->classes[req_class].in_flight--;
  make_ready(io, host);
}

static void tell_waiting(struct lb_io *io, struct lb_host *host) {
  struct lb_host_class *places = &host->classes[LB_REQ_CONTROL];
  bool waiting = !lb_list_empty(&places->queue);
  if (waiting && !places->told) {
    lb_log(&io->log, LB_LOG_WARN, "io",
           "%d statements run on %s, as many as may at a time: further ones wait for one "
           "of them to end",
           (int)places->limit, host->name);
  }
  places->told = waiting;
}

void lb_hosts_pump(struct lb_io *io,
                   void (*begin)(struct lb_io *io, struct lb_list *node)) {
  struct lb_list *ready;
  while ((ready = lb_list_pop(&io->owned.ready_hosts)) != NULL) {
    struct lb_host *host = LB_CONTAINER_OF(ready, struct lb_host, ready_node);
    host->users++; /* begin may end a transfer, and with it the last use */
    for (size_t i = 0; i < LB_REQ_CLASS_COUNT; i++) {
      struct lb_host_class *places = &host->classes[i];
      while (places->in_flight < places->limit) {
        struct lb_list *node = lb_list_pop(&places->queue);
        if (node == NULL) break;
        places->in_flight++;
        begin(io, node);
      }
      if (i == LB_REQ_CONTROL) tell_waiting(io, host);
    }
    lb_host_put(io, host);
  }
}

void lb_hosts_reset(struct lb_io *io) {
  LB_LIST_FOR_EACH_SAFE(node, tmp, &io->owned.hosts) destroy(io, from_node(node));
}

void lb_host_set_probe_limit(struct lb_io *io, const char *host_name, int32_t limit) {
  struct lb_host *host = get(io, host_name);
  /* Without memory the old limit stays: fewer probes at a time, none lost. */
  if (host == NULL) return;
  host->classes[LB_REQ_PROBE].limit = LB_MAX(1, LB_MIN(limit, PROBES_MAX));
  make_ready(io, host);
  lb_host_put(io, host);
}
