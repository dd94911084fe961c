// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/mmu-shadow/torture.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <memory>

#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kRamSize = 64 << 20;

void expect_agreement(const TortureResult& r, uint64_t seed) {
  EXPECT_EQ(r.failure, "") << "seed " << seed;
  // The test must have tested something.
  EXPECT_GT(r.accesses, 0u);
  EXPECT_GT(r.guest_faults, 0u);
  EXPECT_GT(r.devices, 0u);
  EXPECT_GT(r.required_flushes, 0u);
  EXPECT_GT(r.code_writes, 0u);
  EXPECT_GT(r.statistics.entries_removed, 0u);
}

TEST(Torture, Soft) {
  const uint64_t seed = test_seed();
  SoftAccessor accessor;
  for (uint64_t i = 0; i < 6; i++) {
    TestMemory memory(kRamSize);
    MmuConfig config{.mode = i & 1 ? Mode::SoftCall : Mode::Soft,
                     .flush = static_cast<FlushPolicy>(i % 3),
                     .max_spaces = i >= 3 ? 3u : 64u};
    const TortureResult r = run_torture(config, memory.ram, nullptr, accessor, seed + i, 40000);
    expect_agreement(r, seed + i);
    EXPECT_GT(r.statistics.soft_misses, 0u);
    if (HasFailure()) return;
  }
}

// Fixed sizes. Those that change are SizedTlbTest's.
TEST(Torture, SoftTlbsOfOtherSizes) {
  constexpr SoftTlbSizes kSizes[] = {{256, 256}, {4096, 4096}, {65536, 65536}};
  const uint64_t seed = test_seed();
  SoftAccessor accessor;
  for (uint64_t i = 0; i < 6; i++) {
    TestMemory memory(kRamSize);
    const MmuConfig config{.mode = Mode::Soft,
                           .flush = static_cast<FlushPolicy>(i % 2 + 1),
                           .max_spaces = i >= 3 ? 3u : 64u,
                           .soft_tlb = kSizes[i % 3]};
    const TortureResult r = run_torture(config, memory.ram, nullptr, accessor, seed + i, 40000);
    expect_agreement(r, seed + i);
    if (HasFailure()) return;
  }
}

