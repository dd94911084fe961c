// SPDX-License-Identifier: GPL-2.0-or-later
// What windows have in common.
#include <gtest/gtest.h>

#include <memory>

#include "tests/mmu-shadow/noting_backend.h"
#include "tests/mmu-shadow/spaces_fixture.h"
#include "translator/arm32/cpu/debug.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kKernelRoot = 0x4000c000;

class Shared : public SpacesTest {
 protected:
  Shared() {
    cpu->cp15.ttbr1 = kKernelRoot;
    mmu = std::move(*make_mmu({.mode = Mode::Window, .fill_around = false}, memory.ram, listener, &backend));
  }
  ~Shared() override { mmu.reset(); }
  uint64_t reaches(uint32_t va) const override { return backend.reaches(cpu->mem_base, va); }
  void watch(uint32_t va) {
    cpu->debug.dbgdscr = 1u << 15;
    cpu->debug.dbgwvr[0] = va & ~7u;
    cpu->debug.dbgwcr[0] = 0x1fff;  // any access to eight bytes
    arm::recompute_debug(*cpu);
    mmu->debug_changed(*cpu);
  }
  uint64_t load(uint32_t va) override {
    if (reaches(va) != 0) return reaches(va);
    Translation t;
    switch (mmu->window_fault(*cpu, va, 4, false, t)) {
      case FaultOutcome::Installed: return reaches(va);
      case FaultOutcome::Device:
      case FaultOutcome::Once:
      case FaultOutcome::BesideCode: return t.ok && t.host ? t.pa : 0;  // by hand
      default: return 0;
    }
  }
  NotingBackend backend;
};

// A space that has missed nothing joins others that missed a flush.
TEST_F(Shared, WhatASpaceJoinsMayHaveMissedAFlush) {
  constexpr uint32_t kTable = 0x40014000, kOtherVa = 0xc0700000;
  const auto page = [](uint32_t pa) { return pa | 2 | 3 << 2 | 3 << 4; };
  memory.write32(kTable, page(0x41000000));
  set(kRootB, kVa, kTable | 1);
  use(kRootB);
  EXPECT_EQ(load(kVa), 0x41000000u);
  use(kRootC);
  use(kRootA);
  memory.write32(kTable, page(0x42000000));
  mmu->flush_all(*cpu);
  use(kRootC);
  use(kRootA);
  set(kRootA, kOtherVa, section(0x43000000));  // what A and C share changes,
  EXPECT_EQ(load(kOtherVa), 0x43000000u);
  set(kRootC, kVa, kTable | 1);  // and C is now as B is
  use(kRootC);
  EXPECT_EQ(statistics().spaces_parted, 1u);
  EXPECT_EQ(load(kVa), 0x42000000u);
}

TEST_F(Shared, WhatTtbr1TranslatesIsOne) {
  cpu->cp15.ttbcr = 1;
  set(kKernelRoot, kVa, section(0x41000000));
  set(kRootA, 0x100000, section(0x42000000));
  set(kRootB, 0x100000, section(0x43000000));
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
  EXPECT_EQ(load(0x100000), 0x42000000u);
  use(kRootB);
  EXPECT_EQ(reaches(kVa), 0x41000000u);
  EXPECT_EQ(load(0x100000), 0x43000000u);
  EXPECT_EQ(statistics().window_faults_installed, 3u);
  EXPECT_EQ(statistics().spaces_sharing, 2u);
  // Whatever the one flushes is flushed for the other, before it is used again.
  mmu->flush_mva(*cpu, kVa, 77);
  EXPECT_EQ(reaches(kVa), 0u);
  EXPECT_EQ(load(kVa), 0x41000000u);
  cpu->mode = 0x10;  // a user's window has nothing of it
  use(kRootB);
  EXPECT_EQ(statistics().spaces_sharing, 2u);
}

TEST_F(Shared, EqualDescriptorsOfTtbr0AreOne) { equal_descriptors_are_one(); }
TEST_F(Shared, ASpaceThatDiffersAtFirstHasItsOwn) { a_space_that_differs_at_first_has_its_own(); }
TEST_F(Shared, ADescriptorBecomesValidInOneSpace) { a_descriptor_becomes_valid_in_one_space(); }
TEST_F(Shared, ADescriptorBecomesValidInAllSpaces) { a_descriptor_becomes_valid_in_all_spaces(); }

