/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a transfer as curl sees it: the easy handle, its settings, its
 * callbacks. I/O thread only. */
#ifndef LB_IO_ATTEMPT_H
#define LB_IO_ATTEMPT_H

#include "io/transfer.h"

/* Clears what the last attempt left behind, makes the handle and hands it to curl. On
 * failure there is no handle. */
enum lb_status lb_attempt_begin(struct lb_transfer *t, struct lb_error *err) LB_MUST_USE;
/* Takes the handle from curl and frees it; a connection with an outstanding reply is
 * dropped. No-op without a handle. */
void lb_attempt_end(struct lb_transfer *t);
/* Called by the attempt as soon as its connection stands: the deadlines change. */
void lb_transfer_connected(struct lb_transfer *t);

#endif
