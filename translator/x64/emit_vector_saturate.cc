// SPDX-License-Identifier: GPL-2.0-or-later
// Saturating vector opcodes: the result, and FPSCR.QC when it differs from what wider arithmetic
// gives.
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

// 32-bit elements, signed: overflow has the sign of `first` other than it should be.
void signed_words(EmitContext& e, const ir::Inst& inst, bool subtract) {
  auto& c = e.code;
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm a = e.xuse_copy(inst.args[0]);
  const Xmm overflow = e.xtemp(), t = e.xtemp();
  const Xmm r = e.xdefine();
  c.movdqa(r, a);
  if (subtract)
    c.psubd(r, b);
  else
    c.paddd(r, b);
  c.movdqa(t, a);
  c.pxor(t, r);  // sign of the result changed
  c.movdqa(overflow, a);
  c.pxor(overflow, b);  // operands of different sign
  if (subtract) {
    c.pand(overflow, t);
  } else {
    c.pandn(overflow, t);
  }
  c.psrad(overflow, 31);
  c.psrad(a, 31);
  c.pxor(a, constant(e, repeat32(0x7fffffff)));  // the limit on the side of the first operand
  c.pand(a, overflow);
  c.movdqa(t, overflow);
  c.pandn(t, r);
  c.por(t, a);
  c.movdqa(r, t);
  note_saturation(e, overflow);
}

// The sign of each doubleword of x in all its bits.
void spread_sign(EmitContext& e, const Xmm& x) {
  e.code.psrad(x, 31);
  e.code.pshufd(x, x, 0xf5);
}

// 64-bit elements, signed: as signed_words.
void signed_doublewords(EmitContext& e, const ir::Inst& inst, bool subtract) {
  auto& c = e.code;
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm a = e.xuse_copy(inst.args[0]);
  const Xmm overflow = e.xtemp(), t = e.xtemp();
  const Xmm r = e.xdefine();
  c.movdqa(r, a);
  subtract ? c.psubq(r, b) : c.paddq(r, b);
  c.movdqa(t, a);
  c.pxor(t, r);  // sign of the result changed
  c.movdqa(overflow, a);
  c.pxor(overflow, b);  // operands of different sign
  subtract ? c.pand(overflow, t) : c.pandn(overflow, t);
  spread_sign(e, overflow);
  spread_sign(e, a);
  c.pxor(a, constant(e, 0x7fffffffffffffff));  // the limit on the side of the first operand
  c.pand(a, overflow);
  c.movdqa(t, overflow);
  c.pandn(t, r);
  c.por(t, a);
  c.movdqa(r, t);
  note_saturation(e, overflow);
}

// 64-bit elements, unsigned: the carry out of bit 63, or the borrow.
void unsigned_doublewords(EmitContext& e, const ir::Inst& inst, bool subtract) {
  auto& c = e.code;
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm overflow = e.xtemp(), t = e.xtemp();
  const Xmm r = e.xdefine();
  c.movdqa(r, a);
  c.movdqa(overflow, a);
  if (subtract) {  // (~a & b) | (~(a ^ b) & r)
    c.psubq(r, b);
    c.movdqa(t, a);
    c.pxor(t, b);
    c.pandn(t, r);
    c.pandn(overflow, b);
  } else {  // (a & b) | (~r & (a | b))
    c.paddq(r, b);
    c.por(overflow, b);
    c.movdqa(t, r);
    c.pandn(t, overflow);
    c.movdqa(overflow, a);
    c.pand(overflow, b);
  }
  c.por(overflow, t);
  spread_sign(e, overflow);
  if (subtract) {
    c.movdqa(t, overflow);
    c.pandn(t, r);
    c.movdqa(r, t);
  } else {
    c.por(r, overflow);
  }
  note_saturation(e, overflow);
}

