// SPDX-License-Identifier: GPL-2.0-or-later
// Exception entry (ARM DDI 0406C, B1.8 and B1.9), and interrupt lines.
#pragma once

#include <atomic>
#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/effects.h"

namespace crosswalk::arm {

// In vector order; the vector's offset is 4 * value (B1.8.1). Vector 5 (Hyp trap) does not exist
// here.
enum class Exception : uint8_t {
  Reset = 0,
  UndefinedInstruction = 1,
  SupervisorCall = 2,
  PrefetchAbort = 3,
  DataAbort = 4,
  Irq = 6,
  Fiq = 7,
};

// Takes the exception: LR, SPSR, mode, masks, IT, J, T (SCTLR.TE), E (SCTLR.EE), and r[15] = the
// vector (SCTLR.V or VBAR). `pc` is the address of the instruction that caused it; for IRQ and FIQ,
// of the next one to execute. cpu.t and cpu.it are those of that instruction (an SVC in an IT block
// saves the advanced IT, as the manual says). FSR and FAR are not touched: use data_abort and
// prefetch_abort for aborts. Reset resets the CPU (reset.h), keeping its model and number. The
// effects always include kEffectEndBlock.
uint32_t take_exception(CpuState& cpu, Exception kind, uint32_t pc);
// The same of an SVC at r[15].
uint32_t take_supervisor_call(CpuState& cpu);

// A Data Abort with DFSR and DFAR. `fsr` is a whole DFSR value (mmu::Translation::fsr, or one of
// the below).
uint32_t data_abort(CpuState& cpu, uint32_t pc, uint32_t fsr, uint32_t far);
// A Prefetch Abort with IFSR and IFAR (WnR, if set in fsr, is dropped).
uint32_t prefetch_abort(CpuState& cpu, uint32_t pc, uint32_t fsr, uint32_t far);
// BKPT with monitor debug-mode semantics: a Prefetch Abort with IFSR = debug event, IFAR = 0 as
// QEMU has it (UNKNOWN in the manual), and DBGDSCR.MOE = BKPT instruction.
uint32_t breakpoint_instruction(CpuState& cpu, uint32_t pc);

// DFSR values of faults that are found outside the walker, in the format that TTBCR.EAE selects
// (B3.13, B4.1.52).
uint32_t alignment_fault_status(const GuestCpu& cpu, bool write);
uint32_t synchronous_external_abort_status(const GuestCpu& cpu, bool write);
uint32_t debug_event_status(const GuestCpu& cpu);

// The address of an exception's vector under the current SCTLR.V and VBAR.
uint32_t vector_address(const GuestCpu& cpu, Exception kind);

// ---- interrupts

enum class Interrupt : uint8_t { None, Irq, Fiq };

// Which interrupt to take now, from interrupt_lines and the masks; FIQ goes first (B1.8.3). None
// while a debugger steps the CPU.
Interrupt pending_interrupt(const CpuState& cpu);
// Whether an IRQ or FIQ line is asserted, masked or not: what wakes WFI.
bool interrupt_asserted(const CpuState& cpu);

// Recomputes cpu.pending: 1 when an unmasked interrupt is asserted or the machine wants the CPU
// (kLineStop, kLineWork, kLinePoll). Only the CPU's own thread calls it. It clears
// `pending` before it looks at the lines, and raise_line sets the line before it sets `pending`; so
// whatever is raised meanwhile is either seen here or leaves `pending` set.
void recompute_pending_of_lines(CpuState& cpu);
inline void recompute_pending(CpuState& cpu) {
  // Nothing asserted: nothing to see and nothing to clear that the next poll would not clear.
  if (std::atomic_ref<uint32_t>(cpu.interrupt_lines).load(std::memory_order_relaxed) != 0 ||
      std::atomic_ref<uint32_t>(cpu.pending).load(std::memory_order_relaxed) != 0)
    recompute_pending_of_lines(cpu);
}

}  // namespace crosswalk::arm
