// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, three registers of different lengths, and two registers and a scalar (ARM DDI
// 0406C, A7.4.2-3).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

// The decoder has taken size 11 out.
void lengthen(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  o.q = true;
  const bool wide = op == Op::AddW || op == Op::SubW;
  if (o.d & 1 || (wide && o.n & 1)) return t.undefined();
  emit(t, op, size_field(f.word), u_field(f.word), o);
}

void doubling(TranslateContext& t, Fields<> f, Op op) {
  if (size_field(f.word) == 0) return t.undefined();
  lengthen(t, f, op);
}

void narrow(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  o.q = false;
  if ((o.n | o.m) & 1) return t.undefined();
  emit(t, op, size_field(f.word), true, o);
}

// Dm[x]: a halfword of D0-D7 or a word of D0-D15.
bool scalar_operands(uint32_t word, Operands& o) {
  o = operands(word);
  o.scalar = true;
  switch (size_field(word)) {
    case 1:
      o.index = static_cast<uint8_t>((word >> 4 & 2) | (word >> 3 & 1));
      o.m = word & 7;
      return true;
    case 2:
      o.index = word >> 5 & 1;
      o.m = word & 15;
      return true;
    default: return false;
  }
}

// Bit 24 is Q here.
void by_scalar(TranslateContext& t, Fields<> f, Op op) {
  Operands o;
  const bool exists = scalar_operands(f.word, o);
  o.q = u_field(f.word);
  if (!exists || (o.q && (o.d | o.n) & 1)) return t.undefined();
  emit(t, op, size_field(f.word), false, o);
}

void long_by_scalar(TranslateContext& t, Fields<> f, Op op) {
  Operands o;
  const bool exists = scalar_operands(f.word, o);
  o.q = true;
  if (!exists || o.d & 1) return t.undefined();
  emit(t, op, size_field(f.word), u_field(f.word), o);
}

}  // namespace

HANDLER(SimdVADDL) { lengthen(t, f, Op::AddL); }
HANDLER(SimdVADDW) { lengthen(t, f, Op::AddW); }
HANDLER(SimdVSUBL) { lengthen(t, f, Op::SubL); }
HANDLER(SimdVSUBW) { lengthen(t, f, Op::SubW); }
HANDLER(SimdVABAL) { lengthen(t, f, Op::AbaL); }
HANDLER(SimdVABDL) { lengthen(t, f, Op::AbdL); }
HANDLER(SimdVMLAL) { lengthen(t, f, Op::MlaL); }
HANDLER(SimdVMLSL) { lengthen(t, f, Op::MlsL); }
HANDLER(SimdVMULL) { lengthen(t, f, Op::MulL); }
HANDLER(SimdVQDMLAL) { doubling(t, f, Op::QDMlaL); }
HANDLER(SimdVQDMLSL) { doubling(t, f, Op::QDMlsL); }
HANDLER(SimdVQDMULL) { doubling(t, f, Op::QDMulL); }
HANDLER(SimdVMULL_polynomial) { lengthen(t, f, Op::MulLPoly); }
HANDLER(SimdVADDHN) { narrow(t, f, Op::AddHN); }
HANDLER(SimdVRADDHN) { narrow(t, f, Op::RAddHN); }
HANDLER(SimdVSUBHN) { narrow(t, f, Op::SubHN); }
HANDLER(SimdVRSUBHN) { narrow(t, f, Op::RSubHN); }

HANDLER(SimdVMLA_scalar) { by_scalar(t, f, Op::Mla); }
HANDLER(SimdVMLS_scalar) { by_scalar(t, f, Op::Mls); }
HANDLER(SimdVMUL_scalar) { by_scalar(t, f, Op::Mul); }
HANDLER(SimdVQDMULH_scalar) { by_scalar(t, f, Op::QDMulH); }
HANDLER(SimdVQRDMULH_scalar) { by_scalar(t, f, Op::QRDMulH); }
HANDLER(SimdVMLA_scalar_float) { by_scalar(t, f, Op::FMla); }
HANDLER(SimdVMLS_scalar_float) { by_scalar(t, f, Op::FMls); }
HANDLER(SimdVMUL_scalar_float) { by_scalar(t, f, Op::FMul); }
HANDLER(SimdVMLAL_scalar) { long_by_scalar(t, f, Op::MlaL); }
HANDLER(SimdVMLSL_scalar) { long_by_scalar(t, f, Op::MlsL); }
HANDLER(SimdVMULL_scalar) { long_by_scalar(t, f, Op::MulL); }
HANDLER(SimdVQDMLAL_scalar) { long_by_scalar(t, f, Op::QDMlaL); }
HANDLER(SimdVQDMLSL_scalar) { long_by_scalar(t, f, Op::QDMlsL); }
HANDLER(SimdVQDMULL_scalar) { long_by_scalar(t, f, Op::QDMulL); }

}  // namespace crosswalk::frontend
