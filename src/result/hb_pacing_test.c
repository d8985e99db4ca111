/* SPDX-License-Identifier: Apache-2.0 */
/* How many probes a host gets at a time, and what is late (rule 8.4); the end of the
 * scheduler (rule 5.6). */
#include "result/hb_test_support.h"

static void rule_8_4_limit_follows_rate_and_latency(void **state) {
  (void)state;
  enum { COUNT = 2000 };
  static struct item items[COUNT];
  int count = lb_test_rounds(COUNT, 40);
  static const struct {
    int64_t latency_ms;
    int64_t interval_ms;
    int64_t low, high;
  } rows[] = {
      {1, 60 * SECOND, 16, 16},     /* 33/s x 1 ms is next to nothing */
      {900, 60 * SECOND, 56, 60},   /* 2 x 33/s x 0.9 s */
      {200, 10 * SECOND, 78, 80},   /* 2 x 200/s x 0.2 s */
      {2000, 6 * SECOND, 512, 512}, /* 2 x 333/s x 2 s, cut */
  };
  for (size_t row = 0; row < LB_ARRAY_LEN(rows); row++) {
    struct world world;
    world_init(&world);
    world.options.interval_ms = rows[row].interval_ms;
    world.latency_ms = rows[row].latency_ms;
    world.log.log.level = LB_LOG_OFF;
    assert_int_equal(world.limit, 16);
    for (int i = 0; i < count; i++) {
      world_pass(&world, rows[row].interval_ms / count);
      item_init(&items[i], &world);
    }
    world_pass(&world, 10 * MINUTE);
    if (count == COUNT) assert_in_range(world.limit, rows[row].low, rows[row].high);
    world.in_flight_max = 0;
    world_pass(&world, 10 * MINUTE);
    assert_true(world.in_flight_max <= rows[row].high);
    for (int i = 0; i < count; i++) item_reset(&items[i]);
    assert_int_equal(world.limit, 16); /* with the results the rate has gone */
    world_reset(&world);
  }
}

/* What has no room in a busy server would be answered no sooner for waiting there. */
static void rule_8_4_a_busy_server_gets_no_more_connections(void **state) {
  (void)state;
  enum { COUNT = 200 };
  static struct item items[COUNT];
  static const int64_t work_us[] = {4600, 5000, 9000}; /* 200/s are due */
  for (size_t row = 0; row < LB_ARRAY_LEN(work_us); row++) {
    struct world world;
    world_init(&world);
    world.options.interval_ms = SECOND;
    world.latency_ms = 2;
    world.work_us = work_us[row];
    world.log.log.level = LB_LOG_OFF;
    for (int i = 0; i < COUNT; i++) {
      world_pass(&world, 5);
      item_init(&items[i], &world);
    }
    int64_t before = world.sent;
    world_pass(&world, 4 * MINUTE);
    assert_true(world.in_flight_max <= 64);
    /* And all the same it never has nothing to do. */
    int64_t most = 4 * MINUTE * 1000 / LB_MAX(work_us[row], 5000);
    assert_true(world.sent - before >= most * 95 / 100);
    /* A slow way is another matter: there each of them is answered as soon. */
    world.latency_ms = 2 * SECOND;
    world.work_us = 0;
    world_pass(&world, 2 * MINUTE);
    assert_int_equal(world.limit, 512);
    for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
    world_reset(&world);
  }
}

static void rule_8_4_contact_takes_one_out_of_the_queue(void **state) {
  (void)state;
  enum { COUNT = 18 };
  struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = SECOND;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  assert_int_equal(world.host->waiting_count, 2);
  lb_hb_contact(items[17].hb, LB_RPC_FETCH, world.now_ms, world.now_ms);
  assert_int_equal(world.host->waiting_count, 1);
  world_pass(&world, MINUTE - 1);
  assert_int_equal(items[16].sent, 1);
  assert_int_equal(items[17].sent, 0);
  for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
  world_reset(&world);
}

