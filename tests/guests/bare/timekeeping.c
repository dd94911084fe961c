// SPDX-License-Identifier: GPL-2.0-or-later
// Time as a guest sees it: a timer's interrupt is pending once its status says so, the cycle
// counter never stands still, its overflow interrupts a loop and a sleep, and its filters tell the
// privilege levels apart. Ends with status 0, or says what went wrong.
#include "runtime.h"

enum { kDistributor = 0x08000000, kOverflow = 23, kVirtualTimer = 27, kPhysicalTimer = 30, kCycles = 1u << 31 };
enum { kFilterP = 1u << 31, kFilterU = 1u << 30 };
enum { kRounds = 300, kUserNanoseconds = 2000000, kSecond = 1000000000 };

static void check(const char* what, bool right) {
  if (right) return;
  put_string("wrong: ");
  put_string(what);
  put_string("\n");
  semihosting_exit(1);
}
static bool pending(uint32_t interrupt) { return *device(kDistributor, 0x200) >> interrupt & 1; }

// ---- performance monitors
static void pmcr(uint32_t value) { WRITE_CP15(0, c9, c12, 0, value); }
static uint32_t cycles(void) { return READ_CP15(0, c9, c13, 0); }
static uint32_t overflows(void) { return READ_CP15(0, c9, c12, 3); }
static void clear_overflows(void) { WRITE_CP15(0, c9, c12, 3, ~0u); }
static void set_cycles(uint32_t value) { WRITE_CP15(0, c9, c13, 0, value); }
static void filter_cycles(uint32_t filter) {
  WRITE_CP15(0, c9, c12, 5, 31);
  WRITE_CP15(0, c9, c13, 1, filter);
}

// ---- User mode: runs a loop of that many nanoseconds there
static uint32_t user_stack[256];
static void spin(uint32_t nanoseconds) {
  const uint64_t start = counter();
  while (to_nanoseconds(counter() - start) < nanoseconds) {
  }
}
__attribute__((naked)) static void spin_in_user_mode(uint32_t nanoseconds __attribute__((unused)),
                                                     uint32_t* stack_top __attribute__((unused)),
                                                     void (*function)(uint32_t) __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "cps #0x1f\n mov sp, r1\n adr lr, 1f\n cps #0x13\n"
      "mov r3, #0xd0\n msr spsr_cxsf, r3\n movs pc, r2\n"
      "1: svc #0\n");
}
// The only exceptions: SVC ends User mode.
__attribute__((naked, aligned(32))) static void vectors(void) {
  __asm__ volatile("b .\n b .\n b 1f\n b .\n b .\n b .\n b .\n b .\n 1: pop {r4-r11, pc}\n");
}

static void timer_checks(void) {
  *device(kDistributor, 0) = 1;
  for (uint32_t round = 0; round < kRounds; ++round) {
    WRITE_CP15(0, c14, c3, 0, 60 + round);  // CNTV_TVAL
    WRITE_CP15(0, c14, c3, 1, 1);           // CNTV_CTL
    while (!(READ_CP15(0, c14, c3, 1) & 4)) {
    }
    check("CNTV: ISTATUS without its interrupt", pending(kVirtualTimer));
    WRITE_CP15(0, c14, c3, 1, 0);
    check("CNTV: off but pending", !pending(kVirtualTimer));
    WRITE_CP15(0, c14, c2, 0, 60 + round);  // CNTP_TVAL
    WRITE_CP15(0, c14, c2, 1, 1);
    while ((int32_t)READ_CP15(0, c14, c2, 0) > 0) {
    }
    check("CNTP: TVAL 0 without its interrupt", pending(kPhysicalTimer));
    WRITE_CP15(0, c14, c2, 1, 0);
  }
}

