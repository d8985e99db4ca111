/* SPDX-License-Identifier: Apache-2.0 */
/* How many probes of a gate may be in flight (rule 8.4). Plain arithmetic; no thread, no
 * clock of its own. */
#ifndef LB_RESULT_HB_PACE_H
#define LB_RESULT_HB_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define LB_HB_LIMIT_MIN 16
#define LB_HB_LIMIT_MAX 512

/* What a round of answers has shown. */
struct lb_hb_figures {
  int64_t log;    /* mean logarithm of the latency */
  int64_t per_ks; /* answers in 1000 s; 0: there was no round */
};

/* A round under way. */
struct lb_hb_round {
  int64_t begin_ms;
  int64_t logs;   /* sum of the latencies' logarithms */
  int32_t count;  /* answers; below 0: those still to be passed over */
  int32_t queued; /* answers during which somebody waited for a place */
};

struct lb_hb_pace {
  int64_t mean_16;           /* mean latency, in sixteenths of a ms */
  int32_t samples;           /* in it, at most its weight; 0 before the first answer */
  int32_t limit;             /* LB_HB_LIMIT_MIN..LB_HB_LIMIT_MAX */
  int32_t before;            /* the limit before the trial under way; 0: there is none */
  int32_t in_vain;           /* raises taken back, one after the other */
  struct lb_hb_figures last; /* of the last whole round, */
  struct lb_hb_figures base; /* and the better of the last two, with the same limit */
  struct lb_hb_figures root; /* where the raises began, */
  int32_t root_limit;        /* with this limit; 0: nowhere yet */
  int64_t raise_ms;          /* no raise before, */
  int64_t raise_late_ms;     /* nor before this while probes are late */
  int64_t drop_ms;           /* no trial with less before */
  int64_t pause_ms;          /* the next one */
  struct lb_hb_round round;
};

/* What the gate has to do. */
struct lb_hb_load {
  int64_t rate_per_s; /* probes that become due */
  bool waiting;       /* for a place, and for nothing else */
  bool late;          /* the first of them for an eighth of its interval */
};

void lb_hb_pace_init(struct lb_hb_pace *pace);
/* An answer has come after latency_ms. */
void lb_hb_pace_answer(struct lb_hb_pace *pace, const struct lb_hb_load *load,
                       int64_t latency_ms, int64_t now_ms);
/* A probe that was sent so much before another one that was answered holds no place any
 * more. */
int64_t lb_hb_pace_overtaken_ms(const struct lb_hb_pace *pace);
/* The rate has become less. */
void lb_hb_pace_lower(struct lb_hb_pace *pace, int64_t rate_per_s);

#endif
