/* SPDX-License-Identifier: Apache-2.0 */
/* What files cost the budget, who waits for it, and who never does. */
#include "result/cloud_test_support.h"

static struct lb_budget *budget(struct cloud_rig *c) { return lb_io_budget(c->io.io); }

static int64_t cost(const struct cloud_file *file) {
  return file->raw_bytes + (int64_t)file->body.len + 1;
}

/* Four files that the store gives, and a budget of so many bytes. */
static void init(struct cloud_rig *c, int64_t limit_bytes) {
  cloud_rig_init(c, true);
  cloud_make_files(c, 4);
  cloud_gives_all(c);
  lb_budget_set_limit(budget(c), limit_bytes);
}

/* What is fetched ahead is charged by its real length, and gives back row by row. */
static void test_a_charge_ends_as_rows_are_handed_out(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1 << 20);
  cloud_add(&c, 0, 1, CLOUD_LIFE_MS);
  lb_cloud_last(c.cloud);
  cloud_until_files(&c, 0);
  int64_t charge = cost(&c.files[0]);
  assert_int_equal(lb_budget_used(budget(&c)), charge);
  cloud_read(&c, 5);
  assert_int_equal(lb_budget_used(budget(&c)), charge - charge / 2);
  cloud_read(&c, 10);
  assert_int_equal(lb_budget_used(budget(&c)), 0);
  assert_int_equal(atomic_load(&c.cloud->uncharged), 0);
  cloud_rig_reset(&c);
}

/* No file fits: none is fetched ahead, and each comes as soon as it is waited for. */
static void test_a_blocked_reader_never_waits(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1);
  cloud_add(&c, 0, 4, CLOUD_LIFE_MS);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 0);
  assert_int_equal(cloud_counted(&c, LB_CLOUD_stalls_consumer), 1);
  cloud_read(&c, 10);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 1);
  assert_int_equal(lb_budget_used(budget(&c)), 0);
  cloud_read_all(&c);
  assert_int_equal(lb_budget_peak(budget(&c)), 0);
  cloud_rig_reset(&c);
}

/* While others hold the budget nothing is fetched ahead; when they give it back it is. */
static void test_what_is_fetched_ahead_waits(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1 << 20);
  assert_true(lb_budget_take(budget(&c), 1 << 20));
  cloud_add(&c, 0, 1, CLOUD_LIFE_MS);
  lb_io_test_round(c.io.io);
  assert_int_equal(http_server_requests(c.io.server), 0);
  lb_budget_return(budget(&c), 1 << 20);
  cloud_until_files(&c, 0);
  assert_int_equal(http_server_requests(c.io.server), 1);
  assert_int_equal(lb_budget_used(budget(&c)), cost(&c.files[0]));
  cloud_read(&c, INT64_MAX);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, c.files[0].rows);
  cloud_rig_reset(&c);
}

/* One file fits, and not two: the peak never passes the limit, and beside it there is
 * one file at most, for which the reader waits. */
static void test_the_bound(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 0);
  int64_t limit = 3 * c.files[0].raw_bytes;
  lb_budget_set_limit(budget(&c), limit);
  cloud_add(&c, 0, 4, CLOUD_LIFE_MS);
  for (int64_t rows = 5; rows <= c.rows; rows += 5) {
    cloud_read(&c, rows);
    assert_true(atomic_load(&c.cloud->uncharged) <= 1);
    assert_true(lb_budget_used(budget(&c)) <= limit);
  }
  cloud_read_all(&c);
  assert_in_range(lb_budget_peak(budget(&c)), 1, limit);
  assert_int_equal(lb_budget_used(budget(&c)), 0);
  cloud_rig_reset(&c);
}

/* One file fits, and those of the store are slow: the one that the reader waits for makes
 * room for the next one, and for no more than that. */
