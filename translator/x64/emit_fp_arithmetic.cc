// SPDX-License-Identifier: GPL-2.0-or-later
// VFP arithmetic and comparison on SSE; see emit_fp.h for what differs from it.
#include "translator/arm32/helpers/fp_helpers.h"
#include "translator/x64/emit_fp.h"

namespace crosswalk::x64 {

using namespace Xbyak::util;

using namespace fp;
using ir::Inst;

namespace {

// Whether a result can be tiny and inexact: sums of representable numbers and square roots cannot.
enum class Underflow : uint8_t { Never, Possible };

// result = vex(a, b), or where the host has no AVX, result = f(result = a, b).
template <class F, class Vex>
void binary(EmitContext& e, const Inst& inst, Precision p, Underflow underflow, Helper helper, F f, Vex vex) {
  Operation op(e, helper);
  const Xmm a = e.xuse(inst.args[0]), b = e.xuse(inst.args[1]);
  const Xmm r = e.xdefine();
  const Xmm t = underflow == Underflow::Possible ? e.xtemp() : r;
  op.operand(p, a);
  op.operand(p, b);
  op.result(p, r);
  const auto body = [&c = e.code, a, b, r, f, vex, has_vex = e.config.features.avx2] {
    if (has_vex) return vex(c, r, a, b);
    c.movaps(r, a);
    f(c, r, b);
  };
  op.flush_to_zero_path(arm::kFpModeFz, body);
  body();
  if (underflow == Underflow::Possible)
    op.leave_if_nan_or_least_normal(p, r, t);
  else
    op.leave_if_nan(p, r);
  op.done();
}

using Gen = Xbyak::CodeGenerator;

template <class F>
void square_root(EmitContext& e, const Inst& inst, Precision p, Helper helper, F f) {
  Operation op(e, helper);
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  op.operand(p, a);
  op.result(p, r);
  op.flush_to_zero_path(arm::kFpModeFz);  // the root of a normal number is one
  e.code.movaps(r, a);                    // no false dependency on r
  f(e.code, r);
  op.leave_if_nan(p, r);
  op.done();
}

template <class F>
void mul_add(EmitContext& e, const Inst& inst, Precision p, Helper helper, F f) {
  Operation op(e, helper);
  const Xmm addend = e.xuse(inst.args[0]), a = e.xuse(inst.args[1]), b = e.xuse(inst.args[2]);
  const Xmm r = e.xdefine(), t = e.xtemp();
  op.operand(p, addend);
  op.operand(p, a);
  op.operand(p, b);
  op.result(p, r);
  if (!e.config.features.fma) {
    e.labels.jmp(op.slow());
    op.done();
    return;
  }
  const auto body = [&c = e.code, addend, a, b, r, f] {
    c.movaps(r, addend);
    f(c, r, a, b);
  };
  op.flush_to_zero_path(arm::kFpModeFz, body);
  body();
  op.leave_if_nan_or_least_normal(p, r, t);
  op.done();
}

// eax is the NZCV that a comparison's helper returned; EFLAGS become what UCOMIS would have left.
void restore_compared_eflags(Gen& c) {
  c.movzx(eax, byte[r15 + rax + state_displacement(offsetof(CpuState, flag_tables) + offsetof(FlagTables, ah))]);
  c.shl(eax, 8);
  c.sahf();
  c.mov(eax, state32(offsetof(CpuState, fp_operands)));
}

// UCOMIS raises Invalid Operation for signalling NaNs, COMIS for all.
void compare(EmitContext& e, const Inst& inst, Precision p) {
  using namespace helpers;
  const bool signal = inst.imm & 1;
  const Helper helper = p == Precision::Single ? (signal ? fp_compare_signal32 : fp_compare32)
                                               : (signal ? fp_compare_signal64 : fp_compare64);
  Operation op(e, helper);
  e.take(rax);
  const Xmm a = e.xuse(inst.args[0]), b = e.xuse(inst.args[1]);
  op.operand(p, a);
  op.operand(p, b);
  op.result(rax);
  op.flush_to_zero_path(arm::kFpModeFz);
  auto& c = e.code;
  if (p == Precision::Single) {
    if (signal)
      c.comiss(a, b);
    else
      c.ucomiss(a, b);
  } else {
    if (signal)
      c.comisd(a, b);
    else
      c.ucomisd(a, b);
  }
  // EFLAGS are kept: what is conditional on the comparison uses them.
  constexpr size_t kTables = offsetof(CpuState, flag_tables);
  c.lahf();
  c.movzx(eax, ah);
  c.movzx(eax, byte[r15 + rax + state_displacement(kTables + offsetof(FlagTables, relation))]);
  op.after_helper(restore_compared_eflags);
  op.done();
  e.define_as(rax);
  e.flags.result(ir::Value::inst(e.values.current()), EflagsForm::Compared);
}

void sign_operation(EmitContext& e, const Inst& inst, Precision p, bool negate) {
  const Xmm r = e.xdefine_from(inst.args[0]);
  const uint64_t sign = p == Precision::Single ? 0x8000000080000000 : 0x8000000000000000;
  if (negate)
    e.code.xorps(r, e.constants.at(sign, sign));
  else
    e.code.andps(r, e.constants.at(~sign, ~sign));
}

}  // namespace

#define CROSSWALK_BINARY(name, helper, underflow, instruction)                                    \
  void emit_##name##32(EmitContext & e, const Inst& inst) {                                       \
    binary(                                                                                       \
        e, inst, Precision::Single, Underflow::underflow, helpers::helper##32,                    \
        [](Gen& c, const Xmm& r, const Xmm& b) { c.instruction##ss(r, b); },                      \
        [](Gen& c, const Xmm& r, const Xmm& a, const Xmm& b) { c.v##instruction##ss(r, a, b); }); \
  }                                                                                               \
  void emit_##name##64(EmitContext & e, const Inst& inst) {                                       \
    binary(                                                                                       \
        e, inst, Precision::Double, Underflow::underflow, helpers::helper##64,                    \
        [](Gen& c, const Xmm& r, const Xmm& b) { c.instruction##sd(r, b); },                      \
        [](Gen& c, const Xmm& r, const Xmm& a, const Xmm& b) { c.v##instruction##sd(r, a, b); }); \
  }
CROSSWALK_BINARY(FpAdd, fp_add, Never, add)
CROSSWALK_BINARY(FpSub, fp_sub, Never, sub)
CROSSWALK_BINARY(FpMul, fp_mul, Possible, mul)
CROSSWALK_BINARY(FpDiv, fp_div, Possible, div)
#undef CROSSWALK_BINARY

void emit_FpSqrt32(EmitContext& e, const Inst& inst) {
  square_root(e, inst, Precision::Single, helpers::fp_sqrt32, [](Gen& c, const Xmm& r) { c.sqrtss(r, r); });
}
void emit_FpSqrt64(EmitContext& e, const Inst& inst) {
  square_root(e, inst, Precision::Double, helpers::fp_sqrt64, [](Gen& c, const Xmm& r) { c.sqrtsd(r, r); });
}
void emit_FpMulAdd32(EmitContext& e, const Inst& inst) {
  mul_add(e, inst, Precision::Single, helpers::fp_mul_add32,
          [](Gen& c, const Xmm& r, const Xmm& a, const Xmm& b) { c.vfmadd231ss(r, a, b); });
}
void emit_FpMulAdd64(EmitContext& e, const Inst& inst) {
  mul_add(e, inst, Precision::Double, helpers::fp_mul_add64,
          [](Gen& c, const Xmm& r, const Xmm& a, const Xmm& b) { c.vfmadd231sd(r, a, b); });
}

void emit_FpAbs32(EmitContext& e, const Inst& inst) { sign_operation(e, inst, Precision::Single, false); }
void emit_FpAbs64(EmitContext& e, const Inst& inst) { sign_operation(e, inst, Precision::Double, false); }
void emit_FpNeg32(EmitContext& e, const Inst& inst) { sign_operation(e, inst, Precision::Single, true); }
void emit_FpNeg64(EmitContext& e, const Inst& inst) { sign_operation(e, inst, Precision::Double, true); }

void emit_FpCompare32(EmitContext& e, const Inst& inst) { compare(e, inst, Precision::Single); }
void emit_FpCompare64(EmitContext& e, const Inst& inst) { compare(e, inst, Precision::Double); }

void emit_FpSetNzcv(EmitContext& e, const Inst& inst) {
  e.code.mov(state8(offsetof(CpuState, fpscr_nzcv)), e.use(inst.args[0]).cvt8());
}

// arm::write_fpscr, and MXCSR.
void emit_FpWriteFpscr(EmitContext& e, const Inst& inst) {
  e.need_mxcsr(Rounding::Vfp);
  const Reg32 v = e.use(inst.args[0]).cvt32(), r = e.temp().cvt32(), t = e.temp().cvt32();
  auto& c = e.code;
  c.mov(r, v);
  c.and_(r, arm::kFpscrWritableMask & ~arm::kFpscrNzcvMask & ~(arm::kFpscrCumulativeMask & ~arm::kFpscrIdc));
  c.mov(state32(offsetof(CpuState, fpscr)), r);
  c.mov(r, v);
  c.shr(r, 28);
  c.mov(state8(offsetof(CpuState, fpscr_nzcv)), r.cvt8());
  c.mov(state32(offsetof(CpuState, mxcsr_standard)), arm::kMxcsrStandard);
  // Moves bit `from` of FPSCR, or several, to MXCSR.
  const auto move = [&](uint32_t bits, int left) {
    c.mov(t, v);
    c.and_(t, bits);
    if (left > 0)
      c.shl(t, left);
    else
      c.shr(t, -left);
    c.or_(r, t);
  };
  c.mov(r, v);
  c.and_(r, arm::kFpscrIoc);
  c.or_(r, arm::kMxcsrAllMasked);
  move(arm::kFpscrDzc | arm::kFpscrOfc | arm::kFpscrUfc | arm::kFpscrIxc, 1);
  move(1u << 22, 14 - 22);  // RMode 1 is to plus infinity, 2 to minus infinity; SSE's RC the reverse
  move(1u << 23, 13 - 23);
  move(arm::kFpscrFz, 15 - 24);
  move(arm::kFpscrFz, 6 - 24);  // DAZ
  c.mov(state32(offsetof(CpuState, mxcsr)), r);
  c.ldmxcsr(state32(offsetof(CpuState, mxcsr)));
  // fp_mode, as arm::fp_mode_of: what is enabled stays.
  c.mov(r, v);
  c.shr(r, 24);
  c.and_(r, arm::kFpModeFz | arm::kFpModeDn | arm::kFpModeAhp);
  const auto set_if_any = [&](uint32_t bits, uint8_t mode) {
    c.mov(t, v);
    c.and_(t, bits);
    c.neg(t);
    c.sbb(t, t);
    c.and_(t, mode);
    c.or_(r, t);
  };
  set_if_any(arm::kFpscrLenMask | arm::kFpscrStrideMask, arm::kFpModeShortVectors);
  set_if_any(arm::kFpscrRModeMask, arm::kFpModeRounding);
  c.movzx(t, state8(offsetof(CpuState, fp_mode)));
  c.and_(t, arm::kFpModeEnabled | arm::kFpModeSimdEnabled);
  c.or_(r, t);
  c.mov(state8(offsetof(CpuState, fp_mode)), r.cvt8());
}

// arm::read_fpscr with the live MXCSR.
void emit_FpReadFpscr(EmitContext& e, const Inst&) {
  constexpr size_t kMxcsr = offsetof(CpuState, mxcsr);
  e.need_mxcsr(Rounding::Vfp);  // which stores the flags of the other
  const Reg64 r = e.define(), t = e.temp();
  auto& c = e.code;
  c.stmxcsr(state32(kMxcsr));
  c.mov(r.cvt32(), state32(kMxcsr));
  c.or_(r.cvt32(), state32(offsetof(CpuState, mxcsr_standard)));
  c.mov(t.cvt32(), r.cvt32());
  c.and_(t.cvt32(), arm::kMxcsrIe);
  c.shr(r.cvt32(), 1);
  c.and_(r.cvt32(), arm::kFpscrDzc | arm::kFpscrOfc | arm::kFpscrUfc | arm::kFpscrIxc);
  c.or_(r.cvt32(), t.cvt32());
  c.or_(r.cvt32(), state32(offsetof(CpuState, fpscr)));
  c.movzx(t.cvt32(), state8(offsetof(CpuState, fpscr_nzcv)));
  c.shl(t.cvt32(), 28);
  c.or_(r.cvt32(), t.cvt32());
}

}  // namespace crosswalk::x64
