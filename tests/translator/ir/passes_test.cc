// SPDX-License-Identifier: GPL-2.0-or-later
// What each pass promises (ir.h). That passes keep the meaning of any block is
// tests/translator/x64's.
#include <gtest/gtest.h>

#include <algorithm>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/ir/ir.h"

namespace crosswalk::test {
namespace {

using ir::Builder;
using ir::Opcode;
using ir::Value;

struct PassTest : ::testing::Test {
  ir::Block block;
  Builder b{block};
  void TearDown() override { EXPECT_EQ(ir::verify(block), "") << ir::print(block); }
  int count(Opcode op) const {
    return static_cast<int>(
        std::count_if(block.insts.begin(), block.insts.end(), [&](const ir::Inst& i) { return i.op == op; }));
  }
  const ir::Inst& only(Opcode op) const {
    EXPECT_EQ(count(op), 1) << ir::print(block);
    return *std::find_if(block.insts.begin(), block.insts.end(), [&](const ir::Inst& i) { return i.op == op; });
  }
  static uint64_t nothing(CpuState*, uint32_t, uint32_t, uint32_t) { return 0; }
};

TEST_F(PassTest, FoldConstants) {
  const Value x = b.Add(Builder::Imm(0xfffffffe), Builder::Imm(5));
  const Value y = b.Ror(4, b.Or(x, Builder::Imm(0x10)));
  b.SetReg(0, y);
  b.SetReg(1, b.Add(Builder::Imm(0), b.GetReg(2)));
  b.SetReg(3, b.Lsl(0, b.GetReg(4)));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(block.insts[0].args[0], Builder::Imm(0x30000001));
  EXPECT_EQ(count(Opcode::Add) + count(Opcode::Lsl) + count(Opcode::Or) + count(Opcode::Ror), 0) << ir::print(block);
}
// But for added constants, no pass looks into an address that moves with its block.
TEST_F(PassTest, FoldGuestAddresses) {
  const Value pc = b.GuestAddress(0x8008);
  b.SetReg(0, b.Sub(b.Add(pc, Builder::Imm(0x20)), Builder::Imm(8)));
  b.SetReg(1, b.And(pc, Builder::Imm(0xfffff000)));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  ASSERT_EQ(count(Opcode::GuestAddress), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::Add) + count(Opcode::Sub), 0);
  EXPECT_EQ(block.insts[1].imm, 0x8020u);
  EXPECT_EQ(only(Opcode::And).args[0], Value::inst(0));
}
TEST_F(PassTest, ForwardRegisters) {
  const Value x = b.Add(b.GetReg(0), Builder::Imm(1));
  b.SetReg(0, x);
  b.SetReg(1, b.GetReg(0));
  b.SetReg(2, b.GetReg(1));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::GetReg), 1) << ir::print(block);
}
// What a skipped SetReg wrote is not what a register holds after the label; a call may change any
// register.
TEST_F(PassTest, ForwardRegistersForgets) {
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.SetReg(0, Builder::Imm(1));
  b.Label(label);
  b.SetReg(1, b.GetReg(0));
  b.SetReg(2, Builder::Imm(2));
  b.call(&PassTest::nothing, ir::kCallPlain);
  b.SetReg(3, b.GetReg(2));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::GetReg), 2) << ir::print(block);
}
TEST_F(PassTest, ForwardRegistersKeepsAcrossCallsThatDoNotSeeThem) {
  b.SetReg(2, Builder::Imm(2));
  b.call(&PassTest::nothing, ir::kCallNoRegs | ir::kCallNoFlags);
  b.SetReg(3, b.GetReg(2));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::GetReg), 0) << ir::print(block);
}
// GE from one instruction to the next; of two writes without a way out between them the first is
// dead.
TEST_F(PassTest, ForwardsGe) {
  const Value a = b.GetReg(0), one = b.GetReg(1);
  b.SetGe(b.ParallelGe(0, a, one));
  b.SetReg(2, b.And(b.GetGe(), a));
  b.SetGe(b.ParallelGe(0, one, a));
  b.SetReg(3, b.And(b.GetGe(), a));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::GetGe), 0) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetGe), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::ParallelGe), 2) << ir::print(block);
}
// A register that is written again before anything can see it: strlen's UADD8 and SEL.
TEST_F(PassTest, DeadWritesOfRegisters) {
  const Value a = b.GetReg(0), one = b.GetReg(1);
  b.SetGe(b.ParallelGe(0, a, one));
  b.SetReg(0, b.Parallel(0, a, one));
  b.SetReg(0, b.And(b.GetGe(), one));
  b.SetReg(2, b.GetReg(0));
  b.SetReg(0, a);
  b.Jump(0);
  for (const ir::Pass& pass : ir::passes()) {
    pass.run(block);
    ASSERT_EQ(ir::verify(block), "") << pass.name;
  }
  EXPECT_EQ(count(Opcode::Parallel), 0) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetReg), 2) << ir::print(block);
}
TEST_F(PassTest, DeadWritesOfVectors) {
  const Value s1 = b.GetS(1), s2 = b.GetS(2), a = b.GetReg(0);
  b.SetS(0, s1);         // dead: D0 is written
  b.SetD(1, b.GetD(4));  // half of it is read as S3 below
  b.SetQ(2, b.GetQ(3));  // seen at the fault
  b.SetS(0, b.FpAdd32(s1, s2));
  b.SetD(0, b.GetD(5));
  b.Load(ir::MemAccess{}.pack(), a);  // may fault
  b.SetS(16, b.GetS(3));
  b.SetS(16, s2);  // the first of two
  b.SetQ(2, b.GetQ(6));
  b.Jump(0);
  for (const ir::Pass& pass : ir::passes()) {
    pass.run(block);
    ASSERT_EQ(ir::verify(block), "") << pass.name;
  }
  EXPECT_EQ(count(Opcode::SetS), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetD), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetQ), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::FpAdd32), 1) << ir::print(block);  // it may set flags of FPSCR
}
TEST_F(PassTest, WritesOfRegistersThatAreSeen) {
  const Value a = b.GetReg(0);
  b.SetReg(1, Builder::Imm(1));
  b.Load(ir::MemAccess{}.pack(), a);  // may fault
  b.SetReg(1, Builder::Imm(2));
  b.call(&PassTest::nothing, ir::kCallPlain);
  b.SetReg(1, Builder::Imm(3));
  b.jump_if(0, 0x100);
  b.SetReg(1, Builder::Imm(4));
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.SetReg(1, Builder::Imm(5));
  b.Label(label);
  b.SetReg(2, b.GetReg(1));
  b.SetReg(1, Builder::Imm(6));
  b.Jump(0);
  for (const ir::Pass& pass : ir::passes()) pass.run(block);
  EXPECT_EQ(count(Opcode::SetReg), 7) << ir::print(block);
}
TEST_F(PassTest, GeIsLiveAtFaultsSkipsAndCalls) {
  const Value a = b.GetReg(0);
  b.SetGe(b.ParallelGe(0, a, Builder::Imm(1)));
  b.Load(ir::MemAccess{}.pack(), a);
  b.SetGe(b.ParallelGe(0, a, Builder::Imm(2)));
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.SetGe(b.ParallelGe(0, a, Builder::Imm(3)));
  b.Label(label);
  b.SetReg(2, b.GetGe());
  b.SetGe(b.ParallelGe(0, a, Builder::Imm(4)));
  b.call(&PassTest::nothing, ir::kCallPlain);
  b.SetReg(3, b.GetGe());
  b.SetGe(b.ParallelGe(0, a, Builder::Imm(5)));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::GetGe), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetGe), 5) << ir::print(block);
}
TEST_F(PassTest, FoldShifts) {
  const Value base = b.GetReg(0), index = b.GetReg(1);
  b.SetReg(2, b.Add(base, b.Lsl(2, index)));
  b.SetReg(3, b.Add(b.Lsl(1, index), Builder::Imm(7)));
  b.SetReg(4, b.Add(base, b.Lsl(4, index)));
  b.Jump(0);
  ir::forward(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::AddShifted), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::Add), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::Lsl), 1) << "x86 scales by 8 at most\n" << ir::print(block);
  EXPECT_EQ(ir::verify(block), "");
}
TEST_F(PassTest, FoldAddresses) {
  const Value base = b.GetReg(0);
  const Value v = b.Load(ir::MemAccess{}.pack(), b.Sub(b.Add(base, Builder::Imm(12)), Builder::Imm(4)));
  b.Store(ir::MemAccess{}.pack(), b.Add(base, Builder::Imm(4096)), v);
  b.Jump(0);
  ir::forward(block, 4095);
  ir::remove_dead(block);
  const ir::Inst& load = only(Opcode::Load);
  EXPECT_EQ(load.aux, 8u);
  EXPECT_EQ(load.args[0], base);
  const ir::Inst& store = only(Opcode::Store);
  EXPECT_EQ(store.aux, 0u) << "beyond the limit";
  EXPECT_EQ(count(Opcode::Add), 1);
}
TEST_F(PassTest, FoldAddressesDownwards) {
  const Value base = b.GetReg(0);
  b.Load(ir::MemAccess{}.pack(), b.Sub(base, Builder::Imm(8)));
  b.Jump(0);
  ir::forward(block, 4095);
  EXPECT_EQ(static_cast<int32_t>(only(Opcode::Load).aux), -8);
}
// What shares a lookup: imm of the only HostSpan.
struct ShareLookups : PassTest {
  ir::SpanCheck check() const { return ir::SpanCheck::unpack(only(Opcode::HostSpan).imm); }
  Value load(Value base, uint32_t displacement, uint8_t align_log2 = 0) {
    ir::MemAccess m;
    m.align_log2 = align_log2;
    return b.Load(m.pack(), b.Add(base, Builder::Imm(displacement)));
  }
  void store(Value base, uint32_t displacement) {
    b.Store(ir::MemAccess{}.pack(), b.Add(base, Builder::Imm(displacement)), Builder::Imm(1));
  }
  void next_guest() {
    block.guest.push_back({0x8000 + 4 * static_cast<uint32_t>(block.guest.size()), 0, 0, 4});
    b.guest = static_cast<uint16_t>(block.guest.size() - 1);
  }
  void share() {
    b.Jump(0);
    ir::forward(block, 4095);
    ir::share_lookups(block);
    ir::remove_dead(block);
  }
};
TEST_F(ShareLookups, OfOneBase) {
  const Value base = b.GetReg(0);
  b.SetReg(1, load(base, 8, 2));
  b.SetReg(2, load(base, 0xfffffffc));
  b.SetReg(3, load(base, 4));
  share();
  const ir::Inst& span = only(Opcode::HostSpan);
  EXPECT_EQ(span.args[0], base);
  EXPECT_EQ(static_cast<int32_t>(span.aux), -4);
  EXPECT_EQ(check().bytes, 16);
  EXPECT_EQ(check().align_log2, 2);
  EXPECT_FALSE(check().store);
  EXPECT_EQ(count(Opcode::HostLoad), 3);
  EXPECT_EQ(count(Opcode::Load), 0);
  EXPECT_EQ(block.insts[2].aux, 12u) << ir::print(block);
}
TEST_F(ShareLookups, OfConstantsInOnePage) {
  b.SetReg(1, b.Load(ir::MemAccess{}.pack(), Builder::Imm(0x12345ff8)));
  b.SetReg(2, b.Load(ir::MemAccess{}.pack(), Builder::Imm(0x12345ffc)));
  b.SetReg(3, b.Load(ir::MemAccess{}.pack(), Builder::Imm(0x12345ffe)));  // in two pages
  b.SetReg(4, b.Load(ir::MemAccess{}.pack(), Builder::Imm(0x12346004)));
  share();
  EXPECT_EQ(only(Opcode::HostSpan).args[0], Builder::Imm(0x12345000));
  EXPECT_EQ(only(Opcode::HostSpan).aux, 0xff8u);
  EXPECT_EQ(count(Opcode::HostLoad), 2);
  EXPECT_EQ(count(Opcode::Load), 2);
}
TEST_F(ShareLookups, NotAcrossWhatChangesAddresses) {
  for (int n = 0; n < 4; n++) {
    block = {};
    next_guest();
    const Value base = b.GetReg(0);
    b.SetReg(1, load(base, 0));
    next_guest();
    switch (n) {
      case 0: b.call(&PassTest::nothing, ir::kCallNoFlags | ir::kCallNoRegs); break;
      case 1: b.SynchronizationBarrier(); break;
      case 2: b.MemoryBarrier(); break;
      default: b.jump_if(0, 0x9000); break;
    }
    b.SetReg(2, load(base, 4));
    share();
    EXPECT_EQ(count(Opcode::HostSpan), n >= 2) << n << "\n" << ir::print(block);
  }
}
// What is skipped, and what is behind it, has the lookup from before the skip.
TEST_F(ShareLookups, AcrossSkips) {
  enum Case { LoadSkipped, LoadBehind, StoreBehind, RegisterWritten, StoreSkipped, Call };
  for (const Case c : {LoadSkipped, LoadBehind, StoreBehind, RegisterWritten, StoreSkipped, Call}) {
    block = {};
    next_guest();
    b.SetReg(1, load(b.GetReg(0), 0));
    next_guest();
    const uint32_t label = b.new_label();
    b.skip_unless(8, label);
    switch (c) {
      case LoadSkipped: b.SetReg(2, load(b.GetReg(0), 4)); break;
      case RegisterWritten: b.SetReg(0, b.GetReg(3)); break;
      case StoreSkipped: store(b.GetReg(0), 4); break;
      case Call: b.call(&PassTest::nothing, ir::kCallNoFlags | ir::kCallNoRegs); break;
      default: break;
    }
    b.Label(label);
    next_guest();
    if (c == LoadBehind || c == RegisterWritten || c == Call) b.SetReg(2, load(b.GetReg(0), 8));
    if (c == StoreBehind) store(b.GetReg(0), 8);
    share();
    const bool shared = c <= StoreBehind;
    EXPECT_EQ(count(Opcode::HostSpan), shared) << c << "\n" << ir::print(block);
    if (shared) {
      EXPECT_EQ(check().store, c == StoreBehind) << c;
    }
  }
}
// One that was made in what is skipped is not there behind it, but for others there.
TEST_F(ShareLookups, MadeInWhatIsSkipped) {
  next_guest();
  const uint32_t label = b.new_label();
  b.skip_unless(8, label);
  next_guest();
  b.SetReg(1, load(b.GetReg(0), 0));
  store(b.GetReg(0), 4);
  b.Label(label);
  next_guest();
  b.SetReg(2, load(b.GetReg(0), 8));
  share();
  EXPECT_EQ(count(Opcode::HostLoad), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::HostStore), 1) << "it is executed where the load is";
  EXPECT_EQ(count(Opcode::Load), 1);
}
// Addresses that are computed twice are the same.
TEST_F(ShareLookups, OfTheSameSum) {
  for (const bool written : {false, true}) {
    block = {};
    next_guest();
    b.SetReg(1, load(b.Add(b.GetReg(0), b.GetReg(3)), 0));
    if (written) b.SetReg(3, b.GetReg(1));
    next_guest();
    b.SetReg(2, load(b.Add(b.GetReg(0), b.GetReg(3)), 4));
    share();
    EXPECT_EQ(count(Opcode::HostSpan), !written) << ir::print(block);
  }
}
// The block is left before a guest instruction: it must have done nothing.
TEST_F(ShareLookups, NotInTheMiddleOfAnInstruction) {
  next_guest();
  const Value base = b.GetReg(0);
  b.SetReg(1, Builder::Imm(0));
  b.SetReg(2, load(base, 0));
  b.SetReg(3, load(base, 4));
  share();
  EXPECT_EQ(count(Opcode::HostSpan), 0) << ir::print(block);
}
TEST_F(ShareLookups, AfterACheckOfTheInstruction) {
  for (const bool leaves : {true, false}) {
    block = {};
    next_guest();
    const Value base = b.GetReg(0);
    const uint32_t label = b.new_label();
    b.skip_if_zero(b.GetReg(1), label);
    b.call(&PassTest::nothing, ir::kCallPlain);
    if (leaves) b.ExitException();
    b.Label(label);
    b.SetReg(2, load(base, 0));
    b.SetReg(3, load(base, 4));
    share();
    EXPECT_EQ(count(Opcode::HostSpan), leaves) << ir::print(block);
  }
}
TEST_F(ShareLookups, NotFromAnItBlock) {
  next_guest();
  block.guest[0].it = 0x08;
  const Value base = b.GetReg(0);
  b.SetReg(2, load(base, 0));
  b.SetReg(3, load(base, 4));
  share();
  EXPECT_EQ(count(Opcode::HostSpan), 0) << ir::print(block);
}
TEST_F(ShareLookups, NotTooFar) {
  const Value base = b.GetReg(0);
  b.SetReg(1, load(base, 0));
  b.SetReg(2, load(base, ir::kMaxSpan - 3));
  share();
  EXPECT_EQ(count(Opcode::HostSpan), 0) << ir::print(block);
}
// Store access is not asked for where the store may not be executed.
TEST_F(ShareLookups, StoresBehindABranch) {
  for (const bool branch : {false, true}) {
    block = {};
    next_guest();
    const Value base = b.GetReg(0);
    b.SetReg(1, load(base, 0));
    b.SetReg(2, load(base, 4));
    next_guest();
    if (branch) b.jump_if(0, 0x9000);
    next_guest();
    store(base, 8);
    share();
    EXPECT_EQ(count(Opcode::HostLoad), 2);
    EXPECT_EQ(count(Opcode::HostStore), !branch) << ir::print(block);
    EXPECT_EQ(check().store, !branch);
  }
}
// A store elsewhere may be a command to flash that the loads are from; one of another group is to
// RAM.
TEST_F(ShareLookups, StoresElsewhere) {
  for (const bool one : {false, true}) {
    block = {};
    next_guest();
    const Value base = b.GetReg(0), other = b.GetReg(1);
    b.SetReg(2, load(base, 0));
    for (uint32_t n = 0; n < 2; n++) {
      next_guest();
      store(other, 4 * n);
      if (one) break;
    }
    next_guest();
    b.SetReg(3, load(base, 4));
    share();
    EXPECT_EQ(count(Opcode::HostLoad), one ? 0 : 2) << ir::print(block);
    EXPECT_EQ(count(Opcode::HostStore), one ? 0 : 2);
  }
}
// What follows the store begins in the middle of a word, so that the last is not aligned by that.
TEST_F(ShareLookups, AlignmentBehindAStoreElsewhere) {
  next_guest();
  const Value base = b.GetReg(0);
  b.SetReg(2, load(base, 0));
  next_guest();
  store(b.GetReg(1), 0);
  next_guest();
  b.SetReg(3, load(base, 2));
  next_guest();
  b.SetReg(4, load(base, 4, 2));
  share();
  EXPECT_EQ(count(Opcode::HostSpan), 0) << ir::print(block);
}
TEST_F(ShareLookups, NotOfThoseOutOfLine) {
  next_guest();
  const Value base = b.GetReg(0);
  load(base, 0);
  next_guest();
  load(base, 4);
  ir::set_out_of_line(block, 0);
  share();
  EXPECT_EQ(count(Opcode::HostSpan), 0) << ir::print(block);
}

