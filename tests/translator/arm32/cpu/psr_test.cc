// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/psr.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

constexpr Mode kModes[] = {Mode::User,  Mode::Fiq,       Mode::Irq,   Mode::Supervisor,
                           Mode::Abort, Mode::Undefined, Mode::System};

// The physical register that name n of `mode` denotes: a distinct value each (B1.3.2, figure B1-1).
uint32_t physical(Mode mode, unsigned n) {
  if (n < 8 || n == 15) return n;
  if (n <= 12) return mode == Mode::Fiq ? 0x100 + n : n;
  return 0x1000u * (1u + bank_of(mode)) + n;
}

TEST(Banks, EveryPairOfModesKeepsAllRegisters) {
  for (Mode from : kModes) {
    for (Mode to : kModes) {
      TestCpu t;
      // Fill each mode's view through switch_mode alone.
      for (Mode m : kModes) {
        switch_mode(t.cpu, m);
        for (unsigned n = 0; n < 15; ++n) t.cpu.r[n] = physical(m, n);
      }
      switch_mode(t.cpu, from);
      switch_mode(t.cpu, to);
      EXPECT_EQ(t.cpu.mode, static_cast<uint8_t>(to));
      for (unsigned n = 0; n < 15; ++n) {
        EXPECT_EQ(t.cpu.r[n], physical(to, n)) << int(from) << "->" << int(to) << " r" << n;
      }
      // And every other mode's registers can be reached from here, for reading and writing.
      for (Mode m : kModes) {
        for (unsigned n = 0; n < 15; ++n) {
          EXPECT_EQ(register_of_mode(t.cpu, m, n), physical(m, n)) << int(to) << " sees " << int(m) << " r" << n;
          register_of_mode(t.cpu, m, n) += 0x10000;
          uint32_t expected = physical(m, n) + 0x10000;
          const Mode here = mode_of(t.cpu);
          switch_mode(t.cpu, m);
          EXPECT_EQ(t.cpu.r[n], expected);
          t.cpu.r[n] = physical(m, n);
          switch_mode(t.cpu, here);
        }
      }
    }
  }
}

TEST(Banks, SpsrIsPerMode) {
  TestCpu t;
  for (Mode m : kModes) {
    switch_mode(t.cpu, m);
    if (mode_has_spsr(m)) t.cpu.banked.spsr[bank_of(m)] = 0xff0fffe0u | static_cast<uint32_t>(m);
  }
  for (Mode m : kModes) {
    switch_mode(t.cpu, m);
    EXPECT_EQ(read_spsr(t.cpu), mode_has_spsr(m) ? 0xff0fffe0u | static_cast<uint32_t>(m) : 0u);
  }
}

TEST(CpsrWrite, UserModeReachesFlagsGeAndEndiannessOnly) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x10));
  const uint32_t effects = msr_cpsr(t.cpu, 0xffffffff, kPsrFieldsAll);
  EXPECT_EQ(read_cpsr(t.cpu), 0xf80f0210u);  // NZCVQ, GE, E
  EXPECT_EQ(effects, uint32_t{kEffectEndBlock});
  msr_cpsr(t.cpu, 0, kPsrFieldsAll);
  EXPECT_EQ(read_cpsr(t.cpu), 0x10u);
}

TEST(CpsrWrite, PrivilegedModeReachesMasksAndModeButNotExecutionState) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x13));
  msr_cpsr(t.cpu, 0xffffffff, kPsrFieldsAll);
  EXPECT_EQ(read_cpsr(t.cpu), 0xf80f03dfu);  // System; IT, J, T still 0
  msr_cpsr(t.cpu, 0x00000012, kPsrFieldC);
  EXPECT_EQ(read_cpsr(t.cpu), 0xf80f0312u);  // only the low byte
  msr_cpsr(t.cpu, 0, kPsrFieldX);
  EXPECT_EQ(read_cpsr(t.cpu), 0xf80f0012u);
  msr_cpsr(t.cpu, 0, kPsrFieldS);
  EXPECT_EQ(read_cpsr(t.cpu), 0xf8000012u);
  msr_cpsr(t.cpu, 0, kPsrFieldF);
  EXPECT_EQ(read_cpsr(t.cpu), 0x12u);
}

TEST(CpsrWrite, BadModesAreIgnored) {
  for (uint32_t m = 0; m < 32; ++m) {
    TestCpu t;
    ASSERT_TRUE(set_cpsr(t.cpu, 0x13));
    msr_cpsr(t.cpu, m | kPsrI, kPsrFieldC);
    const bool valid = m == 0x10 || m == 0x11 || m == 0x12 || m == 0x13 || m == 0x17 || m == 0x1b || m == 0x1f;
    EXPECT_EQ(t.cpu.mode, valid ? m : 0x13u);
    EXPECT_EQ(t.cpu.i, 1);  // the rest of the byte is written
    EXPECT_EQ(is_valid_mode(m), valid);
    EXPECT_EQ(set_cpsr(t.cpu, m), valid);
  }
}

