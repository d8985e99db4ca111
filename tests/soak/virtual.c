/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the soak that need no server: the heartbeat's state machine against a fake
 * network in time of its own. One line of JSON per row on stdout; status 1 when a row
 * does not hold. Argument: results of the load row (100,000). */
#include "result/hb_test_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEADER_BYTES 16 /* of each block, in the allocator */

static bool all_hold = true;

static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* A row's line; the figures are JSON members. */
__attribute__((format(printf, 3, 4))) static void row(const char *name, bool holds,
                                                      const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("{\"row\": \"%s\", \"holds\": %s, ", name, holds ? "true" : "false");
  vprintf(format, args);
  printf("}\n");
  fflush(stdout);
  va_end(args);
  all_hold = all_hold && holds;
}

static int count_threads(void) {
  char line[128];
  int threads = -1;
  FILE *status = fopen("/proc/self/status", "re");
  if (status == NULL) return -1;
  while (fgets(line, sizeof(line), status) != NULL) {
    if (sscanf(line, "Threads: %d", &threads) == 1) break;
  }
  fclose(status);
  return threads;
}

static void make_room(struct world *world, size_t queue_cap) {
  lb_free(world->queue);
  world->queue_cap = queue_cap;
  world->queue = lb_alloc_array(LB_MEM_MISC, queue_cap, sizeof(struct item *));
  assert_non_null(world->queue);
  world->options.max_idle_ms = 0;
  world->log.log.level = LB_LOG_OFF;
}

static struct item *make_items(struct world *world, int64_t count, int64_t spread_ms) {
  struct item *items = lb_alloc_array(LB_MEM_MISC, (size_t)count, sizeof(struct item));
  assert_non_null(items);
  int64_t begin_ms = world->now_ms;
  for (int64_t i = 0; i < count; i++) {
    world_run_until(world, begin_ms + i * spread_ms / count);
    item_init(&items[i], world);
  }
  return items;
}

static void end_items(struct item *items, int64_t count) {
  for (int64_t i = 0; i < count; i++) item_reset(&items[i]);
  lb_free(items);
}

/* One virtual hour of many parked results. */
static void load(int64_t count, int64_t latency_ms) {
  struct world world;
  struct lb_random_state chance;
  char name[64];
  world_init(&world);
  make_room(&world, 4096);
  world.latency_ms = latency_ms;
  lb_random_seed(&chance, 11);
  world.sched->rnd = lb_random_from(&chance);
  struct lb_mem_stats before = lb_mem_stats(LB_MEM_HB);
  double begin = cpu_seconds();
  int threads = count_threads();
  struct item *items = make_items(&world, count, MINUTE);
  struct lb_mem_stats after = lb_mem_stats(LB_MEM_HB);
  int64_t bytes = after.live_bytes - before.live_bytes +
                  HEADER_BYTES * (after.live_blocks - before.live_blocks);
  int64_t each = (bytes + count - 1) / count;
  int64_t sent_before = world.sent;
  world_pass(&world, HOUR);
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  int64_t sent = world.sent - sent_before;
  double cpu = cpu_seconds() - begin;
  /* Jitter makes an interval a little shorter at times, never longer. */
  bool holds = sum.armed == count && sent >= 59 * count && sent <= 66 * count &&
               sum.late_max_ms <= world.options.interval_ms / 2 && each <= 256 &&
               count_threads() == threads;
  snprintf(name, sizeof(name), "parked, one virtual hour, latency %lld ms",
           (long long)latency_ms);
  row(name, holds,
      "\"results\": %lld, \"probes\": %lld, \"late_max_ms\": %lld, "
      "\"bytes_per_result\": %lld, \"in_flight_max\": %lld, \"threads\": %d, "
      "\"cpu_seconds\": %.1f, \"cpu_us_per_probe\": %.2f",
      (long long)count, (long long)sent, (long long)sum.late_max_ms, (long long)each,
      (long long)world.in_flight_max, count_threads(), cpu,
      cpu * 1e6 / (double)LB_MAX(sent, 1));
  end_items(items, count);
  world_reset(&world);
}

/* The host answers 503 without Retry-After. */
static void busy_host(void) {
  enum { COUNT = 10000 };
  struct world world;
  world_init(&world);
  make_room(&world, 4096);
  world.options.interval_ms = SECOND;
  struct item *items = make_items(&world, COUNT, SECOND);
  world_pass(&world, 5 * SECOND);
  world.answer.kind = LB_HB_BUSY;
  int64_t end_ms = world.now_ms + 2 * MINUTE;
  int64_t most = 0;
  int64_t closed_ms = 0;
  while (world.now_ms < end_ms) {
    world_pass(&world, 10);
    if (!world.host->closed) continue;
    closed_ms += 10;
    /* What was under way when the gate closed may still come back. */
    if (closed_ms > 2 * world.latency_ms) most = LB_MAX(most, world.in_flight);
  }
  world.answer.kind = LB_HB_ALIVE;
  world_pass(&world, 2 * MINUTE);
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  bool holds = closed_ms > MINUTE && most <= 1 && sum.armed == COUNT &&
               !world.host->closed && sum.gates_closed >= 1;
  row("503 without Retry-After for two virtual minutes", holds,
      "\"results\": %d, \"in_flight_max_while_closed\": %lld, \"closed_seconds\": %lld, "
      "\"gates_closed\": %lld, \"armed_after\": %lld",
      COUNT, (long long)most, (long long)(closed_ms / SECOND),
      (long long)sum.gates_closed, (long long)sum.armed);
  end_items(items, COUNT);
  world_reset(&world);
}

