// SPDX-License-Identifier: GPL-2.0-or-later
// The module's code that needs no kernel, compiled with the kernel's flags, does what mmu-shadow/
// does: walks, what to install around a page, what a flush removes.
#include "tests/kernel-module/freestanding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "mmu-shadow/spaces/walks.h"
#include "mmu-shadow/walker/arm32.h"
#include "mmu-shadow/windows/window_map.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kRam = 0x40000000, kBytes = 4 << 20;
constexpr size_t kResultBytes = offsetof(cw_result, mair_attribute) + 1;  // without padding

// Tables of random descriptors, most of which lead to RAM.
class Freestanding : public ::testing::Test {
 protected:
  Freestanding() : memory_(kBytes, kRam), random_(test_seed()) {}

  void make_tables(bool uses_long) {
    for (uint64_t pa = kRam; pa < kRam + kBytes; pa += uses_long ? 8 : 4) {
      const uint64_t page = kRam + (random_() % (kBytes >> 12) << 12);
      if (uses_long) {
        uint64_t d = random_();
        if (random_() % 8 != 0)
          d = page | (d & 0xf0) | 0x700 | (random_() % 2 ? 3 : 1) | (random_() % 8 == 0 ? d & 0xff8 : 0);
        memory_.write64(pa, d);
      } else {
        uint32_t d = static_cast<uint32_t>(random_());
        if (random_() % 8 != 0) d = static_cast<uint32_t>(page) | (d & 0xfff);
        memory_.write32(pa, d);
      }
      // Neighbours that continue each other.
      if (pa > kRam && random_() % 4 != 0) {
        if (uses_long)
          memory_.write64(pa, uint64_t{memory_.read32(pa - 8)} + 0x1000);
        else
          memory_.write32(pa, memory_.read32(pa - 4) + 0x1000);
      }
    }
  }
  cw_regime regime(bool uses_long) {
    cw_regime r{};
    r.sctlr =
        CW_SCTLR_M | (static_cast<uint32_t>(random_()) & (CW_SCTLR_WXN | CW_SCTLR_UWXN | CW_SCTLR_TRE | CW_SCTLR_AFE));
    if (random_() % 16 == 0) r.sctlr |= CW_SCTLR_EE;
    if (random_() % 16 == 0) r.sctlr &= ~CW_SCTLR_M;
    r.ttbcr = uses_long ? CW_TTBCR_EAE | (random_() & 0x870087) : random_() & (random_() % 2 ? 0 : 0x37);
    r.ttbr0 = kRam + (random_() % kBytes & ~uint64_t{0x3fff});
    r.ttbr1 = kRam + (random_() % kBytes & ~uint64_t{0x3fff});
    r.dacr = random_() % 2 ? 0x55555555 : static_cast<uint32_t>(random_());
    r.prrr = uses_long ? 0xff44bbff : static_cast<uint32_t>(random_());
    r.nmrr = static_cast<uint32_t>(random_());
    return r;
  }
  void* context() { return &memory_.ram; }

  TestMemory memory_;
  std::mt19937_64 random_;
};

TEST_F(Freestanding, WalksAsInCxx) {
  for (int round = 0; round < 16; round++) {
    const bool uses_long = round % 2;
    make_tables(uses_long);
    const cw_regime r = regime(uses_long);
    const bool privileged = random_() % 2;
    const unsigned kind = random_() % 3;
    cw_memo memo{};
    uint32_t va = 0;
    for (int i = 0; i < 4000; i++) {
      va = random_() % 8 ? va + 4096 : static_cast<uint32_t>(random_());
      const cw_result expected = memory_.walk(r, va, kind, privileged);
      cw_result plain;
      c_walk(&r, va, kind, privileged, TestMemory::read, context(), &plain);
      ASSERT_EQ(std::memcmp(&plain, &expected, kResultBytes), 0) << std::hex << va;
      c_walk_memo(&r, va, kind, privileged, TestMemory::read, context(), &memo);
      ASSERT_EQ(memo.result.pa, expected.pa) << std::hex << va;
      ASSERT_EQ(memo.result.fault, expected.fault) << std::hex << va;
      ASSERT_EQ(memo.result.permissions, expected.permissions) << std::hex << va;
      // What the MMU enters is what the module installs, but that the module asks for RAM
      // elsewhere.
      Statistics statistics;
      const Walks<Arm32> walks(memory_.ram, false, statistics);
      ASSERT_EQ(walks.enterable(expected), c_enterable(&expected) && memory_.ram.contains(expected.pa));
    }
  }
}

