/* SPDX-License-Identifier: Apache-2.0 */
/* `<test program> --torture MOST`: every test of the program again and again, each time
 * in a child process and with another allocation failing; test_support.h includes it.
 *
 * 1. A first run without failure counts the allocations of the test, N.
 * 2. Then the 1st, 2nd, ... Nth fails, if N is at most MOST (0: no limit); else MOST of
 *    them, evenly spread, the same ones each time. Without limit each is done twice, the
 *    second time with all later allocations failing too, unless none came later the first
 *    time.
 * 3. To begin anew for each would take N times the time of the test. So it is run once
 *    more as the original: where an allocation is to fail, a copy (fork) meets the
 *    failure, while the original waits and then goes on without. Copies are made only
 *    where the process is by itself: a thread, a child or an open file of the test would
 *    be lost to the copy, or shared with it. Elsewhere, and when a copy ends in any way
 *    that would be a finding, a run from the beginning decides.
 * 4. A test asserts success, so under torture an assertion may fail. That is in order
 *    only when the failure was told: LB_TEST_OK or LB_TEST_FAILS met LB_OUT_OF_MEMORY, or
 *    an error with this status was made before. An assertion that fails although nobody
 *    was told is a finding: something went on with wrong data.
 * 5. A failed assertion ends the process from where it stands (cmocka calls exit when no
 *    test of its own runs), so that what the test owns is still on its stack, and what
 *    the leak checker then finds was lost by the library. A test that ran to its end must
 *    have freed every block.
 * 6. Crash, sanitizer's report, LB_ASSERT and no end within HANG_SECONDS are findings.
 *    A finding is repeated with the stack of the allocation that failed and the words of
 *    the assertion; its output is shown.
 * 7. What a test repeats for the sake of many inputs or of races, it repeats less often
 *    under torture: lb_test_rounds, lb_test_step. */
#ifndef LB_BASE_TEST_TORTURE_H
#define LB_BASE_TEST_TORTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Far beyond what any test takes on a busy machine. */
#define LB_TORTURE_HANG_SECONDS 120
#define LB_TORTURE_SHOWN_BYTES 6000
/* Of one test. */
#define LB_TORTURE_ALLOCATIONS_MAX (1 << 20)

/* How a child ends. Sanitizers end with 1, cmocka and crashes otherwise. */
enum lb_torture_end {
  LB_TORTURE_RIGHT = 0, /* the test passed all the same */
  LB_TORTURE_TOLD = 70, /* a status said that memory was out */
  LB_TORTURE_AFTER,     /* an assertion failed after an error had said so */
  LB_TORTURE_SILENT,    /* an assertion failed, and nobody had been told */
  LB_TORTURE_LEAK,
  LB_TORTURE_UNMET /* an assertion failed before any allocation did */
};

/* What is to be done at an allocation, and whether a copy could do it. */
enum lb_torture_mark {
  LB_TORTURE_ALONE = 1,
  LB_TORTURE_WITH_LATER = 2,
  LB_TORTURE_COPYABLE = 4
};

struct lb_torture_counts {
  int64_t allocations, runs, told, after, right, findings;
};

/* What parent, child and copies share, in memory mapped by all. */
struct lb_torture {
  bool on;
  bool told; /* by a status that a test looked at */
  bool more; /* allocations came after the one that failed */
  pid_t child;
  int files; /* the lowest free descriptor when the test began */
  int64_t allocations;
  int64_t blocks; /* made when one failed */
  struct lb_torture_counts counts;
  uint8_t *marks; /* by allocation; the 1st is at 0 */
};

/* One run of a test. */
struct lb_torture_how {
  int64_t nth; /* 0: none fails; copies are made where marks ask for them */
  bool sticky; /* all later ones fail too */
  bool show;
};

static inline struct lb_torture **lb_torture_place(void) {
  static struct lb_torture off, *place = &off;
  return &place;
}
static inline struct lb_torture *lb_torture(void) { return *lb_torture_place(); }

/* Called by the checks of test_support.h before they fail. */
static inline void lb_torture_tell(bool no_memory) {
  if (no_memory && lb_mem_failures() > 0) lb_torture()->told = true;
}

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __sanitizer_print_stack_trace(void) __attribute__((weak));

