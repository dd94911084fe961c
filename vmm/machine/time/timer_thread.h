// SPDX-License-Identifier: GPL-2.0-or-later
// One thread that sleeps until the machine's next deadline. Moving the deadline to later, the
// common case of a periodic tick, makes no system call: the thread wakes at the old one and looks
// again.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "vmm/machine/time/counter.h"

namespace crosswalk::vmm {

class Sandbox;

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

class DeadlineHandler {
 public:
  virtual ~DeadlineHandler() = default;
  // On the timer thread: the deadline (SystemCounter::host_ticks) has passed and is forgotten. Acts
  // on it and sets the next one, under the lock that everyone who sets deadlines holds.
  virtual void deadline_passed() = 0;
};

class TimerThread {
 public:
  TimerThread(const SystemCounter& counter, DeadlineHandler& handler) : counter_(counter), handler_(handler) {}
  ~TimerThread() { stop(); }

  // `sandbox`: what confines the thread; null: nothing.
  void start(const Sandbox* sandbox = nullptr);
  void stop();
  // The next deadline is now `deadline`, earlier or later than before. Any thread.
  void set_deadline(uint64_t deadline);
  uint64_t wakes() const { return wakes_.load(std::memory_order_relaxed); }

 private:
  void run();
  void wake();

  const SystemCounter& counter_;
  DeadlineHandler& handler_;
  const Sandbox* sandbox_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> deadline_{kNoDeadline};
  // 0 while awake: it will look at deadline_ before it sleeps
  std::atomic<uint64_t> sleeping_until_{0};
  std::atomic<uint32_t> wake_word_{0};  // futex
  std::atomic<uint64_t> wakes_{0};
};

}  // namespace crosswalk::vmm
