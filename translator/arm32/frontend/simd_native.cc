// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD operations on elements of one size as vector opcodes.
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend::simd {

void emit(TranslateContext& t, Op op, unsigned size, bool is_unsigned, const Operands& o) {
  t.check_simd_enabled();
  if (t.config.native_simd && native(t, op, size, is_unsigned, o)) return;
  t.ir.call(helpers::simd::helper(op, size, is_unsigned), ir::kCallNoFlags | ir::kCallNoRegs,
            ir::Builder::Imm(o.pack()));
}

bool native(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  if (op <= Op::QRDMulH) return native_binary(t, op, size, u, o);
  if (op <= Op::CmpLt0) return native_unary(t, op, size, u, o);
  if (op <= Op::PAdaL) return native_pairwise(t, op, size, u, o);
  if (op <= Op::SubW) return native_lengthen(t, op, size, u, o);
  if (op <= Op::QMovUN) return native_narrow(t, op, size, u, o);
  if (op <= Op::Tbx) return native_permute(t, op, size, o);
  return native_float(t, op, o);
}

namespace {

// Shifts by register: the amounts are the first operand.
Value shift_by_register(TranslateContext& t, Op op, unsigned size, bool u, bool q, Value amounts, Value v) {
  const ir::VectorShift s{u, op == Op::RShl || op == Op::QRShl, !q};
  return op == Op::QShl || op == Op::QRShl ? t.ir.VecQShiftReg(with(size, s.pack()), v, amounts)
                                           : t.ir.VecShiftReg(with(size, s.pack()), v, amounts);
}

// VQSHL and VQSHLU (immediate): a left shift saturates where shifting back does not give the
// number.
Value saturating_left_shift(TranslateContext& t, Op op, unsigned size, bool u, unsigned n, Value m) {
  auto& ir = t.ir;
  const unsigned bits = 8u << size;
  const uint64_t ones = ~uint64_t{0} >> (64 - bits);
  Value v = m;  // the number, or 0 for a negative one that is to be unsigned
  if (op == Op::QShluImm) v = ir.VecAndNot(m, sign_mask(t, size, m));
  const bool is_unsigned = u || op == Op::QShluImm;
  const Value shifted = n ? ir.VecShl(with(size, n), v) : v;
  const Value back = n ? shift_right(t, size, is_unsigned, n, shifted) : v;
  ir.VecSetQc(ir.VecXor(back, m));
  const Value fits = ir.VecEq(size, back, v);
  if (is_unsigned) return ir.VecOr(shifted, ir.VecNot(fits));
  const Value limit = ir.VecXor(sign_mask(t, size, m), constant(t, repeat(size, ones >> 1)));
  return select(t, fits, shifted, limit);
}

// VMUL.P8; both halves of the operands with `q`.
Value polynomial_product(TranslateContext& t, Value n, Value m, bool q) {
  auto& ir = t.ir;
  const auto product = [&](Value a, Value b) {
    return ir.VecNarrow(0, ir.VecPolynomial(widen(t, 0, true, a), widen(t, 0, true, b)));
  };
  const auto upper = [&](Value v) { return ir.VecFromD(ir.VecHigh(v)); };
  const Value low = product(n, m);
  return q ? ir.VecPair(ir.VecLow(low), ir.VecLow(product(upper(n), upper(m)))) : low;
}

// VPADD, VPMAX and VPMIN of floating point. Both halves hold the two results: no exceptions but
// theirs.
void native_float_pairs(TranslateContext& t, Op op, const Operands& o) {
  auto& ir = t.ir;
  const Value pairs = ir.VecPair(ir.GetD(o.n), ir.GetD(o.m));
  const Value even = ir.VecEven(2, pairs, pairs), odd = ir.VecOdd(2, pairs, pairs);
  set(t, o.d, false,
      op == Op::FPAdd   ? ir.VecFAdd(even, odd)
      : op == Op::FPMax ? ir.VecFMax(even, odd)
                        : ir.VecFMin(even, odd));
}

}  // namespace

bool native_binary(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  auto& ir = t.ir;
  const bool zero =
      op == Op::QAdd || op == Op::QSub || op == Op::QDMulH || op == Op::QRDMulH || op == Op::QShl || op == Op::QRShl;
  const Value n = get(t, o.n, o.q, zero), m = second(t, size, o, o.q, zero);
  const auto d = [&] { return get(t, o.d, o.q); };
  const auto difference = [&] {
    return u ? ir.VecSub(size, ir.VecMaxU(size, n, m), ir.VecMinU(size, n, m))
             : ir.VecSub(size, ir.VecMaxS(size, n, m), ir.VecMinS(size, n, m));
  };
  Value r;
  switch (op) {
    case Op::And: r = ir.VecAnd(n, m); break;
    case Op::Bic: r = ir.VecAndNot(n, m); break;
    case Op::Orr: r = o.n == o.m ? n : ir.VecOr(n, m); break;  // VMOV (register)
    case Op::Orn: r = ir.VecOr(n, ir.VecNot(m)); break;
    case Op::Eor: r = o.n == o.m ? constant(t, 0) : ir.VecXor(n, m); break;
    case Op::Bsl: r = select(t, d(), n, m); break;
    case Op::Bit: r = select(t, m, n, d()); break;
    case Op::Bif: r = select(t, m, d(), n); break;
    case Op::HAdd: r = ir.VecAdd(size, ir.VecAnd(n, m), shift_right(t, size, u, 1, ir.VecXor(n, m))); break;
    case Op::RHAdd:
      r = u && size < 2 ? ir.VecAvgU(size, n, m)
                        : ir.VecSub(size, ir.VecOr(n, m), shift_right(t, size, u, 1, ir.VecXor(n, m)));
      break;
    case Op::HSub: r = ir.VecSub(size, shift_right(t, size, u, 1, ir.VecXor(n, m)), ir.VecAndNot(m, n)); break;
    case Op::QAdd: r = u ? ir.VecQAddU(size, n, m) : ir.VecQAddS(size, n, m); break;
    case Op::QSub: r = u ? ir.VecQSubU(size, n, m) : ir.VecQSubS(size, n, m); break;
    case Op::Add: r = ir.VecAdd(size, n, m); break;
    case Op::Sub: r = ir.VecSub(size, n, m); break;
    case Op::CmpGt: r = u ? ir.VecNot(ir.VecGeU(size, m, n)) : ir.VecGtS(size, n, m); break;
    case Op::CmpGe: r = u ? ir.VecGeU(size, n, m) : ir.VecNot(ir.VecGtS(size, m, n)); break;
    case Op::CmpEq: r = ir.VecEq(size, n, m); break;
    case Op::Tst: r = ir.VecNot(ir.VecEq(size, ir.VecAnd(n, m), constant(t, 0))); break;
    case Op::Shl:
    case Op::QShl:
    case Op::RShl:
    case Op::QRShl: r = shift_by_register(t, op, size, u, o.q, n, m); break;
    case Op::Max: r = u ? ir.VecMaxU(size, n, m) : ir.VecMaxS(size, n, m); break;
    case Op::Min: r = u ? ir.VecMinU(size, n, m) : ir.VecMinS(size, n, m); break;
    case Op::Abd: r = difference(); break;
    case Op::Aba: r = ir.VecAdd(size, d(), difference()); break;
    case Op::Mla: r = ir.VecAdd(size, d(), ir.VecMul(size, n, m)); break;
    case Op::Mls: r = ir.VecSub(size, d(), ir.VecMul(size, n, m)); break;
    case Op::Mul: r = ir.VecMul(size, n, m); break;
    case Op::MulPoly: r = polynomial_product(t, n, m, o.q); break;
    case Op::QDMulH: r = ir.VecQDMulH(size, n, m); break;
    case Op::QRDMulH: r = ir.VecQRDMulH(size, n, m); break;
    default: return false;
  }
  set(t, o.d, o.q, r);
  return true;
}

bool native_unary(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  auto& ir = t.ir;
  const unsigned bits = 8u << size, n = o.imm;
  const bool zero_upper = op == Op::QAbs || op == Op::QNeg || op == Op::QShluImm || op == Op::QShlImm;
  const Value m = get(t, o.m, o.q, zero_upper);
  const auto d = [&] { return get(t, o.d, o.q); };
  const auto zero = [&] { return constant(t, 0); };
  const uint64_t ones = ~uint64_t{0} >> (64 - bits);
  Value r;
  switch (op) {
    case Op::ShrImm: r = shift_right(t, size, u, n, m); break;
    case Op::SraImm: r = ir.VecAdd(size, d(), shift_right(t, size, u, n, m)); break;
    case Op::RShrImm: r = rounding_shift_right(t, size, u, n, m); break;
    case Op::RSraImm: r = ir.VecAdd(size, d(), rounding_shift_right(t, size, u, n, m)); break;
    case Op::SriImm: {
      const uint64_t inserted = n == bits ? 0 : ones >> n;
      r = ir.VecOr(ir.VecShrU(with(size, n), m), ir.VecAnd(d(), constant(t, repeat(size, ~inserted))));
      break;
    }
    case Op::ShlImm: r = ir.VecShl(with(size, n), m); break;
    case Op::SliImm:
      r = ir.VecOr(ir.VecShl(with(size, n), m), ir.VecAnd(d(), constant(t, repeat(size, (uint64_t{1} << n) - 1))));
      break;
    case Op::QShluImm:
    case Op::QShlImm: r = saturating_left_shift(t, op, size, u, n, m); break;
    // What differs from the sign, one place lower; the sign itself is not counted.
    case Op::Cls:
      r = ir.VecClz(size, ir.VecXor(m, ir.VecShrS(with(size, 1), m)));
      r = ir.VecSub(size, r, constant(t, repeat(size, 1)));
      break;
    case Op::Clz: r = ir.VecClz(size, m); break;
    case Op::Cnt: r = ir.VecCount(m); break;
    case Op::Mvn: r = ir.VecNot(m); break;
    case Op::QAbs: r = ir.VecMaxS(size, m, ir.VecQSubS(size, zero(), m)); break;
    case Op::QNeg: r = ir.VecQSubS(size, zero(), m); break;
    case Op::Abs: r = ir.VecAbs(size, m); break;
    case Op::Neg: r = ir.VecSub(size, zero(), m); break;
    case Op::CmpGt0: r = ir.VecGtS(size, m, zero()); break;
    case Op::CmpGe0: r = ir.VecNot(ir.VecGtS(size, zero(), m)); break;
    case Op::CmpEq0: r = ir.VecEq(size, m, zero()); break;
    case Op::CmpLe0: r = ir.VecNot(ir.VecGtS(size, m, zero())); break;
    case Op::CmpLt0: r = ir.VecGtS(size, zero(), m); break;
    default: return false;
  }
  set(t, o.d, o.q, r);
  return true;
}

bool native_float(TranslateContext& t, Op op, const Operands& o) {
  auto& ir = t.ir;
  switch (op) {
    case Op::URecpe: set(t, o.d, o.q, ir.VecURecpe(get(t, o.m, o.q))); return true;
    case Op::URsqrte: set(t, o.d, o.q, ir.VecURsqrte(get(t, o.m, o.q))); return true;
    case Op::FToHalf: set(t, o.d, false, ir.VecFToHalf(get(t, o.m, true))); return true;
    case Op::FFromHalf: set(t, o.d, true, ir.VecFFromHalf(get(t, o.m, false))); return true;
    case Op::FRecpe:
    case Op::FRsqrte: {
      // No lane may raise what no element does.
      const Value m = o.q ? get(t, o.m, true) : ir.VecPair(ir.GetD(o.m), ir.GetD(o.m));
      set(t, o.d, o.q, op == Op::FRecpe ? ir.VecFRecpe(m) : ir.VecFRsqrte(m));
      return true;
    }
    case Op::FPAdd:
    case Op::FPMax:
    case Op::FPMin: native_float_pairs(t, op, o); return true;
    default: break;
  }
  const bool two = op < Op::FCmpGt0;
  const Value m = second(t, 2, o, o.q, true);
  const Value n = two ? get(t, o.n, o.q, true) : m;
  const auto d = [&] { return get(t, o.d, o.q, true); };
  const auto zero = [&] { return constant(t, 0); };
  const auto magnitude = [&](Value v) { return ir.VecAnd(v, constant(t, repeat(2, 0x7fffffff))); };
  Value r;
  switch (op) {
    case Op::FAdd: r = ir.VecFAdd(n, m); break;
    case Op::FSub: r = ir.VecFSub(n, m); break;
    case Op::FMul: r = ir.VecFMul(n, m); break;
    case Op::FMla: r = ir.VecFMla(d(), n, m); break;
    case Op::FMls: r = ir.VecFMls(d(), n, m); break;
    case Op::FFma: r = ir.VecFFma(d(), n, m); break;
    case Op::FFms: r = ir.VecFFms(d(), n, m); break;
    case Op::FAbd: r = magnitude(ir.VecFSub(n, m)); break;
    case Op::FMax: r = ir.VecFMax(n, m); break;
    case Op::FMin: r = ir.VecFMin(n, m); break;
    case Op::FCmpEq: r = ir.VecFEq(n, m); break;
    case Op::FCmpGe: r = ir.VecFGe(n, m); break;
    case Op::FCmpGt: r = ir.VecFGt(n, m); break;
    case Op::FAbsCmpGe: r = ir.VecFGe(magnitude(n), magnitude(m)); break;
    case Op::FAbsCmpGt: r = ir.VecFGt(magnitude(n), magnitude(m)); break;
    case Op::FRecps: r = ir.VecFRecps(n, m); break;
    case Op::FRsqrts: r = ir.VecFRsqrts(n, m); break;
    case Op::FCmpGt0: r = ir.VecFGt(m, zero()); break;
    case Op::FCmpGe0: r = ir.VecFGe(m, zero()); break;
    case Op::FCmpEq0: r = ir.VecFEq(m, zero()); break;
    case Op::FCmpLe0: r = ir.VecFGe(zero(), m); break;
    case Op::FCmpLt0: r = ir.VecFGt(zero(), m); break;
    case Op::FAbs: r = magnitude(m); break;
    case Op::FNeg: r = ir.VecXor(m, constant(t, repeat(2, 0x80000000))); break;
    case Op::FToS: r = ir.VecFToS(o.imm, m); break;
    case Op::FToU: r = ir.VecFToU(o.imm, m); break;
    case Op::FFromS: r = ir.VecFFromS(o.imm, m); break;
    case Op::FFromU: r = ir.VecFFromU(o.imm, m); break;
    default: return false;
  }
  set(t, o.d, o.q, r);
  return true;
}

}  // namespace crosswalk::frontend::simd
