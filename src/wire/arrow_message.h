/* SPDX-License-Identifier: Apache-2.0 */
/* Encapsulated Arrow IPC messages, taken one by one from a piece of memory, and the
 * checks that nanoarrow leaves to its caller: buffers inside the body and aligned, sane
 * lengths, parts that must be there. What passes here is safe to hand to its decoder. */
#ifndef LB_WIRE_ARROW_MESSAGE_H
#define LB_WIRE_ARROW_MESSAGE_H

#include "base/error.h"
#include "base/str.h"
#include "nanoarrow/nanoarrow.h"

enum lb_arrow_message_kind {
  LB_ARROW_MESSAGE_EOS,
  LB_ARROW_MESSAGE_SCHEMA,
  LB_ARROW_MESSAGE_BATCH
};

struct lb_arrow_message {
  enum lb_arrow_message_kind kind;
  const uint8_t *head; /* prefix and metadata, 8-byte aligned when the input is */
  size_t head_bytes;
  const uint8_t *body;
  size_t body_bytes;
};

/* The message at *pos; *pos moves behind it. data must be 8-byte aligned. */
enum lb_status lb_arrow_message_next(const uint8_t *data, size_t len, size_t *pos,
                                     struct lb_arrow_message *out,
                                     struct lb_error *err) LB_MUST_USE;

/* 2 GiB: Arrow's 32-bit offsets reach no farther within a column. */
#define LB_ARROW_MAX_MESSAGE_BYTES (INT64_C(1) << 31) /* of its body */

/* How many bytes are known to belong to the message that begins at data, of which `len`
 * bytes are here: 8 until its size is known, then its head, then all of it. So it is
 * whole when *bytes <= len. *head_bytes is 0 until known. Checks what it needs. */
enum lb_status lb_arrow_message_measure(const uint8_t *data, size_t len, size_t *bytes,
                                        size_t *head_bytes,
                                        struct lb_error *err) LB_MUST_USE;

/* The schema of a schema message; only types that a result can have. */
enum lb_status lb_arrow_message_schema(const struct lb_arrow_message *message,
                                       struct ArrowSchema *out,
                                       struct lb_error *err) LB_MUST_USE;

/* What nanoarrow's code means as a status; text is its message. */
enum lb_status lb_arrow_error(int code, const char *what, const struct ArrowError *text,
                              struct lb_error *err) LB_MUST_USE;

#endif
