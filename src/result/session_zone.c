/* SPDX-License-Identifier: Apache-2.0 */
/* The session's time zone, asked of the server. A statement may have set another one at
 * any time, in ways that cannot all be seen from here, so nothing is remembered: a result
 * whose columns need the zone costs one small statement more. */
#include "result/session_zone.h"

#include "session/session_internal.h"

#define ZONE_PAGE_ROWS 1
#define ZONE_PAGE_BYTES (64 * 1024)

/* The last word of the only value. */
static enum lb_status read_name(const struct ArrowArray *row, struct lb_str *out,
                                struct lb_error *err) {
  const struct ArrowArray *col = row->n_children == 1 ? row->children[0] : NULL;
  if (col == NULL || col->n_buffers != 3 || col->length != 1 || col->null_count != 0) {
    return lb_error_set(err, LB_PROTOCOL,
                        "the server does not tell the session's time zone");
  }
  const int32_t *offsets = (const int32_t *)col->buffers[1] + col->offset;
  struct lb_str text = {(const char *)col->buffers[2] + offsets[0],
                        (size_t)(offsets[1] - offsets[0])};
  for (size_t i = text.len; i > 0; i--) {
    if (text.data[i - 1] != ' ') continue;
    text = (struct lb_str){text.data + i, text.len - i};
    break;
  }
  *out = text;
  return LB_OK;
}

static enum lb_status read_zone(struct lb_result *res, struct lb_zone **out,
                                struct lb_error *err) {
  const struct lb_result_schema *schema = lb_result_schema(res);
  struct ArrowArray row = {.release = NULL};
  struct lb_str name;
  bool text =
      schema->column_count == 1 && strcmp(schema->arrow.children[0]->format, "u") == 0;
  if (text) LB_TRY(lb_result_next(res, &row, err));
  if (row.release == NULL) {
    return lb_error_set(err, LB_PROTOCOL,
                        "the server does not tell the session's time zone");
  }
  enum lb_status status = read_name(&row, &name, err);
  if (status == LB_OK) status = lb_zone_find(name, out, err);
  row.release(&row);
  return status;
}

static enum lb_status ask(struct lb_execute_call *call, int64_t limit_s,
                          struct lb_call_slot *maker, struct lb_zone **out,
                          struct lb_error *err) {
  struct lb_result_options options = {.probe = LB_PROBE_NONE,
                                      .max_rows = ZONE_PAGE_ROWS,
                                      .max_bytes = ZONE_PAGE_BYTES,
                                      .limit_s = limit_s};
  struct lb_hb_stats *stats;
  struct lb_result *res;
  LB_TRY(lb_result_run(call, limit_s, maker, err));
  LB_TRY(lb_hb_stats_create(NULL, &stats, err));
  enum lb_status status = lb_result_create(call, &options, stats, maker, &res, err);
  lb_hb_stats_release(stats);
  if (status != LB_OK) return status;
  lb_result_wait_in(res, maker);
  status = read_zone(res, out, err);
  lb_result_close(res, LB_HB_RELEASED);
  lb_result_release(res);
  return status;
}

enum lb_status lb_session_zone_ask(struct lb_session *sess, int64_t limit_s,
                                   struct lb_call_slot *maker, struct lb_zone **out,
                                   struct lb_error *err) {
  const struct lb_server_facts *facts = lb_server_facts(lb_session_kind(sess));
  struct lb_execute_params params = {.sql = lb_str_from(facts->zone_query),
                                     .query_timeout_s = limit_s,
                                     .arrow = true,
                                     .max_rows = ZONE_PAGE_ROWS,
                                     .max_bytes = ZONE_PAGE_BYTES};
  struct lb_execute_call *call;
  LB_TRY(lb_execute_create(sess, &params, &call, err));
  enum lb_status status = ask(call, limit_s, maker, out, err);
  lb_call_release(&call->base);
  if (status != LB_OK && status != LB_CANCELLED && status != LB_NOT_FOUND) {
    lb_error_append(err, " (asked: %s, for columns of TIMESTAMP)", facts->zone_query);
  }
  return status;
}
