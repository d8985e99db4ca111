/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader and the writer of Thrift both know: sizes of types, and big-endian
 * numbers. Private to them. */
#ifndef LB_WIRE_THRIFT_TYPE_H
#define LB_WIRE_THRIFT_TYPE_H

#include "wire/thrift.h"

/* Bytes of a value on the wire; 0 for types of varying size and for no type. */
static inline size_t fixed_size_of(uint8_t type) {
  static const uint8_t sizes[] = {[LB_TT_BOOL] = 1, [LB_TT_BYTE] = 1, [LB_TT_I16] = 2,
                                  [LB_TT_I32] = 4,  [LB_TT_I64] = 8,  [LB_TT_DOUBLE] = 8,
                                  [LB_TT_UUID] = 16};
  return type < LB_ARRAY_LEN(sizes) ? sizes[type] : 0;
}

/* The fewest bytes that a value can have; 0 when there is no such type. */
static inline size_t least_size_of(uint8_t type) {
  switch (type) {
    case LB_TT_STRING:
      return 4;
    case LB_TT_STRUCT:
      return 1;
    case LB_TT_MAP:
      return 6;
    case LB_TT_SET:
    case LB_TT_LIST:
      return 5;
    default:
      return fixed_size_of(type);
  }
}

static inline uint16_t load_be16(const uint8_t *p) {
  return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_be64(const uint8_t *p) {
  return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

#endif
