// SPDX-License-Identifier: GPL-2.0-or-later
// Which blocks a store to a page with code and data touches, and when all go.
#include "translator/engine/mixed_pages.h"

#include <gtest/gtest.h>

namespace crosswalk::engine {
namespace {

constexpr uint64_t kPage = 0x40001000;

Block block_of(uint64_t pa, uint32_t bytes, uint32_t second_page = 0) {
  Block block;
  block.key.pa = pa;
  block.key.second_page = second_page;
  block.guest_bytes = bytes;
  return block;
}

TEST(MixedPages, ABlockIsTouchedByItsBytesAlone) {
  const Block block = block_of(kPage + 0x10, 6);
  EXPECT_FALSE(MixedPages::touches(block, kPage + 0xf, 1));
  EXPECT_TRUE(MixedPages::touches(block, kPage + 0xf, 2));
  EXPECT_TRUE(MixedPages::touches(block, kPage + 0x15, 1));
  EXPECT_FALSE(MixedPages::touches(block, kPage + 0x16, 16));
  EXPECT_FALSE(MixedPages::touches(block, kPage + 0x1010, 4));
}

TEST(MixedPages, ABlockMayReachIntoASecondPage) {
  const Block block = block_of(kPage + 0xffe, 4, (kPage >> 12) + 7);
  EXPECT_TRUE(MixedPages::touches(block, kPage + 0xffc, 4));
  EXPECT_TRUE(MixedPages::touches(block, kPage + 0x7000, 1));
  EXPECT_FALSE(MixedPages::touches(block, kPage + 0x7002, 1));
  EXPECT_FALSE(MixedPages::touches(block, kPage + 0x1000, 1));
}

struct MixedPage : ::testing::Test {
  MixedPage() {
    EXPECT_TRUE(pages.drops_all(kPage, 4, blocks));
    EXPECT_TRUE(pages.drops_all(kPage, 4, blocks));
  }
  MixedPages pages;
  Block block = block_of(kPage + 0x10, 6), second = block_of(kPage + 0xffe, 4, (kPage >> 12) + 1);
  std::vector<Block*> blocks{&block};
};

TEST_F(MixedPage, KnowsWhereCodeIs) {
  pages.add(block);
  pages.add(second);
  EXPECT_FALSE(pages.may_touch(kPage + 0xc, 4));
  EXPECT_TRUE(pages.may_touch(kPage + 0xc, 8));
  EXPECT_FALSE(pages.may_touch(kPage + 0x18, 64));
  EXPECT_TRUE(pages.may_touch(kPage + 0xfff, 1));
  EXPECT_TRUE(pages.may_touch(kPage + 0x1000, 1));  // not a mixed page
  pages.set(kPage, {&second});
  EXPECT_FALSE(pages.may_touch(kPage + 0x10, 4));
  EXPECT_TRUE(pages.may_touch(kPage, 4096));
}

// Each time that stores by hand have cost more than translating the blocks, they all go; and the
// next time takes longer.
TEST_F(MixedPage, StoresByHandMustNotCostMoreThanTheyGain) {
  for (const uint32_t patience : {1u, 2u, 4u}) {
    for (uint32_t n = 0; n < MixedPages::kStoresOfBlock * patience; n++)
      ASSERT_FALSE(pages.drops_all(kPage + 0x800, 4, blocks)) << n;
    EXPECT_TRUE(pages.drops_all(kPage + 0x800, 4, blocks));
  }
}

// A page that is cleared or copied to gets another content.
TEST_F(MixedPage, ASweepBeginsAnew) {
  for (uint32_t n = 0; n < 127; n++) ASSERT_FALSE(pages.drops_all(kPage + 0x400 + 8 * n, 8, blocks)) << n;
  ASSERT_FALSE(pages.drops_all(kPage + 0x200, 8, blocks));
  ASSERT_FALSE(pages.drops_all(kPage, 8, blocks));
  for (uint32_t n = 1; n < 127; n++) ASSERT_FALSE(pages.drops_all(kPage + 8 * n, 8, {&block, &second})) << n;
  for (int i = 0; i < 3; i++) EXPECT_TRUE(pages.drops_all(kPage + 0x3f8, 8, blocks)) << i;
  EXPECT_FALSE(pages.drops_all(kPage + 0x3f8, 8, blocks));
  EXPECT_TRUE(pages.drops_all(kPage, 4096, blocks));
}

TEST_F(MixedPage, AreForgottenWhenThereAreMany) {
  EXPECT_FALSE(pages.drops_all(kPage, 4, blocks));
  for (uint64_t n = 1; n < MixedPages::kMaximum; n++) pages.drops_all(kPage + 0x1000 * n, 4, blocks);
  EXPECT_FALSE(pages.drops_all(kPage, 4, blocks));
  pages.drops_all(kPage + 0x1000 * MixedPages::kMaximum, 4, blocks);
  EXPECT_TRUE(pages.may_touch(kPage + 0x800, 4));
  EXPECT_TRUE(pages.drops_all(kPage, 4, blocks));
}

}  // namespace
}  // namespace crosswalk::engine
