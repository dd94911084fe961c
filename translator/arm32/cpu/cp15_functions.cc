// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/cp15_functions.h"

#include <iterator>

#include "translator/arm32/cpu/cpu_model.h"
#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/arm32/cpu/timer.h"

namespace crosswalk::arm {
namespace {

const IdRegisters& id(const SystemContext& context) { return id_registers(context.cpu); }

uint32_t give(uint64_t& value, uint64_t result) {
  value = result;
  return kEffectNone;
}

constexpr uint64_t kPeripheralBase = 0x08000000;  // CBAR: where the GIC is on the board

bool is_virtual(const SystemRegister& row) { return row.is_64bit ? row.opc1 & 1 : row.crm == 3; }

Timer timer_of(const SystemContext& context, const SystemRegister& row) {
  const TimerRegisters timers = timer_registers(context.cpu);
  return is_virtual(row) ? timers.virtual_timer : timers.physical;
}

uint32_t timers_changed(SystemContext& context) {
  context.platform.timers_changed(context.cpu);
  return kEffectTimersChanged;
}

// The operations of the Inner Shareable domain are those of CRm 3 (table B3-50).
bool is_broadcast(const SystemRegister& row) { return row.crm == 3; }

// Whether a fault status (either format) is a synchronous external abort on a translation table
// walk.
bool is_external_abort_on_walk(uint32_t fsr) {
  if (fsr & kFsrLpae) return (fsr & 0x3c) == 0b010100;
  const uint32_t fs = (fsr & 15) | (fsr >> 6 & 16);
  return fs == 0b01100 || fs == 0b01110;
}

}  // namespace

uint32_t read_ctr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).ctr); }
uint32_t read_revidr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).revidr); }
uint32_t read_id_pfr(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, id(c).id_pfr[row.opc2]);
}
uint32_t read_id_dfr0(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).id_dfr0); }
uint32_t read_id_afr0(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).id_afr0); }
uint32_t read_id_mmfr(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, id(c).id_mmfr[row.opc2 - 4]);
}
uint32_t read_id_isar(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, id(c).id_isar[row.opc2]);
}
uint32_t read_ccsidr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  const uint32_t index = c.cpu.cp15.csselr;  // (level - 1) << 1 | instruction
  return give(value, index < std::size(id(c).ccsidr) ? id(c).ccsidr[index] : 0);
}
uint32_t read_clidr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).clidr); }
uint32_t read_aidr(SystemContext& c, const SystemRegister&, uint64_t& value) { return give(value, id(c).aidr); }
uint32_t read_cbar(SystemContext&, const SystemRegister&, uint64_t& value) { return give(value, kPeripheralBase); }

uint32_t read_isr(SystemContext& c, const SystemRegister&, uint64_t& value) {
  const uint32_t lines = __atomic_load_n(&c.cpu.interrupt_lines, __ATOMIC_SEQ_CST);
  return give(value, (lines & kLineIrq ? kPsrI : 0u) | (lines & kLineFiq ? kPsrF : 0u));
}

uint32_t update_strict_alignment(GuestCpu& cpu) {
  const uint8_t strict = (cpu.cp15.sctlr & kSctlrA) || !(cpu.cp15.sctlr & kSctlrM);
  if (strict == cpu.strict_alignment) return kEffectNone;
  cpu.strict_alignment = strict;
  return kEffectAlignmentChanged;
}

uint32_t write_sctlr(SystemContext& c, const SystemRegister&, uint64_t value) {
  CpuState& cpu = c.cpu;
  const uint32_t old = cpu.cp15.sctlr;
  cpu.cp15.sctlr = (static_cast<uint32_t>(value) & kSctlrWritable) | kSctlrRes1;
  const uint32_t changed = old ^ cpu.cp15.sctlr;
  uint32_t effects = kEffectEndBlock;
  constexpr uint32_t kRegime = kSctlrM | kSctlrC | kSctlrI | kSctlrWxn | kSctlrUwxn | kSctlrEe | kSctlrTre | kSctlrAfe;
  if (changed & kRegime) effects |= kEffectRegimeChanged;
  return effects | update_strict_alignment(cpu);
}

uint32_t write_cpacr(SystemContext& c, const SystemRegister&, uint64_t value) {
  c.cpu.cp15.cpacr = static_cast<uint32_t>(value) & kCpacrWritable;
  return update_fp_mode(c.cpu);
}

