/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for Arrow streams in pieces: wherever the bytes are split, the same
 * arrays come out, or an error either way. Four bytes of choices (LZ4, whole stream,
 * small; rows; how to split), then the bytes. Without LZ4 they hold the schema, too;
 * with it the columns are texts. */
#include "wire/arrow_stream.h"

#include "base/alloc.h"

#define MAX_ARRAYS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct taken {
  struct ArrowArray arrays[MAX_ARRAYS];
  int count;
};

static enum lb_status take(void *ctx, struct ArrowArray *array_own,
                           struct lb_error *err) {
  struct taken *taken = ctx;
  require(array_own->release != NULL && array_own->length > 0);
  if (taken->count == MAX_ARRAYS) {
    array_own->release(array_own);
    return lb_error_set(err, LB_PROTOCOL, "more arrays than can be compared");
  }
  taken->arrays[taken->count++] = *array_own;
  return LB_OK;
}

/* The last 64 KiB at most of each buffer: the ends are where mistakes are. */
static void compare(const struct ArrowArrayView *a, const struct ArrowArrayView *b) {
  require(a->length == b->length);
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
    size_t bytes = (size_t)a->buffer_views[i].size_bytes;
    size_t from = bytes > 65536 ? bytes - 65536 : 0;
    require(a->buffer_views[i].size_bytes == b->buffer_views[i].size_bytes);
    if (bytes == 0) continue;
    require(memcmp(a->buffer_views[i].data.as_uint8 + from,
                   b->buffer_views[i].data.as_uint8 + from, bytes - from) == 0);
  }
  for (int64_t i = 0; i < a->n_children; i++) compare(a->children[i], b->children[i]);
}

static void view(struct ArrowArrayView *out, const struct ArrowSchema *schema,
                 const struct ArrowArray *array) {
  require(ArrowArrayViewInitFromSchema(out, schema, NULL) == NANOARROW_OK);
  require(ArrowArrayViewSetArray(out, array, NULL) == NANOARROW_OK);
  require(ArrowArrayViewValidate(out, NANOARROW_VALIDATION_LEVEL_FULL, NULL) ==
          NANOARROW_OK);
}

static enum lb_status run(const struct lb_arrow_stream_options *opts, const uint8_t *data,
                          size_t size, uint32_t split, struct taken *out) {
  struct lb_arrow_stream *stream;
  struct lb_error err = LB_ERROR_INIT;
  enum lb_status status = lb_arrow_stream_create(opts, &stream, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status != LB_OK) return status;
  for (size_t pos = 0; pos < size && status == LB_OK;) {
    split = split * 1664525u + 1013904223u;
    size_t step = split == 0 ? size : (size_t)(split >> 16) % 97 + 1;
    step = LB_MIN(opts->first_row == 0 ? size : step, size - pos);
    uint8_t *piece = lb_alloc(LB_MEM_TEST, step);
    require(piece != NULL);
    memcpy(piece, data + pos, step);
    status = lb_arrow_stream_feed(stream, piece, step, take, out, &err);
    lb_free(piece);
    pos += step;
  }
  if (status == LB_OK) status = lb_arrow_stream_end(stream, &err);
  require(status == LB_OK || err.message[0] != '\0');
  if (status == LB_OK) require(lb_arrow_stream_rows(stream) == opts->row_count);
  lb_arrow_stream_destroy(stream);
  return status;
}

static void check(const struct lb_result_schema *schema, struct lb_pool *pool,
                  const uint8_t *data, size_t size) {
  static struct taken taken[2];
  struct lb_arrow_stream_options opts = {
      .schema = schema,
      .pool = pool,
      .lz4 = (data[0] & 1) != 0,
      .whole = (data[0] & 2) != 0,
      .raw_bytes = (data[0] & 4) != 0 ? 64 * (int64_t)(data[0] >> 3) : 0,
      .row_count = (int64_t)data[1] << 8 | data[2],
  };
  enum lb_status status[2];
  for (int i = 0; i < 2; i++) {
    taken[i].count = 0;
    opts.first_row = i; /* the second time in pieces */
    status[i] = run(&opts, data + 4, size - 4, data[3], &taken[i]);
  }
  require((status[0] == LB_OK) == (status[1] == LB_OK));
  int both = LB_MIN(taken[0].count, taken[1].count);
  if (status[0] == LB_OK) require(taken[0].count == taken[1].count);
  for (int k = 0; k < both; k++) {
    struct ArrowArrayView views[2];
    for (int i = 0; i < 2; i++) view(&views[i], &schema->arrow, &taken[i].arrays[k]);
    compare(&views[0], &views[1]);
    for (int i = 0; i < 2; i++) ArrowArrayViewReset(&views[i]);
  }
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < taken[i].count; k++) {
      taken[i].arrays[k].release(&taken[i].arrays[k]);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 5) return 0;
  struct lb_str bytes = {(const char *)data + 4, size - 4};
  struct lb_t_get_result_set_metadata_resp meta = {.arrow_schema = bytes};
  struct lb_result_schema schema;
  struct lb_pool *pool;
  struct lb_error err = LB_ERROR_INIT;
  lb_result_schema_init(&schema);
  enum lb_status status = (data[0] & 1) != 0
                              ? lb_result_schema_all_text(data[3] % 4, &schema, &err)
                              : lb_result_schema_from_metadata(&meta, &schema, &err);
  require(status == LB_OK || err.message[0] != '\0');
  require(lb_pool_create(&pool, &err) == LB_OK);
  if (status == LB_OK) check(&schema, pool, data, size);
  require(lb_pool_stats(pool).live_blocks == 0);
  lb_pool_release(pool);
  lb_result_schema_reset(&schema);
  require(lb_mem_stats(LB_MEM_TAG_COUNT).live_blocks == 0);
  return 0;
}
