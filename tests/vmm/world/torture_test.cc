// SPDX-License-Identifier: GPL-2.0-or-later
// mmu-shadow's torture test as a whole inside the VM, with each backend. CROSSWALK_TORTURE_STEPS is
// its length instead of the usual one: few steps for emulated machines, many for a thorough test.
#include "tests/mmu-shadow/torture.h"

#include <unistd.h>

#include <cstdlib>

#include "tests/vmm/world/access.h"
#include "tests/vmm/world/fixture.h"
#include "vmm/world/kmod/kmod_backend.h"
#include "vmm/world/kvm/shadow_backend.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::test {
namespace {

constexpr uint64_t kRamBytes = 64 << 20;

// Accesses through the window, if the address space has one; faults go to the Mmu as the engine's
// handler would do it.
class WorldAccessor final : public mmu::test::Accessor {
 public:
  mmu::test::AccessResult access(CpuState& cpu, mmu::Mmu& mmu, uint32_t va, uint32_t bytes, bool write,
                                 uint64_t value) override {
    if (!cpu.memory_window) return soft_.access(cpu, mmu, va, bytes, write, value);
    cpu_ = &cpu, mmu_ = &mmu, va_ = va, bytes_ = bytes, write_ = write, value_ = value;
    result_ = {};
    const uint64_t address = cpu.mem_base + va;
    const Accessed done = write ? store(address, bytes, value) : load(address, bytes);
    if (!done.given_up && !write) result_.value = done.value;
    return result_;
  }
  bool fault(engine::FaultFrame& frame) {
    if (!is_access(frame)) return false;
    const uint64_t address = frame.address_valid ? frame.address : frame.gpr[7];
    const int64_t offset = static_cast<int64_t>(address - cpu_->mem_base);
    if (!resolve_window_fault(*cpu_, *mmu_, offset, va_, bytes_, write_, value_, result_)) give_up(frame);
    return true;
  }

