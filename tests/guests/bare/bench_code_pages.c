// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark of pages that hold code: data that is written beside it, functions that are written as
// the guest runs, and one piece of code that is mapped at several addresses.
#include "runtime.h"

enum { kRounds = 20000, kFunctions = 8, kFunctionWords = 32, kBlocks = 256, kWords = 5, kMappings = 8 };
static uint32_t page[1024] __attribute__((aligned(4096)));
static uint32_t code[kBlocks * kWords + 1] __attribute__((aligned(4096)));
static uint32_t level1[4096] __attribute__((aligned(16384)));

typedef uint32_t (*function)(uint32_t);

static void fail(const char* name) {
  put_string("bench: wrong result of ");
  put_string(name);
  put_string("\n");
  semihosting_exit(1);
}

// ADD R0, R0, #n; BX LR.
static void make_function(uint32_t* at, uint32_t n) {
  *(volatile uint32_t*)at = 0xe2800000 | n;
  *(volatile uint32_t*)(at + 1) = 0xe12fff1e;
  dsb();
  WRITE_CP15(0, c7, c5, 1, at);  // ICIMVAU
  WRITE_CP15(0, c7, c5, 6, 0);   // BPIALL
  dsb();
  isb();
}

// A counter beside the function that is called with it.
static void data_beside_code(void) {
  make_function(page, 1);
  volatile uint32_t* const counter_word = page + 512;
  const uint64_t start = counter();
  *counter_word = 0;
  for (uint32_t i = 0; i < kRounds; ++i) *counter_word = ((function)page)(*counter_word);
  const uint64_t elapsed = to_nanoseconds(counter() - start);
  if (*counter_word != kRounds) fail("data_beside_code");
  put_row("data_beside_code", elapsed, kRounds);
}

// Of the page's functions, each round writes one anew and calls all.
static void rewritten_function(void) {
  uint32_t amounts[kFunctions], sum = 0, expected = 0;
  for (uint32_t f = 0; f < kFunctions; ++f) make_function(page + f * kFunctionWords, amounts[f] = f);
  const uint64_t start = counter();
  for (uint32_t i = 0; i < kRounds / 10; ++i) {
    const uint32_t which = i % kFunctions;
    make_function(page + which * kFunctionWords, amounts[which] = i & 255);
    for (uint32_t f = 0; f < kFunctions; ++f) {
      sum = ((function)(page + f * kFunctionWords))(sum);
      expected += amounts[f];
    }
  }
  const uint64_t elapsed = to_nanoseconds(counter() - start);
  if (sum != expected) fail("rewritten_function");
  put_row("rewritten_function", elapsed, kRounds / 10);
}

// Blocks that store their address's low bits through R1, and branch to the next one.
static void make_blocks(void) {
  static const uint32_t block[kWords] = {
      0xe28f3000,  // add r3, pc, #0
      0xe5813000,  // str r3, [r1]
      0xe5912000,  // ldr r2, [r1]
      0xe2800001,  // add r0, r0, #1
      0xeaffffff,  // b to the next word
  };
  for (uint32_t i = 0; i < kBlocks * kWords; ++i) code[i] = block[i % kWords];
  code[kBlocks * kWords] = 0xe12fff1e;  // bx lr
}

static uint32_t run_blocks(uint32_t at, uint32_t* last) {
  register uint32_t result __asm__("r0") = 0;
  register uint32_t* const cell __asm__("r1") = last;
  __asm__ volatile("blx %2" : "+r"(result) : "r"(cell), "r"(at) : "r2", "r3", "lr", "cc", "memory");
  return result;
}

static void at_another_address(void) {
  const uint32_t section = (uint32_t)code & 0xfff00000, offset = (uint32_t)code - section;
  make_blocks();
  uint32_t last = 0;
  if (run_blocks((uint32_t)code, &last) != kBlocks) fail("first_address");
  for (uint32_t n = 0; n < kMappings; ++n) {
    level1[0x800 + 2 * n] = section | kSectionNormal;
    level1[0x801 + 2 * n] = (section + 0x100000) | kSectionNormal;
  }
  dsb();
  isb();
  const uint64_t start = counter();
  for (uint32_t n = 0; n < kMappings; ++n) {
    const uint32_t at = 0x80000000 + n * 0x200000 + offset;
    if (run_blocks(at, &last) != kBlocks || last != at + 4 * (kBlocks - 1) * kWords + 8) fail("at_another_address");
  }
  put_row("block_at_another_address", to_nanoseconds(counter() - start), kBlocks * kMappings);
}

void main(void);
void main(void) {
  put_string("bench: begin\n");
  make_section_map(level1);
  mmu_on(level1);
  data_beside_code();
  rewritten_function();
  at_another_address();
  put_string("bench: end 0\n");
  power_off();
}
