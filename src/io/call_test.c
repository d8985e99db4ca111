/* SPDX-License-Identifier: Apache-2.0 */
#include "io/call.h"

#include "base/os.h"
#include "base/test_support.h"
#include "io/io_test_support.h"

/* A call that does what its fields say when it begins. */
struct probe_call {
  struct lb_call base;
  bool finish_at_once;
  bool finish_at_abandon;
  enum lb_status outcome;
  atomic_int *begun;
  atomic_int *abandoned;
  atomic_int *taken;   /* finish said true */
  atomic_int *dropped; /* finish said false */
  atomic_int *destroyed;
  struct lb_io_task finish_task;
};

struct counts {
  atomic_int begun, abandoned, taken, dropped, destroyed;
};

static void end(struct probe_call *call) {
  struct lb_error err = LB_ERROR_INIT;
  atomic_int *taken = call->taken, *dropped = call->dropped;
  if (call->outcome != LB_OK) (void)lb_error_set(&err, call->outcome, "as planned");
  bool heard = lb_call_finish(&call->base, call->outcome, &err);
  atomic_fetch_add(heard ? taken : dropped, 1);
}

static void begin(struct lb_call *base, struct lb_io *io) {
  struct probe_call *call = LB_CONTAINER_OF(base, struct probe_call, base);
  (void)io;
  atomic_fetch_add(call->begun, 1);
  if (call->finish_at_once) end(call);
}

static void abandon(struct lb_call *base, struct lb_io *io) {
  struct probe_call *call = LB_CONTAINER_OF(base, struct probe_call, base);
  (void)io;
  atomic_fetch_add(call->abandoned, 1);
  if (!lb_call_abandoned(base)) fail_msg("abandon without having been given up");
  if (call->finish_at_abandon) end(call);
}

static void destroy(struct lb_call *base) {
  struct probe_call *call = LB_CONTAINER_OF(base, struct probe_call, base);
  atomic_fetch_add(call->destroyed, 1);
  lb_free(call);
}

static const struct lb_call_ops probe_ops = {
    .name = "probe", .begin = begin, .abandon = abandon, .destroy = destroy};

static void run_finish(struct lb_io_task *task, struct lb_io *io) {
  (void)io;
  end(LB_CONTAINER_OF(task, struct probe_call, finish_task));
}

/* From now on the I/O thread will finish it. */
static void finish_soon(struct probe_call *call) {
  call->finish_task.run = run_finish;
  lb_list_init(&call->finish_task.node);
  lb_io_post(call->base.io, &call->finish_task);
}

static struct probe_call *create(struct lb_io *io, struct counts *counts) {
  struct lb_error err = LB_ERROR_INIT;
  struct probe_call *call = lb_alloc_zero(LB_MEM_MISC, sizeof(*call));
  assert_non_null(call);
  LB_TEST_OK(lb_call_init(&call->base, &probe_ops, io, &err), &err);
  call->begun = &counts->begun;
  call->abandoned = &counts->abandoned;
  call->taken = &counts->taken;
  call->dropped = &counts->dropped;
  call->destroyed = &counts->destroyed;
  return call;
}

static struct lb_io *io_create(void) {
  struct lb_error err = LB_ERROR_INIT;
  struct lb_io *io = NULL;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, &io, &err), &err);
  return io;
}

static void test_finish_is_heard(void **state) {
  (void)state;
  static const enum lb_status outcomes[] = {LB_OK, LB_RESULT_LOST};
  struct lb_io *io = io_create();
  for (size_t i = 0; i < LB_ARRAY_LEN(outcomes); i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct counts counts = {0};
    struct probe_call *call = create(io, &counts);
    call->finish_at_once = true;
    call->outcome = outcomes[i];
    assert_false(lb_call_done(&call->base));
    lb_call_start(&call->base);
    assert_int_equal(lb_call_wait(&call->base, LB_NEVER_MS, &err), outcomes[i]);
    if (outcomes[i] != LB_OK) assert_string_equal(err.message, "as planned");
    assert_true(lb_call_done(&call->base));
    assert_false(lb_call_cancel(&call->base));
    lb_io_test_round(io);
    assert_int_equal(counts.destroyed, 0);
    lb_call_release(&call->base);
    assert_int_equal(counts.taken, 1);
    assert_int_equal(counts.abandoned, 0);
    assert_int_equal(counts.destroyed, 1);
  }
  lb_io_test_destroy(io, 0);
}

