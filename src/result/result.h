/* SPDX-License-Identifier: Apache-2.0 */
/* A result set: pages of rows become Arrow arrays in order, each row counted, while a
 * heartbeat keeps the operation alive on the server.
 *
 * Reference-counted: the stream that reads holds one, the statement shows its latest
 * one. One thread reads at a time; cancel, statistics and close may come from any
 * thread. */
#ifndef LB_RESULT_RESULT_H
#define LB_RESULT_RESULT_H

#include "io/call.h"
#include "result/heartbeat.h"
#include "wire/arrow_decode.h"

struct lb_result;

void lb_result_retain(struct lb_result *res);
void lb_result_release(struct lb_result *res); /* NULL is a no-op */

/* Valid as long as the result. */
const struct lb_result_schema *lb_result_schema(const struct lb_result *res);
const char *lb_result_query_id(const struct lb_result *res); /* "" when there is none */

/* The next array, never empty; out->release == NULL at the end. After a failure every
 * later call fails with the same error, never with an end. */
enum lb_status lb_result_next(struct lb_result *res, struct ArrowArray *out,
                              struct lb_error *err) LB_MUST_USE;

/* Ends reading: stops the heartbeat (before anything is sent), closes the operation
 * without waiting, frees the pages. reason: LB_HB_RELEASED, LB_HB_REEXECUTED. Later
 * reads fail with LB_INVALID_STATE. Any thread; pages at hand are freed by the
 * reader's side. */
void lb_result_close(struct lb_result *res, enum lb_hb_reason reason);
/* True when there was something to cancel: a read that waits, or an operation that is
 * open. Reads fail with LB_CANCELLED from then on. Any thread. */
bool lb_result_cancel(struct lb_result *res);

/* The heartbeat's counters. Any thread. */
struct lb_hb_stats *lb_result_stats(const struct lb_result *res);

#endif
