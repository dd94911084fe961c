// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/fp_system.h"

#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <random>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::arm {
namespace {

using test::TestCpu;

struct FpCpu : TestCpu {
  FpCpu() {
    write(15, 1, 0, 0, 2, 0x00f00000);
    write_fp_register(cpu, 8, kFpexcEn);
  }
};

TEST(Fpscr, EveryWritableBitRoundTrips) {
  FpCpu t;
  for (int bit = 0; bit < 32; ++bit) {
    write_fpscr(t.cpu, 1u << bit);
    // QEMU 7.2: all ones read back as 0xfff7009f
    EXPECT_EQ(read_fpscr(t.cpu), (1u << bit) & 0xfff7009fu) << bit;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint32_t v = random();
    write_fpscr(t.cpu, v);
    EXPECT_EQ(read_fpscr(t.cpu), v & 0xfff7009fu);
  }
}

TEST(Fpscr, MxcsrControl) {
  EXPECT_EQ(mxcsr_control(0), 0x1f80u);
  EXPECT_EQ(mxcsr_control(1u << 22), 0x5f80u);  // RP: towards +infinity, RC = 10
  EXPECT_EQ(mxcsr_control(2u << 22), 0x3f80u);  // RM: RC = 01
  EXPECT_EQ(mxcsr_control(3u << 22), 0x7f80u);  // RZ
  EXPECT_EQ(mxcsr_control(kFpscrFz), 0x9fc0u);
}

TEST(Fpscr, FlagsOfBothMxcsrsAreMergedAndIdcIsKept) {
  FpCpu t;
  write_fpscr(t.cpu, kFpscrIdc);
  EXPECT_EQ(t.cpu.mxcsr & kMxcsrFlagsMask, 0u);
  t.cpu.mxcsr |= kMxcsrZe | kMxcsrDe;
  t.cpu.mxcsr_standard |= kMxcsrPe | kMxcsrUe;
  EXPECT_EQ(read_fpscr(t.cpu), uint32_t{kFpscrIdc | kFpscrDzc | kFpscrIxc | kFpscrUfc});
  t.cpu.fpscr |= kFpscrIoc;  // set by a helper
  EXPECT_EQ(read_fpscr(t.cpu), uint32_t{kFpscrIdc | kFpscrDzc | kFpscrIxc | kFpscrUfc | kFpscrIoc});
  write_fpscr(t.cpu, 0);
  EXPECT_EQ(read_fpscr(t.cpu), 0u);
}

TEST(Fpscr, TheHostAgreesAboutFlagsAndRounding) {
  FpCpu t;
  const struct {
    uint32_t rmode;
    float expected;
  } cases[] = {{0, 0x1.555556p-2f}, {1, 0x1.555556p-2f}, {2, 0x1.555554p-2f}, {3, 0x1.555554p-2f}};
  for (const auto& c : cases) {
    write_fpscr(t.cpu, c.rmode << 22);
    const uint32_t saved = _mm_getcsr();
    _mm_setcsr(t.cpu.mxcsr);
    volatile float one = 1, three = 3, zero = 0;
    const volatile float third = one / three;
    const volatile float infinity = one / zero;
    t.cpu.mxcsr = _mm_getcsr();
    _mm_setcsr(saved);
    EXPECT_EQ(third, c.expected) << c.rmode;
    EXPECT_GT(infinity, 1.0f);
    EXPECT_EQ(read_fpscr(t.cpu), c.rmode << 22 | kFpscrDzc | kFpscrIxc);
  }
}

TEST(Fpscr, ModeChangesAreReported) {
  FpCpu t;
  EXPECT_EQ(write_fpscr(t.cpu, 0xf000001f), uint32_t{kEffectNone});
  EXPECT_EQ(write_fpscr(t.cpu, kFpscrDn), uint32_t{kEffectFpModeChanged});
  EXPECT_EQ(write_fpscr(t.cpu, kFpscrDn), uint32_t{kEffectNone});
  EXPECT_EQ(write_fpscr(t.cpu, 3u << 16), uint32_t{kEffectFpModeChanged});
}

struct VfpFact {
  bool enabled;
  unsigned reg;
  const char* access;  // PL1 read, PL1 write, PL0 read, PL0 write
  uint32_t value, after_ones;
};
// QEMU 7.2 -cpu cortex-a15, CPACR.cp10 = cp11 = 3.
constexpr VfpFact kQemu[] = {
    {false, 0, "rw--", 0x410430f0, 0x410430f0},
    {false, 1, "----", 0, 0},
    {false, 5, "----", 0, 0},
    {false, 6, "rw--", 0x11111111, 0x11111111},
    {false, 7, "rw--", 0x10110222, 0x10110222},
    {false, 8, "rw--", 0, 0x40000000},
    {false, 9, "----", 0, 0},
    {false, 10, "----", 0, 0},
    {true, 0, "rw--", 0x410430f0, 0x410430f0},
    {true, 1, "rwRW", 0, 0xfff7009f},
    {true, 5, "----", 0, 0},
    {true, 6, "rw--", 0x11111111, 0x11111111},
    {true, 7, "rw--", 0x10110222, 0x10110222},
    {true, 8, "rw--", 0x40000000, 0x40000000},
    {true, 9, "----", 0, 0},
    {true, 10, "----", 0, 0},
};

TEST(VfpSystemRegisters, AsQemu) {
  for (const VfpFact& f : kQemu) {
    for (Mode mode : {Mode::Supervisor, Mode::User}) {
      TestCpu t;
      t.write(15, 1, 0, 0, 2, 0x00f00000);
      write_fp_register(t.cpu, 8, f.enabled ? kFpexcEn : 0u);
      switch_mode(t.cpu, mode);
      const bool user = mode == Mode::User;
      const bool readable = f.access[user ? 2 : 0] != '-', writable = f.access[user ? 3 : 1] != '-';
      uint32_t v = 0;
      EXPECT_EQ(read_fp_register(t.cpu, f.reg, v) == kEffectUndefined, !readable) << f.reg << " " << f.enabled;
      if (readable) {
        EXPECT_EQ(v, f.value) << f.reg;
      }
      EXPECT_EQ(write_fp_register(t.cpu, f.reg, ~0u) == kEffectUndefined, !writable) << f.reg << " " << f.enabled;
      if (readable && writable) {
        read_fp_register(t.cpu, f.reg, v);
        EXPECT_EQ(v, f.after_ones) << f.reg;
      }
    }
  }
}

TEST(VfpSystemRegisters, NothingWithoutCoprocessorAccess) {
  TestCpu t;
  uint32_t v = 0;
  for (unsigned reg = 0; reg < 16; ++reg) {
    EXPECT_EQ(read_fp_register(t.cpu, reg, v), uint32_t{kEffectUndefined});
    EXPECT_EQ(write_fp_register(t.cpu, reg, ~0u), uint32_t{kEffectUndefined});
  }
  EXPECT_EQ(t.cpu.fpexc, 0u);
}

}  // namespace
}  // namespace crosswalk::arm
