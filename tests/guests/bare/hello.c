// SPDX-License-Identifier: GPL-2.0-or-later
// The smallest guest: prints a line and ends with status 42.
#include "runtime.h"

void main(void);
void main(void) {
  put_string("hello from bare metal\n");
  semihosting_exit(42);
}
