// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/helpers/helpers.h"

#include <atomic>
#include <bit>

#include "translator/arm32/cpu/debug.h"
#include "translator/arm32/cpu/events.h"
#include "translator/arm32/cpu/host_debug.h"
#include "translator/arm32/cpu/pmu.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::helpers {
namespace {

using arm::SystemRegister;

uint64_t undefined(CpuState* cpu) {
  services(cpu).undefined_instructions++;
  helpers::take_exception(*cpu, arm::Exception::UndefinedInstruction, cpu->r[15]);
  return 0;
}

// Leaves the block for the instruction after this one, as if it had been executed normally.
void leave_to_next(CpuState& cpu, uint32_t bytes) {
  cpu.r[15] += bytes;
  cpu.it = arm::it_advance(cpu.it);
  cpu.exit_reason = kExitLookup;
}

// What a system register access asks for; false when an exception was taken instead.
bool finish_access(CpuState& cpu, const arm::SystemContext& context, uint32_t effects) {
  if (effects & arm::kEffectUndefined) {
    undefined(&cpu);
    return false;
  }
  if (effects & arm::kEffectDataAbort) {
    const uint32_t more = arm::data_abort(cpu, cpu.r[15], context.abort_fsr, context.abort_far);
    apply_effects(cpu, more);
    cpu.exit_reason = kExitException;
    return false;
  }
  apply_effects(cpu, effects);
  return true;
}

const SystemRegister& row_of(uint32_t low, uint32_t high) {
  return *reinterpret_cast<const SystemRegister*>(uint64_t{high} << 32 | low);
}
const SystemRegister& row_of(uint32_t encoding) {
  return *arm::find_system_register_64(encoding >> 8, encoding >> 4 & 15, encoding & 15);
}

uint64_t read_row(CpuState* cpu, const SystemRegister& row) {
  EngineServices& s = services(cpu);
  arm::SystemContext context{*cpu, s.mmu, s.platform};
  uint64_t value = 0;
  finish_access(*cpu, context, arm::read_system_register(context, row, value));
  return value;
}

void write_row(CpuState* cpu, const SystemRegister& row, uint64_t value) {
  EngineServices& s = services(cpu);
  arm::SystemContext context{*cpu, s.mmu, s.platform};
  finish_access(*cpu, context, arm::write_system_register(context, row, value));
}

// False when the guest may not use semihosting, and the trap has its architectural meaning.
// Unprivileged code never may: a program of a guest's user is not to reach the host.
bool semihosting(CpuState& cpu, uint32_t bytes) {
  if (arm::in_user_mode(cpu)) return false;
  EngineServices& s = services(&cpu);
  s.mmu.park(cpu);  // a call may wait for input
  const bool done = s.platform.semihosting(cpu);
  s.mmu.unpark(cpu);
  if (done) leave_to_next(cpu, bytes);
  return done;
}

// The space of another privilege or DACR.
inline void change_access(CpuState& cpu) {
  mmu::Mmu& mmu = services(&cpu).mmu;
  if (!mmu.access_changed(cpu)) [[unlikely]]
    mmu.activate(cpu);
  choose_jump_cache(cpu);
}

// Of an exception or a return from one: what apply_effects() would.
inline void apply_mode_change(CpuState& cpu, uint32_t effects) {
  if ((effects & arm::kEffectPrivilegeChanged) == 0) return;
  if (cpu.performance.filtered) [[unlikely]]
    return apply_effects(cpu, effects);
  change_access(cpu);
}

}  // namespace

void apply_effects(CpuState& cpu, uint32_t effects) {
  if ((effects & arm::kEffectPrivilegeChanged) && cpu.performance.filtered) {
    EngineServices& s = services(&cpu);
    arm::SystemContext context{cpu, s.mmu, s.platform};
    arm::performance_privilege_changed(context);
  }
  if (effects & arm::kEffectRegimeChanged) {
    services(&cpu).mmu.activate(cpu);
    choose_jump_cache(cpu);
  } else if (effects & arm::kEffectAccessChanged) {
    change_access(cpu);
  }
  if (effects & arm::kEffectDebugChanged) services(&cpu).mmu.debug_changed(cpu);
  if (effects & arm::kEffectBarrier) std::atomic_thread_fence(std::memory_order_seq_cst);
}

