/* SPDX-License-Identifier: Apache-2.0 */
/* One Arrow stream that comes in pieces becomes arrays: a file of cloud fetch (schema,
 * record batches, end mark) or an inline batch (record batches alone), LZ4 or not. Each
 * array is handed out as soon as its last byte has come. Arrays point into the slabs into
 * which the pieces are decompressed, and keep those alive.
 *
 * A stream belongs to one thread at a time; what it hands out, to anybody. Limits: a
 * message has at most LB_ARROW_MAX_MESSAGE_BYTES, all else is as long as it is. */
#ifndef LB_WIRE_ARROW_STREAM_H
#define LB_WIRE_ARROW_STREAM_H

#include <stdatomic.h>

#include "base/pool.h"
#include "wire/arrow_decode.h"

struct lb_arrow_stream;

struct lb_arrow_stream_options {
  const struct lb_result_schema *schema; /* borrowed, outlives the stream */
  struct lb_pool *pool;                  /* borrowed; each slab retains it */
  bool lz4;
  bool whole;        /* begins with a schema, which must fit, and ends with an end mark */
  int64_t row_count; /* as stated; more rows are cut off, fewer are an error */
  int64_t first_row; /* of the result; for error texts */
  int64_t raw_bytes; /* about so many bytes when decompressed; 0 unknown. A small stream
                        takes memory of its own size, one of a few megabytes a
                        smaller block, in place of a slab. */
  /* Where streams of one result learn from each other how their writer places decimals;
   * starts at 0. NULL: each for itself. */
  atomic_int *lean;
};

enum lb_status lb_arrow_stream_create(const struct lb_arrow_stream_options *opts,
                                      struct lb_arrow_stream **out,
                                      struct lb_error *err) LB_MUST_USE;
/* Begins anew with another file or batch of the same result, whatever became of the last
 * one. Contexts, counters and what is left of the slab are used on. */
void lb_arrow_stream_restart(struct lb_arrow_stream *stream, int64_t row_count,
                             int64_t first_row, int64_t raw_bytes);
/* Gives the slab back until the next restart: before a pause. */
void lb_arrow_stream_rest(struct lb_arrow_stream *stream);
/* Bytes in use of the slab that the next restart goes on in; 0: it takes another one. */
size_t lb_arrow_stream_fill(const struct lb_arrow_stream *stream);
/* Arrays handed out live on. NULL allowed. */
void lb_arrow_stream_destroy(struct lb_arrow_stream *stream);

/* Takes ownership of *array, also on failure, which ends the stream. */
typedef enum lb_status lb_arrow_emit(void *ctx, struct ArrowArray *array_own,
                                     struct lb_error *err);

/* Decodes the next len bytes, which may end anywhere; where they end with a block (see
 * wire/lz4_scan.h) none of them is copied. A failure is final and told again by every
 * later call; arrays that were handed out before it are good as far as checksums of
 * blocks and the checks of Arrow data can tell. */
enum lb_status lb_arrow_stream_feed(struct lb_arrow_stream *stream, const uint8_t *piece,
                                    size_t len, lb_arrow_emit *emit, void *ctx,
                                    struct lb_error *err) LB_MUST_USE;
/* All bytes have been fed: the frame, the last message, the end mark and the stated rows
 * are there, or the error that says what is missing. */
enum lb_status lb_arrow_stream_end(struct lb_arrow_stream *stream,
                                   struct lb_error *err) LB_MUST_USE;
int64_t lb_arrow_stream_rows(const struct lb_arrow_stream *stream); /* handed out */

/* Since creation. */
struct lb_arrow_stream_stats {
  int64_t in_bytes;      /* fed */
  int64_t raw_bytes;     /* decompressed, or copied when there is no LZ4 */
  int64_t carried_bytes; /* of messages begun at the end of a slab, copied to the next */
  int64_t slabs;         /* blocks of memory used */
  struct lb_arrow_decoder_stats built;
};
struct lb_arrow_stream_stats lb_arrow_stream_stats(const struct lb_arrow_stream *stream);

#endif
