/* SPDX-License-Identifier: Apache-2.0 */
#include "result/page.h"

#include "result/cloud.h"

/* A page's decoded structs: some 40 bytes for each Arrow batch, so this allows
 * millions. */
#define PAGE_ARENA_BYTES (256u * 1024u * 1024u)

void lb_page_init(struct lb_page *page) {
  *page = (struct lb_page){0};
  lb_buf_init(&page->body, LB_MEM_IO, SIZE_MAX);
  lb_arena_init(&page->arena, LB_MEM_WIRE, PAGE_ARENA_BYTES);
}

void lb_page_reset(struct lb_page *page) {
  struct lb_io *io = page->io;
  int64_t together_rows = page->together_rows;
  struct lb_page_decode *decode = page->decode;
  if (page->decoding) lb_page_decode_stop(decode);
  for (int32_t i = page->next_array; i < page->array_count; i++) {
    if (page->arrays[i].release) page->arrays[i].release(&page->arrays[i]);
  }
  lb_columns_close(page->columns);
  lb_buf_reset(&page->body);
  lb_arena_reset(&page->arena);
  lb_page_init(page);
  page->io = io;
  page->together_rows = together_rows;
  page->decode = decode;
}

void lb_page_rest(struct lb_page *page) {
  lb_page_reset(page);
  if (page->decode) lb_page_decode_rest(page->decode);
}

void lb_page_end(struct lb_page *page) {
  lb_page_reset(page);
  lb_page_decode_destroy(page->decode);
  page->decode = NULL;
}

bool lb_page_has_links(const struct lb_page *page) {
  return page->data.row_set && page->data.row_set->result_links.count > 0;
}

static enum lb_status check_form(const struct lb_t_row_set *row_set,
                                 struct lb_error *err) {
  if (row_set->rows.count > 0 || row_set->binary_columns.len > 0) {
    return lb_error_set(
        err, LB_NOT_IMPLEMENTED,
        "the server sent rows in a form older than columns; HiveServer2 of "
        "protocol V6 (Hive 0.13) or newer is needed");
  }
  return LB_OK;
}

/* An empty page, which may be the end, need not say where it stands, but not behind rows
 * that never came. */
static enum lb_status check_offset(const struct lb_page *page, struct lb_error *err) {
  const struct lb_t_i64 *offset = &page->data.row_set->start_row_offset;
  if (!offset->set || offset->v == page->first_row) return LB_OK;
  if (page->rows == 0 && offset->v < page->first_row) return LB_OK;
  return lb_error_set(
      err, LB_INVALID_DATA,
      "a page that starts at row %lld came where row %lld was next: rows were "
      "%s on the way",
      (long long)offset->v, (long long)page->first_row,
      offset->v > page->first_row ? "lost" : "repeated");
}

/* No page holds more than it was asked for. A server that sends whole batches may go
 * beyond the limit with the batch that reaches it; one more batch is one sent twice. */
static enum lb_status check_surplus(const struct lb_page *page, int64_t max_rows,
                                    struct lb_error *err) {
  const struct lb_t_row_set *row_set = page->data.row_set;
  const struct lb_t_spark_arrow_batch *batches = row_set->arrow_batches.items;
  int64_t surplus_from = page->rows;
  if (row_set->arrow_batches.count > 0) {
    surplus_from -= batches[row_set->arrow_batches.count - 1].row_count.v;
  }
  bool whole_batches = row_set->arrow_batches.count > 0 && surplus_from < max_rows;
  if (page->rows <= max_rows || whole_batches) return LB_OK;
  return lb_error_set(
      err, LB_INVALID_DATA,
      "a page of at most %lld rows (option databricks.max_rows_per_fetch) "
      "was asked for and came with %lld: rows were repeated on the way",
      (long long)max_rows, (long long)page->rows);
}

enum lb_status lb_page_load(struct lb_page *page, const struct lb_backend *backend,
                            const char *what, struct lb_buf *body_own, int64_t first_row,
                            int64_t max_rows, bool real_offsets, struct lb_error *err) {
  lb_page_reset(page);
  lb_buf_move(&page->body, body_own);
  page->first_row = page->row = first_row;
  struct lb_str body = {(const char *)page->body.data, page->body.len};
  enum lb_status status = backend->read_data(body, what, &page->arena, &page->data, err);
  if (status == LB_OK && page->data.row_set) {
    status = check_form(page->data.row_set, err);
    if (status == LB_OK && lb_page_has_links(page)) {
      status = lb_cloud_link_rows(page->data.row_set, first_row, &page->rows, err);
    } else if (status == LB_OK) {
      status = lb_row_set_rows(page->data.row_set, &page->rows, err);
      if (status == LB_OK && real_offsets) status = check_offset(page, err);
      if (status == LB_OK) status = check_surplus(page, max_rows, err);
    }
  }
  if (status != LB_OK) {
    lb_page_reset(page);
    return status;
  }
  page->loaded = true;
  return LB_OK;
}

