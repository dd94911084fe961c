// SPDX-License-Identifier: GPL-2.0-or-later
// The same that x64/guest_flags.h does while it emits: what EFLAGS hold, of what is certain before.
#include <span>

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"

namespace crosswalk::ir {
namespace {

// What EFLAGS hold at the ends of skips: of the first few labels, by number.
class FormsAtLabels {
 public:
  void skipped(uint64_t label, EflagsForm form) {
    if (label >= kMost) return;
    forms_[label] = seen_ >> label & 1 ? meet(forms_[label], form) : form;
    seen_ |= 1u << label;
  }
  EflagsForm at(uint64_t label, EflagsForm before) const {
    return label < kMost && (seen_ >> label & 1) ? meet(forms_[label], before) : EflagsForm::None;
  }

 private:
  static constexpr size_t kMost = 16;
  EflagsForm forms_[kMost] = {};
  uint32_t seen_ = 0;
};

bool access_keeps_eflags(const Inst& inst) {
  const MemAccess m = MemAccess::unpack(inst.imm);
  return m.align_log2 == 0 && !m.unprivileged && !m.out_of_line;
}

// Where a reader of flags follows before EFLAGS change, but for what can keep them.
void mark_keepers(std::span<Inst> insts) {
  bool wanted = false;
  for (size_t i = insts.size(); i-- > 0;) {
    Inst& inst = insts[i];
    const OpcodeInfo& op = info(inst.op);
    if (can_keep_eflags(inst)) {
      inst.keep_eflags |= wanted;
    } else if (op.flags_read() & kNzcv) {
      wanted = true;
    } else if ((op.flags_written() & kNzcv) && inst.op != Opcode::SetC) {
      wanted = false;
    } else if (!(op.attributes & (K | M)) && inst.op != Opcode::Label) {
      wanted = false;
    }
  }
}

}  // namespace

void use_eflags(Block& block) {
  mark_keepers(block.insts);
  EflagsForm form = EflagsForm::None;
  FormsAtLabels at_labels;
  Value compared;  // of FP, whose EFLAGS are still there
  for (uint32_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    const uint32_t attributes = info(inst.op).attributes;
    const bool keeps = (attributes & K) || inst.keep_eflags ||
                       ((attributes & A) && block.accesses_keep_eflags && access_keeps_eflags(inst));
    if (!keeps) compared = {};
    switch (inst.op) {
      case Opcode::SkipUnless:
      case Opcode::Select:
      case Opcode::TestCond:  // they keep EFLAGS, where a test need not be made first
        inst.from_eflags = answers(form, inst.imm & 15);
        if (!inst.from_eflags) form = EflagsForm::None;
        if (inst.op == Opcode::SkipUnless) at_labels.skipped(inst.aux, form);
        continue;
      case Opcode::SkipIfZero:
      case Opcode::SkipIfNotZero: at_labels.skipped(inst.aux, EflagsForm::None); break;
      case Opcode::Label: form = at_labels.at(inst.imm, form); continue;
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
