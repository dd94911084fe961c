// SPDX-License-Identifier: GPL-2.0-or-later
// The system counter: 62.5 MHz (16 ns a tick, as on QEMU's virt machine), from the time-stamp counter.
//
// Reading it makes no system call, because the reader may be the engine inside a KVM guest at CPL 3, where a system
// call costs an exit. For the same reason such a guest's TSC offset must be 0 (KVM_VCPU_TSC_OFFSET): the I/O and
// timer threads read the same counter outside.
//
// Drift: the rate is measured against CLOCK_MONOTONIC_RAW for a few milliseconds, which is good to about 10 parts per
// million. Nothing depends on more: every host sleep is computed afresh from counter values, so the error does not
// accumulate into timers; the guest's idea of elapsed time is off by that rate, as on a board with an ordinary crystal,
// and its RTC (PL031) follows the host's wall clock.
#pragma once

#include <cstdint>

namespace crosswalk::vmm {

inline constexpr uint64_t kCounterFrequency = 62'500'000;
inline constexpr uint64_t kNanosecondsPerTick = 1'000'000'000 / kCounterFrequency;

class SystemCounter {
 public:
  // Calibrates (takes about 10 ms) and starts at 0. Without an invariant TSC the counter reads CLOCK_MONOTONIC_RAW.
  SystemCounter();

  uint64_t read() const;
  bool uses_tsc() const { return multiplier_ != 0; }
  double tsc_mhz() const { return tsc_mhz_; }

 private:
  uint64_t start_ = 0;       // TSC, or nanoseconds
  uint64_t multiplier_ = 0;  // ticks per TSC cycle, 0.64 fixed point; 0 when the TSC is not used
  double tsc_mhz_ = 0;
};

}  // namespace crosswalk::vmm