TEST_F(PassTest, FlagLiveness) {
  b.AddS(b.GetReg(0), b.GetReg(1));      // all overwritten before anyone reads
  b.SubS(b.GetReg(0), Builder::Imm(3));  // C and V live: SetNZ follows
  b.SetNZ(b.GetReg(2));
  b.Jump(0);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::AddS), 0);
  EXPECT_EQ(only(Opcode::SubS).flags_live & 7, 6);
  EXPECT_EQ(only(Opcode::SetNZ).flags_live & 7, 1);
}
// A compare under a condition, by guest instructions of their own, and a jump.
struct ThreadSkips : PassTest {
  void next_guest() {
    block.guest.push_back({0x8000 + 4 * static_cast<uint32_t>(block.guest.size()), 0, 0, 4});
    b.guest = static_cast<uint16_t>(block.guest.size() - 1);
  }
  void compare_unless_skipped(uint32_t condition) {
    next_guest();
    const uint32_t label = b.new_label();
    b.skip_unless(condition, label);
    b.SubS(b.GetReg(2), b.GetReg(3));
    b.Label(label);
  }
  void jump_and_leave(uint32_t condition) {
    next_guest();
    b.jump_if(condition, 0x9000);
    b.Jump(0xa000);
  }
};
TEST_F(ThreadSkips, ToAJumpThatIsTaken) {
  compare_unless_skipped(0);
  jump_and_leave(1);
  ir::thread_skips(block);
  EXPECT_EQ(count(Opcode::SkipUnless) + count(Opcode::Label), 0) << ir::print(block);
  EXPECT_EQ(count(Opcode::JumpIf), 2);
  EXPECT_EQ(block.insts[0].imm, 1u);
  EXPECT_EQ(block.insts[0].aux, 0x9000u);
  EXPECT_EQ(block.insts[0].guest, 1) << "it counts as the guest's jump";
}
TEST_F(ThreadSkips, OfOneConditionAfterTheOther) {
  compare_unless_skipped(0);
  compare_unless_skipped(0);
  jump_and_leave(1);
  ir::thread_skips(block);
  EXPECT_EQ(count(Opcode::SkipUnless), 0) << ir::print(block);
  EXPECT_EQ(count(Opcode::JumpIf), 3);
}
TEST_F(ThreadSkips, OfConditionsThatFollow) {
  compare_unless_skipped(10);  // GE
  jump_and_leave(13);          // LE, of which LT is a part
  ir::thread_skips(block);
  EXPECT_EQ(block.insts[0].op, Opcode::JumpIf) << ir::print(block);
  EXPECT_EQ(block.insts[0].imm, 11u);
}
TEST_F(ThreadSkips, BehindAJumpThatIsNotTaken) {
  compare_unless_skipped(0);
  jump_and_leave(0);
  ir::thread_skips(block);
  EXPECT_EQ(count(Opcode::SkipUnless), 1) << ir::print(block);
  ASSERT_GE(block.insts.size(), 3u);
  EXPECT_EQ(block.insts[block.insts.size() - 3].op, Opcode::JumpIf);
  EXPECT_EQ(block.insts[block.insts.size() - 2].op, Opcode::Label);
}
TEST_F(ThreadSkips, NotWhereTheConditionsHaveNothingToDoWithEachOther) {
  compare_unless_skipped(0);
  jump_and_leave(2);
  ir::thread_skips(block);
  EXPECT_EQ(block.insts[0].op, Opcode::SkipUnless);
  EXPECT_EQ(block.insts[block.insts.size() - 3].op, Opcode::Label) << ir::print(block);
}
TEST_F(ThreadSkips, ToABranchThatIsASkip) {
  for (const uint32_t unless : {0, 1}) {
    block = {};
    compare_unless_skipped(0);
    next_guest();
    const uint32_t target = b.new_label();
    b.skip_unless(unless | ir::kBranch, target);
    b.SetReg(1, b.GetReg(2));
    next_guest();
    b.Label(target);
    b.Jump(0xa000);
    ir::thread_skips(block);
    EXPECT_EQ(count(Opcode::Label), unless == 0 ? 1 : 2) << ir::print(block);
    EXPECT_EQ(block.insts[0].aux, unless == 0 ? target : 0);
    EXPECT_EQ(block.insts[0].guest, unless == 0 ? 1 : 0);
    EXPECT_EQ(ir::verify(block), "");
  }
}
// The compiler puts other instructions between.
TEST_F(ThreadSkips, OverOtherInstructions) {
  for (const uint32_t overwritten : {2, 4}) {  // by what is between; the compare reads R2
    block = {};
    compare_unless_skipped(0);
    next_guest();
    const Value sum = b.Add(b.GetReg(5), Builder::Imm(1));
    b.SetReg(overwritten, sum);
    next_guest();
    b.jump_if(1, 0x9000);
    b.SetReg(6, sum);
    b.Jump(0xa000);
    ir::thread_skips(block);
    EXPECT_EQ(ir::verify(block), "");
    EXPECT_EQ(count(Opcode::SkipUnless), overwritten == 2 ? 1 : 0) << ir::print(block);
    if (overwritten == 2) continue;
    EXPECT_EQ(block.insts[3].op, Opcode::JumpIf);
    EXPECT_EQ(block.insts[3].guest, 2);
    const ir::Inst& last = block.insts[block.insts.size() - 2];
    EXPECT_EQ(block.insts[last.args[0].index()].op, Opcode::Add) << ir::print(block);
  }
}
// A fault would have counted the instructions up to the jump.
TEST_F(ThreadSkips, NotOverAnAccess) {
  next_guest();
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.Load(ir::MemAccess{}.pack(), b.GetReg(0));
  b.Label(label);
  jump_and_leave(1);
  ir::thread_skips(block);
  EXPECT_EQ(count(Opcode::SkipUnless), 1) << ir::print(block);
}
// The jump ahead stores the flags where it is taken; what goes on here overwrites them.
TEST_F(PassTest, FuseCompareWithAJumpAhead) {
  block.end_pc = 0x100;
  b.SubS(b.GetReg(0), b.GetReg(1));
  b.SetReg(2, Builder::Imm(1));
  b.jump_if(1, 0x200);
  b.SubS(b.GetReg(3), Builder::Imm(4));
  b.Jump(0);
  ir::fuse_compares(block);
  ir::remove_dead(block);
  EXPECT_EQ(only(Opcode::JumpIfCompare).imm, 1u);
  EXPECT_EQ(only(Opcode::JumpIfCompare).flags_live & 7, 0);
  EXPECT_EQ(only(Opcode::SubS).args[1], Builder::Imm(4));
}
TEST_F(PassTest, FuseCompareNotWhereAnOperandChanges) {
  block.end_pc = 0x100;
  b.SubS(b.GetReg(0), b.GetReg(1));
  b.SetReg(1, Builder::Imm(1));
  b.jump_if(1, 0x200);
  b.SetReg(4, b.SubS(b.GetReg(3), b.GetReg(4)));
  b.jump_if(1, 0x200);
  b.SubS(b.GetReg(5), b.GetReg(6));
  b.SetC(Builder::Imm(1));  // the jump reads another C
  b.jump_if(2, 0x200);
  b.Jump(0);
  ir::fuse_compares(block);
  EXPECT_EQ(count(Opcode::JumpIfCompare), 0);
}
// Over what does nothing to flags; the result of the subtraction is used, so that it stays.
TEST_F(PassTest, FuseCompareOverOtherInstructions) {
  block.end_pc = 0x100;
  b.SubS(b.GetReg(0), b.GetReg(1));
  b.SetReg(2, b.Add(b.GetReg(2), Builder::Imm(1)));
  b.jump_if(1, 0x200);
  b.SetReg(4, b.SubS(b.GetReg(4), Builder::Imm(4)));
  b.jump_if(1, 0x200);
  b.SubS(b.GetReg(0), b.GetReg(1));
  b.Load(ir::MemAccess{}.pack(), b.GetReg(2));  // may fault
  b.jump_if(1, 0x200);
  b.SetReg(4, b.SubS(b.GetReg(4), Builder::Imm(4)));
  b.SetReg(2, b.Mul(b.GetReg(2), b.GetReg(2)));  // EFLAGS are lost
  b.jump_if(1, 0x200);
  b.Jump(0);
  ir::fuse_compares(block);
  ir::use_eflags(block);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::JumpIfCompare), 2) << ir::print(block);
  EXPECT_EQ(count(Opcode::SubS), 3);
  const auto second = std::ranges::find_if(
      block.insts, [](const ir::Inst& i) { return i.op == Opcode::JumpIfCompare && (i.imm & ir::kOfDifference); });
  ASSERT_NE(second, block.insts.end());
  const ir::Inst& difference = block.insts[second->args[0].index()];
  EXPECT_EQ(difference.op, Opcode::SubS);
  EXPECT_EQ(difference.flags_live, ir::kEflags) << "nothing is stored but where it leaves";
}
// Flags that the block has set before may be read.
TEST_F(PassTest, FuseCompareOfALoopThatReadsItsFlags) {
  for (const uint32_t condition : {1, 6}) {  // NE; VS, which TST does not set
    block = {};
    block.end_pc = 0x100;
    b.SetNZ(b.And(b.GetReg(0), Builder::Imm(1)));
    b.SetC(Builder::Imm(0));
    const uint32_t label = b.new_label();
    b.skip_unless(condition, label);
    b.SetReg(1, b.Add(b.GetReg(1), Builder::Imm(1)));
    b.Label(label);
    b.SetReg(3, b.AddS(b.GetReg(3), Builder::Imm(1)));
    b.SubS(b.GetReg(0), b.GetReg(1));
    b.jump_if(1, 0);
    b.Jump(0x300);
    ir::fuse_compares(block);
    EXPECT_EQ(count(Opcode::JumpIfCompare), condition == 1) << ir::print(block);
  }
}
// What is skipped may not have been executed.
TEST_F(PassTest, FuseCompareOfALoopThatSetsFlagsUnderACondition) {
  block.end_pc = 0x100;
  const uint32_t label = b.new_label();
  b.skip_if_zero(b.GetReg(1), label);
  b.AddS(b.GetReg(3), Builder::Imm(1));
  b.Label(label);
  b.Load(ir::MemAccess{}.pack(), b.GetReg(2));
  b.SubS(b.GetReg(0), b.GetReg(1));
  b.jump_if(1, 0);
  b.Jump(0x300);
  ir::fuse_compares(block);
  EXPECT_EQ(count(Opcode::JumpIfCompare), 0) << ir::print(block);
}
// TST and a skip: nothing else reads the flags before they are set again.
TEST_F(PassTest, FlagsThatAreReadFromEflags) {
  b.SetNZ(b.And(b.GetReg(0), Builder::Imm(1)));
  b.SetC(Builder::Imm(0));
  const uint32_t label = b.new_label();
  b.skip_unless(1, label);
  b.SetReg(1, b.Add(b.GetReg(1), Builder::Imm(1)));
  b.Label(label);
  b.SetReg(3, b.AddS(b.GetReg(3), Builder::Imm(1)));
  b.SetReg(4, b.Adc(b.GetReg(4), Builder::Imm(0)));
  b.SubS(b.GetReg(4), b.GetReg(5));
  b.Jump(0x300);
  ir::use_eflags(block);
  ir::remove_dead(block);
  EXPECT_EQ(only(Opcode::SetNZ).flags_live, ir::kEflags) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetC), 0);
  EXPECT_TRUE(only(Opcode::SkipUnless).from_eflags);
  EXPECT_EQ(only(Opcode::AddS).flags_live, ir::kEflags);
  EXPECT_TRUE(only(Opcode::Adc).from_eflags);
  EXPECT_EQ(only(Opcode::SubS).flags_live, 7);
}
// Of a comparison of floating-point numbers, too, as long as they are its own.
TEST_F(PassTest, FlagsOfAnFpComparisonFromEflags) {
  for (const bool lost : {false, true}) {
    block = {};
    const Value relation = b.FpCompare64(1, b.GetD(0), b.GetD(1));
    b.FpSetNzcv(relation);
    if (lost) b.SetReg(3, b.Mul(b.GetReg(3), b.GetReg(4)));
    b.SetNZCV(relation);
    b.SetReg(0, b.Select(12, b.GetReg(0), b.GetReg(1)));
    b.SubS(b.GetReg(4), b.GetReg(5));
    b.Jump(0x300);
    ir::use_eflags(block);
    ir::remove_dead(block);
    EXPECT_EQ(only(Opcode::SetNZCV).flags_live, lost ? 5 : ir::kEflags) << ir::print(block);
  }
}
TEST_F(PassTest, FlagsThatAreNotInEflags) {
  b.SetReg(3, b.AddS(b.GetReg(3), Builder::Imm(1)));
  b.SetReg(4, b.Select(8, b.GetReg(4), b.GetReg(5)));  // HI after ADDS is no single condition
  b.SetReg(3, b.SubS(b.GetReg(3), Builder::Imm(1)));
  b.SetReg(5, b.Mul(b.GetReg(5), b.GetReg(5)));
  b.SetReg(4, b.Select(0, b.GetReg(4), b.GetReg(5)));
  b.SetReg(3, b.AddS(b.GetReg(3), Builder::Imm(1)));
  b.SetC(Builder::Imm(1));
  b.SetReg(4, b.Adc(b.GetReg(4), b.GetReg(5)));
  b.SetNZCV(Builder::Imm(3));
  b.Jump(0x300);
  ir::use_eflags(block);
  for (const ir::Inst& inst : block.insts) EXPECT_FALSE(inst.from_eflags) << ir::print(block);
}
// An addition is made without a change of EFLAGS where that helps.
TEST_F(PassTest, AdditionsThatKeepEflags) {
  b.SubS(b.GetReg(4), b.GetReg(5));
  b.SetReg(3, b.Add(b.GetReg(3), b.GetReg(4)));
  b.SetReg(2, b.Sub(b.GetReg(2), Builder::Imm(4)));
  b.SetReg(5, b.Select(8, b.GetReg(4), b.GetReg(5)));
  b.SetReg(1, b.Add(b.GetReg(1), Builder::Imm(1)));
  b.SubS(b.GetReg(4), b.GetReg(5));
  b.Jump(0x300);
  ir::use_eflags(block);
  EXPECT_TRUE(only(Opcode::Select).from_eflags) << ir::print(block);
  EXPECT_TRUE(only(Opcode::Sub).keep_eflags);
  int keep = 0;
  for (const ir::Inst& inst : block.insts) keep += inst.op == Opcode::Add && inst.keep_eflags;
  EXPECT_EQ(keep, 1) << "none reads them behind the second";
}
// EFLAGS behind a label are what they are on both ways there.
TEST_F(PassTest, FlagsBehindALabel) {
  enum Between { Nothing, Keeps, Changes, SetsOthers, SetsC };
  for (const Between between : {Nothing, Keeps, Changes, SetsOthers, SetsC}) {
    block = {};
    b.SubS(b.GetReg(4), b.GetReg(5));
    const uint32_t label = b.new_label();
    b.skip_unless(10, label);
    switch (between) {
      case Nothing: break;
      case Keeps: b.SetReg(3, b.Add(b.GetReg(3), Builder::Imm(1))); break;
      case Changes: b.SetReg(3, b.Mul(b.GetReg(3), b.GetReg(4))); break;
      case SetsOthers: b.AddS(b.GetReg(3), b.GetReg(4)); break;
      case SetsC: b.SetC(Builder::Imm(1)); break;
    }
    b.Label(label);
    b.SetReg(0, b.Select(11, b.GetReg(0), b.GetReg(1)));  // LT
    b.Jump(0x300);
    ir::use_eflags(block);
    EXPECT_EQ(only(Opcode::Select).from_eflags, between == Nothing || between == Keeps) << between;
  }
}
TEST_F(PassTest, ZeroBehindALabel) {
  b.SubS(b.GetReg(4), b.GetReg(5));
  const uint32_t label = b.new_label();
  b.skip_unless(10, label);
  b.AddS(b.GetReg(3), b.GetReg(4));
  b.Label(label);
  b.SetReg(0, b.Select(1, b.GetReg(0), b.GetReg(1)));
  b.Jump(0x300);
  ir::use_eflags(block);
  EXPECT_TRUE(only(Opcode::Select).from_eflags) << "N and Z are in the same places after either";
}
// STRHI; AND; STRLS; MOVHI, whose EFLAGS are lost in between.
TEST_F(PassTest, ConditionsThatAreShared) {
  b.SubS(b.GetReg(6), b.GetReg(1));
  for (const uint32_t condition : {8u, 9u, 8u}) {
    const uint32_t label = b.new_label();
    b.skip_unless(condition, label);
    b.Store(ir::MemAccess{}.pack(), b.GetReg(4), b.GetReg(condition));
    b.Label(label);
    b.SetReg(3, b.Mul(b.GetReg(3), b.GetReg(6)));
  }
  b.SubS(b.GetReg(6), b.GetReg(1));
  b.Jump(0x300);
  ir::use_eflags(block);
  ASSERT_EQ(ir::verify(block), "") << ir::print(block);
  // The first finds EFLAGS, and a store has changed them for the others.
  const ir::Inst& test = only(Opcode::TestCond);
  EXPECT_EQ(test.imm, 8u);
  EXPECT_TRUE(test.from_eflags);
  EXPECT_TRUE(only(Opcode::SkipUnless).from_eflags);
  EXPECT_EQ(count(Opcode::SkipIfNotZero), 1) << "of LS";
  EXPECT_EQ(count(Opcode::SkipIfZero), 1) << "of HI";
  EXPECT_EQ(&block.insts[only(Opcode::SkipIfZero).args[0].index()], &test);
}
TEST_F(PassTest, ConditionsThatAreNotShared) {
  enum Case { One, OneFlag, SetBetween, MadeInASkip };
  for (const Case c : {One, OneFlag, SetBetween, MadeInASkip}) {
    block = {};
    const uint32_t outer = b.new_label();
    if (c == MadeInASkip) b.skip_if_zero(b.GetReg(7), outer);
    b.SubS(b.GetReg(6), b.GetReg(1));
    b.SetReg(3, b.Mul(b.GetReg(3), b.GetReg(6)));
    if (c == MadeInASkip) b.Label(outer);
    for (int n = 0; n < (c == One ? 1 : 2); n++) {
      const uint32_t label = b.new_label();
      b.skip_unless(c == OneFlag ? 2 : 8, label);
      b.SetReg(4, b.Mul(b.GetReg(3), b.GetReg(6)));
      if (c == SetBetween) b.SetC(b.GetReg(2));
      b.Label(label);
    }
    b.Jump(0x300);
    ir::use_eflags(block);
    EXPECT_EQ(count(Opcode::TestCond), 0) << c << "\n" << ir::print(block);
  }
}
// STRHI; STRLS: where the first is skipped, the second is not.
TEST_F(PassTest, SkipPastASkip) {
  for (const uint32_t second : {9u, 8u, 2u}) {
    block = {};
    const uint32_t one = b.new_label(), two = b.new_label();
    b.skip_unless(8, one);
    b.Store(ir::MemAccess{}.pack(), b.GetReg(4), b.GetReg(5));
    b.Label(one);
    b.skip_unless(second, two);
    b.Store(ir::MemAccess{}.pack(), b.GetReg(5), b.GetReg(4));
    b.Label(two);
    b.Jump(0x300);
    ir::thread_skips(block);
    ASSERT_EQ(ir::verify(block), "") << ir::print(block);
    const auto label = std::ranges::find(block.insts, Opcode::Label, &ir::Inst::op);
    EXPECT_EQ((label - 1)->op == Opcode::SkipUnless, second == 9) << ir::print(block);
  }
}
// A comparison goes down to what it decides, over what would lose EFLAGS.
TEST_F(PassTest, ComparisonAtItsSkip) {
  for (const bool changes : {false, true}) {
    block = {};
    b.SubS(b.GetReg(3), Builder::Imm(4));
    b.SetReg(changes ? 3 : 5, b.Lsl(1, b.GetReg(5)));
    const uint32_t label = b.new_label();
    b.skip_unless(2, label);
    b.SetReg(4, b.GetReg(6));
    b.Label(label);
    b.Jump(0x300);
    ir::fuse_compares(block);
    ASSERT_EQ(ir::verify(block), "") << ir::print(block);
    const auto skip = std::ranges::find(block.insts, Opcode::SkipUnless, &ir::Inst::op);
    EXPECT_EQ((skip - 1)->op == Opcode::SubS, !changes) << ir::print(block);
  }
}
// What is not skipped may fault.
TEST_F(PassTest, FlagsOfASkipToALabel) {
  for (const bool faults : {false, true}) {
    block = {};
    b.SetNZ(b.GetReg(0));
    const uint32_t label = b.new_label();
    b.skip_if_zero(b.GetReg(1), label);
    if (faults) b.Load(ir::MemAccess{}.pack(), b.GetReg(2));
    b.SetNZ(b.GetReg(2));
    b.Label(label);
    b.SetNZ(b.GetReg(3));
    b.Jump(0x300);
    ir::remove_dead(block);
    EXPECT_EQ(count(Opcode::SetNZ), faults ? 2 : 1) << ir::print(block);
  }
}
// A loop with a branch in it.
struct SkipBranches : PassTest {
  void next_guest(uint8_t it = 0) {
    block.guest.push_back({0x8000 + 4 * static_cast<uint32_t>(block.guest.size()), 0, it, 4});
    b.guest = static_cast<uint16_t>(block.guest.size() - 1);
  }
  void loop() {
    next_guest();
    b.jump_if(1, 0x8000);
    b.Jump(0xa000);
    block.pc = 0x8000;
    block.end_pc = block.guest.back().pc + 4;
  }
};
TEST_F(SkipBranches, ToTheirTargets) {
  next_guest();
  b.jump_if(0, 0x800c);
  next_guest();
  b.JumpIfZero(0x800c, b.GetReg(0));
  next_guest();
  b.JumpIfNotZero(0x8010, b.GetReg(0));
  next_guest();
  b.SetReg(0, b.GetReg(1));
  loop();
  ir::skip_branches(block);
  const ir::Inst& unless = only(Opcode::SkipUnless);
  EXPECT_EQ(unless.imm, 1 | ir::kBranch);
  EXPECT_EQ(only(Opcode::SkipIfZero).aux, unless.aux) << "one label for both";
  EXPECT_EQ(only(Opcode::SkipIfZero).imm, ir::kBranch);
  EXPECT_EQ(count(Opcode::SkipIfNotZero), 1);
  EXPECT_EQ(count(Opcode::Label), 2);
  for (const ir::Inst& inst : block.insts) {
    if (inst.op != Opcode::Label) continue;
    EXPECT_EQ(inst.aux, ir::kBranch);
    EXPECT_EQ(inst.guest, inst.imm == unless.aux ? 3 : 4);
  }
}
TEST_F(SkipBranches, NotWithoutALoop) {
  next_guest();
  b.jump_if(0, 0x8004);
  next_guest();
  b.Jump(0xa000);
  block.pc = 0x8000;
  ir::skip_branches(block);
  EXPECT_EQ(count(Opcode::JumpIf), 1) << ir::print(block);
}
TEST_F(SkipBranches, NotIntoAnItBlock) {
  next_guest();
  b.jump_if(0, 0x8004);
  next_guest(0x08);
  loop();
  ir::skip_branches(block);
  EXPECT_EQ(count(Opcode::JumpIf), 2) << ir::print(block);
}
// Two instructions under one condition: the second may not be executed without a test of it.
TEST_F(SkipBranches, NotIntoWhatAConditionSkips) {
  next_guest();
  b.jump_if(0, 0x8008);
  next_guest();
  const uint32_t label = b.new_label();
  b.skip_unless(2, label);
  b.SetReg(0, b.GetReg(1));
  next_guest();
  b.SetReg(2, b.GetReg(1));
  next_guest();
  b.Label(label);
  loop();
  ir::skip_branches(block);
  EXPECT_EQ(count(Opcode::JumpIf), 2) << ir::print(block);
}
// What is known after it is not known where it has been skipped: that a unit is enabled.
TEST_F(SkipBranches, NotOverChecks) {
  next_guest();
  b.jump_if(0, 0x8008);
  next_guest();
  b.append(Opcode::RequirePrivileged, 0, reinterpret_cast<uint64_t>(&PassTest::nothing), {});
  next_guest();
  b.call(&PassTest::nothing, ir::kCallNoFlags);
  loop();
  ir::skip_branches(block);
  EXPECT_EQ(count(Opcode::JumpIf), 2) << ir::print(block);
}
TEST_F(SkipBranches, NotOverValuesThatAreUsedLater) {
  next_guest();
  b.jump_if(0, 0x8008);
  next_guest();
  const Value v = b.GetReg(1);
  next_guest();
  b.SetReg(2, v);
  loop();
  ir::skip_branches(block);
  EXPECT_EQ(count(Opcode::JumpIf), 2) << ir::print(block);
}
// Back to the start only where that sets all flags before a fault.
TEST_F(PassTest, FuseCompareOfALoop) {
  for (const bool faults_first : {false, true}) {
    block = {};
    block.end_pc = 0x100;
    if (faults_first) b.Load(ir::MemAccess{}.pack(), b.GetReg(2));
    b.AddS(b.GetReg(3), Builder::Imm(1));
    b.SubS(b.GetReg(0), b.GetReg(1));
    b.jump_if(1, 0);
    b.Jump(0x300);
    ir::fuse_compares(block);
    EXPECT_EQ(count(Opcode::JumpIfCompare), faults_first ? 0 : 1);
    if (faults_first) continue;
    EXPECT_EQ(only(Opcode::JumpIfCompare).imm, 1u | ir::kFlagsAreSetAgain);
  }
}
TEST_F(PassTest, FlagLivenessAtFaultsAndSkips) {
  b.AddS(b.GetReg(0), b.GetReg(1));
  b.Load(ir::MemAccess{}.pack(), b.GetReg(2));  // may fault: all flags in memory
  b.SubS(b.GetReg(0), b.GetReg(1));
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.SetNZCV(Builder::Imm(0));
  b.Label(label);
  b.Jump(0);
  ir::remove_dead(block);
  EXPECT_EQ(only(Opcode::AddS).flags_live & 7, 7);
  EXPECT_EQ(only(Opcode::SubS).flags_live & 7, 7);
}
// The first half of a 64-bit sum: only its carry is read.
TEST_F(PassTest, FlagLivenessOfEachFlag) {
  b.SetReg(0, b.AddS(b.GetReg(0), b.GetReg(2)));
  b.SetReg(1, b.AdcS(b.GetReg(1), b.GetReg(3)));
  b.Jump(0);
  ir::remove_dead(block);
  EXPECT_EQ(only(Opcode::AddS).flags_live, 2);
  EXPECT_EQ(only(Opcode::AdcS).flags_live, 7);
}
TEST_F(PassTest, RemoveDeadFlags) {
  b.SubS(b.GetReg(0), Builder::Imm(3));               // nobody reads
  b.SetReg(0, b.AddS(b.GetReg(0), Builder::Imm(1)));  // the result is used
  b.SetNZ(b.GetReg(1));                               // overwritten
  b.SetC(b.Bit(3, b.GetReg(2)));
  b.SetNZ(b.GetReg(2));
  b.Jump(0);
  ir::remove_dead(block);
  EXPECT_EQ(count(Opcode::SubS), 0) << ir::print(block);
  EXPECT_EQ(count(Opcode::AddS), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetNZ), 1) << ir::print(block);
  EXPECT_EQ(count(Opcode::SetC), 1) << ir::print(block);
}
TEST_F(PassTest, RemoveDead) {
  const Value x = b.Mul(b.GetReg(0), b.GetReg(1));
  b.Lsr(3, x);
  b.TestCond(3);
  b.Load(ir::MemAccess{}.pack(), b.GetReg(2));  // may fault: stays
  b.call(&PassTest::nothing, ir::kCallPlain);
  b.Jump(0);
  ir::remove_dead(block);
  EXPECT_EQ(block.insts.size(), 4u) << ir::print(block);
  EXPECT_EQ(count(Opcode::Load), 1);
  EXPECT_EQ(count(Opcode::Call), 1);
  EXPECT_EQ(block.insts[0].uses, 1u);
}
TEST_F(PassTest, SetOutOfLine) {
  block.guest = {{0x8000, 0, 0, 4}, {0x8004, 0, 0, 4}};
  for (const uint16_t g : {0, 1}) {
    b.guest = g;
    b.Load(ir::MemAccess{}.pack(), b.GetReg(0));
    b.call(&PassTest::nothing, ir::kCallNoFlags);
  }
  b.Jump(0);
  ir::set_out_of_line(block, 1);
  EXPECT_FALSE(ir::MemAccess::unpack(block.insts[1].imm).out_of_line);
  EXPECT_EQ(block.insts[2].imm, ir::kCallNoFlags);
  EXPECT_TRUE(ir::MemAccess::unpack(block.insts[4].imm).out_of_line);
  EXPECT_EQ(block.insts[5].imm, ir::kCallNoFlags);
}

}  // namespace
}  // namespace crosswalk::test
