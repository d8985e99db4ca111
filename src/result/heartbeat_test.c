/* SPDX-License-Identifier: Apache-2.0 */
#include "result/heartbeat.h"

#include "result/hb_test_support.h"

/* --- 2. who gets one ---------------------------------------------------------------- */

static void rule_2_1_eligibility_is_a_table(void **state) {
  (void)state;
  static const struct {
    const char *what;
    struct lb_hb_facts facts;
    enum lb_hb_reason reason;
  } rows[] = {
      {"inline pages, rows left", {1, 1, 1, 1, 0, 1, 0, 0}, LB_HB_NO_REASON},
      {"cloud fetch, links outstanding", {1, 1, 1, 1, 0, 0, 1, 0}, LB_HB_NO_REASON},
      {"cloud fetch, rows and links", {1, 1, 1, 1, 0, 1, 1, 0}, LB_HB_NO_REASON},
      {"switched off", {0, 1, 1, 1, 0, 1, 0, 0}, LB_HB_DISABLED},
      {"switched off, nothing to keep", {0, 0, 0, 0, 1, 0, 0, 0}, LB_HB_DISABLED},
      {"update count", {1, 0, 1, 1, 0, 1, 0, 0}, LB_HB_NO_ROWS},
      {"inline JSON, every chunk at hand", {1, 1, 1, 1, 0, 0, 0, 1}, LB_HB_INLINE},
      {"direct results closed it", {1, 1, 1, 1, 1, 0, 0, 0}, LB_HB_CLOSED_BY_SERVER},
      {"closed with links left", {1, 1, 1, 1, 1, 0, 1, 0}, LB_HB_CLOSED_BY_SERVER},
      {"prefetched to the end", {1, 1, 1, 1, 0, 0, 0, 0}, LB_HB_ALL_LOCAL},
      {"no handle", {1, 1, 0, 1, 0, 1, 0, 0}, LB_HB_NO_HANDLE},
      {"backend has no probe", {1, 1, 1, 0, 0, 1, 0, 0}, LB_HB_NO_PROBE},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    if (lb_hb_eligible(&rows[i].facts) == rows[i].reason) continue;
    print_error("%s\n", rows[i].what);
    assert_string_equal(lb_hb_reason_name(lb_hb_eligible(&rows[i].facts)),
                        lb_hb_reason_name(rows[i].reason));
  }
}

static void rule_2_3_unarmed_says_why(void **state) {
  (void)state;
  static const struct {
    enum lb_hb_reason reason;
    const char *name;
  } rows[] = {
      {LB_HB_DISABLED, "disabled"}, {LB_HB_ALL_LOCAL, "all_local"},
      {LB_HB_NO_ROWS, "no_rows"},   {LB_HB_CLOSED_BY_SERVER, "closed_by_server"},
      {LB_HB_INLINE, "inline"},     {LB_HB_NO_HANDLE, "no_handle"},
      {LB_HB_NO_PROBE, "no_probe"}, {LB_HB_FAILED_TO_ARM, "failed_to_arm"},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct lb_hb_stats *stats;
    LB_TEST_OK(lb_hb_stats_create(NULL, &stats, NULL), NULL);
    lb_hb_stats_set_not_armed(stats, rows[i].reason);
    struct lb_hb_snapshot snap;
    lb_hb_stats_read(stats, START_MS, &snap);
    assert_string_equal(lb_hb_state_name(snap.state), "not_armed");
    assert_string_equal(lb_hb_reason_name(snap.reason), rows[i].name);
    assert_int_equal(snap.armed, 0);
    lb_hb_stats_release(stats);
  }
}

static void rule_2_3_failure_to_arm_is_loud(void **state) {
  (void)state;
  struct world world;
  world_init(&world);
  struct item item = {.world = &world};
  LB_TEST_OK(lb_hb_stats_create(world.root, &item.stats, NULL), NULL);
  struct lb_hb_setup setup = {.host = world.host,
                              .options = &world.options,
                              .kind = LB_KIND_DATABRICKS,
                              .probe = LB_PROBE_STATUS,
                              .stats = item.stats,
                              .query_id = "01f0-query",
                              .owner = &item,
                              .contact_ms = START_MS};
  struct lb_error err = LB_ERROR_INIT;
  lb_mem_fail_nth(1, true);
  LB_TEST_FAILS(LB_OUT_OF_MEMORY, lb_hb_create(world.sched, &setup, &item.hb, &err),
                &err);
  lb_mem_fail_nth(0, false);
  assert_null(item.hb);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.state, LB_HB_NOT_ARMED);
  assert_int_equal(snap.reason, LB_HB_FAILED_TO_ARM);
  LB_TEST_CONTAINS(world.log.text, "warn");
  LB_TEST_CONTAINS(world.log.text, "01f0-query");
  LB_TEST_CONTAINS(world.log.text, "failed_to_arm");
  lb_hb_stats_release(item.stats);
  world_reset(&world);
}

