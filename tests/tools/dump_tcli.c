/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the tables of src/wire/tcli.c, one row per line: struct, id, type, element type,
 * required, name of the struct within, name. tests/test_tcli_tables.py compiles and reads
 * it. */
#include <stdio.h>

#include "wire/tcli.h"

int main(void) {
  for (size_t d = 0; d < lb_tcli_all_count; d++) {
    const struct lb_tstruct *desc = lb_tcli_all[d];
    for (unsigned i = 0; i < desc->field_count; i++) {
      const struct lb_tfield *f = &desc->fields[i];
      printf("%s %d %d %d %d %s %s\n", desc->name, f->id, f->type, f->elem,
             f->flags & LB_TF_REQUIRED ? 1 : 0, f->sub ? f->sub->name : "-", f->name);
    }
  }
  return 0;
}