static void test_the_file_that_is_waited_for_makes_room(void **state) {
  (void)state;
  struct cloud_rig c;
  struct http_step steps[3];
  init(&c, 0);
  for (int i = 0; i < 3; i++) {
    steps[i] = cloud_gives(&c.files[i]);
    steps[i].kind = HTTP_HOLD;
  }
  http_server_script(c.io.server, steps, 3);
  int64_t limit = 2 * LB_MAX(c.files[0].raw_bytes, c.files[1].raw_bytes) + 1;
  lb_budget_set_limit(budget(&c), limit);
  cloud_add(&c, 0, 3, CLOUD_LIFE_MS);
  http_server_wait_requests(c.io.server, 1);
  assert_int_equal(lb_budget_used(budget(&c)), 2 * c.files[0].raw_bytes + 1);
  cloud_reader_start(&c, INT64_MAX);
  cloud_until_waiting(&c);
  lb_io_test_round(c.io.io);
  assert_int_equal(atomic_load(&c.cloud->uncharged), 0); /* near, one is enough */
  rig_advance(&c.io, 20);
  http_server_wait_requests(c.io.server, 2);
  assert_int_equal(lb_cloud_parallel(c.cloud), 2);
  assert_int_equal(atomic_load(&c.cloud->uncharged), 1);
  assert_int_equal(lb_budget_used(budget(&c)), 2 * c.files[1].raw_bytes + 1);
  rig_advance(&c.io, 20);
  lb_io_test_round(c.io.io);
  assert_int_equal(lb_cloud_parallel(c.cloud), 3);
  assert_int_equal(http_server_requests(c.io.server), 2);
  /* Another one may be held in turn. */
  while (!atomic_load(&c.reader.ended)) {
    http_server_release(c.io.server);
    lb_io_test_round(c.io.io);
  }
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  cloud_check_rows(&c, c.rows - c.files[3].rows);
  assert_int_equal(atomic_load(&c.cloud->uncharged), 0);
  assert_in_range(lb_budget_peak(budget(&c)), 1, limit);
  assert_int_equal(lb_budget_used(budget(&c)), 0);
  cloud_rig_reset(&c);
}

/* A result that is closed while it stands in line leaves it: the line does not keep it
 * alive. */
static void test_an_end_in_the_line(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1 << 20);
  assert_true(lb_budget_take(budget(&c), 1 << 20));
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  lb_io_test_round(c.io.io);
  assert_true(lb_list_linked(&c.cloud->owned.wait.node));
  lb_cloud_close(c.cloud);
  lb_io_test_round(c.io.io);
  assert_false(lb_list_linked(&c.cloud->owned.wait.node));
  lb_budget_return(budget(&c), 1 << 20);
  lb_io_test_round(c.io.io);
  lb_io_test_round(c.io.io);
  assert_int_equal(lb_budget_used(budget(&c)), 0);
  assert_int_equal(http_server_requests(c.io.server), 0);
  cloud_rig_reset(&c);
}

/* What a failed result has charged goes back, too. */
static void test_a_failure_gives_back(void **state) {
  (void)state;
  struct cloud_rig c;
  init(&c, 1 << 20);
  struct http_step step = {.path = "/store/0", .status = 405};
  http_server_script(c.io.server, &step, 1);
  cloud_add(&c, 0, 2, CLOUD_LIFE_MS);
  cloud_read(&c, INT64_MAX);
  LB_TEST_FAILS(LB_HTTP, c.reader.status, &c.reader.err);
  cloud_rig_reset(&c);
}

LB_TEST_MAIN(LB_TEST(test_a_charge_ends_as_rows_are_handed_out),
             LB_TEST(test_a_blocked_reader_never_waits),
             LB_TEST(test_what_is_fetched_ahead_waits), LB_TEST(test_the_bound),
             LB_TEST(test_the_file_that_is_waited_for_makes_room),
             LB_TEST(test_an_end_in_the_line), LB_TEST(test_a_failure_gives_back))
