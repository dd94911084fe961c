// SPDX-License-Identifier: GPL-2.0-or-later
// Form::Hybrid where the entries of windows are cheap: every address space begins in a window, and
// the way back.
#include <gtest/gtest.h>

#include <memory>

#include "mmu-shadow/mmu.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kL1 = 0x40004000, kL2 = 0x40008000, kPa = 0x41000000, kVa = 0x10000, kPages = 32;
constexpr uint32_t kUser = 0x10, kSupervisor = 0x13;

struct NoCode final : CodeListener {
  bool code_written(uint64_t, uint32_t) override { return true; }
};

// Windows that nothing is ever accessed in.
struct PaperWindow final : Window {
  using Window::Window;
  bool install(uint32_t, uint64_t, uint64_t, bool) override { return true; }
  void remove(uint32_t, uint64_t) override {}
  void commit() override {}
};

class PaperBackend final : public WindowBackend {
 public:
  std::unique_ptr<Window> create_window() override {
    return made == room ? nullptr : std::make_unique<PaperWindow>(++made << 40);
  }
  uint64_t made = 0, room = 1000;
};

struct Machine {
  explicit Machine(const MmuCosts& costs, uint64_t room = 1000, uint32_t max_spaces = 64) {
    backend.room = room;
    MmuConfig config{.mode = Mode::Hybrid, .costs = costs, .max_spaces = max_spaces, .fill_around = false};
    mmu = std::move(*make_mmu(config, memory.ram, listener, &backend));
    memory.write32(kL1, kL2 | 1);
    for (uint32_t i = 0; i < kPages; i++)
      memory.write32(kL2 + ((kVa >> 12) + i) * 4, (kPa + i * 0x1000) | 2 | 3 << 2 | 3 << 4 | 1 << 11);
    cpu->cp15.sctlr = CW_SCTLR_M;
    cpu->cp15.ttbr0 = kL1;
    cpu->cp15.dacr = 1;
  }
  void activate(uint32_t mode, uint32_t asid = 1) {
    cpu->mode = mode;
    cpu->cp15.contextidr = asid;
    mmu->activate(*cpu);
  }
  // As if a store of the guest had missed.
  void touch(uint32_t page) {
    const uint32_t va = kVa + page % kPages * 0x1000;
    Translation t;
    if (cpu->memory_window)
      EXPECT_EQ(mmu->window_fault(*cpu, va, 4, true, t), FaultOutcome::Installed);
    else
      EXPECT_NE(mmu->fill(*cpu, va, AccessKind::Store).host, nullptr);
  }
  void flush(uint32_t page) { mmu->flush_mva(*cpu, kVa + page % kPages * 0x1000, 1); }
  // One poll after so long, in which a number of entries came and went.
  void run(uint32_t entries, uint64_t ticks = 200'000) {
    for (uint32_t i = 0; i < entries; i++) {
      touch(i);
      flush(i);
    }
    const uint64_t start = __builtin_ia32_rdtsc();
    while (__builtin_ia32_rdtsc() - start < ticks) {
    }
    mmu->polled(*cpu);
    activate(kSupervisor);
    activate(kUser);
  }

  TestMemory memory{64 << 20};
  NoCode listener;
  PaperBackend backend;
  std::unique_ptr<Mmu> mmu;
  const std::unique_ptr<CpuState> cpu = std::make_unique<CpuState>();
};

MmuCosts costs_of(double window_fault, double window_flush) {
  MmuCosts costs;
  costs.window_fault = window_fault;
  costs.window_flush = window_flush;
  costs.judge_after = costs.half_life = 100'000;
  return costs;
}

// Nested paging, where a fault does not leave the VM.
const MmuCosts kCheap = costs_of(540, 930);

