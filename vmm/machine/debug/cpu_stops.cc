// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/debug/cpu_stops.h"

#include <utility>

namespace crosswalk::vmm {

CpuStops::CpuStops(Vcpus& vcpus, CpuHolds& holds, bool wait, std::function<void()> changed)
    : vcpus_(vcpus), holds_(holds), cpus_(vcpus.count()) {
  holds_.set_observer(std::move(changed));
  if (wait) stop_all();
  for (unsigned i = 0; i < cpus_.size(); ++i) vcpus_[i].state().host_debug = &cpus_[i].debug;
}

bool CpuStops::all_stopped() const {
  for (unsigned i = 0; i < vcpus_.count(); ++i)
    if (!holds_.waits(i, Hold::Debugger) && vcpus_[i].power() != CpuPower::Off) return false;
  return true;
}

bool CpuStops::has_hit() const {
  const std::lock_guard lock(lock_);
  for (unsigned i = 0; i < cpus_.size(); ++i)
    if (has_hit(i)) return true;
  return false;
}

std::optional<std::pair<unsigned, arm::HostHit>> CpuStops::take_hit() {
  const std::lock_guard lock(lock_);
  for (unsigned i = 0; i < cpus_.size(); ++i)
    if (has_hit(i)) return std::pair(i, std::exchange(cpus_[i].hit, {}));
  return std::nullopt;
}

void CpuStops::set_points(const arm::HostPoints& points) {
  const std::lock_guard lock(lock_);
  points_ = points;
}

// What a CPU has hit and nobody has taken, it hits again; but not an exception, which is taken.
void CpuStops::resume(const std::vector<DebugResume>& how) {
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    {
      const std::lock_guard lock(lock_);
      if (cpus_[i].hit.stop == arm::HostStop::Caught) continue;
      cpus_[i].hit = {};
      if (how[i].action == DebugAction::Stay) continue;
      cpus_[i].how = how[i];
    }
    holds_.release(i, Hold::Debugger);
  }
}

void CpuStops::release() {
  {
    const std::lock_guard lock(lock_);
    points_ = {};
    for (Cpu& cpu : cpus_) cpu.hit = {};
  }
  resume(std::vector<DebugResume>(cpus_.size()));
}

void CpuStops::registers_written(unsigned cpu) {
  const std::lock_guard lock(lock_);
  cpus_[cpu].registers_written = true;
}

void CpuStops::begin(CpuState& cpu, bool switched_on) {
  const std::lock_guard lock(lock_);
  Cpu& its = cpus_[cpu.cpu_index];
  its.debug.points = points_;
  its.debug.step = arm::HostDebug::Step::Off;
  its.how.reset();
  if (switched_on) arm::host_exception_taken(cpu, arm::Exception::Reset);
}

void CpuStops::serve(CpuState& cpu) {
  Cpu& its = cpus_[cpu.cpu_index];
  if (its.debug.hit.stop != arm::HostStop::None) {
    const std::lock_guard lock(lock_);
    its.hit = std::exchange(its.debug.hit, {});
    holds_.hold(cpu.cpu_index, Hold::Debugger);
  }
  holds_.serve(cpu);
  const std::lock_guard lock(lock_);
  if (const auto how = std::exchange(its.how, std::nullopt)) follow(cpu, *how);
}

void CpuStops::follow(CpuState& cpu, const DebugResume& how) {
  Cpu& its = cpus_[cpu.cpu_index];
  arm::HostDebug& debug = its.debug;
  debug.points = points_;
  debug.step = how.action == DebugAction::Step ? arm::HostDebug::Step::First : arm::HostDebug::Step::Off;
  debug.step_pc = cpu.r[15];
  debug.step_first = how.first;
  debug.step_end = how.end;
  if (engine_) engine_->debugger_changed(cpu, std::exchange(its.registers_written, false));
}

}  // namespace crosswalk::vmm
