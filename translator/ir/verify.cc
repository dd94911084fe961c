// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>

#include "translator/ir/ir.h"

namespace crosswalk::ir {
namespace {

std::string at(size_t i, const Inst& inst, const char* what) {
  return "%" + std::to_string(i) + " " + info(inst.op).name + ": " + what;
}

}  // namespace

std::string verify(const Block& block) {
  // scope[i]: the innermost open label when value i was defined; a value is visible while that
  // label is still open.
  std::vector<uint32_t> skipped_from(block.label_count, UINT32_MAX);
  std::vector<bool> placed(block.label_count, false);
  std::vector<bool> dead(block.insts.size(), false);
  for (size_t i = 0; i < block.insts.size(); i++) {
    const Inst& inst = block.insts[i];
    if (inst.op >= Opcode::Count) return "%" + std::to_string(i) + ": no such opcode";
    const OpcodeInfo& op = info(inst.op);
    for (int a = 0; a < 4; a++) {
      const Value v = inst.args[a];
      if (a >= op.arg_count) {
        if (!v.is_none()) return at(i, inst, "too many arguments");
        continue;
      }
      if (v.is_none()) return at(i, inst, "missing argument");
      if (v.is_imm()) {
        if (op.args[a] != Type::I32 && op.args[a] != Type::I64) return at(i, inst, "constant for a SIMD argument");
        if (op.args[a] == Type::I32 && v.imm64() > UINT32_MAX) return at(i, inst, "constant wider than 32 bits");
        continue;
      }
      if (v.index() >= i) return at(i, inst, "use before definition");
      if (info(block.insts[v.index()].op).result != op.args[a]) return at(i, inst, "argument of the wrong type");
      if (dead[v.index()]) return at(i, inst, "use after the label of a skip over the definition");
    }
    switch (inst.op) {
      case Opcode::SkipUnless:
      case Opcode::SkipIfZero:
      case Opcode::SkipIfNotZero:
        if (inst.aux >= block.label_count || placed[inst.aux]) return at(i, inst, "skips to no later label");
        if (skipped_from[inst.aux] == UINT32_MAX) skipped_from[inst.aux] = static_cast<uint32_t>(i);
        break;
      case Opcode::Label:
        if (inst.imm >= block.label_count || placed[inst.imm]) return at(i, inst, "label placed twice or unknown");
        if (skipped_from[inst.imm] == UINT32_MAX) return at(i, inst, "label that nothing skips to");
        placed[inst.imm] = true;
        for (size_t j = skipped_from[inst.imm]; j < i; j++) dead[j] = true;
        break;
      default: break;
    }
    if (inst.guest >= block.guest.size() && !block.guest.empty()) return at(i, inst, "no such guest instruction");
  }
  for (uint32_t l = 0; l < block.label_count; l++)
    if (skipped_from[l] != UINT32_MAX && !placed[l]) return "label " + std::to_string(l) + " is never placed";
  if (block.insts.empty() || !(info(block.insts.back().op).attributes & E))
    return "the block does not end with a control instruction";
  return {};
}

std::string print(const Block& block) {
  std::string s;
  char buf[96];
  uint16_t guest = UINT16_MAX;
  for (size_t i = 0; i < block.insts.size(); i++) {
    const Inst& inst = block.insts[i];
    const OpcodeInfo& op = info(inst.op);
    if (inst.guest != guest && inst.guest < block.guest.size()) {
      guest = inst.guest;
      const GuestInst& g = block.guest[guest];
      std::snprintf(buf, sizeof buf, "; %08x: %0*x\n", g.pc, g.bytes * 2, g.word);
      s += buf;
    }
    if (op.result != Type::Void) {
      std::snprintf(buf, sizeof buf, "  %%%zu = ", i);
      s += buf;
    } else {
      s += "  ";
    }
    s += op.name;
    if (op.has_imm) {
      std::snprintf(buf, sizeof buf, " #%#x", inst.imm);
      s += buf;
    }
    for (int a = 0; a < op.arg_count; a++) {
      const Value v = inst.args[a];
      if (v.is_imm())
        std::snprintf(buf, sizeof buf, " $%#llx", static_cast<unsigned long long>(v.imm64()));
      else if (v.is_inst())
        std::snprintf(buf, sizeof buf, " %%%u", v.index());
      else
        std::snprintf(buf, sizeof buf, " -");
      s += buf;
    }
    if (inst.aux) {
      std::snprintf(buf, sizeof buf, " aux=%#llx", static_cast<unsigned long long>(inst.aux));
      s += buf;
    }
    if (op.attributes & W) {
      std::snprintf(buf, sizeof buf, " live=%x", inst.flags_live);
      s += buf;
    }
    s += '\n';
  }
  return s;
}

}  // namespace crosswalk::ir
