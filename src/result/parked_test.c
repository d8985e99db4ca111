/* SPDX-License-Identifier: Apache-2.0 */
#include "result/parked.h"

#include "session/session_internal.h"
#include <io_rig.h>

#define TIMERS 200

/* A result of nothing but its heartbeat, on a backend that counts probes. */
struct parked_rig {
  struct rig rig;
  struct lb_session sess;
  struct lb_op op;
  struct lb_parked parked;
  struct lb_hb_stats *stats;
  struct lb_hb_options options;
  struct lb_io_task task;
  struct lb_timer others[TIMERS];
  int other_count;
  bool armed;
  int refs;
};

static atomic_int probes;

static enum lb_status build_probe(const struct lb_op_handle *handle,
                                  const struct lb_probe_params *params,
                                  struct lb_request *req, struct lb_error *err) {
  (void)handle;
  (void)params;
  (void)err;
  atomic_fetch_add(&probes, 1);
  req->what = "Probe";
  req->req_class = LB_REQ_PROBE;
  req->repeat = LB_REPEAT_NEVER;
  return LB_OK;
}

static void read_probe(const struct lb_request *req, const struct lb_probe_params *params,
                       struct lb_probe_answer *out) {
  (void)req;
  (void)params;
  out->verdict = LB_PROBE_ALIVE;
}

static const struct lb_backend backend = {
    .name = "counting", .build_probe = build_probe, .read_probe = read_probe};

static void retain(struct lb_parked *parked) {
  LB_CONTAINER_OF(parked, struct parked_rig, parked)->refs++;
}
static void release(struct lb_parked *parked) {
  LB_CONTAINER_OF(parked, struct parked_rig, parked)->refs--;
}

static void nothing(struct lb_timer *timer, struct lb_io *io, int64_t now_ms) {
  (void)timer;
  (void)io;
  (void)now_ms;
}

static void add_timers(struct parked_rig *p, struct lb_io *io) {
  for (int i = 0; i < p->other_count; i++) {
    lb_timer_init(&p->others[i], nothing);
    LB_TEST_OK(lb_timer_set(io, &p->others[i], LB_NEVER_MS, NULL), NULL);
  }
}

static void arm(struct parked_rig *p, struct lb_io *io) {
  lb_parked_arm(&p->parked, io, &p->options, LB_PROBE_STATUS, p->stats);
}

/* The first heartbeat comes and goes; then the heap of timers is filled up, and memory is
 * short while the second one comes. */
static void arm_without_memory(struct lb_io_task *task, struct lb_io *io) {
  struct parked_rig *p = LB_CONTAINER_OF(task, struct parked_rig, task);
  arm(p, io);
  lb_parked_reset(&p->parked, io);
  add_timers(p, io);
  for (int64_t nth = 1; nth < 100 && !p->armed; nth++) {
    lb_hb_stats_release(p->stats);
    LB_TEST_OK(lb_hb_stats_create(NULL, &p->stats, NULL), NULL);
    lb_mem_fail_nth(nth, true);
    arm(p, io);
    lb_mem_fail_nth(0, false);
    p->armed = p->parked.hb != NULL;
  }
}

static void end(struct lb_io_task *task, struct lb_io *io) {
  struct parked_rig *p = LB_CONTAINER_OF(task, struct parked_rig, task);
  lb_parked_reset(&p->parked, io);
  for (int i = 0; i < p->other_count; i++) lb_timer_cancel(io, &p->others[i]);
}

static void on_io(struct parked_rig *p,
                  void (*run)(struct lb_io_task *, struct lb_io *)) {
  p->task.run = run;
  lb_list_init(&p->task.node);
  lb_io_run(p->rig.io, &p->task);
}

/* However full the heap of timers is: a heartbeat that is armed probes. */
static void test_armed_means_that_it_probes(void **state) {
  (void)state;
  for (int count = 60; count < 66; count++) {
    static struct parked_rig p;
    memset(&p, 0, sizeof p);
    atomic_store(&probes, 0);
    rig_init(&p.rig);
    p.other_count = count;
    p.sess = (struct lb_session){.io = p.rig.io,
                                 .endpoint = p.rig.endpoint,
                                 .backend = &backend,
                                 .server.kind = LB_KIND_DATABRICKS};
    LB_TEST_OK(lb_auth_none(&p.sess.auth, NULL), NULL);
    p.op = (struct lb_op){.sess = &p.sess, .has_handle = true};
    p.op.contact_ms = p.rig.clock.now_ms;
    p.parked = (struct lb_parked){.op = &p.op, .retain = retain, .release = release};
    p.options = (struct lb_hb_options){.enabled = true,
                                       .interval_ms = 60000,
                                       .request_timeout_ms = 30000,
                                       .max_failures = 10};
    LB_TEST_OK(lb_hb_stats_create(NULL, &p.stats, NULL), NULL);
    on_io(&p, arm_without_memory);
    assert_true(p.armed);
    rig_advance(&p.rig, 90000);
    http_server_wait_requests(p.rig.server, 1);
    assert_int_equal(atomic_load(&probes), 1);
    on_io(&p, end);
    lb_io_test_round(p.rig.io);
    lb_hb_stats_release(p.stats);
    rig_reset(&p.rig);
    assert_int_equal(p.refs, 0);
    lb_auth_release(p.sess.auth);
  }
}

LB_TEST_MAIN(LB_TEST(test_armed_means_that_it_probes))
