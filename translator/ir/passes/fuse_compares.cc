// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <iterator>
#include <span>

#include "translator/ir/eflags.h"
#include "translator/ir/ir.h"
#include "translator/ir/passes/flags.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

// Whether the block sets all of NZCV before anything reads those that it found, may fault, or
// leaves.
bool begins_with_flags(const Block& block) {
  constexpr uint64_t kNone = UINT64_MAX;
  uint8_t set = 0, set_before_skip = 0;
  uint64_t label = kNone;  // that what is skipped ends with
  for (const Inst& inst : block.insts) {
    const uint32_t attributes = info(inst.op).attributes;
    if ((attributes & (F | X)) || is_impure_call(attributes) || (flags_read(inst) & kNzcv & ~set)) return false;
    if (inst.op == Opcode::Label) {
      if (inst.imm != label) return false;
      set = set_before_skip;  // what is skipped may not have been executed
      label = kNone;
    } else if (attributes & J) {
      if (label != kNone && label != inst.aux) return false;
      if (label == kNone) set_before_skip = set;
      label = inst.aux;
    }
    set |= info(inst.op).flags_written();
    if ((set & kNzcv) == kNzcv && label == kNone) return true;
  }
  return false;
}

// A compare may go down over such an instruction, if that does not change its operands.
bool lets_pass(const Inst& inst) {
  const OpcodeInfo& op = info(inst.op);
  return !((op.flags_read() | op.flags_written()) & kNzcv) && !(op.attributes & (F | M | C | X | J));
}
bool keeps_eflags(const Inst& inst) {
  return ((info(inst.op).attributes & K) && !info(inst.op).flags_written()) || can_keep_eflags(inst);
}

// The registers that the operands were read from are not written between: they would have to be
// kept elsewhere.
bool stay_in_place(const Block& block, std::span<const Value> operands, std::span<const Inst> between) {
  const auto overwrites = [&](const Inst& inst) {
    return (inst.op == Opcode::SetReg || inst.op == Opcode::SetUserReg) && std::ranges::any_of(operands, [&](Value v) {
             return v.is_inst() && block.insts[v.index()].op == Opcode::GetReg &&
                    block.insts[v.index()].imm == inst.imm;
           });
  };
  return std::ranges::none_of(between, overwrites);
}

// The instruction that decides jump or skip `j`, a SubS if it can be used; what is between may be
// passed.
struct Decider {
  size_t index;
  bool in_eflags = true;  // what is between keeps EFLAGS, or can
  std::span<Inst> between;
};
Decider decider_of(std::vector<Inst>& insts, size_t j) {
  Decider d{.index = j - 1, .between = {}};
  for (; d.index > 0 && lets_pass(insts[d.index]); d.index--) d.in_eflags &= keeps_eflags(insts[d.index]);
  d.between = std::span(insts).subspan(d.index + 1, j - d.index - 1);
  return d;
}
bool is_used(std::span<const Inst> insts, size_t index) {
  const Value v = Value::inst(static_cast<uint32_t>(index));
  return std::ranges::any_of(insts.subspan(index + 1),
                             [&](const Inst& inst) { return std::ranges::find(inst.args, v) != std::end(inst.args); });
}

// Makes a JumpIfCompare of a JumpIf, if the flags are of a SubS that may go down to it.
bool fuse(Block& block, size_t j) {
  const auto [i, in_eflags, between] = decider_of(block.insts, j);
  Inst &compare = block.insts[i], &jump = block.insts[j];
  if (compare.op != Opcode::SubS) return false;
  if (is_used(block.insts, i)) {
    if (!in_eflags || !stay_in_place(block, {&compare.args[1], 1}, between)) return false;
    for (Inst& inst : between) inst.keep_eflags |= can_keep_eflags(inst);
    jump.imm |= kOfDifference;
    jump.args[0] = Value::inst(static_cast<uint32_t>(i));
    jump.args[1] = compare.args[1];
  } else {
    if (compare.args[0].is_imm() || !stay_in_place(block, {compare.args, 2}, between)) return false;
    jump.args[0] = compare.args[0];
    jump.args[1] = compare.args[1];
    make_unused(compare);
  }
  jump.op = Opcode::JumpIfCompare;
  return true;
}

// The comparison that a skip tests goes down to it, where EFLAGS would be lost on the way.
void sink(Block& block, size_t j) {
  const auto [i, in_eflags, between] = decider_of(block.insts, j);
  const Inst& compare = block.insts[i];
  if (in_eflags || compare.op != Opcode::SubS || compare.args[0].is_imm() || is_used(block.insts, i)) return;
  if (stay_in_place(block, {compare.args, 2}, between)) rotate(block.insts, i, i + 1, j);
}

}  // namespace

void fuse_compares(Block& block) {
  const uint32_t start = block.pc | block.thumb;
  const bool one_page = ((block.end_pc - 1) ^ block.pc) >> 12 == 0;  // else its entry may be left
  const auto loops = [&](const Inst& inst) { return inst.op == Opcode::JumpIf && inst.aux == start; };
  const bool set_again = one_page && std::ranges::any_of(block.insts, loops) && begins_with_flags(block);
  for (size_t j = 1; j < block.insts.size(); j++) {
    Inst& jump = block.insts[j];
    if (jump.op == Opcode::SkipUnless) sink(block, j);
    if (jump.op != Opcode::JumpIf) continue;
    const bool back = (jump.aux & ~1u) < block.end_pc, loop = set_again && jump.aux == start;
    // Other jumps back are mostly taken, and store the flags then.
    if ((loop || !back) && fuse(block, j) && loop) jump.imm |= kFlagsAreSetAgain;
  }
}

}  // namespace crosswalk::ir
