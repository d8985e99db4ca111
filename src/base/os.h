/* SPDX-License-Identifier: Apache-2.0 */
/* Every call to the operating system that is not memory, a mutex or libcurl. Implemented
 * in os_linux.c; a port adds a file. */
#ifndef LB_BASE_OS_H
#define LB_BASE_OS_H

#include <pthread.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

int64_t lb_os_boottime_ms(void);
int64_t lb_os_monotonic_ms(void);
int64_t lb_os_monotonic_ns(void);
int64_t lb_os_wall_ms(void);
bool lb_os_random_bytes(void *dst, size_t len);
/* NULL when unset. The text belongs to the environment: copy before anything else runs.
 */
const char *lb_os_getenv(const char *name);
int64_t lb_os_pid(void);
/* Processors that this process may run on, at least 1. */
int32_t lb_os_processors(void);
/* What the system says of an errno value, in English ("No such file or directory"). */
void lb_os_error_text(int code, char *out, size_t cap);
/* Makes an error of an errno value: out of memory for ENOMEM, else LB_INTERNAL. what was
 * refused: "a thread". */
enum lb_status lb_os_refused(struct lb_error *err, const char *what, int code);

/* Opens a file for appending; made with mode 0600 when it is new; close-on-exec. -1 and
 * *code (an errno value) on failure. */
int lb_os_append_open(const char *path, int *code);
/* Appends the whole of a regular file, up to the buffer's ceiling. LB_NOT_FOUND when
 * there is none that may be read. */
enum lb_status lb_os_read_file(const char *path, struct lb_buf *out,
                               struct lb_error *err) LB_MUST_USE;
#define LB_OS_STDERR 2
/* Writes text and a newline in one system call, so that lines of threads do not mix. A
 * line that cannot be written (full disk, closed pipe) is lost. */
void lb_os_write_line(int fd, const char *text, size_t len);

/* A thread with the given name (at most 15 characters) on which no signal of the host
 * program is handled: all are blocked but those that a thread's own fault raises. */
struct lb_thread {
  pthread_t raw;
};
enum lb_status lb_os_thread_start(struct lb_thread *thread, const char *name,
                                  void *(*run)(void *), void *arg,
                                  struct lb_error *err) LB_MUST_USE;
void lb_os_thread_join(struct lb_thread *thread);
/* False when the thread has not ended by deadline_ms (boot time). */
bool lb_os_thread_join_until(struct lb_thread *thread, int64_t deadline_ms);

/* A timer on CLOCK_BOOTTIME as a pollable descriptor, close-on-exec, non-blocking. -1 on
 * failure. */
int lb_os_timer_open(void);
/* Fires at due_ms (boot time); LB_NEVER_MS disarms. */
void lb_os_timer_set(int fd, int64_t due_ms);
void lb_os_timer_drain(int fd);
void lb_os_close(int fd);
/* Sets close-on-exec; used by curl's socket callback. */
int lb_os_socket_cloexec(int domain, int type, int protocol);

/* Files and folders. Descriptors are close-on-exec; -1 or false and *code (an errno
 * value) on failure. Functions with _at take a name without a slash in an open folder and
 * follow no link there. */
int lb_os_folder_open(const char *path, int *code); /* follows links */
int lb_os_folder_open_at(int folder, const char *name, int *code);
/* For reading; EINVAL for what is no regular file. */
int lb_os_file_open_at(int folder, const char *name, int64_t *size, int *code);
/* For writing; fails when there is one. */
int lb_os_file_create_at(int folder, const char *name, int *code);
/* Reading begins anew. */
bool lb_os_file_rewind(int fd, int *code);
/* 0 at the end. */
int64_t lb_os_file_read(int fd, void *dst, size_t cap, int *code);
bool lb_os_file_write(int fd, const void *data, size_t len, int *code); /* all of it */
bool lb_os_file_close(int fd, int *code);
/* In one step; what was named `to` is gone. */
bool lb_os_rename_at(int folder, const char *from, const char *to, int *code);
void lb_os_unlink_at(int folder, const char *name);

/* Registers child to run in the child after fork(). Handlers cannot be removed, so this
 * is called once per process. */
enum lb_status lb_os_at_fork(void (*child)(void), struct lb_error *err) LB_MUST_USE;
/* Registers a handler for exit(). */
enum lb_status lb_os_at_exit(void (*handler)(void), struct lb_error *err) LB_MUST_USE;

#endif
