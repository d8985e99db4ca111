/* SPDX-License-Identifier: Apache-2.0 */
/* Two tests at length: random steps against a small model of the states, and the load of
 * 100,000 parked results. */
#include "base/os.h"
#include "result/hb_test_support.h"

/* --- random steps ---------------------------------------------------------------------
 *
 * The model knows, for each result, its state, its reason and whether a probe of it is
 * out; times and gates belong to the tests of their rules. After each step the two must
 * agree, and the invariants hold:
 *   - at most one probe in flight per result (world_send asserts it), none sent after a
 *     stop (the model does not adopt one);
 *   - an armed or probing one is in the timer heap exactly once, any other not at all;
 *   - one reason per stop;
 *   - the counters add up. */

enum { RESULTS = 24, STEPS = 120000 };

struct model {
  enum lb_hb_state state;
  enum lb_hb_reason reason;
  bool out; /* a probe is in flight */
  bool detached;
  bool unknown_once;
  bool live;
  int64_t stops;
  int64_t arms;
  int64_t *reasons; /* stops of all results, by reason */
};

struct pair {
  struct item item;
  struct model model;
};

static uint64_t draw(struct lb_random *rnd, uint64_t count) {
  return (uint64_t)lb_random_between(rnd, 0, (int64_t)count - 1);
}

static bool model_live(const struct model *model) {
  return model->state == LB_HB_ARMED || model->state == LB_HB_PROBING;
}

static bool model_rearms(enum lb_hb_reason reason) {
  return reason == LB_HB_FAILURES || reason == LB_HB_HANDLE_LOST ||
         reason == LB_HB_TERMINAL_STATE;
}

static void model_stop(struct model *model, enum lb_hb_reason reason) {
  if (!model_live(model)) return;
  model->state = LB_HB_STOPPED;
  model->reason = reason;
  model->unknown_once = false;
  model->detached = model->out;
  model->stops++;
  model->reasons[reason]++;
}

/* What time and the host's gate do to others is adopted from the real one, if legal. */
static void adopt(struct pair *pair) {
  struct model *model = &pair->model;
  enum lb_hb_state real = lb_hb_state(pair->item.hb);
  enum lb_hb_reason reason = lb_hb_reason(pair->item.hb);
  /* Sent; and perhaps stopped in the same step, when the send of another one failed. */
  if (model->state == LB_HB_ARMED && pair->item.in_flight && !model->out) {
    model->state = LB_HB_PROBING;
    model->out = true;
  }
  bool by_itself = reason == LB_HB_FAILURES || reason == LB_HB_ABANDONED;
  if (model_live(model) && real == LB_HB_STOPPED && by_itself) model_stop(model, reason);
}

static void check(struct world *world, struct pair *pairs) {
  int64_t live = 0;
  for (int i = 0; i < RESULTS; i++) {
    struct pair *pair = &pairs[i];
    if (!pair->model.live) continue;
    struct lb_hb *hb = pair->item.hb;
    adopt(pair);
    assert_int_equal(lb_hb_state(hb), pair->model.state);
    assert_int_equal(lb_hb_reason(hb), pair->model.reason);
    assert_int_equal(pair->item.in_flight, pair->model.out);
    assert_int_equal(pair->item.drops > 0 || !pair->model.detached, true);
    bool timed = lb_heap_contains(&hb->timer);
    assert_int_equal(timed, model_live(&pair->model));
    if (timed) assert_ptr_equal(world->sched->timers.nodes[hb->timer.index], &hb->timer);
    live += timed ? 1 : 0;
    struct lb_hb_snapshot snap = item_snapshot(&pair->item);
    assert_int_equal(snap.state, pair->model.state);
    assert_int_equal(snap.armed, timed ? 1 : 0);
    assert_int_equal(snap.probes_sent, pair->item.sent);
    assert_true(snap.probes_succeeded + snap.probes_dropped <= snap.probes_sent);
    assert_int_equal(pair->model.arms - pair->model.stops, timed ? 1 : 0);
  }
  assert_int_equal(world->sched->timers.len, live);
  assert_int_equal(world->host->member_count, live);
  assert_int_equal(world->host->in_flight, world->in_flight);
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world->root, world->now_ms, &sum);
  assert_int_equal(sum.armed, live);
  assert_int_equal(sum.probes_sent, world->sent);
}

