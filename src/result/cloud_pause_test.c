/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding that runs ahead of the reader stops, and goes on when it is of use again. */
#include "io/workers.h"
#include "result/cloud_test_support.h"

/* Three files more than there may be workers, of which two are more than may be ahead:
 * decoding stops before all of them are decoded, whatever comes at what time. */
#define FILES (LB_WORKERS_MAX + 3)
#define BATCHES 9
#define BATCH_ROWS 40000

/* The same batch again and again: how many rows come is what is looked at. */
static void make_large_files(struct cloud_rig *c) {
  struct bytes batch = {NULL, 0};
  add_rows_message(&batch, &c->arrow, cloud_fields, CLOUD_FIELDS, 0, BATCH_ROWS);
  for (int i = 0; i < FILES; i++) {
    struct cloud_file *file = cloud_make_file(c, 1, BATCH_ROWS);
    struct bytes raw = {NULL, 0};
    encode_schema(&raw, &c->arrow);
    for (int k = 0; k < BATCHES; k++) bytes_add(&raw, batch.data, batch.len);
    bytes_add(&raw, "\xff\xff\xff\xff\0\0\0\0", 8);
    bytes_free(&file->body);
    cloud_pack(&file->body, &raw);
    c->rows += (BATCHES - 1) * BATCH_ROWS;
    file->first_row = CLOUD_FIRST_ROW + (int64_t)i * BATCHES * BATCH_ROWS;
    file->rows = BATCHES * BATCH_ROWS;
    file->raw_bytes = (int64_t)raw.len;
    assert_true(2 * file->raw_bytes > LB_CLOUD_DECODE_AHEAD_BYTES);
    bytes_free(&raw);
  }
  bytes_free(&batch);
  lb_budget_set_limit(lb_io_budget(c->io.io), INT64_C(1) << 30);
}

struct still {
  struct lb_io_task task;
  struct lb_cloud *cloud;
  int waiting; /* files whose bytes are all here, and which nobody decodes */
  int others;
  int64_t ahead_bytes;
};

static void look_on_io(struct lb_io_task *task, struct lb_io *io) {
  struct still *still = LB_CONTAINER_OF(task, struct still, task);
  struct lb_cloud *cloud = still->cloud;
  (void)io;
  lb_mutex_lock(&cloud->synced.mu);
  still->ahead_bytes = cloud->synced.ahead_bytes;
  LB_LIST_FOR_EACH_SAFE(node, next, &cloud->owned.files) {
    struct lb_cloud_file *file = LB_CONTAINER_OF(node, struct lb_cloud_file, owned.node);
    bool here = file->owned.state == LB_FILE_DECODING;
    if (here && file->synced.strand && !lb_cloud_strand_busy(file->synced.strand)) {
      still->waiting++;
    } else {
      still->others++;
    }
  }
  lb_mutex_unlock(&cloud->synced.mu);
}

/* Waits until nothing is done any more but for so many files. */
static struct still until_still(struct cloud_rig *c, int others) {
  int64_t from_ms = lb_os_boottime_ms();
  for (;;) {
    struct still still = {.cloud = c->cloud};
    still.task.run = look_on_io;
    lb_list_init(&still.task.node);
    lb_io_run(c->io.io, &still.task);
    if (still.others == others) return still;
    if (http_server_gives_up((int)(lb_os_boottime_ms() - from_ms))) {
      fail_msg("decoding goes on");
    }
  }
}

/* As far ahead as may be, and what workers had in hand then; not everything. */
static void check_ahead(struct cloud_rig *c, const struct still *still, int files) {
  int64_t raw_bytes = c->files[0].raw_bytes;
  assert_true(still->waiting > 0);
  assert_in_range(still->ahead_bytes, LB_CLOUD_DECODE_AHEAD_BYTES,
                  files * raw_bytes - raw_bytes / 2);
}

static void test_it_stops_and_goes_on(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  make_large_files(&c);
  cloud_gives_all(&c);
  cloud_add(&c, 0, FILES, CLOUD_LIFE_MS);
  struct still still = until_still(&c, 0);
  check_ahead(&c, &still, FILES);
  cloud_read(&c, INT64_MAX);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  assert_int_equal(atomic_load(&c.reader.rows), c.rows);
  cloud_until_files(&c, 0);
  cloud_rig_reset(&c);
}

/* Later files are ahead as far as they may; the one that the reader waits for is decoded
 * all the same when it comes. */
static void test_the_next_file_never_waits(void **state) {
  (void)state;
  struct cloud_rig c;
  struct http_step steps[FILES];
  cloud_rig_init(&c, true);
  make_large_files(&c);
  for (int i = 0; i < FILES; i++) steps[i] = cloud_gives(&c.files[i]);
  steps[0].kind = HTTP_HOLD;
  http_server_script(c.io.server, steps, FILES);
  cloud_add(&c, 0, FILES, CLOUD_LIFE_MS);
  cloud_reader_start(&c, INT64_MAX);
  cloud_until_requests(&c, FILES);
  struct still still = until_still(&c, 1);
  check_ahead(&c, &still, FILES - 1);
  http_server_release(c.io.server);
  cloud_reader_join(&c);
  LB_TEST_OK(c.reader.status, &c.reader.err);
  assert_int_equal(atomic_load(&c.reader.rows), c.rows);
  cloud_until_files(&c, 0);
  cloud_rig_reset(&c);
}

/* Nothing of what waits is left behind. */
static void test_an_end_while_it_waits(void **state) {
  (void)state;
  struct cloud_rig c;
  cloud_rig_init(&c, true);
  make_large_files(&c);
  cloud_gives_all(&c);
  cloud_add(&c, 0, FILES, CLOUD_LIFE_MS);
  assert_true(until_still(&c, 0).waiting > 0);
  cloud_rig_reset(&c);
}

LB_TEST_MAIN(LB_TEST(test_it_stops_and_goes_on), LB_TEST(test_the_next_file_never_waits),
             LB_TEST(test_an_end_while_it_waits))
