// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the windows of 40 address spaces as large as they can be: each reads every page of what is
// not a device's, where RAM is mapped again and again. Prints `ready`, then goes round without an
// end.
#include "runtime.h"

enum { kSpaces = 40, kSections = 4096, kFirst = 0x100, kDevices = 0x80, kRamSection = 0x400, kPageBytes = 4096 };

static uint32_t level1[kSpaces][kSections] __attribute__((aligned(16384)));

static bool is_alias(uint32_t section) { return section >= kFirst && (section < kRamSection || section >= 0x480); }

static void enter(uint32_t space) {
  WRITE_CP15(0, c2, c0, 0, level1[space]);
  isb();
  WRITE_CP15(0, c13, c0, 1, space + 1);  // CONTEXTIDR.ASID
  isb();
}

void main(void);
void main(void) {
  for (uint32_t space = 0; space < kSpaces; ++space) {
    make_section_map(level1[space]);
    for (uint32_t i = 0; i < kSections; ++i)
      if (is_alias(i)) level1[space][i] = (0x42000000u + ((i & 15) << 20)) | kSectionNormal;
  }
  mmu_on(level1[0]);
  put_string("ready\n");
  for (uint32_t space = 0;; space = (space + 1) % kSpaces) {
    enter(space);
    for (uint32_t i = 0; i < kSections; ++i) {
      if (!is_alias(i)) continue;
      const volatile uint32_t* const section = (const volatile uint32_t*)(i << 20);
      for (uint32_t p = 0; p < 1u << 18; p += kPageBytes / 4) (void)section[p];
    }
  }
}