void torture_mmap(const MmuConfig& config, uint32_t max_maps, uint64_t runs, uint64_t steps) {
  const uint64_t seed = test_seed();
  SignalAccessor accessor;
  for (uint64_t i = 0; i < runs; i++) {
    TestMemory memory(kRamSize);
    const auto backend = make_mmap(memory.ram, max_maps);
    const TortureResult r = run_torture(config, memory.ram, backend.get(), accessor, seed + i, steps);
    expect_agreement(r, seed + i);
    EXPECT_GT(r.statistics.window_faults_installed, 0u);
    if (max_maps != 0) {
      EXPECT_GT(r.statistics.spaces_cleared, 0u);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Torture, MmapWindows) { torture_mmap({.mode = Mode::Window}, 0, 4, 30000); }

TEST(Torture, MmapWindowsFlushedEagerly) {
  torture_mmap({.mode = Mode::Window, .flush = FlushPolicy::Eager}, 0, 4, 30000);
}

TEST(Torture, MmapWindowsFlushedByCost) {
  torture_mmap({.mode = Mode::Window, .flush = FlushPolicy::Auto}, 0, 2, 30000);
}

// Of spaces whose windows cost next to nothing: with three flush policies, then with room for three
// spaces. `begin` says how spaces begin, `expect` what must have happened.
template <typename Begin, typename Expect>
void torture_hybrid(Begin begin, Expect expect) {
  const uint64_t seed = test_seed();
  HybridAccessor accessor;
  for (uint64_t i = 0; i < 4; i++) {
    const bool few = i == 3;
    TestMemory memory(kRamSize);
    const auto backend = make_mmap(memory.ram);
    MmuConfig config{.mode = Mode::Hybrid, .flush = static_cast<FlushPolicy>(i % 3), .max_spaces = few ? 3u : 64u};
    config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
    config.costs.judge_after = 50;
    // Beyond 1, the share makes both forms look better than the other.
    config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
    config.prefill = i != 2;
    begin(config.costs);
    const TortureResult r = run_torture(config, memory.ram, backend.get(), accessor, seed + i, 30000);
    expect_agreement(r, seed + i);
    expect(r.statistics, few);
    if (::testing::Test::HasFailure()) return;
  }
}

// Spaces get windows and lose them all the time.
TEST(Torture, Hybrid) {
  torture_hybrid([](MmuCosts& costs) { costs.accesses_of_entry = -1'000; },  // on a software TLB
                 [](const Statistics& s, bool few) {
                   // with three spaces, most are evicted first
                   EXPECT_GT(s.promotions, few ? 20u : 300u);
                   EXPECT_GT(s.demotions, 0u);
                 });
}

// Spaces begin in windows, lose them, and get them back.
TEST(Torture, HybridOfCheapWindows) {
  torture_hybrid([](MmuCosts& costs) { costs.half_life = 50; },
                 [](const Statistics& s, bool few) {
                   // with three spaces, they are evicted before
                   EXPECT_GT(s.promotions + (few ? 11 : 0), 10u);
                   EXPECT_GT(s.demotions, 20u);
                 });
}

TEST(Torture, MmapWindowsWithoutFillAround) { torture_mmap({.mode = Mode::Window, .fill_around = false}, 0, 2, 30000); }

TEST(Torture, MmapWindowsInPiecesOf64K) { torture_mmap({.mode = Mode::Window, .fill_bytes = 64 << 10}, 0, 2, 30000); }

TEST(Torture, FewMmapWindows) { torture_mmap({.mode = Mode::Window, .max_spaces = 3}, 0, 2, 30000); }

// Answers the question for resident pages with far too many, one time in three.
class ResidentPages final : public WindowBackend {
 public:
  explicit ResidentPages(std::unique_ptr<WindowBackend> inner) : inner_(std::move(inner)) {}
  std::unique_ptr<Window> create_window() override { return inner_->create_window(); }
  uint64_t resident_pages() override { return ++asked_ % 3 == 0 ? 1 << 20 : 0; }
  double resident_check_ns() const override { return 1; }

 private:
  const std::unique_ptr<WindowBackend> inner_;
  uint64_t asked_ = 0;
};

// All limits at once, as small as they can be.
TEST(Torture, TinyLimits) {
  const uint64_t seed = test_seed();
  for (uint64_t i = 0; i < 6; i++) {
    TestMemory memory(kRamSize);
    constexpr Mode kModes[] = {Mode::Window, Mode::Hybrid, Mode::Soft};
    MmuConfig config{.mode = kModes[i % 3],
                     .flush = static_cast<FlushPolicy>(i % 2),
                     .max_page_ids = 100,
                     .max_resident_pages = 500,
                     .max_window_leaves = 16};
    config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
    config.costs.judge_after = 50;
    config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
    config.costs.accesses_of_entry =
        i < 3 ? -1'000 : 4'000;  // of hybrid: spaces begin on a software TLB, or in a window
    std::unique_ptr<WindowBackend> backend;
    if (config.mode != Mode::Soft) backend = std::make_unique<ResidentPages>(make_mmap(memory.ram));
    SoftAccessor soft;
    HybridAccessor windows;
    Accessor& accessor = config.mode == Mode::Soft ? static_cast<Accessor&>(soft) : windows;
    const TortureResult r = run_torture(config, memory.ram, backend.get(), accessor, seed + i, 30000);
    expect_agreement(r, seed + i);
    EXPECT_GT(r.statistics.page_id_drops, 2u);
    if (backend) {
      EXPECT_GT(r.statistics.spaces_over_budget, 100u);
      EXPECT_LE(r.statistics.most_window_leaves, 16u + 1);
    }
    if (HasFailure()) return;
  }
}

// A host that refuses one mapping in twenty, with the range unmapped then as likely as not.
void* unreliable_map(void* address, size_t bytes, int protection, int flags, int fd, long offset) {
  static uint64_t calls;
  if (++calls % 20 == 0 && (flags & MAP_FIXED)) {
    if (protection != PROT_NONE && calls % 40 == 0) munmap(address, bytes);
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return mmap(address, bytes, protection, flags, fd, offset);
}

TEST(Torture, MappingsThatFail) {
  const uint64_t seed = test_seed();
  SignalAccessor accessor;
  for (uint64_t i = 0; i < 3; i++) {
    TestMemory memory(kRamSize);
    const auto backend = make_mmap(memory.ram, 0, unreliable_map);
    const TortureResult r = run_torture({.mode = Mode::Window, .flush = static_cast<FlushPolicy>(i)}, memory.ram,
                                        backend.get(), accessor, seed + i, 20000);
    expect_agreement(r, seed + i);
    EXPECT_GT(r.statistics.spaces_cleared, 10u);
    if (HasFailure()) return;
  }
}

TEST(Torture, FewHostMappings) { torture_mmap({.mode = Mode::Window, .max_spaces = 16}, 60, 2, 30000); }

TEST(Torture, FewHostMappingsFlushedEagerly) {
  torture_mmap({.mode = Mode::Window, .flush = FlushPolicy::Eager, .max_spaces = 16}, 60, 2, 30000);
}

}  // namespace
}  // namespace crosswalk::mmu::test
