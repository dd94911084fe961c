// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/debug.h"

#include <gtest/gtest.h>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

constexpr uint32_t kOsLock = 0xc5acce55, kMdbgen = 1u << 15;
constexpr uint32_t kAnyMode = 3u << 1, kWholeWord = 15u << 5, kEnabled = 1;
constexpr uint32_t kPlain = kWholeWord | kAnyMode | kEnabled;
constexpr uint32_t type(uint32_t bt) { return bt << 20; }
constexpr uint32_t linked_to(uint32_t n) { return n << 16; }

// A CPU in Monitor debug-mode, in a mode.
struct Debugged : TestCpu {
  explicit Debugged(uint32_t psr = 0x13) {
    write(14, 1, 0, 0, 4, 0);
    write(14, 0, 0, 2, 2, kMdbgen);
    if (!set_cpsr(cpu, psr)) ADD_FAILURE();
  }
  void breakpoint(uint32_t n, uint32_t value, uint32_t control) {
    write(14, 0, 0, n, 4, value);
    write(14, 0, 0, n, 5, control);
  }
  void watchpoint(uint32_t n, uint32_t value, uint32_t control) {
    write(14, 0, 0, n, 6, value);
    write(14, 0, 0, n, 7, control);
  }
  bool breaks(uint32_t va) const { return instruction_debug_event(cpu, va) == DebugEvent::Breakpoint; }
  bool watches(uint32_t va, uint32_t bytes = 1, bool store = true, bool privileged = true) const {
    return watchpoint_match(cpu, va, bytes, store, privileged).has_value();
  }
};

TEST(DebugRegisters, WritesThatChangeMatchesSaySo) {
  Debugged t;
  constexpr uint32_t kChanged = kEffectDebugChanged | kEffectEndBlock;
  for (uint32_t opc2 = 4; opc2 < 8; opc2++) EXPECT_EQ(t.write(14, 0, 0, 0, opc2, 0), kChanged);
  EXPECT_EQ(t.write(14, 0, 0, 7, 0, 0), kChanged);  // DBGVCR
  EXPECT_EQ(t.write(14, 0, 0, 2, 2, 0), kChanged);  // DBGDSCRext
  EXPECT_EQ(t.write(14, 1, 0, 0, 4, 0), kChanged);  // DBGOSLAR
  EXPECT_EQ(t.write(14, 1, 0, 3, 4, 0), kChanged);  // DBGOSDLR
  EXPECT_EQ(t.write(14, 0, 0, 6, 0, 0x1234), uint32_t{kEffectNone});
  EXPECT_EQ(t.value(14, 0, 0, 6, 0), 0x1234u);  // DBGWFAR
}

TEST(Breakpoints, NeedMonitorModeAndNoLock) {
  Debugged t;
  t.breakpoint(0, 0x8000, kPlain);
  EXPECT_TRUE(t.breaks(0x8000));
  EXPECT_TRUE(t.cpu.debug.breaking);
  t.write(14, 1, 0, 0, 4, kOsLock);
  EXPECT_FALSE(t.breaks(0x8000));
  EXPECT_FALSE(t.cpu.debug.breaking);
  t.write(14, 1, 0, 0, 4, 0);
  t.write(14, 1, 0, 3, 4, 1);  // DBGOSDLR, which DBGPRCR.CORENPDRQ overrides
  EXPECT_FALSE(t.breaks(0x8000));
  t.write(14, 1, 0, 4, 4, 1);
  EXPECT_TRUE(t.breaks(0x8000));
  t.write(14, 1, 0, 3, 4, 0);
  t.write(14, 0, 0, 2, 2, 0);
  EXPECT_FALSE(t.breaks(0x8000));
  take_exception(t.cpu, Exception::Reset, 0);
  EXPECT_FALSE(t.cpu.debug.breaking);
}

TEST(Breakpoints, ByteAddressSelect) {
  Debugged t;
  struct Case {
    uint32_t bas;
    bool at_word, at_half;
  };
  for (const Case& c : {Case{0, false, false}, {3, true, false}, {0xc, false, true}, {0xf, true, true}}) {
    t.breakpoint(1, 0x8000, c.bas << 5 | kAnyMode | kEnabled);
    EXPECT_EQ(t.breaks(0x8000), c.at_word) << c.bas;
    EXPECT_EQ(t.breaks(0x8002), c.at_half) << c.bas;
    EXPECT_FALSE(t.breaks(0x8004));
    EXPECT_FALSE(t.breaks(0x7ffe));
    t.breakpoint(1, 0x8000, type(4) | c.bas << 5 | kAnyMode | kEnabled);
    EXPECT_EQ(t.breaks(0x8000), !c.at_word) << c.bas;
    EXPECT_EQ(t.breaks(0x8002), !c.at_half) << c.bas;
    EXPECT_TRUE(t.breaks(0x8004));
  }
  t.breakpoint(1, 0x8000, kWholeWord | kAnyMode);
  EXPECT_FALSE(t.breaks(0x8000));
}

