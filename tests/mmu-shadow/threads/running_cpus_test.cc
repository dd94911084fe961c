// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/base/running_cpus.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

namespace crosswalk::mmu::test {
namespace {

// Of all CPUs at once.
template <class Body>
void on_threads(unsigned cpus, Body body) {
  std::latch all_here(cpus);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < cpus; i++)
    threads.emplace_back([&, i] {
      all_here.arrive_and_wait();
      body(i);
    });
  for (std::thread& thread : threads) thread.join();
}

// Where CPUs look by themselves.
void need_not_be_asked(RunningCpus& cpus, unsigned count) {
  for (unsigned i = 0; i < count; i++) cpus.attach(cpus.add(), nullptr, [](void*) {});
}

TEST(RunningCpus, AnEpochPassesWhenEachHasLookedSinceItBegan) {
  RunningCpus cpus;
  need_not_be_asked(cpus, 2);
  cpus.run(0);
  cpus.run(1);
  const uint64_t first = cpus.next_epoch();
  cpus.between_blocks(1);  // it may meet what is being taken out
  cpus.begin_epoch();
  EXPECT_FALSE(cpus.passed(0, first));
  cpus.between_blocks(1);
  EXPECT_TRUE(cpus.passed(0, first));
  const uint64_t second = cpus.next_epoch();
  cpus.begin_epoch();
  EXPECT_FALSE(cpus.passed(0, second));
  cpus.park(1);
  EXPECT_TRUE(cpus.passed(0, second));
}

TEST(RunningCpus, ForOneCpuEpochsHavePassed) {
  RunningCpus cpus;
  need_not_be_asked(cpus, 1);
  cpus.run(0);
  const uint64_t epoch = cpus.next_epoch();
  cpus.begin_epoch();
  EXPECT_TRUE(cpus.passed(0, epoch));
}

TEST(RunningCpus, WhoHasStoppedAllIsAlone) {
  constexpr unsigned kCpus = 4;
  constexpr int kRounds = 4000, kStops = 8;
  RunningCpus cpus;
  need_not_be_asked(cpus, kCpus);
  uint64_t stops = 0;  // read by those that run
  bool runs[kCpus] = {};
  on_threads(kCpus, [&](unsigned self) {
    uint64_t seen = 0;
    cpus.run(self);
    runs[self] = true;
    for (int round = 0; round < kRounds; round++) {
      EXPECT_GE(stops, seen);
      seen = stops;
      const bool stop = round % (kRounds / kStops) == 0;
      if (!stop && !cpus.wants_stop() && round % 64 != 0) continue;
      runs[self] = false;
      if (stop) {
        const RunningCpus::Stop stopped(cpus, self);
        for (const bool other : runs) EXPECT_FALSE(other);
        stops++;
      } else {
        cpus.park(self);
      }
      cpus.run(self);
      runs[self] = true;
    }
    runs[self] = false;
    cpus.park(self);
  });
  EXPECT_EQ(stops, uint64_t{kCpus} * kStops);
}

class WaitingCpus : public testing::TestWithParam<unsigned> {};  // CPUs of the host

// All wait for each other, and one stops all now and then. Where the host has few CPUs, they rest.
TEST_P(WaitingCpus, WaitsEndWhenAllHaveAppliedOrAreParked) {
  constexpr unsigned kCpus = 4;
  RunningCpus cpus(GetParam());
  std::atomic<uint64_t> rests{0};
  need_not_be_asked(cpus, kCpus);
  std::atomic<uint64_t> changes{1}, done[kCpus];
  for (auto& of_cpu : done) of_cpu.store(UINT64_MAX);
  on_threads(kCpus, [&](unsigned self) {
    const auto apply = [&] {
      const uint64_t now = changes.load();
      done[self].store(now);
      cpus.applied(self, now);
    };
    const auto park = [&] {
      done[self].store(UINT64_MAX);
      cpus.park(self);
    };
    cpus.run(self);
    apply();
    for (int round = 0; round < 500; round++) {
      if (self == 0 && round % 50 == 0) {
        done[self].store(UINT64_MAX);
        { const RunningCpus::Stop stop(cpus, self); }
        cpus.run(self);
        apply();
      }
      const uint64_t wanted = ++changes;
      cpus.wait_for_others(
          self, wanted, [](RunningCpus::Index) { return true; },
          [&] {
            apply();
            return true;
          });
      for (unsigned other = 0; other < kCpus; other++)
        if (other != self) {
          EXPECT_GE(done[other].load(), wanted);
        }
      if (cpus.wants_rest()) {
        park();
        cpus.rest();
        rests++;
        cpus.run(self);
      } else if (cpus.wants_stop() || round % 16 == 0) {
        park();
        cpus.run(self);
      }
      apply();
    }
    park();
  });
  if (GetParam() >= kCpus) {
    EXPECT_EQ(rests, 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(OfTheHost, WaitingCpus, testing::Values(1u, 2u, RunningCpus::kMaximum));

// The one that is waited for has no host CPU as long as the other one has.
TEST(RunningCpus, WhoHasAnsweredRestsUntilTheWaitIsOver) {
  RunningCpus cpus(1);
  std::atomic<bool> asked[3] = {}, rested{false};
  for (auto& of_cpu : asked)
    cpus.attach(cpus.add(), &of_cpu, [](void* its) { static_cast<std::atomic<bool>*>(its)->store(true); });
  std::latch all_run(3);
  on_threads(3, [&](unsigned self) {
    cpus.run(self);
    all_run.arrive_and_wait();
    switch (self) {
      case 0:
        cpus.wait_for_others(
            self, 5, [](RunningCpus::Index other) { return other == 2; }, [] { return true; });
        break;
      case 1:
        // Who parks before is not asked any more.
        while (!cpus.wants_rest() || !asked[self]) std::this_thread::yield();
        cpus.park(self);
        rested = true;
        cpus.rest();
        EXPECT_FALSE(cpus.wants_rest());
        break;
      case 2:
        while (!rested) std::this_thread::yield();
        break;
    }
    cpus.park(self);
  });
  EXPECT_TRUE(asked[1]);
  EXPECT_TRUE(asked[2]);
}

TEST(RunningCpus, AWaitIsGivenUp) {
  RunningCpus cpus;
  need_not_be_asked(cpus, 2);
  cpus.run(0);
  cpus.run(1);
  int tries = 0;
  cpus.wait_for_others(
      0, 5, [](RunningCpus::Index) { return true; }, [&] { return ++tries < 3; });
  EXPECT_EQ(tries, 3);
  cpus.wait_for_others(
      0, 5, [](RunningCpus::Index) { return false; }, [&] { return ++tries < 3; });
  EXPECT_EQ(tries, 3);
}

}  // namespace
}  // namespace crosswalk::mmu::test
