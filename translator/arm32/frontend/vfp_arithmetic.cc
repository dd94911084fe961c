// SPDX-License-Identifier: GPL-2.0-or-later
// VFP arithmetic and comparison (ARM DDI 0406C, A7.5 table A7-16 and the first half of A7-17).
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/frontend/vfp_common.h"

namespace crosswalk::frontend {

using namespace vfp;

namespace {

Value multiply(TranslateContext& t, Fields<"MNmnz"> f) {
  const Value n = get_n(t, f), m = get_m(t, f);
  return is_double(f) ? t.ir.FpMul64(n, m) : t.ir.FpMul32(n, m);
}
Value negate(TranslateContext& t, Fields<"z"> f, Value v) { return is_double(f) ? t.ir.FpNeg64(v) : t.ir.FpNeg32(v); }

// FPSCR.NZCV of a comparison.
void compare(TranslateContext& t, Fields<"Ez"> f, Value a, Value b) {
  t.ir.FpSetNzcv(is_double(f) ? t.ir.FpCompare64(f['E'], a, b) : t.ir.FpCompare32(f['E'], a, b));
}

}  // namespace

HANDLER(VfpAdd) {
  t.check_fp_scalar();
  const Value n = get_n(t, f), m = get_m(t, f);
  set_d(t, f, is_double(f) ? t.ir.FpAdd64(n, m) : t.ir.FpAdd32(n, m));
}

HANDLER(VfpSubtract) {
  t.check_fp_scalar();
  const Value n = get_n(t, f), m = get_m(t, f);
  set_d(t, f, is_double(f) ? t.ir.FpSub64(n, m) : t.ir.FpSub32(n, m));
}

HANDLER(VfpMultiply) {
  t.check_fp_scalar();
  set_d(t, f, multiply(t, f));
}

HANDLER(VfpMultiplyNegate) {
  t.check_fp_scalar();
  set_d(t, f, negate(t, f, multiply(t, f)));
}

HANDLER(VfpDivide) {
  t.check_fp_scalar();
  const Value n = get_n(t, f), m = get_m(t, f);
  set_d(t, f, is_double(f) ? t.ir.FpDiv64(n, m) : t.ir.FpDiv32(n, m));
}

// VMLA, VMLS, VNMLA, VNMLS: rounded twice. Bit 20 negates the addend, and the product is negated by
// bit 6.
HANDLER(VfpMultiplyAccumulate) {
  t.check_fp_scalar();
  const bool negate_addend = f.word >> 20 & 1, negate_product = f.word >> 6 & 1;
  Value product = multiply(t, f), addend = get_d(t, f);
  if (negate_product) product = negate(t, f, product);
  if (negate_addend) addend = negate(t, f, addend);
  set_d(t, f, is_double(f) ? t.ir.FpAdd64(addend, product) : t.ir.FpAdd32(addend, product));
}

// VFMA, VFMS, VFNMA, VFNMS: rounded once. The operands are negated, which shows when they are NaNs.
HANDLER(VfpFusedMultiply) {
  t.check_fp_scalar();
  const bool negate_addend = f.word >> 20 & 1, negate_product = f.word >> 6 & 1;
  Value addend = get_d(t, f), n = get_n(t, f);
  const Value m = get_m(t, f);
  if (negate_product) n = negate(t, f, n);
  if (negate_addend) addend = negate(t, f, addend);
  set_d(t, f, is_double(f) ? t.ir.FpMulAdd64(addend, n, m) : t.ir.FpMulAdd32(addend, n, m));
}

HANDLER(VfpAbsolute) {
  t.check_fp_scalar();
  const Value m = get_m(t, f);
  set_d(t, f, is_double(f) ? t.ir.FpAbs64(m) : t.ir.FpAbs32(m));
}

HANDLER(VfpNegate) {
  t.check_fp_scalar();
  set_d(t, f, negate(t, f, get_m(t, f)));
}

HANDLER(VfpSquareRoot) {
  t.check_fp_scalar();
  const Value m = get_m(t, f);
  set_d(t, f, is_double(f) ? t.ir.FpSqrt64(m) : t.ir.FpSqrt32(m));
}

// Comparisons are scalar whatever FPSCR.Len says.
HANDLER(VfpCompare) {
  t.check_fp_enabled();
  compare(t, f, get_d(t, f), get_m(t, f));
}

HANDLER(VfpCompareZero) {
  t.check_fp_enabled();
  const Value zero = is_double(f) ? t.ir.X64FromI64(ir::Builder::Imm64(0)) : t.ir.X32FromI32(ir::Builder::Imm(0));
  compare(t, f, get_d(t, f), zero);
}

}  // namespace crosswalk::frontend
