// SPDX-License-Identifier: GPL-2.0-or-later
// What the thread of a CPU does from the start of the machine to its stop.
#pragma once

#include <cstdint>
#include <functional>

#include "vmm/machine/cpus/cpu_holds.h"
#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/reset_gate.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

// How a CPU comes to run the guest. But for the first, its registers are those of its entry, and
// what is known of the guest by them is to be found anew.
enum class CpuStart : uint8_t {
  AsBefore,      // at the start of the machine
  PoweredOn,     // it was switched on, or its machine was restored
  MachineReset,  // RAM is another one, too
};

// Runs the CPU while it is on, and waits while it is off, until the machine stops. `run` returns
// after kLineStop was raised: for the machine's stop or reset, or by the CPU itself, which is then
// off. `first`: of the first run. A CPU that is off does what is queued for it, since nobody shall
// wait for it in vain.
void run_cpu(Vcpu& cpu, CpuStart first, Rendezvous& rendezvous, CpuHolds& holds, ResetGate& gate,
             const StopSwitch& stop, const std::function<void(CpuStart)>& run);

}  // namespace crosswalk::vmm
