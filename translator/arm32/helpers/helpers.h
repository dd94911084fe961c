// SPDX-License-Identifier: GPL-2.0-or-later
// What translated code calls for system instructions: uint64_t f(CpuState*, uint32_t, uint32_t,
// uint32_t), the signature of ir.call().
//
// Before a call, all guest registers and flags are in CpuState, r[15] is the address of the
// instruction and cpu.it its IT state. A function that changes control sets cpu.exit_reason
// (ExitReason, non-zero) after it has changed the state completely: r[15], T, IT. The code leaves
// the block then (kCallMayExit), or always (Translator::call_and_leave).
#pragma once

#include <cstdint>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/coprocessor.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/exit_reason.h"
#include "translator/arm32/cpu/platform.h"

namespace crosswalk::helpers {

// What helpers need of the engine. CpuState::engine points to one.
struct EngineServices {
  mmu::Mmu& mmu;
  Platform& platform;
  uint64_t undefined_instructions = 0;  // taken; statistics
  void* slow_path = nullptr;            // engine::SlowPath
};
inline EngineServices& services(CpuState* cpu) { return *static_cast<EngineServices*>(cpu->engine); }

// Does what arm::Effect asks, other than kEffectUndefined and kEffectDataAbort.
void apply_effects(CpuState& cpu, uint32_t effects);
// arm::take_exception with its effects, and exit_reason.
void take_exception(CpuState& cpu, arm::Exception kind, uint32_t pc);

// ---- always leave the block
uint64_t undefined_instruction(CpuState* cpu, uint32_t, uint32_t, uint32_t);
uint64_t supervisor_call(CpuState* cpu, uint32_t imm, uint32_t bytes, uint32_t);
uint64_t breakpoint(CpuState* cpu, uint32_t, uint32_t, uint32_t);
// HLT with the number of semihosting.
uint64_t halting_breakpoint(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t);
// `bytes` of the instruction. UNDEFINED in User mode; else Platform::firmware_call.
uint64_t hypervisor_call(CpuState* cpu, uint32_t, uint32_t bytes, uint32_t);
uint64_t wait_for_interrupt(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t);
// To `pc` with the current mode's SPSR; UNDEFINED in modes without one.
uint64_t exception_return(CpuState* cpu, uint32_t pc, uint32_t, uint32_t);
// To `pc` with `psr` as the CPSR.
uint64_t return_from_exception(CpuState* cpu, uint32_t pc, uint32_t psr, uint32_t);

// ---- may leave the block (kCallMayExit)
// Takes the debug event of a breakpoint or vector catch that matches this instruction; or the
// debugger on the host has the CPU stop before it.
uint64_t check_breakpoints(CpuState* cpu, uint32_t, uint32_t, uint32_t);
// SRS: the stack pointer of `mode`, and its writeback.
uint64_t srs_base(CpuState* cpu, uint32_t mode, uint32_t, uint32_t);
// MRC and MCR; a row is passed as the halves of its address.
uint64_t read_system_register(CpuState* cpu, uint32_t row_low, uint32_t row_high, uint32_t);
uint64_t write_system_register(CpuState* cpu, uint32_t row_low, uint32_t row_high, uint32_t value);
// MRRC and MCRR: coprocessor << 8 | opc1 << 4 | CRm.
uint64_t read_system_register_64(CpuState* cpu, uint32_t encoding, uint32_t, uint32_t);
uint64_t write_system_register_64(CpuState* cpu, uint32_t encoding, uint32_t low, uint32_t high);

// WFE, of `bytes`. After it has slept, it leaves for the next instruction.
uint64_t wait_for_event(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t);

// ---- return to the block
uint64_t srs_write_back(CpuState* cpu, uint32_t mode, uint32_t value, uint32_t);
uint64_t write_cpsr(CpuState* cpu, uint32_t value, uint32_t fields, uint32_t);
// What the masks hide is not pending, and what they do not hide is.
uint64_t recompute_pending(CpuState* cpu, uint32_t, uint32_t, uint32_t);
// imod | A << 2 | I << 3 | F << 4 | M << 5 | mode << 6.
uint64_t change_processor_state(CpuState* cpu, uint32_t operation, uint32_t, uint32_t);
// CPS without a mode: arm::cps_masks. The block ends after it where it may unmask.
uint64_t change_masks(CpuState* cpu, uint32_t value, uint32_t affected, uint32_t);

// ---- ir::kCallLight
// DACR is another one / a register of which Mmu::activate reads any.
uint64_t access_changed(CpuState* cpu, uint32_t, uint32_t, uint32_t);
uint64_t regime_changed(CpuState* cpu, uint32_t, uint32_t, uint32_t);

// ---- between two instructions (x64::ThunkTargets)
// DSB: what this CPU's broadcast TLB maintenance covers is gone for all CPUs.
void synchronize(CpuState* cpu);
// SEV, when there are watchers.
void send_event(CpuState* cpu);

}  // namespace crosswalk::helpers
