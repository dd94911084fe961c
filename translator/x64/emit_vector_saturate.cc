// SPDX-License-Identifier: GPL-2.0-or-later
// Saturating vector opcodes: the result, and FPSCR.QC when it differs from what wider arithmetic
// gives.
#include "translator/x64/emit_vector.h"

namespace crosswalk::x64 {
namespace {

// Sets FPSCR.QC when any bit of `difference` is set.
void note_saturation(EmitContext& e, const Xmm& difference) {
  Xbyak::Label done;
  e.code.ptest(difference, difference);
  e.code.jz(done, Xbyak::CodeGenerator::T_SHORT);
  e.code.or_(state32(offsetof(CpuState, fpscr)), arm::kFpscrQc);
  e.code.L(done);
}

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

// Clears what cannot be 0x8000 but when both factors were: that lane saturates.
void fix_doubled_minimum(EmitContext& e, const Xmm& r, const Xmm& t) {
  e.code.movdqa(t, r);
  e.code.pcmpeqw(t, constant(e, repeat16(0x8000)));
  e.code.pxor(r, t);
  note_saturation(e, t);
}

}  // namespace

void emit_VecQAddS(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(paddsb), SSE(paddb)}, {SSE(paddsw), SSE(paddw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  signed_words(e, inst, false);
}

void emit_VecQSubS(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(psubsb), SSE(psubb)}, {SSE(psubsw), SSE(psubw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
  signed_words(e, inst, true);
}

void emit_VecQAddU(EmitContext& e, const ir::Inst& inst) {
  static constexpr Saturating kBySize[] = {{SSE(paddusb), SSE(paddb)}, {SSE(paddusw), SSE(paddw)}};
  if (vector_size(inst) < 2) return compare_with_wrapped(e, inst, kBySize);
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
  compare_with_widened(e, inst, kBySize);
}

void emit_VecQNarrowSU(EmitContext& e, const ir::Inst& inst) {
  static constexpr Narrowing kBySize[] = {{SSE(packuswb), SSE(pmovzxbw)}, {SSE(packusdw), SSE(pmovzxwd)}};
  compare_with_widened(e, inst, kBySize);
}

void emit_VecQNarrowU(EmitContext& e, const ir::Inst& inst) {
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
  fix_doubled_minimum(e, r, low);
}

void emit_VecQRDMulH(EmitContext& e, const ir::Inst& inst) {
  const Xmm b = e.xuse(inst.args[1]);
  const Xmm t = e.xtemp();
  const Xmm a = e.xuse(inst.args[0]);
  const Xmm r = e.xdefine();
  e.code.movdqa(r, a);
  e.code.pmulhrsw(r, b);
  fix_doubled_minimum(e, r, t);
}

}  // namespace crosswalk::x64
