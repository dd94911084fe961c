// SPDX-License-Identifier: GPL-2.0-or-later
// NZCV while a block is emitted: in CpuState, as far as anybody needs it there, and in EFLAGS until
// those change.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <optional>

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"
#include "translator/x64/labels.h"

namespace crosswalk::x64 {

class EmitContext;

// Two operands of 32 bits as they lie while code for an instruction runs.
struct Comparison {
  enum Kind : uint8_t { Register, Constant, Field };
  uint8_t a;  // host register
  Kind kind;
  bool of_difference;  // a is the difference, which was computed before (ir::kOfDifference)
  uint32_t b;          // host register, constant, or offset in CpuState
};

using ir::EflagsForm;

class GuestFlags {
 public:
  explicit GuestFlags(EmitContext& e) : e_(e) {}

  // Around the emission of each instruction: EFLAGS are no longer the guest's unless it keeps or
  // produces them.
  void begin() { set_ = false; }
  void end(bool keeps) {
    if (set_ || keeps) return;
    form_ = EflagsForm::None;
    result_ = {};
  }
  void produced(EflagsForm form) {
    form_ = form;
    result_ = {};
    set_ = true;
  }
  void keep() { set_ = true; }
  void join(const ir::EflagsAtLabel& label) { produced(label.joined(form_)); }
  // EFLAGS come from the value that the current instruction computes. The guest's flags have not
  // changed; when they are set from it, EFLAGS are in this form.
  void result(ir::Value v, EflagsForm form = EflagsForm::Logic) {
    form_ = EflagsForm::None;
    result_ = v;
    result_form_ = form;
    set_ = true;
  }
  // The guest's flags are set from a value. Returns whether EFLAGS still have them, in this form.
  bool set_from(ir::Value v, EflagsForm form);

  EflagsForm form() const;
  // Stores those of `live` (ir::Inst::flags_live): NZ from the result, C and V out of EFLAGS.
  void store(uint8_t live, Xbyak::Reg64 result);
  // CMP of the operands; nothing where EFLAGS have to hold that already.
  void compare(const Comparison& c);
  // Stores NZCV of a - b behind compare(); EFLAGS stay or become those of CMP. `free` may be
  // changed.
  void store_difference(const Comparison& c, Xbyak::Reg32 free);
  // The same where the block is left and nothing but guest registers and the operands is needed.
  // `compared`: EFLAGS are those of compare(); else they may be anything.
  void store_difference_and_leave(const Comparison& c, bool compared = false);
  // As store(), where C is 1 and V is 0.
  void store_no_borrow(uint8_t live, Xbyak::Reg64 result);
  // Precondition of a read of CpuState's: the current instruction is not one that has them in
  // EFLAGS (ir::Inst::from_eflags), for which they are not stored.
  void check_stored() const;
  // The x86 condition that tests an Arm condition on EFLAGS as they are now; none when no single
  // one does.
  std::optional<Condition> x86_condition(uint32_t condition) const;
  // The same after CMP, whatever EFLAGS are known to be.
  static Condition after_compare(uint32_t condition);
  // Emits a test where that is needed, and returns the x86 condition that an Arm condition is then.
  // It holds until EFLAGS change.
  Condition condition(uint32_t arm);
  // Jumps to `target` when the Arm condition holds (or, with `invert`, when it does not).
  void jump_if(uint32_t condition, Label target, bool invert);

 private:
  // EFLAGS are those of the subtraction.
  void store_borrow(Xbyak::Reg64 difference);
  // By NZCV as CpuState has them.
  Condition condition_by_state(uint32_t arm);

  EmitContext& e_;
  EflagsForm form_ = EflagsForm::None;
  ir::Value result_{};
  EflagsForm result_form_ = EflagsForm::None;
  bool set_ = false;  // by the current instruction
};

}  // namespace crosswalk::x64
