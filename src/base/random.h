/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness for jitter and backoff; not for secrets. Injected, so that tests are exact.
 * One source belongs to one thread. */
#ifndef LB_BASE_RANDOM_H
#define LB_BASE_RANDOM_H

#include "base/base.h"

struct lb_random {
  uint64_t (*next)(void *ctx); /* 64 uniform bits */
  void *ctx;
};

/* xoshiro256** seeded by the operating system or by the caller. */
struct lb_random_state {
  uint64_t s[4];
};
void lb_random_seed(struct lb_random_state *state, uint64_t seed);
void lb_random_seed_os(struct lb_random_state *state);
struct lb_random lb_random_from(struct lb_random_state *state);

/* Uniform in [lo, hi]; lo <= hi. */
int64_t lb_random_between(const struct lb_random *rnd, int64_t lo, int64_t hi);

#endif
