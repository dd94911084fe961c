// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses that differ above bit 32 alone have one slot, and are told apart.
#include <gtest/gtest.h>

#include <memory>

#include "mmu-shadow/spaces/page_ids.h"
#include "mmu-shadow/spaces/soft_tlb.h"

namespace crosswalk::mmu::test {
namespace {

TEST(WideAddresses, SoftwareTlb) {
  auto tlb = std::make_unique<SoftTlbOf<uint64_t>>(SoftTlbSizes{});
  uint8_t byte = 0;
  tlb->install(0x7fff40000000, &byte, true, false, 0);
  EXPECT_TRUE(tlb->holds(0x7fff40000123));
  EXPECT_FALSE(tlb->holds(0x40000000));
  EXPECT_EQ(tlb->remove_va(0x40000000, false), 0u);
  EXPECT_EQ(tlb->remove_va(0x7fff40000000, false), 1u);
  // A block is found by any of its pages, however far up.
  tlb->install(0x7fff40201000, &byte, true, false, class_of(21));
  EXPECT_EQ(tlb->remove_va(0x40200000, false), 0u);
  EXPECT_EQ(tlb->remove_va(0x7fff403ff000, false), 1u);
}

TEST(WideAddresses, PageIds) {
  PageIdsOf<uint64_t> ids(10);
  const uint32_t low = ids.intern({0x40000, 1, 0}), high = ids.intern({0x7fff40000, 1, 0});
  EXPECT_NE(low, high);
  EXPECT_EQ(ids.find({0x7fff40000, 1, 0}), high);
  EXPECT_EQ(ids.find({0x7ffe40000, 1, 0}), 0u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
