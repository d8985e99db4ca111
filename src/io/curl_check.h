/* SPDX-License-Identifier: Apache-2.0 */
/* Is the libcurl that the loader found good enough? Pure: it judges what it is shown. */
#ifndef LB_IO_CURL_CHECK_H
#define LB_IO_CURL_CHECK_H

#include <curl/curl.h>

#include "base/error.h"

/* info as curl_version_info gives it. LB_NOT_IMPLEMENTED names what was found and what is
 * needed. */
enum lb_status lb_curl_check(const curl_version_info_data *info,
                             struct lb_error *err) LB_MUST_USE;

#endif
