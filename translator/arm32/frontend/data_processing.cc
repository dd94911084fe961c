// SPDX-License-Identifier: GPL-2.0-or-later
// Data-processing instructions (ARM DDI 0406C, A5.2.1-A5.2.4, A6.2.1-A6.2.3, A6.3.1-A6.3.3,
// A6.3.11, A6.3.12): one function computes them all; the handlers choose the operation and where
// the second operand comes from.
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

enum class Alu : uint8_t { AND, EOR, SUB, RSB, ADD, ADC, SBC, RSC, TST, TEQ, CMP, CMN, ORR, MOV, BIC, MVN, ORN };

constexpr bool is_arithmetic(Alu op) { return (op >= Alu::SUB && op <= Alu::RSC) || op == Alu::CMP || op == Alu::CMN; }
constexpr bool only_sets_flags(Alu op) { return op >= Alu::TST && op <= Alu::CMN; }

Value arithmetic(Translator& t, Alu op, Value a, Value b, bool s) {
  ir::Builder& ir = t.ir;
  switch (op) {
    case Alu::SUB:
    case Alu::CMP: return s ? ir.SubS(a, b) : ir.Sub(a, b);
    case Alu::RSB: return s ? ir.SubS(b, a) : ir.Sub(b, a);
    case Alu::ADD:
    case Alu::CMN: return s ? ir.AddS(a, b) : ir.Add(a, b);
    case Alu::ADC: return s ? ir.AdcS(a, b) : ir.Adc(a, b);
    case Alu::SBC: return s ? ir.SbcS(a, b) : ir.Sbc(a, b);
    default: return s ? ir.SbcS(b, a) : ir.Sbc(b, a);  // RSC
  }
}

Value logical(Translator& t, Alu op, Value a, Value b) {
  ir::Builder& ir = t.ir;
  switch (op) {
    case Alu::AND:
    case Alu::TST: return ir.And(a, b);
    case Alu::EOR:
    case Alu::TEQ: return ir.Xor(a, b);
    case Alu::ORR: return ir.Or(a, b);
    case Alu::ORN: return ir.Or(a, ir.Not(b));
    case Alu::BIC: return ir.AndNot(a, b);
    case Alu::MVN: return ir.Not(b);
    default: return b;  // MOV
  }
}

// Rd = Rn op operand. An A32 write to R15 with S is the exception return of "SUBS PC, LR and
// related instructions" (B9.3.20), without S ALUWritePC; in Thumb only the T16 forms with high
// registers may name R15, and they have their own handlers.
void data_processing(Translator& t, Alu op, uint32_t d, uint32_t n, const ShiftedOperand& operand, bool s) {
  const bool compare = only_sets_flags(op);
  const bool exception_return = !compare && d == 15 && s;
  if (d == 15 && !compare && t.thumb) return t.unpredictable();
  const bool flags = s && !exception_return;
  const bool has_rn = op != Alu::MOV && op != Alu::MVN;
  const Value a = has_rn ? t.reg(n) : Value();
  Value result;
  if (is_arithmetic(op)) {
    result = arithmetic(t, op, a, operand.value, flags);
  } else {
    result = logical(t, op, a, operand.value);
    if (flags) {
      t.set_nz(result);
      if (!operand.carry.is_none()) t.ir.SetC(operand.carry);
    }
  }
  if (compare) return;
  if (exception_return)
    t.call_and_leave(&helpers::exception_return, result);
  else if (d == 15)
    t.alu_write_pc(result);
  else
    t.set_reg(d, result);
}

bool flags_of(const Translator& t, const Fields& f, Alu op) { return only_sets_flags(op) || sets_flags(t, f); }

