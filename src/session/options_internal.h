/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the options share: options_table.c (rows and the form of values),
 * options.c (sets) and options_target.c. Nobody else includes it. */
#ifndef LB_SESSION_OPTIONS_INTERNAL_H
#define LB_SESSION_OPTIONS_INTERNAL_H

#include "session/options.h"

/* A setting is a word or a short list; a query's text is no option. */
#define LB_OPTION_VALUE_MAX_BYTES 65536
/* How much of a key or value an error shows. */
#define LB_OPTION_SHOWN_MAX 64

struct lb_option_shown {
  char text[LB_OPTION_SHOWN_MAX + 4];
};
/* A key or value as an error may show it: cut and redacted. */
struct lb_option_shown lb_option_show(struct lb_str s);
/* LB_INVALID_ARGUMENT: "option k = 'v': wanted", without v when it is a secret. */
enum lb_status lb_option_bad_value(const struct lb_option_row *row, struct lb_str value,
                                   const char *wanted, struct lb_error *err);
/* The value as it is kept, lb_alloc'ed; fails when it is none of row's type. */
enum lb_status lb_option_normal_form(const struct lb_option_row *row, struct lb_str value,
                                     char **out, struct lb_error *err) LB_MUST_USE;
enum lb_status lb_option_copy(struct lb_str s, char **out,
                              struct lb_error *err) LB_MUST_USE;

/* Set here or above by itself, not by a uri. */
bool lb_options_is_own(struct lb_options *opts, enum lb_option_id id);
/* A uri says http://. */
bool lb_options_uri_is_plain(struct lb_options *opts);

#endif
