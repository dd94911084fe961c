// SPDX-License-Identifier: GPL-2.0-or-later
// What happened in a world inside KVM, counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "translator/base/counter.h"
#include "vmm/world/kvm/kvm_api.h"

namespace crosswalk::kvm {

// Why the VM was left, as far as statistics go.
enum class ExitReason : uint8_t {
  SystemCall,   // of the engine, by SYSCALL or by the exception that it raises
  HostCall,     // several system calls at once
  Map,          // memory of the process that was not reachable yet
  PageFault,    // a fault delivered by an exit
  NestedFault,  // engine memory touched first in the fault handler
  HostFault,    // -EFAULT, or an emulation that ends there
  Flush,
  Interrupted,  // a signal, or KVM's own wish
  Other,        // the end of the engine function, and what the world cannot serve
  Count
};
inline constexpr size_t kExitReasons = static_cast<size_t>(ExitReason::Count);
const char* name_of(ExitReason reason);
ExitReason reason_of(const Exit& exit);

struct ReasonCounters {
  uint64_t count = 0, ticks = 0;
};

struct KvmCounters {
  uint64_t exits = 0;  // all returns of KVM_RUN but `interrupted`
  uint64_t interrupted = 0;
  uint64_t system_calls = 0;
  uint64_t host_calls = 0;
  uint64_t regions_added = 0;  // by a fault
  uint64_t nested_faults = 0;
  uint64_t page_fault_exits = 0;  // with FaultDelivery::Exit
  uint64_t host_faults = 0;       // ExitReason::HostFault
  uint64_t flush_exits = 0;
  uint64_t gate_flushes = 0;   // INT3 gates: no exit
  uint64_t upcalls = 0;        // faults delivered inside the VM
  uint64_t ticks_outside = 0;  // TSC ticks from exit to re-entry, KVM's own part not included
  ReasonCounters by_reason[kExitReasons];
};

inline constexpr Counter<KvmCounters> kCounters[] = {
    {"exits", &KvmCounters::exits},
    {"time outside the VM", &KvmCounters::ticks_outside, CounterUnit::Ticks},
    {"faults delivered in the VM", &KvmCounters::upcalls},
    {"flushes without an exit", &KvmCounters::gate_flushes},
    {"regions added", &KvmCounters::regions_added},
};

// Once for each reason.
inline constexpr Counter<ReasonCounters> kReasonCounters[] = {
    {"exits", &ReasonCounters::count},
    {"time in exits", &ReasonCounters::ticks, CounterUnit::Ticks, [](const ReasonCounters& c) { return c.count != 0; }},
};

}  // namespace crosswalk::kvm
