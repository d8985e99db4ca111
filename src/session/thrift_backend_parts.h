/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that make up lb_backend_thrift; contracts in backend.h. */
#ifndef LB_SESSION_THRIFT_BACKEND_PARTS_H
#define LB_SESSION_THRIFT_BACKEND_PARTS_H

#include "session/backend.h"

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
enum lb_status lb_thrift_build_poll(const struct lb_op_handle *handle,
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
