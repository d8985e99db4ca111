/* SPDX-License-Identifier: Apache-2.0 */
/* What database, connection and statement have in common: options of all four kinds, a
 * use of the I/O thread, and what is counted. Each embeds a struct lb_adbc_object as its
 * first member; private_data of the ADBC struct points to it.
 *
 * Threads: setting and everything that changes an object belongs to one thread at a time;
 * getting options may happen on any thread at any time between New and Release. */
#ifndef LB_ADBC_OBJECT_H
#define LB_ADBC_OBJECT_H

#include <stdatomic.h>

#include "adbc/errors.h"
#include "io/io.h"
#include "result/heartbeat.h"
#include "session/options.h"

struct lb_adbc_object;

struct lb_adbc_object_ops {
  const char *name; /* "database" */
  enum lb_option_scope scope;
  /* value NULL: unset. */
  enum lb_status (*set)(struct lb_adbc_object *obj, struct lb_str key, const char *value,
                        struct lb_error *err);
  /* Appends the value as text. LB_NOT_FOUND for a key that has none. */
  enum lb_status (*get)(struct lb_adbc_object *obj, struct lb_str key, struct lb_buf *out,
                        struct lb_error *err);
};

struct lb_adbc_object {
  const struct lb_adbc_object_ops *ops;
  struct lb_options *opts;
  /* Set before ready, and never again. */
  struct lb_io *io;            /* a use of its own */
  struct lb_hb_stats *process; /* of the process; retained */
  atomic_bool ready;
  /* The options that could not be set and were not set rightly since. Driver managers may
   * forget such a failure, so that Init repeats the first. NULL: none. */
  struct lb_adbc_option_failure *failure;
  bool failure_lost; /* there was no memory for one more: Init fails for good */
};

/* parent: the options of the object above, or NULL. */
enum lb_status lb_adbc_object_init(struct lb_adbc_object *obj,
                                   const struct lb_adbc_object_ops *ops,
                                   struct lb_options *parent,
                                   struct lb_error *err) LB_MUST_USE;
/* Takes the use of io and retains the statistics of the process; the object counts as
 * initialised from now on. */
void lb_adbc_object_publish(struct lb_adbc_object *obj, struct lb_io *io_own,
                            struct lb_hb_stats *process);
/* Options and use are given back; nothing of the object's may need the I/O thread. */
void lb_adbc_object_reset(struct lb_adbc_object *obj);
/* True in a process that got the object by fork(): nothing of it may be touched then but
 * the memory of the shell. */
bool lb_adbc_object_inherited(const struct lb_adbc_object *obj);
/* LB_INVALID_STATE for a NULL (never made or released) and for an inherited object. */
enum lb_status lb_adbc_object_check(const struct lb_adbc_object *obj, const char *name,
                                    struct lb_error *err) LB_MUST_USE;
/* As lb_adbc_object_check, and the object has to be initialised. */
enum lb_status lb_adbc_object_check_ready(const struct lb_adbc_object *obj,
                                          const char *name,
                                          struct lb_error *err) LB_MUST_USE;
/* The failure that Init has to repeat. */
enum lb_status lb_adbc_object_check_options(const struct lb_adbc_object *obj,
                                            struct lb_error *err) LB_MUST_USE;

/* Keys that ADBC defines but that have one value here. False: key is none of them. */
bool lb_adbc_fixed_set(enum lb_option_scope scope, struct lb_str key, const char *value,
                       enum lb_status *status, struct lb_error *err);
bool lb_adbc_fixed_get(enum lb_option_scope scope, struct lb_str key, struct lb_buf *out);
/* Keys databricks.heartbeat.* that can only be read; stats NULL reads as never armed.
 * False: key is none of them. */
bool lb_adbc_stats_get(struct lb_hb_stats *stats, struct lb_str key, struct lb_buf *out);
/* Keys databricks.heartbeat.process.* and databricks.memory_budget.*: those of the whole
 * process, the same on every object; io and process NULL read as 0. False: key is none
 * of them. */
bool lb_adbc_process_get(struct lb_io *io, struct lb_hb_stats *process, struct lb_str key,
                         struct lb_buf *out);
/* The same for setting: they cannot be set. */
bool lb_adbc_stats_refuse(struct lb_str key, enum lb_status *status,
                          struct lb_error *err);

/* The eight option entries; obj NULL when private_data is. name for its error. */
AdbcStatusCode lb_adbc_set_text(struct lb_adbc_object *obj, const char *name,
                                const char *key, const char *value,
                                struct AdbcError *error);
AdbcStatusCode lb_adbc_set_bytes(struct lb_adbc_object *obj, const char *name,
                                 const char *key, const uint8_t *value, size_t len,
                                 struct AdbcError *error);
AdbcStatusCode lb_adbc_set_int(struct lb_adbc_object *obj, const char *name,
                               const char *key, int64_t value, struct AdbcError *error);
AdbcStatusCode lb_adbc_set_double(struct lb_adbc_object *obj, const char *name,
                                  const char *key, double value, struct AdbcError *error);
AdbcStatusCode lb_adbc_get_text(struct lb_adbc_object *obj, const char *name,
                                const char *key, char *value, size_t *len,
                                struct AdbcError *error);
AdbcStatusCode lb_adbc_get_bytes(struct lb_adbc_object *obj, const char *name,
                                 const char *key, uint8_t *value, size_t *len,
                                 struct AdbcError *error);
AdbcStatusCode lb_adbc_get_int(struct lb_adbc_object *obj, const char *name,
                               const char *key, int64_t *value, struct AdbcError *error);
AdbcStatusCode lb_adbc_get_double(struct lb_adbc_object *obj, const char *name,
                                  const char *key, double *value,
                                  struct AdbcError *error);

#endif