uint32_t write_ttbcr(SystemContext& c, const SystemRegister&, uint64_t value) {
  const uint32_t v = static_cast<uint32_t>(value);
  c.cpu.cp15.ttbcr = v & (v & kTtbcrEae ? kTtbcrLongWritable : kTtbcrShortWritable);
  return kEffectRegimeChanged;
}

// By address or all, local or Inner Shareable: what is stored is what all CPUs execute.
uint32_t write_instruction_cache(SystemContext& c, const SystemRegister&, uint64_t) {
  c.mmu.synchronize_code(c.cpu);
  return kEffectInstructionCacheInvalidate;
}
uint32_t write_isb(SystemContext&, const SystemRegister&, uint64_t) { return kEffectContextSync | kEffectEndBlock; }
uint32_t write_memory_barrier(SystemContext&, const SystemRegister&, uint64_t) { return kEffectBarrier; }
uint32_t write_synchronization_barrier(SystemContext& c, const SystemRegister&, uint64_t) {
  c.mmu.synchronize(c.cpu);
  return kEffectBarrier;
}

uint32_t write_address_translation(SystemContext& c, const SystemRegister& row, uint64_t value) {
  const uint32_t va = static_cast<uint32_t>(value);
  const AccessKind kind = row.opc2 & 1 ? AccessKind::Store : AccessKind::Load;
  const Translation t = c.mmu.translate(c.cpu, va, kind, !(row.opc2 & 2));
  if (!t.ok && is_external_abort_on_walk(t.fsr)) {  // B3.12.9: a Data Abort; PAR is UNKNOWN
    c.abort_fsr = t.fsr;
    c.abort_far = va;
    return kEffectDataAbort;
  }
  c.cpu.cp15.par = t.par;
  return kEffectNone;
}

uint32_t write_tlb_all(SystemContext& c, const SystemRegister& row, uint64_t) {
  c.mmu.flush_all(c.cpu, is_broadcast(row));
  return row.write_effects;
}
uint32_t write_tlb_mva(SystemContext& c, const SystemRegister& row, uint64_t value) {
  c.mmu.flush_mva(c.cpu, static_cast<uint32_t>(value) & ~0xfffu, static_cast<uint8_t>(value), is_broadcast(row));
  return row.write_effects;
}
uint32_t write_tlb_asid(SystemContext& c, const SystemRegister& row, uint64_t value) {
  c.mmu.flush_asid(c.cpu, static_cast<uint8_t>(value), is_broadcast(row));
  return row.write_effects;
}
uint32_t write_tlb_mva_all_asids(SystemContext& c, const SystemRegister& row, uint64_t value) {
  c.mmu.flush_mva_all_asids(c.cpu, static_cast<uint32_t>(value) & ~0xfffu, is_broadcast(row));
  return row.write_effects;
}

uint32_t read_cntpct(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.platform.counter_for(c.cpu));
}
uint32_t read_cntvct(SystemContext& c, const SystemRegister&, uint64_t& value) {
  return give(value, c.platform.counter_for(c.cpu) - c.cpu.cp15.cntvoff);
}

uint32_t read_timer_value(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, timer_of(c, row).read_timer_value(c.platform.counter_for(c.cpu)));
}
uint32_t write_timer_value(SystemContext& c, const SystemRegister& row, uint64_t value) {
  const uint64_t count = c.platform.counter() - timer_of(c, row).offset;
  (is_virtual(row) ? c.cpu.cp15.cntv_cval : c.cpu.cp15.cntp_cval) =
      compare_value_from_timer_value(count, static_cast<uint32_t>(value));
  return timers_changed(c);
}
uint32_t read_timer_control(SystemContext& c, const SystemRegister& row, uint64_t& value) {
  return give(value, timer_of(c, row).read_control(c.platform.counter_for(c.cpu)));
}
uint32_t write_timer_control(SystemContext& c, const SystemRegister& row, uint64_t value) {
  (is_virtual(row) ? c.cpu.cp15.cntv_ctl : c.cpu.cp15.cntp_ctl) =
      static_cast<uint32_t>(value) & (kTimerEnable | kTimerImask);
  return timers_changed(c);
}
uint32_t write_timer_compare_value(SystemContext& c, const SystemRegister& row, uint64_t value) {
  (is_virtual(row) ? c.cpu.cp15.cntv_cval : c.cpu.cp15.cntp_cval) = value;
  return timers_changed(c);
}

}  // namespace crosswalk::arm