static void rule_8_4_the_rest_waits_its_turn(void **state) {
  (void)state;
  enum { COUNT = 40 };
  static struct item items[COUNT];
  struct world world;
  world_init(&world);
  world.latency_ms = SECOND;
  for (int i = 0; i < COUNT; i++) item_init(&items[i], &world);
  world_pass(&world, MINUTE);
  assert_int_equal(world.in_flight, 16);
  world_pass(&world, 5 * SECOND);
  assert_int_equal(world.sent, COUNT);
  assert_int_equal(world.in_flight_max, 16);
  for (int i = 0; i < COUNT; i++) { /* first come, first served */
    assert_int_equal(items[i].times_ms[0], START_MS + MINUTE + i / 16 * SECOND);
    assert_int_equal(item_snapshot(&items[i]).postponed, i < 16 ? 0 : 1);
    assert_int_equal(item_snapshot(&items[i]).late_max_ms, i / 16 * SECOND);
    item_reset(&items[i]);
  }
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  assert_int_equal(sum.late_max_ms, 2 * SECOND);
  world_reset(&world);
}

static void rule_8_4_lateness_beyond_an_interval_is_a_warning(void **state) {
  (void)state;
  struct world world;
  struct item item;
  struct item other;
  world_init(&world);
  item_init(&item, &world);
  item_init(&other, &world);
  world.now_ms += 2 * MINUTE; /* the loop was kept from running for one interval */
  world_run(&world);
  assert_int_equal(item_snapshot(&item).late_max_ms, MINUTE);
  assert_int_equal(log_count(&world, "are late"), 0);
  for (int i = 1; i <= 2; i++) {
    world_pass(&world, SECOND);
    world.now_ms = item.sent_ms + 2 * MINUTE + 1;
    world_run(&world);
    /* Once, though both are late; again after a minute. */
    assert_int_equal(log_count(&world, "heartbeats to warehouse:443 are late"), i);
    assert_int_equal(item_snapshot(&item).late_max_ms, MINUTE + 1);
  }
  item_reset(&other);
  item_reset(&item);
  world_reset(&world);
}

static void rule_8_4_a_closed_gate_is_not_reported_as_lateness(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  world_init(&world);
  item_init(&items[0], &world);
  item_init(&items[1], &world);
  world.answer.kind = LB_HB_FAILED;
  world_pass(&world, 15 * MINUTE);
  assert_true(world.host->closed);
  world.answer.kind = LB_HB_ALIVE;
  world_pass(&world, MINUTE);
  assert_false(world.host->closed);
  assert_int_equal(log_count(&world, "are late"), 0);
  item_reset(&items[1]);
  item_reset(&items[0]);
  world_reset(&world);
}

/* A process that exits with a result open, and releases it in an exit handler of its own.
 */
static void rule_5_6_a_heartbeat_may_outlive_its_scheduler(void **state) {
  (void)state;
  struct item item;
  struct world world;
  world_init(&world);
  item_init(&item, &world);
  lb_hb_sched_stop_all(world.sched, world.now_ms);
  lb_hb_sched_destroy(world.sched);
  world.sched = NULL;
  world.announced_ms = 0;
  lb_hb_reader(item.hb, true, world.now_ms + MINUTE);
  lb_hb_stop(item.hb, LB_HB_RELEASED, world.now_ms + MINUTE);
  assert_int_equal(world.announced_ms, 0); /* nobody listens any more */
  assert_int_equal(world.sent, 0);
  assert_int_equal(lb_hb_reason(item.hb), LB_HB_SHUTDOWN);
  item_reset(&item);
  world_reset(&world);
}

LB_TEST_MAIN(LB_TEST(rule_8_4_limit_follows_rate_and_latency),
             LB_TEST(rule_8_4_a_busy_server_gets_no_more_connections),
             LB_TEST(rule_8_4_contact_takes_one_out_of_the_queue),
             LB_TEST(rule_8_4_the_rest_waits_its_turn),
             LB_TEST(rule_8_4_lateness_beyond_an_interval_is_a_warning),
             LB_TEST(rule_8_4_a_closed_gate_is_not_reported_as_lateness),
             LB_TEST(rule_5_6_a_heartbeat_may_outlive_its_scheduler))
