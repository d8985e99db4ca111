/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests: an I/O object that is not the process's, with a clock and a random
 * source of the test's. With a clock of its own the thread looks at its timers whenever
 * it is woken (by a post or by the network) and never by itself. lb_io_retain and
 * lb_io_release do nothing with it. */
#ifndef LB_IO_IO_TEST_SUPPORT_H
#define LB_IO_IO_TEST_SUPPORT_H

#include "io/io.h"

/* clock and random may be NULL (the machine's) and must outlive the object. */
enum lb_status lb_io_test_create(const struct lb_clock *clock,
                                 const struct lb_random *random, struct lb_io **out,
                                 struct lb_error *err) LB_MUST_USE;
/* Waits up to close_timeout_ms for requests that hold the exit, then drops the rest. */
void lb_io_test_destroy(struct lb_io *io, int64_t close_timeout_ms);
/* Runs one round of the loop and returns when it is over. */
void lb_io_test_round(struct lb_io *io);

#endif
