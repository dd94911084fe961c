// SPDX-License-Identifier: GPL-2.0-or-later
// The ring-0 layer alone: page tables in plain memory, descriptor tables as bytes. No KVM.
#include "vmm/world/kvm/ring0/page_tables.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "vmm/world/kvm/ring0/upcall.h"

namespace crosswalk::kvm::ring0 {
namespace {

class TestAllocator final : public PageAllocator {
 public:
  explicit TestAllocator(size_t limit) : limit_(limit) {}
  uint64_t allocate() override {
    if (pages_.size() == limit_) return 0;
    next_ += kPageBytes;
    pages_[next_] = std::make_unique<Page>();
    return next_;
  }
  void release(uint64_t physical) override {
    ASSERT_TRUE(pages_.contains(physical));
    for (const uint64_t entry : pages_[physical]->entries) ASSERT_EQ(entry, 0u) << "a released page is not zero";
    pages_.erase(physical);
  }
  uint64_t* at(uint64_t physical) const override { return pages_.at(physical)->entries; }
  size_t in_use() const { return pages_.size(); }

 private:
  struct Page {
    uint64_t entries[512] = {};
  };
  std::map<uint64_t, std::unique_ptr<Page>> pages_;
  uint64_t next_ = 0x100000;
  size_t limit_;
};

constexpr uint64_t kVa = uint64_t{0x7f12} << 32;

TEST(PageTables, MapsWithTheLargestPageThatFits) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  // 4 KiB before a 2 MiB boundary to 4 KiB after the next one.
  ASSERT_TRUE(tables.map(kVa + kLargePageBytes - kPageBytes, 0x80000000 + kLargePageBytes - kPageBytes,
                         kLargePageBytes + 2 * kPageBytes, {}, changed));
  EXPECT_TRUE(changed.empty());
  EXPECT_FALSE(tables.translate(kVa + kLargePageBytes - kPageBytes - 1).present);
  const auto first = tables.translate(kVa + kLargePageBytes - 1);
  EXPECT_TRUE(first.present);
  EXPECT_EQ(first.pa, 0x80000000 + kLargePageBytes - 1);
  EXPECT_EQ(first.page_bytes, kPageBytes);
  const auto middle = tables.translate(kVa + kLargePageBytes + 0x12345);
  EXPECT_EQ(middle.pa, 0x80000000 + kLargePageBytes + 0x12345);
  EXPECT_EQ(middle.page_bytes, kLargePageBytes);
  EXPECT_TRUE(tables.translate(kVa + 2 * kLargePageBytes + kPageBytes - 1).present);
  EXPECT_FALSE(tables.translate(kVa + 2 * kLargePageBytes + kPageBytes).present);
}

TEST(PageTables, LargePageOnlyWhenBothAddressesAreAligned) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  ASSERT_TRUE(tables.map(kVa, 0x80001000, kLargePageBytes, {}, changed));
  EXPECT_EQ(tables.translate(kVa + 0x5000).page_bytes, kPageBytes);
  EXPECT_EQ(tables.translate(kVa + 0x5000).pa, 0x80006000u);
}

TEST(PageTables, RightsAreAsAsked) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  for (const bool writable : {false, true}) {
    for (const bool user : {false, true}) {
      ASSERT_TRUE(tables.map(kVa, 0x1000, kPageBytes, {.writable = writable, .user = user}, changed));
      EXPECT_EQ(tables.translate(kVa).writable, writable);
      EXPECT_EQ(tables.translate(kVa).user, user);
    }
  }
}

TEST(PageTables, WhatNeedsAnInvalidation) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  const auto map = [&](uint64_t pa, bool writable) {
    Invalidations changed;
    EXPECT_TRUE(tables.map(kVa, pa, kPageBytes, {.writable = writable}, changed));
    return changed;
  };
  EXPECT_TRUE(map(0x1000, false).empty()) << "not present to present";
  EXPECT_TRUE(map(0x1000, false).empty()) << "the same again";
  EXPECT_TRUE(map(0x1000, true).empty()) << "read-only to writable";
  EXPECT_FALSE(map(0x1000, false).empty()) << "writable to read-only";
  EXPECT_FALSE(map(0x2000, true).empty()) << "another page";
  Invalidations changed;
  EXPECT_TRUE(tables.unmap(kVa, kPageBytes, changed));
  ASSERT_FALSE(changed.empty());
  EXPECT_FALSE(changed.all());
  EXPECT_EQ(*changed.begin(), kVa);
  Invalidations again;
  EXPECT_TRUE(tables.unmap(kVa, kPageBytes, again));
  EXPECT_TRUE(again.empty()) << "nothing was there";
}