// Before the flush, an entry of the new table must not appear in a space that has the old one, nor
// the other way round.
TEST_F(Shared, AValidDescriptorChangesInOneSpace) {
  for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
  set(kRootC, kVa, section(0x42000000));
  use(kRootB);
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
  set(kRootA, kVa, section(0x42000000));
  EXPECT_EQ(load(kVa + 0x1000), 0x42001000u);
  EXPECT_EQ(reaches(kVa + 0x1000), 0u);
  use(kRootC);
  EXPECT_EQ(load(kVa), 0x42000000u);
  use(kRootA);
  EXPECT_EQ(reaches(kVa + 0x1000), 0u);
  EXPECT_EQ(load(kVa + 0x1000), 0x42001000u);
  EXPECT_EQ(reaches(kVa + 0x1000), 0x42001000u);  // it shares with C now
  mmu->flush_mva_all_asids(*cpu, kVa);
  EXPECT_EQ(load(kVa), 0x42000000u);
  use(kRootB);
  EXPECT_EQ(load(kVa), 0x41000000u);
  EXPECT_EQ(load(kVa + 0x1000), 0x41001000u);
}

TEST_F(Shared, AFlushComparesWhatItCovers) {
  for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
  use(kRootB);
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
  set(kRootB, kVa, section(0x42000000));
  mmu->flush_mva_all_asids(*cpu, kVa + 0x100000);
  use(kRootB);
  EXPECT_EQ(statistics().spaces_parted, 0u);  // B's change is not flushed yet
  mmu->flush_mva_all_asids(*cpu, kVa);
  EXPECT_EQ(statistics().spaces_parted, 1u);
  EXPECT_EQ(load(kVa), 0x42000000u);
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
}

TEST_F(Shared, TheLastOneTakesItAlong) {
  mmu = std::move(
      *make_mmu({.mode = Mode::Window, .max_spaces = 2, .fill_around = false}, memory.ram, listener, &backend));
  cpu->space = nullptr;
  cpu->cp15.ttbcr = 1;
  for (uint64_t root = kRootA; root < kRootA + 8 * 0x4000; root += 0x4000) {
    cpu->cp15.ttbr1 = root;  // each with a kernel of its own
    use(root);
    load(kVa);
  }
  EXPECT_LE(backend.windows(), 4u);
  EXPECT_GE(backend.made, 8u);
  mmu.reset();
  EXPECT_EQ(backend.windows(), 0u);
}

TEST_F(Shared, NothingIsSharedIfSoAsked) {
  mmu = std::move(*make_mmu({.mode = Mode::Window, .share_tables = false}, memory.ram, listener, &backend));
  cpu->space = nullptr;
  for (const uint64_t root : {kRootA, kRootB}) {
    set(root, kVa, section(0x41000000));
    use(root);
    EXPECT_EQ(reaches(kVa), 0u);
    EXPECT_EQ(load(kVa), 0x41000000u);
  }
  EXPECT_EQ(statistics().spaces_sharing, 0u);
}

// A page with a watched byte goes from what is shared too, before a sharer is used again.
TEST_F(Shared, WatchedPagesAreNotInIt) {
  for (const uint64_t root : {kRootA, kRootB}) set(root, kVa, section(0x41000000));
  use(kRootA);
  EXPECT_EQ(load(kVa), 0x41000000u);
  EXPECT_EQ(load(kVa + 0x1000), 0x41001000u);
  cpu->mode = 0x10;
  use(kRootA);
  watch(kVa + 0x20);
  cpu->mode = 0x13;
  use(kRootB);
  EXPECT_EQ(reaches(kVa), 0u);
  EXPECT_EQ(load(kVa), 0x41000000u);
  EXPECT_EQ(reaches(kVa), 0u);
}

// A flush shows that a space has come to be like others, which have not been current since a page
// was watched, and another came to hold code.
TEST_F(Shared, WhoJoinsFindsNoOldEntries) {
  constexpr uint32_t kCodeVa = kVa + 0x100000, kWatchedVa = kVa + 0x200000;
  for (const uint64_t root : {kRootA, kRootB}) {
    set(root, kCodeVa, section(0x42000000));
    set(root, kWatchedVa, section(0x43000000));
  }
  set(kRootA, kVa, section(0x41000000));
  use(kRootA);
  EXPECT_EQ(load(kCodeVa), 0x42000000u);
  EXPECT_TRUE(backend.writable(cpu->mem_base, kCodeVa));
  EXPECT_EQ(load(kWatchedVa), 0x43000000u);
  set(kRootB, kVa, section(0x40100000));
  use(kRootB);
  EXPECT_EQ(reaches(kCodeVa), 0u);
  watch(kWatchedVa);
  mmu->protect_code_page(0x42000000);
  set(kRootB, kVa, section(0x41000000));
  mmu->flush_mva(*cpu, kVa, 0);
  EXPECT_EQ(reaches(kCodeVa), 0x42000000u);
  EXPECT_FALSE(backend.writable(cpu->mem_base, kCodeVa));
  EXPECT_EQ(reaches(kWatchedVa), 0u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
