// SPDX-License-Identifier: GPL-2.0-or-later
// The ways in which a fault can reach its handler and a translation be dropped: which of them work
// in this VM, what each costs, and which are taken.
#pragma once

#include "vmm/world/kvm/engine_vcpu.h"
#include "vmm/world/kvm/exit_loop.h"
#include "vmm/world/kvm/kvm_options.h"
#include "vmm/world/kvm/tlb_flush.h"
#include "vmm/world/kvm/vm_memory.h"

namespace crosswalk::kvm {

// Costs in microseconds. 0: it does not work here or the options rule it out.
struct Mechanisms {
  // What is taken.
  bool direct_faults = false, gate_flush = false;
  double fault_direct_us = 0, fault_exit_us = 0;  // a page fault, up to the end of the access
  double flush_gate_us = 0, flush_exit_us = 0;    // one page's translation dropped
  double cpl0_instruction_ns = 0;

  // No nested paging: KVM emulates what is executed at CPL 0.
  bool software_mmu() const { return cpl0_instruction_ns > kEmulatedThresholdNs; }

 private:
  // emulated 500 to 1000; native under 1, in QEMU's TCG under 20
  static constexpr double kEmulatedThresholdNs = 200;
};

// What they are tested with.
struct MechanismSite {
  VmMemory& memory;
  EngineVcpu& cpu;
  ExitLoop& loop;
  TlbFlush& flush;
};

// Tests and measures, and leaves the vCPU with those that work and cost least. An error when none
// works.
Result<Mechanisms> choose_mechanisms(const MechanismSite& site, const KvmOptions& options);

}  // namespace crosswalk::kvm
