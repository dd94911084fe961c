// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD operations that change the size of elements or move them, as vector opcodes.
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend::simd {

bool native_pairwise(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  auto& ir = t.ir;
  if (op == Op::PAddL || op == Op::PAdaL) {
    const unsigned bits = 8u << size, wide = size + 1;
    const Value m = get(t, o.m, o.q);
    Value sum;
    if (u) {
      sum = ir.VecAddPairsU(size, m);
    } else if (size < 2) {
      sum = ir.VecAddPairsS(size, m);
    } else {
      const Value even = ir.VecShrS(with(wide, bits), ir.VecShl(with(wide, bits), m));
      sum = ir.VecAdd(wide, even, ir.VecShrS(with(wide, bits), m));
    }
    set(t, o.d, o.q, op == Op::PAdaL ? ir.VecAdd(wide, get(t, o.d, o.q), sum) : sum);
    return true;
  }
  const Value pairs = ir.VecPair(ir.GetD(o.n), ir.GetD(o.m));
  const Value even = ir.VecEven(size, pairs, pairs), odd = ir.VecOdd(size, pairs, pairs);
  Value r;
  switch (op) {
    case Op::PAdd: r = ir.VecAdd(size, even, odd); break;
    case Op::PMax: r = u ? ir.VecMaxU(size, even, odd) : ir.VecMaxS(size, even, odd); break;
    default: r = u ? ir.VecMinU(size, even, odd) : ir.VecMinS(size, even, odd); break;
  }
  set(t, o.d, false, r);
  return true;
}

bool native_lengthen(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  auto& ir = t.ir;
  const unsigned wide = size + 1;
  const Value m = second(t, size, o, false);
  const auto wide_m = [&] { return widen(t, size, u, m); };
  const auto wide_n = [&] { return widen(t, size, u, get(t, o.n, false)); };
  const auto product = [&] {
    return u ? ir.VecMulLongU(size, wide_n(), wide_m()) : ir.VecMulLongS(size, wide_n(), wide_m());
  };
  const auto doubled = [&] {
    const Value p = product();
    return ir.VecQAddS(wide, p, p);
  };
  // The absolute difference fits the narrow size as an unsigned number.
  const auto difference = [&] {
    const Value n = get(t, o.n, false);
    return ir.VecWidenU(size, u ? ir.VecSub(size, ir.VecMaxU(size, n, m), ir.VecMinU(size, n, m))
                                : ir.VecSub(size, ir.VecMaxS(size, n, m), ir.VecMinS(size, n, m)));
  };
  const auto d = [&] { return get(t, o.d, true); };
  Value r;
  switch (op) {
    case Op::AddL: r = ir.VecAdd(wide, wide_n(), wide_m()); break;
    case Op::SubL: r = ir.VecSub(wide, wide_n(), wide_m()); break;
    case Op::AddW: r = ir.VecAdd(wide, get(t, o.n, true), wide_m()); break;
    case Op::SubW: r = ir.VecSub(wide, get(t, o.n, true), wide_m()); break;
    case Op::AbdL: r = difference(); break;
    case Op::AbaL: r = ir.VecAdd(wide, d(), difference()); break;
    case Op::MulL: r = product(); break;
    case Op::MulLPoly: r = ir.VecPolynomial(widen(t, 0, true, get(t, o.n, false)), widen(t, 0, true, m)); break;
    case Op::MlaL: r = ir.VecAdd(wide, d(), product()); break;
    case Op::MlsL: r = ir.VecSub(wide, d(), product()); break;
    case Op::QDMulL: r = doubled(); break;
    case Op::QDMlaL: r = ir.VecQAddS(wide, d(), doubled()); break;
    case Op::QDMlsL: r = ir.VecQSubS(wide, d(), doubled()); break;
    case Op::ShlL: r = o.imm ? ir.VecShl(with(wide, o.imm), wide_m()) : wide_m(); break;
    default: return false;
  }
  set(t, o.d, true, r);
  return true;
}

bool native_narrow(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o) {
  auto& ir = t.ir;
  const unsigned bits = 8u << size, wide = size + 1;
  const Value m = get(t, o.m, true);
  const auto n = [&] { return get(t, o.n, true); };
  const auto high = [&](Value v) { return ir.VecNarrow(size, ir.VecShrU(with(wide, bits), v)); };
  const auto rounded = [&](Value v) {
    return ir.VecAdd(wide, v, constant(t, repeat(wide, uint64_t{1} << (bits - 1))));
  };
  const auto saturated = [&](Value v) { return u ? ir.VecQNarrowU(size, v) : ir.VecQNarrowS(size, v); };
  Value r;
  switch (op) {
    case Op::AddHN: r = high(ir.VecAdd(wide, n(), m)); break;
    case Op::RAddHN: r = high(rounded(ir.VecAdd(wide, n(), m))); break;
    case Op::SubHN: r = high(ir.VecSub(wide, n(), m)); break;
    case Op::RSubHN: r = high(rounded(ir.VecSub(wide, n(), m))); break;
    case Op::ShrN: r = ir.VecNarrow(size, ir.VecShrU(with(wide, o.imm), m)); break;
    case Op::RShrN:  // a carry out of the wide element is beyond the narrow one
      r = ir.VecAdd(wide, m, constant(t, repeat(wide, uint64_t{1} << (o.imm - 1))));
      r = ir.VecNarrow(size, ir.VecShrU(with(wide, o.imm), r));
      break;
    case Op::QShrN: r = saturated(shift_right(t, wide, u, o.imm, m)); break;
    case Op::QRShrN: r = saturated(rounding_shift_right(t, wide, u, o.imm, m)); break;
    case Op::QShrUN: r = ir.VecQNarrowSU(size, shift_right(t, wide, false, o.imm, m)); break;
    case Op::QRShrUN: r = ir.VecQNarrowSU(size, rounding_shift_right(t, wide, false, o.imm, m)); break;
    case Op::MovN: r = ir.VecNarrow(size, m); break;
    case Op::QMovN: r = saturated(m); break;
    case Op::QMovUN: r = ir.VecQNarrowSU(size, m); break;
    default: return false;
  }
  set(t, o.d, false, r);
  return true;
}

namespace {

// Table registers n, n+1, ... in vectors of two; a missing second half is zero, and gives zeros as
// VTBL wants.
Value table_vector(TranslateContext& t, const Operands& o, unsigned first) {
  if (first + 1 < o.imm) return t.ir.VecPair(t.ir.GetD(o.n + first), t.ir.GetD(o.n + first + 1));
  return t.ir.VecFromDZero(t.ir.GetD(o.n + first));
}

bool table_lookup(TranslateContext& t, Op op, const Operands& o) {
  auto& ir = t.ir;
  if (o.n + o.imm > 32) return false;  // UNPREDICTABLE: the helper wraps
  const Value index = get(t, o.m, false);
  Value r = ir.VecLookup(table_vector(t, o, 0), index);
  if (o.imm > 2) r = ir.VecOr(r, ir.VecLookup(table_vector(t, o, 2), ir.VecSub(0, index, constant(t, repeat(0, 16)))));
  if (op == Op::Tbx) {
    const Value outside = ir.VecGeU(0, index, constant(t, repeat(0, uint64_t{8} * o.imm)));
    r = ir.VecOr(r, ir.VecAnd(get(t, o.d, false), outside));  // r is zero there
  }
  set(t, o.d, false, r);
  return true;
}

}  // namespace

bool native_permute(TranslateContext& t, Op op, unsigned size, const Operands& o) {
  auto& ir = t.ir;
  switch (op) {
    case Op::Rev64: set(t, o.d, o.q, ir.VecReverse(with(size, 3), get(t, o.m, o.q))); return true;
    case Op::Rev32: set(t, o.d, o.q, ir.VecReverse(with(size, 2), get(t, o.m, o.q))); return true;
    case Op::Rev16: set(t, o.d, o.q, ir.VecReverse(with(size, 1), get(t, o.m, o.q))); return true;
    case Op::Dup: set(t, o.d, o.q, ir.VecDup(with(size, o.index), get(t, o.m, false))); return true;
    case Op::Tbl:
    case Op::Tbx: return table_lookup(t, op, o);
    case Op::Ext: {
      if (o.q) {
        set(t, o.d, true, ir.VecExt(o.imm, get(t, o.n, true), get(t, o.m, true)));
      } else {
        const Value both = ir.VecPair(ir.GetD(o.n), ir.GetD(o.m));
        set(t, o.d, false, ir.VecExt(o.imm, both, both));
      }
      return true;
    }
    default: break;
  }
  // Two results.
  const Value d = get(t, o.d, o.q), m = get(t, o.m, o.q);
  const unsigned bits = 8u << size;
  Value new_d, new_m;
  switch (op) {
    case Op::Swp: new_d = m, new_m = d; break;
    case Op::Trn: {
      // The even elements of both; the odd elements of both.
      const Value even = constant(t, repeat(size + 1, ~uint64_t{0} >> (64 - bits)));
      new_d = ir.VecOr(ir.VecAnd(d, even), ir.VecShl(with(size + 1, bits), m));
      new_m = ir.VecOr(ir.VecShrU(with(size + 1, bits), d), ir.VecAndNot(m, even));
      break;
    }
    case Op::Zip:
      new_d = ir.VecZipLow(size, d, m);
      new_m = o.q ? ir.VecZipHigh(size, d, m) : ir.VecFromD(ir.VecHigh(new_d));
      break;
    case Op::Uzp: {
      const Value first = o.q ? d : ir.VecPair(ir.VecLow(d), ir.VecLow(m)), rest = o.q ? m : first;
      new_d = ir.VecEven(size, first, rest);
      new_m = ir.VecOdd(size, first, rest);
      break;
    }
    default: return false;
  }
  set(t, o.d, o.q, new_d);
  set(t, o.m, o.q, new_m);
  return true;
}

}  // namespace crosswalk::frontend::simd
