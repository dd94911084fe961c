// SPDX-License-Identifier: GPL-2.0-or-later
// The element-wise helpers against values worked out by hand from the Arm pseudocode (ARM DDI
// 0406C).
#include "translator/arm32/helpers/simd_helpers.h"

#include <gtest/gtest.h>

#include "tests/translator/simd/machine.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::helpers::simd {
namespace {

using simd_test::make_state;

struct Result {
  uint64_t d;
  uint32_t flags;  // FPSCR
  bool operator==(const Result&) const = default;
};

void PrintTo(const Result& r, std::ostream* os) { *os << std::hex << r.d << " fpscr " << r.flags; }

// Operation on D registers: d (old), n, m.
Result run(Op op, unsigned size, bool u, uint64_t n, uint64_t m, uint64_t d = 0, uint8_t imm = 0) {
  const auto cpu = make_state();
  std::memcpy(cpu->vreg + 0, &d, 8);
  std::memcpy(cpu->vreg + 16, &n, 8);
  std::memcpy(cpu->vreg + 32, &m, 8);
  Operands o;
  o.d = 0, o.n = 2, o.m = 4, o.imm = imm;
  helper(op, size, u)(cpu.get(), o.pack(), 0, 0);
  std::memcpy(&d, cpu->vreg, 8);
  return {d, cpu->fpscr};
}

constexpr uint32_t kQc = arm::kFpscrQc;

TEST(SimdHelpers, SaturatingShiftByRegister) {
  // Value in m, amount in the low byte of n. VQSHL.S8: 1 << 7 saturates; -1 << 7 is -128.
  EXPECT_EQ(run(Op::QShl, 0, false, 0x07, 0x01), (Result{0x7f, kQc}));
  EXPECT_EQ(run(Op::QShl, 0, false, 0x07, 0xff), (Result{0x80, 0}));
  EXPECT_EQ(run(Op::QShl, 0, false, 0x08, 0xff), (Result{0x80, kQc}));
  EXPECT_EQ(run(Op::QShl, 0, true, 0x7f, 0x00), (Result{0, 0}));
  EXPECT_EQ(run(Op::QShl, 3, true, 64, 1), (Result{~uint64_t{0}, kQc}));
  EXPECT_EQ(run(Op::QShl, 3, false, 127, uint64_t{1} << 63), (Result{uint64_t{1} << 63, kQc}));
  EXPECT_EQ(run(Op::QShl, 3, false, 63, ~uint64_t{0}), (Result{uint64_t{1} << 63, 0}));
}

TEST(SimdHelpers, RoundingShiftByRegister) {
  // VRSHL.S32 #3, -1: (3 + 1) >> 1.
  EXPECT_EQ(run(Op::RShl, 2, false, 0xff, 3).d, 2u);
  EXPECT_EQ(run(Op::RShl, 2, false, 0xff, 0xfffffffd).d, 0xffffffffu);  // (-3 + 1) >> 1
  // A shift by the width: signed gives 0, unsigned the top bit.
  EXPECT_EQ(run(Op::RShl, 0, false, 0xf8, 0x80).d, 0u);
  EXPECT_EQ(run(Op::RShl, 0, true, 0xf8, 0x80).d, 1u);
  EXPECT_EQ(run(Op::RShl, 0, true, 0xf7, 0xff).d, 0u);
  EXPECT_EQ(run(Op::RShl, 3, true, 0xc0, uint64_t{1} << 63).d, 1u);
  EXPECT_EQ(run(Op::Shl, 3, false, 0x80, uint64_t{1} << 63).d, ~uint64_t{0});
  EXPECT_EQ(run(Op::QRShl, 1, false, 0x0f, 0x0001), (Result{0x7fff, kQc}));
  EXPECT_EQ(run(Op::QRShl, 1, false, 0xff, 0x7fff), (Result{0x4000, 0}));
}

TEST(SimdHelpers, DoublingMultiplyHigh) {
  EXPECT_EQ(run(Op::QDMulH, 1, false, 0x8000, 0x8000), (Result{0x7fff, kQc}));
  EXPECT_EQ(run(Op::QDMulH, 1, false, 0x4000, 0x0001), (Result{0, 0}));
  EXPECT_EQ(run(Op::QRDMulH, 1, false, 0x4000, 0x0001), (Result{1, 0}));
  EXPECT_EQ(run(Op::QDMulH, 2, false, 0x80000000, 0x7fffffff), (Result{0x80000001, 0}));
  EXPECT_EQ(run(Op::QRDMulH, 2, false, 0x80000000, 0x80000000), (Result{0x7fffffff, kQc}));
}

TEST(SimdHelpers, DoublingMultiplyAccumulate) {
  // The doubled product saturates, then the sum does not: QC stays set. -32768 * -32768 * 2 =
  // 0x80000000 -> 0x7fffffff.
  EXPECT_EQ(run(Op::QDMlaL, 1, false, 0x8000, 0x8000, 0xffffffff), (Result{0x7ffffffe, kQc}));
  EXPECT_EQ(run(Op::QDMlsL, 1, false, 0x8000, 0x8000, 0x80000000), (Result{0x80000000, kQc}));
}

TEST(SimdHelpers, HalvingAndRounding) {
  EXPECT_EQ(run(Op::HAdd, 0, false, 0x80, 0x80).d, 0x80u);
  EXPECT_EQ(run(Op::HAdd, 0, true, 0xff, 0xff).d, 0xffu);
  EXPECT_EQ(run(Op::HSub, 0, true, 0x00, 0x01).d, 0xffu);
  EXPECT_EQ(run(Op::HSub, 2, false, 0x7fffffff, 0x80000000).d, 0x7fffffffu);
  EXPECT_EQ(run(Op::RHAdd, 1, false, 0xffff, 0x0000).d, 0u);
}

TEST(SimdHelpers, ShiftAndInsert) {
  EXPECT_EQ(run(Op::SriImm, 0, true, 0, 0xff, 0x11, 4).d, 0x1fu);
  EXPECT_EQ(run(Op::SriImm, 0, true, 0, 0xff, 0x11, 8).d, 0x11u);
  EXPECT_EQ(run(Op::SliImm, 0, true, 0, 0xff, 0x11, 4).d, 0xf1u);
  EXPECT_EQ(run(Op::SliImm, 3, true, 0, 1, 0x0123456789abcdef, 60).d, 0x1123456789abcdefu);
  EXPECT_EQ(run(Op::QShluImm, 0, true, 0, 0xff, 0, 0), (Result{0, kQc}));
}

TEST(SimdHelpers, Narrowing) {
  // Of a Q register: only its lower half is given, the upper is zero.
  EXPECT_EQ(run(Op::QMovUN, 0, false, 0, 0x0100'00ff'ffff'0001), (Result{0xffff0001, kQc}));
  EXPECT_EQ(run(Op::QMovN, 0, false, 0, 0xff80'ff7f'007f'0080), (Result{0x80807f7f, kQc}));
  EXPECT_EQ(run(Op::QRShrUN, 0, false, 0, 0x0000'0000'0000'0ff8, 0, 4), (Result{0xff, kQc}));
  EXPECT_EQ(run(Op::QRShrUN, 0, false, 0, 0x0000'0000'0000'0ff7, 0, 4), (Result{0xff, 0}));
  EXPECT_EQ(run(Op::RSubHN, 0, false, 0x0080, 0x0000).d, 1u);
}

TEST(SimdHelpers, PolynomialMultiply) {
  EXPECT_EQ(run(Op::MulPoly, 0, true, 0x03, 0x03).d, 0x05u);
  EXPECT_EQ(run(Op::MulLPoly, 0, true, 0xff, 0xff).d, 0x5555u);
}

TEST(SimdHelpers, CountLeading) {
  EXPECT_EQ(run(Op::Cls, 0, false, 0, 0xff'00'80'40'c0'3f'01'fe).d, 0x07'07'00'00'01'01'06'06u);
  EXPECT_EQ(run(Op::Clz, 1, false, 0, 0x0000'0001'8000'00ff).d, 0x0010'000f'0000'0008u);
}

TEST(SimdHelpers, TableLookup) {
  EXPECT_EQ(run(Op::Tbl, 0, true, 0x8877665544332211, 0x0008010700ff0603, 0, 1).d, 0x1100228811007744u);
  EXPECT_EQ(run(Op::Tbx, 0, true, 0x8877665544332211, 0x0008010700ff0603, 0xaaaaaaaaaaaaaaaa, 1).d,
            0x11aa228811aa7744u);
}

TEST(SimdHelpers, ReciprocalEstimates) {
  using enum arm::FpscrBit;
  // VRECPE of 1.0 and 2.0: the estimate of 1/x is 511/512 at x = 1 (a = 0.5, q = 256).
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x40000000'3f800000), (Result{0x3eff8000'3f7f8000, 0}));
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x7f800000'ff800000), (Result{0x00000000'80000000, 0}));
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x00000000'80000000), (Result{0x7f800000'ff800000, kFpscrDzc}));
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x00000001'3f800000), (Result{0x7f800000'3f7f8000, kFpscrDzc | kFpscrIdc}));
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x7e800000'3f800000), (Result{0x00000000'3f7f8000, kFpscrUfc}));
  EXPECT_EQ(run(Op::FRecpe, 2, false, 0, 0x7fa00000'ffc00001), (Result{0x7fc00000'7fc00000, kFpscrIoc}));
  // VRSQRTE of 1.0: a = 0.25, q = 128: 1/sqrt(128.5/512) = 1.9961 -> 511/256, so 511/512.
  EXPECT_EQ(run(Op::FRsqrte, 2, false, 0, 0x40800000'3f800000), (Result{0x3eff8000'3f7f8000, 0}));
  EXPECT_EQ(run(Op::FRsqrte, 2, false, 0, 0xbf800000'7f800000), (Result{0x7fc00000'00000000, kFpscrIoc}));
  EXPECT_EQ(run(Op::FRsqrte, 2, false, 0, 0x80000000'00000000), (Result{0xff800000'7f800000, kFpscrDzc}));
  EXPECT_EQ(run(Op::URecpe, 2, false, 0, 0x7fffffff'80000000), (Result{0xffffffff'ff800000, 0}));
  EXPECT_EQ(run(Op::URsqrte, 2, false, 0, 0x3fffffff'40000000), (Result{0xffffffff'ff800000, 0}));
}