 private:
  CpuState* cpu_ = nullptr;
  mmu::Mmu* mmu_ = nullptr;
  uint32_t va_ = 0, bytes_ = 0;
  bool write_ = false;
  uint64_t value_ = 0;
  mmu::test::AccessResult result_;
  mmu::test::SoftAccessor soft_;
};

uint64_t steps_or(uint64_t usual) {
  const char* asked = std::getenv("CROSSWALK_TORTURE_STEPS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 0) : usual;
}
// Whether a test may be shorter than usual, too short for what seldom happens.
bool shortened() {
  constexpr uint64_t kMost = 60000;
  return steps_or(kMost) < kMost;
}

void expect_sharing(const mmu::Statistics& statistics) {
  if (!shortened()) {
    EXPECT_GT(statistics.spaces_sharing, 10u);
  }
}

mmu::Statistics torture(engine::World& world, const mmu::MmuConfig& config, const GuestRam& ram,
                        mmu::WindowBackend& backend, uint64_t seed, uint64_t steps,
                        mmu::test::Regimes regimes = mmu::test::Regimes::Any) {
  WorldAccessor accessor;
  mmu::test::TortureResult result;
  run_in(
      world, [&] { result = mmu::test::run_torture(config, ram, &backend, accessor, seed, steps_or(steps), regimes); },
      [&](engine::FaultFrame& frame) { return accessor.fault(frame); });
  EXPECT_EQ(result.failure, "") << "seed " << seed;
  EXPECT_GT(result.accesses, 0u);
  EXPECT_GT(result.required_flushes, 0u);
  const mmu::Statistics& s = result.statistics;
  EXPECT_GT(s.window_faults_installed + s.window_faults_filled, 0u);
  return result.statistics;
}

TEST(ProcessWorldTorture, Mmap) {
  TestRam ram(kRamBytes);
  const auto world = std::move(*vmm::make_process_world());
  const auto backend = make_mmap(ram.ram);
  torture(*world, {.mode = mmu::Mode::Window}, ram.ram, *backend, 1, 20000);
}

class KvmTorture : public KvmTest {
 protected:
  // RAM, a world and `shadow` windows in it.
  struct Shadow {
    explicit Shadow(unsigned windows, const kvm::KvmOptions& options = {}) : world(make_world(options)) {
      backend = make_shadow(*world, ram.ram, windows);
    }
    mmu::Statistics torture(const mmu::MmuConfig& config, uint64_t seed, uint64_t steps,
                            mmu::test::Regimes regimes = mmu::test::Regimes::Any) {
      return backend ? test::torture(*world, config, ram.ram, *backend, seed, steps, regimes) : mmu::Statistics{};
    }

    TestRam ram{kRamBytes};
    const std::unique_ptr<kvm::KvmWorld> world;
    std::unique_ptr<mmu::WindowBackend> backend;
  };
};

TEST_F(KvmTorture, Shadow) {
  for (uint64_t seed = 1; seed <= 6 && !HasFailure(); seed++) {
    Shadow shadow(72);
    const mmu::Statistics s = shadow.torture({.mode = mmu::Mode::Window,
                                              .flush = static_cast<mmu::FlushPolicy>(seed % 3),
                                              .max_spaces = seed == 2 ? 3u : 64u},
                                             seed, 20000);
    expect_sharing(s);
  }
}

// Windows share as much as they ever do, and begin and stop it all the time.
TEST_F(KvmTorture, ShadowOfProcesses) {
  for (uint64_t seed = 41; seed <= 46 && !HasFailure(); seed++) {
    Shadow shadow(72);
    const mmu::Statistics s =
        shadow.torture({.mode = mmu::Mode::Window, .flush = static_cast<mmu::FlushPolicy>(seed % 3)}, seed, 20000,
                       mmu::test::Regimes::Processes);
    if (shortened()) continue;
    expect_sharing(s);
    EXPECT_GT(s.spaces_parted, 10u);
  }
}

TEST_F(KvmTorture, ShadowWithTablesOfItsOwn) {
  Shadow shadow(64);
  const mmu::Statistics s = shadow.torture({.mode = mmu::Mode::Window, .share_tables = false}, 7, 20000);
  EXPECT_EQ(s.spaces_sharing, 0u);
}

TEST_F(KvmTorture, HybridOfShadow) {
  for (uint64_t seed = 8; seed <= 10 && !HasFailure(); seed++) {
    Shadow shadow(72);
    mmu::MmuConfig config{.mode = mmu::Mode::Hybrid};
    config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
    config.costs.judge_after = 50;
    config.costs.half_life = 50;
    // both forms look better than the other
    config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
    const bool at_once = seed == 10;  // spaces begin in windows
    config.costs.accesses_of_entry = at_once ? 4'000 : -1'000;
    const mmu::Statistics s = shadow.torture(config, seed, 60000);
    if (shortened()) continue;
    expect_sharing(s);
    EXPECT_GT(s.promotions, at_once ? 10u : 100u);
    EXPECT_GT(s.demotions, 0u);
  }
}

// As few page tables as can be, in the engine's budget and in all.
TEST_F(KvmTorture, ShadowWithFewPageTables) {
  using mmu::test::Regimes;
  for (uint64_t seed = 51; seed <= 54 && !HasFailure(); seed++) {
    const bool pool = seed % 2;  // they run out; or the engine empties windows before
    Shadow shadow(72, {.page_table_bytes = pool ? uint64_t{2} << 20 : uint64_t{64} << 20});
    ASSERT_NE(shadow.backend, nullptr);
    // Another window has most of them.
    const auto other = shadow.backend->create_window();
    for (uint64_t i = 0; pool && i < 350; i++)
      ASSERT_TRUE(other->install(static_cast<uint32_t>(i << 21), shadow.ram.ram.base, 4096, false));
    mmu::MmuConfig config{.mode = mmu::Mode::Window, .max_page_ids = 100};
    if (!pool) config.max_window_leaves = 16;
    const mmu::Statistics s = shadow.torture(config, seed, 20000, seed > 52 ? Regimes::Processes : Regimes::Any);
    if (shortened()) continue;
    EXPECT_GT(s.page_id_drops, 0u);
    EXPECT_GT(pool ? s.spaces_cleared : s.spaces_over_budget, pool ? 0u : 10u) << "seed " << seed;
  }
}

TEST_F(KvmTorture, ShadowWithFewWindowsAndExits) {
  using Options = kvm::KvmOptions;
  Shadow shadow(3, {.fault_delivery = Options::FaultDelivery::Exit, .flush = Options::Flush::Exit});
  shadow.torture({.mode = mmu::Mode::Window}, 11, 8000);
}

TEST_F(KvmTorture, Ept) {
  TestRam ram(kRamBytes);
  const auto world = make_world();
  const auto backend = make_ept(*world, ram.ram);
  expect_sharing(torture(*world, {.mode = mmu::Mode::Window}, ram.ram, *backend, 21, 8000));
  expect_sharing(
      torture(*world, {.mode = mmu::Mode::Window, .flush = mmu::FlushPolicy::Eager}, ram.ram, *backend, 22, 8000));
  torture(*world, {.mode = mmu::Mode::Window, .share_tables = false}, ram.ram, *backend, 23, 8000);
  const mmu::Statistics few = torture(*world, {.mode = mmu::Mode::Window, .max_page_ids = 100, .max_window_leaves = 16},
                                      ram.ram, *backend, 24, 8000);
  if (!shortened()) {
    EXPECT_GT(few.spaces_over_budget, 10u);
  }
}

TEST_F(KvmTorture, HybridOfEpt) {
  TestRam ram(kRamBytes);
  const auto world = make_world();
  const auto backend = make_ept(*world, ram.ram);
  mmu::MmuConfig config{.mode = mmu::Mode::Hybrid};
  config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
  config.costs.judge_after = config.costs.half_life = 50;
  // both forms look better than the other
  config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
  // not in windows from the start
  config.costs.accesses_of_entry = -1'000;
  const mmu::Statistics s = torture(*world, config, ram.ram, *backend, 25, 8000);
  if (!shortened()) {
    EXPECT_GT(s.promotions, 10u);
    EXPECT_GT(s.demotions, 0u);
  }
}

// In `ept` a fault in a window is a host fault in any case; those of the engine's own memory come
// by exits here.
TEST_F(KvmTorture, EptWithExits) {
  TestRam ram(kRamBytes);
  using Options = kvm::KvmOptions;
  const auto world = make_world({.fault_delivery = Options::FaultDelivery::Exit, .flush = Options::Flush::Exit});
  const auto backend = make_ept(*world, ram.ram);
  torture(*world, {.mode = mmu::Mode::Window}, ram.ram, *backend, 31, 8000);
}

// Windows of the kernel module, where it is loaded, as in the emulated machine.
class KmodTorture : public ::testing::Test {
 protected:
  static constexpr uint64_t kSteps = 20000;

  void SetUp() override {
    if (access("/dev/crosswalk", F_OK) != 0) GTEST_SKIP() << "needs the kernel module";
  }

  // Torture in this world: two seeds with each flush policy, or a long one.
  static void lazy_eager_auto(engine::World& world) {
    const uint64_t last = steps_or(kSteps) > kSteps ? 63 : 66;
    for (uint64_t seed = 61; seed <= last && !HasFailure(); seed++) {
      const mmu::Statistics s = torture_of(world,
                                           {.mode = mmu::Mode::Window,
                                            .flush = static_cast<mmu::FlushPolicy>(seed % 3),
                                            .max_spaces = seed == 62 ? 3u : 64u},
                                           seed);
      EXPECT_EQ(s.window_faults_installed, 0u);  // the module makes all entries
    }
  }
  static void few_page_tables(engine::World& world) {
    const mmu::Statistics s =
        torture_of(world, {.mode = mmu::Mode::Window, .max_page_ids = 100, .max_window_leaves = 16}, 67);
    if (!shortened()) {
      EXPECT_GT(s.spaces_over_budget, 0u);
    }
  }
  static void hybrid(engine::World& world) {
    for (const bool at_once : {false, true}) {
      mmu::MmuConfig config{.mode = mmu::Mode::Hybrid};
      config.costs.window_fault = config.costs.window_flush = config.costs.window_create = 0.1;
      config.costs.judge_after = config.costs.half_life = 50;
      // both forms look better than the other
      config.costs.lookup_share[0] = config.costs.lookup_share[1] = 1e9;
      config.costs.accesses_of_entry = at_once ? 4'000 : -1'000;
      const mmu::Statistics s = torture_of(world, config, 68);
      if (shortened()) continue;
      EXPECT_GT(s.promotions, at_once ? 0u : 10u);
      EXPECT_GT(s.demotions, 0u);
    }
  }

 private:
  static mmu::Statistics torture_of(engine::World& world, const mmu::MmuConfig& config, uint64_t seed) {
    TestRam ram(kRamBytes);
    auto backend = kmod::make_kmod_backend(ram.ram);
    if (!backend) {
      ADD_FAILURE() << backend.error();
      return {};
    }
    world.deliver_by((*backend)->upcalls());
    const mmu::Statistics s = torture(world, config, ram.ram, **backend, seed, kSteps);
    world.deliver_by(nullptr);
    return s;
  }
};

TEST_F(KmodTorture, InAProcess) { lazy_eager_auto(**vmm::make_process_world()); }
TEST_F(KmodTorture, FewPageTables) { few_page_tables(**vmm::make_process_world()); }
TEST_F(KmodTorture, Hybrid) { hybrid(**vmm::make_process_world()); }

class KmodKvmTorture : public KmodTorture {
 protected:
  void SetUp() override {
    KmodTorture::SetUp();
    if (auto usable = kvm::check_kvm(); !usable) GTEST_SKIP() << "needs KVM: " << usable.error();
  }
};
TEST_F(KmodKvmTorture, InsideAVm) { lazy_eager_auto(*make_world()); }
TEST_F(KmodKvmTorture, FewPageTables) { few_page_tables(*make_world()); }
TEST_F(KmodKvmTorture, Hybrid) { hybrid(*make_world()); }

}  // namespace
}  // namespace crosswalk::test
