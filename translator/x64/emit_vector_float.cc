// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD floating point on SSE, exact in values and cumulative flags (ARM DDI 0406C, A2.7).
//
// SSE with FTZ and DAZ agrees with the standard FPSCR value except that it
//  - raises nothing for an input denormal that it flushes (Arm: IDC);
//  - raises PE with UE for a flushed result, and decides after rounding what is tiny (Arm: UFC
//    alone, before rounding);
//  - propagates NaNs, and its default NaN is negative.
// So each operation first checks that no operand is so small that it is a denormal or could give a
// tiny result. If one is, or for the few other cases named below, the block leaves for the exact
// function, which does the whole operation by integers.
#include <initializer_list>

#include "translator/arm32/helpers/simd_helpers.h"
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

using helpers::simd::Op;

// Below these magnitudes (other than zero) an operand leaves the fast path.
constexpr uint32_t kDenormal = 0x00800000;  // smallest normal
// Sums of values of at least 2^-100 are multiples of 2^-123.
constexpr uint32_t kSmallAddend = (127 - 100) << 23;
// Products of values of at least 2^-62 are at least 2^-124, and multiples of 2^-170: a fused sum of
// one and a third such value cannot be tiny either, as it would need to cancel against a value of
// 2^-62.
constexpr uint32_t kSmallFactor = (127 - 62) << 23;

constexpr uint32_t kInfinity = 0x7f800000;

struct Checked {
  Xmm x;
  uint32_t small;
};

class FloatOperation {
 public:
  explicit FloatOperation(EmitContext& e, Op op) : e_(e), op_(op), t_(e.xtemp()), bad_(e.xtemp()), extra_(e.xtemp()) {
    e.need_mxcsr(Rounding::Standard);
  }

  // All registers must have been obtained: code after this is skipped when the slow path is taken.
  // Collects in bad_ the bits of operands that are not zero and below their bound.
  void check(std::initializer_list<Checked> operands) {
    auto& c = e_.code;
    bool first = true;
    for (const Checked& o : operands) {
      const Xmm& collected = first ? bad_ : t_;
      c.movaps(extra_, o.x);
      c.andps(extra_, constant(e_, repeat32(0x7fffffff)));
      c.movaps(collected, extra_);
      c.pcmpgtd(collected, constant(e_, repeat32(o.small - 1)));
      c.pandn(collected, extra_);
      if (!first) c.por(bad_, t_);
      first = false;
    }
  }
  // Also leaves for infinities and NaNs.
  void check_finite(std::initializer_list<Xmm> operands) {
    for (const Xmm& x : operands) {
      e_.code.movaps(t_, x);
      e_.code.andps(t_, constant(e_, repeat32(0x7fffffff)));
      e_.code.pcmpgtd(t_, constant(e_, repeat32(kInfinity - 1)));
      e_.code.por(bad_, t_);
    }
  }
  // Also leaves when one of the lanes compares unordered.
  void check_ordered(const Xmm& n, const Xmm& m) {
    e_.code.movaps(t_, n);
    e_.code.cmpunordps(t_, m);
    e_.code.por(bad_, t_);
  }
  // Also leaves for what is, as a signed integer, above `limit` (with `magnitude`, without its
  // sign), or negative.
  void check_range(const Xmm& x, uint32_t limit, bool magnitude) {
    e_.code.movaps(t_, x);
    if (magnitude)
      e_.code.andps(t_, constant(e_, repeat32(0x7fffffff)));
    else
      e_.code.psrad(t_, 31), e_.code.por(bad_, t_), e_.code.movaps(t_, x);
    e_.code.pcmpgtd(t_, constant(e_, repeat32(limit)));
    e_.code.por(bad_, t_);
  }
  void leave_if_bad() {
    e_.code.ptest(bad_, bad_);
    leave_if_not_zero();
  }
  // FPSCR.AHP, which the standard FPSCR value keeps.
  void leave_if_alternative_half() {
    e_.code.test(state8(offsetof(CpuState, fpscr) + 3), arm::kFpscrAhp >> 24);
    leave_if_not_zero();
  }
  void leave() { e_.labels.jmp(slow_); }
  void leave_if_not_zero() { e_.labels.jcc(kNotEqual, slow_); }

