// SPDX-License-Identifier: GPL-2.0-or-later
// Shifts of vectors by amounts in a register (ARM DDI 0406C, A8.8.396, VSHL and its family), by the
// variable shifts of AVX2. Their count is unsigned and may be anything: beyond the width they give
// 0, or the sign. So each direction is computed in all elements, and the amount's sign chooses.
#include "translator/arm32/helpers/simd_helpers.h"
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

using ir::VectorShift;

// A host without AVX2: the element-wise function on copies of the operands.
void shift_by_call(EmitContext& e, const ir::Inst& inst, VectorShift s, bool saturating) {
  using namespace Xbyak::util;
  using helpers::simd::Op;
  auto& c = e.code;
  const Xmm value = e.xuse(inst.args[0]), amounts = e.xuse(inst.args[1]);
  const Xmm r = e.xdefine();
  const Op op = saturating ? (s.round ? Op::QRShl : Op::QShl) : (s.round ? Op::RShl : Op::Shl);
  const auto f = helpers::simd::shift_path(op, vector_size(inst), s.is_unsigned);
  c.sub(rsp, 48);
  c.movups(xword[rsp + 16], amounts);
  c.movups(xword[rsp + 32], value);
  e.call_preserving(reinterpret_cast<const void*>(f));
  c.movups(r, xword[rsp]);
  c.add(rsp, 48);
}

// Shifts of the words, or of the doublewords, in registers that emitters share.
class Shifter {
 public:
  // With `saturating`, `lost` collects bits that are set where a lane saturates.
  Shifter(EmitContext& e, VectorShift s, bool saturating)
      : e_(e), c_(e.code), s_(s), saturating_(saturating), left_(e.xtemp()), right_(e.xtemp()), t_(e.xtemp()) {}

  // v = v shifted by a, for numbers of at most `bits` bits, extended to words as the shift's
  // type says; the upper bits of the result are undefined, but with saturation it is extended as v
  // is. a is changed.
  void words(const Xmm& v, const Xmm& a, unsigned bits, const Xmm& lost) {
    const bool narrow = bits < 32;
    // No number is so small that a left shift by its width does not saturate, and all fits 32 bits.
    if (saturating_ && narrow) c_.vpminsd(a, a, constant(e_, repeat32(bits)));
    c_.vpsllvd(left_, v, a);
    if (saturating_ && !narrow) saturate_words(v, a, lost);
    c_.vpabsd(right_, a);
    if (s_.round) {
      c_.vpcmpeqd(t_, t_, t_);
      c_.vpaddd(right_, right_, t_);
      shift_right(right_, v, right_);  // leaves one bit to round by
      c_.vpsrld(t_, t_, 31);
      c_.vpand(t_, t_, right_);
      s_.is_unsigned ? c_.vpsrld(right_, right_, 1) : c_.vpsrad(right_, right_, 1);
      c_.vpaddd(right_, right_, t_);
    } else {
      shift_right(right_, v, right_);
    }
    c_.vblendvps(v, left_, right_, a);
    if (saturating_ && narrow) saturate_narrow(v, bits, lost);
  }

  // v = v shifted by a, whose elements have the amount in bits 63:56 and zeros below. a is changed.
  void doublewords(const Xmm& v, const Xmm& a, const Xmm& sign, const Xmm& lost) {
    c_.vpsrlq(t_, a, 56);
    c_.vpsllvq(left_, v, t_);
    c_.vpxor(right_, right_, right_);
    if (!s_.is_unsigned) c_.vpcmpgtq(sign, right_, v);
    if (saturating_) saturate_doublewords(v, a, sign, lost);
    c_.vpxor(right_, right_, right_);
    c_.vpsubq(right_, right_, a);
    c_.vpsrlq(right_, right_, 56);
    if (s_.round) {
      c_.vpcmpeqd(t_, t_, t_);
      c_.vpaddq(right_, right_, t_);
    }
    // An arithmetic shift is a logical one of a number whose sign's bits are inverted, and back.
    if (!s_.is_unsigned) c_.vpxor(v, v, sign);
    c_.vpsrlvq(right_, v, right_);
    if (s_.round) {
      if (!s_.is_unsigned)
        c_.vpxor(t_, right_, sign);
      else
        c_.vmovdqa(t_, right_);
      c_.vpand(t_, t_, constant(e_, 1));
      c_.vpsrlq(right_, right_, 1);
    }
    if (!s_.is_unsigned) c_.vpxor(right_, right_, sign);
    if (s_.round) c_.vpaddq(right_, right_, t_);
    c_.vblendvpd(v, left_, right_, a);
  }

 private:
  void shift_right(const Xmm& r, const Xmm& v, const Xmm& n) {
    s_.is_unsigned ? c_.vpsrlvd(r, v, n) : c_.vpsravd(r, v, n);
  }

  // left_ is saturated where shifting it back does not give v. Not where the shift is to the right.
  void saturate_words(const Xmm& v, const Xmm& a, const Xmm& lost) {
    shift_right(t_, left_, a);
    c_.vpcmpeqd(t_, t_, v);
    c_.vpsrad(right_, a, 31);
    c_.vpor(t_, t_, right_);  // where nothing is lost
    c_.vpcmpeqd(lost, lost, lost);
    c_.vpxor(lost, lost, t_);
    if (s_.is_unsigned) {
      c_.vpor(left_, left_, lost);
      return;
    }
    c_.vpsrad(right_, v, 31);
    c_.vpxor(right_, right_, constant(e_, repeat32(0x7fffffff)));
    c_.vblendvps(left_, right_, left_, t_);
  }

