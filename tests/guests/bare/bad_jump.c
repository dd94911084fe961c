// SPDX-License-Identifier: GPL-2.0-or-later
// Jumps to nowhere in every way; each must be a prefetch abort or an undefined instruction with the
// right status. Ends with status 0, or the number of the case that went wrong.
#include "runtime.h"

static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint32_t cases;

// IFSR.FS with short descriptors: bits 10 and 3:0.
static uint32_t fault_status(void) { return last_exception.status & 0x40f; }

static void expect_prefetch_abort(uint32_t address, uint32_t status) {
  ++cases;
  if (call_faults(address) && last_exception.kind == 3 && fault_status() == status &&
      last_exception.pc == (address & ~1u))
    return;
  put_string("wrong outcome of a jump to ");
  put_hex(address);
  put_string(": kind ");
  put_decimal(last_exception.kind);
  put_string(" pc ");
  put_hex(last_exception.pc);
  put_string(" status ");
  put_hex(last_exception.status);
  put_string("\n");
  semihosting_exit(cases);
}

void main(void);
void main(void) {
  // Without an MMU: nothing answers there. Synchronous external abort.
  expect_prefetch_abort(0xf0000000, 0x8);
  expect_prefetch_abort(0xfffffff0, 0x8);
  expect_prefetch_abort(0xf0000003, 0x8);  // Thumb

  // UDF, as ARM and as Thumb.
  static const uint32_t udf_arm[] = {0xe7f000f0};
  static const uint16_t udf_thumb[] = {0xde00, 0xde00};
  for (int thumb = 0; thumb < 2; ++thumb) {
    ++cases;
    if (!call_faults(thumb ? (uint32_t)udf_thumb | 1 : (uint32_t)udf_arm) || last_exception.kind != 1)
      semihosting_exit(cases);
  }

  make_section_map(level1);
  level1[0x600] = 0;                                                      // no translation
  level1[0x601] = 0x43000000 | kSectionNormal | 1u << 4;                  // execute never
  level1[0x602] = (0x43000000 | (uint32_t)kSectionNormal) & ~(3u << 10);  // no access
  // domain 2: no access in DACR
  level1[0x603] = (0x43000000 | (uint32_t)kSectionNormal) | 2u << 5;
  level1[0xf00] = 0xf0000000 | kSectionNormal;  // nothing answers there
  mmu_on(level1);
  expect_prefetch_abort(0x60000000, 0x5);
  expect_prefetch_abort(0x600ffffd, 0x5);
  expect_prefetch_abort(0x60100000, 0xd);
  expect_prefetch_abort(0x60200040, 0xd);
  expect_prefetch_abort(0x60300040, 0x9);
  expect_prefetch_abort(0xf0000000, 0x8);
  mmu_off();
  put_string("every jump to nowhere was a guest fault\n");
  semihosting_exit(0);
}