static enum lb_status next_columns(struct lb_page *page,
                                   const struct lb_result_schema *schema,
                                   struct ArrowArray *out, struct lb_error *err) {
  if (!page->columns) {
    LB_TRY(lb_columns_open(schema, page->data.row_set, page->first_row, &page->columns,
                           err));
  }
  return lb_columns_next(page->columns, page->io ? lb_io_pool(page->io) : NULL, out, err);
}

static enum lb_status decode_next_batch(struct lb_page *page,
                                        struct lb_arrow_decoder *dec, bool lz4,
                                        struct lb_error *err) {
  const struct lb_t_spark_arrow_batch *batches = page->data.row_set->arrow_batches.items;
  const struct lb_t_spark_arrow_batch *batch = &batches[page->next_batch];
  page->next_batch++;
  page->next_array = page->array_count = 0;
  LB_TRY(lb_arrow_decode_batch(dec, batch->batch, lz4, batch->row_count.v, page->row,
                               page->arrays, LB_PAGE_ARRAYS, &page->array_count, err));
  page->row += batch->row_count.v;
  return LB_OK;
}

/* Large pages are decoded by the workers, and into memory that is used again. */
static enum lb_status begin(struct lb_page *page, const struct lb_result_schema *schema,
                            bool lz4, struct lb_error *err) {
  const struct lb_t_row_set *row_set = page->data.row_set;
  if (page->begun) return LB_OK;
  page->begun = true;
  if (!page->io || (int64_t)page->body.len < LB_PAGE_DECODE_MIN_BYTES) return LB_OK;
  if (!page->decode) {
    LB_TRY(lb_page_decode_create(page->io, schema, lz4, page->together_rows,
                                 &page->decode, err));
  }
  return lb_page_decode_begin(page->decode, row_set->arrow_batches.items,
                              row_set->arrow_batches.count, page->first_row,
                              &page->decoding, err);
}

bool lb_page_used_up(const struct lb_page *page) {
  const struct lb_t_row_set *row_set = page->data.row_set;
  if (!page->loaded || !row_set) return true;
  if (row_set->columns.count > 0) {
    return page->columns && lb_columns_rows_left(page->columns) == 0;
  }
  if (page->decoding) return lb_page_decode_used_up(page->decode);
  return page->next_array == page->array_count &&
         page->next_batch >= row_set->arrow_batches.count;
}

/* Of a page that the reader decodes. */
static enum lb_status next_of_mine(struct lb_page *page, struct lb_arrow_decoder *dec,
                                   bool lz4, struct ArrowArray *out,
                                   struct lb_error *err) {
  while (page->next_array == page->array_count) {
    if (page->next_batch >= page->data.row_set->arrow_batches.count) return LB_OK;
    LB_TRY(decode_next_batch(page, dec, lz4, err));
  }
  *out = page->arrays[page->next_array++];
  return LB_OK;
}

enum lb_status lb_page_next(struct lb_page *page, const struct lb_result_schema *schema,
                            struct lb_arrow_decoder *dec, bool lz4,
                            struct ArrowArray *out, struct lb_error *err) {
  out->release = NULL;
  const struct lb_t_row_set *row_set = page->data.row_set;
  if (!page->loaded || !row_set) return LB_OK;
  if (row_set->columns.count > 0) return next_columns(page, schema, out, err);
  LB_TRY(begin(page, schema, lz4, err));
  if (page->decoding) return lb_page_decode_next(page->decode, out, err);
  return next_of_mine(page, dec, lz4, out, err);
}

enum lb_status lb_page_at_hand(struct lb_page *page, struct lb_arrow_decoder *dec,
                               bool lz4, struct ArrowArray *out, struct lb_error *err) {
  out->release = NULL;
  if (page->decoding) {
    lb_page_decode_at_hand(page->decode, out);
    return LB_OK;
  }
  /* Not begun: it was loaded behind something else, and is not looked at yet. */
  return page->begun ? next_of_mine(page, dec, lz4, out, err) : LB_OK;
}
