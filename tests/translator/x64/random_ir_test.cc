// SPDX-License-Identifier: GPL-2.0-or-later
// Random IR blocks: emitted code against the interpreter, in each memory mode, with and without
// passes and flag fusion. CROSSWALK_SEED chooses the blocks, CROSSWALK_BLOCKS how many.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <vector>

#include "tests/translator/x64/emitted.h"
#include "tests/translator/x64/random_block.h"
#include "translator/arm32/cpu/exit_reason.h"

namespace crosswalk::test {
namespace {

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

void randomise(CpuState& cpu, std::mt19937_64& random) {
  for (int n = 0; n < 15; n++) {
    const uint64_t v = random();
    cpu.r[n] = v >> 60 == 0 ? static_cast<uint32_t>(v & 3) : static_cast<uint32_t>(v);
  }
  write_nzcv(cpu, static_cast<uint32_t>(random()));
  write_ge(cpu, static_cast<uint32_t>(random() & 15));
  cpu.q = random() & 1;
  constexpr Mode kModes[] = {Mode::Supervisor, Mode::Fiq,    Mode::Irq, Mode::Abort,
                             Mode::Undefined,  Mode::System, Mode::User};
  cpu.mode = static_cast<uint8_t>(kModes[random() % 4 == 0 ? random() % 7 : 0]);
  for (int bank = 1; bank < kBankCount; bank++) cpu.banked.spsr[bank] = static_cast<uint32_t>(random());
  cpu.banked.r13[kBankUser] = static_cast<uint32_t>(random());
  cpu.banked.r14[kBankUser] = static_cast<uint32_t>(random());
  for (uint32_t& r : cpu.banked.r8_12_user) r = static_cast<uint32_t>(random());
  cpu.mxcsr = cpu.mxcsr_standard = 0x1f80;
  cpu.pending = random() % 4 == 0;
  cpu.cp15.tpidrurw = static_cast<uint32_t>(random());
  cpu.cp15.par = random();
  for (uint8_t& b : cpu.vreg) b = static_cast<uint8_t>(random());
}

std::string differences(const CpuState& want, const CpuState& have) {
  std::string s;
  char line[96];
  const auto compare = [&](const char* name, int n, uint64_t w, uint64_t h) {
    if (w == h) return;
    std::snprintf(line, sizeof line, "  %s%d: interpreter %#llx, emitted %#llx\n", name, n,
                  static_cast<unsigned long long>(w), static_cast<unsigned long long>(h));
    s += line;
  };
  for (int n = 0; n < 16; n++) compare("r", n, want.r[n], have.r[n]);
  compare("nzcv", 0, read_nzcv(want), read_nzcv(have));
  compare("q", 0, want.q, have.q);
  compare("ge", 0, want.ge_mask, have.ge_mask);
  compare("t", 0, want.t, have.t);
  compare("exit_reason", 0, want.exit_reason, have.exit_reason);
  for (int bank = 0; bank < kBankCount; bank++) compare("spsr", bank, want.banked.spsr[bank], have.banked.spsr[bank]);
  compare("user r13", 0, want.banked.r13[kBankUser], have.banked.r13[kBankUser]);
  compare("user r14", 0, want.banked.r14[kBankUser], have.banked.r14[kBankUser]);
  for (int n = 0; n < 5; n++) compare("user r8 + ", n, want.banked.r8_12_user[n], have.banked.r8_12_user[n]);
  compare("calls", 0, want.cp15.vbar, have.cp15.vbar);
  compare("tpidrurw", 0, want.cp15.tpidrurw, have.cp15.tpidrurw);
  compare("par", 0, want.cp15.par, have.cp15.par);
  compare("monitor_armed", 0, want.monitor_armed, have.monitor_armed);
  if (want.monitor_armed) {
    compare("monitor_address", 0, want.monitor_address, have.monitor_address);
    compare("monitor_size", 0, want.monitor_size, have.monitor_size);
    compare("monitor_value", 0, want.monitor_value, have.monitor_value);
  }
  for (int d = 0; d < 32; d++) {
    uint64_t w, h;
    std::memcpy(&w, want.vreg + 8 * d, 8);
    std::memcpy(&h, have.vreg + 8 * d, 8);
    compare("d", d, w, h);
  }
  return s;
}

// By instruction, whether skip_branches() makes a skip of it.
std::vector<bool> branches_within(const ir::Block& original) {
  ir::Block block = original;
  ir::skip_branches(block);
  std::vector<bool> within;
  for (const ir::Inst& inst : block.insts)
    if (inst.op != ir::Opcode::Label || inst.aux == 0) within.push_back(ir::skips(inst.op) && (inst.imm & ir::kBranch));
  return within;
}

using Setting = std::tuple<x64::MemoryMode, bool, bool>;  // memory, passes, flag fusion

std::string name_of(const ::testing::TestParamInfo<Setting>& info) {
  const auto [mode, passes, fusion] = info.param;
  const char* const memory = mode == x64::MemoryMode::Window       ? "Window"
                             : mode == x64::MemoryMode::SoftInline ? "Soft"
                                                                   : "SoftCall";
  return std::string(memory) + (passes ? "Passes" : "Plain") + (fusion ? "Fusion" : "");
}

class RandomIr : public ::testing::TestWithParam<Setting> {
 protected:
  void run(const BlockShape& shape, uint64_t blocks) {
    const auto [mode, passes, fusion] = GetParam();
    const uint64_t seed = number_from("CROSSWALK_SEED", 1);
    blocks = number_from("CROSSWALK_BLOCKS", blocks);
    Emitted emitted(mode, fusion);
    auto memory = std::make_unique<GuestMemory>(), expected_memory = std::make_unique<GuestMemory>();
    auto planned_memory = std::make_unique<GuestMemory>();
    const bool shares = passes && mode == x64::MemoryMode::SoftInline;
    uint64_t faults = 0, shared = 0, apart = 0, conditions = 0;
    int64_t branches = 0;
    for (uint64_t n = 0; n < blocks; n++) {
      std::mt19937_64 random(seed * 1000003 + n);
      const ir::Block original = random_block(random, shape);
      ASSERT_EQ(ir::verify(original), "") << "block " << n << "\n" << ir::print(original);
      ir::Block block = original;
      block.in_window = mode == x64::MemoryMode::Window;
      if (passes)
        ASSERT_EQ(optimise(block, shares, fusion), "") << "block " << n << "\n" << ir::print(original);
      else
        ir::count_uses(block);
      const std::vector<bool> followed = passes ? branches_within(original) : std::vector<bool>();
      branches += std::ranges::count(followed, true);
      const x64::CompiledBlock& code = emitted.emit(block);
      for (const ir::Inst& inst : block.insts) {
        shared += inst.op == ir::Opcode::HostSpan;
        conditions += inst.op == ir::Opcode::TestCond && inst.uses >= 2;
      }
      for (int round = 0; round < 2; round++) {
        auto want = std::make_unique<CpuState>(), have = std::make_unique<CpuState>();
        randomise(*want, random);
        *have = *want;
        for (uint32_t i = 0; i < 64; i++) {  // a little of everything, and long runs of equal bytes
          const uint64_t v = random();
          std::memcpy(memory->bytes + random() % (sizeof memory->bytes - 8), &v, 8);
        }
        // Where one lookup for several accesses says that they need their own, the block is left
        // before a guest instruction, with nothing of that done.
        auto planned = std::make_unique<CpuState>(*want);
        *expected_memory = *planned_memory = *memory;
        interpret(block, *planned, *planned_memory);
        uint32_t stop = UINT32_MAX;
        if (planned->exit_reason == kExitApart) {
          apart++;
          for (stop = 0; original.guest[stop].pc != planned->r[15];) stop++;
        }
        interpret(original, *want, *expected_memory, stop, followed);
        emitted.run(*have, *memory);
        faults += want->exit_reason == 5;
        std::string wrong = differences(*want, *have);
        for (uint32_t i = 0; i < sizeof memory->bytes && wrong.size() < 2000; i++)
          if (memory->bytes[i] != expected_memory->bytes[i]) wrong += "  memory differs at " + std::to_string(i) + "\n";
        ASSERT_EQ(wrong, "") << "CROSSWALK_SEED=" << seed << ", block " << n << ", round " << round << "\n"
                             << ir::print(original) << "after the passes:\n"
                             << ir::print(block) << disassemble(code.code, code.size, 0);
      }
    }
    EXPECT_EQ(passes && shape.control, branches > 0) << "no branch goes ahead in its block";
    if (passes && fusion && shape.control) {
      EXPECT_GT(conditions, 0u) << "no condition is shared";
    }
    if (!shape.memory) return;
    EXPECT_EQ(shares, shared > 0 && apart > 0) << shared << " lookups are shared, " << apart << " failed";
    EXPECT_GT(faults, 0u) << "no block faulted: the test does not test that";
  }
};

TEST_P(RandomIr, Everything) { run({}, 1500); }
TEST_P(RandomIr, Straight) {
  run({.instructions = 60, .control = false, .memory = false, .calls = false, .simd = false}, 600);
}
TEST_P(RandomIr, LongBlocks) { run({.instructions = 250}, 150); }
TEST_P(RandomIr, ControlOnly) { run({.instructions = 50, .memory = false, .calls = false, .simd = false}, 600); }

INSTANTIATE_TEST_SUITE_P(, RandomIr,
                         ::testing::Combine(::testing::Values(x64::MemoryMode::Window, x64::MemoryMode::SoftInline,
                                                              x64::MemoryMode::SoftCall),
                                            ::testing::Bool(), ::testing::Bool()),
                         name_of);

}  // namespace
}  // namespace crosswalk::test