static void test_deadline(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct lb_io *io = io_create();
  struct probe_call *call = create(io, &counts);
  lb_call_start(&call->base);
  lb_io_test_round(io);
  LB_TEST_FAILS(LB_TIMEOUT, lb_call_wait(&call->base, lb_io_now_ms(io), &err), &err);
  LB_TEST_CONTAINS(err.message, "probe");
  assert_true(lb_call_abandoned(&call->base));
  assert_true(lb_call_done(&call->base));
  assert_false(lb_call_cancel(&call->base));
  lb_io_test_round(io);
  assert_int_equal(counts.abandoned, 1);
  finish_soon(call); /* the steps come to their end as an orphan */
  lb_call_release(&call->base);
  lb_io_test_round(io);
  assert_int_equal(counts.dropped, 1);
  assert_int_equal(counts.destroyed, 1);
  lb_io_test_destroy(io, 0);
}

static void test_cancel_before_the_waiter_comes(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct lb_io *io = io_create();
  struct probe_call *call = create(io, &counts);
  call->finish_at_abandon = true;
  lb_call_start(&call->base);
  lb_io_test_round(io);
  assert_true(lb_call_cancel(&call->base));
  assert_false(lb_call_cancel(&call->base));
  lb_io_test_round(io);
  assert_int_equal(counts.abandoned, 1);
  assert_int_equal(counts.dropped, 1);
  LB_TEST_FAILS(LB_CANCELLED, lb_call_wait(&call->base, LB_NEVER_MS, &err), &err);
  LB_TEST_CONTAINS(err.message, "probe was cancelled");
  lb_call_release(&call->base);
  assert_int_equal(counts.destroyed, 1);
  lb_io_test_destroy(io, 0);
}

/* Holds the I/O thread until the test lets it go. */
struct gate {
  struct lb_io_task task;
  struct lb_mutex mu;
  struct lb_cond cond;
  bool entered, open;
};

static void run_gate(struct lb_io_task *task, struct lb_io *io) {
  struct gate *gate = LB_CONTAINER_OF(task, struct gate, task);
  (void)io;
  lb_mutex_lock(&gate->mu);
  gate->entered = true;
  lb_cond_broadcast(&gate->cond);
  while (!gate->open) lb_cond_wait(&gate->cond, &gate->mu);
  lb_mutex_unlock(&gate->mu);
}

static void gate_close(struct gate *gate, struct lb_io *io) {
  *gate = (struct gate){.task.run = run_gate};
  LB_TEST_OK(lb_mutex_init(&gate->mu, NULL), NULL);
  LB_TEST_OK(lb_cond_init(&gate->cond, NULL), NULL);
  lb_list_init(&gate->task.node);
  lb_io_post(io, &gate->task);
  lb_mutex_lock(&gate->mu);
  while (!gate->entered) lb_cond_wait(&gate->cond, &gate->mu);
  lb_mutex_unlock(&gate->mu);
}

static void gate_open(struct gate *gate, struct lb_io *io) {
  lb_mutex_lock(&gate->mu);
  gate->open = true;
  lb_cond_broadcast(&gate->cond);
  lb_mutex_unlock(&gate->mu);
  lb_io_test_round(io);
  lb_cond_destroy(&gate->cond);
  lb_mutex_destroy(&gate->mu);
}

static void test_given_up_before_begin_never_begins(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct gate gate;
  struct lb_io *io = io_create();
  struct probe_call *call = create(io, &counts);
  gate_close(&gate, io);
  lb_call_start(&call->base);
  assert_true(lb_call_cancel(&call->base));
  LB_TEST_FAILS(LB_CANCELLED, lb_call_wait(&call->base, LB_NEVER_MS, &err), &err);
  lb_call_release(&call->base);
  assert_int_equal(counts.destroyed, 0);
  gate_open(&gate, io);
  assert_int_equal(counts.begun, 0);
  assert_int_equal(counts.abandoned, 0);
  assert_int_equal(counts.destroyed, 1);
  lb_io_test_destroy(io, 0);
}

