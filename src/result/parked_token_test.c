/* SPDX-License-Identifier: Apache-2.0 */
/* Real probes through the I/O thread to a server that refuses tokens: what the state
 * machine wishes becomes requests, and one renewal serves all who wait for it. The clock
 * stands still unless the test moves it. */
#include "result/parked.h"

#include "session/session_internal.h"
#include "wire/thrift.h"
#include <io_rig.h>

#define RESULTS 3
#define THRIFT "Content-Type: application/x-thrift\r\n"

struct fake_source {
  atomic_int asked;
};

static enum lb_status fake_renew(void *ctx, struct lb_auth *auth, struct lb_io *io,
                                 struct lb_error *err) {
  (void)auth;
  (void)io;
  (void)err;
  atomic_fetch_add(&((struct fake_source *)ctx)->asked, 1);
  return LB_OK;
}

/* A parked result, made without an execution. */
struct park {
  struct lb_parked parked;
  struct lb_hb_stats *stats;
  struct lb_hb_options options;
  struct lb_io_task task;
  bool idle;
};

struct lab {
  struct rig rig;
  struct fake_source source;
  struct lb_session *sess;
  struct park parks[RESULTS];
  struct lb_buf alive; /* the reply to a probe of a finished operation */
};

static void nothing(struct lb_parked *parked) { (void)parked; }

static void on_io(struct lab *lab, struct lb_io_task *task,
                  void (*run)(struct lb_io_task *task, struct lb_io *io)) {
  memset(task, 0, sizeof(*task));
  lb_list_init(&task->node);
  task->run = run;
  lb_io_run(lab->rig.io, task);
}

static struct lb_session *session_make(struct lab *lab, struct lb_auth *auth) {
  struct lb_session *sess = lb_alloc_zero(LB_MEM_MISC, sizeof(*sess));
  assert_non_null(sess);
  atomic_init(&sess->users, 1);
  atomic_init(&sess->refs, 1);
  LB_TEST_OK(lb_mutex_init(&sess->info.mu, NULL), NULL);
  lb_endpoint_retain(lab->rig.endpoint);
  sess->endpoint = lab->rig.endpoint;
  sess->io = lab->rig.io;
  sess->backend = &lb_backend_thrift;
  sess->auth = auth;
  sess->server.kind = LB_KIND_DATABRICKS;
  return sess;
}

static void arm(struct lb_io_task *task, struct lb_io *io) {
  struct park *park = LB_CONTAINER_OF(task, struct park, task);
  lb_parked_arm(&park->parked, io, &park->options, LB_PROBE_STATUS, park->stats);
}

static void park_init(struct park *park, struct lab *lab, struct lb_session *sess) {
  struct lb_op_handle handle = {.guid = {1}, .secret = {2}, .has_result_set = true};
  struct lb_op *op;
  LB_TEST_OK(lb_op_create(sess, LB_OP_STATEMENT, &op, NULL), NULL);
  lb_op_set_handle(op, &handle);
  op->contact_ms = lab->rig.clock.now_ms;
  park->parked = (struct lb_parked){.op = op, .retain = nothing, .release = nothing};
  park->options = lb_hb_options_default;
  LB_TEST_OK(lb_hb_stats_create(NULL, &park->stats, NULL), NULL);
  on_io(lab, &park->task, arm);
}

static void end(struct lb_io_task *task, struct lb_io *io) {
  struct park *park = LB_CONTAINER_OF(task, struct park, task);
  lb_parked_reset(&park->parked, io);
}

static void park_reset(struct park *park, struct lab *lab) {
  on_io(lab, &park->task, end);
  lb_op_release(park->parked.op);
  lb_hb_stats_release(park->stats);
}

static void write_alive(struct lb_buf *body) {
  struct lb_t_status ok = {.status_code = LB_T_I32(LB_T_STATUS_SUCCESS)};
  struct lb_t_get_operation_status_resp resp = {
      .status = &ok, .operation_state = LB_T_I32(LB_T_STATE_FINISHED)};
  static const char method[] = "GetOperationStatus";
  lb_buf_init(body, LB_MEM_MISC, 4096);
  lb_buf_append_be32(body, 0x80010002u);
  lb_buf_append_be32(body, sizeof(method) - 1);
  lb_buf_append_text(body, method);
  lb_buf_append_be32(body, 1);
  lb_buf_append_u8(body, LB_TT_STRUCT);
  lb_buf_append_be16(body, 0);
  LB_TEST_OK(
      lb_thrift_write_struct(body, &lb_t_get_operation_status_resp_desc, &resp, NULL),
      NULL);
  lb_buf_append_u8(body, 0);
}