TEST(PageTables, ManyInvalidationsBecomeAFullFlush) {
  Invalidations changed;
  for (uint64_t i = 0; i < Invalidations::kMaximum; i++) changed.add(i * kPageBytes);
  EXPECT_FALSE(changed.all());
  changed.add(uint64_t{1} << 40);
  EXPECT_TRUE(changed.all());
  changed.clear();
  EXPECT_TRUE(changed.empty());
}

TEST(PageTables, PartialUnmapSplitsALargePage) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  ASSERT_TRUE(tables.map(kVa, 0x80000000, kLargePageBytes, {.writable = false}, changed));
  EXPECT_TRUE(tables.unmap(kVa + 0x3000, kPageBytes, changed));
  EXPECT_FALSE(changed.empty());
  EXPECT_TRUE(tables.translate(kVa + 0x2fff).present);
  EXPECT_FALSE(tables.translate(kVa + 0x3000).present);
  EXPECT_EQ(tables.translate(kVa + 0x4000).pa, 0x80004000u);
  EXPECT_FALSE(tables.translate(kVa + 0x4000).writable);
}

TEST(PageTables, LargePageReplacesATableAndRetiresIt) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  ASSERT_TRUE(tables.map(kVa, 0x80000000, kPageBytes, {}, changed));
  const size_t before = allocator.in_use();
  ASSERT_TRUE(tables.map(kVa, 0x40000000, kLargePageBytes, {}, changed));
  EXPECT_TRUE(changed.all());
  EXPECT_EQ(tables.translate(kVa + 0x1000).pa, 0x40001000u);
  EXPECT_TRUE(tables.has_retired());
  EXPECT_EQ(allocator.in_use(), before) << "kept until the flush";
  tables.release_retired();
  EXPECT_EQ(allocator.in_use(), before - 1);
}

TEST(PageTables, RetiringARangeGivesItsTablesBack) {
  TestAllocator allocator(5000);
  PageTables tables(allocator, true);
  Invalidations changed;
  // a neighbour that must stay
  ASSERT_TRUE(tables.map(kVa - kPageBytes, 0x1000, kPageBytes, {}, changed));
  const size_t before = allocator.in_use();
  for (uint64_t i = 0; i < 200; i++) {
    ASSERT_TRUE(tables.map(kVa + i * 19 * kLargePageBytes, 0x1000 * i, kPageBytes, {}, changed));
  }
  EXPECT_GT(allocator.in_use(), before + 200);
  tables.unmap_and_retire(kVa, uint64_t{8} << 30, changed);
  EXPECT_TRUE(changed.all());
  tables.release_retired();
  EXPECT_LE(allocator.in_use(), before + 1) << "at most the table of 1 GiB units stays";
  EXPECT_TRUE(tables.translate(kVa - kPageBytes).present);
  EXPECT_FALSE(tables.translate(kVa).present);
}

// The page directories stay, since others may be linked to them.
TEST(PageTables, RetiringLeavesKeepsLinks) {
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  constexpr uint64_t kGigabyte = uint64_t{1} << 30;
  const uint64_t other = kVa + 8 * kGigabyte;
  ASSERT_TRUE(tables.link(kVa, other, kGigabyte, changed));
  const size_t before = allocator.in_use();
  for (uint64_t i = 0; i < 40; i++)
    ASSERT_TRUE(tables.map(other + i * kLargePageBytes, 0x80000000, kPageBytes, {}, changed));
  ASSERT_TRUE(tables.map(other + 50 * kLargePageBytes, 0x80000000, kLargePageBytes, {}, changed));
  EXPECT_EQ(allocator.in_use(), before + 40);
  changed.clear();
  tables.unmap_and_retire_leaves(other, kGigabyte, changed);
  EXPECT_TRUE(changed.all());
  tables.release_retired();
  EXPECT_EQ(allocator.in_use(), before);
  for (const uint64_t va : {kVa, other}) {
    EXPECT_FALSE(tables.translate(va).present);
    EXPECT_FALSE(tables.translate(va + 50 * kLargePageBytes).present);
  }
  ASSERT_TRUE(tables.map(other, 0x90000000, kPageBytes, {}, changed));
  EXPECT_EQ(tables.translate(kVa).pa, 0x90000000u);
}

