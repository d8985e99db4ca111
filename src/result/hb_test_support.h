/* SPDX-License-Identifier: Apache-2.0 */
/* A world for tests of the heartbeat: time is an integer, the network a queue of answers,
 * chance a list of numbers. Header-only, for `*_test.c` files alone. */
#ifndef LB_RESULT_HB_TEST_SUPPORT_H
#define LB_RESULT_HB_TEST_SUPPORT_H

#include "base/test_support.h"
#include "result/hb_internal.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
/* When the tests' time begins; far from 0, so that no zero passes for a time. */
#define START_MS (100 * HOUR)

#define ITEM_TIMES_MAX 64

/* One result of the world. */
struct item {
  struct world *world;
  struct lb_hb *hb;
  struct lb_hb_stats *stats;
  bool in_flight;
  bool last_fresh;
  int64_t sent;
  int64_t drops;
  int64_t abandoned;
  int64_t sent_ms;
  int64_t served_ms;  /* not before, however short the way */
  int64_t answer_ms;  /* LB_NEVER_MS: nobody answers by itself */
  int64_t gap_max_ms; /* between two probes that were sent */
  int64_t times_ms[ITEM_TIMES_MAX];
};

struct world {
  struct lb_hb_sched *sched;
  struct lb_hb_host *host;
  struct lb_hb_options options;
  enum lb_server_kind kind;
  enum lb_op_origin origin;
  enum lb_probe_kind probe;
  struct lb_random rnd;
  struct lb_fake_random fake;
  struct lb_fake_log log;
  int64_t now_ms;
  int64_t suspended_ms;
  int64_t announced_ms;
  /* The network: latency_ms < 0 leaves the answers to the test. */
  int64_t latency_ms;
  /* The server does one probe after the other, each in so many microseconds. */
  int64_t work_us;
  int64_t busy_until_us;
  struct lb_hb_answer answer;
  struct lb_hb_answer (*answer_of)(struct item *item); /* instead of the one above */
  void (*on_send)(struct item *item); /* for a test that answers by itself */
  struct item *
      *queue; /* answers under way, oldest first: the latency is the same for all */
  size_t queue_cap;
  size_t queue_head;
  size_t queue_len;
  enum lb_status send_status;
  bool drop_answers_at_once;
  int64_t sent;
  int64_t in_flight;
  int64_t in_flight_max;
  bool can_renew;
  int64_t renewals;
  int32_t limit;
  struct lb_hb_stats *root; /* parent of each item's statistics */
};

static inline struct item *item_of(struct lb_hb *hb) { return lb_hb_owner(hb); }

static inline enum lb_status world_send(struct lb_hb *hb, bool fresh,
                                        struct lb_error *err) {
  struct item *item = item_of(hb);
  struct world *world = item->world;
  assert_false(item->in_flight); /* rule 3.5 */
  assert_int_equal(lb_hb_state(hb), LB_HB_PROBING);
  if (world->send_status != LB_OK) {
    return lb_error_set(err, world->send_status, "the fake network is down");
  }
  if (item->sent > 0)
    item->gap_max_ms = LB_MAX(item->gap_max_ms, world->now_ms - item->sent_ms);
  if (item->sent < ITEM_TIMES_MAX) item->times_ms[item->sent] = world->now_ms;
  item->in_flight = true;
  item->last_fresh = fresh;
  item->sent++;
  item->sent_ms = world->now_ms;
  world->busy_until_us =
      LB_MAX(world->busy_until_us, world->now_ms * 1000) + world->work_us;
  item->served_ms = world->busy_until_us / 1000;
  world->sent++;
  world->in_flight++;
  world->in_flight_max = LB_MAX(world->in_flight_max, world->in_flight);
  if (world->latency_ms >= 0) {
    assert_true(world->queue_len < world->queue_cap);
    world->queue[(world->queue_head + world->queue_len++) % world->queue_cap] = item;
  }
  if (world->on_send != NULL) world->on_send(item);
  return LB_OK;
}