// Table C3-4, without the Virtualization and the Security Extensions.
TEST(Breakpoints, PrivilegedModeControl) {
  struct Case {
    uint32_t control;
    bool user, supervisor, system, irq, abort;
  };
  constexpr uint32_t kHmc = 1u << 13, kSecure = 2u << 14, kNonSecure = 1u << 14;
  for (const Case& c :
       {Case{0, true, true, true, false, false}, Case{1u << 1, false, true, true, true, true},
        Case{2u << 1, true, false, false, false, false}, Case{3u << 1, true, true, true, true, true},
        Case{kHmc | 3u << 14, false, false, false, false, false}, Case{kHmc | 1u << 1, false, true, true, true, true},
        Case{kSecure | 3u << 1, false, false, false, false, false},
        Case{kNonSecure | 3u << 1, true, true, true, true, true}}) {
    for (const auto& [psr, wanted] :
         {std::pair{0x10u, c.user}, {0x13u, c.supervisor}, {0x1fu, c.system}, {0x12u, c.irq}, {0x17u, c.abort}}) {
      Debugged t;
      t.breakpoint(0, 0x8000, c.control | kWholeWord | kEnabled);
      ASSERT_TRUE(set_cpsr(t.cpu, psr));
      EXPECT_EQ(t.breaks(0x8000), wanted) << std::hex << c.control << " mode " << psr;
      if (wanted) {
        t.cpu.cp15.sctlr |= kSctlrM;
        EXPECT_TRUE(page_may_break(t.cpu, 0x8ffc)) << std::hex << c.control << " mode " << psr;
        EXPECT_FALSE(page_may_break(t.cpu, 0x9000));
      }
    }
  }
}

TEST(Breakpoints, Contexts) {
  Debugged t;
  t.cpu.cp15.contextidr = 0x1234;
  // The last two can compare contexts.
  for (uint32_t n = 0; n < kBreakpoints; n++) {
    t.breakpoint(n, 0x1234, type(2) | kPlain);
    EXPECT_EQ(t.breaks(0x5678), n >= 4) << n;
    t.cpu.cp15.contextidr = 0x1235;
    EXPECT_FALSE(t.breaks(0x5678)) << n;
    t.cpu.cp15.contextidr = 0x1234;
    // One that is linked to stops nothing itself.
    t.breakpoint(n, 0x1234, type(3) | kPlain);
    EXPECT_FALSE(t.breaks(0x5678)) << n;
    t.breakpoint(n, 0, 0);
  }
  t.breakpoint(4, 0x1234, type(3) | kPlain);
  t.breakpoint(5, 0x9999, type(3) | kPlain);
  t.breakpoint(3, 0x1234, type(3) | kPlain);
  struct Link {
    uint32_t to;
    bool matches;
  };
  for (const Link& l : {Link{4, true}, {5, false}, {3, false}, {6, false}, {15, false}}) {
    t.breakpoint(0, 0x8000, type(1) | linked_to(l.to) | kPlain);
    EXPECT_EQ(t.breaks(0x8000), l.matches) << l.to;
    EXPECT_FALSE(t.breaks(0x8004)) << l.to;
    t.breakpoint(0, 0x8000, type(5) | linked_to(l.to) | kPlain);
    EXPECT_FALSE(t.breaks(0x8000)) << l.to;
    EXPECT_EQ(t.breaks(0x8004), l.matches) << l.to;
  }
  t.breakpoint(0, 0x8000, type(1) | linked_to(4) | kPlain);
  t.breakpoint(4, 0x1234, type(2) | kPlain);  // not of the linked type; matches for itself
  t.breakpoint(4, 0x4321, type(2) | kPlain);
  EXPECT_FALSE(t.breaks(0x8000));
  t.breakpoint(4, 0x1234, type(3) | kWholeWord | kAnyMode);  // disabled
  EXPECT_FALSE(t.breaks(0x8000));
}

