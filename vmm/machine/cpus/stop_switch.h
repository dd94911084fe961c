// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a run: who asked for it first, and who is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "vmm/base/exit_status.h"

namespace crosswalk::vmm {

class StopSwitch {
 public:
  // `stop` makes everyone stop; it is called for each request, the first time with true, on the
  // asking thread.
  explicit StopSwitch(std::function<void(bool first)> stop) : stop_(std::move(stop)) {}

  // The first request wins. Any thread.
  void request(StopReason reason, int code = 0) {
    uint64_t none = 0;
    const uint64_t wanted = static_cast<uint64_t>(reason) | uint64_t{static_cast<uint32_t>(code)} << 32;
    stop_(state_.compare_exchange_strong(none, wanted));
  }
  bool stopping() const { return state_.load() != 0; }
  StopState state() const {
    const uint64_t state = state_.load();
    return {static_cast<StopReason>(state & 0xff), static_cast<int>(state >> 32)};
  }

 private:
  std::function<void(bool)> stop_;
  std::atomic<uint64_t> state_{0};  // StopReason | code << 32
};

}  // namespace crosswalk::vmm
