// SPDX-License-Identifier: GPL-2.0-or-later
// Turns the MMU on with a level-1 table where nothing answers, so that not even the vectors can be
// fetched: a guest that takes prefetch aborts for ever. Ends only by --timeout.
#include "runtime.h"

void main(void);
void main(void) {
  put_string("hanging\n");
  mmu_on((const uint32_t*)0xf0000000);
  put_string("not reached\n");
  semihosting_exit(1);
}
