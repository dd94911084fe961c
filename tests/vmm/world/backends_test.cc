// SPDX-License-Identifier: GPL-2.0-or-later
// The window backends of the kvm world: what an access sees after installs, removals and commits.
#include <cstring>
#include <functional>
#include <map>
#include <random>

#include "mmu-shadow/mmu.h"
#include "tests/vmm/world/access.h"
#include "tests/vmm/world/fixture.h"
#include "vmm/world/kvm/shadow_backend.h"

namespace crosswalk::test {
namespace {

constexpr uint64_t kPage = 4096, kLarge = 2 << 20;
constexpr uint64_t kRamBytes = 64 << 20;

struct Case {
  const char* name;
  bool ept;
  kvm::KvmOptions options;
};

class Backends : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (auto usable = kvm::check_kvm(); !usable) GTEST_SKIP() << "needs KVM: " << usable.error();
    world_ = make_world(GetParam().options);
    ASSERT_NE(world_, nullptr);
    ram_ = std::make_unique<TestRam>(kRamBytes);
    for (uint64_t p = 0; p < kRamBytes; p += kPage) write_ram(p, signature(p));
    if (GetParam().ept) {
      backend_ = make_ept(*world_, ram_->ram);
    } else {
      backend_ = make_shadow(*world_, ram_->ram, 4);
    }
    ASSERT_NE(backend_, nullptr);
  }
  void TearDown() override { backend_.reset(); }

  static uint64_t signature(uint64_t offset) { return 0x5157000000000000 | offset; }
  void write_ram(uint64_t offset, uint64_t value) { std::memcpy(ram_->ram.host + offset, &value, 8); }
  uint64_t read_ram(uint64_t offset) const {
    uint64_t value;
    std::memcpy(&value, ram_->ram.host + offset, 8);
    return value;
  }
  uint64_t pa(uint64_t offset) const { return ram_->ram.base + offset; }

  // What a load sees: the RAM offset that the page maps, or nothing.
  static constexpr uint64_t kFault = ~uint64_t{0};
  static uint64_t seen(uint64_t address) {
    const Accessed a = load(address, 8);
    return a.given_up ? kFault : a.value & ~signature(0);
  }
  static bool can_write(uint64_t address, uint64_t value) { return store(address, 8, value).given_up == 0; }

  // Runs `body` in the VM; every window fault gives its access up.
  void inside(const std::function<void()>& body) {
    run_in(*world_, body, [&](engine::FaultFrame& frame) {
      if (!is_access(frame)) return false;
      faults_++;
      EXPECT_EQ(frame.address_valid, !GetParam().ept);
      if (frame.address_valid) {
        EXPECT_EQ(frame.address, frame.gpr[7]);
      }
      give_up(frame);
      return true;
    });
  }

  std::unique_ptr<kvm::KvmWorld> world_;
  std::unique_ptr<TestRam> ram_;
  std::unique_ptr<mmu::WindowBackend> backend_;
  int faults_ = 0;
};