// T16 forms with one register field for Rd and Rn have no letter n.
void with_immediate(Translator& t, const Fields& f, Alu op) {
  data_processing(t, op, f['d'], field_or(f, 'n', f['d']), expand_immediate(f), flags_of(t, f, op));
}
void with_register(Translator& t, const Fields& f, Alu op) {
  const bool s = flags_of(t, f, op);
  data_processing(t, op, f['d'], field_or(f, 'n', f['d']), shifted_rm(t, f, s && !is_arithmetic(op)), s);
}
void with_register_shifted(Translator& t, const Fields& f, Alu op) {
  const bool s = flags_of(t, f, op);
  const uint32_t d = f['d'], n = f['n'];
  if (any_is_pc(f['m'], f['s']) || (op != Alu::MVN && n == 15) || (!only_sets_flags(op) && d == 15)) {
    return t.unpredictable();
  }
  const ShiftedOperand operand = shift_register(t, t.reg(f['m']), f['y'], t.reg(f['s']), s && !is_arithmetic(op));
  data_processing(t, op, d, n, operand, s);
}

void move_shifted(Translator& t, const Fields& f, Shift type, uint32_t imm5) {
  const bool s = sets_flags(t, f);
  const ShiftedOperand operand = shift_immediate(t, t.reg(f['m']), static_cast<uint32_t>(type), imm5, s);
  data_processing(t, Alu::MOV, f['d'], 0, operand, s);
}

// LSL (register) and its family: Rn shifted by Rm; T16 has Rd = Rn.
void shift_by_register(Translator& t, const Fields& f, Shift type) {
  const bool s = sets_flags(t, f);
  const uint32_t d = f['d'], n = field_or(f, 'n', d), m = f['m'];
  if (any_is_pc(d, n, m)) return t.unpredictable();
  data_processing(t, Alu::MOV, d, 0, shift_register(t, t.reg(n), static_cast<uint32_t>(type), t.reg(m), s), s);
}

}  // namespace

void AND_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::AND); }
void AND_register(Translator& t, const Fields& f) { with_register(t, f, Alu::AND); }
void AND_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::AND); }
void EOR_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::EOR); }
void EOR_register(Translator& t, const Fields& f) { with_register(t, f, Alu::EOR); }
void EOR_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::EOR); }
void SUB_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::SUB); }
void SUB_register(Translator& t, const Fields& f) { with_register(t, f, Alu::SUB); }
void SUB_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::SUB); }
void RSB_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::RSB); }
void RSB_register(Translator& t, const Fields& f) { with_register(t, f, Alu::RSB); }
void RSB_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::RSB); }
void ADD_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::ADD); }
void ADD_register(Translator& t, const Fields& f) { with_register(t, f, Alu::ADD); }
void ADD_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::ADD); }
void ADC_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::ADC); }
void ADC_register(Translator& t, const Fields& f) { with_register(t, f, Alu::ADC); }
void ADC_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::ADC); }
void SBC_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::SBC); }
void SBC_register(Translator& t, const Fields& f) { with_register(t, f, Alu::SBC); }
void SBC_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::SBC); }
void RSC_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::RSC); }
void RSC_register(Translator& t, const Fields& f) { with_register(t, f, Alu::RSC); }
void RSC_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::RSC); }
void ORR_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::ORR); }
void ORR_register(Translator& t, const Fields& f) { with_register(t, f, Alu::ORR); }
void ORR_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::ORR); }
void ORN_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::ORN); }
void ORN_register(Translator& t, const Fields& f) { with_register(t, f, Alu::ORN); }
void BIC_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::BIC); }
void BIC_register(Translator& t, const Fields& f) { with_register(t, f, Alu::BIC); }
void BIC_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::BIC); }
void TST_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::TST); }
void TST_register(Translator& t, const Fields& f) { with_register(t, f, Alu::TST); }
void TST_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::TST); }
void TEQ_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::TEQ); }
void TEQ_register(Translator& t, const Fields& f) { with_register(t, f, Alu::TEQ); }
void TEQ_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::TEQ); }
void CMP_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::CMP); }
void CMP_register(Translator& t, const Fields& f) { with_register(t, f, Alu::CMP); }
void CMP_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::CMP); }
void CMN_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::CMN); }
void CMN_register(Translator& t, const Fields& f) { with_register(t, f, Alu::CMN); }
void CMN_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::CMN); }
void MVN_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::MVN); }
void MVN_register(Translator& t, const Fields& f) { with_register(t, f, Alu::MVN); }
void MVN_register_shifted(Translator& t, const Fields& f) { with_register_shifted(t, f, Alu::MVN); }
void MOV_immediate(Translator& t, const Fields& f) { with_immediate(t, f, Alu::MOV); }

