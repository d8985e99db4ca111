/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of FlatBuffers tables that trusts nothing: each step is checked against the
 * end of the buffer. It answers the few questions about an Arrow message that must be
 * settled before the message is handed to nanoarrow. Views only, no memory of its own,
 * any thread. */
#ifndef LB_WIRE_FLATBUF_H
#define LB_WIRE_FLATBUF_H

#include "base/base.h"
#include "base/str.h"

struct lb_fb_table {
  const uint8_t *data; /* the whole buffer */
  size_t len;
  size_t pos;    /* of the table */
  size_t vtable; /* of its field offsets */
  uint16_t field_count;
};

struct lb_fb_vector {
  const uint8_t *data; /* the elements */
  uint32_t count;
};

/* All false when the buffer is malformed; the scalars and vectors then are untouched. */
bool lb_fb_root(const uint8_t *data, size_t len, struct lb_fb_table *out);
/* Absent fields give the default or an empty vector. */
bool lb_fb_u8(const struct lb_fb_table *table, uint16_t field, uint8_t absent,
              uint8_t *out);
bool lb_fb_i16(const struct lb_fb_table *table, uint16_t field, int16_t absent,
               int16_t *out);
bool lb_fb_i64(const struct lb_fb_table *table, uint16_t field, int64_t absent,
               int64_t *out);
bool lb_fb_vector(const struct lb_fb_table *table, uint16_t field, size_t element_bytes,
                  struct lb_fb_vector *out);
/* False when absent, too. */
bool lb_fb_table(const struct lb_fb_table *table, uint16_t field,
                 struct lb_fb_table *out);
/* Element of a vector of tables. */
bool lb_fb_table_at(const struct lb_fb_table *owner, const struct lb_fb_vector *tables,
                    uint32_t index, struct lb_fb_table *out);
bool lb_fb_has(const struct lb_fb_table *table, uint16_t field);

/* Little-endian loads from any address. */
int64_t lb_fb_load_i64(const uint8_t *at);

#endif
