// SPDX-License-Identifier: GPL-2.0-or-later
// Data-processing instructions (ARM DDI 0406C, A5.2.1-A5.2.4, A6.2.1-A6.2.3, A6.3.1-A6.3.3,
// A6.3.11, A6.3.12): one function computes them all; the handlers choose the operation and where
// the second operand comes from.
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

using Targets = TranslateContext::Targets;

enum class Alu : uint8_t { AND, EOR, SUB, RSB, ADD, ADC, SBC, RSC, TST, TEQ, CMP, CMN, ORR, MOV, BIC, MVN, ORN };

constexpr bool is_arithmetic(Alu op) { return (op >= Alu::SUB && op <= Alu::RSC) || op == Alu::CMP || op == Alu::CMN; }
constexpr bool only_sets_flags(Alu op) { return op >= Alu::TST && op <= Alu::CMN; }

Value arithmetic(TranslateContext& t, Alu op, Value a, Value b, bool s) {
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

Value logical(TranslateContext& t, Alu op, Value a, Value b) {
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
void data_processing(TranslateContext& t, Alu op, uint32_t d, uint32_t n, const ShiftedOperand& operand, bool s) {
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
      t.ir.SetNZ(result);
      if (!operand.carry.is_none()) t.ir.SetC(operand.carry);
    }
  }
  if (compare) return;
  if (exception_return)
    t.call_and_leave(&helpers::exception_return, result);
  else if (d == 15)
    t.alu_write_pc(result, op == Alu::MOV ? Targets::One : Targets::Many);
  else
    t.set_reg(d, result);
}

// Rm shifted by Rs.
ShiftedOperand rm_shifted_by_rs(TranslateContext& t, Fields<"msy"> f, bool want_carry) {
  return shift_register(t, t.reg(f['m']), f['y'], t.reg(f['s']), want_carry);
}

// T16 forms with one register field for Rd and Rn have no letter n.
void with_immediate(TranslateContext& t, Fields<"d?Sin"> f, Alu op) {
  data_processing(t, op, f['d'], f.get('n', f['d']), expand_immediate(f), sets_flags(t, f));
}
void with_register(TranslateContext& t, Fields<"dm?Siny"> f, Alu op) {
  const bool s = sets_flags(t, f);
  data_processing(t, op, f['d'], f.get('n', f['d']), shifted_rm(t, f, s && !is_arithmetic(op)), s);
}
void with_register_shifted(TranslateContext& t, Fields<"Sdmnsy"> f, Alu op) {
  if (any_is_pc(f['d'], f['n'], f['m'], f['s'])) return t.unpredictable();
  const bool s = f['S'] != 0;
  data_processing(t, op, f['d'], f['n'], rm_shifted_by_rs(t, f, s && !is_arithmetic(op)), s);
}

// MOV and MVN have no Rn.
void move_immediate(TranslateContext& t, Fields<"di?S"> f, Alu op) {
  data_processing(t, op, f['d'], 0, expand_immediate(f), sets_flags(t, f));
}

// TST, TEQ, CMP and CMN have no Rd.
void compare_immediate(TranslateContext& t, Fields<"in"> f, Alu op) {
  data_processing(t, op, 0, f['n'], expand_immediate(f), true);
}
void compare_register(TranslateContext& t, Fields<"mn?iy"> f, Alu op) {
  data_processing(t, op, 0, f['n'], shifted_rm(t, f, !is_arithmetic(op)), true);
}
void compare_register_shifted(TranslateContext& t, Fields<"mnsy"> f, Alu op) {
  if (any_is_pc(f['n'], f['m'], f['s'])) return t.unpredictable();
  data_processing(t, op, 0, f['n'], rm_shifted_by_rs(t, f, !is_arithmetic(op)), true);
}

void move_shifted(TranslateContext& t, Fields<"dm?S"> f, Shift type, uint32_t imm5) {
  const bool s = sets_flags(t, f);
  if (s && f['d'] != 15 && imm5 != 0 && type != Shift::ROR) {
    const Value m = t.reg(f['m']);
    t.set_reg(f['d'], type == Shift::LSL   ? t.ir.LslS(imm5, m)
                      : type == Shift::LSR ? t.ir.LsrS(imm5, m)
                                           : t.ir.AsrS(imm5, m));
    return;
  }
  const ShiftedOperand operand = shift_immediate(t, t.reg(f['m']), static_cast<uint32_t>(type), imm5, s);
  data_processing(t, Alu::MOV, f['d'], 0, operand, s);
}

