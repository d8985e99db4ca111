/* SPDX-License-Identifier: Apache-2.0 */
#include "result/describe.h"

#include "wire/sql_scan.h"

enum lb_status lb_describe_query(struct lb_str sql, struct lb_buf *out,
                                 struct lb_error *err) {
  struct lb_sql_scan scan = {0};
  LB_TRY(lb_sql_scan(sql, &scan, err));
  struct lb_str body = scan.body;
  bool relation = scan.is_relation;
  lb_sql_scan_reset(&scan);
  if (!relation) {
    return lb_error_set(err, LB_NOT_IMPLEMENTED,
                        "only queries (SELECT, WITH, VALUES, TABLE, FROM) have a schema "
                        "that can be asked for without running them; this statement "
                        "begins with '%.*s'",
                        (int)LB_MIN(body.len, 20u), body.data);
  }
  lb_buf_append_text(out, "SELECT * FROM (\n");
  lb_buf_append_str(out, body);
  lb_buf_append_text(out, "\n) " LB_DESCRIBE_ALIAS " LIMIT 0");
  return lb_buf_check(out, "the statement's text", err);
}

enum lb_status lb_describe_plain_names(struct ArrowSchema *schema, const char *table,
                                       struct lb_error *err) {
  size_t len = strlen(table);
  for (int64_t i = 0; i < schema->n_children; i++) {
    struct lb_str name = lb_str_from(schema->children[i]->name);
    if (!lb_str_starts_with_nocase(name, (struct lb_str){table, len})) continue;
    if (name.len <= len || name.data[len] != '.') continue;
    char *plain = lb_strdup(LB_MEM_MISC, name.data + len + 1);
    if (!plain) return lb_error_oom(err, "a schema");
    int code = ArrowSchemaSetName(schema->children[i], plain);
    lb_free(plain);
    if (code != NANOARROW_OK) return lb_error_oom(err, "a schema");
  }
  return LB_OK;
}
