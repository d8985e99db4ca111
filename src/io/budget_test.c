/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets bytes when, and how many at most. */
#include "io/budget.h"

#include "io/io_internal.h"

#include <io_rig.h>

#define WAITERS_MAX 64
#define GRANTS_MAX 1024

struct waiter {
  struct lb_budget_wait wait;
  int number;
  int again;    /* so many times it stands in line again when it was granted */
  bool returns; /* ... after giving back what it got */
};

/* All but `fixture` is the I/O thread's; read between rounds. */
static struct {
  struct lb_fake_clock clock;
  struct lb_clock clock_table;
  struct lb_io *io;
  struct lb_budget *budget;
  struct waiter waiters[WAITERS_MAX];
  int order[GRANTS_MAX];
  int order_len;
  int64_t used_max;
} fixture;

struct step {
  struct lb_io_task task;
  void (*run)(void *ctx);
  void *ctx;
};

static void run_step(struct lb_io_task *task, struct lb_io *io) {
  struct step *step = LB_CONTAINER_OF(task, struct step, task);
  (void)io;
  step->run(step->ctx);
}

static void on_io(void (*run)(void *ctx), void *ctx) {
  struct step step = {.task.run = run_step, .run = run, .ctx = ctx};
  lb_list_init(&step.task.node);
  lb_io_run(fixture.io, &step.task);
}

static void granted(struct lb_budget_wait *wait, struct lb_io *io) {
  struct waiter *waiter = LB_CONTAINER_OF(wait, struct waiter, wait);
  assert_true(lb_io_on_thread(io) && !lb_list_linked(&wait->node));
  fixture.order[fixture.order_len++] = waiter->number;
  if (waiter->returns) lb_budget_return(fixture.budget, wait->bytes);
  if (waiter->again-- > 0) assert_false(lb_budget_take_or_wait(io, wait));
}

static void setup(int64_t limit_bytes) {
  memset(&fixture, 0, sizeof(fixture));
  fixture.clock = (struct lb_fake_clock){.now_ms = 1000, .awake_ms = 1000};
  fixture.clock_table = lb_fake_clock_from(&fixture.clock);
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_io_test_create(&fixture.clock_table, NULL, &fixture.io, &err), &err);
  fixture.budget = lb_io_budget(fixture.io);
  lb_budget_set_limit(fixture.budget, limit_bytes);
  for (int i = 0; i < WAITERS_MAX; i++) {
    fixture.waiters[i].number = i;
    fixture.waiters[i].wait.granted = granted;
    lb_list_init(&fixture.waiters[i].wait.node);
  }
}

static void leave_all(void *ctx) {
  (void)ctx;
  for (int i = 0; i < WAITERS_MAX; i++) {
    lb_budget_wait_cancel(fixture.io, &fixture.waiters[i].wait);
    lb_budget_wait_cancel(fixture.io, &fixture.waiters[i].wait);
  }
}

static void teardown(void) {
  on_io(leave_all, NULL);
  lb_io_test_destroy(fixture.io, 0);
}

static void stand_in_line(void *ctx) {
  const struct waiter *waiter = ctx;
  struct lb_budget_wait *wait = &fixture.waiters[waiter->number].wait;
  if (lb_budget_take_or_wait(fixture.io, wait)) {
    fixture.order[fixture.order_len++] = waiter->number;
  }
}

static void ask(int number, int64_t bytes) {
  fixture.waiters[number].wait.bytes = bytes;
  on_io(stand_in_line, &fixture.waiters[number]);
}

static void leave(void *ctx) {
  lb_budget_wait_cancel(fixture.io, &fixture.waiters[*(int *)ctx].wait);
}

static void give_back(int64_t bytes) {
  lb_budget_return(fixture.budget, bytes);
  lb_io_test_round(fixture.io);
}

static void advance(int64_t step_ms) {
  lb_fake_clock_advance(&fixture.clock, step_ms);
  lb_io_test_round(fixture.io);
  lb_io_test_round(fixture.io); /* what the timer posted */
}

static void expect(const char *numbers) {
  char got[65] = "";
  assert_true(fixture.order_len < 65);
  for (int i = 0; i < fixture.order_len; i++) got[i] = (char)('0' + fixture.order[i]);
  assert_string_equal(got, numbers);
}

