/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that need more than one result or more than one moment: what one result's end
 * must not do to others, and the server's view of random readers. */
#include "base/buf.h"
#include "base/os.h"
#include "result/hb_test_support.h"

static void rule_3_1_stopping_one_stops_no_other(void **state) {
  (void)state;
  struct world world;
  struct item items[3];
  world_init(&world);
  for (int i = 0; i < 3; i++) item_init(&items[i], &world);
  lb_hb_stop(items[0].hb, LB_HB_RELEASED, world.now_ms);
  world_pass(&world, 90 * SECOND);
  lb_hb_stop(items[1].hb, LB_HB_CANCELED, world.now_ms);
  world_pass(&world, 9 * MINUTE);
  assert_int_equal(items[0].sent, 0);
  assert_int_equal(items[1].sent, 1);
  assert_in_range(items[2].sent, 9, 11);
  struct item late; /* nor does it keep a later one from starting */
  item_init(&late, &world);
  world_pass(&world, 90 * SECOND);
  assert_int_equal(late.sent, 1);
  for (int i = 0; i < 3; i++) item_reset(&items[i]);
  item_reset(&late);
  world_reset(&world);
}

/* The end of one probe that failed to start is the failure of that probe alone. */
static void rule_4_5_one_that_cannot_be_sent_stops_no_other(void **state) {
  (void)state;
  struct world world;
  struct item items[2];
  world_init(&world);
  item_init(&items[0], &world);
  world.send_status = LB_OUT_OF_MEMORY;
  world_pass(&world, 70 * SECOND);
  world.send_status = LB_OK;
  item_init(&items[1], &world);
  world_pass(&world, 10 * MINUTE);
  assert_int_equal(item_snapshot(&items[0]).probes_failed, 1);
  assert_in_range(items[0].sent, 9, 12);
  assert_in_range(items[1].sent, 9, 11);
  item_reset(&items[0]);
  item_reset(&items[1]);
  world_reset(&world);
}

static void rule_8_4_gates_of_one_host_share_its_connections(void **state) {
  (void)state;
  static const char *const keys[] = {"a:443", "a:443 1", "a:443 2", "a:4430", "b:443"};
  struct world world;
  struct lb_hb_host *host;
  world_init(&world);
  for (size_t i = 0; i < LB_ARRAY_LEN(keys); i++) {
    LB_TEST_OK(lb_hb_host_get(world.sched, keys[i], &host, NULL), NULL);
  }
  int32_t one = lb_hb_sched_probe_limit(world.sched, LB_STR("b:443"));
  assert_int_equal(one, 16);
  assert_int_equal(lb_hb_sched_probe_limit(world.sched, LB_STR("a:443")), 3 * one);
  assert_int_equal(lb_hb_sched_probe_limit(world.sched, LB_STR("nobody")), 0);
  for (int i = 0; i < 40; i++) { /* together no more than one host may have */
    char key[32];
    struct lb_buf text;
    lb_buf_init(&text, LB_MEM_MISC, sizeof(key));
    lb_buf_appendf(&text, "a:443 %d", 100 + i);
    lb_str_copy(key, sizeof(key), (struct lb_str){(const char *)text.data, text.len});
    lb_buf_reset(&text);
    LB_TEST_OK(lb_hb_host_get(world.sched, key, &host, NULL), NULL);
  }
  assert_int_equal(lb_hb_sched_probe_limit(world.sched, LB_STR("a:443")), 512);
  world_reset(&world);
}

/* --- the server's view ----------------------------------------------------------------
 *
 * Readers come and go at random, their fetches take as long as they like, probes up to
 * one interval; nothing fails. Whatever they do, the server sees no operation unnamed for
 * more than two intervals. */

enum { READERS = 12, STEPS = 100000 };

struct reader {
  struct item item;
  int64_t interval_ms;
  int64_t named_ms; /* when the server's clock was set last */
  int64_t asked_ms; /* of the fetch in flight; 0 none */
  int64_t probes;   /* seen by the server */
  bool open;
};

static uint64_t draw(struct lb_random *rnd, uint64_t count) {
  return (uint64_t)lb_random_between(rnd, 0, (int64_t)count - 1);
}

static void look(struct reader *reader, int64_t now_ms) {
  if (!reader->open) return;
  if (reader->item.sent > reader->probes) {
    assert_in_range(reader->item.sent_ms - reader->named_ms, 0, 2 * reader->interval_ms);
    reader->named_ms = LB_MAX(reader->named_ms, reader->item.sent_ms);
    reader->probes = reader->item.sent;
  }
  assert_in_range(now_ms - reader->named_ms, 0, 2 * reader->interval_ms);
}

static void open_reader(struct reader *reader, struct world *world,
                        struct lb_random *rnd) {
  memset(reader, 0, sizeof(*reader));
  world->options.interval_ms = (int64_t)(10 + draw(rnd, 50)) * SECOND;
  world->options.max_idle_ms = 0;
  item_init(&reader->item, world);
  reader->interval_ms = world->options.interval_ms;
  reader->named_ms = world->now_ms;
  reader->open = true;
}

static void step(struct reader *reader, struct world *world, struct lb_random *rnd) {
  struct lb_hb *hb = reader->item.hb;
  if (!reader->open) {
    open_reader(reader, world, rnd);
  } else if (draw(rnd, 30) == 0) {
    int64_t sent = reader->item.sent;
    item_reset(&reader->item);
    assert_int_equal(reader->item.sent, sent);
    reader->open = false;
  } else if (reader->asked_ms == 0) {
    lb_hb_reader(hb, true, world->now_ms);
    reader->asked_ms = world->now_ms;
    reader->named_ms = world->now_ms;
  } else {
    lb_hb_contact(hb, LB_RPC_FETCH, reader->asked_ms, world->now_ms);
    lb_hb_reader(hb, false, world->now_ms);
    reader->asked_ms = 0;
  }
}

static void rule_3_3_no_gap_whatever_the_readers_do(void **state) {
  (void)state;
  struct lb_random_state chance;
  lb_random_seed(&chance, lb_test_seed());
  struct lb_random rnd = lb_random_from(&chance);
  static struct reader readers[READERS];
  memset(readers, 0, sizeof(readers));
  struct world world;
  world_init(&world);
  world.log.log.level = LB_LOG_OFF;
  world.sched->rnd = rnd;
  world.latency_ms = 10 * SECOND; /* the shortest interval */
  int steps = lb_test_rounds(STEPS, 400);
  for (int i = 0; i < steps; i++) {
    step(&readers[draw(&rnd, READERS)], &world, &rnd);
    /* Time passes in small pieces, so that no probe is missed between two looks. */
    int64_t until_ms = world.now_ms + (int64_t)draw(&rnd, 12 * SECOND);
    while (world.now_ms < until_ms) {
      world_run_until(&world, LB_MIN(until_ms, world.now_ms + 4 * SECOND));
      for (int n = 0; n < READERS; n++) look(&readers[n], world.now_ms);
    }
  }
  for (int n = 0; n < READERS; n++) {
    if (readers[n].open) item_reset(&readers[n].item);
  }
  assert_true(world.sent > steps / 10);
  world_reset(&world);
}

LB_TEST_MAIN(LB_TEST(rule_3_1_stopping_one_stops_no_other),
             LB_TEST(rule_3_3_no_gap_whatever_the_readers_do),
             LB_TEST(rule_4_5_one_that_cannot_be_sent_stops_no_other),
             LB_TEST(rule_8_4_gates_of_one_host_share_its_connections))
