// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/exceptions.h"

#include <atomic>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/exception_observer.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/reset.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/base/panic.h"
#include "translator/base/trace.h"

namespace crosswalk::arm {
namespace {

constexpr Mode exception_mode(Exception kind) {
  switch (kind) {
    case Exception::Reset:
    case Exception::SupervisorCall: return Mode::Supervisor;
    case Exception::UndefinedInstruction: return Mode::Undefined;
    case Exception::PrefetchAbort:
    case Exception::DataAbort: return Mode::Abort;
    case Exception::Irq: return Mode::Irq;
    case Exception::Fiq: return Mode::Fiq;
  }
  return Mode::Supervisor;
}

// LR minus the address of the instruction (table B1-7): what the handler's return instruction
// expects.
constexpr uint32_t link_offset(Exception kind, bool thumb) {
  switch (kind) {
    case Exception::UndefinedInstruction:
    case Exception::SupervisorCall: return thumb ? 2 : 4;
    case Exception::DataAbort: return 8;
    default: return 4;
  }
}

uint32_t load_lines(const CpuState& cpu) {
  return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(cpu.interrupt_lines)).load(std::memory_order_seq_cst);
}

bool is_lpae(const GuestCpu& cpu) { return cpu.cp15.ttbcr & kTtbcrEae; }

// A fault status: FS of the short format or STATUS of the long one.
uint32_t fault_status(const GuestCpu& cpu, uint32_t short_fs, uint32_t long_status) {
  if (is_lpae(cpu)) return kFsrLpae | long_status;
  return (short_fs & 15) | (short_fs >> 4 & 1) << 10;
}

void tell_observer(const CpuState& cpu, Exception kind, uint32_t pc, uint32_t psr) {
  if (__builtin_expect(cpu.exception_observer != nullptr, 0))
    cpu.exception_observer->exception_taken(cpu, kind, pc, psr);
}

// For the timeline: what an abort's handler will read.
uint32_t fault_address(const GuestCpu& cpu, Exception kind) {
  return kind == Exception::DataAbort ? cpu.cp15.dfar : kind == Exception::PrefetchAbort ? cpu.cp15.ifar : 0;
}
uint32_t fault_status(const GuestCpu& cpu, Exception kind) {
  return kind == Exception::DataAbort ? cpu.cp15.dfsr : kind == Exception::PrefetchAbort ? cpu.cp15.ifsr : 0;
}

}  // namespace

uint32_t vector_address(const GuestCpu& cpu, Exception kind) {
  const uint32_t base = cpu.cp15.sctlr & kSctlrV ? 0xffff0000u : cpu.cp15.vbar & ~0x1fu;
  return base + 4 * static_cast<uint32_t>(kind);
}

namespace {

// Of each kind but Reset. In line, so that what is known of the kind is.
template <Exception kKind>
[[gnu::always_inline]] inline uint32_t enter(CpuState& cpu, uint32_t pc) {
  if (__builtin_expect(cpu.trace != nullptr, 0))
    trace::instant(cpu.trace, trace::Kind::Exception, pc, fault_address(cpu, kKind), static_cast<uint32_t>(kKind),
                   fault_status(cpu, kKind));
  if (kKind == Exception::SupervisorCall) cpu.it = it_advance(cpu.it);
  const uint32_t spsr = read_cpsr(cpu);
  const uint32_t lr = pc + link_offset(kKind, cpu.t);
  constexpr Mode kMode = exception_mode(kKind);

  const uint32_t effects = kEffectEndBlock | switch_mode(cpu, kMode);
  cpu.banked.spsr[bank_of(kMode)] = spsr;
  cpu.r[14] = lr;
  cpu.i = 1;
  // B1.9: SVC and Undefined Instruction leave A as it was; only FIQ sets F.
  if (kKind != Exception::SupervisorCall && kKind != Exception::UndefinedInstruction) cpu.a = 1;
  if (kKind == Exception::Fiq) cpu.f = 1;
  cpu.it = 0;
  cpu.j = 0;
  cpu.t = (cpu.cp15.sctlr & kSctlrTe) != 0;
  cpu.e = (cpu.cp15.sctlr & kSctlrEe) != 0;
  cpu.r[15] = vector_address(cpu, kKind);
  recompute_pending(cpu);
  tell_observer(cpu, kKind, pc, spsr);
  if (__builtin_expect(cpu.host_debug != nullptr, 0)) host_exception_taken(cpu, kKind);
  return effects;
}

uint32_t take_reset(CpuState& cpu, uint32_t pc) {
  if (cpu.trace) trace::instant(cpu.trace, trace::Kind::Exception, pc, 0, static_cast<uint32_t>(Exception::Reset), 0);
  const uint32_t psr = read_cpsr(cpu);
  reset_again(cpu);
  tell_observer(cpu, Exception::Reset, pc, psr);
  return kEffectEndBlock | kEffectRegimeChanged | kEffectPrivilegeChanged | kEffectFpEnableChanged |
         kEffectFpModeChanged | kEffectAlignmentChanged | kEffectTimersChanged | kEffectDebugChanged;
}

}  // namespace

