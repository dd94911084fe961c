// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of the alignment of addresses: from how they were computed, and from checks before.
#include "translator/x64/alignment.h"

#include <gtest/gtest.h>

namespace crosswalk::x64 {
namespace {

using ir::Builder;
using ir::Value;

struct Alignment : ::testing::Test {
  Value imm(uint32_t v) { return Builder::Imm(v); }
  ir::Block block;
  Builder ir{block};
  Arena arena;
  KnownAlignment known{block, arena};
};

TEST_F(Alignment, CheckedOnceForEachRegister) {
  const Value r1 = ir.GetReg(1), r2 = ir.GetReg(2);
  EXPECT_FALSE(known.check(r1, 0, 3));
  EXPECT_TRUE(known.check(r1, 0, 3));
  EXPECT_TRUE(known.check(r1, 8, 3));
  EXPECT_TRUE(known.check(r1, -4, 1));
  EXPECT_FALSE(known.check(r1, 2, 3));  // always faults
  EXPECT_FALSE(known.check(r1, 8, 7));
  EXPECT_FALSE(known.check(r2, 0, 3));
  known.forget();
  EXPECT_FALSE(known.check(r1, 0, 3));
}

TEST_F(Alignment, FollowsSums) {
  const Value r1 = ir.GetReg(1), r2 = ir.GetReg(2);
  EXPECT_FALSE(known.check(ir.Add(r1, ir.Lsl(2, r2)), 0, 3));
  EXPECT_TRUE(known.check(r1, 0, 3));
  EXPECT_TRUE(known.check(ir.Add(ir.Lsl(3, r2), r1), 4, 3));
  EXPECT_TRUE(known.check(ir.AddShifted(2, r1, r2), 0, 3));
  EXPECT_TRUE(known.check(ir.Sub(r1, ir.And(r2, imm(0xfc))), 0, 3));
  EXPECT_TRUE(known.check(ir.Sub(ir.Add(r1, imm(6)), imm(2)), 0, 3));
  EXPECT_FALSE(known.check(ir.Add(r1, imm(6)), 0, 3));
  EXPECT_FALSE(known.check(ir.AddShifted(1, r1, r2), 0, 3));
  EXPECT_FALSE(known.check(ir.Sub(ir.Lsl(2, r2), r1), 0, 3));
  EXPECT_FALSE(known.check(ir.Add(r1, r2), 0, 3));
}

TEST_F(Alignment, FollowsMasks) {
  const Value r1 = ir.GetReg(1);
  EXPECT_TRUE(known.check(ir.AndNot(r1, imm(3)), 4, 3));
  EXPECT_FALSE(known.check(ir.AndNot(r1, imm(3)), 2, 3));
  EXPECT_FALSE(known.check(ir.AndNot(r1, imm(1)), 0, 3));
  EXPECT_TRUE(known.check(ir.And(r1, imm(0xfffff000)), 16, 15));
  EXPECT_FALSE(known.check(r1, 0, 1));
  EXPECT_TRUE(known.check(ir.And(r1, imm(0xff)), 0, 1));
  EXPECT_TRUE(known.check(imm(0x1000), 4, 3));
  EXPECT_FALSE(known.check(imm(0x1001), 0, 3));
}

}  // namespace
}  // namespace crosswalk::x64
