// SPDX-License-Identifier: GPL-2.0-or-later
// How code inside the VM drops translations of its vCPU after it has changed page tables.
#pragma once

#include <cstdint>

#include "vmm/world/kvm/kvm_counters.h"
#include "vmm/world/kvm/ring0/page_tables.h"
#include "vmm/world/kvm/ring0/upcall.h"

namespace crosswalk::kvm {

class TlbFlush {
 public:
  // `root`: of the page tables. `counters` outlive this.
  TlbFlush(uint64_t root, KvmCounters& counters) : root_(root), counters_(counters) {}

  // By the INT3 gate, or by an exit.
  void use_gate(bool gate) { gate_ = gate; }
  // Inside the VM: carries out `changed` and clears it.
  void carry_out(ring0::Invalidations& changed) {
    if (changed.empty()) return;
    if (!gate_) {
      ring0::out_call(ring0::kPortFlush, 0, 0);
    } else {
      if (changed.all()) {
        ring0::invalidate_all(root_);
      } else {
        for (const uint64_t va : changed) ring0::invalidate_address(va);
      }
      counters_.gate_flushes++;
    }
    changed.clear();
  }

 private:
  const uint64_t root_;
  KvmCounters& counters_;
  bool gate_ = false;
};

}  // namespace crosswalk::kvm
