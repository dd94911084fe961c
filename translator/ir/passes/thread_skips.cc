// SPDX-License-Identifier: GPL-2.0-or-later
// Compares under a condition, and the branch behind them: `CMP; CMPEQ; BNE`. Where the second
// compare is skipped, it is known what the branch does.
#include <algorithm>
#include <span>

#include "translator/ir/ir.h"
#include "translator/ir/passes/flags.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

// The label that instruction `i` skips to.
size_t end_of_skip(const std::vector<Inst>& insts, size_t i) {
  const uint64_t label = insts[i].aux;
  while (insts[++i].op != Opcode::Label || insts[i].imm != label) {
  }
  return i;
}
// Whether nothing between may leave the block, or is a skip itself.
bool is_simple(std::span<const Inst> skipped) {
  return std::ranges::none_of(skipped, [](const Inst& inst) { return info(inst.op).attributes & (F | M | C | X | J); });
}

bool is_branch(const Inst& inst) {
  return inst.op == Opcode::JumpIf || (inst.op == Opcode::SkipUnless && (inst.imm & kBranch));
}

// Where a skip leads to another that does nothing then, it goes on behind that: `STRHI; STRLS`.
bool pass_next_skip(std::vector<Inst>& insts, size_t skip, size_t label) {
  if (label + 1 == insts.size()) return false;
  Inst& next = insts[label + 1];
  if (next.op != Opcode::SkipUnless || (next.imm & kBranch) || !implies(insts[skip].imm ^ 1, next.imm)) return false;
  const auto shares_label = [&](const Inst& inst) { return skips(inst.op) && inst.aux == insts[label].imm; };
  if (std::ranges::count_if(insts, shares_label) != 1) return false;
  insts[label].guest = next.guest;
  std::swap(insts[label], next);
  return true;
}

bool writes_register(const Inst& inst) { return inst.op == Opcode::SetReg || inst.op == Opcode::SetUserReg; }

// Whether a region that only reads registers and sets flags may go down over an instruction.
bool lets_pass(const Inst& inst, std::span<const Inst> region) {
  const OpcodeInfo& op = info(inst.op);
  if (((op.flags_read() | op.flags_written()) & kNzcv) || (op.attributes & (F | M | C | X | J))) return false;
  const auto reads_it = [&](const Inst& r) { return r.op == Opcode::GetReg && r.imm == inst.imm; };
  return !writes_register(inst) || std::ranges::none_of(region, reads_it);
}
bool may_move(const Inst& inst) {
  return inst.op == Opcode::GetReg || (info(inst.op).attributes & P) || (info(inst.op).flags_written() & kNzcv) ||
         inst.op == Opcode::SkipUnless || inst.op == Opcode::Label;
}

// The branch behind a label, where what is skipped may move down to it. Otherwise 0.
size_t branch_behind(const std::vector<Inst>& insts, size_t skip, size_t label) {
  size_t b = label + 1;
  const std::span region(insts.begin() + static_cast<ptrdiff_t>(skip), insts.begin() + static_cast<ptrdiff_t>(b));
  while (b < insts.size() && lets_pass(insts[b], region)) b++;
  if (b == insts.size() || !is_branch(insts[b])) return 0;
  return b == label + 1 || std::ranges::all_of(region, may_move) ? b : 0;
}

}  // namespace

void thread_skips(Block& block) {
  if (block.label_count == 0) return;
  auto& insts = block.insts;
  for (size_t i = insts.size(); i-- > 0;) {  // so that a skip to a skip to a branch follows, too
    if (insts[i].op != Opcode::SkipUnless || (insts[i].imm & kBranch)) continue;
    const size_t l = end_of_skip(insts, i);
    if (insts[l].aux != 0 || pass_next_skip(insts, i, l)) continue;
    const size_t b = branch_behind(insts, i, l);
    if (b == 0 || !is_simple({&insts[i] + 1, &insts[l]})) continue;
    Inst& branch = insts[b];
    // Arm conditions come in complementary pairs.
    const uint32_t unless = insts[i].imm, skipped = unless ^ 1;
    const uint32_t taken = branch.op == Opcode::JumpIf ? branch.imm : (branch.imm & 15) ^ 1;
    const auto shares_label = [&](const Inst& inst) { return skips(inst.op) && inst.aux == insts[l].imm; };
    const bool not_taken = implies(skipped, taken ^ 1);
    if (!not_taken && (!implies(skipped, taken) || std::ranges::count_if(insts, shares_label) != 1)) continue;
    rotate(insts, i, l + 1, b);
    Inst &skip = insts[i + (b - l - 1)], &label = insts[b - 1];
    if (not_taken) {
      label.guest = branch.guest;
      std::swap(label, branch);
      continue;
    }
    // It belongs to the guest's branch: how many instructions were executed then, and where from.
    skip = branch;
    skip.imm = branch.op == Opcode::JumpIf ? skipped : unless | kBranch;
    make_unused(label);
  }
}

}  // namespace crosswalk::ir
