// SPDX-License-Identifier: GPL-2.0-or-later
// Programs the second bank of flash and runs what it has programmed, again and again at the same
// address, with the MMU off and on; and does to flash, fw_cfg and GPIO what they do not like.
// Leaves "kept" at the start of the last sector. Ends with status 0, or the number of the check
// that failed.
#include "runtime.h"

enum {
  kFlash = 0x04000000,
  kSector = 256 << 10,
  kLastSector = kFlash + (64 << 20) - kSector,
  kFwCfg = 0x09020000,
  kGpio = 0x09030000,
  kReady = 0x00800080,
};

static uint32_t level1[4096] __attribute__((aligned(16384)));

static void check(uint32_t number, bool right) {
  if (right) return;
  put_string("check ");
  put_decimal(number);
  put_string(" failed\n");
  semihosting_exit(number);
}

static void command(uint32_t address, uint32_t value) { *(volatile uint32_t*)address = value << 16 | value; }
static uint32_t word(uint32_t address) { return *(volatile uint32_t*)address; }
static void read_array(void) { command(kFlash, 0xff); }

static void erase(uint32_t address) {
  command(address, 0x20);
  command(address, 0xd0);
  check(10, word(address) == kReady);
  read_array();
}

static void program(uint32_t address, uint32_t value) {
  command(address, 0x40);
  *(volatile uint32_t*)address = value;
  check(11, word(address) == kReady);
  read_array();
}

static void program_buffer(uint32_t address, const uint32_t* words, uint32_t count) {
  command(address, 0xe8);
  command(address, count - 1);
  for (uint32_t i = 0; i < count; ++i) ((volatile uint32_t*)address)[i] = words[i];
  command(address, 0xd0);
  check(12, word(address) == kReady);
  read_array();
}

static uint32_t call(uint32_t address) {
  dsb();
  WRITE_CP15(0, c7, c5, 0, 0);  // ICIALLU
  dsb();
  isb();
  return ((uint32_t(*)(void))address)();
}

static void identify(void) {
  command(kFlash + 0x55 * 4, 0x98);
  check(20, word(kFlash + 0x10 * 4) == 0x00510051 && word(kFlash + 0x11 * 4) == 0x00520052 &&
                word(kFlash + 0x12 * 4) == 0x00590059);
  check(21, word(kFlash + 0x27 * 4) == 0x00190019 && *(volatile uint8_t*)(kFlash + 0x27 * 4 + 2) == 0x19);
  command(kFlash, 0x90);
  check(22, word(kFlash) == 0x00890089 && word(kFlash + 4) == 0x00180018 && word(kFlash + 8) == 0);
  // There is no code now.
  check(23, call_faults(kFlash) && last_exception.kind == 3);
  read_array();
}

// What is at the same address is another function each time.
static void reprogram(void) {
  for (uint32_t i = 1; i < 20; ++i) {
    const uint32_t code[] = {0xe3a00000 | i, 0xe12fff1e};  // mov r0, #i; bx lr
    erase(kFlash);
    check(30, word(kFlash) == 0xffffffff && word(kFlash + kSector - 4) == 0xffffffff);
    if (i & 1) {
      program(kFlash, code[0]);
      program(kFlash + 4, code[1]);
    } else {
      program_buffer(kFlash, code, 2);
    }
    check(31, call(kFlash) == i);
    check(32, word(kFlash) == code[0] && *(volatile uint8_t*)kFlash == i);
    // Seen at once, though the page was read and executed before.
    command(kFlash, 0x70);
    check(33, word(kFlash) == kReady);
    read_array();
    check(34, word(kFlash + 4) == code[1] && call(kFlash) == i);
  }
  // Programming clears bits and does not set any.
  program(kFlash + 0x100, 0xf0f0ffff);
  program(kFlash + 0x100, 0x0ff0fffe);
  check(35, word(kFlash + 0x100) == 0x00f0fffe);
}

// Loops in flash, the second one with a load of a literal: prints what a turn takes.
static void measure(const char* name) {
  static const uint32_t code[] = {
      0xe59f1014,  // ldr r1, turns
      0xe59f0014,  // 1: ldr r0, literal
      0xe2511001,  // subs r1, r1, #1
      0x1afffffc,  // bne 1b
      0xe12fff1e,  // bx lr
      0,          0, 100000, 0x12345678,
  };
  erase(kFlash + kSector);
  program_buffer(kFlash + kSector, code, sizeof code / sizeof *code);
  call(kFlash + kSector);
  const uint64_t start = counter();
  check(40, call(kFlash + kSector) == 0x12345678);
  put_row(name, to_nanoseconds(counter() - start), 100000);
}

static void misuse(void) {
  // A buffer that is too large, and data that does not lie in one buffer.
  command(kLastSector, 0xe8);
  command(kLastSector, 0xffff);
  check(50, word(kLastSector) == 0x00b000b0);
  command(kLastSector, 0x50);
  command(kLastSector, 0xe8);
  command(kLastSector, 1);
  *(volatile uint32_t*)kLastSector = 0;
  *(volatile uint32_t*)(kLastSector + 0x1000) = 0;
  check(51, word(kLastSector) == 0x00b000b0);
  command(kLastSector, 0x50);
  // Erasing without a confirmation.
  command(kLastSector, 0x20);
  command(kLastSector, 0x12);
  check(52, word(kLastSector) == 0x00b000b0);
  command(kLastSector, 0x50);
  read_array();
  // An exclusive store is a command, too.
  uint32_t value, status;
  __asm__ volatile("ldrex %0, [%2]\n strex %1, %3, [%2]"
                   : "=&r"(value), "=&r"(status)
                   : "r"(kLastSector), "r"(0x00900090)
                   : "memory");
  check(53, status == 0 && word(kLastSector - 64 * (1 << 20) + kSector) == 0x00890089);
  read_array();
  // DMA of fw_cfg: from nowhere, to nowhere, and to flash.
  static volatile uint32_t access[4] __attribute__((aligned(16)));
  for (uint32_t i = 0; i < 4; ++i) {
    static const uint32_t target[] = {0, 0x00000004, 0xffffffff,
                                      0x00000050};       // as bytes: 0, 0x04000000, the end, 0x50000000
    access[0] = __builtin_bswap32(0x19u << 16 | 8 | 2);  // select item 0x19 and read
    access[1] = __builtin_bswap32(i == 3 ? 0xf0000000 : 64);
    access[2] = i == 2 ? 0xffffffff : 0;
    access[3] = target[i];
    dsb();
    *device(kFwCfg, 16) = 0;
    *device(kFwCfg, 20) = __builtin_bswap32((uint32_t)access);
    check(54, access[0] == __builtin_bswap32(1));
  }
  *device(kFwCfg, 16) = 0xffffffff;
  *device(kFwCfg, 20) = 0xffffffff;
  // Everything else, in all sizes.
  for (uint32_t offset = 0; offset < 0x18; ++offset) {
    *(volatile uint8_t*)(kFwCfg + offset) = 0xff;
    (void)*(volatile uint8_t*)(kFwCfg + offset);
  }
  for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
    *device(kGpio, offset) = 0xffffffff;
    (void)*device(kGpio, offset);
  }
}

void main(void);
void main(void) {
  identify();
  reprogram();
  measure("MMU off");
  make_section_map(level1);
  level1[kFlash >> 20] = kFlash | kSectionNormal;
  mmu_on(level1);
  identify();
  reprogram();
  measure("MMU on");
  mmu_off();
  misuse();
  erase(kLastSector);
  program(kLastSector, 0x7470656b);  // "kept"
  put_string("flash is well\n");
  semihosting_exit(0);
}
