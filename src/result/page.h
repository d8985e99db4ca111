/* SPDX-License-Identifier: Apache-2.0 */
/* One page of rows: the reply as it came, decoded array by array, freed with the last
 * one. Caller's memory, the reader's thread. The format is decided by what the page
 * holds. */
#ifndef LB_RESULT_PAGE_H
#define LB_RESULT_PAGE_H

#include "result/page_decode.h"
#include "session/backend.h"
#include "wire/arrow_decode.h"

struct lb_page {
  bool loaded;
  struct lb_buf body;
  struct lb_arena arena;
  struct lb_reply_data data;
  int64_t first_row;
  int64_t rows; /* as stated */
  /* position */
  int32_t next_batch;
  int64_t row;
  struct ArrowArray arrays[LB_PAGE_ARRAYS]; /* decoded, not handed out */
  int32_t array_count;
  int32_t next_array;
  struct lb_columns *columns; /* NULL until a page of them is begun */
  bool begun;                 /* an array has been asked for */
  bool decoding;              /* `decode` is at this page */
  /* Of all pages. */
  struct lb_io *io;              /* whose workers decode; NULL: the reader alone */
  int64_t together_rows;         /* small batches are decoded so many rows at a time */
  struct lb_page_decode *decode; /* NULL until a page is large enough */
};

void lb_page_init(struct lb_page *page);
void lb_page_reset(struct lb_page *page); /* frees; can be loaded again */
/* Resets, and gives working memory back, too: before a pause. */
void lb_page_rest(struct lb_page *page);
/* Resets, and ends all decoding: nothing of the schema is needed any more. */
void lb_page_end(struct lb_page *page);

/* Takes body_own. Checks what the page states against first_row (when the server gives
 * real offsets) and against max_rows, which it was asked for; those of links state where
 * they begin themselves and may be more. Old row sets are LB_NOT_IMPLEMENTED with the
 * remedy. */
enum lb_status lb_page_load(struct lb_page *page, const struct lb_backend *backend,
                            const char *what, struct lb_buf *body_own, int64_t first_row,
                            int64_t max_rows, bool real_offsets,
                            struct lb_error *err) LB_MUST_USE;
/* Its rows are in files: nothing is handed out here. */
bool lb_page_has_links(const struct lb_page *page);
/* Nothing is left to hand out. */
bool lb_page_used_up(const struct lb_page *page);
/* The next array of at least one row; out->release NULL when the page is used up. */
enum lb_status lb_page_next(struct lb_page *page, const struct lb_result_schema *schema,
                            struct lb_arrow_decoder *dec, bool lz4,
                            struct ArrowArray *out, struct lb_error *err) LB_MUST_USE;
/* The same if it is at hand: never waits for a decoder, but takes what the reader decodes
 * itself. Columns come in one array. */
enum lb_status lb_page_at_hand(struct lb_page *page, struct lb_arrow_decoder *dec,
                               bool lz4, struct ArrowArray *out,
                               struct lb_error *err) LB_MUST_USE;

#endif
