// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a CPU is on, as PSCI has it, and how its thread waits while it is off.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "vmm/machine/cpus/psci.h"

namespace crosswalk::vmm {

class PowerSwitch {
 public:
  // Where a CPU begins that is switched on.
  struct Entry {
    uint32_t address = 0;  // bit 0: in Thumb state
    uint32_t context = 0;  // r0
  };

  explicit PowerSwitch(CpuPower power) : power_(power) {}

  // ---- any thread ----
  CpuPower state() const;
  // From Off to OnPending. False, without effect, when it is not Off.
  bool switch_on(const Entry& entry);
  // Before anybody waits. On or Off.
  void restore(CpuPower power);
  // Ends the wait that is under way, or the next one.
  void notify();

  // ---- the CPU's thread ----
  void switch_off();
  // Until the CPU is OnPending, and becomes On: where it begins. Or until notify(): nothing.
  std::optional<Entry> wait();

 private:
  mutable std::mutex lock_;
  std::condition_variable changed_;
  CpuPower power_;
  Entry entry_;
  bool notified_ = false;
};

}  // namespace crosswalk::vmm
