// SPDX-License-Identifier: GPL-2.0-or-later
// The Power State Coordination Interface (ARM DEN 0022D), version 1.1 as on QEMU's virt machine.
#pragma once

#include <cstdint>

namespace crosswalk {

struct CpuState;

namespace vmm {

class PsciHost {
 public:
  virtual ~PsciHost() = default;
  virtual unsigned cpu_count() const = 0;
  virtual void system_off() = 0;
  virtual void system_reset() = 0;
  virtual void suspend(CpuState& cpu) = 0;
  // Does not return before the machine stops.
  virtual void cpu_off(CpuState& cpu) = 0;
};

// Arguments and result as in Platform::firmware_call.
bool psci_call(PsciHost& host, CpuState& cpu);

}  // namespace vmm
}  // namespace crosswalk
