/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_NOFOLLOW, O_CLOEXEC, O_DIRECTORY */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

int lb_os_folder_open(const char *path, int *code) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) *code = errno;
  return fd;
}

int lb_os_folder_open_at(int folder, const char *name, int *code) {
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) *code = errno;
  return fd;
}

int lb_os_file_open_at(int folder, const char *name, int64_t *size, int *code) {
  /* Without O_NONBLOCK a fifo would hold the caller. */
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat found;
  if (fd < 0) {
    *code = errno;
    return -1;
  }
  bool known = fstat(fd, &found) == 0;
  if (known && S_ISREG(found.st_mode)) {
    *size = (int64_t)found.st_size;
    return fd;
  }
  *code = known ? EINVAL : errno;
  lb_os_close(fd);
  return -1;
}

int lb_os_file_create_at(int folder, const char *name, int *code) {
  int fd =
      openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) *code = errno;
  return fd;
}

bool lb_os_file_rewind(int fd, int *code) {
  if (lseek(fd, 0, SEEK_SET) == 0) return true;
  *code = errno;
  return false;
}

int64_t lb_os_file_read(int fd, void *dst, size_t cap, int *code) {
  for (;;) {
    ssize_t n = read(fd, dst, cap);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    *code = errno;
    return -1;
  }
}

bool lb_os_file_write(int fd, const void *data, size_t len, int *code) {
  const uint8_t *from = data;
  while (len > 0) {
    ssize_t n = write(fd, from, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      *code = n < 0 ? errno : EIO;
      return false;
    }
    from += n;
    len -= (size_t)n;
  }
  return true;
}

bool lb_os_file_close(int fd, int *code) {
  if (close(fd) == 0 || errno == EINTR) return true;
  *code = errno;
  return false;
}

bool lb_os_rename_at(int folder, const char *from, const char *to, int *code) {
  if (renameat(folder, from, folder, to) == 0) return true;
  *code = errno;
  return false;
}

void lb_os_unlink_at(int folder, const char *name) { (void)unlinkat(folder, name, 0); }
