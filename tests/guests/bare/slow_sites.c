// SPDX-License-Identifier: GPL-2.0-or-later
// Executes loads from a device at ever new addresses, without an end: pages full of them, written
// anew in each round. Prints `ready` first.
#include "runtime.h"

enum { kFirst = 0x41000000, kBytes = 16 << 20, kPageWords = 1024, kUartFlags = 0x18 };
enum { kLdrR2FromR3 = 0xe5932000, kBxLr = 0xe12fff1e };

void main(void);
void main(void) {
  put_string("ready\n");
  for (;;) {
    for (uint32_t page = kFirst; page < kFirst + kBytes; page += 4 * kPageWords) {
      volatile uint32_t* const code = (volatile uint32_t*)page;
      for (uint32_t i = 0; i < kPageWords - 1; ++i) code[i] = kLdrR2FromR3;
      code[kPageWords - 1] = kBxLr;
      dsb();
      WRITE_CP15(0, c7, c5, 0, 0);  // ICIALLU
      dsb();
      isb();
      __asm__ volatile("mov r3, %0\n blx %1" : : "r"(kUart + kUartFlags), "r"(page) : "r2", "r3", "lr", "memory");
    }
  }
}
