/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np, pthread_clockjoin_np, strerrordesc_np */
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/str.h"

#define NS_PER_MS 1000000
#define THREAD_NAME_MAX 15 /* the kernel's limit */
/* Longest single wait for a thread, so that no sum of times can overflow. */
#define JOIN_SLICE_MS (INT64_C(24) * 3600 * 1000)

static int64_t read_clock_ns(clockid_t id) {
  struct timespec ts = {0};
  int rc = clock_gettime(id, &ts);
  LB_ASSERT(rc == 0);
  (void)rc;
  return (int64_t)ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

static int64_t read_clock_ms(clockid_t id) { return read_clock_ns(id) / NS_PER_MS; }

int64_t lb_os_boottime_ms(void) { return read_clock_ms(CLOCK_BOOTTIME); }

int64_t lb_os_monotonic_ms(void) { return read_clock_ms(CLOCK_MONOTONIC); }

int64_t lb_os_monotonic_ns(void) { return read_clock_ns(CLOCK_MONOTONIC); }

int64_t lb_os_wall_ms(void) { return read_clock_ms(CLOCK_REALTIME); }

bool lb_os_random_bytes(void *dst, size_t len) {
  uint8_t *p = dst;
  while (len > 0) {
    ssize_t n = getrandom(p, len, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

const char *lb_os_getenv(const char *name) { return getenv(name); }

int64_t lb_os_pid(void) { return getpid(); }

int32_t lb_os_processors(void) {
  cpu_set_t allowed; /* fails where there are more than it has bits for: 1,024 */
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    return LB_MAX((int32_t)CPU_COUNT(&allowed), 1);
  }
  return (int32_t)LB_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

void lb_os_error_text(int code, char *out, size_t cap) {
  const char *text = strerrordesc_np(code);
  lb_str_copy(out, cap, lb_str_from(text != NULL ? text : "unknown error"));
}

int lb_os_append_open(const char *path, int *code) {
  int fd;
  do {
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) *code = errno;
  return fd;
}

#define READ_STEP_BYTES 4096

static enum lb_status read_all(int fd, struct lb_buf *out, struct lb_error *err) {
  for (;;) {
    uint8_t step[READ_STEP_BYTES];
    ssize_t n = read(fd, step, sizeof step);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return lb_os_refused(err, "a file", errno);
    if (n == 0) return lb_buf_check(out, "a file", err);
    lb_buf_append(out, step, (size_t)n);
    LB_TRY(lb_buf_check(out, "a file", err));
  }
}

enum lb_status lb_os_read_file(const char *path, struct lb_buf *out,
                               struct lb_error *err) {
  int fd;
  struct stat about;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    lb_os_close(fd);
    return lb_error_set(err, LB_NOT_FOUND, "the file %s is not there", path);
  }
  enum lb_status status = read_all(fd, out, err);
  lb_os_close(fd);
  return status;
}

void lb_os_write_line(int fd, const char *text, size_t len) {
  char newline = '\n';
  struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)text, .iov_len = len},
                           {.iov_base = &newline, .iov_len = 1}};
  ssize_t n;
  do {
    n = writev(fd, parts, 2);
  } while (n < 0 && errno == EINTR);
}

enum lb_status lb_os_refused(struct lb_error *err, const char *what, int code) {
  char text[128];
  if (code == ENOMEM) return lb_error_oom(err, what);
  lb_os_error_text(code, text, sizeof(text));
  return lb_error_set(err, LB_INTERNAL, "the system refused %s: %s", what, text);
}

