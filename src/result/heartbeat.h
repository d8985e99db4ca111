/* SPDX-License-Identifier: Apache-2.0 */
/* The result-set heartbeat as a pure state machine: `now` is an argument, jitter and the
 * sending of probes are injected, no clock, no thread, no I/O. The procedure and the
 * reason for each constant stand at the head of heartbeat.c.
 *
 * Memory: a heartbeat is at most 256 bytes, its slot in the heap included. Its statistics
 * are a block of their own (some 250 bytes), because every result has one, armed or not,
 * and a statement shows it after its result has gone. A host's gate lives as long as the
 * scheduler.
 *
 * A scheduler (one per process, on the I/O thread) holds every armed heartbeat in a heap
 * and every host's gate. All of it belongs to the I/O thread (rule 3.1); the one
 * exception is struct lb_hb_stats, written only by the I/O thread and read by anyone
 * through atomics. */
#ifndef LB_RESULT_HEARTBEAT_H
#define LB_RESULT_HEARTBEAT_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "session/server_kinds.h"

enum lb_hb_state { LB_HB_NOT_ARMED, LB_HB_ARMED, LB_HB_PROBING, LB_HB_STOPPED };
enum lb_hb_reason {
  LB_HB_NO_REASON,
  /* why it is not armed (rule 2.3) */
  LB_HB_DISABLED,
  LB_HB_ALL_LOCAL, /* also a reason to stop */
  LB_HB_CLOSED_BY_SERVER,
  LB_HB_NO_ROWS,
  LB_HB_INLINE,
  LB_HB_NO_HANDLE,
  LB_HB_NO_PROBE,
  LB_HB_FAILED_TO_ARM,
  /* why it stopped (section 3) */
  LB_HB_END_OF_RESULTS,
  LB_HB_RELEASED,
  LB_HB_CANCELED,
  LB_HB_REEXECUTED,
  LB_HB_TERMINAL_STATE,
  LB_HB_HANDLE_LOST,
  LB_HB_DAMAGED,
  LB_HB_FAILURES,
  LB_HB_ABANDONED,
  LB_HB_SHUTDOWN,
  LB_HB_REASON_COUNT
};
const char *lb_hb_state_name(enum lb_hb_state state);    /* "not_armed", ... */
const char *lb_hb_reason_name(enum lb_hb_reason reason); /* "handle_lost", ""... */

/* Rule 2.1: eligibility is one pure function of these facts. */
struct lb_hb_facts {
  bool enabled;    /* by option and by environment (rule 5.8) */
  bool has_result; /* rows, not an update count or DDL */
  bool has_handle;
  bool has_probe;        /* the backend has a probe for this kind */
  bool closed_by_server; /* direct results closed the operation */
  bool rows_on_server;   /* rows or chunks not yet received */
  bool links_outstanding;
  bool inline_complete; /* REST inline: every chunk is at hand */
};
/* LB_HB_NO_REASON: eligible. */
enum lb_hb_reason lb_hb_eligible(const struct lb_hb_facts *facts);

struct lb_hb_options {
  bool enabled;
  int64_t interval_ms;        /* 60,000 */
  int64_t request_timeout_ms; /* 30,000 */
  int32_t max_failures;       /* 10 */
  bool max_failures_explicit; /* rule 4.1: then the counter alone decides */
  int64_t max_idle_ms;        /* 14,400,000; 0 no limit */
  int64_t max_lifetime_ms;    /* 0 no limit */
  enum lb_probe_kind probe;
};
extern const struct lb_hb_options lb_hb_options_default;

/* Counters of one result, and in sum of one connection, one database and the process:
 * each block adds to its parent too. Reference-counted, since a statement shows the block
 * after its result has gone. Written on the I/O thread only; readers use
 * lb_hb_stats_read. */
struct lb_hb_stats;
enum lb_status lb_hb_stats_create(struct lb_hb_stats *parent, struct lb_hb_stats **out,
                                  struct lb_error *err) LB_MUST_USE;
void lb_hb_stats_retain(struct lb_hb_stats *stats);
void lb_hb_stats_release(struct lb_hb_stats *stats); /* NULL is a no-op */
/* The block above all others of its tree (itself, without a parent); valid as long as
 * stats. Any thread. */
