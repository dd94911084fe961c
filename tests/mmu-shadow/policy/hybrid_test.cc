// SPDX-License-Identifier: GPL-2.0-or-later
// Hybrid's policy without an MMU: what happens is told, and the orders are looked at.
#include "mmu-shadow/policy/hybrid.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kMillisecond = 2'000'000;  // ticks: MmuCosts::ticks_per_ns

// An address space that carries out what it is told.
class FakeSpace final : public FormedSpace {
 public:
  explicit FakeSpace(SpaceForm& form) : form_(form) {}
  bool privileged() const override { return false; }
  bool has_window() const override { return window; }
  uint32_t add_entries(PageSet& set) const override {
    for (uint32_t i = 0; i < pages; i++) set.add(i << 12);
    return pages;
  }
  double translation_ns() const override { return translation; }
  void forget_instruction_pages() override { samples++; }
  bool make_window() override { return window = room; }
  void enter_window() override { form_.windowed = true; }
  void leave_window() override { form_.windowed = false; }

  bool room = true, window = false;
  uint32_t pages = 10, samples = 0;
  double translation = 0;

 private:
  SpaceForm& form_;
};

struct Hybrid : ::testing::Test {
  explicit Hybrid(double window_fault = 10'000) {
    config.costs.window_fault = window_fault;
    space.history = std::make_unique<HybridHistory>();
    other.history = std::make_unique<HybridHistory>();
    policy.emplace(config, statistics);
    enter(space);
    now += kMillisecond;
    policy->time().polled(space, now);
  }
  void enter(SpaceForm& next) {
    policy->time().changed(current, next, [&] {
      clock_reads++;
      return now;
    });
    current = &next;
  }
  // The space runs for so long, and is judged at polls, 10 ms apart.
  void run(uint64_t milliseconds) {
    for (uint64_t ms = 0; ms < milliseconds; ms += 10) {
      now += 10 * kMillisecond;
      policy->time().polled(*current, now);
      if (policy->time().due(space)) policy->judge(space, formed);
    }
  }

  MmuConfig config{.mode = Mode::Hybrid};
  Statistics statistics;
  std::optional<HybridPolicy> policy;
  SpaceForm space, other;
  SpaceForm* current = nullptr;
  FakeSpace formed{space};
  uint64_t now = 1'000'000'000, clock_reads = 0;
};

TEST_F(Hybrid, WhatComputesGetsAWindow) {
  EXPECT_FALSE(policy->at_once());
  run(100);
  EXPECT_TRUE(space.windowed);
  EXPECT_GT(formed.samples, 0u) << "the code that is in use was not looked for";
  EXPECT_EQ(statistics.promotions, 1u);
  run(1000);
  EXPECT_TRUE(space.windowed) << "without faults there is no reason to go back";
}

TEST_F(Hybrid, WithoutRoomThereIsNoWindow) {
  formed.room = false;
  run(100);
  EXPECT_FALSE(space.windowed);
  EXPECT_EQ(statistics.promotions, 0u);
  formed.room = true;
  run(1000);
  EXPECT_TRUE(space.windowed);
}

TEST_F(Hybrid, WhatOnlyChangesMappingsRests) {
  for (int i = 0; i < 20; i++) {
    for (uint32_t page = 0; page < 2000 && !policy->time().resting(space); page++) {
      policy->refilled(space, page << 12, HybridPolicy::Refill::Memory, 0);
      policy->flushed(space, page << 12);
    }
    run(10);
  }
  EXPECT_FALSE(space.windowed);
  EXPECT_TRUE(policy->time().resting(space));
}

TEST_F(Hybrid, AWindowThatCostsMoreThanItSavesGoesAndIsHarderToGet) {
  run(100);
  ASSERT_TRUE(space.windowed);
  for (int i = 0; i < 50 && space.windowed; i++) {
    for (int fault = 0; fault < 1000; fault++) policy->faulted(space, 1000, policy->entries_handled());
    run(10);
  }
  EXPECT_FALSE(space.windowed);
  EXPECT_EQ(statistics.demotions, 1u);
  EXPECT_EQ(space.history->reluctance, 2);
  EXPECT_EQ(space.history->seen.count(), formed.pages) << "what it used is not new to it";
  policy->forget(space);
  EXPECT_EQ(space.history->reluctance, 1);
}

// The host ran something else for 4 ms of every 10 while entries were flushed: no cost of the
// window.
TEST_F(Hybrid, PreemptionIsNoUpkeep) {
  run(100);
  ASSERT_TRUE(space.windowed);
  for (int i = 0; i < 50; i++) {
    const uint64_t before = policy->entries_handled();
    statistics.entries_removed++;
    policy->upkept(space, 4 * kMillisecond, before);
    policy->faulted(space, 4 * kMillisecond, policy->entries_handled());
    run(10);
  }
  EXPECT_TRUE(space.windowed);
  EXPECT_EQ(statistics.demotions, 0u);
  // With as many entries as that takes, it is.
  for (int i = 0; i < 50 && space.windowed; i++) {
    const uint64_t before = policy->entries_handled();
    statistics.entries_removed += 1000;
    policy->upkept(space, 4 * kMillisecond, before);
    run(10);
  }
  EXPECT_FALSE(space.windowed);
}

TEST_F(Hybrid, OfShortStaysFewAreMeasured) {
  clock_reads = 0;
  for (int i = 0; i < 1000; i++) {
    now += 200;  // 100 ns
    enter(i % 2 ? space : other);
  }
  EXPECT_LT(clock_reads, 500u);
  // They stand for the others: the two have run for about as long as it took.
  EXPECT_NEAR(static_cast<double>(space.run_ticks + other.run_ticks) - kMillisecond, 200'000, 60'000);
}

TEST_F(Hybrid, SleepIsNobodys) {
  const uint64_t before = space.run_ticks;
  policy->time().exclude(8 * kMillisecond);
  now += 10 * kMillisecond;
  policy->time().polled(space, now);
  EXPECT_EQ(space.run_ticks - before, 2 * kMillisecond);
}

struct CheapWindows : Hybrid {
  CheapWindows() : Hybrid(100) {
    config.costs.window_flush = 100;
    policy.emplace(config, statistics);
    space.windowed = other.windowed = true;
    clock_reads = 0;
  }
};

TEST_F(CheapWindows, NoClockIsReadAndFaultsCountForTheWayBack) {
  ASSERT_TRUE(policy->at_once());
  for (int i = 0; i < 1000; i++) enter(i % 2 ? space : other);
  EXPECT_EQ(clock_reads, 0u);
  EXPECT_FALSE(policy->measures_upkeep(space));
  run(10);
  for (int i = 0; i < 400 && space.windowed; i++) {
    for (int fault = 0; fault < 50'000; fault++) {
      policy->faulted(space, 0, policy->entries_handled());
      policy->flushed(space, 0);
    }
    run(10);
  }
  EXPECT_FALSE(space.windowed);
}

}  // namespace
}  // namespace crosswalk::mmu::test
