/* SPDX-License-Identifier: Apache-2.0 */
#include "session/sql_state.h"

static struct lb_str from(struct lb_str sql, size_t at) {
  at = LB_MIN(at, sql.len);
  return (struct lb_str){sql.data + at, sql.len - at};
}

/* Behind a comment that sql begins with. */
static struct lb_str skip_comment(struct lb_str sql) {
  bool line = lb_str_starts_with(sql, LB_STR("--"));
  struct lb_str end = line ? LB_STR("\n") : LB_STR("*/");
  struct lb_str rest = from(sql, 2);
  size_t at = lb_str_find(rest, end);
  return at == SIZE_MAX ? from(rest, rest.len) : from(rest, at + end.len);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

struct lb_str lb_sql_first_word(struct lb_str sql) {
  for (;;) {
    sql = lb_str_trim(sql);
    if (lb_str_starts_with(sql, LB_STR("--")) || lb_str_starts_with(sql, LB_STR("/*"))) {
      sql = skip_comment(sql);
    } else if (lb_str_starts_with(sql, LB_STR("("))) {
      sql = from(sql, 1);
    } else {
      break;
    }
  }
  size_t len = 0;
  while (len < sql.len && is_letter(sql.data[len])) len++;
  return (struct lb_str){sql.data, len};
}

bool lb_sql_changes_session(struct lb_str sql) {
  static const struct lb_str harmless[] = {
      LB_STR("SELECT"),   LB_STR("WITH"),    LB_STR("VALUES"), LB_STR("TABLE"),
      LB_STR("FROM"),     LB_STR("INSERT"),  LB_STR("UPDATE"), LB_STR("DELETE"),
      LB_STR("MERGE"),    LB_STR("COPY"),    LB_STR("SHOW"),   LB_STR("DESCRIBE"),
      LB_STR("DESC"),     LB_STR("EXPLAIN"), LB_STR("ALTER"),  LB_STR("TRUNCATE"),
      LB_STR("OPTIMIZE"), LB_STR("VACUUM"),  LB_STR("GRANT"),  LB_STR("REVOKE"),
      LB_STR("COMMENT"),  LB_STR("ANALYZE"), LB_STR("LIST"),   LB_STR("PUT"),
      LB_STR("GET"),      LB_STR("REMOVE"),
  };
  struct lb_str word = lb_sql_first_word(sql);
  for (size_t i = 0; i < LB_ARRAY_LEN(harmless); i++) {
    if (lb_str_equal_nocase(word, harmless[i])) return false;
  }
  bool lasting = lb_str_equal_nocase(word, LB_STR("CREATE")) ||
                 lb_str_equal_nocase(word, LB_STR("DROP"));
  return !lasting || lb_str_find_nocase(sql, LB_STR("TEMP")) != SIZE_MAX;
}
