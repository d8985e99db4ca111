/* SPDX-License-Identifier: Apache-2.0 */
/* 1. Version 7.87.0: the first with CURLOPT_QUICK_EXIT (without it dropping a transfer
 *    waits for the resolver) and with a cache for CA files.
 * 2. THREADSAFE: curl_global_init may race with that of the host program.
 * 3. ASYNCHDNS: otherwise a name lookup stops every transfer of the process.
 * 4. SSL and the protocols http and https: what the driver speaks. */
#include "io/curl_check.h"

#include "base/str.h"

#define VERSION_MIN 0x075700u

static bool speaks(const curl_version_info_data *info, const char *protocol) {
  for (const char *const *p = info->protocols; p != NULL && *p != NULL; p++) {
    if (lb_str_equal(lb_str_from(*p), lb_str_from(protocol))) return true;
  }
  return false;
}

static enum lb_status lacks(const curl_version_info_data *info, const char *what,
                            struct lb_error *err) {
  return lb_error_set(err, LB_NOT_IMPLEMENTED,
                      "libcurl %s was found at run time and is built without %s, which "
                      "lakebeat needs: install the distribution's libcurl or correct "
                      "LD_LIBRARY_PATH",
                      info->version, what);
}

enum lb_status lb_curl_check(const curl_version_info_data *info, struct lb_error *err) {
  if (info->version_num < VERSION_MIN) {
    return lb_error_set(
        err, LB_NOT_IMPLEMENTED,
        "libcurl %s was found at run time; lakebeat needs 7.87.0 or later: "
        "upgrade libcurl or correct LD_LIBRARY_PATH",
        info->version);
  }
  if (!(info->features & CURL_VERSION_THREADSAFE)) {
    return lacks(info, "thread-safe initialization (THREADSAFE)", err);
  }
  if (!(info->features & CURL_VERSION_ASYNCHDNS)) {
    return lacks(info, "asynchronous name resolution (ASYNCHDNS)", err);
  }
  if (!(info->features & CURL_VERSION_SSL)) return lacks(info, "TLS (SSL)", err);
  if (!speaks(info, "http")) return lacks(info, "the protocol http", err);
  if (!speaks(info, "https")) return lacks(info, "the protocol https", err);
  return LB_OK;
}
