// SPDX-License-Identifier: GPL-2.0-or-later
// Windows that fill themselves, and the spaces that lodge in one of them.
#include <gtest/gtest.h>

#include <memory>

#include "mmu-shadow/mmu.h"
#include "tests/mmu-shadow/filling_backend.h"
#include "tests/mmu-shadow/spaces_fixture.h"
#include "tests/mmu-shadow/test_memory.h"
#include "tests/mmu-shadow/torture.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kUserVa = 0x100000;

class Lodging : public SpacesTest {
 protected:
  Lodging() { mmu = std::move(*make_mmu({.mode = Mode::Window}, memory.ram, listener, &backend)); }
  ~Lodging() override { mmu.reset(); }
  FillingBackend::Window& window() const { return backend.window_at(cpu->mem_base); }
  uint64_t load(uint32_t va) override {
    const auto* const entry = window().reach(va, false);
    return entry ? entry->pa : 0;
  }
  uint64_t reaches(uint32_t va) const override { return window().holds(va) ? window().reach(va, false)->pa : 0; }

  FillingBackend backend{memory.ram};
};

TEST_F(Lodging, EqualDescriptorsAreOne) { equal_descriptors_are_one(); }
TEST_F(Lodging, ASpaceThatDiffersAtFirstHasItsOwn) { a_space_that_differs_at_first_has_its_own(); }
TEST_F(Lodging, ADescriptorBecomesValidInOneSpace) { a_descriptor_becomes_valid_in_one_space(); }
TEST_F(Lodging, ADescriptorBecomesValidInAllSpaces) { a_descriptor_becomes_valid_in_all_spaces(); }

TEST_F(Lodging, SpacesThatAreAlikeHaveOneWindow) {
  for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
  const uint64_t base = cpu->mem_base;
  use(kRootB);
  EXPECT_EQ(cpu->mem_base, base);
  EXPECT_TRUE(window().holds(kVa));
  EXPECT_EQ(backend.windows(), 1u);
  cpu->mode = 0x10;  // a user's window is its own
  use(kRootB);
  EXPECT_NE(cpu->mem_base, base);
  EXPECT_EQ(statistics().spaces_sharing, 2u);
}

// What is a process's own does not stay, and the process that comes back gets its own window.
TEST_F(Lodging, EntriesOfTheProcessGo) {
  set(kRootA, kUserVa, section(0x41000000));
  set(kRootB, kUserVa, section(0x42000000));
  use(kRootA);
  EXPECT_EQ(load(kUserVa), 0x41000000u);
  const uint64_t base = cpu->mem_base;
  use(kRootB);
  EXPECT_EQ(cpu->mem_base, base);
  EXPECT_EQ(load(kUserVa), 0x42000000u);
  use(kRootA);
  EXPECT_NE(cpu->mem_base, base);
  EXPECT_EQ(load(kUserVa), 0x41000000u);
  use(kRootC);
  use(kRootA);
  EXPECT_TRUE(window().holds(kUserVa));
}

// With each policy: an eager flush installs what the new table says, without a fault.
TEST_F(Lodging, AValidDescriptorChangesInOneSpace) {
  for (const FlushPolicy flush : {FlushPolicy::Lazy, FlushPolicy::Eager}) {
    mmu = std::move(*make_mmu({.mode = Mode::Window, .flush = flush}, memory.ram, listener, &backend));
    for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
    use(kRootB);
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootA);
    set(kRootA, kVa, section(0x43000000));
    mmu->flush_all(*cpu);
    EXPECT_EQ(load(kVa), 0x43000000u);
    use(kRootB);
    EXPECT_EQ(load(kVa), 0x41000000u);
    use(kRootA);
    EXPECT_EQ(load(kVa), 0x43000000u);
  }
}

// Whatever one of them flushes is flushed for the others, and once.
TEST_F(Lodging, AFlushIsForAll) {
  for (const uint64_t root : {kRootA, kRootB, kRootC}) set(root, kVa, section(0x41000000));
  for (const uint64_t root : {kRootB, kRootC, kRootA}) use(root);
  EXPECT_EQ(load(kVa), 0x41000000u);
  mmu->flush_all(*cpu);
  EXPECT_FALSE(window().holds(kVa));
  EXPECT_EQ(load(kVa), 0x41000000u);
  const unsigned flushes = backend.flushes;
  use(kRootB);
  use(kRootC);
  EXPECT_TRUE(window().holds(kVa));
  EXPECT_EQ(backend.flushes, flushes);
}