TEST(SimdHelpers, ReciprocalSteps) {
  // Infinity times zero counts as zero: 2 and 1.5.
  EXPECT_EQ(run(Op::FRecps, 2, false, 0x7f800000'80000000, 0x00000000'ff800000), (Result{0x40000000'40000000, 0}));
  EXPECT_EQ(run(Op::FRsqrts, 2, false, 0x7f800000'80000000, 0x00000000'ff800000), (Result{0x3fc00000'3fc00000, 0}));
  // 2 - 1 * 1, (3 - 1 * 1) / 2.
  EXPECT_EQ(run(Op::FRecps, 2, false, 0x3f800000'3f800000, 0x3f800000'3f800000), (Result{0x3f800000'3f800000, 0}));
  EXPECT_EQ(run(Op::FRsqrts, 2, false, 0x3f800000'3f800000, 0x3f800000'3f800000), (Result{0x3f800000'3f800000, 0}));
}

TEST(SimdHelpers, FlushToZero) {
  using enum arm::FpscrBit;
  // A denormal operand is zero (IDC); a tiny result is zero with UFC, and no IXC.
  EXPECT_EQ(run(Op::FAdd, 2, false, 0x00000001'3f800000, 0x00000000'3f800000),
            (Result{0x00000000'40000000, kFpscrIdc}));
  EXPECT_EQ(run(Op::FMul, 2, false, 0x00800000'3f800000, 0x3f000000'3f800000),
            (Result{0x00000000'3f800000, kFpscrUfc}));
  // Tiny before rounding, although rounding would give the smallest normal number.
  EXPECT_EQ(run(Op::FMul, 2, false, 0x00ffffff'3f800000, 0x3f000000'3f800000),
            (Result{0x00000000'3f800000, kFpscrUfc}));
}

}  // namespace
}  // namespace crosswalk::helpers::simd
