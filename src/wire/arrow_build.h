/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches to arrays, for the decoders of this folder: how a message that lies in a
 * body becomes an array whose buffers point into it. A builder belongs to one thread at a
 * time. */
#ifndef LB_WIRE_ARROW_BUILD_H
#define LB_WIRE_ARROW_BUILD_H

#include "nanoarrow/nanoarrow_ipc.h"
#include "wire/arrow_array.h"
#include "wire/arrow_decode.h"
#include "wire/arrow_message.h"

struct lb_arrow_builder {
  const struct lb_result_schema *schema;
  struct ArrowIpcDecoder ipc;
  struct lb_arrow_node *nodes;
  int32_t node_count;
  struct lb_arrow_decoder_stats stats;
};

/* schema is borrowed and must outlive the builder. */
enum lb_status lb_arrow_builder_init(struct lb_arrow_builder *builder,
                                     const struct lb_result_schema *schema,
                                     struct lb_error *err) LB_MUST_USE;
void lb_arrow_builder_reset(struct lb_arrow_builder *builder);

/* That batches of the schema in message can be read as the result's. */
enum lb_status lb_arrow_builder_check(const struct lb_arrow_builder *builder,
                                      const struct lb_arrow_message *message,
                                      struct lb_error *err) LB_MUST_USE;

/* A view of the batch in message, fully validated; lives until the next call. */
enum lb_status lb_arrow_builder_view(struct lb_arrow_builder *builder,
                                     const struct lb_arrow_message *message,
                                     struct ArrowArrayView **out,
                                     struct lb_error *err) LB_MUST_USE;
/* The first `length` rows (at least one) of a view of message, which lies in body.
 * Buffers that are misaligned for their type, and those that nanoarrow had to decompress,
 * are copied; the former are counted. *wide_bytes says how many bytes of 16-byte values
 * lay on an address that is 0 or 8 modulo 16. */
enum lb_status lb_arrow_builder_array(struct lb_arrow_builder *builder,
                                      const struct lb_arrow_message *message,
                                      const struct ArrowArrayView *view, int64_t length,
                                      struct lb_arrow_body *body, int64_t wide_bytes[2],
                                      struct ArrowArray *out,
                                      struct lb_error *err) LB_MUST_USE;

#endif