  // The default NaN wherever r is a NaN.
  void default_nan(const Xmm& r) {
    auto& c = e_.code;
    c.movaps(t_, r);
    c.cmpordps(t_, r);
    c.andps(r, t_);
    c.andnps(t_, constant(e_, repeat32(0x7fc00000)));
    c.orps(r, t_);
  }
  // As default_nan, for an instruction whose NaN results need the exact function. EFLAGS.
  void leave_if_nan(const Xmm& r) {
    e_.code.movaps(t_, r);
    e_.code.cmpunordps(t_, r);
    e_.code.ptest(t_, t_);
    leave_if_not_zero();
  }

  // Ends the operation; on the slow path, r = op(d, n, m). The operands must not have been changed,
  // but r may be any of them.
  void finish(const Xmm& r, const Xmm& d, const Xmm& n, const Xmm& m, uint32_t imm = 0, bool with_imm = false) {
    const Label done = e_.labels.make();
    e_.labels.bind(done);
    e_.out_of_line([&e = e_, op = op_, slow = slow_, done, r, d, n, m, imm, with_imm] {
      using namespace Xbyak::util;
      auto& c = e.code;
      e.labels.bind(slow);
      c.sub(rsp, 48);
      c.movups(xword[rsp], d);
      c.movups(xword[rsp + 16], n);
      if (with_imm) c.mov(dword[rsp + 16], imm);
      c.movups(xword[rsp + 32], m);
      e.call_preserving(reinterpret_cast<const void*>(helpers::simd::slow_path(op)));
      c.movups(r, xword[rsp]);
      c.add(rsp, 48);
      e.labels.jmp(done);
    });
  }

  const Xmm& t() const { return t_; }
  const Xmm& extra() const { return extra_; }

 private:
  EmitContext& e_;
  Op op_;
  Xmm t_, bad_, extra_;
  Label slow_ = e_.labels.make();
};

// n op m with one SSE instruction.
void arithmetic(EmitContext& e, const ir::Inst& inst, Op op, uint32_t small, SseOperation f) {
  const Xmm n = e.xuse(inst.args[0]), m = e.xuse(inst.args[1]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{n, small}, {m, small}});
  o.leave_if_bad();
  e.code.movaps(r, n);
  f(e.code, r, m);
  o.default_nan(r);
  o.finish(r, n, n, m);
}

// d + n * m or d - n * m, rounded twice.
void multiply_add(EmitContext& e, const ir::Inst& inst, Op op) {
  const Xmm d = e.xuse(inst.args[0]), n = e.xuse(inst.args[1]), m = e.xuse(inst.args[2]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{d, kSmallAddend}, {n, kSmallFactor}, {m, kSmallFactor}});
  o.leave_if_bad();
  e.code.movaps(o.extra(), n);
  e.code.mulps(o.extra(), m);
  e.code.movaps(r, d);
  if (op == Op::FMla)
    e.code.addps(r, o.extra());
  else
    e.code.subps(r, o.extra());
  o.default_nan(r);
  o.finish(r, d, n, m);
}

void fused(EmitContext& e, const ir::Inst& inst, Op op) {
  const Xmm d = e.xuse(inst.args[0]), n = e.xuse(inst.args[1]), m = e.xuse(inst.args[2]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  if (e.config.features.fma) {
    o.check({{d, kSmallFactor}, {n, kSmallFactor}, {m, kSmallFactor}});
    o.leave_if_bad();
    e.code.movaps(r, d);
    if (op == Op::FFma)
      e.code.vfmadd231ps(r, n, m);
    else
      e.code.vfnmadd231ps(r, n, m);
    // Infinity times zero plus a quiet NaN raises Invalid Operation on Arm only.
    o.leave_if_nan(r);
  } else {
    o.leave();
  }
  o.finish(r, d, n, m);
}

// SSE's maximum is its second operand for equal ones and signals for quiet NaNs: NaNs leave, and
// combining both orders settles the sign of zero.
void extremum(EmitContext& e, const ir::Inst& inst, Op op) {
  auto& c = e.code;
  const Xmm n = e.xuse(inst.args[0]), m = e.xuse(inst.args[1]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{n, kDenormal}, {m, kDenormal}});
  o.check_ordered(n, m);
  o.leave_if_bad();
  c.movaps(r, n);
  c.movaps(o.t(), m);
  if (op == Op::FMax) {
    c.maxps(r, m);
    c.maxps(o.t(), n);
    c.andps(r, o.t());
  } else {
    c.minps(r, m);
    c.minps(o.t(), n);
    c.orps(r, o.t());
  }
  o.finish(r, n, n, m);
}

