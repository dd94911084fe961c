// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/debug/cpu_stops.h"

#include <algorithm>

namespace crosswalk::vmm {

CpuStops::CpuStops(Vcpus& vcpus, Rendezvous& rendezvous, bool wanted, std::function<void()> changed)
    : vcpus_(vcpus), rendezvous_(rendezvous), changed_(std::move(changed)), cpus_(vcpus.count()) {
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    cpus_[i].wanted = wanted;
    vcpus_[i].state().host_debug = &cpus_[i].debug;
  }
}

void CpuStops::stop_all() {
  {
    const std::lock_guard lock(lock_);
    for (Cpu& cpu : cpus_) cpu.wanted = true;
  }
  for (const auto& cpu : vcpus_) cpu->raise(kLineWork);
}

bool CpuStops::all_stopped() const {
  const std::lock_guard lock(lock_);
  for (unsigned i = 0; i < cpus_.size(); ++i)
    if (!cpus_[i].stopped && vcpus_[i].power() != CpuPower::Off) return false;
  return true;
}

bool CpuStops::has_hit() const {
  const std::lock_guard lock(lock_);
  return std::ranges::any_of(cpus_, &Cpu::has_hit);
}

std::optional<std::pair<unsigned, arm::HostHit>> CpuStops::take_hit() {
  const std::lock_guard lock(lock_);
  for (unsigned i = 0; i < cpus_.size(); ++i)
    if (cpus_[i].has_hit()) return std::pair(i, std::exchange(cpus_[i].hit, {}));
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
      cpus_[i].wanted = cpus_[i].stopped = false;
    }
    vcpus_[i].raise(kLineWork);
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
  if (switched_on) arm::host_exception_taken(cpu, arm::Exception::Reset);
  if (its.wanted) vcpus_[cpu.cpu_index].raise(kLineWork);
}

void CpuStops::serve(CpuState& cpu) {
  Cpu& its = cpus_[cpu.cpu_index];
  {
    const std::lock_guard lock(lock_);
    if (its.debug.hit.stop != arm::HostStop::None) {
      its.hit = its.debug.hit;
      its.wanted = true;
    }
    if (!its.wanted) return;
  }
  if (vcpus_[cpu.cpu_index].power() == CpuPower::On) wait_here(cpu);
}

void CpuStops::wait_here(CpuState& cpu) {
  Vcpu& vcpu = vcpus_[cpu.cpu_index];
  Cpu& its = cpus_[cpu.cpu_index];
  for (;;) {
    bool news;
    {
      const std::lock_guard lock(lock_);
      if (!its.wanted) return follow(cpu);
      news = !std::exchange(its.stopped, true);
    }
    if (news) changed_();
    const uint32_t seen = vcpu.lines();
    if (seen & kLineStop) return;
    if (seen & kLineWork)
      rendezvous_.serve(cpu);
    else
      vcpu.sleep_while(seen, Sleep::Stopped, -1);
  }
}

void CpuStops::follow(CpuState& cpu) {
  Cpu& its = cpus_[cpu.cpu_index];
  arm::HostDebug& debug = its.debug;
  debug.points = points_;
  debug.hit = {};
  debug.step = its.how.action == DebugAction::Step ? arm::HostDebug::Step::First : arm::HostDebug::Step::Off;
  debug.step_pc = cpu.r[15];
  debug.step_first = its.how.first;
  debug.step_end = its.how.end;
  if (engine_) engine_->debugger_changed(cpu, std::exchange(its.registers_written, false));
}

}  // namespace crosswalk::vmm
