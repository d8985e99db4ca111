/* SPDX-License-Identifier: Apache-2.0 */
/* What results by cloud fetch count: one block per result, added to those of its
 * connection and database at once. Reference-counted; any thread adds and reads. */
#ifndef LB_RESULT_CLOUD_STATS_H
#define LB_RESULT_CLOUD_STATS_H

#include <stdatomic.h>

#include "base/error.h"

/* LB_CLOUD_COUNTER(name, meaning): the option databricks.cloudfetch.<name>. */
#define LB_CLOUD_COUNTERS(LB_CLOUD_COUNTER) \
  LB_CLOUD_COUNTER(files, "files whose links have come") \
  LB_CLOUD_COUNTER(files_delivered, "files read to their end") \
  LB_CLOUD_COUNTER(rows_delivered, "rows handed to the reader") \
  LB_CLOUD_COUNTER(bytes_received, "bytes that stores have sent, compressed") \
  LB_CLOUD_COUNTER(downloads, "requests to stores") \
  LB_CLOUD_COUNTER(in_flight, "downloads at this moment") \
  LB_CLOUD_COUNTER(renewals, "links that were replaced by new ones") \
  LB_CLOUD_COUNTER(retries, "downloads that were begun or gone on with again") \
  LB_CLOUD_COUNTER(resumed_bytes, "bytes that such a repetition did not need again") \
  LB_CLOUD_COUNTER(stalls_network, "waits of the reader for bytes") \
  LB_CLOUD_COUNTER(stalls_decode, "waits of the reader for decoding") \
  LB_CLOUD_COUNTER(stalls_consumer, "times the memory budget held a download back")

enum lb_cloud_counter {
#define LB_CLOUD_COUNTER(name, meaning) LB_CLOUD_##name,
  LB_CLOUD_COUNTERS(LB_CLOUD_COUNTER)
#undef LB_CLOUD_COUNTER
      LB_CLOUD_COUNTER_COUNT
};

struct lb_cloud_stats;

/* parent may be NULL; retained. */
enum lb_status lb_cloud_stats_create(struct lb_cloud_stats *parent,
                                     struct lb_cloud_stats **out,
                                     struct lb_error *err) LB_MUST_USE;
void lb_cloud_stats_retain(struct lb_cloud_stats *stats);
void lb_cloud_stats_release(struct lb_cloud_stats *stats); /* NULL is a no-op */
/* NULL is a no-op. */
void lb_cloud_count(struct lb_cloud_stats *stats, enum lb_cloud_counter counter,
                    int64_t n);
int64_t lb_cloud_counted(struct lb_cloud_stats *stats, enum lb_cloud_counter counter);

#endif