// The predicates compare n with m, or with `swapped` m with n: GE is LE swapped. They signal
// exactly as FPCompare* does.
void compare(EmitContext& e, const ir::Inst& inst, Op op, bool swapped, SseOperation f) {
  const Xmm n = e.xuse(inst.args[0]), m = e.xuse(inst.args[1]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{n, kDenormal}, {m, kDenormal}});
  o.leave_if_bad();
  e.code.movaps(r, swapped ? m : n);
  f(e.code, r, swapped ? n : m);
  o.finish(r, n, n, m);
}

// 2 - n * m, or (3 - n * m) / 2. Infinity times zero is zero here: infinities and NaNs leave.
void step(EmitContext& e, const ir::Inst& inst, Op op) {
  auto& c = e.code;
  const Xmm n = e.xuse(inst.args[0]), m = e.xuse(inst.args[1]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{n, kSmallFactor}, {m, kSmallFactor}});
  o.check_finite({n, m});
  o.leave_if_bad();
  c.movaps(o.t(), n);
  c.mulps(o.t(), m);
  c.movaps(r, constant(e, repeat32(op == Op::FRecps ? 0x40000000 : 0x40400000)));
  c.subps(r, o.t());
  if (op == Op::FRsqrts) c.mulps(r, constant(e, repeat32(0x3f000000)));
  o.finish(r, n, n, m);
}

// The whole operation by its exact function.
void by_function(EmitContext& e, const ir::Inst& inst, Op op) {
  const Xmm m = e.xuse(inst.args[0]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.leave();
  o.finish(r, m, m, m);
}

// VRECPE and VRSQRTE by a table, where all operands are in [first, first + count) as unsigned
// numbers, without the sign if `magnitude`. The rest leaves: zeros, denormals, infinities, NaNs,
// and what gives a denormal or has no square root.
struct Estimate {
  const helpers::simd::EstimateTable& table;
  unsigned index_shift;  // of the operand, to the index
  uint32_t first, count;
  bool magnitude;
  uint32_t exponents;  // of operand and result: their sum
  bool half;           // with twice the result's exponent
};
void estimate(EmitContext& e, const ir::Inst& inst, Op op, const Estimate& k) {
  if (!e.config.features.avx2) return by_function(e, inst, op);
  using namespace Xbyak::util;
  auto& c = e.code;
  const Xmm m = e.xuse(inst.args[0]);
  FloatOperation o(e, op);
  const Xmm index = e.xtemp();
  const Reg64 table = e.temp();
  const Xmm r = e.xdefine();
  const Xmm &t = o.t(), &mask = o.extra();
  c.vmovdqa(t, m);
  if (k.magnitude) c.vpand(t, t, constant(e, repeat32(0x7fffffff)));
  c.vpsubd(t, t, constant(e, repeat32(k.first)));
  c.vpminud(index, t, constant(e, repeat32(k.count - 1)));
  c.vpxor(index, index, t);
  c.vptest(index, index);
  o.leave_if_not_zero();
  c.mov(table, reinterpret_cast<uint64_t>(k.table.data()));
  c.vpsrld(index, m, static_cast<uint8_t>(k.index_shift));
  c.vpand(index, index, constant(e, repeat32(0xff)));
  c.vpcmpeqd(mask, mask, mask);
  c.vpgatherdd(r, ptr[table + index * 4], mask);
  c.vpand(t, m, constant(e, repeat32(kInfinity)));
  c.vmovdqa(index, constant(e, repeat32(k.exponents << 23)));
  c.vpsubd(index, index, t);
  if (k.half) {
    c.vpsrld(index, index, 1);
    c.vpand(index, index, constant(e, repeat32(kInfinity)));
  }
  c.vpor(r, r, index);
  if (k.magnitude) {
    c.vpand(t, m, constant(e, repeat32(0x80000000)));
    c.vpor(r, r, t);
  }
  o.finish(r, m, m, m);
}

constexpr uint32_t power_of_two(int exponent) { return static_cast<uint32_t>(127 + exponent) << 23; }

// Values that saturate, NaNs and denormals leave; for unsigned results also everything of 2^31 or
// more, or with a sign.
void to_fixed(EmitContext& e, const ir::Inst& inst, Op op) {
  const int fraction = static_cast<int>(inst.imm);
  const Xmm m = e.xuse(inst.args[0]);
  FloatOperation o(e, op);
  const Xmm r = e.xdefine();
  o.check({{m, kDenormal}});
  o.check_range(m, power_of_two(31 - fraction) - 1, op == Op::FToS);
  o.leave_if_bad();
  e.code.movaps(r, m);
  if (fraction) e.code.mulps(r, constant(e, repeat32(power_of_two(fraction))));  // exact
  e.code.cvttps2dq(r, r);
  o.finish(r, m, m, m, inst.imm, true);
}

}  // namespace