  // t_: the left shift's amount.
  void saturate_doublewords(const Xmm& v, const Xmm& a, const Xmm& sign, const Xmm& lost) {
    c_.vpxor(right_, right_, right_);
    c_.vpcmpgtq(lost, right_, a);  // a shift to the right
    if (s_.is_unsigned) {
      c_.vpsrlvq(t_, left_, t_);
    } else {
      c_.vpcmpgtq(right_, right_, left_);
      c_.vpxor(left_, left_, right_);
      c_.vpsrlvq(t_, left_, t_);
      c_.vpxor(left_, left_, right_);
      c_.vpxor(t_, t_, right_);
    }
    c_.vpcmpeqq(t_, t_, v);
    c_.vpor(t_, t_, lost);
    c_.vpcmpeqd(lost, lost, lost);
    c_.vpxor(lost, lost, t_);
    if (s_.is_unsigned) {
      c_.vpor(left_, left_, lost);
      return;
    }
    c_.vpxor(right_, sign, constant(e_, 0x7fffffffffffffff));
    c_.vblendvpd(left_, right_, left_, t_);
  }

  void saturate_narrow(const Xmm& v, unsigned bits, const Xmm& lost) {
    if (s_.is_unsigned) {
      c_.vpminud(t_, v, constant(e_, repeat32((1u << bits) - 1)));
    } else {
      c_.vpminsd(t_, v, constant(e_, repeat32((1u << (bits - 1)) - 1)));
      c_.vpmaxsd(t_, t_, constant(e_, repeat32(0u - (1u << (bits - 1)))));
    }
    c_.vpxor(v, v, t_);
    c_.vpor(lost, lost, v);
    c_.vmovdqa(v, t_);
  }

  EmitContext& e_;
  Xbyak::CodeGenerator& c_;
  const VectorShift s_;
  const bool saturating_;
  const Xmm left_, right_, t_;
};

// A pshufb control: bytes of the elements first to first + 3 into the upper bytes of words, or only
// the lowest byte of each.
Xbyak::Address to_upper_bytes(EmitContext& e, unsigned size, unsigned first, bool lowest) {
  const unsigned bytes = lowest ? 1 : 1u << size;
  uint64_t half[2] = {~uint64_t{0}, ~uint64_t{0}};
  for (unsigned lane = 0; lane < 4; lane++) {
    for (unsigned i = 0; i < bytes; i++) {
      const unsigned at = lane % 2 * 32 + 8 * (4 - bytes + i);
      half[lane / 2] &= ~(uint64_t{0xff} << at);
      half[lane / 2] |= uint64_t{((first + lane) << size) + i} << at;
    }
  }
  return e.constants.at(half[0], half[1]);
}

// Bytes and halfwords: in words, four at a time.
void shift_narrow(EmitContext& e, unsigned size, VectorShift s, bool saturating, const Xmm& value, const Xmm& amounts,
                  const Xmm& r, const Xmm& lost) {
  auto& c = e.code;
  const unsigned bits = 8u << size, groups = (s.low_only ? 2u : 4u) >> size;
  Shifter shifter(e, s, saturating);
  const Xmm a = e.xtemp(), t = e.xtemp();
  const uint8_t unused = static_cast<uint8_t>(32 - bits);
  // The words of a group into x.
  const auto group = [&](const Xmm& x, unsigned n) {
    c.vpshufb(a, amounts, to_upper_bytes(e, size, 4 * n, true));
    c.vpsrad(a, a, 24);
    c.vpshufb(x, value, to_upper_bytes(e, size, 4 * n, false));
    s.is_unsigned ? c.vpsrld(x, x, unused) : c.vpsrad(x, x, unused);
    shifter.words(x, a, bits, lost);
    c.vpand(x, x, constant(e, repeat32((1u << bits) - 1)));
  };
  group(r, 0);
  if (groups == 1) {
    c.vpackusdw(r, r, r);
    return;
  }
  group(t, 1);
  c.vpackusdw(r, r, t);
  if (size == 1) return;
  if (groups == 2) {
    c.vpackuswb(r, r, r);
    return;
  }
  const Xmm third = e.xtemp();
  group(third, 2);
  group(t, 3);
  c.vpackusdw(third, third, t);
  c.vpackuswb(r, r, third);
}

// r = the shifted value; returns where bits are set where a lane saturates.
void shift(EmitContext& e, const ir::Inst& inst, bool saturating) {
  auto& c = e.code;
  const unsigned size = vector_size(inst);
  const VectorShift s = VectorShift::unpack(vector_number(inst));
  if (!e.config.features.avx2) return shift_by_call(e, inst, s, saturating);
  const Xmm value = e.xuse(inst.args[0]), amounts = e.xuse(inst.args[1]);
  const Xmm r = e.xdefine();
  const Xmm lost = saturating ? e.xtemp() : r;
  if (saturating) c.vpxor(lost, lost, lost);
  if (size < 2) {
    shift_narrow(e, size, s, saturating, value, amounts, r, lost);
  } else {
    Shifter shifter(e, s, saturating);
    const Xmm a = e.xtemp();
    c.movdqa(r, value);
    if (size == 2) {
      c.vpslld(a, amounts, 24);
      c.vpsrad(a, a, 24);
      shifter.words(r, a, 32, lost);
    } else {
      c.vpsllq(a, amounts, 56);
      shifter.doublewords(r, a, s.is_unsigned ? a : e.xtemp(), lost);
    }
  }
  if (saturating)
    note_saturation(e, lost);
  else
    e.flags.keep();
}

}  // namespace

void emit_VecShiftReg(EmitContext& e, const ir::Inst& inst) { shift(e, inst, false); }
void emit_VecQShiftReg(EmitContext& e, const ir::Inst& inst) { shift(e, inst, true); }

}  // namespace crosswalk::x64