static inline void world_report(struct item *item, const struct lb_hb_answer *answer) {
  struct world *world = item->world;
  assert_true(item->in_flight);
  item->in_flight = false;
  world->in_flight--;
  struct lb_hb_answer filled = *answer;
  if (filled.sent_ms == 0) filled.sent_ms = item->sent_ms;
  lb_hb_answered(item->hb, &filled, world->now_ms);
}

/* Answers the probe in flight now. */
static inline void item_answer(struct item *item, enum lb_hb_answer_kind kind) {
  world_report(item,
               &(struct lb_hb_answer){
                   .kind = kind, .retry_after_ms = -1, .bytes = 100, .text = "fake"});
}

static inline void world_drop(struct lb_hb *hb) {
  struct item *item = item_of(hb);
  item->drops++;
  if (item->world->drop_answers_at_once) item_answer(item, LB_HB_DROPPED);
}

static inline void world_abandoned(struct lb_hb *hb) {
  assert_int_equal(lb_hb_state(hb), LB_HB_STOPPED);
  item_of(hb)->abandoned++;
}

static inline bool world_renew_token(struct lb_hb_host *host, void *ctx) {
  struct world *world = ctx;
  assert_ptr_equal(host, world->host);
  world->renewals++;
  return world->can_renew;
}

static inline void world_probe_limit(struct lb_hb_host *host, int32_t limit, void *ctx) {
  struct world *world = ctx;
  assert_non_null(lb_hb_host_key(host));
  world->limit = limit;
}

static inline void world_reschedule(struct lb_hb_sched *sched, int64_t due_ms,
                                    void *ctx) {
  struct world *world = ctx;
  world->announced_ms = due_ms;
  assert_int_equal(due_ms, lb_hb_sched_next_due(sched));
}

static inline void world_run(struct world *world) {
  lb_hb_sched_run(world->sched, world->now_ms, world->suspended_ms);
}

static const uint64_t world_no_jitter[] = {LB_FAKE_RANDOM_MIDDLE};

static inline void world_init(struct world *world) {
  memset(world, 0, sizeof(*world));
  world->options = lb_hb_options_default;
  world->kind = LB_KIND_DATABRICKS;
  world->probe = LB_PROBE_STATUS;
  world->now_ms = START_MS;
  world->latency_ms = 50;
  world->answer = (struct lb_hb_answer){
      .kind = LB_HB_ALIVE, .retry_after_ms = -1, .bytes = 100, .text = "fake"};
  world->can_renew = true;
  world->queue_cap = 1024;
  world->queue = lb_alloc_array(LB_MEM_MISC, world->queue_cap, sizeof(struct item *));
  assert_non_null(world->queue);
  world->fake = (struct lb_fake_random){world_no_jitter, 1, 0};
  world->rnd = lb_fake_random_from(&world->fake);
  lb_fake_log_init(&world->log, LB_LOG_DEBUG);
  struct lb_hb_ops ops = {.send = world_send,
                          .drop = world_drop,
                          .abandoned = world_abandoned,
                          .renew_token = world_renew_token,
                          .probe_limit = world_probe_limit,
                          .reschedule = world_reschedule,
                          .ctx = world};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_hb_sched_create(&ops, &world->rnd, &world->log.log, &world->sched, &err),
             &err);
  LB_TEST_OK(lb_hb_host_get(world->sched, "warehouse:443", &world->host, &err), &err);
  LB_TEST_OK(lb_hb_stats_create(NULL, &world->root, &err), &err);
  world_run(world);
}

static inline void world_reset(struct world *world) {
  lb_hb_sched_destroy(world->sched);
  lb_hb_stats_release(world->root);
  lb_fake_log_reset(&world->log);
  lb_free(world->queue);
}

/* Made, but not armed. */
static inline void item_create(struct item *item, struct world *world) {
  memset(item, 0, sizeof(*item));
  item->world = world;
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_hb_stats_create(world->root, &item->stats, &err), &err);
  struct lb_hb_setup setup = {.host = world->host,
                              .options = &world->options,
                              .kind = world->kind,
                              .origin = world->origin,
                              .probe = world->probe,
                              .stats = item->stats,
                              .query_id = "01f0-query",
                              .owner = item,
                              .contact_ms = world->now_ms};
  LB_TEST_OK(lb_hb_create(world->sched, &setup, &item->hb, &err), &err);
}

