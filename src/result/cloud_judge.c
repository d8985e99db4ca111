/* SPDX-License-Identifier: Apache-2.0 */
/* 1. Another file under the same name, too little memory: nothing mends that.
 * 2. What cannot be decoded is fetched from its beginning, REDONE_MOST times: it may have
 *    been damaged on the way.
 * 3. 400, 401, 403, 404, 410: stores refuse an expired link in each of these ways, so
 *    another link is asked for, RENEWALS_MOST times a file. It may also be a firewall or
 *    a file that is gone, which is why it ends.
 * 4. 416: there is nothing at the place to go on from; from the beginning, where length
 *    and ETag tell another file. 412: it is another file; from the beginning too, unless
 *    rows of the former one are out.
 * 5. 408, 429, 5xx, a connection that broke, silence, fewer bytes than announced: again,
 *    TRIES_MOST times, after Retry-After (at most RETRY_AFTER_MOST_MS) or a pause that
 *    doubles from PAUSE_FIRST_MS to PAUSE_MOST_MS, with a random part.
 * 6. A store that has never answered at all is tried UNREACHED_MOST times more: there may
 *    be no way to it, and somebody waits.
 * 7. Any other answer is final. */
#include "result/cloud_judge.h"

#define TRIES_MOST 5
#define RENEWALS_MOST 3
#define REDONE_MOST 2
#define UNREACHED_MOST 1
#define PAUSE_FIRST_MS 200
#define PAUSE_MOST_MS 10000
#define RETRY_AFTER_MOST_MS 60000

static struct lb_cloud_verdict again(const struct lb_cloud_facts *facts, int32_t most,
                                     const struct lb_random *rnd) {
  if (facts->tries >= most) return (struct lb_cloud_verdict){LB_CLOUD_FAIL, 0};
  int64_t pause_ms = PAUSE_FIRST_MS << LB_MIN(facts->tries, 10);
  pause_ms = LB_MIN(pause_ms, PAUSE_MOST_MS);
  int64_t wait_ms = pause_ms / 2 + lb_random_between(rnd, 0, pause_ms / 2);
  if (facts->retry_after_ms >= 0) {
    wait_ms = LB_MIN(facts->retry_after_ms, RETRY_AFTER_MOST_MS);
  }
  return (struct lb_cloud_verdict){LB_CLOUD_AGAIN, wait_ms};
}

static struct lb_cloud_verdict redo(const struct lb_cloud_facts *facts) {
  enum lb_cloud_step step = facts->redone < REDONE_MOST ? LB_CLOUD_REDO : LB_CLOUD_FAIL;
  return (struct lb_cloud_verdict){step, PAUSE_FIRST_MS};
}

static struct lb_cloud_verdict judge_http(const struct lb_cloud_facts *facts,
                                          const struct lb_random *rnd) {
  switch (facts->http_status) {
    case 200:
    case 206:
      if (!facts->whole) return again(facts, TRIES_MOST, rnd);
      return (struct lb_cloud_verdict){LB_CLOUD_DECODE, 0};
    case 400:
    case 401:
    case 403:
    case 404:
    case 410:
      return (struct lb_cloud_verdict){
          facts->renewals < RENEWALS_MOST ? LB_CLOUD_RENEW : LB_CLOUD_FAIL, 0};
    case 416:
      return redo(facts);
    case 412:
      return facts->settled ? (struct lb_cloud_verdict){LB_CLOUD_FAIL, 0} : redo(facts);
    case 408:
    case 429:
      return again(facts, TRIES_MOST, rnd);
    default:
      if (facts->http_status >= 500) return again(facts, TRIES_MOST, rnd);
      return (struct lb_cloud_verdict){LB_CLOUD_FAIL, 0};
  }
}

struct lb_cloud_verdict lb_cloud_judge(const struct lb_cloud_facts *facts,
                                       const struct lb_random *rnd) {
  if (facts->changed || facts->status == LB_OUT_OF_MEMORY) {
    return (struct lb_cloud_verdict){LB_CLOUD_FAIL, 0};
  }
  if (facts->undecodable) return redo(facts);
  switch (facts->status) {
    case LB_OK:
      return judge_http(facts, rnd);
    case LB_CONNECTION:
    case LB_UNKNOWN_OUTCOME:
    case LB_TIMEOUT:
    case LB_PROTOCOL:
      return again(facts, facts->answered ? TRIES_MOST : UNREACHED_MOST, rnd);
    default:
      return (struct lb_cloud_verdict){LB_CLOUD_FAIL, 0};
  }
}

enum lb_status lb_cloud_http_status(int32_t http_status) {
  switch (http_status) {
    case 403:
      return LB_UNAUTHORIZED;
    case 404:
    case 410:
      return LB_NOT_FOUND;
    default:
      if (http_status == 408 || http_status == 429 || http_status >= 500) {
        return LB_UNAVAILABLE;
      }
      return LB_HTTP;
  }
}
