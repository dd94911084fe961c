// SPDX-License-Identifier: GPL-2.0-or-later
// What Lisp systems and other run-time compilers do: functions and the data that they change lie in
// the same page, and now and then a function is made anew.
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

// A slot is a function, in its first half, and a word of data, in its second.
enum { kSlots = 64, kSlotBytes = 64, kDataOffset = 32, kCallsPerFunction = 64 };

// Writes a function that returns `result`.
static void compile(uint8_t* code, uint16_t result) {
#ifdef __arm__
  const uint32_t words[] = {
      0xe3000000u | (uint32_t)(result >> 12) << 16 | (result & 0xfff),  // movw r0, #result
      0xe12fff1e,                                                       // bx lr
  };
  memcpy(code, words, sizeof words);
#else
  const uint8_t bytes[] = {0xb8, (uint8_t)result, (uint8_t)(result >> 8), 0, 0, 0xc3};  // mov eax, result; ret
  memcpy(code, bytes, sizeof bytes);
#endif
  __builtin___clear_cache((char*)code, (char*)code + kDataOffset);
}

// An operation calls a function and changes the data beside it; each function is made anew after 64
// of its calls.
uint64_t jit_mixed(uint64_t n) {
  uint8_t* const page =
      mmap(NULL, kSlots * kSlotBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) bench_fail("mmap");
  for (uint32_t slot = 0; slot < kSlots; ++slot) compile(page + slot * kSlotBytes, (uint16_t)(slot * 257));
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const uint32_t slot = i % kSlots;
    uint8_t* const code = page + slot * kSlotBytes;
    volatile uint32_t* const data = (volatile uint32_t*)(code + kDataOffset);
    // Each round another slot has had its calls.
    if (i / kSlots % kCallsPerFunction == slot) compile(code, (uint16_t)(i / kSlots * 7 + slot));
    uint32_t (*function)(void);
    memcpy(&function, &code, sizeof function);
    *data += function();
    sum = sum * 3 + *data;
  }
  if (munmap(page, kSlots * kSlotBytes)) bench_fail("munmap");
  return sum;
}
