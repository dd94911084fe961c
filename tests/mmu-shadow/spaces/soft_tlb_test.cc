// SPDX-License-Identifier: GPL-2.0-or-later
// A software TLB that changes its size: what it holds, and what its flushes remove.
#include "mmu-shadow/spaces/soft_tlb.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kPage = 4096;

class SoftTlbTest : public ::testing::Test {
 protected:
  void install(uint32_t va, bool ng = false, uint32_t size_class = 0) { tlb.install(va, &byte, true, ng, size_class); }
  uint64_t base() { return reinterpret_cast<uint64_t>(tlb.entries()); }
  // As translated code looks it up.
  bool hits(uint32_t va) {
    const SoftTlbEntry& e = soft_tlb_entry(base(), va);
    EXPECT_EQ(&SoftTlbOf<uint32_t>::entry_at(base(), va), &e);
    if (e.tag_load != (va & ~(kPage - 1))) return false;
    EXPECT_EQ(e.tag_store, e.tag_load);
    EXPECT_EQ(e.addend + e.tag_load, reinterpret_cast<uint64_t>(&byte));
    return true;
  }

  SoftTlbOf<uint32_t> tlb{{.least = 256, .most = 65536}};
  uint8_t byte = 0;
};

TEST_F(SoftTlbTest, EntriesStayWhereItGrows) {
  // The second one of each pair has the place of the first until it is twice as large.
  for (uint32_t i = 0; i < 256; i++) install(i * kPage);
  for (uint32_t i = 0; i < 256; i += 2) install((256 + i) * kPage);
  EXPECT_FALSE(tlb.is_crowded()) << "none has come back";
  for (int i = 0; i < 128; i++) {
    install(0);
    EXPECT_FALSE(tlb.is_crowded());
    install(256 * kPage);
  }
  EXPECT_TRUE(tlb.is_crowded());
  EXPECT_EQ(tlb.wanted(), 512u);
  tlb.resize(512);
  EXPECT_EQ(tlb.count(false), 256u);
  for (uint32_t i = 0; i < 256; i++) {
    EXPECT_EQ(hits(i * kPage), i % 2 == 1) << i;
    EXPECT_EQ(hits((256 + i) * kPage), i % 2 == 0) << i;
  }
  for (uint32_t i = 0; i < 256; i += 2) install(i * kPage);
  EXPECT_EQ(tlb.count(false), 384u);
  EXPECT_TRUE(hits(0) && hits(256 * kPage));
  tlb.resize(256);
  uint32_t left = 0;
  for (uint32_t i = 0; i < 512; i++) left += hits(i * kPage);
  EXPECT_EQ(left, 256u);
  EXPECT_EQ(tlb.count(false), 256u);
}

TEST_F(SoftTlbTest, FlushesRemoveWhatTheyNameAfterItHasGrown) {
  install(1 * kPage, true);
  install(2 * kPage, false);
  install(0x00300000, false, class_of(20));
  install(0x10305000, true, class_of(20));
  install(0x00375000, false, class_of(20));
  tlb.resize(65536);
  EXPECT_EQ(tlb.count(false), 5u);
  EXPECT_EQ(tlb.count(true), 2u);
  EXPECT_EQ(tlb.remove_va(0x003ff000u, false), 2u);  // of one section
  EXPECT_FALSE(hits(0x00300000) || hits(0x00375000));
  EXPECT_EQ(tlb.remove_nonglobal(), 2u);
  EXPECT_TRUE(hits(2 * kPage));
  EXPECT_EQ(tlb.remove_all(), 1u);
  EXPECT_FALSE(hits(2 * kPage));
  EXPECT_EQ(tlb.remove_all(), 0u);
  // Whatever the place.
  std::vector<uint32_t> vas;
  for (uint32_t i = 0; i < 65536; i += 1001) vas.push_back(i * kPage);
  for (const uint32_t va : vas) install(va);
  EXPECT_EQ(tlb.remove_all(), vas.size());
  for (const uint32_t va : vas) EXPECT_FALSE(hits(va));
}

// What a flush has dropped is known to be used again, in the larger one too.
TEST_F(SoftTlbTest, WhatWasDroppedIsRemembered) {
  install(5 * kPage);
  install(6 * kPage);
  tlb.remove_all();
  tlb.resize(1024);
  EXPECT_TRUE(tlb.install(5 * kPage, &byte, true, false, 0));
  EXPECT_FALSE(tlb.install(5 * kPage, &byte, true, false, 0));
  EXPECT_FALSE(tlb.install((6 + 256) * kPage, &byte, true, false, 0));
  EXPECT_TRUE(tlb.install(6 * kPage, &byte, true, false, 0));
  EXPECT_FALSE(tlb.install(0, &byte, true, false, 0)) << "never dropped";
}

TEST_F(SoftTlbTest, ShrinksAfterManyFlushes) {
  tlb.resize(4096);
  for (int i = 0; i < 63; i++) EXPECT_FALSE(tlb.flushed(100));
  EXPECT_TRUE(tlb.flushed(100));
  EXPECT_EQ(tlb.size(), 512u);
  install(0);
  tlb.reset();
  EXPECT_EQ(tlb.size(), 256u);
  EXPECT_FALSE(hits(0));
}

TEST_F(SoftTlbTest, LosesWriteAccessToOnePage) {
  std::vector<uint8_t> ram(3 * kPage);
  for (const uint32_t page : {0u, 1u, 2u}) {
    tlb.install(page * kPage, ram.data() + page * kPage, true, false, 0);
    tlb.install((100 + page) * kPage, ram.data() + page * kPage, true, false, 0);
  }
  EXPECT_TRUE(tlb.may_give_write_access(ram.data() + kPage));
  EXPECT_FALSE(tlb.may_give_write_access(ram.data() + 3 * kPage));
  tlb.remove_write_access(ram.data(), [](uint32_t page) { return page == 1; });
  EXPECT_FALSE(tlb.may_give_write_access(ram.data() + kPage));
  tlb.resize(1024);
  EXPECT_FALSE(tlb.may_give_write_access(ram.data() + kPage));
  EXPECT_TRUE(tlb.may_give_write_access(ram.data()));
  for (const uint32_t page : {0u, 1u, 2u})
    for (const uint32_t va : {page * kPage, (100 + page) * kPage}) {
      const SoftTlbEntry& e = soft_tlb_entry(base(), va);
      EXPECT_EQ(e.tag_load, va);
      EXPECT_EQ(e.tag_store, page == 1 ? kNoTag : va);
    }
}

}  // namespace
}  // namespace crosswalk::mmu::test
