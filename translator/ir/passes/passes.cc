// SPDX-License-Identifier: GPL-2.0-or-later
// The small passes; see ir.h for what each promises.
#include "translator/ir/ir.h"

namespace crosswalk::ir {

void count_uses(Block& block) {
  for (Inst& inst : block.insts) inst.uses = 0;
  for (const Inst& inst : block.insts)
    for (const Value v : inst.args)
      if (v.is_inst()) block.insts[v.index()].uses++;
}

void forward_registers(Block& block) {
  auto& replacement = block.replacement;
  replacement.assign(block.insts.size(), {});
  Value known[15];
  const auto forget = [&] {
    for (Value& v : known) v = Value();
  };
  // Values defined inside a skipped region die at its label, and so does what was known of registers written there;
  // what was known before the region is only lost when the region writes the register.
  for (size_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    for (Value& v : inst.args)
      if (v.is_inst() && !replacement[v.index()].is_none()) v = replacement[v.index()];
    switch (inst.op) {
      case Opcode::GetReg:
        if (!known[inst.imm].is_none())
          replacement[i] = known[inst.imm];
        else
          known[inst.imm] = Value::inst(static_cast<uint32_t>(i));
        break;
      case Opcode::SetReg: known[inst.imm] = inst.args[0]; break;
      case Opcode::Call:
      case Opcode::Call64:
        if (!(inst.imm & kCallNoRegs)) forget();
        break;
      case Opcode::SkipUnless:
      case Opcode::SkipIfZero:
      case Opcode::Label: forget(); break;
      default: break;
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
    switch (inst.op) {
      case Opcode::Load:
      case Opcode::Load64:
      case Opcode::LoadX32:
      case Opcode::LoadX64:
      case Opcode::LoadX128:
      case Opcode::Store:
      case Opcode::Store64:
      case Opcode::StoreX32:
      case Opcode::StoreX64:
      case Opcode::StoreX128: break;
      default: continue;
    }
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

void flag_liveness(Block& block) {
  uint8_t live = 7;
  for (size_t i = block.insts.size(); i-- > 0;) {
    Inst& inst = block.insts[i];
    const uint16_t attributes = info(inst.op).attributes;
    if (attributes & W) {
      switch (inst.op) {
        case Opcode::AddS:
        case Opcode::SubS:
        case Opcode::AdcS:
        case Opcode::SbcS:
        case Opcode::SetNZCV:
          inst.flags_live = live;
          live = 0;
          break;
        case Opcode::SetNZ:
        case Opcode::SetNZ64:
          inst.flags_live = live & 1;
          live &= ~1;
          break;
        case Opcode::SetC:
          inst.flags_live = live & 2;
          live &= ~2;
          break;
        default:  // calls, and opcodes of the other tables: conservatively all
          inst.flags_live = 7;
          break;
      }
    }
    const bool blind_call = (inst.op == Opcode::Call || inst.op == Opcode::Call64) && (inst.imm & kCallNoFlags) &&
                            !(inst.imm & kCallMayExit);
    if (((attributes & (R | X)) || (attributes & F)) && !blind_call) live = 7;
  }
}

void set_out_of_line(Block& block, uint16_t guest) {
  for (Inst& inst : block.insts) {
    if (inst.guest != guest || !(info(inst.op).attributes & F) || (info(inst.op).attributes & C)) continue;
    MemAccess m = MemAccess::unpack(inst.imm);
    m.out_of_line = true;
    inst.imm = m.pack();
  }
}

void remove_dead(Block& block) {
  count_uses(block);
  // By instruction, its new number; none: deleted. What a deleted instruction used is used once less.
  auto& renumbered = block.replacement;
  renumbered.assign(block.insts.size(), Value::inst(0));
  for (size_t i = block.insts.size(); i-- > 0;) {
    const Inst& inst = block.insts[i];
    if (inst.uses != 0) continue;
    bool removable = info(inst.op).attributes & P;
    switch (inst.op) {
      case Opcode::GetReg:
      case Opcode::GetS:
      case Opcode::GetD:
      case Opcode::GetQ:
      case Opcode::LoadState8:
      case Opcode::LoadState32:
      case Opcode::LoadState64:
      case Opcode::GetC:
      case Opcode::GetNZCV:
      case Opcode::TestCond:
      case Opcode::Select:
      case Opcode::Rrx:
      case Opcode::Adc:
      case Opcode::Sbc: removable = true; break;
      case Opcode::SetNZ:
      case Opcode::SetNZ64:
      case Opcode::SetC:
      case Opcode::SetNZCV: removable = inst.flags_live == 0; break;
      default: break;
    }
    if (!removable) continue;
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

}  // namespace crosswalk::ir
