/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders of this folder ask of a schema. Pure. */
#ifndef LB_WIRE_ARROW_SCHEMA_H
#define LB_WIRE_ARROW_SCHEMA_H

#include "base/error.h"
#include "nanoarrow/nanoarrow.h"

/* That batches of `found` can be read as `wanted`: the same number of columns, stored
 * alike, children included. Names and time zones may differ. An error names the first
 * column that differs. */
enum lb_status lb_arrow_schema_match(const struct ArrowSchema *wanted,
                                     const struct ArrowSchema *found,
                                     struct lb_error *err) LB_MUST_USE;

#endif
