// SPDX-License-Identifier: GPL-2.0-or-later
// The same that x64/guest_flags.h does while it emits: what EFLAGS hold, of what is certain before.
#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"

namespace crosswalk::ir {

void use_eflags(Block& block) {
  EflagsForm form = EflagsForm::None;
  Value compared;  // of FP, whose EFLAGS are still there
  for (uint32_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    const bool keeps = info(inst.op).attributes & K;
    if (!keeps) compared = {};
    switch (inst.op) {
      case Opcode::SkipUnless:
      case Opcode::Select:
      case Opcode::TestCond:  // they keep EFLAGS, where a test need not be made first
        inst.from_eflags = answers(form, inst.imm & 15);
        if (!inst.from_eflags) form = EflagsForm::None;
        continue;
      case Opcode::Adc:
      case Opcode::AdcS:
      case Opcode::Sbc:
      case Opcode::SbcS:
      case Opcode::Rrx: inst.from_eflags = holds_carry(form); break;
      case Opcode::SetC:
        if (form != EflagsForm::None) form = EflagsForm::Logic;
        continue;
      case Opcode::FpCompare32:
      case Opcode::FpCompare64: compared = Value::inst(i); break;
      case Opcode::SetNZCV: inst.from_eflags = !compared.is_none() && inst.args[0] == compared; break;
      default: break;
    }
    if (const EflagsForm after = eflags_after(inst); after != EflagsForm::None)
      form = after;
    else if (!keeps || inst.op == Opcode::SetNZCV)
      form = EflagsForm::None;
  }
}

}  // namespace crosswalk::ir
