// SPDX-License-Identifier: GPL-2.0-or-later
// NZCV while a block is emitted: in CpuState, as far as anybody needs it there, and in EFLAGS until
// those change.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <optional>

#include "translator/x64/labels.h"

namespace crosswalk::x64 {

class EmitContext;

// What EFLAGS hold of the guest's flags after a producer.
enum class EflagsForm : uint8_t {
  None,
  Add,    // N, Z, V, and CF = C
  Sub,    // N, Z, V, and CF = !C
  Logic,  // N and Z
};

class GuestFlags {
 public:
  explicit GuestFlags(EmitContext& e) : e_(e) {}

  // Around the emission of each instruction: EFLAGS are no longer the guest's unless it keeps or
  // produces them.
  void begin() { set_ = false; }
  void end(bool keeps) {
    if (!set_ && !keeps) form_ = EflagsForm::None;
  }
  void produced(EflagsForm form) {
    form_ = form;
    set_ = true;
  }
  void keep() { set_ = true; }

  EflagsForm form() const;
  // Stores those of `live` (ir::Inst::flags_live): NZ from the result, C and V out of EFLAGS.
  void store(uint8_t live, Xbyak::Reg64 result);
  // The x86 condition that tests an Arm condition on EFLAGS as they are now; none when no single
  // one does.
  std::optional<Condition> x86_condition(uint32_t condition) const;
  // Emits a test where that is needed, and returns the x86 condition that an Arm condition is then.
  // It holds until EFLAGS change.
  Condition condition(uint32_t arm);
  // Jumps to `target` when the Arm condition holds (or, with `invert`, when it does not).
  void jump_if(uint32_t condition, Label target, bool invert);

 private:
  // By NZCV as CpuState has them.
  Condition condition_by_state(uint32_t arm);

  EmitContext& e_;
  EflagsForm form_ = EflagsForm::None;
  bool set_ = false;  // by the current instruction
};

}  // namespace crosswalk::x64