TEST(CpsrWrite, PrivilegeChangesAreReported) {
  TestCpu t;
  const uint32_t to_user = msr_cpsr(t.cpu, 0x10, kPsrFieldC);
  EXPECT_TRUE(to_user & kEffectPrivilegeChanged);
  EXPECT_TRUE(to_user & kEffectAccessChanged);
  TestCpu u;
  EXPECT_FALSE(msr_cpsr(u.cpu, 0x1f | 0xc0, kPsrFieldC) & kEffectPrivilegeChanged);
}

TEST(ExceptionReturn, RestoresExecutionState) {
  TestCpu t;
  const uint32_t effects = exception_return(t.cpu, 0x1003, 0x6600fc30);  // Z C, IT, Thumb, User
  EXPECT_EQ(read_cpsr(t.cpu), 0x6600fc30u);
  EXPECT_EQ(t.cpu.r[15], 0x1002u);
  EXPECT_TRUE(effects & kEffectEndBlock);
  EXPECT_TRUE(effects & kEffectPrivilegeChanged);
}

TEST(ExceptionReturn, ToArmStateAlignsAndClearsIt) {
  TestCpu t;
  exception_return(t.cpu, 0x1003, 0x0600fc13 | kPsrJ);
  EXPECT_EQ(t.cpu.it, 0);
  EXPECT_EQ(t.cpu.j, 0);
  EXPECT_EQ(t.cpu.r[15], 0x1000u);
  EXPECT_EQ(read_cpsr(t.cpu), 0x13u | 0x0u);
}

TEST(ExceptionReturn, BadModeKeepsTheCurrentOne) {
  TestCpu t;
  exception_return(t.cpu, 0x2000, 0x80000000);
  EXPECT_EQ(read_cpsr(t.cpu), 0x80000013u);
  EXPECT_EQ(t.cpu.r[15], 0x2000u);
}

TEST(Cps, ChangesMasksAndMode) {
  TestCpu t;
  ASSERT_TRUE(set_cpsr(t.cpu, 0xf00001d3));
  const uint32_t effects = cps(t.cpu, {.enable = true, .affect_i = true});
  EXPECT_EQ(read_cpsr(t.cpu), 0xf0000153u);
  EXPECT_TRUE(effects & kEffectInterruptsUnmasked);
  cps(t.cpu, {.disable = true, .affect_i = true, .change_mode = true, .mode = 0x11});
  EXPECT_EQ(read_cpsr(t.cpu), 0xf00001d1u);
  cps(t.cpu, {.change_mode = true, .mode = 0x10});
  EXPECT_EQ(read_cpsr(t.cpu), 0xf00001d0u);
  // User: a NOP
  cps(t.cpu, {.enable = true, .affect_a = true, .affect_i = true, .affect_f = true});
  EXPECT_EQ(read_cpsr(t.cpu), 0xf00001d0u);
}

TEST(Cps, UnmaskingMakesAnAssertedLinePending) {
  TestCpu t;
  raise_line(t.cpu, kLineIrq);
  recompute_pending(t.cpu);
  EXPECT_EQ(t.cpu.pending, 0u);  // masked
  cps(t.cpu, {.enable = true, .affect_i = true});
  EXPECT_EQ(t.cpu.pending, 1u);
  EXPECT_EQ(pending_interrupt(t.cpu), Interrupt::Irq);
  cps(t.cpu, {.disable = true, .affect_i = true});
  EXPECT_EQ(t.cpu.pending, 0u);
}

TEST(Setend, ReportsOnlyChanges) {
  TestCpu t;
  EXPECT_EQ(setend(t.cpu, true), uint32_t{kEffectEndBlock});
  EXPECT_EQ(setend(t.cpu, true), uint32_t{kEffectNone});
  EXPECT_EQ(t.cpu.e, 1);
}

TEST(It, Advances) {
  // IT with four instructions: ITTTE EQ: 0000 0001 -> shifted each step; A2.5.2.
  EXPECT_EQ(it_advance(0x08), 0x00);  // last instruction
  EXPECT_EQ(it_advance(0x0c), 0x18);  // cond<0> comes from the mask
  EXPECT_EQ(it_advance(0xa1), 0xa2);
  EXPECT_EQ(it_advance(0xa8), 0x00);
}

TEST(Srs, UsesTheStackOfTheNamedMode) {
  TestCpu t;
  switch_mode(t.cpu, Mode::Irq);
  t.cpu.r[13] = 0x1000;
  register_of_mode(t.cpu, Mode::Supervisor, 13) = 0x2000;
  srs_base(t.cpu, Mode::Supervisor) -= 8;
  EXPECT_EQ(t.cpu.r[13], 0x1000u);
  srs_base(t.cpu, Mode::Irq) -= 8;
  EXPECT_EQ(t.cpu.r[13], 0xff8u);
  switch_mode(t.cpu, Mode::Supervisor);
  EXPECT_EQ(t.cpu.r[13], 0x1ff8u);
  EXPECT_TRUE(srs_mode_valid(t.cpu, 0x1f));
  EXPECT_FALSE(srs_mode_valid(t.cpu, 0x16));
  switch_mode(t.cpu, Mode::System);
  EXPECT_FALSE(srs_mode_valid(t.cpu, 0x13));
}

}  // namespace
}  // namespace crosswalk::arm
