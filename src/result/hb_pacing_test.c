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
      {900, 60 * SECOND, 30, 60},   /* 33/s x 0.9 s, at most twice as many */
      {200, 10 * SECOND, 40, 80},   /* 200/s x 0.2 s */
      {2000, 6 * SECOND, 512, 512}, /* 333/s x 2 s, cut */
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
    assert_true(world.limit >= COUNT);
    for (int i = 0; i < COUNT; i++) item_reset(&items[i]);
    world_reset(&world);
  }
}

/* --- servers whose answers overtake one another ---------------------------------------
 *
 * Each probe has a latency of its own, or waits its turn at a server with one queue. */

struct member {
  struct item item;
  struct lb_heap_node answer;
  bool swallowed;     /* nobody answers: it runs into its deadline */
  int64_t gap_max_ms; /* between two that were sent, unless the first was swallowed */
  int64_t sent_ms;    /* -1: the next one does not count */
};

struct crowd {
  struct world world; /* first */
  struct lb_random_state chance;
  struct lb_random rnd;
  struct lb_heap answers;
  struct member *members;
  int count;
  /* The next probe's latency; below 0 it is swallowed. */
  int64_t (*draw)(struct crowd *crowd);
};

static int64_t one_in_ten_slow(struct crowd *crowd) {
  return lb_random_between(&crowd->rnd, 0, 9) == 0 ? 2000 : 20;
}

static int64_t one_in_ten_very_slow(struct crowd *crowd) {
  return lb_random_between(&crowd->rnd, 0, 9) == 0 ? 8000 : 20;
}

static int64_t one_in_hundred_swallowed(struct crowd *crowd) {
  return lb_random_between(&crowd->rnd, 0, 99) == 0 ? -1 : 20;
}

static int64_t slow_for_all(struct crowd *crowd) {
  (void)crowd;
  return 2000;
}

static int64_t fast_for_all(struct crowd *crowd) {
  (void)crowd;
  return 20;
}

/* A median of 100 ms times 2 to the power of a sum of twelve dice, nearly normal: half of
 * what they last altogether comes from one in twenty. */
static int64_t heavy_tailed(struct crowd *crowd) {
  int64_t sixteenths = 0;
  for (int i = 0; i < 12; i++) sixteenths += lb_random_between(&crowd->rnd, -35, 35);
  sixteenths /= 2; /* a deviation of 2.2 doublings */
  int64_t whole = (sixteenths + 1600) / 16 - 100;
  int64_t latency = 100 * (16 + (sixteenths + 1600) % 16) / 16;
  return whole >= 0 ? latency << LB_MIN(whole, 8) : latency >> LB_MIN(-whole, 6);
}

/* One queue, whose work varies. */
static int64_t at_work(struct crowd *crowd) {
  crowd->world.work_us = lb_random_between(&crowd->rnd, 1000, 9000);
  return 2;
}

/* ... and which now and then has a pause. */
static int64_t at_work_with_pauses(struct crowd *crowd) {
  int64_t latency_ms = at_work(crowd);
  if (lb_random_between(&crowd->rnd, 0, 999) == 0) crowd->world.work_us = 200000;
  return latency_ms;
}

static void crowd_sent(struct item *item) {
  struct member *member = LB_CONTAINER_OF(item, struct member, item);
  struct crowd *crowd = LB_CONTAINER_OF(item->world, struct crowd, world);
  if (member->sent_ms >= 0) {
    member->gap_max_ms = LB_MAX(member->gap_max_ms, item->sent_ms - member->sent_ms);
  }
  int64_t latency_ms = crowd->draw(crowd);
  member->sent_ms = latency_ms < 0 ? -1 : item->sent_ms;
  member->swallowed = latency_ms < 0;
  if (latency_ms < 0) latency_ms = lb_hb_request_timeout_ms(item->hb);
  int64_t answer_ms = LB_MAX(item->sent_ms + latency_ms, item->served_ms);
  LB_TEST_OK(lb_heap_insert(&crowd->answers, &member->answer, answer_ms, NULL), NULL);
}