TEST(Breakpoints, ReservedTypesMatchNothing) {
  Debugged t;
  for (const uint32_t bt : {6u, 7u, 8u, 9u, 10u, 11u, 12u, 15u}) {
    t.breakpoint(5, 0x8000, type(bt) | kPlain);
    EXPECT_FALSE(t.breaks(0x8000) || t.breaks(0x9000)) << bt;
  }
}

// Otherwise the handler would never get anywhere.
TEST(Breakpoints, AMismatchOrContextDoesNotMatchInAbortMode) {
  Debugged t(0x17);
  for (const uint32_t bt : {2u, 4u}) {
    t.breakpoint(5, 0, type(bt) | kPlain);
    ASSERT_TRUE(set_cpsr(t.cpu, 0x17));
    EXPECT_FALSE(t.breaks(0x8000)) << bt;
    ASSERT_TRUE(set_cpsr(t.cpu, 0x13));
    EXPECT_TRUE(t.breaks(0x8000)) << bt;
  }
}

TEST(Breakpoints, TheExceptionAndItsPages) {
  Debugged t(0x33);  // Thumb
  t.breakpoint(2, 0x8000, kPlain);
  t.breakpoint(3, 0x8ff0, 2u << 1 | kWholeWord | kEnabled);
  const BreakPages pages = break_pages(t.cpu);
  EXPECT_EQ(pages.count, 1);
  EXPECT_EQ(pages.at(0x8123), 3);
  EXPECT_EQ(pages.at(0x9123), 0);
  t.cpu.cp15.ifar = 0x77;
  take_instruction_debug_event(t.cpu, DebugEvent::Breakpoint, 0x8000);
  EXPECT_EQ(t.cpu.cp15.ifsr, 2u);
  EXPECT_EQ(t.cpu.r[14], 0x8004u);
  EXPECT_EQ(t.value(14, 0, 0, 1, 0) >> 2 & 15, 1u);  // DBGDSCR.MOE
  t.breakpoint(0, 0, type(4) | 2u << 1 | kEnabled);
  EXPECT_EQ(break_pages(t.cpu).everywhere, 1);
}

TEST(VectorCatch, ByAddress) {
  Debugged t;
  t.cpu.cp15.vbar = 0x4000;
  for (uint32_t vector = 0; vector < 8; vector++) {
    t.write(14, 0, 0, 7, 0, 1u << vector);
    // Not those of the aborts, in whose handlers it would never end; 5 is reserved.
    const bool caught = vector != 3 && vector != 4 && vector != 5;
    EXPECT_EQ(instruction_debug_event(t.cpu, 0x4000 + 4 * vector) == DebugEvent::VectorCatch, caught) << vector;
    EXPECT_EQ(break_pages(t.cpu).everywhere, caught ? 3 : 0) << vector;
    EXPECT_FALSE(instruction_debug_event(t.cpu, 0x4002 + 4 * vector));
    EXPECT_FALSE(instruction_debug_event(t.cpu, 0x4004 + 4 * vector));
  }
  t.cpu.cp15.sctlr |= kSctlrV;
  EXPECT_FALSE(instruction_debug_event(t.cpu, 0x401c));
  EXPECT_EQ(instruction_debug_event(t.cpu, 0xffff001c), DebugEvent::VectorCatch);
  EXPECT_EQ(t.value(14, 0, 0, 7, 0), 0x80u);
}

constexpr uint32_t wcr(uint32_t bas, uint32_t lsc = 3, uint32_t pac = 3) { return bas << 5 | lsc << 3 | pac << 1 | 1; }

