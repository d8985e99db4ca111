/* SPDX-License-Identifier: Apache-2.0 */
/* What a Thrift server's answer means: HTTP status, TStatus and operation state become
 * one status and error. Pure; any thread. */
#ifndef LB_SESSION_THRIFT_STATUS_H
#define LB_SESSION_THRIFT_STATUS_H

#include "session/backend.h"

/* The HTTP layer: LB_OK when the reply is a Thrift message; else the status of the
 * failure (404 that names RESOURCE_DOES_NOT_EXIST: LB_RESULT_LOST). */
enum lb_status lb_thrift_judge_http(const struct lb_request *req,
                                    struct lb_error *err) LB_MUST_USE;
/* A TStatus; NULL (absent although required) is a protocol error. */
enum lb_status lb_thrift_judge_status(const struct lb_t_status *status, const char *what,
                                      struct lb_error *err) LB_MUST_USE;
/* The same from single fields, for the head of a fetch reply. */
struct lb_thrift_failure {
  int32_t status_code;
  struct lb_str sql_state;
  int32_t error_code;
  struct lb_str display_message;
  struct lb_str error_message;
};
enum lb_status lb_thrift_judge_failure(const struct lb_thrift_failure *failure,
                                       const char *what,
                                       struct lb_error *err) LB_MUST_USE;
/* An operation's state and, unless it lives or has finished, its failure in
 * out->failure. */
void lb_thrift_judge_operation(const struct lb_t_get_operation_status_resp *resp,
                               struct lb_op_head *out);
/* LB_RESULT_LOST or LB_SESSION_LOST when the text says that a handle is unknown, else
 * LB_OK. */
enum lb_status lb_thrift_lost_text(struct lb_str text);

#endif