static void test_bytes_are_counted(void **state) {
  (void)state;
  setup(100);
  assert_int_equal(lb_budget_limit(fixture.budget), 100);
  assert_true(lb_budget_take(fixture.budget, 60));
  assert_false(lb_budget_take(fixture.budget, 41));
  assert_true(lb_budget_take(fixture.budget, 40));
  assert_false(lb_budget_take(fixture.budget, 1));
  assert_false(lb_budget_take(fixture.budget, INT64_MAX));
  assert_int_equal(lb_budget_used(fixture.budget), 100);
  lb_budget_return(fixture.budget, 60);
  lb_budget_return(fixture.budget, 0);
  lb_budget_set_limit(fixture.budget, 10); /* nothing is taken back */
  assert_int_equal(lb_budget_used(fixture.budget), 40);
  assert_false(lb_budget_take(fixture.budget, 1));
  lb_budget_return(fixture.budget, 40);
  assert_true(lb_budget_take(fixture.budget, 10));
  lb_budget_return(fixture.budget, 10);
  assert_int_equal(lb_budget_used(fixture.budget), 0);
  assert_int_equal(lb_budget_peak(fixture.budget), 100);
  teardown();
}

static void test_the_usual_limit(void **state) {
  (void)state;
  struct lb_io *io = NULL;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, &io, NULL), NULL);
  assert_int_equal(lb_budget_limit(lb_io_budget(io)), INT64_C(64) << 20);
  lb_io_test_destroy(io, 0);
}

static void test_one_grant_each_in_turn(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 100));
  for (int i = 0; i < 3; i++) {
    fixture.waiters[i].again = 2;
    ask(i, 20);
  }
  expect("");
  give_back(19);
  expect("");
  give_back(1);
  expect("0");
  give_back(20);
  give_back(20);
  expect("012");
  give_back(40); /* two at once, and the rest when there is more */
  expect("01201");
  give_back(80);
  expect("012012012");
  assert_int_equal(lb_budget_used(fixture.budget), 100);
  give_back(100);
  assert_int_equal(lb_budget_used(fixture.budget), 0);
  assert_int_equal(lb_budget_peak(fixture.budget), 100);
  teardown();
}

/* Sixty-four results for the room of three: each gets as much as any other. */
static void test_many_share_it(void **state) {
  (void)state;
  enum { ROUNDS_EACH = 10 };
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 90));
  for (int i = 0; i < WAITERS_MAX; i++) {
    fixture.waiters[i].again = ROUNDS_EACH;
    ask(i, 20 + i % 3 * 5); /* alike, not the same */
  }
  int left = 0; /* of the grants, not yet given back */
  give_back(90);
  while (fixture.order_len < ROUNDS_EACH * WAITERS_MAX) {
    assert_true(left < fixture.order_len);
    int number = fixture.order[left++];
    give_back(fixture.waiters[number].wait.bytes);
  }
  for (int i = 0; i < ROUNDS_EACH * WAITERS_MAX; i++) {
    assert_int_equal(fixture.order[i], i % WAITERS_MAX);
  }
  assert_true(lb_budget_peak(fixture.budget) <= 100);
  teardown();
}

/* Who does not stand in line does not pass those who do. */
static void test_nobody_passes_the_line(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 50));
  ask(0, 80);
  assert_false(lb_budget_take(fixture.budget, 1));
  ask(1, 10);
  expect("");
  give_back(50);
  expect("01");
  assert_true(lb_budget_take(fixture.budget, 10));
  teardown();
}

/* One that wants much is not passed for ever by many that want little. */
static void test_small_ones_do_not_starve_a_large_one(void **state) {
  (void)state;
  setup(100);
  for (int i = 1; i <= 3; i++) ask(i, 30);
  expect("123");
  ask(0, 80);
  for (int round = 0; round < 3; round++) {
    give_back(30);
    ask(1 + round, 30); /* as soon as it has given back, it wants more */
    if (round == 1) assert_int_equal(fixture.order_len, 3);
  }
  expect("1230"); /* 80 of 100, and none of the others fits beside it */
  give_back(80);
  expect("1230123");
  assert_int_equal(lb_budget_peak(fixture.budget), 90);
  teardown();
}

/* While results that nobody reads hold most of it, a large one does not stop the small
 * ones. */
