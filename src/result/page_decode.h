/* SPDX-License-Identifier: Apache-2.0 */
/* The Arrow batches of one page become arrays on the process's workers, a few batches
 * ahead of the reader, and are handed out in order. Small batches are decoded several at
 * a time, so that they are at hand together. One object serves all pages of a result, one
 * page at a time.
 *
 * All calls are the reader's, on its thread; jobs share the object under its mutex and
 * keep it alive. The bytes of the page and the schema are borrowed: lb_page_decode_stop
 * must come before they go, and waits for jobs that read them, each of which decodes one
 * batch and waits for nothing. */
#ifndef LB_RESULT_PAGE_DECODE_H
#define LB_RESULT_PAGE_DECODE_H

#include "io/io.h"
#include "wire/arrow_decode.h"

/* Arrays that one Arrow batch of the server may decode into. */
#define LB_PAGE_ARRAYS 16
/* A page of fewer bytes is decoded by its reader, in memory of its size. */
#define LB_PAGE_DECODE_MIN_BYTES ((int64_t)256 << 10)
/* Batches that are decoded together come to no more compressed bytes. */
#define LB_PAGE_TOGETHER_BYTES ((int64_t)512 << 10)
#define LB_PAGE_TOGETHER_MOST 64
/* After so many bytes of rows, not compressed, the next ones begin another slab. */
#define LB_PAGE_TOGETHER_SLAB_BYTES ((size_t)512 << 10)
/* Batches decoded, or being decoded, that are not handed out; several that are decoded
 * together count as one. */
#define LB_PAGE_DECODE_AHEAD 2

struct lb_page_decode;
/* together_rows: batches that come to no more rows are decoded together; 0: none are. */
enum lb_status lb_page_decode_create(struct lb_io *io,
                                     const struct lb_result_schema *schema, bool lz4,
                                     int64_t together_rows, struct lb_page_decode **out,
                                     struct lb_error *err) LB_MUST_USE;
/* Ends the page at hand. NULL allowed. */
void lb_page_decode_destroy(struct lb_page_decode *dec);

/* Begins with a page; the one before must have been stopped. *begun is false when the
 * page is too small to be worth it. */
enum lb_status lb_page_decode_begin(struct lb_page_decode *dec,
                                    const struct lb_t_spark_arrow_batch *batches,
                                    int32_t count, int64_t first_row, bool *begun,
                                    struct lb_error *err) LB_MUST_USE;
/* The next array of at least one row; out->release NULL when there are no more. */
enum lb_status lb_page_decode_next(struct lb_page_decode *dec, struct ArrowArray *out,
                                   struct lb_error *err) LB_MUST_USE;
/* The same if it is decoded; NULL release: nothing as yet, which lb_page_decode_next
 * tells apart. */
void lb_page_decode_at_hand(struct lb_page_decode *dec, struct ArrowArray *out);
/* A page has begun and not been stopped. */
bool lb_page_decode_active(const struct lb_page_decode *dec);
/* Nothing is left to hand out of the page. */
bool lb_page_decode_used_up(const struct lb_page_decode *dec);
/* The page is given up: what was not handed out is released. */
void lb_page_decode_stop(struct lb_page_decode *dec);
/* Gives working memory back until the next page: for a result that nobody reads. */
void lb_page_decode_rest(struct lb_page_decode *dec);

#endif