/* Finished between giving up and the abandon task: abandon is not called. */
static void test_finish_before_the_abandon_task(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct gate gate;
  struct lb_io *io = io_create();
  struct probe_call *call = create(io, &counts);
  lb_call_start(&call->base);
  lb_io_test_round(io);
  gate_close(&gate, io);
  finish_soon(call);
  assert_true(lb_call_cancel(&call->base));
  LB_TEST_FAILS(LB_CANCELLED, lb_call_wait(&call->base, LB_NEVER_MS, &err), &err);
  gate_open(&gate, io);
  assert_int_equal(counts.begun, 1);
  assert_int_equal(counts.dropped, 1);
  assert_int_equal(counts.abandoned, 0);
  lb_call_release(&call->base);
  assert_int_equal(counts.destroyed, 1);
  lb_io_test_destroy(io, 0);
}

static void test_slot(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct lb_call_slot slot;
  struct lb_io *io = io_create();
  LB_TEST_OK(lb_call_slot_init(&slot, &err), &err);
  assert_false(lb_call_slot_cancel(&slot, NULL));
  struct probe_call *call = create(io, &counts);
  call->finish_at_once = true;
  LB_TEST_OK(lb_call_run(&slot, &call->base, LB_NEVER_MS, &err), &err);
  assert_false(lb_call_slot_cancel(&slot, NULL)); /* late: nothing runs */
  lb_call_release(&call->base);
  call = create(io, &counts);
  LB_TEST_FAILS(LB_TIMEOUT, lb_call_run(&slot, &call->base, 0, &err), &err);
  assert_false(lb_call_slot_cancel(&slot, NULL));
  lb_call_release(&call->base);
  lb_io_test_round(io);
  /* Given up before its turn or after it, depending on the threads. */
  if (counts.destroyed == 1) finish_soon(call);
  lb_call_slot_destroy(&slot);
  lb_io_test_destroy(io, 0);
  assert_int_equal(counts.destroyed, 2);
}

/* A turn is found by cancel before, between and after its calls, and no later one is. */
static void test_turn(void **state) {
  (void)state;
  struct lb_error err = LB_ERROR_INIT;
  struct counts counts = {0};
  struct lb_call_slot slot;
  struct lb_io *io = io_create();
  LB_TEST_OK(lb_call_slot_init(&slot, &err), &err);
  uint64_t turn = 0, seen = 9;
  assert_false(lb_call_slot_cancel(&slot, &seen));
  assert_int_equal(seen, 0);
  LB_TEST_OK(lb_call_slot_enter(&slot, "execute", &turn, &err), &err);
  assert_int_equal(turn, 1);
  LB_TEST_FAILS(LB_INVALID_STATE, lb_call_slot_enter(&slot, "bind", &turn, &err), &err);
  LB_TEST_CONTAINS(err.message, "bind");
  struct probe_call *call = create(io, &counts);
  call->finish_at_once = true;
  LB_TEST_OK(lb_call_run(&slot, &call->base, LB_NEVER_MS, &err), &err);
  lb_call_release(&call->base);
  assert_true(lb_call_slot_cancel(&slot, &seen)); /* between two calls */
  assert_true(lb_call_slot_cancel(&slot, NULL));
  assert_int_equal(seen, 1);
  call = create(io, &counts);
  LB_TEST_FAILS(LB_CANCELLED, lb_call_run(&slot, &call->base, LB_NEVER_MS, &err), &err);
  lb_call_release(&call->base);
  assert_true(lb_call_slot_leave(&slot));
  assert_false(lb_call_slot_cancel(&slot, &seen));
  LB_TEST_OK(lb_call_slot_enter(&slot, "execute", &turn, &err), &err);
  assert_int_equal(turn, 2);
  call = create(io, &counts);
  call->finish_at_once = true;
  LB_TEST_OK(lb_call_run(&slot, &call->base, LB_NEVER_MS, &err), &err);
  lb_call_release(&call->base);
  assert_false(lb_call_slot_leave(&slot));
  lb_io_test_destroy(io, 0);
  lb_call_slot_destroy(&slot);
  assert_int_equal(counts.begun, 2);
  assert_int_equal(counts.destroyed, 3);
}

