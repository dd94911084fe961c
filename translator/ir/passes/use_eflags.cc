// SPDX-License-Identifier: GPL-2.0-or-later
// The same that x64/guest_flags.h does while it emits: what EFLAGS hold, of what is certain before.
#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"
#include "translator/ir/passes/flags.h"

namespace crosswalk::ir {
namespace {

// Of the first few labels, by number; of others nothing is known.
class EflagsAtLabels {
 public:
  void skipped(uint64_t label, EflagsForm form) {
    if (label < kMost) labels_[label].skipped(form);
  }
  EflagsForm joined(uint64_t label, EflagsForm before) const {
    return label < kMost ? labels_[label].joined(before) : EflagsForm::None;
  }

 private:
  static constexpr size_t kMost = 16;
  EflagsAtLabel labels_[kMost];
};

bool access_keeps_eflags(const Inst& inst) {
  const MemAccess m = MemAccess::unpack(inst.imm);
  return m.align_log2 == 0 && !m.unprivileged && !m.out_of_line;
}

}  // namespace

void use_eflags(Block& block) {
  EflagsForm form = EflagsForm::None;
  EflagsAtLabels at_labels;
  Value compared;  // of FP, whose EFLAGS are still there
  // Since then, what can keep EFLAGS is taken to do so, and must if anything reads them.
  uint32_t kept_since = 0;
  uint32_t shareable = 0;  // for share_conditions()
  const auto n = static_cast<uint32_t>(block.insts.size());
  const auto read_at = [&](uint32_t i) {
    for (uint32_t k = kept_since; k < i; k++) block.insts[k].keep_eflags |= can_keep_eflags(block.insts[k]);
    kept_since = i;
  };
  for (uint32_t i = 0; i < n; i++) {
    Inst& inst = block.insts[i];
    const uint32_t attributes = info(inst.op).attributes;
    constexpr uint32_t kFlags = R | W;
    if ((attributes & (K | kFlags)) == K) continue;
    if (form == EflagsForm::None && compared.is_none() && !(attributes & (kFlags | J)) &&
        inst.op != Opcode::FpCompare32 && inst.op != Opcode::FpCompare64)
      continue;
    const bool keeps =
        (attributes & K) || can_keep_eflags(inst) || ((attributes & A) && block.in_window && access_keeps_eflags(inst));
    if (!keeps) compared = {};
    switch (inst.op) {
      case Opcode::SkipUnless:
      case Opcode::Select:
      case Opcode::TestCond:  // they keep EFLAGS, where a test need not be made first
        inst.from_eflags = answers(form, inst.imm & 15);
        if (inst.from_eflags)
          read_at(i);
        else
          form = EflagsForm::None;
        shareable += !inst.from_eflags && is_of_several_flags(inst.imm & 15);
        if (inst.op == Opcode::SkipUnless) at_labels.skipped(inst.aux, form);
        continue;
      case Opcode::JumpIf:  // the flags are stored for where it goes
        if (answers(form, inst.imm)) read_at(i);
        break;
      case Opcode::SkipIfZero:
      case Opcode::SkipIfNotZero: at_labels.skipped(inst.aux, EflagsForm::None); break;
      case Opcode::Label: form = at_labels.joined(inst.imm, form); continue;
      case Opcode::Adc:
      case Opcode::AdcS:
      case Opcode::Sbc:
      case Opcode::SbcS:
      case Opcode::Rrx:
        inst.from_eflags = holds_carry(form);
        if (inst.from_eflags) read_at(i);
        break;
      case Opcode::SetC:
        if (form != EflagsForm::None) form = EflagsForm::Logic;
        continue;
      case Opcode::FpCompare32:
      case Opcode::FpCompare64: compared = Value::inst(i); break;
      case Opcode::SetNZCV:
        inst.from_eflags = !compared.is_none() && inst.args[0] == compared;
        if (inst.from_eflags) read_at(i);
        break;
      default: break;
    }
    if (const EflagsForm after = eflags_after(inst); after != EflagsForm::None)
      form = after;
    else if (!keeps || inst.op == Opcode::SetNZCV)
      form = EflagsForm::None;
  }
  if (shareable >= 2) share_conditions(block);
}

}  // namespace crosswalk::ir
