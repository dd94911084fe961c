// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark of translation: code that is executed once. A block is nine instructions, of which two
// access memory.
#include "runtime.h"

enum { kBlocks = 8192, kInstructions = 9 };
static uint32_t code[kBlocks * kInstructions + 1] __attribute__((aligned(4096)));
static uint32_t level1[4096] __attribute__((aligned(16384)));

// Each block adds 1 to r0 by way of memory at r1, and branches to the next one.
static void make_code(void) {
  static const uint32_t block[kInstructions] = {
      0xe5910000,  // ldr r0, [r1]
      0xe2800001,  // add r0, r0, #1
      0xe1a02180,  // lsl r2, r0, #3
      0xe0423000,  // sub r3, r2, r0
      0xe3530000,  // cmp r3, #0
      0x02833001,  // addeq r3, r3, #1
      0xe023c002,  // eor r12, r3, r2
      0xe5810000,  // str r0, [r1]
      0xeaffffff,  // b to the next word
  };
  for (uint32_t i = 0; i < kBlocks * kInstructions; ++i) code[i] = block[i % kInstructions];
  code[kBlocks * kInstructions] = 0xe12fff1e;  // bx lr
}

static uint32_t run_code(void) {
  uint32_t sum = 0;
  register uint32_t* const cell __asm__("r1") = &sum;
  __asm__ volatile("blx %1" : : "r"(cell), "r"(code) : "r0", "r2", "r3", "r12", "lr", "cc", "memory");
  return sum;
}

static void measure(const char* name) {
  const uint64_t start = counter();
  const uint32_t sum = run_code();
  const uint64_t elapsed = to_nanoseconds(counter() - start);
  if (sum != kBlocks) {
    put_string("bench: wrong result of ");
    put_string(name);
    put_string("\n");
    semihosting_exit(1);
  }
  put_row(name, elapsed, kBlocks);
}

void main(void);
void main(void) {
  put_string("bench: begin\n");
  make_code();
  make_section_map(level1);
  mmu_on(level1);
  measure("translate_block");
  measure("translated_block");  // what is left of it the second time: running it
  put_string("bench: end 0\n");
  power_off();
}