/* What a failed assertion means at this moment. */
static inline int lb_torture_judge(void) {
  if (lb_torture()->told) return LB_TORTURE_TOLD;
  if (lb_mem_failure_told()) return LB_TORTURE_AFTER;
  return lb_mem_failures() > 0 ? LB_TORTURE_SILENT : LB_TORTURE_UNMET;
}

/* How many have been made that could be made to fail. */
static inline int64_t lb_torture_blocks(void) {
  return lb_mem_stats(LB_MEM_TAG_COUNT).total_blocks -
         lb_mem_stats(LB_MEM_TEST).total_blocks;
}

static inline bool lb_torture_note_failure(void) {
  lb_torture()->blocks = lb_torture_blocks();
  return true;
}

static inline void lb_torture_note_end(void) {
  lb_torture()->more = lb_torture()->blocks != lb_torture_blocks();
  lb_mem_fail_nth(0, false);
}

/* The exit handler of a child: only a failed assertion comes here. */
static inline void lb_torture_at_exit(void) {
  if (getpid() != lb_torture()->child) return; /* a process that the test made */
  int end = lb_torture_judge();
  lb_torture_note_end();
  bool leaks = &__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
  if (leaks && end != LB_TORTURE_SILENT) end = LB_TORTURE_LEAK;
  fflush(NULL);
  _exit(end);
}

static inline bool lb_torture_show_stack(void) {
  if (&__sanitizer_print_stack_trace) __sanitizer_print_stack_trace();
  return true;
}

static inline int lb_torture_lowest_free_file(void) {
  int file = dup(STDERR_FILENO);
  if (file >= 0) close(file);
  return file;
}

/* Whether a copy of the process is as good as itself. */
static inline bool lb_torture_by_itself(void) {
  struct stat threads;
  siginfo_t child;
  return stat("/proc/self/task", &threads) == 0 && threads.st_nlink == 2 + 1 &&
         waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD &&
         lb_torture_lowest_free_file() == lb_torture()->files;
}

/* Clears what is settled, unless the end would be a finding. */
static inline bool lb_torture_settle(int64_t nth, bool sticky, int end) {
  struct lb_torture *shared = lb_torture();
  struct lb_torture_counts *counts = &shared->counts;
  uint8_t *mark = &shared->marks[nth - 1];
  if (end == LB_TORTURE_RIGHT) {
    counts->right++;
  } else if (end == LB_TORTURE_TOLD) {
    counts->told++;
  } else if (end == LB_TORTURE_AFTER) {
    counts->after++;
  } else {
    return false;
  }
  counts->runs++;
  *mark &= (uint8_t)~(sticky ? LB_TORTURE_WITH_LATER : LB_TORTURE_ALONE);
  if (!sticky && !shared->more) *mark &= (uint8_t)~LB_TORTURE_WITH_LATER;
  return true;
}

/* True in the copy. */
static inline bool lb_torture_copy(int64_t nth, bool sticky) {
  struct lb_torture *shared = lb_torture();
  int outcome = 0;
  fflush(NULL);
  rewind(stdout);
  if (ftruncate(STDOUT_FILENO, 0) != 0) return false;
  shared->told = false;
  shared->more = true;
  (void)alarm(0); /* the copy has its own */
  pid_t pid = fork();
  if (pid == 0) {
    shared->child = getpid();
    (void)alarm(LB_TORTURE_HANG_SECONDS);
    if (!sticky) lb_mem_fail_nth(0, false);
    lb_mem_on_failure(NULL);
    return lb_torture_note_failure();
  }
  bool ended = pid > 0 && waitpid(pid, &outcome, 0) == pid && WIFEXITED(outcome);
  if (ended) (void)lb_torture_settle(nth, sticky, WEXITSTATUS(outcome));
  shared->child = getpid();
  (void)alarm(LB_TORTURE_HANG_SECONDS);
  return false;
}

