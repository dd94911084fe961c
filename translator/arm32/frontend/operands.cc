// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/operands.h"

#include <bit>

namespace crosswalk::frontend {

ShiftedOperand shift_immediate(TranslateContext& t, Value v, uint32_t type, uint32_t imm5, bool want_carry) {
  ir::Builder& ir = t.ir;
  const auto carry = [&](uint32_t bit) { return want_carry ? ir.Bit(bit, v) : Value(); };
  switch (static_cast<Shift>(type)) {
    case Shift::LSL:
      if (imm5 == 0) return {v, {}};
      return {ir.Lsl(imm5, v), carry(32 - imm5)};
    case Shift::LSR:
      if (imm5 == 0) return {imm32(0), carry(31)};
      return {ir.Lsr(imm5, v), carry(imm5 - 1)};
    case Shift::ASR:
      if (imm5 == 0) return {ir.Asr(31, v), carry(31)};
      return {ir.Asr(imm5, v), carry(imm5 - 1)};
    case Shift::ROR:
      if (imm5 == 0) return {ir.Rrx(v), carry(0)};
      return {ir.Ror(imm5, v), carry(imm5 - 1)};
  }
  return {};
}

ShiftedOperand shift_register(TranslateContext& t, Value v, uint32_t type, Value amount, bool want_carry) {
  ir::Builder& ir = t.ir;
  const Value old = want_carry ? ir.GetC() : Value();
  switch (static_cast<Shift>(type)) {
    case Shift::LSL: return {ir.LslReg(v, amount), want_carry ? ir.LslRegC(v, amount, old) : Value()};
    case Shift::LSR: return {ir.LsrReg(v, amount), want_carry ? ir.LsrRegC(v, amount, old) : Value()};
    case Shift::ASR: return {ir.AsrReg(v, amount), want_carry ? ir.AsrRegC(v, amount, old) : Value()};
    case Shift::ROR: return {ir.RorReg(v, amount), want_carry ? ir.RorRegC(v, amount, old) : Value()};
  }
  return {};
}

ShiftedOperand expand_immediate(Fields<"?i"> f) {
  const uint32_t imm = f.get('i', 0);
  uint32_t value = 0;
  switch (f.row->isa) {
    case Isa::A32: {
      const uint32_t rotation = (imm >> 8) * 2;
      value = std::rotr(imm & 0xff, static_cast<int>(rotation));
      if (rotation == 0) return {imm32(value), {}};
      break;
    }
    case Isa::T32: {
      const uint32_t byte = imm & 0xff;
      switch (imm >> 8) {
        case 0: return {imm32(byte), {}};
        case 1: return {imm32(byte << 16 | byte), {}};
        case 2: return {imm32(byte << 24 | byte << 8), {}};
        case 3: return {imm32(byte * 0x01010101u), {}};
        default: value = std::rotr(0x80 | (imm & 0x7f), static_cast<int>(imm >> 7)); break;
      }
      break;
    }
    default: return {imm32(imm), {}};
  }
  return {imm32(value), imm32(value >> 31)};
}

ShiftedOperand shifted_rm(TranslateContext& t, Fields<"m?iy"> f, bool want_carry) {
  return shift_immediate(t, t.reg(f['m']), f.get('y', 0), f.get('i', 0), want_carry);
}

}  // namespace crosswalk::frontend