TEST(Watchpoints, Bytes) {
  Debugged t;
  t.watchpoint(0, 0x8000, wcr(0x60));  // bytes 5 and 6 of the doubleword
  EXPECT_TRUE(t.cpu.debug.watching);
  for (uint32_t i = 0; i < 16; i++) EXPECT_EQ(t.watches(0x7ffc + i), i == 9 || i == 10) << i;
  EXPECT_TRUE(t.watches(0x8004, 4));
  EXPECT_TRUE(t.watches(0x7ffe, 8));
  EXPECT_FALSE(t.watches(0x7ffd, 8));
  EXPECT_FALSE(t.watches(0x8007, 16));
  EXPECT_EQ(watchpoint_match(t.cpu, 0x8000, 16, true, true), 0x8005u);
  EXPECT_EQ(watchpoint_match(t.cpu, 0x8006, 2, true, true), 0x8006u);
  // DBGWVR names a word: the upper half of BAS counts for nothing.
  t.watchpoint(0, 0x8004, wcr(0xf2));
  for (uint32_t i = 0; i < 16; i++) EXPECT_EQ(t.watches(0x8000 + i), i == 5) << i;
  t.watchpoint(0, 0x8004, wcr(0xf0));
  EXPECT_FALSE(t.cpu.debug.watching);
  // An access that goes on at address 0.
  t.watchpoint(0, 0, wcr(1));
  EXPECT_EQ(watchpoint_match(t.cpu, 0xfffffffe, 4, true, true), 0u);
  // The first byte of two watchpoints'.
  t.watchpoint(1, 0xfffffff8, wcr(0x80));
  EXPECT_EQ(watchpoint_match(t.cpu, 0xfffffffe, 4, true, true), 0xffffffffu);
  const Watched w = watched_bytes(t.cpu);
  ASSERT_EQ(w.count, 2u);
  EXPECT_EQ(w.ranges[0], (WatchedBytes{0, 7}));
  EXPECT_EQ(w.ranges[1], (WatchedBytes{0xfffffff8, 0xffffffff}));
}

TEST(Watchpoints, AddressMask) {
  Debugged t;
  for (uint32_t mask = 0; mask < 32; mask++) {
    t.watchpoint(0, 0x80000000, mask << 24 | wcr(0xff));
    if (mask == 1 || mask == 2) {  // reserved
      EXPECT_FALSE(t.watches(0x80000000)) << mask;
      continue;
    }
    const uint32_t last = 0x80000000 + (mask ? (uint64_t{1} << mask) - 1 : 7);
    EXPECT_TRUE(t.watches(0x80000000) && t.watches(last)) << mask;
    EXPECT_FALSE(t.watches(0x7fffffff) || t.watches(last + 1)) << mask;
    EXPECT_EQ(watched_bytes(t.cpu).ranges[0], (WatchedBytes{0x80000000, last})) << mask;
  }
}

TEST(Watchpoints, Filters) {
  Debugged t;
  for (uint32_t lsc = 0; lsc < 4; lsc++) {
    t.watchpoint(0, 0x8000, wcr(1, lsc));
    EXPECT_EQ(t.watches(0x8000, 1, false), (lsc & 1) != 0);
    EXPECT_EQ(t.watches(0x8000, 1, true), (lsc & 2) != 0);
  }
  for (uint32_t pac = 0; pac < 4; pac++) {
    t.watchpoint(0, 0x8000, wcr(1, 3, pac));
    EXPECT_EQ(t.watches(0x8000, 1, true, true), (pac & 1) != 0);
    EXPECT_EQ(t.watches(0x8000, 1, true, false), (pac & 2) != 0);
  }
  t.watchpoint(0, 0x8000, wcr(1) | 2u << 14);  // Secure state only
  EXPECT_FALSE(t.watches(0x8000));
  t.watchpoint(0, 0x8000, wcr(1) & ~1u);
  EXPECT_FALSE(t.watches(0x8000));
  t.watchpoint(0, 0x8000, wcr(1) | 1u << 20 | linked_to(4));
  EXPECT_FALSE(t.watches(0x8000));
  t.breakpoint(4, 0x1234, type(3) | kPlain);
  EXPECT_FALSE(t.watches(0x8000));
  t.cpu.cp15.contextidr = 0x1234;
  EXPECT_TRUE(t.watches(0x8000));
  t.write(14, 1, 0, 0, 4, kOsLock);
  EXPECT_FALSE(t.watches(0x8000));
}

TEST(Watchpoints, WhatIsRecorded) {
  Debugged t;
  t.cpu.r[15] = 0x8000;
  EXPECT_EQ(note_watchpoint(t.cpu, true), 0x802u);
  EXPECT_EQ(t.value(14, 0, 0, 1, 0) >> 2 & 15, 10u);  // DBGDSCR.MOE: synchronous
  EXPECT_EQ(t.value(14, 0, 0, 6, 0), 0x8008u);        // DBGWFAR
  t.cpu.t = 1;
  t.cpu.cp15.ttbcr = kTtbcrEae;
  EXPECT_EQ(note_watchpoint(t.cpu, false), 0x222u);
  EXPECT_EQ(t.value(14, 0, 0, 6, 0), 0x8004u);
}

}  // namespace
}  // namespace crosswalk::arm
