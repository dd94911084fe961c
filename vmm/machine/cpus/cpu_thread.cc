// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/cpu_thread.h"

#include "translator/arm32/cpu/reset.h"

namespace crosswalk::vmm {
namespace {

// The state in which CPU_ON starts a CPU (DEN 0022D, 6.4).
void begin_at(CpuState& cpu, const PowerSwitch::Entry& entry) {
  arm::reset_again(cpu);
  cpu.r[0] = entry.context;
  cpu.r[15] = entry.address & ~1u;
  cpu.t = entry.address & 1;
}

}  // namespace

void run_cpu(Vcpu& cpu, CpuStart first, Rendezvous& rendezvous, CpuHolds& holds, ResetGate& gate,
             const StopSwitch& stop, const std::function<void(CpuStart)>& run) {
  CpuStart start = first;
  while (!stop.stopping()) {
    if (gate.requested()) {
      gate.arrive();
      start = CpuStart::MachineReset;
    } else if (cpu.power() == CpuPower::On) {
      run(start);
      if (stop.stopping()) return;
      if (!gate.requested()) cpu.switch_off();
    } else if (cpu.power() == CpuPower::Off && (cpu.lines() & kLineWork)) {
      rendezvous.serve(cpu.state());
      holds.serve(cpu.state());
    } else if (const auto entry = cpu.wait_for_power()) {
      begin_at(cpu.state(), *entry);
      start = CpuStart::PoweredOn;
    }
  }
}

}  // namespace crosswalk::vmm
