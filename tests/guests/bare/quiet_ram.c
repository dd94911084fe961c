// SPDX-License-Identifier: GPL-2.0-or-later
// Prints while nothing but the program itself should write to RAM. Ends with status 0 when the RAM
// before the image, which it does not use, is as it was.
#include "runtime.h"

enum { kWords = 0x4000, kLines = 200 };

static uint32_t checksum(void) {
  const volatile uint32_t* word = (const volatile uint32_t*)kRam;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < kWords; ++i) sum = sum * 31 + word[i];
  return sum;
}

void main(void);
void main(void) {
  const uint32_t before = checksum();
  for (int i = 0; i < kLines; ++i) put_string("somebody reads this, or nobody\n");
  // Until the host has written it.
  const uint64_t start = counter();
  while (to_nanoseconds(counter() - start) < 300000000) {
  }
  semihosting_exit(checksum() != before);
}
