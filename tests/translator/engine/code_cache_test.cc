// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks without an engine: how they are found, and how their jumps are patched.
#include "translator/engine/code_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <utility>

namespace crosswalk::engine {
namespace {

constexpr uint64_t kPage = 0x40001000, kNextPage = 0x40002000;

std::unique_ptr<Block> block_at(uint64_t pa, const uint8_t* code, uint32_t bytes) {
  auto block = std::make_unique<Block>();
  block->key.va = static_cast<uint32_t>(pa);
  block->key.pa = pa;
  block->page_id = 7;
  block->code = code;
  block->code_size = bytes;
  return block;
}

// Gives it one link.
void set_link(Block& block, const x64::LinkSite& link) {
  static_cast<x64::BlockTables&>(block) = {{}, {&link, 1}, {}, {}};
}

TEST(BlockIndex, FindsByKeyHostAndPage) {
  uint8_t code[64];
  BlockIndex index;
  Block* const first = index.add(block_at(kPage, code, 16));
  auto two_pages = block_at(kPage + 0xffe, code + 32, 16);
  two_pages->key.second_page = kNextPage >> 12;
  Block* const second = index.add(std::move(two_pages));

  EXPECT_EQ(index.count(), 2u);
  EXPECT_EQ(index.find(first->key), first);
  BlockKey other = first->key;
  other.flags = 1;
  EXPECT_EQ(index.find(other), nullptr);
  EXPECT_EQ(index.find_by_host(code + 15), first);
  EXPECT_EQ(index.find_by_host(code + 16), nullptr);
  EXPECT_EQ(index.find_by_host(code + 32), second);
  EXPECT_EQ(*index.of_page(kPage + 4), (std::vector<Block*>{first, second}));
  EXPECT_EQ(*index.of_page(kNextPage), (std::vector<Block*>{second}));
}

TEST(BlockIndex, ARemovedBlockIsFoundByItsHostAddresses) {
  uint8_t code[64];
  BlockIndex index;
  auto made = block_at(kPage + 0xffe, code, 16);
  made->key.second_page = kNextPage >> 12;
  Block* const block = index.add(std::move(made));
  index.remove(block);
  EXPECT_EQ(index.find(block->key), nullptr);
  EXPECT_EQ(index.of_page(kPage), nullptr);
  EXPECT_EQ(index.of_page(kNextPage), nullptr);
  EXPECT_EQ(index.find_by_host(code), block);
  index.clear();
  EXPECT_EQ(index.find_by_host(code), nullptr);
}

// Two blocks of 64 bytes in real memory; the first has one link, with a check of the page.
struct BlockLinksTest : ::testing::Test {
  static constexpr uint32_t kId = 8, kJump = 16, kStub = 32;
  CodeMemory memory = std::move(*CodeMemory::create(4 << 20));
  std::unique_ptr<Block> from = block_at(kPage, memory.base(), 64), to = block_at(kNextPage, memory.base() + 64, 64);
  BlockLinks links{memory};

