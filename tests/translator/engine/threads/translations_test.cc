// SPDX-License-Identifier: GPL-2.0-or-later
// Translations that CPUs make, link, drop and clear at the same time. Nothing is executed.
#include "translator/engine/translations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <latch>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace crosswalk::engine {
namespace {

constexpr uint32_t kPages = 4, kPageBytes = 4096, kBase = 0x40000000;

struct NoProtection final : mmu::CodeProtection {
  void protect_code_page(uint64_t) override {}
  void unprotect_code_page(uint64_t) override {}
  void note_external_write(uint64_t, uint64_t) override {}
};

struct Cpu {
  CpuState state{};
  NoProtection protection;
  JumpCaches jump_caches{state, 1};
  mmu::RunningCpus::Index index = 0;
  uint64_t links = 0, clears = 0;
};

class TranslationsThreads : public ::testing::Test {
 protected:
  TranslationsThreads() {
    // Each page branches to the next one.
    for (uint32_t i = 0; i < code.size(); i++) code[i] = 0xea0003fe;
    for (Cpu& cpu : cpus) {
      cpu.index = running.add();
      running.attach(cpu.index, nullptr, [](void*) {});
      translations.attach({&cpu.state, &cpu.protection, &cpu.jump_caches, &running});
    }
  }
  static EngineConfig small() {
    EngineConfig config;
    config.code_cache_bytes = 4 << 20;
    config.bookkeeping_bytes = 64 << 10;
    return config;
  }
  static uint32_t page_id(uint32_t pa) { return 1 + (pa - kBase) / kPageBytes; }

  Block* find_or_make(Cpu& cpu, uint32_t pa) {
    for (;;) {
      auto lock = translations.lock();
      BlockKey key;
      key.va = pa;
      key.pa = pa;
      Block* block = translations.blocks().find(key);
      if (!block && !translations.has_room()) {
        lock.unlock();
        clear(cpu);
        continue;
      }
      if (!block) {
        CompileRequest request;
        request.key = key;
        request.page_id = page_id(pa);
        request.page = reinterpret_cast<const uint8_t*>(code.data()) + ((pa - kBase) & ~(kPageBytes - 1));
        block = translations.make(request, cpu.protection);
      }
      JumpCaches::enter(cpu.state, pa, block->page_id, block->code);
      return block;
    }
  }
  void clear(Cpu& cpu) {
    {
      const mmu::RunningCpus::Stop stop(running, cpu.index);
      if (!translations.has_room()) cpu.clears % 3 == 2 ? translations.clear() : translations.make_room();
      cpu.clears++;
    }
    running.run(cpu.index);
  }
  void link(Cpu& cpu, Block* from, Block* to) {
    const auto lock = translations.lock();
    if (!from->valid || !to->valid || from->links.empty() || from->links[0].target != to->key.va) return;
    if (from->linked[0].to) return translations.unlink({from, 0});
    if (!running.passed(cpu.index, from->linked[0].unlinked)) return;
    translations.links().link(from, 0, to);
    cpu.links++;
  }
  void live(Cpu& cpu) {
    std::minstd_rand random(cpu.index + 1);
    both_here.arrive_and_wait();
    running.run(cpu.index);
    for (int i = 0; i < 4000; i++) {
      running.between_blocks(cpu.index);
      if (running.wants_stop()) {
        running.park(cpu.index);
        running.run(cpu.index);
      }
      const uint32_t pa = kBase + random() % (kPages - 1) * kPageBytes + random() % 16 * 4;
      Block* const block = find_or_make(cpu, pa);
      const auto* const entry = JumpCaches::find(cpu.state, pa);
      if (entry) {
        EXPECT_EQ(translations.find_by_host(entry->code), block);
      }
      switch (random() % 8) {
        case 0: translations.drop(block); break;
        case 1: translations.put_out_of_line(pa, block, static_cast<Translations::OutOfLine>(random() % 3)); break;
        case 2: {
          const auto lock = translations.lock_code();
          const bool all = translations.code_written(pa, 4);
          EXPECT_EQ(all, translations.blocks().of_page(pa) == nullptr);
          break;
        }
        case 3: translations.check_code(pa); break;
        case 4: translations.stored_by_hand(block, random() % 2); break;
        default: {
          const uint64_t clears = cpu.clears;
          Block* const next = find_or_make(cpu, pa + kPageBytes);
          if (clears == cpu.clears) link(cpu, block, next);
        }
      }
    }
    running.park(cpu.index);
  }

  std::vector<uint32_t> code = std::vector<uint32_t>(size_t{kPages} * kPageBytes / 4);
  mmu::RunningCpus running;
  std::unique_ptr<Translations> made = std::move(*Translations::create(small()));
  Translations& translations = *made;
  Cpu cpus[2];
  std::latch both_here{2};
};

TEST_F(TranslationsThreads, AreMadeLinkedAndDropped) {
  std::thread other([this] { live(cpus[1]); });
  live(cpus[0]);
  other.join();
  for (Cpu& cpu : cpus) {
    EXPECT_GT(cpu.links, 0u);
    for (uint32_t pa = kBase; pa < kBase + kPages * kPageBytes; pa += 4)
      if (const auto* const entry = JumpCaches::find(cpu.state, pa)) {
        const Block* const block = translations.find_by_host(entry->code);
        ASSERT_NE(block, nullptr);
        EXPECT_TRUE(block->valid);
        EXPECT_EQ(block->key.pa, pa);
        EXPECT_EQ(entry->page_id, page_id(pa));
        for (const Block::Link& link : block->linked) EXPECT_TRUE(!link.to || link.to->valid);
      }
  }
  EXPECT_GT(cpus[0].clears + cpus[1].clears, 0u);
}

// What an empty entry's target is finds nothing where a block was forgotten.
TEST_F(TranslationsThreads, AForgottenEntryIsOfNoPage) {
  Block block;
  block.key.va = UINT32_MAX & ~uint32_t{0xf} & ~(uint32_t{0xf} << kJumpCacheFold);
  while (jump_cache_index(block.key.va) != jump_cache_index(UINT32_MAX)) block.key.va -= 2;
  block.code = reinterpret_cast<const uint8_t*>(0x1000);
  JumpCaches::enter(cpus[0].state, block.key.va, 5, block.code);
  cpus[0].jump_caches.forget(block);
  const auto* const entry = JumpCaches::find(cpus[0].state, UINT32_MAX);
  EXPECT_TRUE(!entry || entry->page_id == x64::kNoPageId);
}

}  // namespace
}  // namespace crosswalk::engine