/* --- 3. life ------------------------------------------------------------------------ */

static void rule_3_0_arming_and_stopping_twice_is_nothing(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_create(&item, &world);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_NOT_ARMED);
  lb_hb_stop(item.hb, LB_HB_CANCELED, world.now_ms); /* not armed: nothing */
  assert_int_equal(lb_hb_state(item.hb), LB_HB_NOT_ARMED);
  assert_int_equal(lb_hb_reason(item.hb), LB_HB_NO_REASON);
  LB_TEST_OK(lb_hb_arm(item.hb, world.now_ms, NULL), NULL);
  int64_t due_ms = lb_hb_sched_next_due(world.sched);
  world.now_ms += SECOND;
  LB_TEST_OK(lb_hb_arm(item.hb, world.now_ms, NULL), NULL); /* armed: nothing */
  assert_int_equal(lb_hb_sched_next_due(world.sched), due_ms);
  assert_int_equal(item_snapshot(&item).armed, 1);
  lb_hb_stop(item.hb, LB_HB_CANCELED, world.now_ms);
  lb_hb_stop(item.hb, LB_HB_RELEASED, world.now_ms); /* the first reason stays */
  ASSERT_STOPPED(&item, LB_HB_CANCELED);
  assert_int_equal(item_snapshot(&item).armed, 0);
  assert_true(lb_hb_sched_next_due(world.sched) == LB_NEVER_MS);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_0_a_final_stop_is_final(void **state) {
  (void)state;
  static const enum lb_hb_reason final[] = {
      LB_HB_END_OF_RESULTS, LB_HB_RELEASED,  LB_HB_CANCELED,  LB_HB_REEXECUTED,
      LB_HB_DAMAGED,        LB_HB_ABANDONED, LB_HB_ALL_LOCAL, LB_HB_SHUTDOWN,
  };
  struct world world;
  world_init(&world);
  for (size_t i = 0; i < LB_ARRAY_LEN(final); i++) {
    struct item item;
    item_init(&item, &world);
    lb_hb_stop(item.hb, final[i], world.now_ms);
    struct lb_error err = LB_ERROR_INIT;
    LB_TEST_FAILS(LB_INVALID_STATE, lb_hb_arm(item.hb, world.now_ms, &err), &err);
    lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
    ASSERT_STOPPED(&item, final[i]);
    world_pass(&world, 10 * MINUTE);
    assert_int_equal(item.sent, 0);
    item_reset(&item);
  }
  world_reset(&world);
}

