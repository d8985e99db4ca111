/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which large replies are received: turns.c says how. A small reply never
 * waits. I/O thread only. */
#ifndef LB_IO_TURNS_H
#define LB_IO_TURNS_H

#include "io/transfer.h"

/* A body of fewer bytes is received as it comes. */
#define LB_TURNS_LARGE_BYTES ((size_t)1 << 20)
/* So many large ones are received at a time while they keep the thread busy. */
#define LB_TURNS_AT_ONCE 2
/* The thread is judged by how much of so long a time it has slept. */
#define LB_TURNS_WINDOW_MS 1

/* Before len bytes of a body are taken. False: its turn has not come, and what is there
 * comes again when it has. */
bool lb_turns_may_receive(struct lb_transfer *t, size_t len);
/* The attempt is over: who is first in line has its turn. */
void lb_turns_leave(struct lb_transfer *t);
/* Somebody waits for a turn: the loop sleeps for LB_TURNS_WINDOW_MS at most, and tells
 * how long it has slept. */
bool lb_turns_wanted(const struct lb_io *io);
void lb_turns_slept(struct lb_io *io, int64_t from_ns, int64_t to_ns);

#endif
