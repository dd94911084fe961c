// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/psr.h"

#include <algorithm>

#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {
namespace {

constexpr uint32_t kSctlrNmfi = 1u << 27;

// Writes those of A, I and F that `affected` has. Unmasking makes an interrupt that is already
// asserted visible.
uint32_t write_masks(CpuState& cpu, uint32_t value, uint32_t affected) {
  const uint32_t before = uint32_t{cpu.a} << 8 | uint32_t{cpu.i} << 7 | uint32_t{cpu.f} << 6;
  if ((cpu.cp15.sctlr & kSctlrNmfi) && (value & kPsrF)) affected &= ~uint32_t{kPsrF};
  const uint32_t changed = (before ^ value) & affected, now = before ^ changed;
  if (changed == 0) return kEffectNone;
  cpu.a = now >> 8 & 1;
  cpu.i = now >> 7 & 1;
  cpu.f = now >> 6 & 1;
  recompute_pending(cpu);
  return before & changed ? kEffectInterruptsUnmasked : kEffectNone;
}

}  // namespace

void exchange_fiq_registers(GuestCpu& cpu, bool entered) {
  BankedRegisters& banked = cpu.banked;
  std::copy_n(&cpu.r[8], 5, entered ? banked.r8_12_user : banked.r8_12_fiq);
  std::copy_n(entered ? banked.r8_12_fiq : banked.r8_12_user, 5, &cpu.r[8]);
}

uint32_t msr_cpsr(CpuState& cpu, uint32_t value, uint8_t fields) {
  const bool privileged = !in_user_mode(cpu);
  uint32_t effects = kEffectNone;
  if (fields & kPsrFieldF) {
    write_nzcv(cpu, value);
    cpu.q = value >> 27 & 1;
  }
  if (fields & kPsrFieldS) write_ge(cpu, value >> 16 & 15);
  if (fields & kPsrFieldX) effects |= setend(cpu, value & kPsrE);
  if (!privileged) return effects;
  const uint32_t masks = (fields & kPsrFieldX ? kPsrA : 0u) | (fields & kPsrFieldC ? kPsrI | kPsrF : 0u);
  effects |= write_masks(cpu, value, masks);
  if ((fields & kPsrFieldC) && is_valid_mode(value & kPsrModeMask))
    effects |= switch_mode(cpu, static_cast<Mode>(value & kPsrModeMask));
  return effects;
}

bool set_cpsr(CpuState& cpu, uint32_t value) {
  if (!is_valid_mode(value & kPsrModeMask)) return false;
  switch_mode(cpu, static_cast<Mode>(value & kPsrModeMask));
  write_nzcv(cpu, value);
  cpu.q = value >> 27 & 1;
  cpu.it = static_cast<uint8_t>((value >> 25 & 3) | (value >> 10 & 0x3f) << 2);
  cpu.j = value >> 24 & 1;
  write_ge(cpu, value >> 16 & 15);
  cpu.e = value >> 9 & 1;
  cpu.a = value >> 8 & 1;
  cpu.i = value >> 7 & 1;
  cpu.f = value >> 6 & 1;
  cpu.t = value >> 5 & 1;
  recompute_pending(cpu);
  return true;
}

uint32_t exception_return(CpuState& cpu, uint32_t pc, uint32_t psr) {
  write_nzcv(cpu, psr);
  cpu.q = psr >> 27 & 1;
  write_ge(cpu, psr >> 16 & 15);
  uint32_t effects = kEffectEndBlock | setend(cpu, psr & kPsrE) | write_masks(cpu, psr, kPsrA | kPsrI | kPsrF);
  const bool thumb = psr & kPsrT;
  cpu.t = thumb;
  cpu.j = 0;
  cpu.it = thumb ? static_cast<uint8_t>((psr >> 10 & 0x3f) << 2 | (psr >> 25 & 3)) : 0;
  if (is_valid_mode(psr & kPsrModeMask)) effects |= switch_mode(cpu, static_cast<Mode>(psr & kPsrModeMask));
  cpu.r[15] = pc & (thumb ? ~1u : ~3u);  // BranchWritePC
  // The monitor compares values, so what ran meanwhile may have changed memory and changed it back:
  // a store-exclusive may fail for any reason (A3.4.1), so it does after every exception.
  cpu.monitor_armed = 0;
  return effects;
}

uint32_t cps_masks(CpuState& cpu, uint32_t value, uint32_t affected) {
  return in_user_mode(cpu) ? uint32_t{kEffectNone} : write_masks(cpu, value, affected);
}

uint32_t cps(CpuState& cpu, const CpsOperation& operation) {
  if (in_user_mode(cpu)) return kEffectNone;
  const uint32_t affected =
      (operation.affect_a ? kPsrA : 0u) | (operation.affect_i ? kPsrI : 0u) | (operation.affect_f ? kPsrF : 0u);
  if (!operation.change_mode)
    return write_masks(cpu, operation.disable ? affected : 0, operation.enable || operation.disable ? affected : 0);
  uint32_t value = read_cpsr(cpu);
  if (operation.enable) value &= ~affected;
  if (operation.disable) value |= affected;
  value = (value & ~uint32_t{kPsrModeMask}) | (operation.mode & kPsrModeMask);
  return msr_cpsr(cpu, value, kPsrFieldX | kPsrFieldC);
}

uint32_t setend(GuestCpu& cpu, bool big_endian) {
  if (cpu.e == big_endian) return kEffectNone;
  cpu.e = big_endian;
  return kEffectEndBlock;
}

uint32_t& register_of_mode(GuestCpu& cpu, Mode mode, unsigned n) {
  const Mode current = mode_of(cpu);
  const bool fiq_differs = (current == Mode::Fiq) != (mode == Mode::Fiq);
  if (n >= 8 && n <= 12 && fiq_differs) {
    return mode == Mode::Fiq ? cpu.banked.r8_12_fiq[n - 8] : cpu.banked.r8_12_user[n - 8];
  }
  if ((n == 13 || n == 14) && bank_of(mode) != bank_of(current)) {
    return n == 13 ? cpu.banked.r13[bank_of(mode)] : cpu.banked.r14[bank_of(mode)];
  }
  return cpu.r[n];
}

bool srs_mode_valid(const GuestCpu& cpu, uint32_t mode) {
  // In User or System mode, or to a bad mode, SRS is UNPREDICTABLE (B9.3.16).
  return mode_has_spsr(mode_of(cpu)) && is_valid_mode(mode);
}

}  // namespace crosswalk::arm
