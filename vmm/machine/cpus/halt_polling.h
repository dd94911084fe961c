// SPDX-License-Identifier: GPL-2.0-or-later
// How long a CPU that waits for an interrupt looks for one before its thread sleeps: to be woken
// takes tens of microseconds, and the one that wakes pays too. As KVM does (Linux,
// Documentation/virt/kvm/halt-polling.rst): longer after a wait that was a little longer than this,
// not at all after a long one. So an idle CPU does not look.
#pragma once

#include <algorithm>
#include <cstdint>

#include "translator/base/host_cpus.h"

namespace crosswalk::vmm {

class HaltPolling {
 public:
  // It needs a host CPU for each of the guest's, and two at least: one for who sends the interrupt.
  HaltPolling(unsigned guest_cpus, unsigned host_cpus)
      : possible_(each_has_host_cpu(std::max(guest_cpus, 2u), host_cpus)) {}

  uint64_t nanoseconds() const { return nanoseconds_; }
  void waited(uint64_t nanoseconds) {
    if (!possible_ || nanoseconds <= nanoseconds_) return;
    nanoseconds_ = nanoseconds > kLongest ? 0 : std::clamp(nanoseconds_ * 2, kFirst, kLongest);
  }

 private:
  static constexpr uint64_t kFirst = 10'000, kLongest = 200'000;

  const bool possible_;
  uint64_t nanoseconds_ = 0;
};

}  // namespace crosswalk::vmm