static struct http_step alive_step(const struct lab *lab) {
  return (struct http_step){.headers = THRIFT,
                            .body = (const char *)lab->alive.data,
                            .body_len = lab->alive.len};
}

/* The first `refused` probes get a 401, the next ones say that the result lives. */
static void lab_script(struct lab *lab, int refused) {
  struct http_step steps[4 * RESULTS];
  for (int i = 0; i < 4 * RESULTS; i++) {
    steps[i] = i < refused ? (struct http_step){.status = 401} : alive_step(lab);
  }
  http_server_script(lab->rig.server, steps, LB_ARRAY_LEN(steps));
}

static struct lb_auth *renewable(struct fake_source *fake, const char *token) {
  struct lb_token_source source = {.renew = fake_renew, .ctx = fake};
  struct lb_auth *auth;
  atomic_init(&fake->asked, 0);
  LB_TEST_OK(lb_auth_renewable(token, &source, &auth, NULL), NULL);
  return auth;
}

static void lab_init(struct lab *lab, struct lb_auth *auth, int refused) {
  rig_init(&lab->rig);
  write_alive(&lab->alive);
  lab_script(lab, refused);
  lab->sess = session_make(lab, auth);
  for (int i = 0; i < RESULTS; i++) park_init(&lab->parks[i], lab, lab->sess);
}

static void lab_reset(struct lab *lab) {
  for (int i = 0; i < RESULTS; i++) park_reset(&lab->parks[i], lab);
  lb_io_test_round(lab->rig.io);
  lb_session_release(lab->sess);
  rig_reset(&lab->rig);
  lb_buf_reset(&lab->alive);
}

static void look(struct lb_io_task *task, struct lb_io *io) {
  struct park *park = LB_CONTAINER_OF(task, struct park, task);
  (void)io;
  park->idle = park->parked.probe == NULL;
}

/* Lets the loop go round until its probe, if it has one, is answered. */
static void wait_idle(struct park *park, struct lab *lab) {
  int64_t from_ms = lb_os_boottime_ms();
  do {
    bool late = http_server_gives_up((int)(lb_os_boottime_ms() - from_ms));
    if (late) fail_msg("a probe was not answered");
    on_io(lab, &park->task, look);
  } while (!park->idle);
}

/* Until that many requests were made and each has its answer. */
static void answered(struct lab *lab, int requests) {
  http_server_wait_requests(lab->rig.server, requests);
  for (int i = 0; i < RESULTS; i++) wait_idle(&lab->parks[i], lab);
}

static struct lb_hb_snapshot snapshot(struct lab *lab, int i) {
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(lab->parks[i].stats, lab->rig.clock.now_ms, &snap);
  return snap;
}

struct renewal {
  struct lb_io_task task;
  struct lb_auth *auth;
  const char *token;
};

static void report(struct lb_io_task *task, struct lb_io *io) {
  struct renewal *renewal = LB_CONTAINER_OF(task, struct renewal, task);
  lb_auth_renewed(renewal->auth, io, renewal->token);
}

static void renewed(struct lab *lab, struct lb_auth *auth, const char *token) {
  struct renewal renewal = {.auth = auth, .token = token};
  on_io(lab, &renewal.task, report);
}

static void rule_4_0_real_probes_share_one_renewal(void **state) {
  (void)state;
  struct lab lab;
  struct lb_auth *auth = renewable(&lab.source, "first");
  lab_init(&lab, auth, RESULTS);
  rig_advance(&lab.rig, 60000);
  answered(&lab, RESULTS);
  assert_int_equal(atomic_load(&lab.source.asked), 1);
  renewed(&lab, auth, "second");
  answered(&lab, 2 * RESULTS);
  for (int i = 0; i < RESULTS; i++) {
    const char *before = http_server_head(lab.rig.server, i);
    const char *after = http_server_head(lab.rig.server, RESULTS + i);
    assert_true(rig_contains(before, "Authorization: Bearer first\r\n"));
    assert_true(rig_contains(after, "Authorization: Bearer second\r\n"));
    struct lb_hb_snapshot snap = snapshot(&lab, i);
    assert_int_equal(snap.probes_sent, 2);
    assert_int_equal(snap.probes_succeeded, 1);
    assert_int_equal(snap.probes_failed, 0);
    assert_int_equal(snap.state, LB_HB_ARMED);
  }
  assert_int_equal(atomic_load(&lab.source.asked), 1);
  lab_reset(&lab);
}

