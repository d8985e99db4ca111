/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where errors of lakebeat become errors of ADBC. The caller of the driver
 * owns the struct, and an old one ends before private_data: nothing beyond is touched
 * unless vendor_code says that it is there. */
#ifndef LB_ADBC_ERRORS_H
#define LB_ADBC_ERRORS_H

#include "arrow-adbc/adbc.h"
#include "base/error.h"

/* What an entry point returns for status; fills error (NULL allowed) unless it is LB_OK.
 * An error that error already holds is released first. */
AdbcStatusCode lb_adbc_finish(enum lb_status status, const struct lb_error *err,
                              struct AdbcError *error);

int lb_adbc_error_detail_count(const struct AdbcError *error);
/* All zero when there is no such detail. */
struct AdbcErrorDetail lb_adbc_error_detail(const struct AdbcError *error, int index);

/* The errno value that an Arrow stream returns for an ADBC status. */
int lb_adbc_errno(AdbcStatusCode code);

#endif