/* At each allocation of a run without failure. True, that it is to fail, in copies. */
static inline bool lb_torture_visit(void) {
  struct lb_torture *shared = lb_torture();
  int64_t nth = __atomic_add_fetch(&shared->allocations, 1, __ATOMIC_SEQ_CST);
  if (nth > LB_TORTURE_ALLOCATIONS_MAX || getpid() != shared->child) return false;
  uint8_t *mark = &shared->marks[nth - 1];
  int error_before = errno;
  bool copy = false;
  if (lb_torture_by_itself()) {
    copy = (*mark & LB_TORTURE_ALONE) != 0 && lb_torture_copy(nth, false);
    if (!copy && (*mark & LB_TORTURE_ALONE) == 0) {
      copy = (*mark & LB_TORTURE_WITH_LATER) != 0 && lb_torture_copy(nth, true);
    }
    if (!copy) *mark |= LB_TORTURE_COPYABLE;
  }
  errno = error_before;
  return copy;
}

static inline void lb_torture_child(const struct CMUnitTest *test,
                                    struct lb_torture_how how, int output) {
  struct lb_torture *shared = lb_torture();
  pid_t original = getpid();
  void *state = NULL;
  (void)dup2(output, STDOUT_FILENO);
  (void)dup2(output, STDERR_FILENO);
  shared->child = original;
  shared->files = lb_torture_lowest_free_file();
  setenv("LAKEBEAT_TEST_TORTURE", "1", 1);
  (void)alarm(LB_TORTURE_HANG_SECONDS);
  if (how.show) {
    setenv("CMOCKA_TEST_ABORT", "1", 1);
  } else {
    atexit(lb_torture_at_exit);
  }
  if (test->setup_func) test->setup_func(&state);
  int64_t before = lb_torture_blocks();
  if (how.nth == 0) {
    lb_mem_fail_nth(1, true);
    lb_mem_on_failure(lb_torture_visit);
  } else {
    lb_mem_fail_nth(how.nth, how.sticky);
    lb_mem_on_failure(how.show ? lb_torture_show_stack : lb_torture_note_failure);
  }
  test->test_func(&state);
  lb_torture_note_end();
  /* A test that has failures of its own is no longer visited. */
  int64_t made = lb_torture_blocks() - before;
  if (getpid() == original) shared->allocations = LB_MAX(shared->allocations, made);
  bool left = test->teardown_func && test->teardown_func(&state) != 0;
  fflush(NULL);
  _exit(left ? LB_TORTURE_LEAK : LB_TORTURE_RIGHT);
}

static inline int lb_torture_run(const struct CMUnitTest *test, struct lb_torture_how how,
                                 FILE *output) {
  struct lb_torture *shared = lb_torture();
  shared->told = false;
  shared->more = true;
  shared->allocations = 0;
  shared->blocks = -1;
  rewind(output);
  if (ftruncate(fileno(output), 0) != 0) return -1;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) lb_torture_child(test, how, fileno(output));
  int outcome = 0;
  if (pid < 0 || waitpid(pid, &outcome, 0) != pid) return -1;
  if (!WIFEXITED(outcome)) return 1000 + WTERMSIG(outcome);
  /* Assertions of two threads that fail at once: the second one gets past the handler. */
  bool twice = WEXITSTATUS(outcome) == 255 && shared->told;
  return twice ? LB_TORTURE_TOLD : WEXITSTATUS(outcome);
}

static inline const char *lb_torture_words(int end) {
  switch (end) {
    case LB_TORTURE_SILENT:
      return "an assertion failed, and no error told of the failure";
    case LB_TORTURE_LEAK:
      return "memory was lost";
    case LB_TORTURE_UNMET:
      return "the test failed before any allocation did";
    case 1000 + SIGALRM:
      return "no end";
    default:
      return "crash or sanitizer's report";
  }
}

static inline void lb_torture_print(FILE *output) {
  char piece[512];
  size_t left = LB_TORTURE_SHOWN_BYTES;
  rewind(output);
  /* With room for its end alone, fgets would read nothing for ever. */
  while (left > 1 && fgets(piece, (int)LB_MIN(left, sizeof(piece)), output) != NULL) {
    printf("    %s", piece);
    left -= LB_MAX(strlen(piece), 1);
  }
  printf("\n");
}

