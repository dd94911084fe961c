// SPDX-License-Identifier: GPL-2.0-or-later
// Translations that two CPUs run: what of each follows them. And jump caches by themselves.
#include "translator/engine/translations.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace crosswalk::engine {
namespace {

constexpr uint32_t kPage = 0x40001000;

// Knows which pages hold code.
class Pages final : public mmu::CodeProtection {
 public:
  void protect_code_page(uint64_t pa) override { pages.insert(pa); }
  void unprotect_code_page(uint64_t pa) override { pages.erase(pa); }
  void note_external_write(uint64_t, uint64_t) override {}

  std::set<uint64_t> pages;
};

EngineConfig small() {
  EngineConfig config;
  config.code_cache_bytes = 4 << 20;
  return config;
}

struct Cpu {
  explicit Cpu(Translations& translations) { translations.attach({&state, &protection, &jump_caches}); }
  CpuState state{};
  Pages protection;
  JumpCaches jump_caches{state, 1};
};

struct TranslationsTest : ::testing::Test {
  TranslationsTest() {
    constexpr uint32_t kBranchToSelf = 0xeafffffe;
    for (uint32_t& word : page) word = kBranchToSelf;
  }
  Block* make(uint32_t offset) {
    CompileRequest request;
    request.key.va = request.key.pa = kPage + offset;
    request.page_id = 1;
    request.page = reinterpret_cast<const uint8_t*>(page);
    Block* const block = translations.make(request, first.protection);
    for (Cpu* cpu : {&first, &second}) JumpCaches::enter(cpu->state, block->key.va, block->page_id, block->code);
    return block;
  }
  bool is_cached(const Block& block, Cpu& cpu) { return JumpCaches::find(cpu.state, block.key.va) != nullptr; }