// Bytes and halfwords, for which SSE has saturating instructions: the result saturated where that
// of the wrapping one differs.
struct Saturating {
  SseOperation saturating, wrapping;
};
void compare_with_wrapped(EmitContext& e, const ir::Inst& inst, const Saturating (&by_size)[2]) {
  const Saturating& f = by_size[vector_size(inst)];
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm t = e.xtemp();
  e.code.movdqa(t, e.xuse(inst.args[0]));
  const Xmm r = e.xdefine();
  e.code.movdqa(r, t);
  f.saturating(e.code, r, b);
  f.wrapping(e.code, t, b);
  e.code.pxor(t, r);
  note_saturation(e, t);
}

// To elements of half the size: the result saturated where widening it again differs.
struct Narrowing {
  SseOperation narrow, widen;
};
void compare_with_widened(EmitContext& e, const ir::Inst& inst, const Narrowing (&by_size)[2]) {
  const Narrowing& f = by_size[vector_size(inst)];
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm t = e.xtemp();
  const Xmm r = e.xdefine();
  e.code.movdqa(r, a);
  f.narrow(e.code, r, r);
  f.widen(e.code, t, r);
  e.code.pxor(t, a);
  note_saturation(e, t);
}

// Replaces the least number, which the result can only be when both factors were: that lane
// saturates.
void fix_doubled_minimum(EmitContext& e, unsigned size, const Xmm& r, const Xmm& t) {
  e.code.movdqa(t, r);
  if (size == 1)
    e.code.pcmpeqw(t, constant(e, repeat16(0x8000)));
  else
    e.code.pcmpeqd(t, constant(e, repeat32(0x80000000)));
  e.code.pxor(r, t);
  note_saturation(e, t);
}

// The upper words of twice the 64-bit products: of even elements, and of odd ones.
void doubled_high_words(EmitContext& e, const ir::Inst& inst, bool round) {
  auto& c = e.code;
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm even = e.xtemp(), t = e.xtemp();
  const Xmm r = e.xdefine();
  c.movdqa(even, a);
  c.pmuldq(even, b);
  c.pshufd(r, a, 0xf5);
  c.pshufd(t, b, 0xf5);
  c.pmuldq(r, t);
  c.paddq(even, even);
  c.paddq(r, r);
  if (round) {
    const Xbyak::Address half = constant(e, uint64_t{1} << 31);
    c.paddq(even, half);
    c.paddq(r, half);
  }
  c.psrlq(even, 32);
  c.pblendw(r, even, 0x33);
  fix_doubled_minimum(e, 2, r, t);
}

// Doublewords to words, in both halves of the result, by the word above that is cut off.
enum class Doublewords { Signed, Unsigned, SignedToUnsigned };
void narrow_doublewords(EmitContext& e, const ir::Inst& inst, Doublewords kind) {
  auto& c = e.code;
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm upper = e.xtemp(), lost = e.xtemp(), limit = e.xtemp();
  const Xmm r = e.xdefine();
  c.pshufd(r, a, 0x88);
  c.pshufd(upper, a, 0xdd);
  // `lost` is not zero where the number does not fit.
  if (kind == Doublewords::Signed) {
    c.movdqa(lost, r);
    c.psrad(lost, 31);
    c.pxor(lost, upper);
  } else {
    c.movdqa(lost, upper);
  }
  c.psrad(upper, 31);  // all ones where it is negative
  if (kind == Doublewords::Signed)
    c.pxor(upper, constant(e, repeat32(0x7fffffff)));
  else if (kind == Doublewords::SignedToUnsigned)
    c.pxor(upper, constant(e, ~uint64_t{0}));
  else
    c.pcmpeqd(upper, upper);
  c.pxor(limit, limit);
  c.pcmpeqd(limit, lost);  // where it fits
  c.pand(r, limit);
  c.pandn(limit, upper);
  c.por(r, limit);
  note_saturation(e, lost);
}

}  // namespace