TEST(PageTables, LinkedRangesAreOneUntilUnlinked) {
  constexpr uint64_t kGiB = uint64_t{1} << 30, kOther = kVa + 64 * kGiB;
  TestAllocator allocator(100);
  PageTables tables(allocator, true);
  Invalidations changed;
  ASSERT_TRUE(tables.map(kVa + 0x5000, 0x80005000, kPageBytes, {}, changed));
  ASSERT_TRUE(tables.map(kOther, 0x90000000, kLargePageBytes, {}, changed));
  EXPECT_TRUE(changed.empty());
  ASSERT_TRUE(tables.link(kVa, kOther, 2 * kGiB, changed));
  EXPECT_TRUE(changed.all());
  changed.clear();
  EXPECT_EQ(tables.translate(kVa + 0x5000).pa, 0x90005000u);
  EXPECT_EQ(tables.translate(kVa + 0x5000).page_bytes, kLargePageBytes);
  // Later changes, also in the second gigabyte, where nothing was mapped.
  ASSERT_TRUE(tables.map(kOther + kGiB, 0xa0000000, kPageBytes, {}, changed));
  EXPECT_EQ(tables.translate(kVa + kGiB).pa, 0xa0000000u);
  ASSERT_TRUE(tables.unmap(kOther, kLargePageBytes, changed));
  EXPECT_FALSE(tables.translate(kVa + 0x5000).present);
  changed.clear();
  tables.unlink(kVa + kGiB, kGiB, changed);
  EXPECT_TRUE(changed.all());
  EXPECT_FALSE(tables.translate(kVa + kGiB).present);
  EXPECT_FALSE(tables.translate(kVa + 0x5000).present);
  tables.unlink(kVa, 2 * kGiB, changed);
  EXPECT_EQ(tables.translate(kVa + 0x5000).pa, 0x80005000u);  // what was there before
  EXPECT_EQ(tables.translate(kOther + kGiB).pa, 0xa0000000u);
  changed.clear();
  tables.unlink(kVa, 2 * kGiB, changed);
  EXPECT_TRUE(changed.empty());
}

TEST(PageTables, LinksThatFindNoPageCanBeUndone) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  // the root; pointers and directory of one gigabyte; no further directory
  TestAllocator allocator(4);
  PageTables tables(allocator, true);
  Invalidations changed;
  ASSERT_TRUE(tables.map(kVa, 0x80000000, kLargePageBytes, {}, changed));
  EXPECT_FALSE(tables.link(kVa, kVa + 8 * kGiB, 2 * kGiB, changed));
  tables.unlink(kVa, 2 * kGiB, changed);
  EXPECT_EQ(tables.translate(kVa).pa, 0x80000000u);
}

TEST(PageTables, ExhaustionIsAResult) {
  TestAllocator allocator(3);  // root and two of the three tables that a first page needs
  PageTables tables(allocator, true);
  ASSERT_TRUE(tables.valid());
  Invalidations changed;
  EXPECT_FALSE(tables.map(kVa, 0x1000, kPageBytes, {}, changed));
  EXPECT_FALSE(tables.translate(kVa).present);
  TestAllocator none(0);
  EXPECT_FALSE(PageTables(none, true).valid());
}

TEST(PageTables, RandomOperationsAgreeWithAModel) {
  TestAllocator allocator(100000);
  PageTables tables(allocator, true);
  std::map<uint64_t, std::pair<uint64_t, bool>> model;  // page -> (pa, writable)
  std::mt19937_64 random(42);
  constexpr uint64_t kPages = 6 * 512;
  for (int step = 0; step < 4000; step++) {
    Invalidations changed;
    const bool large = random() % 4 == 0;
    const uint64_t unit = large ? 512 : 1;
    const uint64_t first = random() % kPages / unit * unit, pages = std::min((random() % 5 + 1) * unit, kPages - first);
    std::set<uint64_t> lost;
    if (random() % 3 == 0) {
      ASSERT_TRUE(tables.unmap(kVa + first * kPageBytes, pages * kPageBytes, changed));
      for (uint64_t p = first; p < first + pages; p++) {
        if (model.erase(p) != 0) lost.insert(p);
      }
    } else {
      const uint64_t pa = (random() % 64 * 512 + (large ? 0 : random() % 512)) * kPageBytes;
      const bool writable = random() % 2;
      ASSERT_TRUE(tables.map(kVa + first * kPageBytes, pa, pages * kPageBytes, {.writable = writable}, changed));
      for (uint64_t p = first; p < first + pages; p++) {
        const std::pair<uint64_t, bool> now{pa + (p - first) * kPageBytes, writable};
        const auto old = model.find(p);
        if (old != model.end() && (old->second.first != now.first || (old->second.second && !writable))) lost.insert(p);
        model[p] = now;
      }
    }
    // Everything that lost something must be invalidated; a large page by any of its addresses.
    std::set<uint64_t> named;
    for (const uint64_t va : changed) named.insert((va - kVa) / kPageBytes);
    for (const uint64_t p : lost) {
      const bool covered =
          changed.all() || named.contains(p) ||
          (named.lower_bound(p / 512 * 512) != named.end() && *named.lower_bound(p / 512 * 512) < (p / 512 + 1) * 512);
      ASSERT_TRUE(covered) << "step " << step << " page " << p;
    }
    for (int i = 0; i < 16; i++) {
      const uint64_t p = random() % kPages;
      const auto t = tables.translate(kVa + p * kPageBytes + 0x123);
      const auto expected = model.find(p);
      ASSERT_EQ(t.present, expected != model.end()) << "step " << step;
      if (!t.present) continue;
      ASSERT_EQ(t.pa, expected->second.first + 0x123) << "step " << step;
      ASSERT_EQ(t.writable, expected->second.second) << "step " << step;
    }
    if (random() % 8 == 0) tables.release_retired();
  }
}