uint32_t take_exception(CpuState& cpu, Exception kind, uint32_t pc) {
  switch (kind) {
    case Exception::Reset: return take_reset(cpu, pc);
    case Exception::UndefinedInstruction: return enter<Exception::UndefinedInstruction>(cpu, pc);
    case Exception::SupervisorCall: return enter<Exception::SupervisorCall>(cpu, pc);
    case Exception::PrefetchAbort: return enter<Exception::PrefetchAbort>(cpu, pc);
    case Exception::DataAbort: return enter<Exception::DataAbort>(cpu, pc);
    case Exception::Irq: return enter<Exception::Irq>(cpu, pc);
    case Exception::Fiq: return enter<Exception::Fiq>(cpu, pc);
  }
  panic("no such exception");
}

uint32_t take_supervisor_call(CpuState& cpu) { return enter<Exception::SupervisorCall>(cpu, cpu.r[15]); }

uint32_t data_abort(CpuState& cpu, uint32_t pc, uint32_t fsr, uint32_t far) {
  cpu.cp15.dfsr = fsr;
  cpu.cp15.dfar = far;
  return take_exception(cpu, Exception::DataAbort, pc);
}

uint32_t prefetch_abort(CpuState& cpu, uint32_t pc, uint32_t fsr, uint32_t far) {
  cpu.cp15.ifsr = fsr & ~kFsrWnr;
  cpu.cp15.ifar = far;
  return take_exception(cpu, Exception::PrefetchAbort, pc);
}

uint32_t breakpoint_instruction(CpuState& cpu, uint32_t pc) {
  set_method_of_entry(cpu, DebugEvent::BkptInstruction);
  return prefetch_abort(cpu, pc, debug_event_status(cpu), 0);
}

uint32_t alignment_fault_status(const GuestCpu& cpu, bool write) {
  return fault_status(cpu, 0b00001, 0b100001) | (write ? kFsrWnr : 0u);
}
uint32_t synchronous_external_abort_status(const GuestCpu& cpu, bool write) {
  return fault_status(cpu, 0b01000, 0b010000) | (write ? kFsrWnr : 0u);
}
uint32_t debug_event_status(const GuestCpu& cpu) { return fault_status(cpu, 0b00010, 0b100010); }

Interrupt pending_interrupt(const CpuState& cpu) {
  if (host_steps(cpu)) return Interrupt::None;
  const uint32_t lines = load_lines(cpu);
  if ((lines & kLineFiq) && !cpu.f) return Interrupt::Fiq;
  if ((lines & kLineIrq) && !cpu.i) return Interrupt::Irq;
  return Interrupt::None;
}

bool interrupt_asserted(const CpuState& cpu) { return load_lines(cpu) & (kLineIrq | kLineFiq); }

void recompute_pending_of_lines(CpuState& cpu) {
  std::atomic_ref<uint32_t> pending(cpu.pending);
  pending.store(0, std::memory_order_seq_cst);
  uint32_t wanted = kLineStop | kLineWork | kLinePoll | (cpu.i ? 0u : kLineIrq) | (cpu.f ? 0u : kLineFiq);
  if (host_steps(cpu)) wanted &= ~uint32_t{kLineIrq | kLineFiq};
  if (load_lines(cpu) & wanted) pending.store(1, std::memory_order_seq_cst);
}

}  // namespace crosswalk::arm
