// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, two registers and a shift amount, and one register and a modified immediate (ARM
// DDI 0406C, A7.4.4, A7.4.6).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

struct Shift {
  unsigned size;   // of the elements that L:imm6 names
  unsigned left;   // the amount of left shifts, 0 to width - 1
  unsigned right;  // the amount of right shifts, 1 to width
};

// L:imm6 (table A7-12): the highest bit set gives the size. Not 0000xxx.
Shift shift(uint32_t word) {
  const unsigned imm = (word >> 1 & 0x40) | (word >> 16 & 0x3f);
  const unsigned size = imm & 0x40 ? 3 : imm & 0x20 ? 2 : imm & 0x10 ? 1 : 0;
  const unsigned bits = 8u << size;
  return {size, size == 3 ? imm - 64 : imm - bits, size == 3 ? 128 - imm : 2 * bits - imm};
}

void right(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  const Shift s = shift(f.word);
  o.imm = static_cast<uint8_t>(s.right);
  if (o.q && (o.d | o.m) & 1) return t.undefined();
  emit(t, op, s.size, u_field(f.word), o);
}

void left(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  const Shift s = shift(f.word);
  o.imm = static_cast<uint8_t>(s.left);
  if (o.q && (o.d | o.m) & 1) return t.undefined();
  emit(t, op, s.size, u_field(f.word), o);
}

// The size named is the result's; the shift is by 1 to its width.
void right_narrow(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  const Shift s = shift(f.word);
  o.imm = static_cast<uint8_t>(s.right);
  o.q = false;
  if (o.m & 1) return t.undefined();
  emit(t, op, s.size, u_field(f.word), o);
}

void fixed_point(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  o.imm = static_cast<uint8_t>(64 - (f.word >> 16 & 0x3f));
  if (o.q && (o.d | o.m) & 1) return t.undefined();
  emit(t, op, 2, u_field(f.word), o);
}

// AdvSIMDExpandImm (A7.4.6).
uint64_t expand_immediate(bool op, unsigned cmode, uint64_t imm8) {
  switch (cmode >> 1) {
    case 0: return repeat(2, imm8);
    case 1: return repeat(2, imm8 << 8);
    case 2: return repeat(2, imm8 << 16);
    case 3: return repeat(2, imm8 << 24);
    case 4: return repeat(1, imm8);
    case 5: return repeat(1, imm8 << 8);
    case 6: return cmode & 1 ? repeat(2, imm8 << 16 | 0xffff) : repeat(2, imm8 << 8 | 0xff);
    default: break;
  }
  if (cmode & 1) {  // F32
    const uint64_t exponent = imm8 & 0x40 ? 0x1f : 0x20;
    return repeat(2, (imm8 & 0x80) << 24 | exponent << 25 | (imm8 & 0x3f) << 19);
  }
  if (!op) return repeat(0, imm8);
  uint64_t v = 0;
  for (int i = 0; i < 8; i++)
    if (imm8 >> i & 1) v |= uint64_t{0xff} << (8 * i);
  return v;
}

enum class Immediate { Mov, Mvn, Orr, Bic };

void modified_immediate(TranslateContext& t, Fields<> f, Immediate kind) {
  const uint32_t w = f.word;
  const Operands o = operands(w);
  if (o.q && o.d & 1) return t.undefined();
  t.check_simd_enabled();
  const uint64_t imm8 = (w >> 17 & 0x80) | (w >> 12 & 0x70) | (w & 15);
  const uint64_t expanded = expand_immediate(w >> 5 & 1, w >> 8 & 15, imm8);
  const Value imm = constant(t, kind == Immediate::Mvn ? ~expanded : expanded);
  switch (kind) {
    case Immediate::Mov:
    case Immediate::Mvn: set(t, o.d, o.q, imm); break;
    case Immediate::Orr: set(t, o.d, o.q, t.ir.VecOr(get(t, o.d, o.q), imm)); break;
    case Immediate::Bic: set(t, o.d, o.q, t.ir.VecAndNot(get(t, o.d, o.q), imm)); break;
  }
}

}  // namespace

HANDLER(SimdVSHR) { right(t, f, Op::ShrImm); }
HANDLER(SimdVSRA) { right(t, f, Op::SraImm); }
HANDLER(SimdVRSHR) { right(t, f, Op::RShrImm); }
HANDLER(SimdVRSRA) { right(t, f, Op::RSraImm); }
HANDLER(SimdVSRI) { right(t, f, Op::SriImm); }
HANDLER(SimdVSHL_immediate) { left(t, f, Op::ShlImm); }
HANDLER(SimdVSLI) { left(t, f, Op::SliImm); }
HANDLER(SimdVQSHLU) { left(t, f, Op::QShluImm); }
HANDLER(SimdVQSHL_immediate) { left(t, f, Op::QShlImm); }
HANDLER(SimdVSHRN) { right_narrow(t, f, Op::ShrN); }
HANDLER(SimdVRSHRN) { right_narrow(t, f, Op::RShrN); }
HANDLER(SimdVQSHRN) { right_narrow(t, f, Op::QShrN); }
HANDLER(SimdVQRSHRN) { right_narrow(t, f, Op::QRShrN); }
HANDLER(SimdVQSHRUN) { right_narrow(t, f, Op::QShrUN); }
HANDLER(SimdVQRSHRUN) { right_narrow(t, f, Op::QRShrUN); }

HANDLER(SimdVSHLL) {
  Operands o = operands(f.word);
  const Shift s = shift(f.word);
  o.imm = static_cast<uint8_t>(s.left);
  o.q = true;
  if (o.d & 1) return t.undefined();
  emit(t, Op::ShlL, s.size, u_field(f.word), o);
}

HANDLER(SimdVCVT_fixed_from_float) { fixed_point(t, f, u_field(f.word) ? Op::FToU : Op::FToS); }
HANDLER(SimdVCVT_float_from_fixed) { fixed_point(t, f, u_field(f.word) ? Op::FFromU : Op::FFromS); }

HANDLER(SimdVMOV_immediate) { modified_immediate(t, f, Immediate::Mov); }
HANDLER(SimdVMVN_immediate) { modified_immediate(t, f, Immediate::Mvn); }
HANDLER(SimdVORR_immediate) { modified_immediate(t, f, Immediate::Orr); }
HANDLER(SimdVBIC_immediate) { modified_immediate(t, f, Immediate::Bic); }

}  // namespace crosswalk::frontend