static void rule_3_1_owner_reads_while_others_only_post(void **state) {
  (void)state;
  /* What other threads see is the block of statistics alone: it has every state and count
   * that the I/O thread has (hb_stats_test.c reads it from other threads meanwhile). */
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world.latency_ms = -1;
  assert_int_equal(item_snapshot(&item).state, LB_HB_ARMED);
  world_pass(&world, MINUTE);
  assert_int_equal(item_snapshot(&item).state, LB_HB_PROBING);
  assert_int_equal(item_snapshot(&item).armed, 1);
  item_answer(&item, LB_HB_ALIVE);
  assert_int_equal(item_snapshot(&item).state, LB_HB_ARMED);
  lb_hb_stop(item.hb, LB_HB_END_OF_RESULTS, world.now_ms);
  assert_int_equal(item_snapshot(&item).state, LB_HB_STOPPED);
  assert_int_equal(item_snapshot(&item).reason, LB_HB_END_OF_RESULTS);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_2_a_day_in_milliseconds(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.options.max_idle_ms = 0;
  item_init(&item, &world);
  world_pass(&world, 24 * HOUR + SECOND);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  assert_int_equal(item.sent, 24 * 60);
  assert_int_equal(item.gap_max_ms, MINUTE);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.oldest_idle_ms, 24 * HOUR + SECOND);
  assert_true(snap.since_contact_ms <= MINUTE);
  assert_int_equal(snap.late_max_ms, 0);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_3_contact_counts_from_when_it_was_sent(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 40 * SECOND);
  lb_hb_contact(item.hb, LB_RPC_FETCH, START_MS + 25 * SECOND, world.now_ms);
  assert_int_equal(item_snapshot(&item).since_contact_ms, 15 * SECOND);
  world_run_until(&world, START_MS + 85 * SECOND - 1);
  assert_int_equal(item.sent, 0);
  world_run_until(&world, START_MS + 85 * SECOND);
  assert_int_equal(item.sent, 1);
  /* An answer that comes late does not turn the clock back. */
  world_pass(&world, SECOND);
  lb_hb_contact(item.hb, LB_RPC_FETCH, START_MS, world.now_ms);
  assert_int_equal(item_snapshot(&item).since_contact_ms, SECOND);
  world_pass(&world, MINUTE - SECOND - 1);
  assert_int_equal(item.sent, 1);
  world_pass(&world, 1);
  assert_int_equal(item.sent, 2);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_3_a_steady_reader_causes_no_probe(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  for (int i = 0; i < 1000; i++) {
    world_pass(&world, 50 * SECOND);
    lb_hb_reader(item.hb, true, world.now_ms);
    lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms - 100, world.now_ms);
    lb_hb_reader(item.hb, false, world.now_ms);
  }
  assert_int_equal(item.sent, 0);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_3_a_fetch_in_flight_gets_a_probe_beside_it(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  lb_hb_reader(item.hb, true, world.now_ms); /* waits for a fetch of 150 s */
  world_pass(&world, 150 * SECOND);
  assert_int_equal(item.sent, 2);
  lb_hb_contact(item.hb, LB_RPC_FETCH, START_MS, world.now_ms);
  lb_hb_reader(item.hb, false, world.now_ms);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_3_what_the_server_does_not_count_is_no_contact(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.kind = LB_KIND_SPARK;
  world.probe = LB_PROBE_FETCH0;
  item_init(&item, &world);
  for (int i = 0; i < 11; i++) { /* status polls keep nothing alive on Spark */
    world_pass(&world, 5 * SECOND);
    lb_hb_contact(item.hb, LB_RPC_STATUS, world.now_ms, world.now_ms);
  }
  assert_int_equal(item_snapshot(&item).since_contact_ms, 55 * SECOND);
  world_pass(&world, 5 * SECOND);
  assert_int_equal(item.sent, 1);
  world_pass(&world, SECOND);
  assert_int_equal(item_snapshot(&item).since_contact_ms, SECOND);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_3_a_useless_probe_is_told(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  world_init(&world);
  world.kind =
      LB_KIND_SPARK; /* and the probe is status, which keeps nothing alive there */
  item_init(&items[0], &world);
  item_init(&items[1], &world);
  assert_int_equal(log_count(&world, "keeps no result alive"), 1);
  world_pass(&world, 10 * MINUTE);
  assert_int_equal(items[0].sent, 10); /* it was asked for */
  assert_int_equal(item_snapshot(&items[0]).since_contact_ms, 10 * MINUTE);
  item_reset(&items[0]);
  item_reset(&items[1]);
  world_reset(&world);
}

static void rule_3_3_no_gap_over_two_intervals(void **state) {
  (void)state;
  static const uint64_t extremes[] = {LB_FAKE_RANDOM_HIGH, LB_FAKE_RANDOM_LOW,
                                      LB_FAKE_RANDOM_MIDDLE};
  static const int64_t latencies_ms[] = {0, 50, 10 * SECOND, 29 * SECOND};
  for (size_t i = 0; i < LB_ARRAY_LEN(latencies_ms); i++) {
    struct world world;
    struct item item;
    world_init(&world);
    world.fake = (struct lb_fake_random){extremes, LB_ARRAY_LEN(extremes), 0};
    world.options.interval_ms = 30 * SECOND;
    world.options.max_idle_ms = 0;
    world.latency_ms = latencies_ms[i];
    item_init(&item, &world);
    world_pass(&world, 10 * HOUR);
    assert_in_range(item.gap_max_ms, 1, 2 * world.options.interval_ms);
    assert_in_range(item.sent, 600, 1400);
    item_reset(&item);
    world_reset(&world);
  }
}

static void rule_3_4_fixed_delay(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  item_init(&item, &world);
  world_pass(&world, MINUTE);
  assert_int_equal(item.sent, 1);
  /* Three more would have been due at a fixed rate. */
  world_pass(&world, 200 * SECOND);
  item_answer(&item, LB_HB_ALIVE);
  int64_t answered_ms = world.now_ms;
  world_run_until(&world, answered_ms + 30 * SECOND - 1);
  assert_int_equal(item.sent, 1);
  world_run_until(&world, answered_ms + 30 * SECOND);
  assert_int_equal(item.sent, 2);
  /* Answered quickly, it is an interval from one sending to the next. */
  item_answer(&item, LB_HB_ALIVE);
  world_run_until(&world, item.sent_ms + MINUTE - 1);
  assert_int_equal(item.sent, 2);
  world_run_until(&world, item.sent_ms + MINUTE);
  assert_int_equal(item.sent, 3);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_4_jitter_is_a_tenth_either_way(void **state) {
  (void)state;
  static const uint64_t low[] = {LB_FAKE_RANDOM_LOW};
  static const uint64_t high[] = {LB_FAKE_RANDOM_HIGH};
  struct world world;
  struct item items[2];
  world_init(&world);
  world.fake = (struct lb_fake_random){low, 1, 0};
  item_init(&items[0], &world);
  world.fake = (struct lb_fake_random){high, 1, 0};
  item_init(&items[1], &world);
  world_pass(&world, 2 * MINUTE);
  assert_int_equal(items[0].times_ms[0], START_MS + 54 * SECOND);
  assert_int_equal(items[1].times_ms[0], START_MS + 66 * SECOND);
  item_reset(&items[0]);
  item_reset(&items[1]);
  world_reset(&world);
}

static void rule_3_4_jitter_spreads_many(void **state) {
  (void)state;
  enum { COUNT = 200 };
  static struct item items[COUNT];
  struct world world;
  struct lb_random_state chance;
  world_init(&world);
  lb_random_seed(&chance, 7);
  struct lb_random rnd = lb_random_from(&chance);
  world.sched->rnd = rnd;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, 67 * SECOND);
  int64_t seconds[12] = {0};
  for (int i = 0; i < COUNT; i++) {
    int64_t after_ms = items[i].times_ms[0] - START_MS;
    assert_in_range(after_ms, 54 * SECOND, 66 * SECOND);
    seconds[LB_MIN((after_ms - 54 * SECOND) / SECOND, 11)]++;
  }
  for (int i = 0; i < 12; i++) assert_in_range(seconds[i], 1, COUNT / 4);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_3_5_one_probe_at_a_time_and_a_stuck_one_delays_nobody(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  world_init(&world);
  world.latency_ms = -1;
  item_init(&items[0], &world);
  item_init(&items[1], &world);
  world_pass(&world, MINUTE);
  for (int i = 0; i < 10; i++) { /* the probe of the first one is never answered */
    assert_int_equal(items[1].sent, i + 1);
    item_answer(&items[1], LB_HB_ALIVE);
    world_pass(&world, MINUTE);
  }
  assert_int_equal(items[0].sent, 1);
  item_reset(&items[0]);
  item_reset(&items[1]);
  world_reset(&world);
}

static void rule_3_6_a_probe_is_not_retried_by_itself(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  world.options.request_timeout_ms = 7000;
  item_init(&item, &world);
  assert_int_equal(lb_hb_request_timeout_ms(item.hb), 7000);
  world_pass(&world, MINUTE);
  world_pass(&world, 7 * SECOND);
  item_answer(&item, LB_HB_FAILED); /* the deadline has passed */
  assert_int_equal(item_snapshot(&item).probes_failed, 1);
  assert_int_equal(world.host->failures, 1);
  int64_t failed_ms = world.now_ms;
  world_run_until(&world, failed_ms + 30 * SECOND - 1);
  assert_int_equal(item.sent, 1);
  world_run_until(&world, failed_ms + 30 * SECOND);
  assert_int_equal(item.sent, 2);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_6_a_short_interval_is_kept_after_a_failure(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  world.options.interval_ms = 5 * SECOND;
  item_init(&item, &world);
  world_pass(&world, 5 * SECOND);
  item_answer(&item, LB_HB_FAILED);
  world_pass(&world, 5 * SECOND - 1);
  assert_int_equal(item.sent, 1);
  world_pass(&world, 1);
  assert_int_equal(item.sent, 2);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_7_first_probe_one_interval_after_the_last_contact(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_create(&item, &world);
  /* Armed 20 s after the last contact of the execution. */
  world.now_ms += 20 * SECOND;
  LB_TEST_OK(lb_hb_arm(item.hb, world.now_ms, NULL), NULL);
  assert_int_equal(item.sent, 0);
  assert_int_equal(item_snapshot(&item).since_contact_ms, 20 * SECOND);
  assert_int_equal(item_snapshot(&item).oldest_idle_ms,
                   0); /* the reader was busy with it */
  assert_int_equal(world.announced_ms, START_MS + MINUTE);
  world_run_until(&world, START_MS + MINUTE - 1);
  assert_int_equal(item.sent, 0);
  world_run_until(&world, START_MS + MINUTE);
  assert_int_equal(item.sent, 1);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_9_overdue_probes_run_at_once_after_a_suspension(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 10 * SECOND);
  world_suspend(&world, 8 * MINUTE);
  world_run(&world);
  assert_int_equal(item.sent, 1);
  assert_int_equal(item.sent_ms, world.now_ms);
  assert_int_equal(item_snapshot(&item).late_max_ms, 0); /* asleep is not late */
  assert_int_equal(log_count(&world, "late"), 0);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_9_suspended_time_is_not_idle(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 20 * MINUTE);
  world_suspend(&world, 10 * HOUR);
  world_run(&world);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_PROBING);
  assert_int_equal(item_snapshot(&item).oldest_idle_ms, 20 * MINUTE);
  world_pass(&world, 10 * MINUTE - 1);
  assert_int_equal(log_count(&world, "has been idle for 30 minutes"), 0);
  world_pass(&world, 1);
  assert_int_equal(log_count(&world, "has been idle for 30 minutes"), 1);
  world_pass(&world, 210 * MINUTE - 1);
  assert_int_equal(item.abandoned, 0);
  world_pass(&world, 1);
  assert_int_equal(item.abandoned, 1);
  item_reset(&item);
  world_reset(&world);
}

static void rule_3_9_a_wavering_clock_is_no_suspension(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  for (int i = 0; i < 100; i++) {
    world.suspended_ms = i % 4 < 2 ? 3 : 0;
    world_pass(&world, 30 * SECOND);
  }
  assert_int_equal(world.sched->resumes, 0);
  assert_int_equal(item_snapshot(&item).oldest_idle_ms, 50 * MINUTE);
  item_reset(&item);
  world_reset(&world);
}

/* --- 5. where it stops -------------------------------------------------------------- */

static void rule_5_1_each_reason_stops_it(void **state) {
  (void)state;
  static const enum lb_hb_reason reasons[] = {
      LB_HB_END_OF_RESULTS, LB_HB_RELEASED,  LB_HB_CANCELED,
      LB_HB_REEXECUTED,     LB_HB_ALL_LOCAL, LB_HB_SHUTDOWN,
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(reasons); i++) {
    struct world world;
    struct item item;
    world_init(&world);
    item_init(&item, &world);
    world_pass(&world, 90 * SECOND);
    assert_int_equal(item.sent, 1);
    lb_hb_stop(item.hb, reasons[i], world.now_ms);
    ASSERT_STOPPED(&item, reasons[i]);
    assert_int_equal(item_snapshot(&item).reason, reasons[i]);
    struct lb_hb_verdict verdict;
    assert_false(lb_hb_stats_verdict(item.stats, &verdict));
    world_pass(&world, HOUR);
    assert_int_equal(item.sent, 1);
    item_reset(&item);
    world_reset(&world);
  }
}

static void rule_5_1_releasing_the_last_reference_stops_it(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  lb_hb_retain(item.hb);
  lb_hb_release(item.hb);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  lb_hb_release(item.hb);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.state, LB_HB_STOPPED);
  assert_int_equal(snap.reason, LB_HB_RELEASED);
  assert_true(lb_hb_sched_next_due(world.sched) == LB_NEVER_MS);
  lb_hb_stats_release(item.stats);
  world_reset(&world);
}

static void rule_5_2_a_probe_in_flight_is_detached(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  item_init(&item, &world);
  world_pass(&world, MINUTE);
  assert_true(item.in_flight);
  lb_hb_stop(item.hb, LB_HB_CANCELED, world.now_ms);
  assert_int_equal(item.drops, 1);
  ASSERT_STOPPED(&item, LB_HB_CANCELED);
  /* It keeps the object alive by itself, and whatever it brings is dropped. */
  lb_hb_release(item.hb);
  world_pass(&world, MINUTE);
  item_answer(&item, LB_HB_LOST);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.reason, LB_HB_CANCELED);
  assert_int_equal(snap.probes_dropped, 1);
  assert_int_equal(snap.probes_failed, 0);
  lb_hb_stats_release(item.stats);
  world_reset(&world);
}

static void rule_5_2_a_drop_may_be_reported_at_once(void **state) {
  (void)state;
  for (int released = 0; released <= 1; released++) {
    struct world world;
    struct item item;
    world_init(&world);
    world.latency_ms = -1;
    world.drop_answers_at_once = true;
    item_init(&item, &world);
    world_pass(&world, MINUTE);
    assert_true(item.in_flight);
    if (released == 0) lb_hb_stop(item.hb, LB_HB_CANCELED, world.now_ms);
    lb_hb_release(item.hb);
    assert_false(item.in_flight);
    assert_int_equal(item_snapshot(&item).probes_dropped, 1);
    lb_hb_stats_release(item.stats);
    world_reset(&world);
  }
}

static void rule_5_2_no_probe_is_sent_after_stop(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world.now_ms += MINUTE; /* due, and stopped before the loop came to it */
  lb_hb_stop(item.hb, LB_HB_RELEASED, world.now_ms);
  world_run(&world);
  world_pass(&world, HOUR);
  assert_int_equal(item.sent, 0);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_3_a_dropped_probe_is_no_failure(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  item_init(&item, &world);
  for (int i = 0; i < 5; i++) {
    world_pass(&world, MINUTE);
    log_clear(&world);
    item_answer(&item, LB_HB_DROPPED); /* the transport let go of it */
    assert_int_equal(log_count(&world, "warn"), 0);
    assert_int_equal(log_count(&world, "info"), 0);
    assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  }
  assert_int_equal(world.host->failures, 0);
  assert_int_equal(item_snapshot(&item).probes_failed, 0);
  assert_int_equal(item_snapshot(&item).probes_dropped, 5);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_idle_reader_is_abandoned(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 4 * HOUR - 1);
  assert_int_equal(item.abandoned, 0);
  world_pass(&world, 1);
  assert_int_equal(item.abandoned, 1);
  ASSERT_STOPPED(&item, LB_HB_ABANDONED);
  int64_t sent = item.sent;
  assert_in_range(sent, 238, 240);
  struct lb_hb_verdict verdict;
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_ABANDONED);
  assert_int_equal(verdict.idle_ms, 4 * HOUR);
  assert_int_equal(verdict.succeeded, item_snapshot(&item).probes_succeeded);
  assert_int_equal(log_count(&world, "stopped (abandoned)"), 1);
  world_pass(&world, HOUR);
  assert_int_equal(item.sent, sent);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_abandoned_while_a_probe_is_out(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.options.max_idle_ms = 70 * SECOND;
  world.latency_ms = -1;
  item_init(&item, &world);
  world_pass(&world, 70 * SECOND);
  assert_int_equal(item.sent, 1);
  assert_int_equal(item.drops, 1);
  assert_int_equal(item.abandoned, 1);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_inside_a_read_nobody_is_idle(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 3 * HOUR);
  lb_hb_reader(item.hb, true, world.now_ms);
  world_pass(&world, 10 * HOUR); /* a slow fetch */
  assert_int_equal(item.abandoned, 0);
  assert_int_equal(item_snapshot(&item).oldest_idle_ms, 0);
  lb_hb_reader(item.hb, false, world.now_ms);
  world_pass(&world, 4 * HOUR - 1);
  assert_int_equal(item.abandoned, 0);
  world_pass(&world, 1);
  assert_int_equal(item.abandoned, 1);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_no_limit_means_no_limit(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.options.max_idle_ms = 0;
  item_init(&item, &world);
  world_pass(&world, 30 * 24 * HOUR + SECOND);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_lifetime_ends_even_a_busy_result(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.options.max_lifetime_ms = 2 * HOUR;
  item_init(&item, &world);
  for (int i = 0; i < 11; i++) {
    world_pass(&world, 10 * MINUTE);
    lb_hb_reader(item.hb, true, world.now_ms);
    lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
    if (i < 10) lb_hb_reader(item.hb, false, world.now_ms);
  }
  world_run_until(&world, START_MS + 2 * HOUR - 1);
  assert_int_equal(item.abandoned, 0);
  world_pass(&world, 1); /* inside a read, too */
  assert_int_equal(item.abandoned, 1);
  ASSERT_STOPPED(&item, LB_HB_ABANDONED);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_5_warning_at_30_minutes_and_hourly(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world.log.log.level = LB_LOG_WARN;
  log_clear(&world);
  world_pass(&world, 30 * MINUTE - 1);
  assert_int_equal(world.log.lines, 0);
  static const int64_t minutes[] = {30, 90, 150, 210};
  for (size_t i = 0; i < LB_ARRAY_LEN(minutes); i++) {
    world_run_until(&world, START_MS + minutes[i] * MINUTE - 1);
    assert_int_equal(world.log.lines, i);
    world_pass(&world, 1);
    assert_int_equal(world.log.lines, i + 1);
  }
  LB_TEST_CONTAINS(world.log.text, "01f0-query");
  LB_TEST_CONTAINS(world.log.text, "idle for 30 minutes");
  LB_TEST_CONTAINS(world.log.text, "idle for 90 minutes");
  lb_hb_reader(item.hb, true, world.now_ms); /* it was not forgotten: all begins anew */
  lb_hb_reader(item.hb, false, world.now_ms);
  log_clear(&world);
  world_pass(&world, 30 * MINUTE - 1);
  assert_int_equal(world.log.lines, 0);
  world_pass(&world, 1);
  assert_int_equal(world.log.lines, 1);
  item_reset(&item);
  world_reset(&world);
}

static void rule_5_6_shutdown_stops_all(void **state) {
  (void)state;
  enum { COUNT = 100 };
  static struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  assert_int_equal(world.sent, 16); /* the others wait for room */
  world.drop_answers_at_once = true;
  lb_hb_sched_stop_all(world.sched, world.now_ms);
  assert_int_equal(world.sent, 16);
  assert_int_equal(world.in_flight, 0);
  assert_true(lb_hb_sched_next_due(world.sched) == LB_NEVER_MS);
  assert_true(world.announced_ms == LB_NEVER_MS);
  for (int i = 0; i < COUNT; i++) {
    ASSERT_STOPPED(&items[i], LB_HB_SHUTDOWN);
    item_reset(&items[i]);
  }
  world_reset(&world);
}

/* --- 7. what the user sees ---------------------------------------------------------- */

static void rule_7_3_counters_tell_what_happened(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  world_pass(&world, 10 * MINUTE + SECOND);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.state, LB_HB_ARMED);
  assert_int_equal(snap.armed, 1);
  assert_int_equal(snap.probes_sent, 10);
  assert_int_equal(snap.probes_succeeded, 10);
  assert_int_equal(snap.probes_failed, 0);
  assert_int_equal(snap.probes_dropped, 0);
  assert_int_equal(snap.postponed, 0);
  assert_int_equal(snap.bytes, 1000);
  assert_int_equal(snap.since_contact_ms, SECOND);
  assert_int_equal(snap.oldest_idle_ms, 10 * MINUTE + SECOND);
  item_reset(&item);
  /* The sum keeps what a result counted that has gone. */
  lb_hb_stats_read(world.root, world.now_ms, &snap);
  assert_int_equal(snap.probes_sent, 10);
  assert_int_equal(snap.armed, 0);
  world_reset(&world);
}

static void rule_7_4_levels_of_the_last_line(void **state) {
  (void)state;
  static const struct {
    enum lb_hb_reason reason;
    enum lb_log_level level;
  } rows[] = {
      {LB_HB_END_OF_RESULTS, LB_LOG_DEBUG}, {LB_HB_RELEASED, LB_LOG_DEBUG},
      {LB_HB_CANCELED, LB_LOG_DEBUG},       {LB_HB_REEXECUTED, LB_LOG_DEBUG},
      {LB_HB_ALL_LOCAL, LB_LOG_DEBUG},      {LB_HB_SHUTDOWN, LB_LOG_DEBUG},
      {LB_HB_TERMINAL_STATE, LB_LOG_INFO},  {LB_HB_HANDLE_LOST, LB_LOG_WARN},
      {LB_HB_DAMAGED, LB_LOG_WARN},         {LB_HB_FAILURES, LB_LOG_WARN},
      {LB_HB_ABANDONED, LB_LOG_WARN},
  };
  for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
    struct world world;
    struct item item;
    world_init(&world);
    item_init(&item, &world);
    log_clear(&world);
    lb_hb_stop(item.hb, rows[i].reason, world.now_ms);
    assert_int_equal(world.log.lines, 1);
    LB_TEST_CONTAINS(world.log.text, lb_log_level_name(rows[i].level));
    LB_TEST_CONTAINS(world.log.text, lb_hb_reason_name(rows[i].reason));
    LB_TEST_CONTAINS(world.log.text, "01f0-query");
    LB_TEST_CONTAINS(world.log.text, "sent 0");
    item_reset(&item);
    world_reset(&world);
  }
}

static void rule_7_4_one_line_when_armed(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  item_init(&item, &world);
  assert_int_equal(world.log.lines, 1);
  LB_TEST_CONTAINS(world.log.text, "debug");
  LB_TEST_CONTAINS(world.log.text, "01f0-query");
  LB_TEST_CONTAINS(world.log.text, "result of a statement on databricks");
  LB_TEST_CONTAINS(world.log.text, "60000 ms");
  LB_TEST_CONTAINS(world.log.text, "probe status");
  item_reset(&item);
  world_reset(&world);
}

/* --- 8. load ------------------------------------------------------------------------ */

static void rule_8_2_at_most_256_bytes(void **state) {
  (void)state;
  static struct item items[1000];
  int count = lb_test_rounds((int)LB_ARRAY_LEN(items), 30);
  struct world world;
  world_init(&world);
  int64_t before = lb_mem_stats(LB_MEM_HB).live_bytes;
  for (int i = 0; i < count; i++) item_init(&items[i], &world);
  struct lb_mem_stats after = lb_mem_stats(LB_MEM_HB);
  int64_t headers = 16 * after.live_blocks;
  assert_in_range(after.live_bytes + headers - before, count * 64, count * 256);
  for (int i = 0; i < count; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void wrong_setup_is_refused(void **state) {
  (void)state;
  struct world world;
  world_init(&world);
  struct item item = {.world = &world};
  LB_TEST_OK(lb_hb_stats_create(world.root, &item.stats, NULL), NULL);
  struct lb_hb_options options = lb_hb_options_default;
  options.interval_ms = 0;
  struct lb_hb_setup setup = {.host = world.host,
                              .options = &options,
                              .stats = item.stats,
                              .query_id = "01f0-query",
                              .owner = &item,
                              .contact_ms = START_MS};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_hb_create(world.sched, &setup, &item.hb, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "databricks.heartbeat.interval_seconds");
  lb_hb_stats_release(item.stats);
  world_reset(&world);
}

/* Everything that allocates, with each allocation failing in turn. */
static void torture_once(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_hb_ops ops = {.send = world_send,
                          .drop = world_drop,
                          .abandoned = world_abandoned,
                          .probe_limit = world_probe_limit,
                          .reschedule = world_reschedule};
  struct world world = {.latency_ms = -1};
  ops.ctx = &world;
  world.fake = (struct lb_fake_random){world_no_jitter, 1, 0};
  struct lb_random rnd = lb_fake_random_from(&world.fake);
  enum lb_status status = lb_hb_sched_create(&ops, &rnd, NULL, &world.sched, &err);
  LB_TEST_OOM_OR_OK(status, &err);
  if (status != LB_OK) return;
  struct lb_hb_stats *root = NULL;
  status = lb_hb_stats_create(NULL, &root, &err);
  if (status == LB_OK) status = lb_hb_host_get(world.sched, "h:1", &world.host, &err);
  enum { COUNT = 70 }; /* the heap grows on the way */
  struct item items[COUNT] = {0};
  for (int i = 0; status == LB_OK && i < COUNT; i++) {
    items[i].world = &world;
    status = lb_hb_stats_create(root, &items[i].stats, &err);
    if (status != LB_OK) break;
    struct lb_hb_setup setup = {.host = world.host,
                                .options = &lb_hb_options_default,
                                .kind = LB_KIND_DATABRICKS,
                                .probe = LB_PROBE_STATUS,
                                .stats = items[i].stats,
                                .query_id = "q",
                                .owner = &items[i],
                                .contact_ms = START_MS};
    status = lb_hb_create(world.sched, &setup, &items[i].hb, &err);
    /* Once made, arming cannot fail. */
    if (status == LB_OK) LB_TEST_OK(lb_hb_arm(items[i].hb, START_MS, &err), &err);
  }
  LB_TEST_OOM_OR_OK(status, &err);
  world.now_ms = START_MS + MINUTE;
  lb_hb_sched_run(world.sched, world.now_ms, 0);
  for (int i = 0; i < COUNT; i++) {
    if (items[i].in_flight) item_answer(&items[i], LB_HB_ALIVE);
  }
  world.drop_answers_at_once = true;
  for (int i = 0; i < COUNT; i++) {
    lb_hb_release(items[i].hb);
    lb_hb_stats_release(items[i].stats);
  }
  lb_hb_stats_release(root);
  lb_hb_sched_destroy(world.sched);
}

static void torture(void **state) {
  (void)state;
  LB_TEST_TORTURE(torture_once());
}

LB_TEST_MAIN(LB_TEST(rule_2_1_eligibility_is_a_table), LB_TEST(rule_2_3_unarmed_says_why),
             LB_TEST(rule_2_3_failure_to_arm_is_loud),
             LB_TEST(rule_3_0_arming_and_stopping_twice_is_nothing),
             LB_TEST(rule_3_0_a_final_stop_is_final),
             LB_TEST(rule_3_1_owner_reads_while_others_only_post),
             LB_TEST(rule_3_2_a_day_in_milliseconds),
             LB_TEST(rule_3_3_contact_counts_from_when_it_was_sent),
             LB_TEST(rule_3_3_a_steady_reader_causes_no_probe),
             LB_TEST(rule_3_3_a_fetch_in_flight_gets_a_probe_beside_it),
             LB_TEST(rule_3_3_what_the_server_does_not_count_is_no_contact),
             LB_TEST(rule_3_3_a_useless_probe_is_told),
             LB_TEST(rule_3_3_no_gap_over_two_intervals), LB_TEST(rule_3_4_fixed_delay),
             LB_TEST(rule_3_4_jitter_is_a_tenth_either_way),
             LB_TEST(rule_3_4_jitter_spreads_many),
             LB_TEST(rule_3_5_one_probe_at_a_time_and_a_stuck_one_delays_nobody),
             LB_TEST(rule_3_6_a_probe_is_not_retried_by_itself),
             LB_TEST(rule_3_6_a_short_interval_is_kept_after_a_failure),
             LB_TEST(rule_3_7_first_probe_one_interval_after_the_last_contact),
             LB_TEST(rule_3_9_overdue_probes_run_at_once_after_a_suspension),
             LB_TEST(rule_3_9_suspended_time_is_not_idle),
             LB_TEST(rule_3_9_a_wavering_clock_is_no_suspension),
             LB_TEST(rule_5_1_each_reason_stops_it),
             LB_TEST(rule_5_1_releasing_the_last_reference_stops_it),
             LB_TEST(rule_5_2_a_probe_in_flight_is_detached),
             LB_TEST(rule_5_2_a_drop_may_be_reported_at_once),
             LB_TEST(rule_5_2_no_probe_is_sent_after_stop),
             LB_TEST(rule_5_3_a_dropped_probe_is_no_failure),
             LB_TEST(rule_5_5_idle_reader_is_abandoned),
             LB_TEST(rule_5_5_abandoned_while_a_probe_is_out),
             LB_TEST(rule_5_5_inside_a_read_nobody_is_idle),
             LB_TEST(rule_5_5_no_limit_means_no_limit),
             LB_TEST(rule_5_5_lifetime_ends_even_a_busy_result),
             LB_TEST(rule_5_5_warning_at_30_minutes_and_hourly),
             LB_TEST(rule_5_6_shutdown_stops_all),
             LB_TEST(rule_7_3_counters_tell_what_happened),
             LB_TEST(rule_7_4_levels_of_the_last_line),
             LB_TEST(rule_7_4_one_line_when_armed), LB_TEST(rule_8_2_at_most_256_bytes),
             LB_TEST(wrong_setup_is_refused), LB_TEST(torture))
