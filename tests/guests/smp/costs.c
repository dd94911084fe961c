// SPDX-License-Identifier: GPL-2.0-or-later
// What locks, barriers, interrupts and TLB maintenance cost with several CPUs. Prints rows
// `cost,NAME,CPUS,STATE,NANOSECONDS`: the time of one operation; CPUS are those that take part, or
// for TLB maintenance how many others are in STATE; the rest sleep. Words: only=NAME of a group
// (alone, locks, tlb), ms=N for each row.
#include "smp.h"

static uint32_t milliseconds;

static void row(const char* name, uint32_t count, const char* state, uint64_t ticks, uint64_t operations) {
  const uint64_t hundredths = operations ? nanoseconds(ticks) * 100 / operations : 0;
  put_string("cost,");
  put_string(name);
  put_string(",");
  put_decimal(count);
  put_string(",");
  put_string(state);
  put_string(",");
  put_decimal(hundredths / 100);
  put_string(".");
  put_decimal(hundredths / 10 % 10);
  put_decimal(hundredths % 10);
  put_string("\n");
}
static uint64_t ticks_of(uint32_t ms) { return (uint64_t)(READ_CP15(0, c14, c0, 0) / 1000) * ms; }

// Repeats the statement, often between two looks at the clock, for the time of a row.
#define MEASURE(name, count, state, statement) MEASURE_BY(1000, name, count, state, statement)
#define MEASURE_BY(often, name, count, state, statement)                       \
  do {                                                                         \
    uint64_t operations_ = 0;                                                  \
    const uint64_t start_ = counter(), end_ = start_ + ticks_of(milliseconds); \
    uint64_t now_;                                                             \
    do {                                                                       \
      for (uint32_t i_ = 0; i_ < (often); ++i_) statement;                     \
      operations_ += (often);                                                  \
      now_ = counter();                                                        \
    } while (now_ < end_);                                                     \
    row(name, count, state, now_ - start_, operations_);                       \
  } while (0)

// --- one CPU, nobody else ------------------------------------------------------------------------
static volatile uint32_t stop __attribute__((aligned(64)));
// What CPUs do that are not wanted; an SGI ends it.
static void sleep_until_stop(void) {
  interrupts_on();
  while (!stop) {
    wfi();
    unmask_interrupts();
    isb();
    mask_interrupts();
  }
}
static void stop_others(void) {
  stop = 1;
  send_sgi_to_others(0);
}

static volatile uint32_t word __attribute__((aligned(64)));
static struct ticket_lock ticket;
static volatile uint32_t spin __attribute__((aligned(64)));

static void alone(uint32_t cpu) {
  if (cpu != 0) {
    sleep_until_stop();
    return;
  }
  uint32_t value;
  MEASURE("nothing", 1, "alone", __asm__ volatile("" : : : "memory"));
  MEASURE("load", 1, "alone", __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(&word) : "memory"));
  MEASURE("store", 1, "alone", __asm__ volatile("str %0, [%1]" : : "r"(1), "r"(&word) : "memory"));
  MEASURE("dmb", 1, "alone", dmb());
  MEASURE("dmb_ishst", 1, "alone", __asm__ volatile("dmb ishst" : : : "memory"));
  MEASURE("dsb", 1, "alone", dsb());
  MEASURE("load_seq_cst", 1, "alone", __asm__ volatile("ldr %0, [%1]\n dmb ish" : "=r"(value) : "r"(&word) : "memory"));
  MEASURE("store_seq_cst", 1, "alone",
          __asm__ volatile("dmb ish\n str %0, [%1]\n dmb ish"
                           :
                           : "r"(1), "r"(&word)
                           : "memory"));
  MEASURE("increment_exclusive", 1, "alone", __atomic_fetch_add(&word, 1, __ATOMIC_RELAXED));
  MEASURE("mutex", 1, "alone", ({
            lock_spin(&spin);
            unlock_spin(&spin);
          }));
  MEASURE("ticket_lock", 1, "alone", ({
            lock_ticket(&ticket);
            unlock_ticket(&ticket);
          }));
  stop_others();
}

// --- locks that all want -------------------------------------------------------------------------
static volatile uint32_t inside[16] __attribute__((aligned(64)));
static struct {
  uint64_t operations;
  uint32_t padding[14];
} done[kMaxCpus] __attribute__((aligned(64)));
static uint32_t contenders;
static bool by_tickets;

