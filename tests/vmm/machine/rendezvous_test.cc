// SPDX-License-Identifier: GPL-2.0-or-later
// CPUs that poll, on threads of their own, and work for them.
#include "vmm/machine/cpus/rendezvous.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/limits.h"
#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;

class RendezvousTest : public testing::Test {
 protected:
  static constexpr unsigned kCpus = 3;

  RendezvousTest() {
    for (unsigned i = 0; i < kCpus; ++i) cpus_[i].cpu_index = i;
  }
  void SetUp() override {
    for (unsigned i = 0; i < kCpus; ++i) threads_[i] = std::thread([this, i] { run(i); });
  }
  void TearDown() override {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  void run(unsigned i) {
    while (!stop_) {
      if (deaf_ != i && std::atomic_ref<uint32_t>(cpus_[i].interrupt_lines).load() & kLineWork)
        rendezvous_.serve(cpus_[i]);
      std::this_thread::yield();
    }
  }

  std::array<CpuState, kCpus> cpus_{};
  Rendezvous rendezvous_{kCpus, [this](unsigned cpu) { raise_line(cpus_[cpu], kLineWork); }};
  std::array<std::thread, kCpus> threads_;
  std::atomic<bool> stop_{false};
  std::atomic<unsigned> deaf_{kCpus};  // a CPU that does not poll
};

TEST_F(RendezvousTest, PostedWorkIsDoneInOrder) {
  std::vector<int> done;
  std::atomic<bool> last{false};
  for (int i = 0; i < 1000; ++i) {
    rendezvous_.post(1, [&, i](CpuState& cpu) {
      EXPECT_EQ(cpu.cpu_index, 1u);
      done.push_back(i);
      if (i == 999) last = true;
    });
  }
  ASSERT_TRUE(test::eventually([&] { return last.load(); }));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(done[static_cast<size_t>(i)], i);
}

TEST_F(RendezvousTest, EachCpuRunsItOnItsThread) {
  std::array<std::thread::id, kCpus> ran;
  const auto came =
      rendezvous_.run_on_all([&](CpuState& cpu) { ran[cpu.cpu_index] = std::this_thread::get_id(); }, test::patience());
  EXPECT_EQ(came, std::vector<bool>(kCpus, true));
  for (unsigned i = 0; i < kCpus; ++i) EXPECT_EQ(ran[i], threads_[i].get_id());
}

TEST_F(RendezvousTest, ACpuThatDoesNotComeIsNotWaitedForAndDoesNothingLater) {
  deaf_ = 1;
  std::array<std::atomic<int>, kCpus> ran{};
  // The others come within this time or not at all on a busy host; what is said of them must be
  // true.
  const auto came = rendezvous_.run_on_all([&](CpuState& cpu) { ++ran[cpu.cpu_index]; }, 50ms);
  EXPECT_FALSE(came[1]);
  for (unsigned i = 0; i < kCpus; ++i) EXPECT_EQ(ran[i], came[i] ? 1 : 0) << i;
  deaf_ = kCpus;
  EXPECT_TRUE(test::eventually([&] { return !(std::atomic_ref(cpus_[1].interrupt_lines).load() & kLineWork); }));
  rendezvous_.run_on_all([](CpuState&) {}, test::patience());
  EXPECT_EQ(ran[1], 0);
}

TEST_F(RendezvousTest, NobodyWaitsForCpusThatHaveLeft) {
  deaf_ = 0;
  std::thread closer([&] {
    std::this_thread::sleep_for(10ms);
    rendezvous_.close();
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(rendezvous_.run_on_all([](CpuState&) {}, test::patience())[0]);
  closer.join();
  EXPECT_FALSE(rendezvous_.run_on_all([](CpuState&) {}, test::patience())[0]);
  EXPECT_LT(std::chrono::steady_clock::now() - start, test::patience());
}

}  // namespace
}  // namespace crosswalk::vmm