// LSL (register) and its family: Rn shifted by Rm; T16 has Rd = Rn.
void shift_by_register(TranslateContext& t, Fields<"dm?Sn"> f, Shift type) {
  const bool s = sets_flags(t, f);
  const uint32_t d = f['d'], n = f.get('n', d), m = f['m'];
  if (any_is_pc(d, n, m)) return t.unpredictable();
  data_processing(t, Alu::MOV, d, 0, shift_register(t, t.reg(n), static_cast<uint32_t>(type), t.reg(m), s), s);
}

}  // namespace

HANDLER(AND_immediate) { with_immediate(t, f, Alu::AND); }
HANDLER(AND_register) { with_register(t, f, Alu::AND); }
HANDLER(AND_register_shifted) { with_register_shifted(t, f, Alu::AND); }
HANDLER(EOR_immediate) { with_immediate(t, f, Alu::EOR); }
HANDLER(EOR_register) { with_register(t, f, Alu::EOR); }
HANDLER(EOR_register_shifted) { with_register_shifted(t, f, Alu::EOR); }
HANDLER(SUB_immediate) { with_immediate(t, f, Alu::SUB); }
HANDLER(SUB_register) { with_register(t, f, Alu::SUB); }
HANDLER(SUB_register_shifted) { with_register_shifted(t, f, Alu::SUB); }
HANDLER(RSB_immediate) { with_immediate(t, f, Alu::RSB); }
HANDLER(RSB_register) { with_register(t, f, Alu::RSB); }
HANDLER(RSB_register_shifted) { with_register_shifted(t, f, Alu::RSB); }
HANDLER(ADD_immediate) { with_immediate(t, f, Alu::ADD); }
HANDLER(ADD_register) { with_register(t, f, Alu::ADD); }
HANDLER(ADD_register_shifted) { with_register_shifted(t, f, Alu::ADD); }
HANDLER(ADC_immediate) { with_immediate(t, f, Alu::ADC); }
HANDLER(ADC_register) { with_register(t, f, Alu::ADC); }
HANDLER(ADC_register_shifted) { with_register_shifted(t, f, Alu::ADC); }
HANDLER(SBC_immediate) { with_immediate(t, f, Alu::SBC); }
HANDLER(SBC_register) { with_register(t, f, Alu::SBC); }
HANDLER(SBC_register_shifted) { with_register_shifted(t, f, Alu::SBC); }
HANDLER(RSC_immediate) { with_immediate(t, f, Alu::RSC); }
HANDLER(RSC_register) { with_register(t, f, Alu::RSC); }
HANDLER(RSC_register_shifted) { with_register_shifted(t, f, Alu::RSC); }
HANDLER(ORR_immediate) { with_immediate(t, f, Alu::ORR); }
HANDLER(ORR_register) { with_register(t, f, Alu::ORR); }
HANDLER(ORR_register_shifted) { with_register_shifted(t, f, Alu::ORR); }
HANDLER(ORN_immediate) { with_immediate(t, f, Alu::ORN); }
HANDLER(ORN_register) { with_register(t, f, Alu::ORN); }
HANDLER(BIC_immediate) { with_immediate(t, f, Alu::BIC); }
HANDLER(BIC_register) { with_register(t, f, Alu::BIC); }
HANDLER(BIC_register_shifted) { with_register_shifted(t, f, Alu::BIC); }
HANDLER(TST_immediate) { compare_immediate(t, f, Alu::TST); }
HANDLER(TST_register) { compare_register(t, f, Alu::TST); }
HANDLER(TST_register_shifted) { compare_register_shifted(t, f, Alu::TST); }
HANDLER(TEQ_immediate) { compare_immediate(t, f, Alu::TEQ); }
HANDLER(TEQ_register) { compare_register(t, f, Alu::TEQ); }
HANDLER(TEQ_register_shifted) { compare_register_shifted(t, f, Alu::TEQ); }
HANDLER(CMP_immediate) { compare_immediate(t, f, Alu::CMP); }
HANDLER(CMP_register) { compare_register(t, f, Alu::CMP); }
HANDLER(CMP_register_shifted) { compare_register_shifted(t, f, Alu::CMP); }
HANDLER(CMN_immediate) { compare_immediate(t, f, Alu::CMN); }
HANDLER(CMN_register) { compare_register(t, f, Alu::CMN); }
HANDLER(CMN_register_shifted) { compare_register_shifted(t, f, Alu::CMN); }
HANDLER(MVN_immediate) { move_immediate(t, f, Alu::MVN); }
HANDLER(MVN_register) {
  const bool s = sets_flags(t, f);
  data_processing(t, Alu::MVN, f['d'], 0, shifted_rm(t, f, s), s);
}
HANDLER(MVN_register_shifted) {
  if (any_is_pc(f['d'], f['m'], f['s'])) return t.unpredictable();
  const bool s = f['S'] != 0;
  data_processing(t, Alu::MVN, f['d'], 0, rm_shifted_by_rs(t, f, s), s);
}
HANDLER(MOV_immediate) { move_immediate(t, f, Alu::MOV); }

