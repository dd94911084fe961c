// SPDX-License-Identifier: GPL-2.0-or-later
// What a debugger's session needs of the machine. The machine implements it; unit tests have one of
// their own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "translator/arm32/cpu/host_debug.h"

namespace crosswalk {

struct CpuState;

namespace vmm {

// How a CPU goes on.
enum class DebugAction : uint8_t { Stay, Continue, Step };
struct DebugResume {
  DebugAction action = DebugAction::Continue;
  // Of Step: it ends outside of [first, end), which may be empty.
  uint32_t first = 0, end = 0;
};

class DebugTarget {
 public:
  virtual ~DebugTarget() = default;

  virtual unsigned cpu_count() const = 0;
  // For `info threads`.
  virtual std::string describe_cpu(unsigned cpu) = 0;

  // Asks all CPUs to stop. Who made the session tells it when they have (DebugSession::stopped).
  virtual void interrupt() = 0;

  // ---- while all CPUs are stopped
  // By CPU; of one that is off it does not matter.
  virtual void resume(const std::vector<DebugResume>& how) = 0;
  // Does `work` with the CPU's state; with `writes`, it may change registers. False: the CPU has
  // not done it.
  virtual bool with_cpu(unsigned cpu, bool writes, const std::function<void(CpuState&)>& work) = 0;
  // At a VA in the CPU's current regime, whatever the permissions there, or with `physical` at a
  // PA. False: not all is there; what comes before may have been transferred.
  virtual bool read_memory(unsigned cpu, uint64_t address, bool physical, std::span<uint8_t> to) = 0;
  virtual bool write_memory(unsigned cpu, uint64_t address, bool physical, std::span<const uint8_t> from) = 0;
  // What all CPUs look at from the next resume() on.
  virtual void set_points(const arm::HostPoints& points) = 0;
  // The guest's state in words.
  virtual std::string describe_state() = 0;

  // The run ends, as by Ctrl-A x.
  virtual void quit() = 0;
};

}  // namespace vmm
}  // namespace crosswalk
