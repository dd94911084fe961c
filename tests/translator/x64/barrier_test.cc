// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's flags that EFLAGS hold survive a barrier, which changes EFLAGS.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "tests/translator/x64/emitted.h"

namespace crosswalk::test {
namespace {

void set_flags(ir::Builder& ir, bool subtract) {
  const ir::Value a = ir.GetReg(0), b = ir.GetReg(1);
  if (subtract)
    ir.SubS(a, b);
  else
    ir.AddS(a, b);
  ir.MemoryBarrier();
}

TEST(Barrier, FlagsSurvive) {
  Emitted emitted(x64::MemoryMode::SoftInline, true);
  auto memory = std::make_unique<GuestMemory>();
  for (const bool subtract : {false, true}) {
    for (uint32_t condition = 0; condition < 14; condition++) {
      ir::Block block;
      block.pc = 0x8000;
      block.guest.push_back({0x8000, 0, 0, 4});
      ir::Builder ir(block);
      set_flags(ir, subtract);
      ir.SetReg(2, ir.TestCond(condition));
      set_flags(ir, subtract);
      ir.SetReg(3, ir.Adc(ir.GetReg(0), ir.GetReg(1)));
      set_flags(ir, subtract);
      ir.jump_if(condition, 0x9000);
      ir.Jump(0xa000);
      const ir::Block original = block;
      ASSERT_EQ(optimise(block), "");
      emitted.emit(block);
      for (const uint32_t a : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        for (const uint32_t b : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
          auto want = std::make_unique<CpuState>(), have = std::make_unique<CpuState>();
          want->mxcsr = want->mxcsr_standard = 0x1f80;
          want->r[0] = a;
          want->r[1] = b;
          *have = *want;
          interpret(original, *want, *memory);
          emitted.run(*have, *memory);
          for (const int n : {2, 3, 15}) EXPECT_EQ(have->r[n], want->r[n]) << "r" << n << " " << a << " " << b;
          EXPECT_EQ(read_nzcv(*have), read_nzcv(*want));
        }
      }
    }
  }
}

// DSB and SEV with and without something to do: a call that changes nothing, or none.
TEST(Barrier, CallsOnlyWhenThereIsSomethingToDo) {
  for (const x64::MemoryMode mode : {x64::MemoryMode::SoftInline, x64::MemoryMode::Window}) {
    Emitted emitted(mode, true);
    auto memory = std::make_unique<GuestMemory>();
    for (const uint32_t busy : {0u, 1u}) {
      SCOPED_TRACE(busy);
      ir::Block block;
      block.pc = 0x8000;
      block.guest.push_back({0x8000, 0, 0, 4});
      ir::Builder ir(block);
      // in temporaries of both files, and in registers of the guest
      const ir::Value sum = ir.Add(ir.GetReg(0), ir.GetReg(9)), product = ir.Mul(ir.GetReg(1), ir.GetReg(10));
      const ir::Value vector = ir.X64FromI64(ir.Pack(sum, product));
      ir.SubS(ir.GetReg(0), ir.GetReg(1));
      ir.SynchronizationBarrier();
      ir.SetReg(2, ir.TestCond(0));
      ir.SendEvent();
      ir.SetReg(3, ir.TestCond(8));
      ir.SetReg(8, sum);
      ir.SetReg(11, product);
      ir.SetD(3, vector);
      ir.Store(ir::MemAccess{}.pack(), ir::Builder::Imm(kBase + 3 * kPageBytes), sum);
      ir.Jump(0xa000);
      const ir::Block original = block;
      ASSERT_EQ(optimise(block), "");
      emitted.emit(block);
      auto want = std::make_unique<CpuState>(), have = std::make_unique<CpuState>();
      auto want_memory = std::make_unique<GuestMemory>(*memory), have_memory = std::make_unique<GuestMemory>(*memory);
      want->mxcsr = want->mxcsr_standard = 0x1f80 | 0x6000;
      for (uint32_t n = 0; n < 15; n++) want->r[n] = 0x01020304 * (n + 1);
      *have = *want;
      have->interrupt_lines = busy * kLineShootdown;
      emitted.events.watchers = busy << 31;
      const int before = emitted.synchronized(), sent_before = emitted.events_sent();
      interpret(original, *want, *want_memory);
      emitted.run(*have, *have_memory);
      EXPECT_EQ(emitted.synchronized() - before, static_cast<int>(busy));
      EXPECT_EQ(emitted.events_sent() - sent_before, static_cast<int>(busy));
      for (uint32_t n = 0; n < 16; n++) EXPECT_EQ(have->r[n], want->r[n]) << "r" << n;
      EXPECT_EQ(std::memcmp(have->vreg, want->vreg, sizeof have->vreg), 0);
      EXPECT_EQ(have->mxcsr, want->mxcsr);
      EXPECT_EQ(std::memcmp(have_memory->bytes, want_memory->bytes, sizeof have_memory->bytes), 0);
    }
  }
}

}  // namespace
}  // namespace crosswalk::test
