/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that a connection asks about the server by itself: catalog calls, and
 * statements that the driver makes (own statements), each answered by a result set with
 * heartbeat, deadline and cancel like any other. One struct lb_meta serves one call of a
 * front end, and the stream that it gave.
 *
 * Reference-counted; one thread uses it at a time, except lb_meta_cancel, which any
 * thread may call at any time. */
#ifndef LB_RESULT_METADATA_H
#define LB_RESULT_METADATA_H

#include "result/result.h"
#include "session/backend.h"
#include "session/session.h"

struct lb_meta;

/* sess, opts and parent_stats (may be NULL) are retained. */
enum lb_status lb_meta_create(struct lb_session *sess, struct lb_options *opts,
                              struct lb_hb_stats *parent_stats, struct lb_meta **out,
                              struct lb_error *err) LB_MUST_USE;
void lb_meta_retain(struct lb_meta *meta);
void lb_meta_release(struct lb_meta *meta);                     /* NULL is a no-op */
struct lb_session *lb_meta_session(const struct lb_meta *meta); /* borrowed */

/* Runs a catalog call; the pages' limits of params are filled in. The result is the
 * caller's, to be ended by lb_meta_end. */
enum lb_status lb_meta_call(struct lb_meta *meta, const struct lb_catalog_params *params,
                            struct lb_result **out, struct lb_error *err) LB_MUST_USE;
/* Runs a statement of the driver's own. */
enum lb_status lb_meta_query(struct lb_meta *meta, struct lb_str sql,
                             struct lb_result **out, struct lb_error *err) LB_MUST_USE;
/* Closes the result and gives the reference back. NULL is a no-op. */
void lb_meta_end(struct lb_meta *meta, struct lb_result *res);

/* All is done: there is nothing to cancel any more. */
void lb_meta_finish(struct lb_meta *meta);
bool lb_meta_finished(struct lb_meta *meta);
/* Cancels what runs, the results that are open, and all that would come. False: it is
 * done already. */
bool lb_meta_cancel(struct lb_meta *meta);

#endif