struct lb_hb_stats *lb_hb_stats_root(struct lb_hb_stats *stats);
/* What results by cloud fetch count, in the same tree; valid as long as stats. */
struct lb_cloud_stats *lb_hb_stats_cloud(const struct lb_hb_stats *stats);
struct lb_hb_snapshot {
  enum lb_hb_state state; /* of one result; ARMED in a sum when any is armed */
  enum lb_hb_reason reason;
  int64_t armed;          /* 1/0; the number of armed ones in a sum */
  int64_t oldest_idle_ms; /* since the reader was last inside a read */
  /* Sent: requests that were started. Succeeded: found the result alive. Failed: could
   * not be started, got no useful answer, or found the result gone. Dropped: detached
   * when the heartbeat stopped. A 401 that led to a newer token counts as sent only. */
  int64_t probes_sent, probes_succeeded, probes_failed, probes_dropped;
  int64_t postponed;        /* probes that waited for a gate or for pacing */
  int64_t bytes;            /* request and reply bytes of probes */
  int64_t late_max_ms;      /* from due to sent; suspended time does not count */
  int64_t since_contact_ms; /* in a sum: the longest of the armed ones */
  int64_t gates_closed;     /* closings of gates while armed; in a sum each once */
};
void lb_hb_stats_read(const struct lb_hb_stats *stats, int64_t now_ms,
                      struct lb_hb_snapshot *out);
/* Rule 4.4: what became of the operation, for the text of a later error. False when there
 * is no verdict. Any thread. */
struct lb_hb_verdict {
  enum lb_hb_reason
      reason;            /* HANDLE_LOST, TERMINAL_STATE, ABANDONED, DAMAGED, FAILURES */
  int64_t last_alive_ms; /* boot time; 0 never confirmed */
  int64_t idle_ms;       /* of the reader when the verdict came */
  int64_t succeeded;     /* heartbeats that had succeeded */
};
bool lb_hb_stats_verdict(const struct lb_hb_stats *stats, struct lb_hb_verdict *out);
/* A result that was never armed says why (rule 2.3). Any thread, before it is published.
 */
void lb_hb_stats_set_not_armed(struct lb_hb_stats *stats, enum lb_hb_reason reason);

/* The answer to a probe, judged by the backend (section 4). */
enum lb_hb_answer_kind {
  LB_HB_ALIVE,
  LB_HB_ALIVE_STATE_UNKNOWN, /* success without an operation state: alive, one warning */
  LB_HB_TERMINAL,
  LB_HB_LOST,
  LB_HB_ROWS_LOST,    /* fetch0 gave rows or a wrong offset: damaged */
  LB_HB_UNAUTHORIZED, /* 401: the token has to be renewed */
  LB_HB_BUSY,         /* 429, 503: nothing to the host before retry_after_ms */
  LB_HB_FAILED,       /* anything else */
  LB_HB_DROPPED       /* cancelled by us */
};
struct lb_hb_answer {
  enum lb_hb_answer_kind kind;
  int64_t retry_after_ms; /* -1 none */
  int64_t sent_ms;        /* when the probe was sent */
  int64_t bytes;          /* request and reply */
  const char *text;       /* for the log: error or state, redacted; may be NULL */
};

struct lb_hb;
struct lb_hb_sched;
struct lb_hb_host;

/* Injected effects; all on the I/O thread, never re-entering the scheduler except through
 * the functions below that say so. */
struct lb_hb_ops {
  /* Starts one probe; its end is reported exactly once by lb_hb_answered (never before
   * send returns). fresh: on a new connection. A failure to start is a failed probe. */
  enum lb_status (*send)(struct lb_hb *hb, bool fresh, struct lb_error *err);
  /* Drops the probe in flight: its answer, if it still comes, is reported as DROPPED. */
  void (*drop)(struct lb_hb *hb);
  /* Rule 5.5: the reader is gone; close the operation on the server. */
  void (*abandoned)(struct lb_hb *hb);
  /* Asks for a newer token than the one that failed; answered by lb_hb_host_token. False:
   * no renewal is possible. NULL: none exists. */
  bool (*renew_token)(struct lb_hb_host *host, void *ctx);
  /* Limit of probes in flight to the host (rule 8.4): told when the host is made and
   * whenever it changes. */
  void (*probe_limit)(struct lb_hb_host *host, int32_t limit, void *ctx);
  /* The earliest time at which lb_hb_sched_run wants to be called has moved to due_ms. */
  void (*reschedule)(struct lb_hb_sched *sched, int64_t due_ms, void *ctx);
  void *ctx;
};

enum lb_status lb_hb_sched_create(const struct lb_hb_ops *ops,
                                  const struct lb_random *rnd, struct lb_log *log,
                                  struct lb_hb_sched **out,
                                  struct lb_error *err) LB_MUST_USE;
/* Everything must have been stopped. ops is not used any more. Heartbeats that somebody
 * still holds, as when a process exits with results open, keep the memory. */