static void rule_4_0_a_renewal_that_fails_is_a_failure(void **state) {
  (void)state;
  struct lab lab;
  struct lb_auth *auth = renewable(&lab.source, "first");
  lab_init(&lab, auth, RESULTS);
  rig_advance(&lab.rig, 60000);
  answered(&lab, RESULTS);
  assert_int_equal(atomic_load(&lab.source.asked), 1);
  renewed(&lab, auth, NULL);
  for (int i = 0; i < RESULTS; i++) {
    assert_int_equal(snapshot(&lab, i).probes_failed, 1);
    assert_int_equal(snapshot(&lab, i).armed, 1);
  }
  /* The server takes the token again: so do the canary and those who wait behind it. */
  rig_advance(&lab.rig, 30000);
  answered(&lab, 2 * RESULTS);
  for (int i = 0; i < RESULTS; i++) {
    assert_int_equal(snapshot(&lab, i).probes_succeeded, 1);
  }
  lab_reset(&lab);
}

static void rule_4_0_a_token_that_cannot_be_renewed(void **state) {
  (void)state;
  struct lab lab;
  struct lb_auth *auth;
  LB_TEST_OK(lb_auth_bearer("dapi", &auth, NULL), NULL);
  lab_init(&lab, auth, RESULTS);
  rig_advance(&lab.rig, 60000);
  answered(&lab, RESULTS);
  for (int i = 0; i < RESULTS; i++) {
    assert_int_equal(snapshot(&lab, i).probes_failed, 1);
    assert_int_equal(snapshot(&lab, i).armed, 1);
  }
  lab_reset(&lab);
}

/* Released while the renewal runs: what comes of it reaches nobody. */
static void rule_4_0_released_while_a_renewal_runs(void **state) {
  (void)state;
  struct lab lab;
  struct lb_auth *auth = renewable(&lab.source, "first");
  lab_init(&lab, auth, RESULTS);
  rig_advance(&lab.rig, 60000);
  answered(&lab, RESULTS);
  assert_int_equal(atomic_load(&lab.source.asked), 1);
  for (int i = 0; i < RESULTS; i++) park_reset(&lab.parks[i], &lab);
  lb_session_release(lab.sess); /* the renewal holds what it needs */
  renewed(&lab, auth, "second");
  lb_io_test_round(lab.rig.io);
  assert_int_equal(http_server_requests(lab.rig.server), RESULTS);
  rig_reset(&lab.rig);
  lb_buf_reset(&lab.alive);
}

/* Two users on one host: the token of one says nothing about that of the other. */
static void rule_4_0_sign_ins_do_not_share_a_renewal(void **state) {
  (void)state;
  struct lab lab;
  struct fake_source other_source;
  struct park other;
  struct lb_auth *auth = renewable(&lab.source, "first");
  struct lb_auth *other_auth = renewable(&other_source, "other");
  lab_init(&lab, auth, RESULTS + 1);
  struct lb_session *other_sess = session_make(&lab, other_auth);
  park_init(&other, &lab, other_sess);
  rig_advance(&lab.rig, 60000);
  answered(&lab, RESULTS + 1);
  wait_idle(&other, &lab);
  assert_int_equal(atomic_load(&lab.source.asked), 1);
  assert_int_equal(atomic_load(&other_source.asked), 1);
  renewed(&lab, auth, "second");
  answered(&lab, 2 * RESULTS + 1);
  struct lb_hb_snapshot snap;
  lb_hb_stats_read(other.stats, lab.rig.clock.now_ms, &snap);
  assert_int_equal(snap.probes_sent, 1); /* still waits for its own */
  renewed(&lab, other_auth, "newer");
  answered(&lab, 2 * RESULTS + 2);
  const char *head = http_server_head(lab.rig.server, 2 * RESULTS + 1);
  assert_true(rig_contains(head, "Authorization: Bearer newer\r\n"));
  wait_idle(&other, &lab); /* its answer comes a moment after the request */
  park_reset(&other, &lab);
  lb_session_release(other_sess);
  lab_reset(&lab);
}

LB_TEST_MAIN(LB_TEST(rule_4_0_real_probes_share_one_renewal),
             LB_TEST(rule_4_0_a_renewal_that_fails_is_a_failure),
             LB_TEST(rule_4_0_a_token_that_cannot_be_renewed),
             LB_TEST(rule_4_0_released_while_a_renewal_runs),
             LB_TEST(rule_4_0_sign_ins_do_not_share_a_renewal))
