// SPDX-License-Identifier: GPL-2.0-or-later
// A VM: what its vCPUs have in common.
#pragma once

#include <memory>

#include "vmm/world/kvm/arena.h"
#include "vmm/world/kvm/host_functions.h"
#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/kvm_options.h"
#include "vmm/world/kvm/vm_memory.h"

namespace crosswalk::kvm {

struct KvmVm {
  // Reaches nothing but the arena.
  static Result<std::unique_ptr<KvmVm>> create(const KvmOptions& options);

  System system;
  Vm vm;
  Cpuid cpuid;  // what KVM supports
  Arena arena;
  std::unique_ptr<VmMemory> memory;
  HostFunctions host_functions;
};

}  // namespace crosswalk::kvm
