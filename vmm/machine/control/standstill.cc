// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/standstill.h"

#include <utility>

namespace crosswalk::vmm {
namespace {
constexpr int kOutputMilliseconds = 100;  // how long standard output may take nothing
// A completion that a CPU handed on to another one is published a moment later.
constexpr int kAttempts = 5;
}  // namespace

// Devices first: then what they have completed is published before the CPUs stop.
Result<std::unique_ptr<Standstill>> Standstill::begin(const StandstillParts& parts, std::chrono::milliseconds patience,
                                                      const std::function<void()>& asked) {
  std::unique_ptr<Standstill> made(new Standstill(parts));
  if (!parts.io.hold(patience)) return Error{"a device's request to the host does not end"};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto pause = std::make_unique<Pause>(parts.rendezvous);
    if (asked) asked();
    pause->wait(patience);
    if (!pause->complete()) return Error{"a CPU does not stop: it waits for the console, or the guest has ended"};
    const std::lock_guard lock(parts.device_lock);
    if (!parts.completions.empty()) continue;
    made->nanoseconds_ = parts.counter.nanoseconds();
    parts.timers.hold();
    made->stands_ = true;
    made->pause_ = std::move(pause);
    break;
  }
  if (!made->stands_) return Error{"what devices have completed does not reach the guest"};
  parts.console.write_rest(kOutputMilliseconds);
  return made;
}

Standstill::~Standstill() {
  if (stands_) {
    const std::lock_guard lock(parts_.device_lock);
    const uint64_t passed = parts_.counter.nanoseconds() - nanoseconds_;
    parts_.counter.restore(nanoseconds_);
    parts_.timers.release(passed / kNanosecondsPerTick);
  }
  pause_.reset();
  parts_.io.release();
}

}  // namespace crosswalk::vmm
