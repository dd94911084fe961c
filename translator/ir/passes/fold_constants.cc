// SPDX-License-Identifier: GPL-2.0-or-later
// Constant folding and algebraic identities.
#include <bit>

#include "translator/ir/passes/forward.h"

namespace crosswalk::ir {
namespace {

uint32_t ror(uint32_t v, uint32_t n) { return std::rotr(v, static_cast<int>(n & 31)); }

// The value of a pure instruction whose arguments are all constants, or none.
Value evaluate(const Inst& inst) {
  const auto a = [&](int i) { return inst.args[i].imm32(); };
  const auto imm = [](uint32_t v) { return Value::imm(v); };
  switch (inst.op) {
    case Opcode::Add: return imm(a(0) + a(1));
    case Opcode::Sub: return imm(a(0) - a(1));
    case Opcode::And: return imm(a(0) & a(1));
    case Opcode::Or: return imm(a(0) | a(1));
    case Opcode::Xor: return imm(a(0) ^ a(1));
    case Opcode::AndNot: return imm(a(0) & ~a(1));
    case Opcode::Not: return imm(~a(0));
    case Opcode::Neg: return imm(0 - a(0));
    case Opcode::Mul: return imm(a(0) * a(1));
    case Opcode::Lsl: return imm(a(0) << inst.imm);
    case Opcode::Lsr: return imm(a(0) >> inst.imm);
    case Opcode::Asr: return imm(static_cast<uint32_t>(static_cast<int32_t>(a(0)) >> inst.imm));
    case Opcode::Ror: return imm(ror(a(0), inst.imm));
    case Opcode::Bit: return imm(a(0) >> inst.imm & 1);
    case Opcode::Sxtb: return imm(static_cast<uint32_t>(static_cast<int8_t>(a(0))));
    case Opcode::Sxth: return imm(static_cast<uint32_t>(static_cast<int16_t>(a(0))));
    case Opcode::Uxtb: return imm(a(0) & 0xff);
    case Opcode::Uxth: return imm(a(0) & 0xffff);
    case Opcode::Rev: return imm(__builtin_bswap32(a(0)));
    case Opcode::Pack: return Value::imm(static_cast<uint64_t>(a(1)) << 32 | a(0));
    default: return {};
  }
}

// x op identity == x.
Value simplify(const Inst& inst) {
  const Value a = inst.args[0], b = inst.args[1];
  const bool zero = b.is_imm() && b.imm64() == 0;
  switch (inst.op) {
    case Opcode::Add:
      if (a.is_imm() && a.imm32() == 0) return b;
      [[fallthrough]];
    case Opcode::Sub:
    case Opcode::Or:
    case Opcode::Xor:
    case Opcode::AndNot: return zero ? a : Value();
    case Opcode::And: return b.is_imm() && b.imm32() == UINT32_MAX ? a : Value();
    case Opcode::Lsl:
    case Opcode::Lsr:
    case Opcode::Asr:
    case Opcode::Ror: return inst.imm == 0 ? a : Value();
    default: return {};
  }
}

// A guest address and a constant are another guest address.
void fold_guest_address(const Block& block, Inst& inst) {
  if ((inst.op != Opcode::Add && inst.op != Opcode::Sub) || !inst.args[0].is_inst() || !inst.args[1].is_imm()) return;
  const Inst& address = block.insts[inst.args[0].index()];
  if (address.op != Opcode::GuestAddress) return;
  const uint32_t distance = inst.args[1].imm32();
  inst.imm = inst.op == Opcode::Add ? address.imm + distance : address.imm - distance;
  inst.op = Opcode::GuestAddress;
  inst.args[0] = inst.args[1] = {};
}

}  // namespace

Value fold_constants(const Block& block, Inst& inst, bool constant) {
  const Value v = constant ? evaluate(inst) : simplify(inst);
  if (v.is_none()) fold_guest_address(block, inst);
  return v;
}

}  // namespace crosswalk::ir