/* A token source whose tokens live for 30 s. */
static struct {
  int64_t valid_until_ms;
  int64_t renewed_at_ms; /* a renewal is under way until then; 0 none */
} token;

static struct lb_hb_answer judge_token(struct item *item) {
  struct lb_hb_answer answer = {
      .kind = LB_HB_ALIVE, .retry_after_ms = -1, .bytes = 100, .text = "fake"};
  if (item->sent_ms >= token.valid_until_ms) answer.kind = LB_HB_UNAUTHORIZED;
  return answer;
}

static void short_tokens(void) {
  enum { COUNT = 1000, LIFE_MS = 30000, RENEWAL_MS = 120 };
  struct world world;
  world_init(&world);
  make_room(&world, 4096);
  world.options.interval_ms = SECOND;
  world.answer_of = judge_token;
  token.valid_until_ms = world.now_ms + LIFE_MS;
  token.renewed_at_ms = 0;
  struct item *items = make_items(&world, COUNT, SECOND);
  int64_t end_ms = world.now_ms + 5 * MINUTE;
  int64_t begun = 0;
  int64_t expiries = 0;
  while (world.now_ms < end_ms) {
    world_pass(&world, 10);
    if (token.renewed_at_ms == 0 && world.renewals > begun) {
      begun = world.renewals;
      token.renewed_at_ms = world.now_ms + RENEWAL_MS;
    } else if (token.renewed_at_ms != 0 && world.now_ms >= token.renewed_at_ms) {
      token.renewed_at_ms = 0;
      token.valid_until_ms = world.now_ms + LIFE_MS;
      expiries++;
      lb_hb_host_token(world.host, true, world.now_ms);
    }
  }
  struct lb_hb_snapshot sum;
  lb_hb_stats_read(world.root, world.now_ms, &sum);
  bool holds = sum.armed == COUNT && sum.probes_failed == 0 && expiries >= 9 &&
               world.renewals == expiries;
  row("token of 30 s life, five virtual minutes", holds,
      "\"results\": %d, \"expiries\": %lld, \"renewals\": %lld, \"failures\": %lld, "
      "\"probes\": %lld",
      COUNT, (long long)expiries, (long long)world.renewals, (long long)sum.probes_failed,
      (long long)sum.probes_sent);
  end_items(items, COUNT);
  world_reset(&world);
}

static void one_day(void) {
  struct world world;
  struct item item;
  world_init(&world);
  make_room(&world, 64);
  item_init(&item, &world);
  world_pass(&world, 24 * HOUR);
  int64_t sent = item.sent;
  item_reset(&item);
  world_reset(&world);

  world_init(&world);
  item_init(&item, &world);
  int64_t begin_ms = world.now_ms;
  int64_t stopped_ms = 0;
  while (world.now_ms < begin_ms + 24 * HOUR) {
    world_pass(&world, SECOND);
    if (stopped_ms == 0 && lb_hb_state(item.hb) == LB_HB_STOPPED) {
      stopped_ms = world.now_ms - begin_ms;
    }
  }
  const char *reason = lb_hb_reason_name(lb_hb_reason(item.hb));
  bool holds = sent >= 1426 && sent <= 1454 && item.abandoned == 1 &&
               strcmp(reason, "abandoned") == 0 && stopped_ms / MINUTE == 240;
  row("one result, a virtual day", holds,
      "\"probes\": %lld, \"with_defaults\": {\"stopped_after_minutes\": %lld, "
      "\"reason\": \"%s\", \"closed\": %lld}",
      (long long)sent, (long long)(stopped_ms / MINUTE), reason,
      (long long)item.abandoned);
  item_reset(&item);
  world_reset(&world);
}

int main(int argc, char **argv) {
  int64_t count = 100000;
  if (argc > 1 && !lb_str_to_i64(lb_str_from(argv[1]), &count)) return 2;
  static const int64_t latencies_ms[] = {1, 50, 200};
  for (size_t i = 0; i < LB_ARRAY_LEN(latencies_ms); i++) load(count, latencies_ms[i]);
  busy_host();
  short_tokens();
  one_day();
  return all_hold ? 0 : 1;
}
