// SPDX-License-Identifier: GPL-2.0-or-later
// More values live at once than the host has registers: they are in spill slots, and nothing else
// of CpuState changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>

#include "tests/translator/x64/emitted.h"

namespace crosswalk::test {
namespace {

using ir::Builder;
using ir::Value;

constexpr size_t kValues = 40;

uint64_t nothing(CpuState*, uint32_t, uint32_t, uint32_t) { return 0; }

constexpr uint64_t number(size_t i) { return 0x0123456789abcdef * (i + 1); }

struct Spill : ::testing::Test {
  Spill() {
    block.pc = 0x8000;
    block.guest = {{0x8000, 0, 0, 4}};
  }
  // What lies behind the SIMD registers, which the block must not change but for its spill slots.
  void run() {
    b.Jump(0x9000);
    ASSERT_EQ(ir::verify(block), "");
    ir::count_uses(block);
    emitted.emit(block);
    std::memset(static_cast<void*>(&cpu.banked), 0xa5, sizeof cpu.banked);
    cpu.mxcsr = cpu.mxcsr_standard = 0x1f80;
    cpu.pending = 1;
    emitted.run(cpu, *memory);
    const auto* const banked = reinterpret_cast<const uint8_t*>(&cpu.banked);
    EXPECT_TRUE(std::all_of(banked, banked + sizeof cpu.banked, [](uint8_t v) { return v == 0xa5; }));
    EXPECT_TRUE(std::all_of(std::begin(cpu.fp_operands), std::end(cpu.fp_operands), [](uint64_t v) { return v == 0; }));
  }
  void expect_all_in_sum() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < kValues; i++) sum += number(i);
    EXPECT_EQ(cpu.cp15.par, sum);
  }

  Emitted emitted{x64::MemoryMode::Window, true};
  std::unique_ptr<GuestMemory> memory = std::make_unique<GuestMemory>();
  CpuState cpu{};
  ir::Block block;
  Builder b{block};
};

struct SimdSpill : Spill, ::testing::WithParamInterface<bool> {};

// With a call while they are live, all of them are in slots; without, all that have no register.
TEST_P(SimdSpill, FortyLive) {
  Value v[kValues];
  for (size_t i = 0; i < kValues; i++) v[i] = b.X64FromI64(Builder::Imm64(number(i)));
  if (GetParam()) b.call(&nothing, ir::kCallNoFlags | ir::kCallNoRegs);
  Value sum = Builder::Imm64(0);
  for (const Value& x : v) sum = b.Add64(b.I64FromX64(x), sum);
  b.StoreState64(offsetof(CpuState, cp15.par), sum);
  run();
  expect_all_in_sum();
}
INSTANTIATE_TEST_SUITE_P(, SimdSpill, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "AcrossACall" : "InOneStretch"; });

TEST_F(Spill, FortyLiveGeneral) {
  Value v[kValues];
  for (size_t i = 0; i < kValues; i++) v[i] = b.Add64(Builder::Imm64(number(i)), Builder::Imm64(0));
  Value sum = Builder::Imm64(0);
  for (const Value& x : v) sum = b.Add64(x, sum);
  b.StoreState64(offsetof(CpuState, cp15.par), sum);
  run();
  expect_all_in_sum();
}

}  // namespace
}  // namespace crosswalk::test
