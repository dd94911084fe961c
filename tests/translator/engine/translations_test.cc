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
  translations.put_out_of_line(kPage, translations.blocks().of_page(kPage)->front(), false);
  EXPECT_EQ(translations.blocks().of_page(kPage), nullptr);
  EXPECT_EQ(translations.statistics().slow_sites_now, 1u);
  EXPECT_EQ(make(0)->sites.size(), calls);  // a call, as the miss of the lookup was
  EXPECT_TRUE(translations.code_written(kPage, 4));
  EXPECT_EQ(translations.statistics().slow_sites_now, 0u);
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