/* The canceller came while the waiter was on its way. */
static void test_shut_slot(void **state) {
  (void)state;
  struct lb_io *io = io_create();
  struct counts counts = {0};
  struct lb_error err = LB_ERROR_INIT;
  struct lb_call_slot slot;
  LB_TEST_OK(lb_call_slot_init(&slot, &err), &err);
  lb_call_slot_shut(&slot);
  struct probe_call *call = create(io, &counts);
  LB_TEST_FAILS(LB_CANCELLED, lb_call_run(&slot, &call->base, LB_NEVER_MS, &err), &err);
  lb_call_release(&call->base);
  call = create(io, &counts);
  call->finish_at_abandon = true;
  lb_call_start(&call->base);
  lb_io_test_round(io);
  LB_TEST_FAILS(LB_CANCELLED, lb_call_slot_wait(&slot, &call->base, LB_NEVER_MS, &err),
                &err);
  lb_call_release(&call->base);
  lb_io_test_destroy(io, 0);
  lb_call_slot_destroy(&slot);
  assert_int_equal(counts.begun, 1);
  assert_int_equal(counts.abandoned, 1);
  assert_int_equal(counts.destroyed, 2);
}

/* Any number of threads run calls in a slot of their own; others cancel them. */
#define RACE_ROUNDS lb_test_rounds(3000, 12)

struct race {
  struct lb_io *io;
  struct lb_call_slot slot;
  struct counts counts;
  atomic_int ok, cancelled, timed_out, slot_hits;
  atomic_bool over;
};

static void *cancel_again_and_again(void *arg) {
  struct race *race = arg;
  while (!atomic_load(&race->over)) {
    if (lb_call_slot_cancel(&race->slot, NULL)) atomic_fetch_add(&race->slot_hits, 1);
  }
  return NULL;
}

static void *call_again_and_again(void *arg) {
  struct race *race = arg;
  for (int i = 0; i < RACE_ROUNDS; i++) {
    struct lb_error err = LB_ERROR_INIT;
    struct probe_call *call = create(race->io, &race->counts);
    call->finish_at_once = i % 2 == 0;
    call->finish_at_abandon = true;
    int64_t deadline_ms = i % 3 == 0 ? lb_io_now_ms(race->io) : LB_NEVER_MS;
    enum lb_status status = lb_call_run(&race->slot, &call->base, deadline_ms, &err);
    if (status == LB_OK) atomic_fetch_add(&race->ok, 1);
    if (status == LB_CANCELLED) atomic_fetch_add(&race->cancelled, 1);
    if (status == LB_TIMEOUT) atomic_fetch_add(&race->timed_out, 1);
    lb_call_release(&call->base);
  }
  return NULL;
}

static void test_races(void **state) {
  (void)state;
  static struct race race;
  struct lb_thread caller, canceller[2];
  memset(&race, 0, sizeof(race));
  race.io = io_create();
  LB_TEST_OK(lb_call_slot_init(&race.slot, NULL), NULL);
  LB_TEST_OK(lb_os_thread_start(&caller, "caller", call_again_and_again, &race, NULL),
             NULL);
  for (int i = 0; i < 2; i++) {
    LB_TEST_OK(
        lb_os_thread_start(&canceller[i], "cancel", cancel_again_and_again, &race, NULL),
        NULL);
  }
  lb_os_thread_join(&caller);
  atomic_store(&race.over, true);
  for (int i = 0; i < 2; i++) lb_os_thread_join(&canceller[i]);
  lb_io_test_destroy(race.io, 0);
  lb_call_slot_destroy(&race.slot);
  assert_int_equal(race.ok + race.cancelled + race.timed_out, RACE_ROUNDS);
  /* Each cancel that said true made one waiter return LB_CANCELLED, and no other did. */
  assert_int_equal(race.slot_hits, race.cancelled);
  assert_int_equal(race.counts.taken, race.ok);
  assert_int_equal(race.counts.taken + race.counts.dropped, race.counts.begun);
  assert_int_equal(race.counts.destroyed, RACE_ROUNDS);
}

LB_TEST_MAIN(LB_TEST(test_finish_is_heard), LB_TEST(test_deadline),
             LB_TEST(test_cancel_before_the_waiter_comes),
             LB_TEST(test_given_up_before_begin_never_begins),
             LB_TEST(test_finish_before_the_abandon_task), LB_TEST(test_slot),
             LB_TEST(test_turn), LB_TEST(test_shut_slot), LB_TEST(test_races))
