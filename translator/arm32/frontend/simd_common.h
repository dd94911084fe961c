// SPDX-License-Identifier: GPL-2.0-or-later
// What the Advanced SIMD handlers share: every instruction becomes an operation of
// runtime/simd_helpers.h with its operands, and that either vector opcodes (simd_native*.cc) or a
// helper call.
#pragma once

#include "translator/arm32/frontend/handler.h"
#include "translator/arm32/helpers/simd_helpers.h"

namespace crosswalk::frontend::simd {

using helpers::simd::Op;
using helpers::simd::Operands;

// D:Vd, N:Vn, M:Vm and Q, at the same bits in all data-processing encodings.
inline Operands operands(uint32_t word) {
  Operands o;
  o.d = static_cast<uint8_t>((word >> 18 & 16) | (word >> 12 & 15));
  o.n = static_cast<uint8_t>((word >> 3 & 16) | (word >> 16 & 15));
  o.m = static_cast<uint8_t>((word >> 1 & 16) | (word & 15));
  o.q = word >> 6 & 1;
  return o;
}
inline unsigned size_field(uint32_t word) { return word >> 20 & 3; }
inline bool u_field(uint32_t word) { return word >> 24 & 1; }

// Translates one operation. Precondition: it exists for this size (helpers::simd::helper() is not
// null).
void emit(TranslateContext& t, Op op, unsigned size, bool is_unsigned, const Operands& o);

// ---- vector opcodes for whole operations. False: there are none, nothing was emitted.
bool native(TranslateContext& t, Op op, unsigned size, bool is_unsigned, const Operands& o);
bool native_binary(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o);
bool native_unary(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o);
bool native_pairwise(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o);
bool native_lengthen(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o);
bool native_narrow(TranslateContext& t, Op op, unsigned size, bool u, const Operands& o);
bool native_permute(TranslateContext& t, Op op, unsigned size, const Operands& o);
bool native_float(TranslateContext& t, Op op, const Operands& o);

// ---- operands as vectors. A D register's upper half is undefined, or zero with `zero`: for
// opcodes with effects.
inline Value get(TranslateContext& t, unsigned d, bool q, bool zero = false) {
  if (q) return t.ir.GetQ(d >> 1);
  return zero ? t.ir.VecFromDZero(t.ir.GetD(d)) : t.ir.VecFromD(t.ir.GetD(d));
}
inline void set(TranslateContext& t, unsigned d, bool q, Value v) {
  if (q)
    t.ir.SetQ(d >> 1, v);
  else
    t.ir.SetD(d, t.ir.VecLow(v));
}
// The second operand: register m, or its element `index` in every lane.
inline Value second(TranslateContext& t, unsigned size, const Operands& o, bool q, bool zero = false) {
  if (!o.scalar) return get(t, o.m, q, zero);
  const Value v = t.ir.VecDup(size | uint32_t{o.index} << 4, get(t, o.m, false));
  return zero && !q ? t.ir.VecFromDZero(t.ir.VecLow(v)) : v;
}

inline Value constant(TranslateContext& t, uint64_t v) { return t.ir.append(ir::Opcode::VecConst, 0, v, {}); }
// An element's value in all elements of 8 << size bits.
inline uint64_t repeat(unsigned size, uint64_t v) {
  switch (size) {
    case 0: return (v & 0xff) * 0x0101010101010101u;
    case 1: return (v & 0xffff) * 0x0001000100010001u;
    case 2: return (v & 0xffffffff) * 0x0000000100000001u;
    default: return v;
  }
}
inline uint32_t with(unsigned size, unsigned number) { return size | number << 4; }
inline Value shift_right(TranslateContext& t, unsigned size, bool u, unsigned amount, Value v) {
  return u ? t.ir.VecShrU(with(size, amount), v) : t.ir.VecShrS(with(size, amount), v);
}
// (v + (1 << (amount - 1))) >> amount in unbounded precision; amount is 1 to the width.
inline Value rounding_shift_right(TranslateContext& t, unsigned size, bool u, unsigned amount, Value v) {
  const unsigned bits = 8u << size;
  const Value last = t.ir.VecShrU(with(size, bits - 1), t.ir.VecShl(with(size, bits - amount), v));
  return t.ir.VecAdd(size, shift_right(t, size, u, amount, v), last);
}
// All ones in each negative element.
inline Value sign_mask(TranslateContext& t, unsigned size, Value v) {
  return t.ir.VecShrS(with(size, (8u << size) - 1), v);
}
inline Value widen(TranslateContext& t, unsigned size, bool u, Value v) {
  return u ? t.ir.VecWidenU(size, v) : t.ir.VecWidenS(size, v);
}
inline Value select(TranslateContext& t, Value mask, Value yes, Value no) {
  return t.ir.VecOr(t.ir.VecAnd(yes, mask), t.ir.VecAndNot(no, mask));
}

}  // namespace crosswalk::frontend::simd
