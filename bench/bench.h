/* SPDX-License-Identifier: Apache-2.0 */
/* What the measured C programs share: time, CPU, memory of this process, and how they
 * give up. Each prints one line of JSON on stdout; what is wrong goes to stderr, status
 * 1. */
#ifndef LAKEBEAT_BENCH_H
#define LAKEBEAT_BENCH_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2))) _Noreturn static inline void die(const char *format,
                                                                       ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  _exit(1);
}

static inline double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double seconds_of(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* User and system time of all threads of this process. */
static inline double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/* A field of /proc/self/status, such as "VmHWM:", in KiB. */
static inline long status_kib(const char *field) {
  FILE *file = fopen("/proc/self/status", "r");
  if (!file) die("/proc/self/status cannot be read");
  char line[256];
  long found = -1;
  while (found < 0 && fgets(line, sizeof(line), file)) {
    if (strncmp(line, field, strlen(field)) == 0) {
      found = strtol(line + strlen(field), NULL, 10);
    }
  }
  fclose(file);
  return found;
}

/* Starts a measurement of peak memory: VmHWM falls to VmRSS, which is returned. */
static inline long start_of_peak_kib(void) {
  int file = open("/proc/self/clear_refs", O_WRONLY);
  if (file >= 0) {
    ssize_t written = write(file, "5", 1);
    (void)written;
    close(file);
  }
  return status_kib("VmRSS:");
}

#endif
