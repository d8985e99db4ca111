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
  LB_CLOUD_COUNTER(rows, "rows that those files hold") \
  LB_CLOUD_COUNTER(files_delivered, "files read to their end") \
  LB_CLOUD_COUNTER(rows_delivered, "rows of files handed to the reader") \
  LB_CLOUD_COUNTER(bytes_delivered, "bytes of those rows, not compressed, by the links") \
  LB_CLOUD_COUNTER(bytes_received, "bytes that stores have sent, compressed") \
  LB_CLOUD_COUNTER(downloads, "requests to stores") \
  LB_CLOUD_COUNTER(in_flight, "downloads at this moment") \
  LB_CLOUD_COUNTER(held_bytes, \
                   "bytes at this moment that came and were not handed to the reader: " \
                   "compressed until they are decoded, and decoded") \
  LB_CLOUD_COUNTER(held_peak_bytes, "the most that these were") \
  LB_CLOUD_COUNTER(renewals, "links that were replaced by new ones") \
  LB_CLOUD_COUNTER(retries, "downloads that were begun or gone on with again") \
  LB_CLOUD_COUNTER(resumed_bytes, "bytes that such a repetition did not need again") \
  LB_CLOUD_COUNTER(stalls_network, "waits of the reader for bytes") \
  LB_CLOUD_COUNTER(stalls_network_ms, "how long these were") \
  LB_CLOUD_COUNTER(stalls_decode, \
                   "waits of the reader that began when bytes were being decoded") \
  LB_CLOUD_COUNTER(stalls_decode_ms, "how long these were") \
  LB_CLOUD_COUNTER(stalls_consumer, \
                   "times the memory budget held a download back, since rows that were " \
                   "fetched ahead had not been read") \
  LB_CLOUD_COUNTER(stalls_consumer_ms, "how long it did")

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
/* Adds to held_bytes, and raises held_peak_bytes in each block that has never held so
 * many. */
void lb_cloud_hold(struct lb_cloud_stats *stats, int64_t bytes);
int64_t lb_cloud_counted(struct lb_cloud_stats *stats, enum lb_cloud_counter counter);

#endif
