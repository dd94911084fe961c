// SPDX-License-Identifier: GPL-2.0-or-later
// Multiplies, divisions (ARM DDI 0406C, A4.4.3, A4.4.8) and the saturating additions (A5.2.6).
#include <optional>

#include "translator/arm32/frontend/operands.h"

namespace crosswalk::frontend {
namespace {

// The top or bottom halfword, sign-extended.
Value half(TranslateContext& t, Value v, bool top) { return top ? t.ir.Asr(16, v) : t.ir.Sxth(v); }

// PSR.Q when a 64-bit signed result does not fit 32 bits; returns the low 32 bits.
Value low_with_q(TranslateContext& t, Value v) {
  const Value low = t.ir.Low(v);
  t.ir.OrQ(t.ir.Xor(t.ir.High(v), t.ir.Asr(31, low)));
  return low;
}
Value add_with_q(TranslateContext& t, Value a, Value b) {
  return low_with_q(t, t.ir.Add64(t.ir.Sxt64(a), t.ir.Sxt64(b)));
}
// SignedSatQ(v, 32) with PSR.Q.
Value saturate_with_q(TranslateContext& t, Value v) {
  ir::Builder& ir = t.ir;
  const Value low = ir.Low(v), high = ir.High(v);
  const Value overflow = ir.Xor(high, ir.Asr(31, low));
  ir.OrQ(overflow);
  return ir.Choose(overflow, ir.Xor(ir.Asr(31, high), imm32(0x7fffffff)), low);
}

void saturating_add(TranslateContext& t, Fields<"dmn"> f, bool subtract, bool doubled) {
  const uint32_t d = f['d'], n = f['n'], m = f['m'];
  if (any_is_pc(d, n, m)) return t.unpredictable();
  Value b = t.ir.Sxt64(t.reg(n));
  if (doubled) b = t.ir.Sxt64(saturate_with_q(t, t.ir.Add64(b, b)));
  const Value a = t.ir.Sxt64(t.reg(m));
  t.set_reg(d, saturate_with_q(t, subtract ? t.ir.Sub64(a, b) : t.ir.Add64(a, b)));
}

Value pair64(TranslateContext& t, uint32_t low, uint32_t high) { return t.ir.Pack(t.reg(low), t.reg(high)); }

void write_pair(TranslateContext& t, Fields<"hl"> f, Value v) {
  t.set_reg(f['l'], t.ir.Low(v));
  t.set_reg(f['h'], t.ir.High(v));
}
bool bad_long(Fields<"hlmn"> f) { return any_is_pc(f['h'], f['l'], f['n'], f['m']) || f['h'] == f['l']; }

void multiply_long(TranslateContext& t, Fields<"hlmn?S"> f, bool is_signed, bool accumulate) {
  if (bad_long(f)) return t.unpredictable();
  const Value n = t.reg(f['n']), m = t.reg(f['m']);
  Value v = is_signed ? t.ir.SMull(n, m) : t.ir.UMull(n, m);
  if (accumulate) v = t.ir.Add64(v, pair64(t, f['l'], f['h']));
  if (sets_flags(t, f)) t.ir.SetNZ64(v);
  write_pair(t, f, v);
}

// The sum or difference of the two 16 x 16 products, 64 bits wide.
Value dual_products(TranslateContext& t, Fields<"mnx"> f, bool subtract) {
  const Value n = t.reg(f['n']);
  const Value m = f['x'] ? t.ir.Ror(16, t.reg(f['m'])) : t.reg(f['m']);
  const Value bottom = t.ir.SMull(half(t, n, false), half(t, m, false));
  const Value top = t.ir.SMull(half(t, n, true), half(t, m, true));
  return subtract ? t.ir.Sub64(bottom, top) : t.ir.Add64(bottom, top);
}
// `a`: the register to add, if there is one.
void dual_multiply(TranslateContext& t, Fields<"dmnx"> f, bool subtract, std::optional<uint32_t> a = {}) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  Value v = dual_products(t, f, subtract);
  if (a) v = t.ir.Add64(v, t.ir.Sxt64(t.reg(*a)));
  t.set_reg(f['d'], low_with_q(t, v));
}
void dual_multiply_long(TranslateContext& t, Fields<"hlmnx"> f, bool subtract) {
  if (bad_long(f)) return t.unpredictable();
  write_pair(t, f, t.ir.Add64(pair64(t, f['l'], f['h']), dual_products(t, f, subtract)));
}

// The most significant word of a product, which is added to or subtracted from register a, if there
// is one: SMMUL, SMMLA, SMMLS.
void most_significant(TranslateContext& t, Fields<"dmnr"> f, std::optional<uint32_t> a = {}, bool subtract = false) {
  if (any_is_pc(f['d'], f['n'], f['m']) || (subtract && a == 15)) return t.unpredictable();
  Value v = t.ir.SMull(t.reg(f['n']), t.reg(f['m']));
  if (a) {
    const Value addend = t.ir.Pack(imm32(0), t.reg(*a));
    v = subtract ? t.ir.Sub64(addend, v) : t.ir.Add64(addend, v);
  }
  if (f['r']) v = t.ir.Add64(v, ir::Builder::Imm64(0x80000000));
  t.set_reg(f['d'], t.ir.High(v));
}

void divide(TranslateContext& t, Fields<"dmn"> f, bool is_signed) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  const Value n = t.reg(f['n']), m = t.reg(f['m']);
  t.set_reg(f['d'], is_signed ? t.ir.SDiv(n, m) : t.ir.UDiv(n, m));
}

}  // namespace

