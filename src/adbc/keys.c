/* SPDX-License-Identifier: Apache-2.0 */
/* Option keys that are no options: those of ADBC's own that have one value here, and the
 * numbers of heartbeats, of cloud fetch and of the memory budget. */
#include <inttypes.h>

#include "adbc/object.h"
#include "io/budget.h"
#include "lakebeat/lakebeat.h"
#include "result/cloud_stats.h"

#define HEARTBEAT_PREFIX "databricks.heartbeat."
#define PROCESS_PREFIX LAKEBEAT_HEARTBEAT_PROCESS_PREFIX
#define CLOUD_PREFIX "databricks.cloudfetch."
#define BUDGET_PREFIX "databricks.memory_budget."

struct fixed_row {
  enum lb_option_scope scope;
  const char *key;
  const char *value;  /* NULL: none at all */
  const char *remedy; /* why no other */
};

static const struct fixed_row fixed[] = {
    {LB_SCOPE_CONNECTION, ADBC_CONNECTION_OPTION_AUTOCOMMIT, "true",
     "each statement commits by itself here; leave autocommit on"},
    {LB_SCOPE_CONNECTION, ADBC_CONNECTION_OPTION_READ_ONLY, "false",
     "a session cannot be made read-only; take the privileges from the user"},
    {LB_SCOPE_CONNECTION, ADBC_CONNECTION_OPTION_ISOLATION_LEVEL,
     ADBC_OPTION_ISOLATION_LEVEL_DEFAULT,
     "the isolation level is a property of each table here (delta.isolationLevel); leave "
     "the default"},
    {LB_SCOPE_STATEMENT, ADBC_STATEMENT_OPTION_INCREMENTAL, "false",
     "partitions are not made one by one; leave it off"},
    {LB_SCOPE_STATEMENT, ADBC_INGEST_OPTION_TEMPORARY, "false",
     "tables that end with the session are not offered; ingest into a table and drop it"},
    {LB_SCOPE_STATEMENT, ADBC_STATEMENT_OPTION_PROGRESS, NULL,
     "the progress of an execution can only be read"},
    {LB_SCOPE_STATEMENT, ADBC_STATEMENT_OPTION_MAX_PROGRESS, NULL,
     "the progress of an execution can only be read"},
};

static const struct fixed_row *find_fixed(enum lb_option_scope scope, struct lb_str key) {
  for (size_t i = 0; i < LB_ARRAY_LEN(fixed); i++) {
    if (fixed[i].scope == scope && lb_str_equal(key, lb_str_from(fixed[i].key))) {
      return &fixed[i];
    }
  }
  return NULL;
}

static bool same_value(const char *wanted, const char *given) {
  bool a = false, b = false;
  struct lb_str wanted_str = lb_str_from(wanted), given_str = lb_str_from(given);
  if (lb_str_equal(wanted_str, given_str)) return true;
  return lb_str_to_bool(wanted_str, &a) && lb_str_to_bool(given_str, &b) && a == b;
}

bool lb_adbc_fixed_set(enum lb_option_scope scope, struct lb_str key, const char *value,
                       enum lb_status *status, struct lb_error *err) {
  const struct fixed_row *row = find_fixed(scope, key);
  if (row == NULL) return false;
  if (row->value != NULL && (value == NULL || same_value(row->value, value))) {
    *status = LB_OK;
    return true;
  }
  *status = lb_error_set(err, LB_NOT_IMPLEMENTED, "option %s = '%.64s': %s", row->key,
                         value != NULL ? value : "", row->remedy);
  return true;
}

bool lb_adbc_fixed_get(enum lb_option_scope scope, struct lb_str key,
                       struct lb_buf *out) {
  const struct fixed_row *row = find_fixed(scope, key);
  if (row == NULL || row->value == NULL) return false;
  lb_buf_append_text(out, row->value);
  return true;
}

struct number_row {
  const char *name;
  size_t offset;
  bool of_process; /* told of the whole process too */
};

#define NUMBER(member) {#member, offsetof(struct lb_hb_snapshot, member), false}
#define COUNTED(member) {#member, offsetof(struct lb_hb_snapshot, member), true}
static const struct number_row numbers[] = {
    COUNTED(armed),        NUMBER(oldest_idle_ms),    COUNTED(probes_sent),
    COUNTED(postponed),    COUNTED(probes_succeeded), COUNTED(probes_failed),
    COUNTED(bytes),        COUNTED(probes_dropped),   COUNTED(late_max_ms),
    COUNTED(gates_closed), NUMBER(since_contact_ms),
};
#undef COUNTED
#undef NUMBER

static const struct number_row *find_number(struct lb_str key, struct lb_str prefix) {
  if (!lb_str_starts_with(key, prefix)) return NULL;
  struct lb_str name = {key.data + prefix.len, key.len - prefix.len};
  for (size_t i = 0; i < LB_ARRAY_LEN(numbers); i++) {
    if (lb_str_equal(name, lb_str_from(numbers[i].name))) return &numbers[i];
  }
  return NULL;
}

