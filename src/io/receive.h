/* SPDX-License-Identifier: Apache-2.0 */
/* How the reply to an attempt is taken: curl's callbacks for headers and body. I/O thread
 * only. */
#ifndef LB_IO_RECEIVE_H
#define LB_IO_RECEIVE_H

#include "io/transfer.h"

/* Nothing has come yet. */
void lb_receive_reset(struct lb_transfer *t);
/* For CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION; ctx is the transfer. */
size_t lb_receive_header(char *data, size_t size, size_t count, void *ctx);
size_t lb_receive_body(char *data, size_t size, size_t count, void *ctx);

#endif
