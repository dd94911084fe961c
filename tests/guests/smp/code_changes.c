// SPDX-License-Identifier: GPL-2.0-or-later
// Code that another CPU writes. Each CPU writes functions for the next one, cleans the data cache,
// invalidates instruction caches and branch predictors of all, and raises a flag; the next one
// executes an ISB and calls: it must get the new constant. The pages hold functions of all CPUs,
// and data that all of them keep storing to. Then one CPU toggles a branch (A3.5.4 lets it be
// changed while others execute it): others get the old or the new outcome, after the flag and an
// ISB the new one. Words: functions=N,
// branches=N.
#include "smp.h"

enum {
  kArea = 0x42000000,
  kPages = 64,
  kSlots = 16,  // functions a CPU has in a page
  kSlotBytes = 16,
  kDataOffset = 4096 - kMaxCpus * 8,  // behind the functions
};
_Static_assert(kMaxCpus* kSlots* kSlotBytes <= kDataOffset, "functions and data of a page");

// From each CPU to the next one; `asked` is raised by the writer, `answered` by the caller.
static volatile struct { uint32_t asked, answered, function, padding[13]; } mail[kMaxCpus] __attribute__((aligned(64)));
static uint32_t stores[kMaxCpus][kPages];  // to each CPU's word of each page
static uint32_t rounds;

static uint32_t slot(uint32_t page, uint32_t cpu, uint32_t index) {
  return kArea + page * 4096 + (index * kMaxCpus + cpu) * kSlotBytes;
}

static void clean_and_invalidate(uint32_t from, uint32_t bytes) {
  for (uint32_t line = from & ~31u; line < from + bytes; line += 32) WRITE_CP15(0, c7, c11, 1, line);  // DCCMVAU
  dsb();
  if (random_number() & 7)
    for (uint32_t line = from & ~31u; line < from + bytes; line += 32) WRITE_CP15(0, c7, c5, 1, line);  // ICIMVAU
  else
    WRITE_CP15(0, c7, c1, 0, 0);  // ICIALLUIS
  WRITE_CP15(0, c7, c1, 6, 0);    // BPIALLIS
  dsb();
}

// movw r0, #low; movt r0, #high; bx lr
static void write_constant(uint32_t at, uint32_t value) {
  const uint32_t low = value & 0xffff, high = value >> 16;
  volatile uint32_t* code = (volatile uint32_t*)at;
  code[0] = 0xe3000000 | (low & 0xf000) << 4 | (low & 0xfff);
  code[1] = 0xe3400000 | (high & 0xf000) << 4 | (high & 0xfff);
  code[2] = 0xe12fff1e;
}

static uint32_t value_of(uint32_t cpu, uint32_t step) { return (step * 2654435761u) ^ cpu; }

// A word of data among the functions.
static void store_data(uint32_t cpu, uint32_t page) {
  volatile uint32_t* word = (volatile uint32_t*)(kArea + page * 4096 + kDataOffset + cpu * 8);
  if (*word != stores[cpu][page]) fail("data next to code was lost");
  *word = ++stores[cpu][page];
}

static void write_and_call(uint32_t cpu) {
  const uint32_t from = (cpu + cpu_count - 1) % cpu_count;
  uint32_t written = 0, called = 0;
  while (written < rounds || called < rounds) {
    if (written < rounds && mail[cpu].answered == written) {
      const uint32_t dice = random_number();
      const uint32_t page = dice & 1 ? dice >> 8 & 3 : (dice >> 8) % kPages;
      const uint32_t at = slot(page, cpu, (dice >> 20) % kSlots);
      ++written;
      write_constant(at, value_of(cpu, written));
      clean_and_invalidate(at, 12);
      mail[cpu].function = at;
      dmb();
      mail[cpu].asked = written;
      sev();
    }
    if (mail[from].asked != called) {
      dmb();
      isb();
      ++called;
      const uint32_t at = mail[from].function;
      // Twice: the second call finds what the first one has translated.
      for (uint32_t time = 0; time < 2; ++time) {
        const uint32_t value = ((uint32_t(*)(void))at)();
        if (value == value_of(from, called)) continue;
        fail_begin("old code was executed");
        fail_number("at", at);
        fail_number("value", value);
        fail_number("expected", value_of(from, called));
        fail_number("step", called);
        fail_end();
      }
      dmb();
      mail[from].answered = called;
      sev();
    } else {
      store_data(cpu, random_number() & 1 ? random_number() & 3 : random_number() % kPages);
    }
  }
}

// A function that branches to one of two others, and what it returns from which step on.
static volatile uint32_t toggle_begun __attribute__((aligned(64))), toggle_ended __attribute__((aligned(64)));
static volatile uint32_t toggling;

static void toggle(uint32_t cpu) {
  enum { kAt = kArea + kPages * 4096, kFirst = kAt + 64, kSecond = kAt + 4096 };
  if (cpu == 0) {
    for (uint32_t step = 1; step <= rounds; ++step) {
      const uint32_t target = step & 1 ? kSecond : kFirst;
      toggle_begun = step;
      dmb();
      *(volatile uint32_t*)kAt = 0xea000000 | ((target - kAt - 8) >> 2 & 0xffffff);
      clean_and_invalidate(kAt, 4);
      toggle_ended = step;
      // Let the others call it sometimes.
      for (uint32_t pause = random_number() & 0xff; pause; --pause) __asm__ volatile("");
    }
    dmb();
    toggling = 0;
    return;
  }
  while (toggling) {
    const uint32_t first = toggle_ended;
    dmb();
    isb();
    const uint32_t value = ((uint32_t(*)(void))kAt)();
    dmb();
    const uint32_t last = toggle_begun;
    if (value != 1 && value != 2) {
      fail_begin("a branch that changes went elsewhere");
      fail_number("value", value);
      fail_end();
    }
    if (first == last && value != 1 + (first & 1)) {
      fail_begin("an old branch was executed");
      fail_number("step", first);
      fail_number("value", value);
      fail_end();
    }
  }
}

int test(void) {
  rounds = parameter("functions", 200) * scale;
  run_on(cpu_count, write_and_call);
  put_string("functions ");
  put_decimal(rounds * cpu_count);
  const uint32_t at = kArea + kPages * 4096;
  write_constant(at + 64, 1);
  write_constant(at + 4096, 2);
  *(volatile uint32_t*)at = 0xea000000 | ((64 - 8) >> 2);
  clean_and_invalidate(at, 8192);
  isb();
  rounds = parameter("branches", 500) * scale;
  toggling = 1;
  run_on(cpu_count, toggle);
  put_string("\nbranches ");
  put_decimal(rounds);
  put_string("\n");
  return 0;
}
