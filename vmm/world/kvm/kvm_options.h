// SPDX-License-Identifier: GPL-2.0-or-later
// What can be chosen about the world inside KVM (kvm_world.h).
#pragma once

#include <cstdint>

namespace crosswalk::kvm {

struct KvmOptions {
  // How a page fault reaches the C++ handler inside the VM.
  enum class FaultDelivery : uint8_t {
    Auto,    // of those that work here the one that costs less
    Direct,  // by the CPL 0 stub alone, without an exit
    Exit,    // by an exit whose handling enters the upcall
  };
  enum class Flush : uint8_t {
    Auto,  // of those that work here the one that costs less
    Gate,  // INVLPG or a CR3 load at CPL 0, entered by INT3
    Exit,  // an exit, and CR4.PGE toggled by KVM_SET_SREGS
  };
  FaultDelivery fault_delivery = FaultDelivery::Auto;
  Flush flush = Flush::Auto;
  uint64_t page_table_bytes = 256 << 20;  // at most; memory is used as tables are needed
  uint64_t engine_stack_bytes = 16 << 20;
};

}  // namespace crosswalk::kvm
