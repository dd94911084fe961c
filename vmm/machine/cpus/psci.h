// SPDX-License-Identifier: GPL-2.0-or-later
// The Power State Coordination Interface (ARM DEN 0022D), version 1.1 as on QEMU's virt machine.
#pragma once

#include <cstdint>

namespace crosswalk {

struct CpuState;

namespace vmm {

// The values of AFFINITY_INFO (5.1.5).
enum class CpuPower : uint8_t { On = 0, Off = 1, OnPending = 2 };

// Called on the thread of the CPU that makes the call, by several at the same time. `cpu` is below
// cpu_count().
class PsciHost {
 public:
  virtual ~PsciHost() = default;
  virtual unsigned cpu_count() const = 0;
  virtual CpuPower power(unsigned cpu) const = 0;
  // When the CPU is off: makes it OnPending and then, on its own thread, reset, On and running at
  // `entry` (bit 0: in Thumb state) with `context` in r0. False, without effect, when it is not
  // off: of several callers one has true.
  virtual bool cpu_on(unsigned cpu, uint32_t entry, uint32_t context) = 0;
  // Makes the calling CPU leave its run loop before its next instruction, and may return before it
  // has. It is Off once it has left.
  virtual void cpu_off(CpuState& cpu) = 0;
  virtual void suspend(CpuState& cpu) = 0;
  virtual void system_off() = 0;
  virtual void system_reset() = 0;
};

// Arguments and result as in Platform::firmware_call.
bool psci_call(PsciHost& host, CpuState& cpu);

}  // namespace vmm
}  // namespace crosswalk