// Each page of a stretch is what a walk for it gives; and it is as long as it may be.
TEST_F(Freestanding, StretchesAreWhatWalksGive) {
  uint64_t pages = 0;
  for (int round = 0; round < 24; round++) {
    const bool uses_long = round % 2;
    make_tables(uses_long);
    const cw_regime r = regime(uses_long);
    const bool privileged = random_() % 2;
    for (int i = 0; i < 500; i++) {
      const uint32_t va = static_cast<uint32_t>(random_());
      const uint32_t fill = 1u << random_() % 10;
      const cw_result found = memory_.walk(r, va, CW_LOAD, privileged);
      if (!c_enterable(&found)) continue;
      const uint32_t page = va & ~0xfffu;
      const uint32_t lowest = random_() % 2 ? 0 : page & ~0x7fffu, highest = random_() % 2 ? 0xfffff000 : page | 0x7000;
      const cw_stretch s =
          c_stretch_around(&r, va, privileged, TestMemory::read, context(), &found, fill, lowest, highest);
      ASSERT_GE(s.pages, 1u);
      ASSERT_LE(s.pages, fill);
      ASSERT_LE(s.va, page);
      ASSERT_GE(s.va, lowest);
      ASSERT_GE(s.va + (s.pages - 1) * 4096, page);
      ASSERT_LE(s.va + (s.pages - 1) * 4096, highest);
      pages += s.pages;
      // 16 descriptors of a large page or supersection are to be equal (ARM DDI 0406C, B3.5.1);
      // these are not.
      if (found.log2_size == 16 || found.log2_size == 24) continue;
      for (uint32_t k = 0; k < s.pages; k++) {
        const cw_result one = memory_.walk(r, s.va + k * 4096, CW_LOAD, privileged);
        ASSERT_EQ(one.pa, s.pa + k * 4096) << std::hex << va;
        ASSERT_EQ(one.permissions, found.permissions);
        ASSERT_EQ(one.log2_size, found.log2_size);
        ASSERT_EQ(one.ng, found.ng);
        ASSERT_TRUE(c_enterable(&one));
      }
    }
  }
  EXPECT_GT(pages, 1000u);
}

class NoWindow final : public Window {
 public:
  NoWindow() : Window(0) {}
  bool install(uint32_t, uint64_t, uint64_t, bool) override { return true; }
  void remove(uint32_t, uint64_t) override {}
  void commit() override {}
};

