// SPDX-License-Identifier: GPL-2.0-or-later
// VFP conversions (ARM DDI 0406C, A8.8.304-310). They are scalar whatever FPSCR.Len says.
#include "translator/arm32/frontend/vfp_common.h"

namespace crosswalk::frontend {

using namespace vfp;

// sz is the precision of the source.
HANDLER(VfpConvertPrecision) {
  t.check_fp_enabled();
  if (is_double(f))
    t.ir.SetS(single_d(f), t.ir.FpDoubleToSingle(t.ir.GetD(double_m(f))));
  else
    t.ir.SetD(double_d(f), t.ir.FpSingleToDouble(t.ir.GetS(single_m(f))));
}

HANDLER(VfpConvertFromHalf) {
  t.check_fp_enabled();
  t.ir.SetS(single_d(f), t.ir.FpHalfToSingle(f['T'], t.ir.GetS(single_m(f))));
}

// The other half of the destination stays.
HANDLER(VfpConvertToHalf) {
  t.check_fp_enabled();
  const Value half = t.ir.FpSingleToHalf(t.ir.GetS(single_m(f)));
  const Value old = t.ir.I32FromX32(t.ir.GetS(single_d(f)));
  const bool top = f['T'] != 0;
  const Value kept = t.ir.And(old, ir::Builder::Imm(top ? 0xffff : 0xffff0000));
  t.ir.SetS(single_d(f), t.ir.X32FromI32(t.ir.Or(kept, top ? t.ir.Lsl(16, half) : half)));
}

HANDLER(VfpConvertFromInteger) {
  t.check_fp_enabled();
  ir::FixedPoint fixed;
  fixed.is_unsigned = f['s'] == 0;
  const Value integer = t.ir.I32FromX32(t.ir.GetS(single_m(f)));
  set_d(t, f, is_double(f) ? t.ir.FpFromFixed64(fixed.pack(), integer) : t.ir.FpFromFixed32(fixed.pack(), integer));
}

// r = 1: towards zero; r = 0, VCVTR: as FPSCR says.
HANDLER(VfpConvertToInteger) {
  t.check_fp_enabled();
  ir::FixedPoint fixed;
  fixed.is_unsigned = f['s'] == 0;
  fixed.fixed_rounding = f['r'] != 0;
  const Value m = get_m(t, f);
  const Value integer = is_double(f) ? t.ir.FpToFixed64(fixed.pack(), m) : t.ir.FpToFixed32(fixed.pack(), m);
  t.ir.SetS(single_d(f), t.ir.X32FromI32(integer));
}

namespace {

// False when the number of fraction bits would be negative: UNPREDICTABLE.
bool fixed_format(Fields<"ijux"> f, ir::FixedPoint& fixed) {
  const uint32_t immediate = f['j'] << 1 | f['i'];
  fixed.size = f['x'] ? 32 : 16;
  if (immediate > fixed.size) return false;
  fixed.fraction_bits = static_cast<uint8_t>(fixed.size - immediate);
  fixed.is_unsigned = f['u'] != 0;
  fixed.fixed_rounding = true;
  return true;
}

}  // namespace

HANDLER(VfpConvertFromFixed) {
  ir::FixedPoint fixed;
  if (!fixed_format(f, fixed)) return t.unpredictable();
  t.check_fp_enabled();
  // The low `size` bits of the register.
  Value integer = is_double(f) ? t.ir.Low(t.ir.I64FromX64(get_d(t, f))) : t.ir.I32FromX32(get_d(t, f));
  if (fixed.size == 16) integer = fixed.is_unsigned ? t.ir.Uxth(integer) : t.ir.Sxth(integer);
  set_d(t, f, is_double(f) ? t.ir.FpFromFixed64(fixed.pack(), integer) : t.ir.FpFromFixed32(fixed.pack(), integer));
}

// The result is extended to the whole register.
HANDLER(VfpConvertToFixed) {
  ir::FixedPoint fixed;
  if (!fixed_format(f, fixed)) return t.unpredictable();
  t.check_fp_enabled();
  if (!is_double(f)) {
    set_d(t, f, t.ir.X32FromI32(t.ir.FpToFixed32(fixed.pack(), get_d(t, f))));
    return;
  }
  const Value integer = t.ir.FpToFixed64(fixed.pack(), get_d(t, f));
  set_d(t, f, t.ir.X64FromI64(fixed.is_unsigned ? t.ir.Uxt64(integer) : t.ir.Sxt64(integer)));
}

}  // namespace crosswalk::frontend