// A switch by way of the new ASID with the old table: the walks change once.
TEST_F(Lodging, APassingCombinationIsNoOtherTable) {
  use(kRootA, 1);
  use(kRootB, 2);
  const unsigned set = backend.regimes_set;
  use(kRootB, 1);
  EXPECT_EQ(backend.regimes_set, set);
  use(kRootA, 1);
  EXPECT_EQ(backend.regimes_set, set + 1);
}

TEST_F(Lodging, WithoutSharingEachHasItsOwn) {
  mmu = std::move(*make_mmu({.mode = Mode::Window, .share_tables = false}, memory.ram, listener, &backend));
  use(kRootA);
  const uint64_t base = cpu->mem_base;
  use(kRootB);
  EXPECT_NE(cpu->mem_base, base);
}

// Space after space, with room for few and for few windows.
TEST_F(Lodging, SpacesAndWindowsRunOut) {
  FillingBackend few(memory.ram, 3);
  mmu = std::move(*make_mmu({.mode = Mode::Window, .max_spaces = 6}, memory.ram, listener, &few));
  for (uint32_t i = 0; i < 40; i++) {
    const uint64_t root = 0x40100000 + i % 13 * 0x4000;
    set(root, kUserVa, section(0x41000000 + (i % 13 << 20)));
    set(root, kVa, section(i % 13 < 7 ? 0x50000000 : 0x51000000));
    cpu->mode = i % 3 ? 0x13 : 0x10;
    use(root, 1 + i % 13);
    const auto* const entry = few.window_at(cpu->mem_base).reach(kUserVa, true);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->pa, 0x41000000u + (i % 13 << 20));
  }
  EXPECT_LE(few.windows(), 3u);
  mmu.reset();  // before what it has windows of
}

// ---- the torture test

TortureResult torture(const MmuConfig& config, uint64_t seed, Regimes regimes, size_t most_windows = 1000) {
  TestMemory memory(64 << 20);
  FillingBackend backend(memory.ram, most_windows);
  FillingAccessor accessor(memory.ram, backend);
  TortureResult r = run_torture(config, memory.ram, &backend, accessor, seed, 40000, regimes);
  EXPECT_EQ(r.failure, "") << "seed " << seed;
  EXPECT_GT(r.required_flushes, 0u);
  EXPECT_GT(r.statistics.window_faults_filled, 0u);
  return r;
}

TEST(LodgingTorture, AnyRegimes) {
  uint64_t sharing = 0;
  for (uint64_t i = 0; i < 6 && !testing::Test::HasFailure(); i++)
    sharing += torture({.mode = Mode::Window, .flush = static_cast<FlushPolicy>(i % 3)}, test_seed() + i, Regimes::Any)
                   .statistics.spaces_sharing;
  EXPECT_GT(sharing, 10u);
}

TEST(LodgingTorture, Processes) {
  uint64_t sharing = 0, parted = 0;
  for (uint64_t i = 0; i < 6 && !testing::Test::HasFailure(); i++) {
    const Statistics s =
        torture({.mode = Mode::Window, .flush = static_cast<FlushPolicy>(i % 3)}, test_seed() + i, Regimes::Processes)
            .statistics;
    sharing += s.spaces_sharing;
    parted += s.spaces_parted;
  }
  EXPECT_GT(sharing, 10u);
  EXPECT_GT(parted, 0u);
}

TEST(LodgingTorture, FewSpacesAndWindows) {
  for (const size_t windows : {1, 2, 3, 5})
    for (const uint32_t spaces : {3u, 64u})
      for (const Regimes regimes : {Regimes::Any, Regimes::Processes})
        torture({.mode = Mode::Window, .max_spaces = spaces}, test_seed(), regimes, windows);
}

TEST(LodgingTorture, Hybrid) {
  for (const bool at_once : {false, true}) {
    MmuConfig config{.mode = Mode::Hybrid};
    config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
    config.costs.judge_after = config.costs.half_life = 50;
    // both forms look better than the other
    config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
    config.costs.accesses_of_entry = at_once ? 4'000 : -1'000;
    const TortureResult r = torture(config, test_seed(), Regimes::Processes);
    EXPECT_GT(r.statistics.promotions, 10u);
    EXPECT_GT(r.statistics.demotions, 0u);
  }
}

}  // namespace
}  // namespace crosswalk::mmu::test
