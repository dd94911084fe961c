// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/fp_system.h"

#include <utility>

#include "translator/arm32/cpu/cpu_model.h"

namespace crosswalk::arm {
namespace {

constexpr uint32_t kCpacrAsedis = 1u << 31;

bool privileged(const GuestCpu& cpu) { return is_privileged(static_cast<Mode>(cpu.mode)); }

}  // namespace

bool fp_coprocessor_access(const GuestCpu& cpu) {
  // CPACR.cp10; cp11 different from cp10 is UNPREDICTABLE (B4.1.40).
  switch (cpu.cp15.cpacr >> 20 & 3) {
    case 1: return privileged(cpu);
    case 3: return true;
    default: return false;
  }
}

uint8_t fp_mode_of(const GuestCpu& cpu) {
  constexpr int kFzShift = 24;
  static_assert(kFpscrFz >> kFzShift == kFpModeFz && kFpscrDn >> kFzShift == kFpModeDn &&
                kFpscrAhp >> kFzShift == kFpModeAhp);
  uint8_t mode = cpu.fpscr >> kFzShift & (kFpModeFz | kFpModeDn | kFpModeAhp);
  if (cpu.fpscr & (kFpscrLenMask | kFpscrStrideMask)) mode |= kFpModeShortVectors;
  if (cpu.fpscr & kFpscrRModeMask) mode |= kFpModeRounding;
  if (fp_coprocessor_access(cpu) && (cpu.fpexc & kFpexcEn)) {
    mode |= kFpModeEnabled;
    if (!(cpu.cp15.cpacr & kCpacrAsedis)) mode |= kFpModeSimdEnabled;
  }
  return mode;
}

uint32_t update_fp_mode(GuestCpu& cpu) {
  const uint8_t before = std::exchange(cpu.fp_mode, fp_mode_of(cpu));
  const bool changed = (before ^ cpu.fp_mode) & (kFpModeEnabled | kFpModeSimdEnabled);
  return changed ? kEffectFpEnableChanged | kEffectEndBlock : kEffectNone;
}

uint32_t write_fpscr(GuestCpu& cpu, uint32_t value) {
  const uint32_t changed = (cpu.fpscr ^ value) & kFpscrModeMask;
  cpu.fpscr = value & kFpscrWritableMask & ~kFpscrNzcvMask & ~(kFpscrCumulativeMask & ~kFpscrIdc);
  cpu.fpscr_nzcv = value >> 28;
  cpu.mxcsr = mxcsr_control(value) | mxcsr_from_cumulative(value);
  cpu.mxcsr_standard = kMxcsrStandard;
  if (!changed) return kEffectNone;
  update_fp_mode(cpu);
  return kEffectFpModeChanged;
}

uint32_t read_fp_register(GuestCpu& cpu, unsigned reg, uint32_t& value) {
  if (!fp_coprocessor_access(cpu)) return kEffectUndefined;
  const IdRegisters& id = id_registers(cpu);
  switch (static_cast<FpSystemRegister>(reg)) {
    case FpSystemRegister::FPSCR:
      if (!(cpu.fp_mode & kFpModeEnabled)) return kEffectUndefined;
      value = read_fpscr(cpu);
      return kEffectNone;
    // From VFPv3 on, all others need PL1; FPEXC.EN does not matter for them (B9.3.22).
    case FpSystemRegister::FPSID: value = id.fpsid; break;
    case FpSystemRegister::MVFR0: value = id.mvfr[0]; break;
    case FpSystemRegister::MVFR1: value = id.mvfr[1]; break;
    case FpSystemRegister::FPEXC: value = cpu.fpexc; break;
    default: return kEffectUndefined;
  }
  return privileged(cpu) ? kEffectNone : kEffectUndefined;
}

uint32_t write_fp_register(GuestCpu& cpu, unsigned reg, uint32_t value) {
  if (!fp_coprocessor_access(cpu)) return kEffectUndefined;
  switch (static_cast<FpSystemRegister>(reg)) {
    case FpSystemRegister::FPSCR:
      if (!(cpu.fp_mode & kFpModeEnabled)) return kEffectUndefined;
      return write_fpscr(cpu, value);
    case FpSystemRegister::FPSID:  // read-only: a write is ignored
    case FpSystemRegister::MVFR0:
    case FpSystemRegister::MVFR1: return privileged(cpu) ? kEffectNone : kEffectUndefined;
    case FpSystemRegister::FPEXC:
      if (!privileged(cpu)) return kEffectUndefined;
      cpu.fpexc = value & kFpexcEn;  // no subarchitecture: EX and the rest are RAZ/WI
      return update_fp_mode(cpu);
    default: return kEffectUndefined;
  }
}

void reset_fp(GuestCpu& cpu) {
  write_fpscr(cpu, 0);
  cpu.fpexc = 0;
  update_fp_mode(cpu);
}

}  // namespace crosswalk::arm