static const struct number_row *find_of_process(struct lb_str key) {
  const struct number_row *row = find_number(key, LB_STR(PROCESS_PREFIX));
  return row != NULL && row->of_process ? row : NULL;
}

static void append_number(const struct number_row *row, const struct lb_hb_snapshot *shot,
                          struct lb_buf *out) {
  int64_t value;
  memcpy(&value, (const char *)shot + row->offset, sizeof(value));
  lb_buf_appendf(out, "%" PRId64, value);
}

static struct lb_hb_snapshot read_now(const struct lb_hb_stats *stats) {
  struct lb_hb_snapshot shot = {.state = LB_HB_NOT_ARMED};
  if (stats != NULL) {
    lb_hb_stats_read(stats, lb_clock_system.now_ms(lb_clock_system.ctx), &shot);
  }
  return shot;
}

static const char *const cloud_counters[] = {
#define LB_CLOUD_COUNTER(name, meaning) CLOUD_PREFIX #name,
    LB_CLOUD_COUNTERS(LB_CLOUD_COUNTER)
#undef LB_CLOUD_COUNTER
};

static bool find_cloud(struct lb_str key, enum lb_cloud_counter *out) {
  for (size_t i = 0; i < LB_ARRAY_LEN(cloud_counters); i++) {
    if (!lb_str_equal(key, lb_str_from(cloud_counters[i]))) continue;
    *out = (enum lb_cloud_counter)i;
    return true;
  }
  return false;
}

static const struct {
  const char *key;
  int64_t (*read)(const struct lb_budget *budget);
} budgets[] = {
    {BUDGET_PREFIX "limit_bytes", lb_budget_limit},
    {BUDGET_PREFIX "used_bytes", lb_budget_used},
    {BUDGET_PREFIX "peak_bytes", lb_budget_peak},
};

static size_t find_budget(struct lb_str key) {
  size_t i = 0;
  while (i < LB_ARRAY_LEN(budgets) && !lb_str_equal(key, lb_str_from(budgets[i].key))) {
    i++;
  }
  return i;
}

enum kind { NO_STAT, STATE, REASON, NUMBER, CLOUD };

static enum kind classify(struct lb_str key, const struct number_row **row,
                          enum lb_cloud_counter *counter) {
  if (find_cloud(key, counter)) return CLOUD;
  if (lb_str_equal(key, LB_STR(HEARTBEAT_PREFIX "state"))) return STATE;
  if (lb_str_equal(key, LB_STR(HEARTBEAT_PREFIX "reason"))) return REASON;
  *row = find_number(key, LB_STR(HEARTBEAT_PREFIX));
  return *row != NULL ? NUMBER : NO_STAT;
}

bool lb_adbc_stats_get(struct lb_hb_stats *stats, struct lb_str key, struct lb_buf *out) {
  const struct number_row *row = NULL;
  enum lb_cloud_counter counter;
  enum kind kind = classify(key, &row, &counter);
  if (kind == NO_STAT) return false;
  if (kind == CLOUD) {
    int64_t count =
        stats != NULL ? lb_cloud_counted(lb_hb_stats_cloud(stats), counter) : 0;
    lb_buf_appendf(out, "%" PRId64, count);
    return true;
  }
  struct lb_hb_snapshot shot = read_now(stats);
  if (kind == STATE) {
    lb_buf_append_text(out, lb_hb_state_name(shot.state));
  } else if (kind == REASON) {
    lb_buf_append_text(out, lb_hb_reason_name(shot.reason));
  } else {
    append_number(row, &shot, out);
  }
  return true;
}

bool lb_adbc_process_get(struct lb_io *io, struct lb_hb_stats *process, struct lb_str key,
                         struct lb_buf *out) {
  size_t budget = find_budget(key);
  if (budget < LB_ARRAY_LEN(budgets)) {
    int64_t bytes = io != NULL ? budgets[budget].read(lb_io_budget(io)) : 0;
    lb_buf_appendf(out, "%" PRId64, bytes);
    return true;
  }
  const struct number_row *row = find_of_process(key);
  if (row == NULL) return false;
  struct lb_hb_snapshot shot = read_now(process);
  append_number(row, &shot, out);
  return true;
}

bool lb_adbc_stats_refuse(struct lb_str key, enum lb_status *status,
                          struct lb_error *err) {
  const struct number_row *row = NULL;
  enum lb_cloud_counter counter;
  bool query_id = lb_str_equal(key, LB_STR(LAKEBEAT_QUERY_ID));
  bool of_process =
      find_of_process(key) != NULL || find_budget(key) < LB_ARRAY_LEN(budgets);
  if (!query_id && !of_process && classify(key, &row, &counter) == NO_STAT) return false;
  *status = lb_error_set(err, LB_NOT_IMPLEMENTED, "option %.*s can be read, not set",
                         (int)key.len, key.data);
  return true;
}
