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

void misc(TranslateContext& t, Fields<> f, Op op, unsigned sizes, bool is_unsigned = false) {
  const Operands o = operands(f.word);
  const unsigned size = size_of(f.word);
  if ((o.q && (o.d | o.m) & 1) || !(sizes >> size & 1)) return t.undefined();
  emit(t, op, size, is_unsigned, o);
}

// Integer and, with F (bit 10), floating-point form.
void misc_or_float(TranslateContext& t, Fields<> f, Op integer, Op floating) {
  const bool is_float = f.word >> 10 & 1;
  misc(t, f, is_float ? floating : integer, is_float ? kWords : kUpToWords);
}

void narrow(TranslateContext& t, Fields<> f, Op op, bool is_unsigned) {
  Operands o = operands(f.word);
  o.q = false;
  if (size_of(f.word) == 3 || o.m & 1) return t.undefined();
  emit(t, op, size_of(f.word), is_unsigned, o);
}

void table(TranslateContext& t, Fields<> f, Op op) {
  Operands o = operands(f.word);
  o.q = false;
  o.imm = static_cast<uint8_t>((f.word >> 8 & 3) + 1);
  emit(t, op, 0, true, o);
}

}  // namespace

HANDLER(SimdVREV64) { misc(t, f, Op::Rev64, kUpToWords); }
HANDLER(SimdVREV32) { misc(t, f, Op::Rev32, kBytes | kHalfwords); }
HANDLER(SimdVREV16) { misc(t, f, Op::Rev16, kBytes); }
HANDLER(SimdVCLS) { misc(t, f, Op::Cls, kUpToWords); }
HANDLER(SimdVCLZ) { misc(t, f, Op::Clz, kUpToWords); }
HANDLER(SimdVCNT) { misc(t, f, Op::Cnt, kBytes); }
HANDLER(SimdVMVN) { misc(t, f, Op::Mvn, kBytes); }
HANDLER(SimdVQABS) { misc(t, f, Op::QAbs, kUpToWords); }
HANDLER(SimdVQNEG) { misc(t, f, Op::QNeg, kUpToWords); }
HANDLER(SimdVSWP) { misc(t, f, Op::Swp, kBytes); }
HANDLER(SimdVTRN) { misc(t, f, Op::Trn, kUpToWords); }

HANDLER(SimdVPADDL) { misc(t, f, Op::PAddL, kUpToWords, f.word >> 7 & 1); }
HANDLER(SimdVPADAL) { misc(t, f, Op::PAdaL, kUpToWords, f.word >> 7 & 1); }

// Two words of a D register: the same as VTRN.32, and UNDEFINED under these names.
HANDLER(SimdVUZP) { misc(t, f, Op::Uzp, f.word >> 6 & 1 ? kUpToWords : kBytes | kHalfwords); }
HANDLER(SimdVZIP) { misc(t, f, Op::Zip, f.word >> 6 & 1 ? kUpToWords : kBytes | kHalfwords); }

HANDLER(SimdVCGT_zero) { misc_or_float(t, f, Op::CmpGt0, Op::FCmpGt0); }
HANDLER(SimdVCGE_zero) { misc_or_float(t, f, Op::CmpGe0, Op::FCmpGe0); }
HANDLER(SimdVCEQ_zero) { misc_or_float(t, f, Op::CmpEq0, Op::FCmpEq0); }
HANDLER(SimdVCLE_zero) { misc_or_float(t, f, Op::CmpLe0, Op::FCmpLe0); }
HANDLER(SimdVCLT_zero) { misc_or_float(t, f, Op::CmpLt0, Op::FCmpLt0); }
HANDLER(SimdVABS) { misc_or_float(t, f, Op::Abs, Op::FAbs); }
HANDLER(SimdVNEG) { misc_or_float(t, f, Op::Neg, Op::FNeg); }

HANDLER(SimdVMOVN) { narrow(t, f, Op::MovN, false); }
HANDLER(SimdVQMOVUN) { narrow(t, f, Op::QMovUN, false); }
HANDLER(SimdVQMOVN) { narrow(t, f, Op::QMovN, f.word >> 6 & 1); }

HANDLER(SimdVSHLL_maximum) {
  Operands o = operands(f.word);
  const unsigned size = size_of(f.word);
  o.imm = static_cast<uint8_t>(8u << size);
  o.q = true;
  if (size == 3 || o.d & 1) return t.undefined();
  emit(t, Op::ShlL, size, false, o);
}

HANDLER(SimdVCVT_half_from_single) {
  const Operands o = operands(f.word);
  if (size_of(f.word) != 1 || o.m & 1) return t.undefined();
  emit(t, Op::FToHalf, 1, false, o);
}

HANDLER(SimdVCVT_single_from_half) {
  const Operands o = operands(f.word);
  if (size_of(f.word) != 1 || o.d & 1) return t.undefined();
  emit(t, Op::FFromHalf, 1, false, o);
}

// F is bit 8.
HANDLER(SimdVRECPE) { misc(t, f, f.word >> 8 & 1 ? Op::FRecpe : Op::URecpe, kWords); }
HANDLER(SimdVRSQRTE) { misc(t, f, f.word >> 8 & 1 ? Op::FRsqrte : Op::URsqrte, kWords); }

HANDLER(SimdVCVT_float_from_integer) { misc(t, f, f.word >> 7 & 1 ? Op::FFromU : Op::FFromS, kWords); }
HANDLER(SimdVCVT_integer_from_float) { misc(t, f, f.word >> 7 & 1 ? Op::FToU : Op::FToS, kWords); }

HANDLER(SimdVEXT) {
  Operands o = operands(f.word);
  o.imm = static_cast<uint8_t>(f.word >> 8 & 15);
  if (o.q ? ((o.d | o.n | o.m) & 1) != 0 : o.imm > 7) return t.undefined();
  emit(t, Op::Ext, 0, true, o);
}

HANDLER(SimdVTBL) { table(t, f, Op::Tbl); }
HANDLER(SimdVTBX) { table(t, f, Op::Tbx); }

HANDLER(SimdVDUP_scalar) {
  // imm4 = xxx1 byte xxx, xx10 halfword xx, x100 word x.
  Operands o = operands(f.word);
  const unsigned imm4 = f.word >> 16 & 15;
  if ((imm4 & 7) == 0 || (o.q && o.d & 1)) return t.undefined();
  const unsigned size = imm4 & 1 ? 0 : imm4 & 2 ? 1 : 2;
  o.index = static_cast<uint8_t>(imm4 >> (size + 1));
  emit(t, Op::Dup, size, true, o);
}

}  // namespace crosswalk::frontend
