// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/psci.h"

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

enum Function : uint32_t {
  kVersion = 0x84000000,
  kCpuSuspend = 0x84000001,
  kCpuOff = 0x84000002,
  kCpuOn = 0x84000003,
  kAffinityInfo = 0x84000004,
  kMigrate = 0x84000005,
  kMigrateInfoType = 0x84000006,
  kSystemOff = 0x84000008,
  kSystemReset = 0x84000009,
  kFeatures = 0x8400000a,
};
// DEN 0022D 5.2.2.
enum : int32_t {
  kSuccess = 0,
  kNotSupported = -1,
  kInvalidParameters = -2,
  kAlreadyOn = -4,
  kOnPending = -5,
};
constexpr int32_t kVersion11 = 0x00010001;
constexpr int32_t kMigrateNotRequired = 2;  // no trusted OS to migrate
constexpr uint32_t kAffinityLevels = 3;     // above level 0

// CPUs differ in affinity level 0 alone, and the other bits are zero, those of no field included.
bool is_cpu(const PsciHost& host, uint32_t affinity) { return affinity < host.cpu_count(); }

// CPU_ON (5.1.4). As with QEMU, no entry point is invalid for a CPU that begins in AArch32 state.
int32_t cpu_on(PsciHost& host, uint32_t affinity, uint32_t entry, uint32_t context) {
  if (!is_cpu(host, affinity)) return kInvalidParameters;
  if (host.cpu_on(affinity, entry, context)) return kSuccess;
  return host.power(affinity) == CpuPower::OnPending ? kOnPending : kAlreadyOn;
}

// AFFINITY_INFO (5.1.5). Fields of levels below the one asked for are ignored. What all CPUs belong
// to is on, since the caller is.
int32_t affinity_info(const PsciHost& host, uint32_t affinity, uint32_t level) {
  if (level > kAffinityLevels) return kInvalidParameters;
  const uint32_t ignored = level == 0 ? 0 : (1u << (8 * level)) - 1;
  if (!is_cpu(host, affinity & ~ignored)) return kInvalidParameters;
  return static_cast<int32_t>(level == 0 ? host.power(affinity) : CpuPower::On);
}

int32_t features(uint32_t function) {
  switch (function) {
    case kVersion:
    case kCpuSuspend:
    case kCpuOff:
    case kCpuOn:
    case kAffinityInfo:
    case kMigrateInfoType:
    case kSystemOff:
    case kSystemReset:
    case kFeatures: return kSuccess;
    default: return kNotSupported;
  }
}

}  // namespace

bool psci_call(PsciHost& host, CpuState& cpu) {
  int32_t result = kNotSupported;
  switch (cpu.r[0]) {
    case kVersion: result = kVersion11; break;
    case kFeatures: result = features(cpu.r[1]); break;
    case kMigrateInfoType: result = kMigrateNotRequired; break;
    case kMigrate: break;
    case kAffinityInfo: result = affinity_info(host, cpu.r[1], cpu.r[2]); break;
    case kCpuOn: result = cpu_on(host, cpu.r[1], cpu.r[2], cpu.r[3]); break;
    case kCpuSuspend:
      // Bits other than StateID, StateType and PowerLevel must be zero. A power-down request may be
      // served by standby.
      if (cpu.r[1] & 0xfcfe0000) {
        result = kInvalidParameters;
        break;
      }
      host.suspend(cpu);
      result = kSuccess;
      break;
    case kCpuOff: host.cpu_off(cpu); break;
    case kSystemOff: host.system_off(); break;
    case kSystemReset: host.system_reset(); break;
    default: return false;
  }
  cpu.r[0] = static_cast<uint32_t>(result);
  return true;
}

}  // namespace crosswalk::vmm
