/* SPDX-License-Identifier: Apache-2.0 */
/* The Thrift binary codec: one row per field, one reader, one writer, an arena per reply.
 *
 * Pure: bytes in, structs out; no I/O, no clock, no state. Strings, binaries and lists of
 * numbers or column strings are views into the reply body, which must outlive the decoded
 * structs; everything else lives in the arena. Reads are bounded by what remains of the
 * body, by LB_THRIFT_MAX_DEPTH and by the arena's ceiling; unknown ids and known ids of
 * an unexpected type are skipped.
 *
 * In C every message is a plain struct whose members are
 *   struct lb_t_bool/_i8/_i16/_i32/_i64/_double   scalar with its presence
 *   struct lb_str                                 string or binary; data == NULL: absent
 *   struct lb_t_xxx *                             struct; NULL: absent
 *   struct lb_t_list                              list; absent: !set and no elements
 *   struct lb_t_map                               map with string keys; likewise */
#ifndef LB_WIRE_THRIFT_H
#define LB_WIRE_THRIFT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define LB_THRIFT_MAX_DEPTH 64

enum lb_ttype {
  LB_TT_STOP = 0,
  LB_TT_BOOL = 2,
  LB_TT_BYTE = 3,
  LB_TT_DOUBLE = 4,
  LB_TT_I16 = 6,
  LB_TT_I32 = 8,
  LB_TT_I64 = 10,
  LB_TT_STRING = 11,
  LB_TT_STRUCT = 12,
  LB_TT_MAP = 13,
  LB_TT_SET = 14,
  LB_TT_LIST = 15,
  LB_TT_UUID = 16 /* only ever skipped */
};

struct lb_t_bool {
  bool set;
  bool v;
};
struct lb_t_i8 {
  bool set;
  int8_t v;
};
struct lb_t_i16 {
  bool set;
  int16_t v;
};
struct lb_t_i32 {
  bool set;
  int32_t v;
};
struct lb_t_i64 {
  bool set;
  int64_t v;
};
struct lb_t_double {
  bool set;
  double v;
};
#define LB_T_BOOL(x) ((struct lb_t_bool){true, (x)})
#define LB_T_I16(x) ((struct lb_t_i16){true, (x)})
#define LB_T_I32(x) ((struct lb_t_i32){true, (x)})
#define LB_T_I64(x) ((struct lb_t_i64){true, (x)})
#define LB_T_DOUBLE(x) ((struct lb_t_double){true, (x)})

/* A list. Of structs: items is an array of count structs. Of strings: items is an array
 * of count struct lb_str. Of numbers and bools, and in a row marked LB_TF_RAW: raw is a
 * view on the elements as they are on the wire (big-endian; strings each with their i32
 * length, already checked to lie inside raw_bytes). */
struct lb_t_list {
  bool set;
  int32_t count;
  void *items;
  const uint8_t *raw;
  size_t raw_bytes;
};

/* map<string, X>: keys[i] -> the value of the row's element type, in values. */
struct lb_t_map {
  bool set;
  int32_t count;
  struct lb_str *keys;
  void *values; /* struct lb_str[], int32_t[] or sub-structs by the row */
};

enum lb_tfield_flags {
  LB_TF_REQUIRED = 1, /* absent after reading: an error that names struct and field */
  LB_TF_RAW = 2       /* a list of strings or of lists, kept as a view */
};

struct lb_tstruct;
struct lb_tfield {
  int16_t id;
  uint8_t type;  /* enum lb_ttype */
  uint8_t elem;  /* element type of a list, value type of a map; else 0 */
  uint8_t flags; /* enum lb_tfield_flags */
  uint16_t offset;
  const struct lb_tstruct *sub; /* of structs, and of lists and maps of structs */
  const char *name;             /* as in the IDL */
};
struct lb_tstruct {
  const char *name;               /* "TOpenSessionReq" */
  const struct lb_tfield *fields; /* ascending ids */
  uint16_t field_count;
  uint16_t size;
};

/* Appends a whole CALL message `method(req)` to buf. A required member that is absent or
 * a list that contradicts its count is LB_INTERNAL; strings beyond INT32_MAX bytes and
 * structs nested deeper than LB_THRIFT_MAX_DEPTH are LB_INVALID_ARGUMENT; a buffer that
 * fails says so itself. On failure buf is cut back to the length that it had. */
enum lb_status lb_thrift_write_call(struct lb_buf *buf, const char *method, int32_t seqid,
                                    const struct lb_tstruct *req_desc, const void *req,
                                    struct lb_error *err) LB_MUST_USE;
/* The struct alone, without an envelope (tests, fuzzers). */
enum lb_status lb_thrift_write_struct(struct lb_buf *buf, const struct lb_tstruct *desc,
                                      const void *msg, struct lb_error *err) LB_MUST_USE;

/* Reads a whole REPLY message into resp, a struct of resp_desc, which is zeroed first and
 * again on failure. An EXCEPTION reply (its number becomes err's native_code), another
 * method's name, a missing result, a malformed or over-long body and a body that needs
 * more than the arena's ceiling are LB_PROTOCOL; out of memory is LB_OUT_OF_MEMORY. The
 * sequence id is not looked at: HTTP pairs replies with calls. */
enum lb_status lb_thrift_read_reply(struct lb_str body, const char *method,
                                    const struct lb_tstruct *resp_desc, void *resp,
                                    struct lb_arena *arena,
                                    struct lb_error *err) LB_MUST_USE;
/* The struct alone; *consumed (NULL allowed) is how many bytes it took. */
enum lb_status lb_thrift_read_struct(struct lb_str body, const struct lb_tstruct *desc,
                                     void *msg, struct lb_arena *arena, size_t *consumed,
                                     struct lb_error *err) LB_MUST_USE;

/* The head of a FetchResults reply, read without touching its rows: for the I/O thread.
 * Stops at the first column, batch or link. */
struct lb_t_fetch_head {
  struct lb_t_i32 status_code;
  struct lb_str sql_state;
  struct lb_str error_message; /* errorMessage */
  struct lb_str display_message;
  struct lb_t_bool has_more_rows; /* unset when it comes after the rows */
  struct lb_t_i64 start_row_offset;
  bool has_links; /* the rows are in files that links lead to */
};
enum lb_status lb_thrift_read_fetch_head(struct lb_str body, struct lb_t_fetch_head *out,
                                         struct lb_error *err) LB_MUST_USE;

#endif