  uint32_t page[1024];
  const std::unique_ptr<Translations> made = std::move(*Translations::create(small()));
  Translations& translations = *made;
  Cpu first{translations}, second{translations};
};

TEST_F(TranslationsTest, ABlockServesAllCpus) {
  Block* const block = make(0);
  EXPECT_EQ(translations.blocks().find(block->key), block);
  EXPECT_EQ(first.protection.pages, std::set<uint64_t>{kPage});
  EXPECT_EQ(translations.statistics().blocks_translated, 1u);
}

TEST_F(TranslationsTest, ADroppedBlockIsForgottenByAll) {
  Block* const dropped = make(0);
  Block* const kept = make(8);
  translations.drop(dropped);
  for (Cpu* cpu : {&first, &second}) {
    EXPECT_FALSE(is_cached(*dropped, *cpu));
    EXPECT_TRUE(is_cached(*kept, *cpu));
  }
}

TEST_F(TranslationsTest, WrittenCodeGoes) {
  Block* const block = make(16);
  EXPECT_TRUE(translations.code_written(kPage + 0x800, 4));
  EXPECT_FALSE(block->valid);
  EXPECT_FALSE(is_cached(*block, second));
  EXPECT_EQ(translations.statistics().code_invalidations, 1u);
}

// The third store to a page with code is the first that drops only what it touches.
TEST_F(TranslationsTest, OfAMixedPageOnlyWhatIsWrittenGoes) {
  for (int i = 0; i < 2; i++) {
    make(16);
    EXPECT_TRUE(translations.code_written(kPage + 0x800, 4));
  }
  Block* const kept = make(16);
  Block* const written = make(32);
  EXPECT_FALSE(translations.code_written(kPage + 0x800, 4));
  EXPECT_TRUE(kept->valid && written->valid);
  EXPECT_FALSE(translations.code_written(kPage + 35, 1));
  EXPECT_TRUE(kept->valid);
  EXPECT_FALSE(written->valid);
  EXPECT_FALSE(is_cached(*written, second));
  EXPECT_EQ(translations.statistics().stores_beside_code, 2u);
  EXPECT_TRUE(translations.code_written(kPage, 64));
  EXPECT_FALSE(kept->valid);
}

// Making room is dropping the oldest blocks, with all that leads to them.
TEST_F(TranslationsTest, RoomIsMadeByTheOldest) {
  Block* const first_block = make(0);
  const uint32_t va = first_block->key.va;
  Block* last = nullptr;
  for (uint32_t n = 0; translations.has_room(); n++) {
    last = make(4 + 4 * (n % 1000));
    translations.drop(last);
  }
  last = make(0x800);
  translations.make_room();
  EXPECT_TRUE(translations.has_room());
  EXPECT_EQ(translations.statistics().cache_flushes, 0u);
  EXPECT_EQ(translations.statistics().blocks_recycled, 1u);
  for (Cpu* cpu : {&first, &second}) {
    EXPECT_EQ(JumpCaches::find(cpu->state, va), nullptr);
    EXPECT_TRUE(is_cached(*last, *cpu));
  }
  EXPECT_EQ(first.protection.pages, std::set<uint64_t>{kPage});
  EXPECT_EQ(translations.find_by_host(last->code), last);
}

TEST_F(TranslationsTest, ClearingGivesThePagesBack) {
  Block* const block = make(0);
  const uint32_t va = block->key.va;
  translations.clear();
  for (Cpu* cpu : {&first, &second}) {
    EXPECT_EQ(JumpCaches::find(cpu->state, va), nullptr);
    EXPECT_TRUE(cpu->protection.pages.empty());
  }
  EXPECT_EQ(translations.blocks().count(), 0u);
}

TEST_F(TranslationsTest, AnInstructionIsOutOfLineUntilItsCodeChanges) {
  page[0] = 0xe5910000;  // ldr r0, [r1]
  const size_t calls = make(0)->sites.size();
  translations.put_out_of_line(kPage, translations.blocks().of_page(kPage)->front(), Translations::OutOfLine::Always);
  EXPECT_EQ(translations.blocks().of_page(kPage), nullptr);
  EXPECT_EQ(translations.statistics().slow_sites_now, 1u);
  EXPECT_EQ(make(0)->sites.size(), calls);  // a call, as the miss of the lookup was
  EXPECT_TRUE(translations.code_written(kPage, 4));
  EXPECT_EQ(translations.statistics().slow_sites_now, 0u);
}

// It is in line again once it has stored elsewhere for long, and not before.
TEST_F(TranslationsTest, AStoreIsOutOfLineWhileItMeetsCode) {
  page[0] = 0xe5810000;  // str r0, [r1]
  translations.put_out_of_line(kPage, make(0), Translations::OutOfLine::WhileBesideCode);
  Block* block = make(0);
  EXPECT_TRUE(block->stores_beside_code);
  for (uint32_t n = 1; n < MixedPages::kStoresOfBlock; n++) translations.stored_by_hand(block, false);
  translations.stored_by_hand(block, true);
  for (uint32_t n = 1; n < MixedPages::kStoresOfBlock; n++) translations.stored_by_hand(block, false);
  EXPECT_TRUE(block->valid);
  EXPECT_EQ(translations.statistics().slow_sites_now, 1u);
  translations.stored_by_hand(block, false);
  EXPECT_FALSE(block->valid);
  EXPECT_EQ(translations.statistics().slow_sites_now, 0u);
  EXPECT_FALSE(make(0)->stores_beside_code);
  // One that meets a device is so for good.
  for (const auto when : {Translations::OutOfLine::WhileBesideCode, Translations::OutOfLine::Always})
    translations.put_out_of_line(kPage, make(0), when);
  EXPECT_FALSE(make(0)->stores_beside_code);
  EXPECT_EQ(translations.statistics().slow_sites_now, 1u);
}

TEST_F(TranslationsTest, ACpuThatIsDetachedIsLeftAlone) {
  Block* const block = make(0);
  translations.detach(second.state);
  translations.drop(block);
  EXPECT_FALSE(is_cached(*block, first));
  EXPECT_TRUE(is_cached(*block, second));
}

TEST(JumpCaches, OneForEachForm) {
  CpuState cpu{};
  JumpCaches caches(cpu, 2);
  Block block;
  block.key.va = 0x8001;
  block.code = reinterpret_cast<const uint8_t*>(0x1000);
  for (const uint8_t form : {0, 1}) {
    cpu.memory_window = form;
    choose_jump_cache(cpu);
    EXPECT_EQ(JumpCaches::find(cpu, 0x8001), nullptr);
    JumpCaches::enter(cpu, 0x8001, 5, block.code);
    ASSERT_NE(JumpCaches::find(cpu, 0x8001), nullptr);
    EXPECT_EQ(JumpCaches::find(cpu, 0x8001)->page_id, 5u);
    EXPECT_EQ(JumpCaches::find(cpu, 0x8000), nullptr);  // the other instruction set
  }
  caches.forget(block);
  EXPECT_EQ(JumpCaches::find(cpu, 0x8001), nullptr);
  cpu.memory_window = 0;
  choose_jump_cache(cpu);
  EXPECT_EQ(JumpCaches::find(cpu, 0x8001), nullptr);
}

// Two instructions in one word, and the same word as ARM code.
TEST(JumpCaches, EachThumbTargetHasAnEntry) {
  for (const uint32_t word : {0x8000u, 0x1fffcu, 0xc0000ffcu}) {
    EXPECT_NE(jump_cache_index(word | 1), jump_cache_index(word | 3));
    EXPECT_NE(jump_cache_index(word), jump_cache_index(word + 4));
    EXPECT_NE(jump_cache_index(word | 1), jump_cache_index(word + 0x40000));
  }
}

}  // namespace
}  // namespace crosswalk::engine
