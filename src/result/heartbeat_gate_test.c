/* SPDX-License-Identifier: Apache-2.0 */
/* What answers mean (section 4) and how a host is treated (rules 4.1, 4.2). */
#include "result/hb_test_support.h"

#define ANSWER(answer_kind) \
  ((struct lb_hb_answer){ \
      .kind = (answer_kind), .retry_after_ms = -1, .bytes = 100, .text = "fake"})

/* A world whose answers the test gives by hand; the first probe of its result is out. */
static void begin(struct world *world, struct item *item) {
  world_init(world);
  world->latency_ms = -1;
  item_init(item, world);
  world_pass(world, MINUTE);
  assert_true(item->in_flight);
}

static void end(struct world *world, struct item *item) {
  item_reset(item);
  world_reset(world);
}

/* Fails until the gate closes; the result waits behind it then. */
static void close_gate(struct world *world, struct item *item) {
  while (!world->host->closed) {
    if (!item->in_flight) world_pass(world, 30 * SECOND);
    item_answer(item, LB_HB_FAILED);
  }
}

/* --- 4. the table of answers -------------------------------------------------------- */

static void rule_4_0_alive_is_contact_and_goes_on(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_FAILED);
  assert_int_equal(world.host->failures, 1);
  world_pass(&world, 30 * SECOND);
  world_pass(&world, SECOND);
  item_answer(&item, LB_HB_ALIVE);
  assert_int_equal(world.host->failures, 0);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  assert_int_equal(item_snapshot(&item).since_contact_ms, SECOND);
  assert_int_equal(item_snapshot(&item).probes_succeeded, 1);
  end(&world, &item);
}

static void rule_4_0_terminal_state_stops(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_ALIVE);
  world_pass(&world, MINUTE);
  item_answer(&item, LB_HB_TERMINAL);
  ASSERT_STOPPED(&item, LB_HB_TERMINAL_STATE);
  struct lb_hb_verdict verdict;
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_TERMINAL_STATE);
  assert_int_equal(verdict.last_alive_ms, START_MS + MINUTE);
  assert_int_equal(verdict.idle_ms, 2 * MINUTE);
  assert_int_equal(verdict.succeeded, 1);
  assert_int_equal(world.host->failures, 0);
  world_pass(&world, HOUR);
  assert_int_equal(item.sent, 2);
  end(&world, &item);
}

static void rule_4_0_no_state_is_alive_with_one_warning(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  for (int i = 0; i < 3; i++) {
    item_answer(&item, LB_HB_ALIVE_STATE_UNKNOWN);
    world_pass(&world, MINUTE);
  }
  assert_int_equal(item.sent, 4);
  assert_int_equal(item_snapshot(&item).probes_succeeded, 3);
  assert_int_equal(log_count(&world, "without an operation state"), 1);
  end(&world, &item);
}

static void rule_4_0_rows_lost_is_damage(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_ROWS_LOST);
  ASSERT_STOPPED(&item, LB_HB_DAMAGED);
  struct lb_hb_verdict verdict;
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_DAMAGED);
  /* The rows are gone whatever the server says later. */
  lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
  ASSERT_STOPPED(&item, LB_HB_DAMAGED);
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  end(&world, &item);
}

static void rule_4_0_unknown_handle_is_confirmed_on_a_fresh_connection(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  assert_false(item.last_fresh);
  item_answer(&item, LB_HB_LOST);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  struct lb_hb_verdict verdict;
  assert_false(lb_hb_stats_verdict(item.stats, &verdict));
  world_pass(&world, 2 * SECOND - 1);
  assert_int_equal(item.sent, 1);
  world_pass(&world, 1);
  assert_int_equal(item.sent, 2);
  assert_true(item.last_fresh);
  item_answer(&item, LB_HB_LOST);
  ASSERT_STOPPED(&item, LB_HB_HANDLE_LOST);
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_HANDLE_LOST);
  assert_int_equal(verdict.last_alive_ms, START_MS);
  assert_int_equal(log_count(&world, "stopped (handle_lost)"), 1);
  end(&world, &item);
}