// T16 has Rm = Rd. C and V are unchanged from ARMv6 on.
HANDLER(MUL) {
  const uint32_t d = f['d'], n = f['n'], m = f.get('m', d);
  if (any_is_pc(d, n, m)) return t.unpredictable();
  const Value v = t.ir.Mul(t.reg(n), t.reg(m));
  if (sets_flags(t, f)) t.ir.SetNZ(v);
  t.set_reg(d, v);
}
HANDLER(MLA) {
  if (any_is_pc(f['d'], f['n'], f['m'], f['a'])) return t.unpredictable();
  const Value v = t.ir.Add(t.ir.Mul(t.reg(f['n']), t.reg(f['m'])), t.reg(f['a']));
  if (sets_flags(t, f)) t.ir.SetNZ(v);
  t.set_reg(f['d'], v);
}
HANDLER(MLS) {
  if (any_is_pc(f['d'], f['n'], f['m'], f['a'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Sub(t.reg(f['a']), t.ir.Mul(t.reg(f['n']), t.reg(f['m']))));
}

HANDLER(UMULL) { multiply_long(t, f, false, false); }
HANDLER(UMLAL) { multiply_long(t, f, false, true); }
HANDLER(SMULL) { multiply_long(t, f, true, false); }
HANDLER(SMLAL) { multiply_long(t, f, true, true); }
HANDLER(UMAAL) {
  if (bad_long(f)) return t.unpredictable();
  const Value product = t.ir.UMull(t.reg(f['n']), t.reg(f['m']));
  const Value sum = t.ir.Add64(t.ir.Uxt64(t.reg(f['h'])), t.ir.Uxt64(t.reg(f['l'])));
  write_pair(t, f, t.ir.Add64(product, sum));
}

HANDLER(SMULxy) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  t.set_reg(f['d'], t.ir.Mul(half(t, t.reg(f['n']), f['N']), half(t, t.reg(f['m']), f['M'])));
}
HANDLER(SMLAxy) {
  if (any_is_pc(f['d'], f['n'], f['m'], f['a'])) return t.unpredictable();
  const Value product = t.ir.Mul(half(t, t.reg(f['n']), f['N']), half(t, t.reg(f['m']), f['M']));
  t.set_reg(f['d'], add_with_q(t, product, t.reg(f['a'])));
}
HANDLER(SMLALxy) {
  if (bad_long(f)) return t.unpredictable();
  const Value product = t.ir.Mul(half(t, t.reg(f['n']), f['N']), half(t, t.reg(f['m']), f['M']));
  write_pair(t, f, t.ir.Add64(pair64(t, f['l'], f['h']), t.ir.Sxt64(product)));
}
HANDLER(SMULWy) {
  if (any_is_pc(f['d'], f['n'], f['m'])) return t.unpredictable();
  const Value product = t.ir.SMull(t.reg(f['n']), half(t, t.reg(f['m']), f['M']));
  t.set_reg(f['d'], t.ir.Low(t.ir.Asr64(16, product)));
}
HANDLER(SMLAWy) {
  if (any_is_pc(f['d'], f['n'], f['m'], f['a'])) return t.unpredictable();
  const Value product = t.ir.SMull(t.reg(f['n']), half(t, t.reg(f['m']), f['M']));
  t.set_reg(f['d'], add_with_q(t, t.ir.Low(t.ir.Asr64(16, product)), t.reg(f['a'])));
}

HANDLER(SMUAD) { dual_multiply(t, f, false); }
HANDLER(SMLAD) { dual_multiply(t, f, false, f['a']); }
HANDLER(SMUSD) { dual_multiply(t, f, true); }
HANDLER(SMLSD) { dual_multiply(t, f, true, f['a']); }
HANDLER(SMLALD) { dual_multiply_long(t, f, false); }
HANDLER(SMLSLD) { dual_multiply_long(t, f, true); }

HANDLER(SMMUL) { most_significant(t, f); }
HANDLER(SMMLA) { most_significant(t, f, f['a']); }
HANDLER(SMMLS) { most_significant(t, f, f['a'], true); }

HANDLER(SDIV) { divide(t, f, true); }
HANDLER(UDIV) { divide(t, f, false); }

HANDLER(QADD) { saturating_add(t, f, false, false); }
HANDLER(QSUB) { saturating_add(t, f, true, false); }
HANDLER(QDADD) { saturating_add(t, f, false, true); }
HANDLER(QDSUB) { saturating_add(t, f, true, true); }

}  // namespace crosswalk::frontend
