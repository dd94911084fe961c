// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD, two registers, miscellaneous; VEXT, VTBL, VTBX, VDUP (scalar) (ARM DDI 0406C,
// A7.4.5, A7.4).
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

// The size field of these is bits 19:18.
unsigned size_of(uint32_t word) { return word >> 18 & 3; }

constexpr unsigned kBytes = 1, kHalfwords = 2, kWords = 4;
constexpr unsigned kUpToWords = kBytes | kHalfwords | kWords;

void misc(Translator& t, const Fields& f, Op op, unsigned sizes, bool is_unsigned = false) {
  const Operands o = operands(f.word);
  const unsigned size = size_of(f.word);
  if ((o.q && (o.d | o.m) & 1) || !(sizes >> size & 1)) return t.undefined();
  emit(t, op, size, is_unsigned, o);
}

// Integer and, with F (bit 10), floating-point form.
void misc_or_float(Translator& t, const Fields& f, Op integer, Op floating) {
  const bool is_float = f.word >> 10 & 1;
  misc(t, f, is_float ? floating : integer, is_float ? kWords : kUpToWords);
}

void narrow(Translator& t, const Fields& f, Op op, bool is_unsigned) {
  Operands o = operands(f.word);
  o.q = false;
  if (size_of(f.word) == 3 || o.m & 1) return t.undefined();
  emit(t, op, size_of(f.word), is_unsigned, o);
}

void table(Translator& t, const Fields& f, Op op) {
  Operands o = operands(f.word);
  o.q = false;
  o.imm = static_cast<uint8_t>((f.word >> 8 & 3) + 1);
  emit(t, op, 0, true, o);
}

}  // namespace

void SimdVREV64(Translator& t, const Fields& f) { misc(t, f, Op::Rev64, kUpToWords); }
void SimdVREV32(Translator& t, const Fields& f) { misc(t, f, Op::Rev32, kBytes | kHalfwords); }
void SimdVREV16(Translator& t, const Fields& f) { misc(t, f, Op::Rev16, kBytes); }
void SimdVCLS(Translator& t, const Fields& f) { misc(t, f, Op::Cls, kUpToWords); }
void SimdVCLZ(Translator& t, const Fields& f) { misc(t, f, Op::Clz, kUpToWords); }
void SimdVCNT(Translator& t, const Fields& f) { misc(t, f, Op::Cnt, kBytes); }
void SimdVMVN(Translator& t, const Fields& f) { misc(t, f, Op::Mvn, kBytes); }
void SimdVQABS(Translator& t, const Fields& f) { misc(t, f, Op::QAbs, kUpToWords); }
void SimdVQNEG(Translator& t, const Fields& f) { misc(t, f, Op::QNeg, kUpToWords); }
void SimdVSWP(Translator& t, const Fields& f) { misc(t, f, Op::Swp, kBytes); }
void SimdVTRN(Translator& t, const Fields& f) { misc(t, f, Op::Trn, kUpToWords); }

void SimdVPADDL(Translator& t, const Fields& f) { misc(t, f, Op::PAddL, kUpToWords, f.word >> 7 & 1); }
void SimdVPADAL(Translator& t, const Fields& f) { misc(t, f, Op::PAdaL, kUpToWords, f.word >> 7 & 1); }

// Two words of a D register: the same as VTRN.32, and UNDEFINED under these names.
void SimdVUZP(Translator& t, const Fields& f) {
  misc(t, f, Op::Uzp, f.word >> 6 & 1 ? kUpToWords : kBytes | kHalfwords);
}
void SimdVZIP(Translator& t, const Fields& f) {
  misc(t, f, Op::Zip, f.word >> 6 & 1 ? kUpToWords : kBytes | kHalfwords);
}

