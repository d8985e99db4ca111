/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "result/cloud_stats.h"
#include "result/hb_test_support.h"

static void rule_7_3_sums_go_up_the_tree(void **state) {
  (void)state;
  struct lb_hb_stats *process;
  struct lb_hb_stats *connections[2];
  struct lb_hb_stats *results[4];
  LB_TEST_OK(lb_hb_stats_create(NULL, &process, NULL), NULL);
  for (int i = 0; i < 2; i++) {
    LB_TEST_OK(lb_hb_stats_create(process, &connections[i], NULL), NULL);
  }
  for (int i = 0; i < 4; i++) {
    LB_TEST_OK(lb_hb_stats_create(connections[i / 2], &results[i], NULL), NULL);
    lb_hb_stats_set_state(results[i], LB_HB_ARMED, LB_HB_NO_REASON);
    for (int which = 0; which < LB_HB_COUNTERS; which++) {
      lb_hb_stats_add(results[i], (enum lb_hb_counter)which, (i + 1) * (which + 1));
    }
    lb_hb_stats_late(results[i], (i + 1) * 10);
  }
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(connections[0], START_MS, &snap);
  assert_int_equal(snap.state, LB_HB_ARMED);
  assert_int_equal(snap.armed, 2);
  assert_int_equal(snap.probes_sent, 3);
  assert_int_equal(snap.late_max_ms, 20);
  lb_hb_stats_read(process, START_MS, &snap);
  assert_int_equal(snap.armed, 4);
  assert_int_equal(snap.probes_sent, 10);
  assert_int_equal(snap.probes_succeeded, 20);
  assert_int_equal(snap.probes_failed, 30);
  assert_int_equal(snap.probes_dropped, 40);
  assert_int_equal(snap.postponed, 50);
  assert_int_equal(snap.bytes, 60);
  assert_int_equal(snap.late_max_ms, 40);
  lb_hb_stats_read(results[1], START_MS, &snap);
  assert_int_equal(snap.probes_sent, 2);
  /* The parents stay as long as somebody below does; what was counted stays too. */
  lb_hb_stats_release(connections[0]);
  for (int i = 0; i < 2; i++) {
    lb_hb_stats_set_state(results[i], LB_HB_STOPPED, LB_HB_RELEASED);
    lb_hb_stats_release(results[i]);
  }
  lb_hb_stats_read(process, START_MS, &snap);
  assert_int_equal(snap.armed, 2);
  assert_int_equal(snap.probes_sent, 10);
  for (int i = 2; i < 4; i++) {
    lb_hb_stats_set_state(results[i], LB_HB_STOPPED, LB_HB_END_OF_RESULTS);
  }
  lb_hb_stats_read(process, START_MS, &snap);
  assert_int_equal(snap.state, LB_HB_NOT_ARMED);
  assert_int_equal(snap.armed, 0);
  lb_hb_stats_release(process);
  lb_hb_stats_release(connections[1]);
  lb_hb_stats_release(results[2]);
  lb_hb_stats_release(results[3]);
  lb_hb_stats_release(NULL);
}

/* Databases come and go below the block of the process. */
static void rule_7_3_the_process_keeps_what_databases_counted(void **state) {
  (void)state;
  struct lb_hb_stats *process;
  LB_TEST_OK(lb_hb_stats_create(NULL, &process, NULL), NULL);
  assert_ptr_equal(lb_hb_stats_root(process), process);
  struct lb_hb_snapshot snap;
  for (int i = 1; i <= 3; i++) {
    struct lb_hb_stats *database;
    struct lb_hb_stats *connection;
    struct lb_hb_stats *result;
    LB_TEST_OK(lb_hb_stats_create(process, &database, NULL), NULL);
    LB_TEST_OK(lb_hb_stats_create(database, &connection, NULL), NULL);
    LB_TEST_OK(lb_hb_stats_create(connection, &result, NULL), NULL);
    assert_ptr_equal(lb_hb_stats_root(result), process);
    lb_hb_stats_set_state(result, LB_HB_ARMED, LB_HB_NO_REASON);
    lb_hb_stats_add(result, LB_HB_COUNT_SENT, i);
    lb_hb_stats_late(result, 40 - i);
    lb_hb_stats_gate_closed(result, (uint32_t)i);
    lb_cloud_count(lb_hb_stats_cloud(result), LB_CLOUD_files, i);
    lb_hb_stats_read(process, START_MS, &snap);
    assert_int_equal(snap.armed, 1);
    lb_hb_stats_read(database, START_MS, &snap);
    assert_int_equal(snap.probes_sent, i); /* nothing of the other databases */
    lb_hb_stats_set_state(result, LB_HB_STOPPED, LB_HB_RELEASED);
    lb_hb_stats_release(result);
    lb_hb_stats_release(connection);
    lb_hb_stats_release(database);
  }
  lb_hb_stats_read(process, START_MS, &snap);
  assert_int_equal(snap.armed, 0);
  assert_int_equal(snap.probes_sent, 6);
  assert_int_equal(snap.late_max_ms, 39);
  assert_int_equal(snap.gates_closed, 3);
  assert_int_equal(lb_cloud_counted(lb_hb_stats_cloud(process), LB_CLOUD_files), 6);
  lb_hb_stats_release(process);
}

