// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/psr.h"

#include <algorithm>

#include "translator/arm32/cpu/exceptions.h"
#include "translator/arm32/cpu/fp_system.h"

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

// The low-order fields of a PSR write as a bit mask.
uint32_t field_mask(uint8_t fields) {
  return (fields & kPsrFieldC ? 0x000000ffu : 0) | (fields & kPsrFieldX ? 0x0000ff00u : 0) |
         (fields & kPsrFieldS ? 0x00ff0000u : 0) | (fields & kPsrFieldF ? 0xff000000u : 0);
}

}  // namespace

bool is_valid_mode(uint32_t m) {
  switch (static_cast<Mode>(m)) {
    case Mode::User:
    case Mode::Fiq:
    case Mode::Irq:
    case Mode::Supervisor:
    case Mode::Abort:
    case Mode::Undefined:
    case Mode::System: return true;
    default: return false;
  }
}

bool mode_has_spsr(Mode mode) { return mode != Mode::User && mode != Mode::System; }

uint32_t switch_mode(GuestCpu& cpu, Mode mode) {
  const Mode old = mode_of(cpu);
  if (old == mode) return kEffectNone;
  BankedRegisters& banked = cpu.banked;
  const BankIndex from = bank_of(old), to = bank_of(mode);
  if (from != to) {
    banked.r13[from] = cpu.r[13];
    banked.r14[from] = cpu.r[14];
    cpu.r[13] = banked.r13[to];
    cpu.r[14] = banked.r14[to];
    if (old == Mode::Fiq) {
      std::copy_n(&cpu.r[8], 5, banked.r8_12_fiq);
      std::copy_n(banked.r8_12_user, 5, &cpu.r[8]);
    } else if (mode == Mode::Fiq) {
      std::copy_n(&cpu.r[8], 5, banked.r8_12_user);
      std::copy_n(banked.r8_12_fiq, 5, &cpu.r[8]);
    }
  }
  cpu.mode = static_cast<uint8_t>(mode);
  if (is_privileged(old) == is_privileged(mode)) return kEffectNone;
  return kEffectPrivilegeChanged | kEffectRegimeChanged | kEffectEndBlock | update_fp_mode(cpu);
}

uint32_t write_cpsr_by_instruction(CpuState& cpu, uint32_t value, uint8_t fields, bool exception_return) {
  const bool privileged = !in_user_mode(cpu);
  // What most of these are: the kernel restores its interrupt mask.
  if (fields == kPsrFieldC && !exception_return && (!privileged || (value & kPsrModeMask) == cpu.mode))
    return privileged ? write_masks(cpu, value, kPsrI | kPsrF) : kEffectNone;
  uint32_t effects = kEffectNone;
  uint8_t it = cpu.it;
  if (fields & kPsrFieldF) {
    write_nzcv(cpu, value);
    cpu.q = value >> 27 & 1;
    if (exception_return) it = static_cast<uint8_t>((it & 0xfc) | (value >> 25 & 3));
  }
  if (fields & kPsrFieldS) write_ge(cpu, value >> 16 & 15);
  if (fields & kPsrFieldX) {
    if (exception_return) it = static_cast<uint8_t>((it & 3) | (value >> 10 & 0x3f) << 2);
    effects |= setend(cpu, value & kPsrE);
    if (privileged) effects |= write_masks(cpu, value, kPsrA);
  }
  if (fields & kPsrFieldC) {
    if (privileged) effects |= write_masks(cpu, value, kPsrI | kPsrF);
    if (exception_return) {
      cpu.t = (value & kPsrT) != 0;
      cpu.j = 0;
    }
    if (privileged && is_valid_mode(value & kPsrModeMask)) {
      effects |= switch_mode(cpu, static_cast<Mode>(value & kPsrModeMask));
    }
  }
  if (exception_return) {
    cpu.it = cpu.t ? it : 0;
    effects |= kEffectEndBlock;
  }
  return effects;
}

uint32_t mrs_cpsr(const GuestCpu& cpu) { return read_cpsr(cpu) & 0xf8ff03dfu; }

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

uint32_t read_spsr(const GuestCpu& cpu) {
  return mode_has_spsr(mode_of(cpu)) ? cpu.banked.spsr[bank_of(mode_of(cpu))] : 0;
}

void write_spsr(GuestCpu& cpu, uint32_t value, uint8_t fields) {
  if (!mode_has_spsr(mode_of(cpu))) return;
  // SPSRWriteByInstr (B1.3.3): bits [23:20] are reserved; all others are written.
  const uint32_t mask = field_mask(fields) & ~0x00f00000u;
  uint32_t& spsr = cpu.banked.spsr[bank_of(mode_of(cpu))];
  spsr = (spsr & ~mask) | (value & mask);
}

uint32_t exception_return(CpuState& cpu, uint32_t pc, uint32_t psr) {
  const uint32_t effects = write_cpsr_by_instruction(cpu, psr, kPsrFieldsAll, true);
  cpu.r[15] = pc & (cpu.t ? ~1u : ~3u);  // BranchWritePC
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
  return write_cpsr_by_instruction(cpu, value, kPsrFieldX | kPsrFieldC, false);
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
