// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/reset.h"

#include <algorithm>

#include "translator/arm32/cpu/cp15_functions.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/system_bits.h"

namespace crosswalk::arm {
namespace {

constexpr uint32_t kMpidrMultiprocessing = 1u << 31;
constexpr uint32_t kDbgoslsrLocked = 1;

void reset_state(CpuState& cpu, CpuModel model, uint32_t mpidr, uint32_t l2ctlr) {
  const IdRegisters& id = id_registers(model);
  const uint32_t cpu_index = cpu.cpu_index;
  static_cast<GuestCpu&>(cpu) = {};
  cpu.cpu_index = cpu_index;
  cpu.nz = 0;  // Z is set, as QEMU has it
  cpu.t = (id.sctlr_reset & kSctlrTe) != 0;
  cpu.e = (id.sctlr_reset & kSctlrEe) != 0;
  cpu.mode = static_cast<uint8_t>(Mode::Supervisor);
  cpu.a = cpu.i = cpu.f = 1;
  cpu.debug.os_locked = kDbgoslsrLocked;
  cpu.midr = id.midr;
  cpu.mpidr = mpidr;
  cpu.cp15.sctlr = id.sctlr_reset;
  cpu.cp15.actlr = id.actlr_reset;
  cpu.cp15.pmcr = id.pmcr_reset;
  cpu.cp15.cntfrq = kCounterFrequency;
  cpu.cp15.l2ctlr = l2ctlr;
  update_strict_alignment(cpu);
  reset_fp(cpu);
  cpu.r[15] = vector_address(cpu, Exception::Reset);
  recompute_pending(cpu);
}

}  // namespace

void reset_cpu(CpuState& cpu, CpuModel model, uint32_t cpu_index, uint32_t cpu_count) {
  cpu.cpu_index = cpu_index;
  // L2CTLR: number of CPUs - 1 in [25:24], interrupt controller present in [23].
  reset_state(cpu, model, kMpidrMultiprocessing | (cpu_index & 7), (std::min(cpu_count, 4u) - 1) << 24 | 1u << 23);
}

void reset_again(CpuState& cpu) {
  const CpuModel model = cpu.midr == id_registers(CpuModel::CortexA7).midr ? CpuModel::CortexA7 : CpuModel::CortexA15;
  reset_state(cpu, model, cpu.mpidr, cpu.cp15.l2ctlr);
}

}  // namespace crosswalk::arm
