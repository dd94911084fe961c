// SPDX-License-Identifier: GPL-2.0-or-later
// The small passes; see ir.h for what each promises.
#include <algorithm>
#include <iterator>

#include "translator/ir/ir.h"

namespace crosswalk::ir {
namespace {

bool is_impure_call(uint32_t attributes) { return (attributes & (C | P)) == C; }

}  // namespace

void count_uses(Block& block) {
  for (Inst& inst : block.insts) inst.uses = 0;
  for (const Inst& inst : block.insts)
    for (const Value v : inst.args)
      if (v.is_inst()) block.insts[v.index()].uses++;
}

void forward_registers(Block& block) {
  auto& replacement = block.replacement;
  replacement.assign(block.insts.size(), {});
  constexpr uint32_t kGe = 15;
  Value known[16];  // R0-R14, GE
  // Values defined inside a skipped region die at its label, and so does what was known of
  // registers written there; what was known before the region is only lost when the region writes
  // the register.
  for (size_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    for (Value& v : inst.args)
      if (v.is_inst() && !replacement[v.index()].is_none()) v = replacement[v.index()];
    const uint32_t attributes = info(inst.op).attributes;
    if (inst.op == Opcode::GetReg || inst.op == Opcode::GetGe) {
      Value& v = known[inst.op == Opcode::GetGe ? kGe : inst.imm];
      if (v.is_none()) {
        v = Value::inst(static_cast<uint32_t>(i));
        continue;
      }
      replacement[i] = v;
      // Unused now, and in the way of what looks for reads of registers and GE: a read of neither.
      inst.op = Opcode::LoadState8;
      inst.imm = 0;
    } else if (inst.op == Opcode::SetReg) {
      known[inst.imm] = inst.args[0];
    } else if (inst.op == Opcode::SetGe) {
      known[kGe] = inst.args[0];
    } else if (inst.op == Opcode::SetUserReg) {  // the current mode may share it
      known[inst.imm] = Value();
    } else if ((attributes & J) || (is_impure_call(attributes) && !(inst.imm & kCallNoRegs))) {
      for (Value& v : known) v = Value();
    }
  }
}

void fold_shifts(Block& block) {
  for (Inst& inst : block.insts) {
    if (inst.op != Opcode::Add) continue;
    for (const int shifted : {1, 0}) {
      if (!inst.args[shifted].is_inst()) continue;
      const Inst& shift = block.insts[inst.args[shifted].index()];
      if (shift.op != Opcode::Lsl || shift.imm < 1 || shift.imm > 3 || !shift.args[0].is_inst()) continue;
      inst.op = Opcode::AddShifted;
      inst.imm = shift.imm;
      inst.args[0] = inst.args[1 - shifted];
      inst.args[1] = shift.args[0];
      break;
    }
  }
}

void fold_addresses(Block& block, int32_t limit) {
  for (Inst& inst : block.insts) {
    if (!(info(inst.op).attributes & A)) continue;
    while (inst.args[0].is_inst()) {
      const Inst& add = block.insts[inst.args[0].index()];
      int64_t delta;
      if (add.op == Opcode::Add && add.args[1].is_imm())
        delta = static_cast<int32_t>(add.args[1].imm32());
      else if (add.op == Opcode::Sub && add.args[1].is_imm())
        delta = -static_cast<int64_t>(static_cast<int32_t>(add.args[1].imm32()));
      else
        break;
      const int64_t displacement = static_cast<int32_t>(inst.aux) + delta;
      if (displacement > limit || displacement < -limit) break;
      inst.aux = static_cast<uint32_t>(displacement);
      inst.args[0] = add.args[0];
    }
  }
}

namespace {

// The part of the SIMD registers that an instruction reads or writes: bit n is bytes 4n to 4n + 3.
uint64_t vector_words(const Inst& inst) {
  switch (inst.op) {
    case Opcode::GetS:
    case Opcode::SetS: return uint64_t{1} << inst.imm;
    case Opcode::GetD:
    case Opcode::SetD: return uint64_t{3} << 2 * inst.imm;
    case Opcode::GetQ:
    case Opcode::SetQ: return uint64_t{15} << 4 * inst.imm;
    default: return 0;
  }
}
bool writes_vector(Opcode op) { return op == Opcode::SetS || op == Opcode::SetD || op == Opcode::SetQ; }

// Makes a write of a register nothing.
void discard(Inst& inst) {
  inst.op = Opcode::LoadState8;  // unused
  inst.imm = 0;
  inst.args[0] = {};
}

}  // namespace

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
      return inst.op == Opcode::SetReg && std::ranges::any_of(compare.args, [&](Value v) {
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
    discard(compare);
    compare.args[1] = {};
  }
}

void flag_liveness(Block& block) {
  uint8_t live = kAllFlags;
  uint32_t overwritten = 0;          // bit n: register n is written again before anything can see it
  uint64_t overwritten_vectors = 0;  // the same of vector_words()
  for (size_t i = block.insts.size(); i-- > 0;) {
    Inst& inst = block.insts[i];
    const OpcodeInfo& op = info(inst.op);
    if (inst.op == Opcode::SetReg) {
      const uint32_t bit = 1u << inst.imm;
      if (overwritten & bit) discard(inst);
      overwritten |= bit;
      continue;
    }
    if (const uint64_t words = vector_words(inst)) {
      if (!writes_vector(inst.op)) {
        overwritten_vectors &= ~words;
      } else if ((overwritten_vectors & words) == words) {
        discard(inst);
      } else {
        overwritten_vectors |= words;
      }
      continue;
    }
    if (inst.op == Opcode::GetReg || inst.op == Opcode::GetUserReg || inst.op == Opcode::SetUserReg)
      overwritten &= ~(1u << inst.imm);
    if ((op.attributes & (F | X | J)) || is_impure_call(op.attributes)) overwritten = 0, overwritten_vectors = 0;
    if (is_impure_call(op.attributes)) {
      inst.flags_live = kAllFlags;
      // It writes flags at most, and reads them unless it promises that neither it nor an exit
      // does.
      if ((inst.imm & (kCallNoFlags | kCallMayExit)) != kCallNoFlags) live = kAllFlags;
      continue;
    }
    if (op.flags_written()) inst.flags_live = live & op.flags_written();
    if (inst.op == Opcode::JumpIfCompare) {  // it leaves with the flags that it sets
      live = kAllFlags & ~op.flags_written();
      continue;
    }
    live = static_cast<uint8_t>((live & ~op.flags_written()) | op.flags_read());
    if (op.attributes & (F | X | J)) live = kAllFlags;
  }
}

void set_out_of_line(Block& block, uint16_t guest) {
  for (Inst& inst : block.insts) {
    if (inst.guest != guest || !(info(inst.op).attributes & M)) continue;
    MemAccess m = MemAccess::unpack(inst.imm);
    m.out_of_line = true;
    inst.imm = m.pack();
  }
}

void remove_dead(Block& block) {
  count_uses(block);
  // By instruction, its new number; none: deleted. What a deleted instruction used is used once
  // less.
  auto& renumbered = block.replacement;
  renumbered.assign(block.insts.size(), Value::inst(0));
  for (size_t i = block.insts.size(); i-- > 0;) {
    const Inst& inst = block.insts[i];
    if (inst.uses != 0) continue;
    const OpcodeInfo& op = info(inst.op);
    if (!(op.attributes & (P | D)) || (inst.flags_live & op.flags_written())) continue;
    renumbered[i] = {};
    for (const Value v : inst.args)
      if (v.is_inst()) block.insts[v.index()].uses--;
  }
  size_t out = 0;
  for (size_t i = 0; i < block.insts.size(); i++) {
    if (renumbered[i].is_none()) continue;
    Inst& inst = block.insts[out];
    if (out != i) inst = block.insts[i];
    for (Value& v : inst.args)
      if (v.is_inst()) v = renumbered[v.index()];
    renumbered[i] = Value::inst(static_cast<uint32_t>(out++));
  }
  block.insts.resize(out);
}

std::span<const Pass> passes() {
  static constexpr Pass kPasses[] = {
      {"forward_registers", forward_registers},
      {"forward_vectors", forward_vectors},
      {"fold_constants", fold_constants},
      {"fold_shifts", fold_shifts},
      {"fold_addresses", [](Block& block) { fold_addresses(block, kMaxDisplacement); }},
      {"share_lookups", share_lookups, true},
      {"fuse_compares", fuse_compares, false, true},
      {"flag_liveness", flag_liveness},
      {"remove_dead", remove_dead},
  };
  return kPasses;
}

}  // namespace crosswalk::ir
