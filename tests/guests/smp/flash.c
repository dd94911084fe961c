// SPDX-License-Identifier: GPL-2.0-or-later
// One CPU programs the second bank of flash, again and again at the same place; the others read and
// execute it. When it says that it has left read array mode, none of them may find what was there.
// The loads that find out are new code each time: those that have once met a device are made apart.
#include "smp.h"

enum { kFlash = 0x04000000, kReady = 0x00800080, kRounds = 100 };

static struct barrier barrier;
static volatile uint32_t hidden;

static void command(uint32_t value) { *(volatile uint32_t*)kFlash = value << 16 | value; }

static void program(uint32_t offset, uint32_t value) {
  command(0x40);
  *(volatile uint32_t*)(kFlash + offset) = value;
}

static uint32_t loads[8][1024] __attribute__((aligned(4096)));

// ldr r0, [r0]; bx lr
static void make_load(uint32_t cpu) {
  loads[cpu][0] = 0xe5900000;
  loads[cpu][1] = 0xe12fff1e;
  WRITE_CP15(0, c7, c11, 1, loads[cpu]);  // DCCMVAU
  dsb();
  WRITE_CP15(0, c7, c5, 0, 0);  // ICIALLU
  dsb();
  isb();
}
static uint32_t load(uint32_t cpu, uint32_t offset) { return ((uint32_t(*)(uint32_t))loads[cpu])(kFlash + offset); }

static void rounds(uint32_t cpu) {
  for (uint32_t round = 1; round <= kRounds * scale; ++round) {
    // movw r0, #round; bx lr
    const uint32_t code[] = {0xe3000000 | (round & 0xf000) << 4 | (round & 0xfff), 0xe12fff1e};
    if (cpu == 0) {
      hidden = 0;
      command(0x20);
      command(0xd0);
      program(0, code[0]);
      program(4, code[1]);
      command(0xff);
      WRITE_CP15(0, c7, c1, 0, 0);  // ICIALLUIS
      dsb();
    }
    wait_at(&barrier, cpu_count);
    isb();
    if (((uint32_t(*)(void))kFlash)() != (round & 0xffff)) fail("a function that was there before");
    make_load(cpu);
    if (load(cpu, 0) != code[0] || load(cpu, 4) != code[1]) fail("not what was programmed");
    wait_at(&barrier, cpu_count);
    if (cpu == 0) {
      for (volatile uint32_t wait = 0; wait < 1000; ++wait) {
      }
      command(0x70);
      dsb();
      hidden = 1;
    }
    while (!hidden) {
      const uint32_t value = load(cpu, 0);
      if (value != code[0] && value != kReady) fail("neither flash nor its status");
    }
    dmb();
    if (load(cpu, 0) != kReady || load(cpu, 4) != kReady) fail("flash where its status should be");
    wait_at(&barrier, cpu_count);
  }
}

int test(void) {
  level1[kFlash >> 20] = kFlash | kSharedSection;
  dsb();
  tlbi_all_is();
  dsb();
  isb();
  run_on(cpu_count, rounds);
  return 0;
}
