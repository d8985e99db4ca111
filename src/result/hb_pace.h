/* SPDX-License-Identifier: Apache-2.0 */
/* How many probes of a gate may be in flight (rule 8.4). Plain arithmetic; no thread, no
 * clock of its own. */
#ifndef LB_RESULT_HB_PACE_H
#define LB_RESULT_HB_PACE_H

#include <stdint.h>

#define LB_HB_LIMIT_MIN 16
#define LB_HB_LIMIT_MAX 512

struct lb_hb_pace {
  int64_t latency_16; /* smoothed, in sixteenths of a ms; -1 before the first answer */
  int32_t limit;      /* LB_HB_LIMIT_MIN..LB_HB_LIMIT_MAX */
  int32_t before;     /* the limit before the raise on trial; 0: none is */
  int32_t count;      /* answers in this round; below 0: those still to be passed over */
  int64_t sum_ms;     /* their latencies */
  int64_t mean_16;    /* of the last whole round; -1 none */
  int64_t pause_ms;   /* no raise before; INT64_MIN any time */
};

void lb_hb_pace_init(struct lb_hb_pace *pace);
/* An answer has come after latency_ms, while rate_per_s probes become due. */
void lb_hb_pace_answer(struct lb_hb_pace *pace, int64_t rate_per_s, int64_t latency_ms,
                       int64_t now_ms);
/* The rate has become less. */
void lb_hb_pace_lower(struct lb_hb_pace *pace, int64_t rate_per_s);

#endif
