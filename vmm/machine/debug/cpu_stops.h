// SPDX-License-Identifier: GPL-2.0-or-later
// CPUs that a debugger stops, and what they stop for. A CPU that has stopped is held
// (Hold::Debugger). One that is off counts as stopped; it stops for good when it is switched on.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/host_debug.h"
#include "vmm/debugger/target.h"
#include "vmm/machine/cpus/cpu_holds.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

class CpuStops {
 public:
  // `changed` is called when a CPU has stopped, on its thread. `wait`: the CPUs are to stop before
  // their first instruction.
  CpuStops(Vcpus& vcpus, CpuHolds& holds, bool wait, std::function<void()> changed);

  // Whom changes are reported to; null: nobody.
  void set_engine(EnginePort* engine) { engine_ = engine; }

  // ---- the debugger's thread
  // Asks all CPUs to stop.
  void stop_all() { holds_.hold_all(Hold::Debugger); }
  bool all_stopped() const;
  // Whether a CPU has hit something, and waits; and what the first such CPU has, which is
  // forgotten.
  bool has_hit() const;
  std::optional<std::pair<unsigned, arm::HostHit>> take_hit();
  // Precondition of what follows: all_stopped().
  void set_points(const arm::HostPoints& points);
  void resume(const std::vector<DebugResume>& how);
  // All go on, with nothing to look at.
  void release();
  // The CPU's registers have been written.
  void registers_written(unsigned cpu);

  // ---- a CPU's thread
  // Before it runs guest code for the first time, or after it was switched on.
  void begin(CpuState& cpu, bool switched_on);
  // In Platform::run_queued_work: waits if the CPU is held, for whatever reason, or has hit
  // something.
  void serve(CpuState& cpu);

 private:
  struct Cpu {
    arm::HostDebug debug;  // the CPU's own
    bool registers_written = false;
    std::optional<DebugResume> how;  // how it goes on, when it does
    arm::HostHit hit;                // what it has stopped for
  };

  // Precondition of both: the lock is held.
  bool has_hit(unsigned cpu) const {
    return cpus_[cpu].hit.stop != arm::HostStop::None && holds_.waits(cpu, Hold::Debugger);
  }
  // By the CPU's thread.
  void follow(CpuState& cpu, const DebugResume& how);

  Vcpus& vcpus_;
  CpuHolds& holds_;
  EnginePort* engine_ = nullptr;
  mutable std::mutex lock_;  // of what follows, but for Cpu::debug
  arm::HostPoints points_;
  std::vector<Cpu> cpus_;
};

}  // namespace crosswalk::vmm