static void rule_7_3_times_of_a_sum_are_the_longest(void **state) {
  (void)state;
  struct lb_hb_stats *root;
  struct lb_hb_stats *results[3];
  LB_TEST_OK(lb_hb_stats_create(NULL, &root, NULL), NULL);
  for (int i = 0; i < 3; i++) {
    LB_TEST_OK(lb_hb_stats_create(root, &results[i], NULL), NULL);
    lb_hb_stats_set_state(results[i], LB_HB_ARMED, LB_HB_NO_REASON);
    lb_hb_stats_set_reader(results[i], i == 2, START_MS + i * MINUTE);
    lb_hb_stats_set_contact(results[i], START_MS + i * SECOND);
  }
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(root, START_MS + HOUR, &snap);
  assert_int_equal(snap.oldest_idle_ms, HOUR);
  assert_int_equal(snap.since_contact_ms, HOUR);
  lb_hb_stats_set_state(results[0], LB_HB_STOPPED, LB_HB_RELEASED); /* counts no more */
  lb_hb_stats_read(root, START_MS + HOUR, &snap);
  assert_int_equal(snap.oldest_idle_ms, 59 * MINUTE);
  assert_int_equal(snap.since_contact_ms, HOUR - SECOND);
  lb_hb_stats_read(results[2], START_MS + HOUR, &snap);
  assert_int_equal(snap.oldest_idle_ms, 0); /* the reader is inside */
  lb_hb_stats_read(results[0], START_MS + HOUR, &snap);
  assert_int_equal(snap.oldest_idle_ms, 0);
  assert_int_equal(snap.since_contact_ms, HOUR); /* still told after the end */
  for (int i = 0; i < 3; i++) {
    lb_hb_stats_set_state(results[i], LB_HB_STOPPED, LB_HB_RELEASED);
    lb_hb_stats_release(results[i]);
  }
  lb_hb_stats_release(root);
}