static void model_answer(struct model *model, enum lb_hb_answer_kind kind) {
  model->out = false;
  if (model->detached) {
    model->detached = false;
    return;
  }
  if (!model_live(model)) return;
  bool was_unknown = model->unknown_once;
  model->state = LB_HB_ARMED;
  if (kind == LB_HB_ALIVE || kind == LB_HB_ALIVE_STATE_UNKNOWN)
    model->unknown_once = false;
  if (kind == LB_HB_LOST) model->unknown_once = true;
  if (kind == LB_HB_LOST && was_unknown) model_stop(model, LB_HB_HANDLE_LOST);
  if (kind == LB_HB_TERMINAL) model_stop(model, LB_HB_TERMINAL_STATE);
  if (kind == LB_HB_ROWS_LOST) model_stop(model, LB_HB_DAMAGED);
}

static void step_answer(struct pair *pair, struct lb_random *rnd) {
  if (!pair->item.in_flight) return;
  static const enum lb_hb_answer_kind kinds[] = {
      LB_HB_ALIVE,        LB_HB_ALIVE,     LB_HB_ALIVE,
      LB_HB_ALIVE,        LB_HB_FAILED,    LB_HB_FAILED,
      LB_HB_FAILED,       LB_HB_LOST,      LB_HB_BUSY,
      LB_HB_TERMINAL,     LB_HB_ROWS_LOST, LB_HB_UNAUTHORIZED,
      LB_HB_UNAUTHORIZED, LB_HB_DROPPED,   LB_HB_ALIVE_STATE_UNKNOWN,
  };
  struct lb_hb_answer answer = {.kind = kinds[draw(rnd, LB_ARRAY_LEN(kinds))],
                                .bytes = 100,
                                .text = "fake",
                                .retry_after_ms = draw(rnd, 2) == 0 ? -1 : 3000};
  model_answer(&pair->model, answer.kind);
  world_report(&pair->item, &answer);
}

static void step_contact(struct pair *pair, struct lb_random *rnd) {
  enum lb_op_rpc rpc = (enum lb_op_rpc)draw(rnd, LB_RPC_COUNT);
  struct world *world = pair->item.world;
  if (rpc != LB_RPC_CANCEL && rpc != LB_RPC_CLOSE) {
    pair->model.unknown_once = false;
    if (pair->model.state == LB_HB_STOPPED && model_rearms(pair->model.reason)) {
      pair->model.state = LB_HB_ARMED;
      pair->model.reason = LB_HB_NO_REASON;
      pair->model.arms++;
    }
  }
  int64_t sent_ms = world->now_ms - (int64_t)draw(rnd, 2000);
  lb_hb_contact(pair->item.hb, rpc, sent_ms, world->now_ms);
}

static void step_begin(struct pair *pair, struct world *world, struct lb_random *rnd) {
  int64_t *reasons = pair->model.reasons;
  memset(pair, 0, sizeof(*pair));
  pair->model.reasons = reasons;
  world->options = lb_hb_options_default;
  world->options.interval_ms = (int64_t)(1 + draw(rnd, 60)) * SECOND;
  world->options.max_failures_explicit = draw(rnd, 4) == 0;
  world->options.max_failures = (int32_t)(1 + draw(rnd, 12));
  world->options.max_idle_ms = draw(rnd, 3) == 0 ? 0 : (int64_t)draw(rnd, 3 * HOUR);
  world->options.max_lifetime_ms = draw(rnd, 3) != 0 ? 0 : (int64_t)draw(rnd, 9 * HOUR);
  item_create(&pair->item, world);
  pair->model.live = true;
}

static void step_arm(struct pair *pair) {
  bool legal = pair->model.state != LB_HB_STOPPED || model_rearms(pair->model.reason);
  enum lb_status status = lb_hb_arm(pair->item.hb, pair->item.world->now_ms, NULL);
  assert_int_equal(status, legal ? LB_OK : LB_INVALID_STATE);
  if (!legal || model_live(&pair->model)) return;
  pair->model.state = LB_HB_ARMED;
  pair->model.reason = LB_HB_NO_REASON;
  pair->model.arms++;
}

static void step_stop(struct pair *pair, struct lb_random *rnd) {
  static const enum lb_hb_reason reasons[] = {LB_HB_END_OF_RESULTS, LB_HB_RELEASED,
                                              LB_HB_CANCELED, LB_HB_REEXECUTED,
                                              LB_HB_ALL_LOCAL};
  enum lb_hb_reason reason = reasons[draw(rnd, LB_ARRAY_LEN(reasons))];
  int64_t sent = pair->item.sent;
  model_stop(&pair->model, reason);
  lb_hb_stop(pair->item.hb, reason, pair->item.world->now_ms);
  assert_int_equal(pair->item.sent, sent);
}

