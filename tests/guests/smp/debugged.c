// SPDX-License-Identifier: GPL-2.0-or-later
// What tests/boot/gdb.sh looks at with a debugger: calls, variables, exceptions, CPUs that work at
// the same time, and a loop that only a debugger ends.
#include "smp.h"

volatile uint32_t total, loaded = 5, result, released, turns[kMaxCpus];

// r0 = 1, which is stored to the device at r1; then r0 becomes 3.
void steps(uint32_t unused, uint32_t address);
__asm__(
    ".arm\n.global steps\n.type steps, %function\nsteps: mov r0, #1\n str r0, [r1]\n add r0, r0, #1\n add r0, r0, #1\n "
    "bx lr\n");

__attribute__((noinline)) uint32_t add(uint32_t a, uint32_t b) {
  __asm__ volatile("");
  return a + b;
}
__attribute__((noinline)) uint32_t answer(void) {
  uint32_t value;
  __asm__ volatile("mov %0, #42" : "=r"(value));
  return value;
}
__attribute__((noinline)) void work(uint32_t cpu) {
  for (uint32_t i = 0; i < 10000; ++i) turns[cpu]++;
}
__attribute__((noinline)) void spin(void) {
  put_string("spinning\n");
  while (!released) {
  }
}

int test(void) {
  for (uint32_t i = 0; i < 10; ++i) total = add(total, i);
  steps(0, kRtc + 0x08);  // RTCLR
  result = loaded;
  uint32_t value;
  try_load(0xf0000000, &value);
  result = answer();
  result = result * 1000 + answer();
  run_on(cpu_count, work);
  put_string("result ");
  put_decimal(result);
  put_string("\n");
  if (parameter("spin", 0)) spin();
  return total == 45 && turns[0] == 10000 ? 0 : 1;
}
