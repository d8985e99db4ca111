/* SPDX-License-Identifier: Apache-2.0 */
/* Which local files a volume operation may touch. */
#ifndef LB_RESULT_VOLUME_PATH_H
#define LB_RESULT_VOLUME_PATH_H

#include "base/error.h"
#include "base/str.h"

#define LB_VOLUME_PATH_MAX 4096

/* A folder that is open, and the last part of a path in it. */
struct lb_volume_place {
  int folder; /* closed by the caller */
  char name[256];
};

/* allowed: folders separated by commas, NULL or "" for none. LB_INVALID_ARGUMENT names
 * path, option and remedy. */
enum lb_status lb_volume_place_open(const char *allowed, struct lb_str path,
                                    struct lb_volume_place *out,
                                    struct lb_error *err) LB_MUST_USE;

#endif
