// SPDX-License-Identifier: GPL-2.0-or-later
// The system counter: 62.5 MHz (16 ns a tick, as on QEMU's virt machine), from the time-stamp
// counter.
//
// Reading it makes no system call, because the reader may be the engine inside a KVM guest at CPL
// 3, where a system call costs an exit. For the same reason such a guest's TSC offset must be 0
// (KVM_VCPU_TSC_OFFSET): the I/O and timer threads read the same counter outside. What a suspend of
// the host does to all that is in time_base.h.
//
// Drift: the rate is measured against CLOCK_MONOTONIC_RAW for a few milliseconds, which is good to
// about 10 parts per million. Nothing depends on more: every host sleep is computed afresh from
// counter values, so the error does not accumulate into timers; the guest's idea of elapsed time is
// off by that rate, as on a board with an ordinary crystal, and its RTC (PL031) follows the host's
// wall clock.
#pragma once

#include <atomic>
#include <cstdint>

#include "vmm/base/time_base.h"

namespace crosswalk::vmm {

inline constexpr uint64_t kCounterFrequency = 62'500'000;
inline constexpr uint64_t kNanosecondsPerTick = 1'000'000'000 / kCounterFrequency;

// The host's TSC and CLOCK_MONOTONIC_RAW, for TimeBase.
struct HostClock {
  uint64_t tsc() const { return __builtin_ia32_rdtsc(); }
  uint64_t nanoseconds() const;
  uint64_t nanoseconds_by_system_call() const;
};

class SystemCounter {
 public:
  // Calibrates (takes about 10 ms) and starts at 0. Without an invariant TSC the counter reads
  // CLOCK_MONOTONIC_RAW.
  SystemCounter();

  uint64_t read() const { return nanoseconds() / kNanosecondsPerTick; }
  // The same time, more finely.
  uint64_t nanoseconds() const;
  // The host's time in the same ticks: it goes on while the guest's stands still.
  uint64_t host_ticks() const { return time_.nanoseconds() / kNanosecondsPerTick; }
  // When it is, in host_ticks(), that read() comes to `ticks`, if the guest's time does not stand
  // still before. Within the numbers' range.
  uint64_t to_host_ticks(uint64_t ticks) const;
  // The counter goes on from this value, of another one. While nobody relies on it.
  void restore(uint64_t nanoseconds) { offset_.store(nanoseconds - time_.nanoseconds(), std::memory_order_relaxed); }
  // The guest's time stands still from now on, and goes on from there (Timers::hold). One thread at
  // a time.
  void stand_still() {
    if (!stands_still()) still_at_.store(nanoseconds());
  }
  void go_on() {
    if (!stands_still()) return;
    offset_.store(still_at_.load() - time_.nanoseconds());
    still_at_.store(kMoves);
  }
  bool stands_still() const { return still_at_.load(std::memory_order_acquire) != kMoves; }
  // Finds out whether the TSC still tells the time. To be called every second, outside of a VM.
  void check() const { time_.check(); }
  uint64_t discontinuities() const { return time_.discontinuities(); }
  bool uses_tsc() const { return time_.multiplier() != 0; }
  double tsc_mhz() const { return tsc_mhz_; }

 private:
  TimeBase<HostClock> time_;
  static constexpr uint64_t kMoves = ~uint64_t{0};
  std::atomic<uint64_t> offset_{0}, still_at_{kMoves};
  double tsc_mhz_ = 0;
};

}  // namespace crosswalk::vmm