static void crowd_pass(struct crowd *crowd, int64_t span_ms) {
  struct world *world = &crowd->world;
  int64_t until_ms = world->now_ms + span_ms;
  for (;;) {
    struct lb_heap_node *node = lb_heap_min(&crowd->answers);
    int64_t answer_ms = node == NULL ? LB_NEVER_MS : node->key;
    int64_t next_ms = LB_MIN(answer_ms, lb_hb_sched_next_due(world->sched));
    if (next_ms > until_ms) break;
    world->now_ms = LB_MAX(world->now_ms, next_ms);
    if (answer_ms > next_ms) {
      world_run(world);
      continue;
    }
    lb_heap_remove(&crowd->answers, node);
    struct member *member = LB_CONTAINER_OF(node, struct member, answer);
    item_answer(&member->item, member->swallowed ? LB_HB_FAILED : LB_HB_ALIVE);
  }
  world->now_ms = until_ms;
}

/* `count` results, made within an interval. */
static void crowd_init(struct crowd *crowd, int count, int64_t interval_ms,
                       int64_t (*draw)(struct crowd *crowd)) {
  struct world *world = &crowd->world;
  memset(crowd, 0, sizeof(*crowd));
  world_init(world);
  world->options.interval_ms = interval_ms;
  world->options.max_idle_ms = 0;
  world->latency_ms = -1;
  world->log.log.level = LB_LOG_OFF;
  world->on_send = crowd_sent;
  lb_random_seed(&crowd->chance, 17);
  crowd->rnd = lb_random_from(&crowd->chance);
  lb_heap_init(&crowd->answers, LB_MEM_MISC);
  crowd->draw = draw;
  crowd->count = lb_test_rounds(count, 20);
  crowd->members =
      lb_alloc_array(LB_MEM_MISC, (size_t)crowd->count, sizeof(struct member));
  assert_non_null(crowd->members);
  for (int i = 0; i < crowd->count; i++) {
    lb_heap_node_init(&crowd->members[i].answer);
    crowd->members[i].gap_max_ms = 0;
    crowd->members[i].sent_ms = world->now_ms;
    item_init(&crowd->members[i].item, world);
    crowd_pass(crowd, (i + 1) * interval_ms / count - i * interval_ms / count);
  }
}

static void crowd_reset(struct crowd *crowd) {
  for (int i = 0; i < crowd->count; i++) item_reset(&crowd->members[i].item);
  lb_heap_reset(&crowd->answers);
  lb_free(crowd->members);
  world_reset(&crowd->world);
}

/* The longest time that the server has not heard of some result. */
static int64_t crowd_gap_ms(const struct crowd *crowd) {
  int64_t gap_ms = 0;
  for (int i = 0; i < crowd->count; i++) {
    const struct member *member = &crowd->members[i];
    gap_ms = LB_MAX(gap_ms, member->gap_max_ms);
    if (member->sent_ms < 0) continue;
    gap_ms = LB_MAX(gap_ms, crowd->world.now_ms - member->sent_ms);
  }
  return gap_ms;
}

static void crowd_print(const struct crowd *crowd, const char *what, int64_t probes,
                        int64_t span_ms) {
  print_message("%s: %d results, %lld ms: %lld probes in %lld s, longest gap %lld ms, "
                "at most %lld in flight, limit %d\n",
                what, crowd->count, (long long)crowd->world.options.interval_ms,
                (long long)probes, (long long)(span_ms / SECOND),
                (long long)crowd_gap_ms(crowd), (long long)crowd->world.in_flight_max,
                crowd->world.limit);
}

/* Rule 3.3 holds whatever the answers' latencies are, as long as they come side by side:
 * 512 places are enough for each of these. */
