// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/control/standstill.h"

#include <thread>

namespace crosswalk::vmm {
namespace {
constexpr int kOutputMilliseconds = 100;  // how long standard output may take nothing
}  // namespace

// Devices first: then what they have completed is published before the CPUs stop.
Result<std::unique_ptr<Standstill>> Standstill::begin(const StandstillParts& parts, std::chrono::milliseconds patience,
                                                      const std::function<void()>& asked) {
  std::unique_ptr<Standstill> made(new Standstill(parts));
  if (!parts.io.hold(patience)) return Error{"a device's request to the host does not end"};
  made->hold_.emplace(parts.holds, Hold::Pause);
  if (asked) asked();
  if (!made->hold_->wait(patience))
    return Error{"a CPU does not stop: it waits for the console, or the guest has ended"};
  // CPUs publish the rest while they wait: one that is off hands a completion on to another one.
  const auto end = std::chrono::steady_clock::now() + patience;
  for (; !made->stands_; std::this_thread::yield()) {
    const std::lock_guard lock(parts.device_lock);
    if (parts.completions.empty()) {
      parts.timers.hold(Hold::Pause);
      made->stands_ = true;
    } else if (std::chrono::steady_clock::now() > end) {
      return Error{"what devices have completed does not reach the guest"};
    }
  }
  for (ConsoleOutput* const console : parts.consoles)
    if (console) console->write_rest(kOutputMilliseconds);
  return made;
}

Standstill::~Standstill() {
  if (stands_) {
    const std::lock_guard lock(parts_.device_lock);
    parts_.timers.release(Hold::Pause);
  }
  hold_.reset();
  parts_.io.release();
}

}  // namespace crosswalk::vmm