TEST(SystemPages, DescriptorsAreWhatTheManualSays) {
  void* aligned = std::aligned_alloc(kPageBytes, 5 * kPageBytes);
  std::unique_ptr<void, decltype(&std::free)> memory(aligned, &std::free);
  std::vector<uint8_t> area_bytes(sizeof(UpcallArea) + 64 + sizeof(ExceptionFrame));
  auto* area = reinterpret_cast<UpcallArea*>((reinterpret_cast<uint64_t>(area_bytes.data()) + 63) & ~uint64_t{63});
  auto* pages = static_cast<uint8_t*>(aligned);
  const Stubs stubs = generate_stubs({.area = area,
                                      .exception_frame = reinterpret_cast<ExceptionFrame*>(area + 1),
                                      .fault_stack_top = 0x5000,
                                      .xsave_mask = 7},
                                     pages + 3 * kPageBytes, pages + 4 * kPageBytes);
  const SystemPages system = build_system_pages(pages, stubs, 0x1234000, 0x5678000);
  const auto* gdt = reinterpret_cast<const uint64_t*>(system.gdt);
  EXPECT_EQ(gdt[0], 0u);
  EXPECT_EQ(gdt[kKernelCode / 8], 0x00af9b000000ffffu);
  EXPECT_EQ(gdt[kKernelData / 8], 0x00cf93000000ffffu);
  EXPECT_EQ(gdt[kUserData / 8], 0x00cff3000000ffffu);
  EXPECT_EQ(gdt[kUserCode / 8], 0x00affb000000ffffu);
  const uint64_t tss = gdt[kTaskState / 8];
  EXPECT_EQ((tss >> 16 & 0xffffff) | (tss >> 56 << 24) | (gdt[kTaskState / 8 + 1] << 32), system.tss);
  EXPECT_EQ(tss >> 40 & 0xff, 0x8bu) << "present, busy 64-bit TSS";
  uint64_t rsp0;
  std::memcpy(&rsp0, reinterpret_cast<const uint8_t*>(system.tss) + 4, 8);
  EXPECT_EQ(rsp0, 0x1234000u);
  const auto* io_map = reinterpret_cast<const uint8_t*>(system.tss) + 104;
  for (unsigned port = 0; port < 264; port++) {
    const bool allowed = port >= kPortSyscall && port < kPortEnd;
    EXPECT_EQ((io_map[port / 8] >> port % 8 & 1) == 0, allowed) << "port " << port;
  }
  const auto target = [&](unsigned v) {
    const auto& g = reinterpret_cast<const InterruptGate*>(system.idt)[v];
    return g.offset_low | uint64_t{g.offset_middle} << 16 | uint64_t{g.offset_high} << 32;
  };
  for (unsigned v = 0; v < kVectors; v++) {
    if (v == kVectorBreakpoint) continue;
    EXPECT_EQ(target(v), stubs.vector[v]);
    const auto* code = reinterpret_cast<const uint8_t*>(stubs.vector[v]);
    EXPECT_EQ(code[0], 0xe6) << "OUT imm8, AL";
    EXPECT_EQ(code[1], kPortVector + v);
  }
  EXPECT_EQ(target(kVectorBreakpoint), stubs.breakpoint_gate);
  EXPECT_EQ((reinterpret_cast<const InterruptGate*>(system.idt)[kVectorBreakpoint].dpl), 3);
  set_page_fault_delivery(system, stubs, true);
  EXPECT_EQ(target(kVectorPageFault), stubs.page_fault_direct);
  set_page_fault_delivery(system, stubs, false);
  EXPECT_EQ(target(kVectorPageFault), stubs.vector[kVectorPageFault]);
}

TEST(ControlRegisters, BitsAreWhereTheManualSays) {
  EXPECT_EQ(raw(Cr0{}), 0x80050033u);
  EXPECT_EQ(raw(Cr4{}), 0x6a0u);
  Cr4 cr4;
  cr4.osxsave = 1, cr4.fsgsbase = 1;
  EXPECT_EQ(raw(cr4), 0x6a0u | 1u << 18 | 1u << 16);
  EXPECT_EQ(raw(Efer{}), 0x501u);
}

}  // namespace
}  // namespace crosswalk::kvm::ring0
