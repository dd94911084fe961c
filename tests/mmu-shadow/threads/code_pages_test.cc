// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU stores to a page while another one translates it, again and again: after the first has
// polled, no translation is of anything else than what is stored.
#include "mmu-shadow/spaces/code_pages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>

#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/walker/arm32.h"
#include "tests/mmu-shadow/test_memory.h"
#include "translator/base/quick_lock.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint32_t kVa = 0x8000;
constexpr uint64_t kPa = 0x40003000;

// One translation, of the word at kPa.
class Translator final : public CodeListener {
 public:
  explicit Translator(const GuestRam& ram) : word_(*reinterpret_cast<uint32_t*>(ram.at(kPa))) {}

  uint32_t load() const { return std::atomic_ref(word_).load(std::memory_order_relaxed); }
  void store(uint32_t value) { std::atomic_ref(word_).store(value, std::memory_order_relaxed); }

  void translate(CodePages& code) {
    const std::lock_guard lock(lock_);
    if (translated_) return;
    code.protect(kPa);
    of_ = load();
    translated_ = true;
    made++;
  }
  // Whether there is none that is of another word.
  bool is_current() const {
    const std::lock_guard lock(lock_);
    return !translated_ || of_ == load();
  }
  std::unique_lock<QuickLock> lock_code() override { return std::unique_lock(lock_); }
  bool code_written(uint64_t, uint32_t) override {
    translated_ = false;
    return true;
  }
  void check_code(uint64_t) override {
    const std::lock_guard lock(lock_);
    unseen += translated_ && of_ != load();
    translated_ = translated_ && of_ == load();
  }
  std::atomic<uint64_t> made{0};
  uint64_t unseen = 0;

 private:
  uint32_t& word_;
  mutable QuickLock lock_;
  bool translated_ = false;
  uint32_t of_ = 0;
};

class CodePagesThreads : public ::testing::Test {
 protected:
  CodePagesThreads() {
    for (int i = 0; i < 2; i++) cpus.add();
  }
  // Another CPU translates the page while this runs body(round) for each of them.
  template <class Body>
  void while_translating(int rounds, Body body) {
    std::atomic<bool> stop{false};
    std::latch both_here(2);
    std::thread other([&] {
      both_here.arrive_and_wait();
      while (!stop) {
        translator.translate(code);
      }
    });
    both_here.arrive_and_wait();
    for (int round = 1; (round <= rounds || translator.made < 20) && !HasFailure(); round++) {
      body(static_cast<uint32_t>(round));
      if (round % 256 == 0) std::this_thread::yield();
    }
    stop = true;
    other.join();
  }

  TestMemory memory{1 << 20};
  RunningCpus cpus;
  Translator translator{memory.ram};
  CodePages code{memory.ram, translator, cpus};
};

TEST_F(CodePagesThreads, NoStoreOfACpuIsLost) {
  AddressSpace<Arm32> space;
  space.soft = std::make_unique<SoftTlbOf<uint32_t>>(SoftTlbSizes{});
  uint64_t checked = 0;
  while_translating(10000, [&](uint32_t round) {
    // as a CPU does
    for (uint32_t i = 0; i < 4; i++) {
      auto& entry = space.soft->entries()[kVa >> 12 & (space.soft->size() - 1)];
      if (entry.tag_store != kVa) {
        while (!code.may_write(3)) code.written(kPa, 4);
        space.soft->install(kVa, memory.ram.at(kPa), true, false, 0);
      }
      translator.store(round << 2 | i);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);  // DSB
    const uint64_t end = code.end();
    if (space.applied.protections != end) code.catch_up(space);
    code.check_unseen_stores(checked, end);
    EXPECT_TRUE(translator.is_current());
  });
}

// A device's, or one with the privilege of User mode.
TEST_F(CodePagesThreads, NoStoreFromOutsideIsLost) {
  while_translating(10000, [&](uint32_t round) {
    translator.store(round);
    code.written_outside(kPa, 4);
    EXPECT_TRUE(translator.is_current());
  });
}

// A log that has forgotten some: all pages are compared.
TEST_F(CodePagesThreads, AllIsComparedAfterManyProtections) {
  EXPECT_TRUE(code.may_write(3));
  translator.translate(code);
  translator.store(1);
  for (int i = 0; i < 5000; i++) {
    code.unprotect(kPa + 4096);
    EXPECT_TRUE(code.may_write(4));
    EXPECT_EQ(code.protect(kPa + 4096), CodePages::Protected::Logged);
  }
  uint64_t checked = 0;
  code.check_unseen_stores(checked, code.end());
  EXPECT_EQ(checked, code.end());
  EXPECT_EQ(translator.unseen, 1u);
}

}  // namespace
}  // namespace crosswalk::mmu::test
