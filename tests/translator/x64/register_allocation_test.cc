// SPDX-License-Identifier: GPL-2.0-or-later
// Which registers and slots values get, without emitters: the instructions of a block are walked,
// and each takes its operands as an emitter would.
#include <gtest/gtest.h>

#include <iterator>
#include <vector>

#include "translator/x64/guest_registers.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/live_values.h"
#include "translator/x64/register_allocator.h"

namespace crosswalk::x64 {
namespace {

using ir::Builder;
using ir::Value;

struct RegisterAllocation : ::testing::Test {
  // Precondition: the block is complete, and its uses are counted.
  struct Parts {
    explicit Parts(ir::Block& block) : values(code, block, carried, arena), registers(values, block, arena) {}
    Arena arena;
    Assembler code;
    const CarriedVectors carried{};
    LiveValues values;
    RegisterAllocator registers;
  };
  // Values that are used once more at the end.
  std::vector<Value> loads(unsigned count) {
    std::vector<Value> all;
    for (unsigned i = 0; i < count; i++) all.push_back(ir.LoadState32(4 * i));
    for (const Value v : all) ir.StoreState32(0, v);
    return all;
  }
  static Place::Kind kind(const LiveValues& values, Value v) { return values.of(v.index()).kind; }

  ir::Block block;
  Builder ir{block};
};

TEST_F(RegisterAllocation, AGuestRegisterIsUsedWhereItIs) {
  const Value r0 = ir.GetReg(0), sum = ir.Add(r0, Builder::Imm(1));
  ir.SetReg(1, sum);
  ir::count_uses(block);
  Parts p(block);
  p.values.begin(r0.index());
  p.registers.define_in(Place::guest_register(0));
  p.values.end();
  p.values.begin(sum.index());
  EXPECT_EQ(p.registers.use(File::General, r0), kPinned[0]);
  EXPECT_EQ(p.registers.define(File::General, false), kPinned[1]);  // where SetReg wants it
  p.values.end();
  EXPECT_EQ(p.code.getSize(), 0u);
  EXPECT_EQ(kind(p.values, r0), Place::Nowhere);  // not needed again
  EXPECT_EQ(kind(p.values, sum), Place::Pinned);
}

TEST_F(RegisterAllocation, AWriteMovesOutWhatWasReadBefore) {
  const Value r0 = ir.GetReg(0), r8 = ir.GetReg(8);
  ir.SetReg(0, Builder::Imm(5));
  ir.SetReg(1, r0);
  ir::count_uses(block);
  Parts p(block);
  GuestRegisters guest(p.code, block, p.values, p.registers, p.carried);
  p.values.begin(0);
  p.registers.define_in(Place::guest_register(0));
  p.values.end();
  p.values.begin(1);
  p.registers.define_in(Place::guest_register(8));
  p.values.end();
  EXPECT_EQ(kind(p.values, r8), Place::Nowhere);  // nobody wants it
  p.values.begin(2);
  guest.set(0, Builder::Imm(5));
  p.values.end();
  EXPECT_EQ(kind(p.values, r0), Place::Register);
}

TEST_F(RegisterAllocation, TheValueDefinedFirstGivesItsRegisterUp) {
  const std::vector<Value> all = loads(std::size(kTemps) + 1);
  ir::count_uses(block);
  Parts p(block);
  for (const Value v : all) {
    p.values.begin(v.index());
    p.registers.define(File::General, false);
    p.values.end();
  }
  EXPECT_EQ(kind(p.values, all[0]), Place::Slot);
  for (size_t i = 1; i < all.size(); i++) EXPECT_EQ(kind(p.values, all[i]), Place::Register);
  // It comes back for its use, in the place of the next.
  p.values.begin(static_cast<uint32_t>(all.size()));
  EXPECT_TRUE(p.registers.in_memory(all[0]));
  const int reg = p.registers.use(File::General, all[0]);
  EXPECT_TRUE(p.values.is_locked(File::General, reg));
  EXPECT_EQ(kind(p.values, all[1]), Place::Slot);
  p.values.end();
  EXPECT_FALSE(p.values.is_locked(File::General, reg));
  EXPECT_EQ(kind(p.values, all[0]), Place::Nowhere);
}

TEST_F(RegisterAllocation, PathsAgreeOnSlots) {
  const Value value = ir.LoadState32(0);
  ir.MemoryBarrier();  // in the place of a label
  ir.StoreState32(0, value);
  ir::count_uses(block);
  Parts p(block);
  p.values.begin(0);
  p.registers.define(File::General, false);
  p.values.end();
  p.values.begin(1);
  p.values.spill_for_merge();
  p.values.end();
  EXPECT_EQ(kind(p.values, value), Place::Slot);
  p.values.begin(2);
  p.registers.use(File::General, value);
  EXPECT_EQ(kind(p.values, value), Place::Slot);  // another path may need it there
}

}  // namespace
}  // namespace crosswalk::x64
