/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that make up lb_backend_thrift; contracts in backend.h. */
#ifndef LB_SESSION_THRIFT_BACKEND_PARTS_H
#define LB_SESSION_THRIFT_BACKEND_PARTS_H

#include "session/backend.h"

/* Requests are small but for the SQL text. */
#define LB_THRIFT_MAX_REQUEST_BYTES (256u * 1024u * 1024u)
#define LB_THRIFT_MAX_CONTROL_REPLY_BYTES (512u * 1024u * 1024u)
#define LB_THRIFT_MAX_DATA_REPLY_BYTES ((size_t)INT32_MAX)

/* A handle as the wire wants it, without heap. */
struct lb_thrift_session {
  struct lb_t_handle_identifier id;
  struct lb_t_session_handle handle;
};
struct lb_t_session_handle *lb_thrift_session_handle(struct lb_thrift_session *wire,
                                                     const struct lb_server *server);
enum lb_status lb_thrift_write_request(struct lb_request *req, const char *method,
                                       const struct lb_tstruct *desc, const void *msg,
                                       struct lb_error *err) LB_MUST_USE;
void lb_thrift_as_control(struct lb_request *req, enum lb_repeat repeat);

enum lb_status lb_thrift_build_open(const struct lb_open_params *params,
                                    struct lb_request *req,
                                    struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_info(const struct lb_server *server, int32_t info,
                                    struct lb_request *req,
                                    struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_execute(const struct lb_server *server,
                                       const struct lb_execute_params *params,
                                       struct lb_request *req,
                                       struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_catalog(const struct lb_server *server,
                                       const struct lb_catalog_params *params,
                                       struct lb_request *req,
                                       struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_again(struct lb_request *old, const struct lb_server *lost,
                                     const struct lb_server *server,
                                     struct lb_request *req,
                                     struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_poll(const struct lb_op_handle *handle, bool progress,
                                    struct lb_request *req,
                                    struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_metadata(const struct lb_op_handle *handle,
                                        struct lb_request *req,
                                        struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_fetch(const struct lb_server *server,
                                     const struct lb_op_handle *handle,
                                     const struct lb_fetch_params *params,
                                     struct lb_request *req,
                                     struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_probe(const struct lb_op_handle *handle,
                                     const struct lb_probe_params *params,
                                     struct lb_request *req,
                                     struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_cancel(const struct lb_op_handle *handle,
                                      struct lb_request *req,
                                      struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_close(const struct lb_op_handle *handle,
                                     struct lb_request *req,
                                     struct lb_error *err) LB_MUST_USE;
enum lb_status lb_thrift_build_end(const struct lb_server *server, struct lb_request *req,
                                   struct lb_error *err) LB_MUST_USE;

#endif