void take_exception(CpuState& cpu, arm::Exception kind, uint32_t pc) {
  apply_effects(cpu, arm::take_exception(cpu, kind, pc));
  cpu.exit_reason = kExitException;
}

uint64_t undefined_instruction(CpuState* cpu, uint32_t, uint32_t, uint32_t) { return undefined(cpu); }

uint64_t supervisor_call(CpuState* cpu, uint32_t imm, uint32_t bytes, uint32_t) {
  // The numbers of the A profile ("Semihosting for AArch32 and AArch64", 2.2). BKPT 0xAB is one of
  // the M profile's.
  if (imm == (cpu->t ? 0xabu : 0x123456u) && semihosting(*cpu, bytes)) return 0;
  apply_mode_change(*cpu, arm::take_supervisor_call(*cpu));
  cpu->exit_reason = kExitException;
  return 0;
}

uint64_t halting_breakpoint(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t) {
  return semihosting(*cpu, bytes) ? 0 : undefined(cpu);
}

uint64_t breakpoint(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  apply_effects(*cpu, arm::breakpoint_instruction(*cpu, cpu->r[15]));
  cpu->exit_reason = kExitException;
  return 0;
}

uint64_t check_breakpoints(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  if (cpu->host_debug && arm::host_stops_at_instruction(*cpu)) {
    cpu->exit_reason = kExitLookup;
    return 0;
  }
  if (const auto event = arm::instruction_debug_event(*cpu, cpu->r[15])) {
    apply_effects(*cpu, arm::take_instruction_debug_event(*cpu, *event, cpu->r[15]));
    cpu->exit_reason = kExitException;
  }
  return 0;
}

uint64_t hypervisor_call(CpuState* cpu, uint32_t, uint32_t bytes, uint32_t) {
  if (arm::in_user_mode(*cpu)) return undefined(cpu);
  leave_to_next(*cpu, bytes);
  EngineServices& s = services(cpu);
  s.mmu.park(*cpu);                                      // CPU_SUSPEND sleeps
  if (!s.platform.firmware_call(*cpu)) cpu->r[0] = ~0u;  // NOT_SUPPORTED
  s.mmu.unpark(*cpu);
  return 0;
}

uint64_t exception_return(CpuState* cpu, uint32_t pc, uint32_t, uint32_t) {
  if (!arm::mode_has_spsr(arm::mode_of(*cpu))) return undefined(cpu);
  return return_from_exception(cpu, pc, arm::read_spsr(*cpu), 0);
}

uint64_t return_from_exception(CpuState* cpu, uint32_t pc, uint32_t psr, uint32_t) {
  apply_mode_change(*cpu, arm::exception_return(*cpu, pc, psr));
  cpu->exit_reason = kExitException;
  return 0;
}

uint64_t srs_base(CpuState* cpu, uint32_t mode, uint32_t, uint32_t) {
  if (!arm::srs_mode_valid(*cpu, mode)) return undefined(cpu);
  return arm::srs_base(*cpu, static_cast<Mode>(mode));
}
uint64_t srs_write_back(CpuState* cpu, uint32_t mode, uint32_t value, uint32_t) {
  arm::srs_base(*cpu, static_cast<Mode>(mode)) = value;
  return 0;
}

uint64_t read_system_register(CpuState* cpu, uint32_t row_low, uint32_t row_high, uint32_t) {
  return read_row(cpu, row_of(row_low, row_high));
}
uint64_t write_system_register(CpuState* cpu, uint32_t row_low, uint32_t row_high, uint32_t value) {
  write_row(cpu, row_of(row_low, row_high), value);
  return 0;
}
uint64_t read_system_register_64(CpuState* cpu, uint32_t encoding, uint32_t, uint32_t) {
  return read_row(cpu, row_of(encoding));
}
uint64_t write_system_register_64(CpuState* cpu, uint32_t encoding, uint32_t low, uint32_t high) {
  write_row(cpu, row_of(encoding), uint64_t{high} << 32 | low);
  return 0;
}