void emit_VecQAddS(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(paddsb), SSE(paddb)}, {SSE(paddsw), SSE(paddw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  if (vector_size(inst) == 3) return signed_doublewords(e, inst, false);
  signed_words(e, inst, false);
}

void emit_VecQSubS(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(psubsb), SSE(psubb)}, {SSE(psubsw), SSE(psubw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  if (vector_size(inst) == 3) return signed_doublewords(e, inst, true);
  signed_words(e, inst, true);
}

void emit_VecQAddU(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(paddusb), SSE(paddb)}, {SSE(paddusw), SSE(paddw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  if (vector_size(inst) == 3) return unsigned_doublewords(e, inst, false);
  auto& c = e.code;
  // 32-bit: what fits beside b is ~b; more of a than that overflows. min(a, ~b) + b saturates.
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm t = e.xtemp();
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  c.movdqa(r, b);
  c.pxor(r, constant(e, ~uint64_t{0}));
  c.pminud(r, a);
  c.movdqa(t, r);
  c.pxor(t, a);
  c.paddd(r, b);
  note_saturation(e, t);
}

void emit_VecQSubU(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(psubusb), SSE(psubb)}, {SSE(psubusw), SSE(psubw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  if (vector_size(inst) == 3) return unsigned_doublewords(e, inst, true);
  auto& c = e.code;
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm t = e.xtemp();
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  c.movdqa(r, a);
  c.pmaxud(r, b);
  c.movdqa(t, r);
  c.pxor(t, a);
  c.psubd(r, b);
  note_saturation(e, t);
}

void emit_VecQNarrowS(EmitContext& e, const ir::Inst& inst) {
  static constexpr Narrowing kBySize[] = {{SSE(packsswb), SSE(pmovsxbw)}, {SSE(packssdw), SSE(pmovsxwd)}};
  if (vector_size(inst) == 2) return narrow_doublewords(e, inst, Doublewords::Signed);
  compare_with_widened(e, inst, kBySize);
}

void emit_VecQNarrowSU(EmitContext& e, const ir::Inst& inst) {
  static constexpr Narrowing kBySize[] = {{SSE(packuswb), SSE(pmovzxbw)}, {SSE(packusdw), SSE(pmovzxwd)}};
  if (vector_size(inst) == 2) return narrow_doublewords(e, inst, Doublewords::SignedToUnsigned);
  compare_with_widened(e, inst, kBySize);
}

void emit_VecQNarrowU(EmitContext& e, const ir::Inst& inst) {
  if (vector_size(inst) == 2) return narrow_doublewords(e, inst, Doublewords::Unsigned);
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm t = e.xtemp();
  const Xmm r = e.xdefine();
  e.code.movdqa(r, a);
  if (vector_size(inst) == 0)
    e.code.pminuw(r, constant(e, repeat16(0xff)));
  else
    e.code.pminud(r, constant(e, repeat32(0xffff)));
  e.code.movdqa(t, r);
  e.code.pxor(t, a);
  if (vector_size(inst) == 0)
    e.code.packuswb(r, r);
  else
    e.code.packusdw(r, r);
  note_saturation(e, t);
}

void emit_VecQDMulH(EmitContext& e, const ir::Inst& inst) {
  if (vector_size(inst) == 2) return doubled_high_words(e, inst, false);
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm low = e.xtemp();
  e.code.movdqa(low, e.xuse(inst.args[0]));
  const Xmm r = e.xdefine();
  e.code.movdqa(r, low);
  e.code.pmulhw(r, b);
  e.code.pmullw(low, b);
  e.code.psllw(r, 1);
  e.code.psrlw(low, 15);
  e.code.por(r, low);
  fix_doubled_minimum(e, 1, r, low);
}

void emit_VecQRDMulH(EmitContext& e, const ir::Inst& inst) {
  if (vector_size(inst) == 2) return doubled_high_words(e, inst, true);
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm t = e.xtemp();
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.movdqa(r, a);
  e.code.pmulhrsw(r, b);
  fix_doubled_minimum(e, 1, r, t);
}

void emit_VecSetQc(EmitContext& e, const ir::Inst& inst) { note_saturation(e, e.xuse(inst.args[0])); }

}  // namespace crosswalk::x64