// The module's record of a window against WindowMap, by random entries and flushes.
TEST_F(Freestanding, FlushesRemoveWhatWindowMapRemoves) {
  constexpr unsigned kSizes[] = {12, 12, 12, 16, 20, 21, 24, 30};
  for (int round = 0; round < 20; round++) {
    c_entries_reset();
    LeafPool pool;
    WindowMap map(std::make_unique<NoWindow>(), 0, pool);
    // Few places, so that flushes meet entries.
    const auto some_va = [&] {
      const uint32_t page = random_() % 4 ? static_cast<uint32_t>(random_() % 2048) << 12
                                          : static_cast<uint32_t>(random_() % 64) << 24 | (random_() % 512) << 12;
      return page | (random_() & 0xfff);
    };
    const auto same = [&](uint32_t page) { return c_entries_at(page << 12) == map.pages().entry(page << 12).bits; };
    for (int step = 0; step < 3000; step++) {
      const uint32_t va = some_va();
      uint32_t removed = 0, expected = 0;
      const bool global_only = random_() % 4 == 0;
      const unsigned what = random_() % 100;
      if (what < 70) {
        const unsigned log2_size = kSizes[random_() % 8];
        const uint32_t pages = log2_size == 12 ? 1 : std::min<uint32_t>(1u << (log2_size - 12), 1u << random_() % 5);
        const uint32_t first = va & ~(pages * 4096 - 1), ram_page = static_cast<uint32_t>(random_() % 100'000);
        const bool writable = random_() % 2, ng = random_() % 2;
        map.record(first, pages, ram_page, writable, ng, class_of(log2_size));
        for (uint32_t i = 0; i < pages; i++) c_entries_set(first + i * 4096, ram_page + i, writable, ng, log2_size);
      } else if (what < 90) {
        removed = c_remove_va(va, global_only);
        expected = map.remove_va(va, global_only);
      } else if (what < 98) {
        const uint32_t first = va >> 12, last = std::min(first + static_cast<uint32_t>(random_() % 700), 0xfffffu);
        for (uint32_t p = first; p <= last; p++) expected += map.pages().entry(p << 12).valid();
        removed = c_remove_range(first, last);
        // WindowMap has no such operation: what is gone there is recorded anew below.
        for (uint32_t p = first; p <= last; p++) ASSERT_EQ(c_entries_at(p << 12), 0u);
        ASSERT_EQ(removed, expected);
        for (uint32_t p = first; p <= last; p++) {
          const WindowEntry e = map.pages().entry(p << 12);
          if (!e.valid()) continue;
          ASSERT_TRUE(c_gone(p));
          c_entries_set(p << 12, e.ram_page(), e.writable(), e.ng(), kClassBits[e.size_class()]);
        }
        continue;
      } else if (what < 99) {
        removed = c_remove_nonglobal();
        expected = map.remove_nonglobal();
      } else {
        removed = c_remove_all();
        expected = map.remove_all();
      }
      ASSERT_EQ(removed, expected) << what;
      ASSERT_EQ(c_entries_count(), map.pages().count(false));
      ASSERT_EQ(c_entries_nonglobal(), map.pages().count(true));
      ASSERT_TRUE(same(va >> 12));
    }
    uint32_t writable = 0, writable_alone = 0;
    const uint32_t alone = c_entries_at(some_va()) >> 6;
    const uint32_t first = static_cast<uint32_t>(random_() % 50'000), last = first + 20'000;
    for (uint32_t page = 0; page < 1u << 20; page++) {
      ASSERT_TRUE(same(page)) << page;
      const WindowEntry e = map.pages().entry(page << 12);
      writable += e.valid() && e.writable() && e.ram_page() >= first && e.ram_page() <= last;
      writable_alone += e.valid() && e.writable() && e.ram_page() == alone;
    }
    EXPECT_EQ(c_count_writable(first, last), writable);
    EXPECT_EQ(c_count_writable(alone, alone), writable_alone);
  }
}

// What goes from page tables covers what goes from the record, however scattered.
TEST_F(Freestanding, RangesCoverWhatWasDropped) {
  for (int round = 0; round < 50; round++) {
    c_entries_reset();
    const unsigned sparse = 1 + random_() % 4;
    std::vector<uint8_t> dropped(4096);
    for (uint32_t page = 0; page < 4096; page++) {
      if (random_() % sparse != 0) continue;
      dropped[page] = random_() % 2;
      c_entries_set(page << 12, page, true, dropped[page], 12);
    }
    c_remove_nonglobal();
    for (uint32_t page = 0; page < 4096; page++) {
      ASSERT_TRUE(!dropped[page] || c_gone(page)) << page;
    }
  }
}

}  // namespace
}  // namespace crosswalk::mmu::test