TEST(WindowsAtOnce, WhereAnEntryCostsLessThanItSaves) {
  struct Host {
    const char* name;
    double window_fault, window_flush, soft_lookup;
    bool at_once;
  };
  constexpr Host kHosts[] = {
      {"shadow, nested paging", 540, 930, 1, true},
      {"shadow, nested paging, emulated and slow", 2'800, 2'300, 6, true},
      {"shadow, nested paging, faults by an exit", 4'600, 930, 1, false},
      {"mmap, nested paging, instructions", 36'000, 9'000, 5.5, false},
      {"mmap, no KVM around", 1'600, 1'200, 1, true},
      {"mmap, KVM with a software MMU around", 9'500, 4'100, 1, false},
      {"shadow, KVM with a software MMU", 12'700, 8'300, 1, false},
  };
  for (const Host& host : kHosts) {
    MmuCosts costs = costs_of(host.window_fault, host.window_flush);
    costs.soft_lookup = host.soft_lookup;
    Machine machine(costs);
    for (const uint32_t mode : {kUser, kSupervisor}) {
      machine.activate(mode);
      EXPECT_EQ(machine.cpu->memory_window, host.at_once) << host.name;
      machine.touch(0);
    }
    EXPECT_EQ(machine.backend.made, host.at_once ? 2u : 0u) << host.name;
  }
}

// Neither a second translation of its code, nor the clock.
TEST(WindowsAtOnce, NothingIsLearned) {
  Machine machine(kCheap);
  machine.activate(kUser);
  for (int i = 0; i < 100; i++) {
    machine.run(2);
    ASSERT_TRUE(machine.cpu->memory_window);
  }
  const Statistics& s = machine.mmu->statistics();
  EXPECT_EQ(s.promotions + s.demotions, 0u);
  EXPECT_EQ(s.soft_misses, 0u);
  EXPECT_EQ(s.soft_ticks, 0u);
  EXPECT_GE(s.window_ticks, 99u * 200'000);
  EXPECT_EQ(s.predicted_translation_ns + s.predicted_upkeep_ns, 0);
}

TEST(WindowsAtOnce, ASpaceWhoseEntriesDoNotLastGoesBackUntilTheyDo) {
  Machine machine(kCheap);
  machine.activate(kUser);
  for (int i = 0; i < 100 && machine.cpu->memory_window; i++) machine.run(1000);
  EXPECT_FALSE(machine.cpu->memory_window);
  EXPECT_EQ(machine.mmu->statistics().demotions, 1u);
  machine.activate(kSupervisor);
  EXPECT_TRUE(machine.cpu->memory_window) << "another space";
  machine.activate(kUser);
  for (int i = 0; i < 4000 && !machine.cpu->memory_window; i++) machine.run(0);
  EXPECT_TRUE(machine.cpu->memory_window);
  EXPECT_EQ(machine.mmu->statistics().promotions, 1u);
}

// A sample alone says little: a space that is short of luck with the polls is not judged by one.
TEST(WindowsAtOnce, ASpaceIsJudgedByManySamples) {
  Machine machine(kCheap);
  machine.activate(kUser);
  machine.run(1000);
  EXPECT_TRUE(machine.cpu->memory_window);
}

TEST(WindowsAtOnce, WithoutRoomForAWindowThereIsASoftwareTlb) {
  Machine machine(kCheap, 1);
  machine.activate(kUser);
  EXPECT_TRUE(machine.cpu->memory_window);
  machine.activate(kSupervisor);
  EXPECT_FALSE(machine.cpu->memory_window);
  machine.touch(1);
}

// The space that takes the place of an older one does not take over how that one was judged.
TEST(WindowsAtOnce, AReusedSpaceBeginsInAWindow) {
  Machine machine(kCheap, 1000, 2);
  machine.activate(kUser);
  for (int i = 0; i < 100 && machine.cpu->memory_window; i++) machine.run(1000);
  ASSERT_FALSE(machine.cpu->memory_window);
  for (uint32_t asid = 2; asid < 6; asid++) {
    machine.activate(kUser, asid);
    EXPECT_TRUE(machine.cpu->memory_window) << asid;
    machine.touch(asid);
  }
  EXPECT_EQ(machine.backend.made, 2u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
