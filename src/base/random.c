/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "base/os.h"

static uint64_t rotate(uint64_t x, unsigned bits) {
  return (x << bits) | (x >> (64 - bits));
}

/* splitmix64: spreads a seed of few bits over the state, as the authors of xoshiro
 * advise. */
static uint64_t spread(uint64_t *x) {
  uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static uint64_t next(void *ctx) {
  struct lb_random_state *state = ctx;
  uint64_t *s = state->s;
  uint64_t result = rotate(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

void lb_random_seed(struct lb_random_state *state, uint64_t seed) {
  for (size_t i = 0; i < LB_ARRAY_LEN(state->s); i++) state->s[i] = spread(&seed);
}

void lb_random_seed_os(struct lb_random_state *state) {
  uint64_t seed;
  if (!lb_os_random_bytes(&seed, sizeof(seed))) {
    /* Jitter only has to differ between processes. */
    seed = (uint64_t)lb_os_wall_ms() * 1000003u ^ (uint64_t)lb_os_pid() << 40 ^
           (uint64_t)lb_os_boottime_ms();
  }
  lb_random_seed(state, seed);
}

struct lb_random lb_random_from(struct lb_random_state *state) {
  return (struct lb_random){.next = next, .ctx = state};
}

int64_t lb_random_between(const struct lb_random *rnd, int64_t lo, int64_t hi) {
  LB_ASSERT(lo <= hi);
  if (lo >= hi) return lo;
  /* Scaling instead of drawing again: one draw a call, 0 gives lo and all ones give hi;
   * the bias of count / 2^64 is nothing for jitter. */
  __extension__ typedef unsigned __int128 wide;
  wide count = (wide)((uint64_t)hi - (uint64_t)lo) + 1;
  uint64_t offset = (uint64_t)((wide)rnd->next(rnd->ctx) * count >> 64);
  return (int64_t)((uint64_t)lo + offset);
}