void emit_VecFAdd(EmitContext& e, const ir::Inst& inst) { arithmetic(e, inst, Op::FAdd, kSmallAddend, SSE(addps)); }
void emit_VecFSub(EmitContext& e, const ir::Inst& inst) { arithmetic(e, inst, Op::FSub, kSmallAddend, SSE(subps)); }
void emit_VecFMul(EmitContext& e, const ir::Inst& inst) { arithmetic(e, inst, Op::FMul, kSmallFactor, SSE(mulps)); }
void emit_VecFMla(EmitContext& e, const ir::Inst& inst) { multiply_add(e, inst, Op::FMla); }
void emit_VecFMls(EmitContext& e, const ir::Inst& inst) { multiply_add(e, inst, Op::FMls); }
void emit_VecFFma(EmitContext& e, const ir::Inst& inst) { fused(e, inst, Op::FFma); }
void emit_VecFFms(EmitContext& e, const ir::Inst& inst) { fused(e, inst, Op::FFms); }
void emit_VecFMax(EmitContext& e, const ir::Inst& inst) { extremum(e, inst, Op::FMax); }
void emit_VecFMin(EmitContext& e, const ir::Inst& inst) { extremum(e, inst, Op::FMin); }
void emit_VecFEq(EmitContext& e, const ir::Inst& inst) { compare(e, inst, Op::FCmpEq, false, SSE(cmpeqps)); }
void emit_VecFGe(EmitContext& e, const ir::Inst& inst) { compare(e, inst, Op::FCmpGe, true, SSE(cmpleps)); }
void emit_VecFGt(EmitContext& e, const ir::Inst& inst) { compare(e, inst, Op::FCmpGt, true, SSE(cmpltps)); }
void emit_VecFRecpe(EmitContext& e, const ir::Inst& inst) {
  estimate(e, inst, Op::FRecpe,
           {helpers::simd::kRecipEstimates, 15, kDenormal, power_of_two(126) - kDenormal, true, 253, false});
}
void emit_VecFRsqrte(EmitContext& e, const ir::Inst& inst) {
  estimate(e, inst, Op::FRsqrte,
           {helpers::simd::kRsqrtEstimates, 16, kDenormal, kInfinity - kDenormal, false, 380, true});
}
namespace {

// r = table[index] with the bit above, at the top of each word. `mask` is changed.
void look_up_estimates(EmitContext& e, const Xmm& r, const helpers::simd::EstimateTable& table, const Reg64& pointer,
                       const Xmm& index, const Xmm& mask) {
  using namespace Xbyak::util;
  auto& c = e.code;
  c.mov(pointer, reinterpret_cast<uint64_t>(table.data()));
  c.vpcmpeqd(mask, mask, mask);
  c.vpgatherdd(r, ptr[pointer + index * 4], mask);
  c.vpslld(r, r, 8);
  c.vpor(r, r, constant(e, repeat32(0x80000000)));
}

}  // namespace