/* The one that has stopped makes room for a new result. */
static void step_end(struct pair *pair) {
  if (pair->model.state != LB_HB_STOPPED) return;
  item_reset(&pair->item);
  pair->model.live = false;
}

static void step_world(struct world *world, struct lb_random *rnd) {
  switch (draw(rnd, 40)) {
    case 0:
      world_suspend(world, (int64_t)draw(rnd, HOUR));
      break;
    case 1:
      lb_hb_host_token(world->host, draw(rnd, 2) == 0, world->now_ms);
      break;
    case 2:
      lb_hb_host_success(world->host, world->now_ms);
      break;
    case 3:
      world->send_status = draw(rnd, 3) == 0 ? LB_CONNECTION : LB_OK;
      break;
    case 4:
      world->can_renew = draw(rnd, 2) == 0;
      break;
    case 5: /* a long silence: others may run into their limits */
      world->now_ms += (int64_t)draw(rnd, 40 * MINUTE);
      break;
    default:
      world->now_ms += (int64_t)draw(rnd, 15 * SECOND);
      break;
  }
  world_run(world);
}

static void model_of_the_states(void **state) {
  (void)state;
  struct lb_random_state chance;
  lb_random_seed(&chance, lb_test_seed());
  struct lb_random rnd = lb_random_from(&chance);
  static struct pair pairs[RESULTS];
  memset(pairs, 0, sizeof(pairs));
  struct world world;
  world_init(&world);
  world.latency_ms = -1;
  world.log.log.level = LB_LOG_OFF;
  world.sched->rnd = rnd;
  int64_t reasons[LB_HB_REASON_COUNT] = {0};
  for (int i = 0; i < RESULTS; i++) pairs[i].model.reasons = reasons;
  int steps = lb_test_rounds(STEPS, 600);
  for (int i = 0; i < steps; i++) {
    struct pair *pair = &pairs[draw(&rnd, RESULTS)];
    uint64_t choice = draw(&rnd, 100);
    if (!pair->model.live) {
      step_begin(pair, &world, &rnd);
    } else if (choice < 25) {
      step_answer(pair, &rnd);
    } else if (choice < 35) {
      step_contact(pair, &rnd);
    } else if (choice < 45) {
      lb_hb_reader(pair->item.hb, draw(&rnd, 3) == 0, world.now_ms);
    } else if (choice < 60) {
      step_arm(pair);
    } else if (choice < 63) {
      step_stop(pair, &rnd);
    } else if (choice < 65) {
      step_end(pair);
    } else {
      step_world(&world, &rnd);
    }
    check(&world, pairs);
  }
  /* The steps have been everywhere. */
  static const enum lb_hb_reason expected[] = {
      LB_HB_END_OF_RESULTS, LB_HB_RELEASED, LB_HB_TERMINAL_STATE, LB_HB_HANDLE_LOST,
      LB_HB_DAMAGED,        LB_HB_FAILURES, LB_HB_ABANDONED};
  for (size_t i = 0; i < LB_ARRAY_LEN(expected) && steps == STEPS; i++) {
    if (reasons[expected[i]] == 0) print_error("%s\n", lb_hb_reason_name(expected[i]));
    assert_true(reasons[expected[i]] > 0);
  }
  for (int i = 0; i < RESULTS; i++) {
    if (pairs[i].model.live) item_reset(&pairs[i].item);
  }
  world_reset(&world);
}

