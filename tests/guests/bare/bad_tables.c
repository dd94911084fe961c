// SPDX-License-Identifier: GPL-2.0-or-later
// Page tables that point outside RAM, at devices and at themselves; each access must give its value
// or its exact fault. Ends with status 0, or the number of the case that went wrong.
#include "runtime.h"

static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint32_t level2[256] __attribute__((aligned(1024)));
static uint32_t cases;

static uint32_t fault_status(void) { return last_exception.status & 0x40f; }

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
static void expect_abort(uint32_t address, uint32_t status) {
  ++cases;
  if (!read_faults(address, NULL) || last_exception.kind != 4 || fault_status() != status ||
      last_exception.address != address)
    wrong("wrong outcome of a read", address);
  ++cases;
  if (!write_faults(address, 1) || fault_status() != status || last_exception.address != address ||
      !(last_exception.status & 1u << 11))
    wrong("wrong outcome of a write", address);
}
static void expect_value(uint32_t address, uint32_t value) {
  ++cases;
  uint32_t got = ~value;
  if (read_faults(address, &got) || got != value) wrong("wrong value", address);
}
static void flush(void) {
  dsb();
  WRITE_CP15(0, c8, c7, 0, 0);
  dsb();
  isb();
}

void main(void);
void main(void) {
  make_section_map(level1);
  for (uint32_t i = 0; i < 256; ++i) level2[i] = 0;
  level1[0x500] = (uint32_t)level2 | 1;
  level1[0x501] = 0xf0000000 | 1;                  // level-2 table where nothing answers
  level1[0x502] = kRtc | 1;                        // level-2 table in a device's registers
  level1[0x503] = (uint32_t)level1 | 1;            // the level-1 table as its own level-2 table
  level1[0x504] = 0xf0000000 | kSectionNormal;     // memory where nothing answers
  level1[0x506] = (uint32_t)level2 | 1 | 3u << 5;  // domain 3: no access
  level2[1] = 0xf0000000 | kSmallPageNormal;
  level2[2] = (uint32_t)level2 | kSmallPageNormal;       // maps the table that maps it
  level2[3] = 0x43000000 | (kSmallPageNormal & ~0x30u);  // no access
  level2[4] = 0x43000000 | kSmallPageNormal | 1u << 9;   // read-only
  *(volatile uint32_t*)0x43000000 = 0x1234abcd;
  mmu_on(level1);

  expect_abort(0x50000000, 0x7);  // translation fault, page
  expect_abort(0x500ffffc, 0x7);
  expect_abort(0x50001000, 0x8);  // external abort
  expect_abort(0x50003000, 0xf);  // permission fault, page
  expect_abort(0x50400000, 0x8);
  expect_abort(0x50100000, 0xe);  // external abort on a level-2 walk
  expect_abort(0x50604000, 0xb);  // domain fault, page
  expect_value(0x50004000, 0x1234abcd);
  ++cases;
  if (!write_faults(0x50004000, 1) || fault_status() != 0xf)
    wrong("wrong outcome of a write to a read-only page", 0x50004000);

  // The table changes its own mapping by a store through itself: page 5 appears, then page 2 leads
  // elsewhere.
  const uint32_t offset = (uint32_t)level2 & 0xc00;
  volatile uint32_t* own = (volatile uint32_t*)(0x50002000 + offset);
  expect_value(0x50002000 + offset + 3 * 4, level2[3]);
  own[5] = 0x43000000 | kSmallPageNormal;
  flush();
  expect_value(0x50005000, 0x1234abcd);
  own[2] = 0x43000000 | kSmallPageNormal;
  flush();
  expect_value(0x50002000, 0x1234abcd);

  // The level-1 table read as a level-2 table: its sections are small or large pages, or faults.
  for (uint32_t page = 0; page < 256; ++page) {
    ++cases;
    read_faults(0x50300000 + page * 4096, NULL);
  }
  // A device's registers as a table: whatever they hold, the outcome is a value or a fault.
  for (uint32_t page = 0; page < 256; ++page) read_faults(0x50200000 + page * 4096, NULL);

  mmu_off();
  put_string("every bad table was a guest fault\n");
  semihosting_exit(0);
}
