/* SPDX-License-Identifier: Apache-2.0 */
#include "session/sql_state.h"

#include "wire/sql_scan.h"

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