/* --- load --------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAD_RESULTS 10000
#else
#define LOAD_RESULTS 100000
#endif

/* All results are made within `spread_ms` and then left alone. */
static void park(int64_t latency_ms, int64_t spread_ms, int64_t minutes) {
  int results = lb_test_rounds(LOAD_RESULTS, 20);
  struct world world;
  world_init(&world);
  lb_free(world.queue);
  world.queue_cap = 1024;
  world.queue = lb_alloc_array(LB_MEM_MISC, world.queue_cap, sizeof(struct item *));
  assert_non_null(world.queue);
  world.options.max_idle_ms = 0;
  world.latency_ms = latency_ms;
  world.log.log.level = LB_LOG_OFF;
  struct lb_random_state chance;
  lb_random_seed(&chance, 11);
  world.sched->rnd = lb_random_from(&chance);
  struct item *items = lb_alloc_array(LB_MEM_MISC, (size_t)results, sizeof(struct item));
  assert_non_null(items);
  int64_t begin_ms = lb_os_monotonic_ms();
  for (int i = 0; i < results; i++) {
    world_run_until(&world, START_MS + i * spread_ms / results);
    item_init(&items[i], &world);
  }
  world_run_until(&world, START_MS + spread_ms + minutes * MINUTE);
  int64_t took_ms = lb_os_monotonic_ms() - begin_ms;
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  print_message(
      "%d results, latency %lld ms, made within %lld s: %lld probes, latest %lld ms, "
      "at most %lld in flight, took %lld ms\n",
      results, (long long)latency_ms, (long long)(spread_ms / SECOND),
      (long long)sum.probes_sent, (long long)sum.late_max_ms,
      (long long)world.in_flight_max, (long long)took_ms);
  assert_int_equal(sum.armed, results);
  assert_in_range(sum.probes_sent, (minutes - 2) * results, (minutes + 2) * results);
  assert_true(sum.late_max_ms <= world.options.interval_ms / 2);
  assert_true(world.in_flight_max <= 512);
  int64_t gap_max_ms = 0;
  for (int i = 0; i < results; i++) {
    gap_max_ms = LB_MAX(gap_max_ms, items[i].gap_max_ms);
    item_reset(&items[i]);
  }
  assert_true(gap_max_ms <= 2 * world.options.interval_ms);
  lb_free(items);
  world_reset(&world);
}

static void rule_8_2_a_hundred_thousand_parked_results(void **state) {
  (void)state;
  park(1, MINUTE, 5);
  park(50, MINUTE, 60);
  park(200, MINUTE, 5);
}

static void rule_8_4_all_made_at_once_and_none_late_by_half_an_interval(void **state) {
  (void)state;
  park(50, 0, 5);
  park(200, 0, 5);
}

/* --- a server that forgets ---------------------------------------------------------- */

#define FORGETS_AFTER_MS (20 * MINUTE)

/* What the server knows of a result: when it was named last, and whether it was idle for
 * too long. */
struct held {
  struct item item;
  int64_t named_ms;
  bool gone;
};

/* Off and on for the whole host; besides, one probe in fifty gets lost. */
static struct lb_hb_answer forgetful(struct item *item) {
  struct held *held = LB_CONTAINER_OF(item, struct held, item);
  struct lb_hb_answer answer = {.retry_after_ms = -1, .bytes = 100, .text = "fake"};
  int64_t minute = (item->world->now_ms - START_MS) / MINUTE;
  bool outage = minute % 60 >= 30 && minute % 60 < 42;
  if (outage || lb_random_between(&item->world->rnd, 0, 49) == 0) {
    answer.kind = LB_HB_FAILED;
    return answer;
  }
  held->gone = held->gone || item->sent_ms - held->named_ms > FORGETS_AFTER_MS;
  held->named_ms = item->sent_ms;
  answer.kind = held->gone ? LB_HB_LOST : LB_HB_ALIVE;
  return answer;
}

/* Ten eviction windows of 25 minutes, with an outage of 12 minutes in every hour. */
static void rule_8_3_none_of_thousands_is_lost_in_ten_windows(void **state) {
  (void)state;
  int count = lb_test_rounds(LOAD_RESULTS / 10, 20);
  struct world world;
  struct lb_random_state chance;
  world_init(&world);
  lb_random_seed(&chance, 13);
  world.rnd = lb_random_from(&chance);
  world.sched->rnd = world.rnd;
  world.log.log.level = LB_LOG_OFF;
  world.options.max_idle_ms = 0;
  world.answer_of = forgetful;
  struct held *helds = lb_alloc_array(LB_MEM_MISC, (size_t)count, sizeof(struct held));
  assert_non_null(helds);
  for (int i = 0; i < count; i++) {
    world_run_until(&world, START_MS + i * MINUTE / count);
    item_init(&helds[i].item, &world);
    helds[i].named_ms = world.now_ms;
  }
  world_run_until(&world, START_MS + 250 * MINUTE);
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  assert_int_equal(sum.armed, count);
  /* Each outage, and now and then three lost probes in a row. */
  assert_in_range(sum.gates_closed, 4, 60);
  for (int i = 0; i < count; i++) {
    assert_false(helds[i].gone);
    assert_true(world.now_ms - helds[i].named_ms < 2 * MINUTE);
    item_reset(&helds[i].item);
  }
  lb_free(helds);
  world_reset(&world);
}

LB_TEST_MAIN(LB_TEST(model_of_the_states),
             LB_TEST(rule_8_2_a_hundred_thousand_parked_results),
             LB_TEST(rule_8_3_none_of_thousands_is_lost_in_ten_windows),
             LB_TEST(rule_8_4_all_made_at_once_and_none_late_by_half_an_interval))
