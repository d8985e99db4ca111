/* SPDX-License-Identifier: Apache-2.0 */
/* Row sets become Arrow here: inline Arrow (with or without LZ4) and Thrift columns.
 *
 * No Arrow buffer aliases a Thrift reply: numbers are swapped into fresh buffers, batches
 * are decompressed or copied once into memory aligned for every type, so that the reply
 * can be freed as soon as its pages are decoded. A decoder belongs to one result and one
 * thread at a time. Nothing here is I/O. */
#ifndef LB_WIRE_ARROW_DECODE_H
#define LB_WIRE_ARROW_DECODE_H

#include "base/error.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/zone.h"
#include "nanoarrow/nanoarrow.h"
#include "wire/tcli.h"

/* What SQL says of a column; kept beside the Arrow schema for front ends that want it. */
struct lb_sql_column {
  const char *name;      /* NUL-terminated, owned by the schema */
  const char *type_name; /* "DECIMAL(10,2)", "ARRAY<INT>", ...; from the field metadata
                            Spark:DataType:SqlName when there, else from the type entry */
  int32_t type_id;       /* TTypeId, -1 unknown */
  int32_t precision;     /* decimals, -1 otherwise */
  int32_t scale;         /* decimals, -1 otherwise */
  int32_t length;        /* char/varchar, -1 otherwise */
};

struct lb_result_schema {
  struct ArrowSchema arrow; /* struct of the columns */
  struct lb_sql_column *columns;
  int32_t column_count;
  struct lb_arena arena; /* owns the names */

  struct ArrowSchema sent; /* what batches are, where it differs; else not there */
  bool from_columns;       /* made of column descriptors: values may be text */
  bool cut_nanoseconds;    /* digits beyond microseconds are cut; else an error */
  struct lb_zone *zone;    /* of times in text, NULL none */
};
void lb_result_schema_init(struct lb_result_schema *schema); /* empty; reset is legal */
void lb_result_schema_reset(struct lb_result_schema *schema);

/* From a result's metadata: arrowSchema when present (an encapsulated IPC schema message;
 * zero fields for DDL is legal and counts), else from the column descriptors. Field
 * metadata of the server is kept; the SQL type name is added as
 * `Spark:DataType:SqlName`, where it lacks, and `databricks.type_name`. */
enum lb_status lb_result_schema_from_metadata(
    const struct lb_t_get_result_set_metadata_resp *meta, struct lb_result_schema *out,
    struct lb_error *err) LB_MUST_USE;
/* True when columns hold local times of the session's zone: instants says whether the
 * server's TIMESTAMP is an instant (else a local time and nothing more). */
bool lb_result_schema_wants_zone(const struct lb_result_schema *schema, bool instants);
/* Takes zone_own, also on failure: those columns become timestamps of that zone. */
enum lb_status lb_result_schema_set_zone(struct lb_result_schema *schema, bool instants,
                                         struct lb_zone *zone_own,
                                         struct lb_error *err) LB_MUST_USE;
/* For engines whose metadata call fails (VARIANT on Spark): count columns of text. */
enum lb_status lb_result_schema_all_text(int32_t column_count,
                                         struct lb_result_schema *out,
                                         struct lb_error *err) LB_MUST_USE;

struct lb_arrow_decoder;
/* schema is borrowed and must outlive the decoder. */
enum lb_status lb_arrow_decoder_create(const struct lb_result_schema *schema,
                                       struct lb_arrow_decoder **out,
                                       struct lb_error *err) LB_MUST_USE;
void lb_arrow_decoder_destroy(struct lb_arrow_decoder *dec);

/* One TSparkArrowBatch (one or more encapsulated record batch messages; an LZ4 frame, or
 * several, of them when lz4). Appends the arrays in order to out[0..*count), at most cap;
 * the sum of their lengths is row_count: more rows in the data are cut off, fewer are an
 * error. Arrays with no rows are left out, and a schema message must fit the schema.
 * first_row is for error texts. On failure nothing is left in out. */
enum lb_status lb_arrow_decode_batch(struct lb_arrow_decoder *dec, struct lb_str batch,
                                     bool lz4, int64_t row_count, int64_t first_row,
                                     struct ArrowArray *out, int32_t cap, int32_t *count,
                                     struct lb_error *err) LB_MUST_USE;

/* Gives working memory back (megabytes for LZ4) until the next batch needs it: for a
 * result that nobody reads at the moment. */
void lb_arrow_decoder_rest(struct lb_arrow_decoder *dec);

/* Buffers that had to be copied because they were misaligned for their type. */
struct lb_arrow_decoder_stats {
  int64_t realigned_buffers;
  int64_t realigned_bytes;
};
struct lb_arrow_decoder_stats lb_arrow_decoder_stats(const struct lb_arrow_decoder *dec);

/* A page of Thrift columns on its way to arrays. One thread at a time. */
struct lb_columns;
/* Fewer columns than the schema (or other lengths) is an error, except none at all, which
 * is a page of no rows. schema and row_set are borrowed until the close. */
enum lb_status lb_columns_open(const struct lb_result_schema *schema,
                               const struct lb_t_row_set *row_set, int64_t first_row,
                               struct lb_columns **out, struct lb_error *err) LB_MUST_USE;
void lb_columns_close(struct lb_columns *page); /* NULL allowed; arrays live on */
/* The next rows: of a large page as many as fit into a block of the pool, all of them
 * when pool is NULL. out->release is NULL at the end. A value that does not parse is
 * LB_INVALID_DATA naming column and row (first_row + index, from 0) with the offending
 * text (cut at 64 characters); nothing follows a failure. */
enum lb_status lb_columns_next(struct lb_columns *page, struct lb_pool *pool,
                               struct ArrowArray *out, struct lb_error *err) LB_MUST_USE;
int64_t lb_columns_rows_left(const struct lb_columns *page);
/* The whole page to one array, whose release is NULL when *rows is 0. */
enum lb_status lb_columns_decode(const struct lb_result_schema *schema,
                                 const struct lb_t_row_set *row_set, int64_t first_row,
                                 struct ArrowArray *out, int64_t *rows,
                                 struct lb_error *err) LB_MUST_USE;

/* Rows that a row set states, without decoding it (sum of rowCount, or the column
 * length). */
enum lb_status lb_row_set_rows(const struct lb_t_row_set *row_set, int64_t *rows,
                               struct lb_error *err) LB_MUST_USE;

#endif