using Delivery = kvm::KvmOptions::FaultDelivery;
using Flush = kvm::KvmOptions::Flush;
INSTANTIATE_TEST_SUITE_P(
    All, Backends,
    testing::Values(Case{"shadow", false, {}},
                    Case{"shadow_by_exits", false, {.fault_delivery = Delivery::Exit, .flush = Flush::Exit}},
                    Case{"ept", true, {}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(Backends, InstallRemoveCommit) {
  uint64_t before = 0, installed = 0, neighbour = 0, removed = 0, again = 0;
  inside([&] {
    auto w = backend_->create_window();
    if (!w) return;
    before = seen(w->base() + 0x5000);
    w->install(0x5000, pa(0x7000), kPage, true);
    w->commit();
    installed = seen(w->base() + 0x5000);
    neighbour = seen(w->base() + 0x6000);
    w->remove(0x5000, kPage);
    w->commit();
    removed = seen(w->base() + 0x5000);
    w->install(0x5000, pa(0x9000), kPage, true);
    w->commit();
    again = seen(w->base() + 0x5000);
    w.reset();
  });
  EXPECT_EQ(before, kFault);
  EXPECT_EQ(installed, 0x7000u);
  EXPECT_EQ(neighbour, kFault);
  EXPECT_EQ(removed, kFault);
  EXPECT_EQ(again, 0x9000u);
}

TEST_P(Backends, ReplacementIsSeenAfterCommit) {
  std::vector<uint64_t> values;
  inside([&] {
    auto w = backend_->create_window();
    if (!w) return;
    for (uint64_t i = 0; i < 30; i++) {
      w->install(0xc0000000, pa(i * kPage), kPage, i % 2);
      w->commit();
      values.push_back(seen(w->base() + 0xc0000000));
    }
  });
  ASSERT_EQ(values.size(), 30u);
  for (uint64_t i = 0; i < 30; i++) EXPECT_EQ(values[i], i * kPage);
}

TEST_P(Backends, WriteProtectionAndUpgrade) {
  bool read_only = true, upgraded = false, downgraded = true;
  uint64_t value = 0;
  inside([&] {
    auto w = backend_->create_window();
    if (!w) return;
    w->install(0x10000, pa(0x3000), kPage, false);
    w->commit();
    value = seen(w->base() + 0x10000);
    read_only = can_write(w->base() + 0x10000, 1);
    w->install(0x10000, pa(0x3000), kPage, true);
    w->commit();
    upgraded = can_write(w->base() + 0x10000, 2);
    w->install(0x10000, pa(0x3000), kPage, false);
    w->commit();
    downgraded = can_write(w->base() + 0x10000, 3);
  });
  EXPECT_EQ(value, 0x3000u);
  EXPECT_FALSE(read_only);
  EXPECT_TRUE(upgraded);
  EXPECT_FALSE(downgraded);
  EXPECT_EQ(read_ram(0x3000), 2u);
}

TEST_P(Backends, EdgesAndGuardsOfAWindow) {
  uint64_t first = 0, last = 0, below = 0, above = 0;
  inside([&] {
    auto w = backend_->create_window();
    if (!w) return;
    w->install(0, pa(0x1000), kPage, true);
    w->install(0xfffff000, pa(0x2000), kPage, true);
    w->commit();
    first = seen(w->base());
    last = seen(w->base() + 0xfffff000);
    below = seen(w->base() - 8);
    above = seen(w->base() + mmu::kWindowSize);
  });
  EXPECT_EQ(first, 0x1000u);
  EXPECT_EQ(last, 0x2000u);
  EXPECT_EQ(below, kFault);
  EXPECT_EQ(above, kFault);
  EXPECT_EQ(faults_, 2);
}

TEST_P(Backends, LargeRangesAndHolesInThem) {
  uint64_t wrong = 0, holes = 0;
  inside([&] {
    auto w = backend_->create_window();
    if (!w) return;
    w->install(0x40000000, pa(0), 16 << 20, true);
    w->remove(0x40000000 + 3 * kLarge + 5 * kPage, kPage);
    w->remove(0x40000000 + 5 * kLarge, kLarge);
    w->commit();
    for (uint64_t o = 0; o < 16 << 20; o += 16 * kPage + kPage) {
      const bool hole = o == 3 * kLarge + 5 * kPage || (o >= 5 * kLarge && o < 6 * kLarge);
      const uint64_t s = seen(w->base() + 0x40000000 + o);
      if (s != (hole ? kFault : o)) wrong++;
    }
    holes += seen(w->base() + 0x40000000 + 3 * kLarge + 5 * kPage) == kFault;
    holes += seen(w->base() + 0x40000000 + 3 * kLarge + 4 * kPage) == 3 * kLarge + 4 * kPage;
    holes += seen(w->base() + 0x40000000 + 5 * kLarge + kPage) == kFault;
  });
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(holes, 3u);
}

TEST_P(Backends, WindowsAreApart) {
  uint64_t a = 0, b = 0, b_other = 0;
  inside([&] {
    auto w1 = backend_->create_window(), w2 = backend_->create_window();
    if (!w1 || !w2) return;
    w1->install(0x1000, pa(0x1000), kPage, true);
    w2->install(0x1000, pa(0x2000), kPage, true);
    w2->install(0x2000, pa(0x4000), kPage, true);
    w2->commit();
    a = seen(w1->base() + 0x1000);
    b = seen(w2->base() + 0x1000);
    w1.reset();
    w2->commit();
    b_other = seen(w2->base() + 0x2000);
  });
  EXPECT_EQ(a, 0x1000u);
  EXPECT_EQ(b, 0x2000u);
  EXPECT_EQ(b_other, 0x4000u);
}

TEST_P(Backends, DestroyedWindowsComeBackEmpty) {
  int created = 0;
  uint64_t stale = 0;
  inside([&] {
    for (int i = 0; i < 12; i++) {
      auto w = backend_->create_window();
      if (!w) return;
      created++;
      if (seen(w->base() + 0x8000) != kFault || seen(w->base() + 0x40000000) != kFault) stale++;
      w->install(0x8000, pa(0x8000), kPage, true);
      w->install(0x40000000, pa(0), kLarge, true);
      if (seen(w->base() + 0x8000) != 0x8000 || seen(w->base() + 0x40001000) != 0x1000) stale++;
      w.reset();
    }
  });
  EXPECT_EQ(created, 12);
  EXPECT_EQ(stale, 0u);
}

TEST_P(Backends, SharedPartsOfWindowsAreOne) {
  struct {
    bool shared = false;
    uint64_t own = 0, below = 0, in_a = 0, in_b = 0, above = 0, moved = 0, removed = 0, unshared = 0, still = 0;
    bool read_only = true;
  } r;
  ASSERT_TRUE(backend_->can_share());
  inside([&] {
    auto a = backend_->create_window(), b = backend_->create_window(), common = backend_->create_window();
    if (!a || !b || !common) return;
    r.shared = a->share(0xc0000000, *common) && b->share(0xc0000000, *common);
    a->commit();
    b->commit();
    a->install(0xbffff000, pa(0x1000), kPage, true);
    a->commit();
    a->enter();
    r.own = seen(a->base() + 0xbffff000);
    r.below = seen(b->base() + 0xbffff000);
    common->install(0xc0000000, pa(0x2000), kPage, true);
    common->install(0xfffff000, pa(0x3000), kPage, true);
    common->commit();
    r.in_a = seen(a->base() + 0xc0000000);
    b->enter();
    r.in_b = seen(b->base() + 0xc0000000);
    r.above = seen(b->base() + 0xfffff000);
    common->install(0xc0000000, pa(0x4000), kPage, false);
    common->commit();
    r.moved = seen(b->base() + 0xc0000000);
    a->enter();
    r.read_only = !can_write(a->base() + 0xc0000000, 1);
    common->remove(0xc0000000, kPage);
    common->commit();
    r.removed = seen(a->base() + 0xc0000000);
    b->unshare();
    b->commit();
    r.unshared = seen(b->base() + 0xfffff000);
    r.still = seen(a->base() + 0xfffff000);
    a.reset();
    b.reset();
  });
  EXPECT_TRUE(r.shared);
  EXPECT_EQ(r.own, 0x1000u);
  EXPECT_EQ(r.below, kFault);
  EXPECT_EQ(r.in_a, 0x2000u);
  EXPECT_EQ(r.in_b, 0x2000u);
  EXPECT_EQ(r.above, 0x3000u);
  EXPECT_EQ(r.moved, 0x4000u);
  EXPECT_TRUE(r.read_only);
  EXPECT_EQ(r.removed, kFault);
  EXPECT_EQ(r.unshared, kFault);
  EXPECT_EQ(r.still, 0x3000u);
}

// What changes in common is effective where accesses are, and elsewhere when the window there is
// entered.
TEST_P(Backends, CommonChangesFollowTheWindowThatIsEntered) {
  std::vector<uint64_t> in_a, in_b;
  inside([&] {
    auto a = backend_->create_window(), b = backend_->create_window(), common = backend_->create_window();
    if (!a || !b || !common) return;
    if (!a->share(0xc0000000, *common) || !b->share(0xc0000000, *common)) return;
    a->commit();
    b->commit();
    for (uint64_t i = 1; i <= 20; i++) {
      a->enter();
      in_a.push_back(seen(a->base() + 0xc0000000));
      for (uint64_t p = 0; p < i; p++)
        common->install(static_cast<uint32_t>(0xc0000000 + p * kPage), pa((i + p) * kPage), kPage, true);
      common->commit();
      in_a.push_back(seen(a->base() + 0xc0000000));
      b->enter();
      in_b.push_back(seen(b->base() + 0xc0000000));
      if (i % 3 == 0) {
        common->remove(0xc0000000, kPage);
        common->commit();
        in_b.push_back(seen(b->base() + 0xc0000000));
      }
    }
    a.reset();
    b.reset();
  });
  ASSERT_EQ(in_a.size(), 40u);
  ASSERT_EQ(in_b.size(), 26u);
  size_t at_b = 0;
  for (uint64_t i = 1; i <= 20; i++) {
    EXPECT_EQ(in_a[2 * i - 2], i == 1 || (i - 1) % 3 == 0 ? kFault : (i - 1) * kPage) << i;
    EXPECT_EQ(in_a[2 * i - 1], i * kPage) << i;
    EXPECT_EQ(in_b[at_b++], i * kPage) << i;
    if (i % 3 == 0) {
      EXPECT_EQ(in_b[at_b++], kFault) << i;
    }
  }
}

TEST_P(Backends, OperationsOutsideTheVm) {
  auto w = backend_->create_window();
  ASSERT_NE(w, nullptr);
  ASSERT_TRUE(w->install(0x5000, pa(0x5000), kPage, true));
  ASSERT_TRUE(w->install(0x6000, pa(0x6000), kPage, true));
  w->commit();
  uint64_t first = 0, second = 0, removed = 0, kept = 0;
  inside([&] { first = seen(w->base() + 0x5000), second = seen(w->base() + 0x6000); });
  w->remove(0x5000, kPage);
  w->commit();
  inside([&] { removed = seen(w->base() + 0x5000), kept = seen(w->base() + 0x6000); });
  EXPECT_EQ(first, 0x5000u);
  EXPECT_EQ(second, 0x6000u);
  EXPECT_EQ(removed, kFault);
  EXPECT_EQ(kept, 0x6000u);
  w.reset();
}

TEST_P(Backends, HandlerInstallsAndTheAccessRepeats) {
  auto w = backend_->create_window();
  ASSERT_NE(w, nullptr);
  uint64_t sum = 0, expected = 0;
  const auto before = world_->counters();
  run_in(
      *world_,
      [&] {
        for (uint64_t i = 0; i < 50; i++) sum += load(w->base() + i * 3 * kPage, 8).value & ~signature(0);
      },
      [&](engine::FaultFrame& frame) {
        if (!is_access(frame)) return false;
        faults_++;
        const uint64_t va = (frame.gpr[7] - w->base()) & ~(kPage - 1);
        return w->install(static_cast<uint32_t>(va), pa(va), kPage, true);
      });
  const auto after = world_->counters();
  uint64_t by_reason = 0, ticks = 0;
  for (const auto& reason : after.by_reason) by_reason += reason.count, ticks += reason.ticks;
  EXPECT_EQ(by_reason, after.exits + after.interrupted);
  EXPECT_EQ(ticks, after.ticks_outside);
  for (uint64_t i = 0; i < 50; i++) expected += i * 3 * kPage;
  EXPECT_EQ(sum, expected);
  EXPECT_EQ(faults_, 50);
  // One exit a fault, or none at all with direct delivery; besides the one at the end of the run.
  const uint64_t exits = after.exits - before.exits - 1;
  if (GetParam().ept) {
    EXPECT_EQ(after.host_faults - before.host_faults, 50u);
    EXPECT_EQ(exits, 51u) << "one more for the first touch of the region";
    EXPECT_EQ(after.regions_added - before.regions_added, 1u);
  } else if (world_->mechanisms().direct_faults) {
    EXPECT_EQ(after.upcalls - before.upcalls, 50u);
    EXPECT_LE(exits, 2u) << "new engine memory at most";
  } else {
    EXPECT_EQ(after.page_fault_exits - before.page_fault_exits, 50u);
    EXPECT_LE(exits, 52u);
  }
}

TEST_P(Backends, RandomStepsAgreeWithAModel) {
  std::mt19937_64 random(7);
  struct Entry {
    uint64_t offset;
    bool writable;
  };
  std::map<std::pair<int, uint64_t>, Entry> model;  // (window, page) -> entry
  std::string failure;
  uint64_t accesses = 0;
  inside([&] {
    std::unique_ptr<mmu::Window> windows[2] = {backend_->create_window(), backend_->create_window()};
    if (!windows[0] || !windows[1]) {
      failure = "no window";
      return;
    }
    // Pages in a few tables, around a 2 MiB and a 1 GiB boundary and at both ends.
    const auto pick = [&]() -> uint64_t {
      static constexpr uint64_t kAreas[] = {0, 0x3ffff, 0x10000, 0xffe00};
      return std::min<uint64_t>(kAreas[random() % 4] + random() % 24, 0xfffff);
    };
    for (int step = 0; step < 10000 && failure.empty(); step++) {
      const int which = static_cast<int>(random() % 2);
      std::unique_ptr<mmu::Window>& w = windows[which];
      const uint64_t page = pick();
      switch (random() % 8) {
        case 0:
        case 1: {
          const uint64_t pages = std::min<uint64_t>(random() % 4 + 1, 0x100000 - page),
                         offset = random() % 4000 * kPage;
          const bool writable = random() % 2;
          if (!w->install(static_cast<uint32_t>(page * kPage), pa(offset), pages * kPage, writable)) {
            failure = "install failed";
            break;
          }
          w->commit();
          for (uint64_t i = 0; i < pages; i++) model[{which, page + i}] = {offset + i * kPage, writable};
          break;
        }
        case 2: {
          // Several removals, one commit.
          for (uint64_t n = random() % 20; n-- > 0;) {
            const uint64_t p = pick(), pages = std::min<uint64_t>(random() % 3 + 1, 0x100000 - p);
            w->remove(static_cast<uint32_t>(p * kPage), pages * kPage);
            for (uint64_t i = 0; i < pages; i++) model.erase({which, p + i});
          }
          w->commit();
          break;
        }
        case 3:
          if (random() % 100 != 0) break;
          w.reset();
          w = backend_->create_window();
          std::erase_if(model, [&](const auto& item) { return item.first.first == which; });
          if (!w) failure = "no window after a destroyed one";
          break;
        default: {
          accesses++;
          const auto entry = model.find({which, page});
          if (random() % 2) {
            const uint64_t expected = entry == model.end() ? kFault : entry->second.offset;
            const uint64_t actual = seen(w->base() + page * kPage);
            if (actual != expected) {
              failure = "step " + std::to_string(step) + ": load saw " + std::to_string(actual) + ", not " +
                        std::to_string(expected);
            }
          } else {
            const bool expected = entry != model.end() && entry->second.writable;
            // Beside the signature.
            const bool actual = can_write(w->base() + page * kPage + 64, static_cast<uint64_t>(step));
            if (actual != expected) failure = "step " + std::to_string(step) + ": wrong outcome of a store";
            if (expected && read_ram(entry->second.offset + 64) != static_cast<uint64_t>(step)) {
              failure = "step " + std::to_string(step) + ": a store went elsewhere";
            }
          }
        }
      }
    }
  });
  EXPECT_EQ(failure, "");
  EXPECT_GT(accesses, 3000u);
  EXPECT_GT(faults_, 100);
}

class Limits : public KvmTest {};

TEST_F(Limits, TooManyShadowWindowsAreRefused) {
  const auto world = make_world();
  TestRam ram(kRamBytes);
  const auto backend = make_shadow(*world, ram.ram, 2);
  ASSERT_NE(backend, nullptr);
  auto a = backend->create_window(), b = backend->create_window();
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(backend->create_window(), nullptr);
  const uint64_t base = a->base();
  a.reset();
  a = backend->create_window();
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->base(), base) << "reused after its own flush";
}

// Windows of the one kind are made where those of the other kind were.
TEST_F(Limits, BackendsTakeTurnsInOneWorld) {
  const auto world = make_world();
  TestRam ram(kRamBytes);
  for (int turn = 0; turn < 4; turn++) {
    const auto backend = turn % 2 ? make_shadow(*world, ram.ram, 2) : make_ept(*world, ram.ram);
    ASSERT_NE(backend, nullptr);
    const auto window = backend->create_window();
    ASSERT_NE(window, nullptr);
    int faults = 0;
    run_in(
        *world, [&] { load(window->base() + 0x5000, 8); },
        [&](engine::FaultFrame& frame) {
          if (++faults > 1 || !window->install(0x5000, ram.ram.base, kPage, true)) give_up(frame);
          return true;
        });
    EXPECT_EQ(faults, 1) << "turn " << turn;
  }
}

TEST_F(Limits, PageTableExhaustionFailsTheInstallAndDestroyingAWindowHelps) {
  const auto world = make_world({.page_table_bytes = 4 << 20});
  TestRam ram(kRamBytes);
  const auto backend = make_shadow(*world, ram.ram, 2);
  ASSERT_NE(backend, nullptr);
  bool failed = false, helped = false;
  run_in(*world, [&] {
    auto a = backend->create_window(), b = backend->create_window();
    uint64_t va = 0;
    for (; va < mmu::kWindowSize && !failed; va += kLarge) {
      failed = !a->install(static_cast<uint32_t>(va), ram.ram.base, kPage, true);
    }
    if (!failed) return;
    a.reset();
    helped = b->install(0, ram.ram.base, kPage, true);
  });
  EXPECT_TRUE(failed);
  EXPECT_TRUE(helped);
}

// Entries that are removed leave their tables to the window; clearing it gives them to others.
TEST_F(Limits, ClearingAWindowGivesItsPageTablesBack) {
  const auto world = make_world({.page_table_bytes = 4 << 20});
  TestRam ram(kRamBytes);
  const auto backend = make_shadow(*world, ram.ram, 2);
  ASSERT_NE(backend, nullptr);
  bool failed = false, removed = true, cleared = false;
  run_in(*world, [&] {
    auto a = backend->create_window(), b = backend->create_window();
    for (uint64_t va = 0; va < mmu::kWindowSize && !failed; va += kLarge) {
      failed = !a->install(static_cast<uint32_t>(va), ram.ram.base, kPage, true);
    }
    a->remove(0, mmu::kWindowSize);
    a->commit();
    removed = b->install(0, ram.ram.base, kPage, true);
    a->clear();
    a->commit();
    cleared = b->install(0, ram.ram.base, kPage, true);
  });
  EXPECT_TRUE(failed);
  EXPECT_FALSE(removed);
  EXPECT_TRUE(cleared);
}

TEST_F(Limits, BadDescriptorsGiveErrors) {
  kvm::Vm vm{kvm::FileDescriptor()};
  EXPECT_EQ(vm.add_slot(0, 0, 0, 4096).error(), "KVM_SET_USER_MEMORY_REGION: Bad file descriptor");
  EXPECT_EQ(kvm::Vcpu::create(vm, 4096, 0).error(), "KVM_CREATE_VCPU: Bad file descriptor");
  auto system = kvm::System::open();
  ASSERT_TRUE(system) << system.error();
  auto good = kvm::Vm::create(*system);
  ASSERT_TRUE(good) << good.error();
  // Not page-aligned.
  EXPECT_FALSE(good->add_slot(0, 123, 0, 4096));
}

TEST_F(Limits, OptionsThatCannotWorkGiveErrors) {
  auto made = kvm::KvmWorld::create({.page_table_bytes = uint64_t{2} << 30});
  EXPECT_NE(made.error().find("below 1 GiB"), std::string::npos) << made.error();
  made = kvm::KvmWorld::create({.page_table_bytes = 0});
  EXPECT_NE(made.error().find("page_table_bytes"), std::string::npos) << made.error();
}

}  // namespace
}  // namespace crosswalk::test
