// SPDX-License-Identifier: GPL-2.0-or-later
// Self-hosted debug with the MMU off: what a debugger's kernel does with breakpoints, watchpoints
// and single step. Prints each check that fails; ends with their number.
#include "runtime.h"

#define READ_CP14(crn, crm, op2)                                                               \
  ({                                                                                           \
    uint32_t value_;                                                                           \
    __asm__ volatile("mrc p14, 0, %0, " #crn ", " #crm ", " #op2 : "=r"(value_) : : "memory"); \
    value_;                                                                                    \
  })
#define WRITE_CP14(crn, crm, op2, value)                                                                 \
  do {                                                                                                   \
    __asm__ volatile("mcr p14, 0, %0, " #crn ", " #crm ", " #op2 : : "r"((uint32_t)(value)) : "memory"); \
    isb();                                                                                               \
  } while (0)

// DBGDSCR
enum { kMdbgen = 1 << 15, kBreakpoint = 1, kBkpt = 3, kVectorCatch = 5, kWatchpoint = 10 };
enum { kPlain = 0x1e7, kMismatch = 4 << 20, kLinked = 1 << 20, kLinkedContext = 3 << 20 };
enum { kLoads = 1 << 3, kStores = 2 << 3, kAnyMode = 3 << 1 };
enum { kPrefetchAbort = 3, kDataAbort = 4 };

static uint32_t wrong;
static volatile uint32_t words[16] __attribute__((aligned(64)));

static void expect(const char* what, uint32_t got, uint32_t want) {
  if (got == want) return;
  ++wrong;
  put_string(what);
  put_string(": ");
  put_hex(got);
  put_string(" instead of ");
  put_hex(want);
  put_string("\n");
}
static uint32_t method_of_entry(void) { return READ_CP14(c0, c1, 0) >> 2 & 15; }

// A leaf of four instructions; takes R0 from 0 to 3.
extern const uint32_t leaf[];
__asm__(".arm\nleaf: mov r0, #1\n add r0, r0, #1\n addne r0, r0, #1\n bx lr\n");
// A Thumb one.
extern const uint16_t thumb_leaf[];
__asm__(
    ".syntax unified\n.thumb\n.balign 4\nthumb_leaf: movs r0, #1\n adds r0, #1\n add.w r0, r0, #1\n bx "
    "lr\n.arm\n.balign 4\n");

static void expect_stop(const char* what, uint32_t entry, uint32_t pc) {
  const uint32_t before = last_exception.count;
  if (!call_faults(entry)) {
    expect(what, 0, 1);
    return;
  }
  expect(what, last_exception.count - before, 1);
  expect(what, last_exception.kind, kPrefetchAbort);
  expect(what, last_exception.pc, pc);
  expect(what, last_exception.status & 0x40f, 2);
  expect(what, method_of_entry(), kBreakpoint);
}
static void expect_no_stop(const char* what, uint32_t entry) { expect(what, call_faults(entry), false); }

static void breakpoints(void) {
  const uint32_t arm = (uint32_t)leaf, thumb = (uint32_t)thumb_leaf;
  for (int i = 0; i < 100; ++i) expect_no_stop("no breakpoint", arm);
  WRITE_CP14(c0, c0, 4, arm + 4);
  WRITE_CP14(c0, c0, 5, kPlain);
  expect_stop("breakpoint", arm, arm + 4);
  WRITE_CP14(c0, c0, 4, arm + 8);
  expect_stop("breakpoint, moved", arm, arm + 8);
  WRITE_CP14(c0, c0, 5, kPlain & ~1);
  expect_no_stop("disabled", arm);
  WRITE_CP14(c0, c0, 4, thumb & ~3u);
  WRITE_CP14(c0, c0, 5, 0xc << 5 | kAnyMode | 1);
  expect_stop("upper halfword", thumb | 1, thumb + 2);
  WRITE_CP14(c0, c0, 4, (thumb & ~3u) + 4);
  WRITE_CP14(c0, c0, 5, 3 << 5 | kAnyMode | 1);
  expect_stop("32-bit Thumb instruction", thumb | 1, thumb + 4);
  // Linked to a context.
  WRITE_CP14(c0, c4, 4, 0x77);
  WRITE_CP14(c0, c4, 5, kLinkedContext | kPlain);
  WRITE_CP14(c0, c0, 4, arm + 4);
  WRITE_CP14(c0, c0, 5, kLinked | 4 << 16 | kPlain);
  expect_no_stop("another context", arm);
  WRITE_CP15(0, c13, c0, 1, 0x77);
  isb();
  expect_stop("linked context", arm, arm + 4);
  WRITE_CP15(0, c13, c0, 1, 0);
  isb();
  // The OS lock and Monitor debug-mode.
  WRITE_CP14(c0, c0, 5, kPlain);
  __asm__ volatile("mcr p14, 0, %0, c1, c0, 4\n isb" : : "r"(0xc5acce55));
  expect_no_stop("locked", arm);
  __asm__ volatile("mcr p14, 0, %0, c1, c0, 4\n isb" : : "r"(0));
  WRITE_CP14(c0, c2, 2, 0);
  expect_no_stop("not in Monitor debug-mode", arm);
  WRITE_CP14(c0, c2, 2, kMdbgen);
  expect_stop("again", arm, arm + 4);
  WRITE_CP14(c0, c0, 5, 0);
}

// Everything but one instruction stops, in Supervisor mode: first the one after the write that asks
// for it. The handler resumes at the one that does not, which ends it.
static void mismatch(void) {
  const uint32_t before = last_exception.count;
  uint32_t result;
  __asm__ volatile(
      "adr r1, 2f\n str r1, [%1]\n mcr p14, 0, r1, c0, c1, 4\n"
      "mov r1, %2\n mov r2, #0\n mov r0, #0\n"
      "mcr p14, 0, r1, c0, c1, 5\n"
      "mov r0, #9\n"
      "2: mcr p14, 0, r2, c0, c1, 5\n"
      "mov %0, r0\n"
      : "=r"(result)
      : "r"(&resume_at), "r"(kMismatch | kPlain)
      : "r0", "r1", "r2", "memory");
  resume_at = 0;
  expect("mismatch stops the next instruction", result, 0);
  expect("mismatch", last_exception.count - before, 1);
  expect("mismatch", last_exception.kind, kPrefetchAbort);
  expect("mismatch", method_of_entry(), kBreakpoint);
}

struct access {
  const char* name;
  uint32_t control;  // LSC and BAS
  bool load, store, byte, before, across;
};

static bool load_hits(uint32_t address) { return read_faults(address, NULL); }
static bool store_hits(uint32_t address) { return write_faults(address, 0x5a5a5a5a); }
static bool byte_store_hits(uint32_t address) {
  const uint32_t before = last_exception.count;
  uint32_t scratch;
  __asm__ volatile("adr %0, 1f\n str %0, [%2]\n strb %0, [%1]\n 1:\n"
                   : "=&r"(scratch)
                   : "r"(address), "r"(&resume_at)
                   : "memory");
  resume_at = 0;
  return last_exception.count != before;
}
static bool multiple_store_hits(uint32_t address) {
  const uint32_t before = last_exception.count;
  uint32_t scratch;
  __asm__ volatile("adr %0, 1f\n str %0, [%2]\n mov r2, #0\n stm %1, {r2, r3, r12, lr}\n 1:\n"
                   : "=&r"(scratch)
                   : "r"(address), "r"(&resume_at)
                   : "r2", "memory");
  resume_at = 0;
  return last_exception.count != before;
}

static void watchpoints(void) {
  const uint32_t word = (uint32_t)&words[4];
  static const struct access accesses[] = {
      {"any access to the word", kLoads | kStores | 15 << 5, true, true, true, false, true},
      {"loads", kLoads | 15 << 5, true, false, false, false, false},
      {"stores", kStores | 15 << 5, false, true, true, false, true},
      {"stores to its last byte", kStores | 8 << 5, false, true, false, false, true},
      {"stores to the next word", kStores | 0xf0 << 5, false, false, false, false, true},
  };
  for (uint32_t i = 0; i < sizeof accesses / sizeof *accesses; ++i) {
    const struct access* a = &accesses[i];
    for (int warm = 0; warm < 3; ++warm) words[4] = words[4] + 1;
    WRITE_CP14(c0, c1, 6, word);
    WRITE_CP14(c0, c1, 7, a->control | kAnyMode | 1);
    words[3] = 1;
    const uint32_t held = words[12];
    expect(a->name, load_hits(word), a->load);
    expect(a->name, store_hits(word), a->store);
    expect(a->name, byte_store_hits(word), a->byte);
    expect(a->name, store_hits(word - 4), a->before);
    expect(a->name, multiple_store_hits(word - 8), a->across);
    if (a->across) {
      expect(a->name, last_exception.kind, kDataAbort);
      expect(a->name, last_exception.status & 0xc0f, 0x802);
      expect(a->name, method_of_entry(), kWatchpoint);
      expect(a->name, last_exception.address >= (word & ~15u) && last_exception.address < word + 8, true);
    }
    expect(a->name, words[12], held);
    WRITE_CP14(c0, c1, 7, 0);
    expect("disabled", load_hits(word) || store_hits(word), false);
  }
  // A store that hits is not made.
  words[4] = 0x1234;
  WRITE_CP14(c0, c1, 7, kStores | 15 << 5 | kAnyMode | 1);
  expect("store", store_hits(word), true);
  WRITE_CP14(c0, c1, 7, 0);
  expect("memory after it", words[4], 0x1234);
  // 64 bytes by an address mask.
  WRITE_CP14(c0, c1, 6, words);
  WRITE_CP14(c0, c1, 7, 6 << 24 | kLoads | 0xff << 5 | kAnyMode | 1);
  expect("masked, first", load_hits((uint32_t)&words[0]), true);
  expect("masked, last", load_hits((uint32_t)&words[15]), true);
  expect("masked, behind", load_hits((uint32_t)&words[16]), false);
  WRITE_CP14(c0, c1, 7, 0);
  // A device: it sees nothing. (Reading the UART's data register would take a character.)
  WRITE_CP14(c0, c1, 6, kRtc);
  WRITE_CP14(c0, c1, 7, kLoads | 15 << 5 | kAnyMode | 1);
  expect("device", load_hits(kRtc), true);
  WRITE_CP14(c0, c1, 7, 0);
  expect("device", load_hits(kRtc), false);
}

void main(void);
void main(void) {
  static const uint32_t bkpt[] = {0xe1200070, 0xe12fff1e};
  expect("BKPT", call_faults((uint32_t)bkpt), true);
  expect("BKPT", last_exception.kind, kPrefetchAbort);
  expect("BKPT", last_exception.status & 0x40f, 2);
  expect("BKPT", method_of_entry(), kBkpt);
  __asm__ volatile("mcr p14, 0, %0, c1, c0, 4\n isb" : : "r"(0));  // DBGOSLAR
  WRITE_CP14(c0, c2, 2, kMdbgen);
  breakpoints();
  watchpoints();
  if (!wrong) put_string("address matches are right\n");
  mismatch();
  // The Supervisor Call vector, which returns from LR.
  WRITE_CP14(c0, c7, 0, 1 << 2);
  uint32_t scratch;
  const uint32_t before = last_exception.count;
  __asm__ volatile("adr %0, 1f\n str %0, [%1]\n svc 0\n 1:\n" : "=&r"(scratch) : "r"(&resume_at) : "lr", "memory");
  WRITE_CP14(c0, c7, 0, 0);
  __asm__ volatile("cps #0x13");
  expect("vector catch", last_exception.count - before, 1);
  expect("vector catch", method_of_entry(), kVectorCatch);
  if (!wrong) put_string("debug events are right\n");
  semihosting_exit(wrong);
}
