// SPDX-License-Identifier: GPL-2.0-or-later
// Unaligned accesses: with the MMU off and to Device and Strongly-ordered memory they take
// Alignment faults, to Normal memory they work. Ends with status 0, or the number of the case that
// went wrong.
#include "runtime.h"

static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint8_t bytes[64] __attribute__((aligned(64)));
static uint32_t cases;

enum { kAlignment = 0x1, kWrite = 1u << 11 };
// Other addresses of RAM: the section attributes' TEX, C and B are 0 0 1, and 0 0 0.
enum { kAsDevice = 0x60000000, kAsStronglyOrdered = 0x70000000 };

static void wrong(const char* what, uint32_t address) {
  put_string(what);
  put_string(" at ");
  put_hex(address);
  put_string(": status ");
  put_hex(last_exception.status);
  put_string(" address ");
  put_hex(last_exception.address);
  put_string("\n");
  semihosting_exit(cases);
}

static uint32_t word_of(uint32_t address) {
  const volatile uint8_t* const p = bytes + (address & 63);
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// Every offset, often: code is translated anew after it has met a fault or a device.
static void expect(uint32_t base, bool unaligned_works) {
  for (uint32_t round = 0; round < 4; ++round) {
    for (uint32_t offset = 0; offset < 8; ++offset) {
      const uint32_t address = base + offset;
      const bool faults = !unaligned_works && (offset & 3);
      uint32_t value = 0;
      ++cases;
      if (read_faults(address, &value) != faults) wrong("wrong outcome of a read", address);
      if (!faults && value != word_of(address)) wrong("wrong value", address);
      if (faults && (last_exception.kind != 4 || (last_exception.status & 0xc0f) != kAlignment ||
                     last_exception.address != address))
        wrong("wrong fault of a read", address);
      const uint32_t old = word_of(address);
      if (write_faults(address, ~old) != faults) wrong("wrong outcome of a write", address);
      if (word_of(address) != (faults ? old : ~old)) wrong("wrong memory after a write", address);
      if (faults && ((last_exception.status & 0xc0f) != (kAlignment | kWrite) || last_exception.address != address))
        wrong("wrong fault of a write", address);
    }
  }
}

void main(void);
void main(void) {
  for (uint32_t i = 0; i < sizeof bytes; ++i) bytes[i] = (uint8_t)(i * 17 + 3);
  const uint32_t at = (uint32_t)bytes;
  expect(at, false);
  put_string("MMU off: aligned\n");  // that is all where the MMU stays off
  make_section_map(level1);
  for (uint32_t i = 0; i < 64; ++i) {
    level1[(kAsDevice >> 20) + i] = (kRam + (i << 20)) | kSectionDevice;
    level1[(kAsStronglyOrdered >> 20) + i] = (kRam + (i << 20)) | (kSectionDevice & ~0xcu);
  }
  for (uint32_t round = 0; round < 2; ++round) {
    mmu_on(level1);
    expect(at, true);
    expect(at - kRam + kAsDevice, false);
    expect(at, true);
    expect(at - kRam + kAsStronglyOrdered, false);
    mmu_off();
    expect(at, false);
  }
  put_string("MMU on: by memory type\n");
  semihosting_exit(0);
}