static void inside_and_outside(uint32_t steps) {
  inside[0]++;
  for (; steps; --steps) __asm__ volatile("");
}
static void contend(uint32_t cpu) {
  if (cpu >= contenders) {
    sleep_until_stop();
    return;
  }
  const uint64_t end = counter() + ticks_of(milliseconds);
  uint64_t operations = 0;
  while (!stop) {
    if (by_tickets) {
      lock_ticket(&ticket);
      inside_and_outside(20);
      unlock_ticket(&ticket);
    } else {
      lock_spin(&spin);
      inside_and_outside(20);
      unlock_spin(&spin);
    }
    for (uint32_t pause = 40; pause; --pause) __asm__ volatile("");
    ++operations;
    if (cpu == 0 && (by_tickets || (operations & 15) == 0) && counter() >= end) stop_others();
  }
  done[cpu].operations = operations;
}
static void measure_contention(const char* name, uint32_t count, bool tickets) {
  contenders = count;
  by_tickets = tickets;
  stop = 0;
  const uint64_t start = counter();
  run_on(cpu_count, contend);
  const uint64_t ticks = counter() - start;
  uint64_t sum = 0;
  for (uint32_t cpu = 0; cpu < count; ++cpu) sum += done[cpu].operations;
  row(name, count, "contended", ticks, sum);
}

// --- TLB maintenance -----------------------------------------------------------------------------
enum { kArea = 0xb0000000, kPages = 16, kPhysical = 0x44000000, kAsid = 1, kOtherAsid = 9 };
static uint32_t level2[256] __attribute__((aligned(1024)));
static uint8_t user_stacks[kMaxCpus][512] __attribute__((aligned(64)));
enum others { kAsleep, kInOtherSpace, kInSameSpace, kOthers };
static const char* const names_of_others[kOthers] = {"asleep", "other space", "same space"};
static enum others state_of_others;
static uint32_t number_of_others;
static volatile uint32_t ready;

static uint32_t use_pages(void) {
  uint32_t sum = 0;
  for (uint32_t page = 0; page < kPages; ++page) sum += *(volatile uint32_t*)(kArea + page * 4096);
  return sum;
}
static void use_pages_until_stop(uint32_t argument) {
  (void)argument;
  while (!stop) use_pages();
}

static void measure_tlb(void) {
  const char* state = names_of_others[state_of_others];
  volatile uint32_t* page = (volatile uint32_t*)kArea;
  set_asid(kAsid);
  MEASURE_BY(16, "tlbimvais_dsb", number_of_others, state, ({
               (void)*page;
               tlbi_mva_is(kArea, kAsid);
               dsb();
             }));
  MEASURE_BY(16, "tlbimvaais_dsb", number_of_others, state, ({
               (void)*page;
               tlbi_mvaa_is(kArea);
               dsb();
             }));
  MEASURE_BY(16, "tlbiasidis_dsb", number_of_others, state, ({
               (void)*page;
               tlbi_asid_is(kAsid);
               dsb();
             }));
  MEASURE_BY(16, "tlbiallis_dsb", number_of_others, state, ({
               (void)*page;
               tlbi_all_is();
               dsb();
             }));
  // As Linux removes a range: 16 pages and one DSB.
  MEASURE_BY(16, "16_tlbimvais_dsb", number_of_others, state, ({
               use_pages();
               for (uint32_t k = 0; k < kPages; ++k) tlbi_mva_is(kArea + k * 4096, kAsid);
               dsb();
             }));
  set_asid(0);
}

static void tlb_with_others(uint32_t cpu) {
  if (cpu == 0) {
    while (ready != number_of_others) wfe();
    // Time for the others to be where they are to be.
    const uint64_t end = counter() + ticks_of(2);
    while (counter() < end) {
    }
    measure_tlb();
    stop_others();
    return;
  }
  if (cpu > number_of_others || state_of_others == kAsleep) {
    if (cpu <= number_of_others) __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    sev();
    sleep_until_stop();
    return;
  }
  interrupts_on();
  set_asid(state_of_others == kInOtherSpace ? kOtherAsid : kAsid);
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  sev();
  run_in_user_mode(use_pages_until_stop, 0, user_stacks[cpu] + sizeof user_stacks[cpu]);
  unmask_interrupts();
  isb();
  mask_interrupts();
  set_asid(0);
}

static void make_pages(void) {
  for (uint32_t page = 0; page < kPages; ++page)
    level2[page] = (kPhysical + page * 8192) | kSharedPage | kPageNotGlobal;
  level1[kArea >> 20] = (uint32_t)level2 | 1;
  dsb();
  tlbi_all_is();
  dsb();
  isb();
}

int test(void) {
  interrupts_on();
  const char* only = word_parameter("only");
  milliseconds = parameter("ms", 10) * scale;
  if (!only || same_word(only, "alone")) {
    stop = 0;
    run_on(cpu_count, alone);
  }
  if (!only || same_word(only, "locks"))
    for (uint32_t count = 2; count <= cpu_count; ++count) {
      measure_contention("ticket_lock_wfe", count, true);
      measure_contention("spin_lock", count, false);
    }
  if (!only || same_word(only, "tlb")) {
    make_pages();
    for (state_of_others = kAsleep; state_of_others < kOthers; ++state_of_others)
      for (number_of_others = state_of_others == kAsleep ? 0 : 1; number_of_others < cpu_count; ++number_of_others) {
        if (number_of_others == 2 || number_of_others > 3) continue;
        stop = ready = 0;
        run_on(cpu_count, tlb_with_others);
      }
  }
  return 0;
}