void lb_hb_sched_destroy(struct lb_hb_sched *sched);
/* Sends what is due. suspended_ms: total time the machine has been suspended (rule
 * 3.9). */
void lb_hb_sched_run(struct lb_hb_sched *sched, int64_t now_ms, int64_t suspended_ms);
/* Takes note of a suspension and does nothing else; cheap. To be called once after
 * creation, and before an answer is reported, since answers may come before the timer
 * does: so a suspension is known before its consequences are judged. */
void lb_hb_sched_suspended(struct lb_hb_sched *sched, int64_t now_ms,
                           int64_t suspended_ms);
int64_t lb_hb_sched_next_due(const struct lb_hb_sched *sched); /* LB_NEVER_MS: nothing */
/* Rule 5.6: stops all (shutdown). */
void lb_hb_sched_stop_all(struct lb_hb_sched *sched, int64_t now_ms);

/* The host's gate, found or made; valid until the scheduler is destroyed. key:
 * "host:port"; where tokens can be renewed a blank and what tells them apart follow. */
enum lb_status lb_hb_host_get(struct lb_hb_sched *sched, const char *key,
                              struct lb_hb_host **out, struct lb_error *err) LB_MUST_USE;
const char *lb_hb_host_key(const struct lb_hb_host *host);
/* Any success on the host outside the heartbeat also counts as one (opens the gate). */
void lb_hb_host_success(struct lb_hb_host *host, int64_t now_ms);
/* The renewal asked for by renew_token has ended. */
void lb_hb_host_token(struct lb_hb_host *host, bool renewed, int64_t now_ms);
/* Within renew_token: one whose token was refused. All of a host have the same token, see
 * lb_hb_host_get. */
struct lb_hb *lb_hb_host_refused(const struct lb_hb_host *host);
/* Sum of the limits of the gates whose keys are name, or name and more behind a blank. */
int32_t lb_hb_sched_probe_limit(const struct lb_hb_sched *sched, struct lb_str name);

/* One result's heartbeat: at most 256 bytes with its heap slot, tag LB_MEM_HB, reference-
 * counted on the I/O thread (the result holds one reference, a probe in flight another).
 */
struct lb_hb_setup {
  struct lb_hb_host *host;
  const struct lb_hb_options *options; /* copied */
  enum lb_server_kind kind;
  enum lb_op_origin origin;
  enum lb_probe_kind probe;  /* resolved */
  struct lb_hb_stats *stats; /* retained */
  const char *query_id;      /* copied, 36 characters, for log lines */
  void *owner;               /* the operation; handed back by lb_hb_owner */
  int64_t contact_ms;        /* execution's last contact (rule 3.7) */
};
/* Created in NOT_ARMED, then armed (rule 2.2); on failure the stats say failed_to_arm. */
enum lb_status lb_hb_create(struct lb_hb_sched *sched, const struct lb_hb_setup *setup,
                            struct lb_hb **out, struct lb_error *err) LB_MUST_USE;
void lb_hb_retain(struct lb_hb *hb);
void lb_hb_release(struct lb_hb *hb); /* stops it (released) when it is still armed */
void *lb_hb_owner(const struct lb_hb *hb);
enum lb_hb_state lb_hb_state(const struct lb_hb *hb);
enum lb_hb_reason lb_hb_reason(const struct lb_hb *hb);
enum lb_probe_kind lb_hb_probe(const struct lb_hb *hb);
int64_t lb_hb_request_timeout_ms(const struct lb_hb *hb);

/* No-op when armed. LB_INVALID_STATE after a stop that is final (all but rule 4.3's). */
enum lb_status lb_hb_arm(struct lb_hb *hb, int64_t now_ms,
                         struct lb_error *err) LB_MUST_USE;
/* No-op when not armed or stopped. After it no probe is sent; one in flight is dropped.
 */
void lb_hb_stop(struct lb_hb *hb, enum lb_hb_reason reason, int64_t now_ms);
/* A request on the operation was confirmed; sent_ms is when it was sent (rule 3.3).
 * Re-arms after FAILURES, HANDLE_LOST and TERMINAL_STATE (rule 4.3). */
void lb_hb_contact(struct lb_hb *hb, enum lb_op_rpc rpc, int64_t sent_ms, int64_t now_ms);
/* The reader entered or left a read (rule 5.5); inside: not idle until it leaves. */
void lb_hb_reader(struct lb_hb *hb, bool inside, int64_t now_ms);
/* The end of the probe that ops->send started. */
void lb_hb_answered(struct lb_hb *hb, const struct lb_hb_answer *answer, int64_t now_ms);

#endif
