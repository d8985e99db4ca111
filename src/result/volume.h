/* SPDX-License-Identifier: Apache-2.0 */
/* PUT, GET and REMOVE on volumes: the server answers with a URL of the store, and the
 * client moves the bytes. On the application's thread, within the call that executes. */
#ifndef LB_RESULT_VOLUME_H
#define LB_RESULT_VOLUME_H

#include "io/call.h"
#include "nanoarrow/nanoarrow.h"
#include "session/session.h"

struct lb_volume_params {
  struct lb_str sql;         /* of the statement */
  const char *allowed;       /* databricks.volume.allowed_local_paths, NULL: none */
  struct lb_call_slot *slot; /* makes it cancellable; a turn is under way */
  int64_t limit_s;           /* of the transfer: databricks.query_timeout_seconds */
};

/* What the row of a result says; views on the array. */
struct lb_volume_row {
  struct lb_str operation;
  struct lb_str local_file; /* len 0: none */
  struct lb_str url;
  struct lb_buf headers; /* "Name: value\0" one after the other */
};

/* LB_INVALID_ARGUMENT when the local file may not be touched; then it was not. */
enum lb_status lb_volume_carry_out(struct lb_session *sess,
                                   const struct lb_volume_params *params,
                                   const struct lb_volume_row *row,
                                   struct lb_error *err) LB_MUST_USE;

/* Reads the one row of such a result. row->headers is initialised by this and reset by
 * the caller, also after a failure. */
enum lb_status lb_volume_read_row(const struct ArrowSchema *schema,
                                  const struct ArrowArray *array,
                                  struct lb_volume_row *row,
                                  struct lb_error *err) LB_MUST_USE;

#endif
