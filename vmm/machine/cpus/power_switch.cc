// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/power_switch.h"

namespace crosswalk::vmm {

CpuPower PowerSwitch::state() const {
  const std::lock_guard lock(lock_);
  return power_;
}

bool PowerSwitch::switch_on(const Entry& entry) {
  {
    const std::lock_guard lock(lock_);
    if (power_ != CpuPower::Off) return false;
    entry_ = entry;
    power_ = CpuPower::OnPending;
  }
  changed_.notify_all();
  return true;
}

void PowerSwitch::restore(CpuPower power) {
  const std::lock_guard lock(lock_);
  power_ = power;
}

void PowerSwitch::notify() {
  {
    const std::lock_guard lock(lock_);
    notified_ = true;
  }
  changed_.notify_all();
}

void PowerSwitch::switch_off() {
  const std::lock_guard lock(lock_);
  power_ = CpuPower::Off;
}

std::optional<PowerSwitch::Entry> PowerSwitch::wait() {
  std::unique_lock lock(lock_);
  changed_.wait(lock, [this] { return power_ == CpuPower::OnPending || notified_; });
  notified_ = false;
  if (power_ != CpuPower::OnPending) return std::nullopt;
  power_ = CpuPower::On;
  return entry_;
}

}  // namespace crosswalk::vmm