static void rule_8_4_mixed_latencies_delay_nobody(void **state) {
  (void)state;
  static const struct {
    const char *what;
    int count;
    int64_t interval_ms;
    int64_t (*draw)(struct crowd *crowd);
  } rows[] = {
      {"one in ten after 2 s", 1000, 6 * SECOND, one_in_ten_slow},
      {"one in ten after 2 s", 10000, 60 * SECOND, one_in_ten_slow},
      {"one in ten after 8 s", 20000, 60 * SECOND, one_in_ten_very_slow},
      {"a heavy tail", 10000, 30 * SECOND, heavy_tailed},
      {"one in a hundred swallowed", 10000, 60 * SECOND, one_in_hundred_swallowed},
      {"one in a hundred swallowed", 1000, 10 * SECOND, one_in_hundred_swallowed},
      {"all after 2 s", 1000, 10 * SECOND, slow_for_all},
  };
  for (size_t row = 0; row < LB_ARRAY_LEN(rows); row++) {
    struct crowd crowd;
    crowd_init(&crowd, rows[row].count, rows[row].interval_ms, rows[row].draw);
    crowd_pass(&crowd, 2 * rows[row].interval_ms);
    int64_t sent = crowd.world.sent;
    int64_t span_ms = 8 * rows[row].interval_ms;
    crowd_pass(&crowd, span_ms);
    sent = crowd.world.sent - sent;
    crowd_print(&crowd, rows[row].what, sent, span_ms);
    assert_true(crowd_gap_ms(&crowd) <= 2 * rows[row].interval_ms);
    /* What is due: a swallowed one takes 30 s more, one after 8 s as well. */
    assert_true(sent >= (int64_t)crowd.count * 8 * 85 / 100);
    assert_true(crowd.world.in_flight_max <= 512);
    crowd_reset(&crowd);
  }
}

/* The server becomes slow, fast again, mixed, and slow: nobody has to wait for the limit
 * to follow. */
static void rule_8_4_a_change_of_the_server_delays_nobody(void **state) {
  (void)state;
  static int64_t (*const phases[])(struct crowd *crowd) = {
      fast_for_all, slow_for_all, fast_for_all,    one_in_ten_slow,
      slow_for_all, heavy_tailed, one_in_ten_slow,
  };
  struct crowd crowd;
  crowd_init(&crowd, 3000, 30 * SECOND, phases[0]);
  for (size_t i = 0; i < LB_ARRAY_LEN(phases); i++) {
    crowd.draw = phases[i];
    crowd_pass(&crowd, 5 * MINUTE);
    crowd_print(&crowd, "changes", crowd.world.sent, 5 * MINUTE);
    assert_true(crowd_gap_ms(&crowd) <= 2 * crowd.world.options.interval_ms);
    if (phases[i] == fast_for_all && i > 0) assert_int_equal(crowd.world.limit, 16);
  }
  crowd_reset(&crowd);
}

/* 200/s are what the server can do on an average; now less, now more is due. */
static void rule_8_4_a_queue_of_uneven_work_gets_no_more_connections(void **state) {
  (void)state;
  static const struct {
    int count;
    uint64_t seed;
    int64_t (*draw)(struct crowd *crowd);
    int64_t most; /* in flight */
  } rows[] = {
      {900, 17, at_work, 64},
      {1000, 17, at_work, 64},
      {3000, 17, at_work, 64},
      {900, 17, at_work_with_pauses, 64},
      {1000, 7, at_work_with_pauses, 128}, /* as much as it can do, but for the pauses: */
      {1000, 11, at_work_with_pauses, 128}, /* chance keeps a raise now and then */
      {3000, 17, at_work_with_pauses, 128},
  };
  for (size_t row = 0; row < LB_ARRAY_LEN(rows); row++) {
    struct crowd crowd;
    crowd_init(&crowd, rows[row].count, 5 * SECOND, rows[row].draw);
    lb_random_seed(&crowd.chance, rows[row].seed);
    int64_t sent = crowd.world.sent;
    int64_t sum = 0;
    int seconds = lb_test_rounds(600, 20);
    for (int second = 0; second < seconds; second++) {
      crowd_pass(&crowd, SECOND);
      sum += crowd.world.in_flight;
    }
    crowd_print(&crowd, "one queue", crowd.world.sent - sent, seconds * SECOND);
    assert_true(sum / seconds <= 32);
    assert_true(crowd.world.in_flight_max <= rows[row].most);
    crowd_reset(&crowd);
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
             LB_TEST(rule_8_4_mixed_latencies_delay_nobody),
             LB_TEST(rule_8_4_a_change_of_the_server_delays_nobody),
             LB_TEST(rule_8_4_a_queue_of_uneven_work_gets_no_more_connections),
             LB_TEST(rule_8_4_contact_takes_one_out_of_the_queue),
             LB_TEST(rule_8_4_the_rest_waits_its_turn),
             LB_TEST(rule_8_4_lateness_beyond_an_interval_is_a_warning),
             LB_TEST(rule_8_4_a_closed_gate_is_not_reported_as_lateness),
             LB_TEST(rule_5_6_a_heartbeat_may_outlive_its_scheduler))
