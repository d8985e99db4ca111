/* SPDX-License-Identifier: Apache-2.0 */
#include "io/turns.h"

#include <io_rig.h>

#define LARGE LB_TURNS_LARGE_BYTES
#define CHUNK ((size_t)16 << 10)

/* Without handles of curl, so nothing but the order is at work. */
struct line {
  struct lb_io io;
  struct lb_fake_clock clock;
  struct lb_request reqs[6];
  struct lb_transfer all[6];
};

static struct line line;

static void line_init(int64_t stated) {
  memset(&line, 0, sizeof(line));
  line.io.clock = lb_fake_clock_from(&line.clock);
  lb_list_init(&line.io.owned.turn_line);
  for (size_t i = 0; i < LB_ARRAY_LEN(line.all); i++) {
    line.reqs[i].headers = (struct lb_reply_headers)LB_REPLY_HEADERS_INIT;
    line.reqs[i].headers.content_length = stated;
    line.all[i].req = &line.reqs[i];
    line.all[i].io = &line.io;
    lb_list_init(&line.all[i].turn_node);
  }
}

static bool may(int i) { return lb_turns_may_receive(&line.all[i], CHUNK); }

static void begin_all(int count) {
  for (int i = 0; i < count; i++) assert_int_equal(may(i), i < LB_TURNS_AT_ONCE);
}

static void test_small_ones_never_wait(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  begin_all(4);
  line.reqs[4].headers.content_length = (int64_t)LARGE - 1;
  line.reqs[5].headers.content_length = 0;
  for (int i = 0; i < 100; i++) assert_true(may(4) && may(5));
  assert_int_equal(line.io.owned.turns, LB_TURNS_AT_ONCE);
}

static void test_large_ones_come_in_their_order(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  assert_false(lb_turns_wanted(&line.io));
  begin_all(6);
  for (int i = 0; i < 6; i++) {
    assert_int_equal(lb_turns_wanted(&line.io), i + LB_TURNS_AT_ONCE < 6);
    for (int j = i; j < 6; j++) {
      assert_int_equal(line.all[j].has_turn, j < i + LB_TURNS_AT_ONCE);
      assert_int_equal(lb_list_linked(&line.all[j].turn_node), j >= i + LB_TURNS_AT_ONCE);
    }
    assert_true(may(i));
    lb_turns_leave(&line.all[i]);
  }
  assert_int_equal(line.io.owned.turns, 0);
}

static void test_a_length_that_is_not_stated(void **state) {
  (void)state;
  line_init(-1);
  for (int i = 0; i < 2; i++) line.reqs[i].headers.content_length = (int64_t)LARGE;
  begin_all(2);
  for (size_t got = 0; got + CHUNK < LARGE; got += CHUNK) {
    assert_true(may(2) && may(3));
    line.reqs[2].reply.len += CHUNK;
    line.all[3].sunk_bytes += CHUNK;
  }
  assert_false(may(2));
  assert_false(may(3));
  assert_true(line.all[2].paused && line.all[3].paused);
}

static void test_who_leaves_the_line_frees_no_turn(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  begin_all(5);
  lb_turns_leave(&line.all[2]);
  assert_int_equal(line.io.owned.turns, LB_TURNS_AT_ONCE);
  lb_turns_leave(&line.all[0]);
  assert_true(line.all[3].has_turn);
  lb_turns_leave(&line.all[0]); /* once more does nothing */
  assert_false(line.all[4].has_turn);
}

static int admitted(void) {
  int count = 0;
  for (size_t i = 0; i < LB_ARRAY_LEN(line.all); i++) count += line.all[i].has_turn;
  return count;
}

/* A round of the loop: so much work, then so much sleep. */
static int64_t round_at(int64_t now_us, int64_t work_us, int64_t sleep_us) {
  int64_t from_us = now_us + work_us;
  lb_turns_slept(&line.io, from_us * 1000, (from_us + sleep_us) * 1000);
  return from_us + sleep_us;
}

static void test_a_busy_thread_lets_nobody_go(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  begin_all(6);
  int64_t now_us = 5000;
  for (int i = 0; i < 100; i++) now_us = round_at(now_us, 101, 99);
  assert_int_equal(admitted(), LB_TURNS_AT_ONCE);
}

