// SPDX-License-Identifier: GPL-2.0-or-later
// A mutex for what takes less time than to sleep: a few instructions where nobody else has it. Who
// waits sleeps in the kernel. Used as std::mutex is.
#pragma once

#include <atomic>
#include <cstdint>

namespace crosswalk {

class QuickLock {
 public:
  void lock() {
    uint32_t free = kFree;
    if (!state_.compare_exchange_strong(free, kTaken, std::memory_order_acquire)) [[unlikely]]
      wait();
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kAwaited) [[unlikely]]
      state_.notify_one();
  }

 private:
  enum : uint32_t { kFree, kTaken, kAwaited };

  [[gnu::noinline]] void wait() {
    while (state_.exchange(kAwaited, std::memory_order_acquire) != kFree) state_.wait(kAwaited);
  }

  std::atomic<uint32_t> state_{kFree};
};

}  // namespace crosswalk
