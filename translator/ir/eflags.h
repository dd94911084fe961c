// SPDX-License-Identifier: GPL-2.0-or-later
// What the x86 flags hold of NZCV behind an instruction, for passes and emitters alike.
#pragma once

#include <cstdint>
#include <optional>

#include "translator/ir/ir.h"

namespace crosswalk::ir {

// What EFLAGS hold of the guest's flags after a producer.
enum class EflagsForm : uint8_t {
  None,
  Add,       // N, Z, V, and CF = C
  Shift,     // N, Z, and CF = C
  Sub,       // N, Z, V, and CF = !C
  Logic,     // N and Z
  Compared,  // as UCOMIS leaves them, for NZCV of a comparison
};

// What they hold where two paths join.
constexpr EflagsForm meet(EflagsForm a, EflagsForm b) {
  if (a == b) return a;
  const auto has_nz = [](EflagsForm f) { return f != EflagsForm::None && f != EflagsForm::Compared; };
  return has_nz(a) && has_nz(b) ? EflagsForm::Logic : EflagsForm::None;
}

// The same at a label, which skips lead to.
class EflagsAtLabel {
 public:
  constexpr void skipped(EflagsForm form) { form_ = form_ ? meet(*form_, form) : form; }
  constexpr EflagsForm joined(EflagsForm before) const { return form_ ? meet(*form_, before) : EflagsForm::None; }

 private:
  std::optional<EflagsForm> form_;  // none: nothing has skipped
};

// As in the encoding (ARM DDI 0406C, A8.3): complementary pairs.
enum ArmCondition : uint32_t { kEq, kNe, kCs, kCc, kMi, kPl, kVs, kVc, kHi, kLs, kGe, kLt, kGt, kLe, kConditions };

// Whether an Arm condition is a single x86 one.
constexpr bool answers(EflagsForm form, uint32_t condition) {
  constexpr uint32_t kNz = 1 << kEq | 1 << kNe | 1 << kMi | 1 << kPl, kC = 1 << kCs | 1 << kCc;
  constexpr uint32_t kAll = (1 << kConditions) - 1, kHiLs = 1 << kHi | 1 << kLs;
  constexpr uint32_t kOrdered = 1 << kVs | 1 << kVc | 1 << kGe | 1 << kLt | 1 << kGt | 1 << kLe;
  constexpr uint32_t kAnswered[] = {0, kAll & ~kHiLs, kNz | kC, kAll, kNz, kOrdered};
  return kAnswered[static_cast<int>(form)] >> condition & 1;
}
constexpr bool holds_carry(EflagsForm form) {
  return form == EflagsForm::Add || form == EflagsForm::Shift || form == EflagsForm::Sub;
}

// What EFLAGS hold behind an instruction that sets flags, whatever they held before it; None: that
// depends.
constexpr EflagsForm eflags_after(const Inst& inst) {
  switch (inst.op) {
    case Opcode::AddS:
    case Opcode::AdcS: return EflagsForm::Add;
    case Opcode::SubS:
    case Opcode::SbcS:
    case Opcode::JumpIfCompare: return EflagsForm::Sub;
    case Opcode::LslS:
    case Opcode::LsrS:
    case Opcode::AsrS: return EflagsForm::Shift;
    case Opcode::SetNZCV: return inst.from_eflags ? EflagsForm::Compared : EflagsForm::None;
    case Opcode::SetNZ: return inst.args[0].is_imm() ? EflagsForm::None : EflagsForm::Logic;
    default: return EflagsForm::None;
  }
}

// Whether its emitter can do without changing EFLAGS, if it has to (Inst::keep_eflags).
constexpr bool can_keep_eflags(const Inst& inst) {
  switch (inst.op) {
    case Opcode::Add: return inst.args[0].is_inst() || inst.args[1].is_inst();
    case Opcode::Sub: return inst.args[0].is_inst() && inst.args[1].is_imm();
    default: return false;
  }
}

}  // namespace crosswalk::ir