static inline void item_init(struct item *item, struct world *world) {
  item_create(item, world);
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_hb_arm(item->hb, world->now_ms, &err), &err);
}

/* Takes its answer out of the network first, so that nothing is left in flight. */
static inline void item_reset(struct item *item) {
  lb_hb_stop(item->hb, LB_HB_RELEASED, item->world->now_ms);
  if (item->in_flight) {
    struct world *world = item->world;
    for (size_t i = 0; i < world->queue_len; i++) {
      struct item **slot = &world->queue[(world->queue_head + i) % world->queue_cap];
      if (*slot == item) *slot = NULL;
    }
    item_answer(item, LB_HB_DROPPED);
  }
  lb_hb_release(item->hb);
  lb_hb_stats_release(item->stats);
}

static inline int64_t world_answer_ms(const struct world *world,
                                      const struct item *item) {
  return LB_MAX(item->sent_ms + world->latency_ms, item->served_ms);
}

/* The next moment at which something happens by itself. */
static inline int64_t world_next_ms(struct world *world) {
  int64_t next_ms = lb_hb_sched_next_due(world->sched);
  while (world->queue_len > 0) {
    struct item *item = world->queue[world->queue_head];
    if (item != NULL && item->in_flight) {
      return LB_MIN(next_ms, world_answer_ms(world, item));
    }
    world->queue_head = (world->queue_head + 1) % world->queue_cap;
    world->queue_len--;
  }
  return next_ms;
}

/* Lets time pass: timers fire and answers come, each at its own millisecond. */
static inline void world_run_until(struct world *world, int64_t until_ms) {
  for (;;) {
    int64_t next_ms = world_next_ms(world);
    if (next_ms > until_ms) break;
    world->now_ms = LB_MAX(world->now_ms, next_ms);
    if (world->queue_len > 0) {
      struct item *item = world->queue[world->queue_head];
      if (world_answer_ms(world, item) <= world->now_ms) {
        world->queue_head = (world->queue_head + 1) % world->queue_cap;
        world->queue_len--;
        struct lb_hb_answer answer = world->answer;
        if (world->answer_of != NULL) answer = world->answer_of(item);
        world_report(item, &answer);
        continue;
      }
    }
    world_run(world);
  }
  world->now_ms = LB_MAX(world->now_ms, until_ms);
}

static inline void world_pass(struct world *world, int64_t span_ms) {
  world_run_until(world, world->now_ms + span_ms);
}

/* The machine sleeps; nothing runs meanwhile. */
static inline void world_suspend(struct world *world, int64_t span_ms) {
  world->now_ms += span_ms;
  world->suspended_ms += span_ms;
}

static inline struct lb_hb_snapshot item_snapshot(struct item *item) {
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(item->stats, item->world->now_ms, &snap);
  return snap;
}

static inline size_t log_count(const struct world *world, const char *part) {
  size_t count = 0;
  struct lb_str rest = lb_str_from(world->log.text);
  struct lb_str needle = lb_str_from(part);
  for (size_t at = lb_str_find(rest, needle); at != SIZE_MAX;
       at = lb_str_find(rest, needle)) {
    count++;
    rest.data += at + needle.len;
    rest.len -= at + needle.len;
  }
  return count;
}

static inline void log_clear(struct world *world) {
  world->log.len = 0;
  world->log.lines = 0;
  world->log.text[0] = '\0';
}

#define ASSERT_STOPPED(item, why) \
  do { \
    assert_int_equal(lb_hb_state((item)->hb), LB_HB_STOPPED); \
    assert_string_equal(lb_hb_reason_name(lb_hb_reason((item)->hb)), \
                        lb_hb_reason_name(why)); \
  } while (0)

#endif
