// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, three registers of the same length (ARM DDI 0406C, A7.4.1).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

// Sizes an instruction has, as a bit per value of the size field.
constexpr unsigned kBytes = 1, kHalfwords = 2, kWords = 4, kDoublewords = 8;
constexpr unsigned kUpToWords = kBytes | kHalfwords | kWords, kAll = kUpToWords | kDoublewords;

void same(TranslateContext& t, Fields<> f, Op op, unsigned sizes, bool doubleword_only = false) {
  const Operands o = operands(f.word);
  const unsigned size = size_field(f.word);
  if ((o.q && ((o.d | o.n | o.m) & 1 || doubleword_only)) || !(sizes >> size & 1)) return t.undefined();
  emit(t, op, size, u_field(f.word), o);
}

void bitwise(TranslateContext& t, Fields<> f, Op op) {
  const Operands o = operands(f.word);
  if (o.q && (o.d | o.n | o.m) & 1) return t.undefined();
  emit(t, op, 3, true, o);
}

// sz is bit 20; 1 is UNDEFINED before ARMv8.
void float_same(TranslateContext& t, Fields<> f, Op op, bool doubleword_only = false) {
  const Operands o = operands(f.word);
  if ((o.q && ((o.d | o.n | o.m) & 1 || doubleword_only)) || (f.word >> 20 & 1)) return t.undefined();
  emit(t, op, 2, false, o);
}

}  // namespace

HANDLER(SimdVAND) { bitwise(t, f, Op::And); }
HANDLER(SimdVBIC) { bitwise(t, f, Op::Bic); }
HANDLER(SimdVORR) { bitwise(t, f, Op::Orr); }
HANDLER(SimdVORN) { bitwise(t, f, Op::Orn); }
HANDLER(SimdVEOR) { bitwise(t, f, Op::Eor); }
HANDLER(SimdVBSL) { bitwise(t, f, Op::Bsl); }
HANDLER(SimdVBIT) { bitwise(t, f, Op::Bit); }
HANDLER(SimdVBIF) { bitwise(t, f, Op::Bif); }

HANDLER(SimdVHADD) { same(t, f, Op::HAdd, kUpToWords); }
HANDLER(SimdVRHADD) { same(t, f, Op::RHAdd, kUpToWords); }
HANDLER(SimdVHSUB) { same(t, f, Op::HSub, kUpToWords); }
HANDLER(SimdVQADD) { same(t, f, Op::QAdd, kAll); }
HANDLER(SimdVQSUB) { same(t, f, Op::QSub, kAll); }
HANDLER(SimdVADD) { same(t, f, Op::Add, kAll); }
HANDLER(SimdVSUB) { same(t, f, Op::Sub, kAll); }
HANDLER(SimdVCGT) { same(t, f, Op::CmpGt, kUpToWords); }
HANDLER(SimdVCGE) { same(t, f, Op::CmpGe, kUpToWords); }
HANDLER(SimdVCEQ) { same(t, f, Op::CmpEq, kUpToWords); }
HANDLER(SimdVTST) { same(t, f, Op::Tst, kUpToWords); }
HANDLER(SimdVSHL_register) { same(t, f, Op::Shl, kAll); }
HANDLER(SimdVQSHL_register) { same(t, f, Op::QShl, kAll); }
HANDLER(SimdVRSHL) { same(t, f, Op::RShl, kAll); }
HANDLER(SimdVQRSHL) { same(t, f, Op::QRShl, kAll); }
HANDLER(SimdVMAX) { same(t, f, Op::Max, kUpToWords); }
HANDLER(SimdVMIN) { same(t, f, Op::Min, kUpToWords); }
HANDLER(SimdVABD) { same(t, f, Op::Abd, kUpToWords); }
HANDLER(SimdVABA) { same(t, f, Op::Aba, kUpToWords); }
HANDLER(SimdVMLA) { same(t, f, Op::Mla, kUpToWords); }
HANDLER(SimdVMLS) { same(t, f, Op::Mls, kUpToWords); }
HANDLER(SimdVMUL) { same(t, f, Op::Mul, kUpToWords); }
HANDLER(SimdVMUL_polynomial) { same(t, f, Op::MulPoly, kBytes); }
HANDLER(SimdVQDMULH) { same(t, f, Op::QDMulH, kHalfwords | kWords); }
HANDLER(SimdVQRDMULH) { same(t, f, Op::QRDMulH, kHalfwords | kWords); }
HANDLER(SimdVPADD) { same(t, f, Op::PAdd, kUpToWords, true); }
HANDLER(SimdVPMAX) { same(t, f, Op::PMax, kUpToWords, true); }
HANDLER(SimdVPMIN) { same(t, f, Op::PMin, kUpToWords, true); }

HANDLER(SimdVADD_float) { float_same(t, f, Op::FAdd); }
HANDLER(SimdVSUB_float) { float_same(t, f, Op::FSub); }
HANDLER(SimdVMUL_float) { float_same(t, f, Op::FMul); }
HANDLER(SimdVMLA_float) { float_same(t, f, Op::FMla); }
HANDLER(SimdVMLS_float) { float_same(t, f, Op::FMls); }
HANDLER(SimdVFMA) { float_same(t, f, Op::FFma); }
HANDLER(SimdVFMS) { float_same(t, f, Op::FFms); }
HANDLER(SimdVABD_float) { float_same(t, f, Op::FAbd); }
HANDLER(SimdVMAX_float) { float_same(t, f, Op::FMax); }
HANDLER(SimdVMIN_float) { float_same(t, f, Op::FMin); }
HANDLER(SimdVCEQ_float) { float_same(t, f, Op::FCmpEq); }
HANDLER(SimdVCGE_float) { float_same(t, f, Op::FCmpGe); }
HANDLER(SimdVCGT_float) { float_same(t, f, Op::FCmpGt); }
HANDLER(SimdVACGE) { float_same(t, f, Op::FAbsCmpGe); }
HANDLER(SimdVACGT) { float_same(t, f, Op::FAbsCmpGt); }
HANDLER(SimdVRECPS) { float_same(t, f, Op::FRecps); }
HANDLER(SimdVRSQRTS) { float_same(t, f, Op::FRsqrts); }
HANDLER(SimdVPADD_float) { float_same(t, f, Op::FPAdd, true); }
HANDLER(SimdVPMAX_float) { float_same(t, f, Op::FPMax, true); }
HANDLER(SimdVPMIN_float) { float_same(t, f, Op::FPMin, true); }

}  // namespace crosswalk::frontend
