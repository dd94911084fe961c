// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/kvm/kvm_counters.h"

#include "vmm/world/kvm/ring0/upcall.h"

namespace crosswalk::kvm {

ExitReason reason_of(const Exit& exit) {
  if (exit.kind == ExitKind::Interrupted) return ExitReason::Interrupted;
  if (exit.kind == ExitKind::HostFault || exit.kind == ExitKind::Mmio || exit.is_emulation_failure())
    return ExitReason::HostFault;
  if (exit.kind != ExitKind::Port) return ExitReason::Other;
  switch (exit.port) {
    case ring0::kPortSyscall:
    case ring0::kPortVector + ring0::kVectorGeneralProtection:
    case ring0::kPortVector + ring0::kVectorInvalidOpcode: return ExitReason::SystemCall;
    case ring0::kPortVector + ring0::kVectorPageFault: return ExitReason::PageFault;
    case ring0::kPortMap: return ExitReason::Map;
    case ring0::kPortHostCall: return ExitReason::HostCall;
    case ring0::kPortFlush: return ExitReason::Flush;
    case ring0::kPortNestedFault: return ExitReason::NestedFault;
    default: return ExitReason::Other;
  }
}

const char* name_of(ExitReason reason) {
  switch (reason) {
    case ExitReason::SystemCall: return "system call";
    case ExitReason::HostCall: return "host call";
    case ExitReason::Map: return "map memory";
    case ExitReason::PageFault: return "page fault";
    case ExitReason::NestedFault: return "nested fault";
    case ExitReason::HostFault: return "host fault";
    case ExitReason::Flush: return "flush";
    case ExitReason::Interrupted: return "interrupted";
    case ExitReason::Other:
    case ExitReason::Count: break;
  }
  return "other";
}

}  // namespace crosswalk::kvm
