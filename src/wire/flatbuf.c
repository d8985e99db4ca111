/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/flatbuf.h"

static uint16_t load_u16(const uint8_t *at) {
  return (uint16_t)((uint16_t)at[0] | (uint16_t)((uint16_t)at[1] << 8));
}

static uint32_t load_u32(const uint8_t *at) {
  return (uint32_t)load_u16(at) | (uint32_t)load_u16(at + 2) << 16;
}

int64_t lb_fb_load_i64(const uint8_t *at) {
  return (int64_t)((uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32);
}

static bool inside(size_t len, size_t pos, size_t bytes) {
  return pos <= len && bytes <= len - pos;
}

static bool table_init(const uint8_t *data, size_t len, size_t pos,
                       struct lb_fb_table *out) {
  if (!inside(len, pos, 4)) return false;
  /* The vtable lies at pos minus a signed distance. */
  int64_t vtable = (int64_t)pos - (int32_t)load_u32(data + pos);
  if (vtable < 0 || !inside(len, (size_t)vtable, 4)) return false;
  size_t vtable_bytes = load_u16(data + vtable);
  if (vtable_bytes < 4 || vtable_bytes % 2 != 0) return false;
  if (!inside(len, (size_t)vtable, vtable_bytes)) return false;
  *out = (struct lb_fb_table){.data = data,
                              .len = len,
                              .pos = pos,
                              .vtable = (size_t)vtable + 4,
                              .field_count = (uint16_t)((vtable_bytes - 4) / 2)};
  return true;
}

/* Follows the unsigned offset stored at pos. */
static bool follow(const uint8_t *data, size_t len, size_t pos, size_t *out) {
  if (!inside(len, pos, 4)) return false;
  return lb_size_add(pos, load_u32(data + pos), out) && *out < len;
}

bool lb_fb_root(const uint8_t *data, size_t len, struct lb_fb_table *out) {
  size_t pos;
  return follow(data, len, 0, &pos) && table_init(data, len, pos, out);
}

/* Where a field of so many bytes is; *at is 0 when it is absent. */
static bool locate(const struct lb_fb_table *table, uint16_t field, size_t bytes,
                   size_t *at) {
  *at = 0;
  if (field >= table->field_count) return true;
  size_t distance = load_u16(table->data + table->vtable + 2 * (size_t)field);
  if (distance == 0) return true;
  if (!inside(table->len, table->pos + distance, bytes)) return false;
  *at = table->pos + distance;
  return true;
}

bool lb_fb_has(const struct lb_fb_table *table, uint16_t field) {
  size_t at;
  return locate(table, field, 1, &at) && at != 0;
}

bool lb_fb_u8(const struct lb_fb_table *table, uint16_t field, uint8_t absent,
              uint8_t *out) {
  size_t at;
  if (!locate(table, field, 1, &at)) return false;
  *out = at == 0 ? absent : table->data[at];
  return true;
}

bool lb_fb_i16(const struct lb_fb_table *table, uint16_t field, int16_t absent,
               int16_t *out) {
  size_t at;
  if (!locate(table, field, 2, &at)) return false;
  *out = at == 0 ? absent : (int16_t)load_u16(table->data + at);
  return true;
}

bool lb_fb_i64(const struct lb_fb_table *table, uint16_t field, int64_t absent,
               int64_t *out) {
  size_t at;
  if (!locate(table, field, 8, &at)) return false;
  *out = at == 0 ? absent : lb_fb_load_i64(table->data + at);
  return true;
}

bool lb_fb_vector(const struct lb_fb_table *table, uint16_t field, size_t element_bytes,
                  struct lb_fb_vector *out) {
  size_t at;
  if (!locate(table, field, 4, &at)) return false;
  if (at == 0) {
    *out = (struct lb_fb_vector){NULL, 0};
    return true;
  }
  size_t pos;
  size_t bytes;
  if (!follow(table->data, table->len, at, &pos)) return false;
  if (!inside(table->len, pos, 4)) return false;
  uint32_t count = load_u32(table->data + pos);
  if (!lb_size_mul(count, element_bytes, &bytes)) return false;
  if (!inside(table->len, pos + 4, bytes)) return false;
  *out = (struct lb_fb_vector){table->data + pos + 4, count};
  return true;
}

bool lb_fb_table(const struct lb_fb_table *table, uint16_t field,
                 struct lb_fb_table *out) {
  size_t at;
  size_t pos;
  if (!locate(table, field, 4, &at) || at == 0) return false;
  return follow(table->data, table->len, at, &pos) &&
         table_init(table->data, table->len, pos, out);
}

bool lb_fb_table_at(const struct lb_fb_table *owner, const struct lb_fb_vector *tables,
                    uint32_t index, struct lb_fb_table *out) {
  if (index >= tables->count) return false;
  size_t at = (size_t)(tables->data - owner->data) + 4 * (size_t)index;
  size_t pos;
  return follow(owner->data, owner->len, at, &pos) &&
         table_init(owner->data, owner->len, pos, out);
}
