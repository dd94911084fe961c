// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/io/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/limits.h"

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;

int patience_ms() { return static_cast<int>(test::patience().count()); }

// Descriptors that are others at each wait; the group is asked after each.
TEST(EventLoop, Groups) {
  struct Group final : PollGroup {
    void fill(std::vector<pollfd>& fds, int& timeout) override {
      for (const int fd : wanted) fds.push_back({fd, POLLIN, 0});
      timeout = 0;
    }
    void ready(std::span<const pollfd> fds) override {
      got.clear();
      for (const pollfd& fd : fds) got.push_back(fd.revents & POLLIN ? fd.fd : -1);
    }
    std::vector<int> wanted, got;
  } first, second;
  EventLoop loop;
  ASSERT_TRUE(loop.open());
  loop.add(first);
  loop.add(second);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  second.wanted = {ends[0]};
  loop.wait(EventLoop::Heeds::All, [] { return -1; });
  EXPECT_EQ(second.got, std::vector<int>{-1});
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  first.wanted = {ends[0], ends[1]};
  loop.wait(EventLoop::Heeds::All, [] { return -1; });
  EXPECT_EQ(first.got, (std::vector<int>{ends[0], -1}));
  EXPECT_EQ(second.got, std::vector<int>{ends[0]});
  for (const int end : ends) close(end);
}

TEST(EventLoop, CallsWhatIsReadyAndNothingElse) {
  EventLoop loop;
  ASSERT_TRUE(loop.open());
  int ends[2][2];
  int calls[2] = {};
  bool wanted[2] = {true, true};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(pipe(ends[i]), 0);
    loop.add({[&, i] { return wanted[i] ? ends[i][0] : -1; }, POLLIN, [&, i] { ++calls[i]; }});
  }
  loop.wait(EventLoop::Heeds::All, [] { return 0; });
  EXPECT_EQ(calls[0] + calls[1], 0);
  ASSERT_EQ(write(ends[1][1], "x", 1), 1);
  loop.wait(EventLoop::Heeds::All, [] { return -1; });
  EXPECT_EQ(calls[0], 0);
  EXPECT_EQ(calls[1], 1);
  wanted[1] = false;
  loop.wait(EventLoop::Heeds::All, [] { return 0; });
  EXPECT_EQ(calls[1], 1);
  EXPECT_EQ(loop.wakes(), 3u);
  for (const auto& pair : ends) {
    for (const int end : pair) close(end);
  }
}

// Work that appears at any moment before its notification is seen: no wait takes its full time.
TEST(EventLoop, NoNotificationIsMissed) {
  EventLoop loop;
  ASSERT_TRUE(loop.open());
  std::atomic<int> made{0};
  constexpr int kRounds = 2000;
  std::atomic<int> seen{0};
  std::thread maker([&] {
    for (int i = 1; i <= kRounds; ++i) {
      made = i;
      loop.notify(i % 2 == 0);
      while (seen < i) std::this_thread::yield();
    }
  });
  const auto start = std::chrono::steady_clock::now();
  while (seen < kRounds) {
    loop.wait(EventLoop::Heeds::All, [&] { return made > seen ? 0 : patience_ms(); });
    seen = made.load();
  }
  maker.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, test::patience());
}

TEST(EventLoop, WhatIsNotUrgentDoesNotEndAWaitThatHeedsOnlyWhatIs) {
  EventLoop loop;
  ASSERT_TRUE(loop.open());
  std::atomic<bool> waiting{false}, over{false};
  std::thread waiter([&] {
    loop.wait(EventLoop::Heeds::Urgent, [&] {
      waiting = true;
      return -1;
    });
    over = true;
  });
  while (!waiting) std::this_thread::yield();
  loop.notify(false);
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(over);
  loop.notify(true);
  waiter.join();
}

}  // namespace
}  // namespace crosswalk::vmm
