// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/time/timer_thread.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "vmm/base/futex.h"
#include "vmm/base/sandbox.h"

namespace crosswalk::vmm {
namespace {
// Longer sleeps are cut into these, so that nanoseconds never overflow.
constexpr uint64_t kMaxSleepTicks = kCounterFrequency * 3600;
}  // namespace

void TimerThread::start(const Sandbox* sandbox) {
  sandbox_ = sandbox;
  stop_.store(false);
  thread_ = std::thread([this] { run(); });
}

void TimerThread::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true);
  wake();
  thread_.join();
}

void TimerThread::wake() {
  wake_word_.fetch_add(1);
  futex_wake(reinterpret_cast<uint32_t*>(&wake_word_));
}

// Pairs with run(): each side stores its own word and then loads the other's, sequentially
// consistent, so that either the thread sees the new deadline or this sees that the thread sleeps
// too long.
void TimerThread::set_deadline(uint64_t deadline) {
  deadline_.store(deadline);
  if (deadline < sleeping_until_.load()) wake();
}

void TimerThread::run() {
  pthread_setname_np(pthread_self(), "timer");
  prctl(PR_SET_TIMERSLACK, 1);  // the default of 50 us would delay every guest timer
  if (sandbox_) sandbox_->enter(Sandbox::Role::Timer);
  while (!stop_.load()) {
    const uint32_t word = wake_word_.load();
    const uint64_t deadline = deadline_.load();
    const uint64_t now = counter_.host_ticks();
    if (deadline <= now) {
      // This may forget a newer deadline, set meanwhile: the handler computes it again.
      deadline_.store(kNoDeadline);
      wakes_.fetch_add(1, std::memory_order_relaxed);
      handler_.deadline_passed();
      continue;
    }
    sleeping_until_.store(deadline);
    if (deadline_.load() == deadline && !stop_.load()) {
      const uint64_t ticks = deadline - now;
      const bool forever = deadline == kNoDeadline;
      const uint64_t sleep = ticks < kMaxSleepTicks ? ticks : kMaxSleepTicks;
      futex_wait(reinterpret_cast<uint32_t*>(&wake_word_), word,
                 forever ? -1 : static_cast<int64_t>(sleep * kNanosecondsPerTick));
    }
    sleeping_until_.store(0);
  }
}

}  // namespace crosswalk::vmm