// T16's MOV (register) with low registers is outside IT blocks only, where it sets N and Z.
HANDLER(MOV_register) { move_shifted(t, f, Shift::LSL, 0); }
HANDLER(LSL_immediate) { move_shifted(t, f, Shift::LSL, f['i']); }
HANDLER(LSR_immediate) { move_shifted(t, f, Shift::LSR, f['i']); }
HANDLER(ASR_immediate) { move_shifted(t, f, Shift::ASR, f['i']); }
HANDLER(ROR_immediate) { move_shifted(t, f, Shift::ROR, f['i']); }
HANDLER(RRX) { move_shifted(t, f, Shift::ROR, 0); }
HANDLER(LSL_register) { shift_by_register(t, f, Shift::LSL); }
HANDLER(LSR_register) { shift_by_register(t, f, Shift::LSR); }
HANDLER(ASR_register) { shift_by_register(t, f, Shift::ASR); }
HANDLER(ROR_register) { shift_by_register(t, f, Shift::ROR); }

// The T16 forms with high registers never set flags; R15 as Rd is a branch.
HANDLER(ADD_register_high) {
  const uint32_t d = f['d'];
  const Value sum = t.ir.Add(t.reg(d), t.reg(f['m']));
  if (d == 15)
    t.branch_write_pc(sum, Targets::Many);
  else
    t.set_reg(d, sum);
}
HANDLER(MOV_register_high) {
  const uint32_t d = f['d'];
  if (d == 15)
    t.branch_write_pc(t.reg(f['m']), t.targets_of_register(f['m']));
  else
    t.set_reg(d, t.reg(f['m']));
}

HANDLER(ADD_SP_immediate) { t.set_reg(f.get('d', 13), t.ir.Add(t.reg(13), imm32(f['i'] * 4))); }
HANDLER(SUB_SP_immediate) { t.set_reg(13, t.ir.Sub(t.reg(13), imm32(f['i'] * 4))); }

HANDLER(ADDW) { write_register(t, f['d'], t.ir.Add(t.reg(f['n']), imm32(f['i']))); }
HANDLER(SUBW) { write_register(t, f['d'], t.ir.Sub(t.reg(f['n']), imm32(f['i']))); }

// Align(PC, 4) plus or minus a constant. Bit 23 tells the two directions of A32 and T32 apart.
HANDLER(ADR) {
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
  const uint32_t address = add ? t.pc_aligned() + offset : t.pc_aligned() - offset;
  if (f['d'] == 15 && !t.thumb)
    t.branch_exchange(address & (address & 1 ? ~0u : ~3u));
  else
    write_register(t, f['d'], t.ir.GuestAddress(address));
}

HANDLER(MOVW) { write_register(t, f['d'], imm32(f.get('j', 0) << 12 | f['i'])); }
HANDLER(MOVT) {
  const uint32_t d = f['d'];
  if (d == 15) return t.unpredictable();
  t.set_reg(d, t.ir.Or(t.ir.Uxth(t.reg(d)), imm32((f.get('j', 0) << 12 | f['i']) << 16)));
}

}  // namespace crosswalk::frontend
