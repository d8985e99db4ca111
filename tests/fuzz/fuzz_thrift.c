/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer entry for the Thrift codec. The first byte of the input picks what is read:
 * one of the structs, a whole reply or the head of a fetch. What could be read must be
 * writable, and reading that again must give the same bytes. */
#include "wire/tcli.h"

#define ARENA_MAX_BYTES (1024 * 1024)
#define BUF_MAX_BYTES (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) __builtin_trap();
}

static void write_back(const struct lb_tstruct *desc, const void *msg) {
  struct lb_arena arena;
  struct lb_buf first;
  struct lb_buf second;
  struct lb_error err = LB_ERROR_INIT;
  lb_arena_init(&arena, LB_MEM_WIRE, BUF_MAX_BYTES);
  lb_buf_init(&first, LB_MEM_WIRE, BUF_MAX_BYTES);
  lb_buf_init(&second, LB_MEM_WIRE, BUF_MAX_BYTES);
  require(lb_thrift_write_struct(&first, desc, msg, &err) == LB_OK);
  void *again = lb_arena_alloc(&arena, desc->size);
  require(again != NULL);
  struct lb_str body = {(const char *)first.data, first.len};
  size_t consumed = 0;
  require(lb_thrift_read_struct(body, desc, again, &arena, &consumed, &err) == LB_OK);
  require(consumed == first.len);
  require(lb_thrift_write_struct(&second, desc, again, &err) == LB_OK);
  require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
  lb_buf_reset(&second);
  lb_buf_reset(&first);
  lb_arena_reset(&arena);
}

static void read_message(const struct lb_tstruct *desc, struct lb_str body,
                         bool whole_reply) {
  struct lb_arena arena;
  struct lb_error err = LB_ERROR_INIT;
  lb_arena_init(&arena, LB_MEM_WIRE, ARENA_MAX_BYTES);
  void *msg = lb_arena_alloc(&arena, desc->size);
  require(msg != NULL);
  enum lb_status status =
      whole_reply ? lb_thrift_read_reply(body, "FetchResults", desc, msg, &arena, &err)
                  : lb_thrift_read_struct(body, desc, msg, &arena, NULL, &err);
  require(status == LB_OK || (status == LB_PROTOCOL && err.message[0] != '\0'));
  if (status == LB_OK) write_back(desc, msg);
  lb_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct lb_str body = {(const char *)data + 1, size - 1};
  if (data[0] < lb_tcli_all_count) {
    read_message(lb_tcli_all[data[0]], body, false);
    return 0;
  }
  struct lb_t_fetch_head head;
  struct lb_error err = LB_ERROR_INIT;
  read_message(&lb_t_fetch_results_resp_desc, body, true);
  enum lb_status status = lb_thrift_read_fetch_head(body, &head, &err);
  require(status == LB_OK || status == LB_PROTOCOL);
  return 0;
}
