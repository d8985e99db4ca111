/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the heartbeat share: heartbeat.c (one result's life and the meaning
 * of answers), hb_host.c (gate, pacing and tokens of one host), hb_sched.c (the run over
 * all of them) and hb_stats.c (what others may read). Nobody else includes it.
 *
 * Functions here neither announce the next due time nor send what waits, unless they say
 * so; the public functions end with lb_hb_sched_settle, which does both. */
#ifndef LB_RESULT_HB_INTERNAL_H
#define LB_RESULT_HB_INTERNAL_H

#include "result/hb_pace.h"
#include "result/heartbeat.h"

struct lb_hb_sched {
  struct lb_hb_ops ops;
  struct lb_random rnd;
  struct lb_log *log;
  struct lb_heap timers;      /* each armed or probing heartbeat once */
  struct lb_heap host_timers; /* each host once */
  struct lb_list hosts;
  uint32_t hb_count; /* created and not freed: as many have room in timers */
  uint32_t host_count;
  uint32_t resumes;     /* suspensions of the machine seen so far */
  uint32_t closings;    /* gates closed so far, for lb_hb_stats_gate_closed */
  int64_t now_ms;       /* latest time seen; never decreases */
  int64_t suspended_ms; /* -1 before the first run */
  int64_t resumed_ms;   /* when the latest suspension was noticed; INT64_MIN none */
  int64_t announced_ms; /* what ops.reschedule was told last */
  bool running;         /* within lb_hb_sched_run, which announces at its end */
  bool stopping;        /* nothing is sent any more */
  bool destroyed;       /* ops is gone; the last heartbeat's end frees the rest */
};

struct lb_hb_host {
  struct lb_list node;
  struct lb_heap_node timer;
  struct lb_hb_sched *sched;
  struct lb_list members; /* armed or probing */
  struct lb_list waiting; /* due, held back by the gate, Retry-After or the limit */
  struct lb_list token;   /* got a 401, wait for the renewal */
  struct lb_list out;     /* in flight and holding a place, oldest first */
  int64_t member_count;
  int64_t waiting_count;
  int64_t rate; /* due probes per 10^9 ms */
  struct lb_hb_pace pace;
  int32_t in_flight;
  int32_t overtaken; /* of these: hold no place */
  int32_t failures;  /* consecutive ones, of probes and canaries */
  bool closed;
  bool canary_out;
  bool renewing;
  bool state_unknown_warned;
  bool useless_warned;
  uint32_t resume_counted; /* the suspension whose failure was counted */
  int64_t backoff_ms;
  int64_t canary_ms;     /* earliest time of the next canary */
  int64_t outage_ms;     /* of the first failure */
  int64_t opened_ms;     /* when the gate opened last; INT64_MIN never */
  int64_t hold_until_ms; /* Retry-After */
  int64_t token_ms;      /* of the last renewal; INT64_MIN never */
  int64_t late_quiet_ms; /* no further warning of lateness before */
  char last_error[160];
  char key[];
};

enum lb_hb_queue {
  LB_HB_QUEUE_NONE,
  LB_HB_QUEUE_WAITING,
  LB_HB_QUEUE_TOKEN,
  LB_HB_QUEUE_OUT
};

struct lb_hb {
  struct lb_heap_node timer;
  struct lb_list member;
  struct lb_list queued; /* in a list of the host, as `queue` says */
  struct lb_hb_host *host;
  struct lb_hb_stats *stats;
  void *owner;
  int64_t base_ms;   /* the interval runs from here: last contact, or a later probe */
  int64_t due_ms;    /* of the next probe */
  int64_t sent_ms;   /* of the last probe */
  int64_t reader_ms; /* when the reader left its last read, moved on by suspended time */
  int64_t created_ms;
  int64_t max_idle_ms;
  int64_t max_lifetime_ms;
  int32_t interval_ms;
  int32_t request_timeout_ms;
  int32_t max_failures;
  int32_t refs;
  uint16_t warnings; /* of idleness, since the reader was last inside */
  uint8_t state;
  uint8_t reason;
  uint8_t kind;
  uint8_t origin;
  uint8_t probe;
  uint8_t queue;
  bool explicit_failures : 1;
  bool inside : 1;     /* the reader is in a read */
  bool in_flight : 1;  /* a probe was sent and its end was not reported */
  bool detached : 1;   /* ... and its outcome will be dropped */
  bool overtaken : 1;  /* ... and it holds no place any more */
  bool canary : 1;     /* ... and it is its host's canary */
  bool confirming : 1; /* the handle was unknown once */
  bool renewed : 1;    /* got a 401, and the next probe carries a newer token */
  char query_id[37];
};
/* Rule 8.2. 16 bytes are the allocator's header, two pointers the slot in the heap's
 * array just after it has doubled. */
_Static_assert(sizeof(struct lb_hb) + 16 + 2 * sizeof(void *) <= 256,
               "a parked result's heartbeat costs at most 256 bytes");