static inline void lb_torture_one(const struct CMUnitTest *test, int64_t nth, bool sticky,
                                  FILE *output) {
  struct lb_torture_how how = {.nth = nth, .sticky = sticky};
  int end = lb_torture_run(test, how, output);
  if (lb_torture_settle(nth, sticky, end)) return;
  lb_torture()->counts.runs++;
  lb_torture()->counts.findings++;
  printf("FINDING %s, allocation %lld%s: %s (%d)\n", test->name, (long long)nth,
         sticky ? " and all later ones" : "", lb_torture_words(end), end);
  lb_torture_print(output);
  how.show = true;
  (void)lb_torture_run(test, how, output);
  printf("  again, with the stack of the failed allocation:\n");
  lb_torture_print(output);
}

/* Marks what is to be done; true if copies can do some of it. */
static inline bool lb_torture_plan(int64_t allocations, int64_t most) {
  uint8_t *marks = lb_torture()->marks;
  int64_t count = most > 0 ? LB_MIN(allocations, most) : allocations;
  bool copyable = false;
  for (int64_t i = 0; i < count; i++) {
    int64_t at = count == 1 ? 0 : i * (allocations - 1) / (count - 1);
    copyable = copyable || (marks[at] & LB_TORTURE_COPYABLE) != 0;
    marks[at] |= LB_TORTURE_ALONE | (most == 0 ? LB_TORTURE_WITH_LATER : 0);
  }
  return copyable;
}

static inline void lb_torture_test(const struct CMUnitTest *test, int64_t most,
                                   FILE *output) {
  struct lb_torture *shared = lb_torture();
  struct lb_torture_how original = {.nth = 0};
  memset(shared->marks, 0, LB_TORTURE_ALLOCATIONS_MAX);
  int end = lb_torture_run(test, original, output);
  int64_t allocations = shared->allocations;
  if (end != LB_TORTURE_RIGHT || allocations > LB_TORTURE_ALLOCATIONS_MAX) {
    shared->counts.findings++;
    printf("FINDING %s fails by itself (%d), or has too many allocations (%lld)\n",
           test->name, end, (long long)allocations);
    lb_torture_print(output);
    return;
  }
  printf("%8lld allocations: %s\n", (long long)allocations, test->name);
  shared->counts.allocations += allocations;
  /* How that run ends is of no importance: what it leaves undone is done below. */
  if (lb_torture_plan(allocations, most)) (void)lb_torture_run(test, original, output);
  for (int64_t nth = 1; nth <= allocations; nth++) {
    uint8_t *mark = &shared->marks[nth - 1];
    if (*mark & LB_TORTURE_ALONE) lb_torture_one(test, nth, false, output);
    if (*mark & LB_TORTURE_WITH_LATER) lb_torture_one(test, nth, true, output);
  }
}

static inline void *lb_torture_share(size_t bytes) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static inline int lb_torture_main(const struct CMUnitTest *tests, size_t count,
                                  const char *most_text) {
  int64_t most;
  if (!lb_str_to_i64(lb_str_from(most_text), &most) || most < 0) return 2;
  struct lb_torture *shared = lb_torture_share(sizeof(*shared));
  uint8_t *marks = lb_torture_share(LB_TORTURE_ALLOCATIONS_MAX);
  FILE *output = tmpfile();
  if (shared == MAP_FAILED || marks == MAP_FAILED || output == NULL) return 2;
  *lb_torture_place() = shared;
  shared->on = true;
  shared->marks = marks;
  for (size_t i = 0; i < count; i++) lb_torture_test(&tests[i], most, output);
  fclose(output);
  const struct lb_torture_counts *sum = &shared->counts;
  printf("\n%zu tests, %lld allocations, %lld runs: %lld errors told, %lld after one, "
         "%lld right all the same, %lld findings\n",
         count, (long long)sum->allocations, (long long)sum->runs, (long long)sum->told,
         (long long)sum->after, (long long)sum->right, (long long)sum->findings);
  return sum->findings == 0 ? 0 : 1;
}

#endif
