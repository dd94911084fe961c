// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, three registers of different lengths, and two registers and a scalar (ARM DDI
// 0406C, A7.4.2-3).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

// The decoder has taken size 11 out.
void lengthen(Translator& t, const Fields& f, Op op) {
  Operands o = operands(f.word);
  o.q = true;
  const bool wide = op == Op::AddW || op == Op::SubW;
  if (o.d & 1 || (wide && o.n & 1)) return t.undefined();
  emit(t, op, size_field(f.word), u_field(f.word), o);
}

void doubling(Translator& t, const Fields& f, Op op) {
  if (size_field(f.word) == 0) return t.undefined();
  lengthen(t, f, op);
}

void narrow(Translator& t, const Fields& f, Op op) {
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
void by_scalar(Translator& t, const Fields& f, Op op) {
  Operands o;
  const bool exists = scalar_operands(f.word, o);
  o.q = u_field(f.word);
  if (!exists || (o.q && (o.d | o.n) & 1)) return t.undefined();
  emit(t, op, size_field(f.word), false, o);
}

void long_by_scalar(Translator& t, const Fields& f, Op op) {
  Operands o;
  const bool exists = scalar_operands(f.word, o);
  o.q = true;
  if (!exists || o.d & 1) return t.undefined();
  emit(t, op, size_field(f.word), u_field(f.word), o);
}

}  // namespace

void SimdVADDL(Translator& t, const Fields& f) { lengthen(t, f, Op::AddL); }
void SimdVADDW(Translator& t, const Fields& f) { lengthen(t, f, Op::AddW); }
void SimdVSUBL(Translator& t, const Fields& f) { lengthen(t, f, Op::SubL); }
void SimdVSUBW(Translator& t, const Fields& f) { lengthen(t, f, Op::SubW); }
void SimdVABAL(Translator& t, const Fields& f) { lengthen(t, f, Op::AbaL); }
void SimdVABDL(Translator& t, const Fields& f) { lengthen(t, f, Op::AbdL); }
void SimdVMLAL(Translator& t, const Fields& f) { lengthen(t, f, Op::MlaL); }
void SimdVMLSL(Translator& t, const Fields& f) { lengthen(t, f, Op::MlsL); }
void SimdVMULL(Translator& t, const Fields& f) { lengthen(t, f, Op::MulL); }
void SimdVQDMLAL(Translator& t, const Fields& f) { doubling(t, f, Op::QDMlaL); }
void SimdVQDMLSL(Translator& t, const Fields& f) { doubling(t, f, Op::QDMlsL); }
void SimdVQDMULL(Translator& t, const Fields& f) { doubling(t, f, Op::QDMulL); }
void SimdVMULL_polynomial(Translator& t, const Fields& f) { lengthen(t, f, Op::MulLPoly); }
void SimdVADDHN(Translator& t, const Fields& f) { narrow(t, f, Op::AddHN); }
void SimdVRADDHN(Translator& t, const Fields& f) { narrow(t, f, Op::RAddHN); }
void SimdVSUBHN(Translator& t, const Fields& f) { narrow(t, f, Op::SubHN); }
void SimdVRSUBHN(Translator& t, const Fields& f) { narrow(t, f, Op::RSubHN); }

void SimdVMLA_scalar(Translator& t, const Fields& f) { by_scalar(t, f, Op::Mla); }
void SimdVMLS_scalar(Translator& t, const Fields& f) { by_scalar(t, f, Op::Mls); }
void SimdVMUL_scalar(Translator& t, const Fields& f) { by_scalar(t, f, Op::Mul); }
void SimdVQDMULH_scalar(Translator& t, const Fields& f) { by_scalar(t, f, Op::QDMulH); }
void SimdVQRDMULH_scalar(Translator& t, const Fields& f) { by_scalar(t, f, Op::QRDMulH); }
void SimdVMLA_scalar_float(Translator& t, const Fields& f) { by_scalar(t, f, Op::FMla); }
void SimdVMLS_scalar_float(Translator& t, const Fields& f) { by_scalar(t, f, Op::FMls); }
void SimdVMUL_scalar_float(Translator& t, const Fields& f) { by_scalar(t, f, Op::FMul); }
void SimdVMLAL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::MlaL); }
void SimdVMLSL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::MlsL); }
void SimdVMULL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::MulL); }
void SimdVQDMLAL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::QDMlaL); }
void SimdVQDMLSL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::QDMlsL); }
void SimdVQDMULL_scalar(Translator& t, const Fields& f) { long_by_scalar(t, f, Op::QDMulL); }

}  // namespace crosswalk::frontend
