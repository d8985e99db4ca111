/* SPDX-License-Identifier: Apache-2.0 */
/* `<test program> --torture MOST`: every test of the program again and again, each time
 * in a child process and with another allocation failing; test_support.h includes it.
 *
 * 1. A first run without failure counts the allocations of the test, N.
 * 2. Then the 1st, 2nd, ... Nth fails, if N is at most MOST (0: no limit); else MOST of
 *    them, evenly spread, the same ones each time. Without limit each is done twice, the
 *    second time with all later allocations failing too.
 * 3. A test asserts success, so under torture an assertion may fail. That is in order
 *    only when the failure was told: LB_TEST_OK or LB_TEST_FAILS met LB_OUT_OF_MEMORY, or
 *    an error with this status was made before. An assertion that fails although nobody
 *    was told is a finding: something went on with wrong data.
 * 4. A failed assertion ends the process from where it stands (cmocka calls exit when no
 *    test of its own runs), so that what the test owns is still on its stack, and what
 *    the leak checker then finds was lost by the library. A test that ran to its end must
 *    have freed every block.
 * 5. Crash, sanitizer's report, LB_ASSERT and no end within HANG_SECONDS are findings.
 *    A finding is repeated with the stack of the allocation that failed and the words of
 *    the assertion; its output is shown. */
#ifndef LB_BASE_TEST_TORTURE_H
#define LB_BASE_TEST_TORTURE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Far beyond what any test takes on a busy machine. */
#define LB_TORTURE_HANG_SECONDS 120
#define LB_TORTURE_SHOWN_BYTES 6000

/* How a child ends. Sanitizers end with 1, cmocka and crashes otherwise. */
enum lb_torture_end {
  LB_TORTURE_RIGHT = 0, /* the test passed all the same */
  LB_TORTURE_TOLD = 70, /* a status said that memory was out */
  LB_TORTURE_AFTER,     /* an assertion failed after an error had said so */
  LB_TORTURE_SILENT,    /* an assertion failed, and nobody had been told */
  LB_TORTURE_LEAK,
  LB_TORTURE_UNMET /* an assertion failed before any allocation did */
};

/* What parent and child share, in memory mapped by both. */
struct lb_torture {
  bool on;
  bool told; /* by a status that a test looked at */
  pid_t child;
  int64_t allocations;
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

/* The exit handler of a child: only a failed assertion comes here. */
static inline void lb_torture_at_exit(void) {
  if (getpid() != lb_torture()->child) return; /* a process that the test made */
  int end = lb_torture_judge();
  lb_mem_fail_nth(0, false);
  bool leaks = &__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
  if (leaks && end != LB_TORTURE_SILENT) end = LB_TORTURE_LEAK;
  fflush(NULL);
  _exit(end);
}

static inline void lb_torture_show_stack(void) {
  if (&__sanitizer_print_stack_trace) __sanitizer_print_stack_trace();
}

/* How many have been made that could be made to fail. */
static inline int64_t lb_torture_blocks(void) {
  return lb_mem_stats(LB_MEM_TAG_COUNT).total_blocks -
         lb_mem_stats(LB_MEM_TEST).total_blocks;
}

static inline void lb_torture_child(const struct CMUnitTest *test, int64_t nth,
                                    bool sticky, bool show, int output) {
  void *state = NULL;
  (void)dup2(output, STDOUT_FILENO);
  (void)dup2(output, STDERR_FILENO);
  lb_torture()->child = getpid();
  setenv("LAKEBEAT_TEST_TORTURE", "1", 1);
  (void)alarm(LB_TORTURE_HANG_SECONDS);
  if (show) {
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    lb_mem_on_failure(lb_torture_show_stack);
  } else {
    atexit(lb_torture_at_exit);
  }
  int64_t before = lb_torture_blocks();
  if (test->setup_func) test->setup_func(&state);
  lb_mem_fail_nth(nth, sticky);
  test->test_func(&state);
  lb_mem_fail_nth(0, false);
  lb_torture()->allocations = lb_torture_blocks() - before;
  bool left = test->teardown_func && test->teardown_func(&state) != 0;
  fflush(NULL);
  _exit(left ? LB_TORTURE_LEAK : LB_TORTURE_RIGHT);
}

static inline int lb_torture_run(const struct CMUnitTest *test, int64_t nth, bool sticky,
                                 bool show, FILE *output) {
  struct lb_torture *shared = lb_torture();
  *shared = (struct lb_torture){.on = true};
  rewind(output);
  if (ftruncate(fileno(output), 0) != 0) return -1;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) lb_torture_child(test, nth, sticky, show, fileno(output));
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
  while (left > 0 && fgets(piece, (int)LB_MIN(left, sizeof(piece)), output) != NULL) {
    printf("    %s", piece);
    left -= strlen(piece);
  }
}

