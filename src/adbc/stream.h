/* SPDX-License-Identifier: Apache-2.0 */
/* A result, or another source of arrays, as an Arrow stream. It holds the source (and
 * with it the session) and a use of the I/O thread, so that it goes on, heartbeat and
 * all, when statement, connection and database are gone. The struct may be moved:
 * everything hangs on private_data. One thread at a time. */
#ifndef LB_ADBC_STREAM_H
#define LB_ADBC_STREAM_H

#include "adbc/errors.h"
#include "io/io.h"
#include "result/series.h"

struct lb_adbc_stream;

/* Made before the statement runs, so that nothing can fail once there is a result. */
enum lb_status lb_adbc_stream_create(struct lb_adbc_stream **out,
                                     struct lb_error *err) LB_MUST_USE;
void lb_adbc_stream_destroy(struct lb_adbc_stream *stream);
/* Takes stream and the reference to res; adds a use of io. */
void lb_adbc_stream_publish(struct lb_adbc_stream *stream_own, struct lb_result *res_own,
                            struct lb_io *io, struct ArrowArrayStream *out);
/* The same for the results of a series. */
void lb_adbc_stream_publish_series(struct lb_adbc_stream *stream_own,
                                   struct lb_series *series_own, struct lb_io *io,
                                   struct ArrowArrayStream *out);

/* Where a stream's arrays come from. One thread at a time. */
struct lb_adbc_source {
  const struct ArrowSchema *(*schema)(void *self);
  /* out->release NULL: the end. After a failure it goes on failing. */
  enum lb_status (*next)(void *self, struct ArrowArray *out, struct lb_error *err);
  void (*release)(void *self);
};
/* Takes stream and self; adds a use of io. */
void lb_adbc_stream_publish_source(struct lb_adbc_stream *stream_own,
                                   const struct lb_adbc_source *source, void *self_own,
                                   struct lb_io *io, struct ArrowArrayStream *out);

/* The error of a stream of ours, owned by it; NULL when it is not ours or has none. */
const struct AdbcError *lb_adbc_stream_error(struct ArrowArrayStream *stream,
                                             AdbcStatusCode *status);

#endif
