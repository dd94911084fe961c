// SPDX-License-Identifier: GPL-2.0-or-later
// CPUs that poll, on threads of their own, and what holds them.
#include "vmm/machine/cpus/cpu_holds.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/limits.h"
#include "vmm/machine/cpus/cpu_thread.h"

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// Three CPUs that execute nothing, and count their polls. CPU 2 is off until it is switched on.
class CpuHoldsTest : public testing::Test {
 protected:
  static constexpr unsigned kCpus = 3, kOff = 2;

  void SetUp() override {
    ASSERT_TRUE(vcpus_[1].switch_on({0, 0}));
    for (unsigned i = 0; i < kCpus; ++i) threads_[i] = std::thread([this, i] { run(i); });
    ASSERT_TRUE(goes_on(0) && goes_on(1));
  }
  void TearDown() override {
    stop_.request(StopReason::PowerOff);
    for (std::thread& thread : threads_) thread.join();
  }
  void run(unsigned i) {
    Vcpu& cpu = vcpus_[i];
    run_cpu(cpu, CpuStart::AsBefore, rendezvous_, holds_, gate_, stop_, [&](CpuStart) {
      holds_.begin(cpu.state());
      while (!(cpu.lines() & kLineStop)) {
        if (deaf_ != i && (cpu.lines() & kLineWork)) {
          rendezvous_.serve(cpu.state());
          holds_.serve(cpu.state());
          continue;
        }
        ++blocks_[i];
        std::this_thread::yield();
      }
    });
  }
  bool goes_on(unsigned cpu) {
    const uint64_t before = blocks_[cpu];
    return eventually([&] { return blocks_[cpu] != before; });
  }
  bool stays(unsigned cpu) {
    const uint64_t before = blocks_[cpu];
    std::this_thread::sleep_for(2ms);
    return blocks_[cpu] == before;
  }
  bool answers(std::chrono::milliseconds patience) {
    return rendezvous_.run_on_all([](CpuState&) {}, patience) == std::vector<bool>(kCpus, true);
  }

  Vcpus vcpus_{kCpus};
  StopSwitch stop_{[this](bool first) {
    for (const auto& cpu : vcpus_) cpu->stop(first);
  }};
  Rendezvous rendezvous_{kCpus, [this](unsigned cpu) { vcpus_[cpu].raise(kLineWork); }};
  CpuHolds holds_{vcpus_, rendezvous_};
  ResetGate gate_{kCpus, [] {}, [] {}};
  std::array<std::thread, kCpus> threads_;
  std::array<std::atomic<uint64_t>, kCpus> blocks_{};
  std::atomic<unsigned> deaf_{kCpus};  // a CPU that does not poll
};

TEST_F(CpuHoldsTest, AllWaitAndAnswer) {
  for (int i = 0; i < 20; ++i) {
    {
      HoldOfAll pause(holds_, Hold::Pause);
      ASSERT_TRUE(pause.wait(test::patience()));
      EXPECT_TRUE(stays(0) && stays(1));
      EXPECT_TRUE(answers(test::patience()));
    }
    ASSERT_TRUE(goes_on(0) && goes_on(1));
  }
}

TEST_F(CpuHoldsTest, WhatWasQueuedBeforeIsDoneBefore) {
  for (int i = 0; i < 200; ++i) {
    std::atomic<int> done{0};
    for (unsigned cpu = 0; cpu < kCpus; ++cpu) rendezvous_.post(cpu, [&](CpuState&) { ++done; });
    HoldOfAll pause(holds_, Hold::Pause);
    ASSERT_TRUE(pause.wait(test::patience()));
    ASSERT_EQ(done, 3);
  }
}

TEST_F(CpuHoldsTest, FrozenCpusDoNothing) {
  HoldOfAll pause(holds_, Hold::Pause);
  ASSERT_TRUE(pause.wait(test::patience()));
  {
    HoldOfAll freeze(holds_, Hold::Freeze);
    ASSERT_TRUE(freeze.wait(test::patience()));
    EXPECT_FALSE(answers(20ms));
  }
  EXPECT_TRUE(answers(test::patience()));
  EXPECT_TRUE(stays(0));
}

TEST_F(CpuHoldsTest, ReasonsAddUp) {
  for (const Hold first : {Hold::Debugger, Hold::Pause}) {
    const Hold second = first == Hold::Pause ? Hold::Debugger : Hold::Pause;
    holds_.hold_all(first);
    ASSERT_TRUE(eventually([&] { return holds_.waits(0, first) && holds_.waits(1, first); }));
    holds_.hold_all(second);
    ASSERT_TRUE(eventually([&] { return holds_.waits(0, second) && holds_.waits(1, second); }));
    holds_.release_all(first);
    EXPECT_FALSE(holds_.waits(0, first));
    EXPECT_TRUE(stays(0) && stays(1));
    holds_.release_all(second);
    EXPECT_TRUE(goes_on(0) && goes_on(1));
  }
}

TEST_F(CpuHoldsTest, ACpuThatIsSwitchedOnIsHeld) {
  holds_.hold_all(Hold::Debugger);
  EXPECT_FALSE(holds_.waits(kOff, Hold::Debugger));
  ASSERT_TRUE(vcpus_[kOff].switch_on({0x1000, 0}));
  EXPECT_TRUE(eventually([&] { return holds_.waits(kOff, Hold::Debugger); }));
  EXPECT_EQ(blocks_[kOff], 0u);
  holds_.release(kOff, Hold::Debugger);
  EXPECT_TRUE(goes_on(kOff));
  EXPECT_TRUE(stays(0));
}

TEST_F(CpuHoldsTest, ACpuThatIsOffIsSwitchedOnAfterAPause) {
  {
    HoldOfAll pause(holds_, Hold::Pause);
    ASSERT_TRUE(pause.wait(test::patience()));
  }
  ASSERT_TRUE(vcpus_[kOff].switch_on({0x1000, 0}));
  EXPECT_TRUE(goes_on(kOff));
}

TEST_F(CpuHoldsTest, NobodyIsHeldForLongWhenOneDoesNotCome) {
  deaf_ = 0;
  {
    HoldOfAll pause(holds_, Hold::Pause);
    EXPECT_FALSE(pause.wait(20ms));
  }
  deaf_ = kCpus;
  EXPECT_TRUE(goes_on(0) && goes_on(1));
}

TEST_F(CpuHoldsTest, TheEndOfTheRunEndsADebuggersHold) {
  holds_.hold_all(Hold::Debugger);
  ASSERT_TRUE(eventually([&] { return holds_.waits(0, Hold::Debugger); }));
  stop_.request(StopReason::PowerOff);
  threads_[0].join();
  threads_[0] = std::thread([] {});
}

}  // namespace
}  // namespace crosswalk::vmm