// T16's MOV (register) with low registers is outside IT blocks only, where it sets N and Z.
void MOV_register(Translator& t, const Fields& f) { move_shifted(t, f, Shift::LSL, 0); }
void LSL_immediate(Translator& t, const Fields& f) { move_shifted(t, f, Shift::LSL, f['i']); }
void LSR_immediate(Translator& t, const Fields& f) { move_shifted(t, f, Shift::LSR, f['i']); }
void ASR_immediate(Translator& t, const Fields& f) { move_shifted(t, f, Shift::ASR, f['i']); }
void ROR_immediate(Translator& t, const Fields& f) { move_shifted(t, f, Shift::ROR, f['i']); }
void RRX(Translator& t, const Fields& f) { move_shifted(t, f, Shift::ROR, 0); }
void LSL_register(Translator& t, const Fields& f) { shift_by_register(t, f, Shift::LSL); }
void LSR_register(Translator& t, const Fields& f) { shift_by_register(t, f, Shift::LSR); }
void ASR_register(Translator& t, const Fields& f) { shift_by_register(t, f, Shift::ASR); }
void ROR_register(Translator& t, const Fields& f) { shift_by_register(t, f, Shift::ROR); }

// The T16 forms with high registers never set flags; R15 as Rd is a branch.
void ADD_register_high(Translator& t, const Fields& f) {
  const uint32_t d = f['d'];
  const Value sum = t.ir.Add(t.reg(d), t.reg(f['m']));
  if (d == 15)
    t.branch_write_pc(sum);
  else
    t.set_reg(d, sum);
}
void MOV_register_high(Translator& t, const Fields& f) {
  const uint32_t d = f['d'];
  if (d == 15)
    t.branch_write_pc(t.reg(f['m']));
  else
    t.set_reg(d, t.reg(f['m']));
}

void ADD_SP_immediate(Translator& t, const Fields& f) {
  t.set_reg(field_or(f, 'd', 13), t.ir.Add(t.reg(13), imm32(f['i'] * 4)));
}
void SUB_SP_immediate(Translator& t, const Fields& f) { t.set_reg(13, t.ir.Sub(t.reg(13), imm32(f['i'] * 4))); }

void ADDW(Translator& t, const Fields& f) { write_register(t, f['d'], t.ir.Add(t.reg(f['n']), imm32(f['i']))); }
void SUBW(Translator& t, const Fields& f) { write_register(t, f['d'], t.ir.Sub(t.reg(f['n']), imm32(f['i']))); }

// Align(PC, 4) plus or minus a constant. Bit 23 tells the two directions of A32 and T32 apart.
void ADR(Translator& t, const Fields& f) {
  uint32_t offset = f['i'];
  bool add = true;
  if (f.row->isa == Isa::A32) {
    offset = expand_immediate(f).value.imm32();
    add = f.word >> 23 & 1;
  } else if (f.row->isa == Isa::T32) {
    add = (f.word >> 23 & 1) == 0;
  } else {
    offset *= 4;
  }
  const Value address = imm32(add ? t.pc_aligned() + offset : t.pc_aligned() - offset);
  if (f['d'] == 15 && !t.thumb)
    t.alu_write_pc(address);
  else
    write_register(t, f['d'], address);
}

void MOVW(Translator& t, const Fields& f) { write_register(t, f['d'], imm32(f['j'] << 12 | f['i'])); }
void MOVT(Translator& t, const Fields& f) {
  const uint32_t d = f['d'];
  if (d == 15) return t.unpredictable();
  t.set_reg(d, t.ir.Or(t.ir.Uxth(t.reg(d)), imm32((f['j'] << 12 | f['i']) << 16)));
}

}  // namespace crosswalk::frontend
