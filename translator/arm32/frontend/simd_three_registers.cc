// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, three registers of the same length (ARM DDI 0406C, A7.4.1).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

// Sizes an instruction has, as a bit per value of the size field.
constexpr unsigned kBytes = 1, kHalfwords = 2, kWords = 4, kDoublewords = 8;
constexpr unsigned kUpToWords = kBytes | kHalfwords | kWords, kAll = kUpToWords | kDoublewords;

void same(Translator& t, const Fields& f, Op op, unsigned sizes, bool doubleword_only = false) {
  const Operands o = operands(f.word);
  const unsigned size = size_field(f.word);
  if ((o.q && ((o.d | o.n | o.m) & 1 || doubleword_only)) || !(sizes >> size & 1)) return t.undefined();
  emit(t, op, size, u_field(f.word), o);
}

void bitwise(Translator& t, const Fields& f, Op op) {
  const Operands o = operands(f.word);
  if (o.q && (o.d | o.n | o.m) & 1) return t.undefined();
  emit(t, op, 3, true, o);
}

// sz is bit 20; 1 is UNDEFINED before ARMv8.
void float_same(Translator& t, const Fields& f, Op op, bool doubleword_only = false) {
  const Operands o = operands(f.word);
  if ((o.q && ((o.d | o.n | o.m) & 1 || doubleword_only)) || (f.word >> 20 & 1)) return t.undefined();
  emit(t, op, 2, false, o);
}

}  // namespace

void SimdVAND(Translator& t, const Fields& f) { bitwise(t, f, Op::And); }
void SimdVBIC(Translator& t, const Fields& f) { bitwise(t, f, Op::Bic); }
void SimdVORR(Translator& t, const Fields& f) { bitwise(t, f, Op::Orr); }
void SimdVORN(Translator& t, const Fields& f) { bitwise(t, f, Op::Orn); }
void SimdVEOR(Translator& t, const Fields& f) { bitwise(t, f, Op::Eor); }
void SimdVBSL(Translator& t, const Fields& f) { bitwise(t, f, Op::Bsl); }
void SimdVBIT(Translator& t, const Fields& f) { bitwise(t, f, Op::Bit); }
void SimdVBIF(Translator& t, const Fields& f) { bitwise(t, f, Op::Bif); }

void SimdVHADD(Translator& t, const Fields& f) { same(t, f, Op::HAdd, kUpToWords); }
void SimdVRHADD(Translator& t, const Fields& f) { same(t, f, Op::RHAdd, kUpToWords); }
void SimdVHSUB(Translator& t, const Fields& f) { same(t, f, Op::HSub, kUpToWords); }
void SimdVQADD(Translator& t, const Fields& f) { same(t, f, Op::QAdd, kAll); }
void SimdVQSUB(Translator& t, const Fields& f) { same(t, f, Op::QSub, kAll); }
void SimdVADD(Translator& t, const Fields& f) { same(t, f, Op::Add, kAll); }
void SimdVSUB(Translator& t, const Fields& f) { same(t, f, Op::Sub, kAll); }
void SimdVCGT(Translator& t, const Fields& f) { same(t, f, Op::CmpGt, kUpToWords); }
void SimdVCGE(Translator& t, const Fields& f) { same(t, f, Op::CmpGe, kUpToWords); }
void SimdVCEQ(Translator& t, const Fields& f) { same(t, f, Op::CmpEq, kUpToWords); }
void SimdVTST(Translator& t, const Fields& f) { same(t, f, Op::Tst, kUpToWords); }
void SimdVSHL_register(Translator& t, const Fields& f) { same(t, f, Op::Shl, kAll); }
void SimdVQSHL_register(Translator& t, const Fields& f) { same(t, f, Op::QShl, kAll); }
void SimdVRSHL(Translator& t, const Fields& f) { same(t, f, Op::RShl, kAll); }
void SimdVQRSHL(Translator& t, const Fields& f) { same(t, f, Op::QRShl, kAll); }
void SimdVMAX(Translator& t, const Fields& f) { same(t, f, Op::Max, kUpToWords); }
void SimdVMIN(Translator& t, const Fields& f) { same(t, f, Op::Min, kUpToWords); }
void SimdVABD(Translator& t, const Fields& f) { same(t, f, Op::Abd, kUpToWords); }
void SimdVABA(Translator& t, const Fields& f) { same(t, f, Op::Aba, kUpToWords); }
void SimdVMLA(Translator& t, const Fields& f) { same(t, f, Op::Mla, kUpToWords); }
void SimdVMLS(Translator& t, const Fields& f) { same(t, f, Op::Mls, kUpToWords); }
void SimdVMUL(Translator& t, const Fields& f) { same(t, f, Op::Mul, kUpToWords); }
void SimdVMUL_polynomial(Translator& t, const Fields& f) { same(t, f, Op::MulPoly, kBytes); }
void SimdVQDMULH(Translator& t, const Fields& f) { same(t, f, Op::QDMulH, kHalfwords | kWords); }
void SimdVQRDMULH(Translator& t, const Fields& f) { same(t, f, Op::QRDMulH, kHalfwords | kWords); }
void SimdVPADD(Translator& t, const Fields& f) { same(t, f, Op::PAdd, kUpToWords, true); }
void SimdVPMAX(Translator& t, const Fields& f) { same(t, f, Op::PMax, kUpToWords, true); }
void SimdVPMIN(Translator& t, const Fields& f) { same(t, f, Op::PMin, kUpToWords, true); }

void SimdVADD_float(Translator& t, const Fields& f) { float_same(t, f, Op::FAdd); }
void SimdVSUB_float(Translator& t, const Fields& f) { float_same(t, f, Op::FSub); }
void SimdVMUL_float(Translator& t, const Fields& f) { float_same(t, f, Op::FMul); }
void SimdVMLA_float(Translator& t, const Fields& f) { float_same(t, f, Op::FMla); }
void SimdVMLS_float(Translator& t, const Fields& f) { float_same(t, f, Op::FMls); }
void SimdVFMA(Translator& t, const Fields& f) { float_same(t, f, Op::FFma); }
void SimdVFMS(Translator& t, const Fields& f) { float_same(t, f, Op::FFms); }
void SimdVABD_float(Translator& t, const Fields& f) { float_same(t, f, Op::FAbd); }
void SimdVMAX_float(Translator& t, const Fields& f) { float_same(t, f, Op::FMax); }
void SimdVMIN_float(Translator& t, const Fields& f) { float_same(t, f, Op::FMin); }
void SimdVCEQ_float(Translator& t, const Fields& f) { float_same(t, f, Op::FCmpEq); }
void SimdVCGE_float(Translator& t, const Fields& f) { float_same(t, f, Op::FCmpGe); }
void SimdVCGT_float(Translator& t, const Fields& f) { float_same(t, f, Op::FCmpGt); }
void SimdVACGE(Translator& t, const Fields& f) { float_same(t, f, Op::FAbsCmpGe); }
void SimdVACGT(Translator& t, const Fields& f) { float_same(t, f, Op::FAbsCmpGt); }
void SimdVRECPS(Translator& t, const Fields& f) { float_same(t, f, Op::FRecps); }
void SimdVRSQRTS(Translator& t, const Fields& f) { float_same(t, f, Op::FRsqrts); }
void SimdVPADD_float(Translator& t, const Fields& f) { float_same(t, f, Op::FPAdd, true); }
void SimdVPMAX_float(Translator& t, const Fields& f) { float_same(t, f, Op::FPMax, true); }
void SimdVPMIN_float(Translator& t, const Fields& f) { float_same(t, f, Op::FPMin, true); }

}  // namespace crosswalk::frontend
