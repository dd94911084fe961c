// SPDX-License-Identifier: GPL-2.0-or-later
// LDREX and STREX of all sizes by all CPUs on shared counters, through two virtual addresses; plain
// stores next to them; a ticket lock with WFE and SEV, a spin lock without. Nothing may be lost.
// Word: rounds=N.
#include "smp.h"

enum { kAlias = 0xa0000000 };  // of the first 64 MiB of RAM

static struct {
  uint8_t bytes[4];  // byte k is counted by all CPUs
  uint16_t halves[2];
  uint32_t word;
  uint32_t padding;
  uint64_t doubleword;
} __attribute__((aligned(64))) counters;
// The lower half is counted by all CPUs with LDREX and STREX; each CPU below 2 stores plainly to
// the byte above that is its own.
static uint32_t mixed __attribute__((aligned(64)));
static struct ticket_lock ticket;
static volatile uint32_t spin __attribute__((aligned(64)));
static struct { volatile uint32_t a, b[15], c; } guarded __attribute__((aligned(64)));
static uint32_t rounds;

static void* seen_by(uint32_t cpu, void* p) { return cpu & 1 ? (char*)p - kRam + kAlias : (char*)p; }

static void count_byte(uint8_t* p) {
  uint32_t value, failed;
  do
    __asm__ volatile("ldrexb %0, [%2]\n add %0, %0, #1\n strexb %1, %0, [%2]"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(p)
                     : "memory");
  while (failed);
}
static void count_half(uint16_t* p) {
  uint32_t value, failed;
  do
    __asm__ volatile("ldrexh %0, [%2]\n add %0, %0, #1\n strexh %1, %0, [%2]"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(p)
                     : "memory");
  while (failed);
}
static void count_word(uint32_t* p) {
  uint32_t value, failed;
  do
    __asm__ volatile("ldrex %0, [%2]\n add %0, %0, #1\n strex %1, %0, [%2]"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(p)
                     : "memory");
  while (failed);
}
// Each half of the doubleword by a different amount.
static void count_doubleword(uint64_t* p) {
  uint32_t failed;
  do
    __asm__ volatile("ldrexd r2, r3, [%1]\n add r2, r2, #1\n add r3, r3, #3\n strexd %0, r2, r3, [%1]"
                     : "=&r"(failed)
                     : "r"(p)
                     : "r2", "r3", "memory");
  while (failed);
}
static void count_lower_half(uint32_t* p) {
  uint32_t value, updated, failed;
  do
    __asm__ volatile("ldrex %0, [%3]\n add %1, %0, #1\n uxth %1, %1\n bfi %0, %1, #0, #16\n strex %2, %0, [%3]"
                     : "=&r"(value), "=&r"(updated), "=&r"(failed)
                     : "r"(p)
                     : "memory");
  while (failed);
}

static void count(uint32_t cpu) {
  uint8_t* bytes = seen_by(cpu, counters.bytes);
  uint16_t* halves = seen_by(cpu, counters.halves);
  uint32_t* word = seen_by(cpu, &counters.word);
  uint64_t* doubleword = seen_by(cpu, &counters.doubleword);
  uint32_t* both = seen_by(cpu, &mixed);
  volatile uint8_t* own = (volatile uint8_t*)both + 2 + cpu;
  for (uint32_t i = 0; i < rounds; ++i) {
    count_byte(bytes + (i + cpu) % 4);
    count_half(halves + (i + cpu) % 2);
    count_word(word);
    count_doubleword(doubleword);
    count_lower_half(both);
    if (cpu < 2) {
      *own = (uint8_t)i;
      count_word(word);
      if (*own != (uint8_t)i) fail("a plain store next to an exclusive one was lost");
    }
  }
}

static void use_guarded(void) {
  const uint32_t a = guarded.a;
  if (guarded.c != a * 3) fail("two CPUs are inside a lock");
  guarded.a = a + 1;
  for (uint32_t i = random_number() & 15; i; --i) __asm__ volatile("");
  guarded.c = (a + 1) * 3;
}
static void lock_by_tickets(uint32_t cpu) {
  struct ticket_lock* lock = seen_by(cpu, &ticket);
  for (uint32_t i = 0; i < rounds; ++i) {
    lock_ticket(lock);
    use_guarded();
    unlock_ticket(lock);
  }
}
static void lock_by_spinning(uint32_t cpu) {
  volatile uint32_t* lock = seen_by(cpu, (void*)&spin);
  for (uint32_t i = 0; i < rounds; ++i) {
    lock_spin(lock);
    use_guarded();
    unlock_spin(lock);
  }
}

static void expect(const char* what, uint64_t value, uint64_t expected) {
  put_string(what);
  put_string(" ");
  put_decimal(value);
  put_string("\n");
  if (value == expected) return;
  fail_begin(what);
  fail_number("is", (uint32_t)value);
  fail_number("expected", (uint32_t)expected);
  fail_end();
}

// A store-exclusive without its load-exclusive, after CLREX, or to another address, stores nothing.
static void fails_alone(void) {
  static uint32_t words[64] __attribute__((aligned(64)));
  uint32_t failed, value;
  __asm__ volatile("clrex\n strex %0, %1, [%2]" : "=&r"(failed) : "r"(1), "r"(words) : "memory");
  if (!failed || words[0]) fail("STREX without LDREX");
  __asm__ volatile("ldrex %1, [%2]\n clrex\n strex %0, %3, [%2]"
                   : "=&r"(failed), "=&r"(value)
                   : "r"(words), "r"(1)
                   : "memory");
  if (!failed || words[0]) fail("STREX after CLREX");
  __asm__ volatile("ldrex %1, [%2]\n strex %0, %3, [%2]\n strex %1, %3, [%2]"
                   : "=&r"(failed), "=&r"(value)
                   : "r"(words), "r"(1)
                   : "memory");
  if (failed || words[0] != 1 || !value) fail("STREX twice");
}

int test(void) {
  rounds = parameter("rounds", 50000) * scale;
  for (uint32_t i = 0; i < 64; ++i) level1[(kAlias >> 20) + i] = (kRam + (i << 20)) | kSharedSection;
  __asm__ volatile("dsb" : : : "memory");
  tlbi_all_is();
  dsb();
  isb();
  fails_alone();
  run_on(cpu_count, count);
  const uint64_t all = (uint64_t)rounds * cpu_count,
                 with_plain = all + (uint64_t)rounds * (cpu_count < 2 ? cpu_count : 2);
  uint32_t bytes = 0, halves = 0;
  for (uint32_t i = 0; i < 4; ++i) bytes += counters.bytes[i];
  for (uint32_t i = 0; i < 2; ++i) halves += counters.halves[i];
  expect("bytes", bytes & 0xff, all & 0xff);
  expect("halves", halves & 0xffff, all & 0xffff);
  expect("words", counters.word, with_plain & 0xffffffff);
  expect("doublewords", counters.doubleword, (all & 0xffffffff) | (all * 3 & 0xffffffff) << 32);
  expect("next to plain stores", mixed & 0xffff, all & 0xffff);
  rounds /= 10;
  run_on(cpu_count, lock_by_tickets);
  expect("ticket lock", guarded.a, (uint64_t)rounds * cpu_count);
  run_on(cpu_count, lock_by_spinning);
  expect("spin lock", guarded.a, 2ull * rounds * cpu_count);
  return 0;
}