void SimdVCGT_zero(Translator& t, const Fields& f) { misc_or_float(t, f, Op::CmpGt0, Op::FCmpGt0); }
void SimdVCGE_zero(Translator& t, const Fields& f) { misc_or_float(t, f, Op::CmpGe0, Op::FCmpGe0); }
void SimdVCEQ_zero(Translator& t, const Fields& f) { misc_or_float(t, f, Op::CmpEq0, Op::FCmpEq0); }
void SimdVCLE_zero(Translator& t, const Fields& f) { misc_or_float(t, f, Op::CmpLe0, Op::FCmpLe0); }
void SimdVCLT_zero(Translator& t, const Fields& f) { misc_or_float(t, f, Op::CmpLt0, Op::FCmpLt0); }
void SimdVABS(Translator& t, const Fields& f) { misc_or_float(t, f, Op::Abs, Op::FAbs); }
void SimdVNEG(Translator& t, const Fields& f) { misc_or_float(t, f, Op::Neg, Op::FNeg); }

void SimdVMOVN(Translator& t, const Fields& f) { narrow(t, f, Op::MovN, false); }
void SimdVQMOVUN(Translator& t, const Fields& f) { narrow(t, f, Op::QMovUN, false); }
void SimdVQMOVN(Translator& t, const Fields& f) { narrow(t, f, Op::QMovN, f.word >> 6 & 1); }

void SimdVSHLL_maximum(Translator& t, const Fields& f) {
  Operands o = operands(f.word);
  const unsigned size = size_of(f.word);
  o.imm = static_cast<uint8_t>(8u << size);
  o.q = true;
  if (size == 3 || o.d & 1) return t.undefined();
  emit(t, Op::ShlL, size, false, o);
}

void SimdVCVT_half_from_single(Translator& t, const Fields& f) {
  const Operands o = operands(f.word);
  if (size_of(f.word) != 1 || o.m & 1) return t.undefined();
  emit(t, Op::FToHalf, 1, false, o);
}

void SimdVCVT_single_from_half(Translator& t, const Fields& f) {
  const Operands o = operands(f.word);
  if (size_of(f.word) != 1 || o.d & 1) return t.undefined();
  emit(t, Op::FFromHalf, 1, false, o);
}

// F is bit 8.
void SimdVRECPE(Translator& t, const Fields& f) { misc(t, f, f.word >> 8 & 1 ? Op::FRecpe : Op::URecpe, kWords); }
void SimdVRSQRTE(Translator& t, const Fields& f) { misc(t, f, f.word >> 8 & 1 ? Op::FRsqrte : Op::URsqrte, kWords); }

void SimdVCVT_float_from_integer(Translator& t, const Fields& f) {
  misc(t, f, f.word >> 7 & 1 ? Op::FFromU : Op::FFromS, kWords);
}
void SimdVCVT_integer_from_float(Translator& t, const Fields& f) {
  misc(t, f, f.word >> 7 & 1 ? Op::FToU : Op::FToS, kWords);
}

void SimdVEXT(Translator& t, const Fields& f) {
  Operands o = operands(f.word);
  o.imm = static_cast<uint8_t>(f.word >> 8 & 15);
  if (o.q ? ((o.d | o.n | o.m) & 1) != 0 : o.imm > 7) return t.undefined();
  emit(t, Op::Ext, 0, true, o);
}

void SimdVTBL(Translator& t, const Fields& f) { table(t, f, Op::Tbl); }
void SimdVTBX(Translator& t, const Fields& f) { table(t, f, Op::Tbx); }

void SimdVDUP_scalar(Translator& t, const Fields& f) {
  // imm4 = xxx1 byte xxx, xx10 halfword xx, x100 word x.
  Operands o = operands(f.word);
  const unsigned imm4 = f.word >> 16 & 15;
  if ((imm4 & 7) == 0 || (o.q && o.d & 1)) return t.undefined();
  const unsigned size = imm4 & 1 ? 0 : imm4 & 2 ? 1 : 2;
  o.index = static_cast<uint8_t>(imm4 >> (size + 1));
  emit(t, Op::Dup, size, true, o);
}

}  // namespace crosswalk::frontend
