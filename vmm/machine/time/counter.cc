// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/time/counter.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>

namespace crosswalk::vmm {
namespace {

uint64_t nanoseconds_of(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

bool has_invariant_tsc() {
  unsigned a, b, c, d;
  // Intel SDM 3, 18.17.1; AMD APM 3, E.4.6: CPUID.80000007H:EDX[8].
  return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}

struct Sample {
  uint64_t tsc, ns;
};

// The tightest of several bracketed readings: preemption between the two clocks would spoil the
// rate.
Sample sample() {
  Sample best{};
  uint64_t best_width = ~uint64_t{0};
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = __rdtsc();
    const uint64_t ns = HostClock().nanoseconds();
    const uint64_t width = __rdtsc() - before;
    if (width < best_width) {
      best_width = width;
      best = {before + width / 2, ns};
    }
  }
  return best;
}

}  // namespace

uint64_t HostClock::nanoseconds() const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return nanoseconds_of(now);
}

uint64_t HostClock::nanoseconds_by_system_call() const {
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &now);
  return nanoseconds_of(now);
}

SystemCounter::SystemCounter() {
  uint64_t multiplier = 0;
  if (has_invariant_tsc()) {
    const Sample first = sample();
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
    const Sample second = sample();
    const uint64_t cycles = second.tsc - first.tsc, ns = second.ns - first.ns;
    // The TSC must run faster than the counter for a 0.64 fixed-point factor; all that have an
    // invariant one do.
    if (second.tsc > first.tsc && ns > 0 && cycles > ns / kNanosecondsPerTick) {
      const unsigned __int128 ticks = static_cast<unsigned __int128>(ns) << 64;
      multiplier = static_cast<uint64_t>(ticks / (static_cast<unsigned __int128>(cycles) * kNanosecondsPerTick));
      tsc_mhz_ = static_cast<double>(cycles) * 1000.0 / static_cast<double>(ns);
    }
  }
  time_.start(multiplier);
}

uint64_t SystemCounter::to_host_ticks(uint64_t ticks) const {
  const auto ahead = static_cast<int64_t>(offset_.load(std::memory_order_relaxed));
  const __int128 nanoseconds = std::max<__int128>(static_cast<__int128>(ticks) * kNanosecondsPerTick - ahead, 0);
  return static_cast<uint64_t>(
      std::min<__int128>((nanoseconds + kNanosecondsPerTick - 1) / kNanosecondsPerTick, ~uint64_t{0}));
}

uint64_t SystemCounter::nanoseconds() const {
  const uint64_t still_at = still_at_.load(std::memory_order_acquire);
  return still_at == kMoves ? time_.nanoseconds() + offset_.load(std::memory_order_relaxed) : still_at;
}

}  // namespace crosswalk::vmm
