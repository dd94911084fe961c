// SPDX-License-Identifier: GPL-2.0-or-later
// CPUs that a debugger has stopped: each waits on its thread between two blocks of translated code,
// and does what is queued for it meanwhile (rendezvous.h). A CPU that is off counts as stopped; it
// stops for good when it is switched on.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "translator/arm32/cpu/host_debug.h"
#include "vmm/debugger/target.h"
#include "vmm/machine/cpus/engine_port.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

class CpuStops {
 public:
  // `changed` is called when a CPU has stopped, on its thread. `wanted`: the CPUs are to stop
  // before their first instruction.
  CpuStops(Vcpus& vcpus, Rendezvous& rendezvous, bool wanted, std::function<void()> changed);

  // Whom changes are reported to; null: nobody.
  void set_engine(EnginePort* engine) { engine_ = engine; }

  // ---- the debugger's thread
  // Asks all CPUs to stop.
  void stop_all();
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
  // In Platform::run_queued_work: waits if the CPU is to stop, or has hit something.
  void serve(CpuState& cpu);

 private:
  struct Cpu {
    arm::HostDebug debug;  // the CPU's own
    bool wanted = false;   // it is to stop, and to stay so
    bool stopped = false;
    bool registers_written = false;
    DebugResume how;   // how it goes on
    arm::HostHit hit;  // what it has stopped for
    bool has_hit() const { return stopped && hit.stop != arm::HostStop::None; }
  };

  void wait_here(CpuState& cpu);
  // Precondition: the lock is held, by the CPU's thread.
  void follow(CpuState& cpu);

  Vcpus& vcpus_;
  Rendezvous& rendezvous_;
  const std::function<void()> changed_;
  EnginePort* engine_ = nullptr;
  mutable std::mutex lock_;  // of what follows, but for Cpu::debug
  arm::HostPoints points_;
  std::vector<Cpu> cpus_;
};

}  // namespace crosswalk::vmm