  BlockLinksTest() {
    set_link(*from, {kJump, kId, kStub, 0, static_cast<uint32_t>(kNextPage)});
    links.add(from.get());
    links.add(to.get());
  }
  uint32_t word(uint32_t offset) const {
    uint32_t v;
    std::memcpy(&v, memory.base() + offset, 4);
    return v;
  }
  void expect_unlinked() const {
    EXPECT_EQ(word(kJump), kStub - (kJump + 4));
    EXPECT_EQ(word(kId), x64::kNoPageId);
    EXPECT_EQ(from->linked[0].to, nullptr);
    EXPECT_TRUE(to->incoming.empty());
  }
};

TEST_F(BlockLinksTest, PatchesJumpAndPage) {
  links.link(from.get(), 0, to.get());
  EXPECT_EQ(word(kJump), 64 - (kJump + 4));
  EXPECT_EQ(word(kId), to->page_id);
  EXPECT_EQ(from->linked[0].to, to.get());
  links.unlink(from.get(), 0, 0);
  expect_unlinked();
}

TEST_F(BlockLinksTest, ABlockTakesItsLinksWithIt) {
  links.link(from.get(), 0, to.get());
  links.unlink_all(to.get(), 0);
  expect_unlinked();
  links.link(from.get(), 0, to.get());
  links.unlink_all(from.get(), 0);
  expect_unlinked();
}

TEST_F(BlockLinksTest, NumbersAreNotUsedTwice) {
  EXPECT_EQ(links.find(0).from, from.get());
  EXPECT_EQ(links.next_number(), 1u);
  from->valid = false;
  EXPECT_EQ(links.find(0).from, nullptr);
  links.clear();
  EXPECT_EQ(links.next_number(), 1u);
  links.add(from.get());
  from->valid = true;
  EXPECT_EQ(links.find(0).from, nullptr);
  EXPECT_EQ(links.find(1).from, from.get());
}

TEST(CodeCache, IsFullByBookkeepingToo) {
  CodeCache cache(std::move(*CodeMemory::create(4 << 20)), 1000);
  cache.reserve_prefix(100);
  EXPECT_EQ(cache.used(), 112u);  // blocks are aligned
  EXPECT_TRUE(cache.has_room());
  while (cache.has_room()) cache.add(block_at(kPage, cache.memory().base() + cache.used(), 16));
  EXPECT_GT(cache.bookkeeping_bytes(), 1000u);
  EXPECT_LT(cache.used(), 500u);
  cache.clear();
  EXPECT_TRUE(cache.has_room());
  EXPECT_EQ(cache.used(), 112u);
}

// Around the end of the memory and on, three times. What is left is always the newest.
TEST(CodeCache, TheOldestMakeRoom) {
  CodeCache cache(std::move(*CodeMemory::create(8 << 20)));
  cache.reserve_prefix(100);
  constexpr uint32_t kBytes = 10'000;
  const uint8_t* const base = cache.memory().base();
  std::deque<Block*> blocks;
  size_t recyclings = 0;
  for (uint32_t n = 0; n < 3 * (8 << 20) / kBytes; n++) {
    if (!cache.has_room()) {
      recyclings++;
      while (Block* const oldest = cache.next_to_recycle()) {
        ASSERT_EQ(oldest, blocks.front());
        blocks.pop_front();
        cache.drop(oldest, 0);
        cache.recycle_oldest();
      }
      ASSERT_TRUE(cache.has_room());
      for (const Block* const block : blocks) {
        ASSERT_EQ(cache.blocks().find_by_host(block->code), block);
        ASSERT_EQ(cache.blocks().find_by_host(block->code + kBytes - 1), block);
      }
    }
    auto made = block_at(kPage + 4 * n, base + cache.used(), kBytes);
    set_link(*made, {16, 0, 32, 0, static_cast<uint32_t>(kNextPage)});
    const uint32_t number = cache.links().next_number();
    for (const Block* const block : blocks)
      ASSERT_TRUE(block->code + kBytes <= made->code || made->code + kBytes <= block->code);
    blocks.push_back(cache.add(std::move(made)));
    ASSERT_EQ(cache.links().find(number).from, blocks.back());
    const uint32_t first = number - static_cast<uint32_t>(blocks.size()) + 1;
    ASSERT_EQ(cache.links().find(first).from, blocks.front());
    ASSERT_EQ(cache.links().find(first - 1).from, nullptr);
  }
  EXPECT_GT(recyclings, 20u);
  EXPECT_LT(recyclings, 60u);
  EXPECT_GT(blocks.size(), 300u);
}

TEST(CodeCache, TheOldestMakeRoomForBookkeeping) {
  CodeCache cache(std::move(*CodeMemory::create(4 << 20)), 100'000);
  size_t made = 0;
  for (; cache.has_room(); made++) cache.add(block_at(kPage + 4 * made, cache.memory().base() + cache.used(), 16));
  size_t recycled = 0;
  for (; Block* const oldest = cache.next_to_recycle(); recycled++) {
    cache.drop(oldest, 0);
    cache.recycle_oldest();
  }
  EXPECT_LT(recycled, made / 10);
  EXPECT_TRUE(cache.has_room());
  EXPECT_LT(cache.bookkeeping_bytes(), 100'000u);
}

TEST(CodeCache, ADroppedBlockKeepsItsCode) {
  CodeCache cache(std::move(*CodeMemory::create(4 << 20)));
  Block* const block = cache.add(block_at(kPage, cache.memory().base(), 16));
  const size_t used = cache.used();
  cache.drop(block, 0);
  cache.drop(block, 0);
  EXPECT_FALSE(block->valid);
  EXPECT_EQ(cache.blocks().count(), 0u);
  EXPECT_EQ(cache.blocks().find_by_host(block->code), block);
  EXPECT_EQ(cache.used(), used);
}

}  // namespace
}  // namespace crosswalk::engine