static void test_a_large_one_does_not_starve_small_ones(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 60));
  ask(0, 80);
  for (int i = 1; i <= 3; i++) {
    fixture.waiters[i].again = 1;
    ask(i, 20);
  }
  advance(LB_BUDGET_TURN_MS - 1);
  expect("");
  advance(1);
  expect("12"); /* the large one stands behind 3, the first again behind that */
  give_back(20);
  expect("123");
  give_back(20);
  give_back(20);
  expect("123");
  advance(LB_BUDGET_TURN_MS);
  expect("12312");
  give_back(60);
  expect("123123"); /* they come before it now */
  give_back(40);
  expect("1231230");
  teardown();
}

/* Nothing moves while nobody could be served. */
static void test_no_timer_without_need(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 60));
  ask(0, 80);
  ask(1, 50);
  assert_int_equal(rig_next_due_ms(fixture.io), LB_NEVER_MS);
  ask(2, 40); /* this one could */
  assert_int_equal(rig_next_due_ms(fixture.io), 1000 + LB_BUDGET_TURN_MS);
  int number = 2;
  on_io(leave, &number);
  assert_int_equal(rig_next_due_ms(fixture.io), LB_NEVER_MS);
  ask(2, 40);
  number = 0;
  on_io(leave, &number); /* the next one has a turn of its own */
  lb_fake_clock_advance(&fixture.clock, 10);
  give_back(1);
  assert_int_equal(rig_next_due_ms(fixture.io), 1000 + LB_BUDGET_TURN_MS);
  teardown();
}

static void test_more_than_the_budget_waits_aside(void **state) {
  (void)state;
  setup(100);
  ask(0, 101);
  ask(1, 100);
  expect("1");
  ask(2, 90);
  lb_budget_set_limit(fixture.budget, 80);
  lb_io_test_round(fixture.io);
  give_back(100);
  expect("1"); /* neither 0 nor 2 may any more */
  ask(3, 80);
  expect("13");
  lb_budget_set_limit(fixture.budget, 200);
  lb_io_test_round(fixture.io);
  expect("130");
  int number = 2;
  on_io(leave, &number);
  give_back(80);
  give_back(101);
  expect("130");
  assert_int_equal(lb_budget_used(fixture.budget), 0);
  teardown();
}

static void test_one_that_leaves_makes_room(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 50));
  ask(0, 80);
  ask(1, 40);
  int number = 0;
  on_io(leave, &number);
  lb_io_test_round(fixture.io);
  expect("1");
  assert_true(lb_budget_take(fixture.budget, 10));
  teardown();
}

struct look {
  struct lb_io_task task;
  int order_len;
};

static void run_look(struct lb_io_task *task, struct lb_io *io) {
  (void)io;
  LB_CONTAINER_OF(task, struct look, task)->order_len = fixture.order_len;
}

static void give_back_and_look(void *ctx) {
  struct look *look = ctx;
  lb_list_init(&look->task.node);
  lb_budget_return(fixture.budget, 100);
  lb_io_post(fixture.io, &look->task);
}

/* One that gives back and waits again at once goes round with the loop, not within it. */
static void test_the_loop_goes_on(void **state) {
  (void)state;
  setup(100);
  assert_true(lb_budget_take(fixture.budget, 100));
  for (int i = 0; i < 2; i++) {
    fixture.waiters[i].again = 9;
    fixture.waiters[i].returns = true;
    ask(i, 60);
  }
  struct look look = {.task.run = run_look};
  on_io(give_back_and_look, &look);
  lb_io_test_round(fixture.io);
  assert_int_equal(look.order_len, 2); /* each of them once, before it came to look */
  for (int i = 0; i < 10; i++) lb_io_test_round(fixture.io);
  expect("01010101010101010101");
  assert_int_equal(lb_budget_used(fixture.budget), 0);
  teardown();
}

static void test_posts_only_while_somebody_waits(void **state) {
  (void)state;
  setup(100);
  lb_io_test_round(fixture.io); /* what the limit posted */
  assert_true(lb_budget_take(fixture.budget, 100));
  lb_budget_return(fixture.budget, 10);
  assert_false(atomic_load(&fixture.budget->task_posted));
  ask(0, 95);
  for (int i = 0; i < 5; i++) give_back(1);
  assert_false(atomic_load(&fixture.budget->task_posted));
  lb_budget_return(fixture.budget, 85);
  lb_io_test_round(fixture.io);
  expect("0");
  teardown();
}

