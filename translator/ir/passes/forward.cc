// SPDX-License-Identifier: GPL-2.0-or-later
// The walk from the front: what an earlier instruction makes unnecessary. Instructions stay in
// place, unused, for remove_dead.
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

// Load/Store of Add(x, constant) becomes Load/Store of x with a displacement within ±`limit`.
void fold_address(const Block& block, Inst& inst, int32_t limit) {
  while (inst.args[0].is_inst()) {
    const Inst& add = block.insts[inst.args[0].index()];
    if ((add.op != Opcode::Add && add.op != Opcode::Sub) || !add.args[1].is_imm()) return;
    const int64_t constant = static_cast<int32_t>(add.args[1].imm32());
    const int64_t displacement = static_cast<int32_t>(inst.aux) + (add.op == Opcode::Add ? constant : -constant);
    if (displacement > limit || displacement < -limit) return;
    inst.aux = static_cast<uint32_t>(displacement);
    inst.args[0] = add.args[0];
  }
}

}  // namespace

void forward(Block& block, int32_t limit) {
  auto& replacement = block.replacement;
  replacement.assign(block.insts.size(), {});
  Value known[16];  // R0-R14, GE
  KnownVectors vectors;
  for (uint32_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    bool constant = !inst.args[0].is_none();
    for (Value& v : inst.args) {
      if (v.is_none()) break;
      if (v.is_inst() && !replacement[v.index()].is_none()) v = replacement[v.index()];
      constant &= v.is_imm();
    }
    switch (inst.op) {
      case Opcode::GetReg:
      case Opcode::GetGe: {
        Value& v = known[inst.op == Opcode::GetGe ? kGe : inst.imm];
        if (v.is_none()) {
          v = Value::inst(i);
        } else {
          replacement[i] = v;
          make_unused(inst);
        }
        continue;
      }
      case Opcode::SetReg: known[inst.imm] = inst.args[0]; continue;
      case Opcode::SetGe: known[kGe] = inst.args[0]; continue;
      case Opcode::SetUserReg: known[inst.imm] = Value(); continue;  // the current mode may share it
      case Opcode::SetS:
      case Opcode::SetD:
      case Opcode::SetQ: vectors.written(inst); continue;
      case Opcode::GetS:
      case Opcode::GetD:
      case Opcode::GetQ:
        replacement[i] = vectors.read(inst, i);
        if (!replacement[i].is_none()) make_unused(inst);
        continue;
      default: break;
    }
    const uint32_t attributes = info(inst.op).attributes;
    if (attributes & P) {
      replacement[i] = fold_constants(block, inst, constant);
      if (inst.op == Opcode::Add && replacement[i].is_none()) fold_shift(block, inst);
    }
    if (attributes & A) fold_address(block, inst, limit);
    // Values defined inside a skipped region die at its label, and so does what was known of
    // registers written there; what was known before the region is only lost when the region writes
    // the register.
    if ((attributes & J) || (is_impure_call(attributes) && !(inst.imm & kCallNoRegs)))
      for (Value& v : known) v = Value();
    // The same. A call may change them, and values across calls cost spills.
    if (attributes & (J | C)) vectors.forget_all();
  }
}

}  // namespace crosswalk::ir
