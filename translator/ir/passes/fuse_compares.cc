// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <iterator>
#include <optional>

#include "translator/ir/ir.h"
#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

// Whether the block sets all of NZCV before anything reads them, may fault, or leaves.
bool begins_with_flags(const Block& block) {
  uint32_t set = 0;
  for (const Inst& inst : block.insts) {
    const OpcodeInfo& op = info(inst.op);
    if (op.flags_read() || (op.attributes & (F | X | J)) || is_impure_call(op.attributes)) return false;
    set |= op.flags_written();
    if ((set & kNzcv) == kNzcv) return true;
  }
  return false;
}

}  // namespace

void fuse_compares(Block& block) {
  const uint32_t start = block.pc | block.thumb;
  const bool one_page = ((block.end_pc - 1) ^ block.pc) >> 12 == 0;  // else its entry may be left
  std::optional<bool> loops;
  for (size_t j = 1; j < block.insts.size(); j++) {
    Inst& jump = block.insts[j];
    if (jump.op != Opcode::JumpIf) continue;
    const auto target = static_cast<uint32_t>(jump.aux);
    const bool back = (target & ~1u) < block.end_pc;
    if (back && (target != start || !one_page)) continue;
    if (back && !loops) loops = begins_with_flags(block);
    if (back && !*loops) continue;
    size_t i = j - 1;
    while (i > 0 && (info(block.insts[i].op).attributes & K) && !info(block.insts[i].op).flags_written()) i--;
    Inst& compare = block.insts[i];
    if (compare.op != Opcode::SubS || compare.args[0].is_imm()) continue;
    const auto used = [&](const Inst& inst) {
      return std::ranges::find(inst.args, Value::inst(static_cast<uint32_t>(i))) != std::end(inst.args);
    };
    if (std::any_of(block.insts.begin() + static_cast<ptrdiff_t>(i), block.insts.end(), used)) continue;
    // Its operands would have to be kept elsewhere.
    const auto overwrites = [&](const Inst& inst) {
      return (inst.op == Opcode::SetReg || inst.op == Opcode::SetUserReg) &&
             std::ranges::any_of(compare.args, [&](Value v) {
               return v.is_inst() && block.insts[v.index()].op == Opcode::GetReg &&
                      block.insts[v.index()].imm == inst.imm;
             });
    };
    if (std::any_of(block.insts.begin() + static_cast<ptrdiff_t>(i), block.insts.begin() + static_cast<ptrdiff_t>(j),
                    overwrites))
      continue;
    jump.op = Opcode::JumpIfCompare;
    jump.imm |= back ? kFlagsAreSetAgain : 0;
    jump.args[0] = compare.args[0];
    jump.args[1] = compare.args[1];
    make_unused(compare);
  }
}

}  // namespace crosswalk::ir
