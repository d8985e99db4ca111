/* SPDX-License-Identifier: Apache-2.0 */
/* Many large replies at once: received side by side they would all be whole at the same
 * time, at the end, and until then fill memory and give nobody anything to decode.
 *  1. LB_TURNS_AT_ONCE of them are received. A further one is left in its socket when its
 *     body begins, or has become large, and stands in line.
 *  2. When one has ended, the first in line has its turn.
 *  3. A thread that sleeps for half of the time or longer could receive more: it is the
 *     network or a server that is slow. Every LB_TURNS_WINDOW_MS of that gives the first
 *     in line its turn as well. So nobody waits for a connection that is stuck, and over
 *     distance all are received at once after as many milliseconds.
 *  4. Who waits here was not let down by the server, whose silence does not count. */
#include "io/turns.h"

static bool is_large(const struct lb_transfer *t, size_t len) {
  int64_t stated = t->req->headers.content_length;
  if (stated >= 0) return (uint64_t)stated >= LB_TURNS_LARGE_BYTES;
  size_t so_far = LB_MAX(t->req->reply.len, t->sunk_bytes);
  return so_far >= LB_TURNS_LARGE_BYTES || len >= LB_TURNS_LARGE_BYTES - so_far;
}

static void admit(struct lb_transfer *t) {
  t->has_turn = true;
  t->io->owned.turns++;
}

bool lb_turns_may_receive(struct lb_transfer *t, size_t len) {
  struct lb_io *io = t->io;
  if (t->has_turn || !is_large(t, len)) return true;
  if (io->owned.turns < LB_TURNS_AT_ONCE && lb_list_empty(&io->owned.turn_line)) {
    admit(t);
    return true;
  }
  if (lb_list_empty(&io->owned.turn_line)) io->owned.turn_from_ns = 0;
  if (!lb_list_linked(&t->turn_node)) {
    lb_list_push_back(&io->owned.turn_line, &t->turn_node);
  }
  t->paused = true;
  return false;
}

static void admit_first(struct lb_io *io) {
  struct lb_list *node = lb_list_pop(&io->owned.turn_line);
  if (node == NULL) return;
  struct lb_transfer *t = LB_CONTAINER_OF(node, struct lb_transfer, turn_node);
  admit(t);
  lb_attempt_resume(t);
}

void lb_turns_leave(struct lb_transfer *t) {
  struct lb_io *io = t->io;
  lb_list_remove(&t->turn_node);
  if (!t->has_turn) return;
  t->has_turn = false;
  io->owned.turns--;
  if (!io->owned.draining && io->owned.turns < LB_TURNS_AT_ONCE) admit_first(io);
}

bool lb_turns_wanted(const struct lb_io *io) {
  return !lb_list_empty(&io->owned.turn_line);
}

void lb_turns_slept(struct lb_io *io, int64_t from_ns, int64_t to_ns) {
  if (io->owned.turn_from_ns == 0) {
    io->owned.turn_from_ns = to_ns;
    io->owned.turn_slept_ns = 0;
    return;
  }
  io->owned.turn_slept_ns += to_ns - from_ns;
  int64_t window_ns = to_ns - io->owned.turn_from_ns;
  if (window_ns < LB_TURNS_WINDOW_MS * INT64_C(1000000)) return;
  io->owned.turn_from_ns = to_ns;
  bool idle = io->owned.turn_slept_ns >= window_ns / 2;
  io->owned.turn_slept_ns = 0;
  if (idle) admit_first(io);
}