struct lb_torture_counts {
  int64_t allocations, runs, told, after, right, findings;
};

static inline void lb_torture_one(const struct CMUnitTest *test, int64_t nth, bool sticky,
                                  FILE *output, struct lb_torture_counts *counts) {
  int end = lb_torture_run(test, nth, sticky, false, output);
  counts->runs++;
  if (end == LB_TORTURE_RIGHT) {
    counts->right++;
  } else if (end == LB_TORTURE_TOLD) {
    counts->told++;
  } else if (end == LB_TORTURE_AFTER) {
    counts->after++;
  } else {
    counts->findings++;
    printf("FINDING %s, allocation %lld%s: %s (%d)\n", test->name, (long long)nth,
           sticky ? " and all later ones" : "", lb_torture_words(end), end);
    lb_torture_print(output);
    (void)lb_torture_run(test, nth, sticky, true, output);
    printf("  again, with the stack of the failed allocation:\n");
    lb_torture_print(output);
  }
}

static inline void lb_torture_test(const struct CMUnitTest *test, int64_t most,
                                   FILE *output, struct lb_torture_counts *counts) {
  int end = lb_torture_run(test, 0, false, false, output);
  int64_t allocations = lb_torture()->allocations;
  if (end != LB_TORTURE_RIGHT) {
    counts->findings++;
    printf("FINDING %s fails by itself (%d)\n", test->name, end);
    lb_torture_print(output);
    return;
  }
  counts->allocations += allocations;
  if (most > 0 && allocations > most) {
    for (int64_t i = 0; i < most; i++) {
      int64_t nth = most == 1 ? 1 : 1 + i * (allocations - 1) / (most - 1);
      lb_torture_one(test, nth, false, output, counts);
    }
    return;
  }
  for (int64_t nth = 1; nth <= allocations; nth++) {
    lb_torture_one(test, nth, false, output, counts);
    if (most == 0) lb_torture_one(test, nth, true, output, counts);
  }
}

static inline int lb_torture_main(const struct CMUnitTest *tests, size_t count,
                                  const char *most_text) {
  int64_t most;
  if (!lb_str_to_i64(lb_str_from(most_text), &most) || most < 0) return 2;
  struct lb_torture_counts counts = {0};
  void *shared = mmap(NULL, sizeof(struct lb_torture), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FILE *output = tmpfile();
  if (shared == MAP_FAILED || output == NULL) return 2;
  *lb_torture_place() = shared;
  for (size_t i = 0; i < count; i++) lb_torture_test(&tests[i], most, output, &counts);
  fclose(output);
  printf("\n%zu tests, %lld allocations, %lld runs: %lld errors told, %lld after one, "
         "%lld right all the same, %lld findings\n",
         count, (long long)counts.allocations, (long long)counts.runs,
         (long long)counts.told, (long long)counts.after, (long long)counts.right,
         (long long)counts.findings);
  return counts.findings == 0 ? 0 : 1;
}

#endif