static void rule_4_4_verdict_is_one_piece(void **state) {
  (void)state;
  struct lb_hb_stats *stats;
  LB_TEST_OK(lb_hb_stats_create(NULL, &stats, NULL), NULL);
  struct lb_hb_verdict verdict = {.idle_ms = -1};
  assert_false(lb_hb_stats_verdict(stats, &verdict));
  assert_int_equal(verdict.idle_ms, -1); /* untouched */
  lb_hb_stats_set_alive(stats, START_MS);
  lb_hb_stats_set_alive(stats, START_MS - SECOND); /* answered late */
  lb_hb_stats_add(stats, LB_HB_COUNT_SUCCEEDED, 7);
  lb_hb_stats_set_verdict(stats, LB_HB_HANDLE_LOST, 1234);
  lb_hb_stats_add(stats, LB_HB_COUNT_SUCCEEDED, 1);
  assert_true(lb_hb_stats_verdict(stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_HANDLE_LOST);
  assert_int_equal(verdict.last_alive_ms, START_MS);
  assert_int_equal(verdict.idle_ms, 1234);
  assert_int_equal(verdict.succeeded, 7);
  lb_hb_stats_clear_verdict(stats);
  assert_false(lb_hb_stats_verdict(stats, &verdict));
  lb_hb_stats_release(stats);
}

/* --- threads ------------------------------------------------------------------------ */

struct shared {
  struct lb_hb_stats *root;
  struct lb_hb_stats *result;
  atomic_bool done;
  atomic_bool torn;
  atomic_long verdicts;
};

/* Results come and go on callers' threads while sums are read. */
static void *read_sums(void *arg) {
  struct shared *shared = arg;
  struct lb_hb_snapshot last = {0};
  int made = 0, most = lb_test_rounds(INT_MAX, 20);
  while (!atomic_load(&shared->done)) {
    struct lb_hb_snapshot snap;
    lb_hb_stats_read(shared->root, START_MS, &snap);
    if (snap.probes_sent < last.probes_sent) atomic_store(&shared->torn, true);
    last = snap;
    struct lb_hb_stats *other;
    if (made++ < most && lb_hb_stats_create(shared->root, &other, NULL) == LB_OK)
      lb_hb_stats_release(other);
  }
  return NULL;
}

/* A verdict is written with the same number in all its parts, so that a mixture shows. */
static void *read_verdicts(void *arg) {
  struct shared *shared = arg;
  while (!atomic_load(&shared->done)) {
    struct lb_hb_verdict verdict;
    if (!lb_hb_stats_verdict(shared->result, &verdict)) continue;
    atomic_fetch_add(&shared->verdicts, 1);
    bool odd = verdict.reason == LB_HB_HANDLE_LOST;
    bool matches = verdict.idle_ms == verdict.last_alive_ms &&
                   verdict.idle_ms == verdict.succeeded &&
                   (verdict.idle_ms % 2 == 1) == odd;
    if (!matches) atomic_store(&shared->torn, true);
  }
  return NULL;
}

static void rule_3_1_statistics_are_read_from_any_thread(void **state) {
  (void)state;
  enum { READERS = 3 };
  int rounds = lb_test_rounds(200000, 100), verdicts = lb_test_rounds(1000, 1);
  struct shared shared = {0};
  LB_TEST_OK(lb_hb_stats_create(NULL, &shared.root, NULL), NULL);
  LB_TEST_OK(lb_hb_stats_create(shared.root, &shared.result, NULL), NULL);
  struct lb_thread threads[READERS];
  for (int i = 0; i < READERS; i++) {
    LB_TEST_OK(lb_os_thread_start(&threads[i], "reader",
                                  i == 0 ? read_sums : read_verdicts, &shared, NULL),
               NULL);
  }
  for (int64_t i = 1; i <= rounds || atomic_load(&shared.verdicts) < verdicts; i++) {
    lb_hb_stats_set_state(shared.result, LB_HB_ARMED, LB_HB_NO_REASON);
    lb_hb_stats_add(shared.result, LB_HB_COUNT_SENT, 1);
    lb_hb_stats_add(shared.result, LB_HB_COUNT_SUCCEEDED, 1);
    lb_hb_stats_late(shared.result, i);
    lb_hb_stats_set_reader(shared.result, i % 2 == 0, i);
    lb_hb_stats_set_contact(shared.result, i);
    lb_hb_stats_set_alive(shared.result, i);
    enum lb_hb_reason reason = i % 2 == 1 ? LB_HB_HANDLE_LOST : LB_HB_FAILURES;
    lb_hb_stats_set_verdict(shared.result, reason, i);
    lb_hb_stats_set_state(shared.result, LB_HB_STOPPED, reason);
    if (i % 7 == 0) lb_hb_stats_clear_verdict(shared.result);
  }
  atomic_store(&shared.done, true);
  for (int i = 0; i < READERS; i++) lb_os_thread_join(&threads[i]);
  assert_false(atomic_load(&shared.torn));
  lb_hb_stats_release(shared.result);
  lb_hb_stats_release(shared.root);
}

static void create_two(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_hb_stats *root = NULL;
  struct lb_hb_stats *leaf = NULL;
  enum lb_status status = lb_hb_stats_create(NULL, &root, &err);
  if (status == LB_OK) status = lb_hb_stats_create(root, &leaf, &err);
  LB_TEST_OOM_OR_OK(status, &err);
  lb_hb_stats_release(leaf);
  lb_hb_stats_release(root);
}

static void torture(void **state) {
  (void)state;
  LB_TEST_TORTURE(create_two());
}

LB_TEST_MAIN(LB_TEST(rule_7_3_sums_go_up_the_tree),
             LB_TEST(rule_7_3_the_process_keeps_what_databases_counted),
             LB_TEST(rule_7_3_times_of_a_sum_are_the_longest),
             LB_TEST(rule_4_4_verdict_is_one_piece),
             LB_TEST(rule_3_1_statistics_are_read_from_any_thread), LB_TEST(torture))
