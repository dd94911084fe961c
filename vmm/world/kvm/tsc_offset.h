// SPDX-License-Identifier: GPL-2.0-or-later
// Makes RDTSC inside the VM what it is outside: everything here, and the vDSO inside the VM, wants
// the host's.
#pragma once

#include <cstdint>
#include <functional>

#include "vmm/world/kvm/kvm_api.h"

namespace crosswalk::kvm {

class TscOffset {
 public:
  explicit TscOffset(Vcpu& vcpu) : vcpu_(vcpu) {}

  // Sets the offset, and compares. `read_inside` executes RDTSC in the vCPU.
  Result<bool> align(const std::function<Result<uint64_t>()>& read_inside);
  // When the host's TSC restarts, after a suspend, KVM changes the offset so that the VM's goes on:
  // puts it back.
  void keep();
  // Whether RDTSC inside the VM is RDTSC outside. If not, code inside and threads outside must not
  // compare theirs.
  bool exact() const { return exact_; }

 private:
  Vcpu& vcpu_;
  int64_t offset_ = 0;
  bool exact_ = false;
};

}  // namespace crosswalk::kvm