enum lb_status lb_os_thread_start(struct lb_thread *thread, const char *name,
                                  void *(*run)(void *), void *arg, struct lb_error *err) {
  /* The new thread inherits the mask. Faults stay open: a blocked one would kill the
   * process without a word to the crash handler of the host program. */
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < LB_ARRAY_LEN(faults); i++) sigdelset(&blocked, faults[i]);
  int code = pthread_sigmask(SIG_SETMASK, &blocked, &before);
  if (code != 0) return lb_os_refused(err, "to block signals for a thread", code);
  pthread_t raw;
  code = pthread_create(&raw, NULL, run, arg);
  int restored = pthread_sigmask(SIG_SETMASK, &before, NULL);
  LB_ASSERT(restored == 0);
  (void)restored;
  if (code == EAGAIN) {
    return lb_error_set(err, LB_INTERNAL,
                        "the system refused a thread (%s): raise the limit on threads "
                        "(ulimit -u, or the container's pids limit)",
                        name);
  }
  if (code != 0) return lb_os_refused(err, "a thread", code);
  char cut[THREAD_NAME_MAX + 1];
  lb_str_copy(cut, sizeof(cut), lb_str_from(name));
  /* A name is for debuggers: a thread without one is as good. */
  (void)pthread_setname_np(raw, cut);
  thread->raw = raw;
  return LB_OK;
}

void lb_os_thread_join(struct lb_thread *thread) {
  int code = pthread_join(thread->raw, NULL);
  LB_ASSERT(code == 0);
  (void)code;
}

/* A step of the wall clock must not stretch the wait, so it is timed by the monotonic
 * clock. The thread sanitizer knows only the join by wall time and would report a leak.
 */
#if defined(__SANITIZE_THREAD__)
#define LB_WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LB_WITH_TSAN 1
#endif
#endif
static int join_within(pthread_t raw, int64_t left_ms) {
#ifdef LB_WITH_TSAN
  int64_t until_ms = lb_os_wall_ms() + left_ms;
#else
  int64_t until_ms = lb_os_monotonic_ms() + left_ms;
#endif
  struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                           .tv_nsec = (long)(until_ms % 1000) * NS_PER_MS};
#ifdef LB_WITH_TSAN
  return pthread_timedjoin_np(raw, NULL, &until);
#else
  return pthread_clockjoin_np(raw, NULL, CLOCK_MONOTONIC, &until);
#endif
}

bool lb_os_thread_join_until(struct lb_thread *thread, int64_t deadline_ms) {
  if (deadline_ms == LB_NEVER_MS) {
    lb_os_thread_join(thread);
    return true;
  }
  for (;;) {
    int64_t now_ms = lb_os_boottime_ms();
    int64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    int code = join_within(thread->raw, LB_MIN(left_ms, JOIN_SLICE_MS));
    if (code == 0) return true;
    LB_ASSERT(code == ETIMEDOUT);
    if (left_ms == 0) return false;
  }
}

int lb_os_timer_open(void) {
  return timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
}

void lb_os_timer_set(int fd, int64_t due_ms) {
  struct itimerspec spec = {0};
  if (due_ms != LB_NEVER_MS) {
    due_ms = LB_MAX(due_ms, 0);
    spec.it_value.tv_sec = (time_t)(due_ms / 1000);
    spec.it_value.tv_nsec = (long)(due_ms % 1000) * NS_PER_MS;
    /* All zero would disarm; what is due since boot fires at once. */
    if (due_ms == 0) spec.it_value.tv_nsec = 1;
  }
  int rc = timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
  LB_ASSERT(rc == 0);
  (void)rc;
}

void lb_os_timer_drain(int fd) {
  uint64_t fired;
  ssize_t n;
  do {
    n = read(fd, &fired, sizeof(fired));
  } while (n < 0 && errno == EINTR);
}

void lb_os_close(int fd) {
  /* Not repeated on EINTR: Linux has freed the descriptor by then. */
  if (fd >= 0) (void)close(fd);
}

int lb_os_socket_cloexec(int domain, int type, int protocol) {
  return socket(domain, type | SOCK_CLOEXEC, protocol);
}

enum lb_status lb_os_at_fork(void (*child)(void), struct lb_error *err) {
  int code = pthread_atfork(NULL, NULL, child);
  return code == 0 ? LB_OK : lb_os_refused(err, "a fork handler", code);
}

enum lb_status lb_os_at_exit(void (*handler)(void), struct lb_error *err) {
  return atexit(handler) == 0 ? LB_OK : lb_error_oom(err, "an exit handler");
}
