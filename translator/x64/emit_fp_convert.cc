// SPDX-License-Identifier: GPL-2.0-or-later
// VFP conversions on SSE and F16C; see emit_fp.h for what differs from them.
#include <bit>

#include "translator/arm32/helpers/fp_helpers.h"
#include "translator/x64/emit_fp.h"

namespace crosswalk::x64 {

using namespace fp;
using ir::FixedPoint;
using ir::Inst;
using Gen = Xbyak::CodeGenerator;

namespace {

constexpr int kBiasSingle = 127, kBiasDouble = 1023;

// 2^n in both lanes that matter.
Xbyak::Address power_of_two(EmitContext& e, Precision p, int n) {
  if (p == Precision::Single) return e.constants.at(static_cast<uint64_t>(kBiasSingle + n) << 23, 0);
  return e.constants.at(static_cast<uint64_t>(kBiasDouble + n) << 52, 0);
}

// x *= 2^n
void scale(EmitContext& e, Precision p, const Xmm& x, int n) {
  if (p == Precision::Single)
    e.code.mulss(x, power_of_two(e, p, n));
  else
    e.code.mulsd(x, power_of_two(e, p, n));
}

void to_fixed(EmitContext& e, const Inst& inst, Precision p, Helper helper) {
  const FixedPoint fixed = FixedPoint::unpack(inst.imm);
  Operation op(e, helper);
  const Xmm x = e.xuse(inst.args[0]);
  const Reg64 r = e.define();
  const Xmm t = fixed.fraction_bits != 0 ? e.xtemp() : x;
  op.operand(p, x);
  op.operand(inst.imm);
  op.result(r);
  op.flush_to_zero_path(arm::kFpModeFz);
  auto& c = e.code;
  const bool single = p == Precision::Single;
  const auto convert = [&](const Xbyak::Reg32e& to, const Xmm& from) {
    if (fixed.fixed_rounding)
      single ? c.cvttss2si(to, from) : c.cvttsd2si(to, from);
    else
      single ? c.cvtss2si(to, from) : c.cvtsd2si(to, from);
  };
  if (fixed.size == 32 && fixed.fraction_bits == 0 && !fixed.is_unsigned) {
    // SSE's result for what does not fit, after Invalid Operation: 0x80000000, the only integer
    // that overflows minus 1.
    convert(r.cvt32(), x);
    c.cmp(r.cvt32(), 1);
    e.labels.jcc(kOverflow, op.slow());
    op.done();
    return;
  }
  // Only what surely fits is converted, as a wider conversion would report inexact where Arm
  // saturates. Rounding to the next integer may reach the limit, so without truncation one bit less
  // is sure.
  const int integer_bits = fixed.size - !fixed.is_unsigned - !fixed.fixed_rounding;
  const int limit = (single ? kBiasSingle : kBiasDouble) + integer_bits - fixed.fraction_bits;
  if (single) {
    c.movd(r.cvt32(), x);
    c.shr(r.cvt32(), 23);
  } else {
    c.movq(r, x);
    c.shr(r, 52);
  }
  // The sign is above the exponent: negative numbers do not fit unsigned ones.
  if (!fixed.is_unsigned) c.and_(r.cvt32(), single ? 0xff : 0x7ff);
  c.cmp(r.cvt32(), limit);
  e.labels.jcc(kAboveEqual, op.slow());
  if (fixed.fraction_bits != 0) {
    c.movaps(t, x);
    scale(e, p, t, fixed.fraction_bits);
  }
  if (fixed.is_unsigned)
    convert(r, t);
  else
    convert(r.cvt32(), t);
  op.done();
}

void from_fixed(EmitContext& e, const Inst& inst, Precision p, Helper helper) {
  const FixedPoint fixed = FixedPoint::unpack(inst.imm);
  Operation op(e, helper);
  const Reg64 n = e.use(inst.args[0]);
  const Xmm r = e.xdefine();
  op.operand(n);
  op.operand(inst.imm);
  op.result(p, r);
  auto& c = e.code;
  const bool single = p == Precision::Single;
  // Fixed-point numbers are rounded to nearest whatever FPSCR.RMode says; only 32 bits to single
  // precision are ever rounded.
  if (fixed.fixed_rounding && single && fixed.size == 32) op.leave_if_mode(arm::kFpModeRounding);
  const bool wide = fixed.is_unsigned && fixed.size == 32;
  c.xorps(r, r);
  const auto convert = [&](const Xbyak::Reg32e& from) { single ? c.cvtsi2ss(r, from) : c.cvtsi2sd(r, from); };
  if (wide)
    convert(n);
  else
    convert(n.cvt32());
  if (fixed.fraction_bits != 0) scale(e, p, r, -fixed.fraction_bits);
  op.done();
}

}  // namespace

void emit_FpToFixed32(EmitContext& e, const Inst& inst) {
  to_fixed(e, inst, Precision::Single, helpers::fp_to_fixed32);
}
void emit_FpToFixed64(EmitContext& e, const Inst& inst) {
  to_fixed(e, inst, Precision::Double, helpers::fp_to_fixed64);
}
void emit_FpFromFixed32(EmitContext& e, const Inst& inst) {
  from_fixed(e, inst, Precision::Single, helpers::fp_from_fixed32);
}
void emit_FpFromFixed64(EmitContext& e, const Inst& inst) {
  from_fixed(e, inst, Precision::Double, helpers::fp_from_fixed64);
}

// Between single and double precision SSE converts NaNs as Arm does without FPSCR.DN.
void emit_FpSingleToDouble(EmitContext& e, const Inst& inst) {
  Operation op(e, helpers::fp_single_to_double);
  const Xmm x = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  op.operand(Precision::Single, x);
  op.result(Precision::Double, r);
  op.leave_if_mode(arm::kFpModeDn);
  op.flush_to_zero_path(arm::kFpModeFz);
  e.code.xorps(r, r);
  e.code.cvtss2sd(r, x);
  op.done();
}

void emit_FpDoubleToSingle(EmitContext& e, const Inst& inst) {
  Operation op(e, helpers::fp_double_to_single);
  const Xmm x = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine(), t = e.xtemp();
  op.operand(Precision::Double, x);
  op.result(Precision::Single, r);
  const auto body = [&c = e.code, x, r] {
    c.xorps(r, r);
    c.cvtsd2ss(r, x);
  };
  op.flush_to_zero_path(arm::kFpModeFz | arm::kFpModeDn, body);
  body();
  op.leave_if_nan_or_least_normal(Precision::Single, r, t);
  op.done();
}

// Half precision: neither operands nor results of that format are flushed. VCVTPH2PS and VCVTPS2PH
// work on four lanes, so the others must be zero.
void emit_FpHalfToSingle(EmitContext& e, const Inst& inst) {
  Operation op(e, helpers::fp_half_to_single);
  const Xmm x = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  const Reg64 half = e.temp();
  op.operand(half);
  op.result(Precision::Single, r);
  auto& c = e.code;
  c.pextrw(half.cvt32(), x, inst.imm & 1);
  if (!e.config.features.f16c) {
    e.labels.jmp(op.slow());
    op.done();
    return;
  }
  op.leave_if_mode(arm::kFpModeDn | arm::kFpModeAhp);
  c.movd(r, half.cvt32());
  c.vcvtph2ps(r, r);
  op.done();
}

void emit_FpSingleToHalf(EmitContext& e, const Inst& inst) {
  Operation op(e, helpers::fp_single_to_half);
  const Xmm x = e.xuse(inst.args[0]);
  const Xmm t = e.xtemp();
  const Reg64 r = e.define(), u = e.temp();
  op.operand(Precision::Single, x);
  op.result(r);
  auto& c = e.code;
  if (!e.config.features.f16c) {
    e.labels.jmp(op.slow());
    op.done();
    return;
  }
  op.leave_if_mode(arm::kFpModeFz | arm::kFpModeDn | arm::kFpModeAhp);
  c.insertps(t, x, 0x0e);  // lane 0 from x, the others zero
  c.vcvtps2ph(t, t, 4);    // rounding as MXCSR says
  c.movd(r.cvt32(), t);
  c.mov(u.cvt32(), r.cvt32());
  c.and_(u.cvt32(), 0x7fff);
  c.cmp(u.cvt32(), 0x0400);  // the least normal number
  e.labels.jcc(kEqual, op.slow());
  op.done();
}

}  // namespace crosswalk::x64
