// SPDX-License-Identifier: GPL-2.0-or-later
// Benchmark without an MMU: every mode, `flat` among them, can run it.
#include "runtime.h"

typedef uint32_t (*loop)(uint32_t n);

static uint32_t alu(uint32_t n) {
  uint32_t a = 0x12345678, b = 0x9abcdef0;
  for (uint32_t i = 0; i < n; ++i) {
    a = (a << 5 | a >> 27) + b;
    b ^= a + i;
  }
  return a ^ b;
}

static uint32_t words[1 << 16];
static uint32_t load_sum(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) sum += words[i * 97 & 0xffff];
  return sum;
}
static uint32_t store_load(uint32_t n) {
  for (uint32_t i = 0; i < 64; ++i) words[i] = i;
  for (uint32_t i = 0; i < n; ++i) words[i & 63] = words[(i * 5 + 1) & 63] + i;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 64; ++i) sum = sum * 3 + words[i];
  return sum;
}
static uint32_t vfp_multiply_add(uint32_t n) {
  float x = 1, y = 0;
  for (uint32_t i = 0; i < n; ++i) {
    y = y * 0.5f + x;
    x = x * 0.25f + 3;
  }
  return (uint32_t)(x * 1000) + (uint32_t)(y * 1000);
}
__attribute__((noinline)) static uint32_t fibonacci(uint32_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
static uint32_t calls(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i += 1973) {  // calls that fibonacci(15) makes
    uint32_t argument = 15;
    __asm__ volatile("" : "+r"(argument));
    sum += fibonacci(argument);
  }
  return sum;
}
static uint32_t supervisor_calls(uint32_t n) {
  uint32_t done = 0;
  for (uint32_t i = 0; i < n; ++i) {
    // From Supervisor mode SVC overwrites lr and SPSR, nothing else.
    __asm__ volatile("svc 0" : : : "lr", "memory");
    ++done;
  }
  return done;
}
static uint32_t uart_reads(uint32_t n) {
  uint32_t busy = 0;
  for (uint32_t i = 0; i < n; ++i) busy += *device(kUart, 0x18) >> 5 & 1;
  return busy + n;
}

static void measure(const char* name, loop function, uint32_t check, uint32_t expected) {
  uint32_t n = 2000;
  uint64_t elapsed = 0;
  const uint32_t got = function(check);
  if (got != expected) {
    put_string("bench: wrong result of ");
    put_string(name);
    put_string(": ");
    put_hex(got);
    put_string("\n");
    semihosting_exit(1);
  }
  for (;; n *= 2) {
    const uint64_t start = counter();
    function(n);
    elapsed = to_nanoseconds(counter() - start);
    if (elapsed > 100000000 || n >= 1u << 30) break;
  }
  put_row(name, elapsed, n);
}

void main(void);
void main(void) {
  put_string("bench: begin\n");
  for (uint32_t i = 0; i < 1 << 16; ++i) words[i] = i * 2654435761u;
  measure("flat_alu", alu, 1000, 0xd6f41140);
  measure("flat_load", load_sum, 1000, 0xb1c261ec);
  measure("flat_store_load", store_load, 1000, 0xbd730d74);
  measure("flat_float", vfp_multiply_add, 1000, 0x00002ee0);
  measure("flat_calls", calls, 1973 * 3, 610 * 3);
  measure("flat_svc", supervisor_calls, 1000, 1000);
  measure("flat_device_read", uart_reads, 1000, 1000);
  put_string("bench: end 0\n");
  power_off();
}
