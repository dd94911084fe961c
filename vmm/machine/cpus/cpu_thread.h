// SPDX-License-Identifier: GPL-2.0-or-later
// What the thread of a CPU does from the start of the machine to its stop.
#pragma once

#include <functional>

#include "vmm/machine/cpus/rendezvous.h"
#include "vmm/machine/cpus/stop_switch.h"
#include "vmm/machine/cpus/vcpu.h"

namespace crosswalk::vmm {

// Runs the CPU while it is on, and waits while it is off, until the machine stops. `run` returns
// after kLineStop was raised: for the machine's stop, or by the CPU itself, which is then off.
// `reset`: the CPU was switched on; it has been reset, and its registers are those of its entry.
// A CPU that is off does what is queued for it, since nobody shall wait for it in vain.
void run_cpu(Vcpu& cpu, Rendezvous& rendezvous, const StopSwitch& stop, const std::function<void(bool reset)>& run);

}  // namespace crosswalk::vmm
