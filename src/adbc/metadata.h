/* SPDX-License-Identifier: Apache-2.0 */
/* What the connection's questions about the catalog have in common. */
#ifndef LB_ADBC_METADATA_H
#define LB_ADBC_METADATA_H

#include "adbc/objects.h"
#include "nanoarrow/nanoarrow.h"

/* The connection is released: Cancel finds nothing any more. */
void lb_adbc_asking_reset(struct lb_adbc_connection *conn);
/* False: nothing is being asked. Any thread. */
bool lb_adbc_asking_cancel(struct lb_adbc_connection *conn);
/* A new one, which Cancel finds from now on. */
enum lb_status lb_adbc_asking_begin(struct lb_adbc_connection *conn, struct lb_meta **out,
                                    struct lb_error *err) LB_MUST_USE;
/* Nothing is left to be cancelled; gives the reference back. */
void lb_adbc_asking_end(struct lb_meta *meta);

/* The session's current catalog (or else schema), as the server says. Any thread. */
enum lb_status lb_adbc_current_get(struct lb_adbc_connection *conn, bool catalog,
                                   struct lb_buf *out, struct lb_error *err) LB_MUST_USE;
enum lb_status lb_adbc_current_set(struct lb_adbc_connection *conn, bool catalog,
                                   const char *name, struct lb_error *err) LB_MUST_USE;

/* The failure says that a table, schema or catalog is not there. */
bool lb_adbc_says_missing(const struct lb_error *err);

/* Column types and names of a schema that is being built. */
int lb_adbc_child(struct ArrowSchema *schema, enum ArrowType type, const char *name);
int lb_adbc_child_required(struct ArrowSchema *schema, enum ArrowType type,
                           const char *name);
/* The stream of one array, both of which are taken, also when there is no memory. */
int lb_adbc_one_array(struct ArrowSchema *schema_own, struct ArrowArray *array_own,
                      struct ArrowArrayStream *out);

#endif