/* Threads that take and give back beside waiters that go round. */
#define ROUNDS 2000

static void *take_and_return(void *arg) {
  int taken = 0;
  (void)arg;
  for (int i = 0; i < ROUNDS; i++) {
    if (!lb_budget_take(fixture.budget, 30)) continue;
    taken++;
    if (lb_budget_used(fixture.budget) > 100) _exit(1);
    lb_budget_return(fixture.budget, 30);
  }
  return taken >= 0 ? arg : NULL;
}

struct runner {
  struct lb_budget_wait wait;
  struct lb_thread thread;
  struct lb_mutex mu;
  struct lb_cond cond;
  int grants; /* guarded by mu */
  struct lb_io_task task;
};

static void count_grant(struct lb_budget_wait *wait, struct lb_io *io) {
  struct runner *runner = LB_CONTAINER_OF(wait, struct runner, wait);
  (void)io;
  lb_mutex_lock(&runner->mu);
  runner->grants++;
  lb_cond_signal(&runner->cond);
  lb_mutex_unlock(&runner->mu);
}

static void ask_once(struct lb_io_task *task, struct lb_io *io) {
  struct runner *runner = LB_CONTAINER_OF(task, struct runner, task);
  if (lb_budget_take_or_wait(io, &runner->wait)) runner->wait.granted(&runner->wait, io);
}

/* A result: its reader asks, waits, and gives back on its own thread. */
static void *read_ahead(void *arg) {
  struct runner *runner = arg;
  for (int i = 1; i <= ROUNDS / 10; i++) {
    runner->task.run = ask_once;
    lb_list_init(&runner->task.node);
    lb_io_post(fixture.io, &runner->task);
    lb_mutex_lock(&runner->mu);
    while (runner->grants < i) lb_cond_wait(&runner->cond, &runner->mu);
    lb_mutex_unlock(&runner->mu);
    lb_budget_return(fixture.budget, runner->wait.bytes);
  }
  return NULL;
}

static void test_many_threads(void **state) {
  (void)state;
  struct lb_thread takers[2];
  static struct runner runners[4];
  setup(100);
  for (size_t i = 0; i < LB_ARRAY_LEN(runners); i++) {
    struct runner *runner = &runners[i];
    *runner =
        (struct runner){.wait = {.bytes = 20 + 25 * (int64_t)i, .granted = count_grant}};
    lb_list_init(&runner->wait.node);
    LB_TEST_OK(lb_mutex_init(&runner->mu, NULL), NULL);
    LB_TEST_OK(lb_cond_init(&runner->cond, NULL), NULL);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(takers); i++) {
    LB_TEST_OK(lb_os_thread_start(&takers[i], "taker", take_and_return, NULL, NULL),
               NULL);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(runners); i++) {
    LB_TEST_OK(
        lb_os_thread_start(&runners[i].thread, "reader", read_ahead, &runners[i], NULL),
        NULL);
  }
  for (size_t i = 0; i < LB_ARRAY_LEN(takers); i++) lb_os_thread_join(&takers[i]);
  for (size_t i = 0; i < LB_ARRAY_LEN(runners); i++) {
    lb_os_thread_join(&runners[i].thread);
    assert_int_equal(runners[i].grants, ROUNDS / 10);
    lb_cond_destroy(&runners[i].cond);
    lb_mutex_destroy(&runners[i].mu);
  }
  assert_int_equal(lb_budget_used(fixture.budget), 0);
  assert_true(lb_budget_peak(fixture.budget) <= 100);
  teardown();
}

LB_TEST_MAIN(LB_TEST(test_bytes_are_counted), LB_TEST(test_the_usual_limit),
             LB_TEST(test_one_grant_each_in_turn), LB_TEST(test_many_share_it),
             LB_TEST(test_nobody_passes_the_line),
             LB_TEST(test_small_ones_do_not_starve_a_large_one),
             LB_TEST(test_a_large_one_does_not_starve_small_ones),
             LB_TEST(test_no_timer_without_need),
             LB_TEST(test_more_than_the_budget_waits_aside),
             LB_TEST(test_one_that_leaves_makes_room), LB_TEST(test_the_loop_goes_on),
             LB_TEST(test_posts_only_while_somebody_waits), LB_TEST(test_many_threads))
