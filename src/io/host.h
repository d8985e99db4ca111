/* SPDX-License-Identifier: Apache-2.0 */
/* Queues per host and class: a transfer takes a place of its class before it touches the
 * network and waits in line when there is none. I/O thread only.
 *
 * A host is known by "host:port". It is kept after its last transfer, because it
 * remembers whether it ever answered and how many probes it may have; at most
 * LB_HOSTS_IDLE_MAX idle ones are kept. */
#ifndef LB_IO_HOST_H
#define LB_IO_HOST_H

#include "io/io_internal.h"
#include "io/request.h"

#define LB_HOSTS_IDLE_MAX 64

struct lb_transfer;

struct lb_host_class {
  struct lb_list queue; /* struct lb_transfer, first come first served */
  int32_t in_flight;
  int32_t limit;
  bool told; /* the log has its line about those in line */
};

struct lb_host {
  struct lb_list node;
  struct lb_list ready_node;
  struct lb_host_class classes[LB_REQ_CLASS_COUNT];
  uint32_t users; /* transfers that point here */
  bool answered;  /* an HTTP reply came from it at some time */
  char name[];
};

/* Finds or makes; each call needs one lb_host_put. NULL when out of memory. */
struct lb_host *lb_host_get(struct lb_io *io, const struct lb_endpoint *endpoint);
void lb_host_put(struct lb_io *io, struct lb_host *host);
/* Puts node (of a transfer) in line; its turn comes with lb_hosts_pump. */
void lb_host_enqueue(struct lb_io *io, struct lb_host *host, enum lb_req_class req_class,
                     struct lb_list *node);
/* A place is free again. */
void lb_host_leave(struct lb_io *io, struct lb_host *host, enum lb_req_class req_class);
/* Gives free places to whoever is in line; begin is called with the place taken. */
void lb_hosts_pump(struct lb_io *io,
                   void (*begin)(struct lb_io *io, struct lb_list *node));
/* Frees every host; no transfer points to one any more. */
void lb_hosts_reset(struct lb_io *io);

#endif