static void overflow_checks(void) {
  clear_overflows();
  WRITE_CP15(0, c9, c14, 1, kCycles);  // PMINTENSET
  uint64_t start = counter();
  set_cycles(-100000u);
  const bool early = pending(kOverflow);
  check("overflow: pending too early", !early || to_nanoseconds(counter() - start) >= 90000);
  while (!overflows() && to_nanoseconds(counter() - start) < kSecond) {
  }
  check("overflow: PMOVSR", overflows() == kCycles);
  check("overflow: PMOVSR without the interrupt", pending(kOverflow));
  clear_overflows();
  check("overflow: cleared but pending", !pending(kOverflow));

  start = counter();
  set_cycles(-300000u);  // nothing of the monitors is read meanwhile
  while (!pending(kOverflow) && to_nanoseconds(counter() - start) < kSecond) {
  }
  check("overflow in a loop", pending(kOverflow));
  check("overflow in a loop: not before its time", to_nanoseconds(counter() - start) >= 250000);
  clear_overflows();

  // Asleep: it is what wakes the CPU.
  *device(kDistributor, 0x100) = 1u << kOverflow;
  *device(kDistributor + 0x10000, 4) = 0xff;
  *device(kDistributor + 0x10000, 0) = 1;
  start = counter();
  set_cycles(-5000000u);
  for (uint32_t wakes = 0; wakes < 1000 && !pending(kOverflow); ++wakes) __asm__ volatile("wfi" : : : "memory");
  check("overflow in a sleep", pending(kOverflow));
  check("overflow in a sleep: not before its time", to_nanoseconds(counter() - start) >= 4900000);
  check("overflow in a sleep: acknowledged", *device(kDistributor + 0x10000, 0xc) == kOverflow);
  WRITE_CP15(0, c9, c14, 2, kCycles);  // PMINTENCLR
  check("overflow: disabled but pending", !pending(kOverflow));
  *device(kDistributor + 0x10000, 0x10) = kOverflow;
  clear_overflows();
}

static void filter_checks(void) {
  uint32_t* const stack_top = user_stack + 256;
  const uint32_t old = READ_CP15(0, c12, c0, 0);
  WRITE_CP15(0, c12, c0, 0, (uint32_t)vectors);
  WRITE_CP15(0, c14, c1, 0, 3);  // CNTKCTL: the counters, for User mode
  isb();
  filter_cycles(kFilterP);
  uint32_t before = cycles();
  spin(10000);
  check("P: counts at PL1", cycles() == before);
  spin_in_user_mode(kUserNanoseconds, stack_top, spin);
  check("P: does not count at PL0", cycles() - before >= kUserNanoseconds / 10 * 9);
  filter_cycles(kFilterU);
  uint32_t privileged = ~0u;  // the least of several: the host may take its CPU away at PL1 too
  for (uint32_t round = 0; round < 20; ++round) {
    before = cycles();
    spin_in_user_mode(kUserNanoseconds, stack_top, spin);
    const uint32_t now = cycles() - before;
    if (now < privileged) privileged = now;
  }
  filter_cycles(0);
  before = cycles();
  spin_in_user_mode(kUserNanoseconds, stack_top, spin);
  check("no filter: does not count at PL0", cycles() - before >= kUserNanoseconds / 10 * 9);
  check("U: counts at PL0", privileged < kUserNanoseconds / 2);
  // An overflow of cycles of User mode only.
  filter_cycles(kFilterP);
  WRITE_CP15(0, c9, c14, 1, kCycles);
  set_cycles(-(kUserNanoseconds / 2u));
  spin(kUserNanoseconds);
  check("P: overflows at PL1", !pending(kOverflow));
  spin_in_user_mode(kUserNanoseconds, stack_top, spin);
  check("P: does not overflow at PL0", pending(kOverflow));
  WRITE_CP15(0, c9, c14, 2, kCycles);
  WRITE_CP15(0, c12, c0, 0, old);
  isb();
}

void main(void);
void main(void) {
  timer_checks();
  pmcr(1);
  WRITE_CP15(0, c9, c12, 1, kCycles);  // PMCNTENSET
  for (uint32_t round = 0; round < 10000; ++round) {
    const uint32_t first = cycles(), second = cycles();
    if (first == second) check("the cycle counter stands still", false);
  }
  overflow_checks();
  filter_checks();
  semihosting_exit(0);
}
