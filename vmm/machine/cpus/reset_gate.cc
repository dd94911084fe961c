// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/reset_gate.h"

namespace crosswalk::vmm {

void ResetGate::open() {
  const std::lock_guard lock(lock_);
  open_ = true;
  changed_.notify_all();
}

// The others are inside wait(), so that the reset may change all that is theirs.
void ResetGate::arrive() {
  std::unique_lock lock(lock_);
  if (++arrived_ < cpus_) {
    changed_.wait(lock, [this, seen = resets_] { return open_ || resets_ != seen; });
    return;
  }
  // Before: who asks again from now on is heard.
  requested_.store(false);
  arrived_ = 0;
  if (!open_) reset_();
  ++resets_;
  changed_.notify_all();
}

}  // namespace crosswalk::vmm
