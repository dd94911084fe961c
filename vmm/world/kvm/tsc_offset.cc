// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/tsc_offset.h"

#include <unistd.h>

namespace crosswalk::kvm {

// An offset of 0 is right by the interface's definition; the measurement finds a KVM whose own
// host's TSC is an offset one that it does not account for.
Result<bool> TscOffset::align(const std::function<Result<uint64_t>()>& read_inside) {
  offset_ = 0;
  if (!vcpu_.set_tsc_offset(offset_)) {
    constexpr uint32_t kMsrTsc = 0x10;
    if (auto set = vcpu_.set_msr(kMsrTsc, __builtin_ia32_rdtsc(), "IA32_TIME_STAMP_COUNTER"); !set) return set;
  }
  for (int attempt = 0; attempt < 3; attempt++) {
    // One entry can take milliseconds, and would then agree with an offset as wrong as that; and a
    // KVM that lets a VM's TSC catch up with another rate moves it while the VM does not run.
    constexpr int kSamples = 10;
    exact_ = true;
    uint64_t shortest = ~uint64_t{0};
    int64_t correction = 0;
    for (int sample = 0; sample < kSamples; sample++) {
      if (sample % 2 == 1) usleep(300);
      const uint64_t before = __builtin_ia32_rdtsc();
      auto inside = read_inside();
      const uint64_t after = __builtin_ia32_rdtsc();
      if (!inside) return inside.take_error();
      exact_ = exact_ && before <= *inside && *inside <= after;
      if (after - before >= shortest) continue;
      shortest = after - before;
      correction = static_cast<int64_t>(before + shortest / 2 - *inside);
    }
    if (exact_) return true;
    offset_ += correction;
    if (!vcpu_.set_tsc_offset(offset_)) return true;
  }
  return true;
}

void TscOffset::keep() {
  const auto offset = vcpu_.tsc_offset();
  if (offset && *offset != offset_) vcpu_.set_tsc_offset(offset_);
}

}  // namespace crosswalk::kvm
