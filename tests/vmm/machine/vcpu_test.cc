// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/vcpu.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "translator/arm32/cpu/events.h"

namespace crosswalk::vmm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kLong = 20'000'000'000;

struct VcpuSleep : ::testing::Test {
  VcpuSleep() {
    for (const auto& cpu : vcpus) {
      cpu->state().events = &events;
      arm::take_event(cpu->state());
    }
  }
  // Whether CPU 0, which sleeps until an event, is woken by this.
  bool woken_by(const std::function<void()>& what) {
    const Clock::time_point start = Clock::now();
    std::thread other([&] {
      while (vcpus[0].sleep() != Sleep::WaitForEvent) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      what();
    });
    vcpus[0].sleep_until_event(kLong);
    other.join();
    EXPECT_EQ(vcpus[0].sleep(), Sleep::Awake);
    return Clock::now() - start < std::chrono::seconds(10);
  }

  arm::Events events;
  Vcpus vcpus{2};
};

TEST_F(VcpuSleep, AnEventOrALineWakes) {
  EXPECT_TRUE(woken_by([&] {
    arm::send_event(vcpus[1].state());
    vcpus.wake_for_event();
  }));
  EXPECT_TRUE(arm::take_event(vcpus[0].state()));
  EXPECT_TRUE(woken_by([&] { vcpus[0].raise(kLineIrq); }));
}

TEST_F(VcpuSleep, NothingToWaitFor) {
  arm::send_event(vcpus[1].state());
  vcpus[0].sleep_until_event(kLong);
  arm::take_event(vcpus[0].state());
  vcpus[0].raise(kLineWork);
  vcpus[0].sleep_until_event(kLong);
}

TEST_F(VcpuSleep, IsBounded) { vcpus[0].sleep_until_event(1'000'000); }

// Each event is sent once, at any moment of the other's falling asleep. A lost one would sleep for
// 20 s.
TEST_F(VcpuSleep, NoEventIsLost) {
  const Clock::time_point start = Clock::now();
  constexpr int kRounds = 5000;
  std::atomic<int> turn{0};
  const auto play = [&](unsigned self) {
    Vcpu& cpu = vcpus[self];
    for (int round = static_cast<int>(self); round < kRounds; round += 2) {
      while (turn.load() != round)
        if (!arm::take_event(cpu.state())) cpu.sleep_until_event(kLong);
      turn.store(round + 1);
      arm::send_event(cpu.state());
      vcpus.wake_for_event();
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(15));
}

TEST(HaltPolling, GrowsWithShortWaitsAndEndsWithALongOne) {
  HaltPolling polling(2, 2);
  EXPECT_EQ(polling.nanoseconds(), 0u);
  polling.waited(3'000);
  EXPECT_EQ(polling.nanoseconds(), 10'000u);
  polling.waited(9'000);  // it has looked for long enough
  EXPECT_EQ(polling.nanoseconds(), 10'000u);
  for (int i = 0; i < 10; i++) polling.waited(200'000);
  EXPECT_EQ(polling.nanoseconds(), 200'000u);
  polling.waited(200'001);
  EXPECT_EQ(polling.nanoseconds(), 0u);
}

TEST(HaltPolling, TakesNoHostCpuThatOthersNeed) {
  for (HaltPolling polling : {HaltPolling(1, 1), HaltPolling(4, 2)}) {
    polling.waited(20'000);
    EXPECT_EQ(polling.nanoseconds(), 0u);
  }
  HaltPolling polling(1, 2);
  polling.waited(20'000);
  EXPECT_EQ(polling.nanoseconds(), 10'000u);
}

}  // namespace
}  // namespace crosswalk::vmm