/* heartbeat.c */
int64_t lb_hb_idle_ms(const struct lb_hb *hb, int64_t now_ms);
/* Moves the timer to the next thing to do. */
void lb_hb_retime(struct lb_hb *hb);
/* The timer has come. */
void lb_hb_fire(struct lb_hb *hb, int64_t now_ms);
/* Sends the probe of an armed one. */
void lb_hb_launch(struct lb_hb *hb, int64_t now_ms);
/* One failure of a probing one, or of an armed one that waited for a token. */
void lb_hb_fail(struct lb_hb *hb, bool was_canary, const char *text, int64_t now_ms);
/* As lb_hb_stop. */
void lb_hb_halt(struct lb_hb *hb, enum lb_hb_reason reason, int64_t now_ms);
/* The machine was suspended for gap_ms: that time was not idle. */
void lb_hb_forgive(struct lb_hb *hb, int64_t gap_ms);

/* hb_host.c */
void lb_hb_host_join(struct lb_hb_host *host, struct lb_hb *hb);
void lb_hb_host_leave(struct lb_hb_host *host, struct lb_hb *hb);
bool lb_hb_host_may_send(const struct lb_hb_host *host, int64_t now_ms);
void lb_hb_host_queue(struct lb_hb_host *host, struct lb_hb *hb, bool at_front);
void lb_hb_host_dequeue(struct lb_hb *hb); /* no-op when not queued */
/* Its probe goes out; its probe has ended. */
void lb_hb_host_sent(struct lb_hb_host *host, struct lb_hb *hb);
void lb_hb_host_returned(struct lb_hb_host *host, struct lb_hb *hb);
/* The host has answered a probe after latency_ms (-1: no probe): that is a success. */
void lb_hb_host_answered(struct lb_hb_host *host, int64_t latency_ms, int64_t now_ms);
/* Counts a failure; may close the gate and may stop heartbeats of the host. */
void lb_hb_host_failed(struct lb_hb_host *host, bool was_canary, const char *text,
                       int64_t now_ms);
void lb_hb_host_hold(struct lb_hb_host *host, int64_t retry_after_ms, int64_t now_ms);
/* True when the 401 will be answered by a newer token: hb is queued, or probes again. */
bool lb_hb_host_renew(struct lb_hb_host *host, struct lb_hb *hb, int64_t sent_ms,
                      int64_t now_ms);
/* Sends what waits, as far as the host allows. */
void lb_hb_host_pump(struct lb_hb_host *host, int64_t now_ms);
void lb_hb_host_late(struct lb_hb_host *host, const struct lb_hb *hb, int64_t now_ms);

/* hb_sched.c */
/* The later of now_ms and the latest time seen. */
int64_t lb_hb_sched_advance(struct lb_hb_sched *sched, int64_t now_ms);
/* Sends what waits for the host and announces the next due time. */
void lb_hb_sched_settle(struct lb_hb_sched *sched, struct lb_hb_host *host);
/* A heartbeat has been freed. */
void lb_hb_sched_leave(struct lb_hb_sched *sched);

/* hb_stats.c; I/O thread only */
enum lb_hb_counter {
  LB_HB_COUNT_SENT,
  LB_HB_COUNT_SUCCEEDED,
  LB_HB_COUNT_FAILED,
  LB_HB_COUNT_DROPPED,
  LB_HB_COUNT_POSTPONED,
  LB_HB_COUNT_BYTES,
  LB_HB_COUNT_GATES,
  LB_HB_COUNTERS
};
void lb_hb_stats_add(struct lb_hb_stats *stats, enum lb_hb_counter which, int64_t amount);
int64_t lb_hb_stats_get(const struct lb_hb_stats *stats, enum lb_hb_counter which);
void lb_hb_stats_set_state(struct lb_hb_stats *stats, enum lb_hb_state state,
                           enum lb_hb_reason reason);
void lb_hb_stats_set_reader(struct lb_hb_stats *stats, bool inside, int64_t reader_ms);
void lb_hb_stats_set_contact(struct lb_hb_stats *stats,
                             int64_t sent_ms); /* keeps the later */
void lb_hb_stats_set_alive(struct lb_hb_stats *stats,
                           int64_t sent_ms); /* keeps the later */
int64_t lb_hb_stats_contact_ms(const struct lb_hb_stats *stats);
void lb_hb_stats_late(struct lb_hb_stats *stats, int64_t late_ms);
/* Counts once per block, however many results below it see the closing of that number. */
void lb_hb_stats_gate_closed(struct lb_hb_stats *stats, uint32_t closing);
void lb_hb_stats_set_verdict(struct lb_hb_stats *stats, enum lb_hb_reason reason,
                             int64_t idle_ms);
void lb_hb_stats_clear_verdict(struct lb_hb_stats *stats);

#endif
