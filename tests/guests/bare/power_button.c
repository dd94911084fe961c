// SPDX-License-Identifier: GPL-2.0-or-later
// Waits for the power button as a driver does: an interrupt at both edges, and then the line is
// looked at. Ends with status 0 when it was pressed and released.
#include "runtime.h"

enum { kGpio = 0x09030000, kLine = 1u << 3 };

void main(void);
void main(void) {
  *device(kGpio, 0x408) = kLine;  // GPIOIBE
  *device(kGpio, 0x410) = kLine;  // GPIOIE
  put_string("waiting for the button\n");
  for (uint32_t level = kLine;; level = 0) {
    while (!(*device(kGpio, 0x418) & kLine)) {  // GPIOMIS
    }
    *device(kGpio, 0x41c) = kLine;  // GPIOIC
    if (*device(kGpio, kLine << 2) != level) semihosting_exit(1);
    put_string(level ? "down\n" : "up\n");
    if (!level) semihosting_exit(0);
  }
}
