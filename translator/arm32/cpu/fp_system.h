// SPDX-License-Identifier: GPL-2.0-or-later
// Floating-point system registers (ARM DDI 0406C, B4.1.57-59 and B4.1.109-110; A2.6), and FPSCR <->
// MXCSR.
//
// FPSCR is kept in three words of CpuState:
//   fpscr           N Z C V QC AHP DN FZ RMode Stride Len, IDC, and cumulative flags that helpers
//                   set directly
//   mxcsr           the rounding mode and FZ as SSE has them, and the flags that guest VFP code has
//                   raised since
//   mxcsr_standard  the "standard FPSCR value" of Advanced SIMD (round to nearest, flush to zero),
//                   and its flags
// fp_mode is a byte that follows from FPSCR, FPEXC, CPACR and the privilege: all that decides how
// an instruction behaves, but for the rounding mode, of which it only says whether it is the usual
// one. A translation may be made for one value of it.
//
// FPSCR's value is the union of the flags of all three. IDC is never taken from MXCSR: SSE's DE
// means "a denormal operand was used", Arm's IDC "a denormal input was flushed", and SSE raises
// nothing for the latter under DAZ. Code that runs with a live MXCSR stores it back to its word
// before it calls anything here.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/effects.h"

namespace crosswalk::arm {

// FPSCR bits (B4.1.58).
enum FpscrBit : uint32_t {
  kFpscrIoc = 1u << 0,
  kFpscrDzc = 1u << 1,
  kFpscrOfc = 1u << 2,
  kFpscrUfc = 1u << 3,
  kFpscrIxc = 1u << 4,
  kFpscrIdc = 1u << 7,
  kFpscrLenMask = 7u << 16,
  kFpscrStrideMask = 3u << 20,
  kFpscrRModeMask = 3u << 22,
  kFpscrFz = 1u << 24,
  kFpscrDn = 1u << 25,
  kFpscrAhp = 1u << 26,
  kFpscrQc = 1u << 27,
  kFpscrNzcvMask = 15u << 28,
};
inline constexpr uint32_t kFpscrCumulativeMask = kFpscrIoc | kFpscrDzc | kFpscrOfc | kFpscrUfc | kFpscrIxc | kFpscrIdc;
// The trap-enable bits [15,12:8] are RAZ/WI: VFPv4 (not VFPv4U) as on Cortex-A15 and A7.
inline constexpr uint32_t kFpscrWritableMask = kFpscrNzcvMask | kFpscrQc | kFpscrAhp | kFpscrDn | kFpscrFz |
                                               kFpscrRModeMask | kFpscrStrideMask | kFpscrLenMask |
                                               kFpscrCumulativeMask;
// What decides how instructions behave, other than through MXCSR alone.
inline constexpr uint32_t kFpscrModeMask =
    kFpscrAhp | kFpscrDn | kFpscrFz | kFpscrRModeMask | kFpscrStrideMask | kFpscrLenMask;

// GuestCpu::fp_mode. The first three are FPSCR[26:24].
enum FpModeBit : uint8_t {
  kFpModeFz = 1 << 0,
  kFpModeDn = 1 << 1,
  kFpModeAhp = 1 << 2,
  kFpModeShortVectors = 1 << 3,  // Len or Stride is not 0
  kFpModeRounding = 1 << 4,      // RMode is not round to nearest
  kFpModeEnabled = 1 << 5,       // VFP instructions may execute (CPACR and FPEXC.EN)
  kFpModeSimdEnabled = 1 << 6,   // Advanced SIMD instructions may, too (CPACR.ASEDIS also clear)
};

enum FpexcBit : uint32_t {
  kFpexcEn = 1u << 30,
};

// MXCSR bits (Intel SDM volume 1, 10.2.3).
enum MxcsrBit : uint32_t {
  kMxcsrIe = 1u << 0,
  kMxcsrDe = 1u << 1,
  kMxcsrZe = 1u << 2,
  kMxcsrOe = 1u << 3,
  kMxcsrUe = 1u << 4,
  kMxcsrPe = 1u << 5,
  kMxcsrDaz = 1u << 6,
  kMxcsrAllMasked = 0x3fu << 7,
  kMxcsrRcDown = 1u << 13,
  kMxcsrRcUp = 2u << 13,
  kMxcsrRcZero = 3u << 13,
  kMxcsrRcMask = 3u << 13,
  kMxcsrFtz = 1u << 15,
};
inline constexpr uint32_t kMxcsrFlagsMask = 0x3f;
inline constexpr uint32_t kMxcsrStandard = kMxcsrAllMasked | kMxcsrFtz | kMxcsrDaz;

// MXCSR's control bits for an FPSCR; no flags.
constexpr uint32_t mxcsr_control(uint32_t fpscr) {
  constexpr uint32_t kRounding[4] = {0, kMxcsrRcUp, kMxcsrRcDown, kMxcsrRcZero};  // RN, RP, RM, RZ
  return kMxcsrAllMasked | kRounding[fpscr >> 22 & 3] | (fpscr & kFpscrFz ? kMxcsrFtz | kMxcsrDaz : 0);
}

// MXCSR flags as FPSCR cumulative flags, and back. DE and IDC have no counterpart.
constexpr uint32_t cumulative_from_mxcsr(uint32_t mxcsr) {
  return (mxcsr & kMxcsrIe) | (mxcsr >> 1 & (kFpscrDzc | kFpscrOfc | kFpscrUfc | kFpscrIxc));
}
constexpr uint32_t mxcsr_from_cumulative(uint32_t fpscr) {
  return (fpscr & kFpscrIoc) | (fpscr & (kFpscrDzc | kFpscrOfc | kFpscrUfc | kFpscrIxc)) << 1;
}

// FPSCR as the guest sees it.
inline uint32_t read_fpscr(const GuestCpu& cpu) {
  return cpu.fpscr | uint32_t{cpu.fpscr_nzcv} << 28 | cumulative_from_mxcsr(cpu.mxcsr) |
         cumulative_from_mxcsr(cpu.mxcsr_standard);
}

// Writes all of FPSCR (RAZ/WI bits excepted). Returns kEffectFpModeChanged when a bit of
// kFpscrModeMask differs.
uint32_t write_fpscr(GuestCpu& cpu, uint32_t value);

// Whether CPACR lets the current mode use coprocessors 10 and 11. FPEXC.EN does not matter here.
bool fp_coprocessor_access(const GuestCpu& cpu);
// Whether that depends on the privilege: CPACR.cp10 is "PL1 only".
inline bool privilege_decides_fp_access(const GuestCpu& cpu) { return (cpu.cp15.cpacr >> 20 & 3) == 1; }

// What fp_mode must be.
uint8_t fp_mode_of(const GuestCpu& cpu);

// Sets fp_mode. Called by everything here and in psr.h that changes what it follows from. Returns
// kEffectFpEnableChanged when what is enabled differs from before.
uint32_t update_fp_mode(GuestCpu& cpu);

// The reg field of VMRS/VMSR.
enum class FpSystemRegister : uint8_t {
  FPSID = 0,
  FPSCR = 1,
  MVFR2 = 5,  // ARMv8: UNDEFINED here
  MVFR1 = 6,
  MVFR0 = 7,
  FPEXC = 8,
  FPINST = 9,  // VFPv2 subarchitecture: UNDEFINED here
  FPINST2 = 10,
};

// VMRS/VMSR with all access checks. The effect is kEffectUndefined when the access is not allowed
// in this state; then nothing is changed. VMRS APSR_nzcv, FPSCR (Rt = 15) is the caller's: flags =
// value[31:28].
uint32_t read_fp_register(GuestCpu& cpu, unsigned reg, uint32_t& value);
uint32_t write_fp_register(GuestCpu& cpu, unsigned reg, uint32_t value);

// FPSCR and MXCSR as after reset.
void reset_fp(GuestCpu& cpu);

}  // namespace crosswalk::arm
