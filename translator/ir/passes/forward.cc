// SPDX-License-Identifier: GPL-2.0-or-later
// The walk from the front: what an earlier instruction makes unnecessary. What is replaced goes at
// once; what that leaves unused is remove_dead's.
#include <algorithm>
#include <span>

#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

constexpr uint32_t kGe = 15;

// Add of Lsl by 1 to 3 becomes AddShifted.
void fold_shift(const Block& block, Inst& inst) {
  for (const int shifted : {1, 0}) {
    if (!inst.args[shifted].is_inst()) continue;
    const Inst& shift = block.insts[inst.args[shifted].index()];
    if (shift.op != Opcode::Lsl || shift.imm < 1 || shift.imm > 3 || !shift.args[0].is_inst()) continue;
    inst.op = Opcode::AddShifted;
    inst.imm = shift.imm;
    inst.args[0] = inst.args[1 - shifted];
    inst.args[1] = shift.args[0];
    return;
  }
}

// Load/Store of Add(x, constant) becomes Load/Store of x with a displacement within ±`limit`. In a
// window, not where a guest register, of `known`, is that sum now: x would have to be kept for it.
// Elsewhere accesses through one x share a lookup.
void fold_address(const Block& block, std::span<const Value> known, Inst& inst, int32_t limit) {
  while (inst.args[0].is_inst()) {
    const Inst& add = block.insts[inst.args[0].index()];
    if ((add.op != Opcode::Add && add.op != Opcode::Sub) || !add.args[1].is_imm()) return;
    const int64_t constant = static_cast<int32_t>(add.args[1].imm32());
    const int64_t displacement = static_cast<int32_t>(inst.aux) + (add.op == Opcode::Add ? constant : -constant);
    if (displacement > limit || displacement < -limit) return;
    if (block.in_window && std::ranges::find(known, inst.args[0]) != known.end()) return;
    inst.aux = static_cast<uint32_t>(displacement);
    inst.args[0] = add.args[0];
  }
}

}  // namespace

void forward(Block& block, int32_t limit) {
  const size_t n = block.insts.size();
  Inst* const insts = block.insts.data();
  auto& replacement = block.replacement;  // by instruction: a value, or the instruction at its new place
  replacement.resize(n);
  Value known[16];  // R0-R14, GE
  KnownVectors vectors;
  uint32_t out = 0;
  for (size_t i = 0; i < n; i++) {
    if (out != i) copy_inst(insts[out], insts[i]);
    Inst& inst = insts[out];
    bool constant = !inst.args[0].is_none();
    for (Value& v : inst.args) {
      if (v.is_none()) break;
      if (v.is_inst()) v = replacement[v.index()];
      constant &= v.is_imm();
    }
    replacement[i] = Value::inst(out);
    switch (inst.op) {
      case Opcode::GetReg:
      case Opcode::GetGe: {
        Value& v = known[inst.op == Opcode::GetGe ? kGe : inst.imm];
        if (v.is_none())
          v = Value::inst(out++);
        else
          replacement[i] = v;
        continue;
      }
      case Opcode::SetReg: known[inst.imm] = inst.args[0], out++; continue;
      case Opcode::SetGe: known[kGe] = inst.args[0], out++; continue;
      case Opcode::SetUserReg: known[inst.imm] = Value(), out++; continue;  // the current mode may share it
      case Opcode::SetS:
      case Opcode::SetD:
      case Opcode::SetQ: vectors.written(inst), out++; continue;
      case Opcode::GetS:
      case Opcode::GetD:
      case Opcode::GetQ:
        if (const Value v = vectors.read(inst, out); v.is_none())
          out++;
        else
          replacement[i] = v;
        continue;
      default: break;
    }
    const uint32_t attributes = info(inst.op).attributes;
    if (attributes & P) {
      if (const Value v = fold_constants(block, inst, constant); !v.is_none()) {
        replacement[i] = v;
        continue;
      }
      if (inst.op == Opcode::Add) fold_shift(block, inst);
    }
    out++;
    if (attributes & A) fold_address(block, known, inst, limit);
    // Values defined inside a skipped region die at its label, and so does what was known of
    // registers written there; what was known before the region is only lost when the region writes
    // the register.
    if ((attributes & J) || (is_impure_call(attributes) && !(inst.imm & kCallNoRegs)))
      for (Value& v : known) v = Value();
    // The same. A call may change them, and values across calls cost spills.
    if (attributes & (J | C)) vectors.forget_all();
  }
  block.insts.resize(out);
}

}  // namespace crosswalk::ir
