/* SPDX-License-Identifier: Apache-2.0 */
#include "session/sql_text.h"

void lb_sql_append_name(struct lb_buf *out, struct lb_str name) {
  lb_buf_append_u8(out, '`');
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == '`') lb_buf_append_u8(out, '`');
    lb_buf_append_u8(out, (uint8_t)name.data[i]);
  }
  lb_buf_append_u8(out, '`');
}

void lb_sql_append_text(struct lb_buf *out, struct lb_str text) {
  lb_buf_append_u8(out, '\'');
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '\'' || c == '\\') lb_buf_append_u8(out, '\\');
    lb_buf_append_u8(out, (uint8_t)c);
  }
  lb_buf_append_u8(out, '\'');
}

enum lb_status lb_sql_check_name(struct lb_str name, const char *what,
                                 struct lb_error *err) {
  if (lb_str_find(name, LB_STR("${")) == SIZE_MAX) return LB_OK;
  return lb_error_set(err, LB_INVALID_ARGUMENT,
                      "the %s '%.*s' has ${ in it, in place of which the server would "
                      "put a variable; choose another name",
                      what, (int)LB_MIN(name.len, 128), name.data);
}