void emit_VecURecpe(EmitContext& e, const ir::Inst& inst) {
  if (!e.config.features.avx2) return by_function(e, inst, Op::URecpe);
  auto& c = e.code;
  const Xmm m = e.xuse(inst.args[0]);
  const Xmm index = e.xtemp(), t = e.xtemp();
  const Reg64 pointer = e.temp();
  const Xmm r = e.xdefine();
  c.vpsrld(index, m, 23);
  c.vpand(index, index, constant(e, repeat32(0xff)));
  look_up_estimates(e, r, helpers::simd::kRecipEstimates, pointer, index, t);
  c.vpcmpeqd(index, index, index);  // below 0.5: all ones
  c.vpsrad(t, m, 31);
  c.vpandn(index, t, index);
  c.vpor(r, r, index);
  e.flags.keep();
}
void emit_VecURsqrte(EmitContext& e, const ir::Inst& inst) {
  if (!e.config.features.avx2) return by_function(e, inst, Op::URsqrte);
  auto& c = e.code;
  const Xmm m = e.xuse(inst.args[0]);
  const Xmm index = e.xtemp(), t = e.xtemp();
  const Reg64 pointer = e.temp();
  const Xmm r = e.xdefine();
  // In [0.25, 0.5), which bit 7 of the index says, and from 0.5 on.
  c.vpsrld(index, m, 23);
  c.vpand(index, index, constant(e, repeat32(0xff)));
  c.vpsrld(t, m, 24);
  c.vpand(t, t, constant(e, repeat32(0x7f)));
  c.vblendvps(index, index, t, m);
  look_up_estimates(e, r, helpers::simd::kRsqrtEstimates, pointer, index, t);
  c.vpsrld(index, m, 30);  // below 0.25: all ones
  c.vpxor(t, t, t);
  c.vpcmpeqd(index, index, t);
  c.vpor(r, r, index);
  e.flags.keep();
}

void emit_VecFRecps(EmitContext& e, const ir::Inst& inst) { step(e, inst, Op::FRecps); }
void emit_VecFRsqrts(EmitContext& e, const ir::Inst& inst) { step(e, inst, Op::FRsqrts); }
void emit_VecFToS(EmitContext& e, const ir::Inst& inst) { to_fixed(e, inst, Op::FToS); }
void emit_VecFToU(EmitContext& e, const ir::Inst& inst) { to_fixed(e, inst, Op::FToU); }

// Half precision, by F16C: neither operands nor results of that format are flushed to zero. The
// alternative format (FPSCR.AHP), denormal operands and NaNs leave; and results that may have been
// tiny before they were rounded, which F16C does not report.
void emit_VecFToHalf(EmitContext& e, const ir::Inst& inst) {
  if (!e.config.features.f16c) return by_function(e, inst, Op::FToHalf);
  auto& c = e.code;
  const Xmm m = e.xuse(inst.args[0]);
  FloatOperation o(e, Op::FToHalf);
  const Xmm r = e.xdefine();
  o.check({{m, kDenormal}});
  o.check_ordered(m, m);
  o.leave_if_bad();
  o.leave_if_alternative_half();
  c.vcvtps2ph(r, m, 0);  // to nearest
  c.movdqa(o.t(), r);
  c.pand(o.t(), constant(e, repeat16(0x7fff)));
  c.pcmpeqw(o.t(), constant(e, repeat16(0x0400)));
  c.ptest(o.t(), o.t());
  o.leave_if_not_zero();
  o.finish(r, m, m, m);
}
void emit_VecFFromHalf(EmitContext& e, const ir::Inst& inst) {
  if (!e.config.features.f16c) return by_function(e, inst, Op::FFromHalf);
  const Xmm m = e.xuse(inst.args[0]);
  FloatOperation o(e, Op::FFromHalf);
  const Xmm r = e.xdefine();
  o.leave_if_alternative_half();
  e.code.vcvtph2ps(r, m);
  o.leave_if_nan(r);
  o.finish(r, m, m, m);
}

void emit_VecFFromS(EmitContext& e, const ir::Inst& inst) {
  e.need_mxcsr(Rounding::Standard);
  const Xmm m = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.cvtdq2ps(r, m);
  // exact
  if (inst.imm) e.code.mulps(r, constant(e, repeat32(power_of_two(-static_cast<int>(inst.imm)))));
}

void emit_VecFFromU(EmitContext& e, const ir::Inst& inst) {
  // Both halves convert exactly; the sum rounds once.
  e.need_mxcsr(Rounding::Standard);
  const Xmm low = e.xuse_copy(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.movaps(r, low);
  e.code.psrld(r, 16);
  e.code.andps(low, constant(e, repeat32(0xffff)));
  e.code.cvtdq2ps(r, r);
  e.code.cvtdq2ps(low, low);
  e.code.mulps(r, constant(e, repeat32(power_of_two(16))));
  e.code.addps(r, low);
  if (inst.imm) e.code.mulps(r, constant(e, repeat32(power_of_two(-static_cast<int>(inst.imm)))));
}

}  // namespace crosswalk::x64