static void rule_4_0_unknown_once_is_no_loss(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  for (int i = 0; i < 3; i++) { /* never twice in a row */
    item_answer(&item, LB_HB_LOST);
    world_pass(&world, 2 * SECOND);
    item_answer(&item, LB_HB_ALIVE);
    world_pass(&world, MINUTE);
    assert_false(item.last_fresh);
  }
  assert_int_equal(lb_hb_state(item.hb), LB_HB_PROBING);
  /* A fetch that succeeds in between is as good as an answer. */
  item_answer(&item, LB_HB_LOST);
  lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
  world_pass(&world, MINUTE);
  assert_false(item.last_fresh);
  item_answer(&item, LB_HB_LOST);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  end(&world, &item);
}

static void rule_4_0_a_failure_confirms_nothing(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_LOST);
  world_pass(&world, 2 * SECOND);
  item_answer(&item, LB_HB_FAILED);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  world_pass(&world, 30 * SECOND);
  assert_true(item.last_fresh);
  item_answer(&item, LB_HB_LOST);
  ASSERT_STOPPED(&item, LB_HB_HANDLE_LOST);
  end(&world, &item);
}

static void rule_4_0_refused_token_is_renewed_once_for_all(void **state) {
  (void)state;
  enum { COUNT = 5 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  for (int i = 0; i < COUNT - 1; i++) item_answer(&items[i], LB_HB_UNAUTHORIZED);
  assert_int_equal(world.renewals, 1);
  world_pass(&world, SECOND);
  assert_int_equal(world.sent, COUNT);
  lb_hb_host_token(world.host, true, world.now_ms);
  assert_int_equal(world.sent, 2 * COUNT - 1); /* again, at once */
  /* Its 401 was on the way meanwhile: the token it used is not the newest. */
  item_answer(&items[COUNT - 1], LB_HB_UNAUTHORIZED);
  assert_int_equal(world.renewals, 1);
  assert_int_equal(world.sent, 2 * COUNT);
  for (int i = 0; i < COUNT; i++) {
    item_answer(&items[i], LB_HB_ALIVE);
    assert_int_equal(item_snapshot(&items[i]).probes_failed, 0);
    assert_int_equal(item_snapshot(&items[i]).postponed, 0);
  }
  assert_int_equal(world.host->failures, 0);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_4_0_refused_without_a_newer_token_is_a_failure(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  world.can_renew = false;
  item_answer(&item, LB_HB_UNAUTHORIZED);
  assert_int_equal(world.host->failures, 1);
  assert_int_equal(item_snapshot(&item).probes_failed, 1);
  world.can_renew = true; /* asked for, but it does not come */
  world_pass(&world, 30 * SECOND);
  item_answer(&item, LB_HB_UNAUTHORIZED);
  assert_int_equal(world.host->failures, 1);
  lb_hb_host_token(world.host, false, world.now_ms);
  assert_int_equal(world.host->failures, 2);
  /* A newer token that is refused too ends there, without going round and round. */
  world_pass(&world, 30 * SECOND);
  item_answer(&item, LB_HB_UNAUTHORIZED);
  lb_hb_host_token(world.host, true, world.now_ms);
  assert_true(item.in_flight);
  item_answer(&item, LB_HB_UNAUTHORIZED);
  assert_false(item.in_flight);
  assert_int_equal(world.host->failures, 3);
  assert_int_equal(world.renewals, 3);
  /* The next time a newer token is asked for again, after a failure as after success. */
  for (int i = 0; i < 2; i++) {
    while (!item.in_flight) world_pass(&world, SECOND);
    item_answer(&item, LB_HB_UNAUTHORIZED);
    assert_int_equal(world.renewals, 4 + i);
    lb_hb_host_token(world.host, true, world.now_ms);
    assert_true(item.in_flight); /* at once, as the canary that it is */
    item_answer(&item, LB_HB_ALIVE);
    assert_int_equal(world.host->failures, 0);
  }
  assert_int_equal(item_snapshot(&item).probes_failed, 3);
  end(&world, &item);
}

static void rule_4_0_stopped_while_the_token_is_renewed(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_UNAUTHORIZED);
  lb_hb_stop(item.hb, LB_HB_END_OF_RESULTS, world.now_ms);
  lb_hb_host_token(world.host, true, world.now_ms);
  world_pass(&world, HOUR);
  assert_int_equal(item.sent, 1);
  end(&world, &item);
}

static void rule_4_0_retry_after_silences_the_host(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  world_init(&world);
  world.latency_ms = -1;
  item_init(&items[0], &world);
  world_pass(&world, 10 * SECOND);
  item_init(&items[1], &world);
  world_pass(&world, 50 * SECOND);
  struct lb_hb_answer busy = ANSWER(LB_HB_BUSY);
  busy.retry_after_ms = 5 * MINUTE;
  world_report(&items[0], &busy);
  assert_int_equal(world.host->failures, 1);
  int64_t until_ms = world.now_ms + 5 * MINUTE;
  world_run_until(&world, until_ms - 1);
  assert_int_equal(world.sent, 1);
  assert_int_equal(item_snapshot(&items[1]).postponed, 1);
  world_run_until(&world, until_ms);
  assert_int_equal(world.sent, 3);
  item_reset(&items[0]);
  item_reset(&items[1]);
  world_reset(&world);
}

static void rule_4_0_retry_after_holds_canaries_and_has_an_end(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  close_gate(&world, &item);
  world_pass(&world, SECOND);
  assert_true(item.in_flight); /* the first canary */
  struct lb_hb_answer busy = ANSWER(LB_HB_BUSY);
  busy.retry_after_ms = 365 * 24 * HOUR; /* of a mad proxy */
  world_report(&item, &busy);
  int64_t sent = item.sent;
  world_pass(&world, 25 * MINUTE - 1);
  assert_int_equal(item.sent, sent);
  world_pass(&world, 1);
  assert_int_equal(item.sent, sent + 1);
  /* Without a Retry-After it is a failure like any other. */
  item_answer(&item, LB_HB_ALIVE);
  world_pass(&world, MINUTE);
  item_answer(&item, LB_HB_BUSY);
  world_pass(&world, 30 * SECOND);
  assert_true(item.in_flight);
  end(&world, &item);
}

/* --- 4.1 the gate ------------------------------------------------------------------- */

static void rule_4_1_three_failures_close_the_gate_of_the_host(void **state) {
  (void)state;
  enum { COUNT = 10 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  item_answer(&items[0], LB_HB_FAILED);
  item_answer(&items[1], LB_HB_FAILED);
  assert_false(world.host->closed);
  item_answer(&items[2], LB_HB_FAILED);
  assert_true(world.host->closed);
  /* Those under way by then belong to the same incident. */
  for (int i = 3; i < COUNT; i++) item_answer(&items[i], LB_HB_FAILED);
  assert_int_equal(world.host->failures, 3);
  assert_int_equal(world.sent, COUNT);
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(world.root, world.now_ms, &snap);
  assert_int_equal(snap.gates_closed, 1); /* one closing, however many saw it */
  assert_int_equal(item_snapshot(&items[9]).gates_closed, 1);
  assert_int_equal(snap.probes_failed, COUNT);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_4_1_successes_in_between_keep_it_open(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  for (int i = 0; i < 20; i++) {
    item_answer(&item, i % 3 == 2 ? LB_HB_ALIVE : LB_HB_FAILED);
    world_pass(&world, MINUTE);
  }
  assert_false(world.host->closed);
  end(&world, &item);
}

static void rule_4_1_canaries_come_after_1_2_4_to_30_s(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  close_gate(&world, &item);
  static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
  for (size_t i = 0; i < LB_ARRAY_LEN(pauses_s); i++) {
    int64_t sent = item.sent;
    world_pass(&world, pauses_s[i] * SECOND - 1);
    assert_int_equal(item.sent, sent);
    world_pass(&world, 1);
    assert_int_equal(item.sent, sent + 1);
    world_pass(&world, 5 * SECOND); /* the pause runs from the failure */
    item_answer(&item, LB_HB_FAILED);
  }
  end(&world, &item);
}

static void rule_4_1_one_canary_at_a_time_and_not_always_the_same(void **state) {
  (void)state;
  enum { COUNT = 20 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.answer = ANSWER(LB_HB_FAILED);
  world.latency_ms = 300;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, 2 * MINUTE);
  assert_true(world.host->closed);
  world.in_flight_max = 0;
  int64_t sent = world.sent;
  world_pass(&world, 20 * MINUTE);
  assert_int_equal(world.in_flight_max, 1);
  assert_in_range(world.sent - sent, 35, 41);
  int64_t least = INT64_MAX;
  int64_t most = 0;
  for (int i = 0; i < COUNT; i++) {
    least = LB_MIN(least, items[i].sent);
    most = LB_MAX(most, items[i].sent);
  }
  assert_true(most - least <= 2);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_4_1_first_success_lets_all_run_paced(void **state) {
  (void)state;
  enum { COUNT = 100 };
  static struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.answer = ANSWER(LB_HB_FAILED);
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, 10 * MINUTE);
  assert_int_equal(world.host->waiting_count + world.host->in_flight, COUNT);
  world.answer = ANSWER(LB_HB_ALIVE);
  world.in_flight_max = 0;
  world_pass(&world, 31 * SECOND);
  assert_false(world.host->closed);
  assert_int_equal(world.in_flight_max, 16);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(lb_hb_state(items[i].hb), LB_HB_ARMED);
    assert_true(item_snapshot(&items[i]).since_contact_ms < 32 * SECOND);
    item_reset(&items[i]);
  }
  world_reset(&world);
}

static void rule_4_1_any_success_on_the_host_opens_the_gate(void **state) {
  (void)state;
  for (int way = 0; way < 3; way++) {
    struct world world;
    struct item items[2];
    begin(&world, &items[0]);
    item_init(&items[1], &world);
    close_gate(&world, &items[0]);
    int64_t sent = items[0].sent;
    if (way == 0) lb_hb_host_success(world.host, world.now_ms);
    if (way == 1) lb_hb_contact(items[1].hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
    if (way == 2) lb_hb_contact(items[1].hb, LB_RPC_STATUS, world.now_ms, world.now_ms);
    assert_false(world.host->closed);
    assert_int_equal(world.host->failures, 0);
    assert_int_equal(items[0].sent, sent + 1);
    if (items[1].in_flight) item_answer(&items[1], LB_HB_ALIVE);
    item_reset(&items[1]);
    end(&world, &items[0]);
  }
}

static void rule_4_1_stopping_the_canary_lets_the_next_one_go(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  begin(&world, &items[0]);
  close_gate(&world, &items[0]);
  item_init(&items[1], &world);
  while (!items[0].in_flight) world_pass(&world, SECOND);
  world_pass(&world, MINUTE); /* the canary is not answered; the other one waits */
  assert_int_equal(items[1].sent, 0);
  lb_hb_stop(items[0].hb, LB_HB_RELEASED, world.now_ms);
  assert_int_equal(items[1].sent, 1);
  item_answer(&items[1], LB_HB_ALIVE);
  assert_false(world.host->closed);
  item_reset(&items[1]);
  end(&world, &items[0]);
}

static void rule_4_1_a_closed_gate_without_results_waits_for_one(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  begin(&world, &items[0]);
  close_gate(&world, &items[0]);
  lb_hb_stop(items[0].hb, LB_HB_RELEASED, world.now_ms);
  assert_true(lb_hb_sched_next_due(world.sched) == LB_NEVER_MS);
  item_init(&items[1], &world);
  world_pass(&world, MINUTE);
  assert_int_equal(items[1].sent, 1); /* it is the canary */
  item_answer(&items[1], LB_HB_ALIVE);
  assert_false(world.host->closed);
  item_reset(&items[1]);
  end(&world, &items[0]);
}

static void rule_4_1_hosts_do_not_share_a_gate(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  begin(&world, &items[0]);
  struct lb_hb_host *first = world.host;
  LB_TEST_OK(lb_hb_host_get(world.sched, "other:443", &world.host, NULL), NULL);
  item_init(&items[1], &world);
  struct lb_hb_host *again;
  LB_TEST_OK(lb_hb_host_get(world.sched, "warehouse:443", &again, NULL), NULL);
  assert_ptr_equal(again, first);
  assert_ptr_not_equal(world.host, first);
  world.host = first;
  close_gate(&world, &items[0]);
  for (int i = 0; i < 5; i++) {
    if (items[1].in_flight) item_answer(&items[1], LB_HB_ALIVE);
    int64_t sent = items[1].sent;
    world_pass(&world, MINUTE);
    assert_int_equal(items[1].sent, sent + 1);
  }
  assert_true(first->closed);
  item_reset(&items[1]);
  end(&world, &items[0]);
}

/* The time of the first failure of an outage that begins at the first probe. */
static void gives_up_after_the_window(enum lb_server_kind kind, enum lb_probe_kind probe,
                                      int64_t window_ms) {
  struct world world;
  struct item item;
  world_init(&world);
  world.kind = kind;
  world.probe = probe;
  world.options.max_idle_ms = 0;
  world.answer = ANSWER(LB_HB_FAILED);
  item_init(&item, &world);
  int64_t outage_ms = START_MS + MINUTE + 50;
  world_run_until(&world, outage_ms + window_ms);
  assert_true(world.host->failures > 10);
  assert_int_equal(item_snapshot(&item).armed, 1);
  world_pass(&world, 31 * SECOND);
  ASSERT_STOPPED(&item, LB_HB_FAILURES);
  struct lb_hb_verdict verdict;
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_FAILURES);
  int64_t sent = item.sent;
  world_pass(&world, 24 * HOUR);
  assert_int_equal(item.sent, sent);
  end(&world, &item);
}

static void rule_4_1_gives_up_only_when_the_server_has_forgotten(void **state) {
  (void)state;
  gives_up_after_the_window(LB_KIND_DATABRICKS, LB_PROBE_STATUS, 25 * MINUTE);
  gives_up_after_the_window(LB_KIND_SPARK, LB_PROBE_FETCH0, 25 * MINUTE);
  gives_up_after_the_window(LB_KIND_HIVE, LB_PROBE_METADATA, 25 * MINUTE);
  gives_up_after_the_window(LB_KIND_KYUUBI, LB_PROBE_STATUS, 185 * MINUTE);
}

static void rule_4_1_a_long_outage_with_few_failures_is_no_end(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_FAILED);
  world.options.max_failures = 10;
  for (int i = 0; i < 8; i++) { /* nine failures in more than the window */
    while (!item.in_flight) world_pass(&world, SECOND);
    world_pass(&world, 4 * MINUTE);
    item_answer(&item, LB_HB_FAILED);
  }
  assert_int_equal(world.host->failures, 9);
  assert_int_equal(item_snapshot(&item).armed, 1);
  while (!item.in_flight) world_pass(&world, SECOND);
  item_answer(&item, LB_HB_FAILED);
  ASSERT_STOPPED(&item, LB_HB_FAILURES);
  end(&world, &item);
}

static void rule_4_1_an_explicit_maximum_decides_alone(void **state) {
  (void)state;
  static const int32_t maxima[] = {1, 2, 3, 5, 10};
  for (size_t i = 0; i < LB_ARRAY_LEN(maxima); i++) {
    struct world world;
    struct item patient;
    struct item item;
    world_init(&world);
    world.latency_ms = -1;
    item_init(&item, &world);
    item_reset(&item);
    world.options.max_failures = maxima[i];
    world.options.max_failures_explicit = true;
    item_init(&item, &world);
    for (int n = 1; n <= maxima[i]; n++) {
      assert_int_equal(item_snapshot(&item).armed, 1);
      while (!item.in_flight) world_pass(&world, SECOND);
      if (n == maxima[i]) { /* one with the default stays */
        world.options = lb_hb_options_default;
        item_init(&patient, &world);
      }
      item_answer(&item, LB_HB_FAILED);
      assert_int_equal(world.host->failures, n);
    }
    ASSERT_STOPPED(&item, LB_HB_FAILURES);
    assert_int_equal(lb_hb_state(patient.hb), LB_HB_ARMED);
    item_reset(&patient);
    end(&world, &item);
  }
}

static void rule_3_9_failures_after_a_resume_count_once(void **state) {
  (void)state;
  enum { COUNT = 8 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, 30 * SECOND);
  world_suspend(&world, 10 * MINUTE);
  world_run(&world);
  assert_int_equal(world.sent, COUNT);
  for (int i = 0; i < COUNT; i++)
    item_answer(&items[i], LB_HB_FAILED); /* no network yet */
  assert_int_equal(world.host->failures, 1);
  assert_false(world.host->closed);
  world_pass(&world, 30 * SECOND); /* from here on they count again */
  for (int i = 0; i < 2; i++) item_answer(&items[i], LB_HB_FAILED);
  assert_true(world.host->closed);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_3_9_answers_that_come_before_the_timer_count_once(void **state) {
  (void)state;
  enum { COUNT = 8 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  world_suspend(&world, 10 * MINUTE); /* all probes are out, and their connections die */
  for (int i = 0; i < COUNT; i++) {
    lb_hb_sched_suspended(world.sched, world.now_ms, world.suspended_ms);
    item_answer(&items[i], LB_HB_FAILED);
  }
  assert_int_equal(world.host->failures, 1);
  assert_int_equal(item_snapshot(&items[0]).oldest_idle_ms, MINUTE);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

/* --- 4.2 to 4.5 --------------------------------------------------------------------- */

static void rule_4_2_one_line_per_change_of_the_gate(void **state) {
  (void)state;
  enum { COUNT = 30 };
  static struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.answer = ANSWER(LB_HB_FAILED);
  world.answer.text = "connection refused";
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world.log.log.level = LB_LOG_INFO;
  log_clear(&world);
  world_pass(&world, 20 * MINUTE);
  assert_int_equal(world.log.lines, 1);
  LB_TEST_CONTAINS(world.log.text, "info");
  LB_TEST_CONTAINS(world.log.text, "gate of warehouse:443 closed");
  LB_TEST_CONTAINS(world.log.text, "30 results");
  LB_TEST_CONTAINS(world.log.text, "connection refused");
  log_clear(&world);
  world.answer = ANSWER(LB_HB_ALIVE);
  world_pass(&world, MINUTE);
  assert_int_equal(world.log.lines, 1);
  LB_TEST_CONTAINS(world.log.text, "gate of warehouse:443 opened");
  LB_TEST_CONTAINS(world.log.text, "30 results");
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_4_2_giving_up_is_a_warning(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.answer = ANSWER(LB_HB_FAILED);
  world.answer.text = "connection refused";
  item_init(&item, &world);
  world.log.log.level = LB_LOG_WARN;
  log_clear(&world);
  world_pass(&world, 29 * MINUTE);
  ASSERT_STOPPED(&item, LB_HB_FAILURES);
  assert_int_equal(
      log_count(&world, "gave up the heartbeats of 1 results on warehouse:443"), 1);
  assert_int_equal(log_count(&world, "stopped (failures)"), 1);
  LB_TEST_CONTAINS(world.log.text, "connection refused");
  end(&world, &item);
}

static void rule_4_2_single_failures_are_debug(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  log_clear(&world);
  item_answer(&item, LB_HB_FAILED);
  assert_int_equal(world.log.lines, 1);
  LB_TEST_CONTAINS(world.log.text, "debug");
  LB_TEST_CONTAINS(world.log.text, "01f0-query");
  end(&world, &item);
}

static void stop_for(struct world *world, struct item *item, enum lb_hb_reason reason) {
  if (reason == LB_HB_TERMINAL_STATE) {
    item_answer(item, LB_HB_TERMINAL);
  } else if (reason == LB_HB_HANDLE_LOST) {
    item_answer(item, LB_HB_LOST);
    world_pass(world, 2 * SECOND);
    item_answer(item, LB_HB_LOST);
  } else {
    while (lb_hb_state(item->hb) != LB_HB_STOPPED) {
      while (!item->in_flight) world_pass(world, SECOND);
      item_answer(item, LB_HB_FAILED);
    }
  }
  ASSERT_STOPPED(item, reason);
}

static const enum lb_hb_reason rearmed[] = {LB_HB_TERMINAL_STATE, LB_HB_HANDLE_LOST,
                                            LB_HB_FAILURES};

static void rule_4_3_the_next_success_arms_it_again(void **state) {
  (void)state;
  for (size_t i = 0; i < LB_ARRAY_LEN(rearmed); i++) {
    struct world world;
    struct item item;
    begin(&world, &item);
    stop_for(&world, &item, rearmed[i]);
    /* Whether a close or a cancel succeeds says nothing about the rows. */
    lb_hb_contact(item.hb, LB_RPC_CLOSE, world.now_ms, world.now_ms);
    lb_hb_contact(item.hb, LB_RPC_CANCEL, world.now_ms, world.now_ms);
    ASSERT_STOPPED(&item, rearmed[i]);
    int64_t sent = item.sent;
    lb_hb_contact(item.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
    assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
    assert_int_equal(item_snapshot(&item).armed, 1);
    struct lb_hb_verdict verdict;
    assert_false(lb_hb_stats_verdict(item.stats, &verdict));
    assert_false(world.host->closed);
    world_pass(&world, MINUTE);
    assert_int_equal(item.sent, sent + 1);
    item_answer(&item, LB_HB_ALIVE);
    assert_int_equal(log_count(&world, "armed again"), 1);
    end(&world, &item);
  }
}

static void rule_4_3_armed_again_while_the_old_probe_is_out(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  begin(&world, &items[0]);
  item_init(&items[1], &world);
  world.options.max_failures = 1;
  world.options.max_failures_explicit = true;
  struct item impatient;
  item_init(&impatient, &world);
  world_pass(&world, MINUTE);
  assert_true(impatient.in_flight);
  item_answer(&items[0], LB_HB_FAILED); /* stops the impatient one, whose probe is out */
  ASSERT_STOPPED(&impatient, LB_HB_FAILURES);
  assert_int_equal(impatient.drops, 1);
  lb_hb_contact(impatient.hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
  world_pass(&world, 5 * MINUTE); /* still one at a time */
  assert_int_equal(impatient.sent, 1);
  item_answer(&impatient, LB_HB_LOST); /* dropped */
  world_pass(&world, 0);
  assert_int_equal(impatient.sent, 2);
  item_answer(&impatient, LB_HB_ALIVE);
  assert_int_equal(item_snapshot(&impatient).probes_dropped, 1);
  item_reset(&impatient);
  item_reset(&items[1]);
  end(&world, &items[0]);
}

static void rule_4_4_a_verdict_waits_for_an_error_to_explain(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  item_answer(&item, LB_HB_ALIVE);
  world_pass(&world, MINUTE);
  stop_for(&world, &item, LB_HB_HANDLE_LOST);
  /* Rows at hand are read meanwhile: that changes nothing. */
  lb_hb_reader(item.hb, true, world.now_ms);
  lb_hb_reader(item.hb, false, world.now_ms);
  struct lb_hb_verdict verdict;
  assert_true(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(verdict.reason, LB_HB_HANDLE_LOST);
  assert_int_equal(verdict.last_alive_ms, START_MS + MINUTE);
  assert_int_equal(verdict.idle_ms, 2 * MINUTE + 2 * SECOND);
  assert_int_equal(verdict.succeeded, 1);
  end(&world, &item);
}

static void rule_4_4_rows_win_over_a_verdict(void **state) {
  (void)state;
  struct world world;
  struct item item;
  begin(&world, &item);
  int64_t fetch_sent_ms = world.now_ms; /* before the verdict, answered after it */
  stop_for(&world, &item, LB_HB_HANDLE_LOST);
  lb_hb_contact(item.hb, LB_RPC_FETCH, fetch_sent_ms, world.now_ms);
  struct lb_hb_verdict verdict;
  assert_false(lb_hb_stats_verdict(item.stats, &verdict));
  assert_int_equal(item_snapshot(&item).armed, 1);
  end(&world, &item);
}

static void rule_4_4_no_verdict_after_the_last_row_or_our_own_close(void **state) {
  (void)state;
  static const enum lb_hb_reason ends[] = {LB_HB_END_OF_RESULTS, LB_HB_RELEASED};
  struct lb_hb_verdict verdict;
  for (size_t i = 0; i < LB_ARRAY_LEN(ends); i++) {
    struct world world;
    struct item item;
    begin(&world, &item);
    lb_hb_stop(item.hb, ends[i], world.now_ms);
    item_answer(&item, LB_HB_TERMINAL); /* it was on the way */
    ASSERT_STOPPED(&item, ends[i]);
    assert_false(lb_hb_stats_verdict(item.stats, &verdict));
    end(&world, &item);
  }
  /* The last row was here already when the verdict came. */
  struct world world;
  struct item item;
  begin(&world, &item);
  stop_for(&world, &item, LB_HB_TERMINAL_STATE);
  lb_hb_stop(item.hb, LB_HB_END_OF_RESULTS, world.now_ms);
  assert_false(lb_hb_stats_verdict(item.stats, &verdict));
  end(&world, &item);
}

static void rule_4_5_what_cannot_be_sent_is_a_failure(void **state) {
  (void)state;
  struct world world;
  struct item item;
  world_init(&world);
  world.latency_ms = -1;
  world.send_status = LB_OUT_OF_MEMORY;
  item_init(&item, &world);
  world_pass(&world, MINUTE);
  assert_int_equal(lb_hb_state(item.hb), LB_HB_ARMED);
  struct lb_hb_snapshot snap = item_snapshot(&item);
  assert_int_equal(snap.probes_sent, 0);
  assert_int_equal(snap.probes_failed, 1);
  world_pass(&world, MINUTE);
  assert_true(world.host->closed);
  world_pass(&world, 10 * MINUTE);
  world.send_status = LB_OK;
  world_pass(&world, 30 * SECOND);
  assert_true(item.in_flight);
  item_answer(&item, LB_HB_ALIVE);
  assert_false(world.host->closed);
  end(&world, &item);
}

static void rule_4_5_an_answer_without_a_text_is_survived(void **state) {
  (void)state;
  static const enum lb_hb_answer_kind kinds[] = {LB_HB_LOST, LB_HB_UNAUTHORIZED,
                                                 LB_HB_BUSY, LB_HB_FAILED};
  for (size_t i = 0; i < LB_ARRAY_LEN(kinds); i++) {
    struct world world;
    struct item item;
    begin(&world, &item);
    struct lb_hb_answer answer = {
        .kind = kinds[i], .retry_after_ms = INT64_MIN, .sent_ms = INT64_MAX, .bytes = -5};
    world_report(&item, &answer);
    assert_int_equal(item_snapshot(&item).armed, 1);
    assert_int_equal(item_snapshot(&item).bytes, 0);
    end(&world, &item);
  }
}

LB_TEST_MAIN(LB_TEST(rule_4_0_alive_is_contact_and_goes_on),
             LB_TEST(rule_4_0_terminal_state_stops),
             LB_TEST(rule_4_0_no_state_is_alive_with_one_warning),
             LB_TEST(rule_4_0_rows_lost_is_damage),
             LB_TEST(rule_4_0_unknown_handle_is_confirmed_on_a_fresh_connection),
             LB_TEST(rule_4_0_unknown_once_is_no_loss),
             LB_TEST(rule_4_0_a_failure_confirms_nothing),
             LB_TEST(rule_4_0_refused_token_is_renewed_once_for_all),
             LB_TEST(rule_4_0_refused_without_a_newer_token_is_a_failure),
             LB_TEST(rule_4_0_stopped_while_the_token_is_renewed),
             LB_TEST(rule_4_0_retry_after_silences_the_host),
             LB_TEST(rule_4_0_retry_after_holds_canaries_and_has_an_end),
             LB_TEST(rule_4_1_three_failures_close_the_gate_of_the_host),
             LB_TEST(rule_4_1_successes_in_between_keep_it_open),
             LB_TEST(rule_4_1_canaries_come_after_1_2_4_to_30_s),
             LB_TEST(rule_4_1_one_canary_at_a_time_and_not_always_the_same),
             LB_TEST(rule_4_1_first_success_lets_all_run_paced),
             LB_TEST(rule_4_1_any_success_on_the_host_opens_the_gate),
             LB_TEST(rule_4_1_stopping_the_canary_lets_the_next_one_go),
             LB_TEST(rule_4_1_a_closed_gate_without_results_waits_for_one),
             LB_TEST(rule_4_1_hosts_do_not_share_a_gate),
             LB_TEST(rule_4_1_gives_up_only_when_the_server_has_forgotten),
             LB_TEST(rule_4_1_a_long_outage_with_few_failures_is_no_end),
             LB_TEST(rule_4_1_an_explicit_maximum_decides_alone),
             LB_TEST(rule_3_9_failures_after_a_resume_count_once),
             LB_TEST(rule_3_9_answers_that_come_before_the_timer_count_once),
             LB_TEST(rule_4_2_one_line_per_change_of_the_gate),
             LB_TEST(rule_4_2_giving_up_is_a_warning),
             LB_TEST(rule_4_2_single_failures_are_debug),
             LB_TEST(rule_4_3_the_next_success_arms_it_again),
             LB_TEST(rule_4_3_armed_again_while_the_old_probe_is_out),
             LB_TEST(rule_4_4_a_verdict_waits_for_an_error_to_explain),
             LB_TEST(rule_4_4_rows_win_over_a_verdict),
             LB_TEST(rule_4_4_no_verdict_after_the_last_row_or_our_own_close),
             LB_TEST(rule_4_5_what_cannot_be_sent_is_a_failure),
             LB_TEST(rule_4_5_an_answer_without_a_text_is_survived))
