/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "base/base.h"
#include "base/os.h"

_Noreturn void lb_assert_failed(const char *expr, const char *file, int line) {
  char text[512];
  int len = snprintf(text, sizeof(text), "lakebeat: %s:%d: broken invariant: %s", file,
                     line, expr);
  if (len > 0) {
    lb_os_write_line(LB_OS_STDERR, text, LB_MIN((size_t)len, sizeof(text) - 1));
  }
  (void)raise(SIGABRT);
  /* SIGABRT may be caught or ignored by the host program: stop all the same. */
  __builtin_trap();
}