uint64_t write_cpsr(CpuState* cpu, uint32_t value, uint32_t fields, uint32_t) {
  const uint32_t effects = arm::msr_cpsr(*cpu, value, static_cast<uint8_t>(fields));
  if (effects & ~uint32_t{arm::kEffectInterruptsUnmasked}) apply_effects(*cpu, effects);
  return 0;
}
uint64_t recompute_pending(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  arm::recompute_pending(*cpu);
  return 0;
}

uint64_t change_processor_state(CpuState* cpu, uint32_t operation, uint32_t, uint32_t) {
  arm::CpsOperation o;
  o.enable = (operation & 3) == 2;
  o.disable = (operation & 3) == 3;
  o.affect_a = operation >> 2 & 1;
  o.affect_i = operation >> 3 & 1;
  o.affect_f = operation >> 4 & 1;
  o.change_mode = operation >> 5 & 1;
  o.mode = operation >> 6 & 0x1f;
  if (const uint32_t effects = arm::cps(*cpu, o)) apply_effects(*cpu, effects);
  return 0;
}

uint64_t change_masks(CpuState* cpu, uint32_t value, uint32_t affected, uint32_t) {
  arm::cps_masks(*cpu, value, affected);
  return 0;
}

uint64_t access_changed(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  if (!services(cpu).mmu.access_changed(*cpu)) [[unlikely]]
    return regime_changed(cpu, 0, 0, 0);
  choose_jump_cache(*cpu);
  return 0;
}
uint64_t regime_changed(CpuState* cpu, uint32_t, uint32_t, uint32_t) {
  const unsigned guest = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(cpu->host_mxcsr);
  services(cpu).mmu.activate(*cpu);
  __builtin_ia32_ldmxcsr(guest);
  choose_jump_cache(*cpu);
  return 0;
}

// The code that it was called from may be gone when it returns, since the CPU is parked meanwhile.
uint64_t wait_for_interrupt(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t) {
  arm::stop_watching(*cpu);
  leave_to_next(*cpu, bytes);
  if (arm::host_steps(*cpu)) return 0;
  // No line is to keep it awake of which the machine knows nothing.
  if (std::atomic_ref<uint32_t>(cpu->interrupt_lines).load(std::memory_order_relaxed) & kLineShootdown)
    services(cpu).mmu.synchronize(*cpu);
  if (!arm::interrupt_asserted(*cpu) && !std::atomic_ref<uint32_t>(cpu->pending).load()) {
    EngineServices& s = services(cpu);
    const uint64_t start = __builtin_ia32_rdtsc();
    s.mmu.park(*cpu);
    s.platform.wait_for_interrupt(*cpu);
    s.mmu.unpark(*cpu);
    s.mmu.slept(__builtin_ia32_rdtsc() - start);
  }
  return 0;
}

// An unmasked interrupt wakes (B1.8.13), as does all else that the machine wants of the CPU; a
// masked one need not.
uint64_t wait_for_event(CpuState* cpu, uint32_t bytes, uint32_t, uint32_t) {
  // As the event stream that Linux asks for (100 us), whether the guest has it on or not.
  constexpr int64_t kLongest = 100'000;
  for (uint32_t looks = 0; looks < cpu->events->looks; looks++) {
    if (arm::take_event(*cpu) || std::atomic_ref<uint32_t>(cpu->pending).load()) return 0;
    __builtin_ia32_pause();
  }
  leave_to_next(*cpu, bytes);  // as for WFI
  EngineServices& engine = services(cpu);
  const uint64_t start = __builtin_ia32_rdtsc();
  engine.mmu.park(*cpu);
  engine.platform.wait_for_event(*cpu, kLongest);
  engine.mmu.unpark(*cpu);
  engine.mmu.slept(__builtin_ia32_rdtsc() - start);
  arm::take_event(*cpu);
  return 0;
}

void synchronize(CpuState* cpu) { services(cpu).mmu.synchronize(*cpu); }

void send_event(CpuState* cpu) {
  arm::send_event(*cpu);
  services(cpu).platform.send_event(*cpu);
}

}  // namespace crosswalk::helpers
