// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/events.h"

#include <gtest/gtest.h>

#include <thread>

namespace crosswalk::arm::test {
namespace {

struct EventsOfTwoCpus : ::testing::Test {
  EventsOfTwoCpus() {
    for (uint32_t i = 0; i < 2; i++) {
      cpu[i].cpu_index = i;
      cpu[i].events = &events;
    }
  }
  // What translated code does for SEV.
  void sev(CpuState& c) {
    if (std::atomic_ref<uint32_t>(events.watchers).load(std::memory_order_relaxed) != 0) send_event(c);
  }

  Events events;
  CpuState cpu[2]{};
};

TEST_F(EventsOfTwoCpus, TheFirstWfeDoesNotWait) {
  EXPECT_TRUE(take_event(cpu[0]));
  EXPECT_EQ(events.watchers, 1u);
  EXPECT_FALSE(take_event(cpu[0]));
  EXPECT_TRUE(take_event(cpu[1]));
  EXPECT_EQ(events.watchers, 3u);
  EXPECT_FALSE(take_event(cpu[1]));
}

TEST_F(EventsOfTwoCpus, AnEventIsTakenOnceByEachCpu) {
  for (CpuState& c : cpu) take_event(c);
  sev(cpu[1]);
  sev(cpu[1]);
  for (CpuState& c : cpu) {
    EXPECT_TRUE(event_sent(c));
    EXPECT_TRUE(take_event(c));  // the sender's register is set too (B1.8.13)
    EXPECT_FALSE(event_sent(c));
    EXPECT_FALSE(take_event(c));
  }
}

TEST_F(EventsOfTwoCpus, WhoStopsWatchingDoesNotWaitTheNextTime) {
  take_event(cpu[0]);
  EXPECT_FALSE(take_event(cpu[0]));
  stop_watching(cpu[0]);
  stop_watching(cpu[0]);
  EXPECT_EQ(events.watchers, 0u);
  sev(cpu[1]);  // nobody counts it
  EXPECT_EQ(events.generation, 0u);
  EXPECT_TRUE(take_event(cpu[0]));
}

// One CPU hands a counter on and sends an event, the other waits for it: never for an event that
// was sent before.
TEST_F(EventsOfTwoCpus, NoneIsLost) {
  constexpr int kRounds = 20000;
  std::atomic<int> counter{0};
  const auto play = [&](int self) {
    for (int round = self; round < kRounds; round += 2) {
      while (counter.load() != round) {
        // WFE without a bound: it returns when there is an event.
        while (!take_event(cpu[self])) std::this_thread::yield();
      }
      counter.store(round + 1);
      sev(cpu[self]);
      if (round % 7 == 0) stop_watching(cpu[self]);
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(counter.load(), kRounds);
}

}  // namespace
}  // namespace crosswalk::arm::test
