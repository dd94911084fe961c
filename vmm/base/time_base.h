// SPDX-License-Identifier: GPL-2.0-or-later
// Time from the time-stamp counter that survives what may happen to the TSC: it restarts or jumps
// when the host is suspended.
//
// A reader takes the TSC since a base, a pair of a TSC value and a time, which is renewed at least
// every second. Less than two seconds from the base it needs nothing else. What lies outside of
// that (a TSC that restarted, a long jump, a process that was stopped) makes it ask the clock,
// CLOCK_MONOTONIC_RAW: where the two agree, the TSC is right and time did pass; where they do not,
// time goes on by the clock, which does not count a suspend, and never below what a reader has
// seen. So a guest sleeps with its host, as in QEMU, and its wall clock is left behind then. Jumps
// of less than two seconds forwards are taken for time. What is beyond this is a TSC that restarts
// when it has jumped or restarted less than two seconds before: that may take the time back by as
// much. Machine keeps it from the guest.
//
// Readers are lock-free: the base is a seqlock. Inside a VM whose TSC has parted from the host's,
// asking the clock is a system call, and so an exit after which the world has put the TSC right
// again.
//
// A Clock has
//   uint64_t tsc()                           the TSC
//   uint64_t nanoseconds()                   the monotonic clock, fast
//   uint64_t nanoseconds_by_system_call()    the same, by a system call in any case
// and TimeBase is a template only so that tests can have their own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace crosswalk::vmm {

template <class Clock>
class TimeBase {
 public:
  static constexpr uint64_t kSecond = 1'000'000'000;
  // How far from the base a reader believes the TSC.
  static constexpr uint64_t kRange = 2 * kSecond;

  explicit TimeBase(Clock clock = {}) : clock_(clock) {}
  TimeBase(const TimeBase&) = delete;
  TimeBase& operator=(const TimeBase&) = delete;

  // Starts at 0, now. `multiplier`: 16 ns per TSC cycle as a 0.64 fixed-point number; 0: the time
  // is the clock's.
  void start(uint64_t multiplier) {
    multiplier_ = multiplier;
    if (multiplier == 0) {
      base_clock_ = clock_.nanoseconds();
      return;
    }
    range_ = static_cast<uint64_t>((static_cast<unsigned __int128>(kRange) << kFraction) / multiplier);
    const Sample now = sample();
    publish(now, 0);
  }
  uint64_t multiplier() const { return multiplier_; }

  // Nanoseconds since start(). Any thread.
  uint64_t nanoseconds() const {
    if (multiplier_ == 0) return clock_.nanoseconds() - base_clock_;
    for (;;) {
      const uint32_t sequence = sequence_.load(std::memory_order_acquire);
      // Acquired one by one: a fence would do, but ThreadSanitizer knows none.
      const uint64_t tsc = base_tsc_.load(std::memory_order_acquire);
      const uint64_t time = base_time_.load(std::memory_order_acquire);
      if (sequence % 2 == 0 && sequence_.load(std::memory_order_relaxed) == sequence) {
        const uint64_t elapsed = clock_.tsc() - tsc;
        if (elapsed < range_) [[likely]]
          return time + scaled(elapsed);
        // The TSCs of two sockets may differ a little, and an RDTSC may be executed early.
        if (-elapsed < kSkew) return time;
        return renew();
      }
      __builtin_ia32_pause();
    }
  }

  // Renews the base, and finds out whether the TSC still tells the time. To be called every second
  // or so.
  void check() const {
    if (multiplier_ != 0) renew();
  }
  // How often it did not.
  uint64_t discontinuities() const { return discontinuities_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kFraction = 60;                    // of scaled()
  static constexpr uint64_t kSkew = 1 << 20;              // TSC cycles
  static constexpr uint64_t kTolerance = kSecond / 100;   // between the two clocks, and
  static constexpr uint64_t kToleratedRate = 1000;        // a thousandth of what has passed
  static constexpr uint64_t kGoodWidth = kSecond / 1000;  // of a sample

  // Both clocks at one moment, give or take `width` nanoseconds.
  struct Sample {
    uint64_t tsc, clock, width;
  };

  uint64_t scaled(uint64_t cycles) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(cycles) * multiplier_ >> kFraction);
  }

  // One that no preemption, and no change of the TSC between its two readings, has spoilt; or the
  // best of some.
  Sample sample() const {
    Sample best{0, 0, ~uint64_t{0}};
    for (int attempt = 0; attempt < 8 && best.width > kGoodWidth; ++attempt) {
      const uint64_t before = clock_.tsc();
      const uint64_t clock = clock_.nanoseconds_by_system_call();
      const uint64_t after = clock_.tsc(), width = scaled(after - before);
      if (after - before < range_ && width < best.width) best = {before + (after - before) / 2, clock, width};
    }
    if (best.width == ~uint64_t{0}) best = {clock_.tsc(), clock_.nanoseconds_by_system_call(), kRange};
    return best;
  }

  uint64_t renew() const {
    const std::lock_guard lock(writer_);
    const Sample now = sample();
    const uint64_t base = base_time_.load(std::memory_order_relaxed);
    const uint64_t cycles = now.tsc - base_tsc_.load(std::memory_order_relaxed);
    const uint64_t passed = now.clock - base_clock_;
    const uint64_t tolerance = kTolerance + passed / kToleratedRate + now.width;
    const bool forwards = static_cast<int64_t>(cycles) >= 0;
    const uint64_t by_tsc = forwards ? scaled(cycles) : 0;
    uint64_t time = base + by_tsc;
    if ((!forwards && -cycles >= kSkew) || difference(by_tsc, passed) > tolerance) {
      // Readers may have seen what the TSC said as long as they believed it.
      time = base + std::max(passed, std::min(by_tsc, kRange));
      discontinuities_.fetch_add(1, std::memory_order_relaxed);
    }
    // Two parts are rounded down where a reader has rounded down their sum.
    publish(now, time + 1);
    return time + 1;
  }

  void publish(const Sample& now, uint64_t time) const {
    const uint32_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    base_tsc_.store(now.tsc, std::memory_order_release);
    base_time_.store(time, std::memory_order_release);
    base_clock_ = now.clock;
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  static uint64_t difference(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

  // Reading the time may renew the base.
  mutable Clock clock_;
  uint64_t multiplier_ = 0, range_ = ~uint64_t{0};
  mutable std::atomic<uint32_t> sequence_{0};  // odd: being written
  mutable std::atomic<uint64_t> base_tsc_{0}, base_time_{0};
  mutable std::atomic<uint64_t> discontinuities_{0};
  mutable std::mutex writer_;
  mutable uint64_t base_clock_ = 0;  // under writer_; constant without a TSC
};

}  // namespace crosswalk::vmm