static void test_an_idle_thread_lets_one_more_go(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  begin_all(6);
  int64_t now_us = round_at(round_at(5000, 0, 2000), 0, 900);
  assert_int_equal(admitted(), LB_TURNS_AT_ONCE); /* that was no window yet */
  now_us = round_at(now_us, 50, 50);
  assert_true(line.all[2].has_turn);
  assert_false(line.all[3].has_turn);
  now_us = round_at(now_us, 400, 600);
  assert_true(line.all[3].has_turn);
  /* Too many are at work, so the next one waits until fewer are. */
  lb_turns_leave(&line.all[0]);
  lb_turns_leave(&line.all[1]);
  assert_false(line.all[4].has_turn);
  lb_turns_leave(&line.all[2]);
  assert_true(line.all[4].has_turn);
  now_us = round_at(now_us, 0, 1000);
  assert_false(lb_turns_wanted(&line.io));
  (void)round_at(now_us, 0, 1000); /* nobody waits */
}

static void test_at_the_end_nobody_has_a_turn_any_more(void **state) {
  (void)state;
  line_init((int64_t)LARGE);
  begin_all(4);
  line.io.owned.draining = true;
  lb_turns_leave(&line.all[0]);
  assert_false(line.all[2].has_turn);
}

/* With curl and a server. */

enum { CROWD = 8 };

static char body_of(int i, size_t at) {
  return (char)('a' + (i + (int)(at / 4096)) % 26);
}

struct crowd {
  struct rig rig;
  struct exchange all[CROWD];
  char *bodies[CROWD];
};

static void crowd_init(struct crowd *crowd, int stuck) {
  struct http_step steps[CROWD];
  rig_init(&crowd->rig);
  for (int i = 0; i < CROWD; i++) {
    crowd->bodies[i] = lb_alloc(LB_MEM_TEST, 2 * LARGE);
    assert_non_null(crowd->bodies[i]);
    for (size_t at = 0; at < 2 * LARGE; at++) crowd->bodies[i][at] = body_of(i, at);
    steps[i] = (struct http_step){.kind = i < stuck ? HTTP_HALF_HANG : HTTP_REPLY,
                                  .body = crowd->bodies[i],
                                  .body_len = 2 * LARGE};
  }
  http_server_script(crowd->rig.server, steps, CROWD);
  for (int i = 0; i < CROWD; i++) {
    exchange_init(&crowd->all[i], crowd->rig.io, crowd->rig.endpoint, LB_REPEAT_NEVER,
                  "q");
    crowd->all[i].req->req_class = LB_REQ_FETCH;
    crowd->all[i].req->max_reply_bytes = 4 * LARGE;
    exchange_start(&crowd->all[i]);
    http_server_wait_requests(crowd->rig.server, i + 1);
  }
}

static void crowd_reset(struct crowd *crowd) {
  for (int i = 0; i < CROWD; i++) exchange_reset(&crowd->all[i]);
  rig_reset(&crowd->rig);
  for (int i = 0; i < CROWD; i++) lb_free(crowd->bodies[i]);
}

static void expect_body(struct crowd *crowd, int i) {
  exchange_wait(&crowd->all[i]);
  const struct lb_request *req = crowd->all[i].req;
  LB_TEST_OK(req->status, &req->err);
  assert_int_equal(req->reply.len, 2 * LARGE);
  assert_memory_equal(req->reply.data, crowd->bodies[i], 2 * LARGE);
}

static void test_every_byte_comes(void **state) {
  (void)state;
  static struct crowd crowd;
  crowd_init(&crowd, 0);
  for (int i = 0; i < CROWD; i++) expect_body(&crowd, i);
  crowd_reset(&crowd);
}

/* More connections are stuck than large replies are received at a time. */
static void test_stuck_ones_stop_nobody(void **state) {
  (void)state;
  static struct crowd crowd;
  int stuck = LB_TURNS_AT_ONCE + 2;
  crowd_init(&crowd, stuck);
  for (int i = stuck; i < CROWD; i++) expect_body(&crowd, i);
  for (int i = 0; i < stuck; i++) {
    lb_request_cancel(crowd.rig.io, crowd.all[i].req);
    exchange_wait(&crowd.all[i]);
    assert_int_equal(crowd.all[i].req->status, LB_CANCELLED);
  }
  crowd_reset(&crowd);
}

LB_TEST_MAIN(LB_TEST(test_small_ones_never_wait),
             LB_TEST(test_large_ones_come_in_their_order),
             LB_TEST(test_a_length_that_is_not_stated),
             LB_TEST(test_who_leaves_the_line_frees_no_turn),
             LB_TEST(test_a_busy_thread_lets_nobody_go),
             LB_TEST(test_an_idle_thread_lets_one_more_go),
             LB_TEST(test_at_the_end_nobody_has_a_turn_any_more),
             LB_TEST(test_every_byte_comes), LB_TEST(test_stuck_ones_stop_nobody))
