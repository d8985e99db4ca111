/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pipe.h"

#include "base/test_support.h"
#include "io/io_test_support.h"

static struct lb_pipe *create(struct lb_io **io) {
  struct lb_pipe *pipe = NULL;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, io, NULL), NULL);
  LB_TEST_OK(lb_pipe_create(*io, &pipe, NULL), NULL);
  return pipe;
}

static void fill(uint8_t *data, size_t len, uint8_t seed) {
  for (size_t i = 0; i < len; i++) data[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

/* Bytes come out as they went in, also around the end of the ring. */
static void test_ring(void **state) {
  (void)state;
  static uint8_t in[2][700 * 1024], out[700 * 1024];
  struct lb_io *io;
  struct lb_pipe *pipe = create(&io);
  bool end = true;
  fill(in[0], sizeof in[0], 1);
  fill(in[1], sizeof in[1], 2);
  assert_true(lb_pipe_write(pipe, in[0], sizeof in[0]));
  assert_int_equal(lb_pipe_pull(pipe, out, sizeof out, &end), sizeof out);
  assert_false(end);
  assert_memory_equal(out, in[0], sizeof out);
  assert_true(lb_pipe_push(pipe, in[1], sizeof in[1]));
  assert_false(lb_pipe_push(pipe, in[0], sizeof in[0])); /* all or nothing */
  assert_int_equal(lb_pipe_read(pipe, out, sizeof out), sizeof out);
  assert_memory_equal(out, in[1], sizeof out);
  assert_int_equal(lb_pipe_pull(pipe, out, sizeof out, &end), 0);
  assert_false(end);
  lb_pipe_finish(pipe);
  assert_int_equal(lb_pipe_pull(pipe, out, sizeof out, &end), 0);
  assert_true(end);
  lb_io_test_round(io);
  lb_pipe_release(pipe);
  lb_io_test_destroy(io, 0);
}

static void count_wake(void *ctx) { (*(int *)ctx)++; }

/* Whoever found it full or empty is woken once. */
static void test_wake(void **state) {
  (void)state;
  static uint8_t data[LB_PIPE_BYTES];
  struct lb_io *io;
  struct lb_pipe *pipe = create(&io);
  int woken = 0;
  bool end;
  pipe->wake = count_wake;
  pipe->wake_ctx = &woken;
  assert_true(lb_pipe_write(pipe, data, 10));
  lb_io_test_round(io);
  assert_int_equal(woken, 0);
  assert_int_equal(lb_pipe_pull(pipe, data, sizeof data, &end), 10);
  assert_int_equal(lb_pipe_pull(pipe, data, sizeof data, &end), 0);
  assert_true(lb_pipe_write(pipe, data, 10));
  assert_true(lb_pipe_write(pipe, data, 10));
  lb_io_test_round(io);
  assert_int_equal(woken, 1);
  assert_false(lb_pipe_push(pipe, data, sizeof data));
  assert_int_equal(lb_pipe_read(pipe, data, 5), 5);
  lb_io_test_round(io);
  assert_int_equal(woken, 2);
  lb_pipe_release(pipe);
  lb_io_test_destroy(io, 0);
}

/* What has come can still be read after the end; nothing can be written. */
static void test_close(void **state) {
  (void)state;
  uint8_t data[10] = {0};
  struct lb_io *io;
  struct lb_pipe *pipe = create(&io);
  assert_true(lb_pipe_push(pipe, "abc", 3));
  lb_pipe_close(pipe);
  assert_false(lb_pipe_write(pipe, data, sizeof data));
  assert_int_equal(lb_pipe_read(pipe, data, sizeof data), 3);
  assert_int_equal(lb_pipe_read(pipe, data, sizeof data), 0);
  lb_pipe_release(pipe);
  lb_io_test_destroy(io, 0);
}

/* What was written for an attempt that is to be repeated does not come with the next. */
static void test_restart(void **state) {
  (void)state;
  static uint8_t data[LB_PIPE_BYTES];
  char got[10] = "";
  struct lb_io *io;
  struct lb_pipe *pipe = create(&io);
  bool end = true;
  assert_true(lb_pipe_write(pipe, data, sizeof data));
  lb_pipe_restart(pipe);
  assert_false(lb_pipe_write(pipe, "old", 3));
  lb_pipe_finish(pipe);
  assert_int_equal(lb_pipe_pull(pipe, got, sizeof got, &end), 0);
  assert_false(end);
  assert_true(lb_pipe_again(pipe));
  assert_true(lb_pipe_write(pipe, "new", 3));
  lb_pipe_finish(pipe);
  assert_int_equal(lb_pipe_pull(pipe, got, sizeof got, &end), 3);
  assert_string_equal(got, "new");
  assert_int_equal(lb_pipe_pull(pipe, got, sizeof got, &end), 0);
  assert_true(end);
  lb_pipe_restart(pipe); /* and again, behind the end of what was written */
  assert_true(lb_pipe_again(pipe));
  assert_true(lb_pipe_write(pipe, "x", 1));
  lb_pipe_restart(pipe);
  lb_io_test_round(io); /* the wake is done: to close is for the thread that wakes */
  lb_pipe_close(pipe);
  assert_false(lb_pipe_again(pipe));
  lb_pipe_release(pipe);
  lb_io_test_destroy(io, 0);
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct lb_io *io;
  LB_TEST_OK(lb_io_test_create(NULL, NULL, &io, NULL), NULL);
  LB_TEST_TORTURE({
    struct lb_error err = LB_ERROR_INIT;
    struct lb_pipe *pipe = NULL;
    LB_TEST_OOM_OR_OK(lb_pipe_create(io, &pipe, &err), &err);
    lb_pipe_release(pipe);
  });
  lb_io_test_destroy(io, 0);
}

LB_TEST_MAIN(LB_TEST(test_ring), LB_TEST(test_wake), LB_TEST(test_close),
             LB_TEST(test_restart), LB_TEST(test_out_of_memory))
