// SPDX-License-Identifier: GPL-2.0-or-later
// TimeBase over clocks that restart, jump and stand still: a TSC of 2 GHz unless a test says
// otherwise.
#include "vmm/base/time_base.h"

#include <gtest/gtest.h>

#include <thread>

namespace crosswalk::vmm {
namespace {

constexpr uint64_t kMillisecond = 1'000'000, kSecond = 1000 * kMillisecond;
constexpr uint64_t kCyclesPerNanosecond = 2;
// in units of 16 ns, 0.64
constexpr uint64_t kMultiplier = (uint64_t{1} << 60) / kCyclesPerNanosecond;

struct Host {
  std::atomic<uint64_t> tsc{1'000'000 * kSecond}, clock{5 * kSecond};
  std::atomic<unsigned> system_calls{0};
  void pass(uint64_t ns) {
    tsc += ns * kCyclesPerNanosecond;
    clock += ns;
  }
};

struct FakeClock {
  Host* host;
  uint64_t tsc() const { return host->tsc; }
  uint64_t nanoseconds() const { return host->clock; }
  uint64_t nanoseconds_by_system_call() const {
    ++host->system_calls;
    return host->clock;
  }
};

class TimeBaseTest : public testing::Test {
 protected:
  TimeBaseTest() { time_.start(kMultiplier); }
  Host host_;
  TimeBase<FakeClock> time_{FakeClock{&host_}};
};

constexpr double kClose = 1000;  // nanoseconds: a base is rounded up by one

TEST_F(TimeBaseTest, FollowsTheTscWithoutSystemCalls) {
  const unsigned calls = host_.system_calls;
  host_.tsc += kSecond * kCyclesPerNanosecond;  // the clock is not even looked at
  EXPECT_EQ(time_.nanoseconds(), kSecond);
  EXPECT_EQ(host_.system_calls, calls);
  host_.clock += kSecond;
  for (int i = 0; i < 100; ++i) {
    time_.check();
    host_.pass(kSecond);
  }
  EXPECT_NEAR(static_cast<double>(time_.nanoseconds()), 101.0 * kSecond, kClose);
  EXPECT_EQ(time_.discontinuities(), 0u);
}

TEST_F(TimeBaseTest, ALateCheckIsNoDiscontinuity) {
  host_.pass(3600 * kSecond);  // stopped: both clocks went on
  EXPECT_NEAR(static_cast<double>(time_.nanoseconds()), 3600.0 * kSecond, kClose);
  EXPECT_EQ(time_.discontinuities(), 0u);
}

TEST_F(TimeBaseTest, ATscThatRestartsIsReplacedByTheClock) {
  host_.pass(900 * kMillisecond);
  const uint64_t before = time_.nanoseconds();
  host_.clock += 50 * kMillisecond;
  host_.tsc = 1000;
  EXPECT_NEAR(static_cast<double>(time_.nanoseconds()), 950.0 * kMillisecond, kClose);
  EXPECT_GE(time_.nanoseconds(), before);
  EXPECT_EQ(time_.discontinuities(), 1u);
  host_.pass(kSecond);
  EXPECT_NEAR(static_cast<double>(time_.nanoseconds()), 1950.0 * kMillisecond, kClose);
  EXPECT_EQ(time_.discontinuities(), 1u);
}

// The restarted TSC has passed the base when the first reader comes: only the check can tell.
TEST_F(TimeBaseTest, ARestartThatReadersCannotSeeIsFoundByTheCheck) {
  host_.pass(100 * kSecond);
  time_.check();
  host_.clock += 40 * kSecond;
  host_.tsc += 10 * kMillisecond;
  const uint64_t before = time_.nanoseconds();
  time_.check();
  EXPECT_GE(time_.nanoseconds(), before);
  EXPECT_NEAR(static_cast<double>(time_.nanoseconds()), 140.0 * kSecond, kClose);
  EXPECT_EQ(time_.discontinuities(), 1u);
}

TEST_F(TimeBaseTest, ASuspendWithARunningTscIsNotCounted) {
  host_.pass(kSecond);
  const uint64_t before = time_.nanoseconds();
  host_.tsc += 3600 * kSecond * kCyclesPerNanosecond;
  const uint64_t after = time_.nanoseconds();
  EXPECT_GE(after, before);
  EXPECT_LE(after, before + TimeBase<FakeClock>::kRange);
  EXPECT_EQ(time_.discontinuities(), 1u);
}

// What was read on the word of a TSC that then turned out to be wrong is not taken back.
TEST_F(TimeBaseTest, NeverGoesBack) {
  uint64_t last = 0, random = 42;
  const auto read = [&] {
    const uint64_t now = time_.nanoseconds();
    EXPECT_GE(now, last);
    last = now;
  };
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t by = (random >> 40) * 10;  // up to 168 ms
    switch (random >> 33 & 127) {
      case 0:  // another one may follow only after a check
        host_.tsc += by * 100;
        read();
        time_.check();
        break;
      case 1:
        if (host_.tsc > 10 * kSecond * kCyclesPerNanosecond) host_.tsc = by + 1000;
        break;
      case 2: host_.clock += by * 100; break;
      case 3: time_.check(); break;
      default: host_.pass(by);
    }
    read();
  }
}

TEST_F(TimeBaseTest, TscsOfTwoSocketsMayDifferALittle) {
  host_.pass(kSecond);
  time_.check();
  const uint64_t now = time_.nanoseconds();
  host_.tsc -= 100;
  EXPECT_EQ(time_.nanoseconds(), now);
  EXPECT_EQ(time_.discontinuities(), 0u);
}

TEST(TimeBase, WithoutATscIsTheClock) {
  Host host;
  TimeBase<FakeClock> time(FakeClock{&host});
  time.start(0);
  host.clock += 12345;
  host.tsc = 0;
  EXPECT_EQ(time.nanoseconds(), 12345u);
  time.check();
  EXPECT_EQ(time.discontinuities(), 0u);
}

TEST_F(TimeBaseTest, ReadersOnSeveralThreadsSeeItGrow) {
  std::atomic<bool> stop{false};
  std::atomic<unsigned> wrong{0};
  const auto read = [&] {
    uint64_t last = 0;
    while (!stop) {
      const uint64_t now = time_.nanoseconds();
      if (now < last) ++wrong;
      last = now;
    }
  };
  std::thread readers[] = {std::thread(read), std::thread(read), std::thread(read)};
  for (int i = 0; i < 20'000; ++i) {
    // first: a reader must not find the TSC ahead of it by more than a step
    host_.clock += 100 * 1000;
    host_.tsc += 100 * 1000 * kCyclesPerNanosecond;
    if (i % 10 == 0) time_.check();
    if (i % 5'000 == 0) {
      host_.clock += 100 * kMillisecond;
      host_.tsc = 1'000'000 - static_cast<uint64_t>(i);
      time_.check();
    }
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace crosswalk::vmm
