// SPDX-License-Identifier: GPL-2.0-or-later
// Program status registers, mode changes and register banks (ARM DDI 0406C, B1.3, B9.3).
//
// The registers of the current mode are in CpuState::r; CpuState::banked holds those of the other
// modes (and stale copies of the current one's). These CPUs show neither the Security nor the
// Virtualization Extensions: Monitor and Hyp are not valid modes. What the manual calls
// UNPREDICTABLE is a defined result here, named at each function.
//
// Functions that return uint32_t effects return a mask of arm::Effect.
#pragma once

#include <cstdint>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/effects.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::arm {

enum PsrBit : uint32_t {
  kPsrModeMask = 0x1f,
  kPsrT = 1u << 5,
  kPsrF = 1u << 6,
  kPsrI = 1u << 7,
  kPsrA = 1u << 8,
  kPsrE = 1u << 9,
  kPsrGeMask = 15u << 16,
  kPsrJ = 1u << 24,
  kPsrQ = 1u << 27,
  kPsrV = 1u << 28,
  kPsrC = 1u << 29,
  kPsrZ = 1u << 30,
  kPsrN = 1u << 31,
};

// The fields of MSR: its mask<3:0>.
enum PsrField : uint8_t { kPsrFieldC = 1, kPsrFieldX = 2, kPsrFieldS = 4, kPsrFieldF = 8, kPsrFieldsAll = 15 };

inline Mode mode_of(const GuestCpu& cpu) { return static_cast<Mode>(cpu.mode); }
inline bool in_user_mode(const GuestCpu& cpu) { return mode_of(cpu) == Mode::User; }

// Whether a PSR.M value names a mode that these CPUs have.
constexpr bool is_valid_mode(uint32_t m) {
  constexpr uint32_t kValid = 1u << static_cast<uint32_t>(Mode::User) | 1u << static_cast<uint32_t>(Mode::Fiq) |
                              1u << static_cast<uint32_t>(Mode::Irq) | 1u << static_cast<uint32_t>(Mode::Supervisor) |
                              1u << static_cast<uint32_t>(Mode::Abort) | 1u << static_cast<uint32_t>(Mode::Undefined) |
                              1u << static_cast<uint32_t>(Mode::System);
  return m < 32 && (kValid >> m & 1);
}
// Whether the mode has an SPSR: all but User and System.
constexpr bool mode_has_spsr(Mode mode) { return mode != Mode::User && mode != Mode::System; }

// PSR.IT after an instruction of an IT block (A2.5.2, ITAdvance).
constexpr uint8_t it_advance(uint8_t it) { return it & 7 ? static_cast<uint8_t>((it & 0xe0) | (it << 1 & 0x1f)) : 0; }

// R8 to R12, when FIQ mode is entered or left: to their banks, and from the others'.
void exchange_fiq_registers(GuestCpu& cpu, bool entered);

// Changes PSR.M: swaps the banked registers and recomputes what depends on privilege (FP access).
// Precondition: is_valid_mode(mode).
inline uint32_t switch_mode(GuestCpu& cpu, Mode mode) {
  const Mode old = mode_of(cpu);
  const BankIndex from = bank_of(old), to = bank_of(mode);
  if (from != to) {
    BankedRegisters& banked = cpu.banked;
    banked.r13[from] = cpu.r[13];
    banked.r14[from] = cpu.r[14];
    cpu.r[13] = banked.r13[to];
    cpu.r[14] = banked.r14[to];
    if (from == kBankFiq || to == kBankFiq) [[unlikely]]
      exchange_fiq_registers(cpu, to == kBankFiq);
  }
  cpu.mode = static_cast<uint8_t>(mode);
  if (is_privileged(old) == is_privileged(mode)) return kEffectNone;
  constexpr uint32_t kEffects = kEffectPrivilegeChanged | kEffectAccessChanged | kEffectEndBlock;
  return privilege_decides_fp_access(cpu) ? kEffects | update_fp_mode(cpu) : kEffects;
}

// MSR CPSR (register or immediate): CPSRWriteByInstr (B1.3.3) without an exception return. Writes
// what `fields` and the current privilege allow, but for IT, J and T. A bad mode, which is
// UNPREDICTABLE, leaves PSR.M as it is.
uint32_t msr_cpsr(CpuState& cpu, uint32_t value, uint8_t fields);

// The whole of the CPSR, IT, J, T and mode included: for reset, loading a state and tests. A bad
// mode is refused. Returns false then; nothing is changed.
bool set_cpsr(CpuState& cpu, uint32_t value);

// SPSR of the current mode. In User and System (UNPREDICTABLE) it reads as 0.
inline uint32_t read_spsr(const GuestCpu& cpu) { return cpu.banked.spsr[bank_of(mode_of(cpu))]; }

// SUBS PC, LR and related; LDM (exception return); RFE; ERET: CPSR from `psr`, then a branch to
// `pc` in the new instruction set (the low bits of pc are dropped as that set requires). RFE passes
// the loaded word; the others read_spsr(cpu). Precondition: not in User mode; where psr is an SPSR,
// not in System mode either (the frontend raises Undefined Instruction for both). UNPREDICTABLE
// cases: a bad mode leaves PSR.M as it is; J is kept 0 (no Jazelle or ThumbEE execution); IT is
// cleared on a return to ARM state.
uint32_t exception_return(CpuState& cpu, uint32_t pc, uint32_t psr);

// CPS (B9.3.2). `enable`/`disable` from imod; affect_* from A, I, F; new_mode 0 when M is 0. A NOP
// in User mode.
struct CpsOperation {
  bool enable = false, disable = false;
  bool affect_a = false, affect_i = false, affect_f = false;
  bool change_mode = false;
  uint8_t mode = 0;
};
uint32_t cps(CpuState& cpu, const CpsOperation& operation);
// CPS without a mode: those of A, I and F that `affected` has become as in `value`, both at their
// places in the CPSR. No effects but kEffectInterruptsUnmasked.
uint32_t cps_masks(CpuState& cpu, uint32_t value, uint32_t affected);

// SETEND. Translated code depends on PSR.E: kEffectEndBlock when it changes.
uint32_t setend(GuestCpu& cpu, bool big_endian);

// ---- registers of other modes

// Where register n (0-15) of `mode` lives now: r[] when the current mode shares it, else its bank.
uint32_t& register_of_mode(GuestCpu& cpu, Mode mode, unsigned n);
// User-mode registers, for LDM/STM (user registers).
inline uint32_t& user_register(GuestCpu& cpu, unsigned n) { return register_of_mode(cpu, Mode::User, n); }

// SRS: the stack pointer of `mode` (R13_<mode>), read and written back. UNDEFINED for modes that do
// not exist here; the frontend checks with srs_mode_valid. SRS stores r[14] and read_spsr(cpu).
bool srs_mode_valid(const GuestCpu& cpu, uint32_t mode);
inline uint32_t& srs_base(GuestCpu& cpu, Mode mode) { return register_of_mode(cpu, mode, 13); }

}  // namespace crosswalk::arm
